/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Identify [5.15], and the identities that it tells. */
#include <stdio.h>
#include <string.h>

#include "adapters/nvme/nvme.h"

/* What a self-test of a medium of 256 GiB takes, about: the medium reads zeroes where nothing was ever written. */
#define EXTENDED_TEST_MINUTES 10
#define MODEL_NUMBER "iov-tools NVMe vAdapter"

/* A company id of our own there is not: this one has the locally administered bit set, like our MAC addresses. */
const uint8_t nvme_oui[3] = {0x02, 0x1a, 0x4a};

static void put16(unsigned char *data, unsigned int offset, uint16_t value) {
        memcpy(data + offset, &value, sizeof(value));
}
static void put32(unsigned char *data, unsigned int offset, uint32_t value) {
        memcpy(data + offset, &value, sizeof(value));
}
static void put64(unsigned char *data, unsigned int offset, uint64_t value) {
        memcpy(data + offset, &value, sizeof(value));
}

/* ASCII, padded with spaces [1.6]. */
static void put_text(void *field, size_t size, const char *text, size_t text_size) {
        size_t length = strnlen(text, text_size);

        length = length < size ? length : size;
        memset(field, ' ', size);
        memcpy(field, text, length);
}

static void put_big_endian(uint8_t *to, uint64_t value, unsigned int bytes) {
        for (unsigned int i = 0; i < bytes; i++)
                to[i] = (uint8_t)(value >> (bytes - 1 - i) * 8);
}

/* [7.10] and the same medium has the same one for ever. NGUID: identifier extension, company id, extension. */
void nvme_namespace_ids(struct nvme_namespace *ns, uint64_t unique_id) {
        uint64_t folded = (unique_id ^ unique_id >> 40) & UINT64_C(0xffffffffff);

        ns->unique_id = unique_id;
        memcpy(ns->eui64, nvme_oui, 3);
        put_big_endian(ns->eui64 + 3, folded, 5);
        put_big_endian(ns->nguid, unique_id, 8);
        memcpy(ns->nguid + 8, ns->eui64, 8);
}

void nvme_identify_init(struct nvme_image *image, const struct vpc_persona *persona) {
        put_text(image->serial, sizeof(image->serial), persona->serial, sizeof(persona->serial));
        memcpy(image->subnqn, persona->nqn, sizeof(persona->nqn));
        image->owner = persona->unique_id;
}

/* [5.15.2.2] What is left zero is not supported. */
static void identify_controller(const struct nvme_device *device, unsigned char *d) {
        const struct nvme_image *image = device->image;

        put16(d, 0, nvme_description.vendor_id);
        put16(d, 2, nvme_description.subsystem_vendor_id);
        memcpy(d + 4, image->serial, sizeof(image->serial));
        put_text(d + 24, 40, MODEL_NUMBER, sizeof(MODEL_NUMBER));
        put_text(d + 64, 8, PACKAGE_VERSION, sizeof(PACKAGE_VERSION));
        d[72] = 3; /* RAB: 8 commands */
        for (unsigned int i = 0; i < 3; i++)
                d[73 + i] = nvme_oui[2 - i]; /* IEEE, little endian */
        /* CMIC: there are other controllers, with the namespaces that are shared. The subsystem is the vAdapter's own
         * nevertheless [1.6]: what a server sees of it is one controller, with its own serial number. */
        d[76] = image->shared ? 1 << 1 : 0;
        d[77] = NVME_MDTS;
        put16(d, 78, nvme_controller_id(image->owner));
        put32(d, 80, NVME_VERSION);
        put32(d, 84, 1000000);               /* RTD3R, us */
        put32(d, 88, 30000000);              /* RTD3E, us: what is cached is written */
        put32(d, 92, NVME_EVENTS_NAMESPACE); /* OAES */
        put32(d, 96, 1);                     /* CTRATT: host identifiers of 16 bytes */
        d[111] = 1;                          /* CNTRLTYPE: I/O controller */
        /* OACS: format, self-test; Doorbell Buffer Config, of no use where doorbells are memory already. Namespaces are the
         * topology's: no management of them. */
        put16(d, 256, 1 << 1 | 1 << 4 | (device->host->doorbells ? 0 : 1 << 8));
        d[258] = NVME_ABORT_MAX - 1;
        d[259] = NVME_AER_MAX - 1;
        d[260] = 1 << 1 | 1;               /* FRMW: one slot, read only */
        d[261] = 1 << 1 | 1 << 2 | 1 << 3; /* LPA: effects log, log page offsets, telemetry */
        d[262] = NVME_ERROR_ENTRIES - 1;
        d[265] = 1; /* APSTA: the feature is there, though there is one power state only */
        put16(d, 266, NVME_WCTEMP);
        put16(d, 268, NVME_CCTEMP);
        put16(d, 316, EXTENDED_TEST_MINUTES); /* EDSTT */
        d[318] = 1;                           /* DSTO: one self-test at a time */
        d[512] = 0x66;                        /* SQES */
        d[513] = 0x44;                        /* CQES */
        put32(d, 516, NVME_NAMESPACES);
        /* ONCS: compare, write uncorrectable, dataset management, write zeroes, Save and Select of features, reservations,
         * timestamp, verify, copy */
        put16(d, 520, 1 | 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8);
        d[525] = 3 << 1 | 1;         /* VWC: there is one; flush takes NSID ffffffffh */
        put16(d, 534, 1);            /* OCFS [NVM Command Set 1.0, 4.1.5.2]: copy descriptor format 0h */
        put32(d, 536, 1u << 16 | 2); /* SGLS: with dword alignment, for I/O; bit buckets */
        memcpy(d + 768, image->subnqn, sizeof(image->subnqn));
        put16(d, 2048, 2500); /* PSD0: 25 W, the most an x4 slot gives */
}

