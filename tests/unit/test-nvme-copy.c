/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copy: what ends up where, in which requests, what is refused, and what becomes of one that is ended, or done again. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nvme-host.h"
#include "util.h"

#define DNR(status) ((status) | NVME_DNR)
#define BLOCKS (FAKE_MEDIUM_SIZE / 512)
#define PIECE_BLOCKS (NVME_COPY_PIECE / 512)

static struct fake_queue q;

static int setup(void **state) {
        struct fake *f = fake_new();

        fake_enable(f);
        fake_queue_create(f, &q, 1, 64);
        for (unsigned int medium = 0; medium < FAKE_MEDIA; medium++)
                for (uint32_t i = 0; i < FAKE_MEDIUM_SIZE; i += 4) {
                        const uint32_t value = (i >> 9 << 8 | medium) * 2654435761u + i % 512;

                        memcpy(f->media[medium] + i, &value, sizeof(value));
                }
        *state = f;
        return 0;
}

static int teardown(void **state) {
        fake_free(*state);
        return 0;
}

struct range {
        uint64_t first;
        uint32_t blocks;
};

/* The list is in front of a page's end, and goes on in the next. */
static struct nvme_sqe copy(struct fake *f, uint32_t nsid, uint64_t to, const struct range *ranges, unsigned int n) {
        for (unsigned int i = 0; i < n; i++) {
                const struct nvme_copy_range range = {
                        .reserved = UINT64_MAX, .first = ranges[i].first, .blocks = ranges[i].blocks - 1};

                memcpy(fake_memory(f, FAKE_DATA + 4032 + i * sizeof(range)), &range, sizeof(range));
        }
        return (struct nvme_sqe){.opcode = NVME_IO_COPY,
                                 .nsid = nsid,
                                 .prp1 = FAKE_DATA + 4032,
                                 .prp2 = FAKE_DATA + 4096,
                                 .cdw10 = (uint32_t)to,
                                 .cdw11 = (uint32_t)(to >> 32),
                                 .cdw12 = n - 1};
}

/* What the medium must be afterwards: all of it. */
static void *expect(const struct fake *f, unsigned int medium, unsigned int shift, uint64_t to, const struct range *ranges,
                    unsigned int n) {
        unsigned char *wanted = malloc(FAKE_MEDIUM_SIZE);

        assert_non_null(wanted);
        memcpy(wanted, f->media[medium], FAKE_MEDIUM_SIZE);
        for (unsigned int i = 0; i < n; to += ranges[i].blocks, i++)
                memcpy(wanted + (to << shift), f->media[medium] + (ranges[i].first << shift), (size_t)ranges[i].blocks << shift);
        return wanted;
}

static void assert_is(const struct fake *f, unsigned int medium, void *wanted) {
        assert_memory_equal(f->media[medium], wanted, FAKE_MEDIUM_SIZE);
        free(wanted);
}

static void copies(struct fake *f, uint32_t nsid, uint64_t to, const struct range *ranges, unsigned int n) {
        void *wanted = expect(f, nsid - 1, nsid == 2 ? 12 : 9, to, ranges, n);

        assert_int_equal(fake_status(f, &q, copy(f, nsid, to, ranges, n)), 0);
        assert_is(f, nsid - 1, wanted);
}

static void last_error(struct fake *f, struct nvme_error_entry *ret_entry) {
        const uint64_t n = f->image->life.error_count;

        *ret_entry = f->image->errors[n % NVME_ERROR_ENTRIES];
        assert_int_equal(ret_entry->count, n);
}

/* Refused or failed: the status, the range in dword 0, the byte at fault, the block. */
static void fails(struct fake *f, struct nvme_sqe sqe, unsigned int status, uint32_t range, unsigned int location,
                  uint64_t block) {
        const struct nvme_cqe cqe = fake_command(f, &q, sqe);
        struct nvme_error_entry entry;

        assert_int_equal(cqe.status >> 1, status);
        assert_int_equal(cqe.result, range);
        last_error(f, &entry);
        assert_int_equal(entry.location, location);
        assert_int_equal(entry.lba, block);
}

static uint64_t get(struct fake *f, unsigned int offset, unsigned int bytes) {
        uint64_t value = 0;

        memcpy(&value, (char *)fake_memory(f, FAKE_DATA) + offset, bytes);
        return value;
}

