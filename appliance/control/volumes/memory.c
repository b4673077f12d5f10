/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/volumes/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "util.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define PAGE UINT64_C(4096)
#define LARGE_PAGE (UINT64_C(2) << 20)
#define STEP (UINT64_C(64) << 20) /* between two looks at what is left */
#define LEFT_PART 16              /* of all, that is never asked for */
#define FAILURES_MAX 16u          /* large pages that cannot be had, in a row: memory is in pieces */

int memory_make(int *ret_fd) {
        CLEANUP_CLOSE int fd = memfd_create("iov-volume", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        if (fd < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) < 0)
                return -errno;
        *ret_fd = take_fd(&fd);
        return 0;
}

uint64_t memory_held(int fd) {
        struct stat st;

        return fstat(fd, &st) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
}

/* ---- what there is ---- */

static uint64_t room(uint64_t total, uint64_t used) {
        const uint64_t left = total / LEFT_PART;

        return total - left > used ? total - left - used : 0;
}

/* The number after `key` at the beginning of a line, 0 where there is none. */
static uint64_t number_in(const char *path, const char *key) {
        CLEANUP_FILE FILE *f = fopen(path, "re");
        const size_t length = strlen(key);
        char line[256];
        uint64_t n = 0;

        while (f && fgets(line, sizeof(line), f))
                if (strncmp(line, key, length) == 0 && sscanf(line + length, " %" SCNu64, &n) == 1)
                        return n;
        return 0;
}

static bool read_number(const char *directory, const char *name, uint64_t *ret_n) {
        char path[512], text[32];

        if (snprintf(path, sizeof(path), "%s/%s", directory, name) >= (int)sizeof(path))
                return false;
        CLEANUP_FILE FILE *f = fopen(path, "re");
        return f && fgets(text, sizeof(text), f) && sscanf(text, "%" SCNu64, ret_n) == 1; /* "max": no limit */
}

/* Version 1 and 2 have other names for it. What is in the page cache of files goes when others need it. */
static uint64_t room_of_cgroup(const char *directory, bool is_v1) {
        uint64_t limit = 0, usage = 0;
        char stat[512];

        if (!read_number(directory, is_v1 ? "memory.limit_in_bytes" : "memory.max", &limit) ||
            !read_number(directory, is_v1 ? "memory.usage_in_bytes" : "memory.current", &usage) ||
            snprintf(stat, sizeof(stat), "%s/memory.stat", directory) >= (int)sizeof(stat))
                return UINT64_MAX;
        const uint64_t cache = number_in(stat, is_v1 ? "total_inactive_file " : "inactive_file ") +
                               number_in(stat, is_v1 ? "total_active_file " : "active_file ");
        return room(limit, usage > cache ? usage - cache : 0);
}

/* A cgroup and all above it. In a container the upper ones are not to be seen, and where its own is mounted they begin. */
static uint64_t room_of_cgroups(const char *cgroups, bool is_v1, char *path) {
        uint64_t least = UINT64_MAX;
        char directory[512];

        for (;;) {
                if (snprintf(directory, sizeof(directory), "%s%s%s", cgroups, is_v1 ? "/memory" : "", path) <
                    (int)sizeof(directory)) {
                        const uint64_t here = room_of_cgroup(directory, is_v1);

                        least = here < least ? here : least;
                }
                char *slash = strrchr(path, '/');
                if (!slash)
                        return least;
                *slash = 0;
        }
}

static bool has_word(const char *list, const char *word) {
        const size_t length = strlen(word);

        for (;;) {
                const size_t n = strcspn(list, ",");

                if (n == length && memcmp(list, word, n) == 0)
                        return true;
                if (!list[n])
                        return false;
                list += n + 1;
        }
}

/* Lines of NUMBER:CONTROLLERS:PATH, version 2 without controllers. */
static uint64_t room_of_line(const char *cgroups, char *line) {
        char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;

        if (!path)
                return UINT64_MAX;
        line[strcspn(line, "\n")] = 0;
        *path++ = 0;
        controllers++;
        return !*controllers || has_word(controllers, "memory") ? room_of_cgroups(cgroups, *controllers, path) : UINT64_MAX;
}

