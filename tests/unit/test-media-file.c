/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A medium in a file, with a loop that does what the test tells it: short transfers, a full ring, errors. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#include "media/file.h"
#include "util.h"

#define PENDING 64
#define SIZE (1u << 20)
#define PUNCH (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)

/* The loop of these tests. Requests are done by step(). */
struct loop {
        struct request {
                struct loop_io *io;
                enum { READV, WRITEV, SYNC, ALLOCATE, ATTRIBUTE } kind;
                int fd;
                const struct iovec *iov;
                unsigned int n_iov;
                uint64_t offset, length;
                int mode;
        } pending[PENDING];
        unsigned int n_pending, room;
        size_t limit;  /* bytes of one transfer */
        int errors[4]; /* results of the next requests, instead of doing them */
        unsigned int n_errors, n_syncs;
        int refused; /* a mode of fallocate(2) that this file system has not */
        int modes[4];
        unsigned int n_modes;
        char attribute[16];
        loop_timer_fn fn;
        void *userdata;
        uint64_t timer;
};
struct loop_source {
        struct loop *loop;
};

int loop_add_timer(struct loop *loop, uint64_t delay_ns, loop_timer_fn fn, void *userdata, struct loop_source **ret_source) {
        struct loop_source *source = calloc(1, sizeof(*source));

        assert_non_null(source);
        source->loop = loop;
        loop->fn = fn;
        loop->userdata = userdata;
        loop->timer = delay_ns;
        *ret_source = source;
        return 0;
}

int loop_timer_set(struct loop_source *source, uint64_t delay_ns) {
        source->loop->timer = delay_ns;
        return 0;
}

struct loop_source *loop_source_remove(struct loop_source *source) {
        free(source);
        return NULL;
}

static int push(struct loop *loop, struct request request) {
        if (loop->n_pending >= loop->room)
                return -EAGAIN;
        loop->pending[loop->n_pending++] = request;
        return 0;
}

int loop_readv(struct loop *loop, struct loop_io *io, int fd, const struct iovec *iov, unsigned int n_iov, uint64_t offset) {
        return push(loop, (struct request){.io = io, .kind = READV, .fd = fd, .iov = iov, .n_iov = n_iov, .offset = offset});
}

int loop_writev(struct loop *loop, struct loop_io *io, int fd, const struct iovec *iov, unsigned int n_iov, uint64_t offset) {
        return push(loop, (struct request){.io = io, .kind = WRITEV, .fd = fd, .iov = iov, .n_iov = n_iov, .offset = offset});
}

/* test-media-ring has a ring with files. */
int loop_file_add(struct loop *loop, int fd) {
        return -ENOSYS;
}

void loop_file_remove(struct loop *loop, int file) {
        fail();
}

int loop_fdatasync(struct loop *loop, struct loop_io *io, int fd) {
        return push(loop, (struct request){.io = io, .kind = SYNC, .fd = fd});
}

int loop_fsync(struct loop *loop, struct loop_io *io, int fd) {
        return push(loop, (struct request){.io = io, .kind = SYNC, .fd = fd});
}

int loop_fsetxattr(struct loop *loop, struct loop_io *io, int fd, const char *name, const char *value, unsigned int size) {
        assert_string_equal(name, MEDIA_BLOCK_SIZE_ATTRIBUTE);
        assert_int_equal(size, strlen(value));
        field_set(loop->attribute, sizeof(loop->attribute), value);
        return push(loop, (struct request){.io = io, .kind = ATTRIBUTE, .fd = fd});
}

int loop_fallocate(struct loop *loop, struct loop_io *io, int fd, int mode, uint64_t offset, uint64_t length) {
        return push(loop,
                    (struct request){.io = io, .kind = ALLOCATE, .fd = fd, .mode = mode, .offset = offset, .length = length});
}

/* As much of it as `limit` allows, in one call as the kernel would do it. */
static ssize_t transfer(const struct loop *loop, const struct request *r) {
        struct iovec iov[64];
        size_t left = loop->limit;
        unsigned int n = 0;

        assert_true(r->n_iov > 0 && r->n_iov <= 64);
        for (; n < r->n_iov && left; n++) {
                iov[n] = r->iov[n];
                iov[n].iov_len = iov[n].iov_len < left ? iov[n].iov_len : left;
                left -= iov[n].iov_len;
        }
        return r->kind == READV ? preadv(r->fd, iov, (int)n, (off_t)r->offset) : pwritev(r->fd, iov, (int)n, (off_t)r->offset);
}

