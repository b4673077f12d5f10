/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Exit codes: the same in all tools and in every man page. */
#ifndef IOV_TOOLS_STATUS_H
#define IOV_TOOLS_STATUS_H

enum status {
        STATUS_DONE = 0,
        STATUS_FAILED = 1,
        STATUS_USAGE = 2,
        STATUS_NO_APPLIANCE = 3,
        STATUS_NOT_PERMITTED = 4,
        STATUS_PENDING = 5,
        STATUS_PARTLY = 6,
};

/* The exit code for a negative errno of libiov; STATUS_DONE for 0 and above. */
enum status status_from_errno(int r);
/* What an exit code means, for help and man pages; NULL past the last. */
const char *status_text(int status);

#endif
