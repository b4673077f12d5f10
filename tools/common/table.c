/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table model: columns, rows, typed cells. */
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "tools/common/tool.h"
#include "util.h"

/* Texts of cells are kept together: a list may have a million. They go when their table goes. */
struct chunk {
        struct chunk *next;
        size_t used, size;
        char bytes[];
};
#define CHUNK_LEAST 64
#define CHUNK_MOST 65536

struct table {
        const char *plural;
        const struct column *columns;
        unsigned int n_columns, at; /* `at`: next cell of the row under way */
        struct cell *cells;
        size_t n_rows, n_allocated;
        struct chunk *chunks; /* the one being filled is the first */
};

struct table *table_new(const char *plural, const struct column *columns) {
        struct table *t = xcalloc(1, sizeof(*t));

        t->plural = plural;
        t->columns = columns;
        while (columns[t->n_columns].name)
                t->n_columns++;
        return t;
}

static void cells_free(struct cell *cells, size_t n) {
        for (size_t i = 0; i < n; i++)
                table_free(cells[i].table);
        free(cells);
}

struct table *table_free(struct table *t) {
        if (!t)
                return NULL;
        cells_free(t->cells, t->n_rows * t->n_columns);
        while (t->chunks) {
                struct chunk *next = t->chunks->next;

                free(t->chunks);
                t->chunks = next;
        }
        free(t);
        return NULL;
}

static char *keep_text(struct table *t, const char *text, size_t length) {
        if (!t->chunks || t->chunks->size - t->chunks->used <= length) {
                size_t size = t->chunks ? t->chunks->size * 2 : CHUNK_LEAST;

                size = size > CHUNK_MOST ? CHUNK_MOST : size;
                size = size > length ? size : length + 1;
                struct chunk *chunk = xrealloc(NULL, 1, sizeof(*chunk) + size);
                *chunk = (struct chunk){.next = t->chunks, .size = size};
                t->chunks = chunk;
        }
        char *kept = memcpy(t->chunks->bytes + t->chunks->used, text, length);
        kept[length] = 0;
        t->chunks->used += length + 1;
        return kept;
}

void table_row(struct table *t) {
        if (t->n_rows == t->n_allocated) {
                /* Most tables in tables have one row. */
                t->n_allocated = t->n_allocated ? t->n_allocated * 4 : 1;
                t->cells = xrealloc(t->cells, t->n_allocated * t->n_columns, sizeof(*t->cells));
        }
        memset(&t->cells[t->n_rows * t->n_columns], 0, t->n_columns * sizeof(*t->cells));
        t->n_rows++;
        t->at = 0;
}

void table_drop_row(struct table *t) {
        t->n_rows--;
        for (unsigned int c = 0; c < t->n_columns; c++)
                table_free(t->cells[t->n_rows * t->n_columns + c].table);
}

static struct cell *next_cell(struct table *t, enum cell_type type) {
        struct cell *c = &t->cells[(t->n_rows - 1) * t->n_columns + t->at++];

        c->type = type;
        return c;
}

void put_null(struct table *t) {
        next_cell(t, CELL_NULL);
}

void put_text(struct table *t, const char *text) {
        if (text && *text)
                next_cell(t, CELL_TEXT)->text = keep_text(t, text, strlen(text));
        else
                put_null(t);
}

void put_field(struct table *t, const char *field, size_t size) {
        size_t length = strnlen(field, size);

        if (length)
                next_cell(t, CELL_TEXT)->text = keep_text(t, field, length);
        else
                put_null(t);
}

void put_number(struct table *t, uint64_t number) {
        next_cell(t, CELL_NUMBER)->number = number;
}

void put_hex(struct table *t, uint64_t number, unsigned int digits) {
        struct cell *c = next_cell(t, CELL_HEX);

        c->number = number;
        c->digits = digits;
}

void put_size(struct table *t, uint64_t bytes) {
        next_cell(t, CELL_SIZE)->number = bytes;
}

void put_rate(struct table *t, uint64_t bits) {
        next_cell(t, CELL_RATE)->number = bits;
}

void put_real(struct table *t, double real) {
        next_cell(t, CELL_REAL)->real = real;
}

