/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the commands of NVMe 1.4, sections 6.10 to 6.13 and 8.8, make of the reservations of a volume: a pure function. */
#ifndef IOV_CONTROL_RESERVATION_STATE_H
#define IOV_CONTROL_RESERVATION_STATE_H

#include <stddef.h>

#include "vpc/reservation.h"

/* Do it. Where the result is not VPC_RESERVE_DONE the state is as it was. *ret_changed: it has changed, and `change` counts it;
 * the notices are those of this request. */
enum vpc_reserve_result reservation_apply(struct vpc_reservation *state, const struct vpc_reserve_request *request,
                                          bool *ret_changed);
/* The operator's way: all registrations go, whosever they are. */
void reservation_clear(struct vpc_reservation *state);
/* What was read from a file makes sense. */
bool reservation_is_sane(const struct vpc_reservation *state);

#endif
