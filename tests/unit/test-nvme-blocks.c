/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The I/O commands beside read and write: write zeroes, deallocate, compare, verify, write uncorrectable; and SGLs. */
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

struct test {
        struct fake *f;
        struct fake_queue q;
};

static int setup(void **state) {
        static struct test t;

        t.f = fake_new();
        fake_enable(t.f);
        fake_queue_create(t.f, &t.q, 1, 16);
        *state = &t;
        return 0;
}

static int teardown(void **state) {
        fake_free(((struct test *)*state)->f);
        return 0;
}

static void fill(unsigned char *p, size_t n, unsigned int seed) {
        for (size_t i = 0; i < n; i++)
                p[i] = (unsigned char)((i * 2654435761u + seed) >> 13);
}

static void assert_bytes(const unsigned char *p, unsigned char expected, size_t n) {
        for (size_t i = 0; i < n; i++)
                assert_int_equal(p[i], expected);
}

static unsigned int run(struct test *t, struct nvme_sqe sqe) {
        return fake_status(t->f, &t->q, sqe);
}

/* A command on blocks of namespace 1, with data where it has any. */
static struct nvme_sqe blocks(struct test *t, uint8_t opcode, uint64_t first, uint32_t count) {
        return fake_transfer(t->f, opcode, 1, first, count, FAKE_DATA);
}

/* ---- write zeroes ---- */

static void test_write_zeroes(void **state) {
        struct test *t = *state;
        struct nvme_sqe sqe = {.opcode = NVME_IO_WRITE_ZEROES, .nsid = 1, .cdw10 = 8, .cdw12 = 4095};

        memset(t->f->media[0], 0x77, FAKE_MEDIUM_SIZE);
        assert_int_equal(run(t, sqe), 0); /* more than MDTS */
        assert_int_equal(t->f->n_submitted[VPC_IO_ZERO], 1);
        assert_int_equal(t->f->n_submitted[VPC_IO_FLUSH], 0);
        assert_bytes(t->f->media[0], 0x77, 4096);
        assert_bytes(t->f->media[0] + 4096, 0, 4096 * 512);
        assert_bytes(t->f->media[0] + 4096 + 4096 * 512, 0x77, 4096);
        sqe.cdw12 |= NVME_IO_DEAC | NVME_IO_FUA;
        assert_int_equal(run(t, sqe), 0);
        assert_int_equal(t->f->n_submitted[VPC_IO_DISCARD], 1);
        assert_int_equal(t->f->n_flushed[0], 1);
        sqe.cdw10 = BLOCKS - 4095;
        assert_int_equal(run(t, sqe), DNR(NVME_SC_LBA_OUT_OF_RANGE));
        sqe.nsid = 5;
        sqe.cdw10 = 0;
        assert_int_equal(run(t, sqe), DNR(NVME_SC_WRITE_PROTECTED));
        sqe.nsid = 1;
        t->f->media_error = -ENOSPC;
        assert_int_equal(run(t, sqe), DNR(NVME_SC_CAPACITY_EXCEEDED));
        t->f->media_error = 0;
        sqe.cdw12 = 0;
        assert_int_equal(fake_status(t->f, &t->f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_SET_FEATURES, .cdw10 = 6}), 0);
        assert_int_equal(t->f->n_flushed[0], 2); /* what was cached until then */
        assert_int_equal(run(t, sqe), 0);
        assert_int_equal(t->f->n_flushed[0], 3);
}

/* ---- dataset management ---- */

static unsigned int dataset(struct test *t, const struct nvme_range *ranges, unsigned int n, uint32_t nsid, uint32_t cdw11) {
        memcpy(fake_memory(t->f, FAKE_DATA), ranges, n * sizeof(*ranges));
        return run(t,
                   (struct nvme_sqe){.opcode = NVME_IO_DATASET, .nsid = nsid, .prp1 = FAKE_DATA, .cdw10 = n - 1, .cdw11 = cdw11});
}

