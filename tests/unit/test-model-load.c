/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The appliance's tables as a model: mapped and read, while they change, and when they are not what they should be. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "fake-appliance.h"
#include "transport/appliance.h"
#include "util.h"
#include "vfio-user/protocol.h"

#define PATIENT_MS 20000
#define SHORT_MS 100

struct fixture {
        struct fake fake;
        struct iov_ctx *ctx;
        struct iov_appliance appliance;
        char log[4096];
};

static void on_log(void *userdata, int level, const char *text) {
        struct fixture *x = userdata;
        size_t length = strlen(x->log);

        snprintf(x->log + length, sizeof(x->log) - length, "%s\n", text);
}

static int setup(void **state) {
        struct fixture *x = calloc(1, sizeof(*x));

        if (!x || iov_new(&x->ctx) < 0)
                return -1;
        iov_set_log_fn(x->ctx, on_log, x);
        fake_init(&x->fake);
        *state = x;
        return 0;
}

static int teardown(void **state) {
        struct fixture *x = *state;

        fake_free(&x->fake);
        iov_unref(x->ctx);
        free(x);
        return 0;
}

static struct iov_appliance *start(struct fixture *x, int timeout_ms) {
        char why[TRANSPORT_WHY_SIZE];
        int fds[2];

        x->log[0] = 0;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        fake_start(&x->fake, fds[1]);
        x->appliance = (struct iov_appliance){.ctx = x->ctx, .address = (char *)"fake", .payload_size = IOV_MB_PAYLOAD_BYTES};
        assert_int_equal(transport_vfio_user_new(fds[0], timeout_ms, why, &x->appliance.transport), 0);
        return &x->appliance;
}

static void stop(struct fixture *x) {
        x->appliance.transport->ops->close(x->appliance.transport);
        fake_join(&x->fake);
}

static void set_name(char *field, const char *name) {
        assert_int_equal(field_set(field, IOV_NAME_SIZE, name), 0);
}

static void fill(struct fake *f) {
        struct iov_server *server = fake_row(f, IOV_KIND_SERVER, 0);
        struct iov_adapter *adapter = fake_row(f, IOV_KIND_ADAPTER, 0);
        struct iov_vadapter *v0 = fake_row(f, IOV_KIND_VADAPTER, 2), *v1 = fake_row(f, IOV_KIND_VADAPTER, 5);
        struct iov_namespace *ns = fake_row(f, IOV_KIND_NAMESPACE, 1);
        uint64_t generation = 77;

        set_name(server->name, "web01");
        server->link = 3;
        set_name(adapter->name, "ssd0");
        adapter->kind = IOV_ADAPTER_SSD;
        set_name(v0->name, "web-disk");
        set_name(v0->adapter, "ssd0");
        set_name(v0->server, "web01");
        set_name(v0->at_server, "web01");
        v0->slot = v0->at_slot = 1;
        set_name(v1->name, "db-disk");
        set_name(ns->name, "web-disk/7");
        set_name(ns->vadapter, "web-disk");
        set_name(ns->volume, "web-boot");
        ns->nsid = 7;
        memcpy(f->bar2 + IOV_REG_TABLE_GENERATION, &generation, sizeof(generation));
        for (unsigned int i = 0; i < 6; i++) {
                struct iov_counter *c = fake_row(f, IOV_KIND_COUNTER, i);

                c->id = i;
                c->read_ops = 100 + i;
        }
}

