/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The transaction that a plan becomes, taken apart by an appliance that is only an iov_command(). */
#include <errno.h>

#include "util.h"
#include "yaml-helper.h"

struct iov_appliance {
        unsigned int begins, appends, commits;
        struct iov_mb_txn_begin begin;
        struct {
                struct iov_mb_op op;
                unsigned char record[512];
        } * ops;
        size_t n_ops;
        enum iov_opcode fail_at; /* fail this command ... */
        int fail_with;           /* ... with this errno */
};

static void take_ops(struct iov_appliance *a, const unsigned char *p, size_t size) {
        assert_true(size > 0 && size <= IOV_MB_PAYLOAD_BYTES);
        while (size) {
                a->ops = realloc(a->ops, (a->n_ops + 1) * sizeof(*a->ops));
                assert_non_null(a->ops);
                assert_true(size >= sizeof(struct iov_mb_op));
                memcpy(&a->ops[a->n_ops].op, p, sizeof(struct iov_mb_op));
                p += sizeof(struct iov_mb_op);
                size -= sizeof(struct iov_mb_op);
                uint32_t length = a->ops[a->n_ops].op.size;
                assert_in_range(length, IOV_NAME_SIZE, iov_records_get((enum iov_kind)a->ops[a->n_ops].op.kind)->size);
                assert_true(size >= length);
                memset(a->ops[a->n_ops].record, 0, sizeof(a->ops[a->n_ops].record));
                memcpy(a->ops[a->n_ops].record, p, length);
                p += length;
                size -= length;
                a->n_ops++;
        }
}

int iov_command(struct iov_appliance *a, enum iov_opcode opcode, const void *request, size_t request_size, void *reply,
                size_t reply_size, size_t *ret_reply_length, struct iov_mb_error *ret_error) {
        if (opcode == a->fail_at) {
                if (ret_error) {
                        ret_error->op_index = 3;
                        field_set(ret_error->text, sizeof(ret_error->text), "no");
                }
                return -a->fail_with;
        }
        *ret_reply_length = 0;
        if (opcode == IOV_OP_TXN_BEGIN) {
                assert_int_equal(request_size, sizeof(a->begin));
                memcpy(&a->begin, request, sizeof(a->begin));
                a->begins++;
        } else if (opcode == IOV_OP_TXN_APPEND) {
                take_ops(a, request, request_size);
                a->appends++;
        } else {
                struct iov_mb_txn_result result = {.generation = 12, .changed = (uint32_t)a->n_ops};

                assert_int_equal(opcode, IOV_OP_TXN_COMMIT);
                assert_int_equal(request_size, 0);
                assert_true(reply_size >= sizeof(result));
                memcpy(reply, &result, sizeof(result));
                *ret_reply_length = sizeof(result);
                a->commits++;
        }
        return 0;
}

static struct iov_plan *make_plan(unsigned int volumes) {
        struct iov_model *have = helper_model(), *want = helper_model();
        struct iov_server server = {.name = "gone", .link = 4};
        struct iov_plan *plan = NULL;

        iov_model_set_generation(have, 11);
        assert_int_equal(iov_model_set(have, IOV_KIND_SERVER, &server), 0);
        for (unsigned int i = 0; i < volumes; i++) {
                struct iov_volume volume = {.adapter = "ssd0", .size = 4096};

                snprintf(volume.name, sizeof(volume.name), "v%06u", i);
                assert_int_equal(iov_model_set(want, IOV_KIND_VOLUME, &volume), 0);
        }
        assert_int_equal(iov_plan_new(have, want, IOV_PLAN_PRUNE, &plan), 0);
        iov_model_unref(have);
        iov_model_unref(want);
        return plan;
}

