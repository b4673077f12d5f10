/* SPDX-License-Identifier: GPL-2.0-or-later */
/* File I/O by the loop's ring, and files that are registered with it. */
#include <errno.h>

#include "loop/loop-private.h"
#include "util.h"

#define FILES 256u
#define FILE_BASE 0x40000000 /* no descriptor is as large: fs.nr_open(5) is at most 2^30 */

int uring_files_reserve(struct loop *loop) {
        int r = loop->uring.has_files ? 0 : io_uring_register_files_sparse(&loop->uring.ring, FILES);

        loop->uring.has_files |= r >= 0;
        return r;
}

int uring_file_add(struct loop *loop, int fd) {
        int r = uring_files_reserve(loop);

        if (r < 0)
                return r;
        for (unsigned int i = 0; i < FILES; i++) {
                if (loop->uring.files[i / 64] >> i % 64 & 1)
                        continue;
                r = io_uring_register_files_update(&loop->uring.ring, i, &fd, 1);
                if (r != 1)
                        return r < 0 ? r : -EIO;
                loop->uring.files[i / 64] |= UINT64_C(1) << i % 64;
                return FILE_BASE + (int)i;
        }
        return -ENFILE;
}

void uring_file_remove(struct loop *loop, int file) {
        unsigned int i = (unsigned int)(file - FILE_BASE);
        int none = -1;

        if (file < FILE_BASE || i >= FILES)
                return;
        io_uring_register_files_update(&loop->uring.ring, i, &none, 1);
        loop->uring.files[i / 64] &= ~(UINT64_C(1) << i % 64);
}

static int io_start(struct loop *loop, struct io_uring_sqe *sqe, struct loop_io *io) {
        if (sqe->fd >= FILE_BASE) {
                sqe->fd -= FILE_BASE;
                sqe->flags |= IOSQE_FIXED_FILE;
        }
        io_uring_sqe_set_data64(sqe, (uintptr_t)io);
        loop->in_flight++;
        return 0;
}

int uring_readv(struct loop *loop, struct loop_io *io, int fd, const struct iovec *iov, unsigned int n_iov, uint64_t offset) {
        const int entry = n_iov == 1 ? uring_memory_find(loop, iov) : -1;
        struct io_uring_sqe *sqe = uring_sqe(loop);

        if (!sqe)
                return -EAGAIN;
        if (entry >= 0)
                io_uring_prep_read_fixed(sqe, fd, iov->iov_base, (unsigned int)iov->iov_len, offset, entry);
        else if (n_iov == 1 && iov->iov_len <= INT32_MAX) /* one piece costs the kernel less without a list */
                io_uring_prep_read(sqe, fd, iov->iov_base, (unsigned int)iov->iov_len, offset);
        else
                io_uring_prep_readv(sqe, fd, iov, n_iov, offset);
        return io_start(loop, sqe, io);
}

int uring_writev(struct loop *loop, struct loop_io *io, int fd, const struct iovec *iov, unsigned int n_iov, uint64_t offset) {
        const int entry = n_iov == 1 ? uring_memory_find(loop, iov) : -1;
        struct io_uring_sqe *sqe = uring_sqe(loop);

        if (!sqe)
                return -EAGAIN;
        if (entry >= 0)
                io_uring_prep_write_fixed(sqe, fd, iov->iov_base, (unsigned int)iov->iov_len, offset, entry);
        else if (n_iov == 1 && iov->iov_len <= INT32_MAX)
                io_uring_prep_write(sqe, fd, iov->iov_base, (unsigned int)iov->iov_len, offset);
        else
                io_uring_prep_writev(sqe, fd, iov, n_iov, offset);
        return io_start(loop, sqe, io);
}

int uring_fallocate(struct loop *loop, struct loop_io *io, int fd, int mode, uint64_t offset, uint64_t length) {
        struct io_uring_sqe *sqe = uring_sqe(loop);

        if (!sqe)
                return -EAGAIN;
        io_uring_prep_fallocate(sqe, fd, mode, (off_t)offset, (off_t)length);
        return io_start(loop, sqe, io);
}

int uring_fsync(struct loop *loop, struct loop_io *io, int fd, bool is_data_only) {
        struct io_uring_sqe *sqe = uring_sqe(loop);

        if (!sqe)
                return -EAGAIN;
        io_uring_prep_fsync(sqe, fd, is_data_only ? IORING_FSYNC_DATASYNC : 0);
        return io_start(loop, sqe, io);
}

int uring_fsetxattr(struct loop *loop, struct loop_io *io, int fd, const char *name, const char *value, unsigned int size) {
        struct io_uring_sqe *sqe = uring_sqe(loop);

        if (!sqe)
                return -EAGAIN;
        io_uring_prep_fsetxattr(sqe, fd, name, value, 0, size);
        return io_start(loop, sqe, io);
}
