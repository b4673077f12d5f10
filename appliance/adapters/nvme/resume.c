/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Take over commands that another process left under way. I/O is done again from the start: until its completion is posted the
 * host may not rely on any of it. A command that was just being executed when that process ended is executed again as well, but
 * only so often: one that ends processes must not do so for ever.
 */
#include "adapters/nvme/nvme.h"

#define RESUMED_MAX 2

static void resume_executing(struct nvme_device *device, struct nvme_command *command, struct nvme_slot *slot) {
        const bool was_waiting = slot->state != NVME_SLOT_FETCHED, is_io = slot->sq_id;

        if (is_io) {
                slot->start_ns = nvme_clock(device);
                if (device->n_inflight++ == 0)
                        device->busy_since = slot->start_ns;
                __atomic_store_n(&device->counters->inflight, device->n_inflight, __ATOMIC_RELAXED);
        }
        if (!was_waiting)
                slot->resumed++;
        slot->state = NVME_SLOT_FETCHED;
        if (slot->verdict)
                nvme_complete(command, slot->verdict, 0);
        else if (slot->resumed > RESUMED_MAX)
                nvme_complete(command, NVME_ERROR(NVME_SC_INTERNAL_ERROR, NVME_NOWHERE), 0);
        else if (is_io)
                nvme_io_execute(command);
        else
                nvme_admin_execute(command);
}

/* It waits on: for its answer, or to be asked. */
static void resume_reserve(struct nvme_device *device, struct nvme_slot *slot) {
        device->image->sqs[slot->sq_id].n_media++;
        if (!slot->sq_id)
                return;
        slot->start_ns = nvme_clock(device);
        if (device->n_inflight++ == 0)
                device->busy_since = slot->start_ns;
        __atomic_store_n(&device->counters->inflight, device->n_inflight, __ATOMIC_RELAXED);
}

/* The deletion of a queue [5.6] waits on, or is over but for its completion. */
static void resume_delete(struct nvme_device *device, struct nvme_command *command, const struct nvme_slot *slot) {
        const uint32_t id = slot->sqe.cdw10 & 0xffff;

        if (id < NVME_QUEUES && device->image->sqs[id].size)
                device->image->sqs[id].deleting = (uint16_t)(command->index + 1);
        else
                nvme_complete(command, 0, 0);
}

/* An abort [5.1] waits for the command that it aborts, unless that has ended and only the abort's own completion was missed: what
 * has ended may still wait for room in its queue. */
static void resume_abort(struct nvme_device *device, struct nvme_command *command) {
        const struct nvme_image *image = device->image;

        for (unsigned int i = nvme_slot_next(image, 0); i < NVME_SLOTS; i = nvme_slot_next(image, i + 1))
                if (image->slots[i].state != NVME_SLOT_FREE && image->slots[i].state != NVME_SLOT_DONE &&
                    image->slots[i].aborter == command->index + 1)
                        return;
        nvme_complete(command, 0, 1);
}

static void resume_slot(struct nvme_device *device, struct nvme_command *command) {
        struct nvme_slot *slot = nvme_slot(command);
        struct nvme_sq *sq = &device->image->sqs[slot->sq_id];

        if (slot->state == NVME_SLOT_FREE) /* by another one that was resumed */
                return;
        if (slot->state == NVME_SLOT_ORPHAN || !sq->size) {
                nvme_slot_free(command);
                return;
        }
        switch (slot->state) {
        case NVME_SLOT_FETCHED:
        case NVME_SLOT_MEDIA:
        case NVME_SLOT_FORMAT:
                resume_executing(device, command, slot);
                break;
        case NVME_SLOT_RESERVE:
                if (nvme_marks_resumes(slot))
                        resume_executing(device, command, slot);
                else
                        resume_reserve(device, slot);
                break;
        case NVME_SLOT_ABORT:
                resume_abort(device, command);
                break;
        case NVME_SLOT_DELETE:
                resume_delete(device, command, slot);
                break;
        default: /* an event request: it waits on; or an abort that has ended with what it aborts */
                break;
        }
}

/*
 * Completions of which it is not known whether the host has seen them: the entry may have been written when the queue's count was
 * not yet. At most one a queue, and it must go where it was to go, before any other. Those that were counted are done with.
 */
static void resume_posting(struct nvme_device *device, struct nvme_command *command) {
        struct nvme_slot *slot = nvme_slot(command);
        const struct nvme_sq *sq = &device->image->sqs[slot->sq_id];

        if (slot->state != NVME_SLOT_DONE || slot->posted == UINT64_MAX || !sq->size)
                return;
        if (slot->posted < device->image->cqs[sq->cq_id].posted)
                nvme_slot_free(command);
        else
                nvme_post(command);
}

void nvme_resume(struct nvme_device *device) {
        uint64_t todo[(NVME_SLOTS + 63) / 64] = {0};

        device->needs_resume = false;
        device->is_resuming = true;
        nvme_reserve_check(device->image);
        device->image->formatting = 0; /* a format that was under way begins anew below */
        /* Commands that were taken and not yet counted. */
        for (unsigned int i = nvme_slot_next(device->image, 0); i < NVME_SLOTS; i = nvme_slot_next(device->image, i + 1)) {
                const struct nvme_slot *slot = &device->image->slots[i];
                struct nvme_sq *sq = &device->image->sqs[slot->sq_id];

                if (slot->state != NVME_SLOT_FREE && sq->size && sq->fetched < slot->fetched)
                        sq->fetched = slot->fetched;
        }
        for (unsigned int i = nvme_slot_next(device->image, 0); i < NVME_SLOTS; i = nvme_slot_next(device->image, i + 1))
                if (device->image->slots[i].state != NVME_SLOT_FREE)
                        resume_posting(device, &device->commands[i]);
        for (unsigned int i = nvme_slot_next(device->image, 0); i < NVME_SLOTS; i = nvme_slot_next(device->image, i + 1))
                if (device->image->slots[i].state == NVME_SLOT_DONE && device->image->sqs[device->image->slots[i].sq_id].size)
                        nvme_post(&device->commands[i]);
                else if (device->image->slots[i].state != NVME_SLOT_FREE)
                        todo[i / 64] |= UINT64_C(1) << i % 64;
        /* Those of I/O first: an admin command may be about them. */
        for (unsigned int n = 0; n < NVME_SLOTS; n++) {
                const unsigned int i = (NVME_ADMIN_SLOTS + n) % NVME_SLOTS;

                if (todo[i / 64] & UINT64_C(1) << i % 64)
                        resume_slot(device, &device->commands[i]);
        }
        device->is_resuming = false;
        nvme_reserve_resume(device);
        for (unsigned int q = 0; q < NVME_QUEUES; q++)
                nvme_delete_sq_finish(device, q);
}
