/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A medium on an NBD server, by libnbd. Whoever has it connects: this process cannot. When a connection ends, what was under way
 * is kept and issued again on the next one, and whoever waits for it sees a pause.
 */
#ifndef IOV_MEDIA_NBD_H
#define IOV_MEDIA_NBD_H

#include <stdbool.h>

#include "loop/loop.h"
#include "vpc/io.h"

/* How long a request waits for an answer, over all connections, before it ends with -ENOLINK: less than the 30 s that Linux gives
 * a command, so that its driver hears of the error, and does not reset the controller. */
#define MEDIA_NBD_LIMIT_S 25

struct media_nbd;
struct media_nbd_events {
        /* Connect: media_nbd_connected() with this number is the answer. false: nobody could be asked. */
        bool (*connect)(void *userdata, uint64_t number);
        /* The descriptor that it is connected by from now on; -1: it is not. Told before it is closed. */
        void (*holds)(void *userdata, int fd);
        void (*log)(void *userdata, int level, const char *text);
};

/* Take over a descriptor that nbd_target_make() has made (closed on failure too). -ELIBACC: libnbd is not loaded. */
int media_nbd_new(struct loop *loop, int fd, uint64_t size, const struct media_nbd_events *events, void *userdata,
                  struct media_nbd **ret_media);
/* Only when nothing is under way. Takes NULL. */
void media_nbd_free(struct media_nbd *media);
/* A socket that a process before this one was connected by: it is not used, but what it has asked for must have ended before
 * anything else is asked for. Taken over. Only right after media_nbd_new(). */
void media_nbd_take_up(struct media_nbd *media, int fd);
/* The answer: a connected socket (taken over), or -1, and why not. */
void media_nbd_connected(struct media_nbd *media, uint64_t number, int fd, const char *why);
/* What it has asked for is not to be expected any more: ask again. */
void media_nbd_ask_again(struct media_nbd *media);
void media_nbd_resize(struct media_nbd *media, uint64_t size);
/* Free it as soon as nothing is under way, maybe at once; then `done`. No request may be submitted any more, and nobody is told
 * or asked anything. */
void media_nbd_retire(struct media_nbd *media, void (*done)(void *userdata), void *userdata);
/* Somebody waits for the end of what is under way, because the device goes: a server that is away is not waited for. */
void media_nbd_hurry(struct media_nbd *media);
/* Start a request; it ends in io->private.finish, which the caller has set, never from within. */
void media_nbd_submit(struct media_nbd *media, struct vpc_io *io);

#endif
