/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tools/common/confirm.h"

#include <unistd.h>

#include "tools/common/changes.h"
#include "tools/common/report.h"
#include "util.h"

static int ask(const struct tool *tool, const struct iov_plan *plan, const char *what, FILE *terminal) {
        char answer[16];

        for (size_t i = 0; i < iov_plan_count(plan); i++)
                if (!iov_plan_get(plan, i)->want)
                        fprintf(terminal, "- %s %s\n", iov_records_get(iov_plan_get(plan, i)->kind)->name,
                                step_name(iov_plan_get(plan, i)));
        fprintf(terminal, "Remove %s? [y/N] ", what);
        fflush(terminal);
        if (fgets(answer, sizeof(answer), terminal) && (*answer == 'y' || *answer == 'Y'))
                return STATUS_DONE;
        return report_error(tool, STATUS_FAILED, "nothing was applied");
}

int confirm_removals(const struct tool *tool, const struct iov_plan *plan, const char *target) {
        CLEANUP_FILE FILE *terminal = NULL;
        CLEANUP_FREE char *what = NULL;
        const struct iov_plan_step *first = NULL;
        unsigned int n = 0;

        for (size_t i = 0; i < iov_plan_count(plan); i++)
                if (!iov_plan_get(plan, i)->want) {
                        first = first ? first : iov_plan_get(plan, i);
                        n++;
                }
        if (!first)
                return STATUS_DONE;
        what = target ? xstrdup(target) : xasprintf("%u %s", n, n == 1 ? "object" : "objects");
        /* Standard input may be data: the question goes to the terminal itself. */
        if (isatty(STDERR_FILENO))
                terminal = fopen("/dev/tty", "r+e");
        if (terminal)
                return ask(tool, plan, what, terminal);
        if (target)
                return report_error(tool, STATUS_USAGE, "%s would be removed; --yes is needed where nobody can be asked", what);
        return report_error(tool, STATUS_USAGE, "%s would be removed, first %s; --yes is needed where nobody can be asked", what,
                            step_name(first));
}
