/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The model as YAML: what has its default is left out, objects are ordered by name, so that equal models give equal text. */
#include <errno.h>

#include "defaults.h"
#include "iov/libiov.h"
#include "scalar.h"
#include "util.h"

static const char *quote(const char *name) {
        return scalar_needs_quotes(name) ? "\"" : "";
}

/* NAME, in quotes where it needs them: for "%s%s%s". */
#define NAME(name) quote(name), (name), quote(name)

/* Printable text in double quotes (YAML 1.2 section 7.3.1). What is not printable ASCII is escaped by its byte. */
static void write_quoted(const char *s, FILE *stream) {
        fputc('"', stream);
        for (; *s; s++)
                if (*s == '"' || *s == '\\')
                        fprintf(stream, "\\%c", *s);
                else if ((unsigned char)*s < 0x20 || (unsigned char)*s > 0x7e)
                        fprintf(stream, "\\x%02x", (unsigned char)*s);
                else
                        fputc(*s, stream);
        fputc('"', stream);
}

static void write_head(const struct iov_model *model, const char *kind, FILE *stream) {
        fprintf(stream, "version: 1\nkind: %s\n", kind);
        if (*iov_model_get_name(model))
                fprintf(stream, "name: %s%s%s\n", NAME(iov_model_get_name(model)));
}

static int finish(FILE *stream) {
        errno = 0;
        if (fflush(stream) != 0 && errno)
                return -errno;
        return ferror(stream) ? -EIO : 0;
}

/* ---- the parts of a topology ---- */

/* A line of a mapping in { }: what stands in front of its next entry. */
static const char *comma(unsigned int *n) {
        return (*n)++ ? ", " : "";
}

static void write_server(const void *record, FILE *stream) {
        const struct iov_server *server = record;
        static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-";

        fprintf(stream, "  %s%s%s: {link: %u", NAME(server->name), server->link);
        if (*server->profile)
                fprintf(stream, ", profile: %s%s%s", NAME(server->profile));
        if (*server->qemu) {
                fprintf(stream, ", host: {qemu: ");
                /* It begins with a slash, which nothing but text does. */
                if (server->qemu[strspn(server->qemu, plain)] == 0)
                        fprintf(stream, "%s", server->qemu);
                else
                        write_quoted(server->qemu, stream);
                fprintf(stream, "}");
        }
        fprintf(stream, "}\n");
}

static bool carries(const struct iov_network *network, unsigned int vlan) {
        return vlan <= IOV_VLAN_MAX && network->vlans[vlan / 8] >> vlan % 8 & 1;
}

static void write_vlans(const struct iov_network *network, FILE *stream) {
        unsigned int n = 0;

        for (unsigned int vlan = 1; vlan <= IOV_VLAN_MAX; vlan++) {
                unsigned int first = vlan;

                if (!carries(network, vlan))
                        continue;
                while (carries(network, vlan + 1))
                        vlan++;
                fprintf(stream, "%s", n ? ", " : ", vlans: [");
                n++;
                /* Two are shorter written out. */
                if (vlan - first >= 2)
                        fprintf(stream, "\"%u-%u\"", first, vlan);
                else if (vlan > first)
                        fprintf(stream, "%u, %u", first, vlan);
                else
                        fprintf(stream, "%u", first);
        }
        if (n)
                fprintf(stream, "]");
}

static void write_network(const void *record, FILE *stream) {
        const struct iov_network *network = record;

        fprintf(stream, "  %s%s%s: {adapter: %s%s%s", NAME(network->name), NAME(network->adapter));
        if (network->port)
                fprintf(stream, ", port: %u", network->port);
        write_vlans(network, stream);
        if (network->mtu != DEFAULT_MTU)
                fprintf(stream, ", mtu: %u", network->mtu);
        fprintf(stream, "}\n");
}

static void write_volume(const void *record, FILE *stream) {
        const struct iov_volume *volume = record;
        const char *on_remove = iov_on_remove_to_string(volume->on_remove);
        const char *provisioning = iov_provisioning_to_string(volume->provisioning);
        char size[32];

        fprintf(stream, "  %s%s%s: {adapter: %s%s%s, size: %s", NAME(volume->name), NAME(volume->adapter),
                iov_size_format(volume->size, size));
        if (on_remove && volume->on_remove != IOV_ON_REMOVE_DELETE)
                fprintf(stream, ", on_remove: %s", on_remove);
        if (volume->shared)
                fprintf(stream, ", shared: true");
        if (provisioning && volume->provisioning != IOV_PROVISIONING_THIN)
                fprintf(stream, ", provisioning: %s", provisioning);
        if (volume->block_size != IOV_BLOCK_SIZE_512 && iov_block_size_bytes(volume->block_size))
                fprintf(stream, ", block_size: %u", iov_block_size_bytes(volume->block_size));
        fprintf(stream, "}\n");
}

