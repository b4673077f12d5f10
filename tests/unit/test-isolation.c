/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who can reach what: reports of workers that lie, what the kernel says, parts of files. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/supervisor/isolation-kernel.h"
#include "iov/registers.h"
#include "util.h"
#include "vpc/function.h"
#include "vpc/irq.h"
#include "vpc/report.h"

#define PAGE UINT64_C(4096)

static int setup(void **state) {
        *state = calloc(2, sizeof(struct vpc_report));
        return *state ? 0 : -1;
}

static int teardown(void **state) {
        free(*state);
        return 0;
}

static void test_report_of_windows(void **state) {
        struct vpc_report *report = *state, *copy = report + 1;
        struct vpc_dma dma = {0};
        const struct vpc_irq irq = {0};
        struct stat st;
        int fd = memfd_create("guest", MFD_CLOEXEC);

        assert_int_equal(ftruncate(fd, 16 * PAGE), 0);
        assert_int_equal(fstat(fd, &st), 0);
        assert_int_equal(vpc_dma_map(&dma, 64 * PAGE, 2 * PAGE, -1, 0, VPC_DMA_READABLE), 0);
        assert_int_equal(vpc_dma_map(&dma, 0, 4 * PAGE, fd, 8 * PAGE, VPC_DMA_READABLE | VPC_DMA_WRITEABLE), 0);
        vpc_report_write(report, &dma, &irq);
        assert_int_equal(vpc_report_copy(report, copy), 0);
        assert_int_equal(copy->n_windows, 2);
        assert_int_equal(copy->n_vectors, 0);
        assert_false(copy->is_incomplete);
        assert_int_equal(copy->windows[0].address, 0);
        assert_int_equal(copy->windows[0].device, st.st_dev);
        assert_int_equal(copy->windows[0].inode, st.st_ino);
        assert_int_equal(copy->windows[0].offset, 8 * PAGE);
        assert_true(copy->windows[0].has_memory);
        assert_false(copy->windows[1].has_memory);
        assert_int_equal(vpc_dma_unmap(&dma, 0, 4 * PAGE), 0);
        vpc_report_write(report, &dma, &irq);
        assert_int_equal(vpc_report_copy(report, copy), 0);
        assert_int_equal(copy->n_windows, 1);
        assert_int_equal(copy->windows[0].address, 64 * PAGE);
        vpc_dma_clear(&dma);
}

static void test_more_windows_than_fit(void **state) {
        struct vpc_report *report = *state, *copy = report + 1;
        struct vpc_dma dma = {0};
        const struct vpc_irq irq = {0};

        for (unsigned int i = 0; i <= VPC_REPORT_WINDOWS_MAX; i++)
                assert_int_equal(vpc_dma_map(&dma, i * PAGE, PAGE, -1, 0, VPC_DMA_READABLE), 0);
        vpc_report_write(report, &dma, &irq);
        assert_int_equal(vpc_report_copy(report, copy), 0);
        assert_int_equal(copy->n_windows, 0);
        assert_true(copy->is_incomplete);
        assert_int_equal(vpc_dma_unmap(&dma, 0, PAGE), 0);
        vpc_report_write(report, &dma, &irq);
        assert_int_equal(vpc_report_copy(report, copy), 0);
        assert_int_equal(copy->n_windows, VPC_REPORT_WINDOWS_MAX);
        assert_false(copy->is_incomplete);
        vpc_dma_clear(&dma);
}

static void test_reports_that_lie(void **state) {
        static const struct vpc_dma_description lies[][2] = {
                {{.address = 1, .size = PAGE}},
                {{.address = 0, .size = 0}},
                {{.address = PAGE, .size = 100}},
                {{.address = UINT64_MAX - PAGE + 1, .size = 2 * PAGE}},
                {{.address = 0, .size = PAGE, .offset = 7}},
                {{.address = 0, .size = 2 * PAGE, .offset = UINT64_MAX - PAGE + 1}},
                {{.address = 0, .size = 2 * PAGE}, {.address = PAGE, .size = PAGE}},
                {{.address = PAGE, .size = PAGE}, {.address = 0, .size = PAGE}},
                {{.address = UINT64_MAX - PAGE + 1, .size = PAGE}, {.address = 0, .size = PAGE}},
        };
        struct vpc_report *report = *state, *copy = report + 1;

        for (size_t i = 0; i < ARRAY_LENGTH(lies); i++) {
                report->n_windows = lies[i][1].size ? 2 : 1;
                memcpy(report->windows, lies[i], sizeof(lies[i]));
                assert_int_equal(vpc_report_copy(report, copy), -EBADMSG);
        }
        report->windows[0] = (struct vpc_dma_description){.address = UINT64_MAX - PAGE + 1, .size = PAGE};
        report->n_windows = 1;
        assert_int_equal(vpc_report_copy(report, copy), 0);
        report->n_windows = VPC_REPORT_WINDOWS_MAX + 1;
        assert_int_equal(vpc_report_copy(report, copy), -EBADMSG);
        report->n_windows = UINT32_MAX;
        assert_int_equal(vpc_report_copy(report, copy), -EBADMSG);
        report->n_windows = 0;
        report->n_vectors = VPC_LINES_MAX + 1;
        assert_int_equal(vpc_report_copy(report, copy), -EBADMSG);
        report->n_vectors = 0;
        report->sequence = 1; /* for ever in the middle of a change */
        assert_int_equal(vpc_report_copy(report, copy), -EAGAIN);
}

