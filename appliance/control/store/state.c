/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/store/state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "context.h"
#include "control/store/lock.h"
#include "crc32c.h"
#include "util.h"

#define FEED_SIZE ((size_t)256 << 10) /* of the file in memory, while it is read */

static const char magic[8] = {'I', 'O', 'V', 'S', 'T', 'A', 'T', 'E'};

/* The file: this header, then for each object a struct iov_mb_op (verb SET) and its record. */
struct header {
        char magic[8];
        uint32_t version;
        uint32_t header_size;
        uint64_t length; /* bytes behind the header */
        uint64_t generation;
        uint64_t last_id;
        uint64_t time_ns;   /* CLOCK_REALTIME of the commit */
        uint32_t uid;       /* who committed it */
        uint32_t n_changes; /* operations that changed something */
        uint32_t n_objects;
        uint32_t checksum;        /* CRC-32C of what is behind the header */
        uint32_t confirm;         /* CONFIRM_SECONDS: when it is taken back unless confirmed; above: flags */
        uint32_t header_checksum; /* CRC-32C of the header up to here */
};
_Static_assert(sizeof(struct header) == 72, "state header");
_Static_assert(sizeof(struct header) == STATE_HEADER_SIZE, "state header");

#define CONFIRM_SECONDS UINT32_C(0xffffff)
#define CONFIRM_FLAGS_SHIFT 24
_Static_assert(IOV_CONFIRM_MAX <= CONFIRM_SECONDS, "confirm time");

/* What operators want, the ledger of past identities, links that are held down, and faults on demand. */
static bool is_saved(enum iov_kind kind) {
        return iov_kind_is_config(kind) || kind == IOV_KIND_IDENTITY || kind == IOV_KIND_LINK || kind == IOV_KIND_FAULT;
}

/* Of links that are not held down everything follows from the rest. */
static bool is_saved_record(enum iov_kind kind, const void *record) {
        return kind != IOV_KIND_LINK || ((const struct iov_link *)record)->state == IOV_LINK_DISABLED;
}

struct state {
        struct iov_ctx *ctx;
        char *path;
        int directory, lock;
};

