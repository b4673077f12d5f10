/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the keeper holds, a second time in the descriptor store of a service manager (systemd.service(5),
 * FileDescriptorStoreMax=), so that the next keeper has it where this one is killed or started anew.
 *
 * A record is in there as one entry for each of its descriptors, iov-KEY-dN, and one for its note, iov-KEY-nGENERATION: a sealed
 * memfd, stored after the descriptors, which says how many of them there must be. Each has a name of its own since the manager
 * promises no order, and takes a descriptor that it has already for the same entry; so a new note goes beside the old one.
 */
#ifndef IOV_CONTROL_FDSTORE_H
#define IOV_CONTROL_FDSTORE_H

#include <stdbool.h>

#include "control/keeper/keeper-private.h"

struct fdstore_stamp {
        uint64_t order;      /* among the records */
        uint32_t generation; /* of the note */
};

/* There is one, and it says how much it takes: systemd 254 or newer. */
bool fdstore_is_there(void);
/* All or nothing. */
int fdstore_put(const struct keeper_message *message, const int *fds, unsigned int n_fds, struct fdstore_stamp stamp);
/* A note of the next generation, stamp->generation, in place of the one before it. */
int fdstore_put_note(const struct keeper_message *message, unsigned int n_fds, struct fdstore_stamp stamp);
void fdstore_remove(uint64_t key, unsigned int n_fds, uint32_t generation);

/* The descriptors are the callee's. */
typedef void (*fdstore_take_fn)(void *userdata, const struct keeper_message *message, const int *fds, unsigned int n_fds,
                                struct fdstore_stamp stamp);

/* What an earlier process has put there and the manager has passed on, in order. What is not whole or not ours to understand is
 * closed, and no longer stored. Once, before other descriptors are made. */
void fdstore_take(fdstore_take_fn take, void *userdata);

#endif
