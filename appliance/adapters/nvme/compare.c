/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compare [6.6] and Verify [6.14]: what is on the medium comes piece by piece into the slot's own scratch memory. The host's
 * memory is mapped anew for each piece: between two it may have been taken away.
 */
#include <string.h>

#include "adapters/nvme/nvme.h"

static uint64_t total(const struct nvme_sqe *sqe, const struct nvme_namespace *ns) {
        return (uint64_t)nvme_block_count(sqe) << ns->block_shift;
}

static uint32_t submit_piece(struct nvme_command *command, const struct nvme_namespace *ns) {
        const struct nvme_sqe *sqe = &nvme_slot(command)->sqe;
        uint64_t left = total(sqe, ns) - command->progress;

        command->scratch = (struct iovec){command->device->scratch[command->index], left < NVME_SCRATCH ? left : NVME_SCRATCH};
        command->io = (struct vpc_io){
                .op = VPC_IO_READ,
                .offset = (nvme_first_block(sqe) << ns->block_shift) + command->progress,
                .iov = &command->scratch,
                .n_iov = 1,
                .length = command->scratch.iov_len,
        };
        nvme_media_submit(command, ns->medium);
        return NVME_LATER;
}

static uint32_t start_pieces(struct nvme_command *command, const struct nvme_namespace *ns) {
        if (nvme_slot(command)->sqe.cdw12 & NVME_IO_FUA) {
                nvme_io_flush(command, ns->medium);
                return NVME_LATER;
        }
        return submit_piece(command, ns);
}

uint32_t nvme_compare_start(struct nvme_command *command) {
        const struct nvme_sqe *sqe = &nvme_slot(command)->sqe;
        const struct nvme_device *device = command->device;
        struct nvme_marked marked;
        uint32_t outcome = 0;
        unsigned int n = 0;
        const struct nvme_namespace *ns =
                nvme_io_target(command, sqe->opcode == NVME_IO_COMPARE ? NVME_TARGET_TRANSFER : 0, &outcome);

        command->progress = 0;
        if (!ns)
                return outcome;
        if (nvme_has_marks(device, ns) && nvme_marks_find(device, ns, nvme_first_block(sqe), nvme_block_count(sqe), &marked))
                return NVME_ERROR(NVME_SC_READ_ERROR | NVME_DNR, NVME_NOWHERE);
        if (sqe->opcode == NVME_IO_COMPARE)
                outcome = nvme_data_map(command, (uint32_t)total(sqe, ns), VPC_DMA_TO_DEVICE, &n);
        return outcome ? outcome : start_pieces(command, ns);
}

static size_t equal_bytes(const unsigned char *a, const unsigned char *b, size_t n) {
        size_t i = 0;

        while (i < n && a[i] == b[i])
                i++;
        return i;
}

/* The piece in the scratch memory against the same piece of the host's: how many bytes are equal before one differs. */
static size_t compare_piece(const struct nvme_command *command, const struct iovec *iov, unsigned int n) {
        const unsigned char *have = command->scratch.iov_base;
        uint64_t skip = command->progress;
        size_t left = command->scratch.iov_len;

        for (unsigned int i = 0; i < n && left; i++) {
                size_t piece = iov[i].iov_len;

                if (skip >= piece) {
                        skip -= piece;
                        continue;
                }
                piece = piece - skip < left ? piece - skip : left;
                const unsigned char *wanted = (const unsigned char *)iov[i].iov_base + skip;
                if (memcmp(have, wanted, piece) != 0)
                        return command->scratch.iov_len - left + equal_bytes(have, wanted, piece);
                have += piece;
                left -= piece;
                skip = 0;
        }
        return command->scratch.iov_len;
}

uint32_t nvme_compare_next(struct nvme_command *command) {
        const struct nvme_sqe *sqe = &nvme_slot(command)->sqe;
        const struct nvme_namespace *ns = &command->device->image->namespaces[sqe->nsid - 1];
        unsigned int n = 0;

        if (command->io.op == VPC_IO_FLUSH)
                return submit_piece(command, ns);
        if (sqe->opcode == NVME_IO_COMPARE) {
                uint32_t outcome = nvme_data_map(command, (uint32_t)total(sqe, ns), VPC_DMA_TO_DEVICE, &n);

                if (outcome)
                        return outcome;
                const size_t equal = compare_piece(command, nvme_iov(command), n);
                if (equal < command->scratch.iov_len) {
                        command->progress += equal;
                        return NVME_ERROR(NVME_SC_COMPARE_FAILURE | NVME_DNR, NVME_NOWHERE);
                }
        }
        command->progress += command->scratch.iov_len;
        return command->progress < total(sqe, ns) ? submit_piece(command, ns) : 0;
}
