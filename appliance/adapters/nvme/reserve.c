/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reservation commands [6.10] to [6.13] and feature 83h; and marks (marks.c) take the same way. The appliance decides, and is
 * asked for one thing at a time: what is asked is in the image with its ticket, so that a process that comes next asks for the
 * same again, and the appliance knows.
 */
#include "adapters/nvme/nvme.h"

#define REGISTER_ACTIONS 3u
#define ACQUIRE_ACTIONS 3u
#define RELEASE_ACTIONS 2u
#define IGNORE_EXISTING_KEY (1u << 3)
#define REPORT_EXTENDED 1u
#define ENTRY_SIZE 24u
#define EXTENDED_SIZE 64u

_Static_assert(EXTENDED_SIZE *(1 + VPC_REGISTRANTS_MAX) <= NVME_SCRATCH, "a report");

static bool is_feature(const struct nvme_slot *slot) {
        return slot->sq_id == 0 && slot->sqe.opcode == NVME_ADMIN_SET_FEATURES;
}

/* The namespace that a command is for, or the next one after `nsid` that it is for; 0: there is none. */
static uint32_t next_target(const struct nvme_image *image, const struct nvme_slot *slot, uint32_t nsid) {
        if (slot->sqe.nsid != NVME_NSID_ALL)
                return nsid ? 0 : slot->sqe.nsid;
        for (uint32_t next = nsid + 1; next <= image->n_namespaces; next++)
                if (image->shared >> (next - 1) & 1 && image->namespaces[next - 1].blocks)
                        return next;
        return 0;
}

static uint32_t check_namespace(const struct nvme_image *image, uint32_t nsid) {
        uint32_t outcome = 0;

        if (!nvme_namespace_get(image, nsid, &outcome))
                return outcome;
        return image->shared >> (nsid - 1) & 1 ? 0 : NVME_INVALID_FIELD(4); /* RESCAP is 0 */
}

/* Fields that are wrong whatever the keys are. */
static uint32_t check_fields(const struct nvme_slot *slot) {
        const uint32_t cdw10 = slot->sqe.cdw10, action = cdw10 & 7;

        if (is_feature(slot))
                return 0;
        switch (slot->sqe.opcode) {
        case NVME_IO_RESERVE_REGISTER:
                if (action >= REGISTER_ACTIONS)
                        return NVME_INVALID_FIELD(40);
                return cdw10 >> 30 == 1 ? NVME_INVALID_FIELD(43) : 0;
        case NVME_IO_RESERVE_ACQUIRE:
                if (action >= ACQUIRE_ACTIONS || cdw10 & IGNORE_EXISTING_KEY)
                        return NVME_INVALID_FIELD(40);
                break;
        default:
                if (action >= RELEASE_ACTIONS || cdw10 & IGNORE_EXISTING_KEY)
                        return NVME_INVALID_FIELD(40);
                if (action) /* clear: any type */
                        return 0;
                break;
        }
        const uint32_t type = cdw10 >> 8 & 0xff;
        return type == VPC_RESERVATION_NONE || type >= VPC_RESERVATION_TYPES ? NVME_INVALID_FIELD(41) : 0;
}

/* What the command asks for; its keys are fetched, once. */
static uint32_t make_request(struct nvme_command *command, struct vpc_reserve_request *ret_request) {
        const struct nvme_slot *slot = nvme_slot(command);
        const uint32_t cdw10 = slot->sqe.cdw10, action = cdw10 & 7;
        uint64_t keys[2] = {0};
        struct vpc_reserve_request *q = ret_request;

        if (is_feature(slot)) {
                q->op = VPC_RESERVE_PERSIST;
                q->persist = slot->sqe.cdw11 & 1 ? VPC_PERSIST_ON : VPC_PERSIST_OFF;
                return 0;
        }
        const uint32_t size = slot->sqe.opcode == NVME_IO_RESERVE_RELEASE ? 8 : 16;
        uint32_t outcome = nvme_data_receive(command, keys, size);
        if (outcome)
                return outcome;
        q->key = keys[0];
        q->new_key = keys[1];
        q->ignore_key = (cdw10 & IGNORE_EXISTING_KEY) != 0;
        q->type = cdw10 >> 8 & 0xff;
        if (slot->sqe.opcode == NVME_IO_RESERVE_REGISTER) {
                q->op = (uint8_t)(VPC_RESERVE_REGISTER + action);
                q->persist = cdw10 >> 30 ? (uint8_t)((cdw10 >> 30) - 1) : VPC_PERSIST_AS_IT_IS;
                q->type = 0;
        } else {
                q->op = (uint8_t)((slot->sqe.opcode == NVME_IO_RESERVE_ACQUIRE ? VPC_RESERVE_ACQUIRE : VPC_RESERVE_RELEASE) +
                                  action);
                if (q->op == VPC_RESERVE_CLEAR) /* it has no type */
                        q->type = 0;
        }
        return 0;
}

