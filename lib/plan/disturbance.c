/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a plan does to servers that run. The appliance refuses by the same function what would take a device from a running server
 * unasked, so what a plan says here is what a transaction does.
 */
#include <errno.h>
#include <string.h>

#include "model.h"
#include "plan.h"
#include "util.h"

/* ---- one vAdapter ---- */

static bool same_medium(const struct iov_model *a, const struct iov_model *b, const struct iov_namespace *x,
                        const struct iov_namespace *y) {
        if (!x || !y)
                return x == y;
        const struct iov_volume *p = iov_model_get(a, IOV_KIND_VOLUME, x->volume),
                                *q = iov_model_get(b, IOV_KIND_VOLUME, y->volume);
        return p && q && p->id == q->id && p->size == q->size && x->read_only == y->read_only;
}

/* Namespaces come, go and grow under a server that runs, which is told. Nothing else has a device model yet. */
static bool same_media(const struct iov_model *a, const struct iov_model *b, const char *vadapter) {
        const uint32_t x = model_highest_number(a, IOV_KIND_NAMESPACE), y = model_highest_number(b, IOV_KIND_NAMESPACE);

        for (uint32_t nsid = 1; nsid <= x || nsid <= y; nsid++)
                if (!same_medium(a, b, iov_namespace_get(a, vadapter, nsid), iov_namespace_get(b, vadapter, nsid)))
                        return false;
        return true;
}

/* What an operating system reads once, when it finds the device. */
static bool same_persona(const struct iov_vadapter *x, const struct iov_vadapter *y) {
        return x->interrupts == y->interrupts && x->polling == y->polling && strcmp(x->adapter, y->adapter) == 0 &&
               strcmp(x->mac, y->mac) == 0 && strcmp(x->wwnn, y->wwnn) == 0 && strcmp(x->wwpn, y->wwpn) == 0 &&
               strcmp(x->serial, y->serial) == 0 && strcmp(x->nqn, y->nqn) == 0;
}

/* What changes under the operating system, which sees it in its traffic alone. */
static bool same_service(const struct iov_model *a, const struct iov_model *b, const struct iov_vadapter *x,
                         const struct iov_vadapter *y) {
        const struct iov_qos *q = iov_model_get(a, IOV_KIND_QOS, x->qos), *r = iov_model_get(b, IOV_KIND_QOS, y->qos);
        const struct iov_network *m = iov_model_get(a, IOV_KIND_NETWORK, x->network),
                                 *n = iov_model_get(b, IOV_KIND_NETWORK, y->network);

        return strcmp(x->qos, y->qos) == 0 && strcmp(x->network, y->network) == 0 && x->vlan == y->vlan &&
               x->vlan_mode == y->vlan_mode && x->memory == y->memory && !q == !r &&
               (!q || iov_record_same_config(IOV_KIND_QOS, q, r)) && !m == !n &&
               (!m || iov_record_same_config(IOV_KIND_NETWORK, m, n));
}

enum iov_disturbance iov_vadapter_disturbance(const struct iov_model *have, const struct iov_model *want, const char *vadapter) {
        const struct iov_vadapter *x = iov_model_get(have, IOV_KIND_VADAPTER, vadapter),
                                  *y = iov_model_get(want, IOV_KIND_VADAPTER, vadapter);

        if (!x || !*x->at_server)
                return IOV_DISTURB_NONE;
        if (!y || strcmp(x->at_server, y->at_server) != 0)
                return IOV_DISTURB_UNPLUG;
        if (x->id != y->id || x->at_slot != y->at_slot || !same_persona(x, y))
                return IOV_DISTURB_REPLUG;
        return same_service(have, want, x, y) && same_media(have, want, vadapter) ? IOV_DISTURB_NONE : IOV_DISTURB_LIVE;
}

const char *iov_disturbance_to_string(enum iov_disturbance disturbance) {
        static const char *const words[] = {"none", "live", "replug", "unplug"};

        return (unsigned int)disturbance < ARRAY_LENGTH(words) ? words[disturbance] : NULL;
}

/* ---- what the appliance will be ---- */

/* What it says of an object stays, above all its id. */
static void carry_status(enum iov_kind kind, void *record, const void *have) {
        const struct iov_record_info *info = iov_records_get(kind);

        for (unsigned int i = 0; i < info->n_fields; i++)
                if (info->fields[i].role == IOV_ROLE_STATUS)
                        memcpy((char *)record + info->fields[i].offset, (const char *)have + info->fields[i].offset,
                               (size_t)info->fields[i].size * info->fields[i].count);
}

