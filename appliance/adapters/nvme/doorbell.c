/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Doorbells [3.1.24], [3.1.25]: registers; for I/O queues the shadow in the host's memory, once it is set up [5.7], [7.13]; or a
 * page of them that is mapped into the host. What is in memory is read anew at each look and checked like a register write.
 *
 * With a shadow the host rings only where a doorbell passes its EventIdx. The device stores the present value there before it
 * sleeps, and while it polls leaves it behind, where the host does not get to within half a round of the queue.
 */
#include <string.h>

#include "adapters/nvme/nvme.h"

/* [5.2] The error log entry is of no particular command. */
static void doorbell_invalid(struct nvme_device *device, unsigned int information) {
        const struct nvme_error_entry entry = {.sq_id = 0xffff, .cid = 0xffff, .location = NVME_NOWHERE};

        nvme_log_error(device, &entry);
        nvme_event_raise(device, NVME_EVENT_ERROR, information);
}

static void sq_doorbell(struct nvme_device *device, unsigned int q, uint32_t value) {
        struct nvme_sq *sq = &device->image->sqs[q];
        uint64_t added = nvme_place(value + sq->size - nvme_place(sq->tail, sq->size), sq->size);

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
        uint64_t read = nvme_place(value + cq->size - nvme_place(cq->consumed, cq->size), cq->size);

        if (read > cq->posted - cq->consumed) {
                doorbell_invalid(device, NVME_EVENT_ERROR_VALUE);
                return;
        }
        cq->consumed += read;
        if (cq->consumed == cq->posted)
                device->cq_nonempty &= ~(UINT64_C(1) << q);
}

static void take(struct nvme_device *device, unsigned int q, bool is_cq, uint32_t value) {
        uint32_t size = is_cq ? device->image->cqs[q].size : device->image->sqs[q].size;

        if (!size)
                doorbell_invalid(device, NVME_EVENT_ERROR_REGISTER);
        else if (value >= size)
                doorbell_invalid(device, NVME_EVENT_ERROR_VALUE);
        else if (is_cq)
                cq_doorbell(device, q, value);
        else
                sq_doorbell(device, q, value);
}

/* ---- memory ---- */

/* In one piece, else not at all. */
static void *map(struct nvme_device *device, uint64_t address, size_t length, enum vpc_direction direction) {
        struct iovec iov = {0};

        return device->host->dma_map(device->host->context, address, length, direction, &iov, 1) == 1 ? iov.iov_base : NULL;
}

void nvme_memory_check(struct nvme_device *device) {
        const uint64_t *generation = device->host->dma_generation;
        const struct nvme_shadow *shadow = &device->image->shadow;

        if (generation && *generation == device->memory.generation)
                return;
        device->memory = (struct nvme_memory){.generation = generation ? *generation : 0};
        if (!shadow->enabled)
                return;
        device->memory.shadow = map(device, shadow->doorbells, NVME_PAGE_SIZE, VPC_DMA_TO_DEVICE);
        device->memory.events = map(device, shadow->events, NVME_PAGE_SIZE, VPC_DMA_FROM_DEVICE);
        if (!device->memory.events)
                device->memory.shadow = NULL;
}

const struct nvme_sqe *nvme_sq_memory(struct nvme_device *device, unsigned int q) {
        struct nvme_memory *m = &device->memory;
        const struct nvme_sq *sq = &device->image->sqs[q];

        if (!m->sqs[q] && device->host->dma_generation && !(m->sqs_tried >> q & 1)) {
                m->sqs_tried |= UINT64_C(1) << q;
                m->sqs[q] = map(device, sq->base, sq->size * sizeof(struct nvme_sqe), VPC_DMA_TO_DEVICE);
        }
        return m->sqs[q];
}

