/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>

#include "util.h"
#include "yaml-helper.h"

#define HEAD "version: 1\nkind: topology\n"

/* The plan as text: one line a step, `+ kind name`, `- ...` or `~ ...`. The caller frees it. */
static char *plan_text(const char *have_text, const char *want_text, unsigned int flags) {
        struct iov_model *have = helper_topology(have_text), *want = helper_topology(want_text);
        struct iov_plan *plan = NULL;
        char *text = NULL;
        size_t length = 0;
        FILE *stream = open_memstream(&text, &length);

        assert_int_equal(iov_plan_new(have, want, flags, &plan), 0);
        /* The plan holds the models. */
        iov_model_unref(have);
        iov_model_unref(want);
        for (size_t i = 0; i < iov_plan_count(plan); i++) {
                const struct iov_plan_step *step = iov_plan_get(plan, i);

                assert_true(step->have || step->want);
                if (step->have && step->want)
                        assert_string_equal((const char *)step->have, (const char *)step->want);
                fprintf(stream, "%c %s %s\n",
                        !step->have  ? '+'
                        : step->want ? '~'
                                     : '-',
                        iov_records_get(step->kind)->name, (const char *)(step->want ? step->want : step->have));
        }
        assert_null(iov_plan_get(plan, iov_plan_count(plan)));
        assert_null(iov_plan_unref(plan));
        assert_int_equal(fclose(stream), 0);
        return text;
}

static void check(const char *have, const char *want, unsigned int flags, const char *expected) {
        char *text = plan_text(have, want, flags);

        assert_string_equal(text, expected);
        free(text);
}

#define RACK                                                                                                                     \
        HEAD "servers: {web: {link: 0}, db: {link: 1}}\n"                                                                        \
             "volumes: {v: {adapter: ssd0, size: 1GiB}, w: {adapter: ssd0, size: 1GiB}}\n"                                       \
             "vadapters:\n"                                                                                                      \
             "  d: {adapter: ssd0, namespaces: [{volume: v}, {volume: w}], attach: {server: web, slot: 0}}\n"                    \
             "  c: {adapter: ssd0, attach: {server: db, slot: 0}}\n"

static void test_create(void **state) {
        check(HEAD, RACK, 0,
              "+ volume v\n+ volume w\n+ server db\n+ server web\n+ vadapter c\n+ vadapter d\n+ namespace d/1\n+ namespace "
              "d/2\n");
}

static void test_same(void **state) {
        check(RACK, RACK, 0, "");
        check(RACK, RACK, IOV_PLAN_PRUNE, "");
        check(HEAD, HEAD, IOV_PLAN_PRUNE, "");
}

static void test_prune(void **state) {
        check(RACK, HEAD, 0, "");
        check(RACK, HEAD, IOV_PLAN_PRUNE,
              "- namespace d/1\n- namespace d/2\n- vadapter c\n- vadapter d\n- server db\n- server web\n- volume v\n- volume "
              "w\n");
}

static void test_change(void **state) {
        check(RACK,
              HEAD "servers: {web: {link: 5}}\n"
                   "volumes: {v: {adapter: ssd0, size: 1GiB, on_remove: retain}, x: {adapter: ssd0, size: 1GiB}}\n"
                   "vadapters: {d: {adapter: ssd0, namespaces: [{volume: v}, {volume: x}], attach: {server: web, slot: 1}}}\n",
              0, "~ volume v\n+ volume x\n~ server web\n~ vadapter d\n~ namespace d/2\n");
}

/* A vAdapter's list of namespaces is the whole of it, pruning or not; other vAdapters keep theirs. */
static void test_namespace_list(void **state) {
        check(RACK, HEAD "vadapters: {d: {adapter: ssd0, namespaces: [{volume: v}], attach: {server: web, slot: 0}}}\n", 0,
              "- namespace d/2\n");
        check(RACK, HEAD "vadapters: {c: {adapter: ssd0, attach: {server: db, slot: 0}}}\n", 0, "");
        check(RACK, HEAD "vadapters: {d: {adapter: ssd0, attach: {server: web, slot: 0}}}\n", 0,
              "- namespace d/1\n- namespace d/2\n");
}

static void test_detach(void **state) {
        check(RACK, HEAD "vadapters: {c: {adapter: ssd0}}\n", 0, "~ vadapter c\n");
}

/* have: with the serial that the appliance chose; want: auto, and in another slot where `slot` is not 0. */
static struct iov_plan *auto_plan(const char *have_serial, const char *want_serial, uint32_t slot) {
        struct iov_model *have = helper_model(), *want = helper_model();
        struct iov_vadapter v = {.name = "d", .adapter = "ssd0", .server = "web"};
        struct iov_plan *plan = NULL;