static void test_deallocate(void **state) {
        struct test *t = *state;
        struct nvme_range ranges[NVME_RANGES_MAX] = {{0, 8, 8}, {0, 0, 0}, {7, 1, 100}, {0, 16, BLOCKS - 16}};

        memset(t->f->media[0], 0x77, FAKE_MEDIUM_SIZE);
        assert_int_equal(dataset(t, ranges, 4, 1, NVME_DATASET_DEALLOCATE), 0);
        assert_int_equal(t->f->n_submitted[VPC_IO_DISCARD], 3);
        assert_bytes(t->f->media[0], 0x77, 4096);
        assert_bytes(t->f->media[0] + 4096, 0, 4096);
        assert_bytes(t->f->media[0] + 8192, 0x77, 100 * 512 - 8192);
        assert_bytes(t->f->media[0] + 100 * 512, 0, 512);
        assert_bytes(t->f->media[0] + 101 * 512, 0x77, FAKE_MEDIUM_SIZE - 101 * 512 - 16 * 512);
        assert_bytes(t->f->media[0] + FAKE_MEDIUM_SIZE - 16 * 512, 0, 16 * 512);
        /* Hints alone do nothing, and one wrong range spoils all of them. */
        assert_int_equal(dataset(t, ranges, 4, 1, 3), 0);
        ranges[3].first++;
        assert_int_equal(dataset(t, ranges, 4, 1, NVME_DATASET_DEALLOCATE), DNR(NVME_SC_LBA_OUT_OF_RANGE));
        ranges[3].first = UINT64_MAX;
        assert_int_equal(dataset(t, ranges, 4, 1, NVME_DATASET_DEALLOCATE), DNR(NVME_SC_LBA_OUT_OF_RANGE));
        assert_int_equal(dataset(t, ranges, 1, 5, NVME_DATASET_DEALLOCATE), DNR(NVME_SC_WRITE_PROTECTED));
        assert_int_equal(dataset(t, ranges, 1, 3, NVME_DATASET_DEALLOCATE), DNR(NVME_SC_INVALID_FIELD));
        assert_int_equal(t->f->n_submitted[VPC_IO_DISCARD], 3);
        for (unsigned int i = 0; i < NVME_RANGES_MAX; i++)
                ranges[i] = (struct nvme_range){0, 1, i * 8};
        assert_int_equal(dataset(t, ranges, NVME_RANGES_MAX, 1, NVME_DATASET_DEALLOCATE), 0);
        assert_int_equal(t->f->n_submitted[VPC_IO_DISCARD], 3 + NVME_RANGES_MAX);
}

/* The list is copied once: what the server writes into it afterwards has no effect. */
static void test_deallocate_changes(void **state) {
        struct test *t = *state;
        struct nvme_range *ranges = fake_memory(t->f, FAKE_DATA);
        struct nvme_cqe cqe;

        ranges[0] = ranges[1] = (struct nvme_range){0, 8, 8};
        fake_push(t->f, &t->q,
                  (struct nvme_sqe){
                          .opcode = NVME_IO_DATASET, .nsid = 1, .prp1 = FAKE_DATA, .cdw10 = 1, .cdw11 = NVME_DATASET_DEALLOCATE});
        fake_ring(t->f, &t->q);
        ranges[1] = (struct nvme_range){0, UINT32_MAX, UINT64_MAX};
        fake_run(t->f); /* the medium checks the range */
        assert_true(fake_pop(t->f, &t->q, &cqe));
        assert_int_equal(cqe.status >> 1, 0);
        fake_ring_cq(t->f, &t->q);
}

