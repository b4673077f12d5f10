/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A medium in a file, by the event loop's io_uring. */
#ifndef IOV_MEDIA_FILE_H
#define IOV_MEDIA_FILE_H

#include <stdbool.h>

#include "loop/loop.h"
#include "media/direct.h"
#include "vpc/io.h"

/* Where a file says how large the blocks are that it was formatted with, in decimal; without it that is nobody's choice yet. */
#define MEDIA_BLOCK_SIZE_ATTRIBUTE "user.iov.block-size"

struct media_file;

/* Take over an open file (closed on failure too); `size` is the medium's, the file may be shorter (the rest reads as zero). */
int media_file_new(struct loop *loop, int fd, uint64_t size, struct media_file **ret_media);
/* Only when nothing is under way. Takes NULL. */
void media_file_free(struct media_file *media);
/* The medium has grown. */
void media_file_resize(struct media_file *media, uint64_t size);
/* A range that is discarded reads as zeroes and keeps its space; by default it gives it back. */
void media_file_set_keeps_space(struct media_file *media, bool keeps);
/* Before the first request. true: it goes without the page cache now. */
bool media_file_set_cache(struct media_file *media, enum media_cache cache);
/* Free it as soon as nothing is under way, maybe at once; then `done`. No request may be submitted any more. */
void media_file_retire(struct media_file *media, void (*done)(void *userdata), void *userdata);
/* Start a request. The caller has set io->private.finish, in which it ends, never from within;
 * a range past the end is -EINVAL, a short read past the file's end is zero-filled, a short transfer is continued. When the ring
 * is full the request waits its turn. */
void media_file_submit(struct media_file *media, struct vpc_io *io);

/*
 * End a read or write within the call, where that is a mere copy: in the page cache, or on a file system in memory. false: it is
 * not, media_file_submit() it.
 */
bool media_file_try(struct media_file *media, const struct vpc_io *io, int *ret_error);

#endif
