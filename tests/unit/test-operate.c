/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Links, faults on demand and adapters, as records of the model. */
#include "transaction-fixture.h"

#include "iove/adapters.h"
#include "iove/faults.h"
#include "iove/links.h"

static const struct iov_link *get_link(const struct fixture *f, const char *name) {
        const struct iov_link *l = iov_model_get(f->model, IOV_KIND_LINK, name);

        assert_non_null(l);
        return l;
}

static int control_link(struct fixture *f, uint32_t link, uint32_t action) {
        const struct iov_mb_link_control request = {.link = link, .action = action};
        int r = links_control(f->model, &request, &f->refusal);

        return r < 0 ? r : links_derive(f->model);
}

static int add_fault(struct fixture *f, uint32_t type, const char *object, uint64_t first, uint64_t count, uint64_t value,
                     struct iov_fault *ret_fault) {
        struct iov_fault fault = {.type = type, .first = first, .count = count, .value = value, .hits = 99};

        field_set(fault.object, sizeof(fault.object), object);
        int r = faults_add(f->model, &fault, false, &f->refusal);
        *ret_fault = fault;
        return r;
}

static const struct iov_vadapter *d0(const struct fixture *f) {
        return iov_model_get(f->model, IOV_KIND_VADAPTER, "d0");
}

static void test_links_follow_servers(void **state) {
        struct fixture *f = *state;

        assert_int_equal(links_derive(f->model), 0);
        assert_int_equal(iov_model_count(f->model, IOV_KIND_LINK), 4);
        assert_int_equal(get_link(f, "0")->state, IOV_LINK_L0);
        assert_string_equal(get_link(f, "1")->server, "b");
        assert_int_equal(get_link(f, "1")->speed, LINK_SPEED);
        assert_int_equal(get_link(f, "3")->state, IOV_LINK_DETECT);
        assert_int_equal(get_link(f, "3")->width, 0);
        assert_int_equal(get_link(f, "3")->max_width, LINK_WIDTH);
        /* A smaller chassis has fewer. */
        iov_model_set_links(f->model, 2, 8);
        assert_int_equal(links_derive(f->model), 0);
        assert_int_equal(iov_model_count(f->model, IOV_KIND_LINK), 2);
}

static void test_down_and_up(void **state) {
        struct fixture *f = *state;

        assert_int_equal(links_derive(f->model), 0);
        assert_true(iov_vadapter_is_reachable(f->model, d0(f)));
        assert_int_equal(control_link(f, 0, IOV_LINK_DOWN), 0);
        assert_int_equal(get_link(f, "0")->state, IOV_LINK_DISABLED);
        assert_int_equal(get_link(f, "0")->speed, 0);
        assert_false(iov_vadapter_is_reachable(f->model, d0(f)));
        assert_int_equal(links_derive(f->model), 0); /* it stays so */
        assert_false(iov_vadapter_is_reachable(f->model, d0(f)));
        assert_int_equal(control_link(f, 0, IOV_LINK_RETRAIN), -EBADMSG);
        assert_int_equal(f->refusal.code, IOV_RET_INVALID_INPUT);
        assert_int_equal(control_link(f, 0, IOV_LINK_UP), 0);
        assert_true(iov_vadapter_is_reachable(f->model, d0(f)));
        assert_int_equal(control_link(f, 0, IOV_LINK_RETRAIN), 0);
        assert_int_equal(get_link(f, "0")->retrains, 1);
        assert_int_equal(get_link(f, "0")->state, IOV_LINK_L0);
        assert_int_equal(control_link(f, 4, IOV_LINK_UP), -EBADMSG);
        assert_int_equal(f->refusal.code, IOV_RET_NOT_FOUND);
        assert_int_equal(control_link(f, 0, 9), -EBADMSG);
}

