/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The checksum of states, with and without the processor's help. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "crc32c.h"

/* RFC 3720 appendix B.4, and the check value of the CRC catalogues. */
static void test_known(void **state) {
        unsigned char bytes[32] = {0};

        assert_int_equal(crc32c("", 0), 0);
        assert_int_equal(crc32c("123456789", 9), 0xe3069283);
        assert_int_equal(crc32c(bytes, 32), 0x8a9136aa);
        memset(bytes, 0xff, 32);
        assert_int_equal(crc32c(bytes, 32), 0x62a8ab43);
        for (unsigned int i = 0; i < 32; i++)
                bytes[i] = (unsigned char)i;
        assert_int_equal(crc32c(bytes, 32), 0x46dd794e);
        assert_int_equal(crc32c_more_portable(0, bytes, 32), 0x46dd794e);
}

/* Any length, any alignment, cut anywhere: one checksum. */
static void test_pieces(void **state) {
        unsigned char bytes[80];
        uint32_t x = 1;

        for (size_t i = 0; i < sizeof(bytes); i++) {
                x = x * 1103515245 + 12345;
                bytes[i] = (unsigned char)(x >> 16);
        }
        for (size_t from = 0; from < 9; from++)
                for (size_t n = 0; from + n <= sizeof(bytes); n++) {
                        uint32_t whole = crc32c(bytes + from, n);
                        size_t cut = n / 3;

                        assert_int_equal(crc32c_more_portable(0, bytes + from, n), whole);
                        assert_int_equal(crc32c_more(crc32c(bytes + from, cut), bytes + from + cut, n - cut), whole);
                        assert_int_equal(crc32c_more_portable(crc32c(bytes + from, cut), bytes + from + cut, n - cut), whole);
                }
}

int main(void) {
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_known), cmocka_unit_test(test_pieces)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
