/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The workers and what is plugged into their slots. supervisor_reconcile() compares what should be with what is and takes the
 * next steps: unplug what is not wanted any more, wait until it is quiet, plug what is missing. Everything that happens later (a
 * worker's or hypervisor's answer, its death, a time-out) ends in another reconcile, so that there is one way only.
 */
#ifndef IOV_CONTROL_SUPERVISOR_H
#define IOV_CONTROL_SUPERVISOR_H

#include "control/journal.h"
#include "control/keeper/keeper.h"
#include "iov/libiov.h"
#include "loop/loop.h"
#include "vpc/model.h"
#include "vpc/report.h"

struct host;
struct ram_volumes;
struct supervisor;

struct supervisor_progress {
        enum iov_vadapter_state state;
        uint32_t peer_pid;
        enum iov_interrupts interrupts;
        const char *socket, *reason;
};

/* What the supervisor tells the control process; the model is changed there only. */
struct supervisor_events {
        void (*vadapter_status)(void *userdata, const char *vadapter, enum iov_vadapter_state state, uint32_t peer_pid,
                                const char *socket);
        void (*server_status)(void *userdata, const char *server, enum iov_server_state state, uint32_t worker_pid,
                              uint32_t restarts);
        /* What of a volume of the model cannot be read has changed. */
        void (*volume_status)(void *userdata, const struct iov_volume *volume, uint64_t unreadable);
        /* A worker says that a fault on demand has struck. */
        void (*struck)(void *userdata, uint64_t fault, uint64_t hits);
        /* How far the plugging or unplugging of a vAdapter is; `reason` may be empty. */
        void (*vadapter_progress)(void *userdata, const char *vadapter, const struct supervisor_progress *progress);
        void (*host_status)(void *userdata, const char *server, const struct host *host);
        /* The model as it is now. */
        const struct iov_model *(*model)(void *userdata);
};

/* What `keeping` has of a control process before this one is taken over: links that serve go on serving. A guest has `unplug_s`
 * seconds to let go of a device; workers poll for `poll_us` at most, and their media are
 * cached as `cache` (enum media_cache) says. */
int supervisor_new(struct loop *loop, struct journal *journal, struct keeping *keeping, int state_directory,
                   const char *run_directory, unsigned int unplug_s, unsigned int poll_us, unsigned int cache,
                   const struct supervisor_events *events, void *userdata, struct supervisor **ret_supervisor);
/* Ends all workers and waits for them, a second at most each; removes the sockets. */
struct supervisor *supervisor_free(struct supervisor *supervisor);
/* The volumes in memory, which are the supervisor's. */
struct ram_volumes *supervisor_get_memory(const struct supervisor *supervisor);
void supervisor_reconcile(struct supervisor *supervisor);
/* Tell all workers of the faults on demand anew. */
void supervisor_send_faults(struct supervisor *supervisor);
/* Kill the worker of a server, as if it had crashed. -ENOENT: it has none. */
int supervisor_kill_worker(struct supervisor *supervisor, const char *server);
/* Somebody has just asked for this vAdapter: what failed is tried again. `force`: where it is not wanted any more, its server
 * loses it at once, asked or not. supervisor_reconcile() must follow. */
void supervisor_ask(struct supervisor *supervisor, const char *vadapter, bool force);
/* The live counters and configuration space of a plugged vAdapter. -ENOENT: it is not plugged. */
int supervisor_read_counters(struct supervisor *supervisor, const char *vadapter, struct iov_counter *ret_counter);
int supervisor_read_config(struct supervisor *supervisor, const char *vadapter, void *ret_config);

/* An operator ends all registrations with a shared volume, by id. -ENOENT: it is not shared. */
int supervisor_reservation_clear(struct supervisor *supervisor, uint64_t volume);
/* Another control process goes on, or nobody: what is not kept yet of functions' lives is. Nothing but _exit() may follow. */
void supervisor_hand_over(struct supervisor *supervisor);
/* A volume or a vAdapter is gone for good, by id; or all that the model does not have. */
void supervisor_forget_volume(struct supervisor *supervisor, uint64_t volume);
void supervisor_forget_vadapter(struct supervisor *supervisor, uint64_t vadapter);
void supervisor_sweep(struct supervisor *supervisor);
struct vpc_reservation;
/* NULL: it is not shared. */
const struct vpc_reservation *supervisor_reservation_get(const struct supervisor *supervisor, uint64_t volume);

/* What is plugged in, and what it was given. */
struct supervisor_file {
        uint64_t device, inode;
};
struct supervisor_slot {
        const char *server, *vadapter;
        uint32_t slot, worker_pid, peer_pid;
        const struct vpc_persona *persona;
        const struct vpc_report *report;      /* written by the worker, NULL: none */
        struct supervisor_file image, shared; /* memory of both processes */
        struct supervisor_file reservations;  /* and what the worker may only read; inode 0: none */
        const struct supervisor_file *media;  /* persona->n_media of them */
        const struct supervisor_file *page;   /* in which it says what it wants of its adapter, NULL: none */
};
/* All of them, those that are being unplugged too. */
void supervisor_foreach_slot(const struct supervisor *supervisor,
                             void (*look)(void *userdata, const struct supervisor_slot *slot), void *userdata);

#endif
