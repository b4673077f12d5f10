/* SPDX-License-Identifier: GPL-2.0-or-later */
/* isolation: both sides of every translation, and whether two servers reach the same thing. */
#include <inttypes.h>
#include <string.h>

#include "tools/common/report.h"
#include "tools/common/session.h"
#include "tools/iovdump/iovdump.h"
#include "util.h"

const struct column isolation_columns[] = {
        {"server", 0, "the server whose vAdapter or worker it is"},
        {"vadapter", 0, "the vAdapter; none for memory that its worker has besides"},
        {"requester", 0, "bus, device and function; slot N is bus N+1"},
        {"type", 0, "requester, window (DMA), vector (interrupt), medium, or mapping (memory that only the kernel tells of)"},
        {"number", 0, "kind and number of a vector, or number of a medium"},
        {"address", COLUMN_RIGHT, "the server's side: its first address"},
        {"size", COLUMN_RIGHT, "bytes"},
        {"access", 0, "what the device may do there: r, w or rw"},
        {"behind", 0, "the appliance's side: memory as MAJOR:MINOR/INODE+OFFSET, eventfd, or volume"},
        {"verified", 0, "the kernel says so as well, not the worker alone"},
        {"overlap", 0, "whom it is shared with, and must not be"},
        {"worker_pid", COLUMN_RIGHT | COLUMN_WIDE, "process that serves it"},
        {"peer_pid", COLUMN_RIGHT | COLUMN_WIDE, "process that drives it (QEMU)"},
        {"device", COLUMN_WIDE, "device number of the file behind it"},
        {"inode", COLUMN_RIGHT | COLUMN_WIDE, "inode of that file"},
        {"offset", COLUMN_RIGHT | COLUMN_WIDE, "where in that file it begins"},
        {"id", COLUMN_RIGHT | COLUMN_WIDE, "number of the volume or eventfd"},
        {0},
};

static const char *const types[] = {[IOV_ISOLATION_REQUESTER] = "requester",
                                    [IOV_ISOLATION_WINDOW] = "window",
                                    [IOV_ISOLATION_VECTOR] = "vector",
                                    [IOV_ISOLATION_MEDIUM] = "medium",
                                    [IOV_ISOLATION_MAPPING] = "mapping"};
static const char *const interrupts[] = {"intx", "msi", "msix"};

/* ---- overlaps ---- */

/* The thing behind a row: part of a file, or an eventfd as a file of its own on no device. */
struct thing {
        uint64_t device, inode, offset, end;
        size_t row;
};

static bool thing_of(const struct iov_mb_isolation_row *row, size_t index, struct thing *ret_thing) {
        if (row->kind == IOV_ISOLATION_VECTOR && row->id)
                *ret_thing = (struct thing){UINT64_MAX, row->id, 0, 1, index};
        else if (row->kind != IOV_ISOLATION_VECTOR && row->inode && row->size)
                *ret_thing = (struct thing){row->device, row->inode, row->offset, row->offset + row->size, index};
        else
                return false;
        return true;
}

static int compare_things(const void *a, const void *b) {
        const struct thing *x = a, *y = b;

        if (x->device != y->device)
                return x->device < y->device ? -1 : 1;
        if (x->inode != y->inode)
                return x->inode < y->inode ? -1 : 1;
        if (x->offset != y->offset)
                return x->offset < y->offset ? -1 : 1;
        return x->row < y->row ? -1 : x->row > y->row;
}

/* What both can only read is no way from one to the other, and what both are meant to share no mistake. */
static bool is_conflict(const struct iov_mb_isolation_row *a, const struct iov_mb_isolation_row *b) {
        if (a->kind == IOV_ISOLATION_MEDIUM && b->kind == IOV_ISOLATION_MEDIUM && (a->flags & b->flags & IOV_ISOLATION_SHARED))
                return false;
        return strcmp(a->server, b->server) != 0 &&
               (a->kind == IOV_ISOLATION_VECTOR || ((a->flags | b->flags) & IOV_ISOLATION_WRITE));
}

