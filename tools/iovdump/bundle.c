/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bundle: everything that helps to understand an appliance from afar, in one archive. Collected first, then written. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tools/common/objects.h"
#include "tools/common/report.h"
#include "tools/iovdump/iovdump.h"
#include "tools/iovdump/sha256.h"
#include "util.h"

struct member {
        char *name, *data;
        size_t length;
};
struct bundle {
        struct member *members;
        size_t n;
        time_t now;
};

static void bundle_free(struct bundle *b) {
        for (size_t i = 0; i < b->n; i++) {
                free(b->members[i].name);
                free(b->members[i].data);
        }
        free(b->members);
}
#define CLEANUP_BUNDLE __attribute__((cleanup(bundle_free)))

/* Takes `data` over. */
static void add_member(struct bundle *b, const char *name, char *data, size_t length) {
        b->members = xrealloc(b->members, b->n + 1, sizeof(*b->members));
        b->members[b->n++] = (struct member){xstrdup(name), data, length};
}

/* A stream whose text becomes a member. The stream keeps the addresses of the two others: it must stay where it was opened. */
struct text {
        FILE *stream;
        char *data;
        size_t length;
};

static void text_open(struct text *t) {
        *t = (struct text){0};
        t->stream = xopen_memstream(&t->data, &t->length);
}

/* Closes it; `r` is how writing went, and is returned. */
static int text_add(struct text *t, struct bundle *b, const char *name, int r) {
        if (fclose(t->stream) != 0 && r == 0)
                r = -ENOMEM;
        if (r < 0)
                free(t->data);
        else
                add_member(b, name, t->data, t->length);
        return r;
}

static int add_yaml(struct bundle *b, const struct iov_model *model, const char *name,
                    int (*write_model)(const struct iov_model *model, FILE *stream)) {
        struct text t;

        text_open(&t);
        return text_add(&t, b, name, write_model(model, t.stream));
}

static int add_registers(struct bundle *b, struct iov_appliance *appliance) {
        static const struct output output = {.format = FORMAT_TABLE, .bytes = true};
        CLEANUP_TABLE struct table *table = NULL;
        int r = registers_read(appliance, &table);

        if (r < 0)
                return r;
        struct text t;

        text_open(&t);
        return text_add(&t, b, "registers.txt", table_write_text(table, &output, false, t.stream));
}

static int add_pci(struct bundle *b, struct iov_appliance *appliance, const struct iov_model *model) {
        CLEANUP_NAMES struct pci_access *names = names_new();
        const struct iov_server *server;

        iov_model_foreach (model, IOV_KIND_SERVER, server) {
                CLEANUP_FUNCTIONS struct functions functions = {0};
                CLEANUP_FREE char *name = xasprintf("pci-%s.txt", server->name);
                int r = functions_read(appliance, model, server->name, &functions);

                /* The name becomes a path for whoever unpacks it: an appliance that lies must not choose where. */
                if (r < 0 || !iov_name_is_valid(server->name))
                        return r < 0 ? r : -EPROTO;
                struct text t;

                text_open(&t);
                functions_write(&functions, names, t.stream);
                r = text_add(&t, b, name, 0);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* All objects, as iovctl lists them under -o json. */
static int add_state(struct bundle *b, const struct snapshot *snapshot, const struct iov_mb_identify *id) {
        struct json_object *root = state_tree(snapshot, id, FORMAT_JSON);
        struct text t;

        text_open(&t);
        int r = text_add(&t, b, "state.json", tree_write(root, FORMAT_JSON, t.stream));
        json_object_put(root);
        return r;
}

static int add_log(struct bundle *b, struct iov_appliance *appliance) {
        char *text = NULL;
        size_t length = 0;
        int r = iov_log_read(appliance, &text, &length);

        if (r == 0)
                add_member(b, "iovd.log", text, length);
        return r;
}

static struct json_object *text_or_null(const char *field, size_t size) {
        size_t length = strnlen(field, size);

        return length ? json_object_new_string_len(field, (int)length) : NULL;
}

static int add_manifest(struct bundle *b, const struct iov_model *model, const struct iov_mb_identify *id) {
        struct json_object *root = json_object_new_object(), *appliance = json_object_new_object(),
                           *members = json_object_new_array();
        struct tm tm;
        char stamp[32];

        strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&b->now, &tm));
        json_object_object_add(root, "schema", json_object_new_int(1));
        json_object_object_add(root, "created", json_object_new_string(stamp));
        json_object_object_add(root, "tool_version", json_object_new_string(PACKAGE_VERSION));
        json_object_object_add(appliance, "chassis", text_or_null(id->chassis, sizeof(id->chassis)));
        json_object_object_add(appliance, "iovd_version", text_or_null(id->version, sizeof(id->version)));
        json_object_object_add(appliance, "boot_time_ns", json_object_new_uint64(id->boot_time_ns));
        json_object_object_add(appliance, "generation", json_object_new_uint64(iov_model_get_generation(model)));
        json_object_object_add(root, "appliance", appliance);
        for (size_t i = 0; i < b->n; i++) {
                struct json_object *member = json_object_new_object();
                char hex[65];

                sha256_hex(b->members[i].data, b->members[i].length, hex);
                json_object_object_add(member, "name", json_object_new_string(b->members[i].name));
                json_object_object_add(member, "size", json_object_new_uint64(b->members[i].length));
                json_object_object_add(member, "sha256", json_object_new_string(hex));
                json_object_array_add(members, member);
        }
        json_object_object_add(root, "members", members);
        struct text t;

        text_open(&t);
        int r = text_add(&t, b, "manifest.json", tree_write(root, FORMAT_JSON, t.stream));
        json_object_put(root);
        return r;
}

