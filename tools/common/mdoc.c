/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The man page's lists of commands, options and exit codes, made from the tables: hidden option --print-mdoc. The pages hold this
 * text between markers, and a test compares.
 */
#include <stdio.h>
#include <string.h>

#include "tools/common/tool.h"

static void print_character(const char *text, const char *start) {
        if (*text == '-' && (text == start || text[-1] == ' ' || text[-1] == '-'))
                fputs("\\-", stdout); /* a dash would be taken for a hyphen */
        else if (*text == '\\')
                fputs("\\e", stdout);
        else
                putchar(*text);
}

/* In lines of at most 79 characters, none of which begins with a control character. */
static void print_text(const char *text) {
        const char *start = text;
        size_t column = 0;

        while (*text) {
                size_t length = strcspn(text, " ");

                if (column && column + 1 + length > 79) {
                        putchar('\n');
                        column = 0;
                } else if (column) {
                        putchar(' ');
                        column++;
                }
                if (column == 0 && (*text == '.' || *text == '\''))
                        fputs("\\&", stdout);
                column += length;
                for (; length > 0; length--)
                        print_character(text++, start);
                text += strspn(text, " ");
        }
        putchar('\n');
}

static void print_options(const struct command *command, const struct option *options) {
        puts(".Bl -tag -width Ds -compact");
        for (const struct option *o = options; o->name; o++) {
                printf(".It ");
                if (o->letter && option_by_letter(command, o->letter) == o)
                        printf("Fl %c , ", o->letter);
                printf("Fl \\-%s%s%s\n", o->name, o->value ? " Ar " : "", o->value ? o->value : "");
                print_text(o->help);
        }
        puts(".El");
}

static void print_command(const struct command *c) {
        printf(".It");
        if (c->object)
                printf(" Cm %s", c->object);
        printf(" Cm %s", c->verb);
        for (const struct argument *a = c->arguments; a && a->name; a++)
                /* Op takes the rest of its line: optional arguments are the last. */
                printf(" %sAr %s%s", a->optional ? "Op " : "", a->name, a->repeated ? " ..." : "");
        putchar('\n');
        print_text(c->summary);
        if (c->options)
                print_options(c, c->options);
}

static const char environment[] = ".Sh ENVIRONMENT\n"
                                  ".Bl -tag -width Ds\n"
                                  ".It Ev IOV_TIMEOUT\n"
                                  "Seconds that the appliance may take for a command, 1 to 3600; the default is 60.\n"
                                  ".It Ev IOV_APPLIANCE\n"
                                  "The address of the appliance where\n"
                                  ".Fl a\n"
                                  "is not given.\n"
                                  ".It Ev IOVD\n"
                                  "The iovd that\n"
                                  ".Ql sim:\\&\n"
                                  "starts, instead of the installed one.\n"
                                  ".It Ev NO_COLOR\n"
                                  "When not empty, nothing is coloured.\n"
                                  ".El\n";

int mdoc_print(const struct tool *tool) {
        const struct command *commands = tool->info->commands;

        if (tool_has_verbs(tool->info)) {
                puts("Words may be shortened as long as they stay unambiguous.\n.Bl -tag -width Ds");
                for (const struct command *c = commands; c->run; c++)
                        print_command(c);
                puts(".El\n.Pp\nThe options common to all commands:");
        } else {
                puts("The options:");
                print_options(commands, commands->options);
                puts(".Pp\nThe options common to all tools:");
        }
        print_options(tool_has_verbs(tool->info) ? NULL : commands, common_options);
        fputs(environment, stdout);
        puts(".Sh EXIT STATUS\n.Bl -tag -width Ds -compact");
        for (int s = 0; status_text(s); s++)
                printf(".It %d\n%s\n", s, status_text(s));
        puts(".El");
        return STATUS_DONE;
}
