/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Physical Region Pages [4.3]: from the pages that a command names to host memory. */
#include <errno.h>
#include <string.h>

#include "adapters/nvme/data.h"

#define PRPS_PER_PAGE (NVME_PAGE_SIZE / sizeof(uint64_t))

#define OFFSET_INVALID(location) NVME_ERROR(NVME_SC_PRP_OFFSET_INVALID | NVME_DNR, (location))

/* The entries of one list page, copied once: `n` of them, `n_data` of which point to data. */
static uint32_t add_entries(struct nvme_walk *w, const uint64_t *entries, unsigned int n_data, uint64_t *rest) {
        for (unsigned int i = 0; i < n_data; i++) {
                uint64_t length = *rest < NVME_PAGE_SIZE ? *rest : NVME_PAGE_SIZE;

                if (entries[i] % NVME_PAGE_SIZE)
                        return OFFSET_INVALID(32);
                uint32_t outcome = nvme_walk_add(w, entries[i], length);
                if (outcome)
                        return outcome;
                *rest -= length;
        }
        return 0;
}

/* The last entry of a page that does not name all that is left points to the next page of the list. */
static uint32_t walk_list(struct nvme_walk *w, uint64_t list, uint64_t rest) {
        const struct vpc_host *host = w->device->host;
        uint64_t entries[PRPS_PER_PAGE];

        if (list % sizeof(uint64_t))
                return OFFSET_INVALID(32);
        for (;;) {
                unsigned int room = (unsigned int)((NVME_PAGE_SIZE - list % NVME_PAGE_SIZE) / sizeof(uint64_t));
                unsigned int wanted = (unsigned int)((rest + NVME_PAGE_SIZE - 1) / NVME_PAGE_SIZE);
                unsigned int n = wanted < room ? wanted : room;
                bool is_last = wanted <= room;

                if (host->dma_read(host->context, list, entries, n * sizeof(uint64_t)) < 0)
                        return NVME_TRANSFER_ERROR(32);
                uint32_t outcome = add_entries(w, entries, is_last ? n : n - 1, &rest);
                if (outcome || is_last)
                        return outcome;
                /* Lists after the first start with their page, so each but the first names 511 pages: this ends. */
                list = entries[n - 1];
                if (list % NVME_PAGE_SIZE)
                        return OFFSET_INVALID(32);
        }
}

uint32_t nvme_prp_walk(struct nvme_walk *w, const struct nvme_sqe *sqe, uint32_t length) {
        uint64_t first = NVME_PAGE_SIZE - sqe->prp1 % NVME_PAGE_SIZE, rest;
        uint32_t outcome = 0;

        if (sqe->prp1 % 4)
                return OFFSET_INVALID(24);
        first = first < length ? first : length;
        rest = length - first;
        outcome = nvme_walk_add(w, sqe->prp1, first);
        if (!outcome && rest > NVME_PAGE_SIZE)
                outcome = walk_list(w, sqe->prp2, rest);
        else if (!outcome && rest)
                outcome = sqe->prp2 % NVME_PAGE_SIZE ? OFFSET_INVALID(32) : nvme_walk_add(w, sqe->prp2, rest);
        return outcome;
}
