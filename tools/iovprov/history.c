/* SPDX-License-Identifier: GPL-2.0-or-later */
/* history and show: what the appliance was, who made it so, and when. */
#include <errno.h>

#include "tools/common/changes.h"
#include "tools/common/report.h"
#include "tools/common/session.h"
#include "tools/common/user.h"
#include "tools/iovprov/iovprov.h"
#include "util.h"

const struct column history_columns[] = {
        {"generation", 0, "number of the state; each commit makes one"},
        {"time", 0, "when it was committed, UTC"},
        {"user", 0, "who committed it; iovd is the appliance itself"},
        {"objects", COLUMN_RIGHT, "number of servers, volumes, vAdapters and namespaces in it"},
        {"changes", COLUMN_RIGHT, "number of objects that the commit changed"},
        {"current", 0, "whether it is what the appliance has now"},
        {"confirm_until", 0, "when it is taken back unless it is confirmed, UTC"},
        {"takes_back", COLUMN_RIGHT, "the generation before it, which was not confirmed and which it took back"},
        {"uid", COLUMN_RIGHT | COLUMN_WIDE, "the user's number"},
        {0},
};

static struct table *history_table(const struct iov_mb_history_entry *entries, size_t n, uint64_t confirm_ns) {
        struct table *t = table_new("generations", history_columns);

        /* What happened last is what is looked for. */
        for (size_t i = n; i--;) {
                table_row(t);
                put_number(t, entries[i].generation);
                put_time(t, entries[i].time_ns);
                put_user(t, entries[i].uid);
                put_number(t, entries[i].n_objects);
                put_number(t, entries[i].n_changes);
                put_bool(t, i + 1 == n);
                put_time(t, entries[i].flags & IOV_HISTORY_WAITS && i + 1 == n ? confirm_ns : 0);
                if (entries[i].flags & IOV_HISTORY_TAKEN_BACK)
                        put_number(t, entries[i].generation - 1);
                else
                        put_null(t);
                if (entries[i].uid != IOV_UID_APPLIANCE)
                        put_number(t, entries[i].uid);
                else
                        put_null(t);
        }
        return t;
}

int prov_history(struct tool *tool, char **words, unsigned int n_words) {
        CLEANUP_APPLIANCE struct iov_appliance *appliance = NULL;
        CLEANUP_FREE struct iov_mb_history_entry *entries = NULL;
        uint64_t confirm_ns = 0;
        size_t n = 0;
        int status = session_open(tool, &appliance);

        if (status != STATUS_DONE)
                return status;
        int r = iov_history_list(appliance, &entries, &n);
        if (r == 0)
                r = iov_confirm_get_time(appliance, &confirm_ns);
        iov_close(TAKE_PTR(appliance));
        if (r < 0)
                return report_errno(tool, r, "reading the history failed");
        CLEANUP_TABLE struct table *t = history_table(entries, n, confirm_ns);
        return output_table(tool, t, false);
}

int generation_parse(const struct tool *tool, const char *word, uint64_t *ret_generation) {
        char *end = NULL;

        errno = 0;
        unsigned long long value = strtoull(word, &end, 10);
        if (*word < '0' || *word > '9' || *end || errno)
                return report_error(tool, STATUS_USAGE, "%s: not a generation; '%s history' lists them", word, tool->info->name);
        *ret_generation = value;
        return STATUS_DONE;
}

int generation_before(const struct tool *tool, struct iov_appliance *appliance, uint64_t generation, uint64_t *ret_generation) {
        CLEANUP_FREE struct iov_mb_history_entry *entries = NULL;
        size_t n = 0;
        int r = iov_history_list(appliance, &entries, &n);

        if (r < 0)
                return report_errno(tool, r, "reading the history failed");
        for (size_t i = n; i--;)
                if (entries[i].generation < generation) {
                        *ret_generation = entries[i].generation;
                        return STATUS_DONE;
                }
        return report_error(tool, STATUS_FAILED, "the history has no generation before %llu", (unsigned long long)generation);
}

int generation_load(const struct tool *tool, struct iov_appliance *appliance, uint64_t generation, struct iov_model **ret_model) {
        int r = iov_history_load(appliance, generation, ret_model);

        /* -EPROTO is damage here, and no reason to say that there is no appliance. */
        return r < 0 ? report_error(tool, r == -EPROTO ? STATUS_FAILED : status_from_errno(r),
                                    "%s; '%s history' lists what there is", report_reason(r), tool->info->name)
                     : STATUS_DONE;
}

/* The generation, and for a difference the one before it. */
static int load_both(struct tool *tool, uint64_t generation, bool before_too, struct iov_model **ret_model,
                     struct iov_model **ret_before) {
        CLEANUP_APPLIANCE struct iov_appliance *appliance = NULL;
        uint64_t before = 0;
        int status = session_open(tool, &appliance);

        if (status == STATUS_DONE)
                status = generation_load(tool, appliance, generation, ret_model);
        if (status == STATUS_DONE && before_too)
                status = generation_before(tool, appliance, generation, &before);
        if (status == STATUS_DONE && before_too)
                status = generation_load(tool, appliance, before, ret_before);
        return status;
}

int prov_show(struct tool *tool, char **words, unsigned int n_words) {
        CLEANUP_MODEL struct iov_model *model = NULL, *before = NULL;
        CLEANUP_PLAN struct iov_plan *plan = NULL;
        bool difference = tool->output.format == FORMAT_DIFF;
        uint64_t generation = 0;
        int status = generation_parse(tool, words[0], &generation);

        if (status == STATUS_DONE)
                status = load_both(tool, generation, difference, &model, &before);
        if (status != STATUS_DONE)
                return status;
        int r = difference ? iov_plan_new(before, model, IOV_PLAN_PRUNE, &plan) : iov_topology_write(model, stdout);
        if (r < 0)
                return report_errno(tool, r, difference ? "comparing failed" : "writing YAML failed");
        return difference ? changes_print(tool, plan) : STATUS_DONE;
}

int prov_export(struct tool *tool, char **words, unsigned int n_words) {
        CLEANUP_MODEL struct iov_model *model = NULL;
        int status = session_load(tool, &model);

        if (status != STATUS_DONE)
                return status;
        int r = iov_topology_write(model, stdout);
        return r < 0 ? report_errno(tool, r, "writing YAML failed") : STATUS_DONE;
}
