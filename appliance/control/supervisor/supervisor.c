/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/supervisor/supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <syslog.h>
#include <unistd.h>

#include "control/volumes/backends.h"
#include "control/supervisor/hosts.h"
#include "control/volumes/ram-volumes.h"
#include "control/supervisor/supervisor-private.h"
#include "link/channel.h"
#include "util.h"

/* ---- what workers say ---- */

/* Nothing of what a worker says is believed of another worker's slots. */
static void worker_started(struct process *p, const struct link_message *m) {
        struct supervisor *s = p->supervisor;

        for (struct instance *i = s->instances; i; i = i->next)
                if (i->process == p)
                        i->told = false;
        p->asked = m->instance;
        if (p->adopted)
                p->restarts = p->starts = m->level;
        p->adopted = false;
        if (m->level > p->starts) {
                journal_event(s->journal, LOG_WARNING, JOURNAL_NO_UID, p->server,
                              "worker %d was killed or has crashed: %u goes on in its place", (int)p->worker, m->pid);
                p->restarts += m->level - p->starts;
                p->restarted = true;
        }
        if ((pid_t)m->pid != p->worker)
                journal_log(s->journal, LOG_INFO, "%s: worker %u started", p->server, m->pid);
        p->starts = m->level;
        p->worker = (pid_t)m->pid;
        supervisor_report_server(s, p);
}

/* An answer to a question speaks of everything that was said before it; else what was just plugged in may still be on its way. */
static void status_end(struct process *p) {
        struct supervisor *s = p->supervisor;
        struct instance *i, *next;
        bool removed = false;

        for (i = s->instances; i; i = next) {
                next = i->next;
                if (i->process != p || i->told || !(i->removing || p->asked))
                        continue;
                s->events->vadapter_status(s->userdata, i->vadapter, IOV_VADAPTER_DETACHED, 0, "");
                instance_free(s, i);
                removed = true;
        }
        for (i = p->restarted ? s->instances : NULL; i; i = i->next)
                if (i->process == p && !i->removing)
                        instance_send_faults(s, i);
        for (i = s->instances; i; i = i->next)
                if (i->process == p)
                        instance_tell_reservations(s, i);
        p->restarted = false;
        supervisor_report_server(s, p);
        if (removed)
                supervisor_reconcile(s);
}

static void slot_status(struct supervisor *s, struct instance *i, const struct link_message *m) {
        i->told = true;
        i->connected = m->level;
        i->peer_pid = i->connected ? m->pid : 0;
        instance_watch_life(s, i);
        if (!i->removing)
                instance_drive(s, i);
}

/* What the keeper had of it is lost, or of another version: the server gets the device anew. */
static void slot_forget(struct process *p, uint64_t instance) {
        const struct link_message m = {.type = LINK_SLOT_REMOVE, .instance = instance};

        journal_event(p->supervisor->journal, LOG_WARNING, JOURNAL_NO_UID, p->server,
                      "its worker has a device that nothing is known of: removed");
        link_send(p->channel, &m, NULL, 0);
}

static void slot_removed(struct supervisor *s, struct instance *i) {
        if (!i->removing)
                return;
        journal_event(s->journal, LOG_INFO, JOURNAL_NO_UID, i->vadapter, "quiet, and unplugged from slot %u of server %s",
                      i->slot, i->server);
        s->events->vadapter_status(s->userdata, i->vadapter, IOV_VADAPTER_DETACHED, 0, "");
        instance_free(s, i);
        supervisor_reconcile(s);
}

static void slot_shown(struct supervisor *s, struct instance *i) {
        if (!i->showing)
                return;
        i->showing = false;
        memset(i->leaving, 0, sizeof(i->leaving));
        supervisor_reconcile(s);
}

static void slot_unpinned(struct supervisor *s, const struct instance *i, const struct link_message *m) {
        const char *why = iov_unpinned_to_string(m->result);

        journal_event(s->journal, LOG_WARNING, JOURNAL_NO_UID, i->vadapter, "not all of its server's memory is pinned: %s",
                      why ? why : "its worker does not say why");
}

