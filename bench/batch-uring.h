/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The same batch by io_uring straight on a file, with nothing between. */
#ifndef BENCH_BATCH_URING_H
#define BENCH_BATCH_URING_H

#include <liburing.h>

#include "bench/batch.h"

/* `put` gets a request ready whose user data is the slot; each is to be `bytes` long. ns each. */
double batch_uring(struct io_uring *ring, const struct batch *batch, unsigned int bytes);

#endif
