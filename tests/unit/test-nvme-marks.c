/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Marks as a controller has them: what it asks the appliance, when, and what becomes of that when it or its process is reset. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "control/volumes/mark-state.h"
#include "nvme-host.h"

#define BAD (NVME_SC_READ_ERROR | NVME_DNR)

static struct fake_queue q;

static struct fake *start(void) {
        struct fake *f = fake_new();

        fake_enable(f);
        fake_queue_create(f, &q, 1, 32);
        return f;
}

static struct nvme_sqe blocks(struct fake *f, uint8_t opcode, uint64_t first, uint32_t count) {
        return fake_transfer(f, opcode, 1, first, count, FAKE_DATA);
}

static unsigned int run(struct fake *f, uint8_t opcode, uint64_t first, uint32_t count) {
        return fake_status(f, &q, blocks(f, opcode, first, count));
}

/* Sent, and as far as it gets while the appliance is away. */
static uint16_t begin(struct fake *f, struct nvme_sqe sqe) {
        const uint16_t cid = fake_push(f, &q, sqe);

        f->is_away = true;
        fake_ring(f, &q);
        fake_run(f);
        f->is_away = false;
        return cid;
}

static void assert_ends(struct fake *f, uint16_t cid, unsigned int status) {
        struct nvme_cqe cqe;

        assert_true(fake_pop(f, &q, &cqe));
        assert_int_equal(cqe.cid, cid);
        assert_int_equal(cqe.status >> 1, status);
        fake_ring_cq(f, &q);
}

static void assert_nothing_ended(struct fake *f) {
        struct nvme_cqe cqe;

        assert_false(fake_pop(f, &q, &cqe));
}

/* What another controller of the volume does. */
static void other(struct fake *f, uint8_t op, uint64_t first, uint64_t count) {
        const struct vpc_reserve_request request = {
                .op = op, .first = first * 512, .end = (first + count) * 512, .change = f->marked[0].change};
        bool changed = false;

        assert_int_equal(mark_apply(&f->marked[0], &request, &changed), VPC_RESERVE_DONE);
        vpc_marks_show(&f->marks, 0, &f->marked[0]);
}

/* Not acknowledged before the appliance says so; the data is on the medium before a mark goes. */
static void test_order(void **state) {
        struct fake *f = start();
        uint16_t cid = begin(f, blocks(f, NVME_IO_WRITE_UNCORRECTABLE, 8, 4));

        assert_nothing_ended(f);
        assert_int_equal(f->asked.op, VPC_MARKS_SET);
        assert_int_equal(f->asked.first, 8 * 512);
        assert_int_equal(f->asked.end, 12 * 512);
        assert_int_equal(run(f, NVME_IO_READ, 100, 1), 0); /* with others it has nothing to do */
        assert_ends(f, cid, 0);
        assert_int_equal(run(f, NVME_IO_READ, 11, 1), BAD);

        const unsigned int flushed = f->n_flushed[0], asked = f->n_asked;
        assert_int_equal(run(f, NVME_IO_WRITE, 12, 1), 0);
        assert_int_equal(f->n_asked, asked);
        assert_int_equal(f->n_flushed[0], flushed);
        cid = begin(f, blocks(f, NVME_IO_WRITE, 11, 2));
        assert_nothing_ended(f);
        assert_int_equal(f->asked.op, VPC_MARKS_CLEAR);
        assert_int_equal(f->n_flushed[0], flushed + 1);
        assert_int_equal(run(f, NVME_IO_READ, 300, 1), 0);
        assert_ends(f, cid, 0);
        assert_int_equal(run(f, NVME_IO_READ, 11, 1), 0);
        assert_int_equal(run(f, NVME_IO_READ, 10, 1), BAD);
        /* One that fails takes nothing with it. */
        f->media_error = -5;
        assert_int_equal(run(f, NVME_IO_WRITE, 10, 1), NVME_SC_WRITE_FAULT | NVME_DNR);
        f->media_error = 0;
        assert_int_equal(run(f, NVME_IO_READ, 10, 1), BAD);
        fake_free(f);
}

