/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The vfio-user server: its connection, messages of all shapes, and how it ends. */
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

#include "util.h"
#include "vfio-user-peer.h"

/* ---- the connection ---- */

static void test_version(void **state) {
        struct peer *c = *state;
        struct vfio_user_version v = {1, 0};
        struct json_object *reply = NULL, *capabilities = NULL, *value = NULL;
        char deep[300];

        memset(deep, '[', sizeof(deep) - 1);
        deep[sizeof(deep) - 1] = 0;
        assert_int_equal(peer_call(c, VFIO_USER_VERSION, &v, sizeof(v)), -EPROTONOSUPPORT);
        assert_int_equal(peer_call(c, VFIO_USER_VERSION, &v, 3), -EINVAL);
        assert_int_equal(peer_call(c, VFIO_USER_VERSION, "\0\0\0\0{}", 6), -EINVAL); /* no NUL */
        assert_int_equal(peer_call(c, VFIO_USER_VERSION, "\0\0\0\0{}\0x", 8), -EINVAL);
        assert_int_equal(peer_version(c, "{"), -EINVAL);
        assert_int_equal(peer_version(c, "[]"), -EINVAL);
        assert_int_equal(peer_version(c, ""), -EINVAL);
        assert_int_equal(peer_version(c, "{} {}"), -EINVAL);
        assert_int_equal(peer_version(c, deep), -EINVAL);
        assert_int_equal(peer_version(c, "{\"capabilities\": 1}"), -EINVAL);
        assert_int_equal(peer_version(c, "{\"capabilities\": {\"max_msg_fds\": \"many\"}}"), -EINVAL);
        assert_int_equal(peer_version(c, "{\"capabilities\": {\"max_dma_maps\": -1}}"), -EINVAL);
        assert_int_equal(peer_version(c, "{\"capabilities\": {\"write_multiple\": 1}}"), -EINVAL);
        assert_false(c->opened);
        assert_int_equal(
                peer_version(c, "{\"capabilities\": {\"max_msg_fds\": 8, \"max_data_xfer_size\": 1048576, \"max_dma_maps\": 100, "
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
        assert_int_equal(peer_version(c, NULL), -EINVAL); /* a second time */
        assert_int_equal(peer_get_info(c), 0);
}

static void test_version_first(void **state) {
        struct peer *c = *state;

        assert_int_equal(peer_get_info(c), -ECONNRESET);
        peer_await_closed(c);
        assert_string_equal(c->reason, "the first message was not VERSION");
        assert_false(c->opened);
}

/* A client that is turned away gets an error reply, and its connection stays for a second so that it can read it. */
static void test_refused(void **state) {
        struct peer *c = *state;

        peer_hang_up(c);
        peer_await_closed(c);
        peer_connect(c, NULL);
        assert_int_equal(peer_version(c, NULL), -EBUSY);
        assert_int_equal(peer_version(c, NULL), -EBUSY);
        assert_false(c->closed);
        peer_await_closed(c);
        assert_string_equal(c->reason, "the vAdapter is in use");
}

static void test_close_when_opened(void **state) {
        struct peer *c = *state;

        c->close_when_opened = true;
        assert_int_equal(peer_version(c, NULL), 0);
        peer_await_closed(c);
        assert_string_equal(c->reason, "test");
}

static void expect_closed_by(struct peer *c, struct vfio_user_header header, const char *reason) {
        peer_send(c, &header, sizeof(header), NULL, 0);
        assert_int_equal(peer_await_reply(c), -ECONNRESET);
        peer_await_closed(c);
        assert_string_equal(c->reason, reason);
        peer_hang_up(c);
        peer_connect(c, c->s.function);
        assert_int_equal(peer_version(c, NULL), 0);
}

static void test_bad_headers(void **state) {
        struct peer *c = *state;
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
        struct peer *c = *state;
        struct vfio_user_header header = {.command = VFIO_USER_REGION_WRITE, .size = 1000};

        peer_send(c, &header, 7, NULL, 0);
        peer_hang_up(c);
        peer_await_closed(c);
        assert_string_equal(c->reason, "the client hung up in the middle of a message");
        peer_connect(c, c->s.function);
        assert_int_equal(peer_version(c, NULL), 0);
        peer_send(c, &header, sizeof(header), &c->memory, 1);
        peer_hang_up(c);
        peer_await_closed(c);
        assert_string_equal(c->reason, "the client hung up in the middle of a message");
}

/* Messages byte by byte, and many at once. */
static void test_fragments(void **state) {
        struct peer *c = *state;
        struct vfio_user_region_access a = {PCI_VENDOR_ID, VFIO_PCI_CONFIG_REGION_INDEX, 4};
        uint8_t message[64], *many = malloc(1000 * 32);
        size_t n = peer_message(c, message, VFIO_USER_REGION_READ, 0, &a, sizeof(a)), length = 0;
        uint32_t id = 0;

        for (size_t i = 0; i < n; i++) {
                peer_send(c, message + i, 1, NULL, 0);
                if (i == 3 || i == n - 2) /* let some of it be received */
                        peer_run_a_while(c);
        }
        assert_int_equal(peer_await_reply(c), 0);
        for (int i = 0; i < 1000; i++)
                length += peer_message(c, many + length, VFIO_USER_REGION_READ, 0, &a, sizeof(a));
        peer_send(c, many, length, NULL, 0);
        for (int i = 0; i < 1000; i++) {
                assert_int_equal(peer_await_reply(c), 0);
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
        struct peer *c = *state;
        uint8_t zeros[64] = {0}, ones[64];

        memset(ones, 0xff, sizeof(ones));
        for (size_t i = 0; i < ARRAY_LENGTH(commands); i++)
                for (size_t length = 0; length <= 64; length++) {
                        if (length < commands[i].min || length > commands[i].max)
                                assert_int_equal(peer_call(c, commands[i].command, zeros, length), -EINVAL);
                        if (length) /* and nonsense of any length */
                                assert_int_not_equal(peer_call(c, commands[i].command, ones, length), -ECONNRESET);
                }
        assert_int_equal(peer_get_info(c), 0);
}

static void test_unknown_commands(void **state) {
        static const unsigned int commands[] = {0, 6, 11, 12, 14, 16, 17, 18, 19, 1000, 65535};
        struct peer *c = *state;

        for (size_t i = 0; i < ARRAY_LENGTH(commands); i++)
                assert_int_equal(peer_call(c, commands[i], "12345678", 8), -ENOTSUP);
        assert_int_equal(peer_get_info(c), 0);
}

/* Read from a pipe whose write end was given away: the end of the file comes when nobody holds it any more. */
static void test_descriptors_where_none_belong(void **state) {
        static const unsigned int commands[] = {VFIO_USER_VERSION,
                                                VFIO_USER_DMA_UNMAP,
                                                VFIO_USER_DEVICE_GET_INFO,
                                                VFIO_USER_DEVICE_SET_IRQS,
                                                VFIO_USER_REGION_READ,
                                                VFIO_USER_DEVICE_RESET,
                                                77};
        struct peer *c = *state;
        uint8_t zeros[24] = {0};
        int pipes[2], fds[2];

        for (size_t i = 0; i < ARRAY_LENGTH(commands); i++) {
                assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
                fds[0] = fds[1] = pipes[1];
                assert_true(peer_call_fds(c, commands[i], zeros, sizeof(zeros), fds, 2) < 0);
                close(pipes[1]);
                peer_expect_dropped(pipes[0]);
        }
        /* two for one window; a pipe for memory; three for two vectors */
        assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
        fds[0] = fds[1] = pipes[1];
        struct vfio_user_dma_map m = {.argsz = sizeof(m), .flags = 3, .address = GUEST, .size = MEMORY};
        assert_int_equal(peer_call_fds(c, VFIO_USER_DMA_MAP, &m, sizeof(m), fds, 2), -EINVAL);
        assert_int_equal(peer_call_fds(c, VFIO_USER_DMA_MAP, &m, sizeof(m), fds, 1), -EINVAL);
        struct vfio_irq_set set = {.argsz = sizeof(set), .index = VFIO_PCI_MSIX_IRQ_INDEX, .count = 3};
        set.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
        assert_int_equal(peer_call_fds(c, VFIO_USER_DEVICE_SET_IRQS, &set, sizeof(set), fds, 2), -EINVAL);
        set.count = 2;
        assert_int_equal(peer_call_fds(c, VFIO_USER_DEVICE_SET_IRQS, &set, sizeof(set), fds, 2), -EINVAL);
        close(pipes[1]);
        peer_expect_dropped(pipes[0]);
        assert_int_equal(peer_get_info(c), 0);
}

static void test_too_many_descriptors(void **state) {
        struct peer *c = *state;
        struct vfio_user_header header = {.command = VFIO_USER_DEVICE_SET_IRQS, .size = 36};
        uint8_t zeros[20] = {0};
        int pipes[2], fds[40];

        assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
        for (size_t i = 0; i < ARRAY_LENGTH(fds); i++)
                fds[i] = pipes[1];
        assert_int_equal(peer_call_fds(c, VFIO_USER_DEVICE_SET_IRQS, zeros, sizeof(zeros), fds, 17), -ECONNRESET);
        peer_await_closed(c);
        peer_hang_up(c);
        peer_connect(c, c->s.function);
        assert_int_equal(peer_version(c, NULL), 0);
        assert_int_equal(peer_call_fds(c, VFIO_USER_DEVICE_SET_IRQS, zeros, sizeof(zeros), fds, 40), -ECONNRESET);
        peer_await_closed(c);
        peer_hang_up(c);
        /* some with the header, some more with the rest */
        peer_connect(c, c->s.function);
        assert_int_equal(peer_version(c, NULL), 0);
        peer_send(c, &header, sizeof(header), fds, 1);
        peer_send(c, zeros, sizeof(zeros), fds, 1);
        assert_int_equal(peer_await_reply(c), -ECONNRESET);
        peer_await_closed(c);
        close(pipes[1]);
        peer_expect_dropped(pipes[0]);
}

/* ---- life and death ---- */

static void test_reset(void **state) {
        struct peer *c = *state;

        assert_int_equal(peer_region_write(c, 0, 0, 7, 4), 0);
        assert_int_equal(peer_call(c, VFIO_USER_DEVICE_RESET, NULL, 0), 0);
        assert_int_equal(peer_read_value(c, 0, 0, 4), 0);
        assert_int_equal(c->s.counters.resets, 1);
}

/* A client that writes and does not read: nothing is lost, nothing grows, and it stops being read. */
static void test_slow_reader(void **state) {
        struct peer *c = *state;
        struct vfio_user_region_access a = {0, 0, SAMPLE_BAR0};
        unsigned int sent = 0, stuck = 0;

        while (stuck < 3) {
                uint8_t message[64];
                size_t n = peer_message(c, message, VFIO_USER_REGION_READ, 0, &a, sizeof(a));

                if (send(c->fd, message, n, MSG_DONTWAIT) == (ssize_t)n) {
                        sent++;
                        stuck = 0;
                        continue;
                }
                c->next_id--;
                peer_run_a_while(c);
                stuck++;
        }
        assert_true(sent > 100);
        for (unsigned int i = 0; i < sent; i++) {
                assert_int_equal(peer_await_reply(c), 0);
                assert_int_equal(c->header.id, (uint16_t)(c->next_id - sent + i));
                assert_int_equal(c->length, sizeof(a) + SAMPLE_BAR0);
        }
        assert_int_equal(peer_get_info(c), 0);
}

/* The client dies with I/O under way: the end comes when that has ended; a new client finds the device as it was, without memory.
 */
static void test_hang_up_and_reconnect(void **state) {
        struct peer *c = *state;

        assert_int_equal(peer_map(c, GUEST, MEMORY, &c->memory), 0);
        assert_int_equal(peer_region_write(c, 0, 0, 7, 4), 0);
        peer_start_io(c, GUEST, MEMORY);
        peer_hang_up(c);
        peer_run_a_while(c);
        assert_false(c->closed);
        assert_true(sample_finish_one(&c->s, 0));
        assert_true(c->closed);
        assert_string_equal(c->reason, "the client hung up");
        /* Who has only looked in has not driven it. */
        peer_connect(c, c->s.function);
        peer_hang_up(c);
        peer_await_closed(c);
        peer_connect(c, c->s.function);
        assert_int_equal(peer_version(c, NULL), 0);
        assert_int_equal(peer_read_value(c, 0, 0, 4), 7);
        assert_int_equal(peer_read_value(c, 0, SAMPLE_POWER_LOST, 4), 1);
        assert_int_equal(peer_read_value(c, VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND, 2), 0);
        peer_start_io(c, GUEST, 512);
        assert_int_equal((int)peer_read_value(c, 0, SAMPLE_RESULT, 8), -EFAULT);
        assert_int_equal(peer_map(c, GUEST, MEMORY, &c->memory), 0);
}

/* It dies while a reply waits for I/O, and new I/O has been started by the model since. */
static void test_hang_up_while_waiting(void **state) {
        struct peer *c = *state;

        assert_int_equal(peer_map(c, GUEST, MEMORY, &c->memory), 0);
        peer_start_io(c, GUEST, 512);
        peer_post(c, VFIO_USER_DEVICE_RESET, 0, NULL, 0, NULL, 0);
        peer_run_a_while(c);
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
                cmocka_unit_test_setup_teardown(test_version, peer_setup, peer_teardown),
                cmocka_unit_test_setup_teardown(test_version_first, peer_setup, peer_teardown),
                cmocka_unit_test_setup_teardown(test_refused, peer_setup, peer_teardown),
                cmocka_unit_test_setup_teardown(test_close_when_opened, peer_setup, peer_teardown),
                cmocka_unit_test_setup_teardown(test_bad_headers, peer_setup_open, peer_teardown),
                cmocka_unit_test_setup_teardown(test_truncated, peer_setup_open, peer_teardown),
                cmocka_unit_test_setup_teardown(test_fragments, peer_setup_open, peer_teardown),
                cmocka_unit_test_setup_teardown(test_wrong_sizes, peer_setup_open, peer_teardown),
                cmocka_unit_test_setup_teardown(test_unknown_commands, peer_setup_open, peer_teardown),
                cmocka_unit_test_setup_teardown(test_descriptors_where_none_belong, peer_setup_open, peer_teardown),
                cmocka_unit_test_setup_teardown(test_too_many_descriptors, peer_setup_open, peer_teardown),
                cmocka_unit_test_setup_teardown(test_reset, peer_setup_open, peer_teardown),
                cmocka_unit_test_setup_teardown(test_slow_reader, peer_setup_open, peer_teardown),
                cmocka_unit_test_setup_teardown(test_hang_up_and_reconnect, peer_setup_open, peer_teardown),
                cmocka_unit_test_setup_teardown(test_hang_up_while_waiting, peer_setup_open, peer_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
