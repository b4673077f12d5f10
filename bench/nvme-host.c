/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The NVMe host: connection and registers, queues, the initialisation of NVMe 1.4 section 7.6.1. */
#include "bench/nvme-host.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "bench/measure.h"
#include "util.h"

#define TIMEOUT_MS 5000
#define ADMIN_ENTRIES 32
#define BAR0 0
#define CONFIG VFIO_PCI_CONFIG_REGION_INDEX
#define PCI_COMMAND 0x04
/* NVMe 1.4 sections 3.1.5 and 3.1.6 */
#define CC_ENABLED (4u << 20 | 6u << 16 | 1u)
#define CC_SHUTDOWN (1u << 14)
#define CSTS_READY 1u
#define CSTS_FATAL 2u
#define CSTS_SHUTDOWN 0xcu
#define CSTS_SHUTDOWN_DONE 0x8u

_Static_assert(sizeof(struct nvme_host_command) == 64, "submission queue entry");
_Static_assert(sizeof(struct nvme_host_completion) == 16, "completion queue entry");

int nvme_host_read32(struct nvme_host *h, uint64_t offset, uint32_t *ret_value) {
        return vfio_user_client_read(h->client, BAR0, offset, ret_value, sizeof(*ret_value));
}

int nvme_host_read64(struct nvme_host *h, uint64_t offset, uint64_t *ret_value) {
        return vfio_user_client_read(h->client, BAR0, offset, ret_value, sizeof(*ret_value));
}

int nvme_host_write32(struct nvme_host *h, uint64_t offset, uint32_t value) {
        return vfio_user_client_write(h->client, BAR0, offset, &value, sizeof(value), false);
}

int nvme_host_write64(struct nvme_host *h, uint64_t offset, uint64_t value) {
        return vfio_user_client_write(h->client, BAR0, offset, &value, sizeof(value), false);
}

int nvme_host_doorbell(struct nvme_host *h, unsigned int queue, bool is_cq, uint32_t value) {
        uint64_t offset = 0x1000 + (uint64_t)(2 * queue + is_cq) * h->doorbell_stride;
        unsigned int i = 2 * queue + is_cq;

        if (h->page) {
                __atomic_store_n(&h->page[i], value, __ATOMIC_RELEASE);
                return 0;
        }
        if (h->shadow && queue) {
                uint32_t old = h->shadow[i], event;

                __atomic_store_n(&h->shadow[i], value, __ATOMIC_RELEASE);
                __atomic_thread_fence(__ATOMIC_SEQ_CST);
                event = __atomic_load_n(&h->events[i], __ATOMIC_RELAXED);
                if ((uint16_t)(value - event - 1) >= (uint16_t)(value - old))
                        return 0;
        }
        h->n_rings++;
        return vfio_user_client_write(h->client, BAR0, offset, &value, sizeof(value), true);
}

void *nvme_host_alloc(struct nvme_host *h, size_t size, uint64_t *ret_iova) {
        size = (size + NVME_HOST_PAGE - 1) & ~(size_t)(NVME_HOST_PAGE - 1);
        if (size > h->memory_size - h->memory_used)
                return NULL;
        void *p = h->memory + h->memory_used;
        *ret_iova = NVME_HOST_IOVA + h->memory_used;
        h->memory_used += size;
        return p;
}

void nvme_host_put(struct nvme_host_queue *q, const struct nvme_host_command *command) {
        q->sq[q->tail] = *command;
        q->tail = (q->tail + 1) % q->entries;
}

int nvme_host_ring(struct nvme_host *h, struct nvme_host_queue *q) {
        if (q->tail == q->rung_tail)
                return 0;
        q->rung_tail = q->tail;
        return nvme_host_doorbell(h, q->id, false, q->tail);
}

int nvme_host_take(struct nvme_host_queue *q, struct nvme_host_completion *ret_completion) {
        volatile struct nvme_host_completion *entry = &q->cq[q->head];
        uint16_t status = __atomic_load_n(&entry->status, __ATOMIC_ACQUIRE);

        if ((status & 1u) != q->phase)
                return 0;
        *ret_completion = (struct nvme_host_completion){.dw0 = entry->dw0,
                                                        .dw1 = entry->dw1,
                                                        .sq_head = entry->sq_head,
                                                        .sq_id = entry->sq_id,
                                                        .cid = entry->cid,
                                                        .status = status};
        q->head = (q->head + 1) % q->entries;
        if (q->head == 0)
                q->phase ^= 1;
        return 1;
}

int nvme_host_ack(struct nvme_host *h, struct nvme_host_queue *q) {
        if (q->head == q->rung_head)
                return 0;
        q->rung_head = q->head;
        return nvme_host_doorbell(h, q->id, true, q->head);
}

