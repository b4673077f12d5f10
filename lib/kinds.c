/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which kinds of objects there are, the members of vAdapters and profiles, and what follows from who wears what. */
#include <errno.h>

#include "iov/libiov.h"
#include "model.h"
#include "util.h"

#define SAME_SHAPE(record, parent_field, target_field, number_field)                                                             \
        _Static_assert(sizeof(struct iov_member) == sizeof(struct record) &&                                                     \
                               offsetof(struct iov_member, parent) == offsetof(struct record, parent_field) &&                   \
                               offsetof(struct iov_member, target) == offsetof(struct record, target_field) &&                   \
                               offsetof(struct iov_member, number) == offsetof(struct record, number_field),                     \
                       "a member's shape")
SAME_SHAPE(iov_namespace, vadapter, volume, nsid);
_Static_assert(offsetof(struct iov_member, read_only) == offsetof(struct iov_namespace, read_only), "a member's shape");
SAME_SHAPE(iov_lun, vadapter, volume, lun);
SAME_SHAPE(iov_drive, vadapter, volume, drive);
SAME_SHAPE(iov_profile_slot, profile, vadapter, slot);

static const enum iov_kind config_kinds[] = {IOV_KIND_POOL,    IOV_KIND_QOS,    IOV_KIND_NETWORK,     IOV_KIND_VOLUME,
                                             IOV_KIND_PROFILE, IOV_KIND_SERVER, IOV_KIND_VADAPTER,    IOV_KIND_NAMESPACE,
                                             IOV_KIND_LUN,     IOV_KIND_DRIVE,  IOV_KIND_PROFILE_SLOT};

size_t iov_config_kinds(const enum iov_kind **ret_kinds) {
        *ret_kinds = config_kinds;
        return ARRAY_LENGTH(config_kinds);
}

#define BIT(kind) (UINT32_C(1) << IOV_KIND_##kind)
#define CONFIG_BITS                                                                                                              \
        (BIT(POOL) | BIT(QOS) | BIT(NETWORK) | BIT(VOLUME) | BIT(PROFILE) | BIT(SERVER) | BIT(VADAPTER) | BIT(NAMESPACE) |       \
         BIT(LUN) | BIT(DRIVE) | BIT(PROFILE_SLOT))
#define OBJECT_BITS (CONFIG_BITS | BIT(ADAPTER) | BIT(IDENTITY) | BIT(LINK) | BIT(FAULT))
_Static_assert(IOV_KIND_COUNT <= 32, "kinds as bits");

/* Asked for every record that is looked at. */
static bool is_one_of(uint32_t bits, enum iov_kind kind) {
        return (unsigned int)kind < IOV_KIND_COUNT && bits >> (unsigned int)kind & 1;
}

bool iov_kind_is_config(enum iov_kind kind) {
        return is_one_of(CONFIG_BITS, kind);
}

bool iov_kind_is_object(enum iov_kind kind) {
        return is_one_of(OBJECT_BITS, kind);
}

static const struct iov_member_info member_infos[] = {
        {IOV_KIND_NAMESPACE, IOV_KIND_VADAPTER, IOV_KIND_VOLUME, 1, IOV_NSID_MAX},
        {IOV_KIND_LUN, IOV_KIND_VADAPTER, IOV_KIND_VOLUME, 0, IOV_LUN_NUMBER_MAX},
        {IOV_KIND_DRIVE, IOV_KIND_VADAPTER, IOV_KIND_VOLUME, 0, IOV_DRIVE_NUMBER_MAX},
        {IOV_KIND_PROFILE_SLOT, IOV_KIND_PROFILE, IOV_KIND_VADAPTER, 0, UINT32_MAX},
};

const struct iov_member_info *iov_member_info(enum iov_kind kind) {
        for (size_t i = 0; i < ARRAY_LENGTH(member_infos); i++)
                if (member_infos[i].kind == kind)
                        return &member_infos[i];
        return NULL;
}

enum iov_kind iov_member_kind_of_adapter(uint32_t adapter_kind) {
        switch (adapter_kind) {
        case IOV_ADAPTER_SSD:
                return IOV_KIND_NAMESPACE;
        case IOV_ADAPTER_HBA:
                return IOV_KIND_LUN;
        case IOV_ADAPTER_RAID:
        case IOV_ADAPTER_SATA:
                return IOV_KIND_DRIVE;
        default:
                return IOV_KIND_TABLE;
        }
}

