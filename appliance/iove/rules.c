/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rules of the switch for each kind of object. Each check walks the model once and uses small indexes, so that 65,536 objects
 * stay quick. */
#include "iove/rules.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "backend.h"
#include "iove/identity.h"
#include "iove/rules-private.h"
#include "util.h"

/* Reasons beyond the room are counted, and cost no more than that. */
__attribute__((format(printf, 4, 0))) static int add_reason(struct iove_refusal *refusal, enum iov_retcode code,
                                                            uint32_t op_index, const char *format, va_list args) {
        if (refusal->n == 0)
                refusal->code = code;
        if (refusal->n < IOV_MB_ERRORS_MAX) {
                struct iov_mb_error *error = &refusal->errors[refusal->n];

                memset(error, 0, sizeof(*error));
                error->op_index = op_index;
                vsnprintf(error->text, sizeof(error->text), format, args);
        }
        refusal->n++;
        return -EBADMSG;
}

int iove_refuse(struct iove_refusal *refusal, enum iov_retcode code, uint32_t op_index, const char *format, ...) {
        va_list args;

        refusal->n = 0;
        va_start(args, format);
        int r = add_reason(refusal, code, op_index, format, args);
        va_end(args);
        return r;
}

int iove_refuse_also(struct iove_refusal *refusal, enum iov_retcode code, uint32_t op_index, const char *format, ...) {
        va_list args;

        va_start(args, format);
        int r = add_reason(refusal, code, op_index, format, args);
        va_end(args);
        return r;
}

uint32_t iove_blamed(const struct iove_blame *blame, enum iov_kind kind, const char *name) {
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
        if (!iov_provisioning_to_string(v->provisioning))
                return "provisioning is neither thin nor full";
        if (!iov_block_size_bytes(v->block_size))
                return "block_size is neither 512 nor 4096";
        return v->shared > 1 ? "shared is neither 0 nor 1" : NULL;
}

static const char *vlans_check(const struct iov_network *n) {
        if (n->vlans[0] & 1)
                return "VLAN id 0 is no VLAN";
        if (n->vlans[IOV_VLAN_MAX / 8 + 0] >> 7)
                return "VLAN id 4095 is reserved";
        return NULL;
}

static const char *network_check(const struct iov_network *n) {
        if (!iov_name_is_valid(n->adapter))
                return "adapter has no valid name";
        if (n->mtu < 68 || n->mtu > 9216)
                return "mtu is not within 68 to 9216";
        return vlans_check(n);
}

static const char *vadapter_check(const struct iov_vadapter *v) {
        for (unsigned int t = 0; t < IOV_IDENTITY_COUNT; t++) {
                const char *wrong = identity_check((enum iov_identity_type)t, identity_of(v, (enum iov_identity_type)t));

                if (wrong)
                        return wrong;
        }
        if (v->vlan > IOV_VLAN_MAX)
                return "vlan is not within 0 to 4094";
        if (!iov_vlan_mode_to_string(v->vlan_mode))
                return "vlan_mode is neither access nor trunk";
        if (!iov_polling_to_string(v->polling))
                return "polling is neither adaptive nor always";
        if (!iov_memory_to_string(v->memory))
                return "memory is neither pageable nor pinned";
        return iov_interrupts_to_string(v->interrupts) ? NULL : "interrupts is none of auto, msix, msi and intx";
}

static const char *server_check(const struct iov_server *s) {
        return *s->qemu && *s->qemu != '/' ? "host: the path of a hypervisor's socket must begin with /" : NULL;
}

static const char *member_check(const struct iov_member_info *info, const struct iov_member *member) {
        struct iov_member key = {0};

        if (member->number < info->min || member->number > info->max)
                return "its number is out of range";
        if (iov_member_init(&key, member->parent, member->number) < 0 || strcmp(key.name, member->name) != 0)
                return "its name is not that of what it is in, / and its number";
        return iov_name_is_valid(member->target) ? NULL : "what it shows has no valid name";
}

