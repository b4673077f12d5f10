/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef IOV_TOOLS_USER_H
#define IOV_TOOLS_USER_H

#include "tools/common/output.h"

/* The name of a user, or the number where it has none; `iovd` for the appliance itself. */
void put_user(struct table *table, uint32_t uid);

#endif
