/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Controller registers and the state changes that they cause: enable, disable, shutdown, reset. */
#include <string.h>
#include <syslog.h>

#include "adapters/nvme/nvme.h"

/* [3.1.1] 15 s for a change of state: it waits for requests at media. */
#define CAP (NVME_CAP_MQES(NVME_QUEUE_MAX - 1) | NVME_CAP_CQR | NVME_CAP_TO(30) | NVME_CAP_CSS_NVM)

/* Without MSI there is one interrupt, INTx, and so one mask bit [3.1.3]. */

bool nvme_is_ready(const struct nvme_device *device) {
        const struct nvme_registers *r = &device->image->registers;

        return (r->cc & NVME_CC_EN) && (r->csts & (NVME_CSTS_RDY | NVME_CSTS_CFS)) == NVME_CSTS_RDY &&
               !device->image->is_resetting;
}

void nvme_fatal(struct nvme_device *device, const char *why, int error) {
        struct nvme_registers *r = &device->image->registers;

        if (!(r->csts & NVME_CSTS_CFS))
                device->host->log(device->host->context, LOG_WARNING,
                                  "nvme: fatal, the server must reset the controller: %s: error %d", why, -error);
        r->csts |= NVME_CSTS_CFS;
}

/* [7.6.1] */
static void enable(struct nvme_device *device) {
        struct nvme_registers *r = &device->image->registers;
        uint32_t sq_size = (r->aqa & 0xfff) + 1, cq_size = (r->aqa >> 16 & 0xfff) + 1;

        if (NVME_CC_CSS(r->cc) || NVME_CC_MPS(r->cc) || NVME_CC_AMS(r->cc) || sq_size < 2 || cq_size < 2) {
                r->csts |= NVME_CSTS_CFS;
                device->host->log(device->host->context, LOG_WARNING,
                                  "nvme: not enabled: CC %#x or AQA %#x asks for what CAP does not offer", r->cc, r->aqa);
                return;
        }
        nvme_sq_init(&device->image->sqs[0], r->asq, sq_size, 0);
        nvme_cq_init(&device->image->cqs[0], r->acq, cq_size, 0, true);
        device->image->cqs[0].n_sqs = 1;
        nvme_doorbells_init(device, 0, false);
        nvme_doorbells_init(device, 0, true);
        /* A shutdown that was over before is forgotten; one that was asked for together with this goes on. */
        r->csts = NVME_CSTS_RDY | ((r->csts & NVME_CSTS_SHST_MASK) == NVME_CSTS_SHST_OCCURRING ? NVME_CSTS_SHST_OCCURRING : 0);
}

/* Everything that any controller level reset clears [7.3.2]: queues, commands, events, features. */
static void clear(struct nvme_device *device) {
        struct nvme_image *image = device->image;

        const bool is_asked = !device->needs_resume;

        nvme_slots_drop(device);
        nvme_reserve_reset(device, is_asked);
        memset(device->rights, 0, sizeof(device->rights));
        memset(image->sqs, 0, sizeof(image->sqs));
        memset(image->cqs, 0, sizeof(image->cqs));
        memset(image->events, 0, sizeof(image->events));
        nvme_features_reset(image);
        image->formatting = image->changed = 0;
        image->timestamp = (struct nvme_timestamp){.clock_ns = nvme_clock(device)};
        /* [5.8] an extended test goes on through a reset, a short one does not */
        if (image->self_test.code == NVME_SELF_TEST_SHORT)
                nvme_self_test_end(device, 0, NVME_SELF_TEST_RESET);
        image->registers.intms = 0;
        image->shutdown_at = 0;
        device->is_flushing = false;
        nvme_doorbells_clear(device);
        device->pending = device->cq_held = device->irq_pending = device->cq_nonempty = 0;
        device->irq_held = device->timer_due = 0;
        memset(device->irq_counts, 0, sizeof(device->irq_counts));
        device->host->timer(device->host->context, UINT64_MAX);
}

static void disable(struct nvme_device *device) {
        clear(device);
        device->image->registers.csts &= ~NVME_CSTS_SHST_MASK;
        device->image->is_resetting = 1;
}

void nvme_reset(struct nvme_device *device, enum vpc_reset scope) {
        struct nvme_image *image = device->image;

        if (scope == VPC_RESET_POWER_ON)
                nvme_power_lost(device);
        nvme_power_on(device);
        clear(device);
        memset(&image->registers, 0, sizeof(image->registers));
        image->is_resetting = 0;
        nvme_event_end(device);
}

static void shutdown_done(struct vpc_io *io, int error) {
        struct nvme_device *device = (struct nvme_device *)((char *)io - offsetof(struct nvme_device, shutdown_io));

        device->n_media--;
        if (device->is_flushing) {
                if (error < 0)
                        device->host->log(device->host->context, LOG_ERR, "nvme: flush at shutdown failed: error %d", -error);
                device->image->shutdown_at++;
                device->is_flushing = false;
        }
        nvme_event_end(device);
}

