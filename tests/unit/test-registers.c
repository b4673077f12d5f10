/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The register table keeps the promises that its readers rely on. */
#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "iov/registers.h"

static uint64_t bar_size(unsigned int bar) {
        return bar == 0 ? IOV_BAR0_SIZE : bar == 2 ? IOV_BAR2_SIZE : 0;
}

static void test_registers(void **state) {
        unsigned int n = 0;

        for (const struct iov_reg_info *a; (a = iov_registers_get(n)); n++) {
                assert_true(a->bits == 8 || a->bits == 32 || a->bits == 64);
                assert_int_equal(a->offset % (a->bits / 8), 0);
                assert_true(a->offset + a->bits / 8 <= bar_size(a->bar));
                assert_true(*a->name && *a->text);
                for (unsigned int j = 0; j < n; j++) {
                        const struct iov_reg_info *b = iov_registers_get(j);

                        assert_string_not_equal(a->name, b->name);
                        if (a->bar == b->bar && a->offset < b->offset + b->bits / 8 && b->offset < a->offset + a->bits / 8)
                                fail_msg("%s and %s overlap", a->name, b->name);
                }
        }
        assert_true(n > 20);
        assert_null(iov_registers_get(n));
        assert_null(iov_registers_get(UINT32_MAX));
}

static void test_fields(void **state) {
        const struct iov_reg_info *reg;
        unsigned int fields = 0, in_table = 0;

        for (unsigned int i = 0; (reg = iov_registers_get(i)); i++) {
                uint64_t seen = 0;

                fields += reg->n_fields;
                for (unsigned int f = 0; f < reg->n_fields; f++) {
                        const struct iov_field_info *field = &reg->fields[f];
                        uint64_t mask = (field->width < 64 ? (UINT64_C(1) << field->width) - 1 : UINT64_MAX) << field->lsb;

                        assert_true(field->width > 0 && field->lsb + field->width <= reg->bits);
                        if (seen & mask)
                                fail_msg("%s.%s overlaps another field", reg->name, field->name);
                        seen |= mask;
                }
        }
        /* Each field belongs to a register, and stands right behind it: none is lost. */
#define IOV_FIELD(REG, NAME, lsb, width, text) in_table++;
#include "iov/registers.def"
        assert_int_equal(fields, in_table);
        assert_int_equal(IOV_VERSION_MAJOR_SHIFT, 16);
        assert_int_equal(IOV_MB_STATUS_RETURN_CODE_WIDTH, 16);
}

/* The mailbox fits: the payload area follows its registers, in BAR0, and is as large as MB_CAPS can say. */
static void test_mailbox(void **state) {
        const struct iov_reg_info *reg;

        for (unsigned int i = 0; (reg = iov_registers_get(i)); i++)
                if (reg->bar == 0 && strcmp(reg->name, "MB_PAYLOAD") != 0)
                        assert_true(reg->offset + reg->bits / 8 <= IOV_REG_MB_PAYLOAD ||
                                    reg->offset >= (uint64_t)IOV_REG_MB_PAYLOAD + IOV_MB_PAYLOAD_BYTES);
        assert_true((uint64_t)IOV_REG_MB_PAYLOAD + IOV_MB_PAYLOAD_BYTES <= IOV_BAR0_SIZE);
        assert_true(IOV_MB_PAYLOAD_SHIFT < 1 << IOV_MB_CAPS_PAYLOAD_SIZE_WIDTH);
        assert_true(IOV_MB_PAYLOAD_BYTES < 1u << IOV_MB_COMMAND_LENGTH_WIDTH);
        for (unsigned int k = 0; k < IOV_KIND_COUNT; k++)
                assert_true(sizeof(struct iov_mb_op) + iov_records_get((enum iov_kind)k)->size <= IOV_MB_PAYLOAD_BYTES);
        assert_int_equal(sizeof(struct iov_mb_error), 512);
        assert_int_equal(sizeof(struct iov_mb_txn_begin), 16);
        assert_int_equal(sizeof(struct iov_mb_op), 8);
        assert_int_equal(sizeof(struct iov_mb_txn_result), 16);
        assert_int_equal(sizeof(struct iov_mb_identify), 80 + 32 + 108 + 4 + 8);
}

