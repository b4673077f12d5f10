/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The model as the VPC sees it: PCI description, power-on image, run-time object. */
#include <errno.h>
#include <stdlib.h>

#include "adapters/nvme/nvme.h"

/*
 * 1af4:10f0 to 10ff are for experimental use without registration. Linux binds by class and has no quirk for this one; that
 * the id is virtio's vendor does no harm: virtio_pci takes only devices 1000h to 107fh.
 *
 * BAR0: registers, the doorbells in a page of their own, MSI-X table and pending bits in pages of their own.
 */
const struct vpc_description nvme_description = {
        .vendor_id = 0x1af4,
        .device_id = 0x10f1,
        .subsystem_vendor_id = 0x1af4,
        .subsystem_id = 0x10f1,
        .revision = 1,
        .class_code = 0x010802, /* [2.1.5] */
        .interrupt_pin = 1,
        .bars = {{.size = 0x4000, .is_64bit = true}},
        .msi_vectors = 0,
        .msix_vectors = NVME_VECTORS,
        .msix_bar = 0,
        .msix_table_offset = 0x2000,
        .msix_pba_offset = 0x3000,
        .link_width = 4,
        .link_speed = 3,
        .has_aer = true,
        .has_dsn = true,
};

uint64_t nvme_clock(struct nvme_device *device) {
        return device->now = device->host->clock(device->host->context);
}

void nvme_timer_need(struct nvme_device *device, uint64_t due) {
        if (device->timer_due && device->timer_due <= due)
                return;
        device->timer_due = due ? due : 1;
        device->host->timer(device->host->context, due > device->now ? due - device->now : 0);
}

void nvme_life_update(struct nvme_device *device) {
        struct nvme_life *life = &device->image->life;
        uint64_t now = nvme_clock(device);

        if (device->n_inflight) {
                life->busy_ns += now - device->busy_since;
                device->busy_since = now;
        }
}

void nvme_event_end(struct nvme_device *device) {
        nvme_media_ended(device);
        nvme_format_step(device);
        nvme_settle(device);
        nvme_post_held(device);
        nvme_fetch(device);
        nvme_self_test_step(device);
        if (device->image->forget)
                nvme_reserve_next(device);
        if (device->fences)
                nvme_fences_settle(device);
        nvme_irq_update(device);
}

static int model_init(void *state, const struct vpc_persona *persona) {
        struct nvme_image *image = state;
        int r = nvme_namespaces_make(persona, image->namespaces);

        if (r < 0)
                return r;
        image->n_media = persona->n_media;
        image->n_namespaces = nvme_namespaces_count(persona);
        image->shared = nvme_namespaces_shared(persona);
        nvme_identify_init(image, persona);
        nvme_features_reset(image);
        return 0;
}

/* What the device object knows and the image says only indirectly. */
static void derive(struct nvme_device *device) {
        struct nvme_image *image = device->image;

        for (unsigned int q = 0; q < NVME_QUEUES; q++) {
                struct nvme_sq *sq = &image->sqs[q];
                struct nvme_cq *cq = &image->cqs[q];

                device->held[q] = (struct nvme_list){NVME_NONE, NVME_NONE};
                cq->n_held = sq->n_media = cq->n_sqs = 0;
                if (sq->size)
                        nvme_doorbells_resume(device, q, false);
                if (cq->size)
                        nvme_doorbells_resume(device, q, true);
                if (sq->size && sq->fetched != sq->tail)
                        device->pending |= UINT64_C(1) << q;
                if (cq->size && cq->interrupts && cq->posted != cq->consumed)
                        device->cq_nonempty |= UINT64_C(1) << q;
                /* Whether its interrupt went out is not known: rather once too often. */
                if (cq->size && cq->interrupts && cq->posted != cq->consumed)
                        device->irq_pending |= UINT64_C(1) << cq->vector;
        }
        for (unsigned int q = 0; q < NVME_QUEUES; q++)
                if (image->sqs[q].size)
                        image->cqs[image->sqs[q].cq_id].n_sqs++;
        device->free_io = device->free_admin = device->ended = device->done = (struct nvme_list){NVME_NONE, NVME_NONE};
        for (unsigned int i = nvme_slot_next(image, 0); i < NVME_SLOTS; i = nvme_slot_next(image, i + 1)) {
                struct nvme_command *command = &device->commands[i];

                command->device = device;
                command->index = (uint16_t)i;
                if (nvme_slot(command)->state == NVME_SLOT_FREE)
                        nvme_list_append(device, i < NVME_ADMIN_SLOTS ? &device->free_admin : &device->free_io, command);
                else
                        device->needs_resume = true;
        }
        device->needs_resume |= image->reserving.slot != 0;
}

