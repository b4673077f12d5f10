/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The vfio-user client, after QEMU's docs/interop/vfio-user.rst. */
#include "vfio-user-client.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>

#include "util.h"

#define MAX_FDS 16
/* "Message sizes": 1 MiB where the server does not say. Never more than 64 KiB in one message: replies beyond some 200 KiB do not
 * fit into a socket's default buffer. */
#define MAX_DATA 65536u
/* Messages up to this size go through one flat buffer: send(2) and recv(2) cost less than their cousins with vectors. */
#define FLAT_SIZE 128u

struct vfio_user_client {
        int fd;
        int timeout_ms, applied_timeout_ms;
        uint16_t next_id;
        size_t max_data;
        int broken;
        const char *problem;
};

int vfio_user_client_new(int fd, int timeout_ms, struct vfio_user_client **ret_client) {
        struct vfio_user_client *c = calloc(1, sizeof(*c));

        if (!c) {
                close(fd);
                return -ENOMEM;
        }
        c->fd = fd;
        c->timeout_ms = timeout_ms;
        c->applied_timeout_ms = -1;
        c->max_data = MAX_DATA;
        *ret_client = c;
        return 0;
}

struct vfio_user_client *vfio_user_client_free(struct vfio_user_client *c) {
        if (c) {
                close(c->fd);
                free(c);
        }
        return NULL;
}

int vfio_user_client_fd(const struct vfio_user_client *c) {
        return c->fd;
}

void vfio_user_client_set_timeout(struct vfio_user_client *c, int timeout_ms) {
        c->timeout_ms = timeout_ms;
}

const char *vfio_user_client_problem(const struct vfio_user_client *c) {
        return c->problem;
}

static int broken(struct vfio_user_client *c, int error, const char *problem) {
        c->broken = error;
        c->problem = problem;
        return error;
}

static int broken_errno(struct vfio_user_client *c, int error) {
        switch (error) {
        case EAGAIN: /* of SO_RCVTIMEO and SO_SNDTIMEO, see socket(7) */
                return broken(c, -ETIMEDOUT, "no answer in time");
        case EPIPE:
        case ECONNRESET:
                return broken(c, -ECONNRESET, "the appliance closed the connection");
        default:
                return broken(c, -error, "the connection failed");
        }
}

static int64_t now_ms(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The socket's own timeouts bound each system call without a poll(2) before it, which would double their number. */
static int timeout_apply(struct vfio_user_client *c) {
        struct timeval t = {.tv_sec = c->timeout_ms / 1000, .tv_usec = (c->timeout_ms % 1000) * 1000};

        if (c->applied_timeout_ms == c->timeout_ms)
                return 0;
        if (setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)) < 0 ||
            setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t)) < 0)
                return broken_errno(c, errno);
        c->applied_timeout_ms = c->timeout_ms;
        return 0;
}

/* Drop `n` bytes from the front of a message's vector. */
static void advance(struct msghdr *m, size_t n) {
        while (m->msg_iovlen > 0 && n >= m->msg_iov->iov_len) {
                n -= m->msg_iov->iov_len;
                m->msg_iov++;
                m->msg_iovlen--;
        }
        if (m->msg_iovlen > 0) {
                m->msg_iov->iov_base = (char *)m->msg_iov->iov_base + n;
                m->msg_iov->iov_len -= n;
        }
}

/* The socket's timeout bounds one system call; this bounds a message that comes or goes in pieces. The clock is first looked at
 * when there is a second piece, because hardly ever there is one. */
static int piece_is_late(struct vfio_user_client *c, int64_t *deadline) {
        if (!*deadline)
                *deadline = now_ms() + c->timeout_ms;
        else if (now_ms() >= *deadline)
                return broken_errno(c, EAGAIN);
        return 0;
}

static int send_all(struct vfio_user_client *c, struct msghdr *m, size_t left) {
        int64_t deadline = 0;

        for (;;) {
                ssize_t n = m->msg_iovlen == 1 && !m->msg_control
                                    ? send(c->fd, m->msg_iov->iov_base, m->msg_iov->iov_len, MSG_NOSIGNAL)
                                    : sendmsg(c->fd, m, MSG_NOSIGNAL);

                if (n < 0 && errno != EINTR)
                        return broken_errno(c, errno);
                if (n > 0) {
                        left -= (size_t)n;
                        if (!left)
                                return 0;
                        m->msg_control = NULL; /* descriptors go with the first byte */
                        m->msg_controllen = 0;
                        advance(m, (size_t)n);
                }
                int r = piece_is_late(c, &deadline);
                if (r < 0)
                        return r;
        }
}

