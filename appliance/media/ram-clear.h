/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clearing much memory, in pieces between which the loop does what else there is. */
#ifndef IOV_MEDIA_RAM_CLEAR_H
#define IOV_MEDIA_RAM_CLEAR_H

#include <stdbool.h>

#include "media/ram.h"

struct ram_clear;

/* `ended` is called with each request that has come to its end, and with 0 or a negative errno; it may free all of this. */
int ram_clear_new(struct loop *loop, struct media_ram *ram, void (*ended)(void *userdata, struct vpc_io *io, int error),
                  void *userdata, struct ram_clear **ret_clear);
/* Only when nothing is under way. Takes NULL. */
void ram_clear_free(struct ram_clear *clear);
/* It would keep others waiting if it were done at once. */
bool ram_clear_is_long(const struct ram_clear *clear, const struct vpc_io *io);
void ram_clear_submit(struct ram_clear *clear, struct vpc_io *io);
bool ram_clear_is_idle(const struct ram_clear *clear);

#endif
