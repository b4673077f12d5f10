/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `kind: plan` as tables of keys: what 'iovprov plan -o yaml' wrote, or somebody who says so. */
#include "plan-read.h"

#include <errno.h>

#include "near.h"
#include "plan/saved.h"
#include "util.h"

/* Keys come in any order, so a step is made when all of it has been read. */
struct field {
        char name[32];
        struct plan_value have, want;
        struct place place;
};
struct step {
        char action[16], kind[32], name[IOV_NAME_SIZE];
        struct field fields[SAVED_FIELDS_MAX];
        unsigned int n_fields;
        struct place kind_place, name_place;
};

static void step_free(struct step *step) {
        for (unsigned int i = 0; i < step->n_fields; i++) {
                free(step->fields[i].have.text);
                free(step->fields[i].want.text);
        }
        free(step);
}

/* ---- keys ---- */

static int read_short_text(struct reader *r, const struct key *key, void *object) {
        char show[READER_SHOW_SIZE];
        const char *text = NULL;
        int e = reader_text(r, key->name, &text);

        if (e <= 0)
                return e;
        return field_set((char *)object + key->offset, key->max, text) == 0
                       ? 0
                       : reader_refuse(r, "%s: %s is longer than %u characters", key->name, reader_show(show, text),
                                       (unsigned int)key->max - 1);
}

static int read_kind(struct reader *r, const struct key *key, void *object) {
        ((struct step *)object)->kind_place = reader_place(r);
        return read_short_text(r, key, object);
}

static int read_name(struct reader *r, const struct key *key, void *object) {
        ((struct step *)object)->name_place = reader_place(r);
        return read_short_text(r, key, object);
}

static int read_value(struct reader *r, const struct key *key, void *object) {
        return plan_value_read(r, key->name, (struct plan_value *)(void *)((char *)object + key->offset));
}

static int read_ignored(struct reader *r, const struct key *key, void *object) {
        return reader_skip(r);
}

static const struct key field_keys[] = {
        {.name = "field", .read = read_short_text, .offset = offsetof(struct field, name), .flags = KEY_REQUIRED, .max = 32},
        {.name = "have", .read = read_value, .offset = offsetof(struct field, have), .flags = KEY_REQUIRED},
        {.name = "want", .read = read_value, .offset = offsetof(struct field, want), .flags = KEY_REQUIRED},
};

static int read_field(struct reader *r, unsigned int i, void *object) {
        struct step *step = object;
        struct subject subject = {.kind = "field", .place = reader_place(r)};
        struct value values[ARRAY_LENGTH(field_keys)];

        if (i >= SAVED_FIELDS_MAX)
                return i > SAVED_FIELDS_MAX ? reader_skip(r) : reader_refuse(r, "fields: more than %u", SAVED_FIELDS_MAX);
        step->fields[i].place = subject.place;
        step->n_fields = i + 1;
        return reader_mapping(r, field_keys, ARRAY_LENGTH(field_keys), &subject, &step->fields[i], values);
}

static int read_fields(struct reader *r, const struct key *key, void *object) {
        return reader_sequence(r, key->name, read_field, object);
}

static const struct key step_keys[] = {
        {.name = "action", .read = read_short_text, .offset = offsetof(struct step, action), .flags = KEY_REQUIRED, .max = 16},
        {.name = "kind", .read = read_kind, .offset = offsetof(struct step, kind), .flags = KEY_REQUIRED, .max = 32},
        {.name = "name", .read = read_name, .offset = offsetof(struct step, name), .flags = KEY_REQUIRED, .max = IOV_NAME_SIZE},
        {.name = "fields", .read = read_fields},
        {.name = "disturbs", .read = read_ignored},
};

/* ---- what a step means ---- */

