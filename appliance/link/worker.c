/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The worker of one server link. It holds that server's sockets, memory and media descriptors, and no other's. */
#include "link/worker.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <syslog.h>
#include <unistd.h>

#include "link/channel.h"
#include "link/escrow.h"
#include "link/sandbox.h"
#include "link/slot.h"
#include "loop/loop.h"
#include "media/nbd-library.h"
#include "util.h"

/* Where there is but one, polling would keep from work those who are waited for. Found out before the sandbox is entered. */
static bool has_processors;

struct worker {
        struct loop *loop;
        struct loop_source *channel;
        struct link_escrow *escrow;
        struct link_slot *slots[LINK_SLOTS_MAX];
        unsigned int n_slots;
        bool untold; /* something could not be sent: all is told again when there is room */
};

/* What cannot be sent because the control process is slow to read, or away, is dropped where it is a mere log line. */
static void tell(struct worker *w, const struct link_message *m) {
        if (link_send(LINK_CHANNEL_FD, m, NULL, 0) != -EAGAIN || m->type == LINK_LOG || w->untold)
                return;
        w->untold = true;
        loop_source_set_events(w->channel, POLLIN | POLLOUT);
}

static void tell_of(enum link_message_type type, const struct link_slot *slot, int level, const char *text, uint32_t pid,
                    uint32_t uid) {
        struct link_message m = {
                .type = type, .level = (uint32_t)level, .instance = link_slot_instance(slot), .pid = pid, .uid = uid};

        field_set(m.name, sizeof(m.name), link_slot_name(slot));
        snprintf(m.text, sizeof(m.text), "%s", text ? text : "");
        tell(link_slot_userdata(slot), &m);
}

static void tell_status(struct worker *w, bool asked) {
        struct link_message m = {.type = LINK_STARTED, .pid = (uint32_t)getpid(), .level = w->escrow->starts, .instance = asked};

        tell(w, &m);
        for (unsigned int i = 0; i < w->n_slots; i++) {
                uint32_t pid, uid;
                bool connected = link_slot_connected(w->slots[i], &pid, &uid);

                tell_of(LINK_STATUS, w->slots[i], connected, NULL, pid, uid);
        }
        m.type = LINK_STATUS_END;
        tell(w, &m);
        /* The control process may be another one, or what was asked for could not be sent. */
        for (unsigned int i = 0; i < w->n_slots; i++)
                link_slot_reserve_again(w->slots[i]);
}

static void on_connected(struct link_slot *slot, uint32_t pid, uint32_t uid) {
        tell_of(LINK_CONNECTED, slot, LOG_INFO, NULL, pid, uid);
}

static void on_disconnected(struct link_slot *slot, const char *reason) {
        tell_of(LINK_DISCONNECTED, slot, LOG_INFO, reason, 0, 0);
}

static void on_log(struct link_slot *slot, int level, const char *text) {
        tell_of(LINK_LOG, slot, level, text, 0, 0);
}

static void on_trouble(struct link_slot *slot, unsigned int medium, int level, const char *text) {
        struct link_message m = {
                .type = LINK_TROUBLE, .instance = link_slot_instance(slot), .medium = medium, .level = (uint32_t)level};

        snprintf(m.text, sizeof(m.text), "%s", text);
        link_send(LINK_CHANNEL_FD, &m, NULL, 0); /* like a line of the log it is lost where nobody reads */
}

static void on_struck(struct link_slot *slot, uint64_t fault, uint64_t hits) {
        const struct link_message m = {
                .type = LINK_STRUCK, .instance = link_slot_instance(slot), .fault = {.id = fault}, .hits = hits};

        link_send(LINK_CHANNEL_FD, &m, NULL, 0);
}

static void on_removed(struct link_slot *slot) {
        struct worker *w = link_slot_userdata(slot);

        for (unsigned int i = 0; i < w->n_slots; i++)
                if (w->slots[i] == slot) {
                        w->slots[i] = w->slots[--w->n_slots];
                        break;
                }
        tell_of(LINK_REMOVED, slot, LOG_INFO, NULL, 0, 0);
        link_slot_free(slot);
}

static void on_shown(struct link_slot *slot) {
        tell_of(LINK_SHOWN, slot, LOG_INFO, NULL, 0, 0);
}

static void on_reserve(struct link_slot *slot, const struct vpc_reserve_request *request) {
        const struct link_message m = {.type = LINK_RESERVE, .instance = link_slot_instance(slot), .reserve = *request};

        tell(link_slot_userdata(slot), &m);
}

static void on_fenced(struct link_slot *slot, uint32_t medium, uint64_t change, bool held) {
        const struct link_message m = {.type = held ? LINK_RESERVATIONS_HELD : LINK_RESERVATIONS_SEEN,
                                       .instance = link_slot_instance(slot),
                                       .medium = medium,
                                       .change = change};

        tell(link_slot_userdata(slot), &m);
}

