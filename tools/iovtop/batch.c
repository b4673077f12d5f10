/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames as text, JSON lines or CSV. */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <string.h>
#include <time.h>

#include "tools/common/report.h"
#include "tools/iovtop/iovtop.h"
#include "util.h"

const struct column sample_columns[] = {
        {"name", 0, "name of the vAdapter"},
        {"server", 0, "the server it is attached to"},
        {"slot", COLUMN_RIGHT, "the slot it is plugged into"},
        {"adapter", COLUMN_WIDE, "the adapter it is an image of"},
        {"state", 0, "detached, attached, connected, plugging, unplugging or failed"},
        {"read_iops", COLUMN_RIGHT, "read commands per second"},
        {"write_iops", COLUMN_RIGHT, "write commands per second"},
        {"read_rate", COLUMN_RIGHT, "bytes read per second"},
        {"write_rate", COLUMN_RIGHT, "bytes written per second"},
        {"queue_depth", COLUMN_RIGHT, "commands under way, mean over the interval"},
        {"latency_us", COLUMN_RIGHT, "mean time from fetch to completion, in microseconds"},
        {"qos_us", COLUMN_RIGHT, "what of it commands waited for their qos, mean in microseconds"},
        {"medium_us", COLUMN_RIGHT, "the rest of it: the time in the medium"},
        {"inflight", COLUMN_RIGHT | COLUMN_WIDE, "commands under way at the end of the interval"},
        {0},
};

static struct table *sample_table(const struct sample *s) {
        struct table *t = table_new("vadapters", sample_columns);

        for (size_t i = 0; i < s->n; i++) {
                const struct sample_row *row = &s->rows[i];

                table_row(t);
                put_text(t, row->name);
                put_text(t, row->server);
                if (*row->server)
                        put_number(t, row->slot);
                else
                        put_null(t);
                put_text(t, row->adapter);
                put_text(t, iov_vadapter_state_to_string(row->state));
                put_real(t, row->read_iops);
                put_real(t, row->write_iops);
                put_real(t, row->read_rate);
                put_real(t, row->write_rate);
                put_real(t, row->queue_depth);
                put_real(t, row->latency_us);
                put_real(t, row->qos_us);
                put_real(t, row->medium_us);
                put_number(t, row->inflight);
        }
        return t;
}

static void print_csv(const struct table *t, const struct sample *s, bool heading) {
        if (heading) {
                fputs("time_ns,interval_ns", stdout);
                for (unsigned int c = 0; c < table_n_columns(t); c++)
                        printf(",%s", table_columns(t)[c].name);
                putchar('\n');
        }
        /* No field can hold a comma or a quote: names cannot. An unknown value is an empty field. */
        for (size_t r = 0; r < table_n_rows(t); r++) {
                printf("%" PRIu64 ",%" PRIu64, s->time_ns, s->interval_ns);
                for (unsigned int c = 0; c < table_n_columns(t); c++) {
                        const struct cell *cell = table_cell(t, r, c);
                        CLEANUP_FREE char *text = cell->type == CELL_NULL ? xstrdup("") : cell_format(cell, true);

                        printf(",%s", text);
                }
                putchar('\n');
        }
}

/* One line a frame, so that a reader can take them one by one. */
static void print_json(const struct table *t, const struct sample *s) {
        struct json_object *root = table_to_tree(t);

        json_object_object_add(root, "time_ns", json_object_new_uint64(s->time_ns));
        json_object_object_add(root, "interval_ns", json_object_new_uint64(s->interval_ns));
        printf("%s\n", json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
        json_object_put(root);
}

static int print_frame(const struct top *top, const struct sample *s, unsigned int number) {
        CLEANUP_TABLE struct table *t = sample_table(s);
        const struct output *o = &top->tool->output;
        int status = STATUS_DONE;

        if (o->format == FORMAT_CSV) {
                print_csv(t, s, number == 0 && !o->no_headings);
        } else if (o->format == FORMAT_JSON) {
                print_json(t, s);
        } else {
                if (number && o->format != FORMAT_YAML)
                        putchar('\n');
                status = output_table(top->tool, t, false);
        }
        if (status == STATUS_DONE && fflush(stdout) != 0)
                return report_errno(top->tool, -errno, "writing the output failed");
        return status;
}

static void wait_until(struct timespec *deadline, double delay) {
        deadline->tv_sec += (time_t)delay;
        deadline->tv_nsec += (long)((delay - (double)(time_t)delay) * 1e9);
        if (deadline->tv_nsec >= 1000000000) {
                deadline->tv_sec++;
                deadline->tv_nsec -= 1000000000;
        }
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, deadline, NULL) == EINTR)
                ;
}

int batch_run(const struct top *top) {
        CLEANUP_SAMPLE struct sample sample = {0};
        struct sampler *sampler = NULL;
        struct timespec deadline;
        int status = sampler_new(top->tool, &sampler, &sample);

        if (status != STATUS_DONE)
                return status;
        clock_gettime(CLOCK_MONOTONIC, &deadline);
        for (unsigned int i = 0; status == STATUS_DONE && (!top->frames || i < top->frames); i++) {
                wait_until(&deadline, top->delay);
                int r = sampler_read(sampler, &sample);
                status = r < 0 ? report_lost(top->tool, r) : print_frame(top, &sample, i);
        }
        sampler_free(sampler);
        return status;
}
