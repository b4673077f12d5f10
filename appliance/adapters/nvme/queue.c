/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Queues at work: doorbells, fetching in turn, posting completions, interrupts. */
#include <errno.h>

#include "adapters/nvme/nvme.h"

/* Commands fetched in one event; the rest waits for the next turn of the event loop, so that no server holds it up. */
#define FETCH_BUDGET 64

void nvme_sq_init(struct nvme_sq *sq, uint64_t base, uint32_t size, uint16_t cq_id) {
        *sq = (struct nvme_sq){.base = base, .cq_id = cq_id};
        __atomic_store_n(&sq->size, size, __ATOMIC_RELEASE); /* last: with it there is a queue, for whoever comes next too */
}

void nvme_cq_init(struct nvme_cq *cq, uint64_t base, uint32_t size, uint16_t vector, bool interrupts) {
        *cq = (struct nvme_cq){.base = base, .vector = vector, .interrupts = interrupts};
        __atomic_store_n(&cq->size, size, __ATOMIC_RELEASE);
}

/* [5.2] The error log entry is of no particular command. */
static void doorbell_invalid(struct nvme_device *device, unsigned int information) {
        const struct nvme_error_entry entry = {.sq_id = 0xffff, .cid = 0xffff, .location = NVME_NOWHERE};

        nvme_log_error(device, &entry);
        nvme_event_raise(device, NVME_EVENT_ERROR, information);
}

static void sq_doorbell(struct nvme_device *device, unsigned int q, uint32_t value) {
        struct nvme_sq *sq = &device->image->sqs[q];
        uint64_t added = (value + sq->size - sq->tail % sq->size) % sq->size;

        if (sq->deleting)
                return;
        /* One entry stays empty [4.1.2]. */
        if (sq->tail - sq->fetched + added >= sq->size) {
                doorbell_invalid(device, NVME_EVENT_ERROR_VALUE);
                return;
        }
        sq->tail += added;
        device->pending |= UINT64_C(1) << q;
}

static void cq_doorbell(struct nvme_device *device, unsigned int q, uint32_t value) {
        struct nvme_cq *cq = &device->image->cqs[q];
        uint64_t read = (value + cq->size - cq->consumed % cq->size) % cq->size;

        if (read > cq->posted - cq->consumed) {
                doorbell_invalid(device, NVME_EVENT_ERROR_VALUE);
                return;
        }
        cq->consumed += read;
        if (cq->consumed == cq->posted)
                device->cq_nonempty &= ~(UINT64_C(1) << q);
}

void nvme_doorbell(struct nvme_device *device, uint64_t offset, uint32_t value) {
        uint64_t i = (offset - NVME_REG_DOORBELLS) / 4, q = i / 2;
        bool is_cq = i & 1;

        if (!nvme_is_ready(device))
                return;
        uint32_t size = q >= NVME_QUEUES ? 0 : is_cq ? device->image->cqs[q].size : device->image->sqs[q].size;
        if (!size)
                doorbell_invalid(device, NVME_EVENT_ERROR_REGISTER);
        else if (value >= size)
                doorbell_invalid(device, NVME_EVENT_ERROR_VALUE);
        else if (is_cq)
                cq_doorbell(device, (unsigned int)q, value);
        else
                sq_doorbell(device, (unsigned int)q, value);
}

/*
 * Write one completion; -EAGAIN: no room, or the device may not write now. The phase tag goes last, in one store with what is
 * left of the entry: the host may look at any time [4.6].
 */