/* Gather a vector into a buffer that has room for all of it. */
static void vector_copy(unsigned char *to, const struct iovec *iov, size_t n) {
        for (size_t i = 0; i < n; i++) {
                if (iov[i].iov_len)
                        memcpy(to, iov[i].iov_base, iov[i].iov_len);
                to += iov[i].iov_len;
        }
}

static int send_request(struct vfio_user_client *c, const struct vfio_user_call *call, struct vfio_user_header *header) {
        struct iovec iov[3] = {{header, sizeof(*header)},
                               {(void *)call->request, call->request_size},
                               {(void *)call->request_data, call->request_data_size}};
        struct msghdr m = {.msg_iov = iov, .msg_iovlen = 3};
        unsigned char flat[FLAT_SIZE];
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(sizeof(int) * MAX_FDS)];
        } control;

        if (header->size <= sizeof(flat)) {
                vector_copy(flat, iov, 3);
                iov[0] = (struct iovec){flat, header->size};
                m.msg_iovlen = 1;
        }
        if (call->n_fds) {
                memset(&control, 0, sizeof(control));
                m.msg_control = &control;
                m.msg_controllen = CMSG_SPACE(sizeof(int) * call->n_fds);
                struct cmsghdr *cmsg = CMSG_FIRSTHDR(&m);
                cmsg->cmsg_level = SOL_SOCKET;
                cmsg->cmsg_type = SCM_RIGHTS;
                cmsg->cmsg_len = CMSG_LEN(sizeof(int) * call->n_fds);
                memcpy(CMSG_DATA(cmsg), call->fds, sizeof(int) * call->n_fds);
        }
        return send_all(c, &m, header->size);
}

/* Keep the first descriptor that came, where none is kept yet, and close the others. */
static void take_fds(struct msghdr *m, int *fd) {
        for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(m); cmsg; cmsg = CMSG_NXTHDR(m, cmsg)) {
                if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
                        continue;
                size_t n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
                for (size_t i = 0; i < n; i++) {
                        int received = -1;

                        memcpy(&received, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(int));
                        if (*fd < 0)
                                *fd = received;
                        else
                                close(received);
                }
        }
}

/* One recvmsg(2). The control buffer is only there where a descriptor is wanted: the kernel discards others by itself. */
static ssize_t receive_some(struct vfio_user_client *c, struct msghdr *m, int *fd) {
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(sizeof(int) * MAX_FDS)];
        } control;

        m->msg_control = fd ? &control : NULL;
        m->msg_controllen = fd ? sizeof(control) : 0;
        ssize_t n = m->msg_iovlen == 1 && !fd ? recv(c->fd, m->msg_iov->iov_base, m->msg_iov->iov_len, 0)
                                              : recvmsg(c->fd, m, MSG_CMSG_CLOEXEC);
        if (n == 0)
                return broken(c, -ECONNRESET, "the appliance closed the connection");
        if (n < 0)
                return errno == EINTR ? 0 : broken_errno(c, errno);
        if (fd)
                take_fds(m, fd);
        return n;
}

static int check_header(struct vfio_user_client *c, const struct vfio_user_header *request, const struct vfio_user_header *reply,
                        size_t room) {
        if ((reply->flags & VFIO_USER_TYPE_MASK) != VFIO_USER_TYPE_REPLY)
                return broken(c, -EPROTO, "it sent something else than a reply");
        if (reply->id != request->id || reply->command != request->command)
                return broken(c, -EPROTO, "it sent the reply to another request");
        if (reply->size < sizeof(*reply) || reply->size > sizeof(*reply) + room)
                return broken(c, -EPROTO, "it sent a reply of a wrong size");
        return 0;
}

