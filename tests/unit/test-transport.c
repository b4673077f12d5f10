/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening an appliance, the mailbox, and the tables, against an appliance that tells the truth or not. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <cmocka.h>

#include "fake-appliance.h"
#include "transport/appliance.h"
#include "util.h"
#include "vfio-user/protocol.h"

#define PATIENT_MS 20000
#define SHORT_MS 100

struct fixture {
        char directory[64], address[128];
        struct fake fake;
        struct iov_ctx *ctx;
        struct iov_appliance *appliance;
        char log[4096]; /* everything that was logged, a line each */
};

static void on_log(void *userdata, int level, const char *text) {
        struct fixture *x = userdata;
        size_t length = strlen(x->log);

        snprintf(x->log + length, sizeof(x->log) - length, "%s\n", text);
}

static const char *socket_path(struct fixture *x) {
        return x->address + strlen("unix:");
}

static int listen_at(const char *path) {
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        assert_int_equal(field_set(a.sun_path, sizeof(a.sun_path), path), 0);
        assert_int_equal(bind(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
        assert_int_equal(listen(fd, 1), 0);
        return fd;
}

static int setup(void **state) {
        struct fixture *x = calloc(1, sizeof(*x));
        const char *base = getenv("TMPDIR");

        if (!x)
                return -1;
        snprintf(x->directory, sizeof(x->directory), "%.40s/iov-test-XXXXXX", base && *base ? base : "/tmp");
        if (!mkdtemp(x->directory) || iov_new(&x->ctx) < 0)
                return -1;
        snprintf(x->address, sizeof(x->address), "unix:%s/s", x->directory);
        iov_set_log_fn(x->ctx, on_log, x);
        fake_init(&x->fake);
        unsetenv("IOV_APPLIANCE");
        *state = x;
        return 0;
}

static int teardown(void **state) {
        struct fixture *x = *state;

        unlink(socket_path(x));
        rmdir(x->directory);
        fake_free(&x->fake);
        iov_unref(x->ctx);
        free(x);
        return 0;
}

static void *accept_and_serve(void *userdata) {
        struct fake *f = userdata;
        int fd = accept4(f->fd, NULL, NULL, SOCK_CLOEXEC);

        close(f->fd);
        fake_serve(f, fd);
        close(fd);
        return NULL;
}

/* Open the fake appliance by its socket. Followed by close_fake(), whatever comes of it. */
static int open_fake(struct fixture *x, int timeout_ms) {
        x->fake.fd = listen_at(socket_path(x));
        assert_int_equal(pthread_create(&x->fake.thread, NULL, accept_and_serve, &x->fake), 0);
        return appliance_open(x->ctx, x->address, timeout_ms, &x->appliance);
}

static void close_fake(struct fixture *x) {
        iov_close(x->appliance);
        x->appliance = NULL;
        fake_join(&x->fake);
        unlink(socket_path(x));
}

static void test_open(void **state) {
        struct fixture *x = *state;
        uint32_t v32 = 0;
        uint64_t v64 = 0;

        assert_int_equal(open_fake(x, PATIENT_MS), 0);
        assert_int_equal(iov_read32(x->appliance, 0, IOV_REG_LINKS, &v32), 0);
        assert_int_equal(v32, 16);
        assert_int_equal(iov_write64(x->appliance, 0, IOV_REG_MB_PAYLOAD, UINT64_C(0x1122334455667788)), 0);
        assert_int_equal(iov_read64(x->appliance, 0, IOV_REG_MB_PAYLOAD, &v64), 0);
        assert_true(v64 == UINT64_C(0x1122334455667788));
        /* Misuse never reaches the appliance. */
        unsigned int messages = x->fake.n_messages;
        assert_int_equal(iov_read32(x->appliance, 0, 2, &v32), -EINVAL);
        assert_int_equal(iov_read64(x->appliance, 0, 4, &v64), -EINVAL);
        assert_int_equal(iov_read32(x->appliance, 1, 0, &v32), -EINVAL);
        assert_int_equal(iov_read32(x->appliance, 0, IOV_BAR0_SIZE, &v32), -EINVAL);
        assert_int_equal(iov_write32(x->appliance, 2, UINT64_MAX - 3, 0), -EINVAL);
        assert_int_equal(x->fake.n_messages, messages);
        assert_string_equal(x->log, "");
        close_fake(x);
}

static void test_open_by_environment(void **state) {
        struct fixture *x = *state;

        x->fake.fd = listen_at(socket_path(x));
        assert_int_equal(pthread_create(&x->fake.thread, NULL, accept_and_serve, &x->fake), 0);
        setenv("IOV_APPLIANCE", x->address, 1);
        assert_int_equal(iov_open(x->ctx, NULL, &x->appliance), 0);
        close_fake(x);
}

static void test_nobody_there(void **state) {
        struct fixture *x = *state;
        int fd;

        assert_int_equal(iov_open(x->ctx, x->address, &x->appliance), -ENODEV);
        assert_non_null(strstr(x->log, x->address));
        assert_non_null(strstr(x->log, "start iovd"));
        assert_non_null(strstr(x->log, "-a sim:"));
        fd = listen_at(socket_path(x));
        close(fd); /* the socket file stays, as after a crash */
        x->log[0] = 0;
        assert_int_equal(iov_open(x->ctx, x->address, &x->appliance), -ENODEV);
        assert_non_null(strstr(x->log, "-a sim:"));
        assert_null(x->appliance);
}

static void test_not_permitted(void **state) {
        struct fixture *x = *state;
        int fd = listen_at(socket_path(x));
        bool is_root = geteuid() == 0;

        assert_int_equal(chmod(socket_path(x), 0), 0);
        if (is_root)
                assert_int_equal(seteuid(65534), 0);
        int r = iov_open(x->ctx, x->address, &x->appliance);
        if (is_root)
                assert_int_equal(seteuid(0), 0);
        assert_int_equal(r, -EACCES);
        assert_non_null(strstr(x->log, "may not connect"));
        close(fd);
}

/* A queue that nobody takes from: connect(2) itself would wait. */
static void test_nobody_accepts(void **state) {
        struct fixture *x = *state;
        int fd = listen_at(socket_path(x)), r = 0;
        struct iov_appliance *a = NULL;

        for (unsigned int i = 0; i < 4; i++) {
                r = appliance_open(x->ctx, x->address, SHORT_MS, &a);
                assert_int_equal(r, -ENODEV);
        }
        assert_non_null(strstr(x->log, "no answer in time"));
        close(fd);
}

static void test_bad_addresses(void **state) {
        static const struct {
                const char *address, *words;
                int expected;
        } cases[] = {
                {"tcp:host", "unix:PATH, pci:BDF or sim:DIR", -EINVAL},
                {"/run/iov/mgmt.sock", "unix:PATH, pci:BDF or sim:DIR", -EINVAL},
                {"unix:", "1 to 107 bytes", -EINVAL},
                {"unix:/0123456789012345678901234567890123456789012345678901234567890123456789"
                 "01234567890123456789012345678901234567890123456789",
                 "1 to 107 bytes", -EINVAL},
        };
        struct fixture *x = *state;

        for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
                x->log[0] = 0;
                assert_int_equal(iov_open(x->ctx, cases[i].address, &x->appliance), cases[i].expected);
                assert_non_null(strstr(x->log, cases[i].words));
                assert_memory_equal(x->log, cases[i].address, strlen(cases[i].address));
                assert_null(x->appliance);
        }
}

static void test_other_things(void **state) {
        static const struct {
                uint64_t offset;
                uint32_t value;
                const char *words;
                int expected;
        } cases[] = {
                {IOV_REG_MAGIC, 0x12345678, "not the management function", -EPROTO},
                {IOV_REG_VERSION, (IOV_VERSION_MAJOR + 1) << 16, "register map is version 2", -EPROTO},
                {IOV_REG_VERSION, 0, "register map is version 0", -EPROTO},
                {IOV_REG_MB_CAPS, 7, "impossible size", -EPROTO},
                {IOV_REG_MB_CAPS, 18, "impossible size", -EPROTO}, /* past the end of BAR0 */
                {IOV_REG_MB_CAPS, 31, "impossible size", -EPROTO},
                {IOV_REG_STATUS, 0, "still starting", -ENODEV},
                {IOV_REG_VERSION, IOV_VERSION_MAJOR << 16 | 0xffff, "", 0}, /* minor versions only add */
        };
        struct fixture *x = *state;

        for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
                fake_free(&x->fake);
                fake_init(&x->fake);
                memcpy(x->fake.bar0 + cases[i].offset, &cases[i].value, 4);
                x->log[0] = 0;
                assert_int_equal(open_fake(x, cases[i].offset == IOV_REG_STATUS ? SHORT_MS : PATIENT_MS), cases[i].expected);
                assert_non_null(strstr(x->log, cases[i].words));
                close_fake(x);
        }
        x->fake.n_regions = 2;
        assert_int_equal(open_fake(x, PATIENT_MS), -EPROTO);
        assert_non_null(strstr(x->log, "not the management function"));
        close_fake(x);
}

