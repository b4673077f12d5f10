/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who decides on reservations: in which order a change is saved, shown, held to and answered, and that it is carried out once. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/journal.h"
#include "control/volumes/reservations.h"
#include "control/tables.h"
#include "iov/libiov.h"
#include "util.h"

#define VOLUME 77u

struct fixture {
        char directory[32];
        int fd;
        struct loop *loop;
        struct tables *tables;
        struct journal *journal;
        struct iov_ctx *ctx;
        struct iov_model *model;
        struct reservations *reservations;
        /* what was heard of it */
        struct vpc_reservation shown;
        unsigned int n_shown, n_answers;
        bool is_held;
        uint64_t instance, ticket;
        enum vpc_reserve_result result;
        bool file_was_there; /* when it was shown */
};

static void on_publish(void *userdata, const struct vpc_reservation *state) {
        struct fixture *f = userdata;

        f->shown = *state;
        f->n_shown++;
        f->file_was_there = faccessat(f->fd, "reservations/77", F_OK, 0) == 0;
}

static bool on_is_held(void *userdata, uint64_t volume) {
        assert_int_equal(volume, VOLUME);
        return ((struct fixture *)userdata)->is_held;
}

static void on_answer(void *userdata, uint64_t instance, uint64_t ticket, enum vpc_reserve_result result) {
        struct fixture *f = userdata;

        f->instance = instance;
        f->ticket = ticket;
        f->result = result;
        f->n_answers++;
}

static const struct reservations_events events = {.publish = on_publish, .is_held = on_is_held, .answer = on_answer};

static void share(struct fixture *f, bool shared) {
        struct iov_volume volume = {.name = "v", .adapter = "ssd0", .size = 4096, .id = VOLUME, .shared = shared};

        assert_int_equal(iov_model_set(f->model, IOV_KIND_VOLUME, &volume), 0);
        reservations_sync(f->reservations, f->model);
}

static void start(struct fixture *f) {
        assert_int_equal(reservations_new(f->loop, f->journal, NULL, f->fd, &events, f, &f->reservations), 0);
        share(f, true);
}

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        strcpy(f->directory, "/tmp/iov-test-XXXXXX");
        assert_non_null(mkdtemp(f->directory));
        f->fd = open(f->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(f->fd >= 0);
        assert_int_equal(loop_new(&f->loop, 16), 0);
        assert_int_equal(tables_new(&f->tables), 0);
        assert_int_equal(journal_new(f->tables, 0, &f->journal), 0);
        assert_int_equal(iov_new(&f->ctx), 0);
        assert_int_equal(iov_model_new(f->ctx, &f->model), 0);
        f->is_held = true;
        start(f);
        *state = f;
        return 0;
}

static int teardown(void **state) {
        struct fixture *f = *state;

        reservations_free(f->reservations);
        iov_model_unref(f->model);
        iov_unref(f->ctx);
        journal_free(f->journal);
        tables_free(f->tables);
        loop_free(f->loop);
        unlinkat(f->fd, "reservations/77", 0);
        unlinkat(f->fd, "reservations/77.new", 0);
        unlinkat(f->fd, "reservations", AT_REMOVEDIR);
        close(f->fd);
        rmdir(f->directory);
        free(f);
        return 0;
}

static struct vpc_reserve_request registers(unsigned int host, uint64_t ticket, uint8_t persist) {
        return (struct vpc_reserve_request){.op = VPC_RESERVE_REGISTER,
                                            .ticket = ticket,
                                            .initiator = {.host = {(uint8_t)host}, .owner = host},
                                            .new_key = host,
                                            .persist = persist};
}

static void on_stop(void *userdata) {
        loop_stop(userdata, 0);
}

/* Turns of the loop until there are so many answers. */
static void until_answers(struct fixture *f, unsigned int n) {
        for (unsigned int i = 0; f->n_answers < n; i++) {
                struct loop_source *timer = NULL;

                assert_true(i < 2000);
                assert_int_equal(loop_add_timer(f->loop, 10000000, on_stop, f->loop, &timer), 0);
                assert_int_equal(loop_run(f->loop), 0);
                loop_source_remove(timer);
        }
}

