/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The media of a slot: requests on their way to them, connections of those on other machines, and media that come and go. */
#include "link/slot-private.h"

#include <errno.h>
#include <fcntl.h>

#include "util.h"

static void media_submit(void *context, unsigned int medium, struct vpc_io *io) {
        struct link_slot *s = context;

        /* The model knows only the media of its persona; an index beyond is a bug of the model, and no reason to fall over. */
        if (medium < s->n_media && s->media[medium])
                medium_submit(s->media[medium], io);
        else
                io->private.finish(io, -ENXIO);
}

/* From the model by its qos and the faults on demand to the medium. */
void slot_io_submit(void *context, unsigned int medium, struct vpc_io *io) {
        struct link_slot *s = context;

        /* The model knows only the media of its persona; an index beyond is a bug of the model, and no reason to fall over. */
        if (medium < s->n_media && s->media[medium])
                qos_submit(s->qos, medium, io);
        else
                io->private.finish(io, -ENXIO);
}

static void on_struck(void *userdata, uint64_t id, uint64_t hits) {
        struct link_slot *s = userdata;

        s->events->struck(s, id, hits);
}

static const struct media_fault_events fault_events = {.submit = media_submit, .struck = on_struck};

int link_slot_set_fault(struct link_slot *s, const struct media_fault *fault) {
        if (!s->faults) {
                int r = fault ? media_faults_new(s->loop, &fault_events, s, &s->faults) : 0;

                if (r < 0 || !fault)
                        return r;
        }
        if (fault)
                return media_faults_add(s->faults, fault);
        media_faults_reset(s->faults);
        return 0;
}

bool slot_io_try(void *context, unsigned int medium, struct vpc_io *io, int *ret_error) {
        struct link_slot *s = context;

        /* A fault on demand must not be passed by; where there are limits, it is them that decide when. */
        if (s->faults || medium >= s->n_media || !s->media[medium] || !qos_ready(s->qos, io) ||
            !medium_try(s->media[medium], io, ret_error))
                return false;
        qos_charge(s->qos, io);
        return true;
}

void slot_io_expect(void *context, unsigned int medium, uint64_t offset, uint64_t length) {
        struct link_slot *s = context;

        if (medium < s->n_media && s->media[medium])
                medium_expect(s->media[medium], offset, length);
}

void slot_io_failed(void *context, unsigned int medium, const struct vpc_io *io, int error) {
        struct link_slot *s = context;

        if (medium >= s->n_media || !s->media[medium])
                return;
        /* Made for the first of them: most slots never need it. */
        if (s->trouble || trouble_new(s->loop, TROUBLE_QUIET_NS, slot_on_trouble, s, &s->trouble) == 0)
                trouble_note(s->trouble, medium, io, error);
}

void slot_on_trouble(void *userdata, unsigned int medium, int level, const char *text) {
        struct link_slot *s = userdata;

        s->events->trouble(s, medium, level, text);
}

/* Requests that wait for their qos must not make the server wait for its own DMA_UNMAP or reset. */
void slot_hurry(void *context) {
        struct link_slot *s = context;

        qos_hurry(s->qos);
}

void slot_on_qos_start(void *userdata, unsigned int medium, struct vpc_io *io) {
        struct link_slot *s = userdata;

        if (s->faults)
                media_faults_submit(s->faults, medium, io);
        else
                media_submit(s, medium, io);
}

/* ---- media that are on other machines ---- */

static bool on_connect(void *userdata, uint64_t number) {
        const struct slot_medium *owner = userdata;

        return owner->slot->events->connect(owner->slot, owner->index, number);
}

/* So that whoever serves next knows what there was. */
static void on_holds(void *userdata, int fd) {
        const struct slot_medium *owner = userdata;

        owner->slot->escrow->sockets[owner->index] = fd + 1;
}

static void on_medium_log(void *userdata, int level, const char *text) {
        const struct slot_medium *owner = userdata;

        slot_on_trouble(owner->slot, owner->index, level, text);
}

static const struct media_nbd_events nbd_events = {.connect = on_connect, .holds = on_holds, .log = on_medium_log};

static int slot_medium_new(struct link_slot *s, unsigned int kind, int fd, uint64_t size, unsigned int index,
                           struct medium **ret_medium) {
        s->owners[index] = (struct slot_medium){s, index};
        return medium_new(s->loop, kind, fd, size, &nbd_events, &s->owners[index], ret_medium);
}

void link_slot_connect(struct link_slot *s, unsigned int medium, uint64_t number, int fd, const char *why) {
        if (medium < s->n_media && s->media[medium])
                medium_connected(s->media[medium], number, fd, why);
        else
                close_fd(&fd);
}

void link_slot_ask_again(struct link_slot *s) {
        for (unsigned int i = 0; i < s->n_media; i++)
                if (s->media[i])
                        medium_ask_again(s->media[i]);
}

/* ---- media that come and go ---- */

