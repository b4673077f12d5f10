/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device self-test [5.8]: in the background, one read at a time. Segment 1 is the controller's own state, segment 2 what is on
 * the media: a short test reads the first and last MiB of a namespace, an extended one all of it.
 */
#include <stddef.h>
#include <string.h>

#include "adapters/nvme/nvme.h"

#define SHORT_SPAN (UINT64_C(1) << 20)
#define SEGMENT_CONTROLLER 1
#define SEGMENT_MEDIA 2
enum { VALID_NSID = 1, VALID_LBA = 2, VALID_TYPE = 4, VALID_CODE = 8 };

static bool is_covered(const struct nvme_image *image, uint32_t nsid) {
        const struct nvme_self_test *t = &image->self_test;

        return image->namespaces[nsid - 1].blocks && (t->nsid == NVME_NSID_ALL || t->nsid == nsid);
}

static uint64_t span(const struct nvme_image *image, uint32_t nsid) {
        uint64_t size = image->namespaces[nsid - 1].size;

        return image->self_test.code == NVME_SELF_TEST_SHORT && size > 2 * SHORT_SPAN ? 2 * SHORT_SPAN : size;
}

/* [5.14.1.6] the newest result is the first */
static void push(struct nvme_self_test *t, const struct nvme_self_test_result *result) {
        memmove(t->results + 1, t->results, (NVME_SELF_TEST_RESULTS - 1) * sizeof(*result));
        t->results[0] = *result;
        t->n_results += t->n_results < NVME_SELF_TEST_RESULTS;
        t->code = 0;
}

struct nvme_self_test_result nvme_self_test_result(unsigned int result, unsigned int code, uint64_t hours) {
        struct nvme_self_test_result r = {.status = (uint8_t)(result | code << 4)};

        memcpy(r.powered_hours, &hours, sizeof(hours));
        return r;
}

static void record(struct nvme_device *device, unsigned int result, unsigned int segment, uint32_t nsid, uint64_t lba) {
        struct nvme_self_test *t = &device->image->self_test;
        struct nvme_self_test_result r =
                nvme_self_test_result(result, t->code, nvme_powered_hours(device->image, nvme_clock(device)));

        r.segment = (uint8_t)segment;
        if (nsid) {
                r.valid = VALID_NSID | VALID_LBA | VALID_TYPE | VALID_CODE;
                memcpy(r.nsid, &nsid, sizeof(nsid));
                memcpy(r.lba, &lba, sizeof(lba));
                r.status_type = NVME_SC_READ_ERROR >> 8;
                r.status_code = NVME_SC_READ_ERROR & 0xff;
        }
        push(t, &r);
}

static void next_namespace(struct nvme_device *device) {
        struct nvme_image *image = device->image;
        struct nvme_self_test *t = &image->self_test;

        t->position = 0;
        do
                t->at++;
        while (t->at <= image->n_namespaces && !is_covered(image, t->at));
        if (t->at > image->n_namespaces)
                record(device, NVME_SELF_TEST_PASSED, 0, 0, 0);
}

/* What every namespace and queue says of the rest is true. */
static bool controller_is_sound(const struct nvme_image *image) {
        for (unsigned int i = 0; i < image->n_namespaces; i++)
                if (image->namespaces[i].blocks && image->namespaces[i].medium >= image->n_media)
                        return false;
        for (unsigned int q = 0; q < NVME_QUEUES; q++)
                if (image->sqs[q].size && !image->cqs[image->sqs[q].cq_id].size)
                        return false;
        return true;
}

uint32_t nvme_self_test_start(struct nvme_command *command) {
        struct nvme_device *device = command->device;
        struct nvme_image *image = device->image;
        struct nvme_self_test *t = &image->self_test;
        const struct nvme_sqe *sqe = &nvme_slot(command)->sqe;
        uint32_t code = sqe->cdw10 & 15, outcome = 0;

        if (code != NVME_SELF_TEST_SHORT && code != NVME_SELF_TEST_EXTENDED && code != NVME_SELF_TEST_ABORT)
                return NVME_INVALID_FIELD(40);
        if (sqe->nsid && sqe->nsid != NVME_NSID_ALL && !nvme_namespace_get(image, sqe->nsid, &outcome))
                return outcome;
        if (code == NVME_SELF_TEST_ABORT) {
                nvme_self_test_end(device, 0, NVME_SELF_TEST_ABORTED);
                return 0;
        }
        if (t->code)
                return NVME_ERROR(NVME_SC_SELF_TEST_IN_PROGRESS | NVME_DNR, NVME_NOWHERE);
        t->code = code;
        t->nsid = sqe->nsid;
        t->at = 0;
        t->done = t->total = 0;
        for (uint32_t nsid = 1; nsid <= image->n_namespaces; nsid++)
                t->total += is_covered(image, nsid) ? span(image, nsid) : 0;
        if (!controller_is_sound(image))
                record(device, NVME_SELF_TEST_FAILED, SEGMENT_CONTROLLER, 0, 0);
        else
                next_namespace(device);
        return 0;
}

