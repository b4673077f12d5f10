/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows of isolation from an appliance that tells the truth or not, and what iovdump makes of them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "fake-appliance.h"
#include "tools/iovdump/iovdump.h"
#include "transport/appliance.h"
#include "util.h"

#define PATIENT_MS 20000
#define ROWS 500 /* more than two payloads */
#define ROOM ((IOV_MB_PAYLOAD_BYTES - sizeof(struct iov_mb_isolation_part)) / sizeof(struct iov_mb_isolation_row))

struct fixture {
        struct fake fake; /* first: the commands find the others by it */
        struct iov_ctx *ctx;
        struct iov_appliance appliance;
        struct iov_mb_isolation_row rows[ROWS];
        size_t n;
        void (*spoil)(struct fixture *x, struct iov_mb_isolation_part *part, size_t *length);
};

static unsigned int serve(struct fake *fake, unsigned int opcode, unsigned char *payload, size_t *length) {
        struct fixture *x = (struct fixture *)fake;
        struct iov_mb_isolation_read request;

        memcpy(&request, payload, sizeof(request));
        if (opcode != IOV_OP_ISOLATION_READ || request.first > x->n) {
                *length = 0;
                return IOV_RET_UNSUPPORTED;
        }
        struct iov_mb_isolation_part part = {request.first, x->n};
        size_t n = x->n - request.first < ROOM ? x->n - request.first : ROOM;
        memcpy(payload + sizeof(part), x->rows + request.first, n * sizeof(*x->rows));
        *length = sizeof(part) + n * sizeof(*x->rows);
        if (x->spoil)
                x->spoil(x, &part, length);
        memcpy(payload, &part, sizeof(part));
        return IOV_RET_SUCCESS;
}

static struct iov_mb_isolation_row window(const char *server, uint64_t inode, uint64_t offset, uint64_t size, uint32_t flags) {
        struct iov_mb_isolation_row row = {
                .kind = IOV_ISOLATION_WINDOW, .device = 1, .inode = inode, .offset = offset, .size = size, .flags = flags};

        field_set(row.server, sizeof(row.server), server);
        return row;
}

static int setup(void **state) {
        struct fixture *x = calloc(1, sizeof(*x));
        char why[TRANSPORT_WHY_SIZE];
        int fds[2];

        if (!x || iov_new(&x->ctx) < 0)
                return -1;
        x->n = ROWS;
        for (unsigned int i = 0; i < ROWS; i++)
                x->rows[i] = window("web01", i + 1, 0, 4096, 3);
        fake_init(&x->fake);
        x->fake.command = serve;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
                return -1;
        fake_start(&x->fake, fds[1]);
        x->appliance = (struct iov_appliance){
                .ctx = x->ctx, .address = (char *)"unix:fake", .payload_size = IOV_MB_PAYLOAD_BYTES, .command_ms = PATIENT_MS};
        *state = x;
        return transport_vfio_user_new(fds[0], PATIENT_MS, why, &x->appliance.transport);
}

static int teardown(void **state) {
        struct fixture *x = *state;

        x->appliance.transport->ops->close(x->appliance.transport);
        fake_join(&x->fake);
        fake_free(&x->fake);
        iov_unref(x->ctx);
        free(x);
        return 0;
}

static void test_rows_in_parts(void **state) {
        struct fixture *x = *state;
        struct iov_mb_isolation_row *rows = NULL;
        size_t n = 0;

        assert_int_equal(iov_isolation_read(&x->appliance, &rows, &n), 0);
        assert_int_equal(n, ROWS);
        assert_memory_equal(rows, x->rows, sizeof(x->rows));
        free(rows);
        x->n = 0;
        assert_int_equal(iov_isolation_read(&x->appliance, &rows, &n), 0);
        assert_int_equal(n, 0);
        free(rows);
}

static void spoil_length(struct fixture *x, struct iov_mb_isolation_part *part, size_t *length) {
        *length -= 1;
}
static void spoil_short(struct fixture *x, struct iov_mb_isolation_part *part, size_t *length) {
        *length = 8;
}
static void spoil_first(struct fixture *x, struct iov_mb_isolation_part *part, size_t *length) {
        part->first++;
}
static void spoil_total(struct fixture *x, struct iov_mb_isolation_part *part, size_t *length) {
        part->total = UINT64_MAX;
}
static void spoil_grows(struct fixture *x, struct iov_mb_isolation_part *part, size_t *length) {
        part->total += part->first;
}
static void spoil_less(struct fixture *x, struct iov_mb_isolation_part *part, size_t *length) {
        part->total = 3;
}
static void spoil_nothing(struct fixture *x, struct iov_mb_isolation_part *part, size_t *length) {
        *length = sizeof(*part);
}

