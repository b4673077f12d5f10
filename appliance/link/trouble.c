/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "link/trouble.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "util.h"
#include "vpc/model.h"

#define TEXT_MAX 200

enum kind { KIND_SPACE, KIND_ERROR, KINDS };

struct count {
        uint64_t failed, failed_before; /* since it was told; how many of them the timer has seen. 0: there is no trouble */
};

struct trouble {
        struct loop_source *timer;
        uint64_t quiet_ns;
        trouble_tell_fn tell;
        void *userdata;
        bool is_ticking;
        struct count counts[VPC_MEDIA_MAX][KINDS];
};

static void on_timer(void *userdata);

int trouble_new(struct loop *loop, uint64_t quiet_ns, trouble_tell_fn tell, void *userdata, struct trouble **ret_trouble) {
        struct trouble *t = calloc(1, sizeof(*t));

        if (!t)
                return -ENOMEM;
        t->quiet_ns = quiet_ns;
        t->tell = tell;
        t->userdata = userdata;
        int r = loop_add_timer(loop, UINT64_MAX, on_timer, t, &t->timer);
        if (r < 0) {
                free(t);
                return r;
        }
        *ret_trouble = t;
        return 0;
}

void trouble_free(struct trouble *t) {
        if (!t)
                return;
        loop_source_remove(t->timer);
        free(t);
}

void trouble_forget(struct trouble *t, unsigned int medium) {
        memset(t->counts[medium], 0, sizeof(t->counts[medium]));
}

static const char *what_of(const struct vpc_io *io) {
        static const char *const what[VPC_IO_OPS] = {
                [VPC_IO_READ] = "a read",       [VPC_IO_WRITE] = "a write",          [VPC_IO_FLUSH] = "a flush",
                [VPC_IO_DISCARD] = "a discard", [VPC_IO_ZERO] = "a write of zeroes", [VPC_IO_FORMAT] = "a format",
        };

        return io->op < VPC_IO_OPS ? what[io->op] : "a request";
}

static void tell_first(struct trouble *t, unsigned int medium, const struct vpc_io *io, int error) {
        char text[TEXT_MAX], range[64] = "";

        if (io->op != VPC_IO_FLUSH && io->op != VPC_IO_FORMAT)
                snprintf(range, sizeof(range), " of %" PRIu64 " bytes at byte %" PRIu64, io->length, io->offset);
        snprintf(text, sizeof(text), "%s%s failed: %s", what_of(io), range, strerror(-error));
        t->tell(t->userdata, medium, LOG_ERR, text);
}

static void tell_end(struct trouble *t, unsigned int medium, enum kind kind, uint64_t failed) {
        char text[TEXT_MAX];

        snprintf(text, sizeof(text), "no request has failed%s for %" PRIu64 " s, %" PRIu64 " had before",
                 kind == KIND_SPACE ? " for want of space" : "", t->quiet_ns / UINT64_C(1000000000), failed);
        t->tell(t->userdata, medium, LOG_NOTICE, text);
}

/* The server's memory, a request that the medium does not know, one that was given up, and a connection that tells of itself. */
static bool is_of_medium(int error) {
        return error != -EFAULT && error != -EOPNOTSUPP && error != -EINVAL && error != -ECANCELED && error != -ENXIO &&
               error != -ENOLINK;
}

void trouble_note(struct trouble *t, unsigned int medium, const struct vpc_io *io, int error) {
        enum kind kind = error == -ENOSPC || error == -EDQUOT || error == -EFBIG ? KIND_SPACE : KIND_ERROR;

        if (!is_of_medium(error))
                return;
        if (t->counts[medium][kind].failed++ == 0)
                tell_first(t, medium, io, error);
        if (!t->is_ticking)
                loop_timer_set(t->timer, t->quiet_ns);
        t->is_ticking = true;
}

static void on_timer(void *userdata) {
        struct trouble *t = userdata;

        t->is_ticking = false;
        for (unsigned int medium = 0; medium < VPC_MEDIA_MAX; medium++)
                for (unsigned int kind = 0; kind < KINDS; kind++) {
                        struct count *c = &t->counts[medium][kind], over = *c;

                        if (!c->failed)
                                continue;
                        if (c->failed == c->failed_before) {
                                *c = (struct count){0};
                                tell_end(t, medium, kind, over.failed);
                                continue;
                        }
                        c->failed_before = c->failed;
                        t->is_ticking = true;
                }
        if (t->is_ticking)
                loop_timer_set(t->timer, t->quiet_ns);
}
