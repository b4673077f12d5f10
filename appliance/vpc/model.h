/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a device model is: a description of its PCI function, a flat image, and functions over it.
 *
 * The image is one versioned struct without pointers, in shared memory that the control process owns: its first 4096 bytes are
 * the configuration space, then a struct vpc_image, then the model's own state. `init` makes it in the control process; `attach`
 * makes the run-time object in the link worker, from an image that may have had a life before.
 */
#ifndef IOV_VPC_MODEL_H
#define IOV_VPC_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "iov/registers.h"
#include "vpc/host.h"

/* Vectors that a function can have: INTx, MSI, MSI-X. There could be 2048 of the last (section 7.7.2.2); the memory for them is
 * every function's. */
#define VPC_MSI_MAX 32
#define VPC_MSIX_MAX 256
#define VPC_LINES_MAX (1 + VPC_MSI_MAX + VPC_MSIX_MAX)
#define VPC_CONFIG_SIZE 4096 /* PCI Express Base 5.0, section 7.2.2 */
#define VPC_BARS 6
#define VPC_MEDIA_MAX 64
#define VPC_IMAGE_VERSION 2
#define VPC_LIFE_MAX 16384           /* bytes of what is kept of a function that is gone */
#define VPC_IMAGE_MODEL_OFFSET 16384 /* where the model's own state starts in the image */

/* Who the vAdapter is and what it shows: everything that is told to a model by the control process. */
struct vpc_medium {
        uint32_t id; /* NVMe: namespace identifier */
        uint32_t block_size;
        uint64_t size;      /* bytes, a multiple of block_size */
        uint64_t unique_id; /* the volume's id: the same medium has the same one for ever */
        uint8_t read_only;
        uint8_t keeps_space; /* what is deallocated stays set aside for it */
        uint8_t shared;      /* other functions may write to it; host->reservations() says what the server may do */
        uint8_t reserved[5];
};
struct vpc_persona {
        char name[IOV_NAME_SIZE];
        char serial[24];
        char mac[24], wwnn[24], wwpn[24], nqn[224]; /* empty where the kind of adapter has none */
        uint64_t unique_id;                         /* the vAdapter's id; the 64-bit device serial number is made from it */
        uint32_t n_media;
        uint32_t interrupts; /* enum iov_interrupts: AUTO is what the model describes, the others leave all but one way out */
        struct vpc_medium media[VPC_MEDIA_MAX];
};

enum vpc_reset {
        VPC_RESET_POWER_ON, /* everything */
        VPC_RESET_BUS,      /* hot reset, DEVICE_RESET: everything but sticky bits */
        VPC_RESET_FLR,      /* Function Level Reset, PCI Express Base 5.0 section 6.6.2 */
        VPC_RESET_POWER,    /* from D3hot to D0 with No_Soft_Reset clear, section 5.3.1.4: everything but sticky bits */
};

struct vpc_bar {
        uint64_t size; /* bytes, a power of two from 128; 0: no such BAR */
        bool is_64bit, is_prefetchable;
};

/* The PCI face, from which the VPC builds configuration space (config.h). Offsets of capabilities are pinned here where a driver
 * pins them; 0: the VPC chooses. */
struct vpc_description {
        uint16_t vendor_id, device_id, subsystem_vendor_id, subsystem_id;
        uint8_t revision;
        uint32_t class_code;   /* 24 bits */
        uint8_t interrupt_pin; /* 0: none, 1: INTA */
        struct vpc_bar bars[VPC_BARS];
        uint8_t pm_offset, msi_offset, msix_offset, pcie_offset;
        uint8_t msi_vectors;   /* 0: no MSI capability, else a power of two up to 32 */
        uint16_t msix_vectors; /* 0: no MSI-X capability, up to VPC_MSIX_MAX */
        uint8_t msix_bar;
        uint32_t msix_table_offset, msix_pba_offset;
        uint8_t link_width, link_speed; /* modelled: lanes, and 1: 2.5, 2: 5, 3: 8 GT/s */
        bool has_aer, has_dsn;
};

/*
 * The PCI face of one vAdapter: the model's description with the interrupts that the persona asks for. A model that describes
 * MSI-X alone has MSI too, with as many of its vectors as MSI can have (32, PCI Express Base 5.0 section 7.7.1.2).
 * -EOPNOTSUPP: the model cannot interrupt that way.
 */
struct vpc_model;
int vpc_description_make(const struct vpc_model *model, const struct vpc_persona *persona,
                         struct vpc_description *ret_description);

