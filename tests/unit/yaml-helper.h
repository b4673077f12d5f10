/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of YAML and of plans share. */
#ifndef YAML_HELPER_H
#define YAML_HELPER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "iov/libiov.h"

static inline struct iov_model *helper_model(void) {
        struct iov_ctx *ctx = NULL;
        struct iov_model *model = NULL;

        assert_int_equal(iov_new(&ctx), 0);
        assert_int_equal(iov_model_new(ctx, &model), 0);
        iov_unref(ctx);
        return model;
}

static inline struct iov_diagnostics *helper_diagnostics(void) {
        struct iov_diagnostics *diagnostics = NULL;

        assert_int_equal(iov_diagnostics_new(&diagnostics), 0);
        return diagnostics;
}

/* All findings as printed; the caller frees it. */
/* Not inline: gcc 12 takes what open_memstream() keeps for a dangling pointer. */
__attribute__((noinline, unused)) static char *helper_printed(const struct iov_diagnostics *diagnostics) {
        char *text = NULL;
        size_t length = 0;
        FILE *stream = open_memstream(&text, &length);

        assert_non_null(stream);
        assert_int_equal(iov_diagnostics_print(diagnostics, stream), 0);
        assert_int_equal(fclose(stream), 0);
        return text;
}

__attribute__((noinline, unused)) static char *helper_written(const struct iov_model *model, int (*write)(const struct iov_model *, FILE *)) {
        char *text = NULL;
        size_t length = 0;
        FILE *stream = open_memstream(&text, &length);

        assert_non_null(stream);
        assert_int_equal(write(model, stream), 0);
        assert_int_equal(fclose(stream), 0);
        return text;
}

/* A model of a topology's text, which has no fault. */
static inline struct iov_model *helper_topology(const char *text) {
        struct iov_model *model = helper_model();
        struct iov_diagnostics *diagnostics = helper_diagnostics();
        int r = iov_topology_read(model, "test.yaml", text, strlen(text), diagnostics);

        if (r < 0)
                iov_diagnostics_print(diagnostics, stderr);
        assert_int_equal(r, 0);
        iov_diagnostics_unref(diagnostics);
        return model;
}

/* Both models have the same objects, as far as the operator's part of them goes. */
static inline void helper_assert_same(const struct iov_model *a, const struct iov_model *b) {
        const enum iov_kind *kinds = NULL;
        size_t n_kinds = iov_config_kinds(&kinds);

        assert_string_equal(iov_model_get_name(a), iov_model_get_name(b));
        assert_int_equal(iov_model_get_links(a), iov_model_get_links(b));
        assert_int_equal(iov_model_get_slots(a), iov_model_get_slots(b));
        for (size_t i = 0; i <= n_kinds; i++) {
                enum iov_kind kind = i < n_kinds ? kinds[i] : IOV_KIND_ADAPTER;
                const void *record;

                assert_int_equal(iov_model_count(a, kind), iov_model_count(b, kind));
                iov_model_foreach (a, kind, record) {
                        const void *other = iov_model_get(b, kind, record);

                        assert_non_null(other);
                        assert_true(iov_record_same_config(kind, record, other));
                }
        }
}

/* Small generator, so that a failure can be run again: the seed is the test's. */
static inline uint32_t helper_random(uint64_t *state) {
        *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        return (uint32_t)(*state >> 33);
}

#endif
