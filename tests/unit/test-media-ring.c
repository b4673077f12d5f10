/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A medium in a file with the real event loop: data, ends of files, more requests than its ring holds. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "media/file.h"
#include "util.h"

#define BLOCK 4096u
#define N 200u

static struct loop *the_loop;
static unsigned int n_done;

static void finish(struct vpc_io *io, int error) {
        assert_int_equal(error, 0);
        if (++n_done % N == 0)
                loop_stop(the_loop, 0);
}

/* All blocks of the medium at once, through a ring of eight. */
static void transfer_all(struct media_file *media, enum vpc_io_op op, unsigned char *data) {
        static struct vpc_io io[N];
        static struct iovec iov[N][2];

        for (unsigned int i = 0; i < N; i++) {
                iov[i][0] = (struct iovec){data + i * BLOCK, 1000};
                iov[i][1] = (struct iovec){data + i * BLOCK + 1000, BLOCK - 1000};
                io[i] = (struct vpc_io){
                        .op = op, .offset = i * BLOCK, .iov = iov[i], .n_iov = 2, .length = BLOCK, .private = {.finish = finish}};
                media_file_submit(media, &io[i]);
        }
        assert_int_equal(loop_run(the_loop), 0);
}

static void test_all(void **state) {
        CLEANUP_CLOSE int fd = memfd_create("test-media-ring", MFD_CLOEXEC);
        CLEANUP_CLOSE int same = dup(fd);
        CLEANUP_FREE unsigned char *data = malloc(N * BLOCK), *copy = malloc(N * BLOCK);
        struct media_file *media = NULL;

        n_done = 0;
        assert_true(fd >= 0 && same >= 0);
        assert_true(data && copy);
        assert_int_equal(loop_new(&the_loop, 8), 0);
        assert_int_equal(media_file_new(the_loop, take_fd(&fd), N * BLOCK, &media), 0);
        for (unsigned int i = 0; i < N * BLOCK; i++)
                data[i] = (unsigned char)(i * 2654435761u >> 19);
        memcpy(copy, data, N * BLOCK);
        transfer_all(media, VPC_IO_WRITE, data);
        transfer_all(media, VPC_IO_FLUSH, data);
        memset(data, 0, N * BLOCK);
        transfer_all(media, VPC_IO_READ, data);
        assert_memory_equal(data, copy, N * BLOCK);
        /* In memory all that is there can be had at once, and nothing that is not. */
        struct iovec piece = {data, BLOCK};
        struct vpc_io once = {.op = VPC_IO_WRITE, .offset = BLOCK, .iov = &piece, .n_iov = 1, .length = BLOCK};
        int error = -1;
        memset(data, 0x77, BLOCK);
        assert_true(media_file_try(media, &once, &error));
        assert_int_equal(error, 0);
        once.op = VPC_IO_READ;
        memset(data, 0, BLOCK);
        assert_true(media_file_try(media, &once, &error));
        assert_int_equal(data[0] + data[BLOCK - 1], 2 * 0x77);
        memcpy(copy + BLOCK, data, BLOCK);
        once.offset = N * BLOCK;
        assert_false(media_file_try(media, &once, &error));
        once.op = VPC_IO_FLUSH;
        assert_false(media_file_try(media, &once, &error));
        once = (struct vpc_io){.op = VPC_IO_READ, .offset = (N - 1) * BLOCK, .iov = &piece, .n_iov = 1, .length = BLOCK};
        assert_int_equal(ftruncate(same, (N - 1) * BLOCK + 10), 0);
        assert_false(media_file_try(media, &once, &error));
        /* The file loses its second half. */
        assert_int_equal(ftruncate(same, N / 2 * BLOCK + 100), 0);
        transfer_all(media, VPC_IO_READ, data);
        memset(copy + N / 2 * BLOCK + 100, 0, N / 2 * BLOCK - 100);
        assert_memory_equal(data, copy, N * BLOCK);
        /* What is discarded is given back. */
        struct stat st = {0};
        assert_int_equal(fstat(same, &st), 0);
        assert_true(st.st_blocks > 0);
        transfer_all(media, VPC_IO_DISCARD, data);
        assert_int_equal(fstat(same, &st), 0);
        assert_int_equal(st.st_blocks, 0);
        transfer_all(media, VPC_IO_WRITE, data);
        transfer_all(media, VPC_IO_ZERO, data);
        transfer_all(media, VPC_IO_READ, data);
        memset(copy, 0, N * BLOCK);
        assert_memory_equal(data, copy, N * BLOCK);
        assert_int_equal(n_done, 8 * N);
        media_file_free(media);
        loop_free(the_loop);
}

/* Pieces that direct I/O could not take as they are: bytes past a page's beginning, in an odd number of pieces. */
static void transfer_unaligned(struct media_file *media, enum vpc_io_op op, unsigned char *data) {
        static struct vpc_io io[N];
        static struct iovec iov[N][3];

        for (unsigned int i = 0; i < N; i++) {
                unsigned char *at = data + i * BLOCK;

                iov[i][0] = (struct iovec){at, 1000};
                iov[i][1] = (struct iovec){at + 1000, 0};
                iov[i][2] = (struct iovec){at + 1000, BLOCK - 1000};
                io[i] = (struct vpc_io){
                        .op = op, .offset = i * BLOCK, .iov = iov[i], .n_iov = 3, .length = BLOCK, .private = {.finish = finish}};
                media_file_submit(media, &io[i]);
        }
        assert_int_equal(loop_run(the_loop), 0);
}

