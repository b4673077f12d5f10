/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host interface as a function fills it in for its model. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <syslog.h>

#include "util.h"
#include "vpc/counters.h"
#include "vpc/function-private.h"

#define LOG_INTERVAL_NS UINT64_C(1000000000)
#define LOG_BURST 10
#define LOG_TEXT 512
/* Pieces of a copy: windows are large, so a range that needs more is no range of a sane driver. */
#define COPY_PIECES 16

static uint64_t host_clock(void *context) {
        return monotonic_ns();
}

static bool log_allowed(struct vpc_log_limit *limit, uint64_t now) {
        uint64_t earned = now - limit->last_ns;

        limit->last_ns = now;
        if (earned > LOG_BURST * LOG_INTERVAL_NS)
                earned = LOG_BURST * LOG_INTERVAL_NS;
        limit->tokens_ns += earned;
        if (limit->tokens_ns > LOG_BURST * LOG_INTERVAL_NS)
                limit->tokens_ns = LOG_BURST * LOG_INTERVAL_NS;
        if (limit->tokens_ns < LOG_INTERVAL_NS) {
                limit->suppressed++;
                return false;
        }
        limit->tokens_ns -= LOG_INTERVAL_NS;
        return true;
}

static void host_log(void *context, int level, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void host_log(void *context, int level, const char *format, ...) {
        struct vpc_function *function = context;
        char text[LOG_TEXT];
        int n = 0;
        va_list ap;

        if (!function->environment.log || !log_allowed(&function->log_limit, host_clock(context)))
                return;
        n = snprintf(text, sizeof(text), "%s: ", function->header->persona.name);
        va_start(ap, format);
        n += vsnprintf(text + n, sizeof(text) - (size_t)n, format, ap);
        va_end(ap);
        if (function->log_limit.suppressed && n > 0 && (size_t)n < sizeof(text))
                snprintf(text + n, sizeof(text) - (size_t)n, " (%" PRIu64 " messages before it were dropped)",
                         function->log_limit.suppressed);
        function->log_limit.suppressed = 0;
        function->environment.log(function->environment.context, level, text);
}

static const char *direction_text(enum vpc_direction direction) {
        return direction == VPC_DMA_TO_DEVICE ? "read" : "write";
}

/* May it reach into the server's memory? Sections 7.5.1.1.3 and 5.3.1.4 of PCI Express Base 5.0. */
static bool is_master(const struct vpc_function *function) {
        return vpc_config_bus_master(&function->config) && vpc_config_in_d0(&function->config);
}

static int host_dma_map(void *context, uint64_t address, size_t length, enum vpc_direction direction, struct iovec *iov,
                        unsigned int max) {
        struct vpc_function *function = context;
        int r = -EPERM;

        if (is_master(function))
                r = vpc_dma_translate(&function->dma, address, length, direction, iov, max);
        if (r == -EPERM || r == -EFAULT) {
                counter_add(&function->counters->dma_faults, 1);
                host_log(function, LOG_WARNING, "DMA %s of %zu bytes at 0x%" PRIx64 " refused: %s", direction_text(direction),
                         length, address,
                         r == -EPERM ? "Bus Master Enable is clear, or it is in D3hot" : "not in the server's memory");
        }
        return r;
}

static int host_dma_read(void *context, uint64_t address, void *buffer, size_t length) {
        struct iovec iov[COPY_PIECES];
        int n = host_dma_map(context, address, length, VPC_DMA_TO_DEVICE, iov, COPY_PIECES);
        char *p = buffer;

        for (int i = 0; i < n; i++) {
                memcpy(p, iov[i].iov_base, iov[i].iov_len);
                p += iov[i].iov_len;
        }
        return n < 0 ? n : 0;
}

static int host_dma_write(void *context, uint64_t address, const void *buffer, size_t length) {
        struct iovec iov[COPY_PIECES];
        int n = host_dma_map(context, address, length, VPC_DMA_FROM_DEVICE, iov, COPY_PIECES);
        const char *p = buffer;

        for (int i = 0; i < n; i++) {
                memcpy(iov[i].iov_base, p, iov[i].iov_len);
                p += iov[i].iov_len;
        }
        return n < 0 ? n : 0;
}

static void host_irq_raise(void *context, unsigned int vector) {
        struct vpc_function *function = context;

        vpc_irq_raise(&function->irq, vector);
}

static void host_irq_level(void *context, int asserted) {
        struct vpc_function *function = context;

        vpc_irq_level(&function->irq, asserted);
}

static void finish(struct vpc_io *io, int error) {
        struct vpc_function *function = io->private.host;
        const unsigned int epoch = io->private.epoch;
        void (*quiesced)(void *userdata) = NULL;

        if (error && function->environment.io_failed)
                function->environment.io_failed(function->environment.context, io->private.index, io, error);
        io->done(io, error); /* may use its buffers and submit the next one: it counts until this returns */
        function->under_way[epoch]--;
        if (!function->quiesced || function->under_way[!function->epoch])
                return;
        quiesced = TAKE_PTR(function->quiesced);
        vpc_dma_release(&function->dma);
        quiesced(function->quiesced_userdata); /* the function may be gone after this */
}

static void host_io_submit(void *context, unsigned int index, struct vpc_io *io) {
        struct vpc_function *function = context;

        io->private.host = function;
        io->private.finish = finish;
        io->private.epoch = (uint16_t)function->epoch;
        io->private.index = (uint16_t)index;
        function->under_way[function->epoch]++;
        function->environment.io_submit(function->environment.context, index, io);
}

static bool host_io_try(void *context, unsigned int index, struct vpc_io *io, int *ret_error) {
        struct vpc_function *function = context;

        if (!function->environment.io_try(function->environment.context, index, io, ret_error))
                return false;
        if (*ret_error && function->environment.io_failed)
                function->environment.io_failed(function->environment.context, index, io, *ret_error);
        return true;
}

static void host_io_expect(void *context, unsigned int index, uint64_t offset, uint64_t length) {
        struct vpc_function *function = context;

        function->environment.io_expect(function->environment.context, index, offset, length);
}

static const struct vpc_reservation_page *host_reservations(void *context, unsigned int index) {
        struct vpc_function *function = context;

        return function->environment.reservations(function->environment.context, index);
}

static void host_reserve(void *context, const struct vpc_reserve_request *request) {
        struct vpc_function *function = context;

        function->environment.reserve(function->environment.context, request);
}

static void host_fenced(void *context, unsigned int index, uint64_t change) {
        struct vpc_function *function = context;

        function->environment.fenced(function->environment.context, index, change);
}

static void on_later(struct loop_end *end) {
        struct vpc_function *function = (struct vpc_function *)((char *)end - offsetof(struct vpc_function, later));

        function->model->later(function->device);
}

static void host_later(void *context) {
        struct vpc_function *function = context;

        loop_at_end(function->loop, &function->later);
}

static void host_poll_start(void *context) {
        struct vpc_function *function = context;

        /* Without Bus Master Enable, as when the client is gone, or without power there is nothing to be looked at. */
        if (is_master(function))
                loop_poller_start(function->poller);
}

static bool on_poll(void *userdata) {
        struct vpc_function *function = userdata;

        return function->model->poll(function->device);
}

static bool on_poll_stop(void *userdata) {
        struct vpc_function *function = userdata;

        return function->model->poll_stop(function->device) || !is_master(function);
}

/* Not where the host has the doorbells in its hands (polling: always): it never rings, and is looked at without end. */
static bool on_may_nap(void *userdata) {
        const struct vpc_function *function = userdata;

        return !function->host.doorbells && is_master(function);
}

static const struct loop_poller_callbacks poller_callbacks = {.poll = on_poll, .stop = on_poll_stop, .may_nap = on_may_nap};

static bool host_irq_is_level(void *context) {
        const struct vpc_function *function = context;

        return !vpc_config_msix_enabled(&function->config) && !vpc_config_msi_enabled(&function->config);
}

/* A doorbell that could not be looked at may be within reach now. */
void vpc_host_dma_changed(struct vpc_function *function) {
        function->dma_generation++;
        if (function->model->later && is_master(function))
                loop_at_end(function->loop, &function->later);
}

static void host_timer(void *context, uint64_t delay_ns) {
        struct vpc_function *function = context;

        loop_timer_set(function->timer, delay_ns);
}

static void on_timer(void *userdata) {
        struct vpc_function *function = userdata;

        if (function->model->timer)
                function->model->timer(function->device);
}

int vpc_host_timer_init(struct vpc_function *function) {
        int r = loop_add_timer(function->loop, UINT64_MAX, on_timer, function, &function->timer);

        return r < 0 || !function->model->poll ? r
                                               : loop_add_poller(function->loop, &poller_callbacks, function, &function->poller);
}

void vpc_host_init(struct vpc_function *function) {
        function->host = (struct vpc_host){.context = function,
                                           .dma_map = host_dma_map,
                                           .dma_read = host_dma_read,
                                           .dma_write = host_dma_write,
                                           .irq_raise = host_irq_raise,
                                           .irq_level = host_irq_level,
                                           .io_submit = host_io_submit,
                                           .clock = host_clock,
                                           .timer = host_timer,
                                           .log = host_log,
                                           .irq_is_level = host_irq_is_level,
                                           .dma_generation = &function->dma_generation,
                                           .marks = function->environment.marks,
                                           .doorbells = function->environment.doorbells,
                                           .doorbells_fd = function->environment.doorbells_fd};
        if (function->environment.io_try)
                function->host.io_try = host_io_try;
        if (function->environment.io_expect)
                function->host.io_expect = host_io_expect;
        if (function->environment.reservations) {
                function->host.reservations = host_reservations;
                function->host.reserve = host_reserve;
                function->host.fenced = host_fenced;
        }
        if (function->model->later)
                function->host.later = host_later;
        if (function->model->poll)
                function->host.poll_start = host_poll_start;
        function->later.fn = on_later;
        function->log_limit = (struct vpc_log_limit){.tokens_ns = LOG_BURST * LOG_INTERVAL_NS, .last_ns = host_clock(function)};
}
