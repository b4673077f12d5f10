/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hostile vfio-user messages: each gets an error reply or a closed connection, within a second, and disturbs nobody else. */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "bench/hostile.h"
#include "bench/nvme-host.h"
#include "util.h"

#define PATIENCE_MS 2000

enum outcome { REPLIED, REFUSED, CLOSED, SILENT };
static const char *const outcomes[] = {"a reply", "an error reply", "closed", "silence"};

static int raw_connect(const char *path) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0 || field_set(address.sun_path, sizeof(address.sun_path), path) < 0 ||
            connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
                return -1;
        return take_fd(&fd);
}

static void raw_send(int fd, const void *bytes, size_t size, const int *fds, unsigned int n_fds) {
        struct iovec iov = {(void *)bytes, size};
        struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(sizeof(int) * 64)];
        } control;

        if (n_fds) {
                memset(&control, 0, sizeof(control));
                m.msg_control = &control;
                m.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
                struct cmsghdr *cmsg = CMSG_FIRSTHDR(&m);
                cmsg->cmsg_level = SOL_SOCKET;
                cmsg->cmsg_type = SCM_RIGHTS;
                cmsg->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
                memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * n_fds);
        }
        sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* What comes back: the first message's kind. */
static enum outcome raw_outcome(int fd) {
        struct vfio_user_header h = {0};
        char rest[4096];
        size_t got = 0;

        while (got < sizeof(h)) {
                struct pollfd p = {.fd = fd, .events = POLLIN};

                if (poll(&p, 1, PATIENCE_MS) <= 0)
                        return SILENT;
                ssize_t n = recv(fd, (char *)&h + got, sizeof(h) - got, 0);
                if (n <= 0)
                        return CLOSED;
                got += (size_t)n;
        }
        recv(fd, rest, sizeof(rest), MSG_DONTWAIT);
        return h.flags & VFIO_USER_ERROR ? REFUSED : REPLIED;
}

static enum outcome raw_message(int fd, unsigned int command, uint32_t size, const void *payload, size_t payload_size,
                                const int *fds, unsigned int n_fds) {
        unsigned char message[512] = "";
        struct vfio_user_header h = {.id = 1, .command = (uint16_t)command, .size = size};

        memcpy(message, &h, sizeof(h));
        if (payload_size)
                memcpy(message + sizeof(h), payload, payload_size);
        raw_send(fd, message, sizeof(h) + payload_size, fds, n_fds);
        return raw_outcome(fd);
}

static int raw_open(const char *path) {
        static const struct {
                struct vfio_user_version version;
                char json[3];
        } version = {{0, 0}, "{}"};
        int fd = -1;

        for (unsigned int i = 0; i < 1000; i++) { /* the one before may not be buried yet */
                fd = raw_connect(path);
                if (fd < 0 || raw_message(fd, VFIO_USER_VERSION, 16 + 7, &version, 7, NULL, 0) == REPLIED)
                        return fd;
                close(fd);
                nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        }
        return -1;
}

struct bad_message {
        const char *what;
        unsigned int command;
        uint32_t size; /* in the header; 0: what is right */
        size_t payload_size;
        uint64_t payload[5];
};

#define ACCESS(region, count) ((uint64_t)(count) << 32 | (region))
#define ARGSZ(flags, argsz) ((uint64_t)(flags) << 32 | (argsz))

