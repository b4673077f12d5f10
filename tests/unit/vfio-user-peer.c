/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vfio-user-peer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "util.h"

static void on_closed(void *userdata, const char *reason) {
        struct peer *c = userdata;

        c->closed = true;
        c->reason = reason;
        c->connection = NULL;
        loop_stop(c->s.loop, 0);
}

static void on_opened(void *userdata) {
        struct peer *c = userdata;

        c->opened = true;
        if (c->close_when_opened)
                vpc_connection_close(c->connection, "test");
}

static void on_readable(void *userdata, int fd, uint32_t events) {
        struct peer *c = userdata;

        loop_stop(c->s.loop, 0);
}

void peer_connect(struct peer *c, struct vpc_function *function) {
        static const struct vpc_connection_events events = {.closed = on_closed, .opened = on_opened};
        int pair[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        c->fd = pair[0];
        c->closed = c->opened = false;
        assert_int_equal(vpc_connection_new(c->s.loop, pair[1], function, &events, c, &c->connection), 0);
        assert_int_equal(loop_add_fd(c->s.loop, c->fd, 0, on_readable, c, &c->source), 0);
}

void peer_hang_up(struct peer *c) {
        c->source = loop_source_remove(c->source);
        shutdown(c->fd, SHUT_RDWR);
        close(take_fd(&c->fd));
}

/* Run the loop until there is something to read for the client (the end of the stream, too). */
static void peer_await(struct peer *c) {
        struct pollfd p = {.fd = c->fd, .events = POLLIN};

        while (poll(&p, 1, 0) == 0) {
                loop_source_set_events(c->source, POLLIN);
                assert_int_equal(loop_run(c->s.loop), 0);
                loop_source_set_events(c->source, 0);
        }
}

void peer_await_closed(struct peer *c) {
        while (!c->closed)
                assert_int_equal(loop_run(c->s.loop), 0);
}

static void on_stop(void *userdata) {
        struct peer *c = userdata;

        loop_stop(c->s.loop, 0);
}

static void on_timer(void *userdata) {
        *(bool *)userdata = true;
}

/* Let the server do what it can do by itself: what was sent has long been received when a timer has fired some rounds later. */
void peer_run_a_while(struct peer *c) {
        for (int i = 0; i < 3; i++) {
                struct loop_source *timer = NULL, *stop = NULL;
                bool fired = false;

                assert_int_equal(loop_add_timer(c->s.loop, 1000000, on_timer, &fired, &timer), 0);
                while (!fired) {
                        assert_int_equal(loop_add_timer(c->s.loop, 1000000, on_stop, c, &stop), 0);
                        assert_int_equal(loop_run(c->s.loop), 0);
                        stop = loop_source_remove(stop);
                }
                loop_source_remove(timer);
        }
}

void peer_send(struct peer *c, const void *data, size_t length, const int *fds, unsigned int n_fds) {
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(sizeof(int) * 64)];
        } control = {0};
        struct iovec iov = {(void *)(uintptr_t)data, length};
        struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

        if (n_fds) {
                m.msg_control = &control;
                m.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
                CMSG_FIRSTHDR(&m)->cmsg_level = SOL_SOCKET;
                CMSG_FIRSTHDR(&m)->cmsg_type = SCM_RIGHTS;
                CMSG_FIRSTHDR(&m)->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
                memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), fds, sizeof(int) * n_fds);
        }
        assert_int_equal(sendmsg(c->fd, &m, MSG_NOSIGNAL), (ssize_t)length);
}

size_t peer_message(struct peer *c, uint8_t *message, unsigned int command, uint32_t flags, const void *payload, size_t length) {
        struct vfio_user_header header = {
                .id = c->next_id++, .command = (uint16_t)command, .size = (uint32_t)(sizeof(header) + length), .flags = flags};

        memcpy(message, &header, sizeof(header));
        if (length)
                memcpy(message + sizeof(header), payload, length);
        return header.size;
}

void peer_post(struct peer *c, unsigned int command, uint32_t flags, const void *payload, size_t length, const int *fds,
               unsigned int n_fds) {
        uint8_t *message = malloc(sizeof(struct vfio_user_header) + length);

        assert_non_null(message);
        peer_send(c, message, peer_message(c, message, command, flags, payload, length), fds, n_fds);
        free(message);
}

/* One recvmsg(2), after running the loop; 0: the server has closed. */
static size_t peer_receive(struct peer *c, void *data, size_t length) {
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = {0};
        struct iovec iov = {data, length};
        struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
        ssize_t n = 0;

        peer_await(c);
        n = recvmsg(c->fd, &m, MSG_CMSG_CLOEXEC);
        if (n <= 0)
                return 0;
        if (CMSG_FIRSTHDR(&m))
                memcpy(&c->reply_fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int));
        return (size_t)n;
}

