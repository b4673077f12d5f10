/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of an NVMe controller: a flat struct without pointers, shared with the control process. Whatever a later process
 * needs to go on where this one stopped is here, commands under way included (resume.c).
 *
 * Queue positions are counts since the queue was made, so that index and phase tag change in one store.
 */
#ifndef IOV_NVME_IMAGE_H
#define IOV_NVME_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "adapters/nvme/spec.h"
#include "iov/registers.h"
#include "vpc/reservation.h"

#define NVME_STATE_VERSION 6

#define NVME_QUEUES 64      /* pairs, with the admin queues, so that a set of them is one 64-bit word */
#define NVME_QUEUE_MAX 1024 /* entries */
#define NVME_VECTORS 64
#ifndef NVME_IO_SLOTS /* the build of the fuzzers has fewer */
#define NVME_IO_SLOTS 256
#endif
#define NVME_ADMIN_SLOTS 16
#define NVME_SLOTS (NVME_ADMIN_SLOTS + NVME_IO_SLOTS) /* the first are for admin commands, so that load cannot lock those out */
#define NVME_AER_MAX 4
#define NVME_ABORT_MAX 4
#define NVME_ERROR_ENTRIES 64
#define NVME_NAMESPACES IOV_NSID_MAX
#define NVME_NOTICES 32 /* of the reservation notification log; of more the oldest are lost */
#define NVME_TELEMETRY_BLOCKS 16
#define NVME_PAGE_SIZE 4096 /* CAP.MPSMIN = CAP.MPSMAX = 0 */
#define NVME_MDTS 8         /* 2^8 pages: 1 MiB */
#define NVME_TRANSFER_MAX ((uint32_t)NVME_PAGE_SIZE << NVME_MDTS)

/* Temperatures in kelvin. The medium is a file: a constant stands for its temperature. */
#define NVME_TEMPERATURE 308
#define NVME_WCTEMP 343
#define NVME_CCTEMP 353

struct nvme_sq {
        uint64_t base;
        uint64_t fetched; /* entries taken */
        uint64_t tail;    /* entries the host has announced */
        uint32_t size;    /* entries; 0: there is no such queue */
        uint16_t cq_id;
        uint16_t deleting; /* admin slot + 1 of the command that deletes it */
        uint32_t n_media;  /* its commands that wait for a medium */
        uint32_t reserved;
};

struct nvme_cq {
        uint64_t base;
        uint64_t posted;   /* entries written */
        uint64_t consumed; /* entries the host has read */
        uint32_t size;     /* entries; 0: there is no such queue */
        uint16_t vector;
        uint8_t interrupts, reserved;
        uint32_t n_sqs;  /* submission queues that complete here */
        uint32_t n_held; /* completions that wait for room */
};

enum nvme_slot_state {
        NVME_SLOT_FREE,
        NVME_SLOT_FETCHED, /* being executed */
        NVME_SLOT_MEDIA,   /* waits for a medium */
        NVME_SLOT_ORPHAN,  /* waits for a medium, but its queue is gone */
        NVME_SLOT_EVENT,   /* asynchronous event request */
        NVME_SLOT_DELETE,  /* delete submission queue: waits for that queue's commands */
        NVME_SLOT_ABORT,   /* abort: waits for the command that it aborts */
        NVME_SLOT_FORMAT,  /* format: waits for the commands on what it is to erase */
        NVME_SLOT_DONE,    /* status is known, completion not yet posted */
        NVME_SLOT_RESERVE, /* waits for the appliance's answer about reservations or marks, or for its turn to ask */
};

/* A command under way. */
struct nvme_slot {
        uint16_t state;   /* enum nvme_slot_state */
        uint16_t resumed; /* processes that died while they executed it */
        uint16_t sq_id;
        uint16_t medium;  /* of the request under way */
        uint32_t outcome; /* NVME_ERROR(), 0: success */
        uint32_t result;  /* dword 0 of the completion */
        uint64_t fetched; /* the queue's count with this command */
        uint64_t posted;  /* the completion queue's count before this completion, UINT64_MAX: not tried yet */
        uint64_t start_ns;
        uint32_t verdict; /* outcome with which it ends as soon as it comes back from the medium, 0: as it will */
        uint16_t aborter; /* slot + 1 of the command that waits for that */
        uint16_t reserved;
        struct nvme_sqe sqe;
};

struct nvme_namespace {
        uint64_t blocks; /* 0: no such namespace */
        uint32_t block_shift;
        uint32_t medium;
        uint32_t read_only;
        uint32_t error_recovery; /* feature 05h, per namespace */
        uint8_t nguid[16];
        uint8_t eui64[8];
        uint64_t size;        /* bytes */
        uint8_t range[64];    /* feature 03h, as the host set it; all zeroes: it did not. It is kept */
        uint64_t unique_id;   /* of the medium */
        uint64_t noticed;     /* the last change of its reservations whose notices were taken */
        uint32_t notice_mask; /* feature 82h */
        uint32_t reserved;
};

