/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A server that lies: addresses, lengths, doorbells, queues taken away under commands, memory that is not there. */
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
#define NOWHERE UINT64_C(0x7000000000)

static int setup(void **state) {
        struct fake *f = fake_new();

        fake_enable(f);
        *state = f;
        return 0;
}

static int teardown(void **state) {
        struct fake *f = *state;

        /* Whatever has happened, a reset brings the controller back. */
        f->no_bus_master = false;
        f->media_error = 0;
        fake_disable(f);
        fake_enable(f);
        assert_int_equal(
                fake_status(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_IDENTIFY, .prp1 = FAKE_DATA, .cdw10 = 1}), 0);
        fake_free(f);
        return 0;
}

static struct nvme_sqe read_at(uint64_t prp1, uint64_t prp2, unsigned int blocks) {
        return (struct nvme_sqe){.opcode = NVME_IO_READ, .nsid = 1, .prp1 = prp1, .prp2 = prp2, .cdw12 = blocks - 1};
}

static void test_prp(void **state) {
        struct fake *f = *state;
        struct fake_queue q;
        uint64_t *list = fake_memory(f, FAKE_LISTS);

        fake_queue_create(f, &q, 1, 16);
        assert_int_equal(fake_status(f, &q, read_at(FAKE_DATA + 1, 0, 1)), DNR(NVME_SC_PRP_OFFSET_INVALID));
        assert_int_equal(fake_status(f, &q, read_at(FAKE_DATA + 2, 0, 1)), DNR(NVME_SC_PRP_OFFSET_INVALID));
        assert_int_equal(fake_status(f, &q, read_at(FAKE_DATA, 1, 8)), 0); /* PRP2 is reserved here */
        assert_int_equal(fake_status(f, &q, read_at(FAKE_DATA, FAKE_DATA + 4, 9)), DNR(NVME_SC_PRP_OFFSET_INVALID));
        assert_int_equal(fake_status(f, &q, read_at(FAKE_DATA, FAKE_LISTS + 4, 17)), DNR(NVME_SC_PRP_OFFSET_INVALID));
        list[0] = FAKE_DATA + 4096;
        list[1] = FAKE_DATA + 8192 + 8;
        assert_int_equal(fake_status(f, &q, read_at(FAKE_DATA, FAKE_LISTS, 24)), DNR(NVME_SC_PRP_OFFSET_INVALID));
        /* a list that goes on within a page */
        uint64_t *last = fake_memory(f, FAKE_LISTS + 4088);
        *last = FAKE_LISTS + 8;
        assert_int_equal(fake_status(f, &q, read_at(FAKE_DATA, FAKE_LISTS + 4088, 24)), DNR(NVME_SC_PRP_OFFSET_INVALID));
        /* one that points to itself is data like any other */
        for (unsigned int i = 0; i < 512; i++)
                list[i] = FAKE_LISTS;
        struct nvme_sqe sqe = read_at(FAKE_DATA, FAKE_LISTS + 4088, 2048);
        sqe.opcode = NVME_IO_WRITE;
        assert_int_equal(fake_status(f, &q, sqe), 0);
        assert_int_equal(f->last_n_iov, 256);
        assert_int_equal(f->n_submitted[VPC_IO_READ], 1);
}