static void slot_connected(struct process *p, struct instance *i, const struct link_message *m) {
        struct supervisor *s = p->supervisor;

        i->connected = true;
        i->peer_pid = m->pid;
        instance_watch_life(s, i);
        journal_event(s->journal, LOG_INFO, m->uid, i->vadapter, "server %s connected (process %u)", i->server, m->pid);
        if (hosts_get(s->hosts, i->server))
                host_kick(hosts_get(s->hosts, i->server));
        if (!i->removing)
                instance_drive(s, i);
        supervisor_report_server(s, p);
}

static void slot_disconnected(struct process *p, struct instance *i, const struct link_message *m) {
        struct supervisor *s = p->supervisor;

        i->connected = false;
        i->peer_pid = 0;
        instance_watch_life(s, i);
        journal_event(s->journal, LOG_INFO, JOURNAL_NO_UID, i->vadapter, "server %s disconnected: %s", i->server, m->text);
        supervisor_report_server(s, p);
        supervisor_reconcile(s);
}

static void slot_failed(struct supervisor *s, struct instance *i, const struct link_message *m) {
        i->showing = false;
        journal_event(s->journal, LOG_ERR, JOURNAL_NO_UID, i->vadapter, "%s", m->text);
        i->broken = true;
        field_set(i->reason, sizeof(i->reason), "the worker cannot bring it up; the log says why");
        instance_drive(s, i);
}

static void handle_message(struct process *p, const struct link_message *m) {
        struct supervisor *s = p->supervisor;
        struct instance *i = instance_by_number(s, m->instance);

        if (m->type == LINK_STARTED || m->type == LINK_STATUS_END) {
                if (m->type == LINK_STARTED)
                        worker_started(p, m);
                else
                        status_end(p);
                return;
        }
        if (!i && m->type == LINK_STATUS)
                slot_forget(p, m->instance);
        /* A worker can speak of its own slots only. */
        if (!i || i->process != p)
                return;
        switch (m->type) {
        case LINK_CONNECTED:
                slot_connected(p, i, m);
                break;
        case LINK_DISCONNECTED:
                slot_disconnected(p, i, m);
                break;
        case LINK_FAILED:
                slot_failed(s, i, m);
                break;
        case LINK_REMOVED:
                slot_removed(s, i);
                break;
        case LINK_STATUS:
                slot_status(s, i, m);
                break;
        case LINK_SHOWN:
                slot_shown(s, i);
                break;
        case LINK_RESERVE:
        case LINK_RESERVATIONS_SEEN:
        case LINK_RESERVATIONS_HELD:
                instance_on_reservations(s, i, m);
                break;
        case LINK_STRUCK:
                s->events->struck(s->userdata, m->fault.id, m->hits);
                break;
        case LINK_TROUBLE:
                instance_on_trouble(s, i, m);
                break;
        case LINK_MEDIUM_ASK:
                instance_connect(s, i, m);
                break;
        case LINK_UNPINNED:
                slot_unpinned(s, i, m);
                break;
        case LINK_LOG:
                journal_log(s->journal, (int)(m->level & 7), "%s", m->text);
                break;
        default:
                break;
        }
}

void process_on_channel(void *userdata, int fd, uint32_t events) {
        struct process *p = userdata;
        struct link_message m;
        int fds[LINK_FDS_MAX];
        unsigned int n = 0;
        /* handle_message() may end the process object, and with it the channel. */
        struct supervisor *s = p->supervisor;

        int r = link_receive(fd, &m, fds, &n);
        if (r == -EAGAIN)
                return;
        if (r < 0) {
                p->channel_source = loop_source_remove(p->channel_source);
                if (r == -EBADMSG) {
                        journal_event(s->journal, LOG_ERR, JOURNAL_NO_UID, p->server, "worker %d sends nonsense: killed",
                                      (int)p->worker);
                        pidfd_send_signal(p->pidfd, SIGKILL, NULL, 0);
                }
                return; /* its end is told by the pidfd */
        }
        for (unsigned int i = 0; i < n; i++)
                close(fds[i]);
        handle_message(p, &m);
}

