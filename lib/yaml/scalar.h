/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a plain scalar is in the core schema of YAML 1.2 (section 10.3.2). */
#ifndef IOV_SCALAR_H
#define IOV_SCALAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum scalar { SCALAR_TEXT, SCALAR_NULL, SCALAR_BOOL, SCALAR_INTEGER, SCALAR_FLOAT };

enum scalar scalar_resolve(const char *s);
/* The value of a SCALAR_INTEGER. -ERANGE: negative, or does not fit. */
int scalar_integer(const char *s, uint64_t *ret_value);
/* True where a plain scalar could be read as something else than text, in YAML 1.2 or 1.1. */
bool scalar_needs_quotes(const char *name);

#endif
