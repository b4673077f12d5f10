/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory that is registered with the loop's ring, so that its pages need not be looked up for each request. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "loop/loop-private.h"
#include "util.h"

#define LENGTH_MAX (UINT64_C(1) << 30) /* of an entry, by the kernel */

int uring_memory_reserve(struct loop *loop) {
        int r = loop->uring.has_memory ? 0 : io_uring_register_buffers_sparse(&loop->uring.ring, LOOP_MEMORY_MAX);

        loop->uring.has_memory |= r >= 0;
        return r;
}

/* Index of the first that ends behind `address`. */
static unsigned int find(const struct loop *loop, uintptr_t address) {
        unsigned int low = 0, high = loop->uring.n_memory;

        while (low < high) {
                const unsigned int middle = low + (high - low) / 2;

                if (loop->uring.memory[middle].end <= address)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

int uring_memory_find(const struct loop *loop, const struct iovec *iov) {
        const uintptr_t start = (uintptr_t)iov->iov_base;
        const struct loop_memory *m = NULL;
        unsigned int i = 0;

        if (!loop->uring.n_memory)
                return -1;
        i = find(loop, start);
        m = &loop->uring.memory[i];
        if (i == loop->uring.n_memory || start < m->start || iov->iov_len > m->end - start)
                return -1;
        return (int)m->entry;
}

static int grow(struct loop *loop) {
        const unsigned int capacity = loop->uring.memory_capacity ? loop->uring.memory_capacity * 2 : 16;
        struct loop_memory *memory = NULL;

        if (loop->uring.n_memory < loop->uring.memory_capacity)
                return 0;
        memory = reallocarray(loop->uring.memory, capacity, sizeof(*memory));
        if (!memory)
                return -ENOMEM;
        loop->uring.memory = memory;
        loop->uring.memory_capacity = capacity;
        return 0;
}

static int take_entry(const struct loop *loop) {
        for (unsigned int i = 0; i < LOOP_MEMORY_MAX / 64; i++)
                if (~loop->uring.memory_entries[i])
                        return (int)(i * 64) + __builtin_ctzll(~loop->uring.memory_entries[i]);
        return -ENOSPC;
}

/* `length` 0: the entry is empty from now on. */
static int update(struct loop *loop, unsigned int entry, void *memory, size_t length) {
        const struct iovec iov = {memory, length};
        int r = io_uring_register_buffers_update_tag(&loop->uring.ring, entry, &iov, NULL, 1);

        return r == 1 ? 0 : r < 0 ? r : -EIO;
}

int uring_memory_add(struct loop *loop, void *memory, size_t length) {
        const uintptr_t start = (uintptr_t)memory;
        const unsigned int i = find(loop, start);
        int r = 0, entry = 0;

        if (!length || length > LENGTH_MAX || start + length < start)
                return -EINVAL;
        if (uring_memory_reserve(loop) < 0)
                return -ENOSYS;
        if (i < loop->uring.n_memory && loop->uring.memory[i].start < start + length)
                return -EEXIST;
        r = grow(loop);
        entry = r < 0 ? r : take_entry(loop);
        if (entry < 0)
                return entry;
        r = update(loop, (unsigned int)entry, memory, length);
        if (r < 0)
                return r;
        memmove(loop->uring.memory + i + 1, loop->uring.memory + i, (loop->uring.n_memory - i) * sizeof(struct loop_memory));
        loop->uring.memory[i] = (struct loop_memory){start, start + length, (uint32_t)entry};
        loop->uring.memory_entries[entry / 64] |= UINT64_C(1) << entry % 64;
        loop->uring.n_memory++;
        return 0;
}

/* Requests that the kernel has not yet been given would not find the entry any more. */
static void unfix(struct loop *loop, unsigned int entry) {
        struct io_uring_sq *sq = &loop->uring.ring.sq;

        for (unsigned int i = __atomic_load_n(sq->khead, __ATOMIC_ACQUIRE); i != sq->sqe_tail; i++) {
                struct io_uring_sqe *sqe = &sq->sqes[i & sq->ring_mask];

                if ((sqe->opcode != IORING_OP_READ_FIXED && sqe->opcode != IORING_OP_WRITE_FIXED) || sqe->buf_index != entry)
                        continue;
                sqe->opcode = sqe->opcode == IORING_OP_READ_FIXED ? IORING_OP_READ : IORING_OP_WRITE;
                sqe->buf_index = 0;
        }
}

void uring_memory_remove(struct loop *loop, const void *memory, size_t length) {
        const uintptr_t start = (uintptr_t)memory;
        unsigned int from = find(loop, start), to = 0;

        if (from < loop->uring.n_memory && loop->uring.memory[from].start < start)
                from++; /* that one begins before it */
        for (to = from; to < loop->uring.n_memory && loop->uring.memory[to].end - start <= length; to++) {
                const unsigned int entry = loop->uring.memory[to].entry;

                unfix(loop, entry);
                /* One that could not be emptied is not used again. */
                if (update(loop, entry, NULL, 0) == 0)
                        loop->uring.memory_entries[entry / 64] &= ~(UINT64_C(1) << entry % 64);
        }
        memmove(loop->uring.memory + from, loop->uring.memory + to, (loop->uring.n_memory - to) * sizeof(struct loop_memory));
        loop->uring.n_memory -= to - from;
}

void uring_memory_free(struct loop *loop) {
        free(loop->uring.memory);
}
