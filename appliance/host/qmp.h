/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client of QMP, QEMU's machine protocol: JSON objects over a stream socket (QEMU, docs/interop/qmp-spec.rst). It connects by
 * itself, again and again, so that it does not matter which of the two is started first or dies. What comes in is bounded in
 * size, depth and time, and nothing here blocks: the peer may be anybody.
 */
#ifndef IOV_HOST_QMP_H
#define IOV_HOST_QMP_H

#include <stdbool.h>
#include <stdint.h>

#include "loop/loop.h"

struct json_object;
struct qmp;

/* Called from the loop; none of them may free the client. */
struct qmp_events {
        /* Greeted, and in command mode. */
        void (*up)(void *userdata);
        /* There is no connection (any more), why, and another try will follow. Replies that were awaited do not come. */
        void (*down)(void *userdata, const char *reason);
        /* `data` is the caller's only during the call, NULL: none. */
        void (*event)(void *userdata, const char *name, struct json_object *data);
};

struct qmp_reply {
        struct json_object *value;      /* on success; only during the call */
        const char *error_class, *text; /* NULL on success; printable and short */
};
typedef void (*qmp_reply_fn)(void *userdata, const char *subject, const struct qmp_reply *reply);

/* The first try is made from the loop. */
int qmp_new(struct loop *loop, const char *path, const struct qmp_events *events, void *userdata, struct qmp **ret_qmp);
struct qmp *qmp_free(struct qmp *qmp);
/* There is reason to believe that somebody is there now: do not wait for the next try. */
void qmp_kick(struct qmp *qmp);
/* Queue a command, with `arguments` (taken over, may be NULL). `subject` is copied and handed to `fn`. -ENOTCONN, -ENOMEM,
 * -E2BIG: too many wait. */
int qmp_execute(struct qmp *qmp, const char *command, struct json_object *arguments, const char *subject, qmp_reply_fn fn);

#endif