/* ---- what hypervisors say ---- */

static void on_hosts_changed(void *userdata) {
        supervisor_reconcile(userdata);
}

static void on_host_status(void *userdata, const char *server, const struct host *host) {
        const struct supervisor *s = userdata;

        s->events->host_status(s->userdata, server, host);
}

static bool on_host_in_use(void *userdata, const char *server) {
        const struct supervisor *s = userdata;

        for (const struct instance *i = s->instances; i; i = i->next)
                if (strcmp(i->server, server) == 0)
                        return true;
        return false;
}

static const struct hosts_events hosts_events = {.changed = on_hosts_changed, .status = on_host_status, .in_use = on_host_in_use};

/* ---- reconciling ---- */

/* What cannot be made yet is shown as under way, which it is: its time comes when that which is in the way has gone. */
static void show_waiting(struct supervisor *s, const struct iov_vadapter *va, const struct instance *i) {
        char reason[104];

        snprintf(reason, sizeof(reason), "waits until server %.30s has let go of %.36s", i->server, i->vadapter);
        s->events->vadapter_progress(
                s->userdata, va->name,
                &(struct supervisor_progress){.state = IOV_VADAPTER_PLUGGING, .socket = "", .reason = reason});
}

/* It is not plugged before all that it shows is there; what is not there is looked for again. */
static bool has_volumes(struct supervisor *s, const struct iov_vadapter *va) {
        char reason[104] = "";
        int r = supervisor_look(s, va, reason);
        const bool has_failed = r < 0 && r != -EINPROGRESS;

        if (r == 0)
                return true;
        if (has_failed && (va->state != IOV_VADAPTER_FAILED || strcmp(va->reason, reason) != 0))
                journal_event(s->journal, LOG_ERR, JOURNAL_NO_UID, va->name, "cannot be plugged into slot %u of server %s: %s",
                              va->at_slot, va->at_server, reason);
        if (has_failed || va->state != IOV_VADAPTER_FAILED)
                s->events->vadapter_progress(
                        s->userdata, va->name,
                        &(struct supervisor_progress){.state = has_failed ? IOV_VADAPTER_FAILED : IOV_VADAPTER_PLUGGING,
                                                      .socket = "",
                                                      .reason = reason});
        return false;
}

static void plug(struct supervisor *s, const struct iov_vadapter *va) {
        if (!has_volumes(s, va))
                return;
        struct process *p = process_of(s, va->at_server);
        int r = p ? 0 : -ENOMEM;

        if (p && p->restart)
                return; /* it comes back by itself when its time has come */
        if (p && !p->pid)
                r = process_start(s, p);
        if (r == 0)
                r = instance_plug(s, p, va);
        if (r < 0) {
                journal_event(s->journal, LOG_ERR, JOURNAL_NO_UID, va->name, "cannot be plugged into slot %u of server %s: %s",
                              va->at_slot, va->at_server, strerror(-r));
                s->events->vadapter_status(s->userdata, va->name, IOV_VADAPTER_FAILED, 0, "");
        }
}

static void plug_if_possible(struct supervisor *s, const struct iov_model *model, const struct iov_vadapter *va) {
        const bool lacks_backend = supervisor_lacks_backend(s, va);

        if ((va->state == IOV_VADAPTER_FAILED && !lacks_backend) || !iov_vadapter_is_reachable(model, va))
                return;
        const struct instance *way = supervisor_in_the_way(s, va);
        if (way)
                show_waiting(s, va, way);
        else
                plug(s, va);
}