static bool on_connect(struct link_slot *slot, unsigned int medium, uint64_t number) {
        const struct link_message m = {
                .type = LINK_MEDIUM_ASK, .level = medium, .instance = link_slot_instance(slot), .hits = number};

        return link_send(LINK_CHANNEL_FD, &m, NULL, 0) == 0;
}

static const struct link_slot_events slot_events = {
        .connected = on_connected,
        .disconnected = on_disconnected,
        .shown = on_shown,
        .removed = on_removed,
        .log = on_log,
        .trouble = on_trouble,
        .struck = on_struck,
        .reserve = on_reserve,
        .fenced = on_fenced,
        .connect = on_connect,
};

static void say_failed(struct worker *w, uint64_t instance, const char *what, int error) {
        struct link_message failed = {.type = LINK_FAILED, .level = LOG_ERR, .instance = instance};

        snprintf(failed.text, sizeof(failed.text), "%s: %s", what, strerror(-error));
        tell(w, &failed);
}

static struct link_slot *slot_find(struct worker *w, uint64_t instance) {
        for (unsigned int i = 0; i < w->n_slots; i++)
                if (link_slot_instance(w->slots[i]) == instance)
                        return w->slots[i];
        return NULL;
}

static void slot_open(struct worker *w, struct link_escrow_slot *place) {
        const bool removing = place->removing;
        struct link_slot *slot = NULL;

        loop_set_spin(w->loop, has_processors ? (uint64_t)place->message.poll_us * 1000 : 0);
        int r = link_slot_new(w->loop, place, &slot_events, w, &slot);
        if (r < 0) {
                say_failed(w, place->message.instance, "the worker cannot bring it up", r);
                return;
        }
        w->slots[w->n_slots++] = slot;
        if (removing)
                link_slot_remove(slot);
}

/*
 * What the control process says of a slot, NULL where there is none of that instance. A handler says whether it has taken over
 * the descriptors, failed or not; those that are left are closed.
 */
typedef bool (*handler)(struct worker *w, struct link_slot *slot, const struct link_message *m, int *fds, unsigned int n);

/* The message is still in the channel: where the slot is there already, a process before this one has died just then. */
static bool slot_add(struct worker *w, struct link_slot *slot, const struct link_message *m, int *fds, unsigned int n) {
        if (slot)
                return false;
        struct link_escrow_slot *place = link_escrow_slot_take(w->escrow);
        if (!place) {
                struct link_message failed = {.type = LINK_FAILED, .level = LOG_ERR, .instance = m->instance};

                snprintf(failed.text, sizeof(failed.text), "the worker has no room for more slots");
                tell(w, &failed);
                return false;
        }
        place->message = *m;
        memcpy(place->fds, fds, n * sizeof(int));
        place->n_fds = n;
        __atomic_store_n(&place->used, 1, __ATOMIC_RELEASE);
        slot_open(w, place);
        return true;
}

static bool slot_show(struct worker *w, struct link_slot *slot, const struct link_message *m, int *fds, unsigned int n) {
        int r = slot ? link_slot_show(slot, w->escrow, m, fds, n) : -ENOENT;

        if (r < 0)
                say_failed(w, m->instance, "the worker cannot show what it should", r);
        return slot;
}

static bool slot_remove(struct worker *w, struct link_slot *slot, const struct link_message *m, int *fds, unsigned int n) {
        const struct link_message removed = {.type = LINK_REMOVED, .instance = m->instance};

        if (slot)
                link_slot_remove(slot);
        else
                tell(w, &removed);
        return false;
}

static bool slot_fault(struct worker *w, struct link_slot *slot, const struct link_message *m, int *fds, unsigned int n) {
        int r = slot ? link_slot_set_fault(slot, m->type == LINK_FAULT ? &m->fault : NULL) : 0;

        if (r < 0)
                tell_of(LINK_LOG, slot, LOG_WARNING, strerror(-r), 0, 0);
        return false;
}

static bool slot_limits(struct worker *w, struct link_slot *slot, const struct link_message *m, int *fds, unsigned int n) {
        if (slot)
                link_slot_set_limits(slot, &m->limits);
        return false;
}

static bool slot_reservations(struct worker *w, struct link_slot *slot, const struct link_message *m, int *fds, unsigned int n) {
        const bool whole = slot && n == 1;

        if (slot && (!whole || link_slot_reservations(slot, m, fds[0]) < 0))
                tell_of(LINK_LOG, slot, LOG_ERR, "the reservations on its media cannot be read", 0, 0);
        return whole;
}

static bool slot_reserved(struct worker *w, struct link_slot *slot, const struct link_message *m, int *fds, unsigned int n) {
        if (slot)
                link_slot_reserved(slot, m);
        return false;
}

static bool slot_share(struct worker *w, struct link_slot *slot, const struct link_message *m, int *fds, unsigned int n) {
        const bool takes = slot && n <= 1 + LINK_PEERS_MAX;

        if (takes && link_slot_set_share(slot, &m->share, fds, n) < 0)
                tell_of(LINK_LOG, slot, LOG_WARNING, "its share of the adapter cannot be followed", 0, 0);
        return takes;
}