static void shown_if_done(struct link_slot *s) {
        if (s->n_retiring)
                return;
        if (s->showing) {
                s->showing = false;
                s->events->shown(s);
        }
        if (s->quiet)
                s->events->removed(s);
}

static void on_retired(void *userdata) {
        struct link_slot *s = userdata;

        s->n_retiring--;
        shown_if_done(s);
}

static void set_up(struct link_slot *s, const struct vpc_medium *m, struct medium *medium) {
        medium_set_keeps_space(medium, m->keeps_space);
        if (medium_set_cache(medium, s->escrow->message.cache))
                s->escrow->is_direct = true;
}

static int open_fresh(struct link_slot *s, const struct link_message *m, const int *fds, unsigned int n_fds,
                      struct medium *fresh[VPC_MEDIA_MAX]) {
        unsigned int next = 0;

        for (unsigned int i = 0; i < m->n_media; i++) {
                if (!(m->fresh >> i & 1))
                        continue;
                if (next == n_fds)
                        return -EBADMSG;
                /* A descriptor of its own, as in slot_open_media(). */
                const int fd = fcntl(fds[next++], F_DUPFD_CLOEXEC, 0);
                int r = fd < 0 ? -errno : slot_medium_new(s, m->media_kind[i], fd, m->media[i].size, i, &fresh[i]);
                if (r < 0)
                        return r;
                set_up(s, &m->media[i], fresh[i]);
        }
        return next == n_fds ? 0 : -EBADMSG;
}

/* Retire what is not shown any more, after the model has been told: it submits nothing to it then. */
static void exchange(struct link_slot *s, const struct link_message *m, struct medium *fresh[VPC_MEDIA_MAX]) {
        struct medium *old[VPC_MEDIA_MAX] = {0};

        /* What waits for its qos, and what faults delay, is for the media as they were. The control process says anew which
         * faults there are. */
        qos_hurry(s->qos);
        if (s->faults)
                media_faults_reset(s->faults);
        for (unsigned int i = 0; i < VPC_MEDIA_MAX; i++) {
                const bool is_shown = i < m->n_media && m->media[i].size;

                if (s->media[i] && (!is_shown || fresh[i]))
                        old[i] = TAKE_PTR(s->media[i]);
                if (old[i]) {
                        /* Its socket is its own from here on: whoever serves next has no use for it. */
                        s->escrow->sockets[i] = 0;
                        if (s->trouble)
                                trouble_forget(s->trouble, i);
                }
                if (fresh[i]) {
                        s->media[i] = fresh[i];
                } else if (s->media[i]) {
                        medium_resize(s->media[i], m->media[i].size);
                        medium_set_keeps_space(s->media[i], m->media[i].keeps_space);
                }
        }
        s->n_media = VPC_MEDIA_MAX;
        vpc_function_show(s->function, m->media, m->n_media);
        for (unsigned int i = 0; i < VPC_MEDIA_MAX; i++)
                if (old[i]) {
                        s->n_retiring++;
                        medium_retire(old[i], on_retired, s);
                }
}

int link_slot_show(struct link_slot *s, struct link_escrow *escrow, const struct link_message *m, int *fds, unsigned int n_fds) {
        struct medium *fresh[VPC_MEDIA_MAX] = {0};
        int r = open_fresh(s, m, fds, n_fds, fresh);

        /* In escrow before it is shown: who comes next must have what the image speaks of. */
        if (r == 0)
                r = link_escrow_slot_show(escrow, &s->escrow, m, fds, n_fds);
        if (r < 0) {
                for (unsigned int i = 0; i < VPC_MEDIA_MAX; i++)
                        medium_free(fresh[i]);
                for (unsigned int i = 0; i < n_fds; i++)
                        close_fd(&fds[i]);
                return r;
        }
        if (s->doorbells)
                s->doorbells_fd = s->escrow->fds[3 + s->escrow->message.n_media];
        exchange(s, m, fresh);
        s->showing = true;
        shown_if_done(s);
        return 0;
}

/* ---- as they are in escrow ---- */

/* The medium gets a descriptor of its own: the one in escrow must outlive it. */
int slot_open_media(struct link_slot *s) {
        const struct link_message *m = &s->escrow->message;

        if (s->escrow->n_fds != 3 + m->n_media + !!(m->flags & LINK_DOORBELLS))
                return -EBADMSG;
        for (unsigned int i = 0; i < m->n_media; i++) {
                if (s->escrow->fds[3 + i] < 0) /* none is shown there */
                        continue;
                const int fd = fcntl(s->escrow->fds[3 + i], F_DUPFD_CLOEXEC, 0);
                int r = fd < 0 ? -errno : slot_medium_new(s, m->media_kind[i], fd, m->media[i].size, i, &s->media[i]);

                if (r < 0)
                        return r;
                set_up(s, &m->media[i], s->media[i]);
                if (s->escrow->sockets[i] > 0)
                        medium_take_up(s->media[i], s->escrow->sockets[i] - 1);
        }
        s->n_media = m->n_media;
        return 0;
}