static int take_action(struct reader *r, const struct step *step, const struct place *place, struct saved_step *saved) {
        static const char *const words[] = {[SAVED_ADD] = "add", [SAVED_CHANGE] = "change", [SAVED_REMOVE] = "remove"};
        char show[READER_SHOW_SIZE];

        for (unsigned int i = 0; i < ARRAY_LENGTH(words); i++)
                if (strcmp(words[i], step->action) == 0) {
                        saved->action = (enum saved_action)i;
                        return 0;
                }
        return reader_error(r, place, "action: %s is not one of add, change, remove", reader_show(show, step->action));
}

static int take_kind(struct reader *r, const struct step *step, struct saved_step *saved) {
        const enum iov_kind *kinds = NULL;
        size_t n = iov_config_kinds(&kinds);
        char show[READER_SHOW_SIZE];

        for (size_t i = 0; i < n; i++)
                if (strcmp(iov_records_get(kinds[i])->name, step->kind) == 0) {
                        saved->kind = kinds[i];
                        return 0;
                }
        return reader_error(r, &step->kind_place, "kind: %s is not a kind of object that plans change",
                            reader_show(show, step->kind));
}

static bool name_is_good(enum iov_kind kind, const char *name) {
        const char *slash = strrchr(name, '/');
        char parent[IOV_NAME_SIZE];
        uint32_t type;

        if (kind == IOV_KIND_POOL)
                return iov_identity_type_from_string(name, &type) == 0;
        if (!iov_member_info(kind))
                return iov_name_is_valid(name);
        if (!slash || !slash[1] || slash[1 + strspn(slash + 1, "0123456789")])
                return false;
        snprintf(parent, sizeof(parent), "%.*s", (int)(slash - name), name);
        return iov_name_is_valid(parent);
}

static int take_name(struct reader *r, const struct step *step, struct saved_step *saved) {
        char show[READER_SHOW_SIZE];

        if (!name_is_good(saved->kind, step->name))
                return reader_error(r, &step->name_place, "name: %s cannot be the name of a %s", reader_show(show, step->name),
                                    step->kind);
        memcpy(saved->name, step->name, sizeof(saved->name));
        return reader_unique(r, &step->name_place, PLACE_OBJECT + (uint32_t)saved->kind, saved->name,
                             "%s %s has two steps in this plan", step->kind, step->name);
}

static int take_field(struct reader *r, const struct field *field, struct saved_step *saved) {
        const struct iov_record_info *info = iov_records_get(saved->kind);
        char show[READER_SHOW_SIZE];
        unsigned int i = 0;

        while (i < info->n_fields && (info->fields[i].role != IOV_ROLE_CONFIG || strcmp(info->fields[i].name, field->name) != 0))
                i++;
        if (i == info->n_fields)
                return reader_error(r, &field->place, "field: a %s has no field %s that a plan can change", info->name,
                                    reader_show(show, field->name));
        if (saved->given >> i & 1)
                return reader_error(r, &field->place, "field: %s is here twice", field->name);
        if ((saved->action == SAVED_ADD && field->have.type != PLAN_VALUE_NULL) ||
            (saved->action == SAVED_REMOVE && field->want.type != PLAN_VALUE_NULL))
                return reader_error(r, &field->place, "%s: what is %s has no \"%s\"; null wanted", field->name,
                                    saved->action == SAVED_ADD ? "added" : "removed",
                                    saved->action == SAVED_ADD ? "have" : "want");
        saved->given |= UINT64_C(1) << i;
        int e = plan_value_put(r, &field->have, saved->kind, &info->fields[i], saved->have);
        return e < 0 ? e : plan_value_put(r, &field->want, saved->kind, &info->fields[i], saved->want);
}

static int take_fields(struct reader *r, const struct step *step, struct saved_step *saved) {
        const struct iov_record_info *info = iov_records_get(saved->kind);
        int e = 0;

        saved->have = calloc(1, info->size);
        saved->want = calloc(1, info->size);
        if (!saved->have || !saved->want)
                return -ENOMEM;
        for (unsigned int i = 0; e == 0 && i < step->n_fields; i++)
                e = take_field(r, &step->fields[i], saved);
        if (e == 0 && saved->action == SAVED_CHANGE && !step->n_fields)
                e = reader_error(r, &step->name_place, "%s %s: what is changed in it is not told", step->kind, step->name);
        return e;
}

