/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The plan: what differs between two models, as pairs. */
#include "plan.h"

#include <errno.h>

#include "util.h"

static int add_step(struct iov_plan *plan, enum iov_kind kind, const void *have, const void *want) {
        if (plan->n_steps == plan->n_allocated) {
                size_t n = plan->n_allocated ? plan->n_allocated * 2 : 16;
                struct iov_plan_step *steps = realloc(plan->steps, n * sizeof(*steps));

                if (!steps)
                        return -ENOMEM;
                plan->steps = steps;
                plan->n_allocated = n;
        }
        plan->steps[plan->n_steps++] = (struct iov_plan_step){.kind = kind, .have = have, .want = want};
        return 0;
}

/* What is not wanted, of one kind. */
static int add_removals(struct iov_plan *plan, enum iov_kind kind, unsigned int flags) {
        CLEANUP_FREE const void **records = NULL;
        int n = iov_model_sorted(plan->have, kind, &records);

        for (int i = 0; i < n; i++) {
                bool remove = flags & IOV_PLAN_PRUNE;

                if (iov_model_get(plan->want, kind, records[i]))
                        continue;
                /* A vAdapter that is wanted is wanted with the namespaces that its list gives, and no others; profiles likewise.
                 */
                const struct iov_member_info *info = iov_member_info(kind);
                if (info)
                        remove |=
                                iov_model_get(plan->want, info->parent, ((const struct iov_member *)records[i])->parent) != NULL;
                int r = remove ? add_step(plan, kind, records[i], NULL) : 0;
                if (r < 0)
                        return r;
        }
        return n < 0 ? n : 0;
}

/* The fields of a vAdapter that are identities: empty in what is wanted means that any will do. */
static const struct {
        size_t offset, size;
} identities[] = {
        [IOV_IDENTITY_MAC] = {offsetof(struct iov_vadapter, mac), sizeof(((struct iov_vadapter *)0)->mac)},
        [IOV_IDENTITY_WWNN] = {offsetof(struct iov_vadapter, wwnn), sizeof(((struct iov_vadapter *)0)->wwnn)},
        [IOV_IDENTITY_WWPN] = {offsetof(struct iov_vadapter, wwpn), sizeof(((struct iov_vadapter *)0)->wwpn)},
        [IOV_IDENTITY_SERIAL] = {offsetof(struct iov_vadapter, serial), sizeof(((struct iov_vadapter *)0)->serial)},
        [IOV_IDENTITY_NQN] = {offsetof(struct iov_vadapter, nqn), sizeof(((struct iov_vadapter *)0)->nqn)},
};

/*
 * Make `want` keep the identities that the appliance chose for `have`, where any will do: a step that changes something else must
 * not make it choose new ones. One that was given and no longer is returns to the default, which is a choice of the appliance.
 */
static bool keep_identities(const struct iov_vadapter *have, struct iov_vadapter *want) {
        bool kept = false;

        for (size_t i = 0; i < ARRAY_LENGTH(identities); i++) {
                const char *from = (const char *)have + identities[i].offset;
                char *to = (char *)want + identities[i].offset;

                if (*to || !*from || !(have->chosen & 1u << i))
                        continue;
                memcpy(to, from, identities[i].size);
                kept = true;
        }
        return kept;
}

static int own_vadapter(struct iov_plan *plan, const struct iov_vadapter *want, const struct iov_vadapter **ret_own) {
        if (plan->n_own == plan->n_own_allocated) {
                size_t n = plan->n_own_allocated ? plan->n_own_allocated * 2 : 16;
                struct iov_vadapter **own = realloc(plan->own, n * sizeof(struct iov_vadapter *));

                if (!own)
                        return -ENOMEM;
                plan->own = own;
                plan->n_own_allocated = n;
        }
        struct iov_vadapter *copy = malloc(sizeof(*copy));
        if (!copy)
                return -ENOMEM;
        *copy = *want;
        *ret_own = plan->own[plan->n_own++] = copy;
        return 0;
}