/* Whatever lies, at whatever step of opening: an error, one line in the log, nothing opened. */
static void test_lies_while_opening(void **state) {
        static const unsigned int commands[] = {VFIO_USER_VERSION, VFIO_USER_DEVICE_GET_INFO, VFIO_USER_DEVICE_GET_REGION_INFO,
                                                VFIO_USER_REGION_READ};
        static const struct {
                enum fake_lie lie;
                int expected;
        } lies[] = {{FAKE_WRONG_ID, -EPROTO}, {FAKE_HUGE, -EPROTO}, {FAKE_ERROR, -ENOSPC}, {FAKE_CLOSE, 0}, {FAKE_HANG, 0}};
        struct fixture *x = *state;

        for (size_t c = 0; c < ARRAY_LENGTH(commands); c++)
                for (size_t l = 0; l < ARRAY_LENGTH(lies); l++) {
                        x->fake.lie = lies[l].lie;
                        x->fake.lie_command = commands[c];
                        x->log[0] = 0;
                        int r = open_fake(x, lies[l].lie == FAKE_HANG ? SHORT_MS : PATIENT_MS);
                        assert_true(r < 0);
                        if (lies[l].expected)
                                assert_int_equal(r, lies[l].expected);
                        assert_null(x->appliance);
                        assert_true(strlen(x->log) > strlen(x->address) + 4);
                        assert_ptr_equal(strchr(x->log, '\n'), x->log + strlen(x->log) - 1);
                        close_fake(x);
                }
}