/* Read one reply into a vector that starts with its header. `header` is where the header is, once it has come. */
static int receive_all(struct vfio_user_client *c, struct iovec *iov, size_t n_iov, const struct vfio_user_header *request,
                       const struct vfio_user_header *header, size_t room, int *fd) {
        struct msghdr m = {.msg_iov = iov, .msg_iovlen = n_iov};
        size_t got = 0;
        int64_t deadline = 0;

        for (;;) {
                ssize_t n = receive_some(c, &m, fd);

                if (n < 0)
                        return (int)n;
                got += (size_t)n;
                if (got >= sizeof(*header)) {
                        int r = check_header(c, request, header, room);

                        if (r < 0)
                                return r;
                        if (got > header->size)
                                return broken(c, -EPROTO, "it sent more than it was asked for");
                        if (got == header->size)
                                return 0;
                }
                int r = piece_is_late(c, &deadline);
                if (r < 0)
                        return r;
                advance(&m, (size_t)n);
        }
}

static int receive_reply(struct vfio_user_client *c, struct vfio_user_call *call, const struct vfio_user_header *request) {
        struct vfio_user_header header = {0};
        unsigned char flat[FLAT_SIZE] __attribute__((aligned(8)));
        struct iovec iov[3] = {
                {&header, sizeof(header)}, {call->reply, call->reply_size}, {call->reply_data, call->reply_data_size}};
        size_t room = call->reply_size + call->reply_data_size;
        bool is_flat = sizeof(header) + room <= sizeof(flat);
        struct iovec one = {flat, sizeof(header) + room};
        int r = receive_all(c, is_flat ? &one : iov, is_flat ? 1 : 3, request,
                            is_flat ? (const struct vfio_user_header *)(void *)flat : &header, room,
                            call->want_fd ? &call->ret_fd : NULL);

        if (r < 0)
                return r;
        if (is_flat)
                memcpy(&header, flat, sizeof(header));
        if (header.flags & VFIO_USER_ERROR)
                return header.error > 0 && header.error < 4096 ? -(int)header.error : -EIO;
        call->ret_length = header.size - sizeof(header);
        if (is_flat) {
                size_t first = call->ret_length < call->reply_size ? call->ret_length : call->reply_size;

                if (first && call->reply)
                        memcpy(call->reply, flat + sizeof(header), first);
                if (call->ret_length > first && call->reply_data)
                        memcpy(call->reply_data, flat + sizeof(header) + first, call->ret_length - first);
        }
        return 0;
}

int vfio_user_client_call(struct vfio_user_client *c, struct vfio_user_call *call) {
        struct vfio_user_header header = {
                .id = c->next_id,
                .command = (uint16_t)call->command,
                .size = (uint32_t)(sizeof(header) + call->request_size + call->request_data_size),
                .flags = VFIO_USER_TYPE_COMMAND | (call->no_reply ? VFIO_USER_NO_REPLY : 0),
        };

        call->ret_length = 0;
        call->ret_fd = -1;
        if (c->broken)
                return c->broken;
        if (call->n_fds > MAX_FDS)
                return -EINVAL;
        int r = timeout_apply(c);
        if (r < 0)
                return r;
        c->next_id++;
        r = send_request(c, call, &header);
        if (r < 0 || call->no_reply)
                return r;
        r = receive_reply(c, call, &header);
        if (r < 0 && call->ret_fd >= 0)
                close(take_fd(&call->ret_fd));
        return r;
}

/* The one capability of interest, out of a JSON object: `"max_data_xfer_size":N`. What cannot be understood is as if it were not
 * there. */
static size_t max_data_parse(const char *json) {
        const char *s = strstr(json, "\"max_data_xfer_size\"");

        if (!s)
                return MAX_DATA;
        s += strlen("\"max_data_xfer_size\"");
        s += strspn(s, " \t\r\n");
        if (*s++ != ':')
                return MAX_DATA;
        s += strspn(s, " \t\r\n");
        unsigned long long value = *s >= '0' && *s <= '9' ? strtoull(s, NULL, 10) : 0;
        return value >= 8 && value < MAX_DATA ? (size_t)value & ~(size_t)7 : MAX_DATA;
}

