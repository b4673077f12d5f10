/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Servers that share a volume, and say on standard input what each is to do: a line is the number of a server, a word, and
 * numbers (base 16). For each the status of the command is printed, and what it tells.
 *
 *   N host ID               Set Features 81h, 64 bits
 *   N register ACTION CRKEY NRKEY [FLAGS]    ACTION 0 register, 1 unregister, 2 replace; FLAGS: the bits of dword 10
 *   N acquire ACTION TYPE CRKEY PRKEY        ACTION 0 acquire, 1 preempt, 2 preempt and abort
 *   N release ACTION TYPE CRKEY              ACTION 0 release, 1 clear
 *   N report                                 generation, type, PTPLS, then controller, status, host and key of each
 *   N read|write BLOCK
 *   N mark|zero|verify BLOCK COUNT           Write Uncorrectable, Write Zeroes, Verify
 *   N trim BLOCK COUNT [BLOCK COUNT]         Dataset Management, deallocate
 *   N copy TO BLOCK COUNT                    Copy
 *   N compare BLOCK                          with zeroes
 *   N format LBAF
 *   N start mark|write|zero BLOCK COUNT      and do not wait: up to 16 at a time
 *   N start copy TO BLOCK COUNT              and do not wait: one at a time
 *   N finish                wait for one of those
 *   N burst PATTERN         start writes of that byte to 16 places, and wait for none
 *   N collect               wait for them: how many were good, in conflict, aborted
 *   N fill PATTERN          write that byte to those places, and wait for each
 *   N check PATTERN         read them: same, or which differs
 *   N log                                    Reservation Notification: count, type, how many more
 *   N smart                                  the figures of the SMART log
 *   N errors                                 the error log: count and status of the newest, and how many are valid
 *   N test CODE                              Device Self-test, of all namespaces
 *   N results                                its log: what runs, the newest result, and how many
 *   N range [TYPE]                           LBA range type: set, or what it is
 *   N down                                   shut down, and wait for it
 *   N identify                               NMIC, RESCAP, the NGUID, CMIC, CNTLID
 *   N reset
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/hostile.h"
#include "bench/measure.h"
#include "bench/nvme-host.h"
#include "util.h"

#define SERVERS_MAX 4u
#define MEMORY (1u << 20)
#define BURST 16u
#define PATIENCE 4u /* times 5 s */

enum {
        OPCODE_REGISTER = 0x0d,
        OPCODE_REPORT = 0x0e,
        OPCODE_ACQUIRE = 0x11,
        OPCODE_RELEASE = 0x15,
        FEATURE_HOST_ID = 0x81,
        FEATURE_LBA_RANGE = 0x03,
        LOG_ERROR = 0x01,
        LOG_SMART = 0x02,
        LOG_SELF_TEST = 0x06,
        LOG_RESERVATION = 0x80,
        DEALLOCATE = 4
};

struct server {
        struct nvme_host host;
        unsigned char *page, *data;
        uint64_t iova, data_iova;
};

static void get_memory(struct server *s) {
        s->page = nvme_host_alloc(&s->host, NVME_HOST_PAGE, &s->iova);
        s->data = nvme_host_alloc(&s->host, NVME_HOST_PAGE, &s->data_iova);
        if (!s->page || !s->data)
                measure_die("no memory");
}

static void say(int r, const struct nvme_host_completion *completion) {
        if (r < 0)
                measure_die("no completion: %s", strerror(-r));
        printf("%03x", NVME_HOST_STATUS(completion));
}

/* One that others hold up may take as long as it takes the appliance to end them. */
static int carry_out(struct nvme_host *h, struct nvme_host_queue *q, struct nvme_host_command *command,
                     struct nvme_host_completion *ret_completion) {
        int r = 0;

        command->cid = (uint16_t)q->tail;
        nvme_host_put(q, command);
        if ((r = nvme_host_ring(h, q)) < 0)
                return r;
        for (unsigned int i = 0; i < PATIENCE && (r = nvme_host_wait(h, q)) == -ETIMEDOUT; i++)
                ;
        if (r < 0)
                return r;
        nvme_host_take(q, ret_completion);
        return ret_completion->cid == command->cid ? nvme_host_ack(h, q) : -EPROTO;
}

