/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plan, apply, status and rollback: the steps from what the appliance has to what the files want, as one transaction. */
#include <errno.h>
#include <string.h>

#include "tools/common/changes.h"
#include "tools/common/confirm.h"
#include "tools/common/progress.h"
#include "tools/common/wait.h"
#include "tools/common/report.h"
#include "tools/common/session.h"
#include "tools/iovprov/judge.h"
#include "util.h"

static bool arg_prune, arg_dry_run, arg_yes, arg_force, arg_scrub;
static const char *arg_plan, *arg_confirm;
static bool take_back; /* the rollback is of what waits to be confirmed, which the appliance does by itself */

const struct option plan_options[] = {
        {"prune", 0, VALUE_FLAG, NULL, &arg_prune, "also remove what the files do not name"},
        {"force", 'f', VALUE_FLAG, NULL, &arg_force, "have it judged as apply --force is"},
        {"scrub", 0, VALUE_FLAG, NULL, &arg_scrub, "have it judged as apply --scrub is"},
        {0},
};
const struct option apply_options[] = {
        {"prune", 0, VALUE_FLAG, NULL, &arg_prune, "also remove what the files do not name"},
        {"dry-run", 0, VALUE_FLAG, NULL, &arg_dry_run, "have the transaction judged by the appliance, but change nothing"},
        {"yes", 'y', VALUE_FLAG, NULL, &arg_yes, "do not ask before something is removed or a volume becomes smaller"},
        {"force", 'f', VALUE_FLAG, NULL, &arg_force, "also where a running server loses a device by it"},
        {"scrub", 0, VALUE_FLAG, NULL, &arg_scrub,
         "volumes of vAdapters that go from one server to another lose their data on the way"},
        {"confirm", 0, VALUE_TEXT, "SECONDS", &arg_confirm,
         "let the appliance take it back after that time (120, 2m) unless 'iovprov confirm' comes"},
        {"plan", 0, VALUE_FILE, "FILE", &arg_plan, "apply a plan that 'plan -o yaml' saved; refused where it no longer fits"},
        OPTION_WAIT,
        OPTION_TIMEOUT,
        {"progress", 0, VALUE_FLAG, NULL, &arg_progress, "tell on stderr how far it is, as JSON lines where that is no terminal"},
        {0},
};

const struct option rollback_options[] = {
        {"dry-run", 0, VALUE_FLAG, NULL, &arg_dry_run, "have the transaction judged by the appliance, but change nothing"},
        {"yes", 'y', VALUE_FLAG, NULL, &arg_yes, "do not ask before something is removed or a volume becomes smaller"},
        {"force", 'f', VALUE_FLAG, NULL, &arg_force, "also where a running server loses a device by it"},
        OPTION_WAIT,
        OPTION_TIMEOUT,
        {"progress", 0, VALUE_FLAG, NULL, &arg_progress, "tell on stderr how far it is, as JSON lines where that is no terminal"},
        {0},
};

static int make_plan(const struct tool *tool, struct iov_model *have, struct iov_model *want, struct iov_plan **ret_plan) {
        int r = iov_plan_new(have, want, arg_prune ? IOV_PLAN_PRUNE : 0, ret_plan);

        return r < 0 ? report_errno(tool, r, "planning failed") : STATUS_DONE;
}

/* Read everything, look at the appliance, plan. What is wrong with the files is told first, whatever the appliance says. */
static int prepare(struct tool *tool, char **words, unsigned int n_words, struct wanted *wanted, struct basis *basis,
                   struct iov_plan **ret_plan) {
        struct early_load *early = early_load_start(tool, words, n_words);
        int status = wanted_read(tool, words, n_words, wanted);

        if (status == STATUS_DONE)
                status = early_load_finish(tool, early, basis);
        else
                early_load_drop(early);
        if (status != STATUS_DONE)
                return status;
        status = wanted_check(tool, wanted, basis->have);
        if (status == STATUS_USAGE)
                report_diagnostics(tool, wanted->diagnostics);
        return status == STATUS_DONE ? make_plan(tool, basis->have, wanted->model, ret_plan) : status;
}

/* The same from a saved plan, which names all that it removes. */
static int prepare_saved(struct tool *tool, unsigned int n_words, struct wanted *wanted, struct basis *basis,
                         struct iov_plan **ret_plan) {
        if (n_words || arg_prune)
                return report_error(tool, STATUS_USAGE, "--plan goes without %s: the plan says it all",
                                    n_words ? "files" : "--prune");
        int status = basis_load(tool, basis);
        if (status == STATUS_DONE)
                status = saved_load(tool, arg_plan, basis, wanted);
        arg_prune = true;
        return status == STATUS_DONE ? make_plan(tool, basis->have, wanted->model, ret_plan) : status;
}

