/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What changes while a server has the device: media that come and go, limits, faults on demand. */
#include "control/supervisor/supervisor-private.h"

#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "backend.h"
#include "control/volumes/backends.h"
#include "control/faults.h"
#include "control/volumes/media-change.h"
#include "control/persona.h"
#include "control/volumes/ram-volumes.h"
#include "control/volumes/volumes.h"
#include "link/channel.h"
#include "media/medium.h"

/* What was looked for is there. */
static int external_prepare(struct supervisor *s, const struct iov_volume *volume, struct vpc_medium *medium, uint8_t *ret_kind,
                            int *ret_fd) {
        struct backend_volume found;
        int r = backends_take(s->backends, volume->id, medium->read_only, &found);

        if (r < 0)
                return r;
        *ret_kind = found.is_nbd ? MEDIUM_NBD : MEDIUM_FILE;
        *ret_fd = found.fd;
        /* It may have been formatted by a server, where it is a file. */
        const uint32_t block_size = found.is_nbd ? 0 : volume_block_size(found.fd);
        if (block_size)
                medium->block_size = block_size;
        if (medium->block_size < found.block_size)
                medium->block_size = found.block_size;
        return 0;
}

bool volume_is_in_memory(const struct supervisor *s, const struct iov_volume *volume) {
        const struct iov_adapter *adapter = iov_model_get(s->events->model(s->userdata), IOV_KIND_ADAPTER, volume->adapter);

        return adapter && adapter->media == IOV_MEDIA_RAM;
}

int medium_prepare(struct supervisor *s, const struct iov_volume *volume, struct vpc_medium *medium, uint8_t *ret_kind,
                   int *ret_fd) {
        const struct iov_adapter *adapter = iov_model_get(s->events->model(s->userdata), IOV_KIND_ADAPTER, volume->adapter);
        const char *backend = adapter ? adapter->backend : "";

        *ret_kind = volume_is_in_memory(s, volume) ? MEDIUM_RAM : MEDIUM_FILE;
        if (*ret_kind != MEDIUM_RAM && backend_is_external(backend))
                return external_prepare(s, volume, medium, ret_kind, ret_fd);
        int r = *ret_kind == MEDIUM_RAM ? ram_volumes_open(s->ram_volumes, volume, ret_fd)
                                        : volume_open(s->state_directory, backend, volume, medium->read_only, ret_fd);
        if (r < 0)
                return r;
        uint32_t block_size = volume_block_size(*ret_fd);
        if (block_size)
                medium->block_size = block_size;
        return 0;
}

struct link_limits supervisor_limits_of(const struct supervisor *s, const struct iov_vadapter *va) {
        const struct iov_qos *q = *va->qos ? iov_model_get(s->events->model(s->userdata), IOV_KIND_QOS, va->qos) : NULL;

        return q ? (struct link_limits){q->read_iops, q->write_iops, q->bandwidth} : (struct link_limits){0};
}

/* Limits change while the device is in use. */
static void follow_limits(struct supervisor *s, struct instance *i, const struct iov_vadapter *va) {
        const struct link_limits limits = supervisor_limits_of(s, va);
        const struct link_message m = {.type = LINK_SLOT_LIMITS, .instance = i->number, .limits = limits};

        if (memcmp(&limits, &i->limits, sizeof(limits)) == 0 || !i->process->pid)
                return;
        /* What cannot be sent now is sent with the next comparison. */
        if (link_send(i->process->channel, &m, NULL, 0) == 0) {
                i->limits = limits;
                instance_keep(s, i, NULL);
        }
}

/* And so does what becomes of the server's memory. */
static void follow_memory(struct supervisor *s, struct instance *i, const struct iov_vadapter *va) {
        const bool pinned = va->memory == IOV_MEMORY_PINNED;
        const struct link_message m = {.type = LINK_SLOT_MEMORY, .instance = i->number, .flags = pinned ? LINK_PINNED : 0};

        if (pinned == i->pinned || !i->process->pid || link_send(i->process->channel, &m, NULL, 0) < 0)
                return;
        i->pinned = pinned;
        instance_keep(s, i, NULL);
}

