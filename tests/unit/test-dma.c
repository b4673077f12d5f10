/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "util.h"
#include "vpc/dma.h"
#include "vpc/function.h"

#define RW (VPC_DMA_READABLE | VPC_DMA_WRITEABLE)

static int memory(size_t size) {
        int fd = memfd_create("test-dma", MFD_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(ftruncate(fd, (off_t)size), 0);
        return fd;
}

static int translate(struct vpc_dma *dma, uint64_t address, size_t length, struct iovec *iov, unsigned int max) {
        return vpc_dma_translate(dma, address, length, VPC_DMA_TO_DEVICE, iov, max);
}

static void test_translate(void **state) {
        struct vpc_dma dma = {0};
        struct iovec iov[4];
        int fd = memory(0x3000);

        /* two windows side by side with the file's pages the other way round, and a hole, then one without memory */
        assert_int_equal(vpc_dma_map(&dma, 0x10000, 0x1000, dup(fd), 0x2000, RW), 0);
        assert_int_equal(vpc_dma_map(&dma, 0x11000, 0x1000, dup(fd), 0x1000, VPC_DMA_READABLE), 0);
        assert_int_equal(vpc_dma_map(&dma, 0x13000, 0x1000, -1, 0, RW), 0);
        assert_int_equal(pwrite(fd, "last", 4, 0x2ffc), 4);
        assert_int_equal(pwrite(fd, "next", 4, 0x1000), 4);

        assert_int_equal(translate(&dma, 0x10ffc, 8, iov, 4), 2);
        assert_int_equal(iov[0].iov_len, 4);
        assert_memory_equal(iov[0].iov_base, "last", 4);
        assert_int_equal(iov[1].iov_len, 4);
        assert_memory_equal(iov[1].iov_base, "next", 4);
        assert_int_equal(translate(&dma, 0x10ffc, 8, iov, 1), -E2BIG);
        assert_int_equal(translate(&dma, 0x10000, 0, iov, 4), 0);
        assert_int_equal(translate(&dma, 0x11fff, 1, iov, 4), 1);
        /* outside, into the hole, over a window without memory, round the end of the address space */
        assert_int_equal(translate(&dma, 0xffff, 1, iov, 4), -EFAULT);
        assert_int_equal(translate(&dma, 0xffff, 2, iov, 4), -EFAULT);
        assert_int_equal(translate(&dma, 0x11fff, 2, iov, 4), -EFAULT);
        assert_int_equal(translate(&dma, 0x12000, 1, iov, 4), -EFAULT);
        assert_int_equal(translate(&dma, 0x13000, 1, iov, 4), -EFAULT);
        assert_int_equal(translate(&dma, 0x14000, 1, iov, 4), -EFAULT);
        assert_int_equal(translate(&dma, UINT64_MAX, 1, iov, 4), -EFAULT);
        assert_int_equal(translate(&dma, UINT64_MAX, 2, iov, 4), -EFAULT);
        assert_int_equal(translate(&dma, 0x10000, SIZE_MAX, iov, 4), -EFAULT);
        /* a window that is only readable */
        assert_int_equal(vpc_dma_translate(&dma, 0x11000, 4, VPC_DMA_FROM_DEVICE, iov, 4), -EFAULT);
        assert_int_equal(vpc_dma_translate(&dma, 0x10ffc, 8, VPC_DMA_FROM_DEVICE, iov, 4), -EFAULT);
        assert_int_equal(vpc_dma_translate(&dma, 0x10ffc, 4, VPC_DMA_FROM_DEVICE, iov, 4), 1);
        memcpy(iov[0].iov_base, "LAST", 4);
        char back[4] = {0};
        assert_int_equal(pread(fd, back, 4, 0x2ffc), 4);
        assert_memory_equal(back, "LAST", 4);
        vpc_dma_clear(&dma);
        close(fd);
}

/* A window is looked for where the last range was found: never there when it has gone or moved on in the table. */
static void test_translate_again(void **state) {
        struct vpc_dma dma = {0};
        struct iovec iov[2];
        int fd = memory(0x2000);

        assert_int_equal(pwrite(fd, "one", 4, 0), 4);
        assert_int_equal(pwrite(fd, "two", 4, 0x1000), 4);
        assert_int_equal(vpc_dma_map(&dma, 0x20000, 0x1000, dup(fd), 0, RW), 0);
        for (unsigned int i = 0; i < 2; i++)
                assert_int_equal(translate(&dma, 0x20000, 4, iov, 2), 1);
        assert_int_equal(vpc_dma_map(&dma, 0x10000, 0x1000, dup(fd), 0x1000, VPC_DMA_READABLE), 0);
        assert_int_equal(translate(&dma, 0x20000, 4, iov, 2), 1);
        assert_string_equal(iov[0].iov_base, "one");
        assert_int_equal(translate(&dma, 0x10000, 4, iov, 2), 1);
        assert_string_equal(iov[0].iov_base, "two");
        assert_int_equal(translate(&dma, 0x10000, 4, iov, 0), -E2BIG);
        assert_int_equal(vpc_dma_translate(&dma, 0x10000, 4, VPC_DMA_FROM_DEVICE, iov, 2), -EFAULT);
        assert_int_equal(translate(&dma, 0x10000, 0x1001, iov, 2), -EFAULT);
        assert_int_equal(vpc_dma_unmap(&dma, 0x10000, 0x1000), 0);
        assert_int_equal(translate(&dma, 0x10000, 4, iov, 2), -EFAULT);
        assert_int_equal(translate(&dma, 0x20000, 4, iov, 2), 1);
        assert_int_equal(vpc_dma_unmap(&dma, 0x20000, 0x1000), 0);
        assert_int_equal(translate(&dma, 0x20000, 4, iov, 2), -EFAULT);
        vpc_dma_clear(&dma);
        assert_int_equal(translate(&dma, 0x20000, 4, iov, 2), -EFAULT);
        close(fd);
}

static void test_refused(void **state) {
        struct vpc_dma dma = {0};
        int fd = memory(0x4000), read_only = -1, pair[2];
        char path[64];

        assert_int_equal(vpc_dma_map(&dma, 0x10000, 0x2000, dup(fd), 0, RW), 0);
        /* overlaps: the same, a part, around, from below, from above */
        assert_int_equal(vpc_dma_map(&dma, 0x10000, 0x2000, dup(fd), 0, RW), -EEXIST);
        assert_int_equal(vpc_dma_map(&dma, 0x11000, 0x1000, dup(fd), 0, RW), -EEXIST);
        assert_int_equal(vpc_dma_map(&dma, 0xf000, 0x4000, dup(fd), 0, RW), -EEXIST);
        assert_int_equal(vpc_dma_map(&dma, 0xf000, 0x2000, -1, 0, RW), -EEXIST);
        assert_int_equal(vpc_dma_map(&dma, 0x11000, 0x2000, -1, 0, RW), -EEXIST);
        /* not aligned, empty, wrapping, unknown flags */
        assert_int_equal(vpc_dma_map(&dma, 0x20800, 0x1000, dup(fd), 0, RW), -EINVAL);
        assert_int_equal(vpc_dma_map(&dma, 0x20000, 0x800, dup(fd), 0, RW), -EINVAL);
        assert_int_equal(vpc_dma_map(&dma, 0x20000, 0x1000, dup(fd), 0x10, RW), -EINVAL);
        assert_int_equal(vpc_dma_map(&dma, 0x20000, 0, dup(fd), 0, RW), -EINVAL);
        assert_int_equal(vpc_dma_map(&dma, UINT64_MAX - 0xfff, 0x2000, -1, 0, RW), -EINVAL);
        assert_int_equal(vpc_dma_map(&dma, 0x20000, 0x1000, dup(fd), 0, 4), -EINVAL);
        /* beyond the end of the file, also with an offset that wraps */
        assert_int_equal(vpc_dma_map(&dma, 0x20000, 0x5000, dup(fd), 0, RW), -EINVAL);
        assert_int_equal(vpc_dma_map(&dma, 0x20000, 0x1000, dup(fd), 0x4000, RW), -EINVAL);
        assert_int_equal(vpc_dma_map(&dma, 0x20000, 0x1000, dup(fd), UINT64_MAX - 0xfff, RW), -EINVAL);
        /* no file; a file that cannot be written to */
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        assert_int_equal(vpc_dma_map(&dma, 0x20000, 0x1000, pair[0], 0, RW), -EINVAL);
        close(pair[1]);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        read_only = open(path, O_RDONLY | O_CLOEXEC);
        assert_true(read_only >= 0);
        assert_int_equal(vpc_dma_map(&dma, 0x20000, 0x1000, dup(read_only), 0, RW), -EACCES);
        assert_int_equal(vpc_dma_map(&dma, 0x20000, 0x1000, read_only, 0, VPC_DMA_READABLE), 0);
        assert_int_equal(dma.n_windows, 2);
        /* the last page there is */
        assert_int_equal(vpc_dma_map(&dma, UINT64_MAX - 0xfff, 0x1000, -1, 0, RW), 0);
        vpc_dma_clear(&dma);
        close(fd);
}

static void test_unmap(void **state) {
        struct vpc_dma dma = {0};
        struct iovec iov[1];
        int fd = memory(0x2000);
        char *p = NULL;

        assert_int_equal(vpc_dma_map(&dma, 0, 0x2000, dup(fd), 0, RW), 0);
        assert_int_equal(translate(&dma, 0, 1, iov, 1), 1);
        p = iov[0].iov_base;
        assert_int_equal(vpc_dma_unmap(&dma, 0, 0x1000), -ENOENT);
        assert_int_equal(vpc_dma_unmap(&dma, 0x1000, 0x1000), -ENOENT);
        assert_int_equal(vpc_dma_unmap(&dma, 0x2000, 0x1000), -ENOENT);
        assert_int_equal(vpc_dma_unmap(&dma, 0, 0x2000), 0);
        assert_int_equal(translate(&dma, 0, 1, iov, 1), -EFAULT);
        *p = 1; /* requests under way still use it */
        vpc_dma_release_prepare(&dma);
        assert_int_equal(vpc_dma_map(&dma, 0, 0x2000, dup(fd), 0, RW), 0);
        assert_int_equal(vpc_dma_unmap(&dma, 0, 0x2000), 0); /* after the prepare: not released yet */
        vpc_dma_release(&dma);
        assert_int_equal(mincore(p, 1, (unsigned char[1]){0}), -1);
        assert_int_equal(errno, ENOMEM);
        assert_non_null(dma.dropped);
        vpc_dma_clear(&dma);
        close(fd);
}

/* As many windows as the protocol allows, in an order that is none, and every one of them is found. */
static void test_many(void **state) {
        struct vpc_dma dma = {0};
        struct iovec iov[1];

        for (uint64_t i = 0; i < VPC_DMA_WINDOWS_MAX; i++)
                assert_int_equal(vpc_dma_map(&dma, i * 40503 % 65536 * 0x2000, 0x1000, -1, 0, RW), 0);
        assert_int_equal(vpc_dma_map(&dma, UINT64_C(1) << 40, 0x1000, -1, 0, RW), -ENOSPC);
        for (uint64_t i = 0; i < VPC_DMA_WINDOWS_MAX; i += 2)
                assert_int_equal(vpc_dma_unmap(&dma, i * 40503 % 65536 * 0x2000, 0x1000), 0);
        for (unsigned int i = 1; i < dma.n_windows; i++)
                assert_int_equal(translate(&dma, i, 1, iov, 1), -EFAULT);
        vpc_dma_unmap_all(&dma);
        assert_int_equal(dma.n_windows, 0);
        vpc_dma_clear(&dma);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_translate), cmocka_unit_test(test_translate_again),
                cmocka_unit_test(test_refused),   cmocka_unit_test(test_unmap),
                cmocka_unit_test(test_many),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
