/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Adapters that come and go: the places of a software chassis. */
#ifndef IOV_IOVE_ADAPTERS_H
#define IOV_IOVE_ADAPTERS_H

#include "iove/rules.h"

/* Add one. Whether its values make sense is for whoever reads the chassis. -EBADMSG: refused. */
int adapters_insert(struct iov_model *candidate, const struct iov_adapter *adapter, struct iove_refusal *ret_refusal);
/* Take one out that nothing is on. */
int adapters_remove(struct iov_model *candidate, const char *name, struct iove_refusal *ret_refusal);

#endif
