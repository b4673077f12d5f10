/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/volumes/reservation-state.h"

static bool is_zero_host(const struct vpc_initiator *who) {
        static const uint8_t none[16];

        return memcmp(who->host, none, sizeof(none)) == 0;
}

static struct vpc_registrant *find(struct vpc_reservation *s, const struct vpc_initiator *who) {
        const struct vpc_registrant *r = vpc_registrant_find(s, who);

        return r ? &s->registrants[r - s->registrants] : NULL;
}

static struct vpc_registrant *holder_of(struct vpc_reservation *s) {
        for (uint32_t i = 0; i < s->n_registrants; i++)
                if (s->registrants[i].is_holder)
                        return &s->registrants[i];
        return NULL;
}

static void notify(struct vpc_reservation *s, const struct vpc_initiator *to, enum vpc_notice notice, bool aborted) {
        if (s->n_notices < VPC_REGISTRANTS_MAX)
                s->notices[s->n_notices++] = (struct vpc_notice_to){*to, notice, aborted};
}

static void notify_others(struct vpc_reservation *s, const struct vpc_initiator *who, enum vpc_notice notice) {
        for (uint32_t i = 0; i < s->n_registrants; i++)
                if (!vpc_initiator_same(&s->registrants[i].initiator, who))
                        notify(s, &s->registrants[i].initiator, notice, false);
}

static void drop(struct vpc_reservation *s, struct vpc_registrant *gone) {
        memmove(gone, gone + 1, (size_t)(&s->registrants[s->n_registrants] - (gone + 1)) * sizeof(*gone));
        s->registrants[--s->n_registrants] = (struct vpc_registrant){0};
}

/* [8.8.5] [8.8.6] Those who may do more now hear of it, where the type let registrants do something: for a holder alone it is the
 * others who ask. */
static void release(struct vpc_reservation *s, const struct vpc_initiator *who) {
        const bool tell = s->type >= VPC_WRITE_EXCLUSIVE_REGISTRANTS;

        s->type = VPC_RESERVATION_NONE;
        for (uint32_t i = 0; i < s->n_registrants; i++)
                s->registrants[i].is_holder = 0;
        if (tell)
                notify_others(s, who, VPC_RESERVATION_RELEASED);
}

static void reserve(struct vpc_reservation *s, struct vpc_registrant *holder, uint32_t type) {
        for (uint32_t i = 0; i < s->n_registrants; i++)
                s->registrants[i].is_holder = 0;
        s->type = type;
        holder->is_holder = !vpc_reservation_is_for_all(type);
}

/* One leaves: with the holder goes the reservation, with the last of all registrants theirs. */
static void unregister(struct vpc_reservation *s, struct vpc_registrant *gone) {
        const struct vpc_initiator who = gone->initiator;
        const bool was_holder = gone->is_holder;

        drop(s, gone);
        if (was_holder || (vpc_reservation_is_for_all(s->type) && !s->n_registrants))
                release(s, &who);
}

/* ---- Reservation Register [6.11] ---- */

static enum vpc_reserve_result do_register(struct vpc_reservation *s, const struct vpc_reserve_request *q, bool *ret_changed) {
        const struct vpc_registrant *there = find(s, &q->initiator);
        uint32_t n = 0;

        if (!q->new_key) /* it would be one that nobody can preempt */
                return VPC_RESERVE_INVALID;
        if (there) {
                /* Registered already: the same key again is no error. It counts as a command that was carried out. */
                *ret_changed = there->key == q->new_key;
                return there->key == q->new_key ? VPC_RESERVE_DONE : VPC_RESERVE_CONFLICT;
        }
        for (uint32_t i = 0; i < s->n_registrants; i++) {
                const struct vpc_initiator *other = &s->registrants[i].initiator;

                if (!is_zero_host(other) && !is_zero_host(&q->initiator) && other->is_extended != q->initiator.is_extended)
                        return VPC_RESERVE_INCONSISTENT;
                n += other->owner == q->initiator.owner;
        }
        if (s->n_registrants == VPC_REGISTRANTS_MAX || n >= VPC_REGISTRANTS_EACH)
                return VPC_RESERVE_FULL;
        s->registrants[s->n_registrants++] = (struct vpc_registrant){.initiator = q->initiator, .key = q->new_key};
        *ret_changed = true;
        return VPC_RESERVE_DONE;
}