static int collect(struct iov_appliance *appliance, struct bundle *b) {
        CLEANUP_SNAPSHOT struct snapshot snapshot = {0};
        struct iov_mb_identify id;
        int r = iov_identify(appliance, &id);

        if (r == 0)
                r = snapshot_read(appliance, &snapshot);
        if (r == 0)
                r = add_yaml(b, snapshot.model, "topology.yaml", iov_topology_write);
        if (r == 0)
                r = add_yaml(b, snapshot.model, "chassis.yaml", iov_chassis_write);
        if (r == 0)
                r = add_state(b, &snapshot, &id);
        if (r == 0)
                r = add_registers(b, appliance);
        if (r == 0)
                r = add_pci(b, appliance, snapshot.model);
        if (r == 0)
                r = add_log(b, appliance);
        return r < 0 ? r : add_manifest(b, snapshot.model, &id);
}

static int write_member(struct archive *a, const struct bundle *b, const char *folder, const struct member *m) {
        struct archive_entry *entry = archive_entry_new();
        CLEANUP_FREE char *path = xasprintf("%s/%s", folder, m->name);

        if (!entry)
                return ARCHIVE_FATAL;
        archive_entry_set_pathname(entry, path);
        archive_entry_set_size(entry, (la_int64_t)m->length);
        archive_entry_set_filetype(entry, AE_IFREG);
        archive_entry_set_perm(entry, 0600);
        archive_entry_set_mtime(entry, b->now, 0);
        int r = archive_write_header(a, entry);
        if (r == ARCHIVE_OK && m->length && archive_write_data(a, m->data, m->length) != (la_ssize_t)m->length)
                r = ARCHIVE_FATAL;
        archive_entry_free(entry);
        return r;
}

/* Format by the file's suffix, gzipped tar where that says nothing. NULL: no memory. */
static struct archive *archive_new(const char *file) {
        struct archive *a = archive_write_new();

        if (!a || (strcmp(file, "-") != 0 && archive_write_set_format_filter_by_ext(a, file) == ARCHIVE_OK))
                return a;
        /* An unknown suffix leaves the object unusable. */
        archive_write_free(a);
        a = archive_write_new();
        if (a && archive_write_set_format_pax_restricted(a) == ARCHIVE_OK && archive_write_add_filter_gzip(a) == ARCHIVE_OK)
                return a;
        if (a)
                archive_write_free(a);
        return NULL;
}

static int write_archive(const struct tool *tool, const struct bundle *b, const char *file, int fd) {
        struct archive *a = archive_new(file);
        char folder[64];
        struct tm tm;
        int r = a ? ARCHIVE_OK : ARCHIVE_FATAL, status = STATUS_DONE;

        strftime(folder, sizeof(folder), "iov-bundle-%Y%m%dT%H%M%SZ", gmtime_r(&b->now, &tm));
        if (r == ARCHIVE_OK)
                r = archive_write_open_fd(a, fd);
        /* The manifest was made last and goes first. */
        for (size_t i = 0; r == ARCHIVE_OK && b->members && i < b->n; i++)
                r = write_member(a, b, folder, &b->members[(i + b->n - 1) % b->n]);
        if (r == ARCHIVE_OK)
                r = archive_write_close(a);
        if (r != ARCHIVE_OK)
                status = report_error(tool, STATUS_FAILED, "%s: %s", file,
                                      a && archive_error_string(a) ? archive_error_string(a) : "no memory");
        if (a)
                archive_write_free(a);
        return status;
}

/* What is there already and is no file (a tape, a pipe, /dev/stdout) is written to: renaming would put a file in its place. */
static int write_device(const struct tool *tool, const struct bundle *b, const char *file) {
        CLEANUP_CLOSE int fd = open(file, O_WRONLY | O_CLOEXEC | O_NOCTTY);

        return fd < 0 ? report_errno(tool, -errno, "%s", file) : write_archive(tool, b, file, fd);
}

static bool is_device(const char *file) {
        struct stat st;

        return stat(file, &st) == 0 && !S_ISREG(st.st_mode);
}

/* To a temporary name beside it, then renamed: a bundle is whole or not there. It is for its owner only. */
static int write_file(const struct tool *tool, const struct bundle *b, const char *file) {
        CLEANUP_FREE char *temporary = xasprintf("%s.XXXXXX", file);
        CLEANUP_CLOSE int fd = mkostemp(temporary, O_CLOEXEC);

        if (fd < 0)
                return report_errno(tool, -errno, "%s", file);
        int status = write_archive(tool, b, file, fd);
        if (status == STATUS_DONE && (fsync(fd) < 0 || rename(temporary, file) < 0))
                status = report_errno(tool, -errno, "%s", file);
        if (status != STATUS_DONE)
                unlink(temporary);
        return status;
}

int dump_bundle(struct tool *tool, char **words, unsigned int n_words) {
        CLEANUP_BUNDLE struct bundle b = {.now = time(NULL)};
        struct iov_appliance *appliance = NULL;
        bool to_stdout = strcmp(words[0], "-") == 0;

        if (to_stdout && isatty(STDOUT_FILENO))
                return report_error(tool, STATUS_USAGE, "bundle: an archive is not for a terminal; name a file, or redirect");
        int status = session_open(tool, &appliance);
        if (status != STATUS_DONE)
                return status;
        int r = collect(appliance, &b);
        iov_close(appliance);
        if (r < 0)
                return report_errno(tool, r, "collecting failed");
        if (to_stdout)
                return write_archive(tool, &b, "-", STDOUT_FILENO);
        return is_device(words[0]) ? write_device(tool, &b, words[0]) : write_file(tool, &b, words[0]);
}
