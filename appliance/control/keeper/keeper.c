/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/keeper/keeper.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "control/keeper/fdstore.h"
#include "control/keeper/spawn.h"
#include "control/keeper/keeper-private.h"
#include "util.h"

/* A control process that dies so often within moments of its start will do so again. */
#define CRASHES_MAX 5
#define CRASHES_FORGIVEN 2 /* seconds */

struct record {
        uint64_t key;
        struct keeper_message *message;
        int fds[KEEPER_FDS_MAX];
        unsigned int n_fds;
        struct fdstore_stamp stamp;
        bool stored; /* with the service manager, too */
        struct record *next;
};

struct keeper {
        char path[PATH_MAX]; /* of the binary, by name: there may be another one by then */
        char *const *argv;
        pid_t control;
        int socket, signals;
        struct record *records;
        time_t started;
        unsigned int crashes;
        uint64_t order;   /* of the next record */
        bool has_store;   /* of a service manager: who kills us does not end the links */
        int told_to_end;  /* by this signal; 0: it is not */
        bool is_stopping; /* told to end; what is in the store is for the next keeper, or the manager drops it */
};

/* ---- records ---- */

static void record_free(struct record *r) {
        for (unsigned int i = 0; i < r->n_fds; i++)
                close_fd(&r->fds[i]);
        free(r->message);
        free(r);
}

static void record_remove(struct keeper *k, uint64_t key) {
        for (struct record **r = &k->records; *r; r = &(*r)->next)
                if ((*r)->key == key) {
                        struct record *gone = *r;

                        *r = gone->next;
                        if (gone->stored)
                                fdstore_remove(key, gone->n_fds, gone->stamp.generation);
                        record_free(gone);
                        return;
                }
}

static void record_stored(struct record *r, int error) {
        r->stored = error == 0;
        if (error < 0)
                fprintf(stderr,
                        "iovd: what is kept under key %llx is not in the service manager's store, and ends with this process: "
                        "%s\n",
                        (unsigned long long)r->key, strerror(-error));
}

/* No more of a message than it takes. */
static int record_write(struct record *r, const struct keeper_message *m) {
        struct keeper_message *copy = realloc(r->message, offsetof(struct keeper_message, note) + m->size);

        if (!copy)
                return -ENOMEM;
        memcpy(copy, m, offsetof(struct keeper_message, note) + m->size);
        r->message = copy;
        return 0;
}

/* Behind the others: they are given back in the order they came. */
static struct record *record_add(struct keeper *k, const struct keeper_message *m, const int *fds, unsigned int n_fds) {
        struct record *r = calloc(1, sizeof(*r)), **end = &k->records;

        record_remove(k, m->key);
        if (!r || record_write(r, m) < 0) {
                free(r);
                for (unsigned int i = 0; i < n_fds; i++)
                        close(fds[i]);
                return NULL;
        }
        r->key = m->key;
        memcpy(r->fds, fds, n_fds * sizeof(int));
        r->n_fds = n_fds;
        while (*end)
                end = &(*end)->next;
        *end = r;
        return r;
}

static void record_store(struct keeper *k, const struct keeper_message *m, const int *fds, unsigned int n_fds) {
        struct record *r = record_add(k, m, fds, n_fds);

        if (!r || !k->has_store)
                return;
        r->stamp.order = k->order++;
        record_stored(r, fdstore_put(r->message, r->fds, r->n_fds, r->stamp));
}

static void on_taken(void *userdata, const struct keeper_message *m, const int *fds, unsigned int n_fds,
                     struct fdstore_stamp stamp) {
        struct keeper *k = userdata;
        struct record *r = record_add(k, m, fds, n_fds);

        if (!r)
                return;
        r->stamp = stamp;
        r->stored = true;
        k->order = stamp.order + 1;
}

static void record_note(struct keeper *k, const struct keeper_message *m) {
        for (struct record *r = k->records; r; r = r->next)
                if (r->key == m->key) {
                        if (record_write(r, m) < 0)
                                return;
                        r->message->op = KEEPER_STORE;
                        if (!r->stored)
                                return;
                        r->stamp.generation++;
                        int error = fdstore_put_note(r->message, r->n_fds, r->stamp);
                        if (error < 0)
                                fdstore_remove(r->key, r->n_fds, r->stamp.generation - 1);
                        record_stored(r, error);
                }
}

/* ---- the control process ---- */

static time_t seconds(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec;
}

/* What ends the appliance, or the control process, in an orderly way. It is blocked until there is somebody to do that. */
static void stop_signals(sigset_t *ret_set) {
        sigemptyset(ret_set);
        sigaddset(ret_set, SIGTERM);
        sigaddset(ret_set, SIGINT);
        sigaddset(ret_set, SIGHUP);
}

static int start(struct keeper *k) {
        static const struct keeper_message end = {.op = KEEPER_END};
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        CLEANUP_CLOSE int theirs = pair[1];
        close_fd(&k->socket);
        k->socket = pair[0];
        k->started = seconds();
        sigset_t waits;
        stop_signals(&waits);
        int r = process_spawn(k->path, k->argv, theirs, KEEPER_FD, &waits, &k->control);
        if (r < 0) {
                fprintf(stderr, "iovd: %s: cannot be started: %s\n", k->path, strerror(-r));
                return r;
        }
        close_fd(&theirs);
        theirs = -1;
        /* Where it dies meanwhile, its end is told by a signal. */
        for (const struct record *record = k->records; record && r == 0; record = record->next)
                r = keeper_send(k->socket, record->message, record->fds, record->n_fds);
        if (r == 0)
                keeper_send(k->socket, &end, NULL, 0);
        if (k->told_to_end) /* which the one before may not have heard any more */
                kill(k->control, k->told_to_end);
        return 0;
}

