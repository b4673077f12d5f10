/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tools have in common: a static table of commands per tool, from which the command line is parsed and --help, the
 * completion and the man page's lists are made.
 */
#ifndef IOV_TOOLS_TOOL_H
#define IOV_TOOLS_TOOL_H

#include <stdbool.h>
#include <stddef.h>

#include "iov/libiov.h"
#include "tools/common/output.h"
#include "tools/common/status.h"

/* What the value of an option or an argument is. It decides how the value is checked, what the target is, and how it is
 * completed. */
enum value_type {
        VALUE_FLAG = 0, /* no value; target: bool */
        VALUE_TEXT,     /* target of this and of all below but the numbers: const char * */
        VALUE_FILE,
        VALUE_ADDRESS,
        VALUE_OUTPUT,
        VALUE_SERVER,
        VALUE_ADAPTER,
        VALUE_VOLUME,
        VALUE_VADAPTER,
        VALUE_GENERATION,
        VALUE_NAMESPACE,
        VALUE_ON_REMOVE,
        VALUE_PROVISIONING,
        VALUE_SERVER_SETTING, /* KEY=VALUE */
        VALUE_VOLUME_SETTING,
        VALUE_VADAPTER_SETTING,
        VALUE_NETWORK_SETTING,
        VALUE_QOS_SETTING,
        VALUE_NETWORK,
        VALUE_QOS,
        VALUE_PROFILE,
        VALUE_LUN,
        VALUE_DRIVE,
        VALUE_POOL,
        VALUE_POOL_SETTING,
        VALUE_IDENTITY_TYPE,
        VALUE_IDENTITY,
        VALUE_LINK,
        VALUE_FAULT,
        VALUE_ADAPTER_KIND,
        VALUE_ADAPTER_SETTING,
        VALUE_MEMBER_SETTING,
        VALUE_NAMESPACE_SETTING,
        VALUE_NUMBER,  /* target: unsigned int */
        VALUE_SECONDS, /* target: double, above 0 */
        VALUE_TIMEOUT, /* the same, or 0 */
        VALUE_SORT,    /* columns */
        VALUE_FILTER,  /* target: struct text_list; may be repeated */
        VALUE_WATCH,   /* seconds that may be left out; target: struct watch_value */
};
struct text_list {
        const char **items;
        unsigned int n;
};
struct watch_value {
        bool wanted;
        double seconds; /* 0: none were given */
};

/* Lists of these end with a zeroed element; a NULL list is an empty one. */
struct option {
        const char *name; /* long name, without dashes */
        char letter;      /* 0: none */
        enum value_type type;
        const char *value; /* its name in help, NULL for a flag */
        void *target;
        const char *help;
};
struct argument {
        const char *name;
        enum value_type type;
        bool optional, repeated;
};

struct tool;
struct command {
        const char *object, *verb; /* words that select it; NULL where the tool has none */
        const char *summary;       /* one sentence without a full stop */
        const struct argument *arguments;
        const struct option *options;
        const struct column *columns; /* what -o COLUMN,... can pick */
        unsigned int formats;         /* 1u << enum format */
        /* Returns an exit code, after it has reported. `words` are the arguments. */
        int (*run)(struct tool *tool, char **words, unsigned int n_words);
};
struct tool_info {
        const char *name, *summary;
        const struct command *commands;
};

/* The running tool: settings from the common options. */
struct tool {
        const struct tool_info *info;
        const struct command *command; /* NULL until it is known */
        struct iov_ctx *ctx;
        struct output output;
        const char *appliance;     /* -a, NULL: the default */
        const char *output_option; /* -o as given */
        bool quiet, verbose, help, version;
        bool json_errors;
        bool silent; /* completion: say nothing */
};

/* main() of every tool. */
int tool_main(const struct tool_info *info, int argc, char **argv);

/* The common options. Those of a command hide a common one of the same letter. */
extern const struct option common_options[];

/* parse.c */
const struct option *option_by_letter(const struct command *command, char letter);
/* By an unambiguous beginning. NULL: unknown, or several (then *ret_n is above 1). */
const struct option *option_by_name(const struct command *command, const char *name, size_t length, unsigned int *ret_n);
bool tool_has_objects(const struct tool_info *info);
bool tool_has_verbs(const struct tool_info *info);
/* The full word for an unambiguous abbreviation, among objects (object NULL) or among the verbs of an object. */
const char *command_word(const struct tool_info *info, bool verbs, const char *object, const char *word, unsigned int *ret_n);
const struct command *command_find(const struct tool_info *info, const char *object, const char *verb);
/* Sets tool->command and the settings; returns an exit code, or -1: go on. `words` has room for argc pointers. */
int tool_parse(struct tool *tool, int argc, char **argv, char **words, unsigned int *ret_n);

/* help.c, mdoc.c, complete.c */
int help_print(const struct tool *tool, const char *object);
int mdoc_print(const struct tool *tool);
int complete_print(struct tool *tool, int argc, char **argv);

/* Never returns NULL: ends the tool where memory has run out. */
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t n, size_t size);
char *xstrdup(const char *s);
FILE *xopen_memstream(char **data, size_t *length);
char *xstrndup(const char *s, size_t n);
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* unref at the end of the scope */
static inline void unref_model(struct iov_model **m) {
        iov_model_unref(*m);
}
static inline void unref_plan(struct iov_plan **p) {
        iov_plan_unref(*p);
}
static inline void unref_diagnostics(struct iov_diagnostics **d) {
        iov_diagnostics_unref(*d);
}
static inline void close_appliance(struct iov_appliance **a) {
        iov_close(*a);
}
#define CLEANUP_MODEL __attribute__((cleanup(unref_model)))
#define CLEANUP_PLAN __attribute__((cleanup(unref_plan)))
#define CLEANUP_DIAGNOSTICS __attribute__((cleanup(unref_diagnostics)))
#define CLEANUP_APPLIANCE __attribute__((cleanup(close_appliance)))

#endif