const char *iove_record_check(enum iov_kind kind, const void *record) {
        if (!strings_end(kind, record))
                return "a string of the record does not end";
        if (iov_member_info(kind))
                return member_check(iov_member_info(kind), record);
        if (!iov_name_is_valid(record))
                return "names have letters, digits, '.', '_' and '-', start with a letter or digit, and end within 63 characters";
        switch (kind) {
        case IOV_KIND_SERVER:
                return server_check(record);
        case IOV_KIND_VOLUME:
                return volume_check(record);
        case IOV_KIND_VADAPTER:
                return vadapter_check(record);
        case IOV_KIND_NETWORK:
                return network_check(record);
        case IOV_KIND_QOS:
                return ((const struct iov_qos *)record)->weight >= 1 && ((const struct iov_qos *)record)->weight <= 1000
                               ? NULL
                               : "weight is not within 1 to 1000";
        case IOV_KIND_POOL:
                return identity_pool_check(record);
        case IOV_KIND_PROFILE:
                return NULL;
        default:
                return "objects of this kind cannot be changed";
        }
}

static void check_link(const struct iov_model *m, const struct iov_server *s, const struct iov_server **by_link,
                       const struct iove_blame *blame, struct iove_refusal *refusal) {
        unsigned int links = iov_model_get_links(m);

        if (s->link >= links)
                iove_refuse_also(refusal, IOV_RET_NOT_FOUND, iove_blamed(blame, IOV_KIND_SERVER, s->name),
                                 "server %s: link %u asked, the chassis has links 0 to %u", s->name, s->link, links - 1);
        else if (by_link[s->link])
                iove_refuse_also(refusal, IOV_RET_EXISTS, iove_blamed(blame, IOV_KIND_SERVER, s->name),
                                 "server %s: link %u is that of server %s", s->name, s->link, by_link[s->link]->name);
        else
                by_link[s->link] = s;
}

static void check_profile(const struct iov_model *m, const struct iov_server *s, const struct iove_blame *blame,
                          struct iove_refusal *refusal) {
        const struct iov_profile *p = *s->profile ? iov_model_get(m, IOV_KIND_PROFILE, s->profile) : NULL;

        if (*s->profile && !p)
                iove_refuse_also(refusal, IOV_RET_NOT_FOUND, iove_blamed(blame, IOV_KIND_SERVER, s->name),
                                 "server %s: there is no profile %s", s->name, s->profile);
        if (p && strcmp(p->server, s->name) != 0)
                iove_refuse_also(refusal, IOV_RET_EXISTS, iove_blamed(blame, IOV_KIND_SERVER, s->name),
                                 "server %s: profile %s is worn by server %s: take it off there first", s->name, p->name,
                                 p->server);
}

static int check_servers(const struct iov_model *m, const struct iove_limits *limits, const struct iove_blame *blame,
                         struct iove_refusal *refusal) {
        CLEANUP_FREE const struct iov_server **by_link = calloc(iov_model_get_links(m) + 1u, sizeof(void *));
        const struct iov_server *s;

        if (!by_link)
                return -ENOMEM;
        iov_model_foreach (m, IOV_KIND_SERVER, s) {
                check_link(m, s, by_link, blame, refusal);
                /* RUN/servers/NAME/NN.sock and the NUL */
                size_t path = limits->run_dir_length + strlen("/servers/") + strlen(s->name) + strlen("/99.sock") + 1;
                if (limits->run_dir_length && path > sizeof(((struct sockaddr_un *)0)->sun_path))
                        iove_refuse_also(
                                refusal, IOV_RET_LIMIT, iove_blamed(blame, IOV_KIND_SERVER, s->name),
                                "server %s: its socket paths would have %zu characters, 107 is the limit: use a shorter name or "
                                "start iovd with a shorter --run",
                                s->name, path - 1);
                check_profile(m, s, blame, refusal);
        }
        return 0;
}

