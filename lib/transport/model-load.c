/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The appliance's tables as a model, and its counters. What the tables hold is input like any other. */
#include <errno.h>

#include "appliance.h"
#include "model.h"
#include "tables.h"
#include "util.h"

#define LINKS_MAX 65536 /* of a chassis, and slots of a link: more is nonsense */
#define SNAPSHOTS_MAX 10

static const enum iov_kind object_kinds[] = {IOV_KIND_SERVER,    IOV_KIND_ADAPTER, IOV_KIND_VOLUME, IOV_KIND_VADAPTER,
                                             IOV_KIND_NAMESPACE, IOV_KIND_NETWORK, IOV_KIND_QOS,    IOV_KIND_PROFILE,
                                             IOV_KIND_LUN,       IOV_KIND_DRIVE,   IOV_KIND_POOL,   IOV_KIND_PROFILE_SLOT,
                                             IOV_KIND_IDENTITY,  IOV_KIND_LINK,    IOV_KIND_FAULT};

/* What is copied: the directory, and the rows of objects to where the model keeps them. */
struct copy {
        struct tables tables;
        struct iov_model *model;
};

static int copy_rows(struct copy *copy, size_t n_kinds) {
        for (size_t i = 0; i < n_kinds; i++) {
                const struct iov_table *entry = &copy->tables.directory[object_kinds[i]];
                void *rows = NULL;
                int r = model_rows_begin(copy->model, object_kinds[i], entry->rows, &rows);

                if (r == 0 && entry->rows)
                        r = tables_copy(&copy->tables, entry->offset, rows, (size_t)entry->rows * entry->record_size);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Copy the directory and the rows of the first `n_kinds` of object_kinds, all as of one moment. */
static int copy_make(struct copy *copy, size_t n_kinds) {
        struct tables *tables = &copy->tables;
        int64_t deadline = appliance_now_ms() + tables->appliance->transport->timeout_ms;

        do {
                const char *why = NULL;
                uint64_t sequence = 0;
                int valid = 0, r = tables_begin(tables, deadline, &sequence);

                if (r >= 0)
                        r = valid = tables_read_directory(tables, &why);
                if (r > 0)
                        r = copy_rows(copy, n_kinds);
                if (r >= 0)
                        r = tables_end(tables, sequence);
                if (r < 0)
                        return r;
                if (r > 0)
                        return valid ? 0 : appliance_error(tables->appliance, -EPROTO, "its tables cannot be read: %s", why);
        } while (appliance_now_ms() < deadline);
        return appliance_error(tables->appliance, -ETIMEDOUT, "its tables change all the time; try again");
}

/* Strings end within their field, are padded with NULs and hold nothing that a terminal would obey. */
static bool string_is_valid(const char *s, size_t size) {
        static const char zeroes[IOV_VADAPTER_RECORD_SIZE]; /* no field is longer than the largest record */
        size_t length = strnlen(s, size);

        for (size_t i = 0; i < length; i++)
                if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
                        return false;
        return length < size && memcmp(s + length, zeroes, size - length) == 0;
}
const char *record_check(enum iov_kind kind, const void *record) {
        const struct iov_record_info *info = iov_records_get(kind);

        for (unsigned int i = 0; i < info->n_fields; i++) {
                const struct iov_rfield_info *f = &info->fields[i];

                if (f->type == IOV_TYPE_chars && !string_is_valid((const char *)record + f->offset, f->count))
                        return f->name;
        }
        if (iov_member_info(kind)) {
                const struct iov_member *member = (const struct iov_member *)record;
                struct iov_member named = {0};

                return iov_member_init(&named, member->parent, member->number) < 0 || strcmp(named.name, member->name) != 0
                               ? "name"
                               : NULL;
        }
        return iov_name_is_valid((const char *)record) ? NULL : "name";
}

static int take_rows(struct iov_appliance *a, struct iov_model *model, enum iov_kind kind, unsigned int n) {
        const struct iov_record_info *info = iov_records_get(kind);
        unsigned int row = 0;
        void *rows = NULL;
        int r = model_rows_begin(model, kind, n, &rows); /* where they are */

        if (r < 0)
                return r;
        for (; row < n; row++) {
                const unsigned char *record = (unsigned char *)rows + (size_t)row * info->size;
                const char *field = *record ? record_check(kind, record) : NULL;

                if (field)
                        return appliance_error(a, -EPROTO, "its tables cannot be read: %s in row %u: malformed %s", info->name,
                                               row, field);
        }
        r = model_rows_end(model, kind, n, &row);
        return r == -EEXIST ? appliance_error(a, -EPROTO, "its tables cannot be read: %s in row %u: a second `%s`", info->name,
                                              row, (const char *)rows + (size_t)row * info->size)
                            : r;
}

static int model_fill(struct iov_appliance *a, struct copy *copy) {
        uint32_t links = 0, slots = 0;
        int r;

        if ((r = iov_read32(a, 0, IOV_REG_LINKS, &links)) < 0 || (r = iov_read32(a, 0, IOV_REG_SLOTS, &slots)) < 0)
                return r;
        if (links > LINKS_MAX || slots > LINKS_MAX)
                return appliance_error(a, -EPROTO, "impossible numbers of links (%u) or slots (%u)", links, slots);
        iov_model_set_links(copy->model, links, slots);
        iov_model_set_generation(copy->model, copy->tables.generation);
        for (size_t i = 0; i < ARRAY_LENGTH(object_kinds); i++) {
                r = take_rows(a, copy->model, object_kinds[i], copy->tables.directory[object_kinds[i]].rows);
                if (r < 0)
                        return r;
        }
        return 0;
}

int iov_model_load(struct iov_appliance *a, struct iov_model **ret_model) {
        struct copy copy = {0};
        int r = iov_model_new(a->ctx, &copy.model);

        if (r < 0)
                return r;
        tables_init(&copy.tables, a);
        r = copy_make(&copy, ARRAY_LENGTH(object_kinds));
        if (r >= 0)
                r = model_fill(a, &copy);
        if (r < 0) {
                iov_model_unref(copy.model);
                return r;
        }
        *ret_model = copy.model;
        return 0;
}

/* Others may ask for snapshots too: what was copied is one snapshot only where the time is the same before and after. */
static int counters_copy(struct tables *tables, struct iov_counter *counters, size_t n, uint64_t *ret_time_ns) {
        const struct iov_table *entry = &tables->directory[IOV_KIND_COUNTER];

        for (unsigned int i = 0; i < SNAPSHOTS_MAX; i++) {
                uint64_t before = 0, after = 0;
                int r;

                if ((r = iov_read64(tables->appliance, 0, IOV_REG_TELEMETRY_TIME, &before)) < 0 ||
                    (r = tables_copy(tables, entry->offset, counters, n * sizeof(*counters))) < 0 ||
                    (r = iov_read64(tables->appliance, 0, IOV_REG_TELEMETRY_TIME, &after)) < 0)
                        return r;
                if (before == after) {
                        *ret_time_ns = after;
                        return 0;
                }
        }
        return appliance_error(tables->appliance, -EAGAIN, "its counters change all the time; try again");
}

int iov_counters_read(struct iov_appliance *a, struct iov_counter *ret_counters, size_t n, size_t *ret_n, uint64_t *ret_time_ns) {
        struct copy copy = {0};
        uint64_t time_ns = 0;
        int r;

        tables_init(&copy.tables, a);
        if ((r = iov_write32(a, 0, IOV_REG_TELEMETRY_SNAPSHOT, 1)) < 0 || (r = copy_make(&copy, 0)) < 0)
                return r;
        if (n > copy.tables.directory[IOV_KIND_COUNTER].rows)
                n = copy.tables.directory[IOV_KIND_COUNTER].rows;
        r = counters_copy(&copy.tables, ret_counters, n, &time_ns);
        if (r < 0)
                return r;
        *ret_n = n;
        *ret_time_ns = time_ns;
        return 0;
}
