/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "iove/transaction.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "iove/identity.h"
#include "iove/rules.h"
#include "iove/transaction-private.h"
#include "pages.h"
#include "util.h"

int iove_transaction_new(const struct iov_mb_txn_begin *begin, struct iove_transaction **ret_transaction) {
        struct iove_transaction *t = calloc(1, sizeof(*t));

        if (!t)
                return -ENOMEM;
        t->begin = *begin;
        *ret_transaction = t;
        return 0;
}

struct iove_transaction *iove_transaction_free(struct iove_transaction *t) {
        if (t) {
                free(t->operations);
                pages_free(t->records, t->records_mapped);
                free(t);
        }
        return NULL;
}

uint32_t iove_transaction_confirm_s(const struct iove_transaction *t) {
        return t->begin.confirm_s;
}

uint32_t iove_transaction_flags(const struct iove_transaction *t) {
        return t->begin.flags;
}

const char *iove_transaction_next(const struct iove_transaction *t, enum iov_kind kind, size_t *cursor) {
        while (*cursor < t->n_operations) {
                const struct operation *op = &t->operations[(*cursor)++];

                if (op->kind == kind)
                        return (const char *)t->records + op->offset;
        }
        return NULL;
}

/* Room for one more operation, with a record of that size. */
static int reserve(struct iove_transaction *t, size_t record_size) {
        void *records = t->records;
        int r = 0;

        if (t->n_operations == t->n_allocated) {
                size_t n = t->n_allocated ? t->n_allocated * 2 : 64;
                struct operation *operations = realloc(t->operations, n * sizeof(*operations));

                if (!operations)
                        return -ENOMEM;
                t->operations = operations;
                t->n_allocated = n;
        }
        if (t->records_mapped - t->records_size < record_size)
                r = pages_grow(&records, &t->records_mapped, t->records_size + record_size);
        t->records = records;
        return r;
}

static int append_one(struct iove_transaction *t, const struct iov_mb_op *op, const unsigned char *record,
                      struct iove_refusal *refusal) {
        uint32_t index = (uint32_t)t->n_operations, size = iov_records_get((enum iov_kind)op->kind)->size;
        const char *wrong;

        if (t->n_operations >= IOVE_OPERATIONS_MAX)
                return iove_refuse(refusal, IOV_RET_LIMIT, index, "a transaction has at most %u operations", IOVE_OPERATIONS_MAX);
        if (reserve(t, size) < 0)
                return -ENOMEM;
        if (op->verb != IOV_VERB_SET && op->verb != IOV_VERB_REMOVE && op->verb != IOV_VERB_RENAME)
                return iove_refuse(refusal, IOV_RET_INVALID_INPUT, index, "operation %u: unknown verb %u", index, op->verb);
        memcpy(t->records + t->records_size, record, op->size);
        memset(t->records + t->records_size + op->size, 0, size - op->size);
        /* A removal needs no more than a name that ends, a renaming two. */
        const unsigned char *copy = t->records + t->records_size;
        wrong = op->verb == IOV_VERB_SET         ? iove_record_check((enum iov_kind)op->kind, copy)
                : memchr(copy, 0, IOV_NAME_SIZE) ? NULL
                                                 : "the name does not end";
        if (!wrong && op->verb == IOV_VERB_RENAME)
                wrong = iov_member_info((enum iov_kind)op->kind) || op->kind == IOV_KIND_POOL ? "cannot be renamed"
                        : !memchr(copy + IOV_NAME_SIZE, 0, IOV_NAME_SIZE) ||
                                        !iov_name_is_valid((const char *)copy + IOV_NAME_SIZE)
                                ? "the new name is none"
                                : NULL;
        if (wrong)
                return iove_refuse(refusal, IOV_RET_INVALID_INPUT, index, "%s %.63s: %s",
                                   iov_records_get((enum iov_kind)op->kind)->name, (const char *)copy, wrong);
        t->operations[t->n_operations++] = (struct operation){op->verb, op->kind, t->records_size};
        t->records_size += size;
        return 0;
}