/* All that have a place and no instance. Who has one is noted by row, since there may be thousands. */
static void plug_missing(struct supervisor *s, const struct iov_model *model) {
        CLEANUP_FREE bool *has_instance = calloc(iov_model_rows(model, IOV_KIND_VADAPTER) + 1u, sizeof(*has_instance));
        const struct iov_vadapter *va;

        if (!has_instance) {
                journal_log(s->journal, LOG_ERR, "nothing can be plugged in: %s", strerror(ENOMEM));
                return;
        }
        for (const struct instance *i = s->instances; i; i = i->next) {
                va = i->removing ? NULL : iov_model_get(model, IOV_KIND_VADAPTER, i->vadapter);
                if (va)
                        has_instance[iov_model_row(model, IOV_KIND_VADAPTER, va)] = true;
        }
        iov_model_foreach (model, IOV_KIND_VADAPTER, va)
                if (*va->at_server && !has_instance[iov_model_row(model, IOV_KIND_VADAPTER, va)])
                        plug_if_possible(s, model, va);
}

void supervisor_reconcile(struct supervisor *s) {
        const struct iov_model *model = s->events->model(s->userdata);
        bool removing = false, additions = false;

        hosts_sync(s->hosts, model);
        reservations_sync(s->reservations, model);
        supervisor_sync_marks(s);
        for (struct instance *i = s->instances; i; i = i->next) {
                if (!i->removing) {
                        instance_set(s, i);
                        instance_drive(s, i);
                }
        }
        /* What goes first: a medium that moves must have left its old holder before it is given to the new one. */
        for (struct instance *i = s->instances; i; i = i->next) {
                additions |= instance_follow(s, i, false);
                removing |= i->removing || i->showing;
        }
        for (struct instance *i = additions ? s->instances : NULL; i; i = i->next) {
                instance_follow(s, i, true);
                removing |= i->showing;
        }
        if (!removing)
                s->removal_timer = loop_source_remove(s->removal_timer);
        plug_missing(s, model);
        supervisor_share(s);
        process_end_idle(s);
        reservations_progress(s->reservations);
        ram_volumes_sync(s->ram_volumes, model);
        backends_sweep(s->backends);
}

/* ---- what the control process asks ---- */

int supervisor_kill_worker(struct supervisor *s, const char *server) {
        for (const struct process *p = s->processes; p; p = p->next)
                if (!p->ending && p->pid && strcmp(p->server, server) == 0)
                        return pidfd_send_signal(p->pidfd, SIGKILL, NULL, 0) < 0 ? -errno : 0;
        return -ENOENT;
}

void supervisor_ask(struct supervisor *s, const char *vadapter, bool force) {
        const struct iov_vadapter *va = iov_model_get(s->events->model(s->userdata), IOV_KIND_VADAPTER, vadapter);
        struct instance *i = instance_of(s, vadapter);
        struct host *host = i ? hosts_get(s->hosts, i->server) : NULL;

        if (host)
                host_retry(host, i->slot);
        if (i)
                i->forced |= force;
        else if (va && va->state == IOV_VADAPTER_FAILED)
                s->events->vadapter_status(s->userdata, vadapter, IOV_VADAPTER_ATTACHED, 0, "");
}

int supervisor_read_counters(struct supervisor *s, const char *vadapter, struct iov_counter *ret_counter) {
        const struct instance *i = instance_of(s, vadapter);

        if (!i)
                return -ENOENT;
        memcpy(ret_counter, &i->shared->counters, sizeof(*ret_counter));
        /* Not what the worker says. */
        ret_counter->share_iops = ret_counter->share_bandwidth = 0;
        instance_read_share(s, i, ret_counter);
        return 0;
}

int supervisor_read_config(struct supervisor *s, const char *vadapter, void *ret_config) {
        const struct instance *i = instance_of(s, vadapter);

        if (!i)
                return -ENOENT;
        memcpy(ret_config, i->image, VPC_CONFIG_SIZE);
        return 0;
}

struct ram_volumes *supervisor_get_memory(const struct supervisor *s) {
        return s->ram_volumes;
}

