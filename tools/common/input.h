/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading whole files before anything else happens. */
#ifndef IOV_TOOLS_INPUT_H
#define IOV_TOOLS_INPUT_H

#include <stddef.h>

/* `-` is standard input. The caller frees the text, which is NUL-terminated behind its length. -EFBIG: larger than 64 MiB. */
int input_read(const char *file, char **ret_text, size_t *ret_length);
/* The name for messages: `<stdin>` for `-`. */
const char *input_name(const char *file);

#endif
