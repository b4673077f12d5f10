/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "media/nbd-library.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>

#include "util.h"

#define SONAME "libnbd.so.0"

static struct nbd_library library;
static bool is_loaded;

static int resolve(void *handle, const char *name, void *place) {
        void *symbol = dlsym(handle, name);

        if (!symbol)
                return -ENOSYS;
        /* POSIX has them of one size, ISO C does not know how to convert one. */
        memcpy(place, &symbol, sizeof(symbol));
        return 0;
}

int nbd_library_load(const char **ret_why) {
        int r = 0;

        if (is_loaded)
                return 0;
        void *handle = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL);
        if (!handle) {
                *ret_why = dlerror();
                return -ELIBACC;
        }
#define NBD_LIBRARY_RESOLVE(name)                                                                                                \
        if (r == 0)                                                                                                              \
                r = resolve(handle, "nbd_" #name, &library.name);
        NBD_LIBRARY_FUNCTIONS(NBD_LIBRARY_RESOLVE)
#undef NBD_LIBRARY_RESOLVE
        if (r < 0) {
                *ret_why = SONAME " is too old";
                dlclose(handle);
                return r;
        }
        is_loaded = true;
        return 0;
}

const struct nbd_library *nbd_library_get(void) {
        return is_loaded ? &library : NULL;
}

struct nbd_handle *nbd_library_handle(const char *export) {
        struct nbd_handle *h = library.create();

        if (!h)
                return NULL;
        /* Memory is not cleared before it is read into: a read fails or fills all of it. Simple replies are one read(2) less. */
        if (library.set_export_name(h, export) < 0 || library.set_pread_initialize(h, false) < 0 ||
            library.set_request_structured_replies(h, false) < 0) {
                library.close(h);
                return NULL;
        }
        return h;
}

const char *nbd_library_error(char *text, size_t size) {
        const char *error = library.get_error();

        snprintf(text, size, "%s", error && *error ? error : "unknown error");
        for (char *p = text; *p; p++)
                if (*p < 0x20 || *p > 0x7e)
                        *p = '?';
        return text;
}
