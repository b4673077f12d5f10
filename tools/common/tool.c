/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The main function of every tool. */
#include "tools/common/tool.h"

#include <errno.h>
#include <json-c/json.h>
#include <locale.h>
#include <string.h>

#include "tools/common/report.h"
#include "util.h"

static struct tool the_tool;

const struct option common_options[] = {
        {"appliance", 'a', VALUE_ADDRESS, "ADDRESS", &the_tool.appliance,
         "unix:PATH, pci:BDF for a PCI function of this machine (pci: is the only one), or sim:DIR for a private simulator; "
         "default "
         "$IOV_APPLIANCE, else unix:/run/iov/mgmt.sock"},
        {"output", 'o', VALUE_OUTPUT, "FORMAT", &the_tool.output_option, "format, or columns as COLUMN,...; help lists them"},
        {"no-headings", 'n', VALUE_FLAG, NULL, &the_tool.output.no_headings, "print no column headings"},
        {"bytes", 0, VALUE_FLAG, NULL, &the_tool.output.bytes, "print sizes and rates as plain numbers"},
        {"no-color", 0, VALUE_FLAG, NULL, &the_tool.output.no_color,
         "print no colours; NO_COLOR in the environment does the same"},
        {"quiet", 'q', VALUE_FLAG, NULL, &the_tool.quiet, "print errors only"},
        {"verbose", 'v', VALUE_FLAG, NULL, &the_tool.verbose, "tell what is being done"},
        {"version", 'V', VALUE_FLAG, NULL, &the_tool.version, "print the version"},
        {"help", 'h', VALUE_FLAG, NULL, &the_tool.help, "print this help"},
        {0},
};

static int print_output_help(const struct tool *tool) {
        const struct command *c = tool->command;

        printf("formats:");
        for (unsigned int f = 0; f < FORMAT_COUNT; f++)
                if (c->formats & FORMAT_BIT(f))
                        printf(" %s", format_name(f));
        printf("\n");
        for (const struct column *col = c->columns; col && col->name; col++)
                printf("%-20s %s\n", col->name, col->help);
        return STATUS_DONE;
}

static bool color_wanted(void) {
        const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

        return !(no_color && *no_color) && term && strcmp(term, "dumb") != 0 && isatty(STDOUT_FILENO);
}

static int run(struct tool *tool, int argc, char **argv) {
        CLEANUP_FREE char **words = xcalloc((size_t)argc + 1, sizeof(*words));
        unsigned int n = 0;

        if (argc > 1 && strcmp(argv[1], "--print-mdoc") == 0)
                return mdoc_print(tool);
        if (argc > 1 && strcmp(argv[1], "--complete") == 0)
                return complete_print(tool, argc - 2, argv + 2);
        int r = tool_parse(tool, argc, argv, words, &n);
        if (r >= 0)
                return r;
        if (tool->version) {
                printf("%s (%s) %s\n", tool->info->name, PACKAGE_NAME, PACKAGE_VERSION);
                return STATUS_DONE;
        }
        if (tool->output_option && strcmp(tool->output_option, "help") == 0)
                return print_output_help(tool);
        if (!color_wanted())
                tool->output.no_color = true;
        return tool->command->run(tool, words, n);
}

int tool_main(const struct tool_info *info, int argc, char **argv) {
        struct tool *tool = &the_tool;

        /* Only characters: numbers are written the same everywhere. */
        setlocale(LC_CTYPE, "");
        tool->info = info;
        int r = iov_new(&tool->ctx);
        if (r < 0)
                return report_errno(tool, r, "cannot start");
        iov_set_log_fn(tool->ctx, report_log, tool);
        int status = run(tool, argc, argv);
        iov_unref(tool->ctx);
        report_flush(tool);
        /* A full disk shows only now. */
        int failed = ferror(stdout), error = errno;
        if (fclose(stdout) != 0) {
                failed = 1;
                error = errno;
        }
        if (failed && status != STATUS_USAGE)
                return report_error(tool, STATUS_FAILED, "writing the output failed: %s", error ? strerror(error) : "I/O error");
        return status;
}

int output_tree(const struct tool *tool, struct json_object *root) {
        int r = tree_write(root, tool->output.format, stdout);

        json_object_put(root);
        return r < 0 ? report_errno(tool, r, "writing the output failed") : STATUS_DONE;
}

int output_table(const struct tool *tool, const struct table *table, bool show) {
        if (tool->output.format == FORMAT_JSON) {
                table_write_json(table, stdout);
                return STATUS_DONE;
        }
        if (tool->output.format == FORMAT_YAML)
                return output_tree(tool, table_to_tree(table));
        int r = table_write_text(table, &tool->output, show, stdout);
        return r < 0 ? report_errno(tool, r, "writing the output failed") : STATUS_DONE;
}
