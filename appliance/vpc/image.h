/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The image of a function: everything a vAdapter is, flat and without pointers, in memory shared with the control process.
 *
 *   0                            configuration space, VPC_CONFIG_SIZE bytes
 *   VPC_CONFIG_SIZE              struct vpc_image
 *   VPC_IMAGE_MSIX_OFFSET        the MSI-X table as software wrote it, 16 bytes a vector; small ones are in the header's page
 *   VPC_IMAGE_MODEL_OFFSET       the model's own state, state_size bytes
 */
#ifndef IOV_VPC_IMAGE_H
#define IOV_VPC_IMAGE_H

#include "vpc/model.h"

#define VPC_IMAGE_MAGIC "iov-vpc"

struct vpc_image {
        char magic[8];
        uint32_t version;       /* VPC_IMAGE_VERSION */
        uint32_t state_version; /* of the model */
        uint64_t size;          /* of the whole image */
        uint64_t state_size;
        char model[32];
        struct vpc_persona persona;
        /* interrupts */
        uint64_t msix_pending[VPC_MSIX_MAX / 64];
        uint32_t msi_pending;
        uint32_t intx_level;
};

#define VPC_IMAGE_MSIX_OFFSET (VPC_CONFIG_SIZE + (sizeof(struct vpc_image) + 63) / 64 * 64)
_Static_assert(VPC_IMAGE_MSIX_OFFSET + VPC_MSIX_MAX * 16 <= VPC_IMAGE_MODEL_OFFSET,
               "the image header has grown into the model's state");

static inline struct vpc_image *vpc_image_header(void *image) {
        return (struct vpc_image *)((char *)image + VPC_CONFIG_SIZE);
}

static inline void *vpc_image_state(void *image) {
        return (char *)image + VPC_IMAGE_MODEL_OFFSET;
}

/* The MSI-X table as it is after a reset: every vector masked (PCI Express Base 5.0, section 7.7.2.8). */
void vpc_image_msix_reset(void *image, const struct vpc_model *model);

#endif
