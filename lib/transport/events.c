/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The event ring in BAR2. What is in it is input like any other: strings are made to end, and to be one line. */
#include <errno.h>

#include "tables.h"
#include "util.h"

#define POLL_MS 100

static void text_clean(char *text, size_t size) {
        text[size - 1] = 0;
        for (; *text; text++)
                if ((unsigned char)*text < 0x20 || *text == 0x7f)
                        *text = '?';
}

int iov_events_get_head(struct iov_appliance *a, uint64_t *ret_number) {
        return iov_read64(a, 0, IOV_REG_EVENT_HEAD, ret_number);
}

/* Copy the events [*first, head) that are still there, `max` at most. Returns how many, -EAGAIN: the tables have changed. */
static int copy(struct tables *t, uint64_t *first, uint64_t head, struct iov_event *events, size_t max) {
        const char *why = NULL;
        uint64_t sequence = 0;
        size_t n = 0;
        int r = tables_begin(t, appliance_now_ms() + t->appliance->command_ms, &sequence);

        if (r < 0)
                return r;
        r = tables_read_directory(t, &why);
        if (r < 0)
                return r;
        const struct iov_table *ring = &t->directory[IOV_KIND_EVENT];
        bool sound = r > 0 && ring->max > 0;
        if (sound && head - *first > ring->max)
                *first = head - ring->max;
        for (; sound && n < max && *first + n < head; n++) {
                uint64_t offset = ring->offset + (*first + n) % ring->max * ring->record_size;

                r = tables_copy(t, offset, &events[n], sizeof(events[n]));
                if (r < 0)
                        return r;
        }
        r = tables_end(t, sequence);
        if (r < 0)
                return r;
        if (r == 0)
                return -EAGAIN;
        return sound ? (int)n
                     : appliance_error(t->appliance, -EPROTO, "its event table makes no sense%s%s", why ? ": " : "",
                                       why ? why : "");
}

int iov_events_read(struct iov_appliance *a, uint64_t *number, struct iov_event *ret_events, size_t max, size_t *ret_n) {
        int64_t deadline = appliance_now_ms() + a->command_ms;
        uint64_t head = 0, first = *number;
        struct tables t;
        size_t n = 0;
        int r;

        tables_init(&t, a);
        do {
                r = iov_events_get_head(a, &head);
                if (r < 0)
                        return r;
                r = first < head ? copy(&t, &first, head, ret_events, max < 1024 ? max : 1024) : 0;
        } while (r == -EAGAIN && appliance_now_ms() < deadline);
        if (r < 0)
                return r;
        /* A row that was written again meanwhile is of another event, which comes later. */
        for (int i = 0; i < r; i++) {
                if (ret_events[i].sequence != first + (uint64_t)i + 1)
                        continue;
                ret_events[n] = ret_events[i];
                text_clean(ret_events[n].object, sizeof(ret_events[n].object));
                text_clean(ret_events[n].text, sizeof(ret_events[n].text));
                n++;
        }
        *number = first + (uint64_t)r;
        *ret_n = n;
        return 0;
}

int iov_events_get_fd(struct iov_appliance *a) {
        return a->transport->ops->get_fd(a->transport);
}

int iov_events_wait(struct iov_appliance *a, uint64_t number, int timeout_ms) {
        int64_t deadline = appliance_now_ms() + timeout_ms;
        const bool is_told = iov_events_get_fd(a) >= 0;
        /* What has been told up to now is in what is looked at next. */
        int told = is_told ? a->transport->ops->wait(a->transport, 0) : 0;

        if (told < 0)
                return told;
        for (;;) {
                uint64_t head = 0;
                int r = iov_events_get_head(a, &head);

                if (r < 0 || head > number)
                        return r < 0 ? r : 1;
                int64_t left = deadline - appliance_now_ms();
                if (left <= 0)
                        return 0;
                r = a->transport->ops->wait(a->transport, is_told || left < POLL_MS ? (int)left : POLL_MS);
                if (r < 0)
                        return r;
        }
}
