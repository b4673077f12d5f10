/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Volumes in memory: the control process holds them, so that they outlive workers, and the keeper, so that they outlive that. The
 * memory of one with provisioning: full is set aside with the commit (control/volumes/preallocation.h); where it is not there
 * later, since the appliance has started anew, a thread does it here, one volume after the other, and nobody gets the volume
 * before.
 */
#ifndef IOV_CONTROL_RAM_VOLUMES_H
#define IOV_CONTROL_RAM_VOLUMES_H

#include "control/journal.h"
#include "control/keeper/keeper.h"
#include "iov/libiov.h"
#include "loop/loop.h"

struct ram_volumes;

struct ram_volumes_events {
        /* Memory was set aside, or could not be. */
        void (*changed)(void *userdata);
        /* There is memory for a volume that had none, or no more: what is known of what was in it is not true any more. */
        void (*made)(void *userdata, uint64_t id);
};

/* With those that a control process before this one has left with the keeper. */
int ram_volumes_new(struct loop *loop, struct journal *journal, struct keeping *keeping, const struct ram_volumes_events *events,
                    void *userdata, struct ram_volumes **ret_volumes);
/* Takes NULL. */
void ram_volumes_free(struct ram_volumes *volumes);
/* The memory of a volume, made where there is none yet, grown where it is shorter; *ret_fd is the caller's. */
int ram_volumes_open(struct ram_volumes *volumes, const struct iov_volume *volume, int *ret_fd);
/* The same memory, for the caller; -1: there is none yet. */
int ram_volumes_dup(const struct ram_volumes *volumes, uint64_t id);
/* All of a volume's memory was set aside, `large` bytes in large pages: in `fd`, which is taken over, or (-1) in what there is.
 */
void ram_volumes_give(struct ram_volumes *volumes, const struct iov_volume *volume, int fd, uint64_t large);
/* 0: what is to be set aside for it is. -EINPROGRESS: not yet; else it cannot be, *ret_why is why, and it is tried again. */
int ram_volumes_look(struct ram_volumes *volumes, const struct iov_volume *volume, const char **ret_why);
/* It could not be, be it that it is by now; until ram_volumes_open(). */
bool ram_volumes_has_failed(const struct ram_volumes *volumes, uint64_t id);
/* It has shrunk: what was behind the end is not there again when it grows. */
void ram_volumes_trim(struct ram_volumes *volumes, const struct iov_volume *volume);
/* Set aside what has to be. */
void ram_volumes_sync(struct ram_volumes *volumes, const struct iov_model *model);
/* A volume is gone for good, by id; or all are that are not in the model. One that a commit has removed which may be taken back
 * is neither: its memory stays. */
void ram_volumes_remove(struct ram_volumes *volumes, uint64_t id);
void ram_volumes_sweep(struct ram_volumes *volumes, const struct iov_model *model);

#endif
