/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The context: where messages go. */
#include "context.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

struct iov_ctx {
        unsigned int refs;
        iov_log_fn log_fn;
        void *log_userdata;
};

int iov_new(struct iov_ctx **ret_ctx) {
        struct iov_ctx *ctx = calloc(1, sizeof(*ctx));

        if (!ctx)
                return -ENOMEM;
        ctx->refs = 1;
        *ret_ctx = ctx;
        return 0;
}

struct iov_ctx *iov_ref(struct iov_ctx *ctx) {
        ctx->refs++;
        return ctx;
}

struct iov_ctx *iov_unref(struct iov_ctx *ctx) {
        if (ctx && --ctx->refs == 0)
                free(ctx);
        return NULL;
}

void iov_set_log_fn(struct iov_ctx *ctx, iov_log_fn fn, void *userdata) {
        ctx->log_fn = fn;
        ctx->log_userdata = userdata;
}

void iov_log(struct iov_ctx *ctx, int level, const char *format, ...) {
        int saved = errno;
        char text[1024];
        va_list args;

        if (!ctx->log_fn)
                return;
        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        ctx->log_fn(ctx->log_userdata, level, text);
        errno = saved;
}
