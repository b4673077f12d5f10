/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commits that wait to be confirmed. */
#include <errno.h>

#include "appliance.h"
#include "util.h"

int iov_confirm_get_time(struct iov_appliance *a, uint64_t *ret_time_ns) {
        uint64_t caps = 0, time = 0;
        int r = iov_read64(a, 0, IOV_REG_CAPS, &caps);

        if (r >= 0 && caps >> IOV_CAPS_CONFIRM_SHIFT & 1)
                r = iov_read64(a, 0, IOV_REG_CONFIRM_TIME, &time);
        if (r >= 0)
                *ret_time_ns = time;
        return r < 0 ? r : 0;
}

int iov_confirm_keep(struct iov_appliance *a, struct iov_mb_error *ret_error) {
        size_t length = 0;
        int r = iov_command(a, IOV_OP_CONFIRM, NULL, 0, NULL, 0, &length, ret_error);

        return r < 0 ? r : 0;
}

int iov_confirm_take_back(struct iov_appliance *a, struct iov_mb_txn_result *ret_result, struct iov_mb_error *ret_error) {
        struct iov_mb_txn_result result = {0};
        size_t length = 0;
        int r = iov_command(a, IOV_OP_TAKE_BACK, NULL, 0, &result, sizeof(result), &length, ret_error);

        if (r < 0)
                return r;
        if (length != sizeof(result))
                return appliance_error(a, -EPROTO, "TAKE_BACK: a reply of %zu bytes, not %zu", length, sizeof(result));
        *ret_result = result;
        return 0;
}
