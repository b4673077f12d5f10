/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reservations as a controller has them: what it lets through, how it asks, and what it tells of changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nvme-host.h"
#include "util.h"

#define SC_CONFLICT (NVME_SC_RESERVATION_CONFLICT | NVME_DNR)

/* The appliance, as far as it is seen from here. */
static struct vpc_reservation_page *page;
static struct vpc_reserve_request asked;
static unsigned int n_asked, n_fenced;
static uint64_t fenced_change;
static void (*ask_about_marks)(void *context, const struct vpc_reserve_request *request);

static const struct vpc_reservation_page *reservations(void *context, unsigned int index) {
        return index == 0 ? page : NULL;
}

static void reserve(void *context, const struct vpc_reserve_request *request) {
        if (request->op >= VPC_RESERVE_OPS) {
                ask_about_marks(context, request);
                return;
        }
        asked = *request;
        n_asked++;
}

static void fenced(void *context, unsigned int index, uint64_t change) {
        assert_int_equal(index, 0);
        n_fenced++;
        fenced_change = change;
}

/* What the reservations are from now on, and the worker hears of it. */
static void show(struct fake *f, struct vpc_reservation *r) {
        r->volume = f->persona.media[0].unique_id;
        r->change++;
        vpc_reservation_write(page, r);
        nvme_model.fence(f->device, 0, r->change);
}

static struct vpc_initiator host_of(unsigned int n) {
        return (struct vpc_initiator){.host = {(uint8_t)n}};
}

/* Namespace 1 is shared, and the host has the identifier 1, unless `nameless`. */
static struct fake *start(struct fake_queue *q, bool nameless) {
        struct fake *f = fake_new();

        page = calloc(1, sizeof(*page));
        assert_non_null(page);
        n_asked = n_fenced = 0;
        f->host.reservations = reservations;
        ask_about_marks = f->host.reserve;
        f->host.reserve = reserve;
        f->host.fenced = fenced;
        f->persona.media[0].shared = 1;
        assert_int_equal(nvme_model.show(f->device, &f->persona), 0);
        fake_enable(f);
        fake_queue_create(f, q, 1, 32);
        if (!nameless) {
                memset(fake_memory(f, FAKE_DATA), 0, 8);
                *(unsigned char *)fake_memory(f, FAKE_DATA) = 1;
                assert_int_equal(fake_status(f, &f->admin,
                                             (struct nvme_sqe){.opcode = NVME_ADMIN_SET_FEATURES,
                                                               .cdw10 = NVME_FEAT_HOST_ID,
                                                               .prp1 = FAKE_DATA}),
                                 0);
        }
        return f;
}

static void stop(struct fake *f) {
        fake_free(f);
        free(page);
        page = NULL;
}

static struct vpc_reservation reservation(uint32_t type, unsigned int holder, unsigned int registrant) {
        struct vpc_reservation r = {.type = type, .generation = 5};

        if (holder)
                r.registrants[r.n_registrants++] =
                        (struct vpc_registrant){.initiator = host_of(holder),
                                                .key = 0x10 + holder,
                                                .is_holder = type && !vpc_reservation_is_for_all(type)};
        if (registrant)
                r.registrants[r.n_registrants++] =
                        (struct vpc_registrant){.initiator = host_of(registrant), .key = 0x10 + registrant};
        return r;
}

static struct nvme_sqe keyed(struct fake *f, uint8_t opcode, uint32_t cdw10, uint64_t key, uint64_t new_key) {
        const uint64_t keys[] = {key, new_key};

        memcpy(fake_memory(f, FAKE_DATA), keys, sizeof(keys));
        return (struct nvme_sqe){.opcode = opcode, .nsid = 1, .cdw10 = cdw10, .prp1 = FAKE_DATA};
}

static void test_identify(void **state) {
        struct fake_queue q;
        struct fake *f = start(&q, false);
        const unsigned char *d = fake_memory(f, FAKE_DATA);

        assert_int_equal(
                fake_status(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_IDENTIFY, .nsid = 1, .prp1 = FAKE_DATA}), 0);
        assert_int_equal(d[30], 1);
        assert_int_equal(d[31], 0xff);
        assert_int_equal(
                fake_status(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_IDENTIFY, .nsid = 2, .prp1 = FAKE_DATA}), 0);
        assert_int_equal(d[30] | d[31], 0);
        assert_int_equal(
                fake_status(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_IDENTIFY, .cdw10 = 1, .prp1 = FAKE_DATA}), 0);
        assert_int_equal(d[76], 2);
        assert_int_equal(d[78] | d[79] << 8, 1 + 7);
        assert_int_equal(d[520] >> 5 & 1, 1);
        stop(f);
}

