/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "link/sandbox.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/io_uring.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util.h"

#if defined(__SANITIZE_ADDRESS__)
#define IS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(undefined_behavior_sanitizer)
#define IS_SANITIZED 1
#endif
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED 0
#endif

/* ---- capabilities ---- */

static int drop_capabilities(void) {
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

        /* The bounding set takes a capability to change: without it there is nothing to be gained from it either (no new
         * privileges). */
        for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
                if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno != EPERM)
                        return -errno;
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
        return syscall(SYS_capset, &header, none) < 0 ? -errno : 0;
}

/* ---- the file system ---- */

/* A ruleset without a rule: nothing can be opened, made, removed or run by name. */
static int landlock(void) {
        struct landlock_ruleset_attr attr = {0};
        long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

        if (abi < 0)
                return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : -errno;
        /* Rights as the versions of the interface have brought them: 13 in the first, one each in the next two. */
        attr.handled_access_fs = (UINT64_C(1) << (abi == 1 ? 13 : abi == 2 ? 14 : 15)) - 1;
        CLEANUP_CLOSE int fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
        if (fd < 0 || syscall(SYS_landlock_restrict_self, fd, 0) < 0)
                return -errno;
        return 0;
}

/* A core would hold what servers have in flight; a new process is not made (the escrow's next worker is one of two). */
static int limit_resources(void) {
        const struct rlimit none = {0, 0};

        return setrlimit(RLIMIT_CORE, &none) < 0 ? -errno : 0;
}

int link_sandbox_enter(void) {
        int r = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;

        if (r == 0)
                r = limit_resources();
        if (r == 0)
                r = drop_capabilities();
        return r == 0 ? landlock() : r;
}

/* ---- system calls ---- */

static const int calls[] = {
        /* the event loop and media */
        SCMP_SYS(io_uring_enter),
        SCMP_SYS(clock_gettime),
        SCMP_SYS(gettimeofday),
        /* connections */
        SCMP_SYS(accept4),
        SCMP_SYS(getsockopt),
        SCMP_SYS(recvmsg),
        SCMP_SYS(recvmmsg),
        SCMP_SYS(recvfrom),
        SCMP_SYS(sendmsg),
        SCMP_SYS(sendmmsg),
        SCMP_SYS(sendto),
        SCMP_SYS(shutdown),
        /* descriptors that were received: guest memory, eventfds, media; and stderr */
        SCMP_SYS(close),
        SCMP_SYS(fcntl),
        SCMP_SYS(fstat),
        SCMP_SYS(newfstatat),
        SCMP_SYS(fstatfs),
        SCMP_SYS(statx),
        SCMP_SYS(write),
        SCMP_SYS(preadv2),
        SCMP_SYS(pwritev),
        SCMP_SYS(pwritev2),
        SCMP_SYS(preadv),
        SCMP_SYS(writev),
        SCMP_SYS(memfd_create),
        SCMP_SYS(ftruncate),
        SCMP_SYS(fallocate),
        SCMP_SYS(fsetxattr),
        /* memory */
        SCMP_SYS(brk),
        SCMP_SYS(munmap),
        SCMP_SYS(mremap),
        SCMP_SYS(madvise),
        SCMP_SYS(futex),
        SCMP_SYS(getrandom),
        /* itself */
        SCMP_SYS(getpid),
        SCMP_SYS(gettid),
        SCMP_SYS(rt_sigaction),
        SCMP_SYS(rt_sigprocmask),
        SCMP_SYS(rt_sigreturn),
        SCMP_SYS(restart_syscall),
        SCMP_SYS(sched_yield),
        SCMP_SYS(exit),
        SCMP_SYS(exit_group),
};

/* Of a loop without an io_uring, and its threads. */
static const int thread_calls[] = {
        SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_ctl), SCMP_SYS(timerfd_settime), SCMP_SYS(read),
        SCMP_SYS(preadv),     SCMP_SYS(pwritev),     SCMP_SYS(fsync),     SCMP_SYS(fdatasync),       SCMP_SYS(fsetxattr),
};

