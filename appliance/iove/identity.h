/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ledger of identities: every MAC, WWN, serial and NQN. Who has one now is in the vAdapters; who had one, and until when, is
 * in records of kind IDENTITY.
 */
#ifndef IOV_IOVE_IDENTITY_H
#define IOV_IOVE_IDENTITY_H

#include "iove/rules.h"

#define IDENTITY_REST_DEFAULT 3600                          /* seconds */
#define IDENTITY_AGE_NS (UINT64_C(30) * 86400 * 1000000000) /* how long past holders are remembered, at least */

struct identities;

/* An index of all that `model` has and had, whose records must live as long; `now_ns` is CLOCK_REALTIME. */
int identities_new(const struct iov_model *model, uint64_t now_ns, struct identities **ret_identities);
struct identities *identities_free(struct identities *identities);
/* Note what a vAdapter has, or is about to be given; the record must live as long as the index. */
int identities_note(struct identities *identities, const struct iov_vadapter *vadapter);

/* A vAdapter's identity of a type: the field in its record. */
const char *identity_of(const struct iov_vadapter *vadapter, enum iov_identity_type type);
/* Whether vAdapters of that kind of adapter have identities of that type. */
bool identity_applies(uint32_t adapter_kind, enum iov_identity_type type);
/* Check the form of one; NULL or what is wrong (static). Empty is good. */
const char *identity_check(enum iov_identity_type type, const char *value);
/* Check a pool; NULL or what is wrong (static). */
const char *identity_pool_check(const struct iov_pool *pool);

/*
 * Give `vadapter`, which is on an adapter of `adapter_kind`, the identities it lacks, and note in `chosen` which were chosen
 * here. `old` is what it was, NULL: it is new; what the appliance chose then is chosen again. -EBADMSG: a pool is used up.
 */
int identities_choose(struct identities *identities, const struct iov_model *model, uint32_t adapter_kind,
                      const struct iov_vadapter *old, struct iov_vadapter *vadapter, uint32_t op_index,
                      struct iove_refusal *ret_refusal);
/* Give all vAdapters of a state that is older than the ledger what they lack; their serials stay. */
int identities_complete(struct iov_model *model, uint64_t now_ns);
/*
 * Compare what vAdapters had with what they have: note in `candidate` what was released, forget what is old, and refuse what
 * rests for another unless `force`.
 */
int identities_settle(const struct iov_model *have, struct iov_model *candidate, uint64_t now_ns, bool force,
                      const struct iove_blame *blame, struct iove_refusal *ret_refusal);

#endif
