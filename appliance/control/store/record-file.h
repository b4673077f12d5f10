/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A record in a file of its own: behind a header with what it is, its version and a checksum. */
#ifndef IOV_CONTROL_RECORD_FILE_H
#define IOV_CONTROL_RECORD_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct record_file_kind {
        char magic[9]; /* 8 letters */
        uint32_t version;
        size_t size;                         /* of the record, the most where there is `used` */
        size_t (*used)(const void *record);  /* what of it is in the file, the rest is zeroes; NULL: all of it */
        bool (*is_sane)(const void *record); /* its content makes sense */
};

/* The directory of such files, made where it is missing. */
int record_file_open_directory(int state_directory, const char *name, int *ret_fd);
/* The content of a file, which is the caller's. */
int record_file_encode(const struct record_file_kind *kind, const void *record, void **ret_bytes, size_t *ret_size);
/* -EBADMSG: it is damaged, of another version or something else; *ret_record is untouched. */
int record_file_decode(const struct record_file_kind *kind, const void *bytes, size_t size, void *ret_record);
int record_file_read(const struct record_file_kind *kind, int directory, const char *name, void *ret_record);
/* Those in the directory whose name is a number that is not 0, until `each` returns a negative errno. */
int record_file_foreach(int directory, int (*each)(void *userdata, const char *name, uint64_t number), void *userdata);

#endif
