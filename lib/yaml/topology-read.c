/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `kind: topology` as tables of keys, and what must not be there twice. */
#include "topology-read.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "defaults.h"
#include "util.h"

#define LAST_LINK (IOV_SERVER_MAX - 1) /* whether the chassis has it, the appliance says */
#define LAST_PORT 63
#define MTU_MIN 68 /* RFC 791 section 3.2: what every internet module must forward */
#define MTU_MAX 9216
#define WEIGHT_MAX 1000

/* ---- servers ---- */

/* unix(7): the path of a socket has 107 characters. */
static int read_qemu(struct reader *r, const struct key *key, void *object) {
        struct iov_server *server = object;
        char show[READER_SHOW_SIZE];
        const char *text = NULL;
        int e = reader_text(r, key->name, &text);

        if (e <= 0)
                return e;
        bool good = *text == '/' && strlen(text) < sizeof(server->qemu);
        for (const char *c = text; *c; c++)
                good &= *c >= 0x20 && *c <= 0x7e;
        if (!good)
                return reader_refuse(r,
                                     "qemu: %s is not the path of a socket: printable ASCII, first a /, at most %zu characters",
                                     reader_show(show, text), sizeof(server->qemu) - 1);
        field_set(server->qemu, sizeof(server->qemu), text);
        return 0;
}

static const struct key host_keys[] = {
        {.name = "qemu", .read = read_qemu},
};

static int read_host(struct reader *r, const struct key *key, void *object) {
        struct subject subject = {.kind = key->name, .place = reader_place(r)};
        struct value values[ARRAY_LENGTH(host_keys)];

        return reader_is_null(r) ? 0 : reader_mapping(r, host_keys, ARRAY_LENGTH(host_keys), &subject, object, values);
}

enum { SERVER_LINK, SERVER_PROFILE };
static const struct key server_keys[] = {
        [SERVER_LINK] = {.name = "link",
                         .read = reader_read_u32,
                         .offset = offsetof(struct iov_server, link),
                         .flags = KEY_REQUIRED,
                         .max = LAST_LINK},
        [SERVER_PROFILE] = {.name = "profile",
                            .read = reader_read_name,
                            .offset = offsetof(struct iov_server, profile),
                            .refers = IOV_KIND_PROFILE},
        {.name = "host", .read = read_host},
};

static int read_server(struct reader *r, const struct subject *subject) {
        struct iov_server server = {0};
        struct value values[ARRAY_LENGTH(server_keys)];
        unsigned int errors = r->n_errors;
        char link[16];

        field_set(server.name, sizeof(server.name), subject->name);
        int e = reader_mapping(r, server_keys, ARRAY_LENGTH(server_keys), subject, &server, values);
        if (e == 0 && values[SERVER_LINK].good) {
                snprintf(link, sizeof(link), "%u", server.link);
                e = reader_unique(r, &values[SERVER_LINK].at, PLACE_LINK, link, "link %s has a server already", link);
        }
        if (e == 0 && values[SERVER_PROFILE].good)
                e = reader_unique(r, &values[SERVER_PROFILE].at, PLACE_WORN, server.profile,
                                  "profile %s is worn by a server already", server.profile);
        return e < 0 || r->n_errors != errors ? e : reader_set(r, IOV_KIND_SERVER, &server, &subject->place);
}

/* ---- networks ---- */

/* A or A-B, 1 to 4094 (IEEE 802.1Q-2018 section 9.6). */
static bool parse_vlans(const char *s, unsigned int *ret_first, unsigned int *ret_last) {
        unsigned int numbers[2] = {0, 0}, n = 0;

        for (; n < 2; n++) {
                if (*s < '1' || *s > '9')
                        return false;
                for (; *s >= '0' && *s <= '9'; s++) {
                        numbers[n] = numbers[n] * 10 + (unsigned int)(*s - '0');
                        if (numbers[n] > IOV_VLAN_MAX)
                                return false;
                }
                if (*s != (n == 0 ? '-' : 0))
                        return false;
                s++;
        }
        *ret_first = numbers[0];
        *ret_last = numbers[1];
        return numbers[0] <= numbers[1];
}

static int read_vlan(struct reader *r, unsigned int i, void *object) {
        struct iov_network *network = object;
        char show[READER_SHOW_SIZE];
        const char *text = r->event.type == YAML_SCALAR_EVENT ? (const char *)r->event.data.scalar.value : "";
        unsigned int first = 0, last = 0;

        if (!strchr(text, '-') || *text == '-') {
                uint64_t number = 0;
                int e = reader_number(r, "vlans", 1, IOV_VLAN_MAX, &number);

                if (e <= 0)
                        return e;
                first = last = (unsigned int)number;
        } else if (strlen(text) != r->event.data.scalar.length || !parse_vlans(text, &first, &last)) {
                return reader_refuse(r, "vlans: %s is not a range within 1 to %u, such as \"100-199\"", reader_show(show, text),
                                     IOV_VLAN_MAX);
        }
        for (unsigned int vlan = first; vlan <= last; vlan++)
                network->vlans[vlan / 8] |= (uint8_t)(1u << vlan % 8);
        return 0;
}

static int read_vlans(struct reader *r, const struct key *key, void *object) {
        return reader_sequence(r, key->name, read_vlan, object);
}

static const struct key network_keys[] = {
        {.name = "adapter",
         .read = reader_read_name,
         .offset = offsetof(struct iov_network, adapter),
         .flags = KEY_REQUIRED,
         .refers = IOV_KIND_ADAPTER},
        {.name = "port", .read = reader_read_u32, .offset = offsetof(struct iov_network, port), .max = LAST_PORT},
        {.name = "vlans", .read = read_vlans},
        {.name = "mtu", .read = reader_read_u32, .offset = offsetof(struct iov_network, mtu), .min = MTU_MIN, .max = MTU_MAX},
};

