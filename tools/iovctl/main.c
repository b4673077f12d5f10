/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iovctl: look at the objects of an appliance, and change them one at a time. */
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

static const struct argument namespace_argument[] = {{"VADAPTER/NSID", VALUE_NAMESPACE, false, false}, {0}};
static const struct argument server_add_arguments[] = {
        {"NAME", VALUE_TEXT, false, false},
        {"LINK", VALUE_TEXT, false, false},
        {0},
};
static const struct argument volume_add_arguments[] = {
        {"NAME", VALUE_TEXT, false, false},
        {"ADAPTER", VALUE_ADAPTER, false, false},
        {"SIZE", VALUE_TEXT, false, false},
        {0},
};
static const struct argument vadapter_add_arguments[] = {
        {"NAME", VALUE_TEXT, false, false},
        {"ADAPTER", VALUE_ADAPTER, false, false},
        {0},
};
static const struct argument namespace_add_arguments[] = {
        {"VADAPTER/NSID", VALUE_VADAPTER, false, false},
        {"VOLUME", VALUE_VOLUME, false, false},
        {0},
};
static const struct argument server_set_arguments[] = {
        {"SERVER", VALUE_SERVER, false, false},
        {"link=LINK", VALUE_SERVER_SETTING, false, false},
        {0},
};
static const struct argument volume_set_arguments[] = {
        {"VOLUME", VALUE_VOLUME, false, false},
        {"KEY=VALUE", VALUE_VOLUME_SETTING, false, false},
        {"KEY=VALUE", VALUE_VOLUME_SETTING, true, true},
        {0},
};
static const struct argument vadapter_set_arguments[] = {
        {"VADAPTER", VALUE_VADAPTER, false, false},
        {"serial=SERIAL", VALUE_VADAPTER_SETTING, false, false},
        {0},
};

static const struct command commands[] = {
        {"server", "list", "list the servers", NULL, list_options, server_columns, FORMATS_OBJECTS, objects_list},
        {"server", "show", "show a server and its slots", server_argument, NULL, server_columns, FORMATS_OBJECTS, objects_show},
        {"server", "add", "cable a server to a link", server_add_arguments, add_options, NULL, FORMATS_TREE, object_add},
        {"server", "set", "cable a server to another link", server_set_arguments, set_options, NULL, FORMATS_TREE, object_set},
        {"server", "remove", "remove a server that no vAdapter is attached to", server_argument, remove_options, NULL,
         FORMATS_TREE, object_remove},
        {"server", "args", "print the QEMU arguments that cable a guest to its server link", server_argument, args_options, NULL,
         FORMATS_TREE, server_args},
        {"adapter", "list", "list the adapters of the chassis", NULL, list_options, adapter_columns, FORMATS_OBJECTS,
         objects_list},
        {"adapter", "show", "show an adapter", adapter_argument, NULL, adapter_columns, FORMATS_OBJECTS, objects_show},
        {"volume", "list", "list the volumes", NULL, list_options, volume_columns, FORMATS_OBJECTS, objects_list},
        {"volume", "show", "show a volume", volume_argument, NULL, volume_columns, FORMATS_OBJECTS, objects_show},
        {"volume", "add", "make a volume of SIZE, such as 64GiB, on the media of an adapter", volume_add_arguments,
         volume_add_options, NULL, FORMATS_TREE, object_add},
        {"volume", "set", "change size (a volume only grows) or on_remove (retain, delete) of a volume", volume_set_arguments,
         set_options, NULL, FORMATS_TREE, object_set},
        {"volume", "remove", "remove a volume that no namespace shows", volume_argument, remove_options, NULL, FORMATS_TREE,
         object_remove},
        {"vadapter", "list", "list the vAdapters", NULL, list_options, vadapter_columns, FORMATS_OBJECTS, objects_list},
        {"vadapter", "show", "show a vAdapter, its namespaces and counters", vadapter_argument, NULL, vadapter_columns,
         FORMATS_OBJECTS, objects_show},
        {"vadapter", "add", "make a vAdapter of an adapter, attached to nothing", vadapter_add_arguments, vadapter_add_options,
         NULL, FORMATS_TREE, object_add},
        {"vadapter", "set", "change the serial number of a vAdapter", vadapter_set_arguments, set_options, NULL, FORMATS_TREE,
         object_set},
        {"vadapter", "remove", "remove a vAdapter and its namespaces; volumes stay", vadapter_argument, remove_options, NULL,
         FORMATS_TREE, object_remove},
        {"vadapter", "attach", "plug a vAdapter into a slot of a server, by default the first that is free", attach_arguments,
         attach_options, NULL, FORMATS_TREE, vadapter_attach},
        {"vadapter", "detach", "take a vAdapter out of its slot", vadapter_argument, detach_options, NULL, FORMATS_TREE,
         vadapter_detach},
        {"vadapter", "move", "plug a vAdapter into a slot of another server, in one transaction", attach_arguments,
         detach_options, NULL, FORMATS_TREE, vadapter_move},
        {"namespace", "list", "list the namespaces: which vAdapter shows which volume", NULL, list_options, namespace_columns,
         FORMATS_OBJECTS, objects_list},
        {"namespace", "add", "show a volume by a vAdapter", namespace_add_arguments, set_options, NULL, FORMATS_TREE, object_add},
        {"namespace", "remove", "take a volume away from a vAdapter; its data stays", namespace_argument, remove_options, NULL,
         FORMATS_TREE, object_remove},
        {0},
};

static const struct tool_info info = {"iovctl", "Look at the objects of an iov appliance, and change them one at a time",
                                      commands};

int main(int argc, char **argv) {
        return tool_main(&info, argc, argv);
}
