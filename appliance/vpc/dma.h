/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The DMA windows of a server: which of its addresses are which memory. A sorted table, searched by halves; one mapping a window.
 *
 * Trust: a client that truncates a file it has given makes accesses to the lost part raise SIGBUS, which ends the worker of that
 * one server and of no other. The size is checked when the window comes; nothing can keep it from shrinking later.
 */
#ifndef IOV_VPC_DMA_H
#define IOV_VPC_DMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "iov/registers.h"
#include "vpc/host.h"

#define VPC_DMA_WINDOWS_MAX 65535

struct loop;
struct loop_source;
struct vpc_dma_window;
struct vpc_session;

/* Holding the memory of windows, piece by piece. */
struct vpc_dma_pin {
        struct loop *loop;         /* with which it is registered */
        struct loop_source *timer; /* NULL: it never was wanted */
        uint64_t *pinned;          /* bytes */
        uint32_t *unpinned;        /* enum iov_unpinned */
        bool is_wanted;
        bool is_full;           /* no more can be, of whichever window */
        unsigned int n_refused; /* windows whose memory cannot be */
        uint64_t next;          /* windows that end below it are as they are to be, as far as they can be */
        uint32_t told;          /* bit n: enum iov_unpinned n was told of */
        void (*refused)(void *userdata, enum iov_unpinned why);
        void *userdata;
};

struct vpc_dma {
        struct vpc_session *session;     /* where windows and their descriptors are kept; NULL: nowhere */
        int fd_max;                      /* descriptors from this one on are left for other uses */
        unsigned int record_hint;        /* no record before it is free */
        struct vpc_dma_window **windows; /* by address */
        unsigned int n_windows, capacity;
        unsigned int last;                /* window of the last range that was asked for, or none any more */
        struct vpc_dma_window *dropped;   /* gone from the table, memory maybe still in use */
        struct vpc_dma_window *releasing; /* those that were dropped before the quiesce that is under way */
        struct vpc_dma_pin pin;
};

/* See vpc_function_dma_map(). */
int vpc_dma_map(struct vpc_dma *dma, uint64_t address, uint64_t size, int fd, uint64_t fd_offset, uint32_t flags);
int vpc_dma_unmap(struct vpc_dma *dma, uint64_t address, uint64_t size);
void vpc_dma_unmap_all(struct vpc_dma *dma);
/* Take over the windows of a session; those whose memory cannot be mapped again stay without, and are counted in the result. */
int vpc_dma_resume(struct vpc_dma *dma, struct vpc_session *session);
/* Unmap the memory of windows that are gone, in two steps: those gone at the time of the first are unmapped by the second. */
void vpc_dma_release_prepare(struct vpc_dma *dma);
void vpc_dma_release(struct vpc_dma *dma);
/* Unmap everything at once; nothing may be under way. */
void vpc_dma_clear(struct vpc_dma *dma);
/*
 * Pin the memory of all windows, those that come as well, or of none, and then `why` not. It is done in pieces, one in a turn of
 * the loop; how much is pinned and why not more is in pin.pinned and pin.unpinned, and pin.refused is called once for each
 * reason.
 */
void vpc_dma_pin(struct vpc_dma *dma, bool is_wanted, enum iov_unpinned why);
/* There is a window at `address` that was not there before. */
void vpc_dma_pin_new(struct vpc_dma *dma, uint64_t address);
/* What a window is, and which part of which file is behind it where it has memory; `i` is below n_windows. */
struct vpc_dma_description {
        uint64_t address, size;
        uint64_t device, inode, offset;
        uint32_t flags, has_memory;
};
void vpc_dma_describe(const struct vpc_dma *dma, unsigned int i, struct vpc_dma_description *ret_description);
/* Host addresses of a range, see vpc_host.dma_map: the number of pieces, -EFAULT or -E2BIG. */
int vpc_dma_translate(struct vpc_dma *dma, uint64_t address, size_t length, enum vpc_direction direction, struct iovec *iov,
                      unsigned int max);

#endif
