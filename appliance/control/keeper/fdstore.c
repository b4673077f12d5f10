/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/keeper/fdstore.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "util.h"

#define PREFIX "iov-"
#define NAME_SIZE 48
#define NOTE_VERSION 1
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* The memfd. Another version of iovd may read it: it is changed only with NOTE_VERSION. */
struct stored_note {
        char magic[8];
        uint32_t version, size;
        uint64_t key, order;
        uint32_t generation, n_fds;
        unsigned char note[KEEPER_NOTE_MAX];
};

#define HEAD offsetof(struct stored_note, note)

static const char magic[8] = {'i', 'o', 'v', '-', 'k', 'e', 'p', 't'};

struct entry_name {
        uint64_t key;
        char kind; /* d, n */
        uint32_t number;
};

static void name_format(char name[NAME_SIZE], const struct entry_name *n) {
        snprintf(name, NAME_SIZE, PREFIX "%016" PRIx64 "-%c%" PRIu32, n->key, n->kind, n->number);
}

/* Only what name_format() writes. */
static bool name_parse(const char *name, struct entry_name *ret_name) {
        const size_t before = strlen(PREFIX) + 16;
        char again[NAME_SIZE];
        struct entry_name n;

        if (strncmp(name, PREFIX, strlen(PREFIX)) != 0 || strlen(name) < before + 3 || strlen(name) >= NAME_SIZE)
                return false;
        n.key = strtoull(name + strlen(PREFIX), NULL, 16);
        n.kind = name[before + 1];
        n.number = (uint32_t)strtoul(name + before + 2, NULL, 10);
        name_format(again, &n);
        if ((n.kind != 'd' && n.kind != 'n') || strcmp(name, again) != 0)
                return false;
        *ret_name = n;
        return true;
}

bool fdstore_is_there(void) {
        const char *max = getenv("FDSTORE");

        return getenv("NOTIFY_SOCKET") && max && strtoul(max, NULL, 10) > 0;
}

/* ---- putting ---- */

static int entry_put(const struct entry_name *n, int fd) {
        char name[NAME_SIZE], text[NAME_SIZE + 32];

        name_format(name, n);
        /* The manager is not to look for hang-ups and forget it by itself: a record is there as a whole or not at all. */
        snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s\nFDPOLL=0", name);
        int r = sd_pid_notify_with_fds(0, 0, text, &fd, 1);
        return r > 0 ? 0 : r < 0 ? r : -ENOTCONN;
}

static void name_remove(const char *name) {
        char text[NAME_SIZE + 32];

        snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s", name);
        sd_notify(0, text);
}

static void entry_remove(const struct entry_name *n) {
        char name[NAME_SIZE];

        name_format(name, n);
        name_remove(name);
}

static int note_make(const struct keeper_message *m, unsigned int n_fds, struct fdstore_stamp stamp, int *ret_fd) {
        struct stored_note note = {.version = NOTE_VERSION,
                                   .size = m->size,
                                   .key = m->key,
                                   .order = stamp.order,
                                   .generation = stamp.generation,
                                   .n_fds = n_fds};

        memcpy(note.magic, magic, sizeof(magic));
        memcpy(note.note, m->note, m->size);
        CLEANUP_CLOSE int fd = memfd_create("iov-note", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (fd < 0)
                return -errno;
        ssize_t n = write(fd, &note, HEAD + m->size);
        if (n != (ssize_t)(HEAD + m->size))
                return n < 0 ? -errno : -EIO;
        if (fcntl(fd, F_ADD_SEALS, SEALS) < 0)
                return -errno;
        *ret_fd = take_fd(&fd);
        return 0;
}

static int note_put(const struct keeper_message *m, unsigned int n_fds, struct fdstore_stamp stamp) {
        CLEANUP_CLOSE int fd = -1;
        int r = note_make(m, n_fds, stamp, &fd);

        return r < 0 ? r : entry_put(&(struct entry_name){m->key, 'n', stamp.generation}, fd);
}

int fdstore_put(const struct keeper_message *m, const int *fds, unsigned int n_fds, struct fdstore_stamp stamp) {
        int r = 0;

        for (unsigned int i = 0; r == 0 && i < n_fds; i++)
                r = entry_put(&(struct entry_name){m->key, 'd', i}, fds[i]);
        if (r == 0)
                r = note_put(m, n_fds, stamp);
        if (r < 0)
                fdstore_remove(m->key, n_fds, stamp.generation);
        return r;
}

int fdstore_put_note(const struct keeper_message *m, unsigned int n_fds, struct fdstore_stamp stamp) {
        int r = note_put(m, n_fds, stamp);

        if (r == 0)
                entry_remove(&(struct entry_name){m->key, 'n', stamp.generation - 1});
        return r;
}

/* The note first: without it the rest counts for nothing. */
void fdstore_remove(uint64_t key, unsigned int n_fds, uint32_t generation) {
        entry_remove(&(struct entry_name){key, 'n', generation});
        for (unsigned int i = 0; i < n_fds; i++)
                entry_remove(&(struct entry_name){key, 'd', i});
}

/* ---- taking ---- */

struct found {
        uint64_t key;
        struct fdstore_stamp stamp;
        struct keeper_message *message;
        int fds[KEEPER_FDS_MAX];
        unsigned int n_fds, n_found;
        bool bad;
};

struct taking {
        char **names;
        int n;
        struct found *found;
        size_t n_found;
        unsigned int dropped;
};

/* Copied once, then checked: sealed, it stays as it is, but who has sealed it is not known. */
static bool note_read(int fd, const struct entry_name *name, struct stored_note *note) {
        struct stat st;
        const int seals = fcntl(fd, F_GET_SEALS);

        if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &st) < 0 || st.st_size < (off_t)HEAD ||
            st.st_size > (off_t)sizeof(*note))
                return false;
        return pread(fd, note, (size_t)st.st_size, 0) == (ssize_t)st.st_size && memcmp(note->magic, magic, sizeof(magic)) == 0 &&
               note->version == NOTE_VERSION && note->size <= KEEPER_NOTE_MAX && (size_t)st.st_size == HEAD + note->size &&
               note->key == name->key && note->generation == name->number && note->n_fds <= KEEPER_FDS_MAX;
}

