/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The model: tables of records with a hash of their names. Row numbers are stable, they are those of BAR2. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "hash.h"
#include "iov/libiov.h"
#include "model.h"
#include "pages.h"
#include "util.h"

#define NO_ROW UINT32_MAX

/* With the hash at hand, a look-up seldom touches a row that is not the one. */
struct bucket {
        uint32_t hash;
        uint32_t entry; /* row + 1, 0: free */
};

/* One kind's rows. A free row has an empty name. Buckets are for open addressing: a power of two, at least twice the rows in use.
 */
struct table {
        unsigned int record_size, max;
        unsigned char *rows;
        size_t n_mapped; /* bytes of `rows` */
        unsigned int n_rows, n_allocated, n_used, first_free_hint;
        uint32_t highest_number; /* of members: no row has ever had a higher one */
        struct bucket *buckets;
        unsigned int n_buckets;
};

struct iov_model {
        unsigned int refs;
        struct iov_ctx *ctx;
        char name[IOV_NAME_SIZE];
        uint64_t generation;
        unsigned int links, slots;
        struct table tables[IOV_KIND_COUNT];
};

static const char *table_name(const struct table *t, unsigned int row) {
        return (const char *)(t->rows + (size_t)row * t->record_size);
}

static uint32_t name_hash(const char *name) {
        return (uint32_t)hash_text(name, 0);
}

static unsigned int table_bucket(const struct table *t, const char *name, uint32_t hash) {
        unsigned int b = hash & (t->n_buckets - 1);

        while (t->buckets[b].entry && (t->buckets[b].hash != hash || strcmp(table_name(t, t->buckets[b].entry - 1), name) != 0))
                b = (b + 1) & (t->n_buckets - 1);
        return b;
}

static uint32_t table_find(const struct table *t, const char *name) {
        if (!t->n_used)
                return NO_ROW;
        unsigned int b = table_bucket(t, name, name_hash(name));
        return t->buckets[b].entry ? t->buckets[b].entry - 1 : NO_ROW;
}

static int table_rehash(struct table *t, unsigned int n_buckets) {
        struct bucket *buckets = calloc(n_buckets, sizeof(*buckets));

        if (!buckets)
                return -ENOMEM;
        /* All names are different: the first free bucket is theirs. */
        for (unsigned int i = 0; i < t->n_buckets; i++) {
                unsigned int b = t->buckets[i].hash & (n_buckets - 1);

                if (!t->buckets[i].entry)
                        continue;
                while (buckets[b].entry)
                        b = (b + 1) & (n_buckets - 1);
                buckets[b] = t->buckets[i];
        }
        free(t->buckets);
        t->buckets = buckets;
        t->n_buckets = n_buckets;
        return 0;
}

/* Room for at least `n` rows. */
static int table_map(struct table *t, unsigned int n) {
        void *rows = t->rows;
        int r = pages_grow(&rows, &t->n_mapped, (size_t)n * t->record_size);

        if (r < 0)
                return r;
        t->rows = rows;
        t->n_allocated = t->n_mapped / t->record_size < t->max ? (unsigned int)(t->n_mapped / t->record_size) : t->max;
        return 0;
}

static int table_reserve(struct table *t, unsigned int n) {
        if (n > t->max)
                return -E2BIG;
        if (n > t->n_allocated) {
                int r = table_map(t, n);

                if (r < 0)
                        return r;
        }
        if ((t->n_used + 1) * 2 > t->n_buckets)
                return table_rehash(t, t->n_buckets ? t->n_buckets * 2 : 32);
        return 0;
}

/* The lowest free row; every row below the hint is in use. */
static unsigned int table_free_row(struct table *t) {
        while (t->first_free_hint < t->n_rows && *table_name(t, t->first_free_hint))
                t->first_free_hint++;
        return t->first_free_hint;
}

