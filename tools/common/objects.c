/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tools/common/objects.h"

#include <string.h>

#include "tools/common/objects-private.h"
#include "util.h"

const struct column server_columns[] = {
        {"name", 0, "name"},
        {"link", COLUMN_RIGHT, "the server link it is cabled to"},
        {"state", 0, "off, on, or down (its worker is not running)"},
        {"vadapters", COLUMN_RIGHT, "number of vAdapters in its slots"},
        {"profile", 0, "the profile it wears"},
        {"worker_pid", COLUMN_RIGHT | COLUMN_WIDE, "process that serves the link"},
        {"worker_restarts", COLUMN_RIGHT | COLUMN_WIDE, "how often that process had to be started again"},
        {"qemu", COLUMN_WIDE, "path of its hypervisor's QMP socket"},
        {"host_state", COLUMN_WIDE, "none, away or ready: whether its hypervisor can be asked to plug and unplug"},
        {"host_version", COLUMN_WIDE, "version of QEMU"},
        {"host_reason", COLUMN_WIDE, "why its hypervisor is away"},
        {"slots", COLUMN_DETAIL, "the slots that are in use"},
        {0},
};
static const struct column slot_columns[] = {
        {"slot", COLUMN_RIGHT, ""}, {"vadapter", 0, ""}, {"adapter", 0, ""}, {"state", 0, ""}, {0},
};
const struct column adapter_columns[] = {
        {"name", 0, "name"},
        {"kind", 0, "nic, hba, raid, ssd or sata"},
        {"supported", 0, "whether this version can make vAdapters of it"},
        {"ports", COLUMN_RIGHT, "external ports, or disks of a RAID controller"},
        {"capacity", COLUMN_RIGHT, "size of its media"},
        {"free", COLUMN_RIGHT, "what no volume takes of it"},
        {"vadapters", COLUMN_RIGHT, "number of vAdapters on it"},
        {"rate", COLUMN_RIGHT | COLUMN_WIDE, "bit/s of a port"},
        {"allocated", COLUMN_RIGHT | COLUMN_WIDE, "what volumes take of its media"},
        {"vendor_id", COLUMN_WIDE, "PCI vendor id that its vAdapters show"},
        {"device_id", COLUMN_WIDE, "PCI device id that its vAdapters show"},
        {"media", COLUMN_WIDE, "file or ram: where its volumes are"},
        {"iops", COLUMN_RIGHT | COLUMN_WIDE, "commands a second that its vAdapters share by weight"},
        {"bandwidth", COLUMN_RIGHT | COLUMN_WIDE, "bit/s that its vAdapters share by weight"},
        {"model", COLUMN_WIDE, "what it is, in words"},
        {"backend", COLUMN_DETAIL, "where the data of its volumes is, empty: in the state directory"},
        {0},
};
const struct column vadapter_columns[] = {
        {"name", 0, "name"},
        {"adapter", 0, "the adapter it is an image of"},
        {"server", 0, "the server it is in, by itself or by its profile"},
        {"slot", COLUMN_RIGHT, "the slot it is plugged into"},
        {"state", 0, "detached, attached, connected, plugging, unplugging or failed"},
        {"serial", 0, "serial number of its persona"},
        {"profile", COLUMN_WIDE, "the profile it is in"},
        {"qos", COLUMN_WIDE, "the qos that limits it"},
        {"network", COLUMN_WIDE, "the network it is on"},
        {"mac", COLUMN_WIDE, "MAC address of its persona"},
        {"wwpn", COLUMN_WIDE, "port name of its persona"},
        {"peer_pid", COLUMN_RIGHT | COLUMN_WIDE, "process that drives it (QEMU)"},
        {"id", COLUMN_RIGHT | COLUMN_WIDE, "number that no other vAdapter of this appliance ever had"},
        {"socket", COLUMN_WIDE, "path of its vfio-user socket"},
        {"wwnn", COLUMN_DETAIL, "node name of its persona"},
        {"nqn", COLUMN_DETAIL, "NVMe qualified name of its persona"},
        {"vlan", COLUMN_RIGHT | COLUMN_DETAIL, "VLAN id of its untagged frames"},
        {"vlan_mode", COLUMN_DETAIL, "access or trunk"},
        {"interrupts", COLUMN_DETAIL, "auto, msix, msi or intx"},
        {"interrupts_used", COLUMN_DETAIL, "what the device in the slot has: for auto msi, where msix could not be unplugged"},
        {"polling", COLUMN_DETAIL, "adaptive or always"},
        {"memory", COLUMN_DETAIL, "pageable or pinned"},
        {"pinned", COLUMN_RIGHT | COLUMN_DETAIL, "how much of its server's memory is pinned now"},
        {"unpinned", COLUMN_DETAIL, "why not all of it is, where it is to be"},
        {"reason", COLUMN_WIDE, "why it is in its state"},
        {"namespaces", COLUMN_DETAIL, "the volumes that it shows as namespaces"},
        {"luns", COLUMN_DETAIL, "the volumes that it shows as logical units"},
        {"drives", COLUMN_DETAIL, "the volumes that it shows as disks"},
        {"limits", COLUMN_DETAIL, "what its qos limits it to, and its weight"},
        {"share", COLUMN_DETAIL, "what it may have now of an adapter that has rates of its own"},
        {"counters", COLUMN_DETAIL, "running totals"},
        {0},
};
/* The counters of the register map, less id and reserved. */
static const struct column counter_columns[] = {
        {"read_ops", COLUMN_RIGHT, ""},   {"write_ops", COLUMN_RIGHT, ""},
        {"other_ops", COLUMN_RIGHT, ""},  {"admin_ops", COLUMN_RIGHT, ""},
        {"read_bytes", COLUMN_RIGHT, ""}, {"write_bytes", COLUMN_RIGHT, ""},
        {"errors", COLUMN_RIGHT, ""},     {"inflight", COLUMN_RIGHT, ""},
        {"busy_ns", COLUMN_RIGHT, ""},    {"interrupts", COLUMN_RIGHT, ""},
        {"mmio_reads", COLUMN_RIGHT, ""}, {"mmio_writes", COLUMN_RIGHT, ""},
        {"dma_faults", COLUMN_RIGHT, ""}, {"resets", COLUMN_RIGHT, ""},
        {"qos_ns", COLUMN_RIGHT, ""},     {0},
};

