/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Networks, qos, profiles, LUNs, drives and pools in transactions, and renaming. */
#include "transaction-fixture.h"

static void set_profile(struct fixture *f, const char *name) {
        struct iov_profile p = {0};

        field_set(p.name, sizeof(p.name), name);
        assert_int_equal(append(f, IOV_VERB_SET, IOV_KIND_PROFILE, &p), 0);
}

static void wear(struct fixture *f, const char *server, uint32_t link, const char *profile) {
        struct iov_server s = {.link = link};

        field_set(s.name, sizeof(s.name), server);
        field_set(s.profile, sizeof(s.profile), profile);
        assert_int_equal(append(f, IOV_VERB_SET, IOV_KIND_SERVER, &s), 0);
}

static const struct iov_vadapter *vadapter(const struct fixture *f, const char *name) {
        const struct iov_vadapter *v = iov_model_get(f->model, IOV_KIND_VADAPTER, name);

        assert_non_null(v);
        return v;
}

static void test_profile_places_its_vadapters(void **state) {
        struct fixture *f = *state;

        set_vadapter(f, "d1", "ssd0", "", 0, "");
        set_profile(f, "web");
        set_member(f, IOV_KIND_PROFILE_SLOT, "web", 3, "d1");
        commit(f);
        assert_string_equal(vadapter(f, "d1")->profile, "web");
        assert_string_equal(vadapter(f, "d1")->at_server, "");
        assert_int_equal(vadapter(f, "d1")->state, IOV_VADAPTER_DETACHED);

        begin(f, IOV_GENERATION_ANY, 0);
        wear(f, "b", 1, "web");
        commit(f);
        assert_string_equal(vadapter(f, "d1")->at_server, "b");
        assert_int_equal(vadapter(f, "d1")->at_slot, 3);
        assert_int_equal(vadapter(f, "d1")->state, IOV_VADAPTER_ATTACHED);
        assert_ptr_equal(iov_vadapter_in_slot(f->model, "b", 3), vadapter(f, "d1"));

        /* the whole profile goes to another server */
        begin(f, IOV_GENERATION_ANY, 0);
        wear(f, "b", 1, "");
        wear(f, "a", 0, "web");
        commit(f);
        assert_string_equal(vadapter(f, "d1")->at_server, "a");

        begin(f, IOV_GENERATION_ANY, 0);
        wear(f, "a", 0, "");
        remove_object(f, IOV_KIND_PROFILE, "web");
        commit(f);
        assert_string_equal(vadapter(f, "d1")->at_server, "");
        assert_string_equal(vadapter(f, "d1")->profile, "");
        assert_int_equal(iov_model_count(f->model, IOV_KIND_PROFILE_SLOT), 0);
}

static void test_profile_rules(void **state) {
        struct fixture *f = *state;

        wear(f, "a", 0, "web");
        refused(f, IOV_RET_NOT_FOUND, 0, "there is no profile web");

        begin(f, 1, 0);
        set_profile(f, "web");
        wear(f, "a", 0, "web");
        wear(f, "b", 1, "web");
        refused(f, IOV_RET_EXISTS, 2, "profile web is worn by server a");

        begin(f, 1, 0);
        set_profile(f, "web");
        set_member(f, IOV_KIND_PROFILE_SLOT, "web", 0, "none");
        refused(f, IOV_RET_NOT_FOUND, 1, "there is no vadapter none");

        begin(f, 1, 0);
        set_profile(f, "web");
        set_member(f, IOV_KIND_PROFILE_SLOT, "web", 0, "d0");
        refused(f, IOV_RET_EXISTS, 1, "d0 is attached to server a by itself");

        begin(f, 1, 0);
        set_vadapter(f, "d1", "ssd0", "", 0, "");
        set_profile(f, "web");
        set_profile(f, "db");
        set_member(f, IOV_KIND_PROFILE_SLOT, "web", 0, "d1");
        set_member(f, IOV_KIND_PROFILE_SLOT, "db", 0, "d1");
        refused(f, IOV_RET_EXISTS, 4, "vadapter d1 is taken by web/0");

        begin(f, 1, 0);
        set_vadapter(f, "d1", "ssd0", "", 0, "");
        set_profile(f, "web");
        set_member(f, IOV_KIND_PROFILE_SLOT, "web", 0, "d1");
        wear(f, "a", 0, "web");
        refused(f, IOV_RET_EXISTS, 0, "slot 0 of server a is taken by d0");

        begin(f, 1, 0);
        set_vadapter(f, "d1", "ssd0", "", 0, "");
        set_profile(f, "web");
        set_member(f, IOV_KIND_PROFILE_SLOT, "web", 8, "d1");
        refused(f, IOV_RET_NOT_FOUND, 2, "slot 8 asked");
}

