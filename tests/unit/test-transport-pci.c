/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pci: over a sysfs of our own: what is found, what is turned away, and how registers are reached. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "transport/appliance.h"
#include "util.h"

#define SHORT_MS 50

struct fixture {
        char sysfs[64];
        char why[TRANSPORT_WHY_SIZE];
        struct transport *transport;
};

static void put_file(const struct fixture *x, const char *address, const char *name, const void *content, size_t length,
                     uint64_t size) {
        char path[256];

        snprintf(path, sizeof(path), "%s/devices/%s/%s", x->sysfs, address, name);
        int fd = open(path, O_CREAT | O_TRUNC | O_RDWR, 0600);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, content, length), (ssize_t)length);
        assert_int_equal(ftruncate(fd, (off_t)size), 0);
        close(fd);
}

static void put_text(const struct fixture *x, const char *address, const char *name, const char *text) {
        put_file(x, address, name, text, strlen(text), strlen(text));
}

static unsigned char *map_file(const struct fixture *x, const char *address, const char *name, size_t size) {
        char path[256];

        snprintf(path, sizeof(path), "%s/devices/%s/%s", x->sysfs, address, name);
        int fd = open(path, O_RDWR | O_CLOEXEC);
        assert_true(fd >= 0);
        unsigned char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        assert_ptr_not_equal(p, MAP_FAILED);
        close(fd);
        return p;
}

/* A function with BARs of these sizes; `command` is its Command register. */
static void add_function(const struct fixture *x, const char *address, unsigned int device_id, uint64_t bar0, uint64_t bar2,
                         unsigned char command) {
        unsigned char config[64] = {[4] = command};
        char path[256], resource[1024] = "", id[16];
        size_t n = 0;

        snprintf(path, sizeof(path), "%s/devices/%s", x->sysfs, address);
        assert_int_equal(mkdir(path, 0700), 0);
        for (unsigned int i = 0; i < 7; i++) {
                uint64_t size = i == 0 ? bar0 : i == 2 ? bar2 : 0, start = size ? UINT64_C(0x800000000) * (i + 1) : 0;

                n += (size_t)snprintf(resource + n, sizeof(resource) - n, "0x%016llx 0x%016llx 0x%016x\n",
                                      (unsigned long long)start, (unsigned long long)(size ? start + size - 1 : 0),
                                      size ? 0x140204u : 0);
        }
        put_text(x, address, "resource", resource);
        put_text(x, address, "vendor", "0x1af4\n");
        snprintf(id, sizeof(id), "0x%04x\n", device_id);
        put_text(x, address, "device", id);
        put_text(x, address, "class", "0x088000\n");
        put_text(x, address, "irq", "0\n");
        put_text(x, address, "enable", "0\n");
        put_file(x, address, "config", config, sizeof(config), sizeof(config));
        put_file(x, address, "resource0", "", 0, bar0);
        put_file(x, address, "resource2", "", 0, bar2);
        if (bar0 >= IOV_BAR0_SIZE) {
                unsigned char *p = map_file(x, address, "resource0", IOV_BAR0_SIZE);
                *(uint32_t *)(void *)(p + IOV_REG_MAGIC) = IOV_MAGIC;
                munmap(p, IOV_BAR0_SIZE);
        }
}

static int setup(void **state) {
        struct fixture *x = calloc(1, sizeof(*x));
        char path[128];

        *state = x;
        if (!x)
                return -1;
        snprintf(x->sysfs, sizeof(x->sysfs), "/tmp/iov-pci-XXXXXX");
        if (!mkdtemp(x->sysfs))
                return -1;
        snprintf(path, sizeof(path), "%s/devices", x->sysfs);
        return mkdir(path, 0700);
}

static int teardown(void **state) {
        struct fixture *x = *state;
        char command[128];

        if (x->transport)
                x->transport->ops->close(x->transport);
        snprintf(command, sizeof(command), "rm -rf %s", x->sysfs);
        free(x);
        return system(command);
}

static int open_at(struct fixture *x, const char *address) {
        if (x->transport)
                x->transport->ops->close(x->transport);
        x->transport = NULL;
        *x->why = 0;
        return transport_pci_open(x->sysfs, address, SHORT_MS, x->why, &x->transport);
}

