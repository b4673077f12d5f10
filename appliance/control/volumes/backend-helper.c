/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/volumes/backend-helper.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include "link/sandbox.h"
#include "media/nbd-library.h"
#include "media/nbd-target.h"
#include "util.h"

#define CONNECT_S 4 /* for an address: a host may have another one, and this process has 10 s in all */
#define SILENT_MS 15000
#define BLOCK_MAX 4096u /* the largest that a namespace has */

static int fail(struct backend_answer *a, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));
static int fail(struct backend_answer *a, int error, const char *format, ...) {
        va_list args;

        va_start(args, format);
        vsnprintf(a->why, sizeof(a->why), format, args);
        va_end(args);
        a->error = error;
        return error;
}

/* What is there must do for the volume. */
static int judge(struct backend_answer *a, const struct backend_request *q) {
        if (a->size < q->size)
                return fail(a, -ENOSPC, "%" PRIu64 " bytes asked, it has %" PRIu64, q->size, a->size);
        if (a->block_size > BLOCK_MAX || (a->block_size & (a->block_size - 1)))
                return fail(a, -EINVAL, "its blocks of %" PRIu32 " bytes are none that a namespace has", a->block_size);
        return 0;
}

/* ---- devices and files ---- */

static int measure_device(int fd, struct backend_answer *a) {
        uint64_t size = 0;
        int block = 0;

        if (ioctl(fd, BLKGETSIZE64, &size) < 0 || ioctl(fd, BLKSSZGET, &block) < 0)
                return fail(a, -errno, "it does not say how large it is: %s", strerror(errno));
        a->size = size;
        a->block_size = block < 0 ? UINT32_MAX : (uint32_t)block;
        return 0;
}

/* A worker that has just let go of it may need a moment more. */
static int open_patiently(const char *path, int flags) {
        int fd = open(path, flags);

        for (unsigned int i = 0; i < 40 && fd < 0 && errno == EBUSY; i++) {
                nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
                fd = open(path, flags);
        }
        return fd;
}

/*
 * Links are followed: device-mapper's names are some. What is there is looked at before it is opened, since to open some devices
 * does something. A block device that is written to is opened exclusively: one that is mounted or part of something is refused.
 */
static int open_path(const struct backend_request *q, struct backend_answer *a, int *ret_fd) {
        CLEANUP_CLOSE int path = open(q->where.path, O_PATH | O_CLOEXEC);
        char again[40];
        struct stat st;

        if (path < 0 || fstat(path, &st) < 0)
                return fail(a, -errno, "%s", strerror(errno));
        const bool is_device = S_ISBLK(st.st_mode);
        if (!is_device && !S_ISREG(st.st_mode))
                return fail(a, -EINVAL, "it is neither a block device nor a file");
        snprintf(again, sizeof(again), "/proc/self/fd/%d", path);
        CLEANUP_CLOSE int fd = open_patiently(again, (q->read_only ? O_RDONLY : O_RDWR | (is_device ? O_EXCL : 0)) | O_CLOEXEC);
        if (fd < 0)
                return fail(a, -errno, "%s%s", strerror(errno),
                            errno == EBUSY ? ": it is mounted, or part of something else" : "");
        a->size = (uint64_t)st.st_size;
        a->block_size = 512;
        int r = is_device ? measure_device(fd, a) : 0;
        if (r == 0)
                r = judge(a, q);
        if (r == 0)
                *ret_fd = take_fd(&fd);
        return r;
}

/* Files in it are made as they are needed. */
static int look_at_directory(const struct backend_request *q, struct backend_answer *a) {
        CLEANUP_CLOSE int fd = open(q->where.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return fd < 0 ? fail(a, -errno, "its directory: %s", strerror(errno)) : 0;
}

/* ---- NBD ---- */

static int connect_unix(const struct backend *where, struct backend_answer *a, int *ret_fd) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (field_set(address.sun_path, sizeof(address.sun_path), where->path) < 0)
                return fail(a, -ENAMETOOLONG, "the path of its socket is too long");
        if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
                return fail(a, -errno, "cannot connect: %s", strerror(errno));
        *ret_fd = take_fd(&fd);
        return 0;
}

/*
 * A machine that is gone says nothing. While nothing is under way the kernel asks it now and then, so that the next connection is
 * there before the next command; what was sent and is not acknowledged ends the connection no later than the command would end.
 */
static void watch_peer(int fd) {
        static const struct {
                int level, option, value;
        } options[] = {
                {SOL_SOCKET, SO_KEEPALIVE, 1},
                {IPPROTO_TCP, TCP_KEEPIDLE, 10},
                {IPPROTO_TCP, TCP_KEEPINTVL, 5},
                {IPPROTO_TCP, TCP_KEEPCNT, 3},
                {IPPROTO_TCP, TCP_USER_TIMEOUT, SILENT_MS},
        };

        for (size_t i = 0; i < ARRAY_LENGTH(options); i++)
                setsockopt(fd, options[i].level, options[i].option, &options[i].value, sizeof(options[i].value));
}

