/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the media of a plugged vAdapter follow the model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "control/volumes/media-change.h"

#define MEDIUM(n, volume, bytes)                                                                                                 \
        { .id = (n), .block_size = 512, .size = (bytes), .unique_id = (volume) }

static void test_same(void **state) {
        const struct vpc_persona now = {.n_media = 2, .media = {MEDIUM(1, 11, 4096), MEDIUM(2, 12, 4096)}};
        struct vpc_persona wanted = now;
        struct media_change change;

        media_change_make(&now, &wanted, true, &change);
        assert_false(change.differs);
        assert_int_equal(change.n_media, 2);
        assert_int_equal(change.fresh, 0);
        assert_true(persona_same_face(&now, &wanted));
        wanted.n_media = 0;
        assert_true(persona_same_face(&now, &wanted));
        memcpy(wanted.serial, "other", 6);
        assert_false(persona_same_face(&now, &wanted));
}

/* What stays is where it was, however the others move; a server's choice of block size stays. */
static void test_places(void **state) {
        struct vpc_persona now = {.n_media = 3, .media = {MEDIUM(1, 11, 4096), MEDIUM(2, 12, 4096), MEDIUM(5, 15, 4096)}};
        const struct vpc_persona wanted = {.n_media = 3,
                                           .media = {MEDIUM(2, 12, 8192), MEDIUM(4, 14, 4096), MEDIUM(5, 16, 4096)}};
        struct media_change change;

        now.media[1].block_size = 4096;
        media_change_make(&now, &wanted, false, &change);
        assert_true(change.differs);
        assert_int_equal(change.fresh, 0);
        assert_int_equal(change.n_media, 2);
        assert_int_equal(change.media[0].size, 0);
        assert_int_equal(change.media[1].size, 8192);
        assert_int_equal(change.media[1].block_size, 4096);
        media_change_make(&now, &wanted, true, &change);
        assert_int_equal(change.n_media, 3);
        assert_int_equal(change.fresh, 1 | 4);
        assert_int_equal(change.media[0].id, 4);
        assert_int_equal(change.source[0], 1);
        assert_int_equal(change.media[2].unique_id, 16);
        assert_int_equal(change.source[2], 2);
        /* from there on again */
        memcpy(now.media, change.media, sizeof(now.media));
        now.n_media = change.n_media;
        media_change_make(&now, &wanted, true, &change);
        assert_false(change.differs);
}

/* Becoming read-only is a new medium: the descriptor is another one. */
static void test_read_only(void **state) {
        const struct vpc_persona now = {.n_media = 1, .media = {MEDIUM(1, 11, 4096)}};
        struct vpc_persona wanted = now;
        struct media_change change;

        wanted.media[0].read_only = 1;
        media_change_make(&now, &wanted, false, &change);
        assert_true(change.differs);
        assert_int_equal(change.n_media, 0);
        media_change_make(&now, &wanted, true, &change);
        assert_int_equal(change.fresh, 1);
        assert_int_equal(change.media[0].read_only, 1);
}

static void test_all(void **state) {
        struct vpc_persona now = {0}, wanted = {0};
        struct media_change change;

        wanted.n_media = VPC_MEDIA_MAX;
        for (unsigned int i = 0; i < VPC_MEDIA_MAX; i++)
                wanted.media[i] = (struct vpc_medium)MEDIUM(i + 1, 100 + i, 4096);
        media_change_make(&now, &wanted, false, &change);
        assert_false(change.differs);
        media_change_make(&now, &wanted, true, &change);
        assert_int_equal(change.fresh, UINT64_MAX);
        assert_int_equal(change.n_media, VPC_MEDIA_MAX);
        memcpy(now.media, change.media, sizeof(now.media));
        now.n_media = change.n_media;
        for (unsigned int i = 0; i < VPC_MEDIA_MAX; i++)
                wanted.media[i].unique_id += 1000;
        media_change_make(&now, &wanted, true, &change);
        assert_int_equal(change.fresh, UINT64_MAX);
        wanted.n_media = 0;
        media_change_make(&now, &wanted, true, &change);
        assert_true(change.differs);
        assert_int_equal(change.n_media, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_same),
                cmocka_unit_test(test_places),
                cmocka_unit_test(test_read_only),
                cmocka_unit_test(test_all),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