static void test_faults_cut_off(void **state) {
        struct fixture *f = *state;
        struct iov_fault fault;

        assert_int_equal(links_derive(f->model), 0);
        assert_int_equal(add_fault(f, IOV_FAULT_LINK_DOWN, "a", 1, 2, 3, &fault), 0);
        assert_string_equal(fault.name, "1");
        assert_int_equal(fault.hits, 0);
        assert_int_equal(fault.value, 0);
        assert_int_equal(links_derive(f->model), 0);
        assert_int_equal(get_link(f, "0")->state, IOV_LINK_DETECT);
        assert_false(iov_vadapter_is_reachable(f->model, d0(f)));
        assert_int_equal(faults_clear(f->model, "1", &f->refusal), 0);
        assert_int_equal(links_derive(f->model), 0);
        assert_true(iov_vadapter_is_reachable(f->model, d0(f)));
        assert_int_equal(add_fault(f, IOV_FAULT_SURPRISE_REMOVAL, "d0", 0, 0, 0, &fault), 0);
        assert_false(iov_vadapter_is_reachable(f->model, d0(f)));
        assert_int_equal(get_link(f, "0")->state, IOV_LINK_L0);
        assert_int_equal(faults_clear(f->model, "", &f->refusal), 0);
        assert_true(iov_vadapter_is_reachable(f->model, d0(f)));
}

static void refused_fault(struct fixture *f, uint32_t type, const char *object, uint64_t first, uint64_t count, uint64_t value,
                          enum iov_retcode code) {
        struct iov_fault fault;

        assert_int_equal(add_fault(f, type, object, first, count, value, &fault), -EBADMSG);
        assert_int_equal(f->refusal.code, code);
        assert_int_equal(iov_model_count(f->model, IOV_KIND_FAULT), 0);
}

static void test_faults_are_judged(void **state) {
        struct fixture *f = *state;
        struct iov_fault fault = {.type = IOV_FAULT_VOLUME_FULL, .object = "v0"};

        refused_fault(f, 0, "", 0, 0, 0, IOV_RET_INVALID_INPUT);
        refused_fault(f, 99, "", 0, 0, 0, IOV_RET_INVALID_INPUT);
        refused_fault(f, IOV_FAULT_LINK_DOWN, "v0", 0, 0, 0, IOV_RET_NOT_FOUND);
        refused_fault(f, IOV_FAULT_MEDIA_ERROR, "v0", 127, 2, 0, IOV_RET_INVALID_INPUT); /* of 128 blocks */
        refused_fault(f, IOV_FAULT_MEDIA_ERROR, "v0", UINT64_MAX, 2, 0, IOV_RET_INVALID_INPUT);
        refused_fault(f, IOV_FAULT_MEDIA_ERROR, "v0", 1, UINT64_MAX, 0, IOV_RET_INVALID_INPUT);
        refused_fault(f, IOV_FAULT_MEDIA_ERROR, "v0", 1, 0, 0, IOV_RET_INVALID_INPUT);
        refused_fault(f, IOV_FAULT_LATENCY, "d0", 0, 0, 0, IOV_RET_INVALID_INPUT);
        refused_fault(f, IOV_FAULT_LATENCY, "d0", 0, 0, FAULT_DELAY_MAX + 1, IOV_RET_INVALID_INPUT);
        refused_fault(f, IOV_FAULT_MAILBOX_TIMEOUT, "d0", 0, 0, 1, IOV_RET_INVALID_INPUT);
        refused_fault(f, IOV_FAULT_MAILBOX_TIMEOUT, "", 0, 0, 0, IOV_RET_INVALID_INPUT);
        assert_int_equal(faults_add(f->model, &fault, true, &f->refusal), -EBADMSG);
        assert_int_equal(f->refusal.code, IOV_RET_UNSUPPORTED);
        memset(fault.object, 'x', sizeof(fault.object));
        assert_int_equal(faults_add(f->model, &fault, false, &f->refusal), -EBADMSG);
        assert_int_equal(faults_clear(f->model, "1", &f->refusal), -EBADMSG);
        assert_int_equal(f->refusal.code, IOV_RET_NOT_FOUND);
        assert_int_equal(add_fault(f, IOV_FAULT_MEDIA_ERROR, "v0", 127, 1, 0, &fault), 0);
}

