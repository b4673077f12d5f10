/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control process, as the files see it that make and adopt candidates. */
#ifndef IOV_CONTROL_CONTROL_PRIVATE_H
#define IOV_CONTROL_CONTROL_PRIVATE_H

#include <time.h>

#include "context.h"
#include "control/store/appliance-id.h"
#include "control/asked.h"
#include "control/control.h"
#include "control/mgmt/mgmt.h"
#include "control/store/saver.h"
#include "control/store/state.h"
#include "control/supervisor/supervisor.h"

struct control {
        const struct control_options *options;
        struct iov_ctx *ctx;
        struct loop *loop;
        struct loop_source *signals;
        struct tables *tables;
        struct journal *journal;
        struct state *state;
        int run_lock; /* the run directory is ours */
        struct history *history;
        uint8_t id[APPLIANCE_ID_SIZE];
        struct iov_model *model;
        struct state_info info; /* of the model */
        uint64_t last_id, boot_time, snapshot_time;
        struct keeping *keeping;       /* NULL: there is no keeper */
        struct supervisor *supervisor; /* NULL: a simulator */
        struct mgmt *mgmt;
        /* commits: the first is being written, the others wait */
        struct saver *saver;
        struct control_commit *commits, *writing;
        struct iov_model *candidate;
        struct state_info candidate_info;
        enum control_commit_kind candidate_kind;
        uint32_t candidate_uid; /* who asked for it */
        char candidate_object[IOV_NAME_SIZE],
                candidate_event[152];        /* what a transaction or an amendment will tell; empty: nothing */
        struct preallocation *preallocation; /* what precedes it; NULL: nothing */
        size_t n_expired;                    /* generations that end with it */
        struct asked asked;                  /* what its transaction names */
        /* what waits to be confirmed */
        struct loop_source *confirm_timer;
        struct control_commit take_back;
        bool taking_back;            /* `take_back` is under way */
        struct control_commit spent; /* faults that strike a number of times */
        bool saving_spent;
        bool late; /* the time had passed when we started: nothing is served before it is taken back */
};

struct iove_limits control_limits(const struct control *control);
/* In ns. */
uint64_t control_clock_ns(clockid_t id);

/* commits.c: */
/* Volumes that `old` had and the model has not lose their files. */
void control_discard_volumes(struct control *control, const struct iov_model *old);
/* Of vAdapters that `old` had and the model has not nothing is kept. */
void control_forget_vadapters(const struct control *control, const struct iov_model *old);

/* confirm.c: */
/* CLOCK_REALTIME in ns when the model is taken back, 0: it stays. */
uint64_t confirm_time(const struct control *control);
/* At start, with the model loaded: arm what waits, or take it back at once. */
int confirm_start(struct control *control);
/* The model has changed: arm or disarm. */
void confirm_set(struct control *control);
/* Refuse a transaction while something waits: -EBADMSG. */
int confirm_refuse(const struct control *control, struct iove_refusal *ret_refusal);
/* Make the candidate of COMMIT_CONFIRM and COMMIT_TAKE_BACK. */
int confirm_make(struct control *control, struct control_commit *commit);
int confirm_make_take_back(struct control *control, struct control_commit *commit);
/* What waited was confirmed: what it had removed goes now. */
void confirm_done(struct control *control);

#endif
