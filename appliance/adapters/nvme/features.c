/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Get and Set Features [5.13], [5.21]. No feature is saveable: all return to their defaults at a reset [7.8], but for LBA range
 * types, which [5.21] wants to persist where they cannot be saved. */
#include <string.h>

#include "adapters/nvme/nvme.h"

/* `mask`: bits of dword 11 that the host may set and gets back. */
static const struct feature {
        uint32_t mask, initial;
        bool exists, is_fixed, is_per_namespace;
} features[NVME_FEAT_COUNT] = {
        [NVME_FEAT_ARBITRATION] = {.exists = true, .mask = 0xffffff07, .initial = 3},
        [NVME_FEAT_POWER] = {.exists = true, .mask = 0xff},
        [NVME_FEAT_TEMPERATURE] = {.exists = true, .mask = 0xffff, .initial = NVME_WCTEMP},
        [NVME_FEAT_ERROR_RECOVERY] = {.exists = true, .mask = 0xffff, .is_per_namespace = true},
        [NVME_FEAT_WRITE_CACHE] = {.exists = true, .mask = 1, .initial = 1},
        [NVME_FEAT_QUEUES] = {.exists = true, .initial = (NVME_QUEUES - 2) << 16 | (NVME_QUEUES - 2)}, /* 0's based */
        [NVME_FEAT_COALESCING] = {.exists = true, .mask = 0xffff},
        [NVME_FEAT_VECTOR] = {.exists = true, .mask = 0x1ffff},
        [NVME_FEAT_ATOMICITY] = {.exists = true, .mask = 1},
        [NVME_FEAT_EVENTS] = {.exists = true, .mask = 0x1f | NVME_EVENTS_NAMESPACE},
        [NVME_FEAT_LBA_RANGE] = {.exists = true, .is_per_namespace = true},
        [NVME_FEAT_POWER_STATES] = {.exists = true, .mask = 1},
        [NVME_FEAT_TIMESTAMP] = {.exists = true},
        [NVME_FEAT_HOST_BEHAVIOR] = {.exists = true},
};
static const struct feature host_id = {.exists = true};
/* [5.21.1.25] [5.21.1.26] of namespaces that are shared */
static const struct feature of_reservations = {.exists = true, .is_per_namespace = true};
#define NOTICE_MASK 0xeu

void nvme_features_reset(struct nvme_image *image) {
        for (unsigned int i = 0; i < NVME_FEAT_COUNT; i++)
                image->features[i] = features[i].initial;
        image->temperature_under = 0;
        image->advanced_retry = 0;
        memset(image->host_id, 0, sizeof(image->host_id));
        image->is_host_extended = 0;
        image->coalescing_disabled = 0;
        for (unsigned int i = 0; i < image->n_namespaces; i++) {
                if (!image->namespaces[i].blocks)
                        continue;
                image->namespaces[i].error_recovery = 0;
                image->namespaces[i].notice_mask = 0;
        }
}

static const struct feature *feature_find(uint32_t id) {
        if (id == NVME_FEAT_HOST_ID)
                return &host_id;
        if (id == NVME_FEAT_RESERVATION_MASK || id == NVME_FEAT_RESERVATION_PERSISTENCE)
                return &of_reservations;
        return id < NVME_FEAT_COUNT && features[id].exists ? &features[id] : NULL;
}

/* [5.21.1.4] the composite temperature is the only sensor: TMPSEL 0; THSEL 0 over, 1 under. */
static uint32_t get_temperature(const struct nvme_image *image, uint32_t dw11, bool current, uint32_t *ret_result) {
        uint32_t sensor = dw11 >> 16 & 15, kind = dw11 >> 20 & 3;

        if (sensor || kind > 1)
                return NVME_INVALID_FIELD(46);
        if (kind == 1)
                *ret_result = current ? image->temperature_under : 0;
        return 0;
}

/* Values that are not one for all: of a namespace, a vector, a sensor. */
static uint32_t get_special(const struct nvme_image *image, const struct nvme_sqe *sqe, uint32_t id, bool current,
                            uint32_t *ret_result) {
        uint32_t outcome = 0, vector = sqe->cdw11 & 0xffff;
        const struct nvme_namespace *ns;

        switch (id) {
        case NVME_FEAT_TEMPERATURE:
                return get_temperature(image, sqe->cdw11, current, ret_result);
        case NVME_FEAT_ERROR_RECOVERY:
                ns = nvme_namespace_get(image, sqe->nsid, &outcome);
                if (ns && current)
                        *ret_result = ns->error_recovery;
                return outcome;
        case NVME_FEAT_VECTOR:
                if (vector >= NVME_VECTORS)
                        return NVME_INVALID_FIELD(44);
                *ret_result = vector | (current ? (uint32_t)(image->coalescing_disabled >> vector & 1) << 16 : 0);
                return 0;
        default:
                return 0;
        }
}

