/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interrupts [7.5]: one for each vector and event, or coalesced as the host has set it [5.21.1.8], [5.21.1.9]. */
#include "adapters/nvme/nvme.h"

#define COALESCING_TIME_NS UINT64_C(100000) /* unit of the aggregation time */

/*
 * Not of the admin queue, nor of a vector that it shares, nor where no time is given: then nothing would ever end the waiting.
 * An error is told at once.
 */
static bool is_coalesced(const struct nvme_device *device, unsigned int vector) {
        const struct nvme_image *image = device->image;

        return image->features[NVME_FEAT_COALESCING] >> 8 && vector != image->cqs[0].vector &&
               !(image->coalescing_disabled >> vector & 1);
}

void nvme_irq_note(struct nvme_device *device, unsigned int cq_id, bool is_error) {
        const uint32_t coalescing = device->image->features[NVME_FEAT_COALESCING];
        const unsigned int vector = device->image->cqs[cq_id].vector;
        const uint64_t bit = UINT64_C(1) << vector;

        device->cq_nonempty |= UINT64_C(1) << cq_id;
        if (is_error || !is_coalesced(device, vector) || ++device->irq_counts[vector] > (coalescing & 0xff)) {
                device->irq_pending |= bit;
        } else if (!(device->irq_pending & bit)) {
                if (!device->irq_held)
                        device->irq_due = nvme_clock(device) + (coalescing >> 8 & 0xff) * COALESCING_TIME_NS;
                device->irq_held |= bit;
        }
}

static void end_waiting(struct nvme_device *device) {
        if (device->irq_held && nvme_clock(device) >= device->irq_due)
                device->irq_pending |= device->irq_held;
        device->irq_held &= ~device->irq_pending;
        if (device->irq_held)
                nvme_timer_need(device, device->irq_due);
}

/* [7.5.1] INTx is a level: some completion queue has entries that the host has not read. The host ignores what it is not set to.
 */
void nvme_irq_update(struct nvme_device *device) {
        bool level = device->cq_nonempty && !(device->image->registers.intms & 1);
        uint64_t masked = 0;

        if (device->irq_held)
                end_waiting(device);
        /* [3.1.3] Bit n holds back vector n of MSI, bit 0 the pin; with MSI-X the host leaves the register alone. */
        masked = device->irq_pending & device->image->registers.intms;
        for (uint64_t vectors = device->irq_pending & ~masked; vectors; vectors &= vectors - 1) {
                unsigned int vector = (unsigned int)__builtin_ctzll(vectors);

                device->irq_counts[vector] = 0;
                device->host->irq_raise(device->host->context, vector);
        }
        device->irq_pending = masked;
        if (level != device->irq_level || !device->irq_level_told) {
                device->irq_level = level;
                device->irq_level_told = true;
                device->host->irq_level(device->host->context, level);
        }
}
