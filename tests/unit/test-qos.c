/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Limits: what goes at once, what waits and goes later, what changes live. No test depends on how fast this machine is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sys/mman.h>
#include <unistd.h>

#include "link/qos.h"
#include "util.h"

#define N 64

struct fixture {
        struct loop *loop;
        struct qos *qos;
        struct vpc_io io[N];
        unsigned int started, stop_at, medium;
        struct vpc_io *order[N];
};

static void on_start(void *userdata, unsigned int medium, struct vpc_io *io) {
        struct fixture *f = userdata;

        f->medium = medium;
        f->order[f->started++] = io;
        if (f->started == f->stop_at)
                loop_stop(f->loop, 1);
}

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        assert_int_equal(loop_new(&f->loop, 8), 0);
        assert_int_equal(qos_new(f->loop, on_start, f, &f->qos), 0);
        for (unsigned int i = 0; i < N; i++)
                f->io[i] = (struct vpc_io){.op = VPC_IO_READ, .length = 4096};
        *state = f;
        return 0;
}

static int teardown(void **state) {
        struct fixture *f = *state;

        qos_free(f->qos);
        loop_free(f->loop);
        free(f);
        return 0;
}

static uint64_t waited(const struct fixture *f) {
        uint64_t sum = 0;

        for (unsigned int i = 0; i < N; i++)
                sum += f->io[i].waited_ns;
        return sum;
}

static void submit(struct fixture *f, unsigned int first, unsigned int n) {
        for (unsigned int i = first; i < first + n; i++)
                qos_submit(f->qos, 3, &f->io[i]);
}

static void test_no_limit(void **state) {
        struct fixture *f = *state;

        submit(f, 0, N);
        assert_int_equal(f->started, N);
        assert_int_equal(f->medium, 3);
        assert_int_equal(waited(f), 0);
        assert_true(qos_ready(f->qos, &f->io[0]));
}

/* One read a second: the first one only, as it costs more than the burst. */
static void test_waits(void **state) {
        struct fixture *f = *state;
        const struct link_limits limits = {.read_iops = 1};

        qos_set(f->qos, &limits);
        submit(f, 0, 10);
        assert_int_equal(f->started, 1);
        assert_false(qos_ready(f->qos, &f->io[20]));
        /* Writes have a limit of their own, none here; a flush never waits. */
        f->io[30].op = VPC_IO_WRITE;
        f->io[31].op = VPC_IO_FLUSH;
        assert_true(qos_ready(f->qos, &f->io[30]));
        qos_charge(f->qos, &f->io[30]);
        submit(f, 30, 2);
        assert_int_equal(f->started, 3);
        /* Live: no limit lets all of them go, in their order. */
        qos_set(f->qos, &(struct link_limits){0});
        assert_int_equal(f->started, 12);
        for (unsigned int i = 1; i < 10; i++)
                assert_ptr_equal(f->order[2 + i], &f->io[i]);
        assert_true(waited(f) > 0);
}

static void test_goes_later(void **state) {
        struct fixture *f = *state;
        const struct link_limits limits = {.read_iops = 100};

        /* The burst is a tenth of a second: ten and the one that oversteps it. */
        qos_set(f->qos, &limits);
        submit(f, 0, 30);
        assert_true(f->started >= 11 && f->started < 30);
        f->stop_at = 30;
        assert_int_equal(loop_run(f->loop), 1);
        assert_int_equal(f->started, 30);
        assert_true(waited(f) > 0);
}

static void test_bandwidth(void **state) {
        struct fixture *f = *state;
        const struct link_limits limits = {.bandwidth = 8 * 4096}; /* one block a second */

        qos_set(f->qos, &limits);
        f->io[1].op = VPC_IO_WRITE;
        f->io[2].op = VPC_IO_DISCARD; /* costs no bytes, but does not overtake */
        submit(f, 0, 3);
        assert_int_equal(f->started, 1);
        qos_hurry(f->qos);
        assert_int_equal(f->started, 3);
        /* It is owed now. */
        assert_false(qos_ready(f->qos, &f->io[3]));
}

static void test_huge(void **state) {
        struct fixture *f = *state;
        const struct link_limits limits = {UINT64_MAX, UINT64_MAX, UINT64_MAX};

        qos_set(f->qos, &limits);
        for (unsigned int i = 0; i < N; i++)
                f->io[i].length = UINT64_C(1) << 40;
        submit(f, 0, N);
        assert_int_equal(f->started, N);
}

/* ---- an adapter that has rates ---- */

static int page_new(void) {
        int fd = memfd_create("test-share", MFD_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(ftruncate(fd, SHARE_PAGE_SIZE), 0);
        return fd;
}

/* Two of one adapter, each in its own process as it were. */
static void give_share(struct fixture *f, const struct link_share *config, int own, int other) {
        struct share *share = NULL;

        assert_int_equal(share_new(config, (const int[]){own, other}, 1 + config->n_peers, &share), 0);
        qos_set_share(f->qos, share);
}

static void test_share(void **state) {
        struct fixture *f = *state;
        const int own = page_new(), other = page_new();
        const struct link_share config = {.iops = 100, .weight = 100, .n_peers = 1, .weights = {300}};
        struct share_page *page = mmap(NULL, SHARE_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, other, 0);
        struct share_page *mine = mmap(NULL, SHARE_PAGE_SIZE, PROT_READ, MAP_SHARED, own, 0);

        assert_ptr_not_equal(page, MAP_FAILED);
        assert_ptr_not_equal(mine, MAP_FAILED);
        give_share(f, &config, own, other);
        /* The burst is a twentieth of a second: five and the one that oversteps it. */
        submit(f, 0, 40);
        assert_true(f->started >= 6 && f->started < 40);
        assert_true(mine->wanted[SHARE_OPERATIONS] == SHARE_ALL);
        assert_true(mine->until_ns > 0);
        f->stop_at = 40;
        assert_int_equal(loop_run(f->loop), 1);
        assert_true(waited(f) > 0);
        /* A limit of its own holds too. */
        qos_set(f->qos, &(struct link_limits){.read_iops = 1});
        submit(f, 40, 3);
        assert_true(f->started <= 41);
        qos_hurry(f->qos);
        assert_int_equal(f->started, 43);
        /* An adapter that has no rates any more holds nobody back. */
        qos_set(f->qos, &(struct link_limits){0});
        qos_set_share(f->qos, NULL);
        assert_int_equal(mine->until_ns, 0);
        submit(f, 43, 20);
        assert_int_equal(f->started, 63);
        munmap(page, SHARE_PAGE_SIZE);
        munmap(mine, SHARE_PAGE_SIZE);
        close(own);
        close(other);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_no_limit, setup, teardown),
                cmocka_unit_test_setup_teardown(test_waits, setup, teardown),
                cmocka_unit_test_setup_teardown(test_goes_later, setup, teardown),
                cmocka_unit_test_setup_teardown(test_bandwidth, setup, teardown),
                cmocka_unit_test_setup_teardown(test_huge, setup, teardown),
                cmocka_unit_test_setup_teardown(test_share, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
