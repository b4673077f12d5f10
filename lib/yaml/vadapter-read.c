/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vAdapters: what they are images of, what they show, and where they are. */
#include <errno.h>

#include "topology-read.h"
#include "util.h"

/* ---- where it is ---- */

enum { ATTACH_SERVER, ATTACH_SLOT };
static const struct key attach_keys[] = {
        [ATTACH_SERVER] = {.name = "server",
                           .read = reader_read_name,
                           .offset = offsetof(struct iov_vadapter, server),
                           .flags = KEY_REQUIRED,
                           .refers = IOV_KIND_SERVER},
        [ATTACH_SLOT] = {.name = "slot",
                         .read = reader_read_u32,
                         .offset = offsetof(struct iov_vadapter, slot),
                         .flags = KEY_REQUIRED,
                         .max = TOPOLOGY_LAST_SLOT},
};

/* A vAdapter is attached by itself or in a profile. */
static int note_attached(struct reader *r, const char *name, const struct place *place) {
        const struct place *in_profile = diagnostics_find(r->diagnostics, PLACE_IN_PROFILE, name);

        if (in_profile) {
                struct place first = *in_profile;

                return reader_twice(r, place, &first, "vadapter %s is in a profile, and cannot be attached by itself too", name);
        }
        int e = diagnostics_note(r->diagnostics, PLACE_ATTACHED, name, place, NULL);
        return e < 0 ? e : 0;
}

static int read_attach(struct reader *r, const struct key *key, void *object) {
        struct iov_vadapter *vadapter = object;
        struct subject subject = {.kind = key->name, .place = reader_place(r)};
        struct value values[ARRAY_LENGTH(attach_keys)];
        char slot[IOV_NAME_SIZE + 16];

        if (reader_is_null(r))
                return 0;
        int e = reader_mapping(r, attach_keys, ARRAY_LENGTH(attach_keys), &subject, object, values);
        if (e == 0)
                e = note_attached(r, vadapter->name, &subject.place);
        if (e < 0 || !values[ATTACH_SERVER].good || !values[ATTACH_SLOT].good)
                return e;
        snprintf(slot, sizeof(slot), "%s/%u", vadapter->server, vadapter->slot);
        return reader_unique(r, &values[ATTACH_SLOT].at, PLACE_SLOT, slot, "slot %u of server %s has a vAdapter already",
                             vadapter->slot, vadapter->server);
}

/* ---- what it shows: volumes with numbers ---- */

struct members {
        const char *vadapter;
        enum iov_kind kind;
        const struct key *keys;
        unsigned int n_keys;
};

/* The keys of all kinds of members are in this order; the last is of namespaces alone. */
enum { MEMBER_VOLUME, MEMBER_NUMBER, MEMBER_READ_ONLY, MEMBER_KEYS };
#define VOLUME                                                                                                                   \
        {                                                                                                                        \
                .name = "volume", .read = reader_read_name, .offset = offsetof(struct iov_member, target),                       \
                .flags = KEY_REQUIRED, .refers = IOV_KIND_VOLUME                                                                 \
        }
#define NUMBER(key, least, most)                                                                                                 \
        .name = (key), .read = reader_read_u32, .offset = offsetof(struct iov_member, number), .min = (least), .max = (most)
static const struct key namespace_keys[] = {
        VOLUME,
        {NUMBER("nsid", 1, IOV_NSID_MAX)},
        {.name = "read_only", .read = reader_read_bool, .offset = offsetof(struct iov_member, read_only)}};
_Static_assert(ARRAY_LENGTH(namespace_keys) == MEMBER_KEYS, "namespaces have them all");
static const struct key lun_keys[] = {VOLUME, {NUMBER("lun", 0, IOV_LUN_NUMBER_MAX), .flags = KEY_REQUIRED}};
static const struct key drive_keys[] = {VOLUME, {NUMBER("drive", 0, IOV_DRIVE_NUMBER_MAX)}};

