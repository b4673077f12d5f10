/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A batch: so many reads or writes, so many at a time. The benchmarks say where each goes; ours and its peers go to the same
 * places. A block that was filled holds its own number, so that a read can be judged.
 */
#ifndef BENCH_BATCH_H
#define BENCH_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "bench/nvme-host.h"

#define BATCH_BLOCK 4096u /* of a pattern */

/* Random blocks, the same for all who begin with the same state. */
struct pattern {
        uint64_t state, n_blocks;
};

/* The pattern of a round: never the same twice, so that nobody has it in a cache. */
static inline struct pattern pattern_of(unsigned int round, uint64_t n_blocks) {
        return (struct pattern){.state = UINT64_C(88172645463325252) + round, .n_blocks = n_blocks};
}

/* xorshift64 */
static inline uint64_t pattern_next(struct pattern *p) {
        p->state ^= p->state << 13;
        p->state ^= p->state >> 7;
        p->state ^= p->state << 17;
        return p->state % p->n_blocks;
}

struct batch {
        const char *what; /* in messages */
        unsigned int depth, count;
        /* One more, whose identifier is `slot` (less than depth): put it into the queue. */
        void (*put)(void *userdata, unsigned int slot);
        /* The one in `slot` is done; may be NULL. */
        void (*done)(void *userdata, unsigned int slot);
        void *userdata;
};

/* Run it through the I/O queue of an NVMe host: ns each. */
double batch_nvme(struct nvme_host *host, const struct batch *batch);

/* Write every block with its number; `page` is memory of the host. */
void blocks_fill(struct nvme_host *host, void *page, uint64_t iova, uint64_t n_blocks);
/* Die where the block is not what blocks_fill() wrote. */
void block_check(const void *data, uint64_t block);

/* A random read of whole blocks from memory of the host, judged or not. */
struct block_reads {
        struct nvme_host *host;
        unsigned char *data; /* a block for each slot */
        uint64_t iova;
        struct pattern pattern;
        uint64_t *blocks; /* what each slot reads */
        bool is_checked;
};
double block_reads_run(struct block_reads *reads, unsigned int depth, unsigned int count);

#endif
