/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A transport: how the registers of the management function are reached. Everything above it (appliance.c, mailbox.c, tables.c)
 * is the same for all of them. A transport logs nothing while it opens: it fills in `why`, so that one message says all.
 */
#ifndef IOV_TRANSPORT_H
#define IOV_TRANSPORT_H

#include <stddef.h>
#include <stdint.h>

#include "iov/libiov.h"

#define TRANSPORT_TIMEOUT_MS 5000   /* for an answer */
#define TRANSPORT_COMMAND_FACTOR 12 /* a mailbox command may have to wait for disks: a minute */
#define TRANSPORT_START_MS 30000    /* for a private iovd that loads its state */
#define TRANSPORT_WHY_SIZE 512

struct transport;

struct transport_ops {
        /* Within BAR `bar`, which was checked to be big enough; naturally aligned where 4 or 8 bytes. */
        int (*read)(struct transport *t, unsigned int bar, uint64_t offset, void *buffer, size_t size);
        int (*write)(struct transport *t, unsigned int bar, uint64_t offset, const void *buffer, size_t size);
        /* The same without waiting until it is done: what follows comes after it (PCI Express Base 3.0 section 2.4.1). */
        int (*post)(struct transport *t, unsigned int bar, uint64_t offset, const void *buffer, size_t size);
        /* IOV_BAR2_SIZE bytes of BAR2, read only, until close; -EOPNOTSUPP. */
        int (*map)(struct transport *t, const void **ret_tables);
        /* Wait until the appliance may have something new to say: for that long, or less. An error where it is gone. */
        int (*wait)(struct transport *t, int timeout_ms);
        /*
         * From the first call on the appliance interrupts: wait() ends when it does, and the descriptor can be polled for
         * reading, until wait() has been called. -EOPNOTSUPP: it has to be looked at again and again. What was to be told before
         * is not told any more.
         */
        int (*get_fd)(struct transport *t);
        /* Frees it. */
        void (*close)(struct transport *t);
        /* Why the transport is of no use any more, NULL: it is; the string is good until close. */
        const char *(*problem)(struct transport *t);
};

struct transport {
        const struct transport_ops *ops;
        int timeout_ms; /* for an answer, from now on */
};

/* The vfio-user management function behind a connected socket, which is taken over (closed on failure too). */
int transport_vfio_user_new(int fd, int timeout_ms, char why[TRANSPORT_WHY_SIZE], struct transport **ret_transport);
/* A running iovd's socket. */
int transport_unix_open(const char *path, int timeout_ms, char why[TRANSPORT_WHY_SIZE], struct transport **ret_transport);
/* A private iovd over the state in `directory`, "": in a temporary one. `ctx` and `address` (kept) are for what iovd has to say
 * later. */
int transport_sim_open(struct iov_ctx *ctx, const char *address, const char *directory, int timeout_ms,
                       char why[TRANSPORT_WHY_SIZE], struct transport **ret_transport);
/* A PCI function of this machine: `address` is BDF, "": the only one; `sysfs` is TRANSPORT_SYSFS but for tests. */
#define TRANSPORT_SYSFS "/sys/bus/pci"
int transport_pci_open(const char *sysfs, const char *address, int timeout_ms, char why[TRANSPORT_WHY_SIZE],
                       struct transport **ret_transport);

#endif
