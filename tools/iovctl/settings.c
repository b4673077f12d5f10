/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tools/iovctl/settings.h"

#include <errno.h>
#include <string.h>

#include "tools/common/report.h"
#include "tools/iovctl/change.h"
#include "util.h"

struct setting {
        enum iov_kind kind;
        const char *key;
        int (*set)(const struct tool *tool, const struct setting *setting, void *record, const char *value);
        size_t offset, size;
        const char *hint;
        int (*word)(const char *s, uint32_t *ret_value);
        int (*quantity)(const char *s, uint64_t *ret_value);
};

/* ---- values ---- */

static int set_number(const struct tool *tool, const struct setting *s, void *record, const char *value) {
        return change_number(tool, s->key, value, (uint32_t *)(void *)((char *)record + s->offset));
}

static int set_quantity(const struct tool *tool, const struct setting *s, void *record, const char *value) {
        int r = s->quantity(value, (uint64_t *)(void *)((char *)record + s->offset));

        if (r == -ERANGE)
                return report_error(tool, STATUS_USAGE, "%s '%s': too large", s->key, value);
        return r < 0 ? report_error(tool, STATUS_USAGE, "%s '%s': %s is wanted", s->key, value, s->hint) : STATUS_DONE;
}

/* One that may be `none`: no limit. */
static int set_limit(const struct tool *tool, const struct setting *s, void *record, const char *value) {
        uint64_t *to = (uint64_t *)(void *)((char *)record + s->offset);

        if (*value && strcmp(value, "none") != 0)
                return set_quantity(tool, s, record, value);
        *to = 0;
        return STATUS_DONE;
}

static int set_word(const struct tool *tool, const struct setting *s, void *record, const char *value) {
        if (s->word(value, (uint32_t *)(void *)((char *)record + s->offset)) < 0)
                return report_error(tool, STATUS_USAGE, "%s '%s': %s is wanted", s->key, value, s->hint);
        return STATUS_DONE;
}

static int set_text(const struct tool *tool, const struct setting *s, void *record, const char *value) {
        if (strlen(value) >= s->size)
                return report_error(tool, STATUS_USAGE, "%s '%s': at most %zu characters are possible", s->key, value,
                                    s->size - 1);
        memset((char *)record + s->offset, 0, s->size);
        memcpy((char *)record + s->offset, value, strlen(value));
        return STATUS_DONE;
}

/* `auto` and nothing: one that the appliance chooses. Addresses are kept in lower case. */
static int set_identity(const struct tool *tool, const struct setting *s, void *record, const char *value) {
        char *field = (char *)record + s->offset;
        int status = set_text(tool, s, record, strcmp(value, "auto") == 0 ? "" : value);

        if (status == STATUS_DONE && strcmp(s->hint, "address") == 0)
                for (; *field; field++)
                        *field = (char)(*field >= 'A' && *field <= 'F' ? *field - 'A' + 'a' : *field);
        return status;
}

static int set_vlans(const struct tool *tool, const struct setting *s, void *record, const char *value) {
        if (iov_vlans_parse(value, (uint8_t *)record + s->offset) < 0)
                return report_error(tool, STATUS_USAGE, "%s '%s': VLAN ids from 1 to %d are wanted, such as 10,20,100-199",
                                    s->key, value, IOV_VLAN_MAX);
        return STATUS_DONE;
}

static int bool_from_string(const char *s, uint32_t *ret_value) {
        if (strcmp(s, "true") != 0 && strcmp(s, "false") != 0)
                return -EINVAL;
        *ret_value = *s == 't';
        return 0;
}

/* ---- keys ---- */

