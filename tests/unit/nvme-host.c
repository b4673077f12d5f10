/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nvme-host.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/volumes/mark-state.h"

/* The window that holds an address: its memory, and how much of it is left. */
static unsigned char *window(struct fake *f, uint64_t address, enum vpc_direction direction, uint64_t *ret_left) {
        const struct {
                uint64_t start, size;
                unsigned char *memory;
                bool read_only;
        } windows[] = {{FAKE_BASE, FAKE_SIZE, f->memory, false},
                       {FAKE_SECOND, FAKE_WINDOW, f->second, false},
                       {FAKE_RO, FAKE_WINDOW, f->ro, true}};

        for (unsigned int i = 0; i < 3; i++)
                if (address >= windows[i].start && address - windows[i].start < windows[i].size &&
                    !(windows[i].read_only && direction == VPC_DMA_FROM_DEVICE)) {
                        *ret_left = windows[i].size - (address - windows[i].start);
                        return windows[i].memory + (address - windows[i].start);
                }
        return NULL;
}

static int dma_map(void *context, uint64_t address, size_t length, enum vpc_direction direction, struct iovec *iov,
                   unsigned int max) {
        struct fake *f = context;
        unsigned int n = 0;

        if (f->no_bus_master)
                return -EPERM;
        while (length) {
                uint64_t left = 0;
                unsigned char *p = window(f, address, direction, &left);

                if (!p || (f->no_data && address >= FAKE_DATA)) {
                        f->n_dma_faults++;
                        return -EFAULT;
                }
                if (n == max)
                        return -E2BIG;
                left = left < length ? left : length;
                iov[n++] = (struct iovec){.iov_base = p, .iov_len = left};
                address += left;
                length -= left;
        }
        return (int)n;
}

static int dma_copy(struct fake *f, uint64_t address, void *buffer, size_t length, enum vpc_direction direction) {
        struct iovec iov[4];
        int n = dma_map(f, address, length, direction, iov, 4);

        for (int i = 0; i < n; i++) {
                if (direction == VPC_DMA_TO_DEVICE)
                        memcpy(buffer, iov[i].iov_base, iov[i].iov_len);
                else
                        memcpy(iov[i].iov_base, buffer, iov[i].iov_len);
                buffer = (char *)buffer + iov[i].iov_len;
        }
        return n < 0 ? n : 0;
}

static int dma_read(void *context, uint64_t address, void *buffer, size_t length) {
        return dma_copy(context, address, buffer, length, VPC_DMA_TO_DEVICE);
}

static int dma_write(void *context, uint64_t address, const void *buffer, size_t length) {
        return dma_copy(context, address, (void *)(uintptr_t)buffer, length, VPC_DMA_FROM_DEVICE);
}

static void irq_raise(void *context, unsigned int vector) {
        struct fake *f = context;

        assert_true(vector < NVME_VECTORS);
        f->irqs[vector]++;
}

static void irq_level(void *context, int asserted) {
        struct fake *f = context;

        assert_true(!f->level_told || f->level != (asserted != 0)); /* of changes only */
        f->level = asserted != 0;
        f->level_told = true;
}

static void io_submit(void *context, unsigned int index, struct vpc_io *io) {
        struct fake *f = context;
        uint64_t sum = 0;

        assert_true(f->n_pending < FAKE_PENDING);
        assert_true(index < f->persona.n_media);
        assert_non_null(io->done);
        if (io->op != VPC_IO_FLUSH && io->op != VPC_IO_FORMAT) {
                assert_true(io->length > 0);
                assert_true(io->offset <= FAKE_MEDIUM_SIZE && io->length <= FAKE_MEDIUM_SIZE - io->offset);
        }
        if (io->op == VPC_IO_READ || io->op == VPC_IO_WRITE) {
                assert_true(io->length <= NVME_TRANSFER_MAX);
                for (unsigned int i = 0; i < io->n_iov; i++)
                        sum += io->iov[i].iov_len;
                assert_int_equal(sum, io->length);
                f->last_n_iov = io->n_iov;
        }
        f->n_submitted[io->op]++;
        if (f->medium_begin)
                f->medium_begin(f->medium_userdata, index, io);
        f->pending_medium[f->n_pending] = index;
        f->pending[f->n_pending++] = io;
}

static uint64_t clock_now(void *context) {
        return ((struct fake *)context)->now += 1000;
}

static void timer(void *context, uint64_t delay_ns) {
        struct fake *f = context;

        f->timer = delay_ns;
}

__attribute__((format(printf, 3, 4))) static void log_line(void *context, int level, const char *format, ...) {
        struct fake *f = context;
        char text[1024];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        assert_null(strchr(text, '\n'));
        f->n_logs++;
}

