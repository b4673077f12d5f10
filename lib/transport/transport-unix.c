/* SPDX-License-Identifier: GPL-2.0-or-later */
/* unix:PATH: the socket of a running iovd. */
#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "transport.h"
#include "util.h"

/* connect(2) waits where the listener's queue is full, for as long as SO_SNDTIMEO says (unix(7), socket(7)). */
static int connect_path(const struct sockaddr_un *address, int timeout_ms, int *ret_fd) {
        struct timeval timeout = {.tv_sec = timeout_ms / 1000, .tv_usec = (timeout_ms % 1000) * 1000};
        CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int r;

        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0)
                return -errno;
        do
                r = connect(fd, (const struct sockaddr *)address, sizeof(*address));
        while (r < 0 && errno == EINTR);
        if (r < 0)
                return -errno;
        *ret_fd = take_fd(&fd);
        return 0;
}

int transport_unix_open(const char *path, int timeout_ms, char why[TRANSPORT_WHY_SIZE], struct transport **ret_transport) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = -1, r;

        if (!*path || field_set(address.sun_path, sizeof(address.sun_path), path) < 0) {
                snprintf(why, TRANSPORT_WHY_SIZE, "the path of a socket has 1 to %zu bytes", sizeof(address.sun_path) - 1);
                return -EINVAL;
        }
        r = connect_path(&address, timeout_ms, &fd);
        switch (-r) {
        case 0:
                return transport_vfio_user_new(fd, timeout_ms, why, ret_transport);
        case ENOENT:
        case ENOTDIR:
        case ECONNREFUSED:
                snprintf(why, TRANSPORT_WHY_SIZE,
                         "no appliance answers there; start one (systemctl start iovd), or use a simulated one: -a sim:DIR");
                return -ENODEV;
        case EACCES:
        case EPERM:
                snprintf(why, TRANSPORT_WHY_SIZE,
                         "you may not connect to it; run as root or as a member of the group of that socket");
                return -EACCES;
        case EAGAIN:
                snprintf(why, TRANSPORT_WHY_SIZE, "no answer in time: too many others wait for it");
                return -ETIMEDOUT;
        default:
                snprintf(why, TRANSPORT_WHY_SIZE, "cannot connect: %s", strerror(-r));
                return r;
        }
}
