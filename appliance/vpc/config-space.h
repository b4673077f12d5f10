/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration space of a function, built from its struct vpc_description: a type 0 header, a chain of capabilities, and
 * masks that say of each bit whether software can write or clear it and which resets leave it alone. Sections are those of the
 * PCI Express Base Specification 5.0.
 */
#ifndef IOV_VPC_CONFIG_SPACE_H
#define IOV_VPC_CONFIG_SPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vpc/model.h"

/* Where the capabilities are; 0: there is none. */
struct vpc_config_layout {
        uint16_t pm, msi, msix, pcie, aer, dsn, secondary;
};

/* Bytes that can have registers; those behind are reserved: they read as zero, and writes do nothing (PCI Local Bus 3.0,
 * section 6.1). */
#define VPC_CONFIG_DEFINED 0x180u

struct vpc_config {
        uint8_t *bytes; /* the registers: VPC_CONFIG_SIZE bytes, which belong to the image */
        struct vpc_config_layout layout;
        unsigned int msi_vectors;
        uint8_t power_on[VPC_CONFIG_DEFINED];  /* values after power-on */
        uint8_t writable[VPC_CONFIG_DEFINED];  /* RW */
        uint8_t clearable[VPC_CONFIG_DEFINED]; /* RW1C */
        uint8_t sticky[VPC_CONFIG_DEFINED];    /* kept by every reset but power-on: RWS, RW1CS, ROS */
        uint8_t flr_kept[VPC_CONFIG_DEFINED];  /* kept by a Function Level Reset as well, section 6.6.2 */
};

/* What a write has touched. */
enum vpc_config_effect {
        VPC_CONFIG_FLR = 1,        /* Initiate Function Level Reset was written with 1 */
        VPC_CONFIG_INTERRUPTS = 2, /* something that decides which interrupts go out: Command, power state, MSI, MSI-X */
        VPC_CONFIG_D3HOT = 4,      /* D3hot was written to PowerState */
        VPC_CONFIG_WAKE = 8,       /* D0 was written to PowerState in D3hot; the function is in D3hot until its reset is done */
};

/*
 * Make the masks and the power-on values. `bytes` are the registers, not touched; NULL where only the layout and the values are
 * wanted. -EINVAL: a description that contradicts itself (overlapping capabilities, a BAR that is no power of two ...).
 */
int vpc_config_init(struct vpc_config *config, const struct vpc_description *description, uint64_t unique_id, uint8_t *bytes);
/* Set the registers to their values after a reset. VPC_RESET_POWER leaves the function in D3hot: vpc_config_enter_d0() is what
 * ends it, so that a process that takes over in its middle finds it asked for again. */
void vpc_config_reset(struct vpc_config *config, enum vpc_reset scope);
void vpc_config_enter_d0(struct vpc_config *config);
/* The range must be within VPC_CONFIG_SIZE. Neither can fail. A write returns its effects. */
void vpc_config_read(const struct vpc_config *config, size_t offset, void *buffer, size_t length);
unsigned int vpc_config_write(struct vpc_config *config, size_t offset, const void *buffer, size_t length);

/* Command register, section 7.5.1.1.3. */
bool vpc_config_bus_master(const struct vpc_config *config);
bool vpc_config_intx_disabled(const struct vpc_config *config);
void vpc_config_clear_bus_master(struct vpc_config *config);
/* Power state D0, section 7.5.2.2. */
bool vpc_config_in_d0(const struct vpc_config *config);
/* MSI, section 7.7.1: the vectors that software has enabled (0: MSI is off), and which of them it has masked. */
unsigned int vpc_config_msi_enabled(const struct vpc_config *config);
uint32_t vpc_config_msi_mask(const struct vpc_config *config);
/* MSI-X, section 7.7.2. */
bool vpc_config_msix_enabled(const struct vpc_config *config);
bool vpc_config_msix_function_masked(const struct vpc_config *config);
/* Status bits that the function itself drives. */
void vpc_config_set_interrupt_status(struct vpc_config *config, bool asserted);    /* section 7.5.1.1.4 */
void vpc_config_set_transactions_pending(struct vpc_config *config, bool pending); /* section 7.5.3.5 */
void vpc_config_set_msi_pending(struct vpc_config *config, uint32_t pending);      /* section 7.7.1.8 */

#endif
