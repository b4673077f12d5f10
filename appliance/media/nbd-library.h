/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libnbd, loaded by those processes that need it and before they enter their sandbox: with what it needs in turn (TLS, XML) it
 * costs each start of a process 16 ms, and each process 700 KiB.
 */
#ifndef IOV_MEDIA_NBD_LIBRARY_H
#define IOV_MEDIA_NBD_LIBRARY_H

#include <libnbd.h>

#define NBD_LIBRARY_FUNCTIONS(F)                                                                                                 \
        F(create)                                                                                                                \
        F(close)                                                                                                                 \
        F(get_error)                                                                                                             \
        F(get_errno)                                                                                                             \
        F(set_export_name)                                                                                                       \
        F(set_request_structured_replies)                                                                                        \
        F(set_pread_initialize)                                                                                                  \
        F(connect_socket)                                                                                                        \
        F(shutdown)                                                                                                              \
        F(get_size)                                                                                                              \
        F(get_block_size)                                                                                                        \
        F(is_read_only)                                                                                                          \
        F(can_flush)                                                                                                             \
        F(can_zero)                                                                                                              \
        F(aio_connect_socket)                                                                                                    \
        F(aio_get_fd)                                                                                                            \
        F(aio_get_direction)                                                                                                     \
        F(aio_notify_read)                                                                                                       \
        F(aio_notify_write)                                                                                                      \
        F(aio_is_connecting)                                                                                                     \
        F(aio_is_closed)                                                                                                         \
        F(aio_is_dead)                                                                                                           \
        F(aio_pread)                                                                                                             \
        F(aio_pwrite)                                                                                                            \
        F(aio_flush)                                                                                                             \
        F(aio_zero)

struct nbd_library {
#define NBD_LIBRARY_MEMBER(name) __typeof__(nbd_##name) *name;
        NBD_LIBRARY_FUNCTIONS(NBD_LIBRARY_MEMBER)
#undef NBD_LIBRARY_MEMBER
};

/* Once in a process; later calls do nothing. *ret_why is what the dynamic linker says where it fails. */
int nbd_library_load(const char **ret_why);
/* NULL: it is not loaded. */
const struct nbd_library *nbd_library_get(void);

/* A handle for one export, not connected; NULL: no memory. */
struct nbd_handle *nbd_library_handle(const char *export);
/* What libnbd says of the last call that failed, which may be in the words of the server: made printable. */
const char *nbd_library_error(char *text, size_t size);

#endif
