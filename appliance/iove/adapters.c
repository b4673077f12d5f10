/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "iove/adapters.h"

#include <errno.h>
#include <string.h>

#include "util.h"

int adapters_insert(struct iov_model *candidate, const struct iov_adapter *adapter, struct iove_refusal *refusal) {
        struct iov_adapter a = {.kind = adapter->kind,
                                .ports = adapter->ports,
                                .capacity = adapter->capacity,
                                .rate = adapter->rate,
                                .iops = adapter->iops,
                                .bandwidth = adapter->bandwidth};

        if (!memchr(adapter->name, 0, sizeof(adapter->name)) || !iov_name_is_valid(adapter->name) ||
            !memchr(adapter->model, 0, sizeof(adapter->model)) || !memchr(adapter->backend, 0, sizeof(adapter->backend)))
                return iove_refuse(refusal, IOV_RET_INVALID_INPUT, UINT32_MAX,
                                   "adapter: its name is none, or its model or backend does not end");
        if (!iov_adapter_kind_to_string(adapter->kind))
                return iove_refuse(refusal, IOV_RET_INVALID_INPUT, UINT32_MAX, "%s: unknown kind %u", adapter->name,
                                   adapter->kind);
        if (iov_model_get(candidate, IOV_KIND_ADAPTER, adapter->name))
                return iove_refuse(refusal, IOV_RET_EXISTS, UINT32_MAX, "%s: there is an adapter of that name", adapter->name);
        memcpy(a.name, adapter->name, sizeof(a.name));
        memcpy(a.model, adapter->model, sizeof(a.model));
        memcpy(a.backend, adapter->backend, sizeof(a.backend));
        int r = iov_model_set(candidate, IOV_KIND_ADAPTER, &a);
        return r == -E2BIG ? iove_refuse(refusal, IOV_RET_LIMIT, UINT32_MAX, "%s: the chassis has %u places, and all are taken",
                                         adapter->name, IOV_ADAPTER_MAX)
                           : r;
}

static int in_use(const char *name, const char *kind, const char *by, struct iove_refusal *refusal) {
        return iove_refuse(refusal, IOV_RET_BUSY, UINT32_MAX, "%s: %s %s is on it; remove that first", name, kind, by);
}

int adapters_remove(struct iov_model *candidate, const char *name, struct iove_refusal *refusal) {
        const struct iov_volume *volume;
        const struct iov_vadapter *vadapter;
        const struct iov_network *network;

        if (!iov_model_get(candidate, IOV_KIND_ADAPTER, name))
                return iove_refuse(refusal, IOV_RET_NOT_FOUND, UINT32_MAX, "%s: no such adapter", name);
        iov_model_foreach (candidate, IOV_KIND_VADAPTER, vadapter)
                if (strcmp(vadapter->adapter, name) == 0)
                        return in_use(name, "vAdapter", vadapter->name, refusal);
        iov_model_foreach (candidate, IOV_KIND_VOLUME, volume)
                if (strcmp(volume->adapter, name) == 0)
                        return in_use(name, "volume", volume->name, refusal);
        iov_model_foreach (candidate, IOV_KIND_NETWORK, network)
                if (strcmp(network->adapter, name) == 0)
                        return in_use(name, "network", network->name, refusal);
        return iov_model_remove(candidate, IOV_KIND_ADAPTER, name);
}