/* A shared namespace of which nothing is known is not touched; nor is one by the page of another volume. */
static void test_not_ready(void **state) {
        struct fake_queue q;
        struct fake *f = start(&q, false);
        struct vpc_reservation r = reservation(0, 0, 0);
        struct nvme_cqe cqe;

        assert_int_equal(fake_status(f, &q, fake_transfer(f, NVME_IO_WRITE, 1, 0, 1, FAKE_DATA)), NVME_SC_NAMESPACE_NOT_READY);
        assert_int_equal(fake_status(f, &q, fake_transfer(f, NVME_IO_READ, 2, 0, 1, FAKE_DATA)), 0);
        show(f, &r);
        assert_int_equal(fake_status(f, &q, fake_transfer(f, NVME_IO_WRITE, 1, 0, 1, FAKE_DATA)), 0);
        /* What is under way in several requests does not go on, either. */
        fake_push(f, &q, (struct nvme_sqe){.opcode = NVME_IO_VERIFY, .nsid = 1, .cdw12 = FAKE_MEDIUM_SIZE / 512 - 1});
        fake_ring(f, &q);
        r.volume = 999;
        r.change++;
        vpc_reservation_write(page, &r);
        nvme_model.fence(f->device, 0, r.change);
        assert_true(fake_step(f));
        assert_false(fake_step(f));
        assert_true(fake_pop(f, &q, &cqe));
        assert_int_equal(cqe.status >> 1, NVME_SC_NAMESPACE_NOT_READY);
        fake_ring_cq(f, &q);
        assert_int_equal(fake_status(f, &q, fake_transfer(f, NVME_IO_WRITE, 1, 0, 1, FAKE_DATA)), NVME_SC_NAMESPACE_NOT_READY);
        stop(f);
}

static unsigned int try_one(struct fake *f, struct fake_queue *q, uint8_t opcode, uint32_t nsid) {
        if (opcode == NVME_IO_READ || opcode == NVME_IO_WRITE || opcode == NVME_IO_COMPARE)
                return fake_status(f, q, fake_transfer(f, opcode, nsid, 0, 1, FAKE_DATA));
        memset(fake_memory(f, FAKE_DATA), 0, 16);
        return fake_status(f, q, (struct nvme_sqe){.opcode = opcode, .nsid = nsid, .prp1 = FAKE_DATA});
}

static unsigned int try_copy(struct fake *f, struct fake_queue *q, uint32_t nsid) {
        const struct nvme_copy_range range = {.first = 16};

        memcpy(fake_memory(f, FAKE_DATA), &range, sizeof(range));
        return fake_status(f, q, (struct nvme_sqe){.opcode = NVME_IO_COPY, .nsid = nsid, .prp1 = FAKE_DATA, .cdw10 = 8});
}

/* The table of [8.8, Command Behavior in the Presence of a Reservation], without a message: the page is enough. */
static void test_conflicts(void **state) {
        static const uint8_t reads[] = {NVME_IO_READ, NVME_IO_VERIFY};
        static const uint8_t writes[] = {NVME_IO_WRITE, NVME_IO_FLUSH, NVME_IO_WRITE_ZEROES, NVME_IO_DATASET,
                                         NVME_IO_WRITE_UNCORRECTABLE};
        struct fake_queue q;
        struct fake *f = start(&q, false);

        /* who: 1 holds it, 2 holds it and 1 has registered, 2 holds it */
        for (unsigned int who = 0; who < 3; who++)
                for (uint32_t type = 0; type < VPC_RESERVATION_TYPES; type++) {
                        struct vpc_reservation r = reservation(type, who == 0 ? 1 : 2, who == 1 ? 1 : 0);
                        const struct vpc_initiator me = host_of(1);
                        const unsigned int rights = vpc_reservation_rights(&r, &me);

                        r.volume = f->persona.media[0].unique_id;
                        vpc_reservation_write(page, &r);
                        for (size_t i = 0; i < ARRAY_LENGTH(reads); i++)
                                assert_int_equal(try_one(f, &q, reads[i], 1), rights & VPC_MAY_READ ? 0 : SC_CONFLICT);
                        assert_int_equal(try_one(f, &q, NVME_IO_COMPARE, 1) == SC_CONFLICT, !(rights & VPC_MAY_READ));
                        for (size_t i = 0; i < ARRAY_LENGTH(writes); i++)
                                assert_int_equal(try_one(f, &q, writes[i], 1), rights & VPC_MAY_WRITE ? 0 : SC_CONFLICT);
                        assert_int_equal(try_copy(f, &q, 1),
                                         (rights & VPC_MAY_READ) && (rights & VPC_MAY_WRITE) ? 0 : SC_CONFLICT);
                        assert_int_equal(try_one(f, &q, NVME_IO_FLUSH, NVME_NSID_ALL), rights & VPC_MAY_WRITE ? 0 : SC_CONFLICT);
                        assert_int_equal(fake_status(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_FORMAT, .nsid = 1}),
                                         rights & VPC_MAY_WRITE ? 0 : SC_CONFLICT);
                        assert_int_equal(try_one(f, &q, NVME_IO_WRITE, 2), 0);
                }
        stop(f);
}

