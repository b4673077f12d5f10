/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Read, write, flush: data and PRPs, errors of media, many commands, queues that wrap, counters, taking over an image. */
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

static void fill(unsigned char *p, size_t n, unsigned int seed) {
        for (size_t i = 0; i < n; i++)
                p[i] = (unsigned char)((i * 2654435761u + seed) >> 13);
}

/* Write from one place, read to another, compare with the medium; bytes around stay as they were. */
static void round_trip(struct fake *f, struct fake_queue *q, uint32_t nsid, uint64_t block, uint32_t blocks,
                       unsigned int offset) {
        size_t block_size = nsid == 2 ? 4096 : 512, length = blocks * block_size;
        unsigned char *data = fake_memory(f, FAKE_DATA + offset), *back = fake_memory(f, FAKE_DATA + 0x200000 + offset);

        fill(data, length, blocks + offset);
        memset(back - 4, 0x55, length + 8);
        assert_int_equal(fake_status(f, q, fake_transfer(f, NVME_IO_WRITE, nsid, block, blocks, FAKE_DATA + offset)), 0);
        assert_memory_equal(f->media[nsid - 1] + block * block_size, data, length);
        assert_int_equal(fake_status(f, q, fake_transfer(f, NVME_IO_READ, nsid, block, blocks, FAKE_DATA + 0x200000 + offset)),
                         0);
        assert_memory_equal(back, data, length);
        for (int i = 0; i < 4; i++) {
                assert_int_equal(back[i - 4], 0x55);
                assert_int_equal(back[length + (size_t)i], 0x55);
        }
}

static void test_sizes(void **state) {
        struct fake *f = *state;
        struct fake_queue q;

        fake_queue_create(f, &q, 1, 16);
        for (unsigned int offset = 4; offset < 4096; offset += 508)
                for (unsigned int blocks = 1; blocks <= 2048; blocks = blocks * 3 + 1)
                        round_trip(f, &q, 1, 10, blocks, offset);
        round_trip(f, &q, 1, 0, 2048, 4);                             /* the most, and the most pages */
        round_trip(f, &q, 1, FAKE_MEDIUM_SIZE / 512 - 2048, 2048, 0); /* the end */
        round_trip(f, &q, 2, 0, 256, 0);
        round_trip(f, &q, 2, FAKE_MEDIUM_SIZE / 4096 - 1, 1, 2048);
        assert_int_equal(f->last_n_iov, 1);
}

/* Pages in reverse order, so that each is a piece of its own; the list begins within a page and goes on in another. */
static void test_scattered(void **state) {
        struct fake *f = *state;
        struct fake_queue q;
        const unsigned int pages = 256;
        struct nvme_sqe sqe = fake_transfer(f, NVME_IO_WRITE, 1, 0, pages * 8, FAKE_DATA);

        fake_queue_create(f, &q, 1, 16);
        for (unsigned int in_first = 1; in_first <= 512; in_first *= 2) {
                uint64_t list = FAKE_LISTS + 4096 - in_first * 8, next = FAKE_LISTS + 0x10000, *entries = fake_memory(f, list);
                bool is_chained = in_first < pages - 1;

                sqe.prp1 = FAKE_DATA + pages * 4096;
                fill(fake_memory(f, sqe.prp1), 4096, 0);
                for (unsigned int i = 0, slot = 0; i < pages - 1; i++, slot++) {
                        uint64_t page = FAKE_DATA + (pages - 1 - i) * UINT64_C(4096);

                        fill(fake_memory(f, page), 4096, i + 1);
                        if (is_chained && slot == in_first - 1 && entries == fake_memory(f, list)) {
                                entries[slot] = next;
                                entries = fake_memory(f, next);
                                slot = 0;
                        }
                        entries[slot] = page;
                }
                sqe.prp2 = list;
                memset(f->media[0], 0, FAKE_MEDIUM_SIZE);
                assert_int_equal(fake_status(f, &q, sqe), 0);
                assert_int_equal(f->last_n_iov, pages);
                for (unsigned int i = 0; i < pages; i++)
                        assert_memory_equal(f->media[0] + i * 4096, fake_memory(f, FAKE_DATA + (pages - i) * UINT64_C(4096)),
                                            4096);
        }
}