void fake_persona(struct vpc_persona *persona) {
        *persona = (struct vpc_persona){
                .name = "web-disk",
                .serial = "WEB01BOOT",
                .nqn = "nqn.2014-08.org.nvmexpress:uuid:494f5600-0000-8000-8000-000000000007",
                .unique_id = 7,
                .n_media = FAKE_MEDIA,
                .media = {{.id = 1, .block_size = 512, .size = FAKE_MEDIUM_SIZE, .unique_id = 11},
                          {.id = 2, .block_size = 4096, .size = FAKE_MEDIUM_SIZE, .unique_id = 12},
                          {.id = 5, .block_size = 512, .size = FAKE_MEDIUM_SIZE, .unique_id = 13, .read_only = 1}},
        };
}

static void *allocate(size_t size) {
        void *p = calloc(1, size);

        assert_non_null(p);
        return p;
}

static void reserve(void *context, const struct vpc_reserve_request *request) {
        struct fake *f = context;

        assert_true(request->op >= VPC_RESERVE_OPS);
        f->asked = *request;
        f->n_asked++;
}

enum vpc_reserve_result fake_mark(struct fake *f) {
        const struct vpc_reserve_request asked = f->asked;
        bool changed = false;

        assert_true(asked.ticket && asked.medium < FAKE_MEDIA);
        assert_int_equal(asked.volume, f->persona.media[asked.medium].unique_id);
        f->asked.ticket = 0;
        enum vpc_reserve_result result = mark_apply(&f->marked[asked.medium], &asked, &changed);
        if (changed)
                vpc_marks_show(&f->marks, asked.medium, &f->marked[asked.medium]);
        nvme_model.reserved(f->device, asked.ticket, result);
        return result;
}

struct fake *fake_new(void) {
        struct fake *f = allocate(sizeof(*f));
        void *device = NULL;

        f->host = (struct vpc_host){.context = f,
                                    .dma_map = dma_map,
                                    .dma_read = dma_read,
                                    .dma_write = dma_write,
                                    .irq_raise = irq_raise,
                                    .irq_level = irq_level,
                                    .io_submit = io_submit,
                                    .clock = clock_now,
                                    .timer = timer,
                                    .marks = &f->marks,
                                    .reserve = reserve,
                                    .log = log_line};
        f->memory = allocate(FAKE_SIZE);
        f->second = allocate(FAKE_WINDOW);
        f->ro = allocate(FAKE_WINDOW);
        for (unsigned int i = 0; i < FAKE_MEDIA; i++)
                f->media[i] = allocate(FAKE_MEDIUM_SIZE);
        fake_persona(&f->persona);
        f->image = allocate(nvme_model.state_size);
        f->timer = UINT64_MAX;
        assert_int_equal(nvme_model.init(f->image, &f->persona), 0);
        assert_int_equal(nvme_model.attach(f->image, &f->host, &f->counters, &device), 0);
        f->device = device;
        return f;
}

void fake_restart(struct fake *f) {
        struct nvme_image *image = allocate(nvme_model.state_size);
        void *device = NULL;

        /* What dies takes its requests with it; the copy shows that nothing points into the old image. */
        memcpy(image, f->image, nvme_model.state_size);
        nvme_model.detach(f->device);
        memset(f->image, 0xee, nvme_model.state_size);
        free(f->image);
        f->image = image;
        f->n_pending = 0;
        f->timer = UINT64_MAX;
        f->level_told = false;
        assert_int_equal(nvme_model.attach(f->image, &f->host, &f->counters, &device), 0);
        f->device = device;
}

void fake_power(struct fake *f, const struct vpc_persona *persona) {
        void *device = NULL;

        nvme_model.detach(f->device);
        f->persona = *persona;
        f->n_pending = 0;
        f->timer = UINT64_MAX;
        f->level_told = false;
        memset(f->image, 0, nvme_model.state_size);
        assert_int_equal(nvme_model.init(f->image, &f->persona), 0);
        assert_int_equal(nvme_model.attach(f->image, &f->host, &f->counters, &device), 0);
        f->device = device;
}

void fake_free(struct fake *f) {
        fake_run(f);
        nvme_model.detach(f->device);
        for (unsigned int i = 0; i < FAKE_MEDIA; i++)
                free(f->media[i]);
        free(f->memory);
        free(f->second);
        free(f->ro);
        free(f->image);
        free(f);
}

uint32_t fake_read(struct fake *f, uint64_t offset) {
        return (uint32_t)nvme_model.bar_read(f->device, 0, offset, 4);
}