static struct found *found_by_key(struct taking *t, uint64_t key) {
        for (size_t i = 0; i < t->n_found; i++)
                if (t->found[i].key == key)
                        return &t->found[i];
        return NULL;
}

/* Of two notes the later one holds: its keeper has died before it could remove the other. */
static bool found_set(struct taking *t, const struct stored_note *note) {
        struct found *f = found_by_key(t, note->key);

        if (!f) {
                struct keeper_message *m = calloc(1, sizeof(*m));

                if (!m)
                        return false;
                f = &t->found[t->n_found++];
                f->key = note->key;
                f->message = m;
        } else if (f->stamp.generation == note->generation) {
                f->bad = true;
                return false;
        } else {
                struct entry_name older = {note->key, 'n', note->generation};

                if (note->generation < f->stamp.generation)
                        return false;
                older.number = f->stamp.generation;
                entry_remove(&older);
        }
        for (unsigned int i = 0; i < KEEPER_FDS_MAX; i++)
                f->fds[i] = -1;
        *f->message = (struct keeper_message){.op = KEEPER_STORE, .size = note->size, .key = note->key};
        memcpy(f->message->note, note->note, note->size);
        f->stamp = (struct fdstore_stamp){note->order, note->generation};
        f->n_fds = note->n_fds;
        return true;
}

static void drop(struct taking *t, int i) {
        t->dropped++;
        if (strncmp(t->names[i], PREFIX, strlen(PREFIX)) == 0 && strlen(t->names[i]) < NAME_SIZE)
                name_remove(t->names[i]);
}

static void take_notes(struct taking *t) {
        struct stored_note note;
        struct entry_name name;

        for (int i = 0; i < t->n; i++) {
                if (!name_parse(t->names[i], &name) || name.kind != 'n')
                        continue;
                if (!note_read(SD_LISTEN_FDS_START + i, &name, &note) || !found_set(t, &note))
                        drop(t, i);
                close(SD_LISTEN_FDS_START + i);
        }
}

static void take_descriptors(struct taking *t) {
        struct entry_name name;

        for (int i = 0; i < t->n; i++) {
                const bool known = name_parse(t->names[i], &name);

                if (known && name.kind == 'n')
                        continue;
                struct found *f = known ? found_by_key(t, name.key) : NULL;
                if (f && name.number < f->n_fds && f->fds[name.number] < 0) {
                        f->fds[name.number] = SD_LISTEN_FDS_START + i;
                        f->n_found++;
                        continue;
                }
                if (f)
                        f->bad = true;
                drop(t, i);
                close(SD_LISTEN_FDS_START + i);
        }
}

static int by_order(const void *a, const void *b) {
        const struct found *x = a, *y = b;

        return (x->stamp.order > y->stamp.order) - (x->stamp.order < y->stamp.order);
}

static void give(struct taking *t, fdstore_take_fn take, void *userdata) {
        qsort(t->found, t->n_found, sizeof(*t->found), by_order);
        for (size_t i = 0; i < t->n_found; i++) {
                struct found *f = &t->found[i];

                if (!f->bad && f->n_found == f->n_fds) {
                        take(userdata, f->message, f->fds, f->n_fds, f->stamp);
                } else {
                        t->dropped++;
                        for (unsigned int n = 0; n < f->n_fds; n++)
                                close_fd(&f->fds[n]);
                        fdstore_remove(f->key, KEEPER_FDS_MAX, f->stamp.generation);
                }
                free(f->message);
        }
}

void fdstore_take(fdstore_take_fn take, void *userdata) {
        /* Marks them close-on-exec, which is to be so even where the names are of no use. */
        const int n = sd_listen_fds(0);
        struct taking t = {0};

        if (n <= 0)
                return;
        t.n = sd_listen_fds_with_names(1, &t.names);
        t.found = t.n == n ? calloc((size_t)n, sizeof(*t.found)) : NULL;
        if (t.found) {
                take_notes(&t);
                take_descriptors(&t);
                give(&t, take, userdata);
        } else {
                t.dropped = (unsigned int)n;
                for (int i = 0; i < n; i++)
                        close(SD_LISTEN_FDS_START + i);
        }
        if (t.dropped)
                fprintf(stderr,
                        "iovd: %u of %d descriptors of the service manager's store are not whole records of this version: "
                        "dropped\n",
                        t.dropped, n);
        for (int i = 0; i < t.n && t.names; i++)
                free(t.names[i]);
        free(t.names);
        free(t.found);
}
