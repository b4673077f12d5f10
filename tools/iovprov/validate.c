/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading the files, and validate, which does no more. */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/common/input.h"
#include "tools/common/report.h"
#include "tools/iovprov/iovprov.h"
#include "util.h"

void wanted_free(struct wanted *wanted) {
        wanted->model = iov_model_unref(wanted->model);
        wanted->diagnostics = iov_diagnostics_unref(wanted->diagnostics);
}

/* Whether a line says `kind: KIND`; the reader then checks the document, so a wrong guess costs no more than a message. */
static bool is_kind(const char *text, const char *kind) {
        for (const char *line = text; line; line = strchr(line, '\n')) {
                line += *line == '\n';
                if (strncmp(line, "kind:", 5) == 0)
                        return strncmp(line + 5 + strspn(line + 5, " \t\"'"), kind, strlen(kind)) == 0;
        }
        return false;
}

/* A chassis or a saved plan is checked alone: it is no part of the topology that the other files make. */
static int check_alone(struct tool *tool, const char *name, const char *text, size_t length) {
        CLEANUP_DIAGNOSTICS struct iov_diagnostics *diagnostics = NULL;
        CLEANUP_MODEL struct iov_model *chassis = NULL;
        int r = iov_model_new(tool->ctx, &chassis);

        if (r == 0)
                r = iov_diagnostics_new(&diagnostics);
        if (r == 0)
                r = is_kind(text, "plan") ? saved_check(tool, name, text, length, diagnostics)
                                          : iov_chassis_read(chassis, name, text, length, diagnostics);
        if (diagnostics)
                report_diagnostics(tool, diagnostics);
        return r;
}

static int read_file(struct tool *tool, const char *file, bool all_kinds, struct wanted *wanted) {
        CLEANUP_FREE char *text = NULL;
        size_t length;
        int r = input_read(file, &text, &length);

        if (r == -EFBIG)
                return report_error(tool, STATUS_USAGE, "%s: larger than 64 MiB, which no topology is", input_name(file));
        if (r < 0)
                return report_errno(tool, r, "%s", input_name(file));
        if (all_kinds && (is_kind(text, "chassis") || is_kind(text, "plan")))
                r = check_alone(tool, input_name(file), text, length);
        else
                r = iov_topology_read(wanted->model, input_name(file), text, length, wanted->diagnostics);
        if (r == -EBADMSG) /* its findings are in the list */
                return STATUS_USAGE;
        return r < 0 ? report_errno(tool, r, "%s", input_name(file)) : STATUS_DONE;
}

static int is_yaml(const struct dirent *entry) {
        const char *suffix = strrchr(entry->d_name, '.');

        return *entry->d_name != '.' && suffix && (strcmp(suffix, ".yaml") == 0 || strcmp(suffix, ".yml") == 0);
}

/* All its *.yaml and *.yml in order of their names, but not those of directories in it. */
static int read_directory(struct tool *tool, const char *directory, bool all_kinds, struct wanted *wanted) {
        struct dirent **entries = NULL;
        int n = scandir(directory, &entries, is_yaml, alphasort), status = STATUS_DONE;

        if (n < 0)
                return report_errno(tool, -errno, "%s", directory);
        if (n == 0)
                status = report_error(tool, STATUS_USAGE, "%s: there is no *.yaml or *.yml in this directory", directory);
        for (int i = 0; i < n; i++) {
                CLEANUP_FREE char *path = xasprintf("%s/%s", directory, entries[i]->d_name);
                int s = read_file(tool, path, all_kinds, wanted);

                status = status == STATUS_DONE ? s : status;
                free(entries[i]);
        }
        free(entries);
        return status;
}

static bool is_directory(const char *file) {
        struct stat st;

        return strcmp(file, "-") != 0 && stat(file, &st) == 0 && S_ISDIR(st.st_mode);
}

static int read_files(struct tool *tool, char **files, unsigned int n_files, bool all_kinds, struct wanted *wanted) {
        static char dash[] = "-";
        char *standard_input[] = {dash};
        int status = STATUS_DONE;

        if (n_files == 0 && isatty(STDIN_FILENO))
                return report_error(tool, STATUS_USAGE, "%s: FILE is missing; '-' reads the terminal", tool->command->verb);
        if (n_files == 0) {
                files = standard_input;
                n_files = 1;
        }
        int r = iov_model_new(tool->ctx, &wanted->model);
        if (r == 0)
                r = iov_diagnostics_new(&wanted->diagnostics);
        if (r < 0)
                return report_errno(tool, r, "cannot start");
        /* All errors, then stop. */
        for (unsigned int i = 0; i < n_files; i++) {
                int s = is_directory(files[i]) ? read_directory(tool, files[i], all_kinds, wanted)
                                               : read_file(tool, files[i], all_kinds, wanted);

                status = status == STATUS_DONE ? s : status;
        }
        return status;
}

int wanted_read(struct tool *tool, char **files, unsigned int n_files, struct wanted *ret_wanted) {
        int status = read_files(tool, files, n_files, false, ret_wanted);

        if (status != STATUS_DONE && ret_wanted->diagnostics)
                report_diagnostics(tool, ret_wanted->diagnostics);
        return status;
}

int wanted_check(struct tool *tool, struct wanted *wanted, const struct iov_model *have) {
        int r = iov_diagnostics_check_references(wanted->diagnostics, have);

        if (r == -EBADMSG)
                return STATUS_USAGE;
        return r < 0 ? report_errno(tool, r, "looking for the names failed") : STATUS_DONE;
}

int prov_validate(struct tool *tool, char **words, unsigned int n_words) {
        CLEANUP_WANTED struct wanted wanted = {0};
        int status = read_files(tool, words, n_words, true, &wanted);

        if (status == STATUS_DONE)
                status = wanted_check(tool, &wanted, NULL);
        if (wanted.diagnostics)
                report_diagnostics(tool, wanted.diagnostics);
        if (status == STATUS_DONE && tool->verbose)
                report_note(tool, "no errors");
        return status;
}
