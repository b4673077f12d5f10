/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fake appliance: a plain blocking vfio-user server. */
#include "fake-appliance.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#include "util.h"
#include "vfio-user/protocol.h"

#define ROOM 4096u /* rows of each table of the fake at most, where the map allows them */

static void put32(unsigned char *bar, uint64_t offset, uint32_t value) {
        memcpy(bar + offset, &value, sizeof(value));
}

static uint64_t get(const unsigned char *bar, uint64_t offset, size_t size) {
        uint64_t value = 0;

        memcpy(&value, bar + offset, size);
        return value;
}

struct iov_table *fake_directory(struct fake *f) {
        return (struct iov_table *)(void *)(f->bar2 + IOV_REG_TABLE_DIRECTORY);
}

void *fake_row(struct fake *f, enum iov_kind kind, unsigned int row) {
        struct iov_table *t = &fake_directory(f)[kind];

        if (row >= t->rows)
                t->rows = row + 1;
        return f->bar2 + t->offset + (uint64_t)row * t->record_size;
}

void fake_init(struct fake *f) {
        memset(f, 0, sizeof(*f));
        f->fd = -1;
        f->device_flags = 2;
        f->n_regions = 9;
        f->bar0 = calloc(1, IOV_BAR0_SIZE);
        f->bar2_fd = memfd_create("fake-bar2", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (!f->bar0 || f->bar2_fd < 0 || ftruncate(f->bar2_fd, IOV_BAR2_SIZE) < 0)
                abort();
        f->bar2 = mmap(NULL, IOV_BAR2_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, f->bar2_fd, 0);
        if (f->bar2 == MAP_FAILED)
                abort();
        put32(f->bar0, IOV_REG_MAGIC, IOV_MAGIC);
        put32(f->bar0, IOV_REG_VERSION, IOV_VERSION_MAJOR << 16 | IOV_VERSION_MINOR);
        put32(f->bar0, IOV_REG_STATUS, 1);
        put32(f->bar0, IOV_REG_LINKS, 16);
        put32(f->bar0, IOV_REG_SLOTS, 8);
        put32(f->bar0, IOV_REG_MB_CAPS, IOV_MB_PAYLOAD_SHIFT);
        put32(f->bar2, IOV_REG_TABLE_MAGIC, IOV_TABLE_MAGIC);
        put32(f->bar2, IOV_REG_TABLE_COUNT, IOV_KIND_COUNT);
        uint64_t offset = 4096;
        for (unsigned int k = 0; k < IOV_KIND_COUNT; k++) {
                const struct iov_record_info *info = iov_records_get((enum iov_kind)k);
                struct iov_table *t = &fake_directory(f)[k];

                *t = (struct iov_table){.offset = k == IOV_KIND_TABLE ? IOV_REG_TABLE_DIRECTORY : offset,
                                        .record_size = info->size,
                                        .max = info->max < ROOM ? info->max : ROOM,
                                        .rows = k == IOV_KIND_TABLE ? IOV_KIND_COUNT : 0};
                if (k != IOV_KIND_TABLE)
                        offset += (uint64_t)t->max * t->record_size;
        }
}

void fake_free(struct fake *f) {
        munmap(f->bar2, IOV_BAR2_SIZE);
        close(f->bar2_fd);
        free(f->bar0);
}

static bool receive_all(int fd, void *buffer, size_t size) {
        for (size_t done = 0; done < size;) {
                ssize_t n = recv(fd, (char *)buffer + done, size - done, 0);

                if (n <= 0)
                        return false;
                done += (size_t)n;
        }
        return true;
}

static bool send_fds(int fd, const void *buffer, size_t size, const int *fds, unsigned int n_fds) {
        struct iovec iov = {(void *)buffer, size};
        struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(sizeof(int) * 4)];
        } control = {0};

        if (n_fds) {
                m.msg_control = &control;
                m.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
                struct cmsghdr *cmsg = CMSG_FIRSTHDR(&m);
                cmsg->cmsg_level = SOL_SOCKET;
                cmsg->cmsg_type = SCM_RIGHTS;
                cmsg->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
                memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * n_fds);
        }
        return sendmsg(fd, &m, MSG_NOSIGNAL) == (ssize_t)size;
}

/* Wait for the client to give up. */
static bool hang(int fd) {
        char c;

        while (recv(fd, &c, 1, 0) > 0)
                ;
        return false;
}