/* In one step: a hole is made. */
static unsigned char format_left(const struct nvme_image *image, const struct nvme_namespace *ns) {
        return image->formatting >> (ns - image->namespaces) & 1 ? 100 : 0;
}

/* [5.15.2.1] */
static void identify_namespace(const struct nvme_image *image, const struct nvme_namespace *ns, unsigned char *d) {
        put64(d, 0, ns->blocks);
        put64(d, 8, ns->blocks);
        put64(d, 16, ns->blocks);
        /* The medium works in pages: [5.15.2.1] NPWG, NPWA, NPDG, NPDA, NOWS, 0's based, which NSFEAT bit 4 says are there. */
        d[24] = 1 << 4;
        for (unsigned int i = 64; i < 74; i += 2)
                put16(d, i, (uint16_t)(NVME_PAGE_SIZE >> ns->block_shift) - 1);
        /* MSSRL, MCL, and MSRC, 0's based [NVM Command Set 1.0, 4.1.5.1]: what a copy may ask for. */
        put16(d, 74, (uint16_t)nvme_copy_blocks(ns));
        put32(d, 76, nvme_copy_blocks(ns));
        d[80] = NVME_COPY_RANGES - 1;
        d[33] = 1 << 3 | 1;            /* DLFEAT: deallocated blocks read as zeroes, Write Zeroes may deallocate */
        d[25] = 1;                     /* NLBAF, 0's based: blocks of 512 and 4096 bytes */
        d[26] = ns->block_shift == 12; /* FLBAS: the one in use */
        if (image->shared >> (ns - image->namespaces) & 1) {
                d[30] = 1;    /* NMIC: other controllers may have it, too */
                d[31] = 0xff; /* RESCAP: all types, persistence, and Ignore Existing Key as of revision 1.3 */
        }
        d[32] = 0x80 | format_left(image, ns); /* FPI: percent of a format that is to do */
        d[99] = ns->read_only != 0;            /* NSATTR: write protected */
        memcpy(d + 104, ns->nguid, sizeof(ns->nguid));
        memcpy(d + 120, ns->eui64, sizeof(ns->eui64));
        d[128 + 2] = 9; /* LBAF0, LBAF1: LBADS */
        d[132 + 2] = 12;
}

/* [5.15.2.3] the active identifiers above `nsid`, in order */
static void identify_list(const struct nvme_image *image, uint32_t nsid, unsigned char *d) {
        for (unsigned int id = nsid + 1, n = 0; id <= image->n_namespaces; id++)
                if (image->namespaces[id - 1].blocks)
                        put32(d, n++ * 4, id);
}

