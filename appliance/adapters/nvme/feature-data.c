/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Features whose value is a data structure [5.21.1]: LBA range type, power state transitions, timestamp, host behavior, host id.
 */
#include <string.h>

#include "adapters/nvme/nvme.h"

#define RANGES_SIZE 4096u
#define TRANSITIONS_SIZE 256u
#define BEHAVIOR_SIZE 512u
#define TIMESTAMP_MASK ((UINT64_C(1) << 48) - 1)

bool nvme_feature_has_data(uint32_t id) {
        return id == NVME_FEAT_LBA_RANGE || id == NVME_FEAT_POWER_STATES || id == NVME_FEAT_TIMESTAMP ||
               id == NVME_FEAT_HOST_BEHAVIOR || id == NVME_FEAT_HOST_ID;
}

static bool is_zero(const unsigned char *p, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (p[i])
                        return false;
        return true;
}

/* ---- LBA range type [5.21.1.3]: there is one range, all of the namespace, until the host says something else of one ---- */

struct lba_range {
        uint8_t type, attributes, reserved[14];
        uint64_t first, blocks; /* blocks: 0's based */
        uint8_t guid[16], reserved2[16];
};
_Static_assert(sizeof(struct lba_range) == 64, "[5.21.1.3]");

static uint32_t ranges_get(const struct nvme_command *command, bool current, unsigned char *data, uint32_t *ret_result) {
        const struct nvme_sqe *sqe = &nvme_slot(command)->sqe;
        uint32_t outcome = 0;
        const struct nvme_namespace *ns = nvme_namespace_get(command->device->image, sqe->nsid, &outcome);

        if (!ns)
                return outcome;
        const struct lba_range initial = {.attributes = 1 /* may be overwritten */, .blocks = ns->blocks - 1};
        if (current && !is_zero(ns->range, sizeof(ns->range)))
                memcpy(data, ns->range, sizeof(ns->range));
        else
                memcpy(data, &initial, sizeof(initial));
        *ret_result = 0; /* NUM, 0's based */
        return 0;
}

static uint32_t ranges_set(struct nvme_command *command, const unsigned char *data) {
        struct nvme_image *image = command->device->image;
        const struct nvme_sqe *sqe = &nvme_slot(command)->sqe;
        struct lba_range range;
        uint32_t outcome = 0;
        const struct nvme_namespace *ns = nvme_namespace_get(image, sqe->nsid, &outcome);

        if (sqe->nsid == NVME_NSID_ALL) /* [NVM Command Set 1.0, 4.1.3.1] the one feature of namespaces that is not for all */
                return NVME_INVALID_FIELD(4);
        if (!ns)
                return outcome;
        if (sqe->cdw11 & 0x3f) /* one range is all that there is room for */
                return NVME_INVALID_FIELD(44);
        memcpy(&range, data, sizeof(range));
        if (range.first >= ns->blocks || range.blocks >= ns->blocks - range.first)
                return NVME_ERROR(NVME_SC_LBA_OUT_OF_RANGE | NVME_DNR, 24);
        memcpy(image->namespaces[sqe->nsid - 1].range, &range, sizeof(range));
        return 0;
}

/* ---- timestamp [5.21.1.14]: ms in bits 47:0; origin in 51:49: 0 since the reset, 1 as the host has set it ---- */

static uint64_t timestamp(struct nvme_device *device) {
        const struct nvme_timestamp *t = &device->image->timestamp;
        uint64_t ms = t->ms + (nvme_clock(device) - t->clock_ns) / 1000000;

        return (ms & TIMESTAMP_MASK) | (uint64_t)t->origin << 49;
}

static void timestamp_set(struct nvme_device *device, const unsigned char *data) {
        uint64_t value;

        memcpy(&value, data, sizeof(value));
        device->image->timestamp =
                (struct nvme_timestamp){.ms = value & TIMESTAMP_MASK, .clock_ns = nvme_clock(device), .origin = 1};
}

/* ---- host identifier [5.21.1.21]: set once, until the next reset ---- */

static uint32_t host_id_size(const struct nvme_sqe *sqe) {
        return sqe->cdw11 & 1 ? 16 : 8; /* EXHID */
}

static uint32_t host_id_set(struct nvme_device *device, const struct nvme_sqe *sqe, const unsigned char *data) {
        struct nvme_image *image = device->image;
        uint8_t id[16] = {0};

        memcpy(id, data, host_id_size(sqe));
        if (!is_zero(image->host_id, sizeof(id)) && memcmp(image->host_id, id, sizeof(id)) != 0)
                return NVME_ERROR(NVME_SC_SEQUENCE_ERROR | NVME_DNR, NVME_NOWHERE);
        memcpy(image->host_id, id, sizeof(id));
        image->is_host_extended = host_id_size(sqe) == 16 && !is_zero(id, sizeof(id));
        memset(device->rights, 0, sizeof(device->rights)); /* it is another host */
        return 0;
}

static uint32_t size_of(uint32_t id, const struct nvme_sqe *sqe) {
        switch (id) {
        case NVME_FEAT_LBA_RANGE:
                return RANGES_SIZE;
        case NVME_FEAT_POWER_STATES:
                return TRANSITIONS_SIZE;
        case NVME_FEAT_TIMESTAMP:
                return sizeof(uint64_t);
        case NVME_FEAT_HOST_BEHAVIOR:
                return BEHAVIOR_SIZE;
        default:
                return host_id_size(sqe);
        }
}

uint32_t nvme_feature_data_get(struct nvme_command *command, uint32_t id, bool current, uint32_t *ret_result) {
        struct nvme_device *device = command->device;
        const struct nvme_image *image = device->image;
        const struct nvme_sqe *sqe = &nvme_slot(command)->sqe;
        uint32_t size = size_of(id, sqe), outcome = 0;
        uint64_t now = timestamp(device);

        memset(device->data, 0, size);
        if (id == NVME_FEAT_LBA_RANGE)
                outcome = ranges_get(command, current, device->data, ret_result);
        else if (id == NVME_FEAT_TIMESTAMP && current)
                memcpy(device->data, &now, sizeof(now));
        else if (id == NVME_FEAT_HOST_BEHAVIOR && current)
                device->data[0] = image->advanced_retry;
        else if (id == NVME_FEAT_HOST_ID && current)
                memcpy(device->data, image->host_id, size);
        return outcome ? outcome : nvme_data_send(command, device->data, size, size);
}

uint32_t nvme_feature_data_set(struct nvme_command *command, uint32_t id) {
        struct nvme_device *device = command->device;
        struct nvme_image *image = device->image;
        const struct nvme_sqe *sqe = &nvme_slot(command)->sqe;
        uint32_t outcome = nvme_data_receive(command, device->data, size_of(id, sqe));

        if (outcome)
                return outcome;
        switch (id) {
        case NVME_FEAT_LBA_RANGE:
                return ranges_set(command, device->data);
        case NVME_FEAT_POWER_STATES: /* [5.21.1.12] there is one power state, so nothing to go to */
                if (!is_zero(device->data, TRANSITIONS_SIZE))
                        return NVME_INVALID_FIELD(24);
                image->features[NVME_FEAT_POWER_STATES] = sqe->cdw11 & 1;
                return 0;
        case NVME_FEAT_TIMESTAMP:
                timestamp_set(device, device->data);
                return 0;
        case NVME_FEAT_HOST_BEHAVIOR: /* [5.21.1.22] */
                if (device->data[0] > 1)
                        return NVME_INVALID_FIELD(24);
                image->advanced_retry = device->data[0];
                return 0;
        default:
                return host_id_set(device, sqe, device->data);
        }
}
