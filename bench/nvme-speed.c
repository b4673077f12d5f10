/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nvme-speed MGMT_SOCKET SHADOW_SOCKET MAPPED_SOCKET
 *
 * 4 KiB random reads of two vAdapters on memory, this process on one processor and their worker on another: one with shadow
 * doorbells, which sleeps when it is idle, one whose doorbells are mapped. Judged by what the two processors can do at best: a
 * ping-pong in shared memory, the rate at which one of them copies such blocks out of as large a buffer, and the bare exchange
 * that a read is made of. The volumes are thin, and the buffer is what malloc(3) gives: whether that is in large pages is
 * printed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/batch.h"
#include "bench/measure.h"
#include "bench/processes.h"
#include "bench/two-processors.h"
#include "util.h"

#define BATCHES 5
#define BLOCK BATCH_BLOCK
#define DEPTH_MAX 128u
#define ENTRIES 1024u
#define BUFFER (UINT64_C(256) << 20)

/* Of the buffer, or of the mapping that it is in. */
static uint64_t bytes_in_large_pages(const void *buffer) {
        const uintptr_t at = (uintptr_t)buffer;
        uintptr_t from = 0, to = 0;
        bool is_it = false;
        uint64_t kib = 0;
        char line[512];
        CLEANUP_FILE FILE *f = fopen("/proc/self/smaps", "re");

        while (f && fgets(line, sizeof(line), f))
                if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &from, &to) == 2)
                        is_it = at >= from && at < to;
                else if (is_it && sscanf(line, "AnonHugePages: %" SCNu64, &kib) == 1)
                        break;
        return kib * 1024;
}

/* ns a block */
static double copy_batch(const unsigned char *buffer, unsigned char *to, struct pattern p, unsigned int count) {
        uint64_t start = measure_ns();

        for (unsigned int i = 0; i < count; i++) {
                memcpy(to + (size_t)(i % DEPTH_MAX) * BLOCK, buffer + pattern_next(&p) * BLOCK, BLOCK);
                __asm__ volatile("" ::: "memory");
        }
        return (double)(measure_ns() - start) / count;
}

/* ---- ours ---- */

static void target_open(struct block_reads *t, const char *path, bool mapped) {
        if (nvme_host_open(t->host, path, 4 << 20, ENTRIES, false) < 0)
                exit(1);
        int r = mapped ? nvme_host_map_doorbells(t->host) : nvme_host_shadow(t->host);
        if (r < 0)
                measure_die("%s: no doorbells in memory: %s", path, strerror(-r));
        t->data = nvme_host_alloc(t->host, (size_t)DEPTH_MAX * BLOCK, &t->iova);
        if (!t->data || t->host->n_blocks * t->host->block_size < BUFFER)
                measure_die("%s: a namespace that cannot be used", path);
        blocks_fill(t->host, t->data, t->iova, BUFFER / BLOCK);
}

static void report(const char *what, double ours, double peer, double ratio, double goal) {
        printf("%-46s %9.3f us %9.3f us %7.3f", what, ours / 1e3, peer / 1e3, ratio);
        if (goal > 0)
                printf("  %.2f %s\n", goal, ratio <= goal ? "held" : "missed");
        else
                puts("  -");
}

static void report_one(const char *peer, const char *name, double *ours, double *peers, double goal) {
        double ratios[BATCHES];
        char what[64];

        for (unsigned int i = 0; i < BATCHES; i++)
                ratios[i] = ours[i] / peers[i];
        snprintf(what, sizeof(what), "RAM, 4 KiB random read, depth 1, %s%s", name, peer);
        report(what, measure_median(ours, BATCHES), measure_median(peers, BATCHES), measure_median(ratios, BATCHES), goal);
}

static void depth_one(struct block_reads *t, const char *name) {
        double ours[BATCHES], again[BATCHES], balls[BATCHES], bare[BATCHES];

        for (unsigned int i = 0; i < BATCHES + 1; i++) { /* the first warms up */
                unsigned int slot = i ? i - 1 : 0;

                t->pattern = pattern_of(i, BUFFER / BLOCK);
                t->is_checked = i == 0; /* the copy loop and other clients do not look at theirs either */
                again[slot] = ours[slot] = block_reads_run(t, 1, 30000);
        }
        /* The polling worker and the peers would share a processor: first one, then the other. */
        if (t->host->page)
                nvme_host_close(t->host);
        for (unsigned int i = 0; i < BATCHES; i++) {
                balls[i] = ping_pong_ns(200000);
                bare[i] = bare_read_ns(BUFFER, i, 100000);
        }
        report_one("", name, ours, balls, 3);
        report_one(", bare", name, again, bare, 0);
}

static void depth_many(struct block_reads *t, const unsigned char *buffer, unsigned char *to, unsigned int depth,
                       const char *name) {
        const unsigned int count = 100000;
        double ours[BATCHES], peers[BATCHES], ratios[BATCHES];
        char what[64];
        uint64_t rings = 0;

        for (unsigned int i = 0; i < BATCHES + 1; i++) {
                const struct pattern p = pattern_of(i, BUFFER / BLOCK);
                unsigned int slot = i ? i - 1 : 0;

                peers[slot] = copy_batch(buffer, to, p, count);
                rings = t->host->n_rings;
                t->pattern = p;
                t->is_checked = i == 0;
                ours[slot] = block_reads_run(t, depth, count);
                ratios[slot] = ours[slot] / peers[slot];
        }
        snprintf(what, sizeof(what), "RAM, 4 KiB random read, depth %u, %s", depth, name);
        report(what, measure_median(ours, BATCHES), measure_median(peers, BATCHES), measure_median(ratios, BATCHES), 1 / 0.6);
        snprintf(what, sizeof(what), "register writes per read, depth %u, %s", depth, name);
        printf("%-46s %12.4f %12s %7s  0.05 %s\n", what, (double)(t->host->n_rings - rings) / count, "-", "-",
               (double)(t->host->n_rings - rings) / count < 0.05 ? "held" : "missed");
}

int main(int argc, char **argv) {
        struct nvme_host host;
        uint64_t blocks[DEPTH_MAX];
        struct block_reads t = {.host = &host, .blocks = blocks};

        if (argc != 4)
                measure_die("usage: nvme-speed MGMT_SOCKET SHADOW_SOCKET MAPPED_SOCKET");
        processes_pin(argv[1], 1);
        measure_pin(0, 0);
        setvbuf(stdout, NULL, _IOLBF, 0);
        unsigned char *buffer = aligned_alloc(BLOCK, BUFFER), *to = aligned_alloc(BLOCK, (size_t)DEPTH_MAX * BLOCK);
        if (!buffer || !to)
                measure_die("no memory");
        memset(buffer, 0x5a, BUFFER);
        memset(to, 0, (size_t)DEPTH_MAX * BLOCK);
        printf("%-46s %12s %8" PRIu64 " MiB %7s  -\n", "RAM, thin; copy loop's buffer in large pages", "-",
               bytes_in_large_pages(buffer) >> 20, "-");
        for (unsigned int mapped = 0; mapped < 2; mapped++) {
                const char *name = mapped ? "mapped" : "shadow";

                target_open(&t, argv[2 + mapped], mapped);
                depth_many(&t, buffer, to, 32, name);
                depth_many(&t, buffer, to, 128, name);
                depth_one(&t, name);
                nvme_host_close(&host);
        }
        free(buffer);
        free(to);
        return 0;
}