static void test_across_windows(void **state) {
        struct fake *f = *state;
        struct fake_queue q;
        struct nvme_sqe sqe = fake_transfer(f, NVME_IO_READ, 1, 0, 16, FAKE_SECOND - 4096);

        fake_queue_create(f, &q, 1, 16);
        fill(f->media[0], 8192, 3);
        assert_int_equal(fake_status(f, &q, sqe), 0);
        assert_int_equal(f->last_n_iov, 2);
        assert_memory_equal(f->second, f->media[0] + 4096, 4096);
        assert_memory_equal(f->memory + FAKE_SIZE - 4096, f->media[0], 4096);
        /* a window that may only be read */
        memcpy(f->ro, "only to be read", 16);
        assert_int_equal(fake_status(f, &q, fake_transfer(f, NVME_IO_WRITE, 1, 0, 1, FAKE_RO)), 0);
        assert_memory_equal(f->media[0], "only to be read", 16);
        assert_int_equal(fake_status(f, &q, fake_transfer(f, NVME_IO_READ, 1, 0, 1, FAKE_RO)), DNR(NVME_SC_DATA_TRANSFER_ERROR));
}

static void test_ranges(void **state) {
        struct fake *f = *state;
        struct fake_queue q;
        uint64_t end = FAKE_MEDIUM_SIZE / 512;

        fake_queue_create(f, &q, 1, 16);
        assert_int_equal(fake_status(f, &q, fake_transfer(f, NVME_IO_READ, 1, end - 1, 1, FAKE_DATA)), 0);
        assert_int_equal(fake_status(f, &q, fake_transfer(f, NVME_IO_READ, 1, end - 1, 2, FAKE_DATA)),
                         DNR(NVME_SC_LBA_OUT_OF_RANGE));
        assert_int_equal(fake_status(f, &q, fake_transfer(f, NVME_IO_READ, 1, end, 1, FAKE_DATA)), DNR(NVME_SC_LBA_OUT_OF_RANGE));
        assert_int_equal(fake_status(f, &q, fake_transfer(f, NVME_IO_WRITE, 1, UINT64_MAX, 1, FAKE_DATA)),
                         DNR(NVME_SC_LBA_OUT_OF_RANGE));
        assert_int_equal(fake_status(f, &q, fake_transfer(f, NVME_IO_WRITE, 1, UINT64_MAX - 7, 8, FAKE_DATA)),
                         DNR(NVME_SC_LBA_OUT_OF_RANGE));
        assert_int_equal(fake_status(f, &q, fake_transfer(f, NVME_IO_WRITE, 2, UINT64_C(1) << 52, 1, FAKE_DATA)),
                         DNR(NVME_SC_LBA_OUT_OF_RANGE));
        assert_int_equal(
                fake_status(f, &q, (struct nvme_sqe){.opcode = NVME_IO_READ, .nsid = 1, .prp1 = FAKE_DATA, .cdw12 = 2048}),
                DNR(NVME_SC_INVALID_FIELD)); /* MDTS */
        assert_int_equal(
                fake_status(f, &q, (struct nvme_sqe){.opcode = NVME_IO_READ, .nsid = 2, .prp1 = FAKE_DATA, .cdw12 = 256}),
                DNR(NVME_SC_INVALID_FIELD));
        assert_int_equal(
                fake_status(f, &q, (struct nvme_sqe){.opcode = NVME_IO_READ, .nsid = 2, .prp1 = FAKE_DATA, .cdw12 = 0xffff}),
                DNR(NVME_SC_INVALID_FIELD));
        assert_int_equal(f->n_submitted[VPC_IO_READ], 1);
        assert_int_equal(f->n_submitted[VPC_IO_WRITE], 0);
}

