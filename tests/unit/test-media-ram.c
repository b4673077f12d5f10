/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <cmocka.h>

#include "media/file.h"
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

static uint64_t held(int fd) {
        struct stat st;

        assert_int_equal(fstat(fd, &st), 0);
        return (uint64_t)st.st_blocks * 512;
}

/* What is deallocated reads as zeroes, and is given back or not. */
static void test_keeps_space(void **state) {
        static char out[8192], zeroes[8192], in[8192];
        const int fd = memory_file(SIZE, F_SEAL_SHRINK);
        struct medium *m = NULL;
        struct loop *loop = NULL;

        assert_int_equal(loop_new(&loop, 8), 0);
        assert_int_equal(medium_new(loop, MEDIUM_RAM, dup(fd), SIZE, NULL, NULL, &m), 0);
        memset(out, 7, sizeof(out));
        for (unsigned int keeps = 0; keeps < 2; keeps++) {
                medium_set_keeps_space(m, keeps);
                assert_int_equal(run(m, VPC_IO_WRITE, 4096, out, sizeof(out)), 0);
                assert_int_equal(held(fd), 8192);
                assert_int_equal(run(m, VPC_IO_DISCARD, 4096, NULL, sizeof(in)), 0);
                assert_int_equal(held(fd), keeps ? 8192 : 0);
                assert_int_equal(run(m, VPC_IO_READ, 4096, in, sizeof(in)), 0);
                assert_memory_equal(in, zeroes, sizeof(in));
                assert_int_equal(run(m, VPC_IO_DISCARD, 4096, NULL, sizeof(in)), 0);
        }
        medium_free(m);
        loop_free(loop);
        close(fd);
}

/* Bytes of large pages in this process's mappings of memory files. */
static uint64_t mapped_large(void) {
        CLEANUP_FILE FILE *f = fopen("/proc/self/smaps", "re");
        unsigned long kib = 0, sum = 0;
        bool is_ours = false;
        char line[512];

        while (f && fgets(line, sizeof(line), f)) {
                if (strchr(line, '-') && strstr(line, "/memfd:test"))
                        is_ours = true;
                else if (sscanf(line, "ShmemPmdMapped: %lu", &kib) == 1 && is_ours)
                        sum += kib, is_ours = false;
        }
        return sum * 1024;
}

