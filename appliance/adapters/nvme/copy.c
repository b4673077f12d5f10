/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Copy [NVM Command Set 1.0, section 3.2.2]: ranges of a namespace, one behind the other, to another place in it. What is read
 * is gathered in memory of the device until that is full, and then written at once: one request at a time, so that other
 * commands, and whoever wants this one to end, have their turn.
 *
 * Source and destination have nothing in common, or the command is refused: it may be done again from the start (resume.c), and
 * must find the same to read.
 */
#include "adapters/nvme/nvme.h"

/* What a copy under way keeps in its scratch memory; how much is written is in `progress`. */
struct copying {
        struct nvme_copy_range ranges[NVME_COPY_RANGES];
        uint64_t read;   /* bytes of range `at` */
        uint64_t failed; /* the block that the next error is of, where that is one of reading */
        uint32_t at;
        uint32_t filled; /* bytes of the buffer */
        uint32_t shift;  /* of the blocks: the namespace may go before the command does */
        uint32_t reserved;
        unsigned char rest[];
};
/* Behind that, a buffer for when the larger ones are taken: whole blocks of either size. */
#define SMALL ((NVME_SCRATCH - sizeof(struct copying)) / NVME_PAGE_SIZE * NVME_PAGE_SIZE)
_Static_assert(SMALL >= 2 * NVME_PAGE_SIZE && NVME_COPY_PIECE % NVME_PAGE_SIZE == 0, "buffers hold whole blocks");

static struct copying *copying_of(const struct nvme_command *command) {
        return (void *)command->device->scratch[command->index];
}

static uint32_t blocks_of(const struct nvme_copy_range *range) {
        return (range->blocks & 0xffff) + 1;
}

static uint64_t bytes_of(const struct copying *c, unsigned int range) {
        return (uint64_t)blocks_of(&c->ranges[range]) << c->shift;
}

/* ---- buffers ---- */

/* Of a slot that is copying. The one that asks is about to begin, and has none, whatever it had before. */
static bool is_taken(const struct nvme_command *command, unsigned int buffer) {
        const struct nvme_device *device = command->device;
        const uint16_t owner = device->copy_owners[buffer];

        if (!owner || owner - 1 == command->index)
                return false;
        const struct nvme_slot *slot = &device->image->slots[owner - 1];
        return slot->state != NVME_SLOT_FREE && slot->state != NVME_SLOT_DONE && slot->sqe.opcode == NVME_IO_COPY &&
               device->commands[owner - 1].copy_buffer == buffer + 1;
}

/* Nothing is ever given back: whether a buffer is still in use shows in the slot of the last command that took it. */
static void take_buffer(struct nvme_command *command) {
        struct nvme_device *device = command->device;

        command->copy_buffer = 0;
        for (unsigned int i = 0; i < NVME_COPY_BUFFERS && !command->copy_buffer; i++)
                if (!is_taken(command, i)) {
                        device->copy_owners[i] = (uint16_t)(command->index + 1);
                        command->copy_buffer = (uint8_t)(i + 1);
                }
}

/* Aligned, as direct I/O likes it. */
static unsigned char *buffer_of(const struct nvme_command *command, size_t *ret_size) {
        struct nvme_device *device = command->device;
        const size_t skip = -(uintptr_t)device->copies % NVME_PAGE_SIZE;

        *ret_size = command->copy_buffer ? NVME_COPY_PIECE : SMALL;
        return command->copy_buffer ? device->copies + skip + (command->copy_buffer - 1u) * (size_t)NVME_COPY_PIECE
                                    : copying_of(command)->rest;
}

/* ---- requests ---- */

static uint32_t submit(struct nvme_command *command, const struct nvme_namespace *ns, enum vpc_io_op op, uint64_t offset,
                       struct iovec piece) {
        command->scratch = piece;
        command->io = (struct vpc_io){
                .op = op, .offset = offset, .iov = &command->scratch, .n_iov = 1, .length = command->scratch.iov_len};
        nvme_media_submit(command, ns->medium);
        return NVME_LATER;
}

