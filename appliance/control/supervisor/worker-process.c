/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/supervisor/worker-process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/keeper/spawn.h"
#include "link/channel.h"
#include "util.h"

static int spawn(const char *server, bool has_nbd, int channel, pid_t *ret_pid) {
        char *const argv[] = {(char *)"iovd", (char *)"--worker", (char *)server, has_nbd ? (char *)"nbd" : NULL, NULL};

        return process_spawn("/proc/self/exe", argv, channel, LINK_CHANNEL_FD, NULL, ret_pid);
}

int worker_process_start(const char *server, bool has_nbd, pid_t *ret_pid, int *ret_pidfd, int *ret_channel) {
        int pair[2], pidfd;
        pid_t pid = -1;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        CLEANUP_CLOSE int ours = pair[0], theirs = pair[1];
        int r = spawn(server, has_nbd, theirs, &pid);
        if (r < 0)
                return r;
        pidfd = pidfd_open(pid, 0);
        if (pidfd < 0) {
                r = -errno;
                kill(pid, SIGKILL);
                waitpid(pid, NULL, 0);
                return r;
        }
        *ret_pid = pid;
        *ret_pidfd = pidfd;
        *ret_channel = take_fd(&ours);
        return 0;
}

void worker_process_finish(int pidfd, int timeout_ms) {
        struct pollfd p = {pidfd, POLLIN, 0};
        siginfo_t info;

        if (poll(&p, 1, timeout_ms) == 0)
                pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
        waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED);
}

static int bind_fresh(int fd, const struct sockaddr_un *address) {
        if (unlink(address->sun_path) < 0 && errno != ENOENT)
                return -errno;
        /* Nobody else may connect between bind() and chmod(). */
        mode_t old = umask(0117);
        int r = bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
        umask(old);
        return r;
}

int slot_socket_make(const char *run_directory, const char *server, unsigned int slot, char *path, int *ret_fd) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        char directory[sizeof(address.sun_path)];
        int n = snprintf(directory, sizeof(directory), "%s/servers/%s", run_directory, server);

        if (n < 0 || (size_t)n + sizeof("/99.sock") > sizeof(directory))
                return -ENAMETOOLONG;
        if (mkdir(directory, 0710) < 0 && errno != EEXIST)
                return -errno;
        memcpy(address.sun_path, directory, (size_t)n);
        snprintf(address.sun_path + n, sizeof(address.sun_path) - (size_t)n, "/%u.sock", slot);
        CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        int r = bind_fresh(fd, &address);
        if (r < 0)
                return r;
        if (listen(fd, 4) < 0)
                return -errno;
        memcpy(path, address.sun_path, sizeof(address.sun_path));
        *ret_fd = take_fd(&fd);
        return 0;
}

void slot_directory_remove(const char *run_directory, const char *server) {
        char directory[sizeof(((struct sockaddr_un *)0)->sun_path)];
        int n = snprintf(directory, sizeof(directory), "%s/servers/%s", run_directory, server);

        if (n > 0 && (size_t)n < sizeof(directory))
                rmdir(directory);
}