/* What the run-time of a sanitizer does besides, mostly in order to report. */
static const int sanitizer_calls[] = {
        SCMP_SYS(mmap),
        SCMP_SYS(mprotect),
        SCMP_SYS(openat),
        SCMP_SYS(read),
        SCMP_SYS(readlink),
        SCMP_SYS(sigaltstack),
        SCMP_SYS(prctl),
        SCMP_SYS(sched_getaffinity),
        SCMP_SYS(clone),
        SCMP_SYS(wait4),
        SCMP_SYS(prlimit64),
        SCMP_SYS(getrusage),
        SCMP_SYS(lseek),
        SCMP_SYS(ioctl),
        SCMP_SYS(pipe2),
        SCMP_SYS(getppid),
        SCMP_SYS(getdents64),
        SCMP_SYS(process_vm_readv),
        SCMP_SYS(uname),
        SCMP_SYS(access),
        SCMP_SYS(stat),
        SCMP_SYS(nanosleep),
        SCMP_SYS(clock_nanosleep),
};

static int allow(scmp_filter_ctx filter, const int *list, size_t n) {
        int r = 0;

        for (size_t i = 0; i < n && r == 0; i++)
                r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, list[i], 0);
        return r;
}

/* Calls that are harmless with some arguments only: no memory that can be executed, no signal but to itself. */
static int allow_some(scmp_filter_ctx filter) {
        const struct scmp_arg_cmp no_code = {.arg = 2, .op = SCMP_CMP_MASKED_EQ, .datum_a = PROT_EXEC, .datum_b = 0};
        const struct scmp_arg_cmp files = {.arg = 1, .op = SCMP_CMP_EQ, .datum_a = IORING_REGISTER_FILES_UPDATE, .datum_b = 0};
        const struct scmp_arg_cmp memory = {.arg = 1, .op = SCMP_CMP_EQ, .datum_a = IORING_REGISTER_BUFFERS_UPDATE, .datum_b = 0};
        const struct scmp_arg_cmp no_limit = {.arg = 2, .op = SCMP_CMP_EQ, .datum_a = 0, .datum_b = 0};
        const struct scmp_arg_cmp itself = {.arg = 0, .op = SCMP_CMP_EQ, .datum_a = (scmp_datum_t)getpid(), .datum_b = 0};
        int r = IS_SANITIZED ? 0 : seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, &no_code);

        if (r == 0 && !IS_SANITIZED)
                r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, &no_code);
        if (r == 0 && !IS_SANITIZED) /* to be told of one, not to set it */
                r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1, &no_limit);
        if (r == 0)
                r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(io_uring_register), 1, &files);
        if (r == 0)
                r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(io_uring_register), 1, &memory);
        if (r == 0)
                r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, &itself);
        return r;
}

/* Only what is safe in a signal handler. */
static void on_refused(int signal, siginfo_t *info, void *context) {
        char text[] = "iovd worker: system call 00000 is not allowed\n";
        char *digit = strchr(text, '0') + 4;

        for (int n = info->si_syscall; n > 0 && *digit >= '0' && *digit <= '9'; n /= 10)
                *digit-- = (char)('0' + n % 10);
        if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
                _exit(128 + SIGSYS);
        /* Back to what the signal does by default, when it is let in at the end of this handler. */
        sigaction(SIGSYS, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
        syscall(SYS_tgkill, getpid(), gettid(), SIGSYS);
}

int link_sandbox_filter(bool has_threads) {
        const struct sigaction action = {.sa_sigaction = on_refused, .sa_flags = SA_SIGINFO};
        scmp_filter_ctx filter = NULL;
        int r = sigaction(SIGSYS, &action, NULL) < 0 ? -errno : 0;

        if (r == 0 && !(filter = seccomp_init(SCMP_ACT_TRAP)))
                r = -ENOMEM;
        if (r == 0)
                r = allow(filter, calls, ARRAY_LENGTH(calls));
        if (r == 0 && has_threads)
                r = allow(filter, thread_calls, ARRAY_LENGTH(thread_calls));
        if (r == 0 && has_threads) /* for all of them, or for none */
                r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
        if (r == 0 && IS_SANITIZED)
                r = allow(filter, sanitizer_calls, ARRAY_LENGTH(sanitizer_calls));
        if (r == 0)
                r = allow_some(filter);
        if (r == 0)
                r = seccomp_load(filter);
        if (filter)
                seccomp_release(filter);
        return r;
}

bool link_sandbox_is_loose(void) {
        return IS_SANITIZED;
}
