/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands of vfio-user, but for VERSION. Each checks every field that it uses. */
#include <errno.h>
#include <stddef.h>

#include "util.h"
#include "vpc/server-private.h"

#define VERSION_TEXT_MAX 4096
/* Regions and irq indexes of a PCI device, as in <linux/vfio.h>; of the latter the error and request interrupts have no vector.
 */
#define REGIONS VFIO_PCI_NUM_REGIONS
#define IRQS VFIO_PCI_NUM_IRQS

/* One write of REGION_WRITE_MULTI. */
struct write_one {
        uint64_t offset;
        uint32_t region, count;
        uint8_t data[8];
};
_Static_assert(sizeof(struct write_one) == 24, "REGION_WRITE_MULTI");

/* The part of struct vfio_device_info that vfio-user has. */
struct device_info {
        uint32_t argsz, flags, num_regions, num_irqs;
};

static void reply_with(struct server_reply *reply, const void *data, size_t length) {
        memcpy(reply->payload, data, length);
        reply->length = length;
}

static int dma_map(struct vpc_function *function, struct server_message *m, struct server_reply *reply) {
        struct vfio_user_dma_map map;
        int fd = -1;

        memcpy(&map, m->payload, sizeof(map));
        if (map.argsz < sizeof(map) || m->n_fds > 1)
                return -EINVAL;
        if (m->n_fds)
                fd = take_fd(&m->fds[0]);
        return vpc_function_dma_map(function, map.address, map.size, fd, map.offset, map.flags);
}

static int dma_unmap(struct vpc_function *function, struct server_message *m, struct server_reply *reply) {
        struct vfio_user_dma_unmap unmap;
        int r = 0;

        memcpy(&unmap, m->payload, sizeof(unmap));
        /* vfio-user.rst, VFIO_USER_DMA_UNMAP, knows no descriptor, but SPDK's client sends that of the window along: it is
         * closed. */
        if (unmap.argsz < sizeof(unmap) || m->n_fds > 1)
                return -EINVAL;
        if (unmap.flags & ~VFIO_USER_DMA_UNMAP_ALL) /* the dirty bitmap of old versions, or something new */
                return -ENOTSUP;
        if (unmap.flags & VFIO_USER_DMA_UNMAP_ALL)
                r = unmap.address || unmap.size ? -EINVAL : vpc_function_dma_unmap_all(function);
        else
                r = vpc_function_dma_unmap(function, unmap.address, unmap.size);
        if (r < 0)
                return r;
        reply_with(reply, &unmap, sizeof(unmap));
        return VPC_QUIESCE_FIRST;
}

static int get_info(struct vpc_function *function, struct server_message *m, struct server_reply *reply) {
        struct device_info info;

        memcpy(&info, m->payload, sizeof(info));
        if (info.argsz < sizeof(info))
                return -EINVAL;
        info = (struct device_info){sizeof(info), VFIO_DEVICE_FLAGS_RESET | VFIO_DEVICE_FLAGS_PCI, REGIONS, IRQS};
        reply_with(reply, &info, sizeof(info));
        return 0;
}

/* The region can be mapped, in one area: fill in where, and the capability that says so. */
static void describe_area(const struct vpc_area *area, uint64_t region_size, struct vfio_region_info *info,
                          struct server_reply *reply) {
        const struct vfio_region_info_cap_sparse_mmap sparse = {.header = {.id = VFIO_REGION_INFO_CAP_SPARSE_MMAP, .version = 1},
                                                                .nr_areas = 1};
        const struct vfio_region_sparse_mmap_area sparse_area = {.offset = area->offset, .size = area->size};
        const uint32_t argsz = info->argsz;

        if (area->size > region_size || area->offset > region_size - area->size || area->fd_offset < area->offset)
                return;
        info->flags |= VFIO_REGION_INFO_FLAG_MMAP | VFIO_REGION_INFO_FLAG_CAPS;
        if (area->read_only)
                info->flags &= ~(uint32_t)VFIO_REGION_INFO_FLAG_WRITE; /* else the client maps it for writing, and fails */
        info->offset = area->fd_offset - area->offset;
        info->cap_offset = sizeof(*info);
        info->argsz = sizeof(*info) + sizeof(sparse) + sizeof(sparse_area);
        if (argsz < info->argsz)
                return; /* it asks again, with more room */
        memcpy(reply->payload + sizeof(*info), &sparse, sizeof(sparse));
        memcpy(reply->payload + sizeof(*info) + sizeof(sparse), &sparse_area, sizeof(sparse_area));
        reply->length = info->argsz;
        reply->fd = area->fd;
}

