/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an appliance has refused a transaction for, kept until it is closed and there is time to tell. */
#ifndef IOV_TOOLS_REFUSAL_H
#define IOV_TOOLS_REFUSAL_H

#include "tools/common/tool.h"

struct refusal {
        int r;            /* the negative errno, 0: it was not refused */
        size_t n, n_told; /* reasons, and those of them that are known; 0: it was no reason of the appliance's */
        struct iov_mb_error reasons[IOV_MB_ERRORS_MAX];
};
/* After a transaction has failed with `r`. */
void refusal_take(const struct iov_appliance *appliance, int r, struct refusal *ret_refusal);
/* A reason's words. */
const char *refusal_text(const struct refusal *refusal, size_t i);
/* Tell them, each as an error; `what` is in front where there are none. Returns the exit code. */
int refusal_report(const struct tool *tool, const struct refusal *refusal, const char *what);
/* Say how many more there are, where they are not all known. */
void refusal_report_more(const struct tool *tool, const struct refusal *refusal);

#endif