static bool step(struct loop *loop) {
        struct request r = loop->pending[0];
        ssize_t result = 0;

        if (loop->timer == 0 || (loop->timer != UINT64_MAX && !loop->n_pending)) {
                loop->timer = UINT64_MAX;
                loop->fn(loop->userdata);
                return true;
        }
        if (!loop->n_pending)
                return false;
        memmove(loop->pending, loop->pending + 1, --loop->n_pending * sizeof(r));
        if (loop->n_errors) {
                result = loop->errors[--loop->n_errors];
        } else if (r.kind == SYNC) {
                loop->n_syncs++;
        } else if (r.kind == ALLOCATE) {
                loop->modes[loop->n_modes++ % 4] = r.mode;
                result = r.mode & loop->refused
                                 ? -EOPNOTSUPP
                                 : fallocate(r.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)r.offset, (off_t)r.length);
                assert_true(result == 0 || result == -EOPNOTSUPP);
        } else if (r.kind != ATTRIBUTE) {
                result = transfer(loop, &r);
                assert_true(result >= 0);
        }
        r.io->done(r.io, (int32_t)result);
        return true;
}

struct test {
        struct loop loop;
        struct media_file *media;
        int fd; /* the same file */
        unsigned int n_done;
        int error;
        unsigned char data[65536];
        struct iovec iov[64];
};

static struct test *the_test;

static void finish(struct vpc_io *io, int error) {
        assert_ptr_equal(io->private.host, the_test);
        the_test->n_done++;
        the_test->error = error;
}

static int setup(void **state) {
        struct test *t = calloc(1, sizeof(*t));
        CLEANUP_CLOSE int fd = memfd_create("test-media-file", MFD_CLOEXEC);

        assert_non_null(t);
        assert_true(fd >= 0);
        t->fd = dup(fd);
        t->loop.room = PENDING;
        t->loop.limit = SIZE_MAX;
        assert_int_equal(media_file_new(&t->loop, take_fd(&fd), SIZE, &t->media), 0);
        *state = the_test = t;
        return 0;
}

static int teardown(void **state) {
        struct test *t = *state;

        while (step(&t->loop))
                ;
        media_file_free(t->media);
        close(t->fd);
        free(t);
        return 0;
}

/* Pieces of `piece` bytes, in reverse order in memory so that each counts. */
static struct vpc_io request(struct test *t, enum vpc_io_op op, uint64_t offset, size_t piece, unsigned int n) {
        for (unsigned int i = 0; i < n; i++)
                t->iov[i] = (struct iovec){t->data + (n - 1 - i) * piece, piece};
        return (struct vpc_io){.op = op,
                               .offset = offset,
                               .iov = t->iov,
                               .n_iov = n,
                               .length = piece * n,
                               .private = {.finish = finish, .host = t}};
}

static void run(struct test *t) {
        while (step(&t->loop))
                ;
}

static void do_request(struct test *t, struct vpc_io *io, int expected) {
        unsigned int before = t->n_done;

        t->error = 1;
        media_file_submit(t->media, io);
        assert_int_equal(t->n_done, before); /* never from within */
        run(t);
        assert_int_equal(t->n_done, before + 1);
        assert_int_equal(t->error, expected);
}

static void fill(struct test *t, unsigned int seed) {
        for (unsigned int i = 0; i < sizeof(t->data); i++)
                t->data[i] = (unsigned char)((i + seed) * 2654435761u >> 11);
}

