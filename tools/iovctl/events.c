/* SPDX-License-Identifier: GPL-2.0-or-later */
/* event list, follow and wait: what has happened, and what happens next. */
#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "tools/common/report.h"
#include "tools/common/session.h"
#include "tools/common/user.h"
#include "tools/common/view.h"
#include "tools/iovctl/iovctl.h"
#include "tools/iovctl/list.h"
#include "util.h"

#define BATCH 256
#define LOOK_MS 200 /* how often an interrupt is looked for where the appliance does not tell of events */
#define LONGEST_S 1000000

static double arg_timeout;
static const char *arg_since;

/* clang-format off */
#define OPTION_SINCE {"since", 0, VALUE_TEXT, "NUMBER", &arg_since, "also those that happened already, from that number on"}
/* clang-format on */
const struct option follow_options[] = {OPTION_FILTER, OPTION_SINCE, {0}};
const struct option wait_options[] = {
        OPTION_FILTER,
        OPTION_SINCE,
        {"timeout", 't', VALUE_SECONDS, "SECONDS", &arg_timeout,
         "give up after that time, with exit status 1; the default is never"},
        {0},
};

const struct column event_columns[] = {
        {"number", COLUMN_RIGHT, "counts up from the start of iovd"},
        {"time", 0, "when it happened, UTC"},
        {"level", 0, "error, warning, notice or info"},
        {"object", 0, "what it happened to"},
        {"text", 0, "what happened"},
        {"user", COLUMN_WIDE, "who caused it; iovd is the appliance itself"},
        {0},
};

static const char *level_word(uint32_t level) {
        return level <= LOG_ERR ? "error" : level == LOG_WARNING ? "warning" : level == LOG_NOTICE ? "notice" : "info";
}

static void event_row(struct table *t, const struct iov_event *e) {
        table_row(t);
        put_number(t, e->sequence - 1);
        put_time(t, e->time_ns);
        put_text(t, level_word(e->level));
        put_text(t, e->object);
        put_text(t, e->text);
        put_user(t, e->uid);
}

/* All from *number on, at most a batch; 0: there may be more. */
static int read_batch(struct iov_appliance *a, uint64_t *number, struct table *t, size_t *ret_n) {
        CLEANUP_FREE struct iov_event *events = xcalloc(BATCH, sizeof(*events));
        int r = iov_events_read(a, number, events, BATCH, ret_n);

        for (size_t i = 0; r == 0 && i < *ret_n; i++)
                event_row(t, &events[i]);
        return r;
}

/* What is saved as YAML says what it is, as all documents do; what follows is the table. */
static void put_head(enum format format) {
        if (format == FORMAT_YAML)
                puts("version: 1\nkind: events");
}

static int list_events(struct tool *tool, struct iov_appliance *a, struct table **ret_table) {
        struct table *t = table_new("events", event_columns);
        uint64_t number = 0, before;
        size_t n = 0;
        int r;

        do {
                before = number;
                r = read_batch(a, &number, t, &n);
        } while (r == 0 && number != before);
        if (r < 0) {
                table_free(t);
                return r;
        }
        put_head(tool->output.format);
        *ret_table = t;
        return 0;
}

int event_list(struct tool *tool, char **words, unsigned int n_words) {
        return list_run(tool, list_events);
}

/* ---- follow and wait ---- */

