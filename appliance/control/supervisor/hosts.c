/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/supervisor/hosts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "util.h"

struct entry {
        struct hosts *hosts;
        char server[IOV_NAME_SIZE];
        struct host *host;
        bool was_ready;
        struct entry *next;
};

struct hosts {
        struct loop *loop;
        struct journal *journal;
        unsigned int unplug_s;
        const struct hosts_events *events;
        void *userdata;
        struct entry *entries;
};

static void on_changed(void *userdata) {
        struct entry *e = userdata;
        struct hosts *hosts = e->hosts;
        const bool ready = host_is_ready(e->host);
        const uint32_t version = host_get_version(e->host);

        if (ready && !e->was_ready)
                journal_event(hosts->journal, LOG_INFO, JOURNAL_NO_UID, e->server, "its hypervisor answers: QEMU %u.%u.%u",
                              version >> 16, version >> 8 & 255, version & 255);
        else if (!ready && e->was_ready)
                journal_event(hosts->journal, LOG_NOTICE, JOURNAL_NO_UID, e->server, "its hypervisor is away: %s",
                              host_get_reason(e->host));
        else if (!ready)
                journal_log(hosts->journal, LOG_INFO, "%s: %s: %s", e->server, host_get_path(e->host), host_get_reason(e->host));
        e->was_ready = ready;
        hosts->events->status(hosts->userdata, e->server, e->host);
        hosts->events->changed(hosts->userdata); /* may free the entry */
}

static struct entry *entry_of(const struct hosts *hosts, const char *server) {
        for (struct entry *e = hosts->entries; e; e = e->next)
                if (strcmp(e->server, server) == 0)
                        return e;
        return NULL;
}

static void entry_remove(struct hosts *hosts, struct entry *gone) {
        for (struct entry **e = &hosts->entries; *e; e = &(*e)->next)
                if (*e == gone) {
                        *e = gone->next;
                        break;
                }
        host_free(gone->host);
        free(gone);
}

static void entry_add(struct hosts *hosts, const struct iov_model *model, const struct iov_server *s) {
        struct entry *e = calloc(1, sizeof(*e));
        int r = -ENOMEM;

        if (e) {
                e->hosts = hosts;
                memcpy(e->server, s->name, sizeof(e->server));
                r = host_new(hosts->loop, s->qemu, iov_model_get_slots(model), (uint64_t)hosts->unplug_s * UINT64_C(1000000000),
                             on_changed, e, &e->host);
        }
        if (r < 0) {
                free(e);
                journal_event(hosts->journal, LOG_ERR, JOURNAL_NO_UID, s->name, "cannot drive its hypervisor: %s", strerror(-r));
                return;
        }
        e->next = hosts->entries;
        hosts->entries = e;
        hosts->events->status(hosts->userdata, e->server, e->host);
}

void hosts_sync(struct hosts *hosts, const struct iov_model *model) {
        const struct iov_server *s;
        struct entry *e, *next;

        for (e = hosts->entries; e; e = next) {
                next = e->next;
                s = iov_model_get(model, IOV_KIND_SERVER, e->server);
                if (s && strcmp(s->qemu, host_get_path(e->host)) == 0)
                        continue;
                /* What is still in the guest of a server that goes must be unplugged first. */
                if ((!s || !*s->qemu) && hosts->events->in_use(hosts->userdata, e->server))
                        continue;
                char server[IOV_NAME_SIZE];
                memcpy(server, e->server, sizeof(server));
                entry_remove(hosts, e);
                hosts->events->status(hosts->userdata, server, NULL);
        }
        iov_model_foreach (model, IOV_KIND_SERVER, s)
                if (*s->qemu && !entry_of(hosts, s->name))
                        entry_add(hosts, model, s);
}

struct host *hosts_get(const struct hosts *hosts, const char *server) {
        const struct entry *e = entry_of(hosts, server);

        return e ? e->host : NULL;
}

int hosts_new(struct loop *loop, struct journal *journal, unsigned int unplug_s, const struct hosts_events *events,
              void *userdata, struct hosts **ret_hosts) {
        struct hosts *hosts = calloc(1, sizeof(*hosts));

        if (!hosts)
                return -ENOMEM;
        hosts->loop = loop;
        hosts->journal = journal;
        hosts->unplug_s = unplug_s;
        hosts->events = events;
        hosts->userdata = userdata;
        *ret_hosts = hosts;
        return 0;
}

struct hosts *hosts_free(struct hosts *hosts) {
        if (!hosts)
                return NULL;
        while (hosts->entries)
                entry_remove(hosts, hosts->entries);
        free(hosts);
        return NULL;
}
