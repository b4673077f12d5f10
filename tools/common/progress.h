/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Telling how far it is: on a terminal in one line that changes, else, where it is wanted, as JSON lines. All on stderr. */
#ifndef IOV_TOOLS_PROGRESS_H
#define IOV_TOOLS_PROGRESS_H

#include "tools/common/tool.h"

extern bool arg_progress;

void progress_tell(const struct tool *tool, const char *phase, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The line goes: something else is to be printed. */
void progress_end(const struct tool *tool);

#endif