static struct table *slots_table(const struct iov_model *model, const char *server) {
        struct table *t = table_new("slots", slot_columns);

        for (unsigned int slot = 0; slot < iov_model_get_slots(model); slot++) {
                const struct iov_vadapter *v = iov_vadapter_in_slot(model, server, slot);

                if (!v)
                        continue;
                table_row(t);
                put_number(t, slot);
                PUT_FIELD(t, v->name);
                PUT_FIELD(t, v->adapter);
                put_text(t, iov_vadapter_state_to_string(v->state));
        }
        return t;
}

/* The hypervisor, as far as it is known. */
static void put_host(struct table *t, const struct iov_server *server) {
        const uint32_t version = server->host_version;

        put_text(t, iov_host_state_to_string(server->host_state));
        if (version) {
                CLEANUP_FREE char *text = xasprintf("%u.%u.%u", version >> 16, version >> 8 & 255, version & 255);

                put_text(t, text);
        } else {
                put_null(t);
        }
        PUT_FIELD(t, server->host_reason);
}

static void server_row(struct table *t, const struct snapshot *s, const void *record) {
        const struct iov_server *server = record;
        struct table *slots = slots_table(s->model, server->name);

        PUT_FIELD(t, server->name);
        put_number(t, server->link);
        put_text(t, iov_server_state_to_string(server->state));
        put_number(t, table_n_rows(slots));
        PUT_FIELD(t, server->profile);
        put_number_or_null(t, server->worker_pid);
        put_number(t, server->worker_restarts);
        PUT_FIELD(t, server->qemu);
        put_host(t, server);
        put_table(t, slots);
}