#define AT(type, field) offsetof(struct type, field), sizeof(((struct type *)0)->field)
static const struct setting settings[] = {
        {IOV_KIND_SERVER, "link", set_number, AT(iov_server, link), NULL, NULL, NULL},
        {IOV_KIND_SERVER, "profile", set_text, AT(iov_server, profile), NULL, NULL, NULL},
        {IOV_KIND_SERVER, "qemu", set_text, AT(iov_server, qemu), NULL, NULL, NULL},
        {IOV_KIND_VOLUME, "size", set_quantity, AT(iov_volume, size), "a size with its unit, such as 64GiB,", NULL,
         iov_size_parse},
        {IOV_KIND_VOLUME, "on_remove", set_word, AT(iov_volume, on_remove), "retain or delete", iov_on_remove_from_string, NULL},
        {IOV_KIND_VOLUME, "provisioning", set_word, AT(iov_volume, provisioning), "thin or full", iov_provisioning_from_string,
         NULL},
        {IOV_KIND_VOLUME, "block_size", set_word, AT(iov_volume, block_size), "512 or 4096", iov_block_size_from_string, NULL},
        {IOV_KIND_VOLUME, "shared", set_word, AT(iov_volume, shared), "true or false", bool_from_string, NULL},
        {IOV_KIND_VADAPTER, "serial", set_identity, offsetof(struct iov_vadapter, serial), IOV_SERIAL_MAX + 1, "", NULL, NULL},
        {IOV_KIND_VADAPTER, "mac", set_identity, AT(iov_vadapter, mac), "address", NULL, NULL},
        {IOV_KIND_VADAPTER, "wwnn", set_identity, AT(iov_vadapter, wwnn), "address", NULL, NULL},
        {IOV_KIND_VADAPTER, "wwpn", set_identity, AT(iov_vadapter, wwpn), "address", NULL, NULL},
        {IOV_KIND_VADAPTER, "nqn", set_identity, AT(iov_vadapter, nqn), "", NULL, NULL},
        {IOV_KIND_VADAPTER, "network", set_text, AT(iov_vadapter, network), NULL, NULL, NULL},
        {IOV_KIND_VADAPTER, "vlan", set_number, AT(iov_vadapter, vlan), NULL, NULL, NULL},
        {IOV_KIND_VADAPTER, "vlan_mode", set_word, AT(iov_vadapter, vlan_mode), "access or trunk", iov_vlan_mode_from_string,
         NULL},
        {IOV_KIND_VADAPTER, "qos", set_text, AT(iov_vadapter, qos), NULL, NULL, NULL},
        {IOV_KIND_VADAPTER, "interrupts", set_word, AT(iov_vadapter, interrupts), "auto, msix, msi or intx",
         iov_interrupts_from_string, NULL},
        {IOV_KIND_VADAPTER, "polling", set_word, AT(iov_vadapter, polling), "adaptive or always", iov_polling_from_string, NULL},
        {IOV_KIND_VADAPTER, "memory", set_word, AT(iov_vadapter, memory), "pageable or pinned", iov_memory_from_string, NULL},
        {IOV_KIND_NETWORK, "port", set_number, AT(iov_network, port), NULL, NULL, NULL},
        {IOV_KIND_NETWORK, "mtu", set_number, AT(iov_network, mtu), NULL, NULL, NULL},
        {IOV_KIND_NETWORK, "vlans", set_vlans, AT(iov_network, vlans), NULL, NULL, NULL},
        {IOV_KIND_QOS, "read_iops", set_limit, AT(iov_qos, read_iops), "a count such as 200k, or none,", NULL, iov_count_parse},
        {IOV_KIND_QOS, "write_iops", set_limit, AT(iov_qos, write_iops), "a count such as 200k, or none,", NULL, iov_count_parse},
        {IOV_KIND_QOS, "bandwidth", set_limit, AT(iov_qos, bandwidth), "a rate such as 10Gbit, or none,", NULL, iov_rate_parse},
        {IOV_KIND_QOS, "weight", set_number, AT(iov_qos, weight), NULL, NULL, NULL},
        {IOV_KIND_NAMESPACE, "volume", set_text, AT(iov_namespace, volume), NULL, NULL, NULL},
        {IOV_KIND_NAMESPACE, "read_only", set_word, AT(iov_namespace, read_only), "true or false", bool_from_string, NULL},
        {IOV_KIND_LUN, "volume", set_text, AT(iov_lun, volume), NULL, NULL, NULL},
        {IOV_KIND_DRIVE, "volume", set_text, AT(iov_drive, volume), NULL, NULL, NULL},
        {IOV_KIND_POOL, "first", set_identity, AT(iov_pool, first), "address", NULL, NULL},
        {IOV_KIND_POOL, "last", set_identity, AT(iov_pool, last), "address", NULL, NULL},
        {IOV_KIND_POOL, "prefix", set_text, AT(iov_pool, first), NULL, NULL, NULL},
        {IOV_KIND_POOL, "rest", set_quantity, AT(iov_pool, rest), "a duration such as 1h or 7d", NULL, iov_duration_parse},
};

