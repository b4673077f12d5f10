/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Controller registers: values, access widths, enable, disable, shutdown, resets; the model's description and start image. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nvme-host.h"

static int setup(void **state) {
        *state = fake_new();
        return 0;
}

static int teardown(void **state) {
        fake_free(*state);
        return 0;
}

static void test_registry(void **state) {
        assert_ptr_equal(vpc_model_find("nvme"), &nvme_model);
        assert_null(vpc_model_find("nvm"));
        assert_ptr_equal(vpc_model_for_adapter(IOV_ADAPTER_SSD), &nvme_model);
        assert_null(vpc_model_for_adapter(IOV_ADAPTER_NIC));
        assert_null(vpc_model_for_adapter(IOV_ADAPTER_RAID));
        assert_ptr_equal(vpc_models[0], &nvme_model);
        assert_null(vpc_models[1]);
}

static void test_description(void **state) {
        const struct vpc_description *d = nvme_model.description;

        assert_int_equal(d->class_code, 0x010802);
        assert_int_equal(d->msix_vectors, NVME_VECTORS);
        /* Doorbells, MSI-X table and pending bits each in pages of their own, all in the BAR. */
        assert_true(NVME_REG_DOORBELLS + NVME_QUEUES * 8 <= d->msix_table_offset);
        assert_true(d->msix_table_offset + d->msix_vectors * 16u <= d->msix_pba_offset);
        assert_true(d->msix_pba_offset + (d->msix_vectors + 63u) / 64 * 8 <= d->bars[0].size);
        assert_int_equal(d->msix_table_offset % 4096, 0);
        assert_int_equal(d->msix_pba_offset % 4096, 0);
        assert_true(d->bars[0].is_64bit);
}

static void expect_init(const struct vpc_persona *p, int expected) {
        struct nvme_image *image = calloc(1, nvme_model.state_size);

        assert_non_null(image);
        assert_int_equal(nvme_model.init(image, p), expected);
        free(image);
}

static void test_personas(void **state) {
        struct vpc_persona p;

        fake_persona(&p);
        expect_init(&p, 0);
        p.media[1].id = 1; /* twice */
        expect_init(&p, -EINVAL);
        fake_persona(&p);
        p.media[0].id = 0;
        expect_init(&p, -EINVAL);
        fake_persona(&p);
        p.media[0].id = NVME_NAMESPACES + 1;
        expect_init(&p, -EINVAL);
        fake_persona(&p);
        p.media[0].block_size = 513;
        expect_init(&p, -EINVAL);
        fake_persona(&p);
        p.media[0].block_size = 256;
        expect_init(&p, -EINVAL);
        fake_persona(&p);
        p.media[0].size = 513;
        expect_init(&p, -EINVAL);
        fake_persona(&p);
        p.media[0].size = 0;
        expect_init(&p, -EINVAL);
        fake_persona(&p);
        p.n_media = VPC_MEDIA_MAX + 1;
        expect_init(&p, -EINVAL);
        fake_persona(&p);
        p.n_media = 0; /* a controller without namespaces */
        expect_init(&p, 0);
}

static void test_values(void **state) {
        struct fake *f = *state;
        uint64_t cap = nvme_model.bar_read(f->device, 0, NVME_REG_CAP, 8);

        assert_int_equal(cap & 0xffff, NVME_QUEUE_MAX - 1);
        assert_true(cap & 1 << 16);            /* CQR */
        assert_true((cap >> 24 & 0xff) > 0);   /* TO */
        assert_int_equal(cap >> 32 & 15, 0);   /* DSTRD */
        assert_int_equal(cap >> 37 & 0xff, 1); /* CSS: NVM only */
        assert_int_equal(cap >> 45, 0);        /* BPS, MPSMIN, MPSMAX, PMRS, CMBS */
        assert_int_equal(fake_read(f, 0), (uint32_t)cap);
        assert_int_equal(fake_read(f, 4), (uint32_t)(cap >> 32));
        assert_int_equal(fake_read(f, NVME_REG_VS), 0x10400);
        assert_int_equal(fake_read(f, NVME_REG_CSTS), 0);
        assert_int_equal(nvme_model.bar_read(f->device, 0, 2, 1), cap >> 16 & 0xff);
        assert_int_equal(nvme_model.bar_read(f->device, 0, 0x0a, 2), 1);
        fake_write(f, NVME_REG_CAP, 0); /* read-only ones stay */
        fake_write(f, NVME_REG_VS, 0);
        fake_write(f, NVME_REG_CSTS, 0xffffffff);
        assert_int_equal(fake_read(f, 0), (uint32_t)cap);
        assert_int_equal(fake_read(f, NVME_REG_VS), 0x10400);
        assert_int_equal(fake_read(f, NVME_REG_CSTS), 0);
}

