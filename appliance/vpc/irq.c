/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "util.h"
#include "vpc/counters.h"
#include "vpc/irq.h"

static const unsigned int starts[VPC_IRQ_KINDS] = {[VPC_IRQ_INTX] = 0, [VPC_IRQ_MSI] = 1, [VPC_IRQ_MSIX] = 1 + VPC_MSI_MAX};

/* Up to the last that the function has. */
static unsigned int lines_used(const struct vpc_irq *irq) {
        unsigned int n = 0;

        for (unsigned int index = 0; index < VPC_IRQ_KINDS; index++)
                if (irq->counts[index])
                        n = starts[index] + irq->counts[index];
        return n;
}

static void place_lines(struct vpc_irq *irq, struct vpc_irq_line *lines) {
        for (unsigned int index = 0; index < VPC_IRQ_KINDS; index++)
                irq->lines[index] = irq->counts[index] ? lines + starts[index] : NULL;
}

int vpc_irq_init(struct vpc_irq *irq, const struct vpc_description *description, struct vpc_config *config,
                 struct vpc_image *image, struct iov_counter *counters) {
        *irq = (struct vpc_irq){.config = config,
                                .image = image,
                                .counters = counters,
                                .counts = {[VPC_IRQ_INTX] = description->interrupt_pin ? 1 : 0,
                                           [VPC_IRQ_MSI] = description->msi_vectors,
                                           [VPC_IRQ_MSIX] = description->msix_vectors}};
        const unsigned int n = lines_used(irq);
        irq->own = calloc(n + 1, sizeof(struct vpc_irq_line));
        if (!irq->own)
                return -ENOMEM;
        for (unsigned int i = 0; i < n; i++)
                irq->own[i].fd = -1;
        place_lines(irq, irq->own);
        return 0;
}

void vpc_irq_clear(struct vpc_irq *irq) {
        for (unsigned int index = 0; index < VPC_IRQ_KINDS; index++) {
                if (irq->lines[index])
                        vpc_irq_disable(irq, index);
                irq->lines[index] = NULL;
                irq->counts[index] = 0;
        }
        free(TAKE_PTR(irq->own));
}

static void signal_line(struct vpc_irq *irq, const struct vpc_irq_line *line) {
        static const uint64_t one = 1;

        if (line->fd < 0)
                return;
        /* Fails only where the counter is full (EAGAIN): the client has been told often enough. */
        if (write(line->fd, &one, sizeof(one)) == (ssize_t)sizeof(one))
                counter_add(&irq->counters->interrupts, 1);
}

/* A message is a memory write: none without Bus Master Enable (section 7.5.1.1.3), none but in D0 (section 5.3.1.4). */
static bool can_write_memory(const struct vpc_irq *irq) {
        return vpc_config_bus_master(irq->config) && vpc_config_in_d0(irq->config);
}

static bool can_send(const struct vpc_irq *irq, unsigned int index, unsigned int vector) {
        const struct vpc_irq_line *line = &irq->lines[index][vector];

        if (line->fd < 0 || line->masked || !can_write_memory(irq))
                return false;
        if (index == VPC_IRQ_MSI)
                return !(vpc_config_msi_mask(irq->config) & 1u << vector);
        return !vpc_config_msix_function_masked(irq->config);
}

static void set_msi_pending(struct vpc_irq *irq, uint32_t pending) {
        if (irq->image->msi_pending == pending)
                return;
        irq->image->msi_pending = pending;
        vpc_config_set_msi_pending(irq->config, pending);
}

void vpc_irq_raise(struct vpc_irq *irq, unsigned int vector) {
        unsigned int index = VPC_IRQ_MSIX, enabled = 0;

        if (!vpc_config_msix_enabled(irq->config)) {
                enabled = vpc_config_msi_enabled(irq->config);
                if (!enabled)
                        return;
                index = VPC_IRQ_MSI;
                vector &= enabled - 1; /* software gave fewer than were asked for, section 7.7.1.2: they are shared */
        }
        if (vector >= irq->counts[index])
                return;
        if (can_send(irq, index, vector))
                signal_line(irq, &irq->lines[index][vector]);
        else if (index == VPC_IRQ_MSIX)
                irq->image->msix_pending[vector / 64] |= UINT64_C(1) << vector % 64;
        else
                set_msi_pending(irq, irq->image->msi_pending | 1u << vector);
}

static void send_pending_msix(struct vpc_irq *irq) {
        const bool enabled = vpc_config_msix_enabled(irq->config);

        for (unsigned int word = 0; word * 64 < irq->counts[VPC_IRQ_MSIX]; word++) {
                uint64_t *pending = &irq->image->msix_pending[word];

                if (!enabled)
                        *pending = 0;
                for (uint64_t left = *pending; left; left &= left - 1) {
                        unsigned int bit = (unsigned int)__builtin_ctzll(left), vector = word * 64 + bit;

                        if (vector >= irq->counts[VPC_IRQ_MSIX] || !can_send(irq, VPC_IRQ_MSIX, vector))
                                continue;
                        *pending &= ~(UINT64_C(1) << bit);
                        signal_line(irq, &irq->lines[VPC_IRQ_MSIX][vector]);
                }
        }
}

