/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `kind: topology` as tables of keys, and what must not be there twice. */
#include <errno.h>

#include "reader.h"
#include "util.h"

#define LAST_LINK (IOV_SERVER_MAX - 1) /* whether the chassis has it, the appliance says */
#define LAST_SLOT 65535

/* ---- servers ---- */

enum { SERVER_LINK };
static const struct key server_keys[] = {
        [SERVER_LINK] = {.name = "link",
                         .read = reader_read_u32,
                         .offset = offsetof(struct iov_server, link),
                         .flags = KEY_REQUIRED,
                         .max = LAST_LINK},
        {.name = "profile", .flags = KEY_LATER},
        {.name = "host", .flags = KEY_LATER},
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
        return e < 0 || r->n_errors != errors ? e : reader_set(r, IOV_KIND_SERVER, &server, &subject->place);
}

/* ---- volumes ---- */

static const struct key volume_keys[] = {
        {.name = "adapter", .read = reader_read_name, .offset = offsetof(struct iov_volume, adapter), .flags = KEY_REQUIRED},
        {.name = "size", .read = reader_read_size, .offset = offsetof(struct iov_volume, size), .flags = KEY_REQUIRED},
        {.name = "on_remove",
         .read = reader_read_word,
         .offset = offsetof(struct iov_volume, on_remove),
         .from_string = iov_on_remove_from_string,
         .words = "delete, retain"},
};

static int read_volume(struct reader *r, const struct subject *subject) {
        struct iov_volume volume = {.on_remove = IOV_ON_REMOVE_DELETE};
        struct value values[ARRAY_LENGTH(volume_keys)];
        unsigned int errors = r->n_errors;

        field_set(volume.name, sizeof(volume.name), subject->name);
        int e = reader_mapping(r, volume_keys, ARRAY_LENGTH(volume_keys), subject, &volume, values);
        return e < 0 || r->n_errors != errors ? e : reader_set(r, IOV_KIND_VOLUME, &volume, &subject->place);
}

/* ---- vAdapters ---- */

struct vadapter_draft {
        struct iov_vadapter record;
        unsigned int n_namespaces;
        struct iov_namespace namespaces[IOV_NSID_MAX]; /* only the first n_namespaces mean anything */
        struct place places[IOV_NSID_MAX];
};

static int read_serial(struct reader *r, const struct key *key, void *object) {
        struct iov_vadapter *vadapter = object;
        struct place place = reader_place(r);
        char show[READER_SHOW_SIZE];
        const char *text = NULL;
        int e = reader_text(r, key->name, &text);

        if (e <= 0 || strcmp(text, "auto") == 0)
                return e < 0 ? e : 0;
        size_t length = strlen(text);
        /* NVMe 1.4 section 5.15.2.2: 20 characters of ASCII, padded with spaces; section 1.5: 0x20 to 0x7e. */
        bool good = length >= 1 && length <= IOV_SERIAL_MAX && text[0] != ' ' && text[length - 1] != ' ';
        for (size_t i = 0; i < length; i++)
                good &= text[i] >= 0x20 && text[i] <= 0x7e;
        if (!good)
                return reader_refuse(r, "serial: %s is not 1 to %u printable ASCII characters without a space at either end",
                                     reader_show(show, text), IOV_SERIAL_MAX);
        field_set(vadapter->serial, sizeof(vadapter->serial), text);
        return reader_unique(r, &place, PLACE_SERIAL, text, "serial %s is that of another vAdapter", reader_show(show, text));
}

static const struct key persona_keys[] = {
        {.name = "serial", .read = read_serial}, {.name = "mac", .flags = KEY_LATER}, {.name = "wwpn", .flags = KEY_LATER},
        {.name = "wwnn", .flags = KEY_LATER},    {.name = "nqn", .flags = KEY_LATER},
};

static int read_persona(struct reader *r, const struct key *key, void *object) {
        struct subject subject = {.kind = key->name, .place = reader_place(r)};
        struct value values[ARRAY_LENGTH(persona_keys)];

        return reader_is_null(r) ? 0 : reader_mapping(r, persona_keys, ARRAY_LENGTH(persona_keys), &subject, object, values);
}

enum { ATTACH_SERVER, ATTACH_SLOT };
static const struct key attach_keys[] = {
        [ATTACH_SERVER] = {.name = "server",
                           .read = reader_read_name,
                           .offset = offsetof(struct iov_vadapter, server),
                           .flags = KEY_REQUIRED},
        [ATTACH_SLOT] = {.name = "slot",
                         .read = reader_read_u32,
                         .offset = offsetof(struct iov_vadapter, slot),
                         .flags = KEY_REQUIRED,
                         .max = LAST_SLOT},
};

static int read_attach(struct reader *r, const struct key *key, void *object) {
        struct iov_vadapter *vadapter = object;
        struct subject subject = {.kind = key->name, .place = reader_place(r)};
        struct value values[ARRAY_LENGTH(attach_keys)];
        char slot[IOV_NAME_SIZE + 16];

        if (reader_is_null(r))
                return 0;
        int e = reader_mapping(r, attach_keys, ARRAY_LENGTH(attach_keys), &subject, object, values);
        if (e < 0 || !values[ATTACH_SERVER].good || !values[ATTACH_SLOT].good)
                return e;
        snprintf(slot, sizeof(slot), "%s/%u", vadapter->server, vadapter->slot);
        return reader_unique(r, &values[ATTACH_SLOT].at, PLACE_SLOT, slot, "slot %u of server %s has a vAdapter already",
                             vadapter->slot, vadapter->server);
}

