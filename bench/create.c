/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * create MGMT_SOCKET RUN_DIRECTORY SERVER SLOTS
 *
 * What it takes to create a vAdapter, from the request (a transaction with it and its namespace, attached to a server) until a
 * server can connect to it; and what each adds to the memory of iovd's processes, until then and when a server has initialised
 * it. The volumes SERVER.0 and so on are there already. The peer is what making any process takes: fork, exec of true(1), and its
 * end.
 */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/measure.h"
#include "bench/nvme-host.h"
#include "bench/processes.h"
#include "iov/libiov.h"
#include "util.h"

#define SLOTS_MAX 64
#define GOAL_MS 2
#define GOAL_KIB 64
#define FIRST 4 /* whose memory is counted: with those before it comes what is there once */

extern char **environ;

struct bench {
        struct iov_ctx *ctx;
        struct iov_appliance *appliance;
        const char *run, *server;
};

static double ms_since(uint64_t start) {
        return (double)(measure_ns() - start) / 1e6;
}

static void on_log(void *userdata, int level, const char *text) {
        fprintf(stderr, "%s\n", text);
}

/* The plan that adds one to what is there. */
static struct iov_plan *plan_make(struct bench *b, unsigned int slot) {
        struct iov_model *have = NULL, *want = NULL;
        struct iov_vadapter va = {.slot = slot};
        struct iov_namespace ns = {0};
        struct iov_plan *plan = NULL;
        char name[32];

        snprintf(name, sizeof(name), "%s.%u", b->server, slot);
        if (field_set(va.name, sizeof(va.name), name) < 0 || field_set(va.adapter, sizeof(va.adapter), "ssd0") < 0 ||
            field_set(va.server, sizeof(va.server), b->server) < 0 || iov_namespace_init(&ns, name, 1) < 0 ||
            field_set(ns.volume, sizeof(ns.volume), name) < 0)
                measure_die("create: %s is too long", name);
        if (iov_model_load(b->appliance, &have) < 0 || iov_model_clone(have, &want) < 0 ||
            iov_model_set(want, IOV_KIND_VADAPTER, &va) < 0 || iov_model_set(want, IOV_KIND_NAMESPACE, &ns) < 0 ||
            iov_plan_new(have, want, 0, &plan) < 0 || iov_plan_count(plan) != 2)
                measure_die("create: no plan for %s", name);
        iov_model_unref(have); /* the plan holds them */
        iov_model_unref(want);
        return plan;
}

static void connect_until_it_works(const struct bench *b, unsigned int slot) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        const uint64_t start = measure_ns();
        char path[512];

        snprintf(path, sizeof(path), "%s/servers/%s/%u.sock", b->run, b->server, slot);
        if (field_set(address.sun_path, sizeof(address.sun_path), path) < 0)
                measure_die("create: %s is too long", path);
        for (;;) {
                CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

                if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
                        return;
                if ((errno != ENOENT && errno != ECONNREFUSED) || ms_since(start) > 10000)
                        measure_die("create: %s: %s", path, strerror(errno));
                usleep(20);
        }
}

/* ms until it is committed, and until it can be connected to. */
static double create_one(struct bench *b, unsigned int slot, double *ret_committed) {
        struct iov_plan *plan = plan_make(b, slot);
        struct iov_mb_txn_result result;
        struct iov_mb_error error = {0};
        const uint64_t start = measure_ns();
        int r = iov_plan_apply(plan, b->appliance, 0, &result, &error);

        if (r < 0)
                measure_die("create: %s: %.*s", strerror(-r), (int)sizeof(error.text), error.text);
        *ret_committed = ms_since(start);
        connect_until_it_works(b, slot);
        const double ms = ms_since(start);
        iov_plan_unref(plan);
        return ms;
}

