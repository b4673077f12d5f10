/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A vfio-user client that sends anything, to a server with the sample model of the unit tests. Whatever comes, the server answers
 * with well-formed replies or hangs up, keeps no descriptor, and a new client can connect.
 *
 * The input is a sequence of steps: a byte that says what (below), a byte that says which descriptors go with it, a length (16
 * bits, little endian) and that many bytes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "../unit/sample-model.h"
#include "util.h"
#include "vfio-user/protocol.h"
#include "vpc/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum step {
        STEP_RAW,     /* send the bytes as they are */
        STEP_MESSAGE, /* send a message: a byte of command, a byte of flags, payload */
        STEP_FINISH,  /* end the oldest request of the medium */
        STEP_RECONNECT,
        STEP_NO_READ, /* do not read the replies of the next step */
        STEPS,
};

#define FDS_MAX 20
#define MEMORY 0x10000
#define CHECK(condition) ((condition) ? (void)0 : (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition), abort()))

struct client {
        struct sample s;
        struct vpc_connection *connection;
        struct loop_source *idle;
        int fd, memory;
        bool no_read;
        /* the stream of replies: how much of the next one has come */
        uint8_t header[sizeof(struct vfio_user_header)];
        size_t have;
};

static void on_closed(void *userdata, const char *reason) {
        struct client *c = userdata;

        CHECK(reason);
        c->connection = NULL;
}

static void on_idle(void *userdata) {
        struct client *c = userdata;

        loop_stop(c->s.loop, 0);
}

/* Some rounds of the loop: what is ready is dealt with, and what becomes ready by it. */
static void run(struct client *c) {
        for (int i = 0; i < 3; i++) {
                CHECK(loop_timer_set(c->idle, 0) == 0);
                CHECK(loop_run(c->s.loop) == 0);
        }
}

static void connect_to(struct client *c) {
        static const struct vpc_connection_events events = {.closed = on_closed};
        int pair[2];

        CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
        c->fd = pair[0];
        c->have = 0;
        CHECK(vpc_connection_new(c->s.loop, pair[1], c->s.function, &events, c, &c->connection) == 0);
}

static void check_replies(struct client *c, const uint8_t *data, size_t length) {
        struct vfio_user_header header;

        while (length > 0) {
                size_t n = 0;

                if (c->have < sizeof(c->header)) {
                        n = sizeof(c->header) - c->have < length ? sizeof(c->header) - c->have : length;
                        memcpy(c->header + c->have, data, n);
                        c->have += n;
                }
                data += n;
                length -= n;
                if (c->have < sizeof(c->header))
                        return;
                memcpy(&header, c->header, sizeof(header));
                CHECK((header.flags & VFIO_USER_TYPE_MASK) == VFIO_USER_TYPE_REPLY);
                CHECK(header.size >= sizeof(header) && header.size <= 32 + 1048576);
                CHECK(!(header.flags & VFIO_USER_ERROR) ||
                      (header.size == sizeof(header) && header.error > 0 && header.error < 4096));
                n = header.size - c->have < length ? header.size - c->have : length;
                c->have += n;
                data += n;
                length -= n;
                if (c->have == header.size)
                        c->have = 0;
        }
}