/* Whether an identity that the appliance chose will do for what is wanted. */
static bool will_do(const struct iov_vadapter *have, const struct iov_vadapter *want, size_t offset) {
        for (size_t i = 0; i < ARRAY_LENGTH(identities); i++)
                if (identities[i].offset == offset)
                        return !*((const char *)want + offset) && *((const char *)have + offset) && have->chosen & 1u << i;
        return false;
}

/* The slot means something only where there is a server. */
static bool same_vadapter(const struct iov_vadapter *have, const struct iov_vadapter *want) {
        const struct iov_record_info *info = iov_records_get(IOV_KIND_VADAPTER);

        for (unsigned int i = 0; i < info->n_fields; i++) {
                const struct iov_rfield_info *f = &info->fields[i];

                if (f->role != IOV_ROLE_CONFIG ||
                    memcmp((const char *)have + f->offset, (const char *)want + f->offset, (size_t)f->size * f->count) == 0)
                        continue;
                if (!(f->offset == offsetof(struct iov_vadapter, slot) && !*have->server && !*want->server) &&
                    !will_do(have, want, f->offset))
                        return false;
        }
        return true;
}

static int add_vadapter(struct iov_plan *plan, const struct iov_vadapter *have, const struct iov_vadapter *want) {
        if (have && same_vadapter(have, want))
                return 0;
        if (have) {
                struct iov_vadapter kept = *want;
                int r = keep_identities(have, &kept) ? own_vadapter(plan, &kept, &want) : 0;

                if (r < 0)
                        return r;
        }
        return add_step(plan, IOV_KIND_VADAPTER, have, want);
}

/* What is wanted and missing or different, of one kind. */
static int add_sets(struct iov_plan *plan, enum iov_kind kind) {
        CLEANUP_FREE const void **records = NULL;
        int n = iov_model_sorted(plan->want, kind, &records);

        for (int i = 0; i < n; i++) {
                const void *have = iov_model_get(plan->have, kind, records[i]);
                int r = 0;

                if (kind == IOV_KIND_VADAPTER)
                        r = add_vadapter(plan, have, records[i]);
                else if (!have || !iov_record_same_config(kind, have, records[i]))
                        r = add_step(plan, kind, have, records[i]);
                if (r < 0)
                        return r;
        }
        return n < 0 ? n : 0;
}

int iov_plan_new(struct iov_model *have, struct iov_model *want, unsigned int flags, struct iov_plan **ret_plan) {
        /* Dependents go before and come after what they stand on. */
        const enum iov_kind *kinds;
        size_t n_kinds = iov_config_kinds(&kinds);
        struct iov_plan *plan = calloc(1, sizeof(*plan));
        int r = 0;

        if (!plan)
                return -ENOMEM;
        plan->have = iov_model_ref(have);
        plan->want = iov_model_ref(want);
        for (size_t i = 0; r == 0 && i < n_kinds; i++)
                r = add_removals(plan, kinds[n_kinds - 1 - i], flags);
        for (size_t i = 0; r == 0 && i < n_kinds; i++)
                r = add_sets(plan, kinds[i]);
        if (r < 0) {
                iov_plan_unref(plan);
                return r;
        }
        *ret_plan = plan;
        return 0;
}

struct iov_plan *iov_plan_unref(struct iov_plan *plan) {
        if (!plan)
                return NULL;
        for (size_t i = 0; i < plan->n_own; i++)
                free(plan->own[i]);
        free(plan->own);
        free(plan->steps);
        iov_model_unref(plan->have);
        iov_model_unref(plan->want);
        free(plan);
        return NULL;
}

size_t iov_plan_count(const struct iov_plan *plan) {
        return plan->n_steps;
}

const struct iov_plan_step *iov_plan_get(const struct iov_plan *plan, size_t i) {
        return i < plan->n_steps ? &plan->steps[i] : NULL;
}
