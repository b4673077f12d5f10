/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <linux/pci_regs.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "sample-model.h"
#include "util.h"
#include "vpc/bytes.h"
#include "vpc/config-space.h"

/* As the original adapters do it: everything pinned, in an order of its own. */
static const struct vpc_description pinned = {
        .vendor_id = 0x8086,
        .device_id = 0x10fb,
        .subsystem_vendor_id = 0x8086,
        .subsystem_id = 3,
        .revision = 1,
        .class_code = 0x020000,
        .interrupt_pin = 1,
        .bars = {[0] = {.size = 0x80000, .is_64bit = true, .is_prefetchable = true}, [4] = {.size = 0x4000, .is_64bit = true}},
        .pm_offset = 0x40,
        .msi_offset = 0x50,
        .msix_offset = 0x70,
        .pcie_offset = 0xa0,
        .msi_vectors = 1,
        .msix_vectors = 64,
        .msix_bar = 4,
        .msix_table_offset = 0,
        .msix_pba_offset = 0x2000,
        .link_width = 8,
        .link_speed = 2,
        .has_aer = true,
        .has_dsn = true,
};

static uint8_t registers[VPC_CONFIG_SIZE];
static struct vpc_config config;

static void make(const struct vpc_description *description) {
        memset(registers, 0, sizeof(registers));
        assert_int_equal(vpc_config_init(&config, description, 0x1122334455, registers), 0);
        vpc_config_reset(&config, VPC_RESET_POWER_ON);
}

static uint32_t read32(size_t offset) {
        uint8_t b[4];

        vpc_config_read(&config, offset, b, 4);
        return get32(b);
}

static uint16_t read16(size_t offset) {
        return (uint16_t)(read32(offset & ~(size_t)3) >> offset % 4 * 8);
}

static unsigned int write32(size_t offset, uint32_t value) {
        uint8_t b[4];

        put32(b, value);
        return vpc_config_write(&config, offset, b, 4);
}

static unsigned int write16(size_t offset, uint16_t value) {
        uint8_t b[2];

        put16(b, value);
        return vpc_config_write(&config, offset, b, 2);
}

static void test_header(void **state) {
        make(&pinned);
        assert_int_equal(read32(PCI_VENDOR_ID), 0x10fb8086);
        assert_int_equal(read32(PCI_CLASS_REVISION), 0x02000001);
        assert_int_equal(read32(PCI_SUBSYSTEM_VENDOR_ID), 0x00038086);
        assert_int_equal(read16(PCI_STATUS), PCI_STATUS_CAP_LIST);
        assert_int_equal(registers[PCI_HEADER_TYPE], 0);
        assert_int_equal(registers[PCI_INTERRUPT_PIN], 1);
        /* Identity cannot be written. */
        write32(PCI_VENDOR_ID, 0);
        write32(PCI_CLASS_REVISION, 0xffffffff);
        assert_int_equal(read32(PCI_VENDOR_ID), 0x10fb8086);
        assert_int_equal(read32(PCI_CLASS_REVISION), 0x02000001);
        /* Command has the bits of section 7.5.1.1.3 and no others. */
        write16(PCI_COMMAND, 0xffff);
        assert_int_equal(read16(PCI_COMMAND), 0x0546);
        write16(PCI_COMMAND, 0);
        assert_int_equal(read16(PCI_COMMAND), 0);
}

static void test_bar_sizing(void **state) {
        make(&pinned);
        write32(PCI_BASE_ADDRESS_0, 0xffffffff);
        write32(PCI_BASE_ADDRESS_1, 0xffffffff);
        assert_int_equal(read32(PCI_BASE_ADDRESS_0), 0xfff8000c);
        assert_int_equal(read32(PCI_BASE_ADDRESS_1), 0xffffffff);
        write32(PCI_BASE_ADDRESS_2, 0xffffffff);
        assert_int_equal(read32(PCI_BASE_ADDRESS_2), 0);
        write32(PCI_BASE_ADDRESS_4, 0x1234fffe);
        assert_int_equal(read32(PCI_BASE_ADDRESS_4), 0x1234c004);
        write32(PCI_ROM_ADDRESS, 0xffffffff);
        assert_int_equal(read32(PCI_ROM_ADDRESS), 0);
}

