/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "control/faults.h"
#include "control/hosts.h"
#include "control/media-change.h"
#include "control/persona.h"
#include "control/ram-volumes.h"
#include "control/volumes.h"
#include "control/worker-process.h"
#include "link/channel.h"
#include "media/medium.h"
#include "util.h"
#include "vpc/function.h"

#define SECOND UINT64_C(1000000000)
#define REMOVAL_TIMEOUT (5 * SECOND) /* a worker that does not let go of a slot for so long is killed */
#define RESTART_DELAY (SECOND / 20)
#define RESTART_DELAYS 8    /* doublings, to 12.8 s */
#define RESTART_FORGIVEN 60 /* seconds a worker must live to start again at the shortest delay */

struct process {
        struct supervisor *supervisor;
        char server[IOV_NAME_SIZE];
        pid_t pid;       /* of its escrow; 0: not running, waiting for `restart` */
        pid_t worker;    /* who serves, 0: not told yet */
        uint32_t starts; /* of workers by that escrow, as last told */
        bool restarted;  /* another worker serves, which knows of no faults on demand */
        bool adopted;    /* from a control process before this one, and not yet heard of */
        bool asked;      /* the status that is being told answers a question, and so speaks of all before it */
        uint64_t key;    /* of what is kept of it */
        bool ending;     /* told to end; only its pidfd is still waited for, and `restart` is when it is killed */
        int pidfd, channel;
        uint64_t started;
        unsigned int restarts, failures;
        struct loop_source *pidfd_source, *channel_source, *restart;
        struct process *next;
};

/* One bringing-up of a vAdapter in a slot. */
struct instance {
        uint64_t number;
        struct process *process;
        char vadapter[IOV_NAME_SIZE], server[IOV_NAME_SIZE];
        uint32_t slot;
        char socket[108];
        struct vpc_persona persona;
        struct link_limits limits;
        void *image; /* shared with the worker; only ever copied from here */
        size_t image_size;
        struct link_shared *shared;
        struct supervisor_file image_file, shared_file, media_files[VPC_MEDIA_MAX];
        bool removing, connected;
        bool told;                       /* of in the status that is being told */
        bool showing;                    /* other media than before: the worker has not yet let go of those in `leaving` */
        uint64_t leaving[VPC_MEDIA_MAX]; /* volumes, by id; 0: none */
        const struct vpc_model *model;
        uint32_t peer_pid;
        bool forced;   /* not wanted, and the server is not asked to let go of it */
        bool plugging; /* the hypervisor has been asked and is not done */
        bool broken;   /* the worker could not bring it up */
        enum iov_interrupts interrupts;
        enum iov_vadapter_state shown;
        char reason[104];
        struct instance *next;
};

struct supervisor {
        struct loop *loop;
        struct journal *journal;
        struct keeping *keeping;
        int state_directory;
        char run_directory[108];
        const struct supervisor_events *events;
        void *userdata;
        struct hosts *hosts;
        struct process *processes;
        struct instance *instances;
        struct ram_volumes *ram_volumes;
        unsigned int poll_us;
        uint64_t next_number;
        struct loop_source *removal_timer;
};

/* What the keeper has of a link and of an instance, with descriptors: pidfd and channel; image and counters. */
#define KEPT_LINK (UINT64_C(1) << 62)
#define KEPT_INSTANCE (UINT64_C(2) << 62)
#define KEPT_KIND (UINT64_C(3) << 62)
#define KEPT_VERSION 1

struct kept_link {
        uint32_t version;
        int32_t pid;
        char server[IOV_NAME_SIZE];
};

struct kept_instance {
        uint32_t version, slot;
        uint32_t interrupts, reserved;
        uint64_t number, link, image_size;
        struct supervisor_file media_files[VPC_MEDIA_MAX];
        struct link_limits limits;
        char vadapter[IOV_NAME_SIZE], server[IOV_NAME_SIZE];
        char socket[108];
        struct vpc_persona persona;
};

_Static_assert(sizeof(struct kept_instance) <= KEEPER_NOTE_MAX, "a note to an instance");

