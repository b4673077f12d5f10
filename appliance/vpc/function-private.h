/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of a function (function.c, host.c, region.c) share. */
#ifndef IOV_VPC_FUNCTION_PRIVATE_H
#define IOV_VPC_FUNCTION_PRIVATE_H

#include "vpc/config-space.h"
#include "vpc/dma.h"
#include "vpc/function.h"
#include "vpc/image.h"
#include "vpc/irq.h"
#include "vpc/report.h"
#include "vpc/session.h"

/* A token bucket: what a guest can make the device log must not fill a disk. */
struct vpc_log_limit {
        uint64_t tokens_ns; /* a message costs LOG_INTERVAL_NS */
        uint64_t last_ns;
        uint64_t suppressed;
};

struct vpc_function {
        struct loop *loop;
        const struct vpc_model *model;
        struct vpc_description description; /* the model's, with the interrupts of this vAdapter */
        void *image;
        struct vpc_image *header;
        struct iov_counter *counters;
        struct vpc_environment environment;
        struct vpc_host host;
        struct loop_source *timer;
        struct loop_poller *poller; /* NULL: the model does not poll */
        struct loop_end later;
        uint64_t dma_generation;
        void *device;
        struct vpc_log_limit log_limit;
        struct vpc_session *session; /* NULL: nothing of the client outlives this process */

        struct vpc_config config;
        struct vpc_dma dma;
        struct vpc_irq irq;
        struct vpc_report *report; /* NULL: nobody wants one */

        /*
         * Requests under way are counted in the epoch in which they were submitted. A quiesce starts a new epoch and waits until
         * the old one is empty, so that a busy function is quiet with respect to a point in time without being stopped.
         */
        unsigned int epoch;
        unsigned int under_way[2];
        void (*quiesced)(void *userdata);
        void *quiesced_userdata;
};

/* host.c */
void vpc_host_init(struct vpc_function *function);
int vpc_host_timer_init(struct vpc_function *function);
/* Addresses of the server's memory are no longer what they were. */
void vpc_host_dma_changed(struct vpc_function *function);

#endif
