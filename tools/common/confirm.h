/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asking before something is lost. */
#ifndef IOV_TOOLS_CONFIRM_H
#define IOV_TOOLS_CONFIRM_H

#include "tools/common/tool.h"

/*
 * Where the plan removes something or makes a volume smaller: list it on the terminal and ask; without a terminal say that --yes is needed. `target` is
 * what the user named, as `volume web-boot`, NULL: nothing in particular. STATUS_DONE: go on.
 */
int confirm_losses(const struct tool *tool, const struct iov_plan *plan, const char *target);

#endif
