/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Physical Region Pages [4.3]: from the pages that a command names to host memory. Neighbouring pages are mapped at once. */
#include <errno.h>
#include <string.h>

#include "adapters/nvme/nvme.h"

#define PRPS_PER_PAGE (NVME_PAGE_SIZE / sizeof(uint64_t))

struct walk {
        struct nvme_device *device;
        enum vpc_direction direction;
        struct iovec *iov;
        unsigned int n;
        uint64_t address, length; /* collected, not yet mapped */
};

#define OFFSET_INVALID(location) NVME_ERROR(NVME_SC_PRP_OFFSET_INVALID | NVME_DNR, (location))
/* Memory that the device cannot reach will not be reached the next time. */
#define TRANSFER_ERROR(location) NVME_ERROR(NVME_SC_DATA_TRANSFER_ERROR | NVME_DNR, (location))

static uint32_t map_collected(struct walk *w) {
        const struct vpc_host *host = w->device->host;
        int r = 0;

        if (w->length)
                r = host->dma_map(host->context, w->address, w->length, w->direction, &w->iov[w->n], NVME_IOV_MAX - w->n);
        if (r < 0)
                return TRANSFER_ERROR(24);
        w->n += (unsigned int)r;
        w->length = 0;
        return 0;
}

static uint32_t add(struct walk *w, uint64_t address, uint64_t length) {
        uint32_t outcome = 0;

        /* A range never goes round the end of the address space. */
        if (w->length && address && w->address + w->length == address) {
                w->length += length;
                return 0;
        }
        outcome = map_collected(w);
        w->address = address;
        w->length = length;
        return outcome;
}

/* The entries of one list page, copied once: `n` of them, `n_data` of which point to data. */
static uint32_t add_entries(struct walk *w, const uint64_t *entries, unsigned int n_data, uint64_t *rest) {
        for (unsigned int i = 0; i < n_data; i++) {
                uint64_t length = *rest < NVME_PAGE_SIZE ? *rest : NVME_PAGE_SIZE;

                if (entries[i] % NVME_PAGE_SIZE)
                        return OFFSET_INVALID(32);
                uint32_t outcome = add(w, entries[i], length);
                if (outcome)
                        return outcome;
                *rest -= length;
        }
        return 0;
}

/* The last entry of a page that does not name all that is left points to the next page of the list. */
static uint32_t walk_list(struct walk *w, uint64_t list, uint64_t rest) {
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
                        return TRANSFER_ERROR(32);
                uint32_t outcome = add_entries(w, entries, is_last ? n : n - 1, &rest);
                if (outcome || is_last)
                        return outcome;
                /* Lists after the first start with their page, so each but the first names 511 pages: this ends. */
                list = entries[n - 1];
                if (list % NVME_PAGE_SIZE)
                        return OFFSET_INVALID(32);
        }
}

uint32_t nvme_prp_map(struct nvme_command *command, uint32_t length, enum vpc_direction direction, unsigned int *ret_n) {
        const struct nvme_sqe *sqe = &nvme_slot(command)->sqe;
        struct walk w = {.device = command->device, .direction = direction, .iov = nvme_iov(command)};
        uint64_t first = NVME_PAGE_SIZE - sqe->prp1 % NVME_PAGE_SIZE, rest;
        uint32_t outcome = 0;

        if (sqe->prp1 % 4)
                return OFFSET_INVALID(24);
        first = first < length ? first : length;
        rest = length - first;
        outcome = add(&w, sqe->prp1, first);
        if (!outcome && rest > NVME_PAGE_SIZE)
                outcome = walk_list(&w, sqe->prp2, rest);
        else if (!outcome && rest)
                outcome = sqe->prp2 % NVME_PAGE_SIZE ? OFFSET_INVALID(32) : add(&w, sqe->prp2, rest);
        if (!outcome)
                outcome = map_collected(&w);
        if (!outcome)
                *ret_n = w.n;
        return outcome;
}

uint32_t nvme_prp_send(struct nvme_command *command, const void *data, size_t size, uint32_t length) {
        const unsigned char *from = data;
        const struct iovec *iov = nvme_iov(command);
        unsigned int n = 0;
        uint32_t outcome = nvme_prp_map(command, length, VPC_DMA_FROM_DEVICE, &n);

        if (outcome)
                return outcome;
        for (unsigned int i = 0; i < n; i++) {
                size_t copied = size < iov[i].iov_len ? size : iov[i].iov_len;

                memcpy(iov[i].iov_base, from, copied);
                memset((char *)iov[i].iov_base + copied, 0, iov[i].iov_len - copied);
                from += copied;
                size -= copied;
        }
        return 0;
}
