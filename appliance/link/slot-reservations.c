/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reservations on the media of a slot: the memory that says what they are, questions to the control process, and its answers. */
#include "link/slot-private.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "util.h"

const struct vpc_reservation_page *slot_page(void *context, unsigned int medium) {
        const struct link_slot *s = context;

        return s->reservations && medium < VPC_MEDIA_MAX ? &s->reservations->media[medium] : NULL;
}

void slot_reserve(void *context, const struct vpc_reserve_request *request) {
        struct link_slot *s = context;

        s->asked = *request;
        s->events->reserve(s, request);
}

void slot_fenced(void *context, unsigned int medium, uint64_t change) {
        struct link_slot *s = context;

        s->events->fenced(s, medium, change, true);
}

int slot_open_reservations(struct link_slot *s, int fd) {
        void *memory = NULL;
        int r = slot_map(fd, sizeof(*s->reservations), PROT_READ, &memory);

        if (r < 0)
                return r;
        if (s->reservations)
                munmap((void *)(uintptr_t)s->reservations, sizeof(*s->reservations));
        s->reservations = memory;
        return 0;
}

static bool is_same_file(int a, int b) {
        struct stat x, y;

        return a > 0 && b > 0 && fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

int link_slot_reservations(struct link_slot *s, const struct link_message *m, int arg_fd) {
        CLEANUP_CLOSE int fd = arg_fd;

        if (!is_same_file(fd, s->escrow->reservations_fd)) {
                const int old = s->escrow->reservations_fd;
                int r = slot_open_reservations(s, fd);

                if (r < 0)
                        return r;
                s->escrow->reservations_fd = take_fd(&fd);
                if (old > 0)
                        close_fd(&old);
        }
        /* From now on it counts; what was let through before must not wait for its qos. */
        s->events->fenced(s, m->medium, m->change, false);
        qos_hurry(s->qos);
        vpc_function_fence(s->function, m->medium, m->change);
        return 0;
}

void link_slot_reserved(struct link_slot *s, const struct link_message *m) {
        if (s->asked.ticket == m->reserve.ticket)
                s->asked.ticket = 0;
        vpc_function_reserved(s->function, m->reserve.ticket, (enum vpc_reserve_result)m->result);
}

void link_slot_reserve_again(struct link_slot *s) {
        if (s->asked.ticket)
                s->events->reserve(s, &s->asked);
}
