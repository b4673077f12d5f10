/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "iove/links.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "iove/faults.h"
#include "util.h"

static const struct iov_link *link_get(const struct iov_model *m, uint32_t number) {
        char name[IOV_NAME_SIZE];

        snprintf(name, sizeof(name), "%u", number);
        return iov_model_get(m, IOV_KIND_LINK, name);
}

/* PCI Express Base 5.0 section 4.2.5: a link with nobody at its other end stays in Detect; one that was told to is in Disabled.
 */
static int derive_one(struct iov_model *m, uint32_t number, const char *server) {
        const struct iov_link *old = link_get(m, number);
        struct iov_link l = {.number = number, .max_speed = LINK_SPEED, .max_width = LINK_WIDTH};

        snprintf(l.name, sizeof(l.name), "%u", number);
        if (server)
                field_set(l.server, sizeof(l.server), server);
        l.retrains = old ? old->retrains : 0;
        if (old && old->state == IOV_LINK_DISABLED)
                l.state = IOV_LINK_DISABLED;
        else if (server && !faults_find(m, IOV_FAULT_LINK_DOWN, server))
                l.state = IOV_LINK_L0;
        if (l.state == IOV_LINK_L0) {
                l.speed = LINK_SPEED;
                l.width = LINK_WIDTH;
        }
        return iov_model_set(m, IOV_KIND_LINK, &l);
}

/* Of a chassis that had more. */
static int remove_surplus(struct iov_model *m, unsigned int links) {
        CLEANUP_FREE const void **records = NULL;
        int n = iov_model_sorted(m, IOV_KIND_LINK, &records);

        for (int i = 0; i < n; i++) {
                const struct iov_link *l = records[i];
                char name[IOV_NAME_SIZE];

                if (l->number < links)
                        continue;
                memcpy(name, l->name, sizeof(name));
                int r = iov_model_remove(m, IOV_KIND_LINK, name);
                if (r < 0)
                        return r;
        }
        return n < 0 ? n : 0;
}

int links_derive(struct iov_model *m) {
        unsigned int links = iov_model_get_links(m) < IOV_LINK_MAX ? iov_model_get_links(m) : IOV_LINK_MAX;
        CLEANUP_FREE const char **servers = calloc(links + 1u, sizeof(*servers));
        const struct iov_server *s;
        int r = servers ? remove_surplus(m, links) : -ENOMEM;

        if (r < 0)
                return r;
        iov_model_foreach (m, IOV_KIND_SERVER, s)
                if (s->link < links)
                        servers[s->link] = s->name;
        for (uint32_t i = 0; r == 0 && i < links; i++)
                r = derive_one(m, i, servers[i]);
        return r;
}

int links_control(struct iov_model *candidate, const struct iov_mb_link_control *request, struct iove_refusal *refusal) {
        const struct iov_link *old = link_get(candidate, request->link);

        if (!old)
                return iove_refuse(refusal, IOV_RET_NOT_FOUND, UINT32_MAX, "link %u: the chassis has links 0 to %u",
                                   request->link, iov_model_get_links(candidate) - 1);
        struct iov_link l = *old;
        switch (request->action) {
        case IOV_LINK_UP:
                l.state = IOV_LINK_DETECT;
                break;
        case IOV_LINK_DOWN:
                l.state = IOV_LINK_DISABLED;
                break;
        case IOV_LINK_RETRAIN:
                if (l.state != IOV_LINK_L0)
                        return iove_refuse(refusal, IOV_RET_INVALID_INPUT, UINT32_MAX,
                                           "link %u: it is not up, so there is nothing to retrain", request->link);
                /* Through Recovery and back to L0, as PCI Express Base 5.0 section 4.2.5.6 has it; no transaction is lost. */
                l.retrains++;
                break;
        default:
                return iove_refuse(refusal, IOV_RET_INVALID_INPUT, UINT32_MAX, "LINK_CONTROL: unknown action %u",
                                   request->action);
        }
        return iov_model_set(candidate, IOV_KIND_LINK, &l);
}
