/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Power cuts. A controller with media that forget what was not flushed, random commands, processes that die and resets; then the
 * power goes, at any moment. What was flushed, written with FUA or with the write cache off must be there, and each block must be
 * as it was or as some command was to make it. IOV_SEED and IOV_ROUNDS choose what is done: a failure names the seed of its
 * round.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "nvme-host.h"
#include "volatile-medium.h"
#include "write-history.h"

#define NAMESPACES 2u
#define SECTORS VOLATILE_SECTORS
#define COMMANDS 24u
#define QUEUE_SIZE 64u
#define RANGES 4u
#define DATA(i) (FAKE_DATA + UINT64_C(0x10000) * (i))

#define REQUIRE(t, condition)                                                                                                    \
        do {                                                                                                                     \
                if (!(condition)) {                                                                                              \
                        print_error("IOV_SEED=%llu IOV_ROUNDS=1: at %llu: does not hold: %s\n", (unsigned long long)(t)->name,   \
                                    (unsigned long long)(t)->now, #condition);                                                   \
                        fail();                                                                                                  \
                }                                                                                                                \
        } while (0)

struct range {
        unsigned int first, n; /* sectors */
};

struct command {
        bool is_used, must_last;
        uint8_t opcode;
        uint16_t cid;
        uint32_t nsid; /* or all */
        uint64_t issued;
        unsigned int n_ranges;
        struct range ranges[RANGES];
};

struct test {
        uint64_t name, seed, now;
        uint32_t tag; /* of the next write */
        struct fake *f;
        struct fake_queue q;
        struct volatile_medium media[NAMESPACES];
        struct history blocks[NAMESPACES][SECTORS];
        unsigned int block_size[NAMESPACES]; /* as the server knows it */
        bool is_cached;                      /* the volatile write cache is on */
        bool has_failed;                     /* media fail now and then */
        uint32_t formatting;                 /* a namespace, whose commands fail */
        bool is_mixed[NAMESPACES];           /* a format was cut short: sectors of a block may be of different versions */
        bool is_over;                        /* the power goes now */
        struct command commands[COMMANDS];
};

static uint64_t n_cuts, n_writes, n_kept;

static unsigned int pick(struct test *t, unsigned int n) {
        return volatile_random(&t->seed, n);
}

/* ---- what a sector holds ---- */

static void fill(unsigned char *p, uint32_t tag, unsigned int sector) {
        const uint32_t pattern[2] = {tag, tag ? tag * 2654435761u + sector : 0};

        for (unsigned int i = 0; i < 512; i += sizeof(pattern))
                memcpy(p + i, pattern, sizeof(pattern));
}

static uint32_t tag_of(struct test *t, const unsigned char *p, unsigned int sector) {
        unsigned char expected[512];
        uint32_t tag = 0;

        memcpy(&tag, p, sizeof(tag));
        fill(expected, tag, sector);
        REQUIRE(t, memcmp(p, expected, sizeof(expected)) == 0);
        return tag;
}

/* ---- media ---- */

static void medium_begin(void *userdata, unsigned int medium, struct vpc_io *io) {
        struct test *t = userdata;

        volatile_begin(&t->media[medium], io);
}

static int medium_end(void *userdata, unsigned int medium, struct vpc_io *io) {
        struct test *t = userdata;

        if (t->has_failed && pick(t, 30) == 0) {
                if (io->op != VPC_IO_FORMAT) /* that is as it was */
                        volatile_break(&t->media[medium], io, &t->seed);
                return -EIO;
        }
        volatile_end(&t->media[medium], io, &t->seed);
        return 0;
}

/* What was under way dies with its process. */
static void stop_requests(struct test *t) {
        while (t->f->n_pending) {
                unsigned int i = pick(t, t->f->n_pending--);

                /* One that was done, and fails when it is done again, leaves a block size that nobody can know of. */
                if (!t->has_failed || t->f->pending[i]->op != VPC_IO_FORMAT)
                        volatile_break(&t->media[t->f->pending_medium[i]], t->f->pending[i], &t->seed);
                t->f->pending[i] = t->f->pending[t->f->n_pending];
                t->f->pending_medium[i] = t->f->pending_medium[t->f->n_pending];
        }
}

/* ---- the server ---- */

static void issue(struct test *t, struct command *c, struct nvme_sqe sqe) {
        c->is_used = true;
        c->opcode = sqe.opcode;
        c->nsid = sqe.nsid;
        c->issued = ++t->now;
        c->cid = fake_push(t->f, &t->q, sqe);
        fake_ring(t->f, &t->q);
}

/* Every sector of the ranges gets a version. */
static bool note(struct test *t, struct command *c, uint32_t nsid, uint32_t tag) {
        const struct history *blocks = t->blocks[nsid - 1];

        for (unsigned int s = 0; s < SECTORS; s++)
                if (blocks[s].n + RANGES > HISTORY_VERSIONS)
                        return false;
        for (unsigned int r = 0; r < c->n_ranges; r++)
                for (unsigned int s = c->ranges[r].first; s < c->ranges[r].first + c->ranges[r].n; s++)
                        history_issue(&t->blocks[nsid - 1][s], tag, t->now + 1);
        return true;
}

static struct range range(struct test *t, uint32_t nsid) {
        const unsigned int per_block = t->block_size[nsid - 1] / 512, blocks = SECTORS / per_block;
        unsigned int first = pick(t, blocks), n = pick(t, blocks - first < 12 ? blocks - first : 12) + 1;

        return (struct range){first * per_block, n * per_block};
}

static void write_blocks(struct test *t, struct command *c, unsigned int slot, uint8_t opcode, uint32_t nsid) {
        const unsigned int shift = t->block_size[nsid - 1] == 512 ? 0 : 3;
        struct range r = range(t, nsid);
        const bool fua = pick(t, 4) == 0, has_data = opcode == NVME_IO_WRITE;
        struct nvme_sqe sqe = {.opcode = opcode,
                               .nsid = nsid,
                               .prp1 = DATA(slot),
                               .cdw10 = r.first >> shift,
                               .cdw12 = ((r.n >> shift) - 1) | (fua && opcode != NVME_IO_READ ? NVME_IO_FUA : 0)};

        c->n_ranges = 1;
        c->ranges[0] = r;
        c->must_last = fua || !t->is_cached;
        if (r.n > 8) { /* a list of pages, behind the data */
                uint64_t pages[8];

                for (unsigned int i = 0; i < 8; i++)
                        pages[i] = DATA(slot) + (i + 1) * 4096;
                memcpy(fake_memory(t->f, FAKE_LISTS + slot * 64), pages, sizeof(pages));
                sqe.prp2 = r.n > 16 ? FAKE_LISTS + slot * 64 : pages[0];
        }
        if (opcode == NVME_IO_WRITE_ZEROES && pick(t, 2))
                sqe.cdw12 |= NVME_IO_DEAC;
        if (opcode != NVME_IO_READ && !note(t, c, nsid, has_data ? t->tag : 0))
                return;
        for (unsigned int i = 0; has_data && i < r.n; i++)
                fill((unsigned char *)fake_memory(t->f, DATA(slot)) + (size_t)i * 512, t->tag, r.first + i);
        t->tag += has_data;
        issue(t, c, sqe);
}

static void deallocate(struct test *t, struct command *c, unsigned int slot, uint32_t nsid) {
        const unsigned int shift = t->block_size[nsid - 1] == 512 ? 0 : 3;
        struct nvme_range ranges[RANGES] = {0};

        c->n_ranges = pick(t, RANGES) + 1;
        c->must_last = !t->is_cached;
        for (unsigned int i = 0; i < c->n_ranges; i++) {
                c->ranges[i] = range(t, nsid);
                ranges[i] = (struct nvme_range){.first = c->ranges[i].first >> shift, .blocks = c->ranges[i].n >> shift};
        }
        if (!note(t, c, nsid, 0))
                return;
        memcpy(fake_memory(t->f, DATA(slot)), ranges, sizeof(ranges));
        issue(t, c,
              (struct nvme_sqe){.opcode = NVME_IO_DATASET,
                                .nsid = nsid,
                                .prp1 = DATA(slot),
                                .cdw10 = c->n_ranges - 1,
                                .cdw11 = NVME_DATASET_DEALLOCATE});
}

static void command(struct test *t) {
        const uint32_t nsid = pick(t, NAMESPACES) + 1;
        unsigned int slot = pick(t, COMMANDS), what = pick(t, 16);
        struct command *c = &t->commands[slot];

        if (c->is_used)
                return;
        *c = (struct command){0};
        if (what < 8)
                write_blocks(t, c, slot, NVME_IO_WRITE, nsid);
        else if (what < 10)
                write_blocks(t, c, slot, NVME_IO_WRITE_ZEROES, nsid);
        else if (what < 12)
                write_blocks(t, c, slot, NVME_IO_READ, nsid);
        else if (what < 14)
                deallocate(t, c, slot, nsid);
        else
                issue(t, c, (struct nvme_sqe){.opcode = NVME_IO_FLUSH, .nsid = pick(t, 3) ? nsid : NVME_NSID_ALL});
}

/* ---- what it is answered ---- */

static void check_read(struct test *t, const struct command *c, unsigned int slot) {
        const unsigned char *data = fake_memory(t->f, DATA(slot));

        for (unsigned int i = 0; i < c->ranges[0].n; i++) {
                const unsigned int sector = c->ranges[0].first + i;

                REQUIRE(t,
                        history_may_read(&t->blocks[c->nsid - 1][sector], tag_of(t, data + (size_t)i * 512, sector), c->issued));
        }
}

static void flushed(struct test *t, uint32_t nsid, uint64_t from) {
        for (unsigned int i = 0; i < NAMESPACES; i++)
                for (unsigned int s = 0; (nsid == NVME_NSID_ALL || nsid == i + 1) && s < SECTORS; s++)
                        history_flush(&t->blocks[i][s], from);
}

static void answered(struct test *t, unsigned int slot, bool is_done) {
        struct command *c = &t->commands[slot];

        t->now++;
        c->is_used = false;
        if (c->opcode == NVME_IO_READ && is_done)
                check_read(t, c, slot);
        else if (c->opcode == NVME_IO_FLUSH && is_done)
                flushed(t, c->nsid, c->issued);
        else if (c->opcode != NVME_IO_READ && c->opcode != NVME_IO_FLUSH)
                for (unsigned int r = 0; r < c->n_ranges; r++)
                        for (unsigned int s = c->ranges[r].first; s < c->ranges[r].first + c->ranges[r].n; s++)
                                history_end(&t->blocks[c->nsid - 1][s], c->issued, t->now, is_done, is_done && c->must_last);
}

static void take_answers(struct test *t) {
        struct nvme_cqe cqe = {0};

        while (fake_pop(t->f, &t->q, &cqe)) {
                unsigned int slot = 0;

                while (slot < COMMANDS && !(t->commands[slot].is_used && t->commands[slot].cid == cqe.cid))
                        slot++;
                REQUIRE(t, slot < COMMANDS);
                REQUIRE(t, t->has_failed || cqe.status >> 1 == 0 || (t->formatting && t->formatting == t->commands[slot].nsid));
                answered(t, slot, cqe.status >> 1 == 0);
                fake_ring_cq(t->f, &t->q);
        }
}

/* One request ends, or the timer does. */
static bool step(struct test *t) {
        if (t->f->timer != UINT64_MAX) {
                t->f->timer = UINT64_MAX;
                nvme_model.timer(t->f->device);
        } else if (t->f->n_pending) {
                fake_end(t->f, pick(t, t->f->n_pending));
        } else {
                return false;
        }
        take_answers(t);
        return true;
}

static unsigned int admin(struct test *t, struct nvme_sqe sqe) {
        struct nvme_cqe cqe = {0};

        fake_push(t->f, &t->f->admin, sqe);
        fake_ring(t->f, &t->f->admin);
        while (!fake_pop(t->f, &t->f->admin, &cqe))
                REQUIRE(t, step(t));
        fake_ring_cq(t->f, &t->f->admin);
        return cqe.status >> 1;
}

/* ---- what else happens ---- */

/* Commands whose completion nobody will see. */
static void forget_commands(struct test *t) {
        t->now++;
        memset(t->commands, 0, sizeof(t->commands));
        for (unsigned int i = 0; i < NAMESPACES; i++)
                for (unsigned int s = 0; s < SECTORS; s++)
                        history_stop(&t->blocks[i][s], t->now);
}

/* What the controller shows, which is what the medium has. */
static void learn_block_sizes(struct test *t) {
        for (unsigned int i = 0; i < NAMESPACES; i++) {
                t->block_size[i] = 1u << t->f->image->namespaces[i].block_shift;
                REQUIRE(t, t->block_size[i] == t->media[i].block_size);
        }
}

static void start_controller(struct test *t) {
        fake_enable(t->f);
        learn_block_sizes(t);
        fake_queue_create(t->f, &t->q, 1, QUEUE_SIZE);
        t->is_cached = true;
}

/* [5.21.1.6] What the cache holds when it is turned off is to last, too. */
static void set_write_cache(struct test *t) {
        const bool is_on = pick(t, 2);
        const uint64_t from = ++t->now;

        for (unsigned int i = 0; is_on && i < COMMANDS; i++)
                t->commands[i].must_last = false;
        unsigned int status =
                admin(t, (struct nvme_sqe){.opcode = NVME_ADMIN_SET_FEATURES, .cdw10 = NVME_FEAT_WRITE_CACHE, .cdw11 = is_on});
        REQUIRE(t, t->has_failed || status == 0);
        if (status)
                return;
        t->is_cached = is_on;
        if (!is_on)
                flushed(t, NVME_NSID_ALL, from);
}

static void reset_controller(struct test *t) {
        fake_write(t->f, NVME_REG_CC, 0x00460000);
        while (fake_read(t->f, NVME_REG_CSTS))
                REQUIRE(t, step(t));
        forget_commands(t);
        start_controller(t);
}

/* [7.6.2] A normal shutdown loses nothing that was answered before. */
static void shut_down(struct test *t) {
        const uint64_t from = ++t->now;

        fake_write(t->f, NVME_REG_CC, 0x00464001);
        while ((fake_read(t->f, NVME_REG_CSTS) & NVME_CSTS_SHST_MASK) != NVME_CSTS_SHST_COMPLETE)
                REQUIRE(t, step(t));
        if (!t->has_failed)
                flushed(t, NVME_NSID_ALL, from);
        reset_controller(t);
}

static void restart(struct test *t) {
        stop_requests(t);
        fake_restart(t->f);
        take_answers(t);
}

/* ---- format ---- */

/* Zeroes may be anywhere from now on, and what is under way ends with an error. false: no room to note it. */
static bool begin_format(struct test *t, uint32_t nsid) {
        for (unsigned int s = 0; s < SECTORS; s++)
                if (t->blocks[nsid - 1][s].n == HISTORY_VERSIONS)
                        return false;
        t->now++;
        for (unsigned int s = 0; s < SECTORS; s++)
                history_issue(&t->blocks[nsid - 1][s], 0, t->now);
        t->formatting = nsid;
        t->is_mixed[nsid - 1] = true;
        return true;
}

static void end_format(struct test *t, uint32_t nsid, unsigned int size, bool is_done) {
        take_answers(t);
        t->now++;
        t->formatting = 0;
        for (unsigned int s = 0; s < SECTORS; s++)
                if (is_done)
                        history_begin(&t->blocks[nsid - 1][s], 0);
                else
                        history_stop(&t->blocks[nsid - 1][s], t->now);
        /* What was under way there has no history any more, and must leave no trace. */
        for (unsigned int i = 0; i < COMMANDS; i++)
                REQUIRE(t, !t->commands[i].is_used || t->commands[i].nsid != nsid || t->commands[i].opcode == NVME_IO_FLUSH);
        t->is_mixed[nsid - 1] = !is_done;
        if (is_done)
                REQUIRE(t, t->media[nsid - 1].block_size == size);
        learn_block_sizes(t);
}

/* It may be cut short by everything that there is. */
static void format(struct test *t) {
        const uint32_t nsid = pick(t, NAMESPACES) + 1;
        const unsigned int size = pick(t, 2) ? 512 : 4096;
        struct nvme_cqe cqe = {0};

        if (!begin_format(t, nsid))
                return;
        fake_push(t->f, &t->f->admin, (struct nvme_sqe){.opcode = NVME_ADMIN_FORMAT, .nsid = nsid, .cdw10 = size == 4096});
        fake_ring(t->f, &t->f->admin);
        while (!fake_pop(t->f, &t->f->admin, &cqe)) {
                switch (pick(t, 60)) {
                case 0:
                        restart(t);
                        break;
                case 1:
                        reset_controller(t);
                        t->formatting = 0;
                        return;
                case 2:
                        t->is_over = true;
                        return;
                default:
                        REQUIRE(t, step(t));
                }
        }
        fake_ring_cq(t->f, &t->f->admin);
        REQUIRE(t, t->has_failed || cqe.status >> 1 == 0);
        end_format(t, nsid, size, cqe.status >> 1 == 0);
}

static void events(struct test *t) {
        switch (pick(t, 150)) {
        case 0:
                restart(t);
                break;
        case 1:
                reset_controller(t);
                break;
        case 2:
                shut_down(t);
                break;
        case 3:
        case 4:
                set_write_cache(t);
                break;
        case 5:
                format(t);
                break;
        default:
                if (pick(t, 2))
                        command(t);
                else
                        step(t);
        }
}

/* ---- power ---- */

static void explain(const struct history *h, uint32_t nsid, unsigned int sector, uint32_t tag) {
        print_error("namespace %u sector %u holds version %u, but there were:\n", nsid, sector, tag);
        for (unsigned int i = 0; i < h->n; i++)
                print_error("  version %u, from %llu to %llu%s%s\n", h->versions[i].tag,
                            (unsigned long long)h->versions[i].issued, (unsigned long long)h->versions[i].ended,
                            h->versions[i].is_done ? ", done" : "", h->versions[i].lasts ? ", lasts" : "");
}

/* Each sector is a version that may be there, all of a block are of the same one. */
static void check_medium(struct test *t, uint32_t nsid) {
        const unsigned int per_block = t->block_size[nsid - 1] / 512;
        struct nvme_sqe sqe = {.opcode = NVME_IO_READ, .nsid = nsid, .prp1 = DATA(0), .cdw12 = 8 / per_block - 1};
        uint32_t tag = 0;

        for (unsigned int s = 0; s < SECTORS; s++) {
                struct history *h = &t->blocks[nsid - 1][s];

                sqe.cdw10 = s / per_block;
                if (s % 8 == 0)
                        REQUIRE(t, fake_status(t->f, &t->q, sqe) == 0);
                uint32_t here = tag_of(t, (unsigned char *)fake_memory(t->f, DATA(0)) + (size_t)(s % 8) * 512, s);
                if (s % per_block == 0)
                        tag = here;
                REQUIRE(t, here == tag || t->is_mixed[nsid - 1]);
                if (!history_may_last(h, here))
                        explain(h, nsid, s, here);
                REQUIRE(t, history_may_last(h, here));
                n_kept += here != 0;
                history_begin(h, here);
        }
}

static void power_on(struct test *t) {
        struct vpc_persona persona;

        fake_persona(&persona);
        persona.n_media = NAMESPACES;
        for (unsigned int i = 0; i < NAMESPACES; i++)
                persona.media[i].block_size = t->media[i].block_size;
        t->f = fake_new_as(&persona);
        t->f->medium_begin = medium_begin;
        t->f->medium_end = medium_end;
        t->f->medium_userdata = t;
        if (pick(t, 3) == 0)
                fake_inline(t->f);
        start_controller(t);
        for (uint32_t nsid = 1; nsid <= NAMESPACES; nsid++)
                check_medium(t, nsid);
}

static void power_cut(struct test *t) {
        stop_requests(t);
        for (unsigned int i = 0; i < NAMESPACES; i++)
                volatile_cut(&t->media[i], &t->seed);
        t->f->timer = UINT64_MAX; /* nothing is done any more */
        fake_free(t->f);
        t->formatting = 0;
        forget_commands(t);
        n_cuts++;
}

static void round_of(uint64_t name) {
        struct test *t = calloc(1, sizeof(*t));

        assert_non_null(t);
        t->name = name;
        t->seed = name * UINT64_C(0x9e3779b97f4a7c15);
        t->tag = 1;
        for (unsigned int i = 0; i < NAMESPACES; i++) {
                t->media[i].block_size = i == 0 ? 512 : 4096;
                for (unsigned int s = 0; s < SECTORS; s++)
                        history_begin(&t->blocks[i][s], 0);
        }
        const bool fails = pick(t, 3) == 0;
        for (unsigned int cuts = 0; cuts < 3; cuts++) {
                t->has_failed = t->is_over = false;
                power_on(t);
                t->has_failed = fails;
                for (unsigned int n = pick(t, 600); n && !t->is_over; n--)
                        events(t);
                power_cut(t);
        }
        t->has_failed = false;
        power_on(t);
        power_cut(t);
        n_writes += t->tag - 1;
        free(t);
}

static void test_power_cuts(void **state) {
        const char *seed = getenv("IOV_SEED"), *rounds = getenv("IOV_ROUNDS");
        const uint64_t first = seed ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL) * 1000000;
        const uint64_t n = rounds ? strtoull(rounds, NULL, 10) : 2000;

        print_message("# IOV_SEED=%llu IOV_ROUNDS=%llu\n", (unsigned long long)first, (unsigned long long)n);
        for (uint64_t i = 0; i < n; i++)
                round_of(first + i);
        print_message("# %llu power cuts, %llu writes, %llu blocks that were there\n", (unsigned long long)n_cuts,
                      (unsigned long long)n_writes, (unsigned long long)n_kept);
        assert_true(n_cuts == n * 4);
}

/* The judge itself: what it must not let through. */
static void test_history(void **state) {
        struct history h;

        history_begin(&h, 1);
        assert_true(history_issue(&h, 2, 10));
        assert_true(history_may_last(&h, 1) && history_may_last(&h, 2) && !history_may_last(&h, 3));
        history_end(&h, 10, 20, true, false);
        assert_true(history_may_last(&h, 1) && !history_may_read(&h, 1, 21) && history_may_read(&h, 1, 15));
        assert_true(history_issue(&h, 3, 30));
        history_flush(&h, 19); /* too early for it */
        assert_true(history_may_last(&h, 1));
        history_flush(&h, 25);
        assert_true(!history_may_last(&h, 1) && history_may_last(&h, 2) && history_may_last(&h, 3));
        history_end(&h, 30, 40, false, false); /* failed */
        assert_true(history_may_last(&h, 2) && history_may_last(&h, 3));
        assert_true(history_issue(&h, 4, 50));
        history_end(&h, 50, 60, true, true);
        assert_true(!history_may_last(&h, 2) && !history_may_last(&h, 3) && history_may_last(&h, 4));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_history),
                cmocka_unit_test(test_power_cuts),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
