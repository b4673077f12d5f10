/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/host.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/host-private.h"
#include "util.h"

#define SECOND UINT64_C(1000000000)
#define DEAD_TIME (SECOND / 2) /* the worker's word that a client is there may still be on its way */
#define MENDS_MAX 3
#define DEATHS_MAX 2

#define QEMU_VERSION(major, minor, micro) ((uint32_t)(major) << 16 | (uint32_t)(minor) << 8 | (uint32_t)(micro))
/* The abort was seen in 11.1.3, and is presumed in all versions before the next major one. */
#define UNPLUG_MENDED QEMU_VERSION(12, 0, 0)

/* ---- telling ---- */

static void on_changed_timer(void *userdata) {
        const struct host *h = userdata;

        h->changed(h->userdata);
}

static void changed(struct host *h) {
        loop_timer_set(h->changed_timer, 0);
}

const char *host_get_path(const struct host *h) {
        return h->path;
}

bool host_is_ready(const struct host *h) {
        return h->is_ready;
}

const char *host_get_reason(const struct host *h) {
        return h->is_ready ? "" : h->reason;
}

uint32_t host_get_version(const struct host *h) {
        return h->version;
}

bool host_unplug_kills(const struct host *h) {
        return h->version < UNPLUG_MENDED;
}

void host_kick(struct host *h) {
        qmp_kick(h->qmp);
}

/* ---- ports ---- */

static void on_port_timer(void *userdata);

/* Written as QEMU writes it: digits, no leading zero. NULL: no port of ours. */
struct port *host_port(struct host *h, const char *slot) {
        char same[16];
        unsigned long n = strtoul(slot, NULL, 10);

        snprintf(same, sizeof(same), "%lu", n);
        return n < h->n_ports && strcmp(same, slot) == 0 ? &h->ports[n] : NULL;
}

static struct port *port_of_device(struct host *h, struct json_object *data) {
        struct json_object *id = NULL, *path = NULL;

        if (!data)
                return NULL;
        json_object_object_get_ex(data, "device", &id);
        json_object_object_get_ex(data, "path", &path);
        for (unsigned int i = 0; i < h->n_ports; i++) {
                const char *device = h->ports[i].device;

                if (*device &&
                    ((json_object_is_type(id, json_type_string) && strcmp(json_object_get_string(id), device) == 0) ||
                     (json_object_is_type(path, json_type_string) && strcmp(json_object_get_string(path), device) == 0)))
                        return &h->ports[i];
        }
        return NULL;
}

static void port_stop(struct port *p) {
        p->step = PORT_IDLE;
        p->timer = loop_source_remove(p->timer);
}

static void port_reset(struct port *p) {
        const unsigned int deaths = p->deaths + (p->step == PORT_PLUGGING);

        port_stop(p);
        *p = (struct port){.host = p->host, .slot = p->slot, .deaths = deaths};
}

static int port_set_timer(struct port *p, uint64_t delay_ns) {
        p->timer = loop_source_remove(p->timer);
        return loop_add_timer(p->host->loop, delay_ns, on_port_timer, p, &p->timer);
}

static void port_fail(struct port *p, enum port_failure failure, const char *reason) {
        port_stop(p);
        p->failure = failure;
        snprintf(p->reason, sizeof(p->reason), "%s", reason);
        changed(p->host);
}

static void port_is_empty(struct port *p) {
        port_stop(p);
        memset(p->device, 0, sizeof(p->device));
        p->msix = PORT_MSIX_UNKNOWN;
        p->failure = PORT_GOOD;
        p->is_dead = p->is_client = false;
        p->was_deleted = true;
        changed(p->host);
}

static void on_port_timer(void *userdata) {
        struct port *p = userdata;
        char reason[96];

        p->timer = loop_source_remove(p->timer);
        if (p->step == PORT_UNPLUGGING) {
                snprintf(reason, sizeof(reason), "the guest has not let go of it within %llu s",
                         (unsigned long long)(p->host->unplug_ns / SECOND));
                port_fail(p, PORT_UNPLUG_FAILED, reason);
        } else if (p->step == PORT_IDLE) {
                p->is_dead = true;
                changed(p->host);
        }
}

/* ---- the connection ---- */

static void forget_ports(struct host *h) {
        for (unsigned int i = 0; i < h->n_ports; i++)
                port_reset(&h->ports[i]);
}

static void on_up(void *userdata) {
        forget_ports(userdata);
        inventory_start(userdata);
}

void host_ready(struct host *h) {
        h->is_ready = true;
        changed(h);
}

/* Not even worth a time-out: what is there will not change by being asked again. The next event or end of it brings it back. */
void host_unusable(struct host *h, const char *reason) {
        h->is_ready = false;
        snprintf(h->reason, sizeof(h->reason), "%s", reason);
        changed(h);
}

static void on_down(void *userdata, const char *reason) {
        struct host *h = userdata;

        if (!h->is_ready && strcmp(h->reason, reason) == 0)
                return; /* one more try that ended like the last */
        h->is_ready = false;
        snprintf(h->reason, sizeof(h->reason), "%s", reason);
        forget_ports(h);
        changed(h);
}