static int print_json(struct json_object *root) {
        struct json_object *rows = NULL;

        json_object_object_get_ex(root, "events", &rows);
        for (size_t i = 0; i < json_object_array_length(rows); i++)
                puts(json_object_to_json_string_ext(json_object_array_get_idx(rows, i),
                                                    JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
        return 0;
}

/* JSON is a line an event, YAML a document a batch. */
static int print_events(const struct tool *tool, const struct table *t, bool first) {
        struct output output = tool->output;
        int r = 0;

        if (output.format == FORMAT_JSON || output.format == FORMAT_YAML) {
                struct json_object *root = table_to_tree(t);

                if (output.format == FORMAT_YAML && !first)
                        puts("---");
                put_head(output.format);
                r = output.format == FORMAT_JSON ? print_json(root) : tree_write(root, FORMAT_YAML, stdout);
                json_object_put(root);
        } else {
                output.no_headings |= !first;
                r = table_write_text(t, &output, false, stdout);
        }
        if (r == 0 && fflush(stdout) != 0)
                r = -errno;
        return r < 0 ? report_errno(tool, r, "writing the output failed") : STATUS_DONE;
}

struct following {
        struct tool *tool;
        struct iov_appliance *appliance;
        struct view view;
        uint64_t number;
        bool printed;
        int interrupt; /* readable when SIGINT has come */
        int reader;    /* to end with who reads a pipe of ours; -1: an event is waited for, read or not */
};

static int following_start(struct following *f) {
        char *end = NULL;
        uint32_t status = 0;

        if (arg_since) {
                errno = 0;
                f->number = strtoull(arg_since, &end, 10);
                if (*arg_since < '0' || *arg_since > '9' || *end || errno)
                        return report_error(f->tool, STATUS_USAGE, "--since %s: the number of an event is wanted", arg_since);
        }
        int s = view_make(f->tool, NULL, &arg_filters, &f->view);
        if (s == STATUS_DONE)
                s = session_open(f->tool, &f->appliance);
        if (s != STATUS_DONE)
                return s;
        int r = iov_read32(f->appliance, 0, IOV_REG_STATUS, &status);
        if (r >= 0 && !arg_since)
                r = iov_events_get_head(f->appliance, &f->number);
        if (r < 0)
                return report_lost(f->tool, r);
        /* It lives for this command alone, and would keep the state from all others. */
        if (status >> IOV_STATUS_SIM_SHIFT & 1)
                return report_error(f->tool, STATUS_FAILED,
                                    "nothing happens in a simulator while it is looked at; use a running iovd");
        return STATUS_DONE;
}

/* What is there now and passes the filters, in batches. *ret_n: how many were printed; with `one` the first is enough. */
static int following_print(struct following *f, bool one, size_t *ret_n) {
        static const size_t first = 0;
        uint64_t before;
        size_t n = 0;
        int status = STATUS_DONE;

        *ret_n = 0;
        do {
                CLEANUP_TABLE struct table *t = table_new("events", event_columns);

                before = f->number;
                int r = read_batch(f->appliance, &f->number, t, &n);
                if (r < 0)
                        return report_lost(f->tool, r);
                view_apply(&f->view, &f->tool->output, t);
                if (one && table_n_rows(t) > 1)
                        table_select(t, &first, 1);
                if (table_n_rows(t) == 0)
                        continue;
                status = print_events(f->tool, t, !f->printed);
                f->printed = true;
                *ret_n += table_n_rows(t);
                if (one)
                        break;
        } while (status == STATUS_DONE && f->number != before);
        return status;
}

static double now(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Until there may be an event, an interrupt, or that time is over; negative: for ever. Without a descriptor of the appliance's it
 * looks again and again. */
static int following_sleep(const struct following *f, double seconds) {
        const double look = seconds >= 0 && seconds < LOOK_MS / 1000.0 ? seconds : LOOK_MS / 1000.0;
        struct pollfd p[] = {{.fd = iov_events_get_fd(f->appliance), .events = POLLIN},
                             {.fd = f->interrupt, .events = POLLIN},
                             {.fd = f->reader}};

        if (p[0].fd < 0)
                return iov_events_wait(f->appliance, f->number, (int)(look * 1000) + 1);
        if (poll(p, ARRAY_LENGTH(p),
                 seconds < 0           ? -1
                 : seconds < LONGEST_S ? (int)(seconds * 1000) + 1
                                       : LONGEST_S * 1000) < 0 &&
            errno != EINTR)
                return -errno;
        return iov_events_wait(f->appliance, f->number, 0);
}

/* The next write would tell it too, but may be days away. */
static bool reader_is_gone(const struct following *f) {
        struct pollfd p = {.fd = f->reader};

        return poll(&p, 1, 0) > 0 && p.revents & POLLERR;
}

/* Until an interrupt; with `one` until an event was printed, or the time is over. */
static int following_run(struct following *f, bool one) {
        double deadline = now() + arg_timeout;
        size_t n = 0;

        sigset_t signals;

        block_interrupt();
        sigemptyset(&signals);
        sigaddset(&signals, SIGINT);
        f->interrupt = signalfd(-1, &signals, SFD_CLOEXEC);
        if (f->interrupt < 0)
                return report_errno(f->tool, -errno, "cannot watch for signals");
        for (;;) {
                int status = following_print(f, one, &n);

                if (status != STATUS_DONE || (one && n > 0))
                        return status;
                double left = one && arg_timeout > 0 ? deadline - now() : -1;
                if (one && arg_timeout > 0 && left <= 0)
                        return report_error(f->tool, STATUS_FAILED, "no such event within %g seconds", arg_timeout);
                int r = following_sleep(f, left);
                if (r < 0)
                        return report_lost(f->tool, r);
                if (wait_interrupted(0))
                        return one ? STATUS_FAILED : STATUS_DONE;
                if (reader_is_gone(f)) {
                        raise(SIGPIPE);
                        return report_errno(f->tool, -EPIPE, "writing the output failed");
                }
        }
}

static int follow(struct tool *tool, bool one) {
        struct following f = {.tool = tool, .interrupt = -1, .reader = one ? -1 : STDOUT_FILENO};
        int status = following_start(&f);

        if (status == STATUS_DONE)
                status = following_run(&f, one);
        close_fd(&f.interrupt);
        iov_close(f.appliance);
        view_free(&f.view);
        return status;
}

int event_follow(struct tool *tool, char **words, unsigned int n_words) {
        return follow(tool, false);
}

int event_wait(struct tool *tool, char **words, unsigned int n_words) {
        return follow(tool, true);
}
