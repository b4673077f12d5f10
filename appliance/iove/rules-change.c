/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What may change into what, and what follows from the rest. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "iove/identity.h"
#include "iove/rules-private.h"
#include "util.h"

static bool media_differ(const struct iov_model *a, const struct iov_model *b, const char *vadapter) {
        for (uint32_t nsid = 1; nsid <= IOV_NSID_MAX; nsid++) {
                const struct iov_namespace *x = iov_namespace_get(a, vadapter, nsid), *y = iov_namespace_get(b, vadapter, nsid);

                if (!x && !y)
                        continue;
                if (!x || !y)
                        return true;
                const struct iov_volume *p = iov_model_get(a, IOV_KIND_VOLUME, x->volume),
                                        *q = iov_model_get(b, IOV_KIND_VOLUME, y->volume);
                if (!p || !q || p->id != q->id || p->size != q->size)
                        return true;
        }
        return false;
}

static bool identities_differ(const struct iov_vadapter *x, const struct iov_vadapter *y) {
        for (unsigned int t = 0; t < IOV_IDENTITY_COUNT; t++)
                if (strcmp(identity_of(x, (enum iov_identity_type)t), identity_of(y, (enum iov_identity_type)t)) != 0)
                        return true;
        return false;
}

bool iove_vadapter_differs(const struct iov_model *a, const struct iov_model *b, const char *vadapter) {
        const struct iov_vadapter *x = iov_model_get(a, IOV_KIND_VADAPTER, vadapter),
                                  *y = iov_model_get(b, IOV_KIND_VADAPTER, vadapter);

        if (!x || !y)
                return x != y;
        return x->id != y->id || x->at_slot != y->at_slot || strcmp(x->at_server, y->at_server) != 0 || identities_differ(x, y) ||
               x->interrupts != y->interrupts || x->polling != y->polling || media_differ(a, b, vadapter);
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
static void derive_state(struct iov_model *m, const struct iov_vadapter *va) {
        struct iov_vadapter copy = *va;

        if (!*copy.at_server)
                copy.state = IOV_VADAPTER_DETACHED;
        else if (copy.state == IOV_VADAPTER_DETACHED)
                copy.state = IOV_VADAPTER_ATTACHED;
        if (copy.state != va->state)
                iov_model_set(m, IOV_KIND_VADAPTER, &copy);
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
                derive_state(m, va);
        }
        iov_model_foreach (m, IOV_KIND_ADAPTER, a) {
                struct iov_adapter copy = *a;

                copy.allocated = allocated[iov_model_row(m, IOV_KIND_ADAPTER, a)];
                copy.vadapters = vadapters[iov_model_row(m, IOV_KIND_ADAPTER, a)];
                iov_model_set(m, IOV_KIND_ADAPTER, &copy);
        }
        return 0;
}
