/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Transactions: all or nothing, every rule with its own refusal and the operation at fault. */
#include "transaction-fixture.h"

static void test_commit(void **state) {
        struct fixture *f = *state;
        const struct iov_vadapter *va = iov_model_get(f->model, IOV_KIND_VADAPTER, "d0");
        const struct iov_adapter *ssd0 = iov_model_get(f->model, IOV_KIND_ADAPTER, "ssd0");

        assert_int_equal(f->changed, 5);
        assert_int_equal(va->state, IOV_VADAPTER_ATTACHED);
        assert_int_not_equal(va->id, 99);
        assert_int_equal(ssd0->allocated, 65536);
        assert_int_equal(ssd0->vadapters, 1);
        /* the same again changes nothing */
        set_volume(f, "v0", "ssd0", 65536);
        set_vadapter(f, "d0", "ssd0", "a", 0, "SERIAL0");
        commit(f);
        assert_int_equal(f->changed, 0);
        /* one that was given and is no longer returns to the default: the appliance's choice */
        begin(f, IOV_GENERATION_ANY, 0);
        set_vadapter(f, "d0", "ssd0", "a", 0, "");
        commit(f);
        assert_int_equal(f->changed, 1);
        assert_string_not_equal(((const struct iov_vadapter *)iov_model_get(f->model, IOV_KIND_VADAPTER, "d0"))->serial,
                                "SERIAL0");
}

static void test_auto_serial(void **state) {
        struct fixture *f = *state;

        set_vadapter(f, "d1", "ssd0", "", 0, "");
        set_vadapter(f, "d2", "ssd0", "", 0, "");
        commit(f);
        const struct iov_vadapter *d1 = iov_model_get(f->model, IOV_KIND_VADAPTER, "d1"),
                                  *d2 = iov_model_get(f->model, IOV_KIND_VADAPTER, "d2");
        assert_true(strlen(d1->serial) > 3 && strlen(d1->serial) <= IOV_SERIAL_MAX);
        assert_string_not_equal(d1->serial, d2->serial);
        assert_int_equal(d1->state, IOV_VADAPTER_DETACHED);
}

/* Removed and made again: another object, whatever its name. */
static void test_ids_are_never_used_twice(void **state) {
        struct fixture *f = *state;
        uint64_t seen[64];

        for (size_t i = 0; i < ARRAY_LENGTH(seen); i++) {
                begin(f, IOV_GENERATION_ANY, 0);
                set_volume(f, "again", "ssd0", 4096);
                commit(f);
                seen[i] = ((const struct iov_volume *)iov_model_get(f->model, IOV_KIND_VOLUME, "again"))->id;
                assert_true(seen[i] != 0 && seen[i] <= IOVE_ID_MASK);
                for (size_t j = 0; j < i; j++)
                        assert_int_not_equal(seen[i], seen[j]);
                begin(f, IOV_GENERATION_ANY, 0);
                remove_object(f, IOV_KIND_VOLUME, "again");
                commit(f);
        }
}

static void test_remove_takes_namespaces(void **state) {
        struct fixture *f = *state;

        remove_object(f, IOV_KIND_VADAPTER, "d0");
        remove_object(f, IOV_KIND_VOLUME, "v0");
        commit(f);
        assert_int_equal(iov_model_count(f->model, IOV_KIND_NAMESPACE), 0);
        assert_int_equal(((const struct iov_adapter *)iov_model_get(f->model, IOV_KIND_ADAPTER, "ssd0"))->allocated, 0);
}

static void test_stale(void **state) {
        struct fixture *f = *state;

        begin(f, 0, 0);
        set_server(f, "c", 2);
        refused(f, IOV_RET_STALE, UINT32_MAX, "plan again");
}

static void test_links(void **state) {
        struct fixture *f = *state;

        set_server(f, "c", 4);
        refused(f, IOV_RET_NOT_FOUND, 0, "links 0 to 3");
        begin(f, 1, 0);
        set_volume(f, "v1", "ssd0", 4096);
        set_server(f, "c", 1);
        refused(f, IOV_RET_EXISTS, 1, "link 1 is that of server b");
}

