/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A medium of any kind. */
#ifndef IOV_MEDIA_MEDIUM_H
#define IOV_MEDIA_MEDIUM_H

#include <stdbool.h>

#include "loop/loop.h"
#include "media/direct.h"
#include "media/nbd.h"
#include "vpc/io.h"

enum medium_kind { MEDIUM_FILE, MEDIUM_RAM, MEDIUM_NBD, MEDIUM_KINDS };

struct medium;

/* Take over the descriptor of what it is on (closed on failure too). `events` are for NBD alone. -EINVAL: no such kind. */
int medium_new(struct loop *loop, unsigned int kind, int fd, uint64_t size, const struct media_nbd_events *events, void *userdata,
               struct medium **ret_medium);
/* Only when nothing is under way. Takes NULL. */
void medium_free(struct medium *medium);
/* It has grown or shrunk; of memory, what it is on has grown already. Nothing may be under way behind a new end. */
void medium_resize(struct medium *medium, uint64_t size);
/* What is deallocated stays set aside for it, or (the default) is given back. */
void medium_set_keeps_space(struct medium *medium, bool keeps);
/* Before the first request. true: it goes without the page cache now. */
bool medium_set_cache(struct medium *medium, enum media_cache cache);
/* Free it as soon as nothing is under way, maybe at once; then `done`. No request may be submitted any more. */
void medium_retire(struct medium *medium, void (*done)(void *userdata), void *userdata);
/* NBD alone, the others do nothing and take nothing over: as media_nbd_take_up(), _connected(), _ask_again() and _hurry(). */
void medium_take_up(struct medium *medium, int fd);
void medium_connected(struct medium *medium, uint64_t number, int fd, const char *why);
void medium_ask_again(struct medium *medium);
void medium_hurry(struct medium *medium);
/* Start a request; it ends in io->private.finish, which the caller has set, never from within. */
void medium_submit(struct medium *medium, struct vpc_io *io);
/* End a request within the call, without io->private.finish, where this kind can; false: medium_submit() it. */
bool medium_try(struct medium *medium, struct vpc_io *io, int *ret_error);
/* A request for these bytes, which need not be within the medium, is likely to come soon. */
void medium_expect(struct medium *medium, uint64_t offset, uint64_t length);

#endif
