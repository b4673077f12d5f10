/* SPDX-License-Identifier: GPL-2.0-or-later */
/* File operations by threads, for a loop without an io_uring. */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/xattr.h>

#include "loop/loop-private.h"
#include "util.h"

/*
 * Requests go to the threads through a ring of pointers that the loop alone writes to, and whose head the threads advance by
 * compare-and-exchange; they come back on a stack that the loop takes as a whole. Nobody holds a lock that another could have to
 * wait for, and nothing is allocated. What the ring has no room for waits in a list of the loop's own.
 */

#define THREADS 8u
#define RING 256u /* a power of two */
#define STACK_SIZE (256u << 10)

struct threads {
        struct loop_io *ring[RING];
        uint64_t head, tail; /* counted on for ever */
        struct loop_io *done;
        uint32_t calls;    /* futex: counted up when there is more to do */
        uint32_t sleepers; /* who must be woken up */
        uint32_t stopping;
        uint32_t running; /* futex: threads that have begun */
        int eventfd;
        pthread_t ids[THREADS];
        unsigned int n;
        struct loop_io *backlog, **backlog_end; /* the loop's */
};

static void futex_wait(uint32_t *word, uint32_t value) {
        syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake(uint32_t *word, int n) {
        syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, n, NULL, NULL, 0);
}

/* ---- in the threads ---- */

/* NULL: there is none. A slot is written anew only when head is behind it, and then the exchange fails. */
static struct loop_io *take(struct threads *t) {
        uint64_t head = __atomic_load_n(&t->head, __ATOMIC_SEQ_CST);

