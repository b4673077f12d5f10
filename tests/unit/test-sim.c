/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sim: transport: a child that is started, heard and buried. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <syslog.h>
#include <cmocka.h>

#include "transport/appliance.h"
#include "transport/sim-process.h"
#include "util.h"

struct fixture {
        char directory[64], address[128];
        struct iov_ctx *ctx;
        struct iov_appliance *appliance;
        char log[4096];
};

static void on_log(void *userdata, int level, const char *text) {
        struct fixture *x = userdata;
        size_t length = strlen(x->log);

        snprintf(x->log + length, sizeof(x->log) - length, "%d %s\n", level, text);
}

static int setup(void **state) {
        struct fixture *x = calloc(1, sizeof(*x));
        const char *base = getenv("TMPDIR"), *build = getenv("IOV_BUILD");
        char iovd[4096];

        if (!x)
                return -1;
        snprintf(x->directory, sizeof(x->directory), "%.40s/iov-test-XXXXXX", base && *base ? base : "/tmp");
        if (!mkdtemp(x->directory) || iov_new(&x->ctx) < 0)
                return -1;
        snprintf(x->address, sizeof(x->address), "sim:%s", x->directory);
        iov_set_log_fn(x->ctx, on_log, x);
        snprintf(iovd, sizeof(iovd), "%s/tests/unit/fake-iovd", build ? build : ".");
        setenv("IOVD", iovd, 1);
        setenv("TMPDIR", x->directory, 1);
        *state = x;
        return 0;
}

static unsigned int entries(const char *directory) {
        DIR *d = opendir(directory);
        unsigned int n = 0;

        if (!d)
                return 0;
        while (readdir(d))
                n++;
        closedir(d);
        return n - 2;
}

static int teardown(void **state) {
        struct fixture *x = *state;
        char path[128];

        snprintf(path, sizeof(path), "%s/fds", x->directory);
        unlink(path);
        int r = rmdir(x->directory); /* nothing may be left in it */
        /* No child, running or dead. */
        if (waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD)
                r = -1;
        iov_unref(x->ctx);
        free(x);
        unsetenv("TMPDIR");
        return r;
}

static int open_sim(struct fixture *x, const char *mode) {
        setenv("FAKE_IOVD", mode, 1);
        return iov_open(x->ctx, x->address, &x->appliance);
}

static void test_open(void **state) {
        struct fixture *x = *state;
        struct iov_model *m = NULL;
        char path[128], fds[64] = "";
        CLEANUP_CLOSE int mine = open("/dev/null", O_RDONLY); /* without O_CLOEXEC, as an application might have */
        CLEANUP_FILE FILE *file = NULL;

        assert_true(mine >= 3);
        assert_int_equal(open_sim(x, "serve"), 0);
        assert_int_equal(iov_model_load(x->appliance, &m), 0);
        iov_model_unref(m);
        iov_close(x->appliance);
        assert_string_equal(x->log, "");
        snprintf(path, sizeof(path), "%s/fds", x->directory);
        file = fopen(path, "re");
        assert_non_null(file);
        assert_true(fread(fds, 1, sizeof(fds) - 1, file) > 0);
        assert_string_equal(fds, "0\n1\n2\n3\n");
}

/* Descriptors 0 to 4 are those that the child is given: the caller may have closed its own. */
static void test_low_descriptors_free(void **state) {
        struct fixture *x = *state;
        int saved[3];

        for (int i = 0; i < 3; i++) {
                saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 20);
                close(i);
        }
        int r = open_sim(x, "serve");
        iov_close(x->appliance);
        for (int i = 0; i < 3; i++)
                if (saved[i] >= 0) {
                        dup2(saved[i], i);
                        close(saved[i]);
                }
        assert_int_equal(r, 0);
        assert_string_equal(x->log, "");
}

static void test_temporary_state(void **state) {
        struct fixture *x = *state;

        strcpy(x->address, "sim:");
        assert_int_equal(open_sim(x, "serve"), 0);
        assert_int_equal(entries(x->directory), 1);
        iov_close(x->appliance);
        assert_int_equal(entries(x->directory), 0);
        assert_int_equal(open_sim(x, "silent"), -ENODEV);
        assert_int_equal(entries(x->directory), 0);
        assert_string_equal(x->log, "3 sim:: iovd ended with status 7\n");
}