/* With its data in the page. */
static bool run(struct server *s, bool is_admin, struct nvme_host_command command) {
        struct nvme_host_completion completion = {0};

        command.prp1 = s->iova;
        say(carry_out(&s->host, is_admin ? &s->host.admin : &s->host.io, &command, &completion), &completion);
        return NVME_HOST_STATUS(&completion) == 0;
}

static void keys(struct server *s, uint64_t first, uint64_t second) {
        memcpy(s->page, &first, sizeof(first));
        memcpy(s->page + 8, &second, sizeof(second));
}

static void report(struct server *s) {
        uint32_t generation = 0;
        uint16_t n = 0;

        memset(s->page, 0xee, NVME_HOST_PAGE);
        if (!run(s, false,
                 (struct nvme_host_command){.opcode = OPCODE_REPORT, .nsid = s->host.nsid, .cdw10 = NVME_HOST_PAGE / 4 - 1}))
                return;
        memcpy(&generation, s->page, sizeof(generation));
        memcpy(&n, s->page + 5, sizeof(n));
        printf(" gen %" PRIu32 " type %u ptpl %u", generation, s->page[4], s->page[9]);
        for (unsigned int i = 0; i < n; i++) {
                uint64_t host = 0, key = 0;

                memcpy(&host, s->page + 24 + (size_t)i * 24 + 8, sizeof(host));
                memcpy(&key, s->page + 24 + (size_t)i * 24 + 16, sizeof(key));
                printf(" [%s%" PRIx64 " %" PRIx64 "]", s->page[24 + i * 24 + 2] & 1 ? "*" : "", host, key);
        }
}

static bool get_log(struct server *s, unsigned int page, uint32_t size) {
        return run(s, true,
                   (struct nvme_host_command){
                           .opcode = NVME_ADMIN_GET_LOG, .nsid = UINT32_MAX, .cdw10 = (size / 4 - 1) << 16 | page});
}

static uint64_t get64(const struct server *s, size_t offset) {
        uint64_t value = 0;

        memcpy(&value, s->page + offset, sizeof(value));
        return value;
}

/* [NVMe 1.4, 5.14.1.2] */
static void smart(struct server *s) {
        if (!get_log(s, LOG_SMART, 512))
                return;
        printf(" units %" PRIu64 " %" PRIu64 " commands %" PRIu64 " %" PRIu64, get64(s, 32), get64(s, 48), get64(s, 64),
               get64(s, 80));
        printf(" cycles %" PRIu64 " unsafe %" PRIu64 " media %" PRIu64 " errors %" PRIu64, get64(s, 112), get64(s, 144),
               get64(s, 160), get64(s, 176));
}

static void errors(struct server *s) {
        unsigned int n = 0;
        uint16_t status = 0;

        if (!get_log(s, LOG_ERROR, NVME_HOST_PAGE))
                return;
        for (unsigned int i = 0; i < NVME_HOST_PAGE / 64; i++)
                n += get64(s, (size_t)i * 64) != 0;
        memcpy(&status, s->page + 12, sizeof(status));
        printf(" count %" PRIu64 " status %03x valid %u", get64(s, 0), status >> 1 & 0x7ff, n);
}

static void results(struct server *s) {
        unsigned int n = 0;

        if (!get_log(s, LOG_SELF_TEST, 564))
                return;
        for (unsigned int i = 0; i < 20; i++)
                n += (s->page[4 + i * 28] & 15) != 15;
        printf(" runs %u newest %02x valid %u", s->page[0], s->page[4], n);
}

static void down(struct server *s) {
        const int r = nvme_host_shutdown(&s->host);

        if (r < 0)
                measure_die("no shutdown: %s", strerror(-r));
        printf("000");
}

static void range(struct server *s, const uint64_t n[4], int given) {
        struct nvme_host_command command = {.opcode = given ? NVME_ADMIN_SET_FEATURES : NVME_ADMIN_GET_FEATURES,
                                            .nsid = s->host.nsid,
                                            .cdw10 = FEATURE_LBA_RANGE};
        const uint64_t blocks = 8;

        memset(s->page, 0, NVME_HOST_PAGE);
        if (given) {
                s->page[0] = (unsigned char)n[0];
                memcpy(s->page + 24, &blocks, sizeof(blocks));
        }
        if (run(s, true, command) && !given)
                printf(" type %u blocks %" PRIu64, s->page[0], get64(s, 24));
}

