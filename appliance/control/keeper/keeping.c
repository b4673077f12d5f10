/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control process's side of the keeper, and the messages between both. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "control/keeper/keeper-private.h"
#include "util.h"

union control_buffer {
        char bytes[CMSG_SPACE(KEEPER_FDS_MAX * sizeof(int))];
        struct cmsghdr align;
};

#define HEAD offsetof(struct keeper_message, note)

int keeper_send(int fd, const struct keeper_message *message, const int *fds, unsigned int n_fds) {
        struct iovec iov = {(void *)(uintptr_t)message, HEAD + message->size};
        union control_buffer control = {0};
        struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

        if (n_fds > KEEPER_FDS_MAX || message->size > KEEPER_NOTE_MAX)
                return -E2BIG;
        if (n_fds) {
                m.msg_control = control.bytes;
                m.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
                CMSG_FIRSTHDR(&m)->cmsg_level = SOL_SOCKET;
                CMSG_FIRSTHDR(&m)->cmsg_type = SCM_RIGHTS;
                CMSG_FIRSTHDR(&m)->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
                memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), fds, n_fds * sizeof(int));
        }
        while (sendmsg(fd, &m, MSG_NOSIGNAL) < 0)
                if (errno != EINTR)
                        return -errno;
        return 0;
}

static unsigned int take_fds(struct msghdr *m, int fds[KEEPER_FDS_MAX]) {
        unsigned int n = 0;

        for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
                for (size_t i = 0; c->cmsg_type == SCM_RIGHTS && i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
                        int fd = -1;

                        memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
                        if (n < KEEPER_FDS_MAX)
                                fds[n++] = fd;
                        else
                                close(fd);
                }
        return n;
}

int keeper_receive(int fd, struct keeper_message *ret_message, int ret_fds[KEEPER_FDS_MAX], unsigned int *ret_n) {
        struct iovec iov = {ret_message, sizeof(*ret_message)};
        union control_buffer control;
        struct msghdr m = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
        ssize_t n;

        do
                n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        *ret_n = take_fds(&m, ret_fds);
        if (n == 0)
                return -ECONNRESET;
        if ((size_t)n < HEAD || ret_message->size > KEEPER_NOTE_MAX || (size_t)n != HEAD + ret_message->size) {
                for (unsigned int i = 0; i < *ret_n; i++)
                        close(ret_fds[i]);
                return -EBADMSG;
        }
        return 0;
}

/* ---- the control process ---- */

struct keeping {
        int fd;
        struct keeping_record **records;
        size_t n;
};

static int record_append(struct keeping *k, const struct keeper_message *m, const int *fds, unsigned int n_fds) {
        struct keeping_record **records = reallocarray(k->records, k->n + 1, sizeof(struct keeping_record *));
        void *note = malloc(m->size ? m->size : 1);
        struct keeping_record *r = calloc(1, sizeof(*r));

        if (records)
                k->records = records;
        if (!records || !note || !r) {
                free(note);
                free(r);
                return -ENOMEM;
        }
        memcpy(note, m->note, m->size);
        *r = (struct keeping_record){.key = m->key, .note = note, .size = m->size, .n_fds = n_fds};
        memcpy(r->fds, fds, n_fds * sizeof(int));
        k->records[k->n++] = r;
        return 0;
}

int keeping_open(int fd, struct keeping **ret_keeping) {
        CLEANUP_FREE struct keeper_message *m = malloc(sizeof(*m));
        struct keeping *k = calloc(1, sizeof(*k));
        int fds[KEEPER_FDS_MAX], r = 0;
        unsigned int n = 0;

        if (!m || !k) {
                free(k);
                return -ENOMEM;
        }
        k->fd = fd;
        if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
                r = -errno;
                keeping_close(k);
                return r;
        }
        while ((r = keeper_receive(fd, m, fds, &n)) == 0 && m->op != KEEPER_END) {
                r = record_append(k, m, fds, n);
                if (r < 0)
                        break;
        }
        if (r < 0) {
                keeping_close(k);
                return r;
        }
        *ret_keeping = k;
        return 0;
}

struct keeping *keeping_close(struct keeping *k) {
        if (!k)
                return NULL;
        for (size_t i = 0; i < k->n; i++) {
                for (unsigned int f = 0; f < k->records[i]->n_fds; f++)
                        close_fd(&k->records[i]->fds[f]);
                free((void *)(uintptr_t)k->records[i]->note);
                free(k->records[i]);
        }
        free(k->records);
        close_fd(&k->fd);
        free(k);
        return NULL;
}

struct keeping_record *keeping_get(struct keeping *k, size_t n) {
        return k && n < k->n ? k->records[n] : NULL;
}

/* The keeper has nothing else to do than to take it, so the wait is short; a message that is in the socket outlives us. */
int keeping_store(struct keeping *k, uint64_t key, const void *note, size_t size, const int *fds, unsigned int n_fds) {
        struct keeper_message m = {.op = KEEPER_STORE, .size = (uint32_t)size, .key = key};

        if (!k)
                return 0;
        if (size > sizeof(m.note))
                return -E2BIG;
        if (size)
                memcpy(m.note, note, size);
        return keeper_send(k->fd, &m, fds, n_fds);
}

int keeping_note(struct keeping *k, uint64_t key, const void *note, size_t size) {
        struct keeper_message m = {.op = KEEPER_NOTE, .size = (uint32_t)size, .key = key};

        if (!k)
                return 0;
        if (size > sizeof(m.note))
                return -E2BIG;
        memcpy(m.note, note, size);
        return keeper_send(k->fd, &m, NULL, 0);
}

void keeping_remove(struct keeping *k, uint64_t key) {
        const struct keeper_message m = {.op = KEEPER_REMOVE, .key = key};

        if (k)
                keeper_send(k->fd, &m, NULL, 0);
}
