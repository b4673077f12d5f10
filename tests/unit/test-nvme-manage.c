/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Device self-test, telemetry, abort of I/O, features with data. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nvme-host.h"

#define DNR(status) ((status) | NVME_DNR)
#define BLOCKS (FAKE_MEDIUM_SIZE / 512)

static unsigned int admin(struct fake *f, struct nvme_sqe sqe) {
        return fake_status(f, &f->admin, sqe);
}

static uint64_t get(struct fake *f, unsigned int offset, unsigned int bytes) {
        uint64_t value = 0;

        memcpy(&value, (char *)fake_memory(f, FAKE_DATA) + offset, bytes);
        return value;
}

static unsigned int get_log(struct fake *f, uint32_t page, uint32_t specific, uint32_t dwords, uint32_t offset) {
        memset(fake_memory(f, FAKE_DATA), 0xaa, 8192);
        return admin(f, (struct nvme_sqe){.opcode = NVME_ADMIN_GET_LOG,
                                          .nsid = NVME_NSID_ALL,
                                          .prp1 = FAKE_DATA,
                                          .prp2 = FAKE_DATA + 4096,
                                          .cdw10 = (dwords - 1) << 16 | specific << 8 | page,
                                          .cdw12 = offset});
}

/* ---- self-test ---- */

static unsigned int self_test(struct fake *f, uint32_t code, uint32_t nsid) {
        return admin(f, (struct nvme_sqe){.opcode = NVME_ADMIN_SELF_TEST, .nsid = nsid, .cdw10 = code});
}

static void start_test(struct fake *f, uint32_t code, uint32_t nsid) {
        struct nvme_cqe cqe;

        fake_push(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_SELF_TEST, .nsid = nsid, .cdw10 = code});
        fake_ring(f, &f->admin);
        assert_true(fake_pop(f, &f->admin, &cqe)); /* at once: the test goes on by itself */
        assert_int_equal(cqe.status >> 1, 0);
        fake_ring_cq(f, &f->admin);
}

static void test_self_test(void **state) {
        struct fake *f = *state;

        assert_int_equal(get_log(f, NVME_LOG_SELF_TEST, 0, 141, 0), 0);
        assert_int_equal(get(f, 0, 2), 0);
        for (unsigned int i = 0; i < NVME_SELF_TEST_RESULTS; i++)
                assert_int_equal(get(f, 4 + i * 28, 1), NVME_SELF_TEST_UNUSED);
        assert_int_equal(self_test(f, NVME_SELF_TEST_SHORT, 1), 0);
        assert_int_equal(f->n_submitted[VPC_IO_READ], 2 * (1 << 20) / NVME_SELF_TEST_PIECE);
        assert_int_equal(self_test(f, NVME_SELF_TEST_EXTENDED, NVME_NSID_ALL), 0);
        assert_int_equal(f->n_submitted[VPC_IO_READ],
                         2 * (1 << 20) / NVME_SELF_TEST_PIECE + 3 * FAKE_MEDIUM_SIZE / NVME_SELF_TEST_PIECE);
        assert_int_equal(self_test(f, NVME_SELF_TEST_SHORT, 0), 0); /* the controller alone */
        assert_int_equal(get_log(f, NVME_LOG_SELF_TEST, 0, 141, 0), 0);
        assert_int_equal(get(f, 0, 2), 0);
        assert_int_equal(get(f, 4, 1), NVME_SELF_TEST_SHORT << 4);
        assert_int_equal(get(f, 32, 1), NVME_SELF_TEST_EXTENDED << 4);
        assert_int_equal(get(f, 60, 1), NVME_SELF_TEST_SHORT << 4);
        assert_int_equal(get(f, 88, 1), NVME_SELF_TEST_UNUSED);
        assert_int_equal(self_test(f, 0, 1), DNR(NVME_SC_INVALID_FIELD));
        assert_int_equal(self_test(f, 3, 1), DNR(NVME_SC_INVALID_FIELD));
        assert_int_equal(self_test(f, 1, 3), DNR(NVME_SC_INVALID_FIELD));
        assert_int_equal(self_test(f, 1, 77), DNR(NVME_SC_INVALID_NAMESPACE));
        for (unsigned int i = 0; i < NVME_SELF_TEST_RESULTS + 3; i++)
                assert_int_equal(self_test(f, NVME_SELF_TEST_SHORT, 0), 0);
        assert_int_equal(f->image->self_test.n_results, NVME_SELF_TEST_RESULTS);
}

