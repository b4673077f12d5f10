/* SPDX-License-Identifier: GPL-2.0-or-later */
/* registers: the register map with its values, or without an appliance as a document. */
#include <inttypes.h>
#include <string.h>

#include "tools/common/report.h"
#include "tools/common/session.h"
#include "tools/iovdump/iovdump.h"
#include "util.h"

static bool arg_map;

const struct option registers_options[] = {
        {"map", 0, VALUE_FLAG, NULL, &arg_map, "print the register map as a Markdown document; needs no appliance"},
        {0},
};
const struct column register_columns[] = {
        {"name", 0, "name of the register, or below it of its field"},
        {"bar", COLUMN_RIGHT, "base address register"},
        {"offset", 0, "offset in the BAR"},
        {"bits", COLUMN_RIGHT, "bits, highest to lowest"},
        {"access", 0, "ro, rw or wo"},
        {"value", 0, "value"},
        {"description", 0, "what it is"},
        {"width", COLUMN_RIGHT | COLUMN_WIDE, "width in bits"},
        {"fields", COLUMN_TREE, "fields"},
        {0},
};
static const struct column field_columns[] = {
        {"name", 0, ""},
        {"bits", COLUMN_RIGHT, ""},
        {"lsb", COLUMN_RIGHT, ""},
        {"width", COLUMN_RIGHT, ""},
        {"value", 0, ""},
        {"description", 0, ""},
        {0},
};
static const char *const access_words[] = {[IOV_ACCESS_RO] = "ro", [IOV_ACCESS_RW] = "rw", [IOV_ACCESS_WO] = "wo"};

static void put_bits(struct table *t, unsigned int lsb, unsigned int width) {
        char bits[32];

        if (width == 1)
                snprintf(bits, sizeof(bits), "%u", lsb);
        else
                snprintf(bits, sizeof(bits), "%u:%u", lsb + width - 1, lsb);
        put_text(t, bits);
}

static int read_value(struct iov_appliance *appliance, const struct iov_reg_info *reg, uint64_t *ret_value) {
        uint32_t value32 = 0;
        uint8_t value8 = 0;
        int r;

        if (reg->bits == 64)
                return iov_read64(appliance, reg->bar, reg->offset, ret_value);
        if (reg->bits == 32) {
                r = iov_read32(appliance, reg->bar, reg->offset, &value32);
                *ret_value = value32;
        } else {
                r = iov_read(appliance, reg->bar, reg->offset, &value8, sizeof(value8));
                *ret_value = value8;
        }
        return r;
}

static struct table *fields_table(const struct iov_reg_info *reg, uint64_t value) {
        struct table *t = table_new("fields", field_columns);

        for (unsigned int i = 0; i < reg->n_fields; i++) {
                const struct iov_field_info *f = &reg->fields[i];

                table_row(t);
                put_text(t, f->name);
                put_bits(t, f->lsb, f->width);
                put_number(t, f->lsb);
                put_number(t, f->width);
                put_number(t, (value >> f->lsb) & (f->width < 64 ? (UINT64_C(1) << f->width) - 1 : UINT64_MAX));
                put_text(t, f->text);
        }
        return t;
}

int registers_read(struct iov_appliance *appliance, struct table **ret_table) {
        CLEANUP_TABLE struct table *t = table_new("registers", register_columns);
        const struct iov_reg_info *reg;

        for (unsigned int i = 0; (reg = iov_registers_get(i)); i++) {
                uint64_t value = 0;
                int r = reg->access == IOV_ACCESS_WO ? 0 : read_value(appliance, reg, &value);

                if (r < 0)
                        return r;
                table_row(t);
                put_text(t, reg->name);
                put_number(t, reg->bar);
                put_hex(t, reg->offset, 5);
                put_bits(t, 0, reg->bits);
                put_text(t, access_words[reg->access]);
                if (reg->access == IOV_ACCESS_WO)
                        put_null(t);
                else
                        put_hex(t, value, reg->bits / 4);
                put_text(t, reg->text);
                put_number(t, reg->bits);
                put_table(t, fields_table(reg, value));
        }
        *ret_table = TAKE_PTR(t);
        return 0;
}

int dump_registers(struct tool *tool, char **words, unsigned int n_words) {
        CLEANUP_TABLE struct table *t = NULL;
        struct iov_appliance *appliance = NULL;

        if (arg_map) {
                registers_write_map(stdout);
                return STATUS_DONE;
        }
        int status = session_open(tool, &appliance);
        if (status != STATUS_DONE)
                return status;
        int r = registers_read(appliance, &t);
        iov_close(appliance);
        return r < 0 ? report_errno(tool, r, "reading registers failed") : output_table(tool, t, false);
}
