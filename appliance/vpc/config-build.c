/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Make a configuration space, its masks and its values after power-on, from a description. */
#include <errno.h>
#include <linux/pci_regs.h>

#include "util.h"
#include "vpc/bytes.h"
#include "vpc/config-space.h"

/* Bytes of the capabilities. */
#define PM_SIZE 8      /* section 7.5.2 */
#define MSI_SIZE 0x18  /* section 7.7.1: 64-bit addresses, per-vector masking */
#define MSIX_SIZE 12   /* section 7.7.2 */
#define PCIE_SIZE 0x3c /* section 7.5.3, capability version 2 */
#define AER_SIZE 0x48  /* section 7.8.4, with the TLP prefix log */
#define DSN_SIZE 12    /* section 7.9.3 */
#define SECONDARY_SIZE(lanes) (12 + 2 * (lanes))
#define EXTENDED_BASE 0x100

/* Uncorrectable errors that an endpoint can have: all that section 7.8.4.2 does not call optional, and the internal one. */
#define AER_UNCORRECTABLE                                                                                                        \
        (PCI_ERR_UNC_DLP | PCI_ERR_UNC_POISON_TLP | PCI_ERR_UNC_FCP | PCI_ERR_UNC_COMP_TIME | PCI_ERR_UNC_COMP_ABORT |           \
         PCI_ERR_UNC_UNX_COMP | PCI_ERR_UNC_RX_OVER | PCI_ERR_UNC_MALF_TLP | PCI_ERR_UNC_UNSUP | PCI_ERR_UNC_INTN)
#define AER_UNCORRECTABLE_MASKED PCI_ERR_UNC_INTN /* section 7.8.4.3, defaults */
#define AER_UNCORRECTABLE_FATAL                                                                                                  \
        (PCI_ERR_UNC_DLP | PCI_ERR_UNC_FCP | PCI_ERR_UNC_RX_OVER | PCI_ERR_UNC_MALF_TLP | PCI_ERR_UNC_INTN) /* section 7.8.4.4   \
                                                                                                             */
#define AER_CORRECTABLE                                                                                                          \
        (PCI_ERR_COR_RCVR | PCI_ERR_COR_BAD_TLP | PCI_ERR_COR_BAD_DLLP | PCI_ERR_COR_REP_ROLL | PCI_ERR_COR_REP_TIMER |          \
         PCI_ERR_COR_ADV_NFAT | PCI_ERR_COR_INTERNAL)
#define AER_CORRECTABLE_MASKED (PCI_ERR_COR_ADV_NFAT | PCI_ERR_COR_INTERNAL) /* section 7.8.4.6 */

/* A register: its value after power-on, and which bits software can write and clear. */
static void define16(struct vpc_config *config, size_t offset, uint16_t value, uint16_t writable, uint16_t clearable) {
        put16(config->power_on + offset, value);
        put16(config->writable + offset, writable);
        put16(config->clearable + offset, clearable);
}

static void define32(struct vpc_config *config, size_t offset, uint32_t value, uint32_t writable, uint32_t clearable) {
        put32(config->power_on + offset, value);
        put32(config->writable + offset, writable);
        put32(config->clearable + offset, clearable);
}

static bool is_power_of_two(uint64_t n) {
        return n && !(n & (n - 1));
}

static int check_bars(const struct vpc_description *d) {
        for (unsigned int i = 0; i < VPC_BARS; i++) {
                const struct vpc_bar *bar = &d->bars[i];

                if (!bar->size)
                        continue;
                if (!is_power_of_two(bar->size) || bar->size < 128 || (!bar->is_64bit && bar->size > UINT32_C(0x80000000)))
                        return -EINVAL;
                /* A 64-bit BAR takes two registers, section 7.5.1.2.1. */
                if (bar->is_64bit && (i == VPC_BARS - 1 || d->bars[i + 1].size))
                        return -EINVAL;
        }
        return 0;
}

