/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef IOV_TOOLS_OBJECTS_PRIVATE_H
#define IOV_TOOLS_OBJECTS_PRIVATE_H

#include "tools/common/objects.h"

#define PUT_FIELD(table, field) put_field((table), (field), sizeof(field))

static inline void put_number_or_null(struct table *t, uint64_t number) {
        if (number)
                put_number(t, number);
        else
                put_null(t);
}

static inline void put_rate_or_null(struct table *t, uint64_t bits) {
        if (bits)
                put_rate(t, bits);
        else
                put_null(t);
}

/* objects-storage.c */
void volume_row(struct table *t, const struct snapshot *s, const void *record);
/* Of all members that show volumes. */
void member_row(struct table *t, const struct snapshot *s, const void *record);
void namespace_row(struct table *t, const struct snapshot *s, const void *record);
/* The volumes that a vAdapter shows as members of a kind. */
struct table *members_table(const struct snapshot *s, enum iov_kind kind, const char *vadapter);

/* objects-operate.c */
void link_row(struct table *t, const struct snapshot *s, const void *record);
void fault_row(struct table *t, const struct snapshot *s, const void *record);

/* objects-config.c */
void network_row(struct table *t, const struct snapshot *s, const void *record);
void qos_row(struct table *t, const struct snapshot *s, const void *record);
void profile_row(struct table *t, const struct snapshot *s, const void *record);
void pool_row(struct table *t, const struct snapshot *s, const void *record);

#endif