static void test_namespaces(void **state) {
        struct fake *f = *state;
        struct fake_queue q;

        fake_queue_create(f, &q, 1, 16);
        for (unsigned int opcode = NVME_IO_FLUSH; opcode <= NVME_IO_READ; opcode++) {
                struct nvme_sqe sqe = fake_transfer(f, (uint8_t)opcode, 1, 0, 1, FAKE_DATA);

                sqe.nsid = 3;
                assert_int_equal(fake_status(f, &q, sqe), DNR(NVME_SC_INVALID_FIELD));
                sqe.nsid = 0;
                assert_int_equal(fake_status(f, &q, sqe), DNR(NVME_SC_INVALID_NAMESPACE));
                sqe.nsid = NVME_NAMESPACES + 1;
                assert_int_equal(fake_status(f, &q, sqe), DNR(NVME_SC_INVALID_NAMESPACE));
                if (opcode != NVME_IO_FLUSH) {
                        sqe.nsid = NVME_NSID_ALL;
                        assert_int_equal(fake_status(f, &q, sqe), DNR(NVME_SC_INVALID_NAMESPACE));
                }
        }
        assert_int_equal(fake_status(f, &q, fake_transfer(f, NVME_IO_WRITE, 5, 0, 1, FAKE_DATA)), DNR(NVME_SC_WRITE_PROTECTED));
        assert_int_equal(fake_status(f, &q, fake_transfer(f, NVME_IO_READ, 5, 0, 1, FAKE_DATA)), 0);
        for (unsigned int opcode = NVME_IO_VERIFY + 1; opcode < 256; opcode++)
                if (opcode > NVME_IO_RESERVE_REPORT && opcode != NVME_IO_RESERVE_ACQUIRE && opcode != NVME_IO_RESERVE_RELEASE &&
                    opcode != NVME_IO_COPY)
                        assert_int_equal(fake_status(f, &q, fake_transfer(f, (uint8_t)opcode, 1, 0, 1, FAKE_DATA)),
                                         DNR(NVME_SC_INVALID_OPCODE));
}

static void test_flush(void **state) {
        struct fake *f = *state;
        struct fake_queue q;
        struct nvme_sqe sqe = fake_transfer(f, NVME_IO_WRITE, 2, 0, 1, FAKE_DATA);

        fake_queue_create(f, &q, 1, 16);
        assert_int_equal(fake_status(f, &q, sqe), 0);
        assert_int_equal(f->n_submitted[VPC_IO_FLUSH], 0);
        assert_int_equal(fake_status(f, &q, (struct nvme_sqe){.opcode = NVME_IO_FLUSH, .nsid = 2}), 0);
        assert_int_equal(f->n_flushed[1], 1);
        assert_int_equal(fake_status(f, &q, (struct nvme_sqe){.opcode = NVME_IO_FLUSH, .nsid = NVME_NSID_ALL}), 0);
        assert_int_equal(f->n_flushed[0], 1);
        assert_int_equal(f->n_flushed[1], 2);
        assert_int_equal(f->n_flushed[2], 1);
        sqe.cdw12 |= NVME_IO_FUA;
        assert_int_equal(fake_status(f, &q, sqe), 0);
        assert_int_equal(f->n_flushed[1], 3);
        sqe.opcode = NVME_IO_READ;
        fill(f->media[1], 4096, 9);
        assert_int_equal(fake_status(f, &q, sqe), 0);
        assert_int_equal(f->n_flushed[1], 4);
        assert_memory_equal(fake_memory(f, FAKE_DATA), f->media[1], 4096);
        assert_int_equal(f->counters.other_ops, 2);
}

