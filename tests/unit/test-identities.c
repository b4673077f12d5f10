/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ledger: identities are chosen once, from pools, rest when they are released, and are nobody else's meanwhile. */
#include "iove/identity.h"
#include "transaction-fixture.h"

#define SECOND UINT64_C(1000000000)

static void set_identity(struct fixture *f, const char *name, const char *adapter, enum iov_identity_type type,
                         const char *value) {
        struct iov_vadapter v = {0};

        field_set(v.name, sizeof(v.name), name);
        field_set(v.adapter, sizeof(v.adapter), adapter);
        memcpy((char *)&v + (identity_of(&v, type) - (const char *)&v), value, strlen(value));
        assert_int_equal(append(f, IOV_VERB_SET, IOV_KIND_VADAPTER, &v), 0);
}

static void set_pool(struct fixture *f, const char *type, const char *first, const char *last, uint64_t rest) {
        struct iov_pool p = {.rest = rest};

        field_set(p.name, sizeof(p.name), type);
        field_set(p.first, sizeof(p.first), first);
        field_set(p.last, sizeof(p.last), last);
        assert_int_equal(append(f, IOV_VERB_SET, IOV_KIND_POOL, &p), 0);
}

static const char *identity(const struct fixture *f, const char *name, enum iov_identity_type type) {
        const struct iov_vadapter *v = iov_model_get(f->model, IOV_KIND_VADAPTER, name);

        assert_non_null(v);
        return identity_of(v, type);
}

static void again(struct fixture *f) {
        begin(f, IOV_GENERATION_ANY, 0);
}

static void test_form(void **state) {
        assert_null(identity_check(IOV_IDENTITY_MAC, "02:1a:4a:00:07:01"));
        assert_non_null(identity_check(IOV_IDENTITY_MAC, "03:1a:4a:00:07:01")); /* a group */
        assert_non_null(identity_check(IOV_IDENTITY_MAC, "02:1A:4a:00:07:01"));
        assert_non_null(identity_check(IOV_IDENTITY_MAC, "02:1a:4a:00:07"));
        assert_non_null(identity_check(IOV_IDENTITY_MAC, "02:1a:4a:00:07:01:"));
        assert_non_null(identity_check(IOV_IDENTITY_MAC, "00:00:00:00:00:00"));
        assert_null(identity_check(IOV_IDENTITY_WWPN, "50:01:43:80:12:34:56:78"));
        assert_non_null(identity_check(IOV_IDENTITY_WWPN, "00:01:43:80:12:34:56:78"));
        assert_null(identity_check(IOV_IDENTITY_NQN, "nqn.2026-01.org.example:d"));
        assert_non_null(identity_check(IOV_IDENTITY_NQN, "iqn.2026-01.org.example:d"));
        assert_non_null(identity_check(IOV_IDENTITY_NQN, "nqn.a b"));
        assert_non_null(identity_check(IOV_IDENTITY_SERIAL, "123456789012345678901"));
        assert_non_null(identity_check(IOV_IDENTITY_SERIAL, "auto"));
}

static void test_chosen_once(void **state) {
        struct fixture *f = *state;
        char mac[24];

        set_identity(f, "n0", "nic0", IOV_IDENTITY_MAC, "");
        commit(f);
        memcpy(mac, identity(f, "n0", IOV_IDENTITY_MAC), sizeof(mac));
        assert_null(identity_check(IOV_IDENTITY_MAC, mac));
        again(f);
        set_identity(f, "n0", "nic0", IOV_IDENTITY_MAC, "");
        commit(f);
        assert_int_equal(f->changed, 0);
        assert_string_equal(identity(f, "n0", IOV_IDENTITY_MAC), mac);
        /* one that is given replaces it, and when it is not given any more another is chosen */
        again(f);
        set_identity(f, "n0", "nic0", IOV_IDENTITY_MAC, "02:1a:4a:00:07:01");
        commit(f);
        assert_int_equal(((const struct iov_vadapter *)iov_model_get(f->model, IOV_KIND_VADAPTER, "n0"))->chosen &
                                 1u << IOV_IDENTITY_MAC,
                         0);
        again(f);
        set_identity(f, "n0", "nic0", IOV_IDENTITY_MAC, "");
        commit(f);
        assert_string_not_equal(identity(f, "n0", IOV_IDENTITY_MAC), "02:1a:4a:00:07:01");
        assert_string_not_equal(identity(f, "n0", IOV_IDENTITY_MAC), mac); /* it rests */
        assert_int_equal(iov_model_count(f->model, IOV_KIND_IDENTITY), 2);
}

static void test_duplicates(void **state) {
        struct fixture *f = *state;

        set_identity(f, "n0", "nic0", IOV_IDENTITY_MAC, "02:1a:4a:00:07:01");
        set_identity(f, "n1", "nic0", IOV_IDENTITY_MAC, "02:1a:4a:00:07:01");
        refused(f, IOV_RET_EXISTS, 1, "n1: mac 02:1a:4a:00:07:01 is taken by n0");
        again(f);
        set_identity(f, "h0", "hba0", IOV_IDENTITY_WWNN, "50:01:43:80:12:34:56:78");
        set_identity(f, "h1", "hba0", IOV_IDENTITY_WWPN, "50:01:43:80:12:34:56:78");
        refused(f, IOV_RET_EXISTS, 1, "h1: WWN 50:01:43:80:12:34:56:78 is taken by h0");
        again(f);
        set_identity(f, "d1", "ssd0", IOV_IDENTITY_MAC, "02:1a:4a:00:07:01");
        refused(f, IOV_RET_INVALID_INPUT, 0, "ssd0 is a ssd, it has no mac");
}

