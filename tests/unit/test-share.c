/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who gets how much of an adapter: the sum of it by itself, and two workers that see each other's pages. Time is an argument. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "link/share.h"
#include "util.h"

#define ALL SHARE_ALL
#define MS UINT64_C(1000000)

static void test_compute(void **state) {
        static const struct {
                uint64_t rate;
                uint32_t weight, rest;
                struct share_part others[3];
                unsigned int n;
                uint64_t expected;
        } cases[] = {
                {1000, 100, 0, {{0}}, 0, 1000},
                /* by weight */
                {1000, 300, 0, {{100, ALL}}, 1, 750},
                {1000, 100, 0, {{300, ALL}}, 1, 250},
                /* what one does not want, the others get, */
                {1000, 100, 0, {{300, 0}}, 1, 1000},
                {1000, 100, 0, {{300, 100}}, 1, 900},
                {1000, 100, 0, {{300, 750}}, 1, 250},
                {1000, 100, 0, {{300, 749}}, 1, 251},
                {1000, 100, 0, {{300, 10000}}, 1, 250},
                /* also where that makes another content */
                {1000, 100, 0, {{100, 400}, {100, 0}}, 2, 600},
                {900, 100, 0, {{100, 350}, {100, 100}}, 2, 450},
                {900, 100, 0, {{100, 450}, {100, 100}}, 2, 400},
                {1000, 100, 0, {{200, ALL}, {100, 0}, {100, 100}}, 3, 300},
                /* those that cannot be seen want all */
                {1000, 100, 900, {{0}}, 0, 100},
                {1000, 100, 100, {{300, 0}}, 1, 500},
                /* ends */
                {0, 100, 0, {{300, ALL}}, 1, 0},
                {1, 1, 0, {{1000, ALL}}, 1, 1},
                {UINT64_MAX, 1000, 0, {{1000, ALL}}, 1, UINT64_MAX / 2},
                {1000, 0, 0, {{0, ALL}}, 1, 1},
        };

        for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
                assert_int_equal(share_compute(cases[i].rate, cases[i].weight, cases[i].rest, cases[i].others, cases[i].n),
                                 cases[i].expected);
}

/* Whatever the others claim, nobody gets less than its weight's part, and who want all get all that there is. */
static void test_floor(void **state) {
        uint64_t seed = 1, wanted[LINK_PEERS_MAX + 1];
        uint32_t weights[LINK_PEERS_MAX + 1];

        for (unsigned int round = 0; round < 200; round++) {
                uint64_t sum = 0, weight = 0, claimed = 0;

                for (unsigned int i = 0; i <= LINK_PEERS_MAX; i++) {
                        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
                        weights[i] = 1 + (uint32_t)(seed >> 33) % 1000;
                        wanted[i] = seed >> 60 < 8 ? ALL : (seed >> 40) % 40000;
                        weight += weights[i];
                }
                for (unsigned int i = 0; i <= LINK_PEERS_MAX; i++) {
                        struct share_part others[LINK_PEERS_MAX];
                        unsigned int n = 0;

                        for (unsigned int k = 0; k <= LINK_PEERS_MAX; k++)
                                if (k != i)
                                        others[n++] = (struct share_part){weights[k], wanted[k]};
                        const uint64_t mine = share_compute(1000000, weights[i], 0, others, n);
                        assert_true(mine >= UINT64_C(1000000) * weights[i] / weight);
                        claimed += wanted[i] == ALL;
                        sum += mine < wanted[i] ? mine : wanted[i];
                }
                /* Each loses less than one by rounding. */
                assert_true(sum <= 1000000);
                assert_true(!claimed || sum + LINK_PEERS_MAX + 1 >= 1000000);
        }
}

struct fixture {
        int fds[2];
        struct share_page *pages[2];
        struct share *shares[2];
};

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        for (unsigned int i = 0; i < 2; i++) {
                f->fds[i] = memfd_create("test-share", MFD_CLOEXEC);
                assert_true(f->fds[i] >= 0);
                assert_int_equal(ftruncate(f->fds[i], SHARE_PAGE_SIZE), 0);
                f->pages[i] = mmap(NULL, SHARE_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, f->fds[i], 0);
                assert_ptr_not_equal(f->pages[i], MAP_FAILED);
        }
        for (unsigned int i = 0; i < 2; i++) {
                const struct link_share config = {
                        .iops = 1000, .weight = i ? 100 : 300, .n_peers = 1, .weights = {i ? 300 : 100}};

                assert_int_equal(share_new(&config, (const int[]){f->fds[i], f->fds[!i]}, 2, &f->shares[i]), 0);
        }
        *state = f;
        return 0;
}

