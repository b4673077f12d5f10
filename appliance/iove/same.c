/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "iove/same.h"

#include <errno.h>
#include <stdlib.h>

struct same_id {
        uint64_t id;
        const void *record;
};

static int compare(const void *a, const void *b) {
        uint64_t x = ((const struct same_id *)a)->id, y = ((const struct same_id *)b)->id;

        return (x > y) - (x < y);
}

static uint64_t id_of(enum iov_kind kind, const void *record) {
        return kind == IOV_KIND_VOLUME ? ((const struct iov_volume *)record)->id : ((const struct iov_vadapter *)record)->id;
}

static int make_ids(struct same *same, enum iov_kind kind) {
        const void *record = NULL;

        same->ids = calloc(iov_model_count(same->model, kind) + 1u, sizeof(*same->ids));
        same->n = 0;
        if (!same->ids)
                return -ENOMEM;
        iov_model_foreach (same->model, kind, record)
                same->ids[same->n++] = (struct same_id){id_of(kind, record), record};
        qsort(same->ids, same->n, sizeof(*same->ids), compare);
        return 0;
}

static int find(struct same *same, enum iov_kind kind, const char *name, uint64_t id, const void **ret) {
        const struct same_id key = {.id = id}, *found = NULL;

        *ret = iov_model_get(same->model, kind, name);
        if (*ret && id_of(kind, *ret) == id)
                return 0;
        int r = same->ids ? 0 : make_ids(same, kind);
        if (r < 0)
                return r;
        found = bsearch(&key, same->ids, same->n, sizeof(key), compare);
        *ret = found ? found->record : NULL;
        return 0;
}

int same_volume(struct same *same, const struct iov_volume *volume, const struct iov_volume **ret) {
        const void *record = NULL;
        int r = find(same, IOV_KIND_VOLUME, volume->name, volume->id, &record);

        *ret = record;
        return r;
}

int same_vadapter(struct same *same, const struct iov_vadapter *vadapter, const struct iov_vadapter **ret) {
        const void *record = NULL;
        int r = find(same, IOV_KIND_VADAPTER, vadapter->name, vadapter->id, &record);

        *ret = record;
        return r;
}

void same_free(struct same *same) {
        free(same->ids);
        same->ids = NULL;
        same->n = 0;
}