static void test_identify(void **state) {
        struct fake *f = *state;
        struct nvme_sqe sqe = {.opcode = NVME_ADMIN_IDENTIFY, .prp1 = FAKE_DATA, .cdw10 = 1};

        assert_int_equal(fake_status(f, &f->admin, sqe), 0);
        assert_int_equal(get(f, 520, 2) >> 8, 1); /* ONCS */
        assert_int_equal(get(f, 534, 2), 1);      /* OCFS */
        sqe.cdw10 = 0;
        for (sqe.nsid = 1; sqe.nsid <= 2; sqe.nsid++) {
                const unsigned int blocks = sqe.nsid == 2 ? 256 : 2048;

                assert_int_equal(fake_status(f, &f->admin, sqe), 0);
                assert_int_equal(get(f, 74, 2), blocks); /* MSSRL, MCL, MSRC */
                assert_int_equal(get(f, 76, 4), blocks);
                assert_int_equal(get(f, 80, 1), 127);
        }
        sqe = (struct nvme_sqe){.opcode = NVME_ADMIN_GET_LOG,
                                .prp1 = FAKE_DATA,
                                .cdw10 = 1023 << 16 | NVME_LOG_EFFECTS}; /* supported, changes blocks */
        assert_int_equal(fake_status(f, &f->admin, sqe), 0);
        assert_int_equal(get(f, 1024 + NVME_IO_COPY * 4, 4), 3);
}

static void test_copy(void **state) {
        struct fake *f = *state;
        struct range many[NVME_COPY_RANGES];

        copies(f, 1, 1000, (struct range[]){{.first = 3, .blocks = 1}}, 1);
        copies(f, 2, 7, (struct range[]){{900, 3}, {1, 1}, {900, 2}}, 3); /* sources may be the same */
        assert_int_equal(f->n_submitted[VPC_IO_READ], 4);
        assert_int_equal(f->n_submitted[VPC_IO_WRITE], 2);
        /* As many, and as much, as there may be; and side by side. */
        for (unsigned int i = 0; i < NVME_COPY_RANGES; i++)
                many[i] = (struct range){.first = 4096 + (i * 37u) % 4000, .blocks = 1 + i % 29};
        copies(f, 1, 11, many, NVME_COPY_RANGES);
        copies(f, 1, 0, (struct range[]){{.first = 2048, .blocks = 2048}}, 1);
        copies(f, 1, BLOCKS - 2048, (struct range[]){{5, 77}, {2048, 1900}, {BLOCKS - 2048 - 71, 71}}, 3);
        copies(f, 2, 256, (struct range[]){{0, 256}}, 1);
}

/* What is far apart is gathered, and goes to the medium in pieces; nothing of a source is read twice. */
static void test_requests(void **state) {
        struct fake *f = *state;
        const struct range ranges[] = {{4000, 100}, {5000, 100}, {6000, 200}};

        copies(f, 1, 0, ranges, 3);
        assert_int_equal(f->n_submitted[VPC_IO_READ], 6); /* of 100; 28 + 72; 56 + 128 + 16 */
        assert_int_equal(f->n_submitted[VPC_IO_WRITE], 4);
        assert_int_equal(f->n_submitted[VPC_IO_FLUSH], 0);
        assert_int_equal(f->counters.write_ops, 1);
        assert_int_equal(f->counters.read_ops + f->counters.other_ops, 0);
        assert_int_equal(f->counters.read_bytes, 400 * 512);
        assert_int_equal(f->counters.write_bytes, 400 * 512);
        assert_int_equal(f->image->life.reads, 1);
        assert_int_equal(f->image->life.writes, 1);
        assert_int_equal(f->image->life.read_bytes, 400 * 512);
        assert_int_equal(f->image->life.write_bytes, 400 * 512);
        fails(f, copy(f, 1, BLOCKS, ranges, 1), DNR(NVME_SC_LBA_OUT_OF_RANGE), 0, 40, BLOCKS);
        assert_int_equal(f->counters.write_ops, 2);
        assert_int_equal(f->counters.write_bytes, 400 * 512);
        assert_int_equal(f->image->life.writes, 2);
}

static void test_flush(void **state) {
        struct fake *f = *state;
        const struct range ranges[] = {{100, 200}};
        struct nvme_sqe sqe = copy(f, 1, 1000, ranges, 1);

        sqe.cdw12 |= NVME_IO_FUA;
        assert_int_equal(fake_status(f, &q, sqe), 0);
        assert_int_equal(f->n_flushed[0], 1); /* once, at the end */
        f->image->features[NVME_FEAT_WRITE_CACHE] = 0;
        copies(f, 1, 2000, ranges, 1);
        assert_int_equal(f->n_flushed[0], 2);
}

