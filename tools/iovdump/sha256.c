/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SHA-256 as in FIPS 180-4, section 6.2. Its constants are computed, not listed: section 4.2.2 defines them as the first 32 bits
 * of the fractional parts of roots of the first 64 primes. */
#include "tools/iovdump/sha256.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct constants {
        uint32_t k[64], h[8];
};

/* First 32 fractional bits of the square (power 2) or cube (power 3) root of a small number, by bisection in 36.32 fixed point.
 */
static uint32_t root_fraction(unsigned int n, unsigned int power) {
        uint64_t low = 0, high = (uint64_t)n << 32;
        unsigned __int128 target = (unsigned __int128)n << (power == 2 ? 64 : 96);

        while (high - low > 1) {
                uint64_t middle = low + (high - low) / 2;
                unsigned __int128 p = (unsigned __int128)middle * middle;

                /* A root is below 20: where the square is past 2^74, so is the cube past its target, and it would not fit. */
                if (power == 3)
                        p = p >> 74 ? ~(unsigned __int128)0 : p * middle;
                if (p <= target)
                        low = middle;
                else
                        high = middle;
        }
        return (uint32_t)low;
}

static void make_constants(struct constants *c) {
        unsigned int n = 0;

        for (unsigned int p = 2; n < 64; p++) {
                unsigned int d = 2;

                while (d < p && p % d)
                        d++;
                if (d < p)
                        continue;
                if (n < 8)
                        c->h[n] = root_fraction(p, 2);
                c->k[n++] = root_fraction(p, 3);
        }
}

static uint32_t rotate(uint32_t x, unsigned int n) {
        return x >> n | x << (32 - n);
}

/* FIPS 180-4, section 6.2.2. */
static void add_block(const struct constants *c, uint32_t h[8], const unsigned char *block) {
        uint32_t w[64], v[8];

        for (unsigned int t = 0; t < 16; t++, block += 4)
                w[t] = (uint32_t)block[0] << 24 | (uint32_t)block[1] << 16 | (uint32_t)block[2] << 8 | block[3];
        for (unsigned int t = 16; t < 64; t++)
                w[t] = (rotate(w[t - 2], 17) ^ rotate(w[t - 2], 19) ^ w[t - 2] >> 10) + w[t - 7] +
                       (rotate(w[t - 15], 7) ^ rotate(w[t - 15], 18) ^ w[t - 15] >> 3) + w[t - 16];
        memcpy(v, h, sizeof(v));
        for (unsigned int t = 0; t < 64; t++) {
                uint32_t t1 = v[7] + (rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25)) + ((v[4] & v[5]) ^ (~v[4] & v[6])) +
                              c->k[t] + w[t];
                uint32_t t2 =
                        (rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22)) + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));

                memmove(v + 1, v, 7 * sizeof(*v));
                v[4] += t1;
                v[0] = t1 + t2;
        }
        for (unsigned int i = 0; i < 8; i++)
                h[i] += v[i];
}

void sha256_hex(const void *data, size_t length, char ret_hex[65]) {
        const unsigned char *bytes = data;
        unsigned char tail[128] = {0};
        size_t rest = length % 64, tail_length = rest < 56 ? 64 : 128;
        struct constants c;
        uint32_t h[8];

        make_constants(&c);
        memcpy(h, c.h, sizeof(h));
        for (size_t i = 0; i + 64 <= length; i += 64)
                add_block(&c, h, bytes + i);
        if (rest)
                memcpy(tail, bytes + length - rest, rest);
        tail[rest] = 0x80;
        for (unsigned int i = 0; i < 8; i++)
                tail[tail_length - 1 - i] = (unsigned char)((uint64_t)length * 8 >> (8 * i));
        for (size_t i = 0; i < tail_length; i += 64)
                add_block(&c, h, tail + i);
        for (unsigned int i = 0; i < 8; i++)
                snprintf(ret_hex + (size_t)8 * i, 9, "%08x", h[i]);
}