/* What the appliance has been asked to do, about reservations or marks: one thing at a time. */
struct nvme_reserving {
        uint32_t slot; /* + 1; 0: none; or one of those below: no command */
        uint32_t nsid;
        struct vpc_reserve_request request;
};
/* The end of what a reset has ended; */
#define NVME_RESERVE_FORGET UINT32_MAX
/* or about marks, for a command that a reset has ended: it may be done nevertheless. */
#define NVME_RESERVE_ORPHAN (UINT32_MAX - 1)

/* [5.14.1.16.1] */
struct nvme_notice {
        uint64_t count;
        uint32_t nsid;
        uint32_t type;
};

struct nvme_self_test {
        uint32_t code; /* of the test that runs, 0: none */
        uint32_t nsid; /* as asked: 0, one, or all */
        uint32_t at;   /* the namespace whose turn it is */
        uint32_t n_results;
        uint64_t position; /* bytes within it */
        uint64_t done, total;
        struct nvme_self_test_result results[NVME_SELF_TEST_RESULTS]; /* newest first */
};

/* [5.21.1.14] the time that the host has told, and this machine's when it did */
struct nvme_timestamp {
        uint64_t ms, clock_ns;
        uint32_t origin, reserved;
};

struct nvme_event {
        uint32_t pending; /* bit i: event information i */
        uint32_t masked;  /* reported; until the host reads the log page */
};

struct nvme_registers {
        uint32_t intms, cc, csts, aqa;
        uint64_t asq, acq;
};

/* [5.7] Where the host has its shadow doorbells and EventIdx values; they are of all I/O queues. */
struct nvme_shadow {
        uint64_t doorbells, events;
        uint32_t enabled, reserved;
};

/* What survives every reset and, by life.c, power off: [5.14.1.2] figures are those of the life of the controller. */
struct nvme_life {
        uint64_t read_bytes, write_bytes, reads, writes;
        uint64_t busy_ns;
        uint64_t powered_ns; /* as of when power last went off */
        uint64_t power_cycles, unsafe_shutdowns, media_errors;
        uint64_t error_count;
};

/* Power is on from a host's first access until it is gone. */
struct nvme_power {
        uint32_t is_on, reserved;
        uint64_t since;                    /* clock, less what life.powered_ns was then */
        uint64_t cycles, unsafe_shutdowns; /* as they were before: what is counted by a process that is killed is counted once */
};

struct nvme_image {
        char serial[20];
        char subnqn[256];
        uint32_t n_media;
        uint32_t n_namespaces; /* the highest identifier that ever was in use */
        uint32_t reserved1;

        struct nvme_registers registers;
        struct nvme_shadow shadow;
        uint32_t is_resetting; /* CC.EN was cleared, CSTS.RDY is not yet */
        uint32_t shutdown_at;  /* namespace to flush next, counted from 0 */
        uint32_t features[NVME_FEAT_COUNT];
        uint32_t temperature_under;
        uint8_t advanced_retry;   /* feature 16h: ACRE */
        uint8_t is_host_extended; /* the host identifier has 128 bits */
        uint8_t reserved[2];
        uint8_t host_id[16];
        struct nvme_timestamp timestamp;
        uint64_t changed;             /* bit i: namespace i + 1 has changed since the host read log page 04h */
        uint64_t formatting;          /* bit i: namespace i + 1 is being formatted */
        uint64_t coalescing_disabled; /* bit i: vector i */
        struct nvme_event events[NVME_EVENT_TYPES];

        uint64_t shared;           /* bit i: namespace i + 1 may be written to by other controllers */
        uint64_t owner;            /* the vAdapter's id */
        uint32_t epoch;            /* counts resets */
        uint32_t n_notices;        /* in the log, the oldest first, */
        uint64_t notice_count;     /* of those there ever were */
        uint64_t nameless, forget; /* namespaces registered with without a host identifier, and before the last reset */
        uint64_t reserve_ticket;   /* the last that was used */
        struct nvme_reserving reserving;
        struct nvme_notice notices[NVME_NOTICES];

        struct nvme_sq sqs[NVME_QUEUES];
        struct nvme_cq cqs[NVME_QUEUES];
        struct nvme_life life;
        struct nvme_power power;
        struct nvme_self_test self_test;
        uint32_t n_io_slots, n_admin_slots; /* how many have ever been in use */

        /* Of the rest, nothing is touched before it is needed, so that an idle controller is small. */
        struct nvme_namespace namespaces[NVME_NAMESPACES]; /* identifier - 1 */
        uint8_t unused[80];                                /* the first slots of both kinds are in one page */
        struct nvme_slot slots[NVME_SLOTS];

        struct nvme_error_entry errors[NVME_ERROR_ENTRIES]; /* the one of life.error_count n is at n % NVME_ERROR_ENTRIES */
        unsigned char telemetry[NVME_TELEMETRY_BLOCKS + 1][NVME_TELEMETRY_BLOCK]; /* log page 07h as of its last creation */
};
_Static_assert(offsetof(struct nvme_image, slots) % NVME_PAGE_SIZE == 0, "an idle controller would take a page more");

#endif
