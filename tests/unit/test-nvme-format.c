/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Format NVM [5.23]: what it erases, what it waits for, and what ends it. */
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

static struct nvme_sqe format(uint32_t nsid, uint32_t cdw10) {
        return (struct nvme_sqe){.opcode = NVME_ADMIN_FORMAT, .nsid = nsid, .cdw10 = cdw10};
}

static void test_format(void **state) {
        struct fake *f = *state;
        struct fake_queue q;
        struct nvme_sqe read = fake_transfer(f, NVME_IO_READ, 1, FAKE_MEDIUM_SIZE / 4096, 1, FAKE_DATA);

        fake_queue_create(f, &q, 1, 16);
        memset(f->media[0], 0x77, FAKE_MEDIUM_SIZE);
        memset(f->media[1], 0x77, FAKE_MEDIUM_SIZE);
        assert_int_equal(fake_status(f, &q, (struct nvme_sqe){.opcode = NVME_IO_WRITE_UNCORRECTABLE, .nsid = 1}), 0);
        assert_int_equal(admin(f, format(1, 1)), 0);
        assert_int_equal(f->formatted[0], 4096);
        assert_int_equal(f->formatted[1], 0);
        for (unsigned int i = 0; i < FAKE_MEDIUM_SIZE; i++)
                assert_int_equal(f->media[0][i], 0);
        assert_int_equal(f->media[1][0], 0x77);
        assert_int_equal(f->n_flushed[0], 1);
        assert_int_equal(admin(f, (struct nvme_sqe){.opcode = NVME_ADMIN_IDENTIFY, .nsid = 1, .prp1 = FAKE_DATA}), 0);
        assert_int_equal(get(f, 0, 8), FAKE_MEDIUM_SIZE / 4096);
        assert_int_equal(get(f, 25, 2), 1 << 8 | 1);
        assert_int_equal(fake_status(f, &q, read), DNR(NVME_SC_LBA_OUT_OF_RANGE));
        read.cdw10--;
        assert_int_equal(fake_status(f, &q, read), 0);
        read.cdw10 = 0; /* what was unreadable was formatted, too */
        assert_int_equal(fake_status(f, &q, read), 0);
        /* the same size again: nothing to keep, but it is erased */
        memset(f->media[0], 0x77, FAKE_MEDIUM_SIZE);
        f->formatted[0] = 0;
        assert_int_equal(admin(f, format(1, 1 << 9 | 1)), 0);
        assert_int_equal(f->formatted[0], 0);
        assert_int_equal(f->media[0][FAKE_MEDIUM_SIZE - 1], 0);
}

static void test_format_errors(void **state) {
        struct fake *f = *state;

        memset(f->media[0], 0x77, FAKE_MEDIUM_SIZE);
        assert_int_equal(admin(f, format(1, 2)), DNR(NVME_SC_INVALID_FORMAT));
        assert_int_equal(admin(f, format(1, 1 << 5)), DNR(NVME_SC_INVALID_FORMAT)); /* protection information */
        assert_int_equal(admin(f, format(1, 2 << 9)), DNR(NVME_SC_INVALID_FIELD));  /* cryptographic erase */
        assert_int_equal(admin(f, format(0, 0)), DNR(NVME_SC_INVALID_NAMESPACE));
        assert_int_equal(admin(f, format(3, 0)), DNR(NVME_SC_INVALID_FIELD));
        assert_int_equal(admin(f, format(5, 0)), DNR(NVME_SC_WRITE_PROTECTED));
        assert_int_equal(admin(f, format(NVME_NSID_ALL, 0)), DNR(NVME_SC_WRITE_PROTECTED));
        f->media_error = -EOPNOTSUPP; /* a medium that cannot keep a block size: nothing is lost */
        assert_int_equal(admin(f, format(1, 1)), DNR(NVME_SC_INVALID_FORMAT));
        f->media_error = -EIO;
        assert_int_equal(admin(f, format(1, 0)), DNR(NVME_SC_WRITE_FAULT));
        f->media_error = 0;
        assert_int_equal(f->media[0][0], 0x77);
        f->image->namespaces[4].read_only = 0;
        assert_int_equal(admin(f, format(NVME_NSID_ALL, 1)), 0);
        assert_int_equal(f->formatted[0], 4096);
        assert_int_equal(f->formatted[1], 0);
        assert_int_equal(f->formatted[2], 4096);
        assert_int_equal(f->n_submitted[VPC_IO_DISCARD], 3 + 1); /* one of them failed */
}