static void test_self_test_fails(void **state) {
        struct fake *f = *state;
        struct fake_queue q;

        fake_queue_create(f, &q, 1, 16);
        start_test(f, NVME_SELF_TEST_EXTENDED, NVME_NSID_ALL);
        for (unsigned int i = 0; i < FAKE_MEDIUM_SIZE / NVME_SELF_TEST_PIECE + 2; i++)
                fake_step(f);
        f->media_error = -EIO; /* in the third piece of the second namespace */
        fake_run(f);
        f->media_error = 0;
        assert_int_equal(get_log(f, NVME_LOG_SELF_TEST, 0, 141, 0), 0);
        assert_int_equal(get(f, 4, 3), 0x0f0200 | NVME_SELF_TEST_EXTENDED << 4 | NVME_SELF_TEST_FAILED);
        assert_int_equal(get(f, 4 + 12, 4), 2);
        assert_int_equal(get(f, 4 + 16, 8), 2 * NVME_SELF_TEST_PIECE / 4096);
        assert_int_equal(get(f, 4 + 24, 2), 0x8102);
        assert_int_equal(fake_status(f, &q, (struct nvme_sqe){.opcode = NVME_IO_WRITE_UNCORRECTABLE, .nsid = 1, .cdw10 = 77}), 0);
        assert_int_equal(self_test(f, NVME_SELF_TEST_SHORT, 1), 0);
        assert_int_equal(get_log(f, NVME_LOG_SELF_TEST, 0, 141, 0), 0);
        assert_int_equal(get(f, 4, 1), NVME_SELF_TEST_SHORT << 4 | NVME_SELF_TEST_FAILED);
        assert_int_equal(get(f, 4 + 16, 8), 77);
}

static void test_self_test_ends(void **state) {
        struct fake *f = *state;

        start_test(f, NVME_SELF_TEST_EXTENDED, 2);
        for (unsigned int i = 0; i < 32; i++)
                fake_step(f);
        fake_push(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_SELF_TEST, .cdw10 = 1});
        fake_push(f, &f->admin,
                  (struct nvme_sqe){.opcode = NVME_ADMIN_GET_LOG, .prp1 = FAKE_DATA, .cdw10 = 140 << 16 | NVME_LOG_SELF_TEST});
        fake_ring(f, &f->admin);
        struct nvme_cqe cqe;
        assert_true(fake_pop(f, &f->admin, &cqe));
        assert_int_equal(cqe.status >> 1, DNR(NVME_SC_SELF_TEST_IN_PROGRESS));
        assert_true(fake_pop(f, &f->admin, &cqe));
        fake_ring_cq(f, &f->admin);
        assert_int_equal(get(f, 0, 1), NVME_SELF_TEST_EXTENDED);
        assert_in_range(get(f, 1, 1), 48, 50);
        /* It goes on through a reset and in the next process. */
        fake_write(f, NVME_REG_CC, 0x00460000);
        fake_restart(f);
        fake_run(f);
        assert_int_equal(f->image->self_test.results[0].status, NVME_SELF_TEST_EXTENDED << 4);
        assert_int_equal(f->n_submitted[VPC_IO_READ], FAKE_MEDIUM_SIZE / NVME_SELF_TEST_PIECE + 1);
        fake_enable(f);
        start_test(f, NVME_SELF_TEST_SHORT, 2);
        fake_disable(f);
        assert_int_equal(f->image->self_test.results[0].status, NVME_SELF_TEST_SHORT << 4 | NVME_SELF_TEST_RESET);
        fake_enable(f);
        start_test(f, NVME_SELF_TEST_SHORT, 2);
        start_test(f, NVME_SELF_TEST_ABORT, 0);
        assert_int_equal(f->image->self_test.results[0].status, NVME_SELF_TEST_SHORT << 4 | NVME_SELF_TEST_ABORTED);
        start_test(f, NVME_SELF_TEST_SHORT, NVME_NSID_ALL);
        assert_int_equal(admin(f, (struct nvme_sqe){.opcode = NVME_ADMIN_FORMAT, .nsid = 2, .cdw10 = 1}), 0);
        assert_int_equal(f->image->self_test.results[0].status, NVME_SELF_TEST_SHORT << 4 | NVME_SELF_TEST_FORMATTED);
        assert_int_equal(f->image->self_test.code, 0);
}

/* ---- telemetry ---- */

