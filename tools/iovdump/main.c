/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iovdump: what an appliance is and shows, as text that other programs read. */
#include "tools/iovdump/iovdump.h"

#define FORMATS_YAML (FORMAT_BIT(FORMAT_TABLE) | FORMAT_BIT(FORMAT_YAML))
#define FORMATS_TEXT FORMAT_BIT(FORMAT_TABLE)

static const struct argument server_argument[] = {{"SERVER", VALUE_SERVER, false, false}, {0}};
static const struct argument file_argument[] = {{"FILE", VALUE_FILE, false, false}, {0}};

static const struct command commands[] = {
        {NULL, "topology", "print the topology as YAML that iovprov takes", NULL, NULL, NULL, FORMATS_YAML, dump_topology},
        {NULL, "chassis", "print the chassis as YAML that iovd takes", NULL, NULL, NULL, FORMATS_YAML, dump_chassis},
        {NULL, "registers", "print every register of the management function, its fields and values", NULL, registers_options,
         register_columns, FORMATS_TREE | FORMAT_BIT(FORMAT_WIDE) | FORMAT_BIT(FORMAT_NAME), dump_registers},
        {NULL, "pci", "print the configuration space of a server's vAdapters as lspci -F reads it; slot N is bus N+1",
         server_argument, NULL, NULL, FORMATS_TREE, dump_pci},
        {NULL, "isolation",
         "print both sides of every translation: DMA windows, interrupt vectors and media of all vAdapters; exits with 1 where "
         "two "
         "servers reach the same",
         NULL, NULL, isolation_columns, FORMATS_TREE | FORMAT_BIT(FORMAT_WIDE), dump_isolation},
        {NULL, "state", "print all that the appliance has and says as one document, kind: state", NULL, NULL, NULL, FORMATS_TREE,
         dump_state},
        {NULL, "bundle", "write topology, registers, configuration spaces, state and log to one archive; '-' is standard output",
         file_argument, NULL, NULL, FORMATS_TEXT, dump_bundle},
        {0},
};

static const struct tool_info info = {"iovdump", "Print what an iov appliance is and shows", commands};

int main(int argc, char **argv) {
        return tool_main(&info, argc, argv);
}