        while (head != __atomic_load_n(&t->tail, __ATOMIC_SEQ_CST)) {
                struct loop_io *io = __atomic_load_n(&t->ring[head % RING], __ATOMIC_RELAXED);

                if (__atomic_compare_exchange_n(&t->head, &head, head + 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
                        return io;
        }
        return NULL;
}

static int32_t perform(const struct loop_io *io) {
        const int fd = io->private.fd;
        ssize_t n = -1;

        switch (io->private.op) {
        case IORING_OP_READV:
                n = preadv(fd, io->private.data, (int)io->private.n, (off_t)io->private.offset);
                break;
        case IORING_OP_WRITEV:
                n = pwritev(fd, io->private.data, (int)io->private.n, (off_t)io->private.offset);
                break;
        case IORING_OP_FSYNC:
                n = io->private.mode ? fdatasync(fd) : fsync(fd);
                break;
        case IORING_OP_FSETXATTR:
                n = fsetxattr(fd, io->private.name, io->private.data, io->private.n, 0);
                break;
        case IORING_OP_FALLOCATE:
                n = fallocate(fd, io->private.mode, (off_t)io->private.offset, (off_t)io->private.length);
                break;
        default:
                return -EOPNOTSUPP;
        }
        return n < 0 ? -errno : (int32_t)n;
}

static void give_back(struct threads *t, struct loop_io *io) {
        struct loop_io *first = __atomic_load_n(&t->done, __ATOMIC_RELAXED);
        const uint64_t one = 1;

        do
                io->private.next = first;
        while (!__atomic_compare_exchange_n(&t->done, &first, io, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
        /* Who was first to put something there has woken the loop up, which takes all. */
        if (!first)
                while (write(t->eventfd, &one, sizeof(one)) < 0 && errno == EINTR)
                        ;
}

static void *run(void *userdata) {
        struct threads *t = userdata;

        __atomic_add_fetch(&t->running, 1, __ATOMIC_SEQ_CST);
        futex_wake(&t->running, 1);
        while (!__atomic_load_n(&t->stopping, __ATOMIC_SEQ_CST)) {
                struct loop_io *io = take(t);

                if (!io) {
                        /* Counted among the sleepers first, then looked again: no call is missed. */
                        __atomic_add_fetch(&t->sleepers, 1, __ATOMIC_SEQ_CST);
                        const uint32_t calls = __atomic_load_n(&t->calls, __ATOMIC_SEQ_CST);
                        io = take(t);
                        if (!io && !__atomic_load_n(&t->stopping, __ATOMIC_SEQ_CST))
                                futex_wait(&t->calls, calls);
                        __atomic_sub_fetch(&t->sleepers, 1, __ATOMIC_SEQ_CST);
                }
                if (io) {
                        io->private.result = perform(io);
                        give_back(t, io);
                }
        }
        return NULL;
}

/* ---- in the loop ---- */

static void call(struct threads *t, int n) {
        __atomic_add_fetch(&t->calls, 1, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&t->sleepers, __ATOMIC_SEQ_CST))
                futex_wake(&t->calls, n);
}

/* Signals are for the thread of the loop, but for those that a thread gives itself: a refused system call must be told of. */
static int start(struct threads *t) {
        static const int own[] = {SIGSYS, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP};
        pthread_attr_t attributes;
        sigset_t most, old;
        int r = pthread_attr_init(&attributes);

        if (r)
                return -r;
        sigfillset(&most);
        for (size_t i = 0; i < ARRAY_LENGTH(own); i++)
                sigdelset(&most, own[i]);
        pthread_attr_setstacksize(&attributes, STACK_SIZE);
        pthread_sigmask(SIG_BLOCK, &most, &old);
        while (t->n < THREADS && !(r = pthread_create(&t->ids[t->n], &attributes, run, t)))
                t->n++;
        pthread_sigmask(SIG_SETMASK, &old, NULL);
        pthread_attr_destroy(&attributes);
        if (r && t->n == 0)
                return -r;
        /* What a thread does before it runs is not among the calls of a sandbox. */
        for (uint32_t running; (running = __atomic_load_n(&t->running, __ATOMIC_SEQ_CST)) < t->n;)
                futex_wait(&t->running, running);
        return 0;
}

int threads_new(struct threads **ret_threads) {
        struct threads *t = calloc(1, sizeof(*t));
        int r = 0;

        if (!t)
                return -ENOMEM;
        t->backlog_end = &t->backlog;
        t->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        r = t->eventfd < 0 ? -errno : start(t);
        if (r < 0) {
                threads_free(t);
                return r;
        }
        *ret_threads = t;
        return 0;
}

void threads_free(struct threads *t) {
        if (!t)
                return;
        __atomic_store_n(&t->stopping, 1, __ATOMIC_SEQ_CST);
        call(t, (int)THREADS);
        while (t->n)
                pthread_join(t->ids[--t->n], NULL);
        close_fd(&t->eventfd);
        free(t);
}

int threads_fd(const struct threads *t) {
        return t->eventfd;
}

bool threads_has_done(const struct threads *t) {
        return __atomic_load_n(&t->done, __ATOMIC_RELAXED);
}

/* false: no room. */
static bool push(struct threads *t, struct loop_io *io) {
        const uint64_t tail = t->tail;

        if (tail - __atomic_load_n(&t->head, __ATOMIC_SEQ_CST) == RING)
                return false;
        __atomic_store_n(&t->ring[tail % RING], io, __ATOMIC_RELAXED);
        __atomic_store_n(&t->tail, tail + 1, __ATOMIC_SEQ_CST);
        call(t, 1);
        return true;
}

void threads_submit(struct threads *t, struct loop_io *io) {
        if (!t->backlog && push(t, io))
                return;
        io->private.next = NULL;
        *t->backlog_end = io;
        t->backlog_end = &io->private.next;
}

/* The ring is full of what will come back, and brings the loop here. */
static void push_backlog(struct threads *t) {
        while (t->backlog) {
                struct loop_io *next = t->backlog->private.next; /* a thread may have it by the time it is pushed */

                if (!push(t, t->backlog))
                        return;
                t->backlog = next;
        }
        t->backlog_end = &t->backlog;
}

struct loop_io *threads_take(struct threads *t) {
        struct loop_io *stack = NULL, *list = NULL, *next = NULL;

        if (!threads_has_done(t))
                return NULL;
        stack = __atomic_exchange_n(&t->done, NULL, __ATOMIC_SEQ_CST);
        for (; stack; stack = next) { /* the first that was done first */
                next = stack->private.next;
                stack->private.next = list;
                list = stack;
        }
        push_backlog(t);
        return list;
}