int iove_transaction_append(struct iove_transaction *t, const void *operations, size_t size, struct iove_refusal *refusal) {
        const unsigned char *p = operations, *end = p + size;

        while (p < end) {
                struct iov_mb_op op;
                uint32_t index = (uint32_t)t->n_operations;

                if ((size_t)(end - p) < sizeof(op))
                        return iove_refuse(refusal, IOV_RET_INVALID_INPUT, index, "operation %u: cut off", index);
                memcpy(&op, p, sizeof(op));
                p += sizeof(op);
                if (!iov_kind_is_config((enum iov_kind)op.kind))
                        return iove_refuse(refusal, IOV_RET_UNSUPPORTED, index,
                                           "operation %u: objects of kind %u cannot be changed", index, op.kind);
                if (op.size < IOV_NAME_SIZE || op.size > iov_records_get((enum iov_kind)op.kind)->size ||
                    (size_t)(end - p) < op.size)
                        return iove_refuse(refusal, IOV_RET_INVALID_INPUT, index,
                                           "operation %u: a %s has at most %u bytes, not %u", index,
                                           iov_records_get((enum iov_kind)op.kind)->name,
                                           iov_records_get((enum iov_kind)op.kind)->size, op.size);
                int r = append_one(t, &op, p, refusal);
                if (r < 0)
                        return r;
                p += op.size;
        }
        return 0;
}

/* ---- running ---- */

struct blamer {
        const struct iove_transaction *transaction;
        const struct iove_refusal *refusal;
};

/* It takes a walk through the transaction: not for reasons that nobody is told. */
static uint32_t blame_last(const void *userdata, enum iov_kind kind, const char *name) {
        const struct blamer *blamer = userdata;
        const struct iove_transaction *t = blamer->transaction;

        if (blamer->refusal->n >= IOV_MB_ERRORS_MAX)
                return UINT32_MAX;
        for (size_t i = t->n_operations; i-- > 0;)
                if (t->operations[i].kind == kind && strcmp((const char *)t->records + t->operations[i].offset, name) == 0)
                        return (uint32_t)i;
        return UINT32_MAX;
}

int iove_transaction_run(const struct iove_transaction *t, struct iov_model *have, const struct iove_limits *limits,
                         uint64_t *last_id, struct iov_model **ret_candidate, uint32_t *ret_changed,
                         struct iove_refusal *refusal) {
        const struct blamer blamer = {t, refusal};
        const struct iove_blame blame = {blame_last, &blamer};
        struct iov_model *candidate = NULL;
        uint64_t ids = *last_id, now_ns = limits->now_ns, generation = iov_model_get_generation(have);
        uint32_t changed = 0;

        refusal->n = 0;
        if (t->begin.generation != IOV_GENERATION_ANY && t->begin.generation != generation)
                return iove_refuse(refusal, IOV_RET_STALE, UINT32_MAX,
                                   "the appliance has moved on: planned for generation %" PRIu64 ", now at %" PRIu64
                                   ": plan again",
                                   t->begin.generation, generation);
        int r = iov_model_clone(have, &candidate);
        if (r < 0)
                return r;
        bool force = t->begin.flags & IOV_TXN_FORCE;
        r = iove_apply(t, have, candidate, &ids, now_ns, &changed, refusal);
        if (r == 0)
                r = iov_model_derive(candidate);
        if (r == 0 && t->begin.flags & IOV_TXN_SCRUB)
                r = iove_scrub(have, candidate, &ids);
        if (r == 0)
                r = iove_goes_on(iove_rules_check(candidate, limits, &blame, refusal));
        if (r == 0)
                r = iove_goes_on(iove_rules_check_change(have, candidate, t->begin.flags, &blame, refusal));
        if (r == 0)
                r = iove_goes_on(identities_settle(have, candidate, now_ns, force, &blame, refusal));
        if (r == 0)
                r = refusal->n ? -EBADMSG : iove_rules_derive(candidate);
        if (r < 0) {
                iov_model_unref(candidate);
                return r;
        }
        *last_id = ids;
        *ret_changed = changed;
        *ret_candidate = candidate;
        return 0;
}
