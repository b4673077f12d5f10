/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The vfio-user wire format, after QEMU's docs/interop/vfio-user.rst (version 0.0 to 0.2), for libiov's client and the appliance's
 * server. Region, irq and capability structs are those of <linux/vfio.h>. All fields are in host byte order.
 */
#ifndef IOV_VFIO_USER_PROTOCOL_H
#define IOV_VFIO_USER_PROTOCOL_H

#include <linux/vfio.h>
#include <stdint.h>

#define VFIO_USER_MAJOR 0
#define VFIO_USER_MINOR 0

enum vfio_user_command {
        VFIO_USER_VERSION = 1,
        VFIO_USER_DMA_MAP = 2,
        VFIO_USER_DMA_UNMAP = 3,
        VFIO_USER_DEVICE_GET_INFO = 4,
        VFIO_USER_DEVICE_GET_REGION_INFO = 5,
        VFIO_USER_DEVICE_GET_REGION_IO_FDS = 6,
        VFIO_USER_DEVICE_GET_IRQ_INFO = 7,
        VFIO_USER_DEVICE_SET_IRQS = 8,
        VFIO_USER_REGION_READ = 9,
        VFIO_USER_REGION_WRITE = 10,
        VFIO_USER_DMA_READ = 11,
        VFIO_USER_DMA_WRITE = 12,
        VFIO_USER_DEVICE_RESET = 13,
        VFIO_USER_REGION_WRITE_MULTI = 15,
};

/* header.flags */
#define VFIO_USER_TYPE_MASK  UINT32_C(0xf)
#define VFIO_USER_TYPE_COMMAND UINT32_C(0)
#define VFIO_USER_TYPE_REPLY UINT32_C(1)
#define VFIO_USER_NO_REPLY   (UINT32_C(1) << 4)
#define VFIO_USER_ERROR      (UINT32_C(1) << 5)

struct vfio_user_header {
        uint16_t id;
        uint16_t command;
        uint32_t size; /* of the message, with this header */
        uint32_t flags;
        uint32_t error; /* a positive errno, where VFIO_USER_ERROR is set */
};

/* followed by a NUL-terminated JSON object, or nothing */
struct vfio_user_version {
        uint16_t major;
        uint16_t minor;
};

#define VFIO_USER_DMA_READABLE  UINT32_C(1)
#define VFIO_USER_DMA_WRITEABLE UINT32_C(2)
struct vfio_user_dma_map {
        uint32_t argsz;
        uint32_t flags;
        uint64_t offset; /* in the fd that comes with it */
        uint64_t address;
        uint64_t size;
};

#define VFIO_USER_DMA_UNMAP_ALL (UINT32_C(1) << 1)
struct vfio_user_dma_unmap {
        uint32_t argsz;
        uint32_t flags;
        uint64_t address;
        uint64_t size;
};

/* request and, with data behind it, reply of a read; request, with data behind it, and reply of a write */
struct vfio_user_region_access {
        uint64_t offset;
        uint32_t region;
        uint32_t count;
};

_Static_assert(sizeof(struct vfio_user_header) == 16, "message header");
_Static_assert(sizeof(struct vfio_user_dma_map) == 32, "DMA_MAP");
_Static_assert(sizeof(struct vfio_user_dma_unmap) == 24, "DMA_UNMAP");
_Static_assert(sizeof(struct vfio_user_region_access) == 16, "REGION_READ");

#endif
