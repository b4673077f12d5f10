/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What texts become in the model. What is refused, and how it is said, is in the corpus. */
#include <errno.h>

#include "yaml-helper.h"

#define HEAD "version: 1\nkind: topology\n"

static void test_topology(void **state) {
        struct iov_model *m = helper_topology(HEAD "name: rack\n"
                                                   "servers: {web01: {link: 0}, db01: {link: 1}}\n"
                                                   "volumes:\n"
                                                   "  a: {adapter: ssd0, size: 1GiB}\n"
                                                   "  b: {adapter: ssd1, size: 4096B, on_remove: retain}\n"
                                                   "vadapters:\n"
                                                   "  d:\n"
                                                   "    adapter: ssd0\n"
                                                   "    persona: {serial: WEB01}\n"
                                                   "    namespaces: [{volume: a}, {volume: b, nsid: 7}]\n"
                                                   "    attach: {server: web01, slot: 3}\n"
                                                   "  e: {adapter: ssd1, persona: {serial: auto}}\n");
        const struct iov_server *server = iov_model_get(m, IOV_KIND_SERVER, "db01");
        const struct iov_volume *a = iov_model_get(m, IOV_KIND_VOLUME, "a"), *b = iov_model_get(m, IOV_KIND_VOLUME, "b");
        const struct iov_vadapter *d = iov_model_get(m, IOV_KIND_VADAPTER, "d"), *e = iov_model_get(m, IOV_KIND_VADAPTER, "e");

        assert_string_equal(iov_model_get_name(m), "rack");
        assert_int_equal(iov_model_count(m, IOV_KIND_SERVER), 2);
        assert_int_equal(server->link, 1);
        assert_string_equal(a->adapter, "ssd0");
        assert_true(a->size == UINT64_C(1) << 30);
        assert_int_equal(a->on_remove, IOV_ON_REMOVE_DELETE);
        assert_true(b->size == 4096);
        assert_int_equal(b->on_remove, IOV_ON_REMOVE_RETAIN);
        assert_string_equal(d->adapter, "ssd0");
        assert_string_equal(d->serial, "WEB01");
        assert_string_equal(d->server, "web01");
        assert_int_equal(d->slot, 3);
        assert_string_equal(e->serial, "");
        assert_string_equal(e->server, "");
        assert_int_equal(iov_model_count(m, IOV_KIND_NAMESPACE), 2);
        assert_string_equal(iov_namespace_get(m, "d", 1)->volume, "a");
        assert_string_equal(iov_namespace_get(m, "d", 7)->volume, "b");
        assert_string_equal(iov_namespace_get(m, "d", 7)->vadapter, "d");
        iov_model_unref(m);
}

/* Core schema of YAML 1.2: what 1.1 took for booleans, octal and base 60 is not. */
static void test_scalars(void **state) {
        struct iov_model *m =
                helper_topology(HEAD "servers: {no: {link: 010}, on: {link: 0o10}, y: {link: 0x1F}, n: {link: +3}}\n");

        assert_int_equal(((const struct iov_server *)iov_model_get(m, IOV_KIND_SERVER, "no"))->link, 10);
        assert_int_equal(((const struct iov_server *)iov_model_get(m, IOV_KIND_SERVER, "on"))->link, 8);
        assert_int_equal(((const struct iov_server *)iov_model_get(m, IOV_KIND_SERVER, "y"))->link, 31);
        assert_int_equal(((const struct iov_server *)iov_model_get(m, IOV_KIND_SERVER, "n"))->link, 3);
        iov_model_unref(m);
}

static int read_both(struct iov_model *m, struct iov_diagnostics *d, const char *first, const char *second) {
        assert_int_equal(iov_topology_read(m, "first.yaml", first, strlen(first), d), 0);
        return iov_topology_read(m, "second.yaml", second, strlen(second), d);
}

static void test_two_files(void **state) {
        struct iov_model *m = helper_model();
        struct iov_diagnostics *d = helper_diagnostics();
        struct iov_diagnostic place;

        assert_int_equal(read_both(m, d, HEAD "name: rack\nx-a: 1\nservers: {a: {link: 0, x-b: 1}}\n",
                                   HEAD "name: rack\nx-a: 1\nservers: {b: {link: 1, x-b: 2}}\n"),
                         0);
        assert_int_equal(iov_model_count(m, IOV_KIND_SERVER), 2);
        assert_int_equal(iov_diagnostics_locate(d, IOV_KIND_SERVER, "b", &place), 0);
        assert_string_equal(place.file, "second.yaml");
        assert_int_equal(place.line, 5);
        assert_int_equal(place.column, 11);
        iov_model_unref(m);
        iov_diagnostics_unref(d);
}

