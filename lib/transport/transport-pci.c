/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pci:BDF: the management function as a PCI function of this machine; its BARs are mapped from sysfs. Registers are read and
 * written with accesses of their own size, naturally aligned. The function has one mailbox, so tools take turns: the lock is held
 * while the appliance is open.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "appliance.h"
#include "pci-find.h"
#include "transport.h"
#include "util.h"

#define LOCK_POLL_MS 10

struct pci_transport {
        struct transport base;
        char directory[300]; /* of the function, in sysfs */
        int fd;              /* of BAR0, locked */
        unsigned char *bar0;
        void *tables;
        bool is_gone;
};

static void sleep_ms(int ms) {
        const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

        nanosleep(&t, NULL);
}

/* ---- access ---- */

/* The largest naturally aligned piece at the start of a range. */
static unsigned int natural_piece(uint64_t offset, size_t size) {
        unsigned int piece = 8;

        while (piece > size || offset % piece)
                piece /= 2;
        return piece;
}

static void read_piece(const volatile unsigned char *from, void *to, unsigned int size) {
        const uint64_t v = size == 8   ? *(const volatile uint64_t *)(const volatile void *)from
                           : size == 4 ? *(const volatile uint32_t *)(const volatile void *)from
                           : size == 2 ? *(const volatile uint16_t *)(const volatile void *)from
                                       : *from;
        const uint32_t v32 = (uint32_t)v;
        const uint16_t v16 = (uint16_t)v;
        const uint8_t v8 = (uint8_t)v;

        memcpy(to, size == 8 ? (const void *)&v : size == 4 ? (const void *)&v32 : size == 2 ? (const void *)&v16 : &v8, size);
}

static void write_piece(volatile unsigned char *to, const void *from, unsigned int size) {
        uint64_t v = 0;
        uint32_t v32 = 0;
        uint16_t v16 = 0;

        memcpy(size == 8 ? (void *)&v : size == 4 ? (void *)&v32 : size == 2 ? (void *)&v16 : (void *)&v, from, size);
        if (size == 8)
                *(volatile uint64_t *)(volatile void *)to = v;
        else if (size == 4)
                *(volatile uint32_t *)(volatile void *)to = v32;
        else if (size == 2)
                *(volatile uint16_t *)(volatile void *)to = v16;
        else
                *to = *(const unsigned char *)from;
}

static bool is_all_ones(const unsigned char *bytes, size_t size) {
        for (size_t i = 0; i < size; i++)
                if (bytes[i] != 0xff)
                        return false;
        return true;
}

/* A function that is gone reads as all ones (PCI Express Base 5.0 section 2.3.2); no live one has such a MAGIC. */
static bool answers(const struct pci_transport *p) {
        uint32_t magic = 0;

        read_piece(p->bar0 + IOV_REG_MAGIC, &magic, sizeof(magic));
        return magic != UINT32_MAX;
}

static int pci_map(struct transport *t, const void **ret_tables);

static int pci_read(struct transport *t, unsigned int bar, uint64_t offset, void *buffer, size_t size) {
        struct pci_transport *p = (struct pci_transport *)t;
        unsigned char *to = buffer;
        const void *tables = NULL;
        size_t left = size;
        int r = bar == 2 ? pci_map(t, &tables) : 0;

        if (r < 0)
                return r;
        const unsigned char *from = tables ? tables : p->bar0;
        while (left) {
                unsigned int piece = natural_piece(offset, left);

                read_piece(from + offset, to, piece);
                offset += piece;
                to += piece;
                left -= piece;
        }
        if (!p->is_gone && size && is_all_ones(buffer, size))
                p->is_gone = !answers(p);
        return p->is_gone ? -ENODEV : 0;
}

/* Memory writes are posted by nature: they are done in order, and a read that follows comes after them. */
static int pci_write(struct transport *t, unsigned int bar, uint64_t offset, const void *buffer, size_t size) {
        struct pci_transport *p = (struct pci_transport *)t;
        const unsigned char *from = buffer;

        if (bar != 0)
                return -EPERM;
        while (size) {
                unsigned int piece = natural_piece(offset, size);

                write_piece(p->bar0 + offset, from, piece);
                offset += piece;
                from += piece;
                size -= piece;
        }
        return 0;
}

