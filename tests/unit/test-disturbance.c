/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which server loses which device by a plan. */
#include <errno.h>

#include "util.h"
#include "yaml-helper.h"

#define HEAD "version: 1\nkind: topology\n"
#define RACK                                                                                                                     \
        HEAD "servers: {web: {link: 0}, db: {link: 1, profile: p}, off: {link: 2}}\n"                                            \
             "networks: {n: {adapter: nic0}}\n"                                                                                  \
             "volumes: {v: {adapter: ssd0, size: 1GiB}, w: {adapter: ssd0, size: 1GiB}, x: {adapter: ssd0, size: 1GiB}}\n"       \
             "qos: {gold: {weight: 500}}\n"

#define DISK "  disk: {adapter: ssd0, qos: gold, namespaces: [{volume: v}], attach: {server: web, slot: 0}}\n"
#define WORN "  worn: {adapter: ssd0, namespaces: [{volume: w}]}\n"
#define REST                                                                                                                     \
        "  net: {adapter: nic0, network: n, attach: {server: web, slot: 1}}\n"                                                   \
        "  asleep: {adapter: ssd0, namespaces: [{volume: x}], attach: {server: off, slot: 0}}\n"                                 \
        "profiles: {p: {slots: {3: worn}}, q: {}}\n"
#define ALL RACK "vadapters:\n" DISK WORN REST

/* All servers but `off` run, and every object has the id that an appliance would give it. */
static struct iov_model *running(const char *text) {
        struct iov_model *model = helper_topology(text);
        const struct iov_vadapter *v;
        const struct iov_volume *volume;
        uint64_t id = 0;

        assert_int_equal(iov_model_derive(model), 0);
        iov_model_foreach (model, IOV_KIND_VOLUME, volume) {
                struct iov_volume copy = *volume;

                copy.id = ++id;
                assert_int_equal(iov_model_set(model, IOV_KIND_VOLUME, &copy), 0);
        }
        iov_model_foreach (model, IOV_KIND_VADAPTER, v) {
                struct iov_vadapter copy = *v;

                copy.id = ++id;
                copy.state = !*v->at_server                     ? IOV_VADAPTER_DETACHED
                             : strcmp(v->at_server, "off") == 0 ? IOV_VADAPTER_ATTACHED
                                                                : IOV_VADAPTER_CONNECTED;
                assert_int_equal(iov_model_set(model, IOV_KIND_VADAPTER, &copy), 0);
        }
        return model;
}

/* Lines of `KIND NAME: SERVER VADAPTER EFFECT`. The caller frees it. */
static char *disturbed_text(const struct iov_plan *plan) {
        struct iov_disturbed *list = NULL;
        size_t n = 0, length = 0;
        char *text = NULL;
        FILE *stream = open_memstream(&text, &length);

        assert_non_null(stream);
        assert_int_equal(iov_plan_disturbed(plan, &list, &n), 0);
        for (size_t i = 0; i < n; i++) {
                const struct iov_plan_step *step = iov_plan_get(plan, list[i].step);

                assert_non_null(step);
                assert_true(i == 0 || list[i - 1].step <= list[i].step);
                fprintf(stream, "%s %s: %s %s %s\n", iov_records_get(step->kind)->name,
                        (const char *)(step->want ? step->want : step->have), list[i].vadapter->at_server, list[i].vadapter->name,
                        iov_disturbance_to_string(list[i].disturbance));
        }
        free(list);
        assert_int_equal(fclose(stream), 0);
        return text;
}

static void check(const char *want_text, unsigned int flags, const char *expected) {
        struct iov_model *have = running(ALL), *want = helper_topology(want_text);
        struct iov_plan *plan = NULL;

        assert_int_equal(iov_plan_new(have, want, flags, &plan), 0);
        char *text = disturbed_text(plan);
        assert_string_equal(text, expected);
        free(text);
        iov_plan_unref(plan);
        iov_model_unref(have);
        iov_model_unref(want);
}

static void test_nothing(void **state) {
        check(ALL, IOV_PLAN_PRUNE, "");
        check(HEAD, 0, "");
        /* What is new is plugged into a slot that was empty. */
        check(HEAD "vadapters: {new: {adapter: ssd0, attach: {server: web, slot: 7}}}\n", 0, "");
        /* A server that is off is not disturbed. */
        check(HEAD "vadapters: {asleep: {adapter: ssd0, attach: {server: web, slot: 5}}}\n", 0, "");
        /* Nor is one by what it cannot see. */
        check(HEAD "volumes: {v: {adapter: ssd0, size: 1GiB, on_remove: retain}}\n", 0, "");
        check(HEAD "servers: {web: {link: 9}}\n", 0, "");
        check(HEAD "profiles: {q: {slots: {3: asleep}}}\n", 0, "");
}

static void test_live(void **state) {
        check(HEAD "qos: {gold: {weight: 100}}\n", 0, "qos gold: web disk live\n");
        check(HEAD "networks: {n: {adapter: nic0, mtu: 9000}}\n", 0, "network n: web net live\n");
        check(HEAD "vadapters: {net: {adapter: nic0, attach: {server: web, slot: 1}}}\n", 0, "vadapter net: web net live\n");
}

