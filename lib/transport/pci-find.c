/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pci-find.h"

#include <errno.h>
#include <pci/pci.h>
#include <setjmp.h>
#include <stdarg.h>

#include "util.h"

/* libpci's errors do not return, and a library must not end its program: so they jump. They come from calls below find() only. */
static _Thread_local jmp_buf on_error;
static _Thread_local char error_text[TRANSPORT_WHY_SIZE / 2];

__attribute__((noreturn, format(printf, 1, 2))) static void libpci_error(char *format, ...) {
        va_list args;

        va_start(args, format);
        vsnprintf(error_text, sizeof(error_text), format, args);
        va_end(args);
        longjmp(on_error, 1);
}

__attribute__((format(printf, 1, 2))) static void libpci_message(char *format, ...) {
}

static bool is_management(const struct pci_dev *dev) {
        return dev->vendor_id == IOV_MGMT_VENDOR_ID && dev->device_id == IOV_MGMT_DEVICE_ID;
}

static bool is_wanted(const struct pci_dev *dev, const struct pci_filter *filter) {
        if (filter->bus < 0)
                return is_management(dev);
        return dev->domain == filter->domain && dev->bus == filter->bus && dev->dev == filter->slot && dev->func == filter->func;
}

/* What was found: how many that are wanted, and what the first is. */
struct found {
        unsigned int n;
        bool is_management;
        unsigned int vendor_id, device_id;
        struct pci_function function;
};

static void describe(struct pci_dev *dev, struct found *found) {
        struct pci_function *f = &found->function;

        found->is_management = is_management(dev);
        found->vendor_id = dev->vendor_id;
        found->device_id = dev->device_id;
        f->memory_enabled = pci_read_word(dev, PCI_COMMAND) & PCI_COMMAND_MEMORY;
        snprintf(f->address, sizeof(f->address), "%04x:%02x:%02x.%d", (unsigned int)dev->domain, dev->bus, dev->dev, dev->func);
        for (unsigned int i = 0; i < ARRAY_LENGTH(f->bar_size); i++)
                if ((dev->base_addr[i] & PCI_BASE_ADDRESS_SPACE) == PCI_BASE_ADDRESS_SPACE_MEMORY &&
                    dev->base_addr[i] & PCI_ADDR_MEM_MASK)
                        f->bar_size[i] = dev->size[i];
}

/* Everything that may jump, and nothing that a jump could leave half done. */
static int scan(struct pci_access *access, const struct pci_filter *filter, struct found *found) {
        if (setjmp(on_error))
                return -ENODEV;
        pci_init(access);
        pci_scan_bus(access);
        for (struct pci_dev *dev = access->devices; dev; dev = dev->next) {
                pci_fill_info(dev, PCI_FILL_IDENT | PCI_FILL_BASES | PCI_FILL_SIZES);
                if (is_wanted(dev, filter) && found->n++ == 0)
                        describe(dev, found);
        }
        return 0;
}

static int find(struct pci_access *access, const struct pci_filter *filter, char why[TRANSPORT_WHY_SIZE],
                struct pci_function *ret_function) {
        struct found found = {0};

        if (scan(access, filter, &found) < 0) {
                snprintf(why, TRANSPORT_WHY_SIZE, "looking through the PCI functions failed: %s", error_text);
                return -ENODEV;
        }
        if (found.n == 0) {
                snprintf(why, TRANSPORT_WHY_SIZE, "%s",
                         filter->bus < 0 ? "no management function is among this machine's PCI functions; "
                                           "'iovctl server args SERVER --management' cables one"
                                         : "there is no such PCI function; lspci lists them");
                return -ENODEV;
        }
        if (found.n > 1) {
                snprintf(
                        why, TRANSPORT_WHY_SIZE,
                        "%u management functions are here; say which, as pci:BUS:DEVICE.FUNCTION (lspci -d %04x:%04x lists them)",
                        found.n, IOV_MGMT_VENDOR_ID, IOV_MGMT_DEVICE_ID);
                return -EINVAL;
        }
        if (!found.is_management) {
                snprintf(why, TRANSPORT_WHY_SIZE,
                         "it is not the management function of an appliance (vendor 0x%04x, device 0x%04x)", found.vendor_id,
                         found.device_id);
                return -EPROTO;
        }
        *ret_function = found.function;
        return 0;
}

/* Every part must be there: a slot without a bus, or a function of all devices, is no address. */
static int parse(struct pci_access *access, const char *address, struct pci_filter *filter) {
        char copy[32];

        pci_filter_init(access, filter);
        if (!*address)
                return 0;
        if (field_set(copy, sizeof(copy), address) < 0 || pci_filter_parse_slot(filter, copy))
                return -EINVAL;
        if (filter->domain < 0)
                filter->domain = 0;
        return filter->bus < 0 || filter->slot < 0 || filter->func < 0 ? -EINVAL : 0;
}

int pci_find(const char *sysfs, const char *address, char why[TRANSPORT_WHY_SIZE], struct pci_function *ret_function) {
        struct pci_access *pci = NULL;
        struct pci_filter filter;
        char path[256];

        if (snprintf(path, sizeof(path), "%s/devices", sysfs) >= (int)sizeof(path) || access(path, R_OK) < 0) {
                snprintf(why, TRANSPORT_WHY_SIZE, "this machine has no PCI functions, or shows none (%s)", sysfs);
                return -ENODEV;
        }
        pci = pci_alloc();
        pci->method = PCI_ACCESS_SYS_BUS_PCI;
        pci->error = libpci_error;
        pci->warning = pci->debug = libpci_message;
        int r = parse(pci, address, &filter);
        if (r < 0)
                snprintf(why, TRANSPORT_WHY_SIZE, "a PCI address is [DOMAIN:]BUS:DEVICE.FUNCTION, such as pci:0000:05:00.0");
        else if (pci_set_param(pci, (char *)"sysfs.path", (char *)sysfs) < 0)
                r = -ENOMEM;
        else
                r = find(pci, &filter, why, ret_function);
        pci_cleanup(pci);
        return r;
}
