/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "link/share.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "util.h"

#define NSEC_PER_SEC UINT64_C(1000000000)

struct share {
        struct link_share config;
        struct share_page *own;
        const struct share_page *peers[LINK_PEERS_MAX];
        uint64_t since; /* when it last looked */
        uint64_t used[SHARE_RATES], waited_until[SHARE_RATES];
        uint64_t now[SHARE_RATES]; /* what it may have */
};

_Static_assert(LINK_PEERS_MAX < 64, "a bit for each peer");

uint64_t share_compute(uint64_t rate, uint32_t weight, uint32_t rest, const struct share_part *others, unsigned int n) {
        unsigned __int128 left = rate;
        uint64_t weights = (uint64_t)weight + rest, content = 0;
        bool changed = true;

        for (unsigned int i = 0; i < n; i++)
                weights += others[i].weight;
        /* Each round those are content who want less than their part of what is left: the parts of the others only grow by it. */
        while (changed) {
                changed = false;
                for (unsigned int i = 0; i < n; i++) {
                        const struct share_part *o = &others[i];

                        if (content >> i & 1 || o->wanted >= left * o->weight / (weights ? weights : 1))
                                continue;
                        content |= UINT64_C(1) << i;
                        left -= o->wanted;
                        weights -= o->weight;
                        changed = true;
                }
        }
        left = left * weight / (weights ? weights : 1);
        return rate && !left ? 1 : (uint64_t)left;
}

uint64_t share_wanted(const struct share_page *page, enum share_rate rate, uint64_t now) {
        uint64_t until = __atomic_load_n(&page->until_ns, __ATOMIC_RELAXED);

        /* One that lies ahead further than anybody says it holds for ever: it does not, for a dead worker would keep its share.
         * Twice as far, since `now` may be a little old. */
        if (until <= now || until - now > 2 * SHARE_HOLDS_NS)
                return 0;
        return __atomic_load_n(&page->wanted[rate], __ATOMIC_RELAXED);
}

static uint64_t rate_of(const struct link_share *config, unsigned int rate) {
        return rate == SHARE_OPERATIONS ? config->iops : config->bandwidth;
}

static void compute(struct share *s, uint64_t now) {
        struct share_part parts[LINK_PEERS_MAX];

        for (unsigned int rate = 0; rate < SHARE_RATES; rate++) {
                if (!rate_of(&s->config, rate))
                        continue;
                for (unsigned int i = 0; i < s->config.n_peers; i++)
                        parts[i] =
                                (struct share_part){s->config.weights[i], share_wanted(s->peers[i], (enum share_rate)rate, now)};
                s->now[rate] =
                        share_compute(rate_of(&s->config, rate), s->config.weight, s->config.rest, parts, s->config.n_peers);
        }
}

static int map(int fd, int protection, void **ret_page) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (st.st_size < SHARE_PAGE_SIZE)
                return -EBADMSG;
        void *p = mmap(NULL, SHARE_PAGE_SIZE, protection, MAP_SHARED, fd, 0);
        if (p == MAP_FAILED)
                return -errno;
        *ret_page = p;
        return 0;
}

int share_new(const struct link_share *config, const int *fds, unsigned int n_fds, struct share **ret_share) {
        struct share *s = NULL;
        void *page = NULL;
        int r = 0;

        if (config->n_peers > LINK_PEERS_MAX || n_fds != 1 + config->n_peers)
                return -EBADMSG;
        s = calloc(1, sizeof(*s));
        if (!s)
                return -ENOMEM;
        s->config = *config;
        r = map(fds[0], PROT_READ | PROT_WRITE, &page);
        if (r == 0)
                s->own = page;
        for (unsigned int i = 0; r == 0 && i < config->n_peers; i++) {
                r = map(fds[1 + i], PROT_READ, &page);
                if (r == 0)
                        s->peers[i] = page;
        }
        if (r < 0) {
                share_free(s);
                return r;
        }
        compute(s, 0); /* as if all others were idle: it looks before the first request */
        *ret_share = s;
        return 0;
}

void share_free(struct share *s) {
        if (!s)
                return;
        if (s->own) {
                __atomic_store_n(&s->own->until_ns, 0, __ATOMIC_RELAXED);
                munmap(s->own, SHARE_PAGE_SIZE);
        }
        for (unsigned int i = 0; i < s->config.n_peers; i++)
                if (s->peers[i])
                        munmap((void *)(uintptr_t)s->peers[i], SHARE_PAGE_SIZE);
        free(s);
}

static void say(struct share *s, unsigned int rate, uint64_t wanted, uint64_t now) {
        __atomic_store_n(&s->own->wanted[rate], wanted, __ATOMIC_RELAXED);
        __atomic_store_n(&s->own->until_ns, now + SHARE_HOLDS_NS, __ATOMIC_RELAXED);
}

bool share_look(struct share *s, uint64_t now) {
        const uint64_t passed = now - s->since;

        if (passed < SHARE_PERIOD_NS)
                return false;
        for (unsigned int rate = 0; rate < SHARE_RATES; rate++) {
                say(s, rate,
                    now < s->waited_until[rate] ? SHARE_ALL
                                                : (uint64_t)((unsigned __int128)s->used[rate] * NSEC_PER_SEC / passed),
                    now);
                s->used[rate] = 0;
        }
        s->since = now;
        compute(s, now);
        return true;
}

uint64_t share_get(const struct share *s, enum share_rate rate) {
        return s->now[rate];
}

void share_used(struct share *s, enum share_rate rate, uint64_t units) {
        s->used[rate] += units;
}

void share_waits(struct share *s, enum share_rate rate, uint64_t now) {
        if (now >= s->waited_until[rate])
                say(s, rate, SHARE_ALL, now);
        s->waited_until[rate] = now + SHARE_HOLDS_NS;
}
