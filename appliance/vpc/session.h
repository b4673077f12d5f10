/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a function and its client have agreed on, and how far they have come: everything besides the image that a process needs to
 * go on where another one was killed. Flat, versioned, in memory that outlives the process; descriptors are numbers in a table of
 * descriptors that outlives it too (link/escrow.h).
 *
 * A process can be killed between any two instructions. So a change of state is one store: `current` says which of two states
 * holds; the other one is filled in before. What the kernel does for us it does whole or not at all: a system call that was begun
 * is finished before a process dies of SIGKILL, and recvmmsg(2) and sendmmsg(2) leave their result in this memory, not only in a
 * register that is lost.
 */
#ifndef IOV_VPC_SESSION_H
#define IOV_VPC_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "vpc/dma.h"
#include "vpc/model.h"

#define VPC_SESSION_MAGIC "iov-ses"
#define VPC_SESSION_VERSION 2
#define VPC_SESSION_FDS 16
#define VPC_SESSION_BUFFER (1048576u + 4096)

struct vpc_session_state {
        int32_t socket;     /* -1: no connection */
        uint32_t is_open;   /* VERSION was agreed */
        uint32_t quiescing; /* the reply in `out` waits for the function */
        uint32_t in;        /* which of the two input buffers */
        uint32_t in_start, in_end;
        uint32_t out_length, out_sent;
        int32_t out_fd;
        uint32_t n_fds;
        int32_t fds[VPC_SESSION_FDS]; /* of the message that has the byte before `fds_end` */
        uint32_t fds_end;
        uint32_t reserved;
        uint64_t message;  /* messages that are done with */
        uint64_t received; /* calls of recvmmsg(2), and of sendmmsg(2), whose results are in this state */
        uint64_t sent;
};

/* The last system call of its kind, under way or done; `number` counts them. Until the next one begins its result may be in no
 * state yet. */
struct vpc_session_call {
        uint64_t number;
        struct mmsghdr header;
        struct iovec iov;
        _Alignas(size_t) char control[CMSG_SPACE(sizeof(int) * VPC_SESSION_FDS)]; /* as struct cmsghdr is aligned */
};
#define VPC_SESSION_NOT_DONE UINT32_MAX /* in header.msg_len */

enum { VPC_WINDOW_FREE, VPC_WINDOW_LIVE, VPC_WINDOW_GONE };

struct vpc_session_window {
        uint64_t address, size, fd_offset;
        uint64_t message; /* the one that has made it, or made it go */
        uint32_t flags;
        int32_t fd;
        uint32_t state;
        uint32_t reserved;
};

/* One interrupt vector as the client has set it. */
struct vpc_irq_line {
        int32_t fd; /* -1: none */
        uint32_t masked;
};

struct vpc_session {
        char magic[8];
        uint32_t version;
        uint32_t current; /* of `states` */
        uint64_t size;
        struct vpc_session_state states[2];
        struct vpc_session_call receive, send;
        uint32_t n_lines, n_windows; /* none behind it was ever used */
        struct vpc_irq_line lines[VPC_LINES_MAX];
        struct vpc_session_window windows[VPC_DMA_WINDOWS_MAX];
        uint8_t in[2][VPC_SESSION_BUFFER];
        uint8_t out[VPC_SESSION_BUFFER];
};

/* Make one in zeroed memory. */
void vpc_session_init(struct vpc_session *session);
/* -EBADMSG, -EPROTONOSUPPORT: another version. */
int vpc_session_check(const struct vpc_session *session);
/* The first `n` lines are used from now on; those that were not have no descriptor. */
void vpc_session_use_lines(struct vpc_session *session, unsigned int n);
/* Anonymous memory for those who need not outlive anything; pages that are never touched cost nothing. */
struct vpc_session *vpc_session_new(void);
void vpc_session_free(struct vpc_session *session);

static inline const struct vpc_session_state *vpc_session_state(const struct vpc_session *session) {
        return &session->states[session->current & 1];
}

/* The one store: from here on `state` holds. */
static inline void vpc_session_commit(struct vpc_session *session, const struct vpc_session_state *state) {
        const uint32_t other = !(session->current & 1);

        session->states[other] = *state;
        __atomic_store_n(&session->current, other, __ATOMIC_RELEASE);
}

/* Behind the `taken` calls whose results are in the state there was one more, which the kernel has finished. */
static inline bool vpc_session_has_result(const struct vpc_session_call *call, uint64_t taken) {
        return call->number == taken + 1 && call->header.msg_len != VPC_SESSION_NOT_DONE;
}

/* Every descriptor that the session holds, into `fds`; returns how many, counted on where there is no room. */
size_t vpc_session_descriptors(const struct vpc_session *session, int *fds, size_t max);

#endif