/* Names may be used before they are defined, and defined in another file; those of a series (web1, web2) are no slips. */
static void test_references(void **state) {
        struct iov_model *m = helper_model();
        struct iov_diagnostics *d = helper_diagnostics();

        assert_int_equal(read_both(m, d,
                                   HEAD "vadapters: {v: {adapter: ssd0, namespaces: [{volume: disc}, {volume: log}], "
                                        "attach: {server: web1, slot: 0}}}\n",
                                   HEAD "servers: {web2: {link: 1}}\n"
                                        "volumes: {disk: {adapter: ssd0, size: 1GiB}, log: {adapter: ssd0, size: 1GiB}}\n"),
                         0);
        assert_int_equal(iov_diagnostics_check_references(d, NULL), 0);
        assert_int_equal(iov_diagnostics_count(d, IOV_ERROR), 0);
        assert_int_equal(iov_diagnostics_count(d, IOV_WARNING), 1);
        const struct iov_diagnostic *f = iov_diagnostics_get(d, 0);
        assert_string_equal(f->text, "no file defines volume disc; did you mean disk, at second.yaml:4:11?");
        assert_string_equal(f->file, "first.yaml");
        assert_string_equal(f->related_file, "second.yaml");
        assert_int_equal(f->related_line, 4);
        iov_model_unref(m);
        iov_diagnostics_unref(d);
}

static void test_two_files_clash(void **state) {
        struct iov_model *m = helper_model();
        struct iov_diagnostics *d = helper_diagnostics();

        assert_int_equal(
                read_both(m, d,
                          HEAD "name: rack\n"
                               "servers: {a: {link: 0}}\n"
                               "vadapters: {v: {adapter: ssd0, persona: {serial: S}, namespaces: [{volume: x}], attach: {server: "
                               "a, slot: 0}}}\n",
                          HEAD "name: other\n"
                               "servers: {a: {link: 5}, b: {link: 0}}\n"
                               "vadapters: {w: {adapter: ssd0, persona: {serial: S}, namespaces: [{volume: x}], attach: {server: "
                               "a, slot: 0}}}\n"),
                -EBADMSG);
        char *printed = helper_printed(d);
        static const char *const said[] = {
                "second.yaml:3:7: error: name: this is other, and it was rack; first at first.yaml:3:7\n",
                "second.yaml:4:11: error: server a is defined twice; first at first.yaml:4:11\n",
                "second.yaml:4:35: error: link 0 has a server already; first at first.yaml:4:21\n",
                "error: serial \"S\" is given twice; first at first.yaml:5:50\n",
                "error: volume x is shown by a vAdapter already; first at first.yaml:5:76\n",
                "error: slot 0 of server a has a vAdapter already; first at first.yaml:5:107\n",
        };
        for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++)
                if (!strstr(printed, said[i]))
                        fail_msg("missing: %s in:\n%s", said[i], printed);
        assert_int_equal(iov_diagnostics_count(d, IOV_ERROR), 6);
        free(printed);
        iov_model_unref(m);
        iov_diagnostics_unref(d);
}

/* The model may have come with objects of which no file is known. */
static void test_model_has_it(void **state) {
        struct iov_model *m = helper_topology(HEAD "servers: {a: {link: 0}}\n");
        struct iov_diagnostics *d = helper_diagnostics();
        static const char text[] = HEAD "servers: {a: {link: 1}}\n";

        assert_int_equal(iov_topology_read(m, "-", text, strlen(text), d), -EBADMSG);
        char *printed = helper_printed(d);
        assert_string_equal(printed, "<stdin>:3:11: error: server a is defined already\nservers: {a: {link: 1}}\n          ^\n");
        free(printed);
        iov_model_unref(m);
        iov_diagnostics_unref(d);
}

