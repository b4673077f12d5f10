/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state directory: what is saved comes back, and whatever else is in the file is refused without touching it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <signal.h>
#include <cmocka.h>

#include "control/store/history.h"
#include "control/store/state.h"
#include "util.h"

#define DAY_NS (UINT64_C(86400) * UINT64_C(1000000000))

struct fixture {
        struct iov_ctx *ctx;
        char path[64], elsewhere[64];
        char log[1024]; /* the last line */
};

static void on_log(void *userdata, int level, const char *text) {
        struct fixture *f = userdata;

        snprintf(f->log, sizeof(f->log), "%s", text);
}

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));
        const char *tmp = getenv("TMPDIR");

        if (!f || iov_new(&f->ctx) < 0)
                return -1;
        iov_set_log_fn(f->ctx, on_log, f);
        snprintf(f->path, sizeof(f->path), "%s/iov-state.XXXXXX", tmp && strlen(tmp) < 40 ? tmp : "/tmp");
        *state = f;
        return mkdtemp(f->path) ? 0 : -1;
}

static int teardown(void **state) {
        struct fixture *f = *state;
        char command[256];

        snprintf(command, sizeof(command), "rm -rf '%s' '%s'", f->path, *f->elsewhere ? f->elsewhere : f->path);
        assert_int_equal(system(command), 0);
        iov_unref(f->ctx);
        free(f);
        return 0;
}

static struct iov_model *sample(struct fixture *f, uint64_t generation) {
        struct iov_model *m = NULL;
        struct iov_server s = {.link = 3, .state = IOV_SERVER_ON};
        struct iov_volume v = {.size = 8192, .id = 17};
        struct iov_vadapter va = {.slot = 2, .id = 18};
        struct iov_namespace ns = {0};

        assert_int_equal(iov_model_new(f->ctx, &m), 0);
        field_set(s.name, sizeof(s.name), "web01");
        field_set(v.name, sizeof(v.name), "boot");
        field_set(v.adapter, sizeof(v.adapter), "ssd0");
        field_set(va.name, sizeof(va.name), "disk");
        field_set(va.server, sizeof(va.server), "web01");
        assert_int_equal(iov_namespace_init(&ns, "disk", 1), 0);
        field_set(ns.volume, sizeof(ns.volume), "boot");
        assert_int_equal(iov_model_set(m, IOV_KIND_SERVER, &s), 0);
        assert_int_equal(iov_model_set(m, IOV_KIND_VOLUME, &v), 0);
        assert_int_equal(iov_model_set(m, IOV_KIND_VADAPTER, &va), 0);
        assert_int_equal(iov_model_set(m, IOV_KIND_NAMESPACE, &ns), 0);
        iov_model_set_generation(m, generation);
        return m;
}

static void save(struct fixture *f, const struct state *state, uint64_t generation) {
        struct iov_model *m = sample(f, generation);
        CLEANUP_FREE void *bytes = NULL;
        size_t size = 0;

        struct state_info info = {.last_id = 19, .time_ns = generation * DAY_NS, .uid = 1000, .n_changes = 4};
        assert_int_equal(state_encode(m, &info, &bytes, &size), 0);
        assert_int_equal(info.generation, generation);
        assert_int_equal(info.n_objects, 4);
        assert_int_equal(info.length, size - STATE_HEADER_SIZE);
        assert_int_equal(state_write(state_get_directory(state), bytes, size), 0);
        iov_model_unref(m);
}

static int load_info(struct fixture *f, struct iov_model **ret_model, struct state_info *ret_info) {
        struct state *state = NULL;

        assert_int_equal(state_open(f->ctx, f->path, 0, &state), 0);
        assert_int_equal(iov_model_new(f->ctx, ret_model), 0);
        int r = state_load(state, *ret_model, ret_info);
        state_close(state);
        return r;
}

static int load(struct fixture *f, struct iov_model **ret_model, uint64_t *ret_last_id) {
        struct state_info info;
        int r = load_info(f, ret_model, &info);

        if (r == 0)
                *ret_last_id = info.last_id;
        return r;
}