/* What is in the image first, then who it is of, then the question. */
static void ask(struct nvme_device *device, uint32_t slot, uint32_t nsid, struct vpc_reserve_request *request) {
        struct nvme_image *image = device->image;

        request->ticket = ++image->reserve_ticket;
        request->initiator = nvme_initiator(image);
        request->volume = image->namespaces[nsid - 1].unique_id;
        request->medium = image->namespaces[nsid - 1].medium;
        if (request->op == VPC_RESERVE_REGISTER) {
                static const uint8_t none[16];

                if (memcmp(image->host_id, none, sizeof(none)) == 0)
                        image->nameless |= UINT64_C(1) << (nsid - 1);
        }
        image->reserving.request = *request;
        image->reserving.nsid = nsid;
        __atomic_store_n(&image->reserving.slot, slot, __ATOMIC_RELEASE);
        device->host->reserve(device->host->context, &image->reserving.request);
}

static void finish(struct nvme_command *command, uint32_t outcome) {
        struct nvme_device *device = command->device;
        struct nvme_slot *slot = nvme_slot(command);
        const unsigned int sq_id = slot->sq_id;

        device->image->sqs[sq_id].n_media--;
        nvme_complete(command, outcome, 0);
        nvme_delete_sq_finish(device, sq_id);
}

/* Before it is done, or in the midst of a format, which lets go of its namespaces. */
static void give_up(struct nvme_command *command, uint32_t outcome) {
        struct nvme_slot *slot = nvme_slot(command);

        if (slot->sq_id || !nvme_is_marking(slot)) {
                finish(command, outcome);
                return;
        }
        slot->verdict = outcome;
        slot->state = NVME_SLOT_FETCHED;
        command->device->image->sqs[0].n_media--;
        nvme_admin_advance(command, 0);
}

/* For the next of its namespaces; false: there is no other. */
static bool ask_for(struct nvme_command *command, uint32_t after) {
        struct nvme_device *device = command->device;
        struct vpc_reserve_request request = {0};
        const bool is_marking = nvme_is_marking(nvme_slot(command));
        const uint32_t nsid = is_marking ? nvme_marks_target(command) : next_target(device->image, nvme_slot(command), after);

        if (!nsid)
                return false;
        uint32_t outcome = is_marking ? nvme_marks_request(command, &request) : check_namespace(device->image, nsid);
        if (!outcome && !is_marking)
                outcome = make_request(command, &request);
        if (!outcome && !device->host->reserve)
                outcome = NVME_ERROR(NVME_SC_NAMESPACE_NOT_READY, 4);
        if (outcome)
                give_up(command, outcome);
        else
                ask(device, command->index + 1u, nsid, &request);
        return true;
}

static struct nvme_command *oldest(struct nvme_device *device) {
        const struct nvme_image *image = device->image;
        struct nvme_command *found = NULL;

        for (unsigned int i = nvme_slot_next(image, 0); i < NVME_SLOTS; i = nvme_slot_next(image, i + 1))
                if (image->slots[i].state == NVME_SLOT_RESERVE &&
                    (!found || image->slots[i].start_ns < nvme_slot(found)->start_ns))
                        found = &device->commands[i];
        return found;
}

/* What a reset has ended comes before what the host asks for after it. */
static bool ask_to_forget(struct nvme_device *device) {
        struct nvme_image *image = device->image;

        while (image->forget) {
                const uint32_t nsid = (uint32_t)__builtin_ctzll(image->forget) + 1;

                if (device->host->reserve && check_namespace(image, nsid) == 0) {
                        struct vpc_reserve_request request = {.op = VPC_RESERVE_FORGET};

                        ask(device, NVME_RESERVE_FORGET, nsid, &request);
                        return true;
                }
                image->forget &= image->forget - 1;
        }
        return false;
}

