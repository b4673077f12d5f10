/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tools/common/progress.h"

#include <json-c/json.h>
#include <stdarg.h>
#include <unistd.h>

bool arg_progress;

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
