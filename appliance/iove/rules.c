/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rules of the switch. Each check walks the model once and uses small indexes, so that 65,536 objects stay quick. */
#include "iove/rules.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "util.h"

int iove_refuse(struct iove_refusal *refusal, enum iov_retcode code, uint32_t op_index, const char *format, ...) {
        va_list args;

        memset(refusal, 0, sizeof(*refusal));
        refusal->code = code;
        refusal->error.op_index = op_index;
        va_start(args, format);
        vsnprintf(refusal->error.text, sizeof(refusal->error.text), format, args);
        va_end(args);
        return -EBADMSG;
}

static uint32_t blamed(const struct iove_blame *blame, enum iov_kind kind, const char *name) {
        return blame ? blame->fn(blame->userdata, kind, name) : UINT32_MAX;
}

/* Every `chars` field must end within itself: names are compared and printed as strings from here on. */
static bool strings_end(enum iov_kind kind, const void *record) {
        const struct iov_record_info *info = iov_records_get(kind);

        for (unsigned int i = 0; i < info->n_fields; i++)
                if (info->fields[i].type == IOV_TYPE_chars &&
                    !memchr((const char *)record + info->fields[i].offset, 0, info->fields[i].count))
                        return false;
        return true;
}

static const char *volume_check(const struct iov_volume *v) {
        if (v->size == 0 || v->size % IOV_VOLUME_ALIGN != 0)
                return "size must be a multiple of 4096 bytes, and not zero";
        if (v->size > (UINT64_C(1) << 60))
                return "size is beyond 1EiB";
        if (!iov_on_remove_to_string(v->on_remove))
                return "on_remove is neither delete nor retain";
        return NULL;
}

/* NVMe 1.4 section 5.15.2.2: serial numbers are ASCII, section 1.5: 20h to 7Eh, left justified and padded with spaces. */
static const char *serial_check(const char *serial) {
        size_t n = strlen(serial);

        if (n > IOV_SERIAL_MAX)
                return "serial has more than 20 characters";
        for (size_t i = 0; i < n; i++)
                if (serial[i] < 0x20 || serial[i] > 0x7e)
                        return "serial has a character that is not printable ASCII";
        if (strcmp(serial, "auto") == 0)
                return "serial auto is the word for one that the appliance chooses: leave it empty";
        if (n && (serial[0] == ' ' || serial[n - 1] == ' '))
                return "serial starts or ends with a space";
        return NULL;
}

static const char *namespace_check(const struct iov_namespace *ns) {
        struct iov_namespace key = {0};

        if (ns->nsid < 1 || ns->nsid > IOV_NSID_MAX)
                return "nsid is not within 1 to 64";
        if (iov_namespace_init(&key, ns->vadapter, ns->nsid) < 0 || strcmp(key.name, ns->name) != 0)
                return "name is not VADAPTER/NSID";
        if (!iov_name_is_valid(ns->volume))
                return "volume has no valid name";
        return NULL;
}

const char *iove_record_check(enum iov_kind kind, const void *record) {
        if (!strings_end(kind, record))
                return "a string of the record does not end";
        if (kind != IOV_KIND_NAMESPACE && !iov_name_is_valid(record))
                return "names have letters, digits, '.', '_' and '-', start with a letter or digit, and end within 63 characters";
        switch (kind) {
        case IOV_KIND_SERVER:
                return NULL;
        case IOV_KIND_VOLUME:
                return volume_check(record);
        case IOV_KIND_VADAPTER:
                return serial_check(((const struct iov_vadapter *)record)->serial);
        case IOV_KIND_NAMESPACE:
                return namespace_check(record);
        default:
                return "objects of this kind cannot be changed";
        }
}

static int check_servers(const struct iov_model *m, const struct iove_limits *limits, const struct iove_blame *blame,
                         struct iove_refusal *refusal) {
        unsigned int links = iov_model_get_links(m);
        CLEANUP_FREE const struct iov_server **by_link = calloc(links + 1u, sizeof(void *));
        const struct iov_server *s;

        if (!by_link)
                return -ENOMEM;
        iov_model_foreach (m, IOV_KIND_SERVER, s) {
                if (s->link >= links)
                        return iove_refuse(refusal, IOV_RET_NOT_FOUND, blamed(blame, IOV_KIND_SERVER, s->name),
                                           "server %s: link %u asked, the chassis has links 0 to %u", s->name, s->link,
                                           links - 1);
                if (by_link[s->link])
                        return iove_refuse(refusal, IOV_RET_EXISTS, blamed(blame, IOV_KIND_SERVER, s->name),
                                           "server %s: link %u is that of server %s", s->name, s->link, by_link[s->link]->name);
                /* RUN/servers/NAME/NN.sock and the NUL */
                size_t path = limits->run_dir_length + strlen("/servers/") + strlen(s->name) + strlen("/99.sock") + 1;
                if (limits->run_dir_length && path > sizeof(((struct sockaddr_un *)0)->sun_path))
                        return iove_refuse(
                                refusal, IOV_RET_LIMIT, blamed(blame, IOV_KIND_SERVER, s->name),
                                "server %s: its socket paths would have %zu characters, 107 is the limit: use a shorter name or "
                                "start iovd with a shorter --run",
                                s->name, path - 1);
                by_link[s->link] = s;
        }
        return 0;
}