static int check_msix(const struct vpc_description *d) {
        const uint64_t table_size = (uint64_t)d->msix_vectors * PCI_MSIX_ENTRY_SIZE,
                       pba_size = ((uint64_t)d->msix_vectors + 63) / 64 * 8;
        const uint64_t table = d->msix_table_offset, pba = d->msix_pba_offset;

        if (!d->msix_vectors)
                return 0;
        if (d->msix_vectors > VPC_MSIX_MAX || d->msix_bar >= VPC_BARS || (table | pba) & 7)
                return -EINVAL;
        if (table + table_size > d->bars[d->msix_bar].size || pba + pba_size > d->bars[d->msix_bar].size)
                return -EINVAL;
        return table < pba + pba_size && pba < table + table_size ? -EINVAL : 0;
}

/* Put a capability where it is pinned, else into the first gap; `used` has a flag for each 32-bit register of the first 256
 * bytes. */
static int place(bool used[64], unsigned int size, uint8_t pinned, uint16_t *ret_offset) {
        const unsigned int n = (size + 3) / 4;
        const unsigned int first = pinned ? pinned / 4 : 16, last = pinned ? pinned / 4 : 64 - n;

        if (pinned & 3 || first < 16)
                return -EINVAL;
        for (unsigned int i = first; i <= last && i + n <= 64; i++) {
                unsigned int free = 0;

                while (free < n && !used[i + free])
                        free++;
                if (free < n)
                        continue;
                memset(used + i, true, n);
                *ret_offset = (uint16_t)(i * 4);
                return 0;
        }
        return -EINVAL;
}

/* The first one must be at 0x100, section 7.6. */
static void make_extended_layout(struct vpc_config_layout *layout, const struct vpc_description *d) {
        uint16_t next = EXTENDED_BASE;

        layout->aer = d->has_aer ? next : 0;
        next = (uint16_t)(next + (d->has_aer ? AER_SIZE : 0));
        layout->dsn = d->has_dsn ? next : 0;
        next = (uint16_t)(next + (d->has_dsn ? DSN_SIZE : 0));
        layout->secondary = d->link_speed >= 3 ? next : 0; /* required from 8 GT/s on, section 7.7.3 */
}

static int make_layout(struct vpc_config_layout *layout, const struct vpc_description *d) {
        struct {
                uint16_t *offset;
                unsigned int size;
                uint8_t pinned;
                bool wanted;
        } capabilities[] = {
                {&layout->pm, PM_SIZE, d->pm_offset, true},
                {&layout->msi, MSI_SIZE, d->msi_offset, d->msi_vectors > 0},
                {&layout->msix, MSIX_SIZE, d->msix_offset, d->msix_vectors > 0},
                {&layout->pcie, PCIE_SIZE, d->pcie_offset, true},
        };
        bool used[64] = {false};

        for (int pinned = 1; pinned >= 0; pinned--) /* those that are pinned first */
                for (size_t i = 0; i < ARRAY_LENGTH(capabilities); i++)
                        if (capabilities[i].wanted && !capabilities[i].pinned == !pinned) {
                                int r = place(used, capabilities[i].size, capabilities[i].pinned, capabilities[i].offset);

                                if (r < 0)
                                        return r;
                        }
        _Static_assert(EXTENDED_BASE + AER_SIZE + DSN_SIZE + SECONDARY_SIZE(16) <= VPC_CONFIG_DEFINED,
                       "the last capability there can be");
        make_extended_layout(layout, d);
        return 0;
}

/* Section 7.6.3. */
static void link_extended(struct vpc_config *config) {
        const struct vpc_config_layout *l = &config->layout;
        const uint32_t after_dsn = l->secondary, after_aer = l->dsn ? l->dsn : l->secondary;

        if (l->aer)
                put32(config->power_on + l->aer, PCI_EXT_CAP_ID_ERR | 2u << 16 | after_aer << 20);
        if (l->dsn)
                put32(config->power_on + l->dsn, PCI_EXT_CAP_ID_DSN | 1u << 16 | after_dsn << 20);
        if (l->secondary)
                put32(config->power_on + l->secondary, PCI_EXT_CAP_ID_SECPCI | 1u << 16);
}

