/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tables of NVMe 1.4, sections 6.10 to 6.13 and 8.8, as the pure function that the control process decides by. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/volumes/reservation-file.h"
#include "control/volumes/reservation-state.h"
#include "util.h"

enum { A = 1, B, C, D };

static struct vpc_initiator who(unsigned int n) {
        return (struct vpc_initiator){.host = {(uint8_t)n}, .owner = n};
}

static enum vpc_reserve_result ask(struct vpc_reservation *s, const struct vpc_reserve_request *q, bool *ret_changed) {
        const struct vpc_reservation before = *s;
        bool changed = true;
        enum vpc_reserve_result result = reservation_apply(s, q, &changed);

        if (!changed)
                assert_memory_equal(s, &before, sizeof(before));
        else
                assert_int_equal(s->change, before.change + 1);
        assert_true(result == VPC_RESERVE_DONE || !changed);
        assert_true(reservation_is_sane(s));
        if (ret_changed)
                *ret_changed = changed;
        return result;
}

static enum vpc_reserve_result registers(struct vpc_reservation *s, unsigned int n, enum vpc_reserve_op op, uint64_t key,
                                         uint64_t new_key) {
        return ask(s, &(struct vpc_reserve_request){.op = (uint8_t)op, .initiator = who(n), .key = key, .new_key = new_key},
                   NULL);
}

static enum vpc_reserve_result acquires(struct vpc_reservation *s, unsigned int n, enum vpc_reserve_op op, uint32_t type,
                                        uint64_t key, uint64_t preempted) {
        return ask(s,
                   &(struct vpc_reserve_request){
                           .op = (uint8_t)op, .type = (uint8_t)type, .initiator = who(n), .key = key, .new_key = preempted},
                   NULL);
}

/* A, B and C have registered, with keys 0xa, 0xb and 0xc; D has not. A holds it. */
static struct vpc_reservation held(uint32_t type) {
        struct vpc_reservation s = {.volume = 1};

        assert_int_equal(registers(&s, A, VPC_RESERVE_REGISTER, 0, 0xa), VPC_RESERVE_DONE);
        assert_int_equal(registers(&s, B, VPC_RESERVE_REGISTER, 0, 0xb), VPC_RESERVE_DONE);
        assert_int_equal(registers(&s, C, VPC_RESERVE_REGISTER, 0, 0xc), VPC_RESERVE_DONE);
        assert_int_equal(s.generation, 3);
        if (type)
                assert_int_equal(acquires(&s, A, VPC_RESERVE_ACQUIRE, type, 0xa, 0), VPC_RESERVE_DONE);
        assert_int_equal(s.generation, 3);
        assert_int_equal(s.type, type);
        return s;
}

static unsigned int rights(const struct vpc_reservation *s, unsigned int n) {
        const struct vpc_initiator initiator = who(n);

        return vpc_reservation_rights(s, &initiator);
}

static bool is_told(const struct vpc_reservation *s, unsigned int n, enum vpc_notice notice, bool aborted) {
        const struct vpc_initiator initiator = who(n);

        for (uint32_t i = 0; i < s->n_notices; i++)
                if (vpc_initiator_same(&s->notices[i].initiator, &initiator))
                        return s->notices[i].notice == notice && (s->notices[i].is_aborted != 0) == aborted;
        return false;
}

/* [8.8, Command Behavior in the Presence of a Reservation]: holder, registrant, and who is neither. */
static void test_rights(void **state) {
        static const struct {
                uint32_t type;
                unsigned int holder, registrant, other;
        } rows[] = {
                {VPC_RESERVATION_NONE, 3, 3, 3},
                {VPC_WRITE_EXCLUSIVE, 3, VPC_MAY_READ, VPC_MAY_READ},
                {VPC_EXCLUSIVE_ACCESS, 3, 0, 0},
                {VPC_WRITE_EXCLUSIVE_REGISTRANTS, 3, 3, VPC_MAY_READ},
                {VPC_EXCLUSIVE_ACCESS_REGISTRANTS, 3, 3, 0},
                {VPC_WRITE_EXCLUSIVE_ALL, 3, 3, VPC_MAY_READ},
                {VPC_EXCLUSIVE_ACCESS_ALL, 3, 3, 0},
        };

        for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
                const struct vpc_reservation s = held(rows[i].type);

                assert_int_equal(rights(&s, A), rows[i].holder);
                assert_int_equal(rights(&s, B), rows[i].registrant);
                assert_int_equal(rights(&s, D), rows[i].other);
        }
}

