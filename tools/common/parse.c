/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line, parsed by the tables. Options may stand anywhere; a command's own only behind its words. */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/common/report.h"
#include "tools/common/tool.h"
#include "util.h"

struct parser {
        struct tool *tool;
        int argc, next;
        char **argv;
        const char *object; /* full word, once given */
        char **words;
        unsigned int n_words;
        bool only_words; /* behind -- */
};

static const struct option *option_next(const struct command *command, const struct option *o) {
        if (!o)
                return command && command->options ? command->options : common_options;
        o++;
        if (o->name)
                return o;
        /* The end of the command's list leads on to the common one. */
        for (const struct option *c = common_options; c->name; c++)
                if (o == c + 1)
                        return NULL;
        return common_options;
}

const struct option *option_by_letter(const struct command *command, char letter) {
        for (const struct option *o = option_next(command, NULL); o; o = option_next(command, o))
                if (o->letter == letter)
                        return o;
        return NULL;
}

const struct option *option_by_name(const struct command *command, const char *name, size_t length, unsigned int *ret_n) {
        const struct option *found = NULL;

        *ret_n = 0;
        for (const struct option *o = option_next(command, NULL); o; o = option_next(command, o)) {
                if (strncmp(o->name, name, length) != 0)
                        continue;
                if (strlen(o->name) == length) {
                        *ret_n = 1;
                        return o;
                }
                found = o;
                (*ret_n)++;
        }
        return *ret_n == 1 ? found : NULL;
}

bool tool_has_objects(const struct tool_info *info) {
        return info->commands[0].object;
}

bool tool_has_verbs(const struct tool_info *info) {
        return info->commands[0].verb;
}

const char *command_word(const struct tool_info *info, bool verbs, const char *object, const char *word, unsigned int *ret_n) {
        const char *found = NULL;

        *ret_n = 0;
        for (const struct command *c = info->commands; c->run; c++) {
                const char *candidate = verbs ? c->verb : c->object;

                if ((verbs && object && strcmp(c->object, object) != 0) || strncmp(candidate, word, strlen(word)) != 0)
                        continue;
                if (strcmp(candidate, word) == 0) {
                        *ret_n = 1;
                        return candidate;
                }
                if (found && strcmp(found, candidate) == 0)
                        continue;
                found = candidate;
                (*ret_n)++;
        }
        return *ret_n == 1 ? found : NULL;
}

const struct command *command_find(const struct tool_info *info, const char *object, const char *verb) {
        for (const struct command *c = info->commands; c->run; c++)
                if ((!object || strcmp(c->object, object) == 0) && (!verb || strcmp(c->verb, verb) == 0))
                        return c;
        return NULL;
}

/* `list or show`: the words that could stand here and begin with `prefix`. */
static void list_words(const struct parser *p, bool verbs, const char *prefix, char *buffer, size_t size) {
        const char *previous = "";
        size_t used = 0;

        *buffer = 0;
        for (const struct command *c = p->tool->info->commands; c->run; c++) {
                const char *w = verbs ? c->verb : c->object;

                if ((verbs && p->object && strcmp(c->object, p->object) != 0) || strncmp(w, prefix, strlen(prefix)) != 0 ||
                    strcmp(w, previous) == 0 || used >= size)
                        continue;
                previous = w;
                used += (size_t)snprintf(buffer + used, size - used, "%s%s", used ? ", " : "", w);
        }
}

static int unknown_word(const struct parser *p, bool verbs, const char *word, unsigned int n) {
        char words[200];

        list_words(p, verbs, n ? word : "", words, sizeof(words));
        if (n)
                return report_error(p->tool, STATUS_USAGE, "'%s' could be %s; type more of it", word, words);
        return report_error(p->tool, STATUS_USAGE, "%s%sno command '%s'; there are %s", p->object ? p->object : "",
                            p->object ? ": " : "", word, words);
}

