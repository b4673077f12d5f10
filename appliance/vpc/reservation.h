/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reservations on a medium that several servers share [NVMe 1.4, section 8.8], as the control process and the workers see them.
 *
 * The control process decides, and writes what it has decided into a page of each function that has the medium. Its worker has
 * the page for reading only, and looks at it before each command: no lock, no system call. A change is told to whoever asked for
 * it when every worker has said that nothing is under way that had been let through before.
 */
#ifndef IOV_VPC_RESERVATION_H
#define IOV_VPC_RESERVATION_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define VPC_REGISTRANTS_MAX 128u
#define VPC_REGISTRANTS_EACH 4u /* by way of one function: a server cannot take the room of the others */

/* Figure "Reservation Type Encoding"; the numbers are NVMe's. */
enum vpc_reservation_type {
        VPC_RESERVATION_NONE,
        VPC_WRITE_EXCLUSIVE,
        VPC_EXCLUSIVE_ACCESS,
        VPC_WRITE_EXCLUSIVE_REGISTRANTS,
        VPC_EXCLUSIVE_ACCESS_REGISTRANTS,
        VPC_WRITE_EXCLUSIVE_ALL,
        VPC_EXCLUSIVE_ACCESS_ALL,
        VPC_RESERVATION_TYPES
};

/*
 * Who asks. A host identifier of zero is one that was never set: it is nobody else's, and not that of the same controller after
 * its next reset either [5.21.1.19]; `owner` and `epoch` tell them apart.
 */
struct vpc_initiator {
        uint8_t host[16];
        uint64_t owner;                   /* the vAdapter's id */
        uint32_t epoch;                   /* counts resets */
        uint8_t is_extended, reserved[3]; /* 128 bits, not 64 */
};
struct vpc_registrant {
        struct vpc_initiator initiator;
        uint64_t key;
        uint32_t is_holder; /* not used by the types for all registrants, who are all holders */
        uint32_t reserved;
};

/* What a host is told of the last change. */
enum vpc_notice { VPC_REGISTRATION_PREEMPTED = 1, VPC_RESERVATION_RELEASED, VPC_RESERVATION_PREEMPTED };
struct vpc_notice_to {
        struct vpc_initiator initiator;
        uint32_t notice;
        uint32_t is_aborted; /* and its commands end */
};

struct vpc_reservation {
        uint64_t volume; /* unique_id of the medium that it is of */
        uint64_t change; /* counts up with each */
        uint32_t generation;
        uint32_t type; /* enum vpc_reservation_type */
        uint32_t persists;
        uint32_t n_registrants, n_notices, reserved;
        struct vpc_registrant registrants[VPC_REGISTRANTS_MAX];
        struct vpc_notice_to notices[VPC_REGISTRANTS_MAX]; /* of the last change */
};

/* The copy that counts is the one of `current` modulo 2; 0: none does yet. */
struct vpc_reservation_page {
        uint64_t current;
        struct vpc_reservation copies[2];
};

enum vpc_reserve_op {
        VPC_RESERVE_REGISTER = 1,
        VPC_RESERVE_UNREGISTER,
        VPC_RESERVE_REPLACE,
        VPC_RESERVE_ACQUIRE,
        VPC_RESERVE_PREEMPT,
        VPC_RESERVE_PREEMPT_ABORT,
        VPC_RESERVE_RELEASE,
        VPC_RESERVE_CLEAR,
        VPC_RESERVE_PERSIST, /* of a registrant or not */
        VPC_RESERVE_FORGET,  /* the registrations of that owner without a host identifier, but for those of this epoch */
        VPC_RESERVE_OPS,
        /* And of marks (marks.h): bytes `first` to `end` cannot be read from now on, */
        VPC_MARKS_SET = VPC_RESERVE_OPS,
        /* or they can, as far as what marked them was `change` or before it. */
        VPC_MARKS_CLEAR,
};
enum vpc_reserve_persist { VPC_PERSIST_AS_IT_IS, VPC_PERSIST_OFF, VPC_PERSIST_ON };
struct vpc_reserve_request {
        uint64_t ticket; /* of a function one is higher than the one before; the same one again is the same request */
        struct vpc_initiator initiator;
        uint64_t key, new_key; /* the current one; and the new one, or that which is preempted */
        uint64_t volume;       /* unique_id of the medium, which may be another one by then */
        uint64_t first, end;   /* of marks, which need no initiator, keys or type */
        uint64_t change;
        uint32_t medium;
        uint8_t op, type, ignore_key, persist;
};
enum vpc_reserve_result {
        VPC_RESERVE_DONE,
        VPC_RESERVE_CONFLICT,
        VPC_RESERVE_INVALID,      /* the keys or the type make no sense there */
        VPC_RESERVE_INCONSISTENT, /* others have host identifiers of the other size */
        VPC_RESERVE_FULL,
        VPC_RESERVE_AGAIN,  /* what marked some of it was neither before `change` nor after it: write it once more */
        VPC_RESERVE_FAILED, /* it could not be made durable, or the medium is not shared */
};

