/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Namespaces that come, go and grow while the controller works. */
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
#define NOTICE (NVME_LOG_CHANGED_NS << 16 | NVME_EVENT_NOTICE_NAMESPACE << 8 | NVME_EVENT_NOTICE)

static unsigned int admin(struct fake *f, struct nvme_sqe sqe) {
        return fake_status(f, &f->admin, sqe);
}

static uint32_t get32(struct fake *f, unsigned int offset) {
        uint32_t value;

        memcpy(&value, (char *)fake_memory(f, FAKE_DATA) + offset, sizeof(value));
        return value;
}

static void read_changed(struct fake *f, bool retain) {
        memset(fake_memory(f, FAKE_DATA), 0xaa, 4096);
        assert_int_equal(admin(f, (struct nvme_sqe){.opcode = NVME_ADMIN_GET_LOG,
                                                    .prp1 = FAKE_DATA,
                                                    .cdw10 = 1023u << 16 | (uint32_t)retain << 15 | NVME_LOG_CHANGED_NS}),
                         0);
}

static int show(struct fake *f) {
        return nvme_model.show(f->device, &f->persona);
}

static void ask_for_events(struct fake *f, uint32_t mask) {
        assert_int_equal(admin(f, (struct nvme_sqe){.opcode = NVME_ADMIN_SET_FEATURES, .cdw10 = NVME_FEAT_EVENTS, .cdw11 = mask}),
                         0);
        fake_push(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_AER});
        fake_ring(f, &f->admin);
}

static bool pop_event(struct fake *f, uint32_t *ret_result) {
        struct nvme_cqe cqe = {0};

        if (!fake_pop(f, &f->admin, &cqe))
                return false;
        fake_ring_cq(f, &f->admin);
        *ret_result = cqe.result;
        return true;
}

static void test_grow(void **state) {
        struct fake *f = *state;
        struct fake_queue q;
        uint32_t result = 0;
        struct nvme_sqe read = fake_transfer(f, NVME_IO_READ, 1, FAKE_MEDIUM_SIZE / 1024, 1, FAKE_DATA);

        f->persona.media[0].size = FAKE_MEDIUM_SIZE / 2;
        assert_int_equal(show(f), 0); /* nobody asked for events */
        fake_queue_create(f, &q, 1, 16);
        assert_int_equal(fake_status(f, &q, read), DNR(NVME_SC_LBA_OUT_OF_RANGE));
        read_changed(f, false);
        ask_for_events(f, NVME_EVENTS_NAMESPACE);
        assert_int_equal(show(f), 0); /* nothing is new */
        assert_false(pop_event(f, &result));
        f->persona.media[0].size = FAKE_MEDIUM_SIZE;
        assert_int_equal(show(f), 0);
        assert_true(pop_event(f, &result));
        assert_int_equal(result, NOTICE);
        assert_int_equal(fake_status(f, &q, read), 0);
        read_changed(f, true);
        assert_int_equal(get32(f, 0), 1);
        assert_int_equal(get32(f, 4), 0);
        read_changed(f, false);
        assert_int_equal(get32(f, 0), 1);
        read_changed(f, false);
        assert_int_equal(get32(f, 0), 0);
}

static void test_come_and_go(void **state) {
        struct fake *f = *state;
        struct fake_queue q;
        uint32_t result = 0;
        uint8_t nguid[16];

        fake_queue_create(f, &q, 1, 16);
        ask_for_events(f, NVME_EVENTS_NAMESPACE);
        memcpy(nguid, f->image->namespaces[1].nguid, 16);
        f->persona.media[1] = (struct vpc_medium){0}; /* 2 goes; 5 keeps its place */
        assert_int_equal(show(f), 0);
        assert_true(pop_event(f, &result));
        assert_int_equal(result, NOTICE);
        assert_int_equal(fake_status(f, &q, fake_transfer(f, NVME_IO_READ, 2, 0, 1, FAKE_DATA)), DNR(NVME_SC_INVALID_FIELD));
        assert_int_equal(fake_status(f, &q, fake_transfer(f, NVME_IO_READ, 5, 0, 1, FAKE_DATA)), 0);
        assert_int_equal(admin(f, (struct nvme_sqe){.opcode = NVME_ADMIN_IDENTIFY, .prp1 = FAKE_DATA, .cdw10 = 2}), 0);
        assert_int_equal(get32(f, 4), 5);
        /* It comes back under another number, before anybody has looked: one list of all, no second event. */
        f->persona.media[1] = (struct vpc_medium){.id = 64, .block_size = 4096, .size = FAKE_MEDIUM_SIZE, .unique_id = 12};
        fake_push(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_AER});
        fake_ring(f, &f->admin);
        assert_int_equal(show(f), 0);
        assert_false(pop_event(f, &result));
        read_changed(f, false);
        assert_int_equal(get32(f, 0), 2);
        assert_int_equal(get32(f, 4), 64);
        assert_int_equal(get32(f, 8), 0);
        assert_memory_equal(f->image->namespaces[63].nguid, nguid, 16);
        struct nvme_sqe sqe = fake_transfer(f, NVME_IO_WRITE, 2, 0, 1, FAKE_DATA);
        sqe.nsid = 64;
        assert_int_equal(fake_status(f, &q, sqe), 0);
        /* another volume under the same number; a flush of all, and a shutdown, pass over what is not there */
        f->persona.media[0].unique_id = 99;
        f->persona.media[2] = (struct vpc_medium){0};
        assert_int_equal(show(f), 0);
        assert_true(pop_event(f, &result));
        assert_int_equal(fake_status(f, &q, (struct nvme_sqe){.opcode = NVME_IO_FLUSH, .nsid = NVME_NSID_ALL}), 0);
        assert_int_equal(f->n_flushed[0], 1);
        assert_int_equal(f->n_flushed[1], 1);
        assert_int_equal(f->n_flushed[2], 0);
        fake_write(f, NVME_REG_CC, 0x00464001);
        fake_run(f);
        assert_int_equal(f->n_flushed[1], 2);
        assert_int_equal(f->n_flushed[2], 0);
        f->persona.media[0].id = 64;
        assert_int_equal(show(f), -EINVAL); /* twice the same number */
}

