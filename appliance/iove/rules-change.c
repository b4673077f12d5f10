/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What may change into what, and what follows from the rest. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "iove/identity.h"
#include "iove/rules-private.h"
#include "iove/same.h"
#include "model.h"
#include "util.h"

bool iove_vadapter_differs(const struct iov_model *a, const struct iov_model *b, const char *vadapter) {
        return iov_vadapter_disturbance(a, b, vadapter) >= IOV_DISTURB_REPLUG;
}

/* Why a server's hypervisor cannot unplug it now; false: it can. */
static bool cannot_unplug(const struct iov_model *have, const struct iov_vadapter *v, char *why, size_t size) {
        const struct iov_server *s = iov_model_get(have, IOV_KIND_SERVER, v->at_server);

        if (!s || s->host_state == IOV_HOST_NONE)
                snprintf(why, size, "runs with it (process %u)", v->peer_pid);
        else if (s->host_state != IOV_HOST_READY)
                snprintf(why, size, "runs with it, and its hypervisor cannot be asked to unplug it (%.*s)",
                         (int)sizeof(s->host_reason), s->host_reason);
        else if (s->host_faults & IOV_HOST_FAULT_UNPLUG_MSIX && v->interrupts_used == IOV_INTERRUPTS_MSIX)
                snprintf(why, size, "runs with it, and its QEMU %u.%u.%u would abort if a device with MSI-X were unplugged",
                         s->host_version >> 16, s->host_version >> 8 & 255, s->host_version & 255);
        else
                return false;
        return true;
}

/* A guest that has it must not lose it unasked: it is unplugged in order, or the change is refused. */
static void check_in_use(const struct iov_model *have, const struct iov_model *candidate, const struct iov_vadapter *v,
                         const struct iove_blame *blame, struct iove_refusal *refusal) {
        const struct iov_vadapter *now = iov_model_get(candidate, IOV_KIND_VADAPTER, v->name);
        const bool gone = !now || now->id != v->id;
        char why[320];

        /* Its record is needed to say how the unplugging goes. */
        if (gone && (v->state == IOV_VADAPTER_PLUGGING || v->state == IOV_VADAPTER_UNPLUGGING ||
                     (v->state == IOV_VADAPTER_FAILED && v->peer_pid)))
                iove_refuse_also(refusal, IOV_RET_BUSY, iove_blamed(blame, IOV_KIND_VADAPTER, v->name),
                                 "vadapter %s: a server still has it (it is %s): wait, or detach it with --force first", v->name,
                                 iov_vadapter_state_to_string(v->state));
        else if (v->state != IOV_VADAPTER_CONNECTED || !iove_vadapter_differs(have, candidate, v->name))
                return;
        else if (cannot_unplug(have, v, why, sizeof(why)))
                iove_refuse_also(refusal, IOV_RET_BUSY, iove_blamed(blame, IOV_KIND_VADAPTER, v->name),
                                 "vadapter %s: server %s %s: shut the server down first, or force it, which is a surprise "
                                 "removal",
                                 v->name, v->at_server, why);
        else if (gone)
                iove_refuse_also(refusal, IOV_RET_BUSY, iove_blamed(blame, IOV_KIND_VADAPTER, v->name),
                                 "vadapter %s: server %s runs with it (process %u): detach it first, or force it, which is a "
                                 "surprise removal",
                                 v->name, v->at_server, v->peer_pid);
}

/* The name of a server must not be free while its guest has something that is still being unplugged. */
static void check_server_gone(const struct iov_model *candidate, const struct iov_server *s, const struct iove_blame *blame,
                              struct iove_refusal *refusal) {
        if (s->state == IOV_SERVER_ON && !iov_model_get(candidate, IOV_KIND_SERVER, s->name))
                iove_refuse_also(refusal, IOV_RET_BUSY, iove_blamed(blame, IOV_KIND_SERVER, s->name),
                                 "server %s: its guest still has a vAdapter: wait until it has let go of it, or shut it down",
                                 s->name);
}