static uint32_t get_reservations(struct nvme_device *device, const struct nvme_sqe *sqe, bool current, uint32_t *ret_result) {
        struct vpc_reservation reservation;
        uint32_t outcome = 0;
        const struct nvme_namespace *ns = nvme_namespace_get(device->image, sqe->nsid, &outcome);

        if (!ns)
                return outcome;
        if (!(device->image->shared >> (sqe->nsid - 1) & 1))
                return NVME_INVALID_FIELD(4);
        *ret_result = 0;
        if (!current)
                return 0;
        if ((sqe->cdw10 & 0xff) == NVME_FEAT_RESERVATION_MASK) {
                *ret_result = ns->notice_mask;
                return 0;
        }
        if (!nvme_reservation_read(device, sqe->nsid, &reservation))
                return NVME_ERROR(NVME_SC_NAMESPACE_NOT_READY, 4);
        *ret_result = reservation.persists;
        return 0;
}

uint32_t nvme_get_features(struct nvme_command *command, uint32_t *ret_result) {
        const struct nvme_image *image = command->device->image;
        const struct nvme_sqe *sqe = &nvme_slot(command)->sqe;
        uint32_t id = sqe->cdw10 & 0xff, select = sqe->cdw10 >> 8 & 7;
        const struct feature *f = feature_find(id);

        if (!f || select > 3)
                return NVME_INVALID_FIELD(f ? 41 : 40);
        if (select == 3) { /* capabilities [5.13.1]: bit 0 saveable, 1 per namespace, 2 changeable */
                *ret_result = (uint32_t)f->is_per_namespace << 1 | (uint32_t)!f->is_fixed << 2;
                return 0;
        }
        if (f == &of_reservations)
                return get_reservations(command->device, sqe, select == 0, ret_result);
        if (id == NVME_FEAT_POWER_STATES)
                *ret_result = select == 0 ? image->features[id] : f->initial;
        if (nvme_feature_has_data(id))
                return nvme_feature_data_get(command, id, select == 0, ret_result);
        /* The saved value of what cannot be saved is the default. */
        *ret_result = select == 0 ? image->features[id] : f->initial;
        return get_special(image, sqe, id, select == 0, ret_result);
}

/* Both thresholds may change whether the temperature is within them [5.14.1.2]. */
static uint32_t set_temperature(struct nvme_device *device, uint32_t dw11) {
        struct nvme_image *image = device->image;
        uint32_t sensor = dw11 >> 16 & 15, kind = dw11 >> 20 & 3;
        uint8_t before = nvme_critical_warning(image);

        if ((sensor && sensor != 15) || kind > 1)
                return NVME_INVALID_FIELD(46);
        if (kind == 1)
                image->temperature_under = dw11 & 0xffff;
        else
                image->features[NVME_FEAT_TEMPERATURE] = dw11 & 0xffff;
        if (nvme_critical_warning(image) & ~before & image->features[NVME_FEAT_EVENTS])
                nvme_event_raise(device, NVME_EVENT_SMART, NVME_EVENT_SMART_TEMPERATURE);
        return 0;
}

/* [5.21.1.5] DULBE is not offered by NSFEAT. */
static uint32_t set_error_recovery(struct nvme_image *image, const struct nvme_sqe *sqe) {
        uint32_t outcome = 0;

        if (sqe->cdw11 & 1u << 16)
                return NVME_INVALID_FIELD(46);
        if (sqe->nsid != NVME_NSID_ALL && !nvme_namespace_get(image, sqe->nsid, &outcome))
                return outcome;
        for (unsigned int i = 0; i < image->n_namespaces; i++)
                if (image->namespaces[i].blocks && (sqe->nsid == NVME_NSID_ALL || sqe->nsid == i + 1))
                        image->namespaces[i].error_recovery = sqe->cdw11 & 0xffff;
        return 0;
}

