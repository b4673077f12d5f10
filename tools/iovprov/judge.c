/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tools/iovprov/judge.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>
#include <syslog.h>

#include "tools/common/changes.h"
#include "tools/common/report.h"
#include "tools/common/session.h"
#include "util.h"

/* ---- asking ---- */

/* Before that a dry run said nothing of space to be set aside, nor of a commit that waits to be confirmed. */
static int can_judge(struct iov_appliance *appliance, bool *ret_can) {
        uint64_t caps = 0;
        int r = iov_read64(appliance, 0, IOV_REG_CAPS, &caps);

        *ret_can = caps >> IOV_CAPS_REASONS_SHIFT & 1;
        return r;
}

int judge_plan(struct tool *tool, const struct iov_plan *plan, uint32_t flags, struct judgement *ret_judgement) {
        CLEANUP_APPLIANCE struct iov_appliance *appliance = NULL;
        struct iov_mb_txn_result result;
        struct iov_mb_error error;

        *ret_judgement = (struct judgement){.judged = true};
        if (!iov_plan_count(plan))
                return STATUS_DONE;
        int status = session_open(tool, &appliance);
        if (status != STATUS_DONE)
                return status;
        int r = can_judge(appliance, &ret_judgement->judged);
        if (r < 0)
                return report_errno(tool, r, "reading the appliance's registers failed");
        if (ret_judgement->judged)
                r = iov_plan_apply(plan, appliance, flags | IOV_TXN_DRY_RUN, &result, &error);
        if (r < 0)
                refusal_take(appliance, r, &ret_judgement->refusal);
        iov_close(TAKE_PTR(appliance));
        if (!ret_judgement->judged)
                report_log(tool, LOG_WARNING,
                           "the plan was not judged: the appliance is of an earlier release, and only apply will tell whether it "
                           "refuses it");
        if (r == -ESTALE)
                return report_error(tool, STATUS_FAILED, "the appliance has changed since it was looked at; plan again");
        if (r < 0 && !ret_judgement->refusal.n_told)
                return report_errno(tool, r, "the plan cannot be judged");
        return STATUS_DONE;
}

/* ---- whose reason it is ---- */

/* What stays as it is may not fit a change: no step is at fault then, and a refusal begins with it, `namespace web-disk/1: `. */
static bool read_object(const char *text, enum iov_kind *ret_kind, char name[IOV_NAME_SIZE]) {
        const enum iov_kind *kinds = NULL;
        size_t n = iov_config_kinds(&kinds);

        for (size_t i = 0; i < n; i++) {
                const char *word = iov_records_get(kinds[i])->name;
                size_t length = strlen(word);

                if (strncmp(text, word, length) != 0 || text[length] != ' ')
                        continue;
                const char *start = text + length + 1, *end = strchr(start, ':');
                if (!end || end - start >= IOV_NAME_SIZE)
                        return false;
                snprintf(name, IOV_NAME_SIZE, "%.*s", (int)(end - start), start);
                *ret_kind = kinds[i];
                return true;
        }
        return false;
}

/* The object at fault; false: none in particular. */
struct object {
        enum iov_kind kind;
        char name[IOV_NAME_SIZE];
        bool is_step;
};
static bool find_object(const struct iov_plan *plan, const struct refusal *refusal, size_t i, struct object *ret_object) {
        const struct iov_plan_step *step = iov_plan_get(plan, refusal->reasons[i].op_index);

        *ret_object = (struct object){.is_step = step};
        if (!step)
                return read_object(refusal_text(refusal, i), &ret_object->kind, ret_object->name);
        ret_object->kind = step->kind;
        field_set(ret_object->name, sizeof(ret_object->name), step_name(step));
        return true;
}

/* ---- telling ---- */

/* With its place in the files; false: it has none. */
static bool add_reason(const struct iov_plan *plan, struct wanted *wanted, const struct refusal *refusal, size_t i) {
        struct iov_diagnostic place;
        struct object object;

        if (!find_object(plan, refusal, i, &object) ||
            (!object.is_step && iov_diagnostics_locate(wanted->diagnostics, object.kind, object.name, &place) < 0))
                return false;
        return iov_diagnostics_add_object(wanted->diagnostics, IOV_ERROR, object.kind, object.name, refusal_text(refusal, i)) ==
               0;
}

int judge_report(const struct tool *tool, const struct iov_plan *plan, struct wanted *wanted, const struct refusal *refusal) {
        const int status = (int)status_from_errno(refusal->r);
        bool added[IOV_MB_ERRORS_MAX];

        if (refusal->r == -ESTALE)
                return report_error(tool, STATUS_FAILED,
                                    "the appliance has changed since it was looked at; nothing was applied, run it again");
        if (!refusal->n_told)
                return report_errno(tool, refusal->r, "the appliance refused the transaction");
        for (size_t i = 0; i < refusal->n_told; i++)
                added[i] = add_reason(plan, wanted, refusal, i);
        report_diagnostics(tool, wanted->diagnostics);
        for (size_t i = 0; i < refusal->n_told; i++)
                if (!added[i])
                        report_error(tool, status, "%s", refusal_text(refusal, i));
        refusal_report_more(tool, refusal);
        return status;
}

static struct json_object *reason_tree(const struct iov_plan *plan, const struct wanted *wanted, const struct refusal *refusal,
                                       size_t i) {
        struct json_object *o = json_object_new_object();
        struct iov_diagnostic place = {0};
        struct object object;
        const bool is_known = find_object(plan, refusal, i, &object);

        json_object_object_add(o, "kind", is_known ? json_object_new_string(iov_records_get(object.kind)->name) : NULL);
        json_object_object_add(o, "name", is_known ? json_object_new_string(object.name) : NULL);
        json_object_object_add(o, "message", json_object_new_string(refusal_text(refusal, i)));
        if (is_known && iov_diagnostics_locate(wanted->diagnostics, object.kind, object.name, &place) == 0 && place.line) {
                json_object_object_add(o, "file", json_object_new_string(place.file));
                json_object_object_add(o, "line", json_object_new_uint64(place.line));
                json_object_object_add(o, "column", json_object_new_uint64(place.column));
        }
        return o;
}

void judge_put(struct json_object *head, const struct iov_plan *plan, const struct wanted *wanted,
               const struct judgement *judgement) {
        struct json_object *refusals = json_object_new_array();
        const struct refusal *refusal = &judgement->refusal;

        json_object_object_add(head, "judged", json_object_new_boolean(judgement->judged));
        json_object_object_add(head, "refusals", refusals);
        for (size_t i = 0; i < refusal->n_told; i++)
                json_object_array_add(refusals, reason_tree(plan, wanted, refusal, i));
        if (refusal->n > refusal->n_told)
                json_object_object_add(head, "more_refusals", json_object_new_uint64(refusal->n - refusal->n_told));
}
