/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A server link is two processes with one table of descriptors (CLONE_FILES). One serves; the other, the escrow, does nothing but
 * wait for the first to die and start the next, which finds every descriptor where it was: sockets, guest memory, eventfds,
 * media. What they stand for is in shared memory: the table here, a session for each slot, the image of each device.
 *
 * So nothing need be handed over while things go well, and no descriptor can be lost on the way: the kernel puts it into the
 * table before the process that receives it can die.
 */
#ifndef IOV_LINK_ESCROW_H
#define IOV_LINK_ESCROW_H

#include <stdbool.h>
#include <stdint.h>

#include "link/channel.h"
#include "loop/loop.h"

#define LINK_SLOTS_MAX 256

struct link_escrow_share {
        struct link_share share;
        uint32_t n_fds, reserved;
        int32_t fds[1 + LINK_PEERS_MAX];
};

struct link_escrow_slot {
        uint32_t used; /* stored last, cleared first */
        uint32_t removing;
        uint32_t generation; /* of two places of one instance the higher one counts */
        uint32_t peer_pid, peer_uid;
        uint32_t is_direct; /* requests to its media may go on after the process that made them */
        uint32_t n_fds;
        int32_t fds[LINK_FDS_MAX];
        int32_t sockets[VPC_MEDIA_MAX]; /* descriptors that media are connected by, plus 1; 0: none */
        int32_t reservations_fd;        /* 0: none yet */
        struct link_message message;    /* the SLOT_ADD that it was made from */
        uint32_t share;                 /* which of these counts, as of the last SLOT_SHARE */
        struct link_escrow_share shares[2];
};

struct link_escrow {
        uint32_t starts;  /* of workers */
        int32_t drain_fd; /* of a pipe that hangs up when the last io_uring is done; 0: none */
        struct link_escrow_slot slots[LINK_SLOTS_MAX];
};

/* Life of both: start `serve` in a process of its own, again and again, until it returns or has crashed too often. Returns its
 * exit status. `mark` is the argument in the command line that tells one from the other ("--worker"); it has room for "--escrow".
 */
int link_escrow_run(char *mark, int (*serve)(struct link_escrow *escrow));
/* A free place for a slot, NULL: all are taken. */
struct link_escrow_slot *link_escrow_slot_take(struct link_escrow *escrow);
/* The slot shows other media (SLOT_MEDIA): it moves to another place, with those of the descriptors that stay and the `n_fds` new
 * ones, which are taken over. -ENOSPC: there is no place, nothing has changed. */
int link_escrow_slot_show(struct link_escrow *escrow, struct link_escrow_slot **slot, const struct link_message *message,
                          const int *fds, unsigned int n_fds);
/* It has another share; the `n_fds` descriptors are taken over. */
void link_escrow_slot_share(struct link_escrow_slot *slot, const struct link_share *share, const int *fds, unsigned int n_fds);
/* A move that was cut off: forget places whose instance has a later one. */
void link_escrow_settle(struct link_escrow *escrow);
/* Close its descriptors and give the place back. */
void link_escrow_slot_free(struct link_escrow_slot *slot);
/* Another io_uring: put something into it by which link_escrow_drain() finds out when it is done. */
void link_escrow_watch(struct link_escrow *escrow, struct loop *loop);
/* Wait for what the process before this one has left in its io_uring, after the sweep: a request to a medium with direct I/O may
 * still be reading or writing the server's memory, which would be somebody else's by then. */
void link_escrow_drain(struct link_escrow *escrow);
/* Close every descriptor that no slot knows: what a worker that died has left, its io_uring first of all. */
int link_escrow_sweep(const struct link_escrow *escrow);

#endif
