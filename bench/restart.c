/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * restart MGMT_SOCKET VADAPTER_SOCKET SERVER KILLS [PID_FILE|- [shadow|page]]
 *
 * Writes and reads 8 KiB blocks at random, eight at a time, and checks all that is read, while the server's worker is killed
 * (and, with PID_FILE, now and then the process whose id is in that file). Every command must complete once, without an error.
 * Doorbells are rung by messages, in a shadow buffer or in a page that is mapped. Prints how often it killed, what went wrong,
 * and how long the server had to wait; exits with 1 where anything went wrong.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "bench/measure.h"
#include "bench/nvme-host.h"
#include "iov/libiov.h"
#include "util.h"

#define DEPTH 8
#define ENTRIES 32
#define BLOCK 8192u
#define BLOCKS 512u
#define KILLS_MAX 100000u
/* Between two kills there is time for a restart and for some I/O. */
#define KILL_EVERY_NS 20000000

struct shared {
        uint32_t kills, control_kills, done, failed;
};

struct one {
        bool busy, is_write, is_flush;
        unsigned int block;
        uint64_t generation;
        unsigned char *data;
        uint64_t iova;
};

struct run {
        struct nvme_host host;
        struct shared *shared;
        struct one ones[DEPTH];
        uint64_t generations[BLOCKS];
        bool busy[BLOCKS];
        uint64_t random, n_done, n_read, last_ns;
        unsigned int n_busy, errors, n_calls;
        bool is_mapped; /* the scratch window */
        double *pauses; /* by kill, ms */
};

static uint64_t next_random(struct run *r) {
        r->random ^= r->random << 13;
        r->random ^= r->random >> 7;
        r->random ^= r->random << 17;
        return r->random;
}

/* ---- the process that kills ---- */

static void ignore_log(void *userdata, int level, const char *text) {
}

/* 0: the appliance does not say now, which it may not while its control process comes back. */
static pid_t worker_find(const char *mgmt, const char *server) {
        struct iov_ctx *ctx = NULL;
        struct iov_appliance *a = NULL;
        struct iov_model *model = NULL;
        char address[256];
        pid_t pid = 0;

        snprintf(address, sizeof(address), "unix:%s", mgmt);
        if (iov_new(&ctx) < 0)
                return 0;
        iov_set_log_fn(ctx, ignore_log, NULL);
        if (iov_open(ctx, address, &a) >= 0 && iov_model_load(a, &model) >= 0) {
                const struct iov_server *s = iov_model_get(model, IOV_KIND_SERVER, server);

                pid = s ? (pid_t)s->worker_pid : 0;
        }
        iov_model_unref(model);
        if (a)
                iov_close(a);
        iov_unref(ctx);
        return pid;
}

static void nap(long ns) {
        nanosleep(&(struct timespec){.tv_nsec = ns}, NULL);
}

static pid_t pid_read(const char *path) {
        CLEANUP_FILE FILE *f = fopen(path, "re");
        int pid = 0;

        return f && fscanf(f, "%d", &pid) == 1 ? (pid_t)pid : 0;
}

static void kill_all(struct shared *shared, const char *mgmt, const char *server, unsigned int kills, const char *pid_file) {
        pid_t last = 0, last_control = 0;
        unsigned int seed = 1;

        for (unsigned int n = 0, tries = 0; n < kills && tries < 2000;) {
                pid_t control = pid_file && n % 5 == 4 ? pid_read(pid_file) : 0, pid = worker_find(mgmt, server);

                seed = seed * 1103515245u + 12345u;
                if (pid <= 0 || pid == last) {
                        tries++;
                        nap(5000000);
                        continue;
                }
                tries = 0;
                /* At any point of whatever it does. */
                nap(KILL_EVERY_NS + (long)(seed >> 8) % KILL_EVERY_NS);
                if (control > 0 && control != last_control && kill(control, SIGKILL) == 0) {
                        shared->control_kills++;
                        last_control = control;
                        if (n % 2)
                                nap((long)(seed >> 4) % 1000000);
                }
                if (kill(pid, SIGKILL) == 0) {
                        __atomic_store_n(&shared->kills, ++n, __ATOMIC_RELEASE);
                        last = pid;
                }
        }
        shared->failed = shared->kills < kills;
        nap(100000000);
        __atomic_store_n(&shared->done, 1, __ATOMIC_RELEASE);
}

/* ---- the server ---- */

static void fill(unsigned char *data, unsigned int block, uint64_t generation) {
        for (unsigned int i = 0; i < BLOCK / 8; i++) {
                uint64_t word = generation << 32 | block << 10 | i;

                memcpy(data + (size_t)i * 8, &word, 8);
        }
}