void fake_write(struct fake *f, uint64_t offset, uint32_t value) {
        nvme_model.bar_write(f->device, 0, offset, 4, value);
}

void *fake_memory(struct fake *f, uint64_t address) {
        uint64_t left = 0;
        void *p = window(f, address, VPC_DMA_TO_DEVICE, &left);

        assert_non_null(p);
        return p;
}

static int medium_do(struct fake *f, unsigned int medium, struct vpc_io *io) {
        unsigned char *at = f->media[medium] + io->offset;

        if (f->medium_end)
                return f->medium_end(f->medium_userdata, medium, io);
        if (f->media_error)
                return f->media_error;
        if (io->op == VPC_IO_FLUSH)
                f->n_flushed[medium]++;
        else if (io->op == VPC_IO_FORMAT)
                f->formatted[medium] = (unsigned int)io->length;
        else if (io->op == VPC_IO_DISCARD || io->op == VPC_IO_ZERO)
                memset(at, 0, io->length);
        else
                for (unsigned int i = 0; i < io->n_iov; at += io->iov[i].iov_len, i++)
                        memcpy(io->op == VPC_IO_READ ? io->iov[i].iov_base : at, io->op == VPC_IO_READ ? at : io->iov[i].iov_base,
                               io->iov[i].iov_len);
        return 0;
}

static bool io_try(void *context, unsigned int index, struct vpc_io *io, int *ret_error) {
        struct fake *f = context;

        if (!f->is_inline)
                return false;
        f->n_submitted[io->op]++;
        if (f->medium_begin)
                f->medium_begin(f->medium_userdata, index, io);
        *ret_error = medium_do(f, index, io);
        return true;
}

static void io_expect(void *context, unsigned int index, uint64_t offset, uint64_t length) {
        struct fake *f = context;

        assert_true(index < FAKE_MEDIA);
        f->n_expected++;
        f->n_expected_late += f->n_submitted[VPC_IO_READ] || f->n_submitted[VPC_IO_WRITE];
        f->expected_bytes += length;
}

static void poll_start(void *context) {
        ((struct fake *)context)->n_poll_starts++;
}

static bool irq_is_level(void *context) {
        return !((struct fake *)context)->is_msix;
}

void fake_polled(struct fake *f) {
        f->polls = f->is_msix = true;
        f->host.dma_generation = &f->dma_generation;
        f->host.poll_start = poll_start;
        f->host.irq_is_level = irq_is_level;
}

void fake_inline(struct fake *f) {
        f->is_inline = true;
        f->host.io_try = io_try;
        f->host.io_expect = io_expect;
}

void fake_end(struct fake *f, unsigned int i) {
        assert_true(i < f->n_pending);
        struct vpc_io *io = f->pending[i];
        unsigned int medium = f->pending_medium[i];
        f->n_pending--;
        memmove(f->pending + i, f->pending + i + 1, (f->n_pending - i) * sizeof(void *));
        memmove(f->pending_medium + i, f->pending_medium + i + 1, (f->n_pending - i) * sizeof(f->pending_medium[0]));
        io->done(io, medium_do(f, medium, io));
}

bool fake_step(struct fake *f) {
        if (!f->n_pending)
                return false;
        fake_end(f, 0);
        return true;
}

void fake_run(struct fake *f) {
        for (;;) {
                if (f->timer != UINT64_MAX) {
                        f->timer = UINT64_MAX;
                        f->n_timers++;
                        nvme_model.timer(f->device);
                } else if (fake_step(f)) {
                        continue;
                } else if (f->asked.ticket && !f->is_away) {
                        fake_mark(f);
                } else {
                        return;
                }
        }
}

void fake_queue_init(struct fake *f, struct fake_queue *q, unsigned int id, unsigned int cq_id, unsigned int size,
                     unsigned int cq_size) {
        *q = (struct fake_queue){.id = id, .cq_id = cq_id, .size = size, .cq_size = cq_size, .phase = 1};
        q->sq = FAKE_ASQ + id * UINT64_C(0x20000);
        q->cq = FAKE_ACQ + cq_id * UINT64_C(0x20000);
        memset(fake_memory(f, q->cq), 0, (size_t)cq_size * sizeof(struct nvme_cqe));
}

void fake_enable(struct fake *f) {
        fake_queue_init(f, &f->admin, 0, 0, 32, 32);
        fake_write(f, NVME_REG_AQA, 31 << 16 | 31);
        fake_write(f, NVME_REG_ASQ, (uint32_t)FAKE_ASQ);
        fake_write(f, NVME_REG_ASQ + 4, (uint32_t)(FAKE_ASQ >> 32));
        nvme_model.bar_write(f->device, 0, NVME_REG_ACQ, 8, FAKE_ACQ);
        fake_write(f, NVME_REG_CC, 0x00460001);
        fake_run(f);
        assert_int_equal(fake_read(f, NVME_REG_CSTS), NVME_CSTS_RDY);
}

