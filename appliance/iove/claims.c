/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What may be had once, and who has it. Nothing is copied and nothing sorted: there may be hundreds of thousands. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "iove/rules-private.h"

void claims_free(struct claims *claims) {
        free(claims->entries);
        *claims = (struct claims){0};
}

int claims_init(struct claims *claims, size_t n) {
        size_t n_entries = 16;

        while (n_entries < 2 * n)
                n_entries *= 2;
        claims->entries = calloc(n_entries, sizeof(*claims->entries));
        if (!claims->entries)
                return -ENOMEM;
        claims->n_entries = n_entries;
        claims->n = 0;
        return 0;
}

/* The entry of what is claimed: an empty one where nobody claims it. */
static struct claim *entry_of(const struct claims *claims, const struct claim *claim) {
        size_t mask = claims->n_entries - 1;

        for (size_t i = (size_t)hash_text(claim->text, claim->number) & mask;; i = (i + 1) & mask) {
                struct claim *e = &claims->entries[i];

                if (!e->text ||
                    (e->number == claim->number && strcmp(e->text, claim->text) == 0 && strcmp(e->word, claim->word) == 0))
                        return e;
        }
}

static int grow(struct claims *claims) {
        struct claims larger = {0};
        int r = claims_init(&larger, claims->n_entries);

        if (r < 0)
                return r;
        for (size_t i = 0; i < claims->n_entries; i++)
                if (claims->entries[i].text)
                        *entry_of(&larger, &claims->entries[i]) = claims->entries[i];
        larger.n = claims->n;
        claims_free(claims);
        *claims = larger;
        return 0;
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
                return iove_refuse(refusal, IOV_RET_EXISTS, op_b, "%s: %s %u of server %s is taken by %s", second, a->word,
                                   a->number, a->text, first);
        return iove_refuse(refusal, IOV_RET_EXISTS, op_b, "%s: %s %s is taken by %s", second, a->word, a->text, first);
}

int claims_add(struct claims *claims, const struct claim *claim, const struct iove_blame *blame, struct iove_refusal *refusal) {
        if (2 * (claims->n + 1) > claims->n_entries) {
                int r = grow(claims);

                if (r < 0)
                        return r;
        }
        struct claim *e = entry_of(claims, claim);
        if (e->text)
                return refuse(e, claim, blame, refusal);
        *e = *claim;
        claims->n++;
        return 0;
}
