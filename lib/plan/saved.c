/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A saved plan, and the appliance that it meets: what it takes to be there must be there, field by field. */
#include "saved.h"

#include <errno.h>

#include "util.h"

struct saved_step *saved_plan_add(struct iov_saved_plan *saved) {
        if (saved->n == saved->allocated) {
                size_t n = saved->allocated ? saved->allocated * 2 : 16;
                struct saved_step *steps = realloc(saved->steps, n * sizeof(*steps));

                if (!steps)
                        return NULL;
                saved->steps = steps;
                saved->allocated = n;
        }
        memset(&saved->steps[saved->n], 0, sizeof(*saved->steps));
        return &saved->steps[saved->n++];
}

struct iov_saved_plan *iov_saved_plan_unref(struct iov_saved_plan *saved) {
        if (!saved)
                return NULL;
        for (size_t i = 0; i < saved->n; i++) {
                free(saved->steps[i].have);
                free(saved->steps[i].want);
        }
        free(saved->steps);
        free(saved);
        return NULL;
}

uint64_t iov_saved_plan_get_generation(const struct iov_saved_plan *saved) {
        return saved->generation;
}

const char *iov_saved_plan_get_appliance(const struct iov_saved_plan *saved) {
        return saved->appliance;
}

bool saved_name_fits(enum iov_kind kind, const void *record) {
        struct iov_member member;

        if (!iov_member_info(kind))
                return true;
        memcpy(&member, record, sizeof(member));
        return iov_member_init(&member, ((const struct iov_member *)record)->parent, member.number) == 0 &&
               strcmp(member.name, record) == 0;
}

/* ---- meeting the appliance ---- */

struct meeting {
        const struct iov_model *have;
        struct iov_model *want;
        struct iov_diagnostics *diagnostics;
        bool stale;
};

static int say_stale(struct meeting *m, const struct saved_step *step, const char *what, const char *field) {
        char text[256];

        m->stale = true;
        snprintf(text, sizeof(text), "%s %.79s: %s%s%s; the appliance has moved on: plan again",
                 iov_records_get(step->kind)->name, step->name, field, *field ? " " : "", what);
        return iov_diagnostics_add_object(m->diagnostics, IOV_ERROR, step->kind, step->name, text);
}

/* The first field that the plan names and that is not as it says, NULL: none. */
static const char *different_field(const struct saved_step *step, const void *record) {
        const struct iov_record_info *info = iov_records_get(step->kind);

        for (unsigned int i = 0; i < info->n_fields; i++) {
                const struct iov_rfield_info *f = &info->fields[i];

                if (step->given >> i & 1 && memcmp((const char *)record + f->offset, (const char *)step->have + f->offset,
                                                   (size_t)f->size * f->count) != 0)
                        return f->name;
        }
        return NULL;
}

static int set_fields(struct meeting *m, const struct saved_step *step, const void *old) {
        const struct iov_record_info *info = iov_records_get(step->kind);
        unsigned char record[IOV_VADAPTER_RECORD_SIZE] __attribute__((aligned(8))) = {0}; /* the largest */

        if (old)
                memcpy(record, old, info->size);
        else
                memcpy(record, step->name, sizeof(step->name));
        for (unsigned int i = 0; i < info->n_fields; i++) {
                const struct iov_rfield_info *f = &info->fields[i];

                if (step->given >> i & 1)
                        memcpy(record + f->offset, (const char *)step->want + f->offset, (size_t)f->size * f->count);
        }
        if (!saved_name_fits(step->kind, record))
                return say_stale(m, step, "is not what its name says", "");
        int r = iov_model_set(m->want, step->kind, record);
        if (r != -E2BIG)
                return r;
        return say_stale(m, step, "is more than there is room for", "");
}

static int meet(struct meeting *m, const struct saved_step *step) {
        const void *record = iov_model_get(m->have, step->kind, step->name);
        const char *field;

        if (step->action == SAVED_ADD && record)
                return say_stale(m, step, "is there already", "");
        if (step->action != SAVED_ADD && !record)
                return say_stale(m, step, "is not there", "");
        if (record && (field = different_field(step, record)))
                return say_stale(m, step, "is not what the plan takes it for", field);
        return step->action == SAVED_REMOVE ? iov_model_remove(m->want, step->kind, step->name) : set_fields(m, step, record);
}

int iov_saved_plan_bind(const struct iov_saved_plan *saved, const struct iov_model *have, struct iov_diagnostics *diagnostics,
                        struct iov_model **ret_want) {
        struct meeting m = {.have = have, .diagnostics = diagnostics};
        int r = iov_model_clone(have, &m.want);

        for (size_t i = 0; r == 0 && i < saved->n; i++)
                r = meet(&m, &saved->steps[i]);
        if (r == 0 && m.stale)
                r = -ESTALE;
        if (r < 0) {
                iov_model_unref(m.want);
                return r;
        }
        *ret_want = m.want;
        return 0;
}
