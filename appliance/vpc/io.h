/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One request of a device model to a medium. It is embedded in the model's own command slot: nothing is allocated for an I/O. */
#ifndef IOV_VPC_IO_H
#define IOV_VPC_IO_H

#include <stdint.h>
#include <sys/uio.h>

#include "loop/loop.h"

enum vpc_io_op {
        VPC_IO_READ,
        VPC_IO_WRITE,
        VPC_IO_FLUSH,
        VPC_IO_DISCARD, /* the range reads as zeroes, and its space is given back where the medium can */
        VPC_IO_ZERO,    /* the range reads as zeroes, and keeps its space */
        VPC_IO_FORMAT,  /* keep `length` as the size of the medium's blocks, durably; -EOPNOTSUPP where it cannot */
        VPC_IO_OPS
};

struct vpc_io {
        /* filled in by the model */
        enum vpc_io_op op;
        uint64_t offset;         /* bytes from the start of the medium; the model has checked the range */
        const struct iovec *iov; /* guest memory, from host->dma_map(); of READ and WRITE; stays until done */
        unsigned int n_iov;
        uint64_t length; /* bytes: of READ and WRITE the sum of iov; unused by FLUSH */
        /* Called once, never from within the submission: 0 or a negative errno. Short transfers are finished before. */
        void (*done)(struct vpc_io *io, int error);

        /* 0 when it is submitted; when it is done, how long it was held back before it went to the medium. */
        uint64_t waited_ns;

        /* Belongs to the host and the medium: `finish` is what the medium calls, the host then calls `done`. */
        struct {
                struct loop_io request;
                void (*finish)(struct vpc_io *io, int error);
                void *host, *medium;
                struct vpc_io *next;
                uint64_t progress;
                struct iovec rest;
                void *bounce;     /* memory for direct I/O, where its own does not suit; NULL: none */
                unsigned int way; /* of DISCARD, ZERO and FORMAT: the medium's choice, or how far it is */
                char text[16];
                uint16_t epoch, index; /* the host's: index is that of the medium */
        } private;
};

#endif
