/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/processes.h"

#include <dirent.h>
#include <inttypes.h>
#include <unistd.h>

#include "bench/measure.h"
#include "bench/nvme-host.h"
#include "iov/libiov.h"
#include "util.h"

static void on_log(void *userdata, int level, const char *text) {
        fprintf(stderr, "%s\n", text);
}

size_t processes_find(const char *mgmt_path, pid_t *ret_pids, size_t max) {
        struct iov_ctx *ctx = NULL;
        struct iov_appliance *a = NULL;
        struct iov_model *model = NULL;
        const struct iov_server *server;
        char address[256];
        uint32_t pid = 0;
        size_t n = 0;

        snprintf(address, sizeof(address), "unix:%s", mgmt_path);
        if (iov_new(&ctx) < 0)
                measure_die("out of memory");
        iov_set_log_fn(ctx, on_log, NULL);
        if (iov_open(ctx, address, &a) < 0 || iov_read32(a, 0, IOV_REG_PID, &pid) < 0 || iov_model_load(a, &model) < 0)
                measure_die("cannot ask %s for its processes", mgmt_path);
        if (n < max)
                ret_pids[n++] = (pid_t)pid;
        iov_model_foreach (model, IOV_KIND_SERVER, server)
                if (server->worker_pid && n < max)
                        ret_pids[n++] = (pid_t)server->worker_pid;
        iov_model_unref(model);
        iov_close(a);
        iov_unref(ctx);
        return n;
}

void processes_pin(const char *mgmt_path, unsigned int cpu) {
        pid_t pids[64];
        size_t n = processes_find(mgmt_path, pids, ARRAY_LENGTH(pids));

        for (size_t i = 0; i < n; i++)
                measure_pin(pids[i], cpu);
}

void processes_unpin(const char *mgmt_path) {
        pid_t pids[64];
        size_t n = processes_find(mgmt_path, pids, ARRAY_LENGTH(pids));

        for (size_t i = 0; i < n; i++)
                measure_unpin(pids[i]);
}

/* utime and stime are the 14th and 15th field of proc(5)'s stat; the second is a name in parentheses, with anything in it. */
static uint64_t ticks_read(pid_t pid) {
        char path[64], line[1024] = "", *s;
        uint64_t user = 0, system = 0;

        snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        CLEANUP_FILE FILE *f = fopen(path, "re");
        if (!f || !fgets(line, sizeof(line), f) || !(s = strrchr(line, ')')) ||
            sscanf(s + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64, &user, &system) != 2)
                measure_die("%s: cannot be read", path);
        return user + system;
}

/*
 * proc(5), smaps: for each mapping a line that begins with its addresses, then figures. What is shared is divided among those who
 * share it (Pss). Of programs and libraries, which other processes share too, only what has become its own counts; the memory of
 * servers, which a worker maps, is theirs.
 */
static uint64_t resident_read(pid_t pid) {
        char path[64], line[512];
        const char *figure = "";
        uint64_t total = 0, n = 0;

        snprintf(path, sizeof(path), "/proc/%d/smaps", (int)pid);
        CLEANUP_FILE FILE *f = fopen(path, "re");
        if (!f)
                measure_die("%s: cannot be read", path);
        while (fgets(line, sizeof(line), f)) {
                const char *name = strchr(line, '/');

                if (sscanf(line, "%*x-%*x %*s %" SCNx64, &n) == 1)
                        figure = name && strstr(name, NVME_HOST_MEMORY)                           ? "none"
                                 : name && !strstr(name, "/memfd:") && !strstr(name, "/dev/zero") ? "Anonymous:"
                                                                                                  : "Pss:";
                else if (strncmp(line, figure, strlen(figure)) == 0 && sscanf(strchr(line, ':') + 1, "%" SCNu64, &n) == 1)
                        total += n;
        }
        return total * 1024;
}

/* io_uring's worker threads are called iou-wrk-PID. The kernel keeps one for good after the first work of that kind (a buffered
 * write that had to wait, say), and that one looks round every five seconds. */
static void task_cost(const char *task, struct cost *cost) {
        char path[512], line[256] = "";
        uint64_t run_ns = 0, switches = 0;

        snprintf(path, sizeof(path), "%s/comm", task);
        CLEANUP_FILE FILE *comm = fopen(path, "re");
        bool is_kernel = comm && fgets(line, sizeof(line), comm) && strncmp(line, "iou-", 4) == 0;
        snprintf(path, sizeof(path), "%s/schedstat", task);
        CLEANUP_FILE FILE *schedstat = fopen(path, "re");
        if (schedstat && fscanf(schedstat, "%" SCNu64, &run_ns) != 1)
                run_ns = 0;
        snprintf(path, sizeof(path), "%s/status", task);
        CLEANUP_FILE FILE *status = fopen(path, "re");
        while (status && fgets(line, sizeof(line), status))
                if (sscanf(line, "voluntary_ctxt_switches: %" SCNu64, &switches) == 1)
                        break;
        cost->run_ns += run_ns;
        cost->switches += switches;
        cost->kernel_ns += is_kernel ? run_ns : 0;
        cost->kernel_switches += is_kernel ? switches : 0;
}

void processes_cost(pid_t pid, struct cost *cost) {
        char path[64], task[384];
        struct dirent *entry;

        cost->ticks += ticks_read(pid);
        cost->resident += resident_read(pid);
        snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
        DIR *d = opendir(path);
        if (!d)
                measure_die("%s: cannot be read", path);
        while ((entry = readdir(d)))
                if (*entry->d_name != '.') {
                        snprintf(task, sizeof(task), "%s/%s", path, entry->d_name);
                        task_cost(task, cost);
                }
        closedir(d);
}
