/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the DMA windows share: dma.c is the table, dma-pin.c holds their memory. */
#ifndef IOV_VPC_DMA_PRIVATE_H
#define IOV_VPC_DMA_PRIVATE_H

#include <stdbool.h>

#include "vpc/dma.h"

struct vpc_dma_window {
        uint64_t address, size;
        uint32_t flags;
        char *memory;                   /* NULL: none behind it */
        uint64_t device, inode, offset; /* what is */
        void *mapping;
        size_t mapping_length;
        uint64_t pinned;                   /* bytes of it, from its beginning */
        uint64_t touched;                  /* bytes whose pages were seen to, as much or more */
        bool refused;                      /* the rest of it cannot be */
        struct vpc_session_window *record; /* NULL: not kept */
        struct vpc_dma_window *next;
};

/* dma.c: index of the first window that ends behind `address`. */
unsigned int vpc_dma_find(const struct vpc_dma *dma, uint64_t address);
/* dma-pin.c: all of a window, whose memory is about to be unmapped. */
void vpc_dma_unpin(struct vpc_dma *dma, struct vpc_dma_window *window);

#endif
