/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Telemetry [5.14.1.7], [5.14.1.8]: the state of this model in lines of text, for whoever looks into a controller that does not
 * do what it should. Created when the host asks for it, it stays as it is until asked for anew. The controller itself never
 * begins one: what befalls it is in the appliance's log.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "adapters/nvme/nvme.h"

struct writer {
        char *to;
        size_t size, n;
};

__attribute__((format(printf, 2, 3))) static void say(struct writer *w, const char *format, ...) {
        va_list args;

        va_start(args, format);
        int n = vsnprintf(w->to + w->n, w->size - w->n, format, args);
        va_end(args);
        /* What does not fit is left out, in whole lines. */
        if (n > 0 && (size_t)n < w->size - w->n)
                w->n += (size_t)n;
        else
                w->to[w->n] = 0;
}

static void say_controller(struct writer *w, struct nvme_device *device) {
        const struct nvme_image *image = device->image;
        const struct nvme_registers *r = &image->registers;
        const struct nvme_life *life = &image->life;

        nvme_life_update(device);
        say(w, "iov-tools nvme telemetry 1\n");
        say(w, "cc %#" PRIx32 " csts %#" PRIx32 " aqa %#" PRIx32 " asq %#" PRIx64 " acq %#" PRIx64 " intms %#" PRIx32 "\n", r->cc,
            r->csts, r->aqa, r->asq, r->acq, r->intms);
        say(w, "inflight %u media %u pending %#" PRIx64 " held %#" PRIx64 " changed %#" PRIx64 " formatting %#" PRIx64 "\n",
            device->n_inflight, device->n_media, device->pending, device->cq_held, image->changed, image->formatting);
        say(w, "powered_hours %" PRIu64 " busy_ns %" PRIu64 " reads %" PRIu64 " writes %" PRIu64 " errors %" PRIu64 "\n",
            nvme_powered_hours(image, device->now), life->busy_ns, life->reads, life->writes, life->error_count);
        say(w, "self_test %" PRIu32 " bad_ranges %u\n", image->self_test.code, nvme_marks_count(device));
        for (unsigned int i = 0; i < image->n_namespaces; i++)
                if (image->namespaces[i].blocks)
                        say(w, "ns %u blocks %" PRIu64 " shift %" PRIu32 " read_only %" PRIu32 "\n", i + 1,
                            image->namespaces[i].blocks, image->namespaces[i].block_shift, image->namespaces[i].read_only);
}

static void say_queues(struct writer *w, const struct nvme_image *image) {
        for (unsigned int q = 0; q < NVME_QUEUES; q++) {
                const struct nvme_sq *sq = &image->sqs[q];
                const struct nvme_cq *cq = &image->cqs[q];

                if (sq->size)
                        say(w, "sq %u cq %u size %" PRIu32 " fetched %" PRIu64 " tail %" PRIu64 " media %" PRIu32 "\n", q,
                            sq->cq_id, sq->size, sq->fetched, sq->tail, sq->n_media);
                if (cq->size)
                        say(w, "cq %u size %" PRIu32 " posted %" PRIu64 " consumed %" PRIu64 " held %" PRIu32 " vector %u\n", q,
                            cq->size, cq->posted, cq->consumed, cq->n_held, cq->vector);
        }
}

/* The three data areas end with the same block: there is no more to be had at greater length. */
size_t nvme_telemetry_header(unsigned char *d, unsigned int page, unsigned int last_block) {
        const uint16_t last = (uint16_t)last_block;

        memset(d, 0, NVME_TELEMETRY_BLOCK);
        d[0] = (unsigned char)page;
        for (unsigned int i = 0; i < 3; i++) {
                d[5 + i] = nvme_oui[2 - i];
                memcpy(d + 8 + i * sizeof(last), &last, sizeof(last));
        }
        return NVME_TELEMETRY_BLOCK;
}

void nvme_telemetry_create(struct nvme_device *device) {
        struct nvme_image *image = device->image;
        struct writer w = {.to = (char *)image->telemetry[1], .size = sizeof(image->telemetry) - NVME_TELEMETRY_BLOCK};

        memset(image->telemetry, 0, sizeof(image->telemetry));
        say_controller(&w, device);
        say_queues(&w, image);
        nvme_telemetry_header(image->telemetry[0], NVME_LOG_TELEMETRY_HOST,
                              (unsigned int)((w.n + NVME_TELEMETRY_BLOCK - 1) / NVME_TELEMETRY_BLOCK));
}
