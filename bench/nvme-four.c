/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nvme-four MGMT_SOCKET SIZE_MIB { VADAPTER_SOCKET FILE }...
 *
 * Several servers at once, each with a vAdapter, a worker and a process that drives it by interrupts, against as many processes
 * that use io_uring straight on the same files, and as many jobs of fio. Nobody is kept to a processor. What is compared is the
 * time until all have done the same work, divided by how much it was.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/file-job.h"
#include "bench/measure.h"
#include "bench/processes.h"
#include "util.h"

#define BATCHES 5
#define HOSTS_MAX 8

/* What the parent tells every child to do; a byte comes back when it is done. */
struct order {
        const struct file_job *job;
        unsigned int round;
        bool is_nvme;
};

struct hosts {
        unsigned int n;
        uint64_t size;
        int fds[HOSTS_MAX];
        const char *paths[HOSTS_MAX];
};

static void child(int fd, const char *socket, const char *path, uint64_t size) {
        const struct file_job fill = {
                "filling", NVME_IO_WRITE, FILE_JOB_BLOCK, true, FILE_JOB_DEPTH, (unsigned int)(size / FILE_JOB_BLOCK), 1};
        struct file_target t;
        struct order order;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        file_target_open(&t, socket, path, size, true);
        file_job_nvme(&t, &fill, 0); /* what was never written is read without a copy */
        while (read(fd, &order, sizeof(order)) == sizeof(order)) {
                if (order.is_nvme)
                        file_job_nvme(&t, order.job, order.round);
                else
                        file_job_uring(&t, order.job, order.round);
                if (write(fd, "", 1) != 1)
                        break;
        }
        file_target_close(&t);
        _exit(0);
}

/* ns each of what all have done together. */
static double together(const struct hosts *h, const struct file_job *job, unsigned int round, bool is_nvme) {
        const struct order order = {job, round, is_nvme};
        const uint64_t start = measure_ns();
        char done;

        for (unsigned int i = 0; i < h->n; i++)
                if (write(h->fds[i], &order, sizeof(order)) != sizeof(order))
                        measure_die("%s: cannot tell a process what to do", job->what);
        for (unsigned int i = 0; i < h->n; i++)
                if (read(h->fds[i], &done, 1) != 1)
                        measure_die("%s: a process has ended", job->what);
        return (double)(measure_ns() - start) / ((double)job->count * h->n);
}

static void compare(const struct hosts *h, const struct file_job *job) {
        double ours[BATCHES], again[BATCHES], bare[BATCHES], fio[BATCHES];

        for (unsigned int i = 0; i < BATCHES + 1; i++) { /* the first warms up */
                unsigned int slot = i ? i - 1 : 0;

                bare[slot] = together(h, job, i, false);
                again[slot] = ours[slot] = together(h, job, i, true);
                fio[slot] = file_job_fio(h->paths, h->n, h->size, job, -1);
        }
        /* The goal is against fio; where there is none, it is the harder one. */
        file_job_report(job, "", ours, bare, BATCHES, fio[0] <= 0);
        if (fio[0] > 0)
                file_job_report(job, ", fio", again, fio, BATCHES, true);
}

static void host_start(struct hosts *h, const char *socket, const char *path) {
        int pair[2];
        pid_t pid;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 || (pid = fork()) < 0)
                measure_die("cannot start a process: %s", strerror(errno));
        if (pid == 0) {
                close(pair[0]);
                child(pair[1], socket, path, h->size);
        }
        close(pair[1]);
        h->paths[h->n] = path;
        h->fds[h->n++] = pair[0];
}

int main(int argc, char **argv) {
        static const struct file_job jobs[] = {
                {"four, 4 KiB random read, depth 32", NVME_IO_READ, 4096, false, 32, 50000, 0.9},
                {"four, 4 KiB random write, depth 32", NVME_IO_WRITE, 4096, false, 32, 50000, 0.9},
        };
        struct hosts hosts = {.size = argc > 2 ? strtoull(argv[2], NULL, 10) << 20 : 0};

        if (argc < 5 || argc % 2 == 0 || argc > 3 + 2 * HOSTS_MAX)
                measure_die("usage: nvme-four MGMT_SOCKET SIZE_MIB { VADAPTER_SOCKET FILE }...");
        processes_unpin(argv[1]);
        setvbuf(stdout, NULL, _IOLBF, 0);
        for (int i = 3; i < argc; i += 2)
                host_start(&hosts, argv[i], argv[i + 1]);
        for (size_t j = 0; j < ARRAY_LENGTH(jobs); j++)
                compare(&hosts, &jobs[j]);
        for (unsigned int i = 0; i < hosts.n; i++)
                close(hosts.fds[i]);
        while (wait(NULL) > 0)
                ;
        return 0;
}
