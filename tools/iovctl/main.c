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

static const struct argument move_arguments[] = {
        {"VADAPTER", VALUE_VADAPTER, false, false},
        {"SERVER", VALUE_SERVER, true, false},
        {"SLOT", VALUE_TEXT, true, false},
        {0},
};

static const struct argument namespace_argument[] = {{"VADAPTER/NSID", VALUE_NAMESPACE, false, false}, {0}};
static const struct argument server_add_arguments[] = {
        {"NAME", VALUE_TEXT, false, false},
        {"LINK", VALUE_TEXT, false, false},
        {"KEY=VALUE", VALUE_SERVER_SETTING, true, true},
        {0},
};
static const struct argument volume_add_arguments[] = {
        {"NAME", VALUE_TEXT, false, false},
        {"ADAPTER", VALUE_ADAPTER, false, false},
        {"SIZE", VALUE_TEXT, false, false},
        {"KEY=VALUE", VALUE_VOLUME_SETTING, true, true},
        {0},
};
static const struct argument vadapter_add_arguments[] = {
        {"NAME", VALUE_TEXT, false, false},
        {"ADAPTER", VALUE_ADAPTER, false, false},
        {"KEY=VALUE", VALUE_VADAPTER_SETTING, true, true},
        {0},
};
static const struct argument namespace_add_arguments[] = {
        {"VADAPTER/NSID", VALUE_VADAPTER, false, false},
        {"VOLUME", VALUE_VOLUME, false, false},
        {"KEY=VALUE", VALUE_NAMESPACE_SETTING, true, true},
        {0},
};
static const struct argument server_set_arguments[] = {
        {"SERVER", VALUE_SERVER, false, false},
        {"KEY=VALUE", VALUE_SERVER_SETTING, false, false},
        {"KEY=VALUE", VALUE_SERVER_SETTING, true, true},
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
        {"KEY=VALUE", VALUE_VADAPTER_SETTING, false, false},
        {"KEY=VALUE", VALUE_VADAPTER_SETTING, true, true},
        {0},
};
static const struct argument network_argument[] = {{"NETWORK", VALUE_NETWORK, false, false}, {0}};
static const struct argument qos_argument[] = {{"QOS", VALUE_QOS, false, false}, {0}};
static const struct argument profile_argument[] = {{"PROFILE", VALUE_PROFILE, false, false}, {0}};
static const struct argument lun_argument[] = {{"VADAPTER/LUN", VALUE_LUN, false, false}, {0}};
static const struct argument drive_argument[] = {{"VADAPTER/DRIVE", VALUE_DRIVE, false, false}, {0}};
static const struct argument identity_argument[] = {{"IDENTITY", VALUE_IDENTITY, false, false}, {0}};
static const struct argument pool_argument[] = {{"TYPE", VALUE_POOL, false, false}, {0}};
static const struct argument pool_add_arguments[] = {
        {"TYPE", VALUE_IDENTITY_TYPE, false, false},
        {"KEY=VALUE", VALUE_POOL_SETTING, true, true},
        {0},
};
static const struct argument pool_set_arguments[] = {
        {"TYPE", VALUE_POOL, false, false},
        {"KEY=VALUE", VALUE_POOL_SETTING, false, false},
        {"KEY=VALUE", VALUE_POOL_SETTING, true, true},
        {0},
};
static const struct argument lun_add_arguments[] = {
        {"VADAPTER/LUN", VALUE_VADAPTER, false, false},
        {"VOLUME", VALUE_VOLUME, false, false},
        {0},
};
static const struct argument drive_add_arguments[] = {
        {"VADAPTER/DRIVE", VALUE_VADAPTER, false, false},
        {"VOLUME", VALUE_VOLUME, false, false},
        {0},
};
static const struct argument network_add_arguments[] = {
        {"NAME", VALUE_TEXT, false, false},
        {"ADAPTER", VALUE_ADAPTER, false, false},
        {"KEY=VALUE", VALUE_NETWORK_SETTING, true, true},
        {0},
};
static const struct argument network_set_arguments[] = {
        {"NETWORK", VALUE_NETWORK, false, false},
        {"KEY=VALUE", VALUE_NETWORK_SETTING, false, false},
        {"KEY=VALUE", VALUE_NETWORK_SETTING, true, true},
        {0},
};
static const struct argument qos_add_arguments[] = {
        {"NAME", VALUE_TEXT, false, false},
        {"KEY=VALUE", VALUE_QOS_SETTING, true, true},
        {0},
};
static const struct argument qos_set_arguments[] = {
        {"QOS", VALUE_QOS, false, false},
        {"KEY=VALUE", VALUE_QOS_SETTING, false, false},
        {"KEY=VALUE", VALUE_QOS_SETTING, true, true},
        {0},
};
static const struct argument profile_add_arguments[] = {
        {"NAME", VALUE_TEXT, false, false},
        {"SLOT=VADAPTER", VALUE_TEXT, true, true},
        {0},
};
static const struct argument profile_set_arguments[] = {
        {"PROFILE", VALUE_PROFILE, false, false},
        {"SLOT=VADAPTER", VALUE_TEXT, false, false},
        {"SLOT=VADAPTER", VALUE_TEXT, true, true},
        {0},
};
static const struct argument wear_arguments[] = {
        {"PROFILE", VALUE_PROFILE, false, false},
        {"SERVER", VALUE_SERVER, false, false},
        {0},
};
static const struct argument server_rename_arguments[] = {
        {"SERVER", VALUE_SERVER, false, false},
        {"NEW-NAME", VALUE_TEXT, false, false},
        {0},
};
static const struct argument volume_rename_arguments[] = {
        {"VOLUME", VALUE_VOLUME, false, false},
        {"NEW-NAME", VALUE_TEXT, false, false},
        {0},
};
static const struct argument vadapter_rename_arguments[] = {
        {"VADAPTER", VALUE_VADAPTER, false, false},
        {"NEW-NAME", VALUE_TEXT, false, false},
        {0},
};
static const struct argument network_rename_arguments[] = {
        {"NETWORK", VALUE_NETWORK, false, false},
        {"NEW-NAME", VALUE_TEXT, false, false},
        {0},
};
static const struct argument qos_rename_arguments[] = {
        {"QOS", VALUE_QOS, false, false},
        {"NEW-NAME", VALUE_TEXT, false, false},
        {0},
};
static const struct argument profile_rename_arguments[] = {
        {"PROFILE", VALUE_PROFILE, false, false},
        {"NEW-NAME", VALUE_TEXT, false, false},
        {0},
};

