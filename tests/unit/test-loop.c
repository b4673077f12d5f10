/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "loop/loop.h"
#include "util.h"

struct fixture {
        struct loop *loop;
        int pair[2];
};

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        assert_int_equal(loop_new(&f->loop, 8), 0);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, f->pair), 0);
        *state = f;
        return 0;
}

static int teardown(void **state) {
        struct fixture *f = *state;

        loop_free(f->loop);
        for (int i = 0; i < 2; i++)
                if (f->pair[i] >= 0)
                        close(f->pair[i]);
        free(f);
        return 0;
}

struct watch {
        struct loop *loop;
        struct loop_source *source, *other;
        unsigned int calls, limit;
        uint32_t events;
        bool remove_other, drain;
};

static void on_ready(void *userdata, int fd, uint32_t events) {
        struct watch *w = userdata;
        char c = 0;

        w->events = events;
        if (w->drain)
                assert_int_equal(read(fd, &c, 1), 1);
        if (w->remove_other)
                w->other = loop_source_remove(w->other);
        if (++w->calls == w->limit)
                loop_stop(w->loop, 7);
}

static void on_timer(void *userdata) {
        struct watch *w = userdata;

        if (++w->calls == w->limit)
                loop_stop(w->loop, 9);
}

/* Data that is left alone is told of again and again; a mask of 0 silences it, until it is set again. */
static void test_level_triggered(void **state) {
        struct fixture *f = *state;
        struct watch w = {.loop = f->loop, .limit = 3}, t = {.loop = f->loop, .limit = 1};

        assert_int_equal(write(f->pair[1], "x", 1), 1);
        assert_int_equal(loop_add_fd(f->loop, f->pair[0], POLLIN, on_ready, &w, &w.source), 0);
        assert_int_equal(loop_run(f->loop), 7);
        assert_int_equal(w.events & POLLIN, POLLIN);
        assert_int_equal(loop_source_set_events(w.source, 0), 0);
        assert_int_equal(loop_add_timer(f->loop, 1000000, on_timer, &t, &t.source), 0);
        w.limit = 0;
        assert_int_equal(loop_run(f->loop), 9);
        assert_int_equal(w.calls, 3);
        w.limit = 5;
        assert_int_equal(loop_source_set_events(w.source, POLLIN), 0);
        assert_int_equal(loop_run(f->loop), 7);
        w.source = loop_source_remove(w.source);
        t.source = loop_source_remove(t.source);
}

/* More bytes than one callback takes: none is forgotten. */
static void test_nothing_lost(void **state) {
        struct fixture *f = *state;
        struct watch w = {.loop = f->loop, .limit = 100, .drain = true};

        for (int i = 0; i < 100; i++)
                assert_int_equal(write(f->pair[1], "x", 1), 1);
        assert_int_equal(loop_add_fd(f->loop, f->pair[0], POLLIN, on_ready, &w, &w.source), 0);
        assert_int_equal(loop_run(f->loop), 7);
        assert_int_equal(read(f->pair[0], &(char){0}, 1), -1);
        assert_int_equal(errno, EAGAIN);
        loop_source_remove(w.source);
}

/* One that takes all there is by a read that comes out short, and says so; from a given call on it leaves it. */
struct drainer {
        struct loop *loop;
        struct loop_source *source;
        int peer;
        unsigned int calls, bytes, leave_after, stop_after;
};

static void on_drain(void *userdata, int fd, uint32_t events) {
        struct drainer *d = userdata;
        char bytes[64];
        ssize_t n = 1;

        d->calls++;
        if (d->calls <= d->leave_after) {
                n = read(fd, bytes, sizeof(bytes));
                d->bytes += n > 0 ? (unsigned int)n : 0;
                loop_source_drained(d->source);
        }
        if (d->calls == d->stop_after || n == 0)
                loop_stop(d->loop, n == 0 ? 8 : 7);
        else if (d->peer >= 0)
                assert_int_equal(write(d->peer, "abc", 3), 3);
}

/* Whoever says that nothing is left hears of everything that is new, by the first poll and by the one that stays armed; whoever
 * stops saying so is told of what is left, again and again. */