static int read_step(struct reader *r, unsigned int i, void *object) {
        struct subject subject = {.kind = "step", .place = reader_place(r)};
        struct value values[ARRAY_LENGTH(step_keys)];
        unsigned int errors = r->n_errors;
        struct step *step = calloc(1, sizeof(*step));
        struct saved_step *saved = step ? saved_plan_add(object) : NULL;
        int e = -ENOMEM;

        if (saved)
                e = reader_mapping(r, step_keys, ARRAY_LENGTH(step_keys), &subject, step, values);
        if (e == 0 && r->n_errors == errors)
                e = take_action(r, step, &subject.place, saved);
        if (e == 0 && r->n_errors == errors)
                e = take_kind(r, step, saved);
        if (e == 0 && r->n_errors == errors)
                e = take_name(r, step, saved);
        if (e == 0 && r->n_errors == errors)
                e = take_fields(r, step, saved);
        if (step)
                step_free(step);
        return e;
}

/* ---- the document ---- */

static int read_changes(struct reader *r, const struct key *key, void *object) {
        return reader_sequence(r, key->name, read_step, object);
}

static int read_generation(struct reader *r, const struct key *key, void *object) {
        int e = reader_number(r, key->name, 0, UINT64_MAX - 1, &((struct iov_saved_plan *)object)->generation);

        return e < 0 ? e : 0;
}

static int read_id(struct reader *r, const struct key *key, void *object) {
        struct iov_saved_plan *saved = object;
        char show[READER_SHOW_SIZE];
        const char *text = NULL;
        int e = reader_text(r, key->name, &text);

        if (e <= 0)
                return e;
        if (strlen(text) != SAVED_ID_SIZE - 1 || text[strspn(text, "0123456789abcdef")])
                return reader_refuse(r, "id: %s is not 32 hexadecimal digits", reader_show(show, text));
        memcpy(saved->appliance, text, SAVED_ID_SIZE);
        return 0;
}

static const struct key appliance_keys[] = {
        {.name = "id", .read = read_id, .flags = KEY_REQUIRED},
        {.name = "chassis", .read = read_ignored},
};

static int read_appliance(struct reader *r, const struct key *key, void *object) {
        struct subject subject = {.kind = key->name, .place = reader_place(r)};
        struct value values[ARRAY_LENGTH(appliance_keys)];

        return reader_mapping(r, appliance_keys, ARRAY_LENGTH(appliance_keys), &subject, object, values);
}

static const struct key plan_keys[] = {
        {.name = "version", .read = reader_read_version, .flags = KEY_REQUIRED},
        {.name = "kind", .read = reader_read_kind, .flags = KEY_REQUIRED, .words = "plan"},
        {.name = "schema", .read = read_ignored},
        {.name = "generation", .read = read_generation, .flags = KEY_REQUIRED},
        {.name = "appliance", .read = read_appliance, .flags = KEY_REQUIRED},
        {.name = "changes", .read = read_changes, .flags = KEY_REQUIRED},
        {.name = "judged", .read = read_ignored},
        {.name = "refusals", .read = read_ignored},
        {.name = "more_refusals", .read = read_ignored},
        {.name = "summary", .read = read_ignored},
};

int iov_saved_plan_read(struct iov_ctx *ctx, const char *file, const char *text, size_t length,
                        struct iov_diagnostics *diagnostics, struct iov_saved_plan **ret_saved) {
        struct iov_saved_plan *saved = calloc(1, sizeof(*saved));
        struct iov_model *none = NULL;
        int r = saved ? iov_model_new(ctx, &none) : -ENOMEM;

        if (r == 0)
                r = reader_document(none, file, text, length, diagnostics, "plan", plan_keys, ARRAY_LENGTH(plan_keys), saved);
        iov_model_unref(none);
        if (r < 0) {
                iov_saved_plan_unref(saved);
                return r;
        }
        *ret_saved = saved;
        return 0;
}
