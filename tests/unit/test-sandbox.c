/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a worker in its sandbox can and cannot do. Each attempt in a process of its own. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "link/sandbox.h"
#include "loop/loop.h"

#define DONE 42

/* How `attempt` ends in the sandbox: its exit status, or minus the signal. */
enum { NO_FILTER, WITH_FILTER, WITH_THREADS };

static struct loop *loop;
static int gate[2]; /* a byte lets the thread go on */
static sem_t begun;

static void *thread(void *userdata) {
        char byte = 0;

        sem_post(&begun);
        if (read(gate[0], &byte, 1) == 1)
                socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        return NULL;
}

/* A loop without a ring, as a worker makes it before the filter, and a thread that is there as well. */
static int prepare(void) {
        pthread_t id;

        setenv("IOV_LOOP", "threads", 1);
        if (pipe2(gate, O_CLOEXEC) < 0 || loop_new_confined(&loop, 8) < 0 || loop_has_ring(loop))
                return -1;
        /* What a thread does before it runs is not among the calls of a sandbox. */
        return sem_init(&begun, 0, 0) < 0 || pthread_create(&id, NULL, thread, NULL) ? -1 : sem_wait(&begun);
}

static int in_sandbox(int (*attempt)(void), int filter) {
        siginfo_t info = {0};
        pid_t pid = fork();

        if (pid == 0) {
                /* The line that tells of a refused call is no business of the test's. */
                int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

                if (null < 0 || dup2(null, STDERR_FILENO) < 0 || link_sandbox_enter() < 0)
                        _exit(1);
                if (filter == WITH_THREADS && prepare() < 0)
                        _exit(1);
                if (filter != NO_FILTER && link_sandbox_filter(filter == WITH_THREADS) < 0)
                        _exit(1);
                _exit(attempt());
        }
        assert_true(pid > 0);
        assert_return_code(waitid(P_PID, (id_t)pid, &info, WEXITED), errno);
        return info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
}

static int nothing(void) {
        return DONE;
}

static int open_file(void) {
        return open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES ? DONE : 2;
}

static int open_socket(void) {
        return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0 ? 2 : 3;
}

static int run_program(void) {
        return execl("/bin/true", "true", (char *)NULL);
}

static int map_code(void) {
        return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? 3 : 2;
}

static int kill_parent(void) {
        return kill(getppid(), 0) < 0 ? 3 : 2;
}

static int trace_parent(void) {
        return syscall(SYS_ptrace, 16 /* PTRACE_ATTACH */, getppid(), 0, 0) < 0 ? 3 : 2;
}

static int make_ring(void) {
        uint32_t params[30] = {0};

        return syscall(SYS_io_uring_setup, 8, params) < 0 ? 3 : 2;
}

/* Of what a ring can be told, its tables' entries alone; it is the call that is judged, there is no ring. */
static int register_with_ring(unsigned int what) {
        return syscall(SYS_io_uring_register, 1000000, what, NULL, 0) < 0 && errno == EBADF ? DONE : 2;
}

static int update_files(void) {
        return register_with_ring(IORING_REGISTER_FILES_UPDATE);
}

static int update_memory(void) {
        return register_with_ring(IORING_REGISTER_BUFFERS_UPDATE);
}

static int register_memory(void) {
        return register_with_ring(IORING_REGISTER_BUFFERS2);
}

static int has_privileges(void) {
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};
        struct rlimit core = {1, 1};

        if (syscall(SYS_capget, &header, data) < 0 || getrlimit(RLIMIT_CORE, &core) < 0)
                return 1;
        if (data[0].effective | data[0].permitted | data[0].inheritable | data[1].effective | data[1].permitted)
                return 2;
        return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 && core.rlim_max == 0 ? DONE : 3;
}

/* What serving needs. */
static int serve(void) {
        int fd = (int)syscall(SYS_memfd_create, "test", MFD_CLOEXEC);
        void *p = MAP_FAILED;

        if (fd >= 0 && ftruncate(fd, 4096) == 0)
                p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        void *large = malloc(1 << 24);
        bool served = p != MAP_FAILED && munmap(p, 4096) == 0 && close(fd) == 0 && large;

        free(large);
        return served ? DONE : 2;
}