static void test_dma(void **state) {
        struct fake *f = *state;
        struct fake_queue q;
        uint64_t *list = fake_memory(f, FAKE_LISTS);
        static const uint64_t bad[] = {0, FAKE_BASE - 4096, NOWHERE, UINT64_MAX - 4095, UINT64_C(1) << 63};

        fake_queue_create(f, &q, 1, 16);
        for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                assert_int_equal(fake_status(f, &q, read_at(bad[i], 0, 1)), DNR(NVME_SC_DATA_TRANSFER_ERROR));
                assert_int_equal(fake_status(f, &q, read_at(FAKE_DATA, bad[i], 16)), DNR(NVME_SC_DATA_TRANSFER_ERROR));
                assert_int_equal(fake_status(f, &q, read_at(FAKE_DATA, bad[i], 24)), DNR(NVME_SC_DATA_TRANSFER_ERROR));
                list[0] = FAKE_DATA + 4096;
                list[1] = bad[i];
                assert_int_equal(fake_status(f, &q, read_at(FAKE_DATA, FAKE_LISTS, 24)), DNR(NVME_SC_DATA_TRANSFER_ERROR));
        }
        /* half of it in a window, half behind; and round the end of the address space */
        assert_int_equal(fake_status(f, &q, read_at(FAKE_SECOND + FAKE_WINDOW - 4096, FAKE_SECOND + FAKE_WINDOW, 16)),
                         DNR(NVME_SC_DATA_TRANSFER_ERROR));
        list[0] = UINT64_MAX - 4095;
        list[1] = 0;
        assert_int_equal(fake_status(f, &q, read_at(UINT64_MAX - 8191, FAKE_LISTS, 24)), DNR(NVME_SC_DATA_TRANSFER_ERROR));
        assert_int_equal(fake_status(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_IDENTIFY, .prp1 = NOWHERE, .cdw10 = 1}),
                         DNR(NVME_SC_DATA_TRANSFER_ERROR));
        assert_int_equal(fake_status(f, &f->admin,
                                     (struct nvme_sqe){.opcode = NVME_ADMIN_GET_LOG, .prp1 = FAKE_RO, .cdw10 = 127 << 16 | 2}),
                         DNR(NVME_SC_DATA_TRANSFER_ERROR));
        assert_int_equal(f->n_submitted[VPC_IO_READ], 0);
        assert_int_equal(fake_read(f, NVME_REG_CSTS), NVME_CSTS_RDY);
}

static void test_doorbells(void **state) {
        struct fake *f = *state;
        struct fake_queue q;
        uint64_t sq = NVME_REG_DOORBELLS + 8, cq = NVME_REG_DOORBELLS + 12, errors = 0;

        fake_queue_create(f, &q, 1, 16);
        errors = f->image->life.error_count;
        fake_write(f, sq, 16);
        fake_write(f, sq, UINT32_MAX);
        fake_write(f, sq, 0x10003);
        fake_write(f, cq, 16);
        fake_write(f, cq, 1); /* an entry that was never posted */
        assert_int_equal(f->image->life.error_count, errors + 5);
        fake_write(f, sq, 0); /* nothing new */
        fake_write(f, cq, 0);
        assert_int_equal(f->image->life.error_count, errors + 5);
        for (uint64_t offset = NVME_REG_DOORBELLS + 16; offset < 0x2000; offset += 4)
                fake_write(f, offset, 1);
        assert_int_equal(f->image->sqs[1].tail, 0);
        /* The tail may not pass the head. */
        f->no_bus_master = true;
        fake_write(f, sq, 10);
        errors = f->image->life.error_count;
        fake_write(f, sq, 5);
        assert_int_equal(f->image->life.error_count, errors + 1);
        fake_write(f, sq, 15);
        assert_int_equal(f->image->life.error_count, errors + 1);
        fake_write(f, sq, 0);
        assert_int_equal(f->image->life.error_count, errors + 2);
        f->no_bus_master = false;
        fake_write(f, sq, 15);
        fake_run(f);
        assert_int_equal(f->image->sqs[1].fetched, 15);
}

/* The completion queue is full: completions wait, and nothing more is fetched. */
static void test_cq_full(void **state) {
        struct fake *f = *state;
        struct fake_queue a, q;
        struct nvme_cqe cqe = {0};
        unsigned int done = 0;

        fake_queue_create(f, &a, 1, 4); /* a completion queue that holds three */
        fake_queue_init(f, &q, 2, 1, 64, 4);
        assert_int_equal(
                fake_status(f, &f->admin,
                            (struct nvme_sqe){
                                    .opcode = NVME_ADMIN_CREATE_SQ, .prp1 = q.sq, .cdw10 = 63 << 16 | 2, .cdw11 = 1 << 16 | 1}),
                0);
        for (unsigned int i = 0; i < 60; i++)
                fake_push(f, &q, i % 3 ? read_at(FAKE_DATA, 0, 1) : (struct nvme_sqe){.opcode = 0x7f});
        fake_ring(f, &q);
        fake_run(f);
        assert_int_equal(f->image->cqs[1].posted, 3);
        assert_true(f->image->cqs[1].n_held > 0);
        fake_run(f);
        assert_int_equal(f->image->cqs[1].posted, 3);
        while (done < 60) {
                assert_true(fake_pop(f, &q, &cqe));
                done++;
                if (done % 3 != 1)
                        continue; /* read one, then two, at a time */
                fake_write(f, NVME_REG_DOORBELLS + 12, q.head);
                fake_run(f);
        }
        assert_false(fake_pop(f, &q, &cqe));
        fake_write(f, NVME_REG_DOORBELLS + 12, q.head);
        assert_int_equal(f->counters.inflight, 0);
        assert_int_equal(f->image->cqs[1].n_held, 0);
}