/* The list of capabilities in ascending order of offsets, section 7.5.1.1.11. */
static void link_capabilities(struct vpc_config *config) {
        const struct vpc_config_layout *l = &config->layout;
        const struct {
                uint16_t offset;
                uint8_t id;
        } list[] = {{l->pm, PCI_CAP_ID_PM}, {l->msi, PCI_CAP_ID_MSI}, {l->msix, PCI_CAP_ID_MSIX}, {l->pcie, PCI_CAP_ID_EXP}};
        uint8_t *link = config->power_on + PCI_CAPABILITY_LIST;
        unsigned int last = 0;

        for (;;) {
                unsigned int next = UINT16_MAX, id = 0;

                for (size_t i = 0; i < ARRAY_LENGTH(list); i++)
                        if (list[i].offset > last && list[i].offset < next) {
                                next = list[i].offset;
                                id = list[i].id;
                        }
                if (next == UINT16_MAX)
                        break;
                *link = (uint8_t)next;
                config->power_on[next] = (uint8_t)id;
                link = config->power_on + next + 1;
                last = next;
        }
        link_extended(config);
}

/* Type 0 header, sections 7.5.1.1 and 7.5.1.2. */
static void build_header(struct vpc_config *config, const struct vpc_description *d) {
        define16(config, PCI_VENDOR_ID, d->vendor_id, 0, 0);
        define16(config, PCI_DEVICE_ID, d->device_id, 0, 0);
        define16(config, PCI_COMMAND, 0,
                 PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY | PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE, 0);
        define16(config, PCI_STATUS, PCI_STATUS_CAP_LIST, 0,
                 PCI_STATUS_PARITY | PCI_STATUS_SIG_TARGET_ABORT | PCI_STATUS_REC_TARGET_ABORT | PCI_STATUS_REC_MASTER_ABORT |
                         PCI_STATUS_SIG_SYSTEM_ERROR | PCI_STATUS_DETECTED_PARITY);
        define32(config, PCI_CLASS_REVISION, d->class_code << 8 | d->revision, 0, 0);
        config->writable[PCI_CACHE_LINE_SIZE] = 0xff;
        define16(config, PCI_SUBSYSTEM_VENDOR_ID, d->subsystem_vendor_id, 0, 0);
        define16(config, PCI_SUBSYSTEM_ID, d->subsystem_id, 0, 0);
        config->writable[PCI_INTERRUPT_LINE] = 0xff;
        config->power_on[PCI_INTERRUPT_PIN] = d->interrupt_pin;
        for (unsigned int i = 0; i < VPC_BARS; i++) {
                const struct vpc_bar *bar = &d->bars[i];
                /* Address bits below the size read as zero, which is how software finds the size. */
                uint64_t mask = bar->size ? ~(bar->size - 1) : 0;
                uint32_t type = (bar->is_64bit ? PCI_BASE_ADDRESS_MEM_TYPE_64 : 0) |
                                (bar->is_prefetchable ? PCI_BASE_ADDRESS_MEM_PREFETCH : 0);

                if (!bar->size)
                        continue;
                define32(config, PCI_BASE_ADDRESS_0 + i * 4, type, (uint32_t)mask, 0);
                if (bar->is_64bit)
                        define32(config, PCI_BASE_ADDRESS_0 + i * 4 + 4, 0, (uint32_t)(mask >> 32), 0);
        }
}

/* Power management, section 7.5.2: version 3, no D1 or D2, no PME. No_Soft_Reset is clear: a return from D3hot is a
 * reset, so that all that a server has left in a function goes with its power as on most adapters. */
static void build_pm(struct vpc_config *config) {
        const size_t at = config->layout.pm;

        define16(config, at + PCI_PM_PMC, 3, 0, 0);
        define16(config, at + PCI_PM_CTRL, 0, PCI_PM_CTRL_STATE_MASK, 0);
}

