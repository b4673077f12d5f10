/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who keeps the marks of volumes: durable before they are shown, shown before they are answered, set once, gone with the volume.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/journal.h"
#include "control/volumes/mark-state.h"
#include "control/volumes/marks.h"
#include "control/tables.h"
#include "util.h"

#define VOLUME 7u
#define SIZE (UINT64_C(1) << 20)

static char directory[32];
static int state_fd;
static struct loop *loop;
static struct tables *tables;
static struct journal *journal;
static struct iov_ctx *ctx;
static struct iov_model *model;
static struct marks *marks;
/* What was heard. */
static struct vpc_marks shown;
static unsigned int n_shown, n_answers, n_shown_at_answer;
static uint64_t answered_instance, answered_ticket;
static enum vpc_reserve_result answered;
static bool was_durable; /* when it was shown */
static uint64_t dead;    /* an instance that is not there */

static void on_publish(void *userdata, uint64_t volume, const struct vpc_marks *m) {
        assert_int_equal(volume, VOLUME);
        shown = *m;
        n_shown++;
        was_durable = faccessat(state_fd, "marks/7", F_OK, 0) == 0;
}

static void on_answer(void *userdata, uint64_t instance, uint64_t ticket, enum vpc_reserve_result result) {
        answered_instance = instance;
        answered_ticket = ticket;
        answered = result;
        n_answers++;
        n_shown_at_answer = n_shown;
}

static bool on_is_there(void *userdata, uint64_t instance) {
        return instance != dead;
}

static const struct marks_events events = {.publish = on_publish, .answer = on_answer, .is_there = on_is_there};

static void volume_is(uint64_t size) {
        const struct iov_volume volume = {.name = "v", .adapter = "ssd0", .size = size, .id = VOLUME};

        assert_int_equal(iov_model_set(model, IOV_KIND_VOLUME, &volume), 0);
        marks_sync(marks, model);
}

/* Another control process, as after a kill. */
static void begin(void) {
        marks_free(marks);
        assert_int_equal(marks_new(loop, journal, state_fd, &events, NULL, &marks), 0);
        marks_start(marks);
}

static int setup(void **state) {
        strcpy(directory, "/tmp/iov-test-XXXXXX");
        assert_non_null(mkdtemp(directory));
        state_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(loop_new(&loop, 16) | tables_new(&tables) | journal_new(tables, 0, &journal), 0);
        assert_int_equal(iov_new(&ctx) | iov_model_new(ctx, &model), 0);
        memset(&shown, 0, sizeof(shown));
        n_shown = n_answers = 0;
        dead = 0;
        begin();
        volume_is(SIZE);
        return 0;
}

static int teardown(void **state) {
        marks = marks_free(marks);
        iov_model_unref(model);
        iov_unref(ctx);
        journal_free(journal);
        tables_free(tables);
        loop_free(loop);
        unlinkat(state_fd, "marks/7", 0);
        unlinkat(state_fd, "marks", AT_REMOVEDIR);
        close(state_fd);
        return rmdir(directory);
}

static void on_tick(void *userdata) {
        loop_stop(loop, 0);
}

static void turn(void) {
        struct loop_source *timer = NULL;

        assert_int_equal(loop_add_timer(loop, 5000000, on_tick, NULL, &timer), 0);
        assert_int_equal(loop_run(loop), 0);
        loop_source_remove(timer);
}

static void ask(uint64_t instance, uint64_t ticket, uint8_t op, uint64_t first, uint64_t end) {
        const struct vpc_reserve_request q = {
                .op = op, .ticket = ticket, .first = first, .end = end, .change = shown.change, .volume = VOLUME};

        marks_ask(marks, VOLUME, instance, &q);
}

static enum vpc_reserve_result asked(uint64_t instance, uint64_t ticket, uint8_t op, uint64_t first, uint64_t end) {
        const unsigned int before = n_answers;

        ask(instance, ticket, op, first, end);
        for (unsigned int i = 0; n_answers == before && i < 2000; i++)
                turn();
        assert_int_equal(n_answers, before + 1);
        assert_int_equal(answered_instance, instance);
        assert_int_equal(answered_ticket, ticket);
        return answered;
}

static void test_order(void **state) {
        const unsigned int before = n_shown;

        assert_null(marks_get(marks, VOLUME));
        ask(1, 1, VPC_MARKS_SET, 0, 4096);
        ask(2, 1, VPC_MARKS_SET, 8192, 12288);
        assert_int_equal(n_answers, 0);
        assert_int_equal(n_shown, before);
        for (unsigned int i = 0; n_answers < 2 && i < 2000; i++)
                turn();
        assert_int_equal(n_answers, 2);
        assert_true(was_durable);
        assert_int_equal(n_shown_at_answer, before + 2);
        assert_int_equal(mark_bytes(marks_get(marks, VOLUME), SIZE), 8192);
        /* What changes nothing is answered at once. */
        ask(1, 2, VPC_MARKS_CLEAR, 4096, 8192);
        assert_int_equal(n_answers, 3);
        assert_int_equal(answered, VPC_RESERVE_DONE);
}

