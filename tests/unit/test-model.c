/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>

#include "model.h"
#include "pages.h"
#include "util.h"
#include "yaml-helper.h"

static const enum iov_kind objects[] = {IOV_KIND_SERVER, IOV_KIND_ADAPTER, IOV_KIND_VOLUME, IOV_KIND_VADAPTER,
                                        IOV_KIND_NAMESPACE};

static struct iov_server server_of(const char *name, uint32_t link) {
        struct iov_server server = {.link = link};

        assert_int_equal(field_set(server.name, sizeof(server.name), name), 0);
        return server;
}

static void test_set_get_remove(void **state) {
        struct iov_model *m = helper_model();
        struct iov_server a = server_of("a", 1), b = server_of("b", 2);

        assert_null(iov_model_get(m, IOV_KIND_SERVER, "a"));
        assert_int_equal(iov_model_remove(m, IOV_KIND_SERVER, "a"), -ENOENT);
        assert_int_equal(iov_model_set(m, IOV_KIND_SERVER, &a), 0);
        assert_int_equal(iov_model_set(m, IOV_KIND_SERVER, &b), 0);
        a.link = 9;
        assert_int_equal(iov_model_set(m, IOV_KIND_SERVER, &a), 0);
        assert_int_equal(iov_model_count(m, IOV_KIND_SERVER), 2);
        assert_int_equal(((const struct iov_server *)iov_model_get(m, IOV_KIND_SERVER, "a"))->link, 9);
        assert_int_equal(iov_model_remove(m, IOV_KIND_SERVER, "a"), 0);
        assert_null(iov_model_get(m, IOV_KIND_SERVER, "a"));
        assert_non_null(iov_model_get(m, IOV_KIND_SERVER, "b"));
        assert_int_equal(iov_model_remove(m, IOV_KIND_SERVER, "a"), -ENOENT);
        iov_model_unref(m);
}

static void test_bad_records(void **state) {
        struct iov_model *m = helper_model();
        struct iov_server server = {0};
        struct iov_counter counter = {.id = 1};
        struct iov_event event = {.sequence = 1};

        assert_int_equal(iov_model_set(m, IOV_KIND_SERVER, &server), -EINVAL);
        memset(server.name, 'x', sizeof(server.name));
        assert_int_equal(iov_model_set(m, IOV_KIND_SERVER, &server), -EINVAL);
        assert_int_equal(iov_model_set(m, IOV_KIND_COUNTER, &counter), -EINVAL);
        assert_int_equal(iov_model_set(m, IOV_KIND_EVENT, &event), -EINVAL);
        server = server_of("a", 0);
        assert_int_equal(iov_model_set(m, (enum iov_kind)77, &server), -EINVAL);
        assert_int_equal(iov_model_remove(m, (enum iov_kind)77, "a"), -EINVAL);
        assert_int_equal(iov_model_count(m, (enum iov_kind)77), 0);
        assert_null(iov_model_get(m, (enum iov_kind)77, "a"));
        assert_int_equal(iov_model_count(m, IOV_KIND_SERVER), 0);
        iov_model_unref(m);
}

/* Rows are those of BAR2: they stay where they are, and freed ones are used again from the lowest. */
static void test_rows(void **state) {
        struct iov_model *m = helper_model();
        char name[16];

        for (unsigned int i = 0; i < 300; i++) {
                snprintf(name, sizeof(name), "s%u", i);
                struct iov_server server = server_of(name, i);
                assert_int_equal(iov_model_set(m, IOV_KIND_SERVER, &server), 0);
        }
        for (unsigned int i = 0; i < 300; i++) {
                snprintf(name, sizeof(name), "s%u", i);
                assert_int_equal(iov_model_row(m, IOV_KIND_SERVER, iov_model_get(m, IOV_KIND_SERVER, name)), i);
        }
        assert_int_equal(iov_model_remove(m, IOV_KIND_SERVER, "s200"), 0);
        assert_int_equal(iov_model_remove(m, IOV_KIND_SERVER, "s7"), 0);
        assert_null(iov_model_at(m, IOV_KIND_SERVER, 7));
        assert_non_null(iov_model_at(m, IOV_KIND_SERVER, 8));
        assert_null(iov_model_at(m, IOV_KIND_SERVER, 300));
        assert_int_equal(iov_model_rows(m, IOV_KIND_SERVER), 300);
        static const struct {
                const char *name;
                unsigned int row;
        } next[] = {{"x", 7}, {"y", 200}, {"z", 300}};
        for (size_t i = 0; i < ARRAY_LENGTH(next); i++) {
                struct iov_server server = server_of(next[i].name, 0);

                assert_int_equal(iov_model_set(m, IOV_KIND_SERVER, &server), 0);
                assert_string_equal((const char *)iov_model_at(m, IOV_KIND_SERVER, next[i].row), next[i].name);
        }
        iov_model_unref(m);
}