/* Commands to a namespace that is being formatted, before and meanwhile; and a reset in the midst of it. */
static void test_format_under_io(void **state) {
        struct fake *f = *state;
        struct fake_queue q;
        struct nvme_cqe cqe;

        fake_queue_create(f, &q, 1, 16);
        fake_push(f, &q, fake_transfer(f, NVME_IO_COMPARE, 1, BLOCKS - 2048, 2048, FAKE_DATA));
        fake_ring(f, &q);
        fake_push(f, &f->admin, format(1, 1));
        fake_ring(f, &f->admin);
        fake_push(f, &q, fake_transfer(f, NVME_IO_READ, 1, 0, 1, FAKE_DATA));
        fake_push(f, &q, fake_transfer(f, NVME_IO_READ, 2, 0, 1, FAKE_DATA));
        fake_ring(f, &q);
        fake_run(f);
        for (unsigned int i = 0; i < 3; i++) {
                assert_true(fake_pop(f, &q, &cqe));
                assert_int_equal(cqe.status >> 1, i == 2 ? 0 : NVME_SC_FORMAT_IN_PROGRESS);
        }
        fake_ring_cq(f, &q);
        assert_true(fake_pop(f, &f->admin, &cqe));
        assert_int_equal(cqe.status >> 1, 0);
        fake_ring_cq(f, &f->admin);
        assert_int_equal(f->image->namespaces[0].block_shift, 12);

        fake_push(f, &f->admin, format(1, 0));
        fake_ring(f, &f->admin);
        fake_step(f);
        fake_disable(f);
        fake_enable(f);
        fake_queue_create(f, &q, 1, 16);
        assert_int_equal(fake_status(f, &q, fake_transfer(f, NVME_IO_READ, 1, 0, 1, FAKE_DATA)), 0);
        fake_push(f, &f->admin, format(1, 0));
        fake_ring(f, &f->admin);
        fake_restart(f);
        fake_run(f);
        assert_true(fake_pop(f, &f->admin, &cqe));
        assert_int_equal(cqe.status >> 1, 0); /* it began anew */
        fake_ring_cq(f, &f->admin);
        assert_int_equal(f->image->namespaces[0].block_shift, 9);
        assert_int_equal(fake_status(f, &q, fake_transfer(f, NVME_IO_READ, 1, 0, 1, FAKE_DATA)), 0);
}

/* A write that is at its medium when a format begins: its data must not come back after the format. */
static void test_format_waits(void **state) {
        struct fake *f = *state;
        struct fake_queue q;
        struct nvme_cqe cqe;

        fake_queue_create(f, &q, 1, 16);
        memset(fake_memory(f, FAKE_DATA), 0x77, 512);
        fake_push(f, &q, fake_transfer(f, NVME_IO_WRITE, 2, 0, 1, FAKE_DATA));
        fake_push(f, &q, fake_transfer(f, NVME_IO_WRITE, 1, 0, 1, FAKE_DATA));
        fake_ring(f, &q);
        fake_push(f, &f->admin, format(1, 1));
        fake_ring(f, &f->admin);
        assert_int_equal(f->n_pending, 2);
        assert_int_equal(f->n_submitted[VPC_IO_FORMAT], 0);
        fake_end(f, 1);
        assert_int_equal(f->n_submitted[VPC_IO_FORMAT], 1); /* the other namespace is no matter */
        fake_run(f);
        assert_true(fake_pop(f, &f->admin, &cqe));
        assert_int_equal(cqe.status >> 1, 0);
        fake_ring_cq(f, &f->admin);
        assert_int_equal(f->media[0][0], 0);
        assert_int_equal(f->media[1][0], 0x77);
        /* The namespace goes while the format waits. */
        fake_push(f, &q, fake_transfer(f, NVME_IO_WRITE, 1, 0, 1, FAKE_DATA));
        fake_ring(f, &q);
        fake_push(f, &f->admin, format(1, 1));
        fake_ring(f, &f->admin);
        f->persona.media[0] = (struct vpc_medium){0};
        assert_int_equal(nvme_model.show(f->device, &f->persona), 0);
        fake_run(f);
        assert_true(fake_pop(f, &f->admin, &cqe));
        assert_int_equal(cqe.status >> 1, DNR(NVME_SC_INVALID_NAMESPACE));
        fake_ring_cq(f, &f->admin);
        assert_int_equal(f->n_submitted[VPC_IO_FORMAT], 1);
}

