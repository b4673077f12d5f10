/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scrubbing on the way from one server to another: the volume becomes a new, empty one of the same name. Its old medium is that
 * of a removed volume, so it goes as on_remove says, whole or not at all with the commit, and is there again if that is taken
 * back.
 */
#include <string.h>

#include "iove/transaction-private.h"
#include "util.h"

static int scrub_volume(struct iov_model *candidate, const char *name, uint64_t *last_id) {
        const struct iov_volume *volume = iov_model_get(candidate, IOV_KIND_VOLUME, name);

        if (!volume)
                return 0;
        struct iov_volume copy = *volume;
        copy.id = iove_id_next(last_id);
        copy.unreadable = 0;
        return iov_model_set(candidate, IOV_KIND_VOLUME, &copy);
}

/* The volumes that went along; one that comes new to the vAdapter has not been this server's. */
static int scrub_members(const struct iov_model *have, struct iov_model *candidate, const char *vadapter, enum iov_kind kind,
                         uint64_t *last_id) {
        const struct iov_member_info *info = iov_member_info(kind);
        int r = 0;

        for (uint32_t n = info->min; r == 0 && n <= info->max && iov_model_count(have, kind); n++) {
                const struct iov_member *before = iov_member_get(have, kind, vadapter, n),
                                        *now = iov_member_get(candidate, kind, vadapter, n);

                if (before && now && strcmp(before->target, now->target) == 0)
                        r = scrub_volume(candidate, now->target, last_id);
        }
        return r;
}

int iove_scrub(const struct iov_model *have, struct iov_model *candidate, uint64_t *last_id) {
        static const enum iov_kind kinds[] = {IOV_KIND_NAMESPACE, IOV_KIND_LUN, IOV_KIND_DRIVE};
        const struct iov_vadapter *v;
        int r = 0;

        iov_model_foreach (have, IOV_KIND_VADAPTER, v) {
                const struct iov_vadapter *now = iov_model_get(candidate, IOV_KIND_VADAPTER, v->name);

                if (!now || now->id != v->id || !*v->at_server || !*now->at_server || strcmp(v->at_server, now->at_server) == 0)
                        continue;
                for (size_t k = 0; r == 0 && k < ARRAY_LENGTH(kinds); k++)
                        r = scrub_members(have, candidate, v->name, kinds[k], last_id);
        }
        return r;
}