/* [5.21.1.6] What is cached when the write cache is turned off is flushed, and then everything that changes a block. */
static void test_write_cache(void **state) {
        struct test *t = *state;
        struct fake *f = t->f;
        struct nvme_sqe off = {.opcode = NVME_ADMIN_SET_FEATURES, .cdw10 = NVME_FEAT_WRITE_CACHE};
        const struct nvme_sqe get = {.opcode = NVME_ADMIN_GET_FEATURES, .cdw10 = NVME_FEAT_WRITE_CACHE};
        struct nvme_range *ranges = fake_memory(f, FAKE_DATA + 0x10000);
        struct nvme_cqe cqe;

        assert_int_equal(fake_status(f, &f->admin, off), 0);
        for (unsigned int i = 0; i < FAKE_MEDIA; i++)
                assert_int_equal(f->n_flushed[i], 1);
        assert_int_equal(fake_status(f, &t->q, fake_transfer(f, NVME_IO_WRITE, 2, 0, 1, FAKE_DATA)), 0);
        assert_int_equal(f->n_flushed[1], 2);
        ranges[0] = (struct nvme_range){.blocks = 8, .first = 8};
        ranges[1] = (struct nvme_range){.blocks = 0, .first = 8};
        assert_int_equal(fake_status(f, &t->q,
                                     (struct nvme_sqe){.opcode = NVME_IO_DATASET,
                                                       .nsid = 2,
                                                       .prp1 = FAKE_DATA + 0x10000,
                                                       .cdw10 = 1,
                                                       .cdw11 = NVME_DATASET_DEALLOCATE}),
                         0);
        assert_int_equal(f->n_submitted[VPC_IO_DISCARD], 1);
        assert_int_equal(f->n_flushed[1], 3);
        /* A process that dies in the midst of it: the next one flushes all of them. */
        fake_push(f, &f->admin, off);
        fake_ring(f, &f->admin);
        fake_step(f);
        fake_restart(f);
        fake_run(f);
        assert_true(fake_pop(f, &f->admin, &cqe));
        assert_int_equal(cqe.status >> 1, 0);
        fake_ring_cq(f, &f->admin);
        assert_int_equal(f->n_flushed[2], 2);
        off.cdw11 = 1;
        assert_int_equal(fake_status(f, &f->admin, off), 0);
        assert_int_equal(fake_command(f, &f->admin, get).result, 1);
        off.cdw11 = 0;
        f->media_error = -EIO;
        assert_int_equal(fake_status(f, &f->admin, off), NVME_SC_WRITE_FAULT | NVME_DNR);
        assert_int_equal(fake_command(f, &f->admin, get).result, 0); /* rather too slow than unsafe */
}

/* ---- compare and verify ---- */

/* The block that the newest entry of the error log names. */
static uint64_t logged_block(const struct test *t) {
        return t->f->image->errors[t->f->image->life.error_count % NVME_ERROR_ENTRIES].lba;
}

static void test_compare(void **state) {
        struct test *t = *state;
        struct nvme_sqe sqe = blocks(t, NVME_IO_COMPARE, 16, 2048); /* MDTS */
        unsigned char *data = fake_memory(t->f, FAKE_DATA);

        fill(t->f->media[0], FAKE_MEDIUM_SIZE, 1);
        memcpy(data, t->f->media[0] + 16 * 512, 2048 * 512);
        assert_int_equal(run(t, sqe), 0);
        assert_int_equal(t->f->n_submitted[VPC_IO_READ], 2048 * 512 / NVME_SCRATCH);
        static const unsigned int places[] = {0, NVME_SCRATCH - 1, NVME_SCRATCH, 2048 * 512 - 1};
        for (unsigned int i = 0; i < 4; i++) {
                data[places[i]] ^= 1;
                assert_int_equal(run(t, sqe), DNR(NVME_SC_COMPARE_FAILURE));
                assert_int_equal(logged_block(t), 16 + places[i] / 512);
                data[places[i]] ^= 1;
        }
        assert_int_equal(run(t, blocks(t, NVME_IO_COMPARE, 0, 2049)), DNR(NVME_SC_INVALID_FIELD));
        assert_int_equal(run(t, blocks(t, NVME_IO_COMPARE, BLOCKS, 1)), DNR(NVME_SC_LBA_OUT_OF_RANGE));
        sqe = blocks(t, NVME_IO_COMPARE, 3, 9); /* pieces at odd offsets, over two pages */
        sqe.prp1 += 2044;
        sqe.prp2 = FAKE_DATA + 4096;
        memcpy(data + 2044, t->f->media[0] + 3 * 512, 9 * 512);
        assert_int_equal(run(t, sqe), 0);
        sqe.cdw12 |= NVME_IO_FUA;
        assert_int_equal(run(t, sqe), 0);
        assert_int_equal(t->f->n_flushed[0], 1);
        sqe.prp2 = 0;
        assert_int_equal(run(t, sqe), DNR(NVME_SC_DATA_TRANSFER_ERROR));
        sqe = fake_transfer(t->f, NVME_IO_COMPARE, 5, 0, 1, FAKE_DATA); /* reading is allowed */
        memcpy(data, t->f->media[2], 512);
        assert_int_equal(run(t, sqe), 0);
        t->f->media_error = -EIO;
        assert_int_equal(run(t, sqe), DNR(NVME_SC_READ_ERROR));
}

