/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What may change into what, and what follows from the rest. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "iove/identity.h"
#include "iove/rules-private.h"
#include "model.h"
#include "util.h"

bool iove_vadapter_differs(const struct iov_model *a, const struct iov_model *b, const char *vadapter) {
        return iov_vadapter_disturbance(a, b, vadapter) >= IOV_DISTURB_REPLUG;
}

int iove_rules_check_change(const struct iov_model *have, const struct iov_model *candidate, bool force,
                            const struct iove_blame *blame, struct iove_refusal *refusal) {
        const struct iov_vadapter *v;
        const struct iov_volume *old;

        iov_model_foreach (have, IOV_KIND_VOLUME, old) {
                const struct iov_volume *new = iov_model_get(candidate, IOV_KIND_VOLUME, old->name);

                if (new &&new->id == old->id &&new->size < old->size) {
                        char from[32], to[32];

                        return iove_refuse(refusal, IOV_RET_UNSUPPORTED, iove_blamed(blame, IOV_KIND_VOLUME, old->name),
                                           "volume %s: it has %s and cannot shrink to %s", old->name,
                                           iov_size_format(old->size, from), iov_size_format(new->size, to));
                }
                if (new &&new->id == old->id && strcmp(new->adapter, old->adapter) != 0)
                        return iove_refuse(refusal, IOV_RET_UNSUPPORTED, iove_blamed(blame, IOV_KIND_VOLUME, old->name),
                                           "volume %s: it is on %s and cannot move to %s: make a new one and copy", old->name,
                                           old->adapter, new->adapter);
        }
        iov_model_foreach (have, IOV_KIND_VADAPTER, v)
                if (!force && v->state == IOV_VADAPTER_CONNECTED && iove_vadapter_differs(have, candidate, v->name)) {
                        return iove_refuse(refusal, IOV_RET_BUSY, iove_blamed(blame, IOV_KIND_VADAPTER, v->name),
                                           "vadapter %s: server %s runs with it (process %u): shut the server down first, or "
                                           "force it, which is a "
                                           "surprise removal",
                                           v->name, v->at_server, v->peer_pid);
                }
        return 0;
}

/* Connected and failed are the supervisor's to say; the rest follows from where it is. */
static void derive_state(struct iov_vadapter *va) {
        if (!*va->at_server)
                va->state = IOV_VADAPTER_DETACHED;
        else if (va->state == IOV_VADAPTER_DETACHED)
                va->state = IOV_VADAPTER_ATTACHED;
}

/* Counted in an array by row, so that a record of an adapter is written once. */
int iove_rules_derive(struct iov_model *m) {
        unsigned int rows = iov_model_rows(m, IOV_KIND_ADAPTER);
        CLEANUP_FREE uint64_t *allocated = calloc(rows + 1u, sizeof(*allocated));
        CLEANUP_FREE uint32_t *vadapters = calloc(rows + 1u, sizeof(*vadapters));
        const struct iov_adapter *a;
        const struct iov_volume *vol;
        const struct iov_vadapter *va;

        if (!allocated || !vadapters)
                return -ENOMEM;
        iov_model_foreach (m, IOV_KIND_VOLUME, vol)
                allocated[iov_model_row(m, IOV_KIND_ADAPTER, iov_model_get(m, IOV_KIND_ADAPTER, vol->adapter))] += vol->size;
        iov_model_foreach (m, IOV_KIND_VADAPTER, va) {
                vadapters[iov_model_row(m, IOV_KIND_ADAPTER, iov_model_get(m, IOV_KIND_ADAPTER, va->adapter))]++;
                derive_state(model_edit(m, IOV_KIND_VADAPTER, va));
        }
        iov_model_foreach (m, IOV_KIND_ADAPTER, a) {
                struct iov_adapter *adapter = model_edit(m, IOV_KIND_ADAPTER, a);

                adapter->allocated = allocated[iov_model_row(m, IOV_KIND_ADAPTER, a)];
                adapter->vadapters = vadapters[iov_model_row(m, IOV_KIND_ADAPTER, a)];
        }
        return 0;
}
