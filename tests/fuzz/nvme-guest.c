/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The server's driver: commands of all kinds, made from the input, and lists in its memory for them. */
#include <string.h>

#include "nvme.h"

void guest_write32(uint64_t offset, uint32_t value) {
        nvme_model.bar_write(fuzz.device, 0, offset, 4, value);
}

void guest_enable(void) {
        /* It is held up by what a reset has ended. */
        if (fuzz.image->reserving.slot == NVME_RESERVE_ORPHAN)
                nvme_model.reserved(fuzz.device, fuzz.asked, VPC_RESERVE_DONE);
        guest_write32(NVME_REG_AQA, 15 << 16 | 15);
        nvme_model.bar_write(fuzz.device, 0, NVME_REG_ASQ, 8, BASE);
        nvme_model.bar_write(fuzz.device, 0, NVME_REG_ACQ, 8, BASE + 8 * 4096);
        guest_write32(NVME_REG_CC, 0x00460001);
}

void guest_push(unsigned int q, const struct nvme_sqe *sqe) {
        const struct nvme_sq *sq = &fuzz.image->sqs[q];
        uint64_t tail = sq->size ? sq->tail % sq->size : 0;

        if (sq->base >= BASE && sq->base + (tail + 1) * sizeof(*sqe) <= BASE + sizeof(fuzz_memory))
                memcpy(fuzz_memory + sq->base - BASE + tail * sizeof(*sqe), sqe, sizeof(*sqe));
        tail = (tail + 1) % (sq->size ? sq->size : 2);
        /* Doorbells that are looked for in memory, where they were set up. */
        if (fuzz.image->shadow.enabled && q)
                memcpy(fuzz_memory + SHADOW_PAGE * 4096 + q * 8, &(uint32_t){(uint32_t)tail}, sizeof(uint32_t));
        guest_write32(NVME_REG_DOORBELLS + q * 8, (uint32_t)tail);
}

/* An address that is likely to be of memory, with an offset now and then. */
static uint64_t address(void) {
        uint64_t page = fuzz_take(1), offset = fuzz_take(1);

        return page == 255 ? fuzz_take(8) : page * 4096 + (offset & 1 ? offset * 16 : offset & 2 ? offset : 0);
}

void guest_command(void) {
        struct nvme_sqe sqe = {0};
        unsigned int q = (unsigned int)fuzz_take(1);

        sqe.opcode = (uint8_t)fuzz_take(1);
        sqe.flags = q & 0x80 ? (uint8_t)fuzz_take(1) : 0;
        sqe.cid = (uint16_t)(q & 0x40 ? fuzz_take(1) : fuzz.now);
        sqe.nsid = (uint32_t)(int8_t)fuzz_take(1);
        sqe.prp1 = address();
        sqe.prp2 = address();
        sqe.cdw10 = (uint32_t)fuzz_take(4);
        sqe.cdw11 = (uint32_t)fuzz_take(4);
        sqe.cdw12 = (uint32_t)fuzz_take(2) | (uint32_t)(q & 0x20) << 25;
        sqe.cdw13 = q & 0x10 ? (uint32_t)fuzz_take(4) : 0;
        guest_push(q % QUEUES, &sqe);
}

void guest_create_queues(void) {
        unsigned int q = (unsigned int)fuzz_take(1), size = (unsigned int)fuzz_take(1) % 64 + 1;
        struct nvme_sqe sqe = {
                .opcode = NVME_ADMIN_CREATE_CQ, .prp1 = BASE + (8 + q % QUEUES) * 4096, .cdw10 = size << 16 | q % QUEUES};

        sqe.cdw11 = (q % 8) << 16 | 3;
        guest_push(0, &sqe);
        sqe.opcode = NVME_ADMIN_CREATE_SQ;
        sqe.prp1 = BASE + (q % QUEUES) * 4096;
        sqe.cdw11 = (q & 0x80 ? 1 : q % QUEUES) << 16 | 1;
        guest_push(0, &sqe);
}

