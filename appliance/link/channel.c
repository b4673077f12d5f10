/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "link/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util.h"

union control_buffer {
        char bytes[CMSG_SPACE(LINK_FDS_MAX * sizeof(int))];
        struct cmsghdr align;
};

int link_send(int fd, const struct link_message *message, const int *fds, unsigned int n) {
        struct iovec iov = {(void *)message, sizeof(*message)};
        union control_buffer control = {0};
        struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

        if (n > LINK_FDS_MAX)
                return -E2BIG;
        if (n) {
                msg.msg_control = control.bytes;
                msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
                struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
                c->cmsg_level = SOL_SOCKET;
                c->cmsg_type = SCM_RIGHTS;
                c->cmsg_len = CMSG_LEN(n * sizeof(int));
                memcpy(CMSG_DATA(c), fds, n * sizeof(int));
        }
        for (;;) {
                if (sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
                        return 0;
                if (errno != EINTR)
                        return -errno;
        }
}

static unsigned int take_fds(struct msghdr *msg, int fds[LINK_FDS_MAX]) {
        unsigned int n = 0;

        for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
                if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
                        continue;
                size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
                for (size_t i = 0; i < count; i++) {
                        int fd;

                        memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
                        if (n < LINK_FDS_MAX)
                                fds[n++] = fd;
                        else
                                close(fd);
                }
        }
        return n;
}

static int receive(int fd, int flags, struct link_message *ret_message, int ret_fds[LINK_FDS_MAX], unsigned int *ret_n) {
        struct link_message m;
        struct iovec iov = {&m, sizeof(m)};
        union control_buffer control;
        struct msghdr msg = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
        int fds[LINK_FDS_MAX];
        ssize_t n;

        do
                n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC | flags);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        unsigned int n_fds = take_fds(&msg, fds);
        if (n == 0)
                return -ECONNRESET;
        if (n != sizeof(m) || msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC) || m.n_media > VPC_MEDIA_MAX) {
                for (unsigned int i = 0; i < n_fds; i++)
                        close(fds[i]);
                return -EBADMSG;
        }
        m.model[sizeof(m.model) - 1] = m.name[sizeof(m.name) - 1] = m.text[sizeof(m.text) - 1] = 0;
        *ret_message = m;
        memcpy(ret_fds, fds, n_fds * sizeof(int));
        *ret_n = n_fds;
        return 0;
}

int link_receive(int fd, struct link_message *ret_message, int ret_fds[LINK_FDS_MAX], unsigned int *ret_n) {
        return receive(fd, 0, ret_message, ret_fds, ret_n);
}

int link_peek(int fd, struct link_message *ret_message, int ret_fds[LINK_FDS_MAX], unsigned int *ret_n) {
        return receive(fd, MSG_PEEK, ret_message, ret_fds, ret_n);
}

void link_discard(int fd) {
        char nothing;

        /* Cut off with its descriptors, which the kernel closes. */
        while (recv(fd, &nothing, sizeof(nothing), MSG_DONTWAIT) < 0 && errno == EINTR)
                ;
}