static uint64_t now_ns(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static void report_server(struct supervisor *s, const struct process *p) {
        enum iov_server_state state = p->pid ? IOV_SERVER_OFF : IOV_SERVER_DOWN;

        for (const struct instance *i = s->instances; i; i = i->next)
                if (i->process == p && i->connected)
                        state = IOV_SERVER_ON;
        s->events->server_status(s->userdata, p->server, state, (uint32_t)p->worker, p->restarts);
}

/* ---- instances ---- */

static struct instance *instance_by_number(struct supervisor *s, uint64_t number) {
        for (struct instance *i = s->instances; i; i = i->next)
                if (i->number == number)
                        return i;
        return NULL;
}

static struct instance *instance_of(struct supervisor *s, const char *vadapter) {
        for (struct instance *i = s->instances; i; i = i->next)
                if (!i->removing && strcmp(i->vadapter, vadapter) == 0)
                        return i;
        return NULL;
}

static void instance_free(struct supervisor *s, struct instance *gone) {
        for (struct instance **i = &s->instances; *i; i = &(*i)->next)
                if (*i == gone) {
                        *i = gone->next;
                        break;
                }
        keeping_remove(s->keeping, KEPT_INSTANCE | gone->number);
        if (!gone->removing && *gone->socket)
                unlink(gone->socket);
        if (gone->image)
                munmap(gone->image, gone->image_size);
        if (gone->shared)
                munmap(gone->shared, sizeof(*gone->shared));
        free(gone);
}

/* Memory that two processes share; the first `mapped` bytes are of interest here. Sealed, so that neither can take it away under
 * the other's feet. */
static int shared_memory(const char *name, size_t size, size_t mapped, void **ret_memory, int *ret_fd) {
        CLEANUP_CLOSE int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

        if (fd < 0 || ftruncate(fd, (off_t)size) < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
                return -errno;
        void *p = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (p == MAP_FAILED)
                return -errno;
        *ret_memory = p;
        *ret_fd = take_fd(&fd);
        return 0;
}

static int medium_prepare(struct supervisor *s, const struct iov_volume *volume, struct vpc_medium *medium, uint8_t *ret_kind,
                          int *ret_fd) {
        const struct iov_adapter *adapter = iov_model_get(s->events->model(s->userdata), IOV_KIND_ADAPTER, volume->adapter);

        *ret_kind = adapter && adapter->media == IOV_MEDIA_RAM ? MEDIUM_RAM : MEDIUM_FILE;
        if (*ret_kind == MEDIUM_RAM)
                return ram_volumes_open(s->ram_volumes, volume, ret_fd);
        int r = volume_open(s->state_directory, volume, medium->read_only, ret_fd);
        uint32_t block_size = r < 0 ? 0 : volume_block_size(*ret_fd);
        if (block_size)
                medium->block_size = block_size;
        return r;
}

/* The server gets it, too: nothing else is in it. */
static int doorbells_prepare(int *ret_fd) {
        void *memory = NULL;
        int r = shared_memory("iov-doorbells", LINK_DOORBELLS_SIZE, LINK_DOORBELLS_SIZE, &memory, ret_fd);

        if (r >= 0)
                munmap(memory, LINK_DOORBELLS_SIZE);
        return r;
}

/* `auto` is MSI-X, but where the device could not be unplugged any more: then it is MSI. */
static void choose_interrupts(const struct supervisor *s, struct instance *i, const struct vpc_model *model) {
        const struct host *host = hosts_get(s->hosts, i->server);
        const struct vpc_description *d = model->description;

        if (i->persona.interrupts == IOV_INTERRUPTS_AUTO && d->msix_vectors)
                i->persona.interrupts = host && host_unplug_kills(host) ? IOV_INTERRUPTS_MSI : IOV_INTERRUPTS_MSIX;
        i->interrupts = (enum iov_interrupts)i->persona.interrupts;
        if (i->interrupts == IOV_INTERRUPTS_AUTO)
                i->interrupts = d->msi_vectors ? IOV_INTERRUPTS_MSI : IOV_INTERRUPTS_INTX;
}

static struct supervisor_file file_of(int fd) {
        struct stat st = {0};

        fstat(fd, &st);
        return (struct supervisor_file){st.st_dev, st.st_ino};
}

/* Everything that SLOT_ADD carries: descriptors in the order of the message. */
static int instance_prepare(struct supervisor *s, struct instance *i, const struct iov_vadapter *va,
                            const struct vpc_model *model, const struct iov_volume *const *volumes, struct link_message *m,
                            int fds[LINK_FDS_MAX]) {
        void *shared = NULL;
        int r;

        for (unsigned int n = 0; n < i->persona.n_media; n++) {
                r = medium_prepare(s, volumes[n], &i->persona.media[n], &m->media_kind[n], &fds[3 + n]);
                if (r < 0)
                        return r;
                i->media_files[n] = file_of(fds[3 + n]);
        }
        memcpy(m->media, i->persona.media, sizeof(m->media));
        i->model = model;
        i->image_size = vpc_image_size(model);
        r = shared_memory("iov-image", i->image_size, i->image_size, &i->image, &fds[1]);
        if (r < 0)
                return r;
        r = vpc_image_init(i->image, model, &i->persona);
        if (r < 0)
                return r;
        r = shared_memory("iov-shared", LINK_SHARED_SIZE, sizeof(*i->shared), &shared, &fds[2]);
        if (r < 0)
                return r;
        i->shared = shared;
        i->image_file = file_of(fds[1]);
        i->shared_file = file_of(fds[2]);
        if (va->polling == IOV_POLLING_ALWAYS) {
                r = doorbells_prepare(&fds[3 + i->persona.n_media]);
                if (r < 0)
                        return r;
                m->flags |= LINK_DOORBELLS;
        }
        m->type = LINK_SLOT_ADD;
        m->poll_us = s->poll_us;
        m->instance = i->number;
        m->n_media = i->persona.n_media;
        field_set(m->model, sizeof(m->model), model->name);
        field_set(m->name, sizeof(m->name), i->vadapter);
        /* Last: once the socket is there, a server may connect, and the device must be finished. */
        return slot_socket_make(s->run_directory, i->server, i->slot, i->socket, &fds[0]);
}

/* Before the worker is told: what it holds, the next control process must know of. `fds` NULL: they are kept, and are the same.
 */
static int instance_keep(struct supervisor *s, const struct instance *i, const int *fds) {
        struct kept_instance kept = {.version = KEPT_VERSION,
                                     .slot = i->slot,
                                     .number = i->number,
                                     .link = i->process->key,
                                     .image_size = i->image_size,
                                     .interrupts = i->interrupts,
                                     .persona = i->persona,
                                     .limits = i->limits};

        memcpy(kept.media_files, i->media_files, sizeof(kept.media_files));
        memcpy(kept.vadapter, i->vadapter, sizeof(kept.vadapter));
        memcpy(kept.server, i->server, sizeof(kept.server));
        memcpy(kept.socket, i->socket, sizeof(kept.socket));
        if (fds)
                return keeping_store(s->keeping, KEPT_INSTANCE | i->number, &kept, sizeof(kept), fds, 2);
        return keeping_note(s->keeping, KEPT_INSTANCE | i->number, &kept, sizeof(kept));
}

static void instance_drive(struct supervisor *s, struct instance *i);

static struct link_limits limits_of(const struct supervisor *s, const struct iov_vadapter *va) {
        const struct iov_qos *q = *va->qos ? iov_model_get(s->events->model(s->userdata), IOV_KIND_QOS, va->qos) : NULL;

        return q ? (struct link_limits){q->read_iops, q->write_iops, q->bandwidth} : (struct link_limits){0};
}

/* Limits change while the device is in use. */
static void instance_limit(struct supervisor *s, struct instance *i) {
        const struct iov_vadapter *va = iov_model_get(s->events->model(s->userdata), IOV_KIND_VADAPTER, i->vadapter);
        struct link_message m = {.type = LINK_SLOT_LIMITS, .instance = i->number};

        if (!va)
                return;
        m.limits = limits_of(s, va);
        if (memcmp(&m.limits, &i->limits, sizeof(m.limits)) == 0 || !i->process->pid)
                return;
        /* What cannot be sent now is sent with the next comparison. */
        if (link_send(i->process->channel, &m, NULL, 0) == 0) {
                i->limits = m.limits;
                instance_keep(s, i, NULL);
        }
}

static int instance_plug(struct supervisor *s, struct process *p, const struct iov_vadapter *va) {
        const struct iov_volume *volumes[VPC_MEDIA_MAX];
        struct instance *i = calloc(1, sizeof(*i));
        struct link_message m = {0};
        int fds[LINK_FDS_MAX];
        int r;

        if (!i)
                return -ENOMEM;
        for (unsigned int n = 0; n < LINK_FDS_MAX; n++)
                fds[n] = -1;
        i->number = ++s->next_number;
        i->process = p;
        i->slot = va->at_slot;
        memcpy(i->vadapter, va->name, sizeof(i->vadapter));
        memcpy(i->server, va->at_server, sizeof(i->server));
        i->next = s->instances;
        s->instances = i;
        const struct vpc_model *model = persona_make(s->events->model(s->userdata), va, &i->persona, volumes);
        if (model)
                choose_interrupts(s, i, model);
        m.limits = i->limits = limits_of(s, va);
        r = model ? instance_prepare(s, i, va, model, volumes, &m, fds) : -EOPNOTSUPP;
        if (r == 0)
                r = instance_keep(s, i, fds + 1);
        if (r == 0)
                r = link_send(p->channel, &m, fds, 3 + m.n_media + !!(m.flags & LINK_DOORBELLS));
        if (r == 0 && faults_send(s->events->model(s->userdata), &i->persona, volumes, i->number, p->channel) < 0)
                journal_log(s->journal, LOG_WARNING, "%s: faults on demand do not reach its worker", i->vadapter);
        for (unsigned int n = 0; n < LINK_FDS_MAX; n++)
                close_fd(&fds[n]);
        if (r < 0) {
                instance_free(s, i);
                return r;
        }
        journal_event(s->journal, LOG_INFO, JOURNAL_NO_UID, i->vadapter, "plugged into slot %u of server %s", i->slot, i->server);
        instance_drive(s, i);
        return 0;
}

static void on_removal_timeout(void *userdata) {
        struct supervisor *s = userdata;

        s->removal_timer = loop_source_remove(s->removal_timer);
        for (const struct instance *i = s->instances; i; i = i->next)
                if ((i->removing || i->showing) && i->process->pid) {
                        journal_event(s->journal, LOG_ERR, JOURNAL_NO_UID, i->vadapter, "worker %d does not let go of it: killed",
                                      (int)i->process->worker);
                        pidfd_send_signal(i->process->pidfd, SIGKILL, NULL, 0);
                }
}

static void removal_watch(struct supervisor *s) {
        if (!s->removal_timer)
                loop_add_timer(s->loop, REMOVAL_TIMEOUT, on_removal_timeout, s, &s->removal_timer);
}

static void instance_unplug(struct supervisor *s, struct instance *i) {
        const struct link_message m = {.type = LINK_SLOT_REMOVE, .instance = i->number};

        i->removing = true;
        unlink(i->socket);
        /* Nobody must take what is on its way out for what was asked for. */
        if (i->connected)
                s->events->vadapter_status(s->userdata, i->vadapter, IOV_VADAPTER_UNPLUGGING, 0, "");
        if (link_send(i->process->channel, &m, NULL, 0) < 0)
                pidfd_send_signal(i->process->pidfd, SIGKILL, NULL, 0);
        removal_watch(s);
}

/* ---- processes ---- */

/* The worker sees the end at once. close() alone would not do: the loop's poll keeps the file until the ring's next round. */
static void channel_close(struct process *p) {
        p->channel_source = loop_source_remove(p->channel_source);
        if (p->channel >= 0)
                shutdown(p->channel, SHUT_RDWR);
        close_fd(&p->channel);
        p->channel = -1;
}

static void process_free(struct supervisor *s, struct process *gone) {
        for (struct process **p = &s->processes; *p; p = &(*p)->next)
                if (*p == gone) {
                        *p = gone->next;
                        break;
                }
        keeping_remove(s->keeping, gone->key);
        loop_source_remove(gone->restart);
        loop_source_remove(gone->pidfd_source);
        channel_close(gone);
        if (gone->pidfd >= 0)
                worker_process_finish(gone->pidfd, 1000); /* only when the appliance ends */
        close_fd(&gone->pidfd);
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
        p->pidfd_source = loop_source_remove(p->pidfd_source);
        channel_close(p);
        close_fd(&p->pidfd);
        p->pidfd = -1;
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
        p->failures = now_ns() - p->started > RESTART_FORGIVEN * SECOND ? 0 : p->failures + 1;
        report_server(s, p);
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
                close_fd(&p->pidfd);
                p->pidfd = -1;
                process_free(p->supervisor, p);
                return;
        }
        process_died(p, info.si_code == CLD_EXITED ? "exit status" : "signal", info.si_status);
}

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
        report_server(s, p);
}

