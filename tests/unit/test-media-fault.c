/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Faults on demand between a slot and its media, over a real loop. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "media/fault.h"
#include "util.h"

#define NEVER 1 /* what a request's result is before it has one */
#define N 8

struct fixture {
        struct loop *loop;
        struct media_faults *faults;
        struct vpc_io io[N];
        int result[N];
        unsigned int order[N], n_done, n_submitted, wanted;
        uint64_t hits[4];
};
static struct fixture *fixture;

static void on_finish(struct vpc_io *io, int error) {
        struct fixture *f = fixture;
        unsigned int i = (unsigned int)(io - f->io);

        assert_int_equal(f->result[i], NEVER);
        f->result[i] = error;
        f->order[f->n_done++] = i;
        if (f->n_done == f->wanted)
                loop_stop(f->loop, 0);
}

/* A medium that is done at once. */
static void on_submit(void *userdata, unsigned int medium, struct vpc_io *io) {
        ((struct fixture *)userdata)->n_submitted++;
        on_finish(io, 0);
}

static void on_struck(void *userdata, uint64_t id, uint64_t hits) {
        struct fixture *f = userdata;

        assert_true(id < ARRAY_LENGTH(f->hits));
        f->hits[id] += hits;
        if (!f->wanted)
                loop_stop(f->loop, 0);
}

static const struct media_fault_events events = {.submit = on_submit, .struck = on_struck};

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        if (!f || loop_new(&f->loop, 8) < 0 || media_faults_new(f->loop, &events, f, &f->faults) < 0)
                return -1;
        for (unsigned int i = 0; i < N; i++)
                f->result[i] = NEVER;
        *state = fixture = f;
        return 0;
}

static int teardown(void **state) {
        struct fixture *f = *state;

        media_faults_free(f->faults);
        loop_free(f->loop);
        free(f);
        return 0;
}

static void submit(struct fixture *f, unsigned int i, unsigned int medium, enum vpc_io_op op, uint64_t offset, uint64_t length) {
        f->io[i] = (struct vpc_io){.op = op, .offset = offset, .length = length, .private = {.finish = on_finish}};
        media_faults_submit(f->faults, medium, &f->io[i]);
}

/* Until so many requests are done. */
static void run(struct fixture *f, unsigned int wanted) {
        f->wanted = wanted;
        if (f->n_done < wanted)
                assert_int_equal(loop_run(f->loop), 0);
        assert_int_equal(f->n_done, wanted);
}

static void test_error_strikes_its_range(void **state) {
        struct fixture *f = *state;
        const struct media_fault fault = {.id = 1, .type = MEDIA_FAULT_ERROR, .medium = 1, .first = 4096, .length = 512};

        assert_int_equal(media_faults_add(f->faults, &fault), 0);
        submit(f, 0, 1, VPC_IO_READ, 0, 4096);     /* ends before it */
        submit(f, 1, 1, VPC_IO_WRITE, 4608, 4096); /* starts behind it */
        submit(f, 2, 0, VPC_IO_READ, 4096, 512);   /* another medium */
        submit(f, 3, 1, VPC_IO_FLUSH, 0, 0);
        assert_int_equal(f->n_submitted, 4);
        submit(f, 4, 1, VPC_IO_READ, 0, 4097);
        submit(f, 5, 1, VPC_IO_WRITE, 4607, 1);
        /* Never from within. */
        assert_int_equal(f->n_done, 4);
        run(f, 6);
        assert_int_equal(f->n_submitted, 4);
        assert_int_equal(f->result[4], -EIO);
        assert_int_equal(f->result[5], -EIO);
        f->wanted = 0;
        assert_int_equal(loop_run(f->loop), 0);
        assert_int_equal(f->hits[1], 2);
        media_faults_reset(f->faults);
        submit(f, 6, 1, VPC_IO_READ, 4096, 512);
        assert_int_equal(f->result[6], 0);
}

