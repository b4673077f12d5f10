/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Completion: `TOOL --complete CURRENT [WORD...]` prints what could stand for CURRENT behind the words, one a line, or the single
 * line
 * `:files`. The shell's part (completions/tool.bash.in) only asks, so it is never stale.
 */
#include <stdio.h>
#include <string.h>

#include "tools/common/objects.h"
#include "tools/common/report.h"
#include "tools/common/tool.h"
#include "util.h"

struct state {
        const struct option *pending; /* its value comes next */
        const char *object;
        unsigned int n_words;
        bool only_words;
};

static void candidate(const char *prefix, const char *word) {
        if (strncmp(word, prefix, strlen(prefix)) == 0)
                puts(word);
}

static void take_word(struct tool *tool, struct state *s, const char *word) {
        bool verbs = s->object || !tool_has_objects(tool->info);
        unsigned int n;

        if (tool->command) {
                s->n_words++;
                return;
        }
        if (!s->object && strcmp(word, "help") == 0)
                return;
        const char *full = command_word(tool->info, verbs, s->object, word, &n);
        if (full && !verbs)
                s->object = full;
        else if (full)
                tool->command = command_find(tool->info, s->object, full);
}

static void take(struct tool *tool, struct state *s, const char *word) {
        const struct option *o = NULL;
        const char *value = NULL;
        unsigned int n;

        if (s->pending) {
                value = word;
                o = s->pending;
                s->pending = NULL;
        } else if (s->only_words || word[0] != '-' || !word[1]) {
                take_word(tool, s, word);
        } else if (strcmp(word, "--") == 0) {
                s->only_words = true;
        } else if (word[1] == '-') {
                o = option_by_name(tool->command, word + 2, strcspn(word + 2, "="), &n);
                value = strchr(word, '=') ? strchr(word, '=') + 1 : NULL;
        } else {
                o = option_by_letter(tool->command, word[1]);
                value = word[2] ? word + 2 : NULL;
        }
        if (o && o->type != VALUE_FLAG && o->type != VALUE_WATCH && !value)
                s->pending = o;
        else if (o && o->type == VALUE_ADDRESS)
                tool->appliance = value;
}

static void complete_names(struct tool *tool, enum iov_kind kind, const char *current) {
        CLEANUP_MODEL struct iov_model *model = NULL;
        CLEANUP_FREE const void **records = NULL;

        CLEANUP_APPLIANCE struct iov_appliance *appliance = NULL;
        tool->silent = true;
        if (iov_open(tool->ctx, tool->appliance, &appliance) < 0 || iov_model_load(appliance, &model) < 0)
                return;
        int n = iov_model_sorted(model, kind, &records);
        for (int i = 0; i < n; i++)
                candidate(current, records[i]);
}

static void complete_generations(struct tool *tool, const char *current) {
        CLEANUP_APPLIANCE struct iov_appliance *appliance = NULL;
        CLEANUP_FREE struct iov_mb_history_entry *entries = NULL;
        size_t n = 0;

        tool->silent = true;
        if (iov_open(tool->ctx, tool->appliance, &appliance) < 0 || iov_history_list(appliance, &entries, &n) < 0)
                return;
        for (size_t i = 0; i < n; i++) {
                CLEANUP_FREE char *number = xasprintf("%llu", (unsigned long long)entries[i].generation);

                candidate(current, number);
        }
}

static void complete_identities(struct tool *tool, const char *current) {
        CLEANUP_APPLIANCE struct iov_appliance *appliance = NULL;
        CLEANUP_MODEL struct iov_model *model = NULL;
        const struct iov_vadapter *v;

        tool->silent = true;
        if (iov_open(tool->ctx, tool->appliance, &appliance) < 0 || iov_model_load(appliance, &model) < 0)
                return;
        iov_model_foreach (model, IOV_KIND_VADAPTER, v) {
                const char *has[] = {v->mac, v->wwnn, v->wwpn, v->serial, v->nqn};

                for (size_t i = 0; i < ARRAY_LENGTH(has); i++)
                        if (*has[i])
                                candidate(current, has[i]);
        }
}

/* What stands before the part of a list that is being typed, with its comma; the part is `*current` then. */
static char *list_prefix(const char **current) {
        const char *comma = strrchr(*current, ','), *start = *current;

        *current = comma ? comma + 1 : start;
        return xasprintf("%.*s", (int)(*current - start), start);
}

/* Columns of a list, the part behind the last comma, each behind `sign`; NULL: one, with the sign that follows in a filter. */
static void complete_columns(const struct tool *tool, const char *sign, const char *current) {
        const char *part = current;
        CLEANUP_FREE char *prefix = sign ? list_prefix(&part) : xasprintf("%s", "");

        for (const struct column *c = tool->command ? tool->command->columns : NULL; c && c->name; c++) {
                CLEANUP_FREE char *word = xasprintf("%s%s%s%s", prefix, sign ? sign : "", c->name, sign ? "" : "=");

                candidate(current, word);
        }
}

static void complete_output(const struct tool *tool, const char *current) {
        const struct command *c = tool->command;

        if (strchr(current, ',')) {
                complete_columns(tool, "", current);
                return;
        }

        for (unsigned int f = 0; f < FORMAT_COUNT; f++)
                if (!c || c->formats & FORMAT_BIT(f))
                        candidate(current, format_name((enum format)f));
        for (const struct column *col = c ? c->columns : NULL; col && col->name; col++)
                candidate(current, col->name);
        candidate(current, "help");
}

