/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Volumes, and how vAdapters show them: as namespaces, logical units or drives. */
#include <string.h>

#include "tools/common/objects-private.h"
#include "util.h"

const struct column volume_columns[] = {
        {"name", 0, "name"},
        {"adapter", 0, "the adapter whose media it is on"},
        {"size", COLUMN_RIGHT, "size"},
        {"used_by", 0, "what shows it, as VADAPTER/NUMBER"},
        {"on_remove", COLUMN_WIDE, "what becomes of its data when it is removed: delete or retain"},
        {"provisioning", COLUMN_WIDE, "thin: its space is taken as it is written to; full: all of it is set aside"},
        {"block_size", COLUMN_RIGHT | COLUMN_WIDE, "bytes of the blocks that it shows until a server formats it"},
        {"shared", COLUMN_WIDE, "several servers may write to it"},
        {"unreadable", COLUMN_RIGHT | COLUMN_WIDE, "what of it a server has marked with NVMe Write Uncorrectable, until it is written again"},
        {"id", COLUMN_RIGHT | COLUMN_WIDE, "number that no other volume of this appliance ever had"},
        {0},
};
const struct column namespace_columns[] = {
        {"name", 0, "VADAPTER/NSID"},
        {"vadapter", 0, "the vAdapter that shows the volume"},
        {"nsid", COLUMN_RIGHT, "namespace identifier"},
        {"volume", 0, "the volume"},
        {"size", COLUMN_RIGHT, "size of the volume"},
        {"read_only", COLUMN_WIDE, "the server cannot write"},
        {0},
};
const struct column lun_columns[] = {
        {"name", 0, "VADAPTER/LUN"},
        {"vadapter", 0, "the vAdapter that shows the volume"},
        {"lun", COLUMN_RIGHT, "logical unit number"},
        {"volume", 0, "the volume"},
        {"size", COLUMN_RIGHT, "size of the volume"},
        {0},
};
const struct column drive_columns[] = {
        {"name", 0, "VADAPTER/DRIVE"},
        {"vadapter", 0, "the vAdapter that shows the volume"},
        {"drive", COLUMN_RIGHT, "number of the drive"},
        {"volume", 0, "the volume"},
        {"size", COLUMN_RIGHT, "size of the volume"},
        {0},
};

/* The first of `n` members, ordered by what `offset` names, for which that is `key`; NULL: none. */
static const struct iov_member *const *first_of(const struct iov_member *const *members, size_t n, size_t offset,
                                                const char *key) {
        size_t low = 0, high = n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (strcmp((const char *)members[middle] + offset, key) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low < n && strcmp((const char *)members[low] + offset, key) == 0 ? &members[low] : NULL;
}

static void put_volume(struct table *t, const struct iov_model *model, const char *name) {
        const struct iov_volume *volume = iov_model_get(model, IOV_KIND_VOLUME, name);

        put_text(t, name);
        if (volume)
                put_size(t, volume->size);
        else
                put_null(t);
}

struct table *members_table(const struct snapshot *s, enum iov_kind kind, const char *vadapter) {
        static const struct column columns[][4] = {
                {{"nsid", COLUMN_RIGHT, ""}, {"volume", 0, ""}, {"size", COLUMN_RIGHT, ""}, {0}},
                {{"lun", COLUMN_RIGHT, ""}, {"volume", 0, ""}, {"size", COLUMN_RIGHT, ""}, {0}},
                {{"drive", COLUMN_RIGHT, ""}, {"volume", 0, ""}, {"size", COLUMN_RIGHT, ""}, {0}},
        };
        size_t k = kind == IOV_KIND_NAMESPACE ? 0 : kind == IOV_KIND_LUN ? 1 : 2;
        struct table *t = table_new(kind == IOV_KIND_NAMESPACE ? "namespaces"
                                    : kind == IOV_KIND_LUN     ? "luns"
                                                               : "drives",
                                    columns[k]);
        const struct members *members = &s->members[k];
        const struct iov_member *const *m =
                first_of(members->by_parent, members->n, offsetof(struct iov_member, parent), vadapter);

        for (; m && m < members->by_parent + members->n && strcmp((*m)->parent, vadapter) == 0; m++) {
                table_row(t);
                put_number(t, (*m)->number);
                put_volume(t, s->model, (*m)->target);
        }
        return t;
}

static struct table *users_table(const struct snapshot *s, const char *volume) {
        static const struct column columns[] = {{"name", 0, ""}, {0}};
        struct table *t = table_new("used_by", columns);

        for (size_t k = 0; k < ARRAY_LENGTH(s->members); k++) {
                const struct members *members = &s->members[k];
                const struct iov_member *const *m =
                        first_of(members->by_target, members->n, offsetof(struct iov_member, target), volume);

                for (; m && m < members->by_target + members->n && strcmp((*m)->target, volume) == 0; m++) {
                        table_row(t);
                        PUT_FIELD(t, (*m)->name);
                }
        }
        return t;
}

void volume_row(struct table *t, const struct snapshot *s, const void *record) {
        const struct iov_volume *v = record;

        PUT_FIELD(t, v->name);
        PUT_FIELD(t, v->adapter);
        put_size(t, v->size);
        put_table(t, users_table(s, v->name));
        put_text(t, iov_on_remove_to_string(v->on_remove));
        put_text(t, iov_provisioning_to_string(v->provisioning));
        put_number(t, iov_block_size_bytes(v->block_size));
        put_bool(t, v->shared);
        put_size(t, v->unreadable);
        put_number_or_null(t, v->id);
}

void member_row(struct table *t, const struct snapshot *s, const void *record) {
        const struct iov_member *member = record;

        PUT_FIELD(t, member->name);
        PUT_FIELD(t, member->parent);
        put_number(t, member->number);
        put_volume(t, s->model, member->target);
}

void namespace_row(struct table *t, const struct snapshot *s, const void *record) {
        const struct iov_namespace *ns = record;

        member_row(t, s, record);
        put_bool(t, ns->read_only);
}
