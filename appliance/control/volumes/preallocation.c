/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/volumes/preallocation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/volumes/volumes.h"
#include "iove/rules.h"
#include "util.h"

struct job {
        struct iov_volume volume;
        char backend[sizeof(((struct iov_adapter *)NULL)->backend)]; /* its adapter's */
        struct volume_before before;
        int error; /* of judging it */
};

struct preallocation {
        int directory;
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

int preallocation_make(int state_directory, const struct iov_model *from, const struct iov_model *to,
                       struct preallocation **ret_preallocation) {
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
                iov_model_foreach (to, IOV_KIND_VOLUME, volume)
                        if (is_needed(from, volume)) {
                                const struct iov_adapter *adapter = iov_model_get(to, IOV_KIND_ADAPTER, volume->adapter);
                                struct job *job = &p->jobs[p->n++];

                                job->volume = *volume;
                                if (adapter)
                                        field_set(job->backend, sizeof(job->backend), adapter->backend);
                        }
        }
        *ret_preallocation = p;
        return 0;
}

void preallocation_free(struct preallocation *p) {
        free(p);
}

int preallocation_run(void *preallocation) {
        struct preallocation *p = preallocation;

        while (p->n_done < p->n) {
                struct job *job = &p->jobs[p->n_done];
                int r = volume_allocate(p->directory, job->backend, &job->volume, &job->before);

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
                const struct job *job = &p->jobs[--p->n_done];

                volume_unallocate(p->directory, job->backend, &job->volume, &job->before);
        }
}

/* ---- judging ---- */

/* What those before it would have taken of a file system: there are few of these. */
struct taken {
        dev_t device;
        uint64_t bytes;
};

static int judge(const struct preallocation *p, const struct job *job, struct taken *taken, size_t *n) {
        struct volume_need need;
        size_t i = 0;
        int r = volume_need(p->directory, job->backend, &job->volume, &need);

        if (r < 0)
                return r;
        while (i < *n && taken[i].device != need.device)
                i++;
        if (i == *n)
                taken[(*n)++] = (struct taken){need.device, 0};
        if (need.bytes > need.free || taken[i].bytes > need.free - need.bytes)
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
        char size[32];

        iov_size_format(job->volume.size, size);
        if (error == -ENOSPC || error == -EDQUOT || error == -EFBIG)
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
