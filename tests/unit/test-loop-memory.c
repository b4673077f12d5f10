/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory that is registered with the loop: the same data, and who holds what. Each test has a file in memory mapped twice: what a
 * request reads into is looked at through the other mapping.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "loop/loop.h"
#include "util.h"

#define PAGE 4096u
#define PAGES 64u
#define SIZE ((size_t)PAGES * PAGE)
#define ENTRIES 4096u /* of the table */

struct fixture {
        struct loop *loop;
        int memory_fd, file, pipe[2];
        unsigned char *memory; /* which is registered */
        unsigned char *other;  /* the same pages */
};

struct request {
        struct loop_io io; /* first */
        struct loop *loop;
        struct iovec iov;
        int32_t result;
};

static void on_done(struct loop_io *io, int32_t result) {
        struct request *request = (struct request *)io;

        request->result = result;
        loop_stop(request->loop, 0);
}

static void *map(int fd, void *at) {
        void *p = mmap(at, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | (at ? MAP_FIXED : 0), fd, 0);

        assert_ptr_not_equal(p, MAP_FAILED);
        return p;
}

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));
        unsigned char page[PAGE];

        assert_non_null(f);
        assert_int_equal(loop_new_confined(&f->loop, 8), 0);
        f->memory_fd = memfd_create("test-loop-memory", MFD_CLOEXEC);
        f->file = memfd_create("test-loop-file", MFD_CLOEXEC);
        assert_true(f->memory_fd >= 0 && f->file >= 0);
        assert_int_equal(pipe2(f->pipe, O_CLOEXEC), 0);
        assert_int_equal(ftruncate(f->memory_fd, SIZE), 0);
        f->memory = map(f->memory_fd, NULL);
        f->other = map(f->memory_fd, NULL);
        for (unsigned int i = 0; i < PAGES; i++) {
                memset(page, (int)(i + 1), PAGE);
                assert_int_equal(pwrite(f->file, page, PAGE, (off_t)i * PAGE), PAGE);
        }
        *state = f;
        return 0;
}

static int teardown(void **state) {
        struct fixture *f = *state;

        loop_free(f->loop);
        munmap(f->memory, SIZE);
        munmap(f->other, SIZE);
        close(f->memory_fd);
        close(f->file);
        close(f->pipe[0]);
        close(f->pipe[1]);
        free(f);
        return 0;
}

static void begin_read(struct fixture *f, struct request *r, int fd, unsigned char *to, size_t length, uint64_t offset) {
        *r = (struct request){.io = {.done = on_done}, .loop = f->loop, .iov = {to, length}};
        assert_int_equal(loop_readv(f->loop, &r->io, fd, &r->iov, 1, offset), 0);
}

static void read_page(struct fixture *f, unsigned int page) {
        struct request r;

        begin_read(f, &r, f->file, f->memory + (size_t)page * PAGE, PAGE, (uint64_t)page * PAGE);
        assert_int_equal(loop_run(f->loop), 0);
        assert_int_equal(r.result, PAGE);
}

static void check_page(const unsigned char *memory, unsigned int page, int value) {
        for (unsigned int i = 0; i < PAGE; i++)
                assert_int_equal(memory[(size_t)page * PAGE + i], value);
}

/* true: it is registered; a loop without a ring says that it does not. */
static bool registers(struct fixture *f, unsigned int page, unsigned int n) {
        int r = loop_memory_add(f->loop, f->memory + (size_t)page * PAGE, (size_t)n * PAGE);

        assert_int_equal(r, loop_has_ring(f->loop) ? 0 : -ENOSYS);
        return r == 0;
}

/* Behind the addresses of the first half is other memory by now: who reads by address finds that, who has registered the first
 * one. */