static void check_filled(struct iov_appliance *a) {
        struct iov_model *m = NULL;

        assert_int_equal(iov_model_load(a, &m), 0);
        assert_int_equal(iov_model_get_generation(m), 77);
        assert_int_equal(iov_model_get_links(m), 16);
        assert_int_equal(iov_model_get_slots(m), 8);
        assert_int_equal(iov_model_count(m, IOV_KIND_SERVER), 1);
        assert_int_equal(iov_model_count(m, IOV_KIND_ADAPTER), 1);
        assert_int_equal(iov_model_count(m, IOV_KIND_VOLUME), 0);
        assert_int_equal(iov_model_count(m, IOV_KIND_VADAPTER), 2);
        const struct iov_vadapter *v = iov_model_get(m, IOV_KIND_VADAPTER, "db-disk");
        assert_non_null(v);
        assert_int_equal(iov_model_row(m, IOV_KIND_VADAPTER, v), 5); /* the row is that of its counters */
        v = iov_vadapter_in_slot(m, "web01", 1);
        assert_non_null(v);
        assert_int_equal(iov_model_row(m, IOV_KIND_VADAPTER, v), 2);
        assert_non_null(iov_namespace_get(m, "web-disk", 7));
        assert_null(iov_model_unref(m));
}

static void test_read(void **state) {
        struct fixture *x = *state;
        const void *tables = NULL;

        fill(&x->fake);
        struct iov_appliance *a = start(x, PATIENT_MS);
        assert_int_equal(iov_map_tables(a, &tables), -EOPNOTSUPP);
        assert_null(tables);
        check_filled(a);
        stop(x);
}

static void test_mapped(void **state) {
        struct fixture *x = *state;
        const void *tables = NULL, *again = NULL;

        fill(&x->fake);
        x->fake.map = x->fake.sealed = true;
        struct iov_appliance *a = start(x, PATIENT_MS);
        assert_int_equal(iov_map_tables(a, &tables), 0);
        assert_int_equal(iov_map_tables(a, &again), 0);
        assert_ptr_equal(tables, again);
        unsigned int reads = x->fake.n_reads;
        check_filled(a);
        assert_int_equal(x->fake.n_reads, reads + 2); /* LINKS and SLOTS: tables cost no message */
        stop(x);
}

/* What could shrink under us is not mapped, but read. */
static void test_unsafe_to_map(void **state) {
        struct fixture *x = *state;
        const void *tables = NULL;

        fill(&x->fake);
        x->fake.map = true;
        struct iov_appliance *a = start(x, PATIENT_MS);
        assert_int_equal(iov_map_tables(a, &tables), -EOPNOTSUPP);
        check_filled(a);
        stop(x);
        /* A file shorter than BAR2, a map of a part. */
        assert_int_equal(ftruncate(x->fake.bar2_fd, IOV_BAR2_SIZE - 4096), 0);
        x->fake.sealed = true;
        a = start(x, PATIENT_MS);
        assert_int_equal(iov_map_tables(a, &tables), -EOPNOTSUPP);
        check_filled(a);
        stop(x);
}

static void test_counters(void **state) {
        struct fixture *x = *state;
        struct iov_counter counters[8];
        uint64_t time_ns = 0, now = 123456789;
        size_t n = 0;

        fill(&x->fake);
        memcpy(x->fake.bar0 + IOV_REG_TELEMETRY_TIME, &now, sizeof(now));
        struct iov_appliance *a = start(x, PATIENT_MS);
        assert_int_equal(iov_counters_read(a, counters, ARRAY_LENGTH(counters), &n, &time_ns), 0);
        assert_int_equal(n, 6);
        assert_int_equal(time_ns, now);
        for (unsigned int i = 0; i < n; i++)
                assert_int_equal(counters[i].read_ops, 100 + i);
        uint32_t asked = 0;
        assert_int_equal(iov_read32(a, 0, IOV_REG_TELEMETRY_SNAPSHOT, &asked), 0);
        assert_int_equal(asked, 1);
        assert_int_equal(iov_counters_read(a, counters, 2, &n, &time_ns), 0);
        assert_int_equal(n, 2);
        stop(x);
}

/* Another reader's snapshot comes in between: twice, or every time. */
static void snapshot_meanwhile(struct fake *f, uint64_t offset) {
        uint64_t time_ns;

        if (offset < fake_directory(f)[IOV_KIND_COUNTER].offset || f->counter == 0)
                return;
        f->counter--;
        memcpy(&time_ns, f->bar0 + IOV_REG_TELEMETRY_TIME, sizeof(time_ns));
        time_ns++;
        memcpy(f->bar0 + IOV_REG_TELEMETRY_TIME, &time_ns, sizeof(time_ns));
        ((struct iov_counter *)fake_row(f, IOV_KIND_COUNTER, 0))->read_ops = time_ns;
}