static void test_refused(void **state) {
        struct fake *f = *state;
        struct range many[NVME_COPY_RANGES + 1];
        const unsigned int size = DNR(NVME_SC_COPY_LIMIT), end = DNR(NVME_SC_LBA_OUT_OF_RANGE);
        struct nvme_sqe sqe = copy(f, 1, 100, (struct range[]){{0, 1}}, 1);

        for (uint32_t format = 1; format < 16; format++) {
                sqe.cdw12 = format << 8;
                fails(f, sqe, DNR(NVME_SC_INVALID_FIELD), 0, 49, 100);
        }
        for (unsigned int i = 0; i <= NVME_COPY_RANGES; i++)
                many[i] = (struct range){.first = i, .blocks = 1};
        fails(f, copy(f, 1, 1000, many, NVME_COPY_RANGES + 1), size, 0, 48, 1000);
        fails(f, copy(f, 1, 4096, (struct range[]){{0, 2049}}, 1), size, 0, 24, 4096);
        fails(f, copy(f, 1, 4096, (struct range[]){{0, 2048}, {0, 1}}, 2), size, 0, 24, 4096);
        fails(f, copy(f, 1, 4096, (struct range[]){{0, 65536}}, 1), size, 0, 24, 4096);
        fails(f, copy(f, 2, 512, (struct range[]){{0, 257}}, 1), size, 0, 24, 512);
        fails(f, copy(f, 1, 0, (struct range[]){{100, 2}, {BLOCKS - 1, 2}}, 2), end, 0, 24, BLOCKS - 1);
        fails(f, copy(f, 1, 0, (struct range[]){{UINT64_MAX, 2}}, 1), end, 0, 24, UINT64_MAX);
        fails(f, copy(f, 1, BLOCKS - 2, (struct range[]){{0, 1}, {3, 2}}, 2), end, 0, 40, BLOCKS - 2);
        fails(f, copy(f, 1, UINT64_MAX, (struct range[]){{0, 2}}, 1), end, 0, 40, UINT64_MAX);
        fails(f, copy(f, 5, 100, (struct range[]){{0, 1}}, 1), DNR(NVME_SC_WRITE_PROTECTED), 0, 4, 100);
        fails(f, copy(f, 3, 100, (struct range[]){{0, 1}}, 1), DNR(NVME_SC_INVALID_FIELD), 0, 4, 100);
        fails(f, copy(f, NVME_NSID_ALL, 100, (struct range[]){{0, 1}}, 1), DNR(NVME_SC_INVALID_NAMESPACE), 0, 4, 100);
        sqe = copy(f, 1, 100, (struct range[]){{0, 1}}, 1);
        sqe.prp1 = UINT64_C(1) << 60;
        fails(f, sqe, DNR(NVME_SC_DATA_TRANSFER_ERROR), 0, 24, 100);
        sqe = copy(f, 1, 100, many, 20);
        sqe.prp2++;
        fails(f, sqe, DNR(NVME_SC_PRP_OFFSET_INVALID), 0, 32, 100);
        for (unsigned int op = 0; op < VPC_IO_OPS; op++)
                assert_int_equal(f->n_submitted[op], 0);
}

/* In any block, of any of the ranges; side by side they have none in common. */
static void test_overlap(void **state) {
        struct fake *f = *state;
        const unsigned int overlap = DNR(NVME_SC_COPY_OVERLAP);

        fails(f, copy(f, 1, 100, (struct range[]){{100, 8}}, 1), overlap, 0, 24, 100);
        fails(f, copy(f, 1, 107, (struct range[]){{100, 8}}, 1), overlap, 0, 24, 107);
        fails(f, copy(f, 1, 93, (struct range[]){{100, 8}}, 1), overlap, 0, 24, 93);
        fails(f, copy(f, 1, 200, (struct range[]){{0, 8}, {300, 8}, {210, 8}}, 3), overlap, 0, 24, 200);
        fails(f, copy(f, 1, 200, (struct range[]){{0, 8}, {223, 8}, {300, 8}}, 3), overlap, 0, 24, 200);
        copies(f, 1, 108, (struct range[]){{100, 8}}, 1);
        copies(f, 1, 92, (struct range[]){{100, 8}}, 1);
        copies(f, 1, 200, (struct range[]){{0, 8}, {224, 8}, {192, 8}}, 3);
}