/* Every table takes as many as the register map says, and not one more. */
static void test_limits(void **state) {
        for (size_t k = 0; k < ARRAY_LENGTH(objects); k++) {
                struct iov_model *m = helper_model();
                const struct iov_record_info *info = iov_records_get(objects[k]);
                char *record = calloc(1, info->size);

                assert_non_null(record);
                for (unsigned int i = 0; i < info->max; i++) {
                        snprintf(record, IOV_NAME_SIZE, "o%u", i);
                        assert_int_equal(iov_model_set(m, objects[k], record), 0);
                }
                snprintf(record, IOV_NAME_SIZE, "more");
                assert_int_equal(iov_model_set(m, objects[k], record), -E2BIG);
                assert_null(iov_model_get(m, objects[k], "more"));
                assert_int_equal(iov_model_count(m, objects[k]), info->max);
                assert_int_equal(iov_model_remove(m, objects[k], "o5"), 0);
                assert_int_equal(iov_model_set(m, objects[k], record), 0);
                assert_int_equal(iov_model_row(m, objects[k], iov_model_get(m, objects[k], "more")), 5);
                free(record);
                iov_model_unref(m);
        }
}

/* ---- against a naive model ---- */

#define NAIVE 512
struct naive {
        bool used[NAIVE];
        uint32_t link[NAIVE];
        unsigned int row[NAIVE];
        unsigned int n;
};

/* Short names of few letters, so that hashes collide in runs of the small table. */
static void naive_name(unsigned int i, char name[16]) {
        snprintf(name, 16, "%c%u", 'a' + i % 3, i / 3);
}

static unsigned int lowest_free_row(const struct naive *naive) {
        bool taken[NAIVE + 1] = {false};
        unsigned int row = 0;

        for (unsigned int i = 0; i < NAIVE; i++)
                if (naive->used[i])
                        taken[naive->row[i]] = true;
        while (taken[row])
                row++;
        return row;
}

static void compare(const struct iov_model *m, const struct naive *naive) {
        const struct iov_server *server;
        unsigned int seen = 0;
        char name[16];

        assert_int_equal(iov_model_count(m, IOV_KIND_SERVER), naive->n);
        for (unsigned int i = 0; i < NAIVE; i++) {
                naive_name(i, name);
                server = iov_model_get(m, IOV_KIND_SERVER, name);
                assert_int_equal(server != NULL, naive->used[i]);
                if (!server)
                        continue;
                assert_int_equal(server->link, naive->link[i]);
                assert_int_equal(iov_model_row(m, IOV_KIND_SERVER, server), naive->row[i]);
                assert_ptr_equal(iov_model_at(m, IOV_KIND_SERVER, naive->row[i]), server);
        }
        iov_model_foreach (m, IOV_KIND_SERVER, server)
                seen++;
        assert_int_equal(seen, naive->n);
}