static int get_region_info(struct vpc_function *function, struct server_message *m, struct server_reply *reply) {
        struct vfio_region_info info;
        struct vpc_area area;

        memcpy(&info, m->payload, sizeof(info));
        if (info.argsz < sizeof(info) || info.index >= REGIONS)
                return -EINVAL;
        info = (struct vfio_region_info){
                .argsz = info.argsz, .index = info.index, .size = vpc_function_region_size(function, info.index)};
        if (info.size)
                info.flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
        reply->length = sizeof(info);
        if (info.size && vpc_function_region_area(function, info.index, &area))
                describe_area(&area, info.size, &info, reply);
        if (!(info.flags & VFIO_REGION_INFO_FLAG_CAPS))
                info.argsz = sizeof(info);
        memcpy(reply->payload, &info, sizeof(info));
        return 0;
}

static int get_irq_info(struct vpc_function *function, struct server_message *m, struct server_reply *reply) {
        struct vfio_irq_info info;

        memcpy(&info, m->payload, sizeof(info));
        if (info.argsz < sizeof(info) || info.index >= IRQS)
                return -EINVAL;
        info = (struct vfio_irq_info){
                .argsz = sizeof(info), .index = info.index, .count = vpc_function_irq_count(function, info.index)};
        if (info.count)
                info.flags = VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_MASKABLE;
        if (info.count && info.index == VFIO_PCI_INTX_IRQ_INDEX)
                info.flags |= VFIO_IRQ_INFO_AUTOMASKED;
        reply_with(reply, &info, sizeof(info));
        return 0;
}

static int irq_action(struct vpc_function *function, uint32_t action, uint32_t index, uint32_t start, uint32_t n) {
        if (action == VFIO_IRQ_SET_ACTION_TRIGGER)
                return vpc_function_irq_trigger(function, index, start, n);
        return vpc_function_irq_mask(function, index, start, n, action == VFIO_IRQ_SET_ACTION_MASK);
}

/* Give vectors their eventfds, or, where none came, take them away. */
static int set_eventfds(struct vpc_function *function, struct server_message *m, const struct vfio_irq_set *set,
                        uint32_t action) {
        int fds[SERVER_FDS_MAX], r = 0;

        if (action !=
            VFIO_IRQ_SET_ACTION_TRIGGER) /* eventfds that tell of masking: only hypervisors in a kernel have a use for them */
                return -ENOTSUP;
        if (m->n_fds) {
                if (m->n_fds != set->count)
                        return -EINVAL;
                for (unsigned int i = 0; i < m->n_fds; i++)
                        fds[i] = take_fd(&m->fds[i]);
                return vpc_function_irq_set(function, set->index, set->start, fds, m->n_fds);
        }
        fds[0] = -1;
        for (uint32_t i = 0; i < set->count && r >= 0; i++)
                r = vpc_function_irq_set(function, set->index, set->start + i, fds, 1);
        return r;
}

static bool is_one_bit(uint32_t flags) {
        return flags && !(flags & (flags - 1));
}

static int set_irqs(struct vpc_function *function, struct server_message *m, struct server_reply *reply) {
        struct vfio_irq_set set;
        const uint8_t *data = m->payload + sizeof(set);
        const size_t data_length = m->length - sizeof(set);
        uint32_t kind = 0, action = 0, vectors = 0;
        int r = 0;

        memcpy(&set, m->payload, sizeof(set));
        kind = set.flags & VFIO_IRQ_SET_DATA_TYPE_MASK;
        action = set.flags & VFIO_IRQ_SET_ACTION_TYPE_MASK;
        if (set.argsz < sizeof(set) || set.flags & ~(VFIO_IRQ_SET_DATA_TYPE_MASK | VFIO_IRQ_SET_ACTION_TYPE_MASK))
                return -EINVAL;
        if (!is_one_bit(kind) || !is_one_bit(action) || set.index >= IRQS)
                return -EINVAL;
        if (data_length != (kind == VFIO_IRQ_SET_DATA_BOOL ? set.count : 0) || (m->n_fds && kind != VFIO_IRQ_SET_DATA_EVENTFD))
                return -EINVAL;
        if (kind == VFIO_IRQ_SET_DATA_NONE && action == VFIO_IRQ_SET_ACTION_TRIGGER && !set.count) {
                if (set.start)
                        return -EINVAL;
                vpc_function_irq_disable(function, set.index);
                return 0;
        }
        vectors = vpc_function_irq_count(function, set.index);
        if (!set.count || set.start >= vectors || set.count > vectors - set.start)
                return -EINVAL;
        if (kind == VFIO_IRQ_SET_DATA_EVENTFD)
                return set_eventfds(function, m, &set, action);
        if (kind == VFIO_IRQ_SET_DATA_NONE)
                return irq_action(function, action, set.index, set.start, set.count);
        for (uint32_t i = 0; i < set.count && r >= 0; i++)
                if (data[i])
                        r = irq_action(function, action, set.index, set.start + i, 1);
        return r;
}

