/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Server links: their records, and what is asked of them. Training, width and speed are
 * modelled. */
#ifndef IOV_IOVE_LINKS_H
#define IOV_IOVE_LINKS_H

#include "iove/rules.h"

#define LINK_SPEED 3 /* PCIe generation: 8 GT/s */
#define LINK_WIDTH 8

/* Fill in a record for each link of the chassis: who is on it, and whether it is up. What holds it down is kept: an operator, in
 * the record; a fault on demand, in the faults. */
int links_derive(struct iov_model *model);
/* Up, down or retrain. -EBADMSG: refused. */
int links_control(struct iov_model *candidate, const struct iov_mb_link_control *request, struct iove_refusal *ret_refusal);

#endif
