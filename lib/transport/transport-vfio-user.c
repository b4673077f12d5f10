/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The management function over vfio-user. It needs no DMA: no memory is mapped, so nothing is ever shown to the appliance. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "transport.h"
#include "util.h"
#include "vfio-user-client.h"

struct vfio_user_transport {
        struct transport base;
        struct vfio_user_client *client;
        struct vfio_user_region bar2;
        void *tables;
        const char *gone;
        unsigned int n_irqs;
        bool no_interrupts;
        int eventfd; /* of all vectors; -1: not set up */
        int epoll;   /* of it and the connection */
};

static struct vfio_user_client *client_of(struct transport *t) {
        struct vfio_user_transport *v = (struct vfio_user_transport *)t;

        vfio_user_client_set_timeout(v->client, t->timeout_ms);
        return v->client;
}

static int vfio_user_read(struct transport *t, unsigned int bar, uint64_t offset, void *buffer, size_t size) {
        return vfio_user_client_read(client_of(t), bar, offset, buffer, size);
}

static int vfio_user_write(struct transport *t, unsigned int bar, uint64_t offset, const void *buffer, size_t size) {
        return vfio_user_client_write(client_of(t), bar, offset, buffer, size, false);
}

static int vfio_user_post(struct transport *t, unsigned int bar, uint64_t offset, const void *buffer, size_t size) {
        return vfio_user_client_write(client_of(t), bar, offset, buffer, size, true);
}

/* Only memory that cannot shrink is mapped: a file cut off by the appliance would kill this process with SIGBUS. */
static bool is_safe_to_map(const struct vfio_user_region *region) {
        struct stat st;
        int seals = fcntl(region->fd, F_GET_SEALS);

        return seals >= 0 && (seals & F_SEAL_SHRINK) && fstat(region->fd, &st) == 0 &&
               region->fd_offset <= (uint64_t)st.st_size && IOV_BAR2_SIZE <= (uint64_t)st.st_size - region->fd_offset;
}

static int vfio_user_map(struct transport *t, const void **ret_tables) {
        struct vfio_user_transport *v = (struct vfio_user_transport *)t;

        if (!v->tables) {
                if (v->bar2.fd < 0 || v->bar2.map_offset != 0 || v->bar2.map_size < IOV_BAR2_SIZE || !is_safe_to_map(&v->bar2))
                        return -EOPNOTSUPP;
                void *p = mmap(NULL, IOV_BAR2_SIZE, PROT_READ, MAP_SHARED | MAP_NORESERVE, v->bar2.fd, (off_t)v->bar2.fd_offset);
                if (p == MAP_FAILED)
                        return -EOPNOTSUPP;
                v->tables = p;
        }
        *ret_tables = v->tables;
        return 0;
}

/* The appliance never speaks first, so whatever makes the socket ready is bad news. */
static int vfio_user_wait(struct transport *t, int timeout_ms) {
        struct vfio_user_transport *v = (struct vfio_user_transport *)t;
        struct pollfd p[] = {{.fd = vfio_user_client_fd(v->client), .events = POLLIN}, {.fd = v->eventfd, .events = POLLIN}};
        uint64_t count;
        int r = poll(p, ARRAY_LENGTH(p), timeout_ms);

        if (r < 0 && errno != EINTR)
                return -errno;
        if (r > 0 && p[0].revents) {
                v->gone = p[0].revents & (POLLHUP | POLLERR) ? "the appliance closed the connection"
                                                             : "it sent what nobody asked for";
                return -ECONNRESET;
        }
        if (r > 0 && read(v->eventfd, &count, sizeof(count)) < 0 && errno != EAGAIN && errno != EINTR)
                return -errno;
        return 0;
}

static int interrupts_set_up(struct vfio_user_transport *v) {
        struct epoll_event event = {.events = EPOLLIN};
        const int vectors[] = {v->eventfd, v->eventfd};

        if (v->n_irqs <= VFIO_PCI_MSIX_IRQ_INDEX || v->eventfd < 0 || v->epoll < 0 ||
            epoll_ctl(v->epoll, EPOLL_CTL_ADD, v->eventfd, &event) < 0 ||
            epoll_ctl(v->epoll, EPOLL_CTL_ADD, vfio_user_client_fd(v->client), &event) < 0)
                return -EOPNOTSUPP;
        int r = vfio_user_client_msix_set(v->client, 0, vectors, ARRAY_LENGTH(vectors));
        return r < 0 ? r : vfio_user_client_msix_enable(v->client);
}

