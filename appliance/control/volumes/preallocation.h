/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The space or memory that a commit sets aside for volumes with provisioning: full, before it is written: where there is not
 * enough nothing has happened. */
#ifndef IOV_CONTROL_PREALLOCATION_H
#define IOV_CONTROL_PREALLOCATION_H

#include "iov/libiov.h"
#include "iove/transaction.h"

struct preallocation;
struct ram_volumes;

/* What has to be set aside for `to` that was not for `from`; NULL: nothing. `memory`: what volumes have of it; NULL: a simulator,
 * which only judges whether there would be enough. */
int preallocation_make(int state_directory, const struct ram_volumes *memory, const struct iov_model *from,
                       const struct iov_model *to, struct preallocation **ret_preallocation);
/* Takes NULL. Not while a thread has it: preallocation_stop() (takes NULL) makes it end soon. */
void preallocation_free(struct preallocation *preallocation);
void preallocation_stop(struct preallocation *preallocation);
/* Do it, or undo it: from a thread. After a failure nothing is left to be undone. */
int preallocation_run(void *preallocation);
void preallocation_undo(void *preallocation);
/* It is for good: memory goes to where that of volumes is. Takes NULL. */
void preallocation_give(struct preallocation *preallocation, struct ram_volumes *memory);
/* The other way: only see whether there would be room, from a thread as well; nothing is taken or made. A negative errno: not for
 * all, which preallocation_tell() adds to a refusal. */
int preallocation_judge(void *preallocation);
void preallocation_tell(const struct preallocation *preallocation, struct iove_refusal *refusal);
/* Say which volume it was that preallocation_run() failed for; false: it did not. */
bool preallocation_refuse(const struct preallocation *preallocation, int error, struct iove_refusal *ret_refusal);

#endif
