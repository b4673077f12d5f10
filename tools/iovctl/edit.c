/* SPDX-License-Identifier: GPL-2.0-or-later */
/* add, set and remove of servers, volumes, vAdapters and namespaces. */
#include <errno.h>
#include <string.h>

#include "tools/common/report.h"
#include "tools/iovctl/change.h"
#include "tools/iovctl/iovctl.h"
#include "util.h"

static const char *arg_on_remove, *arg_serial;

const struct option add_options[] = {OPTION_DRY_RUN, {0}};
const struct option volume_add_options[] = {
        {"on-remove", 'r', VALUE_ON_REMOVE, "retain|delete", &arg_on_remove,
         "what becomes of its data when it is removed; default delete"},
        OPTION_DRY_RUN,
        {0},
};
const struct option vadapter_add_options[] = {
        {"serial", 's', VALUE_TEXT, "SERIAL", &arg_serial,
         "serial number of its persona, at most 20 characters; default auto: the appliance chooses one"},
        OPTION_DRY_RUN,
        {0},
};
const struct option set_options[] = {OPTION_DRY_RUN, OPTION_FORCE, {0}};
const struct option remove_options[] = {OPTION_DRY_RUN, OPTION_FORCE, OPTION_YES, {0}};

/* ---- values ---- */

static int set_link(const struct tool *tool, void *record, const char *value) {
        return change_number(tool, "link", value, &((struct iov_server *)record)->link);
}

static int set_size(const struct tool *tool, void *record, const char *value) {
        int r = iov_size_parse(value, &((struct iov_volume *)record)->size);

        if (r == -ERANGE)
                return report_error(tool, STATUS_USAGE, "size '%s': too large", value);
        if (r < 0)
                return report_error(tool, STATUS_USAGE, "size '%s': a size with its unit is wanted, such as 64GiB", value);
        return STATUS_DONE;
}

static int set_on_remove(const struct tool *tool, void *record, const char *value) {
        if (iov_on_remove_from_string(value, &((struct iov_volume *)record)->on_remove) < 0)
                return report_error(tool, STATUS_USAGE, "on_remove '%s': retain or delete is wanted", value);
        return STATUS_DONE;
}

static int set_serial(const struct tool *tool, void *record, const char *value) {
        struct iov_vadapter *v = record;

        /* A wanted serial that is empty is satisfied by the present one: nothing would change, and nobody would be told. */
        if (!*value || strcmp(value, "auto") == 0)
                return report_error(tool, STATUS_USAGE,
                                    "serial '%s': the appliance chooses one only for a new vAdapter; give the serial itself",
                                    value);
        if (strlen(value) > IOV_SERIAL_MAX)
                return report_error(tool, STATUS_USAGE, "serial '%s': at most %d characters are possible", value, IOV_SERIAL_MAX);
        field_set(v->serial, sizeof(v->serial), value);
        return STATUS_DONE;
}

static const struct setting {
        enum iov_kind kind;
        const char *key;
        int (*set)(const struct tool *tool, void *record, const char *value);
} settings[] = {
        {IOV_KIND_SERVER, "link", set_link},
        {IOV_KIND_VOLUME, "size", set_size},
        {IOV_KIND_VOLUME, "on_remove", set_on_remove},
        {IOV_KIND_VADAPTER, "serial", set_serial},
};

/* ---- add ---- */

static int edit_server_add(const struct tool *tool, const struct iov_model *have, struct iov_model *want, char **words,
                           unsigned int n_words) {
        struct iov_server s = {0};
        int status = change_name(tool, have, IOV_KIND_SERVER, words[0], s.name);

        if (status == STATUS_DONE)
                status = set_link(tool, &s, words[1]);
        return status == STATUS_DONE ? change_set(tool, want, IOV_KIND_SERVER, &s) : status;
}

static int edit_volume_add(const struct tool *tool, const struct iov_model *have, struct iov_model *want, char **words,
                           unsigned int n_words) {
        struct iov_volume v = {.on_remove = IOV_ON_REMOVE_DELETE};
        const void *adapter;
        int status = change_name(tool, have, IOV_KIND_VOLUME, words[0], v.name);

        if (status == STATUS_DONE)
                status = change_get(tool, have, IOV_KIND_ADAPTER, words[1], &adapter);
        if (status == STATUS_DONE)
                status = set_size(tool, &v, words[2]);
        if (status == STATUS_DONE && arg_on_remove)
                status = set_on_remove(tool, &v, arg_on_remove);
        if (status != STATUS_DONE)
                return status;
        field_set(v.adapter, sizeof(v.adapter), words[1]);
        return change_set(tool, want, IOV_KIND_VOLUME, &v);
}

