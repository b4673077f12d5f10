/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What functions keep for their whole life, and the instances: given to a new image, taken from one that goes. While a server has
 * the function it is taken once a minute, if there is something new, so that a crash of all of this costs no more than that; who
 * is in no server, or idle in one, costs nothing but a look.
 */
#include "control/supervisor/supervisor-private.h"

#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "util.h"
#include "vpc/function.h"

#define ROUND (60 * SUPERVISOR_SECOND)
#define AT_ONCE_AGAIN (10 * SUPERVISOR_SECOND) /* a server that comes and goes makes nothing be written more often */

void instance_give_life(struct supervisor *s, struct instance *i) {
        size_t size = 0;
        const void *life = i->persona.unique_id ? lives_get(s->lives, &i->persona, i->model, &size) : NULL;

        if (life && vpc_image_life_give(i->image, i->model, life, size) < 0)
                journal_event(s->journal, LOG_WARNING, JOURNAL_NO_UID, i->vadapter,
                              "what was kept of its figures is none of this device model: they begin anew");
        i->life_first = i->life_last = vpc_image_life_mark(i->image, i->image_size, i->model, monotonic_ns());
}

static void take(struct supervisor *s, struct instance *i, uint64_t mark) {
        const uint64_t now = monotonic_ns();
        CLEANUP_FREE void *life = malloc(VPC_LIFE_MAX);
        const size_t size = life ? vpc_image_life_take(i->image, i->image_size, i->model, now, life) : 0;

        if (size && lives_set(s->lives, &i->persona, i->model, life, size) == 0) {
                i->life_last = mark;
                i->life_kept_ns = now;
        }
}

static uint64_t mark_of(const struct instance *i) {
        const bool has_life = i->model && i->image && !i->is_forgotten && i->persona.unique_id;

        return has_life ? vpc_image_life_mark(i->image, i->image_size, i->model, monotonic_ns()) : 0;
}

static void take_new(struct supervisor *s, struct instance *i) {
        const uint64_t mark = mark_of(i);

        if (mark && mark != i->life_last)
                take(s, i, mark);
}

/* To the last second, where there was a server at all. */
void instance_end_life(struct supervisor *s, struct instance *i) {
        const uint64_t mark = mark_of(i);

        if (mark && mark != i->life_first)
                take(s, i, mark);
}

static void arm(struct supervisor *s);

static void on_round(void *userdata) {
        struct supervisor *s = userdata;
        bool is_used = false;

        s->life_timer = loop_source_remove(s->life_timer);
        lives_retry(s->lives);
        for (struct instance *i = s->instances; i; i = i->next) {
                is_used |= i->connected;
                take_new(s, i);
        }
        if (is_used)
                arm(s);
}

static void arm(struct supervisor *s) {
        if (!s->life_timer)
                loop_add_timer(s->loop, ROUND, on_round, s, &s->life_timer);
}

/* That a server has shut it down, and with what, must not be known by the minute: a crash would count as a loss of power. */
void instance_watch_life(struct supervisor *s, struct instance *i) {
        if (!i->connected && (!i->life_kept_ns || monotonic_ns() - i->life_kept_ns >= AT_ONCE_AGAIN))
                take_new(s, i);
        else
                arm(s);
}

void supervisor_hand_over(struct supervisor *s) {
        for (struct instance *i = s->instances; i; i = i->next)
                instance_end_life(s, i);
        s->lives = lives_free(s->lives);
}

void supervisor_forget_vadapter(struct supervisor *s, uint64_t vadapter) {
        for (struct instance *i = s->instances; i; i = i->next)
                i->is_forgotten |= i->persona.unique_id == vadapter;
        lives_remove(s->lives, vadapter);
}
