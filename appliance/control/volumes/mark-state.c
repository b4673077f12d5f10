/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/volumes/mark-state.h"

#include <string.h>

static void drop(struct vpc_marks *marks, uint32_t i) {
        marks->ranges[i] = marks->ranges[--marks->n];
        marks->ranges[marks->n] = (struct vpc_mark){0};
}

static bool overlaps(const struct vpc_mark *m, uint64_t first, uint64_t end) {
        return m->first < end && first < m->end;
}

/* What was marked before within the range is now marked by this change alone. */
static void drop_within(struct vpc_marks *marks, uint64_t first, uint64_t end) {
        for (uint32_t i = 0; i < marks->n;) {
                if (marks->ranges[i].first >= first && marks->ranges[i].end <= end)
                        drop(marks, i);
                else
                        i++;
        }
}

/* Ranges that meet become one, which is of the changes of both. */
static void absorb(struct vpc_marks *marks, struct vpc_mark *wanted) {
        for (uint32_t i = 0; i < marks->n;) {
                const struct vpc_mark m = marks->ranges[i];

                if (m.first > wanted->end || wanted->first > m.end) {
                        i++;
                        continue;
                }
                wanted->first = m.first < wanted->first ? m.first : wanted->first;
                wanted->end = m.end > wanted->end ? m.end : wanted->end;
                wanted->oldest = m.oldest < wanted->oldest ? m.oldest : wanted->oldest;
                drop(marks, i);
                i = 0; /* what is larger now may meet more */
        }
}

static enum vpc_reserve_result set(struct vpc_marks *marks, uint64_t first, uint64_t end) {
        struct vpc_mark wanted = {.first = first, .end = end, .oldest = ++marks->change, .newest = marks->change};

        drop_within(marks, first, end);
        absorb(marks, &wanted);
        if (marks->n == VPC_MARKS_MAX)
                return VPC_RESERVE_FULL;
        marks->ranges[marks->n++] = wanted;
        return VPC_RESERVE_DONE;
}

/* The middle of a range goes: one more is needed for what is behind it. */
static enum vpc_reserve_result cut(struct vpc_marks *marks, uint32_t i, uint64_t first, uint64_t end) {
        struct vpc_mark *m = &marks->ranges[i], upper = *m;

        if (m->first >= first) {
                m->first = end;
                return VPC_RESERVE_DONE;
        }
        m->end = first;
        if (upper.end <= end)
                return VPC_RESERVE_DONE;
        if (marks->n == VPC_MARKS_MAX)
                return VPC_RESERVE_FULL;
        upper.first = end;
        marks->ranges[marks->n++] = upper;
        return VPC_RESERVE_DONE;
}

static enum vpc_reserve_result clear(struct vpc_marks *marks, const struct vpc_reserve_request *q, bool *ret_changed) {
        enum vpc_reserve_result result = VPC_RESERVE_DONE;

        for (uint32_t i = 0; i < marks->n && result == VPC_RESERVE_DONE;) {
                const struct vpc_mark *m = &marks->ranges[i];

                if (!overlaps(m, q->first, q->end) || m->oldest > q->change) {
                        i++;
                        continue;
                }
                if (m->newest > q->change)
                        return VPC_RESERVE_AGAIN;
                *ret_changed = true;
                if (m->first >= q->first && m->end <= q->end)
                        drop(marks, i);
                else
                        result = cut(marks, i++, q->first, q->end);
        }
        return result;
}

enum vpc_reserve_result mark_apply(struct vpc_marks *marks, const struct vpc_reserve_request *q, bool *ret_changed) {
        struct vpc_marks next = *marks;
        bool changed = q->op == VPC_MARKS_SET;

        *ret_changed = false;
        if ((q->op != VPC_MARKS_SET && q->op != VPC_MARKS_CLEAR) || q->first >= q->end)
                return VPC_RESERVE_INVALID;
        enum vpc_reserve_result result = q->op == VPC_MARKS_SET ? set(&next, q->first, q->end) : clear(&next, q, &changed);
        if (result != VPC_RESERVE_DONE || !changed)
                return result;
        *marks = next;
        *ret_changed = true;
        return result;
}

uint64_t mark_bytes(const struct vpc_marks *marks, uint64_t size) {
        uint64_t bytes = 0;

        for (uint32_t i = 0; i < marks->n && i < VPC_MARKS_MAX; i++) {
                const uint64_t end = marks->ranges[i].end < size ? marks->ranges[i].end : size;

                bytes += end > marks->ranges[i].first ? end - marks->ranges[i].first : 0;
        }
        return bytes;
}

void mark_all(struct vpc_marks *marks) {
        memset(marks->ranges, 0, sizeof(marks->ranges));
        marks->n = 1;
        marks->ranges[0] = (struct vpc_mark){.end = UINT64_MAX, .oldest = marks->change, .newest = marks->change};
}

bool mark_is_sane(const struct vpc_marks *marks) {
        if (marks->n > VPC_MARKS_MAX)
                return false;
        for (uint32_t i = 0; i < marks->n; i++) {
                const struct vpc_mark *m = &marks->ranges[i];

                if (m->first >= m->end || m->oldest > m->newest || m->newest > marks->change)
                        return false;
                for (uint32_t k = 0; k < i; k++)
                        if (overlaps(m, marks->ranges[k].first, marks->ranges[k].end))
                                return false;
        }
        return true;
}