/* A vAdapter that shows the volume to a server that runs, NULL: none. */
static const struct iov_vadapter *running_holder(const struct iov_model *have, const char *volume) {
        static const enum iov_kind kinds[] = {IOV_KIND_NAMESPACE, IOV_KIND_LUN, IOV_KIND_DRIVE};
        const struct iov_member *member;

        for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++)
                iov_model_foreach (have, kinds[i], member) {
                        const struct iov_vadapter *v = strcmp(member->target, volume) == 0
                                                               ? iov_model_get(have, IOV_KIND_VADAPTER, member->parent)
                                                               : NULL;

                        if (v && v->state == IOV_VADAPTER_CONNECTED)
                                return v;
                }
        return NULL;
}

/* `now`: what becomes of it, maybe under another name. */
static int check_volume(const struct iov_model *have, const struct iov_volume *old, const struct iov_volume *now, uint32_t flags,
                        const struct iove_blame *blame, struct iove_refusal *refusal) {
        char from[32], to[32];

        if (strcmp(now->adapter, old->adapter) != 0)
                return iove_refuse_also(refusal, IOV_RET_UNSUPPORTED, iove_blamed(blame, IOV_KIND_VOLUME, old->name),
                                        "volume %s: it is on %s and cannot move to %s: make a new one and copy", old->name,
                                        old->adapter, now->adapter);
        /* What a server keeps there counts in blocks: none that has written to it must find others when it is next plugged in. */
        if (now->block_size != old->block_size)
                return iove_refuse_also(
                        refusal, IOV_RET_UNSUPPORTED, iove_blamed(blame, IOV_KIND_VOLUME, old->name),
                        "volume %s: block_size is chosen when a volume is made, and is %u here: have its server format "
                        "it, or make a new one and copy",
                        old->name, iov_block_size_bytes(old->block_size));
        if (now->size >= old->size)
                return 0;
        if (!(flags & IOV_TXN_SHRINK))
                return iove_refuse_also(refusal, IOV_RET_UNSUPPORTED, iove_blamed(blame, IOV_KIND_VOLUME, old->name),
                                        "volume %s: it has %s and does not shrink to %s unless that is asked for (--yes): "
                                        "what is behind is lost",
                                        old->name, iov_size_format(old->size, from), iov_size_format(now->size, to));
        /* Growing is live; this would pull blocks from under a file system. */
        const struct iov_vadapter *holder = flags & IOV_TXN_FORCE ? NULL : running_holder(have, old->name);
        if (holder)
                return iove_refuse_also(
                        refusal, IOV_RET_BUSY, iove_blamed(blame, IOV_KIND_VOLUME, old->name),
                        "volume %s: server %s runs with it (%s): shut it down before the volume shrinks, or force it", old->name,
                        holder->at_server, holder->name);
        return 0;
}

int iove_rules_check_change(const struct iov_model *have, const struct iov_model *candidate, uint32_t flags,
                            const struct iove_blame *blame, struct iove_refusal *refusal) {
        const struct iov_vadapter *v;
        const struct iov_server *server;
        const struct iov_volume *old;
        struct same same = {.model = candidate};
        int r = 0;

        iov_model_foreach (have, IOV_KIND_VOLUME, old) {
                const struct iov_volume *now = NULL;

                if (r == 0)
                        r = same_volume(&same, old, &now);
                if (r == 0 && now)
                        r = iove_goes_on(check_volume(have, old, now, flags, blame, refusal));
        }
        same_free(&same);
        if (r < 0)
                return r;
        if (!(flags & IOV_TXN_FORCE)) {
                iov_model_foreach (have, IOV_KIND_VADAPTER, v)
                        check_in_use(have, candidate, v, blame, refusal);
                iov_model_foreach (have, IOV_KIND_SERVER, server)
                        check_server_gone(candidate, server, blame, refusal);
        }
        return refusal->n ? -EBADMSG : 0;
}

/* Connected and failed are the supervisor's to say; the rest follows from where it is. */
static void derive_state(struct iov_vadapter *va) {
        if (!*va->at_server && (va->state == IOV_VADAPTER_CONNECTED || va->state == IOV_VADAPTER_PLUGGING))
                va->state = IOV_VADAPTER_UNPLUGGING; /* until the supervisor says that no guest has it any more */
        else if (!*va->at_server && va->state != IOV_VADAPTER_UNPLUGGING)
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
