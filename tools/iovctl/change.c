/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tools/iovctl/change.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "tools/common/changes.h"
#include "tools/common/confirm.h"
#include "tools/common/objects.h"
#include "tools/common/wait.h"
#include "tools/common/refusal.h"
#include "tools/common/report.h"
#include "tools/common/session.h"
#include "tools/iovctl/iovctl.h"
#include "util.h"

#define ATTEMPTS_MAX 5

bool arg_dry_run, arg_force, arg_yes;

/* A change under way. */
struct change {
        struct tool *tool;
        edit_fn edit;
        char **words;
        unsigned int n_words;
        struct iov_appliance *appliance; /* NULL: closed */
        bool agreed;                     /* the user was asked */
        bool plugs;                      /* words[0] is a vAdapter that is plugged, unplugged or moved */
};

int change_get(const struct tool *tool, const struct iov_model *model, enum iov_kind kind, const char *name,
               const void **ret_record) {
        const void *record = iov_model_get(model, kind, name);

        if (!record)
                return report_error(tool, STATUS_FAILED, "%s: no such %s; 'iovctl %s list' shows them", name, kind_word(kind),
                                    iov_records_get(kind)->name);
        *ret_record = record;
        return STATUS_DONE;
}

int change_name(const struct tool *tool, const struct iov_model *model, enum iov_kind kind, const char *name,
                char field[IOV_NAME_SIZE]) {
        if (!iov_name_is_valid(name))
                return report_error(tool, STATUS_USAGE,
                                    "'%s': names have letters, digits, '.', '_' and '-', start with a letter or digit, and have "
                                    "at most %d characters",
                                    name, IOV_NAME_MAX);
        if (iov_model_get(model, kind, name))
                return report_error(tool, STATUS_FAILED, "%s: there is a %s of that name; choose another", name, kind_word(kind));
        field_set(field, IOV_NAME_SIZE, name);
        return STATUS_DONE;
}

int change_set(const struct tool *tool, struct iov_model *want, enum iov_kind kind, const void *record) {
        int r = iov_model_set(want, kind, record);

        return r < 0 ? report_errno(tool, r, "%s: cannot be set", (const char *)record) : STATUS_DONE;
}

int change_remove(const struct tool *tool, struct iov_model *want, enum iov_kind kind, const char *name) {
        int r = iov_model_remove(want, kind, name);

        return r < 0 ? report_errno(tool, r, "%s: cannot be removed", name) : STATUS_DONE;
}

int change_number(const struct tool *tool, const char *what, const char *text, uint32_t *ret_number) {
        char *end;

        errno = 0;
        unsigned long number = strtoul(text, &end, 10);
        if (!isdigit((unsigned char)*text) || *end || errno || number > UINT32_MAX)
                return report_error(tool, STATUS_USAGE, "%s '%s': a number is wanted", what, text);
        *ret_number = (uint32_t)number;
        return STATUS_DONE;
}

static int make_plan(const struct change *c, struct iov_model **ret_have, struct iov_plan **ret_plan) {
        CLEANUP_MODEL struct iov_model *have = NULL, *want = NULL;
        int r = iov_model_load(c->appliance, &have);

        if (r < 0)
                return report_errno(c->tool, r, "reading the appliance's tables failed");
        r = iov_model_clone(have, &want);
        if (r == 0) {
                int status = c->edit(c->tool, have, want, c->words, c->n_words);
                if (status != STATUS_DONE)
                        return status;
                /* `want` lacks nothing but what this change takes away. */
                r = iov_plan_new(have, want, IOV_PLAN_PRUNE, ret_plan);
        }
        if (r < 0)
                return report_errno(c->tool, r, "%s: planning failed", c->words[0]);
        *ret_have = TAKE_PTR(have);
        return STATUS_DONE;
}

