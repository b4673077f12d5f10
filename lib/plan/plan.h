/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef IOV_PLAN_H
#define IOV_PLAN_H

#include "iov/libiov.h"

struct iov_plan {
        struct iov_model *have, *want;
        struct iov_plan_step *steps;
        size_t n_steps, n_allocated;
        uint32_t confirm_s; /* 0: it stays */
        /* Wanted records that differ from those of `want` by an identity the appliance chose; n_steps is at least as many. */
        struct iov_vadapter **own;
        size_t n_own, n_own_allocated;
};

#endif
