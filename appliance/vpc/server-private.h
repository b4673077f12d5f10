/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages between server.c, which moves them, and the handlers in messages.c and version.c. */
#ifndef IOV_VPC_SERVER_PRIVATE_H
#define IOV_VPC_SERVER_PRIVATE_H

#include "vfio-user/protocol.h"
#include "vpc/function.h"

#define SERVER_FDS_MAX 16
/* Data of one read or write: the protocol's default, so a client that does not negotiate may ask for it. */
#define SERVER_TRANSFER_MAX 1048576u
/* What is told to those who ask: larger replies do not fit into a socket's default buffer, and QEMU loses its step over them. */
#define SERVER_TRANSFER_ANNOUNCED 65536u
#define SERVER_MESSAGE_MAX (sizeof(struct vfio_user_header) + sizeof(struct vfio_user_region_access) + SERVER_TRANSFER_MAX)

/* A request: in the connection's own buffer, at any alignment, complete. */
struct server_message {
        const uint8_t *payload;
        size_t length;
        int fds[SERVER_FDS_MAX]; /* a handler that keeps one puts -1 in its place */
        unsigned int n_fds;
};

/* Its reply, without header. */
struct server_reply {
        uint8_t *payload; /* room for SERVER_MESSAGE_MAX less a header */
        size_t length;
        int fd; /* -1: none; it stays its owner's */
};

/* 0, a negative errno for an error reply, or VPC_QUIESCE_FIRST: reply when the function is quiet. */
typedef int (*server_handler)(struct vpc_function *function, struct server_message *message, struct server_reply *reply);

/* Check and do what a command asks for. */
int server_handle(struct vpc_function *function, unsigned int command, struct server_message *message,
                  struct server_reply *reply);
/* VERSION; it needs no function. */
int server_version(struct vpc_function *function, struct server_message *message, struct server_reply *reply);

#endif
