/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "media/medium.h"

#include <errno.h>
#include <stddef.h>

#include "media/file.h"
#include "media/ram.h"
#include "util.h"

struct medium {
        struct loop *loop;
        struct media_file *file;
        struct media_ram *ram;
        /* Requests of memory that were submitted nevertheless: they are done, and end in their turn. */
        struct loop_end end;
        struct vpc_io *ended, **ended_end;
};

static void on_end(struct loop_end *end) {
        struct medium *medium = (struct medium *)((char *)end - offsetof(struct medium, end));
        struct vpc_io *io = TAKE_PTR(medium->ended), *next = NULL;

        medium->ended_end = &medium->ended;
        for (; io; io = next) { /* the last one may free the medium */
                next = io->private.next;
                io->private.finish(io, -(int)io->private.progress);
        }
}

int medium_new(struct loop *loop, unsigned int kind, int arg_fd, uint64_t size, struct medium **ret_medium) {
        CLEANUP_CLOSE int fd = arg_fd;
        CLEANUP_FREE struct medium *medium = NULL;
        int r = 0;

        if (kind >= MEDIUM_KINDS)
                return -EINVAL;
        medium = calloc(1, sizeof(*medium));
        if (!medium)
                return -ENOMEM;
        *medium = (struct medium){.loop = loop, .end = {.fn = on_end}, .ended_end = &medium->ended};
        r = kind == MEDIUM_RAM ? media_ram_new(take_fd(&fd), size, &medium->ram)
                               : media_file_new(loop, take_fd(&fd), size, &medium->file);
        if (r < 0)
                return r;
        *ret_medium = TAKE_PTR(medium);
        return 0;
}

void medium_free(struct medium *medium) {
        if (!medium)
                return;
        loop_end_cancel(medium->loop, &medium->end);
        media_file_free(medium->file);
        media_ram_free(medium->ram);
        free(medium);
}

bool medium_try(struct medium *medium, struct vpc_io *io, int *ret_error) {
        if (!medium->ram)
                return false;
        *ret_error = media_ram_do(medium->ram, io);
        return true;
}

void medium_submit(struct medium *medium, struct vpc_io *io) {
        if (!medium->ram) {
                media_file_submit(medium->file, io);
                return;
        }
        io->private.progress = (uint64_t)-media_ram_do(medium->ram, io);
        io->private.next = NULL;
        *medium->ended_end = io;
        medium->ended_end = &io->private.next;
        loop_at_end(medium->loop, &medium->end);
}