/* ---- rights ---- */

#define VPC_MAY_READ 1u
#define VPC_MAY_WRITE 2u

static inline bool vpc_initiator_same(const struct vpc_initiator *a, const struct vpc_initiator *b) {
        static const uint8_t none[16];

        if (memcmp(a->host, b->host, sizeof(a->host)) != 0)
                return false;
        return memcmp(a->host, none, sizeof(none)) != 0 || (a->owner == b->owner && a->epoch == b->epoch);
}

/* NULL: it has not registered. */
static inline const struct vpc_registrant *vpc_registrant_find(const struct vpc_reservation *r, const struct vpc_initiator *who) {
        for (uint32_t i = 0; i < r->n_registrants && i < VPC_REGISTRANTS_MAX; i++)
                if (vpc_initiator_same(&r->registrants[i].initiator, who))
                        return &r->registrants[i];
        return NULL;
}

static inline bool vpc_reservation_is_for_all(uint32_t type) {
        return type == VPC_WRITE_EXCLUSIVE_ALL || type == VPC_EXCLUSIVE_ACCESS_ALL;
}

/* [8.8, Command Behavior in the Presence of a Reservation] */
static inline unsigned int vpc_reservation_rights(const struct vpc_reservation *r, const struct vpc_initiator *who) {
        const struct vpc_registrant *registrant = vpc_registrant_find(r, who);

        switch (r->type) {
        case VPC_RESERVATION_NONE:
                return VPC_MAY_READ | VPC_MAY_WRITE;
        case VPC_WRITE_EXCLUSIVE:
                return VPC_MAY_READ | (registrant && registrant->is_holder ? VPC_MAY_WRITE : 0);
        case VPC_EXCLUSIVE_ACCESS:
                return registrant && registrant->is_holder ? VPC_MAY_READ | VPC_MAY_WRITE : 0;
        case VPC_WRITE_EXCLUSIVE_REGISTRANTS:
        case VPC_WRITE_EXCLUSIVE_ALL:
                return VPC_MAY_READ | (registrant ? VPC_MAY_WRITE : 0);
        default:
                return registrant ? VPC_MAY_READ | VPC_MAY_WRITE : 0;
        }
}

/* ---- the page ---- */

static inline uint64_t vpc_reservation_current(const struct vpc_reservation_page *page) {
        return __atomic_load_n(&page->current, __ATOMIC_ACQUIRE);
}

/* A look at it is good if nothing has changed meanwhile: the copy is written to again no sooner than with the next but one. */
static inline bool vpc_reservation_is_good(const struct vpc_reservation_page *page, uint64_t current) {
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        return __atomic_load_n(&page->current, __ATOMIC_RELAXED) == current;
}

/* The only writer. */
static inline void vpc_reservation_write(struct vpc_reservation_page *page, const struct vpc_reservation *reservation) {
        const uint64_t next = page->current + 1;

        page->copies[next & 1] = *reservation;
        __atomic_store_n(&page->current, next, __ATOMIC_SEQ_CST);
}

#endif
