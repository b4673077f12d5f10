/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tools/common/progress.h"

#include <string.h>
#include <time.h>

#include "tools/common/report.h"
#include "util.h"

#define MS 1000000
#define FIRST_PAUSE (2 * MS) /* each is a fifth longer: about a fifth of the time is waited too long */
#define LAST_PAUSE (500 * MS)

bool arg_wait;
double arg_timeout = 60;

/* What is seen of all that is followed. */
struct view {
        unsigned int pending, failed;
        struct iov_vadapter example; /* one that failed, else one that is pending */
};

static bool is_pending(const struct iov_vadapter *v) {
        switch (v->state) {
        case IOV_VADAPTER_PLUGGING:
        case IOV_VADAPTER_UNPLUGGING:
                return true;
        case IOV_VADAPTER_DETACHED: /* between two steps */
                return *v->at_server;
        case IOV_VADAPTER_ATTACHED:
                return arg_wait && *v->at_server;
        default:
                return false;
        }
}

static void look(const struct iov_model *model, const char *vadapter, const char *profile, struct view *ret_view) {
        const struct iov_vadapter *v;

        *ret_view = (struct view){0};
        iov_model_foreach (model, IOV_KIND_VADAPTER, v) {
                const bool failed = v->state == IOV_VADAPTER_FAILED && *v->reason;

                if ((vadapter && strcmp(v->name, vadapter) != 0) || (profile && strcmp(v->profile, profile) != 0))
                        continue;
                if (!failed && !is_pending(v))
                        continue;
                if (failed ? !ret_view->failed : !ret_view->failed && !ret_view->pending)
                        ret_view->example = *v;
                ret_view->failed += failed;
                ret_view->pending += !failed;
        }
}

static int report(const struct tool *tool, const struct view *view) {
        const struct iov_vadapter *v = &view->example;
        unsigned int others = view->failed + view->pending - 1;
        CLEANUP_FREE char *more = others ? xasprintf(", and %u more", others) : xstrndup("", 0);

        if (view->failed)
                return report_error(tool, STATUS_PARTLY, "%s: %.*s%s; what was asked for is kept: ask again, or --force it",
                                    v->name, (int)sizeof(v->reason), v->reason, more);
        return report_error(tool, STATUS_PARTLY, "%s: still %s after %g s%s%.*s%s; it goes on, 'iovctl vadapter show' tells",
                            v->name, iov_vadapter_state_to_string(v->state), arg_timeout, *v->reason ? ": " : "",
                            (int)sizeof(v->reason), v->reason, more);
}

static double now_s(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int progress_follow(struct tool *tool, struct iov_appliance *appliance, const char *vadapter, const char *profile) {
        const double end = now_s() + arg_timeout;
        struct timespec pause = {.tv_nsec = FIRST_PAUSE};
        struct view view = {0};

        if (arg_timeout <= 0)
                return STATUS_DONE;
        for (;;) {
                CLEANUP_MODEL struct iov_model *model = NULL;
                int r = iov_model_load(appliance, &model);

                if (r < 0)
                        return report_errno(tool, r, "changed, but reading back failed");
                look(model, vadapter, profile, &view);
                if (!view.pending)
                        break;
                if (now_s() >= end)
                        return report(tool, &view);
                nanosleep(&pause, NULL);
                pause.tv_nsec = pause.tv_nsec * 6 / 5 < LAST_PAUSE ? pause.tv_nsec * 6 / 5 : LAST_PAUSE;
        }
        return view.failed ? report(tool, &view) : STATUS_DONE;
}