static void build_msi(struct vpc_config *config, const struct vpc_description *d) {
        const size_t at = config->layout.msi;
        unsigned int log2 = 0;

        if (!d->msi_vectors)
                return;
        while (1u << log2 < d->msi_vectors)
                log2++;
        define16(config, at + PCI_MSI_FLAGS, (uint16_t)(PCI_MSI_FLAGS_64BIT | PCI_MSI_FLAGS_MASKBIT | log2 << 1),
                 PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE, 0);
        define32(config, at + PCI_MSI_ADDRESS_LO, 0, ~UINT32_C(3), 0);
        define32(config, at + PCI_MSI_ADDRESS_HI, 0, UINT32_MAX, 0);
        define16(config, at + PCI_MSI_DATA_64, 0, UINT16_MAX, 0);
        define32(config, at + PCI_MSI_MASK_64, 0, UINT32_MAX >> (32 - d->msi_vectors), 0);
}

static void build_msix(struct vpc_config *config, const struct vpc_description *d) {
        const size_t at = config->layout.msix;

        if (!at)
                return;
        define16(config, at + PCI_MSIX_FLAGS, (uint16_t)(d->msix_vectors - 1), PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL, 0);
        define32(config, at + PCI_MSIX_TABLE, d->msix_table_offset | d->msix_bar, 0, 0);
        define32(config, at + PCI_MSIX_PBA, d->msix_pba_offset | d->msix_bar, 0, 0);
}

/* PCI Express endpoint, section 7.5.3. The link is modelled: it is always up at the width and speed of the description. */
static void build_pcie(struct vpc_config *config, const struct vpc_description *d) {
        const size_t at = config->layout.pcie;
        const unsigned int speed = d->link_speed, width = d->link_width;

        define16(config, at + PCI_EXP_FLAGS, 2, 0, 0);
        /* Payloads up to 256 bytes, 8-bit tags, role-based error reporting, Function Level Reset. */
        define32(config, at + PCI_EXP_DEVCAP, 1 | PCI_EXP_DEVCAP_EXT_TAG | PCI_EXP_DEVCAP_RBER | PCI_EXP_DEVCAP_FLR, 0, 0);
        define16(config, at + PCI_EXP_DEVCTL, PCI_EXP_DEVCTL_RELAX_EN | PCI_EXP_DEVCTL_NOSNOOP_EN | PCI_EXP_DEVCTL_READRQ_512B,
                 PCI_EXP_DEVCTL_CERE | PCI_EXP_DEVCTL_NFERE | PCI_EXP_DEVCTL_FERE | PCI_EXP_DEVCTL_URRE |
                         PCI_EXP_DEVCTL_RELAX_EN | PCI_EXP_DEVCTL_PAYLOAD | PCI_EXP_DEVCTL_EXT_TAG | PCI_EXP_DEVCTL_NOSNOOP_EN |
                         PCI_EXP_DEVCTL_READRQ,
                 0);
        define16(config, at + PCI_EXP_DEVSTA, 0, 0,
                 PCI_EXP_DEVSTA_CED | PCI_EXP_DEVSTA_NFED | PCI_EXP_DEVSTA_FED | PCI_EXP_DEVSTA_URD);
        define32(config, at + PCI_EXP_LNKCAP, speed | width << 4 | 1u << 22 /* ASPM optionality compliance */, 0, 0);
        define16(config, at + PCI_EXP_LNKCTL, 0,
                 PCI_EXP_LNKCTL_ASPMC | PCI_EXP_LNKCTL_RCB | PCI_EXP_LNKCTL_CCC | PCI_EXP_LNKCTL_ES, 0);
        define16(config, at + PCI_EXP_LNKSTA, (uint16_t)(speed | width << 4 | PCI_EXP_LNKSTA_SLC), 0, 0);
        define32(config, at + PCI_EXP_DEVCAP2, PCI_EXP_DEVCAP2_COMP_TMOUT_DIS, 0, 0);
        define16(config, at + PCI_EXP_DEVCTL2, 0, PCI_EXP_DEVCTL2_COMP_TMOUT_DIS, 0);
        define32(config, at + PCI_EXP_LNKCAP2, ((1u << speed) - 1) << 1, 0, 0);
        define16(config, at + PCI_EXP_LNKCTL2, (uint16_t)speed,
                 PCI_EXP_LNKCTL2_TLS | PCI_EXP_LNKCTL2_ENTER_COMP | PCI_EXP_LNKCTL2_HASD, 0);
        if (speed >= 3) /* a link at 8 GT/s has been equalized: complete, phases 1 to 3, section 7.5.3.20 */
                define16(config, at + PCI_EXP_LNKSTA2, 0x1e, 0, 0);
        put16(config->sticky + at + PCI_EXP_LNKCTL2, PCI_EXP_LNKCTL2_TLS | PCI_EXP_LNKCTL2_ENTER_COMP);
        put16(config->flr_kept + at + PCI_EXP_LNKCTL2, UINT16_MAX);
        put16(config->flr_kept + at + PCI_EXP_DEVCTL, PCI_EXP_DEVCTL_PAYLOAD);
        put16(config->flr_kept + at + PCI_EXP_LNKCTL, UINT16_MAX);
}

