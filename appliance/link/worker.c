/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The worker of one server link. It holds that server's sockets, memory and media descriptors, and no other's. */
#include "link/worker.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <syslog.h>
#include <unistd.h>

#include "link/channel.h"
#include "link/slot.h"
#include "loop/loop.h"
#include "util.h"

#define SLOTS_MAX 256

struct worker {
        struct loop *loop;
        struct loop_source *channel;
        struct link_slot *slots[SLOTS_MAX];
        unsigned int n_slots;
};

/* What cannot be sent because the control process is slow to read is dropped where it is a mere log line. */
static void tell(enum link_message_type type, const struct link_slot *slot, int level, const char *text, uint32_t pid,
                 uint32_t uid) {
        struct link_message m = {.type = type, .level = (uint32_t)level, .pid = pid, .uid = uid};

        if (slot) {
                m.instance = link_slot_instance(slot);
                field_set(m.name, sizeof(m.name), link_slot_name(slot));
        }
        snprintf(m.text, sizeof(m.text), "%s", text ? text : "");
        int r = link_send(LINK_CHANNEL_FD, &m, NULL, 0);
        /* State must not be lost: without it the control process would wait for ever, so the worker ends and is started anew. */
        if (r == -EAGAIN && type != LINK_LOG)
                _exit(EXIT_FAILURE);
}

static void on_connected(struct link_slot *slot, uint32_t pid, uint32_t uid) {
        tell(LINK_CONNECTED, slot, LOG_INFO, NULL, pid, uid);
}

static void on_disconnected(struct link_slot *slot, const char *reason) {
        tell(LINK_DISCONNECTED, slot, LOG_INFO, reason, 0, 0);
}

static void on_log(struct link_slot *slot, int level, const char *text) {
        tell(LINK_LOG, slot, level, text, 0, 0);
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
        tell(LINK_REMOVED, slot, LOG_INFO, NULL, 0, 0);
        link_slot_free(slot);
}

static void on_shown(struct link_slot *slot) {
        tell(LINK_SHOWN, slot, LOG_INFO, NULL, 0, 0);
}

static const struct link_slot_events slot_events = {
        .connected = on_connected,
        .disconnected = on_disconnected,
        .shown = on_shown,
        .removed = on_removed,
        .log = on_log,
        .struck = on_struck,
};

static void say_failed(uint64_t instance, const char *what, int error) {
        struct link_message failed = {.type = LINK_FAILED, .level = LOG_ERR, .instance = instance};

        snprintf(failed.text, sizeof(failed.text), "%s: %s", what, strerror(-error));
        link_send(LINK_CHANNEL_FD, &failed, NULL, 0);
}

static struct link_slot *slot_find(struct worker *w, uint64_t instance) {
        for (unsigned int i = 0; i < w->n_slots; i++)
                if (link_slot_instance(w->slots[i]) == instance)
                        return w->slots[i];
        return NULL;
}

static void slot_show(struct worker *w, const struct link_message *m, const int *fds, unsigned int n_fds) {
        struct link_slot *slot = slot_find(w, m->instance);
        int r = -ENOENT;

        if (slot)
                r = link_slot_show(slot, m, fds, n_fds);
        else
                for (unsigned int i = 0; i < n_fds; i++)
                        close(fds[i]);
        if (r < 0)
                say_failed(m->instance, "the worker cannot show what it should", r);
}

/* Where there is but one, polling would keep from work those who are waited for. */
static bool has_processors(void) {
        cpu_set_t set;

        return sched_getaffinity(0, sizeof(set), &set) < 0 || CPU_COUNT(&set) > 1 || sysconf(_SC_NPROCESSORS_ONLN) > 1;
}

static void slot_add(struct worker *w, const struct link_message *m, const int *fds, unsigned int n_fds) {
        struct link_slot *slot = NULL;
        int r = -E2BIG;

        loop_set_spin(w->loop, has_processors() ? (uint64_t)m->poll_us * 1000 : 0);
        if (w->n_slots < SLOTS_MAX)
                r = link_slot_new(w->loop, m, fds, n_fds, &slot_events, w, &slot);
        else
                for (unsigned int i = 0; i < n_fds; i++)
                        close(fds[i]);
        if (r < 0) {
                say_failed(m->instance, "the worker cannot bring it up", r);
                return;
        }
        w->slots[w->n_slots++] = slot;
}

static void slot_remove(struct worker *w, uint64_t instance) {
        struct link_slot *slot = slot_find(w, instance);

        if (slot) {
                link_slot_remove(slot);
                return;
        }
        struct link_message m = {.type = LINK_REMOVED, .instance = instance};
        link_send(LINK_CHANNEL_FD, &m, NULL, 0);
}

static void slot_fault(struct worker *w, const struct link_message *m) {
        for (unsigned int i = 0; i < w->n_slots; i++)
                if (link_slot_instance(w->slots[i]) == m->instance) {
                        int r = link_slot_set_fault(w->slots[i], m->type == LINK_FAULT ? &m->fault : NULL);

                        if (r < 0)
                                tell(LINK_LOG, w->slots[i], LOG_WARNING, strerror(-r), 0, 0);
                        return;
                }
}

static void slot_limits(struct worker *w, const struct link_message *m) {
        for (unsigned int i = 0; i < w->n_slots; i++)
                if (link_slot_instance(w->slots[i]) == m->instance)
                        link_slot_set_limits(w->slots[i], &m->limits);
}

static void on_channel(void *userdata, int fd, uint32_t events) {
        struct worker *w = userdata;
        struct link_message m;
        int fds[LINK_FDS_MAX];
        unsigned int n = 0;

        for (;;) {
                int r = link_receive(fd, &m, fds, &n);

                if (r == -EAGAIN)
                        return;
                if (r < 0) {
                        /* The control process is gone: so is the appliance. */
                        loop_stop(w->loop, r == -ECONNRESET ? 0 : r);
                        return;
                }
                if (m.type == LINK_SLOT_ADD) {
                        slot_add(w, &m, fds, n);
                        continue;
                }
                if (m.type == LINK_SLOT_MEDIA) {
                        slot_show(w, &m, fds, n);
                        continue;
                }
                for (unsigned int i = 0; i < n; i++)
                        close(fds[i]);
                if (m.type == LINK_SLOT_REMOVE)
                        slot_remove(w, m.instance);
                else if (m.type == LINK_FAULT || m.type == LINK_FAULT_RESET)
                        slot_fault(w, &m);
                else if (m.type == LINK_SLOT_LIMITS)
                        slot_limits(w, &m);
        }
}

int link_worker_main(void) {
        struct worker w = {0};
        int r;

        /* Signals of the terminal are for the control process, which ends the workers by closing the channel. */
        signal(SIGINT, SIG_IGN);
        signal(SIGPIPE, SIG_IGN);
        signal(SIGXFSZ, SIG_IGN);
        prctl(PR_SET_NAME, "iovd-link");
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        close_range(LINK_CHANNEL_FD + 1, ~0u, 0);
        r = loop_new(&w.loop, 256);
        if (r == 0)
                r = loop_add_fd(w.loop, LINK_CHANNEL_FD, POLLIN, on_channel, &w, &w.channel);
        if (r == 0)
                r = loop_run(w.loop);
        if (r < 0)
                fprintf(stderr, "iovd worker: %s\n", strerror(-r));
        /* Requests under way end with the process: the kernel waits for them before it lets go of the descriptors. */
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