static void adapter_row(struct table *t, const struct snapshot *s, const void *record) {
        const struct iov_adapter *a = record;

        PUT_FIELD(t, a->name);
        put_text(t, iov_adapter_kind_to_string(a->kind));
        put_bool(t, a->supported);
        put_number_or_null(t, a->ports);
        if (a->capacity) {
                put_size(t, a->capacity);
                put_size(t, a->allocated < a->capacity ? a->capacity - a->allocated : 0);
        } else {
                put_null(t);
                put_null(t);
        }
        put_number(t, a->vadapters);
        put_rate_or_null(t, a->rate);
        if (a->capacity)
                put_size(t, a->allocated);
        else
                put_null(t);
        if (a->vendor_id) {
                put_hex(t, a->vendor_id, 4);
                put_hex(t, a->device_id, 4);
        } else {
                put_null(t);
                put_null(t);
        }
        if (a->capacity)
                put_text(t, iov_media_to_string(a->media));
        else
                put_null(t);
        put_number_or_null(t, a->iops);
        put_rate_or_null(t, a->bandwidth);
        PUT_FIELD(t, a->model);
        PUT_FIELD(t, a->backend);
}

static struct table *counters_table(const struct iov_counter *c) {
        struct table *t = table_new("counters", counter_columns);
        const struct iov_record_info *info = iov_records_get(IOV_KIND_COUNTER);

        if (!c)
                return t;
        table_row(t);
        /* The columns are in the order of the fields, some of which have none. */
        for (unsigned int i = 0, column = 0; i < info->n_fields && counter_columns[column].name; i++) {
                const struct iov_rfield_info *f = &info->fields[i];
                uint64_t value;

                if (strcmp(counter_columns[column].name, f->name) != 0)
                        continue;
                column++;
                memcpy(&value, (const char *)c + f->offset, sizeof(value));
                if (strcmp(f->name, "read_bytes") == 0 || strcmp(f->name, "write_bytes") == 0)
                        put_size(t, value);
                else
                        put_number(t, value);
        }
        return t;
}

static void put_network_words(struct table *t, const struct iov_model *model, const struct iov_vadapter *v) {
        const struct iov_adapter *a = iov_model_get(model, IOV_KIND_ADAPTER, v->adapter);

        if (a && a->kind == IOV_ADAPTER_NIC)
                put_text(t, iov_vlan_mode_to_string(v->vlan_mode));
        else
                put_null(t);
        put_text(t, iov_interrupts_to_string(v->interrupts));
}

static struct table *limits_table(const struct snapshot *s, const struct iov_vadapter *v) {
        static const struct column columns[] = {{"read_iops", COLUMN_RIGHT, ""},
                                                {"write_iops", COLUMN_RIGHT, ""},
                                                {"bandwidth", COLUMN_RIGHT, ""},
                                                {"weight", COLUMN_RIGHT, ""},
                                                {0}};
        const struct iov_qos *q = *v->qos ? iov_model_get(s->model, IOV_KIND_QOS, v->qos) : NULL;
        struct table *t = table_new("limits", columns);

        table_row(t);
        put_number_or_null(t, q ? q->read_iops : 0);
        put_number_or_null(t, q ? q->write_iops : 0);
        put_rate_or_null(t, q ? q->bandwidth : 0);
        put_number(t, q ? q->weight : IOV_WEIGHT_DEFAULT);
        return t;
}

/* Empty where its adapter has no rates, or it is not plugged in. */
static struct table *share_table(const struct iov_counter *c) {
        static const struct column columns[] = {{"iops", COLUMN_RIGHT, ""}, {"bandwidth", COLUMN_RIGHT, ""}, {0}};
        struct table *t = table_new("share", columns);

        if (!c || (!c->share_iops && !c->share_bandwidth))
                return t;
        table_row(t);
        put_number_or_null(t, c->share_iops);
        put_rate_or_null(t, c->share_bandwidth);
        return t;
}

/* What is pinned says something only of what a server drives. */
static void put_memory(struct table *t, const struct iov_vadapter *v, const struct iov_counter *c) {
        const bool is_told = c && v->memory == IOV_MEMORY_PINNED && v->state == IOV_VADAPTER_CONNECTED;

        put_text(t, iov_memory_to_string(v->memory));
        if (is_told)
                put_size(t, c->pinned);
        else
                put_null(t);
        put_text(t, is_told ? iov_unpinned_to_string(c->unpinned) : NULL);
}

