/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The connection of an NBD medium, and the next one. A server goes on with what it was asked on a connection that is not there
 * any more; if that came after what is asked on the next one, old data would overwrite new. So a connection that this side ends
 * is shut down for writing first, and read until the server, which has then done all of it, ends it in turn.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <syslog.h>

#include "media/nbd-private.h"
#include "util.h"

#define TICK_NS (NBD_SECOND / 10)
#define DRAIN_NS (2 * NBD_SECOND)
#define HANDSHAKE_NS (10 * NBD_SECOND)
#define ASK_NS (20 * NBD_SECOND) /* whoever was asked has died, or is another one now */
#define DELAY_MIN (NBD_SECOND / 10)
#define DELAY_MAX (2 * NBD_SECOND)
#define ANSWERS_MAX 256u /* taken before others have their turn */

static void say(struct media_nbd *m, int level, const char *what, const char *text) {
        char line[256];

        if (!m->events)
                return;
        snprintf(line, sizeof(line), "NBD export %.100s %s%s", m->target.export, what, text);
        m->events->log(m->userdata, level, line);
}

static void holds(struct media_nbd *m, int fd) {
        if (m->events)
                m->events->holds(m->userdata, fd);
}

void nbd_link_tick(struct media_nbd *m) {
        if (m->is_ticking)
                return;
        m->is_ticking = true;
        loop_timer_set(m->timer, TICK_NS);
}

static void enter(struct media_nbd *m, enum nbd_state state) {
        m->state = state;
        m->since = monotonic_ns();
        /* The next connection may be asked for at once. */
        m->is_ticking = true;
        loop_timer_set(m->timer, state == NBD_DOWN ? 0 : TICK_NS);
}

/* ---- the end of a connection ---- */

static void drained(struct media_nbd *m) {
        m->source = loop_source_remove(m->source);
        holds(m, -1);
        close_fd(&m->drained);
        m->drained = -1;
        enter(m, NBD_DOWN);
}

static void on_draining(void *userdata, int fd, uint32_t events) {
        static char rest[65536];
        ssize_t n = recv(fd, rest, sizeof(rest), MSG_DONTWAIT);

        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
                drained(userdata);
}

static void drain(struct media_nbd *m, int fd) {
        m->drained = fd;
        holds(m, fd);
        enter(m, NBD_DRAINING);
        if (shutdown(fd, SHUT_WR) < 0 || loop_add_fd(m->loop, fd, POLLIN, on_draining, m, &m->source) < 0)
                drained(m);
}

void media_nbd_take_up(struct media_nbd *m, int fd) {
        drain(m, fd);
}

/* Asked at once where the last one has worked, later and later where it has not. */
static void plan_retry(struct media_nbd *m, bool has_worked) {
        m->delay = has_worked ? 0 : m->delay ? m->delay * 2 : DELAY_MIN;
        if (m->delay > DELAY_MAX)
                m->delay = DELAY_MAX;
        m->retry = monotonic_ns() + m->delay;
}

static void tell_away(struct media_nbd *m, const char *why) {
        if (m->is_told)
                return;
        m->is_told = true;
        say(m, LOG_WARNING, "is away: ", why);
}

/* `is_over`: the server has ended it, there is nothing to be waited for. */
static void lose(struct media_nbd *m, const char *why, bool is_over) {
        const bool has_worked = m->state == NBD_OPEN && m->n_answers > m->n_answers_before;
        int fd = is_over || m->state != NBD_OPEN ? -1 : m->nbd->aio_get_fd(m->handle);

        if (m->state == NBD_OPEN)
                m->down = monotonic_ns();
        tell_away(m, why);
        m->source = loop_source_remove(m->source);
        if (fd >= 0)
                fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        holds(m, fd);
        plan_retry(m, has_worked);
        enter(m, NBD_DOWN);
        m->nbd->close(TAKE_PTR(m->handle)); /* what was under way is answered with ENOTCONN */
        if (fd >= 0)
                drain(m, fd);
        loop_at_end(m->loop, &m->end);
}

/* ---- the handshake ---- */

static const char *judge(struct media_nbd *m) {
        const int64_t size = m->nbd->get_size(m->handle), block = m->nbd->get_block_size(m->handle, LIBNBD_SIZE_MINIMUM),
                      most = m->nbd->get_block_size(m->handle, LIBNBD_SIZE_MAXIMUM);

        if (size < 0 || (uint64_t)size < m->size)
                return "it is smaller than the volume now";
        if (block > m->target.block_size)
                return "its blocks are larger than those of the namespace now";
        if (!m->target.read_only && m->nbd->is_read_only(m->handle) != 0)
                return "it is read-only now";
        if (!m->target.read_only && m->nbd->can_flush(m->handle) <= 0)
                return "it cannot flush now";
        m->export_size = (uint64_t)size;
        m->can_zero = m->nbd->can_zero(m->handle) > 0;
        m->part_max = most >= 4096 && most < NBD_PART_MAX ? (uint64_t)most / 4096 * 4096 : NBD_PART_MAX;
        return NULL;
}

static void opened(struct media_nbd *m) {
        const char *wrong = judge(m);

        if (wrong) {
                lose(m, wrong, false);
                return;
        }
        if (m->is_told)
                say(m, LOG_NOTICE, "is there again", "");
        m->is_told = false;
        m->n_answers_before = m->n_answers;
        enter(m, NBD_OPEN);
}

/* ---- what libnbd waits for ---- */

