/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Links and faults on demand. */
#include "tools/common/objects-private.h"
#include "util.h"

const struct column link_columns[] = {
        {"link", COLUMN_RIGHT, "its number"},
        {"server", 0, "the server that is cabled to it"},
        {"state", 0, "state of its LTSSM, modelled: L0 (up), detect (nobody there, or a fault), disabled, recovery"},
        {"speed", 0, "negotiated, modelled: GT/s of its PCIe generation"},
        {"width", 0, "negotiated, modelled: lanes"},
        {"max_speed", COLUMN_WIDE, "what it can do"},
        {"max_width", COLUMN_WIDE, "lanes it has"},
        {"retrains", COLUMN_RIGHT | COLUMN_WIDE, "how often it was retrained since iovd started"},
        {0},
};
const struct column fault_columns[] = {
        {"fault", COLUMN_RIGHT, "its number"},
        {"type", 0, "what is wrong"},
        {"object", 0, "what it is in: a server, a vAdapter or a volume"},
        {"value", 0, "blocks of a media error, time of a latency, commands that are still left unanswered"},
        {"hits", COLUMN_RIGHT, "how often it has struck"},
        {"first", COLUMN_RIGHT | COLUMN_DETAIL, "first block of a media error"},
        {"count", COLUMN_RIGHT | COLUMN_DETAIL, "number of blocks"},
        {"latency_ns", COLUMN_RIGHT | COLUMN_DETAIL, "of a latency"},
        {"commands", COLUMN_RIGHT | COLUMN_DETAIL, "that are still left unanswered"},
        {0},
};

/* PCI Express Base 5.0 section 1.2: what a lane carries, by generation. */
static void put_speed(struct table *t, uint32_t generation) {
        static const char *const speeds[] = {NULL, "2.5GT/s", "5GT/s", "8GT/s", "16GT/s", "32GT/s"};

        put_text(t, generation < ARRAY_LENGTH(speeds) ? speeds[generation] : NULL);
}

static void put_width(struct table *t, uint32_t lanes) {
        CLEANUP_FREE char *text = lanes ? xasprintf("x%u", lanes) : NULL;

        put_text(t, text);
}

void link_row(struct table *t, const struct snapshot *s, const void *record) {
        const struct iov_link *l = record;

        put_number(t, l->number);
        PUT_FIELD(t, l->server);
        put_text(t, iov_link_state_to_string(l->state));
        put_speed(t, l->speed);
        put_width(t, l->width);
        put_speed(t, l->max_speed);
        put_width(t, l->max_width);
        put_number(t, l->retrains);
}

static char *value_text(const struct iov_fault *f) {
        unsigned long long first = f->first, last = f->first + f->count - 1, value = f->value;

        switch (f->type) {
        case IOV_FAULT_MEDIA_ERROR:
                return f->count == 1 ? xasprintf("block %llu", first) : xasprintf("blocks %llu-%llu", first, last);
        case IOV_FAULT_LATENCY:
                return value % 1000000000 == 0 ? xasprintf("%llus", value / 1000000000)
                       : value % 1000000 == 0  ? xasprintf("%llums", value / 1000000)
                       : value % 1000 == 0     ? xasprintf("%lluus", value / 1000)
                                               : xasprintf("%lluns", value);
        case IOV_FAULT_MAILBOX_TIMEOUT:
                return xasprintf("%llu left", value);
        default:
                return NULL;
        }
}

void fault_row(struct table *t, const struct snapshot *s, const void *record) {
        const struct iov_fault *f = record;
        CLEANUP_FREE char *value = value_text(f);

        PUT_FIELD(t, f->name);
        put_text(t, iov_fault_type_to_string(f->type));
        PUT_FIELD(t, f->object);
        put_text(t, value);
        put_number(t, f->hits);
        if (f->type == IOV_FAULT_MEDIA_ERROR) {
                put_number(t, f->first);
                put_number(t, f->count);
        } else {
                put_null(t);
                put_null(t);
        }
        put_number_or_null(t, f->type == IOV_FAULT_LATENCY ? f->value : 0);
        put_number_or_null(t, f->type == IOV_FAULT_MAILBOX_TIMEOUT ? f->value : 0);
}