static void build_aer(struct vpc_config *config) {
        const size_t at = config->layout.aer;

        if (!at)
                return;
        define32(config, at + PCI_ERR_UNCOR_STATUS, 0, 0, AER_UNCORRECTABLE);
        define32(config, at + PCI_ERR_UNCOR_MASK, AER_UNCORRECTABLE_MASKED, AER_UNCORRECTABLE, 0);
        define32(config, at + PCI_ERR_UNCOR_SEVER, AER_UNCORRECTABLE_FATAL, AER_UNCORRECTABLE, 0);
        define32(config, at + PCI_ERR_COR_STATUS, 0, 0, AER_CORRECTABLE);
        define32(config, at + PCI_ERR_COR_MASK, AER_CORRECTABLE_MASKED, AER_CORRECTABLE, 0);
        memset(config->sticky + at + 4, 0xff, AER_SIZE - 4);
}

/* Section 7.9.3: an EUI-64, here a locally administered one made from the vAdapter's id. */
static void build_dsn(struct vpc_config *config, uint64_t unique_id) {
        const uint64_t eui64 = UINT64_C(0x02) << 56 | (unique_id & UINT64_C(0x00ffffffffffffff));
        const size_t at = config->layout.dsn;

        if (!at)
                return;
        define32(config, at + 4, (uint32_t)eui64, 0, 0);
        define32(config, at + 8, (uint32_t)(eui64 >> 32), 0, 0);
}

/*
 * Section 7.7.3. Link Control 3 is for downstream ports; the presets of the lanes, two bytes each behind the status, are what the
 * other side asked for: the first of them, none but -6 dB de-emphasis, as Link Status 2 has it.
 */
static void build_secondary(struct vpc_config *config, const struct vpc_description *d) {
        const size_t at = config->layout.secondary;

        if (!at)
                return;
        define32(config, at + 8, 0, 0, (UINT32_C(1) << d->link_width) - 1); /* Lane Error Status */
        put32(config->sticky + at + 8, UINT32_MAX);
}

int vpc_config_init(struct vpc_config *config, const struct vpc_description *d, uint64_t unique_id, uint8_t *bytes) {
        int r = 0;

        if (d->vendor_id == UINT16_MAX || d->class_code > 0xffffff || d->interrupt_pin > 4)
                return -EINVAL;
        if (d->msi_vectors > 32 || (d->msi_vectors && !is_power_of_two(d->msi_vectors)))
                return -EINVAL;
        if (d->link_speed < 1 || d->link_speed > 3 || !is_power_of_two(d->link_width) || d->link_width > 16)
                return -EINVAL;
        r = check_bars(d);
        if (r >= 0)
                r = check_msix(d);
        if (r < 0)
                return r;
        memset(config, 0, sizeof(*config));
        r = make_layout(&config->layout, d);
        if (r < 0)
                return r;
        config->bytes = bytes;
        config->msi_vectors = d->msi_vectors;
        build_header(config, d);
        build_pm(config);
        build_msi(config, d);
        build_msix(config, d);
        build_pcie(config, d);
        build_aer(config);
        build_dsn(config, unique_id);
        build_secondary(config, d);
        link_capabilities(config);
        return 0;
}
