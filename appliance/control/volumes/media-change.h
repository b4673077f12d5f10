/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the media of a vAdapter that is plugged in follow the model. Pure functions. */
#ifndef IOV_CONTROL_MEDIA_CHANGE_H
#define IOV_CONTROL_MEDIA_CHANGE_H

#include <stdbool.h>

#include "vpc/model.h"

/* The same but for its media: what a server reads once. */
bool persona_same_face(const struct vpc_persona *a, const struct vpc_persona *b);
/* The one of its media that stands for the same: its size may be another. NULL: none. */
const struct vpc_medium *persona_find(const struct vpc_persona *persona, const struct vpc_medium *medium);

struct media_change {
        struct vpc_medium media[VPC_MEDIA_MAX]; /* each that stays is where it was; size 0: none */
        unsigned int n_media;
        uint64_t fresh;                     /* bit i: medium i is new, */
        unsigned int source[VPC_MEDIA_MAX]; /* and this one of `wanted` */
        bool differs;                       /* from `now` */
};

/*
 * From the media that are shown to those that are wanted; what becomes read-only, or writable, is another one, for its descriptor
 * is. Without `additions` only what goes or grows is looked at: a medium that moves must have left its old holder before it is
 * given to the new one.
 */
void media_change_make(const struct vpc_persona *now, const struct vpc_persona *wanted, bool additions,
                       struct media_change *ret_change);

#endif
