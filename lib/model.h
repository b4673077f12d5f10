/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the library itself may do to a model. */
#ifndef IOV_MODEL_H
#define IOV_MODEL_H

#include "iov/libiov.h"

/*
 * Fill a table that is empty from a copy of the appliance's, row by row of it, in two steps: the first gives room for `n` rows,
 * to be written by the caller, who then checks them (names end, at least) and takes the second. The first may be taken again and
 * leaves alone what was written; the records are the model's from the second on. -E2BIG: more than a table holds. -EEXIST: two of
 * one name, and *ret_row is the second's.
 */
int model_rows_begin(struct iov_model *model, enum iov_kind kind, unsigned int n, void **ret_rows);
int model_rows_end(struct iov_model *model, enum iov_kind kind, unsigned int n, unsigned int *ret_row);
/* A record of the model, to be changed in place: anything but its name. No copy is made and nothing looked up. */
void *model_edit(struct iov_model *model, enum iov_kind kind, const void *record);
/* No member of that kind (namespace, logical unit, ...) has a higher number: to look for all of a parent's no further. */
uint32_t model_highest_number(const struct iov_model *model, enum iov_kind kind);

#endif
