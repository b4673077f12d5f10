/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of a medium was marked as unreadable [NVMe 1.4, section 6.16]. Marks belong to the volume: the control process has them,
 * changes them one request after the other (vpc_reserve_request), keeps them durably, and writes them into memory of each
 * function that shows the volume before it says that it is done. A model looks there: one load where there are none.
 *
 * Marks are in bytes, so that they mean the same whatever the size of blocks is.
 */
#ifndef IOV_VPC_MARKS_H
#define IOV_VPC_MARKS_H

#include <stdbool.h>
#include <stdint.h>

#define VPC_MARKS_MAX 64u   /* ranges of a volume */
#define VPC_MARKED_MEDIA 64 /* VPC_MEDIA_MAX */

/*
 * Each marking is a change, and changes are numbered. A range may be what several have made, `oldest` to `newest`. A write takes
 * away the marks that there were when it began, and no later one: see VPC_MARKS_CLEAR.
 */
struct vpc_mark {
        uint64_t first, end; /* bytes */
        uint64_t oldest, newest;
};
struct vpc_marks {
        uint64_t change; /* the last */
        uint32_t n, reserved;
        struct vpc_mark ranges[VPC_MARKS_MAX]; /* in no order; no two overlap or meet */
};

/* By index of the medium. */
struct vpc_marks_pages {
        uint64_t current[VPC_MARKED_MEDIA]; /* 0: no marks; else the copy that counts is the one of this modulo 2 */
        uint64_t last[VPC_MARKED_MEDIA];    /* the writer's */
        struct vpc_marks copies[VPC_MARKED_MEDIA][2];
};

/* 0: there are none. */
static inline uint64_t vpc_marks_current(const struct vpc_marks_pages *pages, unsigned int medium) {
        return __atomic_load_n(&pages->current[medium], __ATOMIC_ACQUIRE);
}

/* What was read of that copy was whole. */
static inline bool vpc_marks_is_good(const struct vpc_marks_pages *pages, unsigned int medium, uint64_t current) {
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        return __atomic_load_n(&pages->current[medium], __ATOMIC_RELAXED) == current;
}

/* The only writer. The reader may spoil these pages, which are its own: nothing is believed that is read from them. */
static inline void vpc_marks_show(struct vpc_marks_pages *pages, unsigned int medium, const struct vpc_marks *marks) {
        const uint64_t next = __atomic_load_n(&pages->last[medium], __ATOMIC_RELAXED) + 1;

        __atomic_store_n(&pages->last[medium], next, __ATOMIC_RELAXED);
        if (!marks || !marks->n || !next) {
                __atomic_store_n(&pages->current[medium], 0, __ATOMIC_SEQ_CST);
                return;
        }
        __atomic_thread_fence(__ATOMIC_SEQ_CST); /* who looks at this copy still sees that another one counts */
        pages->copies[medium][next & 1] = *marks;
        __atomic_store_n(&pages->current[medium], next, __ATOMIC_SEQ_CST);
}

#endif