uint64_t *nvme_cq_memory(struct nvme_device *device, unsigned int q) {
        struct nvme_memory *m = &device->memory;
        const struct nvme_cq *cq = &device->image->cqs[q];

        if (!m->cqs[q] && device->host->dma_generation && !(m->cqs_tried >> q & 1)) {
                m->cqs_tried |= UINT64_C(1) << q;
                m->cqs[q] = map(device, cq->base, cq->size * sizeof(struct nvme_cqe), VPC_DMA_FROM_DEVICE);
        }
        return m->cqs[q];
}

/* The doorbells in memory that count for a queue, NULL: its registers do. [5.7] the shadow is not of the admin queues */
static uint32_t *doorbells_of(const struct nvme_device *device, unsigned int q) {
        if (device->image->shadow.enabled && q)
                return device->memory.shadow;
        return device->host->doorbells;
}

static uint32_t load(const uint32_t *doorbells, unsigned int q, bool is_cq) {
        return __atomic_load_n(&doorbells[2 * q + is_cq], __ATOMIC_ACQUIRE);
}

static void store(uint32_t *doorbells, unsigned int q, bool is_cq, uint32_t value) {
        __atomic_store_n(&doorbells[2 * q + is_cq], value, __ATOMIC_RELEASE);
}

/* ---- EventIdx ---- */

/* Nothing that the host writes next passes this. */
static void leave_behind(struct nvme_device *device, unsigned int q, bool is_cq) {
        struct nvme_seen *seen = is_cq ? &device->cq_seen[q] : &device->sq_seen[q];
        uint32_t size = is_cq ? device->image->cqs[q].size : device->image->sqs[q].size;

        if (!q || !device->memory.events || seen->value >= size)
                return;
        seen->behind = seen->value;
        store(device->memory.events, q, is_cq, (seen->value ? seen->value : size) - 1);
}

static void follow(struct nvme_device *device, unsigned int q, bool is_cq) {
        const struct nvme_seen *seen = is_cq ? &device->cq_seen[q] : &device->sq_seen[q];
        uint32_t size = is_cq ? device->image->cqs[q].size : device->image->sqs[q].size;

        if (device->is_polling && nvme_place(seen->value + size - seen->behind, size) >= size / 2)
                leave_behind(device, q, is_cq);
}

/* Completion queues whose heads matter: for room in them, and where INTx falls when all is read. */
static uint64_t cqs_watched(const struct nvme_device *device) {
        const struct vpc_host *host = device->host;

        return device->cq_held | (host->irq_is_level && host->irq_is_level(host->context) ? device->cq_nonempty : 0);
}

/* The host rings when it writes the next value. */
static void arm(struct nvme_device *device, unsigned int q, bool is_cq) {
        store(device->memory.events, q, is_cq, is_cq ? device->cq_seen[q].value : device->sq_seen[q].value);
}

static void arm_all(struct nvme_device *device) {
        for (uint64_t set = device->sqs & ~UINT64_C(1); set; set &= set - 1)
                arm(device, (unsigned int)__builtin_ctzll(set), false);
        for (uint64_t set = cqs_watched(device) & ~UINT64_C(1); set; set &= set - 1)
                arm(device, (unsigned int)__builtin_ctzll(set), true);
}

/* ---- looking ---- */

/* The host has written the entry just before, so it is in another processor's cache: it comes while the doorbell is judged. */
static void expect_entry(const struct nvme_device *device, unsigned int q) {
        const struct nvme_sq *sq = &device->image->sqs[q];

        if (sq->size && device->memory.sqs[q])
                __builtin_prefetch(&device->memory.sqs[q][nvme_place(sq->fetched, sq->size)]);
}

static bool sq_look(struct nvme_device *device, unsigned int q) {
        uint32_t *doorbells = doorbells_of(device, q), value = 0;

        if (!doorbells)
                return false;
        value = load(doorbells, q, false);
        if (value == device->sq_seen[q].value)
                return false;
        device->sq_seen[q].value = value;
        expect_entry(device, q);
        take(device, q, false, value);
        if (device->memory.events && device->image->sqs[q].size)
                follow(device, q, false);
        return true;
}

