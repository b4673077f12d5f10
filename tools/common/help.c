/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --help, made from the tables. */
#include <stdio.h>
#include <string.h>

#include "tools/common/tool.h"
#include "util.h"

static void print_option(const struct command *command, const struct option *o) {
        char left[60];
        bool letter = o->letter && option_by_letter(command, o->letter) == o;

        snprintf(left, sizeof(left), "%c%c%s --%s%s%s", letter ? '-' : ' ', letter ? o->letter : ' ', letter ? "," : " ", o->name,
                 o->value ? " " : "", o->value ? o->value : "");
        printf("  %-28s %s\n", left, o->help);
}

/* `vadapter attach NAME SERVER [SLOT]` */
static void command_usage(const struct command *c, char *buffer, size_t size) {
        int used = snprintf(buffer, size, "%s%s%s", c->object ? c->object : "", c->object ? " " : "", c->verb ? c->verb : "");

        for (const struct argument *a = c->arguments; a && a->name; a++)
                if (used >= 0 && (size_t)used < size)
                        used += snprintf(buffer + used, size - (size_t)used, " %s%s%s%s", a->optional ? "[" : "", a->name,
                                         a->repeated ? "..." : "", a->optional ? "]" : "");
}

static void print_common(const struct command *command) {
        puts("\nCommon options:");
        for (const struct option *o = common_options; o->name; o++)
                print_option(command, o);
}

static void print_formats(const struct command *c) {
        printf("\nFormats for -o:");
        for (unsigned int f = 0; f < FORMAT_COUNT; f++)
                if (c->formats & FORMAT_BIT(f))
                        printf(" %s", format_name(f));
        putchar('\n');
        if (!c->columns)
                return;
        puts("\nColumns for -o:");
        for (const struct column *col = c->columns; col->name; col++)
                printf("  %-28s %s\n", col->name, col->help);
}

static int print_command(const struct tool *tool, const struct command *c) {
        char usage[200];

        command_usage(c, usage, sizeof(usage));
        printf("usage: %s%s%s [OPTION...]\n%s.\n", tool->info->name, *usage ? " " : "", usage, c->summary);
        if (c->options) {
                puts("\nOptions:");
                for (const struct option *o = c->options; o->name; o++)
                        print_option(c, o);
        }
        print_common(c);
        print_formats(c);
        return STATUS_DONE;
}

int help_print(const struct tool *tool, const char *object) {
        const struct tool_info *info = tool->info;
        char usage[200];

        if (tool->command)
                return print_command(tool, tool->command);
        printf("usage: %s [OPTION...] %s%s [ARGUMENT...]\n%s.\n\nCommands:\n", info->name,
               object                   ? object
               : tool_has_objects(info) ? "OBJECT"
                                        : "COMMAND",
               tool_has_objects(info) ? " VERB" : "", info->summary);
        for (const struct command *c = info->commands; c->run; c++) {
                if (object && strcmp(c->object, object) != 0)
                        continue;
                command_usage(c, usage, sizeof(usage));
                printf("  %-38s %s\n", usage, c->summary);
        }
        print_common(NULL);
        printf("\nExit status:");
        for (int s = 0; status_text(s); s++)
                printf("%s %d %s", s ? "," : "", s, status_text(s));
        printf("\nWords may be shortened; '%s help COMMAND' tells more of one.\n", info->name);
        return STATUS_DONE;
}
