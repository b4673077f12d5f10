/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rename: the same for every kind of object. */
#include <errno.h>

#include "tools/common/objects.h"
#include "tools/common/refusal.h"
#include "tools/common/report.h"
#include "tools/common/session.h"
#include "tools/iovctl/change.h"
#include "tools/iovctl/iovctl.h"
#include "util.h"

int object_rename(struct tool *tool, char **words, unsigned int n_words) {
        CLEANUP_APPLIANCE struct iov_appliance *appliance = NULL;
        struct iov_mb_error error = {.op_index = UINT32_MAX};
        struct iov_mb_txn_result result;
        struct refusal refusal;
        unsigned int flags = (arg_force ? IOV_TXN_FORCE : 0) | (arg_dry_run ? IOV_TXN_DRY_RUN : 0);

        if (!iov_name_is_valid(words[1]))
                return report_error(
                        tool, STATUS_USAGE,
                        "'%s': names have letters, digits, '.', '_' and '-', start with a letter or digit, and have at most "
                        "%d characters",
                        words[1], IOV_NAME_MAX);
        int status = session_open(tool, &appliance);
        if (status != STATUS_DONE)
                return status;
        int r = iov_object_rename(appliance, objects_kind(tool->command->object), words[0], words[1], flags, &result, &error);
        if (r >= 0)
                return STATUS_DONE;
        refusal_take(appliance, r, &refusal);
        return refusal_report(tool, &refusal, words[0]);
}
