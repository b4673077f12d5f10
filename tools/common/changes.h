/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A plan as people and programs read it: what is added, changed and removed, field by field. */
#ifndef IOV_TOOLS_CHANGES_H
#define IOV_TOOLS_CHANGES_H

#include "tools/common/tool.h"

/* The name of a step's object, for messages. */
const char *step_name(const struct iov_plan_step *step);
bool plan_removes(const struct iov_plan *plan);
/* Whether a volume becomes smaller by it. */
bool plan_shrinks(const struct iov_plan *plan);
bool step_shrinks(const struct iov_plan_step *step);
/* Print the plan in the format asked for; returns an exit code. */
int changes_print(const struct tool *tool, const struct iov_plan *plan);
/* The same, in a document that starts with `head`, which is taken over. */
struct json_object;
int changes_print_in(const struct tool *tool, const struct iov_plan *plan, struct json_object *head);
/* What is still to do after all was done: one error for each object or field, wanted and actual. */
void changes_report_rest(const struct tool *tool, const struct iov_plan *rest);

#endif