static int send_faults(struct supervisor *s, const struct instance *i);

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
                        send_faults(s, i);
        p->restarted = false;
        report_server(s, p);
        if (removed)
                supervisor_reconcile(s);
}

static void slot_status(struct supervisor *s, struct instance *i, const struct link_message *m) {
        i->told = true;
        i->connected = m->level;
        i->peer_pid = i->connected ? m->pid : 0;
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
                i->connected = true;
                i->peer_pid = m->pid;
                journal_event(s->journal, LOG_INFO, m->uid, i->vadapter, "server %s connected (process %u)", i->server, m->pid);
                if (hosts_get(s->hosts, i->server))
                        host_kick(hosts_get(s->hosts, i->server));
                if (!i->removing)
                        instance_drive(s, i);
                report_server(s, p);
                break;
        case LINK_DISCONNECTED:
                i->connected = false;
                i->peer_pid = 0;
                journal_event(s->journal, LOG_INFO, JOURNAL_NO_UID, i->vadapter, "server %s disconnected: %s", i->server,
                              m->text);
                report_server(s, p);
                supervisor_reconcile(s);
                break;
        case LINK_FAILED:
                i->showing = false;
                journal_event(s->journal, LOG_ERR, JOURNAL_NO_UID, i->vadapter, "%s", m->text);
                i->broken = true;
                field_set(i->reason, sizeof(i->reason), "the worker cannot bring it up; the log says why");
                instance_drive(s, i);
                break;
        case LINK_REMOVED:
                if (!i->removing)
                        return;
                journal_event(s->journal, LOG_INFO, JOURNAL_NO_UID, i->vadapter, "quiet, and unplugged from slot %u of server %s",
                              i->slot, i->server);
                s->events->vadapter_status(s->userdata, i->vadapter, IOV_VADAPTER_DETACHED, 0, "");
                instance_free(s, i);
                supervisor_reconcile(s);
                break;
        case LINK_STATUS:
                slot_status(s, i, m);
                break;
        case LINK_SHOWN:
                if (!i->showing)
                        return;
                i->showing = false;
                memset(i->leaving, 0, sizeof(i->leaving));
                supervisor_reconcile(s);
                break;
        case LINK_STRUCK:
                s->events->struck(s->userdata, m->fault.id, m->hits);
                break;
        case LINK_LOG:
                journal_log(s->journal, (int)(m->level & 7), "%s", m->text);
                break;
        default:
                break;
        }
}

