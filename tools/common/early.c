/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The basis of a plan, loaded from the appliance in a thread while files are read. */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/common/report.h"
#include "tools/common/session.h"
#include "util.h"

#define WORTH_IT ((off_t)256 << 10) /* bytes of YAML that take longer than starting a thread, by far */

struct line {
        struct line *next;
        int level;
        char text[];
};

/* All of it is the thread's until it is joined. */
struct early_load {
        pthread_t thread;
        struct iov_ctx *ctx; /* its own: a context is for one thread at a time */
        const char *address;
        struct basis basis;
        int result;
        bool opened;
        struct line *lines, **end; /* what the library said */
};

static void keep_line(void *userdata, int level, const char *text) {
        struct early_load *early = userdata;
        size_t size = strlen(text) + 1;
        struct line *line = xcalloc(1, sizeof(*line) + size);

        line->level = level;
        memcpy(line->text, text, size);
        *early->end = line;
        early->end = &line->next;
}

static void *load(void *userdata) {
        struct early_load *early = userdata;
        struct iov_appliance *appliance = NULL;

        early->result = iov_open(early->ctx, early->address, &appliance);
        early->opened = early->result >= 0;
        if (early->opened)
                early->result = basis_read(appliance, &early->basis);
        iov_close(appliance);
        return NULL;
}

static void early_free(struct early_load *early) {
        while (early->lines) {
                struct line *next = early->lines->next;

                free(early->lines);
                early->lines = next;
        }
        basis_free(&early->basis);
        iov_unref(early->ctx);
        free(early);
}

static bool are_worth_it(char *const *files, unsigned int n_files) {
        off_t size = 0;

        for (unsigned int i = 0; i < n_files; i++) {
                struct stat st;

                if (stat(files[i], &st) < 0 || !S_ISREG(st.st_mode))
                        return false;
                size += st.st_size;
        }
        return size >= WORTH_IT;
}

struct early_load *early_load_start(const struct tool *tool, char *const *files, unsigned int n_files) {
        if (!are_worth_it(files, n_files))
                return NULL;
        struct early_load *early = xcalloc(1, sizeof(*early));
        early->address = tool->appliance;
        early->end = &early->lines;
        if (iov_new(&early->ctx) < 0) {
                free(early);
                return NULL;
        }
        iov_set_log_fn(early->ctx, keep_line, early);
        if (pthread_create(&early->thread, NULL, load, early) != 0) {
                early_free(early);
                return NULL;
        }
        return early;
}

void early_load_drop(struct early_load *early) {
        if (!early)
                return;
        pthread_join(early->thread, NULL);
        early_free(early);
}

int early_load_finish(struct tool *tool, struct early_load *early, struct basis *ret_basis) {
        int status = STATUS_DONE;

        if (!early)
                return basis_load(tool, ret_basis);
        pthread_join(early->thread, NULL);
        for (const struct line *line = early->lines; line; line = line->next)
                report_log(tool, line->level, line->text);
        /* The model keeps the context. */
        iov_set_log_fn(early->ctx, report_log, tool);
        if (early->result >= 0) {
                *ret_basis = early->basis;
                early->basis = (struct basis){0};
        } else if (early->opened) {
                status = report_errno(tool, early->result, "reading the appliance's tables failed");
        } else {
                status = report_error(tool, status_from_errno(early->result), "%s", report_reason(early->result));
        }
        early_free(early);
        return status;
}