/* How a generation waits, and what it is, comes back with it; a generation of the history can be loaded. */
static void test_confirm(void **s) {
        struct fixture *f = *s;
        struct state *state = NULL;
        struct iov_model *m = sample(f, 3), *again = NULL;
        CLEANUP_FREE void *bytes = NULL;
        size_t size = 0;
        struct state_info info = {.last_id = 19, .confirm_s = IOV_CONFIRM_MAX, .flags = IOV_HISTORY_TAKEN_BACK};
        struct iov_link up = {.state = IOV_LINK_L0}, down = {.number = 1, .state = IOV_LINK_DISABLED};

        field_set(up.name, sizeof(up.name), "0");
        field_set(down.name, sizeof(down.name), "1");
        assert_int_equal(iov_model_set(m, IOV_KIND_LINK, &up), 0);
        assert_int_equal(iov_model_set(m, IOV_KIND_LINK, &down), 0);
        assert_int_equal(state_open(f->ctx, f->path, 0, &state), 0);
        assert_int_equal(state_encode(m, &info, &bytes, &size), 0);
        assert_int_equal(info.n_objects, 5);
        assert_int_equal(state_write(state_get_directory(state), bytes, size), 0);
        assert_int_equal(iov_model_new(f->ctx, &again), 0);
        assert_int_equal(state_load_generation(state, 0, again), 0);
        assert_int_equal(state_load_generation(state, 2, again), -ENOENT);
        assert_int_equal(iov_model_count(again, IOV_KIND_SERVER), 0);
        assert_int_equal(state_load_generation(state, 3, again), 0);
        assert_int_equal(iov_model_count(again, IOV_KIND_SERVER), 1);
        /* Only what is held down is kept. */
        assert_int_equal(iov_model_count(again, IOV_KIND_LINK), 1);
        assert_non_null(iov_model_get(again, IOV_KIND_LINK, "1"));
        iov_model_unref(again);
        state_close(state);
        again = NULL;
        memset(&info, 0, sizeof(info));
        assert_int_equal(load_info(f, &again, &info), 0);
        assert_int_equal(info.confirm_s, IOV_CONFIRM_MAX);
        assert_int_equal(info.flags, IOV_HISTORY_TAKEN_BACK);
        iov_model_unref(again);
        iov_model_unref(m);
}

static void test_empty(void **s) {
        struct fixture *f = *s;
        struct iov_model *m = NULL;
        uint64_t last_id = 0;

        assert_int_equal(load(f, &m, &last_id), 0);
        assert_true(last_id < UINT64_C(1) << 48);
        assert_int_equal(iov_model_get_generation(m), 0);
        assert_int_equal(iov_model_count(m, IOV_KIND_SERVER), 0);
        iov_model_unref(m);
}

static void test_round_trip(void **s) {
        struct fixture *f = *s;
        struct state *state = NULL;
        struct iov_model *m = NULL;
        uint64_t last_id = 0;

        assert_int_equal(state_open(f->ctx, f->path, 0, &state), 0);
        save(f, state, 41);
        save(f, state, 42);
        state_close(state);
        assert_int_equal(load(f, &m, &last_id), 0);
        assert_int_equal(last_id, 19);
        assert_int_equal(iov_model_get_generation(m), 42);
        const struct iov_volume *v = iov_model_get(m, IOV_KIND_VOLUME, "boot");
        assert_non_null(v);
        assert_int_equal(v->id, 17);
        assert_int_equal(v->size, 8192);
        assert_string_equal(iov_namespace_get(m, "disk", 1)->volume, "boot");
        iov_model_unref(m);
}

static void test_second_owner_is_refused(void **s) {
        struct fixture *f = *s;
        struct state *first = NULL, *second = NULL;
        char pid[32];

        assert_int_equal(state_open(f->ctx, f->path, 0, &first), 0);
        assert_int_equal(state_open(f->ctx, f->path, 0, &second), -EBUSY);
        snprintf(pid, sizeof(pid), "process %d)", (int)getpid());
        assert_non_null(strstr(f->log, pid));
        state_close(first);
        assert_int_equal(state_open(f->ctx, f->path, 0, &second), 0);
        state_close(second);
}

