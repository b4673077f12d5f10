/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The appliance's earlier generations. What it says of them is input like any other: nothing is used before it was checked. */
#include <errno.h>

#include "appliance.h"
#include "crc32c.h"
#include "util.h"

int iov_history_list(struct iov_appliance *a, struct iov_mb_history_entry **ret_entries, size_t *ret_n) {
        CLEANUP_FREE struct iov_mb_history_entry *entries = malloc(a->payload_size);
        size_t length = 0;

        if (!entries)
                return -ENOMEM;
        int r = iov_command(a, IOV_OP_HISTORY_LIST, NULL, 0, entries, a->payload_size, &length, NULL);
        if (r < 0)
                return r;
        size_t n = length / sizeof(*entries);
        bool valid = length % sizeof(*entries) == 0;
        for (size_t i = 1; i < n && valid; i++)
                valid = entries[i].generation > entries[i - 1].generation;
        if (!valid)
                return appliance_error(a, -EPROTO, "its history cannot be read: the generations are not in order, or cut off");
        *ret_entries = TAKE_PTR(entries);
        *ret_n = n;
        return 0;
}

/* ---- one generation ---- */

/* The bytes of a generation as they come. */
struct pieces {
        struct iov_appliance *appliance;
        struct iov_mb_history_part first; /* what the first piece said of all */
        unsigned char *bytes;             /* room for first.length */
        size_t done;
};

/* Past identities, links that were held down and faults are kept with the rest, and are nothing to go back to. */
static bool is_kept(unsigned int kind) {
        return kind < IOV_KIND_COUNT && iov_kind_is_object((enum iov_kind)kind);
}

/* More than tables that are full can hold is nonsense. */
static uint64_t length_max(void) {
        uint64_t max = 0;

        for (unsigned int kind = 0; kind < IOV_KIND_COUNT; kind++) {
                const struct iov_record_info *info = iov_records_get((enum iov_kind)kind);

                if (is_kept(kind))
                        max += (uint64_t)info->max * (sizeof(struct iov_mb_op) + info->size);
        }
        return max;
}

static int pieces_broken(const struct pieces *p, const char *why) {
        return appliance_error(p->appliance, -EPROTO, "generation %llu cannot be read: %s",
                               (unsigned long long)p->first.generation, why);
}

/* Read one more piece; `buffer` has room for a whole payload. */
static int pieces_next(struct pieces *p, unsigned char *buffer) {
        const struct iov_mb_history_read request = {.generation = p->first.generation, .offset = p->done};
        struct iov_mb_history_part part;
        struct iov_mb_error error;
        size_t length = 0;
        int r = iov_command(p->appliance, IOV_OP_HISTORY_READ, &request, sizeof(request), buffer, p->appliance->payload_size,
                            &length, &error);

        if (r < 0)
                return *error.text ? appliance_error(p->appliance, r, "%s", error.text) : r;
        if (length < sizeof(part))
                return pieces_broken(p, "a reply that is too short");
        memcpy(&part, buffer, sizeof(part));
        length -= sizeof(part);
        if (!p->bytes) {
                if (part.length > length_max())
                        return pieces_broken(p, "an impossible length");
                p->bytes = malloc((size_t)part.length + 1);
                if (!p->bytes)
                        return -ENOMEM;
                p->first.length = part.length;
                p->first.n_objects = part.n_objects;
                p->first.checksum = part.checksum;
        }
        if (part.generation != request.generation || part.offset != request.offset || part.length != p->first.length ||
            part.n_objects != p->first.n_objects || part.checksum != p->first.checksum)
                return pieces_broken(p, "the pieces are not of one whole");
        if (length > p->first.length - p->done || (length == 0 && p->done < p->first.length))
                return pieces_broken(p, length ? "there is something behind its end" : "its end is missing");
        memcpy(p->bytes + p->done, buffer + sizeof(part), length);
        p->done += length;
        return 0;
}

/* Add the object that begins at `offset`; returns the offset behind it. */
static ssize_t put_object(const struct pieces *p, size_t offset, struct iov_model *model) {
        uint64_t record[IOV_VADAPTER_RECORD_SIZE / sizeof(uint64_t)]; /* aligned for any record, room for the largest */
        struct iov_mb_op op;

        if (p->done - offset < sizeof(op))
                return pieces_broken(p, "an object is cut off");
        memcpy(&op, p->bytes + offset, sizeof(op));
        offset += sizeof(op);
        if (op.verb != IOV_VERB_SET || !is_kept(op.kind) || op.size < IOV_NAME_SIZE ||
            op.size > iov_records_get((enum iov_kind)op.kind)->size || op.size > sizeof(record) || op.size > p->done - offset)
                return pieces_broken(p, "an object is malformed");
        /* Of a version whose records were shorter: what came to them later is zero. */
        memset(record, 0, sizeof(record));
        memcpy(record, p->bytes + offset, op.size);
        if (!iov_kind_is_config((enum iov_kind)op.kind))
                return (ssize_t)(offset + op.size);
        if (record_check((enum iov_kind)op.kind, record))
                return pieces_broken(p, "an object has a malformed field");
        if (iov_model_get(model, (enum iov_kind)op.kind, (const char *)record))
                return pieces_broken(p, "an object comes twice");
        int r = iov_model_set(model, (enum iov_kind)op.kind, record);
        return r < 0 ? r : (ssize_t)(offset + op.size);
}

static int put_objects(const struct pieces *p, struct iov_model *model) {
        uint32_t n = 0;

        if (p->first.checksum != crc32c(p->bytes, p->done))
                return pieces_broken(p, "its checksum is wrong: damaged");
        for (size_t offset = 0; offset < p->done; n++) {
                ssize_t next = put_object(p, offset, model);

                if (next < 0)
                        return (int)next;
                offset = (size_t)next;
        }
        return n == p->first.n_objects ? 0 : pieces_broken(p, "the number of its objects is wrong");
}

int iov_history_load(struct iov_appliance *a, uint64_t generation, struct iov_model **ret_model) {
        struct pieces p = {.appliance = a, .first = {.generation = generation}};
        CLEANUP_FREE unsigned char *buffer = malloc(a->payload_size);
        struct iov_model *model = NULL;
        int r = buffer ? 0 : -ENOMEM;

        if (r == 0)
                do
                        r = pieces_next(&p, buffer);
                while (r == 0 && p.done < p.first.length);
        if (r == 0)
                r = iov_model_new(a->ctx, &model);
        if (r == 0)
                r = put_objects(&p, model);
        free(p.bytes);
        if (r < 0) {
                iov_model_unref(model);
                return r;
        }
        iov_model_set_generation(model, generation);
        *ret_model = model;
        return 0;
}
