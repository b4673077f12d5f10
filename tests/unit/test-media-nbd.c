/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A medium on an NBD server, nbdkit, which is started for each connection and serves one on its standard input. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "media/medium.h"
#include "media/nbd-library.h"
#include "media/nbd-target.h"
#include "util.h"

#define SIZE (8u << 20)
#define DEPTH 200u /* more than are at the server at a time */
#define PIECES 20u

struct fixture {
        struct loop *loop;
        struct medium *medium;
        int file, held;
        char path[32];
        const char *filter; /* of nbdkit, and its parameter */
        const char *parameter;
        pid_t server;
        unsigned int n_asked, refusals, deaths;
        uint64_t number;
        struct loop_source *later;
        unsigned int n_left, n_left_then; /* a second after the first has ended, of a server that `is_silent` */
        bool is_silent;
        struct loop_source *second;
        int error;
        unsigned char *data, *copy;
        struct vpc_io io[DEPTH];
        struct iovec iov[DEPTH][PIECES];
};
static struct fixture *the;

/* ---- a server ---- */

static void server_kill(struct fixture *f) {
        if (f->server > 0) {
                kill(f->server, SIGKILL);
                waitpid(f->server, NULL, 0);
        }
        f->server = 0;
}

static int server_start(struct fixture *f) {
        int pair[2];
        char file[64], filter[64];

        server_kill(f);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        snprintf(file, sizeof(file), "file=%s", f->path);
        snprintf(filter, sizeof(filter), "--filter=%s", f->filter ? f->filter : "cow");
        f->server = fork();
        if (f->server == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                dup2(pair[1], 0);
                dup2(pair[1], 1);
                if (f->filter)
                        execlp("nbdkit", "nbdkit", "-s", filter, "file", file, f->parameter, NULL);
                else
                        execlp("nbdkit", "nbdkit", "-s", "file", file, NULL);
                _exit(127);
        }
        close(pair[1]);
        return pair[0];
}

static void on_later(void *userdata) {
        struct fixture *f = userdata;
        int fd = -1;

        f->later = loop_source_remove(f->later);
        if (f->refusals)
                f->refusals--;
        else
                fd = server_start(f);
        medium_connected(f->medium, f->number, fd, "as the test wants it");
}

static bool on_connect(void *userdata, uint64_t number) {
        struct fixture *f = userdata;

        f->n_asked++;
        f->number = number;
        return loop_add_timer(f->loop, 0, on_later, f, &f->later) == 0;
}

static void on_holds(void *userdata, int fd) {
        ((struct fixture *)userdata)->held = fd;
}

static void on_log(void *userdata, int level, const char *text) {
}

static const struct media_nbd_events events = {.connect = on_connect, .holds = on_holds, .log = on_log};

/* ---- requests ---- */

/* A second after the first has ended: ten of the medium's own looks at the clock. */
static void on_second(void *userdata) {
        struct fixture *f = userdata;

        f->n_left_then = f->n_left;
}

static void finish(struct vpc_io *io, int error) {
        struct fixture *f = the;

        if (f->is_silent && !f->second)
                assert_int_equal(loop_add_timer(f->loop, UINT64_C(1000000000), on_second, f, &f->second), 0);
        if (error)
                f->error = error;
        f->n_left--;
        if (f->deaths && f->n_left % 50 == 25) {
                f->deaths--;
                server_kill(f);
        }
        if (f->n_left == 0)
                loop_stop(f->loop, 0);
}

static void submit(struct fixture *f, unsigned int i, enum vpc_io_op op, uint64_t offset, uint64_t length, unsigned int n_iov) {
        f->io[i] = (struct vpc_io){
                .op = op, .offset = offset, .length = length, .iov = f->iov[i], .n_iov = n_iov, .private = {.finish = finish}};
        f->n_left++;
        medium_submit(f->medium, &f->io[i]);
}

/* One request, in one piece of memory. */
static int run(struct fixture *f, enum vpc_io_op op, uint64_t offset, void *memory, uint64_t length) {
        f->error = 0;
        f->iov[0][0] = (struct iovec){memory, length};
        submit(f, 0, op, offset, length, 1);
        assert_int_equal(loop_run(f->loop), 0);
        return f->error;
}

