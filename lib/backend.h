/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `backend:` of an adapter: where the data of its volumes is. A string that an operator wrote, and the names of volumes in it. */
#ifndef IOV_BACKEND_H
#define IOV_BACKEND_H

#include <stdbool.h>

#include "iov/registers.h"

#define BACKEND_PLACEHOLDER "{volume}"
#define BACKEND_TEXT_MAX 255   /* characters of the string */
#define BACKEND_EXPORT_MAX 255 /* of an export's name, with the volume's in its place */
#define BACKEND_PATH_MAX 1023

enum backend_kind {
        BACKEND_STATE,     /* none is given: files in the state directory */
        BACKEND_DIRECTORY, /* a path: files in that directory */
        BACKEND_DEVICE,    /* a path with the placeholder: a device or file for each volume, which is there already */
        BACKEND_NBD,       /* a URI: an export of an NBD server for each volume */
};

/* Where one volume is. */
struct backend {
        enum backend_kind kind;
        char path[BACKEND_PATH_MAX + 1]; /* DIRECTORY, DEVICE; NBD: of the socket, empty: it is a host */
        char host[256], port[6];
        char export[BACKEND_EXPORT_MAX + 1];
};

/* What is wrong with the string, in words; NULL: nothing. */
const char *backend_check(const char *text);
enum backend_kind backend_kind_of(const char *text);
/* What is there is not the appliance's: it is never made, cut or deleted. */
bool backend_is_external(const char *text);
/* Where the volume of that name is. What is wrong with it, in words; NULL: nothing. */
const char *backend_locate(const char *text, const char *volume, struct backend *ret_backend);

#endif
