/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <time.h>

#include "loop/loop-private.h"
#include "util.h"

/*
 * One-shot polls that are armed again after their callback: a poll that is armed on a ready file completes at once, which makes
 * them level-triggered (a multishot poll is not: it tells only of changes). Arming costs no system call of its own: submissions
 * of sources are collected in the `todo` list and made just before the io_uring_enter(2) that waits.
 *
 * A source that says loop_source_drained() gets a multishot poll the next time, which stays armed for as long as each callback
 * says so again: nothing is left that a level-triggered poll would tell of. Arming is 3 % of a register read over a socket.
 */

#define NSEC_PER_SEC UINT64_C(1000000000)
/* What lives behind user_data: nothing (a cancellation), a struct loop_source where the lowest bit is set, else a struct loop_io.
 */
#define USER_DATA_NONE 0u
#define USER_DATA_SOURCE 1u

enum source_kind { SOURCE_FD, SOURCE_TIMER, SOURCE_SIGNALS };

struct loop_source {
        struct loop *loop;
        enum source_kind kind;
        bool removed;
        bool in_flight; /* a request of this source is submitted and its completion not yet seen */
        bool cancelled; /* and its cancellation is submitted as well */
        bool queued;    /* is in loop->todo */
        bool wanted;    /* a timer that is set and has not fired */
        bool changed;   /* a timer that was set anew while in flight */
        bool drained;   /* an fd whose last callback has left nothing */
        int fd;
        uint32_t events, armed_events;
        struct __kernel_timespec when;
        union {
                loop_fd_fn fd;
                loop_timer_fn timer;
                loop_signal_fn signal;
        } fn;
        void *userdata;
        struct loop_source *next, *previous; /* of all sources not yet freed */
        struct loop_source *next_todo;
};

/* What the ring of a confined loop takes: the operations of this file, and flags that only change how they are done. */
static int confine(struct loop *loop) {
        static const uint8_t operations[] = {IORING_OP_NOP,       IORING_OP_READ,           IORING_OP_WRITE,
                                             IORING_OP_FSETXATTR, IORING_OP_READV,          IORING_OP_WRITEV,
                                             IORING_OP_FSYNC,     IORING_OP_POLL_ADD,       IORING_OP_POLL_REMOVE,
                                             IORING_OP_TIMEOUT,   IORING_OP_TIMEOUT_REMOVE, IORING_OP_ASYNC_CANCEL,
                                             IORING_OP_FALLOCATE};
        struct io_uring_restriction list[ARRAY_LENGTH(operations) + 2] = {0};
        int r = loop_files_reserve(loop);

        if (r < 0)
                return r;

        for (size_t i = 0; i < ARRAY_LENGTH(operations); i++)
                list[i] = (struct io_uring_restriction){.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = operations[i]};
        list[ARRAY_LENGTH(operations)] = (struct io_uring_restriction){
                .opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED,
                .sqe_flags = IOSQE_FIXED_FILE | IOSQE_ASYNC | IOSQE_IO_LINK | IOSQE_IO_DRAIN | IOSQE_CQE_SKIP_SUCCESS};
        list[ARRAY_LENGTH(operations) + 1] = (struct io_uring_restriction){.opcode = IORING_RESTRICTION_REGISTER_OP,
                                                                           .register_op = IORING_REGISTER_FILES_UPDATE};
        /* By number: liburing 2.3 declares functions for both and has none. */
        if (syscall(SYS_io_uring_register, loop->ring.ring_fd, IORING_REGISTER_RESTRICTIONS, list, ARRAY_LENGTH(list)) < 0 ||
            syscall(SYS_io_uring_register, loop->ring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0) < 0)
                return -errno;
        return 0;
}

static int make(struct loop **ret_loop, unsigned int entries, bool is_confined) {
        static const unsigned int flags[] = {
                IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_DEFER_TASKRUN |
                        IORING_SETUP_TASKRUN_FLAG,
                IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
                0,
        };
        CLEANUP_FREE struct loop *loop = NULL;
        int r = -EINVAL;

        loop = calloc(1, sizeof(*loop));
        if (!loop)
                return -ENOMEM;
        /* An older kernel refuses flags it does not know with EINVAL. */
        for (size_t i = 0; i < ARRAY_LENGTH(flags) && r == -EINVAL; i++) {
                struct io_uring_params params = {.flags = flags[i] | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP |
                                                          (is_confined ? IORING_SETUP_R_DISABLED : 0),
                                                 .cq_entries = entries * 4};

                r = io_uring_queue_init_params(entries, &loop->ring, &params);
        }
        if (r < 0)
                return r;
        r = is_confined ? confine(loop) : 0;
        if (r < 0) {
                io_uring_queue_exit(&loop->ring);
                return r;
        }
        loop->todo_end = &loop->todo;
        loop->rounds_end = &loop->rounds;
        loop->spin_ns = LOOP_SPIN_NS;
        *ret_loop = TAKE_PTR(loop);
        return 0;
}

