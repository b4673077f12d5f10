/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Write Zeroes [6.17] and Dataset Management [6.7]: ranges without data. */
#include "adapters/nvme/nvme.h"

_Static_assert(NVME_RANGES_MAX * sizeof(struct nvme_range) <= NVME_SCRATCH, "the ranges of a command are kept in its scratch");

static uint32_t submit(struct nvme_command *command, const struct nvme_namespace *ns, enum vpc_io_op op, uint64_t first,
                       uint64_t count) {
        command->io = (struct vpc_io){.op = op, .offset = first << ns->block_shift, .length = count << ns->block_shift};
        nvme_media_submit(command, ns->medium);
        return NVME_LATER;
}

/* Without Deallocate the blocks keep their space: a server that fills a disk with zeroes may be after just that. */
uint32_t nvme_write_zeroes_start(struct nvme_command *command) {
        const struct nvme_sqe *sqe = &nvme_slot(command)->sqe;
        uint32_t outcome = 0;
        const struct nvme_namespace *ns = nvme_io_target(command, NVME_TARGET_WRITE, &outcome);

        if (!ns)
                return outcome;
        nvme_marks_note(command, ns, nvme_first_block(sqe), nvme_block_count(sqe));
        return submit(command, ns, sqe->cdw12 & NVME_IO_DEAC ? VPC_IO_DISCARD : VPC_IO_ZERO, nvme_first_block(sqe),
                      nvme_block_count(sqe));
}

static const struct nvme_range *ranges_of(const struct nvme_command *command) {
        return (const void *)command->device->scratch[command->index];
}

void nvme_dataset_range(const struct nvme_command *command, uint64_t *ret_first, uint64_t *ret_count) {
        const struct nvme_range *range = &ranges_of(command)[command->progress];

        *ret_first = range->first;
        *ret_count = range->blocks;
}

/* All of them before the first is done, so that a command with a wrong one does nothing. */
static uint32_t check_ranges(const struct nvme_range *ranges, uint32_t n, uint64_t blocks) {
        for (uint32_t i = 0; i < n; i++)
                if (ranges[i].first > blocks || ranges[i].blocks > blocks - ranges[i].first)
                        return NVME_ERROR(NVME_SC_LBA_OUT_OF_RANGE | NVME_DNR, 40);
        return 0;
}

static uint32_t submit_range(struct nvme_command *command) {
        const struct nvme_namespace *ns = &command->device->image->namespaces[nvme_slot(command)->sqe.nsid - 1];
        const struct nvme_range *ranges = ranges_of(command);

        while (command->progress < command->n_ranges && !ranges[command->progress].blocks)
                command->progress++;
        if (command->progress == command->n_ranges) {
                /* [5.21.1.6] without a write cache what was done is on the medium */
                if (command->io.op == VPC_IO_FLUSH || command->device->image->features[NVME_FEAT_WRITE_CACHE])
                        return 0;
                nvme_io_flush(command, ns->medium);
                return NVME_LATER;
        }
        nvme_marks_note(command, ns, ranges[command->progress].first, ranges[command->progress].blocks);
        return submit(command, ns, VPC_IO_DISCARD, ranges[command->progress].first, ranges[command->progress].blocks);
}

/* [6.7] The hints of how a range will be used are advice, and taken as such: only Deallocate does something. */
uint32_t nvme_dataset_start(struct nvme_command *command) {
        const struct nvme_sqe *sqe = &nvme_slot(command)->sqe;
        uint32_t outcome = 0;
        const struct nvme_namespace *ns = nvme_namespace_get(command->device->image, sqe->nsid, &outcome);

        if (!ns)
                return outcome;
        if ((sqe->cdw11 & NVME_DATASET_DEALLOCATE) && ns->read_only)
                return NVME_ERROR(NVME_SC_WRITE_PROTECTED | NVME_DNR, 4);
        command->progress = 0;
        command->io.op = VPC_IO_DISCARD;
        command->n_ranges = (sqe->cdw10 & 0xff) + 1;
        outcome = nvme_data_receive(command, command->device->scratch[command->index],
                                    command->n_ranges * (uint32_t)sizeof(struct nvme_range));
        if (!outcome)
                outcome = check_ranges(ranges_of(command), command->n_ranges, ns->blocks);
        if (outcome || !(sqe->cdw11 & NVME_DATASET_DEALLOCATE))
                return outcome;
        return submit_range(command);
}

uint32_t nvme_dataset_next(struct nvme_command *command) {
        const struct nvme_namespace *ns = &command->device->image->namespaces[nvme_slot(command)->sqe.nsid - 1];

        /* Some of the range was marked: it is on the medium before it is readable, and readable before the next one's turn. */
        if (command->clears && command->io.op == VPC_IO_FLUSH)
                return nvme_marks_clear(command);
        if (command->clears) {
                nvme_io_flush(command, ns->medium);
                return NVME_LATER;
        }
        command->progress += command->progress < command->n_ranges;
        return submit_range(command);
}
