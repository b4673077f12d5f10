/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vadapter attach, detach and move: which slot of which server, changed in one transaction. */
#include <stdint.h>
#include <string.h>

#include "tools/common/wait.h"
#include "tools/common/report.h"
#include "tools/iovctl/change.h"
#include "tools/iovctl/iovctl.h"
#include "util.h"

static const char *arg_to;

const struct option attach_options[] = {OPTION_DRY_RUN, OPTION_WAIT, OPTION_TIMEOUT, {0}};
const struct option detach_options[] = {OPTION_DRY_RUN, OPTION_FORCE, OPTION_TIMEOUT, {0}};
const struct option move_options[] = {
        OPTION_DRY_RUN,
        OPTION_FORCE,
        {"to", 0, VALUE_SERVER, "SERVER", &arg_to, "the server it goes to, where that is not the second argument"},
        OPTION_WAIT,
        OPTION_TIMEOUT,
        {0},
};

static int parse_slot(const struct tool *tool, const struct iov_model *model, const char *text, uint32_t *ret_slot) {
        uint32_t slot = 0;
        int status = change_number(tool, "slot", text, &slot);

        if (status != STATUS_DONE)
                return status;
        if (slot >= iov_model_get_slots(model))
                return report_error(tool, STATUS_USAGE, "slot %u: this chassis has slots 0 to %u under each link", slot,
                                    iov_model_get_slots(model) - 1);
        *ret_slot = slot;
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

/* The slot asked for, else the one it is in, else the first that is free. */
static int choose_slot(const struct tool *tool, const struct iov_model *model, const struct iov_vadapter *v, char **words,
                       unsigned int n_words, uint32_t *ret_slot) {
        const char *server = words[1];

        if (!iov_model_get(model, IOV_KIND_SERVER, server))
                return report_error(tool, STATUS_FAILED, "%s: no such server; 'iovctl server list' shows them", server);
        if (n_words > 2)
                return parse_slot(tool, model, words[2], ret_slot);
        if (strcmp(v->server, server) != 0)
                return free_slot(tool, model, server, ret_slot);
        *ret_slot = v->slot;
        return STATUS_DONE;
}

static int plug(const struct tool *tool, const struct iov_model *have, struct iov_model *want, char **words, unsigned int n_words,
                bool may_move) {
        const void *old = NULL;
        uint32_t slot = 0;
        int status = change_get(tool, have, IOV_KIND_VADAPTER, words[0], &old);

        if (status != STATUS_DONE)
                return status;
        struct iov_vadapter v = *(const struct iov_vadapter *)old;
        status = choose_slot(tool, have, &v, words, n_words, &slot);
        if (status != STATUS_DONE)
                return status;
        if (!may_move && *v.server && (strcmp(v.server, words[1]) != 0 || v.slot != slot))
                return report_error(tool, STATUS_FAILED, "%s: is attached to %s, slot %u; detach it first", v.name, v.server,
                                    v.slot);
        const struct iov_vadapter *other = iov_vadapter_in_slot(have, words[1], slot);
        if (other && strcmp(other->name, v.name) != 0)
                return report_error(tool, STATUS_FAILED, "%s: slot %u is in use by %s; choose another, or detach that first",
                                    words[1], slot, other->name);
        field_set(v.server, sizeof(v.server), words[1]);
        v.slot = slot;
        return change_set(tool, want, IOV_KIND_VADAPTER, &v);
}

static int edit_attach(const struct tool *tool, const struct iov_model *have, struct iov_model *want, char **words,
                       unsigned int n_words) {
        return plug(tool, have, want, words, n_words, false);
}

static int edit_move(const struct tool *tool, const struct iov_model *have, struct iov_model *want, char **words,
                     unsigned int n_words) {
        return plug(tool, have, want, words, n_words, true);
}

static int edit_detach(const struct tool *tool, const struct iov_model *have, struct iov_model *want, char **words,
                       unsigned int n_words) {
        const void *old = NULL;
        int status = change_get(tool, have, IOV_KIND_VADAPTER, words[0], &old);

        if (status != STATUS_DONE)
                return status;
        struct iov_vadapter v = *(const struct iov_vadapter *)old;
        memset(v.server, 0, sizeof(v.server));
        v.slot = 0;
        return change_set(tool, want, IOV_KIND_VADAPTER, &v);
}

int vadapter_attach(struct tool *tool, char **words, unsigned int n_words) {
        return change_run_plugs(tool, edit_attach, words, n_words);
}

int vadapter_detach(struct tool *tool, char **words, unsigned int n_words) {
        return change_run_plugs(tool, edit_detach, words, n_words);
}

/* VADAPTER SERVER [SLOT], or with --to VADAPTER [SLOT]. */
int vadapter_move(struct tool *tool, char **words, unsigned int n_words) {
        char *with_to[3] = {words[0], (char *)(uintptr_t)arg_to, n_words > 1 ? words[1] : NULL};

        if (!arg_to && n_words < 2)
                return report_error(tool, STATUS_USAGE, "%s: to which server? iovctl vadapter move VADAPTER --to SERVER",
                                    words[0]);
        if (arg_to && n_words > 2)
                return report_error(tool, STATUS_USAGE, "'%s': with --to only a slot may follow", words[2]);
        if (arg_to)
                return change_run_plugs(tool, edit_move, with_to, n_words + 1);
        return change_run_plugs(tool, edit_move, words, n_words);
}
