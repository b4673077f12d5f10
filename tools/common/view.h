/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which rows of a list are shown, and in what order: --filter and --sort. */
#ifndef IOV_TOOLS_VIEW_H
#define IOV_TOOLS_VIEW_H

#include "tools/common/tool.h"

struct view_filter;
struct view_key;
struct view {
        struct view_filter *filters;
        unsigned int n_filters;
        struct view_key *keys;
        unsigned int n_keys;
};

/*
 * `sort` is COL or -COL, several behind commas, NULL: none; a filter is COL=VALUE, COL!=VALUE or COL~REGEX. Columns are those of
 * the command. Reports what is wrong and returns an exit code.
 */
int view_make(const struct tool *tool, const char *sort, const struct text_list *filters, struct view *ret_view);
void view_free(struct view *view);
#define CLEANUP_VIEW __attribute__((cleanup(view_free)))
/* Drop the rows that a filter refuses and order the rest. */
void view_apply(const struct view *view, const struct output *output, struct table *table);

#endif
