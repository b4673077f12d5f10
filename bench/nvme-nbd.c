/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nvme-nbd MGMT_SOCKET VADAPTER_SOCKET NBD_SOCKET EXPORT
 *
 * A vAdapter over an export of an NBD server against libnbd by itself, in its own loop, on the same server: as little as can be
 * between a program and it. Batches of both alternate. The server is a third process: it gets the processor that this one would
 * look out on, so the host sleeps until it is interrupted.
 */
#include <libnbd.h>
#include <stdio.h>

#include "bench/file-job.h"
#include "bench/measure.h"
#include "bench/processes.h"
#include "util.h"

#define BATCHES 5
#define SIZE (UINT64_C(256) << 20)

struct round {
        unsigned int done;
        unsigned int n_free, free[FILE_JOB_DEPTH];
};
struct one {
        struct round *round;
        unsigned int slot;
};

static int on_done(void *userdata, int *error) {
        const struct one *one = userdata;

        if (*error)
                measure_die("the NBD server: errno %d", *error);
        one->round->done++;
        one->round->free[one->round->n_free++] = one->slot;
        return 1;
}

static void put(struct nbd_handle *h, struct file_target *t, struct one *one) {
        const nbd_completion_callback done = {.callback = on_done, .user_data = one};
        unsigned char *memory = t->buffer + (size_t)one->slot * FILE_JOB_BLOCK;
        const uint64_t offset = file_job_offset(t);

        if ((t->job->opcode == NVME_IO_READ ? nbd_aio_pread(h, memory, t->job->block, offset, done, 0)
                                            : nbd_aio_pwrite(h, memory, t->job->block, offset, done, 0)) < 0)
                measure_die("libnbd: %s", nbd_get_error());
}

static double by_libnbd(struct nbd_handle *h, struct file_target *t, const struct file_job *job, unsigned int number) {
        struct round round = {0};
        struct one ones[FILE_JOB_DEPTH];
        unsigned int started = 0;
        uint64_t start = measure_ns();

        file_job_begin(t, job, number);
        for (unsigned int i = 0; i < job->depth; i++) {
                ones[i] = (struct one){&round, i};
                round.free[round.n_free++] = i;
        }
        while (round.done < job->count) {
                for (; round.n_free && started < job->count; started++)
                        put(h, t, &ones[round.free[--round.n_free]]);
                if (nbd_poll(h, -1) < 0)
                        measure_die("libnbd: %s", nbd_get_error());
        }
        return (double)(measure_ns() - start) / job->count;
}

static void compare(struct nbd_handle *h, struct file_target *t, const struct file_job *job) {
        double ours[BATCHES], bare[BATCHES];

        for (unsigned int i = 0; i < BATCHES + 1; i++) { /* the first warms up */
                bare[i ? i - 1 : 0] = by_libnbd(h, t, job, i);
                ours[i ? i - 1 : 0] = file_job_nvme(t, job, i);
        }
        file_job_report(job, "", ours, bare, BATCHES, true);
}

int main(int argc, char **argv) {
        static const struct file_job jobs[] = {
                {"NBD, 128 KiB sequential write, depth 32", NVME_IO_WRITE, FILE_JOB_BLOCK, true, 32, 4096, 0.95},
                {"NBD, 128 KiB sequential read, depth 32", NVME_IO_READ, FILE_JOB_BLOCK, true, 32, 4096, 0.95},
                {"NBD, 4 KiB random read, depth 1", NVME_IO_READ, 4096, false, 1, 20000, 1},
                {"NBD, 4 KiB random read, depth 32", NVME_IO_READ, 4096, false, 32, 50000, 1},
                {"NBD, 4 KiB random write, depth 1", NVME_IO_WRITE, 4096, false, 1, 20000, 1},
                {"NBD, 4 KiB random write, depth 32", NVME_IO_WRITE, 4096, false, 32, 50000, 1},
        };
        struct file_target t;
        struct nbd_handle *h = NULL;

        if (argc != 5)
                measure_die("usage: nvme-nbd MGMT_SOCKET VADAPTER_SOCKET NBD_SOCKET EXPORT");
        processes_pin(argv[1], 1);
        measure_pin(0, 0);
        setvbuf(stdout, NULL, _IOLBF, 0);
        file_target_open(&t, argv[2], NULL, SIZE, true);
        t.host.patience_ms = 60000;
        h = nbd_create();
        if (!h || nbd_set_export_name(h, argv[4]) < 0 || nbd_set_pread_initialize(h, false) < 0 ||
            nbd_set_request_structured_replies(h, false) < 0 || nbd_connect_unix(h, argv[3]) < 0)
                measure_die("libnbd: %s", nbd_get_error());
        for (size_t i = 0; i < ARRAY_LENGTH(jobs); i++)
                compare(h, &t, &jobs[i]);
        nbd_close(h);
        file_target_close(&t);
        return 0;
}