/* Nobody shall wait for the appliance while the user thinks: it is closed meanwhile. */
static int agree(struct change *c, const struct iov_plan *plan) {
        char target[IOV_NAME_SIZE + 40];

        /* `set` takes away what the user has just named: a slot of a profile. A volume that shrinks loses more than that. */
        bool removes = strcmp(c->tool->command->verb, "remove") == 0 && plan_removes(plan);
        if (c->agreed || arg_yes || arg_dry_run || (!removes && !plan_shrinks(plan)))
                return STATUS_DONE;
        snprintf(target, sizeof(target), "%s %.80s", c->tool->command->object, c->words[0]);
        iov_close(TAKE_PTR(c->appliance));
        int status = confirm_losses(c->tool, plan, target);
        if (status != STATUS_DONE)
                return status;
        c->agreed = true;
        return session_open(c->tool, &c->appliance);
}

/* One try. *ret_stale: the appliance has changed since it was looked at. */
static int change_once(struct change *c, struct iov_plan **ret_plan, bool *ret_stale) {
        CLEANUP_PLAN struct iov_plan *plan = NULL;
        CLEANUP_MODEL struct iov_model *have = NULL;
        struct iov_mb_error error = {.op_index = UINT32_MAX};
        struct iov_mb_txn_result result;
        struct refusal refusal;
        unsigned int flags = (arg_force ? IOV_TXN_FORCE : 0) | (arg_dry_run ? IOV_TXN_DRY_RUN : 0);
        int r = 0, status = make_plan(c, &have, &plan);

        *ret_stale = false;
        if (status == STATUS_DONE)
                status = agree(c, plan);
        if (status != STATUS_DONE)
                return status;
        if (plan_shrinks(plan))
                flags |= IOV_TXN_SHRINK;
        if (iov_plan_count(plan) > 0)
                r = iov_plan_apply(plan, c->appliance, flags, &result, &error);
        else if (c->plugs)
                r = iov_vadapter_retry(c->appliance, have, c->words[0], flags, &error);
        *ret_stale = r == -ESTALE;
        if (r < 0 && r != -ESTALE) {
                refusal_take(c->appliance, r, &refusal);
                return refusal_report(c->tool, &refusal, c->words[0]);
        }
        *ret_plan = TAKE_PTR(plan);
        return STATUS_DONE;
}

static int follow(const struct change *c) {
        const bool profile = strcmp(c->tool->command->object, "profile") == 0;
        const struct wait_scope scope = {
                .vadapter = profile ? NULL : c->words[0], .profile = profile ? c->words[0] : NULL, .appliance = c->appliance};

        return wait_until_there(c->tool, &scope);
}

/* Somebody else's transaction may come between reading and writing: look again, a few times. */
static int run(struct tool *tool, edit_fn edit, char **words, unsigned int n_words, bool plugs) {
        CLEANUP_PLAN struct iov_plan *plan = NULL;
        struct change c = {tool, edit, words, n_words, NULL, false, plugs && strcmp(tool->command->object, "vadapter") == 0};
        bool stale = true;
        int status = session_open(tool, &c.appliance);

        for (unsigned int i = 0; status == STATUS_DONE && stale && i < ATTEMPTS_MAX; i++) {
                plan = iov_plan_unref(plan);
                status = change_once(&c, &plan, &stale);
        }
        if (status == STATUS_DONE && !stale && plugs && !arg_dry_run)
                status = follow(&c);
        iov_close(c.appliance);
        if (status == STATUS_DONE && stale)
                return report_error(tool, STATUS_FAILED, "%s: the appliance keeps changing meanwhile; try again", words[0]);
        if (status == STATUS_DONE && (arg_dry_run || tool->verbose || tool->output_option))
                return changes_print(tool, plan);
        return status;
}

int change_run(struct tool *tool, edit_fn edit, char **words, unsigned int n_words) {
        return run(tool, edit, words, n_words, false);
}

int change_run_plugs(struct tool *tool, edit_fn edit, char **words, unsigned int n_words) {
        return run(tool, edit, words, n_words, true);
}
