/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nvme-read MGMT_SOCKET VADAPTER_SOCKET MEDIA_DIRECTORY
 *
 * 4 KiB random reads from an NVMe vAdapter against the same reads by io_uring, straight from the file that is its medium,
 * the one in MEDIA_DIRECTORY that the first writes went to. Batches
 * of both alternate, each over the same offsets.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <sys/stat.h>

#include "bench/measure.h"
#include "bench/nvme-host.h"
#include "bench/processes.h"
#include "util.h"

#define BATCHES 5
#define BLOCK 4096u
#define DEPTH_MAX 32u
#define ENTRIES 64u

struct pattern {
        uint64_t state, n_blocks;
};

/* xorshift64: the same offsets for both. */
static uint64_t next_block(struct pattern *p) {
        p->state ^= p->state << 13;
        p->state ^= p->state >> 7;
        p->state ^= p->state << 17;
        return p->state % p->n_blocks;
}

/* Every block holds its own number, so that a read can be judged. */
static void medium_fill(struct nvme_host *h, uint64_t *page, uint64_t iova, uint64_t n_blocks) {
        for (uint64_t b = 0; b < n_blocks; b++) {
                struct nvme_host_command command;
                struct nvme_host_completion completion;

                for (size_t i = 0; i < BLOCK / sizeof(*page); i++)
                        page[i] = b + (i << 32);
                nvme_host_rw(&command, NVME_IO_WRITE, h, b * (BLOCK / h->block_size), BLOCK / h->block_size, iova);
                int r = nvme_host_run(h, &h->io, &command, &completion);
                if (r < 0 || NVME_HOST_STATUS(&completion))
                        measure_die("NVMe write: %s, status 0x%x", strerror(-r), NVME_HOST_STATUS(&completion));
        }
}