static int region_read(struct vpc_function *function, struct server_message *m, struct server_reply *reply) {
        struct vfio_user_region_access access;
        int r = 0;

        memcpy(&access, m->payload, sizeof(access));
        if (access.count > SERVER_TRANSFER_MAX)
                return -EINVAL;
        r = vpc_function_region_read(function, access.region, access.offset, reply->payload + sizeof(access), access.count);
        if (r < 0)
                return r;
        memcpy(reply->payload, &access, sizeof(access));
        reply->length = sizeof(access) + access.count;
        return 0;
}

static int region_write(struct vpc_function *function, struct server_message *m, struct server_reply *reply) {
        struct vfio_user_region_access access;
        int r = 0;

        memcpy(&access, m->payload, sizeof(access));
        if (access.count != m->length - sizeof(access))
                return -EINVAL;
        r = vpc_function_region_write(function, access.region, access.offset, m->payload + sizeof(access), access.count);
        if (r >= 0)
                reply_with(reply, &access, sizeof(access));
        return r;
}

static int region_write_multi(struct vpc_function *function, struct server_message *m, struct server_reply *reply) {
        uint64_t n = 0;
        int quiesce = 0;

        memcpy(&n, m->payload, sizeof(n));
        if ((m->length - sizeof(n)) % sizeof(struct write_one) || n != (m->length - sizeof(n)) / sizeof(struct write_one))
                return -EINVAL;
        for (uint64_t i = 0; i < n; i++) {
                struct write_one one;
                int r = -EINVAL;

                memcpy(&one, m->payload + sizeof(n) + i * sizeof(one), sizeof(one));
                if (one.count <= sizeof(one.data))
                        r = vpc_function_region_write(function, one.region, one.offset, one.data, one.count);
                if (r < 0)
                        return r;
                quiesce |= r;
        }
        reply_with(reply, &n, sizeof(n));
        return quiesce;
}

static int device_reset(struct vpc_function *function, struct server_message *m, struct server_reply *reply) {
        vpc_function_reset(function, VPC_RESET_BUS);
        return VPC_QUIESCE_FIRST;
}

static const struct {
        server_handler handler;
        uint32_t min, max; /* bytes of payload */
        bool takes_fds;
} commands[] = {
        [VFIO_USER_VERSION] = {server_version, sizeof(struct vfio_user_version),
                               sizeof(struct vfio_user_version) + VERSION_TEXT_MAX, false},
        [VFIO_USER_DMA_MAP] = {dma_map, sizeof(struct vfio_user_dma_map), sizeof(struct vfio_user_dma_map), true},
        [VFIO_USER_DMA_UNMAP] = {dma_unmap, sizeof(struct vfio_user_dma_unmap), sizeof(struct vfio_user_dma_unmap), true},
        /* <linux/vfio.h> has made these structs grow; what lies behind the part that vfio-user knows is not looked at. */
        [VFIO_USER_DEVICE_GET_INFO] = {get_info, sizeof(struct device_info), 64, false},
        [VFIO_USER_DEVICE_GET_REGION_INFO] = {get_region_info, sizeof(struct vfio_region_info), 4096, false},
        [VFIO_USER_DEVICE_GET_IRQ_INFO] = {get_irq_info, sizeof(struct vfio_irq_info), sizeof(struct vfio_irq_info), false},
        [VFIO_USER_DEVICE_SET_IRQS] = {set_irqs, sizeof(struct vfio_irq_set), sizeof(struct vfio_irq_set) + VPC_MSIX_MAX, true},
        [VFIO_USER_REGION_READ] = {region_read, sizeof(struct vfio_user_region_access), sizeof(struct vfio_user_region_access),
                                   false},
        [VFIO_USER_REGION_WRITE] = {region_write, sizeof(struct vfio_user_region_access),
                                    sizeof(struct vfio_user_region_access) + SERVER_TRANSFER_MAX, false},
        [VFIO_USER_DEVICE_RESET] = {device_reset, 0, 0, false},
        [VFIO_USER_REGION_WRITE_MULTI] = {region_write_multi, sizeof(uint64_t), SERVER_TRANSFER_MAX, false},
};

int server_handle(struct vpc_function *function, unsigned int command, struct server_message *message,
                  struct server_reply *reply) {
        if (command >= ARRAY_LENGTH(commands) || !commands[command].handler)
                return -ENOTSUP;
        if (message->length < commands[command].min || message->length > commands[command].max)
                return -EINVAL;
        if (message->n_fds && !commands[command].takes_fds)
                return -EINVAL;
        return commands[command].handler(function, message, reply);
}
