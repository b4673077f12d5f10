/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pinned windows: their memory is registered with the loop, in pieces. */
#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "loop/loop.h"
#include "util.h"
#include "vpc/dma-private.h"
#include "vpc/function.h"

/*
 * What is done at once is what the loop, and so whoever else is served by it, waits for. Pages that are not there yet take most
 * of the time, so they are seen to first, step by step; a piece of them is then registered in as long as two or three steps.
 * Requests from one piece into the next are made without.
 */
#define STEP (UINT64_C(1) << 20)
#define PIECE (UINT64_C(64) << 20)

/* Of smaller ones there can be very many, and there is little to be had. */
#define WINDOW_MIN (UINT64_C(64) << 10)

static void account(struct vpc_dma *dma, uint64_t bytes) {
        __atomic_fetch_add(dma->pin.pinned, bytes, __ATOMIC_RELAXED);
}

static void say(struct vpc_dma *dma, enum iov_unpinned why) {
        struct vpc_dma_pin *pin = &dma->pin;

        __atomic_store_n(pin->unpinned, why, __ATOMIC_RELAXED);
        if (why == IOV_UNPINNED_NOTHING || pin->told >> why & 1)
                return;
        pin->told |= UINT32_C(1) << why;
        pin->refused(pin->userdata, why);
}

/* The kernel says ENOMEM for both. */
static enum iov_unpinned out_of_memory(void) {
        struct rlimit limit;

        return getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY ? IOV_UNPINNED_MEMLOCK
                                                                                         : IOV_UNPINNED_MEMORY;
}

/* What cannot be had so, as before Linux 5.14, registering says, or gets. */
static void touch(struct vpc_dma_window *w, uint64_t end) {
        const uint64_t n = end - w->touched < STEP ? end - w->touched : STEP;

        w->touched = madvise(w->memory + w->touched, (size_t)n, MADV_POPULATE_WRITE) < 0 ? end : w->touched + n;
}

/* The next step towards the next piece of a window, or the piece. */
static void pin_piece(struct vpc_dma *dma, struct vpc_dma_window *w) {
        const uint64_t n = w->size - w->pinned < PIECE ? w->size - w->pinned : PIECE;
        int r = 0;

        if (w->touched < w->pinned + n) {
                touch(w, w->pinned + n);
                return;
        }
        r = loop_memory_add(dma->pin.loop, w->memory + w->pinned, (size_t)n);
        if (r == 0) {
                w->pinned += n;
                account(dma, n);
                return;
        }
        if (r == -ENOMEM || r == -ENOSPC || r == -ENOSYS) {
                dma->pin.is_full = true;
                say(dma, r == -ENOMEM ? out_of_memory() : r == -ENOSPC ? IOV_UNPINNED_ENTRIES : IOV_UNPINNED_RING);
                return;
        }
        w->refused = true;
        dma->pin.n_refused++;
        say(dma, IOV_UNPINNED_KIND);
}

static void unpin_piece(struct vpc_dma *dma, struct vpc_dma_window *w) {
        const uint64_t n = (w->pinned - 1) % PIECE + 1;

        w->pinned -= n;
        loop_memory_remove(dma->pin.loop, w->memory + w->pinned, (size_t)n);
        account(dma, -n);
}

static bool is_done(const struct vpc_dma *dma, const struct vpc_dma_window *w) {
        if (!dma->pin.is_wanted)
                return !w->pinned;
        return !w->memory || !(w->flags & VPC_DMA_WRITEABLE) || w->size < WINDOW_MIN || w->refused || w->pinned == w->size;
}

static void on_timer(void *userdata) {
        struct vpc_dma *dma = userdata;
        struct vpc_dma_pin *pin = &dma->pin;
        unsigned int i = vpc_dma_find(dma, pin->next);

        while (i < dma->n_windows && is_done(dma, dma->windows[i]))
                i++;
        if (i == dma->n_windows) {
                pin->next = UINT64_MAX;
                if (pin->is_wanted && !pin->n_refused)
                        say(dma, IOV_UNPINNED_NOTHING);
                return;
        }
        pin->next = dma->windows[i]->address;
        if (pin->is_wanted)
                pin_piece(dma, dma->windows[i]);
        else
                unpin_piece(dma, dma->windows[i]);
        if (!pin->is_full)
                loop_timer_set(pin->timer, 0);
}

static void begin(struct vpc_dma *dma) {
        dma->pin.next = 0;
        dma->pin.is_full = false;
        loop_timer_set(dma->pin.timer, 0);
}

void vpc_dma_pin(struct vpc_dma *dma, bool is_wanted, enum iov_unpinned why) {
        struct vpc_dma_pin *pin = &dma->pin;

        if (is_wanted && !pin->timer && loop_add_timer(pin->loop, UINT64_MAX, on_timer, dma, &pin->timer) < 0) {
                is_wanted = false;
                why = IOV_UNPINNED_MEMORY;
        }
        pin->is_wanted = is_wanted;
        pin->told = 0;
        say(dma, is_wanted ? IOV_UNPINNED_NOTHING : why);
        for (unsigned int i = 0; i < dma->n_windows; i++)
                if (dma->windows[i]->refused) {
                        dma->windows[i]->refused = false;
                        pin->n_refused--;
                }
        if (pin->timer)
                begin(dma);
}

void vpc_dma_pin_new(struct vpc_dma *dma, uint64_t address) {
        struct vpc_dma_pin *pin = &dma->pin;

        if (!pin->is_wanted)
                return;
        if (address < pin->next)
                pin->next = address;
        if (!pin->is_full)
                loop_timer_set(pin->timer, 0);
}

void vpc_dma_unpin(struct vpc_dma *dma, struct vpc_dma_window *w) {
        if (w->pinned) {
                loop_memory_remove(dma->pin.loop, w->memory, (size_t)w->pinned);
                account(dma, -w->pinned);
        }
        if (w->refused)
                dma->pin.n_refused--;
        /* What there was no room for may have some now. */
        if (dma->pin.is_wanted && (w->refused || dma->pin.is_full))
                begin(dma);
}
