/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as transactions on a chassis, one after the other: what tools send, a saved state is, and the next iovd reads. Each
 * is refused with reasons, or its candidate is one that survives being written as a topology and read again, and being applied
 * to itself.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "iove/transaction.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition) ((condition) ? (void)0 : (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition), abort()))

#define RAW 255 /* as the first byte of an operation: its length and its bytes follow */
#define OPERATIONS 16
#define EDITS 8

static const char chassis[] = "version: 1\nkind: chassis\nname: fuzz\nlinks: 4\nslots: 4\nadapters:\n"
                              "  nic0: {kind: nic, ports: 2, rate: 10Gbit}\n"
                              "  hba0: {kind: hba, ports: 1, rate: 8Gbit}\n"
                              "  raid0: {kind: raid, ports: 4, capacity: 1GiB}\n"
                              "  ssd0: {kind: ssd, capacity: 1GiB}\n"
                              "  ssd1: {kind: ssd, capacity: 64MiB, media: ram}\n";
/* Few, so that they meet. */
static const char *const names[] = {"",     "a",    "b",    "c",    "v0",    "v1",     "d0",     "d1",
                                    "ssd0", "ssd1", "nic0", "hba0", "raid0", "nic0/0", "hba0/0", "a/0"};

struct input {
        const uint8_t *data;
        size_t size;
};

static uint64_t take(struct input *in, size_t bytes) {
        uint64_t value = 0;
        size_t n = in->size < bytes ? in->size : bytes;

        memcpy(&value, in->data, n);
        in->data += n;
        in->size -= n;
        return value;
}

static const char *take_name(struct input *in) {
        return names[take(in, 1) % (sizeof(names) / sizeof(names[0]))];
}

/* A field gets another value: a name that somebody may have, a small number, or any bytes. */
static void edit(struct input *in, const struct iov_record_info *info, unsigned char *record) {
        const unsigned int how = (unsigned int)take(in, 1);
        const struct iov_rfield_info *field = &info->fields[(how >> 2) % info->n_fields];
        const size_t size = (size_t)field->size * field->count;
        uint64_t value = 0;

        if (how % 4 == 3) {
                const size_t n = take(in, 1) % (size + 1);

                for (size_t i = 0; i < n; i++)
                        record[field->offset + i] = (unsigned char)take(in, 1);
        } else if (field->type == IOV_TYPE_chars) {
                memset(record + field->offset, 0, size);
                snprintf((char *)record + field->offset, size, "%s", take_name(in));
        } else {
                value = how % 4 == 2 ? take(in, field->size) : how % 4 == 1 ? take(in, 1) << 20 : take(in, 1);
                memcpy(record + field->offset, &value, field->size);
        }
}

static void make_record(struct input *in, const struct iov_model *have, enum iov_kind kind, unsigned char *record) {
        const struct iov_record_info *info = iov_records_get(kind);
        const unsigned int how = (unsigned int)take(in, 1);

        memset(record, 0, info->size);
        if (iov_member_info(kind)) {
                struct iov_member member = {0};

                if (iov_member_init(&member, take_name(in), (uint32_t)take(in, 1) % 8) == 0)
                        memcpy(record, &member, sizeof(member));
        } else {
                snprintf((char *)record, IOV_NAME_SIZE, "%s", take_name(in));
        }
        const void *old = how & EDITS ? iov_model_get(have, kind, (const char *)record) : NULL;
        if (old)
                memcpy(record, old, info->size);
        for (unsigned int i = 0; i < how % EDITS; i++)
                edit(in, info, record);
}

static size_t make_operation(struct input *in, const struct iov_model *have, unsigned char *bytes) {
        const enum iov_kind *kinds = NULL;
        const size_t n_kinds = iov_config_kinds(&kinds);
        const unsigned int how = (unsigned int)take(in, 1);

        if (how == RAW) {
                const size_t n = take(in, 1);

                for (size_t i = 0; i < n; i++)
                        bytes[i] = (unsigned char)take(in, 1);
                return n;
        }
        const enum iov_kind kind = kinds[how / 8 % n_kinds];
        struct iov_mb_op op = {.verb = how % 8 == 7   ? IOV_VERB_RENAME
                                       : how % 8 == 6 ? IOV_VERB_REMOVE
                                                      : IOV_VERB_SET,
                               .kind = (uint16_t)kind,
                               .size = iov_records_get(kind)->size};
        if (op.verb == IOV_VERB_RENAME) {
                op.size = 2 * IOV_NAME_SIZE;
                memset(bytes + sizeof(op), 0, op.size);
                snprintf((char *)bytes + sizeof(op), IOV_NAME_SIZE, "%s", take_name(in));
                snprintf((char *)bytes + sizeof(op) + IOV_NAME_SIZE, IOV_NAME_SIZE, "%s", take_name(in));
        } else {
                make_record(in, have, kind, bytes + sizeof(op));
        }
        memcpy(bytes, &op, sizeof(op));
        return sizeof(op) + op.size;
}

