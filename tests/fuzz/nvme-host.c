/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is around the controller: memory, interrupts, media that end their requests when they are told to, processes that die. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nvme.h"

static int dma_map(void *context, uint64_t address, size_t length, enum vpc_direction direction, struct iovec *iov,
                   unsigned int max) {
        uint64_t size = direction == VPC_DMA_FROM_DEVICE ? sizeof(fuzz_memory) - 4096 : sizeof(fuzz_memory);
        unsigned int n = 0;

        REQUIRE(length > 0 && max > 0);
        if (fuzz.no_bus_master)
                return -EPERM;
        if (address < BASE || address - BASE > size || length > size - (address - BASE))
                return -EFAULT;
        /* Windows of four pages each, so that ranges come in pieces. */
        for (uint64_t at = address - BASE, end = at + length; at < end; n++) {
                uint64_t next = (at | 0x3fff) + 1;

                if (n == max)
                        return -E2BIG;
                next = next < end ? next : end;
                iov[n] = (struct iovec){fuzz_memory + at, next - at};
                at = next;
        }
        return (int)n;
}

static int copy(uint64_t address, void *buffer, size_t length, enum vpc_direction direction) {
        struct iovec iov[4];
        int n = dma_map(NULL, address, length, direction, iov, 4);

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
        return copy(address, buffer, length, VPC_DMA_TO_DEVICE);
}

static int dma_write(void *context, uint64_t address, const void *buffer, size_t length) {
        return copy(address, (void *)(uintptr_t)buffer, length, VPC_DMA_FROM_DEVICE);
}

static void irq_raise(void *context, unsigned int vector) {
        REQUIRE(vector < NVME_VECTORS);
}

static void irq_level(void *context, int asserted) {
        REQUIRE(!fuzz.level_told || fuzz.level != (asserted != 0)); /* of changes only */
        fuzz.level = asserted != 0;
        fuzz.level_told = true;
}

static bool is_within(const struct iovec *iov, const void *start, size_t size) {
        const char *p = iov->iov_base, *from = start;

        return p >= from && p + iov->iov_len <= from + size;
}

/* What the controller has been told is shared is read, and written to, by whom the reservations let. The self-test is the
 * device's own. */
static bool is_allowed(unsigned int index, const struct vpc_io *io) {
        const unsigned int rights = io->op == VPC_IO_READ ? VPC_MAY_READ : VPC_MAY_WRITE;
        const struct vpc_initiator who = nvme_initiator(fuzz.image);
        const struct vpc_reservation *r = &fuzz.page.copies[fuzz.page.current & 1];

        if (index != 0 || io->op == VPC_IO_FLUSH || io == &fuzz.device->self_test_io)
                return true;
        for (uint32_t i = 0; i < fuzz.image->n_namespaces; i++) {
                const struct nvme_namespace *ns = &fuzz.image->namespaces[i];

                if (ns->blocks && ns->medium == 0 && fuzz.image->shared >> i & 1)
                        return fuzz.page.current && r->volume == ns->unique_id && vpc_reservation_rights(r, &who) & rights;
        }
        return true;
}

static void check_request(unsigned int index, const struct vpc_io *io) {
        uint64_t sum = 0;

        REQUIRE(is_allowed(index, io));
        REQUIRE(index < 2 && io->done);
        for (unsigned int i = 0; i < fuzz.n_pending; i++)
                REQUIRE(fuzz.pending[i] != io);
        if (io->op != VPC_IO_FLUSH && io->op != VPC_IO_FORMAT) {
                REQUIRE(io->length && io->offset <= MEDIUM_SIZE && io->length <= MEDIUM_SIZE - io->offset);
                REQUIRE(io->op == VPC_IO_READ || index == 0); /* the second is read-only */
        }
        if (io->op == VPC_IO_READ || io->op == VPC_IO_WRITE) {
                REQUIRE(io->length <= NVME_TRANSFER_MAX);
                REQUIRE(io->n_iov >= 1 && io->n_iov <= NVME_IOV_MAX);
                for (unsigned int i = 0; i < io->n_iov; i++) {
                        REQUIRE(is_within(&io->iov[i], fuzz_memory, sizeof(fuzz_memory)) ||
                                is_within(&io->iov[i], fuzz.device->self_test_data, NVME_SELF_TEST_PIECE) ||
                                is_within(&io->iov[i], fuzz.device->scratch, NVME_SLOTS * sizeof(fuzz.device->scratch[0])) ||
                                is_within(&io->iov[i], fuzz.device->copies, sizeof(fuzz.device->copies)));
                        sum += io->iov[i].iov_len;
                }
                REQUIRE(sum == io->length);
        }
}

static void io_submit(void *context, unsigned int index, struct vpc_io *io) {
        check_request(index, io);
        REQUIRE(fuzz.n_pending < PENDING);
        fuzz.pending[fuzz.n_pending++] = io;
}

static bool io_try(void *context, unsigned int index, struct vpc_io *io, int *ret_error) {
        check_request(index, io);
        *ret_error = fuzz.now % 7 ? 0 : -EIO;
        return fuzz.is_inline;
}

static uint64_t clock_now(void *context) {
        return fuzz.now += 1000;
}

static void timer(void *context, uint64_t delay_ns) {
        fuzz.timer = delay_ns != UINT64_MAX;
        fuzz.timer_due = fuzz.timer && delay_ns < UINT64_C(1) << 40 ? fuzz.now + delay_ns : fuzz.now;
}

__attribute__((format(printf, 3, 4))) static void log_line(void *context, int level, const char *format, ...) {
}