static int edit_vadapter_add(const struct tool *tool, const struct iov_model *have, struct iov_model *want, char **words,
                             unsigned int n_words) {
        struct iov_vadapter v = {0};
        const void *adapter;
        int status = change_name(tool, have, IOV_KIND_VADAPTER, words[0], v.name);

        if (status == STATUS_DONE)
                status = change_get(tool, have, IOV_KIND_ADAPTER, words[1], &adapter);
        if (status == STATUS_DONE && arg_serial && strcmp(arg_serial, "auto") != 0)
                status = set_serial(tool, &v, arg_serial);
        if (status != STATUS_DONE)
                return status;
        field_set(v.adapter, sizeof(v.adapter), words[1]);
        return change_set(tool, want, IOV_KIND_VADAPTER, &v);
}

/* VADAPTER/NSID */
static int parse_namespace(const struct tool *tool, const struct iov_model *have, const char *text, struct iov_namespace *ns) {
        const char *slash = strchr(text, '/');
        const void *vadapter;
        uint32_t nsid = 0;

        if (!slash || slash == text)
                return report_error(tool, STATUS_USAGE, "'%s': a namespace is named VADAPTER/NSID, such as web-disk/1", text);
        CLEANUP_FREE char *name = xstrndup(text, (size_t)(slash - text));
        int status = change_number(tool, "nsid", slash + 1, &nsid);
        if (status != STATUS_DONE)
                return status;
        if (nsid < 1 || nsid > IOV_NSID_MAX)
                return report_error(tool, STATUS_USAGE, "nsid %u: 1 to %d are possible", nsid, IOV_NSID_MAX);
        status = change_get(tool, have, IOV_KIND_VADAPTER, name, &vadapter);
        if (status != STATUS_DONE)
                return status;
        int r = iov_namespace_init(ns, name, nsid);
        return r < 0 ? report_errno(tool, r, "%s", text) : STATUS_DONE;
}

static int edit_namespace_add(const struct tool *tool, const struct iov_model *have, struct iov_model *want, char **words,
                              unsigned int n_words) {
        struct iov_namespace ns = {0};
        const void *volume;
        int status = parse_namespace(tool, have, words[0], &ns);

        if (status == STATUS_DONE)
                status = change_get(tool, have, IOV_KIND_VOLUME, words[1], &volume);
        if (status != STATUS_DONE)
                return status;
        const struct iov_namespace *old = iov_namespace_get(have, ns.vadapter, ns.nsid);
        if (old)
                return report_error(tool, STATUS_FAILED, "%s: shows %s already; choose another number, or remove it first",
                                    ns.name, old->volume);
        field_set(ns.volume, sizeof(ns.volume), words[1]);
        return change_set(tool, want, IOV_KIND_NAMESPACE, &ns);
}

/* ---- set ---- */

static enum iov_kind command_kind(const struct tool *tool) {
        unsigned int k = 0;

        while (strcmp(iov_records_get((enum iov_kind)k)->name, tool->command->object) != 0)
                k++;
        return (enum iov_kind)k;
}

static int apply_setting(const struct tool *tool, enum iov_kind kind, void *record, const char *word) {
        size_t length = strcspn(word, "=");
        char keys[80] = "";

        for (size_t i = 0; i < ARRAY_LENGTH(settings); i++) {
                const struct setting *s = &settings[i];

                if (s->kind != kind)
                        continue;
                if (word[length] && strlen(s->key) == length && strncmp(s->key, word, length) == 0)
                        return s->set(tool, record, word + length + 1);
                snprintf(keys + strlen(keys), sizeof(keys) - strlen(keys), "%s%s=", *keys ? ", " : "", s->key);
        }
        return report_error(tool, STATUS_USAGE, "'%s': KEY=VALUE is wanted, with one of %s", word, keys);
}

