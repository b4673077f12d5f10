/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Admin commands: identify, log pages, features, queues, abort, asynchronous events. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nvme-host.h"

#define DNR(status) ((status) | NVME_DNR)

static unsigned int admin(struct fake *f, struct nvme_sqe sqe) {
        return fake_status(f, &f->admin, sqe);
}

static unsigned int identify(struct fake *f, uint32_t cns, uint32_t nsid) {
        memset(fake_memory(f, FAKE_DATA), 0xaa, 8192);
        return admin(f, (struct nvme_sqe){.opcode = NVME_ADMIN_IDENTIFY, .prp1 = FAKE_DATA, .cdw10 = cns, .nsid = nsid});
}

static uint64_t get(struct fake *f, unsigned int offset, unsigned int bytes) {
        uint64_t value = 0;

        memcpy(&value, (char *)fake_memory(f, FAKE_DATA) + offset, bytes);
        return value;
}

static void test_identify_controller(void **state) {
        struct fake *f = *state;
        const char *d = fake_memory(f, FAKE_DATA);

        assert_int_equal(identify(f, 1, 0), 0);
        assert_int_equal(get(f, 0, 2), nvme_model.description->vendor_id);
        assert_int_equal(get(f, 2, 2), nvme_model.description->subsystem_vendor_id);
        assert_memory_equal(d + 4, "WEB01BOOT           ", 20);
        assert_memory_equal(d + 24, "iov-tools NVMe vAdapter                 ", 40);
        assert_int_equal(d[64] >= '0' && d[64] <= '9', 1);
        assert_int_equal(d[71], ' ');
        assert_int_equal(d[77], NVME_MDTS);
        assert_int_equal(get(f, 80, 4), 0x10400);
        assert_int_equal(d[111], 1);
        assert_int_equal(get(f, 256, 2), 0x112); /* OACS: format, self-test, Doorbell Buffer Config */
        assert_int_equal(get(f, 92, 4), 0x100);  /* OAES */
        assert_int_equal(d[512], 0x66);
        assert_int_equal(d[513], 0x44);
        assert_int_equal(get(f, 516, 4), NVME_NAMESPACES);
        assert_int_equal(d[525], 7);
        assert_int_equal(get(f, 520, 2), 0x1ff);       /* ONCS */
        assert_int_equal(get(f, 536, 4), 1 << 16 | 2); /* SGLS */
        assert_memory_equal(d + 768, "nqn.2014-08.org.nvmexpress:uuid:", 32);
        assert_int_equal(strlen(d + 768), 32 + 36);
        assert_int_equal(d[3072], 0);
        assert_int_equal((unsigned char)d[4096], 0xaa);
}

/* Another vAdapter has other names; the same has the same for ever. */
static void test_identity(void **state) {
        struct vpc_persona p;
        struct nvme_image *a = calloc(1, sizeof(*a)), *b = calloc(1, sizeof(*b)), *c = calloc(1, sizeof(*c));

        assert_true(a && b && c);
        fake_persona(&p);
        nvme_model.init(a, &p);
        nvme_model.init(c, &p);
        p.unique_id++;
        p.media[0].unique_id++;
        memset(p.serial, 'x', sizeof(p.serial)); /* without an end */
        memset(p.nqn, 'y', sizeof(p.nqn));
        nvme_model.init(b, &p);
        assert_string_equal(a->subnqn, c->subnqn);
        assert_string_not_equal(a->subnqn, b->subnqn);
        assert_memory_equal(a->namespaces[0].eui64, c->namespaces[0].eui64, 8);
        assert_memory_not_equal(a->namespaces[0].eui64, b->namespaces[0].eui64, 8);
        assert_memory_not_equal(a->namespaces[0].nguid, b->namespaces[0].nguid, 16);
        assert_memory_not_equal(a->namespaces[0].eui64, a->namespaces[1].eui64, 8);
        assert_memory_equal(a->namespaces[0].eui64, a->namespaces[0].nguid + 8, 8);
        assert_int_equal(a->namespaces[0].eui64[0] & 3, 2); /* locally administered */
        assert_memory_equal(b->serial, "xxxxxxxxxxxxxxxxxxxx", 20);
        free(a);
        free(b);
        free(c);
}