/* All ones means a device that is gone, to every driver. Only an address can be what the host itself has written. */
static void expect_no_all_ones(struct fake *f) {
        for (uint64_t offset = 0; offset < 0x2000; offset += 4)
                if (offset != NVME_REG_ASQ + 4 && offset != NVME_REG_ACQ + 4)
                        assert_int_not_equal(fake_read(f, offset), 0xffffffff);
}

static void test_never_all_ones(void **state) {
        struct fake *f = *state;

        for (uint64_t offset = 0; offset < 0x2000; offset += 4)
                if (offset != NVME_REG_CC)
                        fake_write(f, offset, 0xffffffff);
        expect_no_all_ones(f);
        fake_write(f, NVME_REG_CC, 0xffffffff);
        expect_no_all_ones(f);
}

static void test_widths(void **state) {
        struct fake *f = *state;

        nvme_model.bar_write(f->device, 0, NVME_REG_ASQ, 8, UINT64_C(0x123456789abcdfff));
        assert_int_equal(fake_read(f, NVME_REG_ASQ), 0x9abcd000);
        assert_int_equal(fake_read(f, NVME_REG_ASQ + 4), 0x12345678);
        assert_true(nvme_model.bar_read(f->device, 0, NVME_REG_ASQ, 8) == UINT64_C(0x123456789abcd000));
        nvme_model.bar_write(f->device, 0, NVME_REG_ASQ, 1, 0x11); /* too narrow: no effect */
        nvme_model.bar_write(f->device, 0, NVME_REG_ASQ, 2, 0x1111);
        assert_true(nvme_model.bar_read(f->device, 0, NVME_REG_ASQ, 8) == UINT64_C(0x123456789abcd000));
        fake_write(f, NVME_REG_AQA, 0xffffffff);
        assert_int_equal(fake_read(f, NVME_REG_AQA), 0x0fff0fff);
        assert_int_equal(nvme_model.bar_read(f->device, 1, 0, 4), 0);
        nvme_model.bar_write(f->device, 1, NVME_REG_AQA, 4, 0);
        assert_int_equal(fake_read(f, NVME_REG_AQA), 0x0fff0fff);
}

static void test_enable(void **state) {
        struct fake *f = *state;

        fake_enable(f);
        fake_disable(f);
        assert_int_equal(fake_read(f, NVME_REG_AQA), 31 << 16 | 31); /* [7.3.2] kept */
        assert_int_equal(fake_read(f, NVME_REG_ASQ), FAKE_ASQ);
        fake_enable(f);
}

static void expect_cfs(struct fake *f, uint32_t cc, uint32_t aqa) {
        fake_write(f, NVME_REG_AQA, aqa);
        fake_write(f, NVME_REG_CC, cc);
        assert_int_equal(fake_read(f, NVME_REG_CSTS), NVME_CSTS_CFS);
        fake_write(f, NVME_REG_CC, 0);
        assert_int_equal(fake_read(f, NVME_REG_CSTS), 0);
}

static void test_enable_refused(void **state) {
        struct fake *f = *state;

        expect_cfs(f, 0x00460081, 31 << 16 | 31); /* MPS 1 */
        expect_cfs(f, 0x00460011, 31 << 16 | 31); /* CSS 1 */
        expect_cfs(f, 0x00460801, 31 << 16 | 31); /* AMS 1 */
        expect_cfs(f, 0x00460001, 31 << 16);      /* admin queues of one entry */
        expect_cfs(f, 0x00460001, 31);
        assert_true(f->n_logs >= 5);
        fake_enable(f);
}

