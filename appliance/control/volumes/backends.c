/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/volumes/backends.h"

#include <errno.h>
#include <stdlib.h>

#include "control/volumes/backend-process.h"
#include "media/nbd-target.h"
#include "util.h"

#define SECOND UINT64_C(1000000000)
#define PROCESSES_MAX 16u /* helpers at a time */
#define RETRY_MIN SECOND
#define RETRY_MAX (8 * SECOND)
#define FRESH (10 * SECOND) /* what was found so long ago is looked for again */

/* One volume that is looked for, or one connection that is made. */
struct lookup {
        struct backends *backends;
        uint64_t volume;
        bool read_only, wanted, is_known, has_failed;
        struct backend_request request;
        struct backend_answer answer; /* the last one */
        struct backend_process *process;
        int fd;
        uint64_t at, delay; /* when the next look is due, or when it was found; between looks */
        struct lookup *next;

        backends_connected_fn connected; /* NULL: not a connection */
        uint64_t instance, number;
        uint32_t medium;
};

struct backends {
        struct loop *loop;
        void (*changed)(void *userdata);
        void *userdata;
        struct loop_source *timer;
        struct lookup *lookups;
};

static void lookup_free(struct backends *b, struct lookup *gone) {
        for (struct lookup **p = &b->lookups; *p; p = &(*p)->next)
                if (*p == gone) {
                        *p = gone->next;
                        break;
                }
        backend_process_cancel(gone->process);
        close_fd(&gone->fd);
        free(gone);
}

static void connected(struct lookup *l, const char *why, int fd) {
        l->connected(l->backends->userdata, l->instance, l->medium, l->number, fd, why);
        lookup_free(l->backends, l);
}

static void failed(struct lookup *l) {
        l->delay = l->delay ? l->delay * 2 : RETRY_MIN;
        if (l->delay > RETRY_MAX)
                l->delay = RETRY_MAX;
        l->at = monotonic_ns() + l->delay;
        l->has_failed = true;
        loop_timer_set(l->backends->timer, RETRY_MIN);
}

static void on_answer(void *userdata, const struct backend_answer *answer, int fd) {
        struct lookup *l = userdata;
        struct backends *b = l->backends;

        loop_timer_set(b->timer, RETRY_MIN / 100); /* others may wait for a process */
        if (l->connected) {
                connected(l, answer->why, fd);
                return;
        }
        l->answer = *answer;
        l->is_known = true;
        close_fd(&l->fd);
        l->fd = fd;
        l->at = monotonic_ns();
        if (answer->error)
                failed(l);
        else
                l->delay = 0;
        b->changed(b->userdata);
}

/* Where it cannot be started it is tried again with the next look. */
static void start(struct lookup *l) {
        if (l->process || backend_process_count() >= PROCESSES_MAX) {
                loop_timer_set(l->backends->timer, RETRY_MIN / 10);
                return;
        }
        int r = backend_process_start(l->backends->loop, &l->request, on_answer, l, &l->process);
        if (r == 0)
                return;
        snprintf(l->answer.why, sizeof(l->answer.why), "nobody can look for it: %s", strerror(-r));
        l->answer.error = r;
        l->is_known = true;
        failed(l);
}

static void on_timer(void *userdata) {
        struct backends *b = userdata;
        const uint64_t now = monotonic_ns();
        struct lookup *l = NULL, *next = NULL;

        for (l = b->lookups; l; l = next) {
                next = l->next;
                if (l->process)
                        continue;
                if (!l->is_known || (l->answer.error && now >= l->at))
                        start(l);
        }
        for (l = b->lookups; l; l = l->next)
                if (!l->process && (!l->is_known || l->answer.error)) {
                        loop_timer_set(b->timer, RETRY_MIN / 4);
                        return;
                }
}

bool backends_is_empty(const struct backends *b) {
        return !b->lookups;
}

static struct lookup *find(const struct backends *b, uint64_t volume, bool read_only) {
        for (struct lookup *l = b->lookups; l; l = l->next)
                if (!l->connected && l->volume == volume && l->read_only == read_only)
                        return l;
        return NULL;
}