static void test_identify_namespace(void **state) {
        struct fake *f = *state;

        assert_int_equal(identify(f, 0, 1), 0);
        assert_int_equal(get(f, 0, 8), FAKE_MEDIUM_SIZE / 512);
        assert_int_equal(get(f, 8, 8), FAKE_MEDIUM_SIZE / 512);
        assert_int_equal(get(f, 16, 8), FAKE_MEDIUM_SIZE / 512);
        assert_int_equal(get(f, 25, 2), 1); /* two formats, the first in use */
        assert_int_equal(get(f, 64, 8), UINT64_C(0x0007000700070007));
        assert_int_equal(get(f, 72, 2), 7); /* NOWS: a multiple of NPWG */
        assert_int_equal(get(f, 99, 1), 0);
        assert_int_equal(get(f, 128, 8), UINT64_C(12) << 48 | 9 << 16);
        assert_int_equal(identify(f, 0, 2), 0);
        assert_int_equal(get(f, 0, 8), FAKE_MEDIUM_SIZE / 4096);
        assert_int_equal(get(f, 25, 2), 1 << 8 | 1);
        assert_int_equal(get(f, 128, 8), UINT64_C(12) << 48 | 9 << 16);
        assert_int_equal(identify(f, 0, 5), 0);
        assert_int_equal(get(f, 99, 1), 1);
        assert_int_equal(identify(f, 0, 3), 0); /* inactive */
        for (unsigned int i = 0; i < 4096; i += 8)
                assert_int_equal(get(f, i, 8), 0);
        assert_int_equal(identify(f, 0, 0), DNR(NVME_SC_INVALID_NAMESPACE));
        assert_int_equal(identify(f, 0, NVME_NAMESPACES + 1), DNR(NVME_SC_INVALID_NAMESPACE));
        assert_int_equal(identify(f, 0, NVME_NSID_ALL), DNR(NVME_SC_INVALID_NAMESPACE));
}

static void test_identify_lists(void **state) {
        struct fake *f = *state;

        assert_int_equal(identify(f, 2, 0), 0);
        assert_int_equal(get(f, 0, 4), 1);
        assert_int_equal(get(f, 4, 4), 2);
        assert_int_equal(get(f, 8, 4), 5);
        assert_int_equal(get(f, 12, 4), 0);
        assert_int_equal(identify(f, 2, 2), 0);
        assert_int_equal(get(f, 0, 4), 5);
        assert_int_equal(get(f, 4, 4), 0);
        assert_int_equal(identify(f, 2, 0xfffffffd), 0);
        assert_int_equal(get(f, 0, 4), 0);
        assert_int_equal(identify(f, 2, 0xfffffffe), DNR(NVME_SC_INVALID_NAMESPACE));
        assert_int_equal(identify(f, 2, 0xffffffff), DNR(NVME_SC_INVALID_NAMESPACE));
        assert_int_equal(identify(f, 3, 1), 0);
        assert_int_equal(get(f, 0, 4), 0x0801);
        assert_memory_equal((char *)fake_memory(f, FAKE_DATA) + 4, f->image->namespaces[0].eui64, 8);
        assert_int_equal(get(f, 12, 4), 0x1002);
        assert_memory_equal((char *)fake_memory(f, FAKE_DATA) + 16, f->image->namespaces[0].nguid, 16);
        assert_int_equal(get(f, 32, 4), 0);
        assert_int_equal(identify(f, 3, 3), DNR(NVME_SC_INVALID_NAMESPACE));
        for (uint32_t cns = 4; cns < 256; cns++)
                if (cns != 6 && (cns < 0x10 || cns > 0x13))
                        assert_int_equal(identify(f, cns, 1), DNR(NVME_SC_INVALID_FIELD));
}

/* What is asked of controllers with namespace management, and answered by this one without it. */
static void test_identify_allocated(void **state) {
        struct fake *f = *state;
        uint32_t id = 0;

        assert_int_equal(identify(f, 0x10, 1), 0);
        assert_int_equal(get(f, 0, 8), UINT64_C(5) << 32 | 2);
        assert_int_equal(identify(f, 0x10, 0xfffffffe), DNR(NVME_SC_INVALID_NAMESPACE));
        assert_int_equal(identify(f, 0x11, 2), 0);
        assert_int_equal(get(f, 0, 8), FAKE_MEDIUM_SIZE / 4096);
        assert_int_equal(identify(f, 0x11, 3), 0);
        assert_int_equal(get(f, 0, 8), 0);
        assert_int_equal(identify(f, 0x11, NVME_NSID_ALL), DNR(NVME_SC_INVALID_NAMESPACE));
        assert_int_equal(identify(f, 1, 0), 0);
        id = (uint32_t)get(f, 78, 2);
        assert_int_equal(identify(f, 0x13, 0), 0);
        assert_int_equal(get(f, 0, 8), id << 16 | 1);
        assert_int_equal(identify(f, id << 16 | 0x12, 1), 0);
        assert_int_equal(get(f, 0, 8), id << 16 | 1);
        assert_int_equal(identify(f, (id + 1) << 16 | 0x12, 1), 0); /* from another one on */
        assert_int_equal(get(f, 0, 8), 0);
        assert_int_equal(identify(f, 0x12, 3), 0); /* inactive */
        assert_int_equal(get(f, 0, 8), 0);
        assert_int_equal(identify(f, 0x12, 0), DNR(NVME_SC_INVALID_NAMESPACE));
}

