/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef IOV_CONTEXT_H
#define IOV_CONTEXT_H

#include <syslog.h>

#include "iov/libiov.h"

/* Hand one formatted line to the context's log callback. errno is kept. */
void iov_log(struct iov_ctx *ctx, int level, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
