/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A vfio-user connection: messages in, replies out. Requests are handled one after the other; while a reply waits (for room in
 * the socket, or for the function to become quiet) nothing more is read, so both buffers are bounded by one message.
 *
 * Where the connection stands is in a session (session.h), so that another process can go on with it: a state is changed in `s`
 * and holds from commit() on. A message whose handler was under way is handled again, which every handler bears.
 *
 * A small register access costs one recvmsg(2), one sendmsg(2) and the loop's io_uring_enter(2).
 */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "util.h"
#include "vpc/server-private.h"
#include "vpc/server.h"
#include "vpc/session.h"

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

        bool closing, quiet;
        bool busy; /* in a callback: not to be freed yet */

        struct vpc_session *session, *own; /* the same, where nobody else has one for us */
        struct vpc_session_state s;        /* what is committed, or about to be */
};

_Static_assert(SERVER_MESSAGE_MAX <= VPC_SESSION_BUFFER && SERVER_FDS_MAX == VPC_SESSION_FDS, "a session holds any message");

static void commit(struct vpc_connection *c) {
        vpc_session_commit(c->session, &c->s);
}

static uint8_t *input(const struct vpc_connection *c) {
        return c->session->in[c->s.in & 1];
}

static void drop_fds(struct vpc_connection *c) {
        for (unsigned int i = 0; i < c->s.n_fds; i++)
                close_fd(&c->s.fds[i]);
        c->s.n_fds = 0;
}

static void connection_free(struct vpc_connection *c) {
        drop_fds(c);
        loop_source_remove(c->source);
        loop_source_remove(c->timer);
        if (c->session) {
                c->s = (struct vpc_session_state){
                        .socket = -1, .out_fd = -1, .message = c->s.message, .received = c->s.received, .sent = c->s.sent};
                commit(c);
        }
        close_fd(&c->fd);
        vpc_session_free(c->own);
        free(c);
}

/* Every callback ends with this: the connection may be gone after it. The session goes first: whoever is told that the connection
 * is closed may take the memory that it is in away at once. */
static void leave(struct vpc_connection *c) {
        const struct vpc_connection_events *callbacks = c->callbacks;
        void *userdata = c->userdata;
        const char *reason = c->reason;

        c->busy = false;
        if (!c->quiet)
                return;
        connection_free(c);
        if (callbacks->closed)
                callbacks->closed(userdata, reason);
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
        if (c->s.is_open)
                vpc_function_power_lost(c->function);
        vpc_function_disconnect(c->function);
        /* A reply that waits for the function has a quiesce under way; on_reply_quiet() starts the last one. */
        if (!c->s.quiescing)
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
        uint32_t events = c->s.quiescing ? 0 : c->s.out_length ? POLLOUT : POLLIN;

        if (c->closing || c->events == events)
                return;
        c->events = events;
        loop_source_set_events(c->source, events);
}

/* Prepare a call whose result will be in the session, where the result of the one before it is until then: of `taken` calls, of
 * which the state that holds has `committed`. */
static void call_begin(struct vpc_connection *c, struct vpc_session_call *call, uint64_t committed, uint64_t taken,
                       struct iovec iov) {
        if (committed != taken)
                commit(c);
        call->iov = iov;
        call->header = (struct mmsghdr){.msg_hdr = {.msg_iov = &call->iov, .msg_iovlen = 1}, .msg_len = VPC_SESSION_NOT_DONE};
        __atomic_store_n(&call->number, taken + 1, __ATOMIC_RELEASE);
}

static void take_sent(struct vpc_connection *c) {
        c->s.out_fd = -1; /* went with the first byte */
        c->s.out_sent += c->session->send.header.msg_len;
        if (c->s.out_sent >= c->s.out_length)
                c->s.out_length = c->s.out_sent = 0;
        c->s.sent++;
}

static void flush(struct vpc_connection *c) {
        struct vpc_session_call *call = &c->session->send;
        struct msghdr *m = &call->header.msg_hdr;

        call_begin(c, call, vpc_session_state(c->session)->sent, c->s.sent,
                   (struct iovec){c->session->out + c->s.out_sent, c->s.out_length - c->s.out_sent});
        if (c->s.out_fd >= 0) {
                m->msg_control = call->control;
                m->msg_controllen = CMSG_SPACE(sizeof(int));
                CMSG_FIRSTHDR(m)->cmsg_level = SOL_SOCKET;
                CMSG_FIRSTHDR(m)->cmsg_type = SCM_RIGHTS;
                CMSG_FIRSTHDR(m)->cmsg_len = CMSG_LEN(sizeof(int));
                memcpy(CMSG_DATA(CMSG_FIRSTHDR(m)), &c->s.out_fd, sizeof(int));
        }
        if (sendmmsg(c->fd, &call->header, 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1)
                take_sent(c);
        else if (errno != EAGAIN && errno != EINTR)
                start_closing(c, "the client is gone");
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
        memcpy(c->session->out, &header, sizeof(header));
        c->s.out_length = header.size;
        c->s.out_sent = 0;
        c->s.out_fd = result < 0 ? -1 : fd;
}

static void process(struct vpc_connection *c);

/* The function is quiet: the reply that waits in the buffer can go, unless the connection has gone meanwhile. */
static void on_reply_quiet(void *userdata) {
        struct vpc_connection *c = userdata;
        const bool was_busy = c->busy;

        c->busy = true;
        c->s.quiescing = false;
        commit(c);
        if (c->closing)
                vpc_function_quiesce(c->function, on_quiet, c);
        else if (c->s.out_length)
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
                return c->callbacks->refusal ? -c->callbacks->refusal : -EBUSY;
        }
        r = server_handle(c->function, header->command, message, reply);
        c->s.is_open = r >= 0;
        return r;
}