/* After a VERSION that was agreed on. Sizes are those of the messages unless a case is about them. */
static const struct bad_message bad_messages[] = {
        {"a message shorter than its header", VFIO_USER_REGION_READ, 15, 0, {0}},
        {"a message of 0 bytes", VFIO_USER_REGION_READ, UINT32_C(1), 0, {0}},
        {"a message of 4 GiB", VFIO_USER_REGION_WRITE, UINT32_MAX, 16, {0}},
        {"an unknown command", 99, 0, 0, {0}},
        {"command 0", 0, 0, 0, {0}},
        {"a DMA_READ from the client", VFIO_USER_DMA_READ, 0, 16, {0, 16}},
        {"VERSION again", VFIO_USER_VERSION, 0, 8, {0}},
        {"REGION_READ without its struct", VFIO_USER_REGION_READ, 0, 8, {0}},
        {"REGION_READ of 4 GiB", VFIO_USER_REGION_READ, 0, 16, {0, ACCESS(0, UINT32_MAX)}},
        {"REGION_READ of more than BAR0", VFIO_USER_REGION_READ, 0, 16, {0x3ffc, ACCESS(0, 8)}},
        {"REGION_READ that wraps", VFIO_USER_REGION_READ, 0, 16, {UINT64_MAX - 3, ACCESS(0, 8)}},
        {"REGION_READ of region 99", VFIO_USER_REGION_READ, 0, 16, {0, ACCESS(99, 4)}},
        {"REGION_READ of region 2^32 - 1", VFIO_USER_REGION_READ, 0, 16, {0, ACCESS(UINT32_MAX, 4)}},
        {"REGION_WRITE without data", VFIO_USER_REGION_WRITE, 0, 16, {0x14, ACCESS(0, 4)}},
        {"REGION_WRITE of more data than came", VFIO_USER_REGION_WRITE, 0, 24, {0x14, ACCESS(0, 4096), 0}},
        {"REGION_WRITE of less data than came", VFIO_USER_REGION_WRITE, 0, 24, {0x14, ACCESS(0, 4), 0}},
        {"REGION_WRITE past configuration space", VFIO_USER_REGION_WRITE, 0, 24, {4094, ACCESS(7, 8), 0}},
        {"GET_REGION_INFO of region 4000", VFIO_USER_DEVICE_GET_REGION_INFO, 0, 32, {ARGSZ(0, 32), 4000, 0, 0}},
        {"GET_REGION_INFO with an argsz of 4", VFIO_USER_DEVICE_GET_REGION_INFO, 0, 32, {ARGSZ(0, 4), 0, 0, 0}},
        {"GET_INFO with an argsz of 1", VFIO_USER_DEVICE_GET_INFO, 0, 16, {ARGSZ(0, 1), 0}},
        {"GET_IRQ_INFO of type 77", VFIO_USER_DEVICE_GET_IRQ_INFO, 0, 16, {ARGSZ(0, 16), 77}},
        {"SET_IRQS without its struct", VFIO_USER_DEVICE_SET_IRQS, 0, 8, {ARGSZ(0, 8)}},
        {"SET_IRQS for 2^32 - 1 vectors", VFIO_USER_DEVICE_SET_IRQS, 0, 20, {ARGSZ(0x24, 20), 2, UINT32_MAX}},
        {"SET_IRQS from vector 2^32 - 1 on",
         VFIO_USER_DEVICE_SET_IRQS,
         0,
         20,
         {ARGSZ(0x24, 20), 2 | (uint64_t)UINT32_MAX << 32, 2}},
        {"SET_IRQS of type 9", VFIO_USER_DEVICE_SET_IRQS, 0, 20, {ARGSZ(0x24, 20), 9, 1}},
        {"SET_IRQS with all flags", VFIO_USER_DEVICE_SET_IRQS, 0, 20, {ARGSZ(UINT32_MAX, 20), 2, 1}},
        {"SET_IRQS with booleans that did not come", VFIO_USER_DEVICE_SET_IRQS, 0, 20, {ARGSZ(0x22, 20), 2, 9}},
        {"DMA_MAP without its struct", VFIO_USER_DMA_MAP, 0, 8, {ARGSZ(3, 32)}},
        {"DMA_MAP that wraps", VFIO_USER_DMA_MAP, 0, 32, {ARGSZ(3, 32), 0, UINT64_MAX & ~0xfffull, 8192}},
        {"DMA_MAP of nothing", VFIO_USER_DMA_MAP, 0, 32, {ARGSZ(3, 32), 0, 4096, 0}},
        {"DMA_MAP of an odd size", VFIO_USER_DMA_MAP, 0, 32, {ARGSZ(3, 32), 0, 4096, 100}},
        {"DMA_MAP at an odd address", VFIO_USER_DMA_MAP, 0, 32, {ARGSZ(3, 32), 0, 100, 4096}},
        {"DMA_UNMAP of what is not mapped", VFIO_USER_DMA_UNMAP, 0, 24, {ARGSZ(0, 24), 4096, 4096}},
        {"DMA_UNMAP without its struct", VFIO_USER_DMA_UNMAP, 0, 8, {ARGSZ(0, 24)}},
        {"REGION_WRITE_MULTI, which was not granted", VFIO_USER_REGION_WRITE_MULTI, 0, 8, {1}},
};

