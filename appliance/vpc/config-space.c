/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Access to the configuration space; config-build.c makes it. */
#include <linux/pci_regs.h>
#include <string.h>

#include "vpc/bytes.h"
#include "vpc/config-space.h"

/* PowerState, section 7.5.2.2. */
#define D0 0u
#define D3HOT 3u

void vpc_config_reset(struct vpc_config *config, enum vpc_reset scope) {
        memset(config->bytes + VPC_CONFIG_DEFINED, 0, VPC_CONFIG_SIZE - VPC_CONFIG_DEFINED);
        for (size_t i = 0; i < VPC_CONFIG_DEFINED; i++) {
                uint8_t kept = 0;

                if (scope != VPC_RESET_POWER_ON)
                        kept |= config->sticky[i];
                if (scope == VPC_RESET_FLR)
                        kept |= config->flr_kept[i];
                if (scope == VPC_RESET_POWER && i == (size_t)config->layout.pm + PCI_PM_CTRL)
                        kept |= PCI_PM_CTRL_STATE_MASK;
                config->bytes[i] = (uint8_t)((config->power_on[i] & ~kept) | (config->bytes[i] & kept));
        }
}

void vpc_config_enter_d0(struct vpc_config *config) {
        config->bytes[config->layout.pm + PCI_PM_CTRL] &= (uint8_t)~PCI_PM_CTRL_STATE_MASK;
}

void vpc_config_read(const struct vpc_config *config, size_t offset, void *buffer, size_t length) {
        memcpy(buffer, config->bytes + offset, length);
}

static bool covers(size_t offset, size_t length, size_t register_offset, size_t register_length) {
        return offset < register_offset + register_length && register_offset < offset + length;
}

/* PowerState has been written. What the function does not have (D1, D2) is not taken on, section 7.5.2.2, and D0 only when the
 * reset is done that lies between D3hot and it, section 5.3.1.4. */
static unsigned int power_state_written(struct vpc_config *config, uint8_t before) {
        uint8_t *pmcsr = config->bytes + config->layout.pm + PCI_PM_CTRL;
        const unsigned int old = before & PCI_PM_CTRL_STATE_MASK, state = *pmcsr & PCI_PM_CTRL_STATE_MASK;

        if (state == D3HOT)
                return VPC_CONFIG_D3HOT;
        *pmcsr = (uint8_t)((*pmcsr & ~PCI_PM_CTRL_STATE_MASK) | old);
        return state == D0 && old == D3HOT ? VPC_CONFIG_WAKE : 0;
}

unsigned int vpc_config_write(struct vpc_config *config, size_t offset, const void *buffer, size_t length) {
        const struct vpc_config_layout *layout = &config->layout;
        /* Initiate Function Level Reset is the highest bit of Device Control; it always reads as zero, section 7.5.3.4. */
        const size_t flr = (size_t)layout->pcie + PCI_EXP_DEVCTL + 1;
        const uint8_t *data = buffer;
        uint8_t power_state = config->bytes[layout->pm + PCI_PM_CTRL];
        unsigned int effects = 0;

        for (size_t i = 0; i < length && offset + i < VPC_CONFIG_DEFINED; i++) {
                uint8_t *at = config->bytes + offset + i;
                uint8_t writable = config->writable[offset + i], clearable = config->clearable[offset + i];

                *at = (uint8_t)((*at & ~writable) | (data[i] & writable));
                *at = (uint8_t)(*at & ~(data[i] & clearable));
                if (offset + i == flr && data[i] & (PCI_EXP_DEVCTL_BCR_FLR >> 8))
                        effects |= VPC_CONFIG_FLR;
        }
        if (covers(offset, length, layout->pm + PCI_PM_CTRL, 1))
                effects |= power_state_written(config, power_state);
        if (covers(offset, length, PCI_COMMAND, 2) || covers(offset, length, layout->pm + PCI_PM_CTRL, 2) ||
            (layout->msi && covers(offset, length, layout->msi, 24)) || (layout->msix && covers(offset, length, layout->msix, 4)))
                effects |= VPC_CONFIG_INTERRUPTS;
        return effects;
}

bool vpc_config_bus_master(const struct vpc_config *config) {
        return get16(config->bytes + PCI_COMMAND) & PCI_COMMAND_MASTER;
}

void vpc_config_clear_bus_master(struct vpc_config *config) {
        put16(config->bytes + PCI_COMMAND, (uint16_t)(get16(config->bytes + PCI_COMMAND) & ~PCI_COMMAND_MASTER));
}

bool vpc_config_intx_disabled(const struct vpc_config *config) {
        return get16(config->bytes + PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE;
}

bool vpc_config_in_d0(const struct vpc_config *config) {
        return (config->bytes[config->layout.pm + PCI_PM_CTRL] & PCI_PM_CTRL_STATE_MASK) == D0;
}

unsigned int vpc_config_msi_enabled(const struct vpc_config *config) {
        const uint8_t *msi = config->bytes + config->layout.msi;
        unsigned int enabled = 0;

        if (!config->layout.msi || !(get16(msi + PCI_MSI_FLAGS) & PCI_MSI_FLAGS_ENABLE))
                return 0;
        enabled = 1u << ((get16(msi + PCI_MSI_FLAGS) & PCI_MSI_FLAGS_QSIZE) >> 4);
        return enabled < config->msi_vectors ? enabled : config->msi_vectors;
}

uint32_t vpc_config_msi_mask(const struct vpc_config *config) {
        return config->layout.msi ? get32(config->bytes + config->layout.msi + PCI_MSI_MASK_64) : 0;
}

bool vpc_config_msix_enabled(const struct vpc_config *config) {
        return config->layout.msix && get16(config->bytes + config->layout.msix + PCI_MSIX_FLAGS) & PCI_MSIX_FLAGS_ENABLE;
}

bool vpc_config_msix_function_masked(const struct vpc_config *config) {
        return config->layout.msix && get16(config->bytes + config->layout.msix + PCI_MSIX_FLAGS) & PCI_MSIX_FLAGS_MASKALL;
}

static void set_bit(uint8_t *at, uint8_t bit, bool value) {
        *at = (uint8_t)(value ? *at | bit : *at & ~bit);
}

void vpc_config_set_interrupt_status(struct vpc_config *config, bool asserted) {
        set_bit(config->bytes + PCI_STATUS, PCI_STATUS_INTERRUPT, asserted);
}

void vpc_config_set_transactions_pending(struct vpc_config *config, bool pending) {
        set_bit(config->bytes + config->layout.pcie + PCI_EXP_DEVSTA, PCI_EXP_DEVSTA_TRPND, pending);
}

void vpc_config_set_msi_pending(struct vpc_config *config, uint32_t pending) {
        if (config->layout.msi)
                put32(config->bytes + config->layout.msi + PCI_MSI_PENDING_64, pending);
}