void put_time(struct table *t, uint64_t time_ns) {
        time_t seconds = (time_t)(time_ns / UINT64_C(1000000000));
        char text[40];
        struct tm tm;

        if (time_ns && gmtime_r(&seconds, &tm) && strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm))
                put_text(t, text);
        else
                put_null(t);
}

void put_bool(struct table *t, bool value) {
        next_cell(t, CELL_BOOL)->number = value;
}

void put_table(struct table *t, struct table *sub) {
        next_cell(t, CELL_TABLE)->table = sub;
}

void put_record(struct table *t, struct table *sub) {
        next_cell(t, CELL_RECORD)->table = sub;
}

void table_select(struct table *t, const size_t *rows, size_t n) {
        struct cell *cells = xcalloc(n * t->n_columns, sizeof(*cells));

        for (size_t i = 0; i < n; i++) {
                struct cell *from = &t->cells[rows[i] * t->n_columns];

                memcpy(&cells[i * t->n_columns], from, t->n_columns * sizeof(*cells));
                /* taken over */
                memset(from, 0, t->n_columns * sizeof(*cells));
        }
        cells_free(t->cells, t->n_rows * t->n_columns);
        t->cells = cells;
        t->n_rows = t->n_allocated = n;
}

const char *table_plural(const struct table *t) {
        return t->plural;
}

const struct column *table_columns(const struct table *t) {
        return t->columns;
}

unsigned int table_n_columns(const struct table *t) {
        return t->n_columns;
}

size_t table_n_rows(const struct table *t) {
        return t->n_rows;
}

const struct cell *table_cell(const struct table *t, size_t row, unsigned int column) {
        return &t->cells[row * t->n_columns + column];
}

static char fold(char c) {
        return c == '-' ? '_' : c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

int column_find(const struct column *columns, const char *name, size_t length) {
        for (int i = 0; columns[i].name; i++) {
                size_t n = 0;

                while (n < length && columns[i].name[n] && fold(name[n]) == columns[i].name[n])
                        n++;
                if (n == length && !columns[i].name[n])
                        return i;
        }
        return -1;
}

/* `1:web-boot, 2:web-data`: a sub-table in one cell. */
static char *table_join(const struct table *t, bool bytes) {
        char *joined = xstrdup("");

        for (size_t r = 0; r < t->n_rows; r++)
                for (unsigned int c = 0; c < t->n_columns; c++) {
                        CLEANUP_FREE char *cell = cell_format(table_cell(t, r, c), bytes);
                        char *longer = xasprintf("%s%s%s", joined, c ? ":" : r ? ", " : "", cell);

                        free(joined);
                        joined = longer;
                }
        return joined;
}

void cell_write(const struct cell *cell, bool bytes, FILE *stream) {
        CLEANUP_FREE char *text = cell->type == CELL_TEXT ? NULL : cell_format(cell, bytes);

        fputs(text ? text : cell->text, stream);
}

char *cell_format(const struct cell *cell, bool bytes) {
        char buffer[64];

        switch (cell->type) {
        case CELL_NULL:
                return xstrdup("-");
        case CELL_TEXT:
                return xstrdup(cell->text);
        case CELL_NUMBER:
                return xasprintf("%" PRIu64, cell->number);
        case CELL_HEX:
                return xasprintf("0x%0*" PRIx64, (int)cell->digits, cell->number);
        case CELL_SIZE:
        case CELL_RATE:
                if (bytes)
                        return xasprintf("%" PRIu64, cell->number);
                (cell->type == CELL_SIZE ? human_size : human_rate)(cell->number, buffer, sizeof(buffer));
                return xstrdup(buffer);
        case CELL_REAL:
                if (bytes || (cell->real > 0 && cell->real < 99.95))
                        return xasprintf("%.1f", cell->real);
                human_number(cell->real, buffer, sizeof(buffer));
                return xstrdup(buffer);
        case CELL_BOOL:
                return xstrdup(cell->number ? "yes" : "no");
        case CELL_TABLE:
        case CELL_RECORD:
                return table_n_rows(cell->table) ? table_join(cell->table, bytes) : xstrdup("-");
        }
        return xstrdup("?");
}
