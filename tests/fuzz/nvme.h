/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the NVMe fuzzer share. There is one controller at a time, so its surroundings are global. */
#ifndef IOV_FUZZ_NVME_H
#define IOV_FUZZ_NVME_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "adapters/nvme/nvme.h"

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

struct fuzz {
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
        uint64_t now, timer_due, dma_generation;
        struct vpc_reservation_page page; /* of the first medium */
        uint64_t asked;                   /* ticket of what the appliance was asked for last */
        struct vpc_marks_pages marks;
        uint64_t fenced, fence; /* changes: that nothing is under way from before, and that this is wanted of */
        uint64_t fenced_ticket; /* of marks that were asked for when the last fence was */
};

extern unsigned char fuzz_memory[PAGES * 4096];
extern struct fuzz fuzz;

/* The next bytes of the input, the lowest first; zeroes behind its end. */
uint64_t fuzz_take(unsigned int bytes);

/* A controller that was just plugged in. */
void host_start(const uint8_t *data, size_t size);
/* The process dies with its requests; the next one takes over a copy of the image. */
void host_restart(void);
/* End the request under way that is at place `i`. */
void host_finish(unsigned int i, unsigned int error);
void host_run_timer(void);
/* Nothing of before the last change of the first medium's reservations is to be under way. */
void host_fence(void);
/* The appliance answers all that it is asked. */
void host_answer(void);
/* End all requests, and let timers expire, until nothing is left to do. */
void host_run(void);

void guest_write32(uint64_t offset, uint32_t value);
/* Queue q: entries in page q, completions in page 8 + q. */
void guest_enable(void);
void guest_push(unsigned int q, const struct nvme_sqe *sqe);
void guest_consume(unsigned int q);
void guest_create_queues(void);
void guest_delete_queue(void);
void guest_shadow(void);
/* Commands: of any opcode, of anything at all, for I/O, for reservations. */
void guest_command(void);
void guest_raw_command(void);
void guest_io_command(void);
void guest_reserve_command(void);
/* With its list. */
void guest_copy(void);
/* Lists in memory that commands point to. */
void guest_make_list(void);
void guest_make_prp_list(void);

#endif
