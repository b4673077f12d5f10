/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cleanup attributes and small helpers that every part of the project may use. */
#ifndef IOV_UTIL_H
#define IOV_UTIL_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ARRAY_LENGTH(a) (sizeof(a) / sizeof((a)[0]))

static inline void free_pointer(void *p) {
        free(*(void **)p);
}
static inline void close_fd(const int *fd) {
        if (*fd >= 0)
                close(*fd);
}
static inline void close_file(FILE **f) {
        if (*f)
                fclose(*f);
}

/* Freed, closed at the end of the scope, unless taken. Descriptors start at -1. */
#define CLEANUP_FREE __attribute__((cleanup(free_pointer)))
#define CLEANUP_CLOSE __attribute__((cleanup(close_fd)))
#define CLEANUP_FILE __attribute__((cleanup(close_file)))

#define TAKE_PTR(p)                                                                                                              \
        __extension__({                                                                                                          \
                __typeof__(p) taken_ = (p);                                                                                      \
                (p) = NULL;                                                                                                      \
                taken_;                                                                                                          \
        })
static inline int take_fd(int *fd) {
        int taken = *fd;

        *fd = -1;
        return taken;
}

/* Copy `source` to a zero-padded field of `size` bytes; 0, or -1 (field untouched) where it and its NUL do not fit. */
static inline int field_set(char *field, size_t size, const char *source) {
        size_t length = strlen(source);

        if (length >= size)
                return -1;
        memset(field, 0, size);
        memcpy(field, source, length);
        return 0;
}

/* As much of `source` as has room. */
static inline void field_cut(char *field, size_t size, const char *source) {
        const size_t length = strnlen(source, size - 1);

        memset(field + length, 0, size - length);
        memmove(field, source, length);
}

#define DECIMAL_SIZE 11 /* of any `number` below, with its NUL */

/* `number` in decimal and a NUL to `to`; returns where the NUL is. For names that are made for every look-up: snprintf() is most
 * of one. */
static inline char *put_decimal(char *to, uint32_t number) {
        char digits[DECIMAL_SIZE];
        unsigned int n = 0;

        do
                digits[n++] = (char)('0' + number % 10);
        while (number /= 10);
        while (n)
                *to++ = digits[--n];
        *to = 0;
        return to;
}

/* Bytes of a record, whose size is a multiple of 8, up to the last that is not zero, a multiple of 8 and at least `least`. */
static inline size_t record_used(const void *record, size_t size, size_t least) {
        uint64_t word = 0;

        while (size > least) {
                memcpy(&word, (const char *)record + size - sizeof(word), sizeof(word));
                if (word)
                        break;
                size -= sizeof(word);
        }
        return size;
}

/* CLOCK_MONOTONIC, ns. */
static inline uint64_t monotonic_ns(void) {
        struct timespec t = {0};

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

#endif