static double process_one(void) {
        char name[] = "true", *const argv[] = {name, NULL};
        const uint64_t start = measure_ns();
        int status = 0;
        pid_t pid;

        int r = posix_spawnp(&pid, "true", NULL, NULL, argv, environ);
        if (r != 0 || waitpid(pid, &status, 0) != pid || status != 0)
                measure_die("create: true: %s", strerror(r));
        return ms_since(start);
}

static uint64_t resident(const char *mgmt_path) {
        pid_t pids[SLOTS_MAX];
        struct cost cost = {0};
        const size_t n = processes_find(mgmt_path, pids, ARRAY_LENGTH(pids));

        for (size_t i = 0; i < n; i++)
                processes_cost(pids[i], &cost);
        return cost.resident;
}

/* Of the last `n`; then the same with a server each, that does nothing. */
static void report_memory(const struct bench *b, const char *mgmt_path, uint64_t before, unsigned int n) {
        static struct nvme_host hosts[SLOTS_MAX];
        const double created = (double)(resident(mgmt_path) - before) / n / 1024;
        char path[512];

        for (unsigned int i = 0; i < n; i++) {
                snprintf(path, sizeof(path), "%s/servers/%s/%u.sock", b->run, b->server, i + FIRST);
                if (nvme_host_open(&hosts[i], path, 1 << 20, 16, true) < 0)
                        measure_die("create: no server drives %s", path);
        }
        sleep(1);
        const double connected = (double)(resident(mgmt_path) - before) / n / 1024;
        printf("%-46s %8.1f KiB %12s %7s  -\n", "  resident memory, each before it is connected", created, "-", "-");
        printf("%-46s %8.1f KiB %12s %7s  %d KiB %s\n", "  resident memory, each when it is initialised", connected, "-", "-",
               GOAL_KIB, connected <= GOAL_KIB ? "held" : "missed");
        for (unsigned int i = 0; i < n; i++)
                nvme_host_close(&hosts[i]);
}

static void report(const char *what, double ms, double peer, const char *goal) {
        printf("%-46s %9.3f ms %9.3f ms %7.3f  %s\n", what, ms, peer, ms / peer, goal);
}

int main(int argc, char **argv) {
        double ready[SLOTS_MAX], committed[SLOTS_MAX], peers[SLOTS_MAX], unused;
        const unsigned int slots = argc == 5 ? (unsigned int)strtoul(argv[4], NULL, 10) : 0;
        struct bench b = {.run = argc == 5 ? argv[2] : "", .server = argc == 5 ? argv[3] : ""};
        char address[256], goal[64];

        if (slots < 6 || slots > SLOTS_MAX)
                measure_die("usage: create MGMT_SOCKET RUN_DIRECTORY SERVER SLOTS");
        snprintf(address, sizeof(address), "unix:%s", argv[1]);
        if (iov_new(&b.ctx) < 0)
                measure_die("out of memory");
        iov_set_log_fn(b.ctx, on_log, NULL);
        if (iov_open(b.ctx, address, &b.appliance) < 0)
                measure_die("cannot open %s", address);
        const double first = create_one(&b, 0, &unused);
        const unsigned int n = slots - 1;
        uint64_t before = 0;
        for (unsigned int i = 0; i < n; i++) {
                if (i == FIRST - 1)
                        before = resident(argv[1]);
                peers[i] = process_one();
                ready[i] = create_one(&b, i + 1, &committed[i]);
        }
        const double peer = measure_median(peers, n);
        const double ms = measure_median(ready, n);
        snprintf(goal, sizeof(goal), "%d ms %s", GOAL_MS, ms <= GOAL_MS ? "held" : "missed");
        report("create a vAdapter, fork and exec", ms, peer, goal);
        report("  of it until it is committed", measure_median(committed, n), peer, "-");
        report("  the first of a server, with its worker", first, peer, "-");
        report_memory(&b, argv[1], before, slots - FIRST);
        iov_close(b.appliance);
        iov_unref(b.ctx);
        return 0;
}