static uint32_t transaction_flags(const struct iov_plan *plan) {
        return (arg_dry_run ? IOV_TXN_DRY_RUN : 0) | (arg_force ? IOV_TXN_FORCE : 0) | (arg_scrub ? IOV_TXN_SCRUB : 0) |
               (plan_shrinks(plan) ? IOV_TXN_SHRINK : 0);
}

int prov_plan(struct tool *tool, char **words, unsigned int n_words) {
        CLEANUP_WANTED struct wanted wanted = {0};
        CLEANUP_BASIS struct basis basis = {0};
        CLEANUP_PLAN struct iov_plan *plan = NULL;
        struct judgement judgement;
        int status = prepare(tool, words, n_words, &wanted, &basis, &plan);

        if (status == STATUS_DONE)
                status = judge_plan(tool, plan, transaction_flags(plan), &judgement);
        if (status != STATUS_DONE)
                return status;
        if (!judgement.refusal.r)
                report_diagnostics(tool, wanted.diagnostics);
        status = tool->quiet ? STATUS_DONE : saved_print(tool, plan, &basis, &wanted, &judgement);
        if (judgement.refusal.r) {
                int refused = judge_report(tool, plan, &wanted, &judgement.refusal);

                return status == STATUS_DONE ? refused : status;
        }
        return status == STATUS_DONE && iov_plan_count(plan) ? STATUS_PENDING : status;
}

/* What the files do not name is a difference too. */
int prov_status(struct tool *tool, char **words, unsigned int n_words) {
        CLEANUP_WANTED struct wanted wanted = {0};
        CLEANUP_BASIS struct basis basis = {0};
        CLEANUP_PLAN struct iov_plan *plan = NULL;

        arg_prune = true;
        int status = prepare(tool, words, n_words, &wanted, &basis, &plan);
        if (status != STATUS_DONE)
                return status;
        report_diagnostics(tool, wanted.diagnostics);
        status = tool->quiet ? STATUS_DONE : saved_print(tool, plan, &basis, &wanted, NULL);
        if (status == STATUS_DONE)
                confirm_say(tool);
        return status == STATUS_DONE && iov_plan_count(plan) ? STATUS_PENDING : status;
}

/* What is there after it was applied: what is not as wanted, and whether something is still on its way. */
struct after {
        struct iov_plan *rest;
        bool goes_on;
};
static void after_free(struct after *after) {
        iov_plan_unref(after->rest);
}
#define CLEANUP_AFTER __attribute__((cleanup(after_free)))

/* Read back and plan again: nothing may be left to do. */
static int verify(struct tool *tool, struct iov_appliance *appliance, struct iov_model *want, struct after *ret_after) {
        CLEANUP_BASIS struct basis basis = {0};
        int r = basis_read(appliance, &basis);

        if (r >= 0)
                r = wait_is_needed(&(struct wait_scope){.want = want}, &basis, &ret_after->goes_on);
        if (r < 0)
                return report_errno(tool, r, "applied, but reading back failed");
        return make_plan(tool, basis.have, want, &ret_after->rest);
}

/* While it is waited for: still as it was wanted? */
static int look_for_changes(struct tool *tool, void *userdata, const struct basis *basis) {
        CLEANUP_PLAN struct iov_plan *rest = NULL;
        int status = make_plan(tool, basis->have, userdata, &rest);

        if (status != STATUS_DONE || !iov_plan_count(rest))
                return status;
        progress_end(tool);
        changes_report_rest(tool, rest);
        return report_error(tool, STATUS_PARTLY, "it was applied, and somebody has changed it since");
}

static int execute(struct tool *tool, const struct iov_plan *plan, struct wanted *wanted, struct after *ret_after) {
        CLEANUP_APPLIANCE struct iov_appliance *appliance = NULL;
        struct iov_mb_error error = {.op_index = UINT32_MAX};
        struct iov_mb_txn_result result;
        struct refusal refusal;

        /* The appliance needs no transaction for that, and refuses others meanwhile. */
        if (take_back && arg_dry_run)
                return STATUS_DONE;
        int status = session_open(tool, &appliance);
        if (status != STATUS_DONE)
                return status;
        progress_tell(tool, "commit", "committing %zu changes", iov_plan_count(plan));
        int r = take_back ? iov_confirm_take_back(appliance, &result, &error)
                          : iov_plan_apply(plan, appliance, transaction_flags(plan), &result, &error);
        if (r < 0) {
                progress_end(tool);
                refusal_take(appliance, r, &refusal);
                iov_close(TAKE_PTR(appliance));
                return judge_report(tool, plan, wanted, &refusal);
        }
        return arg_dry_run ? STATUS_DONE : verify(tool, appliance, wanted->model, ret_after);
}

