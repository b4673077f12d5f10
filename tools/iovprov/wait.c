/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Waiting until what was committed has come about, and telling how far it is. */
#include <errno.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/common/changes.h"
#include "tools/common/progress.h"
#include "tools/common/report.h"
#include "tools/common/session.h"
#include "tools/iovprov/iovprov.h"
#include "util.h"

#define POLL_NS 100000000L

bool arg_progress;

/* ---- progress ---- */

static bool line_is_shown;

static bool on_terminal(const struct tool *tool) {
        return isatty(STDERR_FILENO) && !tool->json_errors;
}

void progress_tell(const struct tool *tool, const char *phase, const char *format, ...) {
        char text[300];
        va_list args;

        if (tool->quiet || (!arg_progress && !on_terminal(tool)))
                return;
        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        if (on_terminal(tool)) {
                fprintf(stderr, "\r%.78s\033[K", text);
                line_is_shown = true;
                return;
        }
        struct json_object *root = json_object_new_object(), *progress = json_object_new_object();
        json_object_object_add(root, "schema", json_object_new_int(1));
        json_object_object_add(progress, "phase", json_object_new_string(phase));
        json_object_object_add(progress, "message", json_object_new_string(text));
        json_object_object_add(root, "progress", progress);
        fprintf(stderr, "%s\n", json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
        json_object_put(root);
}

void progress_end(const struct tool *tool) {
        if (line_is_shown && on_terminal(tool))
                fputs("\r\033[K", stderr);
        line_is_shown = false;
}

/* ---- waiting ---- */

static double now(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* What a vAdapter still lacks, NULL: nothing. A server that is off takes it when it starts. */
static const char *lacks(const struct basis *basis, const struct iov_vadapter *v) {
        const struct iov_server *server = iov_model_get(basis->have, IOV_KIND_SERVER, v->at_server);

        if (v->state == IOV_VADAPTER_UNPLUGGING || (v->state == IOV_VADAPTER_FAILED && *v->reason))
                return *v->at_server ? "attached" : "detached";
        if (!*v->at_server || v->state == IOV_VADAPTER_CONNECTED)
                return NULL;
        /* Behind a link that is down nothing can come about, and nothing is wrong either. */
        if (!iov_vadapter_is_reachable(basis->have, v))
                return NULL;
        if (!basis->sim && (v->state != IOV_VADAPTER_ATTACHED || !*v->socket))
                return "attached";
        return arg_wait && server && server->state == IOV_SERVER_ON ? "connected" : NULL;
}

struct lack {
        const struct iov_vadapter *vadapter; /* the first by name, NULL: none lacks anything */
        const char *wanted;
        size_t n;
        bool hopeless; /* one has failed */
};

/* Of the vAdapters that are wanted: nobody else's are waited for. */
static int find_lack(const struct basis *basis, const struct iov_model *want, struct lack *ret_lack) {
        CLEANUP_FREE const void **records = NULL;
        struct lack lack = {0};
        int n = iov_model_sorted(want, IOV_KIND_VADAPTER, &records);

        for (int i = 0; i < n; i++) {
                const struct iov_vadapter *v = iov_model_get(basis->have, IOV_KIND_VADAPTER, records[i]);
                const char *wanted = v ? lacks(basis, v) : NULL;

                if (!wanted)
                        continue;
                if (!lack.n++ || (v->state == IOV_VADAPTER_FAILED && !lack.hopeless)) {
                        lack.vadapter = v;
                        lack.wanted = wanted;
                }
                lack.hopeless |= v->state == IOV_VADAPTER_FAILED;
        }
        *ret_lack = lack;
        return n < 0 ? n : 0;
}

int wait_is_needed(const struct basis *basis, const struct iov_model *want, bool *ret_needed) {
        struct lack lack;
        int r = find_lack(basis, want, &lack);

        if (r == 0)
                *ret_needed = lack.n > 0;
        return r;
}

static int report_lack(const struct tool *tool, const struct lack *lack, double seconds) {
        const struct iov_vadapter *v = lack->vadapter;
        const char *state = iov_vadapter_state_to_string(v->state);
        CLEANUP_FREE char *others = lack->n > 1 ? xasprintf(", and %zu more", lack->n - 1) : xstrdup("");

        progress_end(tool);
        if (v->state == IOV_VADAPTER_FAILED)
                return report_error(tool, STATUS_PARTLY,
                                    "applied, but vadapter %s, wanted %s, has failed: %.*s%s; apply it again, or --force it",
                                    v->name, lack->wanted, (int)sizeof(v->reason), v->reason, others);
        return report_error(tool, STATUS_PARTLY, "applied, but after %g seconds vadapter %s is still %s, wanted %s%s", seconds,
                            v->name, state ? state : "unknown", lack->wanted, others);
}

/* One look. STATUS_DONE: all is there; STATUS_PENDING: not yet, and *ret_lack says what. */
static int look(struct tool *tool, struct basis *basis, struct iov_model *want, unsigned int flags, struct lack *ret_lack) {
        CLEANUP_PLAN struct iov_plan *rest = NULL;
        int status = basis_load(tool, basis);

        if (status != STATUS_DONE)
                return status;
        int r = iov_plan_new(basis->have, want, flags, &rest);
        if (r == 0)
                r = find_lack(basis, want, ret_lack);
        if (r < 0)
                return report_errno(tool, r, "comparing failed");
        if (iov_plan_count(rest)) {
                progress_end(tool);
                changes_report_rest(tool, rest);
                return report_error(tool, STATUS_PARTLY, "it was applied, and somebody has changed it since");
        }
        return ret_lack->vadapter ? STATUS_PENDING : STATUS_DONE;
}

int wait_until_there(struct tool *tool, struct iov_model *want, unsigned int flags, double seconds) {
        double end = now() + seconds;
        size_t told = 0;

        for (;;) {
                CLEANUP_BASIS struct basis basis = {0};
                struct lack lack = {0};
                int status = look(tool, &basis, want, flags, &lack);

                if (status != STATUS_PENDING || !lack.vadapter) {
                        progress_end(tool);
                        return status;
                }
                if (lack.hopeless || now() >= end)
                        return report_lack(tool, &lack, seconds);
                if (lack.n != told)
                        progress_tell(tool, "wait", "waiting for %zu vAdapters, first %s: %s", lack.n, lack.vadapter->name,
                                      lack.wanted);
                told = lack.n;
                nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
        }
}