_Static_assert(IOV_NAME_MAX + 1 + DECIMAL_SIZE <= sizeof(((struct iov_member *)NULL)->name), "room for a member's name");
int iov_member_init(struct iov_member *member, const char *parent, uint32_t number) {
        const size_t length = strlen(parent);

        if (length > IOV_NAME_MAX)
                return -ENAMETOOLONG;
        field_set(member->parent, sizeof(member->parent), parent);
        field_set(member->name, sizeof(member->name), parent);
        member->name[length] = '/';
        put_decimal(member->name + length + 1, number);
        member->number = number;
        return 0;
}

const struct iov_member *iov_member_get(const struct iov_model *model, enum iov_kind kind, const char *parent, uint32_t number) {
        struct iov_member key = {0};

        return iov_member_init(&key, parent, number) < 0 ? NULL : iov_model_get(model, kind, key.name);
}

int iov_namespace_init(struct iov_namespace *ns, const char *vadapter, uint32_t nsid) {
        struct iov_member member = {0};
        int r = iov_member_init(&member, vadapter, nsid);

        if (r < 0)
                return r;
        memcpy(ns->name, member.name, sizeof(ns->name));
        memcpy(ns->vadapter, member.parent, sizeof(ns->vadapter));
        ns->nsid = nsid;
        return 0;
}

const struct iov_namespace *iov_namespace_get(const struct iov_model *model, const char *vadapter, uint32_t nsid) {
        return (const struct iov_namespace *)(const void *)iov_member_get(model, IOV_KIND_NAMESPACE, vadapter, nsid);
}

/* ---- what follows from the rest ---- */

static void clear_wearers(struct iov_model *m) {
        const struct iov_profile *p;

        iov_model_foreach (m, IOV_KIND_PROFILE, p) {
                struct iov_profile *profile = model_edit(m, IOV_KIND_PROFILE, p);

                memset(profile->server, 0, sizeof(profile->server));
        }
}

static void set_wearers(struct iov_model *m) {
        const struct iov_server *s;

        iov_model_foreach (m, IOV_KIND_SERVER, s) {
                const struct iov_profile *p = *s->profile ? iov_model_get(m, IOV_KIND_PROFILE, s->profile) : NULL;
                struct iov_profile *profile = p ? model_edit(m, IOV_KIND_PROFILE, p) : NULL;

                if (profile && !*profile->server)
                        memcpy(profile->server, s->name, sizeof(profile->server));
        }
}

static void place_alone(struct iov_model *m) {
        const struct iov_vadapter *v;

        iov_model_foreach (m, IOV_KIND_VADAPTER, v) {
                struct iov_vadapter *vadapter = model_edit(m, IOV_KIND_VADAPTER, v);

                memcpy(vadapter->at_server, v->server, sizeof(vadapter->at_server));
                vadapter->at_slot = *v->server ? v->slot : 0;
                memset(vadapter->profile, 0, sizeof(vadapter->profile));
        }
}

static void place_worn(struct iov_model *m) {
        const struct iov_profile_slot *s;

        iov_model_foreach (m, IOV_KIND_PROFILE_SLOT, s) {
                const struct iov_vadapter *v = iov_model_get(m, IOV_KIND_VADAPTER, s->vadapter);
                const struct iov_profile *p = iov_model_get(m, IOV_KIND_PROFILE, s->profile);

                if (!v || !p)
                        continue;
                struct iov_vadapter *vadapter = model_edit(m, IOV_KIND_VADAPTER, v);
                memcpy(vadapter->profile, s->profile, sizeof(vadapter->profile));
                if (*p->server && !*v->server) {
                        memcpy(vadapter->at_server, p->server, sizeof(vadapter->at_server));
                        vadapter->at_slot = s->slot;
                }
        }
}

int iov_model_derive(struct iov_model *m) {
        clear_wearers(m);
        set_wearers(m);
        place_alone(m);
        place_worn(m);
        return 0;
}

const struct iov_vadapter *iov_vadapter_in_slot(const struct iov_model *model, const char *server, uint32_t slot) {
        const struct iov_vadapter *v;

        iov_model_foreach (model, IOV_KIND_VADAPTER, v)
                if (v->at_slot == slot && strcmp(v->at_server, server) == 0)
                        return v;
        return NULL;
}

bool iov_vadapter_is_reachable(const struct iov_model *m, const struct iov_vadapter *v) {
        const struct iov_server *s = iov_model_get(m, IOV_KIND_SERVER, v->at_server);
        const struct iov_fault *f;
        char name[DECIMAL_SIZE];

        put_decimal(name, s ? s->link : UINT32_MAX);
        const struct iov_link *l = iov_model_get(m, IOV_KIND_LINK, name);
        if (l && l->state != IOV_LINK_L0)
                return false;
        iov_model_foreach (m, IOV_KIND_FAULT, f)
                if (f->type == IOV_FAULT_SURPRISE_REMOVAL && strcmp(f->object, v->name) == 0)
                        return false;
        return true;
}