static void test_delete_with_commands(void **state) {
        struct fake *f = *state;
        struct fake_queue q;
        struct nvme_cqe cqe = {0};

        fake_queue_create(f, &q, 1, 16);
        for (unsigned int i = 0; i < 5; i++)
                fake_push(f, &q, read_at(FAKE_DATA, 0, 1));
        fake_ring(f, &q);
        fake_push(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_DELETE_SQ, .cdw10 = 1});
        fake_push(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_DELETE_SQ, .cdw10 = 1});
        fake_push(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_DELETE_CQ, .cdw10 = 1});
        fake_ring(f, &f->admin);
        assert_true(fake_pop(f, &f->admin, &cqe));
        assert_int_equal(cqe.status >> 1, DNR(NVME_SC_INVALID_QUEUE_ID));
        assert_true(fake_pop(f, &f->admin, &cqe));
        assert_int_equal(cqe.status >> 1, DNR(NVME_SC_INVALID_QUEUE_DELETION));
        assert_false(fake_pop(f, &f->admin, &cqe));
        fake_push(f, &q, read_at(FAKE_DATA, 0, 1)); /* too late */
        fake_ring(f, &q);
        assert_int_equal(f->n_pending, 5);
        fake_run(f);
        for (unsigned int i = 0; i < 5; i++) {
                assert_true(fake_pop(f, &q, &cqe));
                assert_int_equal(cqe.status >> 1, 0);
        }
        assert_false(fake_pop(f, &q, &cqe));
        assert_true(fake_pop(f, &f->admin, &cqe));
        assert_int_equal(cqe.status >> 1, 0);
        fake_ring_cq(f, &f->admin);
        fake_ring_cq(f, &q);
        assert_int_equal(f->counters.inflight, 0);
}

/* The host deletes a queue whose completions it never read: the deletion does not wait for that. */
static void test_delete_with_full_cq(void **state) {
        struct fake *f = *state;
        struct fake_queue q, other;
        struct nvme_cqe cqe = {0};

        fake_queue_create(f, &other, 1, 4);
        fake_queue_init(f, &q, 2, 1, 64, 4);
        assert_int_equal(
                fake_status(f, &f->admin,
                            (struct nvme_sqe){
                                    .opcode = NVME_ADMIN_CREATE_SQ, .prp1 = q.sq, .cdw10 = 63 << 16 | 2, .cdw11 = 1 << 16 | 1}),
                0);
        for (unsigned int i = 0; i < 20; i++)
                fake_push(f, &q, read_at(FAKE_DATA, 0, 1));
        fake_ring(f, &q);
        fake_push(f, &other, read_at(FAKE_DATA, 0, 1));
        fake_ring(f, &other);
        fake_run(f);
        assert_int_equal(fake_status(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_DELETE_SQ, .cdw10 = 2}), 0);
        for (unsigned int i = 0; i < 3; i++) {
                assert_true(fake_pop(f, &other, &cqe));
                assert_int_equal(cqe.sq_id, 2);
        }
        fake_ring_cq(f, &other);
        fake_run(f);
        assert_true(fake_pop(f, &other, &cqe)); /* the other queue's was kept */
        assert_int_equal(cqe.sq_id, 1);
        assert_false(fake_pop(f, &other, &cqe));
        fake_ring_cq(f, &other);
        assert_int_equal(f->counters.inflight, 0);
}