/* What the adapter's media can do at all. */
static void check_media(const struct iov_volume *v, const struct iov_adapter *a, const struct iove_blame *blame,
                        struct iove_refusal *refusal) {
        if (v->provisioning == IOV_PROVISIONING_FULL && backend_is_external(a->backend))
                iove_refuse_also(
                        refusal, IOV_RET_UNSUPPORTED, iove_blamed(blame, IOV_KIND_VOLUME, v->name),
                        "volume %s: provisioning full is for the appliance's own files and memory, and the backend of %s "
                        "has its volumes already",
                        v->name, a->name);
        if (v->on_remove == IOV_ON_REMOVE_DELETE && backend_is_external(a->backend))
                iove_refuse_also(refusal, IOV_RET_UNSUPPORTED, iove_blamed(blame, IOV_KIND_VOLUME, v->name),
                                 "volume %s: on_remove: delete is the default, and is not for %s: what its backend has is "
                                 "not the appliance's to delete; say on_remove: retain",
                                 v->name, a->name);
}

/* One that does not fit takes no space from the next. */
static void check_capacity(const struct iov_volume *v, const struct iov_adapter *a, uint64_t *sum, const struct iove_blame *blame,
                           struct iove_refusal *refusal) {
        char asked[32], left[32];

        if (v->size <= a->capacity - *sum)
                *sum += v->size;
        else
                iove_refuse_also(refusal, IOV_RET_NO_SPACE, iove_blamed(blame, IOV_KIND_VOLUME, v->name),
                                 "volume %s: %s asked, %s free on %s", v->name, iov_size_format(v->size, asked),
                                 iov_size_format(a->capacity - *sum, left), a->name);
}

static int check_volumes(const struct iov_model *m, const struct iove_blame *blame, struct iove_refusal *refusal) {
        unsigned int rows = iov_model_rows(m, IOV_KIND_ADAPTER);
        CLEANUP_FREE uint64_t *used = calloc(rows + 1u, sizeof(*used));
        const struct iov_volume *v;

        if (!used)
                return -ENOMEM;
        iov_model_foreach (m, IOV_KIND_VOLUME, v) {
                const struct iov_adapter *a = iov_model_get(m, IOV_KIND_ADAPTER, v->adapter);

                if (!a) {
                        iove_refuse_also(refusal, IOV_RET_NOT_FOUND, iove_blamed(blame, IOV_KIND_VOLUME, v->name),
                                         "volume %s: there is no adapter %s", v->name, v->adapter);
                } else if (a->capacity == 0) {
                        iove_refuse_also(refusal, IOV_RET_UNSUPPORTED, iove_blamed(blame, IOV_KIND_VOLUME, v->name),
                                         "volume %s: %s is a %s, it has no media", v->name, a->name,
                                         iov_adapter_kind_to_string(a->kind));
                } else {
                        check_media(v, a, blame, refusal);
                        check_capacity(v, a, &used[iov_model_row(m, IOV_KIND_ADAPTER, a)], blame, refusal);
                }
        }
        return 0;
}

static int check_slot(const struct iov_model *m, const struct iov_vadapter *v, struct claims *claims,
                      const struct iove_blame *blame, struct iove_refusal *refusal) {
        if (*v->server && !iov_model_get(m, IOV_KIND_SERVER, v->server))
                return iove_refuse_also(refusal, IOV_RET_NOT_FOUND, iove_blamed(blame, IOV_KIND_VADAPTER, v->name),
                                        "vadapter %s: there is no server %s", v->name, v->server);
        if (!*v->at_server)
                return 0;
        if (v->at_slot >= iov_model_get_slots(m))
                return iove_refuse_also(refusal, IOV_RET_NOT_FOUND, iove_blamed(blame, IOV_KIND_VADAPTER, v->name),
                                        "vadapter %s: slot %u asked, links have slots 0 to %u", v->name, v->at_slot,
                                        iov_model_get_slots(m) - 1);
        return claims_add(claims, &(struct claim){"slot", v->at_server, v->at_slot, IOV_KIND_VADAPTER, v->name, false}, blame,
                          refusal);
}

