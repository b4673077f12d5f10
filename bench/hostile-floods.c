/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A hostile server that floods, half-closes, maps and unmaps under I/O, and points queues and lists at themselves. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "bench/hostile.h"
#include "bench/nvme-host.h"
#include "util.h"

#define MEMORY (1u << 20)
#define DATA (NVME_HOST_IOVA + 0x80000)
#define OTHER UINT64_C(0x40000000)
#define READS 31

static int unmap(struct nvme_host *h, uint64_t address, uint64_t size) {
        struct vfio_user_dma_unmap request = {.argsz = sizeof(request), .address = address, .size = size}, reply;
        struct vfio_user_call call = {.command = VFIO_USER_DMA_UNMAP,
                                      .request = &request,
                                      .request_size = sizeof(request),
                                      .reply = &reply,
                                      .reply_size = sizeof(reply)};

        return vfio_user_client_call(h->client, &call);
}

static int map(struct nvme_host *h, uint64_t address, uint64_t size, int fd) {
        struct vfio_user_dma_map request = {.argsz = sizeof(request), .flags = 3, .address = address, .size = size};
        struct vfio_user_call call = {
                .command = VFIO_USER_DMA_MAP, .request = &request, .request_size = sizeof(request), .fds = &fd, .n_fds = fd >= 0};

        return vfio_user_client_call(h->client, &call);
}

static void put_reads(struct nvme_host *h, uint64_t iova) {
        struct nvme_host_command command;

        for (unsigned int i = 0; i < READS; i++) {
                nvme_host_rw(&command, NVME_IO_READ, h, 0, 4096 / h->block_size, iova + (uint64_t)i * 4096);
                command.cid = (uint16_t)i;
                nvme_host_put(&h->io, &command);
        }
        nvme_host_ring(h, &h->io);
}

/* Take what was submitted, however it ended; false: some of it never did. */
static bool take_reads(struct nvme_host *h) {
        struct nvme_host_completion completion;

        for (unsigned int n = 0; n < READS; n++) {
                if (nvme_host_wait(h, &h->io) < 0)
                        return false;
                nvme_host_take(&h->io, &completion);
                nvme_host_ack(h, &h->io);
        }
        return true;
}

/* ---- floods ---- */

/* Requests without end, whose replies are never read: the vAdapter stops taking them, and holds no more of them than it must. */
static void reads_unread(struct nvme_host *h) {
        static struct {
                struct vfio_user_header header;
                struct vfio_user_region_access access;
        } messages[512];
        const int fd = vfio_user_client_fd(h->client);
        size_t sent = 0;

        for (unsigned int i = 0; i < ARRAY_LENGTH(messages); i++) {
                messages[i].header = (struct vfio_user_header){
                        .id = (uint16_t)i, .command = VFIO_USER_REGION_READ, .size = sizeof(messages[i])};
                messages[i].access = (struct vfio_user_region_access){.region = VFIO_PCI_CONFIG_REGION_INDEX, .count = 4096};
        }
        for (;;) {
                struct pollfd p = {.fd = fd, .events = POLLOUT};
                ssize_t n = send(fd, messages, sizeof(messages), MSG_DONTWAIT | MSG_NOSIGNAL);

                if (n > 0)
                        sent += (size_t)n;
                else if (errno != EAGAIN || poll(&p, 1, 300) <= 0)
                        break;
                if (sent > 64u << 20)
                        break;
        }
        tap(sent < 64u << 20, "requests whose replies are not read are no longer taken after %zu KiB", sent / 1024);
}

static void posted_writes(struct nvme_host *h) {
        uint64_t value = 0;
        int r = 0;

        for (unsigned int i = 0; i < 100000 && r >= 0; i++)
                r = nvme_host_doorbell(h, 1 + i % 3, i & 1, 0xffff0000u | i);
        r = r < 0 ? r : nvme_host_read64(h, NVME_REG_CAP, &value);
        tap(r >= 0 && value == h->cap, "a register is still read behind 100000 posted doorbells: %s", strerror(r < 0 ? -r : 0));
}

