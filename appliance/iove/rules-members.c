/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rules for what vAdapters show and profiles hold. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "iove/rules-private.h"
#include "util.h"

static int check_refers(const struct iov_model *m, const struct iov_member_info *info, const struct iov_member *member,
                        const struct iove_blame *blame, struct iove_refusal *refusal) {
        const char *word = iov_records_get(info->kind)->name;

        if (!iov_model_get(m, info->parent, member->parent))
                return iove_refuse_also(refusal, IOV_RET_NOT_FOUND, iove_blamed(blame, info->kind, member->name),
                                        "%s %s: there is no %s %s", word, member->name, iov_records_get(info->parent)->name,
                                        member->parent);
        if (!iov_model_get(m, info->target, member->target))
                return iove_refuse_also(refusal, IOV_RET_NOT_FOUND, iove_blamed(blame, info->kind, member->name),
                                        "%s %s: there is no %s %s", word, member->name, iov_records_get(info->target)->name,
                                        member->target);
        return 0;
}

/* A volume is on the adapter that shows it; an HBA reaches those of every adapter, as a fabric would. */
static int check_shown(const struct iov_model *m, const struct iov_member_info *info, const struct iov_member *member,
                       const struct iove_blame *blame, struct iove_refusal *refusal) {
        const struct iov_vadapter *va = iov_model_get(m, IOV_KIND_VADAPTER, member->parent);
        const struct iov_volume *vol = iov_model_get(m, IOV_KIND_VOLUME, member->target);
        const struct iov_adapter *a = iov_model_get(m, IOV_KIND_ADAPTER, va->adapter);
        const char *word = iov_records_get(info->kind)->name;

        if (!a)
                return 0; /* the vAdapter was refused for it */
        if (iov_member_kind_of_adapter(a->kind) != info->kind)
                return iove_refuse_also(refusal, IOV_RET_INVALID_INPUT, iove_blamed(blame, info->kind, member->name),
                                        "%s %s: %s is a %s, it has no %ss", word, member->name, a->name,
                                        iov_adapter_kind_to_string(a->kind), word);
        if (info->kind != IOV_KIND_LUN && strcmp(va->adapter, vol->adapter) != 0)
                return iove_refuse_also(refusal, IOV_RET_INVALID_INPUT, iove_blamed(blame, info->kind, member->name),
                                        "%s %s: volume %s is on %s, vadapter %s on %s", word, member->name, vol->name,
                                        vol->adapter, va->name, va->adapter);
        return 0;
}

static int check_read_only(const struct iov_member_info *info, const struct iov_member *member, const struct iove_blame *blame,
                           struct iove_refusal *refusal) {
        if (member->read_only <= (info->kind == IOV_KIND_NAMESPACE))
                return 0;
        return iove_refuse_also(refusal, IOV_RET_INVALID_INPUT, iove_blamed(blame, info->kind, member->name),
                                "%s %s: read_only is %u, it can be 0, and 1 of a namespace", iov_records_get(info->kind)->name,
                                member->name, member->read_only);
}

static int check_worn(const struct iov_model *m, const struct iov_member *slot, const struct iove_blame *blame,
                      struct iove_refusal *refusal) {
        const struct iov_vadapter *va = iov_model_get(m, IOV_KIND_VADAPTER, slot->target);

        if (slot->number >= iov_model_get_slots(m))
                return iove_refuse_also(refusal, IOV_RET_NOT_FOUND, iove_blamed(blame, IOV_KIND_PROFILE_SLOT, slot->name),
                                        "profile %s: slot %u asked, links have slots 0 to %u", slot->parent, slot->number,
                                        iov_model_get_slots(m) - 1);
        if (*va->server)
                return iove_refuse_also(
                        refusal, IOV_RET_EXISTS, iove_blamed(blame, IOV_KIND_PROFILE_SLOT, slot->name),
                        "profile %s: vadapter %s is attached to server %s by itself: detach it, or take it out of the profile",
                        slot->parent, va->name, va->server);
        return 0;
}

/* Others may write to a volume that says so, where they are namespaces as well: reservations are NVMe's. */
static bool may_share(const struct iov_model *m, enum iov_kind kind, const struct iov_member *member) {
        const struct iov_volume *volume = kind == IOV_KIND_NAMESPACE ? iov_model_get(m, IOV_KIND_VOLUME, member->target) : NULL;

        return member->read_only || (volume && volume->shared);
}

/* The table of registrants has room for those of so many. */
static int check_sharers(const struct iov_model *m, const struct iove_blame *blame, struct iove_refusal *refusal) {
        const unsigned int rows = iov_model_rows(m, IOV_KIND_VOLUME);
        CLEANUP_FREE uint32_t *sharers = calloc(rows + 1u, sizeof(*sharers));
        const struct iov_member *member;

        if (!sharers)
                return -ENOMEM;
        iov_model_foreach (m, IOV_KIND_NAMESPACE, member) {
                const struct iov_volume *volume = iov_model_get(m, IOV_KIND_VOLUME, member->target);

                if (volume && volume->shared && ++sharers[iov_model_row(m, IOV_KIND_VOLUME, volume)] > IOV_SHARERS_MAX)
                        iove_refuse_also(refusal, IOV_RET_LIMIT, iove_blamed(blame, IOV_KIND_NAMESPACE, member->name),
                                         "namespace %s: volume %s is shared by %u others, more cannot be", member->name,
                                         volume->name, IOV_SHARERS_MAX);
        }
        return 0;
}

static int check_kind(const struct iov_model *m, enum iov_kind kind, struct claims *claims, const struct iove_blame *blame,
                      struct iove_refusal *refusal) {
        const struct iov_member_info *info = iov_member_info(kind);
        const char *word = iov_records_get(info->target)->name;
        const struct iov_member *member;

        iov_model_foreach (m, kind, member) {
                int r = check_refers(m, info, member, blame, refusal);

                if (r == 0)
                        r = check_read_only(info, member, blame, refusal);
                if (r == 0)
                        r = kind == IOV_KIND_PROFILE_SLOT ? check_worn(m, member, blame, refusal)
                                                          : check_shown(m, info, member, blame, refusal);
                if (r == 0)
                        r = claims_add(claims,
                                       &(struct claim){word, member->target, CLAIM_NO_NUMBER, kind, member->name,
                                                       may_share(m, kind, member)},
                                       blame, refusal);
                if (iove_goes_on(r) < 0)
                        return r;
        }
        return 0;
}

int rules_check_members(const struct iov_model *m, const struct iove_blame *blame, struct iove_refusal *refusal) {
        CLEANUP_CLAIMS struct claims shown = {0}, worn = {0};
        int r = claims_init(&shown, iov_model_count(m, IOV_KIND_NAMESPACE) + iov_model_count(m, IOV_KIND_LUN) +
                                            iov_model_count(m, IOV_KIND_DRIVE));

        if (r < 0 || (r = claims_init(&worn, iov_model_count(m, IOV_KIND_PROFILE_SLOT))) < 0 ||
            (r = check_kind(m, IOV_KIND_NAMESPACE, &shown, blame, refusal)) < 0 ||
            (r = check_kind(m, IOV_KIND_LUN, &shown, blame, refusal)) < 0 ||
            (r = check_kind(m, IOV_KIND_DRIVE, &shown, blame, refusal)) < 0 || (r = check_sharers(m, blame, refusal)) < 0)
                return r;
        return check_kind(m, IOV_KIND_PROFILE_SLOT, &worn, blame, refusal);
}