static int lookup_new(struct backends *b, const struct iov_adapter *adapter, const struct iov_volume *volume,
                      struct lookup **ret_lookup, const char **ret_why) {
        struct lookup *l = calloc(1, sizeof(*l));

        if (!l)
                return -ENOMEM;
        *l = (struct lookup){.backends = b, .volume = volume->id, .fd = -1};
        *ret_why = backend_locate(adapter->backend, volume->name, &l->request.where);
        if (*ret_why) {
                free(l);
                return -EINVAL;
        }
        l->next = b->lookups;
        b->lookups = l;
        *ret_lookup = l;
        return 0;
}

int backends_look(struct backends *b, const struct iov_adapter *adapter, const struct iov_volume *volume, bool read_only,
                  const char **ret_why) {
        struct lookup *l = find(b, volume->id, read_only);

        *ret_why = "";
        if (l && (l->request.size != volume->size || (l->is_known && !l->answer.error && monotonic_ns() - l->at > FRESH))) {
                lookup_free(b, l);
                l = NULL;
        }
        if (!l) {
                int r = lookup_new(b, adapter, volume, &l, ret_why);

                if (r < 0)
                        return r;
                l->read_only = read_only;
                l->request.read_only = read_only;
                l->request.size = volume->size;
                start(l);
        }
        l->wanted = true;
        *ret_why = l->answer.why;
        return l->is_known ? l->answer.error : -EINPROGRESS;
}

bool backends_has_failed(const struct backends *b, uint64_t volume) {
        for (const struct lookup *l = b->lookups; l; l = l->next)
                if (!l->connected && l->volume == volume && l->has_failed)
                        return true;
        return false;
}

int backends_take(struct backends *b, uint64_t volume, bool read_only, struct backend_volume *ret_volume) {
        struct lookup *l = find(b, volume, read_only);

        if (!l || !l->is_known || l->answer.error)
                return -EINPROGRESS;
        struct backend_volume found = {
                .block_size = l->answer.block_size, .is_nbd = l->request.where.kind == BACKEND_NBD, .fd = -1};
        if (found.is_nbd) {
                struct nbd_target target = {.block_size = found.block_size, .read_only = read_only};

                memcpy(target.export, l->request.where.export, sizeof(target.export));
                int r = nbd_target_make(&target, &found.fd);
                if (r < 0)
                        return r;
        } else {
                found.fd = take_fd(&l->fd);
        }
        lookup_free(b, l);
        *ret_volume = found;
        return 0;
}

void backends_keep(struct backends *b, uint64_t volume) {
        for (struct lookup *l = b->lookups; l; l = l->next)
                l->wanted |= l->volume == volume;
}

void backends_sweep(struct backends *b) {
        struct lookup *l = NULL, *next = NULL;

        for (l = b->lookups; l; l = next) {
                next = l->next;
                if (l->connected)
                        continue;
                if (!l->wanted)
                        lookup_free(b, l);
                else
                        l->wanted = false;
        }
}

int backends_connect(struct backends *b, const struct iov_adapter *adapter, const struct iov_volume *volume, uint64_t instance,
                     uint32_t medium, uint64_t number, backends_connected_fn done) {
        struct lookup *l = NULL;
        const char *why = "";

        /* One at a time for each: a later question is the one that counts. */
        for (l = b->lookups; l; l = l->next)
                if (l->connected && l->instance == instance && l->medium == medium) {
                        l->number = number;
                        return 0;
                }
        int r = lookup_new(b, adapter, volume, &l, &why);
        if (r < 0)
                return r;
        l->request.connect = true;
        l->connected = done;
        l->instance = instance;
        l->medium = medium;
        l->number = number;
        l->is_known = false;
        start(l);
        return 0;
}

int backends_new(struct loop *loop, void (*changed)(void *userdata), void *userdata, struct backends **ret_backends) {
        struct backends *b = calloc(1, sizeof(*b));

        if (!b)
                return -ENOMEM;
        *b = (struct backends){.loop = loop, .changed = changed, .userdata = userdata};
        int r = loop_add_timer(loop, UINT64_MAX, on_timer, b, &b->timer);
        if (r < 0) {
                free(b);
                return r;
        }
        *ret_backends = b;
        return 0;
}

void backends_free(struct backends *b) {
        if (!b)
                return;
        while (b->lookups)
                lookup_free(b, b->lookups);
        loop_source_remove(b->timer);
        free(b);
}