static void test_somebody_else_connected(void **state) {
        struct fixture *x = *state;
        struct iov_appliance *a = NULL;
        char path[128];

        /* An error reply to VERSION is how a second client is turned away; ENOSPC stands for any reason. */
        x->fake.lie = FAKE_ERROR;
        x->fake.lie_command = VFIO_USER_VERSION;
        assert_int_equal(open_fake(x, PATIENT_MS), -ENOSPC);
        assert_non_null(strstr(x->log, "refuses to talk"));
        close_fake(x);
        snprintf(path, sizeof(path), "unix:%s", x->directory); /* a directory is no socket */
        assert_int_equal(iov_open(x->ctx, path, &a), -ENODEV);
}

/* The connection ends in the middle of the work: told of once. */
static void test_told_once(void **state) {
        struct fixture *x = *state;
        uint32_t value = 7;

        x->fake.lie = FAKE_CLOSE;
        x->fake.lie_command = VFIO_USER_REGION_READ;
        x->fake.lie_at = 4; /* opening reads four registers */
        assert_int_equal(open_fake(x, PATIENT_MS), 0);
        for (unsigned int i = 0; i < 3; i++)
                assert_int_equal(iov_read32(x->appliance, 0, IOV_REG_LINKS, &value), -ECONNRESET);
        assert_int_equal(value, 7);
        assert_non_null(strstr(x->log, "closed the connection"));
        assert_ptr_equal(strchr(x->log, '\n'), x->log + strlen(x->log) - 1);
        close_fake(x);
}

static unsigned int echo(struct fake *f, unsigned int opcode, unsigned char *payload, size_t *length) {
        f->counter = opcode;
        *length = 6;
        memcpy(payload, "reply", 6);
        return IOV_RET_SUCCESS;
}

static void test_command(void **state) {
        struct fixture *x = *state;
        struct iov_mb_error error;
        char reply[16] = "", tail[4] = "abc";
        size_t length = 0;

        x->fake.command = echo;
        x->fake.doorbell_looks = 3;
        assert_int_equal(open_fake(x, PATIENT_MS), 0);
        assert_int_equal(iov_command(x->appliance, IOV_OP_LOG_READ, "12345678", 8, reply, sizeof(reply), &length, &error), 0);
        assert_int_equal(length, 6);
        assert_string_equal(reply, "reply");
        assert_int_equal(x->fake.counter, IOV_OP_LOG_READ);
        /* What there is no room for is dropped. */
        assert_int_equal(iov_command(x->appliance, IOV_OP_IDENTIFY, NULL, 0, tail, 2, &length, NULL), 0);
        assert_int_equal(length, 2);
        assert_string_equal(tail, "rec");
        /* Payload, command, doorbell: three writes each, one less without a payload. */
        assert_int_equal(x->fake.n_writes, 5);
        static unsigned char big[IOV_MB_PAYLOAD_BYTES + 1];
        assert_int_equal(iov_command(x->appliance, IOV_OP_TXN_APPEND, big, IOV_MB_PAYLOAD_BYTES, NULL, 0, NULL, NULL), 0);
        assert_int_equal(x->fake.n_writes, 8); /* the whole payload in one message */
        assert_int_equal(iov_command(x->appliance, IOV_OP_TXN_APPEND, big, sizeof(big), NULL, 0, NULL, &error), -E2BIG);
        assert_int_equal(x->fake.n_writes, 8);
        close_fake(x);
}