static void test_counters_change(void **state) {
        struct fixture *x = *state;
        struct iov_counter counters[8];
        uint64_t time_ns = 0;
        size_t n = 0;

        fill(&x->fake);
        x->fake.before_table_read = snapshot_meanwhile;
        x->fake.counter = 2;
        struct iov_appliance *a = start(x, PATIENT_MS);
        assert_int_equal(iov_counters_read(a, counters, ARRAY_LENGTH(counters), &n, &time_ns), 0);
        assert_int_equal(time_ns, 2);
        assert_int_equal(counters[0].read_ops, 2);
        x->fake.counter = UINT32_MAX;
        assert_int_equal(iov_counters_read(a, counters, ARRAY_LENGTH(counters), &n, &time_ns), -EAGAIN);
        stop(x);
}

static void sequence_set(struct fake *f, uint64_t value) {
        memcpy(f->bar2 + IOV_REG_TABLE_SEQUENCE, &value, sizeof(value));
}

/* A commit in the middle of a reader's copy: rows before it are of one state, rows after it of another. `counter` commits. */
static void commit_meanwhile(struct fake *f, uint64_t offset) {
        uint64_t sequence;

        memcpy(&sequence, f->bar2 + IOV_REG_TABLE_SEQUENCE, sizeof(sequence));
        if (sequence & 1) /* it has been seen in the middle: done now */
                sequence_set(f, sequence + 1);
        if (f->counter == 0 || offset != fake_directory(f)[IOV_KIND_VADAPTER].offset)
                return;
        f->counter--;
        set_name(((struct iov_server *)fake_row(f, IOV_KIND_SERVER, 0))->name, f->counter ? "web02" : "web03");
        sequence_set(f, sequence + 1);
}

static void test_tables_change(void **state) {
        struct fixture *x = *state;
        struct iov_model *m = NULL;

        fill(&x->fake);
        x->fake.before_table_read = commit_meanwhile;
        x->fake.counter = 2;
        struct iov_appliance *a = start(x, PATIENT_MS);
        assert_int_equal(iov_model_load(a, &m), 0);
        assert_int_equal(x->fake.counter, 0);
        assert_int_equal(iov_model_count(m, IOV_KIND_SERVER), 1);
        assert_non_null(iov_model_get(m, IOV_KIND_SERVER, "web03"));
        m = iov_model_unref(m);
        stop(x);
        /* All the time. */
        x->fake.counter = UINT32_MAX;
        a = start(x, SHORT_MS);
        assert_int_equal(iov_model_load(a, &m), -ETIMEDOUT);
        assert_non_null(strstr(x->log, "change all the time"));
        stop(x);
        /* A writer that died in the middle. */
        x->fake.before_table_read = NULL;
        sequence_set(&x->fake, 1);
        a = start(x, SHORT_MS);
        assert_int_equal(iov_model_load(a, &m), -ETIMEDOUT);
        assert_non_null(strstr(x->log, "not finished changing"));
        stop(x);
        assert_null(m);
}

/* Load, and expect that the tables are found to be wrong, mapped or not. */
static void check_wrong(struct fixture *x, const char *words) {
        struct iov_counter counters[2];
        struct iov_model *m = NULL;
        uint64_t time_ns;
        size_t n;

        for (unsigned int i = 0; i < 2; i++) {
                x->fake.map = x->fake.sealed = i > 0;
                struct iov_appliance *a = start(x, PATIENT_MS);
                assert_int_equal(iov_model_load(a, &m), -EPROTO);
                assert_null(m);
                assert_non_null(strstr(x->log, words));
                if (!strstr(words, "row"))
                        assert_int_equal(iov_counters_read(a, counters, 2, &n, &time_ns), -EPROTO);
                stop(x);
        }
}