static void test_telemetry(void **state) {
        struct fake *f = *state;
        struct fake_queue q;
        char *text = fake_memory(f, FAKE_DATA);

        assert_int_equal(get_log(f, NVME_LOG_TELEMETRY_HOST, 0, 128, 0), 0); /* none was created */
        assert_int_equal(get(f, 0, 1), 7);
        assert_int_equal(get(f, 8, 6), 0);
        fake_queue_create(f, &q, 3, 16);
        assert_int_equal(get_log(f, NVME_LOG_TELEMETRY_HOST, 1, 128, 0), 0);
        uint64_t last = get(f, 8, 2);
        assert_in_range(last, 1, NVME_TELEMETRY_BLOCKS);
        assert_int_equal(get(f, 12, 2), last);
        assert_int_equal(get_log(f, NVME_LOG_TELEMETRY_HOST, 0, 1024, 512), 0);
        assert_int_equal(text[4095], 0);
        assert_non_null(strstr(text, "cc 0x460001 csts 0x1"));
        assert_non_null(strstr(text, "ns 2 blocks 1024 shift 12"));
        assert_non_null(strstr(text, "sq 3 cq 3 size 16"));
        /* It stays what it was, until it is created anew. */
        assert_int_equal(admin(f, (struct nvme_sqe){.opcode = NVME_ADMIN_DELETE_SQ, .cdw10 = 3}), 0);
        assert_int_equal(get_log(f, NVME_LOG_TELEMETRY_HOST, 0, 1024, 512), 0);
        assert_non_null(strstr(text, "sq 3 cq 3 size 16"));
        assert_int_equal(get_log(f, NVME_LOG_TELEMETRY_HOST, 1, 1024, 512), 0);
        assert_null(strstr(text, "sq 3 cq 3 size 16"));
        /* Only whole blocks, and what is refused creates nothing. */
        fake_queue_create(f, &q, 4, 16);
        assert_int_equal(get_log(f, NVME_LOG_TELEMETRY_HOST, 1, 128, 516), NVME_SC_INVALID_FIELD | NVME_DNR);
        assert_int_equal(get_log(f, NVME_LOG_TELEMETRY_CONTROLLER, 0, 64, 256), NVME_SC_INVALID_FIELD | NVME_DNR);
        assert_int_equal(get_log(f, NVME_LOG_TELEMETRY_HOST, 0, 1024, 512), 0);
        assert_null(strstr(text, "sq 4 cq 4 size 16"));
        assert_int_equal(get_log(f, NVME_LOG_TELEMETRY_CONTROLLER, 0, 128, 0), 0);
        assert_int_equal(get(f, 0, 1), 8);
        assert_int_equal(get(f, 382, 2), 0);
}

/* Every queue there can be: the text ends in time. */
static void test_telemetry_full(void **state) {
        struct fake *f = *state;
        struct fake_queue q;

        for (unsigned int i = 1; i < NVME_QUEUES; i++)
                fake_queue_create(f, &q, i, 16);
        assert_int_equal(get_log(f, NVME_LOG_TELEMETRY_HOST, 1, 128, 0), 0);
        assert_in_range(get(f, 8, 2), 8, NVME_TELEMETRY_BLOCKS);
        assert_int_equal(f->image->telemetry[NVME_TELEMETRY_BLOCKS][NVME_TELEMETRY_BLOCK - 1], 0);
}

/* ---- abort ---- */

