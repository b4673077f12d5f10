/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DMA windows whose memory is pinned: what is, piece by piece, and what is said where it cannot be. */
#include <errno.h>
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
#include "vpc/dma.h"
#include "vpc/function.h"

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define BOTH (VPC_DMA_READABLE | VPC_DMA_WRITEABLE)
#define SETTLE_MS 10000

struct fixture {
        struct loop *loop;
        struct loop_source *timer;
        struct vpc_dma dma;
        uint64_t pinned, until;
        uint32_t unpinned;
        unsigned int told[16], tries;
        bool is_turn;
};

static void on_refused(void *userdata, enum iov_unpinned why) {
        struct fixture *f = userdata;

        f->told[why]++;
}

static void on_timer(void *userdata) {
        struct fixture *f = userdata;

        if (f->is_turn || f->pinned == f->until || ++f->tries == SETTLE_MS)
                loop_stop(f->loop, 0);
        else
                loop_timer_set(f->timer, 1000000);
}

/* Turns of the loop until so much is pinned, and then some. */
static void expect(struct fixture *f, uint64_t pinned) {
        f->tries = 0;
        f->until = pinned;
        for (unsigned int i = 0; i < 2; i++) {
                loop_timer_set(f->timer, 1000000);
                assert_int_equal(loop_run(f->loop), 0);
        }
        assert_int_equal(f->pinned, pinned);
}

/* One of the loop, or two. */
static void turn(struct fixture *f) {
        f->is_turn = true;
        loop_timer_set(f->timer, 0);
        assert_int_equal(loop_run(f->loop), 0);
        f->is_turn = false;
}

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        assert_int_equal(loop_new(&f->loop, 8), 0);
        assert_int_equal(loop_add_timer(f->loop, UINT64_MAX, on_timer, f, &f->timer), 0);
        f->dma.pin = (struct vpc_dma_pin){
                .loop = f->loop, .pinned = &f->pinned, .unpinned = &f->unpinned, .refused = on_refused, .userdata = f};
        *state = f;
        return 0;
}

static int teardown(void **state) {
        struct fixture *f = *state;

        vpc_dma_clear(&f->dma);
        assert_int_equal(f->pinned, 0);
        loop_source_remove(f->dma.pin.timer);
        loop_source_remove(f->timer);
        loop_free(f->loop);
        free(f);
        return 0;
}

/* Returns another descriptor of what is behind it. */
static int map(struct fixture *f, uint64_t address, uint64_t size, uint32_t flags) {
        int fd = memfd_create("test-dma-pin", MFD_CLOEXEC), same = dup(fd);

        assert_true(fd >= 0 && same >= 0);
        assert_int_equal(ftruncate(fd, (off_t)size), 0);
        assert_int_equal(vpc_dma_map(&f->dma, address, size, fd, 0, flags), 0);
        vpc_dma_pin_new(&f->dma, address);
        return same;
}

static void unmap(struct fixture *f, uint64_t address, uint64_t size) {
        assert_int_equal(vpc_dma_unmap(&f->dma, address, size), 0);
        vpc_dma_release_prepare(&f->dma);
        vpc_dma_release(&f->dma);
}

/* What a loop without a ring says, once. */
static bool has_ring(struct fixture *f) {
        if (loop_has_ring(f->loop))
                return true;
        close(map(f, 0, MIB, BOTH));
        close(map(f, MIB, MIB, BOTH));
        vpc_dma_pin(&f->dma, true, IOV_UNPINNED_NOTHING);
        expect(f, 0);
        assert_int_equal(f->unpinned, IOV_UNPINNED_RING);
        assert_int_equal(f->told[IOV_UNPINNED_RING], 1);
        return false;
}

static void test_windows(void **state) {
        struct fixture *f = *state;

        if (!has_ring(f))
                return;
        close(map(f, 0, 640 * KIB, BOTH));
        close(map(f, 4 * MIB, MIB, VPC_DMA_READABLE)); /* such as a ROM */
        close(map(f, 6 * MIB, 8 * KIB, BOTH));         /* not worth an entry */
        assert_int_equal(vpc_dma_map(&f->dma, 7 * MIB, MIB, -1, 0, BOTH), 0);
        close(map(f, 8 * MIB, 2 * MIB, BOTH));
        expect(f, 0);
        vpc_dma_pin(&f->dma, true, IOV_UNPINNED_NOTHING);
        expect(f, 640 * KIB + 2 * MIB);
        /* One more, below one that is there. */
        close(map(f, MIB, MIB, BOTH));
        expect(f, 640 * KIB + 3 * MIB);
        /* Unmapped: at once. */
        unmap(f, 8 * MIB, 2 * MIB);
        assert_int_equal(f->pinned, 640 * KIB + MIB);
        close(map(f, 8 * MIB, MIB, BOTH));
        expect(f, 640 * KIB + 2 * MIB);
        vpc_dma_pin(&f->dma, false, IOV_UNPINNED_NOTHING);
        expect(f, 0);
        close(map(f, 16 * MIB, MIB, BOTH));
        expect(f, 0);
        vpc_dma_pin(&f->dma, true, IOV_UNPINNED_NOTHING);
        expect(f, 640 * KIB + 3 * MIB);
        vpc_dma_unmap_all(&f->dma);
        assert_int_equal(f->pinned, 640 * KIB + 3 * MIB); /* requests may be under way */
        vpc_dma_release_prepare(&f->dma);
        vpc_dma_release(&f->dma);
        assert_int_equal(f->pinned, 0);
        assert_int_equal(f->unpinned, IOV_UNPINNED_NOTHING);
        for (unsigned int i = 0; i < ARRAY_LENGTH(f->told); i++)
                assert_int_equal(f->told[i], 0);
}

