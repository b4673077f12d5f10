/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From what a command says of its data to host memory, piece by piece; shared by prp.c and sgl.c. */
#ifndef IOV_NVME_DATA_H
#define IOV_NVME_DATA_H

#include "adapters/nvme/nvme.h"

struct nvme_walk {
        struct nvme_device *device;
        enum vpc_direction direction;
        struct iovec *iov;
        unsigned int n;
        unsigned char *sink;      /* NVME_SCRATCH bytes for what nobody wants */
        uint64_t address, length; /* collected, not yet mapped */
};

/* Memory that the device cannot reach will not be reached the next time. */
#define NVME_TRANSFER_ERROR(location) NVME_ERROR(NVME_SC_DATA_TRANSFER_ERROR | NVME_DNR, (location))

/* Append a range; neighbouring ranges are mapped at once. Outcomes. */
uint32_t nvme_walk_add(struct nvme_walk *w, uint64_t address, uint64_t length);
/* Let that much of the data fall into the sink. */
uint32_t nvme_walk_skip(struct nvme_walk *w, uint64_t length);
uint32_t nvme_walk_end(struct nvme_walk *w);

uint32_t nvme_prp_walk(struct nvme_walk *w, const struct nvme_sqe *sqe, uint32_t length);
uint32_t nvme_sgl_walk(struct nvme_walk *w, const struct nvme_sqe *sqe, uint32_t length);

#endif