void instance_set(struct supervisor *s, struct instance *i) {
        const struct iov_vadapter *va = iov_model_get(s->events->model(s->userdata), IOV_KIND_VADAPTER, i->vadapter);

        if (!va)
                return;
        follow_limits(s, i, va);
        follow_memory(s, i, va);
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

int instance_send_faults(struct supervisor *s, const struct instance *i) {
        const struct link_message reset = {.type = LINK_FAULT_RESET, .instance = i->number};
        const struct iov_volume *volumes[VPC_MEDIA_MAX];

        volumes_of(s, i, volumes);
        int r = link_send(i->process->channel, &reset, NULL, 0);
        return r < 0 ? r : faults_send(s->events->model(s->userdata), &i->persona, volumes, i->number, i->process->channel);
}

void supervisor_send_faults(struct supervisor *s) {
        for (const struct instance *i = s->instances; i; i = i->next) {
                int r = i->removing || !i->process->pid ? 0 : instance_send_faults(s, i);

                if (r < 0)
                        journal_event(s->journal, LOG_WARNING, JOURNAL_NO_UID, i->vadapter,
                                      "faults on demand do not reach its worker: %s", strerror(-r));
        }
}

/* Somebody has a medium, or has it still, who does not merely read it as the new one would. */
static bool holds(const struct instance *i, const struct vpc_medium *medium) {
        for (uint32_t n = 0; n < i->persona.n_media; n++) {
                const struct vpc_medium *m = &i->persona.media[n];

                if (m->size && m->unique_id == medium->unique_id && !(m->read_only && medium->read_only) &&
                    !(m->shared && medium->shared))
                        return true;
        }
        for (unsigned int n = 0; n < VPC_MEDIA_MAX && (i->showing || i->broken); n++)
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

/* What a vAdapter that is to be plugged must wait for: itself elsewhere, the slot, or a medium that must have one holder only. */
const struct instance *supervisor_in_the_way(struct supervisor *s, const struct iov_vadapter *va) {
        const struct iov_volume *volumes[VPC_MEDIA_MAX];
        struct vpc_persona persona;

        persona_make(s->events->model(s->userdata), va, &persona, volumes);
        for (const struct instance *i = s->instances; i; i = i->next)
                if (strcmp(i->vadapter, va->name) == 0 || (strcmp(i->server, va->at_server) == 0 && i->slot == va->at_slot) ||
                    holds_one_of(i, &persona))
                        return i;
        return NULL;
}

/* Those that are not yet shown and that another has, or has still, wait. */
static void drop_held(const struct supervisor *s, const struct instance *i, struct vpc_persona *wanted,
                      const struct iov_volume *volumes[VPC_MEDIA_MAX]) {
        uint32_t n = 0;

        for (uint32_t m = 0; m < wanted->n_media; m++) {
                const bool is_shown = persona_find(&i->persona, &wanted->media[m]);
                bool held = false;

                for (const struct instance *other = s->instances; other && !is_shown; other = other->next)
                        held |= other != i && holds(other, &wanted->media[m]);
                if (held)
                        continue;
                volumes[n] = volumes[m];
                wanted->media[n++] = wanted->media[m];
        }
        wanted->n_media = n;
}

static int open_fresh(struct supervisor *s, const struct media_change *change, const struct iov_volume *const *volumes,
                      struct link_message *m, int fds[VPC_MEDIA_MAX], struct supervisor_file files[VPC_MEDIA_MAX],
                      unsigned int *ret_n) {
        for (unsigned int k = 0; k < change->n_media; k++) {
                if (!(change->fresh >> k & 1))
                        continue;
                int r = medium_prepare(s, volumes[change->source[k]], &m->media[k], &m->media_kind[k], &fds[*ret_n]);
                if (r < 0)
                        return r;
                files[k] = supervisor_file_of(fds[(*ret_n)++]);
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
                    volume_is_in_memory(s, volumes[k]) && medium_prepare(s, volumes[k], &medium, &kind, &fd) == 0)
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
        if (r == 0) {
                instance_show_marks(s, i, change->fresh, change->media);
                r = link_send(i->process->channel, &m, fds, n);
        }
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
        for (unsigned int k = 0; k < VPC_MEDIA_MAX; k++)
                if (i->leaving[k])
                        i->awaited[k] = 0;
        instance_show_reservations(s, i, true);
        instance_show_reservations(s, i, false);
        i->showing = true;
        if (instance_keep(s, i, NULL) < 0)
                journal_log(s->journal, LOG_WARNING, "%s: the keeper does not know of its media", i->vadapter);
        supervisor_watch_removals(s);
        return instance_send_faults(s, i);
}

/* What is not the appliance's grows first, and by other hands. */
static void hold_growth(struct supervisor *s, struct instance *i, struct media_change *change) {
        const struct iov_volume *volumes[VPC_MEDIA_MAX];

        if (!change->differs)
                return;
        volumes_of(s, i, volumes);
        change->differs = change->fresh != 0;
        for (unsigned int k = 0; k < VPC_MEDIA_MAX; k++) {
                struct vpc_medium *m = &change->media[k];
                const struct vpc_medium *now = &i->persona.media[k];

                if (!(change->fresh >> k & 1) && volumes[k] && m->size > now->size && instance_look_grown(s, i, volumes[k]) < 0)
                        m->size = now->size;
                change->differs |= memcmp(m, now, sizeof(*m)) != 0;
        }
}

bool instance_follow(struct supervisor *s, struct instance *i, bool additions) {
        const struct iov_model *model = s->events->model(s->userdata);
        const struct iov_vadapter *va = iov_model_get(model, IOV_KIND_VADAPTER, i->vadapter);
        const struct iov_volume *volumes[VPC_MEDIA_MAX];
        struct vpc_persona persona;
        struct media_change change;

        if (!va || i->removing || i->showing || i->broken || !i->process->pid)
                return false;
        persona_make(model, va, &persona, volumes);
        media_change_make(&i->persona, &persona, true, &change);
        if (!change.differs || !instance_is_wanted(s, i))
                return false;
        const bool is_more = change.fresh;
        if (additions)
                drop_held(s, i, &persona, volumes);
        if (additions)
                instance_drop_missing(s, i, &persona, volumes);
        media_change_make(&i->persona, &persona, additions, &change);
        hold_growth(s, i, &change);
        int r = change.differs ? tell_media(s, i, &change, volumes) : 0;
        if (r < 0)
                journal_event(s->journal, LOG_ERR, JOURNAL_NO_UID, i->vadapter, "its namespaces cannot be changed: %s",
                              strerror(-r));
        return is_more;
}