static void set_network(struct fixture *f, const char *name, const char *adapter, uint32_t port, uint32_t vlan) {
        struct iov_network n = {.port = port, .mtu = 1500};

        field_set(n.name, sizeof(n.name), name);
        field_set(n.adapter, sizeof(n.adapter), adapter);
        if (vlan)
                n.vlans[vlan / 8] = (uint8_t)(1u << vlan % 8);
        assert_int_equal(append(f, IOV_VERB_SET, IOV_KIND_NETWORK, &n), 0);
}

static void set_nic(struct fixture *f, const char *name, const char *adapter, const char *network, uint32_t vlan,
                    const char *qos) {
        struct iov_vadapter v = {.vlan = vlan};

        field_set(v.name, sizeof(v.name), name);
        field_set(v.adapter, sizeof(v.adapter), adapter);
        field_set(v.network, sizeof(v.network), network);
        field_set(v.qos, sizeof(v.qos), qos);
        assert_int_equal(append(f, IOV_VERB_SET, IOV_KIND_VADAPTER, &v), 0);
}

static void test_networks(void **state) {
        struct fixture *f = *state;
        struct iov_qos gold = {.name = "gold", .weight = 100};

        set_network(f, "prod", "nic0", 1, 10);
        set_nic(f, "n0", "nic0", "prod", 10, "gold");
        assert_int_equal(append(f, IOV_VERB_SET, IOV_KIND_QOS, &gold), 0);
        commit(f);
        assert_int_equal(strlen(vadapter(f, "n0")->mac), 17);
        assert_string_equal(vadapter(f, "n0")->wwpn, "");
        assert_string_equal(vadapter(f, "n0")->nqn, "");

        begin(f, IOV_GENERATION_ANY, 0);
        set_nic(f, "n0", "nic0", "prod", 11, "");
        refused(f, IOV_RET_INVALID_INPUT, 0, "VLAN 11 is not one of network prod");
        begin(f, IOV_GENERATION_ANY, 0);
        set_nic(f, "n0", "nic0", "test", 0, "");
        refused(f, IOV_RET_NOT_FOUND, 0, "there is no network test");
        begin(f, IOV_GENERATION_ANY, 0);
        set_nic(f, "n0", "nic0", "", 0, "silver");
        refused(f, IOV_RET_NOT_FOUND, 0, "there is no qos silver");
        begin(f, IOV_GENERATION_ANY, 0);
        set_nic(f, "n1", "ssd0", "prod", 0, "");
        refused(f, IOV_RET_INVALID_INPUT, 0, "it has no networks");
        begin(f, IOV_GENERATION_ANY, 0);
        set_network(f, "prod", "ssd0", 0, 0);
        refused(f, IOV_RET_INVALID_INPUT, 0, "it has no networks");
        begin(f, IOV_GENERATION_ANY, 0);
        set_network(f, "prod", "nic0", 2, 0);
        refused(f, IOV_RET_NOT_FOUND, 0, "port 2 asked, nic0 has ports 0 to 1");
        begin(f, IOV_GENERATION_ANY, 0);
        remove_object(f, IOV_KIND_NETWORK, "prod");
        refused(f, IOV_RET_NOT_FOUND, UINT32_MAX, "vadapter n0: there is no network prod");
}

