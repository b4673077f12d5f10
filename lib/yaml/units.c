/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sizes in powers of 1024, rates and counts in powers of 1000, durations: whole numbers only, so that nothing is ever rounded. */
#include <errno.h>

#include "iov/libiov.h"
#include "util.h"

struct unit {
        const char *name;
        uint64_t factor;
};

/* Ascending. */
static const struct unit size_units[] = {
        {"B", 1},
        {"KiB", UINT64_C(1) << 10},
        {"MiB", UINT64_C(1) << 20},
        {"GiB", UINT64_C(1) << 30},
        {"TiB", UINT64_C(1) << 40},
        {"PiB", UINT64_C(1) << 50},
        {"EiB", UINT64_C(1) << 60},
};
static const struct unit rate_units[] = {
        {"bit", 1},
        {"kbit", UINT64_C(1000)},
        {"Mbit", UINT64_C(1000000)},
        {"Gbit", UINT64_C(1000000000)},
        {"Tbit", UINT64_C(1000000000000)},
};
static const struct unit count_units[] = {
        {"", 1},
        {"k", UINT64_C(1000)},
        {"M", UINT64_C(1000000)},
        {"G", UINT64_C(1000000000)},
};
static const struct unit duration_units[] = {
        {"s", 1},
        {"m", 60},
        {"h", 3600},
        {"d", 86400},
};

static int quantity_parse(const char *s, const struct unit *units, size_t n_units, uint64_t *ret_value) {
        const char *p = s;
        uint64_t value = 0;
        bool overflow = false;

        /* A leading zero would leave it open whether octal was meant. */
        if (*p < '0' || *p > '9' || (p[0] == '0' && p[1] >= '0' && p[1] <= '9'))
                return -EINVAL;
        for (; *p >= '0' && *p <= '9'; p++)
                overflow |= __builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *p - '0', &value);
        for (size_t i = 0; i < n_units; i++)
                if (strcmp(p, units[i].name) == 0) {
                        if (overflow || __builtin_mul_overflow(value, units[i].factor, &value))
                                return -ERANGE;
                        *ret_value = value;
                        return 0;
                }
        return -EINVAL;
}

/* The largest unit that divides the number gives the shortest text. */
static char *quantity_format(uint64_t value, const struct unit *units, size_t n_units, char s[32]) {
        size_t i = n_units - 1;

        while (i > 0 && (value == 0 || value % units[i].factor != 0))
                i--;
        snprintf(s, 32, "%llu%s", (unsigned long long)(value / units[i].factor), units[i].name);
        return s;
}

int iov_size_parse(const char *s, uint64_t *ret_bytes) {
        return quantity_parse(s, size_units, ARRAY_LENGTH(size_units), ret_bytes);
}

int iov_rate_parse(const char *s, uint64_t *ret_bits) {
        return quantity_parse(s, rate_units, ARRAY_LENGTH(rate_units), ret_bits);
}

int iov_count_parse(const char *s, uint64_t *ret_count) {
        return quantity_parse(s, count_units, ARRAY_LENGTH(count_units), ret_count);
}

int iov_duration_parse(const char *s, uint64_t *ret_seconds) {
        return quantity_parse(s, duration_units, ARRAY_LENGTH(duration_units), ret_seconds);
}

char *iov_size_format(uint64_t bytes, char s[32]) {
        return quantity_format(bytes, size_units, ARRAY_LENGTH(size_units), s);
}

char *iov_rate_format(uint64_t bits, char s[32]) {
        return quantity_format(bits, rate_units, ARRAY_LENGTH(rate_units), s);
}

char *iov_count_format(uint64_t count, char s[32]) {
        return quantity_format(count, count_units, ARRAY_LENGTH(count_units), s);
}

char *iov_duration_format(uint64_t seconds, char s[32]) {
        return quantity_format(seconds, duration_units, ARRAY_LENGTH(duration_units), s);
}
