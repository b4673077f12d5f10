/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ledger: what was released by whom and when, and what of it rests. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "iove/identity-private.h"
#include "iove/same.h"
#include "util.h"

static uint64_t last_number(const struct iov_model *m) {
        const struct iov_identity *past;
        uint64_t last = 0;

        iov_model_foreach (m, IOV_KIND_IDENTITY, past) {
                uint64_t n = strtoull(past->name, NULL, 10);

                if (n > last)
                        last = n;
        }
        return last;
}

/* Entries beyond the age, and where the table is full the oldest. */
static int forget_old(struct iov_model *m, uint64_t now_ns, size_t room) {
        CLEANUP_FREE const void **records = NULL;
        int n = iov_model_sorted(m, IOV_KIND_IDENTITY, &records), r = 0;

        for (int i = 0; r >= 0 && i < n; i++) {
                const struct iov_identity *past = records[i];
                uint64_t rest_ns = identity_rest_ns(m, past->type);
                uint64_t age_ns = rest_ns > IDENTITY_AGE_NS ? rest_ns : IDENTITY_AGE_NS;

                if (past->to_ns + age_ns > now_ns && iov_model_count(m, IOV_KIND_IDENTITY) + room <= IOV_IDENTITY_MAX)
                        break;
                char name[IOV_NAME_SIZE];
                memcpy(name, past->name, sizeof(name));
                r = iov_model_remove(m, IOV_KIND_IDENTITY, name);
        }
        return n < 0 ? n : r;
}

/* What a vAdapter had and has no longer; vAdapters are told apart by their ids, for a name may be given again. */
static bool was_released(const struct iov_vadapter *old, const struct iov_vadapter *now, enum iov_identity_type type) {
        return *identity_of(old, type) && (!now || strcmp(identity_of(old, type), identity_of(now, type)) != 0);
}

static int release(struct iov_identity **released, size_t *n, size_t *n_allocated, const struct iov_vadapter *old,
                   enum iov_identity_type type, uint64_t now_ns, uint64_t number) {
        struct iov_identity past = {.type = type, .from_ns = old->since_ns, .to_ns = now_ns};

        if (*n == *n_allocated) {
                size_t more = *n_allocated ? *n_allocated * 2 : 16;
                struct iov_identity *p = realloc(*released, more * sizeof(*p));

                if (!p)
                        return -ENOMEM;
                *released = p;
                *n_allocated = more;
        }
        snprintf(past.name, sizeof(past.name), "%" PRIu64, number);
        field_set(past.value, sizeof(past.value), identity_of(old, type));
        field_set(past.holder, sizeof(past.holder), old->name);
        (*released)[(*n)++] = past;
        return 0;
}

static void check_rest_of(const struct identities *resting, const struct iov_vadapter *old, const struct iov_vadapter *v,
                          uint64_t released_before[IOV_IDENTITY_COUNT], const struct iove_blame *blame,
                          struct iove_refusal *refusal) {
        for (unsigned int t = 0; t < IOV_IDENTITY_COUNT; t++) {
                const char *value = identity_of(v, (enum iov_identity_type)t);
                const struct iov_identity *past = *value ? identities_past(resting, value) : NULL;

                if (!past || past->type != t || strcmp(v->name, past->holder) == 0 ||
                    (old && strcmp(identity_of(old, (enum iov_identity_type)t), value) == 0))
                        continue;
                iove_refuse_also(refusal, IOV_RET_EXISTS, iove_blamed(blame, IOV_KIND_VADAPTER, v->name),
                                 "vadapter %s: %s %s was %s's until lately, and rests for another %" PRIu64
                                 " s: choose another, wait, or force it",
                                 v->name, iov_identity_type_to_string(t), value, past->holder,
                                 (past->to_ns - released_before[t]) / UINT64_C(1000000000) + 1);
        }
}

/* New holders: nobody else may have had it until lately. */
static int check_rest(const struct iov_model *have, const struct iov_model *candidate, uint64_t now_ns,
                      const struct iove_blame *blame, struct iove_refusal *refusal) {
        uint64_t released_before[IOV_IDENTITY_COUNT]; /* what was released then has rested */
        struct identities *resting = NULL;
        const struct iov_vadapter *v;
        int r = identities_new_resting(have, candidate, now_ns, &resting);

        if (r < 0)
                return r;
        for (unsigned int t = 0; t < IOV_IDENTITY_COUNT; t++)
                released_before[t] = now_ns - identity_rest_ns(candidate, t);
        if (!identities_is_empty(resting)) {
                r = identities_note_all(resting, have);
                iov_model_foreach (candidate, IOV_KIND_VADAPTER, v)
                        if (r == 0)
                                check_rest_of(resting, iov_model_get(have, IOV_KIND_VADAPTER, v->name), v, released_before, blame,
                                              refusal);
        }
        identities_free(resting);
        return r < 0 ? r : refusal->n ? -EBADMSG : 0;
}

int identities_settle(const struct iov_model *have, struct iov_model *candidate, uint64_t now_ns, bool force,
                      const struct iove_blame *blame, struct iove_refusal *refusal) {
        uint64_t number = last_number(have);
        struct same same = {.model = candidate};
        struct iov_identity *released = NULL;
        const struct iov_vadapter *v;
        size_t n = 0, n_allocated = 0;
        int r = force ? 0 : check_rest(have, candidate, now_ns, blame, refusal);

        if (r < 0)
                return r;
        iov_model_foreach (have, IOV_KIND_VADAPTER, v) {
                const struct iov_vadapter *now = NULL;

                if (r == 0)
                        r = same_vadapter(&same, v, &now);
                for (unsigned int t = 0; r == 0 && t < IOV_IDENTITY_COUNT; t++)
                        if (was_released(v, now, (enum iov_identity_type)t))
                                r = release(&released, &n, &n_allocated, v, (enum iov_identity_type)t, now_ns, ++number);
        }
        same_free(&same);
        if (r == 0)
                r = forget_old(candidate, now_ns, n);
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = iov_model_set(candidate, IOV_KIND_IDENTITY, &released[i]);
        free(released);
        return r == -E2BIG ? 0 : r;
}
