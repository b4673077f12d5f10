/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stands in for iovd in tests of the sim: transport; what it does is in $FAKE_IOVD. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>

#include "fake-appliance.h"
#include "util.h"

/* Write what was inherited to STATE/fds, one number a line. */
static void report(const char *directory, char **argv) {
        CLEANUP_FREE char *path = NULL;
        CLEANUP_FILE FILE *file = NULL;
        struct dirent *entry;
        DIR *d = opendir("/proc/self/fd");

        if (!d || asprintf(&path, "%s/fds", directory) < 0)
                abort();
        CLEANUP_FREE char *numbers = calloc(1, 4096);
        size_t used = 0;
        while (numbers && used < 4000 && (entry = readdir(d)))
                if (*entry->d_name != '.' && atoi(entry->d_name) != dirfd(d))
                        used += (size_t)snprintf(numbers + used, 4096 - used, "%s\n", entry->d_name);
        closedir(d);
        file = fopen(path, "we");
        if (!file || !numbers)
                abort();
        fputs(numbers, file);
}

/* One of a release that does not judge plans, or one that refuses each commit: 43 reasons, of which it tells two. */
static unsigned int answer(struct fake *f, unsigned int opcode, unsigned char *payload, size_t *length) {
        struct iov_mb_error errors[2] = {{.op_index = 0, .reasons = 43}, {.op_index = UINT32_MAX}};

        *length = 0;
        if (opcode == IOV_OP_IDENTIFY) {
                *length = sizeof(struct iov_mb_identify);
                memset(payload, 0, *length);
        }
        if (opcode != IOV_OP_TXN_COMMIT)
                return IOV_RET_SUCCESS;
        field_set(errors[0].text, sizeof(errors[0].text), "no");
        field_set(errors[1].text, sizeof(errors[1].text), "never");
        memcpy(payload, errors, sizeof(errors));
        *length = sizeof(errors);
        return IOV_RET_BUSY;
}

int main(int argc, char **argv) {
        const char *mode = getenv("FAKE_IOVD");
        struct fake f;

        if (argc != 5 || strcmp(argv[1], "--sim-fd") != 0 || strcmp(argv[2], "3") != 0 || strcmp(argv[3], "--state") != 0 ||
            !mode)
                return 99;
        if (strcmp(mode, "words") == 0) {
                fprintf(stderr, "<6>log line before\n<3>%s: written by a newer iovd (version 9); use that one\n", argv[4]);
                return 1;
        }
        if (strcmp(mode, "silent") == 0)
                return 7;
        if (strcmp(mode, "not-permitted") == 0) {
                fprintf(stderr, "%s: Permission denied\n", argv[4]);
                return 4;
        }
        if (strcmp(mode, "crash") == 0)
                raise(SIGKILL);
        report(argv[4], argv);
        fake_init(&f);
        f.map = f.sealed = true;
        f.command = answer;
        if (strcmp(mode, "refuses") == 0)
                f.bar0[IOV_REG_CAPS + IOV_CAPS_REASONS_SHIFT / 8] |= 1 << IOV_CAPS_REASONS_SHIFT % 8;
        if (strcmp(mode, "chatty") == 0)
                for (unsigned int i = 0; i < 20000; i++) /* more than a pipe holds */
                        fprintf(stderr, "<4>line %u\n", i);
        fake_serve(&f, 3);
        if (strcmp(mode, "last-words") == 0)
                fprintf(stderr, "<5>good bye\nno level\n");
        if (strcmp(mode, "stays") == 0) {
                close(2);
                pause();
        }
        fake_free(&f);
        return strcmp(mode, "bad-end") == 0 ? 5 : 0;
}
