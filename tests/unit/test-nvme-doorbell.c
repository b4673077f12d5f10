/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Doorbells in memory: shadow and EventIdx [5.7], [7.13], a mapped page; interrupts that are coalesced. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "nvme-host.h"

#define SHADOW (FAKE_DATA + 0x100000)
#define EVENTS (FAKE_DATA + 0x101000)
#define SIZE 16u

static uint32_t *shadow(struct fake *f, unsigned int q, bool is_cq) {
        return (uint32_t *)fake_memory(f, SHADOW) + 2 * q + is_cq;
}

static uint32_t *event(struct fake *f, unsigned int q, bool is_cq) {
        return (uint32_t *)fake_memory(f, EVENTS) + 2 * q + is_cq;
}

static unsigned int buffer_status(struct fake *f, uint64_t prp1, uint64_t prp2) {
        return fake_status(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_DOORBELL_BUFFER, .prp1 = prp1, .prp2 = prp2});
}

static struct fake *start(struct fake_queue *q) {
        struct fake *f = fake_new();

        fake_polled(f);
        fake_enable(f);
        fake_queue_create(f, q, 1, SIZE);
        assert_int_equal(buffer_status(f, SHADOW, EVENTS), 0);
        return f;
}

/* What a driver does with a doorbell; whether it rings [7.13]. */
static bool write_shadow(struct fake *f, unsigned int q, bool is_cq, uint32_t value) {
        uint32_t old = *shadow(f, q, is_cq), at = *event(f, q, is_cq);

        *shadow(f, q, is_cq) = value;
        return (uint16_t)(value - at - 1) < (uint16_t)(value - old);
}

static void expect_read(struct fake *f, struct fake_queue *q, bool rings, bool by_poll) {
        struct nvme_cqe cqe = {0};

        fake_push(f, q, fake_transfer(f, NVME_IO_READ, 1, 0, 1, FAKE_DATA));
        assert_int_equal(write_shadow(f, q->id, false, q->tail), rings);
        if (by_poll)
                assert_true(nvme_poll(f->device));
        else
                fake_ring(f, q);
        fake_run(f);
        assert_true(fake_pop(f, q, &cqe));
        assert_int_equal(cqe.status >> 1, 0);
        write_shadow(f, q->cq_id, true, q->head);
}

/* What the Commands Supported and Effects log says of Doorbell Buffer Config. */
static unsigned int buffer_effects(struct fake *f) {
        assert_int_equal(fake_status(f, &f->admin,
                                     (struct nvme_sqe){.opcode = NVME_ADMIN_GET_LOG,
                                                       .prp1 = FAKE_DATA,
                                                       .cdw10 = 1023 << 16 | NVME_LOG_EFFECTS}),
                         0);
        return *(uint8_t *)fake_memory(f, FAKE_DATA + NVME_ADMIN_DOORBELL_BUFFER * 4);
}

static void test_offered(void **state) {
        struct fake *f = fake_new();
        uint8_t *data = NULL;

        fake_enable(f);
        assert_int_equal(
                fake_status(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_IDENTIFY, .prp1 = FAKE_DATA, .cdw10 = 1}), 0);
        data = fake_memory(f, FAKE_DATA);
        assert_true(data[257] & 1);
        assert_int_equal(buffer_effects(f), 1);
        fake_free(f);
}

static void test_bad_buffers(void **state) {
        struct fake *f = fake_new();
        struct fake_queue q;

        fake_enable(f);
        fake_queue_create(f, &q, 1, SIZE);
        assert_int_equal(buffer_status(f, SHADOW + 4, EVENTS), NVME_SC_INVALID_FIELD | NVME_DNR);
        assert_int_equal(buffer_status(f, SHADOW, EVENTS + 8), NVME_SC_INVALID_FIELD | NVME_DNR);
        assert_int_equal(buffer_status(f, SHADOW, SHADOW), NVME_SC_INVALID_FIELD | NVME_DNR);
        assert_int_equal(buffer_status(f, UINT64_C(0xdead000), EVENTS), NVME_SC_INVALID_FIELD | NVME_DNR);
        assert_int_equal(buffer_status(f, SHADOW, FAKE_RO), NVME_SC_INVALID_FIELD | NVME_DNR);
        assert_int_equal(buffer_status(f, SHADOW, UINT64_MAX & ~UINT64_C(4095)), NVME_SC_INVALID_FIELD | NVME_DNR);
        assert_false(f->image->shadow.enabled);
        fake_free(f);
}