static void test_media_errors(void **state) {
        struct fake *f = *state;
        struct fake_queue q;
        static const struct {
                int error;
                unsigned int read, write;
        } cases[] = {
                {-EIO, DNR(NVME_SC_READ_ERROR), DNR(NVME_SC_WRITE_FAULT)},
                {-ENODATA, DNR(NVME_SC_READ_ERROR), DNR(NVME_SC_WRITE_FAULT)}, /* what Linux makes of a medium error */
                {-EILSEQ, DNR(NVME_SC_READ_ERROR), DNR(NVME_SC_WRITE_FAULT)},
                {-EBADMSG, DNR(NVME_SC_READ_ERROR), DNR(NVME_SC_WRITE_FAULT)},
                {-EUCLEAN, DNR(NVME_SC_READ_ERROR), DNR(NVME_SC_WRITE_FAULT)},
                {-ENOSPC, DNR(NVME_SC_CAPACITY_EXCEEDED), DNR(NVME_SC_CAPACITY_EXCEEDED)},
                {-EROFS, DNR(NVME_SC_WRITE_PROTECTED), DNR(NVME_SC_WRITE_PROTECTED)},
                {-EFAULT, DNR(NVME_SC_DATA_TRANSFER_ERROR), DNR(NVME_SC_DATA_TRANSFER_ERROR)},
                {-ENOMEM, NVME_SC_INTERNAL_ERROR, NVME_SC_INTERNAL_ERROR},
        };

        fake_queue_create(f, &q, 1, 16);
        for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                f->media_error = cases[i].error;
                assert_int_equal(fake_status(f, &q, fake_transfer(f, NVME_IO_READ, 1, 0, 1, FAKE_DATA)), cases[i].read);
                assert_int_equal(fake_status(f, &q, fake_transfer(f, NVME_IO_WRITE, 1, 0, 1, FAKE_DATA)), cases[i].write);
                assert_int_equal(fake_status(f, &q, (struct nvme_sqe){.opcode = NVME_IO_FLUSH, .nsid = NVME_NSID_ALL}),
                                 cases[i].write);
        }
        f->media_error = 0;
        assert_int_equal(fake_status(f, &q, fake_transfer(f, NVME_IO_READ, 1, 0x1234, 1, FAKE_DATA)), 0);
        f->media_error = -EIO;
        assert_int_equal(fake_status(f, &q, fake_transfer(f, NVME_IO_READ, 1, 0x1234, 1, FAKE_DATA)), DNR(NVME_SC_READ_ERROR));
        const struct nvme_error_entry *e = &f->image->errors[f->image->life.error_count % NVME_ERROR_ENTRIES];
        assert_int_equal(e->lba, 0x1234);
        assert_int_equal(e->nsid, 1);
        assert_int_equal(e->sq_id, 1);
        assert_int_equal(e->location, 0xffff);
        assert_int_equal(f->image->life.media_errors, 16);
        assert_int_equal(f->counters.errors, 28);
        f->media_error = 0;
}

/* A FUA write whose flush fails has failed. */
static void test_fua_error(void **state) {
        struct fake *f = *state;
        struct fake_queue q;
        struct nvme_sqe sqe = fake_transfer(f, NVME_IO_WRITE, 1, 0, 1, FAKE_DATA);
        struct nvme_cqe cqe = {0};

        fake_queue_create(f, &q, 1, 16);
        sqe.cdw12 |= NVME_IO_FUA;
        fake_push(f, &q, sqe);
        fake_ring(f, &q);
        fake_step(f);
        assert_false(fake_pop(f, &q, &cqe));
        f->media_error = -EIO;
        fake_step(f);
        assert_true(fake_pop(f, &q, &cqe));
        assert_int_equal(cqe.status >> 1, DNR(NVME_SC_WRITE_FAULT));
        fake_ring_cq(f, &q);
        f->media_error = 0;
}

