/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hypervisor driver against a peer that says line by line what the test wants, right or wrong. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/host.h"
#include "loop/loop.h"
#include "util.h"

#define MS UINT64_C(1000000)
#define LINES_MAX 16
#define MSIX_TEXT "this QEMU aborts when a device with MSI-X is unplugged"

#define GREETING "{\"QMP\": {\"version\": {}, \"capabilities\": [\"oob\"]}}"
#define ACCEPTED "{\"return\": {}, \"id\": 1}"
#define VERSION_11 "{\"return\": {\"qemu\": {\"micro\": 3, \"minor\": 1, \"major\": 11}, \"package\": \"\"}, \"id\": 2}"
#define BUS_0 "{\"return\": [{\"name\": \"child[7]\", \"type\": \"link<vfio-user-pci>\"}], \"id\": 4}"
#define BUS_1 "{\"return\": [{\"name\": \"realized\", \"type\": \"bool\"}], \"id\": 5}"
#define CHILD_0 "{\"return\": \"/machine/peripheral/va-d\", \"id\": 6}"

static const char peripherals[] =
        "{\"return\": [{\"name\": \"type\", \"type\": \"string\"}, {\"name\": \"iov0\", \"type\": \"child<pcie-root-port>\"}, "
        "{\"name\": \"iov1\", \"type\": \"child<pcie-root-port>\"}, {\"name\": \"va-d\", \"type\": \"child<vfio-user-pci>\"}], "
        "\"id\": 3}";

struct peer {
        struct loop *loop;
        char directory[64], path[108];
        int listener, client;
        struct loop_source *listener_source, *client_source, *end;
        char *lines[LINES_MAX]; /* the first is said at once, each other on a request */
        size_t lengths[LINES_MAX];
        unsigned int n_lines, next;
        char heard[4096]; /* all requests */
        size_t n_heard;
        struct host *host;
};

static void say(struct peer *p) {
        if (p->next >= p->n_lines)
                return;
        /* In two pieces, so that messages are put together again. */
        size_t half = p->lengths[p->next] / 2;
        (void)!send(p->client, p->lines[p->next], half, MSG_NOSIGNAL);
        (void)!send(p->client, p->lines[p->next] + half, p->lengths[p->next] - half, MSG_NOSIGNAL);
        (void)!send(p->client, "\r\n", 2, MSG_NOSIGNAL);
        p->next++;
}

static void on_client(void *userdata, int fd, uint32_t events) {
        struct peer *p = userdata;
        char buffer[1024];
        ssize_t n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);

        if (n <= 0) {
                if (n == 0 || errno != EAGAIN)
                        p->client_source = loop_source_remove(p->client_source);
                return;
        }
        for (ssize_t i = 0; i < n; i++) {
                if (p->n_heard + 1 < sizeof(p->heard))
                        p->heard[p->n_heard++] = buffer[i];
                if (buffer[i] == '\n')
                        say(p);
        }
}

static void on_listener(void *userdata, int fd, uint32_t events) {
        struct peer *p = userdata;
        int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (p->client >= 0) { /* the driver has come again: one scene each */
                close(client);
                return;
        }
        p->client = client;
        assert_int_equal(loop_add_fd(p->loop, client, POLLIN, on_client, p, &p->client_source), 0);
        say(p);
}

static void on_changed(void *userdata) {
        struct peer *p = userdata;

        loop_stop(p->loop, 1);
}

static void on_end(void *userdata) {
        struct peer *p = userdata;

        loop_stop(p->loop, 0);
}

/* Until the driver has something new to tell, or the time is over; true: it has. */
static bool run(struct peer *p, unsigned int ms) {
        loop_timer_set(p->end, ms * MS);
        return loop_run(p->loop) == 1;
}