static void test_against_naive(void **state) {
        for (uint64_t round = 0; round < 40; round++) {
                uint64_t seed = round;
                struct iov_model *m = helper_model();
                struct naive naive = {.n = 0};
                /* Tight sets of names fill and empty the same buckets again and again. */
                unsigned int names = round % 4 == 0 ? 20 : round % 4 == 1 ? 100 : NAIVE;

                for (unsigned int step = 0; step < 3000; step++) {
                        unsigned int i = helper_random(&seed) % names;
                        char name[16];

                        naive_name(i, name);
                        if (helper_random(&seed) % 2) {
                                struct iov_server server = server_of(name, step);

                                if (!naive.used[i]) {
                                        naive.row[i] = lowest_free_row(&naive);
                                        naive.n++;
                                }
                                naive.used[i] = true;
                                naive.link[i] = step;
                                assert_int_equal(iov_model_set(m, IOV_KIND_SERVER, &server), 0);
                        } else {
                                assert_int_equal(iov_model_remove(m, IOV_KIND_SERVER, name), naive.used[i] ? 0 : -ENOENT);
                                naive.n -= naive.used[i];
                                naive.used[i] = false;
                        }
                        if (step % 500 == 0)
                                compare(m, &naive);
                }
                compare(m, &naive);
                iov_model_unref(m);
        }
}

static void test_clone(void **state) {
        struct iov_model *m = helper_model(), *clone = NULL, *empty = helper_model(), *empty_clone = NULL;
        struct iov_server server = server_of("later", 1);
        const void *record;

        assert_int_equal(iov_chassis_builtin(m), 0);
        iov_model_set_generation(m, 5);
        for (unsigned int i = 0; i < 2000; i++) {
                struct iov_volume volume = {.size = i};

                snprintf(volume.name, sizeof(volume.name), "v%u", i);
                assert_int_equal(iov_model_set(m, IOV_KIND_VOLUME, &volume), 0);
        }
        assert_int_equal(iov_model_remove(m, IOV_KIND_VOLUME, "v7"), 0);
        assert_int_equal(iov_model_clone(m, &clone), 0);
        helper_assert_same(m, clone);
        assert_int_equal(iov_model_get_generation(clone), 5);
        iov_model_foreach (m, IOV_KIND_VOLUME, record)
                assert_int_equal(iov_model_row(m, IOV_KIND_VOLUME, record),
                                 iov_model_row(clone, IOV_KIND_VOLUME, iov_model_get(clone, IOV_KIND_VOLUME, record)));
        /* They are two. */
        assert_int_equal(iov_model_set(clone, IOV_KIND_SERVER, &server), 0);
        assert_int_equal(iov_model_remove(clone, IOV_KIND_ADAPTER, "ssd0"), 0);
        assert_null(iov_model_get(m, IOV_KIND_SERVER, "later"));
        assert_non_null(iov_model_get(m, IOV_KIND_ADAPTER, "ssd0"));
        struct iov_volume more = {.name = "more"};
        assert_int_equal(iov_model_set(clone, IOV_KIND_VOLUME, &more), 0);
        assert_int_equal(iov_model_row(clone, IOV_KIND_VOLUME, iov_model_get(clone, IOV_KIND_VOLUME, "more")), 7);
        assert_int_equal(iov_model_clone(empty, &empty_clone), 0);
        assert_int_equal(iov_model_set(empty_clone, IOV_KIND_SERVER, &server), 0);
        iov_model_unref(m);
        iov_model_unref(clone);
        iov_model_unref(empty);
        iov_model_unref(empty_clone);
}

static void test_sorted(void **state) {
        static const uint32_t nsids[] = {10, 9, 2, 1, 64};
        struct iov_model *m = helper_model();
        const void **records = NULL;

        for (size_t i = 0; i < ARRAY_LENGTH(nsids); i++)
                for (unsigned int v = 0; v < 2; v++) {
                        struct iov_namespace ns = {0};

                        assert_int_equal(iov_namespace_init(&ns, v ? "a" : "b", nsids[i]), 0);
                        assert_int_equal(iov_model_set(m, IOV_KIND_NAMESPACE, &ns), 0);
                }
        assert_int_equal(iov_model_sorted(m, IOV_KIND_NAMESPACE, &records), 10);
        assert_string_equal((const char *)records[0], "a/1");
        assert_string_equal((const char *)records[2], "a/9");
        assert_string_equal((const char *)records[3], "a/10");
        assert_string_equal((const char *)records[5], "b/1");
        free(records);
        assert_int_equal(iov_model_sorted(m, IOV_KIND_SERVER, &records), 0);
        free(records);
        iov_model_unref(m);
}

