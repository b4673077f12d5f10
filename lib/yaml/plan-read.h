/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values of fields in saved plans. */
#ifndef IOV_PLAN_READ_H
#define IOV_PLAN_READ_H

#include "reader.h"

/* A value as it stands in the text, before it is known of which field it is. */
enum plan_value_type { PLAN_VALUE_NOT_GIVEN, PLAN_VALUE_NULL, PLAN_VALUE_TEXT, PLAN_VALUE_NUMBER };
struct plan_value {
        enum plan_value_type type;
        uint64_t number;
        char *text; /* free() it */
        struct place place;
};

/* The scalar at hand. */
int plan_value_read(struct reader *r, const char *what, struct plan_value *value);
/* Put it into the field of a record, whose description is given; says where it does not fit. Null is zero. */
int plan_value_put(struct reader *r, const struct plan_value *value, enum iov_kind kind, const struct iov_rfield_info *field,
                   void *record);

#endif
