/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "scalar.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "util.h"

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

static bool is_one_of(const char *s, const char *const *words) {
        for (; *words; words++)
                if (strcmp(s, *words) == 0)
                        return true;
        return false;
}

/* Digits of a base up to the end; false where there is none. */
static bool all_digits(const char *s, const char *digits) {
        return *s && s[strspn(s, digits)] == 0;
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool is_float(const char *s) {
        static const char *const words[] = {".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN", NULL};
        size_t before = 0, after = 0;

        if (is_one_of(s, words) || ((*s == '-' || *s == '+') && is_one_of(s + 1, words) && strcasecmp(s + 1, ".inf") == 0))
                return true;
        s += *s == '-' || *s == '+';
        for (; is_digit(*s); s++)
                before++;
        if (*s == '.')
                for (s++; is_digit(*s); s++)
                        after++;
        if (!before && !after)
                return false;
        if (*s == 'e' || *s == 'E') {
                s++;
                s += *s == '-' || *s == '+';
                return all_digits(s, "0123456789");
        }
        return *s == 0;
}

enum scalar scalar_resolve(const char *s) {
        static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
        static const char *const bools[] = {"true", "True", "TRUE", "false", "False", "FALSE", NULL};

        /* Most scalars are words, and what is not text starts with one of few characters. */
        if (!is_digit(*s) && *s && !strchr("+-.~nNtTfF", *s))
                return SCALAR_TEXT;
        if (is_one_of(s, nulls))
                return SCALAR_NULL;
        if (is_one_of(s, bools))
                return SCALAR_BOOL;
        if (all_digits(s + (*s == '-' || *s == '+'), "0123456789") ||
            (strncmp(s, "0o", 2) == 0 && all_digits(s + 2, "01234567")) ||
            (strncmp(s, "0x", 2) == 0 && all_digits(s + 2, "0123456789abcdefABCDEF")))
                return SCALAR_INTEGER;
        return is_float(s) ? SCALAR_FLOAT : SCALAR_TEXT;
}

int scalar_integer(const char *s, uint64_t *ret_value) {
        bool negative = *s == '-';
        unsigned int base = s[0] == '0' && s[1] == 'o' ? 8 : s[0] == '0' && s[1] == 'x' ? 16 : 10;
        uint64_t value = 0;

        s += base != 10 ? 2 : *s == '-' || *s == '+';
        for (; *s; s++) {
                unsigned int digit = (unsigned int)(is_digit(*s) ? *s - '0' : (*s | 0x20) - 'a' + 10);

                if (__builtin_mul_overflow(value, base, &value) || __builtin_add_overflow(value, digit, &value))
                        return -ERANGE;
        }
        if (negative && value)
                return -ERANGE;
        *ret_value = value;
        return 0;
}

bool scalar_needs_quotes(const char *name) {
        /* The words of YAML 1.1 that 1.2 dropped; older parsers still know them. */
        static const char *const words[] = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"};

        for (size_t i = 0; i < ARRAY_LENGTH(words); i++)
                if (strcasecmp(name, words[i]) == 0)
                        return true;
        /* A name starts with a letter or digit. Dates and sexagesimal numbers of YAML 1.1 start with a digit like all numbers. */
        return *name == 0 || is_digit(*name);
}
