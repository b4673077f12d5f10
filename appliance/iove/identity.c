/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "iove/identity.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "iove/same.h"
#include "pages.h"
#include "util.h"

static const struct {
        size_t offset, size;
} fields[IOV_IDENTITY_COUNT] = {
        [IOV_IDENTITY_MAC] = {offsetof(struct iov_vadapter, mac), sizeof(((struct iov_vadapter *)0)->mac)},
        [IOV_IDENTITY_WWNN] = {offsetof(struct iov_vadapter, wwnn), sizeof(((struct iov_vadapter *)0)->wwnn)},
        [IOV_IDENTITY_WWPN] = {offsetof(struct iov_vadapter, wwpn), sizeof(((struct iov_vadapter *)0)->wwpn)},
        [IOV_IDENTITY_SERIAL] = {offsetof(struct iov_vadapter, serial), sizeof(((struct iov_vadapter *)0)->serial)},
        [IOV_IDENTITY_NQN] = {offsetof(struct iov_vadapter, nqn), sizeof(((struct iov_vadapter *)0)->nqn)},
};

const char *identity_of(const struct iov_vadapter *v, enum iov_identity_type type) {
        return (const char *)v + fields[type].offset;
}

static void identity_put(struct iov_vadapter *v, enum iov_identity_type type, const char *value) {
        field_set((char *)v + fields[type].offset, fields[type].size, value);
}

bool identity_applies(uint32_t adapter_kind, enum iov_identity_type type) {
        switch (type) {
        case IOV_IDENTITY_MAC:
                return adapter_kind == IOV_ADAPTER_NIC;
        case IOV_IDENTITY_WWNN:
        case IOV_IDENTITY_WWPN:
                return adapter_kind == IOV_ADAPTER_HBA;
        case IOV_IDENTITY_NQN:
                return adapter_kind == IOV_ADAPTER_SSD;
        default:
                return true;
        }
}

/* ---- form ---- */

/* Octets in hex with colons between, as lower case; false where it is no such thing. */
static bool parse_octets(const char *s, unsigned int n, uint64_t *ret_value) {
        uint64_t value = 0;

        for (unsigned int i = 0; i < n * 3; i++) {
                char c = s[i];

                if (i % 3 == 2) {
                        if (c != (i + 1 < n * 3 ? ':' : 0))
                                return false;
                        continue;
                }
                if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
                        return false;
                value = value << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
        }
        *ret_value = value;
        return true;
}

static void format_octets(uint64_t value, unsigned int n, char *s) {
        for (unsigned int i = 0; i < n; i++)
                snprintf(s + (size_t)i * 3, 4, "%02x%s", (unsigned int)(value >> (8 * (n - 1 - i)) & 0xff), i + 1 < n ? ":" : "");
}

static unsigned int octets_of(enum iov_identity_type type) {
        return type == IOV_IDENTITY_MAC ? 6 : type == IOV_IDENTITY_WWNN || type == IOV_IDENTITY_WWPN ? 8 : 0;
}

/* IEEE 802-2014 section 8.2: the group bit is the lowest of the first octet. */
static const char *mac_check(uint64_t mac) {
        if (mac >> 40 & 1)
                return "MAC is a group address: the first octet must be even";
        return mac ? NULL : "MAC is all zero";
}

/* FC-FS-3 section 14: the first four bits are the Network Address Authority; 0 and 4, 7 to B and D to F are no port's or node's.
 */
static const char *wwn_check(uint64_t wwn) {
        unsigned int naa = (unsigned int)(wwn >> 60);

        return naa == 1 || naa == 2 || naa == 3 || naa == 5 || naa == 6 || naa == 0xc
                       ? NULL
                       : "WWN has no Network Address Authority: it must begin with 1, 2, 3, 5, 6 or c";
}

/* NVMe 1.4 section 5.15.2.2: serial numbers are ASCII, section 1.5: 20h to 7Eh, left justified and padded with spaces. */
static const char *serial_check(const char *serial) {
        size_t n = strlen(serial);

        if (n > IOV_SERIAL_MAX)
                return "serial has more than 20 characters";
        for (size_t i = 0; i < n; i++)
                if (serial[i] < 0x20 || serial[i] > 0x7e)
                        return "serial has a character that is not printable ASCII";
        if (strcmp(serial, "auto") == 0)
                return "serial auto is the word for one that the appliance chooses: leave it empty";
        if (n && (serial[0] == ' ' || serial[n - 1] == ' '))
                return "serial starts or ends with a space";
        return NULL;
}