static void on_channel(void *userdata, int fd, uint32_t events) {
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

static struct process *process_of(struct supervisor *s, const char *server) {
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

static int process_watch(struct supervisor *s, struct process *p) {
        int r;

        p->started = now_ns();
        r = loop_add_fd(s->loop, p->pidfd, POLLIN, on_pidfd, p, &p->pidfd_source);
        if (r == 0)
                r = loop_add_fd(s->loop, p->channel, POLLIN, on_channel, p, &p->channel_source);
        return r;
}

static int process_start(struct supervisor *s, struct process *p) {
        struct kept_link kept = {.version = KEPT_VERSION};
        int r = worker_process_start(p->server, &p->pid, &p->pidfd, &p->channel);

        if (r < 0) {
                p->pid = 0;
                return r;
        }
        kept.pid = p->pid;
        memcpy(kept.server, p->server, sizeof(kept.server));
        r = keeping_store(s->keeping, p->key, &kept, sizeof(kept), (const int[]){p->pidfd, p->channel}, 2);
        if (r == 0)
                r = process_watch(s, p);
        journal_log(s->journal, LOG_INFO, "%s: link started, escrow %d", p->server, (int)p->pid);
        report_server(s, p);
        return r;
}

/* ---- reconciling ---- */

static bool instance_is_wanted(struct supervisor *s, const struct instance *i) {
        const struct iov_model *model = s->events->model(s->userdata);
        const struct iov_vadapter *va = iov_model_get(model, IOV_KIND_VADAPTER, i->vadapter);
        const struct iov_volume *volumes[VPC_MEDIA_MAX];
        struct vpc_persona persona;

        if (!va || va->at_slot != i->slot || strcmp(va->at_server, i->server) != 0 || !iov_vadapter_is_reachable(model, va))
                return false;
        const struct vpc_model *device = persona_make(model, va, &persona, volumes);
        if (!device)
                return false;
        /* `auto` is decided when the device is made, and again as long as nobody has it. */
        if (persona.interrupts == IOV_INTERRUPTS_AUTO && device->description->msix_vectors) {
                struct instance again = {.persona = persona};

                memcpy(again.server, i->server, sizeof(again.server));
                choose_interrupts(s, &again, device);
                persona.interrupts = i->connected || i->plugging ? i->persona.interrupts : again.persona.interrupts;
        }
        struct media_change change;
        media_change_make(&i->persona, &persona, true, &change);
        return persona_same_face(&persona, &i->persona) && (!change.differs || device->show);
}

static bool is_cut_off(struct supervisor *s, const struct instance *i) {
        const struct iov_model *model = s->events->model(s->userdata);
        const struct iov_vadapter *va = iov_model_get(model, IOV_KIND_VADAPTER, i->vadapter);

        return va && strcmp(va->at_server, i->server) == 0 && !iov_vadapter_is_reachable(model, va);
}

/* Somebody has a medium, or has it still, who does not merely read it as the new one would. */
static bool holds(const struct instance *i, const struct vpc_medium *medium) {
        for (uint32_t n = 0; n < i->persona.n_media; n++) {
                const struct vpc_medium *m = &i->persona.media[n];

                if (m->size && m->unique_id == medium->unique_id && !(m->read_only && medium->read_only))
                        return true;
        }
        for (unsigned int n = 0; n < VPC_MEDIA_MAX; n++)
                if (i->leaving[n] == medium->unique_id)
                        return true;
        return false;
}

static bool holds_one_of(const struct instance *i, const struct vpc_persona *persona) {
        for (uint32_t n = 0; n < persona->n_media; n++)
                if (holds(i, &persona->media[n]))
                        return true;
        return false;
}

/* ---- media that come and go while a server has the device ---- */

/* Those that another has, or has still, wait. */
static void drop_held(const struct supervisor *s, const struct instance *i, struct vpc_persona *wanted,
                      const struct iov_volume *volumes[VPC_MEDIA_MAX]) {
        uint32_t n = 0;

        for (uint32_t m = 0; m < wanted->n_media; m++) {
                bool held = false;

                for (const struct instance *other = s->instances; other; other = other->next)
                        held |= other != i && holds(other, &wanted->media[m]);
                if (held)
                        continue;
                volumes[n] = volumes[m];
                wanted->media[n++] = wanted->media[m];
        }
        wanted->n_media = n;
}

/* The volumes of what an instance shows, at the places that they have there. */
static void volumes_of(struct supervisor *s, const struct instance *i, const struct iov_volume *ret_volumes[VPC_MEDIA_MAX]) {
        const struct iov_model *model = s->events->model(s->userdata);
        const struct iov_volume *volume;

        for (unsigned int n = 0; n < VPC_MEDIA_MAX; n++)
                ret_volumes[n] = NULL;
        iov_model_foreach (model, IOV_KIND_VOLUME, volume)
                for (uint32_t n = 0; n < i->persona.n_media; n++)
                        if (i->persona.media[n].size && i->persona.media[n].unique_id == volume->id)
                                ret_volumes[n] = volume;
}

static int send_faults(struct supervisor *s, const struct instance *i);

static int open_fresh(struct supervisor *s, const struct media_change *change, const struct iov_volume *const *volumes,
                      struct link_message *m, int fds[VPC_MEDIA_MAX], struct supervisor_file files[VPC_MEDIA_MAX],
                      unsigned int *ret_n) {
        for (unsigned int k = 0; k < change->n_media; k++) {
                if (!(change->fresh >> k & 1))
                        continue;
                int r = medium_prepare(s, volumes[change->source[k]], &m->media[k], &m->media_kind[k], &fds[*ret_n]);
                if (r < 0)
                        return r;
                files[k] = file_of(fds[(*ret_n)++]);
        }
        return 0;
}

/* What is in memory grows here: the worker maps more of it when it is told. */
static void grow_memory(struct supervisor *s, const struct instance *i, const struct media_change *change) {
        const struct iov_volume *volumes[VPC_MEDIA_MAX];

        volumes_of(s, i, volumes);
        for (unsigned int k = 0; k < change->n_media; k++) {
                struct vpc_medium medium = change->media[k];
                uint8_t kind = 0;
                int fd = -1;

                if (volumes[k] && medium.size != i->persona.media[k].size && !(change->fresh >> k & 1) &&
                    medium_prepare(s, volumes[k], &medium, &kind, &fd) == 0)
                        close(fd);
        }
}

/* Tell the worker what is shown now. It answers when the old media are no longer in use. */
static int tell_media(struct supervisor *s, struct instance *i, const struct media_change *change,
                      const struct iov_volume *const *volumes) {
        struct link_message m = {
                .type = LINK_SLOT_MEDIA, .instance = i->number, .n_media = change->n_media, .fresh = change->fresh};
        struct supervisor_file files[VPC_MEDIA_MAX];
        int fds[VPC_MEDIA_MAX];
        unsigned int n = 0;

        memcpy(files, i->media_files, sizeof(files));
        memcpy(m.media, change->media, sizeof(m.media));
        grow_memory(s, i, change);
        int r = open_fresh(s, change, volumes, &m, fds, files, &n);
        if (r == 0)
                r = link_send(i->process->channel, &m, fds, n);
        while (n)
                close(fds[--n]);
        if (r < 0)
                return r;
        for (unsigned int k = 0; k < i->persona.n_media; k++)
                if (i->persona.media[k].unique_id != m.media[k].unique_id || (m.fresh >> k & 1))
                        i->leaving[k] = i->persona.media[k].unique_id;
        memcpy(i->persona.media, m.media, sizeof(m.media));
        memcpy(i->media_files, files, sizeof(files));
        i->persona.n_media = m.n_media;
        i->showing = true;
        if (instance_keep(s, i, NULL) < 0)
                journal_log(s->journal, LOG_WARNING, "%s: the keeper does not know of its media", i->vadapter);
        removal_watch(s);
        return send_faults(s, i);
}

static void instance_follow(struct supervisor *s, struct instance *i, bool additions) {
        const struct iov_model *model = s->events->model(s->userdata);
        const struct iov_vadapter *va = iov_model_get(model, IOV_KIND_VADAPTER, i->vadapter);
        const struct iov_volume *volumes[VPC_MEDIA_MAX];
        struct vpc_persona persona;
        struct media_change change;

        if (i->removing || i->showing || i->broken || !i->process->pid || !instance_is_wanted(s, i))
                return;
        persona_make(model, va, &persona, volumes);
        if (additions)
                drop_held(s, i, &persona, volumes);
        media_change_make(&i->persona, &persona, additions, &change);
        if (!change.differs)
                return;
        int r = tell_media(s, i, &change, volumes);
        if (r < 0)
                journal_event(s->journal, LOG_ERR, JOURNAL_NO_UID, i->vadapter, "its namespaces cannot be changed: %s",
                              strerror(-r));
}

/* What a vAdapter that is to be plugged must wait for: itself elsewhere, the slot, or a medium that must have one holder only. */
static const struct instance *in_the_way(struct supervisor *s, const struct iov_vadapter *va) {
        const struct iov_volume *volumes[VPC_MEDIA_MAX];
        struct vpc_persona persona;

        persona_make(s->events->model(s->userdata), va, &persona, volumes);
        for (const struct instance *i = s->instances; i; i = i->next)
                if (strcmp(i->vadapter, va->name) == 0 || (strcmp(i->server, va->at_server) == 0 && i->slot == va->at_slot) ||
                    holds_one_of(i, &persona))
                        return i;
        return NULL;
}

/* ---- the hypervisor ---- */

static void instance_show(struct supervisor *s, struct instance *i, enum iov_vadapter_state state, const char *reason) {
        const struct supervisor_progress progress = {
                .state = state,
                .peer_pid = i->connected ? i->peer_pid : 0,
                .interrupts = i->interrupts,
                .socket = i->removing ? "" : i->socket,
                .reason = reason,
        };

        if (state == IOV_VADAPTER_FAILED && (i->shown != state || strcmp(i->reason, reason) != 0))
                journal_event(s->journal, LOG_ERR, JOURNAL_NO_UID, i->vadapter, "server %s, slot %u: %s", i->server, i->slot,
                              reason);
        i->shown = state;
        if (reason != i->reason)
                snprintf(i->reason, sizeof(i->reason), "%s", reason);
        s->events->vadapter_progress(s->userdata, i->vadapter, &progress);
}

static void show_waiting_for(struct supervisor *s, struct instance *i, const struct host *host) {
        char reason[sizeof(i->reason)];

        snprintf(reason, sizeof(reason), "waits for its server's hypervisor: %.66s", host_get_reason(host));
        instance_show(s, i, IOV_VADAPTER_ATTACHED, reason);
}

static void drive_wanted(struct supervisor *s, struct instance *i, struct host *host, const struct host_device *device) {
        const char *reason = "";
        enum host_progress progress = host ? host_plug(host, device, &reason) : HOST_AWAY;

        i->forced = false;
        i->plugging = progress == HOST_BUSY;
        if (progress == HOST_FAILED)
                instance_show(s, i, IOV_VADAPTER_FAILED, reason);
        else if (progress == HOST_BUSY)
                instance_show(s, i, IOV_VADAPTER_PLUGGING, "");
        else if (i->connected || !host || host_is_ready(host))
                instance_show(s, i, i->connected ? IOV_VADAPTER_CONNECTED : IOV_VADAPTER_ATTACHED, "");
        else
                show_waiting_for(s, i, host);
}

/* It is in a guest and should not be. */
static void drive_unwanted(struct supervisor *s, struct instance *i, struct host *host, const struct host_device *device) {
        const char *reason = "";
        char text[sizeof(i->reason)];

        if (!host || (i->forced && !host_is_plugging(host, i->slot))) {
                /* Asked all the same, where that does no harm, so that the port is free again. */
                if (host)
                        host_unplug(host, device, &reason);
                instance_show(s, i, IOV_VADAPTER_UNPLUGGING, "");
                instance_unplug(s, i);
                return;
        }
        enum host_progress progress = host_unplug(host, device, &reason);
        if (progress == HOST_AWAY) {
                snprintf(text, sizeof(text), "its hypervisor cannot be asked to unplug it: %s", host_get_reason(host));
                reason = text;
                progress = HOST_FAILED;
        }
        i->plugging = false;
        if (progress == HOST_DONE || (progress == HOST_FAILED && !i->connected)) {
                instance_show(s, i, IOV_VADAPTER_UNPLUGGING, "");
                instance_unplug(s, i);
        } else {
                if (progress == HOST_BUSY) {
                        snprintf(text, sizeof(text), "server %.60s has been asked to let go of it", i->server);
                        reason = text;
                }
                instance_show(s, i, progress == HOST_BUSY ? IOV_VADAPTER_UNPLUGGING : IOV_VADAPTER_FAILED, reason);
        }
}

/* The next step of one instance, whatever the last was. */
static void instance_drive(struct supervisor *s, struct instance *i) {
        struct host *host = hosts_get(s->hosts, i->server);
        char id[IOV_NAME_SIZE + 4];
        const struct host_device device = {
                .slot = i->slot,
                .id = id,
                .socket = i->socket,
                .has_msix = i->interrupts == IOV_INTERRUPTS_MSIX,
                .is_connected = i->connected,
        };

        /* As 'iovctl server args' names it: QEMU's ids begin with a letter, names of vAdapters need not. */
        snprintf(id, sizeof(id), "va-%s", i->vadapter);
        /* Nobody is asked where a link fails, or something is pulled. */
        i->forced |= is_cut_off(s, i);
        if (!instance_is_wanted(s, i))
                drive_unwanted(s, i, host, &device);
        else if (i->broken)
                instance_show(s, i, IOV_VADAPTER_FAILED, i->reason);
        else
                drive_wanted(s, i, host, &device);
}

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

/* What cannot be made yet is shown as under way, which it is: its time comes when that which is in the way has gone. */
static void show_waiting(struct supervisor *s, const struct iov_vadapter *va, const struct instance *i) {
        char reason[104];

        snprintf(reason, sizeof(reason), "waits until server %.30s has let go of %.36s", i->server, i->vadapter);
        s->events->vadapter_progress(
                s->userdata, va->name,
                &(struct supervisor_progress){.state = IOV_VADAPTER_PLUGGING, .socket = "", .reason = reason});
}

static void plug(struct supervisor *s, const struct iov_vadapter *va) {
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

static void on_ending_timeout(void *userdata) {
        const struct process *p = userdata;

        pidfd_send_signal(p->pidfd, SIGKILL, NULL, 0);
}

/* Its end is not waited for here: a new worker may serve the same link meanwhile. */
static void process_end(struct supervisor *s, struct process *p) {
        channel_close(p);
        slot_directory_remove(s->run_directory, p->server);
        p->ending = true;
        loop_add_timer(s->loop, SECOND, on_ending_timeout, p, &p->restart);
}

static void end_idle_processes(struct supervisor *s) {
        struct process *p, *next;

        for (p = s->processes; p; p = next) {
                bool used = false;

                next = p->next;
                for (const struct instance *i = s->instances; i; i = i->next)
                        used |= i->process == p;
                if (used || p->restart)
                        continue; /* serving, coming back, or ending already */
                journal_log(s->journal, LOG_INFO, "%s: worker %d has nothing to serve, ended", p->server, (int)p->worker);
                s->events->server_status(s->userdata, p->server, IOV_SERVER_OFF, 0, 0);
                if (p->pid)
                        process_end(s, p);
                else
                        process_free(s, p);
        }
}

void supervisor_reconcile(struct supervisor *s) {
        const struct iov_model *model = s->events->model(s->userdata);
        const struct iov_vadapter *va;

        bool removing = false;

        hosts_sync(s->hosts, model);
        for (struct instance *i = s->instances; i; i = i->next) {
                if (!i->removing) {
                        instance_limit(s, i);
                        instance_drive(s, i);
                }
                removing |= i->removing || i->showing;
        }
        /* What goes first: a medium that moves must have left its old holder before it is given to the new one. */
        for (unsigned int additions = 0; additions < 2; additions++)
                for (struct instance *i = s->instances; i; i = i->next) {
                        instance_follow(s, i, additions);
                        removing |= i->showing;
                }
        if (!removing)
                s->removal_timer = loop_source_remove(s->removal_timer);
        iov_model_foreach (model, IOV_KIND_VADAPTER, va) {
                if (!*va->at_server || instance_of(s, va->name) || va->state == IOV_VADAPTER_FAILED ||
                    !iov_vadapter_is_reachable(model, va))
                        continue;
                const struct instance *way = in_the_way(s, va);
                if (way)
                        show_waiting(s, va, way);
                else
                        plug(s, va);
        }
        end_idle_processes(s);
        ram_volumes_sweep(s->ram_volumes, model);
}

static int send_faults(struct supervisor *s, const struct instance *i) {
        const struct link_message reset = {.type = LINK_FAULT_RESET, .instance = i->number};
        const struct iov_volume *volumes[VPC_MEDIA_MAX];

        volumes_of(s, i, volumes);
        int r = link_send(i->process->channel, &reset, NULL, 0);
        return r < 0 ? r : faults_send(s->events->model(s->userdata), &i->persona, volumes, i->number, i->process->channel);
}

void supervisor_send_faults(struct supervisor *s) {
        for (const struct instance *i = s->instances; i; i = i->next) {
                int r = i->removing || !i->process->pid ? 0 : send_faults(s, i);

                if (r < 0)
                        journal_event(s->journal, LOG_WARNING, JOURNAL_NO_UID, i->vadapter,
                                      "faults on demand do not reach its worker: %s", strerror(-r));
        }
}

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
        return 0;
}

int supervisor_read_config(struct supervisor *s, const char *vadapter, void *ret_config) {
        const struct instance *i = instance_of(s, vadapter);

        if (!i)
                return -ENOENT;
        memcpy(ret_config, i->image, VPC_CONFIG_SIZE);
        return 0;
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
                                                     .media = i->media_files};

                look(userdata, &slot);
        }
}