void settings_init(enum iov_kind kind, void *record) {
        memset(record, 0, iov_records_get(kind)->size);
        if (kind == IOV_KIND_NETWORK)
                ((struct iov_network *)record)->mtu = 1500;
        if (kind == IOV_KIND_QOS)
                ((struct iov_qos *)record)->weight = IOV_WEIGHT_DEFAULT;
        if (kind == IOV_KIND_POOL)
                ((struct iov_pool *)record)->rest = 3600;
}

/* What is told only when it is made, as a word of its own. */
static const struct setting places[] = {
        {IOV_KIND_VOLUME, "adapter", set_text, AT(iov_volume, adapter), NULL, NULL, NULL},
        {IOV_KIND_VADAPTER, "adapter", set_text, AT(iov_vadapter, adapter), NULL, NULL, NULL},
        {IOV_KIND_NETWORK, "adapter", set_text, AT(iov_network, adapter), NULL, NULL, NULL},
};

static const struct setting *setting_find(enum iov_kind kind, const char *key, size_t length) {
        for (size_t i = 0; i < ARRAY_LENGTH(settings); i++)
                if (settings[i].kind == kind && strlen(settings[i].key) == length && strncmp(settings[i].key, key, length) == 0)
                        return &settings[i];
        return NULL;
}

int setting_put(const struct tool *tool, enum iov_kind kind, void *record, const char *key, const char *value) {
        const struct setting *s = setting_find(kind, key, strlen(key));

        for (size_t i = 0; !s && i < ARRAY_LENGTH(places); i++)
                if (places[i].kind == kind && strcmp(places[i].key, key) == 0)
                        s = &places[i];
        return s ? s->set(tool, s, record, value) : report_error(tool, STATUS_FAILED, "%s: no such setting", key);
}

int setting_apply(const struct tool *tool, enum iov_kind kind, void *record, const char *word) {
        size_t length = strcspn(word, "=");
        const struct setting *s = word[length] ? setting_find(kind, word, length) : NULL;
        char keys[160] = "";

        if (s)
                return s->set(tool, s, record, word + length + 1);
        for (size_t i = 0; i < ARRAY_LENGTH(settings); i++)
                if (settings[i].kind == kind)
                        snprintf(keys + strlen(keys), sizeof(keys) - strlen(keys), "%s%s=", *keys ? ", " : "", settings[i].key);
        return report_error(tool, STATUS_USAGE, "'%s': KEY=VALUE is wanted, with one of %s", word, keys);
}

int settings_apply(const struct tool *tool, enum iov_kind kind, void *record, char **words, unsigned int n_words) {
        int status = STATUS_DONE;

        for (unsigned int i = 0; status == STATUS_DONE && i < n_words; i++) {
                size_t length = strcspn(words[i], "=");

                for (unsigned int j = 0; j < i; j++)
                        if (strcspn(words[j], "=") == length && strncmp(words[i], words[j], length) == 0)
                                return report_error(tool, STATUS_USAGE, "'%s' and '%s': which one?", words[j], words[i]);
                status = setting_apply(tool, kind, record, words[i]);
        }
        return status;
}
