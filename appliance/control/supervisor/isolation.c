/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/supervisor/isolation.h"

#include <errno.h>
#include <stdlib.h>

#include "control/supervisor/isolation-kernel.h"
#include "control/volumes/volumes.h"
#include "util.h"
#include "vpc/function.h"

/* What is known of one worker. */
struct worker {
        uint32_t pid; /* 0: it is not running */
        char server[IOV_NAME_SIZE];
        struct extents mappings, files; /* as the kernel says */
        struct extents told;            /* windows, and what it shares with this process */
};

struct collection {
        const struct iov_model *model;
        struct iov_mb_isolation_row *rows;
        size_t n, capacity;
        struct supervisor_slot *slots;
        size_t n_slots, slots_capacity;
        struct worker *workers;
        size_t n_workers;
        struct vpc_report *report; /* room for a copy */
        int error;
};

static void collection_free(struct collection *c) {
        for (size_t i = 0; i < c->n_workers; i++) {
                extents_free(&c->workers[i].mappings);
                extents_free(&c->workers[i].files);
                extents_free(&c->workers[i].told);
        }
        free(c->workers);
        free(c->slots);
        free(c->report);
        free(c->rows);
}

/* NULL: no memory. */
static struct iov_mb_isolation_row *row_new(struct collection *c, enum iov_isolation_kind kind, const char *server) {
        if (c->n == c->capacity) {
                size_t capacity = c->capacity ? c->capacity * 2 : 64;
                struct iov_mb_isolation_row *rows = reallocarray(c->rows, capacity, sizeof(*rows));

                if (!rows) {
                        c->error = -ENOMEM;
                        return NULL;
                }
                c->rows = rows;
                c->capacity = capacity;
        }
        struct iov_mb_isolation_row *row = &c->rows[c->n++];
        *row = (struct iov_mb_isolation_row){.kind = kind};
        field_set(row->server, sizeof(row->server), server);
        return row;
}

static struct iov_mb_isolation_row *slot_row(struct collection *c, enum iov_isolation_kind kind,
                                             const struct supervisor_slot *slot) {
        struct iov_mb_isolation_row *row = row_new(c, kind, slot->server);

        if (row) {
                field_set(row->vadapter, sizeof(row->vadapter), slot->vadapter);
                row->slot = slot->slot;
                row->worker_pid = slot->worker_pid;
                row->peer_pid = slot->peer_pid;
        }
        return row;
}

/* ---- a slot ---- */

static void add_window(struct collection *c, const struct supervisor_slot *slot, struct worker *w,
                       const struct vpc_dma_description *window) {
        struct iov_mb_isolation_row *row = slot_row(c, IOV_ISOLATION_WINDOW, slot);

        if (!row)
                return;
        row->address = window->address;
        row->size = window->size;
        row->flags = (window->flags & VPC_DMA_READABLE ? IOV_ISOLATION_READ : 0) |
                     (window->flags & VPC_DMA_WRITEABLE ? IOV_ISOLATION_WRITE : 0);
        if (!window->has_memory)
                return;
        const struct extent extent = {window->device, window->inode, window->offset, window->size, row->flags};
        row->device = window->device;
        row->inode = window->inode;
        row->offset = window->offset;
        if (extents_cover(&w->mappings, &extent))
                row->flags |= IOV_ISOLATION_VERIFIED;
        if (extents_add(&w->told, &extent) < 0)
                c->error = -ENOMEM;
}

static void add_vector(struct collection *c, const struct supervisor_slot *slot, const struct vpc_report_vector *vector) {
        struct iov_mb_isolation_row *row = slot_row(c, IOV_ISOLATION_VECTOR, slot);

        if (!row)
                return;
        row->index = vector->index;
        row->vector = vector->vector;
        row->id = slot->worker_pid ? kernel_eventfd_id((pid_t)slot->worker_pid, vector->fd) : 0;
        row->flags = row->id ? IOV_ISOLATION_VERIFIED : 0;
}

static const char *volume_name(const struct iov_model *model, uint64_t id) {
        const struct iov_volume *volume = volume_by_id(model, id);

        return volume ? volume->name : "";
}

