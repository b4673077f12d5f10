/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "media/ram-clear.h"

#include <errno.h>
#include <stdlib.h>

#include "util.h"

/* What takes about 100 us: memory that is written to for the first time, and memory that is given back. */
#define ZERO_PIECE (UINT64_C(128) << 10)
#define DISCARD_PIECE (UINT64_C(512) << 10)

/* How far a request is, is in private.progress. */
struct ram_clear {
        struct media_ram *ram;
        struct loop_source *timer;
        struct vpc_io *first, **end;
        void (*ended)(void *userdata, struct vpc_io *io, int error);
        void *userdata;
};

/* 0: it is none of these. */
static uint64_t piece_of(const struct ram_clear *clear, const struct vpc_io *io) {
        if (media_ram_gives_back(clear->ram, io))
                return DISCARD_PIECE;
        return io->op == VPC_IO_ZERO || io->op == VPC_IO_DISCARD ? ZERO_PIECE : 0;
}

/* One piece a round of the loop. The range is judged with each: the medium may have another size by now. */
static void on_timer(void *userdata) {
        struct ram_clear *clear = userdata;
        struct vpc_io *io = clear->first;

        if (!io)
                return;
        const uint64_t piece = piece_of(clear, io), left = io->length - io->private.progress;
        const struct vpc_io part = {
                .op = io->op, .offset = io->offset + io->private.progress, .length = left < piece ? left : piece};
        int error = media_ram_do(clear->ram, &part);

        io->private.progress += part.length;
        if (error == 0 && io->private.progress < io->length) {
                loop_timer_set(clear->timer, 0);
                return;
        }
        clear->first = io->private.next;
        if (clear->first)
                loop_timer_set(clear->timer, 0);
        else
                clear->end = &clear->first;
        clear->ended(clear->userdata, io, error);
}

int ram_clear_new(struct loop *loop, struct media_ram *ram, void (*ended)(void *userdata, struct vpc_io *io, int error),
                  void *userdata, struct ram_clear **ret_clear) {
        CLEANUP_FREE struct ram_clear *clear = calloc(1, sizeof(*clear));

        if (!clear)
                return -ENOMEM;
        *clear = (struct ram_clear){.ram = ram, .ended = ended, .userdata = userdata, .end = &clear->first};
        int r = loop_add_timer(loop, UINT64_MAX, on_timer, clear, &clear->timer);
        if (r < 0)
                return r;
        *ret_clear = TAKE_PTR(clear);
        return 0;
}

void ram_clear_free(struct ram_clear *clear) {
        if (!clear)
                return;
        loop_source_remove(clear->timer);
        free(clear);
}

bool ram_clear_is_long(const struct ram_clear *clear, const struct vpc_io *io) {
        const uint64_t piece = piece_of(clear, io);

        return piece && io->length > piece;
}

void ram_clear_submit(struct ram_clear *clear, struct vpc_io *io) {
        io->private.progress = 0;
        io->private.next = NULL;
        if (!clear->first)
                loop_timer_set(clear->timer, 0);
        *clear->end = io;
        clear->end = &io->private.next;
}

bool ram_clear_is_idle(const struct ram_clear *clear) {
        return !clear->first;
}
