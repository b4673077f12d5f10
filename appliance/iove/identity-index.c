/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The index of identities: who has, or had, a value. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "iove/identity-private.h"
#include "pages.h"

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
        int r = pages_new(&pages, &larger.size, n_buckets * sizeof(*larger.holdings));
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

uint64_t identity_rest_ns(const struct iov_model *model, uint32_t type) {
        const struct iov_pool *pool = iov_model_get(model, IOV_KIND_POOL, iov_identity_type_to_string(type));

        return (pool ? pool->rest : IDENTITY_REST_DEFAULT) * UINT64_C(1000000000);
}

static int note_resting(struct identities *ids, const struct iov_model *past_of, const struct iov_model *pools_of,
                        uint64_t now_ns) {
        const struct iov_identity *past;
        int r = reserve(ids, iov_model_count(past_of, IOV_KIND_IDENTITY));

        iov_model_foreach (past_of, IOV_KIND_IDENTITY, past)
                if (r == 0 && past->to_ns + identity_rest_ns(pools_of, past->type) > now_ns)
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

int identities_note_all(struct identities *ids, const struct iov_model *m) {
        const struct iov_vadapter *v;
        int r = 0;

        iov_model_foreach (m, IOV_KIND_VADAPTER, v)
                if (r == 0)
                        r = identities_note(ids, v);
        return r;
}

int identities_new_resting(const struct iov_model *past_of, const struct iov_model *pools_of, uint64_t now_ns,
                           struct identities **ret_identities) {
        struct identities *ids = calloc(1, sizeof(*ids));
        int r = ids ? note_resting(ids, past_of, pools_of, now_ns) : -ENOMEM;

        if (r < 0) {
                identities_free(ids);
                return r;
        }
        *ret_identities = ids;
        return 0;
}

int identities_new(const struct iov_model *model, uint64_t now_ns, struct identities **ret_identities) {
        struct identities *ids = NULL;
        int r = identities_new_resting(model, model, now_ns, &ids);

        if (r == 0)
                r = identities_note_all(ids, model);
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

int identities_note_copy(struct identities *ids, const char *value) {
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

bool identities_is_empty(const struct identities *ids) {
        return ids->n == 0;
}

bool identities_has(const struct identities *ids, const char *value) {
        return holding_of(ids, value)->value;
}

const struct iov_identity *identities_past(const struct identities *ids, const char *value) {
        return holding_of(ids, value)->past;
}

uint64_t *identities_next(struct identities *ids, enum iov_identity_type type) {
        return &ids->next[type];
}
