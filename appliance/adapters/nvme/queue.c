/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Queues at work: fetching in turn, posting completions. */
#include <errno.h>
#include <string.h>

#include "adapters/nvme/nvme.h"

/* Commands fetched in one event; the rest waits for the next turn of the event loop, so that no server holds it up. */
#define FETCH_BUDGET 64
#define PREFETCH 2
#define BATCH 8      /* commands that are copied before the first of them is executed */
#define POST_BATCH 8 /* completions: two lines of most caches */

void nvme_sq_init(struct nvme_sq *sq, uint64_t base, uint32_t size, uint16_t cq_id) {
        *sq = (struct nvme_sq){.base = base, .cq_id = cq_id};
        __atomic_store_n(&sq->size, size, __ATOMIC_RELEASE); /* last: with it there is a queue, for whoever comes next too */
}

void nvme_cq_init(struct nvme_cq *cq, uint64_t base, uint32_t size, uint16_t vector, bool interrupts) {
        *cq = (struct nvme_cq){.base = base, .vector = vector, .interrupts = interrupts};
        __atomic_store_n(&cq->size, size, __ATOMIC_RELEASE);
}

/* Where the next completion goes. */
static int entry_map(struct nvme_device *device, unsigned int cq_id, uint64_t **ret_words) {
        const struct nvme_cq *cq = &device->image->cqs[cq_id];
        uint64_t *all = nvme_cq_memory(device, cq_id), i = nvme_place(cq->posted, cq->size);
        struct iovec iov = {0};

        if (all) {
                *ret_words = all + i * 2;
                return 0;
        }
        int r = device->host->dma_map(device->host->context, cq->base + i * sizeof(struct nvme_cqe), sizeof(struct nvme_cqe),
                                      VPC_DMA_FROM_DEVICE, &iov, 1);
        if (r >= 0)
                *ret_words = iov.iov_base;
        return r;
}

/*
 * Write one completion; -EAGAIN: no room, or the device may not write now. The phase tag goes last, in one store with what is
 * left of the entry: the host may look at any time [4.6].
 */
static int post_one(struct nvme_device *device, struct nvme_slot *slot, unsigned int cq_id) {
        const struct nvme_sq *sq = &device->image->sqs[slot->sq_id];
        struct nvme_cq *cq = &device->image->cqs[cq_id];
        uint64_t *words = NULL;

        if (cq->posted - cq->consumed >= cq->size - 1)
                nvme_cq_look(device, cq_id);
        if (cq->posted - cq->consumed >= cq->size - 1)
                return -EAGAIN;
        int r = entry_map(device, cq_id, &words);
        if (r < 0)
                return r == -EPERM ? -EAGAIN : r;
        union {
                struct nvme_cqe cqe;
                uint64_t words[2];
        } entry = {.cqe = {.result = slot->result,
                           .sq_head = (uint16_t)nvme_place(sq->fetched, sq->size),
                           .sq_id = slot->sq_id,
                           .cid = slot->sqe.cid,
                           .status = (uint16_t)(nvme_status(slot->outcome) << 1 | nvme_phase(cq->posted, cq->size))}};
        __atomic_store_n(&slot->posted, cq->posted, __ATOMIC_RELEASE);
        __atomic_store_n(&words[0], entry.words[0], __ATOMIC_RELAXED);
        __atomic_store_n(&words[1], entry.words[1], __ATOMIC_RELEASE);
        __atomic_store_n(&cq->posted, slot->posted + 1, __ATOMIC_RELEASE);
        if (cq->interrupts)
                nvme_irq_note(device, cq_id, slot->outcome != 0);
        return 0;
}

static void hold(struct nvme_device *device, struct nvme_command *command, unsigned int cq_id) {
        nvme_list_append(device, &device->held[cq_id], command);
        device->image->cqs[cq_id].n_held++;
        device->cq_held |= UINT64_C(1) << cq_id;
}