static unsigned int refuse(struct fake *f, unsigned int opcode, unsigned char *payload, size_t *length) {
        struct iov_mb_error error = {.op_index = 3, .text = "ssd0: 96GiB asked,\x1b[31m 64GiB free"};

        if (opcode == IOV_OP_TXN_BEGIN) /* without words */
                return IOV_RET_STALE;
        if (opcode == IOV_OP_TXN_APPEND) /* words that do not end */
                memset(error.text, 'x', sizeof(error.text));
        memcpy(payload, &error, sizeof(error));
        *length = sizeof(error);
        return opcode == IOV_OP_IDENTIFY ? 0xffff : IOV_RET_NO_SPACE;
}

static void test_command_refused(void **state) {
        struct fixture *x = *state;
        struct iov_mb_error error = {0};
        struct iov_mb_identify identify;

        x->fake.command = refuse;
        assert_int_equal(open_fake(x, PATIENT_MS), 0);
        assert_int_equal(iov_command(x->appliance, IOV_OP_TXN_COMMIT, NULL, 0, NULL, 0, NULL, &error), -ENOSPC);
        assert_int_equal(error.op_index, 3);
        assert_string_equal(error.text, "ssd0: 96GiB asked,?[31m 64GiB free");
        assert_string_equal(x->log, "");
        assert_int_equal(iov_command(x->appliance, IOV_OP_TXN_BEGIN, NULL, 0, NULL, 0, NULL, &error), -ESTALE);
        assert_true(error.op_index == UINT32_MAX);
        assert_string_equal(error.text, "the appliance has moved on since");
        assert_int_equal(iov_command(x->appliance, IOV_OP_TXN_APPEND, NULL, 0, NULL, 0, NULL, &error), -ENOSPC);
        assert_int_equal(strlen(error.text), sizeof(error.text) - 1);
        /* Nobody asked for the words: they are logged. An unknown return code is an error too. */
        assert_int_equal(iov_identify(x->appliance, &identify), -EIO);
        assert_non_null(strstr(x->log, "64GiB free"));
        close_fake(x);
}

static unsigned int reply_too_long(struct fake *f, unsigned int opcode, unsigned char *payload, size_t *length) {
        *length = IOV_MB_PAYLOAD_BYTES + 1;
        return f->counter;
}

static void test_command_lies(void **state) {
        struct fixture *x = *state;
        struct iov_mb_error error;
        struct iov_mb_identify identify;
        unsigned char config[4096];
        size_t length;
        char *text = NULL;

        x->fake.command = reply_too_long;
        assert_int_equal(open_fake(x, PATIENT_MS), 0);
        assert_int_equal(iov_command(x->appliance, IOV_OP_IDENTIFY, NULL, 0, NULL, 0, NULL, NULL), -EPROTO);
        x->fake.counter = IOV_RET_BUSY;
        assert_int_equal(iov_command(x->appliance, IOV_OP_IDENTIFY, NULL, 0, NULL, 0, NULL, &error), -EPROTO);
        x->fake.command = echo; /* of a wrong length for these */
        assert_int_equal(iov_identify(x->appliance, &identify), -EPROTO);
        assert_int_equal(iov_config_read(x->appliance, "va0", config), -EPROTO);
        assert_int_equal(iov_log_read(x->appliance, &text, &length), -EPROTO);
        assert_null(text);
        char name[IOV_NAME_SIZE + 1];
        memset(name, 'a', IOV_NAME_SIZE);
        name[IOV_NAME_SIZE] = 0;
        assert_int_equal(iov_config_read(x->appliance, name, config), -ENAMETOOLONG);
        close_fake(x);
}

static void test_command_never_done(void **state) {
        struct fixture *x = *state;

        x->fake.command = echo;
        x->fake.doorbell_looks = UINT32_MAX;
        assert_int_equal(open_fake(x, PATIENT_MS), 0);
        x->appliance->command_ms = SHORT_MS;
        assert_int_equal(iov_command(x->appliance, IOV_OP_TXN_COMMIT, NULL, 0, NULL, 0, NULL, NULL), -ETIMEDOUT);
        assert_non_null(strstr(x->log, "is not done after"));
        close_fake(x);
}

