/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The mailbox: commands to the appliance, in the shape of CXL 3.0 section 8.2.8.4. */
#include <errno.h>

#include "appliance.h"
#include "util.h"

#define POLL_MS 1
#define TOLD_MS 100                /* with an interrupt that tells */
#define LOG_MAX ((size_t)16 << 20) /* more log text than an appliance keeps */

#define FIELD(REG, NAME, value) ((value) >> IOV_##REG##_##NAME##_SHIFT & ((UINT64_C(1) << IOV_##REG##_##NAME##_WIDTH) - 1))

/* The registers between the capabilities and the payload, which are read together. */
struct __attribute__((packed)) mailbox_registers {
        uint32_t control;
        uint64_t command, status;
};
_Static_assert(IOV_REG_MB_COMMAND == IOV_REG_MB_CONTROL + 4 && IOV_REG_MB_STATUS == IOV_REG_MB_CONTROL + 12, "mailbox registers");

/* The doorbell is mostly clear again by the first look, because the appliance works off a command before it answers the write. */
static int doorbell_wait(struct iov_appliance *a, int64_t deadline, struct mailbox_registers *ret_registers) {
        bool is_told = false;

        for (;;) {
                struct mailbox_registers now = {0};
                int r = iov_read(a, 0, IOV_REG_MB_CONTROL, &now, sizeof(now));

                if (r >= 0 && !FIELD(MB_CONTROL, DOORBELL, (uint64_t)now.control))
                        *ret_registers = now;
                if (r < 0 || !FIELD(MB_CONTROL, DOORBELL, (uint64_t)now.control))
                        return r;
                if (appliance_now_ms() >= deadline)
                        return appliance_error(a, -ETIMEDOUT, "a command is not done after %d s; look into its log",
                                               a->command_ms / 1000);
                /* One that takes longer tells of its end; set up by the first, which looks once more then. */
                bool was_told = is_told;
                is_told = a->mailbox_interrupts && a->transport->ops->get_fd(a->transport) >= 0;
                r = a->transport->ops->wait(a->transport, !is_told ? POLL_MS : was_told ? TOLD_MS : 0);
                if (r < 0)
                        return r;
        }
}

static int doorbell_ring(struct iov_appliance *a, struct mailbox_registers *ret_registers) {
        int usual_ms = a->transport->timeout_ms;
        int64_t deadline = appliance_now_ms() + a->command_ms;

        a->transport->timeout_ms = a->command_ms;
        int r = iov_write32(a, 0, IOV_REG_MB_CONTROL,
                            1u << IOV_MB_CONTROL_DOORBELL_SHIFT | (uint32_t)a->mailbox_interrupts
                                                                          << IOV_MB_CONTROL_DOORBELL_IRQ_SHIFT);
        a->transport->timeout_ms = usual_ms;
        return r < 0 ? r : doorbell_wait(a, deadline, ret_registers);
}

/* Run a command; the request is posted, so that only the doorbell and the look at it are waited for. */
static int command_run(struct iov_appliance *a, uint64_t command, const void *request, size_t request_size,
                       struct mailbox_registers *ret_registers) {
        int r = a->mailbox_free ? 0 : doorbell_wait(a, appliance_now_ms() + a->command_ms, ret_registers);

        a->mailbox_free = false;
        if (r < 0 || (r = appliance_post(a, 0, IOV_REG_MB_PAYLOAD, request, request_size)) < 0 ||
            (r = appliance_post(a, 0, IOV_REG_MB_COMMAND, &command, sizeof(command))) < 0 ||
            (r = doorbell_ring(a, ret_registers)) < 0)
                return r;
        a->mailbox_free = true;
        return 0;
}

/* The appliance's words go to terminals: keep them to one line without control characters. */
static void text_clean(char *text, size_t size) {
        text[size - 1] = 0;
        for (; *text; text++)
                if ((unsigned char)*text < 0x20 || *text == 0x7f)
                        *text = '?';
}

static int command_failed(struct iov_appliance *a, enum iov_opcode opcode, unsigned int code, size_t length,
                          struct iov_mb_error *ret_error) {
        struct iov_mb_error *errors = a->reasons;
        int r;

        if (length > sizeof(a->reasons))
                length = sizeof(a->reasons);
        memset(errors, 0, sizeof(*errors));
        errors[0].op_index = UINT32_MAX;
        r = length ? iov_read(a, 0, IOV_REG_MB_PAYLOAD, errors, length) : 0;
        if (r < 0)
                return r;
        a->n_told = length < sizeof(*errors) ? 1 : length / sizeof(*errors);
        a->n_reasons = errors[0].reasons > a->n_told ? errors[0].reasons : a->n_told;
        for (size_t i = 0; i < a->n_told; i++) {
                text_clean(errors[i].text, sizeof(errors[i].text));
                if (!*errors[i].text)
                        snprintf(errors[i].text, sizeof(errors[i].text), "%s", iov_retcode_text(code));
        }
        if (ret_error)
                *ret_error = errors[0];
        else
                appliance_error(a, -EIO, "command 0x%04x failed: %s", opcode, errors[0].text);
        return -iov_retcode_errno(code);
}

