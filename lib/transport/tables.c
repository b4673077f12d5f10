/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Consistent copies of the tables in BAR2. */
#include "tables.h"

#include <errno.h>

#include "util.h"

#define RETRY_MS 1

void tables_init(struct tables *t, struct iov_appliance *a) {
        const void *mapped = NULL;

        *t = (struct tables){.appliance = a};
        if (iov_map_tables(a, &mapped) >= 0)
                t->mapped = mapped;
}

int tables_copy(struct tables *t, uint64_t offset, void *buffer, size_t size) {
        if (!t->mapped)
                return iov_read(t->appliance, 2, offset, buffer, size);
        if (size > IOV_BAR2_SIZE || offset > IOV_BAR2_SIZE - size)
                return -EINVAL;
        memcpy(buffer, t->mapped + offset, size);
        return 0;
}

/* The writer makes the sequence odd, changes, makes it even: with the acquire here and the fence in tables_end(), copies made in
 * between cannot seem older or newer than they are. */
static int sequence_read(struct tables *t, uint64_t *ret_sequence) {
        if (!t->mapped)
                return iov_read64(t->appliance, 2, IOV_REG_TABLE_SEQUENCE, ret_sequence);
        *ret_sequence = __atomic_load_n((const uint64_t *)(const void *)(t->mapped + IOV_REG_TABLE_SEQUENCE), __ATOMIC_ACQUIRE);
        return 0;
}

int tables_begin(struct tables *t, int64_t deadline, uint64_t *ret_sequence) {
        for (;;) {
                uint64_t sequence = 0;
                int r = sequence_read(t, &sequence);

                if (r < 0)
                        return r;
                if (!(sequence & 1)) {
                        *ret_sequence = sequence;
                        return 0;
                }
                if (appliance_now_ms() >= deadline)
                        return appliance_error(t->appliance, -ETIMEDOUT,
                                               "its tables are not finished changing; look into its log");
                r = t->appliance->transport->ops->wait(t->appliance->transport, RETRY_MS);
                if (r < 0)
                        return appliance_error(t->appliance, r, "the appliance closed the connection");
        }
}

int tables_end(struct tables *t, uint64_t sequence) {
        uint64_t now = 0;

        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        int r = sequence_read(t, &now);
        return r < 0 ? r : now == sequence;
}

static const char *entry_check(const struct iov_table *entry, enum iov_kind kind, uint64_t tables_start) {
        const struct iov_record_info *info = iov_records_get(kind);

        if (entry->record_size != info->size)
                return "a table has rows of another size than the register map says";
        if (entry->max == 0 || entry->max > info->max)
                return "a table has more room than the register map says, or none";
        if (entry->rows > entry->max)
                return "a table has more rows in use than there is room for";
        if (kind == IOV_KIND_TABLE ? entry->offset != IOV_REG_TABLE_DIRECTORY : entry->offset < tables_start)
                return "a table overlaps the directory";
        if (entry->offset % 8 != 0 || entry->offset > IOV_BAR2_SIZE ||
            (uint64_t)entry->max * info->size > IOV_BAR2_SIZE - entry->offset)
                return "a table is not within BAR2";
        return NULL;
}

int tables_read_directory(struct tables *t, const char **ret_why) {
        struct {
                uint32_t magic, count;
                uint64_t sequence, generation;
        } header = {0};
        int r = tables_copy(t, IOV_REG_TABLE_MAGIC, &header, sizeof(header));

        if (r >= 0)
                r = tables_copy(t, IOV_REG_TABLE_DIRECTORY, t->directory, sizeof(t->directory));
        if (r < 0)
                return r;
        if (header.magic != IOV_TABLE_MAGIC) {
                *ret_why = "BAR2 has no tables";
                return 0;
        }
        if (header.count < IOV_KIND_COUNT || header.count > IOV_TABLE_MAX) {
                *ret_why = "the directory has another number of tables than the register map";
                return 0;
        }
        for (unsigned int k = 0; k < IOV_KIND_COUNT; k++) {
                *ret_why = entry_check(&t->directory[k], (enum iov_kind)k,
                                       IOV_REG_TABLE_DIRECTORY + header.count * sizeof(struct iov_table));
                if (*ret_why)
                        return 0;
        }
        t->generation = header.generation;
        return 1;
}
