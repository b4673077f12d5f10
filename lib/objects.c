/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the objects of the model have in common: names, and words for their enumerations. */
#include <errno.h>
#include <stdlib.h>

#include "iov/libiov.h"
#include "util.h"

static const char *const adapter_kinds[] = {[IOV_ADAPTER_NIC] = "nic",
                                            [IOV_ADAPTER_HBA] = "hba",
                                            [IOV_ADAPTER_RAID] = "raid",
                                            [IOV_ADAPTER_SSD] = "ssd",
                                            [IOV_ADAPTER_SATA] = "sata"};
static const char *const on_removes[] = {[IOV_ON_REMOVE_DELETE] = "delete", [IOV_ON_REMOVE_RETAIN] = "retain"};
static const char *const provisionings[] = {[IOV_PROVISIONING_THIN] = "thin", [IOV_PROVISIONING_FULL] = "full"};
static const char *const block_sizes[] = {[IOV_BLOCK_SIZE_512] = "512", [IOV_BLOCK_SIZE_4096] = "4096"};
static const char *const vlan_modes[] = {[IOV_VLAN_ACCESS] = "access", [IOV_VLAN_TRUNK] = "trunk"};
static const char *const interrupts[] = {[IOV_INTERRUPTS_AUTO] = "auto",
                                         [IOV_INTERRUPTS_MSIX] = "msix",
                                         [IOV_INTERRUPTS_MSI] = "msi",
                                         [IOV_INTERRUPTS_INTX] = "intx"};
static const char *const pollings[] = {[IOV_POLLING_ADAPTIVE] = "adaptive", [IOV_POLLING_ALWAYS] = "always"};
static const char *const memories[] = {[IOV_MEMORY_PAGEABLE] = "pageable", [IOV_MEMORY_PINNED] = "pinned"};
static const char *const unpinneds[] = {[IOV_UNPINNED_MEMLOCK] = "memlock limit",     [IOV_UNPINNED_MEMORY] = "no memory",
                                        [IOV_UNPINNED_ENTRIES] = "too many windows",  [IOV_UNPINNED_KIND] = "kind of memory",
                                        [IOV_UNPINNED_MEDIA] = "no medium in a file", [IOV_UNPINNED_RING] = "no io_uring"};
static const char *const medias[] = {[IOV_MEDIA_FILE] = "file", [IOV_MEDIA_RAM] = "ram"};
static const char *const identity_types[] = {[IOV_IDENTITY_MAC] = "mac",
                                             [IOV_IDENTITY_WWNN] = "wwnn",
                                             [IOV_IDENTITY_WWPN] = "wwpn",
                                             [IOV_IDENTITY_SERIAL] = "serial",
                                             [IOV_IDENTITY_NQN] = "nqn"};
static const char *const link_states[] = {
        [IOV_LINK_DETECT] = "detect", [IOV_LINK_L0] = "L0", [IOV_LINK_DISABLED] = "disabled", [IOV_LINK_RECOVERY] = "recovery"};
static const char *const fault_types[] = {[IOV_FAULT_LINK_DOWN] = "link-down",
                                          [IOV_FAULT_SURPRISE_REMOVAL] = "surprise-removal",
                                          [IOV_FAULT_MEDIA_ERROR] = "media-error",
                                          [IOV_FAULT_LATENCY] = "latency",
                                          [IOV_FAULT_VOLUME_FULL] = "volume-full",
                                          [IOV_FAULT_WORKER_CRASH] = "worker-crash",
                                          [IOV_FAULT_MAILBOX_TIMEOUT] = "mailbox-timeout"};
static const char *const server_states[] = {[IOV_SERVER_OFF] = "off", [IOV_SERVER_ON] = "on", [IOV_SERVER_DOWN] = "down"};
static const char *const vadapter_states[] = {
        [IOV_VADAPTER_DETACHED] = "detached", [IOV_VADAPTER_ATTACHED] = "attached", [IOV_VADAPTER_CONNECTED] = "connected",
        [IOV_VADAPTER_FAILED] = "failed",     [IOV_VADAPTER_PLUGGING] = "plugging", [IOV_VADAPTER_UNPLUGGING] = "unplugging"};
