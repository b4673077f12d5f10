/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who keeps what functions keep for their life: in memory at once, on disk soon, of one persona each, gone with it. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/journal.h"
#include "control/supervisor/lives.h"
#include "control/tables.h"
#include "util.h"

#define FIRST 7u
#define SECOND 8u

static char directory[32];
static int state_fd;
static struct loop *loop;
static struct tables *tables;
static struct journal *journal;
static struct iov_ctx *ctx;
static struct iov_model *model;
static struct lives *lives;

static const struct vpc_model device = {.name = "device"}, another = {.name = "another"};

static struct vpc_persona persona_of(uint64_t id) {
        struct vpc_persona p = {.name = "va", .serial = "SERIAL", .unique_id = id};

        return p;
}

/* Another control process, after one that has ended in good order. */
static void begin(void) {
        lives_free(lives);
        assert_int_equal(lives_new(loop, journal, state_fd, &lives), 0);
}

static int setup(void **state) {
        strcpy(directory, "/tmp/iov-test-XXXXXX");
        assert_non_null(mkdtemp(directory));
        state_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(loop_new(&loop, 16) | tables_new(&tables) | journal_new(tables, 0, &journal), 0);
        assert_int_equal(iov_new(&ctx) | iov_model_new(ctx, &model), 0);
        lives = NULL;
        begin();
        return 0;
}

