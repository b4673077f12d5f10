/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the commands have in common that ask something of the appliance beside transactions. */
#ifndef IOV_TOOLS_OPERATE_H
#define IOV_TOOLS_OPERATE_H

#include "tools/common/tool.h"

/* Ask on the terminal, unless --yes; without a terminal say that --yes is needed. `what` is a sentence's end: `go down, ...`. */
int operate_agree(const struct tool *tool, const char *target, const char *what);
/* Report what a mailbox command has come to; an exit code. */
int operate_result(const struct tool *tool, const char *target, int r, const struct iov_mb_error *error);
/* A link by its number, or by the server on it; NULL: there is none. */
const struct iov_link *link_find(const struct iov_model *model, const char *word);

#endif