void nbd_link_follow(struct media_nbd *m) {
        char why[120] = "the server has ended the connection";

        if (!m->handle)
                return;
        if (m->nbd->aio_is_dead(m->handle) > 0 || m->nbd->aio_is_closed(m->handle) > 0) {
                lose(m, why, true);
                return;
        }
        if (m->state == NBD_HANDSHAKE && m->nbd->aio_is_connecting(m->handle) == 0)
                opened(m);
        if (!m->handle)
                return;
        const unsigned int direction = m->nbd->aio_get_direction(m->handle);
        loop_source_set_events(m->source, (direction & LIBNBD_AIO_DIRECTION_READ ? POLLIN : 0u) |
                                                  (direction & LIBNBD_AIO_DIRECTION_WRITE ? POLLOUT : 0u));
}

/* There is nothing to be read, not even the end. */
static bool is_quiet(int fd) {
        char byte = 0;

        return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EINTR);
}

/*
 * It takes one answer at each call. Asked to read where there is nothing, as after a wake-up for what was read already, it waits
 * for an answer and sends no command before that: for ever, where nothing is under way.
 */
static void read_answers(struct media_nbd *m, int fd) {
        uint64_t before = 0;
        unsigned int n = 0;

        while (n++ < ANSWERS_MAX && m->nbd->aio_is_dead(m->handle) == 0 && !is_quiet(fd)) {
                before = m->n_answers;
                m->nbd->aio_notify_read(m->handle);
                if (m->n_answers == before || !m->n_issued)
                        break;
        }
}

static void on_socket(void *userdata, int fd, uint32_t events) {
        struct media_nbd *m = userdata;

        m->is_pumping = true;
        if (events & (POLLIN | POLLHUP | POLLERR))
                read_answers(m, fd);
        if (m->nbd->aio_is_dead(m->handle) == 0 && events & POLLOUT &&
            m->nbd->aio_get_direction(m->handle) & LIBNBD_AIO_DIRECTION_WRITE)
                m->nbd->aio_notify_write(m->handle);
        m->is_pumping = false;
        loop_at_end(m->loop, &m->end);
}

/* ---- asking for one ---- */

static void refused(struct media_nbd *m, const char *why) {
        tell_away(m, why);
        plan_retry(m, false);
        nbd_link_tick(m);
}

static void ask(struct media_nbd *m, uint64_t now) {
        if (!m->events)
                return;
        m->asked = now;
        m->since = now;
        if (m->events->connect(m->userdata, m->asked))
                return;
        m->asked = 0;
        plan_retry(m, false);
}

void media_nbd_connected(struct media_nbd *m, uint64_t number, int arg_fd, const char *text) {
        CLEANUP_CLOSE int fd = arg_fd;
        char why[120];

        if (!m->asked || number != m->asked || m->state != NBD_DOWN)
                return;
        m->asked = 0;
        if (fd < 0) {
                refused(m, text);
                return;
        }
        m->handle = nbd_library_handle(m->target.export);
        if (!m->handle) {
                refused(m, "no memory");
                return;
        }
        enter(m, NBD_HANDSHAKE);
        holds(m, fd);
        if (m->nbd->aio_connect_socket(m->handle, take_fd(&fd)) < 0 ||
            loop_add_fd(m->loop, m->nbd->aio_get_fd(m->handle), POLLIN, on_socket, m, &m->source) < 0) {
                lose(m, nbd_library_error(why, sizeof(why)), true);
                return;
        }
        /* The server may have been quick: it is open already, and something waits for that. */
        loop_at_end(m->loop, &m->end);
}

void media_nbd_ask_again(struct media_nbd *m) {
        m->asked = 0;
        nbd_link_tick(m);
}

void media_nbd_resize(struct media_nbd *m, uint64_t size) {
        m->size = size;
        /* libnbd refuses what is beyond the size that was negotiated. */
        if (m->state == NBD_OPEN && m->export_size < size)
                lose(m, "it has grown", false);
}

/* ---- time ---- */

static void look(struct media_nbd *m, uint64_t now) {
        if (m->state == NBD_DRAINING && now - m->since > DRAIN_NS)
                drained(m);
        else if (m->state == NBD_HANDSHAKE && now - m->since > HANDSHAKE_NS)
                lose(m, "the server does not negotiate", false);
        else if (m->state == NBD_OPEN && nbd_is_overdue(m, now))
                lose(m, "the server does not answer", false);
        if (m->state != NBD_DOWN)
                return;
        if (m->asked && now - m->since > ASK_NS) {
                m->asked = 0;
                refused(m, "nobody connects");
        } else if (!m->asked && now >= m->retry) {
                ask(m, now);
        }
}

static void on_tick(void *userdata) {
        struct media_nbd *m = userdata;
        m->is_ticking = false;
        look(m, monotonic_ns());
        nbd_expire(m, monotonic_ns());
        if (m->state != NBD_OPEN || m->under_way)
                nbd_link_tick(m);
}

int nbd_link_start(struct media_nbd *m) {
        m->since = m->down = monotonic_ns();
        m->is_ticking = true;
        return loop_add_timer(m->loop, 0, on_tick, m, &m->timer);
}

void nbd_link_stop(struct media_nbd *m) {
        m->source = loop_source_remove(m->source);
        m->timer = loop_source_remove(m->timer);
        if (m->handle || m->drained >= 0)
                holds(m, -1);
        close_fd(&m->drained);
        if (m->handle)
                m->nbd->close(TAKE_PTR(m->handle));
}
