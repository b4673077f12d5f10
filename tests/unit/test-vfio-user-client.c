/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The vfio-user client against a server that tells the truth, and against one that lies. */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "fake-appliance.h"
#include "transport/vfio-user-client.h"
#include "util.h"

#define PATIENT_MS 20000 /* never runs out where a test does not mean it to */
#define SHORT_MS 100

static unsigned int open_fds(void) {
        DIR *d = opendir("/proc/self/fd");
        unsigned int n = 0;

        assert_non_null(d);
        while (readdir(d))
                n++;
        closedir(d);
        return n;
}

static struct vfio_user_client *connect_to(struct fake *f, int timeout_ms) {
        struct vfio_user_client *c = NULL;
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        fake_start(f, fds[1]);
        assert_int_equal(vfio_user_client_new(fds[0], timeout_ms, &c), 0);
        return c;
}

static void disconnect(struct fake *f, struct vfio_user_client *c) {
        vfio_user_client_free(c);
        fake_join(f);
        fake_free(f);
}

static void test_truth(void **state) {
        struct vfio_user_region region = {0};
        unsigned int regions = 0, irqs = 0;
        struct fake f;
        unsigned char data[16];

        fake_init(&f);
        f.map = f.sealed = true;
        f.capabilities = "{\"capabilities\":{\"max_msg_fds\":1}}";
        struct vfio_user_client *c = connect_to(&f, PATIENT_MS);
        assert_int_equal(vfio_user_client_version(c), 0);
        assert_int_equal(vfio_user_client_device_info(c, &regions, &irqs), 0);
        assert_int_equal(regions, 9);
        assert_int_equal(irqs, 5);
        assert_int_equal(vfio_user_client_region_info(c, 0, &region), 0);
        assert_int_equal(region.size, IOV_BAR0_SIZE);
        assert_int_equal(region.fd, -1);
        assert_int_equal(vfio_user_client_region_info(c, 2, &region), 0);
        assert_int_equal(region.size, IOV_BAR2_SIZE);
        assert_int_equal(region.map_size, IOV_BAR2_SIZE);
        assert_true(region.fd >= 0);
        close(region.fd);
        assert_int_equal(vfio_user_client_write(c, 0, IOV_REG_MB_PAYLOAD, "0123456789abcdef", 16, false), 0);
        assert_int_equal(vfio_user_client_write(c, 0, IOV_REG_MB_PAYLOAD, "X", 1, true), 0);
        assert_int_equal(vfio_user_client_read(c, 0, IOV_REG_MB_PAYLOAD, data, 16), 0);
        assert_memory_equal(data, "X123456789abcdef", 16);
        assert_null(vfio_user_client_problem(c));
        disconnect(&f, c);
}

/* What is larger than the server takes goes in pieces, with nothing lost between them. */
static void test_pieces(void **state) {
        static const struct {
                const char *capabilities;
                unsigned int messages;
        } cases[] = {
                {"{\"capabilities\":{\"max_data_xfer_size\": 4096}}", 25},
                {"{\"capabilities\":{\"max_data_xfer_size\":1048576}}", 2},
                {"{\"capabilities\":{\"max_data_xfer_size\":0}}", 2},
                {"{\"capabilities\":{\"max_data_xfer_size\":-4096}}", 2},
                {"{\"capabilities\":{\"max_data_xfer_size\" 4096}}", 2},
                {"{\"max_data_xfer_size", 2},
                {"", 2},
                {NULL, 2},
        };
        static unsigned char out[100000], in[100000];

        for (size_t i = 0; i < sizeof(out); i++)
                out[i] = (unsigned char)(i * 7 + i / 251);
        for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
                struct fake f;

                fake_init(&f);
                f.capabilities = cases[i].capabilities;
                struct vfio_user_client *c = connect_to(&f, PATIENT_MS);
                assert_int_equal(vfio_user_client_version(c), 0);
                assert_int_equal(vfio_user_client_write(c, 2, 8192, out, sizeof(out), false), 0);
                memset(in, 0, sizeof(in));
                assert_int_equal(vfio_user_client_read(c, 2, 8192, in, sizeof(in)), 0);
                assert_memory_equal(in, out, sizeof(out));
                assert_int_equal(f.n_writes, cases[i].messages);
                assert_int_equal(f.n_reads, cases[i].messages);
                disconnect(&f, c);
        }
}

static int do_version(struct vfio_user_client *c) {
        return vfio_user_client_version(c);
}
static int do_info(struct vfio_user_client *c) {
        unsigned int regions, irqs;

        return vfio_user_client_device_info(c, &regions, &irqs);
}
static int do_region(struct vfio_user_client *c) {
        struct vfio_user_region region;
        int r = vfio_user_client_region_info(c, 0, &region);

        if (r >= 0)
                close_fd(&region.fd);
        return r;
}
static int do_read(struct vfio_user_client *c) {
        uint64_t value;

        return vfio_user_client_read(c, 0, 0, &value, sizeof(value));
}
static int do_write(struct vfio_user_client *c) {
        return vfio_user_client_write(c, 0, IOV_REG_MB_PAYLOAD, "01234567", 8, false);
}

