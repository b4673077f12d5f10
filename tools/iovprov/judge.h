/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the appliance says of a plan, and where in the files that is to be shown. */
#ifndef IOV_TOOLS_JUDGE_H
#define IOV_TOOLS_JUDGE_H

#include "tools/common/refusal.h"
#include "tools/iovprov/iovprov.h"

struct judgement {
        bool judged; /* false: the appliance is of a release that cannot */
        struct refusal refusal;
};
/* Have the plan judged as apply with these IOV_TXN_* would be, and nothing changed. An exit code; a refusal is none, it is in the
 * judgement. A plan without steps is good, and nobody is asked. */
int judge_plan(struct tool *tool, const struct iov_plan *plan, uint32_t flags, struct judgement *ret_judgement);
/* Tell all that was found in the files, and each reason where its object is in them. Returns the exit code. */
int judge_report(const struct tool *tool, const struct iov_plan *plan, struct wanted *wanted, const struct refusal *refusal);
/* The same for documents: `judged` and `refusals` in `head`. */
struct json_object;
void judge_put(struct json_object *head, const struct iov_plan *plan, const struct wanted *wanted,
               const struct judgement *judgement);

#endif
