/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tools/common/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/common/report.h"
#include "util.h"

int session_open(struct tool *tool, struct iov_appliance **ret_appliance) {
        int r = iov_open(tool->ctx, tool->appliance, ret_appliance);

        /* The library says where, why and what to do. */
        return r < 0 ? report_error(tool, status_from_errno(r), "%s", report_reason(r)) : STATUS_DONE;
}

static int compare_targets(const void *a, const void *b) {
        const struct iov_member *x = *(const struct iov_member *const *)a, *y = *(const struct iov_member *const *)b;
        int r = strcmp(x->target, y->target);

        return r ? r : strcmp(x->name, y->name);
}

/* Records are as their library checked them: strings end. */
static int index_members(const struct iov_model *model, enum iov_kind kind, struct members *ret_members) {
        const void **records = NULL;
        int n = iov_model_sorted(model, kind, &records);

        if (n < 0)
                return n;
        ret_members->n = (size_t)n;
        ret_members->by_parent = (const struct iov_member **)records;
        ret_members->by_target = xcalloc((size_t)n + 1, sizeof(void *));
        memcpy(ret_members->by_target, records, (size_t)n * sizeof(void *));
        qsort(ret_members->by_target, (size_t)n, sizeof(void *), compare_targets);
        return 0;
}

void snapshot_free(struct snapshot *s) {
        for (size_t i = 0; i < ARRAY_LENGTH(s->members); i++) {
                free(s->members[i].by_parent);
                free(s->members[i].by_target);
        }
        s->model = iov_model_unref(s->model);
        free(s->counters);
        s->counters = NULL;
}

int snapshot_read(struct iov_appliance *appliance, struct snapshot *ret_snapshot) {
        struct snapshot s = {0};
        int r = iov_model_load(appliance, &s.model);

        if (r < 0)
                return r;
        r = index_members(s.model, IOV_KIND_NAMESPACE, &s.members[0]);
        if (r == 0)
                r = index_members(s.model, IOV_KIND_LUN, &s.members[1]);
        if (r == 0)
                r = index_members(s.model, IOV_KIND_DRIVE, &s.members[2]);
        if (r < 0) {
                snapshot_free(&s);
                return r;
        }
        size_t n = iov_model_rows(s.model, IOV_KIND_VADAPTER);
        s.counters = xcalloc(n, sizeof(*s.counters));
        r = iov_counters_read(appliance, s.counters, n, &s.n_counters, &s.time_ns);
        if (r < 0) {
                snapshot_free(&s);
                return r;
        }
        s.n_counters = s.n_counters > n ? n : s.n_counters;
        *ret_snapshot = s;
        return 0;
}

int session_read(struct tool *tool, int (*read)(struct iov_appliance *appliance, void *ret), void *ret, const char *what) {
        CLEANUP_APPLIANCE struct iov_appliance *appliance = NULL;
        int status = session_open(tool, &appliance);

        if (status != STATUS_DONE)
                return status;
        int r = read(appliance, ret);
        return r < 0 ? report_errno(tool, r, "reading %s failed", what) : STATUS_DONE;
}

static int take_snapshot(struct iov_appliance *appliance, void *ret) {
        return snapshot_read(appliance, ret);
}

int snapshot_take(struct tool *tool, struct snapshot *ret_snapshot) {
        return session_read(tool, take_snapshot, ret_snapshot, "the appliance's tables");
}

static int load_model(struct iov_appliance *appliance, void *ret) {
        return iov_model_load(appliance, ret);
}

int session_load(struct tool *tool, struct iov_model **ret_model) {
        return session_read(tool, load_model, ret_model, "the appliance's tables");
}

const struct iov_counter *snapshot_counter(const struct snapshot *s, const struct iov_vadapter *vadapter) {
        unsigned int row = iov_model_row(s->model, IOV_KIND_VADAPTER, vadapter);

        /* A row that changed hands between the two reads is not this vAdapter's. */
        return row < s->n_counters && s->counters[row].id == vadapter->id ? &s->counters[row] : NULL;
}

void basis_free(struct basis *basis) {
        basis->have = iov_model_unref(basis->have);
}

int basis_read(struct iov_appliance *appliance, struct basis *ret_basis) {
        uint32_t appliance_status = 0;
        int r = iov_identify(appliance, &ret_basis->id);

        if (r >= 0)
                r = iov_read32(appliance, 0, IOV_REG_STATUS, &appliance_status);
        if (r >= 0)
                r = iov_model_load(appliance, &ret_basis->have);
        ret_basis->sim = appliance_status >> IOV_STATUS_SIM_SHIFT & 1;
        return r;
}

static int load_basis(struct iov_appliance *appliance, void *ret) {
        return basis_read(appliance, ret);
}

int basis_load(struct tool *tool, struct basis *ret_basis) {
        return session_read(tool, load_basis, ret_basis, "the appliance's tables");
}
