/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libnbd by itself, in its own loop: as little as can be between a program and an NBD server. */
#include <libnbd.h>
#include <stddef.h>

#include "bench/measure.h"
#include "bench/nvme-file.h"
#include "bench/nvme-host.h"

struct batch {
        unsigned int done;
        unsigned int n_free, free[DEPTH_MAX];
};
struct one {
        struct batch *batch;
        unsigned int slot;
};

static int on_done(void *userdata, int *error) {
        const struct one *one = userdata;

        if (*error)
                measure_die("the NBD server: errno %d", *error);
        one->batch->done++;
        one->batch->free[one->batch->n_free++] = one->slot;
        return 1;
}

static double nbd_batch(void *self, unsigned char *data, struct place p) {
        struct nbd_handle *h = self;
        struct batch b = {0};
        struct one ones[DEPTH_MAX];
        unsigned int started = 0;
        uint64_t start = measure_ns();

        for (unsigned int i = 0; i < p.job->depth; i++) {
                ones[i] = (struct one){&b, i};
                b.free[b.n_free++] = i;
        }
        while (b.done < p.job->count) {
                while (b.n_free && started < p.job->count) {
                        const unsigned int slot = b.free[--b.n_free];
                        const nbd_completion_callback done = {.callback = on_done, .user_data = &ones[slot]};
                        unsigned char *memory = data + (size_t)slot * BLOCK_MAX;
                        const uint64_t offset = next_offset(&p);

                        if ((p.job->opcode == NVME_IO_READ ? nbd_aio_pread(h, memory, p.job->block, offset, done, 0)
                                                           : nbd_aio_pwrite(h, memory, p.job->block, offset, done, 0)) < 0)
                                measure_die("libnbd: %s", nbd_get_error());
                        started++;
                }
                if (nbd_poll(h, -1) < 0)
                        measure_die("libnbd: %s", nbd_get_error());
        }
        return (double)(measure_ns() - start) / p.job->count;
}

void nbd_peer_open(const char *socket, const char *export, struct peer *ret_peer) {
        struct nbd_handle *h = nbd_create();

        if (!h || nbd_set_export_name(h, export) < 0 || nbd_set_pread_initialize(h, false) < 0 ||
            nbd_set_request_structured_replies(h, false) < 0 || nbd_connect_unix(h, socket) < 0)
                measure_die("libnbd: %s", nbd_get_error());
        *ret_peer = (struct peer){"NBD, ", nbd_batch, h};
}