static const struct {
        unsigned int command;
        int (*run)(struct vfio_user_client *c);
        bool echo; /* the first bytes of the reply are checked, all of them sooner or later */
} requests[] = {
        {VFIO_USER_VERSION, do_version, true},
        {VFIO_USER_DEVICE_GET_INFO, do_info, true},
        {VFIO_USER_DEVICE_GET_REGION_INFO, do_region, true},
        {VFIO_USER_REGION_READ, do_read, true},
        {VFIO_USER_REGION_WRITE, do_write, true},
};

/* After a lie the connection is of no use: the same error at once, without another message. */
static void check_lie(size_t request, enum fake_lie lie, int expected) {
        struct fake f;

        fake_init(&f);
        f.lie = lie;
        f.lie_command = requests[request].command;
        struct vfio_user_client *c =
                connect_to(&f, lie == FAKE_HANG || lie == FAKE_HANG_HALFWAY || lie == FAKE_DRIP ? SHORT_MS : PATIENT_MS);
        assert_int_equal(requests[request].run(c), expected);
        assert_non_null(vfio_user_client_problem(c));
        assert_int_equal(do_read(c), expected);
        vfio_user_client_free(c);
        fake_join(&f);
        assert_int_equal(f.n_messages, 1);
        fake_free(&f);
}

static void test_lies(void **state) {
        static const struct {
                enum fake_lie lie;
                int expected;
        } lies[] = {
                {FAKE_WRONG_ID, -EPROTO},    {FAKE_WRONG_COMMAND, -EPROTO},
                {FAKE_NOT_A_REPLY, -EPROTO}, {FAKE_HUGE, -EPROTO},
                {FAKE_TINY, -EPROTO},        {FAKE_WRONG_ECHO, -EPROTO},
                {FAKE_CLOSE, -ECONNRESET},   {FAKE_CLOSE_HALFWAY, -ECONNRESET},
                {FAKE_HANG, -ETIMEDOUT},     {FAKE_HANG_HALFWAY, -ETIMEDOUT},
                {FAKE_DRIP, -ETIMEDOUT},     {FAKE_TOO_SHORT, -EPROTO},
                {FAKE_TOO_LONG, -EPROTO},
        };
        unsigned int before = open_fds();

        for (size_t r = 0; r < ARRAY_LENGTH(requests); r++)
                for (size_t l = 0; l < ARRAY_LENGTH(lies); l++) {
                        bool has_room = requests[r].command == VFIO_USER_VERSION ||
                                        requests[r].command == VFIO_USER_DEVICE_GET_REGION_INFO;

                        /* A byte more or less is within the rules where the length of the reply is open. */
                        if (has_room && lies[l].lie == FAKE_TOO_LONG)
                                continue;
                        check_lie(r, lies[l].lie, lies[l].expected);
                }
        assert_int_equal(open_fds(), before);
}

/* A second reply in the same breath, or an unasked one later: the next request must not take it for its own. */
static void test_unasked_reply(void **state) {
        for (size_t r = 0; r < ARRAY_LENGTH(requests); r++) {
                struct fake f;

                fake_init(&f);
                f.lie = FAKE_TWICE;
                f.lie_command = requests[r].command;
                struct vfio_user_client *c = connect_to(&f, PATIENT_MS);
                bool noticed = false;
                for (int turn = 0; turn < 2; turn++)
                        noticed |= requests[r].run(c) == -EPROTO;
                assert_true(noticed);
                assert_non_null(vfio_user_client_problem(c));
                disconnect(&f, c);
        }
}

static void test_error_replies(void **state) {
        for (size_t r = 0; r < ARRAY_LENGTH(requests); r++) {
                struct fake f;

                fake_init(&f);
                f.lie = FAKE_ERROR;
                f.lie_command = requests[r].command;
                struct vfio_user_client *c = connect_to(&f, PATIENT_MS);
                assert_int_equal(requests[r].run(c), -ENOSPC);
                assert_null(vfio_user_client_problem(c));
                assert_int_equal(requests[r].run(c), 0); /* the stream is still in step */
                disconnect(&f, c);
        }
        struct fake f;

        fake_init(&f);
        f.lie = FAKE_ERROR_ZERO;
        f.lie_command = VFIO_USER_REGION_READ;
        struct vfio_user_client *c = connect_to(&f, PATIENT_MS);
        assert_int_equal(do_read(c), -EIO);
        disconnect(&f, c);
}

static void test_unasked_fds(void **state) {
        unsigned int before = open_fds();

        for (size_t r = 0; r < ARRAY_LENGTH(requests); r++) {
                struct fake f;

                fake_init(&f);
                f.lie = FAKE_FDS;
                f.lie_command = requests[r].command;
                struct vfio_user_client *c = connect_to(&f, PATIENT_MS);
                assert_int_equal(requests[r].run(c), 0);
                disconnect(&f, c);
        }
        assert_int_equal(open_fds(), before);
}