static void test_drained(void **state) {
        struct fixture *f = *state;
        struct drainer d = {.loop = f->loop, .peer = f->pair[1], .leave_after = UINT32_MAX, .stop_after = 50};

        assert_int_equal(loop_add_fd(f->loop, f->pair[0], POLLIN, on_drain, &d, &d.source), 0);
        assert_int_equal(write(f->pair[1], "abc", 3), 3);
        assert_int_equal(loop_run(f->loop), 7);
        assert_int_equal(d.calls, 50);
        assert_int_equal(d.bytes, 50 * 3);
        d = (struct drainer){.loop = f->loop, .source = d.source, .peer = -1, .leave_after = 0, .stop_after = 5};
        assert_int_equal(write(f->pair[1], "abc", 3), 3);
        assert_int_equal(loop_run(f->loop), 7);
        assert_int_equal(d.calls, 5);
        /* And back again. */
        d = (struct drainer){
                .loop = f->loop, .source = d.source, .peer = f->pair[1], .leave_after = UINT32_MAX, .stop_after = 20};
        assert_int_equal(loop_run(f->loop), 7);
        assert_int_equal(d.bytes, 20 * 3);
        d.source = loop_source_remove(d.source);
}

/* Bytes and the end of the stream come before the loop looks: one call takes the bytes, and there is another for the end. */
static void test_drained_to_the_end(void **state) {
        struct fixture *f = *state;

        for (unsigned int i = 0; i < 4; i++) {
                struct drainer d = {.loop = f->loop, .peer = -1, .leave_after = UINT32_MAX, .stop_after = 2};

                assert_int_equal(loop_add_fd(f->loop, f->pair[0], POLLIN, on_drain, &d, &d.source), 0);
                if (i & 1) { /* by the poll that stays armed */
                        assert_int_equal(write(f->pair[1], "ab", 2), 2);
                        d.stop_after = 1;
                        assert_int_equal(loop_run(f->loop), 7);
                        assert_int_equal(write(f->pair[1], "ab", 2), 2);
                        d.calls = 0;
                        assert_int_equal(loop_run(f->loop), 7);
                }
                d.calls = d.bytes = 0;
                d.stop_after = UINT32_MAX;
                assert_int_equal(write(f->pair[1], "abc", 3), 3);
                if (i & 2)
                        assert_int_equal(shutdown(f->pair[1], SHUT_WR), 0);
                else
                        close(f->pair[1]);
                assert_int_equal(loop_run(f->loop), 8);
                assert_int_equal(d.bytes, 3);
                d.source = loop_source_remove(d.source);
                if (i & 2)
                        close(f->pair[1]);
                close(f->pair[0]);
                assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, f->pair), 0);
        }
}

/* What comes while the mask is 0 is told of afterwards, also where the poll that stays armed has seen it meanwhile. */
static void test_drained_and_masked(void **state) {
        struct fixture *f = *state;
        struct drainer d = {.loop = f->loop, .peer = -1, .leave_after = UINT32_MAX, .stop_after = 1};

        assert_int_equal(loop_add_fd(f->loop, f->pair[0], POLLIN, on_drain, &d, &d.source), 0);
        for (unsigned int i = 0; i < 20; i++) {
                struct watch t = {.loop = f->loop, .limit = 1};

                d.calls = d.bytes = 0;
                assert_int_equal(write(f->pair[1], "abc", 3), 3);
                assert_int_equal(loop_run(f->loop), 7);
                assert_int_equal(d.bytes, 3);
                /* Seen or not seen by the kernel before the mask is settled: both ways round. */
                if (i % 2)
                        assert_int_equal(write(f->pair[1], "abc", 3), 3);
                assert_int_equal(loop_source_set_events(d.source, 0), 0);
                if (i % 2 == 0)
                        assert_int_equal(write(f->pair[1], "abc", 3), 3);
                if (i % 4 < 2) {
                        assert_int_equal(loop_add_timer(f->loop, 1000000, on_timer, &t, &t.source), 0);
                        assert_int_equal(loop_run(f->loop), 9);
                        t.source = loop_source_remove(t.source);
                        assert_int_equal(d.calls, 1);
                }
                d.calls = d.bytes = 0;
                assert_int_equal(loop_source_set_events(d.source, POLLIN), 0);
                assert_int_equal(loop_run(f->loop), 7);
                assert_int_equal(d.bytes, 3);
        }
        d.source = loop_source_remove(d.source);
}