/* [5.21.1.7] All queues are there whatever is asked for; only before the first is made. */
static uint32_t set_queues(const struct nvme_image *image, uint32_t dw11, uint32_t *ret_result) {
        if ((dw11 & 0xffff) == 0xffff || dw11 >> 16 == 0xffff)
                return NVME_INVALID_FIELD(44);
        for (unsigned int i = 1; i < NVME_QUEUES; i++)
                if (image->sqs[i].size || image->cqs[i].size)
                        return NVME_ERROR(NVME_SC_SEQUENCE_ERROR | NVME_DNR, 40);
        *ret_result = image->features[NVME_FEAT_QUEUES];
        return 0;
}

static uint32_t set_vector(struct nvme_image *image, uint32_t dw11) {
        uint32_t vector = dw11 & 0xffff;

        if (vector >= NVME_VECTORS)
                return NVME_INVALID_FIELD(44);
        image->coalescing_disabled &= ~(UINT64_C(1) << vector);
        image->coalescing_disabled |= (uint64_t)(dw11 >> 16 & 1) << vector;
        return 0;
}

/* [5.21.1.25] ffffffffh: all that are shared */
static uint32_t set_notice_mask(struct nvme_image *image, const struct nvme_sqe *sqe) {
        uint32_t outcome = 0;

        if (sqe->nsid != NVME_NSID_ALL && !nvme_namespace_get(image, sqe->nsid, &outcome))
                return outcome;
        if (sqe->nsid != NVME_NSID_ALL && !(image->shared >> (sqe->nsid - 1) & 1))
                return NVME_INVALID_FIELD(4);
        for (unsigned int i = 0; i < image->n_namespaces; i++)
                if (image->shared >> i & 1 && (sqe->nsid == NVME_NSID_ALL || sqe->nsid == i + 1))
                        image->namespaces[i].notice_mask = sqe->cdw11 & NOTICE_MASK;
        return 0;
}

/*
 * [5.21.1.6] What is in the cache when it is turned off goes to the media, too. It is off from now on, even where
 * that fails, so that no write slips in between; a process that takes over does all of it again.
 */
static uint32_t set_write_cache(struct nvme_command *command) {
        const uint32_t is_on = nvme_slot(command)->sqe.cdw11 & 1;

        command->device->image->features[NVME_FEAT_WRITE_CACHE] = is_on;
        return is_on ? 0 : nvme_flush_all(command);
}

uint32_t nvme_write_cache_next(struct nvme_command *command, int error) {
        return error < 0 ? nvme_media_error(command->device, false, error) : nvme_flush_next(command);
}

uint32_t nvme_set_features(struct nvme_command *command, uint32_t *ret_result) {
        struct nvme_image *image = command->device->image;
        const struct nvme_sqe *sqe = &nvme_slot(command)->sqe;
        uint32_t id = sqe->cdw10 & 0xff;
        const struct feature *f = feature_find(id);

        if (!f)
                return NVME_INVALID_FIELD(40);
        if (sqe->cdw10 & 1u << 31)
                return NVME_ERROR(NVME_SC_FEATURE_NOT_SAVEABLE | NVME_DNR, 43);
        if (!f->is_per_namespace && sqe->nsid && sqe->nsid != NVME_NSID_ALL)
                return NVME_ERROR(NVME_SC_FEATURE_NOT_PER_NS | NVME_DNR, 4);
        if (nvme_feature_has_data(id))
                return nvme_feature_data_set(command, id);
        switch (id) {
        case NVME_FEAT_POWER: /* [5.21.1.2] NPSS is 0 */
                if (sqe->cdw11 & 0x1f)
                        return NVME_INVALID_FIELD(44);
                break;
        case NVME_FEAT_TEMPERATURE:
                return set_temperature(command->device, sqe->cdw11);
        case NVME_FEAT_ERROR_RECOVERY:
                return set_error_recovery(image, sqe);
        case NVME_FEAT_WRITE_CACHE:
                return set_write_cache(command);
        case NVME_FEAT_QUEUES:
                return set_queues(image, sqe->cdw11, ret_result);
        case NVME_FEAT_VECTOR:
                return set_vector(image, sqe->cdw11);
        case NVME_FEAT_RESERVATION_MASK:
                return set_notice_mask(image, sqe);
        case NVME_FEAT_RESERVATION_PERSISTENCE:
                return nvme_reserve_start(command);
        default:
                break;
        }
        image->features[id] = sqe->cdw11 & f->mask;
        return 0;
}
