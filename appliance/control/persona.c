/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/persona.h"

#include <string.h>

#include "model.h"

const struct vpc_model *persona_make(const struct iov_model *model, const struct iov_vadapter *va,
                                     struct vpc_persona *ret_persona, const struct iov_volume *ret_volumes[VPC_MEDIA_MAX]) {
        const struct iov_adapter *adapter = iov_model_get(model, IOV_KIND_ADAPTER, va->adapter);
        const uint32_t highest = model_highest_number(model, IOV_KIND_NAMESPACE);
        struct vpc_persona *p = ret_persona;

        memset(p, 0, sizeof(*p));
        memcpy(p->name, va->name, sizeof(p->name));
        memcpy(p->serial, va->serial, sizeof(p->serial));
        memcpy(p->mac, va->mac, sizeof(p->mac));
        memcpy(p->wwnn, va->wwnn, sizeof(p->wwnn));
        memcpy(p->wwpn, va->wwpn, sizeof(p->wwpn));
        memcpy(p->nqn, va->nqn, sizeof(p->nqn));
        p->unique_id = va->id;
        p->interrupts = va->interrupts;
        for (uint32_t nsid = 1; nsid <= highest && p->n_media < VPC_MEDIA_MAX; nsid++) {
                const struct iov_namespace *ns = iov_namespace_get(model, va->name, nsid);
                const struct iov_volume *volume = ns ? iov_model_get(model, IOV_KIND_VOLUME, ns->volume) : NULL;

                if (!volume)
                        continue;
                ret_volumes[p->n_media] = volume;
                p->media[p->n_media++] = (struct vpc_medium){.id = nsid,
                                                             .block_size = iov_block_size_bytes(volume->block_size),
                                                             .size = volume->size,
                                                             .unique_id = volume->id,
                                                             .read_only = ns->read_only,
                                                             .shared = volume->shared,
                                                             .keeps_space = volume->provisioning == IOV_PROVISIONING_FULL};
        }
        return adapter ? vpc_model_for_adapter((enum iov_adapter_kind)adapter->kind) : NULL;
}
