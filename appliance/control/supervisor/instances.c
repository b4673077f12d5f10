/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bringing a vAdapter up in a slot, and taking it out. */
#include "control/supervisor/supervisor-private.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "control/faults.h"
#include "control/supervisor/hosts.h"
#include "control/persona.h"
#include "control/supervisor/worker-process.h"
#include "link/channel.h"
#include "util.h"
#include "vpc/function.h"

#define REMOVAL_TIMEOUT (5 * SUPERVISOR_SECOND) /* a worker that does not let go of a slot for so long is killed */

struct instance *instance_by_number(struct supervisor *s, uint64_t number) {
        for (struct instance *i = s->instances; i; i = i->next)
                if (i->number == number)
                        return i;
        return NULL;
}

struct instance *instance_of(struct supervisor *s, const char *vadapter) {
        for (struct instance *i = s->instances; i; i = i->next)
                if (!i->removing && strcmp(i->vadapter, vadapter) == 0)
                        return i;
        return NULL;
}

void instance_free(struct supervisor *s, struct instance *gone) {
        for (struct instance **i = &s->instances; *i; i = &(*i)->next)
                if (*i == gone) {
                        *i = gone->next;
                        break;
                }
        instance_end_life(s, gone);
        keeping_remove(s->keeping, KEPT_INSTANCE | gone->number);
        marks_drop(s->marks, gone->number);
        if (!gone->removing && *gone->socket)
                unlink(gone->socket);
        sharing_free(gone->sharing);
        if (gone->image)
                munmap(gone->image, gone->image_size);
        if (gone->shared)
                munmap(gone->shared, sizeof(*gone->shared));
        instance_close_reservations(gone);
        free(gone);
}

int shared_memory(const char *name, size_t size, size_t mapped, void **ret_memory, int *ret_fd) {
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

/* The server gets it, too: nothing else is in it. */
static int doorbells_prepare(int *ret_fd) {
        void *memory = NULL;
        int r = shared_memory("iov-doorbells", LINK_DOORBELLS_SIZE, LINK_DOORBELLS_SIZE, &memory, ret_fd);

        if (r >= 0)
                munmap(memory, LINK_DOORBELLS_SIZE);
        return r;
}

enum iov_interrupts supervisor_auto_interrupts(const struct supervisor *s, const char *server) {
        const struct host *host = hosts_get(s->hosts, server);

        return host && host_unplug_kills(host) ? IOV_INTERRUPTS_MSI : IOV_INTERRUPTS_MSIX;
}

static void choose_interrupts(const struct supervisor *s, struct instance *i, const struct vpc_model *model) {
        const struct vpc_description *d = model->description;

        if (i->persona.interrupts == IOV_INTERRUPTS_AUTO && d->msix_vectors)
                i->persona.interrupts = supervisor_auto_interrupts(s, i->server);
        i->interrupts = (enum iov_interrupts)i->persona.interrupts;
        if (i->interrupts == IOV_INTERRUPTS_AUTO)
                i->interrupts = d->msi_vectors ? IOV_INTERRUPTS_MSI : IOV_INTERRUPTS_INTX;
}

struct supervisor_file supervisor_file_of(int fd) {
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
                i->media_files[n] = supervisor_file_of(fds[3 + n]);
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
        instance_give_life(s, i);
        r = shared_memory("iov-shared", LINK_SHARED_SIZE, sizeof(*i->shared), &shared, &fds[2]);
        if (r < 0)
                return r;
        i->shared = shared;
        for (unsigned int n = 0; n < i->persona.n_media; n++)
                if (marks_get(s->marks, i->persona.media[n].unique_id)) /* what is not touched takes no memory */
                        instance_show_marks(s, i, UINT64_C(1) << n, i->persona.media);
        i->image_file = supervisor_file_of(fds[1]);
        i->shared_file = supervisor_file_of(fds[2]);
        if (va->polling == IOV_POLLING_ALWAYS) {
                r = doorbells_prepare(&fds[3 + i->persona.n_media]);
                if (r < 0)
                        return r;
                m->flags |= LINK_DOORBELLS;
        }
        i->pinned = va->memory == IOV_MEMORY_PINNED;
        if (i->pinned)
                m->flags |= LINK_PINNED;
        m->type = LINK_SLOT_ADD;
        m->poll_us = s->poll_us;
        m->cache = s->cache;
        m->instance = i->number;
        m->n_media = i->persona.n_media;
        field_set(m->model, sizeof(m->model), model->name);
        field_set(m->name, sizeof(m->name), i->vadapter);
        /* Last: once the socket is there, a server may connect, and the device must be finished. */
        return slot_socket_make(s->run_directory, i->server, i->slot, i->socket, &fds[0]);
}

int instance_plug(struct supervisor *s, struct process *p, const struct iov_vadapter *va) {
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
        m.limits = i->limits = supervisor_limits_of(s, va);
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
        instance_forget_nameless(s, i);
        instance_show_reservations(s, i, true);
        instance_show_reservations(s, i, false);
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

void supervisor_watch_removals(struct supervisor *s) {
        if (!s->removal_timer)
                loop_add_timer(s->loop, REMOVAL_TIMEOUT, on_removal_timeout, s, &s->removal_timer);
}

void instance_unplug(struct supervisor *s, struct instance *i) {
        const struct link_message m = {.type = LINK_SLOT_REMOVE, .instance = i->number};

        i->removing = true;
        unlink(i->socket);
        /* Nobody must take what is on its way out for what was asked for. */
        if (i->connected)
                s->events->vadapter_status(s->userdata, i->vadapter, IOV_VADAPTER_UNPLUGGING, 0, "");
        if (link_send(i->process->channel, &m, NULL, 0) < 0)
                pidfd_send_signal(i->process->pidfd, SIGKILL, NULL, 0);
        supervisor_watch_removals(s);
}
