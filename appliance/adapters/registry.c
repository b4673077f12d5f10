/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which device models this appliance has, and which kind of adapter each stands for. */
#include <string.h>

#include "adapters/nvme/nvme.h"
#include "vpc/model.h"

const struct vpc_model *const vpc_models[] = {&nvme_model, NULL};

const struct vpc_model *vpc_model_find(const char *name) {
        for (unsigned int i = 0; vpc_models[i]; i++)
                if (strcmp(vpc_models[i]->name, name) == 0)
                        return vpc_models[i];
        return NULL;
}

const struct vpc_model *vpc_model_for_adapter(enum iov_adapter_kind kind) {
        switch (kind) {
        case IOV_ADAPTER_SSD:
                return &nvme_model;
        case IOV_ADAPTER_NIC:
        case IOV_ADAPTER_HBA:
        case IOV_ADAPTER_RAID:
        case IOV_ADAPTER_SATA:
                break;
        }
        return NULL;
}
