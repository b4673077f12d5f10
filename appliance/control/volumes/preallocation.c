/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/volumes/preallocation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "control/volumes/memory.h"
#include "control/volumes/ram-volumes.h"
#include "control/volumes/volumes.h"
#include "iove/rules.h"
#include "util.h"

#define MEBIBYTE (UINT64_C(1) << 20)

struct job {
        struct iov_volume volume;
        char backend[sizeof(((struct iov_adapter *)NULL)->backend)]; /* its adapter's */
        struct volume_before before;
        bool is_memory;
        int fd;               /* of memory: what it has, or what was made for it; -1: nothing */
        uint64_t large, free; /* of memory: what came in large pages; what there is for it, with what it has */
        int error;            /* of judging it */
};

struct preallocation {
        int directory;
        bool has_memory; /* not a simulator */
        bool stop;
        size_t n;
        size_t n_done;   /* of the jobs, from the first */
        bool has_failed; /* the next one */
        struct job jobs[];
};

static bool is_needed(const struct iov_model *from, const struct iov_volume *volume) {
        const struct iov_volume *old = iov_model_get(from, IOV_KIND_VOLUME, volume->name);

        if (volume->provisioning != IOV_PROVISIONING_FULL)
                return false;
        /* One that was renamed is looked at again, which takes nothing. */
        return !old || old->id != volume->id || old->provisioning != IOV_PROVISIONING_FULL || old->size < volume->size;
}

static void job_make(struct job *job, const struct ram_volumes *memory, const struct iov_model *to,
                     const struct iov_volume *volume) {
        const struct iov_adapter *adapter = iov_model_get(to, IOV_KIND_ADAPTER, volume->adapter);

        *job = (struct job){.volume = *volume, .fd = -1, .is_memory = adapter && adapter->media == IOV_MEDIA_RAM};
        if (adapter)
                field_set(job->backend, sizeof(job->backend), adapter->backend);
        if (job->is_memory && memory)
                job->fd = ram_volumes_dup(memory, volume->id);
        job->before.is_made = job->fd < 0;
}

int preallocation_make(int state_directory, const struct ram_volumes *memory, const struct iov_model *from,
                       const struct iov_model *to, struct preallocation **ret_preallocation) {
        const struct iov_volume *volume = NULL;
        struct preallocation *p = NULL;
        size_t n = 0;

        iov_model_foreach (to, IOV_KIND_VOLUME, volume)
                n += is_needed(from, volume);
        if (n) {
                p = calloc(1, sizeof(*p) + n * sizeof(p->jobs[0]));
                if (!p)
                        return -ENOMEM;
                p->directory = state_directory;
                p->has_memory = memory != NULL;
                iov_model_foreach (to, IOV_KIND_VOLUME, volume)
                        if (is_needed(from, volume))
                                job_make(&p->jobs[p->n++], memory, to, volume);
        }
        *ret_preallocation = p;
        return 0;
}

void preallocation_free(struct preallocation *p) {
        for (size_t i = 0; p && i < p->n; i++)
                close_fd(&p->jobs[i].fd);
        free(p);
}

void preallocation_stop(struct preallocation *p) {
        if (p)
                __atomic_store_n(&p->stop, true, __ATOMIC_RELAXED);
}

void preallocation_give(struct preallocation *p, struct ram_volumes *memory) {
        for (size_t i = 0; p && memory && i < p->n; i++) {
                struct job *job = &p->jobs[i];
                int fd = job->before.is_made ? take_fd(&job->fd) : -1;

                if (job->is_memory)
                        ram_volumes_give(memory, &job->volume, fd, job->large);
        }
}

/* ---- setting it aside ---- */

static void memory_unallocate(struct job *job) {
        if (job->before.is_made) {
                close_fd(&job->fd);
                job->fd = -1;
        } else {
                memory_trim(job->fd, job->before.size);
        }
}

static int allocate_memory(struct preallocation *p, struct job *job) {
        const uint64_t held = job->fd < 0 ? 0 : memory_held(job->fd);
        struct stat st = {0};
        int r = 0;

        if (!p->has_memory)
                r = job->volume.size > memory_available(NULL, NULL) ? -ENOSPC : 0;
        else if (job->before.is_made)
                r = memory_make(&job->fd);
        else if (fstat(job->fd, &st) < 0)
                return -errno;
        job->before.size = (uint64_t)st.st_size;
        if (r == 0 && p->has_memory)
                r = memory_allocate(job->fd, job->volume.size, &p->stop, &job->large);
        if (r < 0 && p->has_memory)
                memory_unallocate(job);
        if (r == -ENOSPC)
                job->free = held + memory_available(NULL, NULL);
        return r;
}

