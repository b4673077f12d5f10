/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing the state without holding up the event loop: a thread that is there from the first file on. One for each file would
 * cost more than to wake one, and on a busy machine it waits for its turn behind all that run, where one that is woken goes
 * first.
 */
#ifndef IOV_CONTROL_SAVER_H
#define IOV_CONTROL_SAVER_H

#include <stddef.h>
#include <stdint.h>

#include "control/store/state.h"
#include "loop/loop.h"

struct saver;

int saver_new(struct loop *loop, int directory, struct saver **ret_saver);
/* Waits for what is being written. Takes NULL. */
struct saver *saver_free(struct saver *saver);
struct saver_job {
        /* The state: nobody changes the model, nor touches `info`, which is completed, until it is done. Encoding it takes a
         * millisecond for 5,000 objects, and so is not done in the loop either. */
        const struct iov_model *model;
        struct state_info *info;
        /* NULL, and no name: nothing is written, there is only `run`. Or the file of this name (static), with these bytes, which
         * are taken over. */
        const char *name;
        void *bytes;
        size_t size;
        /* What comes before that: a negative errno of `run` is the result, and nothing is written; where nothing can be written
         * `undo` is called. NULL: nothing. */
        int (*run)(void *userdata);
        void (*undo)(void *userdata);
        void *userdata;
        /* Generations that are removed from the history afterwards, which cannot fail the commit; taken over. */
        uint64_t *expired;
        size_t n_expired;
};
/* Write it; `done` is called from the loop with 0 or a negative errno. One at a time. */
int saver_start(struct saver *saver, const struct saver_job *job, void (*done)(void *userdata, int result), void *userdata);

#endif
