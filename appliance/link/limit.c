/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "link/limit.h"

#include <stdint.h>
#include <sys/resource.h>
#include <unistd.h>

/* What the kernel and service managers give to whom they know nothing of: nobody's choice. */
#define LIMIT_DEFAULT (UINT64_C(8) << 20)

/* All that a user's processes pin is counted together, and so are their rings, without which there is nothing to pin for. */
#define RINGS_PART 8

void link_limit_memory(void) {
        const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
        struct rlimit limit;

        if (pages <= 0 || page <= 0 || getrlimit(RLIMIT_MEMLOCK, &limit) < 0)
                return;
        /* What a server says is its memory is allocated by pinning it, there or not. */
        const rlim_t most = (rlim_t)pages / 4 * 3 * (rlim_t)page;
        if (limit.rlim_max <= LIMIT_DEFAULT) {
                const struct rlimit raised = {most, most};

                if (setrlimit(RLIMIT_MEMLOCK, &raised) == 0)
                        return;
        }
        limit.rlim_cur = limit.rlim_max < most ? limit.rlim_max : most;
        setrlimit(RLIMIT_MEMLOCK, &limit);
}

void link_limit_memory_rest(void) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
                return;
        limit.rlim_cur -= limit.rlim_cur / RINGS_PART;
        setrlimit(RLIMIT_MEMLOCK, &limit);
}
