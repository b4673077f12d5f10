/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The memory of volumes: how much there is, as /proc and cgroups of both versions say, and taking it. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/volumes/memory.h"
#include "util.h"

#define MIB (UINT64_C(1) << 20)
#define LARGE_PAGE (2 * MIB)

static char root[64], proc[80], cgroups[80];

static void put(const char *name, const char *text) {
        char path[PATH_MAX];

        snprintf(path, sizeof(path), "%s/%s", root, name);
        for (char *slash = path + strlen(root) + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
                *slash = 0;
                mkdir(path, 0700);
        }
        CLEANUP_FILE FILE *f = fopen(path, "we");
        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
}

static int setup(void **state) {
        strcpy(root, "/tmp/iov-test-memory-XXXXXX");
        if (!mkdtemp(root))
                return -1;
        snprintf(proc, sizeof(proc), "%s/proc", root);
        snprintf(cgroups, sizeof(cgroups), "%s/cgroup", root);
        /* 16 GiB, 8 of them available. */
        put("proc/meminfo", "MemTotal:       16777216 kB\nMemFree:  1 kB\nMemAvailable:    8388608 kB\n");
        return 0;
}

static int teardown(void **state) {
        char command[96];

        snprintf(command, sizeof(command), "rm -rf '%s'", root);
        return system(command);
}

static void test_machine(void **state) {
        put("proc/self/cgroup", "");
        assert_int_equal(memory_available(proc, cgroups), 7168 * MIB); /* a sixteenth of all is left */
        put("proc/meminfo", "MemTotal: 16777216 kB\nMemAvailable: 1048576 kB\n");
        assert_int_equal(memory_available(proc, cgroups), 0);
        /* Of this machine, by another way where the file is not to be seen. */
        assert_true(memory_available("/nowhere", cgroups) < UINT64_MAX);
        assert_true(memory_available(NULL, NULL) < UINT64_MAX);
}

static void test_version_2(void **state) {
        put("proc/self/cgroup", "0::/system.slice/iovd.service\n");
        put("cgroup/system.slice/iovd.service/memory.max", "max\n");
        put("cgroup/system.slice/iovd.service/memory.current", "1\n");
        assert_int_equal(memory_available(proc, cgroups), 7168 * MIB);
        /* 2 GiB, of which 512 MiB are used and 256 of these are files in the page cache. */
        put("cgroup/system.slice/iovd.service/memory.max", "2147483648\n");
        put("cgroup/system.slice/iovd.service/memory.current", "536870912\n");
        put("cgroup/system.slice/iovd.service/memory.stat",
            "anon 268435456\nfile 268435456\nworkingset_inactive_file 7\ninactive_file 167772160\nactive_file 100663296\n");
        assert_int_equal(memory_available(proc, cgroups), (2048 - 128 - 256) * MIB);
        /* One above it has less left, and nothing. */
        put("cgroup/system.slice/memory.max", "1073741824\n");
        put("cgroup/system.slice/memory.current", "805306368\n");
        assert_int_equal(memory_available(proc, cgroups), (1024 - 64 - 768) * MIB);
        put("cgroup/system.slice/memory.current", "1073741824\n");
        assert_int_equal(memory_available(proc, cgroups), 0);
        /* A container: its own cgroup is where all of them are mounted. */
        put("proc/self/cgroup", "0::/../../elsewhere/container\n");
        put("cgroup/memory.max", "1073741824\n");
        put("cgroup/memory.current", "0\n");
        assert_int_equal(memory_available(proc, cgroups), 960 * MIB);
}

static void test_version_1(void **state) {
        put("proc/self/cgroup", "5:cpu,cpuacct:/b\n4:hugetlb,memory:/a\n0::/\n");
        put("cgroup/memory/b/memory.limit_in_bytes", "0\n");
        put("cgroup/memory/b/memory.usage_in_bytes", "0\n");
        put("cgroup/memory/a/memory.limit_in_bytes", "9223372036854771712\n");
        put("cgroup/memory/a/memory.usage_in_bytes", "5\n");
        assert_int_equal(memory_available(proc, cgroups), 7168 * MIB);
        put("cgroup/memory/a/memory.limit_in_bytes", "1073741824\n");
        put("cgroup/memory/a/memory.usage_in_bytes", "1073741824\n");
        put("cgroup/memory/a/memory.stat", "inactive_file 1\ntotal_inactive_file 536870912\ntotal_active_file 1048576\n");
        assert_int_equal(memory_available(proc, cgroups), (512 + 1 - 64) * MIB);
        put("proc/self/cgroup", "nonsense\n4:memory\n\n9:notmemory,memories:/a\n");
        assert_int_equal(memory_available(proc, cgroups), 7168 * MIB);
}

static void test_allocate(void **state) {
        const char text[] = "what is there is kept";
        char read_back[sizeof(text)] = "";
        uint64_t large = 1;
        bool stop = false;
        int fd = -1;

        assert_int_equal(memory_make(&fd), 0);
        assert_int_equal(memory_held(fd), 0);
        assert_int_equal(pwrite(fd, text, sizeof(text), 3 * MIB), sizeof(text));
        assert_int_equal(memory_allocate(fd, 5 * MIB + 4096, &stop, &large), 0);
        assert_int_equal(memory_held(fd), 5 * MIB + 4096);
        assert_true(large % LARGE_PAGE == 0 && large <= 4 * MIB);
        assert_int_equal(pread(fd, read_back, sizeof(read_back), 3 * MIB), sizeof(read_back));
        assert_string_equal(read_back, text);
        /* Once more takes nothing, less does not shrink it. */
        assert_int_equal(memory_allocate(fd, MIB, &stop, &large), 0);
        assert_int_equal(large, 0);
        assert_int_equal(memory_held(fd), 5 * MIB + 4096);
        assert_int_equal(memory_trim(fd, MIB), 0);
        assert_int_equal(memory_held(fd), MIB);
        assert_int_equal(memory_trim(fd, 64 * MIB), 0);
        assert_int_equal(memory_held(fd), MIB);
        assert_true(ftruncate(fd, 4096) < 0 && errno == EPERM);
        /* More than a machine has: nothing is taken. */
        assert_int_equal(memory_allocate(fd, UINT64_C(1) << 60, &stop, &large), -ENOSPC);
        assert_int_equal(memory_held(fd), MIB);
        stop = true;
        assert_int_equal(memory_allocate(fd, 128 * MIB, &stop, &large), -ECANCELED);
        assert_true(memory_held(fd) < 128 * MIB);
        close(fd);
        assert_int_equal(memory_held(-1), 0);
        assert_int_equal(memory_allocate(-1, MIB, &stop, &large), -EBADF);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_machine, setup, teardown),
                cmocka_unit_test_setup_teardown(test_version_2, setup, teardown),
                cmocka_unit_test_setup_teardown(test_version_1, setup, teardown),
                cmocka_unit_test(test_allocate),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