/* All of the medium, in requests of many sizes, of pieces that are no blocks. */
static int run_all(struct fixture *f, enum vpc_io_op op, unsigned char *memory) {
        const uint64_t each = SIZE / DEPTH / 4096 * 4096;

        f->error = 0;
        for (unsigned int i = 0; i < DEPTH; i++) {
                const uint64_t offset = i * each, length = i == DEPTH - 1 ? SIZE - offset : each;
                const unsigned int n = 1 + i % PIECES;
                uint64_t done = 0;

                for (unsigned int k = 0; k < n; k++) {
                        const uint64_t piece = k == n - 1 ? length - done : 100 + k * 4;

                        f->iov[i][k] = (struct iovec){memory + offset + done, piece};
                        done += piece;
                }
                submit(f, i, op, offset, length, n);
        }
        assert_int_equal(loop_run(f->loop), 0);
        return f->error;
}

/* ---- fixtures ---- */

static void scribble(unsigned char *data, unsigned int seed) {
        for (unsigned int i = 0; i < SIZE; i++)
                data[i] = (unsigned char)((i + seed) * 2654435761u >> 19);
}

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));
        const char *why = "";

        if (nbd_library_load(&why) < 0)
                fail_msg("%s", why);
        signal(SIGPIPE, SIG_IGN);
        f->held = -1;
        f->data = malloc(SIZE);
        f->copy = malloc(SIZE);
        strcpy(f->path, "/tmp/test-media-nbd.XXXXXX");
        f->file = mkstemp(f->path);
        assert_true(f->file >= 0 && f->data && f->copy);
        assert_int_equal(ftruncate(f->file, SIZE), 0);
        assert_int_equal(loop_new(&f->loop, 32), 0);
        scribble(f->data, 1);
        *state = the = f;
        return 0;
}

static int target(uint32_t read_only) {
        const struct nbd_target t = {.export = "", .block_size = 512, .read_only = read_only};
        int fd = -1;

        assert_int_equal(nbd_target_make(&t, &fd), 0);
        return fd;
}

static void make(struct fixture *f, const char *filter, const char *parameter) {
        f->filter = filter;
        f->parameter = parameter;
        assert_int_equal(medium_new(f->loop, MEDIUM_NBD, target(0), SIZE, &events, f, &f->medium), 0);
}

static int teardown(void **state) {
        struct fixture *f = *state;

        medium_free(f->medium);
        loop_source_remove(f->later);
        loop_source_remove(f->second);
        loop_free(f->loop);
        server_kill(f);
        close(f->file);
        unlink(f->path);
        free(f->data);
        free(f->copy);
        free(f);
        return 0;
}

static void check_file(struct fixture *f) {
        assert_int_equal(pread(f->file, f->copy, SIZE, 0), SIZE);
        assert_memory_equal(f->copy, f->data, SIZE);
}

static void check_read(struct fixture *f) {
        memset(f->copy, 0xee, SIZE);
        assert_int_equal(run_all(f, VPC_IO_READ, f->copy), 0);
        assert_memory_equal(f->copy, f->data, SIZE);
}

/* ---- tests ---- */

static void test_data(void **state) {
        struct fixture *f = *state;

        make(f, NULL, NULL);
        assert_int_equal(run_all(f, VPC_IO_WRITE, f->data), 0);
        check_file(f);
        check_read(f);
        assert_int_equal(run(f, VPC_IO_FLUSH, 0, NULL, 0), 0);
        assert_int_equal(run(f, VPC_IO_READ, 512, f->copy, 5 << 20), 0); /* more than one command takes */
        assert_memory_equal(f->copy, f->data + 512, 5 << 20);
        assert_int_equal(f->n_asked, 1);
        assert_true(f->held >= 0);
}

static void clear(struct fixture *f) {
        assert_int_equal(run_all(f, VPC_IO_WRITE, f->data), 0);
        assert_int_equal(run(f, VPC_IO_ZERO, 4096, NULL, 1 << 20), 0);
        memset(f->data + 4096, 0, 1 << 20);
        assert_int_equal(run(f, VPC_IO_DISCARD, 3 << 20, NULL, 1 << 20), 0);
        memset(f->data + (3 << 20), 0, 1 << 20);
        check_file(f);
        check_read(f);
}

static void test_clear(void **state) {
        make(*state, NULL, NULL);
        clear(*state);
}

