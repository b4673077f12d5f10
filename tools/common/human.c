/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers for people: IEC units for sizes, SI units for rates. */
#include <inttypes.h>

#include "tools/common/output.h"
#include "util.h"

/*
 * Exact where up to four digits do it (1600GiB rather than 1.6TiB), else with one decimal. `base` is 1000 or 1024.
 */
static void format_scaled(uint64_t number, uint64_t base, const char *const *units, unsigned int n_units, char *buffer,
                          size_t size) {
        uint64_t scale = 1;
        unsigned int u = 0;

        while (u + 1 < n_units && number / scale >= base && (number / scale >= 10000 || number % (scale * base) == 0)) {
                scale *= base;
                u++;
        }
        if (number % scale == 0) {
                snprintf(buffer, size, "%" PRIu64 "%s", number / scale, units[u]);
                return;
        }
        while (u + 1 < n_units && number / scale >= base) {
                scale *= base;
                u++;
        }
        snprintf(buffer, size, "%.1f%s", (double)number / (double)scale, units[u]);
}

void human_size(uint64_t bytes, char *buffer, size_t size) {
        static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};

        format_scaled(bytes, 1024, units, ARRAY_LENGTH(units), buffer, size);
}

void human_rate(uint64_t bits, char *buffer, size_t size) {
        static const char *const units[] = {"bit", "kbit", "Mbit", "Gbit", "Tbit"};

        format_scaled(bits, 1000, units, ARRAY_LENGTH(units), buffer, size);
}

void human_number(double number, char *buffer, size_t size) {
        static const char *const units[] = {"", "k", "M", "G", "T"};
        unsigned int u = 0;

        while (u + 1 < ARRAY_LENGTH(units) && number >= 999.5) {
                number /= 1000;
                u++;
        }
        snprintf(buffer, size, u && number < 99.95 ? "%.1f%s" : "%.0f%s", number, units[u]);
}