static bool cq_look(struct nvme_device *device, unsigned int q) {
        uint32_t *doorbells = doorbells_of(device, q), value = 0;

        if (!doorbells)
                return false;
        value = load(doorbells, q, true);
        if (value == device->cq_seen[q].value)
                return false;
        device->cq_seen[q].value = value;
        take(device, q, true, value);
        if (device->memory.events && device->image->cqs[q].size)
                follow(device, q, true);
        return true;
}

void nvme_cq_look(struct nvme_device *device, unsigned int q) {
        cq_look(device, q);
}

static bool look(struct nvme_device *device) {
        bool found = false;

        for (uint64_t set = device->sqs; set; set &= set - 1)
                found |= sq_look(device, (unsigned int)__builtin_ctzll(set));
        for (uint64_t set = cqs_watched(device); set; set &= set - 1)
                found |= cq_look(device, (unsigned int)__builtin_ctzll(set));
        return found;
}

bool nvme_poll(struct nvme_device *device) {
        const bool was_polling = device->is_polling;
        bool found = false;

        if (!nvme_is_ready(device) || device->needs_resume)
                return false;
        nvme_memory_check(device);
        device->is_polling = true;
        found = look(device) || device->has_more;
        for (uint64_t set = was_polling ? 0 : device->sqs; set; set &= set - 1)
                leave_behind(device, (unsigned int)__builtin_ctzll(set), false);
        if (found)
                nvme_event_end(device);
        return found;
}

bool nvme_poll_stop(struct nvme_device *device) {
        bool is_shadow = false;

        nvme_memory_check(device);
        is_shadow = nvme_is_ready(device) && device->memory.shadow;
        device->is_polling = false; /* what is left behind now must be left behind anew */
        if (nvme_is_ready(device) && device->host->doorbells)
                return false;
        if (is_shadow)
                arm_all(device);
        /* [7.13] A host that wrote a doorbell before it could read EventIdx is seen now, one that did after rings. */
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        if (!is_shadow || !look(device))
                return true;
        nvme_event_end(device);
        return false;
}

void nvme_poll_start(struct nvme_device *device) {
        if (device->host->poll_start && (device->image->shadow.enabled || device->host->doorbells) && nvme_is_ready(device))
                device->host->poll_start(device->host->context);
}

/* ---- registers ---- */

/*
 * Where doorbells are in memory, a register write only says that there is something: its value may be older than what was found
 * there before. A host that has the page but not mapped it is the exception, for which the write goes into the page.
 */
void nvme_doorbell(struct nvme_device *device, uint64_t offset, uint32_t value) {
        uint64_t i = (offset - NVME_REG_DOORBELLS) / 4, q = i / 2;
        bool is_cq = i & 1;

        if (!nvme_is_ready(device))
                return;
        if (q >= NVME_QUEUES || !(is_cq ? device->image->cqs[q].size : device->image->sqs[q].size)) {
                doorbell_invalid(device, NVME_EVENT_ERROR_REGISTER);
        } else if (device->image->shadow.enabled && q) {
                if (is_cq)
                        cq_look(device, (unsigned int)q);
                else
                        sq_look(device, (unsigned int)q);
        } else {
                if (device->host->doorbells) {
                        store(device->host->doorbells, (unsigned int)q, is_cq, value);
                        (is_cq ? device->cq_seen : device->sq_seen)[q].value = value;
                }
                take(device, (unsigned int)q, is_cq, value);
        }
        nvme_poll_start(device);
}

/* ---- queues come and go ---- */