static void test_apply(void **state) {
        struct iov_appliance a = {0};
        struct iov_plan *plan = make_plan(2);
        struct iov_mb_txn_result result = {0};

        assert_int_equal(iov_plan_apply(plan, &a, IOV_TXN_DRY_RUN, &result, NULL), 0);
        assert_int_equal(a.begins, 1);
        assert_int_equal(a.appends, 1);
        assert_int_equal(a.commits, 1);
        assert_int_equal(a.begin.generation, 11);
        assert_int_equal(a.begin.flags, IOV_TXN_DRY_RUN);
        assert_int_equal(a.begin.confirm_s, 0);
        assert_int_equal(result.generation, 12);
        assert_int_equal(result.changed, 3);
        assert_int_equal(a.n_ops, 3);
        assert_int_equal(a.ops[0].op.verb, IOV_VERB_REMOVE);
        assert_int_equal(a.ops[0].op.kind, IOV_KIND_SERVER);
        assert_string_equal((char *)a.ops[0].record, "gone");
        assert_int_equal(a.ops[1].op.verb, IOV_VERB_SET);
        assert_int_equal(a.ops[1].op.kind, IOV_KIND_VOLUME);
        assert_string_equal((char *)a.ops[1].record, "v000000");
        assert_string_equal((char *)a.ops[2].record, "v000001");
        iov_plan_unref(plan);
        free(a.ops);
}

/* More than the mailbox holds goes in several pieces, in order and whole. */
static void test_chunks(void **state) {
        for (unsigned int n = 240; n <= 800; n += 7) {
                struct iov_appliance a = {0};
                struct iov_plan *plan = make_plan(n);
                struct iov_mb_txn_result result = {0};
                size_t used = 0, appends = 1;

                assert_int_equal(iov_plan_apply(plan, &a, 0, &result, NULL), 0);
                assert_int_equal(a.n_ops, n + 1);
                for (size_t i = 0; i < a.n_ops; i++) {
                        const struct iov_plan_step *step = iov_plan_get(plan, i);
                        size_t size = sizeof(struct iov_mb_op) + a.ops[i].op.size;

                        if (step->want)
                                assert_memory_equal(a.ops[i].record, step->want, iov_records_get(step->kind)->size);
                        else
                                assert_string_equal((char *)a.ops[i].record, (const char *)step->have);
                        appends += used + size > IOV_MB_PAYLOAD_BYTES;
                        used = used + size > IOV_MB_PAYLOAD_BYTES ? size : used + size;
                }
                assert_int_equal(a.appends, appends);
                iov_plan_unref(plan);
                free(a.ops);
        }
}

static void test_nothing_to_do(void **state) {
        struct iov_appliance a = {0};
        struct iov_model *m = helper_model();
        struct iov_plan *plan = NULL;
        struct iov_mb_txn_result result = {.changed = 9};

        assert_int_equal(iov_plan_new(m, m, 0, &plan), 0);
        assert_int_equal(iov_plan_apply(plan, &a, 0, &result, NULL), 0);
        assert_int_equal(result.changed, 0);
        assert_int_equal(a.appends, 0);
        assert_int_equal(a.commits, 1);
        iov_plan_unref(plan);
        iov_model_unref(m);
}

static void test_refused(void **state) {
        static const enum iov_opcode opcodes[] = {IOV_OP_TXN_BEGIN, IOV_OP_TXN_APPEND, IOV_OP_TXN_COMMIT};

        for (size_t i = 0; i < ARRAY_LENGTH(opcodes); i++) {
                struct iov_appliance a = {.fail_at = opcodes[i], .fail_with = i == 2 ? ESTALE : EINVAL};
                struct iov_plan *plan = make_plan(600);
                struct iov_mb_txn_result result = {.changed = 77};
                struct iov_mb_error error = {0};

                assert_int_equal(iov_plan_apply(plan, &a, 0, &result, &error), i == 2 ? -ESTALE : -EINVAL);
                assert_int_equal(result.changed, 77);
                assert_int_equal(error.op_index, 3);
                assert_string_equal(error.text, "no");
                assert_int_equal(a.commits, 0);
                iov_plan_unref(plan);
                free(a.ops);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_apply),
                cmocka_unit_test(test_chunks),
                cmocka_unit_test(test_nothing_to_do),
                cmocka_unit_test(test_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
