/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/amend.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <syslog.h>

#include "control/chassis.h"
#include "control/control-private.h"
#include "iove/adapters.h"
#include "iove/faults.h"
#include "iove/links.h"
#include "util.h"

/* What to tell when it is done. */
static void say(struct control *c, const char *object, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void say(struct control *c, const char *object, const char *format, ...) {
        va_list args;

        field_set(c->candidate_object, sizeof(c->candidate_object), object);
        va_start(args, format);
        vsnprintf(c->candidate_event, sizeof(c->candidate_event), format, args);
        va_end(args);
}

int amend_link(struct control *c, struct control_commit *commit) {
        static const char *const words[] = {
                [IOV_LINK_UP] = "is enabled", [IOV_LINK_DOWN] = "is disabled", [IOV_LINK_RETRAIN] = "was retrained"};
        const struct iov_mb_link_control *request = &commit->request.link;
        char name[16];
        int r = links_control(c->candidate, request, &commit->refusal);

        if (r < 0)
                return r;
        snprintf(name, sizeof(name), "%u", request->link);
        say(c, name, "link %u %s", request->link, words[request->action]);
        return 0;
}

/* The worker dies as it would of any other signal; nothing is left to be cleared. */
static int crash_worker(struct control *c, struct control_commit *commit, const struct iov_fault *fault) {
        int r = supervisor_kill_worker(c->supervisor, fault->object);

        if (r < 0)
                return iove_refuse(&commit->refusal, IOV_RET_NOT_FOUND, UINT32_MAX, "%s: no worker is running for it",
                                   fault->object);
        commit->request.fault.hits = 1;
        return iov_model_remove(c->candidate, IOV_KIND_FAULT, fault->name);
}

int amend_fault_inject(struct control *c, struct control_commit *commit) {
        struct iov_fault *fault = &commit->request.fault;
        int r = faults_add(c->candidate, fault, control_is_sim(c), &commit->refusal);

        if (r < 0)
                return r;
        say(c, fault->object, "fault %s on demand: %s", fault->name, iov_fault_type_to_string(fault->type));
        return fault->type == IOV_FAULT_WORKER_CRASH ? crash_worker(c, commit, fault) : 0;
}

int amend_fault_clear(struct control *c, struct control_commit *commit) {
        const char *name = commit->request.name;
        const struct iov_fault *fault = iov_model_get(c->candidate, IOV_KIND_FAULT, name);

        if (*name)
                say(c, fault ? fault->object : "", "fault %s on demand is cleared", name);
        else
                say(c, "", "all faults on demand are cleared");
        return faults_clear(c->candidate, name, &commit->refusal);
}

static int check_chassis(const struct control *c, struct iove_refusal *refusal) {
        if (c->options->chassis)
                return iove_refuse(refusal, IOV_RET_UNSUPPORTED, UINT32_MAX,
                                   "the chassis is that of %.200s: change the file, and start iovd again", c->options->chassis);
        /* The way back would need what it was. */
        return c->info.confirm_s ? confirm_refuse(c, refusal) : 0;
}

int amend_adapter_insert(struct control *c, struct control_commit *commit) {
        int r = check_chassis(c, &commit->refusal);

        if (r == 0)
                r = adapters_insert(c->candidate, &commit->request.adapter, &commit->refusal);
        if (r < 0)
                return r;
        chassis_describe(c->candidate);
        say(c, commit->request.adapter.name, "adapter is inserted");
        return 0;
}

int amend_adapter_remove(struct control *c, struct control_commit *commit) {
        int r = check_chassis(c, &commit->refusal);

        if (r == 0)
                r = adapters_remove(c->candidate, commit->request.name, &commit->refusal);
        if (r == 0)
                say(c, commit->request.name, "adapter is removed");
        return r;
}
