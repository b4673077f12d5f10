/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/signalfd.h>

#include "loop/loop-private.h"
#include "util.h"

static int make(struct loop **ret_loop, const struct loop_backend *backend, unsigned int entries, bool is_confined) {
        CLEANUP_FREE struct loop *loop = calloc(1, sizeof(*loop));
        int r = 0;

        if (!loop)
                return -ENOMEM;
        loop->backend = backend;
        loop->todo_end = &loop->todo;
        loop->rounds_end = &loop->rounds;
        loop->spin_ns = LOOP_SPIN_NS;
        r = backend->open(loop, entries, is_confined);
        if (r < 0)
                return r;
        *ret_loop = TAKE_PTR(loop);
        return 0;
}

/* Whatever an io_uring fails with, threads may do: there are many ways to be without one (not built in, forbidden to all or to
 * this container, too little memory that may be locked, too old). */
static int probe(struct loop **ret_loop, unsigned int entries, bool is_confined) {
        const char *asked = getenv("IOV_LOOP");
        int r = -ENOSYS;

        if (!asked || strcmp(asked, "threads") != 0)
                r = make(ret_loop, &uring_backend, entries, is_confined);
        return r < 0 ? make(ret_loop, &epoll_backend, entries, is_confined) : r;
}

int loop_new(struct loop **ret_loop, unsigned int entries) {
        return probe(ret_loop, entries, false);
}

int loop_new_confined(struct loop **ret_loop, unsigned int entries) {
        return probe(ret_loop, entries, true);
}

bool loop_has_ring(const struct loop *loop) {
        return loop->backend == &uring_backend;
}

void source_queue(struct loop_source *source) {
        struct loop *loop = source->loop;

        if (source->queued)
                return;
        source->queued = true;
        source->next_todo = NULL;
        *loop->todo_end = source;
        loop->todo_end = &source->next_todo;
}

void source_free(struct loop_source *source) {
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

void sources_settle(struct loop *loop) {
        while (loop->todo) {
                struct loop_source *source = loop->todo, *next = source->next_todo;

                if (!loop->backend->settle(source))
                        return; /* the rest in the next round, when completions have made room */
                loop->todo = next;
                if (!next)
                        loop->todo_end = &loop->todo;
        }
}

void source_dispatch_signals(struct loop_source *source) {
        struct signalfd_siginfo info[8];
        ssize_t n = read(source->fd, info, sizeof(info));

        for (size_t i = 0; n > 0 && i < (size_t)n / sizeof(info[0]) && !source->removed; i++)
                source->fn.signal(source->userdata, (int)info[i].ssi_signo);
}

uint32_t source_events(const struct loop_source *source, uint32_t events) {
        const uint32_t always = POLLERR | POLLHUP | POLLNVAL;

        return source->events ? events & (source->events | always) : 0;
}

static int loop_round(struct loop *loop) {
        const bool is_polling = loop->n_polling && !loop->closing && poller_round(loop, loop->backend->is_busy(loop));
        int r = 0;

        if (loop->stopped) /* by a poller */
                return 0;
        r = loop->backend->wait(loop, is_polling);
        if (r == 0)
                poller_ends(loop);
        return r;
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
        for (struct loop_source *source = loop->sources; source; source = source->next)
                loop_source_remove(source);
        /* The buffers of file I/O belong to others, who free them next: it must have ended. */
        while (loop->in_flight > 0)
                if (loop_round(loop) < 0)
                        break;
        for (struct loop_source *source = loop->sources; source; source = next) {
                next = source->next;
                source_free(source);
        }
        loop->backend->close(loop);
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
                source->loop->backend->drained(source);
}

int loop_timer_set(struct loop_source *source, uint64_t delay_ns) {
        const uint64_t now = monotonic_ns();

        if (source->kind != SOURCE_TIMER)
                return -EINVAL;
        source->wanted = delay_ns != UINT64_MAX;
        source->due_ns = delay_ns < INT64_MAX - now ? now + delay_ns : INT64_MAX;
        source->loop->backend->timer_changed(source);
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
                source->loop->backend->removed(source);
                source_queue(source);
        }
        return NULL;
}

int loop_readv(struct loop *loop, struct loop_io *io, int fd, const struct iovec *iov, unsigned int n_iov, uint64_t offset) {
        return loop->backend->readv(loop, io, fd, iov, n_iov, offset);
}

int loop_writev(struct loop *loop, struct loop_io *io, int fd, const struct iovec *iov, unsigned int n_iov, uint64_t offset) {
        return loop->backend->writev(loop, io, fd, iov, n_iov, offset);
}

int loop_fdatasync(struct loop *loop, struct loop_io *io, int fd) {
        return loop->backend->fsync(loop, io, fd, true);
}

int loop_fsync(struct loop *loop, struct loop_io *io, int fd) {
        return loop->backend->fsync(loop, io, fd, false);
}

int loop_fsetxattr(struct loop *loop, struct loop_io *io, int fd, const char *name, const char *value, unsigned int size) {
        return loop->backend->fsetxattr(loop, io, fd, name, value, size);
}

int loop_fallocate(struct loop *loop, struct loop_io *io, int fd, int mode, uint64_t offset, uint64_t length) {
        return loop->backend->fallocate(loop, io, fd, mode, offset, length);
}

int loop_file_add(struct loop *loop, int fd) {
        return loop->backend->file_add(loop, fd);
}

void loop_file_remove(struct loop *loop, int file) {
        loop->backend->file_remove(loop, file);
}

int loop_memory_add(struct loop *loop, void *memory, size_t length) {
        return loop->backend->memory_add(loop, memory, length);
}

void loop_memory_remove(struct loop *loop, const void *memory, size_t length) {
        loop->backend->memory_remove(loop, memory, length);
}
