/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables as text, by libsmartcols. */
#include <ctype.h>
#include <errno.h>
#include <langinfo.h>
#include <libsmartcols.h>
#include <string.h>
#include <unistd.h>

#include "tools/common/tool.h"
#include "util.h"

/* The columns to show, in order. */
struct selection {
        unsigned int *index;
        unsigned int n;
};

static void select_columns(const struct table *t, const struct output *o, struct selection *s) {
        const struct column *columns = table_columns(t);

        s->index = xcalloc(table_n_columns(t) + (o->columns ? strlen(o->columns) : 0) + 1, sizeof(*s->index));
        s->n = 0;
        for (const char *text = o->columns; text && *text;) {
                size_t length = strcspn(text, ",");
                int found = column_find(columns, text, length);

                if (found >= 0)
                        s->index[s->n++] = (unsigned int)found;
                text += length + (text[length] == ',');
        }
        for (unsigned int i = 0; !o->columns && i < table_n_columns(t); i++) {
                if (o->format == FORMAT_NAME ? i > 0 : columns[i].flags & (COLUMN_DETAIL | COLUMN_TREE))
                        continue;
                if (o->format == FORMAT_WIDE || !(columns[i].flags & COLUMN_WIDE))
                        s->index[s->n++] = i;
        }
}

static void heading(const char *name, char *buffer, size_t size) {
        size_t i = 0;

        for (; name[i] && i + 1 < size; i++)
                buffer[i] = (char)toupper((unsigned char)name[i]);
        buffer[i] = 0;
}

/* Child rows: those of the column flagged COLUMN_TREE; their cells go to the columns of the same name. */
static int add_children(struct libscols_table *st, struct libscols_line *parent, const struct table *t, size_t row,
                        const struct selection *s, const struct output *o);

static int add_rows(struct libscols_table *st, struct libscols_line *parent, const struct table *t, const struct table *top,
                    const struct selection *s, const struct output *o) {
        for (size_t r = 0; r < table_n_rows(t); r++) {
                struct libscols_line *line = scols_table_new_line(st, parent);

                if (!line)
                        return -ENOMEM;
                for (unsigned int i = 0; i < s->n; i++) {
                        const char *name = table_columns(top)[s->index[i]].name;
                        int c = t == top ? (int)s->index[i] : column_find(table_columns(t), name, strlen(name));
                        char *text = c < 0 ? xstrdup("") : cell_format(table_cell(t, r, (unsigned int)c), o->bytes);

                        if (scols_line_refer_data(line, i, text) < 0) {
                                free(text);
                                return -ENOMEM;
                        }
                }
                if (t == top && add_children(st, line, t, r, s, o) < 0)
                        return -ENOMEM;
        }
        return 0;
}

static int add_children(struct libscols_table *st, struct libscols_line *parent, const struct table *t, size_t row,
                        const struct selection *s, const struct output *o) {
        for (unsigned int c = 0; c < table_n_columns(t); c++)
                if ((table_columns(t)[c].flags & COLUMN_TREE) && table_cell(t, row, c)->table)
                        return add_rows(st, parent, table_cell(t, row, c)->table, t, s, o);
        return 0;
}

static bool has_tree(const struct table *t) {
        for (unsigned int c = 0; c < table_n_columns(t); c++)
                if (table_columns(t)[c].flags & COLUMN_TREE)
                        return true;
        return false;
}

static int fill(struct libscols_table *st, const struct table *t, const struct output *o, const struct selection *s) {
        scols_table_enable_noheadings(st, o->no_headings || o->format == FORMAT_NAME);
        /* Piped to another program, names must arrive whole. */
        scols_table_enable_ascii(st, strcmp(nl_langinfo(CODESET), "UTF-8") != 0);
        for (unsigned int i = 0; i < s->n; i++) {
                const struct column *column = &table_columns(t)[s->index[i]];
                char name[64];

                heading(column->name, name, sizeof(name));
                if (!scols_table_new_column(st, name, 0,
                                            (column->flags & COLUMN_RIGHT ? SCOLS_FL_RIGHT : 0) |
                                                    (i == 0 && has_tree(t) ? SCOLS_FL_TREE : 0)))
                        return -ENOMEM;
        }
        return add_rows(st, NULL, t, t, s, o);
}

static int table_to_string(const struct table *t, const struct output *o, char **ret_text) {
        struct selection s;
        struct libscols_table *st = scols_new_table();
        int r = -ENOMEM;

        select_columns(t, o, &s);
        if (st)
                r = fill(st, t, o, &s);
        if (r == 0 && scols_table_is_empty(st))
                *ret_text = xstrdup("");
        else if (r == 0)
                r = scols_print_table_to_string(st, ret_text);
        scols_unref_table(st);
        free(s.index);
        return r;
}

/* Lines of `text`, each behind `indent` spaces. Trailing blanks, which the last column is padded with, are dropped. */
static void write_lines(const char *text, int indent, FILE *stream) {
        while (*text) {
                size_t length = strcspn(text, "\n"), end = length;

                while (end > 0 && text[end - 1] == ' ')
                        end--;
                fprintf(stream, "%*s%.*s\n", indent, "", (int)end, text);
                text += length + (text[length] == '\n');
        }
}

static int write_pairs(const struct table *t, size_t row, const struct output *o, int indent, FILE *stream);

static int write_sub(const struct column *column, const struct cell *cell, const struct output *o, int indent, FILE *stream) {
        CLEANUP_FREE char *text = NULL;

        if (table_n_rows(cell->table) == 0) {
                fprintf(stream, "%*s%s: none\n", indent, "", column->name);
                return 0;
        }
        fprintf(stream, "%*s%s:\n", indent, "", column->name);
        if (cell->type == CELL_RECORD)
                return write_pairs(cell->table, 0, o, indent + 2, stream);
        int r = table_to_string(cell->table, o, &text);
        if (r == 0)
                write_lines(text, indent + 2, stream);
        return r;
}

/* `name: value` lines, values aligned. */
static int write_pairs(const struct table *t, size_t row, const struct output *o, int indent, FILE *stream) {
        int width = 0;

        for (unsigned int c = 0; c < table_n_columns(t); c++)
                if (!table_cell(t, row, c)->table && (int)strlen(table_columns(t)[c].name) > width)
                        width = (int)strlen(table_columns(t)[c].name);
        for (unsigned int c = 0; c < table_n_columns(t); c++) {
                const struct cell *cell = table_cell(t, row, c);

                if (cell->table) {
                        int r = write_sub(&table_columns(t)[c], cell, o, indent, stream);
                        if (r < 0)
                                return r;
                        continue;
                }
                CLEANUP_FREE char *text = cell_format(cell, o->bytes);
                fprintf(stream, "%*s%s:%*s %s\n", indent, "", table_columns(t)[c].name,
                        width - (int)strlen(table_columns(t)[c].name), "", text);
        }
        return 0;
}

int table_write_text(const struct table *t, const struct output *o, bool show, FILE *stream) {
        struct output inner = {.format = FORMAT_TABLE, .bytes = o->bytes};
        CLEANUP_FREE char *text = NULL;

        if (show && o->format == FORMAT_TABLE && !o->columns) {
                for (size_t r = 0; r < table_n_rows(t); r++)
                        if (write_pairs(t, r, &inner, 0, stream) < 0)
                                return -ENOMEM;
                return 0;
        }
        int r = table_to_string(t, o, &text);
        if (r == 0)
                write_lines(text, 0, stream);
        return r;
}