/* Ask, apply, verify, print. */
static int carry_out(struct tool *tool, const struct iov_plan *plan, struct wanted *wanted) {
        CLEANUP_AFTER struct after after = {.goes_on = arg_wait}; /* where nothing is to be done, too */
        int status = arg_yes || arg_dry_run ? STATUS_DONE : confirm_losses(tool, plan, NULL);

        if (status == STATUS_DONE && (iov_plan_count(plan) || take_back))
                status = execute(tool, plan, wanted, &after);
        progress_end(tool);
        if (status != STATUS_DONE)
                return status;
        report_diagnostics(tool, wanted->diagnostics);
        int printed = tool->quiet ? STATUS_DONE : changes_print(tool, plan);
        status = printed == STATUS_DONE ? status : printed;
        if (status == STATUS_DONE && after.rest && iov_plan_count(after.rest)) {
                changes_report_rest(tool, after.rest);
                return report_error(tool, STATUS_PARTLY, "applied, but %zu objects are not as wanted",
                                    iov_plan_count(after.rest));
        }
        const struct wait_scope scope = {.want = wanted->model, .look = look_for_changes, .userdata = wanted->model};
        if (status == STATUS_DONE && after.goes_on && !arg_dry_run)
                status = wait_until_there(tool, &scope);
        return status;
}

int prov_apply(struct tool *tool, char **words, unsigned int n_words) {
        CLEANUP_WANTED struct wanted wanted = {0};
        CLEANUP_BASIS struct basis basis = {0};
        CLEANUP_PLAN struct iov_plan *plan = NULL;
        uint32_t seconds = 0;
        int status = arg_confirm ? confirm_parse(tool, arg_confirm, &seconds) : STATUS_DONE;

        if (status == STATUS_DONE)
                status = arg_plan ? prepare_saved(tool, n_words, &wanted, &basis, &plan)
                                  : prepare(tool, words, n_words, &wanted, &basis, &plan);
        if (status != STATUS_DONE)
                return status;
        iov_plan_set_confirm(plan, seconds);
        status = carry_out(tool, plan, &wanted);
        if (seconds && status != STATUS_FAILED && !arg_dry_run)
                confirm_say(tool);
        return status;
}

/* What the appliance has, and what it had in the generation to go back to. */
static int load_earlier(struct tool *tool, const char *word, struct iov_model **ret_have, struct iov_model **ret_want) {
        CLEANUP_APPLIANCE struct iov_appliance *appliance = NULL;
        uint64_t generation;
        int status = word ? generation_parse(tool, word, &generation) : STATUS_DONE;

        if (status == STATUS_DONE)
                status = session_open(tool, &appliance);
        if (status != STATUS_DONE)
                return status;
        int r = iov_model_load(appliance, ret_have);
        if (r < 0)
                return report_errno(tool, r, "reading the appliance's tables failed");
        if (!word)
                status = generation_before(tool, appliance, iov_model_get_generation(*ret_have), &generation);
        if (status == STATUS_DONE && generation + 1 == iov_model_get_generation(*ret_have)) {
                uint64_t time_ns = 0;

                r = iov_confirm_get_time(appliance, &time_ns);
                if (r < 0)
                        return report_errno(tool, r, "reading the appliance's registers failed");
                take_back = time_ns;
        }
        return status == STATUS_DONE ? generation_load(tool, appliance, generation, ret_want) : status;
}

int prov_rollback(struct tool *tool, char **words, unsigned int n_words) {
        CLEANUP_WANTED struct wanted wanted = {0};
        CLEANUP_MODEL struct iov_model *have = NULL;
        CLEANUP_PLAN struct iov_plan *plan = NULL;
        int r = iov_diagnostics_new(&wanted.diagnostics);

        if (r < 0)
                return report_errno(tool, r, "cannot start");
        arg_prune = true;
        int status = load_earlier(tool, n_words ? words[0] : NULL, &have, &wanted.model);
        if (status == STATUS_DONE)
                status = make_plan(tool, have, wanted.model, &plan);
        return status == STATUS_DONE ? carry_out(tool, plan, &wanted) : status;
}
