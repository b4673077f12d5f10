/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a volume is, from an adapter's backend and the volume's name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "backend.h"
#include "util.h"

static struct backend locate(const char *text, const char *volume) {
        struct backend b = {0};
        const char *wrong = backend_locate(text, volume, &b);

        if (wrong)
                fail_msg("%s: %s", text, wrong);
        return b;
}

static void test_kinds(void **state) {
        assert_int_equal(backend_kind_of(""), BACKEND_STATE);
        assert_int_equal(backend_kind_of("/srv"), BACKEND_DIRECTORY);
        assert_int_equal(backend_kind_of("/dev/vg/{volume}"), BACKEND_DEVICE);
        assert_int_equal(backend_kind_of("nbd://h"), BACKEND_NBD);
        assert_int_equal(backend_kind_of("nbd+unix:///?socket=/s"), BACKEND_NBD);
        assert_false(backend_is_external(""));
        assert_false(backend_is_external("/srv"));
        assert_true(backend_is_external("/dev/{volume}"));
        assert_true(backend_is_external("nbd://h"));
}

static void test_paths(void **state) {
        assert_string_equal(locate("/dev/vg0/{volume}", "db-1").path, "/dev/vg0/db-1");
        assert_string_equal(locate("/dev/{volume}/{volume}.x", "v").path, "/dev/v/v.x");
        assert_string_equal(locate("/a%20b/{volume}", "v").path, "/a%20b/v"); /* a path, not a URI */
}

static void test_hosts(void **state) {
        struct backend b = locate("nbd://storage", "v1");

        assert_string_equal(b.host, "storage");
        assert_string_equal(b.port, "10809");
        assert_string_equal(b.export, "v1");
        assert_string_equal(b.path, "");
        b = locate("nbd://[fe80::1]:10/pool%2f{volume}", "v1");
        assert_string_equal(b.host, "fe80::1");
        assert_string_equal(b.port, "10");
        assert_string_equal(b.export, "pool/v1");
        assert_string_equal(locate("nbd://10.0.0.1/", "v1").export, "v1");
}

static void test_sockets(void **state) {
        struct backend b = locate("nbd+unix:///?socket=/run/a%20b", "v1");

        assert_string_equal(b.path, "/run/a b");
        assert_string_equal(b.export, "v1");
        b = locate("nbd+unix:///disk?socket=/run/{volume}.sock", "v1");
        assert_string_equal(b.path, "/run/v1.sock");
        assert_string_equal(b.export, "disk");
        assert_string_equal(locate("nbd+unix://?socket=/run/s", "v1").export, "v1");
}

static void test_wrong(void **state) {
        static const char *const texts[] = {
                "relative",
                "/a{b}/{volume}",
                "/a}/{volume}",
                "nbd://",
                "nbd:///x",
                "nbd://h:",
                "nbd://h:0",
                "nbd://h:65536",
                "nbd://h:1x",
                "nbd://[::1/{volume}",
                "nbd://[]",
                "nbd://u@h/{volume}",
                "nbd://{volume}/a",
                "nbd://h/a",
                "nbd://h/%",
                "nbd://h/%4{volume}",
                "nbd://h/%00{volume}",
                "nbd://h/%zz{volume}",
                "nbd://h/{volume}?tls=1",
                "nbd://h/{volume}#a",
                "nbd+unix:///{volume}",
                "nbd+unix:///?socket=",
                "nbd+unix:///?socket=rel",
                "nbd+unix://h/?socket=/s",
                "nbd+unix:///?socket=/s&a=b",
                "nbd+unix:///a?socket=/s",
                "nbds://h",
                "NBD://h",
                "/a b/{volume}",
                "/a\t",
                "/\x7f",
                "/\xc3\xa4",
        };
        char text[400];
        struct backend b;

        for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
                if (!backend_check(texts[i]))
                        fail_msg("%s is taken", texts[i]);
        memset(text, 'x', sizeof(text));
        text[0] = '/';
        text[256] = 0;
        assert_non_null(backend_check(text));
        text[255] = 0;
        assert_null(backend_check(text));
        /* Too long with the volume's name in it only. */
        memset(text, 0, sizeof(text));
        char path[101] = "";
        memset(path, 's', sizeof(path) - 1);
        snprintf(text, sizeof(text), "nbd+unix:///?socket=/%s{volume}", path);
        assert_null(backend_check(text));
        assert_non_null(backend_locate(text, "a-name-of-volume", &b));
}

static void test_names(void **state) {
        static const char *const names[] = {"", ".", "..", "a/b", "a b", "-a", "a\n", "%2f"};
        struct backend b;

        for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
                assert_non_null(backend_locate("/dev/{volume}", names[i], &b));
}

int main(void) {
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_kinds), cmocka_unit_test(test_paths),
                                           cmocka_unit_test(test_hosts), cmocka_unit_test(test_sockets),
                                           cmocka_unit_test(test_wrong), cmocka_unit_test(test_names)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
