/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef IOV_CRC32C_H
#define IOV_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* CRC-32C (Castagnoli), reflected, as in RFC 3720 appendix B.4. */
uint32_t crc32c(const void *data, size_t size);
/* The same of what was before, whose checksum is `crc`, and then this; `crc` 0: nothing was before. */
uint32_t crc32c_more(uint32_t crc, const void *data, size_t size);
/* The same without the processor's instruction. */
uint32_t crc32c_more_portable(uint32_t crc, const void *data, size_t size);

#endif
