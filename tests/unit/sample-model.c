/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <sys/mman.h>

#include "sample-model.h"
#include "util.h"
#include "vpc/image.h"

struct sample_state {
        uint8_t ram[4096];
        uint64_t address, length, result, fired, resets, power_lost;
        uint8_t bar2[SAMPLE_BAR2];
};

struct sample_device {
        struct sample_state *state;
        const struct vpc_host *host;
        int area_fd;
        struct sample_request {
                struct vpc_io io; /* first */
                struct sample_device *device;
                struct iovec iov[4];
                bool used;
        } requests[8];
};

static const struct vpc_description description = {
        .vendor_id = 0x1af4,
        .device_id = 0x10f1,
        .subsystem_vendor_id = 0x1af4,
        .subsystem_id = 0x0001,
        .revision = 3,
        .class_code = 0x058000,
        .interrupt_pin = 1,
        .bars = {[0] = {.size = SAMPLE_BAR0, .is_64bit = true}, [2] = {.size = SAMPLE_BAR2, .is_prefetchable = true}},
        .msi_vectors = 4,
        .msix_vectors = SAMPLE_VECTORS,
        .msix_bar = 0,
        .msix_table_offset = SAMPLE_MSIX,
        .msix_pba_offset = SAMPLE_PBA,
        .link_width = 4,
        .link_speed = 3,
        .has_aer = true,
        .has_dsn = true,
};

static int sample_init(void *state, const struct vpc_persona *persona) {
        return 0;
}

static int sample_attach(void *state, const struct vpc_host *host, struct iov_counter *counters, void **ret_device) {
        struct sample_device *device = calloc(1, sizeof(*device));

        if (!device)
                return -ENOMEM;
        device->state = state;
        device->host = host;
        device->area_fd = memfd_create("sample", MFD_CLOEXEC);
        if (device->area_fd < 0 || ftruncate(device->area_fd, SAMPLE_BAR2) < 0) {
                close_fd(&device->area_fd);
                free(device);
                return -ENOMEM;
        }
        *ret_device = device;
        return 0;
}

static void sample_detach(void *device) {
        struct sample_device *d = device;

        close(d->area_fd);
        free(d);
}

static uint64_t sample_bar_read(void *device, unsigned int bar, uint64_t offset, unsigned int length) {
        struct sample_device *d = device;
        uint64_t value = 0;

        if (bar == 0 && offset < sizeof(d->state->ram))
                memcpy(&value, d->state->ram + offset, length);
        else if (offset == SAMPLE_RESULT)
                value = d->state->result;
        else if (offset == SAMPLE_FIRED)
                value = d->state->fired;
        else if (offset == SAMPLE_RESETS)
                value = d->state->resets;
        else if (offset == SAMPLE_POWER_LOST)
                value = d->state->power_lost;
        return value;
}

static void sample_done(struct vpc_io *io, int error) {
        struct sample_request *request = (struct sample_request *)io;

        request->used = false;
        request->device->state->result = (uint64_t)(int64_t)error;
        request->device->host->irq_raise(request->device->host->context, 1);
}

static void sample_start(struct sample_device *d, enum vpc_io_op op) {
        struct sample_request *request = NULL;
        int n = 0;

        for (size_t i = 0; i < ARRAY_LENGTH(d->requests) && !request; i++)
                if (!d->requests[i].used)
                        request = &d->requests[i];
        if (!request)
                return;
        n = d->host->dma_map(d->host->context, d->state->address, d->state->length,
                             op == VPC_IO_READ ? VPC_DMA_FROM_DEVICE : VPC_DMA_TO_DEVICE, request->iov,
                             ARRAY_LENGTH(request->iov));
        d->state->result = (uint64_t)(int64_t)n;
        if (n < 0)
                return;
        request->used = true;
        request->device = d;
        request->io = (struct vpc_io){
                .op = op, .iov = request->iov, .n_iov = (unsigned int)n, .length = d->state->length, .done = sample_done};
        d->host->io_submit(d->host->context, 0, &request->io);
}

static void sample_copy(struct sample_device *d, uint64_t to) {
        uint64_t value = 0;
        int r = d->host->dma_read(d->host->context, d->state->address, &value, sizeof(value));

        if (r >= 0)
                r = d->host->dma_write(d->host->context, to, &value, sizeof(value));
        d->state->result = (uint64_t)(int64_t)r;
}