static size_t read_state(struct fixture *f, unsigned char *bytes, size_t max) {
        char path[128];

        snprintf(path, sizeof(path), "%s/state", f->path);
        CLEANUP_CLOSE int fd = open(path, O_RDONLY);
        ssize_t n = read(fd, bytes, max);
        assert_true(n > 0);
        return (size_t)n;
}

static void write_state(struct fixture *f, const unsigned char *bytes, size_t size) {
        char path[128];

        snprintf(path, sizeof(path), "%s/state", f->path);
        CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        assert_int_equal(write(fd, bytes, size), size);
}

static void refuse(struct fixture *f, const unsigned char *bytes, size_t size, int error) {
        unsigned char after[8192];
        struct iov_model *m = NULL;
        uint64_t last_id;

        write_state(f, bytes, size);
        int r = load(f, &m, &last_id);
        if (r != error)
                fail_msg("%zu bytes: load says %d, not %d; the log: %s", size, r, error, f->log);
        assert_non_null(strstr(f->log, "nothing was changed"));
        iov_model_unref(m);
        if (size) {
                assert_int_equal(read_state(f, after, sizeof(after)), size);
                assert_memory_equal(after, bytes, size);
        }
}

/* Cut off at every length, and with every byte flipped. */
static void test_damage(void **s) {
        struct fixture *f = *s;
        unsigned char bytes[8192];
        struct state *state = NULL;

        assert_int_equal(state_open(f->ctx, f->path, 0, &state), 0);
        save(f, state, 1);
        state_close(state);
        size_t size = read_state(f, bytes, sizeof(bytes));
        for (size_t n = 0; n < size; n += n < 80 ? 1 : 37)
                refuse(f, bytes, n, -EBADMSG);
        for (size_t i = 0; i < size; i += i < 80 ? 1 : 41) {
                bytes[i] ^= 0x40;
                /* bytes 8 to 11 are the version */
                refuse(f, bytes, size, i >= 8 && i < 12 ? -EPROTONOSUPPORT : -EBADMSG);
                bytes[i] ^= 0x40;
        }
        bytes[size] = 0;
        refuse(f, bytes, size + 1, -EBADMSG);
        bytes[8] = STATE_VERSION + 1;
        refuse(f, bytes, size, -EPROTONOSUPPORT);
        assert_non_null(strstr(f->log, "newer version"));
}

