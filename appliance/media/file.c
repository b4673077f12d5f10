/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "media/file.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util.h"

struct media_file {
        struct loop *loop;
        int fd;
        uint64_t size;
        /* Requests that wait: the submission queue was full, or they have failed before it and are told from the loop. */
        struct vpc_io *waiting, **waiting_end;
        unsigned int under_way; /* handed to the loop */
        struct loop_source *retry;
};

static void start(struct media_file *media, struct vpc_io *io);

static void on_retry(void *userdata) {
        struct media_file *media = userdata;
        struct vpc_io *io = TAKE_PTR(media->waiting);

        media->waiting_end = &media->waiting;
        while (io) {
                struct vpc_io *next = io->private.next;

                start(media, io);
                io = next;
        }
}

int media_file_new(struct loop *loop, int fd, uint64_t size, struct media_file **ret_media) {
        CLEANUP_CLOSE int mine = fd;
        struct media_file *media = calloc(1, sizeof(*media));

        if (!media)
                return -ENOMEM;
        media->loop = loop;
        media->size = size;
        media->waiting_end = &media->waiting;
        int r = loop_add_timer(loop, UINT64_MAX, on_retry, media, &media->retry);
        if (r < 0) {
                free(media);
                return r;
        }
        media->fd = take_fd(&mine);
        *ret_media = media;
        return 0;
}

void media_file_free(struct media_file *media) {
        if (!media)
                return;
        loop_source_remove(media->retry);
        close(media->fd);
        free(media);
}

static void wait_in_line(struct media_file *media, struct vpc_io *io) {
        io->private.next = NULL;
        *media->waiting_end = io;
        media->waiting_end = &io->private.next;
        /* A completion makes room; with none to come, the loop's next round does. */
        if (!media->under_way)
                loop_timer_set(media->retry, 0);
}

static void end(struct vpc_io *io, int error) {
        struct media_file *media = io->private.medium;

        io->private.finish(io, error);
        if (media->waiting)
                loop_timer_set(media->retry, 0);
}

/* The piece of iov that stands at `progress`, without what is done of it. */
static struct iovec rest_of(const struct vpc_io *io) {
        uint64_t skip = io->private.progress;
        unsigned int i = 0;

        while (skip >= io->iov[i].iov_len)
                skip -= io->iov[i++].iov_len;
        return (struct iovec){(char *)io->iov[i].iov_base + skip, io->iov[i].iov_len - (size_t)skip};
}

/* What is behind the end of the file was never written. */
static void zero_rest(struct vpc_io *io) {
        while (io->private.progress < io->length) {
                struct iovec rest = rest_of(io);

                memset(rest.iov_base, 0, rest.iov_len);
                io->private.progress += rest.iov_len;
        }
}

static void on_done(struct loop_io *request, int32_t result) {
        struct vpc_io *io = (struct vpc_io *)(void *)((char *)request - offsetof(struct vpc_io, private.request));
        struct media_file *media = io->private.medium;

        media->under_way--;
        if (result == -EINTR || result == -EAGAIN) {
                start(media, io);
                return;
        }
        if (result < 0 || io->op == VPC_IO_FLUSH) {
                end(io, result < 0 ? result : 0);
                return;
        }
        io->private.progress += (uint32_t)result;
        if (result == 0 && io->op == VPC_IO_READ)
                zero_rest(io);
        if (io->private.progress >= io->length)
                end(io, 0);
        else if (result == 0)
                end(io, -EIO); /* a write of nothing, without a reason */
        else
                start(media, io);
}

/* The whole of it at first; after a short transfer, piece by piece. */
static int submit(struct media_file *media, struct vpc_io *io) {
        const struct iovec *iov = io->iov;
        unsigned int n = io->n_iov;

        io->private.request.done = on_done;
        if (io->op == VPC_IO_FLUSH)
                return loop_fdatasync(media->loop, &io->private.request, media->fd);
        if (io->private.progress) {
                io->private.rest = rest_of(io);
                iov = &io->private.rest;
                n = 1;
        }
        uint64_t offset = io->offset + io->private.progress;
        if (io->op == VPC_IO_READ)
                return loop_readv(media->loop, &io->private.request, media->fd, iov, n, offset);
        return loop_writev(media->loop, &io->private.request, media->fd, iov, n, offset);
}

static bool is_within(const struct media_file *media, const struct vpc_io *io) {
        return io->op == VPC_IO_FLUSH || (io->length && io->offset <= media->size && io->length <= media->size - io->offset);
}

static void start(struct media_file *media, struct vpc_io *io) {
        if (!is_within(media, io)) {
                end(io, -EINVAL);
                return;
        }
        int r = submit(media, io);
        if (r == 0)
                media->under_way++;
        else
                wait_in_line(media, io);
}

void media_file_submit(struct media_file *media, struct vpc_io *io) {
        io->private.medium = media;
        io->private.progress = 0;
        if (!is_within(media, io))
                wait_in_line(media, io); /* refused from the loop: nothing ends within its own submission */
        else
                start(media, io);
}
