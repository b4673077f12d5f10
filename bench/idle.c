/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * idle MGMT_SOCKET SECONDS VADAPTER_SOCKET...
 *
 * What iovd costs while every vAdapter is attached, connected and initialised and nobody does anything: processor time and
 * wake-ups of the control process and all workers. The limit is none at all.
 */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "bench/measure.h"
#include "bench/nvme-host.h"
#include "bench/processes.h"
#include "util.h"

#define HOSTS_MAX 64

static struct cost sum(const pid_t *pids, size_t n) {
        struct cost cost = {0};

        for (size_t i = 0; i < n; i++)
                processes_cost(pids[i], &cost);
        return cost;
}

static void pause_for(time_t seconds) {
        struct timespec left = {.tv_sec = seconds};

        while (nanosleep(&left, &left) < 0 && errno == EINTR)
                ;
}

/* What follows from connecting is done when nothing has woken for six seconds; a minute at most. Most of io_uring's threads end
 * within five. */
static struct cost settled(const pid_t *pids, size_t n) {
        struct cost before = sum(pids, n), after = before;

        for (unsigned int i = 0, quiet = 0; i < 60 && quiet < 6; i++) {
                pause_for(1);
                after = sum(pids, n);
                quiet = after.switches - after.kernel_switches == before.switches - before.kernel_switches ? quiet + 1 : 0;
                before = after;
        }
        return after;
}

int main(int argc, char **argv) {
        static struct nvme_host hosts[HOSTS_MAX];
        pid_t pids[HOSTS_MAX + 1];
        char what[64];

        if (argc < 4 || argc > 3 + HOSTS_MAX)
                measure_die("usage: idle MGMT_SOCKET SECONDS VADAPTER_SOCKET...");
        int n_hosts = argc - 3, seconds = atoi(argv[2]);
        size_t n = processes_find(argv[1], pids, ARRAY_LENGTH(pids));
        uint64_t resident = sum(pids, n).resident;
        for (int i = 0; i < n_hosts; i++)
                if (nvme_host_open(&hosts[i], argv[3 + i], 1 << 20, 16, true) < 0)
                        return 1;
        struct cost before = settled(pids, n);
        pause_for(seconds);
        struct cost after = sum(pids, n);
        uint64_t run_ns = after.run_ns - before.run_ns, kernel_ns = after.kernel_ns - before.kernel_ns;
        uint64_t switches = after.switches - before.switches, kernel_switches = after.kernel_switches - before.kernel_switches;
        snprintf(what, sizeof(what), "idle iovd, %d vAdapters, %zu processes, %d s", n_hosts, n, seconds);
        printf("%-46s %9.3f ms %9.3f ms %7s  0 ms; %llu wake-ups, %llu ticks\n", what, (double)(run_ns - kernel_ns) / 1e6, 0.0,
               "-", (unsigned long long)(switches - kernel_switches), (unsigned long long)(after.ticks - before.ticks));
        /* What it has before is in the row of `create`. */
        snprintf(what, sizeof(what), "  resident memory that connecting each of %d adds", n_hosts);
        printf("%-46s %8.1f KiB %12s %7s  -\n", what, (double)(before.resident - resident) / n_hosts / 1024, "-", "-");
        if (kernel_switches)
                printf("%-46s %9.3f ms %9.3f ms %7s  0 ms; %llu wake-ups\n", "  beside it, io_uring's threads in the kernel",
                       (double)kernel_ns / 1e6, 0.0, "-", (unsigned long long)kernel_switches);
        for (int i = 0; i < n_hosts; i++)
                nvme_host_close(&hosts[i]);
        return 0;
}