/* No limits that are not in MDTS, and no other command set. */
static void test_identify_command_set(void **state) {
        struct fake *f = *state;
        const struct nvme_sqe zoned = {.opcode = NVME_ADMIN_IDENTIFY, .prp1 = FAKE_DATA, .cdw10 = 6, .cdw11 = 2u << 24};

        assert_int_equal(identify(f, 6, 0), 0);
        for (unsigned int i = 0; i < 4096; i += 8)
                assert_int_equal(get(f, i, 8), 0);
        assert_int_equal(admin(f, zoned), DNR(NVME_SC_INVALID_FIELD));
}

/* Only what the effects log names is executed, and all of it. */
static void test_opcodes(void **state) {
        struct fake *f = *state;
        struct fake_queue q;
        uint32_t effects[512];

        assert_int_equal(admin(f, (struct nvme_sqe){.opcode = NVME_ADMIN_GET_LOG,
                                                    .prp1 = FAKE_DATA,
                                                    .cdw10 = 1023 << 16 | 5,
                                                    .nsid = NVME_NSID_ALL}),
                         0);
        memcpy(effects, fake_memory(f, FAKE_DATA), sizeof(effects));
        for (unsigned int opcode = 0; opcode < 256; opcode++) {
                struct nvme_sqe sqe = {.opcode = (uint8_t)opcode, .cdw10 = UINT32_MAX, .prp1 = 1};

                if (opcode == NVME_ADMIN_AER)
                        continue;
                assert_int_equal(admin(f, sqe) != DNR(NVME_SC_INVALID_OPCODE), effects[opcode] & 1);
        }
        assert_int_equal(effects[NVME_ADMIN_AER], 1);
        assert_int_equal(effects[256 + NVME_IO_WRITE], 3);
        assert_int_equal(effects[256 + NVME_IO_READ], 1);
        fake_queue_create(f, &q, 1, 16);
        for (unsigned int opcode = 0; opcode < 256; opcode++)
                assert_int_equal(fake_status(f, &q, (struct nvme_sqe){.opcode = (uint8_t)opcode}) != DNR(NVME_SC_INVALID_OPCODE),
                                 effects[256 + opcode] & 1);
}

static void test_flags(void **state) {
        struct fake *f = *state;

        assert_int_equal(admin(f, (struct nvme_sqe){.opcode = NVME_ADMIN_IDENTIFY, .flags = 0x40, .prp1 = FAKE_DATA, .cdw10 = 1}),
                         DNR(NVME_SC_INVALID_FIELD));
        assert_int_equal(admin(f, (struct nvme_sqe){.opcode = NVME_ADMIN_IDENTIFY, .flags = 0x01, .prp1 = FAKE_DATA, .cdw10 = 1}),
                         DNR(NVME_SC_INVALID_FIELD));
}

static unsigned int get_log(struct fake *f, uint32_t page, uint32_t dwords, uint64_t offset) {
        memset(fake_memory(f, FAKE_DATA), 0xaa, 8192);
        return admin(f, (struct nvme_sqe){.opcode = NVME_ADMIN_GET_LOG,
                                          .nsid = NVME_NSID_ALL,
                                          .prp1 = FAKE_DATA,
                                          .prp2 = FAKE_DATA + 4096,
                                          .cdw10 = (dwords - 1) << 16 | page,
                                          .cdw11 = (dwords - 1) >> 16,
                                          .cdw12 = (uint32_t)offset,
                                          .cdw13 = (uint32_t)(offset >> 32)});
}

static void test_log_errors(void **state) {
        struct fake *f = *state;
        struct nvme_error_entry e[2];

        assert_int_equal(get_log(f, NVME_LOG_ERROR, 1024, 0), 0);
        assert_int_equal(get(f, 0, 8), 0);
        assert_int_equal(admin(f, (struct nvme_sqe){.opcode = 0x7f}), DNR(NVME_SC_INVALID_OPCODE));
        assert_int_equal(identify(f, 0, 77), DNR(NVME_SC_INVALID_NAMESPACE));
        assert_int_equal(get_log(f, NVME_LOG_ERROR, 1024, 0), 0);
        memcpy(e, fake_memory(f, FAKE_DATA), sizeof(e));
        assert_int_equal(e[0].count, 2);
        assert_int_equal(e[0].sq_id, 0);
        assert_int_equal(e[0].cid, (uint16_t)(f->next_cid - 2));
        assert_int_equal(e[0].status >> 1, DNR(NVME_SC_INVALID_NAMESPACE) | NVME_MORE);
        assert_int_equal(e[0].location, 4);
        assert_int_equal(e[0].nsid, 77);
        assert_int_equal(e[1].count, 1);
        assert_int_equal(e[1].location, 0);
        assert_int_equal(get(f, 128, 8), 0);
        for (unsigned int i = 0; i < NVME_ERROR_ENTRIES; i++)
                admin(f, (struct nvme_sqe){.opcode = 0x7f});
        assert_int_equal(get_log(f, NVME_LOG_ERROR, 1024, 0), 0);
        for (unsigned int i = 0; i < NVME_ERROR_ENTRIES; i++)
                assert_int_equal(get(f, i * 64, 8), NVME_ERROR_ENTRIES + 2 - i);
        assert_int_equal(f->counters.errors, NVME_ERROR_ENTRIES + 2);
}