static void read_replies(struct client *c) {
        static uint8_t data[65536];

        for (;;) {
                union {
                        struct cmsghdr align;
                        char bytes[CMSG_SPACE(sizeof(int))];
                } control = {0};
                struct iovec iov = {data, sizeof(data)};
                struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
                ssize_t n = recvmsg(c->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
                int fd = -1;

                if (n <= 0)
                        return;
                if (CMSG_FIRSTHDR(&m)) {
                        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
                        close(fd);
                }
                check_replies(c, data, (size_t)n);
                run(c);
        }
}

/* The low 5 bits: how many; the high ones: of which kind. */
static unsigned int make_fds(struct client *c, uint8_t what, int fds[FDS_MAX]) {
        unsigned int n = what & 31;

        if (n > FDS_MAX)
                n = FDS_MAX;
        for (unsigned int i = 0; i < n; i++) {
                fds[i] = what >> 5 == 0   ? dup(c->memory)
                         : what >> 5 == 1 ? eventfd(0, EFD_CLOEXEC)
                                          : open("/dev/null", O_RDWR | O_CLOEXEC);
                CHECK(fds[i] >= 0);
        }
        return n;
}

static void send_bytes(struct client *c, const struct iovec *iov, unsigned int n_iov, uint8_t what) {
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(sizeof(int) * FDS_MAX)];
        } control = {0};
        struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = n_iov};
        int fds[FDS_MAX];
        unsigned int n = make_fds(c, what, fds);

        if (n) {
                m.msg_control = &control;
                m.msg_controllen = CMSG_SPACE(sizeof(int) * n);
                struct cmsghdr *cmsg = CMSG_FIRSTHDR(&m);

                if (!cmsg)
                        abort();
                cmsg->cmsg_level = SOL_SOCKET;
                cmsg->cmsg_type = SCM_RIGHTS;
                cmsg->cmsg_len = CMSG_LEN(sizeof(int) * n);
                memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * n);
        }
        sendmsg(c->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
        for (unsigned int i = 0; i < n; i++)
                close(fds[i]);
}

static void send_message(struct client *c, unsigned int command, uint32_t flags, const uint8_t *payload, size_t length,
                         uint8_t what) {
        struct vfio_user_header header = {
                .command = (uint16_t)command, .size = (uint32_t)(sizeof(header) + length), .flags = flags};
        const struct iovec iov[2] = {{&header, sizeof(header)}, {(void *)(uintptr_t)payload, length}};

        send_bytes(c, iov, 2, what);
}

static void disconnect(struct client *c) {
        close(take_fd(&c->fd));
        run(c);
        while (sample_finish_one(&c->s, 0))
                run(c);
        CHECK(!c->connection);
}

static void take_step(struct client *c, enum step step, uint8_t what, const uint8_t *data, size_t length) {
        const struct iovec iov = {(void *)(uintptr_t)data, length};

        c->no_read = step == STEP_NO_READ;
        if (step == STEP_RAW && length)
                send_bytes(c, &iov, 1, what);
        else if (step == STEP_MESSAGE && length >= 2)
                send_message(c, data[0], data[1], data + 2, length - 2, what);
        else if (step == STEP_FINISH)
                sample_finish_one(&c->s, what ? -EIO : 0);
        if (step == STEP_RECONNECT || !c->connection) {
                disconnect(c);
                connect_to(c);
                send_message(c, VFIO_USER_VERSION, 0, (const uint8_t *)"\0\0\0", 4, 0);
        }
        run(c);
        if (!c->no_read)
                read_replies(c);
}

static void run_input(struct loop *loop, const uint8_t *data, size_t size) {
        struct client c = {.fd = -1};

        CHECK(sample_new(&c.s, loop) == 0);
        CHECK(loop_add_timer(c.s.loop, UINT64_MAX, on_idle, &c, &c.idle) == 0);
        c.memory = memfd_create("fuzz-vfio-user", MFD_CLOEXEC);
        CHECK(c.memory >= 0 && ftruncate(c.memory, MEMORY) == 0);
        connect_to(&c);
        while (size >= 4) {
                size_t length = (size_t)data[2] | (size_t)data[3] << 8;

                length = length < size - 4 ? length : size - 4;
                take_step(&c, data[0] % STEPS, data[1], data + 4, length);
                data += 4 + length;
                size -= 4 + length;
        }
        disconnect(&c);
        loop_source_remove(c.idle);
        close(c.memory);
        sample_free(&c.s);
}

static int lowest_free(void) {
        int fd = dup(0);

        CHECK(fd >= 0);
        close(fd);
        return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static struct loop *loop; /* one for all inputs: making and ending a ring takes longer than most of them */
        int before = -1;

        if (!loop) {
                CHECK(loop_new(&loop, 64) == 0);
                run_input(loop, (const uint8_t *)"\1\0\6\0\1\0\0\0\0\0", 10); /* what libraries open once for all is open now */
        }
        before = lowest_free();
        run_input(loop, data, size);
        CHECK(lowest_free() == before);
        return 0;
}