size_t iov_reasons_get(const struct iov_appliance *a, const struct iov_mb_error **ret_reasons, size_t *ret_n) {
        *ret_reasons = a->reasons;
        *ret_n = a->n_told;
        return a->n_reasons;
}

int iov_command(struct iov_appliance *a, enum iov_opcode opcode, const void *request, size_t request_size, void *reply,
                size_t reply_size, size_t *ret_reply_length, struct iov_mb_error *ret_error) {
        uint64_t command = (uint64_t)opcode << IOV_MB_COMMAND_OPCODE_SHIFT | (uint64_t)request_size
                                                                                     << IOV_MB_COMMAND_LENGTH_SHIFT;
        struct mailbox_registers registers = {0};

        a->n_told = a->n_reasons = 0;
        if (ret_error) /* of failures that are not the appliance's, and are in the log */
                *ret_error = (struct iov_mb_error){.op_index = UINT32_MAX};
        if (request_size > a->payload_size)
                return appliance_error(a, -E2BIG, "a request of %zu bytes does not fit into its mailbox of %zu", request_size,
                                       a->payload_size);
        int r = command_run(a, command, request, request_size, &registers);
        if (r < 0)
                return r;
        size_t length = (size_t)FIELD(MB_COMMAND, LENGTH, registers.command);
        if (length > a->payload_size)
                return appliance_error(a, -EPROTO, "command 0x%04x: a reply of %zu bytes from a mailbox of %zu", opcode, length,
                                       a->payload_size);
        unsigned int code = (unsigned int)FIELD(MB_STATUS, RETURN_CODE, registers.status);
        if (code != IOV_RET_SUCCESS)
                return command_failed(a, opcode, code, length, ret_error);
        if (length > reply_size)
                length = reply_size;
        r = iov_read(a, 0, IOV_REG_MB_PAYLOAD, reply, length);
        if (r >= 0 && ret_reply_length)
                *ret_reply_length = length;
        return r;
}

int iov_identify(struct iov_appliance *a, struct iov_mb_identify *ret_identify) {
        struct iov_mb_identify identify = {0};
        size_t length = 0;
        int r = iov_command(a, IOV_OP_IDENTIFY, NULL, 0, &identify, sizeof(identify), &length, NULL);

        if (r < 0)
                return r;
        if (length != sizeof(identify))
                return appliance_error(a, -EPROTO, "IDENTIFY: a reply of %zu bytes, not %zu", length, sizeof(identify));
        text_clean(identify.chassis, sizeof(identify.chassis));
        text_clean(identify.version, sizeof(identify.version));
        text_clean(identify.run_dir, sizeof(identify.run_dir));
        *ret_identify = identify;
        return 0;
}

int iov_config_read(struct iov_appliance *a, const char *vadapter, void *ret_config) {
        char name[IOV_NAME_SIZE];
        unsigned char config[4096];
        size_t length = 0;

        if (field_set(name, sizeof(name), vadapter) < 0)
                return -ENAMETOOLONG;
        int r = iov_command(a, IOV_OP_CONFIG_READ, name, sizeof(name), config, sizeof(config), &length, NULL);
        if (r < 0)
                return r;
        if (length != sizeof(config))
                return appliance_error(a, -EPROTO, "CONFIG_READ: a reply of %zu bytes, not %zu", length, sizeof(config));
        memcpy(ret_config, config, sizeof(config));
        return 0;
}

/* One LOG_READ from `offset` on; appends to the text and returns how much, 0: that was all. */
static int log_read_more(struct iov_appliance *a, unsigned char *buffer, uint64_t *offset, char **text, size_t *text_length) {
        uint64_t first = 0;
        size_t length = 0;
        int r = iov_command(a, IOV_OP_LOG_READ, offset, sizeof(*offset), buffer, a->payload_size, &length, NULL);

        if (r < 0)
                return r;
        if (length < sizeof(first))
                return appliance_error(a, -EPROTO, "LOG_READ: a reply of %zu bytes", length);
        memcpy(&first, buffer, sizeof(first));
        length -= sizeof(first);
        if (first < *offset || first > UINT64_MAX - length || *text_length + length > LOG_MAX)
                return appliance_error(a, -EPROTO, "LOG_READ: text at an impossible offset (%llu)", (unsigned long long)first);
        char *longer = realloc(*text, *text_length + length + 1);
        if (!longer)
                return -ENOMEM;
        *text = longer;
        memcpy(longer + *text_length, buffer + sizeof(first), length);
        *text_length += length;
        longer[*text_length] = 0;
        *offset = first + length;
        return (int)length;
}

int iov_log_read(struct iov_appliance *a, char **ret_text, size_t *ret_length) {
        CLEANUP_FREE unsigned char *buffer = malloc(a->payload_size);
        CLEANUP_FREE char *text = NULL;
        size_t length = 0;
        uint64_t offset = 0;
        int r;

        if (!buffer)
                return -ENOMEM;
        do
                r = log_read_more(a, buffer, &offset, &text, &length);
        while (r > 0);
        if (r < 0)
                return r;
        *ret_text = TAKE_PTR(text);
        *ret_length = length;
        return 0;
}