/* Asked once at a time, and again by the process that comes next; completed once. */
static void test_ask(void **state) {
        struct fake_queue q;
        struct fake *f = start(&q, false);
        struct nvme_cqe cqe;

        const uint16_t first = fake_push(f, &q, keyed(f, NVME_IO_RESERVE_REGISTER, 3u << 30 | 1 << 3 | 2, 0x11, 0x22));
        const uint16_t second = fake_push(
                f, &q, (struct nvme_sqe){.opcode = NVME_IO_RESERVE_RELEASE, .nsid = 1, .cdw10 = 0xff01, .prp1 = FAKE_DATA + 64});
        fake_ring(f, &q);
        fake_run(f);
        assert_false(fake_pop(f, &q, &cqe));
        assert_int_equal(n_asked, 1);
        assert_int_equal(asked.op, VPC_RESERVE_REPLACE);
        assert_int_equal(asked.key, 0x11);
        assert_int_equal(asked.new_key, 0x22);
        assert_int_equal(asked.ignore_key, 1);
        assert_int_equal(asked.persist, VPC_PERSIST_ON);
        assert_int_equal(asked.initiator.host[0], 1);
        assert_int_equal(asked.initiator.owner, 7);
        assert_int_equal(asked.volume, f->persona.media[0].unique_id);
        const uint64_t ticket = asked.ticket;

        /* What the guest writes there now is not looked at again. */
        memset(fake_memory(f, FAKE_DATA), 0xee, 16);
        fake_restart(f);
        f->timer = 0;
        fake_run(f);
        assert_int_equal(n_asked, 2);
        assert_int_equal(asked.ticket, ticket);
        assert_int_equal(asked.key, 0x11);
        nvme_model.reserved(f->device, ticket - 1, VPC_RESERVE_DONE);
        assert_false(fake_pop(f, &q, &cqe));
        nvme_model.reserved(f->device, ticket, VPC_RESERVE_CONFLICT);
        assert_true(fake_pop(f, &q, &cqe));
        assert_int_equal(cqe.cid, first);
        assert_int_equal(cqe.status >> 1, SC_CONFLICT);
        assert_int_equal(n_asked, 3);
        assert_int_equal(asked.op, VPC_RESERVE_CLEAR);
        assert_int_equal(asked.type, 0); /* whatever RTYPE says */
        assert_int_equal(asked.ticket, ticket + 1);
        /* The first answer again, as after a restart on the other side. */
        nvme_model.reserved(f->device, ticket, VPC_RESERVE_DONE);
        assert_false(fake_pop(f, &q, &cqe));
        nvme_model.reserved(f->device, ticket + 1, VPC_RESERVE_DONE);
        assert_true(fake_pop(f, &q, &cqe));
        assert_int_equal(cqe.cid, second);
        assert_int_equal(cqe.status >> 1, 0);
        nvme_model.reserved(f->device, ticket + 1, VPC_RESERVE_DONE);
        fake_run(f);
        assert_false(fake_pop(f, &q, &cqe));
        assert_int_equal(n_asked, 3);
        stop(f);
}