static void test_records(void **state) {
        for (unsigned int k = 0; k < IOV_KIND_COUNT; k++) {
                const struct iov_record_info *info = iov_records_get((enum iov_kind)k);
                unsigned int end = 0, keys = 0;

                assert_non_null(info);
                assert_int_equal(info->kind, k);
                assert_int_equal(info->size % 8, 0);
                for (unsigned int i = 0; i < info->n_fields; i++) {
                        const struct iov_rfield_info *f = &info->fields[i];

                        /* In memory order without a gap: padding is spelt out. */
                        if (f->offset != end)
                                fail_msg("%s.%s starts at %u, not %u", info->name, f->name, f->offset, end);
                        assert_int_equal(f->offset % f->size, 0);
                        assert_true(f->count > 0);
                        end = f->offset + f->size * f->count;
                        assert_int_equal(strncmp(f->name, "reserved", 8) == 0, f->role == IOV_ROLE_RESERVED);
                        assert_int_equal(*f->text == 0, f->role == IOV_ROLE_RESERVED);
                        keys += f->role == IOV_ROLE_KEY;
                        if (f->role == IOV_ROLE_KEY)
                                assert_true(f->offset == 0 && f->type == IOV_TYPE_chars && f->count == IOV_NAME_SIZE);
                        for (unsigned int j = 0; j < i; j++)
                                assert_string_not_equal(f->name, info->fields[j].name);
                }
                assert_int_equal(end, info->size);
                assert_true(keys <= 1);
        }
        assert_null(iov_records_get(IOV_KIND_COUNT));
        assert_null(iov_records_get((enum iov_kind) - 1));
        /* A counter's row is that of its vAdapter, and a namespace's name holds any vAdapter's and any number. */
        assert_int_equal((unsigned int)IOV_COUNTER_MAX, (unsigned int)IOV_VADAPTER_MAX);
        assert_true(IOV_NAME_SIZE > IOV_NAME_MAX + 1 + 10);
        assert_true(sizeof(((struct iov_vadapter *)NULL)->serial) > IOV_SERIAL_MAX);
}

/* All tables, with the directory before them, have room in BAR2. */
static void test_tables_fit(void **state) {
        uint64_t size = IOV_REG_TABLE_DIRECTORY;

        assert_true((unsigned int)IOV_KIND_COUNT <= (unsigned int)IOV_TABLE_MAX);
        for (unsigned int k = 0; k < IOV_KIND_COUNT; k++) {
                const struct iov_record_info *info = iov_records_get((enum iov_kind)k);

                size = (size + 4095) / 4096 * 4096 + (uint64_t)info->size * info->max;
        }
        assert_true(size <= IOV_BAR2_SIZE);
}

static void test_retcodes(void **state) {
        unsigned int n = 0;

        assert_int_equal(iov_retcode_errno(IOV_RET_SUCCESS), 0);
        assert_int_equal(iov_retcode_errno(IOV_RET_STALE), ESTALE);
        assert_int_equal(iov_retcode_errno(0xffff), EIO);
        assert_string_equal(iov_retcode_text(0xffff), "unknown return code");
        assert_int_equal(iov_retcode_from_errno(ENOSPC), IOV_RET_NO_SPACE);
        assert_int_equal(iov_retcode_from_errno(EXDEV), IOV_RET_INTERNAL);
#define IOV_RETCODE(NAME, value, error, text)                                                                                    \
        assert_int_equal(value, n++);                                                                                            \
        assert_int_equal(iov_retcode_from_errno(error), IOV_RET_##NAME);                                                         \
        assert_string_equal(iov_retcode_text(IOV_RET_##NAME), text);
#include "iov/registers.def"
        assert_int_equal(n, IOV_RET_LIMIT + 1);
}

static void test_opcodes(void **state) {
        static const unsigned int values[] = {
#define IOV_OPCODE(NAME, value, text) value,
#include "iov/registers.def"
        };

        for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
                assert_true(values[i] > 0 && values[i] < 1u << IOV_MB_COMMAND_OPCODE_WIDTH);
                for (size_t j = 0; j < i; j++)
                        assert_int_not_equal(values[i], values[j]);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_registers), cmocka_unit_test(test_fields),     cmocka_unit_test(test_mailbox),
                cmocka_unit_test(test_records),   cmocka_unit_test(test_tables_fit), cmocka_unit_test(test_retcodes),
                cmocka_unit_test(test_opcodes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
