/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a controller keeps for its life, in another image: figures, error log, self-tests, LBA range types; and bytes that are
 * none of that. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nvme-host.h"

#define HOUR UINT64_C(3600000000000)
#define ROUNDS 4000u
#define SEED 20261126u

struct test {
        struct fake *f;
        struct fake_queue q;
        unsigned char *life; /* VPC_LIFE_MAX bytes */
        size_t size;
};

static void begin(struct test *t) {
        fake_enable(t->f);
        fake_queue_create(t->f, &t->q, 1, 16);
}

static int setup(void **state) {
        struct test *t = calloc(1, sizeof(*t));

        if (!t)
                return -1;
        t->f = fake_new();
        t->life = malloc(VPC_LIFE_MAX);
        begin(t);
        *state = t;
        return t->life ? 0 : -1;
}

static int teardown(void **state) {
        struct test *t = *state;

        fake_free(t->f);
        free(t->life);
        free(t);
        return 0;
}

/* As the appliance does: out of one image, into the next. */
static void plug(struct test *t, const struct vpc_persona *persona) {
        struct fake *f = t->f;
        void *device = NULL;

        fake_run(f);
        t->size = nvme_model.life_take(f->image, f->now, t->life);
        assert_in_range(t->size, 1, VPC_LIFE_MAX);
        nvme_model.detach(f->device);
        f->timer = UINT64_MAX;
        f->level_told = false;
        memset(f->image, 0, nvme_model.state_size);
        assert_int_equal(nvme_model.init(f->image, persona), 0);
        assert_int_equal(nvme_model.life_give(f->image, t->life, t->size), 0);
        assert_int_equal(nvme_model.attach(f->image, &f->host, &f->counters, &device), 0);
        f->device = device;
}

static void replug(struct test *t) {
        plug(t, &t->f->persona);
        begin(t);
}

static unsigned int admin(struct test *t, struct nvme_sqe sqe) {
        return fake_status(t->f, &t->f->admin, sqe);
}

static unsigned int transfer(struct test *t, uint8_t opcode, uint64_t block) {
        return fake_status(t->f, &t->q, fake_transfer(t->f, opcode, 1, block, 8, FAKE_DATA));
}

/* A read past the end. */
static void read_past(struct test *t) {
        assert_int_equal(transfer(t, NVME_IO_READ, FAKE_MEDIUM_SIZE), NVME_SC_LBA_OUT_OF_RANGE | NVME_DNR);
}

static const unsigned char *get_log(struct test *t, uint32_t page) {
        unsigned char *data = fake_memory(t->f, FAKE_DATA);

        memset(data, 0xaa, NVME_PAGE_SIZE);
        assert_int_equal(admin(t, (struct nvme_sqe){.opcode = NVME_ADMIN_GET_LOG,
                                                    .nsid = NVME_NSID_ALL,
                                                    .prp1 = FAKE_DATA,
                                                    .cdw10 = (NVME_PAGE_SIZE / 4 - 1) << 16 | page}),
                         0);
        return data;
}

static uint64_t figure(struct test *t, unsigned int offset) {
        uint64_t value = 0;

        memcpy(&value, get_log(t, NVME_LOG_SMART) + offset, sizeof(value));
        return value;
}
enum { READS = 64, WRITES = 80, BUSY = 96, CYCLES = 112, HOURS = 128, UNSAFE = 144, MEDIA = 160, ERRORS = 176 };

static unsigned int self_test(struct test *t, uint32_t code, uint32_t nsid) {
        return admin(t, (struct nvme_sqe){.opcode = NVME_ADMIN_SELF_TEST, .nsid = nsid, .cdw10 = code});
}

static void set_range(struct test *t, uint8_t type, uint64_t blocks) {
        unsigned char *data = fake_memory(t->f, FAKE_DATA);

        memset(data, 0, NVME_PAGE_SIZE);
        data[0] = type;
        memcpy(data + 24, &blocks, sizeof(blocks));
        assert_int_equal(admin(t, (struct nvme_sqe){.opcode = NVME_ADMIN_SET_FEATURES,
                                                    .nsid = 1,
                                                    .prp1 = FAKE_DATA,
                                                    .cdw10 = NVME_FEAT_LBA_RANGE}),
                         0);
}

