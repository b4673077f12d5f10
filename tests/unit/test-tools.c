/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "tools/common/status.h"
#include "tools/common/tool.h"
#include "tools/iovdump/sha256.h"
#include "tools/iovtop/sample.h"
#include "util.h"

/* ---- sampling ---- */

/* One vAdapter in row 0 with these counters. */
static void make_snapshot(struct snapshot *s, struct iov_counter *counter, uint64_t id, uint64_t time_ns) {
        struct iov_vadapter v = {.name = "va0", .at_server = "web01", .at_slot = 3, .id = id, .state = IOV_VADAPTER_CONNECTED};
        struct iov_ctx *ctx = NULL;

        assert_int_equal(iov_new(&ctx), 0);
        memset(s, 0, sizeof(*s));
        assert_int_equal(iov_model_new(ctx, &s->model), 0);
        iov_unref(ctx);
        assert_int_equal(iov_model_set(s->model, IOV_KIND_VADAPTER, &v), 0);
        s->counters = counter;
        s->n_counters = 1;
        s->time_ns = time_ns;
}

static void compute(struct iov_counter *a, struct iov_counter *b, uint64_t id_before, uint64_t id_now,
                    struct sample_row *ret_row) {
        struct snapshot before, now;
        struct sample sample;

        make_snapshot(&before, a, id_before, 1000000000);
        make_snapshot(&now, b, id_now, 3000000000);
        sample_compute(&before, &now, &sample);
        assert_int_equal(sample.n, 1);
        assert_int_equal(sample.interval_ns, 2000000000);
        *ret_row = sample.rows[0];
        sample_free(&sample);
        iov_model_unref(before.model);
        iov_model_unref(now.model);
}

static void test_rates(void **state) {
        struct iov_counter a = {.id = 7, .read_ops = 100, .write_ops = 10, .read_bytes = 4096, .busy_ns = 500},
                           b = {.id = 7,
                                .read_ops = 300,
                                .write_ops = 30,
                                .read_bytes = 4096 + 8192,
                                .busy_ns = 500 + 2200000,
                                .qos_ns = 1650000,
                                .inflight = 5};
        struct sample_row row;

        compute(&a, &b, 7, 7, &row);
        assert_string_equal(row.name, "va0");
        assert_string_equal(row.server, "web01");
        assert_int_equal(row.slot, 3);
        assert_true(row.read_iops == 100);
        assert_true(row.write_iops == 10);
        assert_true(row.read_rate == 4096);
        assert_true(row.write_rate == 0);
        assert_true(row.latency_us == 10);
        assert_true(row.qos_us == 7.5);
        assert_true(row.medium_us == 2.5);
        assert_true(row.queue_depth > 0.00109 && row.queue_depth < 0.00111);
        assert_int_equal(row.inflight, 5);
}

static void test_rates_of_another(void **state) {
        struct iov_counter a = {.id = 7, .read_ops = 100}, b = {.id = 8, .read_ops = 300};
        struct sample_row row;

        /* The same name, another vAdapter: no rate. */
        compute(&a, &b, 7, 8, &row);
        assert_true(row.read_iops == 0);
        /* The counters' row belongs to another one by now. */
        compute(&a, &b, 7, 7, &row);
        assert_true(row.read_iops == 0);
}

static void test_rates_after_reset(void **state) {
        struct iov_counter a = {.id = 7, .read_ops = UINT64_MAX}, b = {.id = 7, .read_ops = 20};
        struct sample_row row;

        compute(&a, &b, 7, 7, &row);
        assert_true(row.read_iops == 10);
}

/* ---- numbers for people ---- */

static void check_size(uint64_t bytes, const char *want) {
        char text[32];

        human_size(bytes, text, sizeof(text));
        assert_string_equal(text, want);
}

static void test_sizes(void **state) {
        check_size(0, "0B");
        check_size(1, "1B");
        check_size(1023, "1023B");
        check_size(1024, "1KiB");
        check_size(4097, "4097B");
        check_size(10001, "9.8KiB");
        check_size(UINT64_C(1600) << 30, "1600GiB");
        check_size(UINT64_C(2) << 40, "2TiB");
        check_size((UINT64_C(2) << 40) + 1, "2.0TiB");
        check_size(UINT64_MAX, "16.0EiB");
}

