/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Eight bytes at a time: by the processor's instruction where it has one, else by eight tables (Kounavis and Berry, "A systematic
 * approach to building high performance software-based CRC generators"). */
#include "crc32c.h"

#include <pthread.h>
#include <string.h>

#define POLYNOMIAL UINT32_C(0x82f63b78)

/* tables[k][b]: what byte b does to the checksum once k more bytes have passed. */
static uint32_t tables[8][256];
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static void tables_fill(void) {
        for (uint32_t i = 0; i < 256; i++) {
                uint32_t c = i;

                for (int bit = 0; bit < 8; bit++)
                        c = c & 1 ? (c >> 1) ^ POLYNOMIAL : c >> 1;
                tables[0][i] = c;
        }
        for (unsigned int k = 1; k < 8; k++)
                for (uint32_t i = 0; i < 256; i++)
                        tables[k][i] = tables[0][tables[k - 1][i] & 0xff] ^ (tables[k - 1][i] >> 8);
}

uint32_t crc32c_more_portable(uint32_t crc, const void *data, size_t size) {
        const unsigned char *p = data;

        pthread_once(&tables_once, tables_fill);
        crc = ~crc;
        for (; size >= 8; size -= 8, p += 8) {
                uint32_t low, high;

                memcpy(&low, p, 4); /* little-endian hosts only, see registers.c */
                memcpy(&high, p + 4, 4);
                low ^= crc;
                crc = tables[7][low & 0xff] ^ tables[6][low >> 8 & 0xff] ^ tables[5][low >> 16 & 0xff] ^ tables[4][low >> 24] ^
                      tables[3][high & 0xff] ^ tables[2][high >> 8 & 0xff] ^ tables[1][high >> 16 & 0xff] ^ tables[0][high >> 24];
        }
        while (size--)
                crc = tables[0][(crc ^ *p++) & 0xff] ^ (crc >> 8);
        return ~crc;
}

#ifdef __x86_64__
/* Intel SDM volume 2, CRC32: this very polynomial. */
__attribute__((target("sse4.2"))) static uint32_t more_sse42(uint32_t crc, const void *data, size_t size) {
        const unsigned char *p = data;
        uint64_t c = ~crc;

        for (; size >= 8; size -= 8, p += 8) {
                uint64_t word;

                memcpy(&word, p, 8);
                c = __builtin_ia32_crc32di(c, word);
        }
        while (size--)
                c = __builtin_ia32_crc32qi((uint32_t)c, *p++);
        return ~(uint32_t)c;
}
#endif

uint32_t crc32c_more(uint32_t crc, const void *data, size_t size) {
#ifdef __x86_64__
        if (__builtin_cpu_supports("sse4.2"))
                return more_sse42(crc, data, size);
#endif
        return crc32c_more_portable(crc, data, size);
}

uint32_t crc32c(const void *data, size_t size) {
        return crc32c_more(0, data, size);
}
