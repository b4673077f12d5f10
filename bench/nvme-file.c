/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nvme-file MGMT_SOCKET VADAPTER_SOCKET FILE
 * nvme-file MGMT_SOCKET VADAPTER_SOCKET nbd:SOCKET EXPORT
 *
 * A vAdapter over a file against io_uring straight on that file (no layer between, not even fio's), or over an export of an NBD
 * server against libnbd on the same: reads and writes of 4 KiB at random, and of 128 KiB in sequence. This process is on one
 * processor, the worker on the other. Batches of both alternate.
 */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <string.h>

#include "bench/measure.h"
#include "bench/nvme-file.h"
#include "bench/nvme-host.h"
#include "bench/processes.h"
#include "util.h"

#define BATCHES 5
#define PAGES_MAX (BLOCK_MAX / NVME_HOST_PAGE)

struct target {
        struct nvme_host host;
        unsigned char *data;
        uint64_t *lists; /* a page for each slot */
        uint64_t data_iova, lists_iova;
};

/* NVMe 1.4 section 4.3: the first page, then the second, or a list of all others */
static void nvme_put(struct target *t, const struct job *job, unsigned int slot, uint64_t offset) {
        uint64_t iova = t->data_iova + (uint64_t)slot * BLOCK_MAX;
        struct nvme_host_command command;

        nvme_host_rw(&command, job->opcode, &t->host, offset / t->host.block_size, job->block / t->host.block_size, iova);
        if (job->block > 2 * NVME_HOST_PAGE)
                command.prp2 = t->lists_iova + (uint64_t)slot * NVME_HOST_PAGE;
        command.cid = (uint16_t)slot;
        nvme_host_put(&t->host.io, &command);
}

static double nvme_batch(struct target *t, struct place p) {
        const struct job *job = p.job;
        struct nvme_host *h = &t->host;
        unsigned int started = 0, done = 0;
        uint64_t start = measure_ns();
        int r;

        for (; started < job->depth; started++)
                nvme_put(t, job, started, next_offset(&p));
        while (done < job->count) {
                struct nvme_host_completion completion;

                if ((r = nvme_host_ring(h, &h->io)) < 0 || (r = nvme_host_wait(h, &h->io)) < 0)
                        measure_die("%s: %s", job->what, strerror(-r));
                while (nvme_host_take(&h->io, &completion)) {
                        if (NVME_HOST_STATUS(&completion) || completion.cid >= job->depth)
                                measure_die("%s: status 0x%x", job->what, NVME_HOST_STATUS(&completion));
                        done++;
                        if (started == job->count)
                                continue;
                        started++;
                        nvme_put(t, job, completion.cid, next_offset(&p));
                }
                if ((r = nvme_host_ack(h, &h->io)) < 0)
                        measure_die("%s: %s", job->what, strerror(-r));
        }
        return (double)(measure_ns() - start) / job->count;
}

static void uring_put(struct io_uring *ring, const struct job *job, unsigned char *data, unsigned int slot, uint64_t offset) {
        struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

        if (job->opcode == NVME_IO_READ)
                io_uring_prep_read(sqe, 0, data + (size_t)slot * BLOCK_MAX, job->block, offset);
        else
                io_uring_prep_write(sqe, 0, data + (size_t)slot * BLOCK_MAX, job->block, offset);
        sqe->flags |= IOSQE_FIXED_FILE;
        io_uring_sqe_set_data64(sqe, slot);
}

static double uring_batch(void *peer, unsigned char *data, struct place p) {
        struct io_uring *ring = peer;
        const struct job *job = p.job;
        unsigned int started = 0, done = 0;
        uint64_t start = measure_ns();

        for (; started < job->depth; started++)
                uring_put(ring, job, data, started, next_offset(&p));
        while (done < job->count) {
                struct io_uring_cqe *cqe;
                unsigned int head, n = 0;
                int r = io_uring_submit_and_wait(ring, 1);

                if (r < 0)
                        measure_die("io_uring: %s", strerror(-r));
                io_uring_for_each_cqe(ring, head, cqe) {
                        if (cqe->res != (int)job->block)
                                measure_die("io_uring: %d", cqe->res);
                        n++;
                        if (started == job->count)
                                continue;
                        started++;
                        uring_put(ring, job, data, (unsigned int)io_uring_cqe_get_data64(cqe), next_offset(&p));
                }
                io_uring_cq_advance(ring, n);
                done += n;
        }
        return (double)(measure_ns() - start) / job->count;
}

/* `goal`: the rate, as a part of the peer's. */
static void compare(struct target *t, const struct peer *peer, unsigned char *data, const struct job *job) {
        double ours[BATCHES], peers[BATCHES], ratios[BATCHES];

        for (unsigned int i = 0; i < BATCHES + 1; i++) { /* the first warms up */
                struct place p = {
                        .job = job, .state = UINT64_C(88172645463325252) + i, .n_blocks = (UINT64_C(256) << 20) / job->block};
                unsigned int slot = i ? i - 1 : 0;

                peers[slot] = peer->batch(peer->self, data, p);
                ours[slot] = nvme_batch(t, p);
                ratios[slot] = ours[slot] / peers[slot];
        }
        double ratio = measure_median(ratios, BATCHES);
        printf("%s%-*s %9.3f us %9.3f us %7.3f  %.2f %s\n", peer->name, 46 - (int)strlen(peer->name), job->what,
               measure_median(ours, BATCHES) / 1e3, measure_median(peers, BATCHES) / 1e3, ratio, 1 / job->goal,
               ratio <= 1 / job->goal ? "held" : "missed");
}

static void target_open(struct target *t, const char *path, bool sleeps) {
        if (nvme_host_open(&t->host, path, 8 << 20, 64, sleeps) < 0)
                exit(1);
        t->host.patience_ms = 60000;
        if (nvme_host_shadow(&t->host) < 0)
                measure_die("%s: no shadow doorbells", path);
        t->data = nvme_host_alloc(&t->host, (size_t)DEPTH_MAX * BLOCK_MAX, &t->data_iova);
        t->lists = nvme_host_alloc(&t->host, (size_t)DEPTH_MAX * NVME_HOST_PAGE, &t->lists_iova);
        if (!t->data || !t->lists || t->host.n_blocks * t->host.block_size < UINT64_C(256) << 20)
                measure_die("%s: a namespace that cannot be used", path);
        for (unsigned int slot = 0; slot < DEPTH_MAX; slot++)
                for (unsigned int i = 1; i < PAGES_MAX; i++)
                        t->lists[slot * (NVME_HOST_PAGE / sizeof(uint64_t)) + i - 1] =
                                t->data_iova + (uint64_t)slot * BLOCK_MAX + (uint64_t)i * NVME_HOST_PAGE;
        memset(t->data, 0x5a, (size_t)DEPTH_MAX * BLOCK_MAX);
}

static void file_open(const char *path, struct io_uring *ring, struct peer *peer) {
        const int fd = open(path, O_RDWR | O_CLOEXEC);

        if (fd < 0 || io_uring_queue_init(64, ring, 0) < 0 || io_uring_register_files(ring, &fd, 1) < 0)
                measure_die("%s: %s", path, strerror(errno));
        *peer = (struct peer){"file, ", uring_batch, ring};
}

int main(int argc, char **argv) {
        static const struct job jobs[] = {
                {"128 KiB sequential write, depth 32", NVME_IO_WRITE, BLOCK_MAX, true, 32, 4096, 0.95},
                {"128 KiB sequential read, depth 32", NVME_IO_READ, BLOCK_MAX, true, 32, 4096, 0.95},
                {"4 KiB random read, depth 1", NVME_IO_READ, 4096, false, 1, 20000, 1},
                {"4 KiB random read, depth 32", NVME_IO_READ, 4096, false, 32, 50000, 1},
                {"4 KiB random write, depth 1", NVME_IO_WRITE, 4096, false, 1, 20000, 1},
                {"4 KiB random write, depth 32", NVME_IO_WRITE, 4096, false, 32, 50000, 1},
        };
        struct target t;
        struct io_uring ring;
        struct peer peer;

        if (argc != 4 && argc != 5)
                measure_die("usage: nvme-file MGMT_SOCKET VADAPTER_SOCKET FILE, or nbd:SOCKET EXPORT");
        processes_pin(argv[1], 1);
        measure_pin(0, 0);
        setvbuf(stdout, NULL, _IOLBF, 0);
        /* An NBD server is a third process: it gets the processor that this one would poll on. */
        target_open(&t, argv[2], argc == 5);
        if (argc == 5)
                nbd_peer_open(argv[3] + strlen("nbd:"), argv[4], &peer);
        else
                file_open(argv[3], &ring, &peer);
        unsigned char *data = aligned_alloc(4096, (size_t)DEPTH_MAX * BLOCK_MAX);
        if (!data)
                measure_die("no memory");
        memset(data, 0xa5, (size_t)DEPTH_MAX * BLOCK_MAX);
        for (size_t i = 0; i < ARRAY_LENGTH(jobs); i++)
                compare(&t, &peer, data, &jobs[i]);
        free(data);
        nvme_host_close(&t.host);
        return 0;
}
