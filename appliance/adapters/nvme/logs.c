/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Get Log Page [5.14]. */
#include <string.h>

#include "adapters/nvme/nvme.h"

void nvme_log_error(struct nvme_device *device, const struct nvme_error_entry *entry) {
        struct nvme_life *life = &device->image->life;
        const uint64_t count = life->error_count + 1;
        struct nvme_error_entry *to = &device->image->errors[count % NVME_ERROR_ENTRIES];

        /* While it is written it has no number: another process may be reading, or this one be killed. */
        __atomic_store_n(&to->count, 0, __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_RELEASE);
        *to = *entry;
        __atomic_store_n(&to->count, count, __ATOMIC_RELEASE);
        __atomic_store_n(&life->error_count, count, __ATOMIC_RELEASE);
}

/* [5.14.1.1] the newest first */
static size_t log_errors(const struct nvme_image *image, unsigned char *d) {
        const struct nvme_life *life = &image->life;

        for (unsigned int i = 0; i < NVME_ERROR_ENTRIES && i < life->error_count; i++)
                memcpy(d + i * sizeof(image->errors[0]), &image->errors[(life->error_count - i) % NVME_ERROR_ENTRIES],
                       sizeof(image->errors[0]));
        return sizeof(image->errors);
}

uint8_t nvme_critical_warning(const struct nvme_image *image) {
        bool is_hot = NVME_TEMPERATURE >= image->features[NVME_FEAT_TEMPERATURE];

        return is_hot || NVME_TEMPERATURE <= image->temperature_under ? 1 << 1 : 0;
}

static void put128(unsigned char *d, unsigned int offset, uint64_t value) {
        memcpy(d + offset, &value, sizeof(value)); /* the upper half is zero */
}

/* [5.14.1.2] */
static size_t log_smart(struct nvme_device *device, unsigned char *d) {
        const struct nvme_life *life = &device->image->life;
        const uint16_t temperature = NVME_TEMPERATURE;

        nvme_life_update(device);
        d[0] = nvme_critical_warning(device->image);
        memcpy(d + 1, &temperature, sizeof(temperature));
        d[3] = 100; /* available spare, and its threshold: a file does not wear */
        d[4] = 10;
        put128(d, 32, (life->read_bytes + 511999) / 512000);
        put128(d, 48, (life->write_bytes + 511999) / 512000);
        put128(d, 64, life->reads);
        put128(d, 80, life->writes);
        put128(d, 96, life->busy_ns / UINT64_C(60000000000));
        put128(d, 112, device->image->power.cycles + 1);
        put128(d, 128, nvme_powered_hours(device->image, device->now));
        put128(d, 144, life->unsafe_shutdowns);
        put128(d, 160, life->media_errors);
        put128(d, 176, life->error_count);
        return 512;
}

/* [5.14.1.3] slot 1 is active */
static size_t log_firmware(unsigned char *d) {
        d[0] = 1;
        memset(d + 8, ' ', 8);
        memcpy(d + 8, PACKAGE_VERSION, sizeof(PACKAGE_VERSION) - 1 < 8 ? sizeof(PACKAGE_VERSION) - 1 : 8);
        return 512;
}

/* [5.14.1.5] bit 0: supported, bit 1: changes logical blocks */
static size_t log_effects(const struct nvme_device *device, unsigned char *d) {
        static const uint8_t admin[] = {NVME_ADMIN_DELETE_SQ, NVME_ADMIN_CREATE_SQ,    NVME_ADMIN_GET_LOG,
                                        NVME_ADMIN_DELETE_CQ, NVME_ADMIN_CREATE_CQ,    NVME_ADMIN_IDENTIFY,
                                        NVME_ADMIN_ABORT,     NVME_ADMIN_SET_FEATURES, NVME_ADMIN_GET_FEATURES,
                                        NVME_ADMIN_AER,       NVME_ADMIN_SELF_TEST};
        static const struct {
                uint8_t opcode, effects;
        } io[] = {{NVME_IO_FLUSH, 1},          {NVME_IO_WRITE, 3},
                  {NVME_IO_READ, 1},           {NVME_IO_WRITE_UNCORRECTABLE, 3},
                  {NVME_IO_COMPARE, 1},        {NVME_IO_DATASET, 3},
                  {NVME_IO_VERIFY, 1},         {NVME_IO_WRITE_ZEROES, 3},
                  {NVME_IO_COPY, 3},           {NVME_IO_RESERVE_REGISTER, 1},
                  {NVME_IO_RESERVE_REPORT, 1}, {NVME_IO_RESERVE_ACQUIRE, 1},
                  {NVME_IO_RESERVE_RELEASE, 1}};

        for (size_t i = 0; i < sizeof(admin); i++)
                d[(size_t)admin[i] * 4] = 1;
        d[(size_t)NVME_ADMIN_DOORBELL_BUFFER * 4] = !device->host->doorbells; /* as OACS says */
        /* Changes blocks and what the namespace can do [5.14.1.5]; not together with others to the same namespace. */
        const uint32_t format = 1 | 1 << 1 | 1 << 2 | 1 << 16;
        memcpy(d + (size_t)NVME_ADMIN_FORMAT * 4, &format, sizeof(format));
        d += 1024;
        for (size_t i = 0; i < sizeof(io) / sizeof(io[0]); i++)
                d[(size_t)io[i].opcode * 4] = io[i].effects;
        return NVME_DATA_SIZE;
}

