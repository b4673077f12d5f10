/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What reservations let the host do [8.8], and what a change of them means to commands under way. */
#include "adapters/nvme/nvme.h"

uint16_t nvme_controller_id(uint64_t owner) {
        return (uint16_t)(1 + owner % 0xffef); /* [5.15.2.2] fff0h and above are reserved */
}

struct vpc_initiator nvme_initiator(const struct nvme_image *image) {
        struct vpc_initiator who = {.owner = image->owner, .epoch = image->epoch, .is_extended = image->is_host_extended};

        memcpy(who.host, image->host_id, sizeof(who.host));
        return who;
}

void nvme_rights_forget(struct nvme_device *device, uint32_t nsid) {
        device->rights[nsid - 1] = (struct nvme_rights){0};
}

static const struct vpc_reservation_page *page_of(const struct nvme_device *device, uint32_t nsid) {
        const struct vpc_host *host = device->host;

        return host->reservations ? host->reservations(host->context, device->image->namespaces[nsid - 1].medium) : NULL;
}

bool nvme_reservation_read(struct nvme_device *device, uint32_t nsid, struct vpc_reservation *ret_reservation) {
        const struct vpc_reservation_page *page = page_of(device, nsid);
        uint64_t current = 0;

        do {
                current = page ? vpc_reservation_current(page) : 0;
                if (!current)
                        return false;
                *ret_reservation = page->copies[current & 1];
        } while (!vpc_reservation_is_good(page, current));
        return ret_reservation->volume == device->image->namespaces[nsid - 1].unique_id;
}

/* UINT32_MAX: not known. */
static uint32_t find_rights(struct nvme_device *device, uint32_t nsid) {
        const struct vpc_reservation_page *page = page_of(device, nsid);
        struct nvme_rights *known = &device->rights[nsid - 1];
        uint32_t rights = UINT32_MAX;
        uint64_t current = 0;

        do {
                current = page ? vpc_reservation_current(page) : 0;
                if (!current)
                        return UINT32_MAX;
                if (known->current == current)
                        return known->rights;
                const struct vpc_initiator who = nvme_initiator(device->image);
                const struct vpc_reservation *r = &page->copies[current & 1];
                rights =
                        r->volume == device->image->namespaces[nsid - 1].unique_id ? vpc_reservation_rights(r, &who) : UINT32_MAX;
        } while (!vpc_reservation_is_good(page, current));
        if (rights != UINT32_MAX)
                *known = (struct nvme_rights){current, rights};
        return rights;
}

uint32_t nvme_reservation_allows(struct nvme_device *device, uint32_t nsid, unsigned int rights) {
        if (!(device->image->shared >> (nsid - 1) & 1))
                return 0;
        const uint32_t has = find_rights(device, nsid);
        if (has == UINT32_MAX)
                return NVME_ERROR(NVME_SC_NAMESPACE_NOT_READY, 4);
        return (has & rights) == rights ? 0 : NVME_ERROR(NVME_SC_RESERVATION_CONFLICT | NVME_DNR, NVME_NOWHERE);
}

/* [8.8, Command Behavior in the Presence of a Reservation]; reservation commands are judged by who decides on them. */
static unsigned int needs(uint8_t opcode) {
        switch (opcode) {
        case NVME_IO_READ:
        case NVME_IO_COMPARE:
        case NVME_IO_VERIFY:
                return VPC_MAY_READ;
        case NVME_IO_FLUSH:
        case NVME_IO_WRITE:
        case NVME_IO_WRITE_UNCORRECTABLE:
        case NVME_IO_WRITE_ZEROES:
        case NVME_IO_DATASET:
                return VPC_MAY_WRITE;
        case NVME_IO_COPY: /* [NVM Command Set 1.0, 5.4] */
                return VPC_MAY_READ | VPC_MAY_WRITE;
        default:
                return 0;
        }
}

uint32_t nvme_reservation_check(const struct nvme_command *command) {
        struct nvme_device *device = command->device;
        const struct nvme_sqe *sqe = &nvme_slot(command)->sqe;
        const unsigned int rights = needs(sqe->opcode);
        uint32_t outcome = 0;

        if (!rights)
                return 0;
        if (sqe->nsid >= 1 && sqe->nsid <= NVME_NAMESPACES)
                return nvme_reservation_allows(device, sqe->nsid, rights);
        for (uint32_t nsid = 1; sqe->nsid == NVME_NSID_ALL && !outcome && nsid <= device->image->n_namespaces; nsid++)
                if (device->image->namespaces[nsid - 1].blocks)
                        outcome = nvme_reservation_allows(device, nsid, rights);
        return outcome;
}

/* ---- changes ---- */

/* A command of more than one request to its medium, that can be ended between them. */
static bool has_more(const struct nvme_command *command) {
        const struct nvme_slot *slot = nvme_slot(command);

        switch (slot->sqe.opcode) {
        case NVME_IO_READ: /* behind the flush of Force Unit Access */
                return command->io.op == VPC_IO_FLUSH;
        case NVME_IO_COMPARE:
        case NVME_IO_VERIFY:
        case NVME_IO_DATASET:
        case NVME_IO_COPY:
                return slot->sq_id != 0;
        default:
                return false;
        }
}

