/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The driver of a server's hypervisor: it plugs vAdapters into the guest's root ports iov0, iov1 ... and unplugs them.
 *
 * There are no requests that could get lost. Who wants something asks for it again whenever changed() is called, and is told how
 * far it is; the driver takes the next step by itself. Each step ends in done or failed within a bounded time.
 */
#ifndef IOV_HOST_HOST_H
#define IOV_HOST_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "loop/loop.h"

struct host;

enum host_progress {
        HOST_AWAY,   /* the hypervisor cannot be asked now; host_get_reason() */
        HOST_BUSY,   /* under way: changed() follows */
        HOST_DONE,   /* as asked for */
        HOST_FAILED, /* will not be tried again before host_retry() or a new connection; *ret_reason */
};

/* A vAdapter as its hypervisor is told of it. */
struct host_device {
        unsigned int slot;
        const char *id;     /* of the device in QEMU */
        const char *socket; /* path of its vfio-user socket */
        bool has_msix;
        bool is_connected; /* a client is on that socket */
};

/* `path` is that of the QMP socket; ports are iov0 to iov(n_ports - 1). A guest has `unplug_ns` to let go of a device. changed()
 * is called from the loop, never from within a call of these functions, and may free the driver. */
int host_new(struct loop *loop, const char *path, unsigned int n_ports, uint64_t unplug_ns, void (*changed)(void *userdata),
             void *userdata, struct host **ret_host);
struct host *host_free(struct host *host);
const char *host_get_path(const struct host *host);
/* The hypervisor answers, and what is in its ports is known. */
bool host_is_ready(const struct host *host);
/* Why it is not ready; "" where it is. */
const char *host_get_reason(const struct host *host);
/* As it says: major << 16 | minor << 8 | micro; kept while it is away, 0: never heard of. */
uint32_t host_get_version(const struct host *host);
/* This version of QEMU aborts when a vfio-user device with an MSI-X capability is unplugged. True as long as nothing is known. */
bool host_unplug_kills(const struct host *host);
/* Its guest has just been seen alive: look for it now. */
void host_kick(struct host *host);

/* Have the device in its port, and only one that is connected: a dead one of ours is taken out first, where that is safe. */
enum host_progress host_plug(struct host *host, const struct host_device *device, const char **ret_reason);
/* Have it out of its port. A device with MSI-X is left alone where unplugging it would kill the guest: HOST_FAILED. */
enum host_progress host_unplug(struct host *host, const struct host_device *device, const char **ret_reason);
/* A device is being plugged into that slot: its socket must not be closed now, which would end the guest. */
bool host_is_plugging(const struct host *host, unsigned int slot);
/* Forget that something failed in that slot. */
void host_retry(struct host *host, unsigned int slot);

#endif
