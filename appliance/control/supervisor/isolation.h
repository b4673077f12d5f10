/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who can reach what: the slots, the windows and vectors that their workers tell of, and the volumes that they were given. What a
 * worker tells is compared with what the kernel says of that worker; what the kernel alone says is told, too.
 */
#ifndef IOV_CONTROL_ISOLATION_H
#define IOV_CONTROL_ISOLATION_H

#include "control/supervisor/supervisor.h"

/* The rows, each requester before what is its own; the caller frees them. */
int isolation_collect(const struct supervisor *supervisor, const struct iov_model *model, struct iov_mb_isolation_row **ret_rows,
                      size_t *ret_n);

#endif
