/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a topology, a chassis or a saved plan (the first byte says which): a verdict with findings to match. A topology or
 * chassis that is accepted survives being written and read again, a plan meets an empty appliance.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "iov/libiov.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef int (*read_fn)(struct iov_model *, const char *, const char *, size_t, struct iov_diagnostics *);
typedef int (*write_fn)(const struct iov_model *, FILE *);

#define CHECK(condition) ((condition) ? (void)0 : (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition), abort()))

static char *print(const struct iov_model *model, write_fn write, const struct iov_diagnostics *diagnostics, size_t *ret_length) {
        char *text = NULL;
        FILE *stream = open_memstream(&text, ret_length);

        CHECK(stream);
        CHECK((model ? write(model, stream) : iov_diagnostics_print(diagnostics, stream)) == 0);
        CHECK(fclose(stream) == 0);
        return text;
}

static int read_text(struct iov_ctx *ctx, read_fn read, const char *text, size_t length, struct iov_model **ret_model) {
        struct iov_diagnostics *diagnostics = NULL;
        size_t printed_length = 0;

        CHECK(iov_model_new(ctx, ret_model) == 0);
        CHECK(iov_diagnostics_new(&diagnostics) == 0);
        int r = read(*ret_model, "fuzz", text, length, diagnostics);
        CHECK(r == 0 || r == -EBADMSG);
        CHECK((r == 0) == (iov_diagnostics_count(diagnostics, IOV_ERROR) == 0));
        CHECK(iov_diagnostics_count(diagnostics, IOV_ERROR) <= 101);
        free(print(NULL, NULL, diagnostics, &printed_length));
        iov_diagnostics_unref(diagnostics);
        return r;
}

/* `model` stays empty: it is what the plan meets. */
static int read_saved(struct iov_model *model, const char *file, const char *text, size_t length,
                      struct iov_diagnostics *diagnostics) {
        struct iov_diagnostics *met = NULL;
        struct iov_saved_plan *saved = NULL;
        struct iov_model *want = NULL;
        struct iov_ctx *ctx = NULL;

        CHECK(iov_new(&ctx) == 0);
        int r = iov_saved_plan_read(ctx, file, text, length, diagnostics, &saved);
        if (r == 0) {
                CHECK(iov_diagnostics_new(&met) == 0);
                int bound = iov_saved_plan_bind(saved, model, met, &want);
                CHECK(bound == 0 || bound == -ESTALE);
                CHECK((bound == 0) == (iov_diagnostics_count(met, IOV_ERROR) == 0));
                iov_model_unref(want);
                iov_diagnostics_unref(met);
        }
        iov_saved_plan_unref(saved);
        iov_unref(ctx);
        return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct iov_ctx *ctx = NULL;
        struct iov_model *model = NULL, *again = NULL;
        bool chassis = size > 0 && data[0] == 'c';
        read_fn read = chassis ? iov_chassis_read : iov_topology_read;
        write_fn write = chassis ? iov_chassis_write : iov_topology_write;

        if (size == 0)
                return 0;
        CHECK(iov_new(&ctx) == 0);
        if (data[0] == 'p')
                read_text(ctx, read_saved, (const char *)data + 1, size - 1, &model);
        else if (read_text(ctx, read, (const char *)data + 1, size - 1, &model) == 0) {
                struct iov_plan *plan = NULL;
                size_t length = 0, length_again = 0;
                char *text = print(model, write, NULL, &length), *text_again;

                CHECK(read_text(ctx, read, text, length, &again) == 0);
                text_again = print(again, write, NULL, &length_again);
                CHECK(length == length_again && memcmp(text, text_again, length) == 0);
                CHECK(iov_plan_new(model, again, IOV_PLAN_PRUNE, &plan) == 0);
                CHECK(iov_plan_count(plan) == 0);
                iov_plan_unref(plan);
                free(text);
                free(text_again);
        }
        iov_model_unref(model);
        iov_model_unref(again);
        iov_unref(ctx);
        return 0;
}
