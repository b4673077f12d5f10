/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nvme-speed MGMT_SOCKET SHADOW_SOCKET MAPPED_SOCKET
 *
 * 4 KiB random reads of two vAdapters on memory, this process on one processor and their worker on another: one with shadow
 * doorbells, which sleeps when it is idle, one whose doorbells are mapped. Judged by what the two processors can do at best: a
 * ping-pong in shared memory, and the rate at which one of them copies such blocks out of as large a buffer.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/batch.h"
#include "bench/measure.h"
#include "bench/processes.h"
#include "util.h"

#define BATCHES 5
#define BLOCK BATCH_BLOCK
#define DEPTH_MAX 128u
#define ENTRIES 1024u
#define BUFFER (UINT64_C(256) << 20)

static inline void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#endif
}

/* ---- what the machine can do ---- */

struct ball {
        _Alignas(64) uint32_t ping;
        _Alignas(64) uint32_t pong;
        _Alignas(64) uint32_t ready;
};

static void pong_main(struct ball *ball) {
        measure_pin(0, 1);
        __atomic_store_n(&ball->ready, 1, __ATOMIC_RELEASE);
        for (uint32_t i = 1;; i++) {
                uint32_t v;

                while ((v = __atomic_load_n(&ball->ping, __ATOMIC_ACQUIRE)) < i)
                        relax();
                __atomic_store_n(&ball->pong, v, __ATOMIC_RELEASE);
                if (v == UINT32_MAX)
                        _exit(0);
        }
}

/* ns a round trip; the pong process lives for one batch, so that it takes no time from the worker. */
static double ping_pong(unsigned int count) {
        struct ball *ball = mmap(NULL, sizeof(*ball), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        uint64_t start = 0;
        pid_t pid;

        if (ball == MAP_FAILED || (pid = fork()) < 0)
                measure_die("ping-pong: %s", strerror(errno));
        if (pid == 0)
                pong_main(ball);
        while (!__atomic_load_n(&ball->ready, __ATOMIC_ACQUIRE)) /* it begins on this processor, which it must be let have */
                nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
        for (uint32_t i = 1; i <= count; i++) {
                if (i == 1000)
                        start = measure_ns();
                __atomic_store_n(&ball->ping, i, __ATOMIC_RELEASE);
                while (__atomic_load_n(&ball->pong, __ATOMIC_ACQUIRE) < i)
                        relax();
        }
        double ns = (double)(measure_ns() - start) / (count - 1000);
        __atomic_store_n(&ball->ping, UINT32_MAX, __ATOMIC_RELEASE);
        waitpid(pid, NULL, 0);
        munmap(ball, sizeof(*ball));
        return ns;
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
        printf("%-46s %9.3f us %9.3f us %7.3f  %.2f %s\n", what, ours / 1e3, peer / 1e3, ratio, goal,
               ratio <= goal ? "held" : "missed");
}

static void depth_one(struct block_reads *t, const char *name) {
        double ours[BATCHES], peers[BATCHES], ratios[BATCHES];
        char what[64];

        for (unsigned int i = 0; i < BATCHES + 1; i++) { /* the first warms up */
                const struct pattern p = pattern_of(i, BUFFER / BLOCK);
                unsigned int slot = i ? i - 1 : 0;

                t->pattern = p;
                t->is_checked = i == 0; /* the copy loop and other clients do not look at theirs either */
                ours[slot] = block_reads_run(t, 1, 30000);
                peers[slot] = 0;
                ratios[slot] = 0;
        }
        /* The polling worker and the ping-pong would share a processor: first one, then the other. */
        if (t->host->page)
                nvme_host_close(t->host);
        for (unsigned int i = 0; i < BATCHES; i++) {
                peers[i] = ping_pong(200000);
                ratios[i] = ours[i] / peers[i];
        }
        snprintf(what, sizeof(what), "RAM, 4 KiB random read, depth 1, %s", name);
        report(what, measure_median(ours, BATCHES), measure_median(peers, BATCHES), measure_median(ratios, BATCHES), 3);
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