static uint32_t submit_read(struct nvme_command *command, const struct nvme_namespace *ns) {
        struct copying *c = copying_of(command);
        const uint64_t offset = (c->ranges[c->at].first << c->shift) + c->read, left = bytes_of(c, c->at) - c->read;
        size_t size = 0;
        unsigned char *buffer = buffer_of(command, &size);
        const size_t room = size - c->filled;

        c->failed = offset >> c->shift;
        return submit(command, ns, VPC_IO_READ, offset, (struct iovec){buffer + c->filled, left < room ? left : room});
}

void nvme_copy_piece(const struct nvme_command *command, uint64_t *ret_first, uint64_t *ret_count) {
        const struct copying *c = copying_of(command);

        *ret_first = nvme_first_block(&nvme_slot(command)->sqe) + (command->progress >> c->shift);
        *ret_count = c->filled >> c->shift;
}

static uint32_t submit_write(struct nvme_command *command, const struct nvme_namespace *ns) {
        const struct copying *c = copying_of(command);
        uint64_t first = 0, count = 0;
        size_t size = 0;

        if (ns->read_only) /* as of late */
                return NVME_ERROR(NVME_SC_WRITE_PROTECTED | NVME_DNR, 4);
        nvme_copy_piece(command, &first, &count);
        nvme_marks_note(command, ns, first, count);
        return submit(command, ns, VPC_IO_WRITE, first << c->shift, (struct iovec){buffer_of(command, &size), c->filled});
}

/* [6.15] Force Unit Access, and [5.21.1.6] without a write cache what was done is on the medium. */
static uint32_t finish(struct nvme_command *command, const struct nvme_namespace *ns) {
        if (command->io.op == VPC_IO_FLUSH ||
            (!(nvme_slot(command)->sqe.cdw12 & NVME_IO_FUA) && command->device->image->features[NVME_FEAT_WRITE_CACHE]))
                return 0;
        nvme_io_flush(command, ns->medium);
        return NVME_LATER;
}

static uint32_t step(struct nvme_command *command, const struct nvme_namespace *ns) {
        const struct copying *c = copying_of(command);
        size_t size = 0;

        buffer_of(command, &size);
        if (c->at < command->n_ranges && c->filled < size)
                return submit_read(command, ns);
        return c->filled ? submit_write(command, ns) : finish(command, ns);
}

uint32_t nvme_copy_next(struct nvme_command *command) {
        const struct nvme_namespace *ns = &command->device->image->namespaces[nvme_slot(command)->sqe.nsid - 1];
        struct copying *c = copying_of(command);

        if (command->io.op == VPC_IO_READ) {
                c->filled += (uint32_t)command->scratch.iov_len;
                c->read += command->scratch.iov_len;
                if (c->read == bytes_of(c, c->at)) {
                        c->at++;
                        c->read = 0;
                }
                return step(command, ns);
        }
        /* Some of what was written was marked: it is on the medium before it is readable. */
        if (command->clears && command->io.op == VPC_IO_FLUSH)
                return nvme_marks_clear(command);
        if (command->clears) {
                nvme_io_flush(command, ns->medium);
                return NVME_LATER;
        }
        command->progress += c->filled;
        c->filled = 0;
        return step(command, ns);
}

/* ---- before the first ---- */

static bool is_within(const struct nvme_namespace *ns, uint64_t first, uint64_t count) {
        return first <= ns->blocks && count <= ns->blocks - first;
}

static bool is_too_large(const struct nvme_namespace *ns, uint64_t blocks) {
        return blocks > nvme_copy_blocks(ns);
}

/* Limits first: a sum of ranges that are within them does not overflow. */
static uint32_t check_sizes(const struct copying *c, const struct nvme_namespace *ns, uint32_t n, uint64_t *ret_total) {
        uint64_t total = 0;

        for (uint32_t i = 0; i < n; i++) {
                total += blocks_of(&c->ranges[i]);
                if (is_too_large(ns, blocks_of(&c->ranges[i])) || is_too_large(ns, total))
                        return NVME_ERROR(NVME_SC_COPY_LIMIT | NVME_DNR, 24);
        }
        *ret_total = total;
        return 0;
}

