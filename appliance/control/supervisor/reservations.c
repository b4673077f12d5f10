/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reservations and the instances: each has memory that its worker may only read, with the state of every shared volume that it
 * shows. After a change each worker says twice that it has seen it: when it counts, and when nothing is under way from before.
 * One that does not is killed; what its death takes with it is waited for, too.
 */
#include "control/supervisor/supervisor-private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <syslog.h>
#include <unistd.h>

#include "link/channel.h"
#include "util.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

#define SEEN_TIMEOUT (5 * SUPERVISOR_SECOND)  /* a worker that does not look at its channel for so long is killed, */
#define HELD_TIMEOUT (90 * SUPERVISOR_SECOND) /* and one whose medium does not come back */

/* A worker whose escrow has died: it dies, too, and until it has nobody may rely on its being gone. */
struct ghost {
        struct supervisor *supervisor;
        int pidfd;
        struct loop_source *source;
        struct ghost *next;
};

/* ---- pages ---- */

/* Written through this mapping alone: nobody can make another that writes. */
static int open_pages(struct instance *i) {
        CLEANUP_CLOSE int fd = memfd_create("iov-reservations", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        if (fd < 0 || ftruncate(fd, sizeof(struct link_reservations)) < 0)
                return -errno;
        if (instance_make_changes(i) < 0)
                return -ENOMEM;
        void *p = mmap(NULL, sizeof(struct link_reservations), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (p == MAP_FAILED)
                return -errno;
        if (fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
                int r = -errno;

                munmap(p, sizeof(struct link_reservations));
                return r;
        }
        i->reservations_file = supervisor_file_of(fd);
        i->reservations_fd = take_fd(&fd);
        i->reservations = p;
        return 0;
}

void instance_close_reservations(struct instance *i) {
        if (!i->reservations)
                return;
        munmap(i->reservations, sizeof(*i->reservations));
        close_fd(&i->reservations_fd);
        i->reservations = NULL;
}

/* Tell its worker; what cannot be sent now is sent again by the timer. */
static void tell(const struct instance *i, unsigned int medium, uint64_t change) {
        const struct link_message m = {.type = LINK_RESERVATIONS, .instance = i->number, .medium = medium, .change = change};

        if (i->process->pid)
                link_send(i->process->channel, &m, &i->reservations_fd, 1);
}

static void on_tick(void *userdata);

static void watch(struct supervisor *s) {
        if (!s->reservation_timer)
                loop_add_timer(s->loop, SUPERVISOR_SECOND, on_tick, s, &s->reservation_timer);
}

static bool shows(const struct instance *i, unsigned int medium, uint64_t volume) {
        const struct vpc_medium *m = &i->persona.media[medium];

        return medium < i->persona.n_media && m->size && m->shared && m->unique_id == volume;
}

static bool show_one(struct supervisor *s, struct instance *i, unsigned int medium, const struct vpc_reservation *state) {
        int r = i->reservations ? 0 : open_pages(i);

        if (r < 0 || !i->reservations) {
                journal_event(s->journal, LOG_ERR, JOURNAL_NO_UID, i->vadapter,
                              "no memory for the reservations on its volumes: %s", strerror(-r));
                return false;
        }
        vpc_reservation_write(&i->reservations->media[medium], state);
        return true;
}

/* What it shows has changed: its pages follow. Before the worker is told of media, `before`; and after, so that it looks. */
void instance_show_reservations(struct supervisor *s, struct instance *i, bool before) {
        for (unsigned int k = 0; k < i->persona.n_media; k++) {
                const struct vpc_medium *m = &i->persona.media[k];
                const struct vpc_reservation *state =
                        m->size && m->shared ? reservations_get(s->reservations, m->unique_id) : NULL;

                if (!state)
                        continue;
                if (before)
                        show_one(s, i, k, state);
                else if (i->reservations)
                        tell(i, k, state->change);
        }
}

static void on_publish(void *userdata, const struct vpc_reservation *state) {
        struct supervisor *s = userdata;

        for (struct instance *i = s->instances; i; i = i->next)
                for (unsigned int k = 0; k < VPC_MEDIA_MAX; k++) {
                        if (!shows(i, k, state->volume) || !show_one(s, i, k, state))
                                continue;
                        i->changes->awaited[k] = state->change;
                        i->changes->seen[k] = false;
                        i->awaited_since = monotonic_ns();
                        watch(s);
                        tell(i, k, state->change);
                }
}

/* ---- who holds to it ---- */

static bool on_is_held(void *userdata, uint64_t volume) {
        const struct supervisor *s = userdata;

        if (s->ghosts)
                return false;
        for (const struct instance *i = s->instances; i; i = i->next) {
                const struct instance_changes *c = instance_get_changes(i);

                for (unsigned int k = 0; k < VPC_MEDIA_MAX; k++)
                        if (c->leaving[k] == volume || (c->awaited[k] && shows(i, k, volume)))
                                return false;
        }
        return true;
}

static void on_ghost(void *userdata, int fd, uint32_t events) {
        struct ghost *g = userdata;
        struct supervisor *s = g->supervisor;

        for (struct ghost **at = &s->ghosts; *at; at = &(*at)->next)
                if (*at == g) {
                        *at = g->next;
                        break;
                }
        loop_source_remove(g->source);
        close_fd(&g->pidfd);
        free(g);
        reservations_progress(s->reservations);
}

/* Where it is known to be gone already there is nothing to wait for. */
void supervisor_await_death(struct supervisor *s, pid_t worker) {
        struct ghost *g = worker > 0 ? calloc(1, sizeof(*g)) : NULL;

        if (!g)
                return;
        g->supervisor = s;
        g->pidfd = pidfd_open(worker, 0);
        if (g->pidfd < 0 || loop_add_fd(s->loop, g->pidfd, POLLIN, on_ghost, g, &g->source) < 0) {
                close_fd(&g->pidfd);
                free(g);
                return;
        }
        g->next = s->ghosts;
        s->ghosts = g;
}

void supervisor_free_ghosts(struct supervisor *s) {
        while (s->ghosts) {
                struct ghost *g = s->ghosts;

                s->ghosts = g->next;
                loop_source_remove(g->source);
                close_fd(&g->pidfd);
                free(g);
        }
}

/* ---- what takes too long, or could not be sent ---- */

static bool awaits(const struct instance *i, bool *ret_seen) {
        const struct instance_changes *c = instance_get_changes(i);
        bool awaited = false;

        *ret_seen = true;
        for (unsigned int k = 0; k < VPC_MEDIA_MAX; k++)
                if (c->awaited[k]) {
                        awaited = true;
                        *ret_seen &= c->seen[k];
                }
        return awaited;
}

static void send_answer(struct supervisor *s, struct instance *i) {
        const struct link_message m = {
                .type = LINK_RESERVED, .instance = i->number, .result = i->answer, .reserve = {.ticket = i->answer_ticket}};

        if (!i->process->pid || link_send(i->process->channel, &m, NULL, 0) != -EAGAIN)
                i->answer_ticket = 0;
        else
                watch(s);
}

void instance_tell_reservations(struct supervisor *s, struct instance *i) {
        const struct instance_changes *c = instance_get_changes(i);

        for (unsigned int k = 0; k < VPC_MEDIA_MAX; k++)
                if (c->awaited[k])
                        tell(i, k, c->awaited[k]);
        if (i->answer_ticket)
                send_answer(s, i);
}

static void on_tick(void *userdata) {
        struct supervisor *s = userdata;
        const uint64_t now = monotonic_ns();

        s->reservation_timer = loop_source_remove(s->reservation_timer);
        for (struct instance *i = s->instances; i; i = i->next) {
                bool seen = true;
                const bool awaited = awaits(i, &seen);

                if (awaited && i->process->pid && now - i->awaited_since > (seen ? HELD_TIMEOUT : SEEN_TIMEOUT)) {
                        journal_event(s->journal, LOG_ERR, JOURNAL_NO_UID, i->vadapter,
                                      "worker %d does not follow a change of reservations: killed", (int)i->process->worker);
                        pidfd_send_signal(i->process->pidfd, SIGKILL, NULL, 0);
                } else if (!seen || i->answer_ticket) {
                        instance_tell_reservations(s, i);
                }
                if (awaited)
                        watch(s);
        }
}

/* ---- what workers say ---- */

void instance_on_answer(void *userdata, uint64_t instance, uint64_t ticket, enum vpc_reserve_result result) {
        struct supervisor *s = userdata;
        struct instance *i = instance_by_number(s, instance);

        if (!i)
                return;
        i->answer = result;
        i->answer_ticket = ticket;
        send_answer(s, i);
}

static void ask(struct supervisor *s, const struct instance *i, const struct link_message *m) {
        struct vpc_reserve_request request = m->reserve;
        const struct vpc_medium *medium = &i->persona.media[request.medium % VPC_MEDIA_MAX];

        /* Who asks is not the worker's to say, as far as it is known here. */
        request.initiator.owner = i->persona.unique_id;
        const bool is_marking = request.op >= VPC_RESERVE_OPS;
        if (request.medium >= i->persona.n_media || !medium->size || !(is_marking ? !medium->read_only : medium->shared) ||
            !request.ticket || medium->unique_id != request.volume)
                instance_on_answer(s, i->number, request.ticket, VPC_RESERVE_FAILED);
        else if (is_marking && request.op == VPC_MARKS_SET && request.end > medium->size)
                instance_on_answer(s, i->number, request.ticket, VPC_RESERVE_INVALID);
        else if (is_marking)
                marks_ask(s->marks, medium->unique_id, i->number, &request);
        else
                reservations_ask(s->reservations, medium->unique_id, i->number, &request);
}

void instance_on_reservations(struct supervisor *s, struct instance *i, const struct link_message *m) {
        if (m->type == LINK_RESERVE) {
                ask(s, i, m);
                return;
        }
        struct instance_changes *c = i->changes;

        if (!c || m->medium >= VPC_MEDIA_MAX || c->awaited[m->medium] != m->change)
                return;
        c->seen[m->medium] = true;
        if (m->type != LINK_RESERVATIONS_HELD)
                return;
        c->awaited[m->medium] = 0;
        reservations_progress(s->reservations);
}

/* It is new: a host that had the vAdapter before and never said who it is [NVMe 1.4 section 5.21.1.19] is another one. */
void instance_forget_nameless(struct supervisor *s, const struct instance *i) {
        const struct vpc_reserve_request request = {.op = VPC_RESERVE_FORGET,
                                                    .initiator = {.owner = i->persona.unique_id, .epoch = UINT32_MAX}};

        for (unsigned int k = 0; k < i->persona.n_media; k++)
                if (i->persona.media[k].size && i->persona.media[k].shared)
                        reservations_ask(s->reservations, i->persona.media[k].unique_id, 0, &request);
}

const struct reservations_events supervisor_reservations_events = {
        .publish = on_publish, .is_held = on_is_held, .answer = instance_on_answer};

int supervisor_reservation_clear(struct supervisor *s, uint64_t volume) {
        return reservations_clear(s->reservations, volume);
}

const struct vpc_reservation *supervisor_reservation_get(const struct supervisor *s, uint64_t volume) {
        return reservations_get(s->reservations, volume);
}
