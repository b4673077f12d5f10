/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>

#include "util.h"
#include "yaml-helper.h"

static void test_fixed_order(void **state) {
        struct iov_model *m =
                helper_topology("version: 1\nkind: topology\nname: 'off'\n"
                                "vadapters:\n"
                                "  z: {adapter: ssd0, persona: {serial: 'a\"b\\c'}, namespaces: [{volume: w, nsid: 2}, "
                                "{volume: v, nsid: 1}, {volume: \"1e3\", nsid: 9}], attach: {server: web01, slot: 0}}\n"
                                "  a: {adapter: ssd1}\n"
                                "volumes:\n"
                                "  w: {adapter: ssd0, size: 1024MiB, on_remove: delete}\n"
                                "  \"1e3\": {adapter: ssd0, size: 1048580KiB, on_remove: retain}\n"
                                "servers: {web01: {link: 3}, \"10\": {link: 1}, \"Null\": {link: 0}, nullable: {link: 2}}\n");
        char *text = helper_written(m, iov_topology_write);

        assert_string_equal(text, "version: 1\n"
                                  "kind: topology\n"
                                  "name: \"off\"\n"
                                  "servers:\n"
                                  "  \"10\": {link: 1}\n"
                                  "  \"Null\": {link: 0}\n"
                                  "  nullable: {link: 2}\n"
                                  "  web01: {link: 3}\n"
                                  "volumes:\n"
                                  "  \"1e3\": {adapter: ssd0, size: 1048580KiB, on_remove: retain}\n"
                                  "  w: {adapter: ssd0, size: 1GiB}\n"
                                  "vadapters:\n"
                                  "  a:\n"
                                  "    adapter: ssd1\n"
                                  "  z:\n"
                                  "    adapter: ssd0\n"
                                  "    persona: {serial: \"a\\\"b\\\\c\"}\n"
                                  "    namespaces:\n"
                                  "      - {volume: v}\n"
                                  "      - {volume: w}\n"
                                  "      - {volume: \"1e3\", nsid: 9}\n"
                                  "    attach: {server: web01, slot: 0}\n");
        free(text);
        iov_model_unref(m);
}

static void test_empty(void **state) {
        struct iov_model *m = helper_model();
        char *text = helper_written(m, iov_topology_write);

        assert_string_equal(text, "version: 1\nkind: topology\n");
        free(text);
        iov_model_unref(m);
}

static void test_chassis(void **state) {
        struct iov_model *m = helper_model(), *again = helper_model();
        struct iov_diagnostics *d = helper_diagnostics();

        assert_int_equal(iov_chassis_builtin(m), 0);
        char *text = helper_written(m, iov_chassis_write);
        assert_non_null(strstr(text, "links: 16\nslots: 16\nadapters:\n  hba0: {kind: hba, ports: 2, rate: 8Gbit, model: "));
        assert_non_null(strstr(text, "  ssd1: {kind: ssd, capacity: 1600GiB, model: \"PCIe SSD\"}\n"));
        assert_int_equal(iov_chassis_read(again, "t", text, strlen(text), d), 0);
        helper_assert_same(m, again);
        free(text);
        iov_model_unref(m);
        iov_model_unref(again);
        iov_diagnostics_unref(d);
}

/* A stream that cannot take it is an error, not a short file. */
static void test_full_device(void **state) {
        struct iov_model *m = helper_model();
        FILE *full = fopen("/dev/full", "we");

        assert_non_null(full);
        assert_int_equal(iov_topology_write(m, full), -ENOSPC);
        fclose(full);
        iov_model_unref(m);
}

/* ---- whatever the model, what is written reads back as it ---- */

static void random_name(uint64_t *seed, char name[IOV_NAME_SIZE]) {
        static const char *const awkward[] = {"null",       "True", "yes",   "no",   "on",   "off",    "y",   "N",
                                              "1e3",        "0x10", "0o7",   "10",   "1.5",  "nan",    "inf", "x-1",
                                              "2026-01-02", "a.b-", "1_000", "E1",   "e5",   "0",      "00",  "1-2-3.",
                                              "a--",        "a.",   "FALSE", "Null", "NULL", "9lives", "a_",  "version"};
        static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
        static const char others[] = "abcxyzABCXYZ0123456789._-";
        size_t length = 1 + helper_random(seed) % (helper_random(seed) % 8 ? 6 : IOV_NAME_MAX);

        memset(name, 0, IOV_NAME_SIZE);
        if (helper_random(seed) % 4 == 0) {
                const char *word = awkward[helper_random(seed) % ARRAY_LENGTH(awkward)];

                field_set(name, IOV_NAME_SIZE, word);
                return;
        }
        name[0] = first[helper_random(seed) % (sizeof(first) - 1)];
        for (size_t i = 1; i < length; i++)
                name[i] = others[helper_random(seed) % (sizeof(others) - 1)];
}

