/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the event loop share. */
#ifndef IOV_LOOP_PRIVATE_H
#define IOV_LOOP_PRIVATE_H

#include <liburing.h>

#include "loop/loop.h"

enum source_kind { SOURCE_FD, SOURCE_TIMER, SOURCE_SIGNALS };

struct loop_source {
        struct loop *loop;
        enum source_kind kind;
        bool removed;
        bool queued; /* is in loop->todo */
        bool wanted; /* a timer that is set and has not fired */
        int fd;
        uint32_t events, armed_events;
        uint64_t due_ns; /* CLOCK_MONOTONIC, of a timer */
        union {
                loop_fd_fn fd;
                loop_timer_fn timer;
                loop_signal_fn signal;
        } fn;
        void *userdata;
        struct loop_source *next, *previous; /* of all sources not yet freed */
        struct loop_source *next_todo;
        union {
                struct {
                        bool in_flight; /* a request of this source is submitted and its completion not yet seen */
                        bool cancelled; /* and its cancellation is submitted as well */
                        bool changed;   /* a timer that was set anew while in flight */
                        bool drained;   /* an fd whose last callback has left nothing */
                        struct __kernel_timespec when;
                } uring;
                struct {
                        uint32_t always; /* what an fd is ready for that epoll(7) does not take */
                        bool armed;
                        uint64_t due_ns; /* by which it is in the list */
                        struct loop_source *next_timer;
                } epoll;
        };
};

/* Memory that is registered, uring-memory.c. */
struct loop_memory {
        uintptr_t start, end;
        uint32_t entry; /* of the kernel's table */
};
#define LOOP_MEMORY_MAX 4096u

/* How a loop waits and does file I/O. `open` tells -errno where the kernel does not have or allow it. */
struct loop_backend {
        int (*open)(struct loop *loop, unsigned int entries, bool is_confined);
        void (*close)(struct loop *loop);
        /* There are completions to be taken, as far as can be seen without a system call. */
        bool (*is_busy)(struct loop *loop);
        /* Take up what has changed of sources, sleep until something is done (not while something is polled), call the callbacks
         * of what was done by then. */
        int (*wait)(struct loop *loop, bool is_polling);
        /* Do what a queued source is queued for; false: no room, try later. The source may be gone after it. */
        bool (*settle)(struct loop_source *source);
        void (*timer_changed)(struct loop_source *source);
        /* Of an fd, which its owner may close next. */
        void (*removed)(struct loop_source *source);
        void (*drained)(struct loop_source *source);

        int (*readv)(struct loop *loop, struct loop_io *io, int fd, const struct iovec *iov, unsigned int n_iov, uint64_t offset);
        int (*writev)(struct loop *loop, struct loop_io *io, int fd, const struct iovec *iov, unsigned int n_iov,
                      uint64_t offset);
        int (*fsync)(struct loop *loop, struct loop_io *io, int fd, bool is_data_only);
        int (*fsetxattr)(struct loop *loop, struct loop_io *io, int fd, const char *name, const char *value, unsigned int size);
        int (*fallocate)(struct loop *loop, struct loop_io *io, int fd, int mode, uint64_t offset, uint64_t length);
        int (*file_add)(struct loop *loop, int fd);
        void (*file_remove)(struct loop *loop, int file);
        int (*memory_add)(struct loop *loop, void *memory, size_t length);
        void (*memory_remove)(struct loop *loop, const void *memory, size_t length);
};
extern const struct loop_backend uring_backend, epoll_backend;

struct threads;

struct loop {
        const struct loop_backend *backend;
        unsigned int in_flight; /* completions still to come, without those of cancellations */
        bool stopped, closing;
        int result;
        struct loop_source *sources;
        struct loop_source *todo, **todo_end;

        struct loop_poller *pollers;
        unsigned int n_polling; /* those that are at it */
        uint64_t spin_ns;
        unsigned int idle_rounds;
        struct loop_end *rounds, **rounds_end; /* asked for with loop_at_end() */

        union {
                struct {
                        struct io_uring ring;
                        bool has_files;
                        uint64_t files[4]; /* registered: bit i is in use, uring-file.c */
                        bool has_memory;   /* a table for it */
                        unsigned int n_memory, memory_capacity;
                        struct loop_memory *memory;                    /* by address */
                        uint64_t memory_entries[LOOP_MEMORY_MAX / 64]; /* bit i is in use */
                } uring;
                struct {
                        int fd, timer_fd;
                        uint64_t timer_ns;          /* what timer_fd is set to; 0: nothing */
                        struct loop_source *timers; /* by time */
                        unsigned int n_always, skipped;
                        struct threads *threads;
                        struct loop_io *done; /* taken from them, and not told yet */
                } epoll;
        };
};

/* loop.c: have the backend look at it in this round or the next. */
void source_queue(struct loop_source *source);
void source_free(struct loop_source *source);
void sources_settle(struct loop *loop);
void source_dispatch_signals(struct loop_source *source);
/* What of these an fd is told: not what its mask no longer has. */
uint32_t source_events(const struct loop_source *source, uint32_t events);

/* uring.c: a submission queue entry; NULL where the queue is full even after submitting (the completion queue overflows, or no
 * memory). */
struct io_uring_sqe *uring_sqe(struct loop *loop);
/* uring-file.c: room for files that are registered; a confined loop makes it before it can make nothing any more. */
int uring_files_reserve(struct loop *loop);
int uring_file_add(struct loop *loop, int fd);
void uring_file_remove(struct loop *loop, int file);
/* uring-memory.c: as for files. */
int uring_memory_reserve(struct loop *loop);
int uring_memory_add(struct loop *loop, void *memory, size_t length);
void uring_memory_remove(struct loop *loop, const void *memory, size_t length);
void uring_memory_free(struct loop *loop);
/* The entry that all of it lies in, -1: there is none. */
int uring_memory_find(const struct loop *loop, const struct iovec *iov);
int uring_readv(struct loop *loop, struct loop_io *io, int fd, const struct iovec *iov, unsigned int n_iov, uint64_t offset);
int uring_writev(struct loop *loop, struct loop_io *io, int fd, const struct iovec *iov, unsigned int n_iov, uint64_t offset);
int uring_fsync(struct loop *loop, struct loop_io *io, int fd, bool is_data_only);
int uring_fsetxattr(struct loop *loop, struct loop_io *io, int fd, const char *name, const char *value, unsigned int size);
int uring_fallocate(struct loop *loop, struct loop_io *io, int fd, int mode, uint64_t offset, uint64_t length);

/* threads.c: file operations, done by threads. */
int threads_new(struct threads **ret_threads);
/* What has not been begun is not done any more. */
void threads_free(struct threads *threads);
/* Readable when there may be something for threads_take(). */
int threads_fd(const struct threads *threads);
bool threads_has_done(const struct threads *threads);
void threads_submit(struct threads *threads, struct loop_io *io);
/* Those that are done, in a list by io->private.next. */
struct loop_io *threads_take(struct threads *threads);

/* poller.c: call those that poll; `busy`: there are completions to be taken. false: none polls any more, the loop may sleep. */
bool poller_round(struct loop *loop, bool busy);
/* What was asked for with loop_at_end(). */
void poller_ends(struct loop *loop);

#endif