/* Larger than what is pinned at once, where that is allowed. */
static void test_pieces(void **state) {
        struct fixture *f = *state;
        const uint64_t size = 130 * MIB;

        if (!has_ring(f))
                return;
        close(map(f, 0, size, BOTH));
        vpc_dma_pin(&f->dma, true, IOV_UNPINNED_NOTHING);
        while (f->pinned < size && !f->unpinned) {
                const uint64_t before = f->pinned;

                turn(f);
                assert_true(f->pinned - before <= 130 * MIB / 2); /* never all at once */
        }
        if (f->unpinned) {
                assert_int_equal(f->unpinned, IOV_UNPINNED_MEMLOCK);
                assert_int_equal(f->told[IOV_UNPINNED_MEMLOCK], 1);
                assert_true(f->pinned < size);
        } else {
                assert_int_equal(f->pinned, size);
        }
        vpc_dma_pin(&f->dma, false, IOV_UNPINNED_NOTHING);
        expect(f, 0);
        /* Taken away in the middle of it. */
        vpc_dma_pin(&f->dma, true, IOV_UNPINNED_NOTHING);
        turn(f);
        unmap(f, 0, size);
        assert_int_equal(f->pinned, 0);
        expect(f, 0);
}

/* Behind one of the windows the memory is gone, which no other is the worse for; said once. */
static void test_refused(void **state) {
        struct fixture *f = *state;

        if (!has_ring(f))
                return;
        CLEANUP_CLOSE int fd = map(f, 0, MIB, BOTH);
        assert_int_equal(ftruncate(fd, 0), 0);
        close(map(f, 2 * MIB, MIB, BOTH));
        vpc_dma_pin(&f->dma, true, IOV_UNPINNED_NOTHING);
        expect(f, MIB);
        assert_int_equal(f->unpinned, IOV_UNPINNED_KIND);
        assert_int_equal(f->told[IOV_UNPINNED_KIND], 1);
        close(map(f, 4 * MIB, MIB, BOTH));
        expect(f, 2 * MIB);
        assert_int_equal(f->unpinned, IOV_UNPINNED_KIND);
        /* There is more of it now, and it is asked for anew. */
        assert_int_equal(ftruncate(fd, MIB), 0);
        vpc_dma_pin(&f->dma, true, IOV_UNPINNED_NOTHING);
        expect(f, 3 * MIB);
        assert_int_equal(f->unpinned, IOV_UNPINNED_NOTHING);
        /* Another such one, that goes: all that is there is pinned. */
        CLEANUP_CLOSE int gone = map(f, 8 * MIB, MIB, BOTH);
        assert_int_equal(ftruncate(gone, 0), 0);
        expect(f, 3 * MIB);
        assert_int_equal(f->unpinned, IOV_UNPINNED_KIND);
        assert_int_equal(f->told[IOV_UNPINNED_KIND], 2);
        unmap(f, 8 * MIB, MIB);
        expect(f, 3 * MIB);
        assert_int_equal(f->unpinned, IOV_UNPINNED_NOTHING);
}

/* Why none is to be, of whom it was asked for. */
static void test_no_use(void **state) {
        struct fixture *f = *state;

        close(map(f, 0, MIB, BOTH));
        vpc_dma_pin(&f->dma, false, IOV_UNPINNED_MEDIA);
        expect(f, 0);
        assert_int_equal(f->unpinned, IOV_UNPINNED_MEDIA);
        assert_int_equal(f->told[IOV_UNPINNED_MEDIA], 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_windows, setup, teardown),
                cmocka_unit_test_setup_teardown(test_pieces, setup, teardown),
                cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
                cmocka_unit_test_setup_teardown(test_no_use, setup, teardown),
        };

        return cmocka_run_group_tests_name("dma-pin", tests, NULL, NULL);
}