static bool slot_connect(struct worker *w, struct link_slot *slot, const struct link_message *m, int *fds, unsigned int n) {
        if (slot)
                link_slot_connect(slot, m->level, m->hits, n ? take_fd(&fds[0]) : -1, m->text);
        return false;
}

/* Whoever asks may be another control process, which knows of no questions that were asked before. */
static bool answer_status(struct worker *w, struct link_slot *slot, const struct link_message *m, int *fds, unsigned int n) {
        tell_status(w, true);
        for (unsigned int i = 0; i < w->n_slots; i++)
                link_slot_ask_again(w->slots[i]);
        return false;
}

static const handler handlers[] = {
        [LINK_SLOT_ADD] = slot_add,        [LINK_SLOT_MEDIA] = slot_show,           [LINK_SLOT_REMOVE] = slot_remove,
        [LINK_STATUS_ASK] = answer_status, [LINK_FAULT_RESET] = slot_fault,         [LINK_FAULT] = slot_fault,
        [LINK_SLOT_LIMITS] = slot_limits,  [LINK_RESERVATIONS] = slot_reservations, [LINK_RESERVED] = slot_reserved,
        [LINK_SLOT_SHARE] = slot_share,    [LINK_MEDIUM_SOCKET] = slot_connect,
};

static void handle(struct worker *w, const struct link_message *m, int *fds, unsigned int n) {
        const handler h = m->type < ARRAY_LENGTH(handlers) ? handlers[m->type] : NULL;

        if (h && h(w, slot_find(w, m->instance), m, fds, n))
                return;
        for (unsigned int i = 0; i < n; i++)
                close_fd(&fds[i]);
}

static void on_channel(void *userdata, int fd, uint32_t events) {
        struct worker *w = userdata;
        struct link_message m;
        int fds[LINK_FDS_MAX];
        unsigned int n = 0;

        if (w->untold && events & POLLOUT) {
                w->untold = false;
                loop_source_set_events(w->channel, POLLIN);
                tell_status(w, false);
        }
        for (;;) {
                int r = link_peek(fd, &m, fds, &n);

                if (r == -EAGAIN)
                        return;
                if (r < 0) {
                        /* The control process is gone, and nobody keeps its place: so is the appliance. */
                        loop_stop(w->loop, r == -ECONNRESET ? 0 : r);
                        return;
                }
                handle(w, &m, fds, n);
                link_discard(fd);
        }
}

/* The life of one process; others may have served before it. */
static int serve(struct link_escrow *escrow) {
        struct worker w = {.escrow = escrow};

        link_escrow_settle(escrow);
        int r = escrow->starts ? link_escrow_sweep(escrow) : 0;

        link_escrow_drain(escrow);
        if (r == 0)
                r = loop_new_confined(&w.loop, 256);
        if (r == 0)
                link_escrow_watch(escrow, w.loop);
        if (r == 0)
                r = link_sandbox_filter(!loop_has_ring(w.loop)); /* from here on bytes that a server chose are looked at */
        if (r == 0)
                r = loop_add_fd(w.loop, LINK_CHANNEL_FD, POLLIN, on_channel, &w, &w.channel);
        for (unsigned int i = 0; r == 0 && i < LINK_SLOTS_MAX; i++)
                if (escrow->slots[i].used)
                        slot_open(&w, &escrow->slots[i]);
        if (r == 0) {
                tell_status(&w, false);
                r = loop_run(w.loop);
        }
        if (r < 0)
                fprintf(stderr, "iovd worker: %s\n", strerror(-r));
        /* Requests under way end with the process: the kernel waits for them before it lets go of the descriptors. */
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* A server may give a descriptor with every window of its memory, and all of them are kept. */
static void raise_file_limit(void) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
                limit.rlim_cur = limit.rlim_max;
                setrlimit(RLIMIT_NOFILE, &limit);
        }
}

int link_worker_main(char *mark, bool has_nbd) {
        const char *why = "";

        /* Signals of the terminal are for the control process, which ends the workers by closing the channel. */
        signal(SIGINT, SIG_IGN);
        signal(SIGPIPE, SIG_IGN);
        signal(SIGXFSZ, SIG_IGN);
        close_range(LINK_CHANNEL_FD + 1, ~0u, 0);
        /* Set, it stays where it is: large memory is always fresh from the kernel, and costs nothing before it is touched. */
        mallopt(M_MMAP_THRESHOLD, 128 << 10);
        raise_file_limit();
        cpu_set_t set;
        has_processors = sched_getaffinity(0, sizeof(set), &set) < 0 || CPU_COUNT(&set) > 1 || sysconf(_SC_NPROCESSORS_ONLN) > 1;
        /* Without it such media are refused, one by one. */
        if (has_nbd && nbd_library_load(&why) < 0)
                fprintf(stderr, "iovd worker: no NBD: %s\n", why);
        int r = link_sandbox_enter();
        if (r < 0) {
                fprintf(stderr, "iovd worker: the sandbox cannot be entered: %s\n", strerror(-r));
                return EXIT_FAILURE;
        }
        return link_escrow_run(mark, serve);
}
