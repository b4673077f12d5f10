/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A server that does what the input says: register writes, commands and garbage in its memory, resets, while media end their
 * requests late and in any order and processes die. What must hold is checked after every step, and in the end a reset must
 * bring back a controller that works.
 */
#include <string.h>

#include "nvme.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

unsigned char fuzz_memory[PAGES * 4096];
struct fuzz fuzz;

uint64_t fuzz_take(unsigned int bytes) {
        uint64_t value = 0;
        size_t n = fuzz.size < bytes ? fuzz.size : bytes;

        memcpy(&value, fuzz.data, n);
        fuzz.data += n;
        fuzz.size -= n;
        return value;
}

/* Namespaces come, go, grow and are exchanged. */
static void show(void) {
        for (unsigned int i = 0; i < 2; i++) {
                unsigned int how = (unsigned int)fuzz_take(1);

                fuzz.persona.media[i] = (struct vpc_medium){0};
                if (how & 1)
                        fuzz.persona.media[i] = (struct vpc_medium){.id = (how >> 1 & 1) + 1 + i * 2,
                                                                    .block_size = how & 4 ? 512 : 4096,
                                                                    .size = how & 8 ? MEDIUM_SIZE : MEDIUM_SIZE / 2,
                                                                    .unique_id = how >> 6,
                                                                    .read_only = i,
                                                                    .shared = how >> 4 & 1};
        }
        REQUIRE(nvme_model.show(fuzz.device, &fuzz.persona) == 0);
}

/* Marks of up to seven ranges, of whatever changes. */
static void mark(unsigned int n) {
        struct vpc_marks marks = {.change = 1 + fuzz_take(1), .n = n};

        for (unsigned int i = 0; i < n; i++) {
                marks.ranges[i].first = fuzz_take(2) << 9;
                marks.ranges[i].end = marks.ranges[i].first + ((1 + fuzz_take(2)) << 9);
        }
        vpc_marks_show(&fuzz.marks, 0, &marks);
}

/* What the control process does at any time: decides, shows, tells again, answers. */
static void appliance(void) {
        const unsigned int how = (unsigned int)fuzz_take(1);
        struct vpc_reservation r = {.volume = how >> 6, .change = fuzz.fence + 1, .type = (how >> 2 & 7) % VPC_RESERVATION_TYPES};

        if (how % 4 == 0) {
                nvme_model.reserved(fuzz.device, fuzz.asked - (how >> 7), (enum vpc_reserve_result)(how >> 2 & 7));
                return;
        }
        if (how % 4 == 1 && how & 0x80) {
                mark(how >> 2 & 7);
                return;
        }
        if (how % 4 == 1) {
                host_fence();
                return;
        }
        /* The host holds it, has registered, is preempted and aborted, or is not known. */
        r.registrants[0].initiator = nvme_initiator(fuzz.image);
        r.registrants[0].is_holder = how >> 5 & 1;
        r.n_registrants = how >> 4 & 1;
        r.notices[0] =
                (struct vpc_notice_to){.initiator = r.registrants[0].initiator, .notice = 1 + how % 3, .is_aborted = how & 1};
        r.n_notices = how >> 1 & 1;
        fuzz.fence++;
        vpc_reservation_write(&fuzz.page, &r);
        host_fence();
}

static void poke(void) {
        size_t at = (size_t)fuzz_take(3) % sizeof(fuzz_memory), n = (size_t)fuzz_take(1);

        for (; n && fuzz.size && at < sizeof(fuzz_memory); n--)
                fuzz_memory[at++] = (unsigned char)fuzz_take(1);
}

static void rare_step(unsigned int which) {
        switch (which) {
        case 4:
                show();
                break;
        case 5:
                guest_raw_command();
                break;
        case 6:
                guest_make_list();
                break;
        case 13:
                guest_reserve_command();
                break;
        case 14:
                appliance();
                break;
        case 15:
                guest_delete_queue();
                break;
        case 16:
                guest_make_prp_list();
                break;
        case 7:
                guest_copy();
                break;
        case 17:
                fuzz.is_inline = !fuzz.is_inline;
                break;
        default:
                guest_io_command();
        }
}

