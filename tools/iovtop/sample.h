/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sampling: rates from two readings of the counters. Knows nothing of how they are shown. */
#ifndef IOV_TOOLS_SAMPLE_H
#define IOV_TOOLS_SAMPLE_H

#include "tools/common/session.h"

/* What one vAdapter did in an interval. Rates are per second. */
struct sample_row {
        char name[IOV_NAME_SIZE + 1], server[IOV_NAME_SIZE + 1], adapter[IOV_NAME_SIZE + 1];
        uint32_t slot;
        uint32_t state;
        double read_iops, write_iops, read_rate, write_rate; /* commands and bytes */
        double queue_depth;                                  /* commands under way, mean over the interval */
        double latency_us;                                   /* from fetch to completion, mean; 0 where none completed */
        double qos_us, medium_us;                            /* what of it commands waited for their qos, and the rest */
        uint64_t inflight;                                   /* commands under way at its end */
};
struct sample {
        uint64_t time_ns, interval_ns;
        struct sample_row *rows; /* by name */
        size_t n;
};
void sample_free(struct sample *sample);
#define CLEANUP_SAMPLE __attribute__((cleanup(sample_free)))

struct sampler;
/* Opens the appliance and takes the first reading, which has names but no rates yet; returns an exit code. */
int sampler_new(struct tool *tool, struct sampler **ret_sampler, struct sample *ret_sample);
struct sampler *sampler_free(struct sampler *sampler);
/* Read again: rates since the reading before. Replaces *sample; 0 or -errno, then *sample is untouched. */
int sampler_read(struct sampler *sampler, struct sample *sample);

/* From two readings: so that it can be tested without an appliance. */
void sample_compute(const struct snapshot *before, const struct snapshot *now, struct sample *ret_sample);

#endif