/* Whoever looks for all namespaces of a vAdapter need not look further than this. */
static void test_highest_number(void **state) {
        struct iov_model *m = helper_model(), *clone = NULL, *loaded = helper_model();
        struct iov_namespace ns = {0};
        unsigned int row = 0;
        void *rows = NULL;

        assert_int_equal(model_highest_number(m, IOV_KIND_NAMESPACE), 0);
        assert_int_equal(iov_namespace_init(&ns, "a", 7), 0);
        assert_int_equal(iov_model_set(m, IOV_KIND_NAMESPACE, &ns), 0);
        assert_int_equal(iov_namespace_init(&ns, "b", 3), 0);
        assert_int_equal(iov_model_set(m, IOV_KIND_NAMESPACE, &ns), 0);
        assert_int_equal(model_highest_number(m, IOV_KIND_NAMESPACE), 7);
        assert_int_equal(model_highest_number(m, IOV_KIND_LUN), 0);
        assert_int_equal(iov_model_clone(m, &clone), 0);
        assert_int_equal(model_highest_number(clone, IOV_KIND_NAMESPACE), 7);
        assert_int_equal(model_rows_begin(loaded, IOV_KIND_NAMESPACE, 1, &rows), 0);
        memcpy(rows, &ns, sizeof(ns));
        assert_int_equal(model_rows_end(loaded, IOV_KIND_NAMESPACE, 1, &row), 0);
        assert_int_equal(model_highest_number(loaded, IOV_KIND_NAMESPACE), 3);
        iov_model_unref(loaded);
        iov_model_unref(clone);
        iov_model_unref(m);
}

static void test_names(void **state) {
        struct iov_model *m = helper_model();
        struct iov_namespace ns = {0};
        char name[80];

        assert_true(iov_name_is_valid("a"));
        assert_true(iov_name_is_valid("0"));
        assert_true(iov_name_is_valid("Web-01.rack_2"));
        assert_false(iov_name_is_valid(""));
        assert_false(iov_name_is_valid("-a"));
        assert_false(iov_name_is_valid(".a"));
        assert_false(iov_name_is_valid("a b"));
        assert_false(iov_name_is_valid("a/1"));
        assert_false(iov_name_is_valid("\xc3\xa4"));
        memset(name, 'a', sizeof(name));
        name[IOV_NAME_MAX] = 0;
        assert_true(iov_name_is_valid(name));
        assert_int_equal(iov_model_set_name(m, name), 0);
        assert_int_equal(iov_namespace_init(&ns, name, UINT32_MAX), 0);
        name[IOV_NAME_MAX] = 'a';
        name[IOV_NAME_MAX + 1] = 0;
        assert_false(iov_name_is_valid(name));
        assert_int_equal(iov_model_set_name(m, name), -ENAMETOOLONG);
        assert_int_equal(iov_namespace_init(&ns, name, 1), -ENAMETOOLONG);
        assert_null(iov_namespace_get(m, name, 1));
        iov_model_unref(m);
}

/* As snprintf() makes them, up to the longest. */
static void test_member_names(void **state) {
        static const uint32_t numbers[] = {0, 1, 9, 10, 4095, 99999, 1000000000, UINT32_MAX - 1, UINT32_MAX};
        struct iov_member member = {0}, before;
        char parent[IOV_NAME_MAX + 2], expected[IOV_NAME_SIZE];

        for (size_t length = 1; length <= IOV_NAME_MAX; length += 31)
                for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
                        memset(parent, 'x', length);
                        parent[length] = 0;
                        snprintf(expected, sizeof(expected), "%s/%u", parent, numbers[i]);
                        assert_int_equal(iov_member_init(&member, parent, numbers[i]), 0);
                        assert_string_equal(member.name, expected);
                        assert_string_equal(member.parent, parent);
                        assert_int_equal(member.number, numbers[i]);
                }
        memset(parent, 'x', IOV_NAME_MAX + 1);
        parent[IOV_NAME_MAX + 1] = 0;
        before = member;
        assert_int_equal(iov_member_init(&member, parent, 1), -ENAMETOOLONG);
        assert_memory_equal(&member, &before, sizeof(member));
}

