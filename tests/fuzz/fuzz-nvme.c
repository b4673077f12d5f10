/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A server that does what the input says: register writes, commands and garbage in its memory, resets, while media end their
 * requests late and in any order and processes die. What must hold is checked after every step, and in the end a reset must
 * bring back a controller that works.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/nvme/nvme.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                                                       \
        do {                                                                                                                     \
                if (!(condition)) {                                                                                              \
                        fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);                           \
                        abort();                                                                                                 \
                }                                                                                                                \
        } while (0)

#define PAGES 48 /* of guest memory, from address 4096; the last may only be read by the device */
#define BASE UINT64_C(4096)
#define SHADOW_PAGE 30u
#define MEDIUM_SIZE (UINT64_C(1) << 28)
#define PENDING (NVME_SLOTS + 2)
#define QUEUES 4 /* that the steps below know of */

static unsigned char memory[PAGES * 4096];

static struct {
        const uint8_t *data;
        size_t size;
        struct vpc_host host;
        struct iov_counter counters;
        struct nvme_image *image;
        struct nvme_device *device;
        struct vpc_persona persona;
        bool is_inline; /* requests end within their submission */
        bool no_bus_master, level, level_told, timer;
        struct vpc_io *pending[PENDING];
        unsigned int n_pending;
        uint64_t now, dma_generation;
        struct vpc_reservation_page page; /* of the first medium */
        uint64_t asked;                   /* ticket of what the appliance was asked for last */
        uint64_t fenced, fence;           /* changes: that nothing is under way from before, and that this is wanted of */
} f;

static uint64_t take(unsigned int bytes) {
        uint64_t value = 0;
        size_t n = f.size < bytes ? f.size : bytes;

        memcpy(&value, f.data, n);
        f.data += n;
        f.size -= n;
        return value;
}

