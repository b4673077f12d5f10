/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Going back to what was, ids and identities included: a commit that was not confirmed is taken back. */
#ifndef IOV_IOVE_TAKE_BACK_H
#define IOV_IOVE_TAKE_BACK_H

#include "iove/rules.h"

/*
 * Make the candidate: `have` with every config object as it is in `then`, under the ids that it had, so that volumes come back
 * with their data and vAdapters as the devices they were. The ledger, links and faults stay as they are. Running servers lose
 * what they must, and a volume that grew shrinks: whoever commits with a confirm time has agreed. `ret_changed` is the number of
 * objects that differ. -EBADMSG: a rule is broken, see `ret_refusal`.
 */
int iove_take_back(const struct iov_model *have, const struct iov_model *then, const struct iove_limits *limits,
                   struct iov_model **ret_candidate, uint32_t *ret_changed, struct iove_refusal *ret_refusal);

#endif
