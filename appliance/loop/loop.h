/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The event loop: one thread round one io_uring. Nothing here allocates or takes a lock once a source is added; at rest the
 * thread sleeps in one io_uring_enter(2) and costs nothing. Where there is no io_uring to be had the thread waits with epoll(7),
 * and other threads, as many as there are from the beginning, do the file I/O. Which of them it is makes no difference here.
 *
 * All callbacks run from loop_run(), never from within the call that asked for them. A loop belongs to the thread that made it
 * (IORING_SETUP_SINGLE_ISSUER): not to another thread, not to a forked child.
 */
#ifndef IOV_LOOP_H
#define IOV_LOOP_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

struct loop;
struct loop_source;

/* `entries`: submission queue entries; the completion queue has four times as many. IOV_LOOP=threads in the environment: do
 * without an io_uring, though there may be one. */
int loop_new(struct loop **ret_loop, unsigned int entries);
/* The same, but the io_uring can do nothing that this interface does not ask of it, whatever is written into its memory. -EACCES
 * at once for the rest. Threads run when this returns, and need nothing but the calls that they are asked for. */
int loop_new_confined(struct loop **ret_loop, unsigned int entries);
bool loop_has_ring(const struct loop *loop);
/* Operations in flight are cancelled without their callbacks. Takes NULL. */
void loop_free(struct loop *loop);
/* Run until loop_stop(); returns what was given to it, or a negative errno of waiting itself. A stop before the run ends it at
 * once; after it returned, the loop can be run again. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop, int result);

/*
 * Call `fn` whenever `fd` is ready for `events` (POLLIN, POLLOUT; POLLHUP and POLLERR always): level-triggered, as poll(2).
 * With `events` 0 the source sleeps and reports nothing at all, not even a hang-up, until it is set again.
 * One source an fd at a time. The loop does not own the fd; remove the source before closing it (the kernel lets go of the file
 * in the loop's next round). After loop_source_remove() `fn` is not called again, also not for what is already pending; it may be
 * called from within `fn`. Takes NULL, returns NULL.
 */
typedef void (*loop_fd_fn)(void *userdata, int fd, uint32_t events);
int loop_add_fd(struct loop *loop, int fd, uint32_t events, loop_fd_fn fn, void *userdata, struct loop_source **ret_source);
int loop_source_set_events(struct loop_source *source, uint32_t events);
/*
 * Said from within `fn`: all that was there has been taken, there is no need to look again; call me when there is something new.
 * It saves arming the poll for each message. Only for those who are sure, as after EAGAIN: where something was left, `fn` may
 * never hear of it.
 */
void loop_source_drained(struct loop_source *source);
/* Call `fn` once, after `delay_ns`; UINT64_MAX: not before loop_timer_set(). The source must be removed all the same. */
typedef void (*loop_timer_fn)(void *userdata);
int loop_add_timer(struct loop *loop, uint64_t delay_ns, loop_timer_fn fn, void *userdata, struct loop_source **ret_source);
/* Set a timer anew, also one that has fired, also from within `fn`: once, `delay_ns` from now; UINT64_MAX: never. Allocates
 * nothing. */
int loop_timer_set(struct loop_source *source, uint64_t delay_ns);
/* Call `fn` for each of these signals, which must be blocked in the process. */
typedef void (*loop_signal_fn)(void *userdata, int signal);
int loop_add_signals(struct loop *loop, const sigset_t *signals, loop_signal_fn fn, void *userdata,
                     struct loop_source **ret_source);
struct loop_source *loop_source_remove(struct loop_source *source);

/*
 * Polling: for whoever finds work in memory that another process writes to. While a poller polls, the loop does not sleep but
 * calls `poll` in each round, which says whether there was anything. When there has
 * been nothing for a while (`spin_ns` at most, less and less where waiting has not paid lately) `stop` is called: it arranges for
 * a wake-up through a source of the loop, looks once more and returns true to end the polling, false to go on. A poller that does
 * not poll costs nothing.
 *
 * Where work has come shortly after the end before, the loop first naps: it sleeps, and looks after 25 us and then after a
 * quarter more each time, for half a millisecond at most. Whoever gives the work needs not ring all that time. `may_nap`: whether
 * that is wanted; NULL: never.
 */
