/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Networks, qos, profiles and pools of identities. */
#include <string.h>

#include "tools/common/objects-private.h"
#include "util.h"

const struct column network_columns[] = {
        {"name", 0, "name"},
        {"adapter", 0, "the NIC"},
        {"port", COLUMN_RIGHT, "its port"},
        {"vlans", 0, "the VLAN ids that it carries"},
        {"mtu", COLUMN_RIGHT, "largest payload of a frame, bytes"},
        {0},
};
const struct column qos_columns[] = {
        {"name", 0, "name"},
        {"read_iops", COLUMN_RIGHT, "read commands a second; none: no limit"},
        {"write_iops", COLUMN_RIGHT, "write commands a second"},
        {"bandwidth", COLUMN_RIGHT, "bit/s"},
        {"weight", COLUMN_RIGHT, "share of a contended adapter"},
        {0},
};
const struct column profile_columns[] = {
        {"name", 0, "name"},
        {"server", 0, "the server that wears it"},
        {"vadapters", COLUMN_RIGHT, "number of vAdapters in it"},
        {"slots", COLUMN_DETAIL, "which vAdapter is in which slot"},
        {0},
};
const struct column pool_columns[] = {
        {"name", 0, "type of identity: mac, wwnn, wwpn, serial or nqn"},
        {"first", 0, "first address, or what all begin with"},
        {"last", 0, "last address"},
        {"rest", COLUMN_RIGHT, "seconds for which a released one is given to nobody else"},
        {0},
};

void network_row(struct table *t, const struct snapshot *s, const void *record) {
        const struct iov_network *n = record;
        CLEANUP_FREE char *vlans = NULL;

        PUT_FIELD(t, n->name);
        PUT_FIELD(t, n->adapter);
        put_number(t, n->port);
        put_text(t, iov_vlans_format(n->vlans, &vlans) == 0 ? vlans : NULL);
        put_number(t, n->mtu);
}

void qos_row(struct table *t, const struct snapshot *s, const void *record) {
        const struct iov_qos *q = record;

        PUT_FIELD(t, q->name);
        put_number_or_null(t, q->read_iops);
        put_number_or_null(t, q->write_iops);
        put_rate_or_null(t, q->bandwidth);
        put_number(t, q->weight);
}

static struct table *slots_table(const struct iov_model *model, const char *profile) {
        static const struct column columns[] = {{"slot", COLUMN_RIGHT, ""}, {"vadapter", 0, ""}, {"state", 0, ""}, {0}};
        struct table *t = table_new("slots", columns);

        for (uint32_t slot = 0; slot < iov_model_get_slots(model); slot++) {
                const struct iov_member *member = iov_member_get(model, IOV_KIND_PROFILE_SLOT, profile, slot);
                const struct iov_vadapter *v = member ? iov_model_get(model, IOV_KIND_VADAPTER, member->target) : NULL;

                if (!member)
                        continue;
                table_row(t);
                put_number(t, slot);
                PUT_FIELD(t, member->target);
                put_text(t, v ? iov_vadapter_state_to_string(v->state) : NULL);
        }
        return t;
}

void profile_row(struct table *t, const struct snapshot *s, const void *record) {
        const struct iov_profile *p = record;
        struct table *slots = slots_table(s->model, p->name);

        PUT_FIELD(t, p->name);
        PUT_FIELD(t, p->server);
        put_number(t, table_n_rows(slots));
        put_table(t, slots);
}

void pool_row(struct table *t, const struct snapshot *s, const void *record) {
        const struct iov_pool *p = record;

        PUT_FIELD(t, p->name);
        PUT_FIELD(t, p->first);
        PUT_FIELD(t, p->last);
        put_number(t, p->rest);
}
