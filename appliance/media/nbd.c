/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "media/nbd.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>

#include "media/nbd-private.h"
#include "util.h"

#define DIRECT_MIN (64u << 10) /* bytes of a piece that are worth a command of their own */
#define ZERO_MAX (1u << 30)    /* bytes of one write zeroes: a length has 32 bits */
#define HURRY_S 2

static uint64_t limit_of(const struct media_nbd *m) {
        return (m->hurried ? HURRY_S : MEDIA_NBD_LIMIT_S) * NBD_SECOND;
}

/* ---- lists ---- */

static void list_append(struct nbd_list *list, struct nbd_transfer *t) {
        t->next = NULL;
        *list->end = t;
        list->end = &t->next;
}

static struct nbd_transfer *list_take(struct nbd_list *list) {
        struct nbd_transfer *t = list->first;

        if (t) {
                list->first = t->next;
                if (!list->first)
                        list->end = &list->first;
        }
        return t;
}

static void wait_for_turn(struct media_nbd *m, struct vpc_io *io) {
        io->private.progress = monotonic_ns(); /* since when, until it begins */
        io->private.next = NULL;
        *m->waiting_end = io;
        m->waiting_end = &io->private.next;
        nbd_link_tick(m);
}

static struct vpc_io *next_waiting(struct media_nbd *m) {
        struct vpc_io *io = m->waiting;

        if (io) {
                m->waiting = io->private.next;
                if (!m->waiting)
                        m->waiting_end = &m->waiting;
        }
        return io;
}

/* Never from within the submission: at the end of the loop's round. */
static void end_later(struct media_nbd *m, struct vpc_io *io, int error) {
        io->private.progress = (uint64_t)-error;
        io->private.next = NULL;
        *m->ended_end = io;
        m->ended_end = &io->private.next;
        loop_at_end(m->loop, &m->end);
}

static void release(struct media_nbd *m, struct nbd_transfer *t) {
        t->io = NULL;
        t->next = m->unused;
        m->unused = t;
}

static void transfer_end(struct media_nbd *m, struct nbd_transfer *t, int error) {
        struct vpc_io *io = t->io;

        release(m, t);
        end_later(m, io, error);
}

/* ---- commands ---- */

static bool is_clearing(const struct vpc_io *io) {
        return io->op == VPC_IO_DISCARD || io->op == VPC_IO_ZERO;
}

static bool has_bytes(const struct vpc_io *io) {
        return io->op != VPC_IO_FLUSH && io->op != VPC_IO_FORMAT;
}

static uint64_t least(uint64_t a, uint64_t b) {
        return a < b ? a : b;
}

/* Copy between the pieces of a request, from its progress on, and memory that is in one piece. */
static void copy_pieces(const struct vpc_io *io, char *memory, uint64_t length, bool gather) {
        uint64_t skip = io->private.progress;

        for (unsigned int i = 0; i < io->n_iov && length; i++) {
                if (skip >= io->iov[i].iov_len) {
                        skip -= io->iov[i].iov_len;
                        continue;
                }
                char *piece = (char *)io->iov[i].iov_base + skip;
                const uint64_t n = least(io->iov[i].iov_len - skip, length);

                memcpy(gather ? memory : piece, gather ? piece : memory, n);
                memory += n;
                length -= n;
                skip = 0;
        }
}

/* libnbd sends from, and receives into, one piece of memory: that of the server itself where it is in one, or in large ones. */
static void prepare_data(struct media_nbd *m, struct nbd_transfer *t, uint64_t left) {
        const struct vpc_io *io = t->io;
        uint64_t skip = io->private.progress;
        unsigned int i = 0;

        while (skip >= io->iov[i].iov_len)
                skip -= io->iov[i++].iov_len;
        const uint64_t piece = io->iov[i].iov_len - skip;
        t->is_bounced = piece < left && (piece < DIRECT_MIN || piece % m->target.block_size);
        if (!t->is_bounced) {
                t->memory = (char *)io->iov[i].iov_base + skip;
                t->length = least(least(piece, left), m->part_max);
                return;
        }
        t->memory = m->bounce + (size_t)(t - m->transfers) * NBD_BOUNCE;
        t->length = least(least(left, NBD_BOUNCE), m->part_max);
        if (io->op == VPC_IO_WRITE)
                copy_pieces(io, t->memory, t->length, true);
}

static void prepare(struct media_nbd *m, struct nbd_transfer *t) {
        const uint64_t left = t->io->length - t->io->private.progress;

        t->is_bounced = false;
        if (t->io->op == VPC_IO_FLUSH) {
                t->length = 0;
        } else if (!is_clearing(t->io)) {
                prepare_data(m, t, left);
        } else if (m->can_zero) {
                t->length = least(left, ZERO_MAX);
        } else {
                t->memory = m->bounce + (size_t)(t - m->transfers) * NBD_BOUNCE;
                t->length = least(least(left, NBD_BOUNCE), m->part_max);
                memset(t->memory, 0, t->length);
        }
}

