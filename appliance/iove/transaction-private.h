/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef IOV_IOVE_TRANSACTION_PRIVATE_H
#define IOV_IOVE_TRANSACTION_PRIVATE_H

#include "iove/transaction.h"

struct operation {
        uint16_t verb, kind;
        size_t offset; /* of the record in `records` */
};

struct iove_transaction {
        struct iov_mb_txn_begin begin;
        struct operation *operations;
        size_t n_operations, n_allocated;
        unsigned char *records;
        size_t records_size, records_mapped;
};

/* Carry out all operations on `model`, a copy of `have`. *ret_changed counts those that changed something. -EBADMSG: some could
 * not be; what follows from their absence is not worth telling. An identity that could not be chosen is missing in the model, and
 * told in the refusal alone. */
int iove_apply(const struct iove_transaction *transaction, const struct iov_model *have, struct iov_model *model,
               uint64_t *last_id, uint64_t now_ns, uint32_t *ret_changed, struct iove_refusal *ret_refusal);

/* A number that no volume and no vAdapter had. */
uint64_t iove_id_next(uint64_t *last_id);
/* Under IOV_TXN_SCRUB, when the candidate is derived. */
int iove_scrub(const struct iov_model *have, struct iov_model *candidate, uint64_t *last_id);

#endif
