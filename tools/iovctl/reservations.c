/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reservation: who has registered with shared volumes, who holds them, and the way out when that server is dead. */
#include <inttypes.h>
#include <string.h>

#include "tools/common/report.h"
#include "tools/common/session.h"
#include "tools/iovctl/change.h"
#include "tools/iovctl/iovctl.h"
#include "tools/iovctl/list.h"
#include "tools/iovctl/operate.h"
#include "util.h"

const struct column reservation_columns[] = {
        {"volume", 0, "the shared volume"},
        {"type", 0,
         "write-exclusive, exclusive-access, and these for registrants or all registrants; none without a reservation"},
        {"vadapter", 0, "the vAdapter by which its server has registered; none: it is gone"},
        {"holder", 0, "it holds the reservation"},
        {"key", COLUMN_RIGHT, "its reservation key, in base 16"},
        {"host", 0, "its host identifier; none: it has not set one"},
        {"persists", COLUMN_WIDE, "registrations and reservation outlive a restart of the appliance"},
        {"generation", COLUMN_RIGHT | COLUMN_WIDE, "how often registrations have changed"},
        {"registrants", COLUMN_RIGHT | COLUMN_WIDE, "how many have registered"},
        {0},
};

/* NVMe 1.4 section 6.10 */
static const char *const types[] = {NULL,
                                    "write-exclusive",
                                    "exclusive-access",
                                    "write-exclusive-registrants",
                                    "exclusive-access-registrants",
                                    "write-exclusive-all",
                                    "exclusive-access-all"};

const struct option reservation_clear_options[] = {OPTION_YES, {0}};

static void put_host(struct table *t, const struct iov_mb_reservation_row *row) {
        static const uint8_t none[sizeof(row->host)];
        const size_t n = row->flags & IOV_RESERVATION_EXTENDED ? sizeof(row->host) : 8;
        char text[2 * sizeof(row->host) + 1] = "";

        for (size_t i = 0; i < n; i++)
                snprintf(text + 2 * i, 3, "%02x", row->host[i]);
        put_text(t, memcmp(row->host, none, sizeof(none)) == 0 ? NULL : text);
}

static struct table *rows_table(const struct iov_mb_reservation_row *rows, size_t n, const char *volume) {
        struct table *t = table_new("reservations", reservation_columns);

        for (size_t i = 0; i < n; i++) {
                const struct iov_mb_reservation_row *row = &rows[i];
                char key[24];

                if (volume && strcmp(row->volume, volume) != 0)
                        continue;
                table_row(t);
                put_text(t, row->volume);
                put_text(t, row->type < ARRAY_LENGTH(types) ? types[row->type] : NULL);
                put_text(t, *row->vadapter ? row->vadapter : NULL);
                if (row->registrants) {
                        put_bool(t, row->flags & IOV_RESERVATION_HOLDER);
                        snprintf(key, sizeof(key), "0x%" PRIx64, row->key);
                        put_text(t, key);
                } else {
                        put_null(t);
                        put_null(t);
                }
                put_host(t, row);
                put_bool(t, row->flags & IOV_RESERVATION_PERSISTS);
                put_number(t, row->generation);
                put_number(t, row->registrants);
        }
        return t;
}

struct rows {
        struct iov_mb_reservation_row *rows;
        size_t n;
};

static void rows_free(struct rows *rows) {
        free(rows->rows);
}
#define CLEANUP_ROWS __attribute__((cleanup(rows_free)))

static int read_rows(struct iov_appliance *appliance, void *ret) {
        struct rows *rows = ret;

        return iov_reservations_read(appliance, &rows->rows, &rows->n);
}

static int list_rows(struct tool *tool, struct iov_appliance *a, struct table **ret_table) {
        CLEANUP_ROWS struct rows rows = {0};
        int r = read_rows(a, &rows);

        if (r == 0)
                *ret_table = rows_table(rows.rows, rows.n, NULL);
        return r;
}

int reservation_list(struct tool *tool, char **words, unsigned int n_words) {
        return list_run(tool, list_rows);
}

int reservation_show(struct tool *tool, char **words, unsigned int n_words) {
        CLEANUP_ROWS struct rows rows = {0};
        int status = session_read(tool, read_rows, &rows, "the reservations");

        if (status != STATUS_DONE)
                return status;
        CLEANUP_TABLE struct table *t = rows_table(rows.rows, rows.n, words[0]);
        if (table_n_rows(t) == 0)
                return report_error(tool, STATUS_FAILED, "%s: no such shared volume; 'iovctl reservation list' shows them",
                                    words[0]);
        return output_table(tool, t, true);
}

int reservation_clear(struct tool *tool, char **words, unsigned int n_words) {
        CLEANUP_APPLIANCE struct iov_appliance *appliance = NULL;
        struct iov_mb_error error = {0};
        int status =
                operate_agree(tool, words[0], "lose its reservation, and servers that are fenced off could write to it again");

        if (status == STATUS_DONE)
                status = session_open(tool, &appliance);
        if (status != STATUS_DONE)
                return status;
        return operate_result(tool, words[0], iov_reservation_clear(appliance, words[0], &error), &error);
}