/* The server's memory goes away between two pieces. */
static void test_compare_unmapped(void **state) {
        struct test *t = *state;
        struct nvme_sqe sqe = blocks(t, NVME_IO_COMPARE, 0, 256);
        struct nvme_cqe cqe;

        memset(fake_memory(t->f, FAKE_DATA), 0, 256 * 512);
        fake_push(t->f, &t->q, sqe);
        fake_ring(t->f, &t->q);
        assert_true(fake_step(t->f));
        t->f->no_data = true;
        fake_run(t->f);
        assert_true(fake_pop(t->f, &t->q, &cqe));
        assert_int_equal(cqe.status >> 1, DNR(NVME_SC_DATA_TRANSFER_ERROR));
        fake_ring_cq(t->f, &t->q);
}

static void test_verify(void **state) {
        struct test *t = *state;
        struct nvme_sqe sqe = {.opcode = NVME_IO_VERIFY, .nsid = 1, .cdw12 = BLOCKS - 1};
        struct nvme_cqe cqe;

        assert_int_equal(run(t, sqe), 0); /* without data there is no MDTS */
        assert_int_equal(t->f->n_submitted[VPC_IO_READ], FAKE_MEDIUM_SIZE / NVME_SCRATCH);
        sqe.cdw10 = 1;
        assert_int_equal(run(t, sqe), DNR(NVME_SC_LBA_OUT_OF_RANGE));
        sqe.cdw10 = 0;
        t->f->media_error = -EIO;
        assert_int_equal(run(t, sqe), DNR(NVME_SC_READ_ERROR));
        assert_int_equal(t->f->image->life.media_errors, 1);
        assert_int_equal(logged_block(t), 0);
        /* The second piece is bad. */
        t->f->media_error = 0;
        fake_push(t->f, &t->q, sqe);
        fake_ring(t->f, &t->q);
        assert_true(fake_step(t->f));
        t->f->media_error = -EIO;
        fake_run(t->f);
        assert_true(fake_pop(t->f, &t->q, &cqe));
        assert_int_equal(cqe.status >> 1, DNR(NVME_SC_READ_ERROR));
        fake_ring_cq(t->f, &t->q);
        assert_int_equal(logged_block(t), NVME_SCRATCH / 512);
}

/* ---- write uncorrectable ---- */

static unsigned int read_status(struct test *t, uint64_t first, uint32_t count) {
        return run(t, blocks(t, NVME_IO_READ, first, count));
}

static void test_uncorrectable(void **state) {
        struct test *t = *state;
        const unsigned int bad = DNR(NVME_SC_READ_ERROR);

        assert_int_equal(run(t, blocks(t, NVME_IO_WRITE_UNCORRECTABLE, 100, 100)), 0);
        assert_int_equal(read_status(t, 99, 1), 0);
        assert_int_equal(read_status(t, 99, 2), bad);
        assert_int_equal(logged_block(t), 100);
        assert_int_equal(read_status(t, 199, 2), bad);
        assert_int_equal(logged_block(t), 199);
        assert_int_equal(read_status(t, 200, 1), 0);
        assert_int_equal(run(t, blocks(t, NVME_IO_COMPARE, 150, 1)), bad);
        assert_int_equal(run(t, (struct nvme_sqe){.opcode = NVME_IO_VERIFY, .nsid = 1, .cdw12 = 300}), bad);
        assert_int_equal(logged_block(t), 100);
        assert_int_equal(run(t, fake_transfer(t->f, NVME_IO_READ, 2, 150, 1, FAKE_DATA)), 0);
        /* What is written can be read again, and nothing else. */
        assert_int_equal(run(t, blocks(t, NVME_IO_WRITE, 150, 10)), 0);
        assert_int_equal(read_status(t, 150, 10), 0);
        assert_int_equal(read_status(t, 149, 1), bad);
        assert_int_equal(read_status(t, 160, 1), bad);
        assert_int_equal(run(t, (struct nvme_sqe){.opcode = NVME_IO_WRITE_ZEROES, .nsid = 1, .cdw10 = 90, .cdw12 = 20}), 0);
        assert_int_equal(read_status(t, 100, 11), 0);
        assert_int_equal(read_status(t, 111, 1), bad);
        /* It outlives a reset and a process. */
        fake_disable(t->f);
        fake_enable(t->f);
        fake_restart(t->f);
        fake_queue_create(t->f, &t->q, 1, 16);
        assert_int_equal(read_status(t, 111, 1), bad);
        assert_int_equal(run(t, blocks(t, NVME_IO_WRITE, 0, 300)), 0);
        assert_int_equal(t->f->marked[0].n, 0);
        assert_int_equal(run(t, blocks(t, NVME_IO_WRITE_UNCORRECTABLE, BLOCKS, 1)), DNR(NVME_SC_LBA_OUT_OF_RANGE));
        assert_int_equal(run(t, fake_transfer(t->f, NVME_IO_WRITE_UNCORRECTABLE, 5, 0, 1, 0)), DNR(NVME_SC_WRITE_PROTECTED));
}

