/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What may be had once, and who has it. Nothing is copied and nothing sorted: there may be hundreds of thousands. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "iove/rules-private.h"
#include "pages.h"

void claims_free(struct claims *claims) {
        pages_free(claims->claims, claims->claims_size);
        pages_free(claims->buckets, claims->buckets_size);
        *claims = (struct claims){0};
}

int claims_init(struct claims *claims, size_t n) {
        size_t n_buckets = 16, size = 0;
        void *pages = NULL;

        while (n_buckets < 2 * n)
                n_buckets *= 2;
        int r = pages_new(&pages, &size, n_buckets * sizeof(*claims->buckets));
        if (r < 0)
                return r;
        *claims = (struct claims){.buckets = pages, .n_buckets = n_buckets, .buckets_size = size};
        return 0;
}

/* The bucket of what is claimed: a free one where nobody claims it. */
static struct claim_bucket *bucket_of(const struct claims *claims, const struct claim *claim, uint32_t hash) {
        size_t mask = claims->n_buckets - 1;

        for (size_t i = hash & mask;; i = (i + 1) & mask) {
                struct claim_bucket *b = &claims->buckets[i];
                const struct claim *c = b->claim ? &claims->claims[b->claim - 1] : NULL;

                if (!c || (b->hash == hash && c->number == claim->number && strcmp(c->text, claim->text) == 0 &&
                           strcmp(c->word, claim->word) == 0))
                        return b;
        }
}

/* What is claimed is all different: the first free bucket is its own. */
static int grow_buckets(struct claims *claims) {
        struct claims larger = {0};
        int r = claims_init(&larger, claims->n_buckets);

        for (size_t i = 0; r == 0 && i < claims->n_buckets; i++) {
                size_t k = claims->buckets[i].hash & (larger.n_buckets - 1);

                if (!claims->buckets[i].claim)
                        continue;
                while (larger.buckets[k].claim)
                        k = (k + 1) & (larger.n_buckets - 1);
                larger.buckets[k] = claims->buckets[i];
        }
        if (r < 0)
                return r;
        pages_free(claims->buckets, claims->buckets_size);
        claims->buckets = larger.buckets;
        claims->n_buckets = larger.n_buckets;
        claims->buckets_size = larger.buckets_size;
        return 0;
}

static int grow(struct claims *claims) {
        void *pages = claims->claims;
        size_t need = (claims->n + 1) * sizeof(*claims->claims);
        int r = need > claims->claims_size ? pages_grow(&pages, &claims->claims_size, need) : 0;

        claims->claims = pages;
        return r < 0 || 2 * (claims->n + 1) <= claims->n_buckets ? r : grow_buckets(claims);
}

static int refuse(const struct claim *a, const struct claim *b, const struct iove_blame *blame, struct iove_refusal *refusal) {
        const char *first = a->holder, *second = b->holder;
        uint32_t op_a = iove_blamed(blame, a->kind, first), op_b = iove_blamed(blame, b->kind, second);

        if (op_b == UINT32_MAX || (op_a != UINT32_MAX && op_a > op_b)) {
                first = b->holder;
                second = a->holder;
                op_b = op_a;
        }
        if (a->number != CLAIM_NO_NUMBER)
                return iove_refuse_also(refusal, IOV_RET_EXISTS, op_b, "%s: %s %u of server %s is taken by %s", second, a->word,
                                        a->number, a->text, first);
        return iove_refuse_also(refusal, IOV_RET_EXISTS, op_b, "%s: %s %s is taken by %s", second, a->word, a->text, first);
}

int claims_add(struct claims *claims, const struct claim *claim, const struct iove_blame *blame, struct iove_refusal *refusal) {
        uint32_t hash = (uint32_t)hash_text(claim->text, claim->number);
        int r = grow(claims);

        if (r < 0 || !claims->claims)
                return r < 0 ? r : -ENOMEM;
        struct claim_bucket *b = bucket_of(claims, claim, hash);
        const struct claim *there = b->claim ? &claims->claims[b->claim - 1] : NULL;
        if (there && there->is_shared && claim->is_shared)
                return 0;
        if (there)
                return refuse(there, claim, blame, refusal);
        claims->claims[claims->n++] = *claim;
        *b = (struct claim_bucket){hash, (uint32_t)claims->n};
        return 0;
}
