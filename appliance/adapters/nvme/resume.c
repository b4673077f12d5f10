/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Take over commands that another process left under way. I/O is done again from the start: until its completion is posted the
 * host may not rely on any of it. A command that was just being executed when that process ended fails instead, so that one that
 * ends processes does not do so for ever.
 */
#include "adapters/nvme/nvme.h"

static void resume_io(struct nvme_device *device, struct nvme_command *command, struct nvme_slot *slot) {
        bool was_waiting = slot->state == NVME_SLOT_MEDIA;

        slot->start_ns = nvme_clock(device);
        if (device->n_inflight++ == 0)
                device->busy_since = slot->start_ns;
        __atomic_store_n(&device->counters->inflight, device->n_inflight, __ATOMIC_RELAXED);
        slot->state = NVME_SLOT_FETCHED;
        if (slot->verdict)
                nvme_complete(command, slot->verdict, 0);
        else if (was_waiting)
                nvme_io_execute(command);
        else
                nvme_complete(command, NVME_ERROR(NVME_SC_INTERNAL_ERROR, NVME_NOWHERE), 0);
}

static void resume_slot(struct nvme_device *device, struct nvme_command *command) {
        struct nvme_slot *slot = nvme_slot(command);
        struct nvme_sq *sq = &device->image->sqs[slot->sq_id];

        if (slot->state == NVME_SLOT_ORPHAN || !sq->size) {
                nvme_slot_free(command);
                return;
        }
        if (sq->fetched < slot->fetched)
                sq->fetched = slot->fetched;
        switch (slot->state) {
        case NVME_SLOT_FETCHED:
        case NVME_SLOT_MEDIA:
                if (slot->sq_id)
                        resume_io(device, command, slot);
                else
                        nvme_complete(command, NVME_ERROR(NVME_SC_INTERNAL_ERROR, NVME_NOWHERE), 0);
                break;
        case NVME_SLOT_DONE:
                if (slot->posted != UINT64_MAX && slot->posted < device->image->cqs[sq->cq_id].posted)
                        nvme_slot_free(command);
                else
                        nvme_post(command);
                break;
        default: /* an event request or the deletion of a queue: they wait on */
                break;
        }
}

void nvme_resume(struct nvme_device *device) {
        uint64_t todo[(NVME_SLOTS + 63) / 64] = {0};

        device->needs_resume = false;
        device->image->formatting = 0; /* a format that was under way fails below */
        for (unsigned int i = nvme_slot_next(device->image, 0); i < NVME_SLOTS; i = nvme_slot_next(device->image, i + 1))
                if (device->image->slots[i].state != NVME_SLOT_FREE)
                        todo[i / 64] |= UINT64_C(1) << i % 64;
        for (unsigned int i = 0; i < NVME_SLOTS; i++)
                if (todo[i / 64] & UINT64_C(1) << i % 64)
                        resume_slot(device, &device->commands[i]);
        for (unsigned int q = 0; q < NVME_QUEUES; q++)
                nvme_delete_sq_finish(device, q);
}