static void test_shutdown(void **state) {
        struct fake *f = *state;
        struct fake_queue q;

        fake_enable(f);
        fake_queue_create(f, &q, 1, 16);
        fake_push(f, &q, fake_transfer(f, NVME_IO_WRITE, 1, 0, 1, FAKE_DATA));
        fake_ring(f, &q);
        fake_write(f, NVME_REG_CC, 0x00464001);
        assert_int_equal(fake_read(f, NVME_REG_CSTS), NVME_CSTS_RDY | NVME_CSTS_SHST_OCCURRING);
        assert_int_equal(f->n_pending, 1); /* the write first */
        fake_step(f);
        assert_int_equal(f->n_pending, 1);
        assert_int_equal(fake_read(f, NVME_REG_CSTS), NVME_CSTS_RDY | NVME_CSTS_SHST_OCCURRING);
        fake_run(f);
        assert_int_equal(fake_read(f, NVME_REG_CSTS), NVME_CSTS_RDY | NVME_CSTS_SHST_COMPLETE);
        for (unsigned int i = 0; i < FAKE_MEDIA; i++)
                assert_int_equal(f->n_flushed[i], 1);
        /* Nothing is fetched after it. */
        fake_push(f, &q, fake_transfer(f, NVME_IO_WRITE, 1, 0, 1, FAKE_DATA));
        fake_ring(f, &q);
        assert_int_equal(f->n_pending, 0);
        fake_write(f, NVME_REG_CC, 0x00460000);
        assert_int_equal(fake_read(f, NVME_REG_CSTS), 0);
        fake_enable(f);
        assert_int_equal(f->image->life.unsafe_shutdowns, 0);
}

/* A shutdown of a controller that is not enabled, which then is. */
static void test_shutdown_disabled(void **state) {
        struct fake *f = *state;

        fake_write(f, NVME_REG_CC, 0x00464000);
        fake_run(f);
        assert_int_equal(fake_read(f, NVME_REG_CSTS), NVME_CSTS_SHST_COMPLETE);
        fake_enable(f);
        assert_int_equal(
                fake_status(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_IDENTIFY, .prp1 = FAKE_DATA, .cdw10 = 1}), 0);
}

/* A shutdown that is asked for with the disable, or while that is waiting for a medium, comes after it. */
static void test_shutdown_with_disable(void **state) {
        struct fake *f = *state;
        struct fake_queue q;

        fake_enable(f);
        fake_write(f, NVME_REG_CC, 0x00464000);
        fake_run(f);
        assert_int_equal(fake_read(f, NVME_REG_CSTS), NVME_CSTS_SHST_COMPLETE);
        assert_int_equal(f->n_submitted[VPC_IO_FLUSH], FAKE_MEDIA);
        fake_enable(f);
        fake_queue_create(f, &q, 1, 16);
        fake_push(f, &q, fake_transfer(f, NVME_IO_WRITE, 1, 0, 1, FAKE_DATA));
        fake_ring(f, &q);
        fake_write(f, NVME_REG_CC, 0x00460000);
        fake_write(f, NVME_REG_CC, 0x00464000);
        assert_int_equal(f->n_pending, 1); /* the write */
        assert_int_equal(fake_read(f, NVME_REG_CSTS), NVME_CSTS_RDY | NVME_CSTS_SHST_OCCURRING);
        fake_run(f);
        assert_int_equal(fake_read(f, NVME_REG_CSTS), NVME_CSTS_SHST_COMPLETE);
        assert_int_equal(f->n_submitted[VPC_IO_FLUSH], 2 * FAKE_MEDIA);
        /* One that is over does not begin anew with the disable. */
        fake_enable(f);
        fake_write(f, NVME_REG_CC, 0x00464001);
        fake_run(f);
        fake_write(f, NVME_REG_CC, 0x00464000);
        fake_run(f);
        assert_int_equal(fake_read(f, NVME_REG_CSTS), 0);
        assert_int_equal(f->n_submitted[VPC_IO_FLUSH], 3 * FAKE_MEDIA);
}

