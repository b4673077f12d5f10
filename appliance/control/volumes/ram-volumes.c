/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/volumes/ram-volumes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util.h"

struct ram_volume {
        uint64_t id;
        int fd;
        bool used;
        struct ram_volume *next;
};

/* Keys with the keeper, over the volume's id: the highest two bits are not those of any other kind. */
#define KEPT_RAM (UINT64_C(3) << 62)
#define KEPT_KIND (UINT64_C(3) << 62)

struct ram_volumes {
        struct keeping *keeping;
        struct ram_volume *first;
};

static int take_up(struct ram_volumes *volumes, struct keeping_record *record) {
        struct ram_volume *v = calloc(1, sizeof(*v));

        if (!v)
                return -ENOMEM;
        v->id = record->key & ~KEPT_KIND;
        v->fd = take_fd(&record->fds[0]);
        v->next = volumes->first;
        volumes->first = v;
        return 0;
}

int ram_volumes_new(struct keeping *keeping, struct ram_volumes **ret_volumes) {
        struct ram_volumes *volumes = calloc(1, sizeof(*volumes));
        struct keeping_record *record;
        int r = 0;

        if (!volumes)
                return -ENOMEM;
        volumes->keeping = keeping;
        for (size_t i = 0; r == 0 && (record = keeping_get(keeping, i)); i++)
                if ((record->key & KEPT_KIND) == KEPT_RAM && record->n_fds == 1 && record->fds[0] >= 0)
                        r = take_up(volumes, record);
        if (r < 0) {
                ram_volumes_free(volumes);
                return r;
        }
        *ret_volumes = volumes;
        return 0;
}

static void sweep(struct ram_volumes *volumes) {
        for (struct ram_volume **p = &volumes->first; *p;) {
                struct ram_volume *v = *p;

                if (v->used) {
                        p = &v->next;
                        continue;
                }
                *p = v->next;
                keeping_remove(volumes->keeping, KEPT_RAM | v->id);
                close(v->fd);
                free(v);
        }
}

void ram_volumes_free(struct ram_volumes *volumes) {
        if (!volumes)
                return;
        for (struct ram_volume *v = volumes->first; v; v = v->next)
                v->used = false;
        sweep(volumes);
        free(volumes);
}

/* It cannot shrink: a worker that has it mapped would die of it. */
static int make(uint64_t id, struct ram_volume **ret_volume) {
        CLEANUP_CLOSE int fd = memfd_create("iov-volume", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        struct ram_volume *v = NULL;

        if (fd < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) < 0)
                return -errno;
        v = calloc(1, sizeof(*v));
        if (!v)
                return -ENOMEM;
        v->id = id;
        v->fd = take_fd(&fd);
        *ret_volume = v;
        return 0;
}

static int find_or_make(struct ram_volumes *volumes, uint64_t id, struct ram_volume **ret_volume) {
        struct ram_volume *v = NULL;
        int r = 0;

        for (v = volumes->first; v; v = v->next)
                if (v->id == id) {
                        *ret_volume = v;
                        return 0;
                }
        r = make(id, &v);
        if (r < 0 || !v)
                return r;
        v->next = volumes->first;
        volumes->first = v;
        *ret_volume = v;
        r = keeping_store(volumes->keeping, KEPT_RAM | v->id, NULL, 0, &v->fd, 1);
        return r < 0 ? r : 1;
}

int ram_volumes_open(struct ram_volumes *volumes, const struct iov_volume *volume, int *ret_fd) {
        struct ram_volume *v = NULL;
        struct stat st;
        const int made = find_or_make(volumes, volume->id, &v);

        if (made < 0 || !v)
                return made;
        if (fstat(v->fd, &st) < 0 || ((uint64_t)st.st_size < volume->size && ftruncate(v->fd, (off_t)volume->size) < 0))
                return -errno;
        const int fd = fcntl(v->fd, F_DUPFD_CLOEXEC, 0);
        if (fd < 0)
                return -errno;
        *ret_fd = fd;
        return made;
}

void ram_volumes_sweep(struct ram_volumes *volumes, const struct iov_model *model) {
        const struct iov_volume *volume = NULL;

        if (!volumes->first)
                return;
        for (struct ram_volume *v = volumes->first; v; v = v->next) {
                v->used = false;
                iov_model_foreach (model, IOV_KIND_VOLUME, volume)
                        v->used |= volume->id == v->id;
        }
        sweep(volumes);
}
