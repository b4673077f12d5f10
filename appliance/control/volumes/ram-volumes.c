/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/volumes/ram-volumes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "control/store/saver.h"
#include "control/volumes/memory.h"
#include "control/volumes/volumes.h"
#include "util.h"

#define RETRY (UINT64_C(5) * 1000000000) /* where there was not enough */

struct ram_volume {
        uint64_t id;
        int fd;
        bool has_failed;   /* see ram_volumes_has_failed() */
        uint64_t wanted;   /* bytes that are to be set aside; 0: it is thin */
        uint64_t filled;   /* of the first bytes, all are there */
        uint64_t retry_at; /* after an error */
        char name[IOV_NAME_SIZE], why[64];
        int error;
        struct ram_volume *next;
};

/* Keys with the keeper, over the volume's id: the highest two bits are not those of any other kind. */
#define KEPT_RAM (UINT64_C(3) << 62)
#define KEPT_KIND (UINT64_C(3) << 62)

/* What the thread has, one at a time. */
struct filling {
        struct ram_volumes *volumes;
        uint64_t id, size;
        uint64_t large, available; /* what came of it */
        int fd;
        bool stop, busy;
};

struct ram_volumes {
        struct journal *journal;
        struct keeping *keeping;
        struct saver *saver;
        struct loop_source *timer;
        struct filling filling;
        const struct ram_volumes_events *events;
        void *userdata;
        struct ram_volume *first;
};

static void fill_next(struct ram_volumes *volumes);

static struct ram_volume *find(const struct ram_volumes *volumes, uint64_t id) {
        struct ram_volume *v = volumes->first;

        while (v && v->id != id)
                v = v->next;
        return v;
}

/* Takes over the descriptor. */
static int add(struct ram_volumes *volumes, uint64_t id, int *fd, struct ram_volume **ret_volume) {
        struct ram_volume *v = calloc(1, sizeof(*v));

        if (!v)
                return -ENOMEM;
        v->id = id;
        v->fd = take_fd(fd);
        v->next = volumes->first;
        volumes->first = v;
        *ret_volume = v;
        return 0;
}

static void on_timer(void *userdata) {
        fill_next(userdata);
}

int ram_volumes_new(struct loop *loop, struct journal *journal, struct keeping *keeping, const struct ram_volumes_events *events,
                    void *userdata, struct ram_volumes **ret_volumes) {
        struct ram_volumes *volumes = calloc(1, sizeof(*volumes));
        struct keeping_record *record = NULL;
        struct ram_volume *v = NULL;

        if (!volumes)
                return -ENOMEM;
        *volumes = (struct ram_volumes){.journal = journal,
                                        .keeping = keeping,
                                        .events = events,
                                        .userdata = userdata,
                                        .filling = {.volumes = volumes, .fd = -1}};
        int r = saver_new(loop, -1, &volumes->saver);
        if (r == 0)
                r = loop_add_timer(loop, UINT64_MAX, on_timer, volumes, &volumes->timer);
        for (size_t i = 0; r == 0 && (record = keeping_get(keeping, i)); i++)
                if ((record->key & KEPT_KIND) == KEPT_RAM && record->n_fds == 1 && record->fds[0] >= 0)
                        r = add(volumes, record->key & ~KEPT_KIND, &record->fds[0], &v);
        if (r < 0) {
                ram_volumes_free(volumes);
                return r;
        }
        *ret_volumes = volumes;
        return 0;
}

static void let_go(struct ram_volumes *volumes, struct ram_volume *gone) {
        struct ram_volume **p = &volumes->first;

        while (*p != gone)
                p = &(*p)->next;
        *p = gone->next;
        keeping_remove(volumes->keeping, KEPT_RAM | gone->id);
        close(gone->fd);
        free(gone);
}

void ram_volumes_free(struct ram_volumes *volumes) {
        if (!volumes)
                return;
        __atomic_store_n(&volumes->filling.stop, true, __ATOMIC_RELAXED);
        saver_free(volumes->saver);
        close_fd(&volumes->filling.fd);
        loop_source_remove(volumes->timer);
        while (volumes->first)
                let_go(volumes, volumes->first);
        free(volumes);
}