/* Take one message; false: the other side is gone. */
static bool take(struct keeper *k) {
        struct keeper_message m;
        int fds[KEEPER_FDS_MAX];
        unsigned int n = 0;

        if (keeper_receive(k->socket, &m, fds, &n) < 0)
                return false;
        if (m.op == KEEPER_STORE) {
                record_store(k, &m, fds, n);
                return true;
        }
        for (unsigned int i = 0; i < n; i++)
                close(fds[i]);
        if (m.op == KEEPER_REMOVE)
                record_remove(k, m.key);
        else if (m.op == KEEPER_NOTE)
                record_note(k, &m);
        return true;
}

/* What it has said before it died counts: it may have been about to act on it. */
static void take_rest(struct keeper *k) {
        struct pollfd p = {k->socket, POLLIN, 0};

        while (poll(&p, 1, 0) > 0 && (p.revents & POLLIN) && take(k))
                ;
}

/* The control process has ended. 0: the next one is started, else *ret_status is for us to exit with. */
static int ended(struct keeper *k, const siginfo_t *info, int *ret_status) {
        take_rest(k);
        if (k->is_stopping && (info->si_code != CLD_EXITED || info->si_status == KEEPER_HAND_OVER)) {
                *ret_status = EXIT_SUCCESS;
                return 1;
        }
        if (info->si_code == CLD_EXITED && info->si_status != KEEPER_HAND_OVER) {
                *ret_status = info->si_status;
                return 1;
        }
        if (info->si_code != CLD_EXITED && info->si_status != SIGKILL) /* which comes from outside */
                k->crashes = seconds() - k->started >= CRASHES_FORGIVEN ? 1 : k->crashes + 1;
        if (info->si_code != CLD_EXITED)
                fprintf(stderr, "iovd: control process %d was ended by signal %d, %s\n", (int)k->control, info->si_status,
                        k->crashes < CRASHES_MAX ? "the next one takes over" : "as those before: giving up");
        if (k->crashes >= CRASHES_MAX || start(k) < 0) {
                *ret_status = EXIT_FAILURE;
                return 1;
        }
        return 0;
}

/* The links of a control process that died are our children too (PR_SET_CHILD_SUBREAPER): they are only buried. */
static int reap(struct keeper *k, int *ret_status) {
        for (;;) {
                siginfo_t info = {0};

                if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0)
                        return 0;
                if (info.si_pid == k->control && ended(k, &info, ret_status))
                        return 1;
        }
}

/* The manager does not say whether it stops the service or starts it anew. In both cases the links are left as they are: where it
 * is stopped, the store is emptied, and a link whose channel nobody holds ends. */
static void stop(struct keeper *k) {
        k->is_stopping = true;
        sd_notify(0, "STOPPING=1");
        kill(k->control, SIGHUP);
}

static int on_signals(struct keeper *k, int *ret_status) {
        struct signalfd_siginfo info;

        while (read(k->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
                if (info.ssi_signo == SIGCHLD) {
                        if (reap(k, ret_status))
                                return 1;
                } else if (info.ssi_signo == SIGTERM && k->has_store) {
                        stop(k);
                } else {
                        if (info.ssi_signo != SIGHUP)
                                k->told_to_end = (int)info.ssi_signo;
                        kill(k->control, (int)info.ssi_signo);
                }
        }
        return 0;
}

static int serve(struct keeper *k) {
        bool is_open = true;
        int status = EXIT_FAILURE;

        for (;;) {
                const pid_t before = k->control;
                struct pollfd p[] = {{k->signals, POLLIN, 0}, {is_open ? k->socket : -1, POLLIN, 0}};

                if (poll(p, ARRAY_LENGTH(p), -1) < 0 && errno != EINTR)
                        return EXIT_FAILURE;
                if (p[1].revents)
                        is_open = take(k);
                if (p[0].revents && on_signals(k, &status))
                        return status;
                if (k->control != before)
                        is_open = true;
        }
}

/* What the control process has not given up by itself. Where it has failed, the next one may do better with it. */
static void records_end(struct keeper *k, bool forget) {
        while (k->records) {
                k->records->stored &= forget;
                record_remove(k, k->records->key);
        }
}

int keeper_run(char *const argv[]) {
        struct keeper k = {.argv = argv, .socket = -1, .signals = -1, .has_store = fdstore_is_there()};
        sigset_t signals;
        ssize_t n = readlink("/proc/self/exe", k.path, sizeof(k.path) - 1);

        if (n < 0)
                return EXIT_FAILURE;
        stop_signals(&signals);
        sigaddset(&signals, SIGCHLD);
        sigprocmask(SIG_BLOCK, &signals, NULL);
        signal(SIGPIPE, SIG_IGN);
        fdstore_take(on_taken, &k);
        k.signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
        prctl(PR_SET_NAME, "iovd-keeper");
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        int status = k.signals < 0 || start(&k) < 0 ? EXIT_FAILURE : serve(&k);
        records_end(&k, status == EXIT_SUCCESS && !k.is_stopping);
        close_fd(&k.socket);
        close_fd(&k.signals);
        return status;
}
