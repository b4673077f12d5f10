/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/volumes/media-change.h"

#include <stddef.h>
#include <string.h>

bool persona_same_face(const struct vpc_persona *a, const struct vpc_persona *b) {
        return memcmp(a, b, offsetof(struct vpc_persona, n_media)) == 0 && a->interrupts == b->interrupts;
}

const struct vpc_medium *persona_find(const struct vpc_persona *persona, const struct vpc_medium *medium) {
        for (unsigned int i = 0; i < persona->n_media; i++) {
                const struct vpc_medium *m = &persona->media[i];

                if (m->size && m->id == medium->id && m->unique_id == medium->unique_id && m->read_only == medium->read_only)
                        return m;
        }
        return NULL;
}

/* What is shown stays at its index, and keeps the block size that its file is formatted with. */
static void keep(const struct vpc_persona *now, const struct vpc_persona *wanted, struct media_change *change) {
        for (unsigned int i = 0; i < now->n_media; i++) {
                const struct vpc_medium *m = &now->media[i], *w = m->size ? persona_find(wanted, m) : NULL;

                if (w) {
                        change->media[i] = *w;
                        change->media[i].block_size = m->block_size;
                        change->n_media = i + 1;
                }
                change->differs |= memcmp(&change->media[i], m, sizeof(*m)) != 0;
        }
}

static void add(const struct vpc_persona *now, const struct vpc_persona *wanted, struct media_change *change) {
        unsigned int at = 0;

        for (unsigned int i = 0; i < wanted->n_media; i++) {
                if (persona_find(now, &wanted->media[i]))
                        continue;
                while (at < VPC_MEDIA_MAX && change->media[at].size)
                        at++;
                if (at == VPC_MEDIA_MAX)
                        return; /* as many as there can be: there cannot be more namespaces either */
                change->media[at] = wanted->media[i];
                change->fresh |= UINT64_C(1) << at;
                change->source[at] = i;
                if (at >= change->n_media)
                        change->n_media = at + 1;
                change->differs = true;
        }
}

void media_change_make(const struct vpc_persona *now, const struct vpc_persona *wanted, bool additions,
                       struct media_change *ret_change) {
        memset(ret_change, 0, sizeof(*ret_change));
        keep(now, wanted, ret_change);
        if (additions)
                add(now, wanted, ret_change);
}
