/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What may be where: the rules that hold in every state of the appliance. */
#ifndef IOV_IOVE_RULES_H
#define IOV_IOVE_RULES_H

#include <errno.h>

#include "iove/transaction.h"

/* Make it a refusal for this one reason and return -EBADMSG. `op_index` UINT32_MAX: no operation in particular. */
int iove_refuse(struct iove_refusal *refusal, enum iov_retcode code, uint32_t op_index, const char *format, ...)
        __attribute__((format(printf, 4, 5)));
/* The same for one more reason. */
int iove_refuse_also(struct iove_refusal *refusal, enum iov_retcode code, uint32_t op_index, const char *format, ...)
        __attribute__((format(printf, 4, 5)));
/* What was refused is in the refusal, and the next object is looked at; no other failure is gone past. */
static inline int iove_goes_on(int r) {
        return r == -EBADMSG ? 0 : r;
}

/* Finds the operation to blame for an object: the last one that named it, UINT32_MAX: none. */
typedef uint32_t (*iove_blame_fn)(const void *userdata, enum iov_kind kind, const char *name);
struct iove_blame {
        iove_blame_fn fn;
        const void *userdata;
};

uint32_t iove_blamed(const struct iove_blame *blame, enum iov_kind kind, const char *name);

/* Check the form of one record on its own, before it is looked at by anything else. Returns NULL or what is wrong (static). */
const char *iove_record_check(enum iov_kind kind, const void *record);

/* Check all of the candidate against itself. 0 or -EBADMSG, with all that is wrong added to the refusal, which has reasons from
 * before or is zero. */
int iove_rules_check(const struct iov_model *candidate, const struct iove_limits *limits, const struct iove_blame *blame,
                     struct iove_refusal *refusal);
/* Check that nothing changes under a running server, and that no volume shrinks, unless `flags` (IOV_TXN_*) allow it: `have` is
 * what is now. */
int iove_rules_check_change(const struct iov_model *have, const struct iov_model *candidate, uint32_t flags,
                            const struct iove_blame *blame, struct iove_refusal *ret_refusal);
/* True where the device that a server sees in the slot would not be the same: persona, place or media. */
bool iove_vadapter_differs(const struct iov_model *a, const struct iov_model *b, const char *vadapter);
/* Fill in the STATUS fields that follow from the model: allocated, vadapters of adapters; attached or detached of vAdapters that
 * are not connected. */
int iove_rules_derive(struct iov_model *model);

#endif