/* What the namespace has become while the format waits for a write, or for its own first step. */
static void test_format_changes(void **state) {
        struct fake *f = *state;
        struct fake_queue q;
        struct nvme_cqe cqe;

        fake_queue_create(f, &q, 1, 16);
        memset(fake_memory(f, FAKE_DATA), 0x77, 512);
        for (unsigned int i = 0; i < 2; i++) {
                fake_push(f, &q, fake_transfer(f, NVME_IO_WRITE, 1, 0, 1, FAKE_DATA));
                fake_ring(f, &q);
                fake_push(f, &f->admin, format(1, 0));
                fake_ring(f, &f->admin);
                f->persona.media[0].read_only = i == 0;
                f->persona.media[0].shared = i == 1; /* of its reservations nothing is known yet */
                assert_int_equal(nvme_model.show(f->device, &f->persona), 0);
                fake_run(f);
                assert_true(fake_pop(f, &q, &cqe));
                fake_ring_cq(f, &q);
                assert_true(fake_pop(f, &f->admin, &cqe));
                assert_int_equal(cqe.status >> 1, i == 0 ? DNR(NVME_SC_WRITE_PROTECTED) : NVME_SC_NAMESPACE_NOT_READY);
                fake_ring_cq(f, &f->admin);
                assert_int_equal(f->media[0][0], 0x77);
                f->persona.media[0].read_only = f->persona.media[0].shared = 0;
                assert_int_equal(nvme_model.show(f->device, &f->persona), 0);
        }
        fake_push(f, &f->admin, format(1, 1));
        fake_ring(f, &f->admin);
        f->persona.media[0].read_only = 1;
        assert_int_equal(nvme_model.show(f->device, &f->persona), 0);
        fake_run(f);
        assert_true(fake_pop(f, &f->admin, &cqe));
        assert_int_equal(cqe.status >> 1, DNR(NVME_SC_WRITE_PROTECTED));
        fake_ring_cq(f, &f->admin);
        assert_int_equal(f->image->namespaces[0].block_shift, 12); /* that the medium keeps already */
        assert_int_equal(f->media[0][0], 0x77);
        f->persona.media[0].read_only = 0;
        assert_int_equal(nvme_model.show(f->device, &f->persona), 0);
        assert_int_equal(admin(f, format(1, 0)), 0);
        assert_int_equal(f->media[0][0], 0);
}

/* Media that are memory: all of it ends within the doorbell write, and nothing waits for the next one. */
static void test_format_inline(void **state) {
        struct fake *f = *state;
        struct nvme_cqe cqe;

        fake_inline(f);
        fake_push(f, &f->admin, format(1, 1));
        fake_ring(f, &f->admin);
        assert_true(fake_pop(f, &f->admin, &cqe));
        assert_int_equal(cqe.status >> 1, 0);
        fake_ring_cq(f, &f->admin);
        assert_int_equal(f->image->namespaces[0].block_shift, 12);
}

/* A reset while the block size is being kept: it is on the medium, so the controller shows it. */
static void test_format_reset(void **state) {
        struct fake *f = *state;

        fake_push(f, &f->admin, format(1, 1));
        fake_ring(f, &f->admin);
        fake_disable(f);
        assert_int_equal(f->formatted[0], 4096);
        assert_int_equal(f->image->namespaces[0].block_shift, 12);
        assert_int_equal(f->n_submitted[VPC_IO_DISCARD], 0);
        fake_enable(f);
        assert_int_equal(admin(f, format(1, 1)), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_format, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_format_errors, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_format_under_io, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_format_waits, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_format_changes, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_format_inline, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_format_reset, fake_setup, fake_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