void guest_consume(unsigned int q) {
        const struct nvme_cq *cq = &fuzz.image->cqs[q % NVME_QUEUES];

        guest_write32(NVME_REG_DOORBELLS + q % NVME_QUEUES * 8 + 4, (uint32_t)(cq->posted % (cq->size ? cq->size : 1)));
}

/* Anything at all. */
void guest_raw_command(void) {
        struct nvme_sqe sqe = {0};
        unsigned int q = (unsigned int)fuzz_take(1);

        for (unsigned int i = 0; i < sizeof(sqe); i++)
                ((unsigned char *)&sqe)[i] = (unsigned char)fuzz_take(1);
        guest_push(q % QUEUES, &sqe);
}

/* An I/O command that is right for the most part, with its data in an SGL or in PRPs. */
void guest_io_command(void) {
        static const uint8_t opcodes[] = {NVME_IO_FLUSH,   NVME_IO_WRITE,  NVME_IO_READ,    NVME_IO_WRITE_UNCORRECTABLE,
                                          NVME_IO_COMPARE, NVME_IO_VERIFY, NVME_IO_DATASET, NVME_IO_WRITE_ZEROES};
        unsigned int how = (unsigned int)fuzz_take(1);
        struct nvme_sqe sqe = {.opcode = opcodes[how % 8],
                               .nsid = how & 8 ? 1 : (uint32_t)fuzz_take(1) % 5,
                               .cid = (uint16_t)fuzz_take(1),
                               .prp1 = address(),
                               .cdw10 = (uint32_t)fuzz_take(2),
                               .cdw12 = (uint32_t)fuzz_take(1) | (how & 16 ? NVME_IO_FUA : 0) | (how & 32 ? NVME_IO_DEAC : 0)};

        if (sqe.opcode == NVME_IO_DATASET) {
                sqe.cdw10 &= 0xff;
                sqe.cdw11 = NVME_DATASET_DEALLOCATE;
        }
        if (how & 64) {
                static const uint8_t types[] = {NVME_SGL_DATA, NVME_SGL_SEGMENT, NVME_SGL_LAST_SEGMENT, 0x10};
                unsigned int type = (unsigned int)fuzz_take(1);

                sqe.flags = 0x40;
                sqe.prp2 = (type & 4 ? ((uint64_t)sqe.cdw12 % 256 + 1) * 512 : fuzz_take(2)) | (uint64_t)types[type % 4] << 56;
        } else {
                sqe.prp2 = address();
        }
        guest_push(how & 128 ? 1 : (unsigned int)fuzz_take(1) % QUEUES, &sqe);
}

/* SGL descriptors or ranges, of which most make sense, for commands that point there. */
void guest_make_list(void) {
        size_t at = (size_t)fuzz_take(1) % PAGES * 4096 + (size_t)fuzz_take(1) * 16;
        unsigned int n = (unsigned int)fuzz_take(1) % 32;

        for (; n && at + 16 <= sizeof(fuzz_memory); n--, at += 16) {
                unsigned int how = (unsigned int)fuzz_take(1);
                struct nvme_sgl d = {
                        .address = address(), .length = (uint32_t)fuzz_take(1) * 4, .type = (uint8_t)((how & 3) << 4)};
                const struct nvme_range range = {.blocks = (uint32_t)fuzz_take(1), .first = how * 64};

                if (how & 128)
                        memcpy(fuzz_memory + at, &range, sizeof(range));
                else
                        memcpy(fuzz_memory + at, &d, sizeof(d));
        }
}

static uint16_t near(unsigned int how) {
        return (uint16_t)(how & 1 ? how : how * 64);
}

