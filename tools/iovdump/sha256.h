/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef IOV_TOOLS_SHA256_H
#define IOV_TOOLS_SHA256_H

#include <stddef.h>

/* The SHA-256 digest (FIPS 180-4) of `data` in hexadecimal. */
void sha256_hex(const void *data, size_t length, char ret_hex[65]);

#endif
