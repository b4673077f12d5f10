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
