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

static int make_room(struct same *same, enum iov_kind kind) {
        same->ids = calloc(iov_model_count(same->model, kind) + 1u, sizeof(*same->ids));
        same->n = 0;
        return same->ids ? 0 : -ENOMEM;
}

static const void *find(const struct same *same, uint64_t id) {
        const struct same_id key = {.id = id}, *found = bsearch(&key, same->ids, same->n, sizeof(key), compare);

        return found ? found->record : NULL;
}

int same_volume(struct same *same, const struct iov_volume *volume, const struct iov_volume **ret) {
        const struct iov_volume *v = iov_model_get(same->model, IOV_KIND_VOLUME, volume->name);

        *ret = v;
        if (v && v->id == volume->id)
                return 0;
        if (!same->ids) {
                int r = make_room(same, IOV_KIND_VOLUME);

                if (r < 0)
                        return r;
                iov_model_foreach (same->model, IOV_KIND_VOLUME, v)
                        same->ids[same->n++] = (struct same_id){v->id, v};
                qsort(same->ids, same->n, sizeof(*same->ids), compare);
        }
        *ret = find(same, volume->id);
        return 0;
}

int same_vadapter(struct same *same, const struct iov_vadapter *vadapter, const struct iov_vadapter **ret) {
        const struct iov_vadapter *v = iov_model_get(same->model, IOV_KIND_VADAPTER, vadapter->name);

        *ret = v;
        if (v && v->id == vadapter->id)
                return 0;
        if (!same->ids) {
                int r = make_room(same, IOV_KIND_VADAPTER);

                if (r < 0)
                        return r;
                iov_model_foreach (same->model, IOV_KIND_VADAPTER, v)
                        same->ids[same->n++] = (struct same_id){v->id, v};
                qsort(same->ids, same->n, sizeof(*same->ids), compare);
        }
        *ret = find(same, vadapter->id);
        return 0;
}

void same_free(struct same *same) {
        free(same->ids);
        same->ids = NULL;
        same->n = 0;
}
