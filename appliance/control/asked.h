/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The vAdapters that a transaction asks for: those that it names, changed or not, since naming one is how it is tried again; and
 * with force all that it changes.
 */
#ifndef IOV_CONTROL_ASKED_H
#define IOV_CONTROL_ASKED_H

#include "control/supervisor/supervisor.h"
#include "iove/transaction.h"

struct asked {
        char (*names)[IOV_NAME_SIZE];
        size_t n, allocated;
        bool force;
};

/* Adds to `asked`. 0 or -ENOMEM. */
int asked_collect(struct asked *asked, const struct iove_transaction *transaction, const struct iov_model *have,
                  const struct iov_model *candidate);
void asked_clear(struct asked *asked);
/* Tells the supervisor, and clears; supervisor_reconcile() must follow. */
void asked_tell(struct asked *asked, struct supervisor *supervisor);

#endif
