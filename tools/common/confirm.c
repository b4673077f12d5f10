/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tools/common/confirm.h"

#include <unistd.h>

#include "tools/common/changes.h"
#include "tools/common/report.h"
#include "util.h"

/* `volume v shrinks from 2GiB to 1GiB`; the caller frees it. */
static char *shrink_text(const struct iov_plan_step *step) {
        const struct iov_volume *have = step->have, *want = step->want;
        char from[32], to[32];

        return xasprintf("volume %s would shrink from %s to %s and lose what is behind", want->name,
                         iov_size_format(have->size, from), iov_size_format(want->size, to));
}

static int ask(const struct tool *tool, const struct iov_plan *plan, const char *what, FILE *terminal) {
        char answer[16];

        for (size_t i = 0; i < iov_plan_count(plan); i++) {
                const struct iov_plan_step *step = iov_plan_get(plan, i);

                if (step_shrinks(step)) {
                        CLEANUP_FREE char *text = shrink_text(step);

                        fprintf(terminal, "~ %s\n", text);
                } else if (!step->want) {
                        fprintf(terminal, "- %s %s\n", iov_records_get(step->kind)->name, step_name(step));
                }
        }
        fprintf(terminal, "%s? [y/N] ", what);
        fflush(terminal);
        if (fgets(answer, sizeof(answer), terminal) && (*answer == 'y' || *answer == 'Y'))
                return STATUS_DONE;
        return report_error(tool, STATUS_FAILED, "nothing was applied");
}

/* What would be lost, as counted. */
struct losses {
        const struct iov_plan_step *removed, *shrunk; /* the first of each */
        unsigned int n_removed, n_shrunk;
};

static struct losses count_losses(const struct iov_plan *plan) {
        struct losses l = {0};

        for (size_t i = 0; i < iov_plan_count(plan); i++) {
                const struct iov_plan_step *step = iov_plan_get(plan, i);

                if (!step->want && !l.n_removed++)
                        l.removed = step;
                if (step_shrinks(step) && !l.n_shrunk++)
                        l.shrunk = step;
        }
        return l;
}

static char *question(const struct losses *l, const char *target) {
        CLEANUP_FREE char *n_removed = xasprintf("%u object%s", l->n_removed, l->n_removed == 1 ? "" : "s");
        CLEANUP_FREE char *n_shrunk = xasprintf("%u volume%s", l->n_shrunk, l->n_shrunk == 1 ? "" : "s");
        const char *removed = target ? target : n_removed;

        if (!l->n_removed)
                return xasprintf("Shrink %s", n_shrunk);
        return l->n_shrunk ? xasprintf("Remove %s and shrink %s", removed, n_shrunk) : xasprintf("Remove %s", removed);
}

/* There is nobody to ask. */
static int refuse(const struct tool *tool, const struct losses *l, const char *target) {
        if (l->shrunk) {
                CLEANUP_FREE char *text = shrink_text(l->shrunk);

                return report_error(tool, STATUS_USAGE, "%s; --yes is needed where nobody can be asked", text);
        }
        if (target)
                return report_error(tool, STATUS_USAGE, "%s would be removed; --yes is needed where nobody can be asked", target);
        return report_error(tool, STATUS_USAGE, "%u %s would be removed, first %s; --yes is needed where nobody can be asked",
                            l->n_removed, l->n_removed == 1 ? "object" : "objects", step_name(l->removed));
}

int confirm_losses(const struct tool *tool, const struct iov_plan *plan, const char *target) {
        CLEANUP_FILE FILE *terminal = NULL;
        struct losses losses = count_losses(plan);

        if (!losses.n_removed && !losses.n_shrunk)
                return STATUS_DONE;
        CLEANUP_FREE char *what = question(&losses, target);
        /* Standard input may be data: the question goes to the terminal itself. */
        if (isatty(STDERR_FILENO))
                terminal = fopen("/dev/tty", "r+e");
        return terminal ? ask(tool, plan, what, terminal) : refuse(tool, &losses, target);
}