static int teardown(void **state) {
        lives = lives_free(lives);
        iov_model_unref(model);
        iov_unref(ctx);
        journal_free(journal);
        tables_free(tables);
        loop_free(loop);
        unlinkat(state_fd, "life/7", 0);
        unlinkat(state_fd, "life/8", 0);
        unlinkat(state_fd, "life", AT_REMOVEDIR);
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

static bool is_there(const char *name) {
        return faccessat(state_fd, name, F_OK, 0) == 0;
}

static void keep(uint64_t id, const char *what) {
        const struct vpc_persona p = persona_of(id);

        assert_int_equal(lives_set(lives, &p, &device, what, strlen(what)), 0);
}

static void assert_kept(uint64_t id, const char *what) {
        const struct vpc_persona p = persona_of(id);
        size_t size = 0;
        const void *life = lives_get(lives, &p, &device, &size);

        if (!what) {
                assert_null(life);
                return;
        }
        assert_non_null(life);
        assert_int_equal(size, strlen(what));
        assert_memory_equal(life, what, size);
}

/* What it is last is what it is, at once and by the next control process. */
static void test_keep(void **state) {
        assert_kept(FIRST, NULL);
        keep(FIRST, "one");
        keep(SECOND, "another one's");
        keep(FIRST, "two, and longer");
        assert_kept(FIRST, "two, and longer");
        assert_kept(SECOND, "another one's");
        for (unsigned int i = 0; !(is_there("life/7") && is_there("life/8")) && i < 2000; i++)
                turn();
        begin();
        assert_kept(FIRST, "two, and longer");
        assert_kept(SECOND, "another one's");
        /* Nothing is left unwritten at an end, not even what came while it was written. */
        keep(FIRST, "three");
        keep(FIRST, "four");
        keep(SECOND, "five");
        begin();
        assert_kept(FIRST, "four");
        assert_kept(SECOND, "five");
}

/* What is the same is not written again. */
static void test_same(void **state) {
        keep(FIRST, "one");
        begin();
        assert_int_equal(unlinkat(state_fd, "life/7", 0), 0);
        keep(FIRST, "one");
        lives = lives_free(lives);
        assert_false(is_there("life/7"));
        begin();
        keep(FIRST, "two");
        begin();
        assert_kept(FIRST, "two");
}

static void test_limits(void **state) {
        const struct vpc_persona p = persona_of(FIRST), nobody = persona_of(0);
        char *most = calloc(1, VPC_LIFE_MAX + 1);
        size_t size = 0;

        assert_non_null(most);
        assert_int_equal(lives_set(lives, &p, &device, most, 0), -EINVAL);
        assert_int_equal(lives_set(lives, &p, &device, most, VPC_LIFE_MAX + 1), -EINVAL);
        assert_int_equal(lives_set(lives, &nobody, &device, most, 1), -EINVAL);
        assert_int_equal(lives_set(lives, &p, &device, most, VPC_LIFE_MAX), 0);
        begin();
        assert_non_null(lives_get(lives, &p, &device, &size));
        assert_int_equal(size, VPC_LIFE_MAX);
        free(most);
}

/* It is the serial number's and the device model's, too. */
static void test_another(void **state) {
        struct vpc_persona p = persona_of(FIRST);
        size_t size = 0;

        keep(FIRST, "one");
        assert_null(lives_get(lives, &p, &another, &size));
        strcpy(p.serial, "OTHER");
        assert_null(lives_get(lives, &p, &device, &size));
        assert_int_equal(lives_set(lives, &p, &device, "one", 3), 0);
        assert_non_null(lives_get(lives, &p, &device, &size));
        assert_kept(FIRST, NULL);
}

static void spoil(const char *name, off_t at, bool cut) {
        const int fd = openat(state_fd, name, O_RDWR | O_CLOEXEC);
        char byte = 0;

        assert_true(fd >= 0);
        if (cut) {
                assert_int_equal(ftruncate(fd, at), 0);
        } else {
                assert_int_equal(pread(fd, &byte, 1, at), 1);
                byte ^= 1;
                assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        }
        close(fd);
}

/* Wherever a byte is another, or the file ends: it counts as none, the others are as they were, and the next is kept. */
static void test_damaged(void **state) {
        struct stat st;

        keep(SECOND, "good");
        keep(FIRST, "one");
        begin();
        assert_int_equal(fstatat(state_fd, "life/7", &st, 0), 0);
        for (off_t at = 0; at < st.st_size; at++) {
                lives = lives_free(lives);
                spoil("life/7", at, at % 2);
                begin();
                assert_kept(FIRST, NULL);
                assert_kept(SECOND, "good");
                keep(FIRST, "one");
                begin();
                assert_kept(FIRST, "one");
        }
}

/* A file of another vAdapter under this one's name. */
static void test_foreign(void **state) {
        keep(FIRST, "one");
        lives = lives_free(lives);
        assert_int_equal(renameat(state_fd, "life/7", state_fd, "life/8"), 0);
        begin();
        assert_kept(FIRST, NULL);
        assert_kept(SECOND, NULL);
        assert_true(is_there("life/8"));
}

static void test_removed(void **state) {
        const struct iov_vadapter va = {.name = "v", .adapter = "ssd0", .id = SECOND};

        keep(FIRST, "one");
        begin();
        lives_remove(lives, FIRST);
        assert_kept(FIRST, NULL);
        assert_false(is_there("life/7"));
        /* While it is being written, */
        keep(FIRST, "two");
        lives_remove(lives, FIRST);
        begin();
        assert_kept(FIRST, NULL);
        assert_false(is_there("life/7"));
        keep(FIRST, "three");
        lives_remove(lives, FIRST);
        for (unsigned int i = 0; i < 20; i++)
                turn();
        assert_false(is_there("life/7"));
        /* and one that nothing is known of any more at a start, damaged or not. */
        keep(FIRST, "four");
        keep(SECOND, "five");
        begin();
        assert_int_equal(iov_model_set(model, IOV_KIND_VADAPTER, &va), 0);
        lives = lives_free(lives);
        spoil("life/7", 10, true);
        begin();
        lives_sweep(lives, model);
        assert_false(is_there("life/7"));
        assert_kept(SECOND, "five");
        assert_int_equal(iov_model_remove(model, IOV_KIND_VADAPTER, "v"), 0);
        lives_sweep(lives, model);
        assert_false(is_there("life/8"));
}

static void test_cannot_be_saved(void **state) {
        assert_int_equal(mkdirat(state_fd, "life/7", 0700), 0);
        keep(FIRST, "one");
        keep(SECOND, "two"); /* which waits for none */
        for (unsigned int i = 0; !is_there("life/8") && i < 2000; i++)
                turn();
        assert_true(is_there("life/8"));
        assert_kept(FIRST, "one");
        assert_int_equal(unlinkat(state_fd, "life/7", AT_REMOVEDIR), 0);
        for (unsigned int i = 0; i < 10; i++)
                turn();
        assert_false(is_there("life/7")); /* only when it is tried again */
        lives_retry(lives);
        for (unsigned int i = 0; !is_there("life/7") && i < 2000; i++)
                turn();
        begin();
        assert_kept(FIRST, "one");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_keep, setup, teardown),
                cmocka_unit_test_setup_teardown(test_same, setup, teardown),
                cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
                cmocka_unit_test_setup_teardown(test_another, setup, teardown),
                cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
                cmocka_unit_test_setup_teardown(test_foreign, setup, teardown),
                cmocka_unit_test_setup_teardown(test_removed, setup, teardown),
                cmocka_unit_test_setup_teardown(test_cannot_be_saved, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