/* Killed at any time: what was acknowledged is there, and what is asked again is not done twice. */
static void test_once(void **state) {
        assert_int_equal(asked(1, 5, VPC_MARKS_SET, 0, 4096), VPC_RESERVE_DONE);
        begin();
        assert_int_equal(shown.n, 1);
        /* The answer was lost; another server has written meanwhile. */
        assert_int_equal(asked(2, 1, VPC_MARKS_CLEAR, 0, 4096), VPC_RESERVE_DONE);
        begin();
        assert_int_equal(asked(1, 5, VPC_MARKS_SET, 0, 4096), VPC_RESERVE_DONE);
        assert_null(marks_get(marks, VOLUME));
        assert_int_equal(asked(1, 6, VPC_MARKS_SET, 0, 4096), VPC_RESERVE_DONE);
        assert_non_null(marks_get(marks, VOLUME));
        /* Numbers go on where they were, so that no write that is still under way takes a later mark with it. */
        const uint64_t change = shown.change;
        assert_int_equal(asked(2, 2, VPC_MARKS_CLEAR, 0, 4096), VPC_RESERVE_DONE);
        begin();
        assert_int_equal(asked(1, 7, VPC_MARKS_SET, 0, 4096), VPC_RESERVE_DONE);
        assert_true(shown.change > change);
        /* After a power loss there may be another of that number. */
        dead = 1;
        begin();
        assert_int_equal(asked(2, 3, VPC_MARKS_CLEAR, 0, 4096), VPC_RESERVE_DONE);
        assert_int_equal(asked(1, 7, VPC_MARKS_SET, 0, 4096), VPC_RESERVE_DONE);
        assert_non_null(marks_get(marks, VOLUME));
}

static void test_cannot_be_saved(void **state) {
        assert_int_equal(mkdirat(state_fd, "marks/7", 0700), 0);
        const unsigned int before = n_shown;
        assert_int_equal(asked(1, 1, VPC_MARKS_SET, 0, 4096), VPC_RESERVE_FAILED);
        assert_int_equal(n_shown, before);
        assert_null(marks_get(marks, VOLUME));
        assert_int_equal(unlinkat(state_fd, "marks/7", AT_REMOVEDIR), 0);
        assert_int_equal(asked(1, 1, VPC_MARKS_SET, 0, 4096), VPC_RESERVE_DONE);
}

/* Nothing is taken for readable that may not be, until it is written again. */
static void test_damaged(void **state) {
        assert_int_equal(asked(1, 1, VPC_MARKS_SET, 0, 4096), VPC_RESERVE_DONE);
        marks = marks_free(marks);
        const int fd = openat(state_fd, "marks/7", O_WRONLY | O_CLOEXEC);
        assert_int_equal(ftruncate(fd, 99), 0);
        close(fd);
        begin();
        assert_int_equal(mark_bytes(marks_get(marks, VOLUME), SIZE), SIZE);
        assert_int_equal(asked(1, 2, VPC_MARKS_CLEAR, 0, 4096), VPC_RESERVE_DONE);
        begin();
        assert_int_equal(mark_bytes(marks_get(marks, VOLUME), SIZE), SIZE - 4096);
}

static void test_shrinks(void **state) {
        assert_int_equal(asked(1, 1, VPC_MARKS_SET, 4096, SIZE), VPC_RESERVE_DONE);
        volume_is(8192);
        for (unsigned int i = 0; mark_bytes(marks_get(marks, VOLUME), SIZE) > 4096 && i < 2000; i++)
                turn();
        volume_is(SIZE); /* what is new was never marked */
        assert_int_equal(mark_bytes(marks_get(marks, VOLUME), SIZE), 4096);
}

static void test_removed(void **state) {
        assert_int_equal(asked(1, 1, VPC_MARKS_SET, 0, 4096), VPC_RESERVE_DONE);
        /* While one more is being saved, */
        ask(1, 2, VPC_MARKS_SET, 8192, 12288);
        marks_remove(marks, VOLUME);
        for (unsigned int i = 0; marks_get(marks, VOLUME) && i < 2000; i++)
                turn();
        assert_null(marks_get(marks, VOLUME));
        assert_int_equal(faccessat(state_fd, "marks/7", F_OK, 0), -1);
        /* and one that nothing is known of any more at a start. */
        assert_int_equal(asked(1, 3, VPC_MARKS_SET, 0, 4096), VPC_RESERVE_DONE);
        begin();
        marks_sweep(marks, model);
        assert_non_null(marks_get(marks, VOLUME));
        assert_int_equal(iov_model_remove(model, IOV_KIND_VOLUME, "v"), 0);
        marks_sweep(marks, model);
        assert_null(marks_get(marks, VOLUME));
        assert_int_equal(faccessat(state_fd, "marks/7", F_OK, 0), -1);
}

/* A function that is gone gets no answer, and what it still waits for is not done. */
static void test_drop(void **state) {
        ask(1, 1, VPC_MARKS_SET, 0, 4096);
        ask(2, 1, VPC_MARKS_SET, 8192, 12288);
        ask(3, 1, VPC_MARKS_SET, 16384, 20480);
        marks_drop(marks, 1);
        marks_drop(marks, 2);
        for (unsigned int i = 0; n_answers < 1 && i < 2000; i++)
                turn();
        assert_int_equal(n_answers, 1);
        assert_int_equal(answered_instance, 3);
        assert_int_equal(mark_bytes(marks_get(marks, VOLUME), SIZE), 8192);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_order, setup, teardown),
                cmocka_unit_test_setup_teardown(test_once, setup, teardown),
                cmocka_unit_test_setup_teardown(test_cannot_be_saved, setup, teardown),
                cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
                cmocka_unit_test_setup_teardown(test_shrinks, setup, teardown),
                cmocka_unit_test_setup_teardown(test_removed, setup, teardown),
                cmocka_unit_test_setup_teardown(test_drop, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
