/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inject: faults on demand. */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "tools/common/objects.h"
#include "tools/common/report.h"
#include "tools/common/session.h"
#include "tools/iovctl/change.h"
#include "tools/iovctl/iovctl.h"
#include "tools/iovctl/list.h"
#include "tools/iovctl/operate.h"
#include "util.h"

static bool arg_all;

const struct option clear_options[] = {{"all", 'a', VALUE_FLAG, NULL, &arg_all, "all of them"}, {0}};

static int list_faults(struct tool *tool, struct iov_appliance *a, struct table **ret_table) {
        CLEANUP_SNAPSHOT struct snapshot snapshot = {0};
        int r = snapshot_read(a, &snapshot);

        if (r == 0)
                *ret_table = objects_table(&snapshot, IOV_KIND_FAULT, NULL);
        return r;
}

int inject_list(struct tool *tool, char **words, unsigned int n_words) {
        return list_run(tool, list_faults);
}

int inject_show(struct tool *tool, char **words, unsigned int n_words) {
        CLEANUP_SNAPSHOT struct snapshot snapshot = {0};
        int status = snapshot_take(tool, &snapshot);

        if (status != STATUS_DONE)
                return status;
        CLEANUP_TABLE struct table *t = objects_table(&snapshot, IOV_KIND_FAULT, words[0]);
        if (table_n_rows(t) == 0)
                return report_error(tool, STATUS_FAILED, "%s: no such fault; 'iovctl inject list' shows them", words[0]);
        return output_table(tool, t, true);
}

static int inject(struct tool *tool, struct iov_fault *fault, const char *object) {
        CLEANUP_APPLIANCE struct iov_appliance *appliance = NULL;
        CLEANUP_SNAPSHOT struct snapshot made = {0};
        struct iov_mb_error error = {0};
        int status = STATUS_DONE;

        if (object && field_set(fault->object, sizeof(fault->object), object) < 0)
                return report_error(tool, STATUS_FAILED, "%s: no such object", object);
        status = session_open(tool, &appliance);
        if (status != STATUS_DONE)
                return status;
        int r = iov_fault_inject(appliance, fault, fault, &error);
        iov_close(TAKE_PTR(appliance));
        if (r == 0)
                r = iov_model_new(tool->ctx, &made.model);
        if (r == 0)
                r = iov_model_set(made.model, IOV_KIND_FAULT, fault);
        if (r < 0)
                return operate_result(tool, object ? object : "mailbox", r, &error);
        if (tool->output.format == FORMAT_TABLE && !tool->output.columns) {
                /* What clears it. */
                if (fault->type != IOV_FAULT_WORKER_CRASH && !tool->quiet)
                        puts(fault->name);
                return STATUS_DONE;
        }
        CLEANUP_TABLE struct table *t = objects_table(&made, IOV_KIND_FAULT, NULL);
        return output_table(tool, t, false);
}

int inject_link_down(struct tool *tool, char **words, unsigned int n_words) {
        struct iov_fault fault = {.type = IOV_FAULT_LINK_DOWN};

        return inject(tool, &fault, words[0]);
}

int inject_surprise_removal(struct tool *tool, char **words, unsigned int n_words) {
        struct iov_fault fault = {.type = IOV_FAULT_SURPRISE_REMOVAL};

        return inject(tool, &fault, words[0]);
}

int inject_volume_full(struct tool *tool, char **words, unsigned int n_words) {
        struct iov_fault fault = {.type = IOV_FAULT_VOLUME_FULL};

        return inject(tool, &fault, words[0]);
}

int inject_worker_crash(struct tool *tool, char **words, unsigned int n_words) {
        struct iov_fault fault = {.type = IOV_FAULT_WORKER_CRASH};

        return inject(tool, &fault, words[0]);
}

static int take_count(const struct tool *tool, const char *what, const char *word, uint64_t *ret_value) {
        char *end = NULL;

        errno = 0;
        *ret_value = strtoull(word, &end, 10);
        if (!isdigit((unsigned char)*word) || *end || errno)
                return report_error(tool, STATUS_USAGE, "%s '%s': a number is wanted", what, word);
        return STATUS_DONE;
}

int inject_media_error(struct tool *tool, char **words, unsigned int n_words) {
        struct iov_fault fault = {.type = IOV_FAULT_MEDIA_ERROR, .count = 1};
        int status = take_count(tool, "first block", words[1], &fault.first);

        if (status == STATUS_DONE && n_words > 2)
                status = take_count(tool, "number of blocks", words[2], &fault.count);
        return status == STATUS_DONE ? inject(tool, &fault, words[0]) : status;
}

/* 5ms, 200us, 1s */
static int take_time(const struct tool *tool, const char *word, uint64_t *ret_ns) {
        static const struct {
                const char *unit;
                uint64_t ns;
        } units[] = {{"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}};
        char *end = NULL;

        errno = 0;
        unsigned long long n = strtoull(word, &end, 10);
        for (size_t i = 0; isdigit((unsigned char)*word) && !errno && i < ARRAY_LENGTH(units); i++)
                if (strcmp(end, units[i].unit) == 0 && n <= UINT64_MAX / units[i].ns) {
                        *ret_ns = n * units[i].ns;
                        return STATUS_DONE;
                }
        return report_error(tool, STATUS_USAGE, "'%s': a time is wanted, such as 200us, 5ms or 1s", word);
}

int inject_latency(struct tool *tool, char **words, unsigned int n_words) {
        struct iov_fault fault = {.type = IOV_FAULT_LATENCY};
        int status = take_time(tool, words[1], &fault.value);

        return status == STATUS_DONE ? inject(tool, &fault, words[0]) : status;
}

int inject_mailbox_timeout(struct tool *tool, char **words, unsigned int n_words) {
        struct iov_fault fault = {.type = IOV_FAULT_MAILBOX_TIMEOUT};
        int status = take_count(tool, "commands", words[0], &fault.value);

        return status == STATUS_DONE ? inject(tool, &fault, NULL) : status;
}

int inject_clear(struct tool *tool, char **words, unsigned int n_words) {
        CLEANUP_APPLIANCE struct iov_appliance *appliance = NULL;
        struct iov_mb_error error = {0};

        if (arg_all == (n_words > 0))
                return report_error(tool, STATUS_USAGE, "inject clear: the number of a fault is wanted, or --all");
        int status = session_open(tool, &appliance);
        if (status != STATUS_DONE)
                return status;
        int r = iov_fault_clear(appliance, arg_all ? NULL : words[0], &error);
        return operate_result(tool, arg_all ? "faults" : words[0], r, &error);
}
