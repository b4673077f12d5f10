/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hostile NVMe commands and register writes. Status codes: NVMe 1.4 figures 124 to 128; type and code as in NVME_HOST_STATUS().
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "bench/hostile.h"
#include "bench/nvme-host.h"
#include "util.h"

#define MEMORY (1u << 20)
#define OUTSIDE UINT64_C(0x7000000000)
#define ANY 0xffffu /* some error */

/* What stands for a value that depends on the host. */
enum where { PLAIN, DATA_PRP, LAST_BLOCK };

struct bad_command {
        const char *what;
        bool is_admin;
        enum where where;
        struct nvme_host_command command;
        unsigned int expected;
};

static const struct bad_command bad_commands[] = {
        {"an unknown admin opcode", true, DATA_PRP, {.opcode = 0x7f}, 0x001},
        {"an unknown I/O opcode", false, DATA_PRP, {.opcode = 0x7f, .nsid = 1}, 0x001},
        {"Identify to memory outside the windows",
         true,
         PLAIN,
         {.opcode = NVME_ADMIN_IDENTIFY, .prp1 = OUTSIDE, .cdw10 = 1},
         ANY},
        {"Identify to the end of the address space",
         true,
         PLAIN,
         {.opcode = NVME_ADMIN_IDENTIFY, .prp1 = UINT64_MAX - 0xfff, .cdw10 = 1},
         ANY},
        {"Identify across the end of the address space",
         true,
         PLAIN,
         {.opcode = NVME_ADMIN_IDENTIFY, .prp1 = UINT64_MAX - 3, .prp2 = 0, .cdw10 = 1},
         ANY},
        {"Identify of an unknown structure", true, DATA_PRP, {.opcode = NVME_ADMIN_IDENTIFY, .cdw10 = 0xee}, 0x002},
        {"Identify of a namespace that is not there", true, DATA_PRP, {.opcode = NVME_ADMIN_IDENTIFY, .nsid = 0x12345}, 0x00b},
        {"Get Log Page of an unknown log", true, DATA_PRP, {.opcode = NVME_ADMIN_GET_LOG, .cdw10 = 0x03ff00ee}, ANY},
        {"Create CQ 0", true, DATA_PRP, {.opcode = NVME_ADMIN_CREATE_CQ, .cdw10 = 15u << 16, .cdw11 = 1}, 0x101},
        {"Create CQ 1, which is there",
         true,
         DATA_PRP,
         {.opcode = NVME_ADMIN_CREATE_CQ, .cdw10 = 15u << 16 | 1, .cdw11 = 1},
         0x101},
        {"Create CQ 65535", true, DATA_PRP, {.opcode = NVME_ADMIN_CREATE_CQ, .cdw10 = 15u << 16 | 0xffff, .cdw11 = 1}, 0x101},
        {"Create CQ of one entry", true, DATA_PRP, {.opcode = NVME_ADMIN_CREATE_CQ, .cdw10 = 2, .cdw11 = 1}, 0x102},
        {"Create CQ of 65536 entries", true, DATA_PRP, {.opcode = NVME_ADMIN_CREATE_CQ, .cdw10 = 0xffff0002, .cdw11 = 1}, 0x102},
        {"Create CQ for vector 65535",
         true,
         DATA_PRP,
         {.opcode = NVME_ADMIN_CREATE_CQ, .cdw10 = 15u << 16 | 2, .cdw11 = 0xffff0003},
         0x108},
        {"Create SQ for a CQ that is not there",
         true,
         DATA_PRP,
         {.opcode = NVME_ADMIN_CREATE_SQ, .cdw10 = 15u << 16 | 2, .cdw11 = 9u << 16 | 1},
         0x100},
        {"Create SQ for CQ 0", true, DATA_PRP, {.opcode = NVME_ADMIN_CREATE_SQ, .cdw10 = 15u << 16 | 2, .cdw11 = 1}, ANY},
        {"Delete CQ 1, which a SQ uses", true, PLAIN, {.opcode = NVME_ADMIN_DELETE_CQ, .cdw10 = 1}, 0x10c},
        {"Delete SQ 0", true, PLAIN, {.opcode = NVME_ADMIN_DELETE_SQ, .cdw10 = 0}, 0x101},
        {"Delete SQ 9, which is not there", true, PLAIN, {.opcode = NVME_ADMIN_DELETE_SQ, .cdw10 = 9}, 0x101},
        {"read of namespace 0", false, DATA_PRP, {.opcode = NVME_IO_READ, .nsid = 0, .cdw12 = 0}, 0x00b},
        {"read of a namespace that is not there", false, DATA_PRP, {.opcode = NVME_IO_READ, .nsid = 0x7777}, 0x00b},
        {"read of all namespaces", false, DATA_PRP, {.opcode = NVME_IO_READ, .nsid = UINT32_MAX}, 0x00b},
        {"read past the end", false, LAST_BLOCK, {.opcode = NVME_IO_READ, .nsid = 1, .cdw12 = 1}, 0x080},
        {"write past the end", false, LAST_BLOCK, {.opcode = NVME_IO_WRITE, .nsid = 1, .cdw12 = 1}, 0x080},
        {"read that wraps",
         false,
         DATA_PRP,
         {.opcode = NVME_IO_READ, .nsid = 1, .cdw10 = UINT32_MAX, .cdw11 = UINT32_MAX, .cdw12 = 1},
         0x080},
        {"write that wraps in bytes", false, DATA_PRP, {.opcode = NVME_IO_WRITE, .nsid = 1, .cdw11 = 0x00800000}, 0x080},
        {"read beyond MDTS", false, DATA_PRP, {.opcode = NVME_IO_READ, .nsid = 1, .cdw12 = 0xffff}, ANY},
        {"read to memory outside the windows", false, PLAIN, {.opcode = NVME_IO_READ, .nsid = 1, .prp1 = OUTSIDE}, ANY},
        {"write from memory outside the windows", false, PLAIN, {.opcode = NVME_IO_WRITE, .nsid = 1, .prp1 = OUTSIDE}, ANY},
        {"read to address 0", false, PLAIN, {.opcode = NVME_IO_READ, .nsid = 1}, ANY},
        {"read with a PRP list outside the windows",
         false,
         DATA_PRP,
         {.opcode = NVME_IO_READ, .nsid = 1, .prp2 = OUTSIDE, .cdw12 = 31},
         ANY},
        {"read with an unaligned PRP 2",
         false,
         DATA_PRP,
         {.opcode = NVME_IO_READ, .nsid = 1, .prp2 = NVME_HOST_IOVA + 0x80010, .cdw12 = 15},
         0x013},
        {"read with SGLs", false, DATA_PRP, {.opcode = NVME_IO_READ, .flags = 0x40, .nsid = 1}, ANY},
        {"a fused command", false, DATA_PRP, {.opcode = NVME_IO_READ, .flags = 0x01, .nsid = 1}, ANY},
};