int loop_new(struct loop **ret_loop, unsigned int entries) {
        return make(ret_loop, entries, false);
}

int loop_new_confined(struct loop **ret_loop, unsigned int entries) {
        return make(ret_loop, entries, true);
}

struct io_uring_sqe *loop_sqe(struct loop *loop) {
        struct io_uring_sqe *sqe = io_uring_get_sqe(&loop->ring);

        if (!sqe) {
                io_uring_submit(&loop->ring);
                sqe = io_uring_get_sqe(&loop->ring);
        }
        return sqe;
}

static void source_queue(struct loop_source *source) {
        struct loop *loop = source->loop;

        if (source->queued)
                return;
        source->queued = true;
        source->next_todo = NULL;
        *loop->todo_end = source;
        loop->todo_end = &source->next_todo;
}

static void source_free(struct loop_source *source) {
        struct loop *loop = source->loop;

        if (source->previous)
                source->previous->next = source->next;
        else
                loop->sources = source->next;
        if (source->next)
                source->next->previous = source->previous;
        if (source->kind == SOURCE_SIGNALS)
                close(source->fd);
        free(source);
}

/* POLLRDHUP rides along with POLLIN, which it implies: see is_ending(). */
static uint32_t poll_mask(const struct loop_source *source) {
        return source->events & POLLIN ? source->events | POLLRDHUP : source->events;
}

static bool source_wants_cancel(const struct loop_source *source) {
        if (!source->in_flight || source->cancelled)
                return false;
        return source->removed || (source->kind == SOURCE_TIMER ? source->changed : source->armed_events != source->events);
}

static bool source_wants_arm(const struct loop_source *source) {
        if (source->in_flight || source->removed)
                return false;
        return source->kind == SOURCE_TIMER ? source->wanted : source->events != 0;
}

/* Do what a queued source is queued for; false: no room in the submission queue. The source may be gone after it. */
static bool source_settle(struct loop_source *source) {
        struct loop *loop = source->loop;
        struct io_uring_sqe *sqe = NULL;

        if (source->removed && !source->in_flight) {
                source_free(source);
                return true;
        }
        if (source_wants_cancel(source)) {
                sqe = loop_sqe(loop);
                if (!sqe)
                        return false;
                io_uring_prep_cancel64(sqe, (uintptr_t)source | USER_DATA_SOURCE, 0);
                io_uring_sqe_set_data64(sqe, USER_DATA_NONE);
                source->cancelled = true;
        } else if (source_wants_arm(source)) {
                sqe = loop_sqe(loop);
                if (!sqe)
                        return false;
                if (source->kind == SOURCE_TIMER)
                        io_uring_prep_timeout(sqe, &source->when, 0, IORING_TIMEOUT_ABS);
                else if (source->drained)
                        io_uring_prep_poll_multishot(sqe, source->fd, poll_mask(source));
                else
                        io_uring_prep_poll_add(sqe, source->fd, poll_mask(source));
                io_uring_sqe_set_data64(sqe, (uintptr_t)source | USER_DATA_SOURCE);
                source->armed_events = source->events;
                source->in_flight = true;
                loop->in_flight++;
        }
        source->queued = false;
        return true;
}

static void settle_sources(struct loop *loop) {
        while (loop->todo) {
                struct loop_source *source = loop->todo, *next = source->next_todo;

                if (!source_settle(source))
                        return; /* the rest in the next round, when completions have made room */
                loop->todo = next;
                if (!next)
                        loop->todo_end = &loop->todo;
        }
}

static void dispatch_signals(struct loop_source *source) {
        struct signalfd_siginfo info[8];
        ssize_t n = read(source->fd, info, sizeof(info));

        for (size_t i = 0; n > 0 && i < (size_t)n / sizeof(info[0]) && !source->removed; i++)
                source->fn.signal(source->userdata, (int)info[i].ssi_signo);
}

