/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Namespaces come, go and grow while a server drives the controller; it hears of that by an event [5.2] and rescans. */
#include <errno.h>
#include <string.h>

#include "adapters/nvme/nvme.h"

/* [5.15.2.1] LBADS is at least 9; larger blocks than pages are of no use here. */
static bool is_valid(const struct vpc_medium *m) {
        return m->id >= 1 && m->id <= NVME_NAMESPACES && (m->block_size == 512 || m->block_size == NVME_PAGE_SIZE) && m->size &&
               m->size % m->block_size == 0;
}

static struct nvme_namespace make(const struct vpc_medium *m, unsigned int index) {
        struct nvme_namespace ns = {
                .blocks = m->size / m->block_size,
                .block_shift = (uint32_t)__builtin_ctz(m->block_size),
                .medium = index,
                .read_only = m->read_only != 0,
                .size = m->size,
        };

        nvme_namespace_ids(&ns, m->unique_id);
        return ns;
}

int nvme_namespaces_make(const struct vpc_persona *persona, struct nvme_namespace *namespaces) {
        if (persona->n_media > VPC_MEDIA_MAX)
                return -EINVAL;
        for (uint32_t i = 0; i < persona->n_media; i++) {
                const struct vpc_medium *m = &persona->media[i];

                if (!m->id && !m->size)
                        continue;
                if (!is_valid(m) || namespaces[m->id - 1].blocks)
                        return -EINVAL;
                namespaces[m->id - 1] = make(m, i);
        }
        return 0;
}

uint32_t nvme_namespaces_count(const struct vpc_persona *persona) {
        uint32_t n = 0;

        for (uint32_t i = 0; i < persona->n_media; i++)
                if (persona->media[i].id > n && persona->media[i].id <= NVME_NAMESPACES)
                        n = persona->media[i].id;
        return n;
}

uint64_t nvme_namespaces_shared(const struct vpc_persona *persona) {
        uint64_t shared = 0;

        for (uint32_t i = 0; i < persona->n_media; i++)
                if (persona->media[i].shared && persona->media[i].id >= 1 && persona->media[i].id <= NVME_NAMESPACES)
                        shared |= UINT64_C(1) << (persona->media[i].id - 1);
        return shared;
}

static bool is_same_medium(const struct nvme_namespace *a, const struct nvme_namespace *b) {
        return a->blocks && b->blocks && a->medium == b->medium && memcmp(a->nguid, b->nguid, sizeof(a->nguid)) == 0;
}

/* A format that is at a namespace which goes ends when it comes back. */
static void end_format(struct nvme_device *device, uint32_t nsid, uint32_t outcome) {
        for (unsigned int i = 0; i < device->image->n_admin_slots; i++) {
                struct nvme_slot *slot = &device->image->slots[i];

                if (((slot->state == NVME_SLOT_MEDIA || slot->state == NVME_SLOT_ORPHAN || slot->state == NVME_SLOT_RESERVE) &&
                     slot->sqe.opcode == NVME_ADMIN_FORMAT && device->commands[i].n_ranges == nsid) ||
                    (slot->state == NVME_SLOT_FORMAT && slot->sqe.nsid == nsid))
                        slot->verdict = outcome;
        }
        device->image->formatting &= ~(UINT64_C(1) << (nsid - 1));
}

static void leave(struct nvme_device *device, uint32_t nsid) {
        const uint32_t gone = NVME_ERROR(NVME_SC_INVALID_NAMESPACE | NVME_DNR, 4);

        nvme_self_test_end(device, nsid, NVME_SELF_TEST_REMOVED);
        nvme_io_end_all(device, nsid, gone);
        end_format(device, nsid, gone);
        device->image->namespaces[nsid - 1] = (struct nvme_namespace){0};
}

/* A namespace that stays keeps its block size and features. Returns whether the host has to know. */
static bool follow(struct nvme_device *device, uint32_t nsid, const struct nvme_namespace *wanted) {
        struct nvme_namespace *ns = &device->image->namespaces[nsid - 1];

        if (!ns->blocks && !wanted->blocks)
                return false;
        if (!is_same_medium(ns, wanted)) {
                if (ns->blocks)
                        leave(device, nsid);
                *ns = *wanted;
                nvme_rights_forget(device, nsid);
                return true;
        }
        if (ns->size == wanted->size && ns->read_only == wanted->read_only)
                return false;
        ns->size = wanted->size;
        ns->blocks = ns->size >> ns->block_shift;
        ns->read_only = wanted->read_only;
        return true;
}

int nvme_show(struct nvme_device *device, const struct vpc_persona *persona) {
        struct nvme_namespace wanted[NVME_NAMESPACES] = {0};
        struct nvme_image *image = device->image;
        int r = nvme_namespaces_make(persona, wanted);
        uint64_t changed = 0;

        if (r < 0)
                return r;
        image->n_media = persona->n_media;
        const uint64_t shared = nvme_namespaces_shared(persona), fresh = shared & ~image->shared;
        changed = shared ^ image->shared;
        image->shared = shared;
        const uint32_t count = nvme_namespaces_count(persona);
        if (count > image->n_namespaces)
                image->n_namespaces = count;
        for (uint32_t nsid = 1; nsid <= image->n_namespaces; nsid++)
                if (follow(device, nsid, &wanted[nsid - 1]))
                        changed |= UINT64_C(1) << (nsid - 1);
        for (uint64_t set = fresh; set; set &= set - 1)
                nvme_reservation_judge(device, (uint32_t)__builtin_ctzll(set) + 1);
        image->changed |= changed;
        if (changed && (image->features[NVME_FEAT_EVENTS] & NVME_EVENTS_NAMESPACE))
                nvme_event_raise(device, NVME_EVENT_NOTICE, NVME_EVENT_NOTICE_NAMESPACE);
        nvme_event_end(device);
        return 0;
}