static void test_fields(void **state) {
        struct fake_queue q;
        struct fake *f = start(&q, false);
        static const struct {
                uint8_t opcode;
                uint32_t cdw10;
        } bad[] = {{NVME_IO_RESERVE_REGISTER, 3},         {NVME_IO_RESERVE_REGISTER, 1u << 30},
                   {NVME_IO_RESERVE_ACQUIRE, 1 << 8 | 3}, {NVME_IO_RESERVE_ACQUIRE, 1 << 8 | 8},
                   {NVME_IO_RESERVE_ACQUIRE, 0},          {NVME_IO_RESERVE_ACQUIRE, 7 << 8},
                   {NVME_IO_RESERVE_RELEASE, 1 << 8 | 2}, {NVME_IO_RESERVE_RELEASE, 1 << 8 | 8},
                   {NVME_IO_RESERVE_RELEASE, 7 << 8}};

        for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
                assert_int_equal(fake_status(f, &q, keyed(f, bad[i].opcode, bad[i].cdw10, 1, 1)),
                                 NVME_SC_INVALID_FIELD | NVME_DNR);
        struct nvme_sqe sqe = keyed(f, NVME_IO_RESERVE_REGISTER, 0, 0, 1);
        sqe.nsid = 2; /* it is nobody else's */
        assert_int_equal(fake_status(f, &q, sqe), NVME_SC_INVALID_FIELD | NVME_DNR);
        sqe.nsid = 99;
        assert_int_equal(fake_status(f, &q, sqe), NVME_SC_INVALID_NAMESPACE | NVME_DNR);
        sqe = keyed(f, NVME_IO_RESERVE_REGISTER, 0, 0, 1);
        sqe.prp1 = 0xdead0000;
        assert_int_equal(fake_status(f, &q, sqe), NVME_SC_DATA_TRANSFER_ERROR | NVME_DNR);
        assert_int_equal(n_asked, 0);
        /* A queue that is deleted has its answer first. */
        fake_push(f, &q, keyed(f, NVME_IO_RESERVE_REGISTER, 0, 0, 1));
        fake_ring(f, &q);
        fake_push(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_DELETE_SQ, .cdw10 = 1});
        fake_ring(f, &f->admin);
        struct nvme_cqe cqe;
        assert_false(fake_pop(f, &f->admin, &cqe));
        nvme_model.reserved(f->device, asked.ticket, VPC_RESERVE_FULL);
        assert_true(fake_pop(f, &q, &cqe));
        assert_int_equal(cqe.status >> 1, NVME_SC_OPERATION_DENIED | NVME_DNR);
        assert_true(fake_pop(f, &f->admin, &cqe));
        assert_int_equal(cqe.status >> 1, 0);
        stop(f);
}

static void test_report(void **state) {
        struct fake_queue q;
        struct fake *f = start(&q, false);
        struct vpc_reservation r = reservation(VPC_EXCLUSIVE_ACCESS, 2, 3);
        const unsigned char *d = fake_memory(f, FAKE_DATA);
        struct nvme_sqe sqe = {.opcode = NVME_IO_RESERVE_REPORT, .nsid = 1, .cdw10 = 255, .prp1 = FAKE_DATA};
        uint64_t key = 0;

        r.persists = 1;
        show(f, &r); /* who may do nothing may still look */
        assert_int_equal(fake_status(f, &q, sqe), 0);
        assert_int_equal(d[0], 5);
        assert_int_equal(d[4], VPC_EXCLUSIVE_ACCESS);
        assert_int_equal(d[5], 2);
        assert_int_equal(d[9], 1);
        assert_int_equal(d[24 + 2], 1);
        assert_int_equal(d[24 + 8], 2);
        memcpy(&key, d + 24 + 16, sizeof(key));
        assert_int_equal(key, 0x12);
        assert_int_equal(d[48 + 2], 0);
        sqe.cdw11 = 1;
        assert_int_equal(fake_status(f, &q, sqe), 0);
        assert_int_equal(d[64 + 2], 1);
        memcpy(&key, d + 64 + 8, sizeof(key));
        assert_int_equal(key, 0x12);
        assert_int_equal(d[64 + 16], 2);
        /* 128 bits do not fit into 64. */
        r.registrants[1].initiator.is_extended = 1;
        show(f, &r);
        assert_int_equal(fake_status(f, &q, sqe), 0);
        sqe.cdw11 = 0;
        assert_int_equal(fake_status(f, &q, sqe), NVME_SC_HOST_ID_FORMAT | NVME_DNR);
        stop(f);
}

