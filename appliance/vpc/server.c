/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A vfio-user connection: messages in, replies out. Requests are handled one after the other; while a reply waits (for room in
 * the socket, or for the function to become quiet) nothing more is read, so both buffers are bounded by one message.
 *
 * A small register access costs one recvmsg(2), one sendmsg(2) and the loop's io_uring_enter(2).
 */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "util.h"
#include "vpc/server-private.h"
#include "vpc/server.h"

/* Bytes asked for at once: bounds how many pipelined messages are handled before the loop sees to others. */
#define RECEIVE_CHUNK 16384u
#define REFUSED_NS UINT64_C(1000000000)

struct vpc_connection {
        struct loop *loop;
        int fd;
        struct loop_source *source, *timer;
        uint32_t events;
        struct vpc_function *function;
        const struct vpc_connection_events *callbacks;
        void *userdata;
        const char *reason;

        bool is_open;   /* VERSION was agreed */
        bool quiescing; /* a reply waits for the function */
        bool closing, quiet;
        bool busy; /* in a callback: not to be freed yet */

        uint8_t *in;
        size_t in_start, in_end;
        int fds[SERVER_FDS_MAX];
        unsigned int n_fds;
        size_t fds_end; /* they belong to the message that has the byte before this one */

        uint8_t *out;
        size_t out_length, out_sent;
        int out_fd;
};

static void drop_fds(struct vpc_connection *c) {
        for (unsigned int i = 0; i < c->n_fds; i++)
                close_fd(&c->fds[i]);
        c->n_fds = 0;
}

static void connection_free(struct vpc_connection *c) {
        drop_fds(c);
        loop_source_remove(c->source);
        loop_source_remove(c->timer);
        close_fd(&c->fd);
        free(c->in);
        free(c->out);
        free(c);
}

/* Every callback ends with this: the connection may be gone after it. */
static void leave(struct vpc_connection *c) {
        c->busy = false;
        if (!c->quiet)
                return;
        if (c->callbacks->closed)
                c->callbacks->closed(c->userdata, c->reason);
        connection_free(c);
}

static void on_quiet(void *userdata) {
        struct vpc_connection *c = userdata;

        c->quiet = true;
        if (!c->busy)
                leave(c);
}

static void start_closing(struct vpc_connection *c, const char *reason) {
        if (c->closing)
                return;
        c->closing = true;
        c->reason = reason;
        c->source = loop_source_remove(c->source);
        c->timer = loop_source_remove(c->timer);
        /* Armed polls hold on to the socket for a moment; the peer is to know at once. */
        shutdown(c->fd, SHUT_RDWR);
        drop_fds(c);
        if (!c->function) {
                c->quiet = true;
                return;
        }
        vpc_function_disconnect(c->function);
        /* A reply that waits for the function has a quiesce under way; on_reply_quiet() starts the last one. */
        if (!c->quiescing)
                vpc_function_quiesce(c->function, on_quiet, c);
}

void vpc_connection_close(struct vpc_connection *c, const char *reason) {
        const bool was_busy = c->busy;

        c->busy = true;
        start_closing(c, reason);
        if (!was_busy)
                leave(c);
}

/* Ask for what can be dealt with: nothing while a reply waits for the function, POLLOUT while one waits for room. */
static void watch(struct vpc_connection *c) {
        uint32_t events = c->quiescing ? 0 : c->out_length ? POLLOUT : POLLIN;

        if (c->closing || c->events == events)
                return;
        c->events = events;
        loop_source_set_events(c->source, events);
}

static void flush(struct vpc_connection *c) {
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control;
        struct iovec iov = {c->out + c->out_sent, c->out_length - c->out_sent};
        struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
        ssize_t n = 0;

        if (c->out_fd >= 0) {
                memset(&control, 0, sizeof(control));
                m.msg_control = &control;
                m.msg_controllen = sizeof(control);
                CMSG_FIRSTHDR(&m)->cmsg_level = SOL_SOCKET;
                CMSG_FIRSTHDR(&m)->cmsg_type = SCM_RIGHTS;
                CMSG_FIRSTHDR(&m)->cmsg_len = CMSG_LEN(sizeof(int));
                memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), &c->out_fd, sizeof(int));
        }
        n = sendmsg(c->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0) {
                if (errno != EAGAIN && errno != EINTR)
                        start_closing(c, "the client is gone");
                return;
        }
        c->out_fd = -1; /* went with the first byte */
        c->out_sent += (size_t)n;
        if (c->out_sent == c->out_length)
                c->out_length = c->out_sent = 0;
}

