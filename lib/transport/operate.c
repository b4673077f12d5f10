/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Links, adapters and faults on demand: what is asked of the appliance beside transactions. */
#include <errno.h>

#include "appliance.h"
#include "util.h"

static int command(struct iov_appliance *a, enum iov_opcode opcode, const void *request, size_t size,
                   struct iov_mb_error *ret_error) {
        size_t length = 0;
        int r = iov_command(a, opcode, request, size, NULL, 0, &length, ret_error);

        return r < 0 ? r : 0;
}

static int command_name(struct iov_appliance *a, enum iov_opcode opcode, const char *name, struct iov_mb_error *ret_error) {
        char field[IOV_NAME_SIZE] = "";

        if (ret_error)
                *ret_error = (struct iov_mb_error){.op_index = UINT32_MAX};
        if (field_set(field, sizeof(field), name) < 0)
                return -ENAMETOOLONG;
        return command(a, opcode, field, sizeof(field), ret_error);
}

int iov_link_control(struct iov_appliance *a, uint32_t link, enum iov_link_action action, struct iov_mb_error *ret_error) {
        const struct iov_mb_link_control request = {.link = link, .action = action};

        return command(a, IOV_OP_LINK_CONTROL, &request, sizeof(request), ret_error);
}

int iov_adapter_insert(struct iov_appliance *a, const struct iov_adapter *adapter, struct iov_mb_error *ret_error) {
        return command(a, IOV_OP_ADAPTER_INSERT, adapter, sizeof(*adapter), ret_error);
}

int iov_adapter_remove(struct iov_appliance *a, const char *name, struct iov_mb_error *ret_error) {
        return command_name(a, IOV_OP_ADAPTER_REMOVE, name, ret_error);
}

int iov_fault_inject(struct iov_appliance *a, const struct iov_fault *fault, struct iov_fault *ret_fault,
                     struct iov_mb_error *ret_error) {
        struct iov_fault made = {0};
        size_t length = 0;
        int r = iov_command(a, IOV_OP_FAULT_INJECT, fault, sizeof(*fault), &made, sizeof(made), &length, ret_error);

        if (r < 0)
                return r;
        if (length != sizeof(made) || !memchr(made.name, 0, sizeof(made.name)) || !memchr(made.object, 0, sizeof(made.object)))
                return appliance_error(a, -EPROTO, "FAULT_INJECT: a malformed reply");
        *ret_fault = made;
        return 0;
}

int iov_reservation_clear(struct iov_appliance *a, const char *volume, struct iov_mb_error *ret_error) {
        return command_name(a, IOV_OP_RESERVATION_CLEAR, volume, ret_error);
}

int iov_fault_clear(struct iov_appliance *a, const char *name, struct iov_mb_error *ret_error) {
        return command_name(a, IOV_OP_FAULT_CLEAR, name ? name : "", ret_error);
}
