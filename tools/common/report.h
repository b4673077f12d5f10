/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What goes to stderr: `iovctl: web-disk: what, where, why, what to do`; under -o json an object with an array of errors. */
#ifndef IOV_TOOLS_REPORT_H
#define IOV_TOOLS_REPORT_H

#include "tools/common/tool.h"

/* Print an error; returns `status`. */
int report_error(const struct tool *tool, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same with the text of a negative errno behind it; returns the exit code for it. */
int report_errno(const struct tool *tool, int r, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* With -v only. */
void report_note(const struct tool *tool, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* All findings. */
void report_diagnostics(const struct tool *tool, const struct iov_diagnostics *diagnostics);
/*
 * Log callback of the context. An error is not printed at once but kept as the reason for the failure that follows, so that one
 * failure is one message.
 */
void report_log(void *userdata, int level, const char *text);
/* The library's own words for what has just failed, else the text of the negative errno; valid until the next message. */
const char *report_reason(int r);
/* Print what is still kept: at the end. */
void report_flush(const struct tool *tool);

#endif