/* Without an appliance a name that is near one defined is a warning; with one, what neither has is an error. */
static void test_appliance_has(void **state) {
        struct iov_model *m = helper_model(), *have = helper_topology(HEAD "volumes: {webboot: {adapter: ssd0, size: 1GiB}}\n"
                                                                           "qos: {gold: {weight: 7}}\n");
        static const char text[] =
                HEAD "servers: {web: {link: 0, profile: golden}}\n"
                     "volumes: {data: {adapter: ssdx, size: 1GiB}}\n"
                     "vadapters:\n"
                     "  v: {adapter: ssd0, qos: gold, namespaces: [{volume: dtaa}], attach: {server: wbe, slot: 0}}\n"
                     "  w: {adapter: ssd0, qos: gild, namespaces: [{volume: web-boot}]}\n"
                     "profiles: {bronze: {slots: {0: x}}}\n";
        static const char *const warned[] = {
                "f.yaml:6:55: warning: no file defines volume dtaa; did you mean data, at f.yaml:4:11?\n",
                "f.yaml:6:80: warning: no file defines server wbe; did you mean web, at f.yaml:3:11?\n",
        };
        static const char *const refused[] = {
                "f.yaml:3:35: error: neither a file nor the appliance has a profile golden\n",
                "f.yaml:4:27: error: the appliance has no adapter ssdx; did you mean ssd0?\n",
                "f.yaml:6:55: error: neither a file nor the appliance has a volume dtaa; did you mean data, at f.yaml:4:11?\n",
                "f.yaml:6:80: error: neither a file nor the appliance has a server wbe; did you mean web, at f.yaml:3:11?\n",
                "f.yaml:7:27: error: neither a file nor the appliance has a qos gild; did you mean gold?\n",
                "f.yaml:7:55: error: neither a file nor the appliance has a volume web-boot; did you mean webboot?\n",
                "f.yaml:8:32: error: neither a file nor the appliance has a vadapter x\n",
        };
        static const char chassis[] =
                "version: 1\nkind: chassis\nlinks: 1\nslots: 1\nadapters: {ssd0: {kind: ssd, capacity: 1TiB}}\n";

        struct iov_diagnostics *other = helper_diagnostics(); /* that of its files */
        assert_int_equal(iov_chassis_read(have, "c.yaml", chassis, strlen(chassis), other), 0);
        iov_diagnostics_unref(other);
        for (int with = 0; with < 2; with++) {
                struct iov_diagnostics *d = helper_diagnostics();
                struct iov_model *want = with ? helper_model() : iov_model_ref(m);

                assert_int_equal(iov_topology_read(want, "f.yaml", text, strlen(text), d), 0);
                assert_int_equal(iov_diagnostics_check_references(d, with ? have : NULL), with ? -EBADMSG : 0);
                char *printed = helper_printed(d);
                const char *const *said = with ? refused : warned;
                for (size_t i = 0; i < (with ? sizeof(refused) / sizeof(refused[0]) : sizeof(warned) / sizeof(warned[0])); i++)
                        if (!strstr(printed, said[i]))
                                fail_msg("missing: %s in:\n%s", said[i], printed);
                assert_int_equal(iov_diagnostics_count(d, IOV_WARNING), with ? 0 : 2);
                assert_int_equal(iov_diagnostics_count(d, IOV_ERROR), with ? 7 : 0);
                free(printed);
                iov_model_unref(want);
                iov_diagnostics_unref(d);
        }
        iov_model_unref(have);
        iov_model_unref(m);
}

static void test_size_limit(void **state) {
        struct iov_model *m = helper_model();
        struct iov_diagnostics *d = helper_diagnostics();
        size_t limit = (size_t)64 << 20;
        char *text = malloc(limit + 1);

        assert_non_null(text);
        memset(text, '\n', limit + 1);
        memcpy(text, HEAD, strlen(HEAD));
        assert_int_equal(iov_topology_read(m, "big", text, limit, d), 0);
        assert_int_equal(iov_topology_read(m, "big", text, limit + 1, d), -EBADMSG);
        assert_string_equal(iov_diagnostics_get(d, 0)->text, "larger than 64 MiB");
        free(text);
        iov_model_unref(m);
        iov_diagnostics_unref(d);
}

/* The table of servers has 65536 rows, and so many links; one more volume than its table has is told once. */
static void test_table_full(void **state) {
        struct iov_model *m = helper_model();
        struct iov_diagnostics *d = helper_diagnostics();
        char *text = NULL;
        size_t length = 0;
        FILE *stream = open_memstream(&text, &length);

        fprintf(stream, HEAD "volumes:\n");
        for (unsigned int i = 0; i < IOV_VOLUME_MAX + 3; i++)
                fprintf(stream, "  v%u: {adapter: ssd0, size: 4KiB}\n", i);
        assert_int_equal(fclose(stream), 0);
        assert_int_equal(iov_topology_read(m, "t", text, length, d), -EBADMSG);
        assert_int_equal(iov_diagnostics_count(d, IOV_ERROR), 1);
        assert_string_equal(iov_diagnostics_get(d, 0)->text, "more than 65536 volumes");
        assert_int_equal(iov_diagnostics_get(d, 0)->line, 4 + IOV_VOLUME_MAX);
        assert_int_equal(iov_model_count(m, IOV_KIND_VOLUME), IOV_VOLUME_MAX);
        free(text);
        iov_model_unref(m);
        iov_diagnostics_unref(d);
}

