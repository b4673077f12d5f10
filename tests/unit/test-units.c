/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>

#include "yaml-helper.h"

static void test_sizes(void **state) {
        static const struct {
                const char *text;
                int r;
                uint64_t value;
        } cases[] = {
                {"0B", 0, 0},
                {"1B", 0, 1},
                {"4KiB", 0, 4096},
                {"64GiB", 0, UINT64_C(64) << 30},
                {"1TiB", 0, UINT64_C(1) << 40},
                {"15EiB", 0, UINT64_C(15) << 60},
                {"18446744073709551615B", 0, UINT64_MAX},
                {"18446744073709551616B", -ERANGE, 0},
                {"16EiB", -ERANGE, 0},
                {"99999999999999999999999999999GiB", -ERANGE, 0},
                {"", -EINVAL, 0},
                {"1", -EINVAL, 0},
                {"GiB", -EINVAL, 0},
                {"1GB", -EINVAL, 0},
                {"1gib", -EINVAL, 0},
                {"1 GiB", -EINVAL, 0},
                {"1.5GiB", -EINVAL, 0},
                {"-1GiB", -EINVAL, 0},
                {"+1GiB", -EINVAL, 0},
                {"01GiB", -EINVAL, 0},
                {"0x1GiB", -EINVAL, 0},
                {"1GiBs", -EINVAL, 0},
                {" 1GiB", -EINVAL, 0},
                {"99999999999999999999999", -EINVAL, 0},
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                uint64_t value = 42;

                assert_int_equal(iov_size_parse(cases[i].text, &value), cases[i].r);
                assert_true(value == (cases[i].r ? 42 : cases[i].value));
        }
}

static void test_rates_and_counts(void **state) {
        uint64_t value = 0;

        assert_int_equal(iov_rate_parse("10Gbit", &value), 0);
        assert_true(value == UINT64_C(10000000000));
        assert_int_equal(iov_rate_parse("1kbit", &value), 0);
        assert_true(value == 1000);
        assert_int_equal(iov_rate_parse("7bit", &value), 0);
        assert_true(value == 7);
        assert_int_equal(iov_rate_parse("10GBit", &value), -EINVAL);
        assert_int_equal(iov_rate_parse("10", &value), -EINVAL);
        assert_int_equal(iov_rate_parse("99999999Tbit", &value), -ERANGE);
        assert_int_equal(iov_count_parse("200k", &value), 0);
        assert_true(value == 200000);
        assert_int_equal(iov_count_parse("12", &value), 0);
        assert_true(value == 12);
        assert_int_equal(iov_count_parse("1M", &value), 0);
        assert_true(value == 1000000);
        assert_int_equal(iov_count_parse("1Ki", &value), -EINVAL);
        assert_int_equal(iov_count_parse("", &value), -EINVAL);
}

static void test_format(void **state) {
        char s[32];

        assert_string_equal(iov_size_format(0, s), "0B");
        assert_string_equal(iov_size_format(1, s), "1B");
        assert_string_equal(iov_size_format(1000, s), "1000B");
        assert_string_equal(iov_size_format(4096, s), "4KiB");
        assert_string_equal(iov_size_format(UINT64_C(1536) << 30, s), "1536GiB");
        assert_string_equal(iov_size_format(UINT64_C(8) << 40, s), "8TiB");
        assert_string_equal(iov_size_format(UINT64_MAX, s), "18446744073709551615B");
        assert_string_equal(iov_rate_format(UINT64_C(10000000000), s), "10Gbit");
        assert_string_equal(iov_rate_format(1024, s), "1024bit");
        assert_string_equal(iov_rate_format(0, s), "0bit");
}

/* What is formatted parses back to the same number. */
static void test_round_trip(void **state) {
        uint64_t seed = 7, value;
        char s[32];

        for (unsigned int i = 0; i < 100000; i++) {
                uint64_t random = ((uint64_t)helper_random(&seed) << 32 | helper_random(&seed)) >> helper_random(&seed) % 64;
                unsigned int shift = helper_random(&seed) % 64;

                random = random << shift >> shift << (i % 7 * 10 % 64);
                assert_int_equal(iov_size_parse(iov_size_format(random, s), &value), 0);
                assert_true(value == random);
                assert_int_equal(iov_rate_parse(iov_rate_format(random, s), &value), 0);
                assert_true(value == random);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sizes),
                cmocka_unit_test(test_rates_and_counts),
                cmocka_unit_test(test_format),
                cmocka_unit_test(test_round_trip),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