/* A server that knows no write zeroes: zeroes are written. */
static void test_clear_by_writing(void **state) {
        make(*state, "nozero", "zeromode=none");
        clear(*state);
}

static void test_bad_requests(void **state) {
        struct fixture *f = *state;

        make(f, NULL, NULL);
        assert_int_equal(run(f, VPC_IO_READ, SIZE - 512, f->copy, 1024), -EINVAL);
        assert_int_equal(run(f, VPC_IO_READ, SIZE + 512, f->copy, 512), -EINVAL);
        assert_int_equal(run(f, VPC_IO_READ, 0, f->copy, 0), -EINVAL);
        assert_int_equal(run(f, VPC_IO_WRITE, UINT64_MAX - 511, f->copy, 512), -EINVAL);
        assert_int_equal(run(f, VPC_IO_FORMAT, 0, NULL, 4096), -EOPNOTSUPP);
        assert_int_equal(run(f, VPC_IO_READ, 0, f->copy, 512), 0);
}

static void test_read_only(void **state) {
        struct fixture *f = *state;

        assert_int_equal(medium_new(f->loop, MEDIUM_NBD, target(1), SIZE, &events, f, &f->medium), 0);
        assert_int_equal(run(f, VPC_IO_WRITE, 0, f->data, 512), -EROFS);
        assert_int_equal(run(f, VPC_IO_ZERO, 0, NULL, 512), -EROFS);
        assert_int_equal(run(f, VPC_IO_FLUSH, 0, NULL, 0), 0);
        assert_int_equal(run(f, VPC_IO_READ, 0, f->copy, 512), 0);
}

static void test_errors(void **state) {
        struct fixture *f = *state;

        make(f, "error", "error-rate=100%");
        assert_int_equal(run(f, VPC_IO_WRITE, 0, f->data, 4096), -EIO);
        assert_int_equal(run(f, VPC_IO_READ, 0, f->copy, 4096), -EIO);
        assert_int_equal(f->n_asked, 1); /* an answer, not the end of a connection */
}

/* The server dies again and again with requests under way: each is done, once. */
static void test_deaths(void **state) {
        struct fixture *f = *state;

        make(f, NULL, NULL);
        f->deaths = 3;
        assert_int_equal(run_all(f, VPC_IO_WRITE, f->data), 0);
        check_file(f);
        f->deaths = 3;
        check_read(f);
        assert_int_equal(f->deaths, 0);
        assert_true(f->n_asked >= 3);
}

static void test_refusals(void **state) {
        struct fixture *f = *state;

        f->refusals = 3;
        make(f, NULL, NULL);
        assert_int_equal(run(f, VPC_IO_WRITE, 0, f->data, SIZE), 0);
        check_file(f);
        assert_int_equal(f->n_asked, 4);
}

/* It is away, and the device goes: nobody waits for long. */
static void test_hurry(void **state) {
        struct fixture *f = *state;

        f->refusals = 1000;
        make(f, NULL, NULL);
        medium_hurry(f->medium);
        assert_int_equal(run_all(f, VPC_IO_WRITE, f->data), -ENOLINK);
        assert_int_equal(run(f, VPC_IO_FLUSH, 0, NULL, 0), -ENOLINK); /* at once by now */
}

/* An export that does not do is asked for again, and nothing is written to it. */
/* A server that does not answer: those that it was never given, since there were too many, wait no longer than the others. */
static void test_silence(void **state) {
        struct fixture *f = *state;

        make(f, NULL, NULL);
        assert_int_equal(run(f, VPC_IO_READ, 0, f->copy, 512), 0);
        assert_int_equal(kill(f->server, SIGSTOP), 0);
        assert_int_equal(waitpid(f->server, NULL, WUNTRACED), f->server); /* all of its threads */
        for (unsigned int i = 0; i < DEPTH; i++) {
                f->iov[i][0] = (struct iovec){f->copy + i * 512, 512};
                submit(f, i, VPC_IO_READ, i * 512, 512, 1);
        }
        medium_hurry(f->medium);
        f->is_silent = true;
        assert_int_equal(loop_run(f->loop), 0);
        assert_int_equal(f->error, -ENOLINK);
        assert_int_equal(f->n_left_then, 0);
}