static void test_chain(void **state) {
        static const uint8_t expected[][2] = {
                {0x40, PCI_CAP_ID_PM}, {0x50, PCI_CAP_ID_MSI}, {0x70, PCI_CAP_ID_MSIX}, {0xa0, PCI_CAP_ID_EXP}};
        unsigned int at = 0, n = 0;

        make(&pinned);
        for (at = registers[PCI_CAPABILITY_LIST]; at; at = registers[at + 1], n++) {
                assert_true(n < ARRAY_LENGTH(expected));
                assert_int_equal(at, expected[n][0]);
                assert_int_equal(registers[at], expected[n][1]);
        }
        assert_int_equal(n, ARRAY_LENGTH(expected));
        assert_int_equal(read32(0x100), PCI_EXT_CAP_ID_ERR | 2u << 16 | 0x148u << 20);
        assert_int_equal(read32(0x148), PCI_EXT_CAP_ID_DSN | 1u << 16);
        assert_int_equal(read32(0x14c), 0x22334455);
        assert_int_equal(read32(0x150), 0x02000011);
        /* From 8 GT/s on there is a Secondary PCI Express capability, whose Lane Error Status has a bit for each lane. */
        make(sample_model.description);
        assert_int_equal(read32(0x148), PCI_EXT_CAP_ID_DSN | 1u << 16 | 0x154u << 20);
        assert_int_equal(read32(0x154), PCI_EXT_CAP_ID_SECPCI | 1u << 16);
        put32(registers + 0x15c, 0x5);
        write32(0x158, UINT32_MAX);
        write32(0x160, UINT32_MAX);
        vpc_config_reset(&config, VPC_RESET_BUS);
        assert_int_equal(read32(0x15c), 0x5);
        write32(0x15c, UINT32_MAX);
        assert_int_equal(read32(0x158) | read32(0x15c) | read32(0x160), 0);
}

static void test_write_one_to_clear(void **state) {
        make(&pinned);
        put16(registers + PCI_STATUS, get16(registers + PCI_STATUS) | PCI_STATUS_REC_MASTER_ABORT | PCI_STATUS_DETECTED_PARITY);
        write16(PCI_STATUS, PCI_STATUS_DETECTED_PARITY);
        assert_int_equal(read16(PCI_STATUS), PCI_STATUS_CAP_LIST | PCI_STATUS_REC_MASTER_ABORT);
        write16(PCI_STATUS, 0xffff);
        assert_int_equal(read16(PCI_STATUS), PCI_STATUS_CAP_LIST);
        /* AER status, and Device Status next to Device Control in one 32-bit write */
        put32(registers + 0x104, PCI_ERR_UNC_UNSUP | PCI_ERR_UNC_COMP_TIME);
        put16(registers + 0xaa, PCI_EXP_DEVSTA_URD | PCI_EXP_DEVSTA_CED);
        write32(0x104, PCI_ERR_UNC_UNSUP);
        assert_int_equal(read32(0x104), PCI_ERR_UNC_COMP_TIME);
        write32(0xa8, (uint32_t)PCI_EXP_DEVSTA_URD << 16 | 0x2810);
        assert_int_equal(read16(0xaa), PCI_EXP_DEVSTA_CED);
        assert_int_equal(read16(0xa8), 0x2810);
}

static void test_function_level_reset(void **state) {
        make(&pinned);
        assert_true(read32(0xa4) & PCI_EXP_DEVCAP_FLR);
        assert_int_equal(write16(0xa8, 0x2810 | PCI_EXP_DEVCTL_BCR_FLR), VPC_CONFIG_FLR);
        assert_int_equal(read16(0xa8), 0x2810);
        assert_int_equal(write16(0xa8, 0x2810), 0);
        /* one byte is enough, the other byte is not */
        assert_int_equal(vpc_config_write(&config, 0xa9, "\x80", 1), VPC_CONFIG_FLR);
        assert_int_equal(vpc_config_write(&config, 0xa8, "\x80", 1), 0);
}

static void test_reset_scopes(void **state) {
        static const enum vpc_reset scopes[] = {VPC_RESET_FLR, VPC_RESET_BUS, VPC_RESET_POWER, VPC_RESET_POWER_ON};

        for (size_t i = 0; i < ARRAY_LENGTH(scopes); i++) {
                bool flr = scopes[i] == VPC_RESET_FLR, sticky = scopes[i] != VPC_RESET_POWER_ON;

                make(&pinned);
                write16(PCI_COMMAND, PCI_COMMAND_MASTER);
                write32(PCI_BASE_ADDRESS_0, 0xfe000000);
                write16(0xa8, 0x2810 | PCI_EXP_DEVCTL_PAYLOAD_256B); /* Max_Payload_Size survives an FLR, section 7.5.3.4 */
                write16(0x72, PCI_MSIX_FLAGS_ENABLE);
                write32(0x108, 0); /* AER masks and status are sticky */
                put32(registers + 0x104, PCI_ERR_UNC_UNSUP);
                vpc_config_reset(&config, scopes[i]);
                assert_int_equal(read16(PCI_COMMAND), 0);
                assert_int_equal(read32(PCI_BASE_ADDRESS_0), 0xc);
                assert_int_equal(read16(0x72), 63);
                assert_int_equal(read16(0xa8), flr ? 0x2830 : 0x2810);
                assert_int_equal(read32(0x108), sticky ? 0 : PCI_ERR_UNC_INTN);
                assert_int_equal(read32(0x104), sticky ? PCI_ERR_UNC_UNSUP : 0);
        }
}