static void test_register(void **state) {
        struct vpc_reservation s = held(0);
        struct vpc_reserve_request q = {.op = VPC_RESERVE_REPLACE, .initiator = who(B), .key = 1, .new_key = 0xbb};

        assert_int_equal(registers(&s, A, VPC_RESERVE_REGISTER, 0, 0xa), VPC_RESERVE_DONE); /* the same again */
        assert_int_equal(s.n_registrants, 3);
        assert_int_equal(registers(&s, A, VPC_RESERVE_REGISTER, 0, 0xaa), VPC_RESERVE_CONFLICT);
        assert_int_equal(registers(&s, D, VPC_RESERVE_REGISTER, 0, 0), VPC_RESERVE_INVALID);
        /* Replace: the key must be the current one, unless it is ignored [6.11]. */
        assert_int_equal(ask(&s, &q, NULL), VPC_RESERVE_CONFLICT);
        q.ignore_key = 1;
        assert_int_equal(ask(&s, &q, NULL), VPC_RESERVE_DONE);
        assert_int_equal(registers(&s, B, VPC_RESERVE_REPLACE, 0xbb, 0xb), VPC_RESERVE_DONE);
        assert_int_equal(registers(&s, D, VPC_RESERVE_REPLACE, 0xbb, 0xd), VPC_RESERVE_CONFLICT);
        q.initiator = who(D);
        assert_int_equal(ask(&s, &q, NULL), VPC_RESERVE_CONFLICT);
        /* Unregister. */
        assert_int_equal(registers(&s, B, VPC_RESERVE_UNREGISTER, 1, 0), VPC_RESERVE_CONFLICT);
        assert_int_equal(registers(&s, D, VPC_RESERVE_UNREGISTER, 0, 0), VPC_RESERVE_CONFLICT);
        assert_int_equal(registers(&s, B, VPC_RESERVE_UNREGISTER, 0xb, 0), VPC_RESERVE_DONE);
        assert_int_equal(s.n_registrants, 2);
        assert_int_equal(s.generation, 3 + 4);
        /* Persistence is part of it [6.11], and a feature by itself. */
        q = (struct vpc_reserve_request){
                .op = VPC_RESERVE_REGISTER, .initiator = who(D), .new_key = 0xd, .persist = VPC_PERSIST_ON};
        assert_int_equal(ask(&s, &q, NULL), VPC_RESERVE_DONE);
        assert_int_equal(s.persists, 1);
        bool changed = true;
        q = (struct vpc_reserve_request){.op = VPC_RESERVE_PERSIST, .persist = VPC_PERSIST_ON};
        assert_int_equal(ask(&s, &q, &changed), VPC_RESERVE_DONE);
        assert_false(changed);
        q.persist = VPC_PERSIST_OFF;
        assert_int_equal(ask(&s, &q, NULL), VPC_RESERVE_DONE);
        assert_int_equal(s.persists, 0);
}

/* The holder leaves: with all registrants only the last takes the reservation along. */
static void test_unregister_holder(void **state) {
        for (uint32_t type = VPC_WRITE_EXCLUSIVE; type < VPC_RESERVATION_TYPES; type++) {
                struct vpc_reservation s = held(type);
                const bool for_all = vpc_reservation_is_for_all(type);
                const bool tell = type == VPC_WRITE_EXCLUSIVE_REGISTRANTS || type == VPC_EXCLUSIVE_ACCESS_REGISTRANTS;

                assert_int_equal(registers(&s, A, VPC_RESERVE_UNREGISTER, 0xa, 0), VPC_RESERVE_DONE);
                assert_int_equal(s.type, for_all ? type : 0);
                assert_int_equal(is_told(&s, B, VPC_RESERVATION_RELEASED, false), tell);
                assert_false(is_told(&s, A, VPC_RESERVATION_RELEASED, false));
                assert_int_equal(registers(&s, B, VPC_RESERVE_UNREGISTER, 0xb, 0), VPC_RESERVE_DONE);
                assert_int_equal(registers(&s, C, VPC_RESERVE_UNREGISTER, 0xc, 0), VPC_RESERVE_DONE);
                assert_int_equal(s.type, 0);
                assert_int_equal(s.n_registrants, 0);
        }
}

