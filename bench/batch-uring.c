/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/batch-uring.h"

#include <string.h>

#include "bench/measure.h"

double batch_uring(struct io_uring *ring, const struct batch *b, unsigned int bytes) {
        unsigned int started = 0, done = 0;
        uint64_t start = measure_ns();

        for (; started < b->depth; started++)
                b->put(b->userdata, started);
        while (done < b->count) {
                struct io_uring_cqe *cqe;
                unsigned int head, n = 0;
                int r = io_uring_submit_and_wait(ring, 1);

                if (r < 0)
                        measure_die("%s: io_uring: %s", b->what, strerror(-r));
                io_uring_for_each_cqe(ring, head, cqe) {
                        const unsigned int slot = (unsigned int)io_uring_cqe_get_data64(cqe);

                        if (cqe->res != (int)bytes)
                                measure_die("%s: io_uring: %d", b->what, cqe->res);
                        if (b->done)
                                b->done(b->userdata, slot);
                        n++;
                        if (started == b->count)
                                continue;
                        started++;
                        b->put(b->userdata, slot);
                }
                io_uring_cq_advance(ring, n);
                done += n;
        }
        return (double)(measure_ns() - start) / b->count;
}