/* Protection information of a namespace that has none is ignored; the list comes in an SGL, too. */
static void test_fields(void **state) {
        struct fake *f = *state;
        const struct range ranges[] = {{10, 3}, {40, 5}};
        void *wanted = expect(f, 0, 9, 100, ranges, 2);
        struct nvme_sqe sqe = copy(f, 1, 100, ranges, 2);

        sqe.cdw12 |= 15u << 26 | 15u << 12 | 1u << 31;
        sqe.cdw14 = sqe.cdw15 = sqe.cdw3 = UINT32_MAX;
        sqe.flags = 0x40;
        sqe.prp2 = 64;
        assert_int_equal(fake_status(f, &q, sqe), 0);
        assert_is(f, 0, wanted);
        sqe.prp2 = 32;
        fails(f, sqe, DNR(NVME_SC_SGL_LENGTH_INVALID), 0, 24, 100);
}

struct failing {
        struct fake *f;
        enum vpc_io_op op;
        unsigned int after;
        int error;
};

static int fail_one(void *userdata, unsigned int medium, struct vpc_io *io) {
        struct failing *failing = userdata;
        struct fake *f = failing->f;
        int r = 0;

        if (io->op == failing->op && failing->after-- == 0)
                return failing->error;
        f->medium_end = NULL;
        for (unsigned int i = 0; i < io->n_iov; i++) {
                unsigned char *at = f->media[medium] + io->offset;

                if (io->op == VPC_IO_READ)
                        memcpy(io->iov[i].iov_base, at, io->iov[i].iov_len);
                else
                        memcpy(at, io->iov[i].iov_base, io->iov[i].iov_len);
                assert_int_equal(io->n_iov, 1);
        }
        f->medium_end = fail_one;
        return r;
}

/* Dword 0: how many ranges are there as a whole. The block is the one that was to be read, or written. */
static void test_media_errors(void **state) {
        struct fake *f = *state;
        const struct range ranges[] = {{2000, 100}, {3000, 28}, {4000, 128}, {5000, 10}, {6000, 300}};
        struct failing failing = {.f = f};
        const struct {
                enum vpc_io_op op;
                unsigned int after, status;
                int error;
                uint32_t range;
                uint64_t block;
        } cases[] = {
                {VPC_IO_READ, 0, DNR(NVME_SC_READ_ERROR), -EIO, 0, 2000},
                {VPC_IO_READ, 1, DNR(NVME_SC_READ_ERROR), -EIO, 0, 3000},
                {VPC_IO_READ, 2, DNR(NVME_SC_READ_ERROR), -EIO, 2, 4000},
                {VPC_IO_READ, 5, DNR(NVME_SC_READ_ERROR), -EIO, 4, 6000 + 118},
                {VPC_IO_WRITE, 0, DNR(NVME_SC_WRITE_FAULT), -EIO, 0, 10},
                {VPC_IO_WRITE, 1, DNR(NVME_SC_WRITE_FAULT), -EIO, 2, 10 + 128},
                {VPC_IO_WRITE, 2, DNR(NVME_SC_WRITE_FAULT), -EIO, 3, 10 + 256},
                {VPC_IO_WRITE, 3, DNR(NVME_SC_CAPACITY_EXCEEDED), -ENOSPC, 4, 10 + 384},
                {VPC_IO_FLUSH, 0, DNR(NVME_SC_WRITE_FAULT), -EIO, 5, 10 + 566},
        };

        f->medium_end = fail_one;
        f->medium_userdata = &failing;
        for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
                struct nvme_sqe sqe = copy(f, 1, 10, ranges, 5);

                sqe.cdw12 |= NVME_IO_FUA;
                failing.op = cases[i].op;
                failing.after = cases[i].after;
                failing.error = cases[i].error;
                fails(f, sqe, cases[i].status, cases[i].range, NVME_NOWHERE, cases[i].block);
        }
        f->medium_end = NULL;
}

/* ---- marks ---- */

static void mark(struct fake *f, uint64_t first, uint32_t blocks) {
        assert_int_equal(fake_status(f, &q, fake_transfer(f, NVME_IO_WRITE_UNCORRECTABLE, 1, first, blocks, FAKE_DATA)), 0);
}

