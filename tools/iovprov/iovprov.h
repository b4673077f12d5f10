/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef IOV_TOOLS_IOVPROV_H
#define IOV_TOOLS_IOVPROV_H

#include "tools/common/tool.h"

/* The files of the command line as one wanted model, with what was found in them. Released by the cleanup attributes of the
 * caller. */
struct wanted {
        struct iov_model *model;
        struct iov_diagnostics *diagnostics;
};
void wanted_free(struct wanted *wanted);
#define CLEANUP_WANTED __attribute__((cleanup(wanted_free)))
/* Findings are not printed yet. Returns an exit code. */
int wanted_read(struct tool *tool, char **files, unsigned int n_files, struct wanted *ret_wanted);

/* Are the names that the files refer to in them, or in what the appliance has? NULL: it is not asked. Findings are not printed.
 */
int wanted_check(struct tool *tool, struct wanted *wanted, const struct iov_model *have);

int prov_validate(struct tool *tool, char **words, unsigned int n_words);
int prov_plan(struct tool *tool, char **words, unsigned int n_words);
int prov_apply(struct tool *tool, char **words, unsigned int n_words);
int prov_status(struct tool *tool, char **words, unsigned int n_words);
int prov_export(struct tool *tool, char **words, unsigned int n_words);
int prov_history(struct tool *tool, char **words, unsigned int n_words);
int prov_show(struct tool *tool, char **words, unsigned int n_words);
int prov_rollback(struct tool *tool, char **words, unsigned int n_words);
int prov_confirm(struct tool *tool, char **words, unsigned int n_words);
extern const struct option plan_options[], apply_options[], rollback_options[];
extern const struct column history_columns[];

/* confirm.c: the value of --confirm; an exit code. */
int confirm_parse(const struct tool *tool, const char *text, uint32_t *ret_seconds);
/* Say on stderr that the present generation waits to be confirmed, where it does. */
void confirm_say(const struct tool *tool);
struct basis; /* tools/common/session.h */
/* saved.c: plans as documents. */
struct judgement; /* judge.h; NULL: it was not asked for */
int saved_print(const struct tool *tool, const struct iov_plan *plan, const struct basis *basis, const struct wanted *wanted,
                const struct judgement *judgement);
/* The plan of a file, if it still fits: what the appliance will be, and the places for refusals. */
int saved_load(struct tool *tool, const char *file, const struct basis *basis, struct wanted *ret_wanted);
/* Only read it; as iov_topology_read(). */
int saved_check(const struct tool *tool, const char *name, const char *text, size_t length, struct iov_diagnostics *diagnostics);

/* history.c; they report and return an exit code. */
int generation_parse(const struct tool *tool, const char *word, uint64_t *ret_generation);
/* The newest that is kept and older than `generation`. */
int generation_before(const struct tool *tool, struct iov_appliance *appliance, uint64_t generation, uint64_t *ret_generation);
int generation_load(const struct tool *tool, struct iov_appliance *appliance, uint64_t generation, struct iov_model **ret_model);

#endif