static void test_sleeping_rings(void **state) {
        struct fake_queue q;
        struct fake *f = start(&q);

        /* Asleep: each write passes EventIdx, because the device stores it anew before it sleeps. */
        for (unsigned int i = 0; i < 3 * SIZE; i++) {
                expect_read(f, &q, true, false);
                assert_true(nvme_poll_stop(f->device));
                assert_int_equal(*event(f, 1, false), q.tail);
        }
        assert_true(f->n_poll_starts >= 3 * SIZE);
        fake_free(f);
}

static void test_polling_is_silent(void **state) {
        struct fake_queue q;
        struct fake *f = start(&q);

        nvme_poll(f->device);
        for (unsigned int i = 0; i < 5 * SIZE; i++)
                expect_read(f, &q, false, true);
        assert_false(nvme_poll(f->device));
        assert_true(nvme_poll_stop(f->device));
        expect_read(f, &q, true, false);
        fake_free(f);
}

static void test_last_look(void **state) {
        struct fake_queue q;
        struct fake *f = start(&q);
        struct nvme_cqe cqe;

        nvme_poll(f->device);
        fake_push(f, &q, fake_transfer(f, NVME_IO_READ, 1, 0, 1, FAKE_DATA));
        write_shadow(f, 1, false, q.tail);
        /* Written before EventIdx was stored, and so without a ring: it must be seen now. */
        assert_false(nvme_poll_stop(f->device));
        fake_run(f);
        assert_true(fake_pop(f, &q, &cqe));
        fake_free(f);
}

/* A register write that comes late must not take back what was found in memory. */
static void test_late_ring(void **state) {
        struct fake_queue q;
        struct fake *f = start(&q);
        unsigned int errors = 0;

        nvme_poll(f->device);
        for (unsigned int i = 0; i < 3; i++)
                expect_read(f, &q, false, true);
        errors = (unsigned int)f->image->life.error_count;
        fake_write(f, NVME_REG_DOORBELLS + 8, 1);
        fake_run(f);
        assert_int_equal(f->image->life.error_count, errors);
        assert_int_equal(f->image->sqs[1].tail, 3);
        fake_free(f);
}

static void test_hostile_values(void **state) {
        static const uint32_t values[] = {SIZE, SIZE + 1, 0x10000, UINT32_MAX, 0x80000000};
        struct fake_queue q;
        struct fake *f = start(&q);

        nvme_poll(f->device);
        for (unsigned int i = 0; i < 5; i++) {
                uint64_t errors = f->image->life.error_count;

                *shadow(f, 1, false) = values[i];
                assert_true(nvme_poll(f->device));
                assert_int_equal(f->image->life.error_count, errors + 1);
                assert_int_equal(f->image->sqs[1].tail, 0);
                /* It stays there: that is no new error. */
                assert_false(nvme_poll(f->device));
                assert_true(nvme_poll_stop(f->device));
                assert_int_equal(f->image->life.error_count, errors + 1);
                fake_run(f);
        }
        *shadow(f, 1, false) = 0;
        nvme_poll(f->device);
        expect_read(f, &q, false, true);
        assert_int_equal(fake_read(f, NVME_REG_CSTS), NVME_CSTS_RDY);
        fake_free(f);
}

/* Completions that find no room wait for the head in the shadow, also while the device sleeps. */
static void test_full_completion_queue(void **state) {
        struct fake_queue q;
        struct fake *f = start(&q);
        struct nvme_cqe cqe;
        unsigned int n = 0;

        nvme_poll(f->device);
        for (unsigned int i = 0; i < SIZE - 1; i++)
                fake_push(f, &q, fake_transfer(f, NVME_IO_READ, 1, 0, 1, FAKE_DATA));
        write_shadow(f, 1, false, q.tail);
        nvme_poll(f->device);
        fake_run(f);
        for (unsigned int i = 0; i < 4; i++)
                fake_push(f, &q, fake_transfer(f, NVME_IO_READ, 1, 0, 1, FAKE_DATA));
        write_shadow(f, 1, false, q.tail);
        nvme_poll(f->device);
        fake_run(f);
        assert_true(nvme_poll_stop(f->device));
        assert_int_equal(*event(f, 1, true), 0);
        while (fake_pop(f, &q, &cqe))
                n++;
        assert_int_equal(n, SIZE - 1);
        assert_true(write_shadow(f, 1, true, q.head));
        fake_ring_cq(f, &q);
        fake_run(f);
        while (fake_pop(f, &q, &cqe))
                n++;
        assert_int_equal(n, SIZE - 1 + 4);
        fake_free(f);
}

