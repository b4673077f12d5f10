/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The channel between the control process and the worker of a server link: a SOCK_SEQPACKET socketpair, one struct a message,
 * with descriptors. The control process trusts nothing that a worker says beyond what it can harm: its own server.
 */
#ifndef IOV_LINK_CHANNEL_H
#define IOV_LINK_CHANNEL_H

#include <stdint.h>

#include "media/fault.h"
#include "vpc/model.h"
#include "vpc/report.h"
#include "vpc/session.h"

#define LINK_CHANNEL_FD 3 /* where a worker finds it */
#define LINK_FDS_MAX (4 + VPC_MEDIA_MAX)
#define LINK_PEERS_MAX 63 /* of a vAdapter: others on its adapter that it looks at */

enum link_message_type {
        /* control to worker */
        LINK_SLOT_ADD = 1, /* fds: listening socket, image, struct link_shared, one per medium, doorbells where `flags` say so */
        LINK_SLOT_MEDIA,   /* what it shows is now `media`; fds: one for each of `fresh`; answered by LINK_SHOWN */
        LINK_SLOT_REMOVE,  /* close it, answer LINK_REMOVED when it is quiet */
        LINK_STATUS_ASK,   /* answer with STARTED, STATUS for each slot, STATUS_END */
        LINK_FAULT_RESET,  /* end all faults on demand of the slot */
        LINK_FAULT,        /* `fault` is one more */
        LINK_SLOT_LIMITS,  /* `limits` are other ones now */
        LINK_RESERVATIONS, /* `change` of those on `medium`; fd: the slot's page, the same or another. RESERVATIONS_SEEN and, */
                           /* when nothing from before it is under way, RESERVATIONS_HELD answer */
        LINK_RESERVED,     /* the answer to RESERVE: ticket, `result` */
        LINK_SLOT_SHARE, /* so is `share`; fds: its page, to write, and that of each peer, to read; none where there are no rates
                          */
        LINK_MEDIUM_SOCKET, /* fd: medium `level` is connected by it, as asked with number `hits`; none: not, and `text` is why */
        /* worker to control */
        LINK_CONNECTED,    /* a server drives the slot */
        LINK_DISCONNECTED, /* and does not any more; `text` is why */
        LINK_REMOVED,
        LINK_SHOWN,   /* nothing is under way any more to what is not shown */
        LINK_FAILED,  /* the slot could not be brought up; `text` is why */
        LINK_LOG,     /* `level`, `text` */
        LINK_STRUCK,  /* the fault on demand `fault.id` has struck `hits` times more */
        LINK_STARTED, /* `pid` serves; `level` others have before it. Begins a status; `instance` is 1 where it was asked for */
        LINK_STATUS,  /* a slot; `level`: a server drives it (`pid`, `uid`) */
        LINK_RESERVE, /* the server asks for a change of reservations: `reserve` */
        LINK_RESERVATIONS_SEEN, /* `change` of `medium` counts from now on */
        LINK_RESERVATIONS_HELD, /* and nothing is under way from before it */
        LINK_MEDIUM_ASK, /* for a connection of medium `level` to where its volume is; `hits` is the number of the question */
        LINK_STATUS_END, /* of slots that were not told of there is nothing */
        LINK_TROUBLE,    /* with `medium`, or its end: `level`, `text` */
        /* control to worker: */
        LINK_SLOT_MEMORY, /* `flags` & LINK_PINNED: the memory of its server is pinned from now on; without: it is not */
        /* worker to control: */
        LINK_UNPINNED, /* not all of its server's memory can be pinned; `result`: enum iov_unpinned */
};

#define LINK_DOORBELLS UINT32_C(1) /* there is memory for doorbells that are mapped into the server */
#define LINK_PINNED UINT32_C(2)    /* the server's memory is to be pinned */
#define LINK_DOORBELLS_SIZE 8192   /* of it; the page itself is at VPC_DOORBELLS_OFFSET */

/* Memory of a slot that worker and control process share besides the image. The control process only ever copies from it, but for
 * the marks. */
struct link_shared {
        struct iov_counter counters;
        struct vpc_report report;
        struct vpc_marks_pages marks; /* the control process writes them, and nobody else */
};
/* Behind it, in the same memory, what a slot's server has set up (session.h): only the worker looks there. */
#define LINK_SESSION_OFFSET ((sizeof(struct link_shared) + 4095) / 4096 * 4096)
#define LINK_SHARED_SIZE (LINK_SESSION_OFFSET + sizeof(struct vpc_session))

/* What a worker may only read: the reservations on the slot's media, by their index. */
struct link_reservations {
        struct vpc_reservation_page media[VPC_MEDIA_MAX];
};

/* 0: no limit. */
struct link_limits {
        uint64_t read_iops, write_iops; /* a second */
        uint64_t bandwidth;             /* bit/s */
};

/* Its part in an adapter that has rates of its own, share.h. */
struct link_share {
        uint64_t iops, bandwidth; /* of the adapter; both 0: it has none */
        uint32_t weight, n_peers;
        uint32_t rest, reserved; /* the weights of those on the adapter that it does not look at */
        uint32_t weights[LINK_PEERS_MAX];
        uint32_t reserved1;
};

/* `instance` numbers every bringing-up of a slot, so that nothing that is said late is taken for something else. */
struct link_message {
        uint32_t type;
        uint32_t level;
        uint64_t instance;
        uint32_t pid, uid; /* CONNECTED: of the peer, by SO_PEERCRED */
        char model[16];    /* SLOT_ADD */
        char name[IOV_NAME_SIZE];
        char text[256];
        uint32_t n_media;
        uint32_t flags;                         /* SLOT_ADD: LINK_DOORBELLS, LINK_PINNED; SLOT_MEMORY */
        uint64_t fresh;                         /* SLOT_MEDIA: bit i: medium i is new */
        struct vpc_medium media[VPC_MEDIA_MAX]; /* SLOT_ADD, SLOT_MEDIA */
        struct media_fault fault;
        uint64_t hits;
        uint8_t media_kind[VPC_MEDIA_MAX]; /* enum medium_kind */
        uint32_t poll_us, cache;           /* SLOT_ADD: of the worker, the same each time; enum media_cache */
        struct link_limits limits;         /* SLOT_ADD, SLOT_LIMITS */
        uint32_t medium, result;           /* RESERVATIONS..., RESERVED, TROUBLE */
        uint64_t change;
        struct vpc_reserve_request reserve;
        struct link_share share; /* SLOT_SHARE */
};

/* Send a message and `n` descriptors, which stay the caller's. -EAGAIN: the other side does not read. */
int link_send(int fd, const struct link_message *message, const int *fds, unsigned int n);
/* Receive one; descriptors are the caller's, at most LINK_FDS_MAX. -EAGAIN: none there, -ECONNRESET: the other side is gone,
 * -EBADMSG: malformed (descriptors are closed). Strings are made to end. */
int link_receive(int fd, struct link_message *ret_message, int ret_fds[LINK_FDS_MAX], unsigned int *ret_n);
/* The same, but it stays there until link_discard(): whoever dies before has not lost it. Descriptors are copies. */
int link_peek(int fd, struct link_message *ret_message, int ret_fds[LINK_FDS_MAX], unsigned int *ret_n);
void link_discard(int fd);

#endif