static void write_qos(const void *record, FILE *stream) {
        const struct iov_qos *qos = record;
        unsigned int n = 0;
        char text[32];

        fprintf(stream, "  %s%s%s: {", NAME(qos->name));
        if (qos->read_iops)
                fprintf(stream, "%sread_iops: %s", comma(&n), iov_count_format(qos->read_iops, text));
        if (qos->write_iops)
                fprintf(stream, "%swrite_iops: %s", comma(&n), iov_count_format(qos->write_iops, text));
        if (qos->bandwidth)
                fprintf(stream, "%sbandwidth: %s", comma(&n), iov_rate_format(qos->bandwidth, text));
        if (qos->weight != DEFAULT_WEIGHT)
                fprintf(stream, "%sweight: %u", comma(&n), qos->weight);
        fprintf(stream, "}\n");
}

static void write_pool(const void *record, FILE *stream) {
        const struct iov_pool *pool = record;
        unsigned int n = 0;
        char text[32];

        fprintf(stream, "  %s%s%s: {", NAME(pool->name));
        if (*pool->first) {
                fprintf(stream, "%s%s: ", comma(&n), *pool->last ? "first" : "prefix");
                write_quoted(pool->first, stream);
        }
        if (*pool->last) {
                fprintf(stream, "%slast: ", comma(&n));
                write_quoted(pool->last, stream);
        }
        if (pool->rest != DEFAULT_REST)
                fprintf(stream, "%srest: %s", comma(&n), iov_duration_format(pool->rest, text));
        fprintf(stream, "}\n");
}

static int write_kind(const struct iov_model *model, enum iov_kind kind, const char *key,
                      void (*write)(const void *record, FILE *stream), FILE *stream) {
        CLEANUP_FREE const void **records = NULL;
        int n = iov_model_sorted(model, kind, &records);

        if (n > 0)
                fprintf(stream, "%s:\n", key);
        for (int i = 0; i < n; i++)
                write(records[i], stream);
        return n < 0 ? n : 0;
}

/* ---- what has members ---- */

/* Members in order of their parents' names, which are gone through in the same order. */
struct members {
        enum iov_kind kind;
        const char *key, *number; /* of the list, and of a member's number */
        uint32_t first;           /* its number where it is not given */
        bool numbered;            /* it is always given */
        const void **records;
        int n, at;
};

static int members_get(const struct iov_model *model, struct members *members) {
        int n = iov_model_sorted(model, members->kind, &members->records);

        members->n = n < 0 ? 0 : n;
        return n < 0 ? n : 0;
}

/* The next member of a parent, NULL: no more. One of no parent is passed over. */
static const struct iov_member *members_next(struct members *members, const char *parent) {
        for (; members->at < members->n; members->at++) {
                const struct iov_member *member = members->records[members->at];
                int order = strcmp(member->parent, parent);

                if (order > 0)
                        break;
                if (order == 0) {
                        members->at++;
                        return member;
                }
        }
        return NULL;
}

static void write_members(struct members *members, const char *parent, FILE *stream) {
        const struct iov_member *member;

        for (uint32_t place = members->first; (member = members_next(members, parent)); place++) {
                if (place == members->first)
                        fprintf(stream, "    %s:\n", members->key);
                fprintf(stream, "      - {");
                if (members->numbered)
                        fprintf(stream, "%s: %u, ", members->number, member->number);
                fprintf(stream, "volume: %s%s%s", NAME(member->target));
                if (!members->numbered && member->number != place)
                        fprintf(stream, ", %s: %u", members->number, member->number);
                if (member->read_only)
                        fprintf(stream, ", read_only: true");
                fprintf(stream, "}\n");
        }
}

static void write_persona(const struct iov_vadapter *v, FILE *stream) {
        const struct {
                const char *key, *value;
        } identities[] = {{"mac", v->mac}, {"wwnn", v->wwnn}, {"wwpn", v->wwpn}, {"serial", v->serial}, {"nqn", v->nqn}};
        unsigned int n = 0;

        for (size_t i = 0; i < ARRAY_LENGTH(identities); i++) {
                if (!*identities[i].value)
                        continue;
                fprintf(stream, "%s%s: ", n ? ", " : "    persona: {", identities[i].key);
                write_quoted(identities[i].value, stream);
                n++;
        }
        if (n)
                fprintf(stream, "}\n");
}

static void write_vadapter(const struct iov_vadapter *v, struct members *members, size_t n_members, FILE *stream) {
        const char *vlan_mode = iov_vlan_mode_to_string(v->vlan_mode), *interrupts = iov_interrupts_to_string(v->interrupts);
        const char *polling = iov_polling_to_string(v->polling), *memory = iov_memory_to_string(v->memory);

        fprintf(stream, "  %s%s%s:\n    adapter: %s%s%s\n", NAME(v->name), NAME(v->adapter));
        write_persona(v, stream);
        if (*v->network)
                fprintf(stream, "    network: %s%s%s\n", NAME(v->network));
        if (v->vlan)
                fprintf(stream, "    vlan: %u\n", v->vlan);
        if (vlan_mode && v->vlan_mode != IOV_VLAN_ACCESS)
                fprintf(stream, "    vlan_mode: %s\n", vlan_mode);
        if (*v->qos)
                fprintf(stream, "    qos: %s%s%s\n", NAME(v->qos));
        if (interrupts && v->interrupts != IOV_INTERRUPTS_AUTO)
                fprintf(stream, "    interrupts: %s\n", interrupts);
        if (polling && v->polling != IOV_POLLING_ADAPTIVE)
                fprintf(stream, "    polling: %s\n", polling);
        if (memory && v->memory != IOV_MEMORY_PAGEABLE)
                fprintf(stream, "    memory: %s\n", memory);
        for (size_t i = 0; i < n_members; i++)
                write_members(&members[i], v->name, stream);
        if (*v->server)
                fprintf(stream, "    attach: {server: %s%s%s, slot: %u}\n", NAME(v->server), v->slot);
}