static void test_reset_drops(void **state) {
        struct fake_queue q;
        struct fake *f = start(&q);

        nvme_poll(f->device);
        fake_disable(f);
        assert_false(f->image->shadow.enabled);
        *shadow(f, 1, false) = 3;
        assert_false(nvme_poll(f->device));
        memset(fake_memory(f, EVENTS), 0xee, 4096);
        fake_enable(f);
        fake_queue_create(f, &q, 1, SIZE);
        assert_false(nvme_poll(f->device));
        assert_true(nvme_poll_stop(f->device));
        assert_int_equal(*event(f, 1, false), 0xeeeeeeee);
        assert_int_equal(fake_status(f, &q, fake_transfer(f, NVME_IO_READ, 1, 0, 1, FAKE_DATA)), 0);
        fake_free(f);
}

static void test_deleted_queue(void **state) {
        struct fake_queue q;
        struct fake *f = start(&q);

        nvme_poll(f->device);
        expect_read(f, &q, false, true);
        assert_int_equal(fake_status(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_DELETE_SQ, .cdw10 = 1}), 0);
        *shadow(f, 1, false) = 9;
        assert_false(nvme_poll(f->device));
        assert_int_equal(fake_status(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_DELETE_CQ, .cdw10 = 1}), 0);
        /* The next one of that number begins at zero, whatever is left in memory. */
        fake_queue_create(f, &q, 1, SIZE);
        assert_int_equal(*shadow(f, 1, false), 0);
        expect_read(f, &q, false, true);
        fake_free(f);
}

/* A buffer that comes when queues have moved on: they go on from where they are. */
static void test_late_buffer(void **state) {
        struct fake *f = fake_new();
        struct fake_queue q;

        fake_polled(f);
        fake_enable(f);
        fake_queue_create(f, &q, 1, SIZE);
        for (unsigned int i = 0; i < 5; i++)
                assert_int_equal(fake_status(f, &q, fake_transfer(f, NVME_IO_READ, 1, 0, 1, FAKE_DATA)), 0);
        assert_int_equal(buffer_status(f, SHADOW, EVENTS), 0);
        assert_int_equal(*shadow(f, 1, false), 5);
        assert_int_equal(*shadow(f, 1, true), 5);
        assert_false(nvme_poll(f->device));
        expect_read(f, &q, false, true);
        fake_free(f);
}

static void test_restart(void **state) {
        struct fake_queue q;
        struct fake *f = start(&q);
        struct nvme_cqe cqe;

        nvme_poll(f->device);
        expect_read(f, &q, false, true);
        /* The process dies with EventIdx left behind: nothing rings for what comes next. */
        fake_push(f, &q, fake_transfer(f, NVME_IO_READ, 1, 0, 1, FAKE_DATA));
        assert_false(write_shadow(f, 1, false, q.tail));
        f->n_poll_starts = 0;
        fake_restart(f);
        fake_run(f);
        assert_true(f->n_poll_starts > 0);
        nvme_poll(f->device);
        fake_run(f);
        assert_true(fake_pop(f, &q, &cqe));
        fake_free(f);
}

/* The server takes the memory away, and gives it back. */
static void test_memory_goes(void **state) {
        struct fake_queue q;
        struct fake *f = start(&q);
        struct nvme_cqe cqe;

        nvme_poll(f->device);
        f->no_bus_master = true;
        f->dma_generation++;
        fake_push(f, &q, fake_transfer(f, NVME_IO_READ, 1, 0, 1, FAKE_DATA));
        write_shadow(f, 1, false, q.tail);
        assert_false(nvme_poll(f->device));
        assert_true(nvme_poll_stop(f->device));
        f->no_bus_master = false;
        f->dma_generation++;
        assert_true(nvme_poll(f->device));
        fake_run(f);
        assert_true(fake_pop(f, &q, &cqe));
        fake_free(f);
}

