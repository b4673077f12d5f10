/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "backend.h"

#include <string.h>

#include "iov/libiov.h"
#include "util.h"

#define NBD_TCP "nbd://"
#define NBD_UNIX "nbd+unix://"
#define NBD_PORT "10809" /* NBD protocol, "URIs": the port that IANA has given it */
#define SOCKET_MAX 107u  /* sun_path without its NUL */

static bool begins(const char *text, const char *with) {
        return strncmp(text, with, strlen(with)) == 0;
}

enum backend_kind backend_kind_of(const char *text) {
        if (!*text)
                return BACKEND_STATE;
        if (begins(text, NBD_TCP) || begins(text, NBD_UNIX))
                return BACKEND_NBD;
        return strstr(text, BACKEND_PLACEHOLDER) ? BACKEND_DEVICE : BACKEND_DIRECTORY;
}

bool backend_is_external(const char *text) {
        return backend_kind_of(text) >= BACKEND_DEVICE;
}

struct out {
        char *text;
        size_t room;
        bool full;
};

static void put(struct out *o, char c) {
        if (o->room > 1) {
                *o->text++ = c;
                *o->text = 0;
                o->room--;
        } else {
                o->full = true;
        }
}

static void put_all(struct out *o, const char *text) {
        while (*text)
                put(o, *text++);
}

static int hex(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* A part of the string up to one of `ends`, with the volume's name in its place. That name is put in last: it is never decoded.
 */
static const char *expand(const char **text, const char *ends, bool decode, const char *volume, struct out *o) {
        const char *p = *text;

        while (*p && !strchr(ends, *p)) {
                if (begins(p, BACKEND_PLACEHOLDER)) {
                        put_all(o, volume);
                        p += strlen(BACKEND_PLACEHOLDER);
                        continue;
                }
                if (*p == '{' || *p == '}')
                        return "the only placeholder is " BACKEND_PLACEHOLDER;
                if (decode && *p == '%') {
                        int high = hex(p[1]), low = high < 0 ? -1 : hex(p[2]);

                        if (low < 0 || high * 16 + low < 0x20 || high * 16 + low == 0x7f)
                                return "after % stand two digits of a printable character";
                        put(o, (char)(high * 16 + low));
                        p += 3;
                        continue;
                }
                put(o, *p++);
        }
        *text = p;
        return o->full ? "with the volume's name it is too long" : NULL;
}

static const char *locate_host(const char **text, struct backend *b) {
        const bool is_v6 = **text == '[';
        size_t n = is_v6 ? strcspn(*text, "]") : strcspn(*text, ":/?#");
        const char *host = *text + is_v6;

        if (is_v6 && (*text)[n] != ']')
                return "the address does not end with ]";
        *text += n + is_v6;
        n -= is_v6;
        if (n == 0 || n >= sizeof(b->host))
                return "it names no host";
        for (size_t i = 0; i < n; i++)
                if (strchr("%@{}", host[i]))
                        return "a host is a name or an address";
        memcpy(b->host, host, n);
        memcpy(b->port, NBD_PORT, sizeof(NBD_PORT));
        if (**text != ':')
                return NULL;
        n = strspn(++*text, "0123456789");
        if (n == 0 || n >= sizeof(b->port))
                return "the port is no number";
        memcpy(b->port, *text, n);
        b->port[n] = 0;
        *text += n;
        unsigned int port = 0;
        for (const char *p = b->port; *p; p++)
                port = port * 10 + (unsigned int)(*p - '0');
        return port == 0 || port > 65535 ? "the port is not within 1 to 65535" : NULL;
}

static const char *locate_socket(const char *query, const char *volume, struct backend *b) {
        struct out o = {b->path, SOCKET_MAX + 1, false};

        if (!begins(query, "?socket="))
                return "the path of the socket is missing: nbd+unix:///EXPORT?socket=PATH";
        query += strlen("?socket=");
        const char *wrong = expand(&query, "&#", true, volume, &o);
        if (wrong)
                return wrong;
        if (*query)
                return "behind the path of the socket nothing is understood";
        return *b->path == '/' ? NULL : "the path of the socket must begin with /";
}

static const char *locate_nbd(const char *text, const char *volume, struct backend *b) {
        const bool is_unix = begins(text, NBD_UNIX), has_placeholder = strstr(text, BACKEND_PLACEHOLDER);
        struct out o = {b->export, sizeof(b->export), false};
        const char *wrong = NULL;

        text += strlen(is_unix ? NBD_UNIX : NBD_TCP);
        if (!is_unix)
                wrong = locate_host(&text, b);
        if (wrong)
                return wrong;
        if (is_unix && *text != '/' && *text != '?')
                return "nbd+unix has no host: nbd+unix:///EXPORT?socket=PATH";
        if (*text == '/')
                text++;
        else if (*text && *text != '?')
                return "behind the host stands / and the export";
        wrong = expand(&text, "?#", true, volume, &o);
        if (wrong)
                return wrong;
        /* Or else two servers would hold the same data. */
        if (*b->export && !has_placeholder)
                return "each volume needs an export of its own: " BACKEND_PLACEHOLDER " is missing, or leave the export out";
        if (!*b->export)
                put_all(&o, volume);
        if (is_unix)
                return locate_socket(text, volume, b);
        return *text ? "behind the export nothing is understood" : NULL;
}

static const char *locate_path(const char *text, const char *volume, struct backend *b) {
        struct out o = {b->path, sizeof(b->path), false};

        return expand(&text, "", false, volume, &o);
}

const char *backend_locate(const char *text, const char *volume, struct backend *ret_backend) {
        struct backend b = {.kind = backend_kind_of(text)};
        const char *wrong = NULL;

        /* Such a name is a component of a path at most, whatever it was put into. */
        if (!iov_name_is_valid(volume))
                return "the volume's name is none";
        if (b.kind == BACKEND_NBD)
                wrong = locate_nbd(text, volume, &b);
        else if (b.kind != BACKEND_STATE)
                wrong = *text == '/' ? locate_path(text, volume, &b) : "it is neither a path that begins with / nor an nbd URI";
        if (!wrong)
                *ret_backend = b;
        return wrong;
}

const char *backend_check(const char *text) {
        struct backend ignored;

        if (strlen(text) > BACKEND_TEXT_MAX)
                return "longer than 255 characters";
        for (const char *p = text; *p; p++)
                if (*p <= 0x20 || *p > 0x7e)
                        return "it is not printable ASCII without spaces";
        return backend_locate(text, "v", &ignored);
}