static void test_shutdown_flush_fails(void **state) {
        struct fake *f = *state;

        fake_enable(f);
        f->media_error = -EIO;
        fake_write(f, NVME_REG_CC, 0x00464001);
        fake_run(f);
        assert_int_equal(fake_read(f, NVME_REG_CSTS), NVME_CSTS_RDY | NVME_CSTS_SHST_COMPLETE);
        assert_int_equal(f->n_logs, FAKE_MEDIA);
}

/* A reset in the middle of a shutdown, and the flush that is still under way then: the next shutdown starts anew. */
static void test_shutdown_reset(void **state) {
        struct fake *f = *state;

        fake_enable(f);
        fake_write(f, NVME_REG_CC, 0x00464001);
        assert_int_equal(f->n_pending, 1);
        nvme_model.reset(f->device, VPC_RESET_FLR);
        assert_int_equal(fake_read(f, NVME_REG_CSTS), 0);
        fake_run(f);
        assert_int_equal(f->n_submitted[VPC_IO_FLUSH], 1);
        fake_enable(f);
        fake_write(f, NVME_REG_CC, 0x00464001);
        fake_run(f);
        assert_int_equal(fake_read(f, NVME_REG_CSTS), NVME_CSTS_RDY | NVME_CSTS_SHST_COMPLETE);
        assert_int_equal(f->n_submitted[VPC_IO_FLUSH], 1 + FAKE_MEDIA);
}

static void test_disable_waits(void **state) {
        struct fake *f = *state;
        struct fake_queue q;
        struct nvme_cqe cqe;

        fake_enable(f);
        fake_queue_create(f, &q, 1, 16);
        fake_push(f, &q, fake_transfer(f, NVME_IO_READ, 1, 0, 1, FAKE_DATA));
        fake_push(f, &q, fake_transfer(f, NVME_IO_READ, 1, 8, 1, FAKE_DATA));
        fake_ring(f, &q);
        assert_int_equal(f->counters.inflight, 2);
        fake_write(f, NVME_REG_CC, 0x00460000);
        assert_int_equal(fake_read(f, NVME_REG_CSTS), NVME_CSTS_RDY);
        assert_int_equal(f->counters.inflight, 0);
        fake_step(f);
        assert_int_equal(fake_read(f, NVME_REG_CSTS), NVME_CSTS_RDY);
        fake_write(f, NVME_REG_CC, 0x00460001); /* too early: takes effect when the reset is over */
        assert_int_equal(fake_read(f, NVME_REG_CSTS), NVME_CSTS_RDY);
        fake_write(f, NVME_REG_CC, 0x00460000);
        fake_step(f);
        assert_int_equal(fake_read(f, NVME_REG_CSTS), 0);
        assert_false(fake_pop(f, &q, &cqe)); /* nothing was posted */
        fake_enable(f);
        fake_queue_create(f, &q, 1, 16);
        assert_int_equal(fake_status(f, &q, fake_transfer(f, NVME_IO_READ, 1, 0, 1, FAKE_DATA)), 0);
}

static void test_flr_with_io(void **state) {
        struct fake *f = *state;
        struct fake_queue q;

        fake_enable(f);
        fake_queue_create(f, &q, 1, 16);
        fake_push(f, &q, fake_transfer(f, NVME_IO_READ, 1, 0, 1, FAKE_DATA));
        fake_ring(f, &q);
        nvme_model.reset(f->device, VPC_RESET_FLR);
        assert_int_equal(fake_read(f, NVME_REG_CSTS), 0);
        assert_int_equal(fake_read(f, NVME_REG_CC), 0);
        assert_int_equal(fake_read(f, NVME_REG_AQA), 0);
        assert_false(f->level);
        fake_write(f, NVME_REG_AQA, 31 << 16 | 31);
        fake_write(f, NVME_REG_ASQ, (uint32_t)FAKE_ASQ);
        fake_write(f, NVME_REG_ACQ, (uint32_t)FAKE_ACQ);
        fake_write(f, NVME_REG_CC, 0x00460001);
        assert_int_equal(fake_read(f, NVME_REG_CSTS), 0); /* the old read may still write memory */
        fake_run(f);
        assert_int_equal(fake_read(f, NVME_REG_CSTS), NVME_CSTS_RDY);
}

