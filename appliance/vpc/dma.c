/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "util.h"
#include "vpc/dma-private.h"
#include "vpc/function.h"
#include "vpc/session.h"

#define FDS_LEFT 256   /* descriptors that windows do not use up */
#define DMA_PAGE 4096u /* the page size of the protocol; the host's is larger on some machines, then mmap(2) refuses */

/*
 * What is kept of a window. A record counts from the store of its state on; its message is the one that has last changed it, so
 * that one whose handling is begun again finds what it has done already.
 */
static uint64_t message_of(const struct vpc_dma *dma) {
        return dma->session ? vpc_session_state(dma->session)->message : 0;
}

static struct vpc_session_window *record_take(struct vpc_dma *dma) {
        struct vpc_session *session = dma->session;
        unsigned int i = dma->record_hint;

        while (i < session->n_windows && session->windows[i].state != VPC_WINDOW_FREE)
                i++;
        if (i >= VPC_DMA_WINDOWS_MAX)
                return NULL;
        if (i >= session->n_windows)
                session->n_windows = i + 1;
        dma->record_hint = i + 1;
        return &session->windows[i];
}

static void record_free(struct vpc_dma *dma, struct vpc_session_window *record) {
        const int fd = record->fd;
        const unsigned int i = (unsigned int)(record - dma->session->windows);

        __atomic_store_n(&record->state, VPC_WINDOW_FREE, __ATOMIC_RELEASE);
        close_fd(&fd);
        if (i < dma->record_hint)
                dma->record_hint = i;
}

static void record_make(struct vpc_dma *dma, struct vpc_dma_window *window, int *fd, uint64_t fd_offset) {
        struct vpc_session_window *record = window->record;

        record->address = window->address;
        record->size = window->size;
        record->flags = window->flags;
        record->fd_offset = fd_offset;
        record->message = message_of(dma);
        record->fd = take_fd(fd);
        __atomic_store_n(&record->state, VPC_WINDOW_LIVE, __ATOMIC_RELEASE);
}

static bool is_again(const struct vpc_dma *dma, const struct vpc_dma_window *window, uint64_t address, uint64_t size) {
        return window->record && window->record->message == message_of(dma) && window->address == address && window->size == size;
}

