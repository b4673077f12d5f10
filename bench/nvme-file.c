/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nvme-file MGMT_SOCKET VADAPTER_SOCKET FILE
 *
 * A vAdapter over a file against io_uring straight on that file (no layer between), and against fio where there is one: reads and
 * writes of 4 KiB at random, and of 128 KiB in sequence. This process, or fio, is on one processor, the worker on the other.
 * Batches of all alternate.
 */
#include <stdio.h>

#include "bench/file-job.h"
#include "bench/measure.h"
#include "bench/processes.h"
#include "util.h"

#define BATCHES 5
#define SIZE (UINT64_C(256) << 20)

static void compare(struct file_target *t, const struct file_job *job) {
        double ours[BATCHES], again[BATCHES], bare[BATCHES], fio[BATCHES];

        for (unsigned int i = 0; i < BATCHES + 1; i++) { /* the first warms up */
                unsigned int slot = i ? i - 1 : 0;

                bare[slot] = file_job_uring(t, job, i);
                again[slot] = ours[slot] = file_job_nvme(t, job, i);
                fio[slot] = file_job_fio(&t->path, 1, SIZE, job, 0);
        }
        file_job_report(job, "", ours, bare, BATCHES, true);
        if (fio[0] > 0)
                file_job_report(job, ", fio", again, fio, BATCHES, true);
}

int main(int argc, char **argv) {
        static const struct file_job jobs[] = {
                {"file, 128 KiB sequential write, depth 32", NVME_IO_WRITE, FILE_JOB_BLOCK, true, 32, 4096, 0.95},
                {"file, 128 KiB sequential read, depth 32", NVME_IO_READ, FILE_JOB_BLOCK, true, 32, 4096, 0.95},
                {"file, 4 KiB random read, depth 1", NVME_IO_READ, 4096, false, 1, 20000, 1},
                {"file, 4 KiB random read, depth 32", NVME_IO_READ, 4096, false, 32, 50000, 1},
                {"file, 4 KiB random write, depth 1", NVME_IO_WRITE, 4096, false, 1, 20000, 1},
                {"file, 4 KiB random write, depth 32", NVME_IO_WRITE, 4096, false, 32, 50000, 1},
        };
        struct file_target t;

        if (argc != 4)
                measure_die("usage: nvme-file MGMT_SOCKET VADAPTER_SOCKET FILE");
        processes_pin(argv[1], 1);
        measure_pin(0, 0);
        setvbuf(stdout, NULL, _IOLBF, 0);
        file_target_open(&t, argv[2], argv[3], SIZE, false);
        for (size_t i = 0; i < ARRAY_LENGTH(jobs); i++)
                compare(&t, &jobs[i]);
        file_target_close(&t);
        return 0;
}
