/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iovprov: make an appliance what a YAML file says. */
#include "tools/iovprov/iovprov.h"

static const struct argument files[] = {{"FILE", VALUE_FILE, true, true}, {0}};

static const struct command commands[] = {
        {NULL, "validate", "check files without an appliance; '-' is standard input, the default where that is no terminal",
         files, NULL, NULL, FORMATS_TREE, prov_validate},
        {NULL, "plan", "show what apply would change; exit status 5 where there is something", files, plan_options, NULL,
         FORMATS_TREE, prov_plan},
        {NULL, "apply", "make the appliance what the files say, in one transaction, and verify", files, apply_options, NULL,
         FORMATS_TREE, prov_apply},
        {0},
};

static const struct tool_info info = {"iovprov", "Make an iov appliance what a topology in YAML says", commands};

int main(int argc, char **argv) {
        return tool_main(&info, argc, argv);
}