static int check_volumes(const struct iov_model *m, const struct iove_blame *blame, struct iove_refusal *refusal) {
        unsigned int rows = iov_model_rows(m, IOV_KIND_ADAPTER);
        CLEANUP_FREE uint64_t *used = calloc(rows + 1u, sizeof(*used));
        const struct iov_volume *v;

        if (!used)
                return -ENOMEM;
        iov_model_foreach (m, IOV_KIND_VOLUME, v) {
                const struct iov_adapter *a = iov_model_get(m, IOV_KIND_ADAPTER, v->adapter);
                if (!a)
                        return iove_refuse(refusal, IOV_RET_NOT_FOUND, blamed(blame, IOV_KIND_VOLUME, v->name),
                                           "volume %s: there is no adapter %s", v->name, v->adapter);
                if (a->capacity == 0)
                        return iove_refuse(refusal, IOV_RET_UNSUPPORTED, blamed(blame, IOV_KIND_VOLUME, v->name),
                                           "volume %s: %s is a %s, it has no media", v->name, a->name,
                                           iov_adapter_kind_to_string(a->kind));
                uint64_t *sum = &used[iov_model_row(m, IOV_KIND_ADAPTER, a)];
                if (v->size > a->capacity - *sum) {
                        char asked[32], left[32];

                        return iove_refuse(refusal, IOV_RET_NO_SPACE, blamed(blame, IOV_KIND_VOLUME, v->name),
                                           "volume %s: %s asked, %s free on %s", v->name, iov_size_format(v->size, asked),
                                           iov_size_format(a->capacity - *sum, left), a->name);
                }
                *sum += v->size;
        }
        return 0;
}

/* What a slot or serial number is taken by: a sorted array, one comparison per neighbour. */
struct claim {
        char key[IOV_NAME_SIZE + 16];
        const char *holder;
};

static int compare_claims(const void *a, const void *b) {
        return strcmp(((const struct claim *)a)->key, ((const struct claim *)b)->key);
}

/* Two holders of one key, or NULL. */
static const struct claim *claims_clash(struct claim *claims, size_t n) {
        qsort(claims, n, sizeof(*claims), compare_claims);
        for (size_t i = 1; i < n; i++)
                if (strcmp(claims[i - 1].key, claims[i].key) == 0)
                        return &claims[i - 1];
        return NULL;
}

/* The later of two operations is the one at fault, where both are in the transaction. */
static int refuse_clash(const struct iove_blame *blame, enum iov_kind kind, const struct claim *clash, const char *what,
                        struct iove_refusal *refusal) {
        const char *first = clash[0].holder, *second = clash[1].holder;
        uint32_t a = blamed(blame, kind, first), b = blamed(blame, kind, second);

        if (b == UINT32_MAX || (a != UINT32_MAX && a > b)) {
                first = clash[1].holder;
                second = clash[0].holder;
                b = a;
        }
        return iove_refuse(refusal, IOV_RET_EXISTS, b, "%s: %s is taken by %s", second, what, first);
}

static int check_slots(const struct iov_model *m, const struct iove_blame *blame, struct iove_refusal *refusal) {
        CLEANUP_FREE struct claim *claims = calloc(iov_model_count(m, IOV_KIND_VADAPTER) + 1, sizeof(*claims));
        const struct iov_vadapter *v;
        size_t n = 0;

        if (!claims)
                return -ENOMEM;
        iov_model_foreach (m, IOV_KIND_VADAPTER, v) {
                if (!*v->server)
                        continue;
                if (!iov_model_get(m, IOV_KIND_SERVER, v->server))
                        return iove_refuse(refusal, IOV_RET_NOT_FOUND, blamed(blame, IOV_KIND_VADAPTER, v->name),
                                           "vadapter %s: there is no server %s", v->name, v->server);
                if (v->slot >= iov_model_get_slots(m))
                        return iove_refuse(refusal, IOV_RET_NOT_FOUND, blamed(blame, IOV_KIND_VADAPTER, v->name),
                                           "vadapter %s: slot %u asked, links have slots 0 to %u", v->name, v->slot,
                                           iov_model_get_slots(m) - 1);
                snprintf(claims[n].key, sizeof(claims[n].key), "slot %u of server %.63s", v->slot, v->server);
                claims[n++].holder = v->name;
        }
        const struct claim *clash = claims_clash(claims, n);
        return clash ? refuse_clash(blame, IOV_KIND_VADAPTER, clash, clash->key, refusal) : 0;
}

