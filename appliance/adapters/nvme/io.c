/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The NVM command set [6]: flush, write, read. A command is one or more requests to media, one after the other. */
#include <errno.h>

#include "adapters/nvme/nvme.h"

const struct nvme_namespace *nvme_namespace_get(const struct nvme_image *image, uint32_t nsid, uint32_t *ret_outcome) {
        if (nsid < 1 || nsid > NVME_NAMESPACES) {
                *ret_outcome = NVME_ERROR(NVME_SC_INVALID_NAMESPACE | NVME_DNR, 4);
                return NULL;
        }
        if (!image->namespaces[nsid - 1].blocks) { /* [6.1.5] inactive */
                *ret_outcome = NVME_INVALID_FIELD(4);
                return NULL;
        }
        return &image->namespaces[nsid - 1];
}

static uint64_t first_block(const struct nvme_sqe *sqe) {
        return sqe->cdw10 | (uint64_t)sqe->cdw11 << 32;
}

static uint32_t block_count(const struct nvme_sqe *sqe) {
        return (sqe->cdw12 & 0xffff) + 1;
}

static void submit_flush(struct nvme_command *command, unsigned int medium) {
        command->io = (struct vpc_io){.op = VPC_IO_FLUSH};
        nvme_media_submit(command, medium);
}

/* The data of a read or write that has been checked. */
static uint32_t submit_transfer(struct nvme_command *command, const struct nvme_namespace *ns) {
        const struct nvme_sqe *sqe = &nvme_slot(command)->sqe;
        bool is_read = sqe->opcode == NVME_IO_READ;
        uint32_t length = block_count(sqe) << ns->block_shift;
        unsigned int n = 0;
        uint32_t outcome = nvme_prp_map(command, length, is_read ? VPC_DMA_FROM_DEVICE : VPC_DMA_TO_DEVICE, &n);

        if (outcome)
                return outcome;
        command->io = (struct vpc_io){
                .op = is_read ? VPC_IO_READ : VPC_IO_WRITE,
                .offset = first_block(sqe) << ns->block_shift,
                .iov = nvme_iov(command),
                .n_iov = n,
                .length = length,
        };
        nvme_media_submit(command, ns->medium);
        return NVME_LATER;
}

static uint32_t start_transfer(struct nvme_command *command) {
        const struct nvme_sqe *sqe = &nvme_slot(command)->sqe;
        uint32_t outcome = 0;
        const struct nvme_namespace *ns = nvme_namespace_get(command->device->image, sqe->nsid, &outcome);

        if (!ns)
                return outcome;
        if (block_count(sqe) > NVME_TRANSFER_MAX >> ns->block_shift) /* [5.15.2.2] MDTS */
                return NVME_INVALID_FIELD(48);
        if (first_block(sqe) > ns->blocks || block_count(sqe) > ns->blocks - first_block(sqe))
                return NVME_ERROR(NVME_SC_LBA_OUT_OF_RANGE | NVME_DNR, 40);
        if (sqe->opcode == NVME_IO_WRITE && ns->read_only)
                return NVME_ERROR(NVME_SC_WRITE_PROTECTED | NVME_DNR, 4);
        if (sqe->opcode == NVME_IO_READ && (sqe->cdw12 & NVME_IO_FUA)) {
                /* [6.9] what is cached is committed before it is read */
                submit_flush(command, ns->medium);
                return NVME_LATER;
        }
        return submit_transfer(command, ns);
}

/* The medium of the next namespace from identifier `nsid` on, -1: none. */
static int next_medium(const struct nvme_image *image, uint32_t nsid) {
        for (; nsid <= NVME_NAMESPACES; nsid++)
                if (image->namespaces[nsid - 1].blocks)
                        return (int)image->namespaces[nsid - 1].medium;
        return -1;
}

