/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tools/common/wait.h"

#include <string.h>
#include <time.h>

#include "tools/common/progress.h"
#include "tools/common/report.h"
#include "util.h"

#define MS 1000000
#define FIRST_PAUSE (2 * MS) /* each is a fifth longer: about a fifth of the time is waited too long */
#define LAST_PAUSE (500 * MS)

bool arg_wait;
double arg_timeout = 60;

/* Somebody drives one of its vAdapters, or its hypervisor is there to plug them. */
static bool server_runs(const struct iov_model *have, const char *name) {
        const struct iov_server *server = iov_model_get(have, IOV_KIND_SERVER, name);

        return server && (server->state == IOV_SERVER_ON || server->host_state == IOV_HOST_READY);
}

/* What a vAdapter still lacks, NULL: nothing. A server that is off takes it when it starts. */
static const char *lacks(const struct basis *basis, const struct iov_vadapter *v) {
        if (v->state == IOV_VADAPTER_UNPLUGGING || (v->state == IOV_VADAPTER_FAILED && *v->reason))
                return *v->at_server ? "attached" : "detached";
        if (!*v->at_server || v->state == IOV_VADAPTER_CONNECTED)
                return NULL;
        /* Behind a link that is down nothing can come about, and nothing is wrong either. */
        if (!iov_vadapter_is_reachable(basis->have, v))
                return NULL;
        if (!basis->sim && (v->state != IOV_VADAPTER_ATTACHED || !*v->socket))
                return "attached";
        return arg_wait && server_runs(basis->have, v->at_server) ? "connected" : NULL;
}

struct lack {
        struct iov_vadapter vadapter; /* the first by name, or the first that has failed */
        const char *wanted;
        size_t n;
        bool hopeless; /* one has failed */
};

static bool is_meant(const struct wait_scope *scope, const struct iov_vadapter *v) {
        return (!scope->vadapter || strcmp(v->name, scope->vadapter) == 0) &&
               (!scope->profile || strcmp(v->profile, scope->profile) == 0) &&
               (!scope->want || iov_model_get(scope->want, IOV_KIND_VADAPTER, v->name));
}

static int find_lack(const struct wait_scope *scope, const struct basis *basis, struct lack *ret_lack) {
        CLEANUP_FREE const void **records = NULL;
        struct lack lack = {0};
        int n = iov_model_sorted(basis->have, IOV_KIND_VADAPTER, &records);

        for (int i = 0; i < n; i++) {
                const struct iov_vadapter *v = records[i];
                const char *wanted = is_meant(scope, v) ? lacks(basis, v) : NULL;

                if (!wanted)
                        continue;
                if (!lack.n++ || (v->state == IOV_VADAPTER_FAILED && !lack.hopeless)) {
                        lack.vadapter = *v;
                        lack.wanted = wanted;
                }
                lack.hopeless |= v->state == IOV_VADAPTER_FAILED;
        }
        *ret_lack = lack;
        return n < 0 ? n : 0;
}

int wait_is_needed(const struct wait_scope *scope, const struct basis *basis, bool *ret_needed) {
        struct lack lack;
        int r = find_lack(scope, basis, &lack);

        if (r == 0)
                *ret_needed = lack.n > 0;
        return r;
}

static int report_lack(const struct tool *tool, const struct lack *lack) {
        const struct iov_vadapter *v = &lack->vadapter;
        const char *state = iov_vadapter_state_to_string(v->state);
        CLEANUP_FREE char *others = lack->n > 1 ? xasprintf(", and %zu more", lack->n - 1) : xstrdup("");

        if (v->state == IOV_VADAPTER_FAILED)
                return report_error(tool, STATUS_PARTLY, "%s: %.*s%s; what was asked for is kept: ask again, or --force it",
                                    v->name, (int)sizeof(v->reason), v->reason, others);
        return report_error(tool, STATUS_PARTLY,
                            "vadapter %s is still %s after %g s, wanted %s%s%.*s%s; it goes on, 'iovctl vadapter show' tells",
                            v->name, state ? state : "unknown", arg_timeout, lack->wanted, *v->reason ? ": " : "",
                            (int)sizeof(v->reason), v->reason, others);
}

/* One look. STATUS_DONE: all is there; STATUS_PENDING: not yet, and *ret_lack says what. */
static int look(struct tool *tool, const struct wait_scope *scope, struct lack *ret_lack) {
        CLEANUP_BASIS struct basis basis = {0};
        int r = 0, status = STATUS_DONE;

        if (scope->appliance)
                r = basis_read(scope->appliance, &basis);
        else
                status = basis_load(tool, &basis);
        if (status == STATUS_DONE && r >= 0)
                r = find_lack(scope, &basis, ret_lack);
        if (r < 0)
                return report_errno(tool, r, "changed, but reading back failed");
        if (status == STATUS_DONE && scope->look)
                status = scope->look(tool, scope->userdata, &basis);
        if (status != STATUS_DONE)
                return status;
        return ret_lack->n ? STATUS_PENDING : STATUS_DONE;
}

static double now_s(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int wait_until_there(struct tool *tool, const struct wait_scope *scope) {
        const double end = now_s() + arg_timeout;
        struct timespec pause = {.tv_nsec = FIRST_PAUSE};
        size_t told = 0;

        if (arg_timeout <= 0)
                return STATUS_DONE;
        for (;;) {
                struct lack lack = {0};
                int status = look(tool, scope, &lack);

                if (status != STATUS_PENDING || lack.hopeless || now_s() >= end) {
                        progress_end(tool);
                        return status == STATUS_PENDING ? report_lack(tool, &lack) : status;
                }
                if (lack.n != told)
                        progress_tell(tool, "wait", "waiting for %zu vAdapters, first %s: %s", lack.n, lack.vadapter.name,
                                      lack.wanted);
                told = lack.n;
                nanosleep(&pause, NULL);
                pause.tv_nsec = pause.tv_nsec * 6 / 5 < LAST_PAUSE ? pause.tv_nsec * 6 / 5 : LAST_PAUSE;
        }
}
