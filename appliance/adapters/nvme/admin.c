/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The admin command set [5]: which command goes where. */
#include "adapters/nvme/nvme.h"

/*
 * [5.1] A request at a medium cannot be called back, and whatever else is under way ends by itself: only an asynchronous event
 * request can be aborted. Bit 0 of the result: not aborted.
 */
static uint32_t abort_command(struct nvme_command *command, uint32_t *ret_result) {
        struct nvme_device *device = command->device;
        uint32_t sq_id = nvme_slot(command)->sqe.cdw10 & 0xffff, cid = nvme_slot(command)->sqe.cdw10 >> 16;

        *ret_result = 1;
        for (unsigned int i = NVME_IO_SLOTS; sq_id == 0 && i < NVME_SLOTS; i++) {
                struct nvme_command *other = &device->commands[i];

                if (nvme_slot(other)->state == NVME_SLOT_EVENT && nvme_slot(other)->sqe.cid == cid) {
                        nvme_complete(other, NVME_ERROR(NVME_SC_ABORT_REQUESTED, NVME_NOWHERE), 0);
                        *ret_result = 0;
                        break;
                }
        }
        return 0;
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