static void add_medium(struct collection *c, const struct supervisor_slot *slot, const struct worker *w, unsigned int i) {
        const struct vpc_medium *medium = &slot->persona->media[i];
        const struct extent file = {.device = slot->media[i].device, .inode = slot->media[i].inode};
        struct iov_mb_isolation_row *row = slot_row(c, IOV_ISOLATION_MEDIUM, slot);

        if (!row)
                return;
        field_set(row->object, sizeof(row->object), volume_name(c->model, medium->unique_id));
        row->index = medium->id;
        row->size = medium->size;
        row->device = file.device;
        row->inode = file.inode;
        row->id = medium->unique_id;
        row->flags = IOV_ISOLATION_READ | (medium->read_only ? 0 : IOV_ISOLATION_WRITE) |
                     (medium->shared ? IOV_ISOLATION_SHARED : 0) | (extents_cover(&w->files, &file) ? IOV_ISOLATION_VERIFIED : 0);
}

static void add_slot(struct collection *c, const struct supervisor_slot *slot, struct worker *w) {
        struct iov_mb_isolation_row *requester = slot_row(c, IOV_ISOLATION_REQUESTER, slot);
        const size_t index = c->n - 1;

        if (!requester)
                return;
        int r = slot->report ? vpc_report_copy(slot->report, c->report) : -ENOENT;
        if (r == 0) {
                for (unsigned int i = 0; i < c->report->n_windows; i++)
                        add_window(c, slot, w, &c->report->windows[i]);
                for (unsigned int i = 0; i < c->report->n_vectors; i++)
                        add_vector(c, slot, &c->report->vectors[i]);
        }
        for (unsigned int i = 0; i < slot->persona->n_media; i++)
                if (slot->persona->media[i].size)
                        add_medium(c, slot, w, i);
        const struct supervisor_file ours[] = {slot->image, slot->shared, slot->reservations};
        for (size_t i = 0; i < ARRAY_LENGTH(ours); i++) {
                const struct extent extent = {.device = ours[i].device, .inode = ours[i].inode, .size = UINT64_MAX};

                if (ours[i].inode && extents_add(&w->told, &extent) < 0)
                        c->error = -ENOMEM;
        }
        if (r < 0 || c->report->is_incomplete || w->mappings.is_incomplete)
                c->rows[index].flags |= IOV_ISOLATION_INCOMPLETE;
}

/* ---- a worker ---- */

static bool is_served_by(const struct supervisor_slot *slot, const struct worker *w) {
        return w->pid == slot->worker_pid && strcmp(w->server, slot->server) == 0;
}

static struct worker *worker_of(struct collection *c, const struct supervisor_slot *slot) {
        for (size_t i = 0; i < c->n_workers; i++)
                if (is_served_by(slot, &c->workers[i]))
                        return &c->workers[i];
        struct worker *w = &c->workers[c->n_workers++];
        *w = (struct worker){.pid = slot->worker_pid};
        field_set(w->server, sizeof(w->server), slot->server);
        /* Where proc(5) says nothing, nothing is verified. */
        if (w->pid && (kernel_read_mappings((pid_t)w->pid, &w->mappings) == -ENOMEM ||
                       kernel_read_files((pid_t)w->pid, &w->files) == -ENOMEM))
                c->error = -ENOMEM;
        extents_sort(&w->mappings);
        extents_sort(&w->files);
        return w;
}

/* What vAdapters want of an adapter, which its own worker writes and others read (link/share.h). */
static bool is_share(const struct collection *c, const struct worker *w, const struct extent *m) {
        for (size_t i = 0; i < c->n_slots; i++) {
                const struct supervisor_file *page = c->slots[i].page;

                if (page && page->device == m->device && page->inode == m->inode)
                        return is_served_by(&c->slots[i], w) || !(m->flags & IOV_ISOLATION_WRITE);
        }
        return false;
}