static void test_what_is_registered(void **state) {
        struct fixture *f = *state;
        CLEANUP_CLOSE int fresh = memfd_create("test-loop-fresh", MFD_CLOEXEC);
        const bool has = registers(f, 0, PAGES / 2);
        struct request r;

        assert_int_equal(ftruncate(fresh, SIZE), 0);
        map(fresh, f->memory);
        read_page(f, 3);
        check_page(f->other, 3, has ? 4 : 0);
        check_page(f->memory, 3, has ? 0 : 4);
        /* Not within it, and across its end: as without. */
        read_page(f, PAGES / 2);
        check_page(f->memory, PAGES / 2, PAGES / 2 + 1);
        begin_read(f, &r, f->file, f->memory + (PAGES / 2 - 1) * PAGE, 2 * PAGE, (PAGES / 2 - 1) * PAGE);
        assert_int_equal(loop_run(f->loop), 0);
        assert_int_equal(r.result, 2 * PAGE);
        check_page(f->memory, PAGES / 2 - 1, PAGES / 2);
        check_page(f->memory, PAGES / 2, PAGES / 2 + 1);
        /* Its last byte. */
        read_page(f, PAGES / 2 - 1);
        check_page(f->other, PAGES / 2 - 1, has ? PAGES / 2 : 0);
        loop_memory_remove(f->loop, f->memory, SIZE);
        read_page(f, 5);
        check_page(f->memory, 5, 6);
        check_page(f->other, 5, 0);
}

/* What is written comes out of registered memory, too. */
static void test_written(void **state) {
        struct fixture *f = *state;
        struct request r = {.io = {.done = on_done}, .loop = f->loop, .iov = {f->memory + PAGE, 3 * PAGE}};
        unsigned char back[3 * PAGE];

        registers(f, 0, PAGES);
        for (unsigned int i = 0; i < 3 * PAGE; i++)
                f->memory[PAGE + i] = (unsigned char)(i * 31 + i / 256);
        assert_int_equal(loop_writev(f->loop, &r.io, f->file, &r.iov, 1, 7 * PAGE), 0);
        assert_int_equal(loop_run(f->loop), 0);
        assert_int_equal(r.result, 3 * PAGE);
        assert_int_equal(pread(f->file, back, sizeof(back), 7 * PAGE), sizeof(back));
        assert_memory_equal(back, f->memory + PAGE, sizeof(back));
}

/* A read that waits, and then its memory goes, in every sense: it ends as if nothing were, in the pages that it began with. */
static void test_removed_under_a_request(void **state) {
        struct fixture *f = *state;
        struct request r, other;
        unsigned char page[PAGE];

        if (!registers(f, 0, PAGES)) /* threads read by address */
                return;
        begin_read(f, &r, f->pipe[0], f->memory, PAGE, 0);
        read_page(f, 1); /* so that the kernel has the first */
        assert_int_equal(r.result, 0);
        loop_memory_remove(f->loop, f->memory, SIZE);
        assert_ptr_not_equal(mmap(f->memory, SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), MAP_FAILED);
        memset(page, 0x5a, PAGE);
        assert_int_equal(write(f->pipe[1], page, PAGE), PAGE);
        while (!r.result)
                assert_int_equal(loop_run(f->loop), 0);
        assert_int_equal(r.result, PAGE);
        check_page(f->other, 0, 0x5a);
        /* Nobody holds it any more: the next one is told so. */
        begin_read(f, &other, f->file, f->memory, PAGE, 0);
        assert_int_equal(loop_run(f->loop), 0);
        assert_int_equal(other.result, -EFAULT);
}

/* Removed between the call that asks for a request and the kernel's learning of it. */
static void test_removed_before_it_is_submitted(void **state) {
        struct fixture *f = *state;
        struct request r, w;

        registers(f, 0, PAGES);
        begin_read(f, &r, f->file, f->memory, 2 * PAGE, 0);
        w = (struct request){.io = {.done = on_done}, .loop = f->loop, .iov = {f->memory + 4 * PAGE, PAGE}};
        assert_int_equal(loop_writev(f->loop, &w.io, f->file, &w.iov, 1, 9 * PAGE), 0);
        loop_memory_remove(f->loop, f->memory, SIZE);
        while (!r.result || !w.result)
                assert_int_equal(loop_run(f->loop), 0);
        assert_int_equal(r.result, 2 * PAGE);
        assert_int_equal(w.result, PAGE);
        check_page(f->other, 0, 1);
        check_page(f->other, 1, 2);
}