unsigned int vpc_dma_find(const struct vpc_dma *dma, uint64_t address) {
        unsigned int low = 0, high = dma->n_windows;

        while (low < high) {
                unsigned int middle = low + (high - low) / 2;
                const struct vpc_dma_window *w = dma->windows[middle];

                if (w->address + (w->size - 1) < address)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

/* What a mapping of the file must be aligned to: a huge page on hugetlbfs, where offset and length are whole ones (mmap(2)). */
static uint64_t file_alignment(int fd, const struct stat *st) {
        struct statfs fs;

        if (fstatfs(fd, &fs) == 0 && fs.f_type == HUGETLBFS_MAGIC && st->st_blksize > (blksize_t)DMA_PAGE)
                return (uint64_t)st->st_blksize;
        return DMA_PAGE;
}

static int map_memory(struct vpc_dma_window *window, int fd, uint64_t offset) {
        const int protection =
                (window->flags & VPC_DMA_READABLE ? PROT_READ : 0) | (window->flags & VPC_DMA_WRITEABLE ? PROT_WRITE : 0);
        struct stat st;
        uint64_t align = 0, slack = 0;
        void *p = NULL;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EINVAL;
        if (offset > (uint64_t)st.st_size || window->size > (uint64_t)st.st_size - offset)
                return -EINVAL;
        align = file_alignment(fd, &st);
        slack = offset % align;
        window->mapping_length = (size_t)((window->size + slack + align - 1) / align * align);
        p = mmap(NULL, window->mapping_length, protection, MAP_SHARED | MAP_NORESERVE, fd, (off_t)(offset - slack));
        if (p == MAP_FAILED)
                return -errno;
        /* A core dump of this process is no place for a guest's memory. */
        madvise(p, window->mapping_length, MADV_DONTDUMP);
        window->mapping = p;
        window->device = st.st_dev;
        window->inode = st.st_ino;
        window->offset = offset;
        window->memory = (char *)p + slack;
        return 0;
}

static void unmap_memory(struct vpc_dma_window *window) {
        if (window->mapping)
                munmap(window->mapping, window->mapping_length);
}

static int grow(struct vpc_dma *dma) {
        unsigned int capacity = dma->capacity ? dma->capacity * 2 : 16;
        struct vpc_dma_window **windows = NULL;

        if (dma->n_windows < dma->capacity)
                return 0;
        windows = reallocarray(dma->windows, capacity, sizeof(struct vpc_dma_window *));
        if (!windows)
                return -ENOMEM;
        dma->windows = windows;
        dma->capacity = capacity;
        return 0;
}

static int insert(struct vpc_dma *dma, unsigned int i, const struct vpc_dma_window *made) {
        struct vpc_dma_window *window = malloc(sizeof(*window));

        if (!window)
                return -ENOMEM;
        *window = *made;
        memmove(dma->windows + i + 1, dma->windows + i, (dma->n_windows - i) * sizeof(struct vpc_dma_window *));
        dma->windows[i] = window;
        dma->n_windows++;
        return 0;
}

static int check_window(uint64_t address, uint64_t size, uint64_t fd_offset, uint32_t flags) {
        if ((address | size | fd_offset) % DMA_PAGE || !size || address + (size - 1) < address)
                return -EINVAL;
        return flags & ~(VPC_DMA_READABLE | VPC_DMA_WRITEABLE) ? -EINVAL : 0;
}

/* The window is there already: an error, but for a message that is handled for the second time. */
static int map_again(const struct vpc_dma *dma, const struct vpc_dma_window *window, uint64_t address, uint64_t size, int *fd) {
        if (!is_again(dma, window, address, size))
                return -EEXIST;
        if (window->record->fd == *fd)
                take_fd(fd);
        return 0;
}

int vpc_dma_map(struct vpc_dma *dma, uint64_t address, uint64_t size, int arg_fd, uint64_t fd_offset, uint32_t flags) {
        CLEANUP_CLOSE int fd = arg_fd;
        struct vpc_dma_window made = {.address = address, .size = size, .flags = flags};
        unsigned int i = 0;
        int r = check_window(address, size, fd_offset, flags);

        if (r < 0)
                return r;
        if (dma->n_windows >= VPC_DMA_WINDOWS_MAX)
                return -ENOSPC;
        i = vpc_dma_find(dma, address);
        if (i < dma->n_windows && dma->windows[i]->address <= address + (size - 1))
                return map_again(dma, dma->windows[i], address, size, &fd);
        r = grow(dma);
        /* Each is kept, and without any left the next message that brings one could not be taken. */
        if (r >= 0 && dma->session && fd >= dma->fd_max)
                r = -EMFILE;
        if (r >= 0 && dma->session) {
                made.record = record_take(dma);
                if (!made.record) /* those that are gone are not yet released */
                        r = -ENOSPC;
        }
        if (r >= 0 && fd >= 0)
                r = map_memory(&made, fd, fd_offset);
        if (r >= 0)
                r = insert(dma, i, &made);
        if (r < 0) {
                unmap_memory(&made);
                dma->record_hint = 0;
                return r;
        }
        if (made.record)
                record_make(dma, dma->windows[i], &fd, fd_offset);
        return 0;
}

static void resume_window(struct vpc_dma *dma, struct vpc_session_window *record, int *failed) {
        struct vpc_dma_window made = {.address = record->address, .size = record->size, .flags = record->flags, .record = record};
        const unsigned int i = vpc_dma_find(dma, made.address);

        if (grow(dma) < 0 || (record->fd >= 0 && map_memory(&made, record->fd, record->fd_offset) < 0))
                ++*failed;
        if (dma->n_windows == dma->capacity || insert(dma, i, &made) < 0)
                unmap_memory(&made);
}

/* Those that were gone are only waited for now: nothing that used them is under way any more. */
static void resume_gone(struct vpc_dma *dma, struct vpc_session_window *record) {
        struct vpc_dma_window *window = calloc(1, sizeof(*window));

        if (!window)
                return;
        window->address = record->address;
        window->size = record->size;
        window->record = record;
        window->next = dma->dropped;
        dma->dropped = window;
}

int vpc_dma_resume(struct vpc_dma *dma, struct vpc_session *session) {
        const long open_max = sysconf(_SC_OPEN_MAX);
        int failed = 0;

        dma->fd_max = open_max < 0 || open_max > INT_MAX
                              ? INT_MAX
                              : (int)open_max - (int)(open_max < 4 * FDS_LEFT ? open_max / 4 : FDS_LEFT);
        dma->session = session;
        for (unsigned int i = 0; i < session->n_windows && i < VPC_DMA_WINDOWS_MAX; i++) {
                struct vpc_session_window *record = &session->windows[i];

                if (record->state == VPC_WINDOW_LIVE)
                        resume_window(dma, record, &failed);
                else if (record->state == VPC_WINDOW_GONE)
                        resume_gone(dma, record);
        }
        return failed;
}

static void drop(struct vpc_dma *dma, struct vpc_dma_window *window) {
        window->next = dma->dropped;
        dma->dropped = window;
        if (!window->record)
                return;
        window->record->message = message_of(dma);
        __atomic_store_n(&window->record->state, VPC_WINDOW_GONE, __ATOMIC_RELEASE);
}

static bool is_dropped_already(const struct vpc_dma *dma, uint64_t address, uint64_t size) {
        for (const struct vpc_dma_window *w = dma->dropped; w; w = w->next)
                if (is_again(dma, w, address, size))
                        return true;
        return false;
}

int vpc_dma_unmap(struct vpc_dma *dma, uint64_t address, uint64_t size) {
        unsigned int i = vpc_dma_find(dma, address);

        if (i == dma->n_windows || dma->windows[i]->address != address || dma->windows[i]->size != size)
                return is_dropped_already(dma, address, size) ? 0 : -ENOENT;
        drop(dma, dma->windows[i]);
        dma->n_windows--;
        memmove(dma->windows + i, dma->windows + i + 1, (dma->n_windows - i) * sizeof(struct vpc_dma_window *));
        return 0;
}

void vpc_dma_unmap_all(struct vpc_dma *dma) {
        for (unsigned int i = 0; i < dma->n_windows; i++)
                drop(dma, dma->windows[i]);
        dma->n_windows = 0;
}

static void free_windows(struct vpc_dma *dma, struct vpc_dma_window **list) {
        struct vpc_dma_window *next = NULL;

        for (struct vpc_dma_window *window = *list; window; window = next) {
                next = window->next;
                vpc_dma_unpin(dma, window);
                unmap_memory(window);
                if (window->record)
                        record_free(dma, window->record);
                free(window);
        }
        *list = NULL;
}

void vpc_dma_release_prepare(struct vpc_dma *dma) {
        dma->releasing = TAKE_PTR(dma->dropped);
}

void vpc_dma_release(struct vpc_dma *dma) {
        free_windows(dma, &dma->releasing);
}

void vpc_dma_clear(struct vpc_dma *dma) {
        vpc_dma_unmap_all(dma);
        free_windows(dma, &dma->dropped);
        free_windows(dma, &dma->releasing);
        free(TAKE_PTR(dma->windows));
        dma->capacity = 0;
}

void vpc_dma_describe(const struct vpc_dma *dma, unsigned int i, struct vpc_dma_description *ret_description) {
        const struct vpc_dma_window *w = dma->windows[i];

        *ret_description = (struct vpc_dma_description){.address = w->address,
                                                        .size = w->size,
                                                        .device = w->device,
                                                        .inode = w->inode,
                                                        .offset = w->offset,
                                                        .flags = w->flags,
                                                        .has_memory = w->memory != NULL};
}

/* The whole range lies in the window: most do in that of the range before. */
static bool is_within(const struct vpc_dma_window *w, uint64_t address, size_t length) {
        return address >= w->address && address - w->address < w->size && length <= w->size - (address - w->address);
}

int vpc_dma_translate(struct vpc_dma *dma, uint64_t address, size_t length, enum vpc_direction direction, struct iovec *iov,
                      unsigned int max) {
        const uint32_t need = direction == VPC_DMA_TO_DEVICE ? VPC_DMA_READABLE : VPC_DMA_WRITEABLE;
        unsigned int n = 0;

        if (length && max && dma->last < dma->n_windows && is_within(dma->windows[dma->last], address, length)) {
                const struct vpc_dma_window *w = dma->windows[dma->last];

                if (!w->memory || !(w->flags & need))
                        return -EFAULT;
                *iov = (struct iovec){w->memory + (address - w->address), length};
                return 1;
        }

        if (length && address + (length - 1) < address)
                return -EFAULT;
        for (unsigned int i = length ? vpc_dma_find(dma, address) : 0; length; i++) {
                const struct vpc_dma_window *w = i < dma->n_windows ? dma->windows[i] : NULL;
                uint64_t skip = 0, piece = 0;

                /* From the second piece on: the window that follows must begin where the one before ended. */
                if (!w || w->address > address || !w->memory || !(w->flags & need))
                        return -EFAULT;
                if (n == max)
                        return -E2BIG;
                skip = address - w->address;
                piece = w->size - skip < length ? w->size - skip : length;
                dma->last = i;
                iov[n++] = (struct iovec){w->memory + skip, (size_t)piece};
                address += piece;
                length -= (size_t)piece;
        }
        return (int)n;
}
