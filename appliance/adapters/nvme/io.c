/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The NVM command set [6]: flush, write, read, and where the others go. A command is one or more requests to media, in turn. */
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
        if (image->formatting >> (nsid - 1) & 1) {
                *ret_outcome = NVME_ERROR(NVME_SC_FORMAT_IN_PROGRESS, NVME_NOWHERE);
                return NULL;
        }
        return &image->namespaces[nsid - 1];
}

void nvme_io_flush(struct nvme_command *command, unsigned int medium) {
        command->io = (struct vpc_io){.op = VPC_IO_FLUSH};
        nvme_media_submit(command, medium);
}

/* The data of a read or write that has been checked. */
static uint32_t submit_transfer(struct nvme_command *command, const struct nvme_namespace *ns) {
        const struct nvme_sqe *sqe = &nvme_slot(command)->sqe;
        bool is_read = sqe->opcode == NVME_IO_READ;
        uint32_t length = nvme_block_count(sqe) << ns->block_shift;
        unsigned int n = 0;
        uint32_t outcome = nvme_data_map(command, length, is_read ? VPC_DMA_FROM_DEVICE : VPC_DMA_TO_DEVICE, &n);

        if (outcome)
                return outcome;
        command->io = (struct vpc_io){
                .op = is_read ? VPC_IO_READ : VPC_IO_WRITE,
                .offset = nvme_first_block(sqe) << ns->block_shift,
                .iov = nvme_iov(command),
                .n_iov = n,
                .length = length,
        };
        nvme_media_submit(command, ns->medium);
        return NVME_LATER;
}

const struct nvme_namespace *nvme_io_target(struct nvme_command *command, unsigned int how, uint32_t *ret_outcome) {
        const struct nvme_sqe *sqe = &nvme_slot(command)->sqe;
        const struct nvme_namespace *ns = nvme_namespace_get(command->device->image, sqe->nsid, ret_outcome);

        if (!ns)
                return NULL;
        if ((how & NVME_TARGET_TRANSFER) && nvme_block_count(sqe) > NVME_TRANSFER_MAX >> ns->block_shift)
                *ret_outcome = NVME_INVALID_FIELD(48);
        else if (nvme_first_block(sqe) > ns->blocks || nvme_block_count(sqe) > ns->blocks - nvme_first_block(sqe))
                *ret_outcome = NVME_ERROR(NVME_SC_LBA_OUT_OF_RANGE | NVME_DNR, 40);
        else if ((how & NVME_TARGET_WRITE) && ns->read_only)
                *ret_outcome = NVME_ERROR(NVME_SC_WRITE_PROTECTED | NVME_DNR, 4);
        else
                return ns;
        return NULL;
}

static uint32_t start_transfer(struct nvme_command *command) {
        const struct nvme_sqe *sqe = &nvme_slot(command)->sqe;
        const bool is_read = sqe->opcode == NVME_IO_READ;
        uint32_t outcome = 0;
        const struct nvme_namespace *ns =
                nvme_io_target(command, NVME_TARGET_TRANSFER | (is_read ? 0 : NVME_TARGET_WRITE), &outcome);

        if (!ns)
                return outcome;
        if (nvme_has_marks(command->device, ns))
                nvme_marks_note(command, ns, nvme_first_block(sqe), nvme_block_count(sqe));
        if (is_read && command->clears)
                return NVME_ERROR(NVME_SC_READ_ERROR | NVME_DNR, NVME_NOWHERE);
        if (is_read && (sqe->cdw12 & NVME_IO_FUA)) {
                /* [6.9] what is cached is committed before it is read */
                nvme_io_flush(command, ns->medium);
                return NVME_LATER;
        }
        return submit_transfer(command, ns);
}

uint32_t nvme_flush_next(struct nvme_command *command) {
        const struct nvme_image *image = command->device->image;

        while (command->progress < image->n_namespaces) {
                const struct nvme_namespace *ns = &image->namespaces[command->progress++];

                if (ns->blocks) {
                        nvme_io_flush(command, ns->medium);
                        return NVME_LATER;
                }
        }
        return 0;
}

uint32_t nvme_flush_all(struct nvme_command *command) {
        command->progress = 0;
        return nvme_flush_next(command);
}

/* [6.8] and [5.15.2.2] VWC: identifier ffffffffh is for all namespaces. */
static uint32_t start_flush(struct nvme_command *command) {
        const struct nvme_sqe *sqe = &nvme_slot(command)->sqe;
        uint32_t outcome = 0;

        if (sqe->nsid == NVME_NSID_ALL)
                return nvme_flush_all(command);
        const struct nvme_namespace *ns = nvme_namespace_get(command->device->image, sqe->nsid, &outcome);
        if (!ns)
                return outcome;
        nvme_io_flush(command, ns->medium);
        return NVME_LATER;
}

static uint32_t dispatch(struct nvme_command *command) {
        switch (nvme_slot(command)->sqe.opcode) {
        case NVME_IO_FLUSH:
                return start_flush(command);
        case NVME_IO_WRITE:
        case NVME_IO_READ:
                return start_transfer(command);
        case NVME_IO_WRITE_UNCORRECTABLE:
                return nvme_write_uncorrectable(command);
        case NVME_IO_COMPARE:
        case NVME_IO_VERIFY:
                return nvme_compare_start(command);
        case NVME_IO_WRITE_ZEROES:
                return nvme_write_zeroes_start(command);
        case NVME_IO_DATASET:
                return nvme_dataset_start(command);
        case NVME_IO_COPY:
                return nvme_copy_start(command);
        case NVME_IO_RESERVE_REGISTER:
        case NVME_IO_RESERVE_ACQUIRE:
        case NVME_IO_RESERVE_RELEASE:
                return nvme_reserve_start(command);
        case NVME_IO_RESERVE_REPORT:
                return nvme_reserve_report(command);
        default:
                return NVME_ERROR(NVME_SC_INVALID_OPCODE | NVME_DNR, 0);
        }
}

