/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>

#include "yaml-helper.h"
#include "yaml/diagnostics.h"

static void test_print(void **state) {
        static const char text[] = "one\n\ttwo\tthree\r\n\xe6\x97\xa5\xe6\x9c\xac x\nlast\x1b!";
        struct iov_diagnostics *d = helper_diagnostics();
        uint32_t file = 9;

        assert_int_equal(diagnostics_add_file(d, "f.yaml", text, sizeof(text) - 1, &file), 0);
        assert_int_equal(file, 0);
        assert_int_equal(diagnostics_add(d, IOV_ERROR, &(struct place){0, 1, 1, 3}, "a"), 0);
        assert_int_equal(diagnostics_add(d, IOV_WARNING, &(struct place){0, 2, 6, 5}, "b"), 0);
        assert_int_equal(diagnostics_add(d, IOV_ERROR, &(struct place){0, 3, 1, 2}, "wide"), 0);
        assert_int_equal(diagnostics_add(d, IOV_ERROR, &(struct place){0, 3, 4, 1}, "after wide"), 0);
        assert_int_equal(diagnostics_add(d, IOV_ERROR, &(struct place){0, 4, 5, 9}, "past the end"), 0);
        assert_int_equal(diagnostics_add(d, IOV_ERROR, &(struct place){.file = 0}, "of the file"), 0);
        assert_int_equal(diagnostics_add(d, IOV_ERROR, NULL, "of nothing"), 0);
        assert_int_equal(diagnostics_add(d, IOV_ERROR, &(struct place){0, 99, 5, 1}, "no such line"), 0);
        char *printed = helper_printed(d);
        assert_string_equal(printed, "f.yaml:1:1: error: a\none\n^~~\n"
                                     "f.yaml:2:6: warning: b\n\ttwo\tthree\n\t   \t^~~~~\n"
                                     "f.yaml:3:1: error: wide\n\xe6\x97\xa5\xe6\x9c\xac x\n^~~~\n"
                                     "f.yaml:3:4: error: after wide\n\xe6\x97\xa5\xe6\x9c\xac x\n     ^\n"
                                     "f.yaml:4:5: error: past the end\nlast\xef\xbf\xbd!\n    ^~\n"
                                     "f.yaml: error: of the file\n"
                                     "error: of nothing\n"
                                     "f.yaml:99:5: error: no such line\n");
        free(printed);
        assert_int_equal(iov_diagnostics_count(d, IOV_ERROR), 7);
        assert_int_equal(iov_diagnostics_count(d, IOV_WARNING), 1);
        assert_string_equal(iov_diagnostics_get(d, 1)->text, "b");
        assert_int_equal(iov_diagnostics_get(d, 1)->line, 2);
        assert_int_equal(iov_diagnostics_get(d, 1)->column, 6);
        assert_int_equal(iov_diagnostics_get(d, 1)->length, 5);
        assert_string_equal(iov_diagnostics_get(d, 1)->source, "\ttwo\tthree");
        assert_null(iov_diagnostics_get(d, 8));
        assert_null(iov_diagnostics_unref(d));
        assert_null(iov_diagnostics_unref(NULL));
}

/* Whatever the bytes: no output for the terminal to obey, and the caret under the byte asked for. */
static void test_hostile_source(void **state) {
        uint64_t seed = 3;

        for (unsigned int round = 0; round < 300; round++) {
                struct iov_diagnostics *d = helper_diagnostics();
                char text[600];
                uint32_t file;

                for (size_t i = 0; i < sizeof(text); i++)
                        text[i] = (char)(helper_random(&seed) % 8 ? helper_random(&seed) % 256 : 'x');
                assert_int_equal(diagnostics_add_file(d, "-", text, sizeof(text), &file), 0);
                struct place place = diagnostics_place_of_byte(d, file, helper_random(&seed) % sizeof(text));
                assert_true(place.line >= 1 && place.column >= 1);
                assert_int_equal(diagnostics_add(d, IOV_ERROR, &place, "x"), 0);
                char *printed = helper_printed(d);
                assert_int_equal(strncmp(printed, "<stdin>:", 8), 0);
                for (const char *p = printed; *p; p++)
                        assert_true((unsigned char)*p >= 0x20 || *p == '\n' || *p == '\t');
                free(printed);
                iov_diagnostics_unref(d);
        }
}

