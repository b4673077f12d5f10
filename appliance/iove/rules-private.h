/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef IOV_IOVE_RULES_PRIVATE_H
#define IOV_IOVE_RULES_PRIVATE_H

#include <stdbool.h>

#include "iove/rules.h"

/* What a slot, an identity or a volume is taken by. */
struct claim {
        const char *word;   /* of what: "slot", "mac", "volume" */
        const char *text;   /* the server, the identity, the volume; it lives as long as the claim */
        uint32_t number;    /* of a slot */
        enum iov_kind kind; /* of the holder */
        const char *holder;
        bool is_shared; /* others that are shared may claim it, too */
};
#define CLAIM_NO_NUMBER UINT32_MAX

/* All claims of a check in their order, and buckets by what they are of: open addressing, a power of two, half of them in use at
 * most. */
struct claim_bucket {
        uint32_t hash;
        uint32_t claim; /* index + 1, 0: free */
};
struct claims {
        struct claim *claims;
        size_t n, claims_size; /* bytes mapped */
        struct claim_bucket *buckets;
        size_t n_buckets, buckets_size;
};
void claims_free(struct claims *claims);
#define CLEANUP_CLAIMS __attribute__((cleanup(claims_free)))
/* With room for so many; there may be more. */
int claims_init(struct claims *claims, size_t n);
/* Another claim; -EBADMSG: somebody has one of the same. The later of the two operations is the one at fault, where both are in
 * the transaction. */
int claims_add(struct claims *claims, const struct claim *claim, const struct iove_blame *blame,
               struct iove_refusal *ret_refusal);

/* Namespaces, LUNs, drives and slots of profiles. */
int rules_check_members(const struct iov_model *candidate, const struct iove_blame *blame, struct iove_refusal *ret_refusal);

#endif
