/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "iove/transaction.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "iove/rules.h"
#include "util.h"

struct operation {
        uint16_t verb, kind;
        size_t offset; /* of the record in `records` */
};

struct iove_transaction {
        struct iov_mb_txn_begin begin;
        struct operation *operations;
        size_t n_operations, n_allocated;
        unsigned char *records;
        size_t records_size, records_allocated;
};

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
                free(t->records);
                free(t);
        }
        return NULL;
}

uint32_t iove_transaction_flags(const struct iove_transaction *t) {
        return t->begin.flags;
}

static int reserve(void **array, size_t *allocated, size_t wanted, size_t element) {
        size_t n = *allocated ? *allocated : 64;

        if (wanted <= *allocated)
                return 0;
        while (n < wanted)
                n *= 2;
        void *p = realloc(*array, n * element);
        if (!p)
                return -ENOMEM;
        *array = p;
        *allocated = n;
        return 0;
}

static int append_one(struct iove_transaction *t, const struct iov_mb_op *op, const unsigned char *record,
                      struct iove_refusal *refusal) {
        uint32_t index = (uint32_t)t->n_operations;
        const char *wrong;

        if (t->n_operations >= IOVE_OPERATIONS_MAX)
                return iove_refuse(refusal, IOV_RET_LIMIT, index, "a transaction has at most %u operations", IOVE_OPERATIONS_MAX);
        if (reserve((void **)&t->operations, &t->n_allocated, t->n_operations + 1, sizeof(*t->operations)) < 0 ||
            reserve((void **)&t->records, &t->records_allocated, t->records_size + op->size, 1) < 0)
                return -ENOMEM;
        if (op->verb != IOV_VERB_SET && op->verb != IOV_VERB_REMOVE)
                return iove_refuse(refusal, IOV_RET_INVALID_INPUT, index, "operation %u: unknown verb %u", index, op->verb);
        memcpy(t->records + t->records_size, record, op->size);
        /* A removal needs no more than a name that ends. */
        const unsigned char *copy = t->records + t->records_size;
        wrong = op->verb == IOV_VERB_SET         ? iove_record_check((enum iov_kind)op->kind, copy)
                : memchr(copy, 0, IOV_NAME_SIZE) ? NULL
                                                 : "the name does not end";
        if (wrong)
                return iove_refuse(refusal, IOV_RET_INVALID_INPUT, index, "%s %.63s: %s",
                                   iov_records_get((enum iov_kind)op->kind)->name, (const char *)copy, wrong);
        t->operations[t->n_operations++] = (struct operation){op->verb, op->kind, t->records_size};
        t->records_size += op->size;
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
                if (op.kind != IOV_KIND_SERVER && op.kind != IOV_KIND_VOLUME && op.kind != IOV_KIND_VADAPTER &&
                    op.kind != IOV_KIND_NAMESPACE)
                        return iove_refuse(refusal, IOV_RET_UNSUPPORTED, index,
                                           "operation %u: objects of kind %u cannot be changed", index, op.kind);
                if (op.size != iov_records_get((enum iov_kind)op.kind)->size || (size_t)(end - p) < op.size)
                        return iove_refuse(refusal, IOV_RET_INVALID_INPUT, index, "operation %u: a %s has %u bytes, not %u",
                                           index, iov_records_get((enum iov_kind)op.kind)->name,
                                           iov_records_get((enum iov_kind)op.kind)->size, op.size);
                int r = append_one(t, &op, p, refusal);
                if (r < 0)
                        return r;
                p += op.size;
        }
        return 0;
}

/* ---- applying ---- */

static uint32_t blame_last(const void *userdata, enum iov_kind kind, const char *name) {
        const struct iove_transaction *t = userdata;

        for (size_t i = t->n_operations; i-- > 0;)
                if (t->operations[i].kind == kind && strcmp((const char *)t->records + t->operations[i].offset, name) == 0)
                        return (uint32_t)i;
        return UINT32_MAX;
}

/* Status fields are the appliance's: what a request carries there is replaced by what is known, or by nothing. */
static void keep_status(enum iov_kind kind, void *record, const void *old) {
        const struct iov_record_info *info = iov_records_get(kind);

        for (unsigned int i = 0; i < info->n_fields; i++) {
                const struct iov_rfield_info *f = &info->fields[i];
                size_t n = (size_t)f->size * f->count;

                if (f->role == IOV_ROLE_RESERVED || (f->role == IOV_ROLE_STATUS && !old))
                        memset((char *)record + f->offset, 0, n);
                else if (f->role == IOV_ROLE_STATUS)
                        memcpy((char *)record + f->offset, (const char *)old + f->offset, n);
        }
}

/* Strings are compared byte by byte from here on, so what stands behind the NUL must be zero. */
static void pad_strings(enum iov_kind kind, void *record) {
        const struct iov_record_info *info = iov_records_get(kind);

        for (unsigned int i = 0; i < info->n_fields; i++)
                if (info->fields[i].type == IOV_TYPE_chars) {
                        char *s = (char *)record + info->fields[i].offset;
                        size_t n = strnlen(s, info->fields[i].count);

                        memset(s + n, 0, info->fields[i].count - n);
                }
}

