/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Descriptions of the register map, expanded from registers.def, and checks that the structs are what it says. */
#include <errno.h>
#include <string.h>

#include "iov/registers.h"

#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))

/* The layout that the table promises is the one the compiler made. */
#define IOV_RECORD_BEGIN(name, NAME, size, max, text) _Static_assert(sizeof(struct iov_##name) == (size), #name);
#include "iov/registers.def"
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "records are used in place: little-endian hosts only");

/* Fields stand right behind their register in the table, so each register's are one run of this array. */
static const struct iov_field_info field_infos[] = {
#define IOV_FIELD(REG, NAME, lsb, width, text) {#NAME, lsb, width, text},
#include "iov/registers.def"
};
static const char *const field_regs[] = {
#define IOV_FIELD(REG, NAME, lsb, width, text) #REG,
#include "iov/registers.def"
};

static struct iov_reg_info reg_infos[] = {
#define IOV_REG(NAME, bar, offset, bits, ACCESS, text) {#NAME, bar, offset, bits, IOV_ACCESS_##ACCESS, text, NULL, 0},
#include "iov/registers.def"
};

#define IOV_RECORD_BEGIN(name, NAME, size, max, text) static const struct iov_rfield_info name##_fields[] = {
#define IOV_RFIELD(record, name, type, count, ROLE, text)                                                                        \
        {#name, IOV_TYPE_##type, offsetof(struct iov_##record, name), sizeof(iov_type_##type), count, IOV_ROLE_##ROLE, text},
#define IOV_RECORD_END(name, NAME)                                                                                               \
        }                                                                                                                        \
        ;
#include "iov/registers.def"

static const struct iov_record_info record_infos[] = {
#define IOV_RECORD_BEGIN(name, NAME, size, max, text)                                                                            \
        {#name, IOV_KIND_##NAME, size, max, text, name##_fields, LENGTH(name##_fields)},
#include "iov/registers.def"
};

static const struct {
        unsigned int code;
        int error;
        const char *text;
} retcodes[] = {
#define IOV_RETCODE(NAME, value, error, text) {value, error, text},
#include "iov/registers.def"
};

__attribute__((constructor)) static void fields_assign(void) {
        for (size_t r = 0; r < LENGTH(reg_infos); r++)
                for (size_t f = 0; f < LENGTH(field_infos); f++)
                        if (strcmp(field_regs[f], reg_infos[r].name) == 0) {
                                if (reg_infos[r].n_fields++ == 0)
                                        reg_infos[r].fields = &field_infos[f];
                        }
}

const struct iov_reg_info *iov_registers_get(unsigned int i) {
        return i < LENGTH(reg_infos) ? &reg_infos[i] : NULL;
}

const struct iov_record_info *iov_records_get(enum iov_kind kind) {
        return (unsigned int)kind < LENGTH(record_infos) ? &record_infos[kind] : NULL;
}

const char *iov_retcode_text(unsigned int code) {
        return code < LENGTH(retcodes) ? retcodes[code].text : "unknown return code";
}

int iov_retcode_errno(unsigned int code) {
        return code < LENGTH(retcodes) ? retcodes[code].error : EIO;
}

enum iov_retcode iov_retcode_from_errno(int error) {
        for (size_t i = 0; i < LENGTH(retcodes); i++)
                if (retcodes[i].error == error)
                        return (enum iov_retcode)retcodes[i].code;
        return IOV_RET_INTERNAL;
}
