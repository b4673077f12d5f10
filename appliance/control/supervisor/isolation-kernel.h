/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel says of a worker, by proc(5): which it cannot make up. */
#ifndef IOV_CONTROL_ISOLATION_KERNEL_H
#define IOV_CONTROL_ISOLATION_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A part of a file. */
struct extent {
        uint64_t device, inode, offset, size;
        uint32_t flags; /* IOV_ISOLATION_READ, WRITE */
};
struct extents {
        struct extent *items;
        size_t n, capacity;
        bool is_incomplete; /* there are more than anybody needs */
};

int extents_add(struct extents *extents, const struct extent *extent);
void extents_free(struct extents *extents);
void extents_sort(struct extents *extents);
/* All of `extent` is in (sorted) extents. */
bool extents_cover(const struct extents *extents, const struct extent *extent);

/* Parts of files that the process has mapped shared, and the regular files that it has open (from 0 on, of no size). A negative
 * errno where it cannot be known. */
int kernel_read_mappings(pid_t pid, struct extents *extents);
int kernel_read_files(pid_t pid, struct extents *extents);
/* One line of /proc/PID/maps; false: no shared mapping of a file. */
bool kernel_parse_mapping(const char *line, struct extent *ret_extent);
/* The id of an eventfd of that process; 0: not known. */
uint64_t kernel_eventfd_id(pid_t pid, int fd);

#endif