static void test_volumes(void **state) {
        struct fixture *f = *state;

        set_volume(f, "v1", "ssd0", 1 << 20);
        refused(f, IOV_RET_NO_SPACE, 0, "volume v1: 1MiB asked, 960KiB free on ssd0");
        begin(f, 1, 0);
        set_volume(f, "v1", "ssd7", 4096);
        refused(f, IOV_RET_NOT_FOUND, 0, "no adapter ssd7");
        begin(f, 1, 0);
        set_volume(f, "v1", "nic0", 4096);
        refused(f, IOV_RET_UNSUPPORTED, 0, "no media");
        begin(f, 1, 0);
        set_volume(f, "v0", "ssd0", 4096);
        refused(f, IOV_RET_UNSUPPORTED, 0, "volume v0: it has 64KiB and does not shrink to 4KiB");
        begin(f, 1, 0);
        set_volume(f, "v0", "ssd0", 131072);
        commit(f);
        /* Asked for, it does, and stays the same volume. */
        uint64_t id = ((const struct iov_volume *)iov_model_get(f->model, IOV_KIND_VOLUME, "v0"))->id;
        begin(f, 2, IOV_TXN_SHRINK);
        set_volume(f, "v0", "ssd0", 4096);
        commit(f);
        const struct iov_volume *v0 = iov_model_get(f->model, IOV_KIND_VOLUME, "v0");
        assert_int_equal(v0->size, 4096);
        assert_int_equal(v0->id, id);
}

static uint64_t volume_id(const struct fixture *f, const char *name) {
        const struct iov_volume *v = iov_model_get(f->model, IOV_KIND_VOLUME, name);

        assert_non_null(v);
        return v->id;
}

/* What goes to another server is empty there, and nothing else is touched. */
static void test_scrub(void **state) {
        struct fixture *f = *state;

        set_volume(f, "v1", "ssd0", 4096);
        set_vadapter(f, "d1", "ssd0", "b", 0, "SERIAL1");
        set_namespace(f, "d1", 1, "v1");
        set_volume(f, "v2", "ssd0", 4096);
        commit(f);
        uint64_t v0 = volume_id(f, "v0"), v1 = volume_id(f, "v1"), v2 = volume_id(f, "v2");
        /* Within a server, and out of one: no other server sees it. */
        begin(f, 2, IOV_TXN_SCRUB);
        set_vadapter(f, "d0", "ssd0", "a", 3, "SERIAL0");
        set_vadapter(f, "d1", "ssd0", "", 0, "SERIAL1");
        commit(f);
        assert_int_equal(volume_id(f, "v0"), v0);
        assert_int_equal(volume_id(f, "v1"), v1);
        /* Without being asked, data moves along. */
        begin(f, 3, 0);
        set_vadapter(f, "d0", "ssd0", "b", 3, "SERIAL0");
        commit(f);
        assert_int_equal(volume_id(f, "v0"), v0);
        /* Asked: a new one of the same size. A volume that only now comes to it has data of nobody else. */
        begin(f, 4, IOV_TXN_SCRUB);
        set_vadapter(f, "d0", "ssd0", "a", 3, "SERIAL0");
        set_namespace(f, "d0", 2, "v2");
        commit(f);
        assert_int_not_equal(volume_id(f, "v0"), v0);
        assert_int_equal(volume_id(f, "v1"), v1);
        assert_int_equal(volume_id(f, "v2"), v2);
        assert_int_equal(((const struct iov_volume *)iov_model_get(f->model, IOV_KIND_VOLUME, "v0"))->size, 65536);
        assert_string_equal(((const struct iov_namespace *)iov_model_get(f->model, IOV_KIND_NAMESPACE, "d0/1"))->volume, "v0");
}

static void test_volume_in_use_stays(void **state) {
        struct fixture *f = *state;

        remove_object(f, IOV_KIND_VOLUME, "v0");
        refused(f, IOV_RET_NOT_FOUND, UINT32_MAX, "no volume v0");
        begin(f, 1, 0);
        remove_object(f, IOV_KIND_SERVER, "a");
        refused(f, IOV_RET_NOT_FOUND, UINT32_MAX, "no server a");
        begin(f, 1, 0);
        remove_object(f, IOV_KIND_SERVER, "nobody");
        refused(f, IOV_RET_NOT_FOUND, 0, "no server nobody to remove");
}