static int model_attach(void *state, const struct vpc_host *host, struct iov_counter *counters, void **ret_device) {
        static _Alignas(8) unsigned char data[NVME_DATA_SIZE];
        struct nvme_device *device = calloc(1, sizeof(*device));

        if (!device)
                return -ENOMEM;
        device->data = data;
        device->image = state;
        device->host = host;
        device->counters = counters;
        device->busy_since = nvme_clock(device);
        derive(device);
        __atomic_store_n(&counters->inflight, 0, __ATOMIC_RELAXED);
        device->memory.generation = UINT64_MAX;
        /* The image may be from the midst of things: see to that as soon as the host is ready. */
        host->timer(host->context, 0);
        *ret_device = device;
        return 0;
}

static void model_detach(void *opaque) {
        struct nvme_device *device = opaque;

        device->host->timer(device->host->context, UINT64_MAX);
        nvme_life_update(device);
        free(device);
}

/* First of all in an event: the commands of the image are not yet in the lists of this process. */
static void begin(struct nvme_device *device) {
        nvme_memory_check(device);
        if (device->needs_resume)
                nvme_resume(device);
}

static uint64_t model_bar_read(void *device, unsigned int bar, uint64_t offset, unsigned int length) {
        return bar == 0 ? nvme_register_read(device, offset, length) : 0;
}

static void model_bar_write(void *device, unsigned int bar, uint64_t offset, unsigned int length, uint64_t value) {
        if (bar != 0)
                return;
        begin(device);
        nvme_power_on(device);
        nvme_register_write(device, offset, length, value);
        nvme_event_end(device);
}

static void model_reset(void *device, enum vpc_reset scope) {
        nvme_reset(device, scope);
}

static void model_power_lost(void *device) {
        nvme_power_lost(device);
}

static int model_show(void *opaque, const struct vpc_persona *persona) {
        struct nvme_device *device = opaque;

        begin(device);
        return nvme_show(device, persona);
}

static void model_fence(void *opaque, unsigned int medium, uint64_t change) {
        struct nvme_device *device = opaque;

        begin(device);
        nvme_fence(device, medium, change);
        nvme_event_end(device);
}

static void model_reserved(void *opaque, uint64_t ticket, enum vpc_reserve_result result) {
        struct nvme_device *device = opaque;

        begin(device);
        nvme_clock(device);
        nvme_reserved(device, ticket, result);
        nvme_event_end(device);
}

static void model_stop(void *opaque) {
        ((struct nvme_device *)opaque)->is_stopped = true;
}

static void model_timer(void *opaque) {
        struct nvme_device *device = opaque;

        device->timer_due = 0;
        begin(device);
        nvme_event_end(device);
        nvme_poll_start(device);
}

void nvme_event_later(struct nvme_device *device) {
        if (device->host->later) {
                device->host->later(device->host->context);
                return;
        }
        nvme_event_end(device);
        nvme_poll_start(device);
}

static void model_later(void *opaque) {
        struct nvme_device *device = opaque;

        if (device->needs_resume) /* that has its own time */
                return;
        nvme_memory_check(device);
        nvme_event_end(device);
        nvme_poll_start(device);
}

static bool model_poll(void *device) {
        return nvme_poll(device);
}

static bool model_poll_stop(void *device) {
        return nvme_poll_stop(device);
}

/* The doorbells, for a server that polls its completions and wants to ring without a message. */
static bool model_area(void *opaque, unsigned int bar, struct vpc_area *ret_area) {
        const struct nvme_device *device = opaque;

        if (bar != 0 || !device->host->doorbells)
                return false;
        *ret_area = (struct vpc_area){.offset = NVME_REG_DOORBELLS,
                                      .size = NVME_PAGE_SIZE,
                                      .fd = device->host->doorbells_fd,
                                      .fd_offset = VPC_DOORBELLS_OFFSET};
        return true;
}

const struct vpc_model nvme_model = {
        .name = "nvme",
        .description = &nvme_description,
        .state_version = NVME_STATE_VERSION,
        .state_size = sizeof(struct nvme_image),
        .init = model_init,
        .life_take = nvme_life_take,
        .life_give = nvme_life_give,
        .life_mark = nvme_life_mark,
        .attach = model_attach,
        .detach = model_detach,
        .bar_read = model_bar_read,
        .bar_write = model_bar_write,
        .reset = model_reset,
        .power_lost = model_power_lost,
        .show = model_show,
        .fence = model_fence,
        .reserved = model_reserved,
        .stop = model_stop,
        .timer = model_timer,
        .later = model_later,
        .poll = model_poll,
        .poll_stop = model_poll_stop,
        .area = model_area,
};
