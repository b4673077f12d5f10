/* SPDX-License-Identifier: GPL-2.0-or-later */
/* KEY=VALUE for each kind of object: what `set` and `add` can change. */
#ifndef IOV_TOOLS_SETTINGS_H
#define IOV_TOOLS_SETTINGS_H

#include "tools/common/tool.h"

/* A record with the defaults of its kind. */
void settings_init(enum iov_kind kind, void *record);
/* One setting; reports and returns an exit code. */
int setting_apply(const struct tool *tool, enum iov_kind kind, void *record, const char *word);
/* The value of a key, where the command line has it without the key. */
int setting_put(const struct tool *tool, enum iov_kind kind, void *record, const char *key, const char *value);
/* All words, each key once. */
int settings_apply(const struct tool *tool, enum iov_kind kind, void *record, char **words, unsigned int n_words);

#endif