/* [5.15.2.4] type, length, two reserved bytes, value; the list ends with a length of 0 */
static void identify_descriptors(const struct nvme_namespace *ns, unsigned char *d) {
        d[0] = 1;
        d[1] = sizeof(ns->eui64);
        memcpy(d + 4, ns->eui64, sizeof(ns->eui64));
        d += 4 + sizeof(ns->eui64);
        d[0] = 2;
        d[1] = sizeof(ns->nguid);
        memcpy(d + 4, ns->nguid, sizeof(ns->nguid));
}

/* [4.10] from `id` on; the subsystem has one controller, see CMIC. */
static void identify_controllers(const struct nvme_image *image, uint16_t id, unsigned char *d) {
        const uint16_t own = nvme_controller_id(image->owner);

        if (own < id)
                return;
        put16(d, 0, 1);
        put16(d, 2, own);
}

/* [5.15] figure 244: with namespaces that nobody but the topology makes, what is allocated is what is attached. */
static uint32_t identify_allocated(const struct nvme_device *device, const struct nvme_sqe *sqe, const struct nvme_namespace *ns,
                                   unsigned char *d) {
        const struct nvme_image *image = device->image;
        const uint16_t first_controller = (uint16_t)(sqe->cdw10 >> 16);

        switch (sqe->cdw10 & 0xff) {
        case 0x10:
                if (sqe->nsid >= NVME_NSID_ALL - 1)
                        return NVME_ERROR(NVME_SC_INVALID_NAMESPACE | NVME_DNR, 4);
                identify_list(image, sqe->nsid, d);
                return 0;
        case 0x13:
                identify_controllers(image, first_controller, d);
                return 0;
        }
        if (!ns)
                return NVME_ERROR(NVME_SC_INVALID_NAMESPACE | NVME_DNR, 4);
        if (ns->blocks && (sqe->cdw10 & 0xff) == 0x11)
                identify_namespace(image, ns, d);
        else if (ns->blocks)
                identify_controllers(image, first_controller, d);
        return 0;
}

uint32_t nvme_identify(struct nvme_command *command) {
        struct nvme_device *device = command->device;
        const struct nvme_image *image = device->image;
        const struct nvme_sqe *sqe = &nvme_slot(command)->sqe;
        bool is_valid = sqe->nsid >= 1 && sqe->nsid <= NVME_NAMESPACES;
        const struct nvme_namespace *ns = is_valid ? &image->namespaces[sqe->nsid - 1] : NULL;
        uint32_t outcome = 0;

        memset(device->data, 0, NVME_DATA_SIZE);
        switch (sqe->cdw10 & 0xff) {
        case 0: /* one that is not there is all zeroes */
                if (!ns)
                        return NVME_ERROR(NVME_SC_INVALID_NAMESPACE | NVME_DNR, 4);
                if (ns->blocks)
                        identify_namespace(image, ns, device->data);
                break;
        case 1:
                identify_controller(device, device->data);
                break;
        case 2:
                if (sqe->nsid >= NVME_NSID_ALL - 1)
                        return NVME_ERROR(NVME_SC_INVALID_NAMESPACE | NVME_DNR, 4);
                identify_list(image, sqe->nsid, device->data);
                break;
        case 3:
                if (!ns || !ns->blocks)
                        return NVME_ERROR(NVME_SC_INVALID_NAMESPACE | NVME_DNR, 4);
                identify_descriptors(ns, device->data);
                break;
        case 6:
                /* What NVMe 2.0 asks of all controllers, and Linux of those of 1.3, too: the limits of the NVM command set that
                 * MDTS does not give. There are none: all zeroes. Refused, each start of a server would leave an error. */
                if (sqe->cdw11 >> 24)
                        return NVME_INVALID_FIELD(44);
                break;
        case 0x10: /* allocated namespaces, and one of them */
        case 0x11:
        case 0x12: /* the controllers of a namespace, and of the subsystem */
        case 0x13:
                outcome = identify_allocated(device, sqe, ns, device->data);
                if (outcome)
                        return outcome;
                break;
        default:
                return NVME_INVALID_FIELD(40);
        }
        return nvme_data_send(command, device->data, NVME_DATA_SIZE, NVME_DATA_SIZE);
}
