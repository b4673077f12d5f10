/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Command slots: taken when a command is fetched, freed when its completion is posted. */
#include <stddef.h>

#include "adapters/nvme/nvme.h"

void nvme_list_append(struct nvme_device *device, struct nvme_list *list, struct nvme_command *command) {
        command->next = NVME_NONE;
        if (list->first == NVME_NONE)
                list->first = command->index;
        else
                device->commands[list->last].next = command->index;
        list->last = command->index;
}

struct nvme_command *nvme_list_take(struct nvme_device *device, struct nvme_list *list) {
        if (list->first == NVME_NONE)
                return NULL;
        struct nvme_command *command = &device->commands[list->first];
        list->first = command->next;
        return command;
}

struct nvme_command *nvme_slot_take(struct nvme_device *device, unsigned int sq_id) {
        struct nvme_command *command = nvme_list_take(device, sq_id ? &device->free_io : &device->free_admin);
        uint32_t *n = sq_id ? &device->image->n_io_slots : &device->image->n_admin_slots;
        uint32_t first = sq_id ? NVME_ADMIN_SLOTS : 0, max = sq_id ? NVME_IO_SLOTS : NVME_ADMIN_SLOTS;

        if (!command && *n < max) {
                command = &device->commands[first + *n];
                command->device = device;
                command->index = (uint16_t)(first + *n);
                ++*n;
        }
        if (command) {
                command->waited_ns = 0;
                nvme_slot(command)->verdict = 0;
                nvme_slot(command)->aborter = 0;
                command->clears = command->progress = 0;
        }
        return command;
}

void nvme_slot_free(struct nvme_command *command) {
        struct nvme_device *device = command->device;

        struct nvme_list *list = command->index < NVME_ADMIN_SLOTS ? &device->free_admin : &device->free_io;

        __atomic_store_n(&nvme_slot(command)->state, NVME_SLOT_FREE, __ATOMIC_RELEASE);
        command->is_fenced = false;
        /* In front: the next command finds it in the processor's cache. */
        command->next = list->first;
        if (list->first == NVME_NONE)
                list->last = command->index;
        list->first = command->index;
}

/* For who counts commands it is a write. In the controller's own figures it is a read, too [NVM Command Set 1.0, 1.4.2]. */
static void account_copy(const struct nvme_command *command) {
        struct nvme_device *device = command->device;
        struct nvme_life *life = &device->image->life;

        nvme_count(&device->counters->write_ops, 1);
        life->reads++;
        life->writes++;
        if (nvme_slot(command)->outcome)
                return;
        nvme_count(&device->counters->read_bytes, command->progress);
        nvme_count(&device->counters->write_bytes, command->progress);
        life->read_bytes += command->progress;
        life->write_bytes += command->progress;
}

static void account_io(struct nvme_command *command) {
        struct nvme_device *device = command->device;
        const struct nvme_slot *slot = nvme_slot(command);
        struct nvme_life *life = &device->image->life;
        const struct nvme_namespace *ns = &device->image->namespaces[(slot->sqe.nsid - 1) % NVME_NAMESPACES];
        uint64_t bytes = (uint64_t)nvme_block_count(&slot->sqe) << ns->block_shift;
        uint64_t now = device->now;

        nvme_count(&device->counters->busy_ns, now - slot->start_ns);
        if (command->waited_ns)
                nvme_count(&device->counters->qos_ns, command->waited_ns);
        if (--device->n_inflight == 0)
                life->busy_ns += now - device->busy_since;
        __atomic_store_n(&device->counters->inflight, device->n_inflight, __ATOMIC_RELAXED);
        if (slot->sqe.opcode == NVME_IO_READ) {
                nvme_count(&device->counters->read_ops, 1);
                life->reads++;
                if (!slot->outcome) {
                        nvme_count(&device->counters->read_bytes, bytes);
                        life->read_bytes += bytes;
                }
        } else if (slot->sqe.opcode == NVME_IO_WRITE) {
                nvme_count(&device->counters->write_ops, 1);
                life->writes++;
                if (!slot->outcome) {
                        nvme_count(&device->counters->write_bytes, bytes);
                        life->write_bytes += bytes;
                }
        } else if (slot->sqe.opcode == NVME_IO_COPY) {
                account_copy(command);
        } else {
                nvme_count(&device->counters->other_ops, 1);
                if (slot->sqe.opcode == NVME_IO_COMPARE) { /* [5.14.1.2] it is a read in the controller's own figures */
                        life->reads++;
                        life->read_bytes += slot->outcome ? 0 : bytes;
                }
        }
}

/* A command that names blocks. */
static bool has_blocks(const struct nvme_slot *slot) {
        switch (slot->sqe.opcode) {
        case NVME_IO_WRITE:
        case NVME_IO_READ:
        case NVME_IO_WRITE_UNCORRECTABLE:
        case NVME_IO_COMPARE:
        case NVME_IO_WRITE_ZEROES:
        case NVME_IO_VERIFY:
        case NVME_IO_COPY:
                return slot->sq_id != 0;
        default:
                return false;
        }
}