static enum vpc_reserve_result do_registration(struct vpc_reservation *s, const struct vpc_reserve_request *q,
                                               bool *ret_changed) {
        struct vpc_registrant *there = find(s, &q->initiator);
        enum vpc_reserve_result result = VPC_RESERVE_DONE;

        if (q->op == VPC_RESERVE_REGISTER)
                result = do_register(s, q, ret_changed);
        else if (!there || (!q->ignore_key && there->key != q->key))
                return VPC_RESERVE_CONFLICT;
        else if (q->op == VPC_RESERVE_UNREGISTER)
                unregister(s, there);
        else if (!q->new_key)
                return VPC_RESERVE_INVALID;
        else
                there->key = q->new_key;
        if (result != VPC_RESERVE_DONE)
                return result;
        if (q->persist != VPC_PERSIST_AS_IT_IS)
                s->persists = q->persist == VPC_PERSIST_ON;
        s->generation++;
        *ret_changed = true;
        return result;
}

/* ---- Reservation Acquire [6.10] ---- */

static enum vpc_reserve_result do_acquire(struct vpc_reservation *s, const struct vpc_reserve_request *q,
                                          struct vpc_registrant *me, bool *ret_changed) {
        if (s->type != VPC_RESERVATION_NONE) {
                const bool is_mine = me->is_holder || vpc_reservation_is_for_all(s->type);

                return is_mine && s->type == q->type ? VPC_RESERVE_DONE : VPC_RESERVE_CONFLICT;
        }
        reserve(s, me, q->type);
        *ret_changed = true;
        return VPC_RESERVE_DONE;
}

/* The registrations with that key, or all, but for one's own where it is to stay. How many went. */
static unsigned int preempt_registrants(struct vpc_reservation *s, const struct vpc_reserve_request *q, bool all, bool keep_own) {
        unsigned int n = 0;

        for (uint32_t i = 0; i < s->n_registrants;) {
                struct vpc_registrant *r = &s->registrants[i];
                const bool is_own = vpc_initiator_same(&r->initiator, &q->initiator);

                if ((!all && r->key != q->new_key) || (is_own && keep_own)) {
                        i++;
                        continue;
                }
                const struct vpc_initiator who = r->initiator;
                unregister(s, r);
                if (!is_own)
                        notify(s, &who, VPC_REGISTRATION_PREEMPTED, q->op == VPC_RESERVE_PREEMPT_ABORT);
                n++;
        }
        return n;
}

/* [8.8.7] */
static enum vpc_reserve_result do_preempt(struct vpc_reservation *s, const struct vpc_reserve_request *q,
                                          const struct vpc_registrant *me) {
        const bool for_all = vpc_reservation_is_for_all(s->type);
        const struct vpc_registrant *holder = holder_of(s);
        const uint32_t before = s->type;

        if (for_all ? !q->new_key : holder && (holder == me || holder->key == q->new_key)) {
                const struct vpc_initiator who = q->initiator;

                /* The type first, so that no reservation is released on the way. */
                reserve(s, &s->registrants[me - s->registrants], q->type);
                if (for_all || q->new_key)
                        preempt_registrants(s, q, for_all, true);
                if (before != q->type) {
                        /* Who has been told that its registration is gone needs no more. */
                        notify_others(s, &who, VPC_RESERVATION_RELEASED);
                }
                return VPC_RESERVE_DONE;
        }
        if (!q->new_key)
                return VPC_RESERVE_INVALID;
        return preempt_registrants(s, q, false, false) ? VPC_RESERVE_DONE : VPC_RESERVE_CONFLICT;
}

static enum vpc_reserve_result do_acquisition(struct vpc_reservation *s, const struct vpc_reserve_request *q,
                                              struct vpc_registrant *me, bool *ret_changed) {
        if (q->type == VPC_RESERVATION_NONE || q->type >= VPC_RESERVATION_TYPES)
                return VPC_RESERVE_INVALID;
        if (q->op == VPC_RESERVE_ACQUIRE)
                return do_acquire(s, q, me, ret_changed);
        enum vpc_reserve_result result = do_preempt(s, q, me);
        if (result == VPC_RESERVE_DONE) {
                s->generation++;
                *ret_changed = true;
        }
        return result;
}

/* ---- Reservation Release [6.12] ---- */

