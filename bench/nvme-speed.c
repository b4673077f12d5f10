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

#include "bench/measure.h"
#include "bench/nvme-host.h"
#include "bench/processes.h"
#include "util.h"

#define BATCHES 5
#define BLOCK 4096u
#define DEPTH_MAX 128u
#define ENTRIES 1024u
#define BUFFER (UINT64_C(256) << 20)

struct pattern {
        uint64_t state, n_blocks;
};

/* xorshift64 */
static uint64_t next_block(struct pattern *p) {
        p->state ^= p->state << 13;
        p->state ^= p->state >> 7;
        p->state ^= p->state << 17;
        return p->state % p->n_blocks;
}

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
                memcpy(to + (size_t)(i % DEPTH_MAX) * BLOCK, buffer + next_block(&p) * BLOCK, BLOCK);
                __asm__ volatile("" ::: "memory");
        }
        return (double)(measure_ns() - start) / count;
}

/* ---- ours ---- */

struct target {
        struct nvme_host host;
        unsigned char *data;
        uint64_t iova;
};

static void put_read(struct target *t, unsigned int slot, uint64_t block) {
        struct nvme_host_command command;
        uint64_t factor = BLOCK / t->host.block_size;

        nvme_host_rw(&command, NVME_IO_READ, &t->host, block * factor, (unsigned int)factor, t->iova + (uint64_t)slot * BLOCK);
        command.cid = (uint16_t)slot;
        nvme_host_put(&t->host.io, &command);
}

static void check(const unsigned char *data, uint64_t block) {
        uint64_t first, last;

        memcpy(&first, data, sizeof(first));
        memcpy(&last, data + BLOCK - sizeof(last), sizeof(last));
        if (first != block || last != block + ((BLOCK / sizeof(last) - 1) << 32))
                measure_die("block %llu has the wrong contents", (unsigned long long)block);
}

/* ns a read */
static double nvme_batch(struct target *t, struct pattern p, unsigned int depth, unsigned int count) {
        struct nvme_host *h = &t->host;
        uint64_t blocks[DEPTH_MAX];
        unsigned int started = 0, done = 0;
        uint64_t start = measure_ns();
        int r;

        for (; started < depth; started++)
                put_read(t, started, blocks[started] = next_block(&p));
        while (done < count) {
                struct nvme_host_completion completion;

                if ((r = nvme_host_ring(h, &h->io)) < 0 || (r = nvme_host_wait(h, &h->io)) < 0)
                        measure_die("NVMe read: %s", strerror(-r));
                while (nvme_host_take(&h->io, &completion)) {
                        unsigned int slot = completion.cid;

                        if (NVME_HOST_STATUS(&completion) || slot >= depth)
                                measure_die("NVMe read: status 0x%x, command %u", NVME_HOST_STATUS(&completion), slot);
                        check(t->data + (size_t)slot * BLOCK, blocks[slot]);
                        done++;
                        if (started == count)
                                continue;
                        started++;
                        put_read(t, slot, blocks[slot] = next_block(&p));
                }
                if ((r = nvme_host_ack(h, &h->io)) < 0)
                        measure_die("NVMe doorbell: %s", strerror(-r));
        }
        return (double)(measure_ns() - start) / count;
}

static void fill(struct target *t) {
        uint64_t *page = (uint64_t *)(void *)t->data;

        for (uint64_t b = 0; b < BUFFER / BLOCK; b++) {
                struct nvme_host_command command;
                struct nvme_host_completion completion;

                for (size_t i = 0; i < BLOCK / sizeof(*page); i++)
                        page[i] = b + (i << 32);
                nvme_host_rw(&command, NVME_IO_WRITE, &t->host, b * (BLOCK / t->host.block_size), BLOCK / t->host.block_size,
                             t->iova);
                int r = nvme_host_run(&t->host, &t->host.io, &command, &completion);
                if (r < 0 || NVME_HOST_STATUS(&completion))
                        measure_die("NVMe write: %s, status 0x%x", strerror(-r), NVME_HOST_STATUS(&completion));
        }
}

static void target_open(struct target *t, const char *path, bool mapped) {
        if (nvme_host_open(&t->host, path, 4 << 20, ENTRIES, false) < 0)
                exit(1);
        int r = mapped ? nvme_host_map_doorbells(&t->host) : nvme_host_shadow(&t->host);
        if (r < 0)
                measure_die("%s: no doorbells in memory: %s", path, strerror(-r));
        t->data = nvme_host_alloc(&t->host, (size_t)DEPTH_MAX * BLOCK, &t->iova);
        if (!t->data || t->host.n_blocks * t->host.block_size < BUFFER)
                measure_die("%s: a namespace that cannot be used", path);
        fill(t);
}

static void report(const char *what, double ours, double peer, double ratio, double goal) {
        printf("%-46s %9.3f us %9.3f us %7.3f  %.2f %s\n", what, ours / 1e3, peer / 1e3, ratio, goal,
               ratio <= goal ? "held" : "missed");
}

static void depth_one(struct target *t, const char *name) {
        double ours[BATCHES], peers[BATCHES], ratios[BATCHES];
        char what[64];

        for (unsigned int i = 0; i < BATCHES + 1; i++) { /* the first warms up */
                struct pattern p = {.state = UINT64_C(88172645463325252) + i, .n_blocks = BUFFER / BLOCK};
                unsigned int slot = i ? i - 1 : 0;

                ours[slot] = nvme_batch(t, p, 1, 30000);
                peers[slot] = 0;
                ratios[slot] = 0;
        }
        /* The polling worker and the ping-pong would share a processor: first one, then the other. */
        if (t->host.page)
                nvme_host_close(&t->host);
        for (unsigned int i = 0; i < BATCHES; i++) {
                peers[i] = ping_pong(200000);
                ratios[i] = ours[i] / peers[i];
        }
        snprintf(what, sizeof(what), "RAM, 4 KiB random read, depth 1, %s", name);
        report(what, measure_median(ours, BATCHES), measure_median(peers, BATCHES), measure_median(ratios, BATCHES), 3);
}

static void depth_many(struct target *t, const unsigned char *buffer, unsigned char *to, unsigned int depth, const char *name) {
        const unsigned int count = 100000;
        double ours[BATCHES], peers[BATCHES], ratios[BATCHES];
        char what[64];
        uint64_t rings = 0;

        for (unsigned int i = 0; i < BATCHES + 1; i++) {
                struct pattern p = {.state = UINT64_C(88172645463325252) + i, .n_blocks = BUFFER / BLOCK};
                unsigned int slot = i ? i - 1 : 0;

                peers[slot] = copy_batch(buffer, to, p, count);
                rings = t->host.n_rings;
                ours[slot] = nvme_batch(t, p, depth, count);
                ratios[slot] = ours[slot] / peers[slot];
        }
        snprintf(what, sizeof(what), "RAM, 4 KiB random read, depth %u, %s", depth, name);
        report(what, measure_median(ours, BATCHES), measure_median(peers, BATCHES), measure_median(ratios, BATCHES), 1 / 0.6);
        snprintf(what, sizeof(what), "register writes per read, depth %u, %s", depth, name);
        printf("%-46s %12.4f %12s %7s  0.05 %s\n", what, (double)(t->host.n_rings - rings) / count, "-", "-",
               (double)(t->host.n_rings - rings) / count < 0.05 ? "held" : "missed");
}

int main(int argc, char **argv) {
        struct target t;

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
                nvme_host_close(&t.host);
        }
        free(buffer);
        free(to);
        return 0;
}