static void test_log_smart(void **state) {
        struct fake *f = *state;
        struct fake_queue q;

        fake_queue_create(f, &q, 1, 16);
        for (unsigned int i = 0; i < 3; i++)
                assert_int_equal(fake_status(f, &q, fake_transfer(f, NVME_IO_WRITE, 2, 0, 256, FAKE_DATA)), 0);
        assert_int_equal(fake_status(f, &q, fake_transfer(f, NVME_IO_READ, 1, 0, 1, FAKE_DATA)), 0);
        f->media_error = -EIO;
        assert_int_equal(fake_status(f, &q, fake_transfer(f, NVME_IO_READ, 1, 0, 1, FAKE_DATA)), DNR(NVME_SC_READ_ERROR));
        f->now += UINT64_C(7200000000000);
        assert_int_equal(get_log(f, NVME_LOG_SMART, 128, 0), 0);
        assert_int_equal(get(f, 0, 1), 0);
        assert_int_equal(get(f, 1, 2), NVME_TEMPERATURE);
        assert_int_equal(get(f, 3, 1), 100);
        assert_int_equal(get(f, 32, 8), 1);
        assert_int_equal(get(f, 48, 8), 7); /* 3 MiB, in units of 512000 bytes */
        assert_int_equal(get(f, 64, 8), 2);
        assert_int_equal(get(f, 80, 8), 3);
        assert_int_equal(get(f, 112, 8), 1);
        assert_int_equal(get(f, 128, 8), 2); /* hours */
        assert_int_equal(get(f, 160, 8), 1);
        assert_int_equal(get(f, 176, 8), 1);
        assert_int_equal(get(f, 512, 4), 0xaaaaaaaa);
}

static void test_log_others(void **state) {
        struct fake *f = *state;

        assert_int_equal(get_log(f, NVME_LOG_FIRMWARE, 128, 0), 0);
        assert_int_equal(get(f, 0, 1), 1);
        assert_int_not_equal(get(f, 8, 8), 0);
        assert_int_equal(get(f, 16, 8), 0);
        assert_int_equal(get_log(f, NVME_LOG_CHANGED_NS, 1024, 0), 0);
        assert_int_equal(get(f, 0, 8), 0);
        for (uint32_t page = 0; page < 256; page++)
                if (page < NVME_LOG_ERROR || (page > NVME_LOG_TELEMETRY_CONTROLLER && page != NVME_LOG_RESERVATION))
                        assert_int_equal(get_log(f, page, 128, 0), DNR(NVME_SC_INVALID_LOG_PAGE));
}

static void test_log_ranges(void **state) {
        struct fake *f = *state;

        assert_int_equal(get_log(f, NVME_LOG_SMART, 1, 0), 0); /* shorter than the page */
        assert_int_equal(get(f, 4, 4), 0xaaaaaaaa);
        assert_int_equal(get_log(f, NVME_LOG_SMART, 2048, 0), 0); /* longer: zeroes */
        assert_int_equal(get(f, 1, 2), NVME_TEMPERATURE);
        assert_int_equal(get(f, 8188, 4), 0);
        assert_int_equal(get_log(f, NVME_LOG_SMART, 4, 112), 0);
        assert_int_equal(get(f, 0, 8), 1); /* power cycles */
        assert_int_equal(get_log(f, NVME_LOG_SMART, 4, 512), 0);
        assert_int_equal(get_log(f, NVME_LOG_SMART, 4, 516), DNR(NVME_SC_INVALID_FIELD));
        assert_int_equal(get_log(f, NVME_LOG_SMART, 4, UINT64_C(0x100000000)), DNR(NVME_SC_INVALID_FIELD));
        assert_int_equal(get_log(f, NVME_LOG_SMART, 4, 2), DNR(NVME_SC_INVALID_FIELD));
        assert_int_equal(get_log(f, NVME_LOG_SMART, NVME_TRANSFER_MAX / 4 + 1, 0), DNR(NVME_SC_INVALID_FIELD));
        assert_int_equal(get_log(f, NVME_LOG_SMART, UINT32_MAX, 0), DNR(NVME_SC_INVALID_FIELD));
        assert_int_equal(
                admin(f, (struct nvme_sqe){.opcode = NVME_ADMIN_GET_LOG, .nsid = 1, .prp1 = FAKE_DATA, .cdw10 = 127 << 16 | 2}),
                DNR(NVME_SC_INVALID_FIELD));
}

static unsigned int set_feature(struct fake *f, uint32_t id, uint32_t nsid, uint32_t value) {
        return admin(f, (struct nvme_sqe){.opcode = NVME_ADMIN_SET_FEATURES, .nsid = nsid, .cdw10 = id, .cdw11 = value});
}

