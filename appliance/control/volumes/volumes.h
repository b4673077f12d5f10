/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The media of the chassis: a volume is a sparse file STATE/media/ADAPTER/ID.img, so that a worker can be given the descriptors
 * of its own server's volumes and nothing else. A file is made when a volume is first attached; a shorter file reads as zeroes
 * behind its end.
 */
#ifndef IOV_CONTROL_VOLUMES_H
#define IOV_CONTROL_VOLUMES_H

#include <stdbool.h>
#include <sys/types.h>

#include "iov/libiov.h"

/* The volume of that number, which it keeps whatever its name is; NULL: there is none. */
const struct iov_volume *volume_by_id(const struct iov_model *model, uint64_t id);
/* `backend` is that of the volume's adapter: empty, or a directory, which is then in the place of STATE/media/ADAPTER and must be
 * there; of any other nothing is touched. Open the file of a volume for reading, and writing unless `read_only`, made and durable
 * in its directory where it was missing.
 */
int volume_open(int state_directory, const char *backend, const struct iov_volume *volume, bool read_only, int *ret_fd);
/* The size of blocks that a volume's file was formatted with by a server; 0: by none, and the appliance chooses. */
uint32_t volume_block_size(int fd);
/*
 * All of a volume's space is set aside in its file, durably; what it has is kept. Blocks, and touches nothing but the directory,
 * so that a thread can do it. -ENOSPC: there is not enough, -EOPNOTSUPP: this file system cannot; what came of it is then undone,
 * or later by volume_unallocate(), with what was there before.
 */
struct volume_before {
        bool is_made; /* the file was not there */
        uint64_t size;
};
int volume_allocate(int state_directory, const char *backend, const struct iov_volume *volume, struct volume_before *ret_before);
void volume_unallocate(int state_directory, const char *backend, const struct iov_volume *volume,
                       const struct volume_before *before);
/*
 * What volume_allocate() would need beside what is there already, without making anything: bytes, and bytes that are free, on
 * which device. Blocks. -EOPNOTSUPP: that file system cannot.
 */
struct volume_need {
        uint64_t bytes, free;
        dev_t device;
};
int volume_need(int state_directory, const char *backend, const struct iov_volume *volume, struct volume_need *ret_need);
/* The volume was removed: delete its file, or under on_remove: retain move it to STATE/media/ADAPTER/retained/NAME-ID.img. A
 * volume that never had a file is fine. */
int volume_discard(int state_directory, const char *backend, const struct iov_volume *volume);
/* The volume has shrunk: what its file has behind the new end goes, so that it is not there again when it grows. */
int volume_trim(int state_directory, const char *backend, const struct iov_volume *volume);
/* At start: make files of volumes that shrank as short as they should be, and move files of volumes that are not in the model,
 * left by a crash between commit and discard, to STATE/media/ADAPTER/retained/. Those are never deleted: what the volume's
 * on_remove was is not known any more. Returns how many, or a negative errno. */
int volumes_sweep(int state_directory, const struct iov_model *model);

#endif
