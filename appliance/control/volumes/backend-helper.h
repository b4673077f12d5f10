/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What looks a volume up that is on something of somebody else's: a process for one question, since to open a device, to ask a
 * name server, to connect and to negotiate may all take as long as they like.
 */
#ifndef IOV_CONTROL_BACKEND_HELPER_H
#define IOV_CONTROL_BACKEND_HELPER_H

#include <stdint.h>

#include "backend.h"

#define BACKEND_HELPER_FD 3 /* where it finds its end of a SOCK_SEQPACKET socketpair */
#define BACKEND_HELPER_ARGUMENT "--backend"

struct backend_request {
        uint32_t connect; /* NBD: only connect */
        uint32_t read_only;
        uint64_t size; /* of the volume */
        struct backend where;
};
/* With a descriptor: what was opened, or with `connect` a connected socket. */
struct backend_answer {
        int32_t error; /* 0 or a negative errno, and `why` */
        uint32_t block_size;
        uint64_t size;
        char why[104];
};

/* The life of the process: one request, one answer. Returns the exit status. */
int backend_helper_main(void);

/* Do what a request asks; *ret_fd is -1 where there is none. */
void backend_helper_answer(const struct backend_request *request, struct backend_answer *ret_answer, int *ret_fd);

#endif
