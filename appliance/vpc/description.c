/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a function interrupts: what the model can do, cut down to what the persona asks for. */
#include <errno.h>

#include "vpc/model.h"

#define MSI_VECTORS_MAX 32 /* PCI Express Base 5.0 section 7.7.1.2, Multiple Message Capable */

static uint8_t msi_vectors_for(unsigned int msix_vectors) {
        uint8_t n = 1;

        while (n < MSI_VECTORS_MAX && n * 2u <= msix_vectors)
                n = (uint8_t)(n * 2u);
        return n;
}

int vpc_description_make(const struct vpc_model *model, const struct vpc_persona *persona, struct vpc_description *ret) {
        struct vpc_description d = *model->description;

        switch (persona->interrupts) {
        case IOV_INTERRUPTS_AUTO:
                break;
        case IOV_INTERRUPTS_MSIX:
                if (!d.msix_vectors)
                        return -EOPNOTSUPP;
                d.msi_vectors = 0;
                break;
        case IOV_INTERRUPTS_MSI:
                if (!d.msi_vectors && !d.msix_vectors)
                        return -EOPNOTSUPP;
                if (!d.msi_vectors)
                        d.msi_vectors = msi_vectors_for(d.msix_vectors);
                d.msix_vectors = 0;
                break;
        case IOV_INTERRUPTS_INTX:
                if (!d.interrupt_pin)
                        return -EOPNOTSUPP;
                d.msi_vectors = 0;
                d.msix_vectors = 0;
                break;
        default:
                return -EINVAL;
        }
        *ret = d;
        return 0;
}