/* Memory that is in large pages is mapped by them, also when it has grown. */
static void test_large_pages(void **state) {
        const size_t large = 2u << 20, size = 2 * large;
        const int fd = memory_file(2 * size, F_SEAL_SHRINK);
        struct medium *m = NULL;
        struct loop *loop = NULL;
        char in[512];

        assert_int_equal(fallocate(fd, 0, 0, (off_t)(2 * size)), 0);
        char *room = mmap(NULL, 2 * size + large, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_ptr_not_equal(room, MAP_FAILED);
        char *aligned = room + -(uintptr_t)room % large;
        assert_ptr_not_equal(mmap(aligned, 2 * size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0), MAP_FAILED);
        const bool can = madvise(aligned, 2 * size, 25 /* MADV_COLLAPSE */) == 0;
        munmap(room, 2 * size + large);
        assert_int_equal(loop_new(&loop, 8), 0);
        assert_int_equal(medium_new(loop, MEDIUM_RAM, fd, size, NULL, NULL, &m), 0);
        for (unsigned int n = 1; n <= 2; n++) {
                for (uint64_t at = 0; at < n * size; at += large)
                        assert_int_equal(run(m, VPC_IO_READ, at, in, sizeof(in)), 0);
                if (can) /* the kernel has none, or memory is in pieces */
                        assert_int_equal(mapped_large(), n * size);
                medium_resize(m, 2 * size);
        }
        medium_free(m);
        loop_free(loop);
}

static void test_format(void **state) {
        struct medium *m = NULL;
        struct loop *loop = NULL;
        char text[8] = "";
        int fd = memory_file(SIZE, F_SEAL_SHRINK), twin = dup(fd);
        const bool can_keep = fsetxattr(fd, "user.iov.test", "1", 1, 0) == 0;
        struct vpc_io io = {.op = VPC_IO_FORMAT, .length = 4096};
        int error = 1;

        assert_true(twin >= 0);
        assert_int_equal(loop_new(&loop, 8), 0);
        assert_int_equal(medium_new(loop, MEDIUM_RAM, fd, SIZE, NULL, NULL, &m), 0);
        assert_true(medium_try(m, &io, &error));
        assert_int_equal(error, can_keep ? 0 : -EOPNOTSUPP);
        assert_int_equal(fgetxattr(twin, MEDIA_BLOCK_SIZE_ATTRIBUTE, text, sizeof(text)), can_keep ? 4 : -1);
        assert_string_equal(text, can_keep ? "4096" : "");
        close(twin);
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

        finished = 0;
        assert_int_equal(loop_new(&finish_loop, 8), 0);
        assert_int_equal(medium_new(finish_loop, MEDIUM_RAM, memory_file(SIZE, F_SEAL_SHRINK), SIZE, NULL, NULL, &m), 0);
        assert_int_equal(loop_add_timer(finish_loop, 0, start, m, &timer), 0);
        assert_int_equal(loop_run(finish_loop), 3);
        loop_source_remove(timer);
        medium_free(m);
        loop_free(finish_loop);
}

#define LARGE (8u << 20)

struct clearing {
        struct loop *loop;
        struct medium *m;
        struct loop_source *tick;
        unsigned int ticks, left;
        bool is_retired;
};
static struct clearing the_clearing;

static void on_tick(void *userdata) {
        the_clearing.ticks++;
        loop_timer_set(the_clearing.tick, 0);
}

static void on_cleared(struct vpc_io *io, int error) {
        assert_int_equal(error, 0);
        assert_false(the_clearing.is_retired);
        if (--the_clearing.left == 0 && !io->private.host)
                loop_stop(the_clearing.loop, 6);
}

static void on_retired(void *userdata) {
        the_clearing.is_retired = true;
        loop_stop(the_clearing.loop, 7);
}

static void assert_bytes(struct medium *m, uint64_t from, uint64_t to, char expected) {
        char bytes[512];

        for (uint64_t at = from; at < to; at += sizeof(bytes)) {
                assert_int_equal(run(m, VPC_IO_READ, at, bytes, sizeof(bytes)), 0);
                assert_int_equal(bytes[0], expected);
                assert_int_equal(bytes[511], expected);
        }
}

/* Two large ranges at a time: the loop has its turns meanwhile, and ranges are kept to. */
static void test_clearing_in_pieces(void **state) {
        struct clearing *c = &the_clearing;
        static const enum vpc_io_op ops[] = {VPC_IO_ZERO, VPC_IO_DISCARD};
        static char ones[65536];

        *c = (struct clearing){0};
        memset(ones, 0x11, sizeof(ones));
        assert_int_equal(loop_new(&c->loop, 8), 0);
        assert_int_equal(medium_new(c->loop, MEDIUM_RAM, memory_file(LARGE, F_SEAL_SHRINK), LARGE, NULL, NULL, &c->m), 0);
        assert_int_equal(loop_add_timer(c->loop, 0, on_tick, NULL, &c->tick), 0);
        for (unsigned int i = 0; i < ARRAY_LENGTH(ops); i++) {
                struct vpc_io io[2];
                int error = 0;

                for (unsigned int at = 0; at < LARGE; at += sizeof(ones))
                        assert_int_equal(run(c->m, VPC_IO_WRITE, at, ones, sizeof(ones)), 0);
                io[0] = (struct vpc_io){
                        .op = ops[i], .offset = 512, .length = (2 << 20) + 512, .private = {.finish = on_cleared}};
                io[1] = (struct vpc_io){.op = ops[i], .offset = 4 << 20, .length = 2 << 20, .private = {.finish = on_cleared}};
                c->left = 2;
                c->ticks = 0;
                for (unsigned int k = 0; k < 2; k++) {
                        assert_false(medium_try(c->m, &io[k], &error));
                        medium_submit(c->m, &io[k]);
                }
                assert_int_equal(c->left, 2);
                assert_int_equal(loop_run(c->loop), 6);
                assert_true(c->ticks >= 4);
                assert_bytes(c->m, 0, 512, 0x11);
                assert_bytes(c->m, 512, (2 << 20) + 1024, 0);
                assert_bytes(c->m, (2 << 20) + 1024, 4 << 20, 0x11);
                assert_bytes(c->m, 4 << 20, 6 << 20, 0);
                assert_bytes(c->m, 6 << 20, LARGE, 0x11);
        }
        /* One that is not wanted any more stays until it is cleared. */
        struct vpc_io last = {.op = VPC_IO_ZERO, .length = LARGE, .private = {.finish = on_cleared, .host = c}};
        c->left = 1;
        medium_submit(c->m, &last);
        medium_retire(c->m, on_retired, NULL);
        assert_false(c->is_retired);
        assert_int_equal(loop_run(c->loop), 7);
        assert_int_equal(c->left, 0);
        loop_source_remove(c->tick);
        loop_free(c->loop);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_data),
                cmocka_unit_test(test_keeps_space),
                cmocka_unit_test(test_large_pages),
                cmocka_unit_test(test_format),
                cmocka_unit_test(test_submitted),
                cmocka_unit_test(test_clearing_in_pieces),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