static int read_member(struct reader *r, unsigned int i, void *object) {
        const struct members *members = object;
        const struct key *number = &members->keys[MEMBER_NUMBER];
        const char *word = iov_records_get(members->kind)->name;
        struct subject subject = {.kind = word, .place = reader_place(r)};
        struct value values[MEMBER_KEYS];
        unsigned int errors = r->n_errors, room = (unsigned int)(number->max - number->min + 1);
        struct iov_member member = {.number = (uint32_t)number->min + i};

        if (i >= room)
                return i > room ? reader_skip(r) : reader_refuse(r, "%ss: more than %u", word, room);
        int e = reader_mapping(r, members->keys, members->n_keys, &subject, &member, values);
        /* Those who only read may share, and so may all others a volume that says so; the rest is for the appliance to judge,
         * which knows all of them. */
        const struct iov_volume *volume =
                e == 0 && values[MEMBER_VOLUME].good ? iov_model_get(r->model, IOV_KIND_VOLUME, member.target) : NULL;
        if (e == 0 && values[MEMBER_VOLUME].good && !member.read_only && !(volume && volume->shared))
                e = reader_unique(r, &values[MEMBER_VOLUME].at, PLACE_VOLUME_USE, member.target,
                                  "volume %s is shown by a vAdapter already", member.target);
        if (e < 0 || !values[MEMBER_VOLUME].good || (values[MEMBER_NUMBER].key.line && !values[MEMBER_NUMBER].good))
                return e;
        e = iov_member_init(&member, members->vadapter, member.number);
        if (e == 0)
                e = reader_unique(r, values[MEMBER_NUMBER].good ? &values[MEMBER_NUMBER].at : &subject.place,
                                  PLACE_OBJECT + (uint32_t)members->kind, member.name, "vadapter %s has two %ss %u",
                                  members->vadapter, word, member.number);
        return e < 0 || r->n_errors != errors ? e : reader_set(r, members->kind, &member, &subject.place);
}

static int read_members(struct reader *r, const struct key *key, enum iov_kind kind, const struct key *keys, unsigned int n_keys,
                        const void *object) {
        const struct iov_vadapter *vadapter = object;
        struct members members = {.vadapter = vadapter->name, .kind = kind, .keys = keys, .n_keys = n_keys};

        return reader_sequence(r, key->name, read_member, &members);
}

static int read_namespaces(struct reader *r, const struct key *key, void *object) {
        return read_members(r, key, IOV_KIND_NAMESPACE, namespace_keys, ARRAY_LENGTH(namespace_keys), object);
}

static int read_luns(struct reader *r, const struct key *key, void *object) {
        return read_members(r, key, IOV_KIND_LUN, lun_keys, ARRAY_LENGTH(lun_keys), object);
}

static int read_drives(struct reader *r, const struct key *key, void *object) {
        return read_members(r, key, IOV_KIND_DRIVE, drive_keys, ARRAY_LENGTH(drive_keys), object);
}

/* ---- the vAdapter ---- */

#define FIELD(name) offsetof(struct iov_vadapter, name)
static const struct key vadapter_keys[] = {
        {.name = "adapter",
         .read = reader_read_name,
         .offset = FIELD(adapter),
         .flags = KEY_REQUIRED,
         .refers = IOV_KIND_ADAPTER},
        {.name = "persona", .read = topology_read_persona},
        {.name = "network", .read = reader_read_name, .offset = FIELD(network), .refers = IOV_KIND_NETWORK},
        {.name = "vlan", .read = reader_read_u32, .offset = FIELD(vlan), .min = 1, .max = IOV_VLAN_MAX},
        {.name = "vlan_mode",
         .read = reader_read_word,
         .offset = FIELD(vlan_mode),
         .from_string = iov_vlan_mode_from_string,
         .words = "access, trunk"},
        {.name = "qos", .read = reader_read_name, .offset = FIELD(qos), .refers = IOV_KIND_QOS},
        {.name = "interrupts",
         .read = reader_read_word,
         .offset = FIELD(interrupts),
         .from_string = iov_interrupts_from_string,
         .words = "auto, msix, msi, intx"},
        {.name = "polling",
         .read = reader_read_word,
         .offset = FIELD(polling),
         .from_string = iov_polling_from_string,
         .words = "adaptive, always"},
        {.name = "namespaces", .read = read_namespaces},
        {.name = "luns", .read = read_luns},
        {.name = "drives", .read = read_drives},
        {.name = "attach", .read = read_attach},
};

static int read_vadapter(struct reader *r, const struct subject *subject) {
        struct iov_vadapter vadapter = {0};
        struct value values[ARRAY_LENGTH(vadapter_keys)];
        unsigned int errors = r->n_errors;

        field_set(vadapter.name, sizeof(vadapter.name), subject->name);
        int e = reader_mapping(r, vadapter_keys, ARRAY_LENGTH(vadapter_keys), subject, &vadapter, values);
        return e < 0 || r->n_errors != errors ? e : reader_set(r, IOV_KIND_VADAPTER, &vadapter, &subject->place);
}

int topology_read_vadapters(struct reader *r, const struct key *key, void *object) {
        return reader_names(r, IOV_KIND_VADAPTER, "vadapter", read_vadapter);
}
