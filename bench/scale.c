/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * scale BUILD DIRECTORY [ROUNDS]
 *
 * Large topologies: what iovprov takes for validate, plan and apply, beside a bare parse of the same file into libyaml's events,
 * and for ten times as much; iovctl's list beside lspci's. Wall time of whole processes, the private iovd of sim: included, which
 * is in DIRECTORY, as are the files. Rounds alternate; medians.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <yaml.h>

#include "bench/measure.h"
#include "util.h"

#define ROUNDS_MAX 31
#define PATH_SIZE 4096
#define CONFIG_BYTES 64 /* of a function in the dump: the header alone, PCI 3.0 section 6.1, is the quickest to read */

extern char **environ;

static const char *build, *directory;
static unsigned int n_rounds = 5;

/* A topology of `pairs` volumes and vAdapters that show them. */
struct size {
        const char *name;
        unsigned int pairs;
        char file[PATH_SIZE], state[PATH_SIZE], address[PATH_SIZE];
        double parse[ROUNDS_MAX], validate[ROUNDS_MAX], plan[ROUNDS_MAX], apply[ROUNDS_MAX], write[ROUNDS_MAX];
};

static double ms_since(uint64_t start) {
        return (double)(measure_ns() - start) / 1e6;
}

__attribute__((format(printf, 2, 3))) static void path_make(char path[PATH_SIZE], const char *format, ...) {
        va_list args;

        va_start(args, format);
        int n = vsnprintf(path, PATH_SIZE, format, args);
        va_end(args);
        if (n < 0 || n >= PATH_SIZE)
                measure_die("scale: the path is too long");
}

static FILE *create(const char *path) {
        FILE *f = fopen(path, "we");

        if (!f)
                measure_die("scale: %s: %s", path, strerror(errno));
        return f;
}

static void created(FILE *f, const char *path) {
        if (fclose(f) != 0)
                measure_die("scale: %s: %s", path, strerror(errno));
}

/* 4MiB each: the built-in chassis' ssd0 has room for all. */
static void topology_write(const struct size *s) {
        FILE *f = create(s->file);

        fputs("version: 1\nkind: topology\nvolumes:\n", f);
        for (unsigned int i = 0; i < s->pairs; i++)
                fprintf(f, "  vol%05u: {adapter: ssd0, size: 4MiB}\n", i);
        fputs("vadapters:\n", f);
        for (unsigned int i = 0; i < s->pairs; i++)
                fprintf(f, "  va%05u: {adapter: ssd0, namespaces: [{volume: vol%05u}]}\n", i, i);
        created(f, s->file);
}

/* As `lspci -n -x` prints them: one NVMe controller after the other. */
static void dump_write(const char *path, unsigned int n) {
        static const unsigned char config[CONFIG_BYTES] = {0x36, 0x1b, 0x01, 0x00, 0x06, 0x04,
                                                           0x10, 0x00, 0x00, 0x02, 0x08, 0x01};
        FILE *f = create(path);

        for (unsigned int i = 0; i < n; i++) {
                fprintf(f, "%04x:%02x:%02x.0 0108: 1b36:0001\n", i >> 13, i >> 5 & 0xff, i & 0x1f);
                for (unsigned int offset = 0; offset < CONFIG_BYTES; offset++) {
                        if (offset % 16 == 0)
                                fprintf(f, "%02x:", offset);
                        fprintf(f, " %02x%s", config[offset], offset % 16 == 15 ? "\n" : "");
                }
                fputc('\n', f);
        }
        created(f, path);
}

/* ---- what is measured ---- */

/* Every event of the file, looked at by nobody. */
static double parse_bare(const char *path) {
        yaml_parser_t parser;
        yaml_event_t event;
        yaml_event_type_t type = YAML_NO_EVENT;
        uint64_t start = measure_ns();
        CLEANUP_FILE FILE *f = fopen(path, "re");

        if (!f || !yaml_parser_initialize(&parser))
                measure_die("scale: %s: cannot parse", path);
        yaml_parser_set_input_file(&parser, f);
        while (type != YAML_STREAM_END_EVENT) {
                if (!yaml_parser_parse(&parser, &event))
                        measure_die("scale: %s: %s", path, parser.problem);
                type = event.type;
                yaml_event_delete(&event);
        }
        yaml_parser_delete(&parser);
        return ms_since(start);
}

/* Run a program to its end, its output to a file, and say how long that took. */
static double run(char *const *argv, int wanted_status) {
        posix_spawn_file_actions_t actions;
        char out[PATH_SIZE];
        int status = 0;
        pid_t pid;

        path_make(out, "%s/out", directory);
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        uint64_t start = measure_ns();
        int r = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
        if (r != 0)
                measure_die("scale: %s: %s", argv[0], strerror(r));
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        double ms = ms_since(start);
        posix_spawn_file_actions_destroy(&actions);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != wanted_status)
                measure_die("scale: %s %s: ended with status %#x", argv[0], argv[1], (unsigned int)status);
        return ms;
}

/* In a build tree that is a script of libtool's, in front of what is installed. */
static void tool_path(char path[PATH_SIZE], const char *name) {
        path_make(path, "%s/.libs/%s", build, name);
        if (access(path, X_OK) < 0)
                path_make(path, "%s/%s", build, name);
}