/* Shown at once, answered when it is held to; meanwhile nobody else's turn comes. */
static void test_order(void **state) {
        struct fixture *f = *state;
        const unsigned int before = f->n_shown;
        struct vpc_reserve_request q = registers(1, 1, 0);

        f->is_held = false;
        reservations_ask(f->reservations, VOLUME, 10, &q);
        reservations_ask(f->reservations, VOLUME, 10, &q); /* again, while it is under way */
        const struct vpc_reserve_request other = registers(2, 5, 0);
        reservations_ask(f->reservations, VOLUME, 20, &other);
        assert_int_equal(f->n_shown, before + 1);
        assert_int_equal(f->shown.n_registrants, 1);
        assert_int_equal(f->n_answers, 0);
        f->is_held = true;
        reservations_progress(f->reservations);
        assert_int_equal(f->n_answers, 2);
        assert_int_equal(f->instance, 20);
        assert_int_equal(f->shown.n_registrants, 2);
        assert_false(f->file_was_there);
        /* Of what one asks while another is under way, the last waits. */
        f->is_held = false;
        for (uint64_t ticket = 2; ticket < 10; ticket++) {
                q = registers(1, ticket, 0);
                reservations_ask(f->reservations, VOLUME, 10, &q);
        }
        f->is_held = true;
        reservations_progress(f->reservations);
        assert_int_equal(f->n_answers, 4);
        assert_int_equal(f->ticket, 9);
        assert_int_equal(reservations_get(f->reservations, VOLUME)->generation, 4);
        assert_null(reservations_get(f->reservations, VOLUME + 1));
        q.ticket = 10;
        reservations_ask(f->reservations, VOLUME + 1, 10, &q);
        assert_int_equal(f->result, VPC_RESERVE_FAILED);
}

/* Asked once more, it is answered and not carried out: a Preempt would fail. */
static void test_once(void **state) {
        struct fixture *f = *state;
        struct vpc_reserve_request q = registers(1, 1, 0);

        reservations_ask(f->reservations, VOLUME, 10, &q);
        q = registers(2, 1, 0);
        reservations_ask(f->reservations, VOLUME, 20, &q);
        q = (struct vpc_reserve_request){
                .op = VPC_RESERVE_PREEMPT, .type = 1, .ticket = 2, .initiator = q.initiator, .key = 2, .new_key = 1};
        reservations_ask(f->reservations, VOLUME, 20, &q);
        assert_int_equal(f->n_answers, 3);
        assert_int_equal(f->result, VPC_RESERVE_DONE);
        const uint64_t change = f->shown.change;
        reservations_ask(f->reservations, VOLUME, 20, &q);
        assert_int_equal(f->n_answers, 4);
        assert_int_equal(f->ticket, 2);
        assert_int_equal(f->result, VPC_RESERVE_DONE);
        assert_int_equal(f->shown.change, change);
        q.ticket = 3; /* it would have */
        reservations_ask(f->reservations, VOLUME, 20, &q);
        assert_int_equal(f->result, VPC_RESERVE_CONFLICT);
        /* What was refused is remembered as well. */
        q = registers(1, 2, 0);
        reservations_ask(f->reservations, VOLUME, 10, &q);
        q.ticket = 3;
        q.new_key = 9;
        reservations_ask(f->reservations, VOLUME, 10, &q);
        assert_int_equal(f->result, VPC_RESERVE_CONFLICT);
        q.new_key = 1;
        reservations_ask(f->reservations, VOLUME, 10, &q);
        assert_int_equal(f->result, VPC_RESERVE_CONFLICT);
        /* An older one has had its answer: nobody waits for it. */
        q.ticket = 1;
        const unsigned int n = f->n_answers;
        reservations_ask(f->reservations, VOLUME, 10, &q);
        assert_int_equal(f->n_answers, n);
}

