/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Format NVM [5.23]: a block size, and an empty medium, for one namespace or one after the other for all. The block size goes
 * first: a medium that cannot keep it refuses before anything is lost. Erased is what every format is, Secure Erase or not.
 */
#include <errno.h>

#include "adapters/nvme/nvme.h"

#define ERASE_USER_DATA 1u

/* What `progress` of a format counts for the namespace whose turn it is (n_ranges: its identifier). */
enum step { STEP_BLOCK_SIZE, STEP_DISCARD, STEP_FLUSH, STEP_MARKS, STEP_DONE };

static uint32_t next_target(const struct nvme_image *image, const struct nvme_sqe *sqe, uint32_t after) {
        for (uint32_t nsid = after + 1; nsid <= image->n_namespaces; nsid++)
                if (image->namespaces[nsid - 1].blocks && (sqe->nsid == NVME_NSID_ALL || sqe->nsid == nsid))
                        return nsid;
        return 0;
}

/* Of those that were there when the format began; one that came since is not its business. */
static uint32_t next_formatting(const struct nvme_image *image, uint32_t after) {
        uint64_t left = after < NVME_NAMESPACES ? image->formatting & UINT64_MAX << after : 0;

        return left ? (uint32_t)__builtin_ctzll(left) + 1 : 0;
}

static uint32_t wanted_shift(const struct nvme_sqe *sqe) {
        return sqe->cdw10 & 15 ? 12 : 9;
}

/* What may have become of a namespace at any time before it is erased, too. */
static uint32_t check_namespace(struct nvme_device *device, const struct nvme_sqe *sqe, uint32_t nsid) {
        const struct nvme_namespace *ns = &device->image->namespaces[nsid - 1];

        if (ns->read_only)
                return NVME_ERROR(NVME_SC_WRITE_PROTECTED | NVME_DNR, 4);
        const uint32_t outcome = nvme_reservation_allows(device, nsid, VPC_MAY_WRITE);
        if (outcome)
                return outcome;
        /* Other controllers go on with the blocks that they know. */
        if (device->image->shared >> (nsid - 1) & 1 && ns->block_shift != wanted_shift(sqe))
                return NVME_ERROR(NVME_SC_INVALID_FORMAT | NVME_DNR, 40);
        return ns->size % (1u << wanted_shift(sqe)) ? NVME_ERROR(NVME_SC_INVALID_FORMAT | NVME_DNR, 40) : 0;
}

/* [5.23] LBA Format 3:0, Metadata 4, Protection Information 8:5, Secure Erase Settings 11:9 */
static uint32_t check(struct nvme_device *device, const struct nvme_sqe *sqe) {
        const struct nvme_image *image = device->image;
        uint32_t outcome = 0;

        if (sqe->nsid != NVME_NSID_ALL && !nvme_namespace_get(image, sqe->nsid, &outcome))
                return outcome;
        if ((sqe->cdw10 & 15) > 1 || sqe->cdw10 & 0xe0)
                return NVME_ERROR(NVME_SC_INVALID_FORMAT | NVME_DNR, 40);
        if ((sqe->cdw10 >> 9 & 7) > ERASE_USER_DATA)
                return NVME_INVALID_FIELD(41);
        if (image->formatting)
                return NVME_ERROR(NVME_SC_FORMAT_IN_PROGRESS, NVME_NOWHERE);
        for (uint32_t nsid = next_target(image, sqe, 0); nsid && !outcome; nsid = next_target(image, sqe, nsid))
                outcome = check_namespace(device, sqe, nsid);
        return outcome;
}

static uint32_t submit(struct nvme_command *command, uint64_t step) {
        const struct nvme_sqe *sqe = &nvme_slot(command)->sqe;
        struct nvme_image *image = command->device->image;
        const struct nvme_namespace *ns = &image->namespaces[command->n_ranges - 1];
        const uint32_t outcome = step < STEP_FLUSH ? check_namespace(command->device, sqe, command->n_ranges) : 0;

        if (outcome) {
                image->formatting = 0;
                return outcome;
        }
        if (step == STEP_BLOCK_SIZE && ns->block_shift == wanted_shift(sqe))
                step = STEP_DISCARD;
        command->progress = step;
        if (step == STEP_BLOCK_SIZE)
                command->io = (struct vpc_io){.op = VPC_IO_FORMAT, .length = 1u << wanted_shift(sqe)};
        else if (step == STEP_DISCARD)
                command->io = (struct vpc_io){.op = VPC_IO_DISCARD, .length = ns->size};
        else
                command->io = (struct vpc_io){.op = VPC_IO_FLUSH};
        nvme_media_submit(command, ns->medium);
        return NVME_LATER;
}