static void test_abort_io(void **state) {
        struct fake *f = *state;
        struct fake_queue q;
        struct nvme_cqe cqe;

        fake_queue_create(f, &q, 1, 16);
        uint16_t cid = fake_push(f, &q, (struct nvme_sqe){.opcode = NVME_IO_VERIFY, .nsid = 1, .cdw12 = BLOCKS - 1});
        uint16_t read = fake_push(f, &q, fake_transfer(f, NVME_IO_READ, 1, 0, 1, FAKE_DATA));
        fake_ring(f, &q);
        for (unsigned int i = 0; i < 5; i++)
                fake_step(f);
        struct nvme_sqe abort = {.opcode = NVME_ADMIN_ABORT, .cdw10 = (uint32_t)cid << 16 | 1};
        fake_push(f, &f->admin, abort);
        fake_push(f, &f->admin, abort);         /* somebody sees to it already */
        abort.cdw10 = (uint32_t)read << 16 | 1; /* done since */
        fake_push(f, &f->admin, abort);
        fake_ring(f, &f->admin);
        for (unsigned int i = 0; i < 2; i++) {
                assert_true(fake_pop(f, &f->admin, &cqe));
                assert_int_equal(cqe.result, 1);
        }
        assert_false(fake_pop(f, &f->admin, &cqe)); /* not before the command has ended */
        assert_true(fake_pop(f, &q, &cqe));
        assert_int_equal(cqe.cid, read);
        assert_true(fake_step(f));
        assert_true(fake_pop(f, &q, &cqe));
        assert_int_equal(cqe.cid, cid);
        assert_int_equal(cqe.status >> 1, NVME_SC_ABORT_REQUESTED);
        assert_true(fake_pop(f, &f->admin, &cqe));
        assert_int_equal(cqe.result, 0);
        assert_int_equal(cqe.status >> 1, 0);
        assert_false(fake_step(f));
        fake_ring_cq(f, &f->admin);
        fake_ring_cq(f, &q);
        /* One request, and that at its medium: it ends by itself. */
        read = fake_push(f, &q, fake_transfer(f, NVME_IO_READ, 1, 0, 1, FAKE_DATA));
        fake_ring(f, &q);
        fake_push(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_ABORT, .cdw10 = (uint32_t)read << 16 | 1});
        fake_ring(f, &f->admin);
        assert_true(fake_pop(f, &f->admin, &cqe));
        assert_int_equal(cqe.result, 1);
        fake_ring_cq(f, &f->admin);
        fake_run(f);
        assert_true(fake_pop(f, &q, &cqe));
        assert_int_equal(cqe.status >> 1, 0);
        fake_ring_cq(f, &q);
}

static void test_abort_limit(void **state) {
        struct fake *f = *state;
        struct fake_queue q;
        struct nvme_cqe cqe;

        fake_queue_create(f, &q, 1, 16);
        for (unsigned int i = 0; i <= NVME_ABORT_MAX; i++) {
                uint16_t cid = fake_push(f, &q, (struct nvme_sqe){.opcode = NVME_IO_VERIFY, .nsid = 1, .cdw12 = BLOCKS - 1});

                fake_ring(f, &q);
                fake_push(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_ABORT, .cdw10 = (uint32_t)cid << 16 | 1});
                fake_ring(f, &f->admin);
        }
        assert_true(fake_pop(f, &f->admin, &cqe));
        assert_int_equal(cqe.status >> 1, NVME_SC_ABORT_LIMIT);
        fake_restart(f); /* the next process does what was asked for */
        fake_run(f);
        for (unsigned int i = 0; i < NVME_ABORT_MAX; i++) {
                assert_true(fake_pop(f, &q, &cqe));
                assert_int_equal(cqe.status >> 1, NVME_SC_ABORT_REQUESTED);
                assert_true(fake_pop(f, &f->admin, &cqe));
                assert_int_equal(cqe.result, 0);
        }
        assert_true(fake_pop(f, &q, &cqe));
        assert_int_equal(cqe.status >> 1, 0);
        fake_ring_cq(f, &f->admin);
        fake_ring_cq(f, &q);
}

/* What is aborted ends while the next process takes over, and there is no room for the abort's own completion: it comes once. */
static void abort_restart(struct fake *f, struct fake_queue *io, unsigned int restarts) {
        struct fake_queue q = *io;
        struct nvme_cqe cqe;

        const unsigned int room = f->admin.cq_size - 1;
        for (unsigned int i = 0; i < room; i++)
                fake_push(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_GET_FEATURES, .cdw10 = NVME_FEAT_QUEUES});
        fake_ring(f, &f->admin);
        fake_run(f);
        for (unsigned int i = 0; i < room; i++)
                assert_true(fake_pop(f, &f->admin, &cqe));
        const uint16_t cid = fake_push(f, &q, (struct nvme_sqe){.opcode = NVME_IO_VERIFY, .nsid = 1, .cdw12 = BLOCKS - 1});
        fake_ring(f, &q);
        const uint16_t abort =
                fake_push(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_ABORT, .cdw10 = (uint32_t)cid << 16 | 1});
        fake_ring(f, &f->admin);
        for (unsigned int i = 0; i < restarts; i++) { /* after the first it has ended, and waits for room */
                fake_restart(f);
                fake_run(f);
        }
        assert_true(fake_pop(f, &q, &cqe));
        assert_int_equal(cqe.status >> 1, NVME_SC_ABORT_REQUESTED);
        fake_ring_cq(f, &q);
        assert_false(fake_pop(f, &f->admin, &cqe));
        fake_ring_cq(f, &f->admin);
        fake_run(f);
        assert_true(fake_pop(f, &f->admin, &cqe));
        assert_int_equal(cqe.cid, abort);
        assert_int_equal(cqe.result, 0);
        assert_false(fake_pop(f, &f->admin, &cqe));
        fake_ring_cq(f, &f->admin);
        assert_int_equal(admin(f, (struct nvme_sqe){.opcode = NVME_ADMIN_GET_FEATURES, .cdw10 = NVME_FEAT_QUEUES}), 0);
        for (unsigned int i = 0; i < NVME_SLOTS; i++)
                assert_int_equal(f->image->slots[i].state, NVME_SLOT_FREE);
        *io = q;
}

