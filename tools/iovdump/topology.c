/* SPDX-License-Identifier: GPL-2.0-or-later */
/* topology and chassis: the model as YAML. */
#include "tools/common/report.h"
#include "tools/common/session.h"
#include "tools/iovdump/iovdump.h"

static int dump_model(struct tool *tool, int (*write_model)(const struct iov_model *model, FILE *stream)) {
        CLEANUP_MODEL struct iov_model *model = NULL;
        int status = session_load(tool, &model);

        if (status != STATUS_DONE)
                return status;
        int r = write_model(model, stdout);
        return r < 0 ? report_errno(tool, r, "writing YAML failed") : STATUS_DONE;
}

int dump_topology(struct tool *tool, char **words, unsigned int n_words) {
        return dump_model(tool, iov_topology_write);
}

int dump_chassis(struct tool *tool, char **words, unsigned int n_words) {
        return dump_model(tool, iov_chassis_write);
}