/* A word that is no option: object, verb or argument. -1: go on. */
static int take_word(struct parser *p, char *word) {
        const struct tool_info *info = p->tool->info;
        bool verbs = p->object || !tool_has_objects(info);
        unsigned int n;

        if (p->tool->command) {
                p->words[p->n_words++] = word;
                return -1;
        }
        if (!p->object && strcmp(word, "help") == 0 && !p->tool->help) {
                p->tool->help = true;
                return -1;
        }
        const char *full = command_word(info, verbs, p->object, word, &n);
        if (!full)
                return unknown_word(p, verbs, word, n);
        if (!verbs)
                p->object = full;
        else
                p->tool->command = command_find(info, p->object, full);
        return -1;
}

static int take_number(const struct tool *tool, const struct option *o, const char *value) {
        char *end;

        errno = 0;
        unsigned long n = strtoul(value, &end, 10);
        if (!isdigit((unsigned char)*value) || *end || errno || n > UINT_MAX)
                return report_error(tool, STATUS_USAGE, "--%s %s: a whole number is wanted", o->name, value);
        *(unsigned int *)o->target = (unsigned int)n;
        return -1;
}

static int take_seconds(const struct tool *tool, const struct option *o, const char *value, double *ret_seconds) {
        char *end;

        errno = 0;
        double seconds = strtod(value, &end);
        if (end == value || *end || errno || !isfinite(seconds) || seconds > 86400 ||
            (seconds < 0.01 && (o->type != VALUE_TIMEOUT || seconds != 0)))
                return report_error(tool, STATUS_USAGE, "--%s %s: seconds are wanted, %s0.01 to 86400", o->name, value,
                                    o->type == VALUE_TIMEOUT ? "0 or " : "");
        *ret_seconds = seconds;
        return -1;
}

static void take_item(struct text_list *list, const char *value) {
        list->items = xrealloc(list->items, list->n + 1, sizeof(*list->items));
        list->items[list->n++] = value;
}

static int take_value(struct parser *p, const struct option *o, const char *value) {
        struct tool *tool = p->tool;

        switch (o->type) {
        case VALUE_NUMBER:
                return take_number(tool, o, value);
        case VALUE_TIMEOUT:
        case VALUE_SECONDS:
                return take_seconds(tool, o, value, o->target);
        case VALUE_WATCH:
                ((struct watch_value *)o->target)->wanted = true;
                return take_seconds(tool, o, value, &((struct watch_value *)o->target)->seconds);
        case VALUE_FILTER:
                take_item(o->target, value);
                return -1;
        default:
                if (!*value)
                        return report_error(tool, STATUS_USAGE, "--%s: %s is empty", o->name, o->value);
                *(const char **)o->target = value;
                return -1;
        }
}

static int take_next_value(struct parser *p, const struct option *o) {
        /* A value that may be left out is there where the next word can be nothing else. */
        if (o->type == VALUE_WATCH && (p->next >= p->argc || !isdigit((unsigned char)p->argv[p->next][0]))) {
                ((struct watch_value *)o->target)->wanted = true;
                return -1;
        }
        if (p->next >= p->argc)
                return report_error(p->tool, STATUS_USAGE, "--%s: %s is missing", o->name, o->value);
        return take_value(p, o, p->argv[p->next++]);
}

static int take_long(struct parser *p, const char *text) {
        size_t length = strcspn(text, "=");
        unsigned int n;
        const struct option *o = option_by_name(p->tool->command, text, length, &n);

        if (!o)
                return report_error(p->tool, STATUS_USAGE, "--%.*s: %s; see %s --help", (int)length, text,
                                    n ? "could be several options" : "no such option here", p->tool->info->name);
        if (o->type == VALUE_FLAG) {
                if (text[length])
                        return report_error(p->tool, STATUS_USAGE, "--%s: takes no value", o->name);
                *(bool *)o->target = true;
                return -1;
        }
        return text[length] ? take_value(p, o, text + length + 1) : take_next_value(p, o);
}

static int take_letters(struct parser *p, const char *letters) {
        for (; *letters; letters++) {
                const struct option *o = option_by_letter(p->tool->command, *letters);

                if (!o)
                        return report_error(p->tool, STATUS_USAGE, "-%c: no such option here; see %s --help", *letters,
                                            p->tool->info->name);
                if (o->type == VALUE_WATCH && letters[1] && !isdigit((unsigned char)letters[1]))
                        ((struct watch_value *)o->target)->wanted = true;
                else if (o->type != VALUE_FLAG)
                        return letters[1] ? take_value(p, o, letters + 1) : take_next_value(p, o);
                else
                        *(bool *)o->target = true;
        }
        return -1;
}