static void sample_bar_write(void *device, unsigned int bar, uint64_t offset, unsigned int length, uint64_t value) {
        struct sample_device *d = device;

        if (bar != 0)
                return;
        if (offset < sizeof(d->state->ram))
                memcpy(d->state->ram + offset, &value, length);
        else if (offset == SAMPLE_ADDRESS)
                d->state->address = value;
        else if (offset == SAMPLE_LENGTH)
                d->state->length = value;
        else if (offset == SAMPLE_READ)
                sample_start(d, VPC_IO_READ);
        else if (offset == SAMPLE_WRITE)
                sample_start(d, VPC_IO_WRITE);
        else if (offset == SAMPLE_RAISE)
                d->host->irq_raise(d->host->context, (unsigned int)value);
        else if (offset == SAMPLE_LEVEL)
                d->host->irq_level(d->host->context, value != 0);
        else if (offset == SAMPLE_TIMER)
                d->host->timer(d->host->context, value);
        else if (offset == SAMPLE_COPY)
                sample_copy(d, value);
}

static void sample_reset(void *device, enum vpc_reset scope) {
        struct sample_device *d = device;
        uint64_t resets = d->state->resets + 1;

        memset(d->state, 0, sizeof(*d->state));
        d->state->resets = resets;
}

static void sample_power_lost(void *device) {
        struct sample_device *d = device;

        d->state->power_lost++;
}

static void sample_timer(void *device) {
        struct sample_device *d = device;

        d->state->fired++;
}

static bool sample_area(void *device, unsigned int bar, struct vpc_area *ret_area) {
        struct sample_device *d = device;

        if (bar != 2)
                return false;
        *ret_area = (struct vpc_area){
                .offset = SAMPLE_BAR2 / 2, .size = SAMPLE_BAR2 / 2, .fd = d->area_fd, .fd_offset = SAMPLE_BAR2 / 2};
        return true;
}

static bool sample_bulk(void *device, unsigned int bar, uint64_t offset, void *buffer, size_t length, bool is_write) {
        struct sample_device *d = device;

        if (bar != 2)
                return false;
        if (is_write)
                memcpy(d->state->bar2 + offset, buffer, length);
        else
                memcpy(buffer, d->state->bar2 + offset, length);
        return true;
}

const struct vpc_model sample_model = {
        .name = "sample",
        .description = &description,
        .state_version = 1,
        .state_size = sizeof(struct sample_state),
        .init = sample_init,
        .attach = sample_attach,
        .detach = sample_detach,
        .bar_read = sample_bar_read,
        .bar_write = sample_bar_write,
        .reset = sample_reset,
        .power_lost = sample_power_lost,
        .timer = sample_timer,
        .area = sample_area,
        .bar_bulk = sample_bulk,
};

static void submit(void *context, unsigned int medium, struct vpc_io *io) {
        struct sample *s = context;
        struct vpc_io **end = &s->submitted;

        while (*end)
                end = &(*end)->private.next;
        io->private.next = NULL;
        *end = io;
        s->n_submitted++;
}

bool sample_finish_one(struct sample *s, int error) {
        struct vpc_io *io = s->submitted;

        if (!io)
                return false;
        s->submitted = io->private.next;
        s->n_submitted--;
        for (unsigned int i = 0; i < io->n_iov && !error && io->op == VPC_IO_READ; i++)
                memset(io->iov[i].iov_base, 0x5a, io->iov[i].iov_len);
        io->private.finish(io, error);
        return true;
}

static void on_log(void *context, int level, const char *text) {
        struct sample *s = context;

        s->n_logs++;
        snprintf(s->log, sizeof(s->log), "%s", text);
}

int sample_new(struct sample *s, struct loop *loop) {
        const struct vpc_environment environment = {.context = s, .io_submit = submit, .log = on_log};
        struct vpc_persona persona = {.name = "sample0", .serial = "S1", .unique_id = 0x42};
        int r = 0;

        memset(s, 0, sizeof(*s));
        s->loop = loop;
        s->owns_loop = !loop;
        if (!loop)
                r = loop_new(&s->loop, 16);
        if (r < 0)
                return r;
        s->image = aligned_alloc(4096, vpc_image_size(&sample_model));
        if (!s->image)
                return -ENOMEM;
        memset(s->image, 0, vpc_image_size(&sample_model));
        r = vpc_image_init(s->image, &sample_model, &persona);
        if (r >= 0)
                r = vpc_function_new(s->loop, &sample_model, s->image, &s->counters, &environment, &s->function);
        return r;
}

void sample_free(struct sample *s) {
        while (sample_finish_one(s, 0))
                ;
        vpc_function_free(s->function);
        if (s->owns_loop)
                loop_free(s->loop);
        free(s->image);
}

uint64_t sample_read(struct sample *s, unsigned int region, uint64_t offset, size_t length) {
        uint64_t value = 0;

        if (vpc_function_region_read(s->function, region, offset, &value, length) < 0)
                abort();
        return value;
}

int sample_write(struct sample *s, unsigned int region, uint64_t offset, size_t length, uint64_t value) {
        int r = vpc_function_region_write(s->function, region, offset, &value, length);

        if (r < 0)
                abort();
        return r;
}