static unsigned int range_type(struct test *t) {
        const unsigned char *data = fake_memory(t->f, FAKE_DATA);

        assert_int_equal(admin(t, (struct nvme_sqe){.opcode = NVME_ADMIN_GET_FEATURES,
                                                    .nsid = 1,
                                                    .prp1 = FAKE_DATA,
                                                    .cdw10 = NVME_FEAT_LBA_RANGE}),
                         0);
        return data[0];
}

static void shut_down(struct test *t) {
        fake_write(t->f, NVME_REG_CC, 0x00464001);
        fake_run(t->f);
        assert_int_equal(fake_read(t->f, NVME_REG_CSTS) & NVME_CSTS_SHST_MASK, NVME_CSTS_SHST_COMPLETE);
}

static void test_round_trip(void **state) {
        struct test *t = *state;
        unsigned char before[NVME_PAGE_SIZE];

        for (unsigned int i = 0; i < 300; i++)
                assert_int_equal(transfer(t, NVME_IO_WRITE, i), 0);
        assert_int_equal(transfer(t, NVME_IO_READ, 0), 0);
        read_past(t);
        t->f->media_error = -EIO;
        assert_int_not_equal(transfer(t, NVME_IO_READ, 0), 0);
        t->f->media_error = 0;
        set_range(t, 3, 100);
        assert_int_equal(self_test(t, NVME_SELF_TEST_SHORT, 2), 0);
        fake_run(t->f);
        memcpy(before, get_log(t, NVME_LOG_ERROR), sizeof(before));
        const uint64_t busy = t->f->image->life.busy_ns;
        replug(t);
        assert_memory_equal(get_log(t, NVME_LOG_ERROR), before, sizeof(before));
        assert_int_equal(t->f->image->life.busy_ns, busy);
        assert_int_equal(figure(t, 32), 1);
        assert_int_equal(figure(t, 48), 3); /* 300 times 4 KiB, in units of 512000 bytes */
        assert_int_equal(figure(t, READS), 3);
        assert_int_equal(figure(t, WRITES), 300);
        assert_int_equal(figure(t, MEDIA), 1);
        assert_int_equal(figure(t, ERRORS), 2);
        assert_int_equal(range_type(t), 3);
        assert_int_equal(get_log(t, NVME_LOG_SELF_TEST)[4], NVME_SELF_TEST_SHORT << 4);
        assert_int_equal(get_log(t, NVME_LOG_SELF_TEST)[4 + 28], NVME_SELF_TEST_UNUSED);
        read_past(t);
        assert_int_equal(figure(t, ERRORS), 3);
        uint64_t count = 0;
        memcpy(&count, get_log(t, NVME_LOG_ERROR), sizeof(count));
        assert_int_equal(count, 3);
}

/* Nothing of it is the next one's that was never driven. */
static void test_unused(void **state) {
        struct test *t = *state;

        assert_int_equal(transfer(t, NVME_IO_WRITE, 0), 0);
        plug(t, &t->f->persona);
        plug(t, &t->f->persona);
        plug(t, &t->f->persona);
        begin(t);
        assert_int_equal(figure(t, CYCLES), 2);
        assert_int_equal(figure(t, UNSAFE), 1);
        assert_int_equal(figure(t, WRITES), 1);
}