int preallocation_run(void *preallocation) {
        struct preallocation *p = preallocation;

        while (p->n_done < p->n) {
                struct job *job = &p->jobs[p->n_done];
                int r = job->is_memory ? allocate_memory(p, job)
                                       : volume_allocate(p->directory, job->backend, &job->volume, &job->before);

                if (r < 0) {
                        const size_t failed = p->n_done;

                        preallocation_undo(p);
                        p->n_done = failed;
                        p->has_failed = true;
                        return r;
                }
                p->n_done++;
        }
        return 0;
}

void preallocation_undo(void *preallocation) {
        struct preallocation *p = preallocation;

        while (p->n_done) {
                struct job *job = &p->jobs[--p->n_done];

                if (!job->is_memory)
                        volume_unallocate(p->directory, job->backend, &job->volume, &job->before);
                else if (p->has_memory)
                        memory_unallocate(job);
        }
}

/* ---- judging ---- */

/* What those before it would have taken of a file system: there are few of these. */
struct taken {
        dev_t device;
        uint64_t bytes;
};

/* Memory is no device's, and is judged as that of number 0, which is none's either. */
static int need_of(const struct preallocation *p, const struct job *job, struct volume_need *ret_need) {
        const uint64_t held = job->is_memory && job->fd >= 0 ? memory_held(job->fd) : 0;

        if (!job->is_memory)
                return volume_need(p->directory, job->backend, &job->volume, ret_need);
        *ret_need = (struct volume_need){.bytes = job->volume.size > held ? job->volume.size - held : 0,
                                         .free = memory_available(NULL, NULL)};
        return 0;
}

static int judge(const struct preallocation *p, struct job *job, struct taken *taken, size_t *n) {
        struct volume_need need;
        size_t i = 0;
        int r = need_of(p, job, &need);

        if (r < 0)
                return r;
        while (i < *n && taken[i].device != need.device)
                i++;
        if (i == *n)
                taken[(*n)++] = (struct taken){need.device, 0};
        const uint64_t left = need.free > taken[i].bytes ? need.free - taken[i].bytes : 0;
        job->free = left + job->volume.size - need.bytes;
        if (need.bytes > left)
                return -ENOSPC;
        taken[i].bytes += need.bytes;
        return 0;
}

int preallocation_judge(void *preallocation) {
        struct preallocation *p = preallocation;
        CLEANUP_FREE struct taken *taken = calloc(p->n, sizeof(*taken));
        size_t n = 0;
        int r = taken ? 0 : -ENOMEM;

        for (size_t i = 0; i < p->n; i++) {
                p->jobs[i].error = taken ? judge(p, &p->jobs[i], taken, &n) : -ENOMEM;
                r = r < 0 ? r : p->jobs[i].error;
        }
        return r;
}

/* ---- what is said ---- */

static void add_reason(const struct job *job, int error, struct iove_refusal *refusal) {
        const char *name = job->volume.name;
        char size[32], left[32];

        iov_size_format(job->volume.size, size);
        if (job->is_memory && error == -ENOSPC)
                iove_refuse_also(refusal, IOV_RET_NO_SPACE, UINT32_MAX,
                                 "volume %s: provisioning full needs %s of memory, and %s is free for it", name, size,
                                 iov_size_format(job->free / MEBIBYTE * MEBIBYTE, left));
        else if (error == -ENOSPC || error == -EDQUOT || error == -EFBIG)
                iove_refuse_also(refusal, IOV_RET_NO_SPACE, UINT32_MAX,
                                 "volume %s: provisioning full needs %s, and its file system has not that much free", name, size);
        else if (error == -EOPNOTSUPP)
                iove_refuse_also(refusal, IOV_RET_UNSUPPORTED, UINT32_MAX,
                                 "volume %s: its file system cannot set space aside: have provisioning thin", name);
        else
                iove_refuse_also(refusal, IOV_RET_INTERNAL, UINT32_MAX, "volume %s: %s cannot be set aside for it: %s", name,
                                 size, strerror(-error));
}

void preallocation_tell(const struct preallocation *p, struct iove_refusal *refusal) {
        for (size_t i = 0; i < p->n; i++)
                if (p->jobs[i].error < 0)
                        add_reason(&p->jobs[i], p->jobs[i].error, refusal);
}

bool preallocation_refuse(const struct preallocation *p, int error, struct iove_refusal *refusal) {
        if (!p || !p->has_failed)
                return false;
        add_reason(&p->jobs[p->n_done], error, refusal);
        return true;
}
