/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vpc/report.h"

#include <errno.h>
#include <string.h>

#include "util.h"
#include "vpc/irq.h"

#define COPY_TRIES 100
#define PAGE 4096u

static unsigned int write_vectors(struct vpc_report_vector *vectors, const struct vpc_irq *irq) {
        unsigned int n = 0;

        for (unsigned int index = 0; index < VPC_IRQ_KINDS; index++)
                for (unsigned int i = 0; i < irq->counts[index] && n < VPC_LINES_MAX; i++)
                        if (irq->lines[index][i].fd >= 0)
                                vectors[n++] = (struct vpc_report_vector){(uint16_t)index, (uint16_t)i, irq->lines[index][i].fd};
        return n;
}

void vpc_report_write(struct vpc_report *report, const struct vpc_dma *dma, const struct vpc_irq *irq) {
        /* Those of who has more are not told: writing them anew at each change would be a way to keep this process busy. */
        const unsigned int n = dma->n_windows <= VPC_REPORT_WINDOWS_MAX ? dma->n_windows : 0;

        /* The number may be odd already, where a process that wrote has died meanwhile. */
        __atomic_store_n(&report->sequence, report->sequence | 1, __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_RELEASE);
        for (unsigned int i = 0; i < n; i++)
                vpc_dma_describe(dma, i, &report->windows[i]);
        report->n_windows = n;
        report->is_incomplete = dma->n_windows > n;
        report->n_vectors = write_vectors(report->vectors, irq);
        __atomic_store_n(&report->sequence, report->sequence + 1, __ATOMIC_RELEASE);
}

static bool windows_are_sound(const struct vpc_report *copy) {
        uint64_t from = 0;

        for (unsigned int i = 0; i < copy->n_windows; i++) {
                const struct vpc_dma_description *w = &copy->windows[i];

                if (!w->size || (w->address | w->size | w->offset) % PAGE || w->address + (w->size - 1) < w->address ||
                    w->offset + w->size < w->offset)
                        return false;
                if (i && w->address < from)
                        return false;
                from = w->address + w->size;
                if (!from && i + 1 < copy->n_windows) /* ends with the address space, and another one follows */
                        return false;
        }
        return true;
}

/* Counts are copied once, and what is copied is what is checked: the other side may write at any time. */
static bool copy_once(const struct vpc_report *report, struct vpc_report *copy) {
        const uint64_t sequence = __atomic_load_n(&report->sequence, __ATOMIC_ACQUIRE);

        copy->n_windows = __atomic_load_n(&report->n_windows, __ATOMIC_RELAXED);
        copy->n_vectors = __atomic_load_n(&report->n_vectors, __ATOMIC_RELAXED);
        copy->is_incomplete = __atomic_load_n(&report->is_incomplete, __ATOMIC_RELAXED);
        if (sequence & 1)
                return false;
        if (copy->n_windows <= VPC_REPORT_WINDOWS_MAX)
                memcpy(copy->windows, report->windows, copy->n_windows * sizeof(*copy->windows));
        if (copy->n_vectors <= VPC_LINES_MAX)
                memcpy(copy->vectors, report->vectors, copy->n_vectors * sizeof(*copy->vectors));
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        return __atomic_load_n(&report->sequence, __ATOMIC_RELAXED) == sequence;
}

int vpc_report_copy(const struct vpc_report *report, struct vpc_report *ret_copy) {
        for (unsigned int i = 0; i < COPY_TRIES; i++) {
                if (!copy_once(report, ret_copy))
                        continue;
                if (ret_copy->n_windows > VPC_REPORT_WINDOWS_MAX || ret_copy->n_vectors > VPC_LINES_MAX ||
                    !windows_are_sound(ret_copy))
                        return -EBADMSG;
                return 0;
        }
        return -EAGAIN;
}