void nvme_reserve_next(struct nvme_device *device) {
        struct nvme_command *command = NULL;

        while (!device->is_resuming && !device->image->reserving.slot && !ask_to_forget(device) && (command = oldest(device)))
                if (!ask_for(command, 0))
                        finish(command, 0);
}

uint32_t nvme_reserve_start(struct nvme_command *command) {
        struct nvme_device *device = command->device;
        struct nvme_slot *slot = nvme_slot(command);
        uint32_t outcome =
                is_feature(slot) && slot->sqe.nsid == NVME_NSID_ALL ? 0 : check_namespace(device->image, slot->sqe.nsid);

        if (!outcome)
                outcome = check_fields(slot);
        if (outcome)
                return outcome;
        if (is_feature(slot))
                slot->start_ns = device->now;
        slot->state = NVME_SLOT_RESERVE;
        device->image->sqs[slot->sq_id].n_media++;
        nvme_reserve_next(device);
        return NVME_LATER;
}

static uint32_t outcome_of(enum vpc_reserve_result result) {
        switch (result) {
        case VPC_RESERVE_DONE:
                return 0;
        case VPC_RESERVE_CONFLICT:
                return NVME_ERROR(NVME_SC_RESERVATION_CONFLICT | NVME_DNR, NVME_NOWHERE);
        case VPC_RESERVE_INVALID:
                return NVME_ERROR(NVME_SC_INVALID_FIELD | NVME_DNR, NVME_NOWHERE);
        case VPC_RESERVE_INCONSISTENT:
                return NVME_ERROR(NVME_SC_HOST_ID_FORMAT | NVME_DNR, NVME_NOWHERE);
        case VPC_RESERVE_FULL:
                return NVME_ERROR(NVME_SC_OPERATION_DENIED | NVME_DNR, NVME_NOWHERE);
        default:
                return NVME_ERROR(NVME_SC_INTERNAL_ERROR, NVME_NOWHERE);
        }
}

/* The answer about marks. It goes on where it was, or from the start: what it has written has not taken all marks with it. */
static void marked(struct nvme_command *command, enum vpc_reserve_result result) {
        struct nvme_device *device = command->device;
        struct nvme_slot *slot = nvme_slot(command);
        const unsigned int sq_id = slot->sq_id;
        uint32_t outcome = result == VPC_RESERVE_AGAIN ? 0 : nvme_marks_outcome(slot, result);

        if (sq_id && slot->verdict) /* meanwhile its namespace is another one, or somebody else's */
                outcome = slot->verdict;

        if (outcome || !nvme_marks_resumes(slot)) {
                give_up(command, outcome);
                device->image->reserving.slot = 0; /* after the completion, as below */
                return;
        }
        device->image->reserving.slot = 0;
        slot->state = NVME_SLOT_FETCHED;
        device->image->sqs[sq_id].n_media--;
        command->clears = 0;
        if (result == VPC_RESERVE_AGAIN && sq_id)
                nvme_io_execute(command);
        else if (result == VPC_RESERVE_AGAIN)
                nvme_marks_clear(command);
        else if (sq_id)
                nvme_io_advance(command, 0);
        else
                nvme_admin_advance(command, 0);
        nvme_delete_sq_finish(device, sq_id);
}

void nvme_reserved(struct nvme_device *device, uint64_t ticket, enum vpc_reserve_result result) {
        struct nvme_image *image = device->image;
        struct nvme_reserving *r = &image->reserving;

        if (!r->slot || r->request.ticket != ticket)
                return;
        const uint32_t slot = r->slot, nsid = r->nsid;
        if (slot == NVME_RESERVE_FORGET) {
                if (result == VPC_RESERVE_DONE || result == VPC_RESERVE_FAILED)
                        image->forget &= ~(UINT64_C(1) << (nsid - 1));
                r->slot = 0;
        } else if (slot == NVME_RESERVE_ORPHAN) {
                r->slot = 0;
        } else if (nvme_is_marking(&image->slots[slot - 1])) {
                marked(&device->commands[slot - 1], result);
        } else {
                struct nvme_command *command = &device->commands[slot - 1];

                if (result != VPC_RESERVE_DONE || !ask_for(command, nsid))
                        finish(command, outcome_of(result));
                else if (nvme_slot(command)->state == NVME_SLOT_RESERVE)
                        return; /* it goes on with another namespace */
                /* After the completion: a process that dies in between leaves one that is done. */
                r->slot = 0;
        }
        nvme_reserve_next(device);
}