static void test_lines_of_maps(void **state) {
        struct extent e = {0};

        assert_true(kernel_parse_mapping(
                "7f0000000000-7f0000003000 rw-s 00005000 fe:01 1234                 /memfd:x y (deleted)\n", &e));
        assert_int_equal(e.device, makedev(0xfe, 1));
        assert_int_equal(e.inode, 1234);
        assert_int_equal(e.offset, 0x5000);
        assert_int_equal(e.size, 0x3000);
        assert_int_equal(e.flags, IOV_ISOLATION_READ | IOV_ISOLATION_WRITE);
        assert_true(kernel_parse_mapping("7f0000000000-7f0000001000 r--s 00000000 00:01 5 /x\n", &e));
        assert_int_equal(e.flags, IOV_ISOLATION_READ);
        assert_false(kernel_parse_mapping("7f0000000000-7f0000001000 rw-p 00000000 00:01 5 /x\n", &e));
        assert_false(kernel_parse_mapping("7f0000000000-7f0000001000 rw-s 00000000 00:00 0 \n", &e));
        assert_false(kernel_parse_mapping("7f0000000000-7f0000001000 rw-s 10000000 00:0f 9 anon_inode:[io_uring]\n", &e));
        assert_false(kernel_parse_mapping("", &e));
        assert_false(kernel_parse_mapping("7f0000001000-7f0000000000 rw-s 00000000 00:01 5 /x\n", &e));
}

static void test_parts_of_files(void **state) {
        struct extents x = {0};
        const struct extent items[] = {{1, 7, 8192, 4096, 0}, {1, 7, 0, 8192, 0}, {1, 9, 0, 4096, 0}, {2, 7, 4096, 4096, 0}};

        assert_false(extents_cover(&x, &items[0]));
        for (size_t i = 0; i < ARRAY_LENGTH(items); i++)
                assert_int_equal(extents_add(&x, &items[i]), 0);
        extents_sort(&x);
        assert_true(extents_cover(&x, &(struct extent){1, 7, 0, 12288, 0}));
        assert_true(extents_cover(&x, &(struct extent){1, 7, 4096, 8192, 0}));
        assert_false(extents_cover(&x, &(struct extent){1, 7, 4096, 12288, 0}));
        assert_false(extents_cover(&x, &(struct extent){2, 7, 0, 8192, 0}));
        assert_false(extents_cover(&x, &(struct extent){1, 8, 0, 4096, 0}));
        assert_true(extents_cover(&x, &(struct extent){1, 9, 0, 0, 0})); /* the file as such */
        extents_free(&x);
}

static void test_this_process(void **state) {
        struct extents x = {0};
        struct stat st;
        int fd = memfd_create("mapped", MFD_CLOEXEC), event = eventfd(0, EFD_CLOEXEC), other = eventfd(0, EFD_CLOEXEC);

        assert_int_equal(ftruncate(fd, 4 * (off_t)PAGE), 0);
        assert_int_equal(fstat(fd, &st), 0);
        const struct extent extent = {st.st_dev, st.st_ino, PAGE, 2 * PAGE, 0}, file = {.device = st.st_dev, .inode = st.st_ino};
        void *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)PAGE);
        assert_ptr_not_equal(p, MAP_FAILED);
        assert_int_equal(kernel_read_mappings(getpid(), &x), 0);
        extents_sort(&x);
        assert_true(extents_cover(&x, &extent));
        extents_free(&x);
        assert_int_equal(kernel_read_files(getpid(), &x), 0);
        extents_sort(&x);
        assert_true(extents_cover(&x, &file));
        extents_free(&x);
        assert_true(kernel_eventfd_id(getpid(), event) != 0);
        assert_true(kernel_eventfd_id(getpid(), event) != kernel_eventfd_id(getpid(), other));
        assert_int_equal(kernel_eventfd_id(getpid(), fd), 0);
        assert_int_equal(kernel_eventfd_id(getpid(), 9999), 0);
        munmap(p, 2 * PAGE);
        close(fd);
        close(event);
        close(other);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_report_of_windows, setup, teardown),
                cmocka_unit_test_setup_teardown(test_more_windows_than_fit, setup, teardown),
                cmocka_unit_test_setup_teardown(test_reports_that_lie, setup, teardown),
                cmocka_unit_test(test_lines_of_maps),
                cmocka_unit_test(test_parts_of_files),
                cmocka_unit_test(test_this_process),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