static void test_power(void **state) {
        struct test *t = *state;

        assert_int_equal(figure(t, CYCLES), 1);
        /* Told of: by the server's end, or by the appliance's. */
        shut_down(t);
        nvme_model.power_lost(t->f->device);
        nvme_model.power_lost(t->f->device); /* a process that does it again */
        replug(t);
        assert_int_equal(figure(t, CYCLES), 2);
        assert_int_equal(figure(t, UNSAFE), 0);
        shut_down(t);
        replug(t);
        assert_int_equal(figure(t, UNSAFE), 0);
        /* Not told of, likewise; and within the shutdown. */
        nvme_model.power_lost(t->f->device);
        replug(t);
        assert_int_equal(figure(t, UNSAFE), 1);
        replug(t);
        assert_int_equal(figure(t, UNSAFE), 2);
        fake_write(t->f, NVME_REG_CC, 0x00464001);
        assert_int_equal(fake_read(t->f, NVME_REG_CSTS) & NVME_CSTS_SHST_MASK, NVME_CSTS_SHST_OCCURRING);
        nvme_model.power_lost(t->f->device);
        replug(t);
        assert_int_equal(figure(t, UNSAFE), 3);
        /* One that is not enabled has nothing to lose. */
        fake_disable(t->f);
        replug(t);
        assert_int_equal(figure(t, UNSAFE), 3);
        assert_int_equal(figure(t, CYCLES), 7);
        /* Resets, and another process, are none of that. */
        nvme_model.reset(t->f->device, VPC_RESET_FLR);
        nvme_model.reset(t->f->device, VPC_RESET_BUS);
        fake_restart(t->f);
        begin(t);
        assert_int_equal(figure(t, UNSAFE), 3);
        assert_int_equal(figure(t, CYCLES), 7);
}

static void test_hours(void **state) {
        struct test *t = *state;

        t->f->now += 3 * HOUR;
        fake_restart(t->f); /* killed: not an hour less */
        t->f->now += 2 * HOUR;
        assert_int_equal(figure(t, HOURS), 5);
        t->f->now += HOUR / 2;
        nvme_model.power_lost(t->f->device);
        t->f->now += 100 * HOUR;
        plug(t, &t->f->persona);
        t->f->now += 100 * HOUR; /* in a slot of a server that is off */
        begin(t);
        t->f->now += HOUR / 2;
        assert_int_equal(figure(t, HOURS), 6);
        t->f->now += HOUR;
        replug(t);
        assert_int_equal(figure(t, HOURS), 7);
}

static void test_errors(void **state) {
        struct test *t = *state;
        struct nvme_error_entry entry;

        for (unsigned int i = 0; i < 100; i++)
                read_past(t);
        replug(t);
        for (unsigned int i = 0; i < NVME_ERROR_ENTRIES; i++) {
                memcpy(&entry, get_log(t, NVME_LOG_ERROR) + i * sizeof(entry), sizeof(entry));
                assert_int_equal(entry.count, 100 - i);
                assert_int_equal(entry.lba, FAKE_MEDIUM_SIZE);
        }
        read_past(t);
        memcpy(&entry, get_log(t, NVME_LOG_ERROR), sizeof(entry));
        assert_int_equal(entry.count, 101);
        /* One that was just being written. */
        t->f->image->errors[100 % NVME_ERROR_ENTRIES].count = 0;
        replug(t);
        memcpy(&entry, get_log(t, NVME_LOG_ERROR) + sizeof(entry), sizeof(entry));
        assert_int_equal(entry.count, 0);
        assert_int_equal(entry.lba, 0);
        memcpy(&entry, get_log(t, NVME_LOG_ERROR) + 2 * sizeof(entry), sizeof(entry));
        assert_int_equal(entry.count, 99);
}

