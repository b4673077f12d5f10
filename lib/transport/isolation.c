/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who can reach what, as the appliance tells it. What it says is input like any other. */
#include <errno.h>

#include "appliance.h"
#include "util.h"

#define ROWS_MAX ((size_t)1 << 20) /* more than all the windows of all the slots of any chassis there is */

static bool string_is_valid(const char *s, size_t size) {
        size_t length = strnlen(s, size);

        for (size_t i = 0; i < length; i++)
                if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
                        return false;
        return length < size;
}

static bool row_is_valid(const struct iov_mb_isolation_row *row) {
        return row->kind >= IOV_ISOLATION_REQUESTER && row->kind <= IOV_ISOLATION_MAPPING && *row->server &&
               string_is_valid(row->server, sizeof(row->server)) && string_is_valid(row->vadapter, sizeof(row->vadapter)) &&
               string_is_valid(row->object, sizeof(row->object)) && row->offset + row->size >= row->offset &&
               (!row->size || row->address + (row->size - 1) >= row->address);
}

struct rows {
        struct iov_mb_isolation_row *items;
        size_t n;
        uint64_t total;
};

/* Read one more part; `buffer` has room for a whole payload. */
static int rows_next(struct iov_appliance *a, unsigned char *buffer, struct rows *rows) {
        const struct iov_mb_isolation_read request = {.first = rows->n};
        struct iov_mb_isolation_part part;
        size_t length = 0;
        int r = iov_command(a, IOV_OP_ISOLATION_READ, &request, sizeof(request), buffer, a->payload_size, &length, NULL);

        if (r < 0)
                return r;
        if (length < sizeof(part) || (length - sizeof(part)) % sizeof(*rows->items))
                return appliance_error(a, -EPROTO, "ISOLATION_READ: a reply of %zu bytes", length);
        memcpy(&part, buffer, sizeof(part));
        size_t n = (length - sizeof(part)) / sizeof(*rows->items);
        if (part.first != rows->n || part.total > ROWS_MAX || (rows->n && part.total != rows->total) ||
            n > part.total - rows->n || (n == 0 && rows->n < part.total))
                return appliance_error(a, -EPROTO, "ISOLATION_READ: the parts are not of one whole");
        if (!rows->items) {
                rows->total = part.total;
                rows->items = calloc((size_t)part.total + 1, sizeof(*rows->items));
                if (!rows->items)
                        return -ENOMEM;
        }
        memcpy(rows->items + rows->n, buffer + sizeof(part), n * sizeof(*rows->items));
        for (size_t i = 0; i < n; i++)
                if (!row_is_valid(&rows->items[rows->n + i]))
                        return appliance_error(a, -EPROTO, "ISOLATION_READ: row %zu is malformed", rows->n + i);
        rows->n += n;
        return 0;
}

int iov_isolation_read(struct iov_appliance *a, struct iov_mb_isolation_row **ret_rows, size_t *ret_n) {
        CLEANUP_FREE unsigned char *buffer = malloc(a->payload_size);
        struct rows rows = {0};
        int r = buffer ? 0 : -ENOMEM;

        if (r == 0)
                do
                        r = rows_next(a, buffer, &rows);
                while (r == 0 && rows.n < rows.total);
        if (r < 0) {
                free(rows.items);
                return r;
        }
        *ret_rows = rows.items;
        *ret_n = rows.n;
        return 0;
}