static void test_header_lies(void **state) {
        static const struct {
                uint64_t offset;
                uint32_t value;
                const char *words;
        } cases[] = {
                {IOV_REG_TABLE_MAGIC, IOV_MAGIC, "no tables"},
                {IOV_REG_TABLE_COUNT, IOV_KIND_COUNT - 1, "number of tables"},
                {IOV_REG_TABLE_COUNT, IOV_TABLE_MAX + 1, "number of tables"},
                {IOV_REG_TABLE_COUNT, UINT32_MAX, "number of tables"},
        };
        struct fixture *x = *state;

        for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
                fake_free(&x->fake);
                fake_init(&x->fake);
                memcpy(x->fake.bar2 + cases[i].offset, &cases[i].value, 4);
                check_wrong(x, cases[i].words);
        }
}

static void test_directory_lies(void **state) {
        enum member { OFFSET, SIZE, MAX, ROWS };
        static const struct {
                enum iov_kind kind;
                enum member member;
                uint64_t value;
                const char *words;
        } cases[] = {
                {IOV_KIND_VADAPTER, OFFSET, 0, "overlaps the directory"},
                {IOV_KIND_VADAPTER, OFFSET, IOV_REG_TABLE_DIRECTORY + 32 * IOV_KIND_COUNT - 8, "overlaps the directory"},
                {IOV_KIND_VADAPTER, OFFSET, 4097, "not within BAR2"},
                {IOV_KIND_VADAPTER, OFFSET, IOV_BAR2_SIZE, "not within BAR2"},
                {IOV_KIND_VADAPTER, OFFSET, UINT64_MAX - 7, "not within BAR2"},
                {IOV_KIND_VADAPTER, OFFSET, IOV_BAR2_SIZE - 512, "not within BAR2"},
                {IOV_KIND_TABLE, OFFSET, 0x80, "overlaps the directory"},
                {IOV_KIND_SERVER, SIZE, 0, "rows of another size"},
                {IOV_KIND_NAMESPACE, SIZE, 255, "rows of another size"},
                {IOV_KIND_COUNTER, SIZE, UINT32_MAX, "rows of another size"},
                {IOV_KIND_SERVER, MAX, 0, "more room"},
                {IOV_KIND_ADAPTER, MAX, 257, "more room"},
                {IOV_KIND_VOLUME, MAX, UINT32_MAX, "more room"},
                {IOV_KIND_VOLUME, ROWS, 4097, "more rows in use"},
                {IOV_KIND_VOLUME, ROWS, UINT32_MAX, "more rows in use"},
        };
        struct fixture *x = *state;

        for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
                fake_free(&x->fake);
                fake_init(&x->fake);
                struct iov_table *t = &fake_directory(&x->fake)[cases[i].kind];
                if (cases[i].member == OFFSET)
                        t->offset = cases[i].value;
                else if (cases[i].member == SIZE)
                        t->record_size = (uint32_t)cases[i].value;
                else if (cases[i].member == MAX)
                        t->max = (uint32_t)cases[i].value;
                else
                        t->rows = (uint32_t)cases[i].value;
                check_wrong(x, cases[i].words);
        }
}

static void lie_unterminated(struct fake *f) {
        memset(((struct iov_server *)fake_row(f, IOV_KIND_SERVER, 0))->name, 'a', IOV_NAME_SIZE);
}
static void lie_name(struct fake *f) {
        set_name(((struct iov_server *)fake_row(f, IOV_KIND_SERVER, 0))->name, "web 01");
}
static void lie_escape(struct fake *f) {
        strcpy(((struct iov_adapter *)fake_row(f, IOV_KIND_ADAPTER, 0))->model, "\x1b[2Jssd");
}
static void lie_padding(struct fake *f) {
        ((struct iov_vadapter *)fake_row(f, IOV_KIND_VADAPTER, 2))->server[IOV_NAME_SIZE - 1] = 'x';
}
static void lie_last_field(struct fake *f) {
        struct iov_vadapter *v = fake_row(f, IOV_KIND_VADAPTER, 5);

        memset(v->socket, 's', sizeof(v->socket));
}
static void lie_twice(struct fake *f) {
        set_name(((struct iov_vadapter *)fake_row(f, IOV_KIND_VADAPTER, 5))->name, "web-disk");
}
static void lie_namespace_name(struct fake *f) {
        set_name(((struct iov_namespace *)fake_row(f, IOV_KIND_NAMESPACE, 1))->name, "web-disk/8");
}
static void lie_namespace_vadapter(struct fake *f) {
        set_name(((struct iov_namespace *)fake_row(f, IOV_KIND_NAMESPACE, 1))->vadapter, "");
}