static int take_step(struct iov_model *candidate, const struct iov_plan_step *step) {
        unsigned char record[IOV_VADAPTER_RECORD_SIZE] __attribute__((aligned(8))); /* the largest */

        if (!step->want)
                return iov_model_remove(candidate, step->kind, step->have);
        memcpy(record, step->want, iov_records_get(step->kind)->size);
        if (step->have)
                carry_status(step->kind, record, step->have);
        return iov_model_set(candidate, step->kind, record);
}

static int make_candidate(const struct iov_plan *plan, struct iov_model **ret_candidate) {
        struct iov_model *candidate = NULL;
        int r = iov_model_clone(plan->have, &candidate);

        for (size_t i = 0; r == 0 && i < plan->n_steps; i++)
                r = take_step(candidate, &plan->steps[i]);
        if (r == 0)
                r = iov_model_derive(candidate);
        if (r < 0) {
                iov_model_unref(candidate);
                return r;
        }
        *ret_candidate = candidate;
        return 0;
}

/* ---- whose step it is ---- */

/* A vAdapter in use, under the name of something that it stands on. */
struct use {
        enum iov_kind kind;
        const char *name;
        const struct iov_vadapter *vadapter;
};
struct uses {
        struct use *use;
        size_t n, allocated;
};

static int compare_uses(const void *a, const void *b) {
        const struct use *x = a, *y = b;
        int r = x->kind < y->kind ? -1 : x->kind > y->kind;

        if (r == 0)
                r = strcmp(x->name, y->name);
        return r ? r : x->vadapter && y->vadapter ? strcmp(x->vadapter->name, y->vadapter->name) : 0;
}

static int add_use(struct uses *uses, enum iov_kind kind, const char *name, const struct iov_vadapter *vadapter) {
        if (!*name)
                return 0;
        if (uses->n == uses->allocated) {
                size_t n = uses->allocated ? uses->allocated * 2 : 64;
                struct use *use = realloc(uses->use, n * sizeof(*use));

                if (!use)
                        return -ENOMEM;
                uses->use = use;
                uses->allocated = n;
        }
        uses->use[uses->n++] = (struct use){kind, name, vadapter};
        return 0;
}

/* Those that a server drives now; nobody else can be disturbed. */
static int collect_uses(const struct iov_model *have, struct uses *uses) {
        const struct iov_vadapter *v;
        const struct iov_namespace *ns;
        int r = 0;

        iov_model_foreach (have, IOV_KIND_VADAPTER, v) {
                if (v->state != IOV_VADAPTER_CONNECTED)
                        continue;
                if ((r = add_use(uses, IOV_KIND_VADAPTER, v->name, v)) < 0 ||
                    (r = add_use(uses, IOV_KIND_SERVER, v->at_server, v)) < 0 ||
                    (r = add_use(uses, IOV_KIND_QOS, v->qos, v)) < 0 || (r = add_use(uses, IOV_KIND_NETWORK, v->network, v)) < 0)
                        return r;
        }
        if (uses->n)
                iov_model_foreach (have, IOV_KIND_NAMESPACE, ns) {
                        v = iov_model_get(have, IOV_KIND_VADAPTER, ns->vadapter);
                        if (v && v->state == IOV_VADAPTER_CONNECTED && (r = add_use(uses, IOV_KIND_VOLUME, ns->volume, v)) < 0)
                                return r;
                }
        if (uses->n)
                qsort(uses->use, uses->n, sizeof(*uses->use), compare_uses);
        return 0;
}

