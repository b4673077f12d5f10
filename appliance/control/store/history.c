/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/store/history.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <syslog.h>

#include "context.h"
#include "util.h"

struct entry {
        struct state_info info;
        bool damaged; /* of the info only the generation means something; it is here so that it expires */
};

struct history {
        int directory;         /* the state's; its own is opened when it is needed, it may not be there yet */
        struct entry *entries; /* by generation */
        size_t n, n_allocated;
};

int history_reserve(struct history *h) {
        if (h->n < h->n_allocated)
                return 0;
        size_t n = h->n_allocated ? h->n_allocated * 2 : HISTORY_KEPT_MAX * 2;
        struct entry *entries = realloc(h->entries, n * sizeof(*entries));
        if (!entries)
                return -ENOMEM;
        h->entries = entries;
        h->n_allocated = n;
        return 0;
}

static int by_generation(const void *a, const void *b) {
        uint64_t x = ((const struct entry *)a)->info.generation, y = ((const struct entry *)b)->info.generation;

        return x < y ? -1 : x > y;
}

static const struct entry *find(const struct history *h, uint64_t generation) {
        const struct entry key = {.info = {.generation = generation}};

        return h->n ? bsearch(&key, h->entries, h->n, sizeof(key), by_generation) : NULL;
}

/* The number that a file's name is; false where it is none as written by us. */
static bool parse_name(const char *name, uint64_t *ret_generation) {
        uint64_t value = 0;

        if (!*name || (name[0] == '0' && name[1]))
                return false;
        for (; *name; name++) {
                if (*name < '0' || *name > '9' || value > (UINT64_MAX - 9) / 10)
                        return false;
                value = value * 10 + (uint64_t)(*name - '0');
        }
        *ret_generation = value;
        return true;
}

static int scan_file(struct history *h, int fd, const char *name, uint64_t newest) {
        CLEANUP_CLOSE int file = -1;
        struct entry e = {0};
        uint64_t generation;

        if (!parse_name(name, &generation) || generation > newest)
                return 0;
        int r = history_reserve(h);
        if (r < 0)
                return r;
        r = state_open_file(fd, name, &e.info, &file);
        e.damaged = r < 0 || e.info.generation != generation;
        e.info.generation = generation;
        h->entries[h->n++] = e;
        return 0;
}

static int scan(struct history *h, uint64_t newest) {
        int fd = -1, r = state_open_history(h->directory, false, &fd);

        if (r < 0)
                return r == -ENOENT ? 0 : r;
        DIR *d = fdopendir(fd);
        if (!d) {
                r = -errno;
                close(fd);
                return r;
        }
        for (const struct dirent *e; r == 0 && (e = readdir(d));)
                r = scan_file(h, fd, e->d_name, newest);
        closedir(d);
        if (h->n)
                qsort(h->entries, h->n, sizeof(*h->entries), by_generation);
        return r;
}

int history_new(const struct state *state, const struct state_info *now, struct history **ret_history) {
        struct history *h = calloc(1, sizeof(*h));

        if (!h)
                return -ENOMEM;
        h->directory = state_get_directory(state);
        int r = scan(h, now->generation);
        if (r == 0)
                r = history_reserve(h);
        /* An appliance begins empty, in generation 0, which has no file. */
        if (r == 0 && h->n && h->entries[0].info.generation == 1) {
                memmove(h->entries + 1, h->entries, h->n++ * sizeof(*h->entries));
                h->entries[0] = (struct entry){.info = {.uid = IOV_UID_APPLIANCE}};
                r = history_reserve(h);
        }
        if (r < 0 || !h->entries) {
                history_free(h);
                return r < 0 ? r : -ENOMEM;
        }
        history_add(h, now);
        *ret_history = h;
        return 0;
}

struct history *history_free(struct history *h) {
        if (h) {
                free(h->entries);
                free(h);
        }
        return NULL;
}

void history_add(struct history *h, const struct state_info *info) {
        struct entry *last = h->n ? &h->entries[h->n - 1] : NULL;

        if (last && last->info.generation == info->generation)
                h->n--;
        h->entries[h->n++] = (struct entry){.info = *info};
}

