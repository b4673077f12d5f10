/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What tools are told of the reservations on shared volumes, and the operator's way out of them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "control/amend.h"
#include "control/control-private.h"
#include "iove/rules.h"
#include "util.h"
#include "vpc/reservation.h"

static const char *vadapter_name(const struct iov_model *model, uint64_t id) {
        const struct iov_vadapter *va = NULL;

        iov_model_foreach (model, IOV_KIND_VADAPTER, va)
                if (va->id == id)
                        return va->name;
        return "";
}

static void fill(const struct iov_model *model, const struct iov_volume *volume, const struct vpc_reservation *state,
                 const struct vpc_registrant *registrant, struct iov_mb_reservation_row *row) {
        *row = (struct iov_mb_reservation_row){.flags = state->persists ? IOV_RESERVATION_PERSISTS : 0,
                                               .type = state->type,
                                               .generation = state->generation,
                                               .registrants = state->n_registrants};
        field_set(row->volume, sizeof(row->volume), volume->name);
        if (!registrant)
                return;
        field_set(row->vadapter, sizeof(row->vadapter), vadapter_name(model, registrant->initiator.owner));
        memcpy(row->host, registrant->initiator.host, sizeof(row->host));
        row->key = registrant->key;
        if (registrant->is_holder || vpc_reservation_is_for_all(state->type))
                row->flags |= IOV_RESERVATION_HOLDER;
        if (registrant->initiator.is_extended)
                row->flags |= IOV_RESERVATION_EXTENDED;
}

int control_read_reservations(struct control *c, struct iov_mb_reservation_row **ret_rows, size_t *ret_n) {
        const struct iov_volume *volume = NULL;
        size_t n = 0, room = 0;

        /* No server can be cabled to a simulator. */
        iov_model_foreach (c->model, IOV_KIND_VOLUME, volume) {
                const struct vpc_reservation *s = c->supervisor ? supervisor_reservation_get(c->supervisor, volume->id) : NULL;

                room += s ? s->n_registrants + 1 : 0;
        }
        struct iov_mb_reservation_row *rows = calloc(room + 1, sizeof(*rows));
        if (!rows)
                return -ENOMEM;
        iov_model_foreach (c->model, IOV_KIND_VOLUME, volume) {
                const struct vpc_reservation *s = c->supervisor ? supervisor_reservation_get(c->supervisor, volume->id) : NULL;

                for (uint32_t i = 0; s && (i < s->n_registrants || i == 0) && n < room; i++)
                        fill(c->model, volume, s, i < s->n_registrants ? &s->registrants[i] : NULL, &rows[n++]);
        }
        *ret_rows = rows;
        *ret_n = n;
        return 0;
}

int amend_reservation_clear(struct control *c, struct control_commit *commit) {
        const char *name = commit->request.name;
        const struct iov_volume *volume = iov_model_get(c->model, IOV_KIND_VOLUME, name);

        if (!volume)
                return iove_refuse(&commit->refusal, IOV_RET_NOT_FOUND, UINT32_MAX, "%s: there is no such volume", name);
        if (!volume->shared)
                return iove_refuse(&commit->refusal, IOV_RET_INVALID_INPUT, UINT32_MAX,
                                   "%s: it is not shared, so that there are no reservations", name);
        if (!c->supervisor)
                return iove_refuse(&commit->refusal, IOV_RET_UNSUPPORTED, UINT32_MAX,
                                   "%s: no server can be cabled to a simulator, so that there are no reservations", name);
        int r = supervisor_reservation_clear(c->supervisor, volume->id);
        if (r == 0)
                journal_event(c->journal, LOG_WARNING, commit->uid, name,
                              "all its registrations and its reservation are cleared");
        return r;
}