static int vfio_user_get_fd(struct transport *t) {
        struct vfio_user_transport *v = (struct vfio_user_transport *)t;

        if (v->epoll < 0 && !v->no_interrupts) {
                vfio_user_client_set_timeout(v->client, t->timeout_ms);
                v->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
                v->epoll = epoll_create1(EPOLL_CLOEXEC);
                v->no_interrupts = interrupts_set_up(v) < 0;
                if (v->no_interrupts) {
                        close_fd(&v->eventfd);
                        close_fd(&v->epoll);
                }
        }
        return v->no_interrupts ? -EOPNOTSUPP : v->epoll;
}

static const char *vfio_user_problem(struct transport *t) {
        struct vfio_user_transport *v = (struct vfio_user_transport *)t;

        return v->gone ? v->gone : vfio_user_client_problem(v->client);
}

static void vfio_user_close(struct transport *t) {
        struct vfio_user_transport *v = (struct vfio_user_transport *)t;

        if (v->tables)
                munmap(v->tables, IOV_BAR2_SIZE);
        close_fd(&v->bar2.fd);
        close_fd(&v->epoll);
        close_fd(&v->eventfd);
        vfio_user_client_free(v->client);
        free(v);
}

static const struct transport_ops vfio_user_ops = {.read = vfio_user_read,
                                                   .write = vfio_user_write,
                                                   .post = vfio_user_post,
                                                   .map = vfio_user_map,
                                                   .wait = vfio_user_wait,
                                                   .get_fd = vfio_user_get_fd,
                                                   .close = vfio_user_close,
                                                   .problem = vfio_user_problem};

/* The BARs must be those of a management function: a vAdapter's socket, say, is turned away here. */
static int regions_check(struct vfio_user_transport *v, const char **ret_why) {
        struct vfio_user_region bar0 = {.fd = -1};
        unsigned int n_regions = 0;
        int r = vfio_user_client_device_info(v->client, &n_regions, &v->n_irqs);

        if (r < 0)
                return r;
        if (n_regions <= 2) {
                *ret_why = "it is not the management function of an appliance";
                return -EPROTO;
        }
        r = vfio_user_client_region_info(v->client, 0, &bar0);
        if (r < 0)
                return r;
        close_fd(&bar0.fd);
        r = vfio_user_client_region_info(v->client, 2, &v->bar2);
        if (r < 0)
                return r;
        if (bar0.size < IOV_BAR0_SIZE || v->bar2.size < IOV_BAR2_SIZE || !(bar0.flags & VFIO_REGION_INFO_FLAG_READ) ||
            !(bar0.flags & VFIO_REGION_INFO_FLAG_WRITE) || !(v->bar2.flags & VFIO_REGION_INFO_FLAG_READ)) {
                *ret_why = "it is not the management function of an appliance";
                return -EPROTO;
        }
        return 0;
}

int transport_vfio_user_new(int fd, int timeout_ms, char why[TRANSPORT_WHY_SIZE], struct transport **ret_transport) {
        struct vfio_user_transport *v = calloc(1, sizeof(*v));
        const char *reason = NULL;

        if (!v) {
                close(fd);
                snprintf(why, TRANSPORT_WHY_SIZE, "%s", strerror(ENOMEM));
                return -ENOMEM;
        }
        v->base.ops = &vfio_user_ops;
        v->base.timeout_ms = timeout_ms;
        v->bar2.fd = v->eventfd = v->epoll = -1;
        int r = vfio_user_client_new(fd, timeout_ms, &v->client);
        if (r >= 0)
                r = vfio_user_client_version(v->client);
        if (r == -EBUSY && !vfio_user_client_problem(v->client))
                reason = "somebody else is connected to it";
        if (r >= 0)
                r = regions_check(v, &reason);
        if (r < 0) {
                if (!reason && v->client)
                        reason = vfio_user_client_problem(v->client);
                snprintf(why, TRANSPORT_WHY_SIZE, "%s%s", reason ? "" : "it refuses to talk: ", reason ? reason : strerror(-r));
                if (v->client)
                        vfio_user_close(&v->base);
                else
                        free(v);
                return r;
        }
        *ret_transport = &v->base;
        return 0;
}