void fake_disable(struct fake *f) {
        fake_write(f, NVME_REG_CC, 0x00460000);
        fake_run(f);
        assert_int_equal(fake_read(f, NVME_REG_CSTS), 0);
}

int fake_setup(void **state) {
        struct fake *f = fake_new();

        fake_enable(f);
        *state = f;
        return 0;
}

int fake_teardown(void **state) {
        fake_free(*state);
        return 0;
}

void fake_queue_create(struct fake *f, struct fake_queue *q, unsigned int id, unsigned int size) {
        fake_queue_init(f, q, id, id, size, size);
        assert_int_equal(fake_status(f, &f->admin,
                                     (struct nvme_sqe){.opcode = NVME_ADMIN_CREATE_CQ,
                                                       .prp1 = q->cq,
                                                       .cdw10 = (size - 1) << 16 | id,
                                                       .cdw11 = id << 16 | 3}),
                         0);
        assert_int_equal(fake_status(f, &f->admin,
                                     (struct nvme_sqe){.opcode = NVME_ADMIN_CREATE_SQ,
                                                       .prp1 = q->sq,
                                                       .cdw10 = (size - 1) << 16 | id,
                                                       .cdw11 = id << 16 | 1}),
                         0);
}

uint16_t fake_push(struct fake *f, struct fake_queue *q, struct nvme_sqe sqe) {
        sqe.cid = f->next_cid++;
        memcpy(fake_memory(f, q->sq + q->tail * sizeof(sqe)), &sqe, sizeof(sqe));
        q->tail = (q->tail + 1) % q->size;
        return sqe.cid;
}

void fake_ring(struct fake *f, const struct fake_queue *q) {
        fake_write(f, NVME_REG_DOORBELLS + q->id * 8, q->tail);
}

bool fake_pop(struct fake *f, struct fake_queue *q, struct nvme_cqe *ret_cqe) {
        struct nvme_cqe cqe;

        memcpy(&cqe, fake_memory(f, q->cq + q->head * sizeof(cqe)), sizeof(cqe));
        if ((cqe.status & 1) != q->phase)
                return false;
        if (++q->head == q->cq_size) {
                q->head = 0;
                q->phase ^= 1;
        }
        /* More of each error, and of nothing else, is in the error log; tests need not say so. */
        assert_true(!(cqe.status >> 1) == !(cqe.status >> 1 & NVME_MORE));
        cqe.status &= (uint16_t) ~(NVME_MORE << 1);
        *ret_cqe = cqe;
        return true;
}

void fake_ring_cq(struct fake *f, const struct fake_queue *q) {
        fake_write(f, NVME_REG_DOORBELLS + q->cq_id * 8 + 4, q->head);
}

struct nvme_cqe fake_command(struct fake *f, struct fake_queue *q, struct nvme_sqe sqe) {
        uint16_t cid = fake_push(f, q, sqe);
        struct nvme_cqe cqe = {0};

        fake_ring(f, q);
        fake_run(f);
        assert_true(fake_pop(f, q, &cqe));
        assert_int_equal(cqe.cid, cid);
        assert_int_equal(cqe.sq_id, q->id);
        assert_int_equal(cqe.sq_head, q->tail);
        assert_int_equal(cqe.reserved, 0);
        fake_ring_cq(f, q);
        return cqe;
}

unsigned int fake_status(struct fake *f, struct fake_queue *q, struct nvme_sqe sqe) {
        return fake_command(f, q, sqe).status >> 1;
}

struct nvme_sqe fake_transfer(struct fake *f, uint8_t opcode, uint32_t nsid, uint64_t block, uint32_t blocks, uint64_t data) {
        unsigned int block_size = nsid == 2 ? 4096 : 512;
        struct nvme_sqe sqe = {.opcode = opcode,
                               .nsid = nsid,
                               .prp1 = data,
                               .cdw10 = (uint32_t)block,
                               .cdw11 = (uint32_t)(block >> 32),
                               .cdw12 = blocks - 1};
        uint64_t end = data + (uint64_t)blocks * block_size, next = (data & ~UINT64_C(4095)) + 4096;

        if (next < end && end - next <= 4096) {
                sqe.prp2 = next;
        } else if (next < end) {
                sqe.prp2 = FAKE_LISTS;
                for (unsigned int i = 0; next < end; next += 4096, i++)
                        memcpy(fake_memory(f, FAKE_LISTS + i * 8), &next, sizeof(next));
        }
        return sqe;
}
