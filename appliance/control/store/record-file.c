/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/store/record-file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crc32c.h"
#include "util.h"

struct header {
        char magic[8];
        uint32_t version, checksum; /* CRC-32C of what follows */
        uint64_t size;
};

int record_file_open_directory(int state_directory, const char *name, int *ret_fd) {
        if (mkdirat(state_directory, name, 0750) < 0 && errno != EEXIST)
                return -errno;
        int fd = openat(state_directory, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        *ret_fd = fd;
        return 0;
}

int record_file_encode(const struct record_file_kind *kind, const void *record, void **ret_bytes, size_t *ret_size) {
        const size_t used = kind->used ? kind->used(record) : kind->size;
        const size_t size = sizeof(struct header) + used;
        struct header header = {.version = kind->version, .size = used};
        char *bytes = calloc(1, size);

        if (!bytes)
                return -ENOMEM;
        memcpy(header.magic, kind->magic, sizeof(header.magic));
        memcpy(bytes + sizeof(header), record, used);
        header.checksum = crc32c(bytes + sizeof(header), used);
        memcpy(bytes, &header, sizeof(header));
        *ret_bytes = bytes;
        *ret_size = size;
        return 0;
}

int record_file_decode(const struct record_file_kind *kind, const void *bytes, size_t size, void *ret_record) {
        const char *record = (const char *)bytes + sizeof(struct header);
        struct header header;

        if (size < sizeof(header) || size > sizeof(header) + kind->size)
                return -EBADMSG;
        const size_t used = size - sizeof(header);
        memcpy(&header, bytes, sizeof(header));
        if (memcmp(header.magic, kind->magic, sizeof(header.magic)) != 0 || header.version != kind->version ||
            header.size != used || header.checksum != crc32c(record, used))
                return -EBADMSG;
        CLEANUP_FREE void *copy = calloc(1, kind->size);
        if (!copy)
                return -ENOMEM;
        memcpy(copy, record, used);
        if (!kind->is_sane(copy) || used != (kind->used ? kind->used(copy) : kind->size))
                return -EBADMSG;
        memcpy(ret_record, copy, kind->size);
        return 0;
}

int record_file_read(const struct record_file_kind *kind, int directory, const char *name, void *ret_record) {
        CLEANUP_CLOSE int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        CLEANUP_FILE FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
        const size_t room = sizeof(struct header) + kind->size + 1; /* longer is damaged, too */
        CLEANUP_FREE char *bytes = malloc(room);

        if (!file || !bytes)
                return -errno;
        take_fd(&fd);
        const size_t size = fread(bytes, 1, room, file);
        return ferror(file) ? -EIO : record_file_decode(kind, bytes, size, ret_record);
}

int record_file_foreach(int directory, int (*each)(void *userdata, const char *name, uint64_t number), void *userdata) {
        DIR *names = NULL;
        int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;

        if (fd < 0 || !(names = fdopendir(fd))) {
                r = -errno;
                close_fd(&fd);
                return r;
        }
        for (const struct dirent *d = readdir(names); d && r >= 0; d = readdir(names)) {
                char *end = NULL;
                const uint64_t number = strtoull(d->d_name, &end, 10);

                if (number && !*end)
                        r = each(userdata, d->d_name, number);
        }
        closedir(names);
        return r < 0 ? r : 0;
}