static void test_record_lies(void **state) {
        static const struct {
                void (*lie)(struct fake *f);
                const char *words;
        } cases[] = {
                {lie_unterminated, "server in row 0: malformed name"},
                {lie_name, "server in row 0: malformed name"},
                {lie_escape, "adapter in row 0: malformed model"},
                {lie_padding, "vadapter in row 2: malformed server"},
                {lie_last_field, "vadapter in row 5: malformed socket"},
                {lie_twice, "vadapter in row 5: a second `web-disk`"},
                {lie_namespace_name, "namespace in row 1: malformed name"},
                {lie_namespace_vadapter, "namespace in row 1: malformed name"},
        };
        struct fixture *x = *state;

        for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
                fake_free(&x->fake);
                fake_init(&x->fake);
                fill(&x->fake);
                cases[i].lie(&x->fake);
                check_wrong(x, cases[i].words);
        }
}

static void test_impossible_chassis(void **state) {
        struct fixture *x = *state;

        memset(x->fake.bar0 + IOV_REG_SLOTS, 0xff, 4);
        x->fake.map = x->fake.sealed = true;
        struct iov_appliance *a = start(x, PATIENT_MS);
        struct iov_model *m = NULL;
        assert_int_equal(iov_model_load(a, &m), -EPROTO);
        assert_non_null(strstr(x->log, "impossible numbers"));
        stop(x);
}

/* The connection breaks at any point of a load: an error each time, one line in the log, nothing leaks (ASan). */
static void test_broken_anywhere(void **state) {
        struct fixture *x = *state;
        struct iov_model *m = NULL;
        unsigned int i = 0;
        int r;

        fill(&x->fake);
        x->fake.lie = FAKE_CLOSE;
        x->fake.lie_command = VFIO_USER_REGION_READ;
        do {
                x->fake.lie_at = i++;
                struct iov_appliance *a = start(x, PATIENT_MS);
                r = iov_model_load(a, &m);
                stop(x);
                if (r < 0) {
                        assert_int_equal(r, -ECONNRESET);
                        assert_ptr_equal(strchr(x->log, '\n'), x->log + strlen(x->log) - 1);
                }
        } while (r < 0 && i < 100);
        assert_int_equal(r, 0);
        assert_true(i > 8); /* sequence, header, directory, four tables in use, sequence, links, slots */
        iov_model_unref(m);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_read, setup, teardown),
                cmocka_unit_test_setup_teardown(test_mapped, setup, teardown),
                cmocka_unit_test_setup_teardown(test_unsafe_to_map, setup, teardown),
                cmocka_unit_test_setup_teardown(test_counters, setup, teardown),
                cmocka_unit_test_setup_teardown(test_counters_change, setup, teardown),
                cmocka_unit_test_setup_teardown(test_tables_change, setup, teardown),
                cmocka_unit_test_setup_teardown(test_header_lies, setup, teardown),
                cmocka_unit_test_setup_teardown(test_directory_lies, setup, teardown),
                cmocka_unit_test_setup_teardown(test_record_lies, setup, teardown),
                cmocka_unit_test_setup_teardown(test_impossible_chassis, setup, teardown),
                cmocka_unit_test_setup_teardown(test_broken_anywhere, setup, teardown),
        };

        return cmocka_run_group_tests_name("model-load", tests, NULL, NULL);
}