static void test_full_refuses_writes(void **state) {
        struct fixture *f = *state;
        const struct media_fault fault = {.id = 2, .type = MEDIA_FAULT_FULL, .medium = MEDIA_FAULT_ALL};

        assert_int_equal(media_faults_add(f->faults, &fault), 0);
        submit(f, 0, 3, VPC_IO_WRITE, 0, 512);
        submit(f, 1, 3, VPC_IO_READ, 0, 512);
        submit(f, 2, 3, VPC_IO_FLUSH, 0, 0);
        run(f, 3);
        assert_int_equal(f->result[0], -ENOSPC);
        assert_int_equal(f->result[1], 0);
        assert_int_equal(f->result[2], 0);
}

static void test_latency_keeps_the_order(void **state) {
        struct fixture *f = *state;
        const struct media_fault slow = {.id = 1, .type = MEDIA_FAULT_LATENCY, .medium = 0, .delay_ns = 20000000};
        const struct media_fault slower = {.id = 2, .type = MEDIA_FAULT_LATENCY, .medium = 1, .delay_ns = 40000000};
        const struct media_fault error = {.id = 3, .type = MEDIA_FAULT_ERROR, .medium = 0, .first = 0, .length = 512};

        assert_int_equal(media_faults_add(f->faults, &slow), 0);
        assert_int_equal(media_faults_add(f->faults, &slower), 0);
        assert_int_equal(media_faults_add(f->faults, &error), 0);
        submit(f, 0, 1, VPC_IO_READ, 0, 512);
        submit(f, 1, 0, VPC_IO_READ, 512, 512);
        submit(f, 2, 0, VPC_IO_READ, 0, 512);
        submit(f, 3, 2, VPC_IO_READ, 0, 512);
        assert_int_equal(f->n_done, 1); /* the last, which no fault is for */
        run(f, 4);
        assert_int_equal(f->order[0], 3);
        assert_int_equal(f->order[1], 1);
        assert_int_equal(f->order[2], 2);
        assert_int_equal(f->order[3], 0);
        assert_int_equal(f->result[1], 0);
        assert_int_equal(f->result[2], -EIO); /* late, and then an error */
}

static void test_reset_lets_go(void **state) {
        struct fixture *f = *state;
        const struct media_fault slow = {.id = 1, .type = MEDIA_FAULT_LATENCY, .medium = 0, .delay_ns = MEDIA_FAULT_DELAY_MAX};

        assert_int_equal(media_faults_add(f->faults, &slow), 0);
        submit(f, 0, 0, VPC_IO_READ, 0, 512);
        submit(f, 1, 0, VPC_IO_FLUSH, 0, 0);
        f->wanted = 2;
        media_faults_reset(f->faults);
        assert_int_equal(f->n_done, 0);
        run(f, 2);
        assert_int_equal(f->hits[1], 2);
}

static void test_nonsense(void **state) {
        struct fixture *f = *state;
        struct media_fault fault = {.type = 0};

        assert_int_equal(media_faults_add(f->faults, &fault), -EINVAL);
        fault = (struct media_fault){.type = MEDIA_FAULT_LATENCY, .delay_ns = MEDIA_FAULT_DELAY_MAX + 1};
        assert_int_equal(media_faults_add(f->faults, &fault), -EINVAL);
        fault = (struct media_fault){.type = MEDIA_FAULT_ERROR, .first = UINT64_MAX, .length = 1};
        assert_int_equal(media_faults_add(f->faults, &fault), -EINVAL);
        fault.first = 0;
        for (unsigned int i = 0; i < MEDIA_FAULTS_MAX; i++)
                assert_int_equal(media_faults_add(f->faults, &fault), 0);
        assert_int_equal(media_faults_add(f->faults, &fault), -E2BIG);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_error_strikes_its_range, setup, teardown),
                cmocka_unit_test_setup_teardown(test_full_refuses_writes, setup, teardown),
                cmocka_unit_test_setup_teardown(test_latency_keeps_the_order, setup, teardown),
                cmocka_unit_test_setup_teardown(test_reset_lets_go, setup, teardown),
                cmocka_unit_test_setup_teardown(test_nonsense, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
