/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/supervisor/isolation-kernel.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "iov/registers.h"
#include "util.h"

/* A worker that makes more of them than this is not read any further: the event loop has others to serve. */
#define EXTENTS_MAX 8192

int extents_add(struct extents *x, const struct extent *extent) {
        if (x->n == EXTENTS_MAX) {
                x->is_incomplete = true;
                return 0;
        }
        if (x->n == x->capacity) {
                size_t capacity = x->capacity ? x->capacity * 2 : 64;
                struct extent *items = reallocarray(x->items, capacity, sizeof(*items));

                if (!items)
                        return -ENOMEM;
                x->items = items;
                x->capacity = capacity;
        }
        x->items[x->n++] = *extent;
        return 0;
}

void extents_free(struct extents *x) {
        free(x->items);
        *x = (struct extents){0};
}

static int compare_numbers(uint64_t a, uint64_t b) {
        return a < b ? -1 : a > b;
}

static int compare_files(const struct extent *a, const struct extent *b) {
        int r = compare_numbers(a->device, b->device);

        return r ? r : compare_numbers(a->inode, b->inode);
}

static int compare_extents(const void *a, const void *b) {
        const struct extent *x = a, *y = b;
        int r = compare_files(x, y);

        return r ? r : compare_numbers(x->offset, y->offset);
}

void extents_sort(struct extents *x) {
        if (x->n)
                qsort(x->items, x->n, sizeof(*x->items), compare_extents);
}

/* Index of the first of a file. */
static size_t find_file(const struct extents *x, const struct extent *file) {
        size_t low = 0, high = x->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (compare_files(&x->items[middle], file) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

bool extents_cover(const struct extents *x, const struct extent *extent) {
        uint64_t from = extent->offset, end = extent->offset + extent->size;
        size_t i = find_file(x, extent);

        if (i == x->n || compare_files(&x->items[i], extent) != 0)
                return false;
        for (; i < x->n && compare_files(&x->items[i], extent) == 0 && x->items[i].offset <= from && from < end; i++)
                if (x->items[i].offset + x->items[i].size > from)
                        from = x->items[i].offset + x->items[i].size;
        return from >= end;
}

/* `7f0000000000-7f0000001000 rw-s 00000000 00:01 1234   /memfd:x (deleted)`, proc(5). What has no inode of its own (rings of
 * io_uring ...) has one that all of its kind share, and nothing else to tell it by. */
bool kernel_parse_mapping(const char *line, struct extent *ret_extent) {
        uint64_t start = 0, end = 0, offset = 0, inode = 0;
        unsigned int major = 0, minor = 0;
        char permissions[5];
        int path = 0;

        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64 " %n", &start, &end, permissions, &offset,
                   &major, &minor, &inode, &path) < 7)
                return false;
        if (permissions[3] != 's' || !inode || end <= start || (path && strncmp(line + path, "anon_inode:", 11) == 0))
                return false;
        /* Anonymous shared memory: only those who were forked with it have it, as a worker and its escrow. */
        if (path && strncmp(line + path, "/dev/zero", 9) == 0)
                return false;
        *ret_extent = (struct extent){.device = makedev(major, minor),
                                      .inode = inode,
                                      .offset = offset,
                                      .size = end - start,
                                      .flags = (permissions[0] == 'r' ? IOV_ISOLATION_READ : 0) |
                                               (permissions[1] == 'w' ? IOV_ISOLATION_WRITE : 0)};
        return true;
}

int kernel_read_mappings(pid_t pid, struct extents *extents) {
        char path[64];
        CLEANUP_FREE char *line = NULL;
        size_t size = 0;
        int r = 0;

        snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
        CLEANUP_FILE FILE *f = fopen(path, "re");
        if (!f)
                return -errno;
        while (r == 0 && !extents->is_incomplete && getline(&line, &size, f) >= 0) {
                struct extent extent;

                if (kernel_parse_mapping(line, &extent))
                        r = extents_add(extents, &extent);
        }
        return r < 0 ? r : ferror(f) ? -EIO : 0;
}

int kernel_read_files(pid_t pid, struct extents *extents) {
        const struct dirent *entry;
        char path[64];
        int r = 0;

        snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
        DIR *d = opendir(path);
        if (!d)
                return -errno;
        while (r == 0 && !extents->is_incomplete && (entry = readdir(d))) {
                struct stat st;

                if (*entry->d_name != '.' && fstatat(dirfd(d), entry->d_name, &st, 0) == 0 && S_ISREG(st.st_mode)) {
                        const struct extent extent = {.device = st.st_dev, .inode = st.st_ino};

                        r = extents_add(extents, &extent);
                }
        }
        closedir(d);
        return r;
}

uint64_t kernel_eventfd_id(pid_t pid, int fd) {
        char path[64], line[256];
        uint64_t id = 0;

        snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)pid, fd);
        CLEANUP_FILE FILE *f = fopen(path, "re");
        /* Ids begin with 0 (fs/eventfd.c), which means nothing here. */
        while (f && fgets(line, sizeof(line), f))
                if (sscanf(line, "eventfd-id: %" SCNu64, &id) == 1)
                        return id + 1;
        return 0;
}