static bool is_filled(const unsigned char *data, unsigned int block, uint64_t generation) {
        for (unsigned int i = 0; i < BLOCK / 8; i++) {
                uint64_t word = 0;

                memcpy(&word, data + (size_t)i * 8, 8);
                if (word != (generation << 32 | block << 10 | i))
                        return false;
        }
        return true;
}

static void error(struct run *r, const char *what, const struct one *one) {
        if (++r->errors <= 10)
                fprintf(stderr, "restart: %s: block %u, generation %llu, after %u kills\n", what, one->block,
                        (unsigned long long)one->generation, r->shared->kills);
}

static void submit(struct run *r, unsigned int i, unsigned int block, bool is_write) {
        struct one *one = &r->ones[i];
        struct nvme_host_command command;
        const unsigned int per = BLOCK / r->host.block_size;

        *one = (struct one){true, is_write, false, block, r->generations[block] + is_write, one->data, one->iova};
        if (is_write)
                fill(one->data, block, one->generation);
        else
                memset(one->data, 0xee, BLOCK);
        one->is_flush = is_write && next_random(r) % 32 == 0;
        nvme_host_rw(&command, is_write ? NVME_IO_WRITE : NVME_IO_READ, &r->host, (uint64_t)block * per, per, one->iova);
        if (one->is_flush)
                command.cdw12 |= UINT32_C(1) << 30; /* Force Unit Access */
        command.cid = (uint16_t)i;
        r->busy[block] = true;
        r->n_busy++;
        nvme_host_put(&r->host.io, &command);
}

static void complete(struct run *r, const struct nvme_host_completion *c) {
        static const struct one nothing;
        struct one *one = c->cid < DEPTH ? &r->ones[c->cid] : NULL;

        if (!one || !one->busy) {
                error(r, "a completion of no command", one ? one : &nothing);
                return;
        }
        one->busy = false;
        r->busy[one->block] = false;
        r->n_busy--;
        r->n_done++;
        if (NVME_HOST_STATUS(c)) {
                fprintf(stderr, "restart: status 0x%x\n", NVME_HOST_STATUS(c));
                error(r, "failed", one);
        } else if (one->is_write) {
                r->generations[one->block] = one->generation;
        } else if (one->generation) {
                r->n_read++;
                if (!is_filled(one->data, one->block, one->generation))
                        error(r, "wrong data", one);
        }
}

static void note_pause(struct run *r, unsigned int kill) {
        const uint64_t now = measure_ns();
        const double ms = (double)(now - r->last_ns) / 1e6;

        r->last_ns = now;
        if (kill && ms > r->pauses[kill - 1])
                r->pauses[kill - 1] = ms;
}

static int round_trip(struct run *r) {
        struct nvme_host_completion c;
        int e;

        if ((e = nvme_host_ring(&r->host, &r->host.io)) < 0 || (e = nvme_host_wait(&r->host, &r->host.io)) < 0)
                return e;
        note_pause(r, __atomic_load_n(&r->shared->kills, __ATOMIC_ACQUIRE));
        while (nvme_host_take(&r->host.io, &c))
                complete(r, &c);
        return nvme_host_ack(&r->host, &r->host.io);
}

/* ---- what is set up again and again, and must be there once ---- */

#define SCRATCH_IOVA UINT64_C(0x800000000)

static int scratch_map(struct run *r) {
        struct vfio_user_dma_map map = {.argsz = sizeof(map),
                                        .flags = VFIO_USER_DMA_READABLE | VFIO_USER_DMA_WRITEABLE,
                                        .address = SCRATCH_IOVA,
                                        .size = NVME_HOST_PAGE};
        struct vfio_user_call call = {.command = VFIO_USER_DMA_MAP,
                                      .request = &map,
                                      .request_size = sizeof(map),
                                      .fds = &r->host.memory_fd,
                                      .n_fds = 1};

        return vfio_user_client_call(r->host.client, &call);
}

static int scratch_unmap(struct run *r) {
        struct vfio_user_dma_unmap unmap = {.argsz = sizeof(unmap), .address = SCRATCH_IOVA, .size = NVME_HOST_PAGE}, reply;
        struct vfio_user_call call = {.command = VFIO_USER_DMA_UNMAP,
                                      .request = &unmap,
                                      .request_size = sizeof(unmap),
                                      .reply = &reply,
                                      .reply_size = sizeof(reply)};

        return vfio_user_client_call(r->host.client, &call);
}

/* The eventfd of the I/O queue's vector, again: a new descriptor for the same. */
static int eventfd_set(struct run *r) {
        return vfio_user_client_msix_set(r->host.client, 1, &r->host.io.eventfd, 1);
}

