/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * STATE/history: each committed generation as the state file that it was, so that one can look and go back. The files are written
 * with the state (state.h) and removed by the saver's thread; this is the list of them, so that nothing of it takes a disk but
 * the start and the reading of a piece.
 */
#ifndef IOV_CONTROL_HISTORY_H
#define IOV_CONTROL_HISTORY_H

#include "control/store/state.h"

#define HISTORY_KEPT_MAX 64                                          /* never more than these */
#define HISTORY_KEPT_MIN 8                                           /* always these, however old */
#define HISTORY_AGE_NS (UINT64_C(30) * 86400 * UINT64_C(1000000000)) /* beyond these none that is older */

struct history;

/* List what is in the directory, up to the generation that was loaded: `now`, which is in the list even where its file is lost.
 * What is newer was never committed. */
int history_new(const struct state *state, const struct state_info *now, struct history **ret_history);
struct history *history_free(struct history *history);
/* A generation was committed. Memory is set aside before by history_reserve(), so that this cannot fail. */
int history_reserve(struct history *history);
void history_add(struct history *history, const struct state_info *info);
/* The generations that are too many or too old when one is added at `now_ns`, the first of the list; the caller frees the array.
 */
int history_expired(const struct history *history, uint64_t now_ns, uint64_t **ret_generations, size_t *ret_n);
/* Take the first `n` off the list: they were removed, or will be. */
void history_forget(struct history *history, size_t n);
/* The newest `max` that can be read, the oldest first. Returns how many. */
size_t history_list(const struct history *history, struct iov_mb_history_entry *ret_entries, size_t max);
/* Bytes of a generation's objects from `offset` on; returns how many. -ENOENT: it is not kept, -EBADMSG: its file is damaged,
 * -ERANGE: there are not so many. */
ssize_t history_read(const struct history *history, uint64_t generation, uint64_t offset, void *buffer, size_t size,
                     struct iov_mb_history_part *ret_part);

/* Remove files; for the saver's thread, touches nothing but its arguments and the directory. A file that cannot be removed is
 * tried again after the next start. */
void history_remove(int directory, const uint64_t *generations, size_t n);

#endif