static void post_now(struct nvme_command *command) {
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

static void post_done(struct nvme_device *device) {
        struct nvme_command *command = NULL;

        device->n_done = 0;
        while ((command = nvme_list_take(device, &device->done)))
                post_now(command);
}

/* Completions of commands that end while others are fetched go together: each write to a line that the host is looking at waits
 * for the line to come from its processor. */
void nvme_post(struct nvme_command *command) {
        struct nvme_device *device = command->device;

        if (!device->is_fetching || !nvme_slot(command)->sq_id) {
                post_now(command);
                return;
        }
        nvme_list_append(device, &device->done, command);
        if (++device->n_done >= POST_BATCH)
                post_done(device);
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

/* Once: the host may change it at any time. */
static int entry_copy(struct nvme_device *device, unsigned int q, struct nvme_sqe *ret_sqe) {
        const struct nvme_sq *sq = &device->image->sqs[q];
        const struct nvme_sqe *all = nvme_sq_memory(device, q);
        const uint64_t i = nvme_place(sq->fetched, sq->size);

        if (all) {
                memcpy(ret_sqe, &all[i], sizeof(*ret_sqe));
                if (sq->tail - sq->fetched > PREFETCH) /* the host has just written it: it is in another processor's cache */
                        __builtin_prefetch(&all[nvme_place(i + PREFETCH, sq->size)]);
                return 0;
        }
        return device->host->dma_read(device->host->context, sq->base + i * sizeof(*ret_sqe), ret_sqe, sizeof(*ret_sqe));
}

/* Copy one command; NULL: not now. */
static struct nvme_command *fetch_one(struct nvme_device *device, unsigned int q) {
        struct nvme_sq *sq = &device->image->sqs[q];
        struct nvme_command *command = nvme_slot_take(device, q);

        if (!command)
                return NULL;
        struct nvme_slot *slot = nvme_slot(command);
        int r = entry_copy(device, q, &slot->sqe);
        if (r < 0) {
                nvme_slot_free(command);
                if (r != -EPERM) /* without Bus Master Enable the commands wait */
                        nvme_fatal(device, "submission queue is not in memory", r);
                return NULL;
        }
        slot->sq_id = (uint16_t)q;
        slot->fetched = sq->fetched + 1;
        slot->resumed = 0;
        /*
         * From here on the command is this slot's, whatever becomes of this process; the count follows it (resume.c). Until it is
         * begun it counts as one that waits: it is not to blame for the end of a process.
         */
        __atomic_store_n(&slot->state, NVME_SLOT_MEDIA, __ATOMIC_RELEASE);
        __atomic_store_n(&sq->fetched, slot->fetched, __ATOMIC_RELEASE);
        return command;
}

/* The clock is read once for all that one event brings. */
static void fetch_begin(struct nvme_device *device) {
        if (!device->fetch_start)
                device->fetch_start = nvme_clock(device);
}

static unsigned int fetch_admin(struct nvme_device *device) {
        struct nvme_command *command = fetch_one(device, 0);

        if (!command)
                return 0;
        fetch_begin(device);
        post_done(device); /* before queues go */
        __atomic_store_n(&nvme_slot(command)->state, NVME_SLOT_FETCHED, __ATOMIC_RELEASE);
        nvme_admin_execute(command);
        nvme_media_ended(device); /* a format of a medium that is memory */
        return 1;
}

/* Several commands are copied first, and then executed: while one's data is copied, that of the next comes from memory. */
static unsigned int fetch_batch(struct nvme_device *device, unsigned int q, unsigned int max) {
        struct nvme_sq *sq = &device->image->sqs[q];
        struct nvme_command *batch[BATCH];
        unsigned int n = 0;

        while (n < max && n < BATCH && sq->fetched != sq->tail && (batch[n] = fetch_one(device, q)))
                nvme_io_expect(batch[n++]);
        fetch_begin(device); /* while their data comes from memory */
        for (unsigned int i = 0; i < n; i++)
                nvme_slot(batch[i])->start_ns = device->now;
        if (n && device->n_inflight == 0)
                device->busy_since = device->now;
        device->n_inflight += n;
        __atomic_store_n(&device->counters->inflight, device->n_inflight, __ATOMIC_RELAXED);
        for (unsigned int i = 0; i < n; i++) {
                __atomic_store_n(&nvme_slot(batch[i])->state, NVME_SLOT_FETCHED, __ATOMIC_RELEASE);
                nvme_io_execute(batch[i]);
                nvme_media_ended(device);
        }
        return n;
}

/* Returns how many commands were fetched; the queue stays pending where there are more. */
static unsigned int fetch_queue(struct nvme_device *device, unsigned int q, unsigned int max) {
        struct nvme_sq *sq = &device->image->sqs[q];
        unsigned int n = 0, more = 1;

        while (more && n < max && sq->fetched != sq->tail && !sq->deleting && can_fetch(device) &&
               !device->image->cqs[sq->cq_id].n_held) {
                more = q ? fetch_batch(device, q, max - n) : fetch_admin(device);
                n += more;
        }
        if (sq->fetched == sq->tail)
                device->pending &= ~(UINT64_C(1) << q);
        return n;
}

/* The next set bit after `last`, round the end. */
static unsigned int next_queue(uint64_t set, unsigned int last) {
        uint64_t above = last >= NVME_QUEUES - 1 ? 0 : set & (UINT64_MAX << (last + 1));

        return (unsigned int)__builtin_ctzll(above ? above : set);
}

/* Commands that end within their submission are done one after the other: their times add up to the time of all. What has ended
 * before anything was fetched is counted already. */
static void count_ended(struct nvme_device *device) {
        uint64_t took = device->fetch_start ? nvme_clock(device) - device->fetch_start : 0;

        device->has_ended = false;
        nvme_count(&device->counters->busy_ns, took);
        if (!device->n_inflight)
                device->image->life.busy_ns += took;
}

/* [4.13.1] round robin, with the arbitration burst that the host has set [5.21.1.1]. */
void nvme_fetch(struct nvme_device *device) {
        unsigned int burst_log2 = device->image->features[NVME_FEAT_ARBITRATION] & 7;
        unsigned int burst = burst_log2 == 7 ? FETCH_BUDGET : 1u << burst_log2;
        unsigned int budget = FETCH_BUDGET;
        bool progress = true;

        device->fetch_start = 0;
        device->is_fetching = true;
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
        post_done(device);
        device->is_fetching = false;
        if (device->has_ended)
                count_ended(device);
        device->has_more = !budget && device->pending && can_fetch(device);
        if (device->has_more && !device->is_polling)
                nvme_timer_need(device, device->now);
}
