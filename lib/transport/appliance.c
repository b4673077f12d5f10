/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening an appliance by its address, and access to its registers. */
#include "appliance.h"

#include <errno.h>
#include <stdarg.h>
#include <time.h>

#include "util.h"

#define DEFAULT_ADDRESS "unix:/run/iov/mgmt.sock"
#define POLL_MS 20

int64_t appliance_now_ms(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int appliance_error(struct iov_appliance *a, int error, const char *format, ...) {
        char text[768];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        iov_log(a->ctx, LOG_ERR, "%s: %s", a->address, text);
        return error;
}

/* A connection that has come to an end is told of once, however many calls it makes fail. */
static int access_failed(struct iov_appliance *a, int error, const char *what, unsigned int bar, uint64_t offset) {
        const char *problem = a->transport->ops->problem(a->transport);

        if (!problem)
                return appliance_error(a, error, "%s of BAR%u at 0x%llx refused: %s", what, bar, (unsigned long long)offset,
                                       strerror(-error));
        if (!a->problem_told)
                appliance_error(a, error, "%s", problem);
        a->problem_told = true;
        return error;
}

static bool is_within(unsigned int bar, uint64_t offset, size_t size) {
        uint64_t limit = bar == 0 ? IOV_BAR0_SIZE : bar == 2 ? IOV_BAR2_SIZE : 0;

        return size <= limit && offset <= limit - size;
}

int iov_read(struct iov_appliance *a, unsigned int bar, uint64_t offset, void *buffer, size_t size) {
        if (!is_within(bar, offset, size))
                return -EINVAL;
        int r = a->transport->ops->read(a->transport, bar, offset, buffer, size);
        return r < 0 ? access_failed(a, r, "read", bar, offset) : 0;
}

int iov_write(struct iov_appliance *a, unsigned int bar, uint64_t offset, const void *buffer, size_t size) {
        if (!is_within(bar, offset, size))
                return -EINVAL;
        int r = a->transport->ops->write(a->transport, bar, offset, buffer, size);
        return r < 0 ? access_failed(a, r, "write", bar, offset) : 0;
}

int appliance_post(struct iov_appliance *a, unsigned int bar, uint64_t offset, const void *buffer, size_t size) {
        if (!is_within(bar, offset, size))
                return -EINVAL;
        int r = a->transport->ops->post(a->transport, bar, offset, buffer, size);
        return r < 0 ? access_failed(a, r, "write", bar, offset) : 0;
}

int iov_read32(struct iov_appliance *a, unsigned int bar, uint64_t offset, uint32_t *ret_value) {
        uint32_t value = 0;
        int r = offset % sizeof(value) ? -EINVAL : iov_read(a, bar, offset, &value, sizeof(value));

        if (r >= 0)
                *ret_value = value;
        return r;
}

int iov_read64(struct iov_appliance *a, unsigned int bar, uint64_t offset, uint64_t *ret_value) {
        uint64_t value = 0;
        int r = offset % sizeof(value) ? -EINVAL : iov_read(a, bar, offset, &value, sizeof(value));

        if (r >= 0)
                *ret_value = value;
        return r;
}

int iov_write32(struct iov_appliance *a, unsigned int bar, uint64_t offset, uint32_t value) {
        return offset % sizeof(value) ? -EINVAL : iov_write(a, bar, offset, &value, sizeof(value));
}

int iov_write64(struct iov_appliance *a, unsigned int bar, uint64_t offset, uint64_t value) {
        return offset % sizeof(value) ? -EINVAL : iov_write(a, bar, offset, &value, sizeof(value));
}

int iov_map_tables(struct iov_appliance *a, const void **ret_tables) {
        return a->transport->ops->map(a->transport, ret_tables);
}

/* Is it an appliance of a kind that we understand? */
static int identity_check(struct iov_appliance *a) {
        uint32_t magic = 0, version = 0, mb_caps = 0;
        int r;

        if ((r = iov_read32(a, 0, IOV_REG_MAGIC, &magic)) < 0 || (r = iov_read32(a, 0, IOV_REG_VERSION, &version)) < 0 ||
            (r = iov_read32(a, 0, IOV_REG_MB_CAPS, &mb_caps)) < 0)
                return r;
        if (magic != IOV_MAGIC)
                return appliance_error(a, -EPROTO, "it is not the management function of an appliance (magic 0x%08x)", magic);
        unsigned int major = version >> IOV_VERSION_MAJOR_SHIFT & ((1u << IOV_VERSION_MAJOR_WIDTH) - 1);
        if (major != IOV_VERSION_MAJOR)
                return appliance_error(a, -EPROTO,
                                       "its register map is version %u, these tools know version %u; use those of its release",
                                       major, IOV_VERSION_MAJOR);
        unsigned int shift = mb_caps >> IOV_MB_CAPS_PAYLOAD_SIZE_SHIFT & ((1u << IOV_MB_CAPS_PAYLOAD_SIZE_WIDTH) - 1);
        /* 256 bytes to 1 MiB, as CXL 3.0 section 8.2.8.4.3; and it has to be within BAR0. */
        if (shift < 8 || shift > 20 || (UINT64_C(1) << shift) > IOV_BAR0_SIZE - IOV_REG_MB_PAYLOAD)
                return appliance_error(a, -EPROTO, "its mailbox has an impossible size (2 to the power of %u)", shift);
        a->payload_size = (size_t)1 << shift;
        a->mailbox_interrupts = mb_caps >> IOV_MB_CAPS_DOORBELL_IRQ_SHIFT & 1;
        return 0;
}

static int ready_wait(struct iov_appliance *a) {
        int64_t deadline = appliance_now_ms() + a->transport->timeout_ms;

        for (;;) {
                uint32_t status = 0;
                int r = iov_read32(a, 0, IOV_REG_STATUS, &status);

                if (r < 0 || (status >> IOV_STATUS_READY_SHIFT & 1))
                        return r;
                if (appliance_now_ms() >= deadline)
                        return appliance_error(a, -ENODEV, "it is still starting; try again, or look into its log");
                r = a->transport->ops->wait(a->transport, POLL_MS);
                if (r < 0)
                        return access_failed(a, r, "wait", 0, IOV_REG_STATUS);
        }
}

static int transport_open(struct iov_appliance *a, int timeout_ms) {
        char why[TRANSPORT_WHY_SIZE] = "";
        int r;

        if (strncmp(a->address, "unix:", 5) == 0) {
                r = transport_unix_open(a->address + 5, timeout_ms, why, &a->transport);
        } else if (strncmp(a->address, "sim:", 4) == 0) {
                r = transport_sim_open(a->ctx, a->address, a->address + 4, timeout_ms, why, &a->transport);
        } else if (strncmp(a->address, "pci:", 4) == 0) {
                r = transport_pci_open(TRANSPORT_SYSFS, a->address + 4, timeout_ms, why, &a->transport);
        } else {
                r = -EINVAL;
                snprintf(why, sizeof(why), "not the address of an appliance, which is unix:PATH, pci:BDF or sim:DIR");
        }
        if (r >= 0)
                return 0;
        appliance_error(a, r, "%s", why);
        /* Something is there, but it does not talk. */
        return r == -ETIMEDOUT || r == -ECONNRESET ? -ENODEV : r;
}

int appliance_open(struct iov_ctx *ctx, const char *address, int timeout_ms, struct iov_appliance **ret_appliance) {
        struct iov_appliance *a = calloc(1, sizeof(*a));

        if (!a)
                return -ENOMEM;
        a->ctx = iov_ref(ctx);
        a->command_ms = TRANSPORT_COMMAND_FACTOR * timeout_ms;
        if (!address)
                address = secure_getenv("IOV_APPLIANCE");
        a->address = strdup(address && *address ? address : DEFAULT_ADDRESS);
        int r = a->address ? transport_open(a, timeout_ms) : -ENOMEM;
        if (r >= 0)
                r = identity_check(a);
        if (r >= 0)
                r = ready_wait(a);
        if (r < 0) {
                iov_close(a);
                return r;
        }
        *ret_appliance = a;
        return 0;
}

int iov_open(struct iov_ctx *ctx, const char *address, struct iov_appliance **ret_appliance) {
        const char *text = secure_getenv("IOV_TIMEOUT");
        struct iov_appliance *a = NULL;
        uint64_t seconds = 0;

        if (text && (iov_count_parse(text, &seconds) < 0 || seconds < 1 || seconds > 3600)) {
                iov_log(ctx, LOG_ERR, "IOV_TIMEOUT: '%s': seconds are wanted, 1 to 3600", text);
                return -EINVAL;
        }
        int r = appliance_open(ctx, address, TRANSPORT_TIMEOUT_MS, &a);
        if (r < 0)
                return r;
        if (seconds)
                a->command_ms = (int)seconds * 1000;
        *ret_appliance = a;
        return 0;
}

void iov_close(struct iov_appliance *a) {
        if (!a)
                return;
        if (a->transport)
                a->transport->ops->close(a->transport);
        free(a->address);
        iov_unref(a->ctx);
        free(a);
}
