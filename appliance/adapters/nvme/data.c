/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The data of a command [4.3], [4.4]: mapped, sent and fetched. */
#include <errno.h>
#include <string.h>

#include "adapters/nvme/data.h"

uint32_t nvme_walk_end(struct nvme_walk *w) {
        const struct vpc_host *host = w->device->host;
        int r = 0;

        if (w->length)
                r = host->dma_map(host->context, w->address, w->length, w->direction, &w->iov[w->n], NVME_IOV_MAX - w->n);
        if (r < 0)
                return NVME_TRANSFER_ERROR(24);
        w->n += (unsigned int)r;
        w->length = 0;
        return 0;
}

uint32_t nvme_walk_add(struct nvme_walk *w, uint64_t address, uint64_t length) {
        uint32_t outcome = 0;

        /* A range never goes round the end of the address space. */
        if (w->length && address && w->address + w->length == address) {
                w->length += length;
                return 0;
        }
        outcome = nvme_walk_end(w);
        w->address = address;
        w->length = length;
        return outcome;
}

uint32_t nvme_walk_skip(struct nvme_walk *w, uint64_t length) {
        uint32_t outcome = nvme_walk_end(w);

        for (; !outcome && length; w->n++) {
                size_t piece = length < NVME_SCRATCH ? length : NVME_SCRATCH;

                if (w->n == NVME_IOV_MAX)
                        return NVME_TRANSFER_ERROR(24);
                w->iov[w->n] = (struct iovec){w->sink, piece};
                length -= piece;
        }
        return outcome;
}

uint32_t nvme_data_map(struct nvme_command *command, uint32_t length, enum vpc_direction direction, unsigned int *ret_n) {
        const struct nvme_sqe *sqe = &nvme_slot(command)->sqe;
        struct nvme_walk w = {.device = command->device,
                              .direction = direction,
                              .iov = nvme_iov(command),
                              .sink = command->device->scratch[command->index]};
        uint32_t outcome = 0;

        /* One page or less needs no second PRP [4.3], and no walk. */
        if (length && !(sqe->flags & NVME_SQE_FLAGS_PSDT) && sqe->prp1 % 4 == 0 &&
            length <= NVME_PAGE_SIZE - sqe->prp1 % NVME_PAGE_SIZE) {
                int r = w.device->host->dma_map(w.device->host->context, sqe->prp1, length, direction, w.iov, NVME_IOV_MAX);

                if (r < 0)
                        return NVME_TRANSFER_ERROR(24);
                *ret_n = (unsigned int)r;
                return 0;
        }
        outcome = sqe->flags & NVME_SQE_FLAGS_PSDT ? nvme_sgl_walk(&w, sqe, length) : nvme_prp_walk(&w, sqe, length);

        if (!outcome)
                outcome = nvme_walk_end(&w);
        if (!outcome)
                *ret_n = w.n;
        return outcome;
}

uint32_t nvme_data_send(struct nvme_command *command, const void *data, size_t size, uint32_t length) {
        const unsigned char *from = data;
        const struct iovec *iov = nvme_iov(command);
        unsigned int n = 0;
        uint32_t outcome = nvme_data_map(command, length, VPC_DMA_FROM_DEVICE, &n);

        if (outcome)
                return outcome;
        for (unsigned int i = 0; i < n; i++) {
                size_t copied = size < iov[i].iov_len ? size : iov[i].iov_len;

                memmove(iov[i].iov_base, from, copied); /* the sink of bit buckets may be where the data is */
                memset((char *)iov[i].iov_base + copied, 0, iov[i].iov_len - copied);
                from += copied;
                size -= copied;
        }
        return 0;
}

uint32_t nvme_data_receive(struct nvme_command *command, void *data, uint32_t length) {
        unsigned char *to = data;
        const struct iovec *iov = nvme_iov(command);
        unsigned int n = 0;
        uint32_t outcome = nvme_data_map(command, length, VPC_DMA_TO_DEVICE, &n);

        if (outcome)
                return outcome;
        for (unsigned int i = 0; i < n; i++) {
                memcpy(to, iov[i].iov_base, iov[i].iov_len);
                to += iov[i].iov_len;
        }
        return 0;
}