static void notification(struct server *s) {
        uint64_t count = 0;

        if (!get_log(s, LOG_RESERVATION, 64))
                return;
        memcpy(&count, s->page, sizeof(count));
        printf(" count %" PRIu64 " type %u more %u", count, s->page[8], s->page[9]);
}

static void identify(struct server *s) {
        uint16_t controller = 0;

        if (!run(s, true, (struct nvme_host_command){.opcode = NVME_ADMIN_IDENTIFY, .nsid = s->host.nsid}))
                return;
        printf(" nmic %u rescap %02x nguid ", s->page[30], s->page[31]);
        for (unsigned int i = 0; i < 16; i++)
                printf("%02x", s->page[104 + i]);
        putchar(' ');
        if (!run(s, true, (struct nvme_host_command){.opcode = NVME_ADMIN_IDENTIFY, .cdw10 = 1}))
                return;
        memcpy(&controller, s->page + 78, sizeof(controller));
        printf(" cmic %u cntlid %u", s->page[76], controller);
}

static void transfer(struct server *s, unsigned int opcode, uint64_t block) {
        struct nvme_host_command command;
        struct nvme_host_completion completion = {0};

        nvme_host_rw(&command, opcode, &s->host, block, 1, s->iova);
        say(carry_out(&s->host, &s->host.io, &command, &completion), &completion);
}

/* Of that many blocks, without data of its own. */
static struct nvme_host_command of_blocks(const struct server *s, unsigned int opcode, uint64_t block, uint64_t count) {
        return (struct nvme_host_command){.opcode = (uint8_t)opcode,
                                          .nsid = s->host.nsid,
                                          .cdw10 = (uint32_t)block,
                                          .cdw11 = (uint32_t)(block >> 32),
                                          .cdw12 = (uint32_t)(count - 1)};
}

static void trim(struct server *s, const uint64_t n[4], int given) {
        struct {
                uint32_t context, blocks;
                uint64_t first;
        } ranges[2] = {{.blocks = (uint32_t)n[1], .first = n[0]}, {.blocks = (uint32_t)n[3], .first = n[2]}};

        memcpy(s->page, ranges, sizeof(ranges));
        run(s, false,
            (struct nvme_host_command){.opcode = NVME_IO_DATASET, .nsid = s->host.nsid, .cdw10 = given > 2, .cdw11 = DEALLOCATE});
}

/* The range in the page. */
static struct nvme_host_command of_copy(struct server *s, const uint64_t n[4]) {
        const struct {
                uint64_t reserved, first;
                uint32_t blocks, tags[3];
        } range = {.first = n[1], .blocks = (uint32_t)(n[2] - 1)};

        memcpy(s->page, &range, sizeof(range));
        return of_blocks(s, NVME_IO_COPY, n[0], 1);
}

static unsigned int opcode_of(const char *word) {
        static const struct {
                const char *word;
                unsigned int opcode;
        } opcodes[] = {{"mark", NVME_IO_WRITE_UNCORRECTABLE},
                       {"zero", NVME_IO_WRITE_ZEROES},
                       {"verify", NVME_IO_VERIFY},
                       {"write", NVME_IO_WRITE}};

        for (size_t i = 0; i < ARRAY_LENGTH(opcodes); i++)
                if (strcmp(word, opcodes[i].word) == 0)
                        return opcodes[i].opcode;
        return 0;
}

static void start(struct server *s, struct nvme_host_command command) {
        command.prp1 = command.opcode == NVME_IO_COPY ? s->iova : s->data_iova;
        command.cid = (uint16_t)s->host.io.tail;
        nvme_host_put(&s->host.io, &command);
        if (nvme_host_ring(&s->host, &s->host.io) < 0)
                measure_die("no doorbell");
        printf("000");
}

static void finish(struct server *s) {
        struct nvme_host_completion completion = {0};
        int r = 0;

        for (unsigned int i = 0; i < PATIENCE && (r = nvme_host_wait(&s->host, &s->host.io)) == -ETIMEDOUT; i++)
                ;
        if (r >= 0)
                nvme_host_take(&s->host.io, &completion);
        say(r, &completion);
        nvme_host_ack(&s->host, &s->host.io);
}

