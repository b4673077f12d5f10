/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A vfio-user client over a connected UNIX socket: one request at a time, every reply checked, nothing waits for ever. The server
 * is not trusted: whatever it says ends in an error, never in memory.
 */
#ifndef IOV_VFIO_USER_CLIENT_H
#define IOV_VFIO_USER_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "vfio-user/protocol.h"

struct vfio_user_client;

/* Take over a connected socket, closed on failure too. Sends nothing yet. */
int vfio_user_client_new(int fd, int timeout_ms, struct vfio_user_client **ret_client);
/* Close the socket; takes NULL, returns NULL. */
struct vfio_user_client *vfio_user_client_free(struct vfio_user_client *client);
int vfio_user_client_fd(const struct vfio_user_client *client);
/* How long a reply may take from now on. */
void vfio_user_client_set_timeout(struct vfio_user_client *client, int timeout_ms);
/*
 * Why the connection cannot be used any more, NULL where it can: a static string. An error reply leaves it usable; anything else
 * that fails does not, because a late reply would be taken for that of the next request.
 */
const char *vfio_user_client_problem(const struct vfio_user_client *client);

struct vfio_user_call {
        enum vfio_user_command command;
        const void *request; /* what follows the header */
        size_t request_size;
        const void *request_data; /* what follows that */
        size_t request_data_size;
        const int *fds; /* go along, stay the caller's */
        unsigned int n_fds;
        bool no_reply; /* posted: the server is not to answer */
        void *reply;   /* what follows the header of the reply */
        size_t reply_size;
        void *reply_data; /* what follows that */
        size_t reply_data_size;
        bool want_fd;
        /* results */
        size_t ret_length; /* bytes behind the header of the reply */
        int ret_fd;        /* descriptor that came with the reply, -1: none; the caller's */
};
/* Send a request, wait for its reply. A negative errno: the server's own (vfio_user_client_problem() is NULL), or of the
 * connection. */
int vfio_user_client_call(struct vfio_user_client *client, struct vfio_user_call *call);

/* Agree on the protocol version. The first thing to do. */
int vfio_user_client_version(struct vfio_user_client *client);
/* Number of regions and interrupt types of the device, which must be a PCI device. */
int vfio_user_client_device_info(struct vfio_user_client *client, unsigned int *ret_regions, unsigned int *ret_irqs);

struct vfio_user_region {
        uint64_t size;
        uint32_t flags;      /* VFIO_REGION_INFO_FLAG_* */
        int fd;              /* of the mappable part, -1: cannot be mapped; the caller's */
        uint64_t fd_offset;  /* where the region starts in fd */
        uint64_t map_offset; /* the first mappable part, within the region */
        uint64_t map_size;
};
int vfio_user_client_region_info(struct vfio_user_client *client, unsigned int region, struct vfio_user_region *ret_region);

/* Read and write a region; large ones are cut to what the server takes. Posted writes have no error. */
int vfio_user_client_read(struct vfio_user_client *client, unsigned int region, uint64_t offset, void *buffer, size_t size);
int vfio_user_client_write(struct vfio_user_client *client, unsigned int region, uint64_t offset, const void *buffer, size_t size,
                           bool posted);

/* MSI-X: a vector's eventfd, as many as `n` from `first` on; and the function is let send them (Bus Master Enable, MSI-X Enable).
 * The table is not the device's business. */
int vfio_user_client_msix_set(struct vfio_user_client *client, unsigned int first, const int *fds, unsigned int n);
int vfio_user_client_msix_enable(struct vfio_user_client *client);

#endif
