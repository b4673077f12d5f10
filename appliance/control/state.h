/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state directory: STATE/lock (held by the iovd that owns it), STATE/state (every object, one checked file that is only ever
 * replaced as a whole), STATE/media/ADAPTER/ID.img (volumes, see volumes.h).
 */
#ifndef IOV_CONTROL_STATE_H
#define IOV_CONTROL_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "iov/libiov.h"

#define STATE_VERSION 1

struct state;

/*
 * Open and lock a state directory, which is made where it is missing. `wait_ms`: how long to wait for another owner to go. Errors
 * have been logged with what to do: -EBUSY another iovd owns it.
 */
int state_open(struct iov_ctx *ctx, const char *path, unsigned int wait_ms, struct state **ret_state);
struct state *state_close(struct state *state);
int state_get_directory(const struct state *state);
const char *state_get_path(const struct state *state);

/* Add what was saved to `model`, which has the chassis' adapters. No file is an empty state, with a random *ret_last_id. -EPROTONOSUPPORT: of a newer
 * version, -EBADMSG: cut off or damaged; both logged, and nothing is changed on disk. */
int state_load(const struct state *state, struct iov_model *model, uint64_t *ret_last_id);

/* The bytes that state_write() makes durable; the caller frees them. */
int state_encode(const struct iov_model *model, uint64_t last_id, void **ret_bytes, size_t *ret_size);
/* Replace the state file: written beside, synced, renamed, directory synced. Blocks; touches nothing but its arguments and the
 * directory, so that a thread can do it. On failure the old file stands. */
int state_write(int directory, const void *bytes, size_t size);

#endif