int history_expired(const struct history *h, uint64_t now_ns, uint64_t **ret_generations, size_t *ret_n) {
        size_t n = 0;

        /* The one to come is one of those that stay. */
        while (h->n - n >= HISTORY_KEPT_MIN) {
                /* Of what has no time (generation 0, a damaged file) it is known that it is older than the next. */
                uint64_t time_ns = h->entries[n].info.time_ns ? h->entries[n].info.time_ns : h->entries[n + 1].info.time_ns;

                if (h->n - n < HISTORY_KEPT_MAX && (time_ns > now_ns || now_ns - time_ns <= HISTORY_AGE_NS))
                        break;
                n++;
        }
        uint64_t *generations = malloc((n + 1) * sizeof(*generations));
        if (!generations)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                generations[i] = h->entries[i].info.generation;
        *ret_generations = generations;
        *ret_n = n;
        return 0;
}

void history_forget(struct history *h, size_t n) {
        memmove(h->entries, h->entries + n, (h->n - n) * sizeof(*h->entries));
        h->n -= n;
}

size_t history_list(const struct history *h, struct iov_mb_history_entry *ret_entries, size_t max) {
        size_t n = 0;

        for (size_t i = h->n > max ? h->n - max : 0; i < h->n; i++) {
                const struct state_info *info = &h->entries[i].info;

                if (!h->entries[i].damaged)
                        ret_entries[n++] =
                                (struct iov_mb_history_entry){.generation = info->generation,
                                                              .time_ns = info->time_ns,
                                                              .uid = info->uid,
                                                              .n_objects = info->n_objects,
                                                              .n_changes = info->n_changes,
                                                              .flags = info->flags | (info->confirm_s ? IOV_HISTORY_WAITS : 0)};
        }
        return n;
}

/* The file of a generation; of the newest, the state itself will do as well. */
static int open_generation(const struct history *h, uint64_t generation, struct state_info *ret_info, int *ret_fd) {
        CLEANUP_CLOSE int directory = -1, fd = -1;
        char name[STATE_GENERATION_NAME];
        struct state_info info = {0};
        int r = state_open_history(h->directory, false, &directory);

        snprintf(name, sizeof(name), "%" PRIu64, generation);
        if (r == 0)
                r = state_open_file(directory, name, &info, &fd);
        if (r < 0 && generation == h->entries[h->n - 1].info.generation)
                r = state_open_file(h->directory, "state", &info, &fd);
        if (r < 0)
                return r;
        if (info.generation != generation)
                return -EBADMSG;
        *ret_info = info;
        *ret_fd = take_fd(&fd);
        return 0;
}

ssize_t history_read(const struct history *h, uint64_t generation, uint64_t offset, void *buffer, size_t size,
                     struct iov_mb_history_part *ret_part) {
        const struct entry *e = find(h, generation);
        CLEANUP_CLOSE int fd = -1;
        struct state_info info = {0};
        ssize_t n = 0;

        if (!e)
                return -ENOENT;
        int r = open_generation(h, generation, &info, &fd);
        if (r < 0 && !(r == -ENOENT && generation == 0))
                return r;
        if (offset > info.length)
                return -ERANGE;
        if (size > info.length - offset)
                size = (size_t)(info.length - offset);
        if (size)
                n = pread(fd, buffer, size, (off_t)(STATE_HEADER_SIZE + offset));
        if (n < 0 || (n == 0 && size))
                return n < 0 ? -errno : -EBADMSG;
        *ret_part = (struct iov_mb_history_part){.generation = generation,
                                                 .offset = offset,
                                                 .length = info.length,
                                                 .n_objects = info.n_objects,
                                                 .checksum = info.checksum};
        return n;
}

void history_remove(int directory, const uint64_t *generations, size_t n) {
        CLEANUP_CLOSE int fd = -1;
        char name[STATE_GENERATION_NAME];

        if (!n || state_open_history(directory, false, &fd) < 0)
                return;
        for (size_t i = 0; i < n; i++) {
                snprintf(name, sizeof(name), "%" PRIu64, generations[i]);
                unlinkat(fd, name, 0);
        }
}