/* Whatever pieces the kernel does it in, what is written is what is read. */
static void test_short_transfers(void **state) {
        struct test *t = *state;
        static const size_t limits[] = {SIZE_MAX, 1000, 512, 513, 511, 100};
        static unsigned char expected[65536];

        for (unsigned int i = 0; i < ARRAY_LENGTH(limits); i++) {
                struct vpc_io io = request(t, VPC_IO_WRITE, 4096 * i, 512, 20);

                t->loop.limit = limits[i];
                fill(t, i);
                memcpy(expected, t->data, sizeof(expected));
                do_request(t, &io, 0);
                memset(t->data, 0xee, sizeof(t->data));
                io = request(t, VPC_IO_READ, 4096 * i, 512, 20);
                do_request(t, &io, 0);
                assert_memory_equal(t->data, expected, 512 * 20);
                assert_int_equal(t->data[512 * 20], 0xee);
                unsigned char first[512];
                assert_int_equal(pread(t->fd, first, 512, 4096 * i), 512);
                assert_memory_equal(first, expected + 19 * 512, 512);
        }
}

static void test_past_end_of_file(void **state) {
        struct test *t = *state;
        struct vpc_io io = request(t, VPC_IO_READ, 0, 512, 8);

        assert_int_equal(pwrite(t->fd, "0123456789", 10, 4096 + 500), 10); /* 4606 bytes, in the middle of a piece */
        memset(t->data, 0xee, sizeof(t->data));
        do_request(t, &io, 0);
        for (unsigned int i = 0; i < 4096; i++)
                assert_int_equal(t->data[i], 0);
        memset(t->data, 0xee, sizeof(t->data));
        io = request(t, VPC_IO_READ, 4096, 512, 8);
        do_request(t, &io, 0);
        assert_memory_equal(t->data + 7 * 512 + 500, "0123456789", 10);
        for (unsigned int i = 0; i < 7 * 512; i++)
                assert_int_equal(t->data[i], 0);
        assert_int_equal(t->data[4096], 0xee);
        io = request(t, VPC_IO_READ, SIZE - 4096, 512, 8);
        memset(t->data, 0xee, sizeof(t->data));
        do_request(t, &io, 0);
        for (unsigned int i = 0; i < 4096; i++)
                assert_int_equal(t->data[i], 0);
}

static void test_ranges(void **state) {
        struct test *t = *state;
        struct vpc_io io = request(t, VPC_IO_READ, SIZE - 512, 512, 2);

        do_request(t, &io, -EINVAL);
        io = request(t, VPC_IO_WRITE, SIZE, 512, 1);
        do_request(t, &io, -EINVAL);
        io = request(t, VPC_IO_WRITE, UINT64_MAX - 511, 512, 1);
        do_request(t, &io, -EINVAL);
        io = request(t, VPC_IO_WRITE, 0, 512, 0);
        do_request(t, &io, -EINVAL);
        io = request(t, VPC_IO_WRITE, 0, 512, 1);
        io.n_iov = 0;
        do_request(t, &io, -EINVAL);
        io = request(t, VPC_IO_WRITE, SIZE - 512, 512, 1);
        do_request(t, &io, 0);
        assert_int_equal(lseek(t->fd, 0, SEEK_END), SIZE);
}

static void test_flush(void **state) {
        struct test *t = *state;
        struct vpc_io io = {.op = VPC_IO_FLUSH, .private = {.finish = finish, .host = t}};

        do_request(t, &io, 0);
        assert_int_equal(t->loop.n_syncs, 1);
        t->loop.errors[0] = -EIO;
        t->loop.n_errors = 1;
        do_request(t, &io, -EIO);
}

static void test_errors(void **state) {
        struct test *t = *state;
        struct vpc_io io = request(t, VPC_IO_WRITE, 0, 512, 4);

        t->loop.errors[0] = -ENOSPC;
        t->loop.n_errors = 1;
        do_request(t, &io, -ENOSPC);
        t->loop.errors[0] = -EIO; /* after a part was done */
        t->loop.errors[1] = 700;
        t->loop.n_errors = 2;
        do_request(t, &io, -EIO);
        t->loop.errors[0] = 0; /* a write of nothing */
        t->loop.n_errors = 1;
        do_request(t, &io, -EIO);
        t->loop.errors[0] = -EINTR; /* tried again */
        t->loop.errors[1] = -EAGAIN;
        t->loop.n_errors = 2;
        do_request(t, &io, 0);
}

