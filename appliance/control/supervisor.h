/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The workers and what is plugged into their slots. supervisor_reconcile() compares what should be with what is and takes the
 * next steps: unplug what is not wanted any more, wait until it is quiet, plug what is missing. Everything that happens later (a
 * worker's answer, its death, a time-out) ends in another reconcile, so that there is one way only.
 */
#ifndef IOV_CONTROL_SUPERVISOR_H
#define IOV_CONTROL_SUPERVISOR_H

#include "control/journal.h"
#include "control/keeper.h"
#include "iov/libiov.h"
#include "loop/loop.h"

struct supervisor;

/* What the supervisor tells the control process; the model is changed there only. */
struct supervisor_events {
        void (*vadapter_status)(void *userdata, const char *vadapter, enum iov_vadapter_state state, uint32_t peer_pid,
                                const char *socket);
        void (*server_status)(void *userdata, const char *server, enum iov_server_state state, uint32_t worker_pid,
                              uint32_t restarts);
        /* The model as it is now. */
        const struct iov_model *(*model)(void *userdata);
};

/* What `keeping` has of a control process before this one is taken over: links that serve go on serving. */
int supervisor_new(struct loop *loop, struct journal *journal, struct keeping *keeping, int state_directory,
                   const char *run_directory, const struct supervisor_events *events, void *userdata,
                   struct supervisor **ret_supervisor);
/* Ends all workers and waits for them, a second at most each; removes the sockets. */
struct supervisor *supervisor_free(struct supervisor *supervisor);
void supervisor_reconcile(struct supervisor *supervisor);
/* The live counters and configuration space of a plugged vAdapter. -ENOENT: it is not plugged. */
int supervisor_read_counters(struct supervisor *supervisor, const char *vadapter, struct iov_counter *ret_counter);
int supervisor_read_config(struct supervisor *supervisor, const char *vadapter, void *ret_config);

#endif
