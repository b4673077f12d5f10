/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "media/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/falloc.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "util.h"

/* How long a request waits for room in the ring where none of this file's completions brings its turn sooner. */
#define RETRY_NS UINT64_C(200000)

struct list {
        struct vpc_io *first, **end;
};

#define TRY_MAX (256u << 10) /* bytes: more would keep other requests waiting for too long */
#define TRY_SKIP_MAX 63u

struct media_file {
        struct loop *loop;
        int fd;
        int io_fd; /* the same, or what stands for it where it is registered */
        uint64_t size;
        bool is_memory; /* a file on tmpfs */
        bool is_device; /* a block device */
        bool keeps_space;
        uint32_t direct;                /* what memory must be aligned to for direct I/O; 0: through the page cache */
        unsigned int skip, skip_length; /* reads that are not looked for in the page cache */
        struct loop_source *timer;
        struct list waiting; /* for room in the ring */
        unsigned int under_way;
        void (*retired)(void *userdata); /* NULL: in use */
        void *retired_userdata;
        struct list ended; /* with the error in private.progress: never from within the submission */
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

static void retire(struct media_file *media) {
        void (*retired)(void *userdata) = media->retired;
        void *userdata = media->retired_userdata;

        media_file_free(media);
        retired(userdata);
}

/* Last of all in a callback: whoever is told may submit the next request, or free the medium. */
static void finish(struct media_file *media, struct vpc_io *io, int error) {
        const bool is_last = --media->under_way == 0 && media->retired;

        io->private.finish(io, error);
        if (is_last)
                retire(media);
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
/* The steps of a format. */
enum { FORMAT_SET, FORMAT_SYNC };

static unsigned int first_way(const struct media_file *media, const struct vpc_io *io) {
        if (io->op == VPC_IO_FORMAT)
                return FORMAT_SET;
        return io->op == VPC_IO_DISCARD && !media->keeps_space ? WAY_PUNCH : WAY_ZERO;
}

/* Who keeps space must not punch, which comes next where a range cannot be zeroed otherwise. */
static unsigned int next_way(const struct media_file *media, const struct vpc_io *io) {
        return media->keeps_space ? WAY_WRITE : io->private.way + 1;
}

static alignas(4096) unsigned char zeroes[65536]; /* never written to, so it costs no memory */

static bool is_clearing(const struct vpc_io *io) {
        return io->op == VPC_IO_DISCARD || io->op == VPC_IO_ZERO;
}

static bool has_bytes(const struct vpc_io *io) {
        return io->op != VPC_IO_FLUSH && io->op != VPC_IO_FORMAT;
}

/* Zeroing takes the end of the file along: space behind that end ext4 does not give back when it is punched. */
static int start_clearing(struct media_file *media, struct vpc_io *io) {
        static const int modes[] = {[WAY_ZERO] = FALLOC_FL_ZERO_RANGE, [WAY_PUNCH] = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE};
        uint64_t left = io->length - io->private.progress;

        if (io->private.way != WAY_WRITE)
                return loop_fallocate(media->loop, &io->private.request, media->io_fd, modes[io->private.way], io->offset,
                                      io->length);
        io->private.rest = (struct iovec){zeroes, left < sizeof(zeroes) ? left : sizeof(zeroes)};
        return loop_writev(media->loop, &io->private.request, media->io_fd, &io->private.rest, 1,
                           io->offset + io->private.progress);
}

/* In an attribute of the file, which goes where the file goes. */
static int start_format(struct media_file *media, struct vpc_io *io) {
        if (io->private.way == FORMAT_SYNC)
                return loop_fsync(media->loop, &io->private.request, media->fd);
        int n = snprintf(io->private.text, sizeof(io->private.text), "%u", (unsigned int)io->length);
        return loop_fsetxattr(media->loop, &io->private.request, media->fd, MEDIA_BLOCK_SIZE_ATTRIBUTE, io->private.text,
                              (unsigned int)n);
}

/* Between the pieces of a request, from where it is, and a bounce buffer. */
static void copy_bounced(const struct vpc_io *io, unsigned char *bounce, size_t length) {
        uint64_t skip = io->private.progress;

        for (unsigned int i = 0; i < io->n_iov && length; i++) {
                const uint64_t skipped = skip < io->iov[i].iov_len ? skip : io->iov[i].iov_len;
                const size_t left = io->iov[i].iov_len - skipped, n = left < length ? left : length;
                char *at = (char *)io->iov[i].iov_base + skipped;

                if (io->op == VPC_IO_WRITE)
                        memcpy(bounce, at, n);
                else
                        memcpy(at, bounce, n);
                skip -= skipped;
                bounce += n;
                length -= n;
        }
}

/*
 * Direct I/O from memory that does not suit it, as much as the buffer holds. The page cache would take it as well, but a page
 * that is written there while another part of it is written past it brings back what that part was.
 */
static int start_bounced(struct media_file *media, struct vpc_io *io) {
        const uint64_t left = io->length - io->private.progress;
        const size_t n = left < DIRECT_BOUNCE_SIZE ? left : DIRECT_BOUNCE_SIZE;
        int r = 0;

        io->private.bounce = direct_bounce_take();
        if (!io->private.bounce)
                return -EAGAIN;
        if (io->op == VPC_IO_WRITE)
                copy_bounced(io, io->private.bounce, n);
        io->private.rest = (struct iovec){io->private.bounce, n};
        r = (io->op == VPC_IO_READ ? loop_readv : loop_writev)(media->loop, &io->private.request, media->io_fd, &io->private.rest,
                                                               1, io->offset + io->private.progress);
        if (r < 0)
                direct_bounce_give(TAKE_PTR(io->private.bounce));
        return r;
}

static void end_bounced(struct vpc_io *io, int32_t result) {
        if (result > 0 && io->op == VPC_IO_READ)
                copy_bounced(io, io->private.bounce, (size_t)result);
        direct_bounce_give(TAKE_PTR(io->private.bounce));
}

static int start(struct media_file *media, struct vpc_io *io) {
        unsigned int n = 0;
        const struct iovec *iov = NULL;

        if (io->op == VPC_IO_FLUSH)
                return loop_fdatasync(media->loop, &io->private.request, media->io_fd);
        if (is_clearing(io))
                return start_clearing(media, io);
        if (io->op == VPC_IO_FORMAT)
                return start_format(media, io);
        iov = rest_of(io, &n);
        if (n == 0)
                return -EINVAL;
        if (media->direct && !direct_suits(iov, n, media->direct))
                return start_bounced(media, io);
        return (io->op == VPC_IO_READ ? loop_readv : loop_writev)(media->loop, &io->private.request, media->io_fd, iov, n,
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
        while ((io = list_take(&ended)))
                finish(media, io, -(int)io->private.progress);
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

/* A direct read that ends within a block ends with the file, and what is behind cannot be asked for. */
static bool is_cut_off(const struct media_file *media, const struct vpc_io *io) {
        return media->direct && io->op == VPC_IO_READ && io->private.progress % 512;
}

static void on_done(struct loop_io *request, int32_t result) {
        struct vpc_io *io = (struct vpc_io *)((char *)request - offsetof(struct vpc_io, private.request));
        struct media_file *media = io->private.medium;
        int error = result < 0 ? result : 0;

        if (io->private.bounce)
                end_bounced(io, result);
        if (result == -EINVAL && media->direct && has_bytes(io) && !is_clearing(io)) {
                direct_stop(media->fd); /* it said that it can, and cannot */
                media->direct = 0;
                result = -EAGAIN;
        }
        if (result == -EINTR || result == -EAGAIN) {
                start_or_wait(media, io);
                return;
        }
        if (result == -EOPNOTSUPP && is_clearing(io) && io->private.way != WAY_WRITE) {
                io->private.way = next_way(media, io);
                start_or_wait(media, io);
                return;
        }
        if (!error && io->op == VPC_IO_FORMAT && io->private.way == FORMAT_SET) {
                io->private.way = FORMAT_SYNC;
                start_or_wait(media, io);
                return;
        }
        if (!error && has_bytes(io) && !(is_clearing(io) && io->private.way != WAY_WRITE)) {
                io->private.progress += (uint64_t)result;
                if (result > 0 && io->private.progress < io->length && !is_cut_off(media, io)) {
                        start_or_wait(media, io);
                        return;
                }
                if (io->op == VPC_IO_READ && io->private.progress < io->length)
                        zero_rest(io);
                else if (result == 0)
                        error = -EIO;
        }
        start_waiting(media);
        finish(media, io, error);
}

int media_file_new(struct loop *loop, int fd, uint64_t size, struct media_file **ret_media) {
        CLEANUP_CLOSE int owned = fd;
        CLEANUP_FREE struct media_file *media = NULL;
        struct statfs fs;
        struct stat st;
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
        media->io_fd = loop_file_add(loop, media->fd);
        if (media->io_fd < 0)
                media->io_fd = media->fd;
        media->size = size;
        if (fstat(media->fd, &st) < 0)
                st.st_mode = 0;
        media->is_device = S_ISBLK(st.st_mode);
        /* Nothing there is waited for, and nothing would be gained by the ring, which hands it to a thread. A device is on /dev,
         * which says that it is tmpfs. */
        media->is_memory = S_ISREG(st.st_mode) && fstatfs(media->fd, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
        media->waiting.end = &media->waiting.first;
        media->ended.end = &media->ended.first;
        *ret_media = TAKE_PTR(media);
        return 0;
}

/* What has not been in the page cache lately is not asked for in vain each time. */
static void missed(struct media_file *media) {
        media->skip_length = media->skip_length < TRY_SKIP_MAX ? media->skip_length * 2 + 1 : TRY_SKIP_MAX;
        media->skip = media->skip_length;
}

bool media_file_try(struct media_file *media, const struct vpc_io *io, int *ret_error) {
        ssize_t n = -1;

        if (media->direct) /* that would be waited for */
                return false;
        if ((io->op != VPC_IO_READ && (io->op != VPC_IO_WRITE || !media->is_memory)) || media->waiting.first || io->length == 0 ||
            io->length > TRY_MAX || io->n_iov > IOV_MAX || io->offset > media->size || io->length > media->size - io->offset)
                return false;
        if (media->skip) {
                media->skip--;
                return false;
        }
        if (io->op == VPC_IO_READ)
                n = preadv2(media->fd, io->iov, (int)io->n_iov, (off_t)io->offset, media->is_memory ? 0 : RWF_NOWAIT);
        else
                n = pwritev(media->fd, io->iov, (int)io->n_iov, (off_t)io->offset);
        if (n != (ssize_t)io->length) {
                missed(media);
                return false; /* from the beginning, by the ring: errors, the end of the file, what must be waited for */
        }
        media->skip_length = 0;
        *ret_error = 0;
        return true;
}

void media_file_free(struct media_file *media) {
        if (!media)
                return;
        loop_source_remove(media->timer);
        if (media->io_fd != media->fd)
                loop_file_remove(media->loop, media->io_fd);
        close(media->fd);
        free(media);
}

void media_file_resize(struct media_file *media, uint64_t size) {
        media->size = size;
}

bool media_file_set_cache(struct media_file *media, enum media_cache cache) {
        media->direct = direct_start(media->fd, cache);
        return media->direct;
}

void media_file_set_keeps_space(struct media_file *media, bool keeps) {
        media->keeps_space = keeps;
}

void media_file_retire(struct media_file *media, void (*done)(void *userdata), void *userdata) {
        media->retired = done;
        media->retired_userdata = userdata;
        if (!media->under_way)
                retire(media);
}

void media_file_submit(struct media_file *media, struct vpc_io *io) {
        media->under_way++;
        io->private.medium = media;
        io->private.progress = 0;
        io->private.bounce = NULL;
        io->private.way = first_way(media, io);
        io->private.request.done = on_done;
        if (has_bytes(io) && (io->length == 0 || io->offset > media->size || io->length > media->size - io->offset)) {
                end_later(media, io, -EINVAL);
                return;
        }
        if (io->op == VPC_IO_FORMAT && media->is_device) { /* an attribute would be one of the node in /dev */
                end_later(media, io, -EOPNOTSUPP);
                return;
        }
        start_or_wait(media, io);
}