static void test_malformed_records(void **state) {
        struct fixture *f = *state;
        struct iov_network n = {.name = "n", .adapter = "nic0", .mtu = 60};
        struct iov_qos q = {.name = "q"};
        struct iov_pool p = {.name = "colour"};
        struct iov_server s = {.name = "s", .qemu = "relative"};

        assert_int_equal(append(f, IOV_VERB_SET, IOV_KIND_NETWORK, &n), -EBADMSG);
        n.mtu = 9000;
        n.vlans[0] = 1;
        assert_int_equal(append(f, IOV_VERB_SET, IOV_KIND_NETWORK, &n), -EBADMSG);
        n.vlans[0] = 0;
        n.vlans[511] = 0x80;
        assert_int_equal(append(f, IOV_VERB_SET, IOV_KIND_NETWORK, &n), -EBADMSG);
        n.vlans[511] = 0x40;
        assert_int_equal(append(f, IOV_VERB_SET, IOV_KIND_NETWORK, &n), 0);
        assert_int_equal(append(f, IOV_VERB_SET, IOV_KIND_QOS, &q), -EBADMSG);
        assert_int_equal(append(f, IOV_VERB_SET, IOV_KIND_POOL, &p), -EBADMSG);
        assert_int_equal(append(f, IOV_VERB_SET, IOV_KIND_SERVER, &s), -EBADMSG);
}

static void set_read_only(struct fixture *f, const char *vadapter_name, uint32_t nsid, const char *volume, uint32_t read_only) {
        struct iov_namespace ns = {.read_only = read_only};

        assert_int_equal(iov_namespace_init(&ns, vadapter_name, nsid), 0);
        field_set(ns.volume, sizeof(ns.volume), volume);
        assert_int_equal(append(f, IOV_VERB_SET, IOV_KIND_NAMESPACE, &ns), 0);
}

/* Those who only read may share a volume; nobody else. */
static void test_read_only(void **state) {
        struct fixture *f = *state;

        set_vadapter(f, "d8", "ssd0", "", 0, "");
        set_vadapter(f, "d9", "ssd0", "", 0, "");
        set_volume(f, "shared", "ssd0", 4096);
        set_read_only(f, "d8", 1, "shared", 1);
        set_read_only(f, "d9", 7, "shared", 1);
        commit(f);
        assert_int_equal(iov_namespace_get(f->model, "d9", 7)->read_only, 1);
        begin(f, IOV_GENERATION_ANY, 0);
        set_read_only(f, "d9", 7, "shared", 0);
        refused(f, IOV_RET_EXISTS, 0, "volume shared is taken by d8/1");
        begin(f, IOV_GENERATION_ANY, 0);
        set_read_only(f, "d9", 8, "v0", 1); /* which d0 writes to */
        refused(f, IOV_RET_EXISTS, 0, "volume v0 is taken by d0/1");
        begin(f, IOV_GENERATION_ANY, 0);
        set_read_only(f, "d9", 7, "shared", 2);
        refused(f, IOV_RET_INVALID_INPUT, 0, "read_only is 2");
}

static void test_luns_and_drives(void **state) {
        struct fixture *f = *state;

        set_vadapter(f, "h0", "hba0", "", 0, "");
        set_vadapter(f, "r0", "raid0", "", 0, "");
        set_volume(f, "v1", "ssd1", 4096);
        set_volume(f, "v2", "raid0", 4096);
        set_member(f, IOV_KIND_LUN, "h0", 0, "v1");
        set_member(f, IOV_KIND_DRIVE, "r0", 0, "v2");
        commit(f);
        assert_int_equal(strlen(vadapter(f, "h0")->wwpn), 23);
        assert_string_not_equal(vadapter(f, "h0")->wwpn, vadapter(f, "h0")->wwnn);

        begin(f, IOV_GENERATION_ANY, 0);
        set_member(f, IOV_KIND_LUN, "h0", 1, "v0");
        refused(f, IOV_RET_EXISTS, 0, "volume v0 is taken by d0/1");
        begin(f, IOV_GENERATION_ANY, 0);
        set_member(f, IOV_KIND_LUN, "d0", 1, "v1");
        refused(f, IOV_RET_INVALID_INPUT, 0, "ssd0 is a ssd, it has no luns");
        begin(f, IOV_GENERATION_ANY, 0);
        set_volume(f, "v3", "ssd0", 4096);
        set_member(f, IOV_KIND_DRIVE, "r0", 1, "v3");
        refused(f, IOV_RET_INVALID_INPUT, 1, "volume v3 is on ssd0");
        begin(f, IOV_GENERATION_ANY, 0);
        remove_object(f, IOV_KIND_VADAPTER, "h0");
        remove_object(f, IOV_KIND_VADAPTER, "r0");
        commit(f);
        assert_int_equal(iov_model_count(f->model, IOV_KIND_LUN), 0);
        assert_int_equal(iov_model_count(f->model, IOV_KIND_DRIVE), 0);
}