/* Names of objects. */
static void complete_kind(struct tool *tool, enum value_type type, const char *current) {
        static const struct {
                enum value_type type;
                enum iov_kind kind;
        } named[] = {
                {VALUE_SERVER, IOV_KIND_SERVER},       {VALUE_ADAPTER, IOV_KIND_ADAPTER}, {VALUE_VOLUME, IOV_KIND_VOLUME},
                {VALUE_VADAPTER, IOV_KIND_VADAPTER},   {VALUE_NETWORK, IOV_KIND_NETWORK}, {VALUE_QOS, IOV_KIND_QOS},
                {VALUE_PROFILE, IOV_KIND_PROFILE},     {VALUE_LUN, IOV_KIND_LUN},         {VALUE_DRIVE, IOV_KIND_DRIVE},
                {VALUE_NAMESPACE, IOV_KIND_NAMESPACE}, {VALUE_POOL, IOV_KIND_POOL},       {VALUE_LINK, IOV_KIND_LINK},
                {VALUE_LINK, IOV_KIND_SERVER}, /* by the server on it, too */
                {VALUE_FAULT, IOV_KIND_FAULT},
        };

        for (size_t i = 0; i < ARRAY_LENGTH(named); i++)
                if (named[i].type == type)
                        complete_names(tool, named[i].kind, current);
}

/* Words that are always the same. */
static void complete_list(enum value_type type, const char *current) {
        static const struct {
                enum value_type type;
                const char *words[14];
        } lists[] = {
                {VALUE_ON_REMOVE, {"retain", "delete"}},
                {VALUE_PROVISIONING, {"thin", "full"}},
                {VALUE_SERVER_SETTING, {"link=", "profile=", "qemu="}},
                {VALUE_VOLUME_SETTING,
                 {"size=", "on_remove=retain", "on_remove=delete", "provisioning=thin", "provisioning=full", "block_size=512",
                  "block_size=4096", "shared=true", "shared=false"}},
                {VALUE_VADAPTER_SETTING,
                 {"serial=", "mac=", "wwnn=", "wwpn=", "nqn=", "network=", "vlan=", "vlan_mode=access", "vlan_mode=trunk",
                  "qos=", "interrupts=", "polling=adaptive", "polling=always"}},
                {VALUE_NETWORK_SETTING, {"port=", "mtu=", "vlans="}},
                {VALUE_POOL_SETTING, {"first=", "last=", "prefix=", "rest="}},
                {VALUE_IDENTITY_TYPE, {"mac", "wwnn", "wwpn", "serial", "nqn"}},
                {VALUE_ADAPTER_KIND, {"nic", "hba", "raid", "ssd", "sata"}},
                {VALUE_MEMBER_SETTING, {"volume="}},
                {VALUE_NAMESPACE_SETTING, {"volume=", "read_only=true", "read_only=false"}},
                {VALUE_ADAPTER_SETTING, {"ports=", "rate=", "capacity=", "iops=", "bandwidth=", "backend=", "model="}},
                {VALUE_QOS_SETTING, {"read_iops=", "write_iops=", "bandwidth=", "weight="}},
        };

        for (size_t i = 0; i < ARRAY_LENGTH(lists); i++)
                for (size_t w = 0; lists[i].type == type && w < ARRAY_LENGTH(lists[i].words) && lists[i].words[w]; w++)
                        candidate(current, lists[i].words[w]);
}

static void complete_value(struct tool *tool, enum value_type type, const char *current) {
        switch (type) {
        case VALUE_FILE:
                puts(":files");
                break;
        case VALUE_ADDRESS:
                candidate(current, "unix:");
                candidate(current, "pci:");
                candidate(current, "sim:");
                break;
        case VALUE_OUTPUT:
                complete_output(tool, current);
                break;
        case VALUE_IDENTITY:
                complete_identities(tool, current);
                break;
        case VALUE_GENERATION:
                complete_generations(tool, current);
                break;
        case VALUE_SORT:
                complete_columns(tool, "", current);
                complete_columns(tool, "-", current);
                break;
        case VALUE_FILTER:
                complete_columns(tool, NULL, current);
                break;
        default:
                complete_kind(tool, type, current);
                complete_list(type, current);
        }
}

static void complete_options(const struct tool *tool, const char *current) {
        const struct option *lists[] = {tool->command ? tool->command->options : NULL, common_options};

        for (size_t i = 0; i < ARRAY_LENGTH(lists); i++)
                for (const struct option *o = lists[i]; o && o->name; o++) {
                        CLEANUP_FREE char *name = xasprintf("--%s", o->name);

                        candidate(current, name);
                }
}

static void complete_words(const struct tool *tool, const struct state *s, const char *current) {
        bool verbs = s->object || !tool_has_objects(tool->info);
        const char *previous = "";

        for (const struct command *c = tool->info->commands; c && c->run; c++) {
                const char *word = verbs ? c->verb : c->object;

                if ((s->object && strcmp(c->object, s->object) != 0) || strcmp(word, previous) == 0)
                        continue;
                previous = word;
                candidate(current, word);
        }
}

int complete_print(struct tool *tool, int argc, char **argv) {
        const char *current = argc ? argv[0] : "";
        struct state s = {0};

        if (!tool_has_verbs(tool->info))
                tool->command = tool->info->commands;
        for (int i = 1; i < argc; i++)
                take(tool, &s, argv[i]);
        if (s.pending) {
                complete_value(tool, s.pending->type, current);
        } else if (*current == '-' && !s.only_words) {
                complete_options(tool, current);
        } else if (tool_has_verbs(tool->info) && !tool->command) {
                complete_words(tool, &s, current);
        } else {
                const struct argument *a = tool->command->arguments;

                for (unsigned int i = 0; a && a->name && i < s.n_words && !a->repeated; i++)
                        a++;
                if (a && a->name)
                        complete_value(tool, a->type, current);
        }
        return STATUS_DONE;
}
