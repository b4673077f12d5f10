/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host interface: all that a device model knows of the world. Adapters include this header and model.h, nothing else of the
 * appliance. The VPC fills it in for a server link; unit tests and fuzzers fill in their own.
 */
#ifndef IOV_VPC_HOST_H
#define IOV_VPC_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "vpc/io.h"
#include "vpc/marks.h"
#include "vpc/reservation.h"

#define VPC_DOORBELLS_OFFSET 4096 /* in the file: not less than its place in the BAR, see the protocol's region offset */

enum vpc_direction {
        VPC_DMA_TO_DEVICE,   /* the device reads guest memory */
        VPC_DMA_FROM_DEVICE, /* the device writes guest memory */
};

struct vpc_host {
        void *context; /* first argument of every function */

        /*
         * Host addresses of a range of guest memory, as at most `max` pieces appended to iov. Returns the number of pieces.
         * -EFAULT: not (all) within the server's DMA windows, or not allowed in that direction; -EPERM: Bus Master Enable is
         * clear (PCI Express Base 5.0, section 7.5.1.1.3); -E2BIG: more than `max` pieces. Refusals are counted and logged by the
         * host. The pieces may be used until the model returns to its caller, and by a vpc_io submitted before that until it is
         * done. Guest memory changes under one's hands: copy out once, check the copy, use the copy.
         */
        int (*dma_map)(void *context, uint64_t address, size_t length, enum vpc_direction direction, struct iovec *iov,
                       unsigned int max);
        /* Copy from and to guest memory, all or nothing; errors as above. */
        int (*dma_read)(void *context, uint64_t address, void *buffer, size_t length);
        int (*dma_write)(void *context, uint64_t address, const void *buffer, size_t length);
        /* Raise MSI-X or MSI vector `vector`; lost without trace where it is disabled, kept pending where masked. */
        void (*irq_raise)(void *context, unsigned int vector);
        /* Level of INTx; the host raises it only while MSI and MSI-X are off and Interrupt Disable is clear. */
        void (*irq_level)(void *context, int asserted);
        /* Start a request on medium `index` of the persona. Always ends in io->done(), errors too. */
        void (*io_submit)(void *context, unsigned int index, struct vpc_io *io);
        /*
         * Optional: end a request within the call, where that is a mere copy; false: io_submit() it. io->done is not called, it
         * would be with *ret_error.
         */
        bool (*io_try)(void *context, unsigned int index, struct vpc_io *io, int *ret_error);
        /* Optional: such a request is likely to come soon; nothing but its speed depends on it. Any values are good. */
        void (*io_expect)(void *context, unsigned int index, uint64_t offset, uint64_t length);
        /* Optional, as all for reservations: the page with those on medium `index`, NULL: not known yet, and then a medium that
         * is shared must not be touched. Look it up for each command. */
        const struct vpc_reservation_page *(*reservations)(void *context, unsigned int index);
        /* Optional: what is marked as unreadable on the media; for good. NULL: nothing is. */
        const struct vpc_marks_pages *marks;
        /* Ask for a change of reservations or marks: model->reserved() is called with the answer, never from within. */
        void (*reserve)(void *context, const struct vpc_reserve_request *request);
        /* See model->fence(). */
        void (*fenced)(void *context, unsigned int index, uint64_t change);
        /* CLOCK_MONOTONIC, ns. */
        uint64_t (*clock)(void *context);
        /* Call model->timer() once, `delay_ns` from now; a second call replaces the first, UINT64_MAX cancels. */
        void (*timer)(void *context, uint64_t delay_ns);
        /* Optional: call model->later() once, when all requests that end in this turn of the event loop have been told. */
        void (*later)(void *context);
        /* Optional: call model->poll() again and again, until model->poll_stop() agrees to an end. */
        void (*poll_start)(void *context);
        /* Optional: the function can only raise INTx, neither MSI-X nor MSI is enabled. */
        bool (*irq_is_level)(void *context);
        /*
         * Optional: changes whenever addresses from dma_map() may no longer be good; as long as it does not, they can be used
         * beyond the event in which they were asked for.
         */
        const uint64_t *dma_generation;
        /* A page of doorbells to be mapped into the server (model->area()) and polled, for good; NULL: there is none. The server
         * writes to it at any time. */
        uint32_t *doorbells;
        int doorbells_fd; /* it is at VPC_DOORBELLS_OFFSET */
        /* syslog level; one line, no newline. Guest-triggered messages are rate limited by the host. */
        void (*log)(void *context, int level, const char *format, ...) __attribute__((format(printf, 3, 4)));
};

#endif
