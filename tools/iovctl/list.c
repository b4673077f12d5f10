/* SPDX-License-Identifier: GPL-2.0-or-later */
/* list and show, the same for every kind of object. */
#include <string.h>

#include "tools/common/objects.h"
#include "tools/common/report.h"
#include "tools/iovctl/iovctl.h"

static enum iov_kind object_kind(const char *object) {
        for (unsigned int k = 0; k < IOV_KIND_COUNT; k++)
                if (strcmp(iov_records_get((enum iov_kind)k)->name, object) == 0)
                        return (enum iov_kind)k;
        return IOV_KIND_COUNT;
}

int objects_list(struct tool *tool, char **words, unsigned int n_words) {
        CLEANUP_SNAPSHOT struct snapshot snapshot = {0};
        int status = snapshot_take(tool, &snapshot);

        if (status != STATUS_DONE)
                return status;
        CLEANUP_TABLE struct table *t = objects_table(&snapshot, object_kind(tool->command->object), NULL);
        return output_table(tool, t, false);
}

int objects_show(struct tool *tool, char **words, unsigned int n_words) {
        CLEANUP_SNAPSHOT struct snapshot snapshot = {0};
        enum iov_kind kind = object_kind(tool->command->object);
        int status = snapshot_take(tool, &snapshot);

        if (status != STATUS_DONE)
                return status;
        CLEANUP_TABLE struct table *t = objects_table(&snapshot, kind, words[0]);
        if (table_n_rows(t) == 0)
                return report_error(tool, STATUS_FAILED, "%s: no such %s; '%s %s list' shows them", words[0], kind_word(kind),
                                    tool->info->name, tool->command->object);
        return output_table(tool, t, true);
}
