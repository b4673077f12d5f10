/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of failed requests is told, over a real loop. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include <cmocka.h>

#include "link/trouble.h"
#include "util.h"

#define QUIET_NS UINT64_C(5000000)
#define TOLD 8

struct fixture {
        struct loop *loop;
        struct trouble *trouble;
        unsigned int n_told, wanted;
        unsigned int medium[TOLD];
        int level[TOLD];
        char text[TOLD][256];
};

static void on_tell(void *userdata, unsigned int medium, int level, const char *text) {
        struct fixture *f = userdata;

        assert_true(f->n_told < TOLD);
        f->medium[f->n_told] = medium;
        f->level[f->n_told] = level;
        snprintf(f->text[f->n_told], sizeof(f->text[0]), "%s", text);
        if (++f->n_told == f->wanted)
                loop_stop(f->loop, 0);
}

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        if (!f || loop_new(&f->loop, 8) < 0 || trouble_new(f->loop, QUIET_NS, on_tell, f, &f->trouble) < 0)
                return -1;
        *state = f;
        return 0;
}

static int teardown(void **state) {
        struct fixture *f = *state;

        trouble_free(f->trouble);
        loop_free(f->loop);
        free(f);
        return 0;
}

static void note(struct fixture *f, unsigned int medium, enum vpc_io_op op, uint64_t offset, int error) {
        const struct vpc_io io = {.op = op, .offset = offset, .length = 4096};

        trouble_note(f->trouble, medium, &io, error);
}

static void run_until_told(struct fixture *f, unsigned int n) {
        f->wanted = n;
        assert_int_equal(loop_run(f->loop), 0);
        assert_int_equal(f->n_told, n);
}

static void test_first_and_end(void **state) {
        struct fixture *f = *state;

        note(f, 2, VPC_IO_READ, 512, -EIO);
        assert_int_equal(f->n_told, 1);
        assert_int_equal(f->medium[0], 2);
        assert_int_equal(f->level[0], LOG_ERR);
        assert_string_equal(f->text[0], "a read of 4096 bytes at byte 512 failed: Input/output error");
        for (unsigned int i = 0; i < 1000; i++)
                note(f, 2, VPC_IO_WRITE, i, -EIO);
        assert_int_equal(f->n_told, 1);
        run_until_told(f, 2);
        assert_int_equal(f->medium[1], 2);
        assert_int_equal(f->level[1], LOG_NOTICE);
        assert_non_null(strstr(f->text[1], "1001 had before"));
        /* then the next is a first one again */
        note(f, 2, VPC_IO_FLUSH, 0, -EIO);
        assert_string_equal(f->text[2], "a flush failed: Input/output error");
}

static void test_space_is_told_apart(void **state) {
        struct fixture *f = *state;

        note(f, 0, VPC_IO_WRITE, 0, -EIO);
        note(f, 0, VPC_IO_WRITE, 4096, -ENOSPC);
        note(f, 0, VPC_IO_WRITE, 8192, -EDQUOT);
        note(f, 63, VPC_IO_ZERO, 4096, -EFBIG);
        assert_int_equal(f->n_told, 3);
        assert_string_equal(f->text[1], "a write of 4096 bytes at byte 4096 failed: No space left on device");
        assert_int_equal(f->medium[2], 63);
        run_until_told(f, 6);
        for (unsigned int i = 3; i < 6; i++)
                assert_int_equal(!!strstr(f->text[i], "want of space"), !strstr(f->text[i], ", 1 had") || f->medium[i] == 63);
}

static void test_what_is_not_told(void **state) {
        struct fixture *f = *state;

        note(f, 0, VPC_IO_READ, 0, -EFAULT);
        note(f, 0, VPC_IO_FORMAT, 0, -EOPNOTSUPP);
        note(f, 0, VPC_IO_READ, 0, -ENOLINK);
        note(f, 0, VPC_IO_READ, 0, -ECANCELED);
        assert_int_equal(f->n_told, 0);
}

/* Of a medium that is another one now nothing more is said. */
static void test_forget(void **state) {
        struct fixture *f = *state;

        note(f, 1, VPC_IO_READ, 0, -EIO);
        note(f, 3, VPC_IO_READ, 0, -EIO);
        trouble_forget(f->trouble, 1);
        run_until_told(f, 3);
        assert_int_equal(f->medium[2], 3);
        note(f, 1, VPC_IO_READ, 0, -EIO);
        assert_int_equal(f->n_told, 4);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_first_and_end, setup, teardown),
                cmocka_unit_test_setup_teardown(test_space_is_told_apart, setup, teardown),
                cmocka_unit_test_setup_teardown(test_what_is_not_told, setup, teardown),
                cmocka_unit_test_setup_teardown(test_forget, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
