/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hypervisors of the servers that have one: a driver for each. */
#ifndef IOV_CONTROL_HOSTS_H
#define IOV_CONTROL_HOSTS_H

#include "control/journal.h"
#include "host/host.h"
#include "iov/libiov.h"

struct hosts;

struct hosts_events {
        /* Something is new with some of them; `status` has been called for each that came, went or changed. */
        void (*changed)(void *userdata);
        /* `host` NULL: the server has none any more. */
        void (*status)(void *userdata, const char *server, const struct host *host);
        /* Whether a guest of that server may still have something of ours, so that its hypervisor is needed. */
        bool (*in_use)(void *userdata, const char *server);
};

int hosts_new(struct loop *loop, struct journal *journal, unsigned int unplug_s, const struct hosts_events *events,
              void *userdata, struct hosts **ret_hosts);
struct hosts *hosts_free(struct hosts *hosts);
/* Have a driver for each server of the model that names a hypervisor. */
void hosts_sync(struct hosts *hosts, const struct iov_model *model);
/* NULL: it has none. */
struct host *hosts_get(const struct hosts *hosts, const char *server);

#endif
