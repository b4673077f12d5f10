/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "iove/faults.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

/* What each type is in, and whether a simulator, which serves nobody and moves no data, can have it. */
static const struct {
        enum iov_kind kind; /* IOV_KIND_TABLE: the appliance itself */
        bool sim;
} types[] = {
        [IOV_FAULT_LINK_DOWN] = {IOV_KIND_SERVER, true},      [IOV_FAULT_SURPRISE_REMOVAL] = {IOV_KIND_VADAPTER, false},
        [IOV_FAULT_MEDIA_ERROR] = {IOV_KIND_VOLUME, false},   [IOV_FAULT_LATENCY] = {IOV_KIND_VADAPTER, false},
        [IOV_FAULT_VOLUME_FULL] = {IOV_KIND_VOLUME, false},   [IOV_FAULT_WORKER_CRASH] = {IOV_KIND_SERVER, false},
        [IOV_FAULT_MAILBOX_TIMEOUT] = {IOV_KIND_TABLE, true},
};

const struct iov_fault *faults_find(const struct iov_model *m, enum iov_fault_type type, const char *object) {
        const struct iov_fault *f;

        iov_model_foreach (m, IOV_KIND_FAULT, f)
                if (f->type == type && strcmp(f->object, object) == 0)
                        return f;
        return NULL;
}

static uint64_t number_of(const struct iov_fault *f) {
        return strtoull(f->name, NULL, 10);
}

static int check_values(const struct iov_model *m, const struct iov_fault *f, struct iove_refusal *refusal) {
        const struct iov_volume *v = iov_model_get(m, IOV_KIND_VOLUME, f->object);

        switch (f->type) {
        case IOV_FAULT_MEDIA_ERROR:
                /* Blocks are those of the namespaces: 512 bytes. */
                if (!f->count || f->first >= v->size / 512 || f->count > v->size / 512 - f->first)
                        return iove_refuse(refusal, IOV_RET_INVALID_INPUT, UINT32_MAX, "volume %s: it has blocks 0 to %llu",
                                           v->name, (unsigned long long)v->size / 512 - 1);
                return 0;
        case IOV_FAULT_LATENCY:
                if (!f->value || f->value > FAULT_DELAY_MAX)
                        return iove_refuse(refusal, IOV_RET_INVALID_INPUT, UINT32_MAX,
                                           "a latency is more than 0, and 60 s at most");
                return 0;
        case IOV_FAULT_MAILBOX_TIMEOUT:
                if (!f->value || f->value > FAULT_COMMANDS_MAX)
                        return iove_refuse(refusal, IOV_RET_INVALID_INPUT, UINT32_MAX, "1 to %u commands can be left unanswered",
                                           FAULT_COMMANDS_MAX);
                return 0;
        default:
                return 0;
        }
}

static int check(const struct iov_model *m, const struct iov_fault *f, bool sim, struct iove_refusal *refusal) {
        if (f->type == 0 || f->type >= ARRAY_LENGTH(types))
                return iove_refuse(refusal, IOV_RET_INVALID_INPUT, UINT32_MAX, "FAULT_INJECT: unknown type %u", f->type);
        enum iov_kind kind = types[f->type].kind;
        if (!memchr(f->object, 0, sizeof(f->object)) || (kind == IOV_KIND_TABLE && *f->object))
                return iove_refuse(refusal, IOV_RET_INVALID_INPUT, UINT32_MAX, "FAULT_INJECT: malformed object");
        if (sim && !types[f->type].sim)
                return iove_refuse(refusal, IOV_RET_UNSUPPORTED, UINT32_MAX,
                                   "%s: a simulator serves nobody and moves no data: inject it into a running iovd",
                                   iov_fault_type_to_string(f->type));
        if (kind != IOV_KIND_TABLE && !iov_model_get(m, kind, f->object))
                return iove_refuse(refusal, IOV_RET_NOT_FOUND, UINT32_MAX, "%s: no such %s", f->object,
                                   iov_records_get(kind)->name);
        return check_values(m, f, refusal);
}

int faults_add(struct iov_model *candidate, struct iov_fault *fault, bool sim, struct iove_refusal *refusal) {
        const struct iov_fault *other;
        uint64_t last = 0;
        int r = check(candidate, fault, sim, refusal);

        if (r < 0)
                return r;
        struct iov_fault f = {.type = fault->type, .first = fault->first, .count = fault->count, .value = fault->value};
        field_set(f.object, sizeof(f.object), fault->object);
        if (f.type != IOV_FAULT_MEDIA_ERROR)
                f.first = f.count = 0;
        if (f.type != IOV_FAULT_LATENCY && f.type != IOV_FAULT_MAILBOX_TIMEOUT)
                f.value = 0;
        iov_model_foreach (candidate, IOV_KIND_FAULT, other)
                last = number_of(other) > last ? number_of(other) : last;
        snprintf(f.name, sizeof(f.name), "%llu", (unsigned long long)last + 1);
        r = iov_model_set(candidate, IOV_KIND_FAULT, &f);
        if (r == -E2BIG)
                return iove_refuse(refusal, IOV_RET_LIMIT, UINT32_MAX, "there are %u faults already: clear some", IOV_FAULT_MAX);
        if (r == 0)
                *fault = f;
        return r;
}

/* Remove all that `gone` says; returns how many. */
static int remove_faults(struct iov_model *m, bool (*gone)(const struct iov_model *m, const struct iov_fault *f)) {
        CLEANUP_FREE const void **records = NULL;
        int n = iov_model_sorted(m, IOV_KIND_FAULT, &records), removed = 0;

        for (int i = 0; i < n; i++) {
                char name[IOV_NAME_SIZE];

                if (!gone(m, records[i]))
                        continue;
                memcpy(name, records[i], sizeof(name));
                int r = iov_model_remove(m, IOV_KIND_FAULT, name);
                if (r < 0)
                        return r;
                removed++;
        }
        return n < 0 ? n : removed;
}

static bool is_any(const struct iov_model *m, const struct iov_fault *f) {
        return true;
}

static bool is_over(const struct iov_model *m, const struct iov_fault *f) {
        if (f->type == 0 || f->type >= ARRAY_LENGTH(types))
                return true;
        if (f->type == IOV_FAULT_MAILBOX_TIMEOUT)
                return f->value == 0;
        return !iov_model_get(m, types[f->type].kind, f->object);
}

int faults_clear(struct iov_model *candidate, const char *name, struct iove_refusal *refusal) {
        int r = *name ? iov_model_remove(candidate, IOV_KIND_FAULT, name) : remove_faults(candidate, is_any);

        if (r == -ENOENT)
                return iove_refuse(refusal, IOV_RET_NOT_FOUND, UINT32_MAX, "%s: no such fault", name);
        return r < 0 ? r : 0;
}

int faults_prune(struct iov_model *m) {
        return remove_faults(m, is_over);
}
