/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Waiting and file I/O by one io_uring. */
#include <errno.h>
#include <poll.h>
#include <sys/syscall.h>

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

/* What the ring of a confined loop takes: the operations of this file, and flags that only change how they are done. */
static int confine(struct loop *loop) {
        static const uint8_t operations[] = {IORING_OP_NOP,       IORING_OP_READ,           IORING_OP_WRITE,
                                             IORING_OP_FSETXATTR, IORING_OP_READV,          IORING_OP_WRITEV,
                                             IORING_OP_FSYNC,     IORING_OP_POLL_ADD,       IORING_OP_POLL_REMOVE,
                                             IORING_OP_TIMEOUT,   IORING_OP_TIMEOUT_REMOVE, IORING_OP_ASYNC_CANCEL,
                                             IORING_OP_FALLOCATE, IORING_OP_READ_FIXED,     IORING_OP_WRITE_FIXED};
        static const uint8_t registrations[] = {IORING_REGISTER_FILES_UPDATE, IORING_REGISTER_BUFFERS_UPDATE};
        struct io_uring_restriction list[ARRAY_LENGTH(operations) + ARRAY_LENGTH(registrations) + 1] = {0};
        int r = uring_files_reserve(loop);

        if (r < 0)
                return r;
        uring_memory_reserve(loop); /* without it none is registered, which is told where it is asked for */

        for (size_t i = 0; i < ARRAY_LENGTH(operations); i++)
                list[i] = (struct io_uring_restriction){.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = operations[i]};
        list[ARRAY_LENGTH(operations)] = (struct io_uring_restriction){
                .opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED,
                .sqe_flags = IOSQE_FIXED_FILE | IOSQE_ASYNC | IOSQE_IO_LINK | IOSQE_IO_DRAIN | IOSQE_CQE_SKIP_SUCCESS};
        for (size_t i = 0; i < ARRAY_LENGTH(registrations); i++)
                list[ARRAY_LENGTH(operations) + 1 + i] =
                        (struct io_uring_restriction){.opcode = IORING_RESTRICTION_REGISTER_OP, .register_op = registrations[i]};
        /* By number: liburing 2.3 declares functions for both and has none. */
        if (syscall(SYS_io_uring_register, loop->uring.ring.ring_fd, IORING_REGISTER_RESTRICTIONS, list, ARRAY_LENGTH(list)) <
                    0 ||
            syscall(SYS_io_uring_register, loop->uring.ring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0) < 0)
                return -errno;
        return 0;
}

static int uring_open(struct loop *loop, unsigned int entries, bool is_confined) {
        static const unsigned int flags[] = {
                IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_DEFER_TASKRUN |
                        IORING_SETUP_TASKRUN_FLAG,
                IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
                0,
        };
        int r = -EINVAL;

        /* An older kernel refuses flags it does not know with EINVAL. */
        for (size_t i = 0; i < ARRAY_LENGTH(flags) && r == -EINVAL; i++) {
                struct io_uring_params params = {.flags = flags[i] | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP |
                                                          (is_confined ? IORING_SETUP_R_DISABLED : 0),
                                                 .cq_entries = entries * 4};

                r = io_uring_queue_init_params(entries, &loop->uring.ring, &params);
        }
        if (r < 0)
                return r;
        /* Its number is then looked up in this task's own short list and not in the table of descriptors, which a worker shares
         * with its escrow. An older kernel has none; all else goes on as it did. Before confine(), which forbids it. */
        io_uring_register_ring_fd(&loop->uring.ring);
        r = is_confined ? confine(loop) : 0;
        if (r < 0)
                io_uring_queue_exit(&loop->uring.ring);
        return r;
}

static void uring_close(struct loop *loop) {
        io_uring_queue_exit(&loop->uring.ring);
        uring_memory_free(loop);
}

struct io_uring_sqe *uring_sqe(struct loop *loop) {
        struct io_uring_sqe *sqe = io_uring_get_sqe(&loop->uring.ring);

        if (!sqe) {
                io_uring_submit(&loop->uring.ring);
                sqe = io_uring_get_sqe(&loop->uring.ring);
        }
        return sqe;
}

/* POLLRDHUP rides along with POLLIN, which it implies: see is_ending(). */
static uint32_t poll_mask(const struct loop_source *source) {
        return source->events & POLLIN ? source->events | POLLRDHUP : source->events;
}

static bool source_wants_cancel(const struct loop_source *source) {
        if (!source->uring.in_flight || source->uring.cancelled)
                return false;
        return source->removed || (source->kind == SOURCE_TIMER ? source->uring.changed : source->armed_events != source->events);
}

static bool source_wants_arm(const struct loop_source *source) {
        if (source->uring.in_flight || source->removed)
                return false;
        return source->kind == SOURCE_TIMER ? source->wanted : source->events != 0;
}