static void test_uncorrectable_table(void **state) {
        struct test *t = *state;

        for (unsigned int i = 0; i < VPC_MARKS_MAX; i++)
                assert_int_equal(run(t, blocks(t, NVME_IO_WRITE_UNCORRECTABLE, i * 8, 4)), 0);
        assert_int_equal(run(t, blocks(t, NVME_IO_WRITE_UNCORRECTABLE, 4000, 1)), DNR(NVME_SC_WRITE_FAULT));
        /* A write that would need another entry fails, and what could not be read still cannot. */
        assert_int_equal(run(t, blocks(t, NVME_IO_WRITE, 9, 1)), NVME_SC_WRITE_FAULT);
        assert_int_equal(read_status(t, 9, 1), DNR(NVME_SC_READ_ERROR));
        /* Neighbours become one, from below, above and between. */
        assert_int_equal(run(t, blocks(t, NVME_IO_WRITE_UNCORRECTABLE, 4, 4)), 0);
        assert_int_equal(t->f->marked[0].n, VPC_MARKS_MAX - 1);
        assert_int_equal(run(t, blocks(t, NVME_IO_WRITE, 9, 1)), 0);
        assert_int_equal(read_status(t, 9, 1), 0);
        assert_int_equal(t->f->marked[0].n, VPC_MARKS_MAX);
        assert_int_equal(run(t, blocks(t, NVME_IO_WRITE_UNCORRECTABLE, 0, BLOCKS)), 0);
        assert_int_equal(t->f->marked[0].n, 1);
        assert_int_equal(read_status(t, BLOCKS - 1, 1), DNR(NVME_SC_READ_ERROR));
}

/* ---- SGLs ---- */

#define DATA(at, n)                                                                                                              \
        { .address = FAKE_DATA + (at), .length = (n), .type = NVME_SGL_DATA }

static unsigned int sgl(struct test *t, struct nvme_sgl first, uint32_t count) {
        struct nvme_sqe sqe = {.opcode = NVME_IO_READ, .flags = 0x40, .nsid = 1, .cdw12 = count - 1, .cdw10 = 8};

        memcpy(&sqe.prp1, &first, 8);
        memcpy(&sqe.prp2, (char *)&first + 8, 8);
        return run(t, sqe);
}

static struct nvme_sgl segment(struct test *t, unsigned int offset, uint8_t type, const struct nvme_sgl *d, uint32_t n) {
        memcpy(fake_memory(t->f, FAKE_LISTS + offset), d, n * sizeof(*d));
        return (struct nvme_sgl){.address = FAKE_LISTS + offset, .length = n * (uint32_t)sizeof(*d), .type = type};
}

static void test_sgl(void **state) {
        struct test *t = *state;
        const unsigned char *medium = t->f->media[0] + 4096, *data = fake_memory(t->f, FAKE_DATA);
        const struct nvme_sgl last[] = {DATA(100, 4), DATA(8192, 0), DATA(4, 8)};
        struct nvme_sgl list[3] = {DATA(512, 500), DATA(2048, 512)};

        fill(t->f->media[0], FAKE_MEDIUM_SIZE, 5);
        assert_int_equal(sgl(t, (struct nvme_sgl)DATA(4, 1024), 2), 0);
        assert_memory_equal(data + 4, medium, 1024);
        memset(fake_memory(t->f, FAKE_DATA), 0, 8192);
        list[2] = segment(t, 4096, NVME_SGL_LAST_SEGMENT, last, 3);
        assert_int_equal(sgl(t, segment(t, 16, NVME_SGL_SEGMENT, list, 3), 2), 0);
        assert_int_equal(t->f->last_n_iov, 4);
        assert_memory_equal(data + 512, medium, 500);
        assert_memory_equal(data + 2048, medium + 500, 512);
        assert_memory_equal(data + 100, medium + 1012, 4);
        assert_memory_equal(data + 4, medium + 1016, 8);
        assert_bytes(data + 12, 0, 88);
        assert_int_equal(sgl(t, segment(t, 16, NVME_SGL_LAST_SEGMENT, last, 3), 2), DNR(NVME_SC_SGL_LENGTH_INVALID));
        /* 256 pages apart, the most that there can be */
        static struct nvme_sgl many[256];
        for (unsigned int i = 0; i < 256; i++)
                many[i] = (struct nvme_sgl)DATA((255 - i) * 4096, 4096);
        assert_int_equal(sgl(t, segment(t, 0, NVME_SGL_LAST_SEGMENT, many, 256), 2048), 0);
        assert_int_equal(t->f->last_n_iov, 256);
        assert_memory_equal(data + 255 * 4096, medium, 4096);
        assert_memory_equal(data, medium + 255 * 4096, 4096);
}