static void test_vadapters(void **state) {
        struct fixture *f = *state;

        set_vadapter(f, "d1", "nic0", "b", 0, "");
        refused(f, IOV_RET_UNSUPPORTED, 0, "not yet");
        begin(f, 1, 0);
        set_vadapter(f, "d1", "ssd0", "a", 0, "");
        refused(f, IOV_RET_EXISTS, 0, "slot 0 of server a is taken by d0");
        begin(f, 1, 0);
        set_vadapter(f, "d1", "ssd0", "a", 8, "");
        refused(f, IOV_RET_NOT_FOUND, 0, "slots 0 to 7");
        begin(f, 1, 0);
        set_vadapter(f, "d1", "ssd0", "z", 1, "");
        refused(f, IOV_RET_NOT_FOUND, 0, "no server z");
        begin(f, 1, 0);
        set_vadapter(f, "d1", "ssd0", "", 0, "SERIAL0");
        refused(f, IOV_RET_EXISTS, 0, "serial SERIAL0 is taken by d0");
}

static void test_namespaces(void **state) {
        struct fixture *f = *state;

        set_vadapter(f, "d1", "ssd1", "", 0, "");
        set_namespace(f, "d1", 1, "v0");
        refused(f, IOV_RET_INVALID_INPUT, 1, "volume v0 is on ssd0, vadapter d1 on ssd1");
        begin(f, 1, 0);
        set_vadapter(f, "d1", "ssd0", "", 0, "");
        set_namespace(f, "d1", 1, "v0");
        refused(f, IOV_RET_EXISTS, 1, "volume v0 is taken by d0/1");
        begin(f, 1, 0);
        set_namespace(f, "d9", 1, "v0");
        refused(f, IOV_RET_NOT_FOUND, 0, "no vadapter d9");
}

static void test_running_server(void **state) {
        struct fixture *f = *state;
        struct iov_vadapter va = *(const struct iov_vadapter *)iov_model_get(f->model, IOV_KIND_VADAPTER, "d0");

        va.state = IOV_VADAPTER_CONNECTED;
        va.peer_pid = 4711;
        iov_model_set(f->model, IOV_KIND_VADAPTER, &va);
        set_vadapter(f, "d0", "ssd0", "", 0, "");
        refused(f, IOV_RET_BUSY, 0, "process 4711");
        begin(f, 1, 0);
        set_volume(f, "v0", "ssd0", 131072); /* its namespace grows under it */
        commit(f);
        begin(f, iov_model_get_generation(f->model), IOV_TXN_SHRINK);
        set_volume(f, "v0", "ssd0", 65536); /* but does not shrink */
        refused(f, IOV_RET_BUSY, 0, "volume v0: server a runs with it (d0): shut it down before the volume shrinks");
        begin(f, iov_model_get_generation(f->model), IOV_TXN_SHRINK | IOV_TXN_FORCE);
        set_volume(f, "v0", "ssd0", 65536);
        commit(f);
        begin(f, iov_model_get_generation(f->model), IOV_TXN_FORCE);
        set_vadapter(f, "d0", "ssd0", "", 0, "");
        commit(f);
}

static void test_hostile_operations(void **state) {
        struct fixture *f = *state;
        struct iov_server s = {0};
        struct iov_mb_op op = {IOV_VERB_SET, IOV_KIND_ADAPTER, IOV_ADAPTER_RECORD_SIZE};

        assert_int_equal(iove_transaction_append(f->transaction, &op, sizeof(op), &f->refusal), -EBADMSG);
        assert_int_equal(f->refusal.code, IOV_RET_UNSUPPORTED);
        op = (struct iov_mb_op){IOV_VERB_SET, 0xffff, 0};
        assert_int_equal(iove_transaction_append(f->transaction, &op, sizeof(op), &f->refusal), -EBADMSG);
        op = (struct iov_mb_op){IOV_VERB_SET, IOV_KIND_SERVER, UINT32_MAX};
        assert_int_equal(iove_transaction_append(f->transaction, &op, sizeof(op), &f->refusal), -EBADMSG);
        op.size = IOV_SERVER_RECORD_SIZE;
        assert_int_equal(iove_transaction_append(f->transaction, &op, sizeof(op), &f->refusal), -EBADMSG);
        assert_int_equal(iove_transaction_append(f->transaction, &op, sizeof(op) - 1, &f->refusal), -EBADMSG);
        assert_int_equal(append(f, (enum iov_op_verb)7, IOV_KIND_SERVER, &s), -EBADMSG);
        memset(s.name, 'x', sizeof(s.name));
        assert_int_equal(append(f, IOV_VERB_SET, IOV_KIND_SERVER, &s), -EBADMSG);
        assert_int_equal(append(f, IOV_VERB_REMOVE, IOV_KIND_SERVER, &s), -EBADMSG);
        field_set(s.name, sizeof(s.name), "../../etc/passwd");
        assert_int_equal(append(f, IOV_VERB_SET, IOV_KIND_SERVER, &s), -EBADMSG);
}