static int dma_map(void *context, uint64_t address, size_t length, enum vpc_direction direction, struct iovec *iov,
                   unsigned int max) {
        uint64_t size = direction == VPC_DMA_FROM_DEVICE ? sizeof(memory) - 4096 : sizeof(memory);
        unsigned int n = 0;

        REQUIRE(length > 0 && max > 0);
        if (f.no_bus_master)
                return -EPERM;
        if (address < BASE || address - BASE > size || length > size - (address - BASE))
                return -EFAULT;
        /* Windows of four pages each, so that ranges come in pieces. */
        for (uint64_t at = address - BASE, end = at + length; at < end; n++) {
                uint64_t next = (at | 0x3fff) + 1;

                if (n == max)
                        return -E2BIG;
                next = next < end ? next : end;
                iov[n] = (struct iovec){memory + at, next - at};
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
        REQUIRE(!f.level_told || f.level != (asserted != 0)); /* of changes only */
        f.level = asserted != 0;
        f.level_told = true;
}

static bool is_within(const struct iovec *iov, const void *start, size_t size) {
        const char *p = iov->iov_base, *from = start;

        return p >= from && p + iov->iov_len <= from + size;
}

/* What is shared is written to by whom the reservations let. */
static bool is_allowed(unsigned int index, enum vpc_io_op op) {
        const struct vpc_initiator who = nvme_initiator(f.image);
        const struct vpc_reservation *r = &f.page.copies[f.page.current & 1];

        if (index != 0 || op == VPC_IO_READ || op == VPC_IO_FLUSH || !f.persona.media[0].shared)
                return true;
        return f.page.current && r->volume == f.persona.media[0].unique_id && vpc_reservation_rights(r, &who) & VPC_MAY_WRITE;
}

static void check_request(unsigned int index, const struct vpc_io *io) {
        uint64_t sum = 0;

        REQUIRE(is_allowed(index, io->op));
        REQUIRE(index < 2 && io->done);
        for (unsigned int i = 0; i < f.n_pending; i++)
                REQUIRE(f.pending[i] != io);
        if (io->op != VPC_IO_FLUSH && io->op != VPC_IO_FORMAT) {
                REQUIRE(io->length && io->offset <= MEDIUM_SIZE && io->length <= MEDIUM_SIZE - io->offset);
                REQUIRE(io->op == VPC_IO_READ || index == 0); /* the second is read-only */
        }
        if (io->op == VPC_IO_READ || io->op == VPC_IO_WRITE) {
                REQUIRE(io->length <= NVME_TRANSFER_MAX);
                REQUIRE(io->n_iov >= 1 && io->n_iov <= NVME_IOV_MAX);
                for (unsigned int i = 0; i < io->n_iov; i++) {
                        REQUIRE(is_within(&io->iov[i], memory, sizeof(memory)) ||
                                is_within(&io->iov[i], f.device->self_test_data, NVME_SELF_TEST_PIECE) ||
                                is_within(&io->iov[i], f.device->scratch, NVME_SLOTS * sizeof(f.device->scratch[0])));
                        sum += io->iov[i].iov_len;
                }
                REQUIRE(sum == io->length);
        }
}

static void io_submit(void *context, unsigned int index, struct vpc_io *io) {
        check_request(index, io);
        REQUIRE(f.n_pending < PENDING);
        f.pending[f.n_pending++] = io;
}

static bool io_try(void *context, unsigned int index, struct vpc_io *io, int *ret_error) {
        check_request(index, io);
        *ret_error = f.now % 7 ? 0 : -EIO;
        return f.is_inline;
}

static uint64_t clock_now(void *context) {
        return f.now += 1000;
}

static void timer(void *context, uint64_t delay_ns) {
        f.timer = delay_ns != UINT64_MAX;
}

__attribute__((format(printf, 3, 4))) static void log_line(void *context, int level, const char *format, ...) {
}

static const struct vpc_reservation_page *reservations(void *context, unsigned int index) {
        return index == 0 ? &f.page : NULL;
}

static void reserve(void *context, const struct vpc_reserve_request *request) {
        REQUIRE(request->ticket && request->op && request->op < VPC_RESERVE_OPS && request->type < VPC_RESERVATION_TYPES);
        REQUIRE(request->medium == 0);
        f.asked = request->ticket;
}

/* Not before all that was under way has ended. */
static void fenced(void *context, unsigned int index, uint64_t change) {
        REQUIRE(index == 0 && change == f.fence);
        for (unsigned int i = nvme_slot_next(f.image, 0); i < NVME_SLOTS; i = nvme_slot_next(f.image, i + 1))
                REQUIRE(!f.device->commands[i].is_fenced);
        f.fenced = change;
}

static void attach(void) {
        void *device = NULL;

        REQUIRE(nvme_model.attach(f.image, &f.host, &f.counters, &device) == 0);
        f.device = device;
}

static void poll_start(void *context) {
}

static void start(const uint8_t *data, size_t size) {
        static const struct vpc_persona persona = {
                .serial = "FUZZ",
                .nqn = "nqn.2014-08.org.nvmexpress:uuid:494f5600-0000-8000-8000-000000000001",
                .unique_id = 1,
                .n_media = 2,
                .media = {{.id = 1, .block_size = 512, .size = MEDIUM_SIZE, .unique_id = 1},
                          {.id = 3, .block_size = 4096, .size = MEDIUM_SIZE, .unique_id = 2, .read_only = 1}},
        };

        memset(&f, 0, sizeof(f));
        memset(memory, 0, sizeof(memory));
        f.data = data;
        f.size = size;
        f.persona = persona;
        f.host = (struct vpc_host){.dma_map = dma_map,
                                   .dma_read = dma_read,
                                   .dma_write = dma_write,
                                   .irq_raise = irq_raise,
                                   .irq_level = irq_level,
                                   .io_submit = io_submit,
                                   .io_try = io_try,
                                   .clock = clock_now,
                                   .timer = timer,
                                   .poll_start = poll_start,
                                   .dma_generation = &f.dma_generation,
                                   .reservations = reservations,
                                   .reserve = reserve,
                                   .fenced = fenced,
                                   .log = log_line};
        f.image = calloc(1, sizeof(*f.image));
        REQUIRE(f.image && nvme_model.init(f.image, &persona) == 0);
        attach();
}

/* The process dies with its requests; the next one takes over a copy of the image. */
static void restart(void) {
        struct nvme_image *image = malloc(sizeof(*image));

        REQUIRE(image);
        memcpy(image, f.image, sizeof(*image));
        nvme_model.detach(f.device);
        free(f.image);
        f.image = image;
        f.n_pending = 0;
        f.level_told = f.timer = false;
        f.fence = f.fenced; /* who waits tells it again, or not */
        attach();
}

static void write32(uint64_t offset, uint32_t value) {
        nvme_model.bar_write(f.device, 0, offset, 4, value);
}

static void finish_one(unsigned int i, unsigned int error) {
        static const int errors[] = {0, 0, 0, 0, -EIO, -ENOSPC, -EROFS, -ENOMEM};
        struct vpc_io *io = f.pending[i];

        f.pending[i] = f.pending[--f.n_pending];
        for (unsigned int p = 0; io->op == VPC_IO_READ && p < io->n_iov; p++)
                memset(io->iov[p].iov_base, 0, io->iov[p].iov_len < 16 ? io->iov[p].iov_len : 16);
        io->done(io, errors[error % 8]);
}

static void run_timer(void) {
        if (!f.timer)
                return;
        f.timer = false;
        nvme_model.timer(f.device);
}

static void run(void) {
        for (unsigned int i = 0; f.timer || f.n_pending; i++) {
                REQUIRE(i < 100000); /* it comes to rest */
                if (f.timer)
                        run_timer();
                else
                        finish_one(0, 0);
        }
}

/* Queue q: entries in page q, completions in page 8 + q. */
static void enable(void) {
        write32(NVME_REG_AQA, 15 << 16 | 15);
        nvme_model.bar_write(f.device, 0, NVME_REG_ASQ, 8, BASE);
        nvme_model.bar_write(f.device, 0, NVME_REG_ACQ, 8, BASE + 8 * 4096);
        write32(NVME_REG_CC, 0x00460001);
}

static void push(unsigned int q, const struct nvme_sqe *sqe) {
        const struct nvme_sq *sq = &f.image->sqs[q];
        uint64_t tail = sq->size ? sq->tail % sq->size : 0;

        if (sq->base >= BASE && sq->base + (tail + 1) * sizeof(*sqe) <= BASE + sizeof(memory))
                memcpy(memory + sq->base - BASE + tail * sizeof(*sqe), sqe, sizeof(*sqe));
        tail = (tail + 1) % (sq->size ? sq->size : 2);
        /* Doorbells that are looked for in memory, where they were set up. */
        if (f.image->shadow.enabled && q)
                memcpy(memory + SHADOW_PAGE * 4096 + q * 8, &(uint32_t){(uint32_t)tail}, sizeof(uint32_t));
        write32(NVME_REG_DOORBELLS + q * 8, (uint32_t)tail);
}

/* An address that is likely to be of memory, with an offset now and then. */
static uint64_t address(void) {
        uint64_t page = take(1), offset = take(1);

        return page == 255 ? take(8) : page * 4096 + (offset & 1 ? offset * 16 : offset & 2 ? offset : 0);
}

static void command(void) {
        struct nvme_sqe sqe = {0};
        unsigned int q = (unsigned int)take(1);

        sqe.opcode = (uint8_t)take(1);
        sqe.flags = q & 0x80 ? (uint8_t)take(1) : 0;
        sqe.cid = (uint16_t)(q & 0x40 ? take(1) : f.now);
        sqe.nsid = (uint32_t)(int8_t)take(1);
        sqe.prp1 = address();
        sqe.prp2 = address();
        sqe.cdw10 = (uint32_t)take(4);
        sqe.cdw11 = (uint32_t)take(4);
        sqe.cdw12 = (uint32_t)take(2) | (uint32_t)(q & 0x20) << 25;
        sqe.cdw13 = q & 0x10 ? (uint32_t)take(4) : 0;
        push(q % QUEUES, &sqe);
}

static void create_queues(void) {
        unsigned int q = (unsigned int)take(1), size = (unsigned int)take(1) % 64 + 1;
        struct nvme_sqe sqe = {
                .opcode = NVME_ADMIN_CREATE_CQ, .prp1 = BASE + (8 + q % QUEUES) * 4096, .cdw10 = size << 16 | q % QUEUES};

        sqe.cdw11 = (q % 8) << 16 | 3;
        push(0, &sqe);
        sqe.opcode = NVME_ADMIN_CREATE_SQ;
        sqe.prp1 = BASE + (q % QUEUES) * 4096;
        sqe.cdw11 = (q & 0x80 ? 1 : q % QUEUES) << 16 | 1;
        push(0, &sqe);
}

static void consume(unsigned int q) {
        const struct nvme_cq *cq = &f.image->cqs[q % NVME_QUEUES];

        write32(NVME_REG_DOORBELLS + q % NVME_QUEUES * 8 + 4, (uint32_t)(cq->posted % (cq->size ? cq->size : 1)));
}

/* Anything at all. */
static void raw_command(void) {
        struct nvme_sqe sqe = {0};
        unsigned int q = (unsigned int)take(1);

        for (unsigned int i = 0; i < sizeof(sqe); i++)
                ((unsigned char *)&sqe)[i] = (unsigned char)take(1);
        push(q % QUEUES, &sqe);
}

/* An I/O command that is right for the most part, with its data in an SGL or in PRPs. */
static void io_command(void) {
        static const uint8_t opcodes[] = {NVME_IO_FLUSH,   NVME_IO_WRITE,  NVME_IO_READ,    NVME_IO_WRITE_UNCORRECTABLE,
                                          NVME_IO_COMPARE, NVME_IO_VERIFY, NVME_IO_DATASET, NVME_IO_WRITE_ZEROES};
        unsigned int how = (unsigned int)take(1);
        struct nvme_sqe sqe = {.opcode = opcodes[how % 8],
                               .nsid = how & 8 ? 1 : (uint32_t)take(1) % 5,
                               .cid = (uint16_t)take(1),
                               .prp1 = address(),
                               .cdw10 = (uint32_t)take(2),
                               .cdw12 = (uint32_t)take(1) | (how & 16 ? NVME_IO_FUA : 0) | (how & 32 ? NVME_IO_DEAC : 0)};

        if (sqe.opcode == NVME_IO_DATASET) {
                sqe.cdw10 &= 0xff;
                sqe.cdw11 = NVME_DATASET_DEALLOCATE;
        }
        if (how & 64) {
                static const uint8_t types[] = {NVME_SGL_DATA, NVME_SGL_SEGMENT, NVME_SGL_LAST_SEGMENT, 0x10};
                unsigned int type = (unsigned int)take(1);

                sqe.flags = 0x40;
                sqe.prp2 = (type & 4 ? ((uint64_t)sqe.cdw12 % 256 + 1) * 512 : take(2)) | (uint64_t)types[type % 4] << 56;
        } else {
                sqe.prp2 = address();
        }
        push(how & 128 ? 1 : (unsigned int)take(1) % QUEUES, &sqe);
}

/* SGL descriptors or ranges, of which most make sense, for commands that point there. */
static void make_list(void) {
        size_t at = (size_t)take(1) % PAGES * 4096 + (size_t)take(1) * 16;
        unsigned int n = (unsigned int)take(1) % 32;

        for (; n && at + 16 <= sizeof(memory); n--, at += 16) {
                unsigned int how = (unsigned int)take(1);
                struct nvme_sgl d = {.address = address(), .length = (uint32_t)take(1) * 4, .type = (uint8_t)((how & 3) << 4)};
                const struct nvme_range range = {.blocks = (uint32_t)take(1), .first = how * 64};

                if (how & 128)
                        memcpy(memory + at, &range, sizeof(range));
                else
                        memcpy(memory + at, &d, sizeof(d));
        }
}

/* A list of pages that make sense for the most part, and may lead anywhere, to itself too. */
static void make_prp_list(void) {
        const size_t page = (size_t)take(1) % PAGES * 4096, step = (size_t)take(1) % 8 + 1;
        const uint64_t odd = address();

        for (size_t i = 0; i < 512; i++) {
                uint64_t entry = i % 64 == 63 && step == 1 ? odd : BASE + i * step % PAGES * 4096;

                memcpy(memory + page + i * 8, &entry, sizeof(entry));
        }
        const uint64_t last = step & 1 ? BASE + page : odd;
        memcpy(memory + page + 511 * 8, &last, sizeof(last));
}

static void delete_queue(void) {
        unsigned int how = (unsigned int)take(1);

        push(0, &(struct nvme_sqe){.opcode = how & 0x80 ? NVME_ADMIN_DELETE_CQ : NVME_ADMIN_DELETE_SQ, .cdw10 = how % 8});
}

/* Namespaces come, go, grow and are exchanged. */
static void show(void) {
        for (unsigned int i = 0; i < 2; i++) {
                unsigned int how = (unsigned int)take(1);

                f.persona.media[i] = (struct vpc_medium){0};
                if (how & 1)
                        f.persona.media[i] = (struct vpc_medium){.id = (how >> 1 & 1) + 1 + i * 2,
                                                                 .block_size = how & 4 ? 512 : 4096,
                                                                 .size = how & 8 ? MEDIUM_SIZE : MEDIUM_SIZE / 2,
                                                                 .unique_id = how >> 6,
                                                                 .read_only = i,
                                                                 .shared = how >> 4 & 1};
        }
        REQUIRE(nvme_model.show(f.device, &f.persona) == 0);
}

/* A reservation command that is right for the most part, its keys in a page of zeroes or of the input. */
static void reserve_command(void) {
        static const uint8_t opcodes[] = {NVME_IO_RESERVE_REGISTER, NVME_IO_RESERVE_ACQUIRE, NVME_IO_RESERVE_RELEASE,
                                          NVME_IO_RESERVE_REPORT};
        const unsigned int how = (unsigned int)take(1), action = (unsigned int)take(1);
        const struct nvme_sqe sqe = {.opcode = opcodes[how % 4],
                                     .nsid = how & 4 ? 1 : (uint32_t)take(1) % 5,
                                     .prp1 = how & 8 ? BASE + 40 * 4096 : address(),
                                     .cdw10 = (how % 4 == 3 ? action * 64 : (action & 15) | (action & 0x70) << 4) |
                                              (action & 0x80 ? 3u << 30 : 0),
                                     .cdw11 = how >> 4 & 1};

        push(how & 128 ? 1 : (unsigned int)take(1) % QUEUES, &sqe);
}

/* What the control process does at any time: decides, shows, tells again, answers. */
static void appliance(void) {
        const unsigned int how = (unsigned int)take(1);
        struct vpc_reservation r = {.volume = how >> 6, .change = f.fence + 1, .type = (how >> 2 & 7) % VPC_RESERVATION_TYPES};

        if (how % 4 == 0) {
                nvme_model.reserved(f.device, f.asked - (how >> 7), (enum vpc_reserve_result)(how >> 2 & 7));
                return;
        }
        if (how % 4 == 1) {
                nvme_model.fence(f.device, 0, f.fence);
                return;
        }
        /* The host holds it, has registered, is preempted and aborted, or is not known. */
        r.registrants[0].initiator = nvme_initiator(f.image);
        r.registrants[0].is_holder = how >> 5 & 1;
        r.n_registrants = how >> 4 & 1;
        r.notices[0] =
                (struct vpc_notice_to){.initiator = r.registrants[0].initiator, .notice = 1 + how % 3, .is_aborted = how & 1};
        r.n_notices = how >> 1 & 1;
        f.fence++;
        vpc_reservation_write(&f.page, &r);
        nvme_model.fence(f.device, 0, f.fence);
}

static void poke(void) {
        size_t at = (size_t)take(3) % sizeof(memory), n = (size_t)take(1);

        for (; n && f.size && at < sizeof(memory); n--)
                memory[at++] = (unsigned char)take(1);
}

static void shadow(void) {
        const struct nvme_sqe sqe = {
                .opcode = NVME_ADMIN_DOORBELL_BUFFER, .prp1 = BASE + SHADOW_PAGE * 4096, .prp2 = BASE + (SHADOW_PAGE + 1) * 4096};

        push(0, &sqe);
}

static void rare_step(unsigned int which) {
        switch (which) {
        case 4:
                show();
                break;
        case 5:
                raw_command();
                break;
        case 6:
                make_list();
                break;
        case 13:
                reserve_command();
                break;
        case 14:
                appliance();
                break;
        case 15:
                delete_queue();
                break;
        case 16:
                make_prp_list();
                break;
        case 17:
                f.is_inline = !f.is_inline;
                break;
        default:
                io_command();
        }
}

static void step(void) {
        unsigned int op = (unsigned int)take(1);
        uint64_t offset;

        switch (op % 14) {
        case 0:
                offset = take(2) % 0x4000 & ~UINT64_C(3);
                write32(offset, (uint32_t)take(4));
                break;
        case 1:
                write32(NVME_REG_DOORBELLS + take(1) % 16 * 4, (uint32_t)take(2));
                break;
        case 2:
                poke();
                break;
        case 3:
                offset = take(1);
                if (f.n_pending)
                        finish_one((unsigned int)take(1) % f.n_pending, (unsigned int)offset);
                break;
        case 4:
                /* Polling, and its end, are asked for by the host's loop at any time. */
                if (op / 14 % 4 == 1)
                        nvme_model.poll(f.device);
                else if (op / 14 % 4 == 2)
                        nvme_model.poll_stop(f.device);
                else
                        run_timer();
                break;
        case 5:
                nvme_model.reset(f.device, (enum vpc_reset)(take(1) % 3));
                break;
        case 6:
                f.no_bus_master = take(1) & 1;
                f.dma_generation++;
                break;
        case 7:
                restart();
                break;
        case 8:
        case 9:
                command();
                break;
        case 10:
                enable();
                break;
        case 11:
                create_queues();
                if (op / 14 % 4 == 3)
                        shadow();
                break;
        case 12:
                consume((unsigned int)take(1));
                break;
        default:
                if (op / 14 >= 4) {
                        rare_step(op / 14);
                        break;
                }
                offset = take(2) % 0x3ff8 & ~UINT64_C(7);
                nvme_model.bar_read(f.device, 0, offset, 1u << op / 14 % 4);
                if (op / 14 % 4 == 3)
                        nvme_model.bar_write(f.device, 0, offset, 8, take(8));
        }
}

/* Slots are free, or somebody will free them; what is counted is there. */
static void check(void) {
        unsigned int n_free = 0, n_media = 0, n_waiting = 0, n_held = 0;

        for (unsigned int i = 0; i < NVME_SLOTS; i++)
                REQUIRE(nvme_slot_next(f.image, i) == i || f.image->slots[i].state == NVME_SLOT_FREE);
        for (unsigned int i = nvme_slot_next(f.image, 0); i < NVME_SLOTS; i = nvme_slot_next(f.image, i + 1)) {
                uint32_t s = f.image->slots[i].state;

                n_free += s == NVME_SLOT_FREE;
                n_media += s == NVME_SLOT_MEDIA || s == NVME_SLOT_ORPHAN;
                n_waiting += (s == NVME_SLOT_MEDIA || s == NVME_SLOT_RESERVE) && f.image->slots[i].sq_id != 0;
                REQUIRE(s != NVME_SLOT_FETCHED || f.device->needs_resume);
        }
        for (unsigned int q = 0; q < NVME_QUEUES; q++) {
                const struct nvme_sq *sq = &f.image->sqs[q];
                const struct nvme_cq *cq = &f.image->cqs[q];

                n_held += cq->n_held;
                REQUIRE(sq->tail - sq->fetched < (sq->size ? sq->size : 1));
                REQUIRE(cq->posted - cq->consumed < (cq->size ? cq->size : 1));
        }
        if (f.device->needs_resume)
                return;
        for (uint16_t i = f.device->free_io.first; i != NVME_NONE; i = f.device->commands[i].next)
                REQUIRE(n_free-- > 0);
        for (uint16_t i = f.device->free_admin.first; i != NVME_NONE; i = f.device->commands[i].next)
                REQUIRE(n_free-- > 0);
        REQUIRE(n_free == 0);
        REQUIRE(f.device->n_media + f.device->is_testing == f.n_pending);
        REQUIRE(n_media + (f.device->n_media > n_media) + f.device->is_testing ==
                f.n_pending); /* one may be the flush of a shutdown */
        REQUIRE(f.device->n_inflight == n_waiting && f.counters.inflight == n_waiting);
        REQUIRE(n_held <= NVME_SLOTS);
}

static void end(void) {
        struct nvme_sqe sqe = {.opcode = NVME_ADMIN_IDENTIFY, .cid = 0x1234, .prp1 = BASE + 20 * 4096, .cdw10 = 1};
        struct nvme_cqe cqe;

        f.no_bus_master = false;
        f.dma_generation++;
        run();
        check();
        REQUIRE(f.fenced == f.fence || f.device->fences == 0); /* nothing is waited for in vain */
        write32(NVME_REG_CC, 0);
        run();
        /* A shutdown of a controller that was not enabled shows until it is. */
        REQUIRE((nvme_model.bar_read(f.device, 0, NVME_REG_CSTS, 4) & ~NVME_CSTS_SHST_COMPLETE) == 0);
        for (unsigned int i = 0; i < NVME_SLOTS; i++)
                REQUIRE(f.image->slots[i].state == NVME_SLOT_FREE);
        enable();
        REQUIRE(nvme_model.bar_read(f.device, 0, NVME_REG_CSTS, 4) == NVME_CSTS_RDY);
        push(0, &sqe);
        memcpy(&cqe, memory + 8 * 4096, sizeof(cqe));
        REQUIRE(cqe.cid == 0x1234 && cqe.status == 1);
        REQUIRE(memory[20 * 4096] == 0xf4 && memory[20 * 4096 + 1] == 0x1a);
        nvme_model.detach(f.device);
        free(f.image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        start(data, size);
        while (f.size) {
                step();
                check();
        }
        end();
        return 0;
}