size_t isolation_overlaps(const struct iov_mb_isolation_row *rows, size_t n, size_t *ret_with) {
        CLEANUP_FREE struct thing *things = xcalloc(n + 1, sizeof(*things));
        size_t n_things = 0, n_overlaps = 0;

        for (size_t i = 0; i < n; i++) {
                ret_with[i] = SIZE_MAX;
                n_things += thing_of(&rows[i], i, &things[n_things]);
        }
        qsort(things, n_things, sizeof(*things), compare_things);
        for (size_t i = 0; i < n_things; i++)
                for (size_t j = i + 1; j < n_things && things[j].device == things[i].device &&
                                       things[j].inode == things[i].inode && things[j].offset < things[i].end;
                     j++) {
                        size_t a = things[i].row, b = things[j].row;

                        if (!is_conflict(&rows[a], &rows[b]))
                                continue;
                        if (ret_with[a] == SIZE_MAX || ret_with[b] == SIZE_MAX)
                                n_overlaps++;
                        ret_with[a] = ret_with[a] == SIZE_MAX ? b : ret_with[a];
                        ret_with[b] = ret_with[b] == SIZE_MAX ? a : ret_with[b];
                }
        return n_overlaps;
}

/* ---- printing ---- */

/* Device numbers as makedev(3) of the appliance's Linux makes them. */
static void format_device(uint64_t device, char *buffer, size_t size) {
        snprintf(buffer, size, "%02x:%02x", (unsigned int)((device >> 8 & 0xfff) | (device >> 32 & ~UINT64_C(0xfff))),
                 (unsigned int)((device & 0xff) | (device >> 12 & ~UINT64_C(0xff))));
}

static void format_behind(const struct iov_mb_isolation_row *row, char *buffer, size_t size) {
        char device[32];

        format_device(row->device, device, sizeof(device));
        *buffer = 0;
        if (row->kind == IOV_ISOLATION_MEDIUM)
                snprintf(buffer, size, "volume %s", *row->object ? row->object : "(removed)");
        else if (row->kind == IOV_ISOLATION_VECTOR && row->id)
                snprintf(buffer, size, "eventfd %" PRIu64, row->id);
        else if (row->inode)
                snprintf(buffer, size, "%s/%" PRIu64 "+0x%" PRIx64, device, row->inode, row->offset);
        else if (row->kind == IOV_ISOLATION_WINDOW)
                snprintf(buffer, size, "nothing");
}

static void put_if(struct table *t, bool is_there, uint64_t number, unsigned int digits) {
        if (!is_there)
                put_null(t);
        else if (digits)
                put_hex(t, number, digits);
        else
                put_number(t, number);
}

static void put_number_text(struct table *t, const struct iov_mb_isolation_row *row) {
        char text[32] = "";

        if (row->kind == IOV_ISOLATION_VECTOR && row->index < ARRAY_LENGTH(interrupts))
                snprintf(text, sizeof(text), "%s %u", interrupts[row->index], row->vector);
        else if (row->kind == IOV_ISOLATION_MEDIUM && *row->vadapter)
                snprintf(text, sizeof(text), "%u", row->index);
        put_text(t, text);
}

/* `db01 window 0x100000000`, `db01 medium` */
static void put_overlap(struct table *t, const struct iov_mb_isolation_row *with) {
        char text[160];

        if (!with) {
                put_null(t);
                return;
        }
        int n = snprintf(text, sizeof(text), "%s %s", with->server, types[with->kind]);
        if (with->kind == IOV_ISOLATION_WINDOW && n > 0 && (size_t)n < sizeof(text))
                snprintf(text + n, sizeof(text) - (size_t)n, " 0x%" PRIx64, with->address);
        put_text(t, text);
}

