/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Amendments: changes that make no generation, since no topology has them. They take their turn among the transactions, and are
 * durable before they are acknowledged: links and faults in the state, adapters in the chassis. Each is the `amend` of a commit:
 * it changes the candidate as `request` says, and returns 0, or -EBADMSG with the refusal filled in.
 */
#ifndef IOV_CONTROL_AMEND_H
#define IOV_CONTROL_AMEND_H

#include "control/control.h"

int amend_link(struct control *control, struct control_commit *commit);
/* `request.fault` becomes what it was made. */
int amend_fault_inject(struct control *control, struct control_commit *commit);
int amend_fault_clear(struct control *control, struct control_commit *commit);
int amend_adapter_insert(struct control *control, struct control_commit *commit);
int amend_adapter_remove(struct control *control, struct control_commit *commit);

/* All registrations with a shared volume end; all who have it hold to that a moment later. */
int amend_reservation_clear(struct control *control, struct control_commit *commit);

#endif
