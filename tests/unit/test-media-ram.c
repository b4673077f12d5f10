/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "media/medium.h"
#include "util.h"

#define SIZE (1u << 20)

static int memory_file(size_t size, int seals) {
        int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        assert_true(fd >= 0);
        assert_int_equal(ftruncate(fd, (off_t)size), 0);
        assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
        return fd;
}

static int run(struct medium *m, enum vpc_io_op op, uint64_t offset, void *buffer, size_t length) {
        struct iovec iov[2] = {{buffer, length / 2}, {buffer ? (char *)buffer + length / 2 : NULL, length - length / 2}};
        struct vpc_io io = {.op = op, .offset = offset, .iov = iov, .n_iov = 2, .length = length};
        int error = 1;

        assert_true(medium_try(m, &io, &error));
        return error;
}

static void test_refused(void **state) {
        struct medium *m = NULL;
        struct loop *loop = NULL;

        assert_int_equal(loop_new(&loop, 8), 0);
        assert_int_equal(medium_new(loop, MEDIUM_RAM, memory_file(SIZE, 0), SIZE, NULL, NULL, &m), -EBADMSG);
        assert_int_equal(medium_new(loop, MEDIUM_RAM, memory_file(SIZE / 2, F_SEAL_SHRINK), SIZE, NULL, NULL, &m), -EBADMSG);
        assert_int_equal(medium_new(loop, MEDIUM_RAM, -1, SIZE, NULL, NULL, &m), -EBADF);
        assert_int_equal(medium_new(loop, MEDIUM_KINDS, memory_file(SIZE, F_SEAL_SHRINK), SIZE, NULL, NULL, &m), -EINVAL);
        loop_free(loop);
}

static void test_data(void **state) {
        static char out[8192], in[8192], zeroes[8192];
        struct medium *m = NULL;
        struct loop *loop = NULL;

        assert_int_equal(loop_new(&loop, 8), 0);
        assert_int_equal(medium_new(loop, MEDIUM_RAM, memory_file(SIZE, F_SEAL_SHRINK), SIZE, NULL, NULL, &m), 0);
        for (size_t i = 0; i < sizeof(out); i++)
                out[i] = (char)(i * 7 + i / 256);
        assert_int_equal(run(m, VPC_IO_WRITE, SIZE - sizeof(out), out, sizeof(out)), 0);
        assert_int_equal(run(m, VPC_IO_READ, SIZE - sizeof(in), in, sizeof(in)), 0);
        assert_memory_equal(in, out, sizeof(in));
        assert_int_equal(run(m, VPC_IO_FLUSH, 0, NULL, 0), 0);
        assert_int_equal(run(m, VPC_IO_DISCARD, SIZE - 4096, NULL, 4096), 0);
        assert_int_equal(run(m, VPC_IO_ZERO, SIZE - 8192, NULL, 512), 0);
        assert_int_equal(run(m, VPC_IO_READ, SIZE - sizeof(in), in, sizeof(in)), 0);
        assert_memory_equal(in, zeroes, 512);
        assert_memory_equal(in + 512, out + 512, 4096 - 512);
        assert_memory_equal(in + 4096, zeroes, 4096);
        /* past the end, in every way */
        assert_int_equal(run(m, VPC_IO_READ, SIZE, in, 512), -EINVAL);
        assert_int_equal(run(m, VPC_IO_WRITE, SIZE - 256, out, 512), -EINVAL);
        assert_int_equal(run(m, VPC_IO_ZERO, UINT64_MAX - 10, NULL, 512), -EINVAL);
        assert_int_equal(run(m, VPC_IO_DISCARD, 512, NULL, SIZE_MAX), -EINVAL);
        medium_free(m);
        loop_free(loop);
}

static unsigned int finished;
static struct loop *finish_loop;

static void on_finish(struct vpc_io *io, int error) {
        assert_int_equal(error, finished == 1 ? -EINVAL : 0);
        if (++finished == 2)
                loop_stop(finish_loop, 3);
}

static void start(void *userdata) {
        static char buffer[512];
        static struct iovec iov = {buffer, sizeof(buffer)};
        static struct vpc_io io[2];

        for (unsigned int i = 0; i < 2; i++) {
                io[i] = (struct vpc_io){.op = VPC_IO_READ, .offset = i * SIZE, .iov = &iov, .n_iov = 1, .length = sizeof(buffer)};
                io[i].private.finish = on_finish;
                medium_submit(userdata, &io[i]);
                assert_int_equal(finished, 0); /* never from within */
        }
}

static void test_submitted(void **state) {
        struct medium *m = NULL;
        struct loop_source *timer = NULL;

        assert_int_equal(loop_new(&finish_loop, 8), 0);
        assert_int_equal(medium_new(finish_loop, MEDIUM_RAM, memory_file(SIZE, F_SEAL_SHRINK), SIZE, NULL, NULL, &m), 0);
        assert_int_equal(loop_add_timer(finish_loop, 0, start, m, &timer), 0);
        assert_int_equal(loop_run(finish_loop), 3);
        loop_source_remove(timer);
        medium_free(m);
        loop_free(finish_loop);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_data),
                cmocka_unit_test(test_submitted),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