/* What is under way on a namespace that goes ends with it, and nothing new is sent to its medium. */
static void test_under_way(void **state) {
        struct fake *f = *state;
        struct fake_queue q;
        struct nvme_cqe cqe;

        fake_queue_create(f, &q, 1, 16);
        fake_push(f, &q, fake_transfer(f, NVME_IO_COMPARE, 1, 0, 256, FAKE_DATA));
        fake_push(f, &q, (struct nvme_sqe){.opcode = NVME_IO_FLUSH, .nsid = NVME_NSID_ALL});
        struct nvme_sqe write = fake_transfer(f, NVME_IO_WRITE, 1, 0, 1, FAKE_DATA);
        write.cdw12 |= NVME_IO_FUA;
        fake_push(f, &q, write);
        fake_ring(f, &q);
        fake_push(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_SELF_TEST, .nsid = NVME_NSID_ALL, .cdw10 = 2});
        fake_ring(f, &f->admin);
        f->persona.media[0] = (struct vpc_medium){0};
        assert_int_equal(show(f), 0);
        fake_run(f);
        assert_int_equal(f->n_flushed[0], 1); /* it was on its way */
        assert_int_equal(f->n_flushed[1], 1);
        assert_int_equal(f->n_flushed[2], 1);
        for (unsigned int i = 0; i < 3; i++) {
                assert_true(fake_pop(f, &q, &cqe));
                assert_int_equal(cqe.status >> 1, i == 2 ? 0 : DNR(NVME_SC_INVALID_NAMESPACE));
        }
        fake_ring_cq(f, &q);
        assert_true(fake_pop(f, &f->admin, &cqe));
        fake_ring_cq(f, &f->admin);
        assert_int_equal(f->image->self_test.results[0].status, NVME_SELF_TEST_EXTENDED << 4 | NVME_SELF_TEST_REMOVED);
        fake_push(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_FORMAT, .nsid = 2, .cdw10 = 0});
        fake_ring(f, &f->admin);
        f->persona.media[1] = (struct vpc_medium){0};
        assert_int_equal(show(f), 0);
        fake_run(f);
        assert_true(fake_pop(f, &f->admin, &cqe));
        assert_int_equal(cqe.status >> 1, DNR(NVME_SC_INVALID_NAMESPACE));
        fake_ring_cq(f, &f->admin);
        assert_int_equal(f->image->formatting, 0);
        assert_int_equal(f->n_submitted[VPC_IO_DISCARD], 0);
}

static void test_read_only(void **state) {
        struct fake *f = *state;
        struct fake_queue q;
        uint32_t result = 0;

        fake_queue_create(f, &q, 1, 16);
        ask_for_events(f, NVME_EVENTS_NAMESPACE);
        f->persona.media[0].read_only = 1;
        assert_int_equal(show(f), 0);
        assert_true(pop_event(f, &result));
        assert_int_equal(fake_status(f, &q, fake_transfer(f, NVME_IO_WRITE, 1, 0, 1, FAKE_DATA)), DNR(NVME_SC_WRITE_PROTECTED));
        assert_int_equal(admin(f, (struct nvme_sqe){.opcode = NVME_ADMIN_IDENTIFY, .nsid = 1, .prp1 = FAKE_DATA}), 0);
        assert_int_equal(get32(f, 96) >> 24, 1);
}

/* A test that runs ends with the function: nothing is begun after stop(). */
static void test_stop(void **state) {
        struct fake *f = *state;

        fake_push(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_SELF_TEST, .nsid = NVME_NSID_ALL, .cdw10 = 2});
        fake_ring(f, &f->admin);
        assert_int_equal(f->n_pending, 1);
        nvme_model.stop(f->device);
        assert_true(fake_step(f));
        assert_int_equal(f->n_pending, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_grow, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_come_and_go, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_under_way, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_read_only, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_stop, fake_setup, fake_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