static void on_event(void *userdata, const char *name, struct json_object *data) {
        struct host *h = userdata;
        struct port *p = port_of_device(h, data);

        if (!p)
                return;
        if (strcmp(name, "DEVICE_DELETED") == 0)
                port_is_empty(p);
        else if (strcmp(name, "DEVICE_UNPLUG_GUEST_ERROR") == 0 && p->step == PORT_UNPLUGGING)
                port_fail(p, PORT_UNPLUG_FAILED, "the guest refuses to let go of it");
}

static const struct qmp_events qmp_events = {.up = on_up, .down = on_down, .event = on_event};

/* ---- steps ---- */

static enum host_progress failed(struct port *p, const char **ret_reason) {
        *ret_reason = p->reason;
        return HOST_FAILED;
}

static enum host_progress failed_because(struct port *p, const char *reason, const char **ret_reason) {
        snprintf(p->reason, sizeof(p->reason), "%s", reason);
        return failed(p, ret_reason);
}

static void on_added(void *userdata, const char *subject, const struct qmp_reply *reply) {
        struct host *h = userdata;
        struct port *p = host_port(h, subject);
        char reason[256];

        if (!p || p->step != PORT_PLUGGING)
                return;
        if (reply->text) {
                snprintf(reason, sizeof(reason), "the hypervisor cannot plug it: %s", reply->text);
                port_fail(p, PORT_PLUG_FAILED, reason);
                return;
        }
        port_stop(p);
        memcpy(p->device, p->wanted, sizeof(p->device));
        p->is_client = true;
        p->deaths = 0;
        changed(h);
}

static void on_deleting(void *userdata, const char *subject, const struct qmp_reply *reply) {
        struct port *p = host_port(userdata, subject);
        char reason[256];

        /* The event that it is gone may have come before. */
        if (!p || p->step != PORT_UNPLUGGING || !reply->text)
                return;
        if (strcmp(reply->error_class, "DeviceNotFound") == 0) {
                port_is_empty(p);
        } else if (!strstr(reply->text, "in the process of unplug")) { /* asked twice: the first one still counts */
                snprintf(reason, sizeof(reason), "the hypervisor cannot unplug it: %s", reply->text);
                port_fail(p, PORT_UNPLUG_FAILED, reason);
        }
}

static enum host_progress start_plug(struct port *p, const struct host_device *d, const char **ret_reason) {
        struct json_object *arguments = json_object_new_object(), *socket = json_object_new_object();
        char bus[16], slot[16];

        snprintf(bus, sizeof(bus), "iov%u", p->slot);
        snprintf(slot, sizeof(slot), "%u", p->slot);
        json_object_object_add(arguments, "driver", json_object_new_string("vfio-user-pci"));
        json_object_object_add(arguments, "id", json_object_new_string(d->id));
        json_object_object_add(arguments, "bus", json_object_new_string(bus));
        json_object_object_add(socket, "type", json_object_new_string("unix"));
        json_object_object_add(socket, "path", json_object_new_string(d->socket));
        json_object_object_add(arguments, "socket", socket);
        snprintf(p->wanted, sizeof(p->wanted), "%s", d->id);
        p->failure = PORT_GOOD;
        p->was_deleted = p->is_dead = false;
        p->msix = d->has_msix ? PORT_MSIX_YES : PORT_MSIX_NO;
        int r = qmp_execute(p->host->qmp, "device_add", arguments, slot, on_added);
        if (r < 0) {
                p->failure = PORT_PLUG_FAILED;
                return failed_because(p, strerror(-r), ret_reason);
        }
        p->step = PORT_PLUGGING; /* qmp.c bounds the time of an answer */
        return HOST_BUSY;
}

static enum host_progress start_unplug(struct port *p, const char **ret_reason) {
        struct json_object *arguments = json_object_new_object();
        char slot[16];

        if (host_unplug_kills(p->host) && p->msix != PORT_MSIX_NO) {
                json_object_put(arguments);
                return failed_because(p, "this QEMU aborts when a device with MSI-X is unplugged: shut the server down first",
                                      ret_reason);
        }
        snprintf(slot, sizeof(slot), "%u", p->slot);
        json_object_object_add(arguments, "id", json_object_new_string(p->device));
        int r = port_set_timer(p, p->host->unplug_ns);
        if (r < 0)
                json_object_put(arguments);
        else
                r = qmp_execute(p->host->qmp, "device_del", arguments, slot, on_deleting);
        if (r < 0) {
                port_stop(p);
                p->failure = PORT_UNPLUG_FAILED;
                return failed_because(p, strerror(-r), ret_reason);
        }
        p->failure = PORT_GOOD;
        p->step = PORT_UNPLUGGING;
        return HOST_BUSY;
}

/* ---- what is asked for ---- */

/* Something is in the port, and no client is on the device's socket. */
static enum host_progress replace(struct port *p, const char **ret_reason) {
        char reason[sizeof(p->reason)];

