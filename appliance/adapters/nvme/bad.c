/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Write Uncorrectable [6.16]: blocks whose reading fails until they are written again. The table is part of the image: it lives
 * as long as the vAdapter is plugged in, resets and restarts of the server included, and a namespace's part of it no longer than
 * the namespace. It is bounded; a command for which there is no room fails.
 */
#include "adapters/nvme/nvme.h"

bool nvme_bad_first(const struct nvme_image *image, uint32_t nsid, uint64_t first, uint64_t count, uint64_t *ret_block) {
        uint64_t found = UINT64_MAX;

        for (unsigned int i = 0; image->n_bad && i < NVME_BAD_RANGES; i++) {
                const struct nvme_bad_range *b = &image->bad[i];
                uint64_t at = b->first > first ? b->first : first;

                if (b->nsid == nsid && b->first < first + count && first < b->end && at < found)
                        found = at;
        }
        if (found == UINT64_MAX)
                return false;
        *ret_block = found;
        return true;
}

bool nvme_bad_overlaps(const struct nvme_image *image, uint32_t nsid, uint64_t first, uint64_t count) {
        uint64_t block = 0;

        return nvme_bad_first(image, nsid, first, count, &block);
}

static struct nvme_bad_range *unused(struct nvme_image *image) {
        for (unsigned int i = 0; i < NVME_BAD_RANGES; i++)
                if (!image->bad[i].nsid)
                        return &image->bad[i];
        return NULL;
}

static void forget(struct nvme_image *image, struct nvme_bad_range *b) {
        *b = (struct nvme_bad_range){0};
        image->n_bad--;
}

bool nvme_bad_clear(struct nvme_image *image, uint32_t nsid, uint64_t first, uint64_t count) {
        const uint64_t end = first + count;

        for (unsigned int i = 0; i < NVME_BAD_RANGES; i++) {
                struct nvme_bad_range *b = &image->bad[i];

                if (b->nsid != nsid || b->first >= end || first >= b->end)
                        continue;
                if (b->first < first && b->end > end) {
                        struct nvme_bad_range *upper = unused(image);

                        if (!upper)
                                return false;
                        *upper = (struct nvme_bad_range){.nsid = nsid, .first = end, .end = b->end};
                        image->n_bad++;
                        b->end = first;
                } else if (b->first < first) {
                        b->end = first;
                } else if (b->end > end) {
                        b->first = end;
                } else {
                        forget(image, b);
                }
        }
        return true;
}

void nvme_bad_forget(struct nvme_image *image, uint32_t nsid) {
        for (unsigned int i = 0; i < NVME_BAD_RANGES; i++)
                if (image->bad[i].nsid == nsid)
                        forget(image, &image->bad[i]);
}

/* Ranges that meet become one. */
static void absorb(struct nvme_image *image, struct nvme_bad_range *wanted) {
        for (unsigned int i = 0; i < NVME_BAD_RANGES; i++) {
                struct nvme_bad_range *b = &image->bad[i];

                if (b->nsid != wanted->nsid || b->first > wanted->end || wanted->first > b->end)
                        continue;
                wanted->first = b->first < wanted->first ? b->first : wanted->first;
                wanted->end = b->end > wanted->end ? b->end : wanted->end;
                forget(image, b);
                i = UINT32_MAX; /* what is larger now may meet more */
        }
}

uint32_t nvme_write_uncorrectable(struct nvme_command *command) {
        struct nvme_image *image = command->device->image;
        const struct nvme_sqe *sqe = &nvme_slot(command)->sqe;
        struct nvme_bad_range wanted = {
                .nsid = sqe->nsid, .first = nvme_first_block(sqe), .end = nvme_first_block(sqe) + nvme_block_count(sqe)};
        uint32_t outcome = 0;
        struct nvme_bad_range *to = NULL;

        if (!nvme_io_target(command, NVME_TARGET_WRITE, &outcome))
                return outcome;
        absorb(image, &wanted);
        to = unused(image);
        if (!to)
                return NVME_ERROR(NVME_SC_WRITE_FAULT | NVME_DNR, NVME_NOWHERE);
        *to = wanted;
        image->n_bad++;
        return 0;
}
