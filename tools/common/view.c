/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tools/common/view.h"

#include <regex.h>
#include <string.h>

#include "tools/common/report.h"
#include "util.h"

enum comparison { COMPARISON_IS, COMPARISON_IS_NOT, COMPARISON_MATCHES };

struct view_filter {
        unsigned int column;
        enum comparison op;
        const char *value;
        regex_t regex; /* of COMPARISON_MATCHES */
};
struct view_key {
        unsigned int column;
        bool descending;
};

static int find_column(const struct tool *tool, const char *option, const char *name, size_t length, unsigned int *ret_column) {
        int c = column_find(tool->command->columns, name, length);

        if (c < 0)
                return report_error(tool, STATUS_USAGE, "--%s: no column '%.*s'; -o help lists them", option, (int)length, name);
        *ret_column = (unsigned int)c;
        return STATUS_DONE;
}

static int make_filter(const struct tool *tool, const char *text, struct view_filter *ret_filter) {
        size_t length = strcspn(text, "=!~");
        const char *sign = text + length;
        struct view_filter f = {.op = *sign == '=' ? COMPARISON_IS : *sign == '~' ? COMPARISON_MATCHES : COMPARISON_IS_NOT};

        if (!*sign || (*sign == '!' && sign[1] != '='))
                return report_error(tool, STATUS_USAGE, "--filter '%s': COL=VALUE, COL!=VALUE or COL~REGEX is wanted", text);
        int status = find_column(tool, "filter", text, length, &f.column);
        if (status != STATUS_DONE)
                return status;
        f.value = sign + (*sign == '!' ? 2 : 1);
        if (f.op == COMPARISON_MATCHES) {
                int r = regcomp(&f.regex, f.value, REG_EXTENDED | REG_NOSUB);
                char why[200];

                if (r != 0) {
                        regerror(r, &f.regex, why, sizeof(why));
                        return report_error(tool, STATUS_USAGE, "--filter '%s': no regular expression: %s", text, why);
                }
        }
        *ret_filter = f;
        return STATUS_DONE;
}

static int make_keys(const struct tool *tool, const char *sort, struct view *view) {
        view->keys = xcalloc(strlen(sort) + 1, sizeof(*view->keys));
        while (*sort) {
                struct view_key *key = &view->keys[view->n_keys];
                key->descending = *sort == '-';
                sort += key->descending;
                size_t length = strcspn(sort, ",");
                int status = find_column(tool, "sort", sort, length, &key->column);
                if (status != STATUS_DONE)
                        return status;
                view->n_keys++;
                sort += length + (sort[length] == ',');
        }
        return STATUS_DONE;
}

int view_make(const struct tool *tool, const char *sort, const struct text_list *filters, struct view *ret_view) {
        int status = STATUS_DONE;

        ret_view->filters = xcalloc(filters->n, sizeof(*ret_view->filters));
        for (unsigned int i = 0; status == STATUS_DONE && i < filters->n; i++) {
                status = make_filter(tool, filters->items[i], &ret_view->filters[i]);
                ret_view->n_filters += status == STATUS_DONE;
        }
        if (status == STATUS_DONE && sort)
                status = make_keys(tool, sort, ret_view);
        return status;
}

void view_free(struct view *view) {
        for (unsigned int i = 0; i < view->n_filters; i++)
                if (view->filters[i].op == COMPARISON_MATCHES)
                        regfree(&view->filters[i].regex);
        free(view->filters);
        free(view->keys);
        *view = (struct view){0};
}

/* ---- filters ---- */

static bool cell_is_missing(const struct cell *cell) {
        return cell->type == CELL_NULL || (cell->table && table_n_rows(cell->table) == 0);
}

/* As it is shown, or the number in any unit. */
static bool cell_is(const struct cell *cell, const char *value) {
        uint64_t number = 0;

        if (cell_is_missing(cell))
                return !*value || strcmp(value, "-") == 0;
        CLEANUP_FREE char *shown = cell_format(cell, false), *plain = cell_format(cell, true);
        if (strcmp(shown, value) == 0 || strcmp(plain, value) == 0)
                return true;
        if (cell->type == CELL_SIZE)
                return iov_size_parse(value, &number) == 0 && number == cell->number;
        if (cell->type == CELL_RATE)
                return iov_rate_parse(value, &number) == 0 && number == cell->number;
        /* Of a list, any element. */
        for (size_t r = 0; cell->table && r < table_n_rows(cell->table); r++)
                for (unsigned int c = 0; c < table_n_columns(cell->table); c++)
                        if (cell_is(table_cell(cell->table, r, c), value))
                                return true;
        return false;
}

static bool filter_takes(const struct view_filter *f, const struct cell *cell, bool bytes) {
        if (f->op != COMPARISON_MATCHES)
                return cell_is(cell, f->value) == (f->op == COMPARISON_IS);
        CLEANUP_FREE char *text = cell_is_missing(cell) ? xstrdup("") : cell_format(cell, bytes);
        return regexec(&f->regex, text, 0, NULL, 0) == 0;
}

/* ---- order ---- */

struct order {
        const struct view *view;
        const struct table *table;
};

static int compare_cells(const struct cell *a, const struct cell *b) {
        if (a->type == CELL_TEXT && b->type == CELL_TEXT)
                return strcmp(a->text, b->text);
        if (a->type == CELL_REAL && b->type == CELL_REAL)
                return (a->real > b->real) - (a->real < b->real);
        if (!a->table && !b->table)
                return (a->number > b->number) - (a->number < b->number);
        CLEANUP_FREE char *x = cell_format(a, true), *y = cell_format(b, true);
        return strcmp(x, y);
}

/* What is not known comes last, whichever the direction; what is equal stays in its order. */
static int compare_rows(const void *a, const void *b, void *userdata) {
        const struct order *o = userdata;
        size_t x = *(const size_t *)a, y = *(const size_t *)b;

        for (unsigned int i = 0; i < o->view->n_keys; i++) {
                const struct view_key *key = &o->view->keys[i];
                const struct cell *p = table_cell(o->table, x, key->column), *q = table_cell(o->table, y, key->column);

                if (cell_is_missing(p) != cell_is_missing(q))
                        return cell_is_missing(p) ? 1 : -1;
                int r = compare_cells(p, q);
                if (r)
                        return key->descending ? -r : r;
        }
        return (x > y) - (x < y);
}

void view_apply(const struct view *view, const struct output *output, struct table *t) {
        CLEANUP_FREE size_t *rows = xcalloc(table_n_rows(t), sizeof(*rows));
        struct order order = {view, t};
        size_t n = 0;

        for (size_t r = 0; r < table_n_rows(t); r++) {
                bool takes = true;

                for (unsigned int i = 0; takes && i < view->n_filters; i++)
                        takes = filter_takes(&view->filters[i], table_cell(t, r, view->filters[i].column), output->bytes);
                if (takes)
                        rows[n++] = r;
        }
        if (view->n_keys)
                qsort_r(rows, n, sizeof(*rows), compare_rows, &order);
        table_select(t, rows, n);
}