/* The file that it all went to: the only one that is not empty. */
static int medium_open(const char *directory) {
        struct dirent *entry;
        struct stat st;
        int found = -1;
        DIR *d = opendir(directory);

        if (!d)
                measure_die("%s: %s", directory, strerror(errno));
        while ((entry = readdir(d))) {
                if (fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
                        continue;
                if (found >= 0)
                        measure_die("%s: more than one medium is in use", directory);
                found = openat(dirfd(d), entry->d_name, O_RDONLY | O_CLOEXEC);
        }
        closedir(d);
        if (found < 0)
                measure_die("%s: no medium is in use", directory);
        return found;
}

static void check(const void *data, uint64_t block) {
        uint64_t first, last;

        memcpy(&first, data, sizeof(first));
        memcpy(&last, (const char *)data + BLOCK - sizeof(last), sizeof(last));
        if (first != block || last != block + ((BLOCK / sizeof(last) - 1) << 32))
                measure_die("block %llu has the wrong contents", (unsigned long long)block);
}

struct nvme_bench {
        struct nvme_host host;
        unsigned char *data;
        uint64_t iova;
};

static double nvme_batch(struct nvme_bench *b, struct pattern p, unsigned int depth, unsigned int count) {
        struct nvme_host *h = &b->host;
        uint64_t blocks[DEPTH_MAX], factor = BLOCK / h->block_size;
        unsigned int started = 0, done = 0;
        uint64_t start = measure_ns();
        int r;

        for (unsigned int slot = 0; slot < depth; slot++, started++) {
                struct nvme_host_command command;

                blocks[slot] = next_block(&p);
                nvme_host_rw(&command, NVME_IO_READ, h, blocks[slot] * factor, (unsigned int)factor, b->iova + slot * BLOCK);
                command.cid = (uint16_t)slot;
                nvme_host_put(&h->io, &command);
        }
        while (done < count) {
                struct nvme_host_completion completion;

                if ((r = nvme_host_ring(h, &h->io)) < 0 || (r = nvme_host_wait(h, &h->io)) < 0)
                        measure_die("NVMe read: %s", strerror(-r));
                while (nvme_host_take(&h->io, &completion)) {
                        unsigned int slot = completion.cid;

                        if (NVME_HOST_STATUS(&completion) || slot >= depth)
                                measure_die("NVMe read: status 0x%x, command %u", NVME_HOST_STATUS(&completion), slot);
                        check(b->data + slot * BLOCK, blocks[slot]);
                        done++;
                        if (started == count)
                                continue;
                        started++;
                        struct nvme_host_command command;
                        blocks[slot] = next_block(&p);
                        nvme_host_rw(&command, NVME_IO_READ, h, blocks[slot] * factor, (unsigned int)factor,
                                     b->iova + slot * BLOCK);
                        command.cid = (uint16_t)slot;
                        nvme_host_put(&h->io, &command);
                }
                if ((r = nvme_host_ack(h, &h->io)) < 0)
                        measure_die("NVMe doorbell: %s", strerror(-r));
        }
        return (double)(measure_ns() - start) / count;
}

static void uring_put(struct io_uring *ring, int fd, unsigned char *data, unsigned int slot, uint64_t block) {
        struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

        io_uring_prep_read(sqe, fd, data + slot * BLOCK, BLOCK, block * BLOCK);
        io_uring_sqe_set_data64(sqe, slot);
}

static double uring_batch(struct io_uring *ring, int fd, unsigned char *data, struct pattern p, unsigned int depth,
                          unsigned int count) {
        uint64_t blocks[DEPTH_MAX];
        unsigned int started = 0, done = 0;
        uint64_t start = measure_ns();

        for (unsigned int slot = 0; slot < depth; slot++, started++)
                uring_put(ring, fd, data, slot, blocks[slot] = next_block(&p));
        while (done < count) {
                struct io_uring_cqe *cqe;
                unsigned int head, n = 0;
                int r = io_uring_submit_and_wait(ring, 1);

                if (r < 0)
                        measure_die("io_uring: %s", strerror(-r));
                io_uring_for_each_cqe(ring, head, cqe) {
                        unsigned int slot = (unsigned int)io_uring_cqe_get_data64(cqe);

                        if (cqe->res != BLOCK)
                                measure_die("io_uring read: %d", cqe->res);
                        check(data + slot * BLOCK, blocks[slot]);
                        n++;
                        if (started == count)
                                continue;
                        started++;
                        uring_put(ring, fd, data, slot, blocks[slot] = next_block(&p));
                }
                io_uring_cq_advance(ring, n);
                done += n;
        }
        return (double)(measure_ns() - start) / count;
}

static void compare(struct nvme_bench *b, struct io_uring *ring, int fd, unsigned char *data, uint64_t n_blocks,
                    unsigned int depth) {
        unsigned int count = depth == 1 ? 10000 : 50000;
        double ours[BATCHES], peers[BATCHES], ratios[BATCHES];
        char what[64];

        for (unsigned int i = 0; i < BATCHES + 1; i++) { /* the first warms up */
                struct pattern p = {.state = UINT64_C(88172645463325252) + i, .n_blocks = n_blocks};
                unsigned int slot = i ? i - 1 : 0;

                peers[slot] = uring_batch(ring, fd, data, p, depth, count);
                ours[slot] = nvme_batch(b, p, depth, count);
                ratios[slot] = ours[slot] / peers[slot];
        }
        snprintf(what, sizeof(what), "4 KiB random read, depth %u, %s", depth, b->host.io.eventfd >= 0 ? "interrupt" : "polled");
        printf("%-46s %9.2f us %9.2f us %7.3f  -\n", what, measure_median(ours, BATCHES) / 1e3,
               measure_median(peers, BATCHES) / 1e3, measure_median(ratios, BATCHES));
}

int main(int argc, char **argv) {
        struct nvme_bench b;
        struct io_uring ring;
        int fd = -1, r;

        if (argc != 4)
                measure_die("usage: nvme-read MGMT_SOCKET VADAPTER_SOCKET MEDIA_DIRECTORY");
        processes_pin(argv[1], 1);
        measure_pin(0, 0);
        unsigned char *data = aligned_alloc(BLOCK, DEPTH_MAX * BLOCK);
        if (!data || (r = io_uring_queue_init(ENTRIES, &ring, 0)) < 0)
                measure_die("cannot set up io_uring");
        for (unsigned int interrupt = 0; interrupt < 2; interrupt++) {
                if (nvme_host_open(&b.host, argv[2], 1 << 20, ENTRIES, interrupt) < 0)
                        return 1;
                b.data = nvme_host_alloc(&b.host, DEPTH_MAX * BLOCK, &b.iova);
                uint64_t n_blocks = b.host.n_blocks * b.host.block_size / BLOCK;
                if (!b.data || !n_blocks || BLOCK % b.host.block_size)
                        measure_die("%s: a namespace that cannot be used", argv[2]);
                if (!interrupt) {
                        medium_fill(&b.host, (uint64_t *)(void *)b.data, b.iova, n_blocks);
                        fd = medium_open(argv[3]);
                }
                compare(&b, &ring, fd, data, n_blocks, 1);
                compare(&b, &ring, fd, data, n_blocks, DEPTH_MAX);
                nvme_host_close(&b.host);
        }
        io_uring_queue_exit(&ring);
        free(data);
        close(fd);
        return 0;
}
