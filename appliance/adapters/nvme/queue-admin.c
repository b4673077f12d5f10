/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Create and delete I/O queues [5.3] to [5.6]. */
#include "adapters/nvme/nvme.h"

#define QUEUE_CONTIGUOUS 1u
#define CQ_INTERRUPTS 2u

/* What both create commands check; `is_used`: the queue exists, `entry_log2`: of CC, and what it has to be. */
static uint32_t check_create(const struct nvme_sqe *sqe, bool is_used, unsigned int entry_log2, unsigned int entry_log2_wanted) {
        uint32_t id = sqe->cdw10 & 0xffff, size = (sqe->cdw10 >> 16) + 1;

        if (id == 0 || id >= NVME_QUEUES || is_used)
                return NVME_ERROR(NVME_SC_INVALID_QUEUE_ID | NVME_DNR, 40);
        if (size < 2 || size > NVME_QUEUE_MAX || entry_log2 != entry_log2_wanted)
                return NVME_ERROR(NVME_SC_INVALID_QUEUE_SIZE | NVME_DNR, 42);
        if (!(sqe->cdw11 & QUEUE_CONTIGUOUS)) /* CAP.CQR */
                return NVME_INVALID_FIELD(44);
        if (sqe->prp1 % NVME_PAGE_SIZE)
                return NVME_ERROR(NVME_SC_PRP_OFFSET_INVALID | NVME_DNR, 24);
        return 0;
}

/* Executed for the second time, a command finds what it has done itself: that is success. */
static bool is_again(const struct nvme_command *command) {
        return nvme_slot(command)->resumed;
}

uint32_t nvme_create_cq(struct nvme_command *command) {
        struct nvme_image *image = command->device->image;
        const struct nvme_sqe *sqe = &nvme_slot(command)->sqe;
        uint32_t id = sqe->cdw10 & 0xffff, vector = sqe->cdw11 >> 16;
        bool is_used = id < NVME_QUEUES && image->cqs[id].size;
        bool is_done = is_again(command) && is_used && !image->cqs[id].n_sqs && image->cqs[id].base == sqe->prp1;
        uint32_t outcome = check_create(sqe, is_used && !is_done, NVME_CC_IOCQES(image->registers.cc), 4);

        if (outcome)
                return outcome;
        if (vector >= NVME_VECTORS)
                return NVME_ERROR(NVME_SC_INVALID_VECTOR | NVME_DNR, 46);
        nvme_cq_init(&image->cqs[id], sqe->prp1, (sqe->cdw10 >> 16) + 1, (uint16_t)vector, sqe->cdw11 & CQ_INTERRUPTS);
        nvme_doorbells_init(command->device, id, true);
        return 0;
}

uint32_t nvme_create_sq(struct nvme_command *command) {
        struct nvme_image *image = command->device->image;
        const struct nvme_sqe *sqe = &nvme_slot(command)->sqe;
        uint32_t id = sqe->cdw10 & 0xffff, cq_id = sqe->cdw11 >> 16;
        bool is_used = id < NVME_QUEUES && image->sqs[id].size;
        bool is_done = is_again(command) && is_used && !image->sqs[id].fetched && image->sqs[id].base == sqe->prp1;
        uint32_t outcome = check_create(sqe, is_used && !is_done, NVME_CC_IOSQES(image->registers.cc), 6);

        if (outcome)
                return outcome;
        if (cq_id == 0 || cq_id >= NVME_QUEUES)
                return NVME_ERROR(NVME_SC_INVALID_QUEUE_ID | NVME_DNR, 46);
        if (!image->cqs[cq_id].size)
                return NVME_ERROR(NVME_SC_CQ_INVALID | NVME_DNR, 46);
        nvme_sq_init(&image->sqs[id], sqe->prp1, (sqe->cdw10 >> 16) + 1, (uint16_t)cq_id);
        image->cqs[cq_id].n_sqs += !is_done;
        nvme_doorbells_init(command->device, id, false);
        return 0;
}

uint32_t nvme_delete_cq(struct nvme_command *command) {
        struct nvme_device *device = command->device;
        uint32_t id = nvme_slot(command)->sqe.cdw10 & 0xffff;

        if (is_again(command) && id && id < NVME_QUEUES && !device->image->cqs[id].size)
                return 0;
        if (id == 0 || id >= NVME_QUEUES || !device->image->cqs[id].size)
                return NVME_ERROR(NVME_SC_INVALID_QUEUE_ID | NVME_DNR, 40);
        if (device->image->cqs[id].n_sqs)
                return NVME_ERROR(NVME_SC_INVALID_QUEUE_DELETION | NVME_DNR, 40);
        device->image->cqs[id] = (struct nvme_cq){0};
        device->cq_nonempty &= ~(UINT64_C(1) << id);
        return 0;
}

uint32_t nvme_delete_sq(struct nvme_command *command) {
        struct nvme_device *device = command->device;
        struct nvme_slot *slot = nvme_slot(command);
        uint32_t id = slot->sqe.cdw10 & 0xffff;

        if (id == 0 || id >= NVME_QUEUES || !device->image->sqs[id].size || device->image->sqs[id].deleting)
                return NVME_ERROR(NVME_SC_INVALID_QUEUE_ID | NVME_DNR, 40);
        slot->state = NVME_SLOT_DELETE;
        device->image->sqs[id].deleting = (uint16_t)(command->index + 1);
        nvme_delete_sq_finish(device, id);
        return NVME_LATER;
}

/*
 * [5.6] What is at a medium is waited for and completed; completions that the host leaves no room for, and commands not yet
 * fetched, are implicitly aborted.
 */
void nvme_delete_sq_finish(struct nvme_device *device, unsigned int sq_id) {
        struct nvme_sq *sq = &device->image->sqs[sq_id];

        if (!sq->deleting || sq->n_media)
                return;
        struct nvme_command *command = &device->commands[sq->deleting - 1];
        nvme_held_drop(device, sq_id);
        device->image->cqs[sq->cq_id].n_sqs--;
        device->pending &= ~(UINT64_C(1) << sq_id);
        device->sqs &= ~(UINT64_C(1) << sq_id);
        *sq = (struct nvme_sq){0};
        nvme_complete(command, 0, 0);
}
