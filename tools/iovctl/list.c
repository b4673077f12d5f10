/* SPDX-License-Identifier: GPL-2.0-or-later */
/* list and show, the same for every kind of object. */
#include "tools/iovctl/list.h"

#include <errno.h>
#include <json-c/json.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "tools/common/objects.h"
#include "tools/common/report.h"
#include "tools/common/view.h"
#include "tools/iovctl/iovctl.h"
#include "tools/iovctl/operate.h"
#include "util.h"

#define POLL_SECONDS 0.2

const char *arg_sort;
struct text_list arg_filters;
struct watch_value arg_watch;

const struct option list_options[] = {OPTION_FILTER, OPTION_SORT, OPTION_WATCH, {0}};

bool wait_interrupted(double seconds) {
        struct timespec t = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
        sigset_t signals;

        sigemptyset(&signals);
        sigaddset(&signals, SIGINT);
        return sigtimedwait(&signals, NULL, &t) == SIGINT;
}

void block_interrupt(void) {
        sigset_t signals;

        sigemptyset(&signals);
        sigaddset(&signals, SIGINT);
        sigprocmask(SIG_BLOCK, &signals, NULL);
}

int report_lost(const struct tool *tool, int r) {
        return report_error(tool, STATUS_NO_APPLIANCE, "the appliance does not answer any more: %s", report_reason(r));
}

/* A frame as text; JSON is one line, so that a reader can take frame by frame. */
static int render(const struct tool *tool, const struct table *t, char **ret_text) {
        enum format format = tool->output.format;
        struct json_object *root = format == FORMAT_JSON || format == FORMAT_YAML ? table_to_tree(t) : NULL;
        size_t length = 0;
        FILE *f = xopen_memstream(ret_text, &length);
        int r = 0;

        if (format == FORMAT_JSON)
                fprintf(f, "%s\n", json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
        else if (format == FORMAT_YAML)
                r = tree_write(root, format, f);
        else
                r = table_write_text(t, &tool->output, false, f);
        json_object_put(root);
        if (fclose(f) != 0 && r == 0)
                r = -errno;
        return r;
}

static int print_frame(const struct tool *tool, const char *text, bool first) {
        if (!first && tool->output.format == FORMAT_YAML)
                puts("---");
        else if (!first && tool->output.format != FORMAT_JSON)
                putchar('\n');
        fputs(text, stdout);
        return fflush(stdout) != 0 ? report_errno(tool, -errno, "writing the output failed") : STATUS_DONE;
}

/* Frame after frame until SIGINT. Without an interval what is shown again has changed. */
static int watch(struct tool *tool, struct iov_appliance *a, list_fn list, const struct view *view) {
        CLEANUP_FREE char *shown = NULL;
        uint64_t sequence = 0, before = 0;
        int status = STATUS_DONE;

        block_interrupt();
        do {
                CLEANUP_TABLE struct table *t = NULL;
                CLEANUP_FREE char *text = NULL;
                int r = iov_read64(a, 2, IOV_REG_TABLE_SEQUENCE, &sequence);

                if (r >= 0 && shown && arg_watch.seconds <= 0 && sequence == before)
                        continue;
                if (r >= 0)
                        r = list(tool, a, &t);
                if (r < 0)
                        return report_lost(tool, r);
                before = sequence;
                view_apply(view, &tool->output, t);
                r = render(tool, t, &text);
                if (r < 0)
                        return report_errno(tool, r, "writing the output failed");
                if (shown && arg_watch.seconds <= 0 && strcmp(shown, text) == 0)
                        continue;
                status = print_frame(tool, text, !shown);
                free(shown);
                shown = TAKE_PTR(text);
        } while (status == STATUS_DONE && !wait_interrupted(arg_watch.seconds > 0 ? arg_watch.seconds : POLL_SECONDS));
        return status;
}

int list_run(struct tool *tool, list_fn list) {
        CLEANUP_VIEW struct view view = {0};
        CLEANUP_TABLE struct table *t = NULL;
        struct iov_appliance *a = NULL;
        int r = 0, status = view_make(tool, arg_sort, &arg_filters, &view);

        if (status == STATUS_DONE)
                status = session_open(tool, &a);
        if (status != STATUS_DONE)
                return status;
        if (arg_watch.wanted)
                status = watch(tool, a, list, &view);
        else
                r = list(tool, a, &t);
        /* Closed before anything is printed, so that pipes of tools cannot deadlock. */
        iov_close(a);
        if (r < 0)
                return report_errno(tool, r, "reading the appliance's tables failed");
        if (!t)
                return status;
        view_apply(&view, &tool->output, t);
        return output_table(tool, t, false);
}

static int list_objects(struct tool *tool, struct iov_appliance *a, struct table **ret_table) {
        CLEANUP_SNAPSHOT struct snapshot snapshot = {0};
        int r = snapshot_read(a, &snapshot);

        if (r < 0)
                return r;
        *ret_table = objects_table(&snapshot, objects_kind(tool->command->object), NULL);
        return 0;
}

int objects_list(struct tool *tool, char **words, unsigned int n_words) {
        return list_run(tool, list_objects);
}

int objects_show(struct tool *tool, char **words, unsigned int n_words) {
        CLEANUP_SNAPSHOT struct snapshot snapshot = {0};
        enum iov_kind kind = objects_kind(tool->command->object);
        int status = snapshot_take(tool, &snapshot);

        if (status != STATUS_DONE)
                return status;
        const struct iov_link *link = kind == IOV_KIND_LINK ? link_find(snapshot.model, words[0]) : NULL;
        CLEANUP_TABLE struct table *t = objects_table(&snapshot, kind, link ? link->name : words[0]);
        if (table_n_rows(t) == 0)
                return report_error(tool, STATUS_FAILED, "%s: no such %s; '%s %s list' shows them", words[0], kind_word(kind),
                                    tool->info->name, tool->command->object);
        return output_table(tool, t, true);
}
