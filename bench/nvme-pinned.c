/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nvme-pinned MGMT_SOCKET PINNED_SOCKET PAGEABLE_SOCKET WHERE
 *
 * A vAdapter with memory: pinned against another one without, each with a server, a worker and a file of its own, on one file
 * system: reads and writes of 4 KiB at random, and of 128 KiB in sequence. Batches of both alternate. For each job two rows: the
 * time of a request, which is mostly the medium's, and the processor time of the worker, which is what is saved.
 */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "bench/file-job.h"
#include "bench/measure.h"
#include "bench/processes.h"
#include "util.h"

#define BATCHES 5
#define SIZE (UINT64_C(256) << 20)

struct side {
        struct file_target target;
        pid_t worker;
        double elapsed[BATCHES], busy[BATCHES];
};

static uint64_t pinned_kib(pid_t pid) {
        char path[64], line[256];
        uint64_t kib = 0;

        snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
        CLEANUP_FILE FILE *f = fopen(path, "re");
        while (f && fgets(line, sizeof(line), f))
                if (sscanf(line, "VmPin: %" SCNu64, &kib) == 1)
                        return kib;
        measure_die("%s: cannot be read", path);
}

/* Whose worker is whose shows in what they have pinned, which takes its time. */
static void find_workers(const char *mgmt, struct side *pinned, struct side *pageable) {
        pid_t pids[8];
        const size_t n = processes_find(mgmt, pids, ARRAY_LENGTH(pids));

        if (n != 3)
                measure_die("%s: two workers are wanted", mgmt);
        for (unsigned int tries = 0; tries < 100; tries++) {
                for (size_t i = 1; i < n; i++)
                        if (pinned_kib(pids[i]) * 1024 >= pinned->target.host.memory_size) {
                                pinned->worker = pids[i];
                                pageable->worker = pids[3 - i];
                                return;
                        }
                nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
        }
        measure_die("%s: nothing is pinned: see iovctl vadapter show", mgmt);
}

static void batch(struct side *side, const struct file_job *job, unsigned int i) {
        struct cost before = {0}, after = {0};
        const unsigned int slot = i ? i - 1 : 0; /* the first warms up */

        processes_cost(side->worker, &before);
        side->elapsed[slot] = file_job_nvme(&side->target, job, i);
        processes_cost(side->worker, &after);
        side->busy[slot] = (double)(after.run_ns - before.run_ns) / job->count;
}

static void compare(struct side *pinned, struct side *pageable, const struct file_job *job, const char *where) {
        struct file_job row = *job;
        char what[80];

        for (unsigned int i = 0; i < BATCHES + 1; i++) {
                batch(i % 2 ? pinned : pageable, job, i);
                batch(i % 2 ? pageable : pinned, job, i);
        }
        snprintf(what, sizeof(what), "%s, %s", where, job->what);
        row.what = what;
        file_job_report(&row, "", pinned->elapsed, pageable->elapsed, BATCHES, false);
        row.what = "  of the worker's processor";
        file_job_report(&row, "", pinned->busy, pageable->busy, BATCHES, false);
}

int main(int argc, char **argv) {
        static const struct file_job jobs[] = {
                {"128 KiB write, 32", NVME_IO_WRITE, FILE_JOB_BLOCK, true, 32, 4096, 1},
                {"128 KiB read, 32", NVME_IO_READ, FILE_JOB_BLOCK, true, 32, 4096, 1},
                {"4 KiB read, 1", NVME_IO_READ, 4096, false, 1, 4000, 1},
                {"4 KiB read, 32", NVME_IO_READ, 4096, false, 32, 20000, 1},
                {"4 KiB write, 32", NVME_IO_WRITE, 4096, false, 32, 20000, 1},
        };
        static struct side pinned, pageable;

        if (argc != 5)
                measure_die("usage: nvme-pinned MGMT_SOCKET PINNED_SOCKET PAGEABLE_SOCKET WHERE");
        processes_pin(argv[1], 1);
        measure_pin(0, 0);
        setvbuf(stdout, NULL, _IOLBF, 0);
        file_target_open(&pinned.target, argv[2], NULL, SIZE, true);
        file_target_open(&pageable.target, argv[3], NULL, SIZE, true);
        pinned.target.host.patience_ms = pageable.target.host.patience_ms = 60000;
        find_workers(argv[1], &pinned, &pageable);
        for (size_t i = 0; i < ARRAY_LENGTH(jobs); i++)
                compare(&pinned, &pageable, &jobs[i], argv[4]);
        file_target_close(&pinned.target);
        file_target_close(&pageable.target);
        return 0;
}