/* Make the reply whose payload (of `length` bytes) is in place; nothing where the client wants none. */
static void compose_reply(struct vpc_connection *c, const struct vfio_user_header *request, int result, size_t length, int fd) {
        struct vfio_user_header header = {.id = request->id, .command = request->command, .flags = VFIO_USER_TYPE_REPLY};

        if (request->flags & VFIO_USER_NO_REPLY)
                return;
        if (result < 0) {
                header.flags |= VFIO_USER_ERROR;
                header.error = (uint32_t)-result;
                length = 0;
        }
        header.size = (uint32_t)(sizeof(header) + length);
        memcpy(c->out, &header, sizeof(header));
        c->out_length = header.size;
        c->out_sent = 0;
        c->out_fd = result < 0 ? -1 : fd;
}

static void process(struct vpc_connection *c);

/* The function is quiet: the reply that waits in the buffer can go, unless the connection has gone meanwhile. */
static void on_reply_quiet(void *userdata) {
        struct vpc_connection *c = userdata;
        const bool was_busy = c->busy;

        c->busy = true;
        c->quiescing = false;
        if (c->closing)
                vpc_function_quiesce(c->function, on_quiet, c);
        else if (c->out_length)
                flush(c);
        if (was_busy) /* called from within process(), which goes on */
                return;
        process(c);
        watch(c);
        leave(c);
}

static void on_refused(void *userdata) {
        vpc_connection_close(userdata, "the vAdapter is in use");
}

/* The first message, which must be VERSION. */
static int agree(struct vpc_connection *c, const struct vfio_user_header *header, struct server_message *message,
                 struct server_reply *reply) {
        int r = 0;

        if (header->command != VFIO_USER_VERSION) {
                start_closing(c, "the first message was not VERSION");
                return 0;
        }
        if (!c->function) {
                /* The client hangs up when it has read this; where it does not, so do we. */
                if (!c->timer && loop_add_timer(c->loop, REFUSED_NS, on_refused, c, &c->timer) < 0)
                        start_closing(c, "no memory");
                return -EBUSY;
        }
        r = server_handle(c->function, header->command, message, reply);
        c->is_open = r >= 0;
        return r;
}

static void handle(struct vpc_connection *c, const struct vfio_user_header *header, struct server_message *message) {
        struct server_reply reply = {.payload = c->out + sizeof(*header), .fd = -1};
        const bool was_open = c->is_open;
        int r = 0;

        if (!was_open)
                r = agree(c, header, message, &reply);
        else if (header->command == VFIO_USER_VERSION)
                r = -EINVAL;
        else
                r = server_handle(c->function, header->command, message, &reply);
        for (unsigned int i = 0; i < message->n_fds; i++)
                close_fd(&message->fds[i]);
        if (c->closing)
                return;
        compose_reply(c, header, r, reply.length, reply.fd);
        if (r == VPC_QUIESCE_FIRST) {
                c->quiescing = true;
                vpc_function_quiesce(c->function, on_reply_quiet, c);
        } else if (c->out_length) {
                flush(c);
        }
        if (!was_open && c->is_open && !c->closing && c->callbacks->opened)
                c->callbacks->opened(c->userdata);
}

/* The header of the message at the start of the buffer; false: it is not there yet, or is no header (the connection closes). */
static bool next_header(struct vpc_connection *c, struct vfio_user_header *ret_header) {
        struct vfio_user_header header;

        if (c->in_end - c->in_start < sizeof(header))
                return false;
        memcpy(&header, c->in + c->in_start, sizeof(header));
        if (header.size < sizeof(header) || header.size > SERVER_MESSAGE_MAX) {
                start_closing(c, "the client sent a message of an impossible size");
                return false;
        }
        if ((header.flags & VFIO_USER_TYPE_MASK) != VFIO_USER_TYPE_COMMAND) {
                start_closing(c, "the client sent something else than a command");
                return false;
        }
        *ret_header = header;
        return true;
}