static void test_marked_source(void **state) {
        struct fake *f = *state;
        const struct range ranges[] = {{100, 8}, {200, 8}};

        mark(f, 205, 1);
        fails(f, copy(f, 1, 1000, ranges, 2), DNR(NVME_SC_READ_ERROR), 0, NVME_NOWHERE, 205);
        assert_int_equal(f->n_submitted[VPC_IO_READ], 0);
        copies(f, 1, 1000, ranges, 1);
        copies(f, 1, 200, ranges, 1); /* where it was marked it is good again */
        copies(f, 1, 1000, ranges, 2);
        assert_int_equal(f->marked[0].n, 0);
}

/* The marks go piece by piece, each with data that is on the medium; what is beside the destination stays marked. */
static void test_marked_destination(void **state) {
        struct fake *f = *state;
        const struct range ranges[] = {{4000, 3 * PIECE_BLOCKS}};
        const struct nvme_sqe sqe = copy(f, 1, 1000, ranges, 1);
        void *wanted = expect(f, 0, 9, 1000, ranges, 1);
        struct nvme_cqe cqe;

        mark(f, 990, 20);                       /* of the first piece */
        mark(f, 1000 + 2 * PIECE_BLOCKS, 1000); /* of the last */
        const unsigned int asked = f->n_asked;
        f->is_away = true;
        fake_push(f, &q, sqe);
        fake_ring(f, &q);
        fake_run(f);
        assert_int_equal(f->n_submitted[VPC_IO_WRITE], 1);
        assert_int_equal(f->n_flushed[0], 1);
        assert_int_equal(f->asked.op, VPC_MARKS_CLEAR);
        assert_int_equal(f->asked.first, 1000 * 512);
        assert_int_equal(f->asked.end, (1000 + PIECE_BLOCKS) * 512);
        assert_false(fake_pop(f, &q, &cqe));
        fake_mark(f);
        fake_run(f);
        assert_int_equal(f->n_submitted[VPC_IO_WRITE], 3);
        assert_int_equal(f->asked.first, (1000 + 2 * PIECE_BLOCKS) * 512);
        f->is_away = false;
        fake_run(f);
        assert_true(fake_pop(f, &q, &cqe));
        assert_int_equal(cqe.status >> 1, 0);
        fake_ring_cq(f, &q);
        assert_int_equal(f->n_flushed[0], 2);
        assert_int_equal(f->n_asked, asked + 2);
        assert_is(f, 0, wanted);
        assert_int_equal(f->marked[0].n, 2);
        assert_int_equal(f->marked[0].ranges[0].end, 1000 * 512);
        assert_int_equal(f->marked[0].ranges[1].first, (1000 + 3 * PIECE_BLOCKS) * 512);
}

/* The question is another's by the time it is answered: the command begins anew, and so it does in the next process. */
static void test_marks_again(void **state) {
        struct fake *f = *state;
        const struct range ranges[] = {{4000, 2 * PIECE_BLOCKS}};
        const struct nvme_sqe sqe = copy(f, 1, 1000, ranges, 1);
        void *wanted = expect(f, 0, 9, 1000, ranges, 1);
        struct nvme_cqe cqe;

        mark(f, 1000, 2);
        f->is_away = true;
        fake_push(f, &q, sqe);
        fake_ring(f, &q);
        fake_run(f);
        const uint64_t ticket = f->asked.ticket;
        f->asked.ticket = 0;
        nvme_model.reserved(f->device, ticket, VPC_RESERVE_AGAIN);
        fake_run(f);
        assert_int_equal(f->n_submitted[VPC_IO_WRITE], 2);
        f->asked.ticket = 0;
        fake_restart(f);
        f->is_away = false;
        fake_run(f);
        assert_true(fake_pop(f, &q, &cqe));
        assert_int_equal(cqe.status >> 1, 0);
        fake_ring_cq(f, &q);
        assert_is(f, 0, wanted);
        assert_int_equal(f->marked[0].n, 0);
}

/* ---- one that is ended, or done again ---- */

