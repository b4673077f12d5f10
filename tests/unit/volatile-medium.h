/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A medium with a cache that forgets: what is written is in the cache, in any order and at any time some of it reaches what
 * lasts, and at a power cut each block is what lasts or any version in the cache. It is as unkind as a medium may be: a flush
 * covers just what had ended before it began.
 */
#ifndef TEST_VOLATILE_MEDIUM_H
#define TEST_VOLATILE_MEDIUM_H

#include <stdbool.h>
#include <stdint.h>

#include "vpc/io.h"

#define VOLATILE_SECTORS                                                                                                         \
        64u /* of 512 bytes, from the start of the medium; what is behind them reads as zeroes, and is not kept */
#define VOLATILE_VERSIONS 24u

struct volatile_sector {
        unsigned char lasts[512];
        struct {
                uint64_t at;
                unsigned char bytes[512];
        } cached[VOLATILE_VERSIONS]; /* oldest first */
        unsigned int n;
};

struct volatile_medium {
        struct volatile_sector sectors[VOLATILE_SECTORS];
        unsigned int block_size; /* written as a whole or not at all; it lasts */
        uint64_t now;
};

/* From 0 to n - 1, the same for the same seed. */
unsigned int volatile_random(uint64_t *seed, unsigned int n);
void volatile_begin(struct volatile_medium *m, struct vpc_io *io);
void volatile_end(struct volatile_medium *m, struct vpc_io *io, uint64_t *seed);
/* Some of the blocks of a request that was under way when it was stopped may be done, or all, or none. */
void volatile_break(struct volatile_medium *m, const struct vpc_io *io, uint64_t *seed);
void volatile_cut(struct volatile_medium *m, uint64_t *seed);

#endif