/* A write that is still at the medium, its queue there or not, must not come after what erases it. */
static bool is_busy(const struct nvme_image *image) {
        for (unsigned int i = NVME_ADMIN_SLOTS; i < NVME_ADMIN_SLOTS + image->n_io_slots; i++) {
                const struct nvme_slot *slot = &image->slots[i];

                if ((slot->state == NVME_SLOT_MEDIA || slot->state == NVME_SLOT_ORPHAN) && slot->sqe.nsid - 1 < NVME_NAMESPACES &&
                    image->formatting >> (slot->sqe.nsid - 1) & 1)
                        return true;
        }
        return false;
}

static uint32_t erase_or_wait(struct nvme_command *command) {
        struct nvme_device *device = command->device;
        struct nvme_slot *slot = nvme_slot(command);

        device->format_waits = is_busy(device->image) ? (uint16_t)(command->index + 1) : 0;
        if (device->format_waits) {
                slot->state = NVME_SLOT_FORMAT;
                return NVME_LATER;
        }
        command->n_ranges = next_formatting(device->image, 0);
        return slot->verdict ? slot->verdict : command->n_ranges ? submit(command, STEP_BLOCK_SIZE) : 0;
}

void nvme_format_step(struct nvme_device *device) {
        if (!device->format_waits)
                return;
        struct nvme_command *command = &device->commands[device->format_waits - 1];
        uint32_t outcome = erase_or_wait(command);
        if (outcome != NVME_LATER)
                nvme_complete(command, outcome, 0);
        nvme_media_ended(device);
}

uint32_t nvme_format_start(struct nvme_command *command) {
        struct nvme_device *device = command->device;
        struct nvme_image *image = device->image;
        const struct nvme_sqe *sqe = &nvme_slot(command)->sqe;
        uint32_t outcome = check(device, sqe);

        if (outcome)
                return outcome;
        for (uint32_t nsid = next_target(image, sqe, 0); nsid; nsid = next_target(image, sqe, nsid)) {
                image->formatting |= UINT64_C(1) << (nsid - 1);
                nvme_self_test_end(device, nsid, NVME_SELF_TEST_FORMATTED);
                nvme_io_end_all(device, nsid, NVME_ERROR(NVME_SC_FORMAT_IN_PROGRESS, NVME_NOWHERE));
        }
        return erase_or_wait(command);
}

static void set_block_shift(struct nvme_namespace *ns, uint32_t shift) {
        ns->block_shift = shift;
        ns->blocks = ns->size >> shift;
}

static void finish_namespace(struct nvme_image *image, uint32_t nsid) {
        struct nvme_namespace *ns = &image->namespaces[nsid - 1];

        for (unsigned int i = 0; i < sizeof(ns->range); i++)
                ns->range[i] = 0;
        image->formatting &= ~(UINT64_C(1) << (nsid - 1));
}

/* From here on the medium says so to whoever plugs it in next: the image says the same, whatever becomes of the rest. */
static void step_done(struct nvme_command *command) {
        if (command->progress == STEP_BLOCK_SIZE)
                set_block_shift(&command->device->image->namespaces[command->n_ranges - 1],
                                wanted_shift(&nvme_slot(command)->sqe));
}

void nvme_format_orphan(struct nvme_command *command, int error) {
        const struct nvme_slot *slot = nvme_slot(command);

        if (!slot->sq_id && slot->sqe.opcode == NVME_ADMIN_FORMAT && !slot->verdict && error >= 0)
                step_done(command);
}

/* Or it will have, by what is being asked for now. */
static bool has_marks(const struct nvme_command *command) {
        const struct nvme_image *image = command->device->image;

        return nvme_has_marks(command->device, &image->namespaces[command->n_ranges - 1]) || image->reserving.slot;
}

uint32_t nvme_format_next(struct nvme_command *command, int error) {
        struct nvme_image *image = command->device->image;
        const struct nvme_slot *slot = nvme_slot(command);

        if (error < 0 || slot->verdict) {
                image->formatting = 0;
                if (slot->verdict)
                        return slot->verdict;
                return command->progress == STEP_BLOCK_SIZE ? NVME_ERROR(NVME_SC_INVALID_FORMAT | NVME_DNR, 40)
                                                            : nvme_media_error(command->device, false, error);
        }
        step_done(command);
        if (command->progress < STEP_FLUSH)
                return submit(command, command->progress + 1);
        if (command->progress < STEP_MARKS && has_marks(command)) {
                command->progress = STEP_MARKS;
                return nvme_marks_clear(command);
        }
        finish_namespace(image, command->n_ranges);
        command->n_ranges = next_formatting(image, command->n_ranges);
        return command->n_ranges ? submit(command, STEP_BLOCK_SIZE) : 0;
}