/* Cut anywhere, a text gives a verdict and no crash; only the whole is sure to be good. */
static void test_every_prefix(void **state) {
        static const char text[] =
                HEAD "name: rack\nservers: {web01: {link: 0}}\nvolumes:\n  v: {adapter: ssd0, size: \"1GiB\"}\n"
                     "vadapters:\n  d:\n    adapter: ssd0\n    namespaces:\n    - volume: v\n"
                     "    attach: {server: web01, slot: 0}\n";

        for (size_t length = 0; length <= strlen(text); length++) {
                struct iov_model *m = helper_model();
                struct iov_diagnostics *d = helper_diagnostics();
                char *copy = malloc(length + 1);

                memcpy(copy, text, length);
                int r = iov_topology_read(m, "t", copy, length, d);
                assert_true(r == 0 || r == -EBADMSG);
                assert_true((r == 0) == (iov_diagnostics_count(d, IOV_ERROR) == 0));
                assert_true(r == 0 || length < strlen(text));
                free(copy);
                iov_model_unref(m);
                iov_diagnostics_unref(d);
        }
}

static char *example(const char *name, size_t *ret_length) {
        const char *source = getenv("IOV_SOURCE");
        char path[4096], *text = NULL;

        snprintf(path, sizeof(path), "%s/examples/%s", source ? source : ".", name);
        FILE *in = fopen(path, "re"), *out = open_memstream(&text, ret_length);
        assert_non_null(in);
        for (int c; (c = fgetc(in)) != EOF;)
                fputc(c, out);
        fclose(in);
        assert_int_equal(fclose(out), 0);
        return text;
}

static void test_builtin_chassis(void **state) {
        struct iov_model *builtin = helper_model(), *read = helper_model();
        struct iov_diagnostics *d = helper_diagnostics();
        size_t length = 0;
        char *text = example("chassis.yaml", &length);

        assert_int_equal(iov_chassis_builtin(builtin), 0);
        assert_int_equal(iov_chassis_read(read, "chassis.yaml", text, length, d), 0);
        assert_int_equal(iov_model_get_links(builtin), 16);
        helper_assert_same(builtin, read);
        free(text);
        iov_model_unref(builtin);
        iov_model_unref(read);
        iov_diagnostics_unref(d);
}

/* Every adapter, server and slot that an example topology names is in the built-in chassis. */
static void test_examples(void **state) {
        static const char *const names[] = {"all-keys.yaml", "rack.yaml", "shared-ssd.yaml", "two-namespaces.yaml"};
        struct iov_model *chassis = helper_model();

        assert_int_equal(iov_chassis_builtin(chassis), 0);
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                size_t length = 0;
                char *text = example(names[i], &length);
                struct iov_model *m = helper_topology(text);
                const struct iov_vadapter *v;
                const struct iov_namespace *ns;

                assert_true(iov_model_count(m, IOV_KIND_VADAPTER) > 0);
                iov_model_foreach (m, IOV_KIND_VADAPTER, v) {
                        assert_non_null(iov_model_get(chassis, IOV_KIND_ADAPTER, v->adapter));
                        assert_true(!*v->server || iov_model_get(m, IOV_KIND_SERVER, v->server));
                        assert_true(v->slot < iov_model_get_slots(chassis));
                }
                iov_model_foreach (m, IOV_KIND_NAMESPACE, ns)
                        assert_non_null(iov_model_get(m, IOV_KIND_VOLUME, ns->volume));
                free(text);
                iov_model_unref(m);
        }
        iov_model_unref(chassis);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_topology),        cmocka_unit_test(test_scalars),
                cmocka_unit_test(test_two_files),       cmocka_unit_test(test_references),
                cmocka_unit_test(test_two_files_clash), cmocka_unit_test(test_model_has_it),
                cmocka_unit_test(test_size_limit),      cmocka_unit_test(test_table_full),
                cmocka_unit_test(test_every_prefix),    cmocka_unit_test(test_builtin_chassis),
                cmocka_unit_test(test_examples),        cmocka_unit_test(test_appliance_has),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