static int check_slots(const struct iov_model *m, const struct iove_blame *blame, struct iove_refusal *refusal) {
        CLEANUP_CLAIMS struct claims claims = {0};
        const struct iov_vadapter *v;
        int r = claims_init(&claims, iov_model_count(m, IOV_KIND_VADAPTER));

        iov_model_foreach (m, IOV_KIND_VADAPTER, v)
                if (r == 0)
                        r = iove_goes_on(check_slot(m, v, &claims, blame, refusal));
        return r;
}

/* Both kinds of WWN are names in one fabric: FC-FS-3 section 14. */
static const char *claim_word(unsigned int type) {
        return type == IOV_IDENTITY_WWNN || type == IOV_IDENTITY_WWPN ? "WWN" : iov_identity_type_to_string(type);
}

static int check_identities(const struct iov_model *m, const struct iove_blame *blame, struct iove_refusal *refusal) {
        CLEANUP_CLAIMS struct claims claims = {0};
        const struct iov_vadapter *v;
        /* Few have more than two; it grows where it must. */
        int r = claims_init(&claims, iov_model_count(m, IOV_KIND_VADAPTER) * 2);

        iov_model_foreach (m, IOV_KIND_VADAPTER, v)
                for (unsigned int t = 0; r == 0 && t < IOV_IDENTITY_COUNT; t++)
                        if (*identity_of(v, (enum iov_identity_type)t))
                                r = iove_goes_on(
                                        claims_add(&claims,
                                                   &(struct claim){claim_word(t), identity_of(v, (enum iov_identity_type)t),
                                                                   CLAIM_NO_NUMBER, IOV_KIND_VADAPTER, v->name, false},
                                                   blame, refusal));
        return r;
}

static bool carries_vlan(const struct iov_network *n, uint32_t vlan) {
        return n->vlans[vlan / 8] >> (vlan % 8) & 1;
}

static void check_network_of(const struct iov_model *m, const struct iov_vadapter *v, const struct iov_adapter *a,
                             const struct iove_blame *blame, struct iove_refusal *refusal) {
        const struct iov_network *n = *v->network ? iov_model_get(m, IOV_KIND_NETWORK, v->network) : NULL;

        if (a->kind != IOV_ADAPTER_NIC && (*v->network || v->vlan))
                iove_refuse_also(refusal, IOV_RET_INVALID_INPUT, iove_blamed(blame, IOV_KIND_VADAPTER, v->name),
                                 "vadapter %s: %s is a %s, it has no networks", v->name, a->name,
                                 iov_adapter_kind_to_string(a->kind));
        else if (*v->network && !n)
                iove_refuse_also(refusal, IOV_RET_NOT_FOUND, iove_blamed(blame, IOV_KIND_VADAPTER, v->name),
                                 "vadapter %s: there is no network %s", v->name, v->network);
        else if (n && strcmp(n->adapter, v->adapter) != 0)
                iove_refuse_also(refusal, IOV_RET_INVALID_INPUT, iove_blamed(blame, IOV_KIND_VADAPTER, v->name),
                                 "vadapter %s: network %s is on %s, the vadapter on %s", v->name, n->name, n->adapter,
                                 v->adapter);
        else if (v->vlan && (!n || !carries_vlan(n, v->vlan)))
                iove_refuse_also(refusal, IOV_RET_INVALID_INPUT, iove_blamed(blame, IOV_KIND_VADAPTER, v->name),
                                 "vadapter %s: VLAN %u is not one of network %s", v->name, v->vlan, n ? n->name : "(none)");
}

static void check_identity_types(const struct iov_vadapter *v, const struct iov_adapter *a, const struct iove_blame *blame,
                                 struct iove_refusal *refusal) {
        for (unsigned int t = 0; t < IOV_IDENTITY_COUNT; t++)
                if (*identity_of(v, (enum iov_identity_type)t) && !identity_applies(a->kind, (enum iov_identity_type)t))
                        iove_refuse_also(refusal, IOV_RET_INVALID_INPUT, iove_blamed(blame, IOV_KIND_VADAPTER, v->name),
                                         "vadapter %s: %s is a %s, it has no %s", v->name, a->name,
                                         iov_adapter_kind_to_string(a->kind), iov_identity_type_to_string(t));
}

