/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "link/slot-private.h"

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

#include "util.h"

int slot_map(int fd, size_t size, int protection, void **ret_memory) {
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
        return slot_map(fd, size, PROT_READ | PROT_WRITE, ret_memory);
}

/* Text of the function, which names the vAdapter. */
static void slot_log(void *context, int level, const char *text) {
        struct link_slot *s = context;

        s->events->log(s, level, text);
}

void slot_say(struct link_slot *s, int level, const char *what) {
        char text[256];

        snprintf(text, sizeof(text), "%s: %s", s->name, what);
        slot_log(s, level, text);
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
                                              .io_failed = slot_io_failed,
                                              .hurry = slot_hurry,
                                              .reservations = slot_page,
                                              .reserve = slot_reserve,
                                              .fenced = slot_fenced,
                                              .unpinned = slot_unpinned,
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
        r = qos_new(s->loop, slot_on_qos_start, s, &s->qos);
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
        environment.marks = &s->shared->marks;
        if (s->doorbells) {
                environment.doorbells = (uint32_t *)(void *)((char *)s->doorbells + VPC_DOORBELLS_OFFSET);
                environment.doorbells_fd = s->doorbells_fd;
        }
        r = vpc_function_new(s->loop, model, s->image, &s->shared->counters, &environment, &s->function);
        if (r < 0)
                return r;
        r = slot_take_up(s);
        vpc_function_set_report(s->function, &s->shared->report);
        slot_pin(s);
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
        trouble_free(s->trouble);
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