/* A mask that changes while the poll is armed takes effect; POLLHUP comes without asking. */
static void test_change_of_mask(void **state) {
        struct fixture *f = *state;
        struct watch w = {.loop = f->loop, .limit = 1}, t = {.loop = f->loop, .limit = 1};

        assert_int_equal(loop_add_fd(f->loop, f->pair[0], POLLIN, on_ready, &w, &w.source), 0);
        assert_int_equal(loop_add_timer(f->loop, 0, on_timer, &t, &t.source), 0);
        assert_int_equal(loop_run(f->loop), 9); /* the poll is armed now, and nothing to read */
        assert_int_equal(w.calls, 0);
        assert_int_equal(loop_source_set_events(w.source, POLLIN | POLLOUT), 0);
        assert_int_equal(loop_run(f->loop), 7);
        assert_int_equal(w.events, POLLOUT);
        assert_int_equal(loop_source_set_events(w.source, POLLIN), 0);
        close(f->pair[1]);
        f->pair[1] = -1;
        w.limit = w.calls + 1;
        assert_int_equal(loop_run(f->loop), 7);
        assert_true(w.events & POLLHUP);
        loop_source_remove(w.source);
        loop_source_remove(t.source);
}

/* Two sources are ready at once and each removes the other: only one is called. */
static void test_removed_is_not_called(void **state) {
        struct fixture *f = *state;
        struct watch a = {.loop = f->loop, .limit = 1, .remove_other = true}, b = a, t = {.loop = f->loop, .limit = 1};

        assert_int_equal(loop_add_fd(f->loop, f->pair[0], POLLOUT, on_ready, &a, &b.other), 0);
        assert_int_equal(loop_add_fd(f->loop, f->pair[1], POLLOUT, on_ready, &b, &a.other), 0);
        assert_int_equal(loop_run(f->loop), 7);
        assert_int_equal(a.calls + b.calls, 1);
        a.limit = b.limit = 0;
        a.remove_other = b.remove_other = false;
        loop_source_remove(a.calls ? b.other : a.other);
        assert_int_equal(loop_add_timer(f->loop, 0, on_timer, &t, &t.source), 0);
        assert_int_equal(loop_run(f->loop), 9);
        assert_int_equal(a.calls + b.calls, 1);
        loop_source_remove(t.source);
}

static void on_timer_again(void *userdata) {
        struct watch *w = userdata;

        w->source = loop_source_remove(w->source);
        if (++w->calls == w->limit)
                loop_stop(w->loop, 11);
        else
                assert_int_equal(loop_add_timer(w->loop, 100, on_timer_again, w, &w->source), 0);
}

/* A removed timer does not fire; one that is far away does not hold up loop_free(); order is by time. */
static void test_timers(void **state) {
        struct fixture *f = *state;
        struct watch w = {.loop = f->loop, .limit = 20}, never = {.loop = f->loop};
        struct loop_source *far = NULL;

        assert_int_equal(loop_add_timer(f->loop, UINT64_MAX, on_timer, &never, &far), 0);
        assert_int_equal(loop_add_timer(f->loop, 0, on_timer, &never, &never.source), 0);
        never.source = loop_source_remove(never.source);
        assert_int_equal(loop_add_timer(f->loop, 0, on_timer_again, &w, &w.source), 0);
        assert_int_equal(loop_run(f->loop), 11);
        assert_int_equal(w.calls, 20);
        assert_int_equal(never.calls, 0);
}

/* Set while armed, set again after it fired, and unset: one call for each time that it was let run. */
static void test_timer_set(void **state) {
        struct fixture *f = *state;
        struct watch w = {.loop = f->loop, .limit = 1}, t = {.loop = f->loop, .limit = 1}, never = {.loop = f->loop};

        assert_int_equal(loop_add_timer(f->loop, UINT64_MAX, on_timer, &w, &w.source), 0);
        assert_int_equal(loop_add_timer(f->loop, 3600 * UINT64_C(1000000000), on_timer, &never, &never.source), 0);
        assert_int_equal(loop_add_timer(f->loop, 1000, on_timer, &t, &t.source), 0);
        assert_int_equal(loop_run(f->loop), 9);
        assert_int_equal(w.calls, 0);
        assert_int_equal(loop_timer_set(w.source, 3600 * UINT64_C(1000000000)), 0);
        assert_int_equal(loop_timer_set(t.source, 1000), 0);
        t.limit = 2;
        assert_int_equal(loop_run(f->loop), 9);
        assert_int_equal(w.calls, 0);
        assert_int_equal(loop_timer_set(w.source, 1000), 0); /* armed with an hour until here */
        assert_int_equal(loop_run(f->loop), 9);
        assert_int_equal(w.calls, 1);
        assert_int_equal(loop_timer_set(never.source, 0), 0);
        assert_int_equal(loop_timer_set(never.source, UINT64_MAX), 0);
        assert_int_equal(loop_timer_set(t.source, 1000), 0);
        t.limit = 3;
        assert_int_equal(loop_run(f->loop), 9);
        assert_int_equal(never.calls, 0);
}

