/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The chassis that iovd has when it is given none. examples/chassis.yaml is the same, and a test compares them. */
#include "iov/libiov.h"
#include "util.h"

#define GBIT UINT64_C(1000000000)
#define GIB (UINT64_C(1) << 30)

static const struct iov_adapter adapters[] = {
        {.name = "nic0", .kind = IOV_ADAPTER_NIC, .ports = 2, .rate = 10 * GBIT, .model = "dual-port 10 GbE NIC"},
        {.name = "nic1", .kind = IOV_ADAPTER_NIC, .ports = 2, .rate = 10 * GBIT, .model = "dual-port 10 GbE NIC"},
        {.name = "hba0", .kind = IOV_ADAPTER_HBA, .ports = 2, .rate = 8 * GBIT, .model = "dual-port 8 Gb FC HBA"},
        {.name = "hba1", .kind = IOV_ADAPTER_HBA, .ports = 2, .rate = 8 * GBIT, .model = "dual-port 8 Gb FC HBA"},
        {.name = "raid0", .kind = IOV_ADAPTER_RAID, .ports = 8, .capacity = 8192 * GIB, .model = "RAID controller with 8 disks"},
        {.name = "ssd0", .kind = IOV_ADAPTER_SSD, .capacity = 1600 * GIB, .model = "PCIe SSD"},
        {.name = "ssd1", .kind = IOV_ADAPTER_SSD, .capacity = 1600 * GIB, .model = "PCIe SSD"},
};

int iov_chassis_builtin(struct iov_model *model) {
        int r = iov_model_set_name(model, "builtin");

        iov_model_set_links(model, 16, 16);
        for (size_t i = 0; r == 0 && i < ARRAY_LENGTH(adapters); i++)
                r = iov_model_set(model, IOV_KIND_ADAPTER, &adapters[i]);
        return r;
}