/* Index of the first of a kind and name, or of what would come behind it. */
static size_t first_use(const struct uses *uses, const struct use *key) {
        size_t low = 0, high = uses->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (compare_uses(&uses->use[middle], key) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        while (low > 0 && uses->use[low - 1].kind == key->kind && strcmp(uses->use[low - 1].name, key->name) == 0)
                low--;
        return low;
}

/* The most that a step of that kind does by itself: what else befalls the vAdapter is other steps' doing. */
static enum iov_disturbance step_reach(const struct iov_plan_step *step) {
        const struct iov_vadapter *x = step->have, *y = step->want;
        const struct iov_volume *v = step->have, *w = step->want;

        switch (step->kind) {
        case IOV_KIND_QOS:
        case IOV_KIND_NETWORK:
                return IOV_DISTURB_LIVE;
        case IOV_KIND_VADAPTER:
                if (x && y && same_persona(x, y) && strcmp(x->server, y->server) == 0 && x->slot == y->slot)
                        return IOV_DISTURB_LIVE;
                return IOV_DISTURB_UNPLUG;
        case IOV_KIND_VOLUME:
                return v && w && v->size == w->size && strcmp(v->adapter, w->adapter) == 0 ? IOV_DISTURB_NONE : IOV_DISTURB_LIVE;
        case IOV_KIND_NAMESPACE:
                return IOV_DISTURB_LIVE;
        case IOV_KIND_PROFILE_SLOT:
                return IOV_DISTURB_UNPLUG;
        case IOV_KIND_SERVER:
                return step->have && step->want &&
                                       strcmp(((const struct iov_server *)step->have)->profile,
                                              ((const struct iov_server *)step->want)->profile) == 0
                               ? IOV_DISTURB_NONE
                               : IOV_DISTURB_UNPLUG;
        default:
                return IOV_DISTURB_NONE;
        }
}

/* ---- the list ---- */

struct list {
        const struct iov_plan *plan;
        const struct iov_model *candidate;
        struct uses uses;
        struct iov_disturbed *disturbed;
        size_t n, allocated;
};

static int add_disturbed(struct list *list, size_t step, enum iov_disturbance reach, const struct iov_vadapter *v) {
        enum iov_disturbance d = iov_vadapter_disturbance(list->plan->have, list->candidate, v->name);

        /* More than this step can do: another one's doing, which is listed with that. */
        if (d == IOV_DISTURB_NONE || d > reach)
                return 0;
        if (list->n == list->allocated) {
                size_t n = list->allocated ? list->allocated * 2 : 16;
                struct iov_disturbed *disturbed = realloc(list->disturbed, n * sizeof(*disturbed));

                if (!disturbed)
                        return -ENOMEM;
                list->disturbed = disturbed;
                list->allocated = n;
        }
        list->disturbed[list->n++] = (struct iov_disturbed){step, d, v};
        return 0;
}

static int add_users(struct list *list, size_t step, enum iov_disturbance reach, enum iov_kind kind, const char *name) {
        const struct use key = {kind, name, NULL};
        int r = 0;

        for (size_t i = first_use(&list->uses, &key); r == 0 && i < list->uses.n; i++) {
                const struct use *use = &list->uses.use[i];

                if (use->kind != kind || strcmp(use->name, name) != 0)
                        break;
                /* A server's change of profile is nothing to what is attached to it by itself. */
                if (kind == IOV_KIND_SERVER && list->plan->steps[step].want && !*use->vadapter->profile)
                        continue;
                r = add_disturbed(list, step, reach, use->vadapter);
        }
        return r;
}

static int look_at_step(struct list *list, size_t i) {
        const struct iov_plan_step *step = &list->plan->steps[i];
        enum iov_disturbance reach = step_reach(step);
        const struct iov_member *x = step->have, *y = step->want;

        if (reach == IOV_DISTURB_NONE)
                return 0;
        if (step->kind == IOV_KIND_NAMESPACE)
                return add_users(list, i, reach, IOV_KIND_VADAPTER, x ? x->parent : y->parent);
        if (step->kind == IOV_KIND_PROFILE_SLOT) {
                int r = x ? add_users(list, i, reach, IOV_KIND_VADAPTER, x->target) : 0;

                return r < 0 || !y || (x && strcmp(x->target, y->target) == 0)
                               ? r
                               : add_users(list, i, reach, IOV_KIND_VADAPTER, y->target);
        }
        return step->have ? add_users(list, i, reach, step->kind, step->have) : 0;
}

int iov_plan_disturbed(const struct iov_plan *plan, struct iov_disturbed **ret_disturbed, size_t *ret_n) {
        struct list list = {.plan = plan};
        struct iov_model *candidate = NULL;
        int r = collect_uses(plan->have, &list.uses);

        /* The rest is needed only where a server runs. */
        if (r == 0 && list.uses.n)
                r = make_candidate(plan, &candidate);
        list.candidate = candidate;
        for (size_t i = 0; r == 0 && list.uses.n && i < plan->n_steps; i++)
                r = look_at_step(&list, i);
        iov_model_unref(candidate);
        free(list.uses.use);
        if (r < 0) {
                free(list.disturbed);
                return r;
        }
        *ret_disturbed = list.disturbed;
        *ret_n = list.n;
        return 0;
}
