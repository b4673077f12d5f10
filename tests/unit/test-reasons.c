/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All reasons for which a transaction is refused: each once, with the operation at fault, and none that only follows from
 * another. */
#include "transaction-fixture.h"

/* Run it; the reasons must be these, in this order, as far as they are told: what `op_index` and part of the text are. */
struct reason {
        uint32_t op_index;
        const char *text;
};
static void refused_for(struct fixture *f, const struct reason *reasons, size_t n) {
        struct iov_model *candidate = NULL;
        uint64_t last_id = f->last_id;

        assert_int_equal(run(f, &candidate), -EBADMSG);
        assert_null(candidate);
        assert_int_equal(f->last_id, last_id);
        for (size_t i = 0; i < f->refusal.n && i < n; i++) {
                if (!strstr(f->refusal.errors[i].text, reasons[i].text))
                        fail_msg("'%s' does not say '%s'", f->refusal.errors[i].text, reasons[i].text);
                assert_int_equal(f->refusal.errors[i].op_index, reasons[i].op_index);
        }
        assert_int_equal(f->refusal.n, n);
}
#define REFUSED_FOR(f, ...)                                                                                                      \
        refused_for(f, (const struct reason[]){__VA_ARGS__}, sizeof((const struct reason[]){__VA_ARGS__}) / sizeof(struct reason))

static void test_every_rule(void **state) {
        struct fixture *f = *state;

        set_server(f, "c", 99);
        set_server(f, "d", 1);
        set_volume(f, "large", "ssd0", UINT64_C(1) << 30);
        set_volume(f, "fits", "ssd0", 4096);
        set_volume(f, "nowhere", "ssd7", 4096);
        set_vadapter(f, "d1", "ssd7", "", 0, "");
        set_vadapter(f, "d2", "ssd1", "a", 0, "SERIAL0");
        set_vadapter(f, "d3", "ssd1", "z", 1, "");
        set_namespace(f, "d3", 1, "nothing");
        set_namespace(f, "d2", 1, "v0");
        REFUSED_FOR(f, {0, "server c: link 99 asked"}, {1, "server d: link 1 is that of server b"},
                    {2, "volume large: 1GiB asked"}, {4, "volume nowhere: there is no adapter ssd7"},
                    {5, "vadapter d1: there is no adapter ssd7"}, {6, "d2: slot 0 of server a is taken by d0"},
                    {7, "vadapter d3: there is no server z"}, {6, "d2: serial SERIAL0 is taken by d0"},
                    {8, "namespace d3/1: there is no volume nothing"}, {9, "volume v0 is on ssd0, vadapter d2 on ssd1"});
        assert_int_equal(f->refusal.code, IOV_RET_NOT_FOUND);
}

/* What is in, or shows, something that was refused is not refused as well. */
static void test_what_follows_is_not_told(void **state) {
        struct fixture *f = *state;

        set_vadapter(f, "d1", "ssd7", "b", 0, "");
        set_volume(f, "v1", "ssd7", 4096);
        set_namespace(f, "d1", 1, "v1");
        REFUSED_FOR(f, {1, "volume v1: there is no adapter ssd7"}, {0, "vadapter d1: there is no adapter ssd7"});
}

/* Operations that cannot be carried out: what would be without them nobody asks. */
static void test_operations(void **state) {
        struct fixture *f = *state;

        remove_object(f, IOV_KIND_VOLUME, "no1");
        assert_int_equal(rename_object(f, IOV_KIND_SERVER, "a", "b"), 0);
        remove_object(f, IOV_KIND_SERVER, "no2");
        set_server(f, "c", 99);
        REFUSED_FOR(f, {0, "there is no volume no1 to remove"}, {1, "there is a server b already"},
                    {2, "there is no server no2 to remove"});
}

static void test_more_than_there_is_room_for(void **state) {
        struct fixture *f = *state;
        struct iov_model *candidate = NULL;
        char name[IOV_NAME_SIZE];

        for (unsigned int i = 0; i < 1000; i++) {
                snprintf(name, sizeof(name), "v%u", i + 1);
                set_volume(f, name, "ssd7", 4096);
        }
        assert_int_equal(run(f, &candidate), -EBADMSG);
        assert_int_equal(f->refusal.n, 1000);
        assert_int_equal(f->refusal.errors[IOV_MB_ERRORS_MAX - 1].op_index, IOV_MB_ERRORS_MAX - 1);
        assert_non_null(strstr(f->refusal.errors[IOV_MB_ERRORS_MAX - 1].text, "volume v16: "));
        /* The next one begins anew. */
        begin(f, IOV_GENERATION_ANY, 0);
        set_server(f, "c", 99);
        REFUSED_FOR(f, {0, "server c: link 99"});
}

