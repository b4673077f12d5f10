/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/chassis.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "context.h"
#include "util.h"
#include "vpc/model.h"

#define CHASSIS_BYTES_MAX (1 << 20)

static int read_text(const char *path, char **ret_text, size_t *ret_length) {
        CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
        CLEANUP_FREE char *text = malloc(CHASSIS_BYTES_MAX + 1);
        size_t length = 0;

        if (fd < 0)
                return -errno;
        if (!text)
                return -ENOMEM;
        for (;;) {
                ssize_t n = read(fd, text + length, CHASSIS_BYTES_MAX + 1 - length);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                length += (size_t)n;
                if (length > CHASSIS_BYTES_MAX)
                        return -EFBIG;
        }
        *ret_text = TAKE_PTR(text);
        *ret_length = length;
        return 0;
}

static void log_findings(struct iov_ctx *ctx, const struct iov_diagnostics *found) {
        for (size_t i = 0; i < iov_diagnostics_count(found, IOV_ERROR) + iov_diagnostics_count(found, IOV_WARNING); i++) {
                const struct iov_diagnostic *d = iov_diagnostics_get(found, i);

                iov_log(ctx, d->severity == IOV_ERROR ? LOG_ERR : LOG_WARNING, "%s:%u:%u: %s", d->file, d->line, d->column,
                        d->text);
        }
}

static int read_file(struct iov_ctx *ctx, const char *path, struct iov_model *model) {
        CLEANUP_FREE char *text = NULL;
        struct iov_diagnostics *found = NULL;
        size_t length = 0;
        int r = read_text(path, &text, &length);

        if (r < 0) {
                iov_log(ctx, LOG_ERR, "%s: cannot read the chassis: %s", path, strerror(-r));
                return r;
        }
        r = iov_diagnostics_new(&found);
        if (r < 0)
                return r;
        r = iov_chassis_read(model, path, text, length, found);
        log_findings(ctx, found);
        iov_diagnostics_unref(found);
        return r;
}

/* What its vAdapters would look like, and whether there is a device model at all. */
void chassis_describe(struct iov_model *model) {
        const struct iov_adapter *a;

        iov_model_foreach (model, IOV_KIND_ADAPTER, a) {
                const struct vpc_model *device = vpc_model_for_adapter((enum iov_adapter_kind)a->kind);
                struct iov_adapter copy = *a;

                copy.supported = device != NULL;
                copy.vendor_id = device ? device->description->vendor_id : 0;
                copy.device_id = device ? device->description->device_id : 0;
                iov_model_set(model, IOV_KIND_ADAPTER, &copy);
        }
}

int chassis_load(struct iov_ctx *ctx, const char *file, const char *state_path, struct iov_model **ret_model) {
        struct iov_model *model = NULL;
        char own[4096];
        int r = iov_model_new(ctx, &model);

        if (r < 0)
                return r;
        snprintf(own, sizeof(own), "%s/chassis.yaml", state_path);
        if (!file && access(own, F_OK) == 0)
                file = own;
        r = file ? read_file(ctx, file, model) : iov_chassis_builtin(model);
        if (r < 0) {
                iov_model_unref(model);
                return r;
        }
        chassis_describe(model);
        *ret_model = model;
        return 0;
}

int chassis_encode(struct iov_ctx *ctx, const struct iov_model *model, void **ret_bytes, size_t *ret_size, char *ret_why) {
        struct iov_diagnostics *found = NULL;
        struct iov_model *again = NULL;
        char *text = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&text, &size);
        int r = f ? iov_chassis_write(model, f) : -ENOMEM;

        if (f && fclose(f) != 0)
                r = -ENOMEM;
        if (r == 0)
                r = iov_model_new(ctx, &again);
        if (r == 0)
                r = iov_diagnostics_new(&found);
        if (r == 0)
                r = iov_chassis_read(again, "chassis.yaml", text, size, found);
        if (r == -EBADMSG)
                snprintf(ret_why, 200, "%s", iov_diagnostics_get(found, 0)->text);
        iov_diagnostics_unref(found);
        iov_model_unref(again);
        if (r < 0) {
                free(text);
                return r;
        }
        *ret_bytes = text;
        *ret_size = size;
        return 0;
}
