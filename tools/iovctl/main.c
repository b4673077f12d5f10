/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iovctl: look at the objects of an appliance, and plug vAdapters. */
#include "tools/common/objects.h"
#include "tools/iovctl/iovctl.h"

static const struct argument server_argument[] = {{"SERVER", VALUE_SERVER, false, false}, {0}};
static const struct argument adapter_argument[] = {{"ADAPTER", VALUE_ADAPTER, false, false}, {0}};
static const struct argument volume_argument[] = {{"VOLUME", VALUE_VOLUME, false, false}, {0}};
static const struct argument vadapter_argument[] = {{"VADAPTER", VALUE_VADAPTER, false, false}, {0}};
static const struct argument attach_arguments[] = {
        {"VADAPTER", VALUE_VADAPTER, false, false},
        {"SERVER", VALUE_SERVER, false, false},
        {"SLOT", VALUE_TEXT, true, false},
        {0},
};

static const struct command commands[] = {
        {"server", "list", "list the servers", NULL, NULL, server_columns, FORMATS_OBJECTS, objects_list},
        {"server", "show", "show a server and its slots", server_argument, NULL, server_columns, FORMATS_OBJECTS, objects_show},
        {"server", "args", "print the QEMU arguments that cable a guest to its server link", server_argument, args_options, NULL,
         FORMATS_TREE, server_args},
        {"adapter", "list", "list the adapters of the chassis", NULL, NULL, adapter_columns, FORMATS_OBJECTS, objects_list},
        {"adapter", "show", "show an adapter", adapter_argument, NULL, adapter_columns, FORMATS_OBJECTS, objects_show},
        {"volume", "list", "list the volumes", NULL, NULL, volume_columns, FORMATS_OBJECTS, objects_list},
        {"volume", "show", "show a volume", volume_argument, NULL, volume_columns, FORMATS_OBJECTS, objects_show},
        {"vadapter", "list", "list the vAdapters", NULL, NULL, vadapter_columns, FORMATS_OBJECTS, objects_list},
        {"vadapter", "show", "show a vAdapter, its namespaces and counters", vadapter_argument, NULL, vadapter_columns,
         FORMATS_OBJECTS, objects_show},
        {"vadapter", "attach", "plug a vAdapter into a slot of a server, by default the first that is free", attach_arguments,
         attach_options, NULL, FORMATS_TREE, vadapter_attach},
        {"vadapter", "detach", "take a vAdapter out of its slot", vadapter_argument, detach_options, NULL, FORMATS_TREE,
         vadapter_detach},
        {0},
};

static const struct tool_info info = {"iovctl", "Look at the objects of an iov appliance, and plug vAdapters into servers",
                                      commands};

int main(int argc, char **argv) {
        return tool_main(&info, argc, argv);
}
