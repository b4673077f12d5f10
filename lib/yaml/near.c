/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "near.h"

#include "iov/libiov.h"
#include "util.h"

static size_t smaller(size_t a, size_t b) {
        return a < b ? a : b;
}

unsigned int near_distance(const char *a, const char *b) {
        size_t n = strnlen(a, IOV_NAME_MAX + 1), m = strnlen(b, IOV_NAME_MAX + 1);
        size_t row[IOV_NAME_MAX + 1];

        if (n > IOV_NAME_MAX || m > IOV_NAME_MAX || n > m + NEAR_EDITS || m > n + NEAR_EDITS)
                return NEAR_EDITS + 1;
        for (size_t j = 0; j <= m; j++)
                row[j] = j;
        for (size_t i = 1; i <= n; i++) {
                size_t diagonal = row[0], least = i;

                row[0] = i;
                for (size_t j = 1; j <= m; j++) {
                        size_t best = diagonal + (a[i - 1] != b[j - 1]);

                        diagonal = row[j];
                        row[j] = smaller(smaller(best, row[j] + 1), row[j - 1] + 1);
                        least = smaller(least, row[j]);
                }
                /* It never gets less than the least of a row. */
                if (least > NEAR_EDITS)
                        return NEAR_EDITS + 1;
        }
        return (unsigned int)row[m];
}

const char *near_word(const char *word, const char *words, char buffer[NEAR_WORD_SIZE]) {
        unsigned int best = NEAR_EDITS + 1;

        while (*words) {
                size_t length = strcspn(words, ", ");
                char one[NEAR_WORD_SIZE];

                snprintf(one, sizeof(one), "%.*s", (int)length, words);
                unsigned int edits = near_distance(word, one);
                /* A word of which nothing is left is not what was meant. */
                if (edits < best && edits < length) {
                        best = edits;
                        memcpy(buffer, one, sizeof(one));
                }
                words += length;
                words += strspn(words, ", ");
        }
        return best <= NEAR_EDITS ? buffer : NULL;
}