static void note_number(struct table *t, enum iov_kind kind, const void *record) {
        const struct iov_member *member = record;

        if (iov_member_info(kind) && member->number > t->highest_number)
                t->highest_number = member->number;
}

static int table_put(struct table *t, unsigned int row, uint32_t hash, const void *record) {
        int r = table_reserve(t, row + 1);

        if (r < 0)
                return r;
        memcpy(t->rows + (size_t)row * t->record_size, record, t->record_size);
        if (row >= t->n_rows)
                t->n_rows = row + 1;
        t->n_used++;
        t->buckets[table_bucket(t, record, hash)] = (struct bucket){hash, row + 1};
        return 0;
}

/* Backward-shift deletion: later entries of the same probe run move up, so that no tombstones are needed. */
static void table_unhash(struct table *t, unsigned int b) {
        unsigned int mask = t->n_buckets - 1, hole = b;

        for (unsigned int i = (b + 1) & mask; t->buckets[i].entry; i = (i + 1) & mask)
                if (((i - t->buckets[i].hash) & mask) >= ((i - hole) & mask)) {
                        t->buckets[hole] = t->buckets[i];
                        hole = i;
                }
        t->buckets[hole] = (struct bucket){0};
}

int iov_model_new(struct iov_ctx *ctx, struct iov_model **ret_model) {
        struct iov_model *m = calloc(1, sizeof(*m));

        if (!m)
                return -ENOMEM;
        m->refs = 1;
        m->ctx = iov_ref(ctx);
        for (unsigned int k = 0; k < IOV_KIND_COUNT; k++) {
                m->tables[k].record_size = iov_records_get((enum iov_kind)k)->size;
                m->tables[k].max = iov_records_get((enum iov_kind)k)->max;
        }
        *ret_model = m;
        return 0;
}

struct iov_model *iov_model_ref(struct iov_model *m) {
        m->refs++;
        return m;
}

struct iov_model *iov_model_unref(struct iov_model *m) {
        if (!m || --m->refs > 0)
                return NULL;
        for (unsigned int k = 0; k < IOV_KIND_COUNT; k++) {
                pages_free(m->tables[k].rows, m->tables[k].n_mapped);
                free(m->tables[k].buckets);
        }
        iov_unref(m->ctx);
        free(m);
        return NULL;
}

static int table_copy(struct table *to, const struct table *from) {
        if (from->n_rows) {
                int r = table_map(to, from->n_rows + 1); /* a copy is made to be changed */

                if (r < 0)
                        return r;
                memcpy(to->rows, from->rows, (size_t)from->n_rows * from->record_size);
        }
        if (from->n_buckets) {
                to->buckets = malloc(from->n_buckets * sizeof(*to->buckets));
                if (!to->buckets)
                        return -ENOMEM;
                memcpy(to->buckets, from->buckets, from->n_buckets * sizeof(*to->buckets));
        }
        to->n_rows = from->n_rows;
        to->n_used = from->n_used;
        to->first_free_hint = from->first_free_hint;
        to->highest_number = from->highest_number;
        to->n_buckets = from->n_buckets;
        return 0;
}

int iov_model_clone(const struct iov_model *model, struct iov_model **ret_model) {
        struct iov_model *m = NULL;
        int r = iov_model_new(model->ctx, &m);

        if (r < 0)
                return r;
        memcpy(m->name, model->name, sizeof(m->name));
        m->generation = model->generation;
        m->links = model->links;
        m->slots = model->slots;
        for (unsigned int k = 0; k < IOV_KIND_COUNT; k++) {
                r = table_copy(&m->tables[k], &model->tables[k]);
                if (r < 0) {
                        iov_model_unref(m);
                        return r;
                }
        }
        *ret_model = m;
        return 0;
}

const char *iov_model_get_name(const struct iov_model *m) {
        return m->name;
}

int iov_model_set_name(struct iov_model *m, const char *name) {
        if (strlen(name) > IOV_NAME_MAX)
                return -ENAMETOOLONG;
        memset(m->name, 0, sizeof(m->name));
        memcpy(m->name, name, strlen(name));
        return 0;
}

