/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/batch.h"

#include <string.h>

#include "bench/measure.h"

double batch_nvme(struct nvme_host *h, const struct batch *b) {
        unsigned int started = 0, done = 0;
        uint64_t start = measure_ns();
        int r;

        for (; started < b->depth; started++)
                b->put(b->userdata, started);
        while (done < b->count) {
                struct nvme_host_completion completion;

                if ((r = nvme_host_ring(h, &h->io)) < 0 || (r = nvme_host_wait(h, &h->io)) < 0)
                        measure_die("%s: %s", b->what, strerror(-r));
                while (nvme_host_take(&h->io, &completion)) {
                        if (NVME_HOST_STATUS(&completion) || completion.cid >= b->depth)
                                measure_die("%s: status 0x%x, command %u", b->what, NVME_HOST_STATUS(&completion),
                                            completion.cid);
                        if (b->done)
                                b->done(b->userdata, completion.cid);
                        done++;
                        if (started == b->count)
                                continue;
                        started++;
                        b->put(b->userdata, completion.cid);
                }
                if ((r = nvme_host_ack(h, &h->io)) < 0)
                        measure_die("%s: %s", b->what, strerror(-r));
        }
        return (double)(measure_ns() - start) / b->count;
}

void blocks_fill(struct nvme_host *h, void *page, uint64_t iova, uint64_t n_blocks) {
        uint64_t *words = page;

        for (uint64_t b = 0; b < n_blocks; b++) {
                struct nvme_host_command command;
                struct nvme_host_completion completion;

                for (size_t i = 0; i < BATCH_BLOCK / sizeof(*words); i++)
                        words[i] = b + (i << 32);
                nvme_host_rw(&command, NVME_IO_WRITE, h, b * (BATCH_BLOCK / h->block_size), BATCH_BLOCK / h->block_size, iova);
                int r = nvme_host_run(h, &h->io, &command, &completion);
                if (r < 0 || NVME_HOST_STATUS(&completion))
                        measure_die("NVMe write: %s, status 0x%x", strerror(-r), NVME_HOST_STATUS(&completion));
        }
}

void block_check(const void *data, uint64_t block) {
        uint64_t first, last;

        memcpy(&first, data, sizeof(first));
        memcpy(&last, (const char *)data + BATCH_BLOCK - sizeof(last), sizeof(last));
        if (first != block || last != block + ((BATCH_BLOCK / sizeof(last) - 1) << 32))
                measure_die("block %llu has the wrong contents", (unsigned long long)block);
}

static void read_put(void *userdata, unsigned int slot) {
        struct block_reads *r = userdata;
        struct nvme_host_command command;
        const unsigned int factor = BATCH_BLOCK / r->host->block_size;

        r->blocks[slot] = pattern_next(&r->pattern);
        nvme_host_rw(&command, NVME_IO_READ, r->host, r->blocks[slot] * factor, factor, r->iova + (uint64_t)slot * BATCH_BLOCK);
        command.cid = (uint16_t)slot;
        nvme_host_put(&r->host->io, &command);
}

static void read_done(void *userdata, unsigned int slot) {
        struct block_reads *r = userdata;

        block_check(r->data + (size_t)slot * BATCH_BLOCK, r->blocks[slot]);
}

double block_reads_run(struct block_reads *r, unsigned int depth, unsigned int count) {
        const struct batch batch = {.what = "NVMe read",
                                    .depth = depth,
                                    .count = count,
                                    .put = read_put,
                                    .done = r->is_checked ? read_done : NULL,
                                    .userdata = r};

        return batch_nvme(r->host, &batch);
}