#define BUCKET(n)                                                                                                                \
        { .length = (n), .type = NVME_SGL_BIT_BUCKET }

/* Parts of what is read that are not wanted; of what is written they are no part. */
static void test_bit_bucket(void **state) {
        struct test *t = *state;
        unsigned char *medium = t->f->media[0] + 4096, *data = fake_memory(t->f, FAKE_DATA);
        struct nvme_sgl list[] = {BUCKET(100), DATA(0, 412), BUCKET(0), DATA(512, 256), BUCKET(256)};

        fill(t->f->media[0], FAKE_MEDIUM_SIZE, 5);
        memset(data, 0x33, 4096);
        assert_int_equal(sgl(t, segment(t, 0, NVME_SGL_LAST_SEGMENT, list, 5), 2), 0);
        assert_memory_equal(data, medium + 100, 412);
        assert_bytes(data + 412, 0x33, 100);
        assert_memory_equal(data + 512, medium + 512, 256);
        assert_bytes(data + 768, 0x33, 256);
        /* all of the most that can be read */
        assert_int_equal(sgl(t, (struct nvme_sgl)BUCKET(2048 * 512), 2048), 0);
        assert_int_equal(sgl(t, (struct nvme_sgl)BUCKET(512), 2), DNR(NVME_SC_SGL_LENGTH_INVALID));
        assert_int_equal(sgl(t, (struct nvme_sgl)BUCKET(UINT32_MAX), 2), DNR(NVME_SC_SGL_LENGTH_INVALID));
        static struct nvme_sgl many[300];
        for (unsigned int i = 0; i < 300; i++)
                many[i] = (struct nvme_sgl)BUCKET(1);
        assert_int_equal(sgl(t, segment(t, 0, NVME_SGL_LAST_SEGMENT, many, 300), 2), DNR(NVME_SC_DATA_TRANSFER_ERROR));
        /* a write */
        struct nvme_sgl source[] = {BUCKET(UINT32_MAX), DATA(0, 512), BUCKET(512)};
        struct nvme_sqe sqe = blocks(t, NVME_IO_WRITE, 8, 1);
        const struct nvme_sgl first = segment(t, 0, NVME_SGL_LAST_SEGMENT, source, 3);
        memcpy(&sqe.prp1, &first, sizeof(first));
        sqe.flags = 0x40;
        memset(data, 0x44, 512);
        assert_int_equal(run(t, sqe), 0);
        assert_bytes(medium, 0x44, 512);
        source[1].length = 256; /* does not make up for it */
        segment(t, 0, NVME_SGL_LAST_SEGMENT, source, 3);
        assert_int_equal(run(t, sqe), DNR(NVME_SC_SGL_LENGTH_INVALID));
}