int vfio_user_client_version(struct vfio_user_client *c) {
        static const struct vfio_user_version ours = {VFIO_USER_MAJOR, VFIO_USER_MINOR};
        static const char capabilities[] = "{\"capabilities\":{\"max_msg_fds\":16,\"max_data_xfer_size\":65536}}";
        struct vfio_user_version theirs = {0};
        char json[4096];
        struct vfio_user_call call = {.command = VFIO_USER_VERSION,
                                      .request = &ours,
                                      .request_size = sizeof(ours),
                                      .request_data = capabilities,
                                      .request_data_size = sizeof(capabilities),
                                      .reply = &theirs,
                                      .reply_size = sizeof(theirs),
                                      .reply_data = json,
                                      .reply_data_size = sizeof(json)};
        int r = vfio_user_client_call(c, &call);

        if (r < 0)
                return r;
        if (call.ret_length < sizeof(theirs))
                return broken(c, -EPROTO, "it sent a reply of a wrong size");
        if (theirs.major != ours.major || theirs.minor > ours.minor)
                return broken(c, -EPROTO, "it speaks another version of vfio-user");
        size_t length = call.ret_length - sizeof(theirs);
        if (length == 0)
                return 0;
        if (json[length - 1] != 0)
                return broken(c, -EPROTO, "it sent capabilities that do not end");
        c->max_data = max_data_parse(json);
        return 0;
}

int vfio_user_client_device_info(struct vfio_user_client *c, unsigned int *ret_regions, unsigned int *ret_irqs) {
        struct {
                uint32_t argsz, flags, regions, irqs;
        } info = {.argsz = sizeof(info)}, reply;
        struct vfio_user_call call = {.command = VFIO_USER_DEVICE_GET_INFO,
                                      .request = &info,
                                      .request_size = sizeof(info),
                                      .reply = &reply,
                                      .reply_size = sizeof(reply)};
        int r = vfio_user_client_call(c, &call);

        if (r < 0)
                return r;
        if (call.ret_length != sizeof(reply))
                return broken(c, -EPROTO, "it sent a reply of a wrong size");
        if (!(reply.flags & VFIO_DEVICE_FLAGS_PCI))
                return broken(c, -EPROTO, "it is no PCI device");
        *ret_regions = reply.regions;
        *ret_irqs = reply.irqs;
        return 0;
}

/* Find the first mappable area in the capabilities, which are a chain of offsets that only ever go up. */
static int sparse_parse(const unsigned char *reply, size_t length, struct vfio_user_region *region) {
        struct vfio_region_info info;
        size_t at = 0, lowest = sizeof(info);

        memcpy(&info, reply, sizeof(info));
        at = info.flags & VFIO_REGION_INFO_FLAG_CAPS ? info.cap_offset : 0;
        while (at) {
                struct vfio_info_cap_header cap;
                struct vfio_region_info_cap_sparse_mmap sparse;
                struct vfio_region_sparse_mmap_area area;

                if (at < lowest || at > length || length - at < sizeof(cap))
                        return -EPROTO;
                memcpy(&cap, reply + at, sizeof(cap));
                if (cap.id == VFIO_REGION_INFO_CAP_SPARSE_MMAP) {
                        if (length - at < sizeof(sparse) + sizeof(area))
                                return -EPROTO;
                        memcpy(&sparse, reply + at, sizeof(sparse));
                        memcpy(&area, reply + at + sizeof(sparse), sizeof(area));
                        if (sparse.nr_areas == 0 || area.offset > region->size || area.size > region->size - area.offset)
                                return -EPROTO;
                        region->map_offset = area.offset;
                        region->map_size = area.size;
                        return 0;
                }
                lowest = at + sizeof(cap);
                at = cap.next;
        }
        return 0;
}

int vfio_user_client_region_info(struct vfio_user_client *c, unsigned int region, struct vfio_user_region *ret_region) {
        unsigned char reply[1024] __attribute__((aligned(8)));
        struct vfio_region_info info = {.argsz = sizeof(reply), .index = region};
        struct vfio_user_call call = {.command = VFIO_USER_DEVICE_GET_REGION_INFO,
                                      .request = &info,
                                      .request_size = sizeof(info),
                                      .reply = reply,
                                      .reply_size = sizeof(reply),
                                      .want_fd = true};
        int r = vfio_user_client_call(c, &call);

        if (r < 0)
                return r;
        CLEANUP_CLOSE int fd = call.ret_fd;
        if (call.ret_length < sizeof(info))
                return broken(c, -EPROTO, "it sent a reply of a wrong size");
        memcpy(&info, reply, sizeof(info));
        if (info.index != region)
                return broken(c, -EPROTO, "it described another region than it was asked for");
        struct vfio_user_region result = {
                .size = info.size, .flags = info.flags, .fd = -1, .fd_offset = info.offset, .map_size = info.size};
        if (sparse_parse(reply, call.ret_length, &result) < 0)
                return broken(c, -EPROTO, "it sent malformed region capabilities");
        if (info.flags & VFIO_REGION_INFO_FLAG_MMAP)
                result.fd = take_fd(&fd);
        *ret_region = result;
        return 0;
}

