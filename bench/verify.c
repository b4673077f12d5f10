/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A well-behaved neighbour: writes, reads back, compares, until it is told to stop. */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench/hostile.h"
#include "bench/nvme-host.h"
#include "util.h"

#define MEMORY (1u << 20)
#define SIZE 8192u
#define PLACES 512u /* of SIZE bytes, each written in turn */

/* Different for each place and round. */
static void fill(unsigned char *buffer, uint64_t seed) {
        uint64_t x = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;

        for (unsigned int i = 0; i < SIZE; i += 8) {
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                memcpy(buffer + i, &x, 8);
        }
}

static bool transfer(struct nvme_host *h, unsigned int opcode, uint64_t place, uint64_t iova) {
        const unsigned int blocks = SIZE / h->block_size;
        struct nvme_host_command command;
        struct nvme_host_completion completion = {0};

        nvme_host_rw(&command, opcode, h, place * blocks, blocks, iova);
        int r = nvme_host_run(h, &h->io, &command, &completion);
        if (r < 0 || NVME_HOST_STATUS(&completion))
                fprintf(stderr, "verify: %s of place %" PRIu64 ": %s, status 0x%x\n", opcode == NVME_IO_WRITE ? "write" : "read",
                        place, strerror(-r), NVME_HOST_STATUS(&completion));
        return r >= 0 && NVME_HOST_STATUS(&completion) == 0;
}

int verify(const char *path) {
        struct pollfd stop = {.fd = STDIN_FILENO, .events = POLLIN};
        struct nvme_host h;
        uint64_t out_iova = 0, in_iova = 0, n = 0;
        bool good = true;

        if (nvme_host_open(&h, path, MEMORY, 32, true) < 0)
                return 1;
        h.patience_ms = 60000; /* what its data is on may be on another machine */
        unsigned char *out = nvme_host_alloc(&h, SIZE, &out_iova), *in = nvme_host_alloc(&h, SIZE, &in_iova);
        good = out && in && h.n_blocks >= (uint64_t)PLACES * SIZE / h.block_size;
        for (; good && poll(&stop, 1, 0) == 0; n++) {
                fill(out, n);
                good = transfer(&h, NVME_IO_WRITE, n % PLACES, out_iova);
                /* What was written half a round ago is still there. */
                const uint64_t old = n < PLACES / 2 ? n : n - PLACES / 2;
                fill(out, old);
                memset(in, 0, SIZE);
                good = good && transfer(&h, NVME_IO_READ, old % PLACES, in_iova);
                if (good && memcmp(in, out, SIZE) != 0) {
                        fprintf(stderr, "verify: place %" PRIu64 " is not as it was written\n", old % PLACES);
                        good = false;
                }
        }
        nvme_host_close(&h);
        printf("%s after %" PRIu64 " writes and reads of %u bytes\n", good ? "good" : "failed", n, SIZE);
        return good && n > 0 ? 0 : 1;
}