static void place(const struct server *s, unsigned int i, unsigned int opcode, struct nvme_host_command *ret_command) {
        const unsigned int blocks = NVME_HOST_PAGE / s->host.block_size;

        nvme_host_rw(ret_command, opcode, &s->host, (uint64_t)i * blocks, blocks, s->data_iova);
        ret_command->cid = (uint16_t)i;
}

static void burst(struct server *s, int pattern) {
        struct nvme_host_command command;

        memset(s->data, pattern, NVME_HOST_PAGE);
        for (unsigned int i = 0; i < BURST; i++) {
                place(s, i, NVME_IO_WRITE, &command);
                nvme_host_put(&s->host.io, &command);
        }
        if (nvme_host_ring(&s->host, &s->host.io) < 0)
                measure_die("no doorbell");
        printf("000");
}

static void collect(struct server *s) {
        struct nvme_host_completion completion = {0};
        unsigned int n[3] = {0};

        for (unsigned int done = 0; done < BURST;) {
                int r = 0;

                for (unsigned int i = 0; i < PATIENCE && (r = nvme_host_wait(&s->host, &s->host.io)) == -ETIMEDOUT; i++)
                        ;
                if (r < 0)
                        measure_die("no completion: %s", strerror(-r));
                for (; nvme_host_take(&s->host.io, &completion); done++) {
                        const unsigned int status = NVME_HOST_STATUS(&completion);

                        if (status != 0 && status != 0x83 && status != 0x1b)
                                measure_die("a write ends with %03x", status);
                        n[status == 0 ? 0 : status == 0x83 ? 1 : 2]++;
                }
                nvme_host_ack(&s->host, &s->host.io);
        }
        printf("000 good %u conflict %u aborted %u", n[0], n[1], n[2]);
}

static void each(struct server *s, unsigned int opcode, int pattern) {
        struct nvme_host_completion completion = {0};
        struct nvme_host_command command;

        for (unsigned int i = 0; i < BURST; i++) {
                memset(s->data, opcode == NVME_IO_WRITE ? pattern : ~pattern, NVME_HOST_PAGE);
                place(s, i, opcode, &command);
                int r = carry_out(&s->host, &s->host.io, &command, &completion);
                if (r < 0 || NVME_HOST_STATUS(&completion)) {
                        say(r, &completion);
                        return;
                }
                for (unsigned int k = 0; k < NVME_HOST_PAGE; k++)
                        if (s->data[k] != (unsigned char)pattern) {
                                printf("000 place %u differs", i);
                                return;
                        }
        }
        printf("000 same");
}

static void reset(struct server *s) {
        s->host.memory_used = 0;
        if (nvme_host_start(&s->host) < 0 || nvme_host_make_queue(&s->host, 32, false) < 0)
                measure_die("no reset");
        get_memory(s);
        printf("000");
}

/* Words about what is kept of a controller. */
static bool obey_logs(struct server *s, const char *word, const uint64_t n[4], int given) {
        if (strcmp(word, "smart") == 0)
                smart(s);
        else if (strcmp(word, "errors") == 0)
                errors(s);
        else if (strcmp(word, "results") == 0)
                results(s);
        else if (strcmp(word, "range") == 0)
                range(s, n, given);
        else if (strcmp(word, "down") == 0)
                down(s);
        else if (strcmp(word, "test") == 0 && given == 1)
                run(s, true,
                    (struct nvme_host_command){.opcode = NVME_ADMIN_SELF_TEST, .nsid = UINT32_MAX, .cdw10 = (uint32_t)n[0]});
        else
                return false;
        return true;
}

/* Words about what is in blocks. */
static bool obey_blocks(struct server *s, const char *word, const char *second, const uint64_t n[4], int given) {
        const unsigned int opcode = opcode_of(word);

        if (strcmp(word, "start") == 0 && opcode_of(second) && given == 2) {
                start(s, of_blocks(s, opcode_of(second), n[0], n[1]));
        } else if (strcmp(word, "start") == 0 && strcmp(second, "copy") == 0 && given == 3) {
                start(s, of_copy(s, n));
        } else if (strcmp(word, "copy") == 0 && given == 3) {
                run(s, false, of_copy(s, n));
        } else if (strcmp(word, "finish") == 0) {
                finish(s);
        } else if (strcmp(word, "trim") == 0 && (given == 2 || given == 4)) {
                trim(s, n, given);
        } else if (strcmp(word, "format") == 0 && given == 1) {
                run(s, true,
                    (struct nvme_host_command){.opcode = NVME_ADMIN_FORMAT, .nsid = s->host.nsid, .cdw10 = (uint32_t)n[0]});
        } else if (opcode && opcode != NVME_IO_WRITE && given == 2) {
                run(s, false, of_blocks(s, opcode, n[0], n[1]));
        } else if (given == 1 && (strcmp(word, "read") == 0 || strcmp(word, "write") == 0)) {
                transfer(s, *word == 'r' ? NVME_IO_READ : NVME_IO_WRITE, n[0]);
        } else if (given == 1 && strcmp(word, "compare") == 0) {
                memset(s->page, 0, NVME_HOST_PAGE);
                transfer(s, NVME_IO_COMPARE, n[0]);
        } else {
                return false;
        }
        return true;
}

