/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Identities: the personas of vAdapters, and the pools that the appliance chooses from. The appliance judges them; what can be
 * seen without it is told here, since here it is known in which line.
 */
#include <errno.h>

#include "defaults.h"
#include "topology-read.h"
#include "util.h"

#define PREFIX_SERIAL_MAX 12
#define REST_MAX (UINT64_C(3660) * 86400)

/* ---- form ---- */

static unsigned int octets_of(enum iov_identity_type type) {
        return type == IOV_IDENTITY_MAC ? 6 : type == IOV_IDENTITY_WWNN || type == IOV_IDENTITY_WWPN ? 8 : 0;
}

static int hex(char c) {
        return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Octets in hex with colons between. */
static bool parse_octets(const char *s, unsigned int n, uint64_t *ret_value) {
        uint64_t value = 0;

        if (strlen(s) != (size_t)n * 3 - 1)
                return false;
        for (unsigned int i = 0; i < n; i++, s += 3) {
                int high = hex(s[0]), low = high < 0 ? -1 : hex(s[1]);

                if (low < 0 || s[2] != (i + 1 < n ? ':' : 0))
                        return false;
                value = value << 8 | (uint64_t)(high << 4 | low);
        }
        *ret_value = value;
        return true;
}

static const char *check_octets(enum iov_identity_type type, const char *s) {
        uint64_t value;

        if (type == IOV_IDENTITY_MAC) {
                if (!parse_octets(s, 6, &value))
                        return "six octets in hex wanted, such as \"02:1a:4a:00:07:01\"";
                /* IEEE 802-2014 section 8.2: the group bit is the lowest of the first octet. */
                if (value >> 40 & 1)
                        return "this is a group address: the first octet must be even";
                return value ? NULL : "all zero is no address";
        }
        if (!parse_octets(s, 8, &value))
                return "eight octets in hex wanted, such as \"50:01:43:80:12:34:56:78\"";
        /* FC-FS-3 section 14: the first four bits are the Network Address Authority. */
        return value >> 60 && strchr("12356c", "0123456789abcdef"[value >> 60])
                       ? NULL
                       : "no Network Address Authority: the first digit must be 1, 2, 3, 5, 6 or c";
}

static bool is_printable(const char *s, char least) {
        for (; *s; s++)
                if (*s < least || *s > 0x7e)
                        return false;
        return true;
}

/* What is wrong with an identity, NULL: nothing. */
static const char *check(enum iov_identity_type type, const char *s) {
        size_t length = strlen(s);

        if (octets_of(type))
                return check_octets(type, s);
        if (type == IOV_IDENTITY_SERIAL) {
                /* NVMe 1.4 section 5.15.2.2: 20 characters of ASCII, padded with spaces; section 1.5: 0x20 to 0x7e. */
                if (length == 0 || length > IOV_SERIAL_MAX || s[0] == ' ' || s[length - 1] == ' ' || !is_printable(s, 0x20))
                        return "1 to 20 printable ASCII characters wanted, and no space at either end";
                return NULL;
        }
        /* NVMe 1.4 section 7.9; of what UTF-8 allows, what other systems compare safely. */
        if (strncmp(s, "nqn.", 4) != 0 || length > IOV_NQN_MAX || !is_printable(s, 0x21))
                return "nqn. and more printable ASCII without spaces wanted, at most 223 characters";
        return NULL;
}

static void set_lower(char *field, size_t size, const char *s) {
        field_set(field, size, s);
        for (; *field; field++)
                if (*field >= 'A' && *field <= 'F')
                        *field = (char)(*field - 'A' + 'a');
}

/* 1: the text at hand is a good identity, and in the field, which has room for it. */
static int take(struct reader *r, const char *what, enum iov_identity_type type, char *field, size_t size) {
        char show[READER_SHOW_SIZE];
        const char *text = NULL;
        int e = reader_text(r, what, &text);

        if (e <= 0)
                return e;
        const char *wrong = check(type, text);
        if (wrong)
                return reader_refuse(r, "%s: %s: %s", what, reader_show(show, text), wrong);
        if (octets_of(type))
                set_lower(field, size, text);
        else
                field_set(field, size, text);
        return 1;
}

/* ---- personas ---- */

static const struct {
        size_t offset, size;
} fields[IOV_IDENTITY_COUNT] = {
        [IOV_IDENTITY_MAC] = {offsetof(struct iov_vadapter, mac), sizeof(((struct iov_vadapter *)0)->mac)},
        [IOV_IDENTITY_WWNN] = {offsetof(struct iov_vadapter, wwnn), sizeof(((struct iov_vadapter *)0)->wwnn)},
        [IOV_IDENTITY_WWPN] = {offsetof(struct iov_vadapter, wwpn), sizeof(((struct iov_vadapter *)0)->wwpn)},
        [IOV_IDENTITY_SERIAL] = {offsetof(struct iov_vadapter, serial), sizeof(((struct iov_vadapter *)0)->serial)},
        [IOV_IDENTITY_NQN] = {offsetof(struct iov_vadapter, nqn), sizeof(((struct iov_vadapter *)0)->nqn)},
};

static int read_identity(struct reader *r, const struct key *key, void *object) {
        struct place place = reader_place(r);
        char show[READER_SHOW_SIZE], *field;
        uint32_t type = 0;

        if (r->event.type == YAML_SCALAR_EVENT && strcmp((const char *)r->event.data.scalar.value, "auto") == 0 &&
            r->event.data.scalar.length == strlen("auto"))
                return 0;
        iov_identity_type_from_string(key->name, &type);
        field = (char *)object + fields[type].offset;
        int e = take(r, key->name, (enum iov_identity_type)type, field, fields[type].size);
        if (e <= 0)
                return e;
        /* Both kinds of WWN are names in one fabric: FC-FS-3 section 14. */
        uint32_t space = PLACE_IDENTITY + (type == IOV_IDENTITY_WWPN ? (uint32_t)IOV_IDENTITY_WWNN : type);
        return reader_unique(r, &place, space, field, "%s %s is given twice", key->name, reader_show(show, field));
}

static const struct key persona_keys[] = {
        {.name = "mac", .read = read_identity},  {.name = "wwnn", .read = read_identity},
        {.name = "wwpn", .read = read_identity}, {.name = "serial", .read = read_identity},
        {.name = "nqn", .read = read_identity},
};

int topology_read_persona(struct reader *r, const struct key *key, void *object) {
        struct subject subject = {.kind = key->name, .place = reader_place(r)};
        struct value values[ARRAY_LENGTH(persona_keys)];

        return reader_is_null(r) ? 0 : reader_mapping(r, persona_keys, ARRAY_LENGTH(persona_keys), &subject, object, values);
}

/* ---- pools ---- */

static int read_address(struct reader *r, const struct key *key, void *object) {
        struct iov_pool *pool = object;
        uint32_t type = 0;

        iov_identity_type_from_string(pool->name, &type);
        int e = take(r, key->name, (enum iov_identity_type)type, (char *)object + key->offset, sizeof(pool->first));
        return e < 0 ? e : 0;
}

static int read_prefix(struct reader *r, const struct key *key, void *object) {
        struct iov_pool *pool = object;
        char show[READER_SHOW_SIZE];
        const char *text = NULL;
        bool serial = strcmp(pool->name, "serial") == 0;
        size_t max = serial ? PREFIX_SERIAL_MAX : sizeof(pool->first) - 1;
        int e = reader_text(r, key->name, &text);

        if (e <= 0)
                return e;
        const char *wrong = check(serial ? IOV_IDENTITY_SERIAL : IOV_IDENTITY_NQN, text);
        if (wrong)
                return reader_refuse(r, "prefix: %s: %s", reader_show(show, text), wrong);
        if (strlen(text) > max)
                return reader_refuse(r, "prefix: %s has more than %zu characters", reader_show(show, text), max);
        if (serial && strcmp(text, "auto") == 0)
                return reader_refuse(r, "prefix: \"auto\" means something else in a persona; choose another");
        field_set(pool->first, sizeof(pool->first), text);
        return 0;
}

#define REST                                                                                                                     \
        { .name = "rest", .read = reader_read_duration, .offset = offsetof(struct iov_pool, rest), .max = REST_MAX }
enum { RANGE_FIRST, RANGE_LAST };
static const struct key range_keys[] = {
        [RANGE_FIRST] = {.name = "first", .read = read_address, .offset = offsetof(struct iov_pool, first)},
        [RANGE_LAST] = {.name = "last", .read = read_address, .offset = offsetof(struct iov_pool, last)},
        REST,
};
static const struct key prefix_keys[] = {
        {.name = "prefix", .read = read_prefix},
        REST,
};

static int check_range(struct reader *r, const struct subject *subject, const struct iov_pool *pool, const struct value *values) {
        const struct value *first = &values[RANGE_FIRST], *last = &values[RANGE_LAST];

        if (!first->key.line != !last->key.line && !first->meant && !last->meant)
                return reader_error(r, &subject->place, "pool %s needs both \"first\" and \"last\", or none of them",
                                    subject->name);
        /* Of one length and case: they compare as text. */
        if (first->good && last->good && strcmp(pool->last, pool->first) < 0)
                return reader_error(r, &last->at, "last: %s is before first, %s", pool->last, pool->first);
        return 0;
}

static int read_pool(struct reader *r, const struct subject *subject) {
        struct iov_pool pool = {.rest = DEFAULT_REST};
        struct value values[ARRAY_LENGTH(range_keys)];
        unsigned int errors = r->n_errors;
        uint32_t type;
        int e;

        if (iov_identity_type_from_string(subject->name, &type) < 0) {
                e = reader_error(r, &subject->place, "identities: %s is not one of mac, wwnn, wwpn, serial, nqn", subject->name);
                return e < 0 ? e : reader_skip(r);
        }
        field_set(pool.name, sizeof(pool.name), subject->name);
        if (octets_of((enum iov_identity_type)type)) {
                e = reader_mapping(r, range_keys, ARRAY_LENGTH(range_keys), subject, &pool, values);
                if (e == 0)
                        e = check_range(r, subject, &pool, values);
        } else {
                e = reader_mapping(r, prefix_keys, ARRAY_LENGTH(prefix_keys), subject, &pool, values);
        }
        return e < 0 || r->n_errors != errors ? e : reader_set(r, IOV_KIND_POOL, &pool, &subject->place);
}

int topology_read_identities(struct reader *r, const struct key *key, void *object) {
        return reader_names(r, IOV_KIND_POOL, "pool", read_pool);
}