/* Commands take turns; of those that wait none is lost. */
static void test_turns(void **state) {
        struct fake *f = start();
        struct nvme_cqe cqe;
        unsigned int n = 0;

        for (unsigned int i = 0; i < 8; i++)
                begin(f, blocks(f, NVME_IO_WRITE_UNCORRECTABLE, i * 10, 1));
        assert_int_equal(f->n_asked, 1);
        fake_run(f);
        for (; fake_pop(f, &q, &cqe); n++)
                assert_int_equal(cqe.status >> 1, 0);
        fake_ring_cq(f, &q);
        assert_int_equal(n, 8);
        assert_int_equal(f->n_asked, 8);
        assert_int_equal(f->marked[0].n, 8);
        for (unsigned int i = 0; i < 8; i++)
                begin(f, blocks(f, i % 2 ? NVME_IO_WRITE : NVME_IO_WRITE_ZEROES, i * 10, 1));
        assert_int_equal(f->n_asked, 9);
        fake_run(f);
        for (n = 0; fake_pop(f, &q, &cqe); n++)
                assert_int_equal(cqe.status >> 1, 0);
        fake_ring_cq(f, &q);
        assert_int_equal(n, 8);
        assert_int_equal(f->marked[0].n, 0);
        fake_free(f);
}

/* A mark that comes while a write is under way stays; where it cannot be told apart, the write is done once more. */
static void test_other_controllers(void **state) {
        struct fake *f = start();

        assert_int_equal(run(f, NVME_IO_WRITE_UNCORRECTABLE, 8, 4), 0);
        uint16_t cid = begin(f, blocks(f, NVME_IO_WRITE, 8, 4));
        other(f, VPC_MARKS_SET, 8, 4);
        fake_run(f);
        assert_ends(f, cid, 0);
        assert_int_equal(run(f, NVME_IO_READ, 8, 1), BAD);

        cid = begin(f, blocks(f, NVME_IO_WRITE, 8, 4));
        other(f, VPC_MARKS_SET, 12, 1);
        const unsigned int n = f->n_submitted[VPC_IO_WRITE];
        fake_run(f);
        assert_ends(f, cid, 0);
        assert_int_equal(f->n_submitted[VPC_IO_WRITE], n + 1);
        assert_int_equal(run(f, NVME_IO_READ, 8, 4), 0);
        assert_int_equal(run(f, NVME_IO_READ, 12, 1), BAD);
        /* And what others clear is readable here. */
        other(f, VPC_MARKS_CLEAR, 0, 100);
        assert_int_equal(run(f, NVME_IO_READ, 12, 1), 0);
        fake_free(f);
}

/* The process dies with a question: that to set is asked again, the same one; a write is done once more. */
static void test_restart(void **state) {
        struct fake *f = start();
        uint16_t cid = begin(f, blocks(f, NVME_IO_WRITE_UNCORRECTABLE, 8, 4));
        const uint16_t second = begin(f, blocks(f, NVME_IO_WRITE_UNCORRECTABLE, 20, 4));
        const struct vpc_reserve_request asked = f->asked;

        f->asked.ticket = 0;
        fake_restart(f);
        f->is_away = true;
        fake_run(f);
        assert_memory_equal(&f->asked, &asked, sizeof(asked));
        f->is_away = false;
        fake_run(f);
        assert_ends(f, cid, 0);
        assert_ends(f, second, 0);
        assert_int_equal(run(f, NVME_IO_READ, 8, 1), BAD);
        assert_int_equal(run(f, NVME_IO_READ, 23, 1), BAD);

        cid = begin(f, blocks(f, NVME_IO_WRITE, 8, 4));
        const struct vpc_reserve_request late = f->asked;
        const unsigned int n = f->n_submitted[VPC_IO_WRITE];
        f->asked.ticket = 0;
        fake_restart(f);
        fake_run(f);
        assert_ends(f, cid, 0);
        assert_int_equal(f->n_submitted[VPC_IO_WRITE], n + 1);
        assert_int_equal(run(f, NVME_IO_READ, 8, 4), 0);
        nvme_model.reserved(f->device, late.ticket, VPC_RESERVE_DONE); /* nobody waits for that */
        assert_nothing_ended(f);
        fake_free(f);
}