static void test_parts_that_lie(void **state) {
        void (*const spoils[])(struct fixture *, struct iov_mb_isolation_part *, size_t *) = {
                spoil_length, spoil_short, spoil_first, spoil_total, spoil_grows, spoil_less, spoil_nothing};
        struct fixture *x = *state;
        struct iov_mb_isolation_row *rows = NULL;
        size_t n = 99;

        for (size_t i = 0; i < ARRAY_LENGTH(spoils); i++) {
                x->spoil = spoils[i];
                assert_int_equal(iov_isolation_read(&x->appliance, &rows, &n), -EPROTO);
                assert_null(rows);
                assert_int_equal(n, 99);
        }
}

static void test_rows_that_lie(void **state) {
        struct fixture *x = *state;
        struct iov_mb_isolation_row *rows = NULL, good = x->rows[0], bad[8];
        size_t n = 0;

        for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
                bad[i] = good;
        bad[0].kind = 0;
        bad[1].kind = 99;
        *bad[2].server = 0;
        memset(bad[3].server, 'x', sizeof(bad[3].server));
        bad[4].object[0] = '\033';
        bad[5].offset = UINT64_MAX;
        bad[6].address = UINT64_MAX;
        memset(bad[7].vadapter, 'x', sizeof(bad[7].vadapter));
        for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
                x->rows[ROWS - 1] = bad[i];
                assert_int_equal(iov_isolation_read(&x->appliance, &rows, &n), -EPROTO);
        }
}

static void test_overlaps(void **state) {
        struct iov_mb_isolation_row rows[] = {
                window("a", 7, 0, 8192, 3),    window("b", 7, 4096, 4096, 1), /* one of them writes: 0 and 1 */
                window("a", 8, 0, 4096, 3),    window("b", 8, 4096, 4096, 3), /* side by side */
                window("a", 9, 0, 4096, 1),    window("b", 9, 0, 4096, 1),    /* both only read */
                window("a", 10, 0, 4096, 3),   window("a", 10, 0, 4096, 3),   /* one server, two vAdapters */
                window("c", 0, 0, 1 << 20, 3), window("d", 0, 0, 1 << 20, 3), /* nothing behind either */
                window("e", 11, 0, 4096, 3),   window("f", 11, 0, 4096, 3),   /* the same number of two devices */
        };
        size_t with[ARRAY_LENGTH(rows)];

        rows[11].device = 2;
        assert_int_equal(isolation_overlaps(rows, ARRAY_LENGTH(rows), with), 1);
        assert_int_equal(with[0], 1);
        assert_int_equal(with[1], 0);
        for (size_t i = 2; i < ARRAY_LENGTH(rows); i++)
                assert_true(with[i] == SIZE_MAX);
        assert_int_equal(isolation_overlaps(rows, 0, with), 0);
}

static void test_overlaps_of_other_kinds(void **state) {
        struct iov_mb_isolation_row rows[] = {
                window("a", 5, 0, 4096, 3),    window("b", 0, 0, 0, 0), window("b", 0, 0, 0, 0),
                window("c", 5, 0, 1 << 20, 3), window("b", 0, 0, 0, 0),
        };
        size_t with[ARRAY_LENGTH(rows)];

        rows[1].kind = rows[2].kind = rows[4].kind = IOV_ISOLATION_VECTOR;
        rows[1].id = 77;
        rows[2].id = 0; /* not known */
        field_set(rows[2].server, sizeof(rows[2].server), "d");
        rows[3].kind = IOV_ISOLATION_MEDIUM; /* a volume whose file is the memory of another server */
        rows[4].id = 77;
        field_set(rows[4].server, sizeof(rows[4].server), "e");
        assert_int_equal(isolation_overlaps(rows, ARRAY_LENGTH(rows), with), 2);
        assert_int_equal(with[0], 3);
        assert_int_equal(with[1], 4);
        assert_true(with[2] == SIZE_MAX);
        assert_int_equal(with[3], 0);
        assert_int_equal(with[4], 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_rows_in_parts, setup, teardown),
                cmocka_unit_test_setup_teardown(test_parts_that_lie, setup, teardown),
                cmocka_unit_test_setup_teardown(test_rows_that_lie, setup, teardown),
                cmocka_unit_test(test_overlaps),
                cmocka_unit_test(test_overlaps_of_other_kinds),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
