/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/tables.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010 /* linux/fcntl.h; since 5.1 */
#endif

#define TABLES_START 4096u /* the header has the first page */

struct tables {
        int fd;
        unsigned char *memory;
        unsigned int rows[IOV_KIND_COUNT]; /* as in the directory */
        uint64_t event_head;
        void (*added)(void *userdata);
        void *userdata;
};

static uint64_t *sequence(const struct tables *t) {
        return (uint64_t *)(void *)(t->memory + IOV_REG_TABLE_SEQUENCE);
}

static struct iov_table *directory(const struct tables *t) {
        return (struct iov_table *)(void *)(t->memory + IOV_REG_TABLE_DIRECTORY);
}

static unsigned char *row_at(const struct tables *t, enum iov_kind kind, unsigned int row) {
        return t->memory + directory(t)[kind].offset + (size_t)row * directory(t)[kind].record_size;
}

/* Tables in the order of their kinds, each on pages of its own. */
static int lay_out(struct tables *t) {
        uint64_t offset = TABLES_START;

        *(uint32_t *)(void *)(t->memory + IOV_REG_TABLE_MAGIC) = IOV_TABLE_MAGIC;
        *(uint32_t *)(void *)(t->memory + IOV_REG_TABLE_COUNT) = IOV_KIND_COUNT;
        for (unsigned int k = 0; k < IOV_KIND_COUNT; k++) {
                const struct iov_record_info *info = iov_records_get((enum iov_kind)k);
                struct iov_table *d = &directory(t)[k];

                if (k == IOV_KIND_TABLE) {
                        *d = (struct iov_table){IOV_REG_TABLE_DIRECTORY, info->size, info->max, IOV_KIND_COUNT, {0}};
                        continue;
                }
                *d = (struct iov_table){offset, info->size, info->max, 0, {0}};
                offset += ((uint64_t)info->size * info->max + 4095) & ~UINT64_C(4095);
        }
        directory(t)[IOV_KIND_EVENT].rows = IOV_EVENT_MAX;
        return offset > IOV_BAR2_SIZE ? -E2BIG : 0;
}

int tables_new(struct tables **ret_tables) {
        struct tables *t = calloc(1, sizeof(*t));
        int r = -ENOMEM;

        if (!t)
                return -ENOMEM;
        t->fd = memfd_create("iov-tables", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (t->fd < 0 || ftruncate(t->fd, IOV_BAR2_SIZE) < 0)
                goto fail_errno;
        void *p = mmap(NULL, IOV_BAR2_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, t->fd, 0);
        if (p == MAP_FAILED)
                goto fail_errno;
        t->memory = p;
        /* Our own mapping stays writable; no other can be made. */
        if (fcntl(t->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) < 0)
                goto fail_errno;
        r = lay_out(t);
        if (r < 0)
                goto fail;
        *ret_tables = t;
        return 0;
fail_errno:
        r = -errno;
fail:
        tables_free(t);
        return r;
}

struct tables *tables_free(struct tables *t) {
        if (t) {
                if (t->memory)
                        munmap(t->memory, IOV_BAR2_SIZE);
                close_fd(&t->fd);
                free(t);
        }
        return NULL;
}

int tables_get_fd(const struct tables *t) {
        return t->fd;
}

const void *tables_get_memory(const struct tables *t) {
        return t->memory;
}

/* A writer's half of a sequence lock: readers that see an odd or changed number retry. */
void tables_begin(struct tables *t) {
        __atomic_store_n(sequence(t), *sequence(t) + 1, __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_RELEASE);
}

void tables_end(struct tables *t) {
        __atomic_store_n(sequence(t), *sequence(t) + 1, __ATOMIC_RELEASE);
}

static void write_row(struct tables *t, enum iov_kind kind, unsigned int row, const void *record) {
        static const unsigned char zeroes[IOV_VADAPTER_RECORD_SIZE];
        unsigned int size = directory(t)[kind].record_size;

        record = record ? record : zeroes;
        if (memcmp(row_at(t, kind, row), record, size) != 0)
                memcpy(row_at(t, kind, row), record, size);
}

/* In one call what would be a fault for each page; kernels before 5.14 cannot, and need not. */
static void populate(const unsigned char *from, const unsigned char *to) {
        uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start = (uintptr_t)from & ~(page - 1);

        madvise((void *)start, (uintptr_t)to - start, MADV_POPULATE_WRITE);
}

void tables_publish(struct tables *t, const struct iov_model *model) {
        tables_begin(t);
        *(uint64_t *)(void *)(t->memory + IOV_REG_TABLE_GENERATION) = iov_model_get_generation(model);
        for (unsigned int k = 0; k < IOV_KIND_COUNT; k++) {
                enum iov_kind kind = (enum iov_kind)k;

                if (!iov_kind_is_object(kind))
                        continue;
                unsigned int rows = iov_model_rows(model, kind), old = t->rows[kind];

                if (rows > old)
                        populate(row_at(t, kind, old), row_at(t, kind, rows));
                for (unsigned int row = 0; row < rows || row < old; row++)
                        write_row(t, kind, row, iov_model_at(model, kind, row));
                t->rows[kind] = directory(t)[kind].rows = rows;
        }
        directory(t)[IOV_KIND_COUNTER].rows = directory(t)[IOV_KIND_VADAPTER].rows;
        tables_end(t);
}

void tables_publish_record(struct tables *t, const struct iov_model *model, enum iov_kind kind, const void *record) {
        tables_begin(t);
        write_row(t, kind, iov_model_row(model, kind, record), record);
        tables_end(t);
}

void tables_set_counter(struct tables *t, unsigned int row, const struct iov_counter *counter) {
        memcpy(row_at(t, IOV_KIND_COUNTER, row), counter, sizeof(*counter));
}

uint64_t tables_add_event(struct tables *t, const struct iov_event *event) {
        struct iov_event e = *event;

        e.sequence = t->event_head + 1;
        tables_begin(t);
        memcpy(row_at(t, IOV_KIND_EVENT, (unsigned int)(t->event_head % IOV_EVENT_MAX)), &e, sizeof(e));
        tables_end(t);
        t->event_head++;
        if (t->added)
                t->added(t->userdata);
        return t->event_head;
}

void tables_on_event(struct tables *t, void (*added)(void *userdata), void *userdata) {
        t->added = added;
        t->userdata = userdata;
}

uint64_t tables_get_event_head(const struct tables *t) {
        return t->event_head;
}