/* One without a device model can be defined, and has its identities; it cannot be given to a server. */
static void check_model(const struct iov_vadapter *v, const struct iov_adapter *a, const struct iove_blame *blame,
                        struct iove_refusal *refusal) {
        if (!a->supported && *v->at_server)
                iove_refuse_also(
                        refusal, IOV_RET_UNSUPPORTED, iove_blamed(blame, IOV_KIND_VADAPTER, v->name),
                        "vadapter %s: not yet: %s is a %s, and this version has no device model for that kind: it can be "
                        "defined, but not be given to a server",
                        v->name, a->name, iov_adapter_kind_to_string(a->kind));
}

static int check_vadapters(const struct iov_model *m, const struct iove_blame *blame, struct iove_refusal *refusal) {
        const struct iov_vadapter *v;

        iov_model_foreach (m, IOV_KIND_VADAPTER, v) {
                const struct iov_adapter *a = iov_model_get(m, IOV_KIND_ADAPTER, v->adapter);

                if (!a)
                        iove_refuse_also(refusal, IOV_RET_NOT_FOUND, iove_blamed(blame, IOV_KIND_VADAPTER, v->name),
                                         "vadapter %s: there is no adapter %s", v->name, v->adapter);
                if (*v->qos && !iov_model_get(m, IOV_KIND_QOS, v->qos))
                        iove_refuse_also(refusal, IOV_RET_NOT_FOUND, iove_blamed(blame, IOV_KIND_VADAPTER, v->name),
                                         "vadapter %s: there is no qos %s", v->name, v->qos);
                if (!a)
                        continue;
                check_model(v, a, blame, refusal);
                check_network_of(m, v, a, blame, refusal);
                check_identity_types(v, a, blame, refusal);
        }
        int r = check_slots(m, blame, refusal);
        return r < 0 ? r : check_identities(m, blame, refusal);
}

static void check_networks(const struct iov_model *m, const struct iove_blame *blame, struct iove_refusal *refusal) {
        const struct iov_network *n;

        iov_model_foreach (m, IOV_KIND_NETWORK, n) {
                const struct iov_adapter *a = iov_model_get(m, IOV_KIND_ADAPTER, n->adapter);

                if (!a)
                        iove_refuse_also(refusal, IOV_RET_NOT_FOUND, iove_blamed(blame, IOV_KIND_NETWORK, n->name),
                                         "network %s: there is no adapter %s", n->name, n->adapter);
                else if (a->kind != IOV_ADAPTER_NIC)
                        iove_refuse_also(refusal, IOV_RET_INVALID_INPUT, iove_blamed(blame, IOV_KIND_NETWORK, n->name),
                                         "network %s: %s is a %s, it has no networks", n->name, a->name,
                                         iov_adapter_kind_to_string(a->kind));
                else if (n->port >= a->ports)
                        iove_refuse_also(refusal, IOV_RET_NOT_FOUND, iove_blamed(blame, IOV_KIND_NETWORK, n->name),
                                         "network %s: port %u asked, %s has ports 0 to %u", n->name, n->port, a->name,
                                         a->ports - 1);
        }
}

int iove_rules_check(const struct iov_model *candidate, const struct iove_limits *limits, const struct iove_blame *blame,
                     struct iove_refusal *refusal) {
        int r = check_servers(candidate, limits, blame, refusal);

        if (r == 0)
                r = check_volumes(candidate, blame, refusal);
        if (r == 0)
                check_networks(candidate, blame, refusal);
        if (r == 0)
                r = check_vadapters(candidate, blame, refusal);
        if (r == 0)
                r = rules_check_members(candidate, blame, refusal);
        return r < 0 ? r : refusal->n ? -EBADMSG : 0;
}
