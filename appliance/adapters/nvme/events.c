/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asynchronous events [5.2]: an event is reported once to a waiting request; its type is then masked until the log page is read.
 */
#include "adapters/nvme/nvme.h"

static const uint8_t log_pages[NVME_EVENT_TYPES] = {
        [NVME_EVENT_ERROR] = NVME_LOG_ERROR,
        [NVME_EVENT_SMART] = NVME_LOG_SMART,
        [NVME_EVENT_NOTICE] = NVME_LOG_CHANGED_NS,
        [NVME_EVENT_COMMAND_SET] = NVME_LOG_RESERVATION,
};

/* The request that waits longest. */
static struct nvme_command *waiting(struct nvme_device *device, unsigned int *ret_n) {
        struct nvme_command *oldest = NULL;

        *ret_n = 0;
        for (unsigned int i = 0; i < device->image->n_admin_slots; i++) {
                struct nvme_command *command = &device->commands[i];

                if (nvme_slot(command)->state != NVME_SLOT_EVENT)
                        continue;
                ++*ret_n;
                if (!oldest || nvme_slot(command)->fetched < nvme_slot(oldest)->fetched)
                        oldest = command;
        }
        return oldest;
}

void nvme_events_report(struct nvme_device *device) {
        for (unsigned int type = 0; type < NVME_EVENT_TYPES; type++) {
                struct nvme_event *event = &device->image->events[type];
                unsigned int n;

                if (!event->pending || event->masked)
                        continue;
                struct nvme_command *command = waiting(device, &n);
                if (!command)
                        return;
                unsigned int information = (unsigned int)__builtin_ctz(event->pending);
                /* Reported before it is forgotten: rather twice, where the process dies in between, than never. */
                nvme_complete(command, 0, type | information << 8 | (uint32_t)log_pages[type] << 16);
                event->pending &= event->pending - 1;
                event->masked = 1;
        }
}

uint32_t nvme_event_request(struct nvme_command *command) {
        unsigned int n;

        waiting(command->device, &n);
        if (n >= NVME_AER_MAX)
                return NVME_ERROR(NVME_SC_AER_LIMIT | NVME_DNR, 0);
        nvme_slot(command)->state = NVME_SLOT_EVENT;
        nvme_events_report(command->device);
        return NVME_LATER;
}

void nvme_event_raise(struct nvme_device *device, unsigned int type, unsigned int information) {
        device->image->events[type].pending |= 1u << information;
        nvme_events_report(device);
}

void nvme_event_clear(struct nvme_device *device, unsigned int type) {
        device->image->events[type] = (struct nvme_event){0};
}