static void test_finding(void **state) {
        struct fixture *x = *state;

        assert_int_equal(open_at(x, ""), -ENODEV);
        assert_non_null(strstr(x->why, "no management function"));
        add_function(x, "0000:00:02.0", 0x10f1, IOV_BAR0_SIZE, IOV_BAR2_SIZE, 2);
        assert_int_equal(open_at(x, ""), -ENODEV);
        assert_int_equal(open_at(x, "0000:00:02.0"), -EPROTO);
        assert_non_null(strstr(x->why, "device 0x10f1"));
        add_function(x, "0000:05:00.0", IOV_MGMT_DEVICE_ID, IOV_BAR0_SIZE, IOV_BAR2_SIZE, 2);
        assert_int_equal(open_at(x, ""), 0);
        assert_int_equal(open_at(x, "05:00.0"), 0);
        assert_int_equal(open_at(x, "0000:05:00.0"), 0);
        assert_int_equal(open_at(x, "0001:05:00.0"), -ENODEV);
        assert_int_equal(open_at(x, "05:00.1"), -ENODEV);
        add_function(x, "0001:00:1f.7", IOV_MGMT_DEVICE_ID, IOV_BAR0_SIZE, IOV_BAR2_SIZE, 2);
        assert_int_equal(open_at(x, ""), -EINVAL);
        assert_non_null(strstr(x->why, "2 management functions"));
        assert_int_equal(open_at(x, "1:0:1f.7"), 0);
}

static void test_malformed_addresses(void **state) {
        static const char *const addresses[] = {"05",      "05:00", "zz:00.0",  "05:00.9",
                                                "05:20.0", "*:*.*", "05:00.0 ", "0000:05:00.0:0000:05:00.0:0000:05:00.0:0"};
        struct fixture *x = *state;

        add_function(x, "0000:05:00.0", IOV_MGMT_DEVICE_ID, IOV_BAR0_SIZE, IOV_BAR2_SIZE, 2);
        for (size_t i = 0; i < ARRAY_LENGTH(addresses); i++)
                assert_int_equal(open_at(x, addresses[i]), -EINVAL);
        snprintf(x->sysfs + strlen(x->sysfs), 2, "x");
        assert_int_equal(open_at(x, ""), -ENODEV);
        x->sysfs[strlen(x->sysfs) - 1] = 0;
}

static void test_functions_of_no_use(void **state) {
        struct fixture *x = *state;

        add_function(x, "0000:01:00.0", IOV_MGMT_DEVICE_ID, 4096, IOV_BAR2_SIZE, 2);
        assert_int_equal(open_at(x, "01:00.0"), -EPROTO);
        add_function(x, "0000:02:00.0", IOV_MGMT_DEVICE_ID, IOV_BAR0_SIZE, 0, 2);
        assert_int_equal(open_at(x, "02:00.0"), -EPROTO);
        add_function(x, "0000:03:00.0", IOV_MGMT_DEVICE_ID, IOV_BAR0_SIZE, IOV_BAR2_SIZE, 2);
        put_file(x, "0000:03:00.0", "resource0", "", 0, 4096); /* shorter than it says */
        assert_int_equal(open_at(x, "03:00.0"), -EPROTO);
        add_function(x, "0000:04:00.0", IOV_MGMT_DEVICE_ID, IOV_BAR0_SIZE, IOV_BAR2_SIZE, 2);
        unsigned char *bar0 = map_file(x, "0000:04:00.0", "resource0", IOV_BAR0_SIZE);
        memset(bar0, 0xff, 64);
        assert_int_equal(open_at(x, "04:00.0"), -ENODEV);
        assert_non_null(strstr(x->why, "does not answer"));
        munmap(bar0, IOV_BAR0_SIZE);
}

