/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "iove/take-back.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "iove/identity.h"
#include "util.h"

/* Remove what `then` has not. Removing while walking a table is not foreseen, so the names are taken from `have`. */
static int remove_new(const struct iov_model *have, const struct iov_model *then, struct iov_model *candidate, enum iov_kind kind,
                      uint32_t *changed) {
        const void *record;

        iov_model_foreach (have, kind, record) {
                if (iov_model_get(then, kind, record))
                        continue;
                int r = iov_model_remove(candidate, kind, record);
                if (r < 0)
                        return r;
                ++*changed;
        }
        return 0;
}

/* What the saved record says of servers was true when it was saved. */
static void forget_status(enum iov_kind kind, void *record) {
        if (kind == IOV_KIND_VADAPTER) {
                struct iov_vadapter *v = record;

                v->state = IOV_VADAPTER_DETACHED;
                v->peer_pid = 0;
                memset(v->socket, 0, sizeof(v->socket));
        } else if (kind == IOV_KIND_SERVER) {
                struct iov_server *s = record;

                s->state = IOV_SERVER_OFF;
                s->worker_pid = s->worker_restarts = 0;
        }
}

/* Whether it is the same object: that of a name may be another, of another id. */
static bool is_same(enum iov_kind kind, const void *a, const void *b) {
        if (kind == IOV_KIND_VOLUME && ((const struct iov_volume *)a)->id != ((const struct iov_volume *)b)->id)
                return false;
        if (kind == IOV_KIND_VADAPTER && ((const struct iov_vadapter *)a)->id != ((const struct iov_vadapter *)b)->id)
                return false;
        return iov_record_same_config(kind, a, b);
}

static int set_old(const struct iov_model *have, const struct iov_model *then, struct iov_model *candidate, enum iov_kind kind,
                   uint32_t *changed) {
        uint64_t copy[IOV_VADAPTER_RECORD_SIZE / sizeof(uint64_t)]; /* aligned for any record, room for the largest */
        const void *record;

        iov_model_foreach (then, kind, record) {
                const void *now = iov_model_get(have, kind, record);

                if (now && is_same(kind, now, record))
                        continue;
                memcpy(copy, record, iov_records_get(kind)->size);
                forget_status(kind, copy);
                int r = iov_model_set(candidate, kind, copy);
                if (r < 0)
                        return r;
                ++*changed;
        }
        return 0;
}

static int merge(const struct iov_model *have, const struct iov_model *then, struct iov_model *candidate, uint32_t *changed) {
        const enum iov_kind *kinds;
        size_t n = iov_config_kinds(&kinds);
        int r = 0;

        for (size_t k = n; r == 0 && k-- > 0;)
                r = remove_new(have, then, candidate, kinds[k], changed);
        for (size_t k = 0; r == 0 && k < n; k++)
                r = set_old(have, then, candidate, kinds[k], changed);
        return r;
}

int iove_take_back(const struct iov_model *have, const struct iov_model *then, const struct iove_limits *limits,
                   struct iov_model **ret_candidate, uint32_t *ret_changed, struct iove_refusal *refusal) {
        struct iov_model *candidate = NULL;
        uint32_t changed = 0;
        int r = iov_model_clone(have, &candidate);

        refusal->n = 0;

        if (r < 0)
                return r;
        r = merge(have, then, candidate, &changed);
        if (r == 0)
                r = iov_model_derive(candidate);
        if (r == 0)
                r = iove_rules_check(candidate, limits, NULL, refusal);
        if (r == 0)
                r = identities_settle(have, candidate, limits->now_ns, true, NULL, refusal);
        if (r == 0)
                r = iove_rules_derive(candidate);
        if (r < 0) {
                iov_model_unref(candidate);
                return r;
        }
        *ret_changed = changed;
        *ret_candidate = candidate;
        return 0;
}