/* ---- taking over from a control process that is gone ---- */

static bool is_text(const char *field, size_t size) {
        return memchr(field, 0, size);
}

/* What was kept may come out of a service manager's store, from another version or from somebody else. */
static bool is_sane(const struct kept_instance *kept, const struct keeping_record *r) {
        struct stat image, shared;

        return kept->version == KEPT_VERSION && is_text(kept->vadapter, sizeof(kept->vadapter)) &&
               is_text(kept->server, sizeof(kept->server)) && is_text(kept->socket, sizeof(kept->socket)) &&
               kept->persona.n_media <= VPC_MEDIA_MAX && fstat(r->fds[0], &image) == 0 && kept->image_size >= VPC_CONFIG_SIZE &&
               (uint64_t)image.st_size == kept->image_size && fstat(r->fds[1], &shared) == 0 &&
               shared.st_size >= (off_t)sizeof(struct link_shared);
}

static void adopt_link(struct supervisor *s, struct keeping_record *r) {
        struct kept_link kept;

        if (r->size != sizeof(kept) || r->n_fds != 2)
                return;
        memcpy(&kept, r->note, sizeof(kept));
        if (kept.version != KEPT_VERSION || !is_text(kept.server, sizeof(kept.server)))
                return;
        struct process *p = process_of(s, kept.server);
        if (!p || p->pid)
                return;
        p->key = r->key;
        p->pid = kept.pid;
        p->pidfd = take_fd(&r->fds[0]);
        p->channel = take_fd(&r->fds[1]);
        p->adopted = true;
        if (process_watch(s, p) < 0)
                journal_event(s->journal, LOG_ERR, JOURNAL_NO_UID, p->server, "its link cannot be watched");
}