static int post_one(struct nvme_device *device, struct nvme_slot *slot, unsigned int cq_id) {
        const struct nvme_sq *sq = &device->image->sqs[slot->sq_id];
        struct nvme_cq *cq = &device->image->cqs[cq_id];
        struct iovec iov = {0};

        if (cq->posted - cq->consumed >= cq->size - 1)
                return -EAGAIN;
        int r = device->host->dma_map(device->host->context, cq->base + cq->posted % cq->size * sizeof(struct nvme_cqe),
                                      sizeof(struct nvme_cqe), VPC_DMA_FROM_DEVICE, &iov, 1);
        if (r < 0)
                return r == -EPERM ? -EAGAIN : r;
        union {
                struct nvme_cqe cqe;
                uint64_t words[2];
        } entry = {.cqe = {.result = slot->result,
                           .sq_head = (uint16_t)(sq->fetched % sq->size),
                           .sq_id = slot->sq_id,
                           .cid = slot->sqe.cid,
                           .status = (uint16_t)((slot->outcome & 0x7fff) << 1 | (cq->posted / cq->size % 2 == 0))}};
        uint64_t *words = iov.iov_base;
        __atomic_store_n(&slot->posted, cq->posted, __ATOMIC_RELEASE);
        __atomic_store_n(&words[0], entry.words[0], __ATOMIC_RELAXED);
        __atomic_store_n(&words[1], entry.words[1], __ATOMIC_RELEASE);
        __atomic_store_n(&cq->posted, slot->posted + 1, __ATOMIC_RELEASE);
        if (cq->interrupts) {
                device->irq_pending |= UINT64_C(1) << cq->vector;
                device->cq_nonempty |= UINT64_C(1) << cq_id;
        }
        return 0;
}

static void hold(struct nvme_device *device, struct nvme_command *command, unsigned int cq_id) {
        nvme_list_append(device, &device->held[cq_id], command);
        device->image->cqs[cq_id].n_held++;
        device->cq_held |= UINT64_C(1) << cq_id;
}

void nvme_post(struct nvme_command *command) {
        struct nvme_device *device = command->device;
        struct nvme_slot *slot = nvme_slot(command);
        unsigned int cq_id = device->image->sqs[slot->sq_id].cq_id;

        if (device->image->registers.csts & NVME_CSTS_CFS) /* the slot is freed by the reset that must follow */
                return;
        if (device->image->cqs[cq_id].n_held) {
                hold(device, command, cq_id);
                return;
        }
        int r = post_one(device, slot, cq_id);
        if (r == 0)
                nvme_slot_free(command);
        else if (r == -EAGAIN)
                hold(device, command, cq_id);
        else
                nvme_fatal(device, "completion queue is not in memory", r);
}

static void post_held(struct nvme_device *device, unsigned int cq_id) {
        struct nvme_list *list = &device->held[cq_id];

        while (list->first != NVME_NONE) {
                struct nvme_command *command = &device->commands[list->first];
                int r = post_one(device, nvme_slot(command), cq_id);

                if (r == -EAGAIN)
                        return;
                if (r < 0) {
                        nvme_fatal(device, "completion queue is not in memory", r);
                        return;
                }
                nvme_list_take(device, list);
                device->image->cqs[cq_id].n_held--;
                nvme_slot_free(command);
        }
        device->cq_held &= ~(UINT64_C(1) << cq_id);
}

void nvme_post_held(struct nvme_device *device) {
        for (uint64_t set = device->cq_held; set && nvme_is_ready(device); set &= set - 1)
                post_held(device, (unsigned int)__builtin_ctzll(set));
}

void nvme_held_drop(struct nvme_device *device, unsigned int sq_id) {
        unsigned int cq_id = device->image->sqs[sq_id].cq_id;
        struct nvme_list list = device->held[cq_id];
        struct nvme_command *command;

        device->held[cq_id] = (struct nvme_list){NVME_NONE, NVME_NONE};
        device->image->cqs[cq_id].n_held = 0;
        device->cq_held &= ~(UINT64_C(1) << cq_id);
        while ((command = nvme_list_take(device, &list))) {
                if (nvme_slot(command)->sq_id == sq_id)
                        nvme_slot_free(command);
                else
                        hold(device, command, cq_id);
        }
}

static bool can_fetch(const struct nvme_device *device) {
        return nvme_is_ready(device) && !(device->image->registers.csts & NVME_CSTS_SHST_MASK);
}

