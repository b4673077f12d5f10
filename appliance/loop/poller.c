/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Polling instead of sleeping, naps in between, and how long they pay. */
#include <errno.h>

#include "loop/loop-private.h"
#include "util.h"

/* Rounds without work between two looks at the clock. */
#define ROUNDS_PER_LOOK 16u
#define ROUNDS_EAGER 64u /* without work, before the other half of the processor is given way to */
#define SPIN_FIRST_NS UINT64_C(10000)
/* A nap is as long as this at least, else a quarter of the time that has passed without work. */
#define NAP_NS UINT64_C(25000)
#define NAPS_NS UINT64_C(500000) /* all of them */

enum poller_state { POLLER_ASLEEP, POLLER_SPINS, POLLER_NAPS };

struct loop_poller {
        struct loop *loop;
        const struct loop_poller_callbacks *callbacks;
        void *userdata;
        enum poller_state state;
        unsigned int rounds; /* without work */
        uint64_t since;      /* clock, of the first look since there was work; 0: none yet */
        uint64_t ended;      /* clock, when it spun last; 0: it never did */
        uint64_t looked;     /* clock, of the last look since that found nothing */
        uint64_t spin_ns;    /* what it has at present, */
        uint64_t naps_ns;    /* and for naps after that */
        struct loop_source *alarm;
        struct loop_poller *next;
};

static void on_alarm(void *userdata);

int loop_add_poller(struct loop *loop, const struct loop_poller_callbacks *callbacks, void *userdata,
                    struct loop_poller **ret_poller) {
        struct loop_poller *poller = calloc(1, sizeof(*poller));
        int r = 0;

        if (!poller)
                return -ENOMEM;
        *poller = (struct loop_poller){.loop = loop, .callbacks = callbacks, .userdata = userdata, .spin_ns = loop->spin_ns};
        r = loop_add_timer(loop, UINT64_MAX, on_alarm, poller, &poller->alarm);
        if (r < 0) {
                free(poller);
                return r;
        }
        poller->next = loop->pollers;
        loop->pollers = poller;
        *ret_poller = poller;
        return 0;
}

/*
 * Work that comes soon after the end of spinning would have been found by spinning longer, work that comes late would not have
 * been found by any: so the time that is spent on looking out grows and shrinks with what it brings, and the naps with it. Of
 * work that a nap has found it is known only that it came after the look before.
 */
static void adapt(struct loop_poller *poller) {
        const uint64_t max = poller->loop->spin_ns;
        uint64_t spin = poller->spin_ns;

        if (poller->ended) {
                const uint64_t late = (poller->state == POLLER_NAPS ? poller->looked : monotonic_ns()) - poller->ended;

                if (late > max)
                        spin /= 2;
                else
                        spin = spin * 2 > SPIN_FIRST_NS ? spin * 2 : SPIN_FIRST_NS;
                poller->naps_ns = late <= NAPS_NS ? NAPS_NS : poller->naps_ns / 2;
        }
        poller->spin_ns = spin < max ? spin : max;
}

void loop_poller_start(struct loop_poller *poller) {
        if (poller->state == POLLER_SPINS)
                return;
        adapt(poller);
        poller->state = POLLER_SPINS;
        poller->rounds = 0;
        poller->since = 0;
        poller->loop->n_polling++;
}

static void spin_end(struct loop_poller *poller) {
        if (poller->state != POLLER_SPINS)
                return;
        poller->state = POLLER_ASLEEP;
        poller->loop->n_polling--;
        poller->ended = poller->looked = monotonic_ns();
}

/* An alarm that is still set finds that out. */
void loop_poller_stop(struct loop_poller *poller) {
        spin_end(poller);
        poller->state = POLLER_ASLEEP;
}

struct loop_poller *loop_poller_remove(struct loop_poller *poller) {
        if (!poller)
                return NULL;
        loop_poller_stop(poller);
        loop_source_remove(poller->alarm);
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

/* Where there is no time to spin there is none for naps. */
static bool may_nap(const struct loop_poller *poller) {
        return poller->loop->spin_ns > 0 && poller->looked - poller->ended < poller->naps_ns && poller->callbacks->may_nap &&
               poller->callbacks->may_nap(poller->userdata);
}

static void nap(struct loop_poller *poller) {
        const uint64_t quarter = (poller->looked - poller->ended) / 4;

        poller->state = POLLER_NAPS;
        loop_timer_set(poller->alarm, quarter > NAP_NS ? quarter : NAP_NS);
}

/* There was nothing: what next? */
static void give_up(struct loop_poller *poller) {
        if (may_nap(poller))
                nap(poller);
        else if (poller->callbacks->stop(poller->userdata))
                poller->state = POLLER_ASLEEP;
        else
                loop_poller_start(poller);
}

static void on_alarm(void *userdata) {
        struct loop_poller *poller = userdata;

        if (poller->state != POLLER_NAPS)
                return;
        if (poller->callbacks->poll(poller->userdata)) {
                loop_poller_start(poller);
                return;
        }
        poller->looked = monotonic_ns();
        give_up(poller);
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
                if (poller->state != POLLER_SPINS)
                        continue;
                if (poller->callbacks->poll(poller->userdata)) {
                        poller->rounds = 0;
                        poller->since = 0;
                        found = true;
                } else if (is_over(poller)) {
                        spin_end(poller);
                        give_up(poller);
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