static bool drip(int fd, const unsigned char *message, size_t size) {
        for (size_t i = 0; i < size; i++) {
                nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
                if (send(fd, message + i, 1, MSG_NOSIGNAL) != 1)
                        return false;
        }
        return true;
}

/* Send a reply, with the lie that is due in it. `message` has room behind it. */
static bool reply_lying(struct fake *f, int fd, unsigned char *message, size_t size, const int *fds, unsigned int n_fds) {
        struct vfio_user_header h;
        int lies[] = {fd, fd};

        memcpy(&h, message, sizeof(h));
        switch (f->lie) {
        case FAKE_WRONG_ID:
                h.id++;
                break;
        case FAKE_WRONG_COMMAND:
                h.command = VFIO_USER_DMA_MAP;
                break;
        case FAKE_NOT_A_REPLY:
                h.flags = VFIO_USER_TYPE_COMMAND;
                break;
        case FAKE_TOO_SHORT:
                h.size = (uint32_t)--size;
                break;
        case FAKE_TOO_LONG:
                h.size = (uint32_t)++size;
                break;
        case FAKE_HUGE:
                h.size = UINT32_C(0x80000000);
                break;
        case FAKE_TINY:
                h.size = 15;
                break;
        case FAKE_WRONG_ECHO:
                for (unsigned int i = 0; i < 16; i++)
                        message[sizeof(h) + i] ^= 0x5a;
                break;
        case FAKE_TWICE:
                memcpy(message, &h, sizeof(h));
                memmove(message + size, message, size);
                size *= 2;
                break;
        case FAKE_ERROR:
        case FAKE_ERROR_ZERO:
                h.flags |= VFIO_USER_ERROR;
                h.error = f->lie == FAKE_ERROR ? ENOSPC : 0;
                h.size = (uint32_t)(size = sizeof(h));
                break;
        case FAKE_CLOSE:
                return false;
        case FAKE_CLOSE_HALFWAY:
                return send(fd, message, size / 2, MSG_NOSIGNAL) < 0;
        case FAKE_HANG:
                return hang(fd);
        case FAKE_HANG_HALFWAY:
                return send(fd, message, size / 2, MSG_NOSIGNAL) > 0 && hang(fd);
        case FAKE_DRIP:
                return drip(fd, message, size);
        case FAKE_FDS:
                fds = lies;
                n_fds = 2;
                break;
        case FAKE_TRUTH:
                break;
        }
        if (f->lie != FAKE_TWICE)
                memcpy(message, &h, sizeof(h));
        return send_fds(fd, message, size, fds, n_fds);
}

static void doorbell(struct fake *f) {
        uint64_t command = get(f->bar0, IOV_REG_MB_COMMAND, 8), status = 0;
        size_t length = 0;

        f->bar0[IOV_REG_MB_CONTROL] = f->doorbell_looks > 0;
        if (f->command)
                status = (uint64_t)f->command(f, command & 0xffff, f->bar0 + IOV_REG_MB_PAYLOAD, &length) << 32;
        else
                status = (uint64_t)IOV_RET_UNSUPPORTED << 32;
        command = (command & 0xffff) | (uint64_t)length << 16;
        memcpy(f->bar0 + IOV_REG_MB_COMMAND, &command, 8);
        memcpy(f->bar0 + IOV_REG_MB_STATUS, &status, 8);
}

/* Returns the size of the payload of the reply, -1: an error reply. */
static ssize_t region_access(struct fake *f, bool is_write, unsigned char *payload, size_t size) {
        struct vfio_user_region_access a;
        unsigned char *data = payload + sizeof(a);

        memcpy(&a, payload, sizeof(a));
        uint64_t limit = a.region == 0 ? IOV_BAR0_SIZE : a.region == 2 ? IOV_BAR2_SIZE : 0;
        if (a.count > 65536 || a.offset > limit || a.count > limit - a.offset || (is_write && size != sizeof(a) + a.count))
                return -1;
        unsigned char *bar = (a.region == 0 ? f->bar0 : f->bar2) + a.offset;
        if (is_write) {
                f->n_writes++;
                memcpy(bar, data, a.count);
                if (a.region == 0 && a.offset == IOV_REG_MB_CONTROL && (data[0] & 1))
                        doorbell(f);
                return sizeof(a);
        }
        f->n_reads++;
        if (a.region == 2 && f->before_table_read)
                f->before_table_read(f, a.offset);
        memcpy(data, bar, a.count);
        if (a.region == 0 && a.offset == IOV_REG_MB_CONTROL && f->doorbell_looks && --f->doorbell_looks == 0)
                f->bar0[IOV_REG_MB_CONTROL] = 0;
        return (ssize_t)(sizeof(a) + a.count);
}

