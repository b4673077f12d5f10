/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starting and ending a private iovd. */
#include "sim-process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>

#include "util.h"

enum { CHILD_SOCKET = 3, CHILD_ERROR = 4, CHILD_FDS_END = 5 };

struct child_fds {
        int socket, null, stderr_fd, error;
};

/* Between fork(2) and execve(2): async-signal-safe functions only, the caller may have threads. */
static void child_run(const char *program, char *const *argv, struct child_fds fds) {
        int *const all[] = {&fds.socket, &fds.null, &fds.stderr_fd, &fds.error};
        sigset_t none;

        /* Out of the way of the numbers they are to get. */
        for (size_t i = 0; i < ARRAY_LENGTH(all); i++) {
                *all[i] = fcntl(*all[i], F_DUPFD_CLOEXEC, CHILD_FDS_END);
                if (*all[i] < 0)
                        goto fail;
        }
        if (dup2(fds.null, 0) < 0 || dup2(fds.null, 1) < 0 || dup2(fds.stderr_fd, 2) < 0 || dup2(fds.socket, CHILD_SOCKET) < 0 ||
            dup3(fds.error, CHILD_ERROR, O_CLOEXEC) < 0)
                goto fail;
        fds.error = CHILD_ERROR;
        if (close_range(CHILD_FDS_END, ~0u, 0) < 0)
                goto fail;
        /* Out of reach of the terminal's signals: it ends when its socket closes, after what it is doing. */
        setsid();
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        execv(program, argv);
fail:;
        int saved = errno;
        ssize_t n = write(fds.error, &saved, sizeof(saved));
        _exit(n == sizeof(saved) ? 127 : 126);
}

static int pipe_pair(int *ret_read, int *ret_write) {
        int fds[2];

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        *ret_read = fds[0];
        *ret_write = fds[1];
        return 0;
}

/* Ends with execve(2), which closes the other end, or with its errno. */
static int exec_result(int fd) {
        int error = 0;
        ssize_t n;

        do
                n = read(fd, &error, sizeof(error));
        while (n < 0 && errno == EINTR);
        return n == sizeof(error) && error > 0 ? -error : 0;
}

int sim_process_start(const char *program, const char *directory, int socket, struct sim_process *ret_process) {
        const char *argv[] = {program, "--sim-fd", "3", "--state", directory, NULL};
        CLEANUP_CLOSE int null = open("/dev/null", O_RDWR | O_CLOEXEC), out_read = -1, out_write = -1, err_read = -1,
                          err_write = -1;
        int r;

        if (null < 0)
                return -errno;
        if ((r = pipe_pair(&out_read, &out_write)) < 0 || (r = pipe_pair(&err_read, &err_write)) < 0)
                return r;
        /* Ours, so as not to wait for it; its own, so that it never waits for us to read. */
        if (fcntl(out_read, F_SETFL, O_NONBLOCK) < 0 || fcntl(out_write, F_SETFL, O_NONBLOCK) < 0)
                return -errno;
        pid_t pid = fork();
        if (pid < 0)
                return -errno;
        if (pid == 0)
                child_run(program, (char *const *)argv,
                          (struct child_fds){.socket = socket, .null = null, .stderr_fd = out_write, .error = err_write});
        close(take_fd(&err_write));
        r = exec_result(err_read);
        if (r < 0) {
                while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                        ;
                return r;
        }
        *ret_process = (struct sim_process){.pid = pid, .stderr_fd = take_fd(&out_read)};
        return 0;
}

size_t sim_process_read(struct sim_process *process, char *text, size_t size) {
        size_t length = 0;

        while (process->stderr_fd >= 0 && length + 1 < size) {
                ssize_t n = read(process->stderr_fd, text + length, size - 1 - length);

                if (n > 0) {
                        length += (size_t)n;
                } else if (n < 0 && errno == EINTR) {
                        continue;
                } else {
                        if (n == 0)
                                close(take_fd(&process->stderr_fd));
                        break;
                }
        }
        text[length] = 0;
        return length;
}

static int64_t now_ms(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Read until its end of the pipe is closed, which is when it has ended, or until the deadline. What does not fit is dropped. */
static void read_to_end(struct sim_process *process, int64_t deadline, char *text, size_t size) {
        size_t length = 0;
        char dropped[512];

        text[0] = 0;
        while (process->stderr_fd >= 0) {
                struct pollfd p = {.fd = process->stderr_fd, .events = POLLIN};
                int64_t left = deadline - now_ms();

                if (left <= 0 || (poll(&p, 1, (int)left) < 0 && errno != EINTR))
                        return;
                if (length + 1 < size)
                        length += sim_process_read(process, text + length, size - length);
                else
                        sim_process_read(process, dropped, sizeof(dropped));
        }
}

/* False where it still runs at the deadline. */
static bool has_ended(const struct sim_process *process, int64_t deadline) {
        CLEANUP_CLOSE int fd = pidfd_open(process->pid, 0);
        struct pollfd p = {.fd = fd, .events = POLLIN};

        if (fd < 0)
                return errno == ESRCH;
        for (;;) {
                int64_t left = deadline - now_ms();
                int r = poll(&p, 1, left > 0 ? (int)left : 0);

                if (r > 0)
                        return true;
                if ((r < 0 && errno != EINTR) || left <= 0)
                        return false;
        }
}

int sim_process_end(struct sim_process *process, int timeout_ms, char *text, size_t size) {
        int64_t deadline = now_ms() + timeout_ms;
        int status = -1;
        pid_t r;

        read_to_end(process, deadline, text, size);
        process->killed = !has_ended(process, deadline);
        if (process->killed)
                kill(process->pid, SIGKILL);
        if (process->stderr_fd >= 0)
                close(take_fd(&process->stderr_fd));
        do
                r = waitpid(process->pid, &status, 0);
        while (r < 0 && errno == EINTR);
        process->pid = 0;
        return r < 0 ? -1 : status;
}
