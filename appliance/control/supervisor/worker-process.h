/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef IOV_CONTROL_WORKER_PROCESS_H
#define IOV_CONTROL_WORKER_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

/* Start this binary as a worker for a server, which may get media on NBD servers where `has_nbd`. Returns 0, its pid, a pidfd and
 * our end of its channel. */
int worker_process_start(const char *server, bool has_nbd, pid_t *ret_pid, int *ret_pidfd, int *ret_channel);
/* Wait for one that is about to end, at most `timeout_ms`, then kill it. */
void worker_process_finish(int pidfd, int timeout_ms);

/* A listening vfio-user socket at RUN/servers/SERVER/SLOT.sock, 0660; whatever was at the path is removed first. `path` has room
 * for 108 bytes. */
int slot_socket_make(const char *run_directory, const char *server, unsigned int slot, char *path, int *ret_fd);
/* Remove a server's directory of sockets, where it is empty. */
void slot_directory_remove(const char *run_directory, const char *server);

#endif