static const char *const host_states[] = {[IOV_HOST_NONE] = "none", [IOV_HOST_AWAY] = "away", [IOV_HOST_READY] = "ready"};

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

const char *iov_provisioning_to_string(uint32_t v) {
        return word(provisionings, ARRAY_LENGTH(provisionings), v);
}

int iov_provisioning_from_string(const char *s, uint32_t *ret_v) {
        return word_find(provisionings, ARRAY_LENGTH(provisionings), s, ret_v);
}

uint32_t iov_block_size_bytes(uint32_t v) {
        return v < ARRAY_LENGTH(block_sizes) ? (uint32_t)strtoul(block_sizes[v], NULL, 10) : 0;
}

int iov_block_size_from_string(const char *s, uint32_t *ret_v) {
        return word_find(block_sizes, ARRAY_LENGTH(block_sizes), s, ret_v);
}

const char *iov_server_state_to_string(uint32_t state) {
        return word(server_states, ARRAY_LENGTH(server_states), state);
}

const char *iov_host_state_to_string(uint32_t state) {
        return word(host_states, ARRAY_LENGTH(host_states), state);
}

const char *iov_vadapter_state_to_string(uint32_t state) {
        return word(vadapter_states, ARRAY_LENGTH(vadapter_states), state);
}

const char *iov_vlan_mode_to_string(uint32_t v) {
        return word(vlan_modes, ARRAY_LENGTH(vlan_modes), v);
}

int iov_vlan_mode_from_string(const char *s, uint32_t *ret_v) {
        return word_find(vlan_modes, ARRAY_LENGTH(vlan_modes), s, ret_v);
}

const char *iov_interrupts_to_string(uint32_t v) {
        return word(interrupts, ARRAY_LENGTH(interrupts), v);
}

int iov_interrupts_from_string(const char *s, uint32_t *ret_v) {
        return word_find(interrupts, ARRAY_LENGTH(interrupts), s, ret_v);
}

const char *iov_polling_to_string(uint32_t v) {
        return word(pollings, ARRAY_LENGTH(pollings), v);
}

int iov_polling_from_string(const char *s, uint32_t *ret_v) {
        return word_find(pollings, ARRAY_LENGTH(pollings), s, ret_v);
}

const char *iov_memory_to_string(uint32_t v) {
        return word(memories, ARRAY_LENGTH(memories), v);
}

int iov_memory_from_string(const char *s, uint32_t *ret_v) {
        return word_find(memories, ARRAY_LENGTH(memories), s, ret_v);
}

const char *iov_unpinned_to_string(uint32_t v) {
        return word(unpinneds, ARRAY_LENGTH(unpinneds), v);
}

const char *iov_media_to_string(uint32_t v) {
        return word(medias, ARRAY_LENGTH(medias), v);
}

int iov_media_from_string(const char *s, uint32_t *ret_v) {
        return word_find(medias, ARRAY_LENGTH(medias), s, ret_v);
}

const char *iov_identity_type_to_string(uint32_t v) {
        return word(identity_types, ARRAY_LENGTH(identity_types), v);
}

int iov_identity_type_from_string(const char *s, uint32_t *ret_v) {
        return word_find(identity_types, ARRAY_LENGTH(identity_types), s, ret_v);
}

const char *iov_fault_type_to_string(uint32_t v) {
        return word(fault_types, ARRAY_LENGTH(fault_types), v);
}

int iov_fault_type_from_string(const char *s, uint32_t *ret_v) {
        return word_find(fault_types, ARRAY_LENGTH(fault_types), s, ret_v);
}

const char *iov_link_state_to_string(uint32_t state) {
        return word(link_states, ARRAY_LENGTH(link_states), state);
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
