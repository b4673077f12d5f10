/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state directory: STATE/lock (held by the iovd that owns it), STATE/state (every object, one checked file that is only ever
 * replaced as a whole), STATE/history/GENERATION (earlier ones, see history.h), STATE/media/ADAPTER/ID.img (volumes, see
 * volumes/volumes.h).
 */
#ifndef IOV_CONTROL_STATE_H
#define IOV_CONTROL_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "iov/libiov.h"

#define STATE_VERSION 1
#define STATE_HEADER_SIZE 72
#define STATE_GENERATION_NAME 24 /* room for a generation as the name of a file */

/* What a state file says of itself. */
struct state_info {
        uint64_t generation, last_id;
        uint64_t time_ns; /* CLOCK_REALTIME of the commit */
        uint64_t length;  /* bytes of its objects */
        uint32_t uid;     /* who committed it, or IOV_UID_APPLIANCE */
        uint32_t n_changes, n_objects;
        uint32_t checksum;  /* CRC-32C of its objects */
        uint32_t confirm_s; /* seconds from time_ns after which it is taken back unless it is confirmed, 0: it stays */
        uint32_t flags;     /* IOV_HISTORY_TAKEN_BACK, or 0 */
};

struct state;

/*
 * Open and lock a state directory, which is made where it is missing. `wait_ms`: how long to wait for another owner to go. Errors
 * have been logged with what to do: -EBUSY another iovd owns it.
 */
int state_open(struct iov_ctx *ctx, const char *path, unsigned int wait_ms, struct state **ret_state);
struct state *state_close(struct state *state);
int state_get_directory(const struct state *state);
const char *state_get_path(const struct state *state);

/* Add what was saved to `model`, which has the chassis' adapters. No file is an empty state, with a random last id.
 * -EPROTONOSUPPORT: of a newer version, -EBADMSG: cut off or damaged; both logged, and nothing is changed on disk. */
int state_load(const struct state *state, struct iov_model *model, struct state_info *ret_info);
/* Open a file of this form whose header is sound; its objects follow behind STATE_HEADER_SIZE bytes, and are not looked at.
 * -EBADMSG and -EPROTONOSUPPORT as above, but not logged. */
int state_open_file(int directory, const char *name, struct state_info *ret_info, int *ret_fd);
/* Add to `model` what it had in a generation that is in the history; generation 0 is empty. -ENOENT, -EBADMSG,
 * -EPROTONOSUPPORT; not logged. */
int state_load_generation(const struct state *state, uint64_t generation, struct iov_model *model);
/* STATE/history, where each generation is a file of that number. */
int state_open_history(int directory, bool make, int *ret_fd);

/* The bytes that state_write() makes durable; the caller frees them. What `info` says of the model and its bytes is filled in,
 * the rest is taken from there. */
int state_encode(const struct iov_model *model, struct state_info *info, void **ret_bytes, size_t *ret_size);
/*
 * Replace the state file: written beside, synced, kept in the history, renamed, directory synced. Blocks; touches nothing but its
 * arguments and the directory, so that a thread can do it. On failure the old file stands. What a crash or a failure leaves in
 * the history is of a generation that never was, and is replaced by the one that will be.
 */
int state_write(int directory, const void *bytes, size_t size);
/* Replace another file of the directory in the same way; it has no history. */
int state_write_file(int directory, const char *name, const void *bytes, size_t size);

#endif