static void test_sgl_errors(void **state) {
        struct test *t = *state;
        struct nvme_sgl d[4] = {DATA(0, 512), DATA(512, 512)}, wrong;

        assert_int_equal(sgl(t, (struct nvme_sgl)DATA(0, 508), 1), DNR(NVME_SC_SGL_LENGTH_INVALID));
        assert_int_equal(sgl(t, (struct nvme_sgl)DATA(0, 516), 1), DNR(NVME_SC_SGL_LENGTH_INVALID));
        assert_int_equal(sgl(t, (struct nvme_sgl)DATA(2, 512), 1), DNR(NVME_SC_SGL_GRANULARITY));
        assert_int_equal(sgl(t, (struct nvme_sgl)DATA(0, 510), 1), DNR(NVME_SC_SGL_GRANULARITY));
        assert_int_equal(sgl(t, (struct nvme_sgl){.length = 512}, 1), DNR(NVME_SC_DATA_TRANSFER_ERROR));
        assert_int_equal(sgl(t, (struct nvme_sgl){.address = ~UINT64_C(3), .length = 512}, 1), DNR(NVME_SC_DATA_TRANSFER_ERROR));
        for (unsigned int type = 1; type < 256; type++)
                if (type != NVME_SGL_SEGMENT && type != NVME_SGL_LAST_SEGMENT && type != NVME_SGL_BIT_BUCKET)
                        assert_int_equal(sgl(t, (struct nvme_sgl){.address = FAKE_DATA, .length = 512, .type = (uint8_t)type}, 1),
                                         DNR(NVME_SC_SGL_TYPE_INVALID));
        /* segments: empty, of half a descriptor, out of memory, in the middle, behind the last */
        wrong = segment(t, 0, NVME_SGL_SEGMENT, d, 2);
        wrong.length = 0;
        assert_int_equal(sgl(t, wrong, 2), DNR(NVME_SC_SGL_SEGMENT_INVALID));
        wrong.length = 24;
        assert_int_equal(sgl(t, wrong, 2), DNR(NVME_SC_SGL_SEGMENT_INVALID));
        wrong = (struct nvme_sgl){.address = 16, .length = 32, .type = NVME_SGL_LAST_SEGMENT};
        assert_int_equal(sgl(t, wrong, 2), DNR(NVME_SC_DATA_TRANSFER_ERROR));
        wrong.address = ~UINT64_C(15);
        assert_int_equal(sgl(t, wrong, 2), DNR(NVME_SC_SGL_SEGMENT_INVALID));
        d[2] = d[1];
        d[1] = segment(t, 4096, NVME_SGL_LAST_SEGMENT, d, 1);
        assert_int_equal(sgl(t, segment(t, 0, NVME_SGL_SEGMENT, d, 3), 2), DNR(NVME_SC_SGL_COUNT_INVALID));
        assert_int_equal(sgl(t, segment(t, 0, NVME_SGL_LAST_SEGMENT, d, 2), 2), DNR(NVME_SC_SGL_SEGMENT_INVALID));
        /* a list that leads to itself */
        d[0] = (struct nvme_sgl)DATA(0, 0);
        d[1] = segment(t, 0, NVME_SGL_SEGMENT, d, 2);
        segment(t, 0, NVME_SGL_SEGMENT, d, 2);
        assert_int_equal(sgl(t, d[1], 2), DNR(NVME_SC_SGL_COUNT_INVALID));
        wrong = (struct nvme_sgl){.address = FAKE_LISTS, .length = UINT32_MAX & ~15u, .type = NVME_SGL_LAST_SEGMENT};
        assert_int_equal(sgl(t, wrong, 2), DNR(NVME_SC_SGL_COUNT_INVALID));
        /* both ways to say where metadata is are the same without any; the fourth value is reserved */
        struct nvme_sqe sqe = blocks(t, NVME_IO_READ, 0, 1);
        sqe.prp2 = 512;
        sqe.flags = 0x80;
        assert_int_equal(run(t, sqe), 0);
        sqe.flags = 0xc0;
        assert_int_equal(run(t, sqe), DNR(NVME_SC_INVALID_FIELD));
        assert_int_equal(t->f->n_submitted[VPC_IO_READ], 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_write_zeroes, setup, teardown),
                cmocka_unit_test_setup_teardown(test_deallocate, setup, teardown),
                cmocka_unit_test_setup_teardown(test_deallocate_changes, setup, teardown),
                cmocka_unit_test_setup_teardown(test_write_cache, setup, teardown),
                cmocka_unit_test_setup_teardown(test_compare, setup, teardown),
                cmocka_unit_test_setup_teardown(test_compare_unmapped, setup, teardown),
                cmocka_unit_test_setup_teardown(test_verify, setup, teardown),
                cmocka_unit_test_setup_teardown(test_uncorrectable, setup, teardown),
                cmocka_unit_test_setup_teardown(test_uncorrectable_table, setup, teardown),
                cmocka_unit_test_setup_teardown(test_sgl, setup, teardown),
                cmocka_unit_test_setup_teardown(test_bit_bucket, setup, teardown),
                cmocka_unit_test_setup_teardown(test_sgl_errors, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
