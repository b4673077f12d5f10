/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Polling instead of sleeping, and how long it pays. */
#include <errno.h>

#include "loop/loop-private.h"
#include "util.h"

/* Rounds without work between two looks at the clock. */
#define ROUNDS_PER_LOOK 16u
#define ROUNDS_EAGER 64u /* without work, before the other half of the processor is given way to */
#define SPIN_FIRST_NS UINT64_C(10000)

struct loop_poller {
        struct loop *loop;
        const struct loop_poller_callbacks *callbacks;
        void *userdata;
        bool polling;
        unsigned int rounds; /* without work */
        uint64_t since;      /* clock, of the first look since there was work; 0: none yet */
        uint64_t slept;      /* clock, when it ended */
        uint64_t spin_ns;    /* what it has at present */
        struct loop_poller *next;
};

int loop_add_poller(struct loop *loop, const struct loop_poller_callbacks *callbacks, void *userdata,
                    struct loop_poller **ret_poller) {
        struct loop_poller *poller = calloc(1, sizeof(*poller));

        if (!poller)
                return -ENOMEM;
        *poller = (struct loop_poller){
                .loop = loop, .callbacks = callbacks, .userdata = userdata, .spin_ns = loop->spin_ns, .next = loop->pollers};
        loop->pollers = poller;
        *ret_poller = poller;
        return 0;
}

/*
 * Work that comes soon after the end of polling would have been found by polling longer, work that comes late would not have been
 * found by any: so the time that is spent on looking out grows and shrinks with what it brings.
 */
static void adapt(struct loop_poller *poller) {
        const uint64_t max = poller->loop->spin_ns;
        uint64_t spin = poller->spin_ns;

        if (poller->slept && monotonic_ns() - poller->slept > max)
                spin /= 2;
        else if (poller->slept)
                spin = spin * 2 > SPIN_FIRST_NS ? spin * 2 : SPIN_FIRST_NS;
        poller->spin_ns = spin < max ? spin : max;
}

void loop_poller_start(struct loop_poller *poller) {
        if (poller->polling)
                return;
        adapt(poller);
        poller->polling = true;
        poller->rounds = 0;
        poller->since = 0;
        poller->loop->n_polling++;
}

void loop_poller_stop(struct loop_poller *poller) {
        if (!poller->polling)
                return;
        poller->polling = false;
        poller->loop->n_polling--;
        poller->slept = monotonic_ns();
}

struct loop_poller *loop_poller_remove(struct loop_poller *poller) {
        if (!poller)
                return NULL;
        loop_poller_stop(poller);
        for (struct loop_poller **p = &poller->loop->pollers; *p; p = &(*p)->next)
                if (*p == poller) {
                        *p = poller->next;
                        break;
                }
        free(poller);
        return NULL;
}

void loop_set_spin(struct loop *loop, uint64_t spin_ns) {
        loop->spin_ns = spin_ns;
        for (struct loop_poller *p = loop->pollers; p; p = p->next)
                p->spin_ns = spin_ns;
}

/* Its time is over. */
static bool is_over(struct loop_poller *poller) {
        uint64_t now = 0;

        if (poller->spin_ns == 0)
                return true;
        if (poller->rounds++ % ROUNDS_PER_LOOK)
                return false;
        now = monotonic_ns();
        if (!poller->since)
                poller->since = now;
        return now - poller->since >= poller->spin_ns;
}

static inline void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ volatile("yield");
#endif
}

bool poller_round(struct loop *loop, bool busy) {
        bool found = busy;

        for (struct loop_poller *poller = loop->pollers; poller; poller = poller->next) {
                if (!poller->polling)
                        continue;
                if (poller->callbacks->poll(poller->userdata)) {
                        poller->rounds = 0;
                        poller->since = 0;
                        found = true;
                } else if (is_over(poller)) {
                        poller->since = 0;
                        poller->rounds = 0;
                        if (poller->callbacks->stop(poller->userdata))
                                loop_poller_stop(poller);
                }
        }
        loop->idle_rounds = found ? 0 : loop->idle_rounds + 1;
        if (loop->idle_rounds > ROUNDS_EAGER)
                relax();
        return loop->n_polling > 0;
}

void loop_at_end(struct loop *loop, struct loop_end *end) {
        if (end->queued)
                return;
        end->queued = true;
        end->next = NULL;
        *loop->rounds_end = end;
        loop->rounds_end = &end->next;
}

void loop_end_cancel(struct loop *loop, struct loop_end *end) {
        if (!end->queued)
                return;
        end->queued = false;
        for (struct loop_end **p = &loop->rounds; *p; p = &(*p)->next)
                if (*p == end) {
                        *p = end->next;
                        if (!*p)
                                loop->rounds_end = p;
                        return;
                }
}

void poller_ends(struct loop *loop) {
        while (loop->rounds && !loop->stopped) {
                struct loop_end *end = loop->rounds;

                loop_end_cancel(loop, end);
                end->fn(end);
        }
}
