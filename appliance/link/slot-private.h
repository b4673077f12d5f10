/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of a slot share: slot.c is its life and its connections, slot-media.c its media, slot-reservations.c what is
 * reserved on them. */
#ifndef IOV_LINK_SLOT_PRIVATE_H
#define IOV_LINK_SLOT_PRIVATE_H

#include "link/qos.h"
#include "link/slot.h"
#include "link/trouble.h"
#include "media/medium.h"
#include "vpc/function.h"
#include "vpc/server.h"
#include "vpc/session.h"

struct slot_medium {
        struct link_slot *slot;
        unsigned int index;
};

struct link_slot {
        struct loop *loop;
        uint64_t instance;
        char name[IOV_NAME_SIZE];
        const struct link_slot_events *events;
        void *userdata;
        struct link_escrow_slot *escrow;
        struct loop_source *listener_source;
        void *image;
        size_t image_size;
        struct link_shared *shared;
        struct vpc_session *session;
        struct vpc_function *function;
        struct vpc_connection *connection;
        struct medium *media[VPC_MEDIA_MAX];
        struct slot_medium owners[VPC_MEDIA_MAX];
        unsigned int n_media;
        unsigned int n_retiring;     /* media that are not shown any more, with requests under way */
        struct media_faults *faults; /* NULL: there never were any */
        struct qos *qos;
        struct trouble *trouble; /* NULL: there never was any */
        void *doorbells;         /* LINK_DOORBELLS_SIZE bytes, NULL: none */
        int doorbells_fd;
        const struct link_reservations *reservations; /* for reading, NULL: none yet */
        struct vpc_reserve_request asked;             /* without an answer yet; ticket 0: nothing is */
        bool pinned;                                  /* the server's memory is being held */
        bool removing, connected, showing, quiet;
};

/* slot.c: */
/* -EBADMSG: it is not as long as that. */
int slot_map(int fd, size_t size, int protection, void **ret_memory);
/* In the name of the vAdapter. */
void slot_say(struct link_slot *slot, int level, const char *what);

/* slot-media.c: */
void slot_io_submit(void *context, unsigned int medium, struct vpc_io *io);
bool slot_io_try(void *context, unsigned int medium, struct vpc_io *io, int *ret_error);
void slot_io_expect(void *context, unsigned int medium, uint64_t offset, uint64_t length);
void slot_io_failed(void *context, unsigned int medium, const struct vpc_io *io, int error);
void slot_hurry(void *context);
/* In the name of a medium. */
void slot_on_trouble(void *userdata, unsigned int medium, int level, const char *text);
/* A request has waited for its qos. */
void slot_on_qos_start(void *userdata, unsigned int medium, struct vpc_io *io);
int slot_open_media(struct link_slot *slot);
/* Pin the server's memory where that is asked for, and there is a medium that gains by it. */
void slot_pin(struct link_slot *slot);
void slot_unpinned(void *context, enum iov_unpinned why);

/* slot-reservations.c: */
const struct vpc_reservation_page *slot_page(void *context, unsigned int medium);
void slot_reserve(void *context, const struct vpc_reserve_request *request);
void slot_fenced(void *context, unsigned int medium, uint64_t change);
int slot_open_reservations(struct link_slot *slot, int fd);

#endif
