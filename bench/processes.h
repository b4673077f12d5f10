/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The processes of a running iovd, and what they have cost. */
#ifndef BENCH_PROCESSES_H
#define BENCH_PROCESSES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Ask the appliance at a management socket for its processes: the control process, then the workers. Returns how many. */
size_t processes_find(const char *mgmt_path, pid_t *ret_pids, size_t max);
/* The same, and keep each on one processor. */
void processes_pin(const char *mgmt_path, unsigned int cpu);
/* ... or on none. */
void processes_unpin(const char *mgmt_path);

struct cost {
        uint64_t resident;                   /* bytes, its part of what is shared, but for servers' memory */
        uint64_t run_ns;                     /* on a processor, of all threads: /proc/PID/task/TID/schedstat */
        uint64_t ticks;                      /* utime + stime: /proc/PID/stat */
        uint64_t switches;                   /* voluntary context switches of all threads, which is how often they woke */
        uint64_t kernel_ns, kernel_switches; /* of those the part of io_uring's worker threads, which are the kernel's */
};
/* Add what the process has cost since it started. */
void processes_cost(pid_t pid, struct cost *cost);

#endif
