/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The operations of a transaction, carried out on a model: set, remove, rename. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "iove/identity.h"
#include "iove/rules.h"
#include "iove/transaction-private.h"
#include "util.h"

struct application {
        struct iov_model *model;
        uint64_t *last_id;
        uint64_t now_ns;
        struct identities *identities; /* NULL: no vAdapter is set */
        uint32_t index;                /* of the operation at hand */
        struct iove_refusal *refusal;
};

/* Status fields are the appliance's: what a request carries there is replaced by what is known, or by nothing. */
static void keep_status(enum iov_kind kind, void *record, const void *old) {
        const struct iov_record_info *info = iov_records_get(kind);

        for (unsigned int i = 0; i < info->n_fields; i++) {
                const struct iov_rfield_info *f = &info->fields[i];
                size_t n = (size_t)f->size * f->count;

                if (f->role == IOV_ROLE_RESERVED || (f->role == IOV_ROLE_STATUS && !old))
                        memset((char *)record + f->offset, 0, n);
                else if (f->role == IOV_ROLE_STATUS)
                        memcpy((char *)record + f->offset, (const char *)old + f->offset, n);
        }
}

/* Strings are compared byte by byte from here on, so what stands behind the NUL must be zero. */
static void pad_strings(enum iov_kind kind, void *record) {
        const struct iov_record_info *info = iov_records_get(kind);

        for (unsigned int i = 0; i < info->n_fields; i++)
                if (info->fields[i].type == IOV_TYPE_chars) {
                        char *s = (char *)record + info->fields[i].offset;
                        size_t n = strnlen(s, info->fields[i].count);

                        memset(s + n, 0, info->fields[i].count - n);
                }
}

/* The multiplier and increment are those of drand48(3): odd increment, multiplier 1 modulo 4, hence every number once. */
uint64_t iove_id_next(uint64_t *last_id) {
        do
                *last_id = (*last_id * UINT64_C(0x5deece66d) + 0xb) & IOVE_ID_MASK;
        while (*last_id == 0); /* stands for none */
        return *last_id;
}

/* ---- set ---- */

static bool identities_same(const struct iov_vadapter *a, const struct iov_vadapter *b) {
        for (unsigned int t = 0; t < IOV_IDENTITY_COUNT; t++)
                if (strcmp(identity_of(a, (enum iov_identity_type)t), identity_of(b, (enum iov_identity_type)t)) != 0)
                        return false;
        return true;
}

static int finish_vadapter(struct application *a, const struct iov_vadapter *old, struct iov_vadapter *v) {
        const struct iov_adapter *adapter = iov_model_get(a->model, IOV_KIND_ADAPTER, v->adapter);
        int r = 0;

        if (!old)
                v->id = iove_id_next(a->last_id);
        if (!*v->server)
                v->slot = 0;
        if (adapter)
                r = iove_goes_on(identities_choose(a->identities, a->model, adapter->kind, old, v, a->index, a->refusal));
        if (r == 0 && (!old || !identities_same(old, v)))
                v->since_ns = a->now_ns;
        return r;
}

static int apply_set(struct application *a, enum iov_kind kind, const void *wanted, bool *ret_changed) {
        union {
                struct iov_volume volume;
                struct iov_vadapter vadapter;
                unsigned char bytes[IOV_VADAPTER_RECORD_SIZE]; /* room for the largest */
        } r;
        const void *old = iov_model_get(a->model, kind, wanted);
        int e = 0;

        memcpy(&r, wanted, iov_records_get(kind)->size);
        keep_status(kind, &r, old);
        pad_strings(kind, &r);
        if (kind == IOV_KIND_VOLUME && !old)
                r.volume.id = iove_id_next(a->last_id);
        if (kind == IOV_KIND_VADAPTER)
                e = finish_vadapter(a, old, &r.vadapter);
        if (e < 0)
                return e;
        *ret_changed = !old || !iov_record_same_config(kind, old, &r);
        return *ret_changed ? iov_model_set(a->model, kind, &r) : 0;
}

