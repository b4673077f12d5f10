/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * register-read MGMT_SOCKET VADAPTER_SOCKET
 *
 * What a register read over the socket costs, against a bare ping-pong of messages of the same sizes with an epoll server. Rounds
 * of both alternate; the ratio is the median of those of each round, because what disturbs the machine disturbs neighbours alike.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "bench/measure.h"
#include "bench/nvme-host.h"
#include "bench/processes.h"
#include "iov/registers.h"
#include "util.h"

#define ROUNDS 61
#define BATCH 1000
#define REQUEST 32 /* header and struct vfio_user_region_access */
#define REPLY 40   /* the same and 8 bytes of data */
#define GOAL 1.05

/* The least that a server of many connections does: wait for any of them, read, answer. */
static void ping_pong_server(int fd) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        int epoll = epoll_create1(EPOLL_CLOEXEC);
        char message[REPLY] = "";

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
                _exit(1);
        for (;;) {
                if (epoll_wait(epoll, &event, 1, -1) < 0 && errno != EINTR)
                        _exit(1);
                if (recv(event.data.fd, message, REQUEST, 0) != REQUEST ||
                    send(event.data.fd, message, REPLY, MSG_NOSIGNAL) != REPLY)
                        _exit(0);
        }
}

static pid_t ping_pong_start(int *ret_fd) {
        int fds[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
                measure_die("socketpair: %s", strerror(errno));
        pid_t pid = fork();
        if (pid < 0)
                measure_die("fork: %s", strerror(errno));
        if (pid == 0) {
                close(fds[0]);
                ping_pong_server(fds[1]);
        }
        close(fds[1]);
        *ret_fd = fds[0];
        return pid;
}

static double ping_pong_batch(int fd) {
        char message[REPLY] = "";
        uint64_t start = measure_ns();

        for (unsigned int i = 0; i < BATCH; i++)
                if (send(fd, message, REQUEST, MSG_NOSIGNAL) != REQUEST || recv(fd, message, REPLY, 0) != REPLY)
                        measure_die("the ping-pong broke off");
        return (double)(measure_ns() - start) / BATCH;
}

static double read_batch(struct vfio_user_client *client, unsigned int region, uint64_t offset) {
        uint64_t start = measure_ns(), value;

        for (unsigned int i = 0; i < BATCH; i++)
                if (vfio_user_client_read(client, region, offset, &value, sizeof(value)) < 0)
                        measure_die("a register read failed: %s", vfio_user_client_problem(client));
        return (double)(measure_ns() - start) / BATCH;
}

static struct vfio_user_client *mgmt_connect(const char *path) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        struct vfio_user_client *client = NULL;
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0 || field_set(address.sun_path, sizeof(address.sun_path), path) < 0 ||
            connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
                measure_die("%s: cannot connect: %s", path, strerror(errno));
        if (vfio_user_client_new(fd, 5000, &client) < 0 || vfio_user_client_version(client) < 0)
                measure_die("%s: does not talk vfio-user", path);
        return client;
}

static void report(const char *what, const char *where, double *ours, double *peers) {
        double ratios[ROUNDS];
        char label[64];

        for (unsigned int i = 0; i < ROUNDS; i++)
                ratios[i] = ours[i] / peers[i];
        double copy[ROUNDS], ratio = measure_median(ratios, ROUNDS), own_ns = measure_median(ours, ROUNDS);

        memcpy(copy, peers, sizeof(copy));
        snprintf(label, sizeof(label), "%s, %s", what, where);
        printf("%-46s %9.2f us %9.2f us %7.3f  %.2f %s\n", label, own_ns / 1e3, measure_median(copy, ROUNDS) / 1e3, ratio, GOAL,
               ratio <= GOAL ? "held" : "missed");
}

struct sides {
        int ping_pong;
        pid_t ping_pong_server;
        struct vfio_user_client *mgmt;
        struct nvme_host vadapter;
        const char *mgmt_path;
};

static void compare(struct sides *s, unsigned int server_cpu, const char *where) {
        static double peer[ROUNDS], mgmt[ROUNDS], vadapter[ROUNDS];

        processes_pin(s->mgmt_path, server_cpu);
        measure_pin(s->ping_pong_server, server_cpu);
        for (unsigned int i = 0; i < ROUNDS + 3; i++) { /* the first three warm up */
                unsigned int slot = i < 3 ? 0 : i - 3;

                peer[slot] = ping_pong_batch(s->ping_pong);
                mgmt[slot] = read_batch(s->mgmt, 0, IOV_REG_GENERATION);
                vadapter[slot] = read_batch(s->vadapter.client, 0, NVME_REG_CAP);
        }
        report("register read, management", where, mgmt, peer);
        report("register read, NVMe", where, vadapter, peer);
}

int main(int argc, char **argv) {
        struct sides s = {.ping_pong = -1};
        int r;

        if (argc != 3)
                measure_die("usage: register-read MGMT_SOCKET VADAPTER_SOCKET");
        s.mgmt_path = argv[1];
        s.mgmt = mgmt_connect(argv[1]);
        if ((r = nvme_host_connect(&s.vadapter, argv[2], 1 << 20)) < 0)
                measure_die("%s: cannot connect: %s", argv[2], strerror(-r));
        s.ping_pong_server = ping_pong_start(&s.ping_pong);
        measure_pin(0, 0);
        if (sysconf(_SC_NPROCESSORS_ONLN) >= 2)
                compare(&s, 1, "two processors");
        compare(&s, 0, "one processor");
        close(s.ping_pong);
        nvme_host_close(&s.vadapter);
        vfio_user_client_free(s.mgmt);
        waitpid(s.ping_pong_server, NULL, 0);
        return 0;
}