/* Somebody else gets the namespace while a range waits for its marks: the next range is not touched any more. */
static void test_deallocate_preempted(void **state) {
        struct fake_queue q;
        struct fake *f = start(&q, false);
        struct vpc_reservation r = reservation(0, 0, 0);
        const struct nvme_range ranges[] = {{.first = 8, .blocks = 2}, {.first = 30, .blocks = 2}};
        const struct nvme_sqe sqe = {
                .opcode = NVME_IO_DATASET, .nsid = 1, .cdw10 = 1, .cdw11 = NVME_DATASET_DEALLOCATE, .prp1 = FAKE_DATA};
        struct nvme_cqe cqe;

        show(f, &r);
        assert_int_equal(fake_status(f, &q, fake_transfer(f, NVME_IO_WRITE_UNCORRECTABLE, 1, 8, 4, 0)), 0);
        memcpy(fake_memory(f, FAKE_DATA), ranges, sizeof(ranges));
        f->is_away = true;
        fake_push(f, &q, sqe);
        fake_ring(f, &q);
        fake_run(f);
        assert_false(fake_pop(f, &q, &cqe));
        const struct vpc_reservation other = reservation(VPC_WRITE_EXCLUSIVE, 2, 0);
        const uint64_t change = r.change;
        r = other;
        r.change = change;
        show(f, &r);
        const unsigned int discards = f->n_submitted[VPC_IO_DISCARD];
        f->is_away = false;
        fake_run(f);
        assert_true(fake_pop(f, &q, &cqe));
        assert_int_equal(cqe.status >> 1, SC_CONFLICT);
        fake_ring_cq(f, &q);
        assert_int_equal(f->n_submitted[VPC_IO_DISCARD], discards);
        stop(f);
}

/* Somebody else gets the namespace, for writing, while a copy is under way: nothing more of it is written, or read. */
static void test_copy_preempted(void **state) {
        const struct nvme_copy_range range = {.first = 1000, .blocks = 999};

        for (unsigned int steps = 0; steps < 4; steps++) {
                struct fake_queue q;
                struct fake *f = start(&q, false);
                struct vpc_reservation r = reservation(0, 0, 0);
                struct nvme_cqe cqe;

                show(f, &r);
                memcpy(fake_memory(f, FAKE_DATA), &range, sizeof(range));
                fake_push(f, &q, (struct nvme_sqe){.opcode = NVME_IO_COPY, .nsid = 1, .prp1 = FAKE_DATA});
                fake_ring(f, &q);
                for (unsigned int i = 0; i < steps; i++)
                        assert_true(fake_step(f));
                const uint64_t change = r.change;
                r = reservation(VPC_WRITE_EXCLUSIVE, 2, 0);
                r.change = change;
                show(f, &r);
                assert_int_equal(n_fenced, 1);
                assert_true(fake_step(f));
                assert_int_equal(n_fenced, 2);
                assert_true(fake_pop(f, &q, &cqe));
                assert_int_equal(cqe.status >> 1, SC_CONFLICT);
                assert_int_equal(cqe.result, 0);
                fake_ring_cq(f, &q);
                assert_int_equal(f->n_pending, 0);
                assert_int_equal(f->n_submitted[VPC_IO_READ], 1 + steps / 2);
                assert_int_equal(f->n_submitted[VPC_IO_WRITE], (1 + steps) / 2);
                stop(f);
        }
}

/* A namespace is given to others as well while commands of several requests are under way: they are judged before the next. */
static void test_shared_since(void **state) {
        const struct nvme_range ranges[] = {{.first = 8, .blocks = 2}, {.first = 30, .blocks = 2}};
        const struct nvme_copy_range range = {.first = 100, .blocks = 49};
        struct fake_queue q;
        struct fake *f = start(&q, false);
        struct nvme_cqe cqe;

        memcpy(fake_memory(f, FAKE_DATA), ranges, sizeof(ranges));
        memcpy(fake_memory(f, FAKE_DATA + 4096), &range, sizeof(range));
        fake_push(f, &q,
                  (struct nvme_sqe){
                          .opcode = NVME_IO_DATASET, .nsid = 2, .cdw10 = 1, .cdw11 = NVME_DATASET_DEALLOCATE, .prp1 = FAKE_DATA});
        fake_push(f, &q, (struct nvme_sqe){.opcode = NVME_IO_COPY, .nsid = 2, .prp1 = FAKE_DATA + 4096});
        fake_push(f, &q, (struct nvme_sqe){.opcode = NVME_IO_VERIFY, .nsid = 2, .cdw12 = 20});
        fake_push(f, &q, fake_transfer(f, NVME_IO_WRITE, 2, 0, 1, FAKE_DATA + 8192));
        fake_ring(f, &q);
        assert_int_equal(f->n_pending, 4);
        f->persona.media[1].shared = 1;
        assert_int_equal(nvme_model.show(f->device, &f->persona), 0);
        for (unsigned int i = 0; i < 3; i++) {
                assert_true(fake_step(f));
                assert_true(fake_pop(f, &q, &cqe));
                assert_int_equal(cqe.status >> 1, NVME_SC_NAMESPACE_NOT_READY); /* its reservations are not known yet */
        }
        assert_true(fake_step(f));
        assert_true(fake_pop(f, &q, &cqe));
        assert_int_equal(cqe.status >> 1, 0); /* let through before, as a whole */
        assert_int_equal(f->n_pending, 0);
        fake_ring_cq(f, &q);
        stop(f);
}