void supervisor_foreach_slot(const struct supervisor *s, void (*look)(void *userdata, const struct supervisor_slot *slot),
                             void *userdata) {
        for (const struct instance *i = s->instances; i; i = i->next) {
                const struct supervisor_slot slot = {.server = i->server,
                                                     .vadapter = i->vadapter,
                                                     .slot = i->slot,
                                                     .worker_pid = (uint32_t)i->process->worker,
                                                     .peer_pid = i->peer_pid,
                                                     .persona = &i->persona,
                                                     .report = i->shared ? &i->shared->report : NULL,
                                                     .image = i->image_file,
                                                     .shared = i->shared_file,
                                                     .reservations = i->reservations_file,
                                                     .media = i->media_files,
                                                     .page = sharing_file(i->sharing)};

                look(userdata, &slot);
        }
}

/* ---- life ---- */

static void on_backends_changed(void *userdata) {
        supervisor_reconcile(userdata);
}

/* What was marked has gone with the memory that it was in. */
static void on_memory_made(void *userdata, uint64_t volume) {
        supervisor_forget_marks(userdata, volume);
}

static const struct ram_volumes_events ram_volumes_events = {.changed = on_backends_changed, .made = on_memory_made};

int supervisor_new(struct loop *loop, struct journal *journal, struct keeping *keeping, int state_directory,
                   const char *run_directory, unsigned int unplug_s, unsigned int poll_us, unsigned int cache,
                   const struct supervisor_events *events, void *userdata, struct supervisor **ret_supervisor) {
        struct supervisor *s = calloc(1, sizeof(*s));

        if (!s)
                return -ENOMEM;
        s->loop = loop;
        s->journal = journal;
        s->state_directory = state_directory;
        s->poll_us = poll_us;
        s->cache = cache;
        field_set(s->run_directory, sizeof(s->run_directory), run_directory);
        s->events = events;
        s->userdata = userdata;
        s->keeping = keeping;
        /* Higher than any number that a control process before this one has given. */
        s->next_number = monotonic_ns();
        int r = ram_volumes_new(loop, journal, keeping, &ram_volumes_events, s, &s->ram_volumes);
        if (r == 0)
                r = reservations_new(loop, journal, keeping, state_directory, &supervisor_reservations_events, s,
                                     &s->reservations);
        if (r == 0)
                r = marks_new(loop, journal, state_directory, &supervisor_marks_events, s, &s->marks);
        if (r == 0)
                r = lives_new(loop, journal, state_directory, &s->lives);
        if (r == 0)
                r = backends_new(loop, on_backends_changed, s, &s->backends);
        if (r == 0)
                r = hosts_new(loop, journal, unplug_s, &hosts_events, s, &s->hosts);
        if (r < 0) {
                reservations_free(s->reservations);
                marks_free(s->marks);
                lives_free(s->lives);
                ram_volumes_free(s->ram_volumes);
                backends_free(s->backends);
                free(s);
                return r;
        }
        supervisor_adopt(s);
        marks_start(s->marks);
        *ret_supervisor = s;
        return 0;
}

struct supervisor *supervisor_free(struct supervisor *s) {
        if (!s)
                return NULL;
        s->hosts = hosts_free(s->hosts);
        /* All channels first, so that the workers end side by side. */
        for (struct process *p = s->processes; p; p = p->next)
                process_close_channel(p);
        /* And their ends before anything is taken: what a server did last counts, too. */
        for (struct process *p = s->processes; p; p = p->next)
                process_finish(p);
        while (s->instances)
                instance_free(s, s->instances);
        while (s->processes)
                process_free(s, s->processes);
        loop_source_remove(s->removal_timer);
        loop_source_remove(s->life_timer);
        loop_source_remove(s->reservation_timer);
        supervisor_free_ghosts(s);
        reservations_free(s->reservations);
        marks_free(s->marks);
        lives_free(s->lives);
        backends_free(s->backends);
        ram_volumes_free(s->ram_volumes);
        free(s);
        return NULL;
}