static bool has_completion(const struct nvme_host_queue *q) {
        return (__atomic_load_n(&q->cq[q->head].status, __ATOMIC_ACQUIRE) & 1u) == q->phase;
}

/* The connection is watched too: whoever waits for a device that is gone waits in vain. */
static int sleep_until_interrupt(struct nvme_host *h, struct nvme_host_queue *q) {
        struct pollfd p[] = {{.fd = q->eventfd, .events = POLLIN}, {.fd = vfio_user_client_fd(h->client)}};
        uint64_t count;
        int r = poll(p, ARRAY_LENGTH(p), (int)h->patience_ms);

        if (r == 0)
                return -ETIMEDOUT;
        if (r > 0 && p[1].revents)
                return -ECONNRESET;
        if ((r < 0 || read(q->eventfd, &count, sizeof(count)) < 0) && errno != EINTR)
                return -errno;
        return 0;
}

static int spin(struct nvme_host *h, const struct nvme_host_queue *q) {
        struct pollfd p = {.fd = vfio_user_client_fd(h->client)};

        for (unsigned int i = 0; i < 20000 && !has_completion(q); i++)
#if defined(__x86_64__) || defined(__i386__)
                __builtin_ia32_pause();
#else
                __asm__ volatile("" ::: "memory");
#endif
        if (has_completion(q))
                return 0;
        sched_yield(); /* whoever it waits for may have to have this very processor */
        return poll(&p, 1, 0) > 0 && !has_completion(q) ? -ECONNRESET : 0;
}

int nvme_host_wait(struct nvme_host *h, struct nvme_host_queue *q) {
        uint64_t deadline = measure_ns() + h->patience_ms * UINT64_C(1000000);

        while (!has_completion(q)) {
                int r = q->eventfd >= 0 ? sleep_until_interrupt(h, q) : spin(h, q);

                if (r < 0)
                        return r;
                if (measure_ns() > deadline && !has_completion(q))
                        return -ETIMEDOUT;
        }
        return 0;
}

int nvme_host_run(struct nvme_host *h, struct nvme_host_queue *q, struct nvme_host_command *command,
                  struct nvme_host_completion *ret_completion) {
        int r;

        command->cid = (uint16_t)q->tail;
        nvme_host_put(q, command);
        if ((r = nvme_host_ring(h, q)) < 0 || (r = nvme_host_wait(h, q)) < 0)
                return r;
        nvme_host_take(q, ret_completion);
        if (ret_completion->cid != command->cid)
                return -EPROTO;
        return nvme_host_ack(h, q);
}

static int admin(struct nvme_host *h, struct nvme_host_command *command, const char *what) {
        struct nvme_host_completion c = {0};
        int r = nvme_host_run(h, &h->admin, command, &c);

        if (r >= 0 && NVME_HOST_STATUS(&c) == 0)
                return 0;
        fprintf(stderr, "%s: %s, status 0x%x\n", what, r < 0 ? strerror(-r) : "failed", NVME_HOST_STATUS(&c));
        return r < 0 ? r : -EIO;
}

static int queue_alloc(struct nvme_host *h, struct nvme_host_queue *q, unsigned int id, unsigned int entries) {
        *q = (struct nvme_host_queue){.id = id, .entries = entries, .phase = 1, .eventfd = -1};
        q->sq = nvme_host_alloc(h, entries * sizeof(struct nvme_host_command), &q->sq_iova);
        q->cq = nvme_host_alloc(h, entries * sizeof(struct nvme_host_completion), &q->cq_iova);
        if (!q->sq || !q->cq)
                return -ENOMEM;
        memset((void *)q->cq, 0, entries * sizeof(struct nvme_host_completion));
        return 0;
}

static int status_wait(struct nvme_host *h, uint32_t mask, uint32_t value) {
        uint64_t deadline = measure_ns() + TIMEOUT_MS * UINT64_C(1000000);
        uint32_t csts = 0;

        do {
                int r = nvme_host_read32(h, NVME_REG_CSTS, &csts);

                if (r < 0)
                        return r;
                if (csts & CSTS_FATAL)
                        return -EIO;
                if ((csts & mask) == value)
                        return 0;
        } while (measure_ns() < deadline);
        return -ETIMEDOUT;
}

