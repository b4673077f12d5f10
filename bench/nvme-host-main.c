/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nvme-host VADAPTER_SOCKET identify|smoke|shadow|mapped|hostile|hold|load|verify
 * nvme-host VADAPTER_SOCKET read|write BLOCK
 * nvme-host reserve VADAPTER_SOCKET...
 * nvme-host VADAPTER_SOCKET format 512|4096
 * nvme-host VADAPTER_SOCKET share-nothing|share-memory|share-eventfd VADAPTER_SOCKET
 *
 * A server without QEMU: say what the vAdapter is, write and read it, try everything that a server should not, or be there until
 * the vAdapter is not any more. smoke and hostile print TAP and destroy the first blocks of the first namespace. read and write
 * transfer one block, which write destroys, format all of them, and print the status of the command as NVMe 1.4 figure 124 has
 * it. verify goes on until standard input ends. The others are two servers, see share().
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/hostile.h"
#include "bench/measure.h"
#include "bench/nvme-host.h"

static unsigned int n_tap, n_failed;

void tap(bool ok, const char *format, ...) {
        va_list args;

        printf("%sok %u - ", ok ? "" : "not ", ++n_tap);
        va_start(args, format);
        vprintf(format, args);
        va_end(args);
        putchar('\n');
        fflush(stdout);
        n_failed += !ok;
}

static bool run_ok(struct nvme_host *h, struct nvme_host_command *command) {
        struct nvme_host_completion completion = {0};

        return nvme_host_run(h, &h->io, command, &completion) >= 0 && NVME_HOST_STATUS(&completion) == 0;
}

enum how { HOW_REGISTERS, HOW_SHADOW, HOW_MAPPED };

static bool ring_in_memory(struct nvme_host *h, enum how how) {
        int r = how == HOW_SHADOW ? nvme_host_shadow(h) : how == HOW_MAPPED ? nvme_host_map_doorbells(h) : 0;

        if (r < 0)
                fprintf(stderr, "no doorbells in memory: %s\n", strerror(-r));
        return r >= 0;
}

static bool write_and_read(const char *path, enum how how) {
        struct nvme_host h;
        struct nvme_host_command command;
        uint64_t out_iova = 0, in_iova = 0;

        if (nvme_host_open(&h, path, 1 << 20, 32, true) < 0)
                return false;
        unsigned char *out = nvme_host_alloc(&h, 8192, &out_iova), *in = nvme_host_alloc(&h, 8192, &in_iova);
        bool ok = ring_in_memory(&h, how) && out && in && h.nsid && h.block_size && h.block_size <= 4096 && h.n_blocks >= 16;
        for (unsigned int i = 0; ok && i < 8192; i++)
                out[i] = (unsigned char)(i * 31 + i / 256);
        for (unsigned int size = 4096; ok && size <= 8192; size += 4096) {
                memset(in, 0, size);
                nvme_host_rw(&command, NVME_IO_WRITE, &h, 0, size / h.block_size, out_iova);
                ok = run_ok(&h, &command);
                nvme_host_rw(&command, NVME_IO_READ, &h, 0, size / h.block_size, in_iova);
                ok = ok && run_ok(&h, &command) && memcmp(in, out, size) == 0;
                command = (struct nvme_host_command){.opcode = NVME_IO_FLUSH, .nsid = h.nsid};
                ok = ok && run_ok(&h, &command);
        }
        nvme_host_close(&h);
        return ok;
}

bool smoke(const char *path) {
        return write_and_read(path, HOW_REGISTERS);
}

void hostile_acts(const char *path, const struct hostile_act *acts, size_t n) {
        for (size_t i = 0; i < n; i++) {
                struct nvme_host h;

                if (nvme_host_open(&h, path, 1 << 20, 32, false) < 0) {
                        tap(false, "connect for: %s", acts[i].what);
                        return;
                }
                acts[i].act(&h);
                nvme_host_close(&h);
                tap(smoke(path), "works after: %s", acts[i].what);
        }
}

