/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What happened: a ring of log text for LOG_READ, the event table, and stderr (which systemd's journal reads, with <N> prefixes).
 */
#ifndef IOV_CONTROL_JOURNAL_H
#define IOV_CONTROL_JOURNAL_H

#include <stddef.h>
#include <stdint.h>

#include "control/tables.h"

#define JOURNAL_BYTES 262144u
#define JOURNAL_NO_UID UINT32_MAX

struct journal;

/* `level`: the highest syslog level that goes to stderr. */
int journal_new(struct tables *tables, int level, struct journal **ret_journal);
struct journal *journal_free(struct journal *journal);
/* A line of the log. */
void journal_log(struct journal *journal, int level, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* A line of the log that is an event as well. `uid`: who caused it. */
void journal_event(struct journal *journal, int level, uint32_t uid, const char *object, const char *format, ...)
        __attribute__((format(printf, 5, 6)));
/* Copy log text from byte number `offset` (of all ever written) on; text that is gone is left out. Returns bytes copied;
 * *ret_offset is the number of the first. */
size_t journal_read(const struct journal *journal, uint64_t offset, void *buffer, size_t size, uint64_t *ret_offset);

#endif
