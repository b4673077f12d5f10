/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A server without a server: guest memory in an arena, media in RAM whose requests wait until fake_run(), and a small driver. */
#ifndef TEST_NVME_HOST_H
#define TEST_NVME_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapters/nvme/nvme.h"

#define FAKE_BASE UINT64_C(0x100000) /* guest address of the memory */
#define FAKE_SIZE (16u << 20)
#define FAKE_SECOND (FAKE_BASE + FAKE_SIZE) /* another window right behind, elsewhere in host memory */
#define FAKE_RO UINT64_C(0x40000000)        /* a window that the device may only read */
#define FAKE_WINDOW (64u << 10)             /* size of both */
#define FAKE_MEDIA 3
#define FAKE_MEDIUM_SIZE (4u << 20)
#define FAKE_PENDING 1024

/* guest addresses: queues, then data */
#define FAKE_ASQ FAKE_BASE
#define FAKE_ACQ (FAKE_BASE + 0x10000)
#define FAKE_DATA (FAKE_BASE + 0x900000)
#define FAKE_LISTS (FAKE_BASE + 0x800000)

struct fake_queue {
        unsigned int id, cq_id, size, cq_size;
        uint64_t sq, cq;
        unsigned int tail, head, phase;
};

struct fake {
        struct vpc_host host;
        struct nvme_image *image;
        struct nvme_device *device;
        struct iov_counter counters;
        struct vpc_persona persona;

        unsigned char *memory, *second, *ro;
        unsigned char *media[FAKE_MEDIA];
        bool no_bus_master;
        uint64_t dma_generation;
        bool polls, is_msix; /* fake_polled() */
        unsigned int n_poll_starts;
        uint32_t doorbells[1024];
        bool is_inline;                           /* requests end within their submission, fake_inline() */
        unsigned int n_expected, n_expected_late; /* requests that were announced; those behind the first that was made */
        uint64_t expected_bytes;
        bool no_data; /* what is at FAKE_DATA and above was taken away */

        /* In place of the media above: a request begins, and ends, the latter with what is returned. */
        void (*medium_begin)(void *userdata, unsigned int medium, struct vpc_io *io);
        int (*medium_end)(void *userdata, unsigned int medium, struct vpc_io *io);
        void *medium_userdata;

        struct vpc_io *pending[FAKE_PENDING];
        unsigned int pending_medium[FAKE_PENDING], n_pending;
        int media_error;                      /* of every request from now on */
        unsigned int n_submitted[VPC_IO_OPS]; /* by operation */
        unsigned int n_flushed[FAKE_MEDIA];
        unsigned int formatted[FAKE_MEDIA]; /* block size, 0: never */
        unsigned int last_n_iov;
        unsigned int n_dma_faults;

        /* The appliance as far as marks go, which answers in fake_run(), unless it is away. */
        struct vpc_marks_pages marks;
        struct vpc_marks marked[FAKE_MEDIA];
        struct vpc_reserve_request asked; /* ticket 0: nothing is */
        unsigned int n_asked;
        bool is_away;

        unsigned int irqs[NVME_VECTORS];
        bool level, level_told;
        uint64_t timer, now; /* UINT64_MAX: off */
        unsigned int n_timers, n_logs;
        struct fake_queue admin;
        uint16_t next_cid;
};

/* Three namespaces: 1 of 512-byte blocks, 2 of 4096, 5 read-only. */
void fake_persona(struct vpc_persona *persona);
struct fake *fake_new(void);
/* A process that dies and another that attaches to the image. */
void fake_restart(struct fake *f);
/* Power off and on: another controller, with nothing of the last one but memory and media. */
void fake_power(struct fake *f, const struct vpc_persona *persona);
void fake_free(struct fake *f);

uint32_t fake_read(struct fake *f, uint64_t offset);
void fake_write(struct fake *f, uint64_t offset, uint32_t value);
void *fake_memory(struct fake *f, uint64_t address);

/* From now on addresses may be kept (whoever changes no_bus_master counts dma_generation up), the device may poll, and MSI-X is
 * enabled. */
void fake_polled(struct fake *f);
void fake_inline(struct fake *f);

/* End request `i` of those that wait, by age. */
void fake_end(struct fake *f, unsigned int i);
/* End the oldest request; false: there is none. */
bool fake_step(struct fake *f);
/* What the appliance was asked is done and shown, and answered. */
enum vpc_reserve_result fake_mark(struct fake *f);
/* Requests, questions and timers until there are none. */
void fake_run(struct fake *f);

/* Registers set up, CC.EN, CSTS.RDY. */
void fake_enable(struct fake *f);
void fake_disable(struct fake *f);
/* Of a test, for cmocka: *state is a new one, enabled. */
int fake_setup(void **state);
int fake_teardown(void **state);
void fake_queue_init(struct fake *f, struct fake_queue *q, unsigned int id, unsigned int cq_id, unsigned int size,
                     unsigned int cq_size);
/* Create both queues of a pair, vector = id. */
void fake_queue_create(struct fake *f, struct fake_queue *q, unsigned int id, unsigned int size);
/* Place a command; its identifier is chosen and returned. Without the doorbell. */
uint16_t fake_push(struct fake *f, struct fake_queue *q, struct nvme_sqe sqe);
void fake_ring(struct fake *f, const struct fake_queue *q);
/* Take a completion if there is one, without the doorbell. The bit More [4.6.1] is judged there, and taken away. */
bool fake_pop(struct fake *f, struct fake_queue *q, struct nvme_cqe *ret_cqe);
void fake_ring_cq(struct fake *f, const struct fake_queue *q);
/* Push, ring, run, pop, ring: its completion, which must come. */
struct nvme_cqe fake_command(struct fake *f, struct fake_queue *q, struct nvme_sqe sqe);
/* The status of that, without the phase tag. */
unsigned int fake_status(struct fake *f, struct fake_queue *q, struct nvme_sqe sqe);
/* A read or write of blocks, with data at FAKE_DATA and a PRP list at FAKE_LISTS where it needs one. */
struct nvme_sqe fake_transfer(struct fake *f, uint8_t opcode, uint32_t nsid, uint64_t block, uint32_t blocks, uint64_t data);

#endif