static void test_queues_nowhere(void **state) {
        struct fake *f = *state;

        assert_int_equal(fake_status(f, &f->admin,
                                     (struct nvme_sqe){
                                             .opcode = NVME_ADMIN_CREATE_CQ, .prp1 = NOWHERE, .cdw10 = 15 << 16 | 1, .cdw11 = 3}),
                         0);
        assert_int_equal(fake_status(f, &f->admin,
                                     (struct nvme_sqe){.opcode = NVME_ADMIN_CREATE_SQ,
                                                       .prp1 = FAKE_DATA,
                                                       .cdw10 = 15 << 16 | 1,
                                                       .cdw11 = 1 << 16 | 1}),
                         0);
        assert_int_equal(fake_status(f, &f->admin,
                                     (struct nvme_sqe){.opcode = NVME_ADMIN_CREATE_SQ,
                                                       .prp1 = NOWHERE,
                                                       .cdw10 = 15 << 16 | 2,
                                                       .cdw11 = 1 << 16 | 1}),
                         0);
        memset(fake_memory(f, FAKE_DATA), 0xff, 4096);
        fake_write(f, NVME_REG_DOORBELLS + 8, 3); /* completions cannot be written */
        fake_run(f);
        assert_int_equal(fake_read(f, NVME_REG_CSTS), NVME_CSTS_RDY | NVME_CSTS_CFS);
        assert_int_equal(f->n_logs, 1);
        fake_write(f, NVME_REG_DOORBELLS + 8, 5);
        assert_int_equal(fake_read(f, NVME_REG_CSTS), NVME_CSTS_RDY | NVME_CSTS_CFS);
        fake_disable(f);
        fake_enable(f);
        assert_int_equal(
                fake_status(
                        f, &f->admin,
                        (struct nvme_sqe){.opcode = NVME_ADMIN_CREATE_CQ, .prp1 = FAKE_DATA, .cdw10 = 15 << 16 | 1, .cdw11 = 3}),
                0);
        assert_int_equal(fake_status(f, &f->admin,
                                     (struct nvme_sqe){.opcode = NVME_ADMIN_CREATE_SQ,
                                                       .prp1 = NOWHERE,
                                                       .cdw10 = 15 << 16 | 2,
                                                       .cdw11 = 1 << 16 | 1}),
                         0);
        fake_write(f, NVME_REG_DOORBELLS + 16, 3); /* commands cannot be read */
        assert_int_equal(fake_read(f, NVME_REG_CSTS), NVME_CSTS_RDY | NVME_CSTS_CFS);
}

static void test_admin_queue_nowhere(void **state) {
        struct fake *f = *state;

        fake_disable(f);
        fake_write(f, NVME_REG_ACQ, 0);
        fake_write(f, NVME_REG_CC, 0x00460001);
        assert_int_equal(fake_read(f, NVME_REG_CSTS), NVME_CSTS_RDY);
        fake_write(f, NVME_REG_DOORBELLS, 1);
        assert_int_equal(fake_read(f, NVME_REG_CSTS), NVME_CSTS_RDY | NVME_CSTS_CFS);
        fake_disable(f);
        fake_write(f, NVME_REG_ASQ + 4, 0x7fffffff);
        fake_write(f, NVME_REG_CC, 0x00460001);
        fake_write(f, NVME_REG_DOORBELLS, 1);
        assert_int_equal(fake_read(f, NVME_REG_CSTS), NVME_CSTS_RDY | NVME_CSTS_CFS);
}

/* Memory goes while commands are at media: completions are lost, the controller says it is broken, a reset cures it. */
static void test_media_after_fatal(void **state) {
        struct fake *f = *state;
        struct fake_queue q;

        fake_queue_create(f, &q, 1, 16);
        for (unsigned int i = 0; i < 4; i++)
                fake_push(f, &q, read_at(FAKE_DATA, 0, 1));
        fake_ring(f, &q);
        fake_push(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_DELETE_SQ, .cdw10 = 1});
        fake_ring(f, &f->admin);
        f->image->cqs[1].base = NOWHERE;
        fake_run(f);
        assert_int_equal(fake_read(f, NVME_REG_CSTS), NVME_CSTS_RDY | NVME_CSTS_CFS);
        fake_restart(f);
        fake_run(f);
        assert_int_equal(fake_read(f, NVME_REG_CSTS), NVME_CSTS_RDY | NVME_CSTS_CFS);
}