/* A copy with its list, of ranges that lie apart for the most part. */
void guest_copy(void) {
        const unsigned int how = (unsigned int)fuzz_take(1), n = (unsigned int)fuzz_take(1) % (how & 1 ? 160 : 8) + 1;
        const size_t at = (size_t)(how & 2 ? 41 : 44) * 4096 + (how & 4 ? 4064 : 0);
        const uint32_t size = how & 8 ? 65535 : 255;

        for (unsigned int i = 0; i < n && at + (i + 1) * sizeof(struct nvme_copy_range) <= sizeof(fuzz_memory); i++) {
                const unsigned int where = (unsigned int)fuzz_take(1);
                const struct nvme_copy_range range = {.first = where == 255 ? fuzz_take(8) : UINT64_C(0x8000) + near(where),
                                                      .blocks = (uint32_t)fuzz_take(how & 8 ? 2 : 1) & size};

                memcpy(fuzz_memory + at + i * sizeof(range), &range, sizeof(range));
        }
        const struct nvme_sqe sqe = {.opcode = NVME_IO_COPY,
                                     .nsid = how & 16 ? 1 : (uint32_t)fuzz_take(1) % 5,
                                     .cid = (uint16_t)fuzz_take(1),
                                     .prp1 = BASE + at,
                                     .prp2 = BASE + (at & ~(size_t)4095) + 4096,
                                     .cdw10 = how & 32 ? (uint32_t)fuzz_take(4) : near((unsigned int)fuzz_take(1)),
                                     .cdw12 = (n - 1) | (how & 64 ? NVME_IO_FUA : 0)};
        guest_push(how & 128 ? 1 : (unsigned int)fuzz_take(1) % QUEUES, &sqe);
}

/* A list of pages that make sense for the most part, and may lead anywhere, to itself too. */
void guest_make_prp_list(void) {
        const size_t page = (size_t)fuzz_take(1) % PAGES * 4096, step = (size_t)fuzz_take(1) % 8 + 1;
        const uint64_t odd = address();

        for (size_t i = 0; i < 512; i++) {
                uint64_t entry = i % 64 == 63 && step == 1 ? odd : BASE + i * step % PAGES * 4096;

                memcpy(fuzz_memory + page + i * 8, &entry, sizeof(entry));
        }
        const uint64_t last = step & 1 ? BASE + page : odd;
        memcpy(fuzz_memory + page + 511 * 8, &last, sizeof(last));
}

void guest_delete_queue(void) {
        unsigned int how = (unsigned int)fuzz_take(1);

        guest_push(0, &(struct nvme_sqe){.opcode = how & 0x80 ? NVME_ADMIN_DELETE_CQ : NVME_ADMIN_DELETE_SQ, .cdw10 = how % 8});
}

/* A reservation command that is right for the most part, its keys in a page of zeroes or of the input. */
void guest_reserve_command(void) {
        static const uint8_t opcodes[] = {NVME_IO_RESERVE_REGISTER, NVME_IO_RESERVE_ACQUIRE, NVME_IO_RESERVE_RELEASE,
                                          NVME_IO_RESERVE_REPORT};
        const unsigned int how = (unsigned int)fuzz_take(1), action = (unsigned int)fuzz_take(1);
        const struct nvme_sqe sqe = {.opcode = opcodes[how % 4],
                                     .nsid = how & 4 ? 1 : (uint32_t)fuzz_take(1) % 5,
                                     .prp1 = how & 8 ? BASE + 40 * 4096 : address(),
                                     .cdw10 = (how % 4 == 3 ? action * 64 : (action & 15) | (action & 0x70) << 4) |
                                              (action & 0x80 ? 3u << 30 : 0),
                                     .cdw11 = how >> 4 & 1};

        guest_push(how & 128 ? 1 : (unsigned int)fuzz_take(1) % QUEUES, &sqe);
}

void guest_shadow(void) {
        const struct nvme_sqe sqe = {
                .opcode = NVME_ADMIN_DOORBELL_BUFFER, .prp1 = BASE + SHADOW_PAGE * 4096, .prp2 = BASE + (SHADOW_PAGE + 1) * 4096};

        guest_push(0, &sqe);
}
