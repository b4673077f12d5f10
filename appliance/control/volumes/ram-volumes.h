/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Volumes in memory: the control process holds them, so that they outlive workers, and the keeper, so that they outlive that. */
#ifndef IOV_CONTROL_RAM_VOLUMES_H
#define IOV_CONTROL_RAM_VOLUMES_H

#include "control/keeper/keeper.h"
#include "iov/libiov.h"

struct ram_volumes;

/* With those that a control process before this one has left with the keeper. */
int ram_volumes_new(struct keeping *keeping, struct ram_volumes **ret_volumes);
/* Takes NULL. */
void ram_volumes_free(struct ram_volumes *volumes);
/* The memory of a volume, made where there is none yet (1), grown where it is shorter; *ret_fd is the caller's. */
int ram_volumes_open(struct ram_volumes *volumes, const struct iov_volume *volume, int *ret_fd);
/* Let go of those that are not in the model any more. */
void ram_volumes_sweep(struct ram_volumes *volumes, const struct iov_model *model);

#endif
