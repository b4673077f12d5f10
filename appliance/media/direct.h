/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Direct I/O: whether a file can do it, and memory for requests whose own does not suit it. */
#ifndef IOV_MEDIA_DIRECT_H
#define IOV_MEDIA_DIRECT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

/* Whether a medium goes through the page cache. */
enum media_cache {
        MEDIA_CACHE_AUTO,   /* files do, block devices do not */
        MEDIA_CACHE_PAGE,   /* all do */
        MEDIA_CACHE_DIRECT, /* none does that can be without */
        MEDIA_CACHES
};

#define DIRECT_BOUNCE_SIZE 65536u

/* Make the open file do direct I/O where the policy wants it and the file can: what memory must be aligned to for it, else 0. */
uint32_t direct_start(int fd, enum media_cache cache);
/* It was wrong: through the page cache from now on. */
void direct_stop(int fd);
/* Every piece suits direct I/O. */
bool direct_suits(const struct iovec *iov, unsigned int n_iov, uint32_t align);
/* DIRECT_BOUNCE_SIZE bytes that suit; NULL: all are in use, try later. */
void *direct_bounce_take(void);
void direct_bounce_give(void *bounce);

#endif