/* A report of which the host wants only parts. */
static void test_report_in_parts(void **state) {
        struct fake_queue q;
        struct fake *f = start(&q, false);
        struct vpc_reservation r = reservation(VPC_EXCLUSIVE_ACCESS, 2, 3);
        const struct nvme_sgl parts[] = {
                {.length = 4, .type = NVME_SGL_BIT_BUCKET},
                {.address = FAKE_DATA, .length = 4, .type = NVME_SGL_DATA},
                {.length = 32, .type = NVME_SGL_BIT_BUCKET},
                {.address = FAKE_DATA + 4, .length = 32, .type = NVME_SGL_DATA},
        };
        const struct nvme_sgl all = {.address = FAKE_LISTS, .length = sizeof(parts), .type = NVME_SGL_LAST_SEGMENT};
        struct nvme_sqe sqe = {.opcode = NVME_IO_RESERVE_REPORT, .nsid = 1, .cdw10 = 72 / 4 - 1, .prp1 = FAKE_DATA};
        unsigned char whole[72];

        show(f, &r);
        assert_int_equal(fake_status(f, &q, sqe), 0);
        memcpy(whole, fake_memory(f, FAKE_DATA), sizeof(whole));
        memcpy(fake_memory(f, FAKE_LISTS), parts, sizeof(parts));
        sqe.flags = 0x40;
        memcpy(&sqe.prp1, &all, 8);
        memcpy(&sqe.prp2, (const char *)&all + 8, 8);
        assert_int_equal(fake_status(f, &q, sqe), 0);
        assert_memory_equal(fake_memory(f, FAKE_DATA), whole + 4, 4);
        assert_memory_equal(fake_memory(f, FAKE_DATA + 4), whole + 40, 32);
        stop(f);
}

/* Fenced when what was under way has ended, not before; and what begins afterwards is judged anew. */
static void test_fence(void **state) {
        struct fake_queue q;
        struct fake *f = start(&q, false);
        struct vpc_reservation r = reservation(VPC_WRITE_EXCLUSIVE, 1, 2);
        struct nvme_cqe cqe;

        show(f, &r);
        assert_int_equal(n_fenced, 1);
        fake_push(f, &q, fake_transfer(f, NVME_IO_WRITE, 1, 0, 1, FAKE_DATA));
        fake_push(f, &q, (struct nvme_sqe){.opcode = NVME_IO_VERIFY, .nsid = 1, .cdw12 = 255});
        fake_ring(f, &q);
        assert_int_equal(f->n_pending, 2);
        r = reservation(VPC_EXCLUSIVE_ACCESS, 2, 0);
        r.change = 1;
        show(f, &r);
        assert_int_equal(n_fenced, 1);
        assert_true(fake_step(f));
        assert_int_equal(n_fenced, 1);
        assert_true(fake_step(f));
        assert_int_equal(n_fenced, 2);
        assert_int_equal(fenced_change, 2);
        assert_true(fake_pop(f, &q, &cqe));
        assert_int_equal(cqe.status >> 1, 0); /* let through before, as a whole */
        assert_true(fake_pop(f, &q, &cqe));
        assert_int_equal(cqe.status >> 1, SC_CONFLICT); /* in pieces, of which no other is read */
        assert_int_equal(f->n_pending, 0);
        fake_ring_cq(f, &q);
        assert_int_equal(fake_status(f, &q, fake_transfer(f, NVME_IO_READ, 1, 0, 1, FAKE_DATA)), SC_CONFLICT);
        /* A process that comes next judges anew what was under way, and holds to it as well. */
        stop(f);
}