uint64_t iov_model_get_generation(const struct iov_model *m) {
        return m->generation;
}

void iov_model_set_generation(struct iov_model *m, uint64_t generation) {
        m->generation = generation;
}

unsigned int iov_model_get_links(const struct iov_model *m) {
        return m->links;
}

unsigned int iov_model_get_slots(const struct iov_model *m) {
        return m->slots;
}

void iov_model_set_links(struct iov_model *m, unsigned int links, unsigned int slots) {
        m->links = links;
        m->slots = slots;
}

size_t iov_model_count(const struct iov_model *m, enum iov_kind kind) {
        return iov_kind_is_object(kind) ? m->tables[kind].n_used : 0;
}

const void *iov_model_get(const struct iov_model *m, enum iov_kind kind, const char *name) {
        if (!iov_kind_is_object(kind))
                return NULL;
        const struct table *t = &m->tables[kind];
        uint32_t row = table_find(t, name);
        return row == NO_ROW ? NULL : table_name(t, row);
}

int iov_model_set(struct iov_model *m, enum iov_kind kind, const void *record) {
        const char *name = record;

        if (!iov_kind_is_object(kind) || !*name || !memchr(name, 0, IOV_NAME_SIZE))
                return -EINVAL;
        struct table *t = &m->tables[kind];
        note_number(t, kind, record);
        uint32_t hash = name_hash(name);
        unsigned int b = t->n_used ? table_bucket(t, name, hash) : 0;
        if (t->n_used && t->buckets[b].entry) {
                memmove(t->rows + (size_t)(t->buckets[b].entry - 1) * t->record_size, record, t->record_size);
                return 0;
        }
        return table_put(t, table_free_row(t), hash, record);
}

int model_rows_begin(struct iov_model *m, enum iov_kind kind, unsigned int n, void **ret_rows) {
        struct table *t = &m->tables[kind];

        if (!iov_kind_is_object(kind) || t->n_rows)
                return -EINVAL;
        if (n > t->max)
                return -E2BIG;
        int r = n > t->n_allocated ? table_map(t, n) : 0;
        if (r == 0)
                *ret_rows = t->rows;
        return r;
}

int model_rows_end(struct iov_model *m, enum iov_kind kind, unsigned int n, unsigned int *ret_row) {
        struct table *t = &m->tables[kind];
        unsigned int n_buckets = 32;

        if (!iov_kind_is_object(kind) || t->n_rows || n > t->n_allocated)
                return -EINVAL;
        while (n_buckets < 2 * n)
                n_buckets *= 2;
        int r = n ? table_rehash(t, n_buckets) : 0;
        for (unsigned int row = 0; r == 0 && row < n; row++) {
                const char *name = table_name(t, row);
                uint32_t hash = name_hash(name);
                unsigned int b = *name ? table_bucket(t, name, hash) : 0;

                if (!*name)
                        continue;
                if (t->buckets[b].entry) {
                        *ret_row = row;
                        return -EEXIST;
                }
                t->buckets[b] = (struct bucket){hash, row + 1};
                t->n_used++;
                note_number(t, kind, name);
        }
        if (r == 0)
                t->n_rows = n;
        return r;
}

int iov_model_remove(struct iov_model *m, enum iov_kind kind, const char *name) {
        if (!iov_kind_is_object(kind))
                return -EINVAL;
        struct table *t = &m->tables[kind];
        uint32_t row = table_find(t, name);
        if (row == NO_ROW)
                return -ENOENT;
        table_unhash(t, table_bucket(t, name, name_hash(name)));
        memset(t->rows + (size_t)row * t->record_size, 0, t->record_size);
        t->n_used--;
        if (row < t->first_free_hint)
                t->first_free_hint = row;
        return 0;
}

