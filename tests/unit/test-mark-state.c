/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of marks against blocks that each know the change that has marked them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/volumes/mark-state.h"

#define BLOCK 512u
#define BLOCKS 96u

static struct vpc_reserve_request request(uint8_t op, uint64_t first, uint64_t count, uint64_t change) {
        return (struct vpc_reserve_request){.op = op, .first = first * BLOCK, .end = (first + count) * BLOCK, .change = change};
}

static enum vpc_reserve_result do_it(struct vpc_marks *marks, uint8_t op, uint64_t first, uint64_t count, uint64_t change) {
        const struct vpc_reserve_request q = request(op, first, count, change);
        bool changed = false;

        return mark_apply(marks, &q, &changed);
}

static bool is_marked(const struct vpc_marks *marks, uint64_t block) {
        for (uint32_t i = 0; i < marks->n; i++)
                if (marks->ranges[i].first <= block * BLOCK && block * BLOCK < marks->ranges[i].end)
                        return true;
        return false;
}

/* By block the change that has marked it, 0: none. */
static void assert_same(const struct vpc_marks *marks, const uint64_t expected[BLOCKS]) {
        uint64_t n = 0;

        assert_true(mark_is_sane(marks));
        for (uint64_t i = 0; i < BLOCKS; i++) {
                assert_int_equal(is_marked(marks, i), expected[i] != 0);
                n += expected[i] != 0;
        }
        assert_int_equal(mark_bytes(marks, BLOCKS * BLOCK), n * BLOCK);
        for (uint32_t i = 0; i < marks->n; i++)
                for (uint64_t k = marks->ranges[i].first / BLOCK; k < marks->ranges[i].end / BLOCK; k++)
                        assert_true(marks->ranges[i].oldest <= expected[k] && expected[k] <= marks->ranges[i].newest);
}

static uint32_t draw(uint32_t *seed, uint32_t n) {
        *seed = *seed * 1664525u + 1013904223u;
        return (*seed >> 8) % n;
}

/* Writes that began at some change or other end at any time; each takes with it what was marked then, and nothing else. */
static void test_against_blocks(void **state) {
        static const uint64_t none[BLOCKS];
        uint32_t seed = 1;
        unsigned int n_again = 0;

        for (unsigned int round = 0; round < 300; round++) {
                struct vpc_marks marks = {0};
                uint64_t blocks[BLOCKS] = {0};

                for (unsigned int i = 0; i < 60; i++) {
                        const uint64_t first = draw(&seed, BLOCKS), count = 1 + draw(&seed, (uint32_t)(BLOCKS - first));
                        uint64_t change = marks.change - draw(&seed, marks.change < 3 ? (uint32_t)marks.change + 1 : 4);

                        if (draw(&seed, 2)) {
                                assert_int_equal(do_it(&marks, VPC_MARKS_SET, first, count, 0), VPC_RESERVE_DONE);
                                for (uint64_t k = first; k < first + count; k++)
                                        blocks[k] = marks.change;
                        } else {
                                const struct vpc_marks before = marks;

                                if (do_it(&marks, VPC_MARKS_CLEAR, first, count, change) == VPC_RESERVE_AGAIN) {
                                        assert_memory_equal(&marks, &before, sizeof(marks));
                                        change = marks.change;
                                        n_again++;
                                        assert_int_equal(do_it(&marks, VPC_MARKS_CLEAR, first, count, change), VPC_RESERVE_DONE);
                                }
                                for (uint64_t k = first; k < first + count; k++)
                                        blocks[k] = blocks[k] <= change ? 0 : blocks[k];
                        }
                        assert_same(&marks, blocks);
                }
                assert_int_equal(do_it(&marks, VPC_MARKS_CLEAR, 0, BLOCKS, marks.change), VPC_RESERVE_DONE);
                assert_same(&marks, none);
        }
        assert_true(n_again > 100);
}