void nvme_reserve_reset(struct nvme_device *device, bool is_asked) {
        struct nvme_image *image = device->image;
        struct nvme_reserving *r = &image->reserving;

        /* Marks are not left to land at any time later: see nvme_settle(). */
        r->slot = r->slot && r->request.op >= VPC_RESERVE_OPS ? NVME_RESERVE_ORPHAN : 0;
        if (r->slot && !is_asked)
                device->host->reserve(device->host->context, &r->request);
        image->forget |= image->nameless;
        image->nameless = 0;
        image->epoch++;
        image->n_notices = 0;
}

void nvme_reserve_check(struct nvme_image *image) {
        const uint32_t slot = image->reserving.slot;

        if (!slot || slot == NVME_RESERVE_FORGET || slot == NVME_RESERVE_ORPHAN)
                return;
        const struct nvme_slot *s = &image->slots[(slot - 1) % NVME_SLOTS];
        if (s->state != NVME_SLOT_RESERVE || nvme_marks_resumes(s))
                image->reserving.slot = 0;
}

void nvme_reserve_resume(struct nvme_device *device) {
        if (device->image->reserving.slot && device->host->reserve)
                device->host->reserve(device->host->context, &device->image->reserving.request);
        else
                nvme_reserve_next(device);
}

/* ---- Reservation Report [6.13] ---- */

static void put_entry(unsigned char *d, const struct vpc_reservation *s, const struct vpc_registrant *r, bool extended) {
        const uint16_t controller = nvme_controller_id(r->initiator.owner);

        memcpy(d, &controller, sizeof(controller));
        d[2] = r->is_holder || vpc_reservation_is_for_all(s->type); /* RCSTS */
        if (extended) {
                memcpy(d + 8, &r->key, sizeof(r->key));
                memcpy(d + 16, r->initiator.host, 16);
        } else {
                memcpy(d + 8, r->initiator.host, 8);
                memcpy(d + 16, &r->key, sizeof(r->key));
        }
}

/* 0: a host identifier does not fit. */
static size_t make_report(const struct vpc_reservation *s, bool extended, unsigned char *d) {
        const size_t size = extended ? EXTENDED_SIZE : ENTRY_SIZE;
        const uint16_t n = (uint16_t)(s->n_registrants < VPC_REGISTRANTS_MAX ? s->n_registrants : VPC_REGISTRANTS_MAX);

        memset(d, 0, size * (1u + n));
        memcpy(d, &s->generation, sizeof(s->generation));
        d[4] = (unsigned char)s->type;
        memcpy(d + 5, &n, sizeof(n));
        d[9] = s->persists != 0; /* PTPLS */
        for (uint16_t i = 0; i < n; i++) {
                if (!extended && s->registrants[i].initiator.is_extended)
                        return 0;
                put_entry(d + size * (1u + i), s, &s->registrants[i], extended);
        }
        return size * (1u + n);
}

uint32_t nvme_reserve_report(struct nvme_command *command) {
        struct nvme_device *device = command->device;
        const struct nvme_sqe *sqe = &nvme_slot(command)->sqe;
        const uint64_t length = ((uint64_t)sqe->cdw10 + 1) * 4;
        unsigned char *data = device->scratch[command->index];
        struct vpc_reservation reservation;
        uint32_t outcome = check_namespace(device->image, sqe->nsid);

        if (outcome)
                return outcome;
        if (length > NVME_TRANSFER_MAX)
                return NVME_INVALID_FIELD(40);
        if (!nvme_reservation_read(device, sqe->nsid, &reservation))
                return NVME_ERROR(NVME_SC_NAMESPACE_NOT_READY, 4);
        size_t size = make_report(&reservation, sqe->cdw11 & REPORT_EXTENDED, data);
        if (!size)
                return NVME_ERROR(NVME_SC_HOST_ID_FORMAT | NVME_DNR, 44);
        return nvme_data_send(command, data, size, (uint32_t)length);
}
