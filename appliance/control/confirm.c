/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commit-confirm: a commit with a confirm time is taken back when that has passed, unless CONFIRM came. The time is part of the
 * saved state, so that it survives us. Until then the files of volumes that the commit removed stay, for the way back.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "control/control-private.h"
#include "iove/take-back.h"
#include "util.h"

#define SECOND UINT64_C(1000000000)
#define RETRY (60 * SECOND) /* where it could not be taken back, for want of space say */

static uint64_t now_ns(void) {
        struct timespec t;

        clock_gettime(CLOCK_REALTIME, &t);
        return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

uint64_t confirm_time(const struct control *c) {
        return c->info.confirm_s ? c->info.time_ns + c->info.confirm_s * SECOND : 0;
}

static void on_taken_back(struct control_commit *commit, int result) {
        struct control *c = (struct control *)(void *)((char *)commit - offsetof(struct control, take_back));

        c->taking_back = false;
        if (c->late) {
                c->late = false;
                if (c->supervisor)
                        supervisor_reconcile(c->supervisor);
        }
        /* It may have been confirmed, or taken back by hand, in the same moment. */
        if (result == 0 || !c->info.confirm_s)
                return;
        journal_event(c->journal, LOG_ERR, JOURNAL_NO_UID, "",
                      "generation %" PRIu64 " cannot be taken back: %s; tried again in %u s", c->info.generation,
                      result == -EBADMSG ? commit->refusal.errors[0].text : strerror(-result), (unsigned int)(RETRY / SECOND));
        loop_timer_set(c->confirm_timer, RETRY);
}

static void take_back(struct control *c) {
        if (c->taking_back)
                return;
        c->taking_back = true;
        memset(&c->take_back, 0, sizeof(c->take_back));
        c->take_back.kind = COMMIT_TAKE_BACK;
        c->take_back.uid = IOV_UID_APPLIANCE;
        c->take_back.done = on_taken_back;
        control_commit(c, &c->take_back);
}

static void on_time(void *userdata) {
        take_back(userdata);
}

int confirm_start(struct control *c) {
        int r = loop_add_timer(c->loop, UINT64_MAX, on_time, c, &c->confirm_timer);

        if (r < 0)
                return r;
        c->late = c->info.confirm_s && now_ns() >= confirm_time(c);
        if (c->late)
                take_back(c);
        else
                confirm_set(c);
        return 0;
}

void confirm_set(struct control *c) {
        uint64_t time = confirm_time(c), now = now_ns();

        loop_timer_set(c->confirm_timer, !time ? UINT64_MAX : time > now ? time - now : 0);
}

int confirm_refuse(const struct control *c, struct iove_refusal *refusal) {
        uint64_t time = confirm_time(c), now = now_ns();

        return iove_refuse(refusal, IOV_RET_BUSY, UINT32_MAX,
                           "generation %" PRIu64 " waits for %" PRIu64
                           " s more to be confirmed: 'iovprov confirm' keeps it, 'iovprov rollback' takes it back",
                           c->info.generation, time > now ? (time - now) / SECOND : 0);
}

static int nothing_waits(struct iove_refusal *refusal) {
        return iove_refuse(refusal, IOV_RET_NOT_FOUND, UINT32_MAX, "nothing waits to be confirmed");
}

/* The same generation, written again without its confirm time. */
int confirm_make(struct control *c, struct control_commit *commit) {
        if (!c->info.confirm_s)
                return nothing_waits(&commit->refusal);
        c->candidate_info = c->info;
        c->candidate_info.confirm_s = 0;
        return iov_model_clone(c->model, &c->candidate);
}

/* What a generation had. */
static int load_generation(struct control *c, uint64_t generation, struct iov_model **ret_model) {
        struct iov_model *model = NULL;
        int r = iov_model_new(c->ctx, &model);

        if (r == 0)
                r = state_load_generation(c->state, generation, model);
        if (r < 0) {
                iov_model_unref(model);
                return r;
        }
        *ret_model = model;
        return 0;
}

int confirm_make_take_back(struct control *c, struct control_commit *commit) {
        const struct iove_limits limits = control_limits(c);
        struct iov_model *then = NULL;
        uint32_t changed = 0;

        if (!c->info.confirm_s)
                return nothing_waits(&commit->refusal);
        int r = load_generation(c, c->info.generation - 1, &then);
        if (r == 0)
                r = iove_take_back(c->model, then, &limits, &c->candidate, &changed, &commit->refusal);
        iov_model_unref(then);
        if (r < 0)
                return r;
        uint64_t generation = c->info.generation + 1;
        iov_model_set_generation(c->candidate, generation);
        c->candidate_info = (struct state_info){.generation = generation,
                                                .last_id = c->last_id,
                                                .time_ns = limits.now_ns,
                                                .uid = commit->uid,
                                                .n_changes = changed,
                                                .flags = IOV_HISTORY_TAKEN_BACK};
        return 0;
}

void confirm_done(struct control *c) {
        struct iov_model *then = NULL;
        int r = load_generation(c, c->info.generation - 1, &then);

        /* Their files are then moved to retained/ at the next start. */
        if (r < 0)
                journal_event(c->journal, LOG_WARNING, JOURNAL_NO_UID, "",
                              "generation %" PRIu64 " cannot be read: %s; files of removed volumes stay for now",
                              c->info.generation - 1, strerror(-r));
        else {
                control_discard_volumes(c, then);
                control_forget_vadapters(c, then);
        }
        iov_model_unref(then);
}
