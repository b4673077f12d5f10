/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef IOV_CONTROL_SPAWN_H
#define IOV_CONTROL_SPAWN_H

#include <signal.h>
#include <sys/types.h>

/*
 * Start a program with these signals blocked (NULL: none) and with `fd` as its descriptor `as_fd`; `argv` ends with NULL. Other
 * descriptors are inherited unless they are close-on-exec. 0 or -errno.
 */
int process_spawn(const char *path, char *const argv[], int fd, int as_fd, const sigset_t *blocked, pid_t *ret_pid);

#endif