static int check_serials(const struct iov_model *m, const struct iove_blame *blame, struct iove_refusal *refusal) {
        CLEANUP_FREE struct claim *claims = calloc(iov_model_count(m, IOV_KIND_VADAPTER) + 1, sizeof(*claims));
        const struct iov_vadapter *v;
        size_t n = 0;

        if (!claims)
                return -ENOMEM;
        iov_model_foreach (m, IOV_KIND_VADAPTER, v)
                if (*v->serial) {
                        snprintf(claims[n].key, sizeof(claims[n].key), "serial %.20s", v->serial);
                        claims[n++].holder = v->name;
                }
        const struct claim *clash = claims_clash(claims, n);
        return clash ? refuse_clash(blame, IOV_KIND_VADAPTER, clash, clash->key, refusal) : 0;
}

static int check_vadapters(const struct iov_model *m, const struct iove_blame *blame, struct iove_refusal *refusal) {
        const struct iov_vadapter *v;

        iov_model_foreach (m, IOV_KIND_VADAPTER, v) {
                const struct iov_adapter *a = iov_model_get(m, IOV_KIND_ADAPTER, v->adapter);
                if (!a)
                        return iove_refuse(refusal, IOV_RET_NOT_FOUND, blamed(blame, IOV_KIND_VADAPTER, v->name),
                                           "vadapter %s: there is no adapter %s", v->name, v->adapter);
                if (!a->supported)
                        return iove_refuse(refusal, IOV_RET_UNSUPPORTED, blamed(blame, IOV_KIND_VADAPTER, v->name),
                                           "vadapter %s: not yet: %s is a %s, and this version has no device model for that kind",
                                           v->name, a->name, iov_adapter_kind_to_string(a->kind));
        }
        int r = check_slots(m, blame, refusal);
        return r < 0 ? r : check_serials(m, blame, refusal);
}

static int check_namespaces(const struct iov_model *m, const struct iove_blame *blame, struct iove_refusal *refusal) {
        CLEANUP_FREE struct claim *claims = calloc(iov_model_count(m, IOV_KIND_NAMESPACE) + 1, sizeof(*claims));
        const struct iov_namespace *ns;
        size_t n = 0;

        if (!claims)
                return -ENOMEM;
        iov_model_foreach (m, IOV_KIND_NAMESPACE, ns) {
                const struct iov_vadapter *va = iov_model_get(m, IOV_KIND_VADAPTER, ns->vadapter);
                const struct iov_volume *vol = iov_model_get(m, IOV_KIND_VOLUME, ns->volume);
                if (!va)
                        return iove_refuse(refusal, IOV_RET_NOT_FOUND, blamed(blame, IOV_KIND_NAMESPACE, ns->name),
                                           "namespace %s: there is no vadapter %s", ns->name, ns->vadapter);
                if (!vol)
                        return iove_refuse(refusal, IOV_RET_NOT_FOUND, blamed(blame, IOV_KIND_NAMESPACE, ns->name),
                                           "namespace %s: there is no volume %s", ns->name, ns->volume);
                if (strcmp(va->adapter, vol->adapter) != 0)
                        return iove_refuse(refusal, IOV_RET_INVALID_INPUT, blamed(blame, IOV_KIND_NAMESPACE, ns->name),
                                           "namespace %s: volume %s is on %s, vadapter %s on %s", ns->name, vol->name,
                                           vol->adapter, va->name, va->adapter);
                snprintf(claims[n].key, sizeof(claims[n].key), "volume %.63s", ns->volume);
                claims[n++].holder = ns->name;
        }
        const struct claim *clash = claims_clash(claims, n);
        return clash ? refuse_clash(blame, IOV_KIND_NAMESPACE, clash, clash->key, refusal) : 0;
}

int iove_rules_check(const struct iov_model *candidate, const struct iove_limits *limits, const struct iove_blame *blame,
                     struct iove_refusal *refusal) {
        int r = check_servers(candidate, limits, blame, refusal);

        if (r == 0)
                r = check_volumes(candidate, blame, refusal);
        if (r == 0)
                r = check_vadapters(candidate, blame, refusal);
        if (r == 0)
                r = check_namespaces(candidate, blame, refusal);
        return r;
}