static struct process *process_by_key(struct supervisor *s, uint64_t key) {
        for (struct process *p = s->processes; p; p = p->next)
                if (p->key == key)
                        return p;
        return NULL;
}

static int adopt_instance(struct supervisor *s, struct keeping_record *r) {
        struct kept_instance kept;

        if (r->size != sizeof(kept) || r->n_fds != 2)
                return -EBADMSG;
        memcpy(&kept, r->note, sizeof(kept));
        struct process *p = is_sane(&kept, r) ? process_by_key(s, kept.link) : NULL;
        struct instance *i = p ? calloc(1, sizeof(*i)) : NULL;
        if (!i)
                return -EBADMSG;
        i->number = kept.number;
        i->process = p;
        i->slot = kept.slot;
        memcpy(i->vadapter, kept.vadapter, sizeof(i->vadapter));
        memcpy(i->server, kept.server, sizeof(i->server));
        memcpy(i->socket, kept.socket, sizeof(i->socket));
        i->persona = kept.persona;
        i->image_size = kept.image_size;
        i->interrupts = (enum iov_interrupts)kept.interrupts;
        i->image_file = file_of(r->fds[0]);
        i->shared_file = file_of(r->fds[1]);
        memcpy(i->media_files, kept.media_files, sizeof(i->media_files));
        i->limits = kept.limits;
        const struct iov_vadapter *va = iov_model_get(s->events->model(s->userdata), IOV_KIND_VADAPTER, i->vadapter);
        const struct iov_adapter *adapter =
                va ? iov_model_get(s->events->model(s->userdata), IOV_KIND_ADAPTER, va->adapter) : NULL;
        i->model = adapter ? vpc_model_for_adapter((enum iov_adapter_kind)adapter->kind) : NULL;
        /* Until its worker has told: nothing must be taken from a server that may be there. */
        i->connected = true;
        void *image = mmap(NULL, i->image_size, PROT_READ | PROT_WRITE, MAP_SHARED, r->fds[0], 0);
        void *shared = mmap(NULL, sizeof(*i->shared), PROT_READ | PROT_WRITE, MAP_SHARED, r->fds[1], 0);
        i->image = image == MAP_FAILED ? NULL : image;
        i->shared = shared == MAP_FAILED ? NULL : shared;
        i->next = s->instances;
        s->instances = i;
        if (!i->image || !i->shared) {
                instance_free(s, i);
                return -ENOMEM;
        }
        return 0;
}