/* From the heap to mapped memory, and on: what was written stays, and what is asked for as zero is. */
static void test_pages(void **state) {
        unsigned char *bytes = NULL;
        void *pages = NULL;
        size_t size = 0, used = 0;

        for (size_t need = 1; need < 3 * PAGES_LARGE; need = need * 3 + 1) {
                if (pages_grow(&pages, &size, need) < 0 || !pages) {
                        fail_msg("no memory");
                        return;
                }
                assert_true(size >= need);
                bytes = pages;
                for (size_t i = 0; i < used; i++)
                        if (bytes[i] != (unsigned char)(i * 7 + i / 4096))
                                fail_msg("byte %zu of %zu is lost", i, used);
                for (; used < need; used++)
                        bytes[used] = (unsigned char)(used * 7 + used / 4096);
        }
        pages_free(pages, size);
        for (size_t need = 1; need < PAGES_LARGE; need *= 50) {
                assert_int_equal(pages_new(&pages, &size, need), 0);
                bytes = pages;
                for (size_t i = 0; i < size; i++)
                        assert_int_equal(bytes[i], 0);
                memset(bytes, 0xff, size);
                pages_free(pages, size);
        }
}

static void test_same_config(void **state) {
        struct iov_vadapter a = {.name = "a", .adapter = "ssd0", .slot = 1}, b = a;

        b.state = IOV_VADAPTER_FAILED;
        b.id = 99;
        b.name[0] = 'b';
        assert_true(iov_record_same_config(IOV_KIND_VADAPTER, &a, &b));
        b.slot = 2;
        assert_false(iov_record_same_config(IOV_KIND_VADAPTER, &a, &b));
        b = a;
        b.serial[0] = 'x';
        assert_false(iov_record_same_config(IOV_KIND_VADAPTER, &a, &b));
}

static void test_words(void **state) {
        uint32_t value = 77;

        for (uint32_t kind = IOV_ADAPTER_NIC; kind <= IOV_ADAPTER_SATA; kind++) {
                assert_int_equal(iov_adapter_kind_from_string(iov_adapter_kind_to_string(kind), &value), 0);
                assert_int_equal(value, kind);
        }
        assert_null(iov_adapter_kind_to_string(0));
        assert_null(iov_adapter_kind_to_string(UINT32_MAX));
        value = 77;
        assert_int_equal(iov_adapter_kind_from_string("floppy", &value), -EINVAL);
        assert_int_equal(value, 77);
        assert_int_equal(iov_on_remove_from_string("retain", &value), 0);
        assert_int_equal(value, IOV_ON_REMOVE_RETAIN);
        assert_string_equal(iov_on_remove_to_string(IOV_ON_REMOVE_DELETE), "delete");
        assert_string_equal(iov_server_state_to_string(IOV_SERVER_DOWN), "down");
        assert_string_equal(iov_vadapter_state_to_string(IOV_VADAPTER_CONNECTED), "connected");
        assert_string_equal(iov_vadapter_state_to_string(IOV_VADAPTER_UNPLUGGING), "unplugging");
        assert_null(iov_vadapter_state_to_string(99));
        assert_string_equal(iov_host_state_to_string(IOV_HOST_READY), "ready");
        assert_null(iov_host_state_to_string(99));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_set_get_remove), cmocka_unit_test(test_bad_records),    cmocka_unit_test(test_rows),
                cmocka_unit_test(test_limits),         cmocka_unit_test(test_against_naive),  cmocka_unit_test(test_clone),
                cmocka_unit_test(test_sorted),         cmocka_unit_test(test_highest_number), cmocka_unit_test(test_names),
                cmocka_unit_test(test_member_names),   cmocka_unit_test(test_pages),          cmocka_unit_test(test_same_config),
                cmocka_unit_test(test_words),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
