/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Waiting by epoll(7), where there is no io_uring; file I/O by threads. */
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>

#include "loop/loop-private.h"
#include "util.h"

/*
 * Descriptors are level-triggered by themselves. One timerfd is set to the first of the timers, which are in a list by their
 * time: a handful of them is set at a time. What changes of a source is made known to the kernel in the next round, but for one
 * that is removed: its descriptor may be closed, and have a namesake, by then.
 */

#define NSEC_PER_SEC UINT64_C(1000000000)
#define EVENTS 64
#define ROUNDS_PER_LOOK 8u /* of a loop that polls */

static void epoll_backend_close(struct loop *loop) {
        threads_free(loop->epoll.threads);
        close_fd(&loop->epoll.timer_fd);
        close_fd(&loop->epoll.fd);
}

/* What an event is of: a source, this timer_fd (NULL), or the threads (the loop itself). */
static int watch(struct loop *loop, int fd, void *what) {
        struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = what}};

        return epoll_ctl(loop->epoll.fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int epoll_open(struct loop *loop, unsigned int entries, bool is_confined) {
        int r = 0;

        loop->epoll.fd = epoll_create1(EPOLL_CLOEXEC);
        loop->epoll.timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
        if (loop->epoll.fd < 0 || loop->epoll.timer_fd < 0)
                r = -errno;
        if (r == 0)
                r = threads_new(&loop->epoll.threads);
        if (r == 0)
                r = watch(loop, loop->epoll.timer_fd, NULL);
        if (r == 0)
                r = watch(loop, threads_fd(loop->epoll.threads), loop);
        if (r < 0)
                epoll_backend_close(loop);
        return r;
}

static bool epoll_is_busy(struct loop *loop) {
        return threads_has_done(loop->epoll.threads);
}

/* ---- timers ---- */

static void timer_unlink(struct loop_source *source) {
        for (struct loop_source **p = &source->loop->epoll.timers; *p; p = &(*p)->epoll.next_timer)
                if (*p == source) {
                        *p = source->epoll.next_timer;
                        break;
                }
        source->epoll.armed = false;
}

static void timer_link(struct loop_source *source) {
        struct loop_source **at = &source->loop->epoll.timers;

        source->epoll.due_ns = source->due_ns;
        while (*at && (*at)->epoll.due_ns <= source->due_ns)
                at = &(*at)->epoll.next_timer;
        source->epoll.next_timer = *at;
        *at = source;
        source->epoll.armed = true;
}

static int set_timer(struct loop *loop) {
        const uint64_t due = loop->epoll.timers ? loop->epoll.timers->epoll.due_ns : 0;
        const struct itimerspec when = {
                .it_value = {.tv_sec = (time_t)(due / NSEC_PER_SEC), .tv_nsec = (long)(due % NSEC_PER_SEC)}};

        /* One that was taken back may stay: it wakes the loop up in vain, once. */
        if (due == 0 || due == loop->epoll.timer_ns)
                return 0;
        if (timerfd_settime(loop->epoll.timer_fd, TFD_TIMER_ABSTIME, &when, NULL) < 0)
                return -errno;
        loop->epoll.timer_ns = due;
        return 0;
}

static void dispatch_timers(struct loop *loop) {
        const uint64_t now = monotonic_ns();
        uint64_t times = 0;

        if (read(loop->epoll.timer_fd, &times, sizeof(times)) < 0 && errno != EAGAIN)
                return;
        loop->epoll.timer_ns = 0;
        while (loop->epoll.timers && loop->epoll.timers->epoll.due_ns <= now && !loop->stopped) {
                struct loop_source *source = loop->epoll.timers;

                timer_unlink(source);
                if (source->queued || source->removed || loop->closing) /* it was set anew, and is put in its place next */
                        continue;
                source->wanted = false;
                source->fn.timer(source->userdata);
        }
}

/* ---- descriptors ---- */

static void set_always(struct loop_source *source, uint32_t events) {
        source->loop->epoll.n_always += (events != 0) - (source->epoll.always != 0);
        source->epoll.always = events;
}

static void forget(struct loop_source *source) {
        set_always(source, 0);
        if (source->epoll.armed)
                epoll_ctl(source->loop->epoll.fd, EPOLL_CTL_DEL, source->fd, NULL);
        source->epoll.armed = false;
}

/* A mask of 0 would still tell of a hang-up. */
static void fd_settle(struct loop_source *source) {
        struct epoll_event event = {.events = source->events, .data = {.ptr = source}};

        if (source->events == 0) {
                forget(source);
                return;
        }
        if (source->epoll.armed && source->armed_events == source->events)
                return;
        if (epoll_ctl(source->loop->epoll.fd, source->epoll.armed ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, source->fd, &event) == 0) {
                source->epoll.armed = true;
                source->armed_events = source->events;
                set_always(source, 0);
                return;
        }
        /* As poll(2) has it: a regular file is always ready, and what is no open file is that. */
        set_always(source, errno == EPERM ? source->events : POLLNVAL);
}

static bool epoll_settle(struct loop_source *source) {
        source->queued = false;
        if (source->kind == SOURCE_TIMER) {
                if (source->epoll.armed)
                        timer_unlink(source);
                if (source->wanted && !source->removed)
                        timer_link(source);
        } else if (!source->removed) {
                fd_settle(source);
        }
        if (source->removed)
                source_free(source);
        return true;
}

static void epoll_removed(struct loop_source *source) {
        if (source->kind != SOURCE_TIMER)
                forget(source);
}

static void dispatch(struct loop_source *source, uint32_t events) {
        const uint32_t told = source->removed ? 0 : source_events(source, events);

        if (told == 0 || source->loop->closing)
                return;
        if (source->kind == SOURCE_SIGNALS)
                source_dispatch_signals(source);
        else
                source->fn.fd(source->userdata, source->fd, told);
}

/* Nobody is freed before the next round, so the list stays one. */
static void dispatch_always(struct loop *loop) {
        for (struct loop_source *source = loop->sources; source && !loop->stopped; source = source->next)
                if (source->epoll.always && source->kind == SOURCE_FD)
                        dispatch(source, source->epoll.always);
}

/* ---- file I/O ---- */

/* What is left when the loop is stopped in the middle waits for its next round. */
static void take_done(struct loop *loop) {
        if (!loop->epoll.done)
                loop->epoll.done = threads_take(loop->epoll.threads);
        while (loop->epoll.done && !loop->stopped) {
                struct loop_io *io = loop->epoll.done;

                loop->epoll.done = io->private.next;
                loop->in_flight--;
                if (!loop->closing)
                        io->done(io, io->private.result);
        }
}

static int submit(struct loop *loop, struct loop_io *io) {
        loop->in_flight++;
        threads_submit(loop->epoll.threads, io);
        return 0;
}

static int epoll_readv(struct loop *loop, struct loop_io *io, int fd, const struct iovec *iov, unsigned int n_iov,
                       uint64_t offset) {
        io->private.op = IORING_OP_READV;
        io->private.fd = fd;
        io->private.data = iov;
        io->private.n = n_iov;
        io->private.offset = offset;
        return submit(loop, io);
}

static int epoll_writev(struct loop *loop, struct loop_io *io, int fd, const struct iovec *iov, unsigned int n_iov,
                        uint64_t offset) {
        io->private.op = IORING_OP_WRITEV;
        io->private.fd = fd;
        io->private.data = iov;
        io->private.n = n_iov;
        io->private.offset = offset;
        return submit(loop, io);
}

static int epoll_fsync(struct loop *loop, struct loop_io *io, int fd, bool is_data_only) {
        io->private.op = IORING_OP_FSYNC;
        io->private.fd = fd;
        io->private.mode = is_data_only;
        return submit(loop, io);
}

static int epoll_fsetxattr(struct loop *loop, struct loop_io *io, int fd, const char *name, const char *value,
                           unsigned int size) {
        io->private.op = IORING_OP_FSETXATTR;
        io->private.fd = fd;
        io->private.name = name;
        io->private.data = value;
        io->private.n = size;
        return submit(loop, io);
}

static int epoll_fallocate(struct loop *loop, struct loop_io *io, int fd, int mode, uint64_t offset, uint64_t length) {
        io->private.op = IORING_OP_FALLOCATE;
        io->private.fd = fd;
        io->private.mode = mode;
        io->private.offset = offset;
        io->private.length = length;
        return submit(loop, io);
}

static int epoll_file_add(struct loop *loop, int fd) {
        return -ENOSYS;
}

static void epoll_file_remove(struct loop *loop, int file) {
}

static int epoll_memory_add(struct loop *loop, void *memory, size_t length) {
        return -ENOSYS;
}

static void epoll_memory_remove(struct loop *loop, const void *memory, size_t length) {
}

/* ---- a round ---- */

static void dispatch_event(struct loop *loop, const struct epoll_event *event) {
        uint64_t n = 0;

        if (!event->data.ptr)
                dispatch_timers(loop);
        else if (event->data.ptr != loop)
                dispatch(event->data.ptr, event->events);
        else if (read(threads_fd(loop->epoll.threads), &n, sizeof(n)) < 0)
                return; /* what is done is taken at the end of each round */
}

static int epoll_wait_round(struct loop *loop, bool is_polling) {
        struct epoll_event events[EVENTS];
        int r = 0, n = 0;

        sources_settle(loop);
        r = set_timer(loop);
        if (r < 0)
                return r;
        if (!is_polling || loop->epoll.skipped++ % ROUNDS_PER_LOOK == 0) {
                n = epoll_wait(loop->epoll.fd, events, EVENTS, is_polling || loop->epoll.n_always || loop->epoll.done ? 0 : -1);
                if (n < 0 && errno != EINTR)
                        return -errno;
        }
        for (int i = 0; i < n && !loop->stopped; i++)
                dispatch_event(loop, &events[i]);
        if (loop->epoll.n_always)
                dispatch_always(loop);
        take_done(loop);
        return 0;
}

static void epoll_timer_changed(struct loop_source *source) {
}

static void epoll_drained(struct loop_source *source) {
}

const struct loop_backend epoll_backend = {
        .open = epoll_open,
        .close = epoll_backend_close,
        .is_busy = epoll_is_busy,
        .wait = epoll_wait_round,
        .settle = epoll_settle,
        .timer_changed = epoll_timer_changed,
        .removed = epoll_removed,
        .drained = epoll_drained,
        .readv = epoll_readv,
        .writev = epoll_writev,
        .fsync = epoll_fsync,
        .fsetxattr = epoll_fsetxattr,
        .fallocate = epoll_fallocate,
        .file_add = epoll_file_add,
        .file_remove = epoll_file_remove,
        .memory_add = epoll_memory_add,
        .memory_remove = epoll_memory_remove,
};
