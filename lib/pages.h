/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory that grows without being copied: mapped, not allocated. What is new is populated in one call, on large pages where the
 * kernel has them, since a fault for each page was most of the time of reading a large topology. Kernels before 5.14 cannot, and
 * need not.
 */
#ifndef IOV_PAGES_H
#define IOV_PAGES_H

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>

#define PAGES_LEAST ((size_t)65536)   /* a multiple of any page size */
#define PAGES_LARGE ((size_t)2 << 20) /* from here on large pages are worth it */

/* Make room for `need` bytes at least, and for twice what there was, of much for a quarter more: what is populated and not needed
 * costs too. 0 or -ENOMEM. `*pages` NULL and `*size` 0: there was nothing. */
static inline int pages_grow(void **pages, size_t *size, size_t need) {
        size_t unit = need < PAGES_LARGE ? PAGES_LEAST : PAGES_LARGE, want = (need + unit - 1) / unit * unit;
        size_t more = *size < 4 * PAGES_LARGE ? *size : (*size / 4 + PAGES_LARGE - 1) / PAGES_LARGE * PAGES_LARGE;
        void *p;

        if (want < *size + more)
                want = *size + more;
        p = *pages ? mremap(*pages, *size, want, MREMAP_MAYMOVE)
                   : mmap(NULL, want, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED)
                return -ENOMEM;
        if (want >= PAGES_LARGE)
                madvise(p, want, MADV_HUGEPAGE);
        if (want > PAGES_LEAST)
                madvise((char *)p + *size, want - *size, MADV_POPULATE_WRITE);
        *pages = p;
        *size = want;
        return 0;
}

static inline void pages_free(void *pages, size_t size) {
        if (pages)
                munmap(pages, size);
}

#endif