static void check_refusal(const struct iove_refusal *refusal) {
        CHECK(refusal->n > 0 && refusal->code != IOV_RET_SUCCESS);
        for (uint32_t i = 0; i < refusal->n && i < IOV_MB_ERRORS_MAX; i++)
                CHECK(memchr(refusal->errors[i].text, 0, sizeof(refusal->errors[i].text)) && *refusal->errors[i].text);
}

/* What is shown can be piped back: nothing is left to do. */
static void check_written(struct iov_ctx *ctx, struct iov_model *model) {
        struct iov_diagnostics *diagnostics = NULL;
        struct iov_model *again = NULL;
        struct iov_plan *plan = NULL;
        char *text = NULL;
        size_t length = 0;
        FILE *stream = open_memstream(&text, &length);

        CHECK(stream && iov_topology_write(model, stream) == 0 && fclose(stream) == 0);
        CHECK(iov_model_new(ctx, &again) == 0 && iov_diagnostics_new(&diagnostics) == 0);
        if (iov_topology_read(again, "fuzz", text, length, diagnostics) < 0) {
                fputs(text, stderr);
                iov_diagnostics_print(diagnostics, stderr);
                abort();
        }
        CHECK(iov_plan_new(model, again, IOV_PLAN_PRUNE, &plan) == 0);
        if (iov_plan_count(plan)) {
                const struct iov_plan_step *step = iov_plan_get(plan, 0);

                fprintf(stderr, "%s\n%s %s is not the same\n", text, iov_records_get(step->kind)->name,
                        (const char *)(step->have ? step->have : step->want));
                abort();
        }
        iov_plan_unref(plan);
        iov_diagnostics_unref(diagnostics);
        iov_model_unref(again);
        free(text);
}

/* Every rule holds of it still, and nothing changes by itself. */
static void check_settled(struct iov_model *model, const struct iove_limits *limits, uint64_t last_id) {
        const struct iov_mb_txn_begin begin = {.generation = IOV_GENERATION_ANY};
        struct iove_transaction *none = NULL;
        struct iove_refusal refusal = {0};
        struct iov_model *same = NULL;
        uint64_t id = last_id;
        uint32_t changed = 0;

        CHECK(iove_transaction_new(&begin, &none) == 0);
        if (iove_transaction_run(none, model, limits, &id, &same, &changed, &refusal) < 0) {
                fprintf(stderr, "%s\n", refusal.errors[0].text);
                abort();
        }
        CHECK(changed == 0 && id == last_id);
        iov_model_unref(same);
        iove_transaction_free(none);
}

static struct iov_model *run_one(struct input *in, struct iov_ctx *ctx, struct iov_model *have, uint64_t *last_id) {
        static unsigned char bytes[65536];
        const struct iove_limits limits = {.now_ns = UINT64_C(1) << 60, .run_dir_length = 20};
        const unsigned int how = (unsigned int)take(in, 1);
        const struct iov_mb_txn_begin begin = {.generation = IOV_GENERATION_ANY, .flags = how >> 4};
        struct iove_transaction *transaction = NULL;
        struct iov_model *candidate = NULL;
        struct iove_refusal refusal = {0};
        uint32_t changed = 0;
        char text[256];
        int r = 0;

        CHECK(iove_transaction_new(&begin, &transaction) == 0);
        for (unsigned int i = 0; i <= how % OPERATIONS && r == 0; i++)
                r = iove_transaction_append(transaction, bytes, make_operation(in, have, bytes), &refusal);
        if (r == 0)
                r = iove_transaction_run(transaction, have, &limits, last_id, &candidate, &changed, &refusal);
        CHECK(r == 0 || r == -EBADMSG);
        if (r < 0) {
                check_refusal(&refusal);
        } else {
                iove_transaction_describe(transaction, have, text, sizeof(text));
                CHECK(memchr(text, 0, sizeof(text)));
                iov_model_unref(have);
                have = candidate;
                check_written(ctx, have);
                check_settled(have, &limits, *last_id);
        }
        iove_transaction_free(transaction);
        return have;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static struct iov_ctx *ctx;
        static struct iov_model *empty;
        struct input in = {data, size};
        struct iov_model *model = NULL;
        uint64_t last_id = 1;

        if (!ctx) {
                struct iov_diagnostics *diagnostics = NULL;

                CHECK(iov_new(&ctx) == 0 && iov_model_new(ctx, &empty) == 0 && iov_diagnostics_new(&diagnostics) == 0);
                CHECK(iov_chassis_read(empty, "chassis", chassis, sizeof(chassis) - 1, diagnostics) == 0);
                iov_diagnostics_unref(diagnostics);
        }
        CHECK(iov_model_clone(empty, &model) == 0);
        while (in.size)
                model = run_one(&in, ctx, model, &last_id);
        iov_model_unref(model);
        return 0;
}