static void test_acquire(void **state) {
        for (uint32_t type = VPC_WRITE_EXCLUSIVE; type < VPC_RESERVATION_TYPES; type++) {
                struct vpc_reservation s = held(type);
                const uint32_t other = type == 1 ? 2 : 1;
                const bool for_all = vpc_reservation_is_for_all(type);

                assert_int_equal(acquires(&s, A, VPC_RESERVE_ACQUIRE, type, 0xa, 0), VPC_RESERVE_DONE);
                assert_int_equal(acquires(&s, A, VPC_RESERVE_ACQUIRE, other, 0xa, 0), VPC_RESERVE_CONFLICT);
                assert_int_equal(acquires(&s, A, VPC_RESERVE_ACQUIRE, type, 0xb, 0), VPC_RESERVE_CONFLICT); /* not its key */
                assert_int_equal(acquires(&s, B, VPC_RESERVE_ACQUIRE, type, 0xb, 0),
                                 for_all ? VPC_RESERVE_DONE : VPC_RESERVE_CONFLICT);
                assert_int_equal(acquires(&s, D, VPC_RESERVE_ACQUIRE, type, 0, 0), VPC_RESERVE_CONFLICT);
                assert_int_equal(s.change, 4);
        }
        struct vpc_reservation s = held(0);
        assert_int_equal(acquires(&s, A, VPC_RESERVE_ACQUIRE, 0, 0xa, 0), VPC_RESERVE_INVALID);
        assert_int_equal(acquires(&s, A, VPC_RESERVE_ACQUIRE, 7, 0xa, 0), VPC_RESERVE_INVALID);
        assert_int_equal(acquires(&s, A, 99, 1, 0xa, 0), VPC_RESERVE_INVALID);
}

/* [8.8.7] */
static void test_preempt_holder(void **state) {
        for (uint32_t type = VPC_WRITE_EXCLUSIVE; type <= VPC_EXCLUSIVE_ACCESS_REGISTRANTS; type++)
                for (uint32_t to = VPC_WRITE_EXCLUSIVE; to < VPC_RESERVATION_TYPES; to++) {
                        struct vpc_reservation s = held(type);
                        const bool aborts = to % 2;

                        assert_int_equal(acquires(&s, B, aborts ? VPC_RESERVE_PREEMPT_ABORT : VPC_RESERVE_PREEMPT, to, 0xb, 0xa),
                                         VPC_RESERVE_DONE);
                        assert_int_equal(s.type, to);
                        assert_int_equal(s.n_registrants, 2);
                        assert_int_equal(s.generation, 4);
                        assert_int_equal(rights(&s, B), 3);
                        assert_int_equal(rights(&s, A) & VPC_MAY_WRITE, 0);
                        assert_true(is_told(&s, A, VPC_REGISTRATION_PREEMPTED, aborts));
                        assert_int_equal(is_told(&s, C, VPC_RESERVATION_RELEASED, false), to != type);
                        assert_int_equal(s.n_notices, to != type ? 2 : 1);
                }
}

static void test_preempt_others(void **state) {
        struct vpc_reservation s = held(VPC_WRITE_EXCLUSIVE);

        /* A registrant that holds nothing goes, the reservation stays as it is. */
        assert_int_equal(acquires(&s, A, VPC_RESERVE_PREEMPT, VPC_WRITE_EXCLUSIVE, 0xa, 0xb), VPC_RESERVE_DONE);
        assert_int_equal(s.n_registrants, 2);
        assert_int_equal(rights(&s, A), 3);
        assert_true(is_told(&s, B, VPC_REGISTRATION_PREEMPTED, false));
        assert_int_equal(acquires(&s, C, VPC_RESERVE_PREEMPT, VPC_WRITE_EXCLUSIVE, 0xc, 0xdead), VPC_RESERVE_CONFLICT);
        assert_int_equal(acquires(&s, C, VPC_RESERVE_PREEMPT, VPC_WRITE_EXCLUSIVE, 0xc, 0), VPC_RESERVE_INVALID);
        assert_int_equal(acquires(&s, B, VPC_RESERVE_PREEMPT, VPC_WRITE_EXCLUSIVE, 0xb, 0xa), VPC_RESERVE_CONFLICT);
        /* The holder itself changes its type. */
        assert_int_equal(acquires(&s, A, VPC_RESERVE_PREEMPT, VPC_EXCLUSIVE_ACCESS, 0xa, 0xa), VPC_RESERVE_DONE);
        assert_int_equal(s.type, VPC_EXCLUSIVE_ACCESS);
        assert_int_equal(s.n_registrants, 2);
        /* Without a reservation there is none afterwards either. */
        s = held(0);
        assert_int_equal(acquires(&s, A, VPC_RESERVE_PREEMPT, VPC_WRITE_EXCLUSIVE, 0xa, 0xc), VPC_RESERVE_DONE);
        assert_int_equal(s.type, 0);
        assert_int_equal(s.n_registrants, 2);
        /* All registrants: key 0 is all of them, another only those who have it. */
        s = held(VPC_EXCLUSIVE_ACCESS_ALL);
        assert_int_equal(acquires(&s, B, VPC_RESERVE_PREEMPT, VPC_WRITE_EXCLUSIVE, 0xb, 0xc), VPC_RESERVE_DONE);
        assert_int_equal(s.type, VPC_EXCLUSIVE_ACCESS_ALL);
        assert_int_equal(acquires(&s, B, VPC_RESERVE_PREEMPT_ABORT, VPC_WRITE_EXCLUSIVE, 0xb, 0), VPC_RESERVE_DONE);
        assert_int_equal(s.type, VPC_WRITE_EXCLUSIVE);
        assert_int_equal(s.n_registrants, 1);
        assert_true(is_told(&s, A, VPC_REGISTRATION_PREEMPTED, true));
}

