/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a sector of a namespace may hold, by what was asked of the controller and what it has answered: the judge of
 * test-power-cut.c. It knows nothing of how a controller works.
 */
#ifndef TEST_WRITE_HISTORY_H
#define TEST_WRITE_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#define HISTORY_VERSIONS 128u
#define HISTORY_NEVER UINT64_MAX

struct version {
        uint32_t tag; /* of the write; 0: zeroes */
        bool is_done; /* it was answered with success */
        bool lasts;   /* and must outlive a power cut, unless a later one is there */
        uint64_t issued, ended;
};

struct history {
        struct version versions[HISTORY_VERSIONS];
        unsigned int n;
};

/* One version is there, and lasts. */
void history_begin(struct history *h, uint32_t tag);
/* false: there is no room for more. */
bool history_issue(struct history *h, uint32_t tag, uint64_t now);
/* The version that was issued then has ended. */
void history_end(struct history *h, uint64_t issued, uint64_t now, bool is_done, bool lasts);
/* A flush that was begun at `from` has succeeded. */
void history_flush(struct history *h, uint64_t from);
/* Nothing is under way any more; it has failed, or nobody knows. */
void history_stop(struct history *h, uint64_t now);
/* May a read that was issued then see this version, now? */
bool history_may_read(const struct history *h, uint32_t tag, uint64_t issued);
/* May this version be there after a power cut? */
bool history_may_last(const struct history *h, uint32_t tag);

#endif