/* NVMe 1.4 section 7.9: UTF-8 is allowed, but what other systems compare is ASCII without spaces. */
static const char *nqn_check(const char *nqn) {
        if (strncmp(nqn, "nqn.", 4) != 0)
                return "NQN does not begin with nqn.";
        for (const char *c = nqn; *c; c++)
                if (*c <= 0x20 || *c > 0x7e)
                        return "NQN has a character that is not printable ASCII";
        return NULL;
}

const char *identity_check(enum iov_identity_type type, const char *value) {
        uint64_t octets;

        if (!*value)
                return NULL;
        switch (type) {
        case IOV_IDENTITY_MAC:
                return parse_octets(value, 6, &octets) ? mac_check(octets) : "MAC is not six octets such as 02:1a:4a:00:07:01";
        case IOV_IDENTITY_WWNN:
        case IOV_IDENTITY_WWPN:
                return parse_octets(value, 8, &octets) ? wwn_check(octets)
                                                       : "WWN is not eight octets such as 50:01:43:80:12:34:56:78";
        case IOV_IDENTITY_SERIAL:
                return serial_check(value);
        case IOV_IDENTITY_NQN:
                return nqn_check(value);
        default:
                return "unknown type of identity";
        }
}

const char *identity_pool_check(const struct iov_pool *pool) {
        uint64_t first, last;
        uint32_t type;

        if (iov_identity_type_from_string(pool->name, &type) < 0)
                return "pools are named mac, wwnn, wwpn, serial and nqn";
        if (pool->rest > UINT64_C(10) * 366 * 86400)
                return "rest is longer than ten years";
        if (!*pool->first)
                return *pool->last ? "last without first" : NULL;
        unsigned int n = octets_of((enum iov_identity_type)type);
        if (!n && *pool->last)
                return "this pool has a prefix, no first and last";
        if (!n)
                return type == IOV_IDENTITY_SERIAL && strlen(pool->first) > 12
                               ? "prefix of serials has more than 12 characters"
                               : identity_check((enum iov_identity_type)type, pool->first);
        const char *wrong = identity_check((enum iov_identity_type)type, pool->first);
        if (!wrong)
                wrong = *pool->last ? identity_check((enum iov_identity_type)type, pool->last) : "first without last";
        if (wrong)
                return wrong;
        if (!parse_octets(pool->first, n, &first) || !parse_octets(pool->last, n, &last))
                return "first and last are no addresses";
        return last < first ? "last is before first" : NULL;
}

/* ---- the index ---- */

/* Who has, or had, a value. Open addressing; the strings are those of the model's records, or our own. */
struct holding {
        uint64_t hash;
        const char *value;               /* NULL: free */
        const struct iov_identity *past; /* who had it last, NULL: it is held */
};
/* Values that were chosen here. */
struct chunk {
        struct chunk *next;
        size_t used;
        char bytes[65536];
};
struct identities {
        struct holding *holdings;
        size_t n, n_buckets, size;         /* a power of two of buckets, and the bytes mapped for them */
        uint64_t next[IOV_IDENTITY_COUNT]; /* where the search in a pool goes on */
        struct chunk *chunks;
};

static struct holding *bucket_of(const struct identities *ids, const char *value, uint64_t hash) {
        size_t b = hash & (ids->n_buckets - 1);

        while (ids->holdings[b].value && (ids->holdings[b].hash != hash || strcmp(ids->holdings[b].value, value) != 0))
                b = (b + 1) & (ids->n_buckets - 1);
        return &ids->holdings[b];
}

static struct holding *holding_of(const struct identities *ids, const char *value) {
        return bucket_of(ids, value, hash_text(value, 0));
}

