/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "write-history.h"

void history_begin(struct history *h, uint32_t tag) {
        h->n = 1;
        h->versions[0] = (struct version){.tag = tag, .is_done = true, .lasts = true};
}

/* What ended before something that lasts was begun is gone for good. */
static void prune(struct history *h) {
        uint64_t latest = 0;
        unsigned int n = 0;

        for (unsigned int i = 0; i < h->n; i++)
                if (h->versions[i].lasts && h->versions[i].issued > latest)
                        latest = h->versions[i].issued;
        for (unsigned int i = 0; i < h->n; i++)
                if (h->versions[i].ended >= latest)
                        h->versions[n++] = h->versions[i];
        h->n = n;
}

bool history_issue(struct history *h, uint32_t tag, uint64_t now) {
        if (h->n == HISTORY_VERSIONS)
                return false;
        h->versions[h->n++] = (struct version){.tag = tag, .issued = now, .ended = HISTORY_NEVER};
        return true;
}

void history_end(struct history *h, uint64_t issued, uint64_t now, bool is_done, bool lasts) {
        for (unsigned int i = 0; i < h->n; i++)
                if (h->versions[i].issued == issued) {
                        h->versions[i].ended = now;
                        h->versions[i].is_done = is_done;
                        h->versions[i].lasts = lasts;
                }
        prune(h);
}

void history_flush(struct history *h, uint64_t from) {
        for (unsigned int i = 0; i < h->n; i++)
                if (h->versions[i].is_done && h->versions[i].ended < from)
                        h->versions[i].lasts = true;
        prune(h);
}

void history_stop(struct history *h, uint64_t now) {
        for (unsigned int i = 0; i < h->n; i++)
                if (h->versions[i].ended == HISTORY_NEVER)
                        h->versions[i].ended = now;
}

static bool is_replaced(const struct history *h, const struct version *v, uint64_t before, bool must_last) {
        for (unsigned int i = 0; i < h->n; i++) {
                const struct version *w = &h->versions[i];

                if (w->is_done && (w->lasts || !must_last) && w->issued > v->ended && w->ended < before)
                        return true;
        }
        return false;
}

bool history_may_read(const struct history *h, uint32_t tag, uint64_t issued) {
        for (unsigned int i = 0; i < h->n; i++)
                if (h->versions[i].tag == tag && !is_replaced(h, &h->versions[i], issued, false))
                        return true;
        return false;
}

bool history_may_last(const struct history *h, uint32_t tag) {
        for (unsigned int i = 0; i < h->n; i++)
                if (h->versions[i].tag == tag && !is_replaced(h, &h->versions[i], HISTORY_NEVER, true))
                        return true;
        return false;
}