/* Bus Master Enable is cleared under load: everything waits, nothing is lost. */
static void test_bus_master(void **state) {
        struct fake *f = *state;
        struct fake_queue q;
        struct nvme_cqe cqe = {0};

        fake_queue_create(f, &q, 1, 16);
        fake_push(f, &q, read_at(FAKE_DATA, 0, 1));
        fake_push(f, &q, read_at(FAKE_DATA, 0, 1));
        fake_ring(f, &q);
        f->no_bus_master = true;
        fake_run(f);
        assert_false(fake_pop(f, &q, &cqe));
        fake_push(f, &q, read_at(FAKE_DATA, 0, 1));
        fake_ring(f, &q);
        fake_run(f);
        assert_int_equal(fake_read(f, NVME_REG_CSTS), NVME_CSTS_RDY);
        f->no_bus_master = false;
        fake_ring(f, &q); /* any access */
        fake_run(f);
        for (unsigned int i = 0; i < 3; i++)
                assert_true(fake_pop(f, &q, &cqe));
        assert_false(fake_pop(f, &q, &cqe));
        fake_ring_cq(f, &q);
}

static void test_reset_under_load(void **state) {
        struct fake *f = *state;
        struct fake_queue q;
        struct nvme_cqe cqe;

        for (unsigned int round = 0; round < 20; round++) {
                fake_queue_create(f, &q, 1, 512);
                for (unsigned int i = 0; i < 400; i++)
                        fake_push(f, &q,
                                  i & 1 ? read_at(FAKE_DATA, 0, 1)
                                        : (struct nvme_sqe){.opcode = NVME_IO_FLUSH, .nsid = NVME_NSID_ALL});
                fake_ring(f, &q);
                for (unsigned int i = 0; i < round * 10; i++)
                        fake_step(f);
                if (round & 1) {
                        nvme_model.reset(f->device, (enum vpc_reset)(round % 4));
                        assert_int_equal(fake_read(f, NVME_REG_CSTS), 0);
                } else {
                        fake_write(f, NVME_REG_CC, 0);
                        assert_int_equal(fake_read(f, NVME_REG_CSTS), f->n_pending ? NVME_CSTS_RDY : 0);
                }
                assert_int_equal(f->counters.inflight, 0);
                fake_queue_init(f, &q, 1, 1, 512, 512);
                if (round & 2)
                        fake_run(f);
                fake_enable(f); /* waits for what was at media */
                assert_false(fake_pop(f, &q, &cqe));
        }
        assert_int_equal(f->n_pending, 0);
}

/* Doorbells before the controller is ready, and commands that nobody announced. */
static void test_not_ready(void **state) {
        struct fake *f = *state;

        fake_disable(f);
        for (uint64_t offset = NVME_REG_DOORBELLS; offset < NVME_REG_DOORBELLS + 64; offset += 4)
                fake_write(f, offset, 1);
        assert_int_equal(f->image->life.error_count, 0);
        assert_int_equal(f->n_dma_faults, 0);
        fake_enable(f);
        assert_int_equal(f->image->sqs[0].tail, 0);
}

/* More event requests, deletions and commands than there are admin slots: the rest waits its turn. */
static void test_admin_flood(void **state) {
        struct fake *f = *state;
        struct fake_queue q[14];
        struct nvme_cqe cqe = {0};
        unsigned int done = 0;

        for (unsigned int i = 0; i < 14; i++)
                fake_queue_create(f, &q[i], i + 1, 4);
        for (unsigned int i = 0; i < 14; i++) {
                fake_push(f, &q[i], read_at(FAKE_DATA, 0, 1));
                fake_ring(f, &q[i]);
        }
        for (unsigned int i = 0; i < NVME_AER_MAX; i++)
                fake_push(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_AER});
        for (unsigned int i = 0; i < 14; i++)
                fake_push(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_DELETE_SQ, .cdw10 = i + 1});
        fake_push(f, &f->admin, (struct nvme_sqe){.opcode = 0x7f});
        fake_ring(f, &f->admin);
        assert_false(fake_pop(f, &f->admin, &cqe));
        fake_run(f);
        while (fake_pop(f, &f->admin, &cqe))
                done++;
        assert_int_equal(done, 15);
        fake_ring_cq(f, &f->admin);
}