static void test_faults_end(void **state) {
        struct fixture *f = *state;
        struct iov_fault fault;

        assert_int_equal(add_fault(f, IOV_FAULT_VOLUME_FULL, "v0", 0, 0, 0, &fault), 0);
        assert_int_equal(add_fault(f, IOV_FAULT_LATENCY, "d0", 0, 0, 5, &fault), 0);
        assert_int_equal(add_fault(f, IOV_FAULT_MAILBOX_TIMEOUT, "", 0, 0, 1, &fault), 0);
        assert_string_equal(fault.name, "3");
        assert_int_equal(faults_prune(f->model), 0);
        fault.value = 0; /* it has struck once */
        assert_int_equal(iov_model_set(f->model, IOV_KIND_FAULT, &fault), 0);
        assert_int_equal(iov_model_remove(f->model, IOV_KIND_VOLUME, "v0"), 0);
        assert_int_equal(faults_prune(f->model), 2);
        assert_int_equal(iov_model_count(f->model, IOV_KIND_FAULT), 1);
        assert_non_null(faults_find(f->model, IOV_FAULT_LATENCY, "d0"));
        /* The table is full some day. */
        while (iov_model_count(f->model, IOV_KIND_FAULT) < IOV_FAULT_MAX)
                assert_int_equal(add_fault(f, IOV_FAULT_LATENCY, "d0", 0, 0, 5, &fault), 0);
        assert_int_equal(add_fault(f, IOV_FAULT_LATENCY, "d0", 0, 0, 5, &fault), -EBADMSG);
        assert_int_equal(f->refusal.code, IOV_RET_LIMIT);
}

static void test_adapters(void **state) {
        struct fixture *f = *state;
        struct iov_adapter a = {.kind = IOV_ADAPTER_SSD, .capacity = 4096, .allocated = 7, .supported = 1, .name = "ssd9"};

        assert_int_equal(adapters_insert(f->model, &a, &f->refusal), 0);
        const struct iov_adapter *made = iov_model_get(f->model, IOV_KIND_ADAPTER, "ssd9");
        assert_int_equal(made->capacity, 4096);
        assert_int_equal(made->allocated, 0); /* not the operator's to say */
        assert_int_equal(adapters_insert(f->model, &a, &f->refusal), -EBADMSG);
        assert_int_equal(f->refusal.code, IOV_RET_EXISTS);
        assert_int_equal(adapters_remove(f->model, "ssd9", &f->refusal), 0);
        assert_int_equal(adapters_remove(f->model, "ssd9", &f->refusal), -EBADMSG);
        assert_int_equal(f->refusal.code, IOV_RET_NOT_FOUND);
        assert_int_equal(adapters_remove(f->model, "ssd0", &f->refusal), -EBADMSG);
        assert_int_equal(f->refusal.code, IOV_RET_BUSY);
        a.kind = 99;
        assert_int_equal(adapters_insert(f->model, &a, &f->refusal), -EBADMSG);
        a.kind = IOV_ADAPTER_SSD;
        memset(a.model, 'x', sizeof(a.model));
        assert_int_equal(adapters_insert(f->model, &a, &f->refusal), -EBADMSG);
        memset(a.model, 0, sizeof(a.model));
        memset(a.name, 'x', sizeof(a.name));
        assert_int_equal(adapters_insert(f->model, &a, &f->refusal), -EBADMSG);
        assert_int_equal(f->refusal.code, IOV_RET_INVALID_INPUT);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_links_follow_servers, setup, teardown),
                cmocka_unit_test_setup_teardown(test_down_and_up, setup, teardown),
                cmocka_unit_test_setup_teardown(test_faults_cut_off, setup, teardown),
                cmocka_unit_test_setup_teardown(test_faults_are_judged, setup, teardown),
                cmocka_unit_test_setup_teardown(test_faults_end, setup, teardown),
                cmocka_unit_test_setup_teardown(test_adapters, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