static void run_bad_messages(const char *path) {
        for (size_t i = 0; i < ARRAY_LENGTH(bad_messages); i++) {
                const struct bad_message *bad = &bad_messages[i];
                CLEANUP_CLOSE int fd = raw_open(path);

                if (fd < 0) {
                        tap(false, "connect for: %s", bad->what);
                        return;
                }
                enum outcome outcome = raw_message(fd, bad->command, bad->size ? bad->size : (uint32_t)(16 + bad->payload_size),
                                                   bad->payload, bad->payload_size, NULL, 0);
                tap(outcome == REFUSED || outcome == CLOSED, "%s: %s", bad->what, outcomes[outcome]);
        }
}

static void before_version(const char *path) {
        static const uint64_t access[2] = {0, ACCESS(0, 8)};
        static const struct vfio_user_version newer = {1, 0};
        static const unsigned char endless[4 + 4] = {0, 0, 0, 0, '{', '}', '!', '!'};
        int fd = raw_connect(path);
        enum outcome outcome = raw_message(fd, VFIO_USER_REGION_READ, 32, access, sizeof(access), NULL, 0);

        tap(outcome == REFUSED || outcome == CLOSED, "REGION_READ before VERSION: %s", outcomes[outcome]);
        close(fd);
        fd = raw_connect(path);
        outcome = raw_message(fd, VFIO_USER_VERSION, 16 + sizeof(newer), &newer, sizeof(newer), NULL, 0);
        tap(outcome == REFUSED || outcome == CLOSED, "VERSION 1.0: %s", outcomes[outcome]);
        close(fd);
        fd = raw_connect(path);
        outcome = raw_message(fd, VFIO_USER_VERSION, 16 + sizeof(endless), endless, sizeof(endless), NULL, 0);
        tap(outcome == REFUSED || outcome == CLOSED, "VERSION with capabilities that do not end: %s", outcomes[outcome]);
        close(fd);
}

/* A window whose file ends before it does: SIGBUS in the worker, if it is not careful. */
static void short_file(const char *path) {
        struct nvme_host h;
        struct nvme_host_command command = {.opcode = NVME_ADMIN_IDENTIFY, .cdw10 = 1};
        struct nvme_host_completion completion = {0};
        CLEANUP_CLOSE int memory = memfd_create("short", MFD_CLOEXEC);
        struct vfio_user_dma_map map = {.argsz = sizeof(map), .flags = 3, .address = UINT64_C(0x40000000), .size = 1 << 20};
        struct vfio_user_call call = {
                .command = VFIO_USER_DMA_MAP, .request = &map, .request_size = sizeof(map), .fds = &memory, .n_fds = 1};

        if (memory < 0 || nvme_host_open(&h, path, 1 << 20, 32, false) < 0) {
                tap(false, "connect for a file that is too short");
                return;
        }
        int r = vfio_user_client_call(h.client, &call); /* may be refused, which is best */
        command.prp1 = map.address + 8192;
        int run = nvme_host_run(&h, &h.admin, &command, &completion);
        tap(r < 0 || run < 0 || NVME_HOST_STATUS(&completion) != 0,
            "Identify to memory past the end of its file: map %s, status 0x%03x", strerror(-r), NVME_HOST_STATUS(&completion));
        nvme_host_close(&h);
        tap(smoke(path), "works after: memory past the end of its file");
}

/* A window whose file is cut off after it was mapped. */
static void cut_file(const char *path) {
        struct nvme_host h;
        struct nvme_host_command command;
        struct nvme_host_completion completion = {0};
        CLEANUP_CLOSE int memory = memfd_create("cut", MFD_CLOEXEC);
        struct vfio_user_dma_map map = {.argsz = sizeof(map), .flags = 3, .address = UINT64_C(0x40000000), .size = 1 << 20};
        struct vfio_user_call call = {
                .command = VFIO_USER_DMA_MAP, .request = &map, .request_size = sizeof(map), .fds = &memory, .n_fds = 1};

        if (memory < 0 || ftruncate(memory, 1 << 20) < 0 || nvme_host_open(&h, path, 1 << 20, 32, false) < 0) {
                tap(false, "connect for a file that is cut off");
                return;
        }
        int r = vfio_user_client_call(h.client, &call);
        if (ftruncate(memory, 0) < 0)
                r = -errno;
        nvme_host_rw(&command, NVME_IO_READ, &h, 0, 4096 / h.block_size, map.address + 8192);
        int run = nvme_host_run(&h, &h.io, &command, &completion);
        tap(r >= 0 && (run < 0 || NVME_HOST_STATUS(&completion) != 0), "read to memory that was cut off: %s, status 0x%03x",
            strerror(run < 0 ? -run : 0), NVME_HOST_STATUS(&completion));
        command = (struct nvme_host_command){.opcode = NVME_ADMIN_IDENTIFY, .prp1 = map.address + 8192, .cdw10 = 1};
        completion = (struct nvme_host_completion){0};
        run = nvme_host_run(&h, &h.admin, &command, &completion);
        tap(run < 0 || NVME_HOST_STATUS(&completion) != 0, "Identify to memory that was cut off: %s, status 0x%03x",
            strerror(run < 0 ? -run : 0), NVME_HOST_STATUS(&completion));
        nvme_host_close(&h);
        tap(smoke(path), "works after: memory that was cut off");
}