/* A command fails with a status, and the newest entry of the error log says which command, why, and where. */
static void refused(struct fake *f, struct fake_queue *q, struct nvme_sqe sqe, unsigned int status, unsigned int location) {
        struct nvme_cqe cqe = fake_command(f, q, sqe);
        struct nvme_error_entry entry;

        assert_int_equal(cqe.status >> 1, status);
        assert_int_equal(
                fake_status(
                        f, &f->admin,
                        (struct nvme_sqe){.opcode = NVME_ADMIN_GET_LOG, .prp1 = FAKE_DATA, .cdw10 = 15 << 16 | NVME_LOG_ERROR}),
                0);
        memcpy(&entry, fake_memory(f, FAKE_DATA), sizeof(entry));
        assert_int_equal(entry.count, f->image->life.error_count);
        assert_int_equal(entry.sq_id, q->id);
        assert_int_equal(entry.cid, cqe.cid);
        assert_int_equal(entry.status >> 1, status | NVME_MORE);
        assert_int_equal(entry.location, location);
        assert_int_equal(entry.nsid, sqe.nsid);
}

static void test_bad_input(void **state) {
        struct fake *f = *state;
        struct fake_queue q;
        const uint64_t end = FAKE_MEDIUM_SIZE / 512;
        struct nvme_sqe sqe = fake_transfer(f, NVME_IO_READ, 1, 0, 1, FAKE_DATA + 2);

        fake_queue_create(f, &q, 1, 16);
        refused(f, &q, sqe, DNR(NVME_SC_PRP_OFFSET_INVALID), 24);
        sqe = fake_transfer(f, NVME_IO_READ, 1, 0, 16, FAKE_DATA);
        sqe.prp2 += 512;
        refused(f, &q, sqe, DNR(NVME_SC_PRP_OFFSET_INVALID), 32);
        refused(f, &q, fake_transfer(f, NVME_IO_READ, 1, end - 1, 2, FAKE_DATA), DNR(NVME_SC_LBA_OUT_OF_RANGE), 40);
        refused(f, &q, fake_transfer(f, NVME_IO_COMPARE, 1, end, 1, FAKE_DATA), DNR(NVME_SC_LBA_OUT_OF_RANGE), 40);
        refused(f, &q, fake_transfer(f, NVME_IO_VERIFY, 1, UINT64_MAX, 1, 0), DNR(NVME_SC_LBA_OUT_OF_RANGE), 40);
        sqe = (struct nvme_sqe){.opcode = NVME_IO_READ, .nsid = 1, .prp1 = FAKE_DATA, .cdw12 = 0xffff};
        refused(f, &q, sqe, DNR(NVME_SC_INVALID_FIELD), 48); /* over MDTS */
        sqe = fake_transfer(f, NVME_IO_READ, 1, 0, 1, FAKE_DATA);
        sqe.flags = 1;
        refused(f, &q, sqe, DNR(NVME_SC_INVALID_FIELD), 1); /* fused */
        sqe.flags = 0;
        sqe.nsid = 77;
        refused(f, &q, sqe, DNR(NVME_SC_INVALID_NAMESPACE), 4);
        /* lists that lead to themselves, in PRPs and in an SGL */
        sqe = (struct nvme_sqe){.opcode = NVME_IO_READ, .nsid = 1, .prp1 = FAKE_DATA, .prp2 = FAKE_LISTS + 4088, .cdw12 = 2047};
        const uint64_t itself = FAKE_LISTS + 4088, half = FAKE_LISTS;
        memcpy(fake_memory(f, FAKE_LISTS + 4088), &itself, sizeof(itself));
        refused(f, &q, sqe, DNR(NVME_SC_PRP_OFFSET_INVALID), 32);
        memcpy(fake_memory(f, FAKE_LISTS + 4088), &half, sizeof(half));
        memset(fake_memory(f, FAKE_LISTS), 0, 8);
        refused(f, &q, sqe, DNR(NVME_SC_DATA_TRANSFER_ERROR), 24);
        const struct nvme_sgl loop = {.address = FAKE_LISTS, .length = 16, .type = NVME_SGL_SEGMENT};
        memcpy(fake_memory(f, FAKE_LISTS), &loop, sizeof(loop));
        sqe.flags = 0x40;
        memcpy(&sqe.prp1, &loop.address, 8);
        memcpy(&sqe.prp2, (const char *)&loop + 8, 8);
        refused(f, &q, sqe, DNR(NVME_SC_SGL_COUNT_INVALID), 24);
        /* It works as before. */
        assert_int_equal(fake_status(f, &q, fake_transfer(f, NVME_IO_READ, 1, 0, 1, FAKE_DATA)), 0);
}