/* Do what a queued source is queued for; false: no room in the submission queue. The source may be gone after it. */
static bool uring_settle(struct loop_source *source) {
        struct loop *loop = source->loop;
        struct io_uring_sqe *sqe = NULL;

        if (source->removed && !source->uring.in_flight) {
                source_free(source);
                return true;
        }
        if (source_wants_cancel(source)) {
                sqe = uring_sqe(loop);
                if (!sqe)
                        return false;
                io_uring_prep_cancel64(sqe, (uintptr_t)source | USER_DATA_SOURCE, 0);
                io_uring_sqe_set_data64(sqe, USER_DATA_NONE);
                source->uring.cancelled = true;
        } else if (source_wants_arm(source)) {
                sqe = uring_sqe(loop);
                if (!sqe)
                        return false;
                source->uring.when = (struct __kernel_timespec){.tv_sec = (int64_t)(source->due_ns / NSEC_PER_SEC),
                                                                .tv_nsec = (int64_t)(source->due_ns % NSEC_PER_SEC)};
                if (source->kind == SOURCE_TIMER)
                        io_uring_prep_timeout(sqe, &source->uring.when, 0, IORING_TIMEOUT_ABS);
                else if (source->uring.drained)
                        io_uring_prep_poll_multishot(sqe, source->fd, poll_mask(source));
                else
                        io_uring_prep_poll_add(sqe, source->fd, poll_mask(source));
                io_uring_sqe_set_data64(sqe, (uintptr_t)source | USER_DATA_SOURCE);
                source->armed_events = source->events;
                source->uring.in_flight = true;
                loop->in_flight++;
        }
        source->queued = false;
        return true;
}

/* What a completion says of an fd. */
static uint32_t events_of(const struct loop_source *source, int32_t result) {
        return source_events(source, result == -EBADF ? POLLNVAL : result < 0 ? 0 : (uint32_t)result);
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
        source->uring.drained = false;
        if (events)
                source->fn.fd(source->userdata, source->fd, events);
        if ((source->uring.drained && !is_ending(result)) || source->removed)
                return;
        source->armed_events = 0; /* as if it were another mask: cancelled, and armed anew where it is wanted */
        source_queue(source);
}

static void source_complete(struct loop_source *source, int32_t result) {
        struct loop *loop = source->loop;
        uint32_t events = 0;

        source->uring.in_flight = source->uring.cancelled = source->uring.drained = false;
        loop->in_flight--;
        source_queue(source);
        if (source->removed || loop->closing)
                return;
        if (source->kind == SOURCE_TIMER) {
                bool fired = result == -ETIME && !source->uring.changed && source->wanted;

                source->uring.changed = false;
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
                source_dispatch_signals(source);
        else
                source->fn.fd(source->userdata, source->fd, events);
        if (is_ending(result))
                source->uring.drained = false;
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
        for (unsigned int n = io_uring_cq_ready(&loop->uring.ring); n > 0 && !loop->stopped; n--) {
                struct io_uring_cqe *cqe = NULL;
                uint64_t user_data = 0;
                uint32_t flags = 0;
                int32_t result = 0;

                if (io_uring_peek_cqe(&loop->uring.ring, &cqe) < 0 || !cqe)
                        break;
                user_data = cqe->user_data;
                result = cqe->res;
                flags = cqe->flags;
                io_uring_cqe_seen(&loop->uring.ring, cqe);
                complete(loop, user_data, result, flags);
        }
}

/* Something is to be submitted, or the kernel has completions that it wants a system call for. */
static bool needs_kernel(const struct loop *loop) {
        return io_uring_sq_ready(&loop->uring.ring) ||
               (__atomic_load_n(loop->uring.ring.sq.kflags, __ATOMIC_RELAXED) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW));
}

static bool uring_is_busy(struct loop *loop) {
        return io_uring_cq_ready(&loop->uring.ring) > 0;
}

static int uring_wait(struct loop *loop, bool is_polling) {
        int r = 0;

        sources_settle(loop);
        /* With GETEVENTS the kernel also brings in completions that had overflowed (IORING_FEAT_NODROP). */
        if (!is_polling)
                r = io_uring_submit_and_wait(&loop->uring.ring, 1);
        else if (needs_kernel(loop))
                r = io_uring_submit_and_get_events(&loop->uring.ring);
        /* EBUSY, EAGAIN: no room for more requests until completions are taken, which follows. */
        if (r < 0 && r != -EINTR && r != -EBUSY && r != -EAGAIN)
                return r;
        take_completions(loop);
        return 0;
}

static void uring_timer_changed(struct loop_source *source) {
        source->uring.changed = source->uring.in_flight;
}

/* The request is cancelled in the loop's next round, and holds the file until then. */
static void uring_removed(struct loop_source *source) {
}

static void uring_drained(struct loop_source *source) {
        source->uring.drained = true;
}

const struct loop_backend uring_backend = {
        .open = uring_open,
        .close = uring_close,
        .is_busy = uring_is_busy,
        .wait = uring_wait,
        .settle = uring_settle,
        .timer_changed = uring_timer_changed,
        .removed = uring_removed,
        .drained = uring_drained,
        .readv = uring_readv,
        .writev = uring_writev,
        .fsync = uring_fsync,
        .fsetxattr = uring_fsetxattr,
        .fallocate = uring_fallocate,
        .file_add = uring_file_add,
        .file_remove = uring_file_remove,
        .memory_add = uring_memory_add,
        .memory_remove = uring_memory_remove,
};