static void test_too_small(void **state) {
        struct fixture *f = *state;

        assert_int_equal(ftruncate(f->file, SIZE / 2), 0);
        make(f, NULL, NULL);
        medium_hurry(f->medium);
        assert_int_equal(run(f, VPC_IO_WRITE, 0, f->data, 4096), -ENOLINK);
        assert_true(f->n_asked > 1);
        assert_int_equal(pread(f->file, f->copy, 1, 0), 1);
        assert_int_equal(f->copy[0], 0);
}

static void test_grow(void **state) {
        struct fixture *f = *state;

        make(f, NULL, NULL);
        assert_int_equal(run(f, VPC_IO_READ, 0, f->copy, 512), 0);
        assert_int_equal(ftruncate(f->file, 2 * SIZE), 0);
        medium_resize(f->medium, 2 * SIZE);
        assert_int_equal(run(f, VPC_IO_WRITE, SIZE, f->data, SIZE), 0);
        assert_int_equal(pread(f->file, f->copy, SIZE, SIZE), SIZE);
        assert_memory_equal(f->copy, f->data, SIZE);
        assert_int_equal(f->n_asked, 2);
}

static void on_retired(void *userdata) {
        struct fixture *f = userdata;

        f->medium = NULL;
        loop_stop(f->loop, 0);
}

static void finish_retired(struct vpc_io *io, int error) {
        the->n_left--;
}

/* Freed when the last request has ended, and not before. */
static void test_retire(void **state) {
        struct fixture *f = *state;

        make(f, NULL, NULL);
        assert_int_equal(run(f, VPC_IO_READ, 0, f->copy, 512), 0);
        for (unsigned int i = 0; i < 20; i++) {
                f->iov[i][0] = (struct iovec){f->copy + i * 4096, 4096};
                submit(f, i, VPC_IO_READ, i * 4096, 4096, 1);
                f->io[i].private.finish = finish_retired;
        }
        medium_retire(f->medium, on_retired, f);
        assert_int_equal(loop_run(f->loop), 0);
        assert_int_equal(f->n_left, 0);
        assert_null(f->medium);
}

/* A connection that another process had is not used, and is over before there is the next one. */
static void test_take_up(void **state) {
        struct fixture *f = *state;
        int pair[2];
        char byte = 0;

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        make(f, NULL, NULL);
        medium_take_up(f->medium, pair[0]);
        assert_int_equal(f->held, pair[0]);
        assert_int_equal(recv(pair[1], &byte, 1, MSG_DONTWAIT), 0); /* it says that it is done */
        assert_int_equal(send(pair[1], "the answer to something", 23, 0), 23);
        close(pair[1]);
        assert_int_equal(run(f, VPC_IO_WRITE, 0, f->data, SIZE), 0);
        check_file(f);
        assert_int_equal(f->n_asked, 1);
}

static void test_targets(void **state) {
        struct fixture *f = *state;
        CLEANUP_CLOSE int fd = memfd_create("test", MFD_CLOEXEC);
        struct nbd_target t;

        assert_int_equal(nbd_target_read(fd, &t), -EBADMSG);
        assert_int_equal(medium_new(f->loop, MEDIUM_NBD, dup(fd), SIZE, &events, f, &f->medium), -EBADMSG);
        assert_int_equal(medium_new(f->loop, MEDIUM_NBD, -1, SIZE, &events, f, &f->medium), -EBADMSG);
        f->medium = NULL;
}

static void test_probe(void **state) {
        struct fixture *f = *state;
        struct nbd_export export;
        char why[80] = "";

        assert_int_equal(nbd_target_probe(server_start(f), "any", &export, why, sizeof(why)), 0);
        assert_int_equal(export.size, SIZE);
        assert_true(export.can_flush && !export.read_only);
        int fd = server_start(f);
        server_kill(f);
        assert_int_equal(nbd_target_probe(fd, "any", &export, why, sizeof(why)), -EPROTO);
        assert_true(*why);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_data),      TEST(test_clear),   TEST(test_clear_by_writing), TEST(test_bad_requests),
                TEST(test_read_only), TEST(test_errors),  TEST(test_deaths),           TEST(test_refusals),
                TEST(test_hurry),     TEST(test_silence), TEST(test_too_small),        TEST(test_grow),
                TEST(test_retire),    TEST(test_take_up), TEST(test_targets),          TEST(test_probe)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