/* What an fd is told: not what its mask no longer has. */
static uint32_t events_of(const struct loop_source *source, int32_t result) {
        const uint32_t always = POLLERR | POLLHUP | POLLNVAL;

        if (result == -EBADF)
                return source->events ? POLLNVAL : 0;
        return result < 0 || !source->events ? 0 : (uint32_t)result & (source->events | always);
}

/* The end of a stream is there to be taken even where a read was short, and it comes only once: drained is not said of it. */
static bool is_ending(int32_t result) {
        return result > 0 && (result & (POLLRDHUP | POLLHUP | POLLERR));
}

/* A multishot poll has seen something and stays armed, unless the callback leaves something, or was not called. */
static void source_more(struct loop_source *source, int32_t result) {
        uint32_t events = events_of(source, result);

        if (source->removed || source->loop->closing)
                return;
        source->drained = false;
        if (events)
                source->fn.fd(source->userdata, source->fd, events);
        if ((source->drained && !is_ending(result)) || source->removed)
                return;
        source->armed_events = 0; /* as if it were another mask: cancelled, and armed anew where it is wanted */
        source_queue(source);
}

static void source_complete(struct loop_source *source, int32_t result) {
        struct loop *loop = source->loop;
        uint32_t events = 0;

        source->in_flight = source->cancelled = source->drained = false;
        loop->in_flight--;
        source_queue(source);
        if (source->removed || loop->closing)
                return;
        if (source->kind == SOURCE_TIMER) {
                bool fired = result == -ETIME && !source->changed && source->wanted;

                source->changed = false;
                if (fired) {
                        source->wanted = false;
                        source->fn.timer(source->userdata);
                }
                return;
        }
        events = events_of(source, result);
        if (!events)
                return;
        if (source->kind == SOURCE_SIGNALS)
                dispatch_signals(source);
        else
                source->fn.fd(source->userdata, source->fd, events);
        if (is_ending(result))
                source->drained = false;
}

static void complete(struct loop *loop, uint64_t user_data, int32_t result, uint32_t flags) {
        struct loop_io *io = NULL;

        if (user_data == USER_DATA_NONE)
                return;
        if (user_data & USER_DATA_SOURCE) {
                struct loop_source *source = (struct loop_source *)(uintptr_t)(user_data & ~(uint64_t)USER_DATA_SOURCE);

                if (flags & IORING_CQE_F_MORE)
                        source_more(source, result);
                else
                        source_complete(source, result);
                return;
        }
        io = (struct loop_io *)(uintptr_t)user_data;
        loop->in_flight--;
        if (!loop->closing)
                io->done(io, result);
}

static void take_completions(struct loop *loop) {
        for (unsigned int n = io_uring_cq_ready(&loop->ring); n > 0 && !loop->stopped; n--) {
                struct io_uring_cqe *cqe = NULL;
                uint64_t user_data = 0;
                uint32_t flags = 0;
                int32_t result = 0;

                if (io_uring_peek_cqe(&loop->ring, &cqe) < 0 || !cqe)
                        break;
                user_data = cqe->user_data;
                result = cqe->res;
                flags = cqe->flags;
                io_uring_cqe_seen(&loop->ring, cqe);
                complete(loop, user_data, result, flags);
        }
}

/* Something is to be submitted, or the kernel has completions that it wants a system call for. */
static bool needs_kernel(const struct loop *loop) {
        return io_uring_sq_ready(&loop->ring) ||
               (__atomic_load_n(loop->ring.sq.kflags, __ATOMIC_RELAXED) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW));
}

/* One round: submit what is there, sleep until something is done (not while something is polled), call the callbacks of what was
 * done by then. */
static int loop_round(struct loop *loop) {
        bool polling = loop->n_polling && !loop->closing && poller_round(loop, io_uring_cq_ready(&loop->ring) > 0);
        int r = 0;

        if (loop->stopped) /* by a poller */
                return 0;
        settle_sources(loop);
        /* With GETEVENTS the kernel also brings in completions that had overflowed (IORING_FEAT_NODROP). */
        if (!polling)
                r = io_uring_submit_and_wait(&loop->ring, 1);
        else if (needs_kernel(loop))
                r = io_uring_submit_and_get_events(&loop->ring);
        /* EBUSY, EAGAIN: no room for more requests until completions are taken, which follows. */
        if (r < 0 && r != -EINTR && r != -EBUSY && r != -EAGAIN)
                return r;
        take_completions(loop);
        poller_ends(loop);
        return 0;
}