static void test_counters(void **state) {
        struct fake *f = *state;
        struct fake_queue q;

        fake_queue_create(f, &q, 1, 16);
        fake_push(f, &q, fake_transfer(f, NVME_IO_READ, 1, 0, 8, FAKE_DATA));
        fake_push(f, &q, fake_transfer(f, NVME_IO_WRITE, 2, 0, 1, FAKE_DATA));
        fake_push(f, &q, (struct nvme_sqe){.opcode = NVME_IO_FLUSH, .nsid = 1});
        fake_push(f, &q, (struct nvme_sqe){.opcode = 0x7f, .nsid = 1});
        fake_ring(f, &q);
        assert_int_equal(f->counters.inflight, 3);
        /* What was held back is counted with the command, not before. */
        f->pending[0]->waited_ns = 700000;
        f->now += 1000000;
        assert_int_equal(f->counters.qos_ns, 0);
        fake_run(f);
        assert_int_equal(f->counters.inflight, 0);
        assert_int_equal(f->counters.read_ops, 1);
        assert_int_equal(f->counters.write_ops, 1);
        assert_int_equal(f->counters.other_ops, 2);
        assert_int_equal(f->counters.read_bytes, 4096);
        assert_int_equal(f->counters.write_bytes, 4096);
        assert_int_equal(f->counters.errors, 1);
        assert_int_equal(f->counters.admin_ops, 2);
        assert_true(f->counters.busy_ns >= 3000000);
        assert_int_equal(f->counters.qos_ns, 700000);
        assert_true(f->image->life.busy_ns >= 1000000 && f->image->life.busy_ns < 3000000);
}

/* Of a command's two requests the first ends later, the second at once, when nothing is fetched: its time is counted once. */
static void test_busy_is_counted_once(void **state) {
        struct fake *f = *state;
        struct fake_queue q;
        struct nvme_sqe sqe;

        fake_inline(f);
        f->is_inline = false;
        f->now = UINT64_C(1000000000000);
        fake_queue_create(f, &q, 1, 16);
        sqe = fake_transfer(f, NVME_IO_WRITE, 1, 0, 8, FAKE_DATA);
        sqe.cdw12 |= NVME_IO_FUA;
        fake_push(f, &q, sqe);
        fake_ring(f, &q);
        f->is_inline = true;
        f->now += 1000000;
        fake_run(f);
        assert_int_equal(f->n_flushed[0], 1);
        assert_int_equal(f->counters.inflight, 0);
        assert_true(f->counters.busy_ns >= 1000000 && f->counters.busy_ns < 2000000);
        assert_true(f->image->life.busy_ns >= 1000000 && f->image->life.busy_ns < 2000000);
}

/* Many more commands than slots, on several queues that wrap often: each is completed once, with its data. */
static void test_many(void **state) {
        struct fake *f = *state;
        struct fake_queue q[8];
        static unsigned char seen[0x10000];
        unsigned int done = 0, pushed = 0;

        memset(seen, 0, sizeof(seen));
        for (unsigned int i = 0; i < 8; i++)
                fake_queue_create(f, &q[i], i + 1, 64 + i);
        for (unsigned int round = 0; round < 40; round++) {
                for (unsigned int i = 0; i < 8; i++) {
                        for (unsigned int n = 0; n < q[i].size - 1; n++, pushed++)
                                fake_push(f, &q[i],
                                          fake_transfer(f, n & 1 ? NVME_IO_READ : NVME_IO_WRITE, 1, n, 1, FAKE_DATA + n * 512));
                        fake_ring(f, &q[i]);
                }
                assert_int_equal(f->counters.inflight, NVME_IO_SLOTS);
                fake_run(f);
                for (unsigned int i = 0; i < 8; i++) {
                        struct nvme_cqe cqe;

                        while (fake_pop(f, &q[i], &cqe)) {
                                assert_int_equal(cqe.status >> 1, 0);
                                assert_int_equal(cqe.sq_id, i + 1);
                                assert_int_equal(seen[cqe.cid]++, 0);
                                done++;
                        }
                        fake_ring_cq(f, &q[i]);
                }
                assert_int_equal(done, pushed);
        }
        assert_true(f->n_timers > 0); /* bounded work for one event */
        assert_int_equal(f->counters.inflight, 0);
        assert_false(f->level);
}