static void put_row(struct table *t, const struct iov_mb_isolation_row *row, const struct iov_mb_isolation_row *with) {
        static const char *const access[] = {"", "r", "w", "rw"};
        const bool has_file = row->inode != 0, is_requester = row->kind == IOV_ISOLATION_REQUESTER;
        char text[160] = "";

        put_text(t, row->server);
        put_text(t, row->vadapter);
        if (*row->vadapter)
                snprintf(text, sizeof(text), "%02x:00.0", row->slot + 1);
        put_text(t, text);
        put_text(t, types[row->kind]);
        put_number_text(t, row);
        put_if(t, row->kind == IOV_ISOLATION_WINDOW, row->address, 1);
        if (row->size)
                put_size(t, row->size);
        else
                put_null(t);
        put_text(t, access[row->flags & (IOV_ISOLATION_READ | IOV_ISOLATION_WRITE)]);
        format_behind(row, text, sizeof(text));
        put_text(t, text);
        if (is_requester || (row->kind == IOV_ISOLATION_WINDOW && !has_file))
                put_null(t);
        else
                put_bool(t, row->flags & IOV_ISOLATION_VERIFIED);
        put_overlap(t, with);
        put_if(t, row->worker_pid != 0, row->worker_pid, 0);
        put_if(t, row->peer_pid != 0, row->peer_pid, 0);
        format_device(row->device, text, sizeof(text));
        put_text(t, has_file ? text : NULL);
        put_if(t, has_file, row->inode, 0);
        put_if(t, has_file, row->offset, 1);
        put_if(t, row->id != 0, row->id, 0);
}

struct table *isolation_table(const struct iov_mb_isolation_row *rows, size_t n, const size_t *with) {
        struct table *t = table_new("isolation", isolation_columns);

        for (size_t i = 0; i < n; i++) {
                table_row(t);
                put_row(t, &rows[i], with[i] == SIZE_MAX ? NULL : &rows[with[i]]);
        }
        return t;
}

/* ---- the command ---- */

/* One line, and the exit code for it. */
static int judge(const struct tool *tool, const struct iov_mb_isolation_row *rows, size_t n, const size_t *with,
                 size_t n_overlaps) {
        for (size_t i = 0; i < n; i++)
                if (with[i] != SIZE_MAX) {
                        const struct iov_mb_isolation_row *a = &rows[i], *b = &rows[with[i]];
                        char behind[160];

                        format_behind(a, behind, sizeof(behind));
                        return report_error(tool, STATUS_FAILED,
                                            "%zu overlap%s: servers %s and %s both reach %s; detach one of the two and ask its "
                                            "hypervisor why",
                                            n_overlaps, n_overlaps == 1 ? "" : "s", a->server, b->server, behind);
                }
        for (size_t i = 0; i < n; i++)
                if (rows[i].flags & IOV_ISOLATION_INCOMPLETE)
                        return report_error(tool, STATUS_FAILED,
                                            "%s: what its worker says of %s makes no sense or is not all; nothing is known to "
                                            "overlap",
                                            rows[i].server, rows[i].vadapter);
        return STATUS_DONE;
}

struct rows {
        struct iov_mb_isolation_row *rows;
        size_t n;
};

static void rows_free(struct rows *rows) {
        free(rows->rows);
}
#define CLEANUP_ROWS __attribute__((cleanup(rows_free)))

static int read_rows(struct iov_appliance *appliance, void *ret) {
        struct rows *rows = ret;

        return iov_isolation_read(appliance, &rows->rows, &rows->n);
}

int dump_isolation(struct tool *tool, char **words, unsigned int n_words) {
        CLEANUP_ROWS struct rows rows = {0};
        int status = session_read(tool, read_rows, &rows, "who reaches what");

        if (status != STATUS_DONE)
                return status;
        CLEANUP_FREE size_t *with = xcalloc(rows.n + 1, sizeof(*with));
        size_t n_overlaps = isolation_overlaps(rows.rows, rows.n, with);
        CLEANUP_TABLE struct table *t = isolation_table(rows.rows, rows.n, with);
        status = output_table(tool, t, false);
        return status == STATUS_DONE ? judge(tool, rows.rows, rows.n, with, n_overlaps) : status;
}