/* A read of 31 blocks with 4 KiB blocks, or of 4 KiB or more with smaller ones, needs the page list that the case is about. */
static void fit_block_size(const struct nvme_host *h, struct nvme_host_command *command) {
        if (command->cdw12 > 1 && command->cdw12 < 0xffff && h->block_size == 4096)
                command->cdw12 = command->cdw12 > 15 ? 7 : 1;
}

static void run_bad_commands(struct nvme_host *h) {
        uint64_t data_iova = 0;

        if (!nvme_host_alloc(h, 65536, &data_iova)) {
                tap(false, "memory for the data");
                return;
        }
        for (size_t i = 0; i < ARRAY_LENGTH(bad_commands); i++) {
                const struct bad_command *bad = &bad_commands[i];
                struct nvme_host_command command = bad->command;
                struct nvme_host_completion completion = {0};

                if (command.nsid == 1)
                        command.nsid = h->nsid;
                if (bad->where != PLAIN)
                        command.prp1 = data_iova;
                if (bad->where == LAST_BLOCK) {
                        command.cdw10 = (uint32_t)(h->n_blocks - 1);
                        command.cdw11 = (uint32_t)((h->n_blocks - 1) >> 32);
                        command.prp2 = data_iova + 4096;
                }
                if (!bad->is_admin)
                        fit_block_size(h, &command);
                int r = nvme_host_run(h, bad->is_admin ? &h->admin : &h->io, &command, &completion);
                unsigned int status = NVME_HOST_STATUS(&completion);
                bool ok = r >= 0 && (bad->expected == ANY ? status != 0 : status == bad->expected);
                tap(ok, "%s: status 0x%03x%s%s", bad->what, status, r < 0 ? ", " : "", r < 0 ? strerror(-r) : "");
                if (r < 0)
                        return;
        }
}

