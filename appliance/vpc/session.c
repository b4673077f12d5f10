/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vpc/session.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

void vpc_session_init(struct vpc_session *s) {
        s->version = VPC_SESSION_VERSION;
        s->size = sizeof(*s);
        s->states[0] = s->states[1] = (struct vpc_session_state){.socket = -1, .out_fd = -1};
        /* Last: with it there is a session. */
        __atomic_thread_fence(__ATOMIC_RELEASE);
        memcpy(s->magic, VPC_SESSION_MAGIC, sizeof(s->magic));
}

int vpc_session_check(const struct vpc_session *s) {
        if (memcmp(s->magic, VPC_SESSION_MAGIC, sizeof(s->magic)) != 0)
                return -EBADMSG;
        return s->version == VPC_SESSION_VERSION && s->size == sizeof(*s) ? 0 : -EPROTONOSUPPORT;
}

void vpc_session_use_lines(struct vpc_session *s, unsigned int n) {
        for (unsigned int i = s->n_lines; i < n; i++)
                s->lines[i] = (struct vpc_irq_line){.fd = -1};
        if (n > s->n_lines)
                __atomic_store_n(&s->n_lines, n, __ATOMIC_RELEASE);
}

struct vpc_session *vpc_session_new(void) {
        struct vpc_session *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (s == MAP_FAILED)
                return NULL;
        vpc_session_init(s);
        return s;
}

void vpc_session_free(struct vpc_session *s) {
        if (s)
                munmap(s, sizeof(*s));
}

static void add(int fd, int *fds, size_t max, size_t *n) {
        if (fd < 0)
                return;
        if (*n < max)
                fds[*n] = fd;
        ++*n;
}

/* Those of a message that was received and not yet taken account of are in the call's control buffer. */
static void add_received(const struct vpc_session *s, int *fds, size_t max, size_t *n) {
        struct msghdr header = s->receive.header.msg_hdr;

        if (!vpc_session_has_result(&s->receive, vpc_session_state(s)->received) ||
            header.msg_controllen > sizeof(s->receive.control))
                return;
        header.msg_control = (void *)(uintptr_t)s->receive.control;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c; c = CMSG_NXTHDR(&header, c))
                for (size_t i = 0; c->cmsg_type == SCM_RIGHTS && i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
                        int fd = -1;

                        memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
                        add(fd, fds, max, n);
                }
}

size_t vpc_session_descriptors(const struct vpc_session *s, int *fds, size_t max) {
        const struct vpc_session_state *state = vpc_session_state(s);
        size_t n = 0;

        add(state->socket, fds, max, &n);
        for (unsigned int i = 0; i < state->n_fds && i < VPC_SESSION_FDS; i++)
                add(state->fds[i], fds, max, &n);
        for (unsigned int i = 0; i < s->n_lines && i < VPC_LINES_MAX; i++)
                add(s->lines[i].fd, fds, max, &n);
        for (unsigned int i = 0; i < s->n_windows && i < VPC_DMA_WINDOWS_MAX; i++)
                if (s->windows[i].state != VPC_WINDOW_FREE)
                        add(s->windows[i].fd, fds, max, &n);
        add_received(s, fds, max, &n);
        return n;
}
