/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link up, down and retrain. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/common/report.h"
#include "tools/common/session.h"
#include "tools/iovctl/change.h"
#include "tools/iovctl/iovctl.h"
#include "tools/iovctl/operate.h"
#include "util.h"

const struct option link_down_options[] = {OPTION_YES, {0}};

int operate_agree(const struct tool *tool, const char *target, const char *what) {
        CLEANUP_FILE FILE *terminal = arg_yes || !isatty(STDERR_FILENO) ? NULL : fopen("/dev/tty", "r+e");
        char answer[16];

        if (arg_yes)
                return STATUS_DONE;
        if (!terminal)
                return report_error(tool, STATUS_USAGE, "%s would %s; --yes is needed where nobody can be asked", target, what);
        fprintf(terminal, "%s would %s. Go on? [y/N] ", target, what);
        fflush(terminal);
        if (fgets(answer, sizeof(answer), terminal) && (*answer == 'y' || *answer == 'Y'))
                return STATUS_DONE;
        return report_error(tool, STATUS_FAILED, "nothing was done");
}

int operate_result(const struct tool *tool, const char *target, int r, const struct iov_mb_error *error) {
        if (r >= 0)
                return STATUS_DONE;
        return *error->text ? report_error(tool, status_from_errno(r), "%.*s", (int)sizeof(error->text), error->text)
                            : report_errno(tool, r, "%s", target);
}

const struct iov_link *link_find(const struct iov_model *model, const char *word) {
        const struct iov_server *server = iov_model_get(model, IOV_KIND_SERVER, word);
        const struct iov_link *link = iov_model_get(model, IOV_KIND_LINK, word);
        char number[16];

        if (link || !server)
                return link;
        snprintf(number, sizeof(number), "%u", server->link);
        return iov_model_get(model, IOV_KIND_LINK, number);
}

/* A server that uses what is behind the link loses it. */
static int agree_down(const struct tool *tool, const struct iov_model *model, uint32_t link) {
        const struct iov_vadapter *v;
        unsigned int n = 0;
        const char *server = NULL;

        iov_model_foreach (model, IOV_KIND_VADAPTER, v) {
                const struct iov_server *s = iov_model_get(model, IOV_KIND_SERVER, v->at_server);

                if (!s || s->link != link || v->state != IOV_VADAPTER_CONNECTED)
                        continue;
                server = s->name;
                n++;
        }
        if (!n)
                return STATUS_DONE;
        CLEANUP_FREE char *target = xasprintf("server %s", server);
        CLEANUP_FREE char *what = xasprintf("lose %u %s that it uses", n, n == 1 ? "vAdapter" : "vAdapters");
        return operate_agree(tool, target, what);
}

static int control(struct tool *tool, const char *word, enum iov_link_action action) {
        CLEANUP_APPLIANCE struct iov_appliance *appliance = NULL;
        CLEANUP_MODEL struct iov_model *model = NULL;
        struct iov_mb_error error = {0};
        int status = session_load(tool, &model);

        if (status != STATUS_DONE)
                return status;
        const struct iov_link *link = link_find(model, word);
        if (!link)
                return report_error(tool, STATUS_FAILED, "%s: no such link; 'iovctl link list' shows them", word);
        if (action == IOV_LINK_DOWN)
                status = agree_down(tool, model, link->number);
        if (status == STATUS_DONE)
                status = session_open(tool, &appliance);
        if (status != STATUS_DONE)
                return status;
        int r = iov_link_control(appliance, link->number, action, &error);
        return operate_result(tool, word, r, &error);
}

int link_up(struct tool *tool, char **words, unsigned int n_words) {
        return control(tool, words[0], IOV_LINK_UP);
}

int link_down(struct tool *tool, char **words, unsigned int n_words) {
        return control(tool, words[0], IOV_LINK_DOWN);
}

int link_retrain(struct tool *tool, char **words, unsigned int n_words) {
        return control(tool, words[0], IOV_LINK_RETRAIN);
}