/* Copy one command; false: not now. */
static bool fetch_one(struct nvme_device *device, unsigned int q) {
        struct nvme_sq *sq = &device->image->sqs[q];
        struct nvme_command *command = nvme_slot_take(device, q);

        if (!command)
                return false;
        struct nvme_slot *slot = nvme_slot(command);
        int r = device->host->dma_read(device->host->context, sq->base + sq->fetched % sq->size * sizeof(struct nvme_sqe),
                                       &slot->sqe, sizeof(slot->sqe));
        if (r < 0) {
                nvme_slot_free(command);
                if (r != -EPERM) /* without Bus Master Enable the commands wait */
                        nvme_fatal(device, "submission queue is not in memory", r);
                return false;
        }
        slot->sq_id = (uint16_t)q;
        slot->fetched = sq->fetched + 1;
        slot->resumed = 0;
        /* From here on the command is this slot's, whatever becomes of this process; the count follows it (resume.c). */
        __atomic_store_n(&slot->state, NVME_SLOT_FETCHED, __ATOMIC_RELEASE);
        __atomic_store_n(&sq->fetched, slot->fetched, __ATOMIC_RELEASE);
        if (q == 0) {
                nvme_admin_execute(command);
                return true;
        }
        slot->start_ns = nvme_clock(device);
        if (device->n_inflight++ == 0)
                device->busy_since = slot->start_ns;
        __atomic_store_n(&device->counters->inflight, device->n_inflight, __ATOMIC_RELAXED);
        nvme_io_execute(command);
        return true;
}

/* Returns how many commands were fetched; the queue stays pending where there are more. */
static unsigned int fetch_queue(struct nvme_device *device, unsigned int q, unsigned int max) {
        struct nvme_sq *sq = &device->image->sqs[q];
        unsigned int n = 0;

        while (n < max && sq->fetched != sq->tail && !sq->deleting && can_fetch(device) &&
               !device->image->cqs[sq->cq_id].n_held && fetch_one(device, q))
                n++;
        if (sq->fetched == sq->tail)
                device->pending &= ~(UINT64_C(1) << q);
        return n;
}

/* The next set bit after `last`, round the end. */
static unsigned int next_queue(uint64_t set, unsigned int last) {
        uint64_t above = last >= NVME_QUEUES - 1 ? 0 : set & (UINT64_MAX << (last + 1));

        return (unsigned int)__builtin_ctzll(above ? above : set);
}

/* [4.13.1] round robin, with the arbitration burst that the host has set [5.21.1.1]. */
void nvme_fetch(struct nvme_device *device) {
        unsigned int burst_log2 = device->image->features[NVME_FEAT_ARBITRATION] & 7;
        unsigned int burst = burst_log2 == 7 ? FETCH_BUDGET : 1u << burst_log2;
        unsigned int budget = FETCH_BUDGET;
        bool progress = true;

        while (progress && budget && device->pending && can_fetch(device)) {
                uint64_t round = device->pending;

                progress = false;
                while (round && budget) {
                        unsigned int q = next_queue(round, device->last_sq);
                        unsigned int n = fetch_queue(device, q, burst < budget ? burst : budget);

                        round &= ~(UINT64_C(1) << q);
                        budget -= n;
                        device->last_sq = q;
                        progress = progress || n;
                }
        }
        if (!budget && device->pending && can_fetch(device))
                device->host->timer(device->host->context, 0);
}

/* [7.5.1] INTx is a level: some completion queue has entries that the host has not read. The host ignores what it is not set to.
 */
void nvme_irq_update(struct nvme_device *device) {
        /* [3.1.3] Bit n holds back vector n of MSI, bit 0 the pin; with MSI-X the host leaves the register alone. */
        const uint64_t masked = device->irq_pending & device->image->registers.intms;
        uint64_t vectors = device->irq_pending & ~masked;
        bool level = device->cq_nonempty && !(device->image->registers.intms & 1);

        device->irq_pending = masked;
        for (; vectors; vectors &= vectors - 1)
                device->host->irq_raise(device->host->context, (unsigned int)__builtin_ctzll(vectors));
        if (level != device->irq_level || !device->irq_level_told) {
                device->irq_level = level;
                device->irq_level_told = true;
                device->host->irq_level(device->host->context, level);
        }
}
