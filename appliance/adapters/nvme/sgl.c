/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scatter Gather Lists [4.4]: data blocks in segments, of which each but the last names the next. How many descriptors are read
 * for a command is bounded, so that a list which loops, or says nothing at great length, ends too.
 */
#include <string.h>

#include "adapters/nvme/data.h"

#define DESCRIPTORS_MAX 4096u
#define BATCH 128u

#define SGL_ERROR(status) NVME_ERROR((status) | NVME_DNR, 24)

struct list {
        struct nvme_walk *walk;
        uint64_t rest; /* bytes of data that are not yet named */
        unsigned int n_descriptors;
};

/* [4.4] dword granularity is what SGLS offers; too long a list is refused, for SGLS does not say otherwise (bit 18). */
static uint32_t add_data(struct list *l, const struct nvme_sgl *d) {
        if (d->address % 4 || d->length % 4)
                return SGL_ERROR(NVME_SC_SGL_GRANULARITY);
        if (d->length > l->rest)
                return SGL_ERROR(NVME_SC_SGL_LENGTH_INVALID);
        if (d->length && d->address + d->length < d->address)
                return NVME_TRANSFER_ERROR(24);
        l->rest -= d->length;
        return d->length ? nvme_walk_add(l->walk, d->address, d->length) : 0;
}

/* [4.4] Data for the host that it does not want; of data from the host it says nothing, and its length does not count. */
static uint32_t add_bit_bucket(struct list *l, const struct nvme_sgl *d) {
        if (l->walk->direction == VPC_DMA_TO_DEVICE)
                return 0;
        if (d->length > l->rest)
                return SGL_ERROR(NVME_SC_SGL_LENGTH_INVALID);
        l->rest -= d->length;
        return nvme_walk_skip(l->walk, d->length);
}

static bool is_segment(const struct nvme_sgl *d) {
        return d->type == NVME_SGL_SEGMENT || d->type == NVME_SGL_LAST_SEGMENT;
}

static uint32_t add_batch(struct list *l, const struct nvme_sgl *d, unsigned int n) {
        for (unsigned int i = 0; i < n; i++) {
                if (is_segment(&d[i])) /* elsewhere than at the end of a segment */
                        return SGL_ERROR(NVME_SC_SGL_COUNT_INVALID);
                if (d[i].type != NVME_SGL_DATA && d[i].type != NVME_SGL_BIT_BUCKET)
                        return SGL_ERROR(NVME_SC_SGL_TYPE_INVALID);
                uint32_t outcome = d[i].type == NVME_SGL_DATA ? add_data(l, &d[i]) : add_bit_bucket(l, &d[i]);
                if (outcome)
                        return outcome;
        }
        return 0;
}

/* One segment; *segment becomes the next, type data where there is none. */
static uint32_t add_segment(struct list *l, struct nvme_sgl *segment) {
        const struct vpc_host *host = l->walk->device->host;
        const bool is_last = segment->type == NVME_SGL_LAST_SEGMENT;
        uint32_t left = segment->length / sizeof(struct nvme_sgl);
        uint64_t at = segment->address;
        struct nvme_sgl batch[BATCH] = {0};

        if (!left || segment->length % sizeof(struct nvme_sgl) || at + segment->length < at)
                return SGL_ERROR(NVME_SC_SGL_SEGMENT_INVALID);
        if (left > DESCRIPTORS_MAX - l->n_descriptors)
                return SGL_ERROR(NVME_SC_SGL_COUNT_INVALID);
        l->n_descriptors += left;
        segment->type = NVME_SGL_DATA;
        while (left) {
                unsigned int n = left < BATCH ? left : BATCH;
                bool names_next = false;

                if (host->dma_read(host->context, at, batch, n * sizeof(batch[0])) < 0)
                        return NVME_TRANSFER_ERROR(24);
                at += n * sizeof(batch[0]);
                left -= n;
                if (!left && is_segment(&batch[n - 1])) {
                        if (is_last)
                                return SGL_ERROR(NVME_SC_SGL_SEGMENT_INVALID);
                        *segment = batch[n - 1];
                        names_next = true;
                }
                uint32_t outcome = add_batch(l, batch, n - names_next);
                if (outcome)
                        return outcome;
        }
        return 0;
}

uint32_t nvme_sgl_walk(struct nvme_walk *w, const struct nvme_sqe *sqe, uint32_t length) {
        struct list l = {.walk = w, .rest = length};
        const uint64_t first[2] = {sqe->prp1, sqe->prp2}; /* [4.2] the first descriptor is in the place of the PRPs */
        struct nvme_sgl d;
        uint32_t outcome = 0;

        memcpy(&d, first, sizeof(d));
        if (!is_segment(&d))
                outcome = add_batch(&l, &d, 1);
        while (!outcome && is_segment(&d))
                outcome = add_segment(&l, &d);
        if (!outcome && l.rest)
                outcome = SGL_ERROR(NVME_SC_SGL_LENGTH_INVALID);
        return outcome;
}
