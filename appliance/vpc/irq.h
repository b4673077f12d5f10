/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupts of a function: which ones go out is decided by the configuration space (MSI-X before MSI before INTx, Bus Master
 * Enable, power state, masks), where they go by the eventfds that the client has set. Sections are those of PCI Express Base 5.0.
 *
 * The vector masks of the MSI-X table do not count here: the client emulates the table (QEMU never forwards it) and takes away
 * the eventfd of a masked vector; a vector without one is kept pending.
 */
#ifndef IOV_VPC_IRQ_H
#define IOV_VPC_IRQ_H

#include "vpc/config-space.h"
#include "vpc/image.h"
#include "vpc/session.h"

enum vpc_irq_index { VPC_IRQ_INTX, VPC_IRQ_MSI, VPC_IRQ_MSIX, VPC_IRQ_KINDS };

struct vpc_irq {
        struct vpc_config *config;
        struct vpc_image *image; /* pending bits and the level of INTx */
        struct iov_counter *counters;
        struct vpc_irq_line *lines[VPC_IRQ_KINDS]; /* in `own`, or in a session */
        struct vpc_irq_line *own;
        unsigned int counts[VPC_IRQ_KINDS];
};

int vpc_irq_init(struct vpc_irq *irq, const struct vpc_description *description, struct vpc_config *config,
                 struct vpc_image *image, struct iov_counter *counters);
void vpc_irq_clear(struct vpc_irq *irq);
/* Take over the eventfds of a session, and keep those that come in it. Everything that was asked for is told once more. */
void vpc_irq_resume(struct vpc_irq *irq, struct vpc_session *session);

void vpc_irq_raise(struct vpc_irq *irq, unsigned int vector);
void vpc_irq_level(struct vpc_irq *irq, bool asserted);
/* The configuration space has changed: send what was waiting for it. */
void vpc_irq_update(struct vpc_irq *irq);
/* Nothing is pending, INTx is deasserted; the eventfds stay, they are the client's. */
void vpc_irq_reset(struct vpc_irq *irq);

/* See vpc_function_irq_*(). */
int vpc_irq_set(struct vpc_irq *irq, unsigned int index, unsigned int start, const int *fds, unsigned int n);
int vpc_irq_mask(struct vpc_irq *irq, unsigned int index, unsigned int start, unsigned int n, bool masked);
int vpc_irq_trigger(struct vpc_irq *irq, unsigned int index, unsigned int start, unsigned int n);
void vpc_irq_disable(struct vpc_irq *irq, unsigned int index);

#endif
