/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The memory of a volume of an adapter with media: ram: a memory file. All of this may block, and is for threads as well. */
#ifndef IOV_CONTROL_MEMORY_H
#define IOV_CONTROL_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

/* An empty one, which can grow but not shrink: a worker that has it mapped would die of it. */
int memory_make(int *ret_fd);
/* Bytes that are allocated for it; 0: none, or it is none. */
uint64_t memory_held(int fd);
/*
 * Bytes that can be allocated without somebody being killed for it: of what the machine has available and of what each cgroup of
 * this process may still have, the least; a part of each is left. `proc` and `cgroups` are where these are mounted, NULL: where
 * they always are. Where nothing is to be known, UINT64_MAX.
 */
uint64_t memory_available(const char *proc, const char *cgroups);
/*
 * Allocate all of the first `size` bytes, in large pages where the kernel can (MADV_COLLAPSE, Linux 6.1): *ret_large bytes are.
 * What is there is kept, whoever has it mapped and writes to it. -ENOSPC: there is not enough, found out before anything is
 * taken, unless others take it at the same time. -ECANCELED: *stop was set.
 */
int memory_allocate(int fd, uint64_t size, const bool *stop, uint64_t *ret_large);
/* Give back what is behind `size`. */
int memory_trim(int fd, uint64_t size);

#endif