static void test_power_states(void **state) {
        make(&pinned);
        assert_true(vpc_config_in_d0(&config));
        write16(0x44, 1);
        assert_true(vpc_config_in_d0(&config));
        assert_int_equal(write16(0x44, 3), VPC_CONFIG_INTERRUPTS | VPC_CONFIG_D3HOT);
        assert_false(vpc_config_in_d0(&config));
        write16(0x44, 2); /* not supported: no change */
        assert_int_equal(read16(0x44) & PCI_PM_CTRL_STATE_MASK, 3);
        /* the other byte, and another register, are no power states */
        assert_int_equal(vpc_config_write(&config, 0x45, "", 1), VPC_CONFIG_INTERRUPTS);
        assert_int_equal(write16(PCI_INTERRUPT_LINE, 0), 0);
        assert_false(vpc_config_in_d0(&config));
        /* D0 comes with the end of the reset; a process that has died in its middle asks for it again */
        write16(0x72, PCI_MSIX_FLAGS_ENABLE);
        for (int i = 0; i < 2; i++) {
                assert_int_equal(write16(0x44, 0), VPC_CONFIG_INTERRUPTS | VPC_CONFIG_WAKE);
                assert_false(vpc_config_in_d0(&config));
                vpc_config_reset(&config, VPC_RESET_POWER);
                assert_int_equal(read16(0x72), 63);
                assert_false(vpc_config_in_d0(&config));
        }
        vpc_config_enter_d0(&config);
        assert_true(vpc_config_in_d0(&config));
        assert_int_equal(read16(0x44), 0);                         /* No_Soft_Reset is clear */
        assert_int_equal(write16(0x44, 0), VPC_CONFIG_INTERRUPTS); /* from D0 to D0 nothing happens */
        /* every other reset ends in D0 as well */
        write16(0x44, 3);
        vpc_config_reset(&config, VPC_RESET_FLR);
        assert_true(vpc_config_in_d0(&config));
}

static void test_msi(void **state) {
        struct vpc_description d = pinned;

        d.msi_vectors = 8;
        make(&d);
        assert_int_equal(vpc_config_msi_enabled(&config), 0);
        write16(0x52, PCI_MSI_FLAGS_ENABLE | 2 << 4);
        assert_int_equal(vpc_config_msi_enabled(&config), 4);
        write16(0x52, PCI_MSI_FLAGS_ENABLE | 5 << 4); /* more than there are */
        assert_int_equal(vpc_config_msi_enabled(&config), 8);
        write32(0x60, 0xffffffff);
        assert_int_equal(vpc_config_msi_mask(&config), 0xff);
        vpc_config_set_msi_pending(&config, 0x11);
        write32(0x64, 0);
        assert_int_equal(read32(0x64), 0x11);
}

/* Whatever is written, what is read-only stays, and nothing is out of bounds. */
static void test_random_writes(void **state) {
        uint32_t random = 1;

        make(&pinned);
        for (unsigned int i = 0; i < 20000; i++) {
                uint8_t data[8];
                size_t offset = 0, length = 0;

                for (size_t j = 0; j < sizeof(data); j++) {
                        random = random * 1664525 + 1013904223;
                        data[j] = (uint8_t)(random >> 24);
                }
                offset = (random >> 8) % VPC_CONFIG_SIZE;
                length = 1 + random % 8;
                if (offset + length <= VPC_CONFIG_SIZE)
                        vpc_config_write(&config, offset, data, length);
        }
        for (size_t i = 0; i < VPC_CONFIG_SIZE; i++) {
                const bool defined = i < VPC_CONFIG_DEFINED;
                const uint8_t fixed = defined ? (uint8_t) ~(config.writable[i] | config.clearable[i]) : UINT8_MAX;

                assert_int_equal(registers[i] & fixed, defined ? config.power_on[i] & fixed : 0);
        }
}