static int read_network(struct reader *r, const struct subject *subject) {
        struct iov_network network = {.mtu = DEFAULT_MTU};
        struct value values[ARRAY_LENGTH(network_keys)];
        unsigned int errors = r->n_errors;

        field_set(network.name, sizeof(network.name), subject->name);
        int e = reader_mapping(r, network_keys, ARRAY_LENGTH(network_keys), subject, &network, values);
        return e < 0 || r->n_errors != errors ? e : reader_set(r, IOV_KIND_NETWORK, &network, &subject->place);
}

/* ---- volumes ---- */

/* One of a few words, which are numbers. */
static int read_block_size(struct reader *r, const struct key *key, void *object) {
        uint64_t number = 0;
        char digits[24];
        int e = reader_number(r, key->name, 0, UINT32_MAX, &number);

        if (e <= 0)
                return e;
        snprintf(digits, sizeof(digits), "%" PRIu64, number);
        return key->from_string(digits, (uint32_t *)(void *)((char *)object + key->offset)) == 0
                       ? 0
                       : reader_refuse(r, "%s: %s is not one of %s", key->name, digits, key->words);
}

static const struct key volume_keys[] = {
        {.name = "adapter",
         .read = reader_read_name,
         .offset = offsetof(struct iov_volume, adapter),
         .flags = KEY_REQUIRED,
         .refers = IOV_KIND_ADAPTER},
        {.name = "size", .read = reader_read_size, .offset = offsetof(struct iov_volume, size), .flags = KEY_REQUIRED},
        {.name = "on_remove",
         .read = reader_read_word,
         .offset = offsetof(struct iov_volume, on_remove),
         .from_string = iov_on_remove_from_string,
         .words = "delete, retain"},
        {.name = "shared", .read = reader_read_bool, .offset = offsetof(struct iov_volume, shared)},
        {.name = "provisioning",
         .read = reader_read_word,
         .offset = offsetof(struct iov_volume, provisioning),
         .from_string = iov_provisioning_from_string,
         .words = "thin, full"},
        {.name = "block_size",
         .read = read_block_size,
         .offset = offsetof(struct iov_volume, block_size),
         .from_string = iov_block_size_from_string,
         .words = "512, 4096"},
};

static int read_volume(struct reader *r, const struct subject *subject) {
        struct iov_volume volume = {.on_remove = IOV_ON_REMOVE_DELETE};
        struct value values[ARRAY_LENGTH(volume_keys)];
        unsigned int errors = r->n_errors;

        field_set(volume.name, sizeof(volume.name), subject->name);
        int e = reader_mapping(r, volume_keys, ARRAY_LENGTH(volume_keys), subject, &volume, values);
        return e < 0 || r->n_errors != errors ? e : reader_set(r, IOV_KIND_VOLUME, &volume, &subject->place);
}

/* ---- qos ---- */

static const struct key qos_keys[] = {
        {.name = "read_iops", .read = reader_read_count, .offset = offsetof(struct iov_qos, read_iops)},
        {.name = "write_iops", .read = reader_read_count, .offset = offsetof(struct iov_qos, write_iops)},
        {.name = "bandwidth", .read = reader_read_rate, .offset = offsetof(struct iov_qos, bandwidth)},
        {.name = "weight", .read = reader_read_u32, .offset = offsetof(struct iov_qos, weight), .min = 1, .max = WEIGHT_MAX},
};

static int read_one_qos(struct reader *r, const struct subject *subject) {
        struct iov_qos qos = {.weight = DEFAULT_WEIGHT};
        struct value values[ARRAY_LENGTH(qos_keys)];
        unsigned int errors = r->n_errors;

        field_set(qos.name, sizeof(qos.name), subject->name);
        int e = reader_mapping(r, qos_keys, ARRAY_LENGTH(qos_keys), subject, &qos, values);
        return e < 0 || r->n_errors != errors ? e : reader_set(r, IOV_KIND_QOS, &qos, &subject->place);
}

/* ---- the document ---- */

static int read_servers(struct reader *r, const struct key *key, void *object) {
        return reader_names(r, IOV_KIND_SERVER, "server", read_server);
}

static int read_networks(struct reader *r, const struct key *key, void *object) {
        return reader_names(r, IOV_KIND_NETWORK, "network", read_network);
}

static int read_volumes(struct reader *r, const struct key *key, void *object) {
        return reader_names(r, IOV_KIND_VOLUME, "volume", read_volume);
}

static int read_qos(struct reader *r, const struct key *key, void *object) {
        return reader_names(r, IOV_KIND_QOS, "qos", read_one_qos);
}

static const struct key topology_keys[] = {
        {.name = "version", .read = reader_read_version, .flags = KEY_REQUIRED},
        {.name = "kind", .read = reader_read_kind, .flags = KEY_REQUIRED, .words = "topology"},
        {.name = "name", .read = reader_read_document_name},
        {.name = "servers", .read = read_servers},
        {.name = "networks", .read = read_networks},
        {.name = "volumes", .read = read_volumes},
        {.name = "qos", .read = read_qos},
        {.name = "vadapters", .read = topology_read_vadapters},
        {.name = "profiles", .read = topology_read_profiles},
        {.name = "identities", .read = topology_read_identities},
};

int iov_topology_read(struct iov_model *model, const char *file, const char *text, size_t length,
                      struct iov_diagnostics *diagnostics) {
        return reader_document(model, file, text, length, diagnostics, "topology", topology_keys, ARRAY_LENGTH(topology_keys),
                               NULL);
}