static enum vpc_reserve_result do_release(struct vpc_reservation *s, const struct vpc_reserve_request *q,
                                          const struct vpc_registrant *me, bool *ret_changed) {
        const struct vpc_initiator who = q->initiator;

        if (q->op == VPC_RESERVE_CLEAR) {
                notify_others(s, &who, VPC_RESERVATION_PREEMPTED);
                s->n_registrants = 0;
                memset(s->registrants, 0, sizeof(s->registrants));
                s->type = VPC_RESERVATION_NONE;
                s->generation++;
                *ret_changed = true;
                return VPC_RESERVE_DONE;
        }
        /* Of one that holds nothing it is no error. */
        if (s->type == VPC_RESERVATION_NONE || !(me->is_holder || vpc_reservation_is_for_all(s->type)))
                return VPC_RESERVE_DONE;
        if (s->type != q->type)
                return VPC_RESERVE_INVALID;
        release(s, &who);
        *ret_changed = true;
        return VPC_RESERVE_DONE;
}

/* ---- all of them ---- */

/* A controller without a host identifier was reset, and its host is another one now [5.21.1.19]. */
static void forget(struct vpc_reservation *s, const struct vpc_initiator *who, bool *ret_changed) {
        for (uint32_t i = 0; i < s->n_registrants;) {
                struct vpc_registrant *r = &s->registrants[i];

                if (is_zero_host(&r->initiator) && r->initiator.owner == who->owner && r->initiator.epoch != who->epoch) {
                        unregister(s, r);
                        *ret_changed = true;
                } else {
                        i++;
                }
        }
}

static enum vpc_reserve_result apply(struct vpc_reservation *s, const struct vpc_reserve_request *q, bool *ret_changed) {
        struct vpc_registrant *me = find(s, &q->initiator);

        switch (q->op) {
        case VPC_RESERVE_REGISTER:
        case VPC_RESERVE_UNREGISTER:
        case VPC_RESERVE_REPLACE:
                return do_registration(s, q, ret_changed);
        case VPC_RESERVE_PERSIST:
                *ret_changed = s->persists != (q->persist == VPC_PERSIST_ON);
                s->persists = q->persist == VPC_PERSIST_ON;
                return VPC_RESERVE_DONE;
        case VPC_RESERVE_FORGET:
                forget(s, &q->initiator, ret_changed);
                return VPC_RESERVE_DONE;
        case VPC_RESERVE_ACQUIRE:
        case VPC_RESERVE_PREEMPT:
        case VPC_RESERVE_PREEMPT_ABORT:
                return me && me->key == q->key ? do_acquisition(s, q, me, ret_changed) : VPC_RESERVE_CONFLICT;
        case VPC_RESERVE_RELEASE:
        case VPC_RESERVE_CLEAR:
                return me && me->key == q->key ? do_release(s, q, me, ret_changed) : VPC_RESERVE_CONFLICT;
        default:
                return VPC_RESERVE_INVALID;
        }
}

static void begin(struct vpc_reservation *s) {
        s->n_notices = 0;
        memset(s->notices, 0, sizeof(s->notices));
}

enum vpc_reserve_result reservation_apply(struct vpc_reservation *state, const struct vpc_reserve_request *request,
                                          bool *ret_changed) {
        struct vpc_reservation next = *state;
        bool changed = false;

        begin(&next);
        enum vpc_reserve_result result = apply(&next, request, &changed);
        *ret_changed = result == VPC_RESERVE_DONE && changed;
        if (*ret_changed) {
                next.change++;
                *state = next;
        }
        return result;
}

void reservation_clear(struct vpc_reservation *s) {
        begin(s);
        for (uint32_t i = 0; i < s->n_registrants; i++)
                notify(s, &s->registrants[i].initiator, VPC_RESERVATION_PREEMPTED, false);
        s->n_registrants = 0;
        memset(s->registrants, 0, sizeof(s->registrants));
        s->type = VPC_RESERVATION_NONE;
        s->generation++;
        s->change++;
}

bool reservation_is_sane(const struct vpc_reservation *s) {
        unsigned int holders = 0;

        if (s->type >= VPC_RESERVATION_TYPES || s->persists > 1 || s->n_registrants > VPC_REGISTRANTS_MAX ||
            s->n_notices > VPC_REGISTRANTS_MAX)
                return false;
        for (uint32_t i = 0; i < s->n_registrants; i++) {
                if (s->registrants[i].is_holder > 1 || s->registrants[i].initiator.is_extended > 1)
                        return false;
                holders += s->registrants[i].is_holder;
        }
        if (s->type == VPC_RESERVATION_NONE)
                return holders == 0;
        return vpc_reservation_is_for_all(s->type) ? holders == 0 && s->n_registrants > 0 : holders == 1;
}