/* More requests than the ring has room for: each is done once, in order, the timer helps where nothing else does. */
static void test_full_ring(void **state) {
        struct test *t = *state;
        struct vpc_io io[20];

        t->loop.room = 0;
        for (unsigned int i = 0; i < 10; i++) {
                io[i] = request(t, VPC_IO_WRITE, i * 512, 512, 1);
                media_file_submit(t->media, &io[i]);
        }
        assert_true(t->loop.timer > 0 && t->loop.timer != UINT64_MAX);
        assert_true(step(&t->loop));
        assert_int_equal(t->loop.n_pending, 0);
        assert_true(t->loop.timer > 0 && t->loop.timer != UINT64_MAX);
        t->loop.room = 2;
        assert_true(step(&t->loop));
        assert_int_equal(t->loop.n_pending, 2);
        for (unsigned int i = 10; i < 20; i++) {
                io[i] = request(t, VPC_IO_WRITE, SIZE + i * 512, 512, 1); /* a refusal does not wait for room */
                media_file_submit(t->media, &io[i]);
        }
        run(t);
        assert_int_equal(t->n_done, 20);
        assert_int_equal(lseek(t->fd, 0, SEEK_END), 10 * 512);
}

static struct vpc_io clearing(struct test *t, enum vpc_io_op op, uint64_t offset, uint64_t length) {
        return (struct vpc_io){.op = op, .offset = offset, .length = length, .private = {.finish = finish, .host = t}};
}

static void assert_byte(struct test *t, off_t at, unsigned char expected) {
        unsigned char c = 0xaa;

        assert_int_equal(pread(t->fd, &c, 1, at), 1);
        assert_int_equal(c, expected);
}

/* Zeroes within, untouched without, whatever the file system can do. */
static void test_clearing(void **state) {
        struct test *t = *state;
        static const struct {
                int refused, first; /* modes */
                enum vpc_io_op op;
                unsigned int n_modes;
                bool keeps_space;
        } cases[] = {
                {0, PUNCH, VPC_IO_DISCARD, 1, false},
                {0, FALLOC_FL_ZERO_RANGE, VPC_IO_ZERO, 1, false},
                {FALLOC_FL_ZERO_RANGE, FALLOC_FL_ZERO_RANGE, VPC_IO_ZERO, 2, false},
                {FALLOC_FL_ZERO_RANGE | PUNCH, FALLOC_FL_ZERO_RANGE, VPC_IO_ZERO, 2, false},
                {PUNCH, PUNCH, VPC_IO_DISCARD, 1, false},
                {0, FALLOC_FL_ZERO_RANGE, VPC_IO_DISCARD, 1, true},
                {FALLOC_FL_ZERO_RANGE, FALLOC_FL_ZERO_RANGE, VPC_IO_DISCARD, 1, true}, /* written, not punched */
                {FALLOC_FL_ZERO_RANGE, FALLOC_FL_ZERO_RANGE, VPC_IO_ZERO, 1, true},
        };

        for (unsigned int i = 0; i < ARRAY_LENGTH(cases); i++) {
                struct vpc_io io = clearing(t, cases[i].op, 5000, 300000);

                memset(t->data, 0x77, sizeof(t->data));
                for (unsigned int at = 0; at < SIZE; at += sizeof(t->data))
                        assert_int_equal(pwrite(t->fd, t->data, sizeof(t->data), at), sizeof(t->data));
                t->loop.refused = cases[i].refused;
                media_file_set_keeps_space(t->media, cases[i].keeps_space);
                t->loop.n_modes = 0;
                t->loop.limit = i % 2 ? SIZE_MAX : 10000;
                do_request(t, &io, 0);
                assert_int_equal(t->loop.modes[0], cases[i].first);
                assert_int_equal(t->loop.n_modes, cases[i].n_modes);
                assert_byte(t, 4999, 0x77);
                for (off_t at = 5000; at < 305000; at += 997)
                        assert_byte(t, at, 0);
                assert_byte(t, 304999, 0);
                assert_byte(t, 305000, 0x77);
        }
        struct vpc_io io = clearing(t, VPC_IO_DISCARD, SIZE - 512, 1024);
        do_request(t, &io, -EINVAL);
        io = clearing(t, VPC_IO_ZERO, 0, 0);
        do_request(t, &io, -EINVAL);
        io = clearing(t, VPC_IO_ZERO, 0, SIZE);
        t->loop.errors[0] = -ENOSPC;
        t->loop.n_errors = 1;
        do_request(t, &io, -ENOSPC);
}

