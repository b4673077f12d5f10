/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writing the state without holding up the event loop: a thread that lives for one file. */
#ifndef IOV_CONTROL_SAVER_H
#define IOV_CONTROL_SAVER_H

#include <stddef.h>
#include <stdint.h>

#include "loop/loop.h"

struct saver;

int saver_new(struct loop *loop, int directory, struct saver **ret_saver);
/* Waits for what is being written. Takes NULL. */
struct saver *saver_free(struct saver *saver);
/*
 * Something that the next saver_start() does first, in its thread: where `run` gives a negative errno, nothing is written and
 * that is the result; where nothing can be written, `undo` is called. It must stay until `done`.
 */
void saver_precede(struct saver *saver, int (*run)(void *userdata), void (*undo)(void *userdata), void *userdata);
/* Make `bytes` (taken over) the file `name` (static; NULL: the state); then remove the `n_expired` generations of `expired`
 * (taken over) from the history, which cannot fail the commit. `done` is called from the loop with 0 or a negative errno. One at
 * a time. */
int saver_start(struct saver *saver, const char *name, void *bytes, size_t size, uint64_t *expired, size_t n_expired,
                void (*done)(void *userdata, int result), void *userdata);

#endif