const void *iov_model_at(const struct iov_model *m, enum iov_kind kind, unsigned int row) {
        if (!iov_kind_is_object(kind) || row >= m->tables[kind].n_rows || !*table_name(&m->tables[kind], row))
                return NULL;
        return table_name(&m->tables[kind], row);
}

unsigned int iov_model_rows(const struct iov_model *m, enum iov_kind kind) {
        return iov_kind_is_object(kind) ? m->tables[kind].n_rows : 0;
}

unsigned int iov_model_row(const struct iov_model *m, enum iov_kind kind, const void *record) {
        return (unsigned int)((size_t)((const unsigned char *)record - m->tables[kind].rows) / m->tables[kind].record_size);
}

uint32_t model_highest_number(const struct iov_model *m, enum iov_kind kind) {
        return iov_kind_is_object(kind) ? m->tables[kind].highest_number : 0;
}

void *model_edit(struct iov_model *m, enum iov_kind kind, const void *record) {
        return m->tables[kind].rows + ((const unsigned char *)record - m->tables[kind].rows);
}

static const void *next_from(const struct iov_model *m, enum iov_kind kind, size_t offset) {
        const struct table *t = &m->tables[kind];

        for (; offset < (size_t)t->n_rows * t->record_size; offset += t->record_size)
                if (t->rows[offset])
                        return t->rows + offset;
        return NULL;
}

const void *iov_model_get_first(const struct iov_model *m, enum iov_kind kind) {
        return iov_kind_is_object(kind) ? next_from(m, kind, 0) : NULL;
}

const void *iov_model_get_next(const struct iov_model *m, enum iov_kind kind, const void *record) {
        const struct table *t = &m->tables[kind];

        return next_from(m, kind, (size_t)((const unsigned char *)record - t->rows) + t->record_size);
}

static int compare_names(const void *a, const void *b) {
        return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int compare_members(const void *a, const void *b) {
        const struct iov_member *x = *(const struct iov_member *const *)a, *y = *(const struct iov_member *const *)b;
        int r = strcmp(x->parent, y->parent);

        return r ? r : (x->number > y->number) - (x->number < y->number);
}

/* Names that are decimal numbers. */
static int compare_numbers(const void *a, const void *b) {
        const char *x = *(const char *const *)a, *y = *(const char *const *)b;
        size_t n = strlen(x), m = strlen(y);

        return n != m ? (n > m) - (n < m) : strcmp(x, y);
}

static bool named_by_number(enum iov_kind kind) {
        return kind == IOV_KIND_IDENTITY || kind == IOV_KIND_LINK || kind == IOV_KIND_FAULT;
}

int iov_model_sorted(const struct iov_model *m, enum iov_kind kind, const void ***ret_records) {
        int (*compare)(const void *a, const void *b) = iov_member_info(kind)   ? compare_members
                                                       : named_by_number(kind) ? compare_numbers
                                                                               : compare_names;
        size_t n = iov_model_count(m, kind), i = 0;
        const void **records = calloc(n + 1, sizeof(*records)), *record;
        bool sorted = true;

        if (!records)
                return -ENOMEM;
        iov_model_foreach (m, kind, record) {
                records[i++] = record;
                /* Mostly they are made in order. */
                sorted = sorted && (i == 1 || compare(&records[i - 2], &records[i - 1]) <= 0);
        }
        if (!sorted)
                qsort(records, n, sizeof(*records), compare);
        *ret_records = records;
        return (int)n;
}

bool iov_record_same_config(enum iov_kind kind, const void *a, const void *b) {
        const struct iov_record_info *info = iov_records_get(kind);

        for (unsigned int i = 0; i < info->n_fields; i++) {
                const struct iov_rfield_info *f = &info->fields[i];

                if (f->role == IOV_ROLE_CONFIG &&
                    memcmp((const char *)a + f->offset, (const char *)b + f->offset, (size_t)f->size * f->count) != 0)
                        return false;
        }
        return true;
}