static struct nvme_cqe get_feature(struct fake *f, uint32_t id, uint32_t nsid, uint32_t dw11) {
        return fake_command(f, &f->admin,
                            (struct nvme_sqe){.opcode = NVME_ADMIN_GET_FEATURES, .nsid = nsid, .cdw10 = id, .cdw11 = dw11});
}

#define CURRENT 0x000u
#define DEFAULT 0x100u
#define SAVED 0x200u
#define SUPPORTED 0x300u

static void test_features(void **state) {
        struct fake *f = *state;
        static const struct {
                uint32_t id, initial, set;
        } cases[] = {
                {NVME_FEAT_ARBITRATION, 3, 0x01020305},
                {NVME_FEAT_POWER, 0, 0x40},
                {NVME_FEAT_TEMPERATURE, NVME_WCTEMP, 350},
                {NVME_FEAT_WRITE_CACHE, 1, 0},
                {NVME_FEAT_COALESCING, 0, 0x1234},
                {NVME_FEAT_ATOMICITY, 0, 1},
                {NVME_FEAT_EVENTS, 0, 0x11f},
        };

        for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                uint32_t id = cases[i].id;

                assert_int_equal(get_feature(f, id, 0, 0).result, cases[i].initial);
                assert_int_equal(set_feature(f, id, 0, cases[i].set), 0);
                assert_int_equal(get_feature(f, id | CURRENT, 0, 0).result, cases[i].set);
                assert_int_equal(get_feature(f, id | DEFAULT, 0, 0).result, cases[i].initial);
                assert_int_equal(get_feature(f, id | SAVED, 0, 0).result, cases[i].initial);
                assert_int_equal(get_feature(f, id | SUPPORTED, 0, 0).result, 4);
                assert_int_equal(get_feature(f, id | 0x400, 0, 0).status >> 1, DNR(NVME_SC_INVALID_FIELD));
                assert_int_equal(set_feature(f, id | 1u << 31, 0, 0), DNR(NVME_SC_FEATURE_NOT_SAVEABLE));
                assert_int_equal(set_feature(f, id, 1, 0), DNR(NVME_SC_FEATURE_NOT_PER_NS));
                assert_int_equal(get_feature(f, id, 0, 0).result, cases[i].set);
        }
        fake_disable(f);
        fake_enable(f);
        for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
                assert_int_equal(get_feature(f, cases[i].id, 0, 0).result, cases[i].initial);
        for (uint32_t id = 0; id < 256; id++)
                if (id == 0 || id == 0xd ||
                    (id > NVME_FEAT_TIMESTAMP && id != NVME_FEAT_HOST_BEHAVIOR &&
                     (id < NVME_FEAT_HOST_ID || id > NVME_FEAT_RESERVATION_PERSISTENCE))) {
                        assert_int_equal(get_feature(f, id, 0, 0).status >> 1, DNR(NVME_SC_INVALID_FIELD));
                        assert_int_equal(set_feature(f, id, 0, 0), DNR(NVME_SC_INVALID_FIELD));
                }
}

static void test_features_special(void **state) {
        struct fake *f = *state;

        assert_int_equal(set_feature(f, NVME_FEAT_POWER, 0, 1), DNR(NVME_SC_INVALID_FIELD));
        /* error recovery, per namespace */
        assert_int_equal(set_feature(f, NVME_FEAT_ERROR_RECOVERY, 1, 77), 0);
        assert_int_equal(get_feature(f, NVME_FEAT_ERROR_RECOVERY, 1, 0).result, 77);
        assert_int_equal(get_feature(f, NVME_FEAT_ERROR_RECOVERY, 2, 0).result, 0);
        assert_int_equal(set_feature(f, NVME_FEAT_ERROR_RECOVERY, NVME_NSID_ALL, 78), 0);
        assert_int_equal(get_feature(f, NVME_FEAT_ERROR_RECOVERY, 5, 0).result, 78);
        assert_int_equal(get_feature(f, NVME_FEAT_ERROR_RECOVERY | SUPPORTED, 1, 0).result, 6);
        assert_int_equal(set_feature(f, NVME_FEAT_ERROR_RECOVERY, 1, 1 << 16), DNR(NVME_SC_INVALID_FIELD));
        assert_int_equal(set_feature(f, NVME_FEAT_ERROR_RECOVERY, 0, 1), DNR(NVME_SC_INVALID_NAMESPACE));
        assert_int_equal(get_feature(f, NVME_FEAT_ERROR_RECOVERY, 3, 0).status >> 1, DNR(NVME_SC_INVALID_FIELD));
        /* interrupt vectors */
        assert_int_equal(set_feature(f, NVME_FEAT_VECTOR, 0, 1 << 16 | 63), 0);
        assert_int_equal(get_feature(f, NVME_FEAT_VECTOR, 0, 63).result, 1 << 16 | 63);
        assert_int_equal(get_feature(f, NVME_FEAT_VECTOR, 0, 62).result, 62);
        assert_int_equal(get_feature(f, NVME_FEAT_VECTOR | DEFAULT, 0, 63).result, 63);
        assert_int_equal(set_feature(f, NVME_FEAT_VECTOR, 0, 64), DNR(NVME_SC_INVALID_FIELD));
        assert_int_equal(get_feature(f, NVME_FEAT_VECTOR, 0, 64).status >> 1, DNR(NVME_SC_INVALID_FIELD));
}

