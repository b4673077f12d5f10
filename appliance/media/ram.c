/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "media/ram.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "media/file.h"
#include "util.h"

#define CACHE_LINE 64u
#define EXPECT_BYTES 512u
#define PAGE UINT64_C(4096)
#define LARGE_PAGE (UINT64_C(2) << 20)

struct media_ram {
        int fd;
        uint64_t size;
        char *memory;
        bool keeps_space;
};

/*
 * The kernel has large pages in a mapping only where both lie alike, and looks for such an address by itself only where it would
 * make large pages by itself. The control process may have made them (control/volumes/memory.h). A core dump is no place for any
 * of it.
 */
static char *map(int fd, uint64_t size) {
        const uint64_t room = size >= LARGE_PAGE ? size + LARGE_PAGE : size;
        char *reserved = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

        if (reserved == MAP_FAILED)
                return NULL;
        const uint64_t before = size >= LARGE_PAGE ? -(uintptr_t)reserved % LARGE_PAGE : 0;
        const uint64_t end = (before + size + PAGE - 1) / PAGE * PAGE;
        char *p = mmap(reserved + before, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED, fd, 0);

        if (p == MAP_FAILED) {
                munmap(reserved, room);
                return NULL;
        }
        if (before)
                munmap(reserved, before);
        if (room > end)
                munmap(reserved + end, room - end);
        madvise(p, size, MADV_HUGEPAGE);
        madvise(p, size, MADV_DONTDUMP);
        return p;
}

int media_ram_new(int arg_fd, uint64_t size, struct media_ram **ret_media) {
        CLEANUP_CLOSE int fd = arg_fd;
        CLEANUP_FREE struct media_ram *media = NULL;
        struct stat st;
        int seals = 0;

        if (fd < 0)
                return -EBADF;
        seals = fcntl(fd, F_GET_SEALS);
        if (fstat(fd, &st) < 0)
                return -errno;
        /* What can shrink would end the process by SIGBUS. */
        if (seals < 0 || !(seals & F_SEAL_SHRINK) || (uint64_t)st.st_size < size || size == 0)
                return -EBADMSG;
        media = calloc(1, sizeof(*media));
        if (!media)
                return -ENOMEM;
        media->memory = map(fd, size);
        if (!media->memory)
                return -errno;
        media->fd = take_fd(&fd);
        media->size = size;
        *ret_media = TAKE_PTR(media);
        return 0;
}

void media_ram_free(struct media_ram *media) {
        if (!media)
                return;
        munmap(media->memory, media->size);
        close(media->fd);
        free(media);
}

void media_ram_resize(struct media_ram *media, uint64_t size) {
        struct stat st;

        if (size == media->size || size == 0 || fstat(media->fd, &st) < 0 || (uint64_t)st.st_size < size)
                return;
        char *p = map(media->fd, size);
        if (!p)
                return;
        munmap(media->memory, media->size);
        media->memory = p;
        media->size = size;
}

void media_ram_set_keeps_space(struct media_ram *media, bool keeps) {
        media->keeps_space = keeps;
}

bool media_ram_gives_back(const struct media_ram *media, const struct vpc_io *io) {
        return io->op == VPC_IO_DISCARD && !media->keeps_space;
}

/* In an attribute of the memory's file, as of any other (Linux 6.6 and later have them there). */
static int format(struct media_ram *media, uint64_t block_size) {
        char text[24];
        int n = snprintf(text, sizeof(text), "%llu", (unsigned long long)block_size);

        return fsetxattr(media->fd, MEDIA_BLOCK_SIZE_ATTRIBUTE, text, (size_t)n, 0) < 0 ? -errno : 0;
}

bool media_ram_has(const struct media_ram *media, const struct vpc_io *io) {
        return io->length && io->offset <= media->size && io->length <= media->size - io->offset;
}

/*
 * A block that is chosen at random is in no cache, nor is its address in the TLB, and no processor looks ahead over the end of a
 * page: so the first lines are asked for while other requests are copied. For the rest the processor sees the pattern.
 */
void media_ram_expect(const struct media_ram *media, uint64_t offset, uint64_t length) {
        if (offset > media->size || length > media->size - offset)
                return;
        if (length > EXPECT_BYTES)
                length = EXPECT_BYTES;
        for (uint64_t i = 0; i < length; i += CACHE_LINE)
                __builtin_prefetch(media->memory + offset + i);
}

int media_ram_do(struct media_ram *media, const struct vpc_io *io) {
        if (io->op == VPC_IO_FORMAT)
                return format(media, io->length);
        if (io->op == VPC_IO_FLUSH) /* what is written is as durable as it gets */
                return 0;
        if (!media_ram_has(media, io))
                return -EINVAL;
        char *at = media->memory + io->offset;
        switch (io->op) {
        case VPC_IO_READ:
                for (unsigned int i = 0; i < io->n_iov; at += io->iov[i++].iov_len)
                        memcpy(io->iov[i].iov_base, at, io->iov[i].iov_len);
                return 0;
        case VPC_IO_WRITE:
                for (unsigned int i = 0; i < io->n_iov; at += io->iov[i++].iov_len)
                        memcpy(at, io->iov[i].iov_base, io->iov[i].iov_len);
                return 0;
        case VPC_IO_DISCARD:
                if (!media->keeps_space &&
                    fallocate(media->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)io->offset, (off_t)io->length) == 0)
                        return 0;
                /* fall through: zeroes are what counts */
                __attribute__((fallthrough));
        case VPC_IO_ZERO:
                memset(at, 0, io->length);
                return 0;
        default:
                return -EOPNOTSUPP;
        }
}