/* One queue's flood does not keep another's command waiting for its end. */
static void test_fair(void **state) {
        struct fake *f = *state;
        struct fake_queue a, b;
        struct nvme_cqe cqe;
        unsigned int steps = 0;

        fake_queue_create(f, &a, 1, 1024);
        fake_queue_create(f, &b, 2, 16);
        for (unsigned int i = 0; i < 1023; i++)
                fake_push(f, &a, fake_transfer(f, NVME_IO_READ, 1, 0, 1, FAKE_DATA));
        fake_ring(f, &a);
        fake_push(f, &b, fake_transfer(f, NVME_IO_READ, 1, 0, 1, FAKE_DATA));
        fake_ring(f, &b);
        while (!fake_pop(f, &b, &cqe)) {
                assert_true(fake_step(f));
                steps++;
        }
        fake_ring_cq(f, &b);
        assert_true(steps <= NVME_IO_SLOTS + 1);
}

/* Admin commands have slots of their own. */
static void test_admin_under_load(void **state) {
        struct fake *f = *state;
        struct fake_queue q;
        struct nvme_cqe cqe;

        fake_queue_create(f, &q, 1, 1024);
        for (unsigned int i = 0; i < 1000; i++)
                fake_push(f, &q, fake_transfer(f, NVME_IO_READ, 1, 0, 1, FAKE_DATA));
        fake_ring(f, &q);
        while (f->timer != UINT64_MAX) {
                f->timer = UINT64_MAX;
                nvme_model.timer(f->device);
        }
        assert_int_equal(f->n_pending, NVME_IO_SLOTS);
        fake_push(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_IDENTIFY, .prp1 = FAKE_DATA, .cdw10 = 1});
        fake_ring(f, &f->admin);
        assert_true(fake_pop(f, &f->admin, &cqe));
        assert_int_equal(f->n_pending, NVME_IO_SLOTS);
        fake_ring_cq(f, &f->admin);
}

/* Several submission queues on one completion queue, with one interrupt for what one event completes. */
static void test_shared_cq(void **state) {
        struct fake *f = *state;
        struct fake_queue a, b;
        struct nvme_cqe cqe;

        fake_queue_create(f, &a, 1, 16);
        fake_queue_init(f, &b, 2, 1, 8, 16);
        assert_int_equal(
                fake_status(f, &f->admin,
                            (struct nvme_sqe){
                                    .opcode = NVME_ADMIN_CREATE_SQ, .prp1 = b.sq, .cdw10 = 7 << 16 | 2, .cdw11 = 1 << 16 | 1}),
                0);
        for (unsigned int i = 0; i < 5; i++)
                fake_push(f, &b, (struct nvme_sqe){.opcode = 0x7f});
        fake_ring(f, &b);
        assert_int_equal(f->irqs[1], 1);
        for (unsigned int i = 0; i < 5; i++) {
                assert_true(fake_pop(f, &a, &cqe));
                assert_int_equal(cqe.sq_id, 2);
        }
        assert_false(fake_pop(f, &a, &cqe));
        fake_ring_cq(f, &a);
        assert_int_equal(fake_status(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_DELETE_SQ, .cdw10 = 1}), 0);
        assert_int_equal(fake_status(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_DELETE_CQ, .cdw10 = 1}),
                         DNR(NVME_SC_INVALID_QUEUE_DELETION));
        assert_int_equal(fake_status(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_DELETE_SQ, .cdw10 = 2}), 0);
        assert_int_equal(fake_status(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_DELETE_CQ, .cdw10 = 1}), 0);
}

