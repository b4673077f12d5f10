/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The appliance's history in pieces, from one that tells the truth or not. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "crc32c.h"
#include "fake-appliance.h"
#include "transport/appliance.h"
#include "util.h"

#define PATIENT_MS 20000
#define VOLUMES 600 /* more than two payloads */
#define OBJECT (sizeof(struct iov_mb_op) + IOV_VOLUME_RECORD_SIZE)

struct fixture {
        struct fake fake; /* first: the commands find the others by it */
        struct iov_ctx *ctx;
        struct iov_appliance appliance;
        char log[4096];
        unsigned char *bytes; /* of generation 7 */
        struct iov_mb_history_part part;
        size_t piece;
        void (*spoil)(struct fixture *x, struct iov_mb_history_part *part, size_t *length);
        struct iov_mb_history_entry entries[3];
        size_t list_length;
};

static void on_log(void *userdata, int level, const char *text) {
        struct fixture *x = userdata;

        snprintf(x->log, sizeof(x->log), "%s", text);
}

static void seal(struct fixture *x) {
        x->part.checksum = crc32c(x->bytes, x->part.length);
}

static unsigned int serve(struct fake *fake, unsigned int opcode, unsigned char *payload, size_t *length) {
        struct fixture *x = (struct fixture *)fake;
        struct iov_mb_history_read request;
        struct iov_mb_history_part part = x->part;

        if (opcode == IOV_OP_HISTORY_LIST) {
                memcpy(payload, x->entries, x->list_length);
                *length = x->list_length;
                return IOV_RET_SUCCESS;
        }
        memcpy(&request, payload, sizeof(request));
        if (opcode != IOV_OP_HISTORY_READ || request.generation != 7) {
                *length = 0;
                return IOV_RET_NOT_FOUND;
        }
        part.offset = request.offset;
        size_t n = part.length - request.offset < x->piece ? part.length - request.offset : x->piece;
        memcpy(payload + sizeof(part), x->bytes + request.offset, n);
        *length = sizeof(part) + n;
        if (x->spoil)
                x->spoil(x, &part, length);
        memcpy(payload, &part, sizeof(part));
        return IOV_RET_SUCCESS;
}

static int setup(void **state) {
        struct fixture *x = calloc(1, sizeof(*x));
        char why[TRANSPORT_WHY_SIZE];
        int fds[2];

        if (!x || iov_new(&x->ctx) < 0)
                return -1;
        x->bytes = calloc(VOLUMES, OBJECT);
        x->part = (struct iov_mb_history_part){.generation = 7, .length = VOLUMES * OBJECT, .n_objects = VOLUMES};
        x->piece = IOV_MB_PAYLOAD_BYTES - sizeof(x->part);
        for (unsigned int i = 0; i < VOLUMES; i++) {
                const struct iov_mb_op op = {IOV_VERB_SET, IOV_KIND_VOLUME, IOV_VOLUME_RECORD_SIZE};
                struct iov_volume v = {.adapter = "ssd0", .size = 4096, .id = i + 1};

                snprintf(v.name, sizeof(v.name), "v%u", i);
                memcpy(x->bytes + i * OBJECT, &op, sizeof(op));
                memcpy(x->bytes + i * OBJECT + sizeof(op), &v, sizeof(v));
        }
        seal(x);
        iov_set_log_fn(x->ctx, on_log, x);
        fake_init(&x->fake);
        x->fake.command = serve;
        x->appliance = (struct iov_appliance){
                .ctx = x->ctx, .address = (char *)"fake", .payload_size = IOV_MB_PAYLOAD_BYTES, .command_ms = PATIENT_MS};
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
                return -1;
        fake_start(&x->fake, fds[1]);
        *state = x;
        return transport_vfio_user_new(fds[0], PATIENT_MS, why, &x->appliance.transport);
}

static int teardown(void **state) {
        struct fixture *x = *state;

        x->appliance.transport->ops->close(x->appliance.transport);
        fake_join(&x->fake);
        fake_free(&x->fake);
        iov_unref(x->ctx);
        free(x->bytes);
        free(x);
        return 0;
}

static void test_load(void **state) {
        static const size_t pieces[] = {1000, 4096, 65504};
        struct fixture *x = *state;

        for (size_t i = 0; i < ARRAY_LENGTH(pieces); i++) {
                struct iov_model *m = NULL;

                x->piece = pieces[i];
                assert_int_equal(iov_history_load(&x->appliance, 7, &m), 0);
                assert_int_equal(iov_model_get_generation(m), 7);
                assert_int_equal(iov_model_count(m, IOV_KIND_VOLUME), VOLUMES);
                assert_int_equal(((const struct iov_volume *)iov_model_get(m, IOV_KIND_VOLUME, "v599"))->id, 600);
                iov_model_unref(m);
        }
}

static void test_load_nothing(void **state) {
        struct fixture *x = *state;
        struct iov_model *m = NULL;

        x->part = (struct iov_mb_history_part){.generation = 7};
        assert_int_equal(iov_history_load(&x->appliance, 7, &m), 0);
        assert_int_equal(iov_model_count(m, IOV_KIND_VOLUME), 0);
        m = iov_model_unref(m);
        assert_int_equal(iov_history_load(&x->appliance, 8, &m), -ENOENT);
        assert_null(m);
}