static void transfer_aligned(struct media_file *media, enum vpc_io_op op, unsigned char *data) {
        static struct vpc_io io[N];
        static struct iovec iov[N];

        for (unsigned int i = 0; i < N; i++) {
                iov[i] = (struct iovec){data + i * BLOCK, BLOCK};
                io[i] = (struct vpc_io){.op = op,
                                        .offset = i * BLOCK,
                                        .iov = &iov[i],
                                        .n_iov = 1,
                                        .length = BLOCK,
                                        .private = {.finish = finish}};
                media_file_submit(media, &io[i]);
        }
        assert_int_equal(loop_run(the_loop), 0);
}

static void fill(unsigned char *data, unsigned int seed) {
        for (unsigned int i = 0; i < N * BLOCK; i++)
                data[i] = (unsigned char)((i + seed) * 2654435761u >> 19);
}

static int disk_file(void) {
        const char *directory = getenv("TMPDIR");
        char path[4096];

        snprintf(path, sizeof(path), "%s/test-media-ring-XXXXXX", directory ? directory : "/tmp");
        int fd = mkostemp(path, O_CLOEXEC);
        assert_true(fd >= 0);
        unlink(path);
        return fd;
}

/* What is written past the page cache, from memory that suits and from memory that does not, is what is read in either way, and
 * through the page cache. */
static void test_direct(void **state) {
        CLEANUP_CLOSE int fd = disk_file();
        CLEANUP_CLOSE int same = dup(fd);
        unsigned char *data = aligned_alloc(BLOCK, (N + 1) * BLOCK), *copy = malloc(N * BLOCK);
        struct media_file *media = NULL;

        n_done = 0;
        assert_true(same >= 0);
        assert_true(data && copy);
        assert_int_equal(loop_new(&the_loop, 8), 0);
        assert_int_equal(media_file_new(the_loop, take_fd(&fd), N * BLOCK, &media), 0);
        assert_false(media_file_set_cache(media, MEDIA_CACHE_AUTO));
        assert_false(media_file_set_cache(media, MEDIA_CACHE_PAGE));
        const bool is_direct = media_file_set_cache(media, MEDIA_CACHE_DIRECT);
        if (is_direct) {
                assert_true(fcntl(same, F_GETFL) & O_DIRECT);
                for (unsigned int i = 0; i < 4; i++) {
                        unsigned char *at = i & 1 ? data + 4 : data;

                        fill(at, i);
                        memcpy(copy, at, N * BLOCK);
                        (i & 1 ? transfer_unaligned : transfer_aligned)(media, VPC_IO_WRITE, at);
                        memset(data, 0, (N + 1) * BLOCK);
                        (i & 2 ? transfer_unaligned : transfer_aligned)(media, VPC_IO_READ, at);
                        assert_memory_equal(at, copy, N * BLOCK);
                        transfer_aligned(media, VPC_IO_FLUSH, at);
                }
                struct iovec piece = {data, BLOCK};
                struct vpc_io once = {.op = VPC_IO_READ, .iov = &piece, .n_iov = 1, .length = BLOCK};
                int error = 0;
                assert_false(media_file_try(media, &once, &error)); /* it would be waited for */
                /* A file that ends within a block. */
                assert_int_equal(ftruncate(same, (N - 1) * BLOCK + 100), 0);
                memset(copy + (N - 1) * BLOCK + 100, 0, BLOCK - 100);
                memset(data, 0xee, (N + 1) * BLOCK);
                transfer_aligned(media, VPC_IO_READ, data);
                assert_memory_equal(data, copy, N * BLOCK);
                memset(data, 0xee, (N + 1) * BLOCK);
                transfer_unaligned(media, VPC_IO_READ, data + 4);
                assert_memory_equal(data + 4, copy, N * BLOCK);
                assert_int_equal(data[N * BLOCK + 4], 0xee);
                assert_int_equal(fcntl(same, F_SETFL, fcntl(same, F_GETFL) & ~O_DIRECT), 0);
                assert_int_equal(pread(same, data, 4096, 0), 4096);
                assert_memory_equal(data, copy, 4096);
        }
        media_file_free(media);
        loop_free(the_loop);
        free(data);
        free(copy);
        if (!is_direct) {
                print_message("the file system of TMPDIR, or this kernel, does not tell of direct I/O\n");
                skip();
        }
}

/* Space that zeroing has taken behind the end of a file is given back like any other. */
static void test_zeroed_space(void **state) {
        CLEANUP_CLOSE int fd = disk_file();
        CLEANUP_CLOSE int same = dup(fd);
        CLEANUP_FREE unsigned char *data = malloc(N * BLOCK), *zeroes = calloc(1, N * BLOCK);
        struct media_file *media = NULL;
        struct stat st = {0};

        n_done = 0;
        assert_true(same >= 0);
        assert_true(data && zeroes);
        assert_int_equal(loop_new(&the_loop, 8), 0);
        assert_int_equal(media_file_new(the_loop, take_fd(&fd), N * BLOCK, &media), 0);
        transfer_all(media, VPC_IO_ZERO, data);
        fill(data, 1);
        transfer_all(media, VPC_IO_READ, data);
        assert_memory_equal(data, zeroes, N * BLOCK);
        transfer_all(media, VPC_IO_DISCARD, data);
        assert_int_equal(fstat(same, &st), 0);
        assert_int_equal(st.st_blocks, 0);
        assert_true(st.st_size <= N * BLOCK);
        media_file_free(media);
        loop_free(the_loop);
}

int main(void) {
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_all), cmocka_unit_test(test_zeroed_space),
                                           cmocka_unit_test(test_direct)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