static void handle(struct vpc_connection *c, const struct vfio_user_header *header, struct server_message *message) {
        struct server_reply reply = {.payload = c->session->out + sizeof(*header), .fd = -1};
        const bool was_open = c->s.is_open;
        int r = 0;

        if (!was_open)
                r = agree(c, header, message, &reply);
        else if (header->command == VFIO_USER_VERSION)
                r = -EINVAL;
        else
                r = server_handle(c->function, header->command, message, &reply);
        if (!c->closing) {
                compose_reply(c, header, r, reply.length, reply.fd);
                c->s.quiescing = r == VPC_QUIESCE_FIRST;
                c->s.in_start += header->size;
                if (c->s.in_start == c->s.in_end)
                        c->s.in_start = c->s.in_end = 0;
                c->s.message++;
                commit(c);
        }
        for (unsigned int i = 0; i < message->n_fds; i++)
                close_fd(&message->fds[i]);
        if (c->closing)
                return;
        if (r == VPC_QUIESCE_FIRST)
                vpc_function_quiesce(c->function, on_reply_quiet, c);
        else if (c->s.out_length)
                flush(c);
        if (!was_open && c->s.is_open && !c->closing && c->callbacks->opened)
                c->callbacks->opened(c->userdata);
}

/* The header of the message at the start of the buffer; false: it is not there yet, or is no header (the connection closes). */
static bool next_header(struct vpc_connection *c, struct vfio_user_header *ret_header) {
        struct vfio_user_header header;

        if (c->s.in_end - c->s.in_start < sizeof(header))
                return false;
        memcpy(&header, input(c) + c->s.in_start, sizeof(header));
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

        while (!c->closing && !c->s.quiescing && !c->s.out_length && next_header(c, &header)) {
                struct server_message message = {.payload = input(c) + c->s.in_start + sizeof(header),
                                                 .length = header.size - sizeof(header)};

                if (c->s.in_end - c->s.in_start < header.size)
                        break;
                if (c->s.n_fds && c->s.fds_end <= c->s.in_start + header.size) {
                        memcpy(message.fds, c->s.fds, c->s.n_fds * sizeof(int));
                        message.n_fds = c->s.n_fds;
                        c->s.n_fds = 0;
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
                if (c->s.n_fds)
                        good = false;
                for (size_t i = 0; i < (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
                        int fd = -1;

                        memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(int));
                        if (good && c->s.n_fds < SERVER_FDS_MAX)
                                c->s.fds[c->s.n_fds++] = fd;
                        else
                                close(fd);
                }
        }
        return good;
}

/* How much to ask for: a chunk, or what is missing of a longer message. */
static size_t receive_size(const struct vpc_connection *c) {
        struct vfio_user_header header;
        const size_t have = c->s.in_end - c->s.in_start, room = SERVER_MESSAGE_MAX - c->s.in_end;
        size_t want = RECEIVE_CHUNK;

        if (have >= sizeof(header)) {
                memcpy(&header, input(c) + c->s.in_start, sizeof(header));
                if (header.size - have > want)
                        want = header.size - have;
        }
        return want < room ? want : room;
}

/* Make room for the rest of the message that is there in part: by copying it to the other buffer, since a move within one could
 * be cut off in the midst of it. */
static void compact(struct vpc_connection *c) {
        if (!c->s.in_start)
                return;
        const uint32_t have = c->s.in_end - c->s.in_start;
        memcpy(c->session->in[!(c->s.in & 1)], input(c) + c->s.in_start, have);
        c->s.in = !(c->s.in & 1);
        c->s.in_end = have;
        c->s.fds_end = c->s.n_fds ? c->s.fds_end - c->s.in_start : 0;
        c->s.in_start = 0;
        commit(c);
}

/* What a call of recvmmsg(2) has brought. */
static void take_received(struct vpc_connection *c) {
        struct mmsghdr *header = &c->session->receive.header;
        const bool has_control = header->msg_hdr.msg_controllen, good = take_control(c, &header->msg_hdr);

        c->s.received++;
        if (!good) {
                start_closing(c, "the client sent more descriptors than one message can have");
                return;
        }
        if (header->msg_len == 0) {
                start_closing(c, c->s.in_end ? "the client hung up in the middle of a message" : "the client hung up");
                return;
        }
        c->s.in_end += header->msg_len;
        /* The kernel ends a read behind bytes that carry descriptors, so they are of the message that ends here or is not
         * complete. */
        if (has_control && c->s.n_fds)
                c->s.fds_end = c->s.in_end;
}

static void receive(struct vpc_connection *c) {
        struct vpc_session_call *call = &c->session->receive;

        compact(c);
        call_begin(c, call, vpc_session_state(c->session)->received, c->s.received,
                   (struct iovec){input(c) + c->s.in_end, receive_size(c)});
        call->header.msg_hdr.msg_control = call->control;
        call->header.msg_hdr.msg_controllen = sizeof(call->control);
        if (recvmmsg(c->fd, &call->header, 1, MSG_DONTWAIT | MSG_CMSG_CLOEXEC, NULL) == 1) {
                /* Short, and not because of descriptors, which end a read: nothing is left. */
                if (call->header.msg_len && call->header.msg_len < call->iov.iov_len && call->header.msg_hdr.msg_controllen == 0)
                        loop_source_drained(c->source);
                take_received(c);
        } else if (errno == EAGAIN) {
                loop_source_drained(c->source);
        } else if (errno != EINTR) {
                start_closing(c, "the connection failed");
        }
}

static void on_ready(void *userdata, int fd, uint32_t events) {
        struct vpc_connection *c = userdata;

        c->busy = true;
        if (c->s.out_length && !c->s.quiescing)
                flush(c);
        else if (!c->s.quiescing)
                receive(c);
        process(c);
        watch(c);
        leave(c);
}

static int connection_make(struct loop *loop, int fd, struct vpc_function *function, const struct vpc_connection_events *events,
                           void *userdata, struct vpc_connection **ret_connection) {
        struct vpc_connection *c = calloc(1, sizeof(*c));

        if (!c)
                return -ENOMEM;
        *c = (struct vpc_connection){.loop = loop, .fd = fd, .function = function, .callbacks = events, .userdata = userdata};
        c->session = function ? vpc_function_session(function) : NULL;
        if (!c->session)
                c->session = c->own = vpc_session_new();
        if (!c->session) {
                free(c);
                return -ENOMEM;
        }
        c->s = *vpc_session_state(c->session);
        *ret_connection = c;
        return 0;
}

int vpc_connection_new(struct loop *loop, int arg_fd, struct vpc_function *function, const struct vpc_connection_events *events,
                       void *userdata, struct vpc_connection **ret_connection) {
        struct vpc_connection *c = NULL;
        int r = connection_make(loop, arg_fd, function, events, userdata, &c);

        if (r < 0) {
                close(arg_fd);
                return r;
        }
        c->events = POLLIN;
        c->s.socket = arg_fd;
        commit(c);
        r = loop_add_fd(loop, arg_fd, c->events, on_ready, c, &c->source);
        if (r < 0) {
                connection_free(c);
                return r;
        }
        *ret_connection = c;
        return 0;
}

/* The descriptor of a reply is the model's, which has a new one in this process. */
static void renew_out_fd(struct vpc_connection *c) {
        struct vfio_region_info info;
        struct vpc_area area = {.fd = -1};

        if (c->s.out_fd < 0)
                return;
        memcpy(&info, c->session->out + sizeof(struct vfio_user_header), sizeof(info));
        c->s.out_fd = vpc_function_region_area(c->function, info.index, &area) ? area.fd : -1;
}

/* First what the kernel has done for the process before this one, then what that has not come to. */
static void on_resume(void *userdata) {
        struct vpc_connection *c = userdata;

        c->busy = true;
        c->timer = loop_source_remove(c->timer);
        if (vpc_session_has_result(&c->session->send, c->s.sent))
                take_sent(c);
        if (vpc_session_has_result(&c->session->receive, c->s.received)) {
                c->session->receive.header.msg_hdr.msg_control = c->session->receive.control;
                take_received(c);
        }
        renew_out_fd(c);
        if (!c->closing && c->s.quiescing)
                vpc_function_quiesce(c->function, on_reply_quiet, c);
        else if (!c->closing && c->s.out_length)
                flush(c);
        process(c);
        watch(c);
        leave(c);
}

int vpc_connection_resume(struct loop *loop, struct vpc_function *function, const struct vpc_connection_events *events,
                          void *userdata, struct vpc_connection **ret_connection) {
        struct vpc_session *session = vpc_function_session(function);
        struct vpc_connection *c = NULL;

        if (!session || vpc_session_state(session)->socket < 0)
                return -ENOENT;
        int r = connection_make(loop, vpc_session_state(session)->socket, function, events, userdata, &c);
        if (r < 0)
                return r;
        r = loop_add_fd(loop, c->fd, 0, on_ready, c, &c->source);
        if (r == 0)
                r = loop_add_timer(loop, 0, on_resume, c, &c->timer);
        if (r < 0) {
                connection_free(c);
                return r;
        }
        *ret_connection = c;
        return 0;
}

bool vpc_connection_is_open(const struct vpc_connection *c) {
        return c->s.is_open;
}
