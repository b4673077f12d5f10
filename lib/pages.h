/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory that grows without being copied: mapped, not allocated. What is new is populated in one call, on large pages where the
 * kernel has them, since a fault for each page was most of the time of reading a large topology. Kernels before 5.14 cannot, and
 * need not. What is small comes from the heap: to map and unmap its pages took more than all that is done with a small topology.
 */
#ifndef IOV_PAGES_H
#define IOV_PAGES_H

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGES_LEAST ((size_t)262144)  /* a multiple of any page size; less is on the heap */
#define PAGES_SMALL ((size_t)4096)    /* the least on the heap */
#define PAGES_LARGE ((size_t)2 << 20) /* from here on large pages are worth it */

static inline void pages_free(void *pages, size_t size) {
        if (pages && size < PAGES_LEAST)
                free(pages);
        else if (pages)
                munmap(pages, size);
}

static inline void *pages_map(void *old, size_t size, size_t want) {
        const size_t mapped = size < PAGES_LEAST ? 0 : size;
        char *p = mapped ? mremap(old, size, want, MREMAP_MAYMOVE)
                         : mmap(NULL, want, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (p == MAP_FAILED)
                return NULL;
        if (want >= PAGES_LARGE)
                madvise(p, want, MADV_HUGEPAGE);
        if (want > PAGES_LEAST)
                madvise(p + mapped, want - mapped, MADV_POPULATE_WRITE);
        if (old && !mapped) {
                memcpy(p, old, size);
                free(old);
        }
        return p;
}

/* On the heap powers of two: a table that is copied and freed with each change finds the place of the one before it, where sizes
 * that grow step by step would leave holes that nothing fits into. */
static inline size_t pages_round(size_t want) {
        const size_t unit = want < PAGES_LARGE ? PAGES_LEAST : PAGES_LARGE;
        size_t size = PAGES_SMALL;

        while (size < want && size < PAGES_LEAST)
                size *= 2;
        return want <= size ? size : (want + unit - 1) / unit * unit;
}

/* Make room for `need` bytes at least, and for twice what there was, of much for a quarter more: what is populated and not needed
 * costs too. What is new may hold anything. 0 or -ENOMEM. `*pages` NULL and `*size` 0: there was nothing. */
static inline int pages_grow(void **pages, size_t *size, size_t need) {
        size_t more = *size < 4 * PAGES_LARGE ? *size : (*size / 4 + PAGES_LARGE - 1) / PAGES_LARGE * PAGES_LARGE;
        const size_t want = pages_round(need < *size + more ? *size + more : need);
        void *p = want < PAGES_LEAST ? realloc(*pages, want) : pages_map(*pages, *size, want);
        if (!p)
                return -ENOMEM;
        *pages = p;
        *size = want;
        return 0;
}

/* At least `need` bytes, all zero. */
static inline int pages_new(void **ret_pages, size_t *ret_size, size_t need) {
        void *pages = NULL;
        size_t size = 0;
        int r = pages_grow(&pages, &size, need);

        if (r < 0)
                return r;
        if (size < PAGES_LEAST)
                memset(pages, 0, size);
        *ret_pages = pages;
        *ret_size = size;
        return 0;
}

#endif
