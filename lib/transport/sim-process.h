/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The private iovd of a sim: transport as a process: started, listened to, ended. */
#ifndef IOV_SIM_PROCESS_H
#define IOV_SIM_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct sim_process {
        pid_t pid;     /* 0: none */
        int stderr_fd; /* what it says, non-blocking; -1: none */
        bool killed;   /* by us, because it did not end */
};

/*
 * Run `program --sim-fd 3 --state directory` with `socket` (stays the caller's) as descriptor 3 and no other but 0, 1 and 2. A
 * negative errno where it cannot be run: that of execve(2) too.
 */
int sim_process_start(const char *program, const char *directory, int socket, struct sim_process *ret_process);
/* Read what it has said by now, as far as there is room; returns the number of bytes. `text` is always terminated. */
size_t sim_process_read(struct sim_process *process, char *text, size_t size);
/*
 * Its socket is closed: wait until it ends, kill it where it does not within `timeout_ms`, leave no zombie. Fills in what it said
 * meanwhile and returns its wait status; -1 where somebody else has taken that (SIGCHLD is ignored).
 */
int sim_process_end(struct sim_process *process, int timeout_ms, char *text, size_t size);

#endif