static int find_or_make(struct ram_volumes *volumes, uint64_t id, struct ram_volume **ret_volume) {
        CLEANUP_CLOSE int fd = -1;
        struct ram_volume *v = find(volumes, id);

        if (!v) {
                int r = memory_make(&fd);

                if (r == 0)
                        r = add(volumes, id, &fd, &v);
                if (r < 0)
                        return r;
                volumes->events->made(volumes->userdata, id);
                r = keeping_store(volumes->keeping, KEPT_RAM | id, NULL, 0, &v->fd, 1);
                if (r < 0)
                        return r;
        }
        *ret_volume = v;
        return 0;
}

int ram_volumes_open(struct ram_volumes *volumes, const struct iov_volume *volume, int *ret_fd) {
        struct ram_volume *v = NULL;
        struct stat st;
        int r = find_or_make(volumes, volume->id, &v);

        if (r < 0)
                return r;
        if (fstat(v->fd, &st) < 0 || ((uint64_t)st.st_size < volume->size && ftruncate(v->fd, (off_t)volume->size) < 0))
                return -errno;
        const int fd = fcntl(v->fd, F_DUPFD_CLOEXEC, 0);
        if (fd < 0)
                return -errno;
        v->has_failed = false;
        *ret_fd = fd;
        return 0;
}

int ram_volumes_dup(const struct ram_volumes *volumes, uint64_t id) {
        const struct ram_volume *v = find(volumes, id);

        return v ? fcntl(v->fd, F_DUPFD_CLOEXEC, 0) : -1;
}

static void tell_filled(const struct ram_volumes *volumes, const char *name, uint64_t size, uint64_t large) {
        char text[32], of_it[32];

        journal_event(volumes->journal, LOG_INFO, JOURNAL_NO_UID, name, "%s of memory set aside, %s in large pages",
                      iov_size_format(size, text), large ? iov_size_format(large, of_it) : "none");
}

void ram_volumes_give(struct ram_volumes *volumes, const struct iov_volume *volume, int arg_fd, uint64_t large) {
        CLEANUP_CLOSE int fd = arg_fd;
        struct ram_volume *v = find(volumes, volume->id);

        /* Made by others in the meantime: what there is counts, and ram_volumes_sync() looks at it. */
        if (v && fd >= 0)
                return;
        if (!v && fd >= 0 && add(volumes, volume->id, &fd, &v) == 0) {
                volumes->events->made(volumes->userdata, v->id);
                if (keeping_store(volumes->keeping, KEPT_RAM | v->id, NULL, 0, &v->fd, 1) < 0)
                        journal_log(volumes->journal, LOG_WARNING, "%s: the keeper does not have its memory", volume->name);
        }
        if (!v)
                return;
        v->filled = volume->size;
        v->error = 0;
        tell_filled(volumes, volume->name, volume->size, large);
}

/* It may have been filled by a control process before this one. */
static bool is_filled(struct ram_volume *v, uint64_t size) {
        if (v->filled < size && memory_held(v->fd) >= size)
                v->filled = size;
        return v->filled >= size;
}

int ram_volumes_look(struct ram_volumes *volumes, const struct iov_volume *volume, const char **ret_why) {
        struct ram_volume *v = NULL;

        *ret_why = "";
        if (volume->provisioning != IOV_PROVISIONING_FULL)
                return 0;
        v = find(volumes, volume->id);
        if (v && is_filled(v, volume->size))
                return 0;
        if (!v || !v->error)
                return -EINPROGRESS;
        *ret_why = v->why;
        return v->error;
}

bool ram_volumes_has_failed(const struct ram_volumes *volumes, uint64_t id) {
        const struct ram_volume *v = find(volumes, id);

        return v && v->has_failed;
}

void ram_volumes_trim(struct ram_volumes *volumes, const struct iov_volume *volume) {
        struct ram_volume *v = find(volumes, volume->id);

        if (!v)
                return;
        memory_trim(v->fd, volume->size);
        if (v->filled > volume->size)
                v->filled = volume->size;
}

/* ---- setting memory aside ---- */