static void fds_and_maps(const char *path) {
        static const uint64_t map[4] = {ARGSZ(3, 32), 0, 0x10000, 4096};
        uint64_t set_irqs[3] = {ARGSZ(0x24, 20), 2, 1};
        CLEANUP_CLOSE int event = eventfd(0, EFD_CLOEXEC), memory = memfd_create("map", MFD_CLOEXEC);
        int many[64], fd = raw_open(path);

        for (size_t i = 0; i < ARRAY_LENGTH(many); i++)
                many[i] = event;
        if (fd < 0 || ftruncate(memory, 4096) < 0) {
                tap(false, "connect for descriptors");
                return;
        }
        enum outcome first = raw_message(fd, VFIO_USER_DMA_MAP, 48, map, sizeof(map), &memory, 1);
        enum outcome second = raw_message(fd, VFIO_USER_DMA_MAP, 48, map, sizeof(map), &memory, 1);
        tap(first == REPLIED && second == REFUSED, "DMA_MAP over a window: %s, %s", outcomes[first], outcomes[second]);
        first = raw_message(fd, VFIO_USER_DMA_MAP, 48, (const uint64_t[]){ARGSZ(3, 32), 0, 0x20000, 4096}, 32, &event, 1);
        tap(first == REFUSED || first == CLOSED, "DMA_MAP of an eventfd: %s", outcomes[first]);
        close(fd);
        fd = raw_open(path);
        first = raw_message(fd, VFIO_USER_DEVICE_SET_IRQS, 36, set_irqs, 20, many, 64);
        tap(first != SILENT, "SET_IRQS with 64 descriptors for one vector: %s", outcomes[first]);
        close(fd);
        fd = raw_open(path);
        first = raw_message(fd, VFIO_USER_DEVICE_SET_IRQS, 36, set_irqs, 20, &memory, 1);
        tap(first != SILENT, "SET_IRQS with a file for an eventfd: %s", outcomes[first]);
        close(fd);
}

/* Half a message, and then nothing: others must not wait for the rest. */
static void half_messages(const char *path, const char *text, size_t size) {
        struct vfio_user_header h = {.id = 1, .command = VFIO_USER_REGION_WRITE, .size = 64};
        unsigned char bytes[64] = "";
        int fd = raw_open(path);

        memcpy(bytes, &h, sizeof(h));
        raw_send(fd, bytes, size, NULL, 0);
        close_fd(&fd);
        tap(fd >= 0 && smoke(path), "works after: %s", text);
}

static void second_client(const char *path) {
        struct nvme_host h, other;
        uint64_t value = 0;

        if (nvme_host_open(&h, path, 1 << 20, 32, false) < 0) {
                tap(false, "connect for a second client");
                return;
        }
        int r = nvme_host_connect(&other, path, 1 << 20);
        nvme_host_close(&other);
        tap(r < 0 && nvme_host_read64(&h, NVME_REG_CAP, &value) >= 0 && value == h.cap,
            "a second client is turned away, the first goes on: %s", strerror(-r));
        nvme_host_close(&h);
        tap(smoke(path), "works after: a second client");
}

void hostile_messages(const char *path) {
        run_bad_messages(path);
        before_version(path);
        tap(smoke(path), "works after: bad messages");
        fds_and_maps(path);
        tap(smoke(path), "works after: bad descriptors");
        half_messages(path, "half a header", 7);
        half_messages(path, "half a message", 40);
        second_client(path);
        short_file(path);
        cut_file(path);
}