void nvme_self_test_resume(struct nvme_image *image, uint32_t nsid, uint32_t at, uint64_t position) {
        struct nvme_self_test *t = &image->self_test;

        t->code = NVME_SELF_TEST_EXTENDED;
        t->nsid = nsid;
        t->done = t->total = 0;
        t->at = 0;
        t->position = 0;
        for (uint32_t i = 1; i <= image->n_namespaces; i++) {
                const uint64_t size = is_covered(image, i) ? span(image, i) : 0;

                t->total += size;
                t->done += i < at ? size : 0;
                if (!t->at && size && i >= at)
                        t->at = i;
        }
        if (t->at == at && position < span(image, at))
                t->position = position;
        t->done += t->position;
        if (!t->at) {
                const struct nvme_self_test_result r =
                        nvme_self_test_result(NVME_SELF_TEST_REMOVED, t->code, nvme_powered_hours(image, 0));

                push(t, &r);
        }
}

void nvme_self_test_end(struct nvme_device *device, uint32_t nsid, unsigned int result) {
        if (device->image->self_test.code && (!nsid || is_covered(device->image, nsid)))
                record(device, result, 0, 0, 0);
}

/* The position within the medium: a short test leaves out the middle. */
static uint64_t offset_of(const struct nvme_image *image) {
        const struct nvme_self_test *t = &image->self_test;
        uint64_t size = image->namespaces[t->at - 1].size, covered = span(image, t->at);

        return t->position < covered / 2 ? t->position : t->position + size - covered;
}

static void piece_done(struct vpc_io *io, int error) {
        struct nvme_device *device = (struct nvme_device *)((char *)io - offsetof(struct nvme_device, self_test_io));
        struct nvme_image *image = device->image;
        struct nvme_self_test *t = &image->self_test;

        device->is_testing = false;
        /* Another test may have begun since, or none be left. */
        if (t->code && t->at == device->self_test_nsid && is_covered(image, t->at) && offset_of(image) == io->offset) {
                if (error < 0) {
                        record(device, NVME_SELF_TEST_FAILED, SEGMENT_MEDIA, t->at,
                               io->offset >> image->namespaces[t->at - 1].block_shift);
                } else {
                        t->position += io->length;
                        t->done += io->length;
                        if (t->position >= span(image, t->at))
                                next_namespace(device);
                }
        }
        nvme_event_end(device);
}

void nvme_self_test_step(struct nvme_device *device) {
        struct nvme_image *image = device->image;
        struct nvme_self_test *t = &image->self_test;
        struct nvme_marked marked;

        if (!t->code || device->is_testing || device->is_stopped || !image->power.is_on)
                return;
        const struct nvme_namespace *ns = &image->namespaces[t->at - 1];
        uint64_t left = span(image, t->at) - t->position, offset = offset_of(image);
        uint64_t length = left < NVME_SELF_TEST_PIECE ? left : NVME_SELF_TEST_PIECE;
        if (nvme_marks_find(device, ns, offset >> ns->block_shift, length >> ns->block_shift, &marked)) {
                record(device, NVME_SELF_TEST_FAILED, SEGMENT_MEDIA, t->at, marked.block);
                return;
        }
        device->is_testing = true;
        device->self_test_nsid = t->at;
        device->self_test_iov = (struct iovec){device->self_test_data, length};
        device->self_test_io = (struct vpc_io){.op = VPC_IO_READ,
                                               .offset = offset,
                                               .iov = &device->self_test_iov,
                                               .n_iov = 1,
                                               .length = length,
                                               .done = piece_done};
        device->host->io_submit(device->host->context, ns->medium, &device->self_test_io);
}

/* [5.14.1.6] the operation under way, how far it is in percent, then the results */
size_t nvme_self_test_log(const struct nvme_image *image, unsigned char *d) {
        const struct nvme_self_test *t = &image->self_test;

        d[0] = (unsigned char)t->code;
        d[1] = t->code && t->total ? (unsigned char)(t->done / (t->total / 100 + 1)) : 0;
        for (unsigned int i = 0; i < NVME_SELF_TEST_RESULTS; i++) {
                if (i < t->n_results)
                        memcpy(d + 4 + i * sizeof(t->results[0]), &t->results[i], sizeof(t->results[0]));
                else
                        d[4 + i * sizeof(t->results[0])] = NVME_SELF_TEST_UNUSED;
        }
        return 4 + sizeof(t->results);
}
