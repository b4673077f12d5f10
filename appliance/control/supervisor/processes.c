/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The links: a worker and its escrow for each server that has something to serve. */
#include "control/supervisor/supervisor-private.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "control/supervisor/worker-process.h"
#include "util.h"

#define RESTART_DELAY (SUPERVISOR_SECOND / 20)
#define RESTART_DELAYS 8    /* doublings, to 12.8 s */
#define RESTART_FORGIVEN 60 /* seconds a worker must live to start again at the shortest delay */

void supervisor_report_server(struct supervisor *s, const struct process *p) {
        enum iov_server_state state = p->pid ? IOV_SERVER_OFF : IOV_SERVER_DOWN;

        for (const struct instance *i = s->instances; i; i = i->next)
                if (i->process == p && i->connected)
                        state = IOV_SERVER_ON;
        s->events->server_status(s->userdata, p->server, state, (uint32_t)p->worker, p->restarts);
}

/* The worker sees the end at once. close() alone would not do: the loop's poll keeps the file until the ring's next round. */
void process_close_channel(struct process *p) {
        p->channel_source = loop_source_remove(p->channel_source);
        if (p->channel >= 0)
                shutdown(p->channel, SHUT_RDWR);
        close_fd(&p->channel);
        p->channel = -1;
}

/* Nobody watches a descriptor that is closed: the watch goes first. */
static void close_pidfd(struct process *p) {
        p->pidfd_source = loop_source_remove(p->pidfd_source);
        close_fd(&p->pidfd);
        p->pidfd = -1;
}

/* There is something to wait for only when the appliance ends. */
void process_finish(struct process *p) {
        if (p->pidfd >= 0)
                worker_process_finish(p->pidfd, 1000);
        close_pidfd(p);
}

void process_free(struct supervisor *s, struct process *gone) {
        for (struct process **p = &s->processes; *p; p = &(*p)->next)
                if (*p == gone) {
                        *p = gone->next;
                        break;
                }
        keeping_remove(s->keeping, gone->key);
        loop_source_remove(gone->restart);
        process_close_channel(gone);
        process_finish(gone);
        slot_directory_remove(s->run_directory, gone->server);
        free(gone);
}

static void on_restart(void *userdata) {
        struct process *p = userdata;

        p->restart = loop_source_remove(p->restart);
        supervisor_reconcile(p->supervisor);
}

static void process_died(struct process *p, const char *how, int number) {
        struct supervisor *s = p->supervisor;
        struct instance *i, *next;

        journal_event(s->journal, LOG_ERR, JOURNAL_NO_UID, p->server,
                      "escrow %d ended (%s %d): its vAdapters are gone for the server", (int)p->pid, how, number);
        keeping_remove(s->keeping, p->key);
        supervisor_await_death(s, p->worker);
        process_close_channel(p);
        close_pidfd(p);
        p->pid = p->worker = 0;
        p->starts = 0;
        for (i = s->instances; i; i = next) {
                next = i->next;
                if (i->process != p)
                        continue;
                s->events->vadapter_status(s->userdata, i->vadapter, IOV_VADAPTER_ATTACHED, 0, "");
                instance_free(s, i);
        }
        p->restarts++;
        p->failures = monotonic_ns() - p->started > RESTART_FORGIVEN * SUPERVISOR_SECOND ? 0 : p->failures + 1;
        supervisor_report_server(s, p);
        unsigned int doublings = p->failures < RESTART_DELAYS ? p->failures : RESTART_DELAYS;
        loop_add_timer(s->loop, p->failures <= 1 ? 0 : RESTART_DELAY << doublings, on_restart, p, &p->restart);
}

static void on_pidfd(void *userdata, int fd, uint32_t events) {
        struct process *p = userdata;
        siginfo_t info = {0};

        /* One that a control process before this one has started is not our child (ECHILD): the descriptor is all that tells. */
        if (waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG) < 0 ? errno != ECHILD : info.si_pid == 0)
                return;
        if (p->ending) {
                close_pidfd(p); /* it has ended: there is nothing to be finished */
                process_free(p->supervisor, p);
                return;
        }
        process_died(p, info.si_code == CLD_EXITED ? "exit status" : "signal", info.si_status);
}

struct process *process_of(struct supervisor *s, const char *server) {
        for (struct process *p = s->processes; p; p = p->next)
                if (!p->ending && strcmp(p->server, server) == 0)
                        return p;
        struct process *p = calloc(1, sizeof(*p));
        if (!p)
                return NULL;
        p->supervisor = s;
        p->key = KEPT_LINK | ++s->next_number;
        p->pidfd = p->channel = -1;
        field_set(p->server, sizeof(p->server), server);
        p->next = s->processes;
        s->processes = p;
        return p;
}

int process_watch(struct supervisor *s, struct process *p) {
        int r;

        p->started = monotonic_ns();
        r = loop_add_fd(s->loop, p->pidfd, POLLIN, on_pidfd, p, &p->pidfd_source);
        if (r == 0)
                r = loop_add_fd(s->loop, p->channel, POLLIN, process_on_channel, p, &p->channel_source);
        return r;
}

int process_start(struct supervisor *s, struct process *p) {
        int r = worker_process_start(p->server, supervisor_has_nbd(s), &p->pid, &p->pidfd, &p->channel);

        if (r < 0) {
                p->pid = 0;
                return r;
        }
        r = process_keep(s, p);
        if (r == 0)
                r = process_watch(s, p);
        journal_log(s->journal, LOG_INFO, "%s: link started, escrow %d", p->server, (int)p->pid);
        supervisor_report_server(s, p);
        return r;
}

static void on_ending_timeout(void *userdata) {
        const struct process *p = userdata;

        pidfd_send_signal(p->pidfd, SIGKILL, NULL, 0);
}

/* Its end is not waited for here: a new worker may serve the same link meanwhile. */
static void process_end(struct supervisor *s, struct process *p) {
        process_close_channel(p);
        slot_directory_remove(s->run_directory, p->server);
        p->ending = true;
        loop_add_timer(s->loop, SUPERVISOR_SECOND, on_ending_timeout, p, &p->restart);
}

void process_end_idle(struct supervisor *s) {
        struct process *p, *next;

        for (p = s->processes; p; p = p->next)
                p->used = false;
        for (const struct instance *i = s->instances; i; i = i->next)
                i->process->used = true;
        for (p = s->processes; p; p = next) {
                next = p->next;
                if (p->used || p->restart)
                        continue; /* serving, coming back, or ending already */
                journal_log(s->journal, LOG_INFO, "%s: worker %d has nothing to serve, ended", p->server, (int)p->worker);
                s->events->server_status(s->userdata, p->server, IOV_SERVER_OFF, 0, 0);
                if (p->pid)
                        process_end(s, p);
                else
                        process_free(s, p);
        }
}
