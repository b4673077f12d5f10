/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a hostile server may try with its vAdapter: each case ends with a vAdapter that still works. TAP goes to stdout. */
#ifndef BENCH_HOSTILE_H
#define BENCH_HOSTILE_H

#include <stdbool.h>
#include <stddef.h>

#include "bench/nvme-host.h"

/* One line of TAP. */
void tap(bool ok, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Connect, initialise, write a block, read it back, flush, disconnect. Returns whether all of it worked. */
bool smoke(const char *path);
/* What is done over a connection of its own, and ends with it. */
struct hostile_act {
        const char *what;
        void (*act)(struct nvme_host *h);
};
/* Each of them, and after each that the vAdapter works. */
void hostile_acts(const char *path, const struct hostile_act *acts, size_t n);
/* By NVMe commands and registers, and by vfio-user messages. */
void hostile_commands(const char *path);
void hostile_messages(const char *path);
void hostile_floods(const char *path);
/* Write, read back and compare until standard input ends or has something; says how much. Returns an exit status. */
int verify(const char *path);
/* Open two vAdapters, share `memory`, `eventfd` or `nothing` between them, say `ready`, and keep them until standard input ends.
 * Returns an exit status. */
int share(const char *path, const char *how, const char *other);
/* Servers that share a volume with reservations, as standard input says. */
int reserve(char *const *paths, unsigned int n_paths);

#endif