/* At each point where the process may die; twice is as often as a command may take one with it. */
static void test_restart(void **state) {
        struct fake *f = *state;
        const struct range ranges[] = {{3000, 200}, {100, 50}, {4000, 200}};
        const struct nvme_sqe sqe = copy(f, 1, 1000, ranges, 3);
        unsigned int n = 0;

        for (bool is_over = false; !is_over; n++) {
                struct nvme_cqe cqe;

                memset(f->media[0] + 1000 * 512, (int)n, 450 * 512);
                void *wanted = expect(f, 0, 9, 1000, ranges, 3);
                fake_push(f, &q, sqe);
                fake_ring(f, &q);
                for (unsigned int i = 0; i < n; i++)
                        fake_step(f);
                is_over = f->n_pending == 0;
                fake_restart(f);
                fake_run(f);
                assert_true(fake_pop(f, &q, &cqe));
                assert_int_equal(cqe.status >> 1, 0);
                fake_ring_cq(f, &q);
                assert_false(fake_pop(f, &q, &cqe));
                assert_is(f, 0, wanted);
        }
        assert_int_equal(n, 6 + 4 + 1);
}

static uint16_t begin(struct fake *f, unsigned int steps) {
        const struct range ranges[] = {{3000, PIECE_BLOCKS}, {4000, PIECE_BLOCKS}, {5000, PIECE_BLOCKS}};
        const uint16_t cid = fake_push(f, &q, copy(f, 1, 1000, ranges, 3));

        fake_ring(f, &q);
        for (unsigned int i = 0; i < steps; i++)
                assert_true(fake_step(f));
        return cid;
}

static void ends(struct fake *f, unsigned int status, uint32_t range) {
        struct nvme_cqe cqe;

        const unsigned int n = f->n_submitted[VPC_IO_READ] + f->n_submitted[VPC_IO_WRITE];

        assert_true(fake_step(f)); /* the request that was under way, and no other */
        assert_int_equal(f->n_submitted[VPC_IO_READ] + f->n_submitted[VPC_IO_WRITE], n);
        assert_true(fake_pop(f, &q, &cqe));
        assert_int_equal(cqe.status >> 1, status);
        assert_int_equal(cqe.result, range);
        fake_ring_cq(f, &q);
}

static void test_abort(void **state) {
        struct fake *f = *state;
        const uint16_t cid = begin(f, 3);
        struct nvme_cqe cqe;

        fake_push(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_ABORT, .cdw10 = (uint32_t)cid << 16 | 1});
        fake_ring(f, &f->admin);
        assert_false(fake_pop(f, &f->admin, &cqe));
        ends(f, NVME_SC_ABORT_REQUESTED, 1);
        assert_true(fake_pop(f, &f->admin, &cqe));
        assert_int_equal(cqe.result, 0);
        fake_ring_cq(f, &f->admin);
        assert_int_equal(f->n_submitted[VPC_IO_WRITE], 2);
}

/* Other commands of the queue have their turn meanwhile. */
static void test_others(void **state) {
        struct fake *f = *state;
        struct nvme_cqe cqe;

        const uint16_t cid = begin(f, 1);
        const uint16_t read = fake_push(f, &q, fake_transfer(f, NVME_IO_READ, 1, 0, 8, FAKE_DATA));
        fake_ring(f, &q);
        assert_int_equal(f->n_pending, 2);
        assert_true(fake_step(f));
        assert_true(fake_step(f));
        assert_int_equal(f->n_pending, 1);
        assert_true(fake_pop(f, &q, &cqe));
        assert_int_equal(cqe.cid, read);
        fake_run(f);
        assert_true(fake_pop(f, &q, &cqe));
        assert_int_equal(cqe.cid, cid);
        assert_int_equal(cqe.status >> 1, 0);
        fake_ring_cq(f, &q);
}

static void test_format(void **state) {
        struct fake *f = *state;

        begin(f, 4);
        fake_push(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_FORMAT, .nsid = 1, .cdw10 = 1});
        fake_ring(f, &f->admin);
        ends(f, NVME_SC_FORMAT_IN_PROGRESS, 2);
        fake_run(f);
        assert_int_equal(f->formatted[0], 4096);
}

static void test_removed(void **state) {
        struct fake *f = *state;

        begin(f, 5);
        f->persona.media[0] = (struct vpc_medium){0};
        assert_int_equal(nvme_model.show(f->device, &f->persona), 0);
        ends(f, DNR(NVME_SC_INVALID_NAMESPACE), 2);
}

/* It becomes read-only: nothing more is written, and what was is told. */
static void test_protected(void **state) {
        struct fake *f = *state;

        begin(f, 2);
        f->persona.media[0].read_only = 1;
        assert_int_equal(nvme_model.show(f->device, &f->persona), 0);
        ends(f, DNR(NVME_SC_WRITE_PROTECTED), 1);
        assert_int_equal(f->n_submitted[VPC_IO_WRITE], 1);
}