static void test_feature_temperature(void **state) {
        struct fake *f = *state;
        struct nvme_cqe cqe = {0};

        assert_int_equal(get_feature(f, NVME_FEAT_TEMPERATURE, 0, 1 << 20).result, 0);
        assert_int_equal(get_feature(f, NVME_FEAT_TEMPERATURE, 0, 1 << 16).status >> 1, DNR(NVME_SC_INVALID_FIELD));
        assert_int_equal(get_feature(f, NVME_FEAT_TEMPERATURE, 0, 2 << 20).status >> 1, DNR(NVME_SC_INVALID_FIELD));
        assert_int_equal(set_feature(f, NVME_FEAT_TEMPERATURE, 0, 3 << 16 | 1), DNR(NVME_SC_INVALID_FIELD));
        /* Not asked for: no event. */
        fake_push(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_AER});
        fake_ring(f, &f->admin);
        assert_int_equal(set_feature(f, NVME_FEAT_TEMPERATURE, 0, NVME_TEMPERATURE), 0);
        assert_int_equal(get_log(f, NVME_LOG_SMART, 128, 0), 0);
        assert_int_equal(get(f, 0, 1), 2);
        assert_int_equal(set_feature(f, NVME_FEAT_TEMPERATURE, 0, NVME_WCTEMP), 0);
        assert_int_equal(set_feature(f, NVME_FEAT_EVENTS, 0, 2), 0);
        fake_push(f, &f->admin,
                  (struct nvme_sqe){
                          .opcode = NVME_ADMIN_SET_FEATURES, .cdw10 = 4, .cdw11 = 1 << 20 | 0xf << 16 | NVME_TEMPERATURE});
        fake_ring(f, &f->admin);
        assert_true(fake_pop(f, &f->admin, &cqe));
        assert_int_equal(cqe.result, NVME_LOG_SMART << 16 | NVME_EVENT_SMART_TEMPERATURE << 8 | NVME_EVENT_SMART);
        assert_true(fake_pop(f, &f->admin, &cqe));
        assert_int_equal(cqe.status >> 1, 0);
        fake_ring_cq(f, &f->admin);
        assert_int_equal(get_feature(f, NVME_FEAT_TEMPERATURE, 0, 1 << 20).result, NVME_TEMPERATURE);
}

static void test_feature_queues(void **state) {
        struct fake *f = *state;
        struct fake_queue q;
        struct nvme_cqe cqe = fake_command(
                f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_SET_FEATURES, .cdw10 = 7, .cdw11 = 3 << 16 | 3});

        assert_int_equal(cqe.result, (NVME_QUEUES - 2) << 16 | (NVME_QUEUES - 2));
        assert_int_equal(cqe.status >> 1, 0);
        assert_int_equal(set_feature(f, NVME_FEAT_QUEUES, 0, 0xffff), DNR(NVME_SC_INVALID_FIELD));
        assert_int_equal(set_feature(f, NVME_FEAT_QUEUES, 0, 0xffff0000), DNR(NVME_SC_INVALID_FIELD));
        fake_queue_create(f, &q, 1, 16);
        assert_int_equal(set_feature(f, NVME_FEAT_QUEUES, 0, 0), DNR(NVME_SC_SEQUENCE_ERROR));
        assert_int_equal(get_feature(f, NVME_FEAT_QUEUES, 0, 0).result, (NVME_QUEUES - 2) << 16 | (NVME_QUEUES - 2));
        fake_queue_create(f, &q, NVME_QUEUES - 1, 16); /* the last */
        assert_int_equal(fake_status(f, &q, fake_transfer(f, NVME_IO_READ, 1, 0, 1, FAKE_DATA)), 0);
        assert_int_equal(f->irqs[NVME_QUEUES - 1], 1);
}

static unsigned int create_cq(struct fake *f, uint32_t id, uint32_t size, uint32_t cdw11, uint64_t prp1) {
        return admin(f, (struct nvme_sqe){
                                .opcode = NVME_ADMIN_CREATE_CQ, .prp1 = prp1, .cdw10 = (size - 1) << 16 | id, .cdw11 = cdw11});
}