/* `size` bytes of a BAR, mapped. */
static int map_bar(const struct pci_transport *p, unsigned int bar, int flags, size_t size, int *ret_fd, void **ret_memory) {
        char path[sizeof(p->directory) + 16];
        struct stat st;

        snprintf(path, sizeof(path), "%s/resource%u", p->directory, bar);
        CLEANUP_CLOSE int fd = open(path, flags | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if ((uint64_t)st.st_size < size)
                return -EPROTO;
        void *m = mmap(NULL, size, flags == O_RDWR ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
        if (m == MAP_FAILED)
                return -errno;
        *ret_memory = m;
        *ret_fd = take_fd(&fd);
        return 0;
}

static int pci_map(struct transport *t, const void **ret_tables) {
        struct pci_transport *p = (struct pci_transport *)t;

        if (!p->tables) {
                CLEANUP_CLOSE int fd = -1;
                int r = map_bar(p, 2, O_RDONLY, IOV_BAR2_SIZE, &fd, &p->tables);

                if (r < 0)
                        return r;
        }
        *ret_tables = p->tables;
        return 0;
}

/* Interrupts of a PCI function are for its driver, and this is none: so it looks again. */
static int pci_wait(struct transport *t, int timeout_ms) {
        struct pci_transport *p = (struct pci_transport *)t;

        sleep_ms(timeout_ms);
        p->is_gone = p->is_gone || !answers(p);
        return p->is_gone ? -ENODEV : 0;
}

static int pci_get_fd(struct transport *t) {
        return -EOPNOTSUPP;
}

static const char *pci_problem(struct transport *t) {
        return ((struct pci_transport *)t)->is_gone
                       ? "the function does not answer any more: it was unplugged, or the appliance has ended"
                       : NULL;
}

static void pci_close(struct transport *t) {
        struct pci_transport *p = (struct pci_transport *)t;

        if (p->tables)
                munmap(p->tables, IOV_BAR2_SIZE);
        if (p->bar0)
                munmap(p->bar0, IOV_BAR0_SIZE);
        close_fd(&p->fd);
        free(p);
}

static const struct transport_ops pci_ops = {.read = pci_read,
                                             .write = pci_write,
                                             .post = pci_write,
                                             .map = pci_map,
                                             .wait = pci_wait,
                                             .get_fd = pci_get_fd,
                                             .close = pci_close,
                                             .problem = pci_problem};

/* ---- opening ---- */

/* Without a driver nobody may have told the function to answer to its BARs. */
static int enable(const struct pci_transport *p) {
        char path[sizeof(p->directory) + 16];

        snprintf(path, sizeof(path), "%s/enable", p->directory);
        CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
        return fd < 0 || write(fd, "1", 1) != 1 ? -errno : 0;
}

static int lock(const struct pci_transport *p, int timeout_ms) {
        const int64_t deadline = appliance_now_ms() + timeout_ms;

        while (flock(p->fd, LOCK_EX | LOCK_NB) < 0) {
                if (errno != EWOULDBLOCK && errno != EINTR)
                        return -errno;
                if (appliance_now_ms() >= deadline)
                        return -EBUSY;
                sleep_ms(LOCK_POLL_MS);
        }
        return 0;
}

static int bring_up(struct pci_transport *p, const struct pci_function *function, char why[TRANSPORT_WHY_SIZE]) {
        void *bar0 = NULL;
        int r = function->bar_size[0] < IOV_BAR0_SIZE || function->bar_size[2] < IOV_BAR2_SIZE ? -EPROTO : 0;

        if (r < 0) {
                snprintf(why, TRANSPORT_WHY_SIZE, "%s: its BARs have no addresses, or other sizes than the register map says",
                         function->address);
                return r;
        }
        if (!function->memory_enabled)
                r = enable(p);
        if (r == 0)
                r = map_bar(p, 0, O_RDWR, IOV_BAR0_SIZE, &p->fd, &bar0);
        p->bar0 = bar0;
        if (r == 0)
                r = lock(p, p->base.timeout_ms);
        if (r == -EACCES || r == -EPERM) {
                snprintf(why, TRANSPORT_WHY_SIZE, "%s: you may not map its BARs; run as root (kernel lockdown forbids it to all)",
                         function->address);
                return -EACCES;
        }
        if (r == -EBUSY)
                snprintf(why, TRANSPORT_WHY_SIZE, "%s: another tool has it open; try again", function->address);
        else if (r < 0)
                snprintf(why, TRANSPORT_WHY_SIZE, "%s: its BARs cannot be mapped: %s", function->address, strerror(-r));
        if (r == 0 && (!p->bar0 || !answers(p))) {
                snprintf(why, TRANSPORT_WHY_SIZE, "%s: it does not answer (all registers read as ones): the appliance has ended",
                         function->address);
                return -ENODEV;
        }
        return r;
}

int transport_pci_open(const char *sysfs, const char *address, int timeout_ms, char why[TRANSPORT_WHY_SIZE],
                       struct transport **ret_transport) {
        struct pci_function function;
        int r = pci_find(sysfs, address, why, &function);

        if (r < 0)
                return r;
        struct pci_transport *p = calloc(1, sizeof(*p));
        if (!p)
                return -ENOMEM;
        p->base.ops = &pci_ops;
        p->base.timeout_ms = timeout_ms;
        p->fd = -1;
        snprintf(p->directory, sizeof(p->directory), "%s/devices/%s", sysfs, function.address);
        r = bring_up(p, &function, why);
        if (r < 0) {
                pci_close(&p->base);
                return r;
        }
        *ret_transport = &p->base;
        return 0;
}
