/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * main() of a fuzz target that is not built with libFuzzer: runs every file of the directories given, or else of
 * $IOV_SOURCE/tests/fuzz/corpus/NAME, where the program is called fuzz-NAME. Prints TAP.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int is_file(const struct dirent *entry) {
        return entry->d_name[0] != '.';
}

static int run_file(const char *path) {
        FILE *f = fopen(path, "re");
        uint8_t *data = NULL;
        size_t size = 0, n;
        uint8_t chunk[4096];

        if (!f)
                return -1;
        while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0) {
                uint8_t *more = realloc(data, size + n);

                if (!more)
                        abort();
                data = more;
                memcpy(data + size, chunk, n);
                size += n;
        }
        fclose(f);
        /* Of its exact size, so that a sanitizer sees a byte too far. */
        LLVMFuzzerTestOneInput(data, size);
        free(data);
        return 0;
}

static int run_directory(const char *directory, int *count) {
        struct dirent **entries = NULL;
        int n = scandir(directory, &entries, is_file, alphasort), failed = n <= 0;

        if (n <= 0)
                fprintf(stderr, "%s: no corpus\n", directory);
        for (int i = 0; i < n; i++) {
                char path[4096];

                snprintf(path, sizeof(path), "%s/%s", directory, entries[i]->d_name);
                int r = run_file(path);
                failed |= r < 0;
                printf("%sok %d - %s\n", r < 0 ? "not " : "", ++*count, entries[i]->d_name);
                fflush(stdout);
                free(entries[i]);
        }
        free(entries);
        return failed;
}

int main(int argc, char **argv) {
        const char *source = getenv("IOV_SOURCE"), *name = strstr(argv[0], "fuzz-");
        int count = 0, failed = 0;

        /* The last one: a directory may be called so too. */
        for (const char *p = name; p; p = strstr(p + 1, "fuzz-"))
                name = p;
        for (int i = 1; i < argc; i++)
                failed |= run_directory(argv[i], &count);
        if (argc == 1) {
                char directory[4096];

                snprintf(directory, sizeof(directory), "%s/tests/fuzz/corpus/%s", source ? source : ".", name ? name + 5 : "");
                failed |= run_directory(directory, &count);
        }
        printf("1..%d\n", count);
        return failed;
}
