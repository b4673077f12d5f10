/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A plan as people and programs read it: what is added, changed and removed, field by field. */
#ifndef IOV_TOOLS_CHANGES_H
#define IOV_TOOLS_CHANGES_H

#include "tools/common/tool.h"

/* The name of a step's object, for messages. */
const char *step_name(const struct iov_plan_step *step);
bool plan_removes(const struct iov_plan *plan);
/* Print the plan in the format asked for; returns an exit code. */
int changes_print(const struct tool *tool, const struct iov_plan *plan);

#endif
