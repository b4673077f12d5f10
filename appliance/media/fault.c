/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "media/fault.h"

#include <errno.h>
#include <stdlib.h>

#include "util.h"

#define TELL_NS UINT64_C(100000000)

struct armed {
        struct media_fault fault;
        uint64_t hits; /* not told yet */
};

/* A request that waits keeps when its time has come in private.progress, and its medium in private.rest.iov_len; neither means
 * anything before a medium has it. */
struct media_faults {
        struct loop *loop;
        const struct media_fault_events *events;
        void *userdata;
        struct loop_source *timer, *tell;
        bool telling;
        struct armed faults[MEDIA_FAULTS_MAX];
        unsigned int n;
        struct vpc_io *waiting; /* by time */
};

static void hit(struct media_faults *f, struct armed *a) {
        a->hits++;
        if (!f->telling)
                loop_timer_set(f->tell, TELL_NS);
        f->telling = true;
}

static void tell_hits(struct media_faults *f) {
        f->telling = false;
        for (unsigned int i = 0; i < f->n; i++) {
                uint64_t hits = f->faults[i].hits;

                f->faults[i].hits = 0;
                if (hits)
                        f->events->struck(f->userdata, f->faults[i].fault.id, hits);
        }
}

static void on_tell(void *userdata) {
        tell_hits(userdata);
}

static bool strikes(const struct media_fault *fault, unsigned int medium, const struct vpc_io *io) {
        if (fault->medium != MEDIA_FAULT_ALL && fault->medium != medium)
                return false;
        switch (fault->type) {
        case MEDIA_FAULT_ERROR:
                return io->op != VPC_IO_FLUSH && io->op != VPC_IO_FORMAT && io->offset < fault->first + fault->length &&
                       fault->first < io->offset + io->length;
        case MEDIA_FAULT_FULL:
                return io->op == VPC_IO_WRITE || io->op == VPC_IO_ZERO;
        default:
                return true;
        }
}

/* The error that a request ends with, 0: none. */
static int error_of(struct media_faults *f, unsigned int medium, const struct vpc_io *io) {
        for (unsigned int i = 0; i < f->n; i++) {
                struct armed *a = &f->faults[i];

                if (a->fault.type == MEDIA_FAULT_LATENCY || !strikes(&a->fault, medium, io))
                        continue;
                hit(f, a);
                return a->fault.type == MEDIA_FAULT_FULL ? -ENOSPC : -EIO;
        }
        return 0;
}

static uint64_t delay_of(struct media_faults *f, unsigned int medium, const struct vpc_io *io) {
        struct armed *longest = NULL;

        for (unsigned int i = 0; i < f->n; i++) {
                struct armed *a = &f->faults[i];

                if (a->fault.type == MEDIA_FAULT_LATENCY && strikes(&a->fault, medium, io) &&
                    (!longest || a->fault.delay_ns > longest->fault.delay_ns))
                        longest = a;
        }
        if (!longest)
                return 0;
        hit(f, longest);
        return longest->fault.delay_ns;
}

static void set_timer(struct media_faults *f, uint64_t now) {
        uint64_t due = f->waiting ? f->waiting->private.progress : UINT64_MAX;

        loop_timer_set(f->timer, !f->waiting ? UINT64_MAX : due > now ? due - now : 0);
}

static void wait_until(struct media_faults *f, unsigned int medium, struct vpc_io *io, uint64_t due) {
        struct vpc_io **at = &f->waiting;

        io->private.progress = due;
        io->private.rest.iov_len = medium;
        while (*at && (*at)->private.progress <= due)
                at = &(*at)->private.next;
        io->private.next = *at;
        *at = io;
        if (f->waiting == io)
                set_timer(f, monotonic_ns());
}

static void on_timer(void *userdata) {
        struct media_faults *f = userdata;
        struct vpc_io *due = f->waiting, **end = &due, *io;
        uint64_t now = monotonic_ns();

        while (*end && (*end)->private.progress <= now)
                end = &(*end)->private.next;
        f->waiting = *end;
        *end = NULL;
        set_timer(f, now);
        while ((io = due)) {
                unsigned int medium = (unsigned int)io->private.rest.iov_len;
                int error = error_of(f, medium, io);

                due = io->private.next;
                if (error)
                        io->private.finish(io, error);
                else
                        f->events->submit(f->userdata, medium, io);
        }
}

int media_faults_new(struct loop *loop, const struct media_fault_events *events, void *userdata,
                     struct media_faults **ret_faults) {
        struct media_faults *f = calloc(1, sizeof(*f));

        if (!f)
                return -ENOMEM;
        f->loop = loop;
        f->events = events;
        f->userdata = userdata;
        int r = loop_add_timer(loop, UINT64_MAX, on_timer, f, &f->timer);
        if (r == 0)
                r = loop_add_timer(loop, UINT64_MAX, on_tell, f, &f->tell);
        if (r < 0) {
                media_faults_free(f);
                return r;
        }
        *ret_faults = f;
        return 0;
}

void media_faults_free(struct media_faults *f) {
        if (!f)
                return;
        loop_source_remove(f->timer);
        loop_source_remove(f->tell);
        free(f);
}

void media_faults_reset(struct media_faults *f) {
        tell_hits(f);
        f->n = 0;
        for (struct vpc_io *io = f->waiting; io; io = io->private.next)
                io->private.progress = 0;
        set_timer(f, monotonic_ns());
}

int media_faults_add(struct media_faults *f, const struct media_fault *fault) {
        if (fault->type < MEDIA_FAULT_ERROR || fault->type > MEDIA_FAULT_FULL || fault->delay_ns > MEDIA_FAULT_DELAY_MAX ||
            fault->first > UINT64_MAX - fault->length)
                return -EINVAL;
        if (f->n == MEDIA_FAULTS_MAX)
                return -E2BIG;
        f->faults[f->n++] = (struct armed){.fault = *fault};
        return 0;
}

void media_faults_submit(struct media_faults *f, unsigned int medium, struct vpc_io *io) {
        uint64_t delay = f->n ? delay_of(f, medium, io) : 0;

        if (delay) {
                wait_until(f, medium, io, monotonic_ns() + delay);
                return;
        }
        /* Looked at twice where it strikes, but told once: an error never ends from within the submission. */
        for (unsigned int i = 0; i < f->n; i++)
                if (strikes(&f->faults[i].fault, medium, io)) {
                        wait_until(f, medium, io, 0);
                        return;
                }
        f->events->submit(f->userdata, medium, io);
}
