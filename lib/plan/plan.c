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
                /* A vAdapter that is wanted is wanted with the namespaces that its list gives, and no others. */
                if (kind == IOV_KIND_NAMESPACE)
                        remove |= iov_model_get(plan->want, IOV_KIND_VADAPTER,
                                                ((const struct iov_namespace *)records[i])->vadapter) != NULL;
                int r = remove ? add_step(plan, kind, records[i], NULL) : 0;
                if (r < 0)
                        return r;
        }
        return n < 0 ? n : 0;
}

/* The part of a vAdapter that means something: the slot does only where there is a server. */
static struct iov_vadapter comparable(const struct iov_vadapter *vadapter) {
        struct iov_vadapter copy = *vadapter;

        if (!*copy.server)
                copy.slot = 0;
        return copy;
}

/*
 * Make `want` keep the serial that `have` was given, where any will do: a step that changes something else must not make the
 * appliance choose a new identity.
 */
static int keep_serial(struct iov_plan *plan, const struct iov_vadapter *have, const struct iov_vadapter **want) {
        if (*(*want)->serial || !*have->serial)
                return 0;
        struct iov_vadapter **own = realloc(plan->own, (plan->n_own + 1) * sizeof(struct iov_vadapter *));
        if (!own)
                return -ENOMEM;
        plan->own = own;
        own[plan->n_own] = malloc(sizeof(struct iov_vadapter));
        if (!own[plan->n_own])
                return -ENOMEM;
        *own[plan->n_own] = **want;
        memcpy(own[plan->n_own]->serial, have->serial, sizeof(have->serial));
        *want = own[plan->n_own++];
        return 0;
}

static int add_vadapter(struct iov_plan *plan, const struct iov_vadapter *have, const struct iov_vadapter *want) {
        if (have) {
                struct iov_vadapter a = comparable(have), b = comparable(want);

                if (!*b.serial)
                        memcpy(b.serial, a.serial, sizeof(b.serial));
                if (iov_record_same_config(IOV_KIND_VADAPTER, &a, &b))
                        return 0;
                int r = keep_serial(plan, have, &want);
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
        static const enum iov_kind removals[] = {IOV_KIND_NAMESPACE, IOV_KIND_VADAPTER, IOV_KIND_VOLUME, IOV_KIND_SERVER};
        static const enum iov_kind sets[] = {IOV_KIND_SERVER, IOV_KIND_VOLUME, IOV_KIND_VADAPTER, IOV_KIND_NAMESPACE};
        struct iov_plan *plan = calloc(1, sizeof(*plan));
        int r = 0;

        if (!plan)
                return -ENOMEM;
        plan->have = iov_model_ref(have);
        plan->want = iov_model_ref(want);
        for (size_t i = 0; r == 0 && i < ARRAY_LENGTH(removals); i++)
                r = add_removals(plan, removals[i], flags);
        for (size_t i = 0; r == 0 && i < ARRAY_LENGTH(sets); i++)
                r = add_sets(plan, sets[i]);
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
