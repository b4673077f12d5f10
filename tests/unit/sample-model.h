/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A device model for the tests of the VPC: memory, registers that make it do I/O and raise interrupts, and a medium whose
 * requests end when the test says so.
 */
#ifndef IOV_TEST_SAMPLE_MODEL_H
#define IOV_TEST_SAMPLE_MODEL_H

#include "vpc/function.h"

/* BAR0: 4 KiB of memory, then these */
#define SAMPLE_ADDRESS 0x1000 /* guest address of the next I/O */
#define SAMPLE_LENGTH 0x1008
#define SAMPLE_READ 0x1010 /* written: read the medium into guest memory */
#define SAMPLE_WRITE 0x1018
#define SAMPLE_RAISE 0x1020  /* written: raise that vector */
#define SAMPLE_LEVEL 0x1028  /* written: level of INTx */
#define SAMPLE_RESULT 0x1030 /* result of the last dma_map() or I/O */
#define SAMPLE_TIMER 0x1038  /* written: delay in ns */
#define SAMPLE_FIRED 0x1040  /* how often the timer has fired */
#define SAMPLE_COPY 0x1048   /* written: dma_read() 8 bytes from ADDRESS, dma_write() them to that address */
#define SAMPLE_RESETS 0x1050
#define SAMPLE_POWER_LOST 0x1058 /* how often the client has gone */
#define SAMPLE_MSIX 0x2000
#define SAMPLE_PBA 0x3000
#define SAMPLE_VECTORS 70
#define SAMPLE_BAR0 0x4000
#define SAMPLE_BAR2 0x2000 /* memory; the second page can be mapped */

extern const struct vpc_model sample_model;

/* A function over a fresh image, with its loop. */
struct sample {
        struct loop *loop;
        bool owns_loop;
        void *image;
        struct iov_counter counters;
        struct vpc_function *function;
        struct vpc_io *submitted; /* requests that the medium has and has not ended */
        unsigned int n_submitted;
        unsigned int n_logs;
        char log[512]; /* the last one */
};

/* `loop` NULL: with one of its own. */
int sample_new(struct sample *s, struct loop *loop);
/* Ends what is under way. */
void sample_free(struct sample *s);
/* End the oldest request; false: there is none. */
bool sample_finish_one(struct sample *s, int error);

/* Register access that cannot fail. */
uint64_t sample_read(struct sample *s, unsigned int region, uint64_t offset, size_t length);
int sample_write(struct sample *s, unsigned int region, uint64_t offset, size_t length, uint64_t value);

#endif
