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

#include "control/state.h"
#include "util.h"

struct fixture {
        struct iov_ctx *ctx;
        char path[64];
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
        static const char *const names[] = {"lock", "state", "state.new"};
        char path[128];

        for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
                snprintf(path, sizeof(path), "%s/%s", f->path, names[i]);
                unlink(path);
        }
        rmdir(f->path);
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

        assert_int_equal(state_encode(m, 19, &bytes, &size), 0);
        assert_int_equal(state_write(state_get_directory(state), bytes, size), 0);
        iov_model_unref(m);
}

static int load(struct fixture *f, struct iov_model **ret_model, uint64_t *ret_last_id) {
        struct state *state = NULL;

        assert_int_equal(state_open(f->ctx, f->path, 0, &state), 0);
        assert_int_equal(iov_model_new(f->ctx, ret_model), 0);
        int r = state_load(state, *ret_model, ret_last_id);
        state_close(state);
        return r;
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
        for (size_t n = 0; n < size; n += n < 64 ? 1 : 37)
                refuse(f, bytes, n, -EBADMSG);
        for (size_t i = 0; i < size; i += i < 64 ? 1 : 41) {
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

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_empty, setup, teardown),
                cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
                cmocka_unit_test_setup_teardown(test_second_owner_is_refused, setup, teardown),
                cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
                cmocka_unit_test_setup_teardown(test_full_disk_keeps_the_old, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
