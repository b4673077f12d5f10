/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>

#include "util.h"
#include "vpc/counters.h"
#include "vpc/function-private.h"

int vpc_function_new(struct loop *loop, const struct vpc_model *model, void *image, struct iov_counter *counters,
                     const struct vpc_environment *environment, struct vpc_function **ret_function) {
        struct vpc_function *function = NULL;
        int r = vpc_image_check(image, vpc_image_size(model), model);

        if (r < 0)
                return r;
        function = calloc(1, sizeof(*function));
        if (!function)
                return -ENOMEM;
        function->loop = loop;
        function->model = model;
        function->image = image;
        function->header = vpc_image_header(image);
        function->counters = counters;
        function->environment = *environment;
        function->dma.pin = (struct vpc_dma_pin){.loop = loop,
                                                 .pinned = &counters->pinned,
                                                 .unpinned = &counters->unpinned,
                                                 .refused = environment->unpinned,
                                                 .userdata = environment->context};
        counters->pinned = counters->unpinned = 0; /* of a process before this one */
        vpc_host_init(function);
        r = vpc_description_make(model, &function->header->persona, &function->description);
        if (r >= 0)
                r = vpc_config_init(&function->config, &function->description, function->header->persona.unique_id, image);
        if (r >= 0)
                r = vpc_irq_init(&function->irq, &function->description, &function->config, function->header, counters);
        if (r >= 0)
                r = vpc_host_timer_init(function);
        if (r >= 0)
                r = model->attach(vpc_image_state(image), &function->host, counters, &function->device);
        if (r < 0) {
                function->device = NULL;
                vpc_function_free(function);
                return r;
        }
        *ret_function = function;
        return 0;
}

int vpc_function_keep(struct vpc_function *function, struct vpc_session *session) {
        function->session = session;
        vpc_irq_resume(&function->irq, session);
        return vpc_dma_resume(&function->dma, session);
}

struct vpc_session *vpc_function_session(const struct vpc_function *function) {
        return function->session;
}

void vpc_function_free(struct vpc_function *function) {
        if (!function)
                return;
        if (function->device)
                function->model->detach(function->device);
        loop_source_remove(function->timer);
        loop_poller_remove(function->poller);
        loop_end_cancel(function->loop, &function->later);
        vpc_irq_clear(&function->irq);
        vpc_dma_clear(&function->dma);
        loop_source_remove(function->dma.pin.timer);
        free(function);
}

static void report(struct vpc_function *function) {
        if (function->report)
                vpc_report_write(function->report, &function->dma, &function->irq);
}

void vpc_function_set_report(struct vpc_function *function, struct vpc_report *arg_report) {
        function->report = arg_report;
        report(function);
}

int vpc_function_dma_map(struct vpc_function *function, uint64_t address, uint64_t size, int fd, uint64_t fd_offset,
                         uint32_t flags) {
        CLEANUP_CLOSE int owned = fd;
        /* What is never accessed is not mapped either: a window without memory. */
        int r = vpc_dma_map(&function->dma, address, size, function->model->no_dma ? -1 : take_fd(&owned), fd_offset, flags);

        if (r >= 0) {
                vpc_host_dma_changed(function);
                vpc_dma_pin_new(&function->dma, address);
        }
        report(function);
        return r;
}

void vpc_function_pin(struct vpc_function *function, bool is_wanted, enum iov_unpinned why) {
        vpc_dma_pin(&function->dma, is_wanted, why);
}

int vpc_function_dma_unmap(struct vpc_function *function, uint64_t address, uint64_t size) {
        int r = vpc_dma_unmap(&function->dma, address, size);

        if (r >= 0)
                vpc_host_dma_changed(function);
        report(function);
        return r;
}

int vpc_function_dma_unmap_all(struct vpc_function *function) {
        vpc_dma_unmap_all(&function->dma);
        vpc_host_dma_changed(function);
        report(function);
        return 0;
}

int vpc_function_quiesce(struct vpc_function *function, void (*done)(void *userdata), void *userdata) {
        if (function->quiesced)
                return -EBUSY;
        vpc_dma_release_prepare(&function->dma);
        function->epoch = !function->epoch;
        if (function->under_way[!function->epoch] == 0) {
                vpc_dma_release(&function->dma);
                done(userdata);
                return 0;
        }
        function->quiesced = done;
        function->quiesced_userdata = userdata;
        if (function->environment.hurry)
                function->environment.hurry(function->environment.context);
        return 0;
}

unsigned int vpc_function_irq_count(const struct vpc_function *function, unsigned int index) {
        return index < VPC_IRQ_KINDS ? function->irq.counts[index] : 0;
}

int vpc_function_irq_set(struct vpc_function *function, unsigned int index, unsigned int start, const int *fds, unsigned int n) {
        int r = vpc_irq_set(&function->irq, index, start, fds, n);

        report(function);
        return r;
}

int vpc_function_irq_mask(struct vpc_function *function, unsigned int index, unsigned int start, unsigned int n, bool masked) {
        return vpc_irq_mask(&function->irq, index, start, n, masked);
}

int vpc_function_irq_trigger(struct vpc_function *function, unsigned int index, unsigned int start, unsigned int n) {
        return vpc_irq_trigger(&function->irq, index, start, n);
}

void vpc_function_irq_disable(struct vpc_function *function, unsigned int index) {
        vpc_irq_disable(&function->irq, index);
        report(function);
}

/* The one reset function. Configuration space first: with Bus Master Enable clear the model can reach no memory in its own reset.
 */
void vpc_function_reset(struct vpc_function *function, enum vpc_reset scope) {
        counter_add(&function->counters->resets, 1);
        loop_timer_set(function->timer, UINT64_MAX);
        vpc_config_reset(&function->config, scope);
        vpc_host_dma_changed(function);
        vpc_image_msix_reset(function->image, function->model);
        function->model->reset(function->device, scope);
        vpc_irq_reset(&function->irq);
        if (scope == VPC_RESET_POWER)
                vpc_config_enter_d0(&function->config);
}

void vpc_function_power_lost(struct vpc_function *function) {
        if (function->model->power_lost)
                function->model->power_lost(function->device);
}

void vpc_function_disconnect(struct vpc_function *function) {
        vpc_config_clear_bus_master(&function->config);
        for (unsigned int index = 0; index < VPC_IRQ_KINDS; index++)
                vpc_irq_disable(&function->irq, index);
        vpc_dma_unmap_all(&function->dma);
        vpc_host_dma_changed(function);
        if (function->poller)
                loop_poller_stop(function->poller);
        report(function);
}

int vpc_function_show(struct vpc_function *function, const struct vpc_medium *media, unsigned int n_media) {
        struct vpc_persona *persona = &function->header->persona;

        if (!function->model->show)
                return -EOPNOTSUPP;
        if (n_media > VPC_MEDIA_MAX)
                return -EINVAL;
        memset(persona->media, 0, sizeof(persona->media));
        memcpy(persona->media, media, n_media * sizeof(*media));
        persona->n_media = n_media;
        return function->model->show(function->device, persona);
}

void vpc_function_fence(struct vpc_function *function, unsigned int medium, uint64_t change) {
        if (function->model->fence)
                function->model->fence(function->device, medium, change);
        else if (function->environment.fenced)
                function->environment.fenced(function->environment.context, medium, change);
}

void vpc_function_reserved(struct vpc_function *function, uint64_t ticket, enum vpc_reserve_result result) {
        if (function->model->reserved)
                function->model->reserved(function->device, ticket, result);
}

void vpc_function_stop(struct vpc_function *function) {
        if (function->model->stop)
                function->model->stop(function->device);
}