static void test_abort_restart(void **state) {
        struct fake_queue q;

        fake_queue_create(*state, &q, 1, 16);
        abort_restart(*state, &q, 1);
        abort_restart(*state, &q, 2);
}

/* ---- features with data ---- */

static unsigned int set_data(struct fake *f, uint32_t id, uint32_t nsid, uint32_t cdw11, const void *data, size_t n) {
        memset(fake_memory(f, FAKE_DATA), 0, 4096);
        memcpy(fake_memory(f, FAKE_DATA), data, n);
        return admin(f, (struct nvme_sqe){
                                .opcode = NVME_ADMIN_SET_FEATURES, .nsid = nsid, .prp1 = FAKE_DATA, .cdw10 = id, .cdw11 = cdw11});
}

static struct nvme_cqe get_data(struct fake *f, uint32_t id, uint32_t nsid, uint32_t cdw11) {
        memset(fake_memory(f, FAKE_DATA), 0xaa, 8192);
        return fake_command(
                f, &f->admin,
                (struct nvme_sqe){
                        .opcode = NVME_ADMIN_GET_FEATURES, .nsid = nsid, .prp1 = FAKE_DATA, .cdw10 = id, .cdw11 = cdw11});
}

static void test_timestamp(void **state) {
        struct fake *f = *state;
        const uint64_t ms = UINT64_C(0x123456789a);

        assert_int_equal(get_data(f, NVME_FEAT_TIMESTAMP, 0, 0).status >> 1, 0);
        assert_true(get(f, 0, 8) < 1000); /* since the reset, which it says */
        assert_int_equal(set_data(f, NVME_FEAT_TIMESTAMP, 0, 0, &ms, 8), 0);
        f->now += UINT64_C(5000000000);
        assert_int_equal(get_data(f, NVME_FEAT_TIMESTAMP, 0, 0).status >> 1, 0);
        assert_in_range(get(f, 0, 6), ms + 5000, ms + 5010);
        assert_int_equal(get(f, 6, 2), 1 << 1);
        assert_int_equal(get(f, 8, 1), 0xaa);
        assert_int_equal(get_data(f, NVME_FEAT_TIMESTAMP | 1 << 8, 0, 0).status >> 1, 0);
        assert_int_equal(get(f, 0, 8), 0);
}

