/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * server args: the QEMU arguments that cable a guest. One root port for each slot, and behind those in use a vfio-user-pci
 * device. QEMU wants `socket` as an object, so the device is given as JSON.
 */
#include <json-c/json.h>
#include <string.h>

#include "tools/common/report.h"
#include "tools/common/session.h"
#include "tools/iovctl/iovctl.h"
#include "util.h"

static unsigned int arg_ports;
static bool arg_shell, arg_management;

const struct option args_options[] = {
        {"ports", 'p', VALUE_NUMBER, "N", &arg_ports,
         "print root ports for slots 0 to N-1 even where they are empty, for plugging later"},
        {"management", 'm', VALUE_FLAG, NULL, &arg_management,
         "cable the management function as well: whoever is root in the guest may then do what the user may who runs QEMU"},
        {"shell", 's', VALUE_FLAG, NULL, &arg_shell, "print one line, quoted for the shell"},
        {0},
};

/* The arguments so far. */
struct arguments {
        struct json_object *list;
};

static void add_device(struct arguments *a, const char *device) {
        json_object_array_add(a->list, json_object_new_string("-device"));
        json_object_array_add(a->list, json_object_new_string(device));
}

/* io-reserve=0: I/O space is too small for many ports, and no vAdapter needs any; without it 16 ports hang the firmware. */
static void add_port(struct arguments *a, const char *id, unsigned int slot) {
        CLEANUP_FREE char *device =
                xasprintf("pcie-root-port,id=%s,bus=pcie.0,chassis=%u,slot=%u,io-reserve=0", id, slot + 1, slot);

        add_device(a, device);
}

static void add_function(struct arguments *a, const char *id, const char *bus, const char *path) {
        struct json_object *device = json_object_new_object(), *socket = json_object_new_object();

        json_object_object_add(device, "driver", json_object_new_string("vfio-user-pci"));
        json_object_object_add(device, "id", json_object_new_string(id));
        json_object_object_add(device, "bus", json_object_new_string(bus));
        json_object_object_add(socket, "type", json_object_new_string("unix"));
        json_object_object_add(socket, "path", json_object_new_string(path));
        json_object_object_add(device, "socket", socket);
        add_device(a, json_object_to_json_string_ext(device, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
        json_object_put(device);
}

/* So that the appliance can plug and unplug while the guest runs. A comma in a value is doubled. */
static void add_monitor(struct arguments *a, const struct iov_server *s) {
        CLEANUP_FREE char *path = xcalloc(2, sizeof(s->qemu));
        size_t n = 0;

        for (const char *c = s->qemu; c < s->qemu + sizeof(s->qemu) && *c; c++) {
                if (*c == ',')
                        path[n++] = ',';
                path[n++] = *c;
        }
        CLEANUP_FREE char *value = xasprintf("unix:%s,server=on,wait=off", path);
        json_object_array_add(a->list, json_object_new_string("-qmp"));
        json_object_array_add(a->list, json_object_new_string(value));
}

static int add_slot(const struct tool *tool, struct arguments *a, const struct iov_vadapter *v, const char *server,
                    unsigned int slot) {
        CLEANUP_FREE char *bus = xasprintf("iov%u", slot);

        if (v && !*v->socket)
                return report_error(
                        tool, STATUS_FAILED,
                        "%s: %s has no socket (%s); servers can only be cabled to a running iovd that has brought it up", server,
                        v->name, iov_vadapter_state_to_string(v->state));
        if (v || slot < arg_ports)
                add_port(a, bus, slot);
        if (v) {
                /* QEMU's ids begin with a letter, names of vAdapters need not. */
                CLEANUP_FREE char *id = xasprintf("va-%s", v->name), *path = xstrndup(v->socket, sizeof(v->socket));

                add_function(a, id, bus, path);
        }
        return STATUS_DONE;
}

static int add_management(const struct tool *tool, struct arguments *a, unsigned int slot, const char *run_directory) {
        if (!*run_directory)
                return report_error(tool, STATUS_FAILED,
                                    "--management: a simulator has no socket; servers can only be cabled to a running iovd");
        CLEANUP_FREE char *path = xasprintf("%s/mgmt.sock", run_directory);
        add_port(a, "iov-mgmt", slot);
        add_function(a, "iov-management", "iov-mgmt", path);
        return STATUS_DONE;
}

static int add_all(const struct tool *tool, struct arguments *a, const struct iov_model *model, const char *server,
                   const char *run_directory) {
        const unsigned int slots = iov_model_get_slots(model);

        for (unsigned int slot = 0; slot < slots; slot++) {
                int status = add_slot(tool, a, iov_vadapter_in_slot(model, server, slot), server, slot);

                if (status != STATUS_DONE)
                        return status;
        }
        return arg_management ? add_management(tool, a, slots, run_directory) : STATUS_DONE;
}

/* Single quotes, with '\'' for one within. */
static void print_quoted(const char *s) {
        if (s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_,.=/:-")] == 0) {
                fputs(s, stdout);
                return;
        }
        putchar('\'');
        for (; *s; s++)
                if (*s == '\'')
                        fputs("'\\''", stdout);
                else
                        putchar(*s);
        putchar('\'');
}

static int print_arguments(const struct tool *tool, struct arguments *a) {
        size_t n = json_object_array_length(a->list);

        if (tool->output.format != FORMAT_TABLE) {
                struct json_object *root = json_object_new_object();

                json_object_object_add(root, "schema", json_object_new_int(1));
                json_object_object_add(root, "args", json_object_get(a->list));
                return output_tree(tool, root);
        }
        for (size_t i = 0; i < n; i++) {
                const char *text = json_object_get_string(json_object_array_get_idx(a->list, i));

                if (arg_shell) {
                        print_quoted(text);
                        putchar(i + 1 < n ? ' ' : '\n');
                } else {
                        puts(text);
                }
        }
        return STATUS_DONE;
}

int server_args(struct tool *tool, char **words, unsigned int n_words) {
        CLEANUP_BASIS struct basis basis = {0};
        int status = basis_load(tool, &basis);

        if (status != STATUS_DONE)
                return status;
        const struct iov_model *model = basis.have;
        const struct iov_server *s = iov_model_get(model, IOV_KIND_SERVER, words[0]);
        if (!s)
                return report_error(tool, STATUS_FAILED, "%s: no such server; 'iovctl server list' shows them", words[0]);
        if (arg_ports > iov_model_get_slots(model))
                return report_error(tool, STATUS_USAGE, "--ports %u: this chassis has %u slots under each link", arg_ports,
                                    iov_model_get_slots(model));
        struct arguments a = {json_object_new_array()};
        if (*s->qemu)
                add_monitor(&a, s);
        status = add_all(tool, &a, model, words[0], basis.id.run_dir);
        if (status == STATUS_DONE)
                status = print_arguments(tool, &a);
        json_object_put(a.list);
        return status;
}