/* [5.14.1.4] in order; 64 fit always */
static size_t log_changed(const struct nvme_image *image, unsigned char *d) {
        unsigned int n = 0;

        for (uint32_t nsid = 1; nsid <= NVME_NAMESPACES; nsid++)
                if (image->changed >> (nsid - 1) & 1)
                        memcpy(d + n++ * sizeof(nsid), &nsid, sizeof(nsid));
        return 4096;
}

/* [5.14.1.7] LSP bit 0: create it anew. What was never created is a header that says so. */
static size_t log_telemetry(struct nvme_device *device, bool create, const unsigned char **ret_data) {
        struct nvme_image *image = device->image;

        if (create)
                nvme_telemetry_create(device);
        else if (image->telemetry[0][0] == 0)
                nvme_telemetry_header(image->telemetry[0], NVME_LOG_TELEMETRY_HOST, 0);
        *ret_data = image->telemetry[0];
        return sizeof(image->telemetry);
}

/* A page, in device->data for the most part. Returns its size, 0: there is no such page. */
static size_t build(struct nvme_device *device, const struct nvme_sqe *sqe, const unsigned char **ret_data) {
        memset(device->data, 0, NVME_DATA_SIZE);
        *ret_data = device->data;
        switch (sqe->cdw10 & 0xff) {
        case NVME_LOG_ERROR:
                return log_errors(device->image, device->data);
        case NVME_LOG_SMART:
                return log_smart(device, device->data);
        case NVME_LOG_FIRMWARE:
                return log_firmware(device->data);
        case NVME_LOG_CHANGED_NS:
                return log_changed(device->image, device->data);
        case NVME_LOG_EFFECTS:
                return log_effects(device, device->data);
        case NVME_LOG_SELF_TEST:
                return nvme_self_test_log(device->image, device->data);
        case NVME_LOG_TELEMETRY_HOST:
                return log_telemetry(device, sqe->cdw10 >> 8 & 1, ret_data);
        case NVME_LOG_TELEMETRY_CONTROLLER:
                return nvme_telemetry_header(device->data, NVME_LOG_TELEMETRY_CONTROLLER, 0);
        case NVME_LOG_RESERVATION:
                return nvme_notice_log(device->image, device->data);
        default:
                return 0;
        }
}

/* [5.2] The event is over when the page was read. */
static void was_read(struct nvme_device *device, unsigned int page) {
        if (page == NVME_LOG_ERROR)
                nvme_event_clear(device, NVME_EVENT_ERROR);
        if (page == NVME_LOG_SMART)
                nvme_event_clear(device, NVME_EVENT_SMART);
        if (page == NVME_LOG_RESERVATION)
                nvme_notice_done(device);
        if (page == NVME_LOG_CHANGED_NS) {
                device->image->changed = 0;
                nvme_event_clear(device, NVME_EVENT_NOTICE);
        }
}

/* Telemetry is read in blocks [5.14.1.7]. */
static uint32_t alignment(unsigned int page) {
        return page == NVME_LOG_TELEMETRY_HOST || page == NVME_LOG_TELEMETRY_CONTROLLER ? NVME_TELEMETRY_BLOCK : 4;
}

uint32_t nvme_get_log(struct nvme_command *command) {
        struct nvme_device *device = command->device;
        const struct nvme_sqe *sqe = &nvme_slot(command)->sqe;
        unsigned int page = sqe->cdw10 & 0xff;
        uint64_t length = (((uint64_t)(sqe->cdw11 & 0xffff) << 16 | sqe->cdw10 >> 16) + 1) * 4;
        uint64_t offset = (uint64_t)sqe->cdw13 << 32 | sqe->cdw12;
        bool retain = sqe->cdw10 & 1u << 15;
        const unsigned char *data = NULL;

        if (sqe->nsid && sqe->nsid != NVME_NSID_ALL) /* all of them are of the controller */
                return NVME_INVALID_FIELD(4);
        if (length > NVME_TRANSFER_MAX)
                return NVME_INVALID_FIELD(42);
        if (offset % alignment(page))
                return NVME_INVALID_FIELD(48);
        size_t size = build(device, sqe, &data);
        if (!size)
                return NVME_ERROR(NVME_SC_INVALID_LOG_PAGE | NVME_DNR, 40);
        if (offset > size)
                return NVME_INVALID_FIELD(48);
        uint32_t outcome = nvme_data_send(command, data + offset, size - offset, (uint32_t)length);
        if (!outcome && !retain)
                was_read(device, page);
        return outcome;
}