/* What a record ends with may be left out where it is zero, but not its name. */
static void test_short_records(void **state) {
        struct fixture *f = *state;
        struct {
                struct iov_mb_op op;
                struct iov_volume volume;
        } x = {{IOV_VERB_SET, IOV_KIND_VOLUME, 0}, {.name = "short", .adapter = "ssd0", .size = 65536}};
        const struct iov_volume *v;

        for (uint32_t size = 0; size < IOV_NAME_SIZE; size += 79) {
                x.op.size = size;
                assert_int_equal(iove_transaction_append(f->transaction, &x, sizeof(x.op) + size, &f->refusal), -EBADMSG);
        }
        x.op.size = offsetof(struct iov_volume, on_remove);
        memset(&x.volume.on_remove, 0xff, sizeof(x.volume) - x.op.size);
        assert_int_equal(iove_transaction_append(f->transaction, &x, sizeof(x.op) + x.op.size, &f->refusal), 0);
        commit(f);
        v = iov_model_get(f->model, IOV_KIND_VOLUME, "short");
        assert_non_null(v);
        assert_int_equal(v->size, 65536);
        assert_int_equal(v->on_remove, IOV_ON_REMOVE_DELETE);
        begin(f, IOV_GENERATION_ANY, 0);
        x.op = (struct iov_mb_op){IOV_VERB_REMOVE, IOV_KIND_VOLUME, IOV_NAME_SIZE};
        assert_int_equal(iove_transaction_append(f->transaction, &x, sizeof(x.op) + x.op.size, &f->refusal), 0);
        commit(f);
        assert_null(iov_model_get(f->model, IOV_KIND_VOLUME, "short"));
}

static void test_socket_path(void **state) {
        struct fixture *f = *state;
        const struct iove_limits limits = {.run_dir_length = 60};
        struct iov_model *candidate = NULL;

        set_server(f, "a-name-of-forty-characters-or-a-little-more", 2);
        assert_int_equal(
                iove_transaction_run(f->transaction, f->model, &limits, &f->last_id, &candidate, &f->changed, &f->refusal),
                -EBADMSG);
        assert_int_equal(f->refusal.code, IOV_RET_LIMIT);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_commit, setup, teardown),
                cmocka_unit_test_setup_teardown(test_auto_serial, setup, teardown),
                cmocka_unit_test_setup_teardown(test_ids_are_never_used_twice, setup, teardown),
                cmocka_unit_test_setup_teardown(test_remove_takes_namespaces, setup, teardown),
                cmocka_unit_test_setup_teardown(test_short_records, setup, teardown),
                cmocka_unit_test_setup_teardown(test_stale, setup, teardown),
                cmocka_unit_test_setup_teardown(test_links, setup, teardown),
                cmocka_unit_test_setup_teardown(test_volumes, setup, teardown),
                cmocka_unit_test_setup_teardown(test_scrub, setup, teardown),
                cmocka_unit_test_setup_teardown(test_volume_in_use_stays, setup, teardown),
                cmocka_unit_test_setup_teardown(test_vadapters, setup, teardown),
                cmocka_unit_test_setup_teardown(test_namespaces, setup, teardown),
                cmocka_unit_test_setup_teardown(test_running_server, setup, teardown),
                cmocka_unit_test_setup_teardown(test_hostile_operations, setup, teardown),
                cmocka_unit_test_setup_teardown(test_socket_path, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
