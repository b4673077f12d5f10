/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "media/medium.h"

#include <errno.h>
#include <stddef.h>

#include "media/file.h"
#include "media/ram-clear.h"
#include "media/ram.h"
#include "util.h"

struct medium {
        struct loop *loop;
        struct media_file *file;
        struct media_ram *ram;
        struct ram_clear *clear; /* of memory: what is not done at once */
        struct media_nbd *nbd;
        /* Requests of memory that were submitted nevertheless: they are done, and end in their turn. */
        struct loop_end end;
        struct vpc_io *ended, **ended_end;
        void (*retired)(void *userdata); /* NULL: in use */
        void *retired_userdata;
};

static void retire(void *userdata) {
        struct medium *medium = userdata;
        void (*retired)(void *userdata) = medium->retired;
        void *retired_userdata = medium->retired_userdata;

        medium_free(medium);
        retired(retired_userdata);
}

/* They free themselves. */
static void on_part_retired(void *userdata) {
        struct medium *medium = userdata;

        medium->file = NULL;
        medium->nbd = NULL;
        retire(medium);
}

static bool is_idle(const struct medium *medium) {
        return !medium->ended && ram_clear_is_idle(medium->clear);
}

static void on_end(struct loop_end *end) {
        struct medium *medium = (struct medium *)((char *)end - offsetof(struct medium, end));
        struct vpc_io *io = TAKE_PTR(medium->ended), *next = NULL;

        const bool is_last = medium->retired != NULL;

        medium->ended_end = &medium->ended;
        for (; io; io = next) { /* the last one may free the medium, where it is not retired */
                next = io->private.next;
                io->private.finish(io, -(int)io->private.progress);
        }
        if (is_last && is_idle(medium))
                retire(medium);
}

/* Last of all: whoever is told may free the medium, where it is not retired. */
static void on_cleared(void *userdata, struct vpc_io *io, int error) {
        struct medium *medium = userdata;
        const bool is_last = medium->retired && is_idle(medium);

        io->private.finish(io, error);
        if (is_last)
                retire(medium);
}

int medium_new(struct loop *loop, unsigned int kind, int arg_fd, uint64_t size, const struct media_nbd_events *events,
               void *userdata, struct medium **ret_medium) {
        CLEANUP_CLOSE int fd = arg_fd;
        CLEANUP_FREE struct medium *medium = NULL;
        int r = 0;

        if (kind >= MEDIUM_KINDS)
                return -EINVAL;
        medium = calloc(1, sizeof(*medium));
        if (!medium)
                return -ENOMEM;
        *medium = (struct medium){.loop = loop, .end = {.fn = on_end}, .ended_end = &medium->ended};
        if (kind == MEDIUM_RAM)
                r = media_ram_new(take_fd(&fd), size, &medium->ram);
        else if (kind == MEDIUM_NBD)
                r = media_nbd_new(loop, take_fd(&fd), size, events, userdata, &medium->nbd);
        else
                r = media_file_new(loop, take_fd(&fd), size, &medium->file);
        if (r == 0 && medium->ram)
                r = ram_clear_new(loop, medium->ram, on_cleared, medium, &medium->clear);
        if (r < 0) {
                media_ram_free(medium->ram);
                return r;
        }
        *ret_medium = TAKE_PTR(medium);
        return 0;
}

void medium_free(struct medium *medium) {
        if (!medium)
                return;
        loop_end_cancel(medium->loop, &medium->end);
        media_file_free(medium->file);
        ram_clear_free(medium->clear);
        media_ram_free(medium->ram);
        media_nbd_free(medium->nbd);
        free(medium);
}

void medium_resize(struct medium *medium, uint64_t size) {
        if (medium->ram)
                media_ram_resize(medium->ram, size);
        else if (medium->nbd)
                media_nbd_resize(medium->nbd, size);
        else
                media_file_resize(medium->file, size);
}

void medium_set_keeps_space(struct medium *medium, bool keeps) {
        if (medium->file)
                media_file_set_keeps_space(medium->file, keeps);
        else if (medium->ram)
                media_ram_set_keeps_space(medium->ram, keeps);
}

bool medium_set_cache(struct medium *medium, enum media_cache cache) {
        return medium->file && media_file_set_cache(medium->file, cache);
}

void medium_retire(struct medium *medium, void (*done)(void *userdata), void *userdata) {
        medium->retired = done;
        medium->retired_userdata = userdata;
        if (medium->file)
                media_file_retire(medium->file, on_part_retired, medium);
        else if (medium->nbd)
                media_nbd_retire(medium->nbd, on_part_retired, medium);
        else if (is_idle(medium))
                retire(medium);
}

void medium_take_up(struct medium *medium, int fd) {
        if (medium->nbd)
                media_nbd_take_up(medium->nbd, fd);
}

void medium_connected(struct medium *medium, uint64_t number, int fd, const char *why) {
        if (medium->nbd)
                media_nbd_connected(medium->nbd, number, fd, why);
        else
                close_fd(&fd);
}

void medium_ask_again(struct medium *medium) {
        if (medium->nbd)
                media_nbd_ask_again(medium->nbd);
}

void medium_hurry(struct medium *medium) {
        if (medium->nbd)
                media_nbd_hurry(medium->nbd);
}

bool medium_try(struct medium *medium, struct vpc_io *io, int *ret_error) {
        if (!medium->ram)
                return medium->file && media_file_try(medium->file, io, ret_error);
        if (ram_clear_is_long(medium->clear, io) && media_ram_has(medium->ram, io))
                return false;
        *ret_error = media_ram_do(medium->ram, io);
        return true;
}

void medium_expect(struct medium *medium, uint64_t offset, uint64_t length) {
        if (medium->ram)
                media_ram_expect(medium->ram, offset, length);
}

void medium_submit(struct medium *medium, struct vpc_io *io) {
        if (!medium->ram) {
                if (medium->nbd)
                        media_nbd_submit(medium->nbd, io);
                else
                        media_file_submit(medium->file, io);
                return;
        }
        if (ram_clear_is_long(medium->clear, io) && media_ram_has(medium->ram, io)) {
                ram_clear_submit(medium->clear, io);
                return;
        }
        io->private.progress = (uint64_t)-media_ram_do(medium->ram, io);
        io->private.next = NULL;
        *medium->ended_end = io;
        medium->ended_end = &io->private.next;
        loop_at_end(medium->loop, &medium->end);
}
