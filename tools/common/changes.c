/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tools/common/changes.h"

#include <json-c/json.h>
#include <string.h>

#include "util.h"

static const struct column change_columns[] = {{"action", 0, ""}, {"kind", 0, ""}, {"name", 0, ""}, {"fields", 0, ""}, {0}};
static const struct column field_columns[] = {{"field", 0, ""}, {"have", 0, ""}, {"want", 0, ""}, {0}};

static const struct action {
        const char *word, *marker, *color;
} actions[] = {
        {"add", "+", "\033[32m"},
        {"change", "~", "\033[33m"},
        {"remove", "-", "\033[31m"},
};

static const struct action *step_action(const struct iov_plan_step *step) {
        return &actions[!step->have ? 0 : step->want ? 1 : 2];
}

const char *step_name(const struct iov_plan_step *step) {
        return step->want ? step->want : step->have;
}

bool plan_removes(const struct iov_plan *plan) {
        for (size_t i = 0; i < iov_plan_count(plan); i++)
                if (!iov_plan_get(plan, i)->want)
                        return true;
        return false;
}

static uint64_t read_number(const void *record, const struct iov_rfield_info *f) {
        uint64_t value = 0;

        /* Little-endian hosts only, see registers.c. */
        memcpy(&value, (const char *)record + f->offset, f->size);
        return value;
}

/* A field's value, typed as people know it. Null where it says nothing. */
static void put_value(struct table *t, enum iov_kind kind, const struct iov_rfield_info *f, const void *record) {
        /* The slot of what is not attached says nothing. */
        if (!record ||
            (kind == IOV_KIND_VADAPTER && strcmp(f->name, "slot") == 0 && !*((const struct iov_vadapter *)record)->server)) {
                put_null(t);
        } else if (f->type == IOV_TYPE_chars) {
                put_field(t, (const char *)record + f->offset, f->count);
        } else if (kind == IOV_KIND_VOLUME && strcmp(f->name, "size") == 0) {
                put_size(t, read_number(record, f));
        } else if (kind == IOV_KIND_VOLUME && strcmp(f->name, "on_remove") == 0) {
                put_text(t, iov_on_remove_to_string((uint32_t)read_number(record, f)));
        } else {
                put_number(t, read_number(record, f));
        }
}

static bool cells_equal(const struct cell *a, const struct cell *b) {
        return a->type == b->type && a->number == b->number && (!a->text || strcmp(a->text, b->text) == 0);
}

/* The CONFIG fields that differ. */
static struct table *fields_table(const struct iov_plan_step *step) {
        const struct iov_record_info *info = iov_records_get(step->kind);
        struct table *t = table_new("fields", field_columns);

        for (unsigned int i = 0; i < info->n_fields; i++) {
                const struct iov_rfield_info *f = &info->fields[i];

                if (f->role != IOV_ROLE_CONFIG)
                        continue;
                table_row(t);
                put_text(t, f->name);
                put_value(t, step->kind, f, step->have);
                put_value(t, step->kind, f, step->want);
                const struct cell *have = table_cell(t, table_n_rows(t) - 1, 1), *want = table_cell(t, table_n_rows(t) - 1, 2);
                /* A serial number that nobody asked for is the appliance's choice and stays. */
                if (cells_equal(have, want) ||
                    (step->have && step->want && want->type == CELL_NULL && strcmp(f->name, "serial") == 0))
                        table_drop_row(t);
        }
        return t;
}

static struct table *changes_table(const struct iov_plan *plan) {
        struct table *t = table_new("changes", change_columns);

        for (size_t i = 0; i < iov_plan_count(plan); i++) {
                const struct iov_plan_step *step = iov_plan_get(plan, i);

                table_row(t);
                put_text(t, step_action(step)->word);
                put_text(t, iov_records_get(step->kind)->name);
                put_text(t, step_name(step));
                put_table(t, fields_table(step));
        }
        return t;
}

static void count_actions(const struct iov_plan *plan, unsigned int counts[3]) {
        for (size_t i = 0; i < iov_plan_count(plan); i++)
                counts[step_action(iov_plan_get(plan, i)) - actions]++;
}

/* `adapter ssd0, size 64GiB` or `slot 0 -> 1` */
static void print_fields(const struct table *fields, const struct iov_plan_step *step, bool bytes) {
        const char *separator = "  ";

        for (size_t r = 0; r < table_n_rows(fields); r++) {
                /* A namespace's name is its vAdapter and number. */
                if (step->kind == IOV_KIND_NAMESPACE && strcmp(table_cell(fields, r, 0)->text, "volume") != 0)
                        continue;
                fputs(separator, stdout);
                fputs(table_cell(fields, r, 0)->text, stdout);
                putchar(' ');
                separator = ", ";
                if (step->have)
                        cell_write(table_cell(fields, r, 1), bytes, stdout);
                if (step->have && step->want)
                        fputs(" -> ", stdout);
                if (step->want)
                        cell_write(table_cell(fields, r, 2), bytes, stdout);
        }
}

static void print_text(const struct tool *tool, const struct iov_plan *plan, const struct table *changes) {
        unsigned int counts[3] = {0};
        int width = 0;

        for (size_t i = 0; i < iov_plan_count(plan); i++) {
                int length = (int)strlen(step_name(iov_plan_get(plan, i)));

                width = length > width ? length : width;
        }
        for (size_t i = 0; i < iov_plan_count(plan); i++) {
                const struct iov_plan_step *step = iov_plan_get(plan, i);
                const struct action *action = step_action(step);
                const struct table *fields = table_cell(changes, i, 3)->table;
                bool color = !tool->output.no_color;

                printf("%s%s%s %-9s %-*s", color ? action->color : "", action->marker, color ? "\033[0m" : "",
                       iov_records_get(step->kind)->name, step->want && table_n_rows(fields) ? width : 0, step_name(step));
                /* What is removed needs no description. */
                if (step->want)
                        print_fields(fields, step, tool->output.bytes);
                putchar('\n');
        }
        count_actions(plan, counts);
        if (iov_plan_count(plan))
                printf("%u to add, %u to change, %u to remove\n", counts[0], counts[1], counts[2]);
        else
                puts("nothing to do");
}

int changes_print(const struct tool *tool, const struct iov_plan *plan) {
        CLEANUP_TABLE struct table *changes = changes_table(plan);
        unsigned int counts[3] = {0};

        if (tool->output.format != FORMAT_JSON && tool->output.format != FORMAT_YAML) {
                print_text(tool, plan, changes);
                return STATUS_DONE;
        }
        struct json_object *root = table_to_tree(changes), *summary = json_object_new_object();
        count_actions(plan, counts);
        for (unsigned int i = 0; i < 3; i++)
                json_object_object_add(summary, actions[i].word, json_object_new_uint64(counts[i]));
        json_object_object_add(root, "summary", summary);
        return output_tree(tool, root);
}