static void refuse(struct fixture *x, const char *why) {
        struct iov_model *m = NULL;

        *x->log = 0;
        assert_int_equal(iov_history_load(&x->appliance, 7, &m), -EPROTO);
        assert_null(m);
        if (!strstr(x->log, why))
                fail_msg("wanted '%s' in: %s", why, x->log);
}

static void spoil_length(struct fixture *x, struct iov_mb_history_part *part, size_t *length) {
        part->length = UINT64_MAX - 1;
}
static void spoil_generation(struct fixture *x, struct iov_mb_history_part *part, size_t *length) {
        part->generation = 6;
}
static void spoil_offset(struct fixture *x, struct iov_mb_history_part *part, size_t *length) {
        part->offset++;
}
static void spoil_later(struct fixture *x, struct iov_mb_history_part *part, size_t *length) {
        part->checksum ^= part->offset != 0;
}
static void spoil_short(struct fixture *x, struct iov_mb_history_part *part, size_t *length) {
        *length = sizeof(*part) - 1;
}
static void spoil_end(struct fixture *x, struct iov_mb_history_part *part, size_t *length) {
        *length = sizeof(*part);
}
static void spoil_more(struct fixture *x, struct iov_mb_history_part *part, size_t *length) {
        part->length = 100;
}

static void test_pieces_that_lie(void **state) {
        static const struct {
                void (*spoil)(struct fixture *x, struct iov_mb_history_part *part, size_t *length);
                const char *why;
        } lies[] = {
                {spoil_length, "impossible length"}, {spoil_generation, "not of one whole"},
                {spoil_offset, "not of one whole"},  {spoil_later, "not of one whole"},
                {spoil_short, "too short"},          {spoil_end, "its end is missing"},
                {spoil_more, "behind its end"},
        };
        struct fixture *x = *state;

        for (size_t i = 0; i < ARRAY_LENGTH(lies); i++) {
                x->spoil = lies[i].spoil;
                refuse(x, lies[i].why);
        }
}

static void test_objects_that_lie(void **state) {
        struct fixture *x = *state;
        struct iov_mb_op *op = (struct iov_mb_op *)(void *)x->bytes;
        struct iov_volume *v = (struct iov_volume *)(void *)(x->bytes + sizeof(*op));

        v->size++;
        refuse(x, "checksum");
        static const struct iov_mb_op ops[] = {{IOV_VERB_REMOVE, IOV_KIND_VOLUME, 256},
                                               {IOV_VERB_SET, IOV_KIND_EVENT, 256},
                                               {IOV_VERB_SET, IOV_KIND_VOLUME, 255},
                                               {IOV_VERB_SET, 0xffff, 256},
                                               {IOV_VERB_SET, IOV_KIND_VOLUME, 0}};
        for (size_t i = 0; i < ARRAY_LENGTH(ops); i++) {
                *op = ops[i];
                seal(x);
                refuse(x, "malformed");
        }
        *op = (struct iov_mb_op){IOV_VERB_SET, IOV_KIND_VOLUME, IOV_VOLUME_RECORD_SIZE};
        snprintf(v->name, sizeof(v->name), "v1");
        seal(x);
        refuse(x, "comes twice");
        snprintf(v->name, sizeof(v->name), "\033[2J");
        seal(x);
        refuse(x, "malformed field");
        memset(v->adapter, 'x', sizeof(v->adapter));
        assert_int_equal(field_set(v->name, sizeof(v->name), "v0"), 0);
        seal(x);
        refuse(x, "malformed field");
        memset(v->adapter, 0, sizeof(v->adapter));
        x->part.n_objects--;
        seal(x);
        refuse(x, "number of its objects");
        x->part.length -= 3;
        seal(x);
        refuse(x, "malformed");
        x->part.length -= IOV_VOLUME_RECORD_SIZE;
        seal(x);
        refuse(x, "cut off");
}

static void test_list(void **state) {
        struct fixture *x = *state;
        struct iov_mb_history_entry *entries = NULL;
        size_t n = 9;

        assert_int_equal(iov_history_list(&x->appliance, &entries, &n), 0);
        assert_int_equal(n, 0);
        free(TAKE_PTR(entries));
        for (unsigned int i = 0; i < 3; i++)
                x->entries[i] = (struct iov_mb_history_entry){.generation = 5 + i, .uid = i};
        x->list_length = sizeof(x->entries);
        assert_int_equal(iov_history_list(&x->appliance, &entries, &n), 0);
        assert_int_equal(n, 3);
        assert_int_equal(entries[2].generation, 7);
        free(TAKE_PTR(entries));
        x->list_length--;
        assert_int_equal(iov_history_list(&x->appliance, &entries, &n), -EPROTO);
        x->list_length++;
        x->entries[1].generation = 7;
        assert_int_equal(iov_history_list(&x->appliance, &entries, &n), -EPROTO);
        assert_null(entries);
        assert_int_equal(n, 3);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_load, setup, teardown),
                cmocka_unit_test_setup_teardown(test_load_nothing, setup, teardown),
                cmocka_unit_test_setup_teardown(test_pieces_that_lie, setup, teardown),
                cmocka_unit_test_setup_teardown(test_objects_that_lie, setup, teardown),
                cmocka_unit_test_setup_teardown(test_list, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