static bool obey(struct server *s, const char *word, const char *second, const uint64_t n[4], int given) {
        const uint32_t action = (uint32_t)n[0];

        if (strcmp(word, "host") == 0 && given == 1) {
                keys(s, n[0], 0);
                run(s, true, (struct nvme_host_command){.opcode = NVME_ADMIN_SET_FEATURES, .cdw10 = FEATURE_HOST_ID});
        } else if (strcmp(word, "register") == 0 && given >= 3) {
                keys(s, n[1], n[2]);
                run(s, false,
                    (struct nvme_host_command){
                            .opcode = OPCODE_REGISTER, .nsid = s->host.nsid, .cdw10 = action | (given > 3 ? (uint32_t)n[3] : 0)});
        } else if (strcmp(word, "acquire") == 0 && given == 4) {
                keys(s, n[2], n[3]);
                run(s, false,
                    (struct nvme_host_command){
                            .opcode = OPCODE_ACQUIRE, .nsid = s->host.nsid, .cdw10 = action | (uint32_t)n[1] << 8});
        } else if (strcmp(word, "release") == 0 && given == 3) {
                keys(s, n[2], 0);
                run(s, false,
                    (struct nvme_host_command){
                            .opcode = OPCODE_RELEASE, .nsid = s->host.nsid, .cdw10 = action | (uint32_t)n[1] << 8});
        } else if (strcmp(word, "report") == 0) {
                report(s);
        } else if (strcmp(word, "log") == 0) {
                notification(s);
        } else if (strcmp(word, "identify") == 0) {
                identify(s);
        } else if (strcmp(word, "reset") == 0) {
                reset(s);
        } else if (strcmp(word, "burst") == 0 && given == 1) {
                burst(s, (int)n[0]);
        } else if (strcmp(word, "collect") == 0) {
                collect(s);
        } else if (given == 1 && (strcmp(word, "fill") == 0 || strcmp(word, "check") == 0)) {
                each(s, *word == 'f' ? NVME_IO_WRITE : NVME_IO_READ, (int)n[0]);
        } else if (!obey_logs(s, word, n, given) && !obey_blocks(s, word, second, n, given)) {
                return false;
        }
        putchar('\n');
        fflush(stdout);
        return true;
}

int reserve(char *const *paths, unsigned int n_paths) {
        static struct server servers[SERVERS_MAX];
        char line[256];

        if (n_paths > SERVERS_MAX)
                return 1;
        for (unsigned int i = 0; i < n_paths; i++) {
                if (nvme_host_open(&servers[i].host, paths[i], MEMORY, 32, false) < 0)
                        return 1;
                get_memory(&servers[i]);
        }
        puts("ready");
        fflush(stdout);
        while (fgets(line, sizeof(line), stdin)) {
                unsigned int server = 0;
                uint64_t n[4] = {0};
                char word[32], second[32] = "";
                int at = 0, words = sscanf(line, "%u %31s %n", &server, word, &at);

                if (words == 2 && strcmp(word, "start") == 0) {
                        int further = 0;

                        sscanf(line + at, "%31s %n", second, &further);
                        at += further;
                }
                int given = sscanf(line + at, "%" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64, &n[0], &n[1], &n[2], &n[3]);

                if (words < 2 || server >= n_paths || !obey(&servers[server], word, second, n, given < 0 ? 0 : given))
                        measure_die("not understood: %s", line);
        }
        for (unsigned int i = 0; i < n_paths; i++)
                nvme_host_close(&servers[i].host);
        return 0;
}
