/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the library itself may do to a model. */
#ifndef IOV_MODEL_H
#define IOV_MODEL_H

#include "iov/libiov.h"

/* Put a record into a given row, so that a copy of the appliance's tables has its row numbers. -EEXIST: the row or the name is
 * taken. */
int model_put(struct iov_model *model, enum iov_kind kind, unsigned int row, const void *record);
/* A record of the model, to be changed in place: anything but its name. No copy is made and nothing looked up. */
void *model_edit(struct iov_model *model, enum iov_kind kind, const void *record);

#endif
