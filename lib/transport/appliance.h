/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An opened appliance, as the files of this folder see it. */
#ifndef IOV_TRANSPORT_APPLIANCE_H
#define IOV_TRANSPORT_APPLIANCE_H

#include <stdbool.h>

#include "context.h"
#include "transport.h"

struct iov_appliance {
        struct iov_ctx *ctx;
        struct transport *transport;
        char *address;
        size_t payload_size; /* of the mailbox, bytes */
        int command_ms;      /* how long a mailbox command may take */
        bool problem_told;
        bool mailbox_interrupts; /* a command's end can be told by one */
        bool mailbox_free;       /* our last command is done, and nobody else has this mailbox */
        /* Why the last command was refused; of n_reasons in all those that are told. */
        struct iov_mb_error reasons[IOV_MB_ERRORS_MAX];
        size_t n_told, n_reasons;
};

/* iov_open() with another time for answers. */
int appliance_open(struct iov_ctx *ctx, const char *address, int timeout_ms, struct iov_appliance **ret_appliance);
/* iov_write() that does not wait until it is done. */
int appliance_post(struct iov_appliance *a, unsigned int bar, uint64_t offset, const void *buffer, size_t size);
/* Log an error about the appliance, with its address in front; returns `error`. */
int appliance_error(struct iov_appliance *a, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* NULL, or the field of an object's record that is malformed: what came from an appliance is input like any other. */
const char *record_check(enum iov_kind kind, const void *record);
/* CLOCK_MONOTONIC. */
int64_t appliance_now_ms(void);

#endif
