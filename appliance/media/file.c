/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "media/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util.h"

/* How long a request waits for room in the ring where none of this file's completions brings its turn sooner. */
#define RETRY_NS UINT64_C(200000)

struct list {
        struct vpc_io *first, **end;
};

struct media_file {
        struct loop *loop;
        int fd;
        uint64_t size;
        struct loop_source *timer;
        struct list waiting; /* for room in the ring */
        struct list ended;   /* with the error in private.progress: never from within the submission */
};

static void list_append(struct list *list, struct vpc_io *io) {
        io->private.next = NULL;
        *list->end = io;
        list->end = &io->private.next;
}

static struct vpc_io *list_take(struct list *list) {
        struct vpc_io *io = list->first;

        if (io) {
                list->first = io->private.next;
                if (!list->first)
                        list->end = &list->first;
        }
        return io;
}

static void end_later(struct media_file *media, struct vpc_io *io, int error) {
        io->private.progress = (uint64_t)-error;
        list_append(&media->ended, io);
        loop_timer_set(media->timer, 0);
}

/* Where a transfer goes on: the rest of a piece that was done in part goes alone, then all the others at once. */
static const struct iovec *rest_of(struct vpc_io *io, unsigned int *ret_n) {
        uint64_t skip = io->private.progress;
        unsigned int i = 0;

        while (i < io->n_iov && skip >= io->iov[i].iov_len)
                skip -= io->iov[i++].iov_len;
        if (skip == 0 || i == io->n_iov) {
                *ret_n = io->n_iov - i < IOV_MAX ? io->n_iov - i : IOV_MAX;
                return &io->iov[i];
        }
        io->private.rest = (struct iovec){(char *)io->iov[i].iov_base + skip, io->iov[i].iov_len - skip};
        *ret_n = 1;
        return &io->private.rest;
}

/* Ways to make a range read as zeroes. Not every file can all of them (tmpfs only punches), but each can be written to. */
enum { WAY_ZERO, WAY_PUNCH, WAY_WRITE };

static unsigned char zeroes[65536]; /* never written to, so it costs no memory */

static bool is_clearing(const struct vpc_io *io) {
        return io->op == VPC_IO_DISCARD || io->op == VPC_IO_ZERO;
}

static int start_clearing(struct media_file *media, struct vpc_io *io) {
        static const int modes[] = {[WAY_ZERO] = FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
                                    [WAY_PUNCH] = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE};
        uint64_t left = io->length - io->private.progress;

        if (io->private.way != WAY_WRITE)
                return loop_fallocate(media->loop, &io->private.request, media->fd, modes[io->private.way], io->offset,
                                      io->length);
        io->private.rest = (struct iovec){zeroes, left < sizeof(zeroes) ? left : sizeof(zeroes)};
        return loop_writev(media->loop, &io->private.request, media->fd, &io->private.rest, 1, io->offset + io->private.progress);
}

static int start(struct media_file *media, struct vpc_io *io) {
        unsigned int n = 0;
        const struct iovec *iov = NULL;

        if (io->op == VPC_IO_FLUSH)
                return loop_fdatasync(media->loop, &io->private.request, media->fd);
        if (is_clearing(io))
                return start_clearing(media, io);
        iov = rest_of(io, &n);
        if (n == 0)
                return -EINVAL;
        return (io->op == VPC_IO_READ ? loop_readv : loop_writev)(media->loop, &io->private.request, media->fd, iov, n,
                                                                  io->offset + io->private.progress);
}

static void start_or_wait(struct media_file *media, struct vpc_io *io) {
        const bool is_first = !media->waiting.first;
        int r = is_first ? start(media, io) : -EAGAIN;

        if (r == 0)
                return;
        if (r != -EAGAIN) {
                end_later(media, io, r);
                return;
        }
        list_append(&media->waiting, io);
        if (is_first && !media->ended.first)
                loop_timer_set(media->timer, RETRY_NS);
}

static void start_waiting(struct media_file *media) {
        while (media->waiting.first) {
                int r = start(media, media->waiting.first);

                if (r == -EAGAIN)
                        return;
                struct vpc_io *io = list_take(&media->waiting);
                if (r < 0)
                        end_later(media, io, r);
        }
}

static void on_timer(void *userdata) {
        struct media_file *media = userdata;
        struct list ended = media->ended;
        struct vpc_io *io = NULL;

        media->ended = (struct list){.end = &media->ended.first};
        start_waiting(media);
        if (media->waiting.first && !media->ended.first)
                loop_timer_set(media->timer, RETRY_NS);
        /* Last: whoever is told may submit the next request, or free the medium. */
        while ((io = list_take(&ended)))
                io->private.finish(io, -(int)io->private.progress);
}

/* Behind the end of the file a medium reads as zeroes. */
static void zero_rest(struct vpc_io *io) {
        uint64_t skip = io->private.progress;

        for (unsigned int i = 0; i < io->n_iov; i++) {
                uint64_t skipped = skip < io->iov[i].iov_len ? skip : io->iov[i].iov_len;

                memset((char *)io->iov[i].iov_base + skipped, 0, io->iov[i].iov_len - skipped);
                skip -= skipped;
        }
}

static void on_done(struct loop_io *request, int32_t result) {
        struct vpc_io *io = (struct vpc_io *)((char *)request - offsetof(struct vpc_io, private.request));
        struct media_file *media = io->private.medium;
        int error = result < 0 ? result : 0;

        if (result == -EINTR || result == -EAGAIN) {
                start_or_wait(media, io);
                return;
        }
        if (result == -EOPNOTSUPP && is_clearing(io) && io->private.way != WAY_WRITE) {
                io->private.way++;
                start_or_wait(media, io);
                return;
        }
        if (!error && io->op != VPC_IO_FLUSH && !(is_clearing(io) && io->private.way != WAY_WRITE)) {
                io->private.progress += (uint64_t)result;
                if (result > 0 && io->private.progress < io->length) {
                        start_or_wait(media, io);
                        return;
                }
                if (result == 0 && io->op == VPC_IO_READ)
                        zero_rest(io);
                else if (result == 0)
                        error = -EIO;
        }
        start_waiting(media);
        io->private.finish(io, error); /* last: it may free the medium */
}

int media_file_new(struct loop *loop, int fd, uint64_t size, struct media_file **ret_media) {
        CLEANUP_CLOSE int owned = fd;
        CLEANUP_FREE struct media_file *media = NULL;
        int r = 0;

        if (fd < 0)
                return -EBADF;
        media = calloc(1, sizeof(*media));
        if (!media)
                return -ENOMEM;
        r = loop_add_timer(loop, UINT64_MAX, on_timer, media, &media->timer);
        if (r < 0)
                return r;
        media->loop = loop;
        media->fd = take_fd(&owned);
        media->size = size;
        media->waiting.end = &media->waiting.first;
        media->ended.end = &media->ended.first;
        *ret_media = TAKE_PTR(media);
        return 0;
}

void media_file_free(struct media_file *media) {
        if (!media)
                return;
        loop_source_remove(media->timer);
        close(media->fd);
        free(media);
}

void media_file_submit(struct media_file *media, struct vpc_io *io) {
        io->private.medium = media;
        io->private.progress = 0;
        io->private.way = io->op == VPC_IO_DISCARD ? WAY_PUNCH : WAY_ZERO;
        io->private.request.done = on_done;
        if (io->op != VPC_IO_FLUSH && (io->length == 0 || io->offset > media->size || io->length > media->size - io->offset)) {
                end_later(media, io, -EINVAL);
                return;
        }
        start_or_wait(media, io);
}