static unsigned int create_sq(struct fake *f, uint32_t id, uint32_t size, uint32_t cdw11, uint64_t prp1) {
        return admin(f, (struct nvme_sqe){
                                .opcode = NVME_ADMIN_CREATE_SQ, .prp1 = prp1, .cdw10 = (size - 1) << 16 | id, .cdw11 = cdw11});
}

static unsigned int delete_queue(struct fake *f, uint8_t opcode, uint32_t id) {
        return admin(f, (struct nvme_sqe){.opcode = opcode, .cdw10 = id});
}

static void test_create_errors(void **state) {
        struct fake *f = *state;

        assert_int_equal(create_cq(f, 0, 16, 1, FAKE_DATA), DNR(NVME_SC_INVALID_QUEUE_ID));
        assert_int_equal(create_cq(f, NVME_QUEUES, 16, 1, FAKE_DATA), DNR(NVME_SC_INVALID_QUEUE_ID));
        assert_int_equal(create_cq(f, 0xffff, 16, 1, FAKE_DATA), DNR(NVME_SC_INVALID_QUEUE_ID));
        assert_int_equal(create_cq(f, 1, 1, 1, FAKE_DATA), DNR(NVME_SC_INVALID_QUEUE_SIZE));
        assert_int_equal(create_cq(f, 1, NVME_QUEUE_MAX + 1, 1, FAKE_DATA), DNR(NVME_SC_INVALID_QUEUE_SIZE));
        assert_int_equal(create_cq(f, 1, 16, 0, FAKE_DATA), DNR(NVME_SC_INVALID_FIELD));
        assert_int_equal(create_cq(f, 1, 16, 1, FAKE_DATA + 64), DNR(NVME_SC_PRP_OFFSET_INVALID));
        assert_int_equal(create_cq(f, 1, 16, NVME_VECTORS << 16 | 3, FAKE_DATA), DNR(NVME_SC_INVALID_VECTOR));
        assert_int_equal(create_sq(f, 1, 16, 1 << 16 | 1, FAKE_DATA), DNR(NVME_SC_CQ_INVALID));
        assert_int_equal(create_cq(f, 1, NVME_QUEUE_MAX, 3, FAKE_DATA), 0);
        assert_int_equal(create_cq(f, 1, 16, 3, FAKE_DATA), DNR(NVME_SC_INVALID_QUEUE_ID));
        assert_int_equal(create_sq(f, 1, 16, 0 << 16 | 1, FAKE_DATA), DNR(NVME_SC_INVALID_QUEUE_ID));
        assert_int_equal(create_sq(f, 1, 16, 64u << 16 | 1, FAKE_DATA), DNR(NVME_SC_INVALID_QUEUE_ID));
        assert_int_equal(create_sq(f, 1, 16, 2 << 16 | 1, FAKE_DATA), DNR(NVME_SC_CQ_INVALID));
        assert_int_equal(create_sq(f, 1, 16, 1 << 16, FAKE_DATA), DNR(NVME_SC_INVALID_FIELD));
        assert_int_equal(create_sq(f, 1, 16, 1 << 16 | 1, FAKE_DATA + 8), DNR(NVME_SC_PRP_OFFSET_INVALID));
        assert_int_equal(create_sq(f, 0, 16, 1 << 16 | 1, FAKE_DATA), DNR(NVME_SC_INVALID_QUEUE_ID));
        assert_int_equal(create_sq(f, 1, 1, 1 << 16 | 1, FAKE_DATA), DNR(NVME_SC_INVALID_QUEUE_SIZE));
        fake_disable(f);
        fake_write(f, NVME_REG_CC, 1); /* no entry sizes */
        fake_queue_init(f, &f->admin, 0, 0, 32, 32);
        assert_int_equal(create_cq(f, 1, 16, 3, FAKE_DATA), DNR(NVME_SC_INVALID_QUEUE_SIZE));
}

static void test_delete(void **state) {
        struct fake *f = *state;
        struct fake_queue q;

        assert_int_equal(delete_queue(f, NVME_ADMIN_DELETE_SQ, 0), DNR(NVME_SC_INVALID_QUEUE_ID));
        assert_int_equal(delete_queue(f, NVME_ADMIN_DELETE_SQ, 1), DNR(NVME_SC_INVALID_QUEUE_ID));
        assert_int_equal(delete_queue(f, NVME_ADMIN_DELETE_SQ, 0xffff), DNR(NVME_SC_INVALID_QUEUE_ID));
        assert_int_equal(delete_queue(f, NVME_ADMIN_DELETE_CQ, 0), DNR(NVME_SC_INVALID_QUEUE_ID));
        assert_int_equal(delete_queue(f, NVME_ADMIN_DELETE_CQ, 1), DNR(NVME_SC_INVALID_QUEUE_ID));
        for (unsigned int i = 0; i < 3; i++) {
                fake_queue_create(f, &q, 1, 16);
                assert_int_equal(fake_status(f, &q, fake_transfer(f, NVME_IO_READ, 1, 0, 1, FAKE_DATA)), 0);
                assert_int_equal(delete_queue(f, NVME_ADMIN_DELETE_CQ, 1), DNR(NVME_SC_INVALID_QUEUE_DELETION));
                assert_int_equal(delete_queue(f, NVME_ADMIN_DELETE_SQ, 1), 0);
                assert_int_equal(delete_queue(f, NVME_ADMIN_DELETE_SQ, 1), DNR(NVME_SC_INVALID_QUEUE_ID));
                assert_int_equal(delete_queue(f, NVME_ADMIN_DELETE_CQ, 1), 0);
        }
}