static void test_no_interrupts(void **state) {
        struct fake *f = *state;
        struct fake_queue q;
        struct nvme_cqe cqe;

        fake_queue_init(f, &q, 1, 1, 16, 16);
        assert_int_equal(
                fake_status(f, &f->admin,
                            (struct nvme_sqe){.opcode = NVME_ADMIN_CREATE_CQ, .prp1 = q.cq, .cdw10 = 15 << 16 | 1, .cdw11 = 1}),
                0);
        assert_int_equal(
                fake_status(f, &f->admin,
                            (struct nvme_sqe){
                                    .opcode = NVME_ADMIN_CREATE_SQ, .prp1 = q.sq, .cdw10 = 15 << 16 | 1, .cdw11 = 1 << 16 | 1}),
                0);
        unsigned int before = f->irqs[0];
        fake_push(f, &q, (struct nvme_sqe){.opcode = 0x7f});
        fake_ring(f, &q);
        assert_true(fake_pop(f, &q, &cqe));
        assert_int_equal(f->irqs[0], before);
        assert_false(f->level);
}

/* The process ends with commands at media, posted, held and waiting; the next one completes each exactly once. */
static void test_restart(void **state) {
        struct fake *f = *state;
        struct fake_queue q;
        struct nvme_cqe cqe = {0};
        static unsigned char seen[0x10000];
        unsigned int done = 0;

        memset(seen, 0, sizeof(seen));
        fake_queue_create(f, &q, 1, 8);
        fake_push(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_AER});
        fake_ring(f, &f->admin);
        for (unsigned int round = 0; round < 6; round++) {
                fill(fake_memory(f, FAKE_DATA), 7 * 512, round);
                for (unsigned int i = 0; i < 7; i++)
                        fake_push(f, &q, fake_transfer(f, NVME_IO_WRITE, 1, round * 7 + i, 1, FAKE_DATA + i * 512));
                fake_ring(f, &q);
                for (unsigned int i = 0; i < round; i++)
                        fake_step(f);
                if (round == 3)
                        fake_ring_cq(f, &q); /* nothing read yet */
                fake_restart(f);
                assert_int_equal(fake_read(f, NVME_REG_CSTS), NVME_CSTS_RDY);
                fake_run(f);
                while (fake_pop(f, &q, &cqe)) {
                        assert_int_equal(cqe.status >> 1, 0);
                        assert_int_equal(seen[cqe.cid]++, 0);
                        done++;
                }
                assert_int_equal(done, (round + 1) * 7);
                assert_memory_equal(f->media[0] + round * 7 * 512, fake_memory(f, FAKE_DATA), 7 * 512);
                assert_true(f->level);
                fake_ring_cq(f, &q);
                assert_false(f->level);
        }
        fake_write(f, NVME_REG_DOORBELLS + 9 * 8, 1); /* the event request is still there */
        assert_true(fake_pop(f, &f->admin, &cqe));
        assert_int_equal(cqe.result, NVME_LOG_ERROR << 16 | NVME_EVENT_ERROR_REGISTER << 8 | NVME_EVENT_ERROR);
        fake_ring_cq(f, &f->admin);
}

/* The first event after a restart completes a command that was under way, and there is no room for its completion. */
static void test_restart_event(void **state) {
        struct fake *f = *state;
        struct nvme_cqe cqe = {0};
        unsigned int n = 0;
        uint16_t aer = fake_push(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_AER});

        for (unsigned int i = 0; i < 31; i++) {
                fake_push(f, &f->admin, (struct nvme_sqe){.opcode = 0x7f});
                fake_ring(f, &f->admin);
        }
        fake_restart(f);
        fake_write(f, NVME_REG_DOORBELLS + 9 * 8, 1);
        fake_run(f);
        for (; fake_pop(f, &f->admin, &cqe); n++)
                assert_int_not_equal(cqe.cid, aer);
        assert_int_equal(n, 31);
        fake_ring_cq(f, &f->admin);
        assert_true(fake_pop(f, &f->admin, &cqe));
        assert_int_equal(cqe.cid, aer);
        assert_false(fake_pop(f, &f->admin, &cqe));
        fake_ring_cq(f, &f->admin);
        assert_int_equal(fake_status(f, &f->admin, (struct nvme_sqe){.opcode = 0x7f}), DNR(NVME_SC_INVALID_OPCODE));
}