/* Handle what has come in completely, until a reply has to wait. */
static void process(struct vpc_connection *c) {
        struct vfio_user_header header;

        while (!c->closing && !c->quiescing && !c->out_length && next_header(c, &header)) {
                struct server_message message = {.payload = c->in + c->in_start + sizeof(header),
                                                 .length = header.size - sizeof(header)};

                if (c->in_end - c->in_start < header.size)
                        break;
                c->in_start += header.size;
                if (c->n_fds && c->fds_end <= c->in_start) {
                        memcpy(message.fds, c->fds, c->n_fds * sizeof(int));
                        message.n_fds = c->n_fds;
                        c->n_fds = 0;
                }
                handle(c, &header, &message);
        }
}

/* Take the descriptors of a message; false: too many, or in the middle of a message that has some already. */
static bool take_control(struct vpc_connection *c, struct msghdr *m) {
        bool good = !(m->msg_flags & MSG_CTRUNC);

        for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(m); cmsg; cmsg = CMSG_NXTHDR(m, cmsg)) {
                if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
                        continue;
                if (c->n_fds)
                        good = false;
                for (size_t i = 0; i < (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
                        int fd = -1;

                        memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(int));
                        if (good && c->n_fds < SERVER_FDS_MAX)
                                c->fds[c->n_fds++] = fd;
                        else
                                close(fd);
                }
        }
        return good;
}

/* How much to ask for: a chunk, or what is missing of a longer message. */
static size_t receive_size(const struct vpc_connection *c) {
        struct vfio_user_header header;
        const size_t have = c->in_end - c->in_start, room = SERVER_MESSAGE_MAX - c->in_end;
        size_t want = RECEIVE_CHUNK;

        if (have >= sizeof(header)) {
                memcpy(&header, c->in + c->in_start, sizeof(header));
                if (header.size - have > want)
                        want = header.size - have;
        }
        return want < room ? want : room;
}

static void receive(struct vpc_connection *c) {
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(sizeof(int) * SERVER_FDS_MAX)];
        } control;
        struct iovec iov;
        struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
        ssize_t n = 0;

        if (c->in_start) {
                memmove(c->in, c->in + c->in_start, c->in_end - c->in_start);
                c->in_end -= c->in_start;
                c->fds_end -= c->n_fds ? c->in_start : c->fds_end;
                c->in_start = 0;
        }
        iov = (struct iovec){c->in + c->in_end, receive_size(c)};
        n = recvmsg(c->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        /* Short, and not because of descriptors, which end a read: nothing is left. */
        if (n > 0 ? (size_t)n < iov.iov_len && m.msg_controllen == 0 : n < 0 && errno == EAGAIN)
                loop_source_drained(c->source);
        if (n < 0) {
                if (errno != EAGAIN && errno != EINTR)
                        start_closing(c, "the connection failed");
                return;
        }
        if (!take_control(c, &m)) {
                start_closing(c, "the client sent more descriptors than one message can have");
                return;
        }
        if (n == 0) {
                start_closing(c, c->in_end ? "the client hung up in the middle of a message" : "the client hung up");
                return;
        }
        c->in_end += (size_t)n;
        /* The kernel ends a read behind bytes that carry descriptors, so they are of the message that ends here or is not
         * complete. */
        if (m.msg_controllen && c->n_fds)
                c->fds_end = c->in_end;
}

static void on_ready(void *userdata, int fd, uint32_t events) {
        struct vpc_connection *c = userdata;

        c->busy = true;
        if (c->out_length && !c->quiescing)
                flush(c);
        else if (!c->quiescing)
                receive(c);
        process(c);
        watch(c);
        leave(c);
}

int vpc_connection_new(struct loop *loop, int arg_fd, struct vpc_function *function, const struct vpc_connection_events *events,
                       void *userdata, struct vpc_connection **ret_connection) {
        struct vpc_connection *c = calloc(1, sizeof(*c));
        int r = -ENOMEM;

        if (!c) {
                close(arg_fd);
                return -ENOMEM;
        }
        *c = (struct vpc_connection){.loop = loop,
                                     .fd = arg_fd,
                                     .events = POLLIN,
                                     .function = function,
                                     .callbacks = events,
                                     .userdata = userdata,
                                     .out_fd = -1};
        /* Large, and touched only as far as messages are: pages that are never written to cost nothing. */
        c->in = malloc(SERVER_MESSAGE_MAX);
        c->out = malloc(SERVER_MESSAGE_MAX);
        if (c->in && c->out)
                r = loop_add_fd(loop, arg_fd, c->events, on_ready, c, &c->source);
        if (r < 0) {
                connection_free(c);
                return r;
        }
        *ret_connection = c;
        return 0;
}