static void random_serial(uint64_t *seed, unsigned int number, char serial[24]) {
        static const char others[] = " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~aZ";
        size_t length = helper_random(seed) % 12;

        memset(serial, 0, 24);
        if (helper_random(seed) % 3 == 0)
                return;
        /* Different by its number, which also keeps spaces from its ends. */
        size_t n = (size_t)snprintf(serial, 24, "%c%u", others[1 + helper_random(seed) % (sizeof(others) - 2)], number);
        for (size_t i = 0; i < length && n + 1 < IOV_SERIAL_MAX; i++)
                serial[n++] = others[helper_random(seed) % (sizeof(others) - 1)];
        serial[n] = '#';
}

static void random_servers_and_volumes(uint64_t *seed, struct iov_model *m) {
        unsigned int n = helper_random(seed) % 8;

        for (unsigned int i = 0; i < n; i++) {
                struct iov_server server = {.link = i * 7 + helper_random(seed) % 7};

                random_name(seed, server.name);
                assert_int_equal(iov_model_set(m, IOV_KIND_SERVER, &server), 0);
        }
        n = helper_random(seed) % 20;
        for (unsigned int i = 0; i < n; i++) {
                struct iov_volume volume = {.size = (1 + (uint64_t)helper_random(seed)) << (12 + helper_random(seed) % 20),
                                            .on_remove = helper_random(seed) % 2,
                                            .provisioning = helper_random(seed) % 2,
                                            .block_size = helper_random(seed) % 2};

                random_name(seed, volume.name);
                random_name(seed, volume.adapter);
                assert_int_equal(iov_model_set(m, IOV_KIND_VOLUME, &volume), 0);
        }
}

static void random_vadapters(uint64_t *seed, struct iov_model *m) {
        unsigned int n = helper_random(seed) % 8, number = 0;

        for (unsigned int i = 0; i < n; i++) {
                struct iov_vadapter v = {0};

                random_name(seed, v.name);
                random_name(seed, v.adapter);
                random_serial(seed, i, v.serial);
                if (helper_random(seed) % 2) {
                        random_name(seed, v.server);
                        v.slot = i;
                }
                if (iov_model_get(m, IOV_KIND_VADAPTER, v.name))
                        continue;
                assert_int_equal(iov_model_set(m, IOV_KIND_VADAPTER, &v), 0);
                unsigned int sparse = helper_random(seed) % 3;
                for (uint32_t nsid = 1; nsid <= helper_random(seed) % IOV_NSID_MAX;
                     nsid += 1 + (sparse ? helper_random(seed) % 3 : 0)) {
                        struct iov_namespace ns = {0};

                        assert_int_equal(iov_namespace_init(&ns, v.name, nsid), 0);
                        snprintf(ns.volume, sizeof(ns.volume), "%u", number++);
                        assert_int_equal(iov_model_set(m, IOV_KIND_NAMESPACE, &ns), 0);
                }
        }
}

static void test_round_trip(void **state) {
        for (uint64_t round = 0; round < 500; round++) {
                uint64_t seed = round;
                struct iov_model *m = helper_model();
                char name[IOV_NAME_SIZE] = "";

                if (helper_random(&seed) % 2)
                        random_name(&seed, name);
                assert_int_equal(iov_model_set_name(m, name), 0);
                random_servers_and_volumes(&seed, m);
                random_vadapters(&seed, m);
                char *text = helper_written(m, iov_topology_write);
                struct iov_model *again = helper_topology(text);
                helper_assert_same(m, again);
                char *text_again = helper_written(again, iov_topology_write);
                assert_string_equal(text, text_again);
                free(text);
                free(text_again);
                iov_model_unref(m);
                iov_model_unref(again);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_fixed_order), cmocka_unit_test(test_empty),      cmocka_unit_test(test_chassis),
                cmocka_unit_test(test_full_device), cmocka_unit_test(test_round_trip),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
