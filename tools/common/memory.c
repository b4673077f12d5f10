/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Allocation that ends the tool where memory has run out: a tool has nothing better to do then. */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/common/tool.h"

static void *checked(void *p) {
        if (!p) {
                fputs("out of memory\n", stderr);
                exit(STATUS_FAILED);
        }
        return p;
}

void *xcalloc(size_t n, size_t size) {
        return checked(calloc(n ? n : 1, size));
}

void *xrealloc(void *p, size_t n, size_t size) {
        return checked(reallocarray(p, n ? n : 1, size));
}

char *xstrdup(const char *s) {
        return checked(strdup(s));
}

char *xstrndup(const char *s, size_t n) {
        return checked(strndup(s, n));
}

FILE *xopen_memstream(char **data, size_t *length) {
        return checked(open_memstream(data, length));
}

char *xasprintf(const char *format, ...) {
        char *s = NULL;
        va_list args;

        va_start(args, format);
        int r = vasprintf(&s, format, args);
        va_end(args);
        return checked(r < 0 ? NULL : s);
}
