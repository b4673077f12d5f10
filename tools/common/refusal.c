/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tools/common/refusal.h"

#include <string.h>

#include "tools/common/report.h"
#include "util.h"

void refusal_take(const struct iov_appliance *appliance, int r, struct refusal *ret_refusal) {
        const struct iov_mb_error *reasons = NULL;

        *ret_refusal = (struct refusal){.r = r};
        ret_refusal->n = iov_reasons_get(appliance, &reasons, &ret_refusal->n_told);
        memcpy(ret_refusal->reasons, reasons, ret_refusal->n_told * sizeof(*reasons));
}

const char *refusal_text(const struct refusal *refusal, size_t i) {
        return refusal->reasons[i].text;
}

int refusal_report(const struct tool *tool, const struct refusal *refusal, const char *what) {
        if (!refusal->n_told)
                return report_errno(tool, refusal->r, "%s", what);
        for (size_t i = 0; i < refusal->n_told; i++)
                report_error(tool, status_from_errno(refusal->r), "%s", refusal_text(refusal, i));
        refusal_report_more(tool, refusal);
        return (int)status_from_errno(refusal->r);
}

void refusal_report_more(const struct tool *tool, const struct refusal *refusal) {
        if (refusal->n > refusal->n_told)
                report_error(tool, status_from_errno(refusal->r), "and %zu more reasons", refusal->n - refusal->n_told);
}