static void test_self_tests(void **state) {
        struct test *t = *state;
        struct vpc_persona persona = t->f->persona;
        const unsigned int pieces = FAKE_MEDIUM_SIZE / NVME_SELF_TEST_PIECE;

        /* A short one ends with the power. */
        fake_push(t->f, &t->f->admin,
                  (struct nvme_sqe){.opcode = NVME_ADMIN_SELF_TEST, .nsid = 2, .cdw10 = NVME_SELF_TEST_SHORT});
        fake_ring(t->f, &t->f->admin);
        assert_int_equal(t->f->image->self_test.code, NVME_SELF_TEST_SHORT);
        t->size = nvme_model.life_take(t->f->image, t->f->now, t->life);
        fake_power(t->f, &persona);
        assert_int_equal(nvme_model.life_give(t->f->image, t->life, t->size), 0);
        begin(t);
        assert_int_equal(get_log(t, NVME_LOG_SELF_TEST)[0], 0);
        assert_int_equal(get_log(t, NVME_LOG_SELF_TEST)[4], NVME_SELF_TEST_SHORT << 4 | NVME_SELF_TEST_RESET);
        /* An extended one goes on where it was, when power is on. */
        fake_push(t->f, &t->f->admin,
                  (struct nvme_sqe){.opcode = NVME_ADMIN_SELF_TEST, .nsid = 2, .cdw10 = NVME_SELF_TEST_EXTENDED});
        fake_ring(t->f, &t->f->admin);
        for (unsigned int i = 0; i < pieces / 2; i++)
                fake_step(t->f);
        t->size = nvme_model.life_take(t->f->image, t->f->now, t->life);
        fake_power(t->f, &persona);
        assert_int_equal(nvme_model.life_give(t->f->image, t->life, t->size), 0);
        t->f->n_submitted[VPC_IO_READ] = 0;
        fake_run(t->f);
        assert_int_equal(t->f->n_submitted[VPC_IO_READ], 0);
        fake_enable(t->f);
        fake_run(t->f);
        assert_int_equal(t->f->n_submitted[VPC_IO_READ], pieces - pieces / 2);
        assert_int_equal(get_log(t, NVME_LOG_SELF_TEST)[4], NVME_SELF_TEST_EXTENDED << 4);
        /* Its namespace is gone. */
        fake_push(t->f, &t->f->admin,
                  (struct nvme_sqe){.opcode = NVME_ADMIN_SELF_TEST, .nsid = 2, .cdw10 = NVME_SELF_TEST_EXTENDED});
        fake_ring(t->f, &t->f->admin);
        t->size = nvme_model.life_take(t->f->image, t->f->now, t->life);
        persona.n_media = 1;
        fake_power(t->f, &persona);
        assert_int_equal(nvme_model.life_give(t->f->image, t->life, t->size), 0);
        fake_enable(t->f);
        fake_run(t->f);
        assert_int_equal(get_log(t, NVME_LOG_SELF_TEST)[0], 0);
        assert_int_equal(get_log(t, NVME_LOG_SELF_TEST)[4], NVME_SELF_TEST_EXTENDED << 4 | NVME_SELF_TEST_REMOVED);
}

static void test_ranges(void **state) {
        struct test *t = *state;
        struct vpc_persona persona = t->f->persona;

        set_range(t, 3, FAKE_MEDIUM_SIZE / 512 - 1); /* 0's based */
        /* It cannot be saved, and so persists [5.21]. */
        nvme_model.reset(t->f->device, VPC_RESET_FLR);
        fake_enable(t->f);
        assert_int_equal(range_type(t), 3);
        /* Of a namespace that has become smaller it is as if there were none, and so of another medium. */
        persona.media[0].size /= 2;
        plug(t, &persona);
        begin(t);
        assert_int_equal(range_type(t), 0);
        set_range(t, 4, 1);
        persona.media[0].unique_id += 1000;
        plug(t, &persona);
        begin(t);
        assert_int_equal(range_type(t), 0);
}

static void test_mark(void **state) {
        struct test *t = *state;
        uint64_t marks[10];
        unsigned int n = 0;

#define MARK() (marks[n++] = nvme_model.life_mark(t->f->image, t->f->now))
        MARK();
        assert_int_not_equal(marks[0], 0);
        t->f->now += HOUR / 2;
        assert_int_equal(nvme_model.life_mark(t->f->image, t->f->now), marks[0]);
        t->f->now += HOUR / 2;
        MARK();
        assert_int_equal(transfer(t, NVME_IO_WRITE, 0), 0);
        MARK();
        read_past(t);
        MARK();
        set_range(t, 1, 1);
        MARK();
        assert_int_equal(self_test(t, NVME_SELF_TEST_SHORT, 2), 0);
        fake_run(t->f);
        MARK();
        shut_down(t);
        MARK();
        replug(t);
        MARK();
        for (unsigned int i = 0; i < n; i++)
                for (unsigned int k = 0; k < i; k++)
                        assert_int_not_equal(marks[i], marks[k]);
}

/* ---- what is none of it ---- */

static uint64_t random_state = SEED;
static uint32_t take_random(void) {
        random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
        return (uint32_t)(random_state >> 33);
}

static void look_at_all(struct test *t) {
        begin(t);
        get_log(t, NVME_LOG_ERROR);
        get_log(t, NVME_LOG_SMART);
        get_log(t, NVME_LOG_SELF_TEST);
        range_type(t);
        read_past(t);
        fake_run(t->f);
}