/* Nonsense in the shadow, all of it and again and again, with queues at work. */
static bool hostile_doorbells(const char *path) {
        struct nvme_host h;
        struct nvme_host_command command = {.opcode = NVME_IO_FLUSH};
        bool ok = false;

        if (nvme_host_open(&h, path, 1 << 20, 32, false) < 0 || nvme_host_shadow(&h) < 0)
                return false;
        command.nsid = h.nsid;
        ok = run_ok(&h, &command);
        for (unsigned int i = 0; ok && i < 1000; i++) {
                for (unsigned int w = 0; w < NVME_HOST_PAGE / sizeof(uint32_t); w++)
                        h.shadow[w] = i * UINT32_C(2654435761) + w * 40503u;
                memset(h.events, (int)i, NVME_HOST_PAGE);
                if (i % 10 == 0) {
                        uint32_t value = i % 64;

                        ok = vfio_user_client_write(h.client, 0, 0x1000 + 8 + i % 20 / 10 * 4, &value, sizeof(value), false) >= 0;
                }
        }
        nvme_host_close(&h);
        return ok;
}

static void print_text(const char *what, const unsigned char *text, size_t size) {
        printf("%s: ", what);
        for (; size > 0 && text[size - 1] == ' '; size--)
                ;
        for (size_t i = 0; i < size; i++)
                putchar(text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?');
        putchar('\n');
}

static int identify(const char *path) {
        struct nvme_host h;
        struct nvme_host_command command = {.opcode = NVME_ADMIN_IDENTIFY, .cdw10 = 1};
        struct nvme_host_completion completion = {0};

        if (nvme_host_open(&h, path, 1 << 20, 32, false) < 0)
                return 1;
        const unsigned char *page = nvme_host_alloc(&h, 4096, &command.prp1);
        int r = page ? nvme_host_run(&h, &h.admin, &command, &completion) : -1;
        if (r >= 0 && NVME_HOST_STATUS(&completion) == 0) {
                /* NVMe 1.4 figure 247 */
                print_text("serial number", page + 4, 20);
                print_text("model number", page + 24, 40);
                print_text("firmware revision", page + 64, 8);
                printf("capabilities: 0x%016llx\nnamespace %u: %llu blocks of %u bytes\n", (unsigned long long)h.cap, h.nsid,
                       (unsigned long long)h.n_blocks, h.block_size);
        }
        nvme_host_close(&h);
        return r < 0 || NVME_HOST_STATUS(&completion) != 0;
}

#define NVME_IO_WRITE_ZEROES 0x08
#define DEALLOCATE (UINT32_C(1) << 25)

static void print_status(const struct nvme_host_completion *completion) {
        printf("type %u code 0x%02x\n", NVME_HOST_STATUS(completion) >> 8 & 7, NVME_HOST_STATUS(completion) & 0xff);
}

/* Of whoever waits for the end of a command that its medium gives up. */
#define TRANSFER_MS 60000

static int transfer(const char *path, unsigned int opcode, uint64_t block) {
        struct nvme_host h;
        struct nvme_host_command command;
        struct nvme_host_completion completion = {0};
        uint64_t iova = 0;

        if (nvme_host_open(&h, path, 1 << 20, 32, true) < 0)
                return 1;
        h.patience_ms = TRANSFER_MS;
        int r = nvme_host_alloc(&h, 4096, &iova) ? 0 : -1;
        nvme_host_rw(&command, opcode, &h, block, 1, iova);
        if (opcode == NVME_IO_WRITE_ZEROES) /* of a page, by NVMe 1.4 section 6.16 deallocated */
                command.cdw12 = DEALLOCATE | (4096 / h.block_size - 1);
        if (r == 0)
                r = nvme_host_run(&h, &h.io, &command, &completion);
        if (r >= 0)
                print_status(&completion);
        nvme_host_close(&h);
        return r < 0;
}

static int format(const char *path, const char *block_size) {
        struct nvme_host h;
        struct nvme_host_completion completion = {0};

        if (nvme_host_open(&h, path, 1 << 20, 32, true) < 0)
                return 1;
        struct nvme_host_command command = {
                .opcode = NVME_ADMIN_FORMAT, .nsid = h.nsid, .cdw10 = strcmp(block_size, "4096") == 0};
        int r = nvme_host_run(&h, &h.admin, &command, &completion);
        if (r >= 0)
                print_status(&completion);
        nvme_host_close(&h);
        return r < 0;
}

static int hold(const char *path) {
        struct nvme_host h;
        int r;

        if (nvme_host_open(&h, path, 1 << 20, 32, true) < 0)
                return 1;
        puts("here");
        fflush(stdout);
        do
                r = nvme_host_wait(&h, &h.io);
        while (r == -ETIMEDOUT);
        puts(r == -ECONNRESET ? "gone" : "nonsense");
        nvme_host_close(&h);
        return r != -ECONNRESET;
}

/* Eight reads under way, until it is killed or one fails. */
static int load(const char *path) {
        struct nvme_host h;
        struct nvme_host_command command;
        struct nvme_host_completion completion = {0};
        unsigned int under_way = 0;
        uint64_t iova = 0;
        int r = 0;

        if (nvme_host_open(&h, path, 1 << 20, 32, true) < 0 || !nvme_host_alloc(&h, 4096, &iova))
                return 1;
        while (r >= 0 && NVME_HOST_STATUS(&completion) == 0) {
                for (; under_way < 8; under_way++) {
                        nvme_host_rw(&command, NVME_IO_READ, &h, under_way, 1, iova);
                        nvme_host_put(&h.io, &command);
                }
                r = nvme_host_ring(&h, &h.io);
                if (r >= 0)
                        r = nvme_host_wait(&h, &h.io);
                while (NVME_HOST_STATUS(&completion) == 0 && nvme_host_take(&h.io, &completion))
                        under_way--;
                if (r >= 0)
                        r = nvme_host_ack(&h, &h.io);
        }
        fprintf(stderr, "%s: %s, status 0x%x\n", path, strerror(r < 0 ? -r : 0), NVME_HOST_STATUS(&completion));
        nvme_host_close(&h);
        return 1;
}

int main(int argc, char **argv) {
        if (argc >= 3 && strcmp(argv[1], "reserve") == 0)
                return reserve(argv + 2, (unsigned int)argc - 2);
        if (argc == 4 && (strcmp(argv[2], "read") == 0 || strcmp(argv[2], "write") == 0))
                return transfer(argv[1], *argv[2] == 'r' ? NVME_IO_READ : NVME_IO_WRITE, strtoull(argv[3], NULL, 10));
        if (argc == 4 && strcmp(argv[2], "format") == 0)
                return format(argv[1], argv[3]);
        if (argc == 4 && strcmp(argv[2], "deallocate") == 0)
                return transfer(argv[1], NVME_IO_WRITE_ZEROES, strtoull(argv[3], NULL, 10));
        if (argc == 3 && strcmp(argv[2], "hold") == 0)
                return hold(argv[1]);
        if (argc == 3 && strcmp(argv[2], "load") == 0)
                return load(argv[1]);
        if (argc == 3 && strcmp(argv[2], "identify") == 0)
                return identify(argv[1]);
        if (argc == 4 && strncmp(argv[2], "share-", 6) == 0)
                return share(argv[1], argv[2] + 6, argv[3]);
        if (argc == 3 && strcmp(argv[2], "verify") == 0)
                return verify(argv[1]);
        if (argc == 3 && strcmp(argv[2], "shadow") == 0) {
                tap(write_and_read(argv[1], HOW_SHADOW), "write, read, flush with shadow doorbells");
        } else if (argc == 3 && strcmp(argv[2], "mapped") == 0) {
                tap(write_and_read(argv[1], HOW_MAPPED), "write, read, flush with mapped doorbells");
        } else if (argc == 3 && strcmp(argv[2], "smoke") == 0) {
                tap(smoke(argv[1]), "write, read, flush");
        } else if (argc == 3 && strcmp(argv[2], "hostile") == 0) {
                tap(smoke(argv[1]), "write, read, flush");
                tap(hostile_doorbells(argv[1]), "nonsense in shadow doorbells");
                tap(smoke(argv[1]), "works after: nonsense in shadow doorbells");
                hostile_commands(argv[1]);
                hostile_messages(argv[1]);
                hostile_floods(argv[1]);
        } else {
                measure_die("usage: nvme-host VADAPTER_SOCKET identify|smoke|shadow|mapped|hostile|hold|load|verify, "
                            "read|write|deallocate BLOCK, format SIZE, or "
                            "share-nothing|memory|eventfd and another");
        }
        printf("1..%u\n", n_tap);
        return n_failed != 0;
}
