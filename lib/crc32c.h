/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef IOV_CRC32C_H
#define IOV_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* CRC-32C (Castagnoli), reflected, as in RFC 3720 appendix B.4. */
uint32_t crc32c(const void *data, size_t size);

#endif