static int take(struct parser *p, char *word) {
        if (p->only_words || word[0] != '-' || !word[1])
                return take_word(p, word);
        if (strcmp(word, "--") == 0) {
                p->only_words = true;
                return -1;
        }
        return word[1] == '-' ? take_long(p, word + 2) : take_letters(p, word + 1);
}

/* `iovctl: vadapter attach: ` */
static void command_label(const struct command *c, char *buffer, size_t size) {
        snprintf(buffer, size, "%s%s%s%s", c->object ? c->object : "", c->object ? " " : "", c->verb ? c->verb : "",
                 c->verb ? ": " : "");
}

static int check_words(const struct parser *p) {
        const struct command *c = p->tool->command;
        unsigned int i = 0;
        char label[80];

        command_label(c, label, sizeof(label));
        for (const struct argument *a = c->arguments; a && a->name; a++) {
                if (i >= p->n_words && !a->optional)
                        return report_error(p->tool, STATUS_USAGE, "%s%s is missing; --help shows the usage", label, a->name);
                if (a->repeated)
                        return -1;
                i++;
        }
        if (p->n_words > i)
                return report_error(p->tool, STATUS_USAGE, "%sunexpected argument '%s'", label, p->words[i]);
        return -1;
}

/* -o: a format or columns of the command. */
static int check_output(struct tool *tool) {
        const char *text = tool->output_option;
        const struct command *c = tool->command;

        if (!text || strcmp(text, "help") == 0)
                return -1;
        tool->output.format = format_find(text);
        if (tool->output.format != FORMAT_COUNT) {
                if (c->formats & FORMAT_BIT(tool->output.format))
                        return -1;
                return report_error(tool, STATUS_USAGE, "-o %s: not a format of this command; -o help lists them", text);
        }
        for (const char *t = text; c->columns && *t; t += strcspn(t, ",") + (t[strcspn(t, ",")] == ',')) {
                if (column_find(c->columns, t, strcspn(t, ",")) < 0)
                        return report_error(tool, STATUS_USAGE, "-o %s: no format or column '%.*s'; -o help lists them", text,
                                            (int)strcspn(t, ","), t);
        }
        if (!c->columns)
                return report_error(tool, STATUS_USAGE, "-o %s: no such format; -o help lists them", text);
        tool->output.format = FORMAT_TABLE;
        tool->output.columns = text;
        return -1;
}

/* `-o json` decides how errors are shown, those of the command line too: look for it first. */
static bool wants_json(int argc, char **argv) {
        for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
                if (strcmp(argv[i], "-ojson") == 0 || strcmp(argv[i], "--output=json") == 0)
                        return true;
                if ((strcmp(argv[i], "-o") == 0 || strcmp(argv[i], "--output") == 0) && i + 1 < argc &&
                    strcmp(argv[i + 1], "json") == 0)
                        return true;
        }
        return false;
}

static int missing_command(const struct parser *p) {
        char words[200];

        list_words(p, p->object || !tool_has_objects(p->tool->info), "", words, sizeof(words));
        return report_error(p->tool, STATUS_USAGE, "%s%scommand is missing: %s; see %s --help", p->object ? p->object : "",
                            p->object ? ": " : "", words, p->tool->info->name);
}

int tool_parse(struct tool *tool, int argc, char **argv, char **words, unsigned int *ret_n) {
        struct parser p = {.tool = tool, .argc = argc, .next = 1, .argv = argv, .words = words};

        tool->json_errors = wants_json(argc, argv);
        if (!tool_has_verbs(tool->info))
                tool->command = tool->info->commands;
        while (p.next < argc) {
                int r = take(&p, argv[p.next++]);

                if (r >= 0)
                        return r;
        }
        if (tool->help)
                return help_print(tool, p.object);
        if (tool->version)
                return -1;
        if (!tool->command)
                return missing_command(&p);
        int r = check_output(tool);
        if (r < 0 && !(tool->output_option && strcmp(tool->output_option, "help") == 0))
                r = check_words(&p);
        *ret_n = p.n_words;
        return r;
}