static void test_fence_restart(void **state) {
        struct fake_queue q;
        struct fake *f = start(&q, false);
        struct vpc_reservation r = reservation(0, 0, 0);
        struct nvme_cqe cqe;

        show(f, &r);
        fake_push(f, &q, fake_transfer(f, NVME_IO_WRITE, 1, 0, 1, FAKE_DATA));
        fake_ring(f, &q);
        r = reservation(VPC_WRITE_EXCLUSIVE, 2, 0);
        r.change = 1;
        show(f, &r);
        assert_int_equal(n_fenced, 1);
        fake_restart(f);
        nvme_model.fence(f->device, 0, r.change); /* the message is still there */
        assert_int_equal(n_fenced, 2);
        assert_int_equal(f->n_pending, 0);
        assert_true(fake_pop(f, &q, &cqe));
        assert_int_equal(cqe.status >> 1, SC_CONFLICT);
        stop(f);
}

static void test_preempt_and_abort(void **state) {
        struct fake_queue q;
        struct fake *f = start(&q, false);
        struct vpc_reservation r = reservation(VPC_WRITE_EXCLUSIVE, 1, 2);
        struct nvme_cqe cqe;

        show(f, &r);
        fake_push(f, &q, fake_transfer(f, NVME_IO_WRITE, 1, 0, 1, FAKE_DATA));
        fake_push(f, &q, fake_transfer(f, NVME_IO_WRITE, 2, 0, 1, FAKE_DATA));
        fake_ring(f, &q);
        r = reservation(VPC_WRITE_EXCLUSIVE, 2, 0);
        r.change = 1;
        r.notices[r.n_notices++] =
                (struct vpc_notice_to){.initiator = host_of(1), .notice = VPC_REGISTRATION_PREEMPTED, .is_aborted = 1};
        show(f, &r);
        assert_int_equal(n_fenced, 1);
        fake_run(f);
        assert_int_equal(n_fenced, 2);
        assert_true(fake_pop(f, &q, &cqe));
        assert_int_equal(cqe.status >> 1, NVME_SC_PREEMPT_ABORTED | NVME_DNR);
        assert_true(fake_pop(f, &q, &cqe));
        assert_int_equal(cqe.status >> 1, 0); /* of another namespace */
        stop(f);
}

static unsigned int read_log(struct fake *f, uint64_t *ret_count) {
        const unsigned char *d = fake_memory(f, FAKE_DATA);

        assert_int_equal(fake_status(f, &f->admin,
                                     (struct nvme_sqe){.opcode = NVME_ADMIN_GET_LOG,
                                                       .cdw10 = 15u << 16 | NVME_LOG_RESERVATION,
                                                       .prp1 = FAKE_DATA}),
                         0);
        memcpy(ret_count, d, sizeof(*ret_count));
        assert_true(d[8] == 0 || d[12] == 1);
        return d[8] | (unsigned int)d[9] << 8;
}

/* [5.2] [5.14.1.16.1] */
static void test_notices(void **state) {
        struct fake_queue q;
        struct fake *f = start(&q, false);
        struct vpc_reservation r = reservation(VPC_WRITE_EXCLUSIVE_REGISTRANTS, 2, 1);
        struct nvme_cqe cqe;
        uint64_t count = 0;

        r.notices[r.n_notices++] = (struct vpc_notice_to){.initiator = host_of(1), .notice = VPC_REGISTRATION_PREEMPTED};
        show(f, &r); /* of before the first look: not for this host */
        assert_int_equal(read_log(f, &count), 0);
        fake_push(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_AER});
        fake_ring(f, &f->admin);
        r.notices[0].initiator = host_of(3);
        show(f, &r); /* for another */
        assert_false(fake_pop(f, &f->admin, &cqe));
        r.notices[0] = (struct vpc_notice_to){.initiator = host_of(1), .notice = VPC_RESERVATION_RELEASED};
        show(f, &r);
        assert_true(fake_pop(f, &f->admin, &cqe));
        assert_int_equal(cqe.result, 6 | NVME_LOG_RESERVATION << 16);
        fake_ring_cq(f, &f->admin);
        nvme_model.fence(f->device, 0, r.change); /* the same once more */
        r.notices[0].notice = VPC_RESERVATION_PREEMPTED;
        show(f, &r);
        assert_int_equal(read_log(f, &count), VPC_RESERVATION_RELEASED | 1 << 8);
        assert_int_equal(count, 1);
        assert_int_equal(read_log(f, &count), VPC_RESERVATION_PREEMPTED);
        assert_int_equal(count, 2);
        assert_int_equal(read_log(f, &count), 0);
        /* Feature 82h */
        struct nvme_sqe sqe = {.opcode = NVME_ADMIN_SET_FEATURES, .nsid = 1, .cdw10 = NVME_FEAT_RESERVATION_MASK, .cdw11 = 0xff};
        assert_int_equal(fake_status(f, &f->admin, sqe), 0);
        sqe.opcode = NVME_ADMIN_GET_FEATURES;
        assert_int_equal(fake_command(f, &f->admin, sqe).result, 0xe);
        show(f, &r);
        assert_int_equal(read_log(f, &count), 0);
        stop(f);
}