/* [6.8] and [5.15.2.2] VWC: identifier ffffffffh is for all namespaces. */
static uint32_t start_flush(struct nvme_command *command) {
        const struct nvme_image *image = command->device->image;
        const struct nvme_sqe *sqe = &nvme_slot(command)->sqe;
        uint32_t outcome = 0;

        if (sqe->nsid == NVME_NSID_ALL) {
                int medium = next_medium(image, 1);

                if (medium < 0)
                        return 0;
                submit_flush(command, (unsigned int)medium);
                return NVME_LATER;
        }
        const struct nvme_namespace *ns = nvme_namespace_get(image, sqe->nsid, &outcome);
        if (!ns)
                return outcome;
        submit_flush(command, ns->medium);
        return NVME_LATER;
}

void nvme_io_execute(struct nvme_command *command) {
        const struct nvme_sqe *sqe = &nvme_slot(command)->sqe;
        uint32_t outcome = nvme_check_flags(sqe);

        if (outcome) {
                nvme_complete(command, outcome, 0);
                return;
        }
        switch (sqe->opcode) {
        case NVME_IO_FLUSH:
                outcome = start_flush(command);
                break;
        case NVME_IO_WRITE:
        case NVME_IO_READ:
                outcome = start_transfer(command);
                break;
        default:
                outcome = NVME_ERROR(NVME_SC_INVALID_OPCODE | NVME_DNR, 0);
        }
        if (outcome != NVME_LATER)
                nvme_complete(command, outcome, 0);
}

/* [4.6.1] Do Not Retry where the next attempt would end in the same way. */
static uint32_t media_error(struct nvme_device *device, const struct nvme_sqe *sqe, int error) {
        switch (error) {
        case -EIO:
                device->image->life.media_errors++;
                return NVME_ERROR((sqe->opcode == NVME_IO_READ ? NVME_SC_READ_ERROR : NVME_SC_WRITE_FAULT) | NVME_DNR,
                                  NVME_NOWHERE);
        case -ENOSPC:
        case -EDQUOT:
        case -EFBIG:
                return NVME_ERROR(NVME_SC_CAPACITY_EXCEEDED | NVME_DNR, NVME_NOWHERE);
        case -EROFS:
        case -EPERM:
                return NVME_ERROR(NVME_SC_WRITE_PROTECTED | NVME_DNR, NVME_NOWHERE);
        case -EFAULT: /* the server took its memory away */
                return NVME_ERROR(NVME_SC_DATA_TRANSFER_ERROR | NVME_DNR, 24);
        default:
                return NVME_ERROR(NVME_SC_INTERNAL_ERROR, NVME_NOWHERE);
        }
}

/* The namespace that a medium is shown as. */
static uint32_t medium_nsid(const struct nvme_image *image, unsigned int medium) {
        for (uint32_t nsid = 1; nsid <= NVME_NAMESPACES; nsid++)
                if (image->namespaces[nsid - 1].blocks && image->namespaces[nsid - 1].medium == medium)
                        return nsid;
        return NVME_NAMESPACES;
}

/* A request succeeded: the next one, or an outcome. */
static uint32_t next_request(struct nvme_command *command) {
        const struct nvme_image *image = command->device->image;
        const struct nvme_slot *slot = nvme_slot(command);
        const struct nvme_sqe *sqe = &slot->sqe;
        int medium = -1;

        switch (sqe->opcode) {
        case NVME_IO_FLUSH:
                if (sqe->nsid == NVME_NSID_ALL)
                        medium = next_medium(image, medium_nsid(image, slot->medium) + 1);
                break;
        case NVME_IO_WRITE: /* [6.15] Force Unit Access, and [5.21.1.6] the write cache may be off */
                if (command->io.op == VPC_IO_WRITE && ((sqe->cdw12 & NVME_IO_FUA) || !image->features[NVME_FEAT_WRITE_CACHE]))
                        medium = slot->medium;
                break;
        default:
                if (command->io.op == VPC_IO_FLUSH)
                        return submit_transfer(command, &image->namespaces[sqe->nsid - 1]);
        }
        if (medium < 0)
                return 0;
        submit_flush(command, (unsigned int)medium);
        return NVME_LATER;
}

void nvme_io_advance(struct nvme_command *command, int error) {
        uint32_t outcome = error < 0 ? media_error(command->device, &nvme_slot(command)->sqe, error) : next_request(command);

        if (outcome != NVME_LATER)
                nvme_complete(command, outcome, 0);
}