/* Durable before it is shown; there again after a power loss; gone with the volume. */
static void test_persists(void **state) {
        struct fixture *f = *state;
        struct vpc_reserve_request q = registers(1, 1, VPC_PERSIST_ON);
        const unsigned int before = f->n_shown;

        reservations_ask(f->reservations, VOLUME, 10, &q);
        assert_int_equal(f->n_shown, before);
        until_answers(f, 1);
        assert_int_equal(f->result, VPC_RESERVE_DONE);
        assert_true(f->file_was_there);
        q = registers(0, 1, 0); /* without a host identifier */
        reservations_ask(f->reservations, VOLUME, 20, &q);
        until_answers(f, 2);
        assert_int_equal(f->result, VPC_RESERVE_INVALID); /* its key is zero */
        q.new_key = 5;
        q.ticket = 2;
        reservations_ask(f->reservations, VOLUME, 20, &q);
        until_answers(f, 3);
        assert_int_equal(f->shown.n_registrants, 2);

        f->reservations = reservations_free(f->reservations);
        start(f);
        const struct vpc_reservation *s = NULL;
        for (unsigned int i = 0; !(s = reservations_get(f->reservations, VOLUME)) && i < 100; i++)
                reservations_progress(f->reservations);
        assert_non_null(s);
        assert_int_equal(s->persists, 1);
        assert_int_equal(s->n_registrants, 1);
        assert_int_equal(s->registrants[0].key, 1);
        /* Until the file is written again nobody is answered. */
        q = registers(3, 1, VPC_PERSIST_OFF);
        reservations_ask(f->reservations, VOLUME, 30, &q);
        until_answers(f, 4);
        f->reservations = reservations_free(f->reservations);
        start(f);
        assert_int_equal(reservations_get(f->reservations, VOLUME)->n_registrants, 0);
        share(f, false);
        assert_null(reservations_get(f->reservations, VOLUME));
        assert_int_equal(faccessat(f->fd, "reservations/77", F_OK, 0), -1);
}

static void test_cannot_be_saved(void **state) {
        struct fixture *f = *state;
        struct vpc_reserve_request q = registers(1, 1, 0);

        reservations_ask(f->reservations, VOLUME, 10, &q);
        const uint64_t change = f->shown.change;
        /* A folder is in the way: nobody may rename a file to it. */
        assert_int_equal(mkdirat(f->fd, "reservations/77", 0700), 0);
        q = registers(2, 1, VPC_PERSIST_ON);
        reservations_ask(f->reservations, VOLUME, 20, &q);
        until_answers(f, 2);
        assert_int_equal(f->result, VPC_RESERVE_FAILED);
        assert_int_equal(f->shown.change, change);
        assert_int_equal(reservations_get(f->reservations, VOLUME)->n_registrants, 1);
        assert_int_equal(unlinkat(f->fd, "reservations/77", AT_REMOVEDIR), 0);
        reservations_ask(f->reservations, VOLUME, 20, &q);
        until_answers(f, 3);
        assert_int_equal(f->result, VPC_RESERVE_DONE);
}

/* Fencing that is not known is none that may be passed by. */
static void test_damaged(void **state) {
        struct fixture *f = *state;
        struct vpc_reserve_request q = registers(1, 1, VPC_PERSIST_ON);

        reservations_ask(f->reservations, VOLUME, 10, &q);
        until_answers(f, 1);
        f->reservations = reservations_free(f->reservations);
        const int fd = openat(f->fd, "reservations/77", O_WRONLY | O_CLOEXEC);
        assert_int_equal(ftruncate(fd, 99), 0);
        close(fd);
        const unsigned int before = f->n_shown;
        start(f);
        assert_null(reservations_get(f->reservations, VOLUME));
        assert_int_equal(f->n_shown, before);
        q = registers(2, 1, 0);
        reservations_ask(f->reservations, VOLUME, 20, &q);
        assert_int_equal(f->n_answers, 1);
        assert_int_equal(reservations_clear(f->reservations, VOLUME), 0);
        until_answers(f, 2); /* who has waited goes on */
        assert_int_equal(f->result, VPC_RESERVE_DONE);
        assert_int_equal(reservations_get(f->reservations, VOLUME)->n_registrants, 1);
        assert_int_equal(reservations_clear(f->reservations, VOLUME + 1), -ENOENT);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_order, setup, teardown),
                cmocka_unit_test_setup_teardown(test_once, setup, teardown),
                cmocka_unit_test_setup_teardown(test_persists, setup, teardown),
                cmocka_unit_test_setup_teardown(test_cannot_be_saved, setup, teardown),
                cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