static int state_lock(struct state *s, unsigned int wait_ms) {
        char pid[32] = "";

        s->lock = openat(s->directory, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (s->lock < 0) {
                int r = -errno;
                iov_log(s->ctx, LOG_ERR, "%s/lock: cannot open: %s", s->path, strerror(-r));
                return r;
        }
        int r = lock_wait(s->lock, wait_ms);
        if (r == -EBUSY) {
                ssize_t n = pread(s->lock, pid, sizeof(pid) - 1, 0);

                pid[n > 0 ? strcspn(pid, "\n") : 0] = 0;
                iov_log(s->ctx, LOG_ERR, "%s: in use by another iovd (process %s): stop it, or reach it with -a unix:PATH",
                        s->path, *pid ? pid : "unknown");
                return r;
        }
        if (r < 0) {
                iov_log(s->ctx, LOG_ERR, "%s/lock: cannot lock: %s", s->path, strerror(-r));
                return r;
        }
        /* For people only: a full disk must not keep a simulator from being looked at. */
        int n = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
        if (ftruncate(s->lock, 0) < 0 || pwrite(s->lock, pid, (size_t)n, 0) != n)
                iov_log(s->ctx, LOG_WARNING, "%s/lock: cannot note the process id: %s", s->path, strerror(errno));
        return 0;
}

int state_open(struct iov_ctx *ctx, const char *path, unsigned int wait_ms, struct state **ret_state) {
        struct state *s = calloc(1, sizeof(*s));
        int r;

        if (!s)
                return -ENOMEM;
        s->ctx = iov_ref(ctx);
        s->directory = s->lock = -1;
        s->path = strdup(path);
        if (!s->path) {
                r = -ENOMEM;
                goto fail;
        }
        if (mkdir(path, 0750) < 0 && errno != EEXIST) {
                r = -errno;
                iov_log(ctx, LOG_ERR, "%s: cannot make the state directory: %s", path, strerror(-r));
                goto fail;
        }
        s->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (s->directory < 0) {
                r = -errno;
                iov_log(ctx, LOG_ERR, "%s: cannot open the state directory: %s", path, strerror(-r));
                goto fail;
        }
        r = state_lock(s, wait_ms);
        if (r < 0)
                goto fail;
        *ret_state = s;
        return 0;
fail:
        state_close(s);
        return r;
}

struct state *state_close(struct state *s) {
        if (s) {
                close_fd(&s->lock);
                close_fd(&s->directory);
                iov_unref(s->ctx);
                free(s->path);
                free(s);
        }
        return NULL;
}

int state_get_directory(const struct state *s) {
        return s->directory;
}

const char *state_get_path(const struct state *s) {
        return s->path;
}

/* ---- reading ---- */

/* NULL, or why a file of `size` bytes that begins with this cannot be used; *ret_error is then set. */
static const char *header_check(const struct header *h, uint64_t size, int *ret_error) {
        *ret_error = -EBADMSG;
        if (size < sizeof(*h))
                return "it is shorter than its header: cut off";
        if (memcmp(h->magic, magic, sizeof(magic)) != 0)
                return "it is no state file";
        if (h->version != STATE_VERSION) {
                *ret_error = -EPROTONOSUPPORT;
                return h->version > STATE_VERSION ? "it is of a newer version of iovd: use that one"
                                                  : "it is of an unknown version";
        }
        if (h->header_checksum != crc32c(h, offsetof(struct header, header_checksum)) || h->header_size != sizeof(*h))
                return "its header is damaged";
        if (h->length != size - sizeof(*h))
                return h->length > size - sizeof(*h) ? "its end is missing: cut off" : "there is something behind its end";
        return NULL;
}

static struct state_info header_info(const struct header *h) {
        return (struct state_info){.generation = h->generation,
                                   .last_id = h->last_id,
                                   .time_ns = h->time_ns,
                                   .length = h->length,
                                   .uid = h->uid,
                                   .n_changes = h->n_changes,
                                   .n_objects = h->n_objects,
                                   .checksum = h->checksum,
                                   .confirm_s = h->confirm & CONFIRM_SECONDS,
                                   .flags = h->confirm >> CONFIRM_FLAGS_SHIFT};
}

int state_open_file(int directory, const char *name, struct state_info *ret_info, int *ret_fd) {
        CLEANUP_CLOSE int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        struct header h = {0};
        struct stat st;
        int r;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EBADMSG;
        if (pread(fd, &h, sizeof(h), 0) < 0)
                return -errno;
        if (header_check(&h, (uint64_t)st.st_size, &r))
                return r;
        *ret_info = header_info(&h);
        *ret_fd = take_fd(&fd);
        return 0;
}

/* The file's objects as they come: a state may be larger than what one wants to have in memory twice. */
struct feed {
        int fd;
        uint64_t left;     /* bytes of the file that were not read yet */
        uint32_t checksum; /* of those that were */
        size_t start, end; /* what of the bytes is still to be taken */
        unsigned char bytes[FEED_SIZE];
};

static int feed_read(struct feed *f) {
        size_t room = sizeof(f->bytes) - f->end;
        ssize_t n;

        do
                n = read(f->fd, f->bytes + f->end, room < f->left ? room : (size_t)f->left);
        while (n < 0 && errno == EINTR);
        if (n <= 0)
                return n < 0 ? -errno : -EBADMSG;
        f->checksum = crc32c_more(f->checksum, f->bytes + f->end, (size_t)n);
        f->end += (size_t)n;
        f->left -= (uint64_t)n;
        return 0;
}

/* The next bytes of the file, valid until the call after; -EBADMSG: there are not so many. */
static int feed_take(struct feed *f, size_t size, const unsigned char **ret_bytes) {
        if (f->end - f->start < size) {
                memmove(f->bytes, f->bytes + f->start, f->end - f->start);
                f->end -= f->start;
                f->start = 0;
        }
        while (f->end - f->start < size) {
                int r = f->left ? feed_read(f) : -EBADMSG;

                if (r < 0)
                        return r;
        }
        *ret_bytes = f->bytes + f->start;
        f->start += size;
        return 0;
}

/* The rest, for its checksum. */
static int feed_end(struct feed *f) {
        int r = 0;

        while (r == 0 && f->left) {
                f->start = f->end = 0;
                r = feed_read(f);
        }
        return r;
}

static int load_object(struct feed *f, struct iov_model *model) {
        unsigned char padded[IOV_VADAPTER_RECORD_SIZE]; /* room for the largest */
        const unsigned char *bytes = NULL;
        struct iov_mb_op op;
        int r = feed_take(f, sizeof(op), &bytes);

        if (r < 0)
                return r;
        memcpy(&op, bytes, sizeof(op));
        if (op.kind >= IOV_KIND_COUNT || !is_saved((enum iov_kind)op.kind) || op.size < IOV_NAME_SIZE ||
            op.size > iov_records_get((enum iov_kind)op.kind)->size)
                return -EBADMSG;
        r = feed_take(f, op.size, &bytes);
        if (r < 0)
                return r;
        /* Records only ever grow: what an earlier version did not know is zero. */
        if (op.size < iov_records_get((enum iov_kind)op.kind)->size) {
                memset(padded, 0, sizeof(padded));
                memcpy(padded, bytes, op.size);
                bytes = padded;
        }
        r = iov_model_set(model, (enum iov_kind)op.kind, bytes);
        return r == -EINVAL ? -EBADMSG : r;
}

/* *ret_why where the file is at fault (-EBADMSG). */
static int load_objects(int fd, const struct header *h, struct iov_model *model, const char **ret_why) {
        CLEANUP_FREE struct feed *f = malloc(sizeof(*f));
        int r = 0;

        if (!f)
                return -ENOMEM;
        f->fd = fd;
        f->left = h->length;
        f->checksum = 0;
        f->start = f->end = 0;
        for (uint32_t i = 0; r == 0 && i < h->n_objects; i++)
                r = load_object(f, model);
        if (r == 0 && (f->left || f->start != f->end))
                r = -EBADMSG;
        /* Of a damaged file it is the damage that is told, not what came of it. */
        int e = r == 0 || r == -EBADMSG ? feed_end(f) : r;
        if (e == 0 && f->checksum != h->checksum) {
                *ret_why = "its checksum is wrong: damaged";
                return -EBADMSG;
        }
        if (r == -EBADMSG)
                *ret_why = "its objects do not fit together: damaged";
        return r < 0 ? r : e;
}

/* See iove/transaction.h: where an appliance's ids begin. */
static int first_id(uint64_t *ret_last_id) {
        uint64_t random;

        if (getrandom(&random, sizeof(random), 0) != sizeof(random))
                return -EIO;
        *ret_last_id = random & ((UINT64_C(1) << 48) - 1);
        return 0;
}

static int fresh_info(struct state_info *ret_info) {
        struct state_info info = {.uid = IOV_UID_APPLIANCE};
        int r = first_id(&info.last_id);

        if (r == 0)
                *ret_info = info;
        return r;
}

/* *ret_why where the file is at fault. */
static int load_file(int fd, struct iov_model *model, struct header *ret_header, const char **ret_why) {
        struct stat st;
        int r;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || st.st_size > (off_t)1 << 32)
                return -EBADMSG;
        /* Of one that is shorter than this the check says so. */
        ssize_t n = pread(fd, ret_header, sizeof(*ret_header), 0);
        if (n < 0 || lseek(fd, (off_t)sizeof(*ret_header), SEEK_SET) < 0)
                return -errno;
        *ret_why = header_check(ret_header, (uint64_t)st.st_size, &r);
        return *ret_why ? r : load_objects(fd, ret_header, model, ret_why);
}