/* A mark of another controller that comes while a write is under way stays: it was not there when the write began. */
static void test_later_mark(void **state) {
        struct vpc_marks marks = {0};

        do_it(&marks, VPC_MARKS_SET, 0, 8, 0);
        do_it(&marks, VPC_MARKS_SET, 0, 8, 0);
        assert_int_equal(do_it(&marks, VPC_MARKS_CLEAR, 0, 8, 1), VPC_RESERVE_DONE);
        assert_true(is_marked(&marks, 0) && is_marked(&marks, 7));
        do_it(&marks, VPC_MARKS_SET, 8, 1, 0);
        assert_int_equal(marks.n, 1);
        /* Which part is older is not known any more. */
        assert_int_equal(do_it(&marks, VPC_MARKS_CLEAR, 0, 8, 2), VPC_RESERVE_AGAIN);
        assert_int_equal(do_it(&marks, VPC_MARKS_CLEAR, 0, 8, 3), VPC_RESERVE_DONE);
        assert_true(!is_marked(&marks, 7) && is_marked(&marks, 8));
}

static void test_full(void **state) {
        struct vpc_marks marks = {0};

        for (unsigned int i = 0; i < VPC_MARKS_MAX; i++)
                assert_int_equal(do_it(&marks, VPC_MARKS_SET, i * 8, 4, 0), VPC_RESERVE_DONE);
        const struct vpc_marks before = marks;
        assert_int_equal(do_it(&marks, VPC_MARKS_SET, 4000, 1, 0), VPC_RESERVE_FULL);
        assert_int_equal(do_it(&marks, VPC_MARKS_CLEAR, 1, 1, marks.change), VPC_RESERVE_FULL);
        assert_memory_equal(&marks, &before, sizeof(marks));
        assert_int_equal(do_it(&marks, VPC_MARKS_SET, 0, 5000, 0), VPC_RESERVE_DONE);
        assert_int_equal(marks.n, 1);
        assert_int_equal(do_it(&marks, VPC_MARKS_SET, 7, 0, 0), VPC_RESERVE_INVALID);
        assert_int_equal(do_it(&marks, VPC_RESERVE_CLEAR, 7, 1, 0), VPC_RESERVE_INVALID);
}

static void test_sanity(void **state) {
        struct vpc_marks marks = {0};

        assert_true(mark_is_sane(&marks));
        do_it(&marks, VPC_MARKS_SET, 0, 8, 0);
        do_it(&marks, VPC_MARKS_SET, 16, 8, 0);
        assert_true(mark_is_sane(&marks));
        struct vpc_marks bad = marks;
        bad.n = VPC_MARKS_MAX + 1;
        assert_false(mark_is_sane(&bad));
        bad = marks;
        bad.ranges[1].first = 4;
        assert_false(mark_is_sane(&bad));
        bad = marks;
        bad.ranges[0].end = 0;
        assert_false(mark_is_sane(&bad));
        bad = marks;
        bad.ranges[0].newest = 3;
        assert_false(mark_is_sane(&bad));
        bad = marks;
        bad.ranges[0].oldest = 2;
        bad.ranges[0].newest = 1;
        assert_false(mark_is_sane(&bad));
        mark_all(&marks);
        assert_true(mark_is_sane(&marks));
        assert_int_equal(mark_bytes(&marks, 12345), 12345);
}

/* A reader that looks while pages change sees one state or another, and nothing of a volume without marks. */
static void test_pages(void **state) {
        static struct vpc_marks_pages pages;
        struct vpc_marks marks = {0};

        assert_int_equal(vpc_marks_current(&pages, 3), 0);
        do_it(&marks, VPC_MARKS_SET, 0, 8, 0);
        vpc_marks_show(&pages, 3, &marks);
        const uint64_t first = vpc_marks_current(&pages, 3);
        assert_true(first && vpc_marks_is_good(&pages, 3, first));
        assert_int_equal(pages.copies[3][first & 1].n, 1);
        vpc_marks_show(&pages, 3, NULL);
        assert_int_equal(vpc_marks_current(&pages, 3), 0);
        assert_false(vpc_marks_is_good(&pages, 3, first));
        vpc_marks_show(&pages, 3, &marks);
        assert_false(vpc_marks_is_good(&pages, 3, first));
        assert_true(vpc_marks_current(&pages, 3) > first);
        assert_int_equal(vpc_marks_current(&pages, 2), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_against_blocks), cmocka_unit_test(test_later_mark), cmocka_unit_test(test_full),
                cmocka_unit_test(test_sanity),         cmocka_unit_test(test_pages),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