static void on_io(struct loop_io *io, int32_t result) {
        loop_stop(loop, result < 0 ? 1 : DONE);
}

static void on_timer(void *userdata) {
        loop_stop(loop, DONE);
}

static void on_readable(void *userdata, int fd, uint32_t events) {
        loop_stop(loop, DONE);
}

/* All that a loop of threads is asked for, each once. */
static int serve_with_threads(void) {
        static struct loop_io io = {.done = on_io};
        static char data[512];
        struct iovec iov = {data, sizeof(data)};
        struct loop_source *source = NULL;
        int fd = (int)syscall(SYS_memfd_create, "test", MFD_CLOEXEC);

        loop_writev(loop, &io, fd, &iov, 1, 0);
        if (loop_run(loop) != DONE || loop_readv(loop, &io, fd, &iov, 1, 0) < 0 || loop_run(loop) != DONE)
                return 2;
        if (loop_fdatasync(loop, &io, fd) < 0 || loop_run(loop) != DONE || loop_fsync(loop, &io, fd) < 0 ||
            loop_run(loop) != DONE)
                return 3;
        loop_fallocate(loop, &io, fd, 1, 0, 4096);
        if (loop_run(loop) != DONE)
                return 4;
        loop_fsetxattr(loop, &io, fd, "user.iov", "1", 1);
        loop_run(loop); /* this file may have none, but the call is made */
        if (loop_add_timer(loop, 1000, on_timer, NULL, &source) < 0 || loop_run(loop) != DONE)
                return 5;
        return loop_add_fd(loop, gate[1], POLLOUT, on_readable, NULL, &source) < 0 ? 6 : loop_run(loop);
}

static int refused_in_a_thread(void) {
        if (write(gate[1], "", 1) != 1)
                return 2;
        return loop_run(loop); /* it ends with the process */
}

static void test_threads(void **state) {
        assert_int_equal(in_sandbox(serve_with_threads, WITH_THREADS), DONE);
        assert_int_equal(in_sandbox(refused_in_a_thread, WITH_THREADS), -SIGSYS);
}

static void test_privileges(void **state) {
        assert_int_equal(in_sandbox(has_privileges, NO_FILTER), DONE);
}

static void test_files(void **state) {
        if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) < 0) {
                print_message("this kernel has no Landlock\n");
                skip();
        }
        assert_int_equal(in_sandbox(open_file, NO_FILTER), DONE);
}

static void test_allowed(void **state) {
        assert_int_equal(in_sandbox(nothing, WITH_FILTER), DONE);
        assert_int_equal(in_sandbox(serve, WITH_FILTER), DONE);
        assert_int_equal(in_sandbox(update_files, WITH_FILTER), DONE);
        assert_int_equal(in_sandbox(update_memory, WITH_FILTER), DONE);
}

static void test_refused(void **state) {
        assert_int_equal(in_sandbox(open_socket, WITH_FILTER), -SIGSYS);
        assert_int_equal(in_sandbox(run_program, WITH_FILTER), -SIGSYS);
        assert_int_equal(in_sandbox(kill_parent, WITH_FILTER), -SIGSYS);
        assert_int_equal(in_sandbox(trace_parent, WITH_FILTER), -SIGSYS);
        assert_int_equal(in_sandbox(make_ring, WITH_FILTER), -SIGSYS);
        assert_int_equal(in_sandbox(register_memory, WITH_FILTER), -SIGSYS);
        if (link_sandbox_is_loose())
                return;
        assert_int_equal(in_sandbox(open_file, WITH_FILTER), -SIGSYS);
        assert_int_equal(in_sandbox(map_code, WITH_FILTER), -SIGSYS);
}

int main(void) {
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_privileges), cmocka_unit_test(test_files),
                                           cmocka_unit_test(test_allowed), cmocka_unit_test(test_refused),
                                           cmocka_unit_test(test_threads)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