static void test_rates_text(void **state) {
        char text[32];

        human_rate(UINT64_C(10000000000), text, sizeof(text));
        assert_string_equal(text, "10Gbit");
        human_rate(1500, text, sizeof(text));
        assert_string_equal(text, "1500bit");
        human_number(0, text, sizeof(text));
        assert_string_equal(text, "0");
        human_number(999.4, text, sizeof(text));
        assert_string_equal(text, "999");
        human_number(999.9, text, sizeof(text));
        assert_string_equal(text, "1.0k");
        human_number(123456, text, sizeof(text));
        assert_string_equal(text, "123k");
        human_number(1e15, text, sizeof(text));
        assert_string_equal(text, "1000T");
}

/* ---- tables ---- */

static const struct column columns[] = {{"name", 0, ""}, {"big_size", COLUMN_RIGHT, ""}, {"inner", COLUMN_DETAIL, ""}, {0}};
static const struct column inner_columns[] = {{"a", 0, ""}, {"b", 0, ""}, {0}};

static struct table *make_table(void) {
        struct table *t = table_new("things", columns), *inner = table_new("inner", inner_columns);

        table_row(inner);
        put_bool(inner, true);
        put_null(inner);
        table_row(t);
        put_field(t, "unterminated", 5);
        put_size(t, UINT64_MAX);
        put_table(t, inner);
        return t;
}

static void test_tree(void **state) {
        struct table *t = make_table();
        struct json_object *root = table_to_tree(t);

        assert_string_equal(json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN),
                            "{\"schema\":1,\"things\":[{\"name\":\"unter\",\"big_size\":18446744073709551615,\"inner\":[{\"a\":"
                            "true,\"b\":null}]}]}");
        json_object_put(root);
        table_free(t);
}

static char *write_json(const struct table *t) {
        char *text = NULL;
        size_t length;
        FILE *f = open_memstream(&text, &length);

        assert_non_null(f);
        table_write_json(t, f);
        fclose(f);
        return text;
}

/* The same as the tree's, whatever is in the cells, at any depth. */
static void test_json(void **state) {
        static const struct column one_column[] = {{"x", 0, ""}, {0}};
        static const struct column cells[] = {{"text", 0, ""},  {"hex", 0, ""},  {"real", 0, ""},
                                              {"no", 0, ""},    {"none", 0, ""}, {"record", 0, ""},
                                              {"empty", 0, ""}, {"rows", 0, ""}, {0}};
        struct table *t = table_new("all", cells), *deep = table_new("deep", one_column);

        table_row(deep);
        put_text(deep, "in");
        for (unsigned int i = 0; i < 12; i++) { /* json-c reads 32 levels */
                struct table *outer = table_new("deep", one_column);

                table_row(outer);
                put_table(outer, deep);
                deep = outer;
        }
        for (unsigned int row = 0; row < 3; row++) {
                struct table *record = table_new("record", one_column);

                if (row == 1) {
                        table_row(record);
                        put_text(record, "y");
                }
                table_row(t);
                put_text(t, row == 0 ? "\"\\/\b\f\n\r\t\x01\x1f\x7f \xc3\xa9" : row == 1 ? "plain" : NULL);
                put_hex(t, 0x1b36, 4);
                put_real(t, 1.5 * row);
                put_bool(t, row == 1);
                put_null(t);
                put_record(t, record);
                put_table(t, table_new("empty", one_column));
                put_table(t, row == 2 ? deep : table_new("rows", one_column));
        }
        CLEANUP_FREE char *text = write_json(t);
        struct json_object *read = json_tokener_parse(text), *tree = table_to_tree(t);
        assert_non_null(read);
        assert_string_equal(json_object_to_json_string_ext(read, JSON_C_TO_STRING_PLAIN),
                            json_object_to_json_string_ext(tree, JSON_C_TO_STRING_PLAIN));
        json_object_put(read);
        json_object_put(tree);
        table_free(t);
}

static void test_json_layout(void **state) {
        struct table *t = make_table();
        CLEANUP_FREE char *text = write_json(t);

        assert_string_equal(text, "{\n  \"schema\": 1,\n  \"things\": [\n    {\n      \"name\": \"unter\",\n      \"big_size\": "
                                  "18446744073709551615,\n      \"inner\": [\n        {\n          \"a\": true,\n          "
                                  "\"b\": null\n        }\n      ]\n    }\n  ]\n}\n");
        table_free(t);
}

