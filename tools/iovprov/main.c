/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iovprov: make an appliance what a YAML file says. */
#include "tools/iovprov/iovprov.h"

#define FORMATS_YAML (FORMAT_BIT(FORMAT_TABLE) | FORMAT_BIT(FORMAT_YAML))

static const struct argument files[] = {{"FILE", VALUE_FILE, true, true}, {0}};
static const struct argument generation[] = {{"GENERATION", VALUE_GENERATION, false, false}, {0}};
static const struct argument maybe_generation[] = {{"GENERATION", VALUE_GENERATION, true, false}, {0}};

static const struct command commands[] = {
        {NULL, "validate",
         "check files, or all *.yaml of a directory, without an appliance; '-' is standard input, the default where that is no "
         "terminal",
         files, NULL, NULL, FORMATS_TREE, prov_validate},
        {NULL, "plan",
         "show what apply would change, and for what the appliance would refuse it; exit status 5 where there is something, and "
         "it "
         "would not be refused",
         files, plan_options, NULL, FORMATS_TREE, prov_plan},
        {NULL, "apply", "make the appliance what the files say, in one transaction, and verify", files, apply_options, NULL,
         FORMATS_TREE, prov_apply},
        {NULL, "status", "compare the whole appliance with the files, as plan --prune does; exit status 5 where they differ",
         files, NULL, NULL, FORMATS_TREE, prov_status},
        {NULL, "export", "print what the appliance has as a topology", NULL, NULL, NULL, FORMATS_YAML, prov_export},
        {NULL, "history", "list the generations that the appliance keeps, the newest first", NULL, NULL, history_columns,
         FORMATS_OBJECTS, prov_history},
        {NULL, "show", "print a generation as a topology; -o diff: what it changed in the one before", generation, NULL, NULL,
         FORMATS_YAML | FORMAT_BIT(FORMAT_DIFF), prov_show},
        {NULL, "rollback", "go back to a generation, in one transaction; the default is the one before the present",
         maybe_generation, rollback_options, NULL, FORMATS_TREE, prov_rollback},
        {NULL, "confirm", "keep what apply --confirm has made: it is not taken back", NULL, NULL, NULL, FORMATS_TREE,
         prov_confirm},
        {0},
};

static const struct tool_info info = {"iovprov", "Make an iov appliance what a topology in YAML says", commands};

int main(int argc, char **argv) {
        return tool_main(&info, argc, argv);
}
