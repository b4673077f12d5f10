/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tools/common/status.h"

#include <errno.h>
#include <stddef.h>

#include "util.h"

static const char *const texts[] = {
        [STATUS_DONE] = "done",
        [STATUS_FAILED] = "failed",
        [STATUS_USAGE] = "usage error or invalid input",
        [STATUS_NO_APPLIANCE] = "no appliance",
        [STATUS_NOT_PERMITTED] = "not permitted",
        [STATUS_PENDING] = "changes are pending",
        [STATUS_PARTLY] = "partly done",
};

enum status status_from_errno(int r) {
        if (r >= 0)
                return STATUS_DONE;
        switch (-r) {
        case EINVAL:
        case EBADMSG:
        case ERANGE:
        case ENAMETOOLONG:
                return STATUS_USAGE;
        case ENODEV:
        case EPROTO: /* something answers there, but it is no appliance that this version can talk to */
                return STATUS_NO_APPLIANCE;
        case EACCES:
        case EPERM:
                return STATUS_NOT_PERMITTED;
        default:
                return STATUS_FAILED;
        }
}

const char *status_text(int status) {
        return status >= 0 && (size_t)status < ARRAY_LENGTH(texts) ? texts[status] : NULL;
}
