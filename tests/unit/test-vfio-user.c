/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The vfio-user server, by a client on the other end of a socket pair, friendly and hostile. */
#include <errno.h>
#include <fcntl.h>
#include <json.h>
#include <linux/pci_regs.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "sample-model.h"
#include "util.h"
#include "vfio-user/protocol.h"
#include "vpc/server.h"

#define GUEST 0x100000
#define MEMORY 0x4000
#define TRANSFER 1048576

struct client {
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

static void on_closed(void *userdata, const char *reason) {
        struct client *c = userdata;

        c->closed = true;
        c->reason = reason;
        c->connection = NULL;
        loop_stop(c->s.loop, 0);
}

static void on_opened(void *userdata) {
        struct client *c = userdata;

        c->opened = true;
        if (c->close_when_opened)
                vpc_connection_close(c->connection, "test");
}

static void on_readable(void *userdata, int fd, uint32_t events) {
        struct client *c = userdata;

        loop_stop(c->s.loop, 0);
}

static void connect_to(struct client *c, struct vpc_function *function) {
        static const struct vpc_connection_events events = {.closed = on_closed, .opened = on_opened};
        int pair[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        c->fd = pair[0];
        c->closed = c->opened = false;
        assert_int_equal(vpc_connection_new(c->s.loop, pair[1], function, &events, c, &c->connection), 0);
        assert_int_equal(loop_add_fd(c->s.loop, c->fd, 0, on_readable, c, &c->source), 0);
}

static void hang_up(struct client *c) {
        c->source = loop_source_remove(c->source);
        shutdown(c->fd, SHUT_RDWR);
        close(take_fd(&c->fd));
}

/* Run the loop until there is something to read for the client (the end of the stream, too). */
static void await(struct client *c) {
        struct pollfd p = {.fd = c->fd, .events = POLLIN};

        while (poll(&p, 1, 0) == 0) {
                loop_source_set_events(c->source, POLLIN);
                assert_int_equal(loop_run(c->s.loop), 0);
                loop_source_set_events(c->source, 0);
        }
}

static void await_closed(struct client *c) {
        while (!c->closed)
                assert_int_equal(loop_run(c->s.loop), 0);
}

static void on_stop(void *userdata) {
        struct client *c = userdata;

        loop_stop(c->s.loop, 0);
}

static void on_timer(void *userdata) {
        *(bool *)userdata = true;
}

/* Let the server do what it can do by itself: what was sent has long been received when a timer has fired some rounds later. */
static void run_a_while(struct client *c) {
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

static void send_raw(struct client *c, const void *data, size_t length, const int *fds, unsigned int n_fds) {
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

static size_t make_message(struct client *c, uint8_t *message, unsigned int command, uint32_t flags, const void *payload,
                           size_t length) {
        struct vfio_user_header header = {
                .id = c->next_id++, .command = (uint16_t)command, .size = (uint32_t)(sizeof(header) + length), .flags = flags};

        memcpy(message, &header, sizeof(header));
        if (length)
                memcpy(message + sizeof(header), payload, length);
        return header.size;
}

static void post(struct client *c, unsigned int command, uint32_t flags, const void *payload, size_t length, const int *fds,
                 unsigned int n_fds) {
        uint8_t *message = malloc(sizeof(struct vfio_user_header) + length);

        assert_non_null(message);
        send_raw(c, message, make_message(c, message, command, flags, payload, length), fds, n_fds);
        free(message);
}

/* One recvmsg(2), after running the loop; 0: the server has closed. */
static size_t receive_some(struct client *c, void *data, size_t length) {
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = {0};
        struct iovec iov = {data, length};
        struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
        ssize_t n = 0;

        await(c);
        n = recvmsg(c->fd, &m, MSG_CMSG_CLOEXEC);
        if (n <= 0)
                return 0;
        if (CMSG_FIRSTHDR(&m))
                memcpy(&c->reply_fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int));
        return (size_t)n;
}

/* The next reply: its error as a negative errno, -ECONNRESET: none, the server has closed. */
static int await_reply(struct client *c) {
        size_t n = 0;

        c->reply_fd = -1;
        for (size_t got = 0; got < sizeof(c->header); got += n) {
                n = receive_some(c, (uint8_t *)&c->header + got, sizeof(c->header) - got);
                if (!n)
                        return -ECONNRESET;
        }
        assert_int_equal(c->header.flags & VFIO_USER_TYPE_MASK, VFIO_USER_TYPE_REPLY);
        assert_in_range(c->header.size, sizeof(c->header), sizeof(c->header) + 16 + TRANSFER);
        c->length = c->header.size - sizeof(c->header);
        for (size_t got = 0; got < c->length; got += n) {
                n = receive_some(c, c->payload + got, c->length - got);
                if (!n)
                        return -ECONNRESET;
        }
        if (!(c->header.flags & VFIO_USER_ERROR))
                return 0;
        assert_int_equal(c->length, 0);
        return -(int)c->header.error;
}

static int call_fds(struct client *c, unsigned int command, const void *payload, size_t length, const int *fds,
                    unsigned int n_fds) {
        int r = 0;

        if (!c)
                abort();
        uint16_t id = c->next_id;
        post(c, command, 0, payload, length, fds, n_fds);
        r = await_reply(c);
        if (r != -ECONNRESET) {
                assert_int_equal(c->header.id, id);
                assert_int_equal(c->header.command, command);
        }
        return r;
}

static int call(struct client *c, unsigned int command, const void *payload, size_t length) {
        return call_fds(c, command, payload, length, NULL, 0);
}

static int version(struct client *c, const char *json) {
        uint8_t payload[8192];
        struct vfio_user_version v = {0, 0};
        size_t length = json ? strlen(json) + 1 : 0;

        memcpy(payload, &v, sizeof(v));
        if (json)
                memcpy(payload + sizeof(v), json, length);
        return call(c, VFIO_USER_VERSION, payload, sizeof(v) + length);
}

static int get_info(struct client *c) {
        uint32_t info[4] = {16};

        return call(c, VFIO_USER_DEVICE_GET_INFO, info, sizeof(info));
}

static int map(struct client *c, uint64_t address, uint64_t size, const int *fd) {
        struct vfio_user_dma_map m = {
                .argsz = sizeof(m), .flags = VFIO_USER_DMA_READABLE | VFIO_USER_DMA_WRITEABLE, .address = address, .size = size};

        return call_fds(c, VFIO_USER_DMA_MAP, &m, sizeof(m), fd, fd ? 1 : 0);
}

static int region_read(struct client *c, uint32_t region, uint64_t offset, uint32_t count) {
        struct vfio_user_region_access a = {offset, region, count};

        return call(c, VFIO_USER_REGION_READ, &a, sizeof(a));
}

static size_t make_write(uint8_t *payload, uint32_t region, uint64_t offset, const void *data, uint32_t count) {
        struct vfio_user_region_access a = {offset, region, count};

        memcpy(payload, &a, sizeof(a));
        memcpy(payload + sizeof(a), data, count);
        return sizeof(a) + count;
}

static int region_write(struct client *c, uint32_t region, uint64_t offset, uint64_t value, uint32_t count) {
        uint8_t payload[64];

        return call(c, VFIO_USER_REGION_WRITE, payload, make_write(payload, region, offset, &value, count));
}

static uint64_t read_value(struct client *c, uint32_t region, uint64_t offset, uint32_t count) {
        uint64_t value = 0;

        assert_int_equal(region_read(c, region, offset, count), 0);
        assert_int_equal(c->length, sizeof(struct vfio_user_region_access) + count);
        memcpy(&value, c->payload + sizeof(struct vfio_user_region_access), count);
        return value;
}

static int setup(void **state) {
        struct client *c = calloc(1, sizeof(*c));

        assert_non_null(c);
        assert_int_equal(sample_new(&c->s, NULL), 0);
        c->payload = malloc(16 + TRANSFER);
        c->memory = memfd_create("test-vfio-user", MFD_CLOEXEC);
        assert_int_equal(ftruncate(c->memory, MEMORY), 0);
        c->reply_fd = -1;
        connect_to(c, c->s.function);
        *state = c;
        return 0;
}

static int setup_open(void **state) {
        setup(state);
        assert_int_equal(version(*state, NULL), 0);
        return 0;
}

static int teardown(void **state) {
        struct client *c = *state;

        while (sample_finish_one(&c->s, 0))
                ;
        if (c->fd >= 0)
                hang_up(c);
        await_closed(c);
        sample_free(&c->s);
        close(c->memory);
        free(c->payload);
        free(c);
        return 0;
}

/* ---- the connection ---- */

static void test_version(void **state) {
        struct client *c = *state;
        struct vfio_user_version v = {1, 0};
        struct json_object *reply = NULL, *capabilities = NULL, *value = NULL;
        char deep[300];

        memset(deep, '[', sizeof(deep) - 1);
        deep[sizeof(deep) - 1] = 0;
        assert_int_equal(call(c, VFIO_USER_VERSION, &v, sizeof(v)), -EPROTONOSUPPORT);
        assert_int_equal(call(c, VFIO_USER_VERSION, &v, 3), -EINVAL);
        assert_int_equal(call(c, VFIO_USER_VERSION, "\0\0\0\0{}", 6), -EINVAL); /* no NUL */
        assert_int_equal(call(c, VFIO_USER_VERSION, "\0\0\0\0{}\0x", 8), -EINVAL);
        assert_int_equal(version(c, "{"), -EINVAL);
        assert_int_equal(version(c, "[]"), -EINVAL);
        assert_int_equal(version(c, ""), -EINVAL);
        assert_int_equal(version(c, "{} {}"), -EINVAL);
        assert_int_equal(version(c, deep), -EINVAL);
        assert_int_equal(version(c, "{\"capabilities\": 1}"), -EINVAL);
        assert_int_equal(version(c, "{\"capabilities\": {\"max_msg_fds\": \"many\"}}"), -EINVAL);
        assert_int_equal(version(c, "{\"capabilities\": {\"max_dma_maps\": -1}}"), -EINVAL);
        assert_int_equal(version(c, "{\"capabilities\": {\"write_multiple\": 1}}"), -EINVAL);
        assert_false(c->opened);
        assert_int_equal(
                version(c, "{\"capabilities\": {\"max_msg_fds\": 8, \"max_data_xfer_size\": 1048576, \"max_dma_maps\": 100, "
                           "\"write_multiple\": true, \"pgsizes\": 4096, \"migration\": {\"pgsize\": 4096}}, \"else\": []}"),
                0);
        assert_true(c->opened);
        assert_int_equal(c->payload[c->length - 1], 0);
        memcpy(&v, c->payload, sizeof(v));
        assert_int_equal(v.major, 0);
        assert_int_equal(v.minor, 0);
        reply = json_tokener_parse((char *)c->payload + sizeof(v));
        assert_non_null(reply);
        assert_true(json_object_object_get_ex(reply, "capabilities", &capabilities));
        assert_int_equal(json_object_object_length(capabilities), 5);
        assert_true(json_object_object_get_ex(capabilities, "max_msg_fds", &value));
        assert_int_equal(json_object_get_int(value), 16);
        assert_true(json_object_object_get_ex(capabilities, "max_dma_maps", &value));
        assert_int_equal(json_object_get_int(value), 100);
        assert_true(json_object_object_get_ex(capabilities, "write_multiple", &value));
        assert_true(json_object_get_boolean(value));
        json_object_put(reply);
        assert_int_equal(version(c, NULL), -EINVAL); /* a second time */
        assert_int_equal(get_info(c), 0);
}

static void test_version_first(void **state) {
        struct client *c = *state;

        assert_int_equal(get_info(c), -ECONNRESET);
        await_closed(c);
        assert_string_equal(c->reason, "the first message was not VERSION");
        assert_false(c->opened);
}

/* A client that is turned away gets an error reply, and its connection stays for a second so that it can read it. */
static void test_refused(void **state) {
        struct client *c = *state;

        hang_up(c);
        await_closed(c);
        connect_to(c, NULL);
        assert_int_equal(version(c, NULL), -EBUSY);
        assert_int_equal(version(c, NULL), -EBUSY);
        assert_false(c->closed);
        await_closed(c);
        assert_string_equal(c->reason, "the vAdapter is in use");
}

static void test_close_when_opened(void **state) {
        struct client *c = *state;

        c->close_when_opened = true;
        assert_int_equal(version(c, NULL), 0);
        await_closed(c);
        assert_string_equal(c->reason, "test");
}

static void expect_closed_by(struct client *c, struct vfio_user_header header, const char *reason) {
        send_raw(c, &header, sizeof(header), NULL, 0);
        assert_int_equal(await_reply(c), -ECONNRESET);
        await_closed(c);
        assert_string_equal(c->reason, reason);
        hang_up(c);
        connect_to(c, c->s.function);
        assert_int_equal(version(c, NULL), 0);
}

static void test_bad_headers(void **state) {
        struct client *c = *state;
        const char *size = "the client sent a message of an impossible size",
                   *type = "the client sent something else than a command";

        expect_closed_by(c, (struct vfio_user_header){.command = VFIO_USER_DEVICE_GET_INFO, .size = 0}, size);
        expect_closed_by(c, (struct vfio_user_header){.command = VFIO_USER_DEVICE_GET_INFO, .size = 15}, size);
        expect_closed_by(c, (struct vfio_user_header){.command = VFIO_USER_REGION_WRITE, .size = 33 + TRANSFER}, size);
        expect_closed_by(c, (struct vfio_user_header){.command = VFIO_USER_REGION_WRITE, .size = UINT32_MAX}, size);
        expect_closed_by(c, (struct vfio_user_header){.command = VFIO_USER_DMA_READ, .size = 16, .flags = VFIO_USER_TYPE_REPLY},
                         type);
        expect_closed_by(c, (struct vfio_user_header){.command = VFIO_USER_DEVICE_RESET, .size = 16, .flags = 7}, type);
}

static void test_truncated(void **state) {
        struct client *c = *state;
        struct vfio_user_header header = {.command = VFIO_USER_REGION_WRITE, .size = 1000};

        send_raw(c, &header, 7, NULL, 0);
        hang_up(c);
        await_closed(c);
        assert_string_equal(c->reason, "the client hung up in the middle of a message");
        connect_to(c, c->s.function);
        assert_int_equal(version(c, NULL), 0);
        send_raw(c, &header, sizeof(header), &c->memory, 1);
        hang_up(c);
        await_closed(c);
        assert_string_equal(c->reason, "the client hung up in the middle of a message");
}

/* Messages byte by byte, and many at once. */
static void test_fragments(void **state) {
        struct client *c = *state;
        struct vfio_user_region_access a = {PCI_VENDOR_ID, VFIO_PCI_CONFIG_REGION_INDEX, 4};
        uint8_t message[64], *many = malloc(1000 * 32);
        size_t n = make_message(c, message, VFIO_USER_REGION_READ, 0, &a, sizeof(a)), length = 0;
        uint32_t id = 0;

        for (size_t i = 0; i < n; i++) {
                send_raw(c, message + i, 1, NULL, 0);
                if (i == 3 || i == n - 2) /* let some of it be received */
                        run_a_while(c);
        }
        assert_int_equal(await_reply(c), 0);
        for (int i = 0; i < 1000; i++)
                length += make_message(c, many + length, VFIO_USER_REGION_READ, 0, &a, sizeof(a));
        send_raw(c, many, length, NULL, 0);
        for (int i = 0; i < 1000; i++) {
                assert_int_equal(await_reply(c), 0);
                memcpy(&id, c->payload + sizeof(a), 4);
                assert_int_equal(id, 0x10f11af4);
        }
        assert_int_equal(c->header.id, (uint16_t)(c->next_id - 1));
        free(many);
}

/* Every command with a payload of every wrong length up to 64: an error reply, and the stream stays in step. */
static void test_wrong_sizes(void **state) {
        static const struct {
                unsigned int command;
                size_t min, max;
        } commands[] = {
                {VFIO_USER_DMA_MAP, 32, 32},         {VFIO_USER_DMA_UNMAP, 24, 24},
                {VFIO_USER_DEVICE_GET_INFO, 16, 64}, {VFIO_USER_DEVICE_GET_IRQ_INFO, 16, 16},
                {VFIO_USER_DEVICE_SET_IRQS, 20, 64}, {VFIO_USER_DEVICE_GET_REGION_INFO, 32, 64},
                {VFIO_USER_REGION_READ, 16, 16},     {VFIO_USER_REGION_WRITE, 16, 64},
                {VFIO_USER_DEVICE_RESET, 0, 0},      {VFIO_USER_REGION_WRITE_MULTI, 8, 64},
        };
        struct client *c = *state;
        uint8_t zeros[64] = {0}, ones[64];

        memset(ones, 0xff, sizeof(ones));
        for (size_t i = 0; i < ARRAY_LENGTH(commands); i++)
                for (size_t length = 0; length <= 64; length++) {
                        if (length < commands[i].min || length > commands[i].max)
                                assert_int_equal(call(c, commands[i].command, zeros, length), -EINVAL);
                        if (length) /* and nonsense of any length */
                                assert_int_not_equal(call(c, commands[i].command, ones, length), -ECONNRESET);
                }
        assert_int_equal(get_info(c), 0);
}

static void test_unknown_commands(void **state) {
        static const unsigned int commands[] = {0, 6, 11, 12, 14, 16, 17, 18, 19, 1000, 65535};
        struct client *c = *state;

        for (size_t i = 0; i < ARRAY_LENGTH(commands); i++)
                assert_int_equal(call(c, commands[i], "12345678", 8), -ENOTSUP);
        assert_int_equal(get_info(c), 0);
}

/* Read from a pipe whose write end was given away: the end of the file comes when nobody holds it any more. */
static void expect_dropped(int read_end) {
        char b = 0;

        assert_int_equal(read(read_end, &b, 1), 0);
        close(read_end);
}

static void test_descriptors_where_none_belong(void **state) {
        static const unsigned int commands[] = {VFIO_USER_VERSION,
                                                VFIO_USER_DMA_UNMAP,
                                                VFIO_USER_DEVICE_GET_INFO,
                                                VFIO_USER_DEVICE_SET_IRQS,
                                                VFIO_USER_REGION_READ,
                                                VFIO_USER_DEVICE_RESET,
                                                77};
        struct client *c = *state;
        uint8_t zeros[24] = {0};
        int pipes[2], fds[2];

        for (size_t i = 0; i < ARRAY_LENGTH(commands); i++) {
                assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
                fds[0] = fds[1] = pipes[1];
                assert_true(call_fds(c, commands[i], zeros, sizeof(zeros), fds, 2) < 0);
                close(pipes[1]);
                expect_dropped(pipes[0]);
        }
        /* two for one window; a pipe for memory; three for two vectors */
        assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
        fds[0] = fds[1] = pipes[1];
        struct vfio_user_dma_map m = {.argsz = sizeof(m), .flags = 3, .address = GUEST, .size = MEMORY};
        assert_int_equal(call_fds(c, VFIO_USER_DMA_MAP, &m, sizeof(m), fds, 2), -EINVAL);
        assert_int_equal(call_fds(c, VFIO_USER_DMA_MAP, &m, sizeof(m), fds, 1), -EINVAL);
        struct vfio_irq_set set = {.argsz = sizeof(set), .index = VFIO_PCI_MSIX_IRQ_INDEX, .count = 3};
        set.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
        assert_int_equal(call_fds(c, VFIO_USER_DEVICE_SET_IRQS, &set, sizeof(set), fds, 2), -EINVAL);
        set.count = 2;
        assert_int_equal(call_fds(c, VFIO_USER_DEVICE_SET_IRQS, &set, sizeof(set), fds, 2), -EINVAL);
        close(pipes[1]);
        expect_dropped(pipes[0]);
        assert_int_equal(get_info(c), 0);
}

static void test_too_many_descriptors(void **state) {
        struct client *c = *state;
        struct vfio_user_header header = {.command = VFIO_USER_DEVICE_SET_IRQS, .size = 36};
        uint8_t zeros[20] = {0};
        int pipes[2], fds[40];

        assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
        for (size_t i = 0; i < ARRAY_LENGTH(fds); i++)
                fds[i] = pipes[1];
        assert_int_equal(call_fds(c, VFIO_USER_DEVICE_SET_IRQS, zeros, sizeof(zeros), fds, 17), -ECONNRESET);
        await_closed(c);
        hang_up(c);
        connect_to(c, c->s.function);
        assert_int_equal(version(c, NULL), 0);
        assert_int_equal(call_fds(c, VFIO_USER_DEVICE_SET_IRQS, zeros, sizeof(zeros), fds, 40), -ECONNRESET);
        await_closed(c);
        hang_up(c);
        /* some with the header, some more with the rest */
        connect_to(c, c->s.function);
        assert_int_equal(version(c, NULL), 0);
        send_raw(c, &header, sizeof(header), fds, 1);
        send_raw(c, zeros, sizeof(zeros), fds, 1);
        assert_int_equal(await_reply(c), -ECONNRESET);
        await_closed(c);
        close(pipes[1]);
        expect_dropped(pipes[0]);
}

/* ---- information ---- */

static void test_device_info(void **state) {
        struct client *c = *state;
        uint32_t info[6] = {15};

        assert_int_equal(call(c, VFIO_USER_DEVICE_GET_INFO, info, 16), -EINVAL);
        info[0] = 24; /* struct vfio_device_info of today */
        assert_int_equal(call(c, VFIO_USER_DEVICE_GET_INFO, info, 24), 0);
        assert_int_equal(c->length, 16);
        memcpy(info, c->payload, 16);
        assert_int_equal(info[0], 16);
        assert_int_equal(info[1], VFIO_DEVICE_FLAGS_RESET | VFIO_DEVICE_FLAGS_PCI);
        assert_int_equal(info[2], 9);
        assert_int_equal(info[3], 5);
}

static int region_info(struct client *c, uint32_t index, uint32_t argsz, struct vfio_region_info *info) {
        int r = 0;

        *info = (struct vfio_region_info){.argsz = argsz, .index = index};
        r = call(c, VFIO_USER_DEVICE_GET_REGION_INFO, info, sizeof(*info));
        if (r == 0) {
                assert_in_range(c->length, sizeof(*info), argsz);
                memcpy(info, c->payload, sizeof(*info));
        }
        return r;
}

static void test_region_info(void **state) {
        struct client *c = *state;
        struct vfio_region_info info;
        struct vfio_region_info_cap_sparse_mmap sparse;
        struct vfio_region_sparse_mmap_area area;
        const uint32_t rw = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;

        assert_int_equal(region_info(c, 0, 32, &info), 0);
        assert_int_equal(info.size, SAMPLE_BAR0);
        assert_int_equal(info.flags, rw);
        assert_int_equal(info.argsz, 32);
        assert_int_equal(region_info(c, 1, 32, &info), 0);
        assert_int_equal(info.size, 0);
        assert_int_equal(info.flags, 0);
        assert_int_equal(region_info(c, 7, 32, &info), 0);
        assert_int_equal(info.size, 4096);
        assert_int_equal(region_info(c, 8, 32, &info), 0);
        assert_int_equal(info.size, 0);
        assert_int_equal(region_info(c, 9, 32, &info), -EINVAL);
        assert_int_equal(region_info(c, 0, 31, &info), -EINVAL);
        /* with too little room it says how much it takes, and sends no descriptor */
        assert_int_equal(region_info(c, 2, 32, &info), 0);
        assert_int_equal(c->length, 32);
        assert_int_equal(info.argsz, 64);
        assert_int_equal(c->reply_fd, -1);
        assert_int_equal(region_info(c, 2, info.argsz, &info), 0);
        assert_int_equal(info.flags, rw | VFIO_REGION_INFO_FLAG_MMAP | VFIO_REGION_INFO_FLAG_CAPS);
        assert_int_equal(info.cap_offset, 32);
        assert_int_equal(c->length, 64);
        memcpy(&sparse, c->payload + 32, sizeof(sparse));
        assert_int_equal(sparse.header.id, VFIO_REGION_INFO_CAP_SPARSE_MMAP);
        assert_int_equal(sparse.header.version, 1);
        assert_int_equal(sparse.header.next, 0);
        assert_int_equal(sparse.nr_areas, 1);
        memcpy(&area, c->payload + 32 + sizeof(sparse), sizeof(area));
        assert_int_equal(area.offset, SAMPLE_BAR2 / 2);
        assert_int_equal(area.size, SAMPLE_BAR2 / 2);
        assert_true(c->reply_fd >= 0);
        void *p = mmap(NULL, area.size, PROT_READ | PROT_WRITE, MAP_SHARED, c->reply_fd, (off_t)(info.offset + area.offset));
        assert_ptr_not_equal(p, MAP_FAILED);
        munmap(p, area.size);
        close(take_fd(&c->reply_fd));
}

static void test_irq_info(void **state) {
        static const uint32_t counts[] = {1, 4, SAMPLE_VECTORS, 0, 0};
        struct client *c = *state;
        struct vfio_irq_info info;

        for (uint32_t i = 0; i < 6; i++) {
                info = (struct vfio_irq_info){.argsz = sizeof(info), .index = i};
                if (i == 5) {
                        assert_int_equal(call(c, VFIO_USER_DEVICE_GET_IRQ_INFO, &info, sizeof(info)), -EINVAL);
                        break;
                }
                assert_int_equal(call(c, VFIO_USER_DEVICE_GET_IRQ_INFO, &info, sizeof(info)), 0);
                memcpy(&info, c->payload, sizeof(info));
                assert_int_equal(info.count, counts[i]);
                assert_int_equal(!!(info.flags & VFIO_IRQ_INFO_EVENTFD), counts[i] > 0);
                assert_int_equal(!!(info.flags & VFIO_IRQ_INFO_AUTOMASKED), i == 0);
        }
}

/* ---- regions ---- */

static void test_regions(void **state) {
        struct client *c = *state;
        uint8_t payload[64];

        assert_int_equal(region_write(c, 0, 0x20, 0x1122334455667788, 8), 0);
        assert_int_equal(c->length, 16);
        assert_int_equal(read_value(c, 0, 0x20, 8), 0x1122334455667788);
        assert_int_equal(read_value(c, 0, 0x23, 2), 0x4455);
        assert_int_equal(read_value(c, VFIO_PCI_CONFIG_REGION_INDEX, 0, 4), 0x10f11af4);
        assert_int_equal(c->s.counters.mmio_reads, 2); /* the configuration space does not count */
        assert_int_equal(c->s.counters.mmio_writes, 1);
        assert_int_equal(region_read(c, 0, 0, 0), 0);
        assert_int_equal(region_read(c, 0, 0, SAMPLE_BAR0), 0);
        assert_int_equal(c->length, 16 + SAMPLE_BAR0);
        assert_int_equal(region_read(c, 0, 0, SAMPLE_BAR0 + 1), -EINVAL);
        assert_int_equal(region_read(c, 0, UINT64_MAX, 4), -EINVAL);
        assert_int_equal(region_read(c, 9, 0, 4), -EINVAL);
        assert_int_equal(region_read(c, UINT32_MAX, 0, 4), -EINVAL);
        assert_int_equal(region_read(c, 0, 0, TRANSFER + 1), -EINVAL);
        assert_int_equal(region_read(c, 0, 0, UINT32_MAX), -EINVAL);
        assert_int_equal(region_write(c, 0, SAMPLE_BAR0 - 1, 0, 2), -EINVAL);
        assert_int_equal(region_write(c, 6, 0, 0, 2), -EINVAL);
        /* count and payload do not agree */
        make_write(payload, 0, 0, "12345678", 8);
        assert_int_equal(call(c, VFIO_USER_REGION_WRITE, payload, 23), -EINVAL);
        assert_int_equal(call(c, VFIO_USER_REGION_WRITE, payload, 25), -EINVAL);
        /* the largest there are; a read of the configuration space never fails */
        assert_int_equal(region_read(c, VFIO_PCI_CONFIG_REGION_INDEX, 0, TRANSFER), 0);
        assert_int_equal(c->length, 16 + TRANSFER);
}

/* The largest message, which the client sends while the loop runs: it does not fit into the socket at once. */
static void test_largest_write(void **state) {
        struct client *c = *state;
        struct vfio_user_header header = {.command = VFIO_USER_REGION_WRITE, .size = 32 + TRANSFER};
        struct vfio_user_region_access a = {0, 0, TRANSFER};
        uint8_t *message = calloc(1, header.size);
        size_t sent = 0;

        memcpy(message, &header, sizeof(header));
        memcpy(message + sizeof(header), &a, sizeof(a));
        while (sent < header.size) {
                ssize_t n = send(c->fd, message + sent, header.size - sent, MSG_DONTWAIT);

                if (n > 0)
                        sent += (size_t)n;
                else
                        run_a_while(c);
        }
        assert_int_equal(await_reply(c), -EINVAL); /* larger than the BAR */
        assert_int_equal(get_info(c), 0);
        free(message);
}

static void test_no_reply(void **state) {
        struct client *c = *state;
        uint8_t payload[64];

        post(c, VFIO_USER_REGION_WRITE, VFIO_USER_NO_REPLY, payload, make_write(payload, 0, 0, "\1\2\3\4", 4), NULL, 0);
        post(c, VFIO_USER_REGION_WRITE, VFIO_USER_NO_REPLY, payload, make_write(payload, 0, SAMPLE_BAR0, "\1\2\3\4", 4), NULL, 0);
        post(c, 99, VFIO_USER_NO_REPLY, NULL, 0, NULL, 0);
        post(c, VFIO_USER_DEVICE_RESET, VFIO_USER_NO_REPLY, NULL, 0, NULL, 0);
        post(c, VFIO_USER_REGION_WRITE, VFIO_USER_NO_REPLY, payload, make_write(payload, 0, 8, "\1\2\3\4", 4), NULL, 0);
        assert_int_equal(read_value(c, 0, 8, 4), 0x04030201); /* the first reply that comes */
        assert_int_equal(read_value(c, 0, 0, 4), 0);          /* after the reset */
}

static void test_write_multi(void **state) {
        struct client *c = *state;
        struct {
                uint64_t n;
                struct {
                        uint64_t offset;
                        uint32_t region, count;
                        uint64_t data;
                } one[3];
        } multi = {3, {{0x10, 0, 4, 0x11111111}, {0x18, 0, 8, 0x2222222222222222}, {0x21, 0, 1, 0x33}}};
        uint64_t n = 0;

        assert_int_equal(call(c, VFIO_USER_REGION_WRITE_MULTI, &multi, sizeof(multi)), 0);
        assert_int_equal(c->length, 8);
        memcpy(&n, c->payload, 8);
        assert_int_equal(n, 3);
        assert_int_equal(read_value(c, 0, 0x10, 8), 0x11111111);
        assert_int_equal(read_value(c, 0, 0x18, 8), 0x2222222222222222);
        assert_int_equal(read_value(c, 0, 0x20, 4), 0x3300);
        multi.one[1].count = 9;
        assert_int_equal(call(c, VFIO_USER_REGION_WRITE_MULTI, &multi, sizeof(multi)), -EINVAL);
        multi.one[1].count = 8;
        multi.one[1].region = 3;
        assert_int_equal(call(c, VFIO_USER_REGION_WRITE_MULTI, &multi, sizeof(multi)), -EINVAL);
        multi.n = 4;
        assert_int_equal(call(c, VFIO_USER_REGION_WRITE_MULTI, &multi, sizeof(multi)), -EINVAL);
        multi.n = (UINT64_MAX / 24) + 4; /* whose bytes wrap round */
        assert_int_equal(call(c, VFIO_USER_REGION_WRITE_MULTI, &multi, sizeof(multi)), -EINVAL);
        multi.n = 0;
        assert_int_equal(call(c, VFIO_USER_REGION_WRITE_MULTI, &multi, 8), 0);
}

/* ---- memory ---- */

static void start_io(struct client *c, uint64_t address, uint64_t length) {
        assert_int_equal(region_write(c, VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND, PCI_COMMAND_MASTER, 2), 0);
        assert_int_equal(region_write(c, 0, SAMPLE_ADDRESS, address, 8), 0);
        assert_int_equal(region_write(c, 0, SAMPLE_LENGTH, length, 8), 0);
        assert_int_equal(region_write(c, 0, SAMPLE_READ, 1, 4), 0);
}

static void test_dma_map(void **state) {
        struct client *c = *state;
        struct vfio_user_dma_unmap u = {.argsz = sizeof(u), .address = GUEST, .size = MEMORY};

        assert_int_equal(map(c, GUEST, MEMORY, &c->memory), 0);
        assert_int_equal(map(c, GUEST, MEMORY, &c->memory), -EEXIST);
        assert_int_equal(map(c, GUEST + MEMORY - 4096, MEMORY, &c->memory), -EEXIST);
        assert_int_equal(map(c, GUEST * 2, MEMORY + 4096, &c->memory), -EINVAL); /* beyond the file */
        assert_int_equal(map(c, 0xfff00000, 4096, NULL), 0);                     /* ROM */
        start_io(c, GUEST, 512);
        assert_true(sample_finish_one(&c->s, 0));
        u.size = 4096;
        assert_int_equal(call(c, VFIO_USER_DMA_UNMAP, &u, sizeof(u)), -ENOENT);
        u.size = MEMORY;
        u.flags = 1; /* the dirty bitmap of old versions */
        assert_int_equal(call(c, VFIO_USER_DMA_UNMAP, &u, sizeof(u)), -ENOTSUP);
        u.flags = 0;
        u.argsz = 8;
        assert_int_equal(call(c, VFIO_USER_DMA_UNMAP, &u, sizeof(u)), -EINVAL);
        u.argsz = sizeof(u);
        assert_int_equal(call(c, VFIO_USER_DMA_UNMAP, &u, sizeof(u)), 0);
        assert_int_equal(c->length, sizeof(u));
        assert_memory_equal(c->payload, &u, sizeof(u));
        assert_int_equal(call(c, VFIO_USER_DMA_UNMAP, &u, sizeof(u)), -ENOENT);
        u.flags = VFIO_USER_DMA_UNMAP_ALL;
        assert_int_equal(call(c, VFIO_USER_DMA_UNMAP, &u, sizeof(u)), -EINVAL);
        u.address = u.size = 0;
        assert_int_equal(call(c, VFIO_USER_DMA_UNMAP, &u, sizeof(u)), 0);
        assert_int_equal(map(c, 0xfff00000, 4096, NULL), 0);
}

/* SPDK's client sends the window's descriptor once more. */
static void test_dma_unmap_with_descriptor(void **state) {
        struct client *c = *state;
        struct vfio_user_dma_unmap u = {.argsz = sizeof(u), .address = GUEST, .size = MEMORY};
        int pipes[2], fds[2];

        assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
        fds[0] = fds[1] = pipes[1];
        assert_int_equal(map(c, GUEST, MEMORY, &c->memory), 0);
        assert_int_equal(call_fds(c, VFIO_USER_DMA_UNMAP, &u, sizeof(u), fds, 2), -EINVAL);
        assert_int_equal(call_fds(c, VFIO_USER_DMA_UNMAP, &u, sizeof(u), fds, 1), 0);
        close(pipes[1]);
        expect_dropped(pipes[0]);
        assert_int_equal(map(c, GUEST, MEMORY, &c->memory), 0);
}

/* With I/O under way each of these waits for it, and so does what was sent behind it. */
static void test_waits_for_io(void **state) {
        struct client *c = *state;
        struct vfio_user_dma_unmap u = {.argsz = sizeof(u), .address = GUEST, .size = MEMORY};
        uint8_t flr[64];
        uint16_t devctl = PCI_EXP_DEVCTL_BCR_FLR;
        size_t flr_length = make_write(flr, VFIO_PCI_CONFIG_REGION_INDEX, 0x6c + PCI_EXP_DEVCTL, &devctl, 2);
        const struct {
                unsigned int command;
                const void *payload;
                size_t length;
        } waits[] = {{VFIO_USER_DMA_UNMAP, &u, sizeof(u)},
                     {VFIO_USER_DEVICE_RESET, NULL, 0},
                     {VFIO_USER_REGION_WRITE, flr, flr_length}};

        for (size_t i = 0; i < ARRAY_LENGTH(waits); i++) {
                struct pollfd p = {.fd = c->fd, .events = POLLIN};
                int r = map(c, GUEST, MEMORY, &c->memory);

                assert_true(r == 0 || r == -EEXIST);
                start_io(c, GUEST, MEMORY);
                start_io(c, GUEST, 512);
                assert_int_equal(c->s.n_submitted, 2);
                post(c, waits[i].command, 0, waits[i].payload, waits[i].length, NULL, 0);
                post(c, 99, 0, NULL, 0, NULL, 0);
                run_a_while(c);
                assert_int_equal(poll(&p, 1, 0), 0);
                assert_true(sample_finish_one(&c->s, 0));
                run_a_while(c);
                assert_int_equal(poll(&p, 1, 0), 0);
                assert_true(sample_finish_one(&c->s, 0));
                assert_int_equal(await_reply(c), 0);
                assert_int_equal(c->header.command, waits[i].command);
                assert_int_equal(await_reply(c), -ENOTSUP);
        }
}

/* ---- interrupts ---- */

static int set_irqs(struct client *c, uint32_t flags, uint32_t index, uint32_t start, uint32_t n, const char *data,
                    const int *fds, unsigned int n_fds) {
        uint8_t payload[64];
        size_t data_length = data ? n : 0;
        struct vfio_irq_set set = {
                .argsz = (uint32_t)(sizeof(set) + data_length), .flags = flags, .index = index, .start = start, .count = n};

        memcpy(payload, &set, sizeof(set));
        if (data_length)
                memcpy(payload + sizeof(set), data, data_length);
        return call_fds(c, VFIO_USER_DEVICE_SET_IRQS, payload, sizeof(set) + data_length, fds, n_fds);
}

static unsigned int signals(int fd) {
        uint64_t n = 0;

        return read(fd, &n, sizeof(n)) == sizeof(n) ? (unsigned int)n : 0;
}

static void test_set_irqs(void **state) {
        enum {
                NONE = VFIO_IRQ_SET_DATA_NONE,
                BOOL = VFIO_IRQ_SET_DATA_BOOL,
                EVENTFD = VFIO_IRQ_SET_DATA_EVENTFD,
                MASK = VFIO_IRQ_SET_ACTION_MASK,
                UNMASK = VFIO_IRQ_SET_ACTION_UNMASK,
                TRIGGER = VFIO_IRQ_SET_ACTION_TRIGGER,
        };
        struct client *c = *state;
        int fds[3];

        for (int i = 0; i < 3; i++)
                fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        assert_int_equal(set_irqs(c, EVENTFD | TRIGGER, 2, 0, 1, NULL, NULL, 0), 0); /* as QEMU does at first */
        assert_int_equal(set_irqs(c, EVENTFD | TRIGGER, 2, 4, 3, NULL, fds, 3), 0);
        assert_int_equal(set_irqs(c, NONE | TRIGGER, 2, 4, 2, NULL, NULL, 0), 0);
        assert_int_equal(signals(fds[0]), 1);
        assert_int_equal(signals(fds[1]), 1);
        assert_int_equal(set_irqs(c, BOOL | TRIGGER, 2, 4, 3, "\0\1\1", NULL, 0), 0);
        assert_int_equal(signals(fds[0]), 0);
        assert_int_equal(signals(fds[1]), 1);
        assert_int_equal(signals(fds[2]), 1);
        assert_int_equal(set_irqs(c, NONE | MASK, 2, 0, SAMPLE_VECTORS, NULL, NULL, 0), 0);
        assert_int_equal(set_irqs(c, BOOL | UNMASK, 2, 5, 2, "\0\1", NULL, 0), 0);
        assert_int_equal(set_irqs(c, EVENTFD | TRIGGER, 2, 5, 1, NULL, NULL, 0), 0); /* taken away */
        assert_int_equal(set_irqs(c, NONE | TRIGGER, 2, 4, 3, NULL, NULL, 0), 0);
        assert_int_equal(signals(fds[0]), 1);
        assert_int_equal(signals(fds[1]), 0);
        assert_int_equal(signals(fds[2]), 1);
        assert_int_equal(set_irqs(c, NONE | TRIGGER, 2, 0, 0, NULL, NULL, 0), 0); /* all off */
        assert_int_equal(set_irqs(c, NONE | TRIGGER, 2, 4, 3, NULL, NULL, 0), 0);
        assert_int_equal(signals(fds[0]), 0);
        /* nonsense */
        assert_int_equal(set_irqs(c, NONE | TRIGGER, 2, 1, 0, NULL, NULL, 0), -EINVAL);
        assert_int_equal(set_irqs(c, NONE | MASK, 2, 0, 0, NULL, NULL, 0), -EINVAL);
        assert_int_equal(set_irqs(c, NONE | TRIGGER, 2, 0, SAMPLE_VECTORS + 1, NULL, NULL, 0), -EINVAL);
        assert_int_equal(set_irqs(c, NONE | TRIGGER, 2, UINT32_MAX, 2, NULL, NULL, 0), -EINVAL);
        assert_int_equal(set_irqs(c, NONE | TRIGGER, 2, 1, UINT32_MAX, NULL, NULL, 0), -EINVAL);
        assert_int_equal(set_irqs(c, NONE | TRIGGER, 3, 0, 1, NULL, NULL, 0), -EINVAL);
        assert_int_equal(set_irqs(c, NONE | TRIGGER, 5, 0, 1, NULL, NULL, 0), -EINVAL);
        assert_int_equal(set_irqs(c, NONE | BOOL | TRIGGER, 2, 0, 1, NULL, NULL, 0), -EINVAL);
        assert_int_equal(set_irqs(c, NONE | MASK | TRIGGER, 2, 0, 1, NULL, NULL, 0), -EINVAL);
        assert_int_equal(set_irqs(c, NONE, 2, 0, 1, NULL, NULL, 0), -EINVAL);
        assert_int_equal(set_irqs(c, TRIGGER, 2, 0, 1, NULL, NULL, 0), -EINVAL);
        assert_int_equal(set_irqs(c, NONE | TRIGGER | 1u << 6, 2, 0, 1, NULL, NULL, 0), -EINVAL);
        assert_int_equal(set_irqs(c, BOOL | TRIGGER, 2, 0, 1, NULL, NULL, 0), -EINVAL);
        assert_int_equal(set_irqs(c, NONE | TRIGGER, 2, 0, 1, "x", NULL, 0), -EINVAL);
        assert_int_equal(set_irqs(c, EVENTFD | UNMASK, 0, 0, 1, NULL, fds, 1), -ENOTSUP);
        for (int i = 0; i < 3; i++)
                close(fds[i]);
}

/* ---- life and death ---- */

static void test_reset(void **state) {
        struct client *c = *state;

        assert_int_equal(region_write(c, 0, 0, 7, 4), 0);
        assert_int_equal(call(c, VFIO_USER_DEVICE_RESET, NULL, 0), 0);
        assert_int_equal(read_value(c, 0, 0, 4), 0);
        assert_int_equal(c->s.counters.resets, 1);
}

/* A client that writes and does not read: nothing is lost, nothing grows, and it stops being read. */
static void test_slow_reader(void **state) {
        struct client *c = *state;
        struct vfio_user_region_access a = {0, 0, SAMPLE_BAR0};
        unsigned int sent = 0, stuck = 0;

        while (stuck < 3) {
                uint8_t message[64];
                size_t n = make_message(c, message, VFIO_USER_REGION_READ, 0, &a, sizeof(a));

                if (send(c->fd, message, n, MSG_DONTWAIT) == (ssize_t)n) {
                        sent++;
                        stuck = 0;
                        continue;
                }
                c->next_id--;
                run_a_while(c);
                stuck++;
        }
        assert_true(sent > 100);
        for (unsigned int i = 0; i < sent; i++) {
                assert_int_equal(await_reply(c), 0);
                assert_int_equal(c->header.id, (uint16_t)(c->next_id - sent + i));
                assert_int_equal(c->length, sizeof(a) + SAMPLE_BAR0);
        }
        assert_int_equal(get_info(c), 0);
}

/* The client dies with I/O under way: the end comes when that has ended; a new client finds the device as it was, without memory.
 */
static void test_hang_up_and_reconnect(void **state) {
        struct client *c = *state;

        assert_int_equal(map(c, GUEST, MEMORY, &c->memory), 0);
        assert_int_equal(region_write(c, 0, 0, 7, 4), 0);
        start_io(c, GUEST, MEMORY);
        hang_up(c);
        run_a_while(c);
        assert_false(c->closed);
        assert_true(sample_finish_one(&c->s, 0));
        assert_true(c->closed);
        assert_string_equal(c->reason, "the client hung up");
        /* Who has only looked in has not driven it. */
        connect_to(c, c->s.function);
        hang_up(c);
        await_closed(c);
        connect_to(c, c->s.function);
        assert_int_equal(version(c, NULL), 0);
        assert_int_equal(read_value(c, 0, 0, 4), 7);
        assert_int_equal(read_value(c, 0, SAMPLE_POWER_LOST, 4), 1);
        assert_int_equal(read_value(c, VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND, 2), 0);
        start_io(c, GUEST, 512);
        assert_int_equal((int)read_value(c, 0, SAMPLE_RESULT, 8), -EFAULT);
        assert_int_equal(map(c, GUEST, MEMORY, &c->memory), 0);
}

/* It dies while a reply waits for I/O, and new I/O has been started by the model since. */
static void test_hang_up_while_waiting(void **state) {
        struct client *c = *state;

        assert_int_equal(map(c, GUEST, MEMORY, &c->memory), 0);
        start_io(c, GUEST, 512);
        post(c, VFIO_USER_DEVICE_RESET, 0, NULL, 0, NULL, 0);
        run_a_while(c);
        sample_write(&c->s, VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
        sample_write(&c->s, 0, SAMPLE_ADDRESS, 8, GUEST);
        sample_write(&c->s, 0, SAMPLE_LENGTH, 8, 512);
        sample_write(&c->s, 0, SAMPLE_READ, 4, 1);
        assert_int_equal(c->s.n_submitted, 2);
        vpc_connection_close(c->connection, "test");
        assert_true(sample_finish_one(&c->s, 0));
        assert_false(c->closed);
        assert_true(sample_finish_one(&c->s, 0));
        assert_true(c->closed);
        assert_string_equal(c->reason, "test");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_version, setup, teardown),
                cmocka_unit_test_setup_teardown(test_version_first, setup, teardown),
                cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
                cmocka_unit_test_setup_teardown(test_close_when_opened, setup, teardown),
                cmocka_unit_test_setup_teardown(test_bad_headers, setup_open, teardown),
                cmocka_unit_test_setup_teardown(test_truncated, setup_open, teardown),
                cmocka_unit_test_setup_teardown(test_fragments, setup_open, teardown),
                cmocka_unit_test_setup_teardown(test_wrong_sizes, setup_open, teardown),
                cmocka_unit_test_setup_teardown(test_unknown_commands, setup_open, teardown),
                cmocka_unit_test_setup_teardown(test_descriptors_where_none_belong, setup_open, teardown),
                cmocka_unit_test_setup_teardown(test_too_many_descriptors, setup_open, teardown),
                cmocka_unit_test_setup_teardown(test_device_info, setup_open, teardown),
                cmocka_unit_test_setup_teardown(test_region_info, setup_open, teardown),
                cmocka_unit_test_setup_teardown(test_irq_info, setup_open, teardown),
                cmocka_unit_test_setup_teardown(test_regions, setup_open, teardown),
                cmocka_unit_test_setup_teardown(test_largest_write, setup_open, teardown),
                cmocka_unit_test_setup_teardown(test_no_reply, setup_open, teardown),
                cmocka_unit_test_setup_teardown(test_write_multi, setup_open, teardown),
                cmocka_unit_test_setup_teardown(test_dma_map, setup_open, teardown),
                cmocka_unit_test_setup_teardown(test_dma_unmap_with_descriptor, setup_open, teardown),
                cmocka_unit_test_setup_teardown(test_waits_for_io, setup_open, teardown),
                cmocka_unit_test_setup_teardown(test_set_irqs, setup_open, teardown),
                cmocka_unit_test_setup_teardown(test_reset, setup_open, teardown),
                cmocka_unit_test_setup_teardown(test_slow_reader, setup_open, teardown),
                cmocka_unit_test_setup_teardown(test_hang_up_and_reconnect, setup_open, teardown),
                cmocka_unit_test_setup_teardown(test_hang_up_while_waiting, setup_open, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
