/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tools/common/changes.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <string.h>

#include "tools/common/report.h"
#include "util.h"

static const struct column change_columns[] = {{"action", 0, ""}, {"kind", 0, ""},     {"name", 0, ""},
                                               {"fields", 0, ""}, {"disturbs", 0, ""}, {0}};
static const struct column field_columns[] = {{"field", 0, ""}, {"have", 0, ""}, {"want", 0, ""}, {0}};
static const struct column disturbed_columns[] = {
        {"effect", 0, ""}, {"server", 0, ""}, {"vadapter", 0, ""}, {"slot", 0, ""}, {0}};

/* What the plan does to servers that run, and how far a table has got with it. */
struct disturbed {
        struct iov_disturbed *list;
        size_t n, next;
};

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

bool step_shrinks(const struct iov_plan_step *step) {
        return step->kind == IOV_KIND_VOLUME && step->have && step->want &&
               ((const struct iov_volume *)step->want)->size < ((const struct iov_volume *)step->have)->size;
}

bool plan_shrinks(const struct iov_plan *plan) {
        for (size_t i = 0; i < iov_plan_count(plan); i++)
                if (step_shrinks(iov_plan_get(plan, i)))
                        return true;
        return false;
}

static uint64_t read_number(const void *record, const struct iov_rfield_info *f) {
        uint64_t value = 0;

        /* Little-endian hosts only, see registers.c. */
        memcpy(&value, (const char *)record + f->offset, f->size);
        return value;
}

/* Fields that are more than a number to people. What is 0 in one of the last says nothing: no limit, no VLAN, the default. */
static void put_bytes(struct table *t, uint64_t value) {
        put_size(t, value);
}
static void put_limit(struct table *t, uint64_t value) {
        if (value)
                put_number(t, value);
        else
                put_null(t);
}
static void put_limit_rate(struct table *t, uint64_t value) {
        if (value)
                put_rate(t, value);
        else
                put_null(t);
}
static void put_on_remove(struct table *t, uint64_t value) {
        put_text(t, iov_on_remove_to_string((uint32_t)value));
}
static void put_provisioning(struct table *t, uint64_t value) {
        put_text(t, iov_provisioning_to_string((uint32_t)value));
}
static void put_block_size(struct table *t, uint64_t value) {
        put_number(t, iov_block_size_bytes((uint32_t)value));
}
static void put_vlan_mode(struct table *t, uint64_t value) {
        put_text(t, value ? iov_vlan_mode_to_string((uint32_t)value) : NULL);
}
static void put_interrupts(struct table *t, uint64_t value) {
        put_text(t, value ? iov_interrupts_to_string((uint32_t)value) : NULL);
}
static void put_polling(struct table *t, uint64_t value) {
        put_text(t, value ? iov_polling_to_string((uint32_t)value) : NULL);
}
static void put_memory(struct table *t, uint64_t value) {
        put_text(t, value ? iov_memory_to_string((uint32_t)value) : NULL);
}
static void put_flag(struct table *t, uint64_t value) {
        if (value)
                put_bool(t, true);
        else
                put_null(t);
}
static const struct {
        enum iov_kind kind;
        const char *field;
        void (*put)(struct table *t, uint64_t value);
} typed_fields[] = {
        {IOV_KIND_VOLUME, "size", put_bytes},
        {IOV_KIND_VOLUME, "on_remove", put_on_remove},
        {IOV_KIND_VOLUME, "shared", put_flag},
        {IOV_KIND_VOLUME, "provisioning", put_provisioning},
        {IOV_KIND_VOLUME, "block_size", put_block_size},
        {IOV_KIND_VADAPTER, "vlan", put_limit},
        {IOV_KIND_VADAPTER, "vlan_mode", put_vlan_mode},
        {IOV_KIND_VADAPTER, "interrupts", put_interrupts},
        {IOV_KIND_VADAPTER, "polling", put_polling},
        {IOV_KIND_VADAPTER, "memory", put_memory},
        {IOV_KIND_NAMESPACE, "read_only", put_flag},
        {IOV_KIND_QOS, "read_iops", put_limit},
        {IOV_KIND_QOS, "write_iops", put_limit},
        {IOV_KIND_QOS, "bandwidth", put_limit_rate},
};

