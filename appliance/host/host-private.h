/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What host.c and inventory.c share. */
#ifndef IOV_HOST_HOST_PRIVATE_H
#define IOV_HOST_HOST_PRIVATE_H

#include "host/host.h"
#include "host/qmp.h"

#define PERIPHERAL "/machine/peripheral/"
#define DEVICE_SIZE 128

enum port_step { PORT_IDLE, PORT_PLUGGING, PORT_UNPLUGGING };
enum port_failure { PORT_GOOD, PORT_PLUG_FAILED, PORT_UNPLUG_FAILED };
enum port_msix { PORT_MSIX_UNKNOWN, PORT_MSIX_NO, PORT_MSIX_YES };

/* A root port of the guest. */
struct port {
        struct host *host;
        unsigned int slot;
        bool exists;
        char device[DEVICE_SIZE]; /* what is in it: QEMU's id for it, or its QOM path; empty: nothing */
        bool is_client;           /* it is a vfio-user-pci */
        enum port_msix msix;
        bool was_deleted;    /* the last device has been unplugged, its connection may not have ended yet */
        bool is_dead;        /* it has been without a connection for a while */
        unsigned int mends;  /* how often a dead one has been replaced */
        unsigned int deaths; /* how often the hypervisor has ended or hung while it plugged something in here */
        enum port_step step;
        enum port_failure failure;
        char wanted[DEVICE_SIZE]; /* what the step or the failure is about */
        char reason[256];
        struct loop_source *timer; /* of the step, or until is_dead */
};

struct host {
        struct loop *loop;
        struct qmp *qmp;
        char path[108];
        uint64_t unplug_ns;
        void (*changed)(void *userdata);
        void *userdata;
        struct loop_source *changed_timer;
        bool is_ready;
        char reason[256];
        uint32_t version;
        unsigned int asked; /* questions of the inventory that are not answered yet */
        unsigned int n_ports;
        struct port *ports;
};

/* inventory.c: find out the version, the ports and what is in them; ends in host_ready() or host_unusable(). */
void inventory_start(struct host *host);

/* host.c */
struct port *host_port(struct host *host, const char *slot);
void host_ready(struct host *host);
void host_unusable(struct host *host, const char *reason);

#endif
