/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One vfio-user connection: parses messages, checks every field, drives a function, replies. A malformed message gets an error
 * reply where the stream is still in step, else the connection is closed; never anything else.
 */
#ifndef IOV_VPC_SERVER_H
#define IOV_VPC_SERVER_H

#include "loop/loop.h"
#include "vpc/function.h"

struct vpc_connection;

struct vpc_connection_events {
        /* The connection has ended (by the peer, by a violation: `reason`, a static string, or by vpc_connection_close()) and the
         * function is quiet. The connection is freed after this returns. */
        void (*closed)(void *userdata, const char *reason);
        /* VERSION was agreed; a server is there. */
        void (*opened)(void *userdata);
        /* Of a connection without a function: the errno of the reply that refuses it; 0: EBUSY. */
        int refusal;
};

/* Take over a connected socket. `function` may be NULL: VERSION is then refused with an error reply and the connection
 * closed by the peer or after a second, which is how a client is turned away without harm (see the shared note on QEMU). */
int vpc_connection_new(struct loop *loop, int fd, struct vpc_function *function, const struct vpc_connection_events *events,
                       void *userdata, struct vpc_connection **ret_connection);
/* Go on with the connection that the function's session has, where another process was killed. -ENOENT: it has none. What that
 * process has not finished is done again from the loop. `opened` is not called: see vpc_connection_is_open(). */
int vpc_connection_resume(struct loop *loop, struct vpc_function *function, const struct vpc_connection_events *events,
                          void *userdata, struct vpc_connection **ret_connection);
bool vpc_connection_is_open(const struct vpc_connection *connection);
/* Start closing; `closed` is called when the function is quiet, maybe from within. */
void vpc_connection_close(struct vpc_connection *connection, const char *reason);

#endif