static void put_vlans(struct table *t, const uint8_t *vlans) {
        CLEANUP_FREE char *text = NULL;

        /* It fails only where memory has run out, and then the tool is at its end anyway. */
        put_text(t, iov_vlans_format(vlans, &text) == 0 ? text : NULL);
}

/* A field's value, typed as people know it. Null where it says nothing. */
static void put_value(struct table *t, enum iov_kind kind, const struct iov_rfield_info *f, const void *record) {
        /* The slot of what is not attached says nothing. */
        if (!record ||
            (kind == IOV_KIND_VADAPTER && strcmp(f->name, "slot") == 0 && !*((const struct iov_vadapter *)record)->server)) {
                put_null(t);
                return;
        }
        if (f->type == IOV_TYPE_chars) {
                put_field(t, (const char *)record + f->offset, f->count);
                return;
        }
        if (kind == IOV_KIND_NETWORK && strcmp(f->name, "vlans") == 0) {
                put_vlans(t, ((const struct iov_network *)record)->vlans);
                return;
        }
        for (size_t i = 0; i < ARRAY_LENGTH(typed_fields); i++)
                if (typed_fields[i].kind == kind && strcmp(typed_fields[i].field, f->name) == 0) {
                        typed_fields[i].put(t, read_number(record, f));
                        return;
                }
        put_number(t, read_number(record, f));
}

static bool cells_equal(const struct cell *a, const struct cell *b) {
        return a->type == b->type && a->number == b->number && (!a->text || strcmp(a->text, b->text) == 0);
}

/* The CONFIG fields that differ. */
static struct table *fields_table(const struct iov_plan_step *step) {
        const struct iov_record_info *info = iov_records_get(step->kind);
        struct table *t = table_new("fields", field_columns);

        for (unsigned int i = 0; i < info->n_fields; i++) {
                if (info->fields[i].role != IOV_ROLE_CONFIG)
                        continue;
                table_row(t);
                put_text(t, info->fields[i].name);
                put_value(t, step->kind, &info->fields[i], step->have);
                put_value(t, step->kind, &info->fields[i], step->want);
                if (cells_equal(table_cell(t, table_n_rows(t) - 1, 1), table_cell(t, table_n_rows(t) - 1, 2)))
                        table_drop_row(t);
        }
        return t;
}

static struct table *disturbed_table(struct disturbed *d, size_t step) {
        struct table *t = table_new("disturbs", disturbed_columns);

        for (; d->next < d->n && d->list[d->next].step == step; d->next++) {
                const struct iov_disturbed *disturbed = &d->list[d->next];

                table_row(t);
                put_text(t, iov_disturbance_to_string(disturbed->disturbance));
                put_field(t, disturbed->vadapter->at_server, sizeof(disturbed->vadapter->at_server));
                put_field(t, disturbed->vadapter->name, sizeof(disturbed->vadapter->name));
                put_number(t, disturbed->vadapter->at_slot);
        }
        return t;
}

static struct table *changes_table(const struct iov_plan *plan, struct disturbed *disturbed) {
        struct table *t = table_new("changes", change_columns);

        for (size_t i = 0; i < iov_plan_count(plan); i++) {
                const struct iov_plan_step *step = iov_plan_get(plan, i);

                table_row(t);
                put_text(t, step_action(step)->word);
                put_text(t, iov_records_get(step->kind)->name);
                put_text(t, step_name(step));
                put_table(t, fields_table(step));
                put_table(t, disturbed_table(disturbed, i));
        }
        return t;
}

