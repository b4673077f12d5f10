/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a hypervisor has: its version, the root ports, and what is in them. All of it from QOM, QEMU's tree of objects, where a
 * port iov0 is /machine/peripheral/iov0, its bus is a child of the same name, and the devices of a bus are links child[N].
 * (query-pci shows what is behind a bridge only after the firmware has given it a bus number.)
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/host-private.h"
#include "util.h"

static void ask(struct host *h, const char *command, const char *path, const char *property, const char *subject,
                qmp_reply_fn fn) {
        struct json_object *arguments = NULL;

        if (path) {
                arguments = json_object_new_object();
                json_object_object_add(arguments, "path", json_object_new_string(path));
        }
        if (property)
                json_object_object_add(arguments, "property", json_object_new_string(property));
        int r = qmp_execute(h->qmp, command, arguments, subject, fn);
        if (r == 0)
                h->asked++;
        else if (r != -ENOTCONN)
                host_unusable(h, strerror(-r));
}

/* Each answer ends here. */
static void answered(struct host *h) {
        if (--h->asked == 0)
                host_ready(h);
}

static unsigned int number_of(struct json_object *object, const char *name) {
        struct json_object *value = NULL;

        json_object_object_get_ex(object, name, &value);
        int64_t n = json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : 0;
        return n < 0 ? 0 : n > 255 ? 255 : (unsigned int)n;
}

static void on_version(void *userdata, const char *subject, const struct qmp_reply *reply) {
        struct host *h = userdata;
        struct json_object *qemu = NULL;

        if (json_object_is_type(reply->value, json_type_object) && json_object_object_get_ex(reply->value, "qemu", &qemu) &&
            json_object_is_type(qemu, json_type_object))
                h->version = number_of(qemu, "major") << 16 | number_of(qemu, "minor") << 8 | number_of(qemu, "micro");
        answered(h);
}

/* The next property in a qom-list reply whose name and type are strings; NULL: no more. */
static const char *property_at(struct json_object *list, size_t i, const char **ret_type) {
        struct json_object *item = json_object_array_get_idx(list, i), *name = NULL, *type = NULL;

        if (!json_object_is_type(item, json_type_object))
                return NULL;
        json_object_object_get_ex(item, "name", &name);
        json_object_object_get_ex(item, "type", &type);
        if (!json_object_is_type(name, json_type_string) || !json_object_is_type(type, json_type_string))
                return NULL;
        *ret_type = json_object_get_string(type);
        return json_object_get_string(name);
}

/* The path of what is in a port. */
static void on_child(void *userdata, const char *subject, const struct qmp_reply *reply) {
        struct host *h = userdata;
        struct port *p = host_port(h, subject);
        const char *path =
                json_object_is_type(reply->value, json_type_string) ? json_object_get_string(reply->value) : "?"; /* taken by ? */

        if (p && !reply->text) { /* an error: it has gone meanwhile */
                if (strncmp(path, PERIPHERAL, strlen(PERIPHERAL)) == 0 && !strchr(path + strlen(PERIPHERAL), '/'))
                        path += strlen(PERIPHERAL);
                snprintf(p->device, sizeof(p->device), "%s", path);
        }
        answered(h);
}

static void on_bus(void *userdata, const char *subject, const struct qmp_reply *reply) {
        struct host *h = userdata;
        struct port *p = host_port(h, subject);
        char path[2 * 32 + sizeof(PERIPHERAL)];

        if (p && json_object_is_type(reply->value, json_type_array))
                for (size_t i = 0; i < json_object_array_length(reply->value); i++) {
                        const char *type = NULL, *name = property_at(reply->value, i, &type);

                        if (!name || strncmp(name, "child[", 6) != 0 || strncmp(type, "link<", 5) != 0)
                                continue;
                        snprintf(path, sizeof(path), PERIPHERAL "iov%u/iov%u", p->slot, p->slot);
                        p->is_client = strcmp(type, "link<vfio-user-pci>") == 0;
                        ask(h, "qom-get", path, name, subject, on_child);
                        break; /* an express port has one device */
                }
        answered(h);
}

static void on_peripherals(void *userdata, const char *subject, const struct qmp_reply *reply) {
        struct host *h = userdata;
        char path[2 * 32 + sizeof(PERIPHERAL)];

        if (!json_object_is_type(reply->value, json_type_array)) {
                host_unusable(h, "it speaks QMP, but is no QEMU");
                return;
        }
        for (size_t i = 0; i < json_object_array_length(reply->value); i++) {
                const char *type = NULL, *name = property_at(reply->value, i, &type);
                struct port *p = name && strncmp(name, "iov", 3) == 0 ? host_port(h, name + 3) : NULL;

                if (!p || p->exists || strncmp(type, "child<", 6) != 0)
                        continue;
                p->exists = true;
                snprintf(path, sizeof(path), PERIPHERAL "iov%u/iov%u", p->slot, p->slot);
                ask(h, "qom-list", path, NULL, name + 3, on_bus);
        }
        answered(h);
}

void inventory_start(struct host *h) {
        h->asked = 0;
        ask(h, "query-version", NULL, NULL, "", on_version);
        ask(h, "qom-list", "/machine/peripheral", NULL, "", on_peripherals);
}
