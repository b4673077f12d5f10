/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shares of an adapter that has rates of its own. Each vAdapter on it has a page, which its worker writes and the workers of the
 * others only read: what it wants of each rate, and until when that holds. From these and the weights, which the control process
 * has told, each worker computes what its own vAdapter may have. Nobody waits for anybody; who dies is forgotten when its time
 * is over.
 *
 * What a page says is not believed beyond its weight: whoever claims to want all costs the others no more than if it did, and the
 * least that a vAdapter gets is its weight's part of all weights.
 */
#ifndef IOV_LINK_SHARE_H
#define IOV_LINK_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "link/channel.h"

#define SHARE_PERIOD_NS UINT64_C(4000000) /* how often a worker says what it wants, and looks at what others do */
/* How long what it has said holds, and having had to wait counts. As long as the burst of a share (qos.h): a worker that is late
 * by less makes up for it, so nobody else must have taken it. */
#define SHARE_HOLDS_NS UINT64_C(50000000)
#define SHARE_PAGE_SIZE 4096
#define SHARE_ALL UINT64_MAX /* more than it gets */

enum share_rate { SHARE_OPERATIONS, SHARE_BITS, SHARE_RATES };

struct share_page {
        uint64_t until_ns;            /* CLOCK_MONOTONIC */
        uint64_t wanted[SHARE_RATES]; /* a second */
};

/* Another one on the adapter. */
struct share_part {
        uint32_t weight;
        uint64_t wanted;
};

/* What one with `weight` may have of `rate` if it wants all, where `rest` is the weight of those that are taken to want all. Who
 * wants less than its part by weight leaves the difference to the others. Of a rate there is always something; 0: no rate. */
uint64_t share_compute(uint64_t rate, uint32_t weight, uint32_t rest, const struct share_part *others, unsigned int n);
/* What a page says now. Anybody may have written anything there. */
uint64_t share_wanted(const struct share_page *page, enum share_rate rate, uint64_t now);

/* ---- the worker's end ---- */

struct share;

/* Descriptors are those of SLOT_SHARE: the own page, then one for each peer. They stay the caller's. */
int share_new(const struct link_share *config, const int *fds, unsigned int n_fds, struct share **ret_share);
/* Says that it wants nothing any more. Takes NULL. */
void share_free(struct share *share);
/* Say and look, where it is time to: true then. */
bool share_look(struct share *share, uint64_t now);
/* What it may have now; 0: there is no such rate. */
uint64_t share_get(const struct share *share, enum share_rate rate);
/* It has had `units` of a rate; it has to wait for more. */
void share_used(struct share *share, enum share_rate rate, uint64_t units);
void share_waits(struct share *share, enum share_rate rate, uint64_t now);

#endif