static void peer_new(struct peer *p, const char *const *lines, unsigned int n) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};

        *p = (struct peer){.client = -1, .n_lines = n};
        for (unsigned int i = 0; i < n; i++) {
                p->lines[i] = strdup(lines[i]);
                p->lengths[i] = strlen(lines[i]);
        }
        snprintf(p->directory, sizeof(p->directory), "/tmp/iov-test-XXXXXX");
        assert_non_null(mkdtemp(p->directory));
        snprintf(p->path, sizeof(p->path), "%s/qmp", p->directory);
        field_set(address.sun_path, sizeof(address.sun_path), p->path);
        p->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_int_equal(bind(p->listener, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(listen(p->listener, 4), 0);
        assert_int_equal(loop_new(&p->loop, 64), 0);
        assert_int_equal(loop_add_fd(p->loop, p->listener, POLLIN, on_listener, p, &p->listener_source), 0);
        assert_int_equal(loop_add_timer(p->loop, UINT64_MAX, on_end, p, &p->end), 0);
        assert_int_equal(host_new(p->loop, p->path, 4, 50 * MS, on_changed, p, &p->host), 0);
}

static void peer_free(struct peer *p) {
        host_free(p->host);
        loop_source_remove(p->client_source);
        loop_source_remove(p->listener_source);
        loop_source_remove(p->end);
        loop_free(p->loop);
        close_fd(&p->client);
        close(p->listener);
        for (unsigned int i = 0; i < p->n_lines; i++)
                free(p->lines[i]);
        unlink(p->path);
        rmdir(p->directory);
}

static const char *const good[] = {GREETING, ACCEPTED, VERSION_11, peripherals, BUS_0, BUS_1, CHILD_0, NULL};
#define GOOD_LINES 7

static struct host_device device_in(unsigned int slot, bool has_msix, bool is_connected) {
        return (struct host_device){
                .slot = slot, .id = "va-x", .socket = "/x", .has_msix = has_msix, .is_connected = is_connected};
}

static void test_inventory(void **state) {
        struct peer p;
        const char *reason = NULL;

        peer_new(&p, good, GOOD_LINES);
        assert_false(host_is_ready(p.host));
        assert_true(host_unplug_kills(p.host)); /* as long as nothing is known */
        assert_true(run(&p, 5000));
        assert_true(host_is_ready(p.host));
        assert_int_equal(host_get_version(p.host), 11 << 16 | 1 << 8 | 3);
        struct host_device d = device_in(0, true, true);
        assert_int_equal(host_plug(p.host, &d, &reason), HOST_DONE);
        assert_int_equal(host_unplug(p.host, &d, &reason), HOST_FAILED);
        assert_non_null(strstr(reason, MSIX_TEXT));
        d = device_in(2, false, false);
        assert_int_equal(host_plug(p.host, &d, &reason), HOST_FAILED);
        assert_non_null(strstr(reason, "no root port iov2"));
        assert_int_equal(host_unplug(p.host, &d, &reason), HOST_DONE);
        d = device_in(99, false, false);
        assert_int_equal(host_plug(p.host, &d, &reason), HOST_AWAY);
        assert_null(strstr(p.heard, "device_"));
        peer_free(&p);
}

static void test_plug_and_unplug(void **state) {
        const char *lines[] = {GREETING,
                               ACCEPTED,
                               VERSION_11,
                               peripherals,
                               BUS_0,
                               BUS_1,
                               CHILD_0,
                               "{\"return\": {}, \"id\": 7}",
                               "{\"event\": \"RTC_CHANGE\", \"data\": {\"offset\": 1}}\r\n{\"return\": {}, \"id\": 8}",
                               "{\"error\": {\"class\": \"DeviceNotFound\", \"desc\": \"gone\"}, \"id\": 9}"};
        struct host_device d = device_in(1, false, false);
        const char *reason = NULL;
        struct peer p;

        peer_new(&p, lines, ARRAY_LENGTH(lines));
        assert_true(run(&p, 5000));
        assert_int_equal(host_plug(p.host, &d, &reason), HOST_BUSY);
        assert_true(host_is_plugging(p.host, 1));
        assert_int_equal(host_plug(p.host, &d, &reason), HOST_BUSY);
        assert_true(run(&p, 5000));
        assert_false(host_is_plugging(p.host, 1));
        assert_non_null(strstr(p.heard, "\"bus\":\"iov1\""));
        d.is_connected = true;
        assert_int_equal(host_plug(p.host, &d, &reason), HOST_DONE);
        /* The guest does not let go within its time; then, asked again, it has done so long since. */
        assert_int_equal(host_unplug(p.host, &d, &reason), HOST_BUSY);
        assert_true(run(&p, 5000));
        assert_int_equal(host_unplug(p.host, &d, &reason), HOST_FAILED);
        assert_non_null(strstr(reason, "has not let go"));
        host_retry(p.host, 1);
        assert_int_equal(host_unplug(p.host, &d, &reason), HOST_BUSY);
        assert_true(run(&p, 5000));
        assert_int_equal(host_unplug(p.host, &d, &reason), HOST_DONE);
        peer_free(&p);
}

/* Line `line` of the good scene is another, and the driver says `reason`. */
static void expect_away(unsigned int line, const char *text, const char *reason) {
        const char *lines[GOOD_LINES];
        struct peer p;

        memcpy(lines, good, sizeof(lines));
        lines[line] = text;
        peer_new(&p, lines, GOOD_LINES);
        assert_true(run(&p, 5000));
        assert_false(host_is_ready(p.host));
        if (!strstr(host_get_reason(p.host), reason))
                fail_msg("wanted '%s', got '%s'", reason, host_get_reason(p.host));
        peer_free(&p);
}

static void test_not_qmp(void **state) {
        expect_away(0, "SSH-2.0-OpenSSH_9.2", "does not speak JSON");
        expect_away(0, "null", "does not speak JSON");
        expect_away(0, "[1]", "does not speak QMP");
        expect_away(0, "{}", "does not greet");
        expect_away(0, "{\"QMP\": 1}", "does not greet");
        expect_away(0, "{\"QMP\": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "does not speak JSON");
        expect_away(1, "{\"error\": {\"class\": \"E\", \"desc\": \"d\"}, \"id\": 1}", "refuses to take commands");
        expect_away(1, "{\"error\": 1, \"id\": 1}", "does not speak QMP");
        expect_away(1, "{\"id\": 1}", "does not speak QMP");
        expect_away(1, "{\"return\": {}}", "not asked");
        expect_away(2, "{\"return\": {}, \"id\": \"2\"}", "not asked");
        expect_away(2, "{\"return\": {}, \"id\": 3}", "not asked");
        expect_away(2, "{\"event\": {}}", "does not speak QMP");
        expect_away(3, "{\"return\": {}, \"id\": 3}", "no QEMU");
        expect_away(3, "{\"error\": {}, \"id\": 3}", "no QEMU");
}

/* What is odd and harmless: the driver is ready, and there are no ports. */
static void test_odd_inventory(void **state) {
        const char *lines[] = {
                GREETING, ACCEPTED, "{\"return\": {\"qemu\": {\"major\": -1, \"minor\": \"x\", \"micro\": 1e99}}, \"id\": 2}",
                "{\"return\": [7, null, {}, {\"name\": \"iov00\", \"type\": \"child<a>\"}, {\"name\": \"iov4\", \"type\": "
                "\"child<a>\"}, {\"name\": \"iov-1\", \"type\": \"child<a>\"}, {\"name\": \"iov18446744073709551616\", "
                "\"type\": \"child<a>\"}, {\"name\": \"iov0\", \"type\": \"link<a>\"}, {\"name\": 1, \"type\": 2}], \"id\": 3}"};
        struct host_device d = device_in(0, false, false);
        const char *reason = NULL;
        struct peer p;

        peer_new(&p, lines, ARRAY_LENGTH(lines));
        assert_true(run(&p, 5000));
        assert_true(host_is_ready(p.host));
        assert_int_equal(host_get_version(p.host), 0);
        assert_true(host_unplug_kills(p.host));
        assert_int_equal(host_plug(p.host, &d, &reason), HOST_FAILED);
        peer_free(&p);
}

static uint32_t next_random(uint32_t *seed) {
        *seed = *seed * 1664525 + 1013904223;
        return *seed >> 8;
}

/* The good scene with a few wrong bytes: whatever comes of it, the driver lives and its answers are its own. */
static void test_damaged(void **state) {
        for (uint32_t round = 1; round <= 150; round++) {
                uint32_t seed = round;
                const char *reason = "";
                struct peer p;

                peer_new(&p, good, GOOD_LINES);
                for (unsigned int i = 0; i <= round % 4; i++) {
                        unsigned int line = next_random(&seed) % GOOD_LINES;

                        p.lines[line][next_random(&seed) % p.lengths[line]] = (char)next_random(&seed);
                }
                run(&p, 20);
                for (unsigned int slot = 0; slot < 5; slot++) {
                        struct host_device d = device_in(slot, false, slot & 1);

                        assert_in_range(host_plug(p.host, &d, &reason), HOST_AWAY, HOST_FAILED);
                        assert_in_range(host_unplug(p.host, &d, &reason), HOST_AWAY, HOST_FAILED);
                }
                assert_true(strlen(reason) < 256 && strlen(host_get_reason(p.host)) < 256);
                peer_free(&p);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_inventory),     cmocka_unit_test(test_plug_and_unplug), cmocka_unit_test(test_not_qmp),
                cmocka_unit_test(test_odd_inventory), cmocka_unit_test(test_damaged),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