static int compare_servers(const void *a, const void *b) {
        return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Servers that lose a device, each once, however many steps it takes. */
static unsigned int count_servers(const struct disturbed *d) {
        CLEANUP_FREE const char **servers = xcalloc(d->n + 1, sizeof(*servers));
        size_t n = 0;
        unsigned int different = 0;

        for (size_t i = 0; i < d->n; i++)
                if (d->list[i].disturbance >= IOV_DISTURB_REPLUG)
                        servers[n++] = d->list[i].vadapter->at_server;
        qsort(servers, n, sizeof(*servers), compare_servers);
        for (size_t i = 0; i < n; i++)
                different += i == 0 || strcmp(servers[i], servers[i - 1]) != 0;
        return different;
}

static void count_actions(const struct iov_plan *plan, unsigned int counts[3]) {
        for (size_t i = 0; i < iov_plan_count(plan); i++)
                counts[step_action(iov_plan_get(plan, i)) - actions]++;
}

/* A member's name is what it is in and its number: these fields say nothing more. All kinds of members have one shape. */
static bool is_in_name(enum iov_kind kind, const char *field) {
        const struct iov_record_info *info = iov_records_get(kind);
        unsigned int i = 0;

        if (!iov_member_info(kind))
                return false;
        while (strcmp(info->fields[i].name, field) != 0)
                i++;
        return info->fields[i].offset == offsetof(struct iov_member, parent) ||
               info->fields[i].offset == offsetof(struct iov_member, number);
}

static bool is_identity(enum iov_kind kind, const char *field) {
        uint32_t type;

        return kind == IOV_KIND_VADAPTER && iov_identity_type_from_string(field, &type) == 0;
}

/* `adapter ssd0, size 64GiB` or `slot 0 -> 1` */
static void print_fields(const struct table *fields, const struct iov_plan_step *step, bool bytes) {
        const char *separator = "  ";

        for (size_t r = 0; r < table_n_rows(fields); r++) {
                const char *field = table_cell(fields, r, 0)->text;
                const struct cell *have = table_cell(fields, r, 1), *want = table_cell(fields, r, 2);

                if (is_in_name(step->kind, field))
                        continue;
                fputs(separator, stdout);
                fputs(field, stdout);
                putchar(' ');
                separator = ", ";
                if (step->have)
                        cell_write(have, bytes, stdout);
                if (step->have && step->want)
                        fputs(" -> ", stdout);
                if (step->have && step->want && want->type == CELL_NULL && is_identity(step->kind, field))
                        fputs("auto", stdout);
                else if (step->want)
                        cell_write(want, bytes, stdout);
        }
}

/* `  ! web01 loses web-disk (slot 0): replug`; what loses nothing has a milder mark. */
static void print_disturbed(const struct tool *tool, const struct table *disturbed) {
        const char *red = tool->output.no_color ? "" : "\033[31m", *end = tool->output.no_color ? "" : "\033[0m";

        for (size_t r = 0; r < table_n_rows(disturbed); r++) {
                const char *effect = table_cell(disturbed, r, 0)->text, *server = table_cell(disturbed, r, 1)->text,
                           *vadapter = table_cell(disturbed, r, 2)->text;

                if (strcmp(effect, iov_disturbance_to_string(IOV_DISTURB_LIVE)) == 0)
                        printf("\n            . %s keeps %s: live", server, vadapter);
                else
                        printf("\n            %s! %s loses %s in slot %" PRIu64 ": %s%s", red, server, vadapter,
                               table_cell(disturbed, r, 3)->number, effect, end);
        }
}

static void print_summary(const struct iov_plan *plan, const struct disturbed *disturbed) {
        unsigned int counts[3] = {0}, servers = count_servers(disturbed);

        count_actions(plan, counts);
        printf("%u to add, %u to change, %u to remove", counts[0], counts[1], counts[2]);
        if (servers)
                printf(", %u %s disturbed", servers, servers == 1 ? "server" : "servers");
        putchar('\n');
}

static void print_step(const struct tool *tool, const struct iov_plan_step *step, const struct table *disturbed, int width) {
        CLEANUP_TABLE struct table *fields = fields_table(step);
        const struct action *action = step_action(step);
        bool color = !tool->output.no_color;

        printf("%s%s%s %-9s %-*s", color ? action->color : "", action->marker, color ? "\033[0m" : "",
               iov_records_get(step->kind)->name, step->want && table_n_rows(fields) ? width : 0, step_name(step));
        /* What is removed needs no description. */
        if (step->want)
                print_fields(fields, step, tool->output.bytes);
        print_disturbed(tool, disturbed);
        putchar('\n');
}

/* Step by step: a table of all of a large plan would take longer than the rest. */
static void print_text(const struct tool *tool, const struct iov_plan *plan, struct disturbed *disturbed) {
        int width = 0;

        for (size_t i = 0; i < iov_plan_count(plan); i++) {
                int length = (int)strlen(step_name(iov_plan_get(plan, i)));

                width = length > width ? length : width;
        }
        for (size_t i = 0; i < iov_plan_count(plan); i++) {
                CLEANUP_TABLE struct table *t = disturbed_table(disturbed, i);

                print_step(tool, iov_plan_get(plan, i), t, width);
        }
        if (iov_plan_count(plan))
                print_summary(plan, disturbed);
        else
                puts("nothing to do");
}

static struct json_object *summary_tree(const struct iov_plan *plan, const struct disturbed *disturbed) {
        struct json_object *summary = json_object_new_object();
        unsigned int counts[3] = {0};

        count_actions(plan, counts);
        for (unsigned int i = 0; i < 3; i++)
                json_object_object_add(summary, actions[i].word, json_object_new_uint64(counts[i]));
        json_object_object_add(summary, "disturbed_servers", json_object_new_uint64(count_servers(disturbed)));
        return summary;
}

int changes_print_in(const struct tool *tool, const struct iov_plan *plan, struct json_object *head) {
        struct disturbed disturbed = {0};
        int r = iov_plan_disturbed(plan, &disturbed.list, &disturbed.n);

        if (r < 0) {
                json_object_put(head);
                return report_errno(tool, r, "cannot tell what the plan disturbs");
        }
        if (tool->output.format != FORMAT_JSON && tool->output.format != FORMAT_YAML) {
                json_object_put(head);
                print_text(tool, plan, &disturbed);
                free(disturbed.list);
                return STATUS_DONE;
        }
        CLEANUP_TABLE struct table *changes = changes_table(plan, &disturbed);
        struct json_object *root = table_to_tree(changes);
        if (head) {
                json_object_object_add(head, table_plural(changes), json_object_get(json_object_object_get(root, "changes")));
                json_object_put(root);
                root = head;
        }
        json_object_object_add(root, "summary", summary_tree(plan, &disturbed));
        free(disturbed.list);
        return output_tree(tool, root);
}

int changes_print(const struct tool *tool, const struct iov_plan *plan) {
        return changes_print_in(tool, plan, NULL);
}

void changes_report_rest(const struct tool *tool, const struct iov_plan *rest) {
        for (size_t i = 0; i < iov_plan_count(rest); i++) {
                const struct iov_plan_step *step = iov_plan_get(rest, i);
                const char *kind = iov_records_get(step->kind)->name;
                CLEANUP_TABLE struct table *fields = fields_table(step);

                if (!step->have || !step->want)
                        report_error(tool, STATUS_PARTLY, "%s %s: wanted %s, actually %s", kind, step_name(step),
                                     step->want ? "there" : "gone", step->want ? "gone" : "there");
                for (size_t r = 0; step->have && step->want && r < table_n_rows(fields); r++) {
                        CLEANUP_FREE char *have = cell_format(table_cell(fields, r, 1), tool->output.bytes);
                        CLEANUP_FREE char *want = cell_format(table_cell(fields, r, 2), tool->output.bytes);

                        report_error(tool, STATUS_PARTLY, "%s %s: %s: wanted %s, actually %s", kind, step_name(step),
                                     table_cell(fields, r, 0)->text, want, have);
                }
        }
}