void nvme_io_expect(const struct nvme_command *command) {
        const struct vpc_host *host = command->device->host;
        const struct nvme_sqe *sqe = &nvme_slot(command)->sqe;

        if (!host->io_expect || (sqe->opcode != NVME_IO_READ && sqe->opcode != NVME_IO_WRITE) || sqe->nsid - 1 >= NVME_NAMESPACES)
                return;
        const struct nvme_namespace *ns = &command->device->image->namespaces[sqe->nsid - 1];
        if (ns->blocks)
                host->io_expect(host->context, ns->medium, nvme_first_block(sqe) << ns->block_shift,
                                (uint64_t)nvme_block_count(sqe) << ns->block_shift);
}

void nvme_io_execute(struct nvme_command *command) {
        uint32_t outcome = nvme_check_flags(&nvme_slot(command)->sqe, false);

        if (!outcome && command->device->image->shared)
                outcome = nvme_reservation_check(command);
        if (!outcome)
                outcome = dispatch(command);
        if (outcome != NVME_LATER)
                nvme_complete(command, outcome, 0);
}

static bool is_reading(const struct nvme_command *command) {
        switch (nvme_slot(command)->sqe.opcode) {
        case NVME_IO_READ:
        case NVME_IO_COMPARE:
        case NVME_IO_VERIFY:
                return true;
        case NVME_IO_COPY:
                return command->io.op == VPC_IO_READ;
        default:
                return false;
        }
}

/* [4.6.1] Do Not Retry where the next attempt would end in the same way. */
uint32_t nvme_media_error(struct nvme_device *device, bool is_reading, int error) {
        switch (error) {
        case -EIO:
        case -ENODATA: /* a block that a disk cannot read, past the page cache; and what does not agree with its checksum */
        case -EILSEQ:
        case -EBADMSG:
        case -EUCLEAN:
                device->image->life.media_errors++;
                return NVME_ERROR((is_reading ? NVME_SC_READ_ERROR : NVME_SC_WRITE_FAULT) | NVME_DNR, NVME_NOWHERE);
        case -ENOSPC:
        case -EDQUOT:
        case -EFBIG:
                return NVME_ERROR(NVME_SC_CAPACITY_EXCEEDED | NVME_DNR, NVME_NOWHERE);
        case -EROFS:
        case -EPERM:
                return NVME_ERROR(NVME_SC_WRITE_PROTECTED | NVME_DNR, NVME_NOWHERE);
        case -ENOLINK: /* the medium is on another machine, which is away; it may be back */
                return NVME_ERROR(NVME_SC_INTERNAL_PATH_ERROR, NVME_NOWHERE);
        case -EFAULT: /* the server took its memory away */
                return NVME_ERROR(NVME_SC_DATA_TRANSFER_ERROR | NVME_DNR, 24);
        default:
                return NVME_ERROR(NVME_SC_INTERNAL_ERROR, NVME_NOWHERE);
        }
}

/*
 * Blocks were written. [6.15] Force Unit Access, and [5.21.1.6] the write cache may be off: then the command ends when it is on
 * the medium. If some could not be read, that must be so, too, before they can.
 */
static uint32_t written(struct nvme_command *command) {
        const struct nvme_image *image = command->device->image;
        const struct nvme_slot *slot = nvme_slot(command);

        if (command->io.op == VPC_IO_FLUSH)
                return command->clears ? nvme_marks_clear(command) : 0;
        if (!command->clears && !(slot->sqe.cdw12 & NVME_IO_FUA) && image->features[NVME_FEAT_WRITE_CACHE])
                return 0;
        nvme_io_flush(command, slot->medium);
        return NVME_LATER;
}

/* A request succeeded: the next one, or an outcome. */
static uint32_t next_request(struct nvme_command *command) {
        const struct nvme_sqe *sqe = &nvme_slot(command)->sqe;

        switch (sqe->opcode) {
        case NVME_IO_FLUSH:
                return sqe->nsid == NVME_NSID_ALL ? nvme_flush_next(command) : 0;
        case NVME_IO_WRITE:
        case NVME_IO_WRITE_ZEROES:
                return written(command);
        case NVME_IO_COMPARE:
        case NVME_IO_VERIFY:
                return nvme_compare_next(command);
        case NVME_IO_DATASET:
                return nvme_dataset_next(command);
        case NVME_IO_COPY:
                return nvme_copy_next(command);
        default:
                if (command->io.op == VPC_IO_FLUSH)
                        return submit_transfer(command, &command->device->image->namespaces[sqe->nsid - 1]);
                return 0;
        }
}

void nvme_io_end_all(struct nvme_device *device, uint32_t nsid, uint32_t outcome) {
        for (unsigned int i = NVME_ADMIN_SLOTS; i < NVME_ADMIN_SLOTS + device->image->n_io_slots; i++) {
                struct nvme_slot *slot = &device->image->slots[i];

                if (nvme_is_under_way(slot) && slot->sqe.nsid == nsid && !slot->verdict)
                        slot->verdict = outcome;
        }
}

void nvme_io_advance(struct nvme_command *command, int error) {
        uint32_t outcome = nvme_slot(command)->verdict;

        if (!outcome)
                outcome = error < 0 ? nvme_media_error(command->device, is_reading(command), error) : next_request(command);
        if (outcome != NVME_LATER)
                nvme_complete(command, outcome, 0);
}
