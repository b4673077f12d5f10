/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finding the management function among the PCI functions of this machine, with libpci. */
#ifndef IOV_TRANSPORT_PCI_FIND_H
#define IOV_TRANSPORT_PCI_FIND_H

#include <stdbool.h>
#include <stdint.h>

#include "transport.h"

struct pci_function {
        char address[32];     /* DDDD:BB:DD.F, as in sysfs */
        uint64_t bar_size[6]; /* 0: no such BAR, or it has no address */
        bool memory_enabled;  /* the function answers to its memory BARs */
};

/*
 * `address` is [DOMAIN:]BUS:DEVICE.FUNCTION, "": the only management function there is. `sysfs` is /sys/bus/pci but for tests.
 * -EINVAL: malformed, or there are several; -ENODEV: there is none, -EPROTO: it is something else.
 */
int pci_find(const char *sysfs, const char *address, char why[TRANSPORT_WHY_SIZE], struct pci_function *ret_function);

#endif