static void test_release(void **state) {
        for (uint32_t type = VPC_WRITE_EXCLUSIVE; type < VPC_RESERVATION_TYPES; type++) {
                struct vpc_reservation s = held(type);
                const uint32_t other = type == 1 ? 2 : 1;

                assert_int_equal(acquires(&s, D, VPC_RESERVE_RELEASE, type, 0, 0), VPC_RESERVE_CONFLICT);
                assert_int_equal(acquires(&s, A, VPC_RESERVE_RELEASE, type, 0xb, 0), VPC_RESERVE_CONFLICT);
                assert_int_equal(acquires(&s, A, VPC_RESERVE_RELEASE, other, 0xa, 0), VPC_RESERVE_INVALID);
                if (!vpc_reservation_is_for_all(type)) {
                        assert_int_equal(acquires(&s, B, VPC_RESERVE_RELEASE, type, 0xb, 0),
                                         VPC_RESERVE_DONE); /* and does nothing */
                        assert_int_equal(s.type, type);
                }
                assert_int_equal(acquires(&s, A, VPC_RESERVE_RELEASE, type, 0xa, 0), VPC_RESERVE_DONE);
                assert_int_equal(s.type, 0);
                assert_int_equal(s.n_registrants, 3);
                assert_int_equal(s.generation, 3);
                assert_int_equal(is_told(&s, B, VPC_RESERVATION_RELEASED, false), type > VPC_EXCLUSIVE_ACCESS);
                assert_int_equal(acquires(&s, A, VPC_RESERVE_RELEASE, type, 0xa, 0), VPC_RESERVE_DONE);
        }
        struct vpc_reservation s = held(VPC_WRITE_EXCLUSIVE);
        assert_int_equal(acquires(&s, D, VPC_RESERVE_CLEAR, 0, 0, 0), VPC_RESERVE_CONFLICT);
        assert_int_equal(acquires(&s, B, VPC_RESERVE_CLEAR, 0, 0xb, 0), VPC_RESERVE_DONE);
        assert_int_equal(s.n_registrants, 0);
        assert_int_equal(s.type, 0);
        assert_int_equal(s.generation, 4);
        assert_true(is_told(&s, A, VPC_RESERVATION_PREEMPTED, false));
        assert_false(is_told(&s, B, VPC_RESERVATION_PREEMPTED, false));
        s = held(VPC_WRITE_EXCLUSIVE);
        reservation_clear(&s);
        assert_int_equal(s.n_registrants + s.type, 0);
        assert_int_equal(s.n_notices, 3);
        assert_true(reservation_is_sane(&s));
}

/* [5.21.1.19] zero is nobody else, and another one after a reset. */
static void test_nameless(void **state) {
        struct vpc_reservation s = {.volume = 1};
        struct vpc_reserve_request one = {.op = VPC_RESERVE_REGISTER, .initiator = {.owner = 1, .epoch = 5}, .new_key = 1};
        struct vpc_reserve_request two = {.op = VPC_RESERVE_REGISTER, .initiator = {.owner = 2, .epoch = 5}, .new_key = 2};

        assert_int_equal(ask(&s, &one, NULL), VPC_RESERVE_DONE);
        assert_int_equal(ask(&s, &two, NULL), VPC_RESERVE_DONE);
        assert_int_equal(s.n_registrants, 2);
        one.op = VPC_RESERVE_ACQUIRE;
        one.type = VPC_EXCLUSIVE_ACCESS;
        one.key = 1;
        assert_int_equal(ask(&s, &one, NULL), VPC_RESERVE_DONE);
        struct vpc_initiator next = one.initiator;
        next.epoch++;
        assert_int_equal(vpc_reservation_rights(&s, &one.initiator), 3);
        assert_int_equal(vpc_reservation_rights(&s, &next), 0);
        const struct vpc_reserve_request gone = {.op = VPC_RESERVE_FORGET, .initiator = next};
        bool changed = false;
        assert_int_equal(ask(&s, &gone, &changed), VPC_RESERVE_DONE);
        assert_true(changed);
        assert_int_equal(s.n_registrants, 1);
        assert_int_equal(s.type, 0);
        assert_int_equal(ask(&s, &gone, &changed), VPC_RESERVE_DONE);
        assert_false(changed);
}

