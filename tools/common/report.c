/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tools/common/report.h"

#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "util.h"

/* The library's last error, until it is told; see report_log(). */
static char kept[1024], told[1024];

/* Text comes from files and from the appliance too: nothing in it may reach the terminal as a control sequence. */
static void make_printable(char *text) {
        for (unsigned char *c = (unsigned char *)text; *c; c++)
                if (*c < 0x20 || *c == 0x7f)
                        *c = ' ';
}

static struct json_object *errors_new(struct json_object **ret_array) {
        struct json_object *root = json_object_new_object();

        *ret_array = json_object_new_array();
        json_object_object_add(root, "schema", json_object_new_int(1));
        json_object_object_add(root, "errors", *ret_array);
        return root;
}

static void errors_print(struct json_object *root) {
        fprintf(stderr, "%s\n", json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
        json_object_put(root);
}

static void print_message(const struct tool *tool, const char *severity, int status, char *text) {
        struct json_object *errors, *error;

        make_printable(text);
        if (!tool->json_errors) {
                fprintf(stderr, "%s: %s\n", tool->info->name, text);
                return;
        }
        struct json_object *root = errors_new(&errors);
        error = json_object_new_object();
        json_object_object_add(error, "severity", json_object_new_string(severity));
        json_object_object_add(error, "message", json_object_new_string(text));
        if (status > 0)
                json_object_object_add(error, "exit_code", json_object_new_int(status));
        json_object_array_add(errors, error);
        errors_print(root);
}

int report_error(const struct tool *tool, int status, const char *format, ...) {
        char text[1400];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        print_message(tool, "error", status, text);
        return status;
}

int report_errno(const struct tool *tool, int r, const char *format, ...) {
        char text[1200];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        return report_error(tool, status_from_errno(r), "%s: %s", text, report_reason(r));
}

void report_note(const struct tool *tool, const char *format, ...) {
        char text[1200];
        va_list args;

        if (!tool->verbose)
                return;
        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        print_message(tool, "note", 0, text);
}

void report_log(void *userdata, int level, const char *text) {
        struct tool *tool = userdata;
        char copy[1024];

        snprintf(copy, sizeof(copy), "%s", text);
        if (level <= LOG_ERR) {
                report_flush(tool);
                memcpy(kept, copy, sizeof(copy));
        } else if ((level <= LOG_WARNING && !tool->quiet) || tool->verbose) {
                print_message(tool, level <= LOG_WARNING ? "warning" : "note", 0, copy);
        }
}

const char *report_reason(int r) {
        if (!*kept)
                return strerror(-r);
        memcpy(told, kept, sizeof(told));
        *kept = 0;
        return told;
}

void report_flush(const struct tool *tool) {
        if (*kept && !tool->silent)
                print_message(tool, "error", 0, kept);
        *kept = 0;
}

static struct json_object *diagnostic_tree(const struct iov_diagnostic *d) {
        struct json_object *o = json_object_new_object();

        json_object_object_add(o, "severity", json_object_new_string(d->severity == IOV_ERROR ? "error" : "warning"));
        json_object_object_add(o, "message", json_object_new_string(d->text));
        if (d->file)
                json_object_object_add(o, "file", json_object_new_string(d->file));
        if (d->line) {
                json_object_object_add(o, "line", json_object_new_uint64(d->line));
                json_object_object_add(o, "column", json_object_new_uint64(d->column));
        }
        if (d->source)
                json_object_object_add(o, "source", json_object_new_string(d->source));
        if (d->related_text) {
                struct json_object *related = json_object_new_object();

                json_object_object_add(related, "message", json_object_new_string(d->related_text));
                json_object_object_add(related, "file", json_object_new_string(d->related_file));
                json_object_object_add(related, "line", json_object_new_uint64(d->related_line));
                json_object_object_add(related, "column", json_object_new_uint64(d->related_column));
                json_object_object_add(o, "related", related);
        }
        return o;
}

void report_diagnostics(const struct tool *tool, const struct iov_diagnostics *diagnostics) {
        const struct iov_diagnostic *d;
        struct json_object *errors;

        if (!iov_diagnostics_get(diagnostics, 0))
                return;
        if (!tool->json_errors) {
                iov_diagnostics_print(diagnostics, stderr);
                return;
        }
        struct json_object *root = errors_new(&errors);
        for (size_t i = 0; (d = iov_diagnostics_get(diagnostics, i)); i++)
                json_object_array_add(errors, diagnostic_tree(d));
        errors_print(root);
}
