/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the event loop share. */
#ifndef IOV_LOOP_PRIVATE_H
#define IOV_LOOP_PRIVATE_H

#include <liburing.h>

#include "loop/loop.h"

struct loop {
        struct io_uring ring;
        unsigned int in_flight; /* completions still to come, without those of cancellations */
        bool stopped, closing;
        int result;
        struct loop_source *sources;
        struct loop_source *todo, **todo_end;

        bool has_files;
        uint64_t files[4]; /* registered: bit i is in use, file-io.c */

        struct loop_poller *pollers;
        unsigned int n_polling; /* those that are at it */
        uint64_t spin_ns;
        unsigned int idle_rounds;
        struct loop_end *rounds, **rounds_end; /* asked for with loop_at_end() */
};

/* A submission queue entry; NULL where the queue is full even after submitting (the completion queue overflows, or no memory). */
struct io_uring_sqe *loop_sqe(struct loop *loop);

/* file-io.c: room for files that are registered; a confined loop makes it before it can make nothing any more. */
int loop_files_reserve(struct loop *loop);
/* poller.c: call those that poll; `busy`: there are completions to be taken. false: none polls any more, the loop may sleep. */
bool poller_round(struct loop *loop, bool busy);
/* What was asked for with loop_at_end(). */
void poller_ends(struct loop *loop);

#endif