/* A serial for `auto`: from the vAdapter's id, which is never used twice; where somebody chose the same one, another follows. */
static void auto_serial(const struct iov_model *m, struct iov_vadapter *v) {
        for (unsigned int attempt = 0; attempt <= 26; attempt++) {
                const struct iov_vadapter *other;
                bool taken = false;

                memset(v->serial, 0, sizeof(v->serial));
                snprintf(v->serial, IOV_SERIAL_MAX + 1, "IOV%012" PRIX64 "%c%c", v->id, attempt ? '-' : 0,
                         attempt ? 'A' + (int)(attempt % 26) : 0);
                iov_model_foreach (m, IOV_KIND_VADAPTER, other)
                        taken |= strcmp(other->name, v->name) != 0 && strcmp(other->serial, v->serial) == 0;
                if (!taken)
                        return;
        }
}

/* The multiplier and increment are those of drand48(3): odd increment, multiplier 1 modulo 4, hence every number once. */
static uint64_t id_next(uint64_t *last_id) {
        do
                *last_id = (*last_id * UINT64_C(0x5deece66d) + 0xb) & IOVE_ID_MASK;
        while (*last_id == 0); /* stands for none */
        return *last_id;
}

static int apply_set(struct iov_model *m, enum iov_kind kind, const void *wanted, uint64_t *last_id, bool *ret_changed) {
        union {
                struct iov_server server;
                struct iov_volume volume;
                struct iov_vadapter vadapter;
                struct iov_namespace namespace;
        } r;
        const void *old = iov_model_get(m, kind, wanted);

        memcpy(&r, wanted, iov_records_get(kind)->size);
        keep_status(kind, &r, old);
        pad_strings(kind, &r);
        if (kind == IOV_KIND_VOLUME && !old)
                r.volume.id = id_next(last_id);
        if (kind == IOV_KIND_VADAPTER) {
                if (!old)
                        r.vadapter.id = id_next(last_id);
                if (!*r.vadapter.server)
                        r.vadapter.slot = 0;
                if (!*r.vadapter.serial && old)
                        memcpy(r.vadapter.serial, ((const struct iov_vadapter *)old)->serial, sizeof(r.vadapter.serial));
                else if (!*r.vadapter.serial)
                        auto_serial(m, &r.vadapter);
        }
        *ret_changed = !old || !iov_record_same_config(kind, old, &r);
        return *ret_changed ? iov_model_set(m, kind, &r) : 0;
}

/* A vAdapter takes its namespaces along. */
static int apply_remove(struct iov_model *m, enum iov_kind kind, const char *name) {
        char copy[IOV_NAME_SIZE];

        memcpy(copy, name, sizeof(copy));
        if (kind == IOV_KIND_VADAPTER)
                for (uint32_t nsid = 1; nsid <= IOV_NSID_MAX; nsid++) {
                        const struct iov_namespace *ns = iov_namespace_get(m, copy, nsid);

                        if (ns)
                                iov_model_remove(m, IOV_KIND_NAMESPACE, ns->name);
                }
        return iov_model_remove(m, kind, copy);
}

static int apply_all(const struct iove_transaction *t, struct iov_model *m, uint64_t *last_id, uint32_t *ret_changed,
                     struct iove_refusal *refusal) {
        for (size_t i = 0; i < t->n_operations; i++) {
                const struct operation *op = &t->operations[i];
                const char *record = (const char *)t->records + op->offset;
                enum iov_kind kind = (enum iov_kind)op->kind;
                bool changed = true;
                int r = op->verb == IOV_VERB_SET ? apply_set(m, kind, record, last_id, &changed) : apply_remove(m, kind, record);

                if (r == -ENOENT)
                        return iove_refuse(refusal, IOV_RET_NOT_FOUND, (uint32_t)i, "there is no %s %s to remove",
                                           iov_records_get(kind)->name, record);
                if (r == -E2BIG)
                        return iove_refuse(refusal, IOV_RET_LIMIT, (uint32_t)i, "%s %s: there is room for %u of this kind",
                                           iov_records_get(kind)->name, record, iov_records_get(kind)->max);
                if (r < 0)
                        return r;
                *ret_changed += changed;
        }
        return 0;
}

int iove_transaction_run(const struct iove_transaction *t, struct iov_model *have, const struct iove_limits *limits,
                         uint64_t *last_id, struct iov_model **ret_candidate, uint32_t *ret_changed,
                         struct iove_refusal *refusal) {
        const struct iove_blame blame = {blame_last, t};
        struct iov_model *candidate = NULL;
        uint64_t ids = *last_id, generation = iov_model_get_generation(have);
        uint32_t changed = 0;

        if (t->begin.generation != IOV_GENERATION_ANY && t->begin.generation != generation)
                return iove_refuse(refusal, IOV_RET_STALE, UINT32_MAX,
                                   "the appliance has moved on: planned for generation %" PRIu64 ", now at %" PRIu64
                                   ": plan again",
                                   t->begin.generation, generation);
        int r = iov_model_clone(have, &candidate);
        if (r < 0)
                return r;
        r = apply_all(t, candidate, &ids, &changed, refusal);
        if (r == 0)
                r = iove_rules_check(candidate, limits, &blame, refusal);
        if (r == 0)
                r = iove_rules_check_change(have, candidate, t->begin.flags & IOV_TXN_FORCE, &blame, refusal);
        if (r == 0)
                r = iove_rules_derive(candidate);
        if (r < 0) {
                iov_model_unref(candidate);
                return r;
        }
        *last_id = ids;
        *ret_changed = changed;
        *ret_candidate = candidate;
        return 0;
}