/* Commands of this host that it may not give any more, or that are to be aborted [8.8.7]. */
static void end_commands(struct nvme_device *device, uint32_t nsid, bool is_aborted) {
        const uint32_t aborted = NVME_ERROR(NVME_SC_PREEMPT_ABORTED | NVME_DNR, NVME_NOWHERE);

        for (unsigned int i = NVME_ADMIN_SLOTS; i < NVME_ADMIN_SLOTS + device->image->n_io_slots; i++) {
                struct nvme_slot *slot = &device->image->slots[i];

                if (!nvme_is_under_way(slot) || slot->sqe.nsid != nsid || slot->verdict)
                        continue;
                if (is_aborted)
                        slot->verdict = aborted;
                else if (has_more(&device->commands[i]))
                        slot->verdict = nvme_reservation_check(&device->commands[i]);
        }
        for (unsigned int i = 0; i < device->image->n_admin_slots; i++) {
                struct nvme_slot *slot = &device->image->slots[i];

                if ((!nvme_is_under_way(slot) && slot->state != NVME_SLOT_FORMAT) || slot->sqe.opcode != NVME_ADMIN_FORMAT ||
                    slot->verdict || (slot->sqe.nsid != nsid && slot->sqe.nsid != NVME_NSID_ALL))
                        continue;
                slot->verdict = is_aborted ? aborted : nvme_reservation_allows(device, nsid, VPC_MAY_WRITE);
                if (slot->verdict && slot->state == NVME_SLOT_FORMAT)
                        device->image->formatting = 0; /* it has erased nothing yet */
        }
}

void nvme_reservation_judge(struct nvme_device *device, uint32_t nsid) {
        end_commands(device, nsid, false);
}

/* Notices are taken once, whichever process it is that takes them: rather twice than never. Those of before the first look are
 * not for this host. */
static void take_notices(struct nvme_device *device, uint32_t nsid) {
        struct nvme_namespace *ns = &device->image->namespaces[nsid - 1];
        const struct vpc_initiator who = nvme_initiator(device->image);
        struct vpc_reservation reservation;
        bool is_aborted = false;

        if (!nvme_reservation_read(device, nsid, &reservation)) { /* they are of another volume: nothing is known of this one's */
                end_commands(device, nsid, false);
                return;
        }
        const bool is_new = ns->noticed && reservation.change > ns->noticed;
        for (uint32_t i = 0; i < reservation.n_notices && i < VPC_REGISTRANTS_MAX; i++) {
                const struct vpc_notice_to *to = &reservation.notices[i];

                if (!vpc_initiator_same(&to->initiator, &who))
                        continue;
                is_aborted |= to->is_aborted != 0;
                if (is_new)
                        nvme_notice_add(device, nsid, to->notice);
        }
        end_commands(device, nsid, is_aborted && is_new);
        ns->noticed = reservation.change;
}

/* Marks of that medium are being asked for, whether their command is still there or not. */
static bool is_marking(const struct nvme_image *image, unsigned int medium) {
        const struct nvme_reserving *r = &image->reserving;

        return r->slot && r->request.op >= VPC_RESERVE_OPS && r->request.medium == medium;
}

void nvme_fence(struct nvme_device *device, unsigned int medium, uint64_t change) {
        const struct nvme_image *image = device->image;

        if (medium >= NVME_NAMESPACES)
                return;
        for (uint32_t nsid = 1; nsid <= image->n_namespaces; nsid++)
                if (image->namespaces[nsid - 1].blocks && image->namespaces[nsid - 1].medium == medium) {
                        nvme_rights_forget(device, nsid);
                        if (image->shared >> (nsid - 1) & 1)
                                take_notices(device, nsid);
                }
        for (unsigned int i = nvme_slot_next(image, 0); i < NVME_SLOTS; i = nvme_slot_next(image, i + 1)) {
                const struct nvme_slot *slot = &image->slots[i];

                if ((slot->state == NVME_SLOT_MEDIA || slot->state == NVME_SLOT_ORPHAN) && slot->medium == medium)
                        device->commands[i].is_fenced = true;
        }
        if (is_marking(image, medium))
                device->fenced_ticket = image->reserving.request.ticket;
        device->fences |= UINT64_C(1) << medium;
        device->fence_changes[medium] = change;
}

void nvme_fences_settle(struct nvme_device *device) {
        const struct nvme_image *image = device->image;
        uint64_t busy = 0;

        for (unsigned int i = nvme_slot_next(image, 0); i < NVME_SLOTS; i = nvme_slot_next(image, i + 1))
                if (device->commands[i].is_fenced && image->slots[i].medium < NVME_NAMESPACES)
                        busy |= UINT64_C(1) << image->slots[i].medium;
        if (image->reserving.slot && image->reserving.request.ticket == device->fenced_ticket)
                busy |= UINT64_C(1) << image->reserving.request.medium % NVME_NAMESPACES;
        for (uint64_t over = device->fences & ~busy; over; over &= over - 1) {
                const unsigned int medium = (unsigned int)__builtin_ctzll(over);

                device->fences &= ~(UINT64_C(1) << medium);
                if (device->host->fenced)
                        device->host->fenced(device->host->context, medium, device->fence_changes[medium]);
        }
}