static int connect_one(const struct addrinfo *i, int *ret_fd) {
        CLEANUP_CLOSE int fd = socket(i->ai_family, i->ai_socktype | SOCK_CLOEXEC, i->ai_protocol);
        const struct timeval patience = {.tv_sec = CONNECT_S}; /* socket(7): connect(2) obeys it too */
        const int on = 1;

        if (fd >= 0)
                setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
        if (fd < 0 || connect(fd, i->ai_addr, i->ai_addrlen) < 0)
                return errno == EINPROGRESS ? -ETIMEDOUT : -errno;
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &(struct timeval){0}, sizeof(struct timeval));
        /* A request must not wait for the acknowledgement of the one before. */
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        watch_peer(fd);
        *ret_fd = take_fd(&fd);
        return 0;
}

static int connect_host(const struct backend *where, struct backend_answer *a, int *ret_fd) {
        const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG};
        struct addrinfo *list = NULL;
        int r = getaddrinfo(where->host, where->port, &hints, &list);

        if (r)
                return fail(a, -EHOSTUNREACH, "%.40s: %s", where->host, r == EAI_SYSTEM ? strerror(errno) : gai_strerror(r));
        r = -EHOSTUNREACH;
        for (const struct addrinfo *i = list; i && r < 0; i = i->ai_next)
                r = connect_one(i, ret_fd);
        freeaddrinfo(list);
        return r < 0 ? fail(a, r, "cannot connect: %s", strerror(-r)) : 0;
}

/* What a server says is looked at with as few rights as a worker has. */
static int probe(const struct backend_request *q, int arg_fd, struct backend_answer *a) {
        CLEANUP_CLOSE int fd = arg_fd;
        struct nbd_export export;
        const char *why = "";
        char said[80] = "";
        int r = nbd_library_load(&why);

        if (r < 0)
                return fail(a, r, "no NBD: %s", why);
        r = link_sandbox_enter();
        if (r < 0)
                return fail(a, r, "the sandbox cannot be entered: %s", strerror(-r));
        r = nbd_target_probe(take_fd(&fd), q->where.export, &export, said, sizeof(said));
        if (r < 0)
                return fail(a, r, "%s", *said ? said : strerror(-r));
        a->size = export.size;
        a->block_size = export.block_size < 512 ? 512 : export.block_size;
        r = judge(a, q);
        if (r < 0 || q->read_only)
                return r;
        if (export.read_only)
                return fail(a, -EROFS, "it is read-only, the namespace is not");
        /* [NVMe 1.4, 5.15.2.2] A vAdapter says that it has a volatile write cache and that Flush empties it, which must be true.
         */
        return export.can_flush ? 0 : fail(a, -EOPNOTSUPP, "the server cannot flush: what is written there would not be durable");
}

static int answer_nbd(const struct backend_request *q, struct backend_answer *a, int *ret_fd) {
        CLEANUP_CLOSE int fd = -1;
        int r = *q->where.path ? connect_unix(&q->where, a, &fd) : connect_host(&q->where, a, &fd);

        if (r < 0)
                return r;
        if (!q->connect)
                return probe(q, take_fd(&fd), a);
        *ret_fd = take_fd(&fd);
        return 0;
}

void backend_helper_answer(const struct backend_request *q, struct backend_answer *ret_answer, int *ret_fd) {
        *ret_fd = -1;
        memset(ret_answer, 0, sizeof(*ret_answer));
        if (q->where.kind == BACKEND_NBD)
                answer_nbd(q, ret_answer, ret_fd);
        else if (q->where.kind == BACKEND_DIRECTORY)
                look_at_directory(q, ret_answer);
        else
                open_path(q, ret_answer, ret_fd);
}

/* ---- the process ---- */

static int send_answer(const struct backend_answer *a, int fd) {
        struct iovec iov = {(void *)a, sizeof(*a)};
        union {
                char bytes[CMSG_SPACE(sizeof(int))];
                struct cmsghdr align;
        } control = {0};
        struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

        if (fd >= 0) {
                msg.msg_control = control.bytes;
                msg.msg_controllen = sizeof(control.bytes);
                struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
                c->cmsg_level = SOL_SOCKET;
                c->cmsg_type = SCM_RIGHTS;
                c->cmsg_len = CMSG_LEN(sizeof(int));
                memcpy(CMSG_DATA(c), &fd, sizeof(int));
        }
        return sendmsg(BACKEND_HELPER_FD, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int backend_helper_main(void) {
        struct backend_request request;
        struct backend_answer answer;
        int fd = -1;

        prctl(PR_SET_NAME, "iovd-backend");
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (recv(BACKEND_HELPER_FD, &request, sizeof(request), 0) != sizeof(request))
                return EXIT_FAILURE;
        backend_helper_answer(&request, &answer, &fd);
        return send_answer(&answer, fd) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
