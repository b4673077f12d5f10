/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "link/slot.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "link/qos.h"
#include "media/medium.h"
#include "util.h"
#include "vpc/function.h"
#include "vpc/server.h"
#include "vpc/session.h"

struct slot_medium {
        struct link_slot *slot;
        unsigned int index;
};

struct link_slot {
        struct loop *loop;
        uint64_t instance;
        char name[IOV_NAME_SIZE];
        const struct link_slot_events *events;
        void *userdata;
        struct link_escrow_slot *escrow;
        struct loop_source *listener_source;
        void *image;
        size_t image_size;
        struct link_shared *shared;
        struct vpc_session *session;
        struct vpc_function *function;
        struct vpc_connection *connection;
        struct medium *media[VPC_MEDIA_MAX];
        struct slot_medium owners[VPC_MEDIA_MAX];
        unsigned int n_media;
        unsigned int n_retiring;     /* media that are not shown any more, with requests under way */
        struct media_faults *faults; /* NULL: there never were any */
        struct qos *qos;
        void *doorbells; /* LINK_DOORBELLS_SIZE bytes, NULL: none */
        int doorbells_fd;
        const struct link_reservations *reservations; /* for reading, NULL: none yet */
        struct vpc_reserve_request asked;             /* without an answer yet; ticket 0: nothing is */
        bool removing, connected, showing, quiet;
};

static int map_fd_for(int fd, size_t size, int protection, void **ret_memory) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        if ((size_t)st.st_size < size)
                return -EBADMSG;
        void *p = mmap(NULL, size, protection, MAP_SHARED, fd, 0);
        if (p == MAP_FAILED)
                return -errno;
        *ret_memory = p;
        return 0;
}

static int map_fd(int fd, size_t size, void **ret_memory) {
        return map_fd_for(fd, size, PROT_READ | PROT_WRITE, ret_memory);
}

static void media_submit(void *context, unsigned int medium, struct vpc_io *io) {
        struct link_slot *s = context;

        /* The model knows only the media of its persona; an index beyond is a bug of the model, and no reason to fall over. */
        if (medium < s->n_media && s->media[medium])
                medium_submit(s->media[medium], io);
        else
                io->private.finish(io, -ENXIO);
}