struct loop_poller;
struct loop_poller_callbacks {
        bool (*poll)(void *userdata);
        bool (*stop)(void *userdata);
        bool (*may_nap)(void *userdata);
};
#define LOOP_SPIN_NS UINT64_C(50000)
int loop_add_poller(struct loop *loop, const struct loop_poller_callbacks *callbacks, void *userdata,
                    struct loop_poller **ret_poller);
/* Begin to poll, with the loop's next round; nothing where it does. */
void loop_poller_start(struct loop_poller *poller);
/* End it now, without asking. */
void loop_poller_stop(struct loop_poller *poller);
/* Not from within a callback of any poller. Takes NULL, returns NULL. */
struct loop_poller *loop_poller_remove(struct loop_poller *poller);
/* How long to look out for work after the last at most, without naps; 0: `stop` is called as soon as `poll` has found nothing. */
void loop_set_spin(struct loop *loop, uint64_t spin_ns);

/* Call `fn` once at the end of the loop's round that is under way, when all that was done by then has been told. */
struct loop_end {
        void (*fn)(struct loop_end *end);
        struct loop_end *next;
        bool queued;
};
void loop_at_end(struct loop *loop, struct loop_end *end);
/* Forget it. */
void loop_end_cancel(struct loop *loop, struct loop_end *end);

/*
 * File I/O. The request is embedded in the caller's own object, which must stay until `done` is called: with bytes done or a
 * negative errno. iov must stay as long. -EAGAIN: the submission queue is full even after submitting, try later.
 */
struct loop_io {
        void (*done)(struct loop_io *io, int32_t result);
        /* The loop's, while it is under way in a thread. */
        struct {
                uint32_t op;
                int32_t fd, mode, result;
                uint32_t n;
                const void *data, *name;
                uint64_t offset, length;
                struct loop_io *next;
        } private;
};
int loop_readv(struct loop *loop, struct loop_io *io, int fd, const struct iovec *iov, unsigned int n_iov, uint64_t offset);
int loop_writev(struct loop *loop, struct loop_io *io, int fd, const struct iovec *iov, unsigned int n_iov, uint64_t offset);
int loop_fdatasync(struct loop *loop, struct loop_io *io, int fd);
int loop_fsync(struct loop *loop, struct loop_io *io, int fd);
/* `name` and `value` must stay as long as the request. */
int loop_fsetxattr(struct loop *loop, struct loop_io *io, int fd, const char *name, const char *value, unsigned int size);
/*
 * Register a file that much I/O goes to, which saves the kernel looking it up for each: the return value stands for it in the
 * `fd` of these functions, until loop_file_remove(). The fd itself stays the caller's. A negative errno where that is not to be
 * had, of which the caller needs not care: the fd itself does as well.
 */
int loop_file_add(struct loop *loop, int fd);
void loop_file_remove(struct loop *loop, int file);
/*
 * Register memory that much I/O reads into or writes from, which saves the kernel looking up and holding its pages for each
 * request whose single piece lies in it: all its pages are pinned, and made where they are not there. At most 1 GiB; it must be
 * writable, not overlap what is registered already (-EEXIST), and on a file it must be one in memory (-EFAULT or -EOPNOTSUPP).
 * -ENOSPC: LOOP_MEMORY_MAX pieces are, -ENOMEM: there is no memory, or RLIMIT_MEMLOCK is in the way, -ENOSYS: there is no
 * io_uring, or it is too old. Requests go on as before where it fails.
 */
int loop_memory_add(struct loop *loop, void *memory, size_t length);
/* Of what was registered, all that lies in this range. Requests under way are not harmed: the kernel lets go of the pages after
 * the last of them. */
void loop_memory_remove(struct loop *loop, const void *memory, size_t length);
/* mode as in fallocate(2) */
int loop_fallocate(struct loop *loop, struct loop_io *io, int fd, int mode, uint64_t offset, uint64_t length);

#endif
