/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tables in BAR2: mapped where the transport can, else read; the directory is checked against the register map. */
#ifndef IOV_TABLES_H
#define IOV_TABLES_H

#include "appliance.h"

struct tables {
        struct iov_appliance *appliance;
        const unsigned char *mapped; /* NULL: not */
        uint64_t generation;
        struct iov_table directory[IOV_KIND_COUNT];
};

void tables_init(struct tables *tables, struct iov_appliance *a);
int tables_copy(struct tables *tables, uint64_t offset, void *buffer, size_t size);
/* Wait for an even TABLE_SEQUENCE, at most until the deadline. */
int tables_begin(struct tables *tables, int64_t deadline, uint64_t *ret_sequence);
/* 1: what was copied since tables_begin() is consistent, 0: the tables have changed, try again. */
int tables_end(struct tables *tables, uint64_t sequence);
/* Read header and directory: returns 1, or 0 where they are not as the register map says: `*ret_why`, a static string, says how.
 * The latter is only worth a message where tables_end() says that they have not changed meanwhile. */
int tables_read_directory(struct tables *tables, const char **ret_why);

#endif