static void answered(struct nbd_transfer *t, int error) {
        struct media_nbd *m = t->media;

        t->is_issued = false;
        t->error = error;
        m->n_issued--;
        list_append(&m->answered, t);
        if (!m->is_pumping)
                loop_at_end(m->loop, &m->end);
}

/* libnbd must not be called from within, and may itself be within any other call. */
static int on_completion(void *userdata, int *error) {
        ((struct nbd_transfer *)userdata)->media->n_answers += *error != ENOTCONN;
        answered(userdata, *error);
        return 1;
}

/* The last that is heard of a command: also of those that are dropped together with their handle. */
static void on_free(void *userdata) {
        struct nbd_transfer *t = userdata;

        if (t->is_issued)
                answered(t, ENOTCONN);
}

static void issue(struct media_nbd *m, struct nbd_transfer *t) {
        const nbd_completion_callback done = {.callback = on_completion, .user_data = t, .free = on_free};
        const struct vpc_io *io = t->io;
        const uint64_t offset = io->offset + io->private.progress;
        int64_t cookie = -1;

        prepare(m, t);
        t->is_issued = true;
        t->error = 0;
        m->n_issued++;
        if (io->op == VPC_IO_FLUSH)
                cookie = m->nbd->aio_flush(m->handle, done, 0);
        else if (io->op == VPC_IO_READ)
                cookie = m->nbd->aio_pread(m->handle, t->memory, t->length, offset, done, 0);
        else if (is_clearing(io) && m->can_zero)
                /* A trim would not promise zeroes. */
                cookie =
                        m->nbd->aio_zero(m->handle, t->length, offset, done, io->op == VPC_IO_ZERO ? LIBNBD_CMD_FLAG_NO_HOLE : 0);
        else
                cookie = m->nbd->aio_pwrite(m->handle, t->memory, t->length, offset, done, 0);
        /* It refuses without a word where the connection has just ended: on_free() was called, as for all others. */
        if (cookie < 0 && t->is_issued)
                answered(t, m->nbd->aio_is_dead(m->handle) > 0 ? ENOTCONN : EIO);
        nbd_link_tick(m);
}

static void begin(struct media_nbd *m, struct vpc_io *io) {
        struct nbd_transfer *t = m->unused;

        m->unused = t->next;
        io->private.progress = 0;
        t->io = io;
        t->since = monotonic_ns();
        issue(m, t);
}

static bool can_issue(const struct media_nbd *m) {
        return m->state == NBD_OPEN && m->nbd->aio_is_dead(m->handle) == 0;
}

/* What waits; false: nothing was issued. */
static bool issue_all(struct media_nbd *m) {
        bool issued = false;

        for (; m->again.first && can_issue(m); issued = true)
                issue(m, list_take(&m->again));
        for (; m->waiting && m->unused && can_issue(m); issued = true)
                begin(m, next_waiting(m));
        return issued;
}

/* ---- answers ---- */

/* A command has ended: the next one of its request, or the end. */
static void advance(struct media_nbd *m, struct nbd_transfer *t) {
        struct vpc_io *io = t->io;

        if (t->error == ENOTCONN || t->error == ESHUTDOWN) { /* to be done again, whether it was done or not */
                list_append(&m->again, t);
                return;
        }
        if (t->error == ENOTSUP && is_clearing(io) && m->can_zero) {
                m->can_zero = false;
                list_append(&m->again, t);
                return;
        }
        if (t->error) {
                transfer_end(m, t, -t->error);
                return;
        }
        if (t->is_bounced && io->op == VPC_IO_READ)
                copy_pieces(io, t->memory, t->length, false);
        io->private.progress += t->length;
        if (has_bytes(io) && io->private.progress < io->length)
                list_append(&m->again, t);
        else
                transfer_end(m, t, 0);
}

void nbd_settle(struct media_nbd *m) {
        struct nbd_transfer *t = NULL;

        /* To issue may bring the end of the connection, and with it more answers. */
        do {
                while ((t = list_take(&m->answered)))
                        advance(m, t);
                nbd_link_follow(m);
                if (issue_all(m))
                        nbd_link_follow(m);
        } while (m->answered.first);
}

static void on_end(struct loop_end *end) {
        struct media_nbd *m = (struct media_nbd *)((char *)end - offsetof(struct media_nbd, end));
        struct vpc_io *io = NULL, *next = NULL;

        nbd_settle(m);
        io = TAKE_PTR(m->ended);
        m->ended_end = &m->ended;
        for (next = io; next; next = next->private.next)
                m->under_way--;
        const bool is_last = m->retired && m->under_way == 0;
        for (; io; io = next) { /* whoever is told may submit the next one, and of the last one free the medium, if that is not
                                   retired */
                next = io->private.next;
                io->private.finish(io, -(int)io->private.progress);
        }
        if (!is_last)
                return;
        void (*retired)(void *userdata) = m->retired;
        void *retired_userdata = m->retired_userdata;
        media_nbd_free(m);
        retired(retired_userdata);
}

