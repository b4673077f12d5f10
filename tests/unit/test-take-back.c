/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Going back from a commit that was not confirmed. */
#include "transaction-fixture.h"

#include "iove/take-back.h"

static struct iov_model *keep(const struct fixture *f) {
        struct iov_model *then = NULL;

        assert_int_equal(iov_model_clone(f->model, &then), 0);
        return then;
}

static uint32_t take_back(struct fixture *f, const struct iov_model *then) {
        const struct iove_limits limits = {.now_ns = f->now_ns + 1, .run_dir_length = strlen("/run/iov")};
        struct iov_model *candidate = NULL;
        uint32_t changed = 0;

        assert_int_equal(iove_take_back(f->model, then, &limits, &candidate, &changed, &f->refusal), 0);
        iov_model_unref(f->model);
        f->model = candidate;
        return changed;
}

static void same_configuration(const struct iov_model *a, const struct iov_model *b) {
        const enum iov_kind *kinds;
        size_t n = iov_config_kinds(&kinds);
        const void *record;

        for (size_t k = 0; k < n; k++) {
                assert_int_equal(iov_model_count(a, kinds[k]), iov_model_count(b, kinds[k]));
                iov_model_foreach (a, kinds[k], record) {
                        const void *other = iov_model_get(b, kinds[k], record);

                        assert_non_null(other);
                        assert_true(iov_record_same_config(kinds[k], record, other));
                }
        }
}

static void test_removed_comes_back_as_it_was(void **state) {
        struct fixture *f = *state;
        struct iov_model *then = keep(f);
        const struct iov_vadapter *d0 = iov_model_get(then, IOV_KIND_VADAPTER, "d0");
        const struct iov_volume *v0 = iov_model_get(then, IOV_KIND_VOLUME, "v0");

        remove_object(f, IOV_KIND_NAMESPACE, "d0/1");
        remove_object(f, IOV_KIND_VADAPTER, "d0");
        remove_object(f, IOV_KIND_VOLUME, "v0");
        set_volume(f, "v0", "ssd1", 4096); /* another of that name */
        set_server(f, "c", 2);
        commit(f);
        assert_int_equal(iov_model_count(f->model, IOV_KIND_VADAPTER), 0);
        assert_int_equal(take_back(f, then), 4); /* c goes; v0, d0 and its namespace are others or come back */
        same_configuration(f->model, then);
        assert_int_equal(((const struct iov_vadapter *)iov_model_get(f->model, IOV_KIND_VADAPTER, "d0"))->id, d0->id);
        assert_int_equal(((const struct iov_volume *)iov_model_get(f->model, IOV_KIND_VOLUME, "v0"))->id, v0->id);
        iov_model_unref(then);
}

static void test_growth_is_undone_under_a_running_server(void **state) {
        struct fixture *f = *state;
        struct iov_vadapter running = *(const struct iov_vadapter *)iov_model_get(f->model, IOV_KIND_VADAPTER, "d0");
        struct iov_model *then = keep(f);

        begin(f, 1, IOV_TXN_FORCE);
        set_volume(f, "v0", "ssd0", 131072);
        commit(f);
        running.state = IOV_VADAPTER_CONNECTED;
        running.peer_pid = 7;
        assert_int_equal(iov_model_set(f->model, IOV_KIND_VADAPTER, &running), 0);
        assert_int_equal(take_back(f, then), 1);
        same_configuration(f->model, then);
        /* What is true of the server now stays true. */
        assert_int_equal(((const struct iov_vadapter *)iov_model_get(f->model, IOV_KIND_VADAPTER, "d0"))->peer_pid, 7);
        iov_model_unref(then);
}

static void test_the_ledger_is_kept(void **state) {
        struct fixture *f = *state;
        struct iov_model *then = keep(f);

        set_vadapter(f, "d0", "ssd0", "a", 0, "OTHER");
        commit(f);
        size_t before = iov_model_count(f->model, IOV_KIND_IDENTITY);
        assert_true(before > 0);
        take_back(f, then);
        same_configuration(f->model, then);
        /* Both have been released once. */
        assert_int_equal(iov_model_count(f->model, IOV_KIND_IDENTITY), before + 1);
        iov_model_unref(then);
}

static void test_what_the_rules_forbid_is_refused(void **state) {
        struct fixture *f = *state;
        const struct iove_limits limits = {.now_ns = f->now_ns, .run_dir_length = strlen("/run/iov")};
        struct iov_model *then = keep(f), *candidate = NULL;
        uint32_t changed = 0;

        /* The adapter has gone meanwhile. */
        remove_object(f, IOV_KIND_NAMESPACE, "d0/1");
        remove_object(f, IOV_KIND_VADAPTER, "d0");
        remove_object(f, IOV_KIND_VOLUME, "v0");
        commit(f);
        assert_int_equal(iov_model_remove(f->model, IOV_KIND_ADAPTER, "ssd0"), 0);
        assert_int_equal(iove_take_back(f->model, then, &limits, &candidate, &changed, &f->refusal), -EBADMSG);
        assert_null(candidate);
        assert_non_null(strstr(f->refusal.errors[0].text, "ssd0"));
        iov_model_unref(then);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_removed_comes_back_as_it_was, setup, teardown),
                cmocka_unit_test_setup_teardown(test_growth_is_undone_under_a_running_server, setup, teardown),
                cmocka_unit_test_setup_teardown(test_the_ledger_is_kept, setup, teardown),
                cmocka_unit_test_setup_teardown(test_what_the_rules_forbid_is_refused, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