static bool media_differ(const struct iov_model *a, const struct iov_model *b, const char *vadapter) {
        for (uint32_t nsid = 1; nsid <= IOV_NSID_MAX; nsid++) {
                const struct iov_namespace *x = iov_namespace_get(a, vadapter, nsid), *y = iov_namespace_get(b, vadapter, nsid);

                if (!x && !y)
                        continue;
                if (!x || !y)
                        return true;
                const struct iov_volume *p = iov_model_get(a, IOV_KIND_VOLUME, x->volume),
                                        *q = iov_model_get(b, IOV_KIND_VOLUME, y->volume);
                if (!p || !q || p->id != q->id || p->size != q->size)
                        return true;
        }
        return false;
}

bool iove_vadapter_differs(const struct iov_model *a, const struct iov_model *b, const char *vadapter) {
        const struct iov_vadapter *x = iov_model_get(a, IOV_KIND_VADAPTER, vadapter),
                                  *y = iov_model_get(b, IOV_KIND_VADAPTER, vadapter);

        if (!x || !y)
                return x != y;
        return x->id != y->id || !iov_record_same_config(IOV_KIND_VADAPTER, x, y) || media_differ(a, b, vadapter);
}

int iove_rules_check_change(const struct iov_model *have, const struct iov_model *candidate, bool force,
                            const struct iove_blame *blame, struct iove_refusal *refusal) {
        const struct iov_vadapter *v;
        const struct iov_volume *old;

        iov_model_foreach (have, IOV_KIND_VOLUME, old) {
                const struct iov_volume *new = iov_model_get(candidate, IOV_KIND_VOLUME, old->name);

                if (new &&new->id == old->id &&new->size < old->size) {
                        char from[32], to[32];

                        return iove_refuse(refusal, IOV_RET_UNSUPPORTED, blamed(blame, IOV_KIND_VOLUME, old->name),
                                           "volume %s: it has %s and cannot shrink to %s", old->name,
                                           iov_size_format(old->size, from), iov_size_format(new->size, to));
                }
                if (new &&new->id == old->id && strcmp(new->adapter, old->adapter) != 0)
                        return iove_refuse(refusal, IOV_RET_UNSUPPORTED, blamed(blame, IOV_KIND_VOLUME, old->name),
                                           "volume %s: it is on %s and cannot move to %s: make a new one and copy", old->name,
                                           old->adapter, new->adapter);
        }
        iov_model_foreach (have, IOV_KIND_VADAPTER, v)
                if (!force && v->state == IOV_VADAPTER_CONNECTED && iove_vadapter_differs(have, candidate, v->name)) {
                        return iove_refuse(refusal, IOV_RET_BUSY, blamed(blame, IOV_KIND_VADAPTER, v->name),
                                           "vadapter %s: server %s runs with it (process %u): shut the server down first, or "
                                           "force it, which is a "
                                           "surprise removal",
                                           v->name, v->server, v->peer_pid);
                }
        return 0;
}

/* Connected and failed are the supervisor's to say; the rest follows from where it is. */
static void derive_state(struct iov_model *m, const struct iov_vadapter *va) {
        struct iov_vadapter copy = *va;

        if (!*copy.server)
                copy.state = IOV_VADAPTER_DETACHED;
        else if (copy.state == IOV_VADAPTER_DETACHED)
                copy.state = IOV_VADAPTER_ATTACHED;
        if (copy.state != va->state)
                iov_model_set(m, IOV_KIND_VADAPTER, &copy);
}

int iove_rules_derive(struct iov_model *m) {
        const struct iov_adapter *a;
        const struct iov_volume *vol;
        const struct iov_vadapter *va;

        iov_model_foreach (m, IOV_KIND_ADAPTER, a) {
                struct iov_adapter copy = *a;

                copy.allocated = 0;
                copy.vadapters = 0;
                iov_model_set(m, IOV_KIND_ADAPTER, &copy);
        }
        iov_model_foreach (m, IOV_KIND_VOLUME, vol) {
                struct iov_adapter copy = *(const struct iov_adapter *)iov_model_get(m, IOV_KIND_ADAPTER, vol->adapter);

                copy.allocated += vol->size;
                iov_model_set(m, IOV_KIND_ADAPTER, &copy);
        }
        iov_model_foreach (m, IOV_KIND_VADAPTER, va) {
                struct iov_adapter copy = *(const struct iov_adapter *)iov_model_get(m, IOV_KIND_ADAPTER, va->adapter);

                copy.vadapters++;
                iov_model_set(m, IOV_KIND_ADAPTER, &copy);
                derive_state(m, va);
        }
        return 0;
}
