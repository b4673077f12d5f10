/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hypervisor: from whether an instance is wanted where it is to the next step. */
#include "control/supervisor/supervisor-private.h"

#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "control/supervisor/hosts.h"
#include "control/volumes/media-change.h"
#include "control/persona.h"
#include "util.h"

bool instance_is_wanted(struct supervisor *s, const struct instance *i) {
        const struct iov_model *model = s->events->model(s->userdata);
        const struct iov_vadapter *va = iov_model_get(model, IOV_KIND_VADAPTER, i->vadapter);
        const struct iov_volume *volumes[VPC_MEDIA_MAX];
        struct vpc_persona persona;
        struct media_change change;

        if (!va || va->at_slot != i->slot || strcmp(va->at_server, i->server) != 0 || !iov_vadapter_is_reachable(model, va))
                return false;
        const struct vpc_model *device = persona_make(model, va, &persona, volumes);
        if (!device)
                return false;
        /* `auto` is decided when the device is made, and again as long as nobody has it. */
        if (persona.interrupts == IOV_INTERRUPTS_AUTO && device->description->msix_vectors)
                persona.interrupts =
                        i->connected || i->plugging ? i->persona.interrupts : supervisor_auto_interrupts(s, i->server);
        if (!persona_same_face(&persona, &i->persona))
                return false;
        if (device->show)
                return true; /* its media follow while a server has it */
        media_change_make(&i->persona, &persona, true, &change);
        return !change.differs;
}

static bool is_cut_off(struct supervisor *s, const struct instance *i) {
        const struct iov_model *model = s->events->model(s->userdata);
        const struct iov_vadapter *va = iov_model_get(model, IOV_KIND_VADAPTER, i->vadapter);

        return va && strcmp(va->at_server, i->server) == 0 && !iov_vadapter_is_reachable(model, va);
}

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
                field_cut(i->reason, sizeof(i->reason), reason);
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
void instance_drive(struct supervisor *s, struct instance *i) {
        struct host *host = hosts_get(s->hosts, i->server);
        char id[IOV_NAME_SIZE + 4];
        struct host_device device = {
                .slot = i->slot,
                .id = "",
                .socket = i->socket,
                .has_msix = i->interrupts == IOV_INTERRUPTS_MSIX,
                .is_connected = i->connected,
        };

        /* As 'iovctl server args' names it: QEMU's ids begin with a letter, names of vAdapters need not. */
        if (host) {
                snprintf(id, sizeof(id), "va-%s", i->vadapter);
                device.id = id;
        }
        if (!instance_is_wanted(s, i)) {
                /* Nobody is asked where a link fails, or something is pulled. */
                i->forced |= is_cut_off(s, i);
                drive_unwanted(s, i, host, &device);
        } else if (i->broken) {
                instance_show(s, i, IOV_VADAPTER_FAILED, i->reason);
        } else {
                drive_wanted(s, i, host, &device);
        }
}