/* Memory that a worker has and does not tell of. */
static void add_mappings(struct collection *c, struct worker *w) {
        extents_sort(&w->told);
        for (size_t i = 0; i < w->mappings.n; i++) {
                const struct extent *m = &w->mappings.items[i];

                if (extents_cover(&w->told, m) || is_share(c, w, m))
                        continue;
                struct iov_mb_isolation_row *row = row_new(c, IOV_ISOLATION_MAPPING, w->server);
                if (!row)
                        return;
                row->worker_pid = w->pid;
                row->device = m->device;
                row->inode = m->inode;
                row->offset = m->offset;
                row->size = m->size;
                row->flags = m->flags | IOV_ISOLATION_VERIFIED;
        }
}

static bool is_given(const struct collection *c, const struct worker *w, uint64_t volume) {
        for (size_t i = 0; i < c->n_slots; i++)
                for (unsigned int n = 0; n < c->slots[i].persona->n_media; n++)
                        if (is_served_by(&c->slots[i], w) && c->slots[i].persona->media[n].unique_id == volume)
                                return true;
        return false;
}

/* Volumes of other servers that a worker has open, which it was not given. */
static void add_foreign_media(struct collection *c, const struct worker *w) {
        for (size_t i = 0; i < c->n_slots; i++)
                for (unsigned int n = 0; n < c->slots[i].persona->n_media; n++) {
                        const struct vpc_medium *medium = &c->slots[i].persona->media[n];
                        const struct supervisor_file *file = &c->slots[i].media[n];
                        const struct extent extent = {.device = file->device, .inode = file->inode};

                        if (!extents_cover(&w->files, &extent) || is_given(c, w, medium->unique_id))
                                continue;
                        struct iov_mb_isolation_row *row = row_new(c, IOV_ISOLATION_MEDIUM, w->server);
                        if (!row)
                                return;
                        field_set(row->object, sizeof(row->object), volume_name(c->model, medium->unique_id));
                        row->worker_pid = w->pid;
                        row->size = medium->size;
                        row->device = file->device;
                        row->inode = file->inode;
                        row->id = medium->unique_id;
                        row->flags = IOV_ISOLATION_READ | IOV_ISOLATION_WRITE | IOV_ISOLATION_VERIFIED;
                }
}

static void look(void *userdata, const struct supervisor_slot *slot) {
        struct collection *c = userdata;

        if (c->n_slots == c->slots_capacity) {
                size_t capacity = c->slots_capacity ? c->slots_capacity * 2 : 64;
                struct supervisor_slot *slots = reallocarray(c->slots, capacity, sizeof(*slots));

                if (!slots) {
                        c->error = -ENOMEM;
                        return;
                }
                c->slots = slots;
                c->slots_capacity = capacity;
        }
        c->slots[c->n_slots++] = *slot;
}

static int compare_slots(const void *a, const void *b) {
        const struct supervisor_slot *x = a, *y = b;
        int r = strcmp(x->server, y->server);

        return r ? r : x->slot < y->slot ? -1 : x->slot > y->slot;
}

int isolation_collect(const struct supervisor *supervisor, const struct iov_model *model, struct iov_mb_isolation_row **ret_rows,
                      size_t *ret_n) {
        struct collection c = {.model = model, .report = malloc(sizeof(*c.report))};

        supervisor_foreach_slot(supervisor, look, &c);
        c.workers = calloc(c.n_slots + 1, sizeof(*c.workers));
        if (!c.report || !c.workers)
                c.error = -ENOMEM;
        if (c.n_slots)
                qsort(c.slots, c.n_slots, sizeof(*c.slots), compare_slots);
        for (size_t i = 0; i < c.n_slots && !c.error; i++)
                add_slot(&c, &c.slots[i], worker_of(&c, &c.slots[i]));
        for (size_t i = 0; i < c.n_workers && !c.error; i++) {
                add_mappings(&c, &c.workers[i]);
                add_foreign_media(&c, &c.workers[i]);
        }
        if (c.error == 0) {
                *ret_n = c.n;
                *ret_rows = TAKE_PTR(c.rows);
        }
        collection_free(&c);
        return c.error;
}
