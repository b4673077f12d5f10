/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Marks and the instances: what each worker reads of the volumes that it shows is in the memory that it shares with the control
 * process and that the keeper has, so that the next control process goes on writing there.
 */
#include "control/supervisor/supervisor-private.h"

#include "control/volumes/mark-state.h"
#include "control/volumes/ram-volumes.h"
#include "control/volumes/volumes.h"
#include "link/channel.h"

static bool shows(const struct instance *i, unsigned int medium, uint64_t volume) {
        const struct vpc_medium *m = &i->persona.media[medium];

        return medium < i->persona.n_media && m->size && m->unique_id == volume;
}

static void tell(const struct supervisor *s, const struct iov_volume *volume, const struct vpc_marks *marks) {
        const uint64_t bytes = marks ? mark_bytes(marks, volume->size) : 0;

        if (bytes != volume->unreadable)
                s->events->volume_status(s->userdata, volume, bytes);
}

static void on_publish(void *userdata, uint64_t volume, const struct vpc_marks *marks) {
        const struct supervisor *s = userdata;

        for (struct instance *i = s->instances; i; i = i->next)
                for (unsigned int k = 0; k < VPC_MEDIA_MAX; k++)
                        if (i->shared && shows(i, k, volume)) /* else it is being made, and sees them when it is */
                                vpc_marks_show(&i->shared->marks, k, marks);
        const struct iov_volume *v = volume_by_id(s->events->model(s->userdata), volume);
        if (v)
                tell(s, v, marks);
}

void supervisor_sync_marks(const struct supervisor *s) {
        const struct iov_model *model = s->events->model(s->userdata);
        const struct iov_volume *v = NULL;

        marks_sync(s->marks, model);
        iov_model_foreach (model, IOV_KIND_VOLUME, v)
                tell(s, v, marks_get(s->marks, v->id));
}

static bool on_is_there(void *userdata, uint64_t instance) {
        return instance_by_number(userdata, instance);
}

void instance_show_marks(const struct supervisor *s, struct instance *i, uint64_t fresh, const struct vpc_medium *media) {
        for (unsigned int k = 0; k < VPC_MEDIA_MAX; k++)
                if (fresh >> k & 1)
                        vpc_marks_show(&i->shared->marks, k, marks_get(s->marks, media[k].unique_id));
}

const struct marks_events supervisor_marks_events = {
        .publish = on_publish, .answer = instance_on_answer, .is_there = on_is_there};

void supervisor_forget_marks(struct supervisor *s, uint64_t volume) {
        marks_remove(s->marks, volume);
        on_publish(s, volume, NULL);
}

void supervisor_forget_volume(struct supervisor *s, uint64_t volume) {
        marks_remove(s->marks, volume);
        ram_volumes_remove(s->ram_volumes, volume);
}

void supervisor_sweep(struct supervisor *s) {
        const struct iov_model *model = s->events->model(s->userdata);

        marks_sweep(s->marks, model);
        lives_sweep(s->lives, model);
        ram_volumes_sweep(s->ram_volumes, model);
}