static void test_pool(void **state) {
        struct fixture *f = *state;

        set_pool(f, "mac", "02:00:00:00:00:fe", "02:00:00:00:01:00", 3600);
        set_pool(f, "serial", "RACK7-", "", 3600);
        set_identity(f, "taken", "nic0", IOV_IDENTITY_MAC, "02:00:00:00:00:ff");
        set_identity(f, "n0", "nic0", IOV_IDENTITY_MAC, "");
        set_identity(f, "n1", "nic0", IOV_IDENTITY_MAC, "");
        commit(f);
        assert_string_equal(identity(f, "n0", IOV_IDENTITY_MAC), "02:00:00:00:00:fe");
        assert_string_equal(identity(f, "n1", IOV_IDENTITY_MAC), "02:00:00:00:01:00");
        assert_memory_equal(identity(f, "n1", IOV_IDENTITY_SERIAL), "RACK7-", 6);
        again(f);
        set_identity(f, "n2", "nic0", IOV_IDENTITY_MAC, "");
        refused(f, IOV_RET_NO_SPACE, 0, "the pool of mac identities is used up");
        /* what is released rests first */
        again(f);
        remove_object(f, IOV_KIND_VADAPTER, "n0");
        commit(f);
        again(f);
        set_identity(f, "n2", "nic0", IOV_IDENTITY_MAC, "");
        refused(f, IOV_RET_NO_SPACE, 0, "the pool of mac identities is used up");
        f->now_ns += 3601 * SECOND;
        again(f);
        set_identity(f, "n2", "nic0", IOV_IDENTITY_MAC, "");
        commit(f);
        assert_string_equal(identity(f, "n2", IOV_IDENTITY_MAC), "02:00:00:00:00:fe");
}

static void test_rest(void **state) {
        struct fixture *f = *state;
        const struct iov_identity *past;

        set_identity(f, "n0", "nic0", IOV_IDENTITY_MAC, "02:1a:4a:00:07:01");
        commit(f);
        f->now_ns += 10 * SECOND;
        again(f);
        remove_object(f, IOV_KIND_VADAPTER, "n0");
        commit(f);
        past = iov_model_get_first(f->model, IOV_KIND_IDENTITY);
        assert_non_null(past);
        while (past->type != IOV_IDENTITY_MAC)
                past = iov_model_get_next(f->model, IOV_KIND_IDENTITY, past);
        assert_string_equal(past->value, "02:1a:4a:00:07:01");
        assert_string_equal(past->holder, "n0");
        assert_int_equal(past->to_ns - past->from_ns, 10 * SECOND);
        f->now_ns += SECOND;
        again(f);
        set_identity(f, "n1", "nic0", IOV_IDENTITY_MAC, "02:1a:4a:00:07:01");
        refused(f, IOV_RET_EXISTS, 0, "was n0's until lately, and rests for another 3600 s");
        /* the same name may have it back, anybody with force, and in one transaction it goes from hand to hand */
        again(f);
        set_identity(f, "n0", "nic0", IOV_IDENTITY_MAC, "02:1a:4a:00:07:01");
        commit(f);
        again(f);
        remove_object(f, IOV_KIND_VADAPTER, "n0");
        set_identity(f, "n1", "nic0", IOV_IDENTITY_MAC, "02:1a:4a:00:07:01");
        commit(f);
        again(f);
        remove_object(f, IOV_KIND_VADAPTER, "n1");
        commit(f);
        begin(f, IOV_GENERATION_ANY, IOV_TXN_FORCE);
        set_identity(f, "n2", "nic0", IOV_IDENTITY_MAC, "02:1a:4a:00:07:01");
        commit(f);
}

/* What is long past is forgotten. */
static void test_age(void **state) {
        struct fixture *f = *state;

        remove_object(f, IOV_KIND_VADAPTER, "d0");
        commit(f);
        assert_int_equal(iov_model_count(f->model, IOV_KIND_IDENTITY), 2); /* serial and NQN */
        f->now_ns += IDENTITY_AGE_NS + SECOND;
        again(f);
        set_volume(f, "v9", "ssd0", 4096);
        commit(f);
        assert_int_equal(iov_model_count(f->model, IOV_KIND_IDENTITY), 0);
}

static void test_old_states(void **state) {
        struct fixture *f = *state;
        struct iov_vadapter v = {.name = "old", .adapter = "ssd0", .id = 0xabc, .serial = "IOV000000000ABC"};

        assert_int_equal(iov_model_set(f->model, IOV_KIND_VADAPTER, &v), 0);
        assert_int_equal(identities_complete(f->model, f->now_ns), 0);
        const struct iov_vadapter *now = iov_model_get(f->model, IOV_KIND_VADAPTER, "old");
        assert_string_equal(now->serial, "IOV000000000ABC");
        assert_int_equal(now->chosen, 1u << IOV_IDENTITY_SERIAL | 1u << IOV_IDENTITY_NQN);
        assert_null(identity_check(IOV_IDENTITY_NQN, now->nqn));
        assert_int_equal(now->since_ns, f->now_ns);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_form),
                cmocka_unit_test_setup_teardown(test_chosen_once, setup, teardown),
                cmocka_unit_test_setup_teardown(test_duplicates, setup, teardown),
                cmocka_unit_test_setup_teardown(test_pool, setup, teardown),
                cmocka_unit_test_setup_teardown(test_rest, setup, teardown),
                cmocka_unit_test_setup_teardown(test_age, setup, teardown),
                cmocka_unit_test_setup_teardown(test_old_states, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
