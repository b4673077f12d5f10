/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small NVMe host in user space: what a guest's driver does, over vfio-user, with the guest's memory in a memfd. For benchmarks
 * and for tests that need a server without QEMU. One thread; functions return 0 or a negative errno.
 */
#ifndef BENCH_NVME_HOST_H
#define BENCH_NVME_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "transport/vfio-user-client.h"

#define NVME_HOST_PAGE 4096u
#define NVME_HOST_MEMORY "nvme-host"         /* what its memory is called in maps of processes */
#define NVME_HOST_IOVA UINT64_C(0x100000000) /* where its memory is on the bus */

/* NVMe 1.4 figure 12 */
enum {
        NVME_REG_CAP = 0x00,
        NVME_REG_VS = 0x08,
        NVME_REG_CC = 0x14,
        NVME_REG_CSTS = 0x1c,
        NVME_REG_AQA = 0x24,
        NVME_REG_ASQ = 0x28,
        NVME_REG_ACQ = 0x30
};
/* NVMe 1.4 figures 139 and 346 */
enum {
        NVME_ADMIN_DELETE_SQ = 0x00,
        NVME_ADMIN_CREATE_SQ = 0x01,
        NVME_ADMIN_GET_LOG = 0x02,
        NVME_ADMIN_DELETE_CQ = 0x04,
        NVME_ADMIN_CREATE_CQ = 0x05,
        NVME_ADMIN_IDENTIFY = 0x06,
        NVME_ADMIN_SET_FEATURES = 0x09,
        NVME_ADMIN_GET_FEATURES = 0x0a,
        NVME_ADMIN_SELF_TEST = 0x14,
        NVME_ADMIN_DOORBELL_BUFFER = 0x7c,
        NVME_ADMIN_FORMAT = 0x80,
        NVME_IO_FLUSH = 0x00,
        NVME_IO_WRITE = 0x01,
        NVME_IO_READ = 0x02,
        NVME_IO_WRITE_UNCORRECTABLE = 0x04,
        NVME_IO_COMPARE = 0x05,
        NVME_IO_WRITE_ZEROES = 0x08,
        NVME_IO_DATASET = 0x09,
        NVME_IO_VERIFY = 0x0c,
        NVME_IO_COPY = 0x19,
};

/* NVMe 1.4 figure 104 */
struct nvme_host_command {
        uint8_t opcode, flags;
        uint16_t cid;
        uint32_t nsid;
        uint32_t cdw2, cdw3;
        uint64_t mptr, prp1, prp2;
        uint32_t cdw10, cdw11, cdw12, cdw13, cdw14, cdw15;
};
/* NVMe 1.4 figure 122 */
struct nvme_host_completion {
        uint32_t dw0, dw1;
        uint16_t sq_head, sq_id;
        uint16_t cid;
        uint16_t status; /* bit 0 is the phase tag, above it code and type */
};
#define NVME_HOST_STATUS(completion) ((unsigned int)(completion)->status >> 1 & 0x7ffu)

struct nvme_host_queue {
        unsigned int id, entries;
        struct nvme_host_command *sq;
        volatile struct nvme_host_completion *cq;
        uint64_t sq_iova, cq_iova;
        unsigned int tail, head, phase;
        unsigned int rung_tail, rung_head;
        int eventfd; /* -1: polled */
};

struct nvme_host {
        struct vfio_user_client *client;
        unsigned char *memory; /* at NVME_HOST_IOVA */
        size_t memory_size, memory_used;
        int memory_fd;
        uint64_t cap;
        unsigned int doorbell_stride;
        struct nvme_host_queue admin, io;
        unsigned int patience_ms; /* for a completion; may be set after nvme_host_open() */
        uint32_t nsid, block_size;
        uint64_t n_blocks;
        uint32_t *shadow, *events; /* NVMe 1.4 section 7.13, NULL: not set up */
        uint32_t *page;            /* doorbells that are mapped, NULL: they are not */
        uint64_t n_rings;          /* doorbells by message */
};

/* Connect to a vAdapter's socket, agree on a version, map the memory, allow bus mastering. No controller is enabled yet. */
int nvme_host_connect(struct nvme_host *host, const char *path, size_t memory_size);
/* Reset and enable the controller, identify the first namespace. */
int nvme_host_start(struct nvme_host *host);
/* Shut it down [NVMe 1.4, 7.6.2], and wait until it is. */
int nvme_host_shutdown(struct nvme_host *host);
/* Make the I/O queue pair, with an eventfd for its interrupt or without one. */
int nvme_host_make_queue(struct nvme_host *host, unsigned int entries, bool interrupt);
/* Let the device look at doorbells in memory: a shadow of them (after the queues are made), or the page itself, where the device
 * lets it be mapped (-ENOTSUP: it does not). */
int nvme_host_shadow(struct nvme_host *host);
int nvme_host_map_doorbells(struct nvme_host *host);
/* All of it, prints what went wrong. Where somebody else is connected, or nobody
 * listens, it tries again for 5 s. */
int nvme_host_open(struct nvme_host *host, const char *path, size_t memory_size, unsigned int entries, bool interrupt);
/* Close the connection as a guest that dies does, without a word. */
void nvme_host_close(struct nvme_host *host);

/* Page-aligned memory of the guest, NULL: there is no more. */
void *nvme_host_alloc(struct nvme_host *host, size_t size, uint64_t *ret_iova);

int nvme_host_read32(struct nvme_host *host, uint64_t offset, uint32_t *ret_value);
int nvme_host_read64(struct nvme_host *host, uint64_t offset, uint64_t *ret_value);
/* Waits for the reply, a doorbell does not. */
int nvme_host_write32(struct nvme_host *host, uint64_t offset, uint32_t value);
int nvme_host_write64(struct nvme_host *host, uint64_t offset, uint64_t value);
int nvme_host_doorbell(struct nvme_host *host, unsigned int queue, bool is_cq, uint32_t value);

/* Put a command into a submission queue; nvme_host_ring() tells of all that were put since. */
void nvme_host_put(struct nvme_host_queue *queue, const struct nvme_host_command *command);
int nvme_host_ring(struct nvme_host *host, struct nvme_host_queue *queue);
/* Take the next completion: 1, or 0 where there is none. nvme_host_ack() gives the entries back. */
int nvme_host_take(struct nvme_host_queue *queue, struct nvme_host_completion *ret_completion);
int nvme_host_ack(struct nvme_host *host, struct nvme_host_queue *queue);
/* Sleep until there is a completion, by the interrupt where the queue has one, else by polling. -ETIMEDOUT after 5 s, -ECONNRESET
 * where the vAdapter has hung up. */
int nvme_host_wait(struct nvme_host *host, struct nvme_host_queue *queue);
/* Submit one command and wait for its completion. */
int nvme_host_run(struct nvme_host *host, struct nvme_host_queue *queue, struct nvme_host_command *command,
                  struct nvme_host_completion *ret_completion);
/* Fill in a read or write of up to two pages. */
void nvme_host_rw(struct nvme_host_command *command, unsigned int opcode, const struct nvme_host *host, uint64_t block,
                  unsigned int n_blocks, uint64_t iova);

#endif