static void test_rename(void **state) {
        struct fixture *f = *state;
        uint64_t id = vadapter(f, "d0")->id;
        char serial[24];

        memcpy(serial, vadapter(f, "d0")->serial, sizeof(serial));
        assert_int_equal(rename_object(f, IOV_KIND_SERVER, "a", "alpha"), 0);
        assert_int_equal(rename_object(f, IOV_KIND_VADAPTER, "d0", "disk"), 0);
        assert_int_equal(rename_object(f, IOV_KIND_VOLUME, "v0", "data"), 0);
        commit(f);
        assert_int_equal(f->changed, 3);
        assert_null(iov_model_get(f->model, IOV_KIND_SERVER, "a"));
        assert_string_equal(vadapter(f, "disk")->at_server, "alpha");
        assert_string_equal(vadapter(f, "disk")->serial, serial);
        assert_int_equal(vadapter(f, "disk")->id, id);
        assert_string_equal(iov_namespace_get(f->model, "disk", 1)->volume, "data");
        assert_null(iov_namespace_get(f->model, "d0", 1));
        assert_int_equal(iov_model_count(f->model, IOV_KIND_IDENTITY), 0); /* nothing was released */

        begin(f, IOV_GENERATION_ANY, 0);
        assert_int_equal(rename_object(f, IOV_KIND_SERVER, "b", "alpha"), 0);
        refused(f, IOV_RET_EXISTS, 0, "there is a server alpha already");
        begin(f, IOV_GENERATION_ANY, 0);
        assert_int_equal(rename_object(f, IOV_KIND_SERVER, "c", "gamma"), 0);
        refused(f, IOV_RET_NOT_FOUND, 0, "there is no server c to rename");
        assert_int_equal(rename_object(f, IOV_KIND_SERVER, "b", "not a name"), -EBADMSG);
        assert_int_equal(rename_object(f, IOV_KIND_NAMESPACE, "disk/1", "disk/2"), -EBADMSG);
}

/* What a volume must not do it must not do under another name either. */
static void test_rename_and_change(void **state) {
        struct fixture *f = *state;

        assert_int_equal(rename_object(f, IOV_KIND_VOLUME, "v0", "data"), 0);
        set_volume(f, "data", "ssd0", 4096);
        refused(f, IOV_RET_UNSUPPORTED, 0, "volume v0: it has 64KiB and does not shrink to 4KiB");
        begin(f, 1, 0);
        assert_int_equal(rename_object(f, IOV_KIND_VOLUME, "v0", "data"), 0);
        set_volume(f, "data", "ssd0", 131072);
        commit(f);
}

static void test_rename_profile(void **state) {
        struct fixture *f = *state;

        set_vadapter(f, "d1", "ssd0", "", 0, "");
        set_profile(f, "web");
        set_member(f, IOV_KIND_PROFILE_SLOT, "web", 3, "d1");
        wear(f, "b", 1, "web");
        assert_int_equal(rename_object(f, IOV_KIND_PROFILE, "web", "www"), 0);
        assert_int_equal(rename_object(f, IOV_KIND_VADAPTER, "d1", "e1"), 0);
        commit(f);
        assert_string_equal(vadapter(f, "e1")->at_server, "b");
        assert_string_equal(vadapter(f, "e1")->profile, "www");
        assert_non_null(iov_member_get(f->model, IOV_KIND_PROFILE_SLOT, "www", 3));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_profile_places_its_vadapters, setup, teardown),
                cmocka_unit_test_setup_teardown(test_profile_rules, setup, teardown),
                cmocka_unit_test_setup_teardown(test_networks, setup, teardown),
                cmocka_unit_test_setup_teardown(test_malformed_records, setup, teardown),
                cmocka_unit_test_setup_teardown(test_read_only, setup, teardown),
                cmocka_unit_test_setup_teardown(test_luns_and_drives, setup, teardown),
                cmocka_unit_test_setup_teardown(test_rename, setup, teardown),
                cmocka_unit_test_setup_teardown(test_rename_and_change, setup, teardown),
                cmocka_unit_test_setup_teardown(test_rename_profile, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