/* Feature 83h goes the way of the commands. */
static void test_persistence(void **state) {
        struct fake_queue q;
        struct fake *f = start(&q, false);
        struct vpc_reservation r = reservation(0, 0, 0);
        struct nvme_sqe sqe = {
                .opcode = NVME_ADMIN_SET_FEATURES, .nsid = NVME_NSID_ALL, .cdw10 = NVME_FEAT_RESERVATION_PERSISTENCE, .cdw11 = 1};
        struct nvme_cqe cqe;

        show(f, &r);
        fake_push(f, &f->admin, sqe);
        fake_ring(f, &f->admin);
        assert_false(fake_pop(f, &f->admin, &cqe));
        assert_int_equal(asked.op, VPC_RESERVE_PERSIST);
        assert_int_equal(asked.persist, VPC_PERSIST_ON);
        r.persists = 1;
        show(f, &r);
        nvme_model.reserved(f->device, asked.ticket, VPC_RESERVE_DONE);
        assert_true(fake_pop(f, &f->admin, &cqe));
        assert_int_equal(cqe.status >> 1, 0);
        fake_ring_cq(f, &f->admin);
        sqe = (struct nvme_sqe){.opcode = NVME_ADMIN_GET_FEATURES, .nsid = 1, .cdw10 = NVME_FEAT_RESERVATION_PERSISTENCE};
        assert_int_equal(fake_command(f, &f->admin, sqe).result, 1);
        sqe.nsid = 2;
        assert_int_equal(fake_status(f, &f->admin, sqe), NVME_SC_INVALID_FIELD | NVME_DNR);
        stop(f);
}

/* A reset does not remove a registration [8.8], but that of a host which has never said who it is [5.21.1.19]. */
static void test_reset(void **state) {
        for (unsigned int nameless = 0; nameless < 2; nameless++) {
                struct fake_queue q;
                struct fake *f = start(&q, nameless);

                fake_push(f, &q, keyed(f, NVME_IO_RESERVE_REGISTER, 0, 0, 0x11));
                fake_ring(f, &q);
                const struct vpc_initiator before = asked.initiator;
                nvme_model.reserved(f->device, asked.ticket, VPC_RESERVE_DONE);
                fake_disable(f);
                assert_int_equal(n_asked, 1 + nameless);
                if (nameless) {
                        assert_int_equal(asked.op, VPC_RESERVE_FORGET);
                        assert_false(vpc_initiator_same(&before, &asked.initiator));
                        nvme_model.reserved(f->device, asked.ticket, VPC_RESERVE_DONE);
                        assert_int_equal(f->image->forget, 0);
                }
                stop(f);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_identify),
                cmocka_unit_test(test_not_ready),
                cmocka_unit_test(test_conflicts),
                cmocka_unit_test(test_ask),
                cmocka_unit_test(test_fields),
                cmocka_unit_test(test_report),
                cmocka_unit_test(test_report_in_parts),
                cmocka_unit_test(test_deallocate_preempted),
                cmocka_unit_test(test_copy_preempted),
                cmocka_unit_test(test_shared_since),
                cmocka_unit_test(test_fence),
                cmocka_unit_test(test_fence_restart),
                cmocka_unit_test(test_preempt_and_abort),
                cmocka_unit_test(test_notices),
                cmocka_unit_test(test_persistence),
                cmocka_unit_test(test_reset),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