static void test_long_line(void **state) {
        struct iov_diagnostics *d = helper_diagnostics();
        char text[5001];
        uint32_t file;

        memset(text, 'a', 5000);
        text[3000] = 'Z';
        assert_int_equal(diagnostics_add_file(d, "f", text, 5000, &file), 0);
        assert_int_equal(diagnostics_add(d, IOV_ERROR, &(struct place){0, 1, 3001, 1}, "here"), 0);
        const struct iov_diagnostic *f = iov_diagnostics_get(d, 0);
        assert_int_equal(f->column, 3001);
        assert_true(strlen(f->source) < 300);
        char *printed = helper_printed(d), *source = strchr(printed, '\n') + 1, *caret = strchr(source, '\n') + 1;
        assert_int_equal(strchr(source, 'Z') - source, strchr(caret, '^') - caret);
        free(printed);
        iov_diagnostics_unref(d);
}

static void test_places(void **state) {
        struct iov_diagnostics *d = helper_diagnostics();
        struct place first = {0};
        struct iov_diagnostic found = {.text = "untouched"};
        uint32_t file;
        char name[32];

        assert_int_equal(diagnostics_add_file(d, "f", "a\nb\n", 4, &file), 0);
        assert_int_equal(iov_diagnostics_locate(d, IOV_KIND_SERVER, "n1", &found), -ENOENT);
        for (unsigned int i = 0; i < 3000; i++) {
                snprintf(name, sizeof(name), "n%u", i);
                assert_int_equal(diagnostics_note(d, IOV_KIND_SERVER, name, &(struct place){0, i + 1, 2, 3}, NULL), 1);
                assert_int_equal(diagnostics_note(d, IOV_KIND_VOLUME, name, &(struct place){0, i + 2, 2, 3}, NULL), 1);
        }
        for (unsigned int i = 0; i < 3000; i++) {
                snprintf(name, sizeof(name), "n%u", i);
                assert_int_equal(diagnostics_note(d, IOV_KIND_SERVER, name, &(struct place){0, 7777, 1, 1}, &first), 0);
                assert_int_equal(first.line, i + 1);
                assert_int_equal(iov_diagnostics_locate(d, IOV_KIND_VOLUME, name, &found), 0);
                assert_int_equal(found.line, i + 2);
                assert_int_equal(found.column, 2);
                assert_string_equal(found.file, "f");
        }
        found.text = "untouched";
        assert_int_equal(iov_diagnostics_locate(d, IOV_KIND_VADAPTER, "n1", &found), -ENOENT);
        assert_int_equal(iov_diagnostics_locate(d, (enum iov_kind)99, "n1", &found), -ENOENT);
        assert_string_equal(found.text, "untouched");
        assert_true(diagnostics_new_space(d) != diagnostics_new_space(d));
        iov_diagnostics_unref(d);
}

static void test_add_object(void **state) {
        static const char text[] = "version: 1\nkind: topology\nvolumes:\n  v: {adapter: ssd0, size: 1GiB}\n";
        struct iov_diagnostics *d = helper_diagnostics();
        struct iov_model *model = helper_model();

        assert_int_equal(iov_topology_read(model, "t.yaml", text, strlen(text), d), 0);
        assert_int_equal(iov_diagnostics_add_object(d, IOV_ERROR, IOV_KIND_VOLUME, "v", "ssd0: 1GiB asked, nothing free"), 0);
        assert_int_equal(iov_diagnostics_add_object(d, IOV_ERROR, IOV_KIND_SERVER, "v", "in no file"), 0);
        char *printed = helper_printed(d);
        assert_string_equal(printed, "t.yaml:4:3: error: ssd0: 1GiB asked, nothing free\n"
                                     "  v: {adapter: ssd0, size: 1GiB}\n  ^\n"
                                     "error: in no file\n");
        free(printed);
        iov_model_unref(model);
        iov_diagnostics_unref(d);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_print),  cmocka_unit_test(test_hostile_source), cmocka_unit_test(test_long_line),
                cmocka_unit_test(test_places), cmocka_unit_test(test_add_object),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