/* ---- remove ---- */

static int remove_members(struct iov_model *m, enum iov_kind kind, const char *parent) {
        const struct iov_member_info *info = iov_member_info(kind);
        uint32_t max = info->max == UINT32_MAX ? iov_model_get_slots(m) : info->max;

        if (!iov_model_count(m, kind))
                return 0;
        for (uint32_t n = info->min; n <= max; n++) {
                const struct iov_member *member = iov_member_get(m, kind, parent, n);

                if (!member)
                        continue;
                int r = iov_model_remove(m, kind, member->name);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* What is part of it goes with it: a vAdapter's volumes are shown no more, a profile's slots are no more. */
static int apply_remove(struct iov_model *m, enum iov_kind kind, const char *name) {
        char copy[IOV_NAME_SIZE];
        int r = 0;

        memcpy(copy, name, sizeof(copy));
        if (kind == IOV_KIND_VADAPTER) {
                r = remove_members(m, IOV_KIND_NAMESPACE, copy);
                if (r == 0)
                        r = remove_members(m, IOV_KIND_LUN, copy);
                if (r == 0)
                        r = remove_members(m, IOV_KIND_DRIVE, copy);
        } else if (kind == IOV_KIND_PROFILE) {
                r = remove_members(m, IOV_KIND_PROFILE_SLOT, copy);
        }
        return r < 0 ? r : iov_model_remove(m, kind, copy);
}

/* ---- rename ---- */

/* The fields that name objects of another kind. */
static const struct {
        enum iov_kind kind, names;
        size_t offset;
} references[] = {
        {IOV_KIND_SERVER, IOV_KIND_PROFILE, offsetof(struct iov_server, profile)},
        {IOV_KIND_VADAPTER, IOV_KIND_SERVER, offsetof(struct iov_vadapter, server)},
        {IOV_KIND_VADAPTER, IOV_KIND_NETWORK, offsetof(struct iov_vadapter, network)},
        {IOV_KIND_VADAPTER, IOV_KIND_QOS, offsetof(struct iov_vadapter, qos)},
        {IOV_KIND_NAMESPACE, IOV_KIND_VADAPTER, offsetof(struct iov_member, parent)},
        {IOV_KIND_NAMESPACE, IOV_KIND_VOLUME, offsetof(struct iov_member, target)},
        {IOV_KIND_LUN, IOV_KIND_VADAPTER, offsetof(struct iov_member, parent)},
        {IOV_KIND_LUN, IOV_KIND_VOLUME, offsetof(struct iov_member, target)},
        {IOV_KIND_DRIVE, IOV_KIND_VADAPTER, offsetof(struct iov_member, parent)},
        {IOV_KIND_DRIVE, IOV_KIND_VOLUME, offsetof(struct iov_member, target)},
        {IOV_KIND_PROFILE_SLOT, IOV_KIND_PROFILE, offsetof(struct iov_member, parent)},
        {IOV_KIND_PROFILE_SLOT, IOV_KIND_VADAPTER, offsetof(struct iov_member, target)},
};

/* One record under a new name, or naming something by its new name. */
static int replace(struct iov_model *m, enum iov_kind kind, const void *record, size_t offset, const char *new) {
        unsigned char copy[IOV_VADAPTER_RECORD_SIZE] __attribute__((aligned(8)));
        char old_name[IOV_NAME_SIZE];

        memcpy(copy, record, iov_records_get(kind)->size);
        memcpy(old_name, record, sizeof(old_name));
        field_set((char *)copy + offset, IOV_NAME_SIZE, new);
        if (iov_member_info(kind) && offset == offsetof(struct iov_member, parent)) {
                struct iov_member *member = (struct iov_member *)(void *)copy;
                int r = iov_member_init(member, new, member->number);

                if (r < 0)
                        return r;
        }
        if (strcmp((const char *)copy, old_name) != 0) {
                int r = iov_model_remove(m, kind, old_name);

                if (r < 0)
                        return r;
        }
        return iov_model_set(m, kind, copy);
}

static int apply_rename(struct application *a, enum iov_kind kind, const char *name, const char *new) {
        const void *record = iov_model_get(a->model, kind, name);

        if (!record)
                return -ENOENT;
        if (iov_model_get(a->model, kind, new))
                return iove_refuse_also(a->refusal, IOV_RET_EXISTS, a->index, "there is a %s %s already",
                                        iov_records_get(kind)->name, new);
        int r = replace(a->model, kind, record, 0, new);
        for (size_t i = 0; r == 0 && i < ARRAY_LENGTH(references); i++) {
                CLEANUP_FREE const void **records = NULL;
                int n = references[i].names == kind ? iov_model_sorted(a->model, references[i].kind, &records) : 0;

                for (int k = 0; r == 0 && k < n; k++)
                        if (strcmp((const char *)records[k] + references[i].offset, name) == 0)
                                r = replace(a->model, references[i].kind, records[k], references[i].offset, new);
                if (n < 0)
                        r = n;
        }
        return r;
}

/* ---- all ---- */

/* What is there, and what the operations give: nothing of it may be chosen for somebody else. `have` is not changed meanwhile. */
static int index_identities(const struct iove_transaction *t, const struct iov_model *have, struct application *a) {
        bool wanted = false;
        int r = 0;

        for (size_t i = 0; i < t->n_operations && !wanted; i++)
                wanted = t->operations[i].kind == IOV_KIND_VADAPTER && t->operations[i].verb == IOV_VERB_SET;
        if (wanted)
                r = identities_new(have, a->now_ns, &a->identities);
        for (size_t i = 0; r == 0 && wanted && i < t->n_operations; i++)
                if (t->operations[i].kind == IOV_KIND_VADAPTER && t->operations[i].verb == IOV_VERB_SET)
                        r = identities_note(a->identities, (const void *)(t->records + t->operations[i].offset));
        return r;
}

static int apply_operation(struct application *a, const struct operation *op, const char *record, uint32_t *changed) {
        enum iov_kind kind = (enum iov_kind)op->kind;
        bool did = true;
        int r;

        switch (op->verb) {
        case IOV_VERB_SET:
                r = apply_set(a, kind, record, &did);
                break;
        case IOV_VERB_REMOVE:
                r = apply_remove(a->model, kind, record);
                break;
        default:
                r = apply_rename(a, kind, record, record + IOV_NAME_SIZE);
        }
        if (r == -ENOENT)
                return iove_refuse_also(a->refusal, IOV_RET_NOT_FOUND, a->index, "there is no %s %s to %s",
                                        iov_records_get(kind)->name, record, op->verb == IOV_VERB_REMOVE ? "remove" : "rename");
        if (r == -E2BIG)
                return iove_refuse_also(a->refusal, IOV_RET_LIMIT, a->index, "%s %s: there is room for %u of this kind",
                                        iov_records_get(kind)->name, record, iov_records_get(kind)->max);
        *changed += r == 0 && did;
        return r;
}

int iove_apply(const struct iove_transaction *t, const struct iov_model *have, struct iov_model *model, uint64_t *last_id,
               uint64_t now_ns, uint32_t *ret_changed, struct iove_refusal *refusal) {
        struct application a = {.model = model, .last_id = last_id, .now_ns = now_ns, .refusal = refusal};
        bool refused = false;
        uint32_t changed = 0;
        int r = index_identities(t, have, &a);

        for (size_t i = 0; r == 0 && i < t->n_operations; i++) {
                a.index = (uint32_t)i;
                r = apply_operation(&a, &t->operations[i], (const char *)t->records + t->operations[i].offset, &changed);
                refused |= r == -EBADMSG;
                r = iove_goes_on(r);
        }
        identities_free(a.identities);
        if (r == 0)
                *ret_changed = changed;
        return r == 0 && refused ? -EBADMSG : r;
}
