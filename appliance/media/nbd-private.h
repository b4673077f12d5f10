/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An NBD medium as its own files see it: nbd.c has the requests, nbd-link.c the connection. */
#ifndef IOV_MEDIA_NBD_PRIVATE_H
#define IOV_MEDIA_NBD_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "media/nbd-library.h"
#include "media/nbd-target.h"
#include "media/nbd.h"

#define NBD_SECOND UINT64_C(1000000000)
#define NBD_TRANSFERS 128u      /* at the server at a time; the rest waits */
#define NBD_BOUNCE (256u << 10) /* bytes of each that data in many pieces is gathered in */
#define NBD_PART_MAX (1u << 20) /* bytes of a read or write at the server */

enum nbd_state {
        NBD_DOWN,      /* asked for a connection, or about to */
        NBD_DRAINING,  /* the old one is open until the server has done what it was asked there */
        NBD_HANDSHAKE, /* negotiating */
        NBD_OPEN,
};

/* A request that has its turn: one command at the server at a time. */
struct nbd_transfer {
        struct media_nbd *media;
        struct vpc_io *io;
        char *memory; /* of the command */
        uint64_t length;
        bool is_bounced, is_issued;
        int error; /* errno that the command has ended with; ENOTCONN: it has not, but its connection has */
        uint64_t since;
        struct nbd_transfer *next;
};
struct nbd_list {
        struct nbd_transfer *first, **end;
};

struct media_nbd {
        struct loop *loop;
        const struct nbd_library *nbd;
        const struct media_nbd_events *events;
        void *userdata;
        int fd; /* what it is: nbd-target.h */
        struct nbd_target target;
        uint64_t size;

        /* requests */
        struct nbd_transfer *transfers;
        struct nbd_transfer *unused;
        char *bounce;                          /* NBD_BOUNCE bytes for each transfer, in its order */
        struct nbd_list answered, again;       /* by their commands; to be issued once there is a connection */
        struct vpc_io *waiting, **waiting_end; /* for a transfer, or the first connection */
        struct vpc_io *ended, **ended_end;     /* with the error in private.progress */
        unsigned int under_way, n_issued;
        struct loop_end end;
        void (*retired)(void *userdata); /* NULL: in use */
        void *retired_userdata;
        bool hurried;

        /* the connection */
        enum nbd_state state;
        struct nbd_handle *handle;
        struct loop_source *source, *timer;
        bool is_ticking, is_pumping;
        bool can_zero;
        bool is_told; /* that it is away */
        uint64_t export_size, part_max;
        int drained;    /* socket of the connection before, -1: none */
        uint64_t since; /* of the state */
        uint64_t down;  /* when the last one that worked has ended */
        uint64_t asked; /* number of the question that is not answered, 0: none */
        uint64_t retry; /* when to ask again */
        uint64_t delay;
        uint64_t n_answers, n_answers_before; /* in all; before this connection */
};

/* nbd.c: */
/* Take what the server has answered. The medium may be gone after it. */
void nbd_settle(struct media_nbd *media);
/* End what has waited for too long. */
void nbd_expire(struct media_nbd *media, uint64_t now);
/* Something has been under way at the server for longer than the limit. */
bool nbd_is_overdue(const struct media_nbd *media, uint64_t now);

/* nbd-link.c: */
int nbd_link_start(struct media_nbd *media);
void nbd_link_stop(struct media_nbd *media);
/* After each call of libnbd that may have sent or ended something. */
void nbd_link_follow(struct media_nbd *media);
/* Requests end at once: there has been no connection for longer than the limit. */
bool nbd_link_is_given_up(const struct media_nbd *media, uint64_t now);
/* Look again in a moment: something is under way. */
void nbd_link_tick(struct media_nbd *media);

#endif
