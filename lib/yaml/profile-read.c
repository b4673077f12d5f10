/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Profiles: which vAdapter is in which slot of whoever wears one. */
#include <errno.h>

#include "topology-read.h"
#include "util.h"

static int read_slot(struct reader *r, uint32_t number, const struct place *place, void *object) {
        const char *profile = object;
        struct iov_member slot = {0};
        unsigned int errors = r->n_errors;
        struct place at = reader_place(r);
        const struct place *attached;
        int e = iov_member_init(&slot, profile, number);

        if (e == 0)
                e = reader_unique(r, place, PLACE_OBJECT + IOV_KIND_PROFILE_SLOT, slot.name,
                                  "slot %u of profile %s is here twice", number, profile);
        if (e == 0)
                e = reader_take_name(r, "vadapter", IOV_KIND_VADAPTER, slot.target);
        if (e <= 0)
                return e;
        e = reader_unique(r, &at, PLACE_IN_PROFILE, slot.target, "vadapter %s is in a slot of a profile already", slot.target);
        attached = diagnostics_find(r->diagnostics, PLACE_ATTACHED, slot.target);
        if (e == 0 && attached) {
                struct place first = *attached;

                e = reader_twice(r, &at, &first, "vadapter %s is attached to a server by itself, and cannot be in a profile too",
                                 slot.target);
        }
        return e < 0 || r->n_errors != errors ? e : reader_set(r, IOV_KIND_PROFILE_SLOT, &slot, place);
}

static int read_slots(struct reader *r, const struct key *key, void *object) {
        return reader_numbers(r, key->name, TOPOLOGY_LAST_SLOT, read_slot, object);
}

static const struct key profile_keys[] = {
        {.name = "slots", .read = read_slots},
};

static int read_profile(struct reader *r, const struct subject *subject) {
        struct iov_profile profile = {0};
        struct value values[ARRAY_LENGTH(profile_keys)];

        field_set(profile.name, sizeof(profile.name), subject->name);
        int e = reader_set(r, IOV_KIND_PROFILE, &profile, &subject->place);
        return e < 0 ? e : reader_mapping(r, profile_keys, ARRAY_LENGTH(profile_keys), subject, profile.name, values);
}

int topology_read_profiles(struct reader *r, const struct key *key, void *object) {
        return reader_names(r, IOV_KIND_PROFILE, "profile", read_profile);
}
