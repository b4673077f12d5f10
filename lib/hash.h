/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A hash of names and other short texts, eight bytes at a time: names are looked up dozens of times for each object of a
 * topology. */
#ifndef IOV_HASH_H
#define IOV_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t hash_mix(uint64_t h, uint64_t word) {
        h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        return h ^ h >> 32;
}

/* All bits depend on all of the text, and on `seed`, by which equal texts of different kinds are told apart. */
static inline uint64_t hash_text(const char *text, uint64_t seed) {
        size_t n = strlen(text);
        uint64_t h = hash_mix(seed, n), word = 0;
        uint32_t first, last;

        for (; n > sizeof(word); n -= sizeof(word), text += sizeof(word)) {
                memcpy(&word, text, sizeof(word));
                h = hash_mix(h, word);
        }
        word = 0;
        /* The rest, in loads that may overlap. */
        if (n >= sizeof(first)) {
                memcpy(&first, text, sizeof(first));
                memcpy(&last, text + n - sizeof(last), sizeof(last));
                word = first | (uint64_t)last << 32;
        } else if (n) {
                word = (unsigned char)text[0] | (uint64_t)(unsigned char)text[n / 2] << 8 |
                       (uint64_t)(unsigned char)text[n - 1] << 16;
        }
        h = hash_mix(h, word);
        return hash_mix(h, h >> 29);
}

#endif
