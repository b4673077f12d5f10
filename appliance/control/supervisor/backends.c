/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Volumes that are not in the state directory: what must be found, or set aside, before a device is plugged, and connections to
 * servers. */
#include "control/supervisor/supervisor-private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "backend.h"
#include "control/volumes/backends.h"
#include "control/volumes/media-change.h"
#include "control/persona.h"
#include "control/volumes/ram-volumes.h"
#include "control/volumes/volumes.h"
#include "link/channel.h"
#include "util.h"

#define ASKS_MAX 20u /* of a slot's media in a second: more is no honest worker's */

static const struct iov_adapter *adapter_of(const struct supervisor *s, const struct iov_volume *volume) {
        return iov_model_get(s->events->model(s->userdata), IOV_KIND_ADAPTER, volume->adapter);
}

static int look(struct supervisor *s, const struct iov_volume *volume, bool read_only, const char **ret_why) {
        const struct iov_adapter *adapter = adapter_of(s, volume);

        if (volume_is_in_memory(s, volume))
                return ram_volumes_look(s->ram_volumes, volume, ret_why);
        return adapter && *adapter->backend ? backends_look(s->backends, adapter, volume, read_only, ret_why) : 0;
}

int supervisor_look(struct supervisor *s, const struct iov_vadapter *va, char reason[104]) {
        const struct iov_volume *volumes[VPC_MEDIA_MAX];
        struct vpc_persona persona;
        int result = 0;

        persona_make(s->events->model(s->userdata), va, &persona, volumes);
        for (uint32_t n = 0; n < persona.n_media; n++) { /* all, so that they are looked for side by side */
                const char *why = "";
                int r = look(s, volumes[n], persona.media[n].read_only, &why);

                if (r == 0 || (result < 0 && (result != -EINPROGRESS || r == -EINPROGRESS)))
                        continue;
                result = r;
                if (r == -EINPROGRESS)
                        snprintf(reason, 104,
                                 volume_is_in_memory(s, volumes[n]) ? "sets memory aside for volume %.63s"
                                                                    : "looks for volume %.63s",
                                 volumes[n]->name);
                else
                        snprintf(reason, 104, "volume %.40s: %.50s", volumes[n]->name, why);
        }
        return result;
}

bool supervisor_lacks_backend(struct supervisor *s, const struct iov_vadapter *va) {
        const struct iov_volume *volumes[VPC_MEDIA_MAX];
        struct vpc_persona persona;
        bool lacks = false;

        if (va->state != IOV_VADAPTER_FAILED && backends_is_empty(s->backends))
                return false;
        persona_make(s->events->model(s->userdata), va, &persona, volumes);
        for (uint32_t n = 0; n < persona.n_media; n++) {
                backends_keep(s->backends, volumes[n]->id);
                lacks |= backends_has_failed(s->backends, volumes[n]->id) ||
                         ram_volumes_has_failed(s->ram_volumes, volumes[n]->id);
        }
        return lacks;
}

void instance_drop_missing(struct supervisor *s, struct instance *i, struct vpc_persona *wanted,
                           const struct iov_volume *volumes[VPC_MEDIA_MAX]) {
        uint32_t n = 0;

        for (uint32_t m = 0; m < wanted->n_media; m++) {
                const char *why = "";
                int r = persona_find(&i->persona, &wanted->media[m]) ? 0 : look(s, volumes[m], wanted->media[m].read_only, &why);

                if (r < 0 && r != -EINPROGRESS)
                        instance_tell_missing(s, i, volumes[m]->name, why);
                if (r < 0)
                        continue;
                volumes[n] = volumes[m];
                wanted->media[n++] = wanted->media[m];
        }
        wanted->n_media = n;
}

void instance_tell_missing(struct supervisor *s, struct instance *i, const char *volume, const char *why) {
        char text[sizeof(i->missing)];

        snprintf(text, sizeof(text), "volume %.63s: %.104s", volume, why);
        if (strcmp(text, i->missing) != 0)
                journal_event(s->journal, LOG_ERR, JOURNAL_NO_UID, i->vadapter, "its namespaces cannot be changed: %s", text);
        memcpy(i->missing, text, sizeof(i->missing));
}

/* Never exclusively: the worker has it open. */
int instance_look_grown(struct supervisor *s, struct instance *i, const struct iov_volume *volume) {
        struct backend_volume found;
        const char *why = "";
        int r = look(s, volume, true, &why);

        if (r < 0 && r != -EINPROGRESS)
                instance_tell_missing(s, i, volume->name, why);
        if (r == 0 && backends_take(s->backends, volume->id, true, &found) == 0 && found.fd >= 0)
                close(found.fd);
        return r;
}

/* ---- connections to NBD servers ---- */

static void on_connected(void *userdata, uint64_t number, uint32_t medium, uint64_t question, int fd, const char *why) {
        struct supervisor *s = userdata;
        struct link_message m = {.type = LINK_MEDIUM_SOCKET, .level = medium, .instance = number, .hits = question};
        const struct instance *i = instance_by_number(s, number);

        snprintf(m.text, sizeof(m.text), "%s", why);
        if (i && i->process->pid) /* where it is not sent it is asked for again */
                link_send(i->process->channel, &m, &fd, fd >= 0);
        if (fd >= 0)
                close(fd);
}

static const struct iov_volume *volume_at(struct supervisor *s, const struct instance *i, uint32_t medium) {
        if (medium >= i->persona.n_media || !i->persona.media[medium].size)
                return NULL;
        return volume_by_id(s->events->model(s->userdata), i->persona.media[medium].unique_id);
}

void instance_on_trouble(struct supervisor *s, const struct instance *i, const struct link_message *m) {
        const struct iov_volume *volume = volume_at(s, i, m->medium);

        if (volume)
                journal_event(s->journal, (int)(m->level & 7), JOURNAL_NO_UID, volume->name, "%s (%s on server %s)", m->text,
                              i->vadapter, i->server);
}

/* It gets what it shows, and nothing else, whatever it asks for. */
void instance_connect(struct supervisor *s, struct instance *i, const struct link_message *m) {
        const uint64_t second = monotonic_ns() / SUPERVISOR_SECOND;

        i->n_asks = i->asks_second == second ? i->n_asks + 1 : 1;
        i->asks_second = second;
        if (i->n_asks > ASKS_MAX) {
                on_connected(s, i->number, m->level, m->hits, -1, "it is asked for too often");
                return;
        }
        const struct iov_volume *volume = volume_at(s, i, m->level);
        const struct iov_adapter *adapter = volume ? adapter_of(s, volume) : NULL;
        if (!adapter || backend_kind_of(adapter->backend) != BACKEND_NBD ||
            backends_connect(s->backends, adapter, volume, i->number, m->level, m->hits, on_connected) < 0)
                on_connected(s, i->number, m->level, m->hits, -1, "the volume is not on an NBD server");
}

bool supervisor_has_nbd(const struct supervisor *s) {
        const struct iov_adapter *adapter;

        iov_model_foreach (s->events->model(s->userdata), IOV_KIND_ADAPTER, adapter)
                if (backend_kind_of(adapter->backend) == BACKEND_NBD)
                        return true;
        return false;
}