/* The block size is durable when it is said to be, and a file that cannot keep it says so. */
static void test_format(void **state) {
        struct test *t = *state;
        struct vpc_io io = clearing(t, VPC_IO_FORMAT, 0, 4096);

        do_request(t, &io, 0);
        assert_string_equal(t->loop.attribute, "4096");
        assert_int_equal(t->loop.n_syncs, 1);
        t->loop.errors[0] = -EOPNOTSUPP;
        t->loop.n_errors = 1;
        do_request(t, &io, -EOPNOTSUPP);
        t->loop.errors[0] = -EIO;
        t->loop.errors[1] = 0;
        t->loop.n_errors = 2;
        do_request(t, &io, -EIO);
}

static void finish_and_free(struct vpc_io *io, int error) {
        struct test *t = io->private.host;

        finish(io, error);
        media_file_free(t->media);
        t->media = NULL;
}

/* The last request's end may be the medium's. */
static void test_free_from_finish(void **state) {
        struct test *t = *state;
        struct vpc_io io = request(t, VPC_IO_READ, 0, 512, 1);

        io.private.finish = finish_and_free;
        media_file_submit(t->media, &io);
        run(t);
        assert_int_equal(t->n_done, 1);
        assert_null(t->media);
        CLEANUP_CLOSE int fd = dup(t->fd);
        assert_int_equal(media_file_new(&t->loop, take_fd(&fd), SIZE, &t->media), 0);
        io = request(t, VPC_IO_READ, SIZE, 512, 1);
        io.private.finish = finish_and_free;
        media_file_submit(t->media, &io);
        run(t);
        assert_int_equal(t->n_done, 2);
        assert_null(t->media);
        media_file_free(NULL);
}

static void on_retired(void *userdata) {
        struct test *t = userdata;

        t->media = NULL;
}

/* A medium that is not wanted any more stays until its last request has ended. */
static void test_retire(void **state) {
        struct test *t = *state;
        struct vpc_io io[3];

        for (unsigned int i = 0; i < 3; i++) {
                io[i] = request(t, VPC_IO_READ, i == 2 ? SIZE : 0, 512, 1); /* the last is refused, later */
                media_file_submit(t->media, &io[i]);
        }
        media_file_retire(t->media, on_retired, t);
        for (unsigned int i = 0; i < 3; i++) {
                assert_non_null(t->media);
                assert_true(step(&t->loop));
        }
        assert_int_equal(t->n_done, 3);
        assert_null(t->media);
        CLEANUP_CLOSE int fd = dup(t->fd);
        assert_int_equal(media_file_new(&t->loop, take_fd(&fd), SIZE, &t->media), 0);
        media_file_resize(t->media, SIZE + 512);
        io[0] = request(t, VPC_IO_READ, SIZE, 512, 1);
        do_request(t, &io[0], 0);
        media_file_retire(t->media, on_retired, t);
        assert_null(t->media);
}

static void test_bad_fd(void **state) {
        struct media_file *media = NULL;
        struct loop loop = {0};

        assert_int_equal(media_file_new(&loop, -1, SIZE, &media), -EBADF);
        assert_null(media);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_short_transfers, setup, teardown),
                cmocka_unit_test_setup_teardown(test_past_end_of_file, setup, teardown),
                cmocka_unit_test_setup_teardown(test_ranges, setup, teardown),
                cmocka_unit_test_setup_teardown(test_flush, setup, teardown),
                cmocka_unit_test_setup_teardown(test_errors, setup, teardown),
                cmocka_unit_test_setup_teardown(test_clearing, setup, teardown),
                cmocka_unit_test_setup_teardown(test_format, setup, teardown),
                cmocka_unit_test_setup_teardown(test_full_ring, setup, teardown),
                cmocka_unit_test_setup_teardown(test_free_from_finish, setup, teardown),
                cmocka_unit_test_setup_teardown(test_retire, setup, teardown),
                cmocka_unit_test(test_bad_fd),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