static void test_cannot_run(void **state) {
        struct fixture *x = *state;

        setenv("IOVD", "/nonexistent/iovd", 1);
        assert_int_equal(open_sim(x, "serve"), -ENODEV);
        assert_non_null(strstr(x->log, "cannot run /nonexistent/iovd: No such file or directory; $IOVD may name another"));
        x->log[0] = 0;
        setenv("IOVD", x->directory, 1);
        assert_int_equal(open_sim(x, "serve"), -ENODEV);
        assert_non_null(strstr(x->log, "Permission denied"));
        assert_null(x->appliance);
}

/* What iovd says of a state directory that it cannot use is what the user reads. */
static void test_start_fails(void **state) {
        struct fixture *x = *state;
        char expected[512];

        assert_int_equal(open_sim(x, "words"), -ENODEV);
        snprintf(expected, sizeof(expected),
                 "6 %s: log line before\n3 %s: %s: written by a newer iovd (version 9); use that one\n", x->address, x->address,
                 x->directory);
        assert_string_equal(x->log, expected);
        x->log[0] = 0;
        assert_int_equal(open_sim(x, "not-permitted"), -EACCES);
        assert_non_null(strstr(x->log, "Permission denied"));
        x->log[0] = 0;
        assert_int_equal(open_sim(x, "crash"), -ENODEV);
        assert_non_null(strstr(x->log, "ended by signal 9"));
        assert_null(x->appliance);
}

static void test_last_words(void **state) {
        struct fixture *x = *state;
        char expected[512];

        assert_int_equal(open_sim(x, "last-words"), 0);
        iov_close(x->appliance);
        snprintf(expected, sizeof(expected), "5 %s: good bye\n4 %s: no level\n", x->address, x->address);
        assert_string_equal(x->log, expected);
        x->log[0] = 0;
        assert_int_equal(open_sim(x, "bad-end"), 0);
        iov_close(x->appliance);
        snprintf(expected, sizeof(expected), "3 %s: iovd ended with status 5\n", x->address);
        assert_string_equal(x->log, expected);
}

/* More words than a pipe holds, while nobody reads them: they are lost, and nothing waits. */
static void test_chatty(void **state) {
        struct fixture *x = *state;
        uint32_t links = 0;

        assert_int_equal(open_sim(x, "chatty"), 0);
        assert_int_equal(iov_read32(x->appliance, 0, IOV_REG_LINKS, &links), 0);
        assert_int_equal(links, 16);
        iov_close(x->appliance);
        assert_non_null(strstr(x->log, "line 0\n"));
}

/* It does not end though its socket is closed, not even its stderr tells. */
static void test_killed(void **state) {
        struct fixture *x = *state;
        struct sim_process process = {.stderr_fd = -1};
        char text[64];
        int fds[2];

        setenv("FAKE_IOVD", "stays", 1);
        assert_int_equal(pipe2(fds, O_CLOEXEC), 0); /* any descriptor: what it reads ends at once */
        close(fds[1]);
        assert_int_equal(sim_process_start(getenv("IOVD"), x->directory, fds[0], &process), 0);
        close(fds[0]);
        int status = sim_process_end(&process, 300, text, sizeof(text));
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGKILL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_open, setup, teardown),
                cmocka_unit_test_setup_teardown(test_low_descriptors_free, setup, teardown),
                cmocka_unit_test_setup_teardown(test_temporary_state, setup, teardown),
                cmocka_unit_test_setup_teardown(test_cannot_run, setup, teardown),
                cmocka_unit_test_setup_teardown(test_start_fails, setup, teardown),
                cmocka_unit_test_setup_teardown(test_last_words, setup, teardown),
                cmocka_unit_test_setup_teardown(test_chatty, setup, teardown),
                cmocka_unit_test_setup_teardown(test_killed, setup, teardown),
        };

        return cmocka_run_group_tests_name("sim", tests, NULL, NULL);
}
