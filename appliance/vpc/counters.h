/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counters in memory that other processes read: one writer, no order among them. */
#ifndef IOV_VPC_COUNTERS_H
#define IOV_VPC_COUNTERS_H

#include <stdint.h>

static inline void counter_add(uint64_t *counter, uint64_t n) {
        __atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

#endif
