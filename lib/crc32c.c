/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "crc32c.h"

uint32_t crc32c(const void *data, size_t size) {
        static uint32_t table[256];
        const unsigned char *p = data;
        uint32_t crc = UINT32_MAX;

        if (!table[1])
                for (uint32_t i = 0; i < 256; i++) {
                        uint32_t c = i;

                        for (int bit = 0; bit < 8; bit++)
                                c = c & 1 ? (c >> 1) ^ UINT32_C(0x82f63b78) : c >> 1;
                        table[i] = c;
                }
        while (size--)
                crc = table[(crc ^ *p++) & 0xff] ^ (crc >> 8);
        return ~crc;
}