static const struct argument link_argument[] = {{"LINK", VALUE_LINK, false, false}, {0}};
static const struct argument fault_argument[] = {{"FAULT", VALUE_FAULT, true, false}, {0}};
static const struct argument commands_argument[] = {{"COMMANDS", VALUE_TEXT, false, false}, {0}};
static const struct argument media_error_arguments[] = {
        {"VOLUME", VALUE_VOLUME, false, false},
        {"FIRST", VALUE_TEXT, false, false},
        {"COUNT", VALUE_TEXT, true, false},
        {0},
};
static const struct argument latency_arguments[] = {
        {"VADAPTER", VALUE_VADAPTER, false, false},
        {"TIME", VALUE_TEXT, false, false},
        {0},
};
static const struct argument adapter_insert_arguments[] = {
        {"NAME", VALUE_TEXT, false, false},
        {"KIND", VALUE_ADAPTER_KIND, false, false},
        {"KEY=VALUE", VALUE_ADAPTER_SETTING, true, true},
        {0},
};

static const struct argument namespace_set_arguments[] = {
        {"VADAPTER/NSID", VALUE_NAMESPACE, false, false},
        {"KEY=VALUE", VALUE_NAMESPACE_SETTING, false, false},
        {"KEY=VALUE", VALUE_NAMESPACE_SETTING, true, true},
        {0},
};
static const struct argument lun_set_arguments[] = {
        {"VADAPTER/LUN", VALUE_LUN, false, false},
        {"KEY=VALUE", VALUE_MEMBER_SETTING, false, false},
        {0},
};
static const struct argument drive_set_arguments[] = {
        {"VADAPTER/DRIVE", VALUE_DRIVE, false, false},
        {"KEY=VALUE", VALUE_MEMBER_SETTING, false, false},
        {0},
};
static const struct argument one_fault_argument[] = {{"FAULT", VALUE_FAULT, false, false}, {0}};