/* Whatever is in the file: it is taken and does no harm, or it is refused and nothing has changed. */
static void test_hostile_bytes(void **state) {
        struct test *t = *state;
        struct fake *f = t->f;
        unsigned char *good = malloc(VPC_LIFE_MAX), *untouched = malloc(nvme_model.state_size);
        unsigned int n_taken = 0;

        assert_true(good && untouched);
        for (unsigned int i = 0; i < 3; i++)
                read_past(t);
        set_range(t, 1, 1);
        assert_int_equal(self_test(t, NVME_SELF_TEST_SHORT, 2), 0);
        fake_run(f);
        fake_push(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_SELF_TEST, .nsid = 2, .cdw10 = NVME_SELF_TEST_EXTENDED});
        fake_ring(f, &f->admin);
        const size_t size = nvme_model.life_take(f->image, f->now, good);
        for (unsigned int round = 0; round < ROUNDS; round++) {
                size_t length = round % 8 ? size : take_random() % (size + 100);

                memcpy(t->life, good, size);
                for (unsigned int n = take_random() % 4; n > 0; n--)
                        t->life[take_random() % (round % 2 ? 64 : size)] =
                                (unsigned char)(take_random() % 3 ? take_random() : 255);
                if (round % 50 == 0) /* what other compilers or disks make of it */
                        memset(t->life, round % 100 ? 0 : 255, length);
                fake_power(f, &f->persona);
                memcpy(untouched, f->image, nvme_model.state_size);
                const int r = nvme_model.life_give(f->image, t->life, length);
                if (r < 0) {
                        assert_int_equal(r, -EBADMSG);
                        assert_memory_equal(untouched, f->image, nvme_model.state_size);
                } else if (n_taken++ % 50 == 0) {
                        look_at_all(t);
                }
        }
        assert_in_range(n_taken, ROUNDS / 20, ROUNDS - ROUNDS / 20);
        free(good);
        free(untouched);
}

/* Whatever a worker in the hands of its guest makes of the image: what is taken from it is within bounds, and good. */
static void test_hostile_image(void **state) {
        struct test *t = *state;
        struct fake *f = t->f;
        unsigned char *bad = malloc(nvme_model.state_size);

        assert_non_null(bad);
        for (unsigned int i = 0; i < 100; i++)
                read_past(t);
        fake_run(f);
        for (unsigned int round = 0; round < ROUNDS / 10; round++) {
                memcpy(bad, f->image, nvme_model.state_size);
                if (round % 3 == 0)
                        for (size_t i = 0; i < nvme_model.state_size; i += 1 + take_random() % 64)
                                bad[i] = (unsigned char)take_random();
                else if (round % 3 == 1)
                        memset(bad + take_random() % nvme_model.state_size / 2, 255, nvme_model.state_size / 2);
                else
                        memset(bad + offsetof(struct nvme_image, life), take_random() & 255,
                               sizeof(struct nvme_life) + sizeof(struct nvme_power) + sizeof(struct nvme_self_test));
                nvme_model.life_mark(bad, take_random());
                t->size = nvme_model.life_take(bad, take_random(), t->life);
                assert_in_range(t->size, 1, VPC_LIFE_MAX);
                memset(bad, 0, nvme_model.state_size);
                assert_int_equal(nvme_model.init(bad, &f->persona), 0);
                assert_int_equal(nvme_model.life_give(bad, t->life, t->size), 0);
        }
        free(bad);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
                cmocka_unit_test_setup_teardown(test_unused, setup, teardown),
                cmocka_unit_test_setup_teardown(test_power, setup, teardown),
                cmocka_unit_test_setup_teardown(test_hours, setup, teardown),
                cmocka_unit_test_setup_teardown(test_errors, setup, teardown),
                cmocka_unit_test_setup_teardown(test_self_tests, setup, teardown),
                cmocka_unit_test_setup_teardown(test_ranges, setup, teardown),
                cmocka_unit_test_setup_teardown(test_mark, setup, teardown),
                cmocka_unit_test_setup_teardown(test_hostile_bytes, setup, teardown),
                cmocka_unit_test_setup_teardown(test_hostile_image, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
