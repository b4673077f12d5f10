/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a change set going in running servers: followed until it has ended, one way or the other. */
#ifndef IOV_TOOLS_PROGRESS_H
#define IOV_TOOLS_PROGRESS_H

#include "tools/common/tool.h"

extern bool arg_wait;
extern double arg_timeout;
/* clang-format off */
#define OPTION_WAIT    {"wait", 'w', VALUE_FLAG, NULL, &arg_wait, "wait until the server runs with it, also where it is off now"}
#define OPTION_TIMEOUT {"timeout", 't', VALUE_TIMEOUT, "SECONDS", &arg_timeout, "how long to wait for a guest, 0: not at all; default 60"}
/* clang-format on */

/*
 * Wait while vAdapters are being plugged or unplugged: the one of that name, those of that profile, or with both NULL all.
 * Reports what has failed, or still goes on after --timeout, and returns STATUS_PARTLY then: what was asked for is kept all the
 * same.
 */
int progress_follow(struct tool *tool, struct iov_appliance *appliance, const char *vadapter, const char *profile);

#endif