int state_load(const struct state *s, struct iov_model *model, struct state_info *ret_info) {
        CLEANUP_CLOSE int fd = openat(s->directory, "state", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        struct header h = {0};
        const char *why = NULL;

        if (fd < 0 && errno == ENOENT)
                return fresh_info(ret_info);
        int r = fd < 0 ? -errno : load_file(fd, model, &h, &why);
        if (r < 0 && !why) {
                iov_log(s->ctx, LOG_ERR, "%s/state: cannot read: %s", s->path, strerror(-r));
                return r;
        }
        if (r < 0) {
                iov_log(s->ctx, LOG_ERR,
                        "%s/state: %s; nothing was changed: put back a copy, or move the file away to start empty", s->path, why);
                return r;
        }
        iov_model_set_generation(model, h.generation);
        *ret_info = header_info(&h);
        return 0;
}

int state_load_generation(const struct state *s, uint64_t generation, struct iov_model *model) {
        CLEANUP_CLOSE int directory = -1, fd = -1;
        char name[STATE_GENERATION_NAME];

        if (generation == 0)
                return 0;
        int r = state_open_history(s->directory, false, &directory);
        if (r < 0)
                return r;
        snprintf(name, sizeof(name), "%" PRIu64, generation);
        fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        struct header h = {0};
        const char *why = NULL;
        r = fd < 0 ? -errno : load_file(fd, model, &h, &why);
        return r == 0 && h.generation != generation ? -EBADMSG : r;
}

/* ---- writing ---- */

/* On large pages where it is worth it: thousands of faults cost more than the copy. */
static void *pages_alloc(size_t size) {
        const size_t large = (size_t)2 << 20;
        void *p = NULL;

        if (size < large)
                return malloc(size);
        if (posix_memalign(&p, large, size) != 0)
                return NULL;
        madvise(p, size / large * large, MADV_HUGEPAGE);
        return p;
}

int state_encode(const struct iov_model *model, struct state_info *info, void **ret_bytes, size_t *ret_size) {
        struct header h = {.version = STATE_VERSION,
                           .header_size = sizeof(h),
                           .generation = iov_model_get_generation(model),
                           .last_id = info->last_id,
                           .time_ns = info->time_ns,
                           .uid = info->uid,
                           .n_changes = info->n_changes,
                           .confirm = info->confirm_s | info->flags << CONFIRM_FLAGS_SHIFT};
        size_t size = sizeof(h);
        const void *record;

        memcpy(h.magic, magic, sizeof(magic));
        for (unsigned int k = 0; k < IOV_KIND_COUNT; k++) {
                size_t n = is_saved((enum iov_kind)k) ? iov_model_count(model, (enum iov_kind)k) : 0;

                if (k == IOV_KIND_LINK) {
                        n = 0;
                        iov_model_foreach (model, IOV_KIND_LINK, record)
                                n += is_saved_record(IOV_KIND_LINK, record);
                }
                h.n_objects += (uint32_t)n;
                size += n * (sizeof(struct iov_mb_op) + iov_records_get((enum iov_kind)k)->size);
        }
        unsigned char *bytes = pages_alloc(size);
        if (!bytes)
                return -ENOMEM;
        unsigned char *p = bytes + sizeof(h);
        for (unsigned int k = 0; k < IOV_KIND_COUNT; k++) {
                struct iov_mb_op op = {.verb = IOV_VERB_SET, .kind = (uint16_t)k};

                if (!is_saved((enum iov_kind)k))
                        continue;
                iov_model_foreach (model, (enum iov_kind)k, record) {
                        if (!is_saved_record((enum iov_kind)k, record))
                                continue;
                        /* What is reserved, at the end, need not be written: what is missing is zero when it is read. */
                        op.size = (uint32_t)record_used(record, iov_records_get((enum iov_kind)k)->size, IOV_NAME_SIZE);
                        memcpy(p, &op, sizeof(op));
                        memcpy(p + sizeof(op), record, op.size);
                        p += sizeof(op) + op.size;
                }
        }
        size = (size_t)(p - bytes);
        h.length = size - sizeof(h);
        h.checksum = crc32c(bytes + sizeof(h), size - sizeof(h));
        h.header_checksum = crc32c(&h, offsetof(struct header, header_checksum));
        memcpy(bytes, &h, sizeof(h));
        *info = header_info(&h);
        *ret_bytes = bytes;
        *ret_size = size;
        return 0;
}

static int write_whole(int fd, const unsigned char *bytes, size_t size) {
        while (size) {
                ssize_t n = write(fd, bytes, size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                bytes += n;
                size -= (size_t)n;
        }
        return fsync(fd) < 0 ? -errno : 0;
}

static int write_file(int directory, const char *name, const void *bytes, size_t size) {
        /* What a crash left may by now have a second name in the history: it is not written to. */
        if (unlinkat(directory, name, 0) < 0 && errno != ENOENT)
                return -errno;
        CLEANUP_CLOSE int fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        int r = fd < 0 ? -errno : write_whole(fd, bytes, size);

        if (r < 0)
                unlinkat(directory, name, 0);
        return r;
}

int state_open_history(int directory, bool make, int *ret_fd) {
        if (make && mkdirat(directory, "history", 0750) < 0 && errno != EEXIST)
                return -errno;
        int fd = openat(directory, "history", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0)
                return -errno;
        *ret_fd = fd;
        return 0;
}

/*
 * Give the file `name` its place in the history: a second name, at once and whole; where that cannot be (the history is on
 * another file system, or this one has no second names), a copy.
 */
static int keep(int directory, int history, const char *name, uint64_t generation, const void *bytes, size_t size) {
        char kept[STATE_GENERATION_NAME];
        int r = 0;

        snprintf(kept, sizeof(kept), "%" PRIu64, generation);
        if (unlinkat(history, "new", 0) < 0 && errno != ENOENT)
                return -errno;
        if (linkat(directory, name, history, "new", 0) < 0)
                r = errno == EXDEV || errno == EPERM || errno == EOPNOTSUPP || errno == EMLINK
                            ? write_file(history, "new", bytes, size)
                            : -errno;
        if (r == 0 && renameat(history, "new", history, kept) < 0)
                r = -errno;
        return r < 0 ? r : fsync(history) < 0 ? -errno : 0;
}

int state_write(int directory, const void *bytes, size_t size) {
        CLEANUP_CLOSE int history = -1;
        struct header h;
        int r;

        memcpy(&h, bytes, sizeof(h));
        r = state_open_history(directory, true, &history);
        if (r < 0)
                return r;
        r = write_file(directory, "state.new", bytes, size);
        if (r < 0)
                return r;
        r = keep(directory, history, "state.new", h.generation, bytes, size);
        if (r == 0 && renameat(directory, "state.new", directory, "state") < 0)
                r = -errno;
        if (r < 0) {
                unlinkat(directory, "state.new", 0);
                return r;
        }
        return fsync(directory) < 0 ? -errno : 0;
}

int state_write_file(int directory, const char *name, const void *bytes, size_t size) {
        char new[64];

        snprintf(new, sizeof(new), "%s.new", name);
        int r = write_file(directory, new, bytes, size);
        if (r < 0)
                return r;
        if (renameat(directory, new, directory, name) < 0) {
                r = -errno;
                unlinkat(directory, new, 0);
                return r;
        }
        return fsync(directory) < 0 ? -errno : 0;
}
