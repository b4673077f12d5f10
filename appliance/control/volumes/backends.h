/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Volumes on what is not the appliance's: devices, and exports of NBD servers. They are looked up by helpers, since that may take
 * its time; what is found is held for a moment for whoever asked, and what is not is looked for again.
 */
#ifndef IOV_CONTROL_BACKENDS_H
#define IOV_CONTROL_BACKENDS_H

#include "iov/libiov.h"
#include "loop/loop.h"

struct backends;
/* What was found: for an NBD volume `fd` is made by nbd_target_make(). */
struct backend_volume {
        int fd;
        uint32_t block_size;
        bool is_nbd;
};

/* `changed`: something was found, or not found. */
int backends_new(struct loop *loop, void (*changed)(void *userdata), void *userdata, struct backends **ret_backends);
/* Takes NULL. */
void backends_free(struct backends *backends);
/* Nothing is looked for. */
bool backends_is_empty(const struct backends *backends);
/*
 * Look for a volume, unless that is done or under way. 0: it is there for backends_take(), -EINPROGRESS: not known yet; else it
 * is not there, *ret_why is why, and it is looked for again now and then as long as it is asked for.
 */
int backends_look(struct backends *backends, const struct iov_adapter *adapter, const struct iov_volume *volume, bool read_only,
                  const char **ret_why);
/* A volume that is looked for was not there, be it that it is by now. */
bool backends_has_failed(const struct backends *backends, uint64_t volume);
/* What backends_look() has found; the descriptor is the caller's. -EINPROGRESS: nothing. */
int backends_take(struct backends *backends, uint64_t volume, bool read_only, struct backend_volume *ret_volume);
/* A volume that is not looked for just now, but will be: what is known of it is not forgotten. */
void backends_keep(struct backends *backends, uint64_t volume);
/* Forget what was not looked for, or kept, since the last call. */
void backends_sweep(struct backends *backends);

/* Connect to the server of an NBD volume: `done` gets a socket, which is its own, or -1 and why not. */
typedef void (*backends_connected_fn)(void *userdata, uint64_t instance, uint32_t medium, uint64_t number, int fd,
                                      const char *why);
int backends_connect(struct backends *backends, const struct iov_adapter *adapter, const struct iov_volume *volume,
                     uint64_t instance, uint32_t medium, uint64_t number, backends_connected_fn done);

#endif
