/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nvme-read MGMT_SOCKET VADAPTER_SOCKET FILE
 *
 * 4 KiB random reads from an NVMe vAdapter against the same reads by io_uring, straight from the file that is its medium. Batches
 * of both alternate, each over the same offsets.
 */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench/batch-uring.h"
#include "bench/measure.h"
#include "bench/processes.h"
#include "util.h"

#define BATCHES 5
#define BLOCK BATCH_BLOCK
#define DEPTH_MAX 32u
#define ENTRIES 64u

struct uring_reads {
        struct io_uring *ring;
        int fd;
        unsigned char *data;
        struct pattern pattern;
        uint64_t blocks[DEPTH_MAX];
};

static void uring_put(void *userdata, unsigned int slot) {
        struct uring_reads *r = userdata;
        struct io_uring_sqe *sqe = io_uring_get_sqe(r->ring);

        r->blocks[slot] = pattern_next(&r->pattern);
        io_uring_prep_read(sqe, r->fd, r->data + (size_t)slot * BLOCK, BLOCK, r->blocks[slot] * BLOCK);
        io_uring_sqe_set_data64(sqe, slot);
}

static void uring_done(void *userdata, unsigned int slot) {
        const struct uring_reads *r = userdata;

        block_check(r->data + (size_t)slot * BLOCK, r->blocks[slot]);
}

static void compare(struct block_reads *reads, struct uring_reads *uring, uint64_t n_blocks, unsigned int depth) {
        const struct batch batch = {.what = "random read",
                                    .depth = depth,
                                    .count = depth == 1 ? 10000 : 50000,
                                    .put = uring_put,
                                    .done = uring_done,
                                    .userdata = uring};
        double ours[BATCHES], peers[BATCHES], ratios[BATCHES];
        char what[64];

        for (unsigned int i = 0; i < BATCHES + 1; i++) { /* the first warms up */
                unsigned int slot = i ? i - 1 : 0;

                uring->pattern = reads->pattern = pattern_of(i, n_blocks);
                peers[slot] = batch_uring(uring->ring, &batch, BLOCK);
                ours[slot] = block_reads_run(reads, depth, batch.count);
                ratios[slot] = ours[slot] / peers[slot];
        }
        snprintf(what, sizeof(what), "4 KiB random read, depth %u, %s", depth,
                 reads->host->io.eventfd >= 0 ? "interrupt" : "polled");
        printf("%-46s %9.2f us %9.2f us %7.3f  -\n", what, measure_median(ours, BATCHES) / 1e3,
               measure_median(peers, BATCHES) / 1e3, measure_median(ratios, BATCHES));
}

int main(int argc, char **argv) {
        struct nvme_host host;
        struct io_uring ring;
        uint64_t blocks[DEPTH_MAX];
        struct block_reads reads = {.host = &host, .blocks = blocks, .is_checked = true};
        struct uring_reads uring = {.ring = &ring, .fd = -1};

        if (argc != 4)
                measure_die("usage: nvme-read MGMT_SOCKET VADAPTER_SOCKET FILE");
        processes_pin(argv[1], 1);
        measure_pin(0, 0);
        uring.data = aligned_alloc(BLOCK, (size_t)DEPTH_MAX * BLOCK);
        if (!uring.data || io_uring_queue_init(ENTRIES, &ring, 0) < 0)
                measure_die("cannot set up io_uring");
        for (unsigned int interrupt = 0; interrupt < 2; interrupt++) {
                if (nvme_host_open(&host, argv[2], 1 << 20, ENTRIES, interrupt) < 0)
                        return 1;
                reads.data = nvme_host_alloc(&host, (size_t)DEPTH_MAX * BLOCK, &reads.iova);
                uint64_t n_blocks = host.n_blocks * host.block_size / BLOCK;
                if (!reads.data || !n_blocks || BLOCK % host.block_size)
                        measure_die("%s: a namespace that cannot be used", argv[2]);
                if (!interrupt) {
                        blocks_fill(&host, reads.data, reads.iova, n_blocks);
                        uring.fd = open(argv[3], O_RDONLY | O_CLOEXEC);
                        if (uring.fd < 0)
                                measure_die("%s: %s", argv[3], strerror(errno));
                }
                compare(&reads, &uring, n_blocks, 1);
                compare(&reads, &uring, n_blocks, DEPTH_MAX);
                nvme_host_close(&host);
        }
        io_uring_queue_exit(&ring);
        free(uring.data);
        close(uring.fd);
        return 0;
}
