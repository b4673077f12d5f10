/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef IOV_CONTROL_CHASSIS_H
#define IOV_CONTROL_CHASSIS_H

#include "iov/libiov.h"

/* The hardware: from `file`, else STATE/chassis.yaml where it exists, else the built-in chassis; with what this version can make
 * of each adapter. Errors have been logged. */
int chassis_load(struct iov_ctx *ctx, const char *file, const char *state_path, struct iov_model **ret_model);
/* Fill in what this version can make of each adapter. */
void chassis_describe(struct iov_model *model);
/* The bytes of a chassis file for the adapters of a model, checked to be read back; the caller frees them. -EBADMSG: the values
 * of an adapter make no sense, *ret_why (at least 200 bytes) is why. */
int chassis_encode(struct iov_ctx *ctx, const struct iov_model *model, void **ret_bytes, size_t *ret_size, char *ret_why);

#endif
