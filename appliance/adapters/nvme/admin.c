/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The admin command set [5]: which command goes where. */
#include "adapters/nvme/nvme.h"

static struct nvme_command *command_find(struct nvme_device *device, uint32_t sq_id, uint32_t cid) {
        const struct nvme_image *image = device->image;
        const unsigned int first = sq_id ? NVME_ADMIN_SLOTS : 0, n = sq_id ? image->n_io_slots : image->n_admin_slots;

        for (unsigned int i = first; i < first + n; i++) {
                const struct nvme_slot *slot = &device->image->slots[i];

                if ((slot->state == NVME_SLOT_MEDIA || slot->state == NVME_SLOT_EVENT) && slot->sq_id == sq_id &&
                    slot->sqe.cid == cid)
                        return &device->commands[i];
        }
        return NULL;
}

/* A command of many requests can be ended between two of them; a single request that is at its medium ends by itself. */
static bool can_be_ended(const struct nvme_slot *slot) {
        switch (slot->sqe.opcode) {
        case NVME_IO_COMPARE:
        case NVME_IO_VERIFY:
        case NVME_IO_DATASET:
        case NVME_IO_COPY:
                return slot->sq_id != 0;
        case NVME_IO_FLUSH:
                return slot->sq_id != 0 && slot->sqe.nsid == NVME_NSID_ALL;
        default:
                return false;
        }
}

static unsigned int n_aborts(const struct nvme_image *image) {
        unsigned int n = 0;

        for (unsigned int i = 0; i < image->n_admin_slots; i++)
                n += image->slots[i].state == NVME_SLOT_ABORT;
        return n;
}

/* [5.1] Bit 0 of the result: not aborted. An aborted command is completed before its abort is. */
static uint32_t abort_command(struct nvme_command *command, uint32_t *ret_result) {
        struct nvme_device *device = command->device;
        const struct nvme_sqe *sqe = &nvme_slot(command)->sqe;
        struct nvme_command *other = command_find(device, sqe->cdw10 & 0xffff, sqe->cdw10 >> 16);

        *ret_result = 1;
        if (n_aborts(device->image) >= NVME_ABORT_MAX)
                return NVME_ERROR(NVME_SC_ABORT_LIMIT, 0);
        if (!other || nvme_slot(other)->aborter)
                return 0;
        if (nvme_slot(other)->state == NVME_SLOT_EVENT) {
                nvme_complete(other, NVME_ERROR(NVME_SC_ABORT_REQUESTED, NVME_NOWHERE), 0);
                *ret_result = 0;
                return 0;
        }
        if (!can_be_ended(nvme_slot(other)))
                return 0;
        nvme_slot(other)->verdict = NVME_ERROR(NVME_SC_ABORT_REQUESTED, NVME_NOWHERE);
        nvme_slot(other)->aborter = (uint16_t)(command->index + 1);
        nvme_slot(command)->state = NVME_SLOT_ABORT;
        return NVME_LATER;
}

static uint32_t dispatch(struct nvme_command *command, uint32_t *ret_result) {
        switch (nvme_slot(command)->sqe.opcode) {
        case NVME_ADMIN_DELETE_SQ:
                return nvme_delete_sq(command);
        case NVME_ADMIN_CREATE_SQ:
                return nvme_create_sq(command);
        case NVME_ADMIN_GET_LOG:
                return nvme_get_log(command);
        case NVME_ADMIN_DELETE_CQ:
                return nvme_delete_cq(command);
        case NVME_ADMIN_CREATE_CQ:
                return nvme_create_cq(command);
        case NVME_ADMIN_IDENTIFY:
                return nvme_identify(command);
        case NVME_ADMIN_ABORT:
                return abort_command(command, ret_result);
        case NVME_ADMIN_SET_FEATURES:
                return nvme_set_features(command, ret_result);
        case NVME_ADMIN_GET_FEATURES:
                return nvme_get_features(command, ret_result);
        case NVME_ADMIN_AER:
                return nvme_event_request(command);
        case NVME_ADMIN_SELF_TEST:
                return nvme_self_test_start(command);
        case NVME_ADMIN_FORMAT:
                return nvme_format_start(command);
        case NVME_ADMIN_DOORBELL_BUFFER:
                return nvme_doorbell_buffer(command);
        default:
                return NVME_ERROR(NVME_SC_INVALID_OPCODE | NVME_DNR, 0);
        }
}

void nvme_admin_execute(struct nvme_command *command) {
        uint32_t result = 0, outcome = nvme_check_flags(&nvme_slot(command)->sqe, true);

        if (!outcome)
                outcome = dispatch(command, &result);
        if (outcome != NVME_LATER)
                nvme_complete(command, outcome, outcome ? 0 : result);
}

/* Format and the write cache's end are what goes to media. */
void nvme_admin_advance(struct nvme_command *command, int error) {
        const bool is_format = nvme_slot(command)->sqe.opcode == NVME_ADMIN_FORMAT;
        uint32_t outcome = is_format ? nvme_format_next(command, error) : nvme_write_cache_next(command, error);

        if (outcome != NVME_LATER)
                nvme_complete(command, outcome, 0);
}
