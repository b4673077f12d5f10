/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two servers at once, that share nothing or what they must not: the isolation check has something to find. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench/hostile.h"
#include "bench/measure.h"
#include "bench/nvme-host.h"
#include "util.h"

#define MEMORY (1u << 20)
#define SHARED_IOVA UINT64_C(0x80000000)

/* The second server gives out a part of the first one's memory as its own. */
static int share_memory(const struct nvme_host *first, struct nvme_host *second) {
        struct vfio_user_dma_map map = {
                .argsz = sizeof(map), .flags = 3, .offset = 0x40000, .address = SHARED_IOVA, .size = 0x10000};
        struct vfio_user_call call = {
                .command = VFIO_USER_DMA_MAP, .request = &map, .request_size = sizeof(map), .fds = &first->memory_fd, .n_fds = 1};

        return vfio_user_client_call(second->client, &call);
}

/* The second server gives its admin queue the interrupt of the first one's I/O queue. */
static int share_eventfd(const struct nvme_host *first, struct nvme_host *second) {
        struct vfio_irq_set set = {.argsz = sizeof(set),
                                   .flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
                                   .index = VFIO_PCI_MSIX_IRQ_INDEX,
                                   .count = 1};
        struct vfio_user_call call = {.command = VFIO_USER_DEVICE_SET_IRQS,
                                      .request = &set,
                                      .request_size = sizeof(set),
                                      .fds = &first->io.eventfd,
                                      .n_fds = 1};

        return vfio_user_client_call(second->client, &call);
}

int share(const char *path, const char *how, const char *other) {
        struct nvme_host first, second;
        char byte;

        if (nvme_host_open(&first, path, MEMORY, 32, true) < 0 || nvme_host_open(&second, other, MEMORY, 32, true) < 0)
                return 1;
        int r = strcmp(how, "memory") == 0    ? share_memory(&first, &second)
                : strcmp(how, "eventfd") == 0 ? share_eventfd(&first, &second)
                                              : 0;
        if (r < 0)
                measure_die("%s: %s", how, strerror(-r));
        puts("ready");
        fflush(stdout);
        while (read(STDIN_FILENO, &byte, 1) > 0)
                ;
        nvme_host_close(&first);
        nvme_host_close(&second);
        return 0;
}