static int fill(void *userdata) {
        struct filling *filling = userdata;

        int r = memory_allocate(filling->fd, filling->size, &filling->stop, &filling->large);

        filling->available = r < 0 ? memory_available(NULL, NULL) : 0;
        return r;
}

static void failed(struct ram_volumes *volumes, struct ram_volume *v, int error) {
        char size[32], left[32];

        if (error == -ENOSPC)
                snprintf(v->why, sizeof(v->why), "%s of memory needed, %s free", iov_size_format(v->wanted, size),
                         iov_size_format(volumes->filling.available, left));
        else
                snprintf(v->why, sizeof(v->why), "no memory: %s", strerror(-error));
        if (!v->error)
                journal_event(volumes->journal, LOG_ERR, JOURNAL_NO_UID, v->name, "provisioning full: %s; tried again", v->why);
        v->error = error;
        v->has_failed = true;
        v->retry_at = monotonic_ns() + RETRY;
        loop_timer_set(volumes->timer, RETRY);
}

static void on_filled(void *userdata, int result) {
        struct filling *filling = userdata;
        struct ram_volumes *volumes = filling->volumes;
        struct ram_volume *v = find(volumes, filling->id);

        filling->busy = false;
        close_fd(&filling->fd);
        filling->fd = -1;
        if (v && result < 0) {
                failed(volumes, v, result);
        } else if (v) {
                v->filled = filling->size;
                v->error = 0;
                tell_filled(volumes, v->name, filling->size, filling->large);
        }
        fill_next(volumes);
        volumes->events->changed(volumes->userdata);
}

static void fill_next(struct ram_volumes *volumes) {
        struct filling *filling = &volumes->filling;
        const struct saver_job job = {.run = fill, .userdata = filling};
        struct ram_volume *v = volumes->first;

        if (filling->busy)
                return;
        while (v && (is_filled(v, v->wanted) || (v->error && monotonic_ns() < v->retry_at)))
                v = v->next;
        if (!v)
                return;
        filling->fd = fcntl(v->fd, F_DUPFD_CLOEXEC, 0);
        filling->id = v->id;
        filling->size = v->wanted;
        int r = filling->fd < 0 ? -errno : saver_start(volumes->saver, &job, on_filled, filling);
        filling->busy = r == 0;
        if (r < 0) {
                close_fd(&filling->fd);
                filling->fd = -1;
                failed(volumes, v, r);
        }
}

static bool is_full_memory(const struct iov_model *model, const struct iov_volume *volume) {
        const struct iov_adapter *adapter =
                volume->provisioning == IOV_PROVISIONING_FULL ? iov_model_get(model, IOV_KIND_ADAPTER, volume->adapter) : NULL;

        return adapter && adapter->media == IOV_MEDIA_RAM;
}

void ram_volumes_sync(struct ram_volumes *volumes, const struct iov_model *model) {
        const struct iov_volume *volume = NULL;

        for (struct ram_volume *v = volumes->first; v; v = v->next)
                v->wanted = 0;
        iov_model_foreach (model, IOV_KIND_VOLUME, volume) {
                const bool is_full = is_full_memory(model, volume);
                struct ram_volume *v = volumes->first ? find(volumes, volume->id) : NULL;

                /* Where it cannot be made it is with the next comparison. */
                if (!v && (!is_full || find_or_make(volumes, volume->id, &v) < 0))
                        continue;
                v->wanted = is_full ? volume->size : 0;
                if (!is_full) /* what is deallocated is given back */
                        v->filled = 0;
                field_set(v->name, sizeof(v->name), volume->name);
        }
        fill_next(volumes);
}

void ram_volumes_remove(struct ram_volumes *volumes, uint64_t id) {
        struct ram_volume *v = find(volumes, id);

        if (v)
                let_go(volumes, v);
}

void ram_volumes_sweep(struct ram_volumes *volumes, const struct iov_model *model) {
        struct ram_volume *next = NULL;

        for (struct ram_volume *v = volumes->first; v; v = next) {
                next = v->next;
                if (!volume_by_id(model, v->id))
                        let_go(volumes, v);
        }
}