static void test_refused(void **state) {
        struct fixture *f = *state;
        char path[] = "/tmp/test-loop-memory-XXXXXX";
        void *none = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        assert_int_equal(loop_memory_add(f->loop, none, PAGE), loop_has_ring(f->loop) ? -EFAULT : -ENOSYS);
        munmap(none, PAGE);
        if (!registers(f, 4, 4))
                return;
        assert_int_equal(loop_memory_add(f->loop, f->memory, 0), -EINVAL);
        assert_int_equal(loop_memory_add(f->loop, f->memory, (size_t)2 << 30), -EINVAL);
        assert_int_equal(loop_memory_add(f->loop, f->memory + 4 * PAGE, PAGE), -EEXIST);
        assert_int_equal(loop_memory_add(f->loop, f->memory + 3 * PAGE, 2 * PAGE), -EEXIST);
        assert_int_equal(loop_memory_add(f->loop, f->memory + 7 * PAGE, PAGE), -EEXIST);
        assert_int_equal(loop_memory_add(f->loop, f->memory + 3 * PAGE, PAGE), 0);
        assert_int_equal(loop_memory_add(f->loop, f->memory + 8 * PAGE, PAGE), 0);
        /* What lies in the range in part stays. */
        loop_memory_remove(f->loop, f->memory + 5 * PAGE, 4 * PAGE);
        assert_int_equal(loop_memory_add(f->loop, f->memory + 8 * PAGE, PAGE), 0);
        assert_int_equal(loop_memory_add(f->loop, f->memory + 4 * PAGE, PAGE), -EEXIST);
        for (unsigned int page = 3; page < 9; page++)
                read_page(f, page);
        for (unsigned int page = 3; page < 9; page++)
                check_page(f->other, page, (int)page + 1);
        /* A file on a disk: pages that its file system must know of when they change. Where /tmp is in memory it may be. */
        CLEANUP_CLOSE int fd = mkostemp(path, O_CLOEXEC);
        assert_true(fd >= 0);
        unlink(path);
        assert_int_equal(ftruncate(fd, SIZE), 0);
        unsigned char *on_disk = map(fd, NULL);
        int r = loop_memory_add(f->loop, on_disk, SIZE);
        assert_true(r == 0 || r == -EFAULT || r == -EOPNOTSUPP);
        struct request request;
        begin_read(f, &request, f->file, on_disk, PAGE, 0);
        assert_int_equal(loop_run(f->loop), 0);
        assert_int_equal(request.result, PAGE);
        check_page(on_disk, 0, 1);
        loop_memory_remove(f->loop, on_disk, SIZE);
        munmap(on_disk, SIZE);
}

/* Page by page, every other one, until there is no entry left; each of them is found, and what is given back is there again. */
static void test_table_full(void **state) {
        struct fixture *f = *state;
        const size_t size = (size_t)(2 * ENTRIES + 2) * PAGE;
        unsigned char *many = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        unsigned int n = 0;
        int error = 0;
        struct request r;

        assert_ptr_not_equal(many, MAP_FAILED);
        while ((error = loop_memory_add(f->loop, many + (size_t)(n * 2) * PAGE, PAGE)) == 0)
                n++;
        if (!loop_has_ring(f->loop)) {
                assert_int_equal(error, -ENOSYS);
                munmap(many, size);
                return;
        }
        /* For who has no capabilities RLIMIT_MEMLOCK may come first. */
        assert_true((error == -ENOSPC && n == ENTRIES) || (error == -ENOMEM && n > 600));
        for (unsigned int i = 0; i < 2 * n; i += 501) {
                begin_read(f, &r, f->file, many + (size_t)i * PAGE, PAGE, (uint64_t)(i % PAGES) * PAGE);
                assert_int_equal(loop_run(f->loop), 0);
                assert_int_equal(r.result, PAGE);
                check_page(many, i, (int)(i % PAGES) + 1);
        }
        loop_memory_remove(f->loop, many + 1000 * PAGE, 10 * PAGE);
        for (unsigned int i = 0; i < 5; i++)
                assert_int_equal(loop_memory_add(f->loop, many + (size_t)(1001 + i * 2) * PAGE, PAGE), 0);
        assert_int_equal(loop_memory_add(f->loop, many + (size_t)(n * 2) * PAGE, PAGE), error);
        loop_memory_remove(f->loop, many, size);
        assert_int_equal(loop_memory_add(f->loop, many, (size_t)n * PAGE), 0);
        loop_memory_remove(f->loop, many, size);
        munmap(many, size);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_what_is_registered, setup, teardown),
                cmocka_unit_test_setup_teardown(test_written, setup, teardown),
                cmocka_unit_test_setup_teardown(test_removed_under_a_request, setup, teardown),
                cmocka_unit_test_setup_teardown(test_removed_before_it_is_submitted, setup, teardown),
                cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
                cmocka_unit_test_setup_teardown(test_table_full, setup, teardown),
        };

        return cmocka_run_group_tests_name("loop-memory", tests, NULL, NULL);
}