static void on_signal(void *userdata, int signal) {
        struct watch *w = userdata;

        w->events |= 1u << signal;
        if (++w->calls == w->limit)
                loop_stop(w->loop, signal);
}

static void test_signals(void **state) {
        struct fixture *f = *state;
        struct watch w = {.loop = f->loop, .limit = 2};
        sigset_t set, old;

        sigemptyset(&set);
        sigaddset(&set, SIGUSR1);
        sigaddset(&set, SIGUSR2);
        assert_int_equal(sigprocmask(SIG_BLOCK, &set, &old), 0);
        assert_int_equal(loop_add_signals(f->loop, &set, on_signal, &w, &w.source), 0);
        raise(SIGUSR1);
        raise(SIGUSR2);
        assert_true(loop_run(f->loop) > 0);
        assert_int_equal(w.events, 1u << SIGUSR1 | 1u << SIGUSR2);
        w.source = loop_source_remove(w.source);
        loop_free(f->loop);
        f->loop = NULL;
        assert_int_equal(sigprocmask(SIG_SETMASK, &old, NULL), 0);
}

#define BLOCKS 64
struct request {
        struct loop_io io;
        struct loop *loop;
        struct iovec iov;
        unsigned int *done;
        int32_t result;
        char data[64];
};

static void on_io(struct loop_io *io, int32_t result) {
        struct request *r = (struct request *)io;

        r->result = result;
        if (++*r->done == BLOCKS)
                loop_stop(r->loop, 13);
}

/* Many more requests than the submission queue has entries, and than the completion queue has room for. */
static void test_file_io(void **state) {
        struct fixture *f = *state;
        static struct request requests[BLOCKS];
        unsigned int done = 0;
        int fd = memfd_create("test-loop", MFD_CLOEXEC);

        assert_true(fd >= 0);
        for (unsigned int i = 0; i < BLOCKS; i++) {
                struct request *r = &requests[i];

                *r = (struct request){.io.done = on_io, .loop = f->loop, .iov = {r->data, sizeof(r->data)}, .done = &done};
                memset(r->data, (int)i, sizeof(r->data));
                assert_int_equal(loop_writev(f->loop, &r->io, fd, &r->iov, 1, i * sizeof(r->data)), 0);
        }
        assert_int_equal(loop_run(f->loop), 13);
        done = 0;
        for (unsigned int i = 0; i < BLOCKS; i++) {
                struct request *r = &requests[BLOCKS - 1 - i];

                assert_int_equal(r->result, sizeof(r->data));
                assert_int_equal(loop_readv(f->loop, &r->io, fd, &r->iov, 1, i * sizeof(r->data)), 0);
        }
        assert_int_equal(loop_run(f->loop), 13);
        for (unsigned int i = 0; i < BLOCKS; i++)
                assert_int_equal(requests[BLOCKS - 1 - i].data[63], (char)i);
        done = BLOCKS - 1;
        assert_int_equal(loop_fdatasync(f->loop, &requests[0].io, fd), 0);
        assert_int_equal(loop_run(f->loop), 13);
        assert_int_equal(requests[0].result, 0);
        done = BLOCKS - 1;
        assert_int_equal(loop_fallocate(f->loop, &requests[0].io, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 64), 0);
        assert_int_equal(loop_run(f->loop), 13);
        assert_int_equal(requests[0].result, 0);
        done = BLOCKS - 1;
        assert_int_equal(loop_readv(f->loop, &requests[0].io, fd, &requests[0].iov, 1, 0), 0);
        assert_int_equal(loop_run(f->loop), 13);
        assert_int_equal(requests[0].data[0], 0);
        done = BLOCKS - 1;
        assert_int_equal(loop_readv(f->loop, &requests[0].io, -1, &requests[0].iov, 1, 0), 0);
        assert_int_equal(loop_run(f->loop), 13);
        assert_int_equal(requests[0].result, -EBADF);
        close(fd);
}