static int identify(struct nvme_host *h) {
        struct nvme_host_command command = {.opcode = NVME_ADMIN_IDENTIFY, .cdw10 = 2}; /* active namespaces */
        uint32_t lba_format;
        int r;
        unsigned char *page = nvme_host_alloc(h, NVME_HOST_PAGE, &command.prp1);

        if (!page)
                return -ENOMEM;
        if ((r = admin(h, &command, "Identify, namespace list")) < 0)
                return r;
        memcpy(&h->nsid, page, sizeof(h->nsid));
        if (h->nsid == 0)
                return 0;
        command = (struct nvme_host_command){.opcode = NVME_ADMIN_IDENTIFY, .nsid = h->nsid, .prp1 = command.prp1};
        if ((r = admin(h, &command, "Identify, namespace")) < 0)
                return r;
        /* NVMe 1.4 figure 245: NSZE, FLBAS, LBA formats */
        memcpy(&h->n_blocks, page, sizeof(h->n_blocks));
        memcpy(&lba_format, page + 128 + 4 * (page[26] & 15u), sizeof(lba_format));
        h->block_size = 1u << (lba_format >> 16 & 31u);
        return 0;
}

int nvme_host_start(struct nvme_host *h) {
        int r;

        if ((r = nvme_host_read64(h, NVME_REG_CAP, &h->cap)) < 0 || (r = nvme_host_write32(h, NVME_REG_CC, 0)) < 0 ||
            (r = status_wait(h, CSTS_READY, 0)) < 0)
                return r;
        h->doorbell_stride = 4u << (h->cap >> 32 & 15u);
        h->memory_used = 0;
        if ((r = queue_alloc(h, &h->admin, 0, ADMIN_ENTRIES)) < 0 ||
            (r = nvme_host_write32(h, NVME_REG_AQA, (ADMIN_ENTRIES - 1) << 16 | (ADMIN_ENTRIES - 1))) < 0 ||
            (r = nvme_host_write64(h, NVME_REG_ASQ, h->admin.sq_iova)) < 0 ||
            (r = nvme_host_write64(h, NVME_REG_ACQ, h->admin.cq_iova)) < 0 ||
            (r = nvme_host_write32(h, NVME_REG_CC, CC_ENABLED)) < 0 || (r = status_wait(h, CSTS_READY, CSTS_READY)) < 0)
                return r;
        return identify(h);
}

int nvme_host_shutdown(struct nvme_host *h) {
        const int r = nvme_host_write32(h, NVME_REG_CC, CC_ENABLED | CC_SHUTDOWN);

        return r < 0 ? r : status_wait(h, CSTS_SHUTDOWN, CSTS_SHUTDOWN_DONE);
}

int nvme_host_make_queue(struct nvme_host *h, unsigned int entries, bool interrupt) {
        struct nvme_host_command features = {.opcode = NVME_ADMIN_SET_FEATURES, .cdw10 = 7}, cq, sq;
        int r = queue_alloc(h, &h->io, 1, entries);

        if (r < 0)
                return r;
        if (interrupt) {
                h->io.eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
                if (h->io.eventfd < 0)
                        return -errno;
                if ((r = vfio_user_client_msix_set(h->client, 1, &h->io.eventfd, 1)) < 0 ||
                    (r = vfio_user_client_msix_enable(h->client)) < 0)
                        return r;
        }
        if ((r = admin(h, &features, "Set Features, number of queues")) < 0)
                return r;
        cq = (struct nvme_host_command){.opcode = NVME_ADMIN_CREATE_CQ,
                                        .prp1 = h->io.cq_iova,
                                        .cdw10 = (entries - 1) << 16 | 1,
                                        .cdw11 = interrupt ? 1u << 16 | 2 | 1 : 1};
        sq = (struct nvme_host_command){
                .opcode = NVME_ADMIN_CREATE_SQ, .prp1 = h->io.sq_iova, .cdw10 = (entries - 1) << 16 | 1, .cdw11 = 1u << 16 | 1};
        if ((r = admin(h, &cq, "Create I/O Completion Queue")) < 0)
                return r;
        return admin(h, &sq, "Create I/O Submission Queue");
}

int nvme_host_shadow(struct nvme_host *h) {
        struct nvme_host_command command = {.opcode = NVME_ADMIN_DOORBELL_BUFFER};
        uint32_t *shadow = nvme_host_alloc(h, NVME_HOST_PAGE, &command.prp1),
                 *events = nvme_host_alloc(h, NVME_HOST_PAGE, &command.prp2);
        int r = 0;

        if (!shadow || !events)
                return -ENOMEM;
        memset(shadow, 0, NVME_HOST_PAGE);
        memset(events, 0, NVME_HOST_PAGE);
        if ((r = admin(h, &command, "Doorbell Buffer Config")) < 0)
                return r;
        h->shadow = shadow;
        h->events = events;
        return 0;
}

int nvme_host_map_doorbells(struct nvme_host *h) {
        struct vfio_user_region region;
        int r = vfio_user_client_region_info(h->client, BAR0, &region);

        if (r < 0)
                return r;
        CLEANUP_CLOSE int fd = region.fd;
        if (fd < 0 || region.map_offset != 0x1000 || region.map_size < NVME_HOST_PAGE)
                return -ENOTSUP;
        void *p =
                mmap(NULL, NVME_HOST_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)(region.fd_offset + region.map_offset));
        if (p == MAP_FAILED)
                return -errno;
        h->page = p;
        return 0;
}

