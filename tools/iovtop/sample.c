/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tools/iovtop/sample.h"

#include <string.h>

#include "tools/common/report.h"
#include "util.h"

struct sampler {
        struct iov_appliance *appliance;
        struct snapshot before;
};

void sample_free(struct sample *s) {
        free(s->rows);
        s->rows = NULL;
        s->n = 0;
}

/* A counter that went backwards was reset meanwhile: it has counted at least its value since. */
static uint64_t since(uint64_t before, uint64_t now) {
        return now >= before ? now - before : now;
}

static void compute_rates(const struct iov_counter *a, const struct iov_counter *b, double seconds, struct sample_row *row) {
        uint64_t reads = since(a->read_ops, b->read_ops), writes = since(a->write_ops, b->write_ops);
        uint64_t all = reads + writes + since(a->other_ops, b->other_ops);
        double busy = (double)since(a->busy_ns, b->busy_ns), waited = (double)since(a->qos_ns, b->qos_ns);

        /* It is a part, but the counters of a device at work are not read all at once. */
        if (waited > busy)
                waited = busy;
        row->read_iops = (double)reads / seconds;
        row->write_iops = (double)writes / seconds;
        row->read_rate = (double)since(a->read_bytes, b->read_bytes) / seconds;
        row->write_rate = (double)since(a->write_bytes, b->write_bytes) / seconds;
        row->queue_depth = busy / 1e9 / seconds;
        row->latency_us = all ? busy / 1e3 / (double)all : 0;
        row->qos_us = all ? waited / 1e3 / (double)all : 0;
        row->medium_us = row->latency_us - row->qos_us;
        row->inflight = b->inflight;
}

static void copy_field(char *to, const char *field) {
        memcpy(to, field, IOV_NAME_SIZE);
        to[IOV_NAME_SIZE] = 0;
}

void sample_compute(const struct snapshot *before, const struct snapshot *now, struct sample *ret_sample) {
        CLEANUP_FREE const void **records = NULL;
        int n = iov_model_sorted(now->model, IOV_KIND_VADAPTER, &records);
        struct sample s = {.time_ns = now->time_ns, .interval_ns = now->time_ns - before->time_ns};
        double seconds = s.interval_ns ? (double)s.interval_ns / 1e9 : 1;

        s.rows = xcalloc(n > 0 ? (size_t)n : 0, sizeof(*s.rows));
        for (int i = 0; i < n; i++) {
                const struct iov_vadapter *v = records[i], *old = iov_model_get(before->model, IOV_KIND_VADAPTER, v->name);
                const struct iov_counter *b = snapshot_counter(now, v), *a = old ? snapshot_counter(before, old) : NULL;
                struct sample_row *row = &s.rows[s.n++];

                copy_field(row->name, v->name);
                copy_field(row->server, v->at_server);
                copy_field(row->adapter, v->adapter);
                row->slot = v->at_slot;
                row->state = v->state;
                /* A vAdapter of the same name that is another one has no past. */
                if (a && b && a->id == b->id)
                        compute_rates(a, b, seconds, row);
        }
        *ret_sample = s;
}

int sampler_new(struct tool *tool, struct sampler **ret_sampler, struct sample *ret_sample) {
        struct sampler *s = xcalloc(1, sizeof(*s));
        int status = session_open(tool, &s->appliance);

        if (status == STATUS_DONE) {
                int r = snapshot_read(s->appliance, &s->before);
                if (r < 0)
                        status = report_errno(tool, r, "reading counters failed");
        }
        if (status != STATUS_DONE) {
                sampler_free(s);
                return status;
        }
        sample_compute(&s->before, &s->before, ret_sample);
        *ret_sampler = s;
        return STATUS_DONE;
}

struct sampler *sampler_free(struct sampler *s) {
        if (!s)
                return NULL;
        iov_close(s->appliance);
        snapshot_free(&s->before);
        free(s);
        return NULL;
}

int sampler_read(struct sampler *s, struct sample *sample) {
        struct snapshot now;
        int r = snapshot_read(s->appliance, &now);

        if (r < 0)
                return r;
        sample_free(sample);
        sample_compute(&s->before, &now, sample);
        snapshot_free(&s->before);
        s->before = now;
        return 0;
}
