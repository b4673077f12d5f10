/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The reservation notification log [5.14.1.16.1]: what happened to reservations by what other hosts did, one at a time. */
#include <string.h>

#include "adapters/nvme/nvme.h"

void nvme_notice_add(struct nvme_device *device, uint32_t nsid, unsigned int type) {
        struct nvme_image *image = device->image;

        if (image->namespaces[nsid - 1].notice_mask >> type & 1)
                return;
        if (image->n_notices == NVME_NOTICES)
                memmove(image->notices, image->notices + 1, --image->n_notices * sizeof(image->notices[0]));
        if (++image->notice_count == 0) /* it is never 0 */
                image->notice_count = 1;
        image->notices[image->n_notices] = (struct nvme_notice){.count = image->notice_count, .nsid = nsid, .type = type};
        image->n_notices++;
        nvme_event_raise(device, NVME_EVENT_COMMAND_SET, NVME_EVENT_COMMAND_SET_RESERVATION);
}

/* The oldest; of an empty log zeroes. */
size_t nvme_notice_log(const struct nvme_image *image, unsigned char *d) {
        const struct nvme_notice *notice = &image->notices[0];

        if (image->n_notices) {
                memcpy(d, &notice->count, sizeof(notice->count));
                d[8] = (unsigned char)notice->type;
                d[9] = (unsigned char)(image->n_notices - 1); /* that are there besides */
                memcpy(d + 12, &notice->nsid, sizeof(notice->nsid));
        }
        return 64;
}

void nvme_notice_done(struct nvme_device *device) {
        struct nvme_image *image = device->image;

        if (image->n_notices)
                memmove(image->notices, image->notices + 1, --image->n_notices * sizeof(image->notices[0]));
        nvme_event_clear(device, NVME_EVENT_COMMAND_SET);
        if (image->n_notices)
                nvme_event_raise(device, NVME_EVENT_COMMAND_SET, NVME_EVENT_COMMAND_SET_RESERVATION);
}