/* The next reply: its error as a negative errno, -ECONNRESET: none, the server has closed. */
int peer_await_reply(struct peer *c) {
        size_t n = 0;

        c->reply_fd = -1;
        for (size_t got = 0; got < sizeof(c->header); got += n) {
                n = peer_receive(c, (uint8_t *)&c->header + got, sizeof(c->header) - got);
                if (!n)
                        return -ECONNRESET;
        }
        assert_int_equal(c->header.flags & VFIO_USER_TYPE_MASK, VFIO_USER_TYPE_REPLY);
        assert_in_range(c->header.size, sizeof(c->header), sizeof(c->header) + 16 + TRANSFER);
        c->length = c->header.size - sizeof(c->header);
        for (size_t got = 0; got < c->length; got += n) {
                n = peer_receive(c, c->payload + got, c->length - got);
                if (!n)
                        return -ECONNRESET;
        }
        if (!(c->header.flags & VFIO_USER_ERROR))
                return 0;
        assert_int_equal(c->length, 0);
        return -(int)c->header.error;
}

int peer_call_fds(struct peer *c, unsigned int command, const void *payload, size_t length, const int *fds, unsigned int n_fds) {
        int r = 0;

        if (!c)
                abort();
        uint16_t id = c->next_id;
        peer_post(c, command, 0, payload, length, fds, n_fds);
        r = peer_await_reply(c);
        if (r != -ECONNRESET) {
                assert_int_equal(c->header.id, id);
                assert_int_equal(c->header.command, command);
        }
        return r;
}

int peer_call(struct peer *c, unsigned int command, const void *payload, size_t length) {
        return peer_call_fds(c, command, payload, length, NULL, 0);
}

int peer_version(struct peer *c, const char *json) {
        uint8_t payload[8192];
        struct vfio_user_version v = {0, 0};
        size_t length = json ? strlen(json) + 1 : 0;

        memcpy(payload, &v, sizeof(v));
        if (json)
                memcpy(payload + sizeof(v), json, length);
        return peer_call(c, VFIO_USER_VERSION, payload, sizeof(v) + length);
}

int peer_get_info(struct peer *c) {
        uint32_t info[4] = {16};

        return peer_call(c, VFIO_USER_DEVICE_GET_INFO, info, sizeof(info));
}

int peer_map(struct peer *c, uint64_t address, uint64_t size, const int *fd) {
        struct vfio_user_dma_map m = {
                .argsz = sizeof(m), .flags = VFIO_USER_DMA_READABLE | VFIO_USER_DMA_WRITEABLE, .address = address, .size = size};

        return peer_call_fds(c, VFIO_USER_DMA_MAP, &m, sizeof(m), fd, fd ? 1 : 0);
}

int peer_region_read(struct peer *c, uint32_t region, uint64_t offset, uint32_t count) {
        struct vfio_user_region_access a = {offset, region, count};

        return peer_call(c, VFIO_USER_REGION_READ, &a, sizeof(a));
}

size_t peer_make_write(uint8_t *payload, uint32_t region, uint64_t offset, const void *data, uint32_t count) {
        struct vfio_user_region_access a = {offset, region, count};

        memcpy(payload, &a, sizeof(a));
        memcpy(payload + sizeof(a), data, count);
        return sizeof(a) + count;
}

int peer_region_write(struct peer *c, uint32_t region, uint64_t offset, uint64_t value, uint32_t count) {
        uint8_t payload[64];

        return peer_call(c, VFIO_USER_REGION_WRITE, payload, peer_make_write(payload, region, offset, &value, count));
}

uint64_t peer_read_value(struct peer *c, uint32_t region, uint64_t offset, uint32_t count) {
        uint64_t value = 0;

        assert_int_equal(peer_region_read(c, region, offset, count), 0);
        assert_int_equal(c->length, sizeof(struct vfio_user_region_access) + count);
        memcpy(&value, c->payload + sizeof(struct vfio_user_region_access), count);
        return value;
}

void peer_start_io(struct peer *c, uint64_t address, uint64_t length) {
        assert_int_equal(peer_region_write(c, VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND, PCI_COMMAND_MASTER, 2), 0);
        assert_int_equal(peer_region_write(c, 0, SAMPLE_ADDRESS, address, 8), 0);
        assert_int_equal(peer_region_write(c, 0, SAMPLE_LENGTH, length, 8), 0);
        assert_int_equal(peer_region_write(c, 0, SAMPLE_READ, 1, 4), 0);
}

void peer_expect_dropped(int read_end) {
        char b = 0;

        assert_int_equal(read(read_end, &b, 1), 0);
        close(read_end);
}

int peer_setup(void **state) {
        struct peer *c = calloc(1, sizeof(*c));

        assert_non_null(c);
        assert_int_equal(sample_new(&c->s, NULL), 0);
        c->payload = malloc(16 + TRANSFER);
        c->memory = memfd_create("test-vfio-user", MFD_CLOEXEC);
        assert_int_equal(ftruncate(c->memory, MEMORY), 0);
        c->reply_fd = -1;
        peer_connect(c, c->s.function);
        *state = c;
        return 0;
}

int peer_setup_open(void **state) {
        peer_setup(state);
        assert_int_equal(peer_version(*state, NULL), 0);
        return 0;
}

int peer_teardown(void **state) {
        struct peer *c = *state;

        while (sample_finish_one(&c->s, 0))
                ;
        if (c->fd >= 0)
                peer_hang_up(c);
        peer_await_closed(c);
        sample_free(&c->s);
        close(c->memory);
        free(c->payload);
        free(c);
        return 0;
}