int loop_run(struct loop *loop) {
        int r = 0;

        while (!loop->stopped && r >= 0)
                r = loop_round(loop);
        if (r < 0)
                return r;
        loop->stopped = false;
        return loop->result;
}

void loop_stop(struct loop *loop, int result) {
        loop->stopped = true;
        loop->result = result;
}

void loop_free(struct loop *loop) {
        struct loop_source *next = NULL;

        if (!loop)
                return;
        loop->closing = true;
        loop->stopped = false;
        for (struct loop_source *source = loop->sources; source; source = source->next) {
                source->removed = true;
                source_queue(source);
        }
        /* The buffers of file I/O belong to others, who free them next: it must have ended. */
        while (loop->in_flight > 0)
                if (loop_round(loop) < 0)
                        break;
        for (struct loop_source *source = loop->sources; source; source = next) {
                next = source->next;
                source_free(source);
        }
        io_uring_queue_exit(&loop->ring);
        free(loop);
}

static struct loop_source *source_new(struct loop *loop, enum source_kind kind, int fd, uint32_t events, void *userdata) {
        struct loop_source *source = calloc(1, sizeof(*source));

        if (!source)
                return NULL;
        source->loop = loop;
        source->kind = kind;
        source->fd = fd;
        source->events = events;
        source->userdata = userdata;
        source->next = loop->sources;
        if (source->next)
                source->next->previous = source;
        loop->sources = source;
        source_queue(source);
        return source;
}

int loop_add_fd(struct loop *loop, int fd, uint32_t events, loop_fd_fn fn, void *userdata, struct loop_source **ret_source) {
        struct loop_source *source = NULL;

        if (fd < 0)
                return -EBADF;
        source = source_new(loop, SOURCE_FD, fd, events, userdata);
        if (!source)
                return -ENOMEM;
        source->fn.fd = fn;
        *ret_source = source;
        return 0;
}

int loop_source_set_events(struct loop_source *source, uint32_t events) {
        if (source->kind != SOURCE_FD)
                return -EINVAL;
        source->events = events;
        source_queue(source);
        return 0;
}

void loop_source_drained(struct loop_source *source) {
        if (source->kind == SOURCE_FD)
                source->drained = true;
}

int loop_timer_set(struct loop_source *source, uint64_t delay_ns) {
        struct timespec now = {0};

        if (source->kind != SOURCE_TIMER)
                return -EINVAL;
        if (clock_gettime(CLOCK_MONOTONIC, &now) < 0)
                return -errno;
        source->wanted = delay_ns != UINT64_MAX;
        source->changed = source->in_flight;
        source->when.tv_sec = now.tv_sec + (int64_t)(delay_ns / NSEC_PER_SEC);
        source->when.tv_nsec = now.tv_nsec + (int64_t)(delay_ns % NSEC_PER_SEC);
        if (source->when.tv_nsec >= (int64_t)NSEC_PER_SEC) {
                source->when.tv_sec++;
                source->when.tv_nsec -= (int64_t)NSEC_PER_SEC;
        }
        source_queue(source);
        return 0;
}

int loop_add_timer(struct loop *loop, uint64_t delay_ns, loop_timer_fn fn, void *userdata, struct loop_source **ret_source) {
        struct loop_source *source = source_new(loop, SOURCE_TIMER, -1, 0, userdata);
        int r = 0;

        if (!source)
                return -ENOMEM;
        source->fn.timer = fn;
        r = loop_timer_set(source, delay_ns);
        if (r < 0) {
                loop_source_remove(source);
                return r;
        }
        *ret_source = source;
        return 0;
}

int loop_add_signals(struct loop *loop, const sigset_t *signals, loop_signal_fn fn, void *userdata,
                     struct loop_source **ret_source) {
        CLEANUP_CLOSE int fd = signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK);
        struct loop_source *source = NULL;

        if (fd < 0)
                return -errno;
        source = source_new(loop, SOURCE_SIGNALS, fd, POLLIN, userdata);
        if (!source)
                return -ENOMEM;
        take_fd(&fd);
        source->fn.signal = fn;
        *ret_source = source;
        return 0;
}

struct loop_source *loop_source_remove(struct loop_source *source) {
        if (source) {
                source->removed = true;
                source_queue(source);
        }
        return NULL;
}