static const struct command commands[] = {
        {"server", "list", "list the servers", NULL, list_options, server_columns, FORMATS_OBJECTS, objects_list},
        {"server", "show", "show a server and its slots", server_argument, NULL, server_columns, FORMATS_OBJECTS, objects_show},
        {"server", "add", "cable a server to a link", server_add_arguments, add_options, NULL, FORMATS_TREE, object_add},
        {"server", "set", "change link, profile or qemu (its hypervisor's QMP socket) of a server", server_set_arguments,
         set_options, NULL, FORMATS_TREE, object_set},
        {"server", "remove", "remove a server that no vAdapter is attached to", server_argument, remove_options, NULL,
         FORMATS_TREE, object_remove},
        {"server", "rename", "give a server another name", server_rename_arguments, set_options, NULL, FORMATS_TREE,
         object_rename},
        {"server", "args", "print the QEMU arguments that cable a guest to its server link", server_argument, args_options, NULL,
         FORMATS_TREE, server_args},
        {"adapter", "list", "list the adapters of the chassis", NULL, list_options, adapter_columns, FORMATS_OBJECTS,
         objects_list},
        {"adapter", "show", "show an adapter", adapter_argument, NULL, adapter_columns, FORMATS_OBJECTS, objects_show},
        {"adapter", "insert", "put an adapter into the software chassis", adapter_insert_arguments, NULL, NULL, FORMATS_TREE,
         adapter_insert},
        {"adapter", "remove", "take an adapter that nothing uses out of the software chassis", adapter_argument,
         adapter_remove_options, NULL, FORMATS_TREE, adapter_remove},
        {"volume", "list", "list the volumes", NULL, list_options, volume_columns, FORMATS_OBJECTS, objects_list},
        {"volume", "show", "show a volume", volume_argument, NULL, volume_columns, FORMATS_OBJECTS, objects_show},
        {"volume", "add",
         "make a volume of SIZE, such as 64GiB, on the media of an adapter; block_size= (512, 4096) is chosen here",
         volume_add_arguments, volume_add_options, NULL, FORMATS_TREE, object_add},
        {"volume", "set",
         "change size, on_remove (retain, delete), provisioning (thin, full) or shared (true, false) of a volume",
         volume_set_arguments, volume_set_options, NULL, FORMATS_TREE, object_set},
        {"volume", "remove", "remove a volume that no namespace shows", volume_argument, remove_options, NULL, FORMATS_TREE,
         object_remove},
        {"volume", "rename", "give a volume another name; its data stays", volume_rename_arguments, set_options, NULL,
         FORMATS_TREE, object_rename},
        {"reservation", "list", "list who has registered with shared volumes, and who holds them", NULL, list_options,
         reservation_columns, FORMATS_OBJECTS, reservation_list},
        {"reservation", "show", "show who has registered with a shared volume", volume_argument, NULL, reservation_columns,
         FORMATS_OBJECTS, reservation_show},
        {"reservation", "clear", "end all registrations with a shared volume and its reservation, as when their server is dead",
         volume_argument, reservation_clear_options, NULL, FORMATS_TREE, reservation_clear},
        {"vadapter", "list", "list the vAdapters", NULL, list_options, vadapter_columns, FORMATS_OBJECTS, objects_list},
        {"vadapter", "show", "show a vAdapter, its namespaces and counters", vadapter_argument, NULL, vadapter_columns,
         FORMATS_OBJECTS, objects_show},
        {"vadapter", "add", "make a vAdapter of an adapter, attached to nothing", vadapter_add_arguments, vadapter_add_options,
         NULL, FORMATS_TREE, object_add},
        {"vadapter", "set", "change identities, network, vlan, qos, interrupts, polling or memory of a vAdapter",
         vadapter_set_arguments, set_options, NULL, FORMATS_TREE, object_set},
        {"vadapter", "remove", "remove a vAdapter and its namespaces; volumes stay", vadapter_argument, remove_options, NULL,
         FORMATS_TREE, object_remove},
        {"vadapter", "rename", "give a vAdapter another name; its identities and counters stay", vadapter_rename_arguments,
         set_options, NULL, FORMATS_TREE, object_rename},
        {"vadapter", "attach", "plug a vAdapter into a slot of a server, by default the first that is free", attach_arguments,
         attach_options, NULL, FORMATS_TREE, vadapter_attach},
        {"vadapter", "detach", "take a vAdapter out of its slot", vadapter_argument, detach_options, NULL, FORMATS_TREE,
         vadapter_detach},
        {"vadapter", "move", "plug a vAdapter into a slot of another server, in one transaction", move_arguments, move_options,
         NULL, FORMATS_TREE, vadapter_move},
        {"namespace", "list", "list the namespaces: which vAdapter shows which volume", NULL, list_options, namespace_columns,
         FORMATS_OBJECTS, objects_list},
        {"namespace", "show", "show a namespace", namespace_argument, NULL, namespace_columns, FORMATS_OBJECTS, objects_show},
        {"namespace", "add", "show a volume by a vAdapter: read_only=", namespace_add_arguments, set_options, NULL, FORMATS_TREE,
         object_add},
        {"namespace", "set", "show another volume, or let the server only read: volume=, read_only=", namespace_set_arguments,
         set_options, NULL, FORMATS_TREE, object_set},
        {"namespace", "remove", "take a volume away from a vAdapter; its data stays", namespace_argument, remove_options, NULL,
         FORMATS_TREE, object_remove},
        {"lun", "list", "list the logical units: which vAdapter shows which volume", NULL, list_options, lun_columns,
         FORMATS_OBJECTS, objects_list},
        {"lun", "show", "show a logical unit", lun_argument, NULL, lun_columns, FORMATS_OBJECTS, objects_show},
        {"lun", "add", "show a volume by an HBA vAdapter", lun_add_arguments, set_options, NULL, FORMATS_TREE, object_add},
        {"lun", "set", "show another volume: volume=", lun_set_arguments, set_options, NULL, FORMATS_TREE, object_set},
        {"lun", "remove", "take a volume away from a vAdapter; its data stays", lun_argument, remove_options, NULL, FORMATS_TREE,
         object_remove},
        {"drive", "list", "list the drives: which vAdapter shows which volume", NULL, list_options, drive_columns,
         FORMATS_OBJECTS, objects_list},
        {"drive", "show", "show a drive", drive_argument, NULL, drive_columns, FORMATS_OBJECTS, objects_show},
        {"drive", "add", "show a volume by a RAID or SATA vAdapter", drive_add_arguments, set_options, NULL, FORMATS_TREE,
         object_add},
        {"drive", "set", "show another volume: volume=", drive_set_arguments, set_options, NULL, FORMATS_TREE, object_set},
        {"drive", "remove", "take a volume away from a vAdapter; its data stays", drive_argument, remove_options, NULL,
         FORMATS_TREE, object_remove},
        {"network", "list", "list the networks", NULL, list_options, network_columns, FORMATS_OBJECTS, objects_list},
        {"network", "show", "show a network", network_argument, NULL, network_columns, FORMATS_OBJECTS, objects_show},
        {"network", "add", "make a network behind a port of a NIC", network_add_arguments, add_options, NULL, FORMATS_TREE,
         object_add},
        {"network", "set", "change port, mtu or vlans of a network", network_set_arguments, set_options, NULL, FORMATS_TREE,
         object_set},
        {"network", "remove", "remove a network that no vAdapter is on", network_argument, remove_options, NULL, FORMATS_TREE,
         object_remove},
        {"network", "rename", "give a network another name", network_rename_arguments, set_options, NULL, FORMATS_TREE,
         object_rename},
        {"qos", "list", "list limits and shares", NULL, list_options, qos_columns, FORMATS_OBJECTS, objects_list},
        {"qos", "show", "show limits and a share", qos_argument, NULL, qos_columns, FORMATS_OBJECTS, objects_show},
        {"qos", "add", "make limits and a share that vAdapters can be given", qos_add_arguments, add_options, NULL, FORMATS_TREE,
         object_add},
        {"qos", "set", "change read_iops, write_iops, bandwidth or weight", qos_set_arguments, set_options, NULL, FORMATS_TREE,
         object_set},
        {"qos", "remove", "remove limits that no vAdapter has", qos_argument, remove_options, NULL, FORMATS_TREE, object_remove},
        {"qos", "rename", "give limits another name", qos_rename_arguments, set_options, NULL, FORMATS_TREE, object_rename},
        {"profile", "list", "list the profiles", NULL, list_options, profile_columns, FORMATS_OBJECTS, objects_list},
        {"profile", "show", "show a profile and its slots", profile_argument, NULL, profile_columns, FORMATS_OBJECTS,
         objects_show},
        {"profile", "add", "make a profile of vAdapters in slots", profile_add_arguments, add_options, NULL, FORMATS_TREE,
         profile_add},
        {"profile", "set", "put vAdapters into slots of a profile; SLOT= empties one", profile_set_arguments, set_options, NULL,
         FORMATS_TREE, profile_set},
        {"profile", "remove", "remove a profile that no server wears; its vAdapters stay", profile_argument, remove_options, NULL,
         FORMATS_TREE, object_remove},
        {"profile", "rename", "give a profile another name", profile_rename_arguments, set_options, NULL, FORMATS_TREE,
         object_rename},
        {"profile", "wear", "let a server wear a profile: its vAdapters are plugged into their slots", wear_arguments,
         wear_options, NULL, FORMATS_TREE, profile_wear},
        {"profile", "move", "let another server wear a profile, in one transaction", wear_arguments, wear_options, NULL,
         FORMATS_TREE, profile_move},
        {"profile", "take-off", "let nobody wear a profile: its vAdapters are unplugged", profile_argument, detach_options, NULL,
         FORMATS_TREE, profile_take_off},
        {"pool", "list", "list where identities that the appliance chooses come from", NULL, list_options, pool_columns,
         FORMATS_OBJECTS, objects_list},
        {"pool", "show", "show a pool of identities", pool_argument, NULL, pool_columns, FORMATS_OBJECTS, objects_show},
        {"pool", "add", "make a pool: mac, wwnn and wwpn have first and last, serial and nqn a prefix; all have rest",
         pool_add_arguments, add_options, NULL, FORMATS_TREE, object_add},
        {"pool", "set", "change first, last, prefix or rest (how long a released identity is nobody's) of a pool",
         pool_set_arguments, set_options, NULL, FORMATS_TREE, object_set},
        {"pool", "remove", "remove a pool: the built-in range is used again", pool_argument, remove_options, NULL, FORMATS_TREE,
         object_remove},
        {"identity", "list", "list every MAC, WWN, serial number and NQN that is held, rests or was held", NULL, list_options,
         identity_columns, FORMATS_OBJECTS, identity_list},
        {"identity", "show", "show the holder and the earlier holders of an identity", identity_argument, NULL, identity_columns,
         FORMATS_OBJECTS, identity_show},
        {"event", "list", "list what has happened, the oldest first", NULL, list_options, event_columns, FORMATS_OBJECTS,
         event_list},
        {"event", "follow", "print events as they happen, until interrupted; -o json prints a line each", NULL, follow_options,
         event_columns, FORMATS_TREE, event_follow},
        {"event", "wait", "wait for one event that passes the filters, and print it", NULL, wait_options, event_columns,
         FORMATS_TREE, event_wait},
        {"link", "list", "list the server links; state, width and speed are modelled", NULL, list_options, link_columns,
         FORMATS_OBJECTS, objects_list},
        {"link", "show", "show a server link, by its number or its server", link_argument, NULL, link_columns, FORMATS_OBJECTS,
         objects_show},
        {"link", "up", "enable a link: its server gets its vAdapters back", link_argument, NULL, NULL, FORMATS_TREE, link_up},
        {"link", "down", "disable a link: its server loses its vAdapters", link_argument, link_down_options, NULL, FORMATS_TREE,
         link_down},
        {"link", "retrain", "retrain a link that is up; nothing is lost by it", link_argument, NULL, NULL, FORMATS_TREE,
         link_retrain},
        {"inject", "list", "list the faults on demand", NULL, list_options, fault_columns, FORMATS_OBJECTS, inject_list},
        {"inject", "show", "show a fault on demand", one_fault_argument, NULL, fault_columns, FORMATS_OBJECTS, inject_show},
        {"inject", "clear", "end a fault on demand, or all", fault_argument, clear_options, NULL, FORMATS_TREE, inject_clear},
        {"inject", "link-down", "let the link of a server fail", server_argument, NULL, fault_columns, FORMATS_OBJECTS,
         inject_link_down},
        {"inject", "surprise-removal", "pull a vAdapter out of its slot", vadapter_argument, NULL, fault_columns, FORMATS_OBJECTS,
         inject_surprise_removal},
        {"inject", "media-error", "let reads and writes of COUNT blocks of 512 bytes from FIRST on fail, by default of one",
         media_error_arguments, NULL, fault_columns, FORMATS_OBJECTS, inject_media_error},
        {"inject", "latency", "let each request of a vAdapter start later, by a TIME such as 5ms", latency_arguments, NULL,
         fault_columns, FORMATS_OBJECTS, inject_latency},
        {"inject", "volume-full", "let writes to a volume fail for want of space", volume_argument, NULL, fault_columns,
         FORMATS_OBJECTS, inject_volume_full},
        {"inject", "worker-crash", "kill the worker of a server, once", server_argument, NULL, fault_columns, FORMATS_OBJECTS,
         inject_worker_crash},
        {"inject", "mailbox-timeout", "leave the next COMMANDS of tools without an answer", commands_argument, NULL,
         fault_columns, FORMATS_OBJECTS, inject_mailbox_timeout},
        {0},
};

static const struct tool_info info = {"iovctl", "Look at the objects of an iov appliance, and change them one at a time",
                                      commands};

int main(int argc, char **argv) {
        return tool_main(&info, argc, argv);
}
