/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/volumes/backend-process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "control/keeper/spawn.h"
#include "util.h"

struct backend_process {
        backend_process_fn done; /* NULL: nobody waits for the answer any more */
        void *userdata;
        struct backend_process **owner;
        int channel, pidfd;
        struct loop_source *channel_source, *pidfd_source, *timer;
};

static unsigned int n_processes;

unsigned int backend_process_count(void) {
        return n_processes;
}

static void let_go(struct backend_process *p) {
        p->timer = loop_source_remove(p->timer);
        p->channel_source = loop_source_remove(p->channel_source);
        close_fd(&p->channel);
        p->channel = -1;
}

static void end(struct backend_process *p, const struct backend_answer *answer, int fd) {
        backend_process_fn done = TAKE_PTR(p->done);

        n_processes--;
        let_go(p);
        pidfd_send_signal(p->pidfd, SIGKILL, NULL, 0);
        done(p->userdata, answer, fd);
}

static void end_failed(struct backend_process *p, int error, const char *why) {
        struct backend_answer answer = {.error = error};

        field_set(answer.why, sizeof(answer.why), why);
        end(p, &answer, -1);
}

/* A helper has looked at what a server on the network says: its answer is copied once and checked. */
static void on_channel(void *userdata, int channel, uint32_t events) {
        struct backend_process *p = userdata;
        struct backend_answer answer;
        struct iovec iov = {&answer, sizeof(answer)};
        union {
                char bytes[CMSG_SPACE(sizeof(int))];
                struct cmsghdr align;
        } control;
        struct msghdr msg = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
        ssize_t n = recvmsg(channel, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        int fd = -1;

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        const struct cmsghdr *c = n >= 0 ? CMSG_FIRSTHDR(&msg) : NULL;
        if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
                memcpy(&fd, CMSG_DATA(c), sizeof(int));
        if (n != sizeof(answer) || answer.error > 0) {
                close_fd(&fd);
                end_failed(p, -EIO, "whoever looked it up has crashed");
                return;
        }
        answer.why[sizeof(answer.why) - 1] = 0;
        for (char *text = answer.why; *text; text++)
                if (*text < 0x20 || *text > 0x7e)
                        *text = '?';
        end(p, &answer, fd);
}

/* A process that hangs in the kernel is waited for as long as that takes, and by nobody. */
static void on_pidfd(void *userdata, int fd, uint32_t events) {
        struct backend_process *p = userdata;
        siginfo_t info = {0};

        if (waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG) < 0 ? errno != ECHILD : info.si_pid == 0)
                return;
        if (p->done) /* its answer may be there as well */
                on_channel(p, p->channel, POLLIN);
        loop_source_remove(p->pidfd_source);
        if (p->done)
                end_failed(p, -EIO, "whoever looked it up has crashed");
        let_go(p);
        close_fd(&p->pidfd);
        if (p->owner)
                *p->owner = NULL;
        free(p);
}

static void on_timer(void *userdata) {
        end_failed(userdata, -ETIMEDOUT, "no answer within 10 seconds");
}

static int spawn(struct backend_process *p, int theirs) {
        char *const argv[] = {(char *)"iovd", (char *)BACKEND_HELPER_ARGUMENT, NULL};
        pid_t pid = -1;
        int r = process_spawn("/proc/self/exe", argv, theirs, BACKEND_HELPER_FD, NULL, &pid);

        if (r < 0)
                return r;
        p->pidfd = pidfd_open(pid, 0);
        if (p->pidfd >= 0)
                return 0;
        r = -errno;
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        return r;
}

int backend_process_start(struct loop *loop, const struct backend_request *request, backend_process_fn done, void *userdata,
                          struct backend_process **ret_process) {
        struct backend_process *p = calloc(1, sizeof(*p));
        int pair[2] = {-1, -1};

        if (!p)
                return -ENOMEM;
        *p = (struct backend_process){.done = done, .userdata = userdata, .channel = -1, .pidfd = -1};
        int r = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 ? -errno : 0;
        CLEANUP_CLOSE int theirs = pair[1];
        p->channel = pair[0];
        if (r == 0 && send(p->channel, request, sizeof(*request), MSG_NOSIGNAL) < 0)
                r = -errno;
        if (r == 0)
                r = spawn(p, theirs);
        if (r < 0) {
                close_fd(&p->channel);
                free(p);
                return r;
        }
        n_processes++;
        r = loop_add_fd(loop, p->pidfd, POLLIN, on_pidfd, p, &p->pidfd_source);
        if (r == 0)
                r = loop_add_fd(loop, p->channel, POLLIN, on_channel, p, &p->channel_source);
        if (r == 0)
                r = loop_add_timer(loop, BACKEND_TIMEOUT_S * UINT64_C(1000000000), on_timer, p, &p->timer);
        if (r < 0) {
                backend_process_cancel(p);
                return r;
        }
        p->owner = ret_process;
        *ret_process = p;
        return 0;
}

struct backend_process *backend_process_cancel(struct backend_process *p) {
        if (!p)
                return NULL;
        n_processes -= p->done != NULL;
        p->done = NULL;
        p->owner = NULL;
        let_go(p);
        pidfd_send_signal(p->pidfd, SIGKILL, NULL, 0);
        return NULL;
}
