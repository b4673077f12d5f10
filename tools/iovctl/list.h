/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all lists have: filters, order, watching. */
#ifndef IOV_TOOLS_LIST_H
#define IOV_TOOLS_LIST_H

#include "tools/common/tool.h"

/* Makes the whole table from an open appliance; 0 or -errno. */
typedef int (*list_fn)(struct tool *tool, struct iov_appliance *appliance, struct table **ret_table);

/* Print it once, or watch it, as the options say. */
int list_run(struct tool *tool, list_fn list);

/* Let SIGINT wait for wait_interrupted(), which returns true when it came. */
void block_interrupt(void);
bool wait_interrupted(double seconds);
int report_lost(const struct tool *tool, int r);

/* Targets of the options that several commands have. */
extern const char *arg_sort;
extern struct text_list arg_filters;
extern struct watch_value arg_watch;
/* clang-format off */
#define OPTION_FILTER {"filter", 0, VALUE_FILTER, "FILTER", &arg_filters, "only rows with COL=VALUE, COL!=VALUE or COL~REGEX; may be repeated"}
#define OPTION_SORT   {"sort", 0, VALUE_SORT, "COL,...", &arg_sort, "order by these columns, by -COL from the largest down"}
#define OPTION_WATCH  {"watch", 'w', VALUE_WATCH, "[SECONDS]", &arg_watch, "list again on each change, or each SECONDS, until interrupted"}
/* clang-format on */

#endif