/* Without MSI-X the level of INTx falls when the host has read all: its heads are looked at. */
static void test_level(void **state) {
        struct fake_queue q;
        struct fake *f = start(&q);

        f->is_msix = false;
        nvme_poll(f->device);
        expect_read(f, &q, false, true);
        assert_true(f->level);
        assert_true(nvme_poll(f->device));
        assert_false(f->level);
        fake_free(f);
}

/* Commands that came together are announced before the first of them is executed, and be it nonsense that they ask for. */
static void test_expected(void **state) {
        static const struct {
                uint8_t opcode;
                uint32_t nsid;
                uint64_t block;
                uint16_t status;
        } commands[] = {{NVME_IO_READ, 1, 7, 0},
                        {NVME_IO_READ, 0, 0, NVME_SC_INVALID_NAMESPACE},
                        {NVME_IO_WRITE, UINT32_MAX, 0, NVME_SC_INVALID_NAMESPACE},
                        {NVME_IO_READ, 1, UINT64_MAX, NVME_SC_LBA_OUT_OF_RANGE},
                        {NVME_IO_WRITE, 1, 3, 0}};
        struct fake_queue q;
        struct fake *f = start(&q);
        struct nvme_cqe cqe;

        fake_inline(f);
        nvme_poll(f->device);
        for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
                fake_push(f, &q, fake_transfer(f, commands[i].opcode, commands[i].nsid, commands[i].block, 1, FAKE_DATA));
        write_shadow(f, 1, false, q.tail);
        nvme_poll(f->device);
        assert_int_equal(f->n_expected, 3);
        assert_int_equal(f->n_expected_late, 0);
        assert_int_equal(f->expected_bytes, 3 * 512);
        for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
                assert_true(fake_pop(f, &q, &cqe));
                assert_int_equal(cqe.status >> 1 & 0x7ff, commands[i].status);
        }
        fake_free(f);
}

static void test_inline(void **state) {
        struct fake_queue q;
        struct fake *f = start(&q);
        struct nvme_cqe cqe;

        fake_inline(f);
        nvme_poll(f->device);
        for (unsigned int i = 0; i < 10; i++)
                fake_push(f, &q, fake_transfer(f, i % 2 ? NVME_IO_READ : NVME_IO_WRITE, 1, i, 1, FAKE_DATA));
        write_shadow(f, 1, false, q.tail);
        f->irqs[1] = 0;
        nvme_poll(f->device);
        assert_int_equal(f->n_pending, 0);
        for (unsigned int i = 0; i < 10; i++)
                assert_true(fake_pop(f, &q, &cqe));
        assert_int_equal(f->irqs[1], 1); /* one for all of them */
        /* More than one request a command: write through. */
        struct nvme_sqe sqe = fake_transfer(f, NVME_IO_WRITE, 1, 0, 1, FAKE_DATA);
        sqe.cdw12 |= NVME_IO_FUA;
        fake_push(f, &q, sqe);
        write_shadow(f, 1, false, q.tail);
        nvme_poll(f->device);
        assert_true(fake_pop(f, &q, &cqe));
        assert_int_equal(f->n_flushed[0], 1);
        f->media_error = -5;
        fake_push(f, &q, fake_transfer(f, NVME_IO_READ, 1, 0, 1, FAKE_DATA));
        write_shadow(f, 1, false, q.tail);
        nvme_poll(f->device);
        assert_true(fake_pop(f, &q, &cqe));
        assert_int_equal(cqe.status >> 1 & 0x7ff, NVME_SC_READ_ERROR);
        f->media_error = 0;
        fake_free(f);
}

