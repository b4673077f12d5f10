/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every file of tests/unit/yaml: good-*.yaml is read without a finding and survives being written and read again; bad-*.yaml has
 * the findings of its .expected, to the letter; each line of `cases` is accepted or refused as it says. `test-yaml-corpus --accept` writes those files anew.
 */
#include <dirent.h>
#include <errno.h>

#include "yaml-helper.h"

static char *corpus;
static bool accept_all;

static char *read_file(const char *name, size_t *ret_length) {
        char path[4096];
        long length;

        snprintf(path, sizeof(path), "%s/%s", corpus, name);
        FILE *f = fopen(path, "re");
        if (!f)
                return NULL;
        assert_int_equal(fseek(f, 0, SEEK_END), 0);
        length = ftell(f);
        rewind(f);
        char *text = malloc((size_t)length + 1);
        assert_non_null(text);
        assert_int_equal(fread(text, 1, (size_t)length, f), length);
        text[length] = 0;
        fclose(f);
        *ret_length = (size_t)length;
        return text;
}

static void check_again(const struct iov_model *model, bool chassis) {
        struct iov_diagnostics *d = helper_diagnostics();
        struct iov_model *again = helper_model();
        char *text = helper_written(model, chassis ? iov_chassis_write : iov_topology_write);

        assert_int_equal((chassis ? iov_chassis_read : iov_topology_read)(again, "again", text, strlen(text), d), 0);
        helper_assert_same(model, again);
        free(text);
        iov_model_unref(again);
        iov_diagnostics_unref(d);
}

static void check_printed(const char *name, const char *printed) {
        char expected_name[300], path[4096];
        size_t length;

        snprintf(expected_name, sizeof(expected_name), "%.*s.expected", (int)(strlen(name) - strlen(".yaml")), name);
        if (accept_all) {
                snprintf(path, sizeof(path), "%s/%s", corpus, expected_name);
                FILE *f = fopen(path, "we");
                assert_non_null(f);
                fputs(printed, f);
                assert_int_equal(fclose(f), 0);
                return;
        }
        char *expected = read_file(expected_name, &length);
        if (!expected)
                fail_msg("%s is missing; look at what %s says, then --accept", expected_name, name);
        assert_string_equal(printed, expected);
        free(expected);
}

/* A saved plan has no writer to be read again: the tools write it, and their tests read it. */
static int read_saved(struct iov_model *model, const char *file, const char *text, size_t length,
                      struct iov_diagnostics *diagnostics) {
        struct iov_saved_plan *saved = NULL;
        struct iov_ctx *ctx = NULL;

        assert_int_equal(iov_new(&ctx), 0);
        int r = iov_saved_plan_read(ctx, file, text, length, diagnostics, &saved);
        if (r == 0) {
                struct iov_diagnostics *d = helper_diagnostics();
                struct iov_model *want = NULL;

                /* On an empty appliance it fits or does not, and never more than that. */
                int bound = iov_saved_plan_bind(saved, model, d, &want);
                assert_true(bound == 0 || bound == -ESTALE);
                assert_true((bound == 0) == (iov_diagnostics_count(d, IOV_ERROR) == 0));
                iov_model_unref(want);
                iov_diagnostics_unref(d);
        }
        iov_saved_plan_unref(saved);
        iov_unref(ctx);
        return r;
}

static void check_file(const char *name) {
        struct iov_diagnostics *d = helper_diagnostics();
        struct iov_model *model = helper_model();
        bool good = strncmp(name, "good-", 5) == 0, chassis = strstr(name, "chassis") != NULL, saved = strstr(name, "saved") != NULL;
        size_t length = 0;
        char *text = read_file(name, &length);

        assert_non_null(text);
        int r = (saved ? read_saved : chassis ? iov_chassis_read : iov_topology_read)(model, name, text, length, d);
        /* What is kept is a copy. */
        memset(text, 'x', length);
        free(text);
        char *printed = helper_printed(d);
        if (good) {
                assert_string_equal(printed, "");
                assert_int_equal(r, 0);
                if (!saved)
                        check_again(model, chassis);
        } else {
                assert_int_equal(r, -EBADMSG);
                assert_true(iov_diagnostics_count(d, IOV_ERROR) > 0);
                check_printed(name, printed);
        }
        free(printed);
        iov_model_unref(model);
        iov_diagnostics_unref(d);
}

static int is_yaml(const struct dirent *entry) {
        size_t length = strlen(entry->d_name);

        return length > 5 && strcmp(entry->d_name + length - 5, ".yaml") == 0;
}

static void test_corpus(void **state) {
        const char *prefix = *state;
        struct dirent **entries = NULL;
        int n = scandir(corpus, &entries, is_yaml, alphasort), seen = 0;

        assert_true(n > 0);
        for (int i = 0; i < n; i++) {
                if (strncmp(entries[i]->d_name, prefix, strlen(prefix)) == 0) {
                        fprintf(stderr, "# %s\n", entries[i]->d_name);
                        check_file(entries[i]->d_name);
                        seen++;
                }
                free(entries[i]);
        }
        free(entries);
        assert_true(seen > 5);
}

static void check_case(const char *line) {
        struct iov_diagnostics *d = helper_diagnostics();
        struct iov_model *model = helper_model();
        char *text = NULL;

        assert_true(asprintf(&text, "version: 1\nkind: topology\n%s\n", line + 2) > 0);
        int r = iov_topology_read(model, "case", text, strlen(text), d);
        if ((r == 0) != (*line == '+'))
                fail_msg("%s: %s", line, r == 0 ? "accepted" : iov_diagnostics_get(d, 0)->text);
        if (r == 0)
                check_again(model, false);
        free(text);
        iov_model_unref(model);
        iov_diagnostics_unref(d);
}

static void test_cases(void **state) {
        size_t length = 0;
        char *text = read_file("cases", &length), *rest = NULL;
        unsigned int n = 0;

        assert_non_null(text);
        for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
                if (*line != '#') {
                        check_case(line);
                        n++;
                }
        assert_true(n > 100);
        free(text);
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                {"good files", test_corpus, NULL, NULL, (void *)(uintptr_t) "good-"},
                {"bad files", test_corpus, NULL, NULL, (void *)(uintptr_t) "bad-"},
                cmocka_unit_test(test_cases),
        };
        const char *source = getenv("IOV_SOURCE");

        accept_all = argc > 1 && strcmp(argv[1], "--accept") == 0;
        if (asprintf(&corpus, "%s/tests/unit/yaml", source ? source : ".") < 0)
                return 1;
        int failed = cmocka_run_group_tests(tests, NULL, NULL);
        free(corpus);
        return failed;
}
