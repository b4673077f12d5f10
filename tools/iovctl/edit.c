/* SPDX-License-Identifier: GPL-2.0-or-later */
/* add, set, remove and rename of every kind of object. */
#include <errno.h>
#include <string.h>

#include "tools/common/objects.h"
#include "tools/common/report.h"
#include "tools/iovctl/change.h"
#include "tools/iovctl/iovctl.h"
#include "tools/iovctl/settings.h"
#include "util.h"

static const char *arg_on_remove, *arg_provisioning, *arg_serial;

const struct option add_options[] = {OPTION_DRY_RUN, {0}};
const struct option volume_add_options[] = {
        {"on-remove", 'r', VALUE_ON_REMOVE, "retain|delete", &arg_on_remove,
         "what becomes of its data when it is removed; default delete"},
        {"provisioning", 'p', VALUE_PROVISIONING, "thin|full", &arg_provisioning,
         "full: all of its space is set aside now; default thin: it is taken as it is written to"},
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
const struct option volume_set_options[] = {
        OPTION_DRY_RUN,
        OPTION_FORCE,
        {"yes", 'y', VALUE_FLAG, NULL, &arg_yes, "do not ask before a volume loses data by becoming smaller"},
        {0}};
const struct option remove_options[] = {OPTION_DRY_RUN, OPTION_FORCE, OPTION_YES, {0}};

/* Room for any record. */
union record {
        char name[IOV_NAME_SIZE];
        struct iov_member member;
        struct iov_volume volume;
        struct iov_vadapter vadapter;
        struct iov_network network;
};

static enum iov_kind command_kind(const struct tool *tool) {
        return objects_kind(tool->command->object);
}

/* ---- add ---- */

/* What follows the name without a key. */
static const struct {
        enum iov_kind kind;
        const char *keys[2];
} positions[] = {
        {IOV_KIND_SERVER, {"link", NULL}},
        {IOV_KIND_VOLUME, {"adapter", "size"}},
        {IOV_KIND_VADAPTER, {"adapter", NULL}},
        {IOV_KIND_NETWORK, {"adapter", NULL}},
};

static int put_positions(const struct tool *tool, const struct iov_model *have, enum iov_kind kind, void *record, char **words,
                         unsigned int *used) {
        const void *adapter;
        int status = STATUS_DONE;

        for (size_t i = 0; i < ARRAY_LENGTH(positions); i++)
                for (size_t k = 0; positions[i].kind == kind && k < 2 && positions[i].keys[k] && status == STATUS_DONE; k++) {
                        const char *key = positions[i].keys[k], *value = words[(*used)++];

                        if (strcmp(key, "adapter") == 0)
                                status = change_get(tool, have, IOV_KIND_ADAPTER, value, &adapter);
                        if (status == STATUS_DONE)
                                status = setting_put(tool, kind, record, key, value);
                }
        return status;
}

static int edit_add(const struct tool *tool, const struct iov_model *have, struct iov_model *want, char **words,
                    unsigned int n_words) {
        enum iov_kind kind = command_kind(tool);
        unsigned int used = 1;
        union record r;

        settings_init(kind, &r);
        int status = change_name(tool, have, kind, words[0], r.name);
        if (status == STATUS_DONE)
                status = put_positions(tool, have, kind, &r, words, &used);
        if (status == STATUS_DONE && kind == IOV_KIND_VOLUME && arg_on_remove)
                status = setting_put(tool, kind, &r, "on_remove", arg_on_remove);
        if (status == STATUS_DONE && kind == IOV_KIND_VOLUME && arg_provisioning)
                status = setting_put(tool, kind, &r, "provisioning", arg_provisioning);
        if (status == STATUS_DONE && kind == IOV_KIND_VADAPTER && arg_serial)
                status = setting_put(tool, kind, &r, "serial", arg_serial);
        if (status == STATUS_DONE)
                status = settings_apply(tool, kind, &r, words + used, n_words - used);
        return status == STATUS_DONE ? change_set(tool, want, kind, &r) : status;
}

/* ---- members: PARENT/NUMBER ---- */

static int parse_member(const struct tool *tool, const struct iov_model *have, const struct iov_member_info *info,
                        const char *text, struct iov_member *member) {
        const char *slash = strrchr(text, '/'), *word = kind_word(info->kind);
        const void *parent;
        uint32_t number = 0;

        if (!slash || slash == text)
                return report_error(tool, STATUS_USAGE, "'%s': a %s is named VADAPTER/%s, such as web-disk/1", text, word,
                                    info->kind == IOV_KIND_NAMESPACE ? "NSID"
                                    : info->kind == IOV_KIND_LUN     ? "LUN"
                                                                     : "DRIVE");
        CLEANUP_FREE char *name = xstrndup(text, (size_t)(slash - text));
        int status = change_number(tool, word, slash + 1, &number);
        if (status != STATUS_DONE)
                return status;
        if (number < info->min || number > info->max)
                return report_error(tool, STATUS_USAGE, "%s %u: %u to %u are possible", word, number, info->min, info->max);
        status = change_get(tool, have, info->parent, name, &parent);
        if (status != STATUS_DONE)
                return status;
        int r = iov_member_init(member, name, number);
        return r < 0 ? report_errno(tool, r, "%s", text) : STATUS_DONE;
}

static int edit_member_add(const struct tool *tool, const struct iov_model *have, struct iov_model *want, char **words,
                           unsigned int n_words) {
        const struct iov_member_info *info = iov_member_info(command_kind(tool));
        struct iov_member member = {0};
        const void *target;
        int status = parse_member(tool, have, info, words[0], &member);

        if (status == STATUS_DONE)
                status = change_get(tool, have, info->target, words[1], &target);
        if (status != STATUS_DONE)
                return status;
        const struct iov_member *old = iov_member_get(have, info->kind, member.parent, member.number);
        if (old)
                return report_error(tool, STATUS_FAILED, "%s: shows %s already; choose another number, or remove it first",
                                    member.name, old->target);
        field_set(member.target, sizeof(member.target), words[1]);
        status = settings_apply(tool, info->kind, &member, words + 2, n_words - 2);
        return status == STATUS_DONE ? change_set(tool, want, info->kind, &member) : status;
}

/* ---- set ---- */

static int edit_set(const struct tool *tool, const struct iov_model *have, struct iov_model *want, char **words,
                    unsigned int n_words) {
        enum iov_kind kind = command_kind(tool);
        const void *old = NULL;
        union record r;
        int status = change_get(tool, have, kind, words[0], &old);

        if (status != STATUS_DONE)
                return status;
        memcpy(&r, old, iov_records_get(kind)->size);
        status = settings_apply(tool, kind, &r, words + 1, n_words - 1);
        return status == STATUS_DONE ? change_set(tool, want, kind, &r) : status;
}

/* ---- remove ---- */

/* Whose fields name objects of the kind: those must go first, or name something else. */
static int check_unused(const struct tool *tool, const struct iov_model *have, enum iov_kind kind, const char *name) {
        static const struct {
                enum iov_kind kind, user;
                size_t offset;
                const char *how;
        } uses[] = {
                {IOV_KIND_SERVER, IOV_KIND_VADAPTER, offsetof(struct iov_vadapter, server),
                 "is attached to it; detach or move that first"},
                {IOV_KIND_VOLUME, IOV_KIND_NAMESPACE, offsetof(struct iov_member, target),
                 "shows it; remove that namespace first"},
                {IOV_KIND_VOLUME, IOV_KIND_LUN, offsetof(struct iov_member, target), "shows it; remove that LUN first"},
                {IOV_KIND_VOLUME, IOV_KIND_DRIVE, offsetof(struct iov_member, target), "shows it; remove that drive first"},
                {IOV_KIND_VADAPTER, IOV_KIND_PROFILE_SLOT, offsetof(struct iov_member, target),
                 "has it; take it out of that profile first"},
                {IOV_KIND_NETWORK, IOV_KIND_VADAPTER, offsetof(struct iov_vadapter, network),
                 "is on it; give that another network first"},
                {IOV_KIND_QOS, IOV_KIND_VADAPTER, offsetof(struct iov_vadapter, qos), "has it; give that another qos first"},
                {IOV_KIND_PROFILE, IOV_KIND_SERVER, offsetof(struct iov_server, profile), "wears it; take it off first"},
        };

        for (size_t i = 0; i < ARRAY_LENGTH(uses); i++) {
                const void *user;

                if (uses[i].kind != kind)
                        continue;
                iov_model_foreach (have, uses[i].user, user)
                        if (strcmp((const char *)user + uses[i].offset, name) == 0)
                                return report_error(tool, STATUS_FAILED, "%s: %s %s", name, (const char *)user, uses[i].how);
        }
        return STATUS_DONE;
}

/* What is part of it goes along; the plan says so. */
static int remove_members(const struct tool *tool, const struct iov_model *have, struct iov_model *want, enum iov_kind parent,
                          const char *name) {
        for (unsigned int k = 0; k < IOV_KIND_COUNT; k++) {
                const struct iov_member_info *info = iov_member_info((enum iov_kind)k);
                const struct iov_member *member;

                if (!info || info->parent != parent)
                        continue;
                iov_model_foreach (have, info->kind, member)
                        if (strcmp(member->parent, name) == 0) {
                                int status = change_remove(tool, want, info->kind, member->name);

                                if (status != STATUS_DONE)
                                        return status;
                        }
        }
        return STATUS_DONE;
}

static int edit_remove(const struct tool *tool, const struct iov_model *have, struct iov_model *want, char **words,
                       unsigned int n_words) {
        enum iov_kind kind = command_kind(tool);
        const void *record;
        int status = change_get(tool, have, kind, words[0], &record);

        if (status == STATUS_DONE)
                status = check_unused(tool, have, kind, words[0]);
        if (status == STATUS_DONE)
                status = remove_members(tool, have, want, kind, words[0]);
        return status == STATUS_DONE ? change_remove(tool, want, kind, words[0]) : status;
}

/* ---- commands ---- */

int object_add(struct tool *tool, char **words, unsigned int n_words) {
        return change_run(tool, iov_member_info(command_kind(tool)) ? edit_member_add : edit_add, words, n_words);
}

int object_set(struct tool *tool, char **words, unsigned int n_words) {
        return change_run(tool, edit_set, words, n_words);
}

int object_remove(struct tool *tool, char **words, unsigned int n_words) {
        return change_run(tool, edit_remove, words, n_words);
}