static void windows_without_end(struct nvme_host *h) {
        CLEANUP_CLOSE int memory = memfd_create("window", MFD_CLOEXEC);
        struct nvme_host_command command;
        struct nvme_host_completion completion = {0};
        unsigned int n = 0;
        int r = ftruncate(memory, 4096);

        /* Every second one has the same page behind it: memory is mapped until the kernel does not want to any more. */
        for (; n < 200000 && r >= 0; n++)
                r = map(h, OTHER + (uint64_t)n * 8192, 4096, n & 1 ? memory : -1);
        tap(r < 0 && n > 1000, "windows come to an end, at %u: %s", n, strerror(r < 0 ? -r : 0));
        nvme_host_rw(&command, NVME_IO_READ, h, 0, 4096 / h->block_size, DATA);
        r = nvme_host_run(h, &h->io, &command, &completion);
        tap(r >= 0 && NVME_HOST_STATUS(&completion) == 0, "and the vAdapter reads on: %s", strerror(r < 0 ? -r : 0));
}

/* More connections than a process may have files, none of which says a word. */
static void silent_connections(const char *path) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        struct nvme_host h;
        int fds[1500];
        unsigned int n = 0;
        uint64_t value = 0;
        bool good = true;

        if (nvme_host_open(&h, path, MEMORY, 32, false) < 0 || field_set(address.sun_path, sizeof(address.sun_path), path) < 0) {
                tap(false, "connect for silent connections");
                return;
        }
        for (unsigned int tries = 0; n < 900 && tries < 3000 && good; tries++) {
                fds[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
                if (fds[n] < 0)
                        break;
                if (connect(fds[n], (const struct sockaddr *)&address, sizeof(address)) < 0) {
                        close(fds[n]); /* the queue of the listener is full */
                        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
                } else {
                        n++;
                }
                if (tries % 50 == 0)
                        good = nvme_host_read64(&h, NVME_REG_CAP, &value) >= 0 && value == h.cap;
        }
        good = good && nvme_host_read64(&h, NVME_REG_CAP, &value) >= 0 && value == h.cap;
        tap(good && n > 100, "the server that is connected is served beside %u others that say nothing", n);
        /* Those that are one too many are not kept. */
        unsigned int open = 0;
        for (unsigned int i = 0; i < n; i++) {
                struct pollfd p = {.fd = fds[i], .events = POLLIN};

                open += poll(&p, 1, 0) == 0;
                close(fds[i]);
        }
        tap(open < 100, "of which %u are kept waiting", open);
        nvme_host_close(&h);
}

/* ---- half-closed ---- */

static void close_for_writing(struct nvme_host *h) {
        put_reads(h, DATA);
        shutdown(vfio_user_client_fd(h->client), SHUT_WR);
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
}

static void close_for_reading(struct nvme_host *h) {
        uint64_t value = 0;

        shutdown(vfio_user_client_fd(h->client), SHUT_RD);
        put_reads(h, DATA);
        for (unsigned int i = 0; i < 100; i++)
                nvme_host_read64(h, NVME_REG_CAP, &value);
}

/* ---- maps under I/O ---- */

static void remap_under_io(struct nvme_host *h) {
        bool good = true;
        unsigned int i = 0;

        for (; i < 200 && good; i++) {
                CLEANUP_CLOSE int memory = memfd_create("remap", MFD_CLOEXEC);

                good = ftruncate(memory, MEMORY) == 0 && map(h, OTHER, MEMORY, memory) >= 0;
                put_reads(h, OTHER);
                good = good && unmap(h, OTHER, MEMORY) >= 0 && take_reads(h);
        }
        tap(good, "memory mapped and unmapped %u times under %u reads each", i, READS);
}

/* ---- what points at itself ---- */

