/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sim:DIR: a private iovd on a socketpair, over the state in DIR. It lives as long as the connection. */
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <syslog.h>

#include "context.h"
#include "sim-process.h"
#include "transport.h"
#include "util.h"

#define EXIT_NOT_PERMITTED 4 /* of all our programs */

struct sim_transport {
        struct transport base;
        struct transport *inner;
        struct sim_process process;
        struct iov_ctx *ctx;
        const char *address;
        char *temporary; /* state to be thrown away, NULL: none */
};

static struct transport *inner_of(struct transport *t) {
        struct sim_transport *s = (struct sim_transport *)t;

        s->inner->timeout_ms = t->timeout_ms;
        return s->inner;
}

static int sim_read(struct transport *t, unsigned int bar, uint64_t offset, void *buffer, size_t size) {
        struct transport *inner = inner_of(t);

        return inner->ops->read(inner, bar, offset, buffer, size);
}

static int sim_write(struct transport *t, unsigned int bar, uint64_t offset, const void *buffer, size_t size) {
        struct transport *inner = inner_of(t);

        return inner->ops->write(inner, bar, offset, buffer, size);
}

static int sim_post(struct transport *t, unsigned int bar, uint64_t offset, const void *buffer, size_t size) {
        struct transport *inner = inner_of(t);

        return inner->ops->post(inner, bar, offset, buffer, size);
}

static int sim_map(struct transport *t, const void **ret_tables) {
        struct transport *inner = inner_of(t);

        return inner->ops->map(inner, ret_tables);
}

static int sim_wait(struct transport *t, int timeout_ms) {
        struct transport *inner = inner_of(t);

        return inner->ops->wait(inner, timeout_ms);
}

static int sim_get_fd(struct transport *t) {
        struct transport *inner = inner_of(t);

        return inner->ops->get_fd(inner);
}

