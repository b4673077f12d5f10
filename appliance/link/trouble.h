/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests that media have failed, told to the operator: the first at once, and when there was none for a while that it is over,
 * with how many they were. So a server that tries again and again fills no log. Nothing is done for a request that succeeds.
 */
#ifndef IOV_LINK_TROUBLE_H
#define IOV_LINK_TROUBLE_H

#include "loop/loop.h"
#include "vpc/io.h"

#define TROUBLE_QUIET_NS UINT64_C(10000000000)

struct trouble;

/* Called from the loop, also from within trouble_note(); a syslog level and one line. */
typedef void (*trouble_tell_fn)(void *userdata, unsigned int medium, int level, const char *text);

/* `quiet_ns`: how long no request may have failed before it is over, TROUBLE_QUIET_NS but in tests. */
int trouble_new(struct loop *loop, uint64_t quiet_ns, trouble_tell_fn tell, void *userdata, struct trouble **ret_trouble);
void trouble_free(struct trouble *trouble);
/* A request on `medium`, below VPC_MEDIA_MAX, has ended with a negative errno. What is not the medium's fault is not told. */
void trouble_note(struct trouble *trouble, unsigned int medium, const struct vpc_io *io, int error);
/* Another medium has that number now. */
void trouble_forget(struct trouble *trouble, unsigned int medium);

#endif
