/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A client of the vfio-user server on the other end of a socket pair, for tests: it sends what it is told to, friendly or not. */
#ifndef TESTS_VFIO_USER_PEER_H
#define TESTS_VFIO_USER_PEER_H

#include "sample-model.h"
#include "vfio-user/protocol.h"
#include "vpc/server.h"

/* The guest memory that it has to give, and its size; the largest transfer of a message. */
#define GUEST 0x100000
#define MEMORY 0x4000
#define TRANSFER 1048576

struct peer {
        struct sample s;
        struct vpc_connection *connection;
        int fd, memory;
        struct loop_source *source;
        bool closed, opened, close_when_opened;
        const char *reason;
        uint16_t next_id;
        /* the last reply */
        struct vfio_user_header header;
        uint8_t *payload;
        size_t length;
        int reply_fd;
};

/* A connection of its own to the function; what the last one had is gone. */
void peer_connect(struct peer *c, struct vpc_function *function);
void peer_hang_up(struct peer *c);
/* Run the loop until the server has let go of the connection, or for some rounds. */
void peer_await_closed(struct peer *c);
void peer_run_a_while(struct peer *c);
/* Bytes as they are; a whole message, made but not sent; one that is sent. */
void peer_send(struct peer *c, const void *data, size_t length, const int *fds, unsigned int n_fds);
size_t peer_message(struct peer *c, uint8_t *message, unsigned int command, uint32_t flags, const void *payload, size_t length);
void peer_post(struct peer *c, unsigned int command, uint32_t flags, const void *payload, size_t length, const int *fds,
               unsigned int n_fds);
/* 0 or the negative errno that the reply has; its header, payload and descriptor are in the peer. peer_call() also sends. */
int peer_await_reply(struct peer *c);
int peer_call_fds(struct peer *c, unsigned int command, const void *payload, size_t length, const int *fds, unsigned int n_fds);
int peer_call(struct peer *c, unsigned int command, const void *payload, size_t length);
/* The commands of the protocol, by name. */
int peer_version(struct peer *c, const char *json);
int peer_get_info(struct peer *c);
int peer_map(struct peer *c, uint64_t address, uint64_t size, const int *fd);
int peer_region_read(struct peer *c, uint32_t region, uint64_t offset, uint32_t count);
size_t peer_make_write(uint8_t *payload, uint32_t region, uint64_t offset, const void *data, uint32_t count);
int peer_region_write(struct peer *c, uint32_t region, uint64_t offset, uint64_t value, uint32_t count);
uint64_t peer_read_value(struct peer *c, uint32_t region, uint64_t offset, uint32_t count);
/* A request of the model that ends when the sample is told so. */
void peer_start_io(struct peer *c, uint64_t address, uint64_t length);
/* The other end of this pipe has been closed by everybody. */
void peer_expect_dropped(int read_end);
/* Fixtures: connected; and past VFIO_USER_VERSION. */
int peer_setup(void **state);
int peer_setup_open(void **state);
int peer_teardown(void **state);

#endif
