/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What nvme-file measures, and against what. */
#ifndef BENCH_NVME_FILE_H
#define BENCH_NVME_FILE_H

#include <stdbool.h>
#include <stdint.h>

#define DEPTH_MAX 32u
#define BLOCK_MAX (128u << 10)

struct job {
        const char *what;
        unsigned int opcode;
        uint32_t block; /* bytes */
        bool is_sequential;
        unsigned int depth, count;
        double goal;
};

struct place {
        const struct job *job;
        uint64_t state, n_blocks;
};

/* xorshift64, or one after the other: the same for both */
static inline uint64_t next_offset(struct place *p) {
        if (p->job->is_sequential)
                return p->state++ % p->n_blocks * p->job->block;
        p->state ^= p->state << 13;
        p->state ^= p->state >> 7;
        p->state ^= p->state << 17;
        return p->state % p->n_blocks * p->job->block;
}

struct peer {
        const char *name;
        /* Do the job; nanoseconds each. */
        double (*batch)(void *self, unsigned char *data, struct place place);
        void *self;
};

/* libnbd on an export of the server at that socket. */
void nbd_peer_open(const char *socket, const char *export, struct peer *ret_peer);

#endif
