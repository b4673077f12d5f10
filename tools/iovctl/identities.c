/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ledger of identities: who has each, and who had it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/common/objects.h"
#include "tools/common/report.h"
#include "tools/common/session.h"
#include "tools/iovctl/iovctl.h"
#include "tools/iovctl/list.h"
#include "util.h"

#define REST_DEFAULT 3600 /* seconds, where there is no pool: as the appliance has it */

const struct column identity_columns[] = {
        {"identity", 0, "the MAC, WWN, serial number or NQN"},
        {"type", 0, "mac, wwnn, wwpn, serial or nqn"},
        {"state", 0, "held; resting: released, and nobody else gets it yet; free"},
        {"holder", 0, "the vAdapter that has it, or had it"},
        {"origin", 0, "chosen by the appliance, or given by an operator"},
        {"since", 0, "when it was given to the holder, UTC"},
        {"until", COLUMN_WIDE, "when it was released, UTC"},
        {"rests_until", COLUMN_WIDE, "until when it is given to nobody else, UTC"},
        {0},
};

static const char *identity_of(const struct iov_vadapter *v, unsigned int type) {
        const char *fields[IOV_IDENTITY_COUNT] = {[IOV_IDENTITY_MAC] = v->mac,
                                                  [IOV_IDENTITY_WWNN] = v->wwnn,
                                                  [IOV_IDENTITY_WWPN] = v->wwpn,
                                                  [IOV_IDENTITY_SERIAL] = v->serial,
                                                  [IOV_IDENTITY_NQN] = v->nqn};

        return fields[type];
}

static uint64_t rest_ns(const struct iov_model *m, uint32_t type) {
        const char *name = iov_identity_type_to_string(type);
        const struct iov_pool *pool = name ? iov_model_get(m, IOV_KIND_POOL, name) : NULL;

        return (pool ? pool->rest : REST_DEFAULT) * UINT64_C(1000000000);
}

static void held_row(struct table *t, const struct iov_vadapter *v, unsigned int type) {
        table_row(t);
        put_text(t, identity_of(v, type));
        put_text(t, iov_identity_type_to_string(type));
        put_text(t, "held");
        put_text(t, v->name);
        put_text(t, v->chosen & 1u << type ? "chosen" : "given");
        put_time(t, v->since_ns);
        put_null(t);
        put_null(t);
}

static void past_row(struct table *t, const struct iov_model *m, const struct iov_identity *past, uint64_t now_ns) {
        uint64_t until = past->to_ns + rest_ns(m, past->type);

        table_row(t);
        put_text(t, past->value);
        put_text(t, iov_identity_type_to_string(past->type));
        put_text(t, until > now_ns ? "resting" : "free");
        put_text(t, past->holder);
        put_null(t);
        put_time(t, past->from_ns);
        put_time(t, past->to_ns);
        if (until > now_ns)
                put_time(t, until);
        else
                put_null(t);
}

/* What is held, in order, so that a look-up does not read all of ten thousand vAdapters. */
struct held {
        struct {
                const char **values;
                size_t n;
        } of[IOV_IDENTITY_COUNT];
};

static void held_free(struct held *held) {
        for (unsigned int type = 0; type < IOV_IDENTITY_COUNT; type++)
                free(held->of[type].values);
}
#define CLEANUP_HELD __attribute__((cleanup(held_free)))

static int compare_values(const void *a, const void *b) {
        return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void held_collect(const struct iov_model *m, struct held *held) {
        const struct iov_vadapter *v;

        for (unsigned int type = 0; type < IOV_IDENTITY_COUNT; type++) {
                held->of[type].values = xcalloc(iov_model_count(m, IOV_KIND_VADAPTER) + 1, sizeof(char *));
                iov_model_foreach (m, IOV_KIND_VADAPTER, v)
                        if (*identity_of(v, type))
                                held->of[type].values[held->of[type].n++] = identity_of(v, type);
                qsort(held->of[type].values, held->of[type].n, sizeof(char *), compare_values);
        }
}

/* Past holders of an identity that somebody has are its history, and not in the list. */
static bool is_held(const struct held *held, const struct iov_identity *past) {
        const char *value = past->value;

        return past->type < IOV_IDENTITY_COUNT &&
               bsearch(&value, held->of[past->type].values, held->of[past->type].n, sizeof(char *), compare_values);
}

static uint64_t now(void) {
        struct timespec ts;

        clock_gettime(CLOCK_REALTIME, &ts);
        return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

/* All, or with `value` one with its history, the present first. */
static struct table *identities_table(const struct iov_model *m, const char *value) {
        struct table *t = table_new("identities", identity_columns);
        CLEANUP_FREE const void **vadapters = NULL, **past = NULL;
        CLEANUP_HELD struct held held = {0};
        uint64_t now_ns = now();
        int n = iov_model_sorted(m, IOV_KIND_VADAPTER, &vadapters);

        for (int i = 0; i < n; i++)
                for (unsigned int type = 0; type < IOV_IDENTITY_COUNT; type++) {
                        const char *has = identity_of(vadapters[i], type);

                        if (*has && (!value || strcmp(has, value) == 0))
                                held_row(t, vadapters[i], type);
                }
        if (!value)
                held_collect(m, &held);
        n = iov_model_sorted(m, IOV_KIND_IDENTITY, &past);
        for (int i = n; i-- > 0;) {
                const struct iov_identity *p = past[i];

                if (value ? strcmp(p->value, value) == 0 : !is_held(&held, p))
                        past_row(t, m, p, now_ns);
        }
        return t;
}

static int list_identities(struct tool *tool, struct iov_appliance *a, struct table **ret_table) {
        CLEANUP_MODEL struct iov_model *model = NULL;
        int r = iov_model_load(a, &model);

        if (r < 0)
                return r;
        *ret_table = identities_table(model, NULL);
        return 0;
}

int identity_list(struct tool *tool, char **words, unsigned int n_words) {
        return list_run(tool, list_identities);
}

int identity_show(struct tool *tool, char **words, unsigned int n_words) {
        CLEANUP_MODEL struct iov_model *model = NULL;
        int status = session_load(tool, &model);

        if (status != STATUS_DONE)
                return status;
        CLEANUP_TABLE struct table *t = identities_table(model, words[0]);
        if (table_n_rows(t) == 0)
                return report_error(tool, STATUS_FAILED, "%s: nobody has or had it; 'iovctl identity list' shows what there is",
                                    words[0]);
        return output_table(tool, t, false);
}