static void test_host_features(void **state) {
        struct fake *f = *state;
        static const unsigned char id[16] = "host identifier", other[16] = "another one";
        const unsigned char on = 1, wrong = 2;
        unsigned char table[256] = {0};

        assert_int_equal(get_data(f, NVME_FEAT_HOST_ID, 0, 1).status >> 1, 0);
        assert_int_equal(get(f, 0, 8), 0);
        assert_int_equal(set_data(f, NVME_FEAT_HOST_ID, 0, 1, id, 16), 0);
        assert_int_equal(get_data(f, NVME_FEAT_HOST_ID, 0, 1).status >> 1, 0);
        assert_memory_equal(fake_memory(f, FAKE_DATA), id, 16);
        assert_int_equal(get(f, 16, 1), 0xaa);
        assert_int_equal(get_data(f, NVME_FEAT_HOST_ID, 0, 0).status >> 1, 0);
        assert_int_equal(get(f, 8, 1), 0xaa);
        assert_int_equal(set_data(f, NVME_FEAT_HOST_ID, 0, 1, other, 16), DNR(NVME_SC_SEQUENCE_ERROR));
        assert_int_equal(set_data(f, NVME_FEAT_HOST_ID, 0, 1, id, 16), 0);
        fake_disable(f);
        fake_enable(f);
        assert_int_equal(set_data(f, NVME_FEAT_HOST_ID, 0, 0, other, 16), 0);

        assert_int_equal(set_data(f, NVME_FEAT_HOST_BEHAVIOR, 0, 0, &wrong, 1), DNR(NVME_SC_INVALID_FIELD));
        assert_int_equal(set_data(f, NVME_FEAT_HOST_BEHAVIOR, 0, 0, &on, 1), 0);
        assert_int_equal(get_data(f, NVME_FEAT_HOST_BEHAVIOR, 0, 0).status >> 1, 0);
        assert_int_equal(get(f, 0, 8), 1);
        assert_int_equal(get(f, 512, 1), 0xaa);

        assert_int_equal(set_data(f, NVME_FEAT_POWER_STATES, 0, 1, table, 256), 0);
        assert_int_equal(get_data(f, NVME_FEAT_POWER_STATES, 0, 0).result, 1);
        assert_int_equal(get(f, 256, 1), 0xaa);
        table[1] = 1;
        assert_int_equal(set_data(f, NVME_FEAT_POWER_STATES, 0, 1, table, 256), DNR(NVME_SC_INVALID_FIELD));
        assert_int_equal(admin(f, (struct nvme_sqe){.opcode = NVME_ADMIN_SET_FEATURES, .cdw10 = NVME_FEAT_HOST_ID, .prp1 = 4096}),
                         DNR(NVME_SC_DATA_TRANSFER_ERROR));
}

static void test_lba_range(void **state) {
        struct fake *f = *state;
        struct {
                uint8_t type, attributes, reserved[14];
                uint64_t first, blocks, more[4];
        } range = {.type = 1, .blocks = BLOCKS - 1};

        assert_int_equal(get_data(f, NVME_FEAT_LBA_RANGE, 1, 0).status >> 1, 0);
        assert_int_equal(get(f, 0, 2), 0x100);
        assert_int_equal(get(f, 24, 8), BLOCKS - 1); /* 0's based */
        assert_int_equal(get(f, 64, 8), 0);
        assert_int_equal(set_data(f, NVME_FEAT_LBA_RANGE, 1, 0, &range, sizeof(range)), 0);
        assert_int_equal(get_data(f, NVME_FEAT_LBA_RANGE, 1, 0).status >> 1, 0);
        assert_int_equal(get(f, 0, 2), 1);
        assert_int_equal(get_data(f, NVME_FEAT_LBA_RANGE, 2, 0).status >> 1, 0);
        assert_int_equal(get(f, 0, 2), 0x100);
        assert_int_equal(set_data(f, NVME_FEAT_LBA_RANGE, 1, 1, &range, sizeof(range)), DNR(NVME_SC_INVALID_FIELD));
        range.first = 1;
        assert_int_equal(set_data(f, NVME_FEAT_LBA_RANGE, 1, 0, &range, sizeof(range)), DNR(NVME_SC_LBA_OUT_OF_RANGE));
        range.blocks = UINT64_MAX;
        assert_int_equal(set_data(f, NVME_FEAT_LBA_RANGE, 1, 0, &range, sizeof(range)), DNR(NVME_SC_LBA_OUT_OF_RANGE));
        range.first = BLOCKS - 1;
        range.blocks = 0;
        assert_int_equal(set_data(f, NVME_FEAT_LBA_RANGE, 1, 0, &range, sizeof(range)), 0);
        range.first = BLOCKS;
        assert_int_equal(set_data(f, NVME_FEAT_LBA_RANGE, 1, 0, &range, sizeof(range)), DNR(NVME_SC_LBA_OUT_OF_RANGE));
        assert_int_equal(set_data(f, NVME_FEAT_LBA_RANGE, NVME_NSID_ALL, 0, &range, sizeof(range)), DNR(NVME_SC_INVALID_FIELD));
        assert_int_equal(set_data(f, NVME_FEAT_LBA_RANGE, 3, 0, &range, sizeof(range)), DNR(NVME_SC_INVALID_FIELD));
        assert_int_equal(get_data(f, NVME_FEAT_LBA_RANGE, 0, 0).status >> 1, DNR(NVME_SC_INVALID_NAMESPACE));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_self_test, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_self_test_fails, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_self_test_ends, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_telemetry, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_telemetry_full, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_abort_io, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_abort_limit, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_abort_restart, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_timestamp, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_host_features, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_lba_range, fake_setup, fake_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
