/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "link/escrow.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "util.h"
#include "vpc/session.h"

/* Whoever crashes so often, for reasons of its own, does so because of what it finds: it is to begin with nothing. */
#define CRASHES_MAX 4
#define CRASHES_FORGIVEN 10 /* seconds a worker must live for the count to start anew */

static time_t seconds(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec;
}

/* fork(2), but with one table of descriptors. The C library has no function for it; the process has one thread. */
static pid_t fork_with_files(void) {
        return (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
}

static int child(struct link_escrow *escrow, char *mark, pid_t parent, int (*serve)(struct link_escrow *escrow)) {
        prctl(PR_SET_NAME, "iovd-link");
        memcpy(mark, "--worker", 8);
        /* Alone it would be served until the first crash, and nobody would know. */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
                return EXIT_FAILURE;
        return serve(escrow);
}

int link_escrow_run(char *mark, int (*serve)(struct link_escrow *escrow)) {
        struct link_escrow *escrow = mmap(NULL, sizeof(*escrow), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        const pid_t self = getpid();
        unsigned int crashes = 0;

        if (escrow == MAP_FAILED)
                return EXIT_FAILURE;
        prctl(PR_SET_NAME, "iovd-escrow");
        memcpy(mark, "--escrow", 8);
        for (;;) {
                const time_t started = seconds();
                siginfo_t info = {0};
                pid_t pid = fork_with_files();

                if (pid < 0)
                        return EXIT_FAILURE;
                if (pid == 0)
                        _exit(child(escrow, mark, self, serve));
                while (waitid(P_PID, (id_t)pid, &info, WEXITED) < 0 && errno == EINTR)
                        ;
                if (info.si_code == CLD_EXITED)
                        return info.si_status;
                escrow->starts++;
                if (info.si_status == SIGKILL) /* from outside */
                        continue;
                crashes = seconds() - started >= CRASHES_FORGIVEN ? 1 : crashes + 1;
                if (crashes >= CRASHES_MAX) {
                        fprintf(stderr, "iovd: %u crashes in a row of the worker (the last by signal %d): it begins anew\n",
                                crashes, info.si_status);
                        return EXIT_FAILURE;
                }
        }
}

struct link_escrow_slot *link_escrow_slot_take(struct link_escrow *escrow) {
        for (unsigned int i = 0; i < LINK_SLOTS_MAX; i++) {
                struct link_escrow_slot *slot = &escrow->slots[i];

                if (slot->used)
                        continue;
                memset(slot, 0, sizeof(*slot));
                return slot;
        }
        return NULL;
}

static void share_close(struct link_escrow_share *share) {
        for (unsigned int i = 0; i < share->n_fds; i++)
                close_fd(&share->fds[i]);
        share->n_fds = 0;
}

void link_escrow_slot_free(struct link_escrow_slot *slot) {
        __atomic_store_n(&slot->used, 0, __ATOMIC_RELEASE);
        for (unsigned int i = 0; i < slot->n_fds; i++)
                close_fd(&slot->fds[i]);
        slot->n_fds = 0;
        if (slot->reservations_fd > 0)
                close_fd(&slot->reservations_fd);
        slot->reservations_fd = 0;
        share_close(&slot->shares[slot->share & 1]);
}

/* What a process that dies within leaves open, the next one sweeps: it is in no share that counts. */
void link_escrow_slot_share(struct link_escrow_slot *slot, const struct link_share *share, const int *fds, unsigned int n_fds) {
        struct link_escrow_share *old = &slot->shares[slot->share & 1], *now = &slot->shares[!(slot->share & 1)];

        now->share = *share;
        now->n_fds = n_fds;
        if (n_fds)
                memcpy(now->fds, fds, n_fds * sizeof(int));
        __atomic_store_n(&slot->share, !(slot->share & 1), __ATOMIC_RELEASE);
        share_close(old);
}

static int fd_at(const struct link_escrow_slot *slot, unsigned int i) {
        return i < slot->message.n_media ? slot->fds[3 + i] : -1;
}

int link_escrow_slot_show(struct link_escrow *escrow, struct link_escrow_slot **arg_slot, const struct link_message *m,
                          const int *fds, unsigned int n_fds) {
        struct link_escrow_slot *old = *arg_slot, *slot = link_escrow_slot_take(escrow);
        const bool has_doorbells = old->message.flags & LINK_DOORBELLS;
        unsigned int next = 0;

        if (!slot)
                return -ENOSPC;
        *slot = *old;
        slot->used = 0;
        slot->generation = old->generation + 1;
        slot->message.n_media = m->n_media;
        memcpy(slot->message.media, m->media, sizeof(m->media));
        for (unsigned int i = 0; i < m->n_media; i++) {
                const bool is_fresh = m->fresh >> i & 1 && next < n_fds, is_shown = m->media[i].size;

                slot->fds[3 + i] = is_fresh ? fds[next++] : is_shown ? fd_at(old, i) : -1;
                if (is_fresh)
                        slot->message.media_kind[i] = m->media_kind[i];
        }
        if (has_doorbells)
                slot->fds[3 + m->n_media] = old->fds[3 + old->message.n_media];
        slot->n_fds = 3 + m->n_media + has_doorbells;
        __atomic_store_n(&slot->used, 1, __ATOMIC_RELEASE);
        __atomic_store_n(&old->used, 0, __ATOMIC_RELEASE);
        for (unsigned int i = 0; i < old->message.n_media; i++)
                if (fd_at(old, i) != fd_at(slot, i)) {
                        const int gone = fd_at(old, i);

                        close_fd(&gone);
                }
        *arg_slot = slot;
        return 0;
}

void link_escrow_settle(struct link_escrow *escrow) {
        for (unsigned int i = 0; i < LINK_SLOTS_MAX; i++)
                for (unsigned int k = 0; k < LINK_SLOTS_MAX; k++) {
                        struct link_escrow_slot *a = &escrow->slots[i];
                        const struct link_escrow_slot *b = &escrow->slots[k];

                        if (a->used && b->used && a->message.instance == b->message.instance && a->generation < b->generation)
                                a->used = 0;
                }
}

struct fd_list {
        int *fds;
        size_t n, room;
};

static int list_add(struct fd_list *list, int fd) {
        if (fd < 0)
                return 0;
        if (list->n == list->room) {
                size_t room = list->room ? list->room * 2 : 64;
                int *fds = reallocarray(list->fds, room, sizeof(int));

                if (!fds)
                        return -ENOMEM;
                list->fds = fds;
                list->room = room;
        }
        list->fds[list->n++] = fd;
        return 0;
}

static int list_add_session(struct fd_list *list, int fd) {
        struct vpc_session *session = mmap(NULL, sizeof(*session), PROT_READ, MAP_SHARED, fd, LINK_SESSION_OFFSET);
        int r = 0;

        if (session == MAP_FAILED)
                return 0;
        if (vpc_session_check(session) == 0) {
                size_t n = vpc_session_descriptors(session, NULL, 0);
                int *fds = reallocarray(list->fds, list->n + n + 1, sizeof(int));

                if (fds) {
                        list->fds = fds;
                        list->n += vpc_session_descriptors(session, fds + list->n, n);
                        list->room = list->n;
                } else {
                        r = -ENOMEM;
                }
        }
        munmap(session, sizeof(*session));
        return r;
}

static int compare(const void *a, const void *b) {
        const int x = *(const int *)a, y = *(const int *)b;

        return (x > y) - (x < y);
}

/* The kernel lets go of the files in an io_uring when all its requests have ended, so the pipe has no writer any more then. */
void link_escrow_watch(struct link_escrow *escrow, struct loop *loop) {
        int fds[2];

        if (!loop_has_ring(loop) || pipe2(fds, O_CLOEXEC) < 0)
                return;
        escrow->drain_fd = fds[0]; /* should this process end here, the other one is swept */
        loop_file_add(loop, fds[1]);
        close(fds[1]);
}

void link_escrow_drain(struct link_escrow *escrow) {
        struct pollfd p = {.fd = escrow->drain_fd};
        bool is_direct = false;

        for (unsigned int i = 0; i < LINK_SLOTS_MAX; i++)
                is_direct |=
                        escrow->slots[i].used && (escrow->slots[i].is_direct || escrow->slots[i].message.flags & LINK_PINNED);
        if (!escrow->drain_fd)
                return;
        while (is_direct && poll(&p, 1, -1) < 0 && errno == EINTR)
                ;
        escrow->drain_fd = 0;
        close(p.fd);
}

int link_escrow_sweep(const struct link_escrow *escrow) {
        struct fd_list list = {0};
        unsigned int next = LINK_CHANNEL_FD + 1;
        int r = list_add(&list, escrow->drain_fd ? escrow->drain_fd : -1);

        for (unsigned int i = 0; i < LINK_SLOTS_MAX && r == 0; i++) {
                const struct link_escrow_slot *slot = &escrow->slots[i];

                if (!slot->used)
                        continue;
                for (unsigned int k = 0; k < slot->n_fds && r == 0; k++)
                        r = list_add(&list, slot->fds[k]);
                if (r == 0)
                        r = list_add(&list, slot->reservations_fd);
                const struct link_escrow_share *share = &slot->shares[slot->share & 1];
                for (unsigned int k = 0; k < share->n_fds && r == 0; k++)
                        r = list_add(&list, share->fds[k]);
                for (unsigned int k = 0; k < VPC_MEDIA_MAX && r == 0; k++)
                        r = list_add(&list, slot->sockets[k] - 1);
                if (r == 0 && slot->n_fds > 2)
                        r = list_add_session(&list, slot->fds[2]);
        }
        if (r == 0) {
                if (list.n)
                        qsort(list.fds, list.n, sizeof(int), compare);
                for (size_t i = 0; i < list.n; i++) {
                        const unsigned int fd = (unsigned int)list.fds[i];

                        if (fd < next)
                                continue;
                        if (fd > next)
                                close_range(next, fd - 1, 0);
                        next = fd + 1;
                }
                close_range(next, ~0u, 0);
        }
        free(list.fds);
        return r;
}