static const struct vpc_reservation_page *reservations(void *context, unsigned int index) {
        return index == 0 ? &fuzz.page : NULL;
}

static void reserve(void *context, const struct vpc_reserve_request *request) {
        REQUIRE(request->ticket && request->op && request->op <= VPC_MARKS_CLEAR && request->type < VPC_RESERVATION_TYPES);
        REQUIRE(request->medium == 0 || (request->medium == 1 && request->op < VPC_RESERVE_OPS)); /* that is read-only */
        if (request->op == VPC_MARKS_SET)
                REQUIRE(request->first < request->end && request->end <= MEDIUM_SIZE);
        if (request->op == VPC_MARKS_CLEAR)
                REQUIRE(request->first < request->end && (request->end <= MEDIUM_SIZE || !request->first));
        fuzz.asked = request->ticket;
}

void host_answer(void) {
        for (unsigned int i = 0; i < 2 * NVME_SLOTS && fuzz.image->reserving.slot; i++) {
                nvme_model.reserved(fuzz.device, fuzz.asked, VPC_RESERVE_DONE);
                host_run();
        }
        REQUIRE(!fuzz.image->reserving.slot);
}

void host_fence(void) {
        const struct nvme_reserving *r = &fuzz.image->reserving;

        if (r->slot && r->request.op >= VPC_RESERVE_OPS)
                fuzz.fenced_ticket = r->request.ticket;
        nvme_model.fence(fuzz.device, 0, fuzz.fence);
}

/* Not before all that was under way has ended. */
static void fenced(void *context, unsigned int index, uint64_t change) {
        REQUIRE(index == 0 && change == fuzz.fence);
        for (unsigned int i = nvme_slot_next(fuzz.image, 0); i < NVME_SLOTS; i = nvme_slot_next(fuzz.image, i + 1))
                REQUIRE(!fuzz.device->commands[i].is_fenced);
        REQUIRE(!fuzz.image->reserving.slot || fuzz.image->reserving.request.ticket != fuzz.fenced_ticket);
        fuzz.fenced = change;
}

static void attach(void) {
        void *device = NULL;

        REQUIRE(nvme_model.attach(fuzz.image, &fuzz.host, &fuzz.counters, &device) == 0);
        fuzz.device = device;
}

static void poll_start(void *context) {
}

void host_start(const uint8_t *data, size_t size) {
        static const struct vpc_persona persona = {
                .serial = "FUZZ",
                .nqn = "nqn.2014-08.org.nvmexpress:uuid:494f5600-0000-8000-8000-000000000001",
                .unique_id = 1,
                .n_media = 2,
                .media = {{.id = 1, .block_size = 512, .size = MEDIUM_SIZE, .unique_id = 1},
                          {.id = 3, .block_size = 4096, .size = MEDIUM_SIZE, .unique_id = 2, .read_only = 1}},
        };

        memset(&fuzz, 0, sizeof(fuzz));
        memset(fuzz_memory, 0, sizeof(fuzz_memory));
        fuzz.data = data;
        fuzz.size = size;
        fuzz.persona = persona;
        fuzz.host = (struct vpc_host){.dma_map = dma_map,
                                      .dma_read = dma_read,
                                      .dma_write = dma_write,
                                      .irq_raise = irq_raise,
                                      .irq_level = irq_level,
                                      .io_submit = io_submit,
                                      .io_try = io_try,
                                      .clock = clock_now,
                                      .timer = timer,
                                      .poll_start = poll_start,
                                      .dma_generation = &fuzz.dma_generation,
                                      .marks = &fuzz.marks,
                                      .reservations = reservations,
                                      .reserve = reserve,
                                      .fenced = fenced,
                                      .log = log_line};
        fuzz.image = calloc(1, sizeof(*fuzz.image));
        REQUIRE(fuzz.image && nvme_model.init(fuzz.image, &persona) == 0);
        attach();
}

void host_restart(void) {
        struct nvme_image *image = malloc(sizeof(*image));

        REQUIRE(image);
        memcpy(image, fuzz.image, sizeof(*image));
        nvme_model.detach(fuzz.device);
        free(fuzz.image);
        fuzz.image = image;
        fuzz.n_pending = 0;
        fuzz.level_told = fuzz.timer = false;
        fuzz.fence = fuzz.fenced; /* who waits tells it again, or not */
        attach();
}

void host_finish(unsigned int i, unsigned int error) {
        static const int errors[] = {0, 0, 0, 0, -EIO, -ENOSPC, -EROFS, -ENOMEM};
        struct vpc_io *io = fuzz.pending[i];

        fuzz.pending[i] = fuzz.pending[--fuzz.n_pending];
        for (unsigned int p = 0; io->op == VPC_IO_READ && p < io->n_iov; p++)
                memset(io->iov[p].iov_base, 0, io->iov[p].iov_len < 16 ? io->iov[p].iov_len : 16);
        io->done(io, errors[error % 8]);
}

void host_run_timer(void) {
        if (!fuzz.timer)
                return;
        fuzz.timer = false;
        nvme_model.timer(fuzz.device);
}

void host_run(void) {
        for (unsigned int i = 0; fuzz.timer || fuzz.n_pending; i++) {
                REQUIRE(i < 100000); /* it comes to rest */
                if (!fuzz.timer) {
                        host_finish(0, 0);
                        continue;
                }
                if (fuzz.now < fuzz.timer_due)
                        fuzz.now = fuzz.timer_due;
                host_run_timer();
        }
}
