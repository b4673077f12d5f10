/* SPDX-License-Identifier: GPL-2.0-or-later */
/* state: everything that an appliance has and says, as one document. The bundle has it too. */
#include <json-c/json.h>

#include "tools/common/objects.h"
#include "tools/common/report.h"
#include "tools/common/session.h"
#include "tools/iovdump/iovdump.h"
#include "util.h"

static struct json_object *text_or_null(const char *text) {
        return *text ? json_object_new_string(text) : NULL;
}

static struct json_object *appliance_tree(const struct iov_mb_identify *id) {
        struct json_object *appliance = json_object_new_object();
        char hex[2 * sizeof(id->id) + 1];

        for (size_t i = 0; i < sizeof(id->id); i++)
                snprintf(hex + 2 * i, 3, "%02x", id->id[i]);
        json_object_object_add(appliance, "id", json_object_new_string(hex));
        json_object_object_add(appliance, "chassis", text_or_null(id->chassis));
        json_object_object_add(appliance, "iovd_version", text_or_null(id->version));
        return appliance;
}

/* The root of all JSON says which form it has; a document of YAML has a header. */
struct json_object *state_tree(const struct snapshot *snapshot, const struct iov_mb_identify *id, enum format format) {
        static const enum iov_kind kinds[] = {IOV_KIND_SERVER,  IOV_KIND_ADAPTER, IOV_KIND_VOLUME,  IOV_KIND_VADAPTER,
                                              IOV_KIND_NETWORK, IOV_KIND_QOS,     IOV_KIND_PROFILE, IOV_KIND_POOL};
        struct json_object *root = json_object_new_object();

        if (format == FORMAT_JSON)
                json_object_object_add(root, "schema", json_object_new_int(1));
        json_object_object_add(root, "version", json_object_new_int(1));
        json_object_object_add(root, "kind", json_object_new_string("state"));
        json_object_object_add(root, "generation", json_object_new_uint64(iov_model_get_generation(snapshot->model)));
        json_object_object_add(root, "appliance", appliance_tree(id));
        for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
                CLEANUP_TABLE struct table *table = objects_table(snapshot, kinds[i], NULL);
                struct json_object *tree = table_to_tree(table), *array = NULL;

                json_object_object_get_ex(tree, table_plural(table), &array);
                json_object_object_add(root, table_plural(table), json_object_get(array));
                json_object_put(tree);
        }
        return root;
}

static int collect(struct tool *tool, struct snapshot *ret_snapshot, struct iov_mb_identify *ret_id) {
        CLEANUP_APPLIANCE struct iov_appliance *appliance = NULL;
        int status = session_open(tool, &appliance);

        if (status != STATUS_DONE)
                return status;
        int r = iov_identify(appliance, ret_id);
        if (r == 0)
                r = snapshot_read(appliance, ret_snapshot);
        return r < 0 ? report_errno(tool, r, "reading the appliance's tables failed") : STATUS_DONE;
}

int dump_state(struct tool *tool, char **words, unsigned int n_words) {
        CLEANUP_SNAPSHOT struct snapshot snapshot = {0};
        struct iov_mb_identify id;
        int status = collect(tool, &snapshot, &id);

        if (status != STATUS_DONE)
                return status;
        /* There is no table of everything: text is YAML. */
        enum format format = tool->output.format == FORMAT_JSON ? FORMAT_JSON : FORMAT_YAML;
        struct json_object *root = state_tree(&snapshot, &id, format);
        int r = tree_write(root, format, stdout);
        json_object_put(root);
        return r < 0 ? report_errno(tool, r, "writing the output failed") : STATUS_DONE;
}