static void test_versions(void **state) {
        static const struct {
                uint16_t major, minor;
                int expected;
        } cases[] = {{0, 0, 0}, {1, 0, -EPROTO}, {0, 1, -EPROTO}, {65535, 65535, -EPROTO}};

        for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
                struct fake f;

                fake_init(&f);
                f.major = cases[i].major;
                f.minor = cases[i].minor;
                struct vfio_user_client *c = connect_to(&f, PATIENT_MS);
                assert_int_equal(vfio_user_client_version(c), cases[i].expected);
                disconnect(&f, c);
        }
}

static void test_no_pci_device(void **state) {
        struct fake f;

        fake_init(&f);
        f.device_flags = 0;
        struct vfio_user_client *c = connect_to(&f, PATIENT_MS);
        assert_int_equal(do_info(c), -EPROTO);
        disconnect(&f, c);
}

struct caps {
        struct vfio_info_cap_header header;
        uint32_t nr_areas, reserved;
        struct vfio_region_sparse_mmap_area area;
};

static void test_region_capabilities(void **state) {
        static const struct {
                uint32_t cap_offset;
                struct caps caps;
                size_t size;
                int expected;
                uint64_t map_offset, map_size;
        } cases[] = {
                {32, {{1, 1, 0}, 1, 0, {4096, 8192}}, 32, 0, 4096, 8192},
                {32, {{1, 1, 0}, 1, 0, {0, IOV_BAR2_SIZE}}, 32, 0, 0, IOV_BAR2_SIZE},
                {32, {{99, 1, 0}, 0, 0, {0, 0}}, 32, 0, 0, IOV_BAR2_SIZE},          /* unknown */
                {32, {{1, 1, 0}, 0, 0, {0, 0}}, 32, -EPROTO, 0, 0},                 /* no areas */
                {32, {{1, 1, 0}, 1, 0, {0, IOV_BAR2_SIZE + 1}}, 32, -EPROTO, 0, 0}, /* too large */
                {32, {{1, 1, 0}, 1, 0, {UINT64_MAX, 2}}, 32, -EPROTO, 0, 0},        /* wraps */
                {32, {{1, 1, 0}, 1, 0, {0, 4096}}, 31, -EPROTO, 0, 0},              /* cut off */
                {32, {{99, 1, 32}, 0, 0, {0, 0}}, 32, -EPROTO, 0, 0},               /* a circle */
                {32, {{99, 1, 8}, 0, 0, {0, 0}}, 32, -EPROTO, 0, 0},                /* backwards */
                {32, {{99, 1, 64}, 0, 0, {0, 0}}, 32, -EPROTO, 0, 0},               /* past the end */
                {UINT32_MAX, {{1, 1, 0}, 1, 0, {0, 4096}}, 32, -EPROTO, 0, 0},
                {4, {{1, 1, 0}, 1, 0, {0, 4096}}, 32, -EPROTO, 0, 0}, /* within the info */
        };
        unsigned int before = open_fds();

        for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
                struct vfio_user_region region = {.fd = -1};
                struct fake f;

                fake_init(&f);
                f.map = f.sealed = true;
                memcpy(f.region_caps, &cases[i].caps, sizeof(cases[i].caps));
                f.region_caps_size = cases[i].size;
                f.region_cap_offset = cases[i].cap_offset;
                struct vfio_user_client *c = connect_to(&f, PATIENT_MS);
                assert_int_equal(vfio_user_client_region_info(c, 2, &region), cases[i].expected);
                if (cases[i].expected == 0) {
                        assert_int_equal(region.map_offset, cases[i].map_offset);
                        assert_int_equal(region.map_size, cases[i].map_size);
                }
                close_fd(&region.fd);
                disconnect(&f, c);
        }
        assert_int_equal(open_fds(), before);
}

/* A server that reads nothing: a request that does not fit into the socket's buffers must not wait for ever either. */
static void test_deaf_server(void **state) {
        static unsigned char data[65536];
        struct vfio_user_client *c = NULL;
        int fds[2], r = 0;

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        assert_int_equal(vfio_user_client_new(fds[0], SHORT_MS, &c), 0);
        for (unsigned int i = 0; i < 1000 && r == 0; i++)
                r = vfio_user_client_write(c, 2, 0, data, sizeof(data), true);
        assert_int_equal(r, -ETIMEDOUT);
        vfio_user_client_free(c);
        close(fds[1]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_truth),
                cmocka_unit_test(test_pieces),
                cmocka_unit_test(test_lies),
                cmocka_unit_test(test_unasked_reply),
                cmocka_unit_test(test_error_replies),
                cmocka_unit_test(test_unasked_fds),
                cmocka_unit_test(test_versions),
                cmocka_unit_test(test_no_pci_device),
                cmocka_unit_test(test_region_capabilities),
                cmocka_unit_test(test_deaf_server),
        };

        return cmocka_run_group_tests_name("vfio-user-client", tests, NULL, NULL);
}
