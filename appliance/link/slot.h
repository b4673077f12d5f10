/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A slot as its worker sees it: a listening socket, a function over its image, the media, and at most one connection. */
#ifndef IOV_LINK_SLOT_H
#define IOV_LINK_SLOT_H

#include "link/escrow.h"
#include "loop/loop.h"

struct link_slot;

/* How a slot speaks up; called from the loop. */
struct link_slot_events {
        void (*connected)(struct link_slot *slot, uint32_t pid, uint32_t uid);
        void (*disconnected)(struct link_slot *slot, const char *reason);
        /* Nothing is under way any more to media that are not shown. */
        void (*shown)(struct link_slot *slot);
        /* The slot is quiet and can be freed, which the callback does. */
        void (*removed)(struct link_slot *slot);
        void (*log)(struct link_slot *slot, int level, const char *text);
        /* A medium fails requests or is away, or does not any more. */
        void (*trouble)(struct link_slot *slot, unsigned int medium, int level, const char *text);
        /* A fault on demand has struck `hits` times more. */
        void (*struck)(struct link_slot *slot, uint64_t fault, uint64_t hits);
        /* Its server asks for a change of reservations. */
        void (*reserve)(struct link_slot *slot, const struct vpc_reserve_request *request);
        /* See LINK_RESERVATIONS: seen, and then held. */
        void (*fenced)(struct link_slot *slot, uint32_t medium, uint64_t change, bool held);
        /* A medium asks to be connected: link_slot_connect() with this number is the answer. false: nobody could be asked. */
        bool (*connect)(struct link_slot *slot, unsigned int medium, uint64_t number);
};

/* Bring up a slot that is in escrow, as new or where another process was killed. The place in escrow stays the slot's; on failure
 * it is given back. */
int link_slot_new(struct loop *loop, struct link_escrow_slot *escrow, const struct link_slot_events *events, void *userdata,
                  struct link_slot **ret_slot);
/* A server drives it. */
bool link_slot_connected(const struct link_slot *slot, uint32_t *ret_pid, uint32_t *ret_uid);
void link_slot_free(struct link_slot *slot);
/* Close socket and connection; events->removed follows, maybe from within. */
void link_slot_remove(struct link_slot *slot);
/* Show what a SLOT_MEDIA message says; events->shown follows, maybe from within. The descriptors are taken over, on failure too.
 */
int link_slot_show(struct link_slot *slot, struct link_escrow *escrow, const struct link_message *message, int *fds,
                   unsigned int n_fds);
/* Another fault on demand; NULL: end all. */
int link_slot_set_fault(struct link_slot *slot, const struct media_fault *fault);
void link_slot_set_limits(struct link_slot *slot, const struct link_limits *limits);
/* A RESERVATIONS message; events->fenced follows, maybe from within. The descriptor is taken over, on failure too. */
int link_slot_reservations(struct link_slot *slot, const struct link_message *message, int fd);
/* A RESERVED message. */
void link_slot_reserved(struct link_slot *slot, const struct link_message *message);
/* events->reserve once more for what has no answer yet. */
void link_slot_reserve_again(struct link_slot *slot);
/* As a SLOT_SHARE message says. The descriptors are taken over, on failure too; then it has the share that it had. */
int link_slot_set_share(struct link_slot *slot, const struct link_share *share, const int *fds, unsigned int n_fds);
/* The answer to events->connect: a socket, which is taken over, or -1 and why not. */
void link_slot_connect(struct link_slot *slot, unsigned int medium, uint64_t number, int fd, const char *why);
/* What was asked by events->connect is not answered any more. */
void link_slot_ask_again(struct link_slot *slot);
uint64_t link_slot_instance(const struct link_slot *slot);
const char *link_slot_name(const struct link_slot *slot);
void *link_slot_userdata(const struct link_slot *slot);

#endif