/* Something besides I/O, each with a reply; a window that is mapped twice, or not there any more, is an error. */
static int set_up_again(struct run *r) {
        static const struct one nothing;
        uint64_t cap = 0;
        int e = 0;

        switch (next_random(r) % 4) {
        case 0:
                e = r->is_mapped ? scratch_unmap(r) : scratch_map(r);
                r->is_mapped = !r->is_mapped;
                break;
        case 1:
                e = eventfd_set(r);
                break;
        default:
                e = nvme_host_read64(&r->host, NVME_REG_CAP, &cap);
                if (e == 0 && cap != r->host.cap)
                        error(r, "wrong capabilities", &nothing);
        }
        r->n_calls++;
        return e;
}

/* Fill the queue with reads and writes; `only`: read this block and all behind it once. */
static int drive(struct run *r) {
        unsigned int only = 0;
        bool done = false;

        r->last_ns = measure_ns();
        while (!done || only < BLOCKS || r->n_busy) {
                done = done || __atomic_load_n(&r->shared->done, __ATOMIC_ACQUIRE);
                for (unsigned int i = 0; i < DEPTH; i++) {
                        const uint64_t random = next_random(r);
                        const unsigned int block = done ? only : (unsigned int)(random % BLOCKS);

                        if (r->ones[i].busy || block >= BLOCKS || r->busy[block])
                                continue;
                        only += done;
                        submit(r, i, block, !done && (random >> 32 & 1));
                }
                int e = r->n_busy ? round_trip(r) : 0;
                if (e >= 0 && next_random(r) % 4 == 0)
                        e = set_up_again(r);
                if (e < 0) {
                        fprintf(stderr, "restart: after %u kills: %s\n", r->shared->kills, strerror(-e));
                        r->errors++;
                        return e;
                }
        }
        return 0;
}

static void report(struct run *r) {
        const unsigned int n = r->shared->kills;

        printf("kills: %u of the worker, %u of the control process; errors: %u; I/Os: %llu, reads checked: %llu, other calls: "
               "%u\n",
               n, r->shared->control_kills, r->errors, (unsigned long long)r->n_done, (unsigned long long)r->n_read, r->n_calls);
        if (n == 0)
                return;
        const double median = measure_median(r->pauses, n); /* sorts */
        printf("pause at a kill, ms: median %.1f, p99 %.1f, longest %.1f\n", median, r->pauses[(n * 99 + 99) / 100 - 1],
               r->pauses[n - 1]);
}

int main(int argc, char **argv) {
        const unsigned int kills = argc >= 5 ? (unsigned int)strtoul(argv[4], NULL, 10) : 0;
        struct run *r = calloc(1, sizeof(*r));

        if (argc < 5 || argc > 7 || kills < 1 || kills > KILLS_MAX || !r)
                measure_die("usage: restart MGMT_SOCKET VADAPTER_SOCKET SERVER KILLS [PID_FILE|- [shadow|page]]");
        r->random = 88172645463325252u;
        r->pauses = calloc(kills, sizeof(double));
        r->shared = mmap(NULL, sizeof(*r->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (!r->pauses || r->shared == MAP_FAILED || nvme_host_open(&r->host, argv[2], 1 << 20, ENTRIES, true) < 0)
                measure_die("restart: cannot begin");
        if ((argc == 7 && strcmp(argv[6], "shadow") == 0 && nvme_host_shadow(&r->host) < 0) ||
            (argc == 7 && strcmp(argv[6], "page") == 0 && nvme_host_map_doorbells(&r->host) < 0))
                measure_die("restart: no such doorbells");
        if (r->host.n_blocks * r->host.block_size < (uint64_t)BLOCK * BLOCKS)
                measure_die("restart: the first namespace is too small");
        for (unsigned int i = 0; i < DEPTH; i++)
                if (!(r->ones[i].data = nvme_host_alloc(&r->host, BLOCK, &r->ones[i].iova)))
                        measure_die("restart: out of memory");
        pid_t killer = fork();
        if (killer == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                kill_all(r->shared, argv[1], argv[3], kills, argc >= 6 && strcmp(argv[5], "-") != 0 ? argv[5] : NULL);
                _exit(0);
        }
        if (killer < 0 || drive(r) < 0) {
                if (killer > 0)
                        kill(killer, SIGKILL);
        }
        if (killer > 0)
                waitpid(killer, NULL, 0);
        report(r);
        const bool failed = r->errors || r->shared->failed || killer < 0;
        nvme_host_close(&r->host);
        free(r->pauses);
        free(r);
        return failed;
}
