/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an NBD medium is, in a memory file: it takes the place of the descriptor that other media are. */
#ifndef IOV_MEDIA_NBD_TARGET_H
#define IOV_MEDIA_NBD_TARGET_H

#include <stdint.h>

struct nbd_target {
        char magic[8];
        char export[256];
        uint32_t block_size; /* that the server must bear: requests are multiples of it */
        uint32_t read_only;
};

/* What an export turned out to be. */
struct nbd_export {
        uint64_t size;
        uint32_t block_size; /* the least that it takes */
        uint32_t read_only, can_flush;
};

/* A sealed copy. */
int nbd_target_make(const struct nbd_target *target, int *ret_fd);
/* -EBADMSG: it is none, or can still be changed. */
int nbd_target_read(int fd, struct nbd_target *ret_target);
/* Negotiate over a connected socket, which is taken over; this waits. On failure `why` says more. libnbd is loaded. */
int nbd_target_probe(int fd, const char *export, struct nbd_export *ret_export, char *why, unsigned int why_size);

#endif
