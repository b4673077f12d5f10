/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Access to the regions of a function: configuration space and BARs. */
#include <endian.h>
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>

#include "util.h"
#include "vpc/counters.h"
#include "vpc/function-private.h"

uint64_t vpc_function_region_size(const struct vpc_function *function, unsigned int region) {
        if (region < VPC_BARS)
                return function->description.bars[region].size;
        return region == VFIO_PCI_CONFIG_REGION_INDEX ? VPC_CONFIG_SIZE : 0;
}

bool vpc_function_region_area(struct vpc_function *function, unsigned int region, struct vpc_area *ret_area) {
        struct vpc_area area;

        if (region >= VPC_BARS || !function->model->area || !function->model->area(function->device, region, &area))
                return false;
        *ret_area = area;
        return true;
}

static bool overlaps(uint64_t offset, uint64_t length, uint64_t start, uint64_t size) {
        return offset < start + size && start < offset + length;
}

static uint64_t msix_table_size(const struct vpc_description *d) {
        return (uint64_t)d->msix_vectors * PCI_MSIX_ENTRY_SIZE;
}

static uint64_t msix_pba_size(const struct vpc_description *d) {
        return ((uint64_t)d->msix_vectors + 63) / 64 * 8;
}

static bool is_msix(const struct vpc_description *d, unsigned int bar, uint64_t offset, uint64_t length) {
        return d->msix_vectors && bar == d->msix_bar &&
               (overlaps(offset, length, d->msix_table_offset, msix_table_size(d)) ||
                overlaps(offset, length, d->msix_pba_offset, msix_pba_size(d)));
}

/* The MSI-X table is memory here (see irq.h), except for the reserved bits of Vector Control (section 7.7.2.8). */
static uint64_t table_access(struct vpc_function *function, uint64_t offset, unsigned int length, const uint64_t *value) {
        uint8_t *table = (uint8_t *)function->image + VPC_IMAGE_MSIX_OFFSET;
        uint64_t v = 0;

        if (!value) {
                memcpy(&v, table + offset, length);
                return le64toh(v);
        }
        v = htole64(*value);
        memcpy(table + offset, &v, length);
        table += offset / PCI_MSIX_ENTRY_SIZE * PCI_MSIX_ENTRY_SIZE + PCI_MSIX_ENTRY_VECTOR_CTRL;
        table[0] &= PCI_MSIX_ENTRY_CTRL_MASKBIT;
        memset(table + 1, 0, 3);
        return 0;
}

/* One naturally aligned access to a part of the MSI-X structures; tables begin at multiples of 8, so it lies in one of them. */
static uint64_t msix_access(struct vpc_function *function, uint64_t offset, unsigned int length, const uint64_t *value) {
        const struct vpc_description *d = &function->description;
        uint64_t pending = 0;

        if (overlaps(offset, length, d->msix_table_offset, msix_table_size(d)))
                return table_access(function, offset - d->msix_table_offset, length, value);
        offset -= d->msix_pba_offset;
        pending = function->header->msix_pending[offset / 8];
        return value ? 0 : pending >> offset % 8 * 8; /* the PBA is read-only, section 7.7.2.9 */
}

/* The largest naturally aligned piece at the start of a range. */
static unsigned int natural_piece(uint64_t offset, size_t length) {
        unsigned int piece = 8;

        while (piece > length || (offset & (piece - 1)))
                piece /= 2;
        return piece;
}

static void bar_read(struct vpc_function *function, unsigned int bar, uint64_t offset, uint8_t *data, size_t length) {
        while (length) {
                unsigned int piece = natural_piece(offset, length);
                uint64_t value = 0;

                if (is_msix(&function->description, bar, offset, piece))
                        value = msix_access(function, offset, piece, NULL);
                else
                        value = function->model->bar_read(function->device, bar, offset, piece);
                value = htole64(value);
                memcpy(data, &value, piece);
                offset += piece;
                data += piece;
                length -= piece;
        }
}