/* Requests under way when the loop goes: their callbacks are not called, their buffers are no longer written to. */
static void test_free_with_io_under_way(void **state) {
        struct fixture *f = *state;
        struct request r = {.io.done = on_io, .loop = f->loop, .iov = {r.data, sizeof(r.data)}};
        struct watch w = {.loop = f->loop};
        unsigned int done = 0;
        int fd = memfd_create("test-loop", MFD_CLOEXEC);

        r.done = &done;
        assert_int_equal(ftruncate(fd, 64), 0);
        assert_int_equal(loop_readv(f->loop, &r.io, fd, &r.iov, 1, 0), 0);
        assert_int_equal(loop_add_fd(f->loop, f->pair[0], POLLIN, on_ready, &w, &w.source), 0);
        loop_free(f->loop);
        f->loop = NULL;
        assert_int_equal(done, 0);
        assert_int_equal(w.calls, 0);
        close(fd);
}

static void test_stop_before_run(void **state) {
        struct fixture *f = *state;

        loop_stop(f->loop, -ECANCELED);
        assert_int_equal(loop_run(f->loop), -ECANCELED);
        assert_int_equal(loop_add_fd(f->loop, -1, POLLIN, on_ready, NULL, &(struct loop_source *){NULL}), -EBADF);
        assert_null(loop_source_remove(NULL));
        loop_free(NULL);
}

struct polled {
        struct loop *loop;
        struct loop_poller *poller;
        struct loop_end end;
        unsigned int polls, stops, finds, refuse, ends, naps, naps_left;
};

static bool polled_poll(void *userdata) {
        struct polled *p = userdata;

        p->polls++;
        if (!p->finds)
                return false;
        p->finds--;
        return true;
}

static bool polled_stop(void *userdata) {
        struct polled *p = userdata;

        p->stops++;
        if (p->refuse) {
                p->refuse--;
                return false;
        }
        loop_stop(p->loop, 5);
        return true;
}

static const struct loop_poller_callbacks polled_callbacks = {.poll = polled_poll, .stop = polled_stop};

static void test_poller(void **state) {
        struct fixture *f = *state;
        struct polled p = {.loop = f->loop, .finds = 100, .refuse = 2};

        assert_int_equal(loop_add_poller(f->loop, &polled_callbacks, &p, &p.poller), 0);
        loop_poller_start(p.poller);
        loop_poller_start(p.poller);
        assert_int_equal(loop_run(f->loop), 5);
        assert_true(p.polls > 100);
        assert_int_equal(p.finds, 0);
        assert_int_equal(p.stops, 3);
        /* Without time to spin it ends when there is nothing. */
        loop_set_spin(f->loop, 0);
        p = (struct polled){.loop = f->loop, .poller = p.poller, .finds = 3};
        loop_poller_start(p.poller);
        assert_int_equal(loop_run(f->loop), 5);
        assert_int_equal(p.polls, 4);
        loop_poller_remove(p.poller);
}

/* Sources are served while something is polled. */
static void test_poller_and_source(void **state) {
        struct fixture *f = *state;
        struct polled p = {.loop = f->loop, .finds = UINT32_MAX};
        struct watch w = {.loop = f->loop, .limit = 3, .drain = true};

        assert_int_equal(loop_add_poller(f->loop, &polled_callbacks, &p, &p.poller), 0);
        assert_int_equal(loop_add_fd(f->loop, f->pair[0], POLLIN, on_ready, &w, &w.source), 0);
        assert_int_equal(write(f->pair[1], "abc", 3), 3);
        loop_poller_start(p.poller);
        assert_int_equal(loop_run(f->loop), 7);
        assert_int_equal(w.calls, 3);
        assert_true(p.polls > 0);
        loop_poller_stop(p.poller);
        loop_poller_remove(p.poller);
        loop_source_remove(w.source);
}

static bool polled_may_nap(void *userdata) {
        struct polled *p = userdata;

        if (!p->naps_left)
                return false;
        p->naps_left--;
        p->naps++;
        p->finds = 1;
        return true;
}

static const struct loop_poller_callbacks napping_callbacks = {
        .poll = polled_poll, .stop = polled_stop, .may_nap = polled_may_nap};

/* It naps where work came soon after the last end, which on a busy machine takes more than one try. */
static void run_until_nap(struct fixture *f, struct polled *p) {
        for (unsigned int i = 0; i < 10000 && !p->naps; i++) {
                loop_poller_start(p->poller);
                assert_int_equal(loop_run(f->loop), 5);
        }
        assert_true(p->naps > 0);
}