static size_t region_info(struct fake *f, unsigned char *payload, int *fds, unsigned int *n_fds) {
        struct vfio_region_info info;

        memcpy(&info, payload, sizeof(info));
        info.argsz = sizeof(info);
        info.flags = VFIO_REGION_INFO_FLAG_READ;
        info.size = info.index == 0 ? IOV_BAR0_SIZE : info.index == 2 ? IOV_BAR2_SIZE : 0;
        if (info.index == 0)
                info.flags |= VFIO_REGION_INFO_FLAG_WRITE;
        if (info.index != 2 || !f->map) {
                memcpy(payload, &info, sizeof(info));
                return sizeof(info);
        }
        info.flags |= VFIO_REGION_INFO_FLAG_MMAP;
        if (f->region_caps_size) {
                info.flags |= VFIO_REGION_INFO_FLAG_CAPS;
                info.cap_offset = f->region_cap_offset;
        }
        if (f->sealed)
                fcntl(f->bar2_fd, F_ADD_SEALS, F_SEAL_SHRINK);
        fds[(*n_fds)++] = f->bar2_fd;
        memcpy(payload, &info, sizeof(info));
        memcpy(payload + sizeof(info), f->region_caps, f->region_caps_size);
        return sizeof(info) + f->region_caps_size;
}

static ssize_t handle(struct fake *f, unsigned int command, unsigned char *payload, size_t size, int *fds, unsigned int *n_fds) {
        struct vfio_user_version version = {f->major, f->minor};
        uint32_t info[4] = {16, f->device_flags, f->n_regions, 5};

        switch (command) {
        case VFIO_USER_VERSION:
                memcpy(payload, &version, sizeof(version));
                if (!f->capabilities)
                        return sizeof(version);
                memcpy(payload + sizeof(version), f->capabilities, strlen(f->capabilities) + 1);
                return (ssize_t)(sizeof(version) + strlen(f->capabilities) + 1);
        case VFIO_USER_DEVICE_GET_INFO:
                memcpy(payload, info, sizeof(info));
                return sizeof(info);
        case VFIO_USER_DEVICE_GET_REGION_INFO:
                return (ssize_t)region_info(f, payload, fds, n_fds);
        case VFIO_USER_REGION_READ:
        case VFIO_USER_REGION_WRITE:
                return region_access(f, command == VFIO_USER_REGION_WRITE, payload, size);
        default:
                return -1;
        }
}

void fake_serve(struct fake *f, int fd) {
        /* twice the largest message, for the reply that is sent twice */
        CLEANUP_FREE unsigned char *message = malloc(300000);
        unsigned int matches = 0;
        bool going = message != NULL;

        while (going) {
                struct vfio_user_header h;
                int fds[4];
                unsigned int n_fds = 0;

                if (!receive_all(fd, &h, sizeof(h)) || h.size < sizeof(h) || h.size > 140000 ||
                    !receive_all(fd, message + sizeof(h), h.size - sizeof(h)))
                        return;
                f->n_messages++;
                ssize_t size = handle(f, h.command, message + sizeof(h), h.size - sizeof(h), fds, &n_fds);
                if (h.flags & VFIO_USER_NO_REPLY)
                        continue;
                h.flags = VFIO_USER_TYPE_REPLY | (size < 0 ? VFIO_USER_ERROR : 0);
                h.error = size < 0 ? EINVAL : 0;
                h.size = (uint32_t)(sizeof(h) + (size < 0 ? 0 : (size_t)size));
                memcpy(message, &h, sizeof(h));
                if (f->lie != FAKE_TRUTH && h.command == f->lie_command && matches++ == f->lie_at)
                        going = reply_lying(f, fd, message, h.size, fds, n_fds);
                else
                        going = send_fds(fd, message, h.size, fds, n_fds);
        }
}

static void *run(void *userdata) {
        struct fake *f = userdata;

        fake_serve(f, f->fd);
        close(f->fd);
        return NULL;
}

void fake_start(struct fake *f, int fd) {
        f->fd = fd;
        if (pthread_create(&f->thread, NULL, run, f) != 0)
                abort();
}

void fake_join(struct fake *f) {
        pthread_join(f->thread, NULL);
}