        field_set(v.serial, sizeof(v.serial), have_serial);
        v.id = 7;
        v.chosen = strncmp(have_serial, "AUTO", 4) == 0 ? 1u << IOV_IDENTITY_SERIAL : 0;
        v.state = IOV_VADAPTER_CONNECTED;
        assert_int_equal(iov_model_set(have, IOV_KIND_VADAPTER, &v), 0);
        v = (struct iov_vadapter){.name = "d", .adapter = "ssd0", .server = "web", .slot = slot};
        field_set(v.serial, sizeof(v.serial), want_serial);
        assert_int_equal(iov_model_set(want, IOV_KIND_VADAPTER, &v), 0);
        assert_int_equal(iov_plan_new(have, want, 0, &plan), 0);
        iov_model_unref(have);
        iov_model_unref(want);
        return plan;
}

static void test_auto_serial(void **state) {
        struct iov_plan *plan = auto_plan("AUTO123", "", 0);

        assert_int_equal(iov_plan_count(plan), 0);
        iov_plan_unref(plan);

        plan = auto_plan("AUTO123", "", 4);
        assert_int_equal(iov_plan_count(plan), 1);
        const struct iov_vadapter *want = iov_plan_get(plan, 0)->want;
        assert_string_equal(want->serial, "AUTO123");
        assert_int_equal(want->slot, 4);
        iov_plan_unref(plan);

        plan = auto_plan("AUTO123", "MINE", 0);
        assert_int_equal(iov_plan_count(plan), 1);
        assert_string_equal(((const struct iov_vadapter *)iov_plan_get(plan, 0)->want)->serial, "MINE");
        iov_plan_unref(plan);
}

/* A slot means nothing without a server. */
static void test_stale_slot(void **state) {
        struct iov_model *have = helper_model(), *want = helper_model();
        struct iov_vadapter v = {.name = "d", .adapter = "ssd0", .slot = 5};
        struct iov_plan *plan = NULL;

        assert_int_equal(iov_model_set(have, IOV_KIND_VADAPTER, &v), 0);
        v.slot = 0;
        assert_int_equal(iov_model_set(want, IOV_KIND_VADAPTER, &v), 0);
        assert_int_equal(iov_plan_new(have, want, 0, &plan), 0);
        assert_int_equal(iov_plan_count(plan), 0);
        iov_plan_unref(plan);
        iov_model_unref(have);
        iov_model_unref(want);
}

/* Adapters are hardware: no plan has them. */
static void test_no_adapters(void **state) {
        struct iov_model *have = helper_model(), *want = helper_model();
        struct iov_plan *plan = NULL;

        assert_int_equal(iov_chassis_builtin(have), 0);
        assert_int_equal(iov_plan_new(have, want, IOV_PLAN_PRUNE, &plan), 0);
        assert_int_equal(iov_plan_count(plan), 0);
        iov_plan_unref(plan);
        assert_int_equal(iov_plan_new(want, have, 0, &plan), 0);
        assert_int_equal(iov_plan_count(plan), 0);
        iov_plan_unref(plan);
        iov_model_unref(have);
        iov_model_unref(want);
}

/* ---- carried out on a copy, a plan makes what was wanted ---- */

static void random_model(uint64_t *seed, struct iov_model *m) {
        for (unsigned int i = 0; i < 6; i++) {
                struct iov_server server = {.link = helper_random(seed) % 3};
                struct iov_volume volume = {.adapter = "ssd0", .size = (uint64_t)(1 + helper_random(seed) % 2) << 30};
                struct iov_vadapter v = {.adapter = "ssd0", .slot = helper_random(seed) % 3};
                struct iov_namespace ns = {0};

                snprintf(server.name, sizeof(server.name), "s%u", i);
                snprintf(volume.name, sizeof(volume.name), "v%u", i);
                snprintf(v.name, sizeof(v.name), "d%u", i);
                snprintf(v.server, sizeof(v.server), "s%u", i % 2);
                if (helper_random(seed) % 2)
                        assert_int_equal(iov_model_set(m, IOV_KIND_SERVER, &server), 0);
                if (helper_random(seed) % 2)
                        assert_int_equal(iov_model_set(m, IOV_KIND_VOLUME, &volume), 0);
                if (helper_random(seed) % 2)
                        continue;
                assert_int_equal(iov_model_set(m, IOV_KIND_VADAPTER, &v), 0);
                for (uint32_t nsid = 1; nsid < 4; nsid++) {
                        assert_int_equal(iov_namespace_init(&ns, v.name, nsid), 0);
                        snprintf(ns.volume, sizeof(ns.volume), "v%u", helper_random(seed) % 3);
                        if (helper_random(seed) % 2)
                                assert_int_equal(iov_model_set(m, IOV_KIND_NAMESPACE, &ns), 0);
                }
        }
}

