/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `kind: chassis` as tables of keys. */
#include <errno.h>

#include "backend.h"
#include "reader.h"
#include "util.h"

#define LINKS_MAX 256
#define SLOTS_MAX 256
#define PORTS_MAX 64

/* A text that `check` finds nothing wrong with, into a field of `size` bytes. */
static int read_checked(struct reader *r, const struct key *key, const char *(*check)(const char *text), char *field,
                        size_t size) {
        char show[READER_SHOW_SIZE];
        const char *text = NULL;
        int e = reader_text(r, key->name, &text);

        if (e <= 0)
                return e;
        const char *wrong = check(text);
        if (wrong)
                return reader_refuse(r, "%s: %s: %s", key->name, reader_show(show, text), wrong);
        if (field_set(field, size, text) < 0)
                return reader_refuse(r, "%s: longer than %zu characters", key->name, size - 1);
        return 0;
}

static const char *model_check(const char *text) {
        for (const char *p = text; *p; p++)
                if (*p < 0x20 || *p > 0x7e)
                        return "it is not printable ASCII";
        return NULL;
}

static int read_model(struct reader *r, const struct key *key, void *object) {
        struct iov_adapter *adapter = object;

        return read_checked(r, key, model_check, adapter->model, sizeof(adapter->model));
}

static const char *given_backend_check(const char *text) {
        return *text ? backend_check(text) : "it is empty";
}

static int read_backend(struct reader *r, const struct key *key, void *object) {
        struct iov_adapter *adapter = object;

        return read_checked(r, key, given_backend_check, adapter->backend, sizeof(adapter->backend));
}

enum {
        ADAPTER_KIND,
        ADAPTER_PORTS,
        ADAPTER_RATE,
        ADAPTER_CAPACITY,
        ADAPTER_MEDIA,
        ADAPTER_BACKEND,
        ADAPTER_IOPS,
        ADAPTER_BANDWIDTH,
        ADAPTER_MODEL
};
static const struct key adapter_keys[] = {
        [ADAPTER_KIND] = {.name = "kind",
                          .read = reader_read_word,
                          .offset = offsetof(struct iov_adapter, kind),
                          .flags = KEY_REQUIRED,
                          .from_string = iov_adapter_kind_from_string,
                          .words = "nic, hba, raid, ssd, sata"},
        [ADAPTER_PORTS] = {.name = "ports",
                           .read = reader_read_u32,
                           .offset = offsetof(struct iov_adapter, ports),
                           .min = 1,
                           .max = PORTS_MAX},
        [ADAPTER_RATE] = {.name = "rate", .read = reader_read_rate, .offset = offsetof(struct iov_adapter, rate)},
        [ADAPTER_CAPACITY] = {.name = "capacity", .read = reader_read_size, .offset = offsetof(struct iov_adapter, capacity)},
        [ADAPTER_MEDIA] = {.name = "media",
                           .read = reader_read_word,
                           .offset = offsetof(struct iov_adapter, media),
                           .from_string = iov_media_from_string,
                           .words = "file, ram"},
        [ADAPTER_BACKEND] = {.name = "backend", .read = read_backend},
        [ADAPTER_IOPS] = {.name = "iops", .read = reader_read_count, .offset = offsetof(struct iov_adapter, iops)},
        [ADAPTER_BANDWIDTH] = {.name = "bandwidth", .read = reader_read_rate, .offset = offsetof(struct iov_adapter, bandwidth)},
        [ADAPTER_MODEL] = {.name = "model", .read = read_model},
};

/* What a kind of adapter has: those keys are needed, and of ports, rate and capacity no other is allowed. */
static const bool has[][ARRAY_LENGTH(adapter_keys)] = {
        [IOV_ADAPTER_NIC] = {[ADAPTER_PORTS] = true, [ADAPTER_RATE] = true},
        [IOV_ADAPTER_HBA] = {[ADAPTER_PORTS] = true, [ADAPTER_RATE] = true},
        [IOV_ADAPTER_RAID] = {[ADAPTER_PORTS] = true, [ADAPTER_CAPACITY] = true},
        [IOV_ADAPTER_SSD] = {[ADAPTER_CAPACITY] = true},
        [IOV_ADAPTER_SATA] = {[ADAPTER_PORTS] = true, [ADAPTER_CAPACITY] = true},
};