/* A reset ends the command, but not the question: before it is answered the controller is not enabled again, in any process. */
static void test_reset(void **state) {
        for (unsigned int how = 0; how < 4; how++) {
                struct fake *f = start();

                begin(f, blocks(f, NVME_IO_WRITE_UNCORRECTABLE, 8, 4));
                const uint64_t ticket = f->asked.ticket;
                f->is_away = true;
                if (how == 3) { /* the process that is reset has just begun */
                        f->asked.ticket = 0;
                        fake_restart(f);
                }
                if (how == 0)
                        fake_write(f, NVME_REG_CC, 0);
                else
                        nvme_model.reset(f->device, VPC_RESET_FLR);
                if (how == 2) {
                        f->asked.ticket = 0;
                        fake_restart(f);
                }
                fake_run(f);
                assert_int_equal(f->asked.ticket, ticket);
                fake_write(f, NVME_REG_AQA, 31 << 16 | 31);
                fake_write(f, NVME_REG_ASQ, (uint32_t)FAKE_ASQ);
                fake_write(f, NVME_REG_ACQ, (uint32_t)FAKE_ACQ);
                fake_write(f, NVME_REG_CC, 0x00460001);
                fake_run(f);
                if (how) /* else it is what it was: not yet disabled */
                        assert_int_equal(fake_read(f, NVME_REG_CSTS), 0);
                f->is_away = false;
                fake_run(f);
                fake_disable(f);
                fake_enable(f);
                fake_queue_create(f, &q, 1, 32);
                assert_int_equal(run(f, NVME_IO_READ, 8, 1), BAD);
                assert_int_equal(run(f, NVME_IO_WRITE, 8, 4), 0);
                assert_int_equal(run(f, NVME_IO_READ, 8, 4), 0);
                fake_free(f);
        }
}

/* Ranges of one command one after the other; those without marks ask nothing. */
static void test_deallocate(void **state) {
        struct fake *f = start();
        const struct nvme_range ranges[] = {
                {.first = 0, .blocks = 4}, {.first = 8, .blocks = 2}, {0}, {.first = 30, .blocks = 2}};
        const struct nvme_sqe sqe = {
                .opcode = NVME_IO_DATASET, .nsid = 1, .cdw10 = 3, .cdw11 = NVME_DATASET_DEALLOCATE, .prp1 = FAKE_DATA};

        assert_int_equal(run(f, NVME_IO_WRITE_UNCORRECTABLE, 8, 4), 0);
        assert_int_equal(run(f, NVME_IO_WRITE_UNCORRECTABLE, 31, 4), 0);
        memcpy(fake_memory(f, FAKE_DATA), ranges, sizeof(ranges));
        const unsigned int n = f->n_asked, discards = f->n_submitted[VPC_IO_DISCARD];
        assert_int_equal(fake_status(f, &q, sqe), 0);
        assert_int_equal(f->n_asked, n + 2);
        assert_int_equal(f->n_submitted[VPC_IO_DISCARD], discards + 3);
        assert_int_equal(run(f, NVME_IO_READ, 8, 2), 0);
        assert_int_equal(run(f, NVME_IO_READ, 10, 1), BAD);
        assert_int_equal(run(f, NVME_IO_READ, 31, 1), 0);
        assert_int_equal(run(f, NVME_IO_READ, 32, 1), BAD);
        /* Cut off between two of them. */
        assert_int_equal(run(f, NVME_IO_WRITE_UNCORRECTABLE, 8, 4), 0);
        memcpy(fake_memory(f, FAKE_DATA), ranges, sizeof(ranges));
        const uint16_t cid = begin(f, sqe);
        f->asked.ticket = 0;
        fake_restart(f);
        fake_run(f);
        assert_ends(f, cid, 0);
        assert_int_equal(run(f, NVME_IO_READ, 8, 2), 0);
        fake_free(f);
}