static void test_applied(void **state) {
        for (uint64_t round = 0; round < 300; round++) {
                uint64_t seed = round;
                struct iov_model *have = helper_model(), *want = helper_model(), *now = NULL;
                struct iov_plan *plan = NULL;

                random_model(&seed, have);
                random_model(&seed, want);
                assert_int_equal(iov_plan_new(have, want, IOV_PLAN_PRUNE, &plan), 0);
                assert_int_equal(iov_model_clone(have, &now), 0);
                for (size_t i = 0; i < iov_plan_count(plan); i++) {
                        const struct iov_plan_step *step = iov_plan_get(plan, i);

                        assert_ptr_equal(step->have, iov_model_get(have, step->kind, step->have ? step->have : step->want));
                        assert_int_equal(step->want ? iov_model_set(now, step->kind, step->want)
                                                    : iov_model_remove(now, step->kind, step->have),
                                         0);
                }
                helper_assert_same(now, want);
                iov_plan_unref(plan);
                /* A second time, there is nothing to do. */
                assert_int_equal(iov_plan_new(now, want, IOV_PLAN_PRUNE, &plan), 0);
                assert_int_equal(iov_plan_count(plan), 0);
                iov_plan_unref(plan);
                iov_model_unref(have);
                iov_model_unref(want);
                iov_model_unref(now);
        }
}

/* A vAdapter that becomes one of other hardware gets the identities of that. */
static void test_other_hardware(void **state) {
        struct iov_model *have = helper_topology(HEAD "vadapters: {a: {adapter: nic0}, b: {adapter: ssd0}}\n"),
                         *want = helper_topology(HEAD "vadapters: {a: {adapter: ssd0}, b: {adapter: ssd1}}\n");
        struct iov_adapter adapter = {.kind = IOV_ADAPTER_NIC};
        struct iov_plan *plan = NULL;

        field_set(adapter.name, sizeof(adapter.name), "nic0");
        assert_int_equal(iov_model_set(have, IOV_KIND_ADAPTER, &adapter), 0);
        adapter.kind = IOV_ADAPTER_SSD;
        field_set(adapter.name, sizeof(adapter.name), "ssd0");
        assert_int_equal(iov_model_set(have, IOV_KIND_ADAPTER, &adapter), 0);
        field_set(adapter.name, sizeof(adapter.name), "ssd1");
        assert_int_equal(iov_model_set(have, IOV_KIND_ADAPTER, &adapter), 0);
        struct iov_vadapter v = *(const struct iov_vadapter *)iov_model_get(have, IOV_KIND_VADAPTER, "a");
        field_set(v.mac, sizeof(v.mac), "02:00:00:00:00:01");
        v.chosen = 1u << IOV_IDENTITY_MAC;
        assert_int_equal(iov_model_set(have, IOV_KIND_VADAPTER, &v), 0);
        v = *(const struct iov_vadapter *)iov_model_get(have, IOV_KIND_VADAPTER, "b");
        field_set(v.serial, sizeof(v.serial), "CHOSEN");
        v.chosen = 1u << IOV_IDENTITY_SERIAL;
        assert_int_equal(iov_model_set(have, IOV_KIND_VADAPTER, &v), 0);
        assert_int_equal(iov_plan_new(have, want, 0, &plan), 0);
        assert_int_equal(iov_plan_count(plan), 2);
        const struct iov_vadapter *a = iov_plan_get(plan, 0)->want, *b = iov_plan_get(plan, 1)->want;
        assert_string_equal(a->name, "a");
        assert_string_equal(a->mac, "");
        /* Of the same kind it is the same device in another place. */
        assert_string_equal(b->serial, "CHOSEN");
        iov_plan_unref(plan);
        iov_model_unref(have);
        iov_model_unref(want);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_other_hardware), cmocka_unit_test(test_create),      cmocka_unit_test(test_same),
                cmocka_unit_test(test_prune),          cmocka_unit_test(test_change),      cmocka_unit_test(test_namespace_list),
                cmocka_unit_test(test_detach),         cmocka_unit_test(test_auto_serial), cmocka_unit_test(test_stale_slot),
                cmocka_unit_test(test_no_adapters),    cmocka_unit_test(test_applied),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
