/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A model with adapters, two servers and a vAdapter, and transactions on it. */
#ifndef IOV_TESTS_TRANSACTION_FIXTURE_H
#define IOV_TESTS_TRANSACTION_FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "iove/rules.h"
#include "iove/transaction.h"
#include "util.h"

struct fixture {
        struct iov_ctx *ctx;
        struct iov_model *model;
        struct iove_transaction *transaction;
        struct iove_refusal refusal;
        uint64_t last_id, now_ns;
        uint32_t changed;
};

static inline void begin(struct fixture *f, uint64_t generation, uint32_t flags) {
        const struct iov_mb_txn_begin b = {.generation = generation, .flags = flags};

        iove_transaction_free(f->transaction);
        assert_int_equal(iove_transaction_new(&b, &f->transaction), 0);
}

static inline int append(struct fixture *f, enum iov_op_verb verb, enum iov_kind kind, const void *record) {
        unsigned char bytes[sizeof(struct iov_mb_op) + IOV_VADAPTER_RECORD_SIZE];
        const struct iov_mb_op op = {(uint16_t)verb, (uint16_t)kind, iov_records_get(kind)->size};

        memcpy(bytes, &op, sizeof(op));
        memcpy(bytes + sizeof(op), record, op.size);
        return iove_transaction_append(f->transaction, bytes, sizeof(op) + op.size, &f->refusal);
}

static inline void set_server(struct fixture *f, const char *name, uint32_t link) {
        struct iov_server s = {.link = link};

        field_set(s.name, sizeof(s.name), name);
        assert_int_equal(append(f, IOV_VERB_SET, IOV_KIND_SERVER, &s), 0);
}

static inline void set_volume(struct fixture *f, const char *name, const char *adapter, uint64_t size) {
        struct iov_volume v = {.size = size};

        field_set(v.name, sizeof(v.name), name);
        field_set(v.adapter, sizeof(v.adapter), adapter);
        assert_int_equal(append(f, IOV_VERB_SET, IOV_KIND_VOLUME, &v), 0);
}

static inline void set_vadapter(struct fixture *f, const char *name, const char *adapter, const char *server, uint32_t slot,
                                const char *serial) {
        struct iov_vadapter v = {.slot = slot, .state = IOV_VADAPTER_CONNECTED /* not the operator's to say */, .id = 99};

        field_set(v.name, sizeof(v.name), name);
        field_set(v.adapter, sizeof(v.adapter), adapter);
        field_set(v.server, sizeof(v.server), server);
        field_set(v.serial, sizeof(v.serial), serial);
        assert_int_equal(append(f, IOV_VERB_SET, IOV_KIND_VADAPTER, &v), 0);
}

static inline void set_namespace(struct fixture *f, const char *vadapter, uint32_t nsid, const char *volume) {
        struct iov_namespace ns = {0};

        assert_int_equal(iov_namespace_init(&ns, vadapter, nsid), 0);
        field_set(ns.volume, sizeof(ns.volume), volume);
        assert_int_equal(append(f, IOV_VERB_SET, IOV_KIND_NAMESPACE, &ns), 0);
}

static inline void set_member(struct fixture *f, enum iov_kind kind, const char *parent, uint32_t number, const char *target) {
        struct iov_member member = {0};

        assert_int_equal(iov_member_init(&member, parent, number), 0);
        field_set(member.target, sizeof(member.target), target);
        assert_int_equal(append(f, IOV_VERB_SET, kind, &member), 0);
}

static inline int rename_object(struct fixture *f, enum iov_kind kind, const char *from, const char *to) {
        char record[IOV_VADAPTER_RECORD_SIZE] = "";

        field_set(record, IOV_NAME_SIZE, from);
        field_set(record + IOV_NAME_SIZE, IOV_NAME_SIZE, to);
        return append(f, IOV_VERB_RENAME, kind, record);
}

static inline void remove_object(struct fixture *f, enum iov_kind kind, const char *name) {
        char record[IOV_VADAPTER_RECORD_SIZE] = "";

        field_set(record, IOV_NAME_SIZE, name);
        assert_int_equal(append(f, IOV_VERB_REMOVE, kind, record), 0);
}

static inline int run(struct fixture *f, struct iov_model **ret_candidate) {
        const struct iove_limits limits = {.now_ns = f->now_ns, .run_dir_length = strlen("/run/iov")};

        return iove_transaction_run(f->transaction, f->model, &limits, &f->last_id, ret_candidate, &f->changed, &f->refusal);
}

static inline void commit(struct fixture *f) {
        struct iov_model *candidate = NULL;

        assert_int_equal(run(f, &candidate), 0);
        iov_model_set_generation(candidate, iov_model_get_generation(f->model) + 1);
        iov_model_unref(f->model);
        f->model = candidate;
}

static inline void refused(struct fixture *f, enum iov_retcode code, uint32_t op_index, const char *text) {
        struct iov_model *candidate = NULL;

        assert_int_equal(run(f, &candidate), -EBADMSG);
        assert_null(candidate);
        assert_int_equal(f->refusal.code, code);
        assert_int_equal(f->refusal.errors[0].op_index, op_index);
        if (!strstr(f->refusal.errors[0].text, text))
                fail_msg("'%s' does not say '%s'", f->refusal.errors[0].text, text);
}

static inline void add_adapter(struct iov_model *m, const char *name, enum iov_adapter_kind kind, uint64_t capacity,
                               bool supported) {
        struct iov_adapter a = {.kind = kind, .capacity = capacity, .supported = supported, .ports = 2};

        field_set(a.name, sizeof(a.name), name);
        assert_int_equal(iov_model_set(m, IOV_KIND_ADAPTER, &a), 0);
}

static inline int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        if (!f || iov_new(&f->ctx) < 0 || iov_model_new(f->ctx, &f->model) < 0)
                return -1;
        f->last_id = 1;
        f->now_ns = UINT64_C(1700000000) * 1000000000;
        iov_model_set_links(f->model, 4, 8);
        add_adapter(f->model, "ssd0", IOV_ADAPTER_SSD, 1 << 20, true);
        add_adapter(f->model, "ssd1", IOV_ADAPTER_SSD, 1 << 20, true);
        add_adapter(f->model, "nic0", IOV_ADAPTER_NIC, 0, false);
        add_adapter(f->model, "hba0", IOV_ADAPTER_HBA, 0, false);
        add_adapter(f->model, "raid0", IOV_ADAPTER_RAID, 1 << 20, false);
        begin(f, IOV_GENERATION_ANY, 0);
        set_server(f, "a", 0);
        set_server(f, "b", 1);
        set_volume(f, "v0", "ssd0", 65536);
        set_vadapter(f, "d0", "ssd0", "a", 0, "SERIAL0");
        set_namespace(f, "d0", 1, "v0");
        commit(f);
        begin(f, 1, 0);
        *state = f;
        return 0;
}

static inline int teardown(void **state) {
        struct fixture *f = *state;

        iove_transaction_free(f->transaction);
        iov_model_unref(f->model);
        iov_unref(f->ctx);
        free(f);
        return 0;
}

#endif
