/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines are broken where libyaml breaks them, since its marks are what is looked up here. */
#include "source.h"

#include <stdbool.h>

#include "util.h"

#define EXCERPT_BEFORE 80 /* characters kept before the column of interest */
#define EXCERPT_MAX 200   /* characters kept of a long line */

/* Length of the line break at `p`, 0: none. CR LF is one; NEL, LS and PS are breaks too, as in YAML 1.1. */
static size_t break_length(const char *p, size_t left) {
        if (*p == '\n')
                return 1;
        if (*p == '\r')
                return left > 1 && p[1] == '\n' ? 2 : 1;
        if (left > 1 && memcmp(p, "\xc2\x85", 2) == 0)
                return 2;
        return left > 2 && (memcmp(p, "\xe2\x80\xa8", 3) == 0 || memcmp(p, "\xe2\x80\xa9", 3) == 0) ? 3 : 0;
}

/* Decode one character; what is not UTF-8 is one U+FFFD a byte. Returns the bytes it takes. */
static size_t decode(const char *s, size_t left, uint32_t *ret_character) {
        static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
        const unsigned char *p = (const unsigned char *)s;
        size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xf0 && p[0] < 0xf8 ? 4 : p[0] >= 0xe0 ? 3 : p[0] >= 0xc0 ? 2 : 0;
        uint32_t c = n <= 1 ? p[0] : p[0] & (0xffu >> (n + 1));

        *ret_character = 0xfffd;
        if (n == 0 || n > left || p[0] >= 0xf8)
                return 1;
        for (size_t i = 1; i < n; i++) {
                if ((p[i] & 0xc0) != 0x80)
                        return 1;
                c = c << 6 | (p[i] & 0x3f);
        }
        if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
                return 1;
        *ret_character = c;
        return n;
}

size_t source_line(struct source *source, uint32_t line) {
        if (line < source->cursor_line || source->cursor_line == 0) {
                source->cursor = 0;
                source->cursor_line = 1;
        }
        while (source->cursor_line < line && source->cursor < source->length) {
                size_t n = break_length(source->text + source->cursor, source->length - source->cursor);

                source->cursor_line += n > 0;
                source->cursor += n ? n : 1;
        }
        return source->cursor_line == line ? source->cursor : source->length;
}

size_t source_byte(struct source *source, uint32_t line, uint32_t column) {
        size_t offset = source_line(source, line);
        uint32_t c;

        for (; column > 1 && offset < source->length; column--)
                offset += decode(source->text + offset, source->length - offset, &c);
        return offset;
}

void source_position(const struct source *source, size_t offset, uint32_t *ret_line, uint32_t *ret_column) {
        uint32_t line = 1, column = 1, c;

        for (size_t i = 0; i < offset && i < source->length;) {
                size_t n = break_length(source->text + i, source->length - i);

                line += n > 0;
                column = n ? 1 : column + 1;
                i += n ? n : decode(source->text + i, source->length - i, &c);
        }
        *ret_line = line;
        *ret_column = column;
}

/* Controls would reach the terminal, and marks of direction would show another text than the one that is read. */
static bool is_unprintable(uint32_t c) {
        return (c < 0x20 && c != '\t') || (c >= 0x7f && c < 0xa0) || (c >= 0x200e && c <= 0x200f) ||
               (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff || c == 0xfffd;
}

static bool is_long(const struct source *source, size_t offset) {
        uint32_t c;

        for (unsigned int n = 0; n <= EXCERPT_MAX; n++) {
                if (offset >= source->length || break_length(source->text + offset, source->length - offset))
                        return false;
                offset += decode(source->text + offset, source->length - offset, &c);
        }
        return true;
}

char *source_excerpt(struct source *source, uint32_t line, uint32_t column, int *ret_shift) {
        size_t offset = source_line(source, line);
        uint32_t first = 1, at = 1, kept = 0;
        size_t size = EXCERPT_MAX * 4 + 8, n = 0;
        char *copy = malloc(size);

        if (!copy)
                return NULL;
        if (column > EXCERPT_BEFORE && is_long(source, offset))
                first = column - EXCERPT_BEFORE;
        if (first > 1)
                n = (size_t)snprintf(copy, size, "...");
        for (; offset < source->length && !break_length(source->text + offset, source->length - offset); at++) {
                uint32_t c;
                size_t bytes = decode(source->text + offset, source->length - offset, &c);

                if (at >= first && kept++ < EXCERPT_MAX) {
                        bool bad = is_unprintable(c);

                        memcpy(copy + n, bad ? "\xef\xbf\xbd" : source->text + offset, bad ? 3 : bytes);
                        n += bad ? 3 : bytes;
                } else if (kept > EXCERPT_MAX) {
                        memcpy(copy + n, "...", 3);
                        n += 3;
                        break;
                }
                offset += bytes;
        }
        copy[n] = 0;
        *ret_shift = first > 1 ? (int)first - 1 - 3 : 0;
        return copy;
}

/* Terminal cells of a character: the blocks that matter, since the library does not rely on the locale. */
static unsigned int width(uint32_t c) {
        static const struct {
                uint32_t first, last;
                unsigned int width;
        } blocks[] = {
                {0x0300, 0x036f, 0}, {0x200b, 0x200d, 0},   {0x20d0, 0x20ff, 0},   {0xfe00, 0xfe0f, 0},   {0x1100, 0x115f, 2},
                {0x2e80, 0xa4cf, 2}, {0xac00, 0xd7a3, 2},   {0xf900, 0xfaff, 2},   {0xfe30, 0xfe6f, 2},   {0xff00, 0xff60, 2},
                {0xffe0, 0xffe6, 2}, {0x1f300, 0x1f64f, 2}, {0x1f900, 0x1f9ff, 2}, {0x20000, 0x3fffd, 2},
        };

        for (size_t i = 0; i < ARRAY_LENGTH(blocks); i++)
                if (c >= blocks[i].first && c <= blocks[i].last)
                        return blocks[i].width;
        return 1;
}

void source_caret(const char *excerpt, unsigned int column, unsigned int length, FILE *stream) {
        size_t left = strlen(excerpt);
        bool marked = false;

        for (unsigned int at = 1; at < column + length; at++) {
                uint32_t c = ' ';
                size_t bytes = left ? decode(excerpt, left, &c) : 0;

                excerpt += bytes;
                left -= bytes;
                /* A tab under a tab keeps the caret in place whatever the terminal's tab stops. */
                if (at < column && c == '\t')
                        fputc('\t', stream);
                else if (at < column)
                        fprintf(stream, "%*s", (int)width(c), "");
                else if (bytes || !marked)
                        for (unsigned int cell = 0; cell < width(c) || !marked; cell++, marked = true)
                                fputc(marked ? '~' : '^', stream);
        }
        fputc('\n', stream);
}