/* Room for so many, at most half of the buckets in use. */
static int reserve(struct identities *ids, size_t n) {
        size_t n_buckets = ids->n_buckets ? ids->n_buckets : 1024;

        while (n_buckets < 2 * n)
                n_buckets *= 2;
        if (n_buckets == ids->n_buckets)
                return 0;
        struct identities larger = {.n_buckets = n_buckets};
        void *pages = NULL;
        int r = pages_grow(&pages, &larger.size, n_buckets * sizeof(*larger.holdings));
        if (r < 0)
                return r;
        larger.holdings = pages;
        for (size_t i = 0; i < ids->n_buckets; i++)
                if (ids->holdings[i].value)
                        *bucket_of(&larger, ids->holdings[i].value, ids->holdings[i].hash) = ids->holdings[i];
        pages_free(ids->holdings, ids->size);
        ids->holdings = larger.holdings;
        ids->n_buckets = n_buckets;
        ids->size = larger.size;
        return 0;
}

static int note(struct identities *ids, const char *value, const struct iov_identity *past) {
        int r = reserve(ids, ids->n + 1);

        if (r < 0)
                return r;
        uint64_t hash = hash_text(value, 0);
        struct holding *h = bucket_of(ids, value, hash);
        if (!h->value) {
                *h = (struct holding){hash, value, past};
                ids->n++;
        } else if (!past || (h->past && past->to_ns > h->past->to_ns)) {
                h->past = past;
        }
        return 0;
}

static uint64_t rest_of(const struct iov_model *model, uint32_t type) {
        const struct iov_pool *pool = iov_model_get(model, IOV_KIND_POOL, iov_identity_type_to_string(type));

        return (pool ? pool->rest : IDENTITY_REST_DEFAULT) * UINT64_C(1000000000);
}

static int note_resting(struct identities *ids, const struct iov_model *past_of, const struct iov_model *pools_of,
                        uint64_t now_ns) {
        const struct iov_identity *past;
        int r = reserve(ids, iov_model_count(past_of, IOV_KIND_IDENTITY));

        iov_model_foreach (past_of, IOV_KIND_IDENTITY, past)
                if (r == 0 && past->to_ns + rest_of(pools_of, past->type) > now_ns)
                        r = note(ids, past->value, past);
        return r;
}

int identities_note(struct identities *ids, const struct iov_vadapter *v) {
        int r = 0;

        for (unsigned int t = 0; r == 0 && t < IOV_IDENTITY_COUNT; t++)
                if (*identity_of(v, (enum iov_identity_type)t))
                        r = note(ids, identity_of(v, (enum iov_identity_type)t), NULL);
        return r;
}

static int note_held(struct identities *ids, const struct iov_model *m) {
        const struct iov_vadapter *v;
        int r = 0;

        iov_model_foreach (m, IOV_KIND_VADAPTER, v)
                if (r == 0)
                        r = identities_note(ids, v);
        return r;
}

int identities_new(const struct iov_model *model, uint64_t now_ns, struct identities **ret_identities) {
        struct identities *ids = calloc(1, sizeof(*ids));

        if (!ids)
                return -ENOMEM;
        int r = note_resting(ids, model, model, now_ns);
        if (r == 0)
                r = note_held(ids, model);
        if (r < 0) {
                identities_free(ids);
                return r;
        }
        *ret_identities = ids;
        return 0;
}

struct identities *identities_free(struct identities *ids) {
        if (ids) {
                while (ids->chunks) {
                        struct chunk *next = ids->chunks->next;

                        free(ids->chunks);
                        ids->chunks = next;
                }
                pages_free(ids->holdings, ids->size);
                free(ids);
        }
        return NULL;
}

/* ---- choosing ---- */

static bool is_free(const struct identities *ids, const char *value) {
        return !holding_of(ids, value)->value;
}

/* Remember a value that was chosen; the index keeps a copy. */
static int choose(struct identities *ids, const char *value) {
        size_t size = strlen(value) + 1;

        if (!ids->chunks || sizeof(ids->chunks->bytes) - ids->chunks->used < size) {
                struct chunk *chunk = malloc(sizeof(*chunk));

                if (!chunk)
                        return -ENOMEM;
                chunk->next = ids->chunks;
                chunk->used = 0;
                ids->chunks = chunk;
        }
        char *copy = memcpy(ids->chunks->bytes + ids->chunks->used, value, size);
        ids->chunks->used += size;
        return note(ids, copy, NULL);
}

