/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/faults.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "control/control-private.h"
#include "link/channel.h"
#include "util.h"

#define BLOCK 512 /* of a namespace, bytes */

static int send_one(const struct iov_fault *f, enum media_fault_type type, uint32_t medium, uint64_t instance, int channel) {
        const struct link_message m = {.type = LINK_FAULT,
                                       .instance = instance,
                                       .fault = {.id = strtoull(f->name, NULL, 10),
                                                 .type = type,
                                                 .medium = medium,
                                                 .first = f->first * BLOCK,
                                                 .length = f->count * BLOCK,
                                                 .delay_ns = f->value}};

        return link_send(channel, &m, NULL, 0);
}

int faults_send(const struct iov_model *model, const struct vpc_persona *persona, const struct iov_volume *const *volumes,
                uint64_t instance, int channel) {
        const struct iov_fault *f;

        iov_model_foreach (model, IOV_KIND_FAULT, f) {
                int r = 0;

                if (f->type == IOV_FAULT_LATENCY && strcmp(f->object, persona->name) == 0)
                        r = send_one(f, MEDIA_FAULT_LATENCY, MEDIA_FAULT_ALL, instance, channel);
                for (uint32_t n = 0; r == 0 && n < persona->n_media; n++)
                        if (!volumes[n] || strcmp(f->object, volumes[n]->name) != 0)
                                continue;
                        else if (f->type == IOV_FAULT_MEDIA_ERROR)
                                r = send_one(f, MEDIA_FAULT_ERROR, n, instance, channel);
                        else if (f->type == IOV_FAULT_VOLUME_FULL)
                                r = send_one(f, MEDIA_FAULT_FULL, n, instance, channel);
                if (r < 0)
                        return r;
        }
        return 0;
}

static void on_spent_saved(struct control_commit *commit, int result) {
        struct control *c = (struct control *)(void *)((char *)commit - offsetof(struct control, spent));

        c->saving_spent = false;
}

/* The candidate has it already. */
static int amend_nothing(struct control *c, struct control_commit *commit) {
        return 0;
}

/* How many are left is part of the state, so that a simulator, which lives for one tool, comes to the end of them. */
static void save_spent(struct control *c) {
        if (c->saving_spent)
                return;
        c->saving_spent = true;
        memset(&c->spent, 0, sizeof(c->spent));
        c->spent.kind = COMMIT_AMEND;
        c->spent.uid = IOV_UID_APPLIANCE;
        c->spent.amend = amend_nothing;
        c->spent.done = on_spent_saved;
        control_commit(c, &c->spent);
}

bool faults_swallow(struct control *c) {
        const struct iov_fault *f;

        iov_model_foreach (c->model, IOV_KIND_FAULT, f)
                if (f->type == IOV_FAULT_MAILBOX_TIMEOUT && f->value > 0)
                        break;
        if (!f)
                return false;
        struct iov_fault copy = *f;
        copy.value--;
        copy.hits++;
        iov_model_set(c->model, IOV_KIND_FAULT, &copy);
        tables_publish_record(c->tables, c->model, IOV_KIND_FAULT, f);
        journal_log(c->journal, LOG_NOTICE, "a command is not answered: fault %s on demand", copy.name);
        save_spent(c);
        return true;
}

void faults_struck(struct control *c, uint64_t number, uint64_t hits) {
        char name[IOV_NAME_SIZE];

        snprintf(name, sizeof(name), "%" PRIu64, number);
        const struct iov_fault *f = iov_model_get(c->model, IOV_KIND_FAULT, name);
        if (!f || (f->type != IOV_FAULT_MEDIA_ERROR && f->type != IOV_FAULT_LATENCY && f->type != IOV_FAULT_VOLUME_FULL))
                return;
        struct iov_fault copy = *f;
        copy.hits += hits;
        iov_model_set(c->model, IOV_KIND_FAULT, &copy);
        tables_publish_record(c->tables, c->model, IOV_KIND_FAULT, f);
}
