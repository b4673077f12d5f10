/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A transaction: operations applied in order to a copy of the model, which is then judged as a whole by the rules of the switch.
 * Nothing here touches the appliance: the result is a candidate model, or the reason why there is none.
 */
#ifndef IOV_IOVE_TRANSACTION_H
#define IOV_IOVE_TRANSACTION_H

#include <stdbool.h>

#include "iov/libiov.h"

#define IOVE_OPERATIONS_MAX 262144

struct iove_transaction;

/* Why a transaction is refused. The rules go on after the first reason, so that all are told at once, as far as there is room. */
struct iove_refusal {
        enum iov_retcode code; /* of the first reason */
        uint32_t n;            /* reasons there are, those without room too */
        struct iov_mb_error errors[IOV_MB_ERRORS_MAX];
};

int iove_transaction_new(const struct iov_mb_txn_begin *begin, struct iove_transaction **ret_transaction);
struct iove_transaction *iove_transaction_free(struct iove_transaction *transaction);
/* Take a sequence of struct iov_mb_op and records, copied before they are looked at. Whole operations only. */
int iove_transaction_append(struct iove_transaction *transaction, const void *operations, size_t size,
                            struct iove_refusal *ret_refusal);
/* Seconds after which it is taken back unless it is confirmed, 0: it stays. */
uint32_t iove_transaction_confirm_s(const struct iove_transaction *transaction);
uint32_t iove_transaction_flags(const struct iove_transaction *transaction);
/* What it does, in words, as far as there is room: the first few objects by name. `have` is the model before it. */
void iove_transaction_describe(const struct iove_transaction *transaction, const struct iov_model *have, char *ret_text,
                               size_t size);
/* The name in the next operation on an object of that kind; *cursor starts at 0. NULL: no more. */
const char *iove_transaction_next(const struct iove_transaction *transaction, enum iov_kind kind, size_t *cursor);

/*
 * Ids: 48 bits, so that they are exact in JSON. Each follows from the one before by a linear congruential step of full period, so
 * none comes twice; the first is random, so that the identities that are made from them (serials, EUI-64, NGUID, NQN) differ
 * between appliances, which one server may see at the same time.
 */
#define IOVE_ID_MASK UINT64_C(0xffffffffffff)

/* What the rules must know beside the model. */
struct iove_limits {
        uint64_t now_ns;       /* CLOCK_REALTIME */
        size_t run_dir_length; /* of the directory that holds servers/, for the length of socket paths; 0: no sockets are made */
};
/*
 * Make the candidate: a copy of `have` with all operations applied and every rule checked, ids given (the ones that follow
 * *last_id, which moves on), auto identities chosen, the ledger kept. `ret_changed` is the number of operations that changed
 * something. -EBADMSG: refused, see `ret_refusal`.
 */
int iove_transaction_run(const struct iove_transaction *transaction, struct iov_model *have, const struct iove_limits *limits,
                         uint64_t *last_id, struct iov_model **ret_candidate, uint32_t *ret_changed,
                         struct iove_refusal *ret_refusal);

#endif