/* What cannot be taken over is forgotten: its link ends when nobody holds its channel any more. */
static void adopt(struct supervisor *s) {
        const struct link_message ask = {.type = LINK_STATUS_ASK};
        struct keeping_record *r;
        unsigned int n = 0;

        for (size_t i = 0; (r = keeping_get(s->keeping, i)); i++)
                if ((r->key & KEPT_KIND) == KEPT_LINK)
                        adopt_link(s, r);
        for (size_t i = 0; (r = keeping_get(s->keeping, i)); i++)
                if ((r->key & KEPT_KIND) == KEPT_INSTANCE && adopt_instance(s, r) < 0)
                        keeping_remove(s->keeping, r->key);
        for (size_t i = 0; (r = keeping_get(s->keeping, i)); i++)
                if ((r->key & KEPT_KIND) == KEPT_LINK && !process_by_key(s, r->key))
                        keeping_remove(s->keeping, r->key);
        for (struct process *p = s->processes; p; p = p->next) {
                link_send(p->channel, &ask, NULL, 0);
                report_server(s, p);
                n++;
        }
        if (n)
                journal_event(s->journal, LOG_NOTICE, JOURNAL_NO_UID, "", "%u links go on under this control process", n);
}

int supervisor_new(struct loop *loop, struct journal *journal, struct keeping *keeping, int state_directory,
                   const char *run_directory, unsigned int unplug_s, unsigned int poll_us, const struct supervisor_events *events,
                   void *userdata, struct supervisor **ret_supervisor) {
        struct supervisor *s = calloc(1, sizeof(*s));

        if (!s)
                return -ENOMEM;
        s->loop = loop;
        s->journal = journal;
        s->state_directory = state_directory;
        s->poll_us = poll_us;
        field_set(s->run_directory, sizeof(s->run_directory), run_directory);
        s->events = events;
        s->userdata = userdata;
        s->keeping = keeping;
        /* Higher than any number that a control process before this one has given. */
        s->next_number = now_ns();
        int r = ram_volumes_new(keeping, &s->ram_volumes);
        if (r == 0)
                r = hosts_new(loop, journal, unplug_s, &hosts_events, s, &s->hosts);
        if (r < 0) {
                ram_volumes_free(s->ram_volumes);
                free(s);
                return r;
        }
        adopt(s);
        *ret_supervisor = s;
        return 0;
}

struct supervisor *supervisor_free(struct supervisor *s) {
        if (!s)
                return NULL;
        s->hosts = hosts_free(s->hosts);
        /* All channels first, so that the workers end side by side. */
        for (struct process *p = s->processes; p; p = p->next)
                channel_close(p);
        while (s->instances)
                instance_free(s, s->instances);
        while (s->processes)
                process_free(s, s->processes);
        loop_source_remove(s->removal_timer);
        ram_volumes_free(s->ram_volumes);
        free(s);
        return NULL;
}
