/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Profiles: which vAdapter is in which slot, and who wears them. */
#include <string.h>

#include "tools/common/wait.h"
#include "tools/common/report.h"
#include "tools/iovctl/change.h"
#include "tools/iovctl/iovctl.h"
#include "tools/iovctl/settings.h"
#include "util.h"

const struct option wear_options[] = {OPTION_DRY_RUN, OPTION_FORCE, OPTION_WAIT, OPTION_TIMEOUT, {0}};

/* SLOT=VADAPTER, or SLOT= for an empty one. */
static int put_slot(const struct tool *tool, const struct iov_model *have, struct iov_model *want, const char *profile,
                    const char *word) {
        const char *sign = strchr(word, '=');
        struct iov_member slot = {0};
        const void *vadapter;
        uint32_t number = 0;

        if (!sign)
                return report_error(tool, STATUS_USAGE, "'%s': SLOT=VADAPTER is wanted, such as 0=web-disk; SLOT= empties it",
                                    word);
        CLEANUP_FREE char *text = xstrndup(word, (size_t)(sign - word));
        int status = change_number(tool, "slot", text, &number);
        if (status != STATUS_DONE)
                return status;
        if (number >= iov_model_get_slots(have))
                return report_error(tool, STATUS_USAGE, "slot %u: this chassis has slots 0 to %u under each link", number,
                                    iov_model_get_slots(have) - 1);
        int r = iov_member_init(&slot, profile, number);
        if (r < 0)
                return report_errno(tool, r, "%s", profile);
        if (!sign[1])
                return iov_model_get(want, IOV_KIND_PROFILE_SLOT, slot.name)
                               ? change_remove(tool, want, IOV_KIND_PROFILE_SLOT, slot.name)
                               : report_error(tool, STATUS_FAILED, "%s: slot %u is empty already", profile, number);
        status = change_get(tool, have, IOV_KIND_VADAPTER, sign + 1, &vadapter);
        if (status != STATUS_DONE)
                return status;
        field_set(slot.target, sizeof(slot.target), sign + 1);
        return change_set(tool, want, IOV_KIND_PROFILE_SLOT, &slot);
}

static int put_slots(const struct tool *tool, const struct iov_model *have, struct iov_model *want, char **words,
                     unsigned int n_words) {
        int status = STATUS_DONE;

        for (unsigned int i = 1; status == STATUS_DONE && i < n_words; i++)
                status = put_slot(tool, have, want, words[0], words[i]);
        return status;
}

static int edit_add(const struct tool *tool, const struct iov_model *have, struct iov_model *want, char **words,
                    unsigned int n_words) {
        struct iov_profile p = {0};
        int status = change_name(tool, have, IOV_KIND_PROFILE, words[0], p.name);

        if (status == STATUS_DONE)
                status = change_set(tool, want, IOV_KIND_PROFILE, &p);
        return status == STATUS_DONE ? put_slots(tool, have, want, words, n_words) : status;
}

static int edit_set(const struct tool *tool, const struct iov_model *have, struct iov_model *want, char **words,
                    unsigned int n_words) {
        const void *profile;
        int status = change_get(tool, have, IOV_KIND_PROFILE, words[0], &profile);

        return status == STATUS_DONE ? put_slots(tool, have, want, words, n_words) : status;
}

static int put_on(const struct tool *tool, struct iov_model *want, const char *server, const char *profile) {
        struct iov_server copy = *(const struct iov_server *)iov_model_get(want, IOV_KIND_SERVER, server);

        memset(copy.profile, 0, sizeof(copy.profile));
        field_set(copy.profile, sizeof(copy.profile), profile);
        return change_set(tool, want, IOV_KIND_SERVER, &copy);
}

static int wear(const struct tool *tool, const struct iov_model *have, struct iov_model *want, char **words, bool may_move) {
        const void *record, *server = NULL;
        int status = change_get(tool, have, IOV_KIND_PROFILE, words[0], &record);

        if (status == STATUS_DONE)
                status = change_get(tool, have, IOV_KIND_SERVER, words[1], &server);
        if (status != STATUS_DONE)
                return status;
        const struct iov_profile *p = record;
        const struct iov_server *s = server;
        if (*s->profile && strcmp(s->profile, p->name) != 0)
                return report_error(tool, STATUS_FAILED, "%s: wears %s; take that off first", s->name, s->profile);
        if (*p->server && strcmp(p->server, s->name) != 0) {
                if (!may_move)
                        return report_error(tool, STATUS_FAILED, "%s: %s wears it; 'iovctl profile move' moves it", p->name,
                                            p->server);
                status = put_on(tool, want, p->server, "");
        }
        return status == STATUS_DONE ? put_on(tool, want, words[1], words[0]) : status;
}

static int edit_wear(const struct tool *tool, const struct iov_model *have, struct iov_model *want, char **words,
                     unsigned int n_words) {
        return wear(tool, have, want, words, false);
}

static int edit_move(const struct tool *tool, const struct iov_model *have, struct iov_model *want, char **words,
                     unsigned int n_words) {
        return wear(tool, have, want, words, true);
}

static int edit_take_off(const struct tool *tool, const struct iov_model *have, struct iov_model *want, char **words,
                         unsigned int n_words) {
        const void *record;
        int status = change_get(tool, have, IOV_KIND_PROFILE, words[0], &record);

        if (status != STATUS_DONE)
                return status;
        const struct iov_profile *p = record;
        return *p->server ? put_on(tool, want, p->server, "")
                          : report_error(tool, STATUS_FAILED, "%s: no server wears it", p->name);
}

int profile_add(struct tool *tool, char **words, unsigned int n_words) {
        return change_run(tool, edit_add, words, n_words);
}

int profile_set(struct tool *tool, char **words, unsigned int n_words) {
        return change_run(tool, edit_set, words, n_words);
}

int profile_wear(struct tool *tool, char **words, unsigned int n_words) {
        return change_run_plugs(tool, edit_wear, words, n_words);
}

int profile_move(struct tool *tool, char **words, unsigned int n_words) {
        return change_run_plugs(tool, edit_move, words, n_words);
}

int profile_take_off(struct tool *tool, char **words, unsigned int n_words) {
        return change_run_plugs(tool, edit_take_off, words, n_words);
}