enum { NAMESPACE_VOLUME, NAMESPACE_NSID };
static const struct key namespace_keys[] = {
        [NAMESPACE_VOLUME] = {.name = "volume",
                              .read = reader_read_name,
                              .offset = offsetof(struct iov_namespace, volume),
                              .flags = KEY_REQUIRED},
        [NAMESPACE_NSID] = {.name = "nsid",
                            .read = reader_read_u32,
                            .offset = offsetof(struct iov_namespace, nsid),
                            .min = 1,
                            .max = IOV_NSID_MAX},
};

static int read_namespace(struct reader *r, unsigned int i, void *object) {
        struct vadapter_draft *draft = object;
        struct subject subject = {.kind = "namespace", .place = reader_place(r)};
        struct value values[ARRAY_LENGTH(namespace_keys)];

        if (i >= IOV_NSID_MAX)
                return i > IOV_NSID_MAX ? reader_skip(r) : reader_refuse(r, "namespaces: more than %u", IOV_NSID_MAX);
        struct iov_namespace *ns = &draft->namespaces[draft->n_namespaces];
        *ns = (struct iov_namespace){.nsid = i + 1};
        int e = reader_mapping(r, namespace_keys, ARRAY_LENGTH(namespace_keys), &subject, ns, values);
        if (e < 0)
                return e;
        if (values[NAMESPACE_VOLUME].good)
                e = reader_unique(r, &values[NAMESPACE_VOLUME].at, PLACE_VOLUME_USE, ns->volume,
                                  "volume %s is shown by a namespace already", ns->volume);
        if (e < 0 || !values[NAMESPACE_VOLUME].good || (values[NAMESPACE_NSID].key.line && !values[NAMESPACE_NSID].good))
                return e;
        draft->places[draft->n_namespaces++] = subject.place;
        e = iov_namespace_init(ns, draft->record.name, ns->nsid);
        if (e < 0)
                return e;
        const struct place *place = values[NAMESPACE_NSID].good ? &values[NAMESPACE_NSID].at : &subject.place;
        return reader_unique(r, place, PLACE_OBJECT + IOV_KIND_NAMESPACE, ns->name, "vadapter %s has two namespaces %u",
                             draft->record.name, ns->nsid);
}

static int read_namespaces(struct reader *r, const struct key *key, void *object) {
        return reader_sequence(r, key->name, read_namespace, object);
}

static const struct key vadapter_keys[] = {
        {.name = "adapter",
         .read = reader_read_name,
         .offset = offsetof(struct vadapter_draft, record.adapter),
         .flags = KEY_REQUIRED},
        {.name = "persona", .read = read_persona},
        {.name = "namespaces", .read = read_namespaces},
        {.name = "attach", .read = read_attach},
        {.name = "network", .flags = KEY_LATER},
        {.name = "vlan", .flags = KEY_LATER},
        {.name = "qos", .flags = KEY_LATER},
        {.name = "luns", .flags = KEY_LATER},
};

static int read_vadapter(struct reader *r, const struct subject *subject) {
        struct vadapter_draft draft;
        struct value values[ARRAY_LENGTH(vadapter_keys)];
        unsigned int errors = r->n_errors;

        draft.record = (struct iov_vadapter){0};
        draft.n_namespaces = 0;
        field_set(draft.record.name, sizeof(draft.record.name), subject->name);
        int e = reader_mapping(r, vadapter_keys, ARRAY_LENGTH(vadapter_keys), subject, &draft, values);
        if (e < 0 || r->n_errors != errors)
                return e;
        e = reader_set(r, IOV_KIND_VADAPTER, &draft.record, &subject->place);
        for (unsigned int i = 0; e == 0 && i < draft.n_namespaces; i++)
                e = reader_set(r, IOV_KIND_NAMESPACE, &draft.namespaces[i], &draft.places[i]);
        return e;
}

/* ---- the document ---- */

static int read_servers(struct reader *r, const struct key *key, void *object) {
        return reader_names(r, IOV_KIND_SERVER, "server", read_server);
}

static int read_volumes(struct reader *r, const struct key *key, void *object) {
        return reader_names(r, IOV_KIND_VOLUME, "volume", read_volume);
}

static int read_vadapters(struct reader *r, const struct key *key, void *object) {
        return reader_names(r, IOV_KIND_VADAPTER, "vadapter", read_vadapter);
}

static const struct key topology_keys[] = {
        {.name = "version", .read = reader_read_version, .flags = KEY_REQUIRED},
        {.name = "kind", .read = reader_read_kind, .flags = KEY_REQUIRED, .words = "topology"},
        {.name = "name", .read = reader_read_document_name},
        {.name = "servers", .read = read_servers},
        {.name = "volumes", .read = read_volumes},
        {.name = "vadapters", .read = read_vadapters},
        {.name = "networks", .flags = KEY_LATER},
        {.name = "qos", .flags = KEY_LATER},
        {.name = "profiles", .flags = KEY_LATER},
};

int iov_topology_read(struct iov_model *model, const char *file, const char *text, size_t length,
                      struct iov_diagnostics *diagnostics) {
        return reader_document(model, file, text, length, diagnostics, "topology", topology_keys, ARRAY_LENGTH(topology_keys));
}