static void test_bad_descriptions(void **state) {
        struct vpc_description d;

#define REFUSED(...)                                                                                                             \
        do {                                                                                                                     \
                d = pinned;                                                                                                      \
                __VA_ARGS__;                                                                                                     \
                assert_int_equal(vpc_config_init(&config, &d, 0, registers), -EINVAL);                                           \
        } while (0)
        REFUSED(d.vendor_id = 0xffff);
        REFUSED(d.class_code = 0x1000000);
        REFUSED(d.interrupt_pin = 5);
        REFUSED(d.bars[2].size = 100);
        REFUSED(d.bars[2].size = 64);
        REFUSED(d.bars[2].size = UINT64_C(1) << 32);
        REFUSED(d.bars[1].size = 4096); /* the upper half of BAR 0 */
        REFUSED(d.bars[5] = (struct vpc_bar){.size = 4096, .is_64bit = true});
        REFUSED(d.msi_vectors = 3);
        REFUSED(d.msi_vectors = 64);
        REFUSED(d.msix_vectors = VPC_MSIX_MAX + 1);
        REFUSED(d.msix_bar = 6);
        REFUSED(d.msix_bar = 3);
        REFUSED(d.msix_table_offset = 4);
        REFUSED(d.msix_table_offset = 0x4000 - 64);
        REFUSED(d.msix_pba_offset = 64 * 16 - 8);
        REFUSED(d.pcie_offset = 0x74);
        REFUSED(d.pcie_offset = 0xf0);
        REFUSED(d.pm_offset = 0x3c);
        REFUSED(d.msi_offset = 0x51);
        REFUSED(d.link_speed = 0);
        REFUSED(d.link_width = 3);
#undef REFUSED
        assert_int_equal(vpc_config_init(&config, &pinned, 0, registers), 0);
}

/* lspci as the judge: it finds every capability, and nothing to complain of. */
static char *run_lspci(void) {
        const char *tmp = getenv("TMPDIR");
        char directory[256], file[300], command[400], *text = calloc(1, 65536);
        FILE *f = NULL;

        assert_non_null(text);
        snprintf(directory, sizeof(directory), "%s/test-config-space-XXXXXX", tmp && *tmp ? tmp : "/tmp");
        assert_non_null(mkdtemp(directory));
        snprintf(file, sizeof(file), "%s/dump", directory);
        f = fopen(file, "we");
        assert_non_null(f);
        fputs("01:00.0 Device\n", f);
        for (unsigned int i = 0; i < VPC_CONFIG_SIZE; i++) {
                if (i % 16 == 0)
                        fprintf(f, "%02x:", i);
                fprintf(f, " %02x%s", registers[i], i % 16 == 15 ? "\n" : "");
        }
        assert_int_equal(fclose(f), 0);
        snprintf(command, sizeof(command), "lspci -vvv -F '%s' 2>&1", file);
        f = popen(command, "re");
        assert_non_null(f);
        assert_true(fread(text, 1, 65535, f) > 0);
        assert_int_equal(pclose(f), 0);
        unlink(file);
        rmdir(directory);
        return text;
}

static void expect(const char *text, const char *what) {
        if (!strstr(text, what))
                fail_msg("lspci does not say '%s':\n%s", what, text);
}

static void test_lspci(void **state) {
        static const char *const both[] = {"Power Management version 3",
                                           "MSI: Enable- Count=1/",
                                           "MSI-X: Enable- Count=",
                                           "Express (v2) Endpoint",
                                           "FLReset+",
                                           "Advanced Error Reporting",
                                           "Device Serial Number 02-00-00-11-22-33-44-55"};
        char *text = NULL;

        for (int i = 0; i < 2; i++) {
                make(i ? sample_model.description : &pinned);
                text = run_lspci();
                for (size_t j = 0; j < ARRAY_LENGTH(both); j++)
                        expect(text, both[j]);
                expect(text, i ? "LnkSta:\tSpeed 8GT/s, Width x4" : "LnkSta:\tSpeed 5GT/s, Width x8");
                assert_int_equal(!!strstr(text, "Secondary PCI Express"), i);
                expect(text, i ? "Vector table: BAR=0 offset=00002000" : "Vector table: BAR=4 offset=00000000");
                assert_null(strstr(text, "nknown"));
                assert_null(strstr(text, "!!!"));
                assert_null(strstr(text, "<chain"));
                free(text);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_header),
                cmocka_unit_test(test_bar_sizing),
                cmocka_unit_test(test_chain),
                cmocka_unit_test(test_write_one_to_clear),
                cmocka_unit_test(test_function_level_reset),
                cmocka_unit_test(test_reset_scopes),
                cmocka_unit_test(test_power_states),
                cmocka_unit_test(test_msi),
                cmocka_unit_test(test_random_writes),
                cmocka_unit_test(test_bad_descriptions),
                cmocka_unit_test(test_lspci),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