static void test_events(void **state) {
        struct fake *f = *state;
        struct nvme_cqe cqe = {0};
        uint16_t first = 0;

        for (unsigned int i = 0; i < NVME_AER_MAX; i++) {
                uint16_t cid = fake_push(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_AER});

                first = i ? first : cid;
        }
        fake_ring(f, &f->admin);
        assert_false(fake_pop(f, &f->admin, &cqe));
        assert_int_equal(admin(f, (struct nvme_sqe){.opcode = NVME_ADMIN_AER}), DNR(NVME_SC_AER_LIMIT));
        fake_write(f, NVME_REG_DOORBELLS + 5 * 8, 1); /* no such queue */
        assert_true(fake_pop(f, &f->admin, &cqe));
        assert_int_equal(cqe.cid, first);
        assert_int_equal(cqe.result, NVME_LOG_ERROR << 16 | NVME_EVENT_ERROR_REGISTER << 8 | NVME_EVENT_ERROR);
        fake_ring_cq(f, &f->admin);
        fake_write(f, NVME_REG_DOORBELLS, 32); /* masked until the log is read */
        assert_false(fake_pop(f, &f->admin, &cqe));
        assert_int_equal(
                admin(f, (struct nvme_sqe){.opcode = NVME_ADMIN_GET_LOG, .prp1 = FAKE_DATA, .cdw10 = 15 << 16 | 1 << 15 | 1}), 0);
        fake_write(f, NVME_REG_DOORBELLS, 32); /* and that retained it */
        assert_false(fake_pop(f, &f->admin, &cqe));
        assert_int_equal(get_log(f, NVME_LOG_ERROR, 1024, 0), 0);
        assert_int_equal(get(f, 8, 2), 0xffff);
        assert_int_equal(get(f, 14, 2), 0xffff);
        fake_write(f, NVME_REG_DOORBELLS, 32);
        assert_true(fake_pop(f, &f->admin, &cqe));
        assert_int_equal(cqe.result, NVME_LOG_ERROR << 16 | NVME_EVENT_ERROR_VALUE << 8 | NVME_EVENT_ERROR);
        fake_ring_cq(f, &f->admin);
}

/* An event that happens while no request waits is reported to the next. */
static void test_event_first(void **state) {
        struct fake *f = *state;
        struct nvme_cqe cqe = {0};

        fake_write(f, NVME_REG_DOORBELLS + NVME_QUEUES * 8, 0); /* behind the last doorbell */
        assert_false(fake_pop(f, &f->admin, &cqe));
        cqe = fake_command(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_AER});
        assert_int_equal(cqe.result, NVME_LOG_ERROR << 16 | NVME_EVENT_ERROR);
}

static void test_abort(void **state) {
        struct fake *f = *state;
        struct nvme_cqe cqe = {0};
        uint16_t aer = fake_push(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_AER});

        fake_ring(f, &f->admin);
        cqe = fake_command(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_ABORT, .cdw10 = (uint32_t)aer << 16 | 1});
        assert_int_equal(cqe.result, 1); /* another queue */
        cqe = fake_command(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_ABORT, .cdw10 = 0xfffu << 16});
        assert_int_equal(cqe.result, 1);
        fake_push(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_ABORT, .cdw10 = (uint32_t)aer << 16});
        fake_ring(f, &f->admin);
        assert_true(fake_pop(f, &f->admin, &cqe));
        assert_int_equal(cqe.cid, aer);
        assert_int_equal(cqe.status >> 1, NVME_SC_ABORT_REQUESTED);
        assert_true(fake_pop(f, &f->admin, &cqe));
        assert_int_equal(cqe.status >> 1, 0);
        assert_int_equal(cqe.result, 0);
        fake_ring_cq(f, &f->admin);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_identify_controller, fake_setup, fake_teardown),
                cmocka_unit_test(test_identity),
                cmocka_unit_test_setup_teardown(test_identify_namespace, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_identify_lists, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_identify_allocated, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_identify_command_set, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_opcodes, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_flags, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_log_errors, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_log_smart, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_log_others, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_log_ranges, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_features, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_features_special, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_feature_temperature, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_feature_queues, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_create_errors, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_delete, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_events, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_event_first, fake_setup, fake_teardown),
                cmocka_unit_test_setup_teardown(test_abort, fake_setup, fake_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
