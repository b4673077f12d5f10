/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control process: owns the model, its state on disk and what is seen of both. Everything else here hangs off this. */
#ifndef IOV_CONTROL_CONTROL_H
#define IOV_CONTROL_CONTROL_H

#include "control/store/history.h"
#include "control/journal.h"
#include "control/keeper/keeper.h"
#include "control/tables.h"
#include "iove/transaction.h"
#include "loop/loop.h"

struct control;

struct control_options {
        const char *state_directory;
        const char *run_directory; /* NULL: a simulator, no server can be cabled */
        const char *chassis;       /* file; NULL: STATE/chassis.yaml, else the built-in one */
        int sim_fd;                /* connected socket to serve the management function on; -1: none */
        int log_level;
        uint32_t read_group;   /* who may look only (mgmt/access.h) */
        int keeper_fd;         /* socket to the keeper (keeper/keeper.h); -1: none */
        unsigned int unplug_s; /* how long a guest has to let go of a device */
        unsigned int cache;    /* enum media_cache: of media in files and on block devices */
        unsigned int poll_us;  /* how long a worker looks out for work after the last, at most */
};

/* Load, listen, serve until SIGTERM, SIGINT, or the simulator's client is gone. Returns an exit status. */
int control_main(const struct control_options *options);

/* For the management function: */
struct loop *control_get_loop(struct control *control);
struct journal *control_get_journal(struct control *control);
const struct control_options *control_get_options(const struct control *control);
struct keeping *control_get_keeping(struct control *control); /* NULL: there is none */
struct tables *control_get_tables(struct control *control);
const struct iov_model *control_get_model(const struct control *control);
const struct history *control_get_history(const struct control *control);
const uint8_t *control_get_id(const struct control *control); /* APPLIANCE_ID_SIZE bytes */
bool control_is_sim(const struct control *control);
const char *control_get_run_directory(const struct control *control); /* "" for a simulator */
uint64_t control_get_boot_time(const struct control *control);
/* Copy the live counters of all plugged vAdapters to the tables; returns CLOCK_MONOTONIC, ns. */
uint64_t control_snapshot(struct control *control);
uint64_t control_get_snapshot_time(const struct control *control);
/* The configuration space of a vAdapter, live where it is plugged, else as at power-on. -ENOENT. */
int control_read_config(struct control *control, const char *vadapter, void *ret_config);

/* False while a commit whose time to be confirmed ran out before we started is being taken back. */
bool control_is_ready(const struct control *control);
/* CLOCK_REALTIME in ns when the last commit is taken back unless it is confirmed, 0: nothing waits. */
uint64_t control_get_confirm_time(const struct control *control);
/* Who can reach what, as of now; the caller frees the rows. */
int control_read_isolation(struct control *control, struct iov_mb_isolation_row **ret_rows, size_t *ret_n);
/* Who has registered with shared volumes; *ret_rows is the caller's. */
int control_read_reservations(struct control *control, struct iov_mb_reservation_row **ret_rows, size_t *ret_n);

/*
 * Commit a transaction: `done` is called when it is durable and shown (0), refused (-EBADMSG, `refusal`) or failed; maybe from
 * within. The transaction must stay until then. Commits are done one after the other, in the order they come.
 */
enum control_commit_kind {
        COMMIT_TRANSACTION,
        COMMIT_CONFIRM,   /* keep what waits to be confirmed */
        COMMIT_TAKE_BACK, /* go back from it */
        COMMIT_AMEND,     /* what makes no generation, see amend.h */
        COMMIT_CHASSIS,   /* the same, for the chassis file */
};
struct control_commit;
typedef int (*control_amend_fn)(struct control *control, struct control_commit *commit);
struct control_commit {
        enum control_commit_kind kind;
        const struct iove_transaction *transaction; /* of COMMIT_TRANSACTION */
        control_amend_fn amend;                     /* of COMMIT_AMEND and COMMIT_CHASSIS */
        union {
                struct iov_mb_link_control link;
                struct iov_fault fault;
                struct iov_adapter adapter;
                char name[IOV_NAME_SIZE];
        } request;    /* of `amend` */
        uint32_t uid; /* who asks */
        void (*done)(struct control_commit *commit, int result);
        struct iov_mb_txn_result result;
        struct iove_refusal refusal;
        struct control_commit *next;
};
void control_commit(struct control *control, struct control_commit *commit);
/* The one who asks is gone: `done` will not be called, the transaction is not used any more. What is being written is still
 * finished. */
void control_commit_forget(struct control *control, struct control_commit *commit);

#endif