static const char *sim_problem(struct transport *t) {
        struct transport *inner = inner_of(t);

        return inner->ops->problem(inner);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

static void directory_remove(struct sim_transport *s) {
        if (s->temporary && nftw(s->temporary, remove_entry, 16, FTW_DEPTH | FTW_PHYS) < 0)
                iov_log(s->ctx, LOG_WARNING, "%s: cannot remove its temporary state %s: %s", s->address, s->temporary,
                        strerror(errno));
        free(TAKE_PTR(s->temporary));
}

static int directory_make(char **ret_path) {
        const char *base = secure_getenv("TMPDIR");
        CLEANUP_FREE char *path = NULL;

        if (asprintf(&path, "%s/iov-sim-XXXXXX", base && *base ? base : "/tmp") < 0) {
                path = NULL;
                return -ENOMEM;
        }
        if (!mkdtemp(path))
                return -errno;
        *ret_path = TAKE_PTR(path);
        return 0;
}

/* Hand on what iovd has said, line by line. "<N>" in front of a line is its level, as in sd-daemon(3). */
static void log_lines(struct sim_transport *s, char *text) {
        char *rest = text, *line;

        while ((line = strsep(&rest, "\n"))) {
                int level = LOG_WARNING;

                if (line[0] == '<' && line[1] >= '0' && line[1] <= '7' && line[2] == '>') {
                        level = line[1] - '0';
                        line += 3;
                }
                if (*line)
                        iov_log(s->ctx, level, "%s: %s", s->address, line);
        }
}

/* How iovd ended, in words; "" where that is as it should be, or not known. */
static const char *ending(const struct sim_process *process, int status, char text[128]) {
        text[0] = 0;
        if (process->killed)
                snprintf(text, 128, "iovd did not end by itself and was killed");
        else if (status != -1 && WIFSIGNALED(status))
                snprintf(text, 128, "iovd was ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
        else if (status != -1 && WEXITSTATUS(status) != 0)
                snprintf(text, 128, "iovd ended with status %d", WEXITSTATUS(status));
        return text;
}

static void sim_close(struct transport *t) {
        struct sim_transport *s = (struct sim_transport *)t;
        char text[4096], end[128];

        s->inner->ops->close(s->inner);
        int status = sim_process_end(&s->process, TRANSPORT_TIMEOUT_MS, text, sizeof(text));
        log_lines(s, text);
        if (*ending(&s->process, status, end))
                iov_log(s->ctx, LOG_ERR, "%s: %s", s->address, end);
        directory_remove(s);
        iov_unref(s->ctx);
        free(s);
}

static const struct transport_ops sim_ops = {.read = sim_read,
                                             .write = sim_write,
                                             .post = sim_post,
                                             .map = sim_map,
                                             .wait = sim_wait,
                                             .get_fd = sim_get_fd,
                                             .close = sim_close,
                                             .problem = sim_problem};

/* The last line is what it ended with; the ones before are log. */
static const char *last_line(struct sim_transport *s, char *text) {
        size_t length = strlen(text);

        while (length > 0 && text[length - 1] == '\n')
                text[--length] = 0;
        char *last = strrchr(text, '\n');
        if (!last)
                last = text;
        else
                *last++ = 0;
        if (last != text)
                log_lines(s, text);
        if (last[0] == '<' && last[1] && last[2] == '>')
                last += 3;
        return last;
}

/* iovd came to nothing: its own words say why, where it had any. */
static int start_failed(struct sim_transport *s, int error, char why[TRANSPORT_WHY_SIZE]) {
        char text[4096], end[128];
        int status = sim_process_end(&s->process, TRANSPORT_TIMEOUT_MS, text, sizeof(text));
        const char *line = last_line(s, text);

        if (*line)
                snprintf(why, TRANSPORT_WHY_SIZE, "%s", line);
        else if (!s->process.killed && *ending(&s->process, status, end))
                snprintf(why, TRANSPORT_WHY_SIZE, "%s", end);
        if (status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NOT_PERMITTED)
                return -EACCES;
        return error;
}

static const char *iovd_path(void) {
        const char *path = secure_getenv("IOVD");

        return path && *path ? path : IOV_SBINDIR "/iovd";
}

static int sim_start(struct sim_transport *s, const char *directory, char why[TRANSPORT_WHY_SIZE]) {
        int fds[2];

        if (!*directory) {
                int r = directory_make(&s->temporary);

                if (r < 0) {
                        snprintf(why, TRANSPORT_WHY_SIZE, "cannot make a temporary directory: %s", strerror(-r));
                        return r;
                }
                directory = s->temporary;
        }
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
                int r = -errno;

                snprintf(why, TRANSPORT_WHY_SIZE, "cannot make a socket: %s", strerror(-r));
                return r;
        }
        int r = sim_process_start(iovd_path(), directory, fds[1], &s->process);
        close(fds[1]);
        if (r < 0) {
                close(fds[0]);
                snprintf(why, TRANSPORT_WHY_SIZE, "cannot run %s: %s; $IOVD may name another", iovd_path(), strerror(-r));
                return -ENODEV;
        }
        r = transport_vfio_user_new(fds[0], TRANSPORT_START_MS, why, &s->inner);
        return r < 0 ? start_failed(s, r, why) : 0;
}

int transport_sim_open(struct iov_ctx *ctx, const char *address, const char *directory, int timeout_ms,
                       char why[TRANSPORT_WHY_SIZE], struct transport **ret_transport) {
        struct sim_transport *s = calloc(1, sizeof(*s));

        if (!s) {
                snprintf(why, TRANSPORT_WHY_SIZE, "%s", strerror(ENOMEM));
                return -ENOMEM;
        }
        s->base.ops = &sim_ops;
        s->base.timeout_ms = timeout_ms;
        s->process.stderr_fd = -1;
        s->ctx = iov_ref(ctx);
        s->address = address;
        int r = sim_start(s, directory, why);
        if (r < 0) {
                directory_remove(s);
                iov_unref(s->ctx);
                free(s);
                return r;
        }
        *ret_transport = &s->base;
        return 0;
}