/* Rows that are taken back, texts that outgrow what is set aside for them. */
static void test_rows(void **state) {
        static const struct column one_column[] = {{"x", 0, ""}, {0}};
        struct table *t = table_new("rows", one_column);
        char text[3001];

        for (unsigned int i = 0; i < 3000; i++) {
                memset(text, 'a' + (int)(i % 26), i);
                text[i] = 0;
                table_row(t);
                put_text(t, text);
                if (i % 3 == 1)
                        table_drop_row(t);
        }
        assert_int_equal(table_n_rows(t), 2000);
        for (unsigned int r = 1; r < 2000; r++) {
                unsigned int i = r / 2 * 3 + r % 2 * 2;

                assert_int_equal(strlen(table_cell(t, r, 0)->text), i);
                assert_int_equal(table_cell(t, r, 0)->text[i - 1], 'a' + (int)(i % 26));
        }
        table_free(t);
}

static char *write_tree(struct json_object *root, enum format format) {
        char *text = NULL;
        size_t length;
        FILE *f = open_memstream(&text, &length);

        assert_non_null(f);
        assert_int_equal(tree_write(root, format, f), 0);
        fclose(f);
        json_object_put(root);
        return text;
}

/* What another reader could take for a number, a boolean or syntax is quoted. */
static void test_yaml_quoting(void **state) {
        static const char *const strings[] = {"yes", "No", "null", "1e3",        "0x10",      "a: b",
                                              "- a", "",   "~",    "2026-01-01", "tab\there", "#x"};
        struct json_object *root = json_object_new_array();

        for (size_t i = 0; i < ARRAY_LENGTH(strings); i++)
                json_object_array_add(root, json_object_new_string(strings[i]));
        json_object_array_add(root, json_object_new_string("web-disk"));
        CLEANUP_FREE char *text = write_tree(root, FORMAT_YAML);
        assert_string_equal(text,
                            "- \"yes\"\n- \"No\"\n- \"null\"\n- \"1e3\"\n- \"0x10\"\n- \"a: b\"\n- \"- a\"\n- \"\"\n- \"~\"\n"
                            "- \"2026-01-01\"\n- \"tab\\there\"\n- \"#x\"\n- web-disk\n");
}

static void test_columns(void **state) {
        assert_int_equal(column_find(columns, "NAME", 4), 0);
        assert_int_equal(column_find(columns, "Big-Size", 8), 1);
        assert_int_equal(column_find(columns, "big", 3), -1);
        assert_int_equal(column_find(columns, "", 0), -1);
}

/* ---- exit codes, digest ---- */

static void test_status(void **state) {
        assert_int_equal(status_from_errno(0), STATUS_DONE);
        assert_int_equal(status_from_errno(-EINVAL), STATUS_USAGE);
        assert_int_equal(status_from_errno(-EBADMSG), STATUS_USAGE);
        assert_int_equal(status_from_errno(-ENODEV), STATUS_NO_APPLIANCE);
        assert_int_equal(status_from_errno(-EACCES), STATUS_NOT_PERMITTED);
        assert_int_equal(status_from_errno(-EPERM), STATUS_NOT_PERMITTED);
        assert_int_equal(status_from_errno(-ENOSPC), STATUS_FAILED);
}

static void check_digest(const char *data, size_t length, const char *want) {
        char hex[65];

        sha256_hex(data, length, hex);
        assert_string_equal(hex, want);
}

/* FIPS 180-4 examples, as published by NIST; 55, 56 and 64 bytes are where the padding changes. */
static void test_sha256(void **state) {
        char a[64];

        memset(a, 'a', sizeof(a));
        check_digest("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        check_digest("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        check_digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
                     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
        check_digest(a, 55, "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318");
        check_digest(a, 64, "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rates),
                cmocka_unit_test(test_rates_of_another),
                cmocka_unit_test(test_rates_after_reset),
                cmocka_unit_test(test_sizes),
                cmocka_unit_test(test_rates_text),
                cmocka_unit_test(test_tree),
                cmocka_unit_test(test_json),
                cmocka_unit_test(test_json_layout),
                cmocka_unit_test(test_rows),
                cmocka_unit_test(test_yaml_quoting),
                cmocka_unit_test(test_columns),
                cmocka_unit_test(test_status),
                cmocka_unit_test(test_sha256),
        };

        return cmocka_run_group_tests_name("tools", tests, NULL, NULL);
}