int vfio_user_client_read(struct vfio_user_client *c, unsigned int region, uint64_t offset, void *buffer, size_t size) {
        unsigned char *p = buffer;

        while (size > 0) {
                size_t n = size < c->max_data ? size : c->max_data;
                struct vfio_user_region_access access = {.offset = offset, .region = region, .count = (uint32_t)n}, echo = {0};
                struct vfio_user_call call = {.command = VFIO_USER_REGION_READ,
                                              .request = &access,
                                              .request_size = sizeof(access),
                                              .reply = &echo,
                                              .reply_size = sizeof(echo),
                                              .reply_data = p,
                                              .reply_data_size = n};
                int r = vfio_user_client_call(c, &call);

                if (r < 0)
                        return r;
                if (call.ret_length != sizeof(echo) + n || echo.count != n)
                        return broken(c, -EPROTO, "it sent a reply of a wrong size");
                p += n;
                offset += n;
                size -= n;
        }
        return 0;
}

int vfio_user_client_write(struct vfio_user_client *c, unsigned int region, uint64_t offset, const void *buffer, size_t size,
                           bool posted) {
        const unsigned char *p = buffer;

        while (size > 0) {
                size_t n = size < c->max_data ? size : c->max_data;
                struct vfio_user_region_access access = {.offset = offset, .region = region, .count = (uint32_t)n}, echo = {0};
                struct vfio_user_call call = {.command = VFIO_USER_REGION_WRITE,
                                              .request = &access,
                                              .request_size = sizeof(access),
                                              .request_data = p,
                                              .request_data_size = n,
                                              .no_reply = posted,
                                              .reply = &echo,
                                              .reply_size = sizeof(echo)};
                int r = vfio_user_client_call(c, &call);

                if (r < 0)
                        return r;
                if (!posted && (call.ret_length != sizeof(echo) || echo.count != n))
                        return broken(c, -EPROTO, "it sent a reply of a wrong size");
                p += n;
                offset += n;
                size -= n;
        }
        return 0;
}

int vfio_user_client_msix_set(struct vfio_user_client *c, unsigned int first, const int *fds, unsigned int n) {
        struct vfio_irq_set set = {.argsz = sizeof(set),
                                   .flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
                                   .index = VFIO_PCI_MSIX_IRQ_INDEX,
                                   .start = first,
                                   .count = n};
        struct vfio_user_call call = {
                .command = VFIO_USER_DEVICE_SET_IRQS, .request = &set, .request_size = sizeof(set), .fds = fds, .n_fds = n};

        return vfio_user_client_call(c, &call);
}

/* PCI Express Base 5.0: the command register is section 7.5.1.1.3, the chain of capabilities 7.5.1.1.11, MSI-X 7.7.2.2. */
int vfio_user_client_msix_enable(struct vfio_user_client *c) {
        const unsigned int config = VFIO_PCI_CONFIG_REGION_INDEX;
        unsigned char bytes[256] = {0};
        uint16_t control;
        int r = vfio_user_client_read(c, config, 0, bytes, sizeof(bytes));

        if (r < 0)
                return r;
        for (unsigned int at = bytes[PCI_CAPABILITY_LIST] & 0xfcu, hops = 0; at >= 0x40 && hops < 48;
             at = bytes[at + PCI_CAP_LIST_NEXT] & 0xfcu, hops++) {
                if (bytes[at] != PCI_CAP_ID_MSIX)
                        continue;
                control = (uint16_t)(bytes[PCI_COMMAND] | bytes[PCI_COMMAND + 1] << 8 | PCI_COMMAND_MASTER);
                if ((r = vfio_user_client_write(c, config, PCI_COMMAND, &control, sizeof(control), false)) < 0)
                        return r;
                control = (uint16_t)(bytes[at + PCI_MSIX_FLAGS] | bytes[at + PCI_MSIX_FLAGS + 1] << 8);
                control = (uint16_t)((control | PCI_MSIX_FLAGS_ENABLE) & ~PCI_MSIX_FLAGS_MASKALL);
                return vfio_user_client_write(c, config, at + PCI_MSIX_FLAGS, &control, sizeof(control), false);
        }
        return -EOPNOTSUPP;
}