static double iovprov(struct size *s, const char *verb) {
        char program[PATH_SIZE], option[] = "-a", words[16];

        tool_path(program, "iovprov");
        snprintf(words, sizeof(words), "%s", verb);
        char *const argv[] = {program, option, s->address, words, s->file, NULL};
        return run(argv, 0);
}

/* The size of what is saved, and as many bytes written to a new file and synced: what any durable apply costs at least. */
static double write_bare(const struct size *s) {
        char saved[PATH_SIZE], path[PATH_SIZE];
        struct stat st;

        path_make(saved, "%s/state", s->state);
        path_make(path, "%s/bare", directory);
        if (stat(saved, &st) < 0)
                measure_die("scale: %s: %s", saved, strerror(errno));
        CLEANUP_FREE char *bytes = malloc((size_t)st.st_size);
        if (!bytes)
                measure_die("scale: out of memory");
        memset(bytes, 0x5a, (size_t)st.st_size);
        uint64_t start = measure_ns();
        CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0 || write(fd, bytes, (size_t)st.st_size) != st.st_size || fsync(fd) < 0)
                measure_die("scale: %s: %s", path, strerror(errno));
        double ms = ms_since(start);
        unlink(path);
        return ms;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

/* One after the other, so that what disturbs one disturbs all. */
static void round_run(struct size *s, unsigned int i) {
        if (nftw(s->state, remove_entry, 16, FTW_DEPTH | FTW_PHYS) < 0 && errno != ENOENT)
                measure_die("scale: %s: %s", s->state, strerror(errno));
        s->parse[i] = parse_bare(s->file);
        s->validate[i] = iovprov(s, "validate");
        s->apply[i] = iovprov(s, "apply");
        s->plan[i] = iovprov(s, "plan");
        s->write[i] = write_bare(s);
}

static void prepare(struct size *s) {
        path_make(s->file, "%s/%s.yaml", directory, s->name);
        path_make(s->state, "%s/%s.state", directory, s->name);
        path_make(s->address, "sim:%s", s->state);
        topology_write(s);
}

/* ---- the table ---- */

static void row(const char *what, const char *name, double ours, double peer, double goal) {
        char words[64];

        snprintf(words, sizeof(words), "%s, %s", what, name);
        printf("%-46s %9.2f ms %9.2f ms %7.2f  ", words, ours, peer, ours / peer);
        if (goal > 0)
                printf("%g %s\n", goal, ours / peer <= goal ? "held" : "missed");
        else
                puts("-");
        fflush(stdout);
}

static double median(double *values) {
        return measure_median(values, n_rounds);
}

static void compare_list(struct size *s) {
        char program[PATH_SIZE], dump[PATH_SIZE], lspci[] = "lspci", n[] = "-n", file[] = "-F", option[] = "-a",
                                                  object[] = "vadapter", verb[] = "list", output[] = "-o", format[] = "json";
        double ours[ROUNDS_MAX], peer[ROUNDS_MAX];

        tool_path(program, "iovctl");
        path_make(dump, "%s/dump", directory);
        dump_write(dump, s->pairs);
        char *const list[] = {program, option, s->address, object, verb, output, format, NULL};
        char *const peers[] = {lspci, n, file, dump, NULL};
        for (unsigned int i = 0; i < n_rounds; i++) {
                ours[i] = run(list, 0);
                peer[i] = run(peers, 0);
        }
        row("vadapter list -o json, lspci -n -F", s->name, median(ours), median(peer), 1);
}

int main(int argc, char **argv) {
        static struct size sizes[] = {
                {.name = "10k+10k", .pairs = 10000}, {.name = "5k+5k", .pairs = 5000}, {.name = "50k+50k", .pairs = 50000}};
        struct size *pairs = &sizes[0], *small = &sizes[1], *large = &sizes[2];
        char iovd[PATH_SIZE], libraries[PATH_SIZE];

        if (argc < 3 || (argc > 3 && (n_rounds = (unsigned int)atoi(argv[3])) == 0) || n_rounds > ROUNDS_MAX)
                measure_die("usage: scale BUILD DIRECTORY [ROUNDS]");
        build = argv[1];
        directory = argv[2];
        path_make(iovd, "%s/iovd", build);
        setenv("IOVD", iovd, 1);
        path_make(libraries, "%s/.libs", build);
        setenv("LD_LIBRARY_PATH", libraries, 1);
        for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++)
                prepare(&sizes[i]);
        for (unsigned int i = 0; i < n_rounds; i++)
                for (size_t k = 0; k < ARRAY_LENGTH(sizes); k++)
                        round_run(&sizes[k], i);
        double parse = median(pairs->parse);
        row("validate, bare YAML events", pairs->name, median(pairs->validate), parse, 3);
        row("plan of no change, bare YAML events", pairs->name, median(pairs->plan), parse, 4);
        row("apply, bare YAML events", pairs->name, median(pairs->apply), parse, 8);
        row("  of it, bare write and sync of the state", pairs->name, median(pairs->write), parse, 0);
        row("bare YAML events, 50k+50k", small->name, median(large->parse), median(small->parse), 0);
        row("validate, 50k+50k", small->name, median(large->validate), median(small->validate), 11);
        row("plan of no change, 50k+50k", small->name, median(large->plan), median(small->plan), 11);
        row("apply, 50k+50k", small->name, median(large->apply), median(small->apply), 11);
        compare_list(pairs);
        return 0;
}
