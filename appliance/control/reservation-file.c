/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/reservation-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/reservation-state.h"
#include "crc32c.h"
#include "util.h"

#define FILE_MAGIC "iov-resv"
#define FILE_VERSION 1u

struct header {
        char magic[8];
        uint32_t version, checksum; /* CRC-32C of what follows */
        uint64_t size;
};

int reservation_file_open_directory(int state_directory, int *ret_fd) {
        if (mkdirat(state_directory, "reservations", 0750) < 0 && errno != EEXIST)
                return -errno;
        int fd = openat(state_directory, "reservations", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        *ret_fd = fd;
        return 0;
}

int reservation_file_encode(const struct vpc_reservation *state, void **ret_bytes, size_t *ret_size) {
        const size_t size = sizeof(struct header) + sizeof(*state);
        struct header header = {.version = FILE_VERSION, .size = sizeof(*state)};
        char *bytes = calloc(1, size);

        if (!bytes)
                return -ENOMEM;
        memcpy(header.magic, FILE_MAGIC, sizeof(header.magic));
        memcpy(bytes + sizeof(header), state, sizeof(*state));
        header.checksum = crc32c(bytes + sizeof(header), sizeof(*state));
        memcpy(bytes, &header, sizeof(header));
        *ret_bytes = bytes;
        *ret_size = size;
        return 0;
}

int reservation_file_decode(const void *bytes, size_t size, struct vpc_reservation *ret_state) {
        struct vpc_reservation state;
        struct header header;

        if (size != sizeof(header) + sizeof(state))
                return -EBADMSG;
        memcpy(&header, bytes, sizeof(header));
        memcpy(&state, (const char *)bytes + sizeof(header), sizeof(state));
        if (memcmp(header.magic, FILE_MAGIC, sizeof(header.magic)) != 0 || header.version != FILE_VERSION ||
            header.size != sizeof(state) || header.checksum != crc32c(&state, sizeof(state)) || !reservation_is_sane(&state))
                return -EBADMSG;
        *ret_state = state;
        return 0;
}

int reservation_file_read(int directory, const char *name, struct vpc_reservation *ret_state) {
        CLEANUP_CLOSE int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        CLEANUP_FILE FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
        const size_t room = sizeof(struct header) + sizeof(struct vpc_reservation) + 1; /* longer is damaged, too */
        CLEANUP_FREE char *bytes = malloc(room);

        if (!file || !bytes)
                return -errno;
        take_fd(&fd);
        const size_t size = fread(bytes, 1, room, file);
        return ferror(file) ? -EIO : reservation_file_decode(bytes, size, ret_state);
}