static uint32_t check_source(const struct nvme_device *device, struct copying *c, const struct nvme_namespace *ns, uint32_t n) {
        struct nvme_marked marked;

        for (uint32_t i = 0; i < n; i++) {
                const struct nvme_copy_range *range = &c->ranges[i];

                c->failed = range->first;
                if (!is_within(ns, range->first, blocks_of(range)))
                        return NVME_ERROR(NVME_SC_LBA_OUT_OF_RANGE | NVME_DNR, 24);
        }
        for (uint32_t i = 0; nvme_has_marks(device, ns) && i < n; i++)
                if (nvme_marks_find(device, ns, c->ranges[i].first, blocks_of(&c->ranges[i]), &marked)) {
                        c->failed = marked.block;
                        return NVME_ERROR(NVME_SC_READ_ERROR | NVME_DNR, NVME_NOWHERE);
                }
        return 0;
}

static uint32_t check_destination(struct copying *c, const struct nvme_namespace *ns, uint32_t n, uint64_t to, uint64_t total) {
        c->failed = to;
        if (!is_within(ns, to, total))
                return NVME_ERROR(NVME_SC_LBA_OUT_OF_RANGE | NVME_DNR, 40);
        for (uint32_t i = 0; i < n; i++)
                if (c->ranges[i].first < to + total && to < c->ranges[i].first + blocks_of(&c->ranges[i]))
                        return NVME_ERROR(NVME_SC_COPY_OVERLAP | NVME_DNR, 24);
        return 0;
}

/* What a namespace without protection information has no use for is ignored, as the specification wants it. */
uint32_t nvme_copy_start(struct nvme_command *command) {
        const struct nvme_sqe *sqe = &nvme_slot(command)->sqe;
        struct copying *c = copying_of(command);
        uint64_t total = 0;
        uint32_t outcome = 0;
        const struct nvme_namespace *ns = nvme_namespace_get(command->device->image, sqe->nsid, &outcome);

        command->progress = 0;
        command->n_ranges = (sqe->cdw12 & 0xff) + 1;
        if (!ns)
                return outcome;
        if (sqe->cdw12 & NVME_COPY_FORMAT)
                return NVME_INVALID_FIELD(49);
        if (command->n_ranges > NVME_COPY_RANGES)
                return NVME_ERROR(NVME_SC_COPY_LIMIT | NVME_DNR, 48);
        if (ns->read_only)
                return NVME_ERROR(NVME_SC_WRITE_PROTECTED | NVME_DNR, 4);
        outcome = nvme_data_receive(command, c->ranges, command->n_ranges * (uint32_t)sizeof(c->ranges[0]));
        if (!outcome)
                outcome = check_sizes(c, ns, command->n_ranges, &total);
        if (!outcome)
                outcome = check_destination(c, ns, command->n_ranges, nvme_first_block(sqe), total);
        if (!outcome)
                outcome = check_source(command->device, c, ns, command->n_ranges);
        if (outcome)
                return outcome;
        take_buffer(command);
        c->at = c->filled = 0;
        c->read = 0;
        c->shift = ns->block_shift;
        return submit_read(command, ns);
}

/* ---- how it ends ---- */

uint32_t nvme_copy_ranges_done(const struct nvme_command *command) {
        uint64_t end = 0;
        uint32_t n = 0;

        while (command->progress && n < command->n_ranges) {
                end += bytes_of(copying_of(command), n);
                if (end > command->progress)
                        break;
                n++;
        }
        return n;
}

uint64_t nvme_copy_failed_block(const struct nvme_command *command) {
        const struct copying *c = copying_of(command);
        const uint32_t status = nvme_slot(command)->outcome & 0x7ff;

        if (status == NVME_SC_READ_ERROR || status == NVME_SC_LBA_OUT_OF_RANGE)
                return c->failed;
        return nvme_first_block(&nvme_slot(command)->sqe) + (command->progress ? command->progress >> c->shift : 0);
}