/* What comes during a nap is found without `stop`, which is called when there is nothing more. */
static void test_poller_naps(void **state) {
        struct fixture *f = *state;
        struct polled p = {.loop = f->loop, .naps_left = 1};

        assert_int_equal(loop_add_poller(f->loop, &napping_callbacks, &p, &p.poller), 0);
        loop_poller_start(p.poller);
        assert_int_equal(loop_run(f->loop), 5);
        assert_int_equal(p.naps, 0); /* nothing is known yet of when work comes */
        run_until_nap(f, &p);
        assert_int_equal(p.finds, 0);
        assert_int_equal(p.naps, 1);
        /* Nor without time to spin. */
        loop_set_spin(f->loop, 0);
        p.naps_left = 1;
        for (unsigned int i = 0; i < 10; i++) {
                loop_poller_start(p.poller);
                assert_int_equal(loop_run(f->loop), 5);
        }
        assert_int_equal(p.naps_left, 1);
        loop_poller_remove(p.poller);
}

static bool polled_nap_ends(void *userdata) {
        struct polled *p = userdata;

        p->naps++;
        loop_stop(p->loop, 5);
        return true;
}

static void stop_timer(void *userdata) {
        struct polled *p = userdata;

        loop_stop(p->loop, 8);
}

/* One that is stopped while it naps does not look any more. */
static void test_poller_stopped_in_nap(void **state) {
        static const struct loop_poller_callbacks callbacks = {
                .poll = polled_poll, .stop = polled_stop, .may_nap = polled_nap_ends};
        struct fixture *f = *state;
        struct polled p = {.loop = f->loop};
        struct loop_source *timer = NULL;
        unsigned int polls = 0, stops = 0;

        assert_int_equal(loop_add_poller(f->loop, &callbacks, &p, &p.poller), 0);
        run_until_nap(f, &p);
        loop_poller_stop(p.poller);
        polls = p.polls;
        stops = p.stops;
        assert_int_equal(loop_add_timer(f->loop, 2000000, stop_timer, &p, &timer), 0);
        assert_int_equal(loop_run(f->loop), 8);
        assert_int_equal(p.polls, polls);
        assert_int_equal(p.stops, stops);
        loop_source_remove(timer);
        loop_poller_remove(p.poller);
}

static void on_end(struct loop_end *end) {
        struct polled *p = (struct polled *)((char *)end - offsetof(struct polled, end));

        p->ends++;
        loop_stop(p->loop, 9);
}

static void end_timer(void *userdata) {
        struct polled *p = userdata;

        loop_at_end(p->loop, &p->end);
        loop_at_end(p->loop, &p->end);
        assert_int_equal(p->ends, 0);
}

static void test_at_end(void **state) {
        struct fixture *f = *state;
        struct polled p = {.loop = f->loop, .end = {.fn = on_end}}, other = {.loop = f->loop, .end = {.fn = on_end}};
        struct loop_source *timer = NULL;

        assert_int_equal(loop_add_timer(f->loop, 0, end_timer, &p, &timer), 0);
        loop_at_end(f->loop, &other.end);
        loop_end_cancel(f->loop, &other.end);
        assert_int_equal(loop_run(f->loop), 9);
        assert_int_equal(p.ends, 1);
        assert_int_equal(other.ends, 0);
        loop_source_remove(timer);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_poller, setup, teardown),
                cmocka_unit_test_setup_teardown(test_poller_naps, setup, teardown),
                cmocka_unit_test_setup_teardown(test_poller_stopped_in_nap, setup, teardown),
                cmocka_unit_test_setup_teardown(test_poller_and_source, setup, teardown),
                cmocka_unit_test_setup_teardown(test_at_end, setup, teardown),
                cmocka_unit_test_setup_teardown(test_level_triggered, setup, teardown),
                cmocka_unit_test_setup_teardown(test_nothing_lost, setup, teardown),
                cmocka_unit_test_setup_teardown(test_drained, setup, teardown),
                cmocka_unit_test_setup_teardown(test_drained_to_the_end, setup, teardown),
                cmocka_unit_test_setup_teardown(test_drained_and_masked, setup, teardown),
                cmocka_unit_test_setup_teardown(test_change_of_mask, setup, teardown),
                cmocka_unit_test_setup_teardown(test_removed_is_not_called, setup, teardown),
                cmocka_unit_test_setup_teardown(test_timers, setup, teardown),
                cmocka_unit_test_setup_teardown(test_timer_set, setup, teardown),
                cmocka_unit_test_setup_teardown(test_signals, setup, teardown),
                cmocka_unit_test_setup_teardown(test_file_io, setup, teardown),
                cmocka_unit_test_setup_teardown(test_free_with_io_under_way, setup, teardown),
                cmocka_unit_test_setup_teardown(test_stop_before_run, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