/* A reset leaves one request behind, of a buffer that is not used before that has ended. */
static void test_reset(void **state) {
        struct fake *f = *state;

        begin(f, 2);
        fake_write(f, NVME_REG_CC, 0x00460000);
        assert_int_equal(f->n_pending, 1);
        fake_run(f);
        assert_int_equal(f->n_submitted[VPC_IO_READ], 2);
        fake_enable(f);
        fake_queue_create(f, &q, 1, 64);
        copies(f, 1, 1000, (struct range[]){{2000, 400}}, 1);
}

/* A queue is deleted when its copy has ended. */
static void test_delete_queue(void **state) {
        struct fake *f = *state;
        const struct range ranges[] = {{3000, PIECE_BLOCKS}, {4000, PIECE_BLOCKS}, {5000, PIECE_BLOCKS}};
        void *wanted = expect(f, 0, 9, 1000, ranges, 3);
        struct nvme_cqe cqe;

        begin(f, 2);
        assert_int_equal(fake_status(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_DELETE_SQ, .cdw10 = 1}), 0);
        assert_true(fake_pop(f, &q, &cqe));
        assert_int_equal(cqe.status >> 1, 0);
        assert_is(f, 0, wanted);
}

/* ---- buffers ---- */

#define AT_ONCE (NVME_COPY_BUFFERS + 4)

/* More copies at a time than there are buffers, in any order: the others make do with less. Again and again, so that every buffer
 * is given to another. */
static void test_many(void **state) {
        struct fake *f = *state;
        unsigned int largest = 0, smallest = UINT32_MAX, random = 1;

        for (unsigned int round = 0; round < 4; round++) {
                unsigned char *wanted = malloc(FAKE_MEDIUM_SIZE);
                struct nvme_cqe cqe;

                assert_non_null(wanted);
                memcpy(wanted, f->media[0], FAKE_MEDIUM_SIZE);
                for (unsigned int i = 0; i < AT_ONCE; i++) {
                        const struct range range = {4096 + i * 200 + round, 200};

                        memcpy(wanted + i * 200 * 512, f->media[0] + range.first * 512, 200 * 512);
                        fake_push(f, &q, copy(f, 1, i * 200, &range, 1));
                        fake_ring(f, &q);
                }
                for (unsigned int i = 0; i < f->n_pending; i++) {
                        largest = f->pending[i]->length > largest ? (unsigned int)f->pending[i]->length : largest;
                        smallest = f->pending[i]->length < smallest ? (unsigned int)f->pending[i]->length : smallest;
                }
                while (f->n_pending) {
                        random = random * 1103515245 + 12345;
                        fake_end(f, (random >> 16) % f->n_pending);
                }
                fake_run(f);
                for (unsigned int i = 0; i < AT_ONCE; i++) {
                        assert_true(fake_pop(f, &q, &cqe));
                        assert_int_equal(cqe.status >> 1, 0);
                }
                fake_ring_cq(f, &q);
                assert_is(f, 0, wanted);
        }
        assert_int_equal(largest, NVME_COPY_PIECE);
        assert_in_range(smallest, 4096, 12288);
}

/* A medium that is memory ends each request at once. */
static void test_inline(void **state) {
        struct fake *f = *state;
        struct range many[NVME_COPY_RANGES];

        fake_inline(f);
        for (unsigned int i = 0; i < NVME_COPY_RANGES; i++)
                many[i] = (struct range){.first = 4096 + (i * 97u) % 3000, .blocks = 1 + i % 30};
        copies(f, 1, 0, many, NVME_COPY_RANGES);
        mark(f, 500, 1);
        copies(f, 1, 0, many, NVME_COPY_RANGES);
        assert_int_equal(f->marked[0].n, 0);
        assert_int_equal(f->n_pending, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_identify),
                TEST(test_copy),
                TEST(test_requests),
                TEST(test_flush),
                TEST(test_refused),
                TEST(test_overlap),
                TEST(test_fields),
                TEST(test_media_errors),
                TEST(test_marks_again),
                TEST(test_marked_source),
                TEST(test_marked_destination),
                TEST(test_restart),
                TEST(test_abort),
                TEST(test_others),
                TEST(test_format),
                TEST(test_removed),
                TEST(test_protected),
                TEST(test_reset),
                TEST(test_delete_queue),
                TEST(test_many),
                TEST(test_inline),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
