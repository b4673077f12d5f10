/* SPDX-License-Identifier: GPL-2.0-or-later */
/* STATE/id: which appliance this is, so that a plan that was saved for one is not applied to another. */
#ifndef IOV_CONTROL_APPLIANCE_ID_H
#define IOV_CONTROL_APPLIANCE_ID_H

#include <stdint.h>

#include "iov/libiov.h"

#define APPLIANCE_ID_SIZE 16

/*
 * Read it, or make one where there is none. What cannot be read or made is logged, and the id is zero, which stands for unknown:
 * an appliance whose disk is full must still be looked at. A damaged one is left as it is.
 */
void appliance_id_load(struct iov_ctx *ctx, int state_directory, uint8_t ret_id[APPLIANCE_ID_SIZE]);

#endif