/* An address that the pool has not: the rest is judged without it. */
static void test_pool(void **state) {
        struct fixture *f = *state;
        struct iov_pool pool = {.name = "mac", .first = "02:00:00:00:00:01", .last = "02:00:00:00:00:02", .rest = 60};
        const struct iov_vadapter *va;

        assert_int_equal(append(f, IOV_VERB_SET, IOV_KIND_POOL, &pool), 0);
        set_vadapter(f, "n1", "nic0", "", 0, "");
        set_vadapter(f, "n2", "nic0", "", 0, "");
        set_vadapter(f, "n3", "nic0", "", 0, "");
        set_vadapter(f, "n4", "nic0", "", 0, "");
        set_namespace(f, "n4", 1, "v0");
        REFUSED_FOR(f, {3, "vadapter n3: the pool of mac"}, {4, "vadapter n4: the pool of mac"},
                    {5, "namespace n4/1: nic0 is a nic, it has no namespaces"});
        begin(f, IOV_GENERATION_ANY, 0);
        assert_int_equal(append(f, IOV_VERB_SET, IOV_KIND_POOL, &pool), 0);
        set_vadapter(f, "n1", "nic0", "", 0, "");
        set_vadapter(f, "n2", "nic0", "", 0, "");
        commit(f);
        va = iov_model_get(f->model, IOV_KIND_VADAPTER, "n2");
        assert_string_equal(va->mac, "02:00:00:00:00:02");
}

/* Taken, and let go of by another a moment ago: both are said. */
static void test_identities(void **state) {
        struct fixture *f = *state;

        set_vadapter(f, "old", "ssd1", "", 0, "RESTS");
        commit(f);
        begin(f, IOV_GENERATION_ANY, 0);
        remove_object(f, IOV_KIND_VADAPTER, "old");
        commit(f);
        begin(f, IOV_GENERATION_ANY, 0);
        set_vadapter(f, "d1", "ssd1", "", 0, "SERIAL0");
        set_vadapter(f, "d2", "ssd1", "", 0, "RESTS");
        REFUSED_FOR(f, {0, "d1: serial SERIAL0 is taken by d0"}, {1, "vadapter d2: serial RESTS was old's until lately"});
        /* Forced, it may have what rests, but not what is taken. */
        begin(f, IOV_GENERATION_ANY, IOV_TXN_FORCE);
        set_vadapter(f, "d1", "ssd1", "", 0, "SERIAL0");
        set_vadapter(f, "d2", "ssd1", "", 0, "RESTS");
        REFUSED_FOR(f, {0, "d1: serial SERIAL0 is taken by d0"});
}

/* What may not change under servers that run, all of it, and beside a rule of the other kind. */
static void test_running(void **state) {
        struct fixture *f = *state;
        struct iov_vadapter va = *(const struct iov_vadapter *)iov_model_get(f->model, IOV_KIND_VADAPTER, "d0");
        struct iov_server server = *(const struct iov_server *)iov_model_get(f->model, IOV_KIND_SERVER, "a");

        va.state = IOV_VADAPTER_CONNECTED;
        va.peer_pid = 7;
        server.state = IOV_SERVER_ON;
        assert_int_equal(iov_model_set(f->model, IOV_KIND_VADAPTER, &va), 0);
        assert_int_equal(iov_model_set(f->model, IOV_KIND_SERVER, &server), 0);
        remove_object(f, IOV_KIND_NAMESPACE, "d0/1");
        remove_object(f, IOV_KIND_VADAPTER, "d0");
        remove_object(f, IOV_KIND_SERVER, "a");
        set_volume(f, "v0", "ssd1", 4096);
        set_server(f, "c", 99);
        REFUSED_FOR(f, {4, "server c: link 99"}, {3, "volume v0: it is on ssd0 and cannot move"},
                    {1, "vadapter d0: server a runs with it"}, {2, "server a: its guest still has a vAdapter"});
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_every_rule, setup, teardown),
                cmocka_unit_test_setup_teardown(test_what_follows_is_not_told, setup, teardown),
                cmocka_unit_test_setup_teardown(test_operations, setup, teardown),
                cmocka_unit_test_setup_teardown(test_more_than_there_is_room_for, setup, teardown),
                cmocka_unit_test_setup_teardown(test_pool, setup, teardown),
                cmocka_unit_test_setup_teardown(test_identities, setup, teardown),
                cmocka_unit_test_setup_teardown(test_running, setup, teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