static int check_kind(struct reader *r, const struct subject *subject, const struct iov_adapter *adapter,
                      const struct value *values) {
        const char *kind = iov_adapter_kind_to_string(adapter->kind);
        int e = 0;

        for (size_t i = ADAPTER_PORTS; e == 0 && i <= ADAPTER_CAPACITY; i++)
                if (has[adapter->kind][i] && !values[i].key.line && !values[i].meant)
                        e = reader_error(r, &subject->place, "adapter %s: kind %s needs \"%s\"", subject->name, kind,
                                         adapter_keys[i].name);
                else if (!has[adapter->kind][i] && values[i].key.line)
                        e = reader_error(r, &values[i].key, "adapter %s: kind %s has no \"%s\"", subject->name, kind,
                                         adapter_keys[i].name);
        for (size_t i = ADAPTER_MEDIA; e == 0 && i <= ADAPTER_BANDWIDTH; i++)
                if (values[i].key.line && !has[adapter->kind][ADAPTER_CAPACITY])
                        e = reader_error(r, &values[i].key, "adapter %s: kind %s has no \"%s\"", subject->name, kind,
                                         adapter_keys[i].name);
        if (e == 0 && values[ADAPTER_BACKEND].key.line && adapter->media == IOV_MEDIA_RAM)
                e = reader_error(r, &values[ADAPTER_BACKEND].key, "adapter %s: media ram has no \"backend\"", subject->name);
        return e;
}

static int read_adapter(struct reader *r, const struct subject *subject) {
        struct iov_adapter adapter = {0};
        struct value values[ARRAY_LENGTH(adapter_keys)];
        unsigned int errors = r->n_errors;

        field_set(adapter.name, sizeof(adapter.name), subject->name);
        int e = reader_mapping(r, adapter_keys, ARRAY_LENGTH(adapter_keys), subject, &adapter, values);
        if (e == 0 && values[ADAPTER_KIND].good)
                e = check_kind(r, subject, &adapter, values);
        return e < 0 || r->n_errors != errors ? e : reader_set(r, IOV_KIND_ADAPTER, &adapter, &subject->place);
}

static int read_adapters(struct reader *r, const struct key *key, void *object) {
        return reader_names(r, IOV_KIND_ADAPTER, "adapter", read_adapter);
}

/* `links` and `slots` are numbers of the model itself. 1: read. */
static int read_count(struct reader *r, const struct key *key, unsigned int *ret_count) {
        struct place place = reader_place(r);
        uint64_t value = 0;
        int e = reader_number(r, key->name, key->min, key->max, &value);

        if (e <= 0)
                return e;
        *ret_count = (unsigned int)value;
        e = reader_unique(r, &place, PLACE_DOCUMENT, key->name, "\"%s\" is given twice", key->name);
        return e < 0 ? e : 1;
}

static int read_links(struct reader *r, const struct key *key, void *object) {
        unsigned int links = 0;
        int e = read_count(r, key, &links);

        if (e > 0)
                iov_model_set_links(r->model, links, iov_model_get_slots(r->model));
        return e < 0 ? e : 0;
}

static int read_slots(struct reader *r, const struct key *key, void *object) {
        unsigned int slots = 0;
        int e = read_count(r, key, &slots);

        if (e > 0)
                iov_model_set_links(r->model, iov_model_get_links(r->model), slots);
        return e < 0 ? e : 0;
}

static const struct key chassis_keys[] = {
        {.name = "version", .read = reader_read_version, .flags = KEY_REQUIRED},
        {.name = "kind", .read = reader_read_kind, .flags = KEY_REQUIRED, .words = "chassis"},
        {.name = "name", .read = reader_read_document_name},
        {.name = "links", .read = read_links, .flags = KEY_REQUIRED, .min = 1, .max = LINKS_MAX},
        {.name = "slots", .read = read_slots, .flags = KEY_REQUIRED, .min = 1, .max = SLOTS_MAX},
        {.name = "adapters", .read = read_adapters, .flags = KEY_REQUIRED},
};

int iov_chassis_read(struct iov_model *model, const char *file, const char *text, size_t length,
                     struct iov_diagnostics *diagnostics) {
        return reader_document(model, file, text, length, diagnostics, "chassis", chassis_keys, ARRAY_LENGTH(chassis_keys), NULL);
}