/* [7.6.2] Everything cached goes to the media, one after the other. */
static void shutdown_step(struct nvme_device *device) {
        struct nvme_image *image = device->image;

        while (image->shutdown_at < image->n_namespaces && !image->namespaces[image->shutdown_at].blocks)
                image->shutdown_at++;
        if (image->shutdown_at < image->n_namespaces) {
                device->shutdown_io = (struct vpc_io){.op = VPC_IO_FLUSH, .done = shutdown_done};
                device->is_flushing = true;
                device->n_media++;
                device->host->io_submit(device->host->context, image->namespaces[image->shutdown_at].medium,
                                        &device->shutdown_io);
                return;
        }
        image->registers.csts = (image->registers.csts & ~NVME_CSTS_SHST_MASK) | NVME_CSTS_SHST_COMPLETE;
}

void nvme_settle(struct nvme_device *device) {
        struct nvme_image *image = device->image;
        struct nvme_registers *r = &image->registers;

        if (device->n_media || image->reserving.slot == NVME_RESERVE_ORPHAN)
                return;
        if (image->is_resetting) {
                image->is_resetting = 0;
                r->csts &= NVME_CSTS_SHST_MASK; /* one that was asked for since */
        }
        if ((r->cc & NVME_CC_EN) && !(r->csts & (NVME_CSTS_RDY | NVME_CSTS_CFS))) {
                enable(device);
                /* A host that has mapped the doorbells rings for its very first command there, and never by a message. */
                nvme_poll_start(device);
        }
        if ((r->csts & NVME_CSTS_SHST_MASK) == NVME_CSTS_SHST_OCCURRING)
                shutdown_step(device);
}

static void cc_write(struct nvme_device *device, uint32_t value) {
        struct nvme_image *image = device->image;
        struct nvme_registers *r = &image->registers;
        uint32_t old = r->cc;

        value &= NVME_CC_MASK;
        if ((old & NVME_CC_EN) && !(value & NVME_CC_EN))
                disable(device);
        if (NVME_CC_SHN(value) && !NVME_CC_SHN(old) && !(r->csts & NVME_CSTS_SHST_MASK)) {
                image->shutdown_at = 0;
                r->csts |= NVME_CSTS_SHST_OCCURRING;
        }
        /* The register last: a process that dies before leaves the write to be done again from the start. */
        __atomic_store_n(&r->cc, value, __ATOMIC_RELEASE);
}

static uint32_t read32(const struct nvme_device *device, uint64_t offset) {
        const struct nvme_registers *r = &device->image->registers;

        switch (offset) {
        case NVME_REG_CAP:
                return (uint32_t)CAP;
        case NVME_REG_CAP + 4:
                return (uint32_t)(CAP >> 32);
        case NVME_REG_VS:
                return NVME_VERSION;
        case NVME_REG_INTMS:
        case NVME_REG_INTMC:
                return r->intms;
        case NVME_REG_CC:
                return r->cc;
        case NVME_REG_CSTS:
                return r->csts;
        case NVME_REG_AQA:
                return r->aqa;
        case NVME_REG_ASQ:
                return (uint32_t)r->asq;
        case NVME_REG_ASQ + 4:
                return (uint32_t)(r->asq >> 32);
        case NVME_REG_ACQ:
                return (uint32_t)r->acq;
        case NVME_REG_ACQ + 4:
                return (uint32_t)(r->acq >> 32);
        default: /* doorbells are write-only, the rest is reserved or of features that CAP does not offer */
                return 0;
        }
}

static void base_write(uint64_t *base, uint32_t value, bool high) {
        if (high)
                *base = (*base & UINT32_MAX) | (uint64_t)value << 32;
        else
                *base = (*base & ~(uint64_t)UINT32_MAX) | (value & ~UINT32_C(0xfff));
}

static void write32(struct nvme_device *device, uint64_t offset, uint32_t value) {
        struct nvme_registers *r = &device->image->registers;

        switch (offset) {
        case NVME_REG_INTMS:
                r->intms |= value;
                break;
        case NVME_REG_INTMC:
                r->intms &= ~value;
                break;
        case NVME_REG_CC:
                cc_write(device, value);
                break;
        case NVME_REG_AQA:
                r->aqa = value & NVME_AQA_MASK;
                break;
        case NVME_REG_ASQ:
        case NVME_REG_ASQ + 4:
                base_write(&r->asq, value, offset != NVME_REG_ASQ);
                break;
        case NVME_REG_ACQ:
        case NVME_REG_ACQ + 4:
                base_write(&r->acq, value, offset != NVME_REG_ACQ);
                break;
        default:
                if (offset >= NVME_REG_DOORBELLS)
                        nvme_doorbell(device, offset, value);
        }
}

uint64_t nvme_register_read(struct nvme_device *device, uint64_t offset, unsigned int length) {
        uint64_t value = read32(device, offset & ~UINT64_C(3));

        if (length == 8)
                return value | (uint64_t)read32(device, offset + 4) << 32;
        value >>= (offset & 3) * 8;
        return length == 4 ? value : value & ((UINT64_C(1) << length * 8) - 1);
}

/* [3.1] The host writes in 4 or 8 bytes; other widths have no effect. */
void nvme_register_write(struct nvme_device *device, uint64_t offset, unsigned int length, uint64_t value) {
        if (length < 4)
                return;
        write32(device, offset, (uint32_t)value);
        if (length == 8)
                write32(device, offset + 4, (uint32_t)(value >> 32));
}
