/* SPDX-License-Identifier: GPL-2.0-or-later */
/* confirm: keep what apply --confirm has made; and what the other commands say of it. */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "tools/common/report.h"
#include "tools/common/session.h"
#include "tools/iovprov/iovprov.h"
#include "util.h"

int confirm_parse(const struct tool *tool, const char *text, uint32_t *ret_seconds) {
        uint64_t seconds = 0;
        int r = text[strspn(text, "0123456789")] ? iov_duration_parse(text, &seconds) : iov_count_parse(text, &seconds);

        if (r < 0 || !seconds || seconds > IOV_CONFIRM_MAX)
                return report_error(tool, STATUS_USAGE, "--confirm %s: seconds are wanted, or a time such as 2m, at most a day",
                                    text);
        *ret_seconds = (uint32_t)seconds;
        return STATUS_DONE;
}

static void say_waits(const struct tool *tool, uint64_t time_ns) {
        time_t seconds = (time_t)(time_ns / 1000000000);
        struct tm tm;
        char text[32];

        /* Programs ask history for it. */
        if (!time_ns || tool->quiet || tool->output.format == FORMAT_JSON || tool->output.format == FORMAT_YAML ||
            !gmtime_r(&seconds, &tm))
                return;
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
        fflush(stdout);
        fprintf(stderr, "%s: taken back at %s unless it is confirmed: '%s confirm' keeps it, '%s rollback' takes it back now\n",
                tool->info->name, text, tool->info->name, tool->info->name);
}

void confirm_say(const struct tool *tool) {
        CLEANUP_APPLIANCE struct iov_appliance *appliance = NULL;
        uint64_t time_ns = 0;

        if (iov_open(tool->ctx, tool->appliance, &appliance) < 0 || iov_confirm_get_time(appliance, &time_ns) < 0)
                return;
        iov_close(TAKE_PTR(appliance));
        say_waits(tool, time_ns);
}

int prov_confirm(struct tool *tool, char **words, unsigned int n_words) {
        CLEANUP_APPLIANCE struct iov_appliance *appliance = NULL;
        struct iov_mb_error error;
        int status = session_open(tool, &appliance);

        if (status != STATUS_DONE)
                return status;
        int r = iov_confirm_keep(appliance, &error);
        if (r >= 0)
                return STATUS_DONE;
        return *error.text ? report_error(tool, status_from_errno(r), "%.*s", (int)sizeof(error.text), error.text)
                           : report_errno(tool, r, "confirming failed");
}
