/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A medium in memory that is shared with the control process: a request is a copy, and ends within its submission. */
#ifndef IOV_MEDIA_RAM_H
#define IOV_MEDIA_RAM_H

#include <stdbool.h>

#include "vpc/io.h"

struct media_ram;

/* Take over a memory file of at least `size` bytes that cannot shrink (closed on failure too); -EBADMSG: it is none. */
int media_ram_new(int fd, uint64_t size, struct media_ram **ret_media);
/* Takes NULL. */
void media_ram_free(struct media_ram *media);
/* The memory file has another size. Where it has not, or there is no room for it, the medium stays as it was. */
void media_ram_resize(struct media_ram *media, uint64_t size);
/* What is deallocated stays allocated, or (the default) is given back. */
void media_ram_set_keeps_space(struct media_ram *media, bool keeps);
/* This request gives memory back, and does not write zeroes. */
bool media_ram_gives_back(const struct media_ram *media, const struct vpc_io *io);
/* The range of a request is within the medium. */
bool media_ram_has(const struct media_ram *media, const struct vpc_io *io);
/* Do a request; 0 or a negative errno, which is what it ends with. A range past the end is -EINVAL. */
int media_ram_do(struct media_ram *media, const struct vpc_io *io);
/* A request for these bytes is likely to come soon. A range past the end is none. */
void media_ram_expect(const struct media_ram *media, uint64_t offset, uint64_t length);

#endif
