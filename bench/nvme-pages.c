/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nvme-pages MGMT_SOCKET FULL_SOCKET THIN_SOCKET
 *
 * Two vAdapters on memory that differ in nothing but the provisioning of their volumes: full, which is in large pages where the
 * kernel has them, against thin, all of it written. 4 KiB at random, shadow doorbells, this process on one processor and the
 * workers on another. Batches of both alternate, each over the same blocks, and many short ones of less than a millisecond, so
 * that who else is on the processors is in few of the pairs whose median is the ratio; what is before each wakes the worker.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/batch.h"
#include "bench/measure.h"
#include "bench/processes.h"
#include "util.h"

#define BATCHES 201u
#define BLOCK BATCH_BLOCK
#define DEPTH_MAX 128u
#define ENTRIES 1024u
#define BUFFER (UINT64_C(256) << 20)

struct side {
        struct nvme_host host;
        unsigned char *data;
        uint64_t iova;
        struct pattern pattern;
        unsigned int opcode;
        double ns[BATCHES];
};

static void side_open(struct side *s, const char *path) {
        if (nvme_host_open(&s->host, path, 4 << 20, ENTRIES, false) < 0)
                exit(1);
        int r = nvme_host_shadow(&s->host);
        if (r < 0)
                measure_die("%s: no doorbells in memory: %s", path, strerror(-r));
        s->data = nvme_host_alloc(&s->host, (size_t)DEPTH_MAX * BLOCK, &s->iova);
        if (!s->data || s->host.n_blocks * s->host.block_size < BUFFER)
                measure_die("%s: a namespace that cannot be used", path);
        blocks_fill(&s->host, s->data, s->iova, BUFFER / BLOCK);
}

static void put(void *userdata, unsigned int slot) {
        struct side *s = userdata;
        struct nvme_host_command command;
        const unsigned int factor = BLOCK / s->host.block_size;

        nvme_host_rw(&command, s->opcode, &s->host, pattern_next(&s->pattern) * factor, factor, s->iova + (uint64_t)slot * BLOCK);
        command.cid = (uint16_t)slot;
        nvme_host_put(&s->host.io, &command);
}

static void batch(struct side *s, unsigned int depth, unsigned int i) {
        struct batch b = {.what = "NVMe", .depth = depth, .count = depth == 1 ? 60 : 300, .put = put, .userdata = s};

        s->pattern = pattern_of(BATCHES + i, BUFFER / BLOCK);
        batch_nvme(&s->host, &b);
        s->pattern = pattern_of(i, BUFFER / BLOCK);
        b.count = depth == 1 ? 400 : 1000;
        s->ns[i] = batch_nvme(&s->host, &b);
}

static void compare(struct side *full, struct side *thin, unsigned int opcode, unsigned int depth) {
        double ratios[BATCHES];
        char what[64];

        full->opcode = thin->opcode = opcode;
        for (unsigned int i = 0; i < BATCHES; i++) {
                batch(i % 2 ? full : thin, depth, i);
                batch(i % 2 ? thin : full, depth, i);
        }
        for (unsigned int i = 0; i < BATCHES; i++)
                ratios[i] = full->ns[i] / thin->ns[i];
        snprintf(what, sizeof(what), "RAM, 4 KiB random %s, depth %u, full:thin", opcode == NVME_IO_READ ? "read" : "write",
                 depth);
        printf("%-46s %9.3f us %9.3f us %7.3f  -\n", what, measure_median(full->ns, BATCHES) / 1e3,
               measure_median(thin->ns, BATCHES) / 1e3, measure_median(ratios, BATCHES));
}

int main(int argc, char **argv) {
        static const unsigned int depths[] = {1, 32, DEPTH_MAX};
        static struct side full, thin;

        if (argc != 4)
                measure_die("usage: nvme-pages MGMT_SOCKET FULL_SOCKET THIN_SOCKET");
        processes_pin(argv[1], 1);
        measure_pin(0, 0);
        setvbuf(stdout, NULL, _IOLBF, 0);
        side_open(&full, argv[2]);
        side_open(&thin, argv[3]);
        system(getenv("PAGES_HOOK"));
        for (size_t i = 0; i < ARRAY_LENGTH(depths); i++) {
                compare(&full, &thin, NVME_IO_READ, depths[i]);
                compare(&full, &thin, NVME_IO_WRITE, depths[i]);
        }
        nvme_host_close(&full.host);
        nvme_host_close(&thin.host);
        return 0;
}