static void vadapter_row(struct table *t, const struct snapshot *s, const void *record) {
        const struct iov_vadapter *v = record;

        PUT_FIELD(t, v->name);
        PUT_FIELD(t, v->adapter);
        PUT_FIELD(t, v->at_server);
        if (*v->at_server)
                put_number(t, v->at_slot);
        else
                put_null(t);
        put_text(t, iov_vadapter_state_to_string(v->state));
        PUT_FIELD(t, v->serial);
        PUT_FIELD(t, v->profile);
        PUT_FIELD(t, v->qos);
        PUT_FIELD(t, v->network);
        PUT_FIELD(t, v->mac);
        PUT_FIELD(t, v->wwpn);
        put_number_or_null(t, v->peer_pid);
        put_number_or_null(t, v->id);
        PUT_FIELD(t, v->socket);
        PUT_FIELD(t, v->wwnn);
        PUT_FIELD(t, v->nqn);
        put_number_or_null(t, v->vlan);
        put_network_words(t, s->model, v);
        if (v->interrupts_used)
                put_text(t, iov_interrupts_to_string(v->interrupts_used));
        else
                put_null(t);
        put_text(t, iov_polling_to_string(v->polling));
        put_memory(t, v, snapshot_counter(s, v));
        PUT_FIELD(t, v->reason);
        put_table(t, members_table(s, IOV_KIND_NAMESPACE, v->name));
        put_table(t, members_table(s, IOV_KIND_LUN, v->name));
        put_table(t, members_table(s, IOV_KIND_DRIVE, v->name));
        put_record(t, limits_table(s, v));
        put_record(t, share_table(snapshot_counter(s, v)));
        put_record(t, counters_table(snapshot_counter(s, v)));
}

static const struct {
        enum iov_kind kind;
        const char *word, *plural;
        const struct column *columns;
        void (*row)(struct table *t, const struct snapshot *s, const void *record);
} kinds[] = {
        {IOV_KIND_SERVER, "server", "servers", server_columns, server_row},
        {IOV_KIND_ADAPTER, "adapter", "adapters", adapter_columns, adapter_row},
        {IOV_KIND_VOLUME, "volume", "volumes", volume_columns, volume_row},
        {IOV_KIND_VADAPTER, "vAdapter", "vadapters", vadapter_columns, vadapter_row},
        {IOV_KIND_NAMESPACE, "namespace", "namespaces", namespace_columns, namespace_row},
        {IOV_KIND_LUN, "LUN", "luns", lun_columns, member_row},
        {IOV_KIND_DRIVE, "drive", "drives", drive_columns, member_row},
        {IOV_KIND_NETWORK, "network", "networks", network_columns, network_row},
        {IOV_KIND_QOS, "qos", "qos", qos_columns, qos_row},
        {IOV_KIND_PROFILE, "profile", "profiles", profile_columns, profile_row},
        {IOV_KIND_POOL, "pool", "pools", pool_columns, pool_row},
        {IOV_KIND_LINK, "link", "links", link_columns, link_row},
        {IOV_KIND_FAULT, "fault", "faults", fault_columns, fault_row},
};

enum iov_kind objects_kind(const char *word) {
        for (unsigned int k = 0; k < IOV_KIND_COUNT; k++)
                if (strcmp(iov_records_get((enum iov_kind)k)->name, word) == 0)
                        return (enum iov_kind)k;
        return IOV_KIND_COUNT;
}

const char *kind_word(enum iov_kind kind) {
        for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++)
                if (kinds[i].kind == kind)
                        return kinds[i].word;
        return iov_records_get(kind) ? iov_records_get(kind)->name : "object";
}

struct table *objects_table(const struct snapshot *s, enum iov_kind kind, const char *name) {
        CLEANUP_FREE const void **records = NULL;
        size_t k = 0;

        while (kinds[k].kind != kind)
                k++;
        struct table *t = table_new(kinds[k].plural, kinds[k].columns);
        if (name) {
                const void *record = iov_model_get(s->model, kind, name);

                if (record) {
                        table_row(t);
                        kinds[k].row(t, s, record);
                }
                return t;
        }
        int n = iov_model_sorted(s->model, kind, &records);
        for (int i = 0; i < n; i++) {
                table_row(t);
                kinds[k].row(t, s, records[i]);
        }
        return t;
}
