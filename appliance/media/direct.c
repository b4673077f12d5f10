/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "media/direct.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/stat.h>
#include <stdalign.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "util.h"

/* Blocks of 512 bytes are what a medium may have at least. */
#define BLOCK 512u
#define PAGE 4096u

/* statx(2) tells of direct I/O since Linux 6.1; the C library's header may be older. Numbers by include/uapi/linux/stat.h. */
#define MASK_DIOALIGN 0x2000u
struct dioalign {
        uint32_t mask;
        uint8_t other[148];
        uint32_t memory, offset;
        uint8_t rest[96];
};
_Static_assert(sizeof(struct dioalign) == 256 && offsetof(struct dioalign, memory) == 0x98, "struct statx");

static bool is_wanted(int fd, enum media_cache cache) {
        struct statfs fs;
        struct stat st;

        if (cache == MEDIA_CACHE_PAGE || fstatfs(fd, &fs) < 0 || fstat(fd, &st) < 0)
                return false;
        /* There is no medium behind tmpfs that the page cache could be in front of. */
        if (!S_ISBLK(st.st_mode) && fs.f_type == TMPFS_MAGIC)
                return false;
        return cache == MEDIA_CACHE_DIRECT || S_ISBLK(st.st_mode);
}

uint32_t direct_start(int fd, enum media_cache cache) {
        struct dioalign align = {0};

        if (!is_wanted(fd, cache) || syscall(SYS_statx, fd, "", AT_EMPTY_PATH, MASK_DIOALIGN, &align) < 0)
                return 0;
        if (!(align.mask & MASK_DIOALIGN) || align.offset == 0 || align.offset > BLOCK || align.memory == 0 ||
            align.memory > PAGE || align.memory & (align.memory - 1))
                return 0;
        const int flags = fcntl(fd, F_GETFL);
        return flags >= 0 && fcntl(fd, F_SETFL, flags | O_DIRECT) == 0 ? align.memory : 0;
}

void direct_stop(int fd) {
        const int flags = fcntl(fd, F_GETFL);

        if (flags >= 0)
                fcntl(fd, F_SETFL, flags & ~O_DIRECT);
}

bool direct_suits(const struct iovec *iov, unsigned int n_iov, uint32_t align) {
        uintptr_t bits = 0;

        for (unsigned int i = 0; i < n_iov; i++)
                bits |= (uintptr_t)iov[i].iov_base | iov[i].iov_len;
        return (bits & (align - 1)) == 0;
}

/* For all media of the process, which has one thread that asks for them. Memory that is never written to costs nothing. */
#define BOUNCES 16u
static alignas(PAGE) unsigned char bounces[BOUNCES][DIRECT_BOUNCE_SIZE];
static uint32_t taken;

void *direct_bounce_take(void) {
        for (unsigned int i = 0; i < BOUNCES; i++)
                if (!(taken >> i & 1)) {
                        taken |= UINT32_C(1) << i;
                        return bounces[i];
                }
        return NULL;
}

void direct_bounce_give(void *bounce) {
        taken &= ~(UINT32_C(1) << ((unsigned char(*)[DIRECT_BOUNCE_SIZE])bounce - bounces));
}