static void bar_write(struct vpc_function *function, unsigned int bar, uint64_t offset, const uint8_t *data, size_t length) {
        while (length) {
                unsigned int piece = natural_piece(offset, length);
                uint64_t value = 0;

                memcpy(&value, data, piece);
                value = le64toh(value);
                if (is_msix(&function->description, bar, offset, piece))
                        msix_access(function, offset, piece, &value);
                else
                        function->model->bar_write(function->device, bar, offset, piece, value);
                offset += piece;
                data += piece;
                length -= piece;
        }
}

static bool in_region(const struct vpc_function *function, unsigned int region, uint64_t offset, size_t length) {
        const uint64_t size = vpc_function_region_size(function, region);

        return size && offset <= size && length <= size - offset;
}

static bool bar_bulk(struct vpc_function *function, unsigned int bar, uint64_t offset, void *buffer, size_t length,
                     bool is_write) {
        return function->model->bar_bulk && !is_msix(&function->description, bar, offset, length) &&
               function->model->bar_bulk(function->device, bar, offset, buffer, length, is_write);
}

/* Never fails: an error here ends the life of a hypervisor that is just reading the function in. */
static void config_read(struct vpc_function *function, uint64_t offset, uint8_t *buffer, size_t length) {
        const size_t start = offset < VPC_CONFIG_SIZE ? (size_t)offset : VPC_CONFIG_SIZE, room = VPC_CONFIG_SIZE - start;
        const size_t n = length < room ? length : room;

        vpc_config_set_transactions_pending(&function->config, function->under_way[0] || function->under_way[1]);
        vpc_config_read(&function->config, start, buffer, n);
        memset(buffer + n, 0, length - n);
}

int vpc_function_region_read(struct vpc_function *function, unsigned int region, uint64_t offset, void *buffer, size_t length) {
        if (region == VFIO_PCI_CONFIG_REGION_INDEX) {
                config_read(function, offset, buffer, length);
                return 0;
        }
        if (!in_region(function, region, offset, length))
                return -EINVAL;
        counter_add(&function->counters->mmio_reads, 1);
        /* An Unsupported Request in D3hot, section 5.3.1.4: a root complex makes all ones of it, section 2.3.2. */
        if (!vpc_config_in_d0(&function->config))
                memset(buffer, 0xff, length);
        else if (!bar_bulk(function, region, offset, buffer, length, false))
                bar_read(function, region, offset, buffer, length);
        return 0;
}

static int config_write(struct vpc_function *function, uint64_t offset, const void *buffer, size_t length) {
        unsigned int effects = vpc_config_write(&function->config, offset, buffer, length);

        vpc_host_dma_changed(function); /* Bus Master Enable and the power state are here */
        if (effects & (VPC_CONFIG_FLR | VPC_CONFIG_WAKE)) {
                vpc_function_reset(function, effects & VPC_CONFIG_FLR ? VPC_RESET_FLR : VPC_RESET_POWER);
                return VPC_QUIESCE_FIRST;
        }
        if (effects & VPC_CONFIG_INTERRUPTS)
                vpc_irq_update(&function->irq);
        /* In D3hot nothing reaches into the server's memory, section 5.3.1.4: not what was under way before either. */
        return effects & VPC_CONFIG_D3HOT ? VPC_QUIESCE_FIRST : 0;
}

int vpc_function_region_write(struct vpc_function *function, unsigned int region, uint64_t offset, const void *buffer,
                              size_t length) {
        if (!in_region(function, region, offset, length))
                return -EINVAL;
        if (region == VFIO_PCI_CONFIG_REGION_INDEX)
                return config_write(function, offset, buffer, length);
        counter_add(&function->counters->mmio_writes, 1);
        if (!vpc_config_in_d0(&function->config))
                return 0;
        if (!bar_bulk(function, region, offset, (void *)(uintptr_t)buffer, length, true))
                bar_write(function, region, offset, buffer, length);
        return 0;
}