static void test_page(void **state) {
        struct fake *f = fake_new();
        struct fake_queue q;
        struct vpc_area area;
        struct nvme_cqe cqe;

        assert_false(nvme_model.area(f->device, 0, &area));
        fake_polled(f);
        f->host.doorbells = f->doorbells;
        f->host.doorbells_fd = 77;
        assert_true(nvme_model.area(f->device, 0, &area));
        assert_int_equal(area.offset, NVME_REG_DOORBELLS);
        assert_int_equal(area.fd, 77);
        memset(f->doorbells, 0xee, sizeof(f->doorbells));
        fake_run(f);
        f->n_poll_starts = 0;
        fake_enable(f);
        assert_true(f->n_poll_starts > 0); /* from now on it may ring, and no message tells of it */
        fake_queue_create(f, &q, 1, SIZE); /* by registers, which still work */
        assert_int_equal(buffer_status(f, SHADOW, EVENTS), NVME_SC_INVALID_OPCODE | NVME_DNR);
        assert_int_equal(buffer_effects(f), 0);
        fake_push(f, &q, fake_transfer(f, NVME_IO_READ, 1, 0, 1, FAKE_DATA));
        f->doorbells[2] = q.tail;
        assert_true(nvme_poll(f->device));
        fake_run(f);
        assert_true(fake_pop(f, &q, &cqe));
        assert_false(nvme_poll_stop(f->device)); /* never */
        /* The admin queue, too. */
        fake_push(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_GET_FEATURES, .cdw10 = NVME_FEAT_QUEUES});
        f->doorbells[0] = f->admin.tail;
        assert_true(nvme_poll(f->device));
        assert_true(fake_pop(f, &f->admin, &cqe));
        uint64_t errors = f->image->life.error_count;
        f->doorbells[2] = 4711;
        assert_true(nvme_poll(f->device));
        assert_int_equal(f->image->life.error_count, errors + 1);
        fake_disable(f);
        assert_int_equal(f->doorbells[2], 0);
        assert_true(nvme_poll_stop(f->device));
        fake_free(f);
}

static void set_feature(struct fake *f, unsigned int id, uint32_t value) {
        assert_int_equal(
                fake_status(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_SET_FEATURES, .cdw10 = id, .cdw11 = value}), 0);
}

static void test_coalescing(void **state) {
        struct fake *f = fake_new();
        struct fake_queue q;

        fake_enable(f);
        fake_queue_create(f, &q, 1, SIZE);
        set_feature(f, NVME_FEAT_COALESCING, 10 << 8 | 3); /* 1 ms, four completions */
        f->irqs[1] = 0;
        for (unsigned int i = 0; i < 4; i++) {
                assert_int_equal(f->irqs[1], 0);
                fake_push(f, &q, fake_transfer(f, NVME_IO_READ, 1, 0, 1, FAKE_DATA));
                fake_ring(f, &q);
                fake_step(f);
        }
        assert_int_equal(f->irqs[1], 1);
        /* Fewer: when the time is over, and not before. */
        fake_push(f, &q, fake_transfer(f, NVME_IO_READ, 1, 0, 1, FAKE_DATA));
        fake_ring(f, &q);
        fake_step(f);
        assert_int_equal(f->irqs[1], 1);
        assert_true(f->timer != UINT64_MAX && f->timer > 500000 && f->timer <= 1000000);
        f->now += 2000000;
        fake_run(f);
        assert_int_equal(f->irqs[1], 2);
        /* An error does not wait. */
        fake_push(f, &q, fake_transfer(f, NVME_IO_READ, 9, 0, 1, FAKE_DATA));
        fake_ring(f, &q);
        assert_int_equal(f->irqs[1], 3);
        /* Nor a vector for which it is switched off [5.21.1.9]. */
        set_feature(f, NVME_FEAT_VECTOR, 1 << 16 | 1);
        fake_push(f, &q, fake_transfer(f, NVME_IO_READ, 1, 0, 1, FAKE_DATA));
        fake_ring(f, &q);
        fake_step(f);
        assert_int_equal(f->irqs[1], 4);
        fake_free(f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_offered),        cmocka_unit_test(test_bad_buffers),
                cmocka_unit_test(test_sleeping_rings), cmocka_unit_test(test_polling_is_silent),
                cmocka_unit_test(test_last_look),      cmocka_unit_test(test_late_ring),
                cmocka_unit_test(test_hostile_values), cmocka_unit_test(test_full_completion_queue),
                cmocka_unit_test(test_reset_drops),    cmocka_unit_test(test_deleted_queue),
                cmocka_unit_test(test_late_buffer),    cmocka_unit_test(test_restart),
                cmocka_unit_test(test_memory_goes),    cmocka_unit_test(test_level),
                cmocka_unit_test(test_expected),       cmocka_unit_test(test_inline),
                cmocka_unit_test(test_page),           cmocka_unit_test(test_coalescing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
