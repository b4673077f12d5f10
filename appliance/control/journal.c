/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/journal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "util.h"

struct journal {
        struct tables *tables;
        int level;
        bool prefix; /* stderr is systemd's journal: lines start with <level> */
        uint64_t written;
        char ring[JOURNAL_BYTES];
};

int journal_new(struct tables *tables, int level, struct journal **ret_journal) {
        struct journal *j = calloc(1, sizeof(*j));

        if (!j)
                return -ENOMEM;
        j->tables = tables;
        j->level = level;
        j->prefix = getenv("JOURNAL_STREAM") != NULL;
        *ret_journal = j;
        return 0;
}

struct journal *journal_free(struct journal *j) {
        free(j);
        return NULL;
}

static void ring_add(struct journal *j, const char *text, size_t n) {
        while (n) {
                size_t at = j->written % JOURNAL_BYTES, part = JOURNAL_BYTES - at < n ? JOURNAL_BYTES - at : n;

                memcpy(j->ring + at, text, part);
                j->written += part;
                text += part;
                n -= part;
        }
}

/* Guests and peers choose some of the text: one line stays one line, and sends no terminal sequences. */
static void sanitize(char *text) {
        for (; *text; text++)
                if ((unsigned char)*text < 0x20 || *text == 0x7f)
                        *text = '?';
}

static void line(struct journal *j, int level, char *text) {
        char out[1200], stamp[64];
        struct timespec now;
        struct tm tm;

        sanitize(text);
        clock_gettime(CLOCK_REALTIME, &now);
        gmtime_r(&now.tv_sec, &tm);
        strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
        int n = snprintf(out, sizeof(out), "%s.%03ldZ <%d> %s\n", stamp, now.tv_nsec / 1000000, level, text);
        ring_add(j, out, (size_t)n);
        if (level > j->level)
                return;
        if (j->prefix)
                fprintf(stderr, "<%d>%s\n", level, text);
        else
                fprintf(stderr, "iovd: %s\n", text);
}

void journal_log(struct journal *j, int level, const char *format, ...) {
        char text[1024];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        line(j, level, text);
}

void journal_event(struct journal *j, int level, uint32_t uid, const char *object, const char *format, ...) {
        struct iov_event e = {.level = (uint32_t)level, .uid = uid};
        char text[1024], whole[1200];
        struct timespec now;
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        sanitize(text);
        clock_gettime(CLOCK_REALTIME, &now);
        e.time_ns = (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
        snprintf(e.object, sizeof(e.object), "%s", object);
        snprintf(e.text, sizeof(e.text), "%.*s", (int)sizeof(e.text) - 1, text);
        tables_add_event(j->tables, &e);
        snprintf(whole, sizeof(whole), "%s%s%s", object, *object ? ": " : "", text);
        whole[1000] = 0;
        line(j, level, whole);
}

size_t journal_read(const struct journal *j, uint64_t offset, void *buffer, size_t size, uint64_t *ret_offset) {
        uint64_t oldest = j->written > JOURNAL_BYTES ? j->written - JOURNAL_BYTES : 0;

        if (offset < oldest)
                offset = oldest;
        if (offset > j->written)
                offset = j->written;
        size_t n = j->written - offset < size ? (size_t)(j->written - offset) : size;
        for (size_t i = 0; i < n; i++)
                ((char *)buffer)[i] = j->ring[(offset + i) % JOURNAL_BYTES];
        *ret_offset = offset;
        return n;
}