/* The namespace goes, or becomes another one, or is formatted, while a range waits for its marks: the next is not touched. */
static void test_deallocate_elsewhere(void **state) {
        const struct nvme_range ranges[] = {{.first = 8, .blocks = 2}, {.first = 30, .blocks = 2}};
        const struct nvme_sqe sqe = {
                .opcode = NVME_IO_DATASET, .nsid = 1, .cdw10 = 1, .cdw11 = NVME_DATASET_DEALLOCATE, .prp1 = FAKE_DATA};

        for (unsigned int how = 0; how < 3; how++) {
                struct fake *f = start();
                const unsigned int status[] = {NVME_SC_INVALID_NAMESPACE | NVME_DNR, NVME_SC_INVALID_NAMESPACE | NVME_DNR,
                                               NVME_SC_FORMAT_IN_PROGRESS};

                assert_int_equal(run(f, NVME_IO_WRITE_UNCORRECTABLE, 8, 4), 0);
                memcpy(fake_memory(f, FAKE_DATA), ranges, sizeof(ranges));
                const uint16_t cid = begin(f, sqe);
                assert_nothing_ended(f);
                const unsigned int discards = f->n_submitted[VPC_IO_DISCARD];
                f->is_away = true;
                if (how == 2) {
                        fake_push(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_FORMAT, .nsid = 1, .cdw10 = 1});
                        fake_ring(f, &f->admin);
                } else {
                        struct vpc_persona persona = f->persona;
                        const uint64_t ticket = f->asked.ticket;

                        if (how == 0)
                                persona.media[0] = (struct vpc_medium){0};
                        else
                                persona.media[0].unique_id++;
                        assert_int_equal(nvme_model.show(f->device, &persona), 0);
                        f->asked.ticket = 0;
                        nvme_model.reserved(f->device, ticket, VPC_RESERVE_DONE);
                }
                fake_run(f);
                f->is_away = false;
                fake_run(f);
                assert_ends(f, cid, status[how]);
                assert_int_equal(f->n_submitted[VPC_IO_DISCARD], discards + (how == 2)); /* the format's */
                fake_free(f);
        }
}

/* A format whose marks cannot be cleared has failed, and the namespace can be used. */
static void test_format_fails(void **state) {
        struct fake *f = start();
        struct nvme_cqe cqe;

        assert_int_equal(run(f, NVME_IO_WRITE_UNCORRECTABLE, 9, 1), 0);
        fake_push(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_FORMAT, .nsid = 1});
        f->is_away = true;
        fake_ring(f, &f->admin);
        fake_run(f);
        const uint64_t ticket = f->asked.ticket;
        f->asked.ticket = 0;
        f->is_away = false;
        nvme_model.reserved(f->device, ticket, VPC_RESERVE_FAILED);
        assert_true(fake_pop(f, &f->admin, &cqe));
        assert_int_equal(cqe.status >> 1, NVME_SC_INTERNAL_ERROR);
        fake_ring_cq(f, &f->admin);
        assert_int_equal(run(f, NVME_IO_READ, 0, 1), 0);
        assert_int_equal(fake_status(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_FORMAT, .nsid = 1}), 0);
        assert_int_equal(run(f, NVME_IO_READ, 9, 1), 0);
        fake_free(f);
}

