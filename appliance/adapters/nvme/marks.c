/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Write Uncorrectable [6.16]: blocks whose reading fails until they are written again. The marks are the volume's: the appliance
 * has them, and is asked to set and to clear them in the way that it is asked about reservations (reserve.c). Where they are is
 * read from memory that it writes.
 *
 * A command that writes looks once, when it begins. What was marked then is readable again when it ends: the data goes to the
 * medium first, since a mark must not be gone where the data may still get lost. What is marked later stays marked.
 */
#include "adapters/nvme/nvme.h"

bool nvme_marks_find(const struct nvme_device *device, const struct nvme_namespace *ns, uint64_t first, uint64_t count,
                     struct nvme_marked *ret_marked) {
        const struct vpc_marks_pages *pages = device->host->marks;
        const uint64_t from = first << ns->block_shift, to = (first + count) << ns->block_shift;
        struct nvme_marked marked;
        uint64_t current = 0;

        do {
                marked = (struct nvme_marked){.block = UINT64_MAX};
                current = pages && ns->medium < VPC_MARKED_MEDIA ? vpc_marks_current(pages, ns->medium) : 0;
                if (!current)
                        return false;
                const struct vpc_marks *marks = &pages->copies[ns->medium][current & 1];
                marked.change = marks->change;
                for (uint32_t i = 0; i < marks->n && i < VPC_MARKS_MAX; i++) {
                        const struct vpc_mark *m = &marks->ranges[i];
                        const uint64_t at = (m->first > from ? m->first : from) >> ns->block_shift;

                        if (m->first < to && from < m->end && at < marked.block)
                                marked.block = at;
                }
        } while (!vpc_marks_is_good(pages, ns->medium, current));
        if (marked.block == UINT64_MAX)
                return false;
        *ret_marked = marked;
        return true;
}

unsigned int nvme_marks_count(const struct nvme_device *device) {
        const struct vpc_marks_pages *pages = device->host->marks;
        unsigned int n = 0;

        for (unsigned int i = 0; pages && i < device->image->n_namespaces; i++) {
                const struct nvme_namespace *ns = &device->image->namespaces[i];
                const uint64_t current = ns->blocks && ns->medium < VPC_MARKED_MEDIA ? vpc_marks_current(pages, ns->medium) : 0;

                if (current)
                        n += pages->copies[ns->medium][current & 1].n;
        }
        return n;
}

/* ---- what the appliance is asked ---- */

bool nvme_is_marking(const struct nvme_slot *slot) {
        if (!slot->sq_id)
                return slot->sqe.opcode == NVME_ADMIN_FORMAT;
        switch (slot->sqe.opcode) {
        case NVME_IO_WRITE_UNCORRECTABLE:
        case NVME_IO_WRITE:
        case NVME_IO_WRITE_ZEROES:
        case NVME_IO_DATASET:
        case NVME_IO_COPY:
                return true;
        default:
                return false;
        }
}

static bool is_setting(const struct nvme_slot *slot) {
        return slot->sq_id && slot->sqe.opcode == NVME_IO_WRITE_UNCORRECTABLE;
}

bool nvme_marks_resumes(const struct nvme_slot *slot) {
        return nvme_is_marking(slot) && !is_setting(slot);
}

uint32_t nvme_marks_target(const struct nvme_command *command) {
        const struct nvme_slot *slot = nvme_slot(command);

        return slot->sq_id ? slot->sqe.nsid : command->n_ranges;
}

/* All that there are now: whatever was marked in the meantime is erased, too. */
static uint32_t request_all(const struct nvme_device *device, const struct nvme_namespace *ns,
                            struct vpc_reserve_request *ret_request) {
        struct nvme_marked marked = {0};

        nvme_marks_find(device, ns, 0, ns->blocks, &marked);
        ret_request->first = 0;
        ret_request->end = UINT64_MAX;
        ret_request->change = marked.change;
        return 0;
}

uint32_t nvme_marks_request(struct nvme_command *command, struct vpc_reserve_request *ret_request) {
        struct nvme_device *device = command->device;
        const struct nvme_slot *slot = nvme_slot(command);
        const struct nvme_namespace *ns = &device->image->namespaces[nvme_marks_target(command) - 1];
        uint64_t first = nvme_first_block(&slot->sqe), count = nvme_block_count(&slot->sqe);
        uint32_t outcome = slot->verdict;

        if (outcome)
                return outcome;
        ret_request->op = is_setting(slot) ? VPC_MARKS_SET : VPC_MARKS_CLEAR;
        if (!slot->sq_id)
                return request_all(device, ns, ret_request);
        /* It has waited for its turn, and meanwhile the namespace may be another one, or somebody else's. */
        if (is_setting(slot) ? !nvme_io_target(command, NVME_TARGET_WRITE, &outcome)
                             : !nvme_namespace_get(device->image, slot->sqe.nsid, &outcome))
                return outcome;
        if (is_setting(slot) && device->image->shared)
                outcome = nvme_reservation_check(command);
        if (slot->sqe.opcode == NVME_IO_DATASET)
                nvme_dataset_range(command, &first, &count);
        if (slot->sqe.opcode == NVME_IO_COPY)
                nvme_copy_piece(command, &first, &count);
        ret_request->first = first << ns->block_shift;
        ret_request->end = (first + count) << ns->block_shift;
        ret_request->change = command->clears;
        return outcome;
}

/* ---- commands ---- */

static uint32_t wait(struct nvme_command *command, unsigned int medium) {
        struct nvme_device *device = command->device;
        struct nvme_slot *slot = nvme_slot(command);

        slot->state = NVME_SLOT_RESERVE;
        slot->medium = (uint16_t)medium;
        device->image->sqs[slot->sq_id].n_media++;
        nvme_reserve_next(device);
        return NVME_LATER;
}

uint32_t nvme_write_uncorrectable(struct nvme_command *command) {
        uint32_t outcome = 0;
        const struct nvme_namespace *ns = nvme_io_target(command, NVME_TARGET_WRITE, &outcome);

        return ns ? wait(command, ns->medium) : outcome;
}

void nvme_marks_note(struct nvme_command *command, const struct nvme_namespace *ns, uint64_t first, uint64_t count) {
        struct nvme_marked marked;

        command->clears = nvme_marks_find(command->device, ns, first, count, &marked) ? marked.change : 0;
}

uint32_t nvme_marks_clear(struct nvme_command *command) {
        return wait(command, command->device->image->namespaces[nvme_marks_target(command) - 1].medium);
}

uint32_t nvme_marks_outcome(const struct nvme_slot *slot, enum vpc_reserve_result result) {
        switch (result) {
        case VPC_RESERVE_DONE:
                return 0;
        case VPC_RESERVE_FULL: /* of a write: it may fit the next time */
                return NVME_ERROR(NVME_SC_WRITE_FAULT | (is_setting(slot) ? NVME_DNR : 0), NVME_NOWHERE);
        default:
                return NVME_ERROR(NVME_SC_INTERNAL_ERROR, NVME_NOWHERE);
        }
}
