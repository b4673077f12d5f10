/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Limits of a vAdapter: operations and bytes a second, each with a burst; and its share of an adapter that has rates of its own.
 * What is within them goes at once, the rest waits in its order, reads and writes apart; a flush never waits.
 */
#ifndef IOV_LINK_QOS_H
#define IOV_LINK_QOS_H

#include <stdbool.h>

#include "link/channel.h"
#include "link/share.h"
#include "loop/loop.h"
#include "vpc/io.h"

#define QOS_BURST_NS UINT64_C(100000000) /* what was not used lately can be used at once: this much of it */

/* Of a share it is less: all those on an adapter may use theirs at the same time. */
#define QOS_SHARE_BURST_NS UINT64_C(50000000)

struct qos;

/* `start` takes requests that may go; io->waited_ns is how long they waited. */
int qos_new(struct loop *loop, void (*start)(void *userdata, unsigned int medium, struct vpc_io *io), void *userdata,
            struct qos **ret_qos);
/* Only when nothing waits. Takes NULL. */
void qos_free(struct qos *qos);
/* From now on, for those that wait as well. */
void qos_set(struct qos *qos, const struct link_limits *limits);
/* Takes the share over, NULL: the adapter has no rates. */
void qos_set_share(struct qos *qos, struct share *share);
/* A request may go now; qos_charge() takes what it costs, when it has gone. */
bool qos_ready(struct qos *qos, const struct vpc_io *io);
void qos_charge(struct qos *qos, const struct vpc_io *io);
/* Start a request, now or when it may go. */
void qos_submit(struct qos *qos, unsigned int medium, struct vpc_io *io);
/* Somebody waits for all that is under way: start those that wait. What they cost is owed. */
void qos_hurry(struct qos *qos);

#endif
