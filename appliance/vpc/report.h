/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a function lets its server reach: DMA windows with the files behind them, and vectors with their eventfds, in memory
 * shared with the control process. The process that serves the function writes it, at every change; who reads it believes none of
 * it unseen: vpc_report_copy() gives a copy that holds together, not one that is true.
 */
#ifndef IOV_VPC_REPORT_H
#define IOV_VPC_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "vpc/dma.h"
#include "vpc/model.h"

struct vpc_irq;

#define VPC_REPORT_WINDOWS_MAX 4096 /* a guest has about a hundred */

struct vpc_report_vector {
        uint16_t index, vector; /* enum vpc_irq_index */
        int32_t fd;             /* in the process that serves the function */
};

struct vpc_report {
        uint64_t sequence; /* odd while it changes */
        uint32_t n_windows, n_vectors;
        uint32_t is_incomplete; /* there are more windows than fit in: none of them is told */
        uint32_t reserved;
        struct vpc_report_vector vectors[VPC_LINES_MAX];            /* those that have an eventfd */
        struct vpc_dma_description windows[VPC_REPORT_WINDOWS_MAX]; /* by address */
};

void vpc_report_write(struct vpc_report *report, const struct vpc_dma *dma, const struct vpc_irq *irq);
/*
 * A copy as of one moment, with counts that are within bounds and windows that are in order and apart. -EAGAIN: it changed all
 * the time, -EBADMSG: it makes no sense.
 */
int vpc_report_copy(const struct vpc_report *report, struct vpc_report *ret_copy);

#endif
