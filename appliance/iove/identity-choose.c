/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The identities that the appliance chooses: from a pool, behind a prefix, or made from the vAdapter's id. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "iove/identity-private.h"

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
                identity_format_octets(UINT64_C(0x02) << 40 | ((id + attempt) & UINT64_C(0xffffffffff)), 6, s);
                break;
        case IOV_IDENTITY_WWNN:
        case IOV_IDENTITY_WWPN:
                identity_format_octets(UINT64_C(3) << 60 | (uint64_t)(type == IOV_IDENTITY_WWPN) << 52 |
                                               (uint64_t)(attempt & 0xf) << 48 | id,
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
        unsigned int n = identity_octets(type);
        uint64_t first, last, *next = identities_next(ids, type);

        if (!identity_parse_octets(pool->first, n, &first) || !identity_parse_octets(pool->last, n, &last))
                return -EINVAL;
        for (uint64_t v = *next > first ? *next : first; v >= first && v <= last; v++) {
                identity_format_octets(v, n, s);
                if (identity_check(type, s) || identities_has(ids, s))
                        continue;
                *next = v + 1;
                return 0;
        }
        *next = last; /* the next one who asks need not look at all of it */
        return -ENOSPC;
}

static int choose_one(struct identities *ids, const struct iov_model *model, enum iov_identity_type type, uint64_t id, char *s,
                      size_t size) {
        const struct iov_pool *pool = iov_model_get(model, IOV_KIND_POOL, iov_identity_type_to_string(type));

        if (pool && *pool->first && identity_octets(type))
                return choose_from_range(ids, pool, type, s);
        for (unsigned int attempt = 0; attempt < 1024; attempt++) {
                if (pool && *pool->first)
                        make_prefixed(pool->first, type, id, attempt, s, size);
                else
                        make_builtin(type, id, attempt, s, size);
                if (!identities_has(ids, s))
                        return 0;
        }
        return -ENOSPC;
}

int identities_choose(struct identities *ids, const struct iov_model *model, uint32_t adapter_kind,
                      const struct iov_vadapter *old, struct iov_vadapter *v, uint32_t op_index, struct iove_refusal *refusal) {
        int refused = 0;

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
                        if (r == -ENOSPC) {
                                refused = iove_refuse_also(
                                        refusal, IOV_RET_NO_SPACE, op_index,
                                        "vadapter %s: the pool of %s identities is used up: make it larger, or wait "
                                        "until released ones have rested",
                                        v->name, iov_identity_type_to_string(t));
                                continue;
                        }
                        if (r == 0)
                                r = identities_note_copy(ids, value);
                        if (r < 0)
                                return r;
                        identity_put(v, type, value);
                }
                v->chosen |= 1u << t;
        }
        return refused;
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
        struct iove_refusal refusal = {0};
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