/* [5.14.1.1] The first one that the error is of, as far as that is known. */
static uint64_t failed_block(const struct nvme_command *command) {
        const struct nvme_device *device = command->device;
        const struct nvme_slot *slot = nvme_slot(command);
        const struct nvme_namespace *ns = &device->image->namespaces[(slot->sqe.nsid - 1) % NVME_NAMESPACES];
        const uint64_t first = nvme_first_block(&slot->sqe);
        const uint32_t status = slot->outcome & 0x7ff;
        struct nvme_marked marked;

        if (slot->sqe.opcode == NVME_IO_COPY)
                return nvme_copy_failed_block(command);
        if (status == NVME_SC_READ_ERROR && nvme_marks_find(device, ns, first, nvme_block_count(&slot->sqe), &marked))
                return marked.block;
        if ((status == NVME_SC_READ_ERROR || status == NVME_SC_COMPARE_FAILURE) && slot->sqe.opcode != NVME_IO_READ)
                return first + (command->progress >> ns->block_shift);
        return first;
}

static void account_error(struct nvme_command *command) {
        struct nvme_device *device = command->device;
        const struct nvme_slot *slot = nvme_slot(command);
        const struct nvme_sqe *sqe = &slot->sqe;
        struct nvme_error_entry entry = {
                .sq_id = slot->sq_id,
                .cid = sqe->cid,
                .status = (uint16_t)(nvme_status(slot->outcome) << 1),
                .location = (uint16_t)(slot->outcome >> 16),
                .nsid = sqe->nsid,
        };

        if (has_blocks(slot))
                entry.lba = failed_block(command);
        nvme_count(&device->counters->errors, 1);
        nvme_log_error(device, &entry);
}

void nvme_complete(struct nvme_command *command, uint32_t outcome, uint32_t result) {
        struct nvme_device *device = command->device;
        struct nvme_slot *slot = nvme_slot(command);

        slot->outcome = outcome;
        slot->result = result;
        if (outcome && slot->sq_id && slot->sqe.opcode == NVME_IO_COPY)
                slot->result = nvme_copy_ranges_done(command);
        slot->posted = UINT64_MAX;
        __atomic_store_n(&slot->state, NVME_SLOT_DONE, __ATOMIC_RELEASE);
        if (slot->sq_id)
                account_io(command);
        else
                nvme_count(&device->counters->admin_ops, 1);
        if (outcome)
                account_error(command);
        uint16_t aborter = slot->aborter;
        nvme_post(command);
        if (aborter)
                nvme_complete(&device->commands[aborter - 1], 0, outcome != NVME_ERROR(NVME_SC_ABORT_REQUESTED, NVME_NOWHERE));
}

static void request_end(struct nvme_command *command, int error) {
        struct nvme_device *device = command->device;
        struct nvme_slot *slot = nvme_slot(command);

        device->n_media--;
        command->is_fenced = false;
        if (slot->state == NVME_SLOT_ORPHAN) {
                nvme_format_orphan(command, error);
                nvme_slot_free(command);
        } else {
                unsigned int sq_id = slot->sq_id;

                slot->state = NVME_SLOT_FETCHED;
                device->image->sqs[sq_id].n_media--;
                if (sq_id)
                        nvme_io_advance(command, error);
                else
                        nvme_admin_advance(command, error);
                if (device->image->sqs[sq_id].deleting)
                        nvme_delete_sq_finish(device, sq_id);
        }
}

static void media_done(struct vpc_io *io, int error) {
        struct nvme_command *command = (struct nvme_command *)((char *)io - offsetof(struct nvme_command, io));
        struct nvme_device *device = command->device;

        nvme_memory_check(device);
        nvme_clock(device);
        command->waited_ns += io->waited_ns;
        request_end(command, error);
        nvme_event_later(device);
}

void nvme_media_ended(struct nvme_device *device) {
        struct nvme_command *command = NULL;

        while ((command = nvme_list_take(device, &device->ended))) {
                device->has_ended = true;
                request_end(command, command->error);
        }
}

void nvme_media_submit(struct nvme_command *command, unsigned int medium) {
        struct nvme_device *device = command->device;
        struct nvme_slot *slot = nvme_slot(command);

        slot->state = NVME_SLOT_MEDIA;
        slot->medium = (uint16_t)medium;
        device->image->sqs[slot->sq_id].n_media++;
        device->n_media++;
        command->io.done = media_done;
        command->io.waited_ns = 0;
        if (device->host->io_try && device->host->io_try(device->host->context, medium, &command->io, &command->error)) {
                nvme_list_append(device, &device->ended, command);
                return;
        }
        device->host->io_submit(device->host->context, medium, &command->io);
}

void nvme_slots_drop(struct nvme_device *device) {
        nvme_media_ended(device); /* so that what is at media has not ended */
        nvme_life_update(device);
        device->n_inflight = 0;
        __atomic_store_n(&device->counters->inflight, 0, __ATOMIC_RELAXED);
        device->free_io = device->free_admin = (struct nvme_list){NVME_NONE, NVME_NONE};
        for (unsigned int q = 0; q < NVME_QUEUES; q++)
                device->held[q] = (struct nvme_list){NVME_NONE, NVME_NONE};
        for (unsigned int i = nvme_slot_next(device->image, 0); i < NVME_SLOTS; i = nvme_slot_next(device->image, i + 1)) {
                struct nvme_command *command = &device->commands[i];
                struct nvme_slot *slot = nvme_slot(command);

                /* Before nvme_resume() nothing of this process is at a medium. */
                if (!device->needs_resume && (slot->state == NVME_SLOT_MEDIA || slot->state == NVME_SLOT_ORPHAN))
                        slot->state = NVME_SLOT_ORPHAN;
                else
                        nvme_slot_free(command);
        }
        device->needs_resume = false;
        device->format_waits = 0;
}
