/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * weights HEAVY_SOCKET LIGHT_SOCKET RATE
 *
 * Two vAdapters of one adapter with RATE commands a second, of weights 3 and 1, each with a host of its own that always wants
 * more: how what they get compares, and whether both, or one alone, get all that there is.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/measure.h"
#include "bench/nvme-host.h"
#include "util.h"

#define WINDOWS 5
#define WINDOW_NS UINT64_C(600000000)
#define SETTLE_NS UINT64_C(300000000)
#define DEPTH 64u
#define ENTRIES 256u

enum { HEAVY, LIGHT, HOSTS };

/* What the hosts and the measuring process share. */
struct board {
        uint32_t paused[HOSTS], ready[HOSTS];
        _Alignas(64) uint64_t done[HOSTS];
};

static void nap(uint64_t ns) {
        nanosleep(&(struct timespec){(time_t)(ns / 1000000000), (long)(ns % 1000000000)}, NULL);
}

static void put_reads(struct nvme_host *h, unsigned int n, uint64_t iova, uint64_t *block) {
        for (unsigned int i = 0; i < n; i++) {
                struct nvme_host_command command;

                nvme_host_rw(&command, NVME_IO_READ, h, *block, 4096 / h->block_size, iova);
                command.cid = (uint16_t)(*block % ENTRIES);
                nvme_host_put(&h->io, &command);
                *block = (*block + 8) % (h->n_blocks - 8);
        }
}

static void host_main(struct board *board, unsigned int which, const char *path) {
        unsigned int under_way = 0;
        struct nvme_host h;
        uint64_t iova = 0, block = 0;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (nvme_host_open(&h, path, 1 << 20, ENTRIES, true) < 0 || nvme_host_shadow(&h) < 0 || !nvme_host_alloc(&h, 4096, &iova))
                measure_die("%s: cannot be used", path);
        __atomic_store_n(&board->ready[which], 1, __ATOMIC_RELEASE);
        for (;;) {
                struct nvme_host_completion completion;

                if (!__atomic_load_n(&board->paused[which], __ATOMIC_RELAXED)) {
                        put_reads(&h, DEPTH - under_way, iova, &block);
                        under_way = DEPTH;
                } else if (!under_way) {
                        nap(1000000);
                        continue;
                }
                int r = nvme_host_ring(&h, &h.io);
                if (r < 0 || (r = nvme_host_wait(&h, &h.io)) < 0)
                        measure_die("NVMe read: %s", strerror(-r));
                while (nvme_host_take(&h.io, &completion)) {
                        if (NVME_HOST_STATUS(&completion))
                                measure_die("NVMe read: status 0x%x", NVME_HOST_STATUS(&completion));
                        under_way--;
                        __atomic_fetch_add(&board->done[which], 1, __ATOMIC_RELAXED);
                }
                if ((r = nvme_host_ack(&h, &h.io)) < 0)
                        measure_die("NVMe doorbell: %s", strerror(-r));
        }
}

/* Commands a second of each, medians. */
static void measure(struct board *board, bool heavy, bool light, double ret_iops[HOSTS]) {
        double iops[HOSTS][WINDOWS];

        __atomic_store_n(&board->paused[HEAVY], !heavy, __ATOMIC_RELAXED);
        __atomic_store_n(&board->paused[LIGHT], !light, __ATOMIC_RELAXED);
        nap(SETTLE_NS);
        for (unsigned int i = 0; i < WINDOWS; i++) {
                uint64_t before[HOSTS], start = measure_ns();

                for (unsigned int k = 0; k < HOSTS; k++)
                        before[k] = __atomic_load_n(&board->done[k], __ATOMIC_RELAXED);
                nap(WINDOW_NS);
                const double seconds = (double)(measure_ns() - start) / 1e9;
                for (unsigned int k = 0; k < HOSTS; k++)
                        iops[k][i] = (double)(__atomic_load_n(&board->done[k], __ATOMIC_RELAXED) - before[k]) / seconds;
        }
        for (unsigned int k = 0; k < HOSTS; k++)
                ret_iops[k] = measure_median(iops[k], WINDOWS);
}

static void report(const char *what, double ours, double peer, double goal, double tolerance) {
        const double ratio = ours / peer;

        printf("%-46s %7.0f IOPS %7.0f IOPS %7.3f  %.2f %s\n", what, ours, peer, ratio, goal,
               ratio >= goal * (1 - tolerance) && ratio <= goal * (1 + tolerance) ? "held" : "missed");
}

int main(int argc, char **argv) {
        pid_t pids[HOSTS];
        double iops[HOSTS];

        if (argc != 4)
                measure_die("usage: weights HEAVY_SOCKET LIGHT_SOCKET RATE");
        const double rate = strtod(argv[3], NULL);
        struct board *board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (board == MAP_FAILED)
                measure_die("no memory");
        setvbuf(stdout, NULL, _IOLBF, 0);
        for (unsigned int i = 0; i < HOSTS; i++) {
                pids[i] = fork();
                if (pids[i] < 0)
                        measure_die("fork: %s", strerror(errno));
                if (pids[i] == 0)
                        host_main(board, i, argv[1 + i]);
        }
        for (unsigned int i = 0; i < HOSTS; i++)
                while (!__atomic_load_n(&board->ready[i], __ATOMIC_ACQUIRE)) {
                        if (waitpid(pids[i], NULL, WNOHANG) != 0)
                                measure_die("a host has ended");
                        nap(1000000);
                }
        measure(board, true, true, iops);
        report("weights 3:1, the one against the other", iops[HEAVY], iops[LIGHT], 3, 0.05);
        report("  both, against the adapter's rate", iops[HEAVY] + iops[LIGHT], rate, 1, 0.05);
        measure(board, true, false, iops);
        report("  heavy alone, against the adapter's rate", iops[HEAVY], rate, 1, 0.05);
        measure(board, false, true, iops);
        report("  light alone, against the adapter's rate", iops[LIGHT], rate, 1, 0.05);
        for (unsigned int i = 0; i < HOSTS; i++) {
                kill(pids[i], SIGKILL);
                waitpid(pids[i], NULL, 0);
        }
        munmap(board, sizeof(*board));
        return 0;
}
