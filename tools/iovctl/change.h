/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One change to the appliance: look, change one thing in a copy, plan, apply as one transaction. */
#ifndef IOV_TOOLS_CHANGE_H
#define IOV_TOOLS_CHANGE_H

#include "tools/common/tool.h"

/* What to do to `want`, a copy of `have`. Returns an exit code, after it has reported. May be called again for a newer `have`. */
typedef int (*edit_fn)(const struct tool *tool, const struct iov_model *have, struct iov_model *want, char **words,
                       unsigned int n_words);

/* words[0] is the object of the command; what goes with it is removed only after the user has agreed, or with --yes. */
int change_run(struct tool *tool, edit_fn edit, char **words, unsigned int n_words);
/* The same for changes that plug and unplug: the vAdapter or profile words[0] is followed until it is where it shall be. */
int change_run_plugs(struct tool *tool, edit_fn edit, char **words, unsigned int n_words);

/* For edits: report and return an exit code. */
/* The object must be there. */
int change_get(const struct tool *tool, const struct iov_model *model, enum iov_kind kind, const char *name,
               const void **ret_record);
/* `name` is a valid one, and free: copy it to a record's field. */
int change_name(const struct tool *tool, const struct iov_model *model, enum iov_kind kind, const char *name,
                char field[IOV_NAME_SIZE]);
int change_set(const struct tool *tool, struct iov_model *want, enum iov_kind kind, const void *record);
int change_remove(const struct tool *tool, struct iov_model *want, enum iov_kind kind, const char *name);
/* A whole number of 32 bits; `what` is its name. */
int change_number(const struct tool *tool, const char *what, const char *text, uint32_t *ret_number);

/* Targets of the options that several commands have. */
extern bool arg_dry_run, arg_force, arg_yes;
/* clang-format off */
#define OPTION_DRY_RUN {"dry-run", 0, VALUE_FLAG, NULL, &arg_dry_run, "have it judged and show what would change, but change nothing"}
#define OPTION_FORCE   {"force", 'f', VALUE_FLAG, NULL, &arg_force, "also where a running server loses a device by it"}
#define OPTION_YES     {"yes", 'y', VALUE_FLAG, NULL, &arg_yes, "do not ask before something is removed"}
/* clang-format on */

#endif
