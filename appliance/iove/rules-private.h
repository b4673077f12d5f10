/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef IOV_IOVE_RULES_PRIVATE_H
#define IOV_IOVE_RULES_PRIVATE_H

#include "iove/rules.h"

/* What a slot, an identity or a volume is taken by: a sorted array, one comparison per neighbour. */
struct claim {
        char key[240];
        enum iov_kind kind; /* of the holder */
        const char *holder;
};
/* Sort; two holders of one key, or NULL. */
const struct claim *claims_clash(struct claim *claims, size_t n);
/* The later of two operations is the one at fault, where both are in the transaction. */
int refuse_clash(const struct iove_blame *blame, const struct claim *clash, struct iove_refusal *ret_refusal);

/* Namespaces, LUNs, drives and slots of profiles. */
int rules_check_members(const struct iov_model *candidate, const struct iove_blame *blame, struct iove_refusal *ret_refusal);

#endif