static void test_limits(void **state) {
        struct vpc_reservation s = {.volume = 1};
        struct vpc_reserve_request q = {.op = VPC_RESERVE_REGISTER, .new_key = 1};

        for (unsigned int i = 0; i < VPC_REGISTRANTS_EACH; i++) {
                q.initiator = (struct vpc_initiator){.host = {1, (uint8_t)i}, .owner = 7};
                assert_int_equal(ask(&s, &q, NULL), VPC_RESERVE_DONE);
        }
        q.initiator.host[1]++;
        assert_int_equal(ask(&s, &q, NULL), VPC_RESERVE_FULL);
        q.initiator.owner = 8;
        q.initiator.is_extended = 1; /* [4.6.1.2.1] 64 bits and 128 do not go together */
        assert_int_equal(ask(&s, &q, NULL), VPC_RESERVE_INCONSISTENT);
        q.initiator.is_extended = 0;
        for (unsigned int i = VPC_REGISTRANTS_EACH; i < VPC_REGISTRANTS_MAX; i++) {
                q.initiator = (struct vpc_initiator){.host = {2, (uint8_t)i}, .owner = 100 + i};
                assert_int_equal(ask(&s, &q, NULL), VPC_RESERVE_DONE);
        }
        q.initiator = who(200);
        assert_int_equal(ask(&s, &q, NULL), VPC_RESERVE_FULL);
        /* All of them at once. */
        q = (struct vpc_reserve_request){.op = VPC_RESERVE_CLEAR, .initiator = {.host = {1, 0}, .owner = 7}, .key = 1};
        assert_int_equal(ask(&s, &q, NULL), VPC_RESERVE_DONE);
        assert_int_equal(s.n_notices, VPC_REGISTRANTS_MAX - 1);
}

/* Whatever is asked, the state makes sense, and what is refused changes nothing: ask() checks it. */
static void test_random(void **state) {
        struct vpc_reservation s = {.volume = 1};
        uint64_t x = 88172645463325252;

        for (unsigned int i = 0; i < 100000; i++) {
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                const struct vpc_reserve_request q = {.op = (uint8_t)(x >> 8 & 15),
                                                      .type = (uint8_t)(x >> 12 & 7),
                                                      .ignore_key = x >> 16 & 1,
                                                      .persist = (uint8_t)(x >> 17 % 3),
                                                      .key = x >> 24 & 3,
                                                      .new_key = x >> 28 & 3,
                                                      .initiator = {.host = {(uint8_t)(x >> 32 & 3)}, .owner = x >> 40 & 1}};

                ask(&s, &q, NULL);
        }
        assert_true(s.change > 1000);
}

static void test_file(void **state) {
        const struct vpc_reservation s = held(VPC_EXCLUSIVE_ACCESS_REGISTRANTS);
        struct vpc_reservation again = {0};
        void *bytes = NULL;
        size_t size = 0;

        assert_int_equal(reservation_file_encode(&s, &bytes, &size), 0);
        assert_int_equal(reservation_file_decode(bytes, size, &again), 0);
        assert_memory_equal(&s, &again, sizeof(s));
        for (size_t i = 0; i < size; i += i < 64 ? 1 : 97) {
                ((unsigned char *)bytes)[i] ^= 0x10;
                assert_int_equal(reservation_file_decode(bytes, size, &again), -EBADMSG);
                ((unsigned char *)bytes)[i] ^= 0x10;
        }
        assert_int_equal(reservation_file_decode(bytes, size - 1, &again), -EBADMSG);
        free(bytes);
        /* What makes no sense has a good checksum, too. */
        struct vpc_reservation bad = s;
        bad.registrants[1].is_holder = 1;
        assert_int_equal(reservation_file_encode(&bad, &bytes, &size), 0);
        assert_int_equal(reservation_file_decode(bytes, size, &again), -EBADMSG);
        free(bytes);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rights),  cmocka_unit_test(test_register),       cmocka_unit_test(test_unregister_holder),
                cmocka_unit_test(test_acquire), cmocka_unit_test(test_preempt_holder), cmocka_unit_test(test_preempt_others),
                cmocka_unit_test(test_release), cmocka_unit_test(test_nameless),       cmocka_unit_test(test_limits),
                cmocka_unit_test(test_random),  cmocka_unit_test(test_file),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
