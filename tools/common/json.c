/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables as JSON, laid out as json-c lays out their trees; a test holds it to what is in them. */
#include <inttypes.h>
#include <string.h>

#include "tools/common/tool.h"

static void indent(unsigned int depth, FILE *stream) {
        static const char spaces[] = "                                ";

        for (depth *= 2; depth >= sizeof(spaces) - 1; depth -= (unsigned int)sizeof(spaces) - 1)
                fwrite(spaces, 1, sizeof(spaces) - 1, stream);
        fwrite(spaces, 1, depth, stream);
}

/* RFC 8259 section 7. */
static void write_string(const char *s, FILE *stream) {
        static const char named[][2] = {{'\b', 'b'}, {'\n', 'n'}, {'\r', 'r'}, {'\t', 't'},
                                        {'\f', 'f'}, {'"', '"'},  {'\\', '\\'}};

        putc_unlocked('"', stream);
        for (;;) {
                size_t length = 0;

                while ((unsigned char)s[length] >= 0x20 && s[length] != '"' && s[length] != '\\')
                        length++;
                fwrite(s, 1, length, stream);
                s += length;
                if (!*s)
                        break;
                char name = 0;
                for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
                        if (named[i][0] == *s)
                                name = named[i][1];
                if (name)
                        fprintf(stream, "\\%c", name);
                else
                        fprintf(stream, "\\u%04x", (unsigned int)(unsigned char)*s);
                s++;
        }
        putc_unlocked('"', stream);
}

static void write_number(uint64_t number, FILE *stream) {
        char text[24], *p = text + sizeof(text);

        do {
                *--p = (char)('0' + number % 10);
                number /= 10;
        } while (number);
        fwrite(p, 1, (size_t)(text + sizeof(text) - p), stream);
}

static void write_row(const struct table *t, size_t row, unsigned int depth, FILE *stream);

static void write_rows(const struct table *t, unsigned int depth, FILE *stream) {
        fputs("[\n", stream);
        for (size_t r = 0; r < table_n_rows(t); r++) {
                fputs(r ? ",\n" : "", stream);
                indent(depth + 1, stream);
                write_row(t, r, depth + 1, stream);
        }
        fputs(table_n_rows(t) ? "\n" : "", stream);
        indent(depth, stream);
        putc_unlocked(']', stream);
}

static void write_cell(const struct cell *cell, unsigned int depth, FILE *stream) {
        switch (cell->type) {
        case CELL_TEXT:
                write_string(cell->text, stream);
                return;
        case CELL_NUMBER:
        case CELL_HEX:
        case CELL_SIZE:
        case CELL_RATE:
                write_number(cell->number, stream);
                return;
        case CELL_REAL:
                fprintf(stream, "%.3f", cell->real);
                return;
        case CELL_BOOL:
                fputs(cell->number ? "true" : "false", stream);
                return;
        case CELL_TABLE:
                write_rows(cell->table, depth, stream);
                return;
        case CELL_RECORD:
                if (table_n_rows(cell->table)) {
                        write_row(cell->table, 0, depth, stream);
                        return;
                }
                break;
        case CELL_NULL:
                break;
        }
        fputs("null", stream);
}

static void write_row(const struct table *t, size_t row, unsigned int depth, FILE *stream) {
        fputs("{\n", stream);
        for (unsigned int c = 0; c < table_n_columns(t); c++) {
                fputs(c ? ",\n" : "", stream);
                indent(depth + 1, stream);
                write_string(table_columns(t)[c].name, stream);
                fputs(": ", stream);
                write_cell(table_cell(t, row, c), depth + 1, stream);
        }
        putc_unlocked('\n', stream);
        indent(depth, stream);
        putc_unlocked('}', stream);
}

void table_write_json(const struct table *t, FILE *stream) {
        fputs("{\n  \"schema\": 1,\n  ", stream);
        write_string(table_plural(t), stream);
        fputs(": ", stream);
        write_rows(t, 1, stream);
        fputs("\n}\n", stream);
}
