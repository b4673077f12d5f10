/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The model as YAML: what has its default is left out, objects are ordered by name, so that equal models give equal text. */
#include <errno.h>

#include "iov/libiov.h"
#include "scalar.h"
#include "util.h"

static const char *quote(const char *name) {
        return scalar_needs_quotes(name) ? "\"" : "";
}

/* NAME, in quotes where it needs them: for "%s%s%s". */
#define NAME(name) quote(name), (name), quote(name)

/* Printable text in double quotes (YAML 1.2 section 7.3.1). What is not printable ASCII is escaped by its byte. */
static void write_quoted(const char *s, FILE *stream) {
        fputc('"', stream);
        for (; *s; s++)
                if (*s == '"' || *s == '\\')
                        fprintf(stream, "\\%c", *s);
                else if ((unsigned char)*s < 0x20 || (unsigned char)*s > 0x7e)
                        fprintf(stream, "\\x%02x", (unsigned char)*s);
                else
                        fputc(*s, stream);
        fputc('"', stream);
}

static void write_head(const struct iov_model *model, const char *kind, FILE *stream) {
        fprintf(stream, "version: 1\nkind: %s\n", kind);
        if (*iov_model_get_name(model))
                fprintf(stream, "name: %s%s%s\n", NAME(iov_model_get_name(model)));
}

static int finish(FILE *stream) {
        errno = 0;
        if (fflush(stream) != 0 && errno)
                return -errno;
        return ferror(stream) ? -EIO : 0;
}

static int write_servers(const struct iov_model *model, FILE *stream) {
        CLEANUP_FREE const void **records = NULL;
        int n = iov_model_sorted(model, IOV_KIND_SERVER, &records);

        if (n > 0)
                fprintf(stream, "servers:\n");
        for (int i = 0; i < n; i++) {
                const struct iov_server *server = records[i];

                fprintf(stream, "  %s%s%s: {link: %u}\n", NAME(server->name), server->link);
        }
        return n;
}

static int write_volumes(const struct iov_model *model, FILE *stream) {
        CLEANUP_FREE const void **records = NULL;
        int n = iov_model_sorted(model, IOV_KIND_VOLUME, &records);

        if (n > 0)
                fprintf(stream, "volumes:\n");
        for (int i = 0; i < n; i++) {
                const struct iov_volume *volume = records[i];
                const char *on_remove = iov_on_remove_to_string(volume->on_remove);
                char size[32];

                fprintf(stream, "  %s%s%s: {adapter: %s%s%s, size: %s", NAME(volume->name), NAME(volume->adapter),
                        iov_size_format(volume->size, size));
                if (on_remove && volume->on_remove != IOV_ON_REMOVE_DELETE)
                        fprintf(stream, ", on_remove: %s", on_remove);
                fprintf(stream, "}\n");
        }
        return n;
}

/* The namespaces of one vAdapter, which are a run of `records`. Returns its length. */
static int write_namespaces(const void **records, int n, FILE *stream) {
        const struct iov_namespace *first = records[0];
        int i = 0;

        fprintf(stream, "    namespaces:\n");
        for (; i < n; i++) {
                const struct iov_namespace *ns = records[i];

                if (strcmp(ns->vadapter, first->vadapter) != 0)
                        break;
                fprintf(stream, "      - {volume: %s%s%s", NAME(ns->volume));
                if (ns->nsid != (uint32_t)i + 1)
                        fprintf(stream, ", nsid: %u", ns->nsid);
                fprintf(stream, "}\n");
        }
        return i;
}

static int write_vadapters(const struct iov_model *model, FILE *stream) {
        CLEANUP_FREE const void **records = NULL, **namespaces = NULL;
        int n = iov_model_sorted(model, IOV_KIND_VADAPTER, &records), n_namespaces;

        if (n < 0)
                return n;
        n_namespaces = iov_model_sorted(model, IOV_KIND_NAMESPACE, &namespaces);
        if (n_namespaces < 0)
                return n_namespaces;
        if (n > 0)
                fprintf(stream, "vadapters:\n");
        for (int i = 0, at = 0; i < n; i++) {
                const struct iov_vadapter *v = records[i];

                fprintf(stream, "  %s%s%s:\n    adapter: %s%s%s\n", NAME(v->name), NAME(v->adapter));
                if (*v->serial) {
                        fprintf(stream, "    persona: {serial: ");
                        write_quoted(v->serial, stream);
                        fprintf(stream, "}\n");
                }
                /* Both are in order of the vAdapters' names; a namespace of none is passed over. */
                while (at < n_namespaces && strcmp(((const struct iov_namespace *)namespaces[at])->vadapter, v->name) < 0)
                        at++;
                if (at < n_namespaces && strcmp(((const struct iov_namespace *)namespaces[at])->vadapter, v->name) == 0)
                        at += write_namespaces(namespaces + at, n_namespaces - at, stream);
                if (*v->server)
                        fprintf(stream, "    attach: {server: %s%s%s, slot: %u}\n", NAME(v->server), v->slot);
        }
        return n;
}

int iov_topology_write(const struct iov_model *model, FILE *stream) {
        int e;

        write_head(model, "topology", stream);
        e = write_servers(model, stream);
        if (e >= 0)
                e = write_volumes(model, stream);
        if (e >= 0)
                e = write_vadapters(model, stream);
        return e < 0 ? e : finish(stream);
}

int iov_chassis_write(const struct iov_model *model, FILE *stream) {
        CLEANUP_FREE const void **records = NULL;
        int n = iov_model_sorted(model, IOV_KIND_ADAPTER, &records);

        if (n < 0)
                return n;
        write_head(model, "chassis", stream);
        fprintf(stream, "links: %u\nslots: %u\nadapters:%s\n", iov_model_get_links(model), iov_model_get_slots(model),
                n ? "" : " {}");
        for (int i = 0; i < n; i++) {
                const struct iov_adapter *a = records[i];
                const char *kind = iov_adapter_kind_to_string(a->kind);
                char text[32];

                fprintf(stream, "  %s%s%s: {kind: %s", NAME(a->name), kind ? kind : "unknown");
                if (a->ports)
                        fprintf(stream, ", ports: %u", a->ports);
                if (a->rate)
                        fprintf(stream, ", rate: %s", iov_rate_format(a->rate, text));
                if (a->capacity)
                        fprintf(stream, ", capacity: %s", iov_size_format(a->capacity, text));
                if (*a->model) {
                        fprintf(stream, ", model: ");
                        write_quoted(a->model, stream);
                }
                fprintf(stream, "}\n");
        }
        return finish(stream);
}
