/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "media/nbd-target.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "media/nbd-library.h"
#include "util.h"

#define MAGIC "IOVNBD1"
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

int nbd_target_make(const struct nbd_target *target, int *ret_fd) {
        CLEANUP_CLOSE int fd = memfd_create("iov-nbd", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        struct nbd_target copy = *target;

        memcpy(copy.magic, MAGIC, sizeof(copy.magic));
        if (fd < 0 || write(fd, &copy, sizeof(copy)) != sizeof(copy) || fcntl(fd, F_ADD_SEALS, SEALS) < 0)
                return errno ? -errno : -EIO;
        *ret_fd = take_fd(&fd);
        return 0;
}

int nbd_target_read(int fd, struct nbd_target *ret_target) {
        struct nbd_target target;
        struct iovec iov = {&target, sizeof(target)};
        int seals = fcntl(fd, F_GET_SEALS);

        if (seals < 0 || (seals & SEALS) != SEALS || preadv(fd, &iov, 1, 0) != sizeof(target) ||
            memcmp(target.magic, MAGIC, sizeof(target.magic)) != 0 || !memchr(target.export, 0, sizeof(target.export)) ||
            (target.block_size != 512 && target.block_size != 4096))
                return -EBADMSG;
        *ret_target = target;
        return 0;
}

int nbd_target_probe(int arg_fd, const char *export, struct nbd_export *ret_export, char *why, unsigned int why_size) {
        const struct nbd_library *nbd = nbd_library_get();
        CLEANUP_CLOSE int fd = arg_fd;
        struct nbd_handle *h = nbd_library_handle(export);

        if (!h)
                return -ENOMEM;
        if (nbd->connect_socket(h, take_fd(&fd)) < 0) {
                nbd_library_error(why, why_size);
                nbd->close(h);
                return -EPROTO;
        }
        const int64_t size = nbd->get_size(h), least = nbd->get_block_size(h, LIBNBD_SIZE_MINIMUM);
        *ret_export = (struct nbd_export){
                .size = size < 0 ? 0 : (uint64_t)size,
                .block_size = least <= 0           ? 1
                              : least > UINT32_MAX ? UINT32_MAX
                                                   : (uint32_t)least,
                .read_only = nbd->is_read_only(h) != 0,
                .can_flush = nbd->can_flush(h) > 0,
        };
        nbd->shutdown(h, 0);
        nbd->close(h);
        return 0;
}
