/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Talking to the appliance: open, take what is needed, close. Nothing is printed meanwhile, so that pipes of tools cannot
 * deadlock. */
#ifndef IOV_TOOLS_SESSION_H
#define IOV_TOOLS_SESSION_H

#include "tools/common/tool.h"

/* Report a failure and return an exit code; STATUS_DONE: *ret_appliance is open. */
int session_open(struct tool *tool, struct iov_appliance **ret_appliance);
/* Open, have `read` fill in `ret` (0 or -errno), close; an exit code. `what` is for the message where it cannot be read. */
int session_read(struct tool *tool, int (*read)(struct iov_appliance *appliance, void *ret), void *ret, const char *what);

/* Members of a kind, ordered by what they are in, and by what they show. */
struct members {
        const struct iov_member **by_parent, **by_target;
        size_t n;
};
/* What the tools show: the model, and the counters by row of vAdapter. */
struct snapshot {
        struct iov_model *model;
        struct members members[3]; /* namespaces, LUNs, drives */
        struct iov_counter *counters;
        size_t n_counters;
        uint64_t time_ns;
};
void snapshot_free(struct snapshot *snapshot);
#define CLEANUP_SNAPSHOT __attribute__((cleanup(snapshot_free)))
/* From an open appliance; 0 or -errno. */
int snapshot_read(struct iov_appliance *appliance, struct snapshot *ret_snapshot);
/* Open, read, close; an exit code. */
int snapshot_take(struct tool *tool, struct snapshot *ret_snapshot);
/* Only the model. */
int session_load(struct tool *tool, struct iov_model **ret_model);
/* What is there, and of which appliance: what a plan begins with, and the arguments of a server's hypervisor. */
struct basis {
        struct iov_model *have;
        struct iov_mb_identify id;
        bool sim; /* nothing can be plugged there */
};
void basis_free(struct basis *basis);
#define CLEANUP_BASIS __attribute__((cleanup(basis_free)))
/* From an open appliance; 0 or -errno. */
int basis_read(struct iov_appliance *appliance, struct basis *ret_basis);
/* Open, read, close; an exit code. */
int basis_load(struct tool *tool, struct basis *ret_basis);
/*
 * The same while large files are read, which takes about as long. NULL where they are not large, or not files: what comes through
 * a pipe may come from a tool that waits for this very appliance. Either of the others ends it, with NULL too.
 */
struct early_load;
struct early_load *early_load_start(const struct tool *tool, char *const *files, unsigned int n_files);
int early_load_finish(struct tool *tool, struct early_load *early, struct basis *ret_basis);
void early_load_drop(struct early_load *early);
/* Counters of a vAdapter, NULL: none. */
const struct iov_counter *snapshot_counter(const struct snapshot *snapshot, const struct iov_vadapter *vadapter);

#endif