static void bad_doorbell_tail(struct nvme_host *h) {
        nvme_host_doorbell(h, 1, false, 0xffff);
}
static void bad_doorbell_beyond(struct nvme_host *h) {
        nvme_host_doorbell(h, 1, false, h->io.entries);
}
static void bad_doorbell_head(struct nvme_host *h) {
        nvme_host_doorbell(h, 1, true, 7);
        nvme_host_doorbell(h, 0, true, 0xffffffff);
}
static void bad_doorbell_queue(struct nvme_host *h) {
        for (unsigned int q = 2; q < 600; q++) {
                nvme_host_doorbell(h, q, false, 1);
                nvme_host_doorbell(h, q, true, 1);
        }
}
static void bad_admin_tail(struct nvme_host *h) {
        nvme_host_doorbell(h, 0, false, 0xffffffff);
}
/* The queue itself is not in memory any more when its doorbell rings. */
static void unmapped_queue(struct nvme_host *h) {
        struct vfio_user_dma_unmap unmap = {.argsz = sizeof(unmap), .address = NVME_HOST_IOVA, .size = h->memory_size}, reply;
        struct vfio_user_call call = {.command = VFIO_USER_DMA_UNMAP,
                                      .request = &unmap,
                                      .request_size = sizeof(unmap),
                                      .reply = &reply,
                                      .reply_size = sizeof(reply)};

        vfio_user_client_call(h->client, &call);
        nvme_host_doorbell(h, 1, false, 3);
        nvme_host_doorbell(h, 0, false, 3);
}
static void queues_nowhere(struct nvme_host *h) {
        nvme_host_write32(h, NVME_REG_CC, 0);
        nvme_host_write64(h, NVME_REG_ASQ, UINT64_MAX - 0xfff);
        nvme_host_write64(h, NVME_REG_ACQ, OUTSIDE);
        nvme_host_write32(h, NVME_REG_CC, 4u << 20 | 6u << 16 | 1);
        nvme_host_doorbell(h, 0, false, 1);
}
static void registers_at_random(struct nvme_host *h) {
        for (uint64_t offset = 0; offset < 0x40; offset += 4)
                nvme_host_write32(h, offset, 0xa5a5a5a5u * (uint32_t)(offset + 1));
}
static void bus_master_off(struct nvme_host *h) {
        uint16_t command = 2;

        vfio_user_client_write(h->client, VFIO_PCI_CONFIG_REGION_INDEX, 4, &command, sizeof(command), false);
        nvme_host_doorbell(h, 1, false, 3);
}
static void config_at_random(struct nvme_host *h) {
        for (uint64_t offset = 4; offset < 4096; offset += 4) {
                uint32_t value = 0x5a5a5a5au * (uint32_t)(offset + 3);

                vfio_user_client_write(h->client, VFIO_PCI_CONFIG_REGION_INDEX, offset, &value, sizeof(value), false);
        }
}
/* 32 reads under way, then the memory goes, the controller is reset, or the server dies. */
static void start_reads(struct nvme_host *h) {
        struct nvme_host_command command;

        for (unsigned int i = 0; i < 31; i++) {
                nvme_host_rw(&command, NVME_IO_READ, h, 0, 4096 / h->block_size, NVME_HOST_IOVA + 0x80000 + (uint64_t)i * 4096);
                command.cid = (uint16_t)i;
                nvme_host_put(&h->io, &command);
        }
        nvme_host_ring(h, &h->io);
}
static void unmap_in_flight(struct nvme_host *h) {
        start_reads(h);
        unmapped_queue(h);
}
static void reset_in_flight(struct nvme_host *h) {
        start_reads(h);
        nvme_host_write32(h, NVME_REG_CC, 0);
}
static void device_reset_in_flight(struct nvme_host *h) {
        struct vfio_user_call call = {.command = VFIO_USER_DEVICE_RESET};

        start_reads(h);
        vfio_user_client_call(h->client, &call);
}
/* The same command, over and over, from a queue whose entries are all the same memory that the completions overwrite. */
static void queues_overlap(struct nvme_host *h) {
        struct nvme_host_command cq = {.opcode = NVME_ADMIN_CREATE_CQ, .prp1 = h->io.sq_iova, .cdw10 = 31u << 16 | 2, .cdw11 = 1},
                                 sq = {.opcode = NVME_ADMIN_CREATE_SQ,
                                       .prp1 = h->io.sq_iova,
                                       .cdw10 = 31u << 16 | 2,
                                       .cdw11 = 2u << 16 | 1};
        struct nvme_host_completion completion;

        nvme_host_run(h, &h->admin, &cq, &completion);
        nvme_host_run(h, &h->admin, &sq, &completion);
        memset(h->io.sq, 0xff, 4096);
        nvme_host_doorbell(h, 2, false, 31);
}
static void die_in_flight(struct nvme_host *h) {
        start_reads(h);
}

void hostile_commands(const char *path) {
        static const struct hostile_act acts[] = {
                {"a tail doorbell of 65535", bad_doorbell_tail},
                {"a tail doorbell one beyond the queue", bad_doorbell_beyond},
                {"head doorbells beyond what was posted", bad_doorbell_head},
                {"doorbells of queues that are not there", bad_doorbell_queue},
                {"an admin tail doorbell of 2^32 - 1", bad_admin_tail},
                {"queues whose memory is unmapped", unmapped_queue},
                {"admin queues outside the windows", queues_nowhere},
                {"nonsense in every register", registers_at_random},
                {"Bus Master Enable cleared", bus_master_off},
                {"nonsense in all of configuration space", config_at_random},
                {"memory unmapped under 31 reads", unmap_in_flight},
                {"controller reset under 31 reads", reset_in_flight},
                {"DEVICE_RESET under 31 reads", device_reset_in_flight},
                {"a queue that is its own completion queue", queues_overlap},
                {"a server that dies under 31 reads", die_in_flight},
        };
        struct nvme_host h;

        if (nvme_host_open(&h, path, MEMORY, 32, false) < 0) {
                tap(false, "connect for bad commands");
                return;
        }
        run_bad_commands(&h);
        nvme_host_close(&h);
        hostile_acts(path, acts, ARRAY_LENGTH(acts));
}
