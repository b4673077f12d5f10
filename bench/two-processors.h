/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What two processors can do at best for each other: the calling process has the first, one that is forked the second. */
#ifndef BENCH_TWO_PROCESSORS_H
#define BENCH_TWO_PROCESSORS_H

#include <stdint.h>

/* ns a round trip of a word in shared memory, there and back. */
double ping_pong_ns(unsigned int count);
/*
 * ns a read of 4 KiB at random out of `size` bytes of memory, made of nothing but what it cannot do without: an entry of 64 bytes
 * and a doorbell there, a copy of the block into shared memory and an entry of 16 bytes back; nothing is checked, counted or
 * looked up. `round`: which blocks (pattern_of()).
 */
double bare_read_ns(uint64_t size, unsigned int round, unsigned int count);

#endif
