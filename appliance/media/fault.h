/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Faults on demand: what stands between a slot and its media while there are any. A request that no fault is for goes on at once;
 * the others are late, or end with the error that a medium would have given.
 */
#ifndef IOV_MEDIA_FAULT_H
#define IOV_MEDIA_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "loop/loop.h"
#include "vpc/io.h"

#define MEDIA_FAULTS_MAX 64 /* of a slot */
#define MEDIA_FAULT_ALL UINT32_MAX
#define MEDIA_FAULT_DELAY_MAX (UINT64_C(60) * 1000000000) /* ns */

enum media_fault_type {
        MEDIA_FAULT_ERROR = 1, /* reads and writes that touch the range end with -EIO */
        MEDIA_FAULT_LATENCY,   /* every request starts `delay_ns` later; of several faults the longest counts */
        MEDIA_FAULT_FULL,      /* writes end with -ENOSPC */
};
struct media_fault {
        uint64_t id;            /* the appliance's number */
        uint32_t type;          /* enum media_fault_type */
        uint32_t medium;        /* or MEDIA_FAULT_ALL */
        uint64_t first, length; /* bytes */
        uint64_t delay_ns;
};

struct media_faults;
struct media_fault_events {
        /* Give a request to its medium. */
        void (*submit)(void *userdata, unsigned int medium, struct vpc_io *io);
        /* A fault has struck so often since it was last told; at most ten times a second. */
        void (*struck)(void *userdata, uint64_t id, uint64_t hits);
};

int media_faults_new(struct loop *loop, const struct media_fault_events *events, void *userdata,
                     struct media_faults **ret_faults);
/* Only when nothing is under way. Takes NULL. */
void media_faults_free(struct media_faults *faults);
/* End all; what they delay goes on now. */
void media_faults_reset(struct media_faults *faults);
/* -EINVAL: it makes no sense, -E2BIG: there are too many. */
int media_faults_add(struct media_faults *faults, const struct media_fault *fault);
/* As media_file_submit(): the request ends in io->private.finish, never from within. */
void media_faults_submit(struct media_faults *faults, unsigned int medium, struct vpc_io *io);

#endif