static uint64_t mix(uint64_t x) {
        x = (x ^ x >> 33) * UINT64_C(0xff51afd7ed558ccd);
        x = (x ^ x >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
        return x ^ x >> 33;
}

/* A UUID of version 8 (RFC 9562 section 5.8), all of it made from the vAdapter's id. */
static void make_nqn(uint64_t a, uint64_t b, char *s, size_t size) {
        snprintf(s, size, "nqn.2014-08.org.nvmexpress:uuid:%08x-%04x-8%03x-%04x-%012" PRIx64, (unsigned int)(a >> 32),
                 (unsigned int)(a >> 16 & 0xffff), (unsigned int)(a & 0xfff), 0x8000 | (unsigned int)(b >> 48 & 0x3fff),
                 b & UINT64_C(0xffffffffffff));
}

/*
 * Made from the vAdapter's id, which is never used twice, so that two appliances do not choose the same; `attempt` counts what
 * somebody chose before. MAC: IEEE 802-2014 section 8.4, locally administered. WWN: FC-FS-3 section 14, NAA 3, locally assigned.
 * NQN: NVMe 1.4 section 7.9, the UUID form.
 */
static void make_builtin(enum iov_identity_type type, uint64_t id, unsigned int attempt, char *s, size_t size) {
        switch (type) {
        case IOV_IDENTITY_MAC:
                format_octets(UINT64_C(0x02) << 40 | ((id + attempt) & UINT64_C(0xffffffffff)), 6, s);
                break;
        case IOV_IDENTITY_WWNN:
        case IOV_IDENTITY_WWPN:
                format_octets(UINT64_C(3) << 60 | (uint64_t)(type == IOV_IDENTITY_WWPN) << 52 | (uint64_t)(attempt & 0xf) << 48 |
                                      id,
                              8, s);
                break;
        case IOV_IDENTITY_SERIAL:
                snprintf(s, size, attempt ? "IOV%012" PRIX64 "-%u" : "IOV%012" PRIX64, id, attempt);
                break;
        default:
                make_nqn(mix(id + attempt), mix(id + attempt + 1), s, size);
        }
}

static bool make_prefixed(const char *prefix, enum iov_identity_type type, uint64_t id, unsigned int attempt, char *s,
                          size_t size) {
        size_t max = type == IOV_IDENTITY_SERIAL ? IOV_SERIAL_MAX : IOV_NQN_MAX, digits = max - strlen(prefix);

        if (digits >= 12)
                snprintf(s, size, "%s%012" PRIX64, prefix, (id + attempt) & IOVE_ID_MASK);
        else
                snprintf(s, size, "%s%0*" PRIX64, prefix, (int)digits, (id + attempt) & ((UINT64_C(1) << (4 * digits)) - 1));
        return strlen(s) <= max;
}

static int choose_from_range(struct identities *ids, const struct iov_pool *pool, enum iov_identity_type type, char *s) {
        unsigned int n = octets_of(type);
        uint64_t first, last;

        if (!parse_octets(pool->first, n, &first) || !parse_octets(pool->last, n, &last))
                return -EINVAL;
        for (uint64_t v = ids->next[type] > first ? ids->next[type] : first; v >= first && v <= last; v++) {
                format_octets(v, n, s);
                if (identity_check(type, s) || !is_free(ids, s))
                        continue;
                ids->next[type] = v + 1;
                return 0;
        }
        return -ENOSPC;
}

static int choose_one(struct identities *ids, const struct iov_model *model, enum iov_identity_type type, uint64_t id, char *s,
                      size_t size) {
        const struct iov_pool *pool = iov_model_get(model, IOV_KIND_POOL, iov_identity_type_to_string(type));

        if (pool && *pool->first && octets_of(type))
                return choose_from_range(ids, pool, type, s);
        for (unsigned int attempt = 0; attempt < 1024; attempt++) {
                if (pool && *pool->first)
                        make_prefixed(pool->first, type, id, attempt, s, size);
                else
                        make_builtin(type, id, attempt, s, size);
                if (is_free(ids, s))
                        return 0;
        }
        return -ENOSPC;
}

int identities_choose(struct identities *ids, const struct iov_model *model, uint32_t adapter_kind,
                      const struct iov_vadapter *old, struct iov_vadapter *v, uint32_t op_index, struct iove_refusal *refusal) {
        v->chosen = 0;
        for (unsigned int t = 0; t < IOV_IDENTITY_COUNT; t++) {
                enum iov_identity_type type = (enum iov_identity_type)t;
                bool was_chosen = old && old->chosen & 1u << t;
                char value[sizeof(v->nqn)];

                if (*identity_of(v, type)) {
                        /* What is written down as it was chosen is still that choice. */
                        if (was_chosen && strcmp(identity_of(v, type), identity_of(old, type)) == 0)
                                v->chosen |= 1u << t;
                        continue;
                }
                if (!identity_applies(adapter_kind, type))
                        continue;
                if (was_chosen && *identity_of(old, type)) {
                        identity_put(v, type, identity_of(old, type));
                } else {
                        int r = choose_one(ids, model, type, v->id, value, sizeof(value));
                        if (r == -ENOSPC)
                                return iove_refuse(refusal, IOV_RET_NO_SPACE, op_index,
                                                   "vadapter %s: the pool of %s identities is used up: make it larger, or wait "
                                                   "until released ones have rested",
                                                   v->name, iov_identity_type_to_string(t));
                        if (r == 0)
                                r = choose(ids, value);
                        if (r < 0)
                                return r;
                        identity_put(v, type, value);
                }
                v->chosen |= 1u << t;
        }
        return 0;
}

static bool are_complete(const struct iov_model *m) {
        const struct iov_vadapter *v;

        iov_model_foreach (m, IOV_KIND_VADAPTER, v)
                if (!v->since_ns)
                        return false;
        return true;
}

int identities_complete(struct iov_model *m, uint64_t now_ns) {
        struct identities *ids = NULL;
        struct iove_refusal refusal;
        const struct iov_vadapter *v;
        int r = are_complete(m) ? 0 : identities_new(m, now_ns, &ids);

        if (!ids)
                return r;

        iov_model_foreach (m, IOV_KIND_VADAPTER, v) {
                const struct iov_adapter *a = iov_model_get(m, IOV_KIND_ADAPTER, v->adapter);
                struct iov_vadapter old = *v, copy = *v;
                char value[sizeof(v->nqn)];

                if (r < 0 || v->since_ns || !a)
                        continue;
                make_builtin(IOV_IDENTITY_SERIAL, v->id, 0, value, sizeof(value));
                if (strcmp(value, v->serial) == 0)
                        old.chosen |= 1u << IOV_IDENTITY_SERIAL;
                copy.since_ns = now_ns;
                r = identities_choose(ids, m, a->kind, &old, &copy, UINT32_MAX, &refusal);
                if (r == 0)
                        r = iov_model_set(m, IOV_KIND_VADAPTER, &copy);
        }
        identities_free(ids);
        return r;
}

/* ---- the ledger ---- */

static uint64_t last_number(const struct iov_model *m) {
        const struct iov_identity *past;
        uint64_t last = 0;

        iov_model_foreach (m, IOV_KIND_IDENTITY, past) {
                uint64_t n = strtoull(past->name, NULL, 10);

                if (n > last)
                        last = n;
        }
        return last;
}

/* Entries beyond the age, and where the table is full the oldest. */
static int forget_old(struct iov_model *m, uint64_t now_ns, size_t room) {
        CLEANUP_FREE const void **records = NULL;
        int n = iov_model_sorted(m, IOV_KIND_IDENTITY, &records), r = 0;

        for (int i = 0; r >= 0 && i < n; i++) {
                const struct iov_identity *past = records[i];
                uint64_t rest_ns = rest_of(m, past->type);
                uint64_t age_ns = rest_ns > IDENTITY_AGE_NS ? rest_ns : IDENTITY_AGE_NS;

                if (past->to_ns + age_ns > now_ns && iov_model_count(m, IOV_KIND_IDENTITY) + room <= IOV_IDENTITY_MAX)
                        break;
                char name[IOV_NAME_SIZE];
                memcpy(name, past->name, sizeof(name));
                r = iov_model_remove(m, IOV_KIND_IDENTITY, name);
        }
        return n < 0 ? n : r;
}

/* What a vAdapter had and has no longer; vAdapters are told apart by their ids, for a name may be given again. */
static bool was_released(const struct iov_vadapter *old, const struct iov_vadapter *now, enum iov_identity_type type) {
        return *identity_of(old, type) && (!now || strcmp(identity_of(old, type), identity_of(now, type)) != 0);
}

static int release(struct iov_identity **released, size_t *n, size_t *n_allocated, const struct iov_vadapter *old,
                   enum iov_identity_type type, uint64_t now_ns, uint64_t number) {
        struct iov_identity past = {.type = type, .from_ns = old->since_ns, .to_ns = now_ns};

        if (*n == *n_allocated) {
                size_t more = *n_allocated ? *n_allocated * 2 : 16;
                struct iov_identity *p = realloc(*released, more * sizeof(*p));

                if (!p)
                        return -ENOMEM;
                *released = p;
                *n_allocated = more;
        }
        snprintf(past.name, sizeof(past.name), "%" PRIu64, number);
        field_set(past.value, sizeof(past.value), identity_of(old, type));
        field_set(past.holder, sizeof(past.holder), old->name);
        (*released)[(*n)++] = past;
        return 0;
}

static int check_rest_of(const struct identities *resting, const struct iov_vadapter *old, const struct iov_vadapter *v,
                         uint64_t released_before[IOV_IDENTITY_COUNT], const struct iove_blame *blame,
                         struct iove_refusal *refusal) {
        for (unsigned int t = 0; t < IOV_IDENTITY_COUNT; t++) {
                const char *value = identity_of(v, (enum iov_identity_type)t);
                const struct iov_identity *past = *value ? holding_of(resting, value)->past : NULL;

                if (!past || past->type != t || strcmp(v->name, past->holder) == 0 ||
                    (old && strcmp(identity_of(old, (enum iov_identity_type)t), value) == 0))
                        continue;
                return iove_refuse(refusal, IOV_RET_EXISTS, iove_blamed(blame, IOV_KIND_VADAPTER, v->name),
                                   "vadapter %s: %s %s was %s's until lately, and rests for another %" PRIu64
                                   " s: choose another, wait, or force it",
                                   v->name, iov_identity_type_to_string(t), value, past->holder,
                                   (past->to_ns - released_before[t]) / UINT64_C(1000000000) + 1);
        }
        return 0;
}

/* New holders: nobody else may have had it until lately. */
static int check_rest(const struct iov_model *have, const struct iov_model *candidate, uint64_t now_ns,
                      const struct iove_blame *blame, struct iove_refusal *refusal) {
        uint64_t released_before[IOV_IDENTITY_COUNT]; /* what was released then has rested */
        struct identities resting = {0};
        const struct iov_vadapter *v;
        int r = note_resting(&resting, have, candidate, now_ns);

        for (unsigned int t = 0; t < IOV_IDENTITY_COUNT; t++)
                released_before[t] = now_ns - rest_of(candidate, t);
        if (resting.n && r == 0)
                r = note_held(&resting, have);
        if (resting.n)
                iov_model_foreach (candidate, IOV_KIND_VADAPTER, v)
                        if (r == 0)
                                r = check_rest_of(&resting, iov_model_get(have, IOV_KIND_VADAPTER, v->name), v, released_before,
                                                  blame, refusal);
        pages_free(resting.holdings, resting.size);
        return r;
}

int identities_settle(const struct iov_model *have, struct iov_model *candidate, uint64_t now_ns, bool force,
                      const struct iove_blame *blame, struct iove_refusal *refusal) {
        uint64_t number = last_number(have);
        struct same same = {.model = candidate};
        struct iov_identity *released = NULL;
        const struct iov_vadapter *v;
        size_t n = 0, n_allocated = 0;
        int r = force ? 0 : check_rest(have, candidate, now_ns, blame, refusal);

        if (r < 0)
                return r;
        iov_model_foreach (have, IOV_KIND_VADAPTER, v) {
                const struct iov_vadapter *now = NULL;

                if (r == 0)
                        r = same_vadapter(&same, v, &now);
                for (unsigned int t = 0; r == 0 && t < IOV_IDENTITY_COUNT; t++)
                        if (was_released(v, now, (enum iov_identity_type)t))
                                r = release(&released, &n, &n_allocated, v, (enum iov_identity_type)t, now_ns, ++number);
        }
        same_free(&same);
        if (r == 0)
                r = forget_old(candidate, now_ns, n);
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = iov_model_set(candidate, IOV_KIND_IDENTITY, &released[i]);
        free(released);
        return r == -E2BIG ? 0 : r;
}