static void step(void) {
        unsigned int op = (unsigned int)fuzz_take(1);
        uint64_t offset;

        switch (op % 14) {
        case 0:
                offset = fuzz_take(2) % 0x4000 & ~UINT64_C(3);
                guest_write32(offset, (uint32_t)fuzz_take(4));
                break;
        case 1:
                guest_write32(NVME_REG_DOORBELLS + fuzz_take(1) % 16 * 4, (uint32_t)fuzz_take(2));
                break;
        case 2:
                poke();
                break;
        case 3:
                offset = fuzz_take(1);
                if (fuzz.n_pending)
                        host_finish((unsigned int)fuzz_take(1) % fuzz.n_pending, (unsigned int)offset);
                break;
        case 4:
                /* Polling, and its end, are asked for by the host's loop at any time. */
                if (op / 14 % 4 == 1)
                        nvme_model.poll(fuzz.device);
                else if (op / 14 % 4 == 2)
                        nvme_model.poll_stop(fuzz.device);
                else
                        host_run_timer();
                break;
        case 5:
                nvme_model.reset(fuzz.device, (enum vpc_reset)(fuzz_take(1) % 3));
                break;
        case 6:
                fuzz.no_bus_master = fuzz_take(1) & 1;
                fuzz.dma_generation++;
                break;
        case 7:
                host_restart();
                break;
        case 8:
        case 9:
                guest_command();
                break;
        case 10:
                guest_enable();
                break;
        case 11:
                guest_create_queues();
                if (op / 14 % 4 == 3)
                        guest_shadow();
                break;
        case 12:
                guest_consume((unsigned int)fuzz_take(1));
                break;
        default:
                if (op / 14 >= 4) {
                        rare_step(op / 14);
                        break;
                }
                offset = fuzz_take(2) % 0x3ff8 & ~UINT64_C(7);
                nvme_model.bar_read(fuzz.device, 0, offset, 1u << op / 14 % 4);
                if (op / 14 % 4 == 3)
                        nvme_model.bar_write(fuzz.device, 0, offset, 8, fuzz_take(8));
        }
}

/* Slots are free, or somebody will free them; what is counted is there. */
static void check(void) {
        unsigned int n_free = 0, n_media = 0, n_waiting = 0, n_held = 0;

        for (unsigned int i = 0; i < NVME_SLOTS; i++)
                REQUIRE(nvme_slot_next(fuzz.image, i) == i || fuzz.image->slots[i].state == NVME_SLOT_FREE);
        for (unsigned int i = nvme_slot_next(fuzz.image, 0); i < NVME_SLOTS; i = nvme_slot_next(fuzz.image, i + 1)) {
                uint32_t s = fuzz.image->slots[i].state;

                n_free += s == NVME_SLOT_FREE;
                n_media += s == NVME_SLOT_MEDIA || s == NVME_SLOT_ORPHAN;
                n_waiting += (s == NVME_SLOT_MEDIA || s == NVME_SLOT_RESERVE) && fuzz.image->slots[i].sq_id != 0;
                REQUIRE(s != NVME_SLOT_FETCHED || fuzz.device->needs_resume);
        }
        for (unsigned int q = 0; q < NVME_QUEUES; q++) {
                const struct nvme_sq *sq = &fuzz.image->sqs[q];
                const struct nvme_cq *cq = &fuzz.image->cqs[q];

                n_held += cq->n_held;
                REQUIRE(sq->tail - sq->fetched < (sq->size ? sq->size : 1));
                REQUIRE(cq->posted - cq->consumed < (cq->size ? cq->size : 1));
        }
        if (fuzz.device->needs_resume)
                return;
        for (uint16_t i = fuzz.device->free_io.first; i != NVME_NONE; i = fuzz.device->commands[i].next)
                REQUIRE(n_free-- > 0);
        for (uint16_t i = fuzz.device->free_admin.first; i != NVME_NONE; i = fuzz.device->commands[i].next)
                REQUIRE(n_free-- > 0);
        REQUIRE(n_free == 0);
        REQUIRE(fuzz.device->n_media + fuzz.device->is_testing == fuzz.n_pending);
        REQUIRE(n_media + (fuzz.device->n_media > n_media) + fuzz.device->is_testing ==
                fuzz.n_pending); /* one may be the flush of a shutdown */
        REQUIRE(fuzz.device->n_inflight == n_waiting && fuzz.counters.inflight == n_waiting);
        REQUIRE(n_held <= NVME_SLOTS);
}

static void end(void) {
        struct nvme_sqe sqe = {.opcode = NVME_ADMIN_IDENTIFY, .cid = 0x1234, .prp1 = BASE + 20 * 4096, .cdw10 = 1};
        struct nvme_cqe cqe;

        fuzz.no_bus_master = false;
        fuzz.dma_generation++;
        host_run();
        check();
        host_answer();
        check();
        REQUIRE(fuzz.fenced == fuzz.fence || fuzz.device->fences == 0); /* nothing is waited for in vain */
        guest_write32(NVME_REG_CC, 0);
        host_run();
        /* A shutdown of a controller that was not enabled shows until it is. */
        REQUIRE((nvme_model.bar_read(fuzz.device, 0, NVME_REG_CSTS, 4) & ~NVME_CSTS_SHST_COMPLETE) == 0);
        for (unsigned int i = 0; i < NVME_SLOTS; i++)
                REQUIRE(fuzz.image->slots[i].state == NVME_SLOT_FREE);
        guest_enable();
        REQUIRE(nvme_model.bar_read(fuzz.device, 0, NVME_REG_CSTS, 4) == NVME_CSTS_RDY);
        guest_push(0, &sqe);
        memcpy(&cqe, fuzz_memory + 8 * 4096, sizeof(cqe));
        REQUIRE(cqe.cid == 0x1234 && cqe.status == 1);
        REQUIRE(fuzz_memory[20 * 4096] == 0xf4 && fuzz_memory[20 * 4096 + 1] == 0x1a);
        nvme_model.detach(fuzz.device);
        free(fuzz.image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        host_start(data, size);
        while (fuzz.size) {
                step();
                check();
        }
        end();
        return 0;
}
