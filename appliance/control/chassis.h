/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef IOV_CONTROL_CHASSIS_H
#define IOV_CONTROL_CHASSIS_H

#include "iov/libiov.h"

/* The hardware: from `file`, else STATE/chassis.yaml where it exists, else the built-in chassis; with what this version can make
 * of each adapter. Errors have been logged. */
int chassis_load(struct iov_ctx *ctx, const char *file, const char *state_path, struct iov_model **ret_model);

#endif