static void test_registers(void **state) {
        struct fixture *x = *state;
        unsigned char bytes[21], back[21];
        uint64_t value = 0;
        uint32_t half = 0;

        add_function(x, "0000:05:00.0", IOV_MGMT_DEVICE_ID, IOV_BAR0_SIZE, IOV_BAR2_SIZE, 2);
        unsigned char *bar0 = map_file(x, "0000:05:00.0", "resource0", IOV_BAR0_SIZE);
        unsigned char *bar2 = map_file(x, "0000:05:00.0", "resource2", IOV_BAR2_SIZE);
        assert_int_equal(open_at(x, ""), 0);
        const struct transport_ops *ops = x->transport->ops;
        value = UINT64_C(0x1122334455667788);
        assert_int_equal(ops->write(x->transport, 0, IOV_REG_MB_COMMAND, &value, sizeof(value)), 0);
        assert_memory_equal(bar0 + IOV_REG_MB_COMMAND, &value, sizeof(value));
        value++;
        assert_int_equal(ops->post(x->transport, 0, IOV_REG_MB_COMMAND, &value, sizeof(value)), 0);
        assert_memory_equal(bar0 + IOV_REG_MB_COMMAND, &value, sizeof(value));
        assert_int_equal(ops->read(x->transport, 0, IOV_REG_MB_COMMAND + 4, &half, sizeof(half)), 0);
        assert_int_equal(half, 0x11223344);
        for (unsigned int i = 0; i < sizeof(bytes); i++)
                bytes[i] = (unsigned char)(i + 1);
        for (unsigned int start = 0; start < 8; start++) {
                assert_int_equal(ops->write(x->transport, 0, IOV_REG_MB_PAYLOAD + start, bytes, sizeof(bytes)), 0);
                assert_memory_equal(bar0 + IOV_REG_MB_PAYLOAD + start, bytes, sizeof(bytes));
                assert_int_equal(ops->read(x->transport, 0, IOV_REG_MB_PAYLOAD + start, back, sizeof(back)), 0);
                assert_memory_equal(back, bytes, sizeof(bytes));
        }
        const void *tables = NULL;
        memcpy(bar2 + IOV_BAR2_SIZE - 8, bytes, 8);
        assert_int_equal(ops->read(x->transport, 2, IOV_BAR2_SIZE - 8, back, 8), 0);
        assert_memory_equal(back, bytes, 8);
        assert_int_equal(ops->map(x->transport, &tables), 0);
        assert_memory_equal((const char *)tables + IOV_BAR2_SIZE - 8, bytes, 8);
        assert_int_equal(ops->write(x->transport, 2, 0, bytes, 8), -EPERM);
        munmap(bar0, IOV_BAR0_SIZE);
        munmap(bar2, IOV_BAR2_SIZE);
}

static void test_a_function_that_goes_away(void **state) {
        struct fixture *x = *state;
        uint64_t value = 0;

        add_function(x, "0000:05:00.0", IOV_MGMT_DEVICE_ID, IOV_BAR0_SIZE, IOV_BAR2_SIZE, 2);
        unsigned char *bar0 = map_file(x, "0000:05:00.0", "resource0", IOV_BAR0_SIZE);
        assert_int_equal(open_at(x, ""), 0);
        /* All ones in one register are a value. */
        memset(bar0 + IOV_REG_GENERATION, 0xff, 8);
        assert_int_equal(x->transport->ops->read(x->transport, 0, IOV_REG_GENERATION, &value, sizeof(value)), 0);
        assert_true(value == UINT64_MAX);
        assert_null(x->transport->ops->problem(x->transport));
        assert_int_equal(x->transport->ops->wait(x->transport, 1), 0);
        memset(bar0, 0xff, IOV_BAR0_SIZE);
        assert_int_equal(x->transport->ops->read(x->transport, 0, IOV_REG_GENERATION, &value, sizeof(value)), -ENODEV);
        assert_int_equal(x->transport->ops->wait(x->transport, 1), -ENODEV);
        assert_non_null(strstr(x->transport->ops->problem(x->transport), "does not answer"));
        munmap(bar0, IOV_BAR0_SIZE);
}

static void test_one_at_a_time(void **state) {
        struct fixture *x = *state;
        struct transport *other = NULL;

        add_function(x, "0000:05:00.0", IOV_MGMT_DEVICE_ID, IOV_BAR0_SIZE, IOV_BAR2_SIZE, 2);
        assert_int_equal(open_at(x, ""), 0);
        assert_int_equal(transport_pci_open(x->sysfs, "", SHORT_MS, x->why, &other), -EBUSY);
        assert_non_null(strstr(x->why, "another tool"));
        x->transport->ops->close(x->transport);
        x->transport = NULL;
        assert_int_equal(open_at(x, ""), 0);
}

static void test_memory_is_enabled(void **state) {
        struct fixture *x = *state;
        char text[4] = "";

        add_function(x, "0000:05:00.0", IOV_MGMT_DEVICE_ID, IOV_BAR0_SIZE, IOV_BAR2_SIZE, 0);
        assert_int_equal(open_at(x, ""), 0);
        unsigned char *p = map_file(x, "0000:05:00.0", "enable", 1);
        text[0] = (char)p[0];
        assert_string_equal(text, "1");
        munmap(p, 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_finding, setup, teardown),
                cmocka_unit_test_setup_teardown(test_malformed_addresses, setup, teardown),
                cmocka_unit_test_setup_teardown(test_functions_of_no_use, setup, teardown),
                cmocka_unit_test_setup_teardown(test_registers, setup, teardown),
                cmocka_unit_test_setup_teardown(test_a_function_that_goes_away, setup, teardown),
                cmocka_unit_test_setup_teardown(test_one_at_a_time, setup, teardown),
                cmocka_unit_test_setup_teardown(test_memory_is_enabled, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