static int edit_set(const struct tool *tool, const struct iov_model *have, struct iov_model *want, char **words,
                    unsigned int n_words) {
        union {
                struct iov_server server;
                struct iov_volume volume;
                struct iov_vadapter vadapter;
        } record;
        enum iov_kind kind = command_kind(tool);
        const void *old = NULL;
        int status = change_get(tool, have, kind, words[0], &old);

        if (status != STATUS_DONE)
                return status;
        memcpy(&record, old, iov_records_get(kind)->size);
        for (unsigned int i = 1; status == STATUS_DONE && i < n_words; i++) {
                size_t length = strcspn(words[i], "=");

                for (unsigned int j = 1; j < i; j++)
                        if (strcspn(words[j], "=") == length && strncmp(words[i], words[j], length) == 0)
                                return report_error(tool, STATUS_USAGE, "'%s' and '%s': which one?", words[j], words[i]);
                status = apply_setting(tool, kind, &record, words[i]);
        }
        return status == STATUS_DONE ? change_set(tool, want, kind, &record) : status;
}

/* ---- remove ---- */

static int edit_server_remove(const struct tool *tool, const struct iov_model *have, struct iov_model *want, char **words,
                              unsigned int n_words) {
        const void *server;
        int status = change_get(tool, have, IOV_KIND_SERVER, words[0], &server);

        if (status != STATUS_DONE)
                return status;
        for (uint32_t slot = 0; slot < iov_model_get_slots(have); slot++) {
                const struct iov_vadapter *v = iov_vadapter_in_slot(have, words[0], slot);
                if (v)
                        return report_error(tool, STATUS_FAILED, "%s: %s is attached to it, slot %u; detach or move that first",
                                            words[0], v->name, slot);
        }
        return change_remove(tool, want, IOV_KIND_SERVER, words[0]);
}

static int edit_volume_remove(const struct tool *tool, const struct iov_model *have, struct iov_model *want, char **words,
                              unsigned int n_words) {
        const struct iov_namespace *ns;
        const void *volume;
        int status = change_get(tool, have, IOV_KIND_VOLUME, words[0], &volume);

        if (status != STATUS_DONE)
                return status;
        iov_model_foreach (have, IOV_KIND_NAMESPACE, ns)
                if (strcmp(ns->volume, words[0]) == 0)
                        return report_error(tool, STATUS_FAILED, "%s: %s shows it; remove that namespace first", words[0],
                                            ns->name);
        return change_remove(tool, want, IOV_KIND_VOLUME, words[0]);
}

/* A vAdapter takes its namespaces along; the plan says so. */
static int edit_vadapter_remove(const struct tool *tool, const struct iov_model *have, struct iov_model *want, char **words,
                                unsigned int n_words) {
        const void *vadapter;
        int status = change_get(tool, have, IOV_KIND_VADAPTER, words[0], &vadapter);

        for (uint32_t nsid = 1; status == STATUS_DONE && nsid <= IOV_NSID_MAX; nsid++) {
                const struct iov_namespace *ns = iov_namespace_get(have, words[0], nsid);

                if (ns)
                        status = change_remove(tool, want, IOV_KIND_NAMESPACE, ns->name);
        }
        return status == STATUS_DONE ? change_remove(tool, want, IOV_KIND_VADAPTER, words[0]) : status;
}

static int edit_namespace_remove(const struct tool *tool, const struct iov_model *have, struct iov_model *want, char **words,
                                 unsigned int n_words) {
        const void *namespace;
        int status = change_get(tool, have, IOV_KIND_NAMESPACE, words[0], &namespace);

        return status == STATUS_DONE ? change_remove(tool, want, IOV_KIND_NAMESPACE, words[0]) : status;
}

/* ---- commands ---- */

int object_add(struct tool *tool, char **words, unsigned int n_words) {
        switch (command_kind(tool)) {
        case IOV_KIND_SERVER:
                return change_run(tool, edit_server_add, words, n_words);
        case IOV_KIND_VOLUME:
                return change_run(tool, edit_volume_add, words, n_words);
        case IOV_KIND_VADAPTER:
                return change_run(tool, edit_vadapter_add, words, n_words);
        default:
                return change_run(tool, edit_namespace_add, words, n_words);
        }
}

int object_set(struct tool *tool, char **words, unsigned int n_words) {
        return change_run(tool, edit_set, words, n_words);
}

int object_remove(struct tool *tool, char **words, unsigned int n_words) {
        switch (command_kind(tool)) {
        case IOV_KIND_SERVER:
                return change_run(tool, edit_server_remove, words, n_words);
        case IOV_KIND_VOLUME:
                return change_run(tool, edit_volume_remove, words, n_words);
        case IOV_KIND_VADAPTER:
                return change_run(tool, edit_vadapter_remove, words, n_words);
        default:
                return change_run(tool, edit_namespace_remove, words, n_words);
        }
}