static int write_vadapters(const struct iov_model *model, FILE *stream) {
        struct members members[] = {
                {.kind = IOV_KIND_NAMESPACE, .key = "namespaces", .number = "nsid", .first = 1},
                {.kind = IOV_KIND_LUN, .key = "luns", .number = "lun", .numbered = true},
                {.kind = IOV_KIND_DRIVE, .key = "drives", .number = "drive"},
        };
        CLEANUP_FREE const void **records = NULL;
        int n = iov_model_sorted(model, IOV_KIND_VADAPTER, &records), e = n < 0 ? n : 0;

        for (size_t i = 0; e == 0 && i < ARRAY_LENGTH(members); i++)
                e = members_get(model, &members[i]);
        if (e == 0 && n > 0)
                fprintf(stream, "vadapters:\n");
        for (int i = 0; e == 0 && i < n; i++)
                write_vadapter(records[i], members, ARRAY_LENGTH(members), stream);
        for (size_t i = 0; i < ARRAY_LENGTH(members); i++)
                free(members[i].records);
        return e;
}

static int write_profiles(const struct iov_model *model, FILE *stream) {
        struct members slots = {.kind = IOV_KIND_PROFILE_SLOT};
        CLEANUP_FREE const void **records = NULL;
        int n = iov_model_sorted(model, IOV_KIND_PROFILE, &records), e = n < 0 ? n : members_get(model, &slots);

        if (e == 0 && n > 0)
                fprintf(stream, "profiles:\n");
        for (int i = 0; e == 0 && i < n; i++) {
                const struct iov_profile *profile = records[i];
                const struct iov_member *slot = members_next(&slots, profile->name);

                fprintf(stream, "  %s%s%s:%s", NAME(profile->name), slot ? "\n    slots:\n" : " {}\n");
                for (; slot; slot = members_next(&slots, profile->name))
                        fprintf(stream, "      %u: %s%s%s\n", slot->number, NAME(slot->target));
        }
        free(slots.records);
        return e;
}

int iov_topology_write(const struct iov_model *model, FILE *stream) {
        int e;

        write_head(model, "topology", stream);
        if ((e = write_kind(model, IOV_KIND_SERVER, "servers", write_server, stream)) < 0 ||
            (e = write_kind(model, IOV_KIND_NETWORK, "networks", write_network, stream)) < 0 ||
            (e = write_kind(model, IOV_KIND_VOLUME, "volumes", write_volume, stream)) < 0 ||
            (e = write_kind(model, IOV_KIND_QOS, "qos", write_qos, stream)) < 0 || (e = write_vadapters(model, stream)) < 0 ||
            (e = write_profiles(model, stream)) < 0 ||
            (e = write_kind(model, IOV_KIND_POOL, "identities", write_pool, stream)) < 0)
                return e;
        return finish(stream);
}

int iov_chassis_write(const struct iov_model *model, FILE *stream) {
        CLEANUP_FREE const void **records = NULL;
        int n = iov_model_sorted(model, IOV_KIND_ADAPTER, &records);

        if (n < 0)
                return n;
        write_head(model, "chassis", stream);
        fprintf(stream, "links: %u\nslots: %u\nadapters:%s\n", iov_model_get_links(model), iov_model_get_slots(model),
                n ? "" : " {}");
        for (int i = 0; i < n; i++) {
                const struct iov_adapter *a = records[i];
                const char *kind = iov_adapter_kind_to_string(a->kind);
                char text[32];

                fprintf(stream, "  %s%s%s: {kind: %s", NAME(a->name), kind ? kind : "unknown");
                if (a->ports)
                        fprintf(stream, ", ports: %u", a->ports);
                if (a->rate)
                        fprintf(stream, ", rate: %s", iov_rate_format(a->rate, text));
                if (a->capacity)
                        fprintf(stream, ", capacity: %s", iov_size_format(a->capacity, text));
                if (a->media != IOV_MEDIA_FILE && iov_media_to_string(a->media))
                        fprintf(stream, ", media: %s", iov_media_to_string(a->media));
                if (*a->backend) {
                        fprintf(stream, ", backend: ");
                        write_quoted(a->backend, stream);
                }
                if (a->iops)
                        fprintf(stream, ", iops: %s", iov_count_format(a->iops, text));
                if (a->bandwidth)
                        fprintf(stream, ", bandwidth: %s", iov_rate_format(a->bandwidth, text));
                if (*a->model) {
                        fprintf(stream, ", model: ");
                        write_quoted(a->model, stream);
                }
                fprintf(stream, "}\n");
        }
        return finish(stream);
}
