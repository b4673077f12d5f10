/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text of a file, by lines, for messages that show it. */
#ifndef IOV_SOURCE_H
#define IOV_SOURCE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct source {
        char *name, *text;
        size_t length;
        /* Where the line looked up last starts: findings come in the order of the text. */
        size_t cursor;
        uint32_t cursor_line;
};

/* Offset of the first byte of a line (from 1); `length` past the end. */
size_t source_line(struct source *source, uint32_t line);
/* Offset of the byte at a line and column. */
size_t source_byte(struct source *source, uint32_t line, uint32_t column);
/* Line and column of a byte. */
void source_position(const struct source *source, size_t offset, uint32_t *ret_line, uint32_t *ret_column);
/*
 * A copy of a line for a terminal: what is not printable is replaced, and of a long line only the part round `column` is kept;
 * `ret_shift` is how many columns further left things are in the copy. NULL: no memory.
 */
char *source_excerpt(struct source *source, uint32_t line, uint32_t column, int *ret_shift);
/* The caret line under such a copy, with a newline. */
void source_caret(const char *excerpt, unsigned int column, unsigned int length, FILE *stream);

#endif