static void test_replug(void **state) {
        check(HEAD "vadapters: {disk: {adapter: ssd0, qos: gold, namespaces: [{volume: v}], attach: {server: web, slot: 2}}}\n",
              0, "vadapter disk: web disk replug\n");
        check(HEAD "vadapters: {disk: {adapter: ssd0, qos: gold, persona: {serial: NEW}, namespaces: [{volume: v}], "
                   "attach: {server: web, slot: 0}}}\n",
              0, "vadapter disk: web disk replug\n");
        check(HEAD "vadapters: {disk: {adapter: ssd0, qos: gold, interrupts: msi, namespaces: [{volume: v}], "
                   "attach: {server: web, slot: 0}}}\n",
              0, "vadapter disk: web disk replug\n");
        check(HEAD "vadapters: {disk: {adapter: ssd1, qos: gold, namespaces: [{volume: v}], attach: {server: web, slot: 0}}}\n",
              0, "vadapter disk: web disk replug\n");
        check(HEAD "volumes: {v: {adapter: ssd0, size: 2GiB}}\n", 0, "volume v: web disk live\n");
        check(HEAD "volumes: {y: {adapter: ssd0, size: 1GiB}}\n"
                   "vadapters: {disk: {adapter: ssd0, qos: gold, namespaces: [{volume: v}, {volume: y}], "
                   "attach: {server: web, slot: 0}}}\n",
              0, "namespace disk/2: web disk live\n");
        check(HEAD "profiles: {p: {slots: {4: worn}}}\n", 0,
              "profile_slot p/3: db worn replug\nprofile_slot p/4: db worn replug\n");
}

static void test_unplug(void **state) {
        check(HEAD "vadapters: {disk: {adapter: ssd0, qos: gold, namespaces: [{volume: v}]}}\n", 0,
              "vadapter disk: web disk unplug\n");
        check(HEAD "vadapters: {disk: {adapter: ssd0, qos: gold, namespaces: [{volume: v}], attach: {server: db, slot: 0}}}\n", 0,
              "vadapter disk: web disk unplug\n");
        check(HEAD "servers: {db: {link: 1}}\n", 0, "server db: db worn unplug\n");
        /* A profile that goes to another server. */
        check(HEAD "servers: {db: {link: 1}, off: {link: 2, profile: p}}\n", 0, "server db: db worn unplug\n");
        check(HEAD "profiles: {p: {}}\n", 0, "profile_slot p/3: db worn unplug\n");
        /* Namespaces and volumes of what goes are no loss of their own. */
        check(RACK "vadapters:\n" WORN REST, IOV_PLAN_PRUNE, "vadapter disk: web disk unplug\n");
        check(HEAD, IOV_PLAN_PRUNE,
              "profile_slot p/3: db worn unplug\nvadapter disk: web disk unplug\nvadapter net: web net unplug\n"
              "vadapter worn: db worn unplug\nserver db: db worn unplug\nserver web: web disk unplug\nserver web: web net "
              "unplug\n");
}

/* Each step is told of its own part alone. */
static void test_parts(void **state) {
        check(HEAD "qos: {gold: {weight: 1}}\nvadapters: {disk: {adapter: ssd0, qos: gold, namespaces: [{volume: v}]}}\n", 0,
              "vadapter disk: web disk unplug\n");
        /* Two that change places: both are in another slot then. */
        check(HEAD "vadapters:\n"
                   "  disk: {adapter: ssd0, qos: gold, namespaces: [{volume: v}], attach: {server: web, slot: 1}}\n"
                   "  net: {adapter: nic0, network: n, attach: {server: web, slot: 0}}\n",
              0, "vadapter disk: web disk replug\nvadapter net: web net replug\n");
        /* A profile put on beside one that is attached by itself, which moves too. */
        check(HEAD "servers: {web: {link: 0, profile: q}}\n"
                   "vadapters: {disk: {adapter: ssd0, qos: gold, namespaces: [{volume: v}], attach: {server: web, slot: 4}}}\n",
              0, "vadapter disk: web disk replug\n");
        /* From a profile to being attached by itself, in the same slot: nothing happens to the server. */
        check(HEAD "vadapters: {worn: {adapter: ssd0, namespaces: [{volume: w}], attach: {server: db, slot: 3}}}\n"
                   "profiles: {p: {}}\n",
              0, "");
}

/* The refusal of the appliance and the plan are the same judgement, on whole models. */
static void test_one_vadapter(void **state) {
        struct iov_model *have = running(ALL), *want = NULL;

        assert_int_equal(iov_model_clone(have, &want), 0);
        assert_int_equal(iov_vadapter_disturbance(have, want, "disk"), IOV_DISTURB_NONE);
        assert_int_equal(iov_vadapter_disturbance(have, want, "nobody"), IOV_DISTURB_NONE);
        /* A volume that was removed and made anew is another one. */
        struct iov_volume volume = *(const struct iov_volume *)iov_model_get(want, IOV_KIND_VOLUME, "v");
        volume.id = 99;
        assert_int_equal(iov_model_set(want, IOV_KIND_VOLUME, &volume), 0);
        assert_int_equal(iov_vadapter_disturbance(have, want, "disk"), IOV_DISTURB_LIVE);
        assert_int_equal(iov_model_remove(want, IOV_KIND_VADAPTER, "disk"), 0);
        assert_int_equal(iov_vadapter_disturbance(have, want, "disk"), IOV_DISTURB_UNPLUG);
        assert_int_equal(iov_vadapter_disturbance(want, have, "disk"), IOV_DISTURB_NONE);
        assert_null(iov_disturbance_to_string((enum iov_disturbance)77));
        iov_model_unref(have);
        iov_model_unref(want);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_nothing), cmocka_unit_test(test_live),  cmocka_unit_test(test_replug),
                cmocka_unit_test(test_unplug),  cmocka_unit_test(test_parts), cmocka_unit_test(test_one_vadapter),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
