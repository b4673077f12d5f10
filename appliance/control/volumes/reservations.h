/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reservations on shared volumes: what they are, kept with the keeper and, where they persist through power loss, in
 * STATE/reservations; and who has asked for what, one after the other for each volume. A change is made durable, then shown to
 * all who have the volume, and answered when none of them has anything under way from before it.
 *
 * An answer is remembered with the state that it is of, so that a question that comes again, because a worker or the control
 * process was killed, is not carried out again.
 */
#ifndef IOV_CONTROL_RESERVATIONS_H
#define IOV_CONTROL_RESERVATIONS_H

#include "control/journal.h"
#include "control/keeper/keeper.h"
#include "iov/libiov.h"
#include "loop/loop.h"
#include "vpc/reservation.h"

struct reservations;

struct reservations_events {
        /* Show it to all who have the volume. */
        void (*publish)(void *userdata, const struct vpc_reservation *state);
        /* Nobody who has the volume has anything under way from before that change; reservations_progress() when this may have
         * changed. */
        bool (*is_held)(void *userdata, uint64_t volume);
        void (*answer)(void *userdata, uint64_t instance, uint64_t ticket, enum vpc_reserve_result result);
};

/* With what a control process before this one has left, and what is in the state directory. -EIO: that cannot be read. */
int reservations_new(struct loop *loop, struct journal *journal, struct keeping *keeping, int state_directory,
                     const struct reservations_events *events, void *userdata, struct reservations **ret_reservations);
/* Waits for what is being written. Takes NULL. */
struct reservations *reservations_free(struct reservations *reservations);
/* The model has changed: of volumes that are not there any more, or not shared, nothing is known from now on. */
void reservations_sync(struct reservations *reservations, const struct iov_model *model);
/* The state of a volume, by id; NULL: it is not shared. */
const struct vpc_reservation *reservations_get(const struct reservations *reservations, uint64_t volume);
/* A function asks; `instance` 0: the appliance itself, which needs no answer. */
void reservations_ask(struct reservations *reservations, uint64_t volume, uint64_t instance,
                      const struct vpc_reserve_request *request);
/* An operator ends all of them. -ENOENT: it is not shared. */
int reservations_clear(struct reservations *reservations, uint64_t volume);
void reservations_progress(struct reservations *reservations);

#endif
