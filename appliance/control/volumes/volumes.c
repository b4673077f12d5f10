/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/volumes/volumes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "backend.h"
#include "media/file.h"
#include "util.h"

const struct iov_volume *volume_by_id(const struct iov_model *model, uint64_t id) {
        const struct iov_volume *volume = NULL;

        iov_model_foreach (model, IOV_KIND_VOLUME, volume)
                if (volume->id == id)
                        return volume;
        return NULL;
}

/* Make a directory entry durable together with what it is in. */
static int make_directory(int parent, const char *name, int *ret_fd) {
        bool made = mkdirat(parent, name, 0700) == 0;

        if (!made && errno != EEXIST)
                return -errno;
        int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return -errno;
        if (made && fsync(parent) < 0) {
                int r = -errno;
                close(fd);
                return r;
        }
        *ret_fd = fd;
        return 0;
}

static int adapter_directory(int state_directory, const char *backend, const char *adapter, int *ret_fd) {
        CLEANUP_CLOSE int media = -1;

        if (*backend) { /* the operator has named it, and may have named a link */
                int fd = open(backend, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

                if (fd < 0)
                        return -errno;
                *ret_fd = fd;
                return 0;
        }
        int r = make_directory(state_directory, "media", &media);
        return r < 0 ? r : make_directory(media, adapter, ret_fd);
}

static void file_name(const struct iov_volume *volume, char name[32]) {
        snprintf(name, 32, "%" PRIu64 ".img", volume->id);
}

int volume_open(int state_directory, const char *backend, const struct iov_volume *volume, bool read_only, int *ret_fd) {
        CLEANUP_CLOSE int directory = -1;
        const int mode = read_only ? O_RDONLY : O_RDWR;
        char name[32];
        int r = adapter_directory(state_directory, backend, volume->adapter, &directory);

        if (r < 0)
                return r;
        file_name(volume, name);
        int fd = openat(directory, name, mode | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0 && errno == ENOENT) {
                fd = openat(directory, name, mode | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
                if (fd >= 0 && fsync(directory) < 0) {
                        r = -errno;
                        close(fd);
                        return r;
                }
        }
        if (fd < 0)
                return -errno;
        *ret_fd = fd;
        return 0;
}

static int trim_file(int directory, const char *name, uint64_t size) {
        struct stat st;

        if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : -errno;
        if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size <= size)
                return 0;
        CLEANUP_CLOSE int fd = openat(directory, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
        return fd < 0 || ftruncate(fd, (off_t)size) < 0 || fsync(fd) < 0 ? -errno : 0;
}

static bool is_there(int state_directory, const char *backend, const struct iov_volume *volume, struct stat *ret_st) {
        CLEANUP_CLOSE int directory = -1;
        char name[32];

        file_name(volume, name);
        return adapter_directory(state_directory, backend, volume->adapter, &directory) == 0 &&
               fstatat(directory, name, ret_st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Asked for before it is taken: a file system is not filled up to the last block, only to be told that it was too small. */
static int has_room(int fd, uint64_t size) {
        struct statvfs fs;
        struct stat st;

        if (fstat(fd, &st) < 0 || fstatvfs(fd, &fs) < 0)
                return -errno;
        const uint64_t has = (uint64_t)st.st_blocks * 512;
        return size > has && (size - has) / fs.f_frsize > fs.f_bavail ? -ENOSPC : 0;
}

int volume_allocate(int state_directory, const char *backend, const struct iov_volume *volume, struct volume_before *ret_before) {
        CLEANUP_CLOSE int fd = -1;
        struct stat st = {0};
        struct volume_before before = {.is_made = !is_there(state_directory, backend, volume, &st), .size = (uint64_t)st.st_size};
        int r = volume_open(state_directory, backend, volume, false, &fd);

        if (r < 0)
                return r;
        r = has_room(fd, volume->size);
        while (r == 0 && fallocate(fd, 0, 0, (off_t)volume->size) < 0)
                if (errno != EINTR)
                        r = -errno;
        if (r == 0 && fsync(fd) < 0)
                r = -errno;
        if (r < 0) {
                volume_unallocate(state_directory, backend, volume, &before);
                return r;
        }
        *ret_before = before;
        return 0;
}

void volume_unallocate(int state_directory, const char *backend, const struct iov_volume *volume,
                       const struct volume_before *before) {
        CLEANUP_CLOSE int directory = -1;
        char name[32];

        if (adapter_directory(state_directory, backend, volume->adapter, &directory) < 0)
                return;
        file_name(volume, name);
        if (before->is_made)
                unlinkat(directory, name, 0);
        else
                trim_file(directory, name, before->size);
}

/* An adapter's directory, or as long as there is none what it would be made in. */
static int nearest_directory(int state_directory, const char *backend, const char *adapter, int *ret_fd) {
        const char *const names[] = {"media", adapter};
        const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
        int fd = *backend ? open(backend, flags) : openat(state_directory, ".", flags);

        for (size_t i = 0; fd >= 0 && !*backend && i < ARRAY_LENGTH(names); i++) {
                int next = openat(fd, names[i], flags | O_NOFOLLOW);

                if (next < 0 && errno == ENOENT)
                        break;
                const int error = errno;
                close(fd);
                fd = next;
                errno = error;
        }
        if (fd < 0)
                return -errno;
        *ret_fd = fd;
        return 0;
}

/* Whether it can set space aside shows a file without a name, which is gone when it is closed. */
static int try_allocation(int directory) {
        CLEANUP_CLOSE int fd = openat(directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

        /* One that has no such files may still be able to. */
        if (fd < 0)
                return errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT || errno == ENOSPC ? 0 : -errno;
        return fallocate(fd, 0, 0, 1) < 0 && errno == EOPNOTSUPP ? -EOPNOTSUPP : 0;
}

int volume_need(int state_directory, const char *backend, const struct iov_volume *volume, struct volume_need *ret_need) {
        CLEANUP_CLOSE int directory = -1;
        struct stat st = {0};
        struct statvfs fs;
        char name[32];
        int r = nearest_directory(state_directory, backend, volume->adapter, &directory);

        if (r == 0)
                r = try_allocation(directory);
        if (r < 0)
                return r;
        if (fstatvfs(directory, &fs) < 0 || fstat(directory, &st) < 0)
                return -errno;
        const dev_t device = st.st_dev;
        file_name(volume, name);
        /* The number of a volume is its own, so nothing else has that name. */
        if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                st.st_blocks = 0;
        const uint64_t has = (uint64_t)st.st_blocks * 512;
        *ret_need =
                (struct volume_need){volume->size > has ? volume->size - has : 0, (uint64_t)fs.f_bavail * fs.f_frsize, device};
        return 0;
}

uint32_t volume_block_size(int fd) {
        char text[16] = "";
        ssize_t n = fgetxattr(fd, MEDIA_BLOCK_SIZE_ATTRIBUTE, text, sizeof(text) - 1);

        /* It was written by a worker, on behalf of a server: nothing but these is taken from there. */
        if (n > 0 && strcmp(text, "4096") == 0)
                return 4096;
        return n > 0 && strcmp(text, "512") == 0 ? 512 : 0;
}

int volume_discard(int state_directory, const char *backend, const struct iov_volume *volume) {
        CLEANUP_CLOSE int directory = -1, retained = -1;
        char name[32], to[IOV_NAME_SIZE + 32];

        if (backend_is_external(backend))
                return 0;
        int r = adapter_directory(state_directory, backend, volume->adapter, &directory);
        if (r < 0)
                return r;
        file_name(volume, name);
        if (volume->on_remove == IOV_ON_REMOVE_DELETE)
                return unlinkat(directory, name, 0) < 0 && errno != ENOENT ? -errno : 0;
        r = make_directory(directory, "retained", &retained);
        if (r < 0)
                return r;
        snprintf(to, sizeof(to), "%.63s-%" PRIu64 ".img", volume->name, volume->id);
        if (renameat(directory, name, retained, to) < 0)
                return errno == ENOENT ? 0 : -errno;
        return fsync(retained) < 0 ? -errno : 0;
}

int volume_trim(int state_directory, const char *backend, const struct iov_volume *volume) {
        CLEANUP_CLOSE int directory = -1;
        char name[32];

        if (backend_is_external(backend))
                return 0;
        int r = adapter_directory(state_directory, backend, volume->adapter, &directory);
        if (r < 0)
                return r;
        file_name(volume, name);
        return trim_file(directory, name, volume->size);
}

/* The ids of all volumes, sorted, and how large they are. */
struct known {
        uint64_t id, size;
};
struct ids {
        size_t n;
        struct known *known;
};

static int compare_ids(const void *a, const void *b) {
        uint64_t x = ((const struct known *)a)->id, y = ((const struct known *)b)->id;

        return (x > y) - (x < y);
}

static int collect_ids(const struct iov_model *model, struct ids *ids) {
        const struct iov_volume *v;

        ids->known = calloc(iov_model_count(model, IOV_KIND_VOLUME) + 1, sizeof(*ids->known));
        if (!ids->known)
                return -ENOMEM;
        iov_model_foreach (model, IOV_KIND_VOLUME, v)
                ids->known[ids->n++] = (struct known){v->id, v->size};
        qsort(ids->known, ids->n, sizeof(*ids->known), compare_ids);
        return 0;
}

/* Only names that volume_open() makes are ever touched: digits and ".img". */
static bool is_volume_file(const char *name) {
        size_t digits = strspn(name, "0123456789");

        return digits > 0 && digits <= 20 && strcmp(name + digits, ".img") == 0;
}

/* NULL: it belongs to no volume. */
static const struct known *find_known(const char *name, const struct ids *ids) {
        const struct known key = {.id = strtoull(name, NULL, 10)};

        return bsearch(&key, ids->known, ids->n, sizeof(key), compare_ids);
}

static int retain_orphan(int directory, const char *name) {
        CLEANUP_CLOSE int retained = -1;
        char to[64];
        int r = make_directory(directory, "retained", &retained);

        if (r < 0)
                return r;
        snprintf(to, sizeof(to), "orphan-%.40s", name);
        return renameat(directory, name, retained, to) < 0 ? -errno : 1;
}

static int sweep_directory(int fd, const struct ids *ids) {
        DIR *dir = fdopendir(fd);
        const struct dirent *e;
        int n = 0, r = 0;

        if (!dir) {
                r = -errno;
                close_fd(&fd);
                return r;
        }
        while (r >= 0 && (e = readdir(dir))) {
                const struct known *known = is_volume_file(e->d_name) ? find_known(e->d_name, ids) : NULL;

                if (known) {
                        r = trim_file(fd, e->d_name, known->size);
                } else if (is_volume_file(e->d_name)) {
                        r = retain_orphan(fd, e->d_name);
                        n++;
                }
        }
        closedir(dir);
        return r < 0 ? r : n;
}

static int sweep_adapter(int media, const char *adapter, const struct ids *ids) {
        int fd = openat(media, adapter, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

        if (fd < 0)
                return errno == ENOTDIR || errno == ELOOP ? 0 : -errno;
        return sweep_directory(fd, ids);
}

/* Directories that are backends. One that is not there now has nothing that could be swept. */
static int sweep_backends(const struct iov_model *model, const struct ids *ids) {
        const struct iov_adapter *a;
        int n = 0;

        iov_model_foreach (model, IOV_KIND_ADAPTER, a) {
                int fd = backend_kind_of(a->backend) == BACKEND_DIRECTORY ? open(a->backend, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                                                                          : -1;
                int r = fd < 0 ? 0 : sweep_directory(fd, ids);

                if (r < 0)
                        return r;
                n += r;
        }
        return n;
}

static int sweep_state(int state_directory, const struct ids *ids) {
        int fd = openat(state_directory, "media", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), n = 0;
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        const struct dirent *e;
        int r = 0;

        if (!dir) {
                r = -errno;
                close_fd(&fd);
                return r == -ENOENT ? 0 : r;
        }
        while (r >= 0 && (e = readdir(dir)))
                if (e->d_name[0] != '.') {
                        r = sweep_adapter(fd, e->d_name, ids);
                        n += r;
                }
        closedir(dir);
        return r < 0 ? r : n;
}

int volumes_sweep(int state_directory, const struct iov_model *model) {
        struct ids ids = {0};
        int r = collect_ids(model, &ids), n = r < 0 ? r : sweep_state(state_directory, &ids);

        r = n < 0 ? n : sweep_backends(model, &ids);
        free(ids.known);
        return r < 0 ? r : n + r;
}
