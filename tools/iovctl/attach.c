/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vadapter attach and detach: a plan with one change, applied as a transaction. */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "tools/common/changes.h"
#include "tools/common/report.h"
#include "tools/common/session.h"
#include "tools/iovctl/iovctl.h"
#include "util.h"

static bool arg_force, arg_dry_run;

const struct option attach_options[] = {
        {"dry-run", 0, VALUE_FLAG, NULL, &arg_dry_run, "have it checked and show what would change, but change nothing"},
        {0},
};
const struct option detach_options[] = {
        {"dry-run", 0, VALUE_FLAG, NULL, &arg_dry_run, "have it checked and show what would change, but change nothing"},
        {"force", 'f', VALUE_FLAG, NULL, &arg_force, "also where a running server loses the device by it"},
        {0},
};

/* What to do to the record; returns an exit code. */
typedef int (*edit_fn)(const struct tool *tool, const struct iov_model *model, char **words, unsigned int n_words,
                       struct iov_vadapter *v);

static int parse_slot(const struct tool *tool, const struct iov_model *model, const char *text, uint32_t *ret_slot) {
        char *end;

        errno = 0;
        unsigned long slot = strtoul(text, &end, 10);
        if (!isdigit((unsigned char)*text) || *end || errno || slot > UINT_MAX)
                return report_error(tool, STATUS_USAGE, "slot '%s': a number is wanted", text);
        if (slot >= iov_model_get_slots(model))
                return report_error(tool, STATUS_USAGE, "slot %lu: this chassis has slots 0 to %u under each link", slot,
                                    iov_model_get_slots(model) - 1);
        *ret_slot = (uint32_t)slot;
        return STATUS_DONE;
}

static int free_slot(const struct tool *tool, const struct iov_model *model, const char *server, uint32_t *ret_slot) {
        for (uint32_t slot = 0; slot < iov_model_get_slots(model); slot++)
                if (!iov_vadapter_in_slot(model, server, slot)) {
                        *ret_slot = slot;
                        return STATUS_DONE;
                }
        return report_error(tool, STATUS_FAILED, "%s: all %u slots are in use; detach a vAdapter first", server,
                            iov_model_get_slots(model));
}

static int edit_attach(const struct tool *tool, const struct iov_model *model, char **words, unsigned int n_words,
                       struct iov_vadapter *v) {
        const char *server = words[1];
        uint32_t slot = v->slot;
        bool is_there = strcmp(v->server, server) == 0;
        int status = STATUS_DONE;

        if (!iov_model_get(model, IOV_KIND_SERVER, server))
                return report_error(tool, STATUS_FAILED, "%s: no such server; 'iovctl server list' shows them", server);
        if (n_words > 2)
                status = parse_slot(tool, model, words[2], &slot);
        else if (!is_there)
                status = free_slot(tool, model, server, &slot);
        if (status != STATUS_DONE)
                return status;
        if (*v->server && (!is_there || v->slot != slot))
                return report_error(tool, STATUS_FAILED, "%s: is attached to %s, slot %u; detach it first", v->name, v->server,
                                    v->slot);
        const struct iov_vadapter *other = iov_vadapter_in_slot(model, server, slot);
        if (other && strcmp(other->name, v->name) != 0)
                return report_error(tool, STATUS_FAILED, "%s: slot %u is in use by %s; choose another, or detach that first",
                                    server, slot, other->name);
        field_set(v->server, sizeof(v->server), server);
        v->slot = slot;
        return STATUS_DONE;
}

static int edit_detach(const struct tool *tool, const struct iov_model *model, char **words, unsigned int n_words,
                       struct iov_vadapter *v) {
        memset(v->server, 0, sizeof(v->server));
        v->slot = 0;
        return STATUS_DONE;
}

/* One try over an open appliance. *ret_error: errno of the appliance's refusal. */
static int change_once(struct tool *tool, struct iov_appliance *appliance, edit_fn edit, char **words, unsigned int n_words,
                       struct iov_plan **ret_plan, int *ret_error) {
        CLEANUP_MODEL struct iov_model *have = NULL, *want = NULL;
        CLEANUP_PLAN struct iov_plan *plan = NULL;
        struct iov_mb_error error = {.op_index = UINT32_MAX};
        struct iov_mb_txn_result result;
        unsigned int flags = (arg_force ? IOV_TXN_FORCE : 0) | (arg_dry_run ? IOV_TXN_DRY_RUN : 0);
        int r = iov_model_load(appliance, &have);

        *ret_error = 0;
        if (r < 0)
                return report_errno(tool, r, "reading the appliance's tables failed");
        const struct iov_vadapter *old = iov_model_get(have, IOV_KIND_VADAPTER, words[0]);
        if (!old)
                return report_error(tool, STATUS_FAILED, "%s: no such vAdapter; 'iovctl vadapter list' shows them", words[0]);
        struct iov_vadapter changed = *old;
        int status = edit(tool, have, words, n_words, &changed);
        if (status != STATUS_DONE)
                return status;
        r = iov_model_clone(have, &want);
        if (r == 0)
                r = iov_model_set(want, IOV_KIND_VADAPTER, &changed);
        if (r == 0)
                r = iov_plan_new(have, want, 0, &plan);
        if (r < 0)
                return report_errno(tool, r, "%s: planning failed", words[0]);
        if (iov_plan_count(plan) > 0)
                r = iov_plan_apply(plan, appliance, flags, &result, &error);
        *ret_error = r;
        if (r < 0 && r != -ESTALE)
                return *error.text ? report_error(tool, status_from_errno(r), "%.*s", (int)sizeof(error.text), error.text)
                                   : report_errno(tool, r, "%s", words[0]);
        *ret_plan = TAKE_PTR(plan);
        return STATUS_DONE;
}

/* Somebody else's transaction may come between reading and writing: look again, a few times. */
static int change(struct tool *tool, edit_fn edit, char **words, unsigned int n_words) {
        CLEANUP_PLAN struct iov_plan *plan = NULL;
        struct iov_appliance *appliance = NULL;
        int error = 0, status = session_open(tool, &appliance);

        if (status != STATUS_DONE)
                return status;
        for (unsigned int i = 0; i < 5; i++) {
                plan = iov_plan_unref(plan);
                status = change_once(tool, appliance, edit, words, n_words, &plan, &error);
                if (status != STATUS_DONE || error != -ESTALE)
                        break;
        }
        iov_close(appliance);
        if (status == STATUS_DONE && error == -ESTALE)
                return report_error(tool, STATUS_FAILED, "%s: the appliance keeps changing meanwhile; try again", words[0]);
        if (status == STATUS_DONE && (arg_dry_run || tool->verbose || tool->output_option))
                return changes_print(tool, plan);
        return status;
}

int vadapter_attach(struct tool *tool, char **words, unsigned int n_words) {
        return change(tool, edit_attach, words, n_words);
}

int vadapter_detach(struct tool *tool, char **words, unsigned int n_words) {
        return change(tool, edit_detach, words, n_words);
}