bool nbd_is_overdue(const struct media_nbd *m, uint64_t now) {
        for (unsigned int i = 0; i < NBD_TRANSFERS; i++)
                if (m->transfers[i].is_issued && now - m->transfers[i].since > limit_of(m))
                        return true;
        return false;
}

bool nbd_link_is_given_up(const struct media_nbd *m, uint64_t now) {
        return m->state != NBD_OPEN && now - m->down > limit_of(m);
}

void nbd_expire(struct media_nbd *m, uint64_t now) {
        const bool is_given_up = nbd_link_is_given_up(m, now);
        struct nbd_list again = m->again;
        struct nbd_transfer *t = NULL;

        if (!again.first)
                again.end = &again.first;
        m->again = (struct nbd_list){.end = &m->again.first};
        while ((t = list_take(&again)))
                if (is_given_up || now - t->since > limit_of(m))
                        transfer_end(m, t, -ENOLINK);
                else
                        list_append(&m->again, t);
        /* Behind a server that answers, slowly, they may wait longer. */
        while (m->waiting && (is_given_up || (m->state != NBD_OPEN && now - m->waiting->private.progress > limit_of(m))))
                end_later(m, next_waiting(m), -ENOLINK);
}

/* ---- life ---- */

static int allocate(struct media_nbd *m) {
        m->transfers = calloc(NBD_TRANSFERS, sizeof(*m->transfers));
        if (!m->transfers)
                return -ENOMEM;
        for (unsigned int i = NBD_TRANSFERS; i > 0; i--) {
                m->transfers[i - 1].media = m;
                release(m, &m->transfers[i - 1]);
        }
        /* It costs what is written to, and the last that was used is used first. */
        void *p = mmap(NULL, (size_t)NBD_TRANSFERS * NBD_BOUNCE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (p == MAP_FAILED)
                return -errno;
        m->bounce = p;
        return 0;
}

int media_nbd_new(struct loop *loop, int arg_fd, uint64_t size, const struct media_nbd_events *events, void *userdata,
                  struct media_nbd **ret_media) {
        CLEANUP_CLOSE int fd = arg_fd;
        struct nbd_target target;

        if (!nbd_library_get())
                return -ELIBACC;
        int r = nbd_target_read(fd, &target);
        struct media_nbd *m = r < 0 ? NULL : calloc(1, sizeof(*m));
        if (!m)
                return r < 0 ? r : -ENOMEM;
        *m = (struct media_nbd){.loop = loop,
                                .nbd = nbd_library_get(),
                                .events = events,
                                .userdata = userdata,
                                .fd = take_fd(&fd),
                                .target = target,
                                .size = size,
                                .drained = -1,
                                .end = {.fn = on_end}};
        m->answered.end = &m->answered.first;
        m->again.end = &m->again.first;
        m->waiting_end = &m->waiting;
        m->ended_end = &m->ended;
        r = allocate(m);
        if (r == 0)
                r = nbd_link_start(m);
        if (r < 0) {
                media_nbd_free(m);
                return r;
        }
        *ret_media = m;
        return 0;
}

void media_nbd_free(struct media_nbd *m) {
        if (!m)
                return;
        nbd_link_stop(m);
        loop_end_cancel(m->loop, &m->end);
        if (m->bounce)
                munmap(m->bounce, (size_t)NBD_TRANSFERS * NBD_BOUNCE);
        free(m->transfers);
        close_fd(&m->fd);
        free(m);
}

void media_nbd_hurry(struct media_nbd *m) {
        m->hurried = true;
        nbd_link_tick(m);
}

void media_nbd_retire(struct media_nbd *m, void (*done)(void *userdata), void *userdata) {
        m->retired = done;
        m->retired_userdata = userdata;
        m->events = NULL;
        media_nbd_hurry(m);
        loop_at_end(m->loop, &m->end);
}

static int check(const struct media_nbd *m, const struct vpc_io *io) {
        if (io->op == VPC_IO_FORMAT) /* there is nowhere to keep that */
                return -EOPNOTSUPP;
        if (has_bytes(io) && (io->length == 0 || io->offset > m->size || io->length > m->size - io->offset))
                return -EINVAL;
        if (m->target.read_only && (io->op == VPC_IO_WRITE || is_clearing(io)))
                return -EROFS;
        return m->state == NBD_OPEN || !nbd_link_is_given_up(m, monotonic_ns()) ? 0 : -ENOLINK;
}

void media_nbd_submit(struct media_nbd *m, struct vpc_io *io) {
        int r = check(m, io);

        m->under_way++;
        io->private.medium = m;
        io->private.progress = 0;
        if (r == 0 && m->target.read_only && io->op == VPC_IO_FLUSH) {
                end_later(m, io, 0); /* nothing was written, and such a server need not know how */
                return;
        }
        if (r < 0) {
                end_later(m, io, r);
                return;
        }
        if (m->waiting || m->again.first || !m->unused || !can_issue(m)) {
                wait_for_turn(m, io);
                return;
        }
        begin(m, io);
        loop_at_end(m->loop, &m->end);
}