uint64_t memory_available(const char *proc, const char *cgroups) {
        char path[256], line[512];

        proc = proc ? proc : "/proc";
        cgroups = cgroups ? cgroups : "/sys/fs/cgroup";
        snprintf(path, sizeof(path), "%s/meminfo", proc);
        uint64_t total = number_in(path, "MemTotal:"), available = number_in(path, "MemAvailable:"), unit = 1024;
        if (!total) {
                struct sysinfo info;

                if (sysinfo(&info) < 0)
                        return UINT64_MAX;
                total = info.totalram, available = info.freeram, unit = info.mem_unit;
        }
        uint64_t least = room(total * unit, (total > available ? total - available : 0) * unit);
        snprintf(path, sizeof(path), "%s/self/cgroup", proc);
        CLEANUP_FILE FILE *f = fopen(path, "re");
        while (f && fgets(line, sizeof(line), f)) {
                const uint64_t here = room_of_line(cgroups, line);

                least = here < least ? here : least;
        }
        return least;
}

/* ---- taking it ---- */

struct large {
        unsigned int failures; /* in a row */
        bool is_over;          /* the kernel has none */
        uint64_t bytes;
};

static int take(int fd, uint64_t at, uint64_t n) {
        while (fallocate(fd, 0, (off_t)at, (off_t)n) < 0)
                if (errno != EINTR)
                        return errno == ENOMEM ? -ENOSPC : -errno;
        return 0;
}

/*
 * One large page. A piece of which nothing is there cannot be collapsed, so its first page is taken before; the rest then comes
 * with the large page, without a copy. A kernel that knows of none of this says EINVAL.
 */
static int make_large(int fd, char *memory, uint64_t at, struct large *large) {
        int r = take(fd, at, PAGE);

        if (r < 0)
                return r;
        if (madvise(memory, LARGE_PAGE, MADV_COLLAPSE) == 0) {
                large->bytes += LARGE_PAGE;
                large->failures = 0;
        } else {
                large->is_over = errno == EINVAL || ++large->failures >= FAILURES_MAX;
        }
        return 0;
}

/* Large pages lie at multiples of their size in the file and in memory alike. */
static int make_all_large(int fd, uint64_t at, uint64_t n, const bool *stop, struct large *large) {
        const uint64_t reserved = STEP + LARGE_PAGE;
        char *memory = mmap(NULL, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), *aligned = NULL;
        int r = 0;

        if (memory == MAP_FAILED)
                return 0; /* then there are none */
        aligned = memory + -(uintptr_t)memory % LARGE_PAGE;
        if (mmap(aligned, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED, fd, (off_t)at) != MAP_FAILED)
                for (uint64_t i = 0; r == 0 && !large->is_over && n - i >= LARGE_PAGE; i += LARGE_PAGE)
                        r = __atomic_load_n(stop, __ATOMIC_RELAXED) ? -ECANCELED : make_large(fd, aligned + i, at + i, large);
        munmap(memory, reserved);
        return r;
}

int memory_allocate(int fd, uint64_t size, const bool *stop, uint64_t *ret_large) {
        struct large large = {0};
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        uint64_t held = memory_held(fd);
        if (size > held && size - held > memory_available(NULL, NULL))
                return -ENOSPC;
        if ((uint64_t)st.st_size < size && ftruncate(fd, (off_t)size) < 0)
                return -errno;
        for (uint64_t at = 0; at < size; at += STEP) {
                const uint64_t n = size - at < STEP ? size - at : STEP;
                int r = 0;

                /* Who is over a limit is not told so, but killed. */
                held = memory_held(fd);
                if (size > held && (size - held < n ? size - held : n) > memory_available(NULL, NULL))
                        return -ENOSPC;
                if (!large.is_over && n >= LARGE_PAGE)
                        r = make_all_large(fd, at, n, stop, &large);
                if (r == 0)
                        r = __atomic_load_n(stop, __ATOMIC_RELAXED) ? -ECANCELED : take(fd, at, n);
                if (r < 0)
                        return r;
        }
        *ret_large = large.bytes;
        return 0;
}

int memory_trim(int fd, uint64_t size) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        if ((uint64_t)st.st_size <= size)
                return 0;
        const off_t behind = st.st_size - (off_t)size;
        return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)size, behind) < 0 ? -errno : 0;
}
