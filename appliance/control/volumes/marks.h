/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The marks of volumes (vpc/marks.h): STATE/marks/ID of each that ever had any, and who has asked for what, one after the other
 * for each volume. A change is made durable, then shown to all who have the volume, then answered.
 *
 * That the marks of a function were set is kept with them, so that a question that comes again, because a worker or the control
 * process was killed, does not set them once more: a write may have cleared them since. To clear them once more does no harm.
 */
#ifndef IOV_CONTROL_MARKS_H
#define IOV_CONTROL_MARKS_H

#include "control/journal.h"
#include "iov/libiov.h"
#include "loop/loop.h"
#include "vpc/marks.h"
#include "vpc/reservation.h"

struct marks;

struct marks_events {
        /* Show it to all who have the volume. */
        void (*publish)(void *userdata, uint64_t volume, const struct vpc_marks *marks);
        void (*answer)(void *userdata, uint64_t instance, uint64_t ticket, enum vpc_reserve_result result);
        /* There is a function of that number; else no question of it can come any more. */
        bool (*is_there)(void *userdata, uint64_t instance);
};

/* With what is in the state directory. */
int marks_new(struct loop *loop, struct journal *journal, int state_directory, const struct marks_events *events, void *userdata,
              struct marks **ret_marks);
/* Waits for what is being written. Takes NULL. */
struct marks *marks_free(struct marks *marks);
/* The functions that go on from before are known: all of them are shown what there is. */
void marks_start(struct marks *marks);
/* The model has changed: of a volume that has shrunk nothing behind its end is marked. */
void marks_sync(struct marks *marks, const struct iov_model *model);
/* NULL: there are none. */
const struct vpc_marks *marks_get(const struct marks *marks, uint64_t volume);
/* A function asks. */
void marks_ask(struct marks *marks, uint64_t volume, uint64_t instance, const struct vpc_reserve_request *request);
/* It is gone, and what it waits for is of no interest any more. */
void marks_drop(struct marks *marks, uint64_t instance);
/* The volume is gone, for good. */
void marks_remove(struct marks *marks, uint64_t volume);
/* So are all that are not in the model. */
void marks_sweep(struct marks *marks, const struct iov_model *model);

#endif