/* From the model by its qos and the faults on demand to the medium. */
static void slot_io_submit(void *context, unsigned int medium, struct vpc_io *io) {
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

static bool slot_io_try(void *context, unsigned int medium, struct vpc_io *io, int *ret_error) {
        struct link_slot *s = context;

        /* A fault on demand must not be passed by; where there are limits, it is them that decide when. */
        if (s->faults || medium >= s->n_media || !s->media[medium] || !qos_ready(s->qos, io) ||
            !medium_try(s->media[medium], io, ret_error))
                return false;
        qos_charge(s->qos, io);
        return true;
}

static void slot_io_expect(void *context, unsigned int medium, uint64_t offset, uint64_t length) {
        struct link_slot *s = context;

        if (medium < s->n_media && s->media[medium])
                medium_expect(s->media[medium], offset, length);
}

/* Requests that wait for their qos must not make the server wait for its own DMA_UNMAP or reset. */
static void slot_hurry(void *context) {
        struct link_slot *s = context;

        qos_hurry(s->qos);
}

static void on_qos_start(void *userdata, unsigned int medium, struct vpc_io *io) {
        struct link_slot *s = userdata;

        if (s->faults)
                media_faults_submit(s->faults, medium, io);
        else
                media_submit(s, medium, io);
}

/* Text of the function, which names the vAdapter. */
static void slot_log(void *context, int level, const char *text) {
        struct link_slot *s = context;

        s->events->log(s, level, text);
}

static void slot_say(struct link_slot *s, int level, const char *what) {
        char text[256];

        snprintf(text, sizeof(text), "%s: %s", s->name, what);
        slot_log(s, level, text);
}

/* ---- reservations ---- */

static const struct vpc_reservation_page *slot_page(void *context, unsigned int medium) {
        const struct link_slot *s = context;

        return s->reservations && medium < VPC_MEDIA_MAX ? &s->reservations->media[medium] : NULL;
}

static void slot_reserve(void *context, const struct vpc_reserve_request *request) {
        struct link_slot *s = context;

        s->asked = *request;
        s->events->reserve(s, request);
}

static void slot_fenced(void *context, unsigned int medium, uint64_t change) {
        struct link_slot *s = context;

        s->events->fenced(s, medium, change, true);
}

static int slot_open_reservations(struct link_slot *s, int fd) {
        void *memory = NULL;
        int r = map_fd_for(fd, sizeof(*s->reservations), PROT_READ, &memory);

        if (r < 0)
                return r;
        if (s->reservations)
                munmap((void *)(uintptr_t)s->reservations, sizeof(*s->reservations));
        s->reservations = memory;
        return 0;
}

static bool is_same_file(int a, int b) {
        struct stat x, y;

        return a > 0 && b > 0 && fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

int link_slot_reservations(struct link_slot *s, const struct link_message *m, int arg_fd) {
        CLEANUP_CLOSE int fd = arg_fd;

        if (!is_same_file(fd, s->escrow->reservations_fd)) {
                const int old = s->escrow->reservations_fd;
                int r = slot_open_reservations(s, fd);

                if (r < 0)
                        return r;
                s->escrow->reservations_fd = take_fd(&fd);
                if (old > 0)
                        close_fd(&old);
        }
        /* From now on it counts; what was let through before must not wait for its qos. */
        s->events->fenced(s, m->medium, m->change, false);
        qos_hurry(s->qos);
        vpc_function_fence(s->function, m->medium, m->change);
        return 0;
}

void link_slot_reserved(struct link_slot *s, const struct link_message *m) {
        if (s->asked.ticket == m->reserve.ticket)
                s->asked.ticket = 0;
        vpc_function_reserved(s->function, m->reserve.ticket, (enum vpc_reserve_result)m->result);
}

void link_slot_reserve_again(struct link_slot *s) {
        if (s->asked.ticket)
                s->events->reserve(s, &s->asked);
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
        slot_say(((const struct slot_medium *)userdata)->slot, level, text);
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

/* ---- the end: nothing may be under way when the slot is freed ---- */

static void on_quiet(void *userdata) {
        struct link_slot *s = userdata;

        s->quiet = true;
        if (!s->n_retiring)
                s->events->removed(s);
}

static void slot_end(struct link_slot *s) {
        vpc_function_stop(s->function);
        vpc_function_quiesce(s->function, on_quiet, s);
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
                if (old[i]) /* its socket is its own from here on: whoever serves next has no use for it */
                        s->escrow->sockets[i] = 0;
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

/* ---- connections ---- */

static void on_opened(void *userdata) {
        struct link_slot *s = userdata;

        s->connected = true;
        s->events->connected(s, s->escrow->peer_pid, s->escrow->peer_uid);
}

static void on_closed(void *userdata, const char *reason) {
        struct link_slot *s = userdata;
        bool was_connected = s->connected;

        s->connection = NULL;
        s->connected = false;
        if (was_connected)
                s->events->disconnected(s, reason);
        if (s->removing)
                slot_end(s);
}

/*
 * A second client: turned away at VERSION, which harms it least. The slot does not follow that connection, which may outlive it;
 * so it is the process that counts them. More than a few that say nothing are not waited for: they would take all descriptors.
 */
#define REFUSED_MAX 16
static unsigned int n_refused;

static void on_refused_closed(void *userdata, const char *reason) {
        n_refused--;
}

static const struct vpc_connection_events connection_events = {.opened = on_opened, .closed = on_closed};
static const struct vpc_connection_events refused_events = {.closed = on_refused_closed};

static void on_listener(void *userdata, int fd, uint32_t events) {
        struct link_slot *s = userdata;
        struct ucred peer = {0};
        socklen_t n = sizeof(peer);
        int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (client < 0)
                return; /* gone again, or out of descriptors: the next one may do */
        if (s->connection) {
                struct vpc_connection *ignored;

                if (n_refused >= REFUSED_MAX) {
                        close(client);
                        return;
                }
                slot_say(s, LOG_NOTICE, "a second client was turned away: the slot has one");
                n_refused += vpc_connection_new(s->loop, client, NULL, &refused_events, NULL, &ignored) >= 0;
                return;
        }
        if (getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0) {
                s->escrow->peer_pid = (uint32_t)peer.pid;
                s->escrow->peer_uid = peer.uid;
        }
        int r = vpc_connection_new(s->loop, client, s->function, &connection_events, s, &s->connection);
        if (r < 0)
                slot_say(s, LOG_ERR, strerror(-r));
}

/* ---- life ---- */

/* The medium gets a descriptor of its own: the one in escrow must outlive it. */
static int slot_open_media(struct link_slot *s) {
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

/* What the client sets up goes into memory that outlives this process. */
static int slot_open_shared(struct link_slot *s) {
        void *shared = NULL;
        int r = map_fd(s->escrow->fds[2], LINK_SHARED_SIZE, &shared);

        if (r < 0 || !shared)
                return r < 0 ? r : -EFAULT;
        s->shared = shared;
        s->session = (struct vpc_session *)(void *)((char *)shared + LINK_SESSION_OFFSET);
        if (!*s->session->magic)
                vpc_session_init(s->session);
        return vpc_session_check(s->session);
}

/* Take up what the server has set up with a process before this one. */
static int slot_take_up(struct link_slot *s) {
        int r = vpc_function_keep(s->function, s->session);

        if (r > 0)
                slot_say(s, LOG_WARNING, "some of the server's memory cannot be mapped again");
        r = vpc_connection_resume(s->loop, s->function, &connection_events, s, &s->connection);
        if (r == -ENOENT)
                return 0;
        s->connected = r == 0 && vpc_connection_is_open(s->connection);
        return r;
}

static int slot_open_doorbells(struct link_slot *s) {
        const struct link_message *m = &s->escrow->message;

        if (!(m->flags & LINK_DOORBELLS))
                return 0;
        s->doorbells_fd = s->escrow->fds[3 + m->n_media];
        return map_fd(s->doorbells_fd, LINK_DOORBELLS_SIZE, &s->doorbells);
}

static int slot_open_share(struct link_slot *s) {
        const struct link_escrow_share *e = &s->escrow->shares[s->escrow->share & 1];
        struct share *share = NULL;
        int r = e->n_fds ? share_new(&e->share, e->fds, e->n_fds, &share) : 0;

        if (r == 0)
                qos_set_share(s->qos, share);
        return r;
}

static int slot_bring_up(struct link_slot *s) {
        const struct vpc_model *model = vpc_model_find(s->escrow->message.model);
        struct vpc_environment environment = {.context = s,
                                              .io_submit = slot_io_submit,
                                              .io_try = slot_io_try,
                                              .io_expect = slot_io_expect,
                                              .hurry = slot_hurry,
                                              .reservations = slot_page,
                                              .reserve = slot_reserve,
                                              .fenced = slot_fenced,
                                              .log = slot_log};
        int r;

        if (!model || s->escrow->n_fds < 3)
                return -EBADMSG;
        s->image_size = vpc_image_size(model);
        r = map_fd(s->escrow->fds[1], s->image_size, &s->image);
        if (r < 0)
                return r;
        r = vpc_image_check(s->image, s->image_size, model);
        if (r < 0)
                return r;
        r = slot_open_shared(s);
        if (r < 0)
                return r;
        r = qos_new(s->loop, on_qos_start, s, &s->qos);
        if (r < 0)
                return r;
        qos_set(s->qos, &s->escrow->message.limits);
        r = slot_open_share(s);
        if (r == 0)
                r = slot_open_media(s);
        if (r == 0 && s->escrow->reservations_fd > 0)
                r = slot_open_reservations(s, s->escrow->reservations_fd);
        if (r == 0)
                r = slot_open_doorbells(s);
        if (r < 0)
                return r;
        if (s->doorbells) {
                environment.doorbells = (uint32_t *)(void *)((char *)s->doorbells + VPC_DOORBELLS_OFFSET);
                environment.doorbells_fd = s->doorbells_fd;
        }
        r = vpc_function_new(s->loop, model, s->image, &s->shared->counters, &environment, &s->function);
        if (r < 0)
                return r;
        r = slot_take_up(s);
        vpc_function_set_report(s->function, &s->shared->report);
        return r < 0 ? r : loop_add_fd(s->loop, s->escrow->fds[0], POLLIN, on_listener, s, &s->listener_source);
}

int link_slot_new(struct loop *loop, struct link_escrow_slot *escrow, const struct link_slot_events *events, void *userdata,
                  struct link_slot **ret_slot) {
        struct link_slot *s = calloc(1, sizeof(*s));

        if (!s) {
                link_escrow_slot_free(escrow);
                return -ENOMEM;
        }
        s->loop = loop;
        s->escrow = escrow;
        s->doorbells_fd = -1;
        s->instance = escrow->message.instance;
        memcpy(s->name, escrow->message.name, sizeof(s->name));
        s->events = events;
        s->userdata = userdata;
        int r = slot_bring_up(s);
        if (r < 0) {
                link_slot_free(s);
                return r;
        }
        *ret_slot = s;
        return 0;
}

bool link_slot_connected(const struct link_slot *s, uint32_t *ret_pid, uint32_t *ret_uid) {
        *ret_pid = s->connected ? s->escrow->peer_pid : 0;
        *ret_uid = s->connected ? s->escrow->peer_uid : 0;
        return s->connected;
}

void link_slot_free(struct link_slot *s) {
        if (!s)
                return;
        loop_source_remove(s->listener_source);
        vpc_function_free(s->function);
        media_faults_free(s->faults);
        for (unsigned int i = 0; i < s->n_media; i++)
                medium_free(s->media[i]);
        qos_free(s->qos);
        if (s->doorbells)
                munmap(s->doorbells, LINK_DOORBELLS_SIZE);
        if (s->reservations)
                munmap((void *)(uintptr_t)s->reservations, sizeof(*s->reservations));
        if (s->image)
                munmap(s->image, s->image_size);
        if (s->shared)
                munmap(s->shared, LINK_SHARED_SIZE);
        link_escrow_slot_free(s->escrow);
        free(s);
}

void link_slot_remove(struct link_slot *s) {
        if (s->removing)
                return;
        s->removing = true;
        s->escrow->removing = true;
        /* Nothing that is late on demand holds it up. */
        link_slot_set_fault(s, NULL);
        for (unsigned int i = 0; i < s->n_media; i++)
                if (s->media[i])
                        medium_hurry(s->media[i]);
        s->listener_source = loop_source_remove(s->listener_source);
        if (s->connection)
                vpc_connection_close(s->connection, "unplugged by the appliance");
        else
                slot_end(s);
}

void link_slot_set_limits(struct link_slot *s, const struct link_limits *limits) {
        s->escrow->message.limits = *limits;
        qos_set(s->qos, limits);
}

int link_slot_set_share(struct link_slot *s, const struct link_share *share, const int *fds, unsigned int n_fds) {
        link_escrow_slot_share(s->escrow, share, fds, n_fds);
        return slot_open_share(s);
}

uint64_t link_slot_instance(const struct link_slot *s) {
        return s->instance;
}

const char *link_slot_name(const struct link_slot *s) {
        return s->name;
}

void *link_slot_userdata(const struct link_slot *s) {
        return s->userdata;
}