static void send_pending_msi(struct vpc_irq *irq) {
        const unsigned int enabled = vpc_config_msix_enabled(irq->config) ? 0 : vpc_config_msi_enabled(irq->config);
        uint32_t pending = irq->image->msi_pending;

        for (unsigned int vector = 0; vector < 32; vector++) {
                if (!(pending & 1u << vector))
                        continue;
                if (vector >= enabled) {
                        pending &= ~(1u << vector);
                } else if (can_send(irq, VPC_IRQ_MSI, vector)) {
                        pending &= ~(1u << vector);
                        signal_line(irq, &irq->lines[VPC_IRQ_MSI][vector]);
                }
        }
        set_msi_pending(irq, pending);
}

/*
 * INTx is a level, the eventfd is an edge: it is signalled once and masked (VFIO_IRQ_INFO_AUTOMASKED); the client unmasks when
 * the guest has dealt with it, and is told again where the level is still there. Assert_INTx is a message of its own, which Bus
 * Master Enable does not hold back.
 */
static void update_intx(struct vpc_irq *irq) {
        struct vpc_irq_line *line = irq->lines[VPC_IRQ_INTX];

        /* A function that sends messages has no INTx (sections 7.7.1.2 and 7.7.2.2): none is pending either. */
        const bool is_asserted =
                irq->image->intx_level && !vpc_config_msix_enabled(irq->config) && !vpc_config_msi_enabled(irq->config);

        vpc_config_set_interrupt_status(irq->config, is_asserted);
        if (!line || !is_asserted || line->masked || line->fd < 0)
                return;
        if (vpc_config_intx_disabled(irq->config) || !vpc_config_in_d0(irq->config))
                return;
        line->masked = true;
        signal_line(irq, line);
}

void vpc_irq_level(struct vpc_irq *irq, bool asserted) {
        if (!irq->lines[VPC_IRQ_INTX] || !irq->image->intx_level == !asserted)
                return;
        irq->image->intx_level = asserted;
        update_intx(irq);
}

void vpc_irq_update(struct vpc_irq *irq) {
        send_pending_msix(irq);
        send_pending_msi(irq);
        update_intx(irq);
}

void vpc_irq_resume(struct vpc_irq *irq, struct vpc_session *session) {
        vpc_session_use_lines(session, lines_used(irq));
        place_lines(irq, session->lines);
        free(TAKE_PTR(irq->own));
        /* Masked by the signal that was then to follow, or by the client, whom one more does not harm. */
        if (irq->lines[VPC_IRQ_INTX] && irq->lines[VPC_IRQ_INTX]->masked && irq->image->intx_level)
                signal_line(irq, irq->lines[VPC_IRQ_INTX]);
        vpc_irq_update(irq);
}

void vpc_irq_reset(struct vpc_irq *irq) {
        memset(irq->image->msix_pending, 0, sizeof(irq->image->msix_pending));
        irq->image->msi_pending = 0;
        irq->image->intx_level = 0;
        vpc_irq_update(irq);
}

/* A descriptor without a file type, as an eventfd is; a pipe or socket could block or raise SIGPIPE. */
static int check_eventfd(int fd) {
        struct stat st;
        int flags = 0;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (st.st_mode & S_IFMT)
                return -EINVAL;
        flags = fcntl(fd, F_GETFL);
        /* A full counter must not hold up the worker. The flag is shared with the client, who has set it as well. */
        if (flags < 0 || (!(flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0))
                return -errno;
        return 0;
}

static bool is_range(const struct vpc_irq *irq, unsigned int index, unsigned int start, unsigned int n) {
        return index < VPC_IRQ_KINDS && start <= irq->counts[index] && n <= irq->counts[index] - start;
}

int vpc_irq_set(struct vpc_irq *irq, unsigned int index, unsigned int start, const int *fds, unsigned int n) {
        int r = is_range(irq, index, start, n) ? 0 : -EINVAL;

        for (unsigned int i = 0; i < n && r >= 0; i++)
                if (fds[i] >= 0)
                        r = check_eventfd(fds[i]);
        if (r < 0) {
                for (unsigned int i = 0; i < n; i++)
                        close_fd(&fds[i]);
                return r;
        }
        for (unsigned int i = 0; i < n; i++) {
                struct vpc_irq_line *line = &irq->lines[index][start + i];

                const int old = line->fd;

                if (index == VPC_IRQ_INTX)
                        line->masked = false;
                line->fd = fds[i];
                if (old != fds[i]) /* the same one where a message is handled for the second time */
                        close_fd(&old);
        }
        vpc_irq_update(irq);
        return 0;
}

int vpc_irq_mask(struct vpc_irq *irq, unsigned int index, unsigned int start, unsigned int n, bool masked) {
        if (!is_range(irq, index, start, n))
                return -EINVAL;
        for (unsigned int i = 0; i < n; i++)
                irq->lines[index][start + i].masked = masked;
        vpc_irq_update(irq);
        return 0;
}

int vpc_irq_trigger(struct vpc_irq *irq, unsigned int index, unsigned int start, unsigned int n) {
        if (!is_range(irq, index, start, n))
                return -EINVAL;
        for (unsigned int i = 0; i < n; i++)
                signal_line(irq, &irq->lines[index][start + i]);
        return 0;
}

void vpc_irq_disable(struct vpc_irq *irq, unsigned int index) {
        if (index >= VPC_IRQ_KINDS)
                return;
        for (unsigned int i = 0; i < irq->counts[index]; i++) {
                const int old = irq->lines[index][i].fd;

                irq->lines[index][i] = (struct vpc_irq_line){.fd = -1};
                close_fd(&old);
        }
}