static unsigned int identity_and_config(struct fake *f, unsigned int opcode, unsigned char *payload, size_t *length) {
        struct iov_mb_identify identify = {.chassis = "iov\nrack", .version = "0.1.0", .run_dir = "/run/iov", .boot_time_ns = 42};

        if (opcode == IOV_OP_IDENTIFY) {
                memset(identify.version, 'v', sizeof(identify.version));
                memcpy(payload, &identify, *length = sizeof(identify));
                return IOV_RET_SUCCESS;
        }
        if (strcmp((const char *)payload, "web-disk") != 0)
                return IOV_RET_NOT_FOUND;
        memset(payload, 0xa5, *length = 4096);
        return IOV_RET_SUCCESS;
}

static void test_identify_and_config(void **state) {
        struct fixture *x = *state;
        struct iov_mb_identify identify;
        unsigned char config[4096] = {0};

        x->fake.command = identity_and_config;
        assert_int_equal(open_fake(x, PATIENT_MS), 0);
        assert_int_equal(iov_identify(x->appliance, &identify), 0);
        assert_string_equal(identify.chassis, "iov?rack");
        assert_int_equal(strlen(identify.version), sizeof(identify.version) - 1);
        assert_int_equal(identify.boot_time_ns, 42);
        assert_int_equal(iov_config_read(x->appliance, "web-disk", config), 0);
        assert_int_equal(config[4095], 0xa5);
        assert_int_equal(iov_config_read(x->appliance, "nobody", config), -ENOENT);
        close_fake(x);
}

/* A log of which 100 bytes are kept, from offset 1000, handed out 30 at a time; it can lie about the offset. */
static unsigned int log_of_100(struct fake *f, unsigned int opcode, unsigned char *payload, size_t *length) {
        uint64_t offset = 0;

        memcpy(&offset, payload, sizeof(offset));
        if (offset < 1000)
                offset = 1000;
        size_t n = offset >= 1100 ? 0 : 1100 - (size_t)offset;
        n = n > 30 ? 30 : n;
        for (size_t i = 0; i < n; i++)
                payload[sizeof(offset) + i] = (unsigned char)('a' + (offset + i) % 26);
        if (f->counter && offset > 1000)
                offset = f->counter == 1 ? 0 : UINT64_MAX - 1;
        memcpy(payload, &offset, sizeof(offset));
        *length = sizeof(offset) + n;
        return IOV_RET_SUCCESS;
}

static void test_log(void **state) {
        struct fixture *x = *state;
        char *text = NULL;
        size_t length = 0;

        x->fake.command = log_of_100;
        assert_int_equal(open_fake(x, PATIENT_MS), 0);
        assert_int_equal(iov_log_read(x->appliance, &text, &length), 0);
        assert_int_equal(length, 100);
        assert_int_equal(strlen(text), 100);
        for (size_t i = 0; i < length; i++)
                assert_int_equal(text[i], 'a' + (1000 + i) % 26);
        free(text);
        text = NULL;
        for (x->fake.counter = 1; x->fake.counter < 3; x->fake.counter++)
                assert_int_equal(iov_log_read(x->appliance, &text, &length), -EPROTO);
        assert_null(text);
        close_fake(x);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_open, setup, teardown),
                cmocka_unit_test_setup_teardown(test_open_by_environment, setup, teardown),
                cmocka_unit_test_setup_teardown(test_nobody_there, setup, teardown),
                cmocka_unit_test_setup_teardown(test_not_permitted, setup, teardown),
                cmocka_unit_test_setup_teardown(test_nobody_accepts, setup, teardown),
                cmocka_unit_test_setup_teardown(test_bad_addresses, setup, teardown),
                cmocka_unit_test_setup_teardown(test_other_things, setup, teardown),
                cmocka_unit_test_setup_teardown(test_lies_while_opening, setup, teardown),
                cmocka_unit_test_setup_teardown(test_somebody_else_connected, setup, teardown),
                cmocka_unit_test_setup_teardown(test_told_once, setup, teardown),
                cmocka_unit_test_setup_teardown(test_command, setup, teardown),
                cmocka_unit_test_setup_teardown(test_command_refused, setup, teardown),
                cmocka_unit_test_setup_teardown(test_command_lies, setup, teardown),
                cmocka_unit_test_setup_teardown(test_command_never_done, setup, teardown),
                cmocka_unit_test_setup_teardown(test_identify_and_config, setup, teardown),
                cmocka_unit_test_setup_teardown(test_log, setup, teardown),
        };

        return cmocka_run_group_tests_name("transport", tests, NULL, NULL);
}