static int teardown(void **state) {
        struct fixture *f = *state;

        for (unsigned int i = 0; i < 2; i++) {
                share_free(f->shares[i]);
                munmap(f->pages[i], SHARE_PAGE_SIZE);
                close(f->fds[i]);
        }
        free(f);
        return 0;
}

static uint64_t operations(const struct fixture *f, unsigned int i) {
        return share_get(f->shares[i], SHARE_OPERATIONS);
}

/* Both want all; then one wants little, then nothing; each sees it when it looks. */
static void test_two(void **state) {
        struct fixture *f = *state;
        uint64_t now = 1000 * MS;

        assert_int_equal(operations(f, 0), 1000);
        assert_int_equal(share_get(f->shares[0], SHARE_BITS), 0);
        share_waits(f->shares[0], SHARE_OPERATIONS, now);
        share_waits(f->shares[1], SHARE_OPERATIONS, now);
        assert_true(share_look(f->shares[0], now));
        assert_true(share_look(f->shares[1], now));
        assert_int_equal(operations(f, 0), 750);
        assert_int_equal(operations(f, 1), 250);
        assert_false(share_look(f->shares[0], now + SHARE_PERIOD_NS - 1));

        /* The first has not had to wait for long: it wants what it uses, 6 in 60 ms. */
        now += 60 * MS;
        share_used(f->shares[0], SHARE_OPERATIONS, 6);
        share_waits(f->shares[1], SHARE_OPERATIONS, now);
        assert_true(share_look(f->shares[0], now));
        assert_true(share_look(f->shares[1], now));
        assert_int_equal(f->pages[0]->wanted[SHARE_OPERATIONS], 100);
        assert_int_equal(operations(f, 1), 900);
        assert_int_equal(operations(f, 0), 750);

        /* It says nothing any more, as one that is idle or dead. */
        now += SHARE_HOLDS_NS;
        assert_true(share_look(f->shares[1], now));
        assert_int_equal(operations(f, 1), 1000);
}

/* One that goes says so. */
static void test_leave(void **state) {
        struct fixture *f = *state;
        const uint64_t now = 1000 * MS;

        share_waits(f->shares[0], SHARE_OPERATIONS, now);
        share_free(f->shares[0]);
        f->shares[0] = NULL;
        assert_true(share_look(f->shares[1], now));
        assert_int_equal(operations(f, 1), 1000);
}

/* A page that was written to by somebody hostile costs the other what its weight allows, and not for ever. */
static void test_hostile(void **state) {
        struct fixture *f = *state;
        const uint64_t now = 1000 * MS;

        f->pages[0]->wanted[SHARE_OPERATIONS] = ALL;
        f->pages[0]->until_ns = UINT64_MAX;
        assert_int_equal(share_wanted(f->pages[0], SHARE_OPERATIONS, now), 0);
        f->pages[0]->until_ns = now + 2 * SHARE_HOLDS_NS;
        assert_true(share_look(f->shares[1], now));
        assert_int_equal(operations(f, 1), 250);
        assert_true(share_look(f->shares[1], now + 2 * SHARE_HOLDS_NS));
        assert_int_equal(operations(f, 1), 1000);
}

static void test_refused(void **state) {
        struct fixture *f = *state;
        struct link_share config = {.iops = 1, .weight = 1, .n_peers = LINK_PEERS_MAX + 1};
        struct share *share = NULL;
        const int small = memfd_create("test-share", MFD_CLOEXEC);

        assert_int_equal(share_new(&config, f->fds, LINK_PEERS_MAX + 2, &share), -EBADMSG);
        config.n_peers = 1;
        assert_int_equal(share_new(&config, f->fds, 1, &share), -EBADMSG);
        assert_int_equal(share_new(&config, (const int[]){f->fds[0], small}, 2, &share), -EBADMSG);
        assert_null(share);
        close(small);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_compute),
                cmocka_unit_test(test_floor),
                cmocka_unit_test_setup_teardown(test_two, setup, teardown),
                cmocka_unit_test_setup_teardown(test_leave, setup, teardown),
                cmocka_unit_test_setup_teardown(test_hostile, setup, teardown),
                cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
