/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the objects of the model have in common: names, words for their enumerations, and how they refer to each other. */
#include <errno.h>

#include "iov/libiov.h"
#include "util.h"

static const char *const adapter_kinds[] = {[IOV_ADAPTER_NIC] = "nic",
                                            [IOV_ADAPTER_HBA] = "hba",
                                            [IOV_ADAPTER_RAID] = "raid",
                                            [IOV_ADAPTER_SSD] = "ssd",
                                            [IOV_ADAPTER_SATA] = "sata"};
static const char *const on_removes[] = {[IOV_ON_REMOVE_DELETE] = "delete", [IOV_ON_REMOVE_RETAIN] = "retain"};
static const char *const server_states[] = {[IOV_SERVER_OFF] = "off", [IOV_SERVER_ON] = "on", [IOV_SERVER_DOWN] = "down"};
static const char *const vadapter_states[] = {[IOV_VADAPTER_DETACHED] = "detached",
                                              [IOV_VADAPTER_ATTACHED] = "attached",
                                              [IOV_VADAPTER_CONNECTED] = "connected",
                                              [IOV_VADAPTER_FAILED] = "failed"};

static const char *word(const char *const *words, size_t n, uint32_t value) {
        return value < n ? words[value] : NULL;
}

static int word_find(const char *const *words, size_t n, const char *s, uint32_t *ret_value) {
        for (uint32_t i = 0; i < n; i++)
                if (words[i] && strcmp(words[i], s) == 0) {
                        *ret_value = i;
                        return 0;
                }
        return -EINVAL;
}

const char *iov_adapter_kind_to_string(uint32_t kind) {
        return word(adapter_kinds, ARRAY_LENGTH(adapter_kinds), kind);
}

int iov_adapter_kind_from_string(const char *s, uint32_t *ret_kind) {
        return word_find(adapter_kinds, ARRAY_LENGTH(adapter_kinds), s, ret_kind);
}

const char *iov_on_remove_to_string(uint32_t v) {
        return word(on_removes, ARRAY_LENGTH(on_removes), v);
}

int iov_on_remove_from_string(const char *s, uint32_t *ret_v) {
        return word_find(on_removes, ARRAY_LENGTH(on_removes), s, ret_v);
}

const char *iov_server_state_to_string(uint32_t state) {
        return word(server_states, ARRAY_LENGTH(server_states), state);
}

const char *iov_vadapter_state_to_string(uint32_t state) {
        return word(vadapter_states, ARRAY_LENGTH(vadapter_states), state);
}

static bool is_alnum(char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool iov_name_is_valid(const char *name) {
        size_t n = 0;

        if (!is_alnum(name[0]))
                return false;
        for (; name[n]; n++)
                if (n >= IOV_NAME_MAX || (!is_alnum(name[n]) && !strchr("._-", name[n])))
                        return false;
        return true;
}

int iov_namespace_init(struct iov_namespace *ns, const char *vadapter, uint32_t nsid) {
        char name[IOV_NAME_SIZE + 16];

        snprintf(name, sizeof(name), "%s/%u", vadapter, nsid);
        if (strlen(vadapter) > IOV_NAME_MAX || field_set(ns->name, sizeof(ns->name), name) < 0)
                return -ENAMETOOLONG;
        field_set(ns->vadapter, sizeof(ns->vadapter), vadapter);
        ns->nsid = nsid;
        return 0;
}

const struct iov_namespace *iov_namespace_get(const struct iov_model *model, const char *vadapter, uint32_t nsid) {
        struct iov_namespace key = {0};

        return iov_namespace_init(&key, vadapter, nsid) < 0 ? NULL : iov_model_get(model, IOV_KIND_NAMESPACE, key.name);
}

const struct iov_vadapter *iov_vadapter_in_slot(const struct iov_model *model, const char *server, uint32_t slot) {
        const struct iov_vadapter *v;

        iov_model_foreach (model, IOV_KIND_VADAPTER, v)
                if (v->slot == slot && strcmp(v->server, server) == 0)
                        return v;
        return NULL;
}