        if (!p->is_client || strncmp(p->device, "va-", 3) != 0) {
                snprintf(reason, sizeof(reason), "root port iov%u is taken by %.64s", p->slot, p->device);
                return failed_because(p, reason, ret_reason);
        }
        if (!p->is_dead) {
                if (!p->timer && port_set_timer(p, DEAD_TIME) < 0)
                        return failed_because(p, "out of memory", ret_reason);
                return HOST_BUSY;
        }
        if (p->failure == PORT_UNPLUG_FAILED)
                return failed(p, ret_reason);
        if (p->mends >= MENDS_MAX)
                return failed_because(p, "the guest's device has lost its connection again and again", ret_reason);
        p->mends++;
        return start_unplug(p, ret_reason);
}

enum host_progress host_plug(struct host *h, const struct host_device *d, const char **ret_reason) {
        struct port *p = d->slot < h->n_ports ? &h->ports[d->slot] : NULL;
        char reason[sizeof(p->reason)];

        if (!h->is_ready || !p)
                return HOST_AWAY;
        if (p->step != PORT_IDLE)
                return HOST_BUSY;
        if (d->is_connected && *p->device && p->is_client) {
                p->timer = loop_source_remove(p->timer);
                p->is_dead = false;
                p->msix = d->has_msix ? PORT_MSIX_YES : PORT_MSIX_NO;
                return HOST_DONE;
        }
        /* Plugged in by someone else in some other way; or just unplugged, and its connection is about to end. */
        if (d->is_connected)
                return p->was_deleted ? HOST_BUSY : HOST_DONE;
        if (!p->exists) {
                snprintf(reason, sizeof(reason), "the guest has no root port iov%u: see 'iovctl server args --ports'", p->slot);
                return failed_because(p, reason, ret_reason);
        }
        if (*p->device)
                return replace(p, ret_reason);
        if (p->failure == PORT_PLUG_FAILED && strcmp(p->wanted, d->id) == 0)
                return failed(p, ret_reason);
        /* It may be our doing: a guest must not die of it again and again. */
        if (p->deaths >= DEATHS_MAX)
                return failed_because(p, "the hypervisor has ended or hung each time it was to plug it", ret_reason);
        return start_plug(p, d, ret_reason);
}

enum host_progress host_unplug(struct host *h, const struct host_device *d, const char **ret_reason) {
        struct port *p = d->slot < h->n_ports ? &h->ports[d->slot] : NULL;
        char reason[sizeof(p->reason)];

        if (!h->is_ready || !p)
                return HOST_AWAY;
        if (p->step != PORT_IDLE)
                return HOST_BUSY;
        if (!*p->device || !p->is_client) {
                if (!d->is_connected || p->was_deleted)
                        return HOST_DONE;
                snprintf(reason, sizeof(reason), "the hypervisor does not have it in root port iov%u", p->slot);
                return failed_because(p, reason, ret_reason);
        }
        if (d->is_connected)
                p->msix = d->has_msix ? PORT_MSIX_YES : PORT_MSIX_NO;
        if (p->failure == PORT_UNPLUG_FAILED)
                return failed(p, ret_reason);
        return start_unplug(p, ret_reason);
}

bool host_is_plugging(const struct host *h, unsigned int slot) {
        return slot < h->n_ports && h->ports[slot].step == PORT_PLUGGING;
}

void host_retry(struct host *h, unsigned int slot) {
        if (slot >= h->n_ports)
                return;
        h->ports[slot].failure = PORT_GOOD;
        h->ports[slot].mends = h->ports[slot].deaths = 0;
}

/* ---- life ---- */

int host_new(struct loop *loop, const char *path, unsigned int n_ports, uint64_t unplug_ns, void (*changed_fn)(void *userdata),
             void *userdata, struct host **ret_host) {
        struct host *h = calloc(1, sizeof(*h));
        int r = -ENOMEM;

        if (!h)
                return -ENOMEM;
        h->loop = loop;
        h->unplug_ns = unplug_ns;
        h->changed = changed_fn;
        h->userdata = userdata;
        h->n_ports = n_ports;
        snprintf(h->path, sizeof(h->path), "%s", path);
        snprintf(h->reason, sizeof(h->reason), "not connected yet");
        h->ports = calloc(n_ports + 1u, sizeof(*h->ports));
        for (unsigned int i = 0; h->ports && i < n_ports; i++)
                h->ports[i] = (struct port){.host = h, .slot = i};
        if (h->ports)
                r = loop_add_timer(loop, UINT64_MAX, on_changed_timer, h, &h->changed_timer);
        if (r == 0)
                r = qmp_new(loop, path, &qmp_events, h, &h->qmp);
        if (r < 0) {
                host_free(h);
                return r;
        }
        *ret_host = h;
        return 0;
}

struct host *host_free(struct host *h) {
        if (!h)
                return NULL;
        qmp_free(h->qmp);
        for (unsigned int i = 0; h->ports && i < h->n_ports; i++)
                loop_source_remove(h->ports[i].timer);
        loop_source_remove(h->changed_timer);
        free(h->ports);
        free(h);
        return NULL;
}