/* A mappable part of a BAR; the fd is the model's and is passed to the client as it is. */
struct vpc_area {
        uint64_t offset, size;
        int fd;
        uint64_t fd_offset;
        bool read_only;
};

struct vpc_model {
        const char *name; /* "nvme" */
        const struct vpc_description *description;
        bool no_dma;            /* never reads or writes its server's memory, so that none is mapped for it */
        uint32_t state_version; /* of the state behind VPC_IMAGE_MODEL_OFFSET */
        size_t state_size;
        /* Fill in the state for power-on; `state` is zeroed. */
        int (*init)(void *state, const struct vpc_persona *persona);
        /*
         * Optional, all or none: what the function keeps for its whole life, over power off, another server and another image. To
         * all but the model it is at most VPC_LIFE_MAX bytes that go with the persona, by its unique_id.
         * life_take: write it, as it is if power goes now (`now`: CLOCK_MONOTONIC, ns), and return its size. The state may be
         * driven by another process meanwhile, one in the hands of a guest even: what comes out is what life_give takes.
         * life_give: bring it into a state from init; -EBADMSG, with the state as it was: it is nothing that life_take has
         * written, which for what was in a file is found out again. life_mark: another number wherever there is something new to
         * take, which mere time is only by the hour; 0 never. Cheap.
         */
        size_t (*life_take)(const void *state, uint64_t now, void *life);
        int (*life_give)(void *state, const void *life, size_t size);
        uint64_t (*life_mark)(const void *state, uint64_t now);
        /* Make the run-time object. `counters` is shared with the control process, written by the model and the VPC only. */
        int (*attach)(void *state, const struct vpc_host *host, struct iov_counter *counters, void **ret_device);
        void (*detach)(void *device);
        /* Access to a BAR; `length` is 1, 2, 4 or 8, naturally aligned; the VPC has cut larger ones and checked the range. */
        uint64_t (*bar_read)(void *device, unsigned int bar, uint64_t offset, unsigned int length);
        void (*bar_write)(void *device, unsigned int bar, uint64_t offset, unsigned int length, uint64_t value);
        void (*reset)(void *device, enum vpc_reset scope);
        /* Optional: the server is gone, with its power. The state stays as it is until the next one resets it. */
        void (*power_lost)(void *device);
        /* Optional: what the function shows changes while it is driven. `persona` is as before but for its media, of which those
         * that stay have the index they had; one of zeroes is none. Requests under way to a medium that is gone still end. */
        int (*show)(void *device, const struct vpc_persona *persona);
        /* Optional: the reservations on medium `index` have changed, or the page that they are in: forget what is known of them,
         * end what they do not let the server do any more, and call host->fenced() with `change` when no request is under way
         * that was before the call; maybe from within. The same change may come more than once. */
        void (*fence)(void *device, unsigned int index, uint64_t change);
        /* Optional: the answer to the host->reserve() with that ticket; may come more than once, or for one that is forgotten. */
        void (*reserved)(void *device, uint64_t ticket, enum vpc_reserve_result result);
        /* Optional: begin nothing more, the function is about to go. What is under way ends. */
        void (*stop)(void *device);
        /* Optional: the timer asked for by host->timer(). */
        void (*timer)(void *device);
        /* Optional: what was asked for by host->later() and host->poll_start(); later() also when *host->dma_generation has
         * changed. poll() says whether there was anything. poll_stop(): polling is to end, so see that a register access tells of
         * what comes next; false: go on polling. */
        void (*later)(void *device);
        bool (*poll)(void *device);
        bool (*poll_stop)(void *device);
        /* Optional: a mappable area of a BAR, false: none. */
        bool (*area)(void *device, unsigned int bar, struct vpc_area *ret_area);
        /* Optional: bulk access instead of bar_read/bar_write, where a BAR is plain memory or a mailbox payload; any length
         * within the BAR. Returns false to fall back to bar_read/bar_write. */
        bool (*bar_bulk)(void *device, unsigned int bar, uint64_t offset, void *buffer, size_t length, bool is_write);
};

/* The models of this appliance: a NULL-terminated list (adapters/registry.c), and the one that stands for a kind of adapter, NULL
 * where there is none yet. */
extern const struct vpc_model *const vpc_models[];
const struct vpc_model *vpc_model_find(const char *name);
const struct vpc_model *vpc_model_for_adapter(enum iov_adapter_kind kind);

#endif
