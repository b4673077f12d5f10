/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The directory of the sockets. */
#ifndef IOV_RUN_DIRECTORY_H
#define IOV_RUN_DIRECTORY_H

#include <stdbool.h>

struct iov_ctx;

/*
 * Make it, and take it for this iovd: another one, over another state, would put its sockets in the place of ours, and tools and
 * servers would reach that one. `lookers`: others than user and group may come as far as the management socket.
 */
int run_directory_open(struct iov_ctx *ctx, const char *path, bool lookers, unsigned int wait_ms, int *ret_lock);
/* Take away what was made in it; the directory itself stays: it may be systemd's. */
void run_directory_close(const char *path, int lock);

#endif