void nvme_doorbells_init(struct nvme_device *device, unsigned int q, bool is_cq) {
        const struct nvme_sq *sq = &device->image->sqs[q];
        const struct nvme_cq *cq = &device->image->cqs[q];
        uint32_t value = (uint32_t)(is_cq ? cq->consumed % cq->size : sq->tail % sq->size);

        (is_cq ? device->cq_seen : device->sq_seen)[q] = (struct nvme_seen){value, value};
        if (is_cq) {
                device->memory.cqs[q] = NULL;
                device->memory.cqs_tried &= ~(UINT64_C(1) << q);
        } else {
                device->memory.sqs[q] = NULL;
                device->memory.sqs_tried &= ~(UINT64_C(1) << q);
                device->sqs |= UINT64_C(1) << q;
        }
        if (device->host->doorbells)
                store(device->host->doorbells, q, is_cq, value);
        if (device->image->shadow.enabled && device->memory.shadow && q) {
                store(device->memory.shadow, q, is_cq, value);
                if (device->is_polling)
                        leave_behind(device, q, is_cq);
                else
                        arm(device, q, is_cq);
        }
}

/* The queue is of a process that was killed: what the host has written since is in memory, and is found at the next look. */
void nvme_doorbells_resume(struct nvme_device *device, unsigned int q, bool is_cq) {
        const struct nvme_sq *sq = &device->image->sqs[q];
        const struct nvme_cq *cq = &device->image->cqs[q];
        uint32_t value = (uint32_t)(is_cq ? cq->consumed % cq->size : sq->tail % sq->size);

        (is_cq ? device->cq_seen : device->sq_seen)[q] = (struct nvme_seen){value, value};
        if (!is_cq)
                device->sqs |= UINT64_C(1) << q;
}

void nvme_doorbells_clear(struct nvme_device *device) {
        device->sqs = 0;
        device->is_polling = false;
        device->image->shadow = (struct nvme_shadow){0};
        device->memory = (struct nvme_memory){.generation = device->memory.generation};
        if (device->host->doorbells)
                memset(device->host->doorbells, 0, (size_t)NVME_QUEUES * 2 * sizeof(uint32_t));
}

/* [5.7] The values of queues that are at work are written there, for a host that does not begin with empty ones. */
uint32_t nvme_doorbell_buffer(struct nvme_command *command) {
        struct nvme_device *device = command->device;
        const struct nvme_sqe *sqe = &nvme_slot(command)->sqe;
        struct nvme_shadow *shadow = &device->image->shadow;
        uint32_t *doorbells = NULL;

        if (device->host->doorbells) /* not offered: OACS */
                return NVME_ERROR(NVME_SC_INVALID_OPCODE | NVME_DNR, 0);
        if (sqe->prp1 % NVME_PAGE_SIZE || !(doorbells = map(device, sqe->prp1, NVME_PAGE_SIZE, VPC_DMA_FROM_DEVICE)) ||
            !map(device, sqe->prp1, NVME_PAGE_SIZE, VPC_DMA_TO_DEVICE))
                return NVME_INVALID_FIELD(24);
        if (sqe->prp2 % NVME_PAGE_SIZE || sqe->prp1 == sqe->prp2 || !map(device, sqe->prp2, NVME_PAGE_SIZE, VPC_DMA_FROM_DEVICE))
                return NVME_INVALID_FIELD(32);
        for (unsigned int q = 1; q < NVME_QUEUES; q++) {
                const struct nvme_sq *sq = &device->image->sqs[q];
                const struct nvme_cq *cq = &device->image->cqs[q];

                if (sq->size)
                        store(doorbells, q, false, device->sq_seen[q].value = (uint32_t)(sq->tail % sq->size));
                if (cq->size)
                        store(doorbells, q, true, device->cq_seen[q].value = (uint32_t)(cq->consumed % cq->size));
        }
        *shadow = (struct nvme_shadow){.doorbells = sqe->prp1, .events = sqe->prp2, .enabled = 1};
        device->memory = (struct nvme_memory){.generation = device->memory.generation - 1}; /* look up anew */
        nvme_memory_check(device);
        device->is_polling = false;
        arm_all(device);
        nvme_poll_start(device);
        return 0;
}