/* A write that fails in the middle leaves the old state. RLIMIT_FSIZE stands for the full disk. */
static void test_full_disk_keeps_the_old(void **s) {
        struct fixture *f = *s;
        struct iov_model *m = NULL;
        struct state *state = NULL;
        uint64_t last_id = 0;
        int status;

        assert_int_equal(state_open(f->ctx, f->path, 0, &state), 0);
        save(f, state, 7);
        pid_t child = fork();
        if (child == 0) {
                static unsigned char bytes[65536];
                struct rlimit limit = {4096, 4096};

                signal(SIGXFSZ, SIG_IGN);
                setrlimit(RLIMIT_FSIZE, &limit);
                _exit(state_write(state_get_directory(state), bytes, sizeof(bytes)) == -EFBIG ? 0 : 1);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        assert_int_equal(faccessat(state_get_directory(state), "state.new", F_OK, 0), -1);
        state_close(state);
        assert_int_equal(load(f, &m, &last_id), 0);
        assert_int_equal(iov_model_get_generation(m), 7);
        iov_model_unref(m);
}

/* ---- the history ---- */

static struct history *open_history(struct fixture *f, struct state **ret_state) {
        struct iov_model *m = NULL;
        struct history *h = NULL;
        struct state_info info;

        assert_int_equal(state_open(f->ctx, f->path, 0, ret_state), 0);
        assert_int_equal(iov_model_new(f->ctx, &m), 0);
        assert_int_equal(state_load(*ret_state, m, &info), 0);
        assert_int_equal(history_new(*ret_state, &info, &h), 0);
        iov_model_unref(m);
        return h;
}

static void save_up_to(struct fixture *f, uint64_t generation) {
        struct state *state = NULL;

        assert_int_equal(state_open(f->ctx, f->path, 0, &state), 0);
        for (uint64_t g = 1; g <= generation; g++)
                save(f, state, g);
        state_close(state);
}

/* The generations of the list are `first` to `last`. */
static void expect_list(const struct history *h, uint64_t first, uint64_t last) {
        struct iov_mb_history_entry entries[256];
        size_t n = history_list(h, entries, ARRAY_LENGTH(entries));

        assert_int_equal(n, last - first + 1);
        for (size_t i = 0; i < n; i++)
                assert_int_equal(entries[i].generation, first + i);
}

static void test_history_of_nothing(void **s) {
        struct iov_mb_history_part part;
        struct state *state = NULL;
        struct history *h = open_history(*s, &state);
        char byte;

        expect_list(h, 0, 0);
        assert_int_equal(history_read(h, 0, 0, &byte, 1, &part), 0);
        assert_int_equal(part.length, 0);
        assert_int_equal(part.n_objects, 0);
        assert_int_equal(history_read(h, 1, 0, &byte, 1, &part), -ENOENT);
        /* Looking makes no directory. */
        assert_int_equal(faccessat(state_get_directory(state), "history", F_OK, 0), -1);
        history_free(h);
        state_close(state);
}

/* Whatever the sizes of the pieces are, together they are what is behind the header of the state file. */
static void test_history_read(void **s) {
        unsigned char bytes[8192], piece[8192];
        struct iov_mb_history_entry entries[4];
        struct iov_mb_history_part part;
        struct state *state = NULL;

        save_up_to(*s, 3);
        struct history *h = open_history(*s, &state);
        expect_list(h, 0, 3);
        assert_int_equal(history_list(h, entries, 2), 2);
        assert_int_equal(entries[1].generation, 3);
        assert_int_equal(entries[1].time_ns, 3 * DAY_NS);
        assert_int_equal(entries[1].uid, 1000);
        assert_int_equal(entries[1].n_objects, 4);
        assert_int_equal(entries[1].n_changes, 4);
        size_t size = read_state(*s, bytes, sizeof(bytes)) - STATE_HEADER_SIZE;
        for (size_t step = 1; step <= size + 1; step += 331)
                for (size_t at = 0; at < size; at += step) {
                        size_t n = size - at < step ? size - at : step;

                        assert_int_equal(history_read(h, 2, at, piece, step, &part), n);
                        assert_memory_equal(piece, bytes + STATE_HEADER_SIZE + at, n);
                        assert_int_equal(part.offset, at);
                        assert_int_equal(part.length, size);
                }
        assert_int_equal(history_read(h, 2, size, piece, 1, &part), 0);
        assert_int_equal(history_read(h, 2, size + 1, piece, 1, &part), -ERANGE);
        assert_int_equal(history_read(h, 2, UINT64_MAX, piece, 1, &part), -ERANGE);
        history_free(h);
        state_close(state);
}

static void make_file(struct fixture *f, const char *name, const void *bytes, size_t size) {
        char path[128];

        snprintf(path, sizeof(path), "%s/%s", f->path, name);
        unlink(path); /* not through its second name */
        CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        assert_int_equal(write(fd, bytes, size), size);
}

/* A crash between the history and the state: the generation that never was is not shown, and its name is used again. */
static void test_history_after_a_crash(void **s) {
        struct fixture *f = *s;
        unsigned char bytes[8192];
        struct state *state = NULL;
        struct iov_mb_history_part part;

        save_up_to(f, 2);
        size_t size = read_state(f, bytes, sizeof(bytes));
        make_file(f, "history/3", "half", 4);
        make_file(f, "history/new", "half", 4);
        make_file(f, "state.new", "half", 4);
        struct history *h = open_history(f, &state);
        expect_list(h, 0, 2);
        assert_int_equal(history_read(h, 3, 0, bytes, 1, &part), -ENOENT);
        history_free(h);
        save(f, state, 3);
        state_close(state);
        h = open_history(f, &state);
        expect_list(h, 0, 3);
        assert_int_equal(history_read(h, 3, 0, bytes, sizeof(bytes), &part), size - STATE_HEADER_SIZE);
        history_free(h);
        state_close(state);
}

/* Files that are damaged, of another generation or none at all do no harm, and expire with the others. */
static void test_history_damaged(void **s) {
        struct fixture *f = *s;
        unsigned char bytes[8192];
        struct iov_mb_history_entry entries[8];
        struct iov_mb_history_part part;
        struct state *state = NULL;
        uint64_t *expired = NULL;
        size_t n = 0;

        save_up_to(f, 6);
        size_t size = read_state(f, bytes, sizeof(bytes));
        make_file(f, "history/2", bytes, size); /* says that it is 6 */
        make_file(f, "history/3", bytes, 40);
        bytes[20] ^= 1;
        make_file(f, "history/6", bytes, size); /* the state itself will do */
        make_file(f, "history/007", bytes, size);
        make_file(f, "history/99999999999999999999999", bytes, size);
        make_file(f, "history/-1", bytes, size);
        struct history *h = open_history(f, &state);
        assert_int_equal(history_list(h, entries, 8), 5);
        assert_int_equal(entries[2].generation, 4);
        assert_int_equal(history_read(h, 2, 0, bytes, 1, &part), -EBADMSG);
        assert_int_equal(history_read(h, 3, 0, bytes, 1, &part), -EBADMSG);
        assert_int_equal(history_read(h, 6, 0, bytes, 1, &part), 1);
        assert_int_equal(history_expired(h, 4000 * DAY_NS, &expired, &n), 0);
        assert_int_equal(n, 0);
        free(expired);
        history_free(h);
        state_close(state);
}

static void commit(struct fixture *f, struct state *state, struct history *h, uint64_t generation, uint64_t now_ns) {
        const struct state_info info = {.generation = generation, .time_ns = now_ns};
        uint64_t *expired = NULL;
        size_t n = 0;

        assert_int_equal(history_reserve(h), 0);
        assert_int_equal(history_expired(h, now_ns, &expired, &n), 0);
        save(f, state, generation);
        history_remove(state_get_directory(state), expired, n);
        free(expired);
        history_forget(h, n);
        history_add(h, &info);
}

/* One a day (save() says so): 30 days are kept. All of one day: 64. Then a long pause: 8. */
static void test_history_is_bounded(void **s) {
        struct fixture *f = *s;
        struct state *state = NULL;
        struct history *h = open_history(f, &state);

        for (uint64_t g = 1; g <= 100; g++)
                commit(f, state, h, g, g * DAY_NS);
        expect_list(h, 70, 100);
        history_free(h);
        state_close(state);
        h = open_history(f, &state);
        expect_list(h, 70, 100);
        for (uint64_t g = 101; g <= 300; g++)
                commit(f, state, h, g, 100 * DAY_NS);
        expect_list(h, 237, 300);
        commit(f, state, h, 301, 400 * DAY_NS);
        expect_list(h, 294, 301);
        history_free(h);
        state_close(state);
        h = open_history(f, &state);
        expect_list(h, 294, 301);
        history_free(h);
        state_close(state);
}

/* Where there can be no second name for the file, there is a copy. /dev/shm is another file system wherever tests are run on
 * disk. */
static void test_history_elsewhere(void **s) {
        struct fixture *f = *s;
        struct state *state = NULL;
        char path[128];

        snprintf(f->elsewhere, sizeof(f->elsewhere), "/dev/shm/iov-state.XXXXXX");
        assert_non_null(mkdtemp(f->elsewhere));
        snprintf(path, sizeof(path), "%s/history", f->path);
        assert_int_equal(symlink(f->elsewhere, path), 0);
        save_up_to(f, 2);
        struct history *h = open_history(f, &state);
        expect_list(h, 0, 2);
        history_free(h);
        state_close(state);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_empty, setup, teardown),
                cmocka_unit_test_setup_teardown(test_confirm, setup, teardown),
                cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
                cmocka_unit_test_setup_teardown(test_second_owner_is_refused, setup, teardown),
                cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
                cmocka_unit_test_setup_teardown(test_full_disk_keeps_the_old, setup, teardown),
                cmocka_unit_test_setup_teardown(test_history_of_nothing, setup, teardown),
                cmocka_unit_test_setup_teardown(test_history_read, setup, teardown),
                cmocka_unit_test_setup_teardown(test_history_after_a_crash, setup, teardown),
                cmocka_unit_test_setup_teardown(test_history_damaged, setup, teardown),
                cmocka_unit_test_setup_teardown(test_history_is_bounded, setup, teardown),
                cmocka_unit_test_setup_teardown(test_history_elsewhere, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