/* A list page, of which only the last entry counts, which says that the list goes on right there (NVMe 1.4 section 4.3). */
static void list_of_itself(struct nvme_host *h) {
        struct nvme_host_command command;
        struct nvme_host_completion completion = {0};
        uint64_t list_iova = 0;
        uint64_t *list = nvme_host_alloc(h, 4096, &list_iova);

        if (!list) {
                tap(false, "memory for a list");
                return;
        }
        for (unsigned int i = 0; i < 512; i++)
                list[i] = list_iova + 0xff8;
        nvme_host_rw(&command, NVME_IO_READ, h, 0, 65536 / h->block_size, DATA);
        command.prp2 = list_iova + 0xff8;
        int r = nvme_host_run(h, &h->io, &command, &completion);
        tap(r >= 0 && NVME_HOST_STATUS(&completion) != 0, "a PRP list whose last entry is itself: %s, status 0x%03x",
            strerror(r < 0 ? -r : 0), NVME_HOST_STATUS(&completion));
        for (unsigned int i = 0; i < 512; i++)
                list[i] = list_iova;
        command.prp2 = list_iova;
        r = nvme_host_run(h, &h->io, &command, &completion);
        tap(r >= 0, "a PRP list all of whose entries are itself: status 0x%03x", NVME_HOST_STATUS(&completion));
}

/* What is read lands in the submission queue, and is then taken for commands. */
static void data_into_queue(struct nvme_host *h) {
        struct nvme_host_command command;

        for (unsigned int round = 0; round < 20; round++) {
                nvme_host_rw(&command, NVME_IO_READ, h, round, 4096 / h->block_size, h->io.sq_iova);
                for (unsigned int i = 0; i < h->io.entries; i++)
                        h->io.sq[i] = command;
                nvme_host_doorbell(h, 1, false, round & 1 ? 0 : 31);
        }
}

static void data_into_completions(struct nvme_host *h) {
        put_reads(h, h->io.cq_iova);
        put_reads(h, h->admin.cq_iova);
}

/* Both admin queues are the same memory. */
static void admin_queue_of_itself(struct nvme_host *h) {
        nvme_host_write32(h, NVME_REG_CC, 0);
        memset(h->memory, 0x06, 4096); /* Identify, everywhere */
        nvme_host_write64(h, NVME_REG_ASQ, NVME_HOST_IOVA);
        nvme_host_write64(h, NVME_REG_ACQ, NVME_HOST_IOVA);
        nvme_host_write32(h, NVME_REG_AQA, 31u << 16 | 31);
        nvme_host_write32(h, NVME_REG_CC, 4u << 20 | 6u << 16 | 1);
        for (unsigned int i = 1; i < 64; i++) {
                nvme_host_doorbell(h, 0, false, i % 32);
                nvme_host_doorbell(h, 0, true, i % 32);
        }
}

/* Queues and data in the vAdapter's own BAR, which is no memory of the server's. */
static void own_registers(struct nvme_host *h) {
        const uint64_t bar = 0xfe000000;
        const uint32_t low = (uint32_t)bar, high = 0;

        vfio_user_client_write(h->client, VFIO_PCI_CONFIG_REGION_INDEX, 0x10, &low, sizeof(low), false);
        vfio_user_client_write(h->client, VFIO_PCI_CONFIG_REGION_INDEX, 0x14, &high, sizeof(high), false);
        put_reads(h, bar + 0x1000);
        tap(take_reads(h), "reads into its own doorbells end");
        nvme_host_write32(h, NVME_REG_CC, 0);
        nvme_host_write64(h, NVME_REG_ASQ, bar);
        nvme_host_write64(h, NVME_REG_ACQ, bar + 0x1000);
        nvme_host_write32(h, NVME_REG_CC, 4u << 20 | 6u << 16 | 1);
        nvme_host_doorbell(h, 0, false, 1);
}

void hostile_floods(const char *path) {
        static const struct hostile_act acts[] = {
                {"requests whose replies are not read", reads_unread},
                {"a flood of posted writes", posted_writes},
                {"windows without end", windows_without_end},
                {"a connection closed for writing under I/O", close_for_writing},
                {"a connection closed for reading", close_for_reading},
                {"maps under I/O", remap_under_io},
                {"lists that point at themselves", list_of_itself},
                {"data read into the submission queue", data_into_queue},
                {"data read into completion queues", data_into_completions},
                {"an admin queue that is its own completion queue", admin_queue_of_itself},
                {"queues in the vAdapter's own registers", own_registers},
        };

        hostile_acts(path, acts, ARRAY_LENGTH(acts));
        silent_connections(path);
        tap(smoke(path), "works after: silent connections");
}