/* All marks go with a format, those of blocks of another size too; they are gone when it ends. */
static void test_format(void **state) {
        struct fake *f = start();
        struct nvme_cqe cqe;

        assert_int_equal(run(f, NVME_IO_WRITE_UNCORRECTABLE, 9, 1), 0);
        fake_push(f, &f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_FORMAT, .nsid = 1, .cdw10 = 1});
        f->is_away = true;
        fake_ring(f, &f->admin);
        fake_run(f);
        assert_false(fake_pop(f, &f->admin, &cqe));
        assert_int_equal(run(f, NVME_IO_READ, 0, 1), NVME_SC_FORMAT_IN_PROGRESS);
        f->asked.ticket = 0;
        fake_restart(f); /* it is done once more */
        f->is_away = false;
        fake_run(f);
        assert_true(fake_pop(f, &f->admin, &cqe));
        assert_int_equal(cqe.status >> 1, 0);
        fake_ring_cq(f, &f->admin);
        assert_int_equal(f->marked[0].n, 0);
        assert_int_equal(fake_status(f, &q, (struct nvme_sqe){.opcode = NVME_IO_READ, .nsid = 1, .prp1 = FAKE_DATA, .cdw10 = 1}),
                         0);
        /* A mark of 512 bytes is a block of 4096 for who has such. */
        other(f, VPC_MARKS_SET, 9, 1);
        assert_int_equal(fake_status(f, &q, (struct nvme_sqe){.opcode = NVME_IO_READ, .nsid = 1, .prp1 = FAKE_DATA, .cdw10 = 1}),
                         BAD);
        assert_int_equal(fake_status(f, &q, (struct nvme_sqe){.opcode = NVME_IO_READ, .nsid = 1, .prp1 = FAKE_DATA, .cdw10 = 2}),
                         0);
        assert_int_equal(fake_status(f, &q, (struct nvme_sqe){.opcode = NVME_IO_WRITE, .nsid = 1, .prp1 = FAKE_DATA, .cdw10 = 1}),
                         0);
        assert_int_equal(f->marked[0].n, 0);
        fake_free(f);
}

static unsigned int n_fenced;

static void fenced(void *context, unsigned int index, uint64_t change) {
        n_fenced++;
}

/* What was let through before a change of reservations is over when that is acknowledged: a mark that is asked for, too. */
static void test_fence(void **state) {
        struct fake *f = start();

        f->host.fenced = fenced;
        n_fenced = 0;
        const uint16_t cid = begin(f, blocks(f, NVME_IO_WRITE_UNCORRECTABLE, 8, 4));
        nvme_model.fence(f->device, 0, 1);
        assert_int_equal(n_fenced, 0);
        fake_run(f);
        assert_int_equal(n_fenced, 1);
        assert_ends(f, cid, 0);
        fake_free(f);
}

/* The command may have gone with a reset meanwhile, or before the change: the mark lands all the same. */
static void test_fence_reset(void **state) {
        for (unsigned int i = 0; i < 2; i++) {
                struct fake *f = start();

                f->host.fenced = fenced;
                n_fenced = 0;
                begin(f, blocks(f, NVME_IO_WRITE_UNCORRECTABLE, 8, 4));
                f->is_away = true;
                if (i == 0)
                        nvme_model.fence(f->device, 0, 1);
                fake_write(f, NVME_REG_CC, 0x00460000);
                fake_run(f);
                if (i == 1)
                        nvme_model.fence(f->device, 0, 1);
                assert_int_equal(n_fenced, 0);
                f->is_away = false;
                fake_run(f);
                assert_int_equal(n_fenced, 1);
                fake_free(f);
        }
}

/* The namespace goes while a command waits for its turn. */
static void test_namespace_goes(void **state) {
        struct fake *f = start();
        const uint16_t first = begin(f, blocks(f, NVME_IO_WRITE_UNCORRECTABLE, 8, 4));
        const uint16_t second = begin(f, blocks(f, NVME_IO_WRITE_UNCORRECTABLE, 20, 4));
        struct vpc_persona persona = f->persona;

        persona.media[0] = (struct vpc_medium){0};
        assert_int_equal(nvme_model.show(f->device, &persona), 0);
        nvme_model.reserved(f->device, f->asked.ticket, VPC_RESERVE_FAILED);
        f->asked.ticket = 0;
        assert_ends(f, first, NVME_SC_INVALID_NAMESPACE | NVME_DNR);
        assert_ends(f, second, NVME_SC_INVALID_NAMESPACE | NVME_DNR);
        fake_free(f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_order),
                cmocka_unit_test(test_turns),
                cmocka_unit_test(test_other_controllers),
                cmocka_unit_test(test_restart),
                cmocka_unit_test(test_reset),
                cmocka_unit_test(test_deallocate),
                cmocka_unit_test(test_deallocate_elsewhere),
                cmocka_unit_test(test_format_fails),
                cmocka_unit_test(test_format),
                cmocka_unit_test(test_fence),
                cmocka_unit_test(test_fence_reset),
                cmocka_unit_test(test_namespace_goes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
