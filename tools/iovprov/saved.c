/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plans as documents: written by plan -o yaml and -o json, taken by apply --plan. */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <string.h>

#include "tools/common/changes.h"
#include "tools/common/input.h"
#include "tools/common/report.h"
#include "tools/common/session.h"
#include "tools/iovprov/judge.h"
#include "util.h"

#define ID_SIZE (2 * sizeof(((struct iov_mb_identify *)0)->id) + 1)

static char *id_text(const struct iov_mb_identify *id, char text[ID_SIZE]) {
        for (size_t i = 0; i < sizeof(id->id); i++)
                snprintf(text + 2 * i, 3, "%02x", id->id[i]);
        return text;
}

int saved_print(const struct tool *tool, const struct iov_plan *plan, const struct basis *basis, const struct wanted *wanted,
                const struct judgement *judgement) {
        struct json_object *head = json_object_new_object(), *appliance = json_object_new_object();
        char id[ID_SIZE];

        /* The root of all JSON says which form it has; a document of YAML has a header. */
        if (tool->output.format == FORMAT_JSON)
                json_object_object_add(head, "schema", json_object_new_int(1));
        json_object_object_add(head, "version", json_object_new_int(1));
        json_object_object_add(head, "kind", json_object_new_string("plan"));
        json_object_object_add(head, "generation", json_object_new_uint64(iov_model_get_generation(basis->have)));
        json_object_object_add(appliance, "id", json_object_new_string(id_text(&basis->id, id)));
        json_object_object_add(appliance, "chassis", *basis->id.chassis ? json_object_new_string(basis->id.chassis) : NULL);
        json_object_object_add(head, "appliance", appliance);
        if (judgement)
                judge_put(head, plan, wanted, judgement);
        return changes_print_in(tool, plan, head);
}

static int read_saved(struct tool *tool, const char *file, struct iov_diagnostics *diagnostics,
                      struct iov_saved_plan **ret_saved) {
        CLEANUP_FREE char *text = NULL;
        size_t length;
        int r = input_read(file, &text, &length);

        if (r < 0)
                return report_errno(tool, r, "%s", input_name(file));
        r = iov_saved_plan_read(tool->ctx, input_name(file), text, length, diagnostics, ret_saved);
        if (r == -EBADMSG) {
                report_diagnostics(tool, diagnostics);
                return STATUS_USAGE;
        }
        return r < 0 ? report_errno(tool, r, "%s", input_name(file)) : STATUS_DONE;
}

/* Another appliance, or another time: what the plan shows is then not what would happen. */
static int check_basis(const struct tool *tool, const char *file, const struct iov_saved_plan *saved, const struct basis *basis) {
        uint64_t generation = iov_model_get_generation(basis->have);
        char id[ID_SIZE];

        if (strcmp(iov_saved_plan_get_appliance(saved), id_text(&basis->id, id)) != 0)
                return report_error(tool, STATUS_FAILED, "%s: it was made for another appliance (%s, this is %s): plan again",
                                    input_name(file), iov_saved_plan_get_appliance(saved), id);
        if (iov_saved_plan_get_generation(saved) == generation)
                return STATUS_DONE;
        return report_error(tool, STATUS_FAILED,
                            "%s: it was made for generation %" PRIu64 ", and the appliance is at %" PRIu64
                            " now; nothing was applied: plan again",
                            input_name(file), iov_saved_plan_get_generation(saved), generation);
}

int saved_load(struct tool *tool, const char *file, const struct basis *basis, struct wanted *ret_wanted) {
        struct iov_saved_plan *saved = NULL;
        int r = iov_diagnostics_new(&ret_wanted->diagnostics);

        if (r < 0)
                return report_errno(tool, r, "cannot start");
        int status = read_saved(tool, file, ret_wanted->diagnostics, &saved);
        if (status == STATUS_DONE)
                status = check_basis(tool, file, saved, basis);
        if (status == STATUS_DONE) {
                r = iov_saved_plan_bind(saved, basis->have, ret_wanted->diagnostics, &ret_wanted->model);
                if (r == -ESTALE)
                        report_diagnostics(tool, ret_wanted->diagnostics);
                status = r == -ESTALE ? STATUS_FAILED : r < 0 ? report_errno(tool, r, "%s", input_name(file)) : STATUS_DONE;
        }
        iov_saved_plan_unref(saved);
        return status;
}

int saved_check(const struct tool *tool, const char *name, const char *text, size_t length, struct iov_diagnostics *diagnostics) {
        struct iov_saved_plan *saved = NULL;
        int r = iov_saved_plan_read(tool->ctx, name, text, length, diagnostics, &saved);

        iov_saved_plan_unref(saved);
        return r;
}