static int socket_connect(const char *path, int *ret_fd) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (field_set(address.sun_path, sizeof(address.sun_path), path) < 0)
                return -ENAMETOOLONG;
        if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
                return -errno;
        *ret_fd = take_fd(&fd);
        return 0;
}

static int memory_map(struct nvme_host *h, size_t size) {
        struct vfio_user_dma_map map = {.argsz = sizeof(map),
                                        .flags = VFIO_USER_DMA_READABLE | VFIO_USER_DMA_WRITEABLE,
                                        .address = NVME_HOST_IOVA,
                                        .size = size};
        struct vfio_user_call call = {
                .command = VFIO_USER_DMA_MAP, .request = &map, .request_size = sizeof(map), .fds = &h->memory_fd, .n_fds = 1};

        h->memory_fd = memfd_create(NVME_HOST_MEMORY, MFD_CLOEXEC);
        if (h->memory_fd < 0 || ftruncate(h->memory_fd, (off_t)size) < 0)
                return -errno;
        void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, h->memory_fd, 0);
        if (p == MAP_FAILED)
                return -errno;
        h->memory = p;
        h->memory_size = size;
        return vfio_user_client_call(h->client, &call);
}

int nvme_host_connect(struct nvme_host *h, const char *path, size_t memory_size) {
        uint16_t command = 0x0006; /* Memory Space Enable, Bus Master Enable: PCI Express Base 5.0 section 7.5.1.1.3 */
        unsigned int regions, irqs;
        int fd = -1, r;

        *h = (struct nvme_host){.memory_fd = -1, .admin.eventfd = -1, .io.eventfd = -1, .patience_ms = TIMEOUT_MS};
        if ((r = socket_connect(path, &fd)) < 0 || (r = vfio_user_client_new(fd, TIMEOUT_MS, &h->client)) < 0)
                return r;
        if ((r = vfio_user_client_version(h->client)) < 0 || (r = memory_map(h, memory_size)) < 0 ||
            (r = vfio_user_client_device_info(h->client, &regions, &irqs)) < 0)
                return r;
        return vfio_user_client_write(h->client, CONFIG, PCI_COMMAND, &command, sizeof(command), false);
}

/* Whoever comes back at once may find its own old connection not yet buried, or the worker that it has killed not yet replaced.
 */
static int connect_patiently(struct nvme_host *h, const char *path, size_t memory_size) {
        uint64_t deadline = measure_ns() + TIMEOUT_MS * UINT64_C(1000000);

        for (;;) {
                int r = nvme_host_connect(h, path, memory_size);

                if ((r != -EBUSY && r != -ECONNRESET && r != -ECONNREFUSED && r != -ENOENT) || measure_ns() > deadline)
                        return r;
                nvme_host_close(h);
                nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        }
}

int nvme_host_open(struct nvme_host *h, const char *path, size_t memory_size, unsigned int entries, bool interrupt) {
        const char *step = "connect";
        int r = connect_patiently(h, path, memory_size);

        if (r >= 0) {
                step = "start";
                r = nvme_host_start(h);
        }
        if (r >= 0) {
                step = "make an I/O queue";
                r = nvme_host_make_queue(h, entries, interrupt);
        }
        if (r >= 0)
                return 0;
        fprintf(stderr, "%s: cannot %s: %s\n", path, step,
                h->client && vfio_user_client_problem(h->client) ? vfio_user_client_problem(h->client) : strerror(-r));
        nvme_host_close(h);
        return r;
}

void nvme_host_close(struct nvme_host *h) {
        vfio_user_client_free(h->client);
        if (h->page)
                munmap(h->page, NVME_HOST_PAGE);
        if (h->memory)
                munmap(h->memory, h->memory_size);
        close_fd(&h->memory_fd);
        close_fd(&h->io.eventfd);
        *h = (struct nvme_host){.memory_fd = -1, .admin.eventfd = -1, .io.eventfd = -1, .patience_ms = TIMEOUT_MS};
}

void nvme_host_rw(struct nvme_host_command *command, unsigned int opcode, const struct nvme_host *h, uint64_t block,
                  unsigned int n_blocks, uint64_t iova) {
        size_t first = NVME_HOST_PAGE - (iova & (NVME_HOST_PAGE - 1));

        *command = (struct nvme_host_command){.opcode = (uint8_t)opcode,
                                              .nsid = h->nsid,
                                              .prp1 = iova,
                                              .prp2 = (size_t)n_blocks * h->block_size > first ? iova + first : 0,
                                              .cdw10 = (uint32_t)block,
                                              .cdw11 = (uint32_t)(block >> 32),
                                              .cdw12 = n_blocks - 1};
}