/* [5.5] says nothing of queues that lie in the same memory: what is read there is what is executed, and others do not suffer. */
static void test_overlapping_queues(void **state) {
        struct fake *f = *state;
        struct fake_queue q, other;
        struct nvme_cqe cqe;

        fake_queue_create(f, &other, 2, 16);
        fake_queue_init(f, &q, 1, 1, 16, 16);
        q.cq = q.sq;
        assert_int_equal(
                fake_status(f, &f->admin,
                            (struct nvme_sqe){
                                    .opcode = NVME_ADMIN_CREATE_CQ, .prp1 = q.sq, .cdw10 = 15 << 16 | 1, .cdw11 = 1 << 16 | 3}),
                0);
        assert_int_equal(
                fake_status(f, &f->admin,
                            (struct nvme_sqe){
                                    .opcode = NVME_ADMIN_CREATE_SQ, .prp1 = q.sq, .cdw10 = 15 << 16 | 1, .cdw11 = 1 << 16 | 1}),
                0);
        for (unsigned int round = 0; round < 40; round++) {
                fake_push(f, &q, fake_transfer(f, NVME_IO_READ, 1, 0, 1, FAKE_DATA));
                fake_ring(f, &q);
                fake_run(f);
                q.head = (unsigned int)(f->image->cqs[1].posted % 16);
                fake_ring_cq(f, &q);
                assert_int_equal(fake_status(f, &other, fake_transfer(f, NVME_IO_READ, 1, 0, 1, FAKE_DATA)), 0);
        }
        assert_int_equal(fake_read(f, NVME_REG_CSTS), NVME_CSTS_RDY);
        assert_int_equal(fake_status(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_DELETE_SQ, .cdw10 = 1}), 0);
        /* A doorbell of the queue that is gone: an event with its entry in the log, and nothing is executed. */
        uint64_t errors = f->image->life.error_count;
        fake_push(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_AER});
        fake_ring(f, &f->admin);
        fake_write(f, NVME_REG_DOORBELLS + 8, 5);
        assert_true(fake_pop(f, &f->admin, &cqe));
        assert_int_equal(cqe.result, NVME_LOG_ERROR << 16 | NVME_EVENT_ERROR_REGISTER << 8 | NVME_EVENT_ERROR);
        assert_int_equal(f->image->life.error_count, errors + 1);
        fake_ring_cq(f, &f->admin);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_prp, setup, teardown),
                cmocka_unit_test_setup_teardown(test_bad_input, setup, teardown),
                cmocka_unit_test_setup_teardown(test_overlapping_queues, setup, teardown),
                cmocka_unit_test_setup_teardown(test_dma, setup, teardown),
                cmocka_unit_test_setup_teardown(test_doorbells, setup, teardown),
                cmocka_unit_test_setup_teardown(test_cq_full, setup, teardown),
                cmocka_unit_test_setup_teardown(test_delete_with_commands, setup, teardown),
                cmocka_unit_test_setup_teardown(test_delete_with_full_cq, setup, teardown),
                cmocka_unit_test_setup_teardown(test_queues_nowhere, setup, teardown),
                cmocka_unit_test_setup_teardown(test_admin_queue_nowhere, setup, teardown),
                cmocka_unit_test_setup_teardown(test_media_after_fatal, setup, teardown),
                cmocka_unit_test_setup_teardown(test_bus_master, setup, teardown),
                cmocka_unit_test_setup_teardown(test_reset_under_load, setup, teardown),
                cmocka_unit_test_setup_teardown(test_not_ready, setup, teardown),
                cmocka_unit_test_setup_teardown(test_admin_flood, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
