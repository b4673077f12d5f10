/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/store/run-directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "context.h"
#include "control/store/lock.h"
#include "util.h"

/* The longest is RUN/servers/SERVER/SLOT.sock, which each server is checked for; this is what none can do without. */
static bool servers_path(const char *path, char buffer[108]) {
        int n = snprintf(buffer, 108, "%s/servers", path);

        return n > 0 && n < 108;
}

/* Not by a file in it, which would have to be taken away, and could be by anybody who tidies up. */
static int take(struct iov_ctx *ctx, const char *path, unsigned int wait_ms, int *ret_lock) {
        CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int r = fd < 0 ? -errno : lock_wait(fd, wait_ms);

        if (r == -EBUSY) {
                iov_log(ctx, LOG_ERR, "%s: another iovd has its sockets there: stop it, or use another --run", path);
                return r;
        }
        if (r < 0) {
                iov_log(ctx, LOG_ERR, "%s: cannot lock the run directory: %s", path, strerror(-r));
                return r;
        }
        *ret_lock = take_fd(&fd);
        return 0;
}

int run_directory_open(struct iov_ctx *ctx, const char *path, bool lookers, unsigned int wait_ms, int *ret_lock) {
        char servers[108];

        if (!servers_path(path, servers)) {
                iov_log(ctx, LOG_ERR, "%s: the run directory's name is too long for sockets: use a shorter --run", path);
                return -ENAMETOOLONG;
        }
        if ((mkdir(path, 0710) < 0 && errno != EEXIST) || (mkdir(servers, 0710) < 0 && errno != EEXIST)) {
                int r = -errno;
                iov_log(ctx, LOG_ERR, "%s: cannot make the run directory: %s", path, strerror(-r));
                return r;
        }
        /* Who may look comes as far as the management socket, and is asked there who he is. */
        if (lookers && chmod(path, 0711) < 0) {
                int r = -errno;
                iov_log(ctx, LOG_ERR, "%s: cannot let the read group in: %s", path, strerror(-r));
                return r;
        }
        return take(ctx, path, wait_ms, ret_lock);
}

void run_directory_close(const char *path, int lock) {
        char servers[108];

        if (lock < 0)
                return;
        if (servers_path(path, servers))
                rmdir(servers);
        close(lock);
}