/* As if the process had died while it executed the commands that are at media; false: there are none. */
static bool die_executing(struct fake *f) {
        bool any = false;

        for (unsigned int i = 0; i < NVME_SLOTS; i++)
                if (f->image->slots[i].state == NVME_SLOT_MEDIA) {
                        f->image->slots[i].state = NVME_SLOT_FETCHED;
                        any = true;
                }
        return any;
}

/* The same, in the midst of things: a reset, a shutdown, the deletion of a queue, a command that was being executed. */
static void test_restart_changes(void **state) {
        struct fake *f = *state;
        struct fake_queue q;
        struct nvme_cqe cqe = {0};

        fake_queue_create(f, &q, 1, 8);
        fake_push(f, &q, fake_transfer(f, NVME_IO_WRITE, 1, 0, 1, FAKE_DATA));
        fake_ring(f, &q);
        fake_push(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_DELETE_SQ, .cdw10 = 1});
        fake_ring(f, &f->admin);
        fake_restart(f);
        fake_run(f);
        assert_true(fake_pop(f, &q, &cqe));
        assert_true(fake_pop(f, &f->admin, &cqe));
        assert_int_equal(cqe.status >> 1, 0);
        fake_ring_cq(f, &f->admin);
        fake_ring_cq(f, &q);

        assert_int_equal(fake_status(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_DELETE_CQ, .cdw10 = 1}), 0);
        fake_queue_create(f, &q, 1, 8);
        fake_push(f, &q, fake_transfer(f, NVME_IO_WRITE, 1, 0, 1, FAKE_DATA));
        fake_ring(f, &q);
        assert_true(die_executing(f));
        fake_restart(f);
        fake_run(f);
        assert_true(fake_pop(f, &q, &cqe));
        assert_int_equal(cqe.status >> 1, 0);
        fake_ring_cq(f, &q);

        /* One that ends every process fails in the end. */
        fake_push(f, &q, fake_transfer(f, NVME_IO_WRITE, 1, 0, 1, FAKE_DATA));
        fake_ring(f, &q);
        while (die_executing(f)) {
                fake_restart(f);
                nvme_model.timer(f->device);
        }
        fake_run(f);
        assert_true(fake_pop(f, &q, &cqe));
        assert_int_equal(cqe.status >> 1, NVME_SC_INTERNAL_ERROR);
        fake_ring_cq(f, &q);

        fake_push(f, &q, fake_transfer(f, NVME_IO_WRITE, 1, 0, 1, FAKE_DATA));
        fake_ring(f, &q);
        fake_write(f, NVME_REG_CC, 0x00460000);
        fake_restart(f);
        fake_run(f);
        assert_int_equal(fake_read(f, NVME_REG_CSTS), 0);
        fake_enable(f);
        fake_write(f, NVME_REG_CC, 0x00464001);
        fake_restart(f);
        fake_run(f);
        assert_int_equal(fake_read(f, NVME_REG_CSTS), NVME_CSTS_RDY | NVME_CSTS_SHST_COMPLETE);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_sizes, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_scattered, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_across_windows, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_ranges, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_namespaces, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_flush, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_media_errors, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_fua_error, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_counters, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_busy_is_counted_once, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_many, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_fair, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_admin_under_load, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_shared_cq, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_no_interrupts, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_restart, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_restart_event, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_restart_changes, fake_setup, fake_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