static void test_power_on(void **state) {
        struct fake *f = *state;

        fake_enable(f);
        nvme_model.reset(f->device, VPC_RESET_BUS);
        assert_int_equal(f->image->life.power_cycles, 1);
        fake_enable(f);
        nvme_model.reset(f->device, VPC_RESET_POWER_ON);
        assert_int_equal(f->image->life.power_cycles, 2);
        assert_int_equal(f->image->life.unsafe_shutdowns, 1);
        nvme_model.reset(f->device, VPC_RESET_POWER_ON);
        assert_int_equal(f->image->life.unsafe_shutdowns, 1);
        /* A server that goes without a word, and one that has shut down. */
        fake_enable(f);
        nvme_model.power_lost(f->device);
        assert_int_equal(f->image->life.unsafe_shutdowns, 2);
        nvme_model.reset(f->device, VPC_RESET_BUS);
        fake_enable(f);
        fake_write(f, NVME_REG_CC, 0x00464001);
        fake_run(f);
        assert_int_equal(fake_read(f, NVME_REG_CSTS) & NVME_CSTS_SHST_MASK, NVME_CSTS_SHST_COMPLETE);
        nvme_model.power_lost(f->device);
        assert_int_equal(f->image->life.unsafe_shutdowns, 2);
        assert_int_equal(f->image->life.power_cycles, 4);
}

static void test_intx(void **state) {
        struct fake *f = *state;
        struct nvme_cqe cqe;

        fake_enable(f);
        fake_push(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_IDENTIFY, .prp1 = FAKE_DATA, .cdw10 = 1});
        fake_push(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_IDENTIFY, .prp1 = FAKE_DATA, .cdw10 = 1});
        fake_ring(f, &f->admin);
        assert_true(f->level);
        assert_int_equal(f->irqs[0], 1); /* one for both */
        fake_write(f, NVME_REG_INTMS, 1);
        assert_int_equal(fake_read(f, NVME_REG_INTMC), 1);
        assert_false(f->level);
        fake_write(f, NVME_REG_INTMC, 1);
        assert_int_equal(fake_read(f, NVME_REG_INTMS), 0);
        assert_true(f->level);
        /* With MSI the mask holds the message back, and clearing it sends it. */
        fake_write(f, NVME_REG_INTMS, 1);
        fake_push(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_IDENTIFY, .prp1 = FAKE_DATA, .cdw10 = 1});
        fake_ring(f, &f->admin);
        assert_int_equal(f->irqs[0], 1);
        fake_write(f, NVME_REG_INTMC, 1);
        assert_int_equal(f->irqs[0], 2);
        assert_true(fake_pop(f, &f->admin, &cqe));
        fake_ring_cq(f, &f->admin);
        assert_true(fake_pop(f, &f->admin, &cqe));
        fake_ring_cq(f, &f->admin);
        assert_true(f->level);
        assert_true(fake_pop(f, &f->admin, &cqe));
        fake_ring_cq(f, &f->admin);
        assert_false(f->level);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_registry),
                cmocka_unit_test(test_description),
                cmocka_unit_test(test_personas),
                cmocka_unit_test_setup_teardown(test_values, setup, teardown),
                cmocka_unit_test_setup_teardown(test_never_all_ones, setup, teardown),
                cmocka_unit_test_setup_teardown(test_widths, setup, teardown),
                cmocka_unit_test_setup_teardown(test_enable, setup, teardown),
                cmocka_unit_test_setup_teardown(test_enable_refused, setup, teardown),
                cmocka_unit_test_setup_teardown(test_shutdown, setup, teardown),
                cmocka_unit_test_setup_teardown(test_shutdown_disabled, setup, teardown),
                cmocka_unit_test_setup_teardown(test_shutdown_with_disable, setup, teardown),
                cmocka_unit_test_setup_teardown(test_shutdown_flush_fails, setup, teardown),
                cmocka_unit_test_setup_teardown(test_shutdown_reset, setup, teardown),
                cmocka_unit_test_setup_teardown(test_disable_waits, setup, teardown),
                cmocka_unit_test_setup_teardown(test_flr_with_io, setup, teardown),
                cmocka_unit_test_setup_teardown(test_power_on, setup, teardown),
                cmocka_unit_test_setup_teardown(test_intx, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
