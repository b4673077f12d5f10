/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The reservations on shared volumes, as the appliance tells them. What it says is input like any other. */
#include <errno.h>

#include "appliance.h"
#include "util.h"

#define ROWS_MAX ((size_t)1 << 20)

static bool row_is_valid(const struct iov_mb_reservation_row *row) {
        return iov_name_is_valid(row->volume) && memchr(row->volume, 0, sizeof(row->volume)) &&
               memchr(row->vadapter, 0, sizeof(row->vadapter)) && (!*row->vadapter || iov_name_is_valid(row->vadapter)) &&
               row->type <= 6;
}

/* Append what a reply says; *ret_total: how many there are. */
static int append(struct iov_appliance *a, const unsigned char *reply, size_t length, struct iov_mb_reservation_row **rows,
                  size_t *n, uint64_t *ret_total) {
        struct iov_mb_isolation_part part;

        if (length < sizeof(part) || (length - sizeof(part)) % sizeof(**rows))
                return appliance_error(a, -EPROTO, "RESERVATION_READ: a reply of %zu bytes", length);
        memcpy(&part, reply, sizeof(part));
        const size_t more = (length - sizeof(part)) / sizeof(**rows);
        if (part.first != *n || part.total > ROWS_MAX || more > part.total - *n || (more == 0 && *n < part.total))
                return appliance_error(a, -EPROTO, "RESERVATION_READ: the parts are not of one whole");
        struct iov_mb_reservation_row *larger = reallocarray(*rows, *n + more + 1, sizeof(*larger));
        if (!larger)
                return -ENOMEM;
        *rows = larger;
        memcpy(larger + *n, reply + sizeof(part), more * sizeof(*larger));
        for (size_t i = 0; i < more; i++)
                if (!row_is_valid(&larger[*n + i]))
                        return appliance_error(a, -EPROTO, "RESERVATION_READ: row %zu is malformed", *n + i);
        *n += more;
        *ret_total = part.total;
        return 0;
}

int iov_reservations_read(struct iov_appliance *a, struct iov_mb_reservation_row **ret_rows, size_t *ret_n) {
        CLEANUP_FREE unsigned char *reply = malloc(a->payload_size);
        struct iov_mb_reservation_row *rows = NULL;
        uint64_t total = 0;
        size_t n = 0;
        int r = reply ? 0 : -ENOMEM;

        do {
                const struct iov_mb_isolation_read request = {.first = n};
                size_t length = 0;

                if (r == 0)
                        r = iov_command(a, IOV_OP_RESERVATION_READ, &request, sizeof(request), reply, a->payload_size, &length,
                                        NULL);
                if (r == 0)
                        r = append(a, reply, length, &rows, &n, &total);
        } while (r == 0 && n < total);
        if (r < 0) {
                free(rows);
                return r;
        }
        *ret_rows = rows;
        *ret_n = n;
        return 0;
}
